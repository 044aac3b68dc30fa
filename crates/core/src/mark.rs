//! High-water marks: how far a log went, as it is known outside of it.
//!
//! A log can lose its end without any sign in itself: a database that was cut, put back from a
//! copy, or whose last page has one wrong bit, is a shorter log that is whole. So what was
//! committed is noted in other places too, before anything is done or said because of it:
//!
//! | what | where it is noted | flushed |
//! |---|---|---|
//! | an attempt of a machine, and how it ended | its claim and exit in the ledger | by them |
//! | everything else | the run's mark file, and another one elsewhere where that is configured | at once |
//!
//! A log that is ahead of its marks crashed between two writes. A log that is *behind* one, or
//! has another record at its position, is **suspect**: nothing is done on it.

use crate::attempt::AttemptId;
use crate::event::Event;
use crate::ids::{Digest, Seq};
use crate::record::Record;
use crate::state::RunState;

/// A record that is known to have been committed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Its position.
    pub seq: Seq,
    /// Its digest.
    pub digest: Digest,
}

/// What one place knows of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarkPlace {
    /// The place, for people: a path.
    pub place: String,
    /// Whose it is.
    pub origin: Origin,
    /// What is there.
    pub found: Found,
}

/// Whose marks they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Those in the state folder itself.
    Here,
    /// Those of this state folder in another place.
    Elsewhere,
    /// Those of another state folder with the same run, in a place that both note in: a copy of this
    /// one or what it was copied from, or this one under an earlier name.
    Beside,
}

/// What was found where the marks of a run are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Marks, in any order.
    Marks(Vec<Mark>),
    /// Nothing.
    Nothing,
    /// It cannot be read.
    Unreadable(String),
}

impl MarkPlace {
    /// Every mark that is there.
    #[must_use]
    pub fn marks(&self) -> &[Mark] {
        match &self.found {
            Found::Marks(marks) => marks,
            Found::Nothing | Found::Unreadable(_) => &[],
        }
    }

    /// The highest mark.
    #[must_use]
    pub fn highest(&self) -> Option<Mark> {
        self.marks().iter().copied().max_by_key(|mark| mark.seq)
    }
}

/// Why a log is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Suspicion {
    /// It ends before a record that was committed.
    Behind {
        /// Where that is noted.
        place: String,
        /// The record.
        mark: Mark,
        /// The position of the log's last record.
        end: Seq,
    },
    /// It has another record at this position than the one that was committed.
    OtherRecord {
        /// Where that is noted.
        place: String,
        /// The position.
        seq: Seq,
    },
    /// The run goes on in another state folder, with other records.
    GoesOnBeside {
        /// Where that is noted.
        place: String,
        /// The first record that is another one there, or that this log does not have.
        seq: Seq,
    },
    /// An attempt was carried out that it does not know.
    UnknownAttempt(Box<AttemptId>),
}

impl Suspicion {
    /// The position it is about, if it is about one.
    fn seq(&self) -> Option<Seq> {
        match self {
            Self::Behind { end, .. } => Some(end.next()),
            Self::OtherRecord { seq, .. } | Self::GoesOnBeside { seq, .. } => Some(*seq),
            Self::UnknownAttempt(_) => None,
        }
    }
}

/// What a log could not be compared with, although it should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotCompared {
    /// The place.
    pub place: String,
    /// Why it cannot be read; `None` where nothing is there.
    pub why: Option<String>,
}

/// What a log is, beside what is known of it elsewhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judgement {
    /// Why it is suspect. Empty: nothing known elsewhere contradicts it.
    pub suspicions: Vec<Suspicion>,
    /// What it could not be compared with.
    pub not_compared: Vec<NotCompared>,
    /// The highest mark of any place.
    pub mark: Option<Mark>,
}

impl Judgement {
    /// Whether something known elsewhere contradicts the log.
    #[must_use]
    pub fn is_suspect(&self) -> bool {
        !self.suspicions.is_empty()
    }
}

/// Whether another place knows of a record that neither the log nor what the state folder notes has:
/// then this machine lost more than a log, or the run went on elsewhere. Its ledger is older, too,
/// and proves less than was done. `digests` are those of the log's records, first to last.
#[must_use]
pub fn is_behind_elsewhere(places: &[MarkPlace], digests: &[Digest]) -> bool {
    let is_here = |place: &&MarkPlace| place.origin == Origin::Here;
    let here: Vec<Mark> =
        places.iter().filter(is_here).flat_map(MarkPlace::marks).copied().collect();
    let is_known = |mark: &Mark| {
        let index = usize::try_from(mark.seq.0).ok().and_then(|seq| seq.checked_sub(1));
        let in_log = index.and_then(|index| digests.get(index)) == Some(&mark.digest);
        in_log || here.contains(mark)
    };
    let elsewhere = places.iter().filter(|place| !is_here(place)).flat_map(MarkPlace::marks);
    elsewhere.into_iter().any(|mark| !is_known(mark))
}

/// Compares a log with what is known of it elsewhere. `digests` are those of its records, first
/// to last. `unknown` are the attempts that were carried out and that it does not know. A place
/// without any mark is one the log could not be compared with, if the run keeps marks.
#[must_use]
pub fn judge(
    digests: &[Digest],
    keeps_marks: bool,
    places: &[MarkPlace],
    unknown: &[AttemptId],
) -> Judgement {
    let end = Seq(digests.len() as u64);
    let mut judgement = Judgement {
        mark: places.iter().filter_map(MarkPlace::highest).max_by_key(|m| m.seq),
        ..Judgement::default()
    };
    for MarkPlace { place, origin, found } in places {
        let place = place.clone();
        match found {
            Found::Marks(marks) if *origin == Origin::Beside => {
                let other = compared(digests, &place, marks, end);
                let first = other.iter().filter_map(Suspicion::seq).min();
                let beside = first.map(|seq| Suspicion::GoesOnBeside { place, seq });
                judgement.suspicions.extend(beside);
            }
            Found::Unreadable(why) => {
                judgement.not_compared.push(NotCompared { place, why: Some(why.clone()) });
            }
            Found::Marks(marks) if !marks.is_empty() => {
                judgement.suspicions.extend(compared(digests, &place, marks, end));
                let begins = marks.iter().map(|mark| mark.seq).min().filter(|seq| *seq > Seq(1));
                if let Some(begins) = begins.filter(|at| keeps_marks && !is_covered(places, *at)) {
                    let why = Some(format!("its first mark is of record {begins}"));
                    judgement.not_compared.push(NotCompared { place, why });
                }
            }
            Found::Marks(_) | Found::Nothing if keeps_marks => {
                judgement.not_compared.push(NotCompared { place, why: None });
            }
            Found::Marks(_) | Found::Nothing => {}
        }
    }
    if keeps_marks {
        judgement.not_compared.extend(behind(places, end));
    }
    let unknown = unknown.iter().map(|id| Suspicion::UnknownAttempt(Box::new(id.clone())));
    judgement.suspicions.extend(unknown);
    judgement
}

/// The places that ended early, so that what came after is compared with nothing there: the state
/// folder, and all others together, as a run may have begun with another place or under another
/// name. A crash between a record and its mark leaves a place behind by that one.
fn behind(places: &[MarkPlace], end: Seq) -> Vec<NotCompared> {
    let group = |is_here: bool| {
        let of = places.iter().filter(move |it| (it.origin == Origin::Here) == is_here);
        of.filter_map(|place| Some((place, place.highest()?.seq))).max_by_key(|(_, seq)| *seq)
    };
    let groups = [group(true), group(false)].into_iter().flatten();
    let behind = groups.filter(|(_, highest)| highest.next() < end);
    let said = behind.map(|(place, highest)| NotCompared {
        place: place.place.clone(),
        why: Some(format!(
            "it ends at record {highest}, and the log at record {end}: what came after is compared with nothing there"
        )),
    });
    said.collect()
}

/// Whether marks that begin late go on from where another place ends. What the state folder notes
/// itself covers nothing that was noted elsewhere.
fn is_covered(places: &[MarkPlace], begins: Seq) -> bool {
    places.iter().filter(|place| place.origin != Origin::Here).any(|place| {
        let mut marks = place.marks().iter().map(|mark| mark.seq);
        marks.clone().any(|seq| seq == Seq(1)) && marks.any(|seq| seq.next() >= begins)
    })
}

/// The first record that is another one, and the last one that is missing.
fn compared(digests: &[Digest], place: &str, marks: &[Mark], end: Seq) -> Vec<Suspicion> {
    let at = |mark: &Mark| {
        let index = usize::try_from(mark.seq.0).ok()?.checked_sub(1)?;
        digests.get(index)
    };
    let is_other = |mark: &&Mark| at(mark).is_some_and(|digest| *digest != mark.digest);
    let place = || place.to_owned();
    let other = marks.iter().filter(is_other).map(|mark| mark.seq).min();
    let behind = marks.iter().filter(|mark| mark.seq > end).max_by_key(|mark| mark.seq);
    let other = other.map(|seq| Suspicion::OtherRecord { place: place(), seq });
    let behind = behind.map(|mark| Suspicion::Behind { place: place(), mark: *mark, end });
    other.into_iter().chain(behind).collect()
}

impl RunState {
    /// Whether the ledger holds all that a record says, durably, before anything follows from
    /// it: then its mark needs no flush of its own. So it is with what a coordinator writes about
    /// the attempts of machines. Of an intent that is lost nothing was carried out, and a result
    /// that is lost is read once more.
    #[must_use]
    pub fn is_covered_by_ledger(&self, record: &Record) -> bool {
        let of_a_machine = |event: &Event| {
            let of_an_attempt = matches!(
                event,
                Event::StepIntent { .. }
                    | Event::StepExecuted { .. }
                    | Event::StepVerified { .. }
                    | Event::StepSucceeded { .. }
                    | Event::StepFailed { .. }
                    | Event::StepInDoubt { .. }
            );
            let step = event.step().and_then(|id| self.step(id));
            of_an_attempt && step.is_some_and(|(step, _)| step.action.is_dispatched())
        };
        record.actor.is_coordinator() && record.events.iter().all(of_a_machine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn digest(record: u64) -> Digest {
        Digest::of(&record.to_be_bytes())
    }

    fn log(records: u64) -> Vec<Digest> {
        (1..=records).map(digest).collect()
    }

    fn place(marks: &[u64]) -> MarkPlace {
        let marks = marks.iter().map(|&seq| Mark { seq: Seq(seq), digest: digest(seq) }).collect();
        let origin = Origin::Here;
        MarkPlace { place: "here".to_owned(), origin, found: Found::Marks(marks) }
    }

    fn elsewhere(marks: &[u64]) -> MarkPlace {
        MarkPlace { origin: Origin::Elsewhere, ..place(marks) }
    }

    fn is_suspect(records: u64, places: &[MarkPlace]) -> bool {
        judge(&log(records), true, places, &[]).is_suspect()
    }

    /// Every length of the log against every mark: suspect exactly where it is behind.
    #[test]
    fn a_log_may_be_ahead_of_its_mark_and_never_behind() {
        for end in 0..6 {
            for mark in 1..6 {
                assert_eq!(is_suspect(end, &[place(&[mark])]), end < mark, "{end} {mark}");
                assert_eq!(is_suspect(end, &[place(&[1]), place(&[mark, 1])]), end < mark);
            }
        }
    }

    #[test]
    fn another_record_at_the_position_of_any_mark_is_noticed() {
        for changed in 1..=5_usize {
            let mut digests = log(6);
            digests[changed - 1] = digest(99);
            let judged = judge(&digests, true, &[place(&[1, 2, 3, 4, 5])], &[]);
            let seq = Seq(changed as u64);
            let other = Suspicion::OtherRecord { place: "here".to_owned(), seq };
            assert_eq!(judged.suspicions, [other]);
        }
        // Two writers who each believed to be right: one of them is not in the log.
        let mut both = place(&[1, 2]);
        let Found::Marks(marks) = &mut both.found else { panic!("marks") };
        marks.push(Mark { seq: Seq(2), digest: digest(77) });
        assert!(is_suspect(2, &[both]));
    }

    /// Marks that begin behind the first record say nothing about what was before them, and those
    /// that end early nothing about what came after.
    #[test]
    fn marks_that_began_anew_or_ended_are_said() {
        let not_compared = |places: &[MarkPlace]| judge(&log(6), true, places, &[]).not_compared;
        assert!(not_compared(&[place(&[1, 2, 6]), elsewhere(&[1, 6])]).is_empty());
        assert_eq!(not_compared(&[place(&[5, 6])]).len(), 1);
        assert_eq!(not_compared(&[place(&[1, 6]), elsewhere(&[5, 6])]).len(), 1, "by itself alone");
        // Another name of this machine: together they are whole.
        let before = MarkPlace { origin: Origin::Beside, ..place(&[1, 2, 3, 4]) };
        let since = elsewhere(&[5, 6]);
        assert!(not_compared(&[place(&[1, 6]), since.clone(), before]).is_empty());
        let early = MarkPlace { origin: Origin::Beside, ..place(&[1, 2]) };
        assert_eq!(not_compared(&[place(&[1, 6]), since, early]).len(), 1);
        // One record behind is a crash between the two.
        assert!(not_compared(&[place(&[1, 6]), elsewhere(&[1, 5])]).is_empty());
        assert_eq!(not_compared(&[place(&[1, 6]), elsewhere(&[1, 4])]).len(), 1);
    }

    /// What a copy noted is another run of things, and not a lost end.
    #[test]
    fn a_run_that_goes_on_beside_is_told_apart() {
        let beside = |marks: &[u64]| MarkPlace { origin: Origin::Beside, ..place(marks) };
        let judged = judge(&log(3), true, &[place(&[1, 3]), beside(&[1, 2, 4, 5])], &[]);
        let seq = Seq(4);
        let place_of = "here".to_owned();
        assert_eq!(judged.suspicions, [Suspicion::GoesOnBeside { place: place_of, seq }]);
        assert!(!judge(&log(3), true, &[place(&[1, 3]), beside(&[1, 2])], &[]).is_suspect());
    }

    /// What of the state folder is damaged is no mark elsewhere.
    #[test]
    fn a_damaged_place_here_is_still_here() {
        let damaged = MarkPlace { found: Found::Unreadable("bits".to_owned()), ..place(&[]) };
        assert!(!is_behind_elsewhere(&[damaged.clone(), place(&[1, 2])], &log(1)));
        assert!(is_behind_elsewhere(&[damaged, place(&[1, 2]), elsewhere(&[3])], &log(2)));
        assert!(!is_behind_elsewhere(&[place(&[1, 2]), elsewhere(&[2])], &log(1)));
        // A copy that wrote less than this one, and something else, is not behind.
        let mut other = MarkPlace { origin: Origin::Beside, ..place(&[1, 2]) };
        let Found::Marks(marks) = &mut other.found else { panic!("marks") };
        marks.push(Mark { seq: Seq(3), digest: digest(77) });
        assert!(is_behind_elsewhere(&[place(&[1, 2, 3, 4]), other], &log(4)));
    }

    #[test]
    fn what_cannot_be_compared_is_said() {
        let nothing = MarkPlace { found: Found::Nothing, ..place(&[]) };
        let unreadable = MarkPlace { found: Found::Unreadable("io".to_owned()), ..nothing.clone() };
        let judged = judge(&log(2), true, &[nothing.clone(), unreadable.clone(), place(&[])], &[]);
        assert!(!judged.is_suspect());
        assert_eq!(judged.not_compared.len(), 3);
        // A run of an earlier version keeps none; a file that is there and cannot be read counts.
        assert_eq!(judge(&log(2), false, &[nothing, unreadable], &[]).not_compared.len(), 1);
    }
}

//! Attempts that fail, in the simulation.
//!
//! An attempt fails when its time is up before it is done, or by itself. The shared
//! slowdown acts before the time-out is compared: a slow system reaches it sooner. An
//! attempt that was stopped has not done its work; it has only spent its time. The next
//! one is drawn anew under the same slowdown, after a pause, or after the help of a
//! person when the step's own attempts are used up.

use crate::network::{self, Duration};
use crate::random::{Stream, draw_words, mix64, probability};
use crate::table::Lines;

/// A duration as the loops want it.
pub(crate) struct Draw<'a> {
    pub(crate) lines: &'a Lines,
    pub(crate) scale: f32,
    pub(crate) offset: f32,
    pub(crate) cap: f32,
}

impl<'a> Draw<'a> {
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a night")]
    pub(crate) fn new(duration: &'a Duration) -> Self {
        Self {
            lines: duration.table.lines(),
            scale: duration.scale as f32,
            offset: duration.offset as f32,
            cap: duration.cap as f32,
        }
    }

    #[inline(always)]
    pub(crate) fn take(&self, word: u32, slowdown: f32) -> f32 {
        let drawn = (self.offset + self.scale * self.lines.draw(word)) * slowdown;
        if drawn < self.cap { drawn } else { self.cap }
    }
}

/// After so many rounds of help a step that still fails does not end.
const ROUNDS: u32 = 8;

/// The random numbers of attempts after the first, of their failures, of the help.
#[derive(Clone, Copy)]
enum Purpose {
    Again = 1,
    Luck = 2,
    Help = 3,
}

/// Where random numbers come from: seed, block, the step's key.
#[derive(Clone, Copy)]
pub(crate) struct Source {
    pub(crate) seed: u64,
    pub(crate) block: u64,
    pub(crate) key: u64,
}

impl Source {
    fn words<const BLOCK: usize>(self, purpose: Purpose, failed: u32) -> [u32; BLOCK] {
        let key = mix64(self.key ^ mix64(u64::from(failed) << 2 | purpose as u64));
        draw_words(&mut Stream::new(self.seed, self.block, key))
    }
}

/// In how many simulations of a block a time-out stopped a step, and it never ended.
#[derive(Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) stopped: u64,
    pub(crate) unfinished: u64,
}

/// What may make a step fail, as the loops want it.
pub(crate) struct Attempts<'a> {
    limit: f32,
    time_out: f32,
    fails: Option<(f64, f64)>,
    most: u32,
    used: u32,
    pause: f32,
    help: Draw<'a>,
}

impl<'a> Attempts<'a> {
    /// `None` where no attempt of this duration can fail.
    #[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a night")]
    pub(crate) fn new(attempts: &'a network::Attempts, longest: f64) -> Option<Self> {
        if attempts.fails.is_none() && attempts.limit >= longest {
            return None;
        }
        Some(Self {
            limit: attempts.limit as f32,
            time_out: attempts.time_out as f32,
            fails: attempts.fails,
            most: attempts.most.max(1),
            used: attempts.used.min(attempts.most.max(1) - 1),
            pause: attempts.pause as f32,
            help: Draw::new(&attempts.help),
        })
    }

    /// The chance that the attempt after so many failures fails by itself. The chances
    /// are Beta-distributed, so each failure makes the next one likelier.
    #[expect(clippy::cast_possible_truncation, reason = "a chance needs no more digits")]
    fn chance(&self, failed: u32) -> f32 {
        let Some((fails, holds)) = self.fails else { return 0.0 };
        let fails = fails + f64::from(failed);
        (fails / (fails + holds)) as f32
    }

    /// `taken` holds the durations of the first attempts; afterwards the time until the
    /// step is done, all attempts together, infinite where it never is.
    pub(crate) fn repeat<const BLOCK: usize>(
        &self,
        step: &Draw<'_>,
        source: Source,
        slowdown: &[f32; BLOCK],
        taken: &mut [f32; BLOCK],
    ) -> Tally {
        let mut tally = Tally::default();
        let mut lasts = *taken;
        let mut spent = [0.0_f32; BLOCK];
        let mut ever_stopped = [false; BLOCK];
        let mut open: Vec<usize> = (0..BLOCK).collect();
        let (mut used, mut failed, mut rounds) = (self.used, self.used, 0);
        loop {
            let chance = self.chance(failed);
            let luck: [u32; BLOCK] = match chance > 0.0 {
                true => source.words(Purpose::Luck, failed),
                false => [0; BLOCK],
            };
            open.retain(|&sample| {
                let stopped = lasts[sample] > self.limit;
                let fails = stopped || chance > 0.0 && probability(luck[sample]) < chance;
                if !fails {
                    taken[sample] = spent[sample] + lasts[sample];
                    return false;
                }
                spent[sample] += if stopped { self.time_out } else { lasts[sample] };
                tally.stopped += u64::from(stopped && !ever_stopped[sample]);
                ever_stopped[sample] |= stopped;
                true
            });
            if open.is_empty() {
                return tally;
            }
            (used, failed) = (used + 1, failed + 1);
            if used < self.most {
                open.iter().for_each(|&sample| spent[sample] += self.pause);
            } else {
                (used, rounds) = (0, rounds + 1);
                if rounds > ROUNDS {
                    open.iter().for_each(|&sample| taken[sample] = f32::INFINITY);
                    tally.unfinished += open.len() as u64;
                    return tally;
                }
                let words: [u32; BLOCK] = source.words(Purpose::Help, failed);
                open.iter().for_each(|&sample| spent[sample] += self.help.take(words[sample], 1.0));
            }
            let words: [u32; BLOCK] = source.words(Purpose::Again, failed);
            for &sample in &open {
                lasts[sample] = step.take(words[sample], slowdown[sample]);
            }
        }
    }
}

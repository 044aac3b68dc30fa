//! What happens to one step, applied to what is known about it.

use super::{Departure, RunState};
use crate::act::Answer;
use crate::event::{Attested, DoubtCause, Event, Evidence, FailureEffect, ResolvedBy};
use crate::illegal::Illegal;
use crate::record::Record;
use crate::release::took_place;
use crate::status::{Probed, Status, StepState, StopCause};

impl RunState {
    pub(super) fn step_event(
        &mut self,
        index: usize,
        status: Status,
        event: &Event,
        record: &Record,
    ) -> Result<(), Illegal> {
        let id = self.steps[index].id.clone();
        let is_stage = self.is_stage(index);
        let state = &mut self.states[index];
        state.took = took(state, event);
        match event {
            Event::StepIntent { attempt, key, .. } => {
                if is_stage {
                    self.release.is_new(&self.planned.plan, &id);
                }
                if state.status == Status::Pending && state.doubt.is_some() {
                    state.recoveries += 1;
                }
                state.took_earlier = state.took;
                state.attempt = *attempt;
                state.repeats = !state.key.is_empty() && state.key == *key;
                state.key.clone_from(key);
                state.started = state.started.or(Some(record.at));
                state.confirmed = false;
                state.doubt = None;
                state.doubted = None;
                state.accepted = None;
                state.begun_elsewhere = None;
                state.probed = None;
                state.failure = None;
                state.stop = None;
                state.note = None;
                state.evidence = Evidence::default();
                state.recheck = false;
                state.fault = None;
                state.by = None;
                state.attested = false;
            }
            Event::StepRecovered { attempt, key, intent, fits, .. } => {
                if is_stage {
                    self.release.is_new(&self.planned.plan, &id);
                }
                let earlier = std::mem::replace(state, StepState::new());
                state.took_earlier = earlier.took;
                state.took = earlier.took || !fits;
                state.attempt = *attempt;
                state.repeats = !key.is_empty() && earlier.key == *key;
                state.key.clone_from(key);
                state.intent = Some(*intent);
                state.started = earlier.started.or(Some(record.at));
                (state.assigned, state.recoveries) = (earlier.assigned, earlier.recoveries);
                state.status = earlier.status;
                state.begun_elsewhere = earlier.begun_elsewhere;
                if !fits {
                    state.doubt = Some(DoubtCause::LedgerForeign);
                    state.doubted = Some(record.at);
                }
                // What is under way is never forgotten, whatever selects it.
                if !self.selected[index] {
                    self.selected[index] = true;
                    self.rebuild()?;
                }
            }
            Event::StepInherited { run, attempt, key, end, .. } => {
                state.key = key.clone().unwrap_or_default();
                state.doubt = Some(DoubtCause::EarlierRun);
                state.doubted = Some(record.at);
                state.took = true;
                state.started = Some(record.at);
                state.note = Some(format!("attempt {attempt} in {run}: {}", end.shown()));
            }
            Event::StepExecuted { evidence, .. } => {
                state.evidence = evidence.clone();
                if record.actor.person().is_some() {
                    state.by = Some(record.actor.clone());
                }
            }
            Event::StepVerified { evidence, .. } => state.evidence = evidence.clone(),
            Event::StepStopRequested { reason, .. } => {
                state.stop = Some(StopCause::Person(reason.clone()));
                self.deviates(Departure::Stopped(id), reason, record);
            }
            Event::StepConfirmed { note, .. } => {
                state.confirmed = true;
                state.by = Some(record.actor.clone());
                state.note.clone_from(note);
            }
            Event::StepSucceeded { evidence, .. } => {
                state.evidence = evidence.clone();
                state.doubt = None;
            }
            Event::StepFailed { effect, fault, evidence, .. } => {
                state.failure = Some(*effect);
                state.failed_at = (*effect != FailureEffect::None).then_some(record.at);
                state.failures += 1;
                state.fault = Some(fault.clone());
                state.note = None;
                state.recheck = false;
                state.evidence = evidence.clone();
                state.doubt = None;
            }
            Event::StepInDoubt { cause, evidence, accepted, .. } => {
                state.doubt = Some(*cause);
                state.doubted = Some(record.at);
                state.accepted = *accepted;
                state.note = Some(evidence.summary.clone());
                state.evidence = evidence.clone();
            }
            Event::StepCheckRequested { .. } => {
                state.recheck = true;
                state.probed = None;
            }
            Event::StepProbed { finding, denied, early, .. } => {
                let (denied, early) = (*denied, *early);
                state.probed = Some(Probed { finding: finding.clone(), denied, early });
                state.recheck = false;
            }
            Event::StepResolved { answer, by, reason, .. } => {
                state.note.clone_from(reason);
                state.recheck = false;
                if *by == ResolvedBy::Person {
                    state.recoveries = 0;
                    state.attested = *answer == Answer::Happened;
                    // The person who says that it happened has confirmed it.
                    state.confirmed |= *answer == Answer::Happened;
                    if *answer == Answer::Happened {
                        state.by = Some(record.actor.clone());
                    }
                    let (what, reason) =
                        (Departure::Resolved(id, *answer), reason.clone().unwrap_or_default());
                    self.deviates(what, &reason, record);
                } else {
                    state.attested = false;
                }
            }
            Event::StepRetried { reason, new_key, .. } => {
                // What is finished is done anew, and the target must not take it for the repeat
                // of what it did. What failed, or is in doubt, may have been done.
                if *new_key || state.status.is_settled() {
                    state.key.clear();
                }
                state.failures = 0;
                state.recoveries = 0;
                state.doubt = None;
                state.attested = false;
                state.ended = None;
                state.recheck = false;
                // What was watched and agreed to was the other try.
                if is_stage {
                    self.release.begins_again(&id);
                }
                self.deviates(Departure::RanAgain(id), reason, record);
            }
            Event::StepSkipped { reason, .. } => {
                state.note = Some(reason.clone());
                self.deviates(Departure::Skipped(id), reason, record);
            }
            Event::StepAttested { started, ended, evidence, reason, result, .. } => {
                state.attested = true;
                state.confirmed = true;
                state.by = Some(record.actor.clone());
                state.note = Some(reason.clone());
                state.evidence = evidence.clone();
                // Written down or not known: the moment of entry is neither.
                state.started = *started;
                if *result == Attested::Failed {
                    state.failure = Some(FailureEffect::Unknown);
                    state.failures += 1;
                    // What a person saw fail is not tried again by itself.
                    state.stop = Some(StopCause::SeenToFail);
                }
                let ended = *ended;
                self.deviates(Departure::Attested(id), reason, record);
                self.set_status(index, status, record.at);
                let known = &mut self.states[index];
                known.ended = ended;
                return self.is_known_to_be_undone(index);
            }
            Event::StepReplaced { step, not_before, reason } => {
                self.not_before.remove(&id);
                self.not_before.extend(not_before.map(|at| (id.clone(), at)));
                let old = std::mem::replace(&mut self.steps[index], step.as_ref().clone());
                // What matters is not made to matter less by writing it in another way.
                if self.version >= 2 {
                    self.steps[index].optional &= old.optional;
                }
                if is_stage {
                    // What two people have to agree to is not made harmless by writing it
                    // in another way; and they agreed to what it was.
                    let new = &mut self.steps[index];
                    new.irreversible = new.irreversible.take().or(old.irreversible);
                    new.approval = new.approval.take().or(old.approval);
                    new.bake = new.bake.or(old.bake);
                    if new.undone_by.0.is_empty() {
                        new.undone_by = old.undone_by;
                    }
                    self.release.begins_again(&id);
                }
                // Another action: nothing of the old one's key or counts is its own.
                let known = &mut self.states[index];
                known.key.clear();
                known.doubt = None;
                known.stop = None;
                known.fault = None;
                known.by = None;
                (known.attested, known.confirmed, known.recheck) = (false, false, false);
                (known.failures, known.recoveries) = (0, 0);
                self.deviates(Departure::Replaced(id), reason, record);
                self.rebuild_around(index)?;
            }
            Event::StepAssigned { to, reason, .. } => {
                state.assigned = Some(to.clone());
                self.deviates(Departure::Assigned(id, to.clone()), reason, record);
            }
            _ => {}
        }
        self.set_status(index, status, record.at);
        self.is_known_to_be_undone(index)
    }

    /// What becomes known of a stage after the run has turned round: it is undone if it took
    /// place, and only then.
    fn is_known_to_be_undone(&mut self, index: usize) -> Result<(), Illegal> {
        let id = &self.steps[index].id;
        let took = took_place(&self.states[index]);
        let is_stage = self.is_stage(index);
        let Some(back) = self.release.back.as_mut().filter(|_| is_stage) else {
            return Ok(());
        };
        match (took, back.undoes.iter().position(|undone| undone == id)) {
            (true, None) => back.undoes.push(id.clone()),
            (false, Some(at)) => {
                back.undoes.remove(at);
            }
            _ => return Ok(()),
        }
        let option = self.option.clone();
        self.select_way(option.as_ref(), true)
    }
}

/// Whether anything was changed, or may have been, once this happened too. What one try
/// may have done is not unsaid by a later one that did nothing.
fn took(known: &StepState, event: &Event) -> bool {
    match event {
        Event::StepExecuted { .. }
        | Event::StepSucceeded { .. }
        | Event::StepInDoubt { .. }
        | Event::StepAttested { .. }
        | Event::StepResolved { answer: Answer::Happened, .. } => true,
        Event::StepFailed { effect: FailureEffect::None, .. } => known.took_earlier,
        Event::StepFailed { .. } => true,
        // That it may be run again does not say that it did not happen.
        Event::StepResolved { answer: Answer::DidNotHappen, by, .. }
            if *by != ResolvedBy::Class =>
        {
            known.took_earlier
        }
        // Called off while somebody was at it.
        Event::StepSkipped { .. } if known.status == Status::Running => true,
        _ => known.took,
    }
}

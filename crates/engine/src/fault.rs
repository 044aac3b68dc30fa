//! Places where the process can be told to die or to stop, so that tests can try each.
//!
//! Compiled in only with the feature `fault-points`. `BACKOUT_FAULT=intent-durable`
//! kills the process the first time it comes there; `intent-durable:3` the third
//! time; `intent-durable@restore` only for that step. Dying means `abort`: no
//! destructor runs, nothing is flushed, which is what a crash is. With `BACKOUT_FAULT_BY=stop` the
//! process stops there instead, as by SIGSTOP, and goes on from there when it is continued. With
//! `BACKOUT_FAULT_MARK=FILE` only the process does that makes that file, so that what is started in
//! its place lives.

/// A place in the write order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// It was decided what to do; nothing is written.
    Decided,
    /// The intent is durable; nothing was dispatched.
    IntentDurable,
    /// The request is on disk; no supervisor was started.
    Requested,
    /// The spawner was asked for a supervisor; it has not forked it.
    SpawnerAsked,
    /// The spawner forked a supervisor, which goes its own way.
    Forked,
    /// The supervisor runs; it has not accepted.
    SupervisorStarted,
    /// It accepted; the effect has not begun.
    Accepted,
    /// The effect is over; its result is not written down.
    EffectOver,
    /// The result is written down; the conductor has not seen it.
    ResultDurable,
    /// The conductor has seen the result; the outcome is not in the log.
    Reported,
    /// The outcome is in the log.
    OutcomeDurable,
    /// In the middle of a restore: some files are in place, others not.
    HalfRestored,
    /// A trigger moved; it is not in the log.
    Heard,
    /// That a trigger moved is in the log; nothing follows from it yet.
    HeardDurable,
    /// What follows is known; no decision is in the log.
    Deciding,
    /// The decision is in the log, and with it that the way back begins.
    DecisionDurable,
}

impl Point {
    /// Every point of the decision path, for crash tests.
    pub const OF_DECISIONS: [Self; 4] =
        [Self::Heard, Self::HeardDurable, Self::Deciding, Self::DecisionDurable];

    /// Every point in the course of a step, for crash tests.
    pub const ALL: [Self; 12] = [
        Self::Decided,
        Self::IntentDurable,
        Self::Requested,
        Self::SpawnerAsked,
        Self::Forked,
        Self::SupervisorStarted,
        Self::Accepted,
        Self::EffectOver,
        Self::ResultDurable,
        Self::Reported,
        Self::OutcomeDurable,
        Self::HalfRestored,
    ];

    /// Its name in `BACKOUT_FAULT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Decided => "decided",
            Self::IntentDurable => "intent-durable",
            Self::Requested => "requested",
            Self::SpawnerAsked => "spawner-asked",
            Self::Forked => "forked",
            Self::SupervisorStarted => "supervisor-started",
            Self::Accepted => "accepted",
            Self::EffectOver => "effect-over",
            Self::ResultDurable => "result-durable",
            Self::Reported => "reported",
            Self::OutcomeDurable => "outcome-durable",
            Self::HalfRestored => "half-restored",
            Self::Heard => "heard",
            Self::HeardDurable => "heard-durable",
            Self::Deciding => "deciding",
            Self::DecisionDurable => "decision-durable",
        }
    }
}

/// Dies or stops here if told to.
#[cfg(feature = "fault-points")]
pub fn point(point: Point, step: &str) {
    use std::sync::atomic::{AtomicU32, Ordering};
    static SEEN: AtomicU32 = AtomicU32::new(0);
    let Ok(armed) = std::env::var("BACKOUT_FAULT") else { return };
    let (name, at) = armed.split_once('@').unwrap_or((&armed, ""));
    let (name, count) = name.split_once(':').unwrap_or((name, "1"));
    let here = name == point.name() && (at.is_empty() || at == step);
    if here && SEEN.fetch_add(1, Ordering::SeqCst) + 1 == count.parse().unwrap_or(1) {
        let mark = std::env::var_os("BACKOUT_FAULT_MARK");
        if mark.is_some_and(|mark| std::fs::File::create_new(mark).is_err()) {
            return;
        }
        match std::env::var("BACKOUT_FAULT_BY").as_deref() {
            Ok("stop") => stop(),
            _ => std::process::abort(),
        }
    }
}

/// Stops this process, with all its threads, until it is continued from outside.
#[cfg(feature = "fault-points")]
fn stop() {
    let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::STOP);
}

/// Dies here if told to: never, in a build without the feature `fault-points`.
#[cfg(not(feature = "fault-points"))]
pub fn point(_: Point, _: &str) {}

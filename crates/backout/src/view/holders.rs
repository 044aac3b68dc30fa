//! Who holds the lease of a run, and whether that one shows that it lives, in words.

use std::time::Duration;

use backout_core::ids::RunId;
use backout_core::silence::Silence;
use backout_sqlite::Holder;

use super::words::length;
use crate::failure::Failure;

/// Whether a coordinator is at work or hangs.
pub(crate) fn silence(holder: &Holder) -> Silence {
    Silence::of(holder.silent_for)
}

/// How long it has shown no sign of life, in whole seconds; nothing where that cannot be told.
pub(crate) fn silent_seconds(holder: &Holder) -> Option<u64> {
    holder.silent_for.map(|silent_for| silent_for.as_secs())
}

/// What is said of a coordinator: `silent for 3 min`.
pub(crate) fn said(holder: &Holder) -> String {
    match (silence(holder), holder.silent_for) {
        (Silence::Silent, Some(silent_for)) => format!("silent for {}", minutes(silent_for)),
        (Silence::AtWork, _) => "at work".to_owned(),
        _ => "not known to be at work".to_owned(),
    }
}

/// Lines about a coordinator that is not known to be at work; none about one that is.
pub(crate) fn lines(holder: &Holder, run: &str) -> Vec<String> {
    match silence(holder) {
        Silence::AtWork => Vec::new(),
        Silence::Silent => vec![
            format!(
                "coordinator {}: {} holds the run, and nothing is decided or watched",
                said(holder),
                holder.id
            ),
            format!("`{}` goes on without it.", command(run, false)),
        ],
        Silence::Unknown => vec![
            format!("coordinator: {}; whether it is at work cannot be told", holder.id),
            format!("`{}` goes on without it.", command(run, true)),
        ],
    }
}

/// That another coordinator holds the run.
pub(crate) fn refused(holder: &Holder, run: &RunId) -> Failure {
    let (id, run) = (&holder.id, run.as_str());
    match silence(holder) {
        Silence::AtWork => Failure::refused(format!("{id} is coordinating {run} already"))
            .hint(format!("`backout status {run}` looks on; every answer can be given from here"))
            .hint(format!("if it hangs all the same: `{}`", command(run, true))),
        Silence::Silent => Failure::refused(format!("{id} holds {run}, and is {}", said(holder)))
            .hint(format!("take the run over: `{}`", command(run, false))),
        Silence::Unknown => {
            Failure::refused(format!("{id} holds {run}, and whether it is at work cannot be told"))
                .hint(format!("if it hangs: `{}`", command(run, true)))
        }
    }
}

fn command(run: &str, confirmed: bool) -> String {
    let yes = if confirmed { " --yes" } else { "" };
    format!("backout resume {run} --take-over{yes} --reason \"…\"")
}

fn minutes(silent_for: Duration) -> String {
    match silent_for.as_secs() / 60 {
        minutes @ 0..60 => format!("{minutes} min"),
        _ => length(silent_for),
    }
}

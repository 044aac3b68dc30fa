//! The environment of commands.

use std::collections::BTreeMap;

use backout_core::environment::Environment;
use tokio::process::Command;

/// The variables of this process that are text.
#[must_use]
pub fn variables() -> BTreeMap<String, String> {
    let text = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
        Some((name.into_string().ok()?, value.into_string().ok()?))
    };
    std::env::vars_os().filter_map(text).collect()
}

/// Has a command see the variables that were frozen as they were when its run began.
pub(crate) fn freeze(command: &mut Command, frozen: Option<&Environment>) {
    let Some(frozen) = frozen else { return };
    let changes = frozen.changes(&variables());
    for name in &changes.unset {
        command.env_remove(name);
    }
    command.envs(&changes.set);
}

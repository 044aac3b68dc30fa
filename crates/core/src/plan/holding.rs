//! Options that end with users kept out: taking traffic off buys time, and is not a backout
//! that is over.

use super::{Action, Plan, Step};
use crate::ids::OptionId;

impl Plan {
    /// Whether an option ends with users kept out, and another one goes on from there.
    ///
    /// What the plan says counts. Where it says nothing, a step that takes traffic off, drains,
    /// or turns a maintenance page on, without a later step of the option that undoes it, makes
    /// the option a holding one, as long as another option runs all of its steps and more.
    #[must_use]
    pub fn is_holding(&self, option: &OptionId) -> bool {
        let Some(way) = self.options.get(option) else { return false };
        if let Some(said) = way.holding {
            return said;
        }
        let Some(listed) = &way.steps else { return false };
        let goes_further = self.options.iter().any(|(other, further)| {
            let holds = |step| further.steps.as_ref().is_none_or(|steps| steps.contains(step));
            let more = further.steps.as_ref().is_none_or(|steps| steps.len() > listed.len());
            other != option && more && listed.iter().all(holds)
        });
        let mut out = false;
        for step in self.steps.iter().filter(|step| listed.contains(&step.id)) {
            match access(step) {
                Some(Access::Closed) => out = true,
                Some(Access::Opened) => out = false,
                None => {}
            }
        }
        goes_further && out
    }
}

impl Step {
    /// Whether it lets users in, by the words of its name, title and command.
    #[must_use]
    pub fn lets_users_in(&self) -> bool {
        access(self) == Some(Access::Opened)
    }
}

/// What a step does to the users' access.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Closed,
    Opened,
}

/// What traffic and users are called.
const TRAFFIC: &[&str] = &[
    "traffic",
    "users",
    "user",
    "access",
    "ingress",
    "logins",
    "login",
    "customers",
    "requests",
    "visitors",
    "clients",
];
const CLOSE: &[&str] = &[
    "off", "stop", "stops", "close", "block", "disable", "suspend", "pause", "halt", "cut", "deny",
    "out",
];
const OPEN: &[&str] = &[
    "on", "start", "resume", "open", "reopen", "unblock", "enable", "restore", "allow", "back",
    "admit", "in",
];

/// What a step does to the users' access, by the words of its name, title and command.
fn access(step: &Step) -> Option<Access> {
    let texts = [Some(step.id.as_str().to_owned()), step.title.clone(), command(step)];
    // The name says it best, then the title, then the command.
    texts.into_iter().flatten().find_map(|text| access_of(&text))
}

fn command(step: &Step) -> Option<String> {
    match &step.action {
        Action::Run(run) => Some(run.command_line()),
        Action::Manual(text) => text.lines().next().map(str::to_owned),
        _ => None,
    }
}

fn access_of(text: &str) -> Option<Access> {
    let text = text.to_lowercase();
    let words: Vec<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let has = |listed: &[&str]| words.iter().any(|word| listed.contains(word));
    if has(&["undrain", "uncordon"]) {
        return Some(Access::Opened);
    }
    if has(&["drain", "cordon"]) {
        return Some(Access::Closed);
    }
    let maintenance = has(&["maintenance"]);
    if maintenance && has(&["off", "end", "leave", "exit", "disable", "stop", "remove", "out"]) {
        return Some(Access::Opened);
    }
    if maintenance && has(&["on", "enter", "start", "enable", "into", "page", "mode", "show"]) {
        return Some(Access::Closed);
    }
    if !has(TRAFFIC) {
        return None;
    }
    match (has(CLOSE), has(OPEN)) {
        (true, false) => Some(Access::Closed),
        (false, true) => Some(Access::Opened),
        // `take traffic off and put it back`: what stands last holds.
        (true, true) => {
            let last = |listed: &[&str]| words.iter().rposition(|word| listed.contains(word));
            Some(if last(OPEN) > last(CLOSE) { Access::Opened } else { Access::Closed })
        }
        (false, false) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_about_access() {
        for (text, want) in [
            ("stop-traffic", Some(Access::Closed)),
            ("Take traffic off", Some(Access::Closed)),
            ("resume-traffic", Some(Access::Opened)),
            ("Put traffic back", Some(Access::Opened)),
            ("drain the pool", Some(Access::Closed)),
            ("Maintenance page on", Some(Access::Closed)),
            ("maintenance off", Some(Access::Opened)),
            ("Close the shop to users", Some(Access::Closed)),
            ("Let users in again", Some(Access::Opened)),
            ("flag-off", None),
            ("Turn the feature off", None),
            ("stop-cron", None),
            ("check-health", None),
            ("Restore the database", None),
        ] {
            assert_eq!(access_of(text), want, "{text}");
        }
    }
}

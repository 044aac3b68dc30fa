//! What a part of a document is about, by what its heading says.

use crate::contingency::fails_back;
use crate::sentences::triggers_something;
use crate::words::{has, leads_back, plain, without_number};

/// What comes when the way back is done.
const AFTER: [&str; 10] = [
    "post backout",
    "post rollback",
    "after backout",
    "after rollback",
    "after the backout",
    "after the rollback",
    "post deployment",
    "immediate actions",
    "post change",
    "follow up",
];

/// What a part of a document is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Topic {
    Header,
    Overview,
    Triggers,
    Success,
    Decision,
    Contacts,
    Backups,
    Readiness,
    After,
    Review,
    Communication,
    Tests,
    Risks,
    Cannot,
    FixForward,
    Partial,
    Contingency,
    Verification,
    Forward,
    Procedure,
    Security,
    Impact,
    Annex,
    /// How to need no way back: what is done long before, and never on the way back.
    Prevention,
}

impl Topic {
    /// What a part is read as, for the account.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Header => "the header of the plan",
            Self::Overview => "what the change is",
            Self::Triggers => "triggers",
            Self::Success => "success criteria",
            Self::Decision => "who decides",
            Self::Contacts => "contacts",
            Self::Backups => "backups",
            Self::Readiness => "readiness checks",
            Self::After => "follow-up",
            Self::Review => "review",
            Self::Communication => "messages",
            Self::Tests => "tests of the way back",
            Self::Risks => "risks",
            Self::Cannot => "what cannot be backed out",
            Self::FixForward => "fix forward",
            Self::Partial => "partial backout",
            Self::Contingency => "what happens if the backout fails",
            Self::Verification => "verification",
            Self::Forward => "steps that lead forward",
            Self::Procedure => "the way back",
            Self::Security => "security",
            Self::Impact => "impact",
            Self::Annex => "the plan file",
            Self::Prevention => "prevention",
        }
    }
}

/// Whether a heading, in plain form, speaks of how to need no way back.
pub(crate) fn prevents(said: &str) -> bool {
    has(said, &["prevention", "preventive", "preventing", "avoiding", "best practice"])
        || has(said, &["minimi", "reduce", "avoid", "prevent"])
            && has(said, &["rollback", "backout", "need", "future", "recurrence"])
}

/// What a heading says its part is about, if it says so.
pub(crate) fn topic(heading: &str) -> Option<Topic> {
    let said = plain(without_number(heading));
    let back = leads_back(&said);
    let any = |words: &[&str]| has(&said, words);
    // From the most telling to the least.
    Some(match () {
        () if any(&["plan file"]) => Topic::Annex,
        // `Trigger Argo CD to sync` is something to do.
        () if triggers_something(without_number(heading)) => return None,
        () if prevents(&said) => Topic::Prevention,
        () if fails_back(heading) || any(&["disaster recovery"]) => Topic::Contingency,
        () if any(&[
            "cannot be rollback",
            "cannot backout",
            "cannot rollback",
            "cannot be backout",
            "irreversible",
            "not reversible",
            "no rollback possible",
            "no backout possible",
            "rollback not possible",
            "rollback is not possible",
            "backout not possible",
            "backout is not possible",
            "when backout does not help",
        ]) =>
        {
            Topic::Cannot
        }
        () if any(&["partial"]) && back => Topic::Partial,
        () if any(&["fixforward", "rollforward"]) => Topic::FixForward,
        () if any(&AFTER) && any(&["review", "lesson", "postmortem", "retrospective"]) => {
            Topic::Review
        }
        () if any(&[
            "post implementation review",
            "review questions",
            "lesson",
            "postmortem",
            "retrospective",
        ]) =>
        {
            Topic::Review
        }
        () if any(&AFTER) && !any(&["verif", "valid"]) => Topic::After,
        () if any(&[
            "success criteria",
            "acceptance criteria",
            "criteria for success",
            "success when",
            "definition of success",
            "expected outcome",
        ]) =>
        {
            Topic::Success
        }
        () if any(&[
            "trigger",
            "when to rollback",
            "when to backout",
            "when to revert",
            "inform a rollback",
            "inform rollback",
            "prompt a rollback",
            "abort criteria",
            "criteria",
            "conditions",
            "threshold",
            "decision points",
            "key metrics",
            "metrics to observe",
        ]) =>
        {
            Topic::Triggers
        }
        () if any(&["decision", "authority", "who decides", "approval", "escalation"]) => {
            Topic::Decision
        }
        () if matches!(said.as_str(), "owners" | "owner" | "who is who" | "team") => {
            Topic::Contacts
        }
        () if any(&[
            "contact",
            "on call",
            "roles",
            "responsibilit",
            "key personnel",
            "team members",
            "people",
        ]) =>
        {
            Topic::Contacts
        }
        () if any(&["communicat", "notification", "who is told", "messages"]) => {
            Topic::Communication
        }
        () if any(&["risk", "considerations"]) => Topic::Risks,
        () if any(&["security"]) => Topic::Security,
        () if any(&["test result", "testing", "rehears", "test plan", "tested", "dry run"]) => {
            Topic::Tests
        }
        () if any(&["backup", "snapshots", "what is kept"]) && !any(&["restore", "steps"]) => {
            Topic::Backups
        }
        () if any(&["verif", "validat", "smoke test", "health check"]) => Topic::Verification,
        () if back
            && any(&["checklist"])
            && !any(&["readiness", "pre ", "before", "prerequisite", "preparation", "go live"]) =>
        {
            Topic::Procedure
        }
        () if any(&[
            "readiness",
            "checklist",
            "before deployment",
            "before the deployment",
            "before go live",
            "pre deployment",
            "pre backout",
            "prerequisite",
            "pre check",
            "precheck",
            "pre change",
            "pre flight",
            "preparation",
            "planning phase",
            "during deployment",
            "during the deployment",
            "before you begin",
            "before you start",
        ]) =>
        {
            Topic::Readiness
        }
        () if any(&["contingenc"]) && !any(&["contingency plan"]) => Topic::Contingency,
        () if any(&[
            "plan header",
            "document control",
            "change detail",
            "change information",
            "general information",
            "document information",
            "plan details",
            "change record",
            "plan summary",
            "change summary",
            "at a glance",
            "release information",
            "the change",
        ]) =>
        {
            Topic::Header
        }
        () if any(&["detailed steps", "step by step"]) => Topic::Procedure,
        () if back
            && any(&[
                "procedure",
                "steps",
                "plan",
                "process",
                "instruction",
                "how to",
                "how do",
                "option",
                "strategy",
                "runbook",
                "guide",
            ]) =>
        {
            Topic::Procedure
        }
        () if any(&[
            "implementation",
            "deployment steps",
            "deployment plan",
            "deployment procedure",
            "deploy steps",
            "upgrade steps",
            "upgrade procedure",
            "upgrade plan",
            "change steps",
            "installation",
            "migration steps",
            "migration plan",
            "migration procedure",
            "rollout",
            "release steps",
            "steps for the change",
            "execution steps",
            "upgrading",
        ]) && !back =>
        {
            Topic::Forward
        }
        () if back => Topic::Procedure,
        () if any(&["impact"]) => Topic::Impact,
        () if any(&[
            "overview",
            "scope",
            "background",
            "description",
            "introduction",
            "purpose",
            "summary",
            "what is changing",
        ]) =>
        {
            Topic::Overview
        }
        () => return None,
    })
}

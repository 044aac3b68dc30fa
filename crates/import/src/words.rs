//! Words: what a heading is about, what a column holds. Everything is compared in
//! one form: lower case, single blanks, and one spelling of "roll back".

/// A text in the one form in which texts are compared.
#[must_use]
pub(crate) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for word in
        text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '%' | '#' | '?' | '/' | '&'))
    {
        if word.is_empty() {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.extend(word.chars().flat_map(char::to_lowercase));
    }
    for (from, to) in [
        ("rolling back", "rollback"),
        ("rolled back", "rollback"),
        ("roll back", "rollback"),
        ("rollbacks", "rollback"),
        ("backing out", "backout"),
        ("backed out", "backout"),
        ("back out", "backout"),
        ("backouts", "backout"),
        ("fall back", "fallback"),
        ("roll forward", "rollforward"),
        ("fix forward", "fixforward"),
        ("forward fix", "fixforward"),
        ("post mortem", "postmortem"),
        ("pre requisite", "prerequisite"),
    ] {
        if out.contains(from) {
            out = out.replace(from, to);
        }
    }
    out
}

/// Whether one of the words stands in the text as a word or the start of one.
pub(crate) fn has(text: &str, words: &[&str]) -> bool {
    words.iter().any(|word| {
        text.match_indices(word).any(|(at, _)| at == 0 || text.as_bytes()[at - 1] == b' ')
    })
}

/// A heading without its number: `5.2 Back-Out Procedure`, `Step 3: Restore`.
pub(crate) fn without_number(text: &str) -> &str {
    let trimmed = text.trim();
    let digits = trimmed.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(0);
    let rest = trimmed[digits..].trim_start_matches([')', ':', '-', ' ', '\u{2013}', '\u{2014}']);
    if digits > 0 && !rest.is_empty() { rest } else { trimmed }
}

/// Whether a text in plain form speaks of going back.
pub(crate) fn goes_back(text: &str) -> bool {
    has(
        text,
        &[
            "backout",
            "rollback",
            "revert",
            "reversal",
            "reverting",
            "fallback",
            "abort",
            "downgrade",
            "undo",
            "last resort",
            "back to the previous",
            "return to previous",
            "contingency plan",
        ],
    )
}

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
}

/// What a heading says its part is about, if it says so.
pub(crate) fn topic(heading: &str) -> Option<Topic> {
    let said = plain(without_number(heading));
    let back = goes_back(&said);
    let any = |words: &[&str]| has(&said, words);
    // From the most telling to the least.
    Some(match () {
        () if any(&["plan file"]) => Topic::Annex,
        () if any(&[
            "if backout fails",
            "if the backout fails",
            "if rollback fails",
            "if the rollback fails",
            "disaster recovery",
        ]) =>
        {
            Topic::Contingency
        }
        () if any(&[
            "cannot be rollback",
            "cannot backout",
            "cannot rollback",
            "cannot be backout",
            "irreversible",
            "not reversible",
            "no rollback possible",
            "when backout does not help",
        ]) =>
        {
            Topic::Cannot
        }
        () if any(&["partial"]) && back => Topic::Partial,
        () if any(&["fixforward", "rollforward"]) => Topic::FixForward,
        () if any(&[
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
        ]) && any(&["review", "lesson", "postmortem", "retrospective"]) =>
        {
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
        () if any(&[
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
        ]) && !any(&["verif", "valid"]) =>
        {
            Topic::After
        }
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

/// What a column of a table holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Column {
    Number,
    Action,
    Owner,
    Duration,
    Verify,
    Command,
    After,
    Status,
    Severity,
    Criteria,
    Limit,
    Lasting,
    Decider,
    Deadline,
    Tell,
    Role,
    Name,
    Phone,
    Mail,
    Chat,
    Availability,
    Deputy,
    Component,
    Location,
    Tested,
    Requirement,
    Audience,
    Message,
    Channel,
    When,
    Risk,
    Mitigation,
    Scenario,
    Instead,
    Question,
    Answer,
    Test,
    Environment,
    Expected,
    Actual,
    Key,
    Value,
    Forward,
    Back,
    Document,
    Reason,
}

/// What the name of a column says it holds.
pub(crate) fn column(name: &str) -> Option<Column> {
    use Column as C;
    let said = plain(name);
    let is = |words: &[&str]| words.contains(&said.as_str());
    let any = |words: &[&str]| has(&said, words);
    Some(match () {
        () if is(&[
            "#",
            "no",
            "nr",
            "step",
            "step #",
            "step no",
            "step number",
            "seq",
            "sequence",
            "order",
            "id",
            "task #",
            "task no",
            "step id",
            "item #",
        ]) =>
        {
            C::Number
        }
        () if is(&[
            "expected duration",
            "planned duration",
            "expected time",
            "planned",
            "planned time",
            "estimate",
        ]) =>
        {
            C::Expected
        }
        () if is(&["actual duration", "actual", "actual time", "took", "measured"]) => C::Actual,
        () if any(&["favour fixforward", "favor fixforward", "fixforward"]) => C::Forward,
        () if any(&["favour backout", "favor backout", "favour rollback", "favor rollback"]) => {
            C::Back
        }
        () if any(&[
            "verif",
            "validat",
            "expected result",
            "expected outcome",
            "how to check",
            "success criteria",
            "success check",
            "check that",
        ]) && !is(&["verified", "validated"]) =>
        {
            C::Verify
        }
        () if is(&["verified", "validated", "restore tested", "tested", "last tested"]) => {
            C::Tested
        }
        () if is(&["for", "lasting", "for how long", "over", "sustained", "sustained for"]) => {
            C::Lasting
        }
        () if any(&[
            "deputy",
            "deputies",
            "stand in",
            "backup contact",
            "alternate",
            "secondary",
        ]) =>
        {
            C::Deputy
        }
        () if any(&[
            "decision maker",
            "decided by",
            "approver",
            "authority",
            "authorised by",
            "authorized by",
            "who decides",
            "decision owner",
        ]) =>
        {
            C::Decider
        }
        () if any(&["deadline", "decide within", "response time", "time limit"]) => C::Deadline,
        () if any(&["notification", "notify", "inform", "who is told", "tell", "escalate to"]) => {
            C::Tell
        }
        () if is(&[
            "duration", "time", "est", "mins", "minutes", "min", "effort", "takes", "eta", "length",
        ]) || any(&[
            "estimated",
            "est time",
            "est duration",
            "duration",
            "time required",
            "time to complete",
            "time needed",
        ]) =>
        {
            C::Duration
        }
        () if any(&[
            "owner",
            "responsible",
            "assignee",
            "assigned",
            "performed by",
            "executor",
            "executed by",
            "resource",
            "who",
            "accountable",
            "team",
            "sent by",
            "sender",
        ]) =>
        {
            C::Owner
        }
        () if any(&["severity", "priority", "impact level"]) || is(&["level"]) => C::Severity,
        () if any(&["threshold", "limit", "trigger value"]) => C::Limit,
        () if any(&["criteri", "trigger", "condition", "metric", "indicator", "symptom"]) => {
            C::Criteria
        }
        () if any(&["command", "script", "sql"]) => C::Command,
        () if any(&["depends", "predecessor", "dependency", "dependencies"]) || is(&["after"]) => {
            C::After
        }
        () if any(&["phone", "telephone", "mobile", "contact number", "number"])
            || is(&["contact", "contact details", "tel"]) =>
        {
            C::Phone
        }
        () if any(&["mail"]) => C::Mail,
        () if any(&["chat", "slack", "teams"]) => C::Chat,
        () if any(&["availab", "hours", "shift"]) => C::Availability,
        () if any(&["location", "path", "stored", "where"]) => C::Location,
        () if any(&["audience", "recipient", "stakeholder", "to whom", "who hears"]) => C::Audience,
        () if any(&["message", "what is said"]) => C::Message,
        () if any(&["channel", "medium"]) || is(&["method"]) => C::Channel,
        () if any(&["timeframe", "time frame", "when", "timing", "within", "due", "frequency"]) => {
            C::When
        }
        () if any(&["mitigat", "response to risk", "countermeasure", "action to mitigate"]) => {
            C::Mitigation
        }
        () if is(&["risk", "risks", "risk description", "what may go wrong"]) => C::Risk,
        () if any(&["scenario", "situation", "case"]) => C::Scenario,
        () if any(&["alternative", "instead", "approach", "workaround"]) => C::Instead,
        () if any(&["question"]) => C::Question,
        () if is(&["answer", "response"]) => C::Answer,
        () if any(&[
            "requirement",
            "check",
            "checklist item",
            "prerequisite",
            "readiness",
            "item",
        ]) =>
        {
            C::Requirement
        }
        () if is(&["test", "test case", "rehearsal"]) => C::Test,
        () if any(&["environment"]) => C::Environment,
        () if any(&["component", "system", "asset", "application", "service", "database"]) => {
            C::Component
        }
        () if is(&[
            "field",
            "element",
            "attribute",
            "key",
            "property",
            "detail",
            "parameter",
            "fact",
        ]) =>
        {
            C::Key
        }
        () if is(&["content", "details", "value", "description of field", "information"]) => {
            C::Value
        }
        () if any(&[
            "action",
            "task",
            "activity",
            "step description",
            "procedure",
            "instruction",
            "description",
            "what to do",
            "what is done",
            "step name",
            "title",
            "what",
        ]) =>
        {
            C::Action
        }
        () if any(&["role", "position", "function"]) => C::Role,
        () if any(&["name", "person"]) => C::Name,
        () if any(&["status", "done", "complete", "tick", "result", "state", "y/n"])
            || said.is_empty() =>
        {
            C::Status
        }
        () if any(&["document", "deliverable", "artefact", "artifact"]) => C::Document,
        () if any(&["reason", "comment", "remark", "note", "purpose", "issues"]) => C::Reason,
        () => return None,
    })
}

/// A short name for something: `Restore database` becomes `restore-database`.
pub(crate) fn slug(text: &str) -> String {
    let mut out = String::new();
    for word in text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()) {
        if !out.is_empty() && out.len() + word.len() > 39 {
            break;
        }
        if !out.is_empty() {
            out.push('-');
        }
        out.push_str(&word.to_lowercase());
    }
    out.truncate(64);
    out
}

/// A name that nothing else has: with a number where it is taken.
pub(crate) fn unique(wanted: &str, kind: &str, taken: impl Fn(&str) -> bool) -> String {
    let base = if wanted.is_empty() { kind.to_owned() } else { wanted.to_owned() };
    if !taken(&base) {
        return base;
    }
    let mut number = 2_usize;
    loop {
        let mut name = base.clone();
        name.truncate(58);
        let name = format!("{name}-{number}");
        if !taken(&name) {
            return name;
        }
        number += 1;
    }
}

//! What a column of a table holds, by what it is called.

use crate::words::{has, plain};

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
        () if any(&["mail", "email"]) => C::Mail,
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
            "rollback step",
            "backout step",
            "fallback step",
            "revert step",
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

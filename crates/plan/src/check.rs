//! Runs the rules over a plan.

use std::collections::BTreeSet;

use crate::diagnostic::{Diagnostic, Level};
use crate::document::Path;
use crate::read::ReadPlan;
use crate::rules::{self, Facts, Found};

/// The rule about accepted findings that are none. It is found here because it
/// is about the outcome of all the others.
const STALE: &str = "BOP-128";

/// The errors that leave no way back to rely on, or put a secret into every log: a deployment
/// does not begin with them.
pub const CLOSES_WAY_BACK: [&str; 4] = ["BOP-001", "BOP-118", "BOP-129", "BOP-146"];

/// What a check found.
#[derive(Debug, Default)]
pub struct Checked {
    /// Findings that stand, in the order of the file.
    pub findings: Vec<Diagnostic>,
    /// How many findings the plan itself accepts, with a reason.
    pub accepted: usize,
    /// How many findings the caller allowed.
    pub allowed: usize,
}

impl Checked {
    /// How many findings of a level there are.
    #[must_use]
    pub fn count(&self, level: Level) -> usize {
        self.findings.iter().filter(|finding| finding.level == level).count()
    }
}

/// Checks a plan. Findings of the rules in `allow` are left out.
#[must_use]
pub fn check(read: &ReadPlan, allow: &BTreeSet<String>) -> Checked {
    let facts = Facts::new(&read.plan);
    let mut checked = Checked::default();
    let mut used = BTreeSet::new();
    for rule in rules::ALL.iter() {
        let mut found = Found::default();
        (rule.look)(&facts, &mut found);
        for (path, subject, message, hint) in found.findings {
            let finding = Diagnostic {
                code: rule.id,
                level: rule.level,
                message,
                hint: Some(hint.unwrap_or_else(|| rule.fix.to_owned())),
                span: Some(read.document.span(&path)),
                asides: Vec::new(),
                subject,
            };
            checked.file(read, finding, allow, &mut used);
        }
    }
    checked.stale(read, allow, &used);
    checked.findings.sort_by_key(|finding| {
        (finding.span.as_ref().map(|span| span.start), finding.level, finding.code)
    });
    checked
}

impl Checked {
    fn file(
        &mut self,
        read: &ReadPlan,
        finding: Diagnostic,
        allow: &BTreeSet<String>,
        used: &mut BTreeSet<usize>,
    ) {
        let matching: Vec<usize> = read
            .plan
            .accepted
            .iter()
            .enumerate()
            .filter(|(_, accepted)| {
                accepted.rule.eq_ignore_ascii_case(finding.code)
                    && (accepted.at.is_none() || accepted.at == finding.subject)
            })
            .map(|(index, _)| index)
            .collect();
        if !matching.is_empty() {
            used.extend(matching);
            self.accepted += 1;
        } else if allow.contains(finding.code) {
            self.allowed += 1;
        } else {
            self.findings.push(finding);
        }
    }

    fn stale(&mut self, read: &ReadPlan, allow: &BTreeSet<String>, used: &BTreeSet<usize>) {
        let Some(rule) = rules::find(STALE) else { return };
        for (index, accepted) in read.plan.accepted.iter().enumerate() {
            if used.contains(&index) || accepted.rule.eq_ignore_ascii_case(STALE) {
                continue;
            }
            let path = Path::root().key("accepted").index(index).key("rule");
            let at = accepted.at.as_ref().map_or(String::new(), |at| format!(" at `{at}`"));
            let finding = Diagnostic {
                code: rule.id,
                level: rule.level,
                message: format!("{} is accepted{at}, but there is no such finding", accepted.rule),
                hint: Some(rule.fix.to_owned()),
                span: Some(read.document.span(&path)),
                asides: Vec::new(),
                subject: accepted.at.clone(),
            };
            self.file(read, finding, allow, &mut BTreeSet::new());
        }
    }
}

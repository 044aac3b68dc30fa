//! No word of a document is lost: each stands in the plan or in the account of the import.

use std::collections::BTreeSet;

use proptest::prelude::{
    Just, ProptestConfig, Strategy, any, prop, prop_assert, prop_oneof, proptest,
};

use crate::care::imported;

/// A part of a document.
#[derive(Debug, Clone)]
enum Part {
    Heading(usize, String),
    Paragraph(String),
    List(bool, Vec<(String, Vec<String>)>),
    Table(Vec<String>, Vec<Vec<String>>),
    Code(String),
}

/// What headings are called, and what a reading makes of them.
const HEADINGS: [&str; 44] = [
    "Rollback",
    "Rollback plan",
    "Backout procedure",
    "Rollback steps",
    "Rollback runbook",
    "Roll back",
    "Option A: restore",
    "Rollback option 2: redeploy",
    "When to roll back",
    "Rollback triggers",
    "When not to roll back",
    "Do not roll back if",
    "Hold off if",
    "Contacts",
    "Communication",
    "Readiness",
    "Verification",
    "Details of step 1",
    "Step 2: Restore database",
    "Stop the portal",
    "Restart everything (10 min)",
    "Database 15 min:",
    "Phase 1: Preparation",
    "II. Open again",
    "3. Start the portal",
    "Deployment",
    "Overview",
    "Impact",
    "Risks",
    "Review",
    "After the rollback",
    "Prevention",
    "If the rollback does not work",
    "What cannot be rolled back",
    "Only if the migration has run",
    "Notes",
    "Glossary",
    "Background",
    "Success criteria",
    "Decision",
    "Backups",
    "Test results",
    "Security",
    "Partial rollback",
];

const SENTENCES: [&str; 26] = [
    "Stop the portal",
    "Restore the database",
    "The database is restored from the snapshot of last night",
    "Roll back if the error rate > 5 %",
    "Do not roll back for slow pages.",
    "Keep going if pages are slow",
    "Hold off on rolling back when:",
    "Roll back when:",
    "Follow these steps to roll back:",
    "Carry out the following steps:",
    "If the rollback does not work:",
    "Rollback is not possible",
    "Trigger: error rate above 2 %",
    "Steps: disable flag, redeploy version",
    "Verify: login works",
    "Owner: DBA",
    "The release manager decides",
    "This plan describes the backout plan",
    "Use this option when the database is damaged",
    "Warning: this cannot be undone",
    "DBA: restore the dump",
    "Version 1.3",
    "N/A",
    "Estimated duration: 30 min for all",
    "Ask: who knows?",
    "Customers: the portal is down",
];

const COLUMNS: [&str; 22] = [
    "Step",
    "#",
    "Action",
    "Owner",
    "Duration",
    "Verification",
    "Command",
    "Depends on",
    "Severity",
    "Criteria",
    "Threshold",
    "Decision maker",
    "Role",
    "Name",
    "Phone",
    "Requirement",
    "Status",
    "Risk",
    "Mitigation",
    "Field",
    "Value",
    "Component",
];

fn text(pool: &'static [&'static str]) -> impl Strategy<Value = String> {
    // A word of its own tells each text from every other one.
    (prop::sample::select(pool), 0_u32..100_000, any::<bool>()).prop_map(|(text, number, own)| {
        let word: String =
            number.to_string().bytes().map(|digit| char::from(b'k' + digit - b'0')).collect();
        match (own, text.strip_suffix(':')) {
            (false, _) => text.to_owned(),
            (true, Some(open)) => format!("{open} zz{word}:"),
            (true, None) => format!("{} zz{word}", text.trim_end_matches('.')),
        }
    })
}

fn part() -> impl Strategy<Value = Part> {
    let item = (text(&SENTENCES), prop::collection::vec(text(&SENTENCES), 0..2));
    let cell = prop_oneof![text(&SENTENCES), Just(String::new()), Just("DBA".to_owned())];
    prop_oneof![
        4 => (1_usize..4, text(&HEADINGS)).prop_map(|(level, text)| Part::Heading(level, text)),
        3 => prop::collection::vec(text(&SENTENCES), 1..3).prop_map(|all| Part::Paragraph(all.join("\n"))),
        3 => (any::<bool>(), prop::collection::vec(item, 1..4))
            .prop_map(|(ordered, items)| Part::List(ordered, items)),
        2 => prop::collection::vec(prop::sample::select(&COLUMNS[..]), 1..5).prop_flat_map(move |names| {
            let width = names.len();
            let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            prop::collection::vec(prop::collection::vec(cell.clone(), width), 1..4)
                .prop_map(move |rows| Part::Table(names.clone(), rows))
        }),
        1 => text(&["systemctl stop portal", "@startuml", "graph TD"]).prop_map(Part::Code),
    ]
}

fn markdown(parts: &[Part]) -> String {
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Heading(level, text) => out.push_str(&format!("{} {text}", "#".repeat(*level))),
            Part::Paragraph(text) => out.push_str(&text.replace('\n', "  \n")),
            Part::List(ordered, items) => {
                for (at, (text, below)) in items.iter().enumerate() {
                    let mark = if *ordered { format!("{}. ", at + 1) } else { "- ".to_owned() };
                    out.push_str(&format!("{mark}{text}\n"));
                    below.iter().for_each(|text| out.push_str(&format!("    - {text}\n")));
                }
            }
            Part::Table(names, rows) => {
                out.push_str(&format!(
                    "| {} |\n|{}\n",
                    names.join(" | "),
                    "---|".repeat(names.len())
                ));
                for row in rows {
                    out.push_str(&format!("| {} |\n", row.join(" | ")));
                }
            }
            Part::Code(text) => out.push_str(&format!("```\n{text}\n```")),
        }
        out.push_str("\n\n");
    }
    out
}

fn html(parts: &[Part]) -> String {
    let safe = |text: &str| text.replace('>', "&gt;");
    let mut out = String::new();
    for part in parts {
        match part {
            Part::Heading(level, text) => {
                out.push_str(&format!("<h{level}>{}</h{level}>", safe(text)));
            }
            Part::Paragraph(text) => {
                out.push_str(&format!("<p>{}</p>", safe(text).replace('\n', "<br>")));
            }
            Part::List(ordered, items) => {
                let tag = if *ordered { "ol" } else { "ul" };
                out.push_str(&format!("<{tag}>"));
                for (text, below) in items {
                    out.push_str(&format!("<li>{}", safe(text)));
                    if !below.is_empty() {
                        let below: Vec<String> =
                            below.iter().map(|text| format!("<li>{}</li>", safe(text))).collect();
                        out.push_str(&format!("<ul>{}</ul>", below.concat()));
                    }
                    out.push_str("</li>");
                }
                out.push_str(&format!("</{tag}>"));
            }
            Part::Table(names, rows) => {
                let row = |tag: &str, cells: &[String]| {
                    let cells: Vec<String> =
                        cells.iter().map(|cell| format!("<{tag}>{}</{tag}>", safe(cell))).collect();
                    format!("<tr>{}</tr>", cells.concat())
                };
                let rows: Vec<String> = rows.iter().map(|cells| row("td", cells)).collect();
                out.push_str(&format!("<table>{}{}</table>", row("th", names), rows.concat()));
            }
            Part::Code(text) => out.push_str(&format!("<pre>{}</pre>", safe(text))),
        }
    }
    out
}

fn words(text: &str) -> BTreeSet<String> {
    // Figures and their units are kept as values (`30 min` as 30m), labels and the words
    // for going back as the field they name (`Roll back if …` as a trigger).
    const VALUES: [&str; 12] = [
        "min",
        "for",
        "roll",
        "back",
        "the",
        "trigger",
        "steps",
        "verify",
        "owner",
        "above",
        "estimated",
        "duration",
    ];
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| word.len() > 2 && !VALUES.contains(word))
        .filter(|word| !word.starts_with(|c: char| c.is_ascii_digit()))
        .map(str::to_owned)
        .collect()
}

/// The words of a document that stand neither in its plan nor in its account.
fn lost(name: &str, page: &str, parts: &[Part]) -> Vec<String> {
    let found = imported(name, page.as_bytes());
    let account = serde_json::to_string(&found.report).expect("json").replace("\\n", " ");
    let kept = words(&format!("{}\n{account}", found.text));
    let said: Vec<String> = parts
        .iter()
        .flat_map(|part| match part {
            Part::Heading(_, text) | Part::Paragraph(text) | Part::Code(text) => vec![text.clone()],
            Part::List(_, items) => items
                .iter()
                .flat_map(|(text, below)| [&[text.clone()][..], below].concat())
                .collect(),
            Part::Table(names, rows) => [names.clone(), rows.concat()].concat(),
        })
        .collect();
    words(&said.join("\n")).into_iter().filter(|word| !kept.contains(word)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]

    #[test]
    fn each_word_of_a_document_is_in_the_plan_or_in_the_account(
        parts in prop::collection::vec(part(), 1..9)
    ) {
        for (name, page) in [("x.md", markdown(&parts)), ("x.html", html(&parts))] {
            let lost = lost(name, &page, &parts);
            prop_assert!(lost.is_empty(), "{name} loses {lost:?}:\n{page}");
        }
    }
}

//! Nothing is invented: every field of an imported plan has a place in the
//! document, or a guess with its reason; and every text of it stands there.

use backout_documents::tree::text_of_blocks;
use backout_import::import;
use serde_json::Value;

use crate::{ALL, document};

/// The paths of all leaves, written as the report writes them.
fn leaves(value: &Value, path: &str, found: &mut Vec<(String, Value)>) {
    const NAMED: [&str; 7] =
        ["roles", "components", "triggers", "readiness", "messages", "options", "sources"];
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                let inner = match path {
                    "" => key.clone(),
                    path if NAMED.contains(&path) => format!("{path}[{key}]"),
                    path => format!("{path}.{key}"),
                };
                leaves(value, &inner, found);
            }
        }
        Value::Array(items) => {
            for (index, value) in items.iter().enumerate() {
                let name = value.get("id").and_then(Value::as_str);
                let inner = match name.filter(|_| path == "steps") {
                    Some(id) => format!("steps[{id}]"),
                    None => format!("{path}[{index}]"),
                };
                leaves(value, &inner, found);
            }
        }
        leaf => found.push((path.to_owned(), leaf.clone())),
    }
}

#[test]
fn every_field_has_its_place() {
    for (name, record) in ALL {
        let (format, document) = document(name, record);
        let imported = import(&document, format, name);
        let mut plan = serde_json::to_value(&imported.plan).expect("data");
        if let Some(sections) = plan.as_object_mut() {
            sections.remove("backout");
            sections.remove("notes");
        }
        let mut found = Vec::new();
        leaves(&plan, "", &mut found);
        let sources: Vec<String> = imported
            .report
            .found
            .iter()
            .chain(&imported.report.guessed)
            .map(|source| source.field.replace("verify[0]", "verify"))
            .collect();
        for (path, value) in found {
            // A name is made for a thing that has none; the thing has a place.
            let path = path.replace("verify[0]", "verify");
            let covered = sources.iter().any(|source| {
                let source = source.as_str();
                path.starts_with(source)
                    && path[source.len()..].chars().next().is_none_or(|c| ".[".contains(c))
                    || source.starts_with(path.trim_end_matches(".id"))
            });
            assert!(covered, "{name}: nothing says where `{path}` ({value}) comes from");
        }
        for guess in &imported.report.guessed {
            assert!(guess.why.as_ref().is_some_and(|why| !why.is_empty()), "{name}: {guess:?}");
        }
    }
}

/// The words of a text, for comparing across formats.
fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}

#[test]
fn every_word_of_the_plan_stands_in_the_document_and_every_word_of_the_document_is_kept() {
    for (name, record) in ALL {
        let (format, document) = document(name, record);
        let imported = import(&document, format, name);
        let mut said: Vec<String> = words(&text_of_blocks(&document.blocks));
        said.extend(document.facts.iter().flat_map(|fact| words(&fact.value)));
        said.extend(words(document.title.as_deref().unwrap_or_default()));
        said.extend(words(name));
        let plan = &imported.plan;
        let mut texts: Vec<String> = vec![plan.change.title.clone()];
        texts.extend(plan.change.description.clone());
        texts.extend(plan.change.impact.clone());
        texts.extend(plan.change.success_when.iter().cloned());
        texts.extend(plan.triggers.values().map(|trigger| trigger.label()));
        texts.extend(plan.readiness.values().map(|ready| ready.attest.clone()));
        texts.extend(
            plan.messages
                .values()
                .flat_map(|message| [message.audience.clone(), message.text.clone()]),
        );
        texts.extend(plan.follow_up.iter().map(|later| later.what.clone()));
        texts.extend(plan.risks.iter().map(|risk| risk.risk.clone()));
        for step in &plan.steps {
            texts.push(step.label().to_owned());
            texts.extend(backout_documents::saying::action(step));
            texts.extend(step.confirmations().map(str::to_owned));
        }
        for text in &texts {
            for word in words(text) {
                assert!(
                    said.contains(&word),
                    "{name}: nobody said `{word}`, which the plan has in {text:?}"
                );
            }
        }
        // The other way round: no paragraph, item or cell is gone without a trace.
        let mut all = Vec::new();
        leaves(&serde_json::to_value(plan).expect("data"), "", &mut all);
        let mut kept: Vec<String> = Vec::new();
        for (path, value) in &all {
            kept.extend(words(path));
            kept.extend(words(value.as_str().unwrap_or_default()));
        }
        for block in &document.blocks {
            if matches!(block.kind, backout_documents::Kind::Heading(..)) {
                continue;
            }
            let all = words(&block.text());
            // Words that a limit, a trigger or a label says in its form.
            const SAID: [&str; 14] = [
                "roll", "back", "when", "more", "than", "minutes", "what", "should", "prompt",
                "rollback", "above", "below", "least", "seconds",
            ];
            let lost: Vec<&String> = all
                .iter()
                .filter(|word| {
                    word.len() > 3 && !SAID.contains(&word.as_str()) && !kept.contains(word)
                })
                .collect();
            assert!(
                lost.len() * 4 <= all.len().max(4),
                "{name}: {} is lost: {lost:?} of {:?}",
                block.place,
                block.text()
            );
        }
    }
}

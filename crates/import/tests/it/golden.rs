//! Documents in the styles real teams use, each with the plan and the report it
//! becomes.

use backout_import::import;
use backout_plan::emit::emit;
use backout_plan::{check, read_bytes};

use crate::{ALL, document};

/// What a document becomes: the plan, the report, and how many findings of which rule.
fn become_of(name: &str, record: Option<&str>) -> String {
    let (format, document) = document(name, record);
    let imported = import(&document, format, name);
    let text = emit(&imported.plan, None).expect("a plan can be written");
    let read = match read_bytes(text.as_bytes()) {
        Ok(read) => read,
        Err((_, problems)) => panic!("{text}\n{}", problems[0].render("plan", &text, false)),
    };
    assert_eq!(read.plan, imported.plan, "what is written is what was imported");
    let mut rules: Vec<&str> = check::check(&read, &Default::default())
        .findings
        .iter()
        .map(|finding| finding.code)
        .collect();
    rules.dedup();
    format!(
        "{text}\n---\n\n{}\n## Rules that fire\n\n{}\n",
        imported.report.markdown(name),
        rules.join(" ")
    )
}

#[test]
fn every_document_becomes_its_plan() {
    for (name, record) in ALL {
        let snapshot =
            format!("{name}{}", record.map(|record| format!("-{record}")).unwrap_or_default());
        insta::assert_snapshot!(snapshot, become_of(name, record));
    }
}

#[test]
fn a_document_without_a_way_back_says_so_and_fails_the_first_rule() {
    for (name, record) in [("no-backout.md", None), ("servicenow-list.json", Some("CHG0030300"))] {
        let (format, document) = document(name, record);
        let imported = import(&document, format, name);
        assert!(imported.plan.steps.is_empty());
        assert!(imported.report.missing[0].starts_with("how to go back"), "{name}");
        let text = emit(&imported.plan, None).expect("written");
        let read = read_bytes(text.as_bytes()).expect("read");
        let findings = check::check(&read, &Default::default()).findings;
        assert!(findings.iter().any(|finding| finding.code == "BOP-001"), "{name}");
    }
}

/// The template that many teams start from. It is not ours to keep here, so the
/// test says loudly when it is not there.
#[test]
fn the_template_of_the_field_comes_whole_and_its_defects_are_found() {
    let folder = crate::folder().join("../../../../../shared/seeds");
    let template = std::fs::read_dir(&folder)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| std::fs::read_to_string(entry.path()).ok())
        .find(|text| text.contains("Backout Decision Framework"));
    let Some(text) = template else {
        println!("NOT RUN: the import of the field's template: it is not beside the checkout");
        return;
    };
    let format = backout_documents::read::Format::Markdown;
    let document = backout_documents::read::read(format, text.as_bytes(), None).expect("read");
    let plan = import(&document, format, "template").plan;
    let steps: Vec<(String, String, u64, usize)> = plan
        .steps
        .iter()
        .map(|step| {
            let owner = step.owner.as_ref().map(ToString::to_string).unwrap_or_default();
            let minutes = step.takes.map_or(0, |takes| takes.likely().get().as_secs() / 60);
            (step.id.to_string(), owner, minutes, step.verify.0.len())
        })
        .collect();
    insta::assert_debug_snapshot!("template-steps", steps);
    let how = |id: &str| {
        let step = plan.steps.iter().find(|step| step.id.as_str() == id).expect("the step");
        backout_documents::saying::action(step).join("\n")
    };
    assert!(how("announce-backout-to-team").contains("All team members standby"));
    assert!(how("restore-database").contains("RMAN> RECOVER DATABASE;"));
    assert!(how("restore-application").contains("rm -rf /opt/portal/current/*"));
    assert_eq!(plan.triggers.len(), 12, "six criteria and six limits");
    assert_eq!(plan.triggers.values().filter(|trigger| trigger.limit.is_some()).count(), 6);
    assert_eq!(plan.decision.len(), 4);
    assert_eq!(plan.roles.values().filter(|role| role.name.is_some()).count(), 5);
    assert_eq!(plan.components.values().filter(|component| component.backup.is_some()).count(), 4);
    assert_eq!(plan.readiness.len(), 27);
    assert_eq!(plan.risks.len(), 5);
    assert_eq!(plan.review.as_ref().map(|review| review.questions.0.len()), Some(7));
    // What an expert finds in it.
    let text = emit(&plan, None).expect("written");
    let read = read_bytes(text.as_bytes()).expect("read");
    let findings = check::check(&read, &Default::default()).findings;
    for (rule, at) in [
        ("BOP-111", "7 June 2026 is a Sunday"),
        ("BOP-109", "must be finished when the deployment window ends"),
        ("BOP-108", "states a total of 1h40m, its steps take 1h42m"),
        ("BOP-138", "in no time zone"),
        ("BOP-112", "load-balancer-config"),
        ("BOP-113", "apis"),
        ("BOP-115", "RECOVER DATABASE without UNTIL"),
        ("BOP-114", "OPEN RESETLOGS"),
        ("BOP-114", "rm -r"),
        ("BOP-105", "xxx-xxxx"),
        ("BOP-105", "sid,serial#"),
        ("BOP-106", "qa is needed"),
        ("BOP-106", "support is needed"),
        ("BOP-009", "written to `database`"),
        ("BOP-010", "restore the backup of `database`"),
        ("BOP-003", "counts as a success"),
        ("BOP-016", "never been rehearsed"),
        ("BOP-012", "approved"),
        ("BOP-107", "no deputy"),
        ("BOP-140", "login-failure-rate"),
        ("BOP-141", "for how long"),
        ("BOP-143", "compared with what"),
        ("BOP-142", "Stop incoming traffic"),
        ("BOP-144", "All checks pass"),
        ("BOP-017", "if the backout fails"),
    ] {
        let found =
            findings.iter().any(|finding| finding.code == rule && finding.message.contains(at));
        assert!(found, "{rule} should say {at:?}");
    }
}

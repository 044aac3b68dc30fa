//! Plans that are written out as documents come back as the same plan.

use backout_core::plan::{Action, Check, Many, Plan, Severity, Unanswered};
use backout_documents::board::{Material, Section, board, footing};
use backout_documents::read::{Format, read};
use backout_documents::workbook::workbook;
use backout_documents::write::{Page, html, markdown, word};
use backout_import::{import, visible};
use backout_plan::emit::emit;
use backout_plan::{ReadPlan, read_bytes};
use proptest::prelude::{
    ProptestConfig, Strategy, prop, prop_assert, prop_assert_eq, prop_oneof, proptest,
};

const FORMATS: [Format; 4] = [Format::Markdown, Format::Html, Format::Word, Format::Excel];

fn example() -> ReadPlan {
    let path = crate::folder().join("../../../../examples/customer-portal/portal.backout.yaml");
    read_bytes(&std::fs::read(path).expect("readable")).expect("a plan")
}

fn written(plan: &ReadPlan, format: Format, sections: &[Section], working: bool) -> Vec<u8> {
    let digest = plan.digest.to_string();
    let material = Material {
        plan: &plan.plan,
        source: &plan.source,
        digest: digest.clone(),
        outlook: Err("not asked".to_owned()),
        findings: &[],
        working,
    };
    let document = board(&material, sections);
    match format {
        Format::Markdown => markdown(&document).expect("written").into_bytes(),
        Format::Html => {
            html(&document, if working { Page::Working } else { Page::Reading }).into_bytes()
        }
        Format::Word => word(&document, &footing(&plan.plan, &digest)).expect("written"),
        _ => workbook(&plan.plan, &plan.source, &digest, &[], None).expect("written"),
    }
}

fn back(bytes: &[u8], format: Format) -> backout_import::Imported {
    import(&read(format, bytes, None).expect("read back"), format, "x")
}

#[test]
fn the_example_comes_back_byte_for_byte_from_every_format() {
    let plan = example();
    for format in FORMATS {
        let imported = back(&written(&plan, format, &Section::ALL, false), format);
        assert_eq!(imported.text, plan.source, "{format:?}");
        assert_eq!(imported.plan, plan.plan, "{format:?}");
        assert_eq!(imported.report.changed, [], "{format:?}");
        assert_eq!(imported.report.not_taken_over, [], "{format:?}");
    }
    let imported = back(&written(&plan, Format::Html, &Section::ALL, true), Format::Html);
    assert_eq!(
        (imported.plan, imported.report.changed, imported.report.not_taken_over),
        (plan.plan, vec![], vec![])
    );
}

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let plan = example();
    for format in FORMATS {
        let all = &Section::ALL;
        assert!(
            written(&plan, format, all, false) == written(&plan, format, all, false),
            "{format:?}"
        );
    }
}

#[test]
fn what_people_change_in_a_document_is_taken_over_or_reported() {
    let plan = example();
    let text =
        String::from_utf8(written(&plan, Format::Markdown, &Section::ALL, false)).expect("text");
    let (board, annex) = text.split_once("## Annex").expect("an annex");
    let change = |from: &str, to: &str| {
        assert!(board.contains(from), "{from}");
        back(format!("{}## Annex{annex}", board.replacen(from, to, 1)).as_bytes(), Format::Markdown)
    };
    let imported = change("| dba | 30 min (20 min to 50 min)", "| ops | 45 min");
    let step =
        imported.plan.steps.iter().find(|step| step.id.as_str() == "restore-db").expect("it");
    assert_eq!(step.owner.as_ref().map(|owner| owner.as_str()), Some("ops"));
    assert_eq!(step.takes.map(|takes| takes.to_string()).as_deref(), Some("45m"));
    assert_eq!(imported.report.changed.len(), 2);
    // What was taken over is not said to be lost as well, however it is spelled.
    assert_eq!(imported.report.not_taken_over, []);
    let imported = change("| dba | 30 min (20 min to 50 min)", "| dba | 45 minutes");
    assert_eq!((imported.report.changed.len(), imported.report.not_taken_over), (1, vec![]));
    // A new name is a new name for the same step, and the command stays its command.
    let imported = change("| 8 | Start application servers", "| 8 | Start everything");
    let step = imported.plan.steps.iter().find(|step| step.id.as_str() == "start-app").expect("it");
    assert_eq!(step.title.as_deref(), Some("Start everything"));
    assert!(matches!(step.action, Action::Run(_)));
    assert_eq!(imported.plan.steps.len(), 11);
    // What a machine checks cannot be changed in words; it is said, not swallowed.
    let imported = change("127.0.0.1:18481 is closed", "nothing listens on 18481");
    assert_eq!(imported.plan, plan.plan);
    assert_eq!(imported.report.not_taken_over.len(), 1, "{:#?}", imported.report.not_taken_over);
    assert!(imported.report.not_taken_over[0].field.starts_with("steps[stop-app]"));
    // A new row is a new step where it stands; a row that is gone is reported and kept.
    let row = board.lines().find(|line| line.starts_with("| 10 | Resume traffic")).expect("a row");
    let imported =
        change(row, &format!("{row}\n| 11 | Tell the press | pm | 5 min | | The press knows |"));
    assert_eq!(imported.plan.steps[10].label(), "Tell the press");
    assert_eq!(imported.plan.steps.len(), 12);
    let imported = change(&format!("{row}\n"), "");
    assert_eq!(imported.plan, plan.plan);
    assert!(
        imported.report.not_taken_over.iter().any(|kept| kept.field == "steps[resume-traffic]")
    );
    // What no field takes up is said, whatever it is: an order turned round, a risk
    // struck out, a line of a note.
    let row = board.lines().find(|line| line.starts_with("| Critical")).expect("a row");
    let turned = row.replacen("Back out", "Do not back out", 1);
    assert_ne!(row, turned, "{row}");
    let imported = change(row, &turned);
    assert_eq!(imported.plan, plan.plan);
    assert!(!imported.report.not_taken_over.is_empty());
    let imported = change("## Backout procedure", "Never on a Friday.\n\n## Backout procedure");
    assert_eq!(imported.plan, plan.plan);
    let told = &imported.report.not_taken_over;
    assert!(told.iter().any(|kept| kept.why.as_deref().is_some_and(|why| why.contains("Friday"))));
    // Of two owners one is taken, and the other is not swallowed.
    let imported =
        change("| 7 | Restore configuration | ops", "| 7 | Restore configuration | dba, qa");
    let told = &imported.report.not_taken_over;
    assert!(told.iter().any(|kept| kept.why.as_deref().is_some_and(|why| why.contains("dba, qa"))));
    // Behind the annex too.
    let imported =
        back(format!("{text}\n## Addendum\n\nNever on Sunday.\n").as_bytes(), Format::Markdown);
    assert_eq!(imported.plan, plan.plan);
    let told = &imported.report.not_taken_over;
    assert!(told.iter().any(|kept| kept.why.as_deref().is_some_and(|why| why.contains("Sunday"))));
    // In the annex itself, too.
    let imported =
        back(format!("{text}\nCAB: rehearse step 5 first.\n").as_bytes(), Format::Markdown);
    let told = &imported.report.not_taken_over;
    assert!(told.iter().any(|kept| kept.why.as_deref().is_some_and(|why| why.contains("CAB"))));
    // What changed places is there, and not where it was.
    let row = |name: &str| {
        let start = format!("| {name} |");
        board.lines().find(|line| line.starts_with(&start)).unwrap_or_else(|| panic!("{name}"))
    };
    let (customers, orders) = (row("customers"), row("orders"));
    let swapped = board
        .replace(customers, "\u{1}")
        .replace(orders, &orders.replacen("| orders |", "| customers |", 1))
        .replace('\u{1}', &customers.replacen("| customers |", "| orders |", 1));
    let imported = back(text.replace(board, &swapped).as_bytes(), Format::Markdown);
    let told = &imported.report.not_taken_over;
    assert!(
        told.iter().any(|kept| kept.why.as_deref().is_some_and(|why| why.contains("otherwise"))),
        "{told:#?}"
    );
    // A document with some of the sections is whole with those.
    let some = [Section::Summary, Section::Steps, Section::File];
    for format in [Format::Markdown, Format::Html, Format::Word] {
        let imported = back(&written(&plan, format, &some, false), format);
        assert_eq!((imported.plan, imported.report.not_taken_over), (plan.plan.clone(), vec![]));
    }
    // An annex that is no plan any more is said to be none.
    let broken = text.replace("stated_total: 102m", "stated_total: [");
    assert_ne!(broken, text);
    let imported = back(broken.as_bytes(), Format::Markdown);
    assert_eq!(imported.report.not_taken_over[0].field, "the plan file");
    // An annex that was changed is not the one that was approved.
    let forged = text.replace("stated_total: 102m", "stated_total: 103m");
    let imported = back(forged.as_bytes(), Format::Markdown);
    assert!(imported.report.changed[0].why.as_deref().is_some_and(|why| why.contains("digest")));
}

/// Text as people write it in plans: no control characters, no blanks at its ends.
fn line() -> impl Strategy<Value = String> {
    let odd = prop::sample::select(vec![
        "a | b",
        "<b>x</b>",
        "*bold*",
        "_under_",
        "`code`",
        "# head",
        "1. one",
        "- item",
        "[x](y)",
        "a  b",
        "\\",
        "&amp;",
        "a ~~x~~ b",
        "=1+1",
        "+49 30 555",
        "'",
        "\"",
        "{a: b}",
        "https://x.example/?a=1&b=2",
        "é ü 名前",
        "5 %",
        "x: y",
        "> 5",
        "--",
        "---",
        "[ ] todo",
        "☐ box",
        "Total",
        "N/A?",
        "$HOME",
        "C:\\temp",
        "<!-- c -->",
        "a\u{a0}b",
        "\u{1f600}",
    ]);
    prop_oneof![
        "[A-Za-z][A-Za-z0-9 ,.:()/%<>|*_#`'-]{0,30}[A-Za-z0-9]".prop_map(|text| text),
        (odd, "[a-z]{1,6}").prop_map(|(odd, rest)| format!("{odd} {rest}")),
    ]
}

/// The example with other texts in it.
fn plans() -> impl Strategy<Value = Plan> {
    let texts = prop::collection::vec(line(), 12);
    let manual = prop::collection::vec(prop_oneof![line(), "[ ]{0,4}[a-z$./ -]{1,20}[a-z]"], 1..6);
    (texts, manual, 0..11_usize).prop_map(|(texts, manual, drop)| {
        let mut plan = example().plan;
        plan.change.title = texts[0].clone();
        plan.change.description = Some(texts[1].clone());
        plan.steps[0].title = Some(texts[2].clone());
        plan.steps[0].action = Action::Manual(manual.join("\n").trim().to_owned() + "\n");
        plan.steps[1].title = Some(texts[3].clone());
        plan.steps[10].verify = Many(vec![
            backout_core::plan::Verification {
                check: Check::Confirm(texts[4].clone()),
                within: None,
                every: None,
            },
            backout_core::plan::Verification {
                check: Check::Confirm(texts[5].clone()),
                within: None,
                every: None,
            },
        ]);
        plan.risks[0].risk = texts[6].clone();
        plan.risks[0].mitigation = Some(texts[7].clone());
        plan.roles[0].name = Some(texts[8].clone());
        plan.change.success_when = Many(vec![texts[9].clone(), texts[10].clone()]);
        plan.alternatives.as_mut().expect("some").if_backout_fails = Some(texts[11].clone());
        if drop > 1 && drop < 10 {
            let gone = plan.steps.remove(drop).id;
            plan.options.clear();
            for stage in &mut plan.stages {
                stage.undone_by.0.retain(|undo| *undo != gone);
            }
        }
        let major = plan.decision.get_mut(&Severity::Major).expect("a rule");
        major.quorum = 1 + u32::try_from(drop % 3).expect("small");
        major.escalate = Many(plan.roles.keys().take(drop % 2).cloned().collect());
        major.if_unanswered = (drop % 4 == 1).then_some(Unanswered::BackOut);
        let critical = plan.decision.get_mut(&Severity::Critical).expect("a rule");
        critical.automatic = drop % 2 == 0;
        plan
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20))]

    #[test]
    fn any_plan_comes_back_the_same_from_every_format(plan in plans()) {
        let source = emit(&plan, None).expect("written");
        let read = match read_bytes(source.as_bytes()) {
            Ok(read) => read,
            Err((_, problems)) => panic!("{}", problems[0].render("p", &source, false)),
        };
        for format in FORMATS {
            let imported = back(&written(&read, format, &Section::ALL, false), format);
            let found = imported.text.clone();
            let differs = found.lines().zip(source.lines()).find(|(found, source)| found != source);
            prop_assert!(found == source, "{format:?} {differs:?} {:?}", imported.report.changed);
            prop_assert_eq!(&imported.plan, &plan, "{:?}", format);
            prop_assert!(imported.report.not_taken_over.is_empty(), "{:?} {:?}", format, imported.report.not_taken_over);
        }
    }

    /// Without its annex, a document still says what an approver signs.
    #[test]
    fn the_visible_part_alone_says_the_same(plan in plans()) {
        let source = emit(&plan, None).expect("written");
        let read_plan = read_bytes(source.as_bytes()).expect("a plan");
        let without: Vec<Section> = Section::ALL.into_iter().filter(|section| *section != Section::File).collect();
        for format in [Format::Markdown, Format::Html, Format::Word] {
            let bytes = written(&read_plan, format, &without, false);
            let seen = visible(&read(format, &bytes, None).expect("read"), "x").plan;
            let titles: Vec<&str> = seen.steps.iter().map(|step| step.label()).collect();
            prop_assert_eq!(seen.steps.len(), plan.steps.len(), "{:?} {:?}", format, titles);
            for (step, seen) in plan.steps.iter().zip(&seen.steps) {
                prop_assert_eq!(step.owner.as_ref(), seen.owner.as_ref(), "{:?}", format);
                prop_assert_eq!(step.takes, seen.takes, "{:?}", format);
                prop_assert_eq!(step.verify.0.len(), seen.verify.0.len(), "{:?} {:?}", format, seen.verify);
            }
            let roles: Vec<&str> = seen.roles.keys().map(|role| role.as_str()).collect();
            prop_assert_eq!(seen.roles.len(), plan.roles.len(), "{:?} {:?}", format, roles);
            prop_assert_eq!(&seen.decision, &plan.decision, "{:?}", format);
            prop_assert_eq!(seen.risks.len(), plan.risks.len(), "{:?}", format);
            let (seen, window) = (seen.window.expect("a window"), plan.window.as_ref().expect("a window"));
            prop_assert_eq!(seen.deploy.map(|range| (range.start.at, range.end.at)), window.deploy.map(|range| (range.start.at, range.end.at)));
            prop_assert_eq!(seen.backout_by.map(|by| by.at), window.backout_by.map(|by| by.at));
            prop_assert_eq!(&seen.timezone, &window.timezone);
            prop_assert_eq!(seen.stated_total, window.stated_total);
        }
    }
}

//! A plan with errors says so on the first page of every document that is made of it.

use backout_documents::Kind;
use backout_documents::read::{detect, read};

use crate::stage::Stage;

/// The documents of a plan: the arguments that make each, and its file.
const DOCUMENTS: [(&[&str], &str); 6] = [
    (&["--to", "md"], "plan.backout.md"),
    (&["--to", "html"], "plan.backout.html"),
    (&["--to", "html", "--offline"], "plan.backout.offline.html"),
    (&["--to", "docx"], "plan.backout.docx"),
    (&["--to", "xlsx"], "plan.backout.xlsx"),
    (&["--to", "md", "--sections", "people", "-o", "some.md"], "some.md"),
];

/// What stands before the first table and the second heading of each document.
fn first_pages(stage: &Stage) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (options, file) in DOCUMENTS {
        let mut words = vec!["render", "plan.backout.yaml"];
        words.extend(options);
        stage.tell(&words).expect(0);
        let bytes = std::fs::read(stage.path(file)).expect("written");
        let document = read(detect(file, &bytes).expect("a format"), &bytes, None).expect("read");
        let mut headings = 0;
        let blocks = document.blocks.iter().take_while(|block| {
            headings += usize::from(matches!(&block.kind, Kind::Heading(level, _) if *level > 1));
            headings == 0 && !matches!(block.kind, Kind::Table(_))
        });
        let text: Vec<String> = blocks.map(backout_documents::Block::text).collect();
        found.push((file.to_owned(), text.join("\n")));
    }
    found
}

#[test]
fn a_plan_with_errors_says_so_on_the_first_page_of_every_document() {
    let stage = Stage::new();
    stage.plan("  - {id: a, title: Stop it, manual: Stop it.}\n  - {id: b, title: Start it, manual: Start it.}\n");
    let findings = stage.tell(&["check", "plan.backout.yaml", "--json"]).expect(1).json();
    let findings =
        findings["findings"].as_array().or_else(|| findings.as_array()).expect("findings").clone();
    let errors: Vec<(&str, &str)> = findings
        .iter()
        .filter(|finding| finding["severity"] == "error")
        .filter_map(|finding| Some((finding["rule"].as_str()?, finding["message"].as_str()?)))
        .collect();
    assert!(errors.len() > 1, "{findings:?}");
    for (file, text) in first_pages(&stage) {
        let count = format!(
            "Not ready for approval: backout check finds {} errors in this plan.",
            errors.len()
        );
        assert!(text.contains(&count), "{file}: {text}");
        for (code, message) in errors.iter().take(12) {
            let line = format!("{code}: {}", message.lines().next().expect("a line"));
            assert!(text.contains(&line), "{file}: `{line}` is not in\n{text}");
        }
    }
    // What the page says is worked out anew: the document is still the same plan.
    for (_, file) in &DOCUMENTS[..5] {
        stage.tell(&["import", file, "-o", "back.yaml", "--force"]).expect(1).says("as it was");
        assert_eq!(stage.read("back.yaml"), stage.read("plan.backout.yaml"), "{file}");
    }
}

#[test]
fn a_plan_without_errors_says_nothing_of_the_kind() {
    let stage = Stage::new();
    let portal = std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/customer-portal/portal.backout.yaml");
    stage.write("plan.backout.yaml", &std::fs::read_to_string(portal).expect("readable"));
    stage.say("check plan.backout.yaml").expect(0);
    let pages = first_pages(&stage);
    assert_eq!(pages.len(), DOCUMENTS.len());
    for (file, text) in pages {
        assert!(!text.contains("Not ready"), "{file}: {text}");
    }
}

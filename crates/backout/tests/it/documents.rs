//! What is made from the program is what is in the repository.

use std::path::{Path, PathBuf};

use crate::stage::Stage;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Compares a made document with the one in the repository; writes it with `UPDATE_DOCS=1`.
fn current(path: &str, made: &str) {
    let file = root().join(path);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&file, made).expect("written");
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == made, "{path} is out of date: run the tests with UPDATE_DOCS=1");
}

#[test]
fn the_command_line_reference_is_current() {
    current("docs/cli.md", &Stage::new().say("reference").expect(0).out);
}

#[test]
fn the_schema_is_current() {
    current("examples/backout.schema.json", &Stage::new().say("schema").expect(0).out);
}

#[test]
fn every_error_code_has_a_page() {
    let source =
        std::fs::read_to_string(root().join("crates/plan/src/diagnostic.rs")).expect("readable");
    let codes = regex::Regex::new(r#""(BK\d{3})""#).expect("a pattern");
    let mut seen = 0;
    for found in codes.captures_iter(&source) {
        let page = Stage::new().tell(&["explain", &found[1]]).expect(0).out;
        assert!(page.starts_with(&format!("# {}", &found[1])));
        seen += 1;
    }
    assert!(seen >= 15, "{seen} codes");
}

#[test]
fn the_examples_check_clean() {
    for example in std::fs::read_dir(root().join("examples")).expect("examples").flatten() {
        for file in std::fs::read_dir(example.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.to_string_lossy().ends_with(".backout.yaml") {
                let path = path.to_string_lossy().into_owned();
                Stage::new().tell(&["check", &path, "--deny", "warnings"]).expect(0);
            }
        }
    }
}

#[test]
fn a_new_plan_reads_and_names_its_blanks() {
    let stage = Stage::new();
    stage.say("new my.backout.yaml").expect(0);
    assert!(stage.path("backout.schema.json").exists());
    let found = stage.say("check my.backout.yaml").expect(1);
    let plan = std::fs::read_to_string(stage.path("my.backout.yaml")).expect("a plan");
    let blanks = regex::Regex::new("<[a-z][^>\n]*>").expect("a pattern");
    let blanks: Vec<&str> = blanks.find_iter(&plan).map(|blank| blank.as_str()).collect();
    assert!(blanks.len() > 20, "{blanks:?}");
    for blank in &blanks {
        found.says(&format!("`{blank}` is still to be filled in"));
    }
    // Once they are filled in nothing is wrong but what has to be done first.
    let mut filled = plan.clone();
    for (index, blank) in blanks.iter().enumerate() {
        filled = filled.replace(blank, &format!("filled-{index}"));
    }
    stage.write("filled.backout.yaml", &filled);
    let left = stage.say("check filled.backout.yaml").expect(1);
    left.says("BOP-010").says(": 1 error and");
    stage.say("new my.backout.yaml").expect(64).says("nothing was changed");
}

#[test]
fn completions_and_man_pages_are_made() {
    let stage = Stage::new();
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        assert!(stage.tell(&["completions", shell]).expect(0).out.contains("backout"));
    }
    stage.say("man pages").expect(0);
    assert!(stage.path("pages/backout-invoke.1").exists());
}

#[test]
fn help_is_for_everybody() {
    let stage = Stage::new();
    stage.say("--help").expect(0).says("backout demo").says("Exit codes");
    stage.say("").expect(64);
    stage.say("frobnicate").expect(64);
    stage.say("--version").expect(0);
}

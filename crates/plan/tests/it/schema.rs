//! The schema and the reader accept the same plans.

use backout_plan::{document::to_json, schema::schema, starter::starter};

use crate::{SOUND, must_read};

fn validator() -> jsonschema::Validator {
    jsonschema::validator_for(&schema()).expect("a schema")
}

fn assert_valid(text: &str) {
    let value = to_json(text).expect("YAML");
    let problems: Vec<String> =
        validator().iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(problems.is_empty(), "{}", problems.join("\n"));
}

#[test]
fn plans_that_read_are_valid() {
    assert_valid(SOUND);
    assert_valid(&starter(None));
    let again = serde_json::to_string(&must_read(SOUND).plan).expect("a plan is data");
    assert_valid(&again);
}

#[test]
fn every_example_reads_and_is_valid() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let mut seen = 0;
    for example in std::fs::read_dir(folder).expect("examples exist") {
        let example = example.expect("readable").path();
        if !example.is_dir() {
            continue;
        }
        for file in
            std::fs::read_dir(example).expect("a folder").map(|file| file.expect("readable").path())
        {
            if file.to_string_lossy().ends_with(".backout.yaml") {
                let text = std::fs::read_to_string(&file).expect("readable");
                must_read(&text);
                assert_valid(&text);
                seen += 1;
            }
        }
    }
    assert!(seen > 0, "there are no examples");
}

#[test]
fn the_schema_refuses_what_the_reader_refuses() {
    let wrong = [
        SOUND.replace("owner: dba", "ownr: dba"),
        SOUND.replace("takes: 2m", "takes: 2 minutes"),
        SOUND.replace("effect: verifiable", "effect: sometimes"),
        SOUND.replace("backout: 1\n", "backout: 2\n"),
    ];
    for text in wrong {
        assert!(backout_plan::read_bytes(text.as_bytes()).is_err());
        assert!(!validator().is_valid(&to_json(&text).expect("YAML")), "{text}");
    }
}

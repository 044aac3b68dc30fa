//! How an import ends: with a plan and its findings, or with a clear refusal. No document
//! ends with an internal error.

use crate::stage::Stage;

#[test]
fn no_document_ends_with_an_internal_error() {
    let documents: [(&str, &str, i32); 8] = [
        (
            "template.md",
            "### Rollback Procedure 1: [Procedure Name]\n   ```bash\n   # Command if applicable\n   ```\n**Verification**:\n",
            1,
        ),
        ("owner.md", "# Downgrade\n```\n```\n6. (DBA)", 1),
        ("heading.html", "<h1>Rollback<h2>Step 2", 1),
        ("none.md", "# Upgrade\n\n## Rollback\n\nThere is no ability for us to roll back.\n", 1),
        ("marks.md", "# Rollback \u{202e}\u{200b}\n\n1. \u{202e}\n2. **Verification:**\n", 1),
        ("empty.md", "\n\n", 1),
        ("nothing.md", "", 64),
        ("x.docx", "no", 64),
    ];
    for (name, text, code) in documents {
        let stage = Stage::new();
        stage.write(name, text);
        let told = stage.tell(&["import", name, "-o", "plan.yaml"]).expect(code);
        let plan = stage.read("plan.yaml");
        assert_eq!(plan.is_empty(), code == 64, "{name}: {plan}");
        if code == 1 {
            // What was written is a plan, and check finds in it what the import said.
            stage.say("check plan.yaml").expect(1).says("BOP-");
            assert!(told.out.contains("Wrote plan.yaml"), "{name}: {}", told.out);
        }
    }
    let stage = Stage::new();
    stage.write("none.md", "# Upgrade\n\n## Rollback\n\nThis upgrade cannot be rolled back.\n");
    stage.say("import none.md").expect(1).says("BOP-001");
    assert!(stage.read("none.backout.yaml").contains("cannot be rolled back"));
}

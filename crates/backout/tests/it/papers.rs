//! From paper and back, on the command line.

use std::path::{Path, PathBuf};

use insta::assert_snapshot;

use crate::stage::Stage;

fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../import/tests/documents")
}

fn portal() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../examples/customer-portal/portal.backout.yaml");
    std::fs::read_to_string(path).expect("readable")
}

/// A stage with one of the example documents in it.
fn with(name: &str) -> Stage {
    let stage = Stage::new();
    std::fs::copy(documents().join(name), stage.path(name)).expect("copied");
    stage
}

#[test]
fn a_document_becomes_a_plan_and_an_account() {
    let stage = with("change-board.md");
    let told = stage.say("import change-board.md").expect(1);
    assert_snapshot!("import", told.out);
    assert!(stage.read("change-board.backout.yaml").contains("id: CHG0048213"));
    // What is there is not written over.
    stage.say("import change-board.md").expect(64).says("exists already");
    stage.say("import change-board.md --force").expect(1);
    // The plan alone on standard output, the account beside it.
    let told = stage.say("import change-board.md -o -").expect(1);
    assert!(told.out.starts_with("backout: 1\n") && told.err.contains("Missing"), "{}", told.out);
    let value = stage.say("import change-board.md -o other.yaml --json").expect(1).json();
    assert_eq!(value["format"], "Markdown");
    assert_eq!(value["plan"], "other.yaml");
    assert!(value["found"].as_array().is_some_and(|found| found.len() > 50));
    assert!(value["findings"].as_array().is_some_and(|found| !found.is_empty()));
    let report = stage.say("import change-board.md -o third.yaml --report md").expect(1).out;
    assert!(
        report.starts_with("# Import of change-board.md")
            && report.contains("| `change.id` | line 7 |"),
        "{report}"
    );
}

#[test]
fn what_cannot_be_imported_is_refused_and_nothing_is_written() {
    let stage = Stage::new();
    stage.say("import nowhere.md").expect(64).says("cannot be read");
    stage.write("x.rst", "Title\n=====\n");
    stage.say("import x.rst").expect(64).says("pandoc");
    stage.write("x.docx", "no");
    stage.say("import x.docx").expect(64);
    let list = with("servicenow-list.json");
    list.say("import servicenow-list.json").expect(64).says("CHG0030300, CHG0030301");
    list.say("import servicenow-list.json --record CHG0030301 -o p.yaml").expect(1).says("Revert");
    for stage in [&stage, &list] {
        assert!(
            !stage.path("x.backout.yaml").exists()
                && !stage.path("servicenow-list.backout.yaml").exists()
        );
    }
    // A target that leads elsewhere is replaced, not followed.
    let stage = with("steps.csv");
    stage.write("precious", "keep me");
    std::os::unix::fs::symlink("precious", stage.path("steps.backout.yaml")).expect("a link");
    stage.say("import steps.csv").expect(64);
    stage.say("import steps.csv --force").expect(1);
    assert_eq!(stage.read("precious"), "keep me");
}

#[test]
fn a_plan_becomes_documents_that_come_back() {
    let stage = Stage::new();
    stage.write("portal.backout.yaml", &portal());
    for (format, ending) in [("md", "md"), ("html", "html"), ("docx", "docx"), ("xlsx", "xlsx")] {
        let told = stage.tell(&["render", "portal.backout.yaml", "--to", format]).expect(0);
        told.says(&format!("Wrote portal.backout.{ending}."));
        let file = format!("portal.backout.{ending}");
        stage.tell(&["import", &file, "-o", "back.yaml", "--force"]).expect(0).says("as it was");
        assert_eq!(stage.read("back.yaml"), portal(), "{format}");
    }
    stage
        .say("render portal.backout.yaml --to html --offline")
        .expect(0)
        .says("portal.backout.offline.html");
    let kit = stage.read("portal.backout.offline.html");
    assert!(kit.contains("<input type=\"checkbox\"") && kit.contains("+44 20 7946 0105"));
    // Nothing in it is loaded from anywhere.
    for outside in ["<script", "<link", "@import", "src=\"http", "url("] {
        assert!(!kit.contains(outside), "{outside}");
    }
    stage.say("render portal.backout.yaml --to md --offline").expect(64);
    stage
        .say("render portal.backout.yaml --to md --sections colour")
        .expect(64)
        .says("the sections are");
    let people =
        stage.say("render portal.backout.yaml --to md --sections people -o -").expect(0).out;
    assert!(people.contains("## People") && !people.contains("## Approval"), "{people}");
    assert_snapshot!(
        "board",
        stage.read("portal.backout.md").split("## Annex").next().expect("a board")
    );
    // A file that is no document is not written over.
    stage.say("render portal.backout.yaml --to md -o portal.backout.yaml").expect(64);
    assert_eq!(stage.read("portal.backout.yaml"), portal());
}

#[test]
fn the_same_plan_gives_the_same_bytes_whenever_and_wherever() {
    let (one, two) = (Stage::new(), Stage::new());
    for stage in [&one, &two] {
        stage.write("p.backout.yaml", &portal());
    }
    for format in ["md", "html", "docx", "xlsx"] {
        let name = format!("p.backout.{format}");
        for stage in [&one, &two] {
            stage.tell(&["render", "p.backout.yaml", "--to", format]).expect(0);
        }
        let bytes = |stage: &Stage| std::fs::read(stage.path(&name)).expect("written");
        assert!(bytes(&one) == bytes(&two), "{format}");
    }
}

const STEPS: &str = "  - {id: a, title: Stop it, owner: ann, takes: 5m, manual: Stop it at the panel., verify: {confirm: The lamp is off}}\n  - {id: b, title: Restore it, owner: bob, takes: 5m, run: {argv: [touch, b.out]}, verify: {file: {path: b.out}}}\n  - {id: c, title: Start it, owner: ann, takes: 5m, manual: Start it at the panel., verify: {confirm: The lamp is on}}\n  - {id: d, title: Tell them, owner: bob, takes: 5m, optional: true, manual: Call 100., verify: {confirm: They know}}\n";
const WINDOW: &str = "window: {timezone: UTC, deploy: 2026-06-06T02:00 / 2026-06-06T04:00, backout_by: 2026-06-06T06:00}\n";

/// Fills in the checklist that was made for the plan: one `key=column:text` each.
fn fill(stage: &Stage, name: &str, cells: &[(&str, &str, &str)]) {
    stage.say("render plan.backout.yaml --to xlsx -o list.xlsx").expect(0);
    let script = stage.write(
        "fill.py",
        "import openpyxl, sys, json\nw = openpyxl.load_workbook('list.xlsx')\ns = w['Backout steps']\nhead = {c.value: c.column for c in s[1]}\nfor key, column, text in json.loads(sys.argv[2]):\n    for row in range(2, s.max_row + 1):\n        if s.cell(row, head['Step key']).value == key:\n            s.cell(row, head[column]).value = text\nw.save(sys.argv[1])\n",
    );
    let cells = serde_json::to_string(cells).expect("JSON");
    let done = std::process::Command::new("/usr/bin/python3")
        .args([script.as_os_str(), name.as_ref(), cells.as_ref()])
        .current_dir(stage.folder())
        .status();
    assert!(done.is_ok_and(|done| done.success()), "openpyxl fills the workbook in");
}

fn openpyxl() -> bool {
    let found = std::process::Command::new("/usr/bin/python3")
        .args(["-c", "import openpyxl, docx"])
        .output();
    let there = found.is_ok_and(|found| found.status.success());
    if !there {
        println!(
            "NOT RUN: workbooks filled in and read by openpyxl and python-docx: python3-openpyxl, python3-docx"
        );
    }
    there
}

/// What takes two people is not attested by one, and that is said.
#[test]
fn a_paper_that_takes_two_people_is_not_taken_over_by_one() {
    if !openpyxl() {
        return;
    }
    let stage = Stage::new();
    let authority = "authority: {resolve: {by: [lead, ann], quorum: 2}}\n";
    stage.plan_with(STEPS, &format!("{WINDOW}{authority}"));
    fill(&stage, "night.xlsx", &[("a", "Status", "done")]);
    let told = stage.say("import --results night.xlsx plan.backout.yaml --as lead").expect(20);
    told.says("NOT taken over yet: it takes more people");
    assert_eq!(stage.status()["steps"][0]["state"], "pending");
}

#[test]
fn a_night_on_paper_becomes_a_run() {
    if !openpyxl() {
        return;
    }
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    fill(
        &stage,
        "night.xlsx",
        &[
            ("a", "Status", "done"),
            ("a", "Started", "2026-06-06 02:40"),
            ("a", "Ended", "02:44"),
            ("a", "Done by", "Ann and Carl"),
            ("b", "Status", "done"),
            ("b", "Notes", "from the second disk"),
            ("c", "Status", "failed"),
            ("d", "Status", "skipped"),
        ],
    );
    let told = stage.say("import --results night.xlsx plan.backout.yaml --as lead").expect(0);
    told.says("a: done by hand, attested after the fact")
        .says("c: failed by hand")
        .says("d: left out");
    assert!(!stage.path("b.out").exists(), "nothing is carried out a second time");
    let status = stage.status();
    assert_eq!(status["steps"][0]["state"], "succeeded", "{status}");
    assert_eq!(status["steps"][0]["attested"], true);
    assert_eq!(status["steps"][0]["started"], "2026-06-06T02:40:00Z");
    assert_eq!(status["steps"][0]["ended"], "2026-06-06T02:44:00Z");
    assert_eq!(status["steps"][2]["state"], "failed");
    stage
        .say("log")
        .expect(0)
        .says("done by hand by Ann and Carl, attested afterwards by Lena Lead");
    stage.say("verify").expect(0);
    // Again: nothing new. Then the run goes on to its end, from where paper left it.
    stage
        .say("import --results night.xlsx CHG7-1 --as lead")
        .expect(0)
        .says("the run says the same already");
    stage
        .tell(&["resolve", "CHG7-1", "c", "happened", "--reason", "it runs", "--as", "lead"])
        .expect(0);
    stage.say("resume --as lead").expect(0);
    assert_eq!(stage.status()["outcome"], "reverted");
    let report = stage.say("render CHG7-1 --to md -o -").expect(0).out;
    for said in [
        "backed out",
        "Its 4 steps: 3 attested, 1 skipped.",
        "| Ann and Carl |",
        "as written down: 02:40 to 02:44",
        "attested afterwards by Lena Lead",
    ] {
        assert!(report.contains(said), "{said} is not in\n{report}");
    }
    // The checklist of a run shows what is known.
    stage.say("render CHG7-1 --to xlsx").expect(0);
    stage
        .say("import --results CHG7-1.xlsx CHG7-1 --as lead")
        .expect(0)
        .says("the run says the same already");
}

#[test]
fn a_checklist_with_a_mistake_changes_nothing() {
    if !openpyxl() {
        return;
    }
    let stage = Stage::new();
    stage.plan_with(STEPS, WINDOW);
    fill(
        &stage,
        "night.xlsx",
        &[
            ("a", "Status", "done"),
            ("b", "Status", "perhaps"),
            ("c", "Status", "done"),
            ("c", "Started", "soon"),
            ("d", "Done by", "Bob"),
        ],
    );
    let told = stage.say("import --results night.xlsx plan.backout.yaml --as lead").expect(64);
    told.says("row 3, column Status: `perhaps` is no status")
        .says("`soon` is no time")
        .says("no status");
    // A run was begun for it, and holds nothing but that.
    assert_eq!(stage.say("runs --json").json().as_array().map_or(0, Vec::len), 0);
    fill(
        &stage,
        "late.xlsx",
        &[
            ("a", "Status", "done"),
            ("a", "Ended", "2999-01-01 00:00"),
            ("b", "Notes", "later"),
            ("c", "Status", "done"),
            ("c", "Started", "02:10 or so"),
        ],
    );
    stage
        .say("import --results late.xlsx plan.backout.yaml --as lead")
        .expect(64)
        .says("far from the night")
        .says("`02:10 or so` is no time")
        .says("no status");
    fill(&stage, "other.xlsx", &[("a", "Status", "done"), ("a", "Action", "Pulled the plug")]);
    stage
        .say("import --results other.xlsx plan.backout.yaml --as lead")
        .expect(64)
        .says("row 2, column Action: this says \"Pulled the plug\", and `a` is \"Stop it\"");
    // Another plan's checklist is not this one's.
    fill(&stage, "night.xlsx", &[("a", "Status", "done")]);
    stage.plan_with(&STEPS.replace("Stop it", "Halt it"), WINDOW);
    stage
        .say("import --results night.xlsx plan.backout.yaml --as lead")
        .expect(30)
        .says("another version");
    stage.write("x.md", "# Nothing\n");
    stage.say("import --results x.md plan.backout.yaml --as lead").expect(64);
}

#[test]
fn other_programs_read_what_is_written() {
    if !openpyxl() {
        return;
    }
    let stage = Stage::new();
    stage.write("p.backout.yaml", &portal());
    stage.say("render p.backout.yaml --to docx").expect(0);
    stage.say("render p.backout.yaml --to xlsx").expect(0);
    let script = stage.write(
        "look.py",
        r#"
import docx, openpyxl
d = docx.Document("p.backout.docx")
print("title:", d.core_properties.title)
print("headings:", [p.text for p in d.paragraphs if p.style.name in ("Heading 1", "Heading 2")])
print("tables:", len(d.tables), "rows of steps:", max(len(t.rows) for t in d.tables if t.rows[0].cells[0].text == "Step"))
heads = [bool(t.rows[0]._tr.trPr is not None and t.rows[0]._tr.trPr.xpath("w:tblHeader")) for t in d.tables]
print("every head repeats:", all(heads))
pictures = d.element.body.xpath(".//wp:docPr")
print("pictures:", len(pictures), "described:", all(len(p.get("descr")) > 40 for p in pictures))
w = openpyxl.load_workbook("p.backout.xlsx")
for s in w.worksheets:
    print(s.title, s.dimensions, "frozen", s.freeze_panes, "filter", s.auto_filter.ref, "lists", len(s.data_validations.dataValidation), "colours", sum(len(r.rules) for r in s.conditional_formatting), s.page_setup.orientation, s.print_title_rows)
"#,
    );
    let told = std::process::Command::new("/usr/bin/python3")
        .arg(script)
        .current_dir(stage.folder())
        .output()
        .expect("python");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    assert_snapshot!("other-readers", String::from_utf8_lossy(&told.stdout));
}

/// LibreOffice opens both, and what it saves is read again.
#[test]
fn libreoffice_reads_and_writes_them() {
    let there = std::process::Command::new("soffice")
        .arg("--version")
        .output()
        .is_ok_and(|out| out.status.success());
    if !there {
        println!("NOT RUN: documents opened and saved by LibreOffice: soffice");
        return;
    }
    let stage = Stage::new();
    stage.write("p.backout.yaml", &portal());
    stage.say("render p.backout.yaml --to docx -o p.docx").expect(0);
    stage.say("render p.backout.yaml --to xlsx -o p.xlsx").expect(0);
    for (from, to) in [("p.docx", "docx"), ("p.docx", "pdf"), ("p.xlsx", "xlsx"), ("p.xlsx", "ods")]
    {
        let home = format!("-env:UserInstallation=file://{}", stage.path("office").display());
        let done = std::process::Command::new("soffice")
            .args([&home, "--headless", "--convert-to", to, "--outdir", "saved", from])
            .current_dir(stage.folder())
            .output()
            .expect("soffice runs");
        assert!(
            done.status.success() && stage.path(&format!("saved/p.{to}")).exists(),
            "{from} to {to}"
        );
    }
    for file in ["saved/p.docx", "saved/p.xlsx"] {
        stage.tell(&["import", file, "-o", "back.yaml", "--force"]).expect(0).says("as it was");
        assert_eq!(stage.read("back.yaml"), portal(), "{file}");
    }
    // As an OpenDocument sheet it is another format: the plan file in it counts.
    stage.tell(&["import", "saved/p.ods", "-o", "back.yaml", "--force"]).expect(0);
    assert_eq!(stage.read("back.yaml"), portal());
}

#[test]
fn the_report_of_a_run_says_what_happened() {
    let stage = Stage::new();
    stage.plan_with(
        "  - {id: a, title: Stop it, owner: ann, takes: 5m, run: {argv: [touch, a.out]}, verify: {same_as_baseline: notes}}\n  - {id: b, title: Fail once, owner: bob, takes: 5m, run: {shell: 'test -e again || { touch again; exit 3; }'}, effect: idempotent, retry: {attempts: 2, pause: 10ms}, verify: {file: {path: again}}}\n  - {id: c, title: Tell them, owner: bob, takes: 5m, manual: Call 100., verify: {confirm: They know}}\n",
        "window: {timezone: UTC, backout_by: 2999-06-06T06:00}\nbaselines: {notes: {file: notes.txt}}\nreview: {owner: lead, within: 24h, questions: [What triggered the backout?, Did it execute as planned?, What was the actual duration?, What is the root cause?]}\n",
    );
    stage.write("notes.txt", "as before\n");
    stage.say("baseline plan.backout.yaml --as lead").expect(0);
    stage
        .tell(&["invoke", "plan.backout.yaml", "--as", "lead", "--reason", "logins fail"])
        .expect(20);
    stage.tell(&["ack", "CHG7-1", "c", "--as", "bob", "--note", "all three"]).expect(0);
    stage.say("resume").expect(0);
    let report = stage.say("render CHG7-1 --to md -o - --sections summary,steps,commands,decisions,deviations,baselines,review").expect(0).out;
    let hide = |pattern: &str, with: &str, text: &str| {
        regex::Regex::new(pattern).expect("a pattern").replace_all(text, with).into_owned()
    };
    let report =
        hide(r"[A-Z][a-z]{2} \d+ [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d UTC", "(moment)", &report);
    let report = hide(r"\d\d:\d\d:\d\d", "(clock)", &report);
    let report = hide(r"sha256:[0-9a-f]{64}", "(digest)", &report);
    let report = hide(r"output [0-9a-f]{12}", "output (digest)", &report);
    let report = hide(r"\d+ d( \d+ h)?( \d+ min)?( \d+ s)? to spare", "(long) to spare", &report);
    let report = hide(r"(-4 min \d+ s|\d+\.\d s)", "(length)", &report);
    assert_snapshot!("report", report);
    for format in ["html", "docx", "xlsx"] {
        stage.tell(&["render", "CHG7-1", "--to", format]).expect(0);
    }
    // A report is not a plan; the plan in its annex is.
    stage.say("import CHG7-1.html -o back.yaml").expect(1);
    assert_eq!(stage.read("back.yaml"), stage.read("plan.backout.yaml"));
}

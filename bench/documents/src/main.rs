//! How long it takes to understand a document and to write one, beside what it
//! takes merely to parse the same Markdown: `bench/documents/run`.

use std::time::{Duration, Instant};

use backout_documents::board::{Material, Section, board, footing};
use backout_documents::read::{Format, read};
use backout_documents::workbook::workbook;
use backout_documents::write::{Page, html, markdown, word};

/// A plan of so many lines in the style of a change board's template.
fn document(lines: usize) -> String {
    let mut text = String::from(
        "# Rollback of release 7\n\n| Field | Value |\n|---|---|\n| Change number | CHG1 |\n| Title | Release 7 |\n\n## Rollback procedure\n\n| Step | Action | Owner | Duration | Verify |\n|---|---|---|---|---|\n",
    );
    let steps = lines / 9;
    for step in 1..=steps {
        text.push_str(&format!("| {step} | Restore shard {step} | DBA {} | 12 min | Row count of shard {step} is as before |\n", step % 7));
    }
    for step in 1..=steps {
        text.push_str(&format!(
            "\n### Step {step}: Restore shard {step}\n\n```sh\nrestorectl --shard {step} --from /backup/{step}\n```\n\nVerify: shard {step} answers\n"
        ));
    }
    text
}

fn best(mut run: impl FnMut()) -> Duration {
    let once = |run: &mut dyn FnMut()| {
        let start = Instant::now();
        run();
        start.elapsed()
    };
    (0..5).map(|_| once(&mut run)).min().unwrap_or_default()
}

fn main() {
    println!("lines   read       import     import:read");
    for lines in [500, 5_000, 20_000] {
        let text = document(lines);
        let reading = best(|| drop(read(Format::Markdown, text.as_bytes(), None)));
        let both = best(|| {
            if let Ok(document) = read(Format::Markdown, text.as_bytes(), None) {
                drop(backout_import::import(&document, Format::Markdown, "x"));
            }
        });
        let ratio = both.as_secs_f64() / reading.as_secs_f64();
        println!("{:<7} {reading:<10.1?} {both:<10.1?} {ratio:.1}", text.lines().count());
    }
    let example = include_bytes!("../../../examples/customer-portal/portal.backout.yaml");
    let Ok(plan) = backout_plan::read_bytes(example) else { return };
    let digest = plan.digest.to_string();
    let material = Material {
        plan: &plan.plan,
        source: &plan.source,
        digest: digest.clone(),
        outlook: Err("not asked".to_owned()),
        findings: &[],
        working: false,
    };
    let tree = board(&material, &Section::ALL);
    let base = best(|| drop(markdown(&tree)));
    println!("\nwriting the example   time       beside Markdown");
    let told = |name: &str, time: Duration| {
        println!("{name:<21} {time:<10.1?} {:.1}", time.as_secs_f64() / base.as_secs_f64());
    };
    told("Markdown", base);
    told("HTML", best(|| drop(html(&tree, Page::Reading))));
    told("Word, with pictures", best(|| drop(word(&tree, &footing(&plan.plan, &digest)))));
    told("workbook", best(|| drop(workbook(&plan.plan, &plan.source, &digest, &[], None))));
}

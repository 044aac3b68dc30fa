//! Exactly what would run, without touching anything.

use backout_core::graph::Graph;
use backout_core::plan::{Action, Check, Plan, Stdin, Step};
use backout_core::schedule::Schedule;
use backout_documents::saying::{after_a_crash, shown};
use backout_exec::probe;

use super::words::length;

/// The steps in the order they may start, each with everything it would do.
/// Secrets are shown by reference.
pub(crate) fn lines(
    plan: &Plan,
    selected: &[bool],
    graph: &Graph,
    schedule: &Schedule,
) -> Vec<String> {
    let mut lines = Vec::new();
    for (position, &index) in graph.order.iter().enumerate() {
        let step = &plan.steps[index];
        let slot = schedule.slots[index];
        let owner = step.owner.as_ref().map(|role| format!(", {} ({role})", plan.person(role)));
        let takes = step.takes.map(|takes| format!(", takes {takes}")).unwrap_or_default();
        lines.push(format!(
            "{:>3}. {} [{}{}{takes}]",
            position + 1,
            step.label(),
            step.id,
            owner.unwrap_or_default()
        ));
        let before: Vec<&str> =
            graph.before[index].iter().map(|&first| plan.steps[first].id.as_str()).collect();
        let start = if before.is_empty() {
            "at once".to_owned()
        } else {
            format!("after {}", before.join(", "))
        };
        lines.push(format!("     starts {start}, at +{}", length(slot.start)));
        lines.extend(action(step).into_iter().map(|line| format!("     {line}")));
        for verification in &step.verify {
            let within = match verification.check {
                Check::Confirm(_) => String::new(),
                _ => format!(
                    " (within {})",
                    length(verification.within.map_or(probe::WITHIN, |w| w.get()))
                ),
            };
            lines.push(format!("     verify: {}{within}", verification.check.shown()));
        }
        lines.push(format!("     after a crash: {}", after_a_crash(step)));
        if let Some(retry) = step.retry {
            lines.push(format!(
                "     after a failure: tried {} times, {} apart",
                retry.attempts, retry.pause
            ));
        }
        if step.on_failure == backout_core::plan::OnFailure::HaltAll {
            lines.push("     if it fails, nothing else starts".to_owned());
        }
        if let Some(why) = &step.irreversible {
            lines.push(format!("     NO WAY BACK after it: {}", why.trim()));
        }
        if step.optional {
            lines.push("     may be left out".to_owned());
        }
    }
    let left_out = left_out(plan, selected);
    lines.push(String::new());
    lines.push(format!(
        "{} steps, {} if all goes as planned",
        graph.order.len(),
        length(schedule.total)
    ));
    if !left_out.is_empty() {
        lines.push(format!("left out: {}", left_out.join(", ")));
    }
    lines
}

fn action(step: &Step) -> Vec<String> {
    match &step.action {
        Action::Manual(text) => {
            text.trim_end().lines().map(|line| format!("do:  {line}")).collect()
        }
        Action::Run(run) => {
            let mut lines: Vec<String> =
                run.command_line().lines().map(|line| format!("run: {line}")).collect();
            if let Some(cwd) = &run.cwd {
                lines.push(format!("     in {cwd}"));
            }
            for (name, value) in &run.env {
                lines.push(format!("     with {name}={}", shown(value)));
            }
            if !run.exit.is_empty() {
                let codes: Vec<String> = run.exit.iter().map(ToString::to_string).collect();
                lines.push(format!("     succeeds with exit {}", codes.join(" or ")));
            }
            let timeout = step.action.timeout().unwrap_or_default();
            lines.push(format!("     stopped after {timeout}"));
            match &run.stdin {
                Some(Stdin::Text(text)) => {
                    lines.extend(shown(text).lines().map(|line| format!("     < {line}")));
                }
                Some(Stdin::File(path)) => lines.push(format!("     < {path}")),
                None => {}
            }
            lines
        }
        Action::Http(http) => {
            let source =
                http.source.as_ref().map(|source| format!("{source}:")).unwrap_or_default();
            let mut lines = vec![format!("{} {source}{}", http.method.as_str(), http.url)];
            for (name, value) in &http.headers {
                lines.push(format!("     {name}: {}", shown(value)));
            }
            if let Some(body) = &http.body {
                lines.extend(shown(body).lines().map(|line| format!("     {line}")));
            }
            lines
        }
        Action::Sql(sql) => {
            let mut lines = vec![format!("on {}, in one transaction:", sql.source)];
            lines.extend(sql.execute.trim().lines().map(|line| format!("     {line}")));
            lines
        }
        Action::RestoreTree(tree) => {
            let extra =
                if tree.keep_extra { "" } else { ", removing what the backup does not have" };
            vec![format!("restore {} from {}{extra}", tree.to, tree.from)]
        }
        Action::Copy(copy) => vec![format!("copy {} to {}", copy.from, copy.to)],
        Action::Wait(wait) => vec![format!("wait until it is verified, up to {}", wait.up_to)],
        Action::External(what) => vec![format!("by another system: {what}")],
    }
}

/// The same for scripts: the steps in order, each as the plan has it.
pub(crate) fn json(
    plan: &Plan,
    selected: &[bool],
    graph: &Graph,
    schedule: &Schedule,
) -> serde_json::Value {
    let steps: Vec<_> = graph
        .order
        .iter()
        .map(|&index| {
            let before: Vec<&str> =
                graph.before[index].iter().map(|&first| plan.steps[first].id.as_str()).collect();
            serde_json::json!({
                "step": plan.steps[index],
                "effect": plan.steps[index].effect(),
                "after": before,
                "starts_at_seconds": schedule.slots[index].start.as_secs(),
            })
        })
        .collect();
    let left_out = left_out(plan, selected);
    serde_json::json!({
        "steps": steps,
        "left_out": left_out,
        "total_seconds": schedule.total.as_secs(),
    })
}

fn left_out<'a>(plan: &'a Plan, selected: &[bool]) -> Vec<&'a str> {
    let chosen = plan.steps.iter().zip(selected);
    chosen.filter(|(_, selected)| !**selected).map(|(step, _)| step.id.as_str()).collect()
}

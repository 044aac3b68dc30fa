//! The pictures of a plan: what waits for what, how it is decided, the schedule.

use backout_core::graph::Graph;
use backout_core::plan::{DecisionAction, Plan};
use backout_forecast::outlook::Outlook;
use jiff::tz::TimeZone;

use super::{clock, rounded};
use crate::figure::{Anchor, Edge, Look, Node, Scene, Shape, layered, width_of};
use crate::saying;

/// The step graph: the picture, the same as Mermaid, and in words.
pub(super) fn steps(plan: &Plan, graph: &Graph, path: &[usize]) -> (Scene, String, String) {
    let mut nodes = Vec::new();
    for (index, step) in plan.steps.iter().enumerate() {
        let mut under: Vec<String> = step.owner.iter().map(ToString::to_string).collect();
        under.extend(step.takes.map(|takes| saying::span(takes.likely())));
        let mut lines = vec![format!("{}. {}", index + 1, step.label())];
        if !under.is_empty() {
            lines.push(under.join(" · "));
        }
        let look = if path.contains(&index) { Look::Critical } else { Look::Plain };
        nodes.push(Node { lines, look });
    }
    let mut edges = Vec::new();
    let mut words = Vec::new();
    for (to, before) in graph.before.iter().enumerate().take(plan.steps.len()) {
        for &from in before {
            edges.push(Edge { from, to, label: None });
        }
        let step = &plan.steps[to];
        let waits: Vec<String> = before.iter().map(|&from| (from + 1).to_string()).collect();
        words.push(match waits.is_empty() {
            true => format!("step {}, {}, starts at once", to + 1, step.label()),
            false => {
                format!("step {}, {}, waits for {}", to + 1, step.label(), waits.join(" and "))
            }
        });
    }
    let mermaid = mermaid(&nodes, &edges);
    (layered(&nodes, &edges), mermaid, format!("{}.", words.join("; ")))
}

/// The decision flow.
pub(super) fn decision(plan: &Plan) -> (Scene, String, String) {
    let mut nodes = vec![Node {
        lines: vec!["Something is wrong".to_owned(), "How bad is it?".to_owned()],
        look: Look::Question,
    }];
    let mut edges = Vec::new();
    let mut words = vec!["Something is wrong: how bad is it?".to_owned()];
    let mut back = None;
    for (severity, rule) in &plan.decision {
        let who =
            rule.by.as_ref().map_or_else(|| "nobody is named".to_owned(), ToString::to_string);
        let within = rule.within.map(|within| format!("within {}", saying::span(within)));
        let mut lines = vec![saying::decision(rule.action).to_owned()];
        let asks = rule.action != DecisionAction::Log;
        if asks {
            lines.push(match &within {
                Some(within) => format!("{who}, {within}"),
                None => who.clone(),
            });
        }
        let look = match rule.action {
            DecisionAction::BackOut => Look::Back,
            DecisionAction::BackOutUnlessFixable | DecisionAction::Ask => Look::Question,
            DecisionAction::Log => Look::Good,
        };
        let from = nodes.len();
        nodes.push(Node { lines, look });
        edges.push(Edge { from: 0, to: from, label: Some(saying::severity(*severity).to_owned()) });
        words.push(format!(
            "{}: {}{}",
            saying::severity(*severity),
            saying::decision(rule.action).to_lowercase(),
            if asks {
                format!(
                    ", decided by {who}{}",
                    within.map(|w| format!(", {w}")).unwrap_or_default()
                )
            } else {
                String::new()
            }
        ));
        if asks {
            let goal = *back.get_or_insert_with(|| {
                let title = plan
                    .default_option()
                    .and_then(|id| plan.options.get(id))
                    .map(|way| way.title.clone());
                nodes.push(Node {
                    lines: vec![
                        "Carry out the way back".to_owned(),
                        title.unwrap_or_else(|| format!("{} steps", plan.steps.len())),
                    ],
                    look: Look::Back,
                });
                nodes.len() - 1
            });
            let label = match rule.action {
                DecisionAction::BackOutUnlessFixable => Some("not fixable".to_owned()),
                DecisionAction::Ask => Some("back out".to_owned()),
                _ => None,
            };
            edges.push(Edge { from, to: goal, label });
            if rule.action == DecisionAction::BackOutUnlessFixable {
                nodes.push(Node {
                    lines: vec!["Fix forward".to_owned(), "and watch again".to_owned()],
                    look: Look::Good,
                });
                edges.push(Edge { from, to: nodes.len() - 1, label: Some("fixable".to_owned()) });
            }
        }
    }
    if let Some(goal) = back {
        nodes.push(Node { lines: vec!["Verify, tell, review".to_owned()], look: Look::Plain });
        edges.push(Edge { from: goal, to: nodes.len() - 1, label: None });
    }
    let mermaid = mermaid(&nodes, &edges);
    (layered(&nodes, &edges), mermaid, format!("{}.", words.join("; ")))
}

/// The schedule: a bar per step, in the order of their start.
pub(super) fn schedule(plan: &Plan, outlook: &Outlook, zone: Option<&TimeZone>) -> (Scene, String) {
    const ROW: f32 = 22.0;
    const BARS: f32 = 430.0;
    let labels: Vec<String> = outlook
        .rows
        .iter()
        .map(|row| {
            let step = &plan.steps[row.step];
            let name: String = step.label().chars().take(34).collect();
            let cut = if step.label().chars().count() > 34 { "…" } else { "" };
            let who = step.owner.as_ref().map(|owner| format!(" · {owner}")).unwrap_or_default();
            format!("{name}{cut}{who}")
        })
        .collect();
    let left = labels.iter().map(|label| width_of(label, 13.0) * 1.12).fold(60.0, f32::max) + 22.0;
    let sure = outlook.finish.quantile(outlook.confidence).high;
    let last = if sure.is_finite() { sure } else { 0.0 };
    let total = outlook.planned_end.max(last).max(1.0);
    let x = |seconds: f64| left + BARS * (seconds.min(total) / total) as f32;
    let bottom = 34.0 + ROW * labels.len() as f32;
    let mut scene = Scene { width: left + BARS + 70.0, height: bottom + 34.0, shapes: Vec::new() };
    let grid = [60.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0, 14_400.0, 43_200.0, 86_400.0]
        .into_iter()
        .find(|grid| total / grid <= 8.0)
        .unwrap_or(total / 8.0);
    let mut at = 0.0;
    while at <= total + 1.0 {
        let minutes = (at / 60.0_f64).round() as u64;
        let label = format!("+{}:{:02}", minutes / 60, minutes % 60);
        scene.shapes.push(Shape::Line {
            points: vec![(x(at), 28.0), (x(at), bottom)],
            arrow: false,
            look: Look::Quiet,
        });
        scene.shapes.push(Shape::Text {
            at: (x(at), 20.0),
            text: label,
            anchor: Anchor::Middle,
            look: Look::Quiet,
        });
        at += grid;
    }
    let mut words = Vec::new();
    for (index, row) in outlook.rows.iter().enumerate() {
        let y = 34.0 + ROW * index as f32;
        let look = if row.on_path { Look::Critical } else { Look::Plain };
        let width = (x(row.end) - x(row.start)).max(2.0);
        scene.shapes.push(Shape::Text {
            at: (left - 10.0, y + 14.0),
            text: labels[index].clone(),
            anchor: Anchor::End,
            look: Look::Plain,
        });
        scene.shapes.push(Shape::Box {
            at: [x(row.start), y + 2.0, width, 16.0],
            look,
            lines: Vec::new(),
        });
        scene.shapes.push(Shape::Text {
            at: (x(row.end) + 5.0, y + 14.0),
            text: rounded(row.end - row.start),
            anchor: Anchor::Start,
            look: Look::Quiet,
        });
        words.push(format!(
            "{} from +{} to +{}",
            plan.steps[row.step].label(),
            rounded(row.start),
            rounded(row.end)
        ));
    }
    scene.shapes.push(Shape::Line {
        points: vec![(x(sure), 28.0), (x(sure), bottom + 6.0)],
        arrow: false,
        look: Look::Good,
    });
    let end = outlook
        .deadline
        .filter(|_| sure.is_finite())
        .map(|_| format!(" ({})", clock(outlook.after(sure), zone)))
        .unwrap_or_default();
    scene.shapes.push(Shape::Text {
        at: (x(sure), bottom + 22.0),
        text: format!("{:.0} of 100 nights: {}{end}", outlook.confidence * 100.0, rounded(sure)),
        anchor: Anchor::End,
        look: Look::Good,
    });
    (scene, format!("Schedule: {}.", words.join("; ")))
}

/// A graph as Mermaid text.
fn mermaid(nodes: &[Node], edges: &[Edge]) -> String {
    let quoted = |text: &str| {
        text.replace('"', "&quot;").replace('<', "&lt;").replace('>', "&gt;").replace('#', "&num;")
    };
    let mut out = String::from("flowchart TD\n");
    for (index, node) in nodes.iter().enumerate() {
        let lines: Vec<String> = node.lines.iter().map(|line| quoted(line)).collect();
        let text = lines.join("<br>");
        out.push_str(&match node.look {
            Look::Question => format!("  n{index}([\"{text}\"])\n"),
            _ => format!("  n{index}[\"{text}\"]\n"),
        });
    }
    for edge in edges {
        match &edge.label {
            Some(label) => {
                out.push_str(&format!(
                    "  n{} -->|\"{}\"| n{}\n",
                    edge.from,
                    quoted(label),
                    edge.to
                ));
            }
            None => out.push_str(&format!("  n{} --> n{}\n", edge.from, edge.to)),
        }
    }
    let critical: Vec<String> = nodes
        .iter()
        .enumerate()
        .filter(|(_, node)| node.look == Look::Critical)
        .map(|(index, _)| format!("n{index}"))
        .collect();
    if !critical.is_empty() {
        out.push_str("  classDef critical fill:#fde6c8,stroke:#9a3412\n");
        out.push_str(&format!("  class {} critical\n", critical.join(",")));
    }
    out
}

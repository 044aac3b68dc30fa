//! The schedule as bars: each step, and who is busy when.

use anstyle::{AnsiColor, Style};

use backout_forecast::learning::Basis;
use backout_forecast::outlook::Row;

use super::{Shown, span};
use crate::view::words;

/// A bar from `start` to `end` on a scale of `cells`.
fn bar(start: f64, end: f64, total: f64, cells: usize, full: char) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let cell =
        |seconds: f64| ((seconds / total * cells as f64).round().max(0.0) as usize).min(cells);
    let from = cell(start).min(cells - 1);
    let to = cell(end).max(from + 1);
    let blank = |count| std::iter::repeat_n('·', count);
    blank(from).chain(std::iter::repeat_n(full, to - from)).chain(blank(cells - to)).collect()
}

pub(super) fn gantt(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let outlook = &shown.outlook;
    let total = outlook.planned_end.max(1.0);
    let name_width = outlook
        .rows
        .iter()
        .map(|row| shown.steps[row.step].id.as_str().chars().count())
        .max()
        .unwrap_or(0)
        .min(28);
    let owner_width = outlook
        .rows
        .iter()
        .map(|row| shown.doer[row.step].as_deref().unwrap_or("-").chars().count())
        .max()
        .unwrap_or(0)
        .min(18);
    let cells = width.saturating_sub(name_width + owner_width + 22).clamp(12, 60);
    let mut lines = vec![format!(
        "{:name_width$}  {:owner_width$}  {}",
        "step",
        "who",
        axis(shown, total, cells)
    )];
    let red = Style::new().fg_color(Some(AnsiColor::Yellow.into()));
    // A fleet does not fit on a screen; its critical path does.
    let many = outlook.rows.len() > 120;
    for row in outlook.rows.iter().filter(|row| !many || row.on_path) {
        let step = &shown.steps[row.step];
        let full = if row.on_path { '█' } else { '▒' };
        let drawn = bar(row.start, row.end, total, cells, full);
        let drawn = if row.on_path { format!("{red}{drawn}{red:#}") } else { drawn };
        lines.push(format!(
            "{:name_width$}  {:owner_width$}  {drawn}  {}",
            words::one_line(step.id.as_str(), name_width.max(1)),
            words::one_line(shown.doer[row.step].as_deref().unwrap_or("-"), owner_width.max(1)),
            taking(row)
        ));
    }
    if many {
        lines.push(format!(
            "({} more steps are not on the critical path; `--json` and `--html` have them)",
            outlook.rows.len() - outlook.path.len()
        ));
    }
    lines.push(format!(
        "█ on the critical path, {}; ▒ with time to spare",
        match outlook.bound {
            Some(_) if outlook.is_shortest() == Some(true) =>
                "and no other order of work is shorter".to_owned(),
            Some(bound) => format!(
                "at most {:.0} % longer than any order of work could be",
                ((outlook.planned_end / bound.max(1.0) - 1.0) * 100.0).ceil()
            ),
            None => "in the order the run follows".to_owned(),
        }
    ));
    lines
}

fn axis(shown: &Shown<'_>, total: f64, cells: usize) -> String {
    let mut axis: Vec<char> = std::iter::repeat_n(' ', cells + 6).collect();
    let marks = (cells / 14).clamp(1, 4);
    for mark in 0..=marks {
        let seconds = total * mark as f64 / marks as f64;
        let at = shown.after(seconds).to_zoned(shown.zone.clone()).strftime("%H:%M").to_string();
        let place = (cells * mark / marks).saturating_sub(if mark == 0 { 0 } else { 5 });
        for (offset, letter) in at.chars().enumerate() {
            if let Some(cell) = axis.get_mut(place + offset) {
                *cell = letter;
            }
        }
    }
    axis.into_iter().collect::<String>().trim_end().to_owned()
}

/// How long a step takes, and what that rests on.
fn taking(row: &Row) -> String {
    let [middle, _, sure] = row.takes;
    let about = match (sure - middle) > 0.05 * middle.max(1.0) {
        true => format!("{} to {}", span(middle), span(sure)),
        false => span(middle),
    };
    let rests = match row.basis {
        Basis::Nothing => "nothing",
        Basis::Point => "stated",
        Basis::Range => "stated",
        Basis::Measured(count) => return format!("{about}  measured {count}×"),
    };
    format!("{about}  {rests}")
}

/// Who is busy when.
pub(super) fn people(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let outlook = &shown.outlook;
    let total = outlook.planned_end.max(1.0);
    let mut busy: Vec<(String, Vec<(f64, f64)>)> = Vec::new();
    for row in &outlook.rows {
        let step = &shown.steps[row.step];
        let lane = step.exclusive.as_ref().map(|lane| format!("[{lane}]"));
        let person = shown.doer[row.step].clone().filter(|_| step.action.is_manual());
        for name in [person, lane].into_iter().flatten() {
            match busy.iter_mut().find(|(known, _)| *known == name) {
                Some((_, slots)) => slots.push((row.start, row.end)),
                None => busy.push((name, vec![(row.start, row.end)])),
            }
        }
    }
    let mut called: Vec<String> = Vec::new();
    for (name, middle, sure) in &outlook.responses {
        called.push(format!(
            "{name} responds {} to {} after the call.",
            span(*middle),
            span(*sure)
        ));
    }
    if busy.is_empty() || busy.len() > 40 {
        return called;
    }
    let name_width = busy.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).min(28);
    let cells = width.saturating_sub(name_width + 16).clamp(12, 60);
    let mut lines = vec![String::new(), "Who is busy when".to_owned()];
    for (name, slots) in busy {
        let mut drawn: Vec<char> = std::iter::repeat_n('·', cells).collect();
        for (start, end) in &slots {
            let one = bar(*start, *end, total, cells, '█');
            for (cell, letter) in drawn.iter_mut().zip(one.chars()) {
                if letter == '█' {
                    *cell = letter;
                }
            }
        }
        let work: f64 = slots.iter().map(|(start, end)| end - start).sum();
        lines.push(format!(
            "{:name_width$}  {}  {}",
            words::one_line(&name, name_width.max(1)),
            drawn.into_iter().collect::<String>(),
            span(work)
        ));
    }
    lines.extend(called);
    lines
}

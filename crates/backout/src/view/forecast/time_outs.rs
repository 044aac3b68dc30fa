//! Which steps fail at their time-out, and what follows.

use anstyle::{AnsiColor, Style};

use backout_core::plan::Action;
use backout_forecast::finish::Figure;
use backout_forecast::learning::Basis;
use backout_forecast::outlook::{Now, Row};

use super::{Shown, chance, span};

/// From this share of the simulations on, a time-out is the first thing to say.
const CERTAIN: f64 = 0.5;
/// Below this share it is left out.
const NOTABLE: f64 = 0.01;

/// `13 % of simulations`.
fn share(value: f64) -> String {
    if value >= 1.0 {
        return "every simulation".to_owned();
    }
    format!("{} of simulations", chance(Figure { value, low: value, high: value }))
}

/// The steps whose time-out stops them, most likely first.
fn stopped<'a>(shown: &'a Shown<'_>) -> Vec<&'a Row> {
    let rows = shown.outlook.rows.iter();
    let mut rows: Vec<&Row> = rows.filter(|row| row.stopped >= NOTABLE).collect();
    rows.sort_by(|a, b| b.stopped.total_cmp(&a.stopped));
    rows
}

/// Steps that their time-out stops more often than not: nothing else in a forecast is
/// worth reading before that.
pub(super) fn certain_failures(shown: &Shown<'_>) -> Vec<String> {
    let red = Style::new().fg_color(Some(AnsiColor::Red.into())).bold();
    let mut lines: Vec<String> = stopped(shown)
        .into_iter()
        .filter(|row| row.stopped >= CERTAIN)
        .map(|row| {
            let [middle, _, sure] = row.takes;
            let takes = match sure > 1.05 * middle {
                true => format!("{} to {}", span(middle), span(sure)),
                false => span(middle),
            };
            format!(
                "{red}`{}` fails at its time-out{red:#} in {}: it takes {takes} and is stopped after {}. Raise its `{}`.",
                shown.steps[row.step].id,
                share(row.stopped),
                span(row.time_out.unwrap_or(0.0)),
                match shown.steps[row.step].action {
                    Action::Wait(_) => "up_to",
                    _ => "timeout",
                }
            )
        })
        .collect();
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}

/// Steps that their time-out may stop, what follows then, and those whose stated duration
/// is longer than their action may last.
pub(super) fn possible_failures(shown: &Shown<'_>) -> Vec<String> {
    let outlook = &shown.outlook;
    let yellow = Style::new().fg_color(Some(AnsiColor::Yellow.into())).bold();
    let mut lines: Vec<String> = stopped(shown)
        .into_iter()
        .filter(|row| row.stopped < CERTAIN)
        .map(|row| {
            let step = &shown.steps[row.step];
            let retries = if step.retry.is_some() { "`retry` repeats it; " } else { "" };
            let responds = step.owner.as_ref().and_then(|owner| shown.plan.roles.get(owner));
            let responds = responds.is_some_and(|role| role.responds.is_some());
            let helped = shown.plan.forecast.and_then(|said| said.help);
            let then = match (helped, responds) {
                (Some(help), false) => format!("a person repeats it after {help} (`forecast: help`)"),
                (Some(help), true) => format!(
                    "a person repeats it once its owner `responds`, at the earliest after {help} (`forecast: help`)"
                ),
                (None, true) => "a person repeats it once its owner `responds`".to_owned(),
                (None, false) => format!(
                    "a person repeats it after {} (assumed; `forecast: {{help: …}}` says how long)",
                    span(outlook.assumed.help)
                ),
            };
            format!(
                "{yellow}`{}` fails at its time-out{yellow:#} ({}) in {}; {retries}{then}.",
                step.id,
                span(row.time_out.unwrap_or(0.0)),
                share(row.stopped)
            )
        })
        .collect();
    if outlook.finish.unfinished() >= NOTABLE {
        lines.push(format!(
            "In {} a step fails in every attempt; these count as late.",
            share(outlook.finish.unfinished())
        ));
    }
    lines.extend(outlook.rows.iter().filter_map(|row| longer_than_its_action(shown, row)));
    lines
}

/// A duration stated longer than the action may last: the rest is taken for verification
/// and confirmation, which no time-out stops.
fn longer_than_its_action(shown: &Shown<'_>, row: &Row) -> Option<String> {
    let step = &shown.steps[row.step];
    let (time_out, high) = (row.time_out?, step.takes?.high().get().as_secs_f64());
    let stated = !matches!(row.basis, Basis::Measured(_)) && row.now == Now::Ahead;
    (stated && high > time_out && row.goes_on_after && row.stopped < CERTAIN).then(|| {
        format!(
            "`{}` is stated to take up to {} and its action is stopped after {}; the rest counts as verification and confirmation.",
            step.id,
            span(high),
            span(time_out)
        )
    })
}

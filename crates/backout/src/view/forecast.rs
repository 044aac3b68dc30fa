//! A forecast for people under stress, and for scripts.

mod json;
mod schedule;
mod time_outs;

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use backout_core::event::Instants;
use backout_core::ids::{ComponentId, OptionId};
use backout_core::plan::{Plan, Step};
use backout_core::state::RunState;
use backout_forecast::finish::Figure;
use backout_forecast::fix::{FixOrBack, Patience};
use backout_forecast::learning::Basis;
use backout_forecast::outlook::{Helper, Now, Outlook};
use backout_forecast::partial::Choice;

pub(crate) use json::{json, one_line_json};
use schedule::{gantt, people};
use time_outs::{certain_failures, possible_failures};

use super::table::columns;
use super::words;

/// Everything a forecast shows.
pub(crate) struct Shown<'a> {
    pub(crate) plan: &'a Plan,
    pub(crate) steps: &'a [Step],
    pub(crate) doer: Vec<Option<String>>,
    pub(crate) run: Option<String>,
    /// Whether the run is held.
    pub(crate) held: bool,
    pub(crate) option: Option<OptionId>,
    pub(crate) only: Vec<String>,
    pub(crate) outlook: Outlook,
    pub(crate) others: Vec<(Option<OptionId>, Outlook)>,
    pub(crate) helpers: Vec<Helper>,
    pub(crate) rehearsals: Vec<(usize, f64)>,
    pub(crate) fix: Option<FixOrBack>,
    pub(crate) partial: Option<Vec<Choice<ComponentId>>>,
    pub(crate) zone: TimeZone,
    pub(crate) window: Instants,
}

impl Shown<'_> {
    /// A moment so many seconds from the forecast's.
    pub(crate) fn after(&self, seconds: f64) -> Timestamp {
        self.outlook.after(seconds)
    }

    /// A wall clock in the plan's zone, to the minute; with the date where it is
    /// another day than the forecast's. Rounded down: in doubt, earlier.
    pub(crate) fn clock(&self, at: Timestamp) -> String {
        let minute = Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at);
        backout_plan::times::wall_clock(minute, Some(&self.zone), Some(self.outlook.at))
    }

    /// The same for an end, rounded up, so that it is not shown too early.
    pub(crate) fn end_clock(&self, seconds: f64) -> String {
        if !seconds.is_finite() {
            return "never".to_owned();
        }
        self.clock(minute_up(self.after(seconds)))
    }

    pub(crate) fn title(&self) -> String {
        let change = &self.plan.change;
        match &self.run {
            Some(run) => format!("{} · {run}", change.title),
            None => match &change.id {
                Some(id) => format!("{} · {id}", change.title),
                None => change.title.clone(),
            },
        }
    }

    /// Which way back, in words.
    pub(crate) fn way(&self) -> String {
        let count = self.outlook.rows.len();
        let steps = if count == 1 { "1 step".to_owned() } else { format!("{count} steps") };
        let left = if self.run.is_some() { " left" } else { "" };
        let option = self.option.as_ref().map_or(String::new(), |id| format!("option {id}, "));
        let only = match self.only.is_empty() {
            true => String::new(),
            false => format!("only {}, ", self.only.join(", ")),
        };
        format!("{option}{only}{steps}{left}")
    }
}

/// The whole minute at or after a moment.
fn minute_up(at: Timestamp) -> Timestamp {
    let seconds = at.as_second() + i64::from(at.subsec_nanosecond() > 0);
    Timestamp::from_second(seconds + (-seconds).rem_euclid(60)).unwrap_or(at)
}

/// Seconds as people say them, with the digits they deserve.
pub(crate) fn span(seconds: f64) -> String {
    if !seconds.is_finite() {
        return "never".to_owned();
    }
    let seconds = seconds.max(0.0);
    let rounded = match seconds {
        s if s < 60.0 => s.round(),
        s if s < 600.0 => (s / 10.0).round() * 10.0,
        s => (s / 60.0).round() * 60.0,
    };
    match rounded {
        r if r < 1.0 => "0s".to_owned(),
        r => words::length(Duration::from_secs_f64(r)),
    }
}

/// A probability, never rounded to certainty.
pub(crate) fn chance(figure: Figure) -> String {
    let share = figure.value;
    match share {
        s if s >= 0.9995 => "more than 99.9 %".to_owned(),
        s if s < 0.0005 => "less than 0.1 %".to_owned(),
        s if s < 0.01 => "less than 1 %".to_owned(),
        s if s > 0.99 => format!("{:.1} %", (s * 1000.0).floor() / 10.0),
        s => format!("{:.0} %", (s * 100.0).floor()),
    }
}

/// A share in percent, with the digits it was written with.
pub(crate) fn percent(share: f64) -> String {
    let text = format!("{:.6}", share * 100.0);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// `100,000 simulations`.
fn simulations(outlook: &Outlook) -> String {
    let digits = outlook.finish.nights().to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} simulations")
}

fn style(colour: AnsiColor) -> Style {
    Style::new().fg_color(Some(colour.into())).bold()
}

/// How good a chance is: red, yellow, green. The words say it too.
fn mood(share: f64, confidence: f64) -> Style {
    match share {
        s if s >= confidence => style(AnsiColor::Green),
        s if s >= 0.5 => style(AnsiColor::Yellow),
        _ => style(AnsiColor::Red),
    }
}

/// What a run's forecast says in one line, for whoever watches it.
pub(crate) fn one_line(outlook: &Outlook, state: &RunState, zone: &TimeZone) -> String {
    let clock = |seconds: f64| {
        if !seconds.is_finite() {
            return "never".to_owned();
        }
        let at = minute_up(outlook.after(seconds)).to_zoned(zone.clone());
        let today = at.date() == outlook.at.to_zoned(zone.clone()).date();
        at.strftime(if today { "%H:%M" } else { "%a %-d %b %H:%M" }).to_string()
    };
    let (middle, sure) = (outlook.finish.quantile(0.5), outlook.finish.quantile(0.95));
    let stuck = outlook.rows.iter().any(|row| row.now == Now::Stuck);
    let forward = state.release().goes_forward();
    let unless = match (forward, state.held().is_some(), stuck) {
        (true, ..) => ", if backed out now",
        (false, true, _) => ", assuming the run resumes now",
        (false, false, true) => ", assuming the failed step is fixed now",
        (false, false, false) => "",
    };
    let mut line = format!(
        "forecast{unless}: done by {} (P50), by {} (P95)",
        clock(middle.high),
        clock(sure.high)
    );
    if let (Some(spare), Some(in_time)) = (spare(outlook), outlook.in_time) {
        let mood = mood(in_time.value, outlook.confidence);
        let room = match spare > 0.0 {
            true => format!("a decision may take {}", span(spare)),
            false => "no time left to decide".to_owned(),
        };
        line.push_str(&format!(" · {mood}{} in time{mood:#} · {room}", chance(in_time)));
    }
    line
}

/// How long a decision may take, seconds; negative when there is no time left.
pub(crate) fn spare(outlook: &Outlook) -> Option<f64> {
    let room = outlook.deadline?.duration_since(outlook.at).as_secs_f64();
    Some(room - outlook.finish.quantile(outlook.confidence).high)
}

/// The whole forecast as lines.
pub(crate) fn lines(shown: &Shown<'_>, width: usize) -> Vec<String> {
    let mut lines = headline(shown);
    lines.push(String::new());
    lines.extend(gantt(shown, width));
    lines.extend(people(shown, width));
    lines.extend(others(shown));
    lines.extend(along(shown));
    lines.extend(fix(shown));
    lines.extend(partial(shown));
    lines.extend(matters(shown));
    lines.extend(footing(shown));
    lines
}

fn headline(shown: &Shown<'_>) -> Vec<String> {
    let outlook = &shown.outlook;
    let bold = Style::new().bold();
    let mut lines = vec![
        format!("{bold}{}{bold:#}", shown.title()),
        format!("{}, {} as planned", shown.way(), span(outlook.planned_end)),
        String::new(),
    ];
    lines.extend(certain_failures(shown));
    let at = |share: f64| shown.end_clock(outlook.finish.quantile(share).high);
    let from = match &shown.run {
        Some(_) => "From now, finished by".to_owned(),
        None => {
            let day = outlook.at.to_zoned(shown.zone.clone()).strftime("%a %-d %b").to_string();
            format!("Invoked {day} at {}, finished by", shown.clock(outlook.at))
        }
    };
    lines.push(format!(
        "{from}: P50 {}, P80 {}, P95 {} ({})",
        at(0.5),
        at(0.8),
        at(0.95),
        simulations(outlook)
    ));
    if let (Some(by), Some(figure)) = (outlook.deadline, outlook.in_time) {
        let mood = mood(figure.value, outlook.confidence);
        lines.push(format!(
            "In time for {}: {mood}{}{mood:#}. The plan wants {} %.",
            shown.clock(by),
            chance(figure),
            percent(outlook.confidence)
        ));
    }
    lines.extend(possible_failures(shown));
    lines.push(String::new());
    match outlook.point_of_no_return {
        Some([_, low, high]) => {
            let error = high.duration_since(low).as_secs_f64() / 2.0;
            let passed = low < outlook.at;
            let mood = if passed { style(AnsiColor::Red) } else { bold };
            let said = if passed { " (that is past)" } else { "" };
            lines.push(format!(
                "{mood}Point of no return  {}{mood:#}{said}   invoked by then, in time in {} % of simulations (± {} from simulating)",
                shown.clock(low),
                percent(outlook.confidence),
                span(error)
            ));
            match (outlook.decide_by, outlook.deciding) {
                (Some(decide), Some(deciding)) => lines.push(format!(
                    "{mood}Ask for the decision by  {}{mood:#}   deciding may take {}",
                    shown.clock(decide),
                    span(deciding)
                )),
                _ => lines.push(
                    "Ask for the decision by: unknown; the plan does not say how long deciding takes (`decision: … within`)"
                        .to_owned(),
                ),
            }
        }
        None if outlook.never => lines.push(format!(
            "{red}No invocation from now on ends in time{red:#} with the confidence the plan wants.",
            red = style(AnsiColor::Red)
        )),
        None if outlook.deadline.is_none() => lines.push(
            "Point of no return: unknown; the plan does not say by when the backout must be finished (`window: {backout_by: …}`)"
                .to_owned(),
        ),
        None => {}
    }
    for row in outlook.rows.iter().filter(|row| row.now == Now::Stuck) {
        lines.push(format!(
            "{red}{} has failed or is in doubt{red:#}; the forecast assumes that it is repeated in {}.",
            shown.steps[row.step].id,
            span(outlook.assumed.help),
            red = style(AnsiColor::Red)
        ));
    }
    if shown.held {
        lines.push("The run is on hold; the forecast assumes that it resumes now.".to_owned());
    }
    for row in outlook.rows.iter().filter(|row| row.outlasted) {
        lines.push(format!(
            "{red}{} has been running for longer than was thought possible{red:#}; it is as likely as not to take as long again.",
            shown.steps[row.step].id,
            red = style(AnsiColor::Red)
        ));
    }
    lines
}

/// Every option side by side.
fn others(shown: &Shown<'_>) -> Vec<String> {
    if shown.others.is_empty() {
        return Vec::new();
    }
    let mut rows = vec![
        ["option", "planned", "P95", "in time", "point of no return"].map(str::to_owned).to_vec(),
    ];
    let first = std::iter::once((&shown.option, &shown.outlook));
    for (option, outlook) in first.chain(shown.others.iter().map(|(id, outlook)| (id, outlook))) {
        rows.push(vec![
            option.as_ref().map_or("(all steps)".to_owned(), ToString::to_string),
            span(outlook.planned_end),
            span(outlook.finish.quantile(0.95).high),
            outlook.in_time.map_or("-".to_owned(), chance),
            outlook.point_of_no_return.map_or("-".to_owned(), |[_, low, _]| shown.clock(low)),
        ]);
    }
    let mut lines = vec![String::new(), "The ways back".to_owned()];
    lines.extend(columns(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

fn along(shown: &Shown<'_>) -> Vec<String> {
    let along = &shown.outlook.along;
    if along.len() < 2 {
        return Vec::new();
    }
    let mut lines = vec![String::new(), "If it is invoked at".to_owned()];
    for moment in along {
        let share = moment.in_time.value;
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
        let cells = (share * 20.0).floor() as usize;
        let mood = mood(share, shown.outlook.confidence);
        let drawn: String =
            std::iter::repeat_n('█', cells).chain(std::iter::repeat_n('·', 20 - cells)).collect();
        lines.push(format!(
            "  {}  {mood}{drawn}{mood:#}  {}",
            shown.clock(moment.at),
            chance(moment.in_time)
        ));
    }
    lines
}

fn fix(shown: &Shown<'_>) -> Vec<String> {
    let Some(fix) = &shown.fix else { return Vec::new() };
    let late = |p: &Patience| chance(Figure { value: 1.0 - p.late, low: 0.0, high: 0.0 });
    let mut rows = vec![
        ["", "in time", "expected downtime"].map(str::to_owned).to_vec(),
        vec!["go back now".to_owned(), late(&fix.back), span(fix.back.down)],
    ];
    let best = fix.give_up;
    if let Some(best) = best {
        rows.push(vec![
            format!("fix, give up at {}", shown.clock(shown.after(best.seconds))),
            late(&best),
            span(best.down),
        ]);
    }
    if let Some(last) = fix.curve.last() {
        rows.push(vec!["fix, never give up".to_owned(), late(last), span(last.down)]);
    }
    let mut lines = vec![String::new(), "Fix forward, or back out".to_owned()];
    lines.extend(columns(&rows).into_iter().map(|line| format!("  {line}")));
    lines.push(match best {
        Some(best) => format!(
            "A fix may be tried until {}; it succeeds by then in {} of simulations.{}",
            shown.clock(shown.after(best.seconds)),
            chance(Figure { value: best.fixed, low: 0.0, high: 0.0 }),
            match shown.outlook.deciding {
                Some(deciding) =>
                    format!(" After that, deciding to back out may take {}.", span(deciding)),
                None => String::new(),
            }
        ),
        None => "There is no time to try a fix first and keep what the plan wants.".to_owned(),
    });
    lines
}

fn partial(shown: &Shown<'_>) -> Vec<String> {
    let Some(choices) = &shown.partial else { return Vec::new() };
    let names = |ids: &[ComponentId]| match ids.is_empty() {
        true => "nothing".to_owned(),
        false => ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(", "),
    };
    let mut rows =
        vec![["keep", "back out", "sure within", "point of no return"].map(str::to_owned).to_vec()];
    for choice in choices {
        let until = choice.latest.map(|latest| shown.clock(shown.after(latest)));
        rows.push(vec![
            names(&choice.kept),
            names(&choice.back),
            span(choice.needed),
            until.unwrap_or_else(|| "unknown".to_owned()),
        ]);
    }
    let mut lines = vec![String::new(), "What could stay".to_owned()];
    lines.extend(columns(&rows).into_iter().map(|line| format!("  {line}")));
    lines
}

fn matters(shown: &Shown<'_>) -> Vec<String> {
    let outlook = &shown.outlook;
    let sure = outlook.finish.quantile(outlook.confidence).value;
    let mut lines = Vec::new();
    if !outlook.weights.is_empty() && sure.is_finite() {
        lines.extend([String::new(), "What matters most".to_owned()]);
    }
    let mut rows = Vec::new();
    // Where the sure finish is none, there is nothing to compare with.
    let comparable = outlook.weights.iter().filter(|weight| weight.good.is_finite());
    for weight in comparable.filter(|_| sure.is_finite()).take(3) {
        rows.push(vec![
            format!("  {}", shown.steps[weight.step].id),
            format!("on the critical path in {:.0} % of simulations", weight.critical * 100.0),
            format!(
                "at its P10 {} sooner, at its P90 {}",
                span(sure - weight.good),
                match weight.bad.is_finite() {
                    true => format!("{} later", span(weight.bad - sure)),
                    false => "it fails at its time-out".to_owned(),
                }
            ),
        ]);
    }
    lines.extend(columns(&rows));
    for helper in shown.helpers.iter().take(3) {
        lines.push(format!(
            "  One more person beside {} makes the confident finish {} sooner.",
            helper.who,
            span(helper.gain)
        ));
    }
    if !sure.is_finite() {
        return lines;
    }
    if !outlook.weights.is_empty() && shown.run.is_none() && shown.helpers.is_empty() {
        lines.push("  One more person would change nothing.".to_owned());
    }
    let worth = shown.rehearsals.iter().find(|(_, gain)| *gain > 0.01 * sure);
    match (worth, shown.rehearsals.last()) {
        (Some((times, gain)), _) => lines.push(format!(
            "  {} more that {} as expected would make the confident finish {} sooner.",
            if *times == 1 { "One rehearsal".to_owned() } else { format!("{times} rehearsals") },
            if *times == 1 { "goes" } else { "go" },
            span(*gain)
        )),
        (None, Some(_)) => lines.push(
            "  Rehearsals would not make it sooner; they would show whether what is stated is true."
                .to_owned(),
        ),
        (None, None) => {}
    }
    lines
}

fn footing(shown: &Shown<'_>) -> Vec<String> {
    let outlook = &shown.outlook;
    let measured =
        outlook.rows.iter().filter(|row| matches!(row.basis, Basis::Measured(_))).count();
    let odd: Vec<&str> = outlook
        .rows
        .iter()
        .filter(|row| matches!(row.basis, Basis::Measured(_)))
        .filter_map(|row| {
            let step = &shown.steps[row.step];
            let takes = step.takes?;
            let likely = takes.likely().get().as_secs_f64();
            let far = row.takes[0] < 0.4 * likely
                || row.takes[0] > 2.5 * takes.high().get().as_secs_f64();
            far.then_some(step.id.as_str())
        })
        .collect();
    let odd = match odd.is_empty() {
        true => String::new(),
        false => format!(
            " Measured far from what is stated: {}; one of the two is wrong.",
            odd.join(", ")
        ),
    };
    let (night, seen) = outlook.night;
    let nights = match seen {
        0 => "assumed".to_owned(),
        1 => "1 run measured".to_owned(),
        seen => format!("{seen} runs measured"),
    };
    vec![
        String::new(),
        format!(
            "Rests on: {measured} of {} durations measured, the rest as stated; shared slowdown {:.0} % ({nights}); stress ×{}; {}; {}, seed {}.{odd}",
            outlook.rows.len(),
            (night.exp() - 1.0) * 100.0,
            outlook.assumed.stress,
            match outlook.finish.unfinished() > 0.0 {
                true => "a step that fails in every attempt makes a simulation late",
                false => "every step succeeds in the end",
            },
            simulations(outlook),
            outlook.seed
        ),
    ]
}

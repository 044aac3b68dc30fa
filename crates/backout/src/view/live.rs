//! Watching a run: live on a terminal, one line per event elsewhere, JSON for scripts.

use std::io::IsTerminal;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;

use backout_core::ids::Seq;
use backout_core::question::questions;
use backout_core::record::Record;
use backout_core::reply::Reply;
use backout_core::state::RunState;
use backout_engine::clock::Clock;
use backout_engine::conductor::Observer;
use backout_exec::clock::SystemClock;
use backout_forecast::outlook::{History, Outlook};
use backout_sqlite::Holder;
use backout_watch::Board;

use super::answering::Prompt;
use super::release::as_it_stands;
use super::{asked, events, questions as wording, replies, status, words};
use crate::foresight::{HistoryForecaster, glance};
use crate::output;

/// A run being watched.
pub(crate) struct View {
    how: How,
    /// What steps took in earlier runs.
    forecaster: Arc<HistoryForecaster>,
    /// What was asked when it was last shown.
    asked: Vec<String>,
    /// When a line was last printed.
    printed: Instant,
}

/// How to show a run.
enum How {
    /// Redrawn in place.
    Live(Box<Live>),
    /// One line per event.
    Lines,
    /// One JSON object per event.
    Json,
}

impl View {
    pub(crate) fn choose(json: bool, plain: bool, forecaster: Arc<HistoryForecaster>) -> Self {
        let terminal = std::io::stdout().is_terminal()
            && std::env::var_os("TERM").is_some_and(|term| term != "dumb");
        let how = match (json, terminal && !plain) {
            (true, _) => How::Json,
            (false, true) => How::Live(Box::default()),
            (false, false) => How::Lines,
        };
        Self { how, forecaster, asked: Vec::new(), printed: Instant::now() }
    }

    pub(crate) fn is_live(&self) -> bool {
        matches!(self.how, How::Live(_))
    }

    /// Lets the person who looks on answer with these.
    pub(crate) fn answered_by(&mut self, prompt: Arc<Mutex<Prompt>>) {
        if let How::Live(live) = &mut self.how {
            live.prompt = Some(prompt);
        }
    }

    /// Shows what this watch measures, and not only what has changed.
    pub(crate) fn watched_by(&mut self, board: impl Fn() -> Board + Send + 'static) {
        if let How::Live(live) = &mut self.how {
            live.board = Some(Box::new(board));
        }
    }

    /// Leaves what was drawn last on the screen.
    pub(crate) fn end(&mut self, state: &RunState) {
        if let How::Live(live) = &mut self.how {
            live.draw(state, self.forecaster.history(), false);
        }
    }
}

impl Observer for View {
    fn record(&mut self, record: &Record, state: &RunState) {
        match &mut self.how {
            How::Live(live) => live.draw(state, self.forecaster.history(), true),
            How::Lines => {
                let lines = events::lines(record, Some(&state.planned().plan));
                if !lines.is_empty() {
                    output::print_record(state.run(), record.seq, joined(&lines));
                    self.printed = Instant::now();
                }
            }
            How::Json => {
                output::print_record(state.run(), record.seq, joined(&events::json(record)));
            }
        }
    }

    fn waits(&mut self, state: &RunState) {
        let questions = questions(state);
        // What is measured changes all the time; what is asked does not.
        let asked: Vec<String> = questions
            .iter()
            .flat_map(|question| &question.answers)
            .map(|reply| replies::command(reply, state.run().as_str()))
            .collect();
        if self.asked == asked {
            return;
        }
        self.asked = asked;
        match &self.how {
            How::Lines if !questions.is_empty() => {
                crate::say!("\nWaiting for:\n{}", joined(&wording::lines(state)));
                self.printed = Instant::now();
            }
            How::Json if !questions.is_empty() => {
                crate::say!("{}", events::waiting(state));
            }
            _ => {}
        }
    }

    fn tick(&mut self, state: &RunState) {
        match &mut self.how {
            How::Live(live) => live.draw(state, self.forecaster.history(), true),
            How::Lines if self.printed.elapsed() >= SILENCE => {
                self.printed = Instant::now();
                crate::say!("{}", events::still(state, SystemClock.now()));
            }
            How::Lines | How::Json => {}
        }
    }

    fn pulse(&self) -> Option<Duration> {
        match &self.how {
            // Somebody may be typing.
            How::Live(live) if live.prompt().is_some_and(|prompt| prompt.is_open()) => {
                Some(Duration::from_millis(50))
            }
            How::Live(_) => Some(Duration::from_millis(500)),
            How::Lines => Some(SILENCE),
            How::Json => None,
        }
    }
}

/// Each on a line of its own.
fn joined<T: std::fmt::Display>(lines: &[T]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// A run on a terminal.
#[derive(Default)]
pub(crate) struct Live {
    /// Where the person who looks on types, if they can.
    prompt: Option<Arc<Mutex<Prompt>>>,
    /// What the watch has seen.
    board: Option<Box<Boards>>,
    /// What the forecast said last.
    ahead: Option<Ahead>,
}

/// Tells what a watch has seen so far.
type Boards = dyn Fn() -> Board + Send;

/// What the forecast said.
struct Ahead {
    seq: Seq,
    at: Instant,
    outlook: Option<Result<Outlook, String>>,
}

/// How long lines may be silent before it is said what is waited for.
const SILENCE: Duration = Duration::from_secs(30);

/// How long a forecast is shown before it is made anew.
const FRESH: Duration = Duration::from_millis(500);

impl Live {
    fn prompt(&self) -> Option<MutexGuard<'_, Prompt>> {
        let prompt = self.prompt.as_ref()?;
        Some(prompt.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Forgets the forecast where it is old, or about something else.
    fn look_ahead(&mut self, state: &RunState, history: &History, now: Timestamp) {
        let known = self.ahead.as_ref();
        if !known.is_some_and(|known| known.seq == state.seq() && known.at.elapsed() < FRESH) {
            let outlook = glance(state, history, now);
            self.ahead = Some(Ahead { seq: state.seq(), at: Instant::now(), outlook });
        }
    }

    fn draw(&mut self, state: &RunState, history: &History, with_questions: bool) {
        let (width, height) = size();
        let now = SystemClock.now();
        self.look_ahead(state, history, now);
        let questions = if with_questions { questions(state) } else { Vec::new() };
        // Two rows stay free, so that nothing scrolls.
        let mut rows = height.saturating_sub(2);
        let mut end = Vec::new();
        if with_questions {
            if let Some(mut prompt) = self.prompt() {
                prompt.asked(&questions, state.run().as_str());
                end = typed(prompt.lines(), width, rows / 3);
            }
            end.push(match state.held() {
                None => "Ctrl-C pauses: running steps finish, no new ones start".to_owned(),
                Some(_) => "HELD. Ctrl-C again leaves the run; `backout resume` goes on".to_owned(),
            });
        }
        // What is asked takes the room it needs, and the run what is left.
        rows = rows.saturating_sub(end.len());
        let heading = match self.prompt.is_some() {
            true => "Waiting for an answer, here or from another terminal:",
            false => "Waiting for (answer from another terminal):",
        };
        let run = state.run().as_str();
        let number = |reply: &Reply| self.prompt().and_then(|prompt| prompt.number(reply, run));
        let asked = asked::fitting(state, &questions, &number, heading, (width, rows));
        rows = rows.saturating_sub(asked.len());
        let outlook = self.ahead.as_ref().and_then(|ahead| ahead.outlook.as_ref());
        let steps = rows.saturating_sub(7).max(3);
        let standing = self.board.as_ref().map(|board| as_it_stands(state, &board(), now));
        let state = standing.as_ref().unwrap_or(state);
        let here = Holder { id: "here".to_owned(), silent_for: Some(Duration::ZERO) };
        let mut lines = status::lines(state, Some(&here), now, outlook, width, steps);
        if with_questions {
            lines.truncate(rows);
        }
        lines.extend(asked);
        lines.extend(end);
        output::draw(lines);
    }
}

/// What is typed and what it came to, the last of it: the end of a long line is where
/// somebody writes.
fn typed(lines: Vec<String>, width: usize, rows: usize) -> Vec<String> {
    let Some((last, said)) = lines.split_last() else { return lines };
    let mut shown: Vec<String> =
        said.iter().flat_map(|line| asked::wrapped(line, width, 0, 2)).collect();
    shown.truncate(rows.max(2) - 1);
    let over = last.chars().count().saturating_sub(width);
    shown.push(match over {
        0 => last.clone(),
        _ => std::iter::once('…').chain(last.chars().skip(over + 1)).collect(),
    });
    shown
}

/// Cuts a line to the width of the terminal, so that it never wraps. Colour
/// sequences take no room.
pub(crate) fn fit(line: &str, width: usize) -> String {
    let mut out = String::new();
    let (mut used, mut in_sequence) = (0, false);
    for c in line.chars() {
        if in_sequence {
            in_sequence = c != 'm';
            out.push(c);
        } else if c == '\u{1b}' {
            in_sequence = true;
            out.push(c);
        } else if used < width {
            used += 1;
            out.push(c);
        }
    }
    out
}

/// Columns and rows of the terminal.
pub(crate) fn size() -> (usize, usize) {
    match rustix::termios::tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 0 => (usize::from(size.ws_col), usize::from(size.ws_row).max(10)),
        _ => (100, usize::MAX),
    }
}

/// How many seconds a step took, for the end of a run.
pub(crate) fn took(state: &RunState, index: usize) -> Option<Duration> {
    let known = &state.states()[index];
    known.started.zip(known.ended).map(|(from, to)| words::between(from, to))
}

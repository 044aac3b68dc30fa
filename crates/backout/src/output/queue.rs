//! A bounded queue of what is printed, and what it says where something was left out.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use backout_core::ids::{RunId, Seq};
use serde_json::json;

use crate::view::live::{fit, size};

/// The most that waits to be written, in bytes. What is printed last always has a place.
pub(super) const MOST: usize = 256 * 1024;

/// In which form it is told that something was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    /// A line for people.
    Lines,
    /// A JSON object with the positions of the records.
    Json,
}

/// Something to print.
#[derive(Debug)]
pub(super) struct Item {
    what: What,
    /// The record it shows.
    of: Option<(RunId, Seq)>,
}

#[derive(Debug)]
enum What {
    Text(String),
    /// Lines that are drawn over those of the last frame.
    Frame(Vec<String>),
}

impl Item {
    pub(super) fn text(text: String) -> Self {
        Self { what: What::Text(text), of: None }
    }

    pub(super) fn record(text: String, run: &RunId, seq: Seq) -> Self {
        Self { what: What::Text(text), of: Some((run.clone(), seq)) }
    }

    pub(super) fn frame(lines: Vec<String>) -> Self {
        Self { what: What::Frame(lines), of: None }
    }

    fn bytes(&self) -> usize {
        match &self.what {
            What::Text(text) => text.len(),
            What::Frame(lines) => lines.iter().map(String::len).sum(),
        }
    }
}

/// What was left out since the last item that was written.
#[derive(Debug, Default)]
struct Gap {
    lines: usize,
    /// The run and its first and last record that were left out.
    of: Option<(RunId, Seq, Seq)>,
}

impl Gap {
    fn add(&mut self, item: &Item) {
        match &item.what {
            What::Text(text) => self.lines += text.lines().count(),
            // The next frame shows all that this one did.
            What::Frame(_) => {}
        }
        if let Some((run, seq)) = &item.of {
            let (from, to) = match &self.of {
                Some((_, from, to)) => ((*from).min(*seq), (*to).max(*seq)),
                None => (*seq, *seq),
            };
            self.of = Some((run.clone(), from, to));
        }
    }

    /// The line that says so.
    fn told(&self, form: Form) -> String {
        let Self { lines, of } = self;
        match (form, of) {
            (Form::Lines, Some((run, ..))) => format!(
                "… {lines} lines left out: they were not read in time; `backout log {run}` has every event\n"
            ),
            (Form::Lines, None) => {
                format!("… {lines} lines left out: they were not read in time\n")
            }
            (Form::Json, Some((run, from, to))) => {
                let gap = json!({"from": from, "to": to});
                format!("{}\n", json!({"run": run, "event": "gap", "gap": gap, "lines": lines}))
            }
            // Of what is no record: what is asked now is asked again at the end.
            (Form::Json, None) => {
                format!("{}\n", json!({"event": "gap", "gap": null, "lines": lines}))
            }
        }
    }
}

/// What waits to be written to one output.
#[derive(Debug)]
pub(super) struct Queue {
    form: Form,
    inside: Mutex<Inside>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Inside {
    items: VecDeque<Item>,
    /// Of all items.
    bytes: usize,
    /// What was left out in front of them.
    gap: Gap,
    /// Whether the writer has something in hand.
    writes: bool,
    /// Whether the reader has gone away.
    closed: bool,
}

impl Queue {
    pub(super) fn new(form: Form) -> Self {
        Self { form, inside: Mutex::default(), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts an item at the end, and leaves out the oldest ones where there is no room. `false`
    /// when the reader has gone away.
    pub(super) fn put(&self, item: Item) -> bool {
        let mut inside = self.lock();
        if inside.closed {
            return false;
        }
        // A frame that was not written yet is of no use any more.
        if let (What::Frame(_), Some(Item { what: What::Frame(_), .. })) =
            (&item.what, inside.items.back())
            && let Some(old) = inside.items.pop_back()
        {
            inside.bytes -= old.bytes();
        }
        inside.bytes += item.bytes();
        inside.items.push_back(item);
        while inside.bytes > MOST && inside.items.len() > 1 {
            let Some(old) = inside.items.pop_front() else { break };
            inside.bytes -= old.bytes();
            inside.gap.add(&old);
        }
        self.changed.notify_all();
        true
    }

    /// The reader has gone away: nothing is kept for it.
    pub(super) fn close(&self) {
        let mut inside = self.lock();
        *inside = Inside { closed: true, ..Inside::default() };
        self.changed.notify_all();
    }

    /// Writes whatever comes, until the reader goes away.
    pub(super) fn write_all(&self, mut target: impl Write) {
        let mut drawn = 0;
        loop {
            let item = self.next();
            let text = match item.what {
                What::Text(text) => text,
                What::Frame(lines) => over(&mut drawn, &lines),
            };
            // Line by line: a pipe takes a line whole or not at all, up to 4 KiB, so that a
            // process that ends while nobody reads leaves no half of one.
            let written = text
                .split_inclusive('\n')
                .try_for_each(|line| target.write_all(line.as_bytes()))
                .and_then(|()| target.flush());
            if written.is_err() {
                return self.close();
            }
            self.lock().writes = false;
            self.changed.notify_all();
        }
    }

    /// The next item, or the gap in front of it.
    fn next(&self) -> Item {
        let mut inside = self.lock();
        loop {
            if inside.gap.lines > 0 {
                let gap = std::mem::take(&mut inside.gap);
                inside.writes = true;
                return Item::text(gap.told(self.form));
            }
            if let Some(item) = inside.items.pop_front() {
                inside.bytes -= item.bytes();
                inside.writes = true;
                return item;
            }
            inside = self.changed.wait(inside).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// Waits until everything is written, or the reader has gone away, or that moment comes.
    pub(super) fn drain(&self, until: Instant) {
        let mut inside = self.lock();
        while !inside.closed && (inside.writes || inside.gap.lines > 0 || !inside.items.is_empty())
        {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return;
            }
            let waited = self.changed.wait_timeout(inside, left);
            inside = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// These lines over those drawn before, of which there were `drawn`.
pub(super) fn over(drawn: &mut usize, lines: &[String]) -> String {
    let (width, height) = size();
    let shown = &lines[..lines.len().min(height.saturating_sub(2))];
    let mut text = String::new();
    if *drawn > 0 {
        // Up to the first line of what was drawn, and clear from there.
        text.push_str(&format!("\u{1b}[{drawn}F\u{1b}[J"));
    }
    for line in shown {
        text.push_str(&fit(line, width));
        text.push('\n');
    }
    *drawn = shown.len();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run() -> RunId {
        RunId::of_change("CHG1", 1)
    }

    fn record(seq: u64, bytes: usize) -> Item {
        Item::record(format!("{seq}{}\n", "x".repeat(bytes)), &run(), Seq(seq))
    }

    fn texts(queue: &Queue) -> Vec<String> {
        let mut texts = Vec::new();
        while !queue.lock().items.is_empty() || queue.lock().gap.lines > 0 {
            match queue.next().what {
                What::Text(text) => texts.push(text),
                What::Frame(lines) => texts.extend(lines),
            }
        }
        texts
    }

    #[test]
    fn what_fits_is_kept_in_order() {
        let queue = Queue::new(Form::Json);
        (1..=9).for_each(|seq| assert!(queue.put(record(seq, 10))));
        let texts = texts(&queue);
        assert_eq!(texts.len(), 9);
        assert!(texts.iter().all(|text| !text.contains("gap")));
    }

    #[test]
    fn the_oldest_go_first_and_their_positions_are_told() {
        let queue = Queue::new(Form::Json);
        (1..=9).for_each(|seq| assert!(queue.put(record(seq, MOST / 4))));
        let texts = texts(&queue);
        let gap: serde_json::Value = serde_json::from_str(&texts[0]).expect("JSON");
        let kept: Vec<u64> = texts[1..]
            .iter()
            .map(|text| text.trim_end().trim_end_matches('x').parse().expect("a position"))
            .collect();
        assert_eq!(gap["gap"]["from"], 1);
        assert_eq!(gap["gap"]["to"], kept[0] - 1);
        assert_eq!(gap["lines"], kept[0] - 1);
        assert_eq!(kept.last(), Some(&9));
    }

    #[test]
    fn the_last_item_stays_whatever_its_size() {
        let queue = Queue::new(Form::Lines);
        queue.put(record(1, 10));
        queue.put(record(2, MOST * 2));
        let texts = texts(&queue);
        assert!(texts[0].contains("1 lines left out"), "{}", texts[0]);
        assert!(texts[1].starts_with('2'));
    }

    #[test]
    fn a_frame_replaces_the_one_before_and_is_no_gap() {
        let queue = Queue::new(Form::Lines);
        queue.put(Item::frame(vec!["old".to_owned()]));
        queue.put(Item::frame(vec!["new".to_owned()]));
        assert_eq!(texts(&queue), ["new"]);
    }

    #[test]
    fn nothing_is_kept_for_a_reader_that_has_gone() {
        struct Gone;
        impl Write for Gone {
            fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
                Err(std::io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> std::io::Result<()> {
                Ok(())
            }
        }
        let queue = Queue::new(Form::Lines);
        queue.put(record(1, 10));
        queue.write_all(Gone);
        assert!(!queue.put(record(2, 10)));
        queue.drain(Instant::now());
    }
}

//! Times, durations and colours for people.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use backout_core::plan::Plan;
use backout_core::status::Status;
use backout_plan::times;

/// Headings.
pub(crate) fn bold() -> Style {
    Style::new().bold()
}

/// What matters less.
pub(crate) fn dim() -> Style {
    Style::new().dimmed()
}

/// What is wrong.
pub(crate) fn red() -> Style {
    Style::new().bold().fg_color(Some(AnsiColor::Red.into()))
}

/// What needs a look.
pub(crate) fn yellow() -> Style {
    Style::new().bold().fg_color(Some(AnsiColor::Yellow.into()))
}

/// The plan's time zone.
pub(crate) fn zone(plan: &Plan) -> TimeZone {
    let named = plan.window.as_ref().and_then(times::zone_of);
    named.unwrap_or(TimeZone::UTC)
}

/// `02:14:07` on the plan's clock.
pub(crate) fn clock(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `Sat 6 Jun 2026 02:14 BST` on the plan's clock.
pub(crate) fn moment(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%a %-d %b %Y %H:%M:%S %Z").to_string()
}

/// A length of time with the precision it deserves: `40ms`, `4.2s`, `3m10s`, `1h05m`.
pub(crate) fn length(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0 => format!("{}ms", duration.as_millis()),
        1..10 => format!("{:.1}s", duration.as_secs_f64()),
        10..60 => format!("{seconds}s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        60..3600 => format!("{}m{:02}s", seconds / 60, seconds % 60),
        3600..172_800 => format!("{}h{:02}m", seconds / 3600, seconds / 60 % 60),
        _ => format!("{}d{}h", seconds / 86_400, seconds / 3600 % 24),
    }
}

/// The time between two instants; nothing if the clock went backwards.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// How much time is left until the backout must be finished.
pub(crate) fn time_left(by: Timestamp, now: Timestamp) -> String {
    if now <= by {
        format!("{} left", length(between(now, by)))
    } else {
        format!("{} too late", length(between(by, now)))
    }
}

/// How many columns the terminal has; 100 where there is none.
pub(crate) fn width() -> usize {
    let size = rustix::termios::tcgetwinsize(std::io::stdout());
    size.map_or(100, |size| usize::from(size.ws_col)).clamp(60, 160)
}

/// The colour of a status.
pub(crate) fn style(status: Status) -> Style {
    let plain = Style::new();
    let colour = |colour: AnsiColor| plain.fg_color(Some(colour.into()));
    match status {
        Status::Pending => plain.dimmed(),
        Status::Running | Status::Verifying => colour(AnsiColor::Cyan).bold(),
        Status::Succeeded => colour(AnsiColor::Green),
        Status::Failed => colour(AnsiColor::Red).bold(),
        Status::InDoubt | Status::Held => colour(AnsiColor::Magenta).bold(),
        Status::Skipped => colour(AnsiColor::Yellow),
    }
}

/// A sign for a status that does not rest on colour.
pub(crate) fn sign(status: Status) -> &'static str {
    match status {
        Status::Pending => "·",
        Status::Running => "▶",
        Status::Verifying => "?",
        Status::Succeeded => "✓",
        Status::Failed => "✗",
        Status::InDoubt => "!",
        Status::Held => "‖",
        Status::Skipped => "-",
    }
}

/// The first line, cut to a number of characters.
pub(crate) fn one_line(text: &str, most: usize) -> String {
    let line = text.trim().lines().next().unwrap_or_default();
    let line = backout_exec::terminal::printable(line);
    match line.chars().count() <= most {
        true => line,
        false => line.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
    }
}

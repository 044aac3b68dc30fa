//! Steps that may be tried again: how long all tries take together.

use crate::learning::{Assumptions, Known};
use crate::network::Duration;
use crate::table::{POINTS, Table, point};

/// How sure we are without measurements that a try does not fail: one in twenty,
/// worth ten tries.
const FAILS: (f64, f64) = (0.5, 9.5);

/// The time of all tries together: the next one begins when one has failed.
pub(crate) fn with_retries(duration: Duration, known: &Known, assumed: &Assumptions) -> Duration {
    // A try that is cut off at its time-out has not done its work: it is another
    // failed one.
    let cut_off = match known.time_out.is_finite() {
        true => {
            1.0 - duration
                .table
                .probability((duration.cap - duration.offset) / duration.scale.max(1e-9))
        }
        false => 0.0,
    };
    let (most, pause) = match known.retry {
        Some(retry) => retry,
        None if known.failed > 0 || cut_off > 0.001 => (3, assumed.help),
        None => return duration,
    };
    let may_fail = known.retry.is_some() || known.failed > 0;
    let (mut fails, holds) = (
        FAILS.0 + f64::from(known.failed),
        FAILS.1 + f64::from(known.tried.saturating_sub(known.failed)),
    );
    // The probability of exactly k failures before a success; Beta-distributed
    // chances make it a product of odds.
    let (mut weights, mut left) = (Vec::new(), 1.0);
    for _ in 1..most.clamp(1, 20) {
        let own = if may_fail { fails / (fails + holds) } else { 0.0 };
        let fail = own + (1.0 - own) * cut_off;
        weights.push(left * (1.0 - fail));
        left *= fail;
        fails += 1.0;
        if left < 1e-7 {
            break;
        }
    }
    weights.push(left);
    let tries = weights.len() as f64;
    let cap = duration.cap * tries + pause * (tries - 1.0);
    let first = if may_fail { FAILS.0 + f64::from(known.failed) } else { 0.0 };
    let own = first / (first + holds);
    let table = sum_of_tries(&duration, &weights, pause, own, cut_off);
    Duration { cap, feels_the_night: duration.feels_the_night, ..Duration::of(table) }
}

/// Cells on which sums of durations are worked out.
const CELLS: usize = 1024;

/// `own` is the chance that a try fails by itself after its time, `cut_off` that it
/// reaches its time-out.
fn sum_of_tries(duration: &Duration, weights: &[f64], pause: f64, own: f64, cut_off: f64) -> Table {
    // Beside a long pause a short try needs no finer cells than the pause.
    let longest = duration.quantile(1.0 - 1e-6).min(duration.cap) * 1.0001;
    let top = longest.max(pause).max(0.001);
    let width = top / CELLS as f64;
    let cell_of = |seconds: f64| {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "not negative")]
        let cell = (seconds / width) as usize;
        cell
    };
    let mut once = vec![0.0; CELLS + 1];
    const PARTS: usize = 8192;
    for part in 0..PARTS {
        let seconds = duration.quantile((part as f64 + 0.5) / PARTS as f64);
        once[cell_of(seconds).min(CELLS)] += 1.0 / PARTS as f64;
    }
    let gap = cell_of(pause);
    // A try that works ends before the time-out; one that does not takes its own
    // time or all of it.
    let limit = cell_of(duration.cap.min(top)).min(CELLS);
    let (mut works, mut fails) = (once.clone(), once.clone());
    if cut_off > 0.0 {
        works[limit..].fill(0.0);
        let all: f64 = works.iter().sum();
        if all > 0.0 {
            works.iter_mut().for_each(|p| *p /= all);
        } else {
            works[limit] = 1.0;
        }
        let of_own = own / (own + (1.0 - own) * cut_off);
        fails.iter_mut().for_each(|p| *p *= of_own);
        fails[limit] += 1.0 - of_own;
    }
    let joined = |first: &[f64], then: &[f64], gap: usize| {
        let mut sum = vec![0.0; first.len() + gap + then.len()];
        for (i, p) in first.iter().enumerate().filter(|(_, p)| **p > 0.0) {
            then.iter().enumerate().for_each(|(j, q)| sum[i + j + gap] += p * q);
        }
        sum
    };
    let mut all: Vec<f64> = Vec::new();
    // The time of the failures so far, with the pause behind each.
    let mut failed: Vec<f64> = vec![1.0];
    for (failures, weight) in weights.iter().enumerate() {
        if failures > 0 {
            failed = joined(&failed, &fails, gap);
        }
        let tries = joined(&failed, &works, 0);
        all.resize(all.len().max(tries.len()), 0.0);
        all.iter_mut().zip(&tries).for_each(|(sum, p)| *sum += weight * p);
    }
    let mut below = Vec::with_capacity(all.len());
    let mut sum = 0.0;
    for p in &all {
        sum += p;
        below.push(sum);
    }
    // The far side counts from the top, so that its small numbers keep their digits.
    let mut above = vec![0.0; all.len() + 1];
    for cell in (0..all.len()).rev() {
        above[cell] = above[cell + 1] + all[cell];
    }
    let inside = |cell: usize, part: f64| width * (cell as f64 + part.clamp(0.0, 1.0));
    let lower: Vec<f64> = (0..POINTS)
        .map(|index| {
            let wanted = point(index) * sum;
            let cell = below.partition_point(|p| *p < wanted).min(all.len() - 1);
            inside(cell, 1.0 - (below[cell] - wanted) / all[cell].max(1e-300))
        })
        .collect();
    let upper: Vec<f64> = (0..POINTS)
        .map(|index| {
            let wanted = point(index) * sum;
            let cell = above.partition_point(|p| *p > wanted).clamp(1, all.len()) - 1;
            inside(cell, (above[cell] - wanted) / all[cell].max(1e-300))
        })
        .collect();
    Table::from_sides(&lower, &upper)
}

//! Try to repair first, or go back at once?
//!
//! Trying costs the time until one gives up. With a repair time `F`, a patience
//! `θ`, the time to go back `T` and a deadline `W`, all from now:
//!
//! * late: `P(F ≤ θ, F > W) + P(F > θ) · P(θ + D + T > W)`
//! * down: `E[min(F, θ)] + P(F > θ) · (D + E[T])`
//!
//! `D` is how long it takes to decide that the repair is given up: all who are asked one
//! after the other. Going back at once is decided already.

use crate::finish::Finish;
use crate::table::{Table, Tail};

/// What a patience leads to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Patience {
    /// How long to try, seconds.
    pub seconds: f64,
    /// The probability that the repair is done by then.
    pub fixed: f64,
    /// The probability of being neither repaired nor back by the deadline.
    pub late: f64,
    /// The expected time until it is repaired or back, seconds; infinite if the backout
    /// never ends. Simulations in which it fails are not in it.
    pub down: f64,
}

/// The comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct FixOrBack {
    /// Going back at once.
    pub back: Patience,
    /// Trying for longer and longer.
    pub curve: Vec<Patience>,
    /// The longest patience that still keeps the confidence, if any does.
    pub give_up: Option<Patience>,
}

/// Points of the repair time's distribution that stand for all of it.
const PLACES: usize = 400;

/// Compares. `deadline` is seconds from now, `deciding` how long giving up takes to decide,
/// `share` the confidence wanted, `step` the grid of patiences, seconds.
#[must_use]
pub fn fix_or_back(
    repair: &Table,
    back: &Finish,
    deadline: f64,
    deciding: f64,
    share: f64,
    step: f64,
) -> FixOrBack {
    let repairs: Vec<f64> = (0..PLACES)
        .map(|place| repair.quantile(Tail::at((place as f64 + 0.5) / PLACES as f64)))
        .collect();
    let mean_back = back.mean();
    let try_for = |theta: f64| {
        let fixed = repairs.partition_point(|time| *time <= theta);
        let too_late = repairs[..fixed].iter().filter(|time| **time > deadline).count();
        let fixed_share = fixed as f64 / PLACES as f64;
        let decided = if theta > 0.0 { deciding } else { 0.0 };
        let back_late = 1.0 - back.probability(deadline - theta - decided).value;
        let tried = repairs.iter().map(|time| time.min(theta)).sum::<f64>() / PLACES as f64;
        Patience {
            seconds: theta,
            fixed: fixed_share,
            late: too_late as f64 / PLACES as f64 + (1.0 - fixed_share) * back_late,
            down: match fixed_share < 1.0 {
                true => tried + (1.0 - fixed_share) * (decided + mean_back),
                false => tried,
            },
        }
    };
    let steps = (deadline.max(0.0) / step.max(1.0)).floor().min(10_000.0);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let steps = steps as usize;
    let curve: Vec<Patience> = (0..=steps).map(|index| try_for(index as f64 * step)).collect();
    // Going back must itself still be possible when one gives up.
    let latest = back.point_of_no_return(deadline, share).low - deciding;
    let good = |p: &&Patience| p.late <= 1.0 - share && p.seconds <= latest && p.seconds > 0.0;
    let give_up = curve.iter().rev().find(good).copied();
    FixOrBack { back: try_for(0.0), curve, give_up }
}

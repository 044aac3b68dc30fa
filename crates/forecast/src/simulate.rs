//! Ten thousand nights in a few milliseconds.
//!
//! A block of samples goes through the network step by step: for each step, the
//! block's starts (the latest end of what it waits for), the block's durations
//! (one random word and one table look-up each), the block's ends. Everything is
//! arrays of single-precision numbers that stay in the second-level cache, in
//! loops a compiler turns into vector instructions; there are three builds of
//! the same loops, for what the processor can do. No build fuses a product and a
//! sum, so all of them give the same bits.

use crate::attempts::{Attempts, Draw, Source, Tally};
use crate::network::Network;
use crate::random::{Stream, draw_words, probability};
use crate::table::{Lines, Table, Tail};

/// How to simulate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// What the random numbers come from.
    pub seed: u64,
    /// How many nights; rounded up to whole blocks.
    pub samples: usize,
    /// On how many threads; the result does not depend on it.
    pub threads: usize,
    /// Whether to count how often each step is critical.
    pub criticality: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { seed: 1, samples: 20_000, threads: 1, criticality: true }
    }
}

/// What came out.
#[derive(Debug, Clone)]
pub struct Simulated {
    /// When the last step ended, each night, sorted; seconds from now. Infinite where a
    /// step never ended.
    pub finishes: Vec<f32>,
    /// How often each step was on the chain that made the finish what it was, 0
    /// to 1. Empty if that was not asked for.
    pub critical: Vec<f64>,
    /// In which share of the simulations each step was stopped at its time-out, 0 to 1.
    pub stopped: Vec<f64>,
    /// In which share of them it never ended, 0 to 1.
    pub unfinished: Vec<f64>,
}

/// The key of the random numbers of the night itself.
const NIGHT: u64 = u64::MAX;

/// Cells in which "how much of this step's time is gone" is tabulated over nights.
const NIGHTS: usize = 256;

/// Past this share of a running step's distribution nothing is known any more:
/// it has outlasted what was thought possible.
pub(crate) const OUTLASTED: f64 = 0.995;

/// A step as the loops want it.
struct Step<'a> {
    draw: Draw<'a>,
    key: u64,
    release: f32,
    night: bool,
    attempts: Option<Attempts<'a>>,
    running: Option<Running>,
    before: Vec<u32>,
    slot: usize,
}

/// A step that is under way.
struct Running {
    elapsed: f32,
    /// The share of its distribution that lies before `elapsed`, at each of
    /// [`NIGHTS`] + 1 places of the night's distribution.
    gone: Vec<f32>,
    /// Its middle duration, if it may hang.
    hangs_from: Option<f32>,
}

/// The share of what begins that hangs: a person who does not answer, a process that
/// waits for a lock. It lasts longer than `t` with probability `middle / t`, so that
/// what has hung for an hour is as likely as not to hang for another one.
const HANGS: f32 = 0.005;

struct Compiled<'a> {
    steps: Vec<Step<'a>>,
    night: &'a Lines,
    /// Steps nobody waits for, by position in `steps`.
    last: Vec<usize>,
}

#[expect(clippy::cast_possible_truncation, reason = "seven digits are enough for a night")]
fn compile(network: &Network) -> Compiled<'_> {
    let mut place = vec![0_u32; network.activities.len()];
    for (position, &index) in network.order.iter().enumerate() {
        place[index] = position as u32;
    }
    let mut waited_for = vec![false; network.activities.len()];
    let steps: Vec<Step<'_>> = network
        .order
        .iter()
        .map(|&index| {
            let activity = &network.activities[index];
            let duration = &activity.duration;
            activity.before.iter().for_each(|&first| waited_for[place[first] as usize] = true);
            let night = duration.feels_the_night;
            let longest = if activity.elapsed.is_some() { f64::INFINITY } else { duration.cap };
            Step {
                draw: Draw::new(duration),
                key: activity.key,
                release: activity.release as f32,
                night,
                attempts: activity
                    .attempts
                    .as_ref()
                    .and_then(|attempts| Attempts::new(attempts, longest)),
                running: activity.elapsed.map(|elapsed| Running {
                    elapsed: elapsed as f32,
                    gone: gone(duration, elapsed, night.then_some(&network.night)),
                    hangs_from: activity.may_hang.then(|| duration.quantile(0.5) as f32),
                }),
                before: activity.before.iter().map(|&first| place[first]).collect(),
                slot: index,
            }
        })
        .collect();
    let last = (0..steps.len()).filter(|&position| !waited_for[position]).collect();
    Compiled { steps, night: network.night.lines(), last }
}

#[expect(clippy::cast_possible_truncation, reason = "a share needs no more digits")]
fn gone(duration: &crate::network::Duration, elapsed: f64, night: Option<&Table>) -> Vec<f32> {
    (0..=NIGHTS)
        .map(|cell| {
            let place = (cell as f64 / NIGHTS as f64).clamp(1e-4, 1.0 - 1e-4);
            let factor = night.map_or(1.0, |night| night.quantile(Tail::at(place)));
            if elapsed >= duration.cap {
                return 1.0;
            }
            let own = (elapsed / factor - duration.offset) / duration.scale;
            duration.table.probability(own) as f32
        })
        .collect()
}

/// Whether a running step has outlasted what was thought possible on a middling night.
#[must_use]
pub fn has_outlasted(duration: &crate::network::Duration, elapsed: f64, night: &Table) -> bool {
    let night = duration.feels_the_night.then_some(night);
    f64::from(gone(duration, elapsed, night)[NIGHTS / 2]) > OUTLASTED
}

/// Simulates a network.
#[must_use]
pub fn simulate(network: &Network, settings: Settings) -> Simulated {
    let compiled = compile(network);
    // A block's numbers should fill half of the second-level cache and no more.
    match compiled.steps.len() {
        0..=250 => run::<512>(&compiled, settings),
        251..=600 => run::<256>(&compiled, settings),
        601..=1000 => run::<128>(&compiled, settings),
        _ => run::<32>(&compiled, settings),
    }
}

fn run<const BLOCK: usize>(compiled: &Compiled<'_>, settings: Settings) -> Simulated {
    let blocks = settings.samples.max(1).div_ceil(BLOCK);
    let threads = settings.threads.clamp(1, blocks);
    let share = blocks.div_ceil(threads);
    let work = |first: usize| {
        let last = (first + share).min(blocks);
        part::<BLOCK>(compiled, settings, first as u64..last as u64)
    };
    let parts: Vec<Part> = if threads == 1 {
        vec![work(0)]
    } else {
        std::thread::scope(|scope| {
            let work = &work;
            let starts = (0..blocks).step_by(share);
            let handles: Vec<_> = starts.map(|first| scope.spawn(move || work(first))).collect();
            let joined = handles.into_iter().map(std::thread::ScopedJoinHandle::join);
            // A panic of a part is a panic of the whole.
            joined.map(|part| part.unwrap_or_else(|why| std::panic::resume_unwind(why))).collect()
        })
    };
    let mut critical = vec![0_u64; compiled.steps.len()];
    let mut tallies = vec![Tally::default(); compiled.steps.len()];
    let mut finishes = Vec::with_capacity(blocks * BLOCK);
    for part in parts {
        finishes.extend(part.finishes);
        critical.iter_mut().zip(part.critical).for_each(|(sum, count)| *sum += count);
        for (sum, tally) in tallies.iter_mut().zip(part.tallies) {
            sum.stopped += tally.stopped;
            sum.unfinished += tally.unfinished;
        }
    }
    let simulated = finishes.len() as f64;
    // Times are not negative, and so their bits are in the order of their values.
    let finishes: Vec<f32> = sorted(finishes).into_iter().map(f32::from_bits).collect();
    let counted = (blocks as u64).div_ceil(every(settings.samples)) * BLOCK as u64;
    let critical = match settings.criticality {
        true => critical.into_iter().map(|count| count as f64 / counted as f64).collect(),
        false => Vec::new(),
    };
    let share = |count: fn(&Tally) -> u64| -> Vec<f64> {
        tallies.iter().map(|tally| count(tally) as f64 / simulated).collect()
    };
    Simulated {
        finishes,
        critical,
        stopped: share(|tally| tally.stopped),
        unfinished: share(|tally| tally.unfinished),
    }
}

/// What some of the blocks came to; counts by step.
struct Part {
    finishes: Vec<u32>,
    critical: Vec<u64>,
    tallies: Vec<Tally>,
}

/// Criticality is a share of nights; twenty thousand tell it to a third of a
/// percent, so of many blocks every second to fourth is looked at.
fn every(samples: usize) -> u64 {
    match samples {
        0..40_000 => 1,
        40_000..80_000 => 2,
        _ => 4,
    }
}

/// Ascending: eleven bits at a time, lowest first. The nights come in no order at
/// all, and then this is several times faster than comparing.
fn sorted(mut numbers: Vec<u32>) -> Vec<u32> {
    const DIGIT: u32 = 11;
    let mut spare = vec![0; numbers.len()];
    for shift in [0, DIGIT, 2 * DIGIT] {
        let digit = |number: u32| (number >> shift) as usize & ((1 << DIGIT) - 1);
        let mut place = [0_usize; 1 << DIGIT];
        numbers.iter().for_each(|number| place[digit(*number)] += 1);
        let mut sum = 0;
        for place in &mut place {
            sum += std::mem::replace(place, sum);
        }
        for number in &numbers {
            let place = &mut place[digit(*number)];
            spare[*place] = *number;
            *place += 1;
        }
        std::mem::swap(&mut numbers, &mut spare);
    }
    numbers
}

/// Blocks one after the other, with the best instructions this processor has.
fn part<const BLOCK: usize>(
    compiled: &Compiled<'_>,
    settings: Settings,
    blocks: std::ops::Range<u64>,
) -> Part {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f")
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512dq")
            && is_x86_feature_detected!("avx512vl")
        {
            #[expect(unsafe_code, reason = "the processor was asked and has these instructions")]
            return unsafe { part_avx512::<BLOCK>(compiled, settings, blocks) };
        }
        if is_x86_feature_detected!("avx2") {
            #[expect(unsafe_code, reason = "the processor was asked and has these instructions")]
            return unsafe { part_avx2::<BLOCK>(compiled, settings, blocks) };
        }
    }
    part_plain::<BLOCK>(compiled, settings, blocks)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl")]
fn part_avx512<const BLOCK: usize>(
    compiled: &Compiled<'_>,
    settings: Settings,
    blocks: std::ops::Range<u64>,
) -> Part {
    part_plain::<BLOCK>(compiled, settings, blocks)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2")]
fn part_avx2<const BLOCK: usize>(
    compiled: &Compiled<'_>,
    settings: Settings,
    blocks: std::ops::Range<u64>,
) -> Part {
    part_plain::<BLOCK>(compiled, settings, blocks)
}

#[inline(always)]
fn later(a: f32, b: f32) -> f32 {
    if a > b { a } else { b }
}

#[inline(always)]
fn part_plain<const BLOCK: usize>(
    compiled: &Compiled<'_>,
    settings: Settings,
    blocks: std::ops::Range<u64>,
) -> Part {
    let count = compiled.steps.len();
    let counting = every(settings.samples);
    let mut finishes = Vec::with_capacity((blocks.end - blocks.start) as usize * BLOCK);
    let mut critical = vec![0_u64; count];
    let mut tallies = vec![Tally::default(); count];
    let mut ends = vec![[0.0_f32; BLOCK]; count];
    let mut marks = vec![[0_u32; BLOCK]; if settings.criticality { count } else { 0 }];
    let ordinary = [1.0_f32; BLOCK];
    for block in blocks {
        let mut night = [1.0_f32; BLOCK];
        // Where in its distribution the night lies, for steps under way.
        let mut place = [0.5_f32; BLOCK];
        let words = draw_words::<BLOCK>(&mut Stream::new(settings.seed, block, NIGHT));
        for sample in 0..BLOCK {
            night[sample] = compiled.night.draw(words[sample]);
            place[sample] = probability(words[sample]);
        }
        for (position, step) in compiled.steps.iter().enumerate() {
            let mut start = [step.release; BLOCK];
            for &first in &step.before {
                let end = &ends[first as usize];
                for sample in 0..BLOCK {
                    start[sample] = later(start[sample], end[sample]);
                }
            }
            let mut stream = Stream::new(settings.seed, block, step.key);
            let end = &mut ends[position];
            let factor = if step.night { &night } else { &ordinary };
            let mut taken = [0.0_f32; BLOCK];
            if let Some(running) = &step.running {
                still_running(step, running, &mut stream, factor, &place, &mut taken);
                start = [-running.elapsed; BLOCK];
            } else {
                let words = draw_words::<BLOCK>(&mut stream);
                // Copies, so that nothing can alias and the loop becomes gathers.
                let Draw { lines, scale, offset, cap } = step.draw;
                for sample in 0..BLOCK {
                    let drawn = (offset + scale * lines.draw(words[sample])) * factor[sample];
                    taken[sample] = if drawn < cap { drawn } else { cap };
                }
            }
            if let Some(attempts) = &step.attempts {
                let source = Source { seed: settings.seed, block, key: step.key };
                let tally = attempts.repeat(&step.draw, source, factor, &mut taken);
                tallies[step.slot].stopped += tally.stopped;
                tallies[step.slot].unfinished += tally.unfinished;
            }
            for sample in 0..BLOCK {
                end[sample] = start[sample] + taken[sample];
            }
            if step.running.is_some() {
                end.iter_mut().for_each(|end| *end = later(*end, 0.0));
            }
        }
        let mut finish = [0.0_f32; BLOCK];
        for &last in &compiled.last {
            for sample in 0..BLOCK {
                finish[sample] = later(finish[sample], ends[last][sample]);
            }
        }
        finishes.extend(finish.iter().map(|time| later(*time, 0.0).to_bits()));
        if settings.criticality && block % counting == 0 {
            mark_critical(compiled, &ends, &finish, &mut marks);
            for (position, step) in compiled.steps.iter().enumerate() {
                critical[step.slot] += u64::from(marks[position].iter().sum::<u32>());
            }
        }
    }
    Part { finishes, critical, tallies }
}

/// How long a step takes in all that began before now: its time so far is a fact, and
/// the rest is what its distribution holds beyond that, simulation by simulation.
fn still_running<const BLOCK: usize>(
    step: &Step<'_>,
    running: &Running,
    stream: &mut Stream,
    factor: &[f32; BLOCK],
    place: &[f32; BLOCK],
    taken: &mut [f32; BLOCK],
) {
    let words = draw_words::<BLOCK>(stream);
    let hanging: [u32; BLOCK] = match running.hangs_from {
        Some(_) => draw_words(stream),
        None => [0; BLOCK],
    };
    for sample in 0..BLOCK {
        let cell = place[sample] * NIGHTS as f32;
        let (left, part) = ((cell as usize).min(NIGHTS - 1), cell.fract());
        let gone = running.gone[left] * (1.0 - part) + running.gone[left + 1] * part;
        if let Some(middle) = running.hangs_from {
            // Of what has lasted this long, the share that hangs.
            let from = later(middle * factor[sample], f32::MIN_POSITIVE);
            let lasted = later(running.elapsed, from);
            let hangs = HANGS * gone * (from / lasted);
            let works = (1.0 - HANGS) * (1.0 - gone).max(0.0);
            if probability(hanging[sample]) * (hangs + works) < hangs {
                taken[sample] = lasted / probability(words[sample]);
                continue;
            }
        } else if f64::from(gone) > OUTLASTED {
            // It has outlasted what was thought possible: count as if it began anew.
            taken[sample] = running.elapsed + step.draw.take(words[sample], factor[sample]);
            continue;
        }
        let beyond = (1.0 - probability(words[sample])) * (1.0 - gone);
        let word = if beyond < 0.5 { (1 << 31) | ticks(beyond) } else { ticks(1.0 - beyond) };
        taken[sample] = later(step.draw.take(word, factor[sample]), running.elapsed);
    }
}

/// A distance from an end as the lower bits of a random word.
fn ticks(distance: f32) -> u32 {
    ((distance * 4_294_967_296.0) as u32).min(0x7fff_ffff)
}

/// Marks, backwards from the finish, each step whose end made the start of a
/// marked one.
#[inline(always)]
fn mark_critical<const BLOCK: usize>(
    compiled: &Compiled<'_>,
    ends: &[[f32; BLOCK]],
    finish: &[f32; BLOCK],
    marks: &mut [[u32; BLOCK]],
) {
    marks.iter_mut().for_each(|mark| *mark = [0; BLOCK]);
    for &last in &compiled.last {
        for sample in 0..BLOCK {
            marks[last][sample] = u32::from(ends[last][sample] == finish[sample]);
        }
    }
    for position in (0..compiled.steps.len()).rev() {
        let step = &compiled.steps[position];
        if step.running.is_some() || step.before.is_empty() {
            continue;
        }
        let own = marks[position];
        let mut start = [step.release; BLOCK];
        for &first in &step.before {
            let end = &ends[first as usize];
            for sample in 0..BLOCK {
                start[sample] = later(start[sample], end[sample]);
            }
        }
        for &first in &step.before {
            let (end, mark) = (&ends[first as usize], &mut marks[first as usize]);
            for sample in 0..BLOCK {
                mark[sample] |= own[sample] & u32::from(end[sample] == start[sample]);
            }
        }
    }
}

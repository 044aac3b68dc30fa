//! Shapes of distributions: normal, Student's t, PERT. Each as quantiles at
//! every cut of a [`Table`](crate::table::Table).
//!
//! Functions come from `libm`, in plain arithmetic, and not from the machine's
//! own library: the same plan and seed give the same numbers everywhere.

use std::f64::consts::FRAC_PI_2;
use std::sync::{Arc, LazyLock};

use crate::table::{POINTS, Tail, point};

/// Quantiles of a symmetrical distribution around zero: at each cut of the
/// lower side, the distance below zero, as a positive number.
pub(crate) type Deviations = Arc<[f64]>;

/// The standard normal quantile: Wichura's algorithm AS 241 (PPND16), Applied
/// Statistics 37(3), 1988; about 16 digits.
#[must_use]
pub fn normal_quantile(tail: Tail) -> f64 {
    let (w, sign) = match tail {
        Tail::Lower(w) => (w, -1.0),
        Tail::Upper(w) => (w, 1.0),
    };
    sign * normal_deviation(w)
}

fn ratio(numerator: &[f64], denominator: &[f64], x: f64) -> f64 {
    let horner = |terms: &[f64]| terms.iter().rev().fold(0.0, |sum, term| sum * x + term);
    horner(numerator) / horner(denominator)
}

/// How far below zero the normal quantile of `w` lies, for `w` up to one half.
fn normal_deviation(w: f64) -> f64 {
    const A: [f64; 8] = [
        3.387_132_872_796_366_5,
        133.141_667_891_784_38,
        1_971.590_950_306_551_3,
        13_731.693_765_509_46,
        45_921.953_931_549_87,
        67_265.770_927_008_7,
        33_430.575_583_588_13,
        2_509.080_928_730_122_7,
    ];
    const B: [f64; 8] = [
        1.0,
        42.313_330_701_600_91,
        687.187_007_492_057_9,
        5_394.196_021_424_751,
        21_213.794_301_586_597,
        39_307.895_800_092_71,
        28_729.085_735_721_943,
        5_226.495_278_852_545,
    ];
    const C: [f64; 8] = [
        1.423_437_110_749_683_5,
        4.630_337_846_156_546,
        5.769_497_221_460_691,
        3.647_848_324_763_204_5,
        1.270_458_252_452_368_4,
        0.241_780_725_177_450_6,
        0.022_723_844_989_269_184,
        7.745_450_142_783_414e-4,
    ];
    const D: [f64; 8] = [
        1.0,
        2.053_191_626_637_759,
        1.676_384_830_183_803_8,
        0.689_767_334_985_1,
        0.148_103_976_427_480_08,
        0.015_198_666_563_616_457,
        5.475_938_084_995_345e-4,
        1.050_750_071_644_416_9e-9,
    ];
    const E: [f64; 8] = [
        6.657_904_643_501_104,
        5.463_784_911_164_114,
        1.784_826_539_917_291_3,
        0.296_560_571_828_504_87,
        0.026_532_189_526_576_124,
        0.001_242_660_947_388_078_4,
        2.711_555_568_743_487_6e-5,
        2.010_334_399_292_288_1e-7,
    ];
    const F: [f64; 8] = [
        1.0,
        0.599_832_206_555_887_9,
        0.136_929_880_922_735_8,
        0.014_875_361_290_850_615,
        7.868_691_311_456_133e-4,
        1.846_318_317_510_054_8e-5,
        1.421_511_758_316_446e-7,
        2.044_263_103_389_939_8e-15,
    ];
    let q = 0.5 - w;
    if q <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * ratio(&A, &B, r);
    }
    let r = libm::sqrt(-libm::log(w));
    if r <= 5.0 { ratio(&C, &D, r - 1.6) } else { ratio(&E, &F, r - 5.0) }
}

static NORMAL: LazyLock<Deviations> =
    LazyLock::new(|| (0..POINTS).map(|index| normal_deviation(point(index))).collect());

/// The standard normal.
pub(crate) fn normal() -> Deviations {
    Arc::clone(&NORMAL)
}

/// Student's t with this many degrees of freedom.
///
/// The quantile solves `dz/du = 1/f(z)` from the median outwards (Steinbrecher &
/// Shaw, "Quantile mechanics", EJAM 19, 2008); in the logarithm of the tail it is
/// smooth. A Runge–Kutta step per cut is exact to nine digits in the body, and in
/// the far tail (one in a million, two degrees of freedom) still to four.
pub(crate) fn student(freedom: f64) -> Deviations {
    let half = 0.5 * (freedom + 1.0);
    let norm = libm::exp(libm::lgamma(half) - libm::lgamma(0.5 * freedom))
        / libm::sqrt(freedom * std::f64::consts::PI);
    // How fast the deviation grows as the logarithm of the tail falls.
    let rate = |w: f64, z: f64| w / (norm * libm::pow(1.0 + z * z / freedom, -half));
    let mut deviations = vec![0.0; POINTS];
    for index in (0..POINTS - 1).rev() {
        let (from, to) = (point(index + 1), point(index));
        let step = libm::log(from / to);
        let middle = libm::sqrt(from * to);
        let z = deviations[index + 1];
        let k1 = rate(from, z);
        let k2 = rate(middle, z + 0.5 * step * k1);
        let k3 = rate(middle, z + 0.5 * step * k2);
        let k4 = rate(to, z + step * k3);
        deviations[index] = z + step / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4);
    }
    deviations.into()
}

/// Cells in which the PERT density is integrated.
const CELLS: usize = 128;

/// `ln sin θ` and `ln cos θ` at each end and middle of each cell.
static ANGLES: LazyLock<Vec<(f64, f64)>> = LazyLock::new(|| {
    (0..=2 * CELLS)
        .map(|index| {
            let angle = FRAC_PI_2 * index as f64 / (2 * CELLS) as f64;
            (libm::log(libm::sin(angle)), libm::log(libm::cos(angle)))
        })
        .collect()
});

/// The PERT distribution over 0 to 1 with its mode at `mode`: a beta distribution
/// with α = 1 + 4·mode and β = 5 − 4·mode (Malcolm et al., Operations Research
/// 7(5), 1959). Quantiles at each cut of the lower and the upper side.
///
/// With x = sin²θ the density has no corners; it is integrated by Simpson's rule
/// and inverted by Newton's method on the cubic through values and slopes.
pub(crate) fn pert(mode: f64) -> (Vec<f64>, Vec<f64>) {
    let (alpha, beta) = (1.0 + 4.0 * mode, 5.0 - 4.0 * mode);
    let lower = pert_side(alpha, beta);
    let upper = pert_side(beta, alpha).into_iter().map(|x| 1.0 - x).collect();
    (lower, upper)
}

fn pert_side(alpha: f64, beta: f64) -> Vec<f64> {
    let (first, second) = (2.0 * alpha - 1.0, 2.0 * beta - 1.0);
    let mut density: Vec<f64> =
        ANGLES.iter().map(|(sine, cosine)| libm::exp(first * sine + second * cosine)).collect();
    // At both ends one of the logarithms is infinite and the density nothing.
    density[0] = 0.0;
    density[2 * CELLS] = 0.0;
    let width = FRAC_PI_2 / CELLS as f64;
    let mut below = vec![0.0; CELLS + 1];
    for cell in 0..CELLS {
        let simpson = density[2 * cell] + 4.0 * density[2 * cell + 1] + density[2 * cell + 2];
        below[cell + 1] = below[cell] + width / 6.0 * simpson;
    }
    let total = below[CELLS];
    // In the first cell the density is the power θ^(2α−1) and nothing else.
    let power = 2.0 * alpha;
    let mut cell = 0;
    (0..POINTS)
        .map(|index| {
            let wanted = point(index) * total;
            while cell + 1 < CELLS && below[cell + 1] < wanted {
                cell += 1;
            }
            let angle = if cell == 0 {
                width * libm::pow((wanted / below[1]).min(1.0), 1.0 / power)
            } else {
                let (low, high) = (below[cell], below[cell + 1]);
                let (slope, end) = (density[2 * cell] * width, density[2 * cell + 2] * width);
                let mut t = (wanted - low) / (high - low);
                for _ in 0..3 {
                    let rise = high - low;
                    let cubic = slope + end - 2.0 * rise;
                    let square = 3.0 * rise - 2.0 * slope - end;
                    let value = low + t * (slope + t * (square + t * cubic));
                    let steep = slope + t * (2.0 * square + 3.0 * t * cubic);
                    if steep > 0.0 {
                        t = (t - (value - wanted) / steep).clamp(0.0, 1.0);
                    }
                }
                width * (cell as f64 + t)
            };
            let sine = libm::sin(angle);
            sine * sine
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::Table;

    #[test]
    fn normal_quantiles_are_those_of_the_tables() {
        for (p, z) in [
            (0.5, 0.0),
            (0.95, 1.644_853_626_951_472_2),
            (0.975, 1.959_963_984_540_054),
            (0.999, 3.090_232_306_167_813),
            (0.000_001, -4.753_424_308_822_899),
        ] {
            assert!((normal_quantile(Tail::at(p)) - z).abs() < 1e-9, "{p}");
        }
    }

    /// Values from the tables in any statistics book.
    #[test]
    fn student_quantiles_are_those_of_the_tables() {
        for (freedom, p95, p99) in
            [(2.0, 2.919_986, 6.964_557), (5.0, 2.015_048, 3.364_930), (10.0, 1.812_461, 2.763_769)]
        {
            let z = student(freedom);
            let table = Table::from_sides(&z.iter().map(|z| -z).collect::<Vec<_>>(), &z);
            for (p, expected) in [(0.95, p95), (0.99, p99)] {
                let found = table.quantile(Tail::at(p));
                assert!((found - expected).abs() < 2e-3 * expected, "{freedom} {p}: {found}");
            }
        }
        // Exact, at the cuts: with two degrees of freedom z = (2u−1)/√(2u(1−u)).
        let z = student(2.0);
        for (index, digits) in [(0, 1e-4), (100, 1e-5), (400, 1e-7), (POINTS - 2, 1e-9)] {
            let u = point(index);
            let exact = (1.0 - 2.0 * u) / libm::sqrt(2.0 * u * (1.0 - u));
            assert!(
                (z[index] - exact).abs() < digits * (1.0 + exact),
                "{index}: {} {exact}",
                z[index]
            );
        }
    }

    #[test]
    fn pert_has_the_moments_of_its_beta() {
        for mode in [0.0, 0.1, 0.25, 0.5, 0.8, 1.0] {
            let (alpha, beta) = (1.0 + 4.0 * mode, 5.0 - 4.0 * mode);
            let (lower, upper) = pert(mode);
            let table = Table::from_sides(&lower, &upper);
            let mean = alpha / 6.0;
            let sd = libm::sqrt(alpha * beta / (36.0 * 7.0));
            assert!((table.mean() - mean).abs() < 1e-5, "{mode}: {} {mean}", table.mean());
            assert!((table.sd() - sd).abs() < 1e-4, "{mode}: {} {sd}", table.sd());
        }
        // With its mode at an end the distribution function is 1 − (1 − x)⁵.
        let (lower, upper) = pert(0.0);
        for index in [0, 50, 300, POINTS - 1] {
            let exact = 1.0 - libm::pow(1.0 - point(index), 0.2);
            assert!((lower[index] - exact).abs() < 1e-6, "{index}: {} {exact}", lower[index]);
            let exact = 1.0 - libm::pow(point(index), 0.2);
            assert!((upper[index] - exact).abs() < 1e-5, "{index}: {} {exact}", upper[index]);
        }
    }
}

//! The digamma and trigamma functions, for pooling variances.

/// ψ(x) for x > 0: recurrence up to 6, then the asymptotic series
/// (Abramowitz & Stegun 6.3.5, 6.3.18).
pub(crate) fn digamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 6.0 {
        sum -= 1.0 / x;
        x += 1.0;
    }
    let f = 1.0 / (x * x);
    let series = f * (1.0 / 12.0 - f * (1.0 / 120.0 - f * (1.0 / 252.0 - f / 240.0)));
    sum + libm::log(x) - 0.5 / x - series
}

/// ψ′(x) for x > 0 (Abramowitz & Stegun 6.4.6, 6.4.12).
pub(crate) fn trigamma(mut x: f64) -> f64 {
    let mut sum = 0.0;
    while x < 6.0 {
        sum += 1.0 / (x * x);
        x += 1.0;
    }
    let f = 1.0 / (x * x);
    sum + 1.0 / x + 0.5 * f + (1.0 / 6.0 - f * (1.0 / 30.0 - f * (1.0 / 42.0 - f / 30.0))) * f / x
}

/// The x with ψ′(x) = y, for y > 0: Newton's method on the reciprocal (Smyth,
/// SAGMB 3(1), 2004, appendix).
pub(crate) fn trigamma_inverse(y: f64) -> f64 {
    let mut x = 0.5 + 1.0 / y;
    for _ in 0..50 {
        let value = trigamma(x);
        // The derivative of trigamma, by a small difference that is exact enough.
        let h = 1e-5 * x;
        let slope = (trigamma(x + h) - trigamma(x - h)) / (2.0 * h);
        let change = value * (1.0 - value / y) / slope;
        x += change;
        if -change / x < 1e-8 {
            break;
        }
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        let euler = 0.577_215_664_901_532_9;
        let squared = std::f64::consts::PI * std::f64::consts::PI;
        assert!((digamma(1.0) + euler).abs() < 1e-8);
        assert!((digamma(0.5) + euler + 2.0 * libm::log(2.0)).abs() < 1e-8);
        assert!((trigamma(1.0) - squared / 6.0).abs() < 1e-7);
        assert!((trigamma(0.5) - squared / 2.0).abs() < 1e-7);
        for x in [0.3, 1.0, 4.0, 20.0] {
            assert!((trigamma_inverse(trigamma(x)) - x).abs() < 1e-4 * x, "{x}");
        }
    }
}

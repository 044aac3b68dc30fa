//! How others decide, rebuilt from their documented rules: a share above 5 % in a look.

/// Somebody else's rule.
pub(crate) struct Rival {
    pub(crate) name: &'static str,
    /// The first look at which it fires, over `(bad, total)` a minute.
    pub(crate) fires: fn(&[(f64, f64)]) -> Option<usize>,
}

pub(crate) fn rivals() -> [Rival; 6] {
    [
        Rival { name: "Argo limit 0", fires: |samples| argo(samples, 0) },
        Rival { name: "Argo limit 3", fires: |samples| argo(samples, 3) },
        Rival { name: "Flagger 5", fires: flagger },
        Rival { name: "Prom. for 2m", fires: |samples| prometheus(samples, 2) },
        Rival { name: "Prom. for 5m", fires: |samples| prometheus(samples, 5) },
        Rival { name: "CloudWatch 3/5", fires: cloudwatch },
    ]
}

/// The share over the last five minutes, as a `rate(…[5m])` gives it; none without events.
fn over_five(samples: &[(f64, f64)], look: usize) -> Option<f64> {
    let (bad, total) = samples[look.saturating_sub(4)..=look]
        .iter()
        .fold((0.0, 0.0), |(b, n), (bad, total)| (b + bad, n + total));
    (total > 0.0).then(|| bad / total)
}

/// Argo Rollouts: failed measurements are counted, never forgotten; NaN fails.
fn argo(samples: &[(f64, f64)], limit: u32) -> Option<usize> {
    let mut failed = 0;
    (0..samples.len()).position(|look| {
        failed += u32::from(over_five(samples, look).is_none_or(|share| share > 0.05));
        failed > limit
    })
}

/// Flagger: failed checks are counted, no data fails; rollback at five, over one minute.
fn flagger(samples: &[(f64, f64)]) -> Option<usize> {
    let mut failed = 0;
    samples.iter().position(|(bad, total)| {
        failed += u32::from(*total <= 0.0 || bad / total > 0.05);
        failed >= 5
    })
}

/// A Prometheus alert over `rate(…[5m])` with `for`: no data is no alert.
fn prometheus(samples: &[(f64, f64)], lasting: usize) -> Option<usize> {
    let mut since = None;
    (0..samples.len()).position(|look| {
        if over_five(samples, look).is_some_and(|share| share > 0.05) {
            let since = *since.get_or_insert(look);
            look - since >= lasting
        } else {
            since = None;
            false
        }
    })
}

/// CloudWatch: three of five one-minute data points; missing ones do not count.
fn cloudwatch(samples: &[(f64, f64)]) -> Option<usize> {
    (0..samples.len()).position(|look| {
        let last = &samples[look.saturating_sub(4)..=look];
        last.iter().filter(|(bad, total)| *total > 0.0 && bad / total > 0.05).count() >= 3
    })
}

"""What confseq and SciPy say about the figures of this crate.

Reads a JSON list of cases, `{"what": NAME, …}`, and prints the list of their values.
Nothing here knows how the crate computes: evidence is summed over every look at which
the trouble may have begun (the definition of the e-detector, no recursion), each term
from confseq's mixtures and martingales or SciPy's distributions; the analysis of
variance is SciPy's over single events; bounds are SciPy's and confseq's own. Needs confseq 0.0.11,
NumPy and SciPy >= 1.10.
"""

import json
import math
import sys
import types
import warnings

import numpy as np

# confseq was written for NumPy 1, and its betting module also draws: neither matters here.
if not hasattr(np, "float_"):
    np.float_ = np.float64
for name in ("matplotlib", "matplotlib.pyplot"):
    sys.modules.setdefault(name, types.ModuleType(name))

from confseq import betting, boundaries  # noqa: E402
from scipy import special, stats  # noqa: E402


def alternatives(case):
    """The shares looked for: those of the case, or the ones the manual names."""
    if case.get("alternatives"):
        return case["alternatives"]
    limit = case["limit"]
    named = {min(factor * limit, 0.9) for factor in (1.5, 2.0, 3.0, 5.0, 10.0)} | {0.5, 0.9}
    return sorted(share for share in named if share > limit) or [(limit + 1.0) / 2.0]


def rho_of(case):
    """The correlation of the case; unknown means the largest, where limit * k = 2."""
    return case["limit"] / (case["limit"] + 2.0) if case.get("rho") is None else case["rho"]


def detected(ratios):
    """ln of the mean over alternatives of sum_s prod_{t >= s} LR_t, after each look.

    `ratios[t, a]` is the log-likelihood ratio of look t for alternative a.
    """
    sums = np.vstack([np.zeros(ratios.shape[1]), np.cumsum(ratios, axis=0)])
    return [
        float(special.logsumexp(sums[now] - sums[:now]) - math.log(ratios.shape[1]))
        for now in range(1, len(sums))
    ]


def counts(case):
    samples = np.array(case["samples"], dtype=float)
    return samples[:, :1], samples[:, 1:]


def evidence_betabinom(case):
    """Likelihood ratios of scipy.stats.betabinom."""
    bad, total = counts(case)
    k = 1.0 / rho_of(case) - 1.0
    shares, limit = np.array([alternatives(case)]), case["limit"]
    ratios = stats.betabinom.logpmf(bad, total, shares * k, (1 - shares) * k)
    return detected(ratios - stats.betabinom.logpmf(bad, total, limit * k, (1 - limit) * k))


def evidence_binom(case):
    """Likelihood ratios of scipy.stats.binom: no correlation at all."""
    bad, total = counts(case)
    shares = np.array([alternatives(case)])
    return detected(
        stats.binom.logpmf(bad, total, shares) - stats.binom.logpmf(bad, total, case["limit"])
    )


def evidence_mixture(case):
    """Likelihood ratios of confseq's two-sided beta-binomial mixture.

    `beta_binomial_log_mixture(S - nm, nm(1-m), v_opt, m, 1-m)` is the logarithm of
    beta-binomial(mean m, k) over binomial(m), where k + 1 = v_opt / (m(1-m) C) with
    C = 2 ln(1/alpha_opt) + ln(1 + 2 ln(1/alpha_opt)). Hence v_opt = m(1-m) C / rho.
    """
    bad, total = counts(case)
    optimum = 2 * math.log(20) + math.log1p(2 * math.log(20))

    def log(mean):
        variance = mean * (1 - mean)
        over_binomial = boundaries.beta_binomial_log_mixture(
            s=bad - total * mean,
            v=total * variance,
            v_opt=variance * optimum / rho_of(case),
            g=mean,
            h=1 - mean,
            alpha_opt=0.05,
            is_one_sided=False,
        )
        return over_binomial + special.xlogy(bad, mean) + special.xlog1py(total - bad, -mean)

    shares = np.array([alternatives(case)])
    return detected(log(shares) - log(case["limit"]))


def evidence_betting(case):
    """The sum of confseq's diversified betting martingales begun at every look."""
    bad, total = counts(case)
    shares, limit = (bad / total).ravel(), case["limit"]
    stakes = [
        lambda x, m, part=part: np.full(len(x), part / m)
        for part in (0.05, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8, 0.95)
    ]
    sums = np.zeros(len(shares))
    for begun in range(len(shares)):
        sums[begun:] += betting.diversified_betting_mart(
            shares[begun:], limit, stakes, theta=1, trunc_scale=1, alpha=0.05
        )
    return [float(value) for value in np.log(sums)]


def mean_factor(case):
    """E[factor(bad)] where bad is beta-binomial (binomial without correlation)."""
    n, share, rho = case["total"], case["share"], case["rho"]
    bad = np.arange(n + 1)
    if rho <= 0:
        log = stats.binom.logpmf(bad, n, share)
    else:
        k = 1.0 / rho - 1.0
        log = stats.betabinom.logpmf(bad, n, share * k, (1 - share) * k)
    return float(np.exp(log + case["log_factors"]).sum())


def interval(case):
    return list(
        boundaries.bernoulli_confidence_interval(
            case["bad"], int(case["total"]), case["alpha"], 100.0, 0.05
        )
    )


def against(case):
    """ln of the evidence against each share, less ln(1/alpha)."""
    shares = np.array(case["shares"])
    variance = shares * (1 - shares)
    log = boundaries.beta_binomial_log_mixture(
        s=case["bad"] - case["total"] * shares,
        v=case["total"] * variance,
        v_opt=100.0 * variance,
        g=shares,
        h=1 - shares,
        alpha_opt=0.05,
        is_one_sided=False,
    )
    return [float(value) for value in log + math.log(case["alpha"])]


def upper_bound(case):
    """The upper confidence bound of scipy.stats.quantile_test."""
    if not case["values"]:
        return None
    test = stats.quantile_test(case["values"], q=0.0, p=case["share"], alternative="less")
    high = float(test.confidence_interval(1 - case["alpha"]).high)
    return None if math.isnan(high) else high


def rank_is_enough(case):
    """P(at most `rank` of `count` values lie below the quantile), and of one less."""
    at_most = stats.binom.cdf([case["rank"], case["rank"] - 1], case["count"], case["share"])
    return [float(value) for value in at_most]


def dispersion(case):
    """rho from SciPy's one-way analysis of variance over single events, and its bound."""

    def rho(groups):
        sizes = np.array([len(group) for group in groups], dtype=float)
        size = (sizes.sum() - (sizes**2).sum() / sizes.sum()) / (len(sizes) - 1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            f = float(stats.f_oneway(*groups).statistic)
        if math.isnan(f):
            return None
        return 1.0 if math.isinf(f) else (f - 1.0) / (f - 1.0 + size)

    groups = [
        np.concatenate([np.ones(int(bad)), np.zeros(int(total - bad))])
        for bad, total in case["intervals"]
    ]
    estimate = rho(groups)
    if estimate is None:
        return None
    without = [rho(groups[:one] + groups[one + 1 :]) for one in range(len(groups))]
    without = np.array([one for one in without if one is not None])
    # stats.sem is s/sqrt(m); the jackknife's error is (m-1)/sqrt(m) * s.
    error = stats.sem(without) * (len(without) - 1)
    return float(np.clip(estimate + 1.645 * error, 0.0, 1.0))


def log_gamma(case):
    return [float(value) for value in special.gammaln(case["at"])]


WHAT = {
    name.__name__: name
    for name in (
        evidence_betabinom,
        evidence_binom,
        evidence_mixture,
        evidence_betting,
        mean_factor,
        interval,
        against,
        upper_bound,
        rank_is_enough,
        dispersion,
        log_gamma,
    )
}



def plain(value):
    """What is no number is null: JSON has no other word for it."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    return value if value is None or math.isfinite(value) else None


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        values = [plain(WHAT[case["what"]](case)) for case in json.load(sys.stdin)]
    json.dump(values, sys.stdout, allow_nan=False)

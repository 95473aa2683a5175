"""Statistics of spiking populations, and whether two simulators' seeds come from one distribution.

rate: spikes a neuron and second. cv: standard deviation over mean of the intervals of a neuron, averaged over the neurons with at least 3 spikes.
correlation: mean Pearson correlation of the spike counts in bins of 5 ms, over all pairs of the first 100 neurons that fire.
"""
import numpy as np
from scipy import stats

LEVEL = 0.01  # of the whole family of statistics compared for one workload
BIN_MS, NEURONS = 5.0, 100


def intervals_cv(times, neurons):
    """The cv of each neuron with at least 3 spikes."""
    order = np.lexsort((times, neurons))
    t, n = np.asarray(times)[order], np.asarray(neurons)[order]
    d, same = np.diff(t), n[1:] == n[:-1]
    d, owner = d[same], n[1:][same]
    _, index, count = np.unique(owner, return_inverse=True, return_counts=True)
    mean = np.bincount(index, d) / count
    # around the mean: a difference of squares would lose the digits of a regular train
    variance = np.bincount(index, (d - mean[index]) ** 2) / count
    return (np.sqrt(variance) / mean)[count >= 2]


def correlation(times, neurons, duration):
    firing = np.unique(neurons)[:NEURONS]
    if len(firing) < 2:
        return float("nan")
    at = np.searchsorted(firing, neurons)
    ours = (at < len(firing)) & (firing[np.minimum(at, len(firing) - 1)] == neurons)
    bins = int(duration / BIN_MS)
    # a spike at time t belongs to the step before it: (t - dt, t]
    bin_of = np.minimum(np.maximum(np.ceil(np.asarray(times)[ours] / BIN_MS - 1e-6).astype(int) - 1, 0), bins - 1)
    counts = np.zeros((len(firing), bins))
    np.add.at(counts, (at[ours], bin_of), 1)
    c = np.corrcoef(counts)
    return float(np.nanmean(c[np.triu_indices(len(firing), 1)]))


def describe(times, neurons, size, warmup, duration):
    """The statistics of one population of `size` recorded neurons over `duration` ms, its rate without the first `warmup` ms."""
    times, neurons = np.asarray(times), np.asarray(neurons)
    cv = intervals_cv(times, neurons)
    rate = int((times > warmup + 1e-6).sum()) / size / (duration - warmup) * 1000
    return {"rate": rate, "cv": float(cv.mean()) if len(cv) else None, "correlation": correlation(times, neurons, duration)}


def same(a, b, comparisons=1):
    """Two-sided t-test of two samples (one value a seed) with one common variance, as under the null hypothesis that both simulate the same network;
    either may hold a single seed. The p-value and whether it passes LEVEL, divided among `comparisons` (Bonferroni)."""
    a, b = np.asarray(a, dtype=float), np.asarray(b, dtype=float)
    freedom = len(a) + len(b) - 2
    if freedom < 1:
        raise ValueError("no spread: at least one side needs two seeds")
    spread = np.sqrt((((a - a.mean()) ** 2).sum() + ((b - b.mean()) ** 2).sum()) / freedom * (1 / len(a) + 1 / len(b)))
    gap = abs(a.mean() - b.mean())
    p = 1.0 if gap == 0 else 0.0 if spread == 0 else float(2 * stats.t.sf(gap / spread, freedom))
    return p, p >= LEVEL / comparisons


def compare(reference, other):
    """Lists of {statistic: value}, one entry a seed. [(statistic, mean of reference, mean of other, p, passes)] of those that both have."""
    keys = [k for k in reference[0] if all(r.get(k) is not None for r in reference) and all(o.get(k) is not None for o in other)]
    out = []
    for k in keys:
        a, b = [r[k] for r in reference], [o[k] for o in other]
        out.append((k, float(np.mean(a)), float(np.mean(b)), *same(a, b, len(keys))))
    return out

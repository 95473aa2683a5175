"""Of population.py; by hand, it needs numpy and scipy: build/bench-venv/bin/python bench/field/circuits/population_test.py"""
import unittest

import numpy as np
from scipy import stats

import population


def trains():
    rng = np.random.default_rng(1)
    return rng.uniform(0, 1000, 3000), rng.integers(0, 100, 3000)


class Statistics(unittest.TestCase):
    def test_cv_is_that_of_each_neuron_by_itself(self):
        t, n = trains()
        n[n == 7] = 8  # a neuron without spikes, and one with two: neither counts
        t, n = np.append(t, [1.0, 2.0]), np.append(n, [200, 200])
        expected = [np.diff(s).std() / np.diff(s).mean() for s in (np.sort(t[n == k]) for k in range(200)) if len(s) >= 3]
        np.testing.assert_allclose(population.intervals_cv(t, n), expected, rtol=1e-12)

    def test_correlation_is_that_of_counts_in_bins(self):
        t, n = trains()
        counts = [np.histogram(t[n == k], np.arange(0, 1001, 5))[0] for k in range(100)]
        expected = np.corrcoef(counts)[np.triu_indices(100, 1)].mean()
        self.assertAlmostEqual(population.correlation(t, n, 1000.0), expected, places=12)

    def test_rate_leaves_out_the_warm_up(self):
        d = population.describe([5.0, 50.0, 100.0, 100.1, 150.0, 200.0], [0, 1, 0, 1, 1, 0], 2, 100.0, 200.0)
        self.assertAlmostEqual(d["rate"], 3 / 2 / 0.1)


class Test(unittest.TestCase):
    def test_p_is_students(self):
        rng = np.random.default_rng(2)
        a, b = rng.normal(size=5), rng.normal(size=7)
        self.assertAlmostEqual(population.same(a, b)[0], stats.ttest_ind(a, b).pvalue, places=12)

    def test_one_seed_against_ten(self):
        rng = np.random.default_rng(3)
        alarms = np.mean([not population.same(rng.normal(size=10), rng.normal(size=1))[1] for _ in range(4000)])
        self.assertLess(abs(alarms - population.LEVEL), 0.006)
        self.assertFalse(population.same(rng.normal(size=10), [9.0])[1])
        with self.assertRaises(ValueError):
            population.same([1.0], [1.0])

    def test_the_level_is_of_the_family(self):
        rng = np.random.default_rng(4)
        seeds = lambda n: [dict(enumerate(rng.normal(size=8))) for _ in range(n)]
        alarms = np.mean([not all(c[-1] for c in population.compare(seeds(10), seeds(10))) for _ in range(1000)])
        self.assertLess(alarms, 2 * population.LEVEL + 0.005)


if __name__ == "__main__":
    unittest.main()

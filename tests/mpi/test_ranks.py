"""Circuits on several processes (a build with -DAPICAL_MPI=ON): the same spikes, samples and checkpoints as one process."""
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest
import zipfile

APICAL = os.environ["APICAL"]
# More processes than this machine may have cores; root in a container.
MPIRUN = [os.environ["MPIRUN"], "--oversubscribe", "--allow-run-as-root", "--bind-to", "none", "-n"]
CIRCUIT = """
[simulation]
time = "200 ms"
[population.e]
model = "iaf_psc_alpha"
n = 401
[population.i]
model = "iaf_psc_exp"
n = 130
[connection.ee]
from = "e"
to = ["e", "i"]
rule = "fixed_indegree"
indegree = 40
weight = {distribution = "uniform", min = "1 pA", max = "20 pA"}
delay = {distribution = "uniform", min = "0.3 ms", max = "3 ms"}
[connection.learning]
from = "i"
to = "e"
rule = "pairwise_bernoulli"
p = 0.1
weight = "3 pA"
synapse_model = "stdp_synapse"
Wmax = "9 pA"
[device.drive]
model = "poisson_generator"
rate = "20 kHz"
to = ["e", "i"]
weight = "30 pA"
[device.dc]
model = "dc_generator"
amplitude = "400 pA"
to = "i"
[record.se]
model = "spike_recorder"
from = "e"
[record.si]
model = "spike_recorder"
from = "i"
[record.v]
model = "multimeter"
from = "e[60:140]"
interval = "0.7 ms"
"""


def contents(path):
    with zipfile.ZipFile(path) as z:
        return {name: z.read(name) for name in z.namelist()}


class Ranks(unittest.TestCase):
    def setUp(self):
        self.scratch = tempfile.TemporaryDirectory()
        self.addCleanup(self.scratch.cleanup)
        self.dir = pathlib.Path(self.scratch.name)
        (self.dir / "net.toml").write_text(CIRCUIT)

    def simulate(self, ranks, out, *words, threads=1, model="net.toml"):
        mpirun = [*MPIRUN, str(ranks)] if ranks else []
        return subprocess.run([*mpirun, APICAL, "simulate", model, "--out", out, *words], cwd=self.dir, text=True, capture_output=True,
                              env=dict(os.environ, APICAL_THREADS=str(threads)))

    def test_results_do_not_depend_on_the_number_of_processes(self):
        alone = self.simulate(0, "alone")
        self.assertEqual(alone.returncode, 0, alone.stderr)
        want = {f: contents(self.dir / "alone" / f) for f in ("spikes.npz", "traces.npz")}
        self.assertGreater(len(want["spikes.npz"]["se.times.npy"]), 10000)
        self.assertGreater(len(want["spikes.npz"]["si.times.npy"]), 10000)
        for ranks, threads in ((2, 1), (4, 1), (2, 2), (3, 2)):
            out = f"{ranks}x{threads}"
            run = self.simulate(ranks, out, threads=threads)
            self.assertEqual(run.returncode, 0, run.stderr)
            self.assertEqual(run.stdout.count("written to"), 1)
            for f, arrays in want.items():
                self.assertEqual(contents(self.dir / out / f), arrays, f"{f} of {ranks} processes of {threads} threads")

    def test_a_checkpoint_goes_on_with_any_number_of_processes(self):
        # Weights that learn are not gathered: a circuit without.
        fixed = CIRCUIT.replace('synapse_model = "stdp_synapse"\nWmax = "9 pA"\n', "")
        (self.dir / "fixed.toml").write_text(fixed)
        for ranks, out, words in ((0, "whole", ()), (2, "part", ("--time", "90 ms", "--checkpoint")), (4, "rest", ("--resume", "part/checkpoint"))):
            run = self.simulate(ranks, out, *words, model="fixed.toml")
            self.assertEqual(run.returncode, 0, run.stderr)
        self.assertEqual(contents(self.dir / "rest/spikes.npz"), contents(self.dir / "whole/spikes.npz"))
        self.assertEqual(contents(self.dir / "rest/traces.npz"), contents(self.dir / "whole/traces.npz"))
        refused = self.simulate(2, "learning", "--checkpoint")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("weights that learn", refused.stderr)

    def test_an_error_in_one_process_ends_them_all(self):
        run = self.simulate(2, "out", "--set", 'device.drive.weight="1e308 pA"', "--precision", "double")
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("a membrane is no finite number", run.stderr)
        self.assertFalse((self.dir / "out").exists())
        (self.dir / "file").write_text("")
        run = self.simulate(2, "file/out")  # only the first process writes
        self.assertNotEqual(run.returncode, 0)


if __name__ == "__main__":
    sys.exit(unittest.main())

"""apical simulate and apical brain: results, the same bits after an interruption, refusals that leave nothing."""
import json
import math
import re
import resource
import shutil
import signal
import struct
import subprocess
import time
import zipfile

from harness import APICAL, ROOT, ApicalTest, apical, main

USAGE, DATA, INTERRUPTED = 2, 3, 130
EXAMPLES = ROOT / "examples"
SMALL = """
[simulation]
time = "200 ms"
[population.e]
model = "iaf_psc_exp"
n = 200
[connection.all]
from = "e"
to = "e"
rule = "fixed_indegree"
indegree = 20
weight = "20 pA"
[device.drive]
model = "poisson_generator"
rate = "20 kHz"
to = "e"
weight = "30 pA"
[record.s]
model = "spike_recorder"
from = "e"
[record.v]
model = "multimeter"
from = "e[0:2]"
"""


def arrays(path):
    """name: (type, shape, values) of an NPZ file of float64 and uint32 arrays."""
    out = {}
    with zipfile.ZipFile(path) as z:
        for member in z.namelist():
            raw = z.read(member)
            size = struct.unpack("<H", raw[8:10])[0]
            header = eval(raw[10:10 + size].decode())  # a dict of literals that we wrote
            kind = {"<f8": "d", "<u4": "I"}[header["descr"]]
            data = raw[10 + size:]
            out[member[:-4]] = (header["shape"], struct.unpack(f"<{len(data) // struct.calcsize(kind)}{kind}", data))
    return out


class Simulate(ApicalTest):
    def setUp(self):
        super().setUp()
        (self.dir / "small.toml").write_text(SMALL)

    def test_results_agree_with_each_other(self):
        said = self.run_ok("simulate", "small.toml", "--out", "out", "--report", "--json").json
        self.assertEqual(said, json.loads((self.dir / "out" / "result.json").read_text()))
        self.assertEqual(self.files(self.dir / "out"), ["report.html", "result.json", "spikes.npz", "traces.npz"])
        p = said["populations"][0]
        spikes = arrays(self.dir / "out" / "spikes.npz")
        self.assertEqual(p["spikes"], len(spikes["s.times"][1]))
        self.assertAlmostEqual(p["rate_hz"], p["spikes"] / 200 / 0.2)
        self.assertAlmostEqual(p["recorded"]["rate_hz"], p["rate_hz"])
        self.assertGreater(p["spikes"], 1000)
        self.assertLess(max(spikes["s.neurons"][1]), 200)
        self.assertEqual(said["synapses"], 4000)
        cvs = []
        for n in range(200):
            t = [a for a, b in zip(spikes["s.times"][1], spikes["s.neurons"][1]) if b == n]
            gaps = [b - a for a, b in zip(t, t[1:])]
            if len(gaps) > 1:
                m = sum(gaps) / len(gaps)
                cvs.append(math.sqrt(sum((g - m) ** 2 for g in gaps) / len(gaps)) / m)
        self.assertAlmostEqual(p["recorded"]["cv"], sum(cvs) / len(cvs))
        self.assertEqual(p["recorded"]["cv_neurons"], len(cvs))
        traces = arrays(self.dir / "out" / "traces.npz")
        self.assertEqual(traces["v.V_m"][0], (200, 2))
        self.assertEqual(traces["v.times"][1][:2], (1.0, 2.0))
        report = (self.dir / "out" / "report.html").read_text()
        for words in ("Rate over time", "CV of intervals", "Correlation of spike counts", "v: V_m", "Spikes", "apical simulate small.toml"):
            self.assertIn(words, report)
        self.assertNotIn("src=\"http", report)

    def test_the_same_file_in_other_words(self):
        said = lambda *a: [p["spikes"] for p in self.run_ok("simulate", *a, "--json").json["populations"]]
        want = said("small.toml", "--out", "a")
        circuit = {"simulation": {"time": 200}, "population": {"e": {"model": "iaf_psc_exp", "n": 200}},
                   "connection": {"all": {"from": "e", "to": "e", "rule": "fixed_indegree", "indegree": 20, "weight": 0.02}},
                   "device": {"drive": {"model": "poisson_generator", "rate": 20000, "to": "e", "weight": "0.03 nA"}}}
        (self.dir / "net.json").write_text(json.dumps(circuit))
        self.assertEqual(said("net.json", "--out", "b", "--set", "connection.all.weight=20 pA", "--time", "0.2s"), want)
        self.assertNotEqual(said("net.json", "--out", "b", "--seed", "2"), want)
        self.assertEqual(said("small.toml", "--out", "c", "--threads", "3", "--format", "csv"), want)
        rows = (self.dir / "c" / "spikes.csv").read_text().splitlines()
        self.assertEqual((rows[0], len(rows) - 1), ("record,neuron,time_ms", want[0]))
        self.run_ok("simulate", "small.toml", "--format", "hdf5", "--out", "d")
        self.assertEqual((self.dir / "d" / "spikes.hdf5").read_bytes()[:8], b"\x89HDF\r\n\x1a\n")

    def interrupt(self, *args):
        """Ctrl-C once time has begun to pass: exit code, standard error."""
        p = subprocess.Popen([APICAL, *map(str, args)], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        time.sleep(0.7)
        p.send_signal(signal.SIGINT)
        return p.communicate()[1], p.returncode

    def test_an_interrupted_run_ends_as_an_unbroken_one(self):
        long = ["simulate", "small.toml", "--set", "population.e.n=2000", "--quiet"]
        err, code = self.interrupt(*long, "--time", "30s", "--out", "broken", "--threads", "2")
        self.assertEqual(code, INTERRUPTED, err)
        self.assertIn("--resume broken/checkpoint", err)
        at = float(re.search(r"stopped at ([0-9.]+) ms", err).group(1))
        self.assertEqual(self.files(self.dir / "broken"), ["checkpoint"])
        total = ["--time", f"{at + 500:.1f}ms"]
        self.run_ok(*long, *total, "--resume", "broken/checkpoint", "--threads", "1")
        self.run_ok(*long, *total, "--out", "whole")
        for name in ("spikes.npz", "traces.npz"):
            self.assertEqual((self.dir / "broken" / name).read_bytes(), (self.dir / "whole" / name).read_bytes(), name)
        results = [json.loads((self.dir / f / "result.json").read_text()) for f in ("broken", "whole")]
        self.assertEqual(*[r["populations"] for r in results])
        self.refuses(apical(*long, *total, "--resume", "broken/checkpoint", "--seed", "2", cwd=self.dir), USAGE, "another circuit", "broken/checkpoint")
        (self.dir / "cut").write_bytes((self.dir / "broken" / "checkpoint").read_bytes()[:5000])
        self.refuses(apical(*long, *total, "--resume", "cut", cwd=self.dir), DATA, "cut")

    def test_checkpoints_now_and_then_survive_a_kill(self):
        long = ["simulate", "small.toml", "--set", "population.e.n=2000", "--quiet", "--checkpoint-every", "0.1s"]
        p = subprocess.Popen([APICAL, *long, "--time", "1000s", "--out", "killed"], cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        seen = set()  # of checkpoints, one in the place of the other
        until = time.monotonic() + 60
        while len(seen) < 3 and time.monotonic() < until:
            if (self.dir / "killed" / "checkpoint").exists():
                seen.add((self.dir / "killed" / "checkpoint").stat().st_ino)
            time.sleep(0.01)
        p.kill()  # SIGKILL
        p.communicate()
        self.assertGreaterEqual(len(seen), 3)
        shutil.copy(self.dir / "killed" / "checkpoint", self.dir / "killed" / "checkpoint.tmp1-0")  # a kill while one was written
        with zipfile.ZipFile(self.dir / "killed" / "checkpoint") as z:
            raw = z.read("steps.npy")
        step = struct.unpack_from("<q", raw, 10 + struct.unpack("<H", raw[8:10])[0])[0]
        total = ["--time", f"{step / 10 + 300:.1f}ms"]
        self.run_ok(*long, *total, "--resume", "killed/checkpoint", "--threads", "1")
        self.run_ok(*long[:-2], *total, "--out", "whole", "--threads", "2")
        self.assertNotIn("checkpoint.tmp1-0", self.files(self.dir / "killed"))
        for name in ("spikes.npz", "traces.npz"):
            self.assertEqual((self.dir / "killed" / name).read_bytes(), (self.dir / "whole" / name).read_bytes(), name)
        # Where there is no room for a checkpoint the run goes on, and says so.
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))
        said = apical("simulate", "small.toml", "--set", "population.e.n=2000", "--set", "record.s.from=e[0:1]", "--set",
                      "record.v.interval=100", "--time", "4s", "--out", "full", "--checkpoint-every", "1ms", cwd=self.dir, preexec_fn=limit)
        self.assertEqual(said.code, 0, said.err)
        self.assertIn("no checkpoint", said.err)
        self.refuses(apical("simulate", "small.toml", "--out", "none", "--checkpoint-every", "0s", cwd=self.dir), USAGE, "--checkpoint-every")
        self.refuses(apical("simulate", "small.toml", "--out", "none", "--checkpoint-every", "1 mV", cwd=self.dir), USAGE, "--checkpoint-every")

    def test_a_full_disk_keeps_the_state(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (40000, 40000))
        args = ["simulate", "small.toml", "--format", "csv", "--out", "out"]
        self.refuses(apical(*args, "--time", "1s", cwd=self.dir, preexec_fn=limit), DATA, "spikes.csv", "--resume out/checkpoint")
        self.assertEqual(self.files(self.dir / "out"), ["checkpoint"])
        self.run_ok(*args, "--time", "1.1s", "--resume", "out/checkpoint")
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))
        self.refuses(apical(*args[:-1], "none", cwd=self.dir, preexec_fn=limit), DATA, "no room for a checkpoint either")
        self.assertFalse((self.dir / "none").exists())

    def test_refusals_leave_nothing(self):
        before = self.files()
        (self.dir / "file").write_text("")
        for code, words, arguments in (
                (USAGE, ["small.toml: population.e.tau_m", "must be in ms, not in mV"], ["small.toml", "--set", "population.e.tau_m=20 mV"]),
                (USAGE, ["small.toml: connection.all", "a delay is negative"], ["small.toml", "--set", "connection.all.delay=-1 ms"]),
                (USAGE, ["a delay is below the step"], ["small.toml", "--set", "connection.all.delay=0.01 ms"]),
                (USAGE, ["Did you mean 'iaf_psc_exp'"], ["small.toml", "--set", "population.e.model=iaf_psc_ext"]),
                (USAGE, ["GB", "available"], ["small.toml", "--set", "connection.all.indegree=1000000000000"]),
                (USAGE, ["GB", "available"], ["small.toml", "--set", "population.e.n=2000000000", "--set", "simulation.memory=4"]),
                (USAGE, ["how long"], ["small.toml", "--time", "0"]),
                (USAGE, ["--format"], ["small.toml", "--format", "xls"]),
                (DATA, ["nowhere.toml"], ["nowhere.toml"]),
                (DATA, ["no finite number", "population e"], ["small.toml", "--set", "device.drive.weight=1e308", "--precision", "double"]),
                (DATA, ["file"], ["small.toml", "--out", "file"]),
                (DATA, ["small.toml"], ["small.toml", "--resume", "small.toml"])):
            out = [] if "--out" in arguments or "--resume" in arguments else ["--out", "out"]
            self.refuses(apical("simulate", *arguments, *out, cwd=self.dir), code, *words)
        self.assertEqual(self.files(), sorted([*before, "file"]))
        self.assertFalse((self.dir / "out").exists())

    def test_the_examples_run(self):
        cuba = self.run_ok("simulate", EXAMPLES / "cuba.toml", "--time", "300ms", "--out", "cuba", "--json").json
        self.assertEqual((cuba["neurons"], cuba["synapses"]), (4000, 320000))
        self.assertTrue(all(2 < p["rate_hz"] < 60 for p in cuba["populations"]), cuba)
        custom = self.run_ok("simulate", EXAMPLES / "custom.toml", "--time", "300ms", "--out", "custom", "--report", "--json").json
        self.assertEqual([p["model"] for p in custom["populations"]], ["pyramidal", "pyramidal"])
        self.assertTrue(all(2 < p["rate_hz"] < 60 for p in custom["populations"]), custom)
        brunel = self.run_ok("simulate", EXAMPLES / "brunel.toml", "--time", "200ms", "--out", "brunel", "--report", "--json").json
        self.assertEqual((brunel["name"], brunel["synapses"]), ("Brunel 2000", 15625000))
        for p in brunel["populations"]:  # the paper's figure 8 C: 37.7 Hz in simulations, irregular, hardly correlated
            self.assertTrue(30 < p["rate_hz"] < 45, p)
            self.assertLess(abs(p["recorded"]["correlation"]), 0.1, p)


class Brain(ApicalTest):
    def test_models_and_their_parameters(self):
        everything = self.run_ok("brain", "models", "--json").json
        plain = self.run_ok("brain", "models").out
        reference = (ROOT / "docs" / "reference" / "circuits.md").read_text()
        for m in everything["models"]:
            self.assertIn(m["name"], plain)
            self.assertEqual(self.run_ok("brain", "model", m["name"], "--json").json, m)
            text = self.run_ok("brain", "model", m["name"]).out
            for p in m["parameters"]:
                self.assertIn(p["name"] + " ", text)
            self.assertIn(m["equations"], text)
        for device in everything["devices"]:
            for word in [device["name"], *(p["name"] for p in device["parameters"])]:
                self.assertIn(f"`{word}`", reference)
        tau = {p["name"]: p for p in everything["models"][0]["parameters"]}["tau_m"]
        self.assertEqual((tau["unit"], tau["default"]), ("ms", 10))
        self.refuses(apical("brain", "model", "iaf_psc_exq"), USAGE, "Did you mean 'iaf_psc_exp'?")

    def test_fi(self):
        said = self.run_ok("brain", "fi", "iaf_psc_exp", "--set", "tau_m=20ms", "--current", "0..1nA", "--steps", "11", "--out", "fi.csv", "--out",
                           "fi.svg", "--json").json
        rates = [p["rate_hz"] for p in said["points"]]
        self.assertEqual([p["current_pa"] for p in said["points"]], [100 * k for k in range(11)])
        self.assertEqual(rates[0], 0)
        self.assertEqual(rates, sorted(rates))
        self.assertGreater(rates[-1], 50)
        self.assertEqual(len((self.dir / "fi.csv").read_text().splitlines()), 12)
        self.assertIn("f-I curve of iaf_psc_exp", (self.dir / "fi.svg").read_text())
        self.refuses(apical("brain", "fi", "iaf_psc_exp", "--current", "0..1mV", cwd=self.dir), USAGE, "--current", "not in mV")
        self.refuses(apical("brain", "fi", "iaf_psc_exp", "--set", "tau=3", cwd=self.dir), USAGE, "Did you mean 'tau_m'")
        self.refuses(apical("brain", "fi", "iaf_psc_exp", "--out", "fi.xls", cwd=self.dir), USAGE, ".csv and .svg")


if __name__ == "__main__":
    main()

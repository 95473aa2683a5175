"""apical train: the three examples on data made here, export, resume, and what is refused."""
import hashlib
import random
import struct
import zlib

from harness import ROOT, ApicalTest, apical, main, needs_training

EXAMPLES = ROOT / "examples"


def png(rows):
    """Grey pixels [height][width] as the bytes of a PNG."""
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
    head = struct.pack(">IIBBBBB", len(rows[0]), len(rows), 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"".join(b"\0" + bytes(r) for r in rows))) + chunk(b"IEND", b"")


def picture(label, rng):
    """Noise, and a bright bar whose place says the class."""
    rows = [[rng.randrange(60) for _ in range(28)] for _ in range(28)]
    bar = range(6 * (label % 5), 6 * (label % 5) + 3)
    for i in bar:
        for j in range(28):
            if label < 5: rows[min(i, 27)][j] = 255
            else: rows[j][min(i, 27)] = 255
    return rows


def recording(label, rng):
    """An N-MNIST file: events of a bar, and noise."""
    events = []
    for _ in range(300):
        x, y = rng.randrange(34), rng.randrange(34)
        if rng.random() < 0.9:
            place = min(33, 6 * (label % 5) + rng.randrange(4))
            x, y = (x, place) if label < 5 else (place, y)
        events.append((rng.randrange(300000), x, y, rng.randrange(2)))
    events.sort()
    return b"".join(struct.pack("BB", x, y) + struct.pack(">I", p << 23 | t)[1:] for t, x, y, p in events)


def make(folder, write, ending, each=16, classes=10):
    rng = random.Random(4)
    for label in range(classes):
        (folder / f"class{label}").mkdir(parents=True)
        for i in range(each):
            (folder / f"class{label}" / f"{i}.{ending}").write_bytes(write(label, rng))


def pictures(folder, **options):
    make(folder, lambda label, rng: png(picture(label, rng)), "png", **options)


@needs_training
class Train(ApicalTest):
    def train(self, example, data, *args):
        return apical("--threads", "1", "train", EXAMPLES / example, "--data", data, *args, cwd=self.dir)

    def check(self, example, data):
        result = self.train(example, data, "--out", "run", "--json")
        self.assertEqual(result.code, 0, str(result))
        metrics = result.json["metrics"]
        self.assertEqual(metrics["runtime_samples"], 30)
        self.assertEqual(metrics["runtime_disagreements"], 0)
        self.assertGreaterEqual(metrics["test_accuracy"], 0.8)  # chance: 0.1
        self.assertLessEqual({"report.html", "model.safetensors", "metrics.jsonl", "config.toml"}, {p.name for p in (self.dir / "run").iterdir()})
        return metrics

    def test_images(self):
        pictures(self.dir / "data")
        self.check("images.toml", "data")
        inferred = self.run_ok("infer", "run/model.safetensors", "data", "--json").json
        self.assertGreaterEqual(inferred["accuracy"], 0.9)
        one = self.run_ok("infer", "run/model.safetensors", "data/class3/0.png", "--json").json
        self.assertEqual(one["predictions"][0]["class"], "class3")

    def test_events(self):
        make(self.dir / "data", recording, "bin")
        self.check("events.toml", "data")

    def test_local(self):
        pictures(self.dir / "data")
        # all pictures have one size: they need not be fitted
        self.check("local.toml", "data")

    def test_neurons(self):
        pictures(self.dir / "data", each=10)
        layers = ['type = "conv"\nchannels = 8\nstride = 2', 'type = "norm"\nstats = "step"', 'type = "cuba_lif"\ntau_syn = 1.5\nlearn = true',
                  'type = "conv"\nchannels = 8', 'type = "norm"\nstats = "step"', 'type = "integer_lif"\nlevels = 4', 'type = "pool"', 'type = "flatten"',
                  'type = "dense"\nunits = 60', 'type = "adaptive_lif"\nbeta = 0.1', 'type = "dense"\nunits = 60', 'type = "refractory_lif"',
                  'type = "dense"\nunits = 60', 'type = "sliding_psn"\nwindow = 2', 'type = "dense"\nunits = 10']
        head = (EXAMPLES / "images.toml").read_text().split("[[net.layer]]")[0]
        (self.dir / "net.toml").write_text(head + "".join("[[net.layer]]\n" + layer + "\n" for layer in layers))
        train = ("--threads", "1", "train", "net.toml", "--data", "data")
        result = apical(*train, "--out", "run", "--json", cwd=self.dir)
        self.assertEqual(result.code, 0, str(result))
        metrics = result.json["metrics"]
        self.assertEqual(metrics["runtime_disagreements"], 0)
        self.assertGreater(metrics["test_accuracy"], 0.4)  # chance: 0.1
        for layer in ("cuba_lif1", "integer_lif1", "adaptive_lif1", "refractory_lif1", "sliding_psn1"):
            self.assertGreater(metrics["rate_" + layer], 0, layer)
        self.run_ok("energy", "run/model.safetensors", "data")
        self.run_ok("compile", "run/model.safetensors", "--target", "c", "--out", "net.c")
        self.refuses(apical("quantise", "run/model.safetensors", "--data", "data", "-o", "q.safetensors", cwd=self.dir), 3, "cuba_lif1", "spiking_neuron")
        (self.dir / "net.toml").write_text((self.dir / "net.toml").read_text().replace("[train]", '[train]\nrule = "sltt"\nloss = "per_step"'))
        step_by_step = apical(*train, "--out", "sltt", "--set", "train.epochs=1", cwd=self.dir)
        self.assertEqual(step_by_step.code, 0, str(step_by_step))

    def test_resume(self):
        pictures(self.dir / "data", each=8)
        short = ["--set", "train.epochs=3"]
        digest = lambda out: hashlib.sha256((self.dir / out / "model.safetensors").read_bytes()).hexdigest()
        self.assertEqual(self.train("images.toml", "data", "--out", "whole", *short).code, 0)
        broken = apical("--threads", "1", "train", EXAMPLES / "images.toml", "--data", "data", "--out", "broken", *short, cwd=self.dir, env={"APICAL_FAULT": "20"})
        self.assertEqual(broken.code, -9, str(broken))
        resumed = apical("--threads", "1", "train", EXAMPLES / "images.toml", "--resume", "broken", cwd=self.dir)
        self.assertEqual(resumed.code, 0, str(resumed))
        self.assertEqual(digest("whole"), digest("broken"))

    def test_refusals(self):
        pictures(self.dir / "data", each=4, classes=3)
        text = (EXAMPLES / "local.toml").read_text().replace("units = 10", "units = 3")
        table = [  # change of the description, exit code, words of the message
            ("units = 3", "units = 7", 2, ("7 outputs", "3 classes")),
            ("T = 8", "T = 0", 2, ("T must be at least 1",)),
            ("tau = 1.1", "tau = -1.1", 2, ("tau must be >= 1",)),
            ('rule = "sltt"', 'rule = "sltt-k"\nk = 9', 2, ("K <= T",)),
            ('stats = "step"', 'stats = "sequence"', 2, ("mixes time steps",)),
            ("epochs = 10", "epoch = 10", 2, ("epoch", "epochs")),
            ('kind = "rate"', 'kind = "raet"', 2, ("raet",)),
            ("[train]", "[train", 2, ("net.toml",)),
        ]
        for old, new, code, words in table:
            self.assertIn(old, text)
            (self.dir / "net.toml").write_text(text.replace(old, new))
            with self.subTest(new):
                self.refuses(apical("train", "net.toml", "--data", "data", "--out", "run", cwd=self.dir), code, *words)
                self.assertFalse((self.dir / "run").exists(), self.files())
        self.refuses(self.train("local.toml", "nowhere", "--out", "run"), 3, "nowhere")
        self.refuses(apical("train", "none.toml", "--data", "data", cwd=self.dir), 3, "none.toml")
        self.assertEqual(apical("train", EXAMPLES / "local.toml", cwd=self.dir).code, 2)
        self.assertFalse((self.dir / "run").exists())


if __name__ == "__main__":
    main()

"""apical quantise: a smaller model that runs in integers, the accuracy before and after, refusals that leave nothing."""
import shutil

from harness import ROOT, ApicalTest, apical, main
from samples import write_npz

USAGE, DATA = 2, 3


class Quantise(ApicalTest):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "tests" / "fuzz" / "corpus" / "model" / "small", self.dir / "model.safetensors")
        write_npz(self.dir / "set.npz")

    def test_the_file_runs_in_integers(self):
        said = self.run_ok("quantise", "model.safetensors", "--data", "set.npz", "-o", "q.safetensors", "--json").json
        self.assertEqual((said["bits"], said["samples"], said["out"]), (8, 6, "q.safetensors"))
        self.assertEqual(sorted(said["exponents"]), ["c1.w", "c2.w", "fc.w"])
        self.assertEqual(said["bytes_after"], (self.dir / "q.safetensors").stat().st_size)
        self.assertNotIn("accuracy_after", said)  # the samples have no labels
        scores = lambda *more: [p["scores"] for p in self.run_ok("infer", "q.safetensors", "set.npz", "--json", *more).json["predictions"]]
        integer = scores()
        self.assertEqual(integer, scores("--threads", "1"))
        # scores are whole multiples of the last layer's unit, over T
        unit = 2.0 ** -said["exponents"]["fc.w"]
        for row in integer:
            for s in row:
                self.assertAlmostEqual(s * 5 / unit, round(s * 5 / unit), places=2)
        self.assertEqual(len(scores("--plan", "dense")), 6)  # the same weights as float
        self.assertIn("predictions are the same", self.run_ok("quantise", "model.safetensors", "--data", "set.npz", "--bits", "4").out)
        self.assertTrue((self.dir / "model.int4.safetensors").exists())
        self.run_ok("energy", "q.safetensors", "set.npz")
        self.run_ok("compile", "q.safetensors", "--target", "c", "--out", "q.c")

    def test_bfloat16_takes_half_the_file(self):
        said = self.run_ok("quantise", "model.safetensors", "--data", "set.npz", "--bits", "16", "--json").json
        self.assertEqual((said["bits"], said["out"]), (16, "model.bfloat16.safetensors"))
        self.assertNotIn("exponents", said)
        content = (self.dir / "model.bfloat16.safetensors").read_bytes()
        self.assertEqual(content.count(b'"BF16"'), 3)
        scores = lambda *more: [p["scores"] for p in self.run_ok("infer", "model.bfloat16.safetensors", "set.npz", "--json", *more).json["predictions"]]
        self.assertEqual(scores("--plan", "event"), scores("--plan", "dense"))
        self.run_ok("energy", "model.bfloat16.safetensors", "set.npz")

    def test_refusals_leave_nothing(self):
        self.run_ok("quantise", "model.safetensors", "--data", "set.npz", "-o", "q.safetensors")
        (self.dir / "folder").mkdir()
        before = self.files()
        for code, words, arguments in (
                (USAGE, ["--bits", "8,4"], ["model.safetensors", "--data", "set.npz", "--bits", "5"]),
                (USAGE, ["--data"], ["model.safetensors"]),
                (DATA, ["already"], ["q.safetensors", "--data", "set.npz"]),
                (DATA, ["nowhere"], ["model.safetensors", "--data", "nowhere"]),
                (DATA, ["folder"], ["model.safetensors", "--data", "set.npz", "-o", "folder"])):
            self.refuses(apical("quantise", *arguments, cwd=self.dir), code, *words)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    main()

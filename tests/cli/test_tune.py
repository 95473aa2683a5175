"""apical tune: plans in the model, the same scores, refusals that leave nothing."""
import shutil

from harness import ROOT, ApicalTest, apical, main
from samples import write_npz

USAGE, DATA = 2, 3


class Tune(ApicalTest):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "tests" / "fuzz" / "corpus" / "model" / "small", self.dir / "model.safetensors")
        write_npz(self.dir / "set.npz")

    def test_the_model_keeps_its_plans_and_its_scores(self):
        said = self.run_ok("tune", "model.safetensors", "--data", "set.npz", "--rounds", "2", "-o", "fast.safetensors", "--json").json
        self.assertEqual((said["samples"], said["out"], [l["layer"] for l in said["layers"]]), (6, "fast.safetensors", ["c1", "c2", "fc"]))
        for layer in said["layers"]:
            self.assertEqual(layer["plan"], "event" if layer["event_step_s"] <= layer["dense_step_s"] else "dense")
        scores = lambda model: [p["scores"] for p in self.run_ok("infer", model, "set.npz", "--json").json["predictions"]]
        self.assertEqual(scores("fast.safetensors"), scores("model.safetensors"))
        self.assertIn(b'plans', (self.dir / "fast.safetensors").read_bytes())
        self.assertIn("bit for bit", self.run_ok("tune", "model.safetensors", "--data", "set.npz", "--rounds", "1").out)
        self.assertTrue((self.dir / "model.tuned.safetensors").exists())

    def test_refusals_leave_nothing(self):
        self.run_ok("quantise", "model.safetensors", "--data", "set.npz", "-o", "q.safetensors")
        before = self.files()
        for code, words, arguments in (
                (USAGE, ["event by event"], ["q.safetensors", "--data", "set.npz"]),
                (USAGE, ["--rounds"], ["model.safetensors", "--data", "set.npz", "--rounds", "0"]),
                (DATA, ["nowhere"], ["model.safetensors", "--data", "nowhere"])):
            self.refuses(apical("tune", *arguments, cwd=self.dir), code, *words)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    main()

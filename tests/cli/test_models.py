"""apical infer and energy on a small model: every plan says the same, counts are those of the network, wrong words are refused."""
import shutil

from harness import ROOT, ApicalTest, apical, main
from samples import write_npz

USAGE = 2


class Models(ApicalTest):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "tests" / "fuzz" / "corpus" / "model" / "small", self.dir / "model.safetensors")
        write_npz(self.dir / "set.npz")

    def test_every_plan_predicts_the_same(self):
        said = {}
        for plan in ("auto", "dense", "event"):
            result = self.run_ok("infer", "model.safetensors", "set.npz", "--plan", plan, "--json").json
            self.assertEqual(result["samples"], 6)
            said[plan] = [(p["id"], p["class"], p["score"]) for p in result["predictions"]]
        self.assertEqual(said["dense"], said["event"])
        self.assertEqual(said["dense"], said["auto"])
        self.assertIn("6 samples", self.run_ok("infer", "model.safetensors", "set.npz").out)
        self.refuses(apical("infer", "model.safetensors", "set.npz", "--plan", "sparse", cwd=self.dir), USAGE, "auto,dense,event")

    def test_energy(self):
        whole = self.run_ok("energy", "model.safetensors", "set.npz", "--json").json
        counts = whole["per_sample"]
        self.assertGreater(counts["dense"], 0)
        self.assertGreater(counts["effective_acs"] + counts["effective_macs"], 0)
        self.assertLessEqual(counts["effective_acs"] + counts["effective_macs"], counts["dense"])
        self.assertAlmostEqual(sum(layer["dense"] for layer in whole["layers"]), counts["dense"])
        arithmetic = next(p for p in whole["profiles"] if p["name"] == "45nm-operations")
        expected = (0.9 * counts["effective_acs"] + 4.6 * counts["effective_macs"]) * 1e-12  # Horowitz 2014: 0.9 pJ an AC, 4.6 pJ a MAC
        self.assertAlmostEqual(arithmetic["spiking_j"]["total"], expected, delta=1e-6 * expected)
        self.assertIn("45nm-dram", self.run_ok("energy", "model.safetensors", "set.npz").out)
        self.refuses(apical("energy", "model.safetensors", "set.npz", "--profile", "45nm-srm", cwd=self.dir), USAGE, "45nm-sram")


if __name__ == "__main__":
    main()

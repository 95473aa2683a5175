"""apical recipes, run, verify; the schemas of results; tools/new_recipe."""
import json
import math
import re
import subprocess
import sys
import unittest

from harness import ROOT, ApicalTest, apical, main, needs_training

SCHEMAS = ROOT / "docs" / "reference"


class SchemaError(Exception):
    pass


TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool) and math.isfinite(v),
}
KNOWN = {"$schema", "$defs", "$ref", "title", "description", "type", "const", "enum", "pattern", "minimum", "minLength", "properties", "required",
         "additionalProperties", "propertyNames", "items", "minItems", "maxItems", "anyOf"}


def check(value, schema, root=None, path="$"):
    """The part of JSON Schema that our schemas use; a keyword it does not know is an error, not a pass."""
    root = root or schema

    def need(condition, what):
        if not condition:
            raise SchemaError(f"{path}: {what}")

    need(set(schema) <= KNOWN, f"keywords this checker does not know: {set(schema) - KNOWN}")
    if "$ref" in schema:
        target = root
        for part in schema["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return check(value, target, root, path)
    if "type" in schema:
        types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
        need(any(TYPES[t](value) for t in types), f"{value!r} is not of type {types}")
    if "const" in schema:
        need(value == schema["const"] and type(value) is type(schema["const"]), f"{value!r} is not {schema['const']!r}")
    if "enum" in schema:
        need(value in schema["enum"], f"{value!r} is not one of {schema['enum']}")
    if "anyOf" in schema:
        errors = []
        for option in schema["anyOf"]:
            try:
                check(value, option, root, path)
                break
            except SchemaError as e:
                errors.append(str(e))
        else:
            raise SchemaError("; ".join(errors))
    if isinstance(value, str):
        need(re.search(schema.get("pattern", ""), value), f"{value!r} does not match {schema.get('pattern')}")
        need(len(value) >= schema.get("minLength", 0), "too short")
    if TYPES["number"](value):
        need(value >= schema.get("minimum", -math.inf), f"{value} is below {schema.get('minimum')}")
    if isinstance(value, list):
        need(schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value)), f"{len(value)} items")
        for i, item in enumerate(value):
            check(item, schema.get("items", {}), root, f"{path}[{i}]")
    if isinstance(value, dict):
        for key in schema.get("required", []):
            need(key in value, f"'{key}' is missing")
        for key, item in value.items():
            if "propertyNames" in schema:
                check(key, schema["propertyNames"], root, f"{path}: name {key!r}")
            if key in schema.get("properties", {}):
                check(item, schema["properties"][key], root, f"{path}.{key}")
            else:
                more = schema.get("additionalProperties", True)
                need(more is not False, f"'{key}' is not in the schema")
                if isinstance(more, dict):
                    check(item, more, root, f"{path}.{key}")


def schema(name):
    return json.loads((SCHEMAS / name).read_text(encoding="utf-8"))


class Checker(unittest.TestCase):
    """The checker refuses, and the schemas bite."""

    RESULT = {"schema": 1, "recipe": "demo", "scale": "desk", "seed": 1, "version": "0.1.0", "data": {"name": "mnist", "sha256": "a" * 64, "synthetic": False},
              "machine": {"cpu": "x", "cores": "2", "memory_gib": "8", "system": "Linux"}, "wall_s": 1.5, "peak_rss_mb": 10, "metrics": {"a": 1, "b": None},
              "claims": [{"id": "a", "kind": "claim", "statement": "s", "paper": "", "target": [0, 1], "relation": "within", "measured": None, "interval": None,
                          "holds": None, "verdict": "not judged: smoke scale", "seeds": []}]}
    FIELD = [{"workload": "w", "config": {}, "results_equal": True, "apical": {"median_s": 1, "min_s": 1, "max_s": 1, "runs": 5}, "peers": {},
              "ratio_to_fastest_peer": None, "limit": {"kind": "bandwidth", "value": 1}, "fraction_of_limit": 0.5}]

    def refused(self, value, schema_name, change):
        copy = json.loads(json.dumps(value))
        change(copy)
        with self.assertRaises(SchemaError):
            check(copy, schema(schema_name))

    def test_result(self):
        check(self.RESULT, schema("result.schema.json"))
        for change in (lambda r: r.pop("metrics"), lambda r: r.update(more=1), lambda r: r.update(schema=2), lambda r: r.update(seed=1.5),
                       lambda r: r.update(seed=True), lambda r: r["metrics"].update({"Test Acc": 1}), lambda r: r["metrics"].update(c="x"),
                       lambda r: r["metrics"].update(c=math.nan), lambda r: r["data"].update(sha256="abc"), lambda r: r["claims"][0].update(verdict="maybe"),
                       lambda r: r["claims"][0].update(target=[1]), lambda r: r["claims"][0].update(holds=0), lambda r: r.update(wall_s=-1)):
            self.refused(self.RESULT, "result.schema.json", change)

    def test_field(self):
        check(self.FIELD, schema("results.schema.json"))
        for change in (lambda r: r[0]["apical"].update(runs=3), lambda r: r[0]["peers"].update(x={}), lambda r: r[0].pop("results_equal")):
            self.refused(self.FIELD, "results.schema.json", change)

    def test_unknown_keyword(self):
        with self.assertRaises(SchemaError):
            check(1, {"maximum": 0})


class Recipes(ApicalTest):
    def test_list(self):
        listed = self.run_ok("recipes", "--json").json
        folders = sorted(p.parent.name for p in (ROOT / "recipes").glob("*/recipe.toml"))
        self.assertEqual([r["slug"] for r in listed], folders)
        text = self.run_ok("recipes").out
        for recipe in listed:
            self.assertIn("smoke", recipe["scales"])
            self.assertIn(recipe["title"], text)


class RunWithoutTorch(ApicalTest):
    """A recipe with `trains = false`: part of every build."""

    def cam(self, *words, **options):
        return apical("run", "hippocampus-cam", "--scale", "smoke", "--data", "synthetic", "--out", self.dir / "cam", *words, cwd=self.dir, **options)

    def test_own_operations(self):
        (self.dir / "mine.json").write_text('[{"op": "learn", "cue": 1, "content": [0, 7]}, {"op": "recall", "content": 7}]')
        self.assertEqual(self.cam("--set", "op_file=mine.json", "--set", "dump_weights=true", "--seed", "3").code, 0)
        files = self.files(self.dir / "cam")
        self.assertLessEqual({"result.json", "report.html", "weights.npz", "forward.png", "backward.png"}, set(files))
        self.assertEqual(json.loads((self.dir / "cam" / "result.json").read_text(encoding="utf-8"))["metrics"]["op_file_wrong"], 0)
        report = (self.dir / "cam" / "report.html").read_text(encoding="utf-8")
        self.assertIn("recall by content {7}", report)

    def test_refusals(self):
        for operations, words in (('[{"op": "learn", "cue": 16, "content": [0]}]', "operation 1: there is no cue 16"),
                                  ('[{"op": "learn", "cue": 1, "content": [32]}]', "operation 1: there is no content neuron 32"),
                                  ('[{"op": "learn", "cue": [1, 2], "content": [3]}]', "operation 1: 2 cues in one learn"),
                                  ('[{"op": "learn", "cue": 1, "content": []}]', "operation 1: there is no content to learn"),
                                  ('[{"op": "recall", "cue": 1}, {"op": "recall", "cue": 1, "time": 4}]', "operation 2: comes 4 ms after")):
            (self.dir / "bad.json").write_text(operations)
            self.refuses(self.cam("--set", "op_file=bad.json"), 2, words)
        for setting, words in (("tie_rule=maybe", "depression, none"), ("spacing=6", "7 to 1000"), ("noise=[1.5]", "0 to 1"), ("cues=0", "cues")):
            self.refuses(self.cam("--set", setting), 2, words)
        self.refuses(self.cam("--set", "op_file=none.json"), 3, "none.json")
        self.assertNotIn("cam", " ".join(f for f in self.files() if not f.startswith("cache")))

    def test_one_that_trains_is_listed_and_refused(self):
        listed = {r["slug"]: r["trains"] for r in self.run_ok("recipes", "--json").json}
        self.assertEqual((listed["hippocampus-cam"], listed["digits"]), (False, True))
        self.assertIn("(runs without torch)", self.run_ok("recipes").out)


@needs_training
class Run(ApicalTest):
    def test_every_recipe_at_smoke(self):
        for recipe in self.run_ok("recipes", "--json").json:
            with self.subTest(recipe["slug"]):
                out = self.dir / recipe["slug"]
                printed = self.run_ok("run", recipe["slug"], "--scale", "smoke", "--data", "synthetic", "--out", out, "--json").json
                result = json.loads((out / "result.json").read_text(encoding="utf-8"))
                self.assertEqual(printed, result)
                check(result, schema("result.schema.json"))
                self.assertTrue(any(c["kind"] == "gate" and c["holds"] for c in result["claims"]), "no gate was judged")
                self.assertFalse(any(c["kind"] == "claim" and c["holds"] is not None for c in result["claims"]), "a claim was judged at smoke")
                report = (out / "report.html").read_text(encoding="utf-8")
                self.assertNotRegex(report, r"""(src|href)=["'](https?:)?//""")
                self.assertEqual("Synthetic data" in report, bool(recipe["data"]))
                for line in (out / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
                    json.loads(line)
                self.assertFalse([f for f in self.files(out) if ".tmp" in f])

    def test_a_recipe_that_starts_itself_again_keeps_its_settings(self):
        out = self.dir / "sltt"
        self.run_ok("run", "sltt", "--scale", "smoke", "--data", "synthetic", "--set", "arms=desk", "--set", "net.neuron.v_th=0.75", "--out", out)
        for rule in ("bptt", "sltt-2"):
            self.assertIn("v_th = 0.75", (out / f"memory-{rule}" / "config.toml").read_text(encoding="utf-8"))

    def test_the_twin_is_as_large_as_a_recipe_asks(self):
        out = self.dir / "sltt"
        self.run_ok("run", "sltt", "--scale", "smoke", "--data", "synthetic", "--set", "arms=desk", "--set", "rule=sltt", "--set", "data.train=20500",
                    "--set", "train.max_steps=2", "--out", out)
        self.assertIn("gradient_cosine", json.loads((out / "result.json").read_text(encoding="utf-8"))["metrics"])

    def test_two_point_cells(self):
        run = lambda *words: apical("run", "mcc-av-digits", "--scale", "smoke", "--data", "synthetic", "--out", self.dir / "mcc", *words, cwd=self.dir)
        refused = (('mtf="coup"', "tm1, tm2, tm3, tm4, coop, add, gate"), ("lambda=[0.0,-1.0]", "penalties >= 0"), ("snr=[99.0]", "-40..40 dB, not 99"),
                   ("damage.fractions=[1.5]", "0..1, not 1.5"), ("net.c_max=0.0", "c_max"), ("iters=0", "iteration"), ('fields=["x"]', "'x'"))
        for setting, words in refused:
            self.refuses(run("--set", setting), 2, words)
        self.assertEqual(run("--seed", "7").code, 0)
        names = {f.name for f in (self.dir / "mcc").iterdir()}
        self.assertLessEqual({"clean.wav", "noisy.wav", "estimate_add.wav", "estimate_coop.wav", "accuracy_snr.csv", "model.safetensors"}, names)
        self.assertEqual(json.loads((self.dir / "mcc" / "result.json").read_text(encoding="utf-8"))["recipe"], "mcc-two-point-cells")

    def test_refusals(self):
        listed = self.run_ok("recipes", "--json").json
        if not listed:
            self.fail("no recipe in this build")
        slug = listed[0]["slug"]
        run = lambda *words: apical("run", *words, cwd=self.dir)
        self.refuses(run(slug + "x"), 2, f"'{slug}'")
        self.refuses(run(slug, "--scale", "smoke", "--set", "nosuchthing=1"), 2, "nosuchthing")
        self.refuses(run(slug, "--scale", "smoke", "--device", "cuda"), 2, "built without CUDA")
        self.refuses(run(slug, "--resume", "nowhere"), 3, "nowhere")
        (self.dir / "file").write_text("")
        self.refuses(run(slug, "--scale", "smoke", "--data", "synthetic", "--out", "file"), 3, "file")
        self.assertEqual([f for f in self.files() if not f.startswith("cache")], ["file"])


class NewRecipe(ApicalTest):
    def new(self, *words):
        return subprocess.run([sys.executable, "-B", ROOT / "tools" / "new_recipe", *map(str, words)], capture_output=True, text=True)

    def test_skeleton_is_whole(self):
        p = self.new("my-new-paper", "--root", self.dir)
        self.assertEqual(p.returncode, 0, p.stderr)
        folder = self.dir / "recipes" / "my-new-paper"
        self.assertEqual(self.files(folder), ["README.md", "expected.toml", "recipe.cpp", "recipe.toml"])
        code = (folder / "recipe.cpp").read_text()
        self.assertIn("void run_my_new_paper(RunContext& context)", code)
        for include in re.findall(r'#include "([^"]+)"', code):
            self.assertTrue((ROOT / include).exists(), include)
        for name in ("recipe.toml", "expected.toml", "recipe.cpp", "README.md"):
            self.assertNotRegex((folder / name).read_text(), r"\{(slug|title|function)\}|\{\{|\}\}" if name != "recipe.cpp" else r"\{(slug|title|function)\}")
        metrics = re.findall(r'^metric = "(\w+)"', (folder / "expected.toml").read_text(), re.M)
        self.assertTrue(metrics)
        for metric in metrics:
            self.assertIn(f'"{metric}"', code)

    def test_refusals(self):
        for bad in ("Upper", "a_b", "../x", "1a", "a--b", ""):
            p = self.new(bad, "--root", self.dir)
            self.assertEqual(p.returncode, 2, bad)
            self.assertIn("error", p.stderr)
        self.assertEqual(self.new("twice", "--root", self.dir).returncode, 0)
        before = self.files()
        self.assertEqual(self.new("twice", "--root", self.dir).returncode, 2)
        self.assertEqual(self.files(), before)


if __name__ == "__main__":
    main()

"""tools/check_layers.py: passes on this tree, and refuses each kind of violation seeded into a copy of it."""
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[1]


def check(root):
    p = subprocess.run([sys.executable, "-B", str(ROOT / "tools/check_layers.py"), str(root)], capture_output=True, text=True)
    return p.returncode, p.stdout


class Layers(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="apical-layers-")
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("apical", "recipes", "cli"):
            shutil.copytree(ROOT / name, self.root / name)

    def seed(self, path, text, words):
        """Appends text to a file of the copy; the checker must name exactly this violation."""
        file = self.root / path
        before = file.read_text() if file.exists() else None
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text((before or "") + "\n" + text + "\n")
        code, out = check(self.root)
        file.write_text(before) if before is not None else file.unlink()
        self.assertEqual(code, 1, out)
        self.assertEqual(len(out.splitlines()), 1, out)
        for word in (path, *words):
            self.assertIn(word, out)

    def test_this_tree_is_in_order(self):
        self.assertEqual(check(self.root), (0, "layers: 14 rooms, no violation\n"))

    def test_upward_and_sideways_includes(self):
        self.seed("apical/base/text.h", '#include "apical/kernels/simd.h"', ["base includes", "above"])
        self.seed("apical/formats/x.cpp", '#include "apical/report/svg.h"', ["formats includes", "above"])
        self.seed("apical/runtime/deep/x.cpp", '  #  include <apical/energy/count.h>', ["runtime includes", "above"])
        self.seed("apical/learning/x_test.cpp", '#include "apical/training/trainer.h"', ["learning includes"])
        self.seed("apical/data/x.cpp", '#include "apical/nowhere/x.h"', ["no room is called nowhere"])
        self.seed("apical/data/x.cpp", '#include "../nn/layers.h"', ["write apical/<room>/"])

    def test_an_include_in_a_comment_is_none(self):
        file = self.root / "apical/base/text.h"
        file.write_text(file.read_text() + '/*\n#include <torch/torch.h>\n*/\n// #include "apical/nn/layers.h"\n')
        self.assertEqual(check(self.root)[0], 0)

    def test_torch_where_it_may_not_be(self):
        for header in ("torch/torch.h", "ATen/ATen.h", "c10/util/Half.h"):
            self.seed("apical/runtime/x.cpp", f"#include <{header}>", [header, "without torch"])
        self.seed("cli/doctor.cpp", "#include <torch/torch.h>", ["starts without torch"])
        self.seed("cli/infer.cpp", '#include "apical/nn/layers.h"', ["starts without torch"])

    def test_recipes_are_islands(self):
        self.seed("recipes/one/recipe.cpp", '#include "recipes/two/model.h"', ["another recipe"])
        self.seed("recipes/one/recipe.cpp", '#include "../two/model.h"', ["another recipe"])
        self.seed("apical/training/x.cpp", '#include "recipes/one/model.h"', ["used by nobody"])
        self.seed("apical/training/x.cpp", '#include "cli/frame.h"', ["used by nobody"])

    def test_links_follow_the_same_order(self):
        self.rewrite("apical/graph/CMakeLists.txt", "ROOMS base", "ROOMS base nn", ["graph links nn", "above"])
        self.rewrite("apical/graph/CMakeLists.txt", "ROOMS base", "ROOMS base atlantis", ["no room is called so"])
        self.rewrite("apical/data/CMakeLists.txt", "apical_room(data", "apical_room(data TORCH", ["TORCH stands"])
        self.rewrite("apical/data/CMakeLists.txt", "apical_room(data", "apical_room(date", ["in the folder of data"])
        self.seed("apical/report/x.cpp", '#include "apical/kernels/simd.h"', ["report does not link kernels"])

    def rewrite(self, path, old, new, words):
        file = self.root / path
        before = file.read_text()
        self.assertIn(old, before)
        file.write_text(before.replace(old, new, 1))
        code, out = check(self.root)
        file.write_text(before)
        self.assertEqual(code, 1, out)
        for word in (path, *words):
            self.assertIn(word, out)

    def test_rooms_and_readmes(self):
        (self.root / "apical/atlantis").mkdir()
        code, out = check(self.root)
        self.assertEqual(code, 1)
        self.assertIn("apical/atlantis: not in the plan", out)
        self.assertIn("apical/atlantis: no README.md", out)
        shutil.rmtree(self.root / "apical/atlantis")
        (self.root / "apical/base/README.md").write_text("line\n" * 31)
        code, out = check(self.root)
        self.assertEqual((code, out), (1, "apical/base/README.md: 31 lines, at most 30\n"))


if __name__ == "__main__":
    unittest.main()

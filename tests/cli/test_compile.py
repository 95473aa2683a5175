"""apical compile: one C file that gcc takes at its strictest, and that says what apical infer says, bit for bit."""
import shutil
import struct
import subprocess

from harness import ROOT, ApicalTest, apical, main
from samples import direct_frames, write_npz

USAGE, DATA = 2, 3


def bits(scores):
    return [struct.pack("f", float(s)) for s in scores]


class Compile(ApicalTest):
    def setUp(self):
        super().setUp()
        shutil.copy(ROOT / "tests" / "fuzz" / "corpus" / "model" / "small", self.dir / "model.safetensors")

    def build(self, source, *flags):
        subprocess.run(["gcc", "-std=c99", "-Wall", "-Wextra", "-pedantic", "-Werror", *flags, source, "-o", "program"], cwd=self.dir, check=True)

    def calls_nothing(self, program):
        needed = subprocess.run(["nm", "-u", program], cwd=self.dir, stdout=subprocess.PIPE, check=True).stdout.split()
        self.assertEqual([n for n in needed if n not in (b"U", b"memset", b"memcpy", b"memmove", b"_GLOBAL_OFFSET_TABLE_")], [])

    def test_the_program_says_what_infer_says(self):
        self.run_ok("compile", "model.safetensors", "--target", "c", "--out", "net.c")
        self.build("net.c", "-DAPICAL_MAIN", "-O2")
        pixels = write_npz(self.dir / "set.npz")
        frames = b"".join(direct_frames(p, 5) for p in pixels)
        said = subprocess.run([self.dir / "program"], input=frames, stdout=subprocess.PIPE, check=True).stdout.decode()
        infer = self.run_ok("infer", "model.safetensors", "set.npz", "--json").json
        self.assertEqual([bits(line.split()) for line in said.splitlines()], [bits(p["scores"]) for p in infer["predictions"]])
        self.assertEqual(len(infer["predictions"]), 6)
        cut = subprocess.run([self.dir / "program"], input=frames[:-2], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(cut.returncode, 3)
        self.assertIn(b"ends within a sample", cut.stderr)

    def test_a_quantised_model_becomes_integers(self):
        shutil.copy(ROOT / "tests" / "fuzz" / "corpus" / "model" / "int8", self.dir / "int8.safetensors")
        self.run_ok("compile", "int8.safetensors", "--target", "c", "--out", "net.c")
        text = (self.dir / "net.c").read_text()
        self.assertIn("static const int8_t", text)
        self.assertNotIn("const float small_", text)
        self.build("net.c", "-DAPICAL_MAIN", "-O2")
        pixels = write_npz(self.dir / "set.npz")
        frames = b"".join(direct_frames(p, 5) for p in pixels)
        said = subprocess.run([self.dir / "program"], input=frames, stdout=subprocess.PIPE, check=True).stdout.decode()
        infer = self.run_ok("infer", "int8.safetensors", "set.npz", "--json").json
        self.assertEqual([bits(line.split()) for line in said.splitlines()], [bits(p["scores"]) for p in infer["predictions"]])
        self.build("net.c", "-c", "-O2")
        self.calls_nothing("program")

    def test_the_file_is_named_after_the_model_and_allocates_nothing(self):
        self.run_ok("compile", "model.safetensors", "--target", "c", "--name", "tiny")
        text = (self.dir / "model.c").read_text()
        self.assertIn("void tiny_step(tiny_net *net, const float *frame)", text)
        self.build("model.c", "-c")
        self.calls_nothing("program")

    def test_refusals_leave_nothing(self):
        (self.dir / "bad.safetensors").write_bytes((self.dir / "model.safetensors").read_bytes()[:-4])
        (self.dir / "folder").mkdir()
        before = self.files()
        for code, words, arguments in (
                (USAGE, ["{c}"], ["model.safetensors", "--target", "rust"]),
                (USAGE, ["--target"], ["model.safetensors"]),
                (USAGE, ["a-b"], ["model.safetensors", "--target", "c", "--name", "a-b"]),
                (DATA, ["none.safetensors"], ["none.safetensors", "--target", "c"]),
                (DATA, ["bad.safetensors", "byte"], ["bad.safetensors", "--target", "c"]),
                (DATA, ["folder"], ["model.safetensors", "--target", "c", "--out", "folder"]),
                (DATA, ["no/net.c"], ["model.safetensors", "--target", "c", "--out", "no/net.c"])):
            self.refuses(apical("compile", *arguments, cwd=self.dir), code, *words)
        self.assertEqual(self.files(), before)
        self.assertIn("--target c --out digits.c", self.run_ok("compile", "--help").out)


if __name__ == "__main__":
    main()

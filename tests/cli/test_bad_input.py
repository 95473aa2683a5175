"""Every kind of bad input: one clear message, its exit code, no crash, nothing left behind."""
import json
import os
import shutil
import struct
import subprocess
import unittest

from harness import ROOT, ApicalTest, apical, main, needs_training, obey_permissions

CORPUS = ROOT / "tests" / "fuzz" / "corpus"
USAGE, DATA, SYSTEM = 2, 3, 4


class Files(ApicalTest):
    def test_files_that_promise_more_than_they_hold(self):
        huge = 10**12
        table = {  # name of the file -> bytes; read as data of a model
            "x-images-idx3-ubyte": struct.pack(">IIII", 0x803, 0xFFFFFFFF, 28, 28),
            "short-images-idx3-ubyte": struct.pack(">IIII", 0x803, 10, 28, 28) + bytes(100),
            "x.npz": b"PK\3\4 not a zip",
            "x.png": b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">IIBBBBB", 0x7FFFFFFF, 0x7FFFFFFF, 8, 0, 0, 0, 0) + bytes(4),
        }
        model = self.model()
        for name, content in table.items():
            with self.subTest(name):
                (self.dir / name).write_bytes(content)
                self.refuses(apical("infer", model, name, cwd=self.dir), DATA, name)
        header = json.dumps({"w": {"dtype": "F32", "shape": [huge], "data_offsets": [0, 4 * huge]}}).encode()
        for name, content in {"huge.safetensors": struct.pack("<Q", len(header)) + header, "header.safetensors": struct.pack("<Q", huge) + b"{}",
                              "empty.safetensors": b"", "cut.safetensors": model.read_bytes()[:-4]}.items():
            with self.subTest(name):
                (self.dir / name).write_bytes(content)
                self.refuses(apical("infer", name, "mnist", cwd=self.dir), DATA, name)

    def model(self):
        path = self.dir / "model.safetensors"
        shutil.copy(CORPUS / "model" / "small", path)
        return path

    def test_a_model_whose_graph_and_tensors_disagree(self):
        raw = self.model().read_bytes()
        size = struct.unpack("<Q", raw[:8])[0]
        header = json.loads(raw[8:8 + size])
        header["fc.renamed"] = header.pop("fc.w")
        text = json.dumps(header).encode()
        (self.dir / "model.safetensors").write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + size:])
        self.refuses(apical("infer", "model.safetensors", "mnist", cwd=self.dir), DATA, "fc.w")

    def test_truncated_recordings_of_every_format(self):
        for family, ending in (("aedat2", "aedat"), ("aedat3", "aedat"), ("aedat4", "aedat4"), ("csv", "csv"), ("dat", "dat"), ("es", "es"), ("evt2", "raw"),
                               ("evt21", "raw"), ("evt3", "raw"), ("hdf5", "h5"), ("nmnist", "bin")):
            whole = max((CORPUS / family).iterdir(), key=lambda p: p.stat().st_size).read_bytes()
            for cut in (1, 7, len(whole) // 2, len(whole) - 1):
                name = f"{family}-{cut}.{ending}"
                (self.dir / name).write_bytes(whole[:cut])
                result = apical("events", "info", name, cwd=self.dir)
                with self.subTest(name):  # half a recording may be a recording; it is never a crash
                    self.assertIn(result.code, (0, DATA), str(result))
                    if result.code:
                        self.refuses(result, DATA, name)
                    converted = apical("events", "convert", name, "out.npz", cwd=self.dir)
                    self.assertIn(converted.code, (0, USAGE, DATA), str(converted))
                    self.assertEqual((self.dir / "out.npz").exists(), converted.code == 0)
                    (self.dir / "out.npz").unlink(missing_ok=True)

    def test_wrong_number_of_labels(self):
        (self.dir / "set").mkdir()
        (self.dir / "set/train-images-idx3-ubyte").write_bytes(struct.pack(">IIII", 0x803, 3, 9, 7) + bytes(3 * 63))
        (self.dir / "set/train-labels-idx1-ubyte").write_bytes(struct.pack(">II", 0x801, 2) + bytes(2))
        self.refuses(apical("infer", self.model(), "set", cwd=self.dir), DATA, "labels")

    def test_missing_files(self):
        self.refuses(apical("infer", "none.safetensors", "mnist", cwd=self.dir), DATA, "none.safetensors")
        self.refuses(apical("infer", self.model(), "nowhere", cwd=self.dir), DATA, "nowhere")
        self.refuses(apical("events", "info", "none.raw", cwd=self.dir), DATA, "none.raw")


@needs_training
class Runs(ApicalTest):
    def run_digits(self, *args, **options):
        return apical("--threads", "1", "run", "digits", "--scale", "smoke", "--data", "synthetic", *args, cwd=self.dir, **options)

    def test_settings(self):
        for args, words in ((("--set", "train.epoch=2"), ("train.epoch", "train.epochs")), (("--set", "net.T=0"), ("T must be at least 1",)),
                            (("--set", "net.neuron.tau=-2.0"), ("tau must be >= 1",)), (("--set", "train.lr=fast"), ("train.lr",)),
                            (("--set", "arms=evnets"), ("evnets",))):
            with self.subTest(args):
                self.refuses(self.run_digits(*args, "--out", "run"), USAGE, *words)
                self.assertEqual(self.files(), [])

    def test_a_file_where_the_folder_should_be(self):
        (self.dir / "file").write_text("mine")
        result = self.run_digits("--out", "file")
        self.assertIn(result.code, (USAGE, DATA, SYSTEM), str(result))
        self.assertEqual((self.dir / "file").read_text(), "mine")

    def test_a_folder_that_cannot_be_written(self):
        (self.dir / "closed").mkdir()
        os.chmod(self.dir / "closed", 0o500)
        result = self.run_digits("--out", "closed/run", preexec_fn=obey_permissions)
        self.assertNotEqual(result.code, 0, str(result))
        self.assertEqual(len([l for l in result.err.splitlines() if l.startswith("error: ")]), 1, str(result))
        self.assertEqual(self.files(), [])

    @unittest.skipIf(os.geteuid() != 0, "needs root to mount a small disk")
    def test_a_full_disk(self):
        disk = self.dir / "disk"
        disk.mkdir()
        if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=96k", "tmpfs", disk], capture_output=True).returncode != 0:
            self.skipTest("this system does not let us mount")
        try:
            result = self.run_digits("--out", disk / "run")
            self.assertNotEqual(result.code, 0, str(result))
            self.assertEqual(len([l for l in result.err.splitlines() if l.startswith("error: ")]), 1, str(result))
            left = self.files(disk)
            self.assertEqual([f for f in left if ".tmp" in f or f.endswith(("result.json", "report.html", "model.safetensors"))], [], left)
        finally:
            subprocess.run(["umount", disk], check=True)

    def test_no_data(self):
        result = apical("run", "digits", "--scale", "smoke", "--data", self.dir / "nowhere", "--out", "run", cwd=self.dir)
        self.assertNotEqual(result.code, 0, str(result))
        self.assertIn("nowhere", result.err)
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    main()

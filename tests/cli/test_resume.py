"""A run that is interrupted and resumed ends with the same weights, bit for bit, as an unbroken one."""
import hashlib
import os
import random
import re
import signal
import subprocess
import time

from harness import APICAL, ApicalTest, apical, main, needs_training

# A second of training with a checkpoint after every other step, one thread: many writes, few seconds.
SETTINGS = ["--scale", "smoke", "--data", "synthetic", "--set", "arms=images", "--set", "train.checkpoint_steps=2", "--set", "images.test=16",
            "--set", "images.train=160"]
LONGER = SETTINGS + ["--set", "train.epochs=40"]
KILLED, INTERRUPTED = -signal.SIGKILL, 130


def run(*args, env=None):
    return apical("--threads", "1", "run", "digits", *args, env=env)


@needs_training
class Resume(ApicalTest):
    def weights(self, folder):
        return hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()

    def unbroken(self, settings):
        folder = self.dir / "unbroken"
        result = run(*settings, "--out", folder)
        self.assertEqual(result.code, 0, str(result))
        return self.weights(folder), (folder / "metrics.jsonl").read_text()

    def losses(self, metrics):  # wall times differ
        return re.sub(r'"seconds":[^,}]*', "", metrics)

    def resumed(self, folder, settings):
        """Goes on; a run that was killed before it had written what it is begins anew."""
        result = run("--resume", folder)
        if result.code != 0 and not (folder / "config.toml").exists():
            result = run(*settings, "--out", folder)
        self.assertEqual(result.code, 0, str(result))

    def test_killed_at_every_write_fsync_and_rename(self):
        weights, metrics = self.unbroken(SETTINGS)
        counted = run(*SETTINGS, "--out", self.dir / "counted", env={"APICAL_FAULT": "count"})
        points = int(re.search(r"fault points: (\d+)", counted.err).group(1))
        self.assertGreater(points, 12, str(counted))
        for n in range(1, points + 1):
            folder = self.dir / f"killed{n}"
            result = run(*SETTINGS, "--out", folder, env={"APICAL_FAULT": str(n)})
            self.assertEqual(result.code, KILLED, str(result))
            self.resumed(folder, SETTINGS)
            self.assertEqual(self.weights(folder), weights, f"killed at point {n} of {points}")
            self.assertEqual(self.losses((folder / "metrics.jsonl").read_text()), self.losses(metrics), f"killed at point {n}")
            self.assertEqual([f for f in self.files(folder) if ".tmp" in f], [], "a temporary file was left")

    def test_interrupted_ten_times(self):
        weights, metrics = self.unbroken(LONGER)
        folder, when = self.dir / "interrupted", random.Random(7)
        args, stopped = [*LONGER, "--out", folder], {signal.SIGINT: 0, signal.SIGKILL: 0}
        for k in range(10):
            sent = (signal.SIGINT, signal.SIGKILL)[k % 2]
            p = subprocess.Popen([APICAL, "--threads", "1", "run", "digits", *map(str, args)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                 env={k: v for k, v in os.environ.items() if k != "APICAL_DATA"})
            for line in p.stderr:  # learning has begun, or gone on
                if "epoch 1" in line or "goes on from step" in line:
                    break
            time.sleep(when.uniform(0.02, 0.3))
            p.send_signal(sent)
            err = p.communicate()[1]
            if p.returncode == (INTERRUPTED if sent == signal.SIGINT else KILLED):
                stopped[sent] += 1
            if p.returncode == INTERRUPTED:
                self.assertIn("--resume", err)
            args = ["--resume", folder]
        self.assertGreaterEqual(min(stopped.values()), 3, stopped)
        self.resumed(folder, LONGER)
        self.assertEqual(self.weights(folder), weights)
        self.assertEqual(self.losses((folder / "metrics.jsonl").read_text()), self.losses(metrics))


if __name__ == "__main__":
    main()

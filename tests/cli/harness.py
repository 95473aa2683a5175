"""What every command-line test needs: run `apical`, look at its exit code, output and messages, in a fresh folder.

    from harness import ApicalTest, apical, main

    class Info(ApicalTest):
        def test_missing_file(self):
            self.refuses(apical("events", "info", "no.aedat4"), 3, "no.aedat4")

    if __name__ == "__main__":
        main()

$APICAL names the executable (ctest sets it; default: build/release/cli/apical). TRAINING says whether apical-train was built:
decorate a test that trains with @needs_training; without training it is not defined at all, so nothing is skipped.
"""
import ctypes
import json
import os
import pathlib
import subprocess
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
APICAL = os.environ.get("APICAL") or str(ROOT / "build/release/cli/apical")
TRAINING = (pathlib.Path(APICAL).parent / "apical-train").exists() if "APICAL_TRAIN" not in os.environ else os.environ["APICAL_TRAIN"] == "1"


class Result:
    """Exit code, standard output, standard error."""

    def __init__(self, args, code, out, err):
        self.args, self.code, self.out, self.err = args, code, out, err

    @property
    def json(self):
        return json.loads(self.out)

    def __str__(self):
        return f"$ apical {' '.join(map(str, self.args))}\nexit code {self.code}\n--- out\n{self.out}--- err\n{self.err}"


def apical(*args, env=None, cwd=None, timeout=240, data=None, stdin=None, preexec_fn=None):
    """Runs apical. `env` is laid over the environment (None removes a variable); `data` sets $APICAL_DATA (default: unset, so
    that a test never depends on the data of a machine)."""
    environment = dict(os.environ)
    environment.pop("APICAL_DATA", None)
    if data is not None:
        environment["APICAL_DATA"] = str(data)
    for key, value in (env or {}).items():
        environment.pop(key, None)
        if value is not None:
            environment[key] = str(value)
    p = subprocess.run([APICAL, *map(str, args)], env=environment, cwd=cwd, timeout=timeout, input=stdin, preexec_fn=preexec_fn,
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8", errors="replace")
    return Result(args, p.returncode, p.stdout, p.stderr)


def obey_permissions():
    """preexec_fn of apical(): root may write anywhere, and loses that (CAP_DAC_OVERRIDE) with its bounding set. Others obey anyway."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE = 24, 1
    if os.geteuid() == 0 and ctypes.CDLL(None, use_errno=True).prctl(PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def needs_training(item):
    """A test (or class) that exists only where apical-train was built."""
    return item if TRAINING else None


class ApicalTest(unittest.TestCase):
    """self.dir is a fresh folder, removed afterwards; the user's cache is inside it."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="apical-test-")
        self.addCleanup(folder.cleanup)
        self.dir = pathlib.Path(folder.name)
        os.environ["XDG_CACHE_HOME"] = str(self.dir / "cache")

    def run_ok(self, *args, **options):
        """Runs apical here, expects exit code 0, returns the Result."""
        options.setdefault("cwd", self.dir)
        result = apical(*args, **options)
        self.assertEqual(result.code, 0, str(result))
        return result

    def refuses(self, result, code, *words):
        """One clear message: the exit code, the words, exactly one 'error: ' line, nothing on standard output, no crash."""
        self.assertEqual(result.code, code, str(result))
        errors = [line for line in result.err.splitlines() if line.startswith("error: ")]
        self.assertEqual(len(errors), 1, str(result))
        for word in words:
            self.assertIn(str(word), errors[0], str(result))
        self.assertEqual(result.out, "", str(result))
        return result

    def files(self, folder=None):
        """Every file below a folder (default: self.dir), relative and sorted: what a failed command left behind."""
        folder = pathlib.Path(folder or self.dir)
        return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def main():
    unittest.main(verbosity=1)

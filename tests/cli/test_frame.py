"""The frame of the command line: help, version, exit codes, did-you-mean, the way to apical-train, doctor, completion."""
import os
import pathlib
import shutil
import subprocess

from harness import APICAL, TRAINING, ApicalTest, apical, main, needs_training, obey_permissions


def completions(script, *words, cwd=None):
    """What bash offers for the last word after `apical`, asked from a real bash with the script loaded."""
    ask = 'source "$1"; shift; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _apical; printf "%s\\n" "${COMPREPLY[@]}"'
    p = subprocess.run(["bash", "--norc", "-c", ask, "bash", script, "apical", *words], cwd=cwd, capture_output=True, text=True)
    assert p.returncode == 0 and not p.stderr, p.stderr
    return p.stdout.split()


class Frame(ApicalTest):
    def test_help_is_the_map_of_both_executables(self):
        out = self.run_ok("--help").out
        for verb in ("run", "verify", "train", "doctor", "completion", "--threads", "--quiet", "Examples:", "Exit codes:"):
            self.assertIn(verb, out)
        self.assertEqual(self.run_ok().out, out)
        self.assertIn("Examples:", self.run_ok("doctor", "--help").out)

    def test_version(self):
        self.assertRegex(self.run_ok("--version").out, r"^apical \d+\.\d+\.\d+\n$")

    def test_wrong_words_get_a_hint_and_code_2(self):
        self.refuses(apical("doctr"), 2, "no verb 'doctr'", "Did you mean 'doctor'?")
        self.refuses(apical("verfy"), 2, "Did you mean 'verify'?")
        self.refuses(apical("--vresion"), 2, "no option '--vresion'", "Did you mean '--version'?")
        self.refuses(apical("doctor", "--jsno"), 2, "in 'apical doctor'", "Did you mean '--json'?")
        self.refuses(apical("doctor", "--thread", "2"), 2, "Did you mean '--threads'?")
        self.refuses(apical("completion"), 2, "shell", "apical completion --help")
        self.refuses(apical("completion", "fish"), 2, "fish")
        self.refuses(apical("completion", "bash", "bash"), 2, "too many")

    def test_threads_are_checked_wherever_they_come_from(self):
        for words in (("--threads", "0"), ("--threads", "1025"), ("--threads", "many")):
            self.refuses(apical("doctor", *words), 2, "threads")
        self.refuses(apical("doctor", env={"APICAL_THREADS": "0"}), 2, "threads")
        self.assertEqual(apical("doctor", "--json", "--threads", "1", cwd=self.dir).json["threads"], 1)
        self.assertEqual(apical("--threads", "1", "doctor", "--json", cwd=self.dir).json["threads"], 1)

    def test_unknown_simd_level(self):
        self.refuses(apical("doctor", env={"APICAL_SIMD": "avx1024"}), 2, "avx1024", "scalar")

    def test_a_full_disk_behind_standard_output_is_an_error(self):
        for words in (["completion", "bash"], ["--help"], ["--version"], ["doctor", "--help"], []):
            with open("/dev/full", "w") as full:
                p = subprocess.run([APICAL, *words], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(p.returncode, 3, words)
            self.assertIn("error: cannot write the result", p.stderr)

    def test_apical_needs_no_torch(self):
        self.assertNotIn("torch", subprocess.run(["ldd", APICAL], capture_output=True, text=True).stdout)

    def test_without_apical_train_the_verbs_that_train_say_so(self):
        alone = self.dir / "apical"
        shutil.copy(APICAL, alone)
        for words in (["run", "digits"], ["--threads", "2", "verify", "digits"], ["train", "--help"], ["--quiet", "sweep", "digits"]):
            p = subprocess.run([alone, *words], capture_output=True, text=True)
            self.assertEqual(p.returncode, 2, p.stderr)
            self.assertIn("built without training", p.stderr)
            self.assertIn("cmake --preset release", p.stderr)

    def test_apical_train_is_started_with_the_words_and_the_right_environment(self):
        """A script stands in for apical-train, beside apical and in ../libexec/apical."""
        for place in ("bin", "libexec/apical"):
            bin_folder, folder = self.dir / place / "bin", self.dir / place / place
            bin_folder.mkdir(parents=True)
            folder.mkdir(parents=True, exist_ok=True)
            apical_copy = (folder if place == "bin" else self.dir / place / "bin") / "apical"
            shutil.copy(APICAL, apical_copy)
            fake = folder / "apical-train"
            fake.write_text('#!/bin/sh\necho "$@|$OPENBLAS_CORETYPE|$OMP_DYNAMIC"\nexit 7\n')
            fake.chmod(0o755)
            environment = {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OMP_DYNAMIC")}
            p = subprocess.run([apical_copy, "--threads", "1", "run", "x", "--set", "a=b c"], env=environment, capture_output=True, text=True)
            self.assertEqual(p.returncode, 7, p.stderr)
            words, core, dynamic = p.stdout.strip().split("|")
            self.assertEqual(words, "--threads 1 run x --set a=b c")
            self.assertEqual(dynamic, "false")
            flags = pathlib.Path("/proc/cpuinfo").read_text().split("flags", 2)[1].split("\n")[0].split()
            amd = "AuthenticAMD" in pathlib.Path("/proc/cpuinfo").read_text()
            if amd:
                self.assertEqual(core, "SkylakeX" if {"avx512f", "avx512bw", "avx512dq", "avx512vl"} <= set(flags) else "")
            environment["OPENBLAS_CORETYPE"] = "Haswell"  # the user's word is kept
            p = subprocess.run([apical_copy, "run"], env=environment, capture_output=True, text=True)
            self.assertIn("|Haswell|", p.stdout)

    @needs_training
    def test_doctor_knows_the_blas(self):
        blas = apical("doctor", "--json", cwd=self.dir).json["blas"]
        self.assertNotEqual(blas["core"], "generic")
        self.assertGreater(blas["gflops"], 1)


class Doctor(ApicalTest):
    def test_facts(self):
        j = apical("doctor", "--json", "--threads", "1", cwd=self.dir).json
        self.assertIn(j["simd"], j["simd_levels"])
        self.assertGreater(j["copy_gb_per_s"], 0.1)
        self.assertEqual(j["training"], TRAINING)
        self.assertIsNone(j["data_folder"])
        scalar = apical("doctor", "--json", "--threads", "1", env={"APICAL_SIMD": "scalar"}, cwd=self.dir).json
        self.assertEqual(scalar["simd"], "scalar")

    def test_data_at_hand(self):
        (self.dir / "data/mnist").mkdir(parents=True)
        j = apical("doctor", "--json", data=self.dir / "data", cwd=self.dir).json
        self.assertEqual(j["data"], ["mnist"])

    def problems(self, cwd=None, **options):
        result = apical("doctor", "--json", "--threads", "1", cwd=cwd or self.dir, **options)
        self.assertEqual(result.code, 1, str(result))
        return " ".join(p["what"] + " " + p["hint"] for p in result.json["problems"])

    def test_problems_have_hints_and_code_1(self):
        self.assertIn("APICAL_DATA names no folder", self.problems(data=self.dir / "none"))
        (self.dir / "file").write_text("")
        self.assertIn("Set XDG_CACHE_HOME", self.problems(env={"XDG_CACHE_HOME": self.dir / "file"}))
        self.assertIn("curl is not installed", self.problems(env={"PATH": str(self.dir)}))
        (self.dir / "closed").mkdir(mode=0o500)
        self.assertIn("this folder cannot be written", self.problems(cwd=self.dir / "closed", preexec_fn=obey_permissions))
        result = apical("doctor", "--threads", "1", data=self.dir / "none", cwd=self.dir)
        self.assertIn("PROBLEM    APICAL_DATA", result.out)
        self.assertEqual([f for f in self.files() if "doctor" in f], [])


class Completion(ApicalTest):
    def setUp(self):
        super().setUp()
        self.script = self.dir / "completion.bash"
        self.script.write_text(self.run_ok("completion", "bash").out)

    def complete(self, *words):
        return completions(str(self.script), *words, cwd=self.dir)

    def test_verbs_options_and_choices(self):
        self.assertLessEqual({"run", "verify", "train", "doctor", "completion"}, set(self.complete("")))
        self.assertEqual(self.complete("doc"), ["doctor"])
        self.assertEqual(self.complete("--threads", "2", "comple"), ["completion"])
        self.assertEqual(self.complete("completion", ""), ["bash", "zsh"])
        self.assertEqual(self.complete("doctor", "--js"), ["--json"])
        self.assertEqual(self.complete("doctor", "--qu"), ["--quiet"])
        self.assertNotIn("blas", self.complete("") + self.complete("b"))

    def test_files_where_files_belong(self):
        (self.dir / "model.safetensors").write_text("")
        self.assertEqual(self.complete("doctor", "mod"), ["model.safetensors"])

    @needs_training
    def test_the_verbs_of_apical_train_are_known_to_their_options(self):
        self.assertIn("--scale", self.complete("run", "--sc"))

    def test_zsh_script_names_every_verb(self):
        out = self.run_ok("completion", "zsh").out
        self.assertTrue(out.startswith("#compdef apical\n"))
        for word in ("'doctor:", "'run:", "_apical_completion()", "1:choice:(bash zsh)", "--json["):
            self.assertIn(word, out)
        if shutil.which("zsh"):
            subprocess.run(["zsh", "-n", "-c", out], check=True)


if __name__ == "__main__":
    main()

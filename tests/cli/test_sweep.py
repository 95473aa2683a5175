"""apical sweep: every point of a grid, one table; killed anywhere and resumed it ends with the same table; refusals."""
import csv
import re
import signal

from harness import ApicalTest, apical, main, needs_training

GRID = ["digits", "--scale", "smoke", "--data", "synthetic", "--set", "arms=images", "--set", "images.test=16", "--set", "images.train=160",
        "--over", "train.lr=0.002,0.02", "--over", "train.epochs=1,2", "--seed", "3", "--metric", "test_accuracy"]
TIMES = re.compile("_s$|second|_us$|wall|rate|speed|rss|mb$")


@needs_training
class Sweep(ApicalTest):
    def table(self, folder):
        with open(folder / "sweep.csv") as file:
            return [row for row in csv.reader(file) if not TIMES.search(row[2])]

    def test_the_table_of_a_grid_and_of_one_that_was_killed(self):
        said = self.run_ok("--threads", "1", "sweep", *GRID, "--out", "whole", "--json").json
        self.assertEqual([p["settings"] for p in said["points"]],
                         [{"train.lr": lr, "train.epochs": n} for lr in ("0.002", "0.02") for n in ("1", "2")])
        table = self.table(self.dir / "whole")
        self.assertEqual(table[0], ["train.lr", "train.epochs", "metric", "seed", "value", "lo", "hi"])
        for point in said["points"]:
            where = [point["settings"]["train.lr"], point["settings"]["train.epochs"], "test_accuracy", ""]
            self.assertIn(f'{point["result"]["metrics"]["test_accuracy"]:.9g}', [row[4] for row in table if row[:4] == where])
        counted = apical("--threads", "1", "sweep", *GRID, "--out", "counted", cwd=self.dir, env={"APICAL_FAULT": "count"})
        points = int(re.search(r"fault points: (\d+)", counted.err).group(1))
        for n in range(1, points + 1, max(1, points // 8)):
            folder = self.dir / f"killed{n}"
            killed = apical("--threads", "1", "sweep", *GRID, "--out", folder, env={"APICAL_FAULT": n})
            self.assertEqual(killed.code, -signal.SIGKILL, str(killed))
            arguments = ["--resume", folder] if (folder / "sweep.toml").exists() else [*GRID, "--out", folder]
            self.run_ok("--threads", "1", "sweep", *arguments)
            self.assertEqual(self.table(folder), table, f"killed at point {n} of {points}")

    def test_refusals_leave_nothing(self):
        grid = ["digits", "--scale", "smoke"]
        for words, arguments in (
                (["train.lr", "Did you mean"], [*grid, "--over", "train.ls=1,2"]),
                (["KEY=VALUE"], [*grid, "--over", "train.lr"]),
                (["twice"], [*grid, "--over", "train.lr=0.1,0.1"]),
                (["--seeds"], [*grid, "--seeds", "3..1"]),
                (["--seed"], [*grid, "--seeds", "1..3", "--seed", "2"]),
                (["digts"], ["digts"]),
                (["recipe"], [])):
            self.refuses(apical("sweep", *arguments, cwd=self.dir), 2, *words)
        self.refuses(apical("sweep", "--resume", "nowhere", cwd=self.dir), 3, "no sweep to resume", "nowhere")
        self.assertEqual(self.files(), [])


if __name__ == "__main__":
    main()

"""What every field benchmark shares: arguments, times, rows of results.json, the tables of docs/benchmarks.md."""
import argparse
import ctypes
import gc
import importlib.metadata
import json
import os
import pathlib
import platform
import re
import statistics
import subprocess
import time

PAGE = """# Benchmarks

Apical beside its peers, measured in one run; `bench/field/run.sh` measures everything anew and writes this page. Results are compared
first: a row stands here only when both sides gave the same. `bench/micro/run.sh` measures each kernel by itself, beside the machine's limit.
"""
ROOT = pathlib.Path(__file__).resolve().parents[2]
RUNS, FEWEST, LEAST = 7, 5, 0.5


def arguments(description, parts=()):
    """`parts`: what may be measured alone."""
    p = argparse.ArgumentParser(description=description)
    p.add_argument("--binaries", type=lambda s: pathlib.Path(s).resolve(), required=True, help="folder of our executables")
    p.add_argument("--threads", type=int, default=os.cpu_count())
    p.add_argument("--quick", action="store_true", help="small sizes, nothing is written")
    if parts:
        p.add_argument("--only", choices=parts, help="measure this alone; the other rows stay as they are")
    return p.parse_args()


def set_threads(n):
    """Of torch, and of JAX: it takes as many as there are processors that it may use."""
    import torch
    torch.set_num_threads(n)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:n])


def seconds(run, warm=False):
    """Wall times of RUNS calls of run(), after one that warms up unless that has been done; of FEWEST when a call takes seconds, of more when RUNS
    take less than LEAST seconds together."""
    if not warm:
        run()
    times = []
    while len(times) < (RUNS if not times or times[0] < 2 else FEWEST) or sum(times) < LEAST:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return times


def peak_bytes(args, *command):
    """The most bytes that a command holds by malloc while its run() works (`at_work`, or its like in measure.h), above what it held before."""
    env = dict(environment(), LD_PRELOAD=str(args.binaries / "libbench_peak.so"))
    p = subprocess.run([str(word) for word in command], env=env, stdout=subprocess.PIPE, text=True, check=True)
    return int(json.loads(p.stdout.splitlines()[-1])["peak_bytes"][0])


def at_work(run):
    """In the process of peak_bytes (bench/field/peak.cpp is preloaded): one run that warms up, one that counts."""
    counter = ctypes.CDLL(None)
    counter.peak_bytes.restype = ctypes.c_longlong
    gradient = run()[1]  # held before, and once more by the run that counts
    gc.collect()
    counter.peak_begin()
    run()
    del gradient
    print(json.dumps({"peak_bytes": [counter.peak_bytes()]}))


def megabytes(b):
    return f"{b / 1e6:.3g} MB"


def summary(times):
    return {"median_s": statistics.median(times), "min_s": min(times), "max_s": max(times), "runs": len(times)}


def named(package):
    return f"{package} {importlib.metadata.version(package)}"


def cpu():
    """A virtual machine's "AMD EPYC" may be any: the widest vectors tell which."""
    info = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*:\s*(.+)$", info, re.MULTILINE)
    widest = next((shown for flag, shown in (("avx512f", "AVX-512"), ("avx2", "AVX2")) if re.search(rf"\b{flag}\b", info)), None)
    return (name.group(1) if name else platform.processor()) + (f" ({widest})" if widest else "")


def environment():
    """As apical starts apical-train: with the processor's own OpenBLAS kernels."""
    env = dict(os.environ, OMP_DYNAMIC="false", OPENBLAS_THREAD_TIMEOUT="4", GOMP_SPINCOUNT="10000")
    if "avx512vl" in pathlib.Path("/proc/cpuinfo").read_text():
        env.setdefault("OPENBLAS_CORETYPE", "SkylakeX")  # OpenBLAS 0.3.21 chooses less by itself (docs/decisions/0001-two-executables.md)
    return env


def ours(binary, *words, threads, runs=RUNS):
    """Runs one of our executables; its JSON line."""
    p = subprocess.run([binary, *map(str, words), "--threads", str(threads), "--runs", str(runs)], env=environment(), stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(p.stdout.splitlines()[-1])


def row(workload, config, equal, times, peers, limit):
    """`limit`: {"kind", "value"} where value is the least time in seconds."""
    fastest = min((p["median_s"] for p in peers.values()), default=None)
    mine = summary(times)
    return {"workload": workload, "config": config, "results_equal": equal, "apical": mine, "peers": peers,
            "ratio_to_fastest_peer": fastest / mine["median_s"] if fastest else None,
            "limit": limit, "fraction_of_limit": limit["value"] / mine["median_s"]}


def si(s):
    return f"{s:.3g} s" if s >= 1 else f"{1e3 * s:.3g} ms" if s >= 1e-3 else f"{1e6 * s:.3g} us"


def table(rows, columns):
    """Markdown: one line a row, a column for each of `columns` of config, ours, each peer with its ratio. config["once"]: peers too slow to be timed,
    with the seconds of their one call."""
    peers = list(dict.fromkeys(name for r in rows for name in [*r["peers"], *r["config"].get("once", {})]))
    out = ["| " + " | ".join([*columns, "Apical", "of the limit", *peers]) + " |", "|" + "---|" * (len(columns) + 2 + len(peers))]
    for r in rows:
        cells = [str(r["config"][c]) for c in columns] + [si(r["apical"]["median_s"]), f"{100 * r['fraction_of_limit']:.0f} %"]
        for p in peers:
            t = r["peers"].get(p)
            once = r["config"].get("once", {}).get(p)
            missing = "results differ" if any(package in p for package in r["config"].get("differs", [])) else "not measured"
            cells.append(f"{si(once)}, once" if once else missing if t is None else f"{si(t['median_s'])} ({t['median_s'] / r['apical']['median_s']:.1f} x)")
        out.append("| " + " | ".join(cells) + " |")
    return "\n".join(out)


def publish(args, workload, rows, columns, text):
    """results.json beside the workload, and its section of docs/benchmarks.md; with --quick only printed."""
    shown = table(rows, columns)
    print(shown)
    bad = [r["config"] for r in rows if not r["results_equal"]]
    if bad:
        raise SystemExit(f"error: results differ, so the times mean nothing: {bad}")
    if args.quick:
        return
    results = ROOT / "bench/field" / workload / "results.json"
    results.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    page = ROOT / "docs/benchmarks.md"
    head = f"<!-- {workload} -->"
    section = f"{head}\n## {workload}\n\n{text.strip()}\n\n`bench/field/run.sh --threads {args.threads} {workload}` on {cpu()}, {args.threads} threads, " \
              f"{time.strftime('%Y-%m-%d')}; medians of {RUNS} runs and {LEAST} s at least ({FEWEST} runs where one takes seconds); in parentheses the peer's time over ours.\n\n{shown}\n"
    before = page.read_text(encoding="utf-8") if page.exists() else PAGE
    if head in before:
        after = re.sub(re.escape(head) + r".*?(?=<!-- |\Z)", lambda _: section + "\n", before, flags=re.S)
    else:
        after = before.rstrip() + "\n\n" + section
    page.write_text(after.rstrip() + "\n", encoding="utf-8")

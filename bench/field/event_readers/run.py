"""Whole recordings of event cameras into arrays t (int64), x, y (int16) and p (uint8), allocated anew each time, files in the page cache.

Real recordings of $APICAL_DATA/events, again and again with shifted times until there are 10^8 events: EVT 2 and 3 with the cameras' own
words; DAT holds the events of the EVT 2 recording, "EVT 3, single" those of the EVT 3 recording without vector words; AEDAT 4 is written
by Apical (LZ4, 10,000 events a packet); N-MNIST: a sample's addresses at times that fill the format's 23 bits, a tenth of the events. The
peers use one thread, whatever they are given (so says their processor time), so Apical is timed with one and with all. Their arrays may
stay interleaved (structured), as they come. expelliarmus gives EVT 3 times that run ahead (it takes every TIME_LOW that falls for 4096 us
more, after a new TIME_HIGH too), so those times are compared with the format's, decoded word by word, and its x, y and p event by event.
tonic reads AEDAT 4 by way of aedat.
The limit: the bytes of file and arrays at the copy bandwidth of the run, plus the time the system needs to hand out as many fresh pages.
"""
import concurrent.futures
import functools
import multiprocessing
import pathlib
import tempfile
import time

import numpy as np

import field
import recordings


def expelliarmus(encoding, path):
    from expelliarmus import Wizard
    wizard = Wizard(encoding=encoding, fpath=path)
    return wizard.read


def tonic_nmnist(path):
    import tonic.io
    return lambda: tonic.io.read_mnist_file(str(path), dtype=tonic.io.events_struct)


def tonic_aedat4(path):
    import tonic.io
    return lambda: tonic.io.read_aedat4(str(path))


def aedat(path):
    import aedat
    return lambda: np.concatenate([p["events"] for p in aedat.Decoder(str(path)) if "events" in p])


def dv_processing(path):
    import dv_processing as dv

    def run():
        recording, store = dv.io.MonoCameraRecording(str(path)), dv.EventStore()
        while (batch := recording.getNextEventBatch()) is not None:
            store.add(batch)
        return store.numpy()
    return run


def column(events, name):
    other = {"t": "timestamp", "p": "polarity"}
    return events[name if name in events.dtype.fields else other[name]]


def equal(folder, events, times):
    """Whether all columns are the same; times (of one tile, and their shift) stand for the peer's where they are given."""
    mine = {name: np.memmap(folder / name, dtype) for name, dtype in (("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "u1"))}
    if any(len(m) != len(events) for m in mine.values()):
        return False
    same = all(np.array_equal(mine[c], column(events, c)) for c in ("xyp" if times else "txyp"))
    if times:
        t, shift = times
        same &= all(np.array_equal(mine["t"][k * len(t):(k + 1) * len(t)], t + k * shift) for k in range(len(events) // len(t)))
    return bool(same)


def measure(*arguments):
    """In a process of its own: some peers keep gigabytes of what they have read."""
    with concurrent.futures.ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as one:
        return one.submit(measure_here, *arguments).result()


def measure_here(args, folder, label, path, peers, times=None):
    binary, out = args.binaries / "bench_event_readers", folder / "columns"
    out.mkdir(exist_ok=True)
    runs = {threads: field.ours(binary, path, out, threads=threads) for threads in sorted({1, args.threads})}
    results, good = {}, True
    for name, reader in peers.items():
        run = reader(path)
        good &= equal(folder / "columns", run(), times)
        cpu, wall = time.process_time(), time.perf_counter()
        results[name] = field.summary(field.seconds(run, warm=True))
        cores = (time.process_time() - cpu) / (time.perf_counter() - wall)
        print(f"   {label} {name}: {field.si(results[name]['median_s'])}, {cores:.2f} cores", flush=True)
    rows = []
    for threads, mine in runs.items():
        n = int(mine["events"][0])
        least = (path.stat().st_size + 13 * n) / mine["copy_bytes_per_s"][0] + field.summary(mine["fresh_s"])["median_s"]
        config = {"file": label, "events": n, "threads": threads, "Mev/s": round(n / field.summary(mine["read_s"])["median_s"] / 1e6)}
        rows.append(field.row("event_readers", config, good, mine["read_s"], results, {"kind": "bytes moved at copy bandwidth, fresh pages", "value": least}))
    return rows


def main():
    args = field.arguments(__doc__.splitlines()[0])
    n = 10**6 if args.quick else 10**8
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        peer, tonic = field.named("expelliarmus"), field.named("tonic")
        recordings.evt2_and_dat(folder, n)
        rows += measure(args, folder, "DAT", folder / "dat.dat", {peer: functools.partial(expelliarmus, "dat")})
        rows += measure(args, folder, "EVT 2", folder / "evt2.raw", {peer: functools.partial(expelliarmus, "evt2")})
        (folder / "dat.dat").unlink()
        (folder / "evt2.raw").unlink()
        times = recordings.evt3(folder, n)
        rows += measure(args, folder, "EVT 3", folder / "evt3.raw", {peer: functools.partial(expelliarmus, "evt3")}, times)
        rows += measure(args, folder, "EVT 3, single", folder / "evt3_single.raw", {peer: functools.partial(expelliarmus, "evt3")}, times)
        path = folder / "a.aedat4"
        field.ours(args.binaries / "bench_event_readers", recordings.data() / "davis.aedat4", path, "--tile", n, threads=args.threads)
        peers = {field.named("dv-processing"): dv_processing, field.named("aedat"): aedat, tonic: tonic_aedat4}
        rows += measure(args, folder, "AEDAT 4", path, peers)
        path.unlink()
        recordings.nmnist(folder, n // 10)
        rows += measure(args, folder, "N-MNIST", folder / "nmnist.bin", {tonic: tonic_nmnist})
    field.publish(args, "event_readers", rows, ["file", "events", "threads", "Mev/s"], __doc__.split("\n", 1)[1])


if __name__ == "__main__":
    main()

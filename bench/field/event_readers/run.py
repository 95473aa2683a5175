"""Whole recordings of event cameras into arrays t (int64), x, y (int16) and p (uint8), allocated anew each time, files in the page cache.

Real recordings of $APICAL_DATA/events, again and again with shifted times until there are 10^8 events: EVT 2 and 3 with the cameras' own
words; DAT holds the events of the EVT 2 recording, "EVT 3, single" those of the EVT 3 recording without vector words; AEDAT 4 is written
by Apical (LZ4, 10,000 events a packet). The peers use one thread, whatever they are given, so Apical is timed with one and with all.
Their arrays may stay interleaved (structured), as they come. expelliarmus gives EVT 3 times that run ahead (it takes every TIME_LOW that
falls for 4096 us more, after a new TIME_HIGH too), so those times are compared with the format's, decoded below word by word, and its x, y
and p event by event.
The limit: the bytes of file and arrays at the copy bandwidth of the run, plus the time the system needs to hand out as many fresh pages.
"""
import os
import pathlib
import tempfile

import numpy as np

import field


def data():
    folder = pathlib.Path(os.environ.get("APICAL_DATA", "")) / "events"
    if not (folder / "evt2_gen3.raw").exists():
        raise SystemExit("error: set APICAL_DATA to the folder that holds events/evt2_gen3.raw, evt3_gen4.raw and davis.aedat4")
    return folder


def words(path, dtype):
    """Header and words of an EVT file."""
    raw, at = path.read_bytes(), 0
    while raw[at:at + 2] == b"% ":
        at = raw.index(b"\n", at) + 1
    return raw[:at], np.frombuffer(raw[at:], dtype)


def tile(path, head, body, shift, n, each):
    """Writes head and as many bodies as n events need, each shifted in time once more; the number of them."""
    with open(path, "wb") as f:
        f.write(head)
        for k in range(-(-n // each)):
            f.write(shift(body, k).tobytes())
    return -(-n // each)


def evt2_and_dat(folder, n):
    head, w = words(data() / "evt2_gen3.raw", "<u4")
    kind, high = w >> 28, w & 0xFFFFFFF
    is_high, is_cd = kind == 8, kind < 2
    span = int(high[is_high].max() - high[is_high].min()) + 1

    def later(w, k):
        out = w.copy()
        out[is_high] += k * span
        return out
    tile(folder / "evt2.raw", head, w, later, n, int(is_cd.sum()))
    last = np.maximum.accumulate(np.where(is_high, np.arange(len(w)), 0))  # the recording begins with a TIME_HIGH
    dat = np.empty((int(is_cd.sum()), 2), "<u4")
    dat[:, 0] = (high[last][is_cd] << 6) + (w[is_cd] >> 22 & 63)
    dat[:, 1] = (w[is_cd] >> 11 & 0x7FF) | (w[is_cd] & 0x7FF) << 14 | (w[is_cd] >> 28) << 28
    tile(folder / "dat.dat", b"% Data file containing CD events.\n% Version 2\n% Width 640\n% Height 480\n\x0c\x08", dat,
         lambda d, k: d + np.array([k * span * 64, 0], "<u4"), n, len(dat))


def evt3(folder, n):
    """Two files; the times that the format gives them."""
    head, w = words(data() / "evt3_gen4.raw", "<u2")
    values = w[w >> 12 == 8] & 0xFFF
    first, span = int(values.min()), int(values.max() - values.min()) + 1
    single, times, base, high, low = [], [], 0, 0, 0
    for word in w.tolist():
        kind, value, xs = word >> 12, word & 0xFFF, []
        if kind == 3:
            base = value
        elif kind in (4, 5):
            length = 12 if kind == 4 else 8
            xs = [base + b for b in range(length) if value >> b & 1]
            base += length
        else:
            single.append(word)
            if kind == 8:
                low, high = (low if value == high else 0), value
            elif kind == 6:
                low = value
            elif kind == 2:
                times.append((high - first) * 4096 + low)
        single += [0x2000 | x for x in xs]
        times += [(high - first) * 4096 + low] * len(xs)

    def later(w, k):
        return np.where(w >> 12 == 8, 0x8000 | (w.astype(np.int64) - first + k * span & 0xFFF), w).astype("<u2")
    for name, body in (("evt3.raw", w), ("evt3_single.raw", np.array(single, "<u2"))):
        tiles = tile(folder / name, head, body, later, n, len(times))
    assert tiles * span < 4096, "the clock of EVT 3 must not start again: expelliarmus does not follow it"
    return np.array(times), span * 4096


def expelliarmus(path, encoding):
    from expelliarmus import Wizard
    wizard = Wizard(encoding=encoding, fpath=path)
    return wizard.read


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


def measure(args, folder, label, path, peers, times=None):
    binary, out = args.binaries / "bench_event_readers", folder / "columns"
    out.mkdir(exist_ok=True)
    runs = {threads: field.ours(binary, path, out, threads=threads) for threads in sorted({1, args.threads})}
    results, good = {}, True
    for name, run in peers.items():
        good &= equal(folder / "columns", run(), times)
        results[name] = field.summary(field.seconds(run))
        print(f"   {label} {name}: {field.si(results[name]['median_s'])}", flush=True)
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
        peer = field.named("expelliarmus")
        evt2_and_dat(folder, n)
        rows += measure(args, folder, "DAT", folder / "dat.dat", {peer: expelliarmus(folder / "dat.dat", "dat")})
        rows += measure(args, folder, "EVT 2", folder / "evt2.raw", {peer: expelliarmus(folder / "evt2.raw", "evt2")})
        (folder / "dat.dat").unlink()
        (folder / "evt2.raw").unlink()
        times = evt3(folder, n)
        rows += measure(args, folder, "EVT 3", folder / "evt3.raw", {peer: expelliarmus(folder / "evt3.raw", "evt3")}, times)
        rows += measure(args, folder, "EVT 3, single", folder / "evt3_single.raw", {peer: expelliarmus(folder / "evt3_single.raw", "evt3")}, times)
        path = folder / "a.aedat4"
        field.ours(args.binaries / "bench_event_readers", data() / "davis.aedat4", path, "--tile", n, threads=args.threads)
        rows += measure(args, folder, "AEDAT 4", path, {field.named("dv-processing"): dv_processing(path), field.named("aedat"): aedat(path)})
    field.publish(args, "event_readers", rows, ["file", "events", "threads", "Mev/s"], __doc__.split("\n", 1)[1])


if __name__ == "__main__":
    main()

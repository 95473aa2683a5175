"""A recording's events in memory to frames of a fixed time each, counts and time surfaces, ON and OFF apart; both sides on one thread.

The real EVT 2 recording of $APICAL_DATA/events, written again and again with shifted times as DAT, about a hundred frames of whole time. Ours
writes float32; tonic counts in int16 and computes surfaces in float64. Surfaces: exp(-(end of the frame - latest event of the pixel) / 50 ms).
Voxel grids are not measured: tonic's bins divide the time into B parts, ours (Zhu et al., equation 1) into B - 1. The limit: the frames
written once, zeroed and filled, and the events (16 bytes) read once, at the copy bandwidth of the run.
"""
import pathlib
import tempfile

import numpy as np

import field
import recordings

TAU = 50_000


def tonic_rows(path):
    """The events as tonic has them."""
    import expelliarmus
    import tonic.io
    events = expelliarmus.Wizard(encoding="dat", fpath=path).read()
    return tonic.io.make_structured_array(events["x"], events["y"], events["t"], events["p"])


def main():
    args = field.arguments(__doc__.splitlines()[0])
    import tonic.functional as F
    n = 10**6 if args.quick else 10**7
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        recordings.evt2_and_dat(folder, n)
        events = tonic_rows(folder / "dat.dat")
        window = int(events["t"][-1] - events["t"][0]) // 100
        mine = field.ours(args.binaries / "bench_event_frames", folder / "dat.dat", folder, "--window", window, "--tau", TAU, threads=1)
        size = (*map(int, mine["size"]), 2)
        peers = {"counts": lambda: F.to_frame_numpy(events, size, time_window=window),
                 "surfaces": lambda: F.to_timesurface_numpy(events, size, dt=window, tau=TAU)}
        rows = []
        for what, run in peers.items():
            ours, theirs = np.load(folder / f"{what}.npy"), run()[:, ::-1]  # their first channel is OFF
            equal = ours.shape == theirs.shape and bool(np.abs(ours - theirs).max() <= (0 if what == "counts" else 1e-6))
            least = (2 * ours.nbytes + 16 * len(events)) / mine["copy_bytes_per_s"][0]
            config = {"frames of": what, "events": len(events), "F, C, H, W": str(ours.shape), "threads": 1}
            del ours, theirs
            times = {field.named("tonic"): field.summary(field.seconds(run, warm=True))}
            limit = {"kind": "frames and events moved at copy bandwidth", "value": least}
            rows.append(field.row("event_frames", config, equal, mine[f"{what}_s"], times, limit))
    field.publish(args, "event_frames", rows, ["frames of", "events", "F, C, H, W"], __doc__)


if __name__ == "__main__":
    main()

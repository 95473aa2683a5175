"""apical events info | convert | render on recordings made here, and on damaged ones."""
import json
import resource
import struct
import zlib

from harness import ApicalTest, apical, main


def nmnist(events):
    """N-MNIST bytes of (t, x, y, p)."""
    return b"".join(bytes([x, y]) + ((p << 23) | (t & 0x7FFFFF)).to_bytes(3, "big") for t, x, y, p in events)


def recording(n=3000):
    """A dot on a circle: three events every 100 us, the two beside the first on the same row."""
    events = []
    for i in range(n // 3):
        x, y = 10 + (i * 7) % 20, (i * 3) % 34
        events += [(100 * i, x, y, i % 2), (100 * i, x + 1, y, i % 2), (100 * i, x + 2, y, i % 2)]
    return events


def chunks(path):
    """(kind, data) of a PNG, checksums checked."""
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, []
    while at < len(data):
        (size,) = struct.unpack(">I", data[at:at + 4])
        body = data[at + 4:at + 8 + size]
        assert struct.unpack(">I", data[at + 8 + size:at + 12 + size])[0] == zlib.crc32(body)
        found.append((body[:4].decode(), body[4:]))
        at += 12 + size
    return found


def pixels(path):
    """Width, height and a function (x, y) -> (r, g, b) of an RGB picture."""
    parts = chunks(path)
    width, height, depth, colour = struct.unpack(">IIBB", parts[0][1][:10])
    assert (depth, colour) == (8, 2)
    raw = zlib.decompress(b"".join(d for k, d in parts if k == "IDAT"))
    rows, before, at = [], bytes(3 * width), 0
    for _ in range(height):
        kind, row = raw[at], bytearray(raw[at + 1:at + 1 + 3 * width])
        at += 1 + 3 * width
        for i in range(len(row)):
            a, b, c = (row[i - 3] if i >= 3 else 0), before[i], (before[i - 3] if i >= 3 else 0)
            p = a + b - c
            paeth = a if abs(p - a) <= abs(p - b) and abs(p - a) <= abs(p - c) else b if abs(p - b) <= abs(p - c) else c
            row[i] = (row[i] + (0, a, b, (a + b) // 2, paeth)[kind]) & 255
        rows.append(bytes(row))
        before = rows[-1]
    return width, height, lambda x, y: tuple(rows[y][3 * x:3 * x + 3])


class Events(ApicalTest):
    def setUp(self):
        super().setUp()
        self.events = recording()
        (self.dir / "a.bin").write_bytes(nmnist(self.events))

    def csv(self, name):
        self.run_ok("events", "convert", name, name + ".csv")
        lines = (self.dir / (name + ".csv")).read_text().splitlines()
        self.assertRegex(lines[0], r"^# geometry \d+x\d+$")
        self.assertEqual(lines[1], "t,x,y,p")
        return [tuple(map(int, line.split(","))) for line in lines[2:]]

    def test_info(self):
        info = self.run_ok("events", "info", "a.bin", "--json").json
        self.assertEqual((info["format"], info["events"], info["on"], info["off"]), ("nmnist", 3000, 1500, 1500))
        self.assertEqual((info["width"], info["height"], info["first_us"], info["last_us"]), (34, 34, 0, 99900))
        self.assertAlmostEqual(info["mean_rate_hz"], 3000 / 0.0999, places=3)
        self.assertEqual(info["peak_rate_hz"], 300 / 0.01 if 300 / 0.01 > info["mean_rate_hz"] else info["mean_rate_hz"])
        text = self.run_ok("events", "info", "a.bin").out
        for words in ("nmnist", "34 x 34", "3000 (1500 ON, 1500 OFF)", "0 to 99900 us (99.9 ms)"):
            self.assertIn(words, text)

    def test_every_format_gives_back_the_events(self):
        self.assertEqual(self.csv("a.bin"), self.events)
        for name, kind in (("a.aedat", "aedat2"), ("3.aedat", "aedat3"), ("a.aedat3", "aedat3"), ("a.aedat4", "aedat4"), ("a.csv", "csv"), ("a.dat", "dat"),
                           ("a.es", "es"), ("2.raw", "evt2"), ("21.raw", "evt21"), ("3.raw", "evt3"), ("b.bin", "nmnist"), ("a.npz", "npz"),
                           ("a.hdf5", "hdf5"), ("a.h5", "hdf5"), ("ecf.hdf5", "hdf5_ecf")):
            options = () if name.startswith(("a.", "b.")) else ("--to", kind)
            out = self.run_ok("events", "convert", "a.bin", name, *options).out
            self.assertIn("3000 events", out)
            self.assertEqual(self.csv(name), self.events, name)
            info = self.run_ok("events", "info", name, "--json").json
            self.assertEqual((info["format"], info["events"], info["width"], info["height"]), (kind, 3000, 34, 34))
            self.run_ok("events", "render", name, "--out", name + ".png", "--window-us", 50000)
        self.assertLess((self.dir / "3.raw").stat().st_size, 0.8 * (self.dir / "2.raw").stat().st_size)  # rows became vectors

    def test_a_table_of_somebody_else(self):
        (self.dir / "a.txt").write_text("% made by hand\ny;x;polarity;ts\n4;3;-1;100\n6;5;1;50\n")
        self.assertEqual(self.csv("a.txt"), [(100, 3, 4, 0), (50, 5, 6, 1)])  # times that step back are kept
        (self.dir / "b.csv").write_text("1,2,3,1\n\n4,5,six,0\n")
        self.refuses(apical("events", "info", "b.csv", cwd=self.dir), 3, "b.csv, byte 9", "line 3", "'six'")

    def test_range_and_rebase(self):
        self.run_ok("events", "convert", "a.bin", "part.csv", "--from-us", 1000, "--to-us", 2000, "--rebase")
        part = [(t - 1000, x, y, p) for t, x, y, p in self.events if 1000 <= t < 2000]
        rows = [tuple(map(int, line.split(","))) for line in (self.dir / "part.csv").read_text().splitlines()[2:]]
        self.assertEqual(rows, part)

    def test_numpy_arrays(self):
        self.run_ok("events", "convert", "a.bin", "a.npz")
        import zipfile
        with zipfile.ZipFile(self.dir / "a.npz") as z:
            self.assertEqual(sorted(z.namelist()), ["p.npy", "sensor_size.npy", "t.npy", "x.npy", "y.npy"])
            t = z.read("t.npy")
        self.assertEqual(struct.unpack("<3000q", t[-24000:]), tuple(e[0] for e in self.events))
        self.assertEqual(self.csv("a.npz"), self.events)
        with zipfile.ZipFile(self.dir / "b.npz", "w") as z:  # numpy.savez(events=...) of a structured array
            descr = "{'descr': [('x', '<i2'), ('y', '<i2'), ('t', '<i8'), ('p', '|b1')], 'fortran_order': False, 'shape': (3000,), }\n"
            z.writestr("events.npy", b"\x93NUMPY\1\0" + struct.pack("<H", len(descr)) + descr.encode() +
                       b"".join(struct.pack("<hhq?", x, y, t, p) for t, x, y, p in self.events))
        self.assertEqual(self.csv("b.npz"), self.events)

    def test_dense_arrays(self):
        def array(name):
            header, data = (self.dir / name).read_bytes()[:128], (self.dir / name).read_bytes()[128:]
            shape = tuple(map(int, header.split(b"(")[1].split(b")")[0].split(b",")))
            return shape, struct.unpack(f"<{len(data) // 4}f", data)
        out = self.run_ok("events", "convert", "a.bin", "f.npy", "--as", "frames", "--window-us", 50000).out
        self.assertIn("frames [2, 2, 34, 34] from 3000 events", out)
        shape, values = array("f.npy")
        counts = [0] * (2 * 2 * 34 * 34)
        for t, x, y, p in self.events:
            counts[((t // 50000 * 2 + 1 - p) * 34 + y) * 34 + x] += 1
        self.assertEqual((shape, values), ((2, 2, 34, 34), tuple(counts)))
        self.run_ok("events", "convert", "a.bin", "s.npy", "--as", "surface", "--per-frame", 1000, "--tau-us", 1000)
        shape, values = array("s.npy")
        self.assertEqual((shape, min(values), max(values)), ((3, 2, 34, 34), 0, 1))
        self.run_ok("events", "convert", "a.bin", "v.npy", "--as", "voxels", "--bins", 3)
        shape, values = array("v.npy")
        self.assertEqual(shape, (1, 3, 34, 34))
        self.assertAlmostEqual(sum(values), sum(2 * p - 1 for _, _, _, p in self.events), places=2)
        for args, *words in ((("x.npy", "--as", "voxel"), "voxels"), (("x.npz", "--as", "voxels"), ".npy"),
                             (("x.npy", "--as", "frames", "--rebase"), "--rebase"), (("x.npy", "--bins", 3), "--as")):
            self.refuses(apical("events", "convert", "a.bin", *args, cwd=self.dir), 2, *words)
            self.assertNotIn(args[0], self.files(self.dir))

    def test_size_of_a_sensor_nobody_said(self):
        (self.dir / "a.dat").write_bytes(b"% Data file containing CD events.\n% Version 2\n\x0c\x08" + struct.pack("<II", 5, 40 | 20 << 14 | 1 << 28))
        result = self.run_ok("events", "convert", "a.dat", "a.aedat")
        self.assertIn("41x21", result.err)
        self.assertEqual(self.csv("a.aedat"), [(5, 40, 20, 1)])

    def test_render_frames(self):
        (self.dir / "b.bin").write_bytes(nmnist([(0, 3, 4, 1), (10, 5, 6, 0), (25000, 7, 8, 1)]))
        self.run_ok("events", "render", "b.bin", "--out", "frames", "--scale", 2)
        self.assertEqual(self.files(self.dir / "frames"), ["frame_00000.png", "frame_00001.png", "frame_00002.png"])
        width, height, at = pixels(self.dir / "frames/frame_00000.png")
        self.assertEqual((width, height), (68, 68))
        red, green, blue = at(7, 9)
        self.assertGreater(blue, red + 60)  # ON
        red, green, blue = at(10, 12)
        self.assertGreater(red, blue + 60)  # OFF
        ground = at(0, 0)
        self.assertGreater(min(ground), 240)
        _, _, second = pixels(self.dir / "frames/frame_00001.png")
        self.assertEqual({second(x, y) for x in range(68) for y in range(68)}, {ground})
        self.refuses(apical("events", "render", "b.bin", "--out", "frames", cwd=self.dir), 2, "not empty", "frames")

    def test_render_animation(self):
        self.run_ok("events", "render", "a.bin", "--out", "a.png", "--window-us", 20000, "--fps", 10)
        parts = chunks(self.dir / "a.png")
        self.assertEqual(struct.unpack(">I", dict(parts)["acTL"][:4])[0], 5)
        self.assertEqual(sum(k == "fcTL" for k, _ in parts), 5)
        self.assertEqual(struct.unpack(">II", parts[0][1][:8]), (272, 272))

    def test_wrong_usage(self):
        before = self.files()
        for code, args, words in (
            (2, ("convert", "a.bin", "out.raw"), ("--to evt2,", "--to evt21")),
            (2, ("convert", "a.bin", "out.xyz"), ("--to", "aedat4")),
            (2, ("convert", "a.bin", "out.raw", "--to", "evt33"), ("Did you mean 'evt3'?",)),
            (2, ("convert", "a.bin", "a.bin"), ("same file",)),
            (2, ("convert", "a.bin", "out.dat", "--width", 5, "--height", 5), ("outside the sensor of 5x5", "out.dat")),
            (2, ("convert", "a.bin", "out.dat", "--from-us", 9, "--to-us", 9), ("--to-us",)),
            (2, ("render", "a.bin", "--out", "out", "--window-us", 0), ("--window-us",)),
            (2, ("render", "a.bin", "--out", "out", "--window-us", 1, "--max-frames", 10), ("more than 10 frames", "--window-us")),
            (2, ("render", "a.bin", "--out", "out.png", "--scale", 65), ("--scale",)),
            (2, ("render", "a.bin", "--out", "a.bin"), ("file stands",)),
            (3, ("render", "a.bin", "--out", "out", "--from-us", 10**9), ("no events to show",)),
            (3, ("convert", "a.bin", "no/such/folder/a.dat"), ("no/such/folder/a.dat",)),
            (3, ("info", "missing.aedat4"), ("missing.aedat4",)),
            (3, ("info", "."), (".",)),
        ):
            self.refuses(apical("events", *args, cwd=self.dir), code, *words)
            self.assertEqual(self.files(), before, args)

    def test_damaged_files_leave_nothing(self):
        self.run_ok("events", "convert", "a.bin", "a.h5")
        self.run_ok("events", "convert", "a.bin", "a.aedat4")
        good = (self.dir / "a.aedat4").read_bytes()
        evt3 = b"% evt 3.0\n% end\n"
        for name, data, words in (
            ("cut.aedat4", good[:-200], ("byte",)),
            ("cut.bin", nmnist(self.events)[:4], ("cut.bin, byte 0",)),
            ("half.raw", evt3 + b"\x01", ("half.raw, byte 16",)),
            ("huge.aedat4", b"#!AER-DAT4.0\r\n\xff\xff\xff\xff", ("4294967295 bytes",)),
            ("empty.raw", b"", ("empty",)),
            ("a.es", b"Event Stream\x02\x00\x00\x00", ("'generic' are no pixel changes", "DVS")),
            ("cut.es", b"Event Stream\x02\x00\x00\x01\x22\x00\x22\x00\x01\x02", ("cut.es, byte 20",)),
            ("cut.csv", b"t,x,y,p\n1,2", ("cut.csv, byte 8", "line 2")),
            ("half21.raw", b"% evt 2.1\n% end\n\x01", ("half21.raw, byte 16",)),
            ("cut.aedat", b"#!AER-DAT3.1\r\n#!END-HEADER\r\n\x01", ("cut.aedat, byte 28",)),
            ("cut.h5", (self.dir / "a.h5").read_bytes()[:-1], ("cut.h5, byte", "should have")),
            ("a.txt", b"hello", ("no event file",)),
        ):
            (self.dir / name).write_bytes(data)
            before = self.files()
            for args in (("info", name), ("info", name, "--json"), ("convert", name, "out.csv"), ("render", name, "--out", "out")):
                self.refuses(apical("events", *args, cwd=self.dir), 3, name, *words)
                self.assertEqual(self.files(), before)
                self.assertFalse((self.dir / "out").exists())

    def test_a_cut_recording_keeps_what_is_whole(self):
        (self.dir / "cut.bin").write_bytes(nmnist(self.events)[:-1])
        result = self.run_ok("events", "info", "cut.bin", "--json")
        self.assertEqual(result.err.count("cut.bin, byte 14995"), 1)
        found = json.loads(result.out)
        self.assertEqual((found["events"], found["cut_bytes"]), (len(self.events) - 1, 4))

    def test_a_full_disk_leaves_nothing(self):
        limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (512, 512))
        before = self.files()
        for args in (("convert", "a.bin", "out.csv"), ("convert", "a.bin", "out.npz"), ("convert", "a.bin", "out.h5"), ("convert", "a.bin", "out.aedat4"), ("convert", "a.bin", "out.dat"),
                     ("render", "a.bin", "--out", "out.png"), ("render", "a.bin", "--out", "out", "--window-us", 50000)):
            self.refuses(apical("events", *args, cwd=self.dir, preexec_fn=limit), 3, "out", "File too large")
            self.assertEqual(self.files(), before, args)
            self.assertFalse((self.dir / "out").exists())

    def test_a_hostile_header_does_not_break_json(self):
        (self.dir / "x.raw").write_bytes(b"% evt 3.0\n% name \xff\xfe\"\\\n% geometry 1000000000000x1\n% end\n")
        info = json.loads(apical("events", "info", "x.raw", "--json", cwd=self.dir).out)
        self.assertEqual((info["width"], info["events"]), (0, 0))


if __name__ == "__main__":
    main()

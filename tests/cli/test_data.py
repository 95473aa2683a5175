"""apical data: list, check, get (from a local server)."""
import gzip
import hashlib
import http.server
import io
import struct
import threading
import wave
import zipfile

from harness import ApicalTest, apical, main


class Server(http.server.BaseHTTPRequestHandler):
    """Gives the files of `files`, ranges too; after `limit` bytes it hangs up."""
    files, limit, asked = {}, None, []

    def do_GET(self):
        body = self.files.get(self.path)
        Server.asked.append((self.path, self.headers.get("Range")))
        if body is None:
            return self.send_error(404)
        start = int(self.headers["Range"][6:].split("-")[0]) if "Range" in self.headers else 0
        if start >= len(body):
            return self.send_error(416)
        self.send_response(206 if "Range" in self.headers else 200)
        self.send_header("Content-Length", str(len(body) - start))
        if "Range" in self.headers:
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        self.end_headers()
        self.wfile.write(body[start:][:self.limit])

    def log_message(self, *_):
        pass


class Data(ApicalTest):
    def setUp(self):
        super().setUp()
        Server.files, Server.limit, Server.asked = {}, None, []
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        self.env = {"APICAL_MIRROR": f"http://127.0.0.1:{server.server_address[1]}", "http_proxy": None, "HTTP_PROXY": None, "no_proxy": "*"}

    def get(self, *args):
        return apical("--quiet", "data", "get", *args, "--data", self.dir / "data", cwd=self.dir, env=self.env)

    def test_list(self):
        names = [e["name"] for e in self.run_ok("data", "list", "--json").json]
        self.assertEqual(names, ["mnist", "fashion-mnist", "n-mnist", "fsdd"])
        self.refuses(apical("data", "check", "mnits", cwd=self.dir), 2, "mnits", "mnist")
        self.refuses(apical("data", "check", "mnist", cwd=self.dir), 3, "mnist")

    def fashion(self):
        def images(n): return gzip.compress(struct.pack(">IIII", 0x803, n, 28, 28) + bytes(i % 251 for i in range(n * 784)))
        def labels(n): return gzip.compress(struct.pack(">II", 0x801, n) + bytes(i % 10 for i in range(n)))
        names = {"train-images-idx3-ubyte.gz": images(60), "train-labels-idx1-ubyte.gz": labels(60),
                 "t10k-images-idx3-ubyte.gz": images(20), "t10k-labels-idx1-ubyte.gz": labels(20)}
        Server.files = {f"/fashion-mnist/{k}": v for k, v in names.items()}
        return names

    def test_without_a_verified_hash_only_on_trust(self):
        self.fashion()
        self.refuses(self.get("fashion-mnist"), 2, "--trust")
        self.assertEqual(self.files(self.dir / "data"), [])
        result = self.get("fashion-mnist", "--trust")
        self.assertEqual(result.code, 0, str(result))
        j = self.run_ok("data", "check", "fashion-mnist", "--data", "data", "--json").json
        self.assertEqual([f["state"] for f in j["files"]], ["not verified"] * 4)
        self.assertEqual((j["splits"]["train"]["samples"], j["splits"]["train"]["subset"]), (60, True))
        asked = len(Server.asked)
        self.assertEqual(self.get("fashion-mnist", "--trust").code, 0)
        self.assertEqual(len(Server.asked), asked, "what is there is not asked for again")

    def test_a_download_goes_on(self):
        names = self.fashion()
        Server.limit = 50
        first = self.get("fashion-mnist", "--trust")
        self.assertEqual(first.code, 3, str(first))
        self.assertEqual(self.files(self.dir / "data"), ["fashion-mnist/train-images-idx3-ubyte.gz.part"])
        Server.limit = None
        self.assertEqual(self.get("fashion-mnist", "--trust").code, 0)
        self.assertTrue(any(r for _, r in Server.asked), "no range was asked for")
        for name, content in names.items():
            self.assertEqual((self.dir / "data/fashion-mnist" / name).read_bytes(), content)

    def test_a_wrong_hash_leaves_nothing(self):
        Server.files = {"/mnist/train-images-idx3-ubyte.gz": gzip.compress(b"not the digits")}
        result = self.get("mnist")
        self.refuses(result, 3, "SHA-256", hashlib.sha256(b"not the digits").hexdigest())
        self.assertEqual(self.files(self.dir / "data"), [])
        Server.files = {}
        self.assertEqual(self.get("mnist").code, 3)

    def test_archives(self):
        def archive(members):
            out = io.BytesIO()
            with zipfile.ZipFile(out, "w") as z:
                for name, content in members.items():
                    z.writestr(name, content)
            return out.getvalue()
        event = bytes([3, 4, 0x80, 0, 9])
        Server.files = {"/n-mnist/Train.zip": archive({f"Train/{k}/0001.bin": event for k in range(10)}), "/n-mnist/Test.zip": archive({f"Test/{k}/0002.bin": event for k in range(10)})}
        result = self.get("n-mnist", "--trust")
        self.assertEqual(result.code, 0, str(result))
        j = self.run_ok("data", "check", "n-mnist", "--data", "data", "--json").json
        self.assertEqual((j["splits"]["train"]["samples"], j["splits"]["test"]["samples"]), (10, 10))

    def test_the_outermost_folder_of_an_archive(self):
        sound = io.BytesIO()
        with wave.open(sound, "wb") as w:
            w.setnchannels(1), w.setsampwidth(2), w.setframerate(8000), w.writeframes(bytes(400))
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            for digit in range(10):
                for take in (0, 9):
                    z.writestr(f"free-spoken-digit-dataset-1/recordings/{digit}_theo_{take}.wav", sound.getvalue())
        Server.files = {"/fsdd/fsdd.zip": out.getvalue()}
        self.assertEqual(self.get("fsdd", "--trust").code, 0)
        j = self.run_ok("data", "check", "fsdd", "--data", "data", "--json").json
        self.assertEqual((j["splits"]["train"]["samples"], j["splits"]["test"]["samples"]), (10, 10))

    def test_an_archive_that_would_leave_the_folder(self):
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as z:
            z.writestr("../../outside.txt", "x")
        Server.files = {"/n-mnist/Train.zip": out.getvalue()}
        self.refuses(self.get("n-mnist", "--trust"), 3, "outside.txt")
        self.assertFalse((self.dir / "outside.txt").exists())


if __name__ == "__main__":
    main()

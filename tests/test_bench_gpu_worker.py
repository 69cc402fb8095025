#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench's worker on the fake device: what it copies is what gpu_make wrote,
by every path, and what is not the plan's is counted. Times mean nothing here.

    test_bench_gpu_worker.py GPU_MAKE GPU_BENCH_ON_FAKE"""
import pathlib
import subprocess
import sys
import tempfile
import unittest

FOLDER = pathlib.Path(__file__).resolve().parent / "bench" / "gpu"
sys.path.insert(0, str(FOLDER))
import gpu_worker  # noqa: E402

MAKE = BENCH = None
KINDS = {"even": (4_000_000, 200), "gpt": (3_000_000, 690),
         "small": (300 * 4096, 300)}


class Worker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.holder.name)
        for kind, (size, _) in KINDS.items():
            subprocess.run([MAKE, kind, str(size), cls.folder / kind,
                            cls.folder / f"{kind}.safetensors"], check=True,
                           stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.holder.cleanup()

    def setUp(self):
        self.worker = gpu_worker.bench_worker([BENCH])
        self.addCleanup(lambda: self.assertIn(self.worker.stop(), (0, None)))

    def ask(self, command, kind="even", **more):
        return self.worker.ask(command=command, file=self.folder / kind, **more)

    def check(self, kind, plan=None, size=None, **more):
        plan = plan or kind
        return self.worker.ask(command="check", file=self.folder / kind,
                               kind=plan, bytes=size or KINDS[plan][0], **more)

    def test_every_path(self):
        for kind, (_, tensors) in KINDS.items():
            for path in ("auto", "mapped", "read", "direct", "register"):
                for verify in ("none", "device"):
                    with self.subTest(f"{kind} {path} {verify}"):
                        reply = self.check(kind, path=path, verify=verify)
                        self.assertNotIn("error", reply)
                        self.assertEqual(reply["tensors"], tensors)
                        self.assertEqual(reply["different"], 0)

    def test_other_bytes_are_seen(self):
        """One byte of the payload is another, and no hash is asked."""
        place = self.folder / "even"
        good = place.read_bytes()
        bad = bytearray(good)
        bad[-70000] ^= 1
        place.write_bytes(bad)
        try:
            self.assertEqual(self.check("even", path="mapped")["different"], 1)
            self.assertIn("TTSB_DAMAGED_PIECE",
                          self.check("even", verify="device")["error"])
            self.assertIn("TTSB_DAMAGED_PIECE",
                          self.ask("upload", verify="host")["error"])
        finally:
            place.write_bytes(good)
        # 200 tensors of other sizes.
        reply = self.check("even", "small", 200 * 4096)
        self.assertEqual(reply["different"], 200)

    def test_upload_replies(self):
        reply = self.ask("upload", path="read", threads=3, slots=4,
                         slot_size=65536, verify="device")
        self.assertNotIn("error", reply)
        self.assertEqual((reply["path"], reply["threads"], reply["slots"]),
                         ("read", 3, 4))
        # The ring, and what proving needs: some bytes for each piece.
        self.assertIn(reply["pinned_bytes"] - 4 * 65536, range(65536))
        self.assertEqual(reply["pieces"], 200)
        for key in ("first_group_ns", "copy_ns", "total_ns"):
            self.assertGreater(reply[key], 0)
        self.assertGreaterEqual(reply["seconds"],
                                reply["open_seconds"] + reply["total_ns"] / 2e9)

    def test_limit_and_pageable(self):
        self.assertEqual(self.ask("limit", bytes=3 << 20)["bytes"], 3 << 20)
        reply = self.ask("pageable")
        self.assertNotIn("error", reply)
        self.assertGreaterEqual(reply["bytes"], KINDS["even"][0])

    def test_warm(self):
        self.assertEqual(self.ask("warm")["resident"], 1.0)
        self.assertLessEqual(self.ask("cold")["resident"], 1.0)

    def test_what_is_refused(self):
        for request, said in (
                ({"command": "x"}, "no such command"),
                ({"command": "upload", "file": "/nowhere/at/all"},
                 "TTSB_SYSTEM_OPEN"),
                ({"command": "upload", "path": "odd"}, "no path is called odd"),
                ({"command": "check", "kind": "odd"}, "no such plan"),
                ({"command": "warm"}, "no file")):
            self.assertIn(said, self.worker.ask(**request)["error"])


if __name__ == "__main__":
    MAKE, BENCH = (str(pathlib.Path(p).resolve()) for p in sys.argv[1:3])
    del sys.argv[1:3]
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The bench on a GPU, as far as it goes without one: gpu_make's files are valid
and alike, the table says of invented numbers what it must, and the driver asks,
counts and writes with workers that answer, fail, die and lie.

    test_bench_gpu.py GPU_MAKE"""
import contextlib
import copy
import io
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

FOLDER = pathlib.Path(__file__).resolve().parent / "bench" / "gpu"
sys.path.insert(0, str(FOLDER))
import gpu_table as gt  # noqa: E402
import gpu_worker  # noqa: E402

MAKE = None

# Answers like gpu_bench; MODE makes it another one.
FAKE = '''
import json, sys
mode = sys.argv[1]
for line in sys.stdin:
    command, *rest = line.rstrip("\\n").split("\\t")
    r = dict(word.split("=", 1) for word in rest)
    reply = {"rss_before": 1 << 20, "rss_peak": 3 << 20}
    if command in ("warm", "cold"):
        reply["resident"] = 1.0 if command == "warm" or mode == "tmpfs" else 0.0
    elif command == "check":
        reply |= {"tensors": 3, "different": 2 if mode == "lies" else 0}
    elif command == "limit":
        reply |= {"seconds": 0.010, "bytes": int(r["bytes"])}
    elif command == "pageable":
        reply |= {"seconds": 0.030, "bytes": 5}
    elif command == "upload":
        if r["path"] == "register" and mode == "refuses":
            reply["error"] = "no windows here"
        elif mode == "hangs" and "3.4g" in r["file"]:
            sys.stdin.read()
        elif r["path"] == "direct" and mode == "dies":
            sys.exit(3)
        else:
            slow = {"none": 1, "host": 2, "device": 1.02}[r.get("verify", "none")]
            reply |= {"seconds": 0.0102 * slow, "open_seconds": 0.0001,
                      "verify_seconds": 0.0, "path": "mapped",
                      "pinned_bytes": 32 << 20, "threads": 4, "slots": 8}
            reply |= {k: 1000000 for k in (
                "setup_ns", "fill_ns", "wait_ns", "first_group_ns", "copy_ns",
                "verify_ns", "total_ns")}
    print(json.dumps(reply), flush=True)
'''
PEER = '''
import json, sys
for line in sys.stdin:
    r = json.loads(line)
    if r["command"] == "peers":
        print(json.dumps({"peers": {"load_file": "0.0"}, "torch": "t",
                          "missing": {"fastsafetensors": "not there"},
                          "torch_cuda": "c"}), flush=True)
    else:
        print(json.dumps({"seconds": 0.2, "bytes": 1, "tensors": 1}), flush=True)
'''


def sample(seconds, **more):
    return {"seconds": seconds, "pinned_bytes": 32 << 20, **more}


def result():
    """Figures of which every goal is met, some just so."""
    warm = {gt.LIMIT: [sample(0.100), sample(0.104), sample(0.100)],
            gt.AUTO: [sample(0.102, first_group_ns=16.8e6, path="mapped")],
            gt.DEVICE_VERIFY: [sample(0.105)],
            gt.LOAD_FILE: [{"seconds": 0.6}]}
    blob = {"bytes": 5 * 10**9, "tensors": 4, "group_share": 0.125}
    return {"machine": {"device": "none"}, "notes": [], "sweep": {},
            "checks": [{"what": "x", "tensors": 4, "different": 0}],
            "blobs": {name: blob | {"series": {"warm": copy.deepcopy(warm)}}
                      for name in ("1g", "3.4g", "small")}}


def states(r):
    return [state for _, state, _ in gt.goals(r)]


class Make(unittest.TestCase):
    def test_three_kinds(self):
        for kind, size, tensors in (("even", 20_000_000, 200),
                                    ("gpt", 9_000_000, 690),
                                    ("small", 500 * 4096, 500)):
            with self.subTest(kind), tempfile.TemporaryDirectory() as folder:
                subprocess.run([MAKE, kind, str(size), "a.ttsb",
                                "a.safetensors"], cwd=folder, check=True,
                               stdout=subprocess.DEVNULL)
                ok, _ = ck.ttswc("verify", "a.ttsb", cwd=folder, code=0)
                self.assertIn(f"ok, {tensors} tensors", ok)
                equal, _ = ck.ttswc("diff", "a.ttsb", "a.safetensors",
                                    cwd=folder, code=0)
                self.assertIn(f"{tensors} tensors: {tensors} equal", equal)
                # No two places are alike.
                data = pathlib.Path(folder, "a.safetensors").read_bytes()
                body = data[8 + int.from_bytes(data[:8], "little"):]
                words = {body[i:i + 8] for i in range(0, len(body), 4096)}
                self.assertEqual(len(words), -(-len(body) // 4096))

    def test_too_small(self):
        for kind in ("even", "gpt", "small", "other"):
            done = subprocess.run([MAKE, kind, "1000", os.devnull, os.devnull],
                                  capture_output=True)
            self.assertEqual(done.returncode, 2, kind)


class Table(unittest.TestCase):
    def test_all_met(self):
        self.assertEqual(states(result()), ["PASS"] * 8)

    def test_each_missed(self):
        """One figure worse, and exactly its goal is missed."""
        for goal, blob, row, worse in (
                (0, "1g", gt.LIMIT, sample(0.095)),
                (1, "3.4g", gt.LIMIT, sample(0.095)),
                (2, "1g", gt.DEVICE_VERIFY, sample(0.1051)),
                (3, "3.4g", gt.DEVICE_VERIFY, sample(0.1051)),
                (4, "1g", gt.AUTO, sample(0.102, first_group_ns=18e6)),
                (5, "small", gt.LOAD_FILE, {"seconds": 0.5}),
                (6, "small", gt.AUTO, sample(0.1, pinned_bytes=129 << 20))):
            with self.subTest(goal):
                r = result()
                r["blobs"][blob]["series"]["warm"][row] = [worse]
                expected = ["PASS"] * 8
                expected[goal] = "MISS"
                self.assertEqual(states(r), expected)
        for bad in ({"error": "y", "different": 0}, {"different": 1}):
            r = result()
            r["checks"].append({"what": "y", "tensors": 4} | bad)
            self.assertEqual(states(r)[7], "MISS")

    def test_not_measured_is_no_pass(self):
        r = result()
        for blob in r["blobs"].values():
            blob["series"] = {}
        r["checks"] = []
        self.assertEqual(states(r), ["NOT MEASURED"] * 8)
        r["blobs"] = {}
        self.assertEqual(states(r), ["NOT MEASURED"] * 8)

    def test_rows(self):
        r = result()
        warm = r["blobs"]["1g"]["series"]["warm"]
        warm[gt.FAST] = [{"error": "no such thing"}]
        warm[gt.AUTO].append(sample(0.2, rss_before=1 << 20, rss_peak=9 << 20,
                                    path="mapped"))
        text = gt.markdown(r)
        # 5 GB in 102 and 200 ms: 151 ms is the median, of 100.
        self.assertIn("| ttsb auto | 2 | 102.00 | 151.00 | 49.02 | 33.11 | "
                      "0.662 | mapped | 32 | 8 |", text)
        self.assertIn("| fastsafetensors | 0 | FAILED: no such thing |", text)
        self.assertIn("PASS: small tensors >= 5x load_file: 5.9x", text)
        widths = {line.count("|") for line in text.split("### 1g")[1]
                  .split("\n\n")[1].splitlines()}
        self.assertEqual(len(widths), 1, "a row has another number of cells")

    def test_a_failed_sample_is_said(self):
        r = result()
        r["blobs"]["1g"]["series"]["warm"][gt.AUTO].append({"error": "once"})
        self.assertIn("| ttsb auto (once) | 1 |", gt.markdown(r))

    def test_sweep_is_ordered(self):
        r = result()
        r["sweep"] = {"slow": [sample(0.3)], "bad": [{"error": "e"}],
                      "fast": [sample(0.1)]}
        text = gt.markdown(r)
        self.assertLess(text.index("| fast |"), text.index("| slow |"))
        self.assertLess(text.index("| slow |"), text.index("| bad |"))


def driver(place, mode, peer, more=()):
    """The driver's command line, with workers of ours that are written there."""
    (place / "fake.py").write_text(FAKE)
    (place / "peer.py").write_text(peer)
    return [sys.executable, "-B", FOLDER / "gpu_run.py", "--make", MAKE,
            "--out", place / "out", "--small", "--worker", sys.executable,
            place / "fake.py", mode, "--peer", sys.executable,
            place / "peer.py", *more]


class Driver(unittest.TestCase):
    def drive(self, mode, code=0, peer=PEER, more=()):
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            done = subprocess.run(
                driver(place, mode, peer, more), capture_output=True, text=True,
                env=os.environ | {"TTSB_BENCH_DIR": folder})
            self.assertEqual(done.returncode, code, done.stderr + done.stdout)
            self.assertEqual(sorted(p.name for p in place.iterdir()),
                             ["fake.py", "out", "peer.py"])
            return (json.loads((place / "out/gpu.json").read_text()),
                    (place / "out/gpu.md").read_text())

    def test_all_answer(self):
        r, text = self.drive("well")
        self.assertEqual(states(r), ["PASS"] * 8, text)
        self.assertEqual(set(r["blobs"]["1g"]["series"]), {"warm", "cold"})
        warm = r["blobs"]["3.4g"]["series"]["warm"]
        self.assertEqual({len(s) for s in warm.values()}, {15})
        self.assertEqual(len(r["sweep"]), 42)
        self.assertEqual(r["blobs"]["small"]["bytes"], 5000 * 4096)
        self.assertIn("fastsafetensors: not installed (not there)", text)

    def test_a_run_that_ends_early_says_so(self):
        r, text = self.drive("well", more=("--minutes", "0", "--note", "N."))
        self.assertIn("1g, warm: not measured: the time was over", text)
        self.assertIn("- N.\n", text)
        self.assertEqual(states(r)[0], "NOT MEASURED")
        self.assertTrue(r["finished"])
        self.assertNotIn("was ended", text)
        self.assertIn("**This run was ended", gt.markdown(r | {"finished": False}))

    def test_ended_from_outside(self):
        """What was measured is there, and the models are not."""
        with tempfile.TemporaryDirectory() as folder:
            place = pathlib.Path(folder)
            run = subprocess.Popen(
                driver(place, "hangs", PEER), stdout=subprocess.PIPE, text=True,
                stderr=subprocess.DEVNULL, env=os.environ | {
                    "TTSB_BENCH_DIR": folder})
            with run.stdout:
                for line in run.stdout:
                    if line.startswith("1g, warm: "):
                        run.send_signal(signal.SIGTERM)
            self.assertEqual(run.wait(), 1)
            r = json.loads((place / "out/gpu.json").read_text())
            self.assertFalse(r["finished"])
            self.assertIn("**This run was ended",
                          (place / "out/gpu.md").read_text())
            self.assertEqual(len(r["checks"]), 11)
            self.assertEqual([p for p in place.iterdir() if
                              p.name.startswith("ttsb-bench-")], [])

    def test_wrong_bytes_fail(self):
        r, text = self.drive("lies", code=1)
        self.assertEqual(states(r)[7], "MISS")
        self.assertIn("2 of 3 tensors differ", text)

    def test_pages_that_stay(self):
        r, text = self.drive("tmpfs")
        self.assertEqual(set(r["blobs"]["1g"]["series"]), {"warm"})
        self.assertIn("1g: cold was not measured", text)

    def test_refused_and_dead(self):
        r, text = self.drive("refuses")
        self.assertIn("| ttsb register | 0 | FAILED: no windows here |", text)
        r, text = self.drive("dies")
        self.assertIn("| ttsb direct | 0 | FAILED: the worker gave no answer",
                      text)
        self.assertEqual(states(r)[0], "PASS")

    def test_no_peer(self):
        r, text = self.drive("well", peer="import sys\nsys.exit(77)\n")
        self.assertIn("no peers: ", text)
        self.assertEqual(states(r)[5], "NOT MEASURED")


class Request(unittest.TestCase):
    def test_line(self):
        self.assertEqual(gpu_worker.as_line(
            {"command": "upload", "file": "a b", "slots": 8}),
            "upload\tfile=a b\tslots=8")

    def test_no_json(self):
        worker = gpu_worker.Worker(
            [sys.executable, "-c", "input(); print('hello', flush=True)"],
            gpu_worker.as_line)
        self.assertIn("said b'hello'", worker.ask(command="x")["error"])

    def test_patience(self):
        worker = gpu_worker.Worker(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            gpu_worker.as_line, patience=0.2)
        self.assertIn("gave no answer", worker.ask(command="x")["error"])
        with contextlib.redirect_stderr(io.StringIO()):
            self.assertIsNone(worker.stop())

    def test_no_longer_than_the_run(self):
        worker = gpu_worker.Worker(
            [sys.executable, "-c", "import sys; sys.stdin.read()"],
            gpu_worker.as_line, until=0)
        self.assertIn("gave no answer", worker.ask(command="x")["error"])


if __name__ == "__main__":
    MAKE = str(pathlib.Path(sys.argv.pop(1)).resolve())
    unittest.main()

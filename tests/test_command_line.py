#!/usr/bin/env python3
"""ttswc as a person or a script meets it: exit codes, streams, files that are
whole or untouched, the same bytes from any number of threads."""
import json
import os
import pathlib
import resource
import shlex
import signal
import subprocess
import tempfile
import time
import unittest

import checkpoints as ck

SPEC = ck.SPECS / "examples" / "features.yaml"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"
FULL = ck.SPECS / "indextts2" / "bigvgan.yaml"
BIG = """\
ttsw: 1
model: big
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
map:
  - for: {i: 0..N}
    tensors:
      "w.{i}": transpose("w.{i}" [in=2048, out=1024]) [out=1024, in=2048]
"""


class CommandLine(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.out = self.dir / "out.ttsb"

    def files(self):
        return sorted(p.name for p in self.dir.iterdir())

    def big(self, n):
        """A spec and a sparse checkpoint of n matrices of 8 MiB."""
        spec = self.dir / "big.yaml"
        spec.write_text(BIG.replace("0..N", f"0..{n}")
                        .replace('transpose("w.{i}"', "transpose(w.{i}"))
        ckpt = self.dir / "big.safetensors"
        ck.write_sparse(ckpt, {f"w.{i}": ("F32", [2048, 1024]) for i in range(n)})
        return spec, ckpt

    def test_threads_do_not_matter(self):
        spec = ck.SPECS / "indextts2" / "bigvgan_tiny.yaml"
        ckpt = ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"
        blobs = set()
        for jobs in (1, 2, 7):
            ck.ttswc("compile", spec, ckpt, "-o", self.out, f"-j{jobs}")
            blobs.add(self.out.read_bytes())
        self.assertEqual(len(blobs), 1)

    def test_exact_cover_of_the_released_model(self):
        ckpt = self.dir / "full.safetensors"
        ck.write_sparse(ckpt, ck.manifest("bigvgan"))
        out, err = ck.ttswc("check", FULL, ckpt)
        self.assertEqual(out, "bigvgan_v2_22khz_80band_256x 783/783\n")
        self.assertEqual(err, "")

    def test_coverage_line_names_what_is_missing(self):
        shapes = ck.manifest("bigvgan")
        del shapes["ups.3.0.bias"]
        ckpt = self.dir / "full.safetensors"
        ck.write_sparse(ckpt, shapes)
        out, err = ck.ttswc("check", FULL, ckpt, code=1)
        self.assertEqual(out, "bigvgan_v2_22khz_80band_256x 782/783, "
                              "1 missing: ups.3.0.bias\n")
        self.assertIn("E0301", err)

    def test_wrong_configuration(self):
        out, err = ck.ttswc(
            "check", FULL, ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors",
            code=1)
        self.assertIn("another configuration (64 vs 1536)", err)
        self.assertIn("in this use", err)

    def test_usage(self):
        for args in ((), ("frobnicate",), ("compile", SPEC), ("compile", "-x"),
                     ("compile", SPEC, FEATURES), ("verify", FEATURES, "x"),
                     ("compile", SPEC, FEATURES, "-o"), ("help", "nothing"),
                     ("help", "check", "x"), ("--version", "x"),
                     ("compile", SPEC, FEATURES, "-o", self.out, "-j0"),
                     ("compile", SPEC, FEATURES, "-o", self.out, "-jx"),
                     ("export", FEATURES, "-o", self.out, "--inverse"),
                     ("export", FEATURES, "-o", self.out, "--inverse="),
                     ("export", FEATURES, "-o", self.out, "--restorable"),
                     ("export", "--inverse", SPEC, FEATURES),
                     ("header", SPEC), ("inspect",), ("verify", "-o", "x", "y")):
            out, err = ck.ttswc(*args, code=2)
            self.assertEqual(out, "", args)
            self.assertIn("usage" if not args else "ttswc", err, args)
        self.assertEqual(self.files(), [])

    def test_help(self):
        for args in (("help",), ("--help",), ("compile", "--help"),
                     ("help", "compile"), ("--version",)):
            out, err = ck.ttswc(*args)
            self.assertIn("ttswc", out)
            self.assertEqual(err, "")

    def test_odd_names_of_files(self):
        """No path moves a terminal's cursor, the spec's neither."""
        spec = self.dir / "a\x1b[2J\n%s.yaml"
        spec.write_text(SPEC.read_text() + "oops: 1\n")
        ckpt = self.dir / "b\x1b[2J\n%n.safetensors"
        _, err = ck.ttswc("check", spec, FEATURES, code=1)
        self.assertIn("a?[2J?%s.yaml:", err)
        self.assertNotIn("\x1b", err)
        _, err = ck.ttswc("check", SPEC, ckpt, code=3)
        self.assertIn("b?[2J?%n.safetensors: error[E0705]", err)
        self.assertNotIn("\x1b", err)

    def test_system_errors(self):
        gone = self.dir / "gone"
        for args in (("compile", gone, FEATURES, "-o", self.out),
                     ("compile", SPEC, gone, "-o", self.out),
                     ("compile", SPEC, "/dev/null", "-o", self.out),
                     ("compile", SPEC, FEATURES, "-o", gone / "x"),
                     ("compile", SPEC, FEATURES, "-o", self.dir),
                     ("inspect", gone), ("verify", gone),
                     ("header", SPEC, "-o", gone / "x")):
            out, err = ck.ttswc(*args, code=3)
            self.assertIn("error[E070", err, args)
            self.assertEqual(out, "")
        self.assertEqual(self.files(), [])

    def test_full_standard_output(self):
        """Told with the reason, or, where that was lost behind an earlier write,
        without one; never with another call's."""
        for command in (["inspect", FEATURES], ["help", "compile"],
                        ["header", SPEC, "-o", self.out]):
            with self.subTest(command[0]), open("/dev/full", "w") as full:
                done = subprocess.run([ck.TTSWC, *command], stdout=full, text=True,
                                      stderr=subprocess.PIPE)
                self.assertEqual(done.returncode, 3, done.stderr)
                self.assertRegex(done.stderr, r"\Attswc: error: standard output: "
                                 r"(No space left on device|a write failed)\n\Z")

    def test_closed_streams(self):
        """Nothing that is printed gets into a file that was opened under the
        number of a stream that the caller had closed."""
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.out)
        good, back = self.out.read_bytes(), self.dir / "back.safetensors"
        ck.ttswc("export", "-q", self.out, "-o", back)
        exported = back.read_bytes()
        for closed in ("0<&-", "2>&-", "0<&- 2>&-", "1>&- 2>&-",
                       "0<&- 1>&- 2>&-"):
            for command in (("export", self.out, "-o", back),
                            ("compile", SPEC, FEATURES, "-o", self.out)):
                run = shlex.join(map(str, (ck.TTSWC, *command)))
                done = subprocess.run(
                    ["sh", "-c", f"{run} --progress=always {closed}"],
                    capture_output=True)
                self.assertEqual(done.returncode, 3 if "1>" in closed else 0,
                                 (closed, command))
                self.assertEqual(back.read_bytes(), exported, closed)
                self.assertEqual(self.out.read_bytes(), good, closed)

    def test_a_mapped_file_that_shrinks(self):
        """What the kernel sends then, at a moment that a test can choose: once
        ttswc waits for a spec."""
        pipe = self.dir / "spec.fifo"
        os.mkfifo(pipe)
        run = subprocess.Popen([ck.TTSWC, "check", pipe, FEATURES],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        with open(pipe, "wb"):
            run.send_signal(signal.SIGBUS)
            out, err = run.communicate(timeout=600)
        self.assertEqual((run.returncode, out), (3, b""))
        self.assertIn(b"ttswc: error: a file became shorter", err)

    def test_old_file_survives_a_failure(self):
        self.out.write_text("old")
        given = ck.read(FEATURES)
        given["odd name/1"] = ("F32", [2], b"\0\0\x80\x7f" * 2)
        bad = self.dir / "bad.safetensors"
        ck.write(bad, given)
        _, err = ck.ttswc("compile", SPEC, bad, "-o", self.out, code=1)
        self.assertIn("E0603", err)
        self.assertEqual(self.out.read_text(), "old")
        self.assertEqual(self.files(), ["bad.safetensors", "out.ttsb"])

    def test_no_room(self):
        def small_files():
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
        spec, ckpt = self.big(1)
        self.out.write_text("old")
        _, err = ck.ttswc("compile", spec, ckpt, "-o", self.out, code=3,
                          preexec_fn=small_files)
        self.assertIn("E0704", err)
        self.assertEqual(self.out.read_text(), "old")
        self.assertEqual(len(self.files()), 3)

    def test_killed(self):
        """After kill -9 at any moment the target is old or new, and what is
        left of a temporary is removed by the next run."""
        spec, ckpt = self.big(8)
        ck.ttswc("compile", "-q", spec, ckpt, "-o", self.out)
        whole = self.out.read_bytes()
        for i in range(12):
            self.out.write_text("old")
            run = subprocess.Popen([ck.TTSWC, "compile", "-q", spec, ckpt,
                                    "-o", self.out])
            time.sleep(0.004 * (i + 1))
            run.kill()
            run.wait()
            self.assertIn(self.out.read_bytes(), (b"old", whole))
            self.assertLessEqual(set(self.files()), {
                "big.safetensors", "big.yaml", "out.ttsb", ".out.ttsb.ttswc-tmp"})
        (self.dir / ".out.ttsb.ttswc-tmp").write_text("left by a killed run")
        ck.ttswc("compile", "-q", spec, ckpt, "-o", self.out)
        self.assertEqual(self.out.read_bytes(), whole)
        self.assertEqual(self.files(), ["big.safetensors", "big.yaml", "out.ttsb"])

    def test_limits_of_constants(self):
        """What a reader would refuse is not written."""
        head, rest = SPEC.read_text().split("constants:\n")
        for more in ("".join(f"  c{i}: 1\n" for i in range(65536)),
                     "  c: [" + ", ".join(["1"] * 2100000) + "]\n"):
            spec = self.dir / "many.yaml"
            spec.write_text(f"{head}constants:\n{more}{rest}")
            _, err = ck.ttswc("header", spec, "-o", self.dir / "x.h", code=1)
            self.assertIn("E0218", err)

    def test_link_as_target(self):
        real = self.dir / "real.ttsb"
        real.write_text("old")
        self.out.symlink_to(real)
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.out)
        self.assertTrue(self.out.is_symlink())
        ck.ttswc("verify", "-q", real)

    def test_long_file_name(self):
        name = self.dir / ("n" * 250 + ".ttsb")
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", name)
        self.assertEqual(self.files(), [name.name])

    def test_many_missing_names_end_soon(self):
        """Hints are bounded: 20,000 names that are all unlike."""
        spec = self.dir / "flat.yaml"
        spec.write_text(BIG.split("  - for")[0] + "  - tensors:\n" + "".join(
            f"      a{i}: weight_{i * 7919}_x [out=3]\n" for i in range(20000)))
        ckpt = self.dir / "x.safetensors"
        ck.write_sparse(ckpt, {f"other.{i * 104729}.y": ("F32", [3])
                               for i in range(20000)})
        _, err = ck.ttswc("check", "-q", spec, ckpt, code=1, timeout=600)
        self.assertIn("E0301", err)

    def test_mode(self):
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.out)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(self.out.stat().st_mode & 0o777, 0o666 & ~mask)

    def test_inspect_safetensors(self):
        out, _ = ck.ttswc("inspect", "--json", FEATURES)
        info = json.loads(out)
        self.assertEqual(info["format"], "safetensors")
        self.assertEqual({t["name"]: t["shape"] for t in info["tensors"]},
                         {n: s for n, (_, s, _) in ck.read(FEATURES).items()})
        out, _ = ck.ttswc("inspect", FEATURES)
        self.assertIn("20 tensors", out)

    def test_verify_names_the_damaged(self):
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.out)
        info = ck.blob(self.out)
        raw = bytearray(self.out.read_bytes())
        for t in info["tensors"]:
            if t["name"] in ("gate.weight", "tok.weight"):
                raw[t["offset"] + 1] ^= 4
        self.out.write_bytes(raw)
        out, err = ck.ttswc("verify", self.out, code=1)
        self.assertIn("gate.weight", err)
        self.assertIn("tok.weight", err)
        self.assertEqual(out, "")

    def test_flipped_bits_are_noticed(self):
        """One bit of every 997th byte, through the program; every bit of a
        small blob is flipped in process, by test_runtime_open."""
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.out)
        good = self.out.read_bytes()
        for at in range(0, len(good), 997):
            raw = bytearray(good)
            raw[at] ^= 1 << at % 8
            self.out.write_bytes(raw)
            ck.ttswc("verify", "-q", self.out, code=1)


if __name__ == "__main__":
    unittest.main()

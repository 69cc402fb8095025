#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The crate ttsb: its tests against a compiled fixture, with the C files built
by its own script; its examples; and the same tests on the shared library.

Skipped by name where there is no cargo, unless TTSW_NEED_RUST is set.
Arguments: a C compiler, libttsb.so."""
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402

CC = sys.argv[1] if len(sys.argv) > 2 else "cc"
LIBRARY = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else
                       ck.ROOT / "build/libttsb.so").absolute()
CRATE = ck.ROOT / "runtime" / "rust"
SPEC = ck.SPECS / "examples" / "features.yaml"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"

if shutil.which("cargo") is None:
    if os.environ.get("TTSW_NEED_RUST"):
        sys.exit("no cargo: tests/install.sh rust")
    print("skipped: no cargo; tests/install.sh rust brings it")
    sys.exit(77)


def make_blobs(folder):
    """sound-NAME.ttsb: blobs with all that the format has; mutant-NAME-I.ttsb:
    one of its first bytes is another, and all hashes are right again."""
    folder.mkdir()
    r = random.Random(7)
    for name, sound in make_blob.examples().items():
        (folder / f"sound-{name}.ttsb").write_bytes(sound)
        used = [at for at, byte in enumerate(sound[:12288]) if byte]
        for i in range(50):
            mutant = bytearray(sound)
            mutant[r.choice(used)] = r.choice((0, 1, 2, 4, 0x7F, 0x80, 0xFF))
            (folder / f"mutant-{name}-{i}.ttsb").write_bytes(make_blob.reseal(mutant))


class Rust(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.dir = pathlib.Path(holder.name)
        cls.blob = cls.dir / "features.ttsb"
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", cls.blob)
        ck.ttswc("export", cls.blob, "-o", cls.dir / "features.safetensors")
        cls.tensors = ck.read(cls.dir / "features.safetensors")
        listed = cls.dir / "tensors.txt"
        listed.write_text("".join(f"{name}\t{dtype}\t{shape}\t{raw.hex()}\n"
                                  for name, (dtype, shape, raw) in cls.tensors.items()))
        make_blobs(cls.dir / "blobs")
        # CC with an argument, as ccache's users have it.
        cls.env = {**os.environ, "CC": f"{CC} -Wall", "TTSB_TEST_BLOB": str(cls.blob),
                   "TTSB_TEST_TENSORS": str(listed),
                   "TTSB_TEST_BLOBS": str(cls.dir / "blobs")}
        for name in ("TTSB_LIB_DIR", "TTSB_SOURCE_DIR"):
            cls.env.pop(name, None)

    def cargo(self, *args, target="rust", **env):
        """Builds in the build tree, so that the next run is short."""
        done = subprocess.run(
            ["cargo", args[0], "--offline", "--locked", "--target-dir",
             LIBRARY.parent / target, *args[1:]], cwd=CRATE, env={**self.env, **env},
            capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def passed(self, done):
        """The numbers of passed tests, one a program."""
        counts = [tuple(map(int, pair)) for pair in re.findall(
            r"test result: ok\. (\d+) passed; 0 failed; (\d+) ignored", done.stdout)]
        self.assertEqual(sum(ignored for _, ignored in counts), 0, done.stdout)
        return [count for count, _ in counts]

    def test_built_from_the_tree(self):
        done = self.cargo("test", "--", "--include-ignored")
        self.assertNotIn("warning", done.stderr)
        # Units, two files, examples without tests, the documentation's.
        unit, *_, documented = counts = self.passed(done)
        self.assertGreaterEqual(unit, 5, done.stdout)
        self.assertGreaterEqual(documented, 6, done.stdout)
        self.assertGreaterEqual(sum(counts), 30, done.stdout)

        out = self.cargo("run", "--example", "dump", "--", self.blob, "--verify").stdout
        for name, (dtype, shape, raw) in self.tensors.items():
            self.assertIn(f"  {name} {dtype}{shape}  {len(raw)} bytes  ", out)
        self.assertIn("style.weight F16[2, 8]  no bytes", out)
        self.assertTrue(out.endswith("verified\n"))
        out = self.cargo("run", "--example", "candle", "--", self.blob).stdout
        self.assertIn("gate.weight: f16 [3, 8], 48 bytes", out)
        self.assertIn("mask: Candle has no BOOL", out)

    def test_as_a_newcomer_types_it(self):
        """`cargo test`, without what this program has made: it passes, and names
        what it leaves out."""
        made = ("TTSB_TEST_BLOB", "TTSB_TEST_TENSORS", "TTSB_TEST_BLOBS")
        env = {name: self.env.pop(name) for name in made}
        self.addCleanup(self.env.update, env)
        out = self.cargo("test").stdout
        left = re.findall(r"^test (\w+) \.\.\. ignored, wants (\w+)", out, re.M)
        self.assertEqual(sorted(left), [
            ("right_hashes_over_wrong_bytes", "TTSB_TEST_BLOBS"),
            ("tensors_are_those_of_the_exporter", "TTSB_TEST_TENSORS")])

    def test_linked_with_the_library(self):
        """TTSB_LIB_DIR: nothing is compiled, and what runs is libttsb.so."""
        env = {"TTSB_LIB_DIR": str(LIBRARY.parent), "CC": "/nonexistent",
               "LD_LIBRARY_PATH": str(LIBRARY.parent)}
        counts = self.passed(self.cargo("test", "--tests", "--",
                                        "--include-ignored", target="rust-linked",
                                        **env))
        self.assertGreaterEqual(sum(counts), 24)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

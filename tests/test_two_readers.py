#!/usr/bin/env python3
"""The C runtime and the reader written from FORMAT.md alone agree: on every
blob that the compiler makes, and on damaged ones."""
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402
import ttsb_reader  # noqa: E402

CASES = (("indextts2/bigvgan_tiny.yaml", "bigvgan/bigvgan_tiny.safetensors"),
         ("indextts2/bigvgan_tiny_parametrized.yaml",
          "bigvgan/bigvgan_tiny_parametrized.safetensors"),
         ("examples/features.yaml", "features/features.safetensors"))


def by_c(path):
    """What the C side says of a file: None if it refuses it."""
    done = subprocess.run([ck.TTSWC, "inspect", "--json", path],
                          capture_output=True, text=True)
    assert done.returncode in (0, 1), done
    verify = subprocess.run([ck.TTSWC, "verify", "-q", path], capture_output=True)
    assert verify.returncode in (0, 1), verify
    return json.loads(done.stdout) if done.returncode == 0 else None, \
        verify.returncode == 0


def by_python(path):
    try:
        blob = ttsb_reader.open_blob(pathlib.Path(path).read_bytes(), True)
        return blob.describe()
    except ttsb_reader.Refused:
        return None


class Agreement(unittest.TestCase):
    def setUp(self):
        self.dir = tempfile.TemporaryDirectory()
        self.addCleanup(self.dir.cleanup)
        self.path = pathlib.Path(self.dir.name) / "x.ttsb"

    def agree(self, label, good=True):
        """Both accept and say the same, or, unless `good`, both refuse."""
        c, whole = by_c(self.path)
        python = by_python(self.path)
        self.assertEqual(c is None, python is None, label)
        if good:
            self.assertTrue(whole, label)
        if c is None:
            return
        self.assertEqual(whole, python["verified"], (label, python["damaged"]))
        for key in ("model", "revision", "contract_id", "root", "file_size",
                    "partial", "groups", "constants", "tensors", "about"):
            self.assertEqual(c[key], python[key], (label, key))

    def test_compiled_blobs(self):
        for spec, checkpoint in CASES:
            ck.ttswc("compile", "-q", ck.SPECS / spec, ck.FIXTURES / checkpoint,
                     "-o", self.path)
            self.agree(spec)

    def test_partial_blob(self):
        given = ck.read(ck.FIXTURES / CASES[2][1])
        short = pathlib.Path(self.dir.name) / "short.safetensors"
        ck.write(short, {k: t for k, t in given.items() if k != "tok_emb.weight"})
        ck.ttswc("compile", "-q", "--allow-partial-weights", ck.SPECS / CASES[2][0],
                 short, "-o", self.path)
        self.agree("partial")

    def test_blobs_from_the_other_hand(self):
        for name, raw in make_blob.examples().items():
            self.path.write_bytes(raw)
            self.agree(name)

    def test_released_blobs(self):
        """Files of every released container version open for ever."""
        blobs = sorted((ck.FIXTURES / "blobs").glob("*.ttsb"))
        self.assertGreaterEqual(len(blobs), 3)
        for blob in blobs:
            self.path.write_bytes(blob.read_bytes())
            self.agree(blob.name)

    def test_released_bytes(self):
        """Today's compiler writes what the released one wrote."""
        ck.ttswc("compile", "-q", ck.SPECS / CASES[2][0], ck.FIXTURES / CASES[2][1],
                 "-o", self.path)
        released = ck.FIXTURES / "blobs" / "features-1.0.ttsb"
        self.assertEqual(self.path.read_bytes(), released.read_bytes())

    def test_damaged(self):
        """Flipped bytes, resealed or not: the same verdict."""
        ck.ttswc("compile", "-q", ck.SPECS / CASES[2][0], ck.FIXTURES / CASES[2][1],
                 "-o", self.path)
        self.damage(20261122, 40000, 150)

    def test_damaged_about(self):
        """The only part of META that the C side parses."""
        spec = pathlib.Path(self.dir.name) / "s.yaml"
        text = (ck.SPECS / CASES[2][0]).read_text()
        spec.write_text(text.replace("map:", 'about: {license: "M\\\\I\\nT", source: é}\nmap:'))
        ck.ttswc("compile", "-q", spec, ck.FIXTURES / CASES[2][1], "-o", self.path)
        good = self.path.read_bytes()
        self.agree("about")
        self.assertEqual(by_c(self.path)[0]["about"], {"license": "M\\I\nT", "source": "é"})
        at = good.index(b'{"about":')
        for i in range(at, good.index(b'"dropped"')):
            for bit in range(8):
                raw = bytearray(good)
                raw[i] ^= 1 << bit
                self.path.write_bytes(make_blob.reseal(raw))
                self.agree((i - at, bit), good=False)

    def damage(self, seed, reach, count):
        good = self.path.read_bytes()
        rng = random.Random(seed)
        for i in range(count):
            raw = bytearray(good)
            at = rng.randrange(len(raw) if i % 3 == 0 else reach)
            raw[at] ^= 1 << rng.randrange(8)
            self.path.write_bytes(
                make_blob.reseal(raw) if i % 2 else raw)
            self.agree((i, at), good=False)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""A split that keeps one piece of a tensor and drops the rest: the right bytes,
and the digest and the audit of the whole source."""
import json
import math
import pathlib
import struct
import tempfile
import unittest

import checkpoints as ck

HEAD = """\
ttsw: 1
model: pieces
revision: 1
source_dtype: f32
store: {store}
layout: [out, in]
map:
"""
SPLIT = """\
  - split:
      - source: x [out=4, in=3]
        axis: out
        into:
"""
WHOLE = "  - tensors:\n      x: x [out=4, in=3]\n"


class Pieces(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.values = [float(i) for i in range(12)]

    def compile(self, body, store="f32", code=0):
        (self.dir / "spec.yaml").write_text(HEAD.format(store=store) + body)
        data = struct.pack("<12f", *self.values)
        ck.write(self.dir / "x.safetensors", {"x": ("F32", [4, 3], data)})
        blob = self.dir / "x.ttsb"
        _, err = ck.ttswc("compile", self.dir / "spec.yaml",
                          self.dir / "x.safetensors", "-o", blob, code=code)
        return err if code else ck.blob(blob)["values"]

    def meta(self):
        raw = (self.dir / "x.ttsb").read_bytes().decode("latin-1")
        return json.JSONDecoder().raw_decode(raw, raw.index('{"dropped"'))[0]

    def split(self, lo, hi, **options):
        body = f"          kept: {lo}..{hi}\n"
        if lo > 0:
            body += f"          drop 0..{lo}: not this test's\n"
        if hi < 4:
            body += f"          drop {hi}..4: not this test's\n"
        return self.compile(SPLIT + body, **options)

    def test_every_range_that_is_kept_alone(self):
        self.compile(WHOLE)
        whole = self.meta()["sources"]
        for store in ("f32", "f16"):
            for lo, hi in ((0, 1), (0, 3), (1, 2), (1, 4), (3, 4), (0, 4)):
                with self.subTest(f"{lo}..{hi} {store}"):
                    dtype, shape, data, _ = self.split(lo, hi, store=store)["kept"]
                    self.assertEqual((dtype, shape), (store.upper(), [hi - lo, 3]))
                    self.assertEqual(ck.floats(dtype, data),
                                     self.values[3 * lo:3 * hi])
                    self.assertEqual(self.meta()["sources"], whole)

    def test_what_is_dropped_is_audited(self):
        for at in (0, 11):
            with self.subTest(at):
                self.values[at] = math.nan
                self.assertIn("E0603", self.split(1, 3, code=1))
                self.values[at] = 0.0

    def test_one_tensor_used_here_and_dropped_there(self):
        """META and the report do not depend on which of the two stands first."""
        head = HEAD.format(store="f32").replace("map:", """\
templates:
  rest:
    body:
      - tensors:
          rest: slice(x [out=4, in=3], out, 0..2)
map:""")
        used = "  - tensors:\n      kept: slice(x [out=4, in=3], out, 2..4)\n"
        dropped = "  - use: rest\n    drop: not this test's\n"
        self.compile(WHOLE)
        wanted, roots = (self.meta()["sources"], []), set()
        for body in (used + dropped, dropped + used):
            (self.dir / "spec.yaml").write_text(head + body)
            out, _ = ck.ttswc("compile", self.dir / "spec.yaml",
                              self.dir / "x.safetensors", "-o", self.dir / "x.ttsb")
            self.assertIn("1 tensors: 1 used, 0 dropped", out)
            meta = self.meta()
            self.assertEqual((meta["sources"], meta["dropped"]), wanted)
            roots.add(ck.blob(self.dir / "x.ttsb")["root"])
        self.assertEqual(len(roots), 1)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What random specs seldom meet: values of one region, computed values that are
cut, their sources' errors, and what of them is dropped.

In: small specs, each with one trap. Out: the bytes, the findings, the map."""
import pathlib
import re
import struct
import tempfile
import unittest

import checkpoints as ck

HEAD = """\
ttsw: 1
model: moves
revision: 1
source_dtype: f32
store: f32
layout: [n, h, out, in, d]
weight_norm: legacy
map:
"""


def floats(*values):
    return struct.pack(f"<{len(values)}f", *values)


class Moves(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def run_spec(self, body, tensors, *options, code=0):
        """tensors: {name: (shape, values)}; what goes to standard error."""
        (self.dir / "s.yaml").write_text(HEAD + body)
        ck.write(self.dir / "c.safetensors",
                 {n: ("F32", shape, floats(*v)) for n, (shape, v) in tensors.items()})
        return ck.ttswc("compile", "-q", "s.yaml", "c.safetensors", "-o", "o.ttsb",
                        *options, cwd=self.dir, code=code)[1]

    def values(self, name):
        dtype, _, data, _ = ck.blob(self.dir / "o.ttsb")["values"][name]
        return ck.floats(dtype, data)

    def test_zeros_alone_in_a_piece(self):
        """One region with several digits on its axis, in a buffer that is not new."""
        self.run_spec("""\
  - split:
    - source: rope_half(concat(out, w [out=8], zeros [out=16]), out, heads=3)
      axis: out
      into: {w: 0..8, z: 8..24}
  - tensors:
      y: exp(v [out=4096])
""", {"w": ([8], range(8)), "v": ([4096], [1.0] * 4096)}, "-j1")
        self.assertEqual(self.values("z"), [0.0] * 16)
        self.assertEqual(self.values("w"), [0, 2, 4, 6, 1, 3, 5, 7])

    def discarded(self):
        """{source with its part: elements}, and the elements used, of the map."""
        text = (self.dir / "o.map").read_text()
        lines = text.split("DISCARDED\n")[1].split("\n\n")[0].splitlines()
        used = int(re.search(r"^used +\d+ +(\d+)", text, re.M)[1])
        cells = [re.split(r"  +", line.strip()) for line in lines]
        return {c[2]: int(c[0]) // 4 for c in cells}, used

    def test_dropped_below_a_computed_value(self):
        """What no kept piece reads is dropped, though it is claimed whole."""
        four = ([4], [1.0] * 4)
        self.run_spec("""\
  - split:
    - source: concat(out, add(a [out=4], slice(b [out=8], out, 0..4)), c [out=4])
      axis: out
      into: {drop 0..2: not wanted, drop 2..4: nor this, x: 4..8}
    - source: concat(out, add(d [out=4], e [out=4]), f [out=4])
      axis: out
      into: {drop 0..2: not wanted, y: 2..8}
  - tensors:
      z: slice(b [out=8], out, 4..8)
""", {**dict.fromkeys("acdef", four), "b": ([8], [1.0] * 8)}, "--map", "o.map")
        self.assertEqual(self.discarded(), ({"a": 4, "b[out 0..4]": 4}, 20))

    def test_dropped_rows_of_a_magnitude(self):
        """A row that a kept piece needs is not dropped, however it is cut."""
        self.run_spec("""\
  - split:
    - source: merge(weight_norm(w, keep=h) [h=4, d=4], h * d -> n)
      axis: n
      into: {x: 0..6, drop 6..9: no, drop 9..16: nor this}
""", {"w_g": ([4, 1], [1.0] * 4), "w_v": ([4, 4], [1.0] * 16)}, "--map", "o.map")
        self.assertEqual(self.discarded(), (
            {"w_g[h 2..3]": 1, "w_g[h 3..4]": 1, "w_v[h 1..2,d 2..4 and 1 more]": 3,
             "w_v[h 2..3,d 1..4 and 1 more]": 7}, 8))

    def test_zero_sigma_is_said_once(self):
        err = self.run_spec("""\
  - split:
    - source: spectral_norm(w, rows=out) [out=4, in=2]
      axis: out
      into: {x: 0..2, y: 2..4}
""", {"w_orig": ([4, 2], [0.0] * 8), "w_u": ([4], [1.0] * 4), "w_v": ([2], [1.0] * 2)}, code=1)
        self.assertIn("E0601", err)
        self.assertIn("ttswc: 1 error, 0 warnings\n", err)


if __name__ == "__main__":
    unittest.main()

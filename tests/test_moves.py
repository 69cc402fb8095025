#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What random specs seldom meet: values of one region, computed values that are
cut, their sources' errors, and what of them is dropped.

In: small specs, each with one trap. Out: the bytes, the findings, the map."""
import pathlib
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


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What is in a blob where sources are missing or absent.

In: one spec that cuts, joins and shares, and its checkpoint with each set of
tensors taken out. Out: by a table of which output needs which source, each
output is MISSING (0xFF), ABSENT (0), or as in the whole blob."""
import itertools
import pathlib
import struct
import subprocess
import tempfile
import unittest

import checkpoints as ck

SPEC = """\
ttsw: 1
model: partial
revision: 1
source_dtype: f32
store: f32
layout: [n, a, b]
map:
  - split:
      - source: qkv [a=3, b=2]
        axis: a
        into: {q: 0, drop 1..2: not wanted, v: 2..3}
      - source: concat(a, also(up [a=2]), lo [a=2])
        axis: a
        into: {x: 0..1, y: 1..4 as f16}
    tensors:
      up: up [a=2]
      tied: alias(up)
      rows: stack(n, each i 0..2, row.{i} [a=2])
      emb: same(emb [n=2], head [n=2])
      opt: concat(a, opt.l [a=1], zeros [a=1], opt.r [a=1]) optional
      fc: fc [a=2]
      sum: l2_normalize(add(also(fc [a=2]), max(bias [a=2], 0.5)), over=a, eps=1e-9)
"""
NEEDS = {"q": {"qkv"}, "v": {"qkv"}, "x": {"up", "lo"}, "y": {"up", "lo"},
         "up": {"up"}, "tied": {"up"}, "rows": {"row.0", "row.1"},
         "emb": {"emb", "head"}, "opt": {"opt.l", "opt.r"}, "fc": {"fc"}, "sum": {"fc", "bias"}}
SHAPES = {"qkv": [3, 2], "up": [2], "lo": [2], "row.0": [2], "row.1": [2],
          "emb": [2], "head": [2], "opt.l": [1], "opt.r": [1], "fc": [2],
          "bias": [2]}


def tensor(name, shape):
    n = 6 if name == "qkv" else shape[0]
    first = 1 if name in ("emb", "head") else 10 * list(SHAPES).index(name)
    return "F32", shape, struct.pack(f"<{n}f", *range(first, first + n))


class Partial(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.dir = pathlib.Path(cls.holder.name)
        (cls.dir / "s.yaml").write_text(SPEC)
        cls.tensors = {n: tensor(n, s) for n, s in SHAPES.items()}
        cls.whole = cls.run_without(cls, set(), False)[1]

    def run_without(self, gone, partial=True):
        ck.write(self.dir / "c.safetensors",
                 {n: t for n, t in self.tensors.items() if n not in gone})
        done = subprocess.run(
            [ck.TTSWC, "compile", "-q", "s.yaml", "c.safetensors", "-o", "o.ttsb"]
            + ["--allow-partial-weights"] * partial, cwd=self.dir,
            capture_output=True, text=True)
        return done, ck.blob(self.dir / "o.ttsb") if done.returncode == 0 else None

    def check(self, gone):
        done, got = self.run_without(gone)
        half = len(gone & NEEDS["opt"]) == 1
        self.assertEqual(done.returncode, int(half), done.stderr)
        if half:
            self.assertIn("E0301", done.stderr)
            return
        lost = {o for o, needs in NEEDS.items() if needs & gone}
        self.assertEqual(got["partial"], lost - {"opt"} != set())
        self.assertEqual(got["contract_id"], self.whole["contract_id"])
        for name, value in self.whole["values"].items():
            flags = value[3]
            if name in lost and name == "opt":
                value = value[:2] + (bytes(len(value[2])), flags + ["absent"])
            elif name in lost:
                value = value[:2] + (b"\xff" * len(value[2]), flags + ["missing"])
            self.assertEqual(got["values"][name], value, name)
            if name in lost and name != "tied":
                self.assertIn(f"`{name}`", done.stderr)
        for name in gone:
            if name == "row.1" and "row.0" in gone:
                self.assertIn("the same for i = {0, 1}", done.stderr)
            elif name != "opt.r":
                self.assertIn(f"`{name}`", done.stderr)

    def test_whole(self):
        self.assertEqual(sorted(self.whole["values"]), sorted(NEEDS))
        self.assertFalse(self.whole["partial"])

    def test_one_and_two_gone(self):
        for n in (1, 2):
            for gone in itertools.combinations(SHAPES, n):
                with self.subTest(gone=gone):
                    self.check(set(gone))

    def test_all_gone_but_one(self):
        self.check(set(SHAPES) - {"fc"})

    def test_strict(self):
        for gone in SHAPES:
            with self.subTest(gone=gone):
                done, _ = self.run_without({gone}, partial=False)
                self.assertEqual(done.returncode, 1)
                if gone.startswith("row."):
                    self.assertIn(f"error[E0305]: index {gone[4:]} is missing", done.stderr)
                    self.assertIn(f"needs `{gone}`", done.stderr)
                else:
                    self.assertIn(f"error[E0301]: no tensor `{gone}`", done.stderr)


if __name__ == "__main__":
    unittest.main()

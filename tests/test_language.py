#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random specs against a slow interpreter, byte for byte.

In: TTSW_SEED, a number (each run has the same ones without it). Out: every
output of every spec is what language_terms.py gives, with one thread and with
two; specs whose sources are not covered exactly are refused."""
import itertools
import math
import os
import pathlib
import random
import re
import subprocess
import tempfile
import unittest

import checkpoints as ck
import language_specs
import language_terms as lt

SEED = int(os.environ.get("TTSW_SEED", "20240607"))


class Holder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def write(self, spec):
        (self.dir / "s.yaml").write_text(spec.text())
        ck.write(self.dir / "c.safetensors",
                 {n: (d, s, lt.encode(d, x)) for n, (d, s, x) in spec.tensors.items()})

    def compile(self, name, *args, code=0):
        return ck.ttswc("compile", "-q", "s.yaml", "c.safetensors", "-o", name, *args,
                        cwd=self.dir, code=code)


class Values(Holder):
    def check(self, spec):
        self.write(spec)
        self.compile("1.ttsb", "-j1")
        self.compile("2.ttsb", "-j2")
        self.assertEqual((self.dir / "1.ttsb").read_bytes(),
                         (self.dir / "2.ttsb").read_bytes(), "-j1 and -j2")
        got = ck.blob(self.dir / "1.ttsb")["values"]
        self.assertEqual(sorted(got), sorted(spec.expected))
        for name, (dtype, sizes, data) in spec.expected.items():
            self.assertEqual(got[name][:2], (dtype, sizes), name)
            if got[name][2] != lt.encode(dtype, data):
                self.fail(f"{name}: other bytes\n{spec.text()}")

    def run_specs(self, make, n, salt):
        outputs = 0
        for i in range(n):
            seed = f"{SEED}-{salt}-{i}"
            with self.subTest(seed=seed):
                spec = make(random.Random(seed))
                self.check(spec)
                outputs += len(spec.expected)
        print(f"{salt}: {n} specs, {outputs} outputs, TTSW_SEED={SEED}")

    def test_small(self):
        self.run_specs(language_specs.small, 40, "small")

    def test_large(self):
        self.run_specs(language_specs.large, 10, "large")


HEAD = """\
ttsw: 1
model: cover
revision: 1
source_dtype: u8
store: f32
layout: [a, b, c]
map:
"""


class Known(Holder):
    """Small values whose bytes are plain to see."""

    def values(self, body, **tensors):
        (self.dir / "s.yaml").write_text(HEAD + body)
        ck.write(self.dir / "c.safetensors",
                 {n: ("U8", s, bytes(d)) for n, (s, d) in tensors.items()})
        self.compile("o.ttsb")
        return {n: list(v[2]) for n, v in ck.blob(self.dir / "o.ttsb")["values"].items()}

    def test_last_piece_alone(self):
        """One target, the only use of its source, but not from its start."""
        got = self.values("""\
  - split:
    - source: w [a=3, b=2]
      axis: a
      into:
        drop 0..2: not wanted
        x: 2..3
        """, w=([3, 2], range(6)))
        self.assertEqual(got, {"x": [4, 5]})

    def test_one_term_of_a_stack(self):
        """An axis that goes away takes with it where a term lay."""
        got = self.values("""\
  - split:
    - source: stack(a, v [b=2], w [b=2])
      axis: a
      into: {x: 1, y: 0}
  - tensors:
      z: squeeze(slice(stack(a, also(v [b=2]), also(w [b=2])), a, 0..1), a)
        """, v=([2], [1, 2]), w=([2], [3, 4]))
        self.assertEqual(got, {"x": [3, 4], "y": [1, 2], "z": [1, 2]})


def guillotine(rng, box, n):
    """Cuts a box, [lo, hi) for each axis, into up to n parts."""
    wide = [i for i, (lo, hi) in enumerate(box) if hi - lo > 1]
    if n < 2 or not wide:
        return [box]
    i = rng.choice(wide)
    at = rng.randrange(box[i][0] + 1, box[i][1])
    left, right = list(box), list(box)
    left[i], right[i] = (box[i][0], at), (at, box[i][1])
    return guillotine(rng, left, n // 2) + guillotine(rng, right, n - n // 2)


def spoil(rng, boxes, sizes):
    """Removes, repeats, or moves a bound of one box; it stays in the tensor."""
    boxes = [list(b) for b in boxes]
    k = rng.randrange(len(boxes))
    way = rng.randrange(5)
    if way == 0 and len(boxes) > 1:
        del boxes[k]
    elif way == 1:
        boxes.append(list(boxes[k]))
    else:
        i = rng.randrange(len(sizes))
        lo, hi = boxes[k][i]
        lo, hi = (lo + rng.choice([-1, 0, 1]), hi + rng.choice([-1, 0, 1]))
        if 0 <= lo < hi <= sizes[i]:
            boxes[k][i] = (lo, hi)
    return boxes


def claims(boxes, sizes):
    """How often each element is used, by index."""
    count = dict.fromkeys(itertools.product(*map(range, sizes)), 0)
    for box in boxes:
        for at in itertools.product(*(range(lo, hi) for lo, hi in box)):
            count[at] += 1
    return count


def ranges(rows):
    """{1, 2, 5} as "1..3, 5..6"."""
    starts = [r for r in sorted(rows) if r - 1 not in rows]
    ends = [r + 1 for r in sorted(rows) if r + 1 not in rows]
    return ", ".join(f"{a}..{b}" for a, b in zip(starts, ends))


class Covers(Holder):
    """Each element once: judged by counting, one by one."""

    def outcome(self, sizes, lines):
        (self.dir / "s.yaml").write_text(HEAD + "\n".join(lines) + "\n")
        ck.write(self.dir / "c.safetensors",
                 {"w": ("U8", sizes, bytes(math.prod(sizes)))})
        done = subprocess.run([ck.TTSWC, "check", "s.yaml", "c.safetensors"], cwd=self.dir,
                              capture_output=True, text=True)
        self.assertIn(done.returncode, (0, 1), done.stderr)
        return done.returncode, done.stderr

    def judge_rows(self, err, count):
        """Where only the first axis is cut, the ranges are exact."""
        rows = {at[0] for at, n in count.items() if n == 0}
        twice = set()
        for lo, hi in re.findall(r"E0308\]: `a` (\d+)\.\.(\d+) of", err):
            twice |= set(range(int(lo), int(hi)))
        if "E0303" in err:
            return
        self.assertEqual(twice, {at[0] for at, n in count.items() if n > 1}, err)
        self.assertEqual("E0307" in err, bool(rows and not twice), err)
        if twice and rows:
            self.assertIn(f"note: `a` {ranges(rows)} is used by no piece", err)
        elif rows:
            self.assertIn(f"E0307]: `a` {ranges(rows)} of `w` is", err)

    def judge(self, boxes, sizes, code, err):
        count = claims(boxes, sizes)
        gap, twice = min(count.values()) == 0, max(count.values()) > 1
        self.assertEqual(code, int(gap or twice), err)
        self.assertEqual("E0308" in err or "E0303" in err, twice, err)
        if gap and not twice:
            self.assertIn("E0307", err)
        if all(b[1:] == [(0, s) for s in sizes[1:]] for b in boxes) and (
                any(b[0] != (0, sizes[0]) for b in boxes)):
            self.judge_rows(err, count)

    def test_slices(self):
        for i in range(60):
            rng = random.Random(f"{SEED}-cover-{i}")
            sizes = [rng.randrange(1, 7) for _ in range(rng.randrange(1, 4))]
            whole = [(0, s) for s in sizes]
            boxes = guillotine(rng, whole, rng.randrange(1, 9))
            boxes = boxes if i % 4 == 0 else spoil(rng, boxes, sizes)
            lines = ["  - tensors:"]
            for k, box in enumerate(boxes):
                term = "w " + lt.type_text(list(zip("abc", sizes)))
                for axis, part, size in zip("abc", box, sizes):
                    if part != (0, size) or rng.random() < 0.1:
                        term = f"slice({term}, {axis}, {part[0]}..{part[1]})"
                lines.append(f"      o{k}: {term}")
            with self.subTest(i=i, boxes=boxes):
                self.judge(boxes, sizes, *self.outcome(sizes, lines))

    def test_splits(self):
        for i in range(60):
            rng = random.Random(f"{SEED}-split-{i}")
            sizes = [rng.randrange(1, 12), rng.randrange(3)]
            boxes = guillotine(rng, [(0, sizes[0])], rng.randrange(1, 6))
            boxes = boxes if i % 4 == 0 else spoil(rng, boxes, sizes[:1])
            lines = ["  - split:", f"    - source: w [a={sizes[0]}, b={sizes[1]}]",
                     "      axis: a", "      into:"]
            for k, [(lo, hi)] in enumerate(boxes):
                piece = lo if hi == lo + 1 and rng.random() < 0.5 else f"{lo}..{hi}"
                name = f"o{k}: {piece}"
                if k > 0 and rng.random() < 0.3 and boxes.count([(lo, hi)]) == 1:
                    name = f"drop {piece}: not wanted"
                lines.append("        " + name)
            with self.subTest(i=i, boxes=boxes):
                code, err = self.outcome(sizes, lines)
                count = claims(boxes, sizes[:1])
                self.assertEqual(code, int(set(count.values()) != {1}), err)
                self.judge_rows(err, count)


if __name__ == "__main__":
    unittest.main()

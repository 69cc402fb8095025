#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Each element once: the compiler's verdict is held to counting them.

In: --seed=NUMBER, see language_case.py. Out: specs that cut their sources, as
they are stored or after all kinds of moves, are accepted if each element is
used once, and refused with E0307 or E0308 if not."""
import collections
import itertools
import math
import random
import re
import subprocess
import unittest

import checkpoints as ck
import language_terms as lt
from language_case import HEAD, Holder, seeds

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
        for i, seed in seeds("cover", 60):
            rng = random.Random(seed)
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
        for i, seed in seeds("split", 60):
            rng = random.Random(seed)
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


class Grown:
    """A term that is moved and cut, again and again; its leaves are outputs."""

    def __init__(self, rng, spoiled):
        self.rng = rng
        self.layout = [f"x{i}" for i in range(64)]
        self.tensors = {}
        self.slips = rng.choice([1, 2, 2, 3]) if spoiled else 0
        self.outputs = self.grow(self.root(), rng.randrange(2, 10))

    def source(self, sizes):
        name, names = f"w{len(self.tensors)}", self.rng.sample(self.layout, len(sizes))
        self.tensors[name] = ("U8", sizes, bytes(i % 251 for i in range(math.prod(sizes))))
        return lt.Leaf(name, list(zip(names, sizes)), "U8")

    def root(self):
        """A source, or a join of several."""
        rank = self.rng.randrange(1, 4)
        sizes = [self.rng.choice([1, 2, 3, 4, 6, 8, 12]) for _ in range(rank)]
        if math.prod(sizes) > 200 or self.rng.random() < 0.7:
            return self.source(sizes)
        first = self.source(sizes)
        parts = [first] + [self.source(sizes) for _ in range(self.rng.randrange(1, 3))]
        for p in parts:
            p.axes = first.axes
        name, size = self.rng.choice(first.axes)
        op = self.rng.choice(["concat", "interleave", "stack"])
        if op == "stack":
            new = self.free(first.axes)
            return lt.Join(op, new, parts, [(new, len(parts))] + first.axes)
        axes = [(n, s * len(parts) if n == name else s) for n, s in first.axes]
        return lt.Join(op, name, parts, axes)

    def free(self, axes):
        used = {n for n, _ in axes}
        return self.rng.choice([n for n in self.layout if n not in used])

    def grow(self, term, n):
        for _ in range(self.rng.randrange(4)):
            term = self.rng.choice([self.permute, self.unmerge, self.merge, self.rope,
                                    self.squeeze, self.unsqueeze])(term)
        long = [x for x in term.axes if x[1] > 1]
        if n < 2 or not long:
            return [self.finish(term)] if self.keep() else []
        name, size = self.rng.choice(long)
        at = self.rng.randrange(1, size)
        ends = self.ends(at, size)
        return [x for lo, hi, part in ((0, ends[0], n // 2), (ends[1], size, n - n // 2))
                for x in self.grow(self.cut(term, name, lo, hi), part)]

    def slip(self, chance):
        if self.slips and self.rng.random() < chance:
            self.slips -= 1
            return True
        return False

    def keep(self):
        return not self.slip(0.15)

    def ends(self, at, size):
        """Where the lower part ends and the upper one begins."""
        if not self.slip(0.5):
            return at, at
        less, more = self.rng.choice([(-1, 0), (0, 1), (1, 0), (0, -1), (-1, 1), (1, -1)])
        return min(max(at + less, 1), size), min(max(at + more, 0), size - 1)

    def cut(self, term, name, lo, hi):
        axes = [(n, hi - lo if n == name else s) for n, s in term.axes]
        return lt.Slice(term, name, lo, hi, axes)

    def permute(self, term):
        if not term.axes:
            return term
        axes = self.rng.sample(term.axes, len(term.axes))
        return lt.Call("permute", term, axes, [n for n, _ in axes])

    def finish(self, term):
        axes = sorted(term.axes, key=lambda x: self.layout.index(x[0]))
        if axes == term.axes:
            return term
        return lt.Call("permute", term, axes, [n for n, _ in axes])

    def unmerge(self, term):
        fits = [i for i, (_, s) in enumerate(term.axes) if s > 1]
        if not fits or len(term.axes) > 6:
            return term
        at = self.rng.choice(fits)
        name, size = term.axes[at]
        first = self.rng.choice([d for d in range(1, size + 1) if size % d == 0])
        used = {n for n, _ in term.axes}
        names = self.rng.sample([n for n in self.layout if n not in used], 2)
        new = list(zip(names, [first, size // first]))
        return lt.Call("unmerge", term, term.axes[:at] + new + term.axes[at + 1:],
                       [f"{name} -> " + " * ".join(f"{n}={s}" for n, s in new)])

    def merge(self, term):
        """Of two axes with none between them in the layout, and a place there."""
        ranks = [self.layout.index(n) for n, _ in term.axes]
        fits = [i for i in range(len(ranks) - 1) if ranks[i] + 1 < ranks[i + 1]
                and not any(ranks[i] < r < ranks[i + 1] for r in ranks)]
        if not fits:
            return term
        at = self.rng.choice(fits)
        new = self.layout[self.rng.randrange(ranks[at] + 1, ranks[at + 1])]
        (a, n), (b, m) = term.axes[at:at + 2]
        return lt.Call("merge", term, term.axes[:at] + [(new, n * m)] + term.axes[at + 2:],
                       [f"{a} * {b} -> {new}"])

    def rope(self, term):
        fits = [(n, h, r) for n, s in term.axes for h in range(1, s // 2 + 1) if s % h == 0
                for r in range(2, s // h + 1, 2)]
        if not fits:
            return term
        name, heads, dims = self.rng.choice(fits)
        return lt.Rope(self.rng.choice(["rope_half", "rope_interleave"]), term, name, heads, dims)

    def squeeze(self, term):
        ones = [x for x in term.axes if x[1] == 1]
        if not ones:
            return term
        one = self.rng.choice(ones)
        return lt.Call("squeeze", term, [x for x in term.axes if x != one], [one[0]])

    def unsqueeze(self, term):
        if len(term.axes) > 6:
            return term
        name, at = self.free(term.axes), self.rng.randrange(len(term.axes) + 1)
        return lt.Call("unsqueeze", term, term.axes[:at] + [(name, 1)] + term.axes[at:],
                       [name, f"at={at}"])

    def text(self):
        head = HEAD.replace("[a, b, c, out]", f"[{', '.join(self.layout)}]")
        lines = [f"      o{i}: {t.text()}" for i, t in enumerate(self.outputs)]
        return head + "  - tensors:\n" + "\n".join(lines) + "\n"

    def counts(self):
        """How often each element of each source is used."""
        uses = lt.Uses(self.tensors)
        count = collections.Counter(x for t in self.outputs for e in t.value({}, uses)
                                    for x in e)
        return {(n, i): count[n, i] for n, (_, _, data) in self.tensors.items()
                for i in range(len(data))}


class Moved(Holder):
    """The same behind moves: slices of what is merged, unmerged, permuted,
    turned, joined, and sliced before."""

    def judge(self, spec, code, err):
        count = spec.counts()
        text = " ".join(t.text() for t in spec.outputs)
        gone = {n for n in spec.tensors if f"{n} u8" not in text}  # not even a part
        twice = max(count.values()) > 1
        gap = min(count.values()) == 0
        self.assertEqual(code, int(gap or twice), err)
        self.assertEqual("E0308" in err or "E0303" in err, twice, err)
        part = any(k == 0 and n not in gone for (n, _), k in count.items())
        if part and not twice:
            self.assertIn("E0307", err)
        if gone:
            self.assertIn("E0302", err)
        return gap, twice

    def test_all(self):
        found = collections.Counter()

        def run(rng, i):
            spec = Grown(rng, i % 3 > 0)
            if not spec.outputs:
                return 0
            (self.dir / "s.yaml").write_text(spec.text())
            ck.write(self.dir / "c.safetensors", spec.tensors)
            done = subprocess.run([ck.TTSWC, "check", "s.yaml", "c.safetensors"],
                                  cwd=self.dir, capture_output=True, text=True)
            self.assertIn(done.returncode, (0, 1), done.stderr)
            try:
                found[self.judge(spec, done.returncode, done.stderr)] += 1
            except AssertionError as error:
                raise AssertionError(f"{error}\n{spec.text()}") from None
            return len(spec.outputs)
        self.sweep("moved", 240, run)
        print("moved:", ", ".join(f"{n} {'gap ' * gap}{'overlap' * twice}" if gap or twice
                                  else f"{n} exact" for (gap, twice), n in found.items()))
        if found.total() == 240:
            self.assertGreater(min(found[x] for x in itertools.product([False, True], repeat=2)),
                               10, found)


if __name__ == "__main__":
    unittest.main()

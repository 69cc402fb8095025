#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Specs that ask for too much: each run ends, with a finding or a result.

In: specs of a few lines, or of many, that say millions of things. Out: the
exit status and the id that each must come to. A run that would go on until
memory or patience ends runs into the time limit, which no good run is near."""
import pathlib
import tempfile
import unittest

import checkpoints as ck

HEAD = """\
ttsw: 1
model: endless
revision: 1
source_dtype: f32
store: f32
weight_norm: legacy
layout: [s, c, a, b]
"""
TENSORS = "map:\n  - tensors:\n"
SPLIT = "map:\n  - split:\n    - source: %s\n      axis: a\n      into:\n"
LIMIT = 300  # seconds


def nested(depth, n=9000):
    """Computed values whose cuts do not meet: thousands of pieces each."""
    term = f"scale(add(w [a={n}], v [a={n}]), 2.0)"
    for i in range(depth + 1):
        if i > 0:
            term = f"add(interleave(a, {term}, u{i} [a={n}]), v{i} [a={2 * n}])"
            n *= 2
        term = (f"merge(unmerge(interleave(a, {term}, z{i} [a={n}]), a -> s={2 * n // 3} "
                "* b=3), s * b -> a)")
        n *= 2
    return term


def lines(make, n):
    return "".join(f"        {make(k)}\n" for k in range(n))


class Endless(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def end(self, body, finding=None):
        """`header` runs all that needs no checkpoint."""
        (self.dir / "s.yaml").write_text(HEAD + body)
        _, err = ck.ttswc("header", "s.yaml", "-o", "s.h", cwd=self.dir, timeout=LIMIT,
                          code=0 if finding is None else 1)
        self.assertEqual(finding is None, err == "", err[:2000])
        if finding:
            self.assertIn(f"error[{finding}]", err[:100_000])

    def test_loops_in_values(self):
        for term, finding in (
                ("concat(a, each j 0..9223372036854775807, w{j} [a=1])", "E0216"),
                ("concat(a, w [a=1], each j 0..9223372036854775807, zeros [a=1])", "E0216"),
                ("concat(a, each j -5000000000..5000000000, w{j} [a=1])", "E0216"),
                ("stack(s, each i 0..60000, concat(a, each j 0..60000, w{i}.{j} [a=1]))",
                 "E0216"),
                ("stack(s, each i 0..60000, concat(a, w{i} [a=1], each j 0..60000, "
                 "zeros [a=1]))", "E0216"),
                ("".join(f"interleave(a, each j{k} 0..3, " for k in range(14)) + "w"
                 + "".join("{j%d}." % k for k in range(14)) + "x [a=1]" + ")" * 14, "E0216"),
                ("".join(f"stack(s{k}, " for k in range(9)) + "w [a=1]" + ")" * 9, "E0111"),
                ("squeeze(" * 40 + "w [a=1, b=1]" + ", b)" * 40, "E0201"),
                ("concat(a, each j 0..60000, w{j} [a=1])", None)):
            with self.subTest(term=term[:60]):
                self.end(TENSORS + f"      x: {term}\n", finding)

    def test_many_values_with_loops(self):
        self.end(TENSORS + lines(
            lambda k: f"x{k}: concat(a, w{k} [a=1], each j 0..65000, zeros [a=1])",
            40).replace("        x", "      x"), "E0216")

    def test_splits(self):
        n = 100_000
        whole = SPLIT % f"w [a={n}]"
        self.end(whole + lines(lambda k: f"x{k}: {k}", n))
        self.end(whole + lines(lambda k: f"x{k}: {k}..{min(k + 2, n)}", n), "E0308")
        self.end(SPLIT % f"w [a={2 * n}]" + lines(lambda k: f"x{k}: {2 * k}", n), "E0307")
        join = SPLIT % "concat(a, each j 0..65536, w{j} [a=1])"
        self.end(join + lines(lambda k: f"x{k}: {k}", 65536), "E0216")
        loop = ("map:\n  - split:\n    - for: {i: 0..4000000}\n"
                "      source: w{i} [a=1000]\n      axis: a\n      into:\n        x{i}: 0\n")
        self.end(loop + lines(lambda k: f"drop {k + 1}: no", 999), "E0216")

    def test_slices_of_one_tensor(self):
        each = TENSORS + "      x: concat(a, each j 0..60000, slice(w [a=60000], a, j..j+1))\n"
        self.end(each)
        self.end(each.replace("j..j+1", "j//2..j//2+1"), "E0308")
        cell = "slice(slice(w [a=%d, b=%d], a, i..i+1), b, j..j+1)"
        for rows, columns in ((2, 30000), (240, 250), (20000, 2)):
            self.end(TENSORS + f"      x: concat(a, each i 0..{rows}, concat(b, each j "
                     f"0..{columns}, {cell % (rows, columns)}))\n")
        n = 15000  # rows on the left, columns on the right: no axis tells them apart
        self.end(TENSORS + f"      x: concat(a, each i 0..{n}, slice(slice(w [a={n}, "
                 f"b={2 * n}], a, i..i+1), b, 0..{n}))\n"
                 f"      y: concat(b, each j {n}..{2 * n}, slice(w [a={n}, b={2 * n}], "
                 "b, j..j+1))\n", "E0216")
        self.end(TENSORS + "      x: concat(a, each i 0..2, concat(b, each j 0..29999, "
                 f"{cell % (2, 30000)}))\n", "E0307")

    def test_pieces_of_values(self):
        """A value of many pieces, in one term."""
        many = "unmerge(interleave(a, w{i} [a=%d], v{i} [a=%d]), a -> s=%d * b=3)"
        loop = "map:\n  - for: {i: 0..%d}\n    tensors:\n      x{i}: "
        self.end(TENSORS + f"      x: {nested(1)}\n")
        self.end(TENSORS + f"      x: {nested(4)}\n", "E0216")
        self.end(TENSORS + "      x: unmerge(merge(unmerge(w [a=600**4], a -> s=600**2 * b=600**2),"
                 " s * b -> a), a -> s=400**2 * b=900**2)\n")
        self.end(loop % 10 + many % (60000, 60000, 40000) + "\n")
        self.end(loop % 4000000 + many % (60000, 60000, 40000) + "\n", "E0216")
        self.end(loop % 4000000 + many % (90000, 90000, 60000) + "\n", "E0216")
        split = (SPLIT % (many % (60000, 60000, 40000)).replace("{i}", "")).replace(
            "axis: a", "axis: s")
        self.end(split + lines(lambda k: f"x{k}: {k}", 40000), "E0216")
        self.end(TENSORS + "      x: rope_half(weight_norm(w, keep=a) [a=2**40, b=1], a, "
                 "heads=2**38, dims=2)\n", "E0216")

    def test_boxes_of_tensors(self):
        """A use of many boxes, in one term; and many tensors of many boxes."""
        part = "slice(unmerge(w{i} [a=500000], a -> s=250000 * b=2), b, %d..%d)"
        loop = "map:\n  - for: {i: 0..%d}\n    tensors:\n      x{i}: " + part + "\n"
        second = "      y{i}: " + part + "\n"
        self.end(loop % (1, 0, 1), "E0307")
        self.end(loop % (1, 0, 1) + second % (0, 1), "E0216")
        self.end((loop % (1000, 0, 1) + second % (1, 2)).replace("00000", "0000").replace(
            "250000", "25000"), "E0216")
        cross = ("map:\n  - for: {i: 0..1000}\n    tensors:\n"
                 "      x{i}: slice(unmerge(w{i} [a=8000, b=2], a -> s=4000 * c=2), c, 0..1)\n"
                 "      y{i}: slice(slice(unmerge(w{i} [a=8000, b=2], a -> s=4000 * c=2), c, "
                 "1..2), b, 0..1)\n"
                 "      z{i}: slice(slice(unmerge(w{i} [a=8000, b=2], a -> s=4000 * c=2), c, "
                 "1..2), b, 1..2)\n")
        self.end(cross, "E0216")

    def test_bodies(self):
        def nested(depth):
            body = "map:\n"
            for k in range(depth):
                body += " " * (4 * k + 2) + "- body:\n"
            return body + " " * (4 * depth + 2) + "- tensors: {x: 'w [a=1]'}\n"
        self.end(nested(28))
        self.end(nested(500), "E0105")
        self.end("templates:\n  t:\n    body:\n    - tensors:\n"
                 + lines(lambda k: f"a{k}: alias(b)", 3000)
                 + "map:\n  - for: {i: 0..4000000}\n    from: p{i}.\n    use: t\n    drop: no\n"
                 "  - tensors:\n      x: w [a=1]\n", "E0216")

    def test_subtrees(self):
        big = 2**63 - 1
        tail = "  - tensors:\n      x: w [a=1]\n"
        self.end(f"map:\n  - drop:\n      p. [tensors={big}, elements={big}]: no\n" + tail)
        self.end("map:\n  - drop:\n      p. [tensors=1, elements=9223372036854775808]: no\n"
                 + tail, "E0213")
        self.end("map:\n  - drop:\n      p. [tensors=0-1, elements=1]: no\n" + tail, "E0111")
        self.end("map:\n  - for: {i: 0..3000000}\n    drop:\n"
                 "      p{i}. [tensors=1, elements=1]: no\n" + tail, "E0216")
        self.end("map:\n  - for: {i: 0..1000000}\n    drop:\n"
                 "      p{i-i}. [tensors=1, elements=1]: no\n" + tail, "E0303")
        self.end("map:\n  - drop:\n      p. [tensors=1, elements=1]: no\n", "E0510")

    def test_sizes(self):
        big = 2**63 - 1
        for term in (f"concat(a, w [a={big}, b=0], v [a={big}, b=0])",
                     f"concat(a, w [a=1], zeros [a={big}])",
                     f"stack(s, w [a={big}], zeros [a={big}])"):
            self.end(TENSORS + f"      x: {term}\n", "E0111")
        self.end(TENSORS + f"      x: slice(concat(a, w [a=1], zeros [a={big - 1}]), a, 0..5)\n")


if __name__ == "__main__":
    unittest.main()

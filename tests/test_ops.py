#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every operation against what torch computes: all cases of fixtures/ops.

In: ops.json, which says for each expected tensor how torch made it of which
inputs. Each becomes a line of a spec, and is held to torch's result at the
case's own tolerance, to its float64 twin within 1 ulp, and byte for byte to
language_terms.py, which is held to the same. Where a finite value becomes
infinite (E0602) or a norm is zero (E0601) ttswc refuses: then the finding names
the first such element, and without them the rest is equal."""
import collections
import dataclasses
import itertools
import json
import math
import pathlib
import re
import struct
import tempfile
import unittest

import checkpoints as ck
import language_numbers as num
import language_terms as lt

OPS = ck.FIXTURES / "ops"
DTYPES = {"float32": "F32", "float16": "F16", "bfloat16": "BF16",
          "float64": "F64", "int32": "I32", "int64": "I64", "uint8": "U8",
          "bool": "BOOL"}
AXES = ["a", "b", "c", "d", "e"]
EVERY = 132
REFUSED = [  # by design, and the first such element
    ("wn.zero_row.weight", "E0601", 1), ("snake.exp_alpha", "E0602", 7),
    ("cast.f32_to_f16", "E0602", 15), ("cast.f32_to_bf16", "E0602", 14),
    ("cast.f64_to_f32", "E0602", 15), ("cast.bf16_to_f16", "E0602", 13)]
HEAD = """\
ttsw: 1
model: ops
revision: 1
source_dtype: f32
store: f32
layout: [a, b, c, d, e]
map:
"""


@dataclasses.dataclass
class Line:
    """A part of a spec, a block: its text, and the terms that stand in it."""
    cases: list     # the outputs' names in ops.json
    inputs: list
    text: list
    outputs: dict   # target: (case, term)


def typed(sizes, names=AXES):
    return list(zip(names, sizes))


# --- each operation's cases as lines ---

class Cases:
    def __init__(self):
        self.given = ck.read(OPS / "ops.safetensors")
        self.wanted = ck.read(OPS / "ops.expected.safetensors")
        self.cases = json.loads((OPS / "ops.json").read_text())["expected"]
        self.number = itertools.count()
        self.tensors = {n: (d, s, num.decode(d, raw))
                        for n, (d, s, raw) in self.given.items()}

    def leaf(self, name, names=AXES):
        dtype, sizes, data = self.tensors[name]
        allow = dtype in num.FLOATS and not all(map(math.isfinite, data))
        return lt.Leaf(name, typed(sizes, names), dtype, allow=allow)

    def lines(self):
        done, made = set(), []
        for name, case in self.cases.items():
            if name not in done:
                line = getattr(self, "op_" + case["op"])(name, case)
                made.append(line)
                done |= set(line.cases)
        return made

    def tensor(self, name, term, **block):
        """A line of `tensors:` with keys of its block."""
        target, inputs = f"t{next(self.number)}", self.cases[name]["inputs"]
        keys = [f"    {k}: {v}" for k, v in block.items()]
        dtype = DTYPES[self.cases[name]["dtype"]]
        cast = f" as {dtype.lower()}" if self.cases[name]["op"].startswith("cast") or (
            dtype in num.FLOATS and dtype != "F32") else ""
        text = ["  - tensors:", f"      {target}: {term.text()}{cast}", *keys]
        return Line([name], inputs, text, {target: (name, term)})

    def split(self, whole, axis, pieces, inputs):
        """A `split:`; pieces: {case: (text, lo, hi)}, or an index without hi."""
        text = ["  - split:", f"    - source: {whole.text()}",
                f"      axis: {axis}", "      into:"]
        outputs, at = {}, lt.position(whole.axes, axis)
        for name, piece in pieces.items():
            target = f"t{next(self.number)}"
            axes = list(whole.axes)
            axes[at:at + 1] = [(axis, len(piece))] if isinstance(piece, range) else []
            said = f"{piece[0]}..{piece[-1] + 1}" if isinstance(piece, range) else piece
            lo, n = (piece[0], len(piece)) if isinstance(piece, range) else (piece, 1)
            text.append(f"        {target}: {said}")
            outputs[target] = (name, lt.Slice(whole, axis, lo, lo + n, axes))
        return Line(list(pieces), inputs, text, outputs)

    def norm(self, name, case, kind, term, axis):
        spelling = "parametrized" if "parametrizations" in case["inputs"][0] else "legacy"
        made = term(name, typed(case["shape"]), axis, spelling)
        names = lt.spelled(kind, name, spelling)
        assert names == case["inputs"], (names, case["inputs"])
        return self.tensor(name, made, weight_norm=spelling)

    def op_weight_norm(self, name, case):
        dim = case["params"]["dim"]
        return self.norm(name, case, "weight_norm", lt.Norm,
                         "none" if dim is None else AXES[dim])

    def op_spectral_norm(self, name, case):
        return self.norm(name, case, "spectral_norm", lt.Spectral,
                         AXES[case["params"]["dim"]])

    def op_bn_fold(self, name, case):
        """One line for two cases, X.weight and X.bias."""
        stem, end = name.rsplit(".", 1)
        says, target = case["params"], f"t{next(self.number)}"
        assert end == "weight"
        w = self.leaf(f"{stem}.conv.weight")
        axis = w.axes[says["out_axis"]]
        b = self.leaf(f"{stem}.conv.bias", [axis[0]]) if says["conv_bias"] else None
        fold = lt.Fold(f"{stem}.bn", [axis], says["eps"], says["affine"], w, b)
        outputs = {target + end: (stem + end, FoldEnd(fold, i))
                   for i, end in enumerate(fold.ends)}
        text = ["  - tensors:", f"      {target}: {fold.text()}"]
        return Line([stem + end for end in fold.ends], case["inputs"], text, outputs)

    def op_permute(self, name, case):
        order, after = case["params"]["axes"], typed(case["shape"])
        names = [AXES[order.index(i)] for i in range(len(order))]
        arg = self.leaf(case["inputs"][0], names)
        if len(order) == 2:
            return self.tensor(name, lt.Call("transpose", arg, after))
        return self.tensor(name, lt.Call("permute", arg, after, AXES[:len(order)]))

    def op_reshape(self, name, case):
        return self.tensor(name, lt.Call("squeeze", self.leaf(case["inputs"][0]),
                                         typed(case["shape"]), ["c"]))

    def siblings(self, case):
        return {n: c for n, c in self.cases.items()
                if c["op"] == case["op"] and c["inputs"] == case["inputs"]}

    def op_split(self, name, case):
        pieces = {n: range(c["params"]["start"], c["params"]["start"] + c["params"]["size"])
                  for n, c in self.siblings(case).items()}
        assert case["params"]["axis"] == 0
        return self.split(self.leaf(case["inputs"][0]), "a", pieces, case["inputs"])

    def op_split_transpose(self, name, case):
        """HF Conv1D [in, 3 * out]"""
        arg = self.leaf(case["inputs"][0], ["b", "a"])
        whole = lt.Call("transpose", arg, arg.axes[::-1])
        pieces = {n: range(c["params"]["start"], c["params"]["start"] + c["params"]["size"])
                  for n, c in self.siblings(case).items()}
        return self.split(whole, "a", pieces, case["inputs"])

    def op_deinterleave_qkv(self, name, case):
        """[head * part * d, ...]: the weight by a split of what is moved, the
        bias by slices that are moved."""
        leaf = self.leaf(case["inputs"][0], ["c", "d", "e"])
        heads, d = case["params"]["heads"], case["params"]["head_dim"]
        (_, size), *rest = leaf.axes
        parts = [("a", heads), ("p", 3), ("b", d)]
        cut = lt.Call("unmerge", leaf, parts + rest, [f"c -> a={heads} * p=3 * b={d}"])
        family = self.siblings(case)
        if rest:
            front = lt.Call("permute", cut, [parts[1], parts[0], parts[2]] + rest,
                            ["p", "a", "b"] + [n for n, _ in rest])
            whole = lt.Call("merge", front, [parts[1], ("c", size // 3)] + rest,
                            ["a * b -> c"])
            return self.split(whole, "p", {n: c["params"]["part"] for n, c in family.items()},
                              case["inputs"])
        made = Line([], case["inputs"], ["  - tensors:"], {})
        for n, c in family.items():
            part, target = c["params"]["part"], f"t{next(self.number)}"
            one = lt.Slice(cut, "p", part, part + 1, [parts[0], ("p", 1), parts[2]])
            term = lt.Call("merge", lt.Call("squeeze", one, [parts[0], parts[2]], ["p"]),
                           [("c", size // 3)], ["a * b -> c"])
            made.text.append(f"      {target}: {term.text()}")
            made.outputs[target] = (n, term)
            made.cases.append(n)
        return made

    def rope(self, op, name, case):
        return self.tensor(name, lt.Rope(op, self.leaf(case["inputs"][0]), "a",
                                         case["params"]["heads"]))

    def op_rope_interleaved_to_half(self, name, case):
        return self.rope("rope_half", name, case)

    def op_rope_half_to_interleaved(self, name, case):
        return self.rope("rope_interleave", name, case)

    def op_concat(self, name, case):
        axis = AXES[case["params"]["axis"]]
        return self.tensor(name, lt.Join("concat", axis, list(map(self.leaf, case["inputs"])),
                                         typed(case["shape"])))

    def op_stack(self, name, case):
        """In front, and from there to its place."""
        at, after = case["params"]["axis"], typed(case["shape"])
        names = AXES[:at] + AXES[at + 1:]
        before = [after[at]] + after[:at] + after[at + 1:]
        term = lt.Join("stack", AXES[at], [self.leaf(x, names) for x in case["inputs"]],
                       before)
        if at > 0:
            term = lt.Call("permute", term, after, [n for n, _ in after])
        return self.tensor(name, term)

    def op_interleave(self, name, case):
        axis = AXES[case["params"]["axis"]]
        return self.tensor(name, lt.Join("interleave", axis,
                                         list(map(self.leaf, case["inputs"])),
                                         typed(case["shape"])))

    def op_ema_codebook(self, name, case):
        sums, usage = map(self.leaf, case["inputs"])
        return self.tensor(name, lt.Binary("div", sums, lt.Unary(
            "max", usage, case["params"]["eps"])))

    def op_exp(self, name, case):
        return self.tensor(name, lt.Unary("exp", self.leaf(case["inputs"][0])))

    def op_snake_inv_beta(self, name, case):
        beta = lt.Unary("exp", self.leaf(case["inputs"][0]))
        return self.tensor(name, lt.Unary("reciprocal", lt.Unary(
            "offset", beta, case["params"]["eps"])))

    def op_add(self, name, case):
        return self.tensor(name, lt.Binary("add", *map(self.leaf, case["inputs"])))

    def op_l2_normalize(self, name, case):
        return self.tensor(name, lt.L2(self.leaf(case["inputs"][0]),
                                       AXES[case["params"]["axis"]],
                                       case["params"]["eps"]))

    def op_cast(self, name, case):
        return self.tensor(name, self.leaf(case["inputs"][0]))

    op_cast_via_f32 = op_cast


@dataclasses.dataclass
class FoldEnd:
    """One of a fold's outputs, as a term."""
    fold: lt.Fold
    index: int

    def value(self, env, of):
        return self.fold.values(env, of)[self.index]


# --- judging ---

def ordered(code, bits=32):
    """A float's bits as an integer whose steps are ulps; -0 equals +0."""
    return code if code < 1 << bits - 1 else (1 << bits - 1) - code


def codes(raw):
    return struct.unpack(f"<{len(raw) // 4}I", raw)


def far(got, want, nan_equal=False):
    """The largest distance of two F32 tensors in ulp."""
    pairs = zip(num.decode("F32", got), num.decode("F32", want), codes(got), codes(want))
    return max((abs(ordered(i) - ordered(k)) for x, y, i, k in pairs
                if not (nan_equal and x != x and y != y)), default=0)


def same_bits(dtype, got, want, nan_equal):
    if got == want or not nan_equal or dtype not in num.FLOATS:
        return got == want
    size = ck.BITS[dtype] // 8
    pairs = zip(num.decode(dtype, got), num.decode(dtype, want))
    return all((x != x and y != y) or got[i * size:][:size] == want[i * size:][:size]
               for i, (x, y) in enumerate(pairs))


def near(case, dtype, got, want):
    """Whether bytes are as torch has them, by the case's tolerance."""
    says = case["tolerance"]
    nan_equal = says.get("nan_equal", False)
    if says["kind"] == "exact":
        return same_bits(dtype, got, want, nan_equal)
    if says["kind"] == "abs":
        return all(abs(x - y) <= says["max"] for x, y in
                   zip(num.decode(dtype, got), num.decode(dtype, want)))
    return far(got, want, nan_equal) <= says["max"]


class Ops(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.all = Cases()
        cls.lines = cls.all.lines()
        cls.seen = collections.Counter()  # by case
        cls.worst = {}                    # by op: ulp from the twin
        cls.numbers = lt.Numbers(cls.all.tensors)

    @classmethod
    def tearDownClass(cls):
        ops = collections.Counter(c["op"] for c in cls.all.cases.values())
        for op, n in ops.items():
            done = sum(cls.seen[name] for name, c in cls.all.cases.items() if c["op"] == op)
            twin = f", {cls.worst[op]} ulp from float64" if op in cls.worst else ""
            print(f"{op} {done}/{n}{twin}")

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def judge(self, name, dtype, got, keep=None):
        """keep: of the expected tensor's elements."""
        case = self.all.cases[name]
        self.assertEqual(dtype, DTYPES[case["dtype"]], name)
        size = ck.BITS[dtype] // 8

        def expected(name):
            raw = self.all.wanted[name][2]
            return raw if keep is None else b"".join(raw[i * size:][:size] for i in keep)
        good = near(case, dtype, got, expected(name))
        twin = case.get("f64_twin")
        if twin:
            ulp = far(got, expected(twin), True)
            self.assertLessEqual(ulp, 1, name)
            self.worst[case["op"]] = max(ulp, self.worst.get(case["op"], 0))
            if case["tolerance"].get("either"):
                good = good or near(case, dtype, got, expected(twin))
        self.assertTrue(good, name)

    def refused(self, line):
        """Of one whose value ttswc must not make: the id, the first element and
        all of them."""
        (name, term), = list(line.outputs.values())[:1]
        case = self.all.cases[name]
        dtype = DTYPES[case["dtype"]]
        try:
            value = term.value({}, self.numbers)
        except num.NoNorm as stop:
            return "E0601", stop.args[0], [stop.args[0]]
        if dtype not in num.FLOATS:
            return None
        source = self.all.tensors[case["inputs"][0]][2]
        bad = [i for i, x in enumerate(value) if not num.fits(x, dtype)
               and math.isfinite(source[i % len(source)])]
        return ("E0602", bad[0], bad) if bad else None

    def spec(self, lines, tensors):
        text = HEAD + "".join(f"{t}\n" for line in lines for t in line.text)
        (self.dir / "s.yaml").write_text(text)
        names = {n for line in lines for n in line.inputs}
        ck.write(self.dir / "c.safetensors", {n: tensors[n] for n in sorted(names)})
        return "-q", self.dir / "s.yaml", self.dir / "c.safetensors", "-o", self.dir / "o.ttsb"

    def compile(self, lines, tensors):
        ck.ttswc("compile", *self.spec(lines, tensors))
        return ck.blob(self.dir / "o.ttsb")["values"]

    def batches(self, lines):
        """As few specs as can be in which no tensor has two uses."""
        made = []
        for line in lines:
            for batch in made:
                if not any(set(line.inputs) & set(other.inputs) for other in batch):
                    batch.append(line)
                    break
            else:
                made.append([line])
        return made

    def test_all(self):
        """In specs of many lines, those that ttswc compiles."""
        via = [x for x in self.lines if self.all.cases[x.cases[0]]["op"] == "cast_via_f32"]
        lines = [x for x in self.lines if self.refused(x) is None and x not in via]
        for batch in self.batches(lines):
            made = self.compile(batch, self.all.given)
            for target, (name, term) in [x for b in batch for x in b.outputs.items()]:
                with self.subTest(case=name):
                    dtype, sizes, raw = made[target][:3]
                    self.assertEqual(sizes, self.all.cases[name]["shape"])
                    self.judge(name, dtype, raw)
                    self.assertEqual(raw, num.encode(dtype, term.value({}, self.numbers)))
                    self.seen[name] += 1

    def test_reading(self):
        """language_terms.py, without the compiler."""
        n = 0
        for line in self.lines:
            if self.refused(line) or "cast_via" in self.all.cases[line.cases[0]]["op"]:
                continue
            for name, term in line.outputs.values():
                with self.subTest(case=name):
                    dtype = DTYPES[self.all.cases[name]["dtype"]]
                    self.judge(name, dtype, num.encode(dtype, term.value({}, self.numbers)))
                    n += 1
        self.assertEqual(n, EVERY - len(REFUSED) - 1)

    def without(self, name, bad):
        """The inputs without rows or elements, and what stays of the result."""
        case = self.all.cases[name]
        tensors = dict(self.all.given)
        rows = case["shape"][0]
        for source in case["inputs"]:
            dtype, sizes, raw = tensors[source]
            self.assertEqual(sizes[0], rows)
            step = len(raw) // rows
            kept = b"".join(raw[i * step:][:step] for i in range(rows) if i not in bad)
            tensors[source] = (dtype, [rows - len(bad), *sizes[1:]], kept)
        inner = math.prod(case["shape"][1:])
        return tensors, [i for i in range(rows * inner) if i // inner not in bad]

    def test_refused(self):
        """The first element that has no value, by name; and all others."""
        found = []
        for line in self.lines:
            refused = self.refused(line)
            if refused is None:
                continue
            (target, (name, _)), = line.outputs.items()
            (code, first, bad), case = refused, self.all.cases[name]
            found.append((name, code, first))
            with self.subTest(case=name):
                _, err = ck.ttswc("compile", *self.spec([line], self.all.given), code=1)
                source = re.escape(case["inputs"][-1])
                if code == "E0601":
                    says = rf"E0601\]: `{source}` has no norm to divide by at kept index {first}\n"
                else:
                    says = (rf"E0602\]: {len(bad)} values? of `{target}` do(es)? not fit "
                            rf"\w+, first \S+ at \[{first}\]\n")
                self.assertRegex(err, says)
                self.assertIn("ttswc: 1 error, 0 warnings", err)
                tensors, keep = self.without(name, bad)
                fewer = dataclasses.replace(line, text=[
                    re.sub(r"\[a=\d+", f"[a={case['shape'][0] - len(bad)}", t)
                    for t in line.text])
                dtype, _, raw = self.compile([fewer], tensors)[target][:3]
                self.judge(name, dtype, raw, keep)
                self.seen[name] += 1
        self.assertEqual(found, REFUSED)

    def test_one_rounding(self):
        """Not what comes out by way of F32."""
        line, = (x for x in self.lines
                 if self.all.cases[x.cases[0]]["op"] == "cast_via_f32")
        (target, (name, _)), = line.outputs.items()
        dtype, _, raw = self.compile([line], self.all.given)[target][:3]
        self.assertEqual(dtype, "F16")
        self.assertEqual(raw, self.all.wanted["cast.f64_to_f16_direct"][2])
        pairs = list(zip(self.all.tensors[line.inputs[0]][2], num.decode("F16", raw),
                         num.decode("F16", self.all.wanted[name][2])))
        other = [i for i, (_, x, y) in enumerate(pairs) if x != y]
        self.assertEqual(len(other), 4)
        for i in other:
            print(f"{name}[{i}]: {pairs[i][0]!r} is {pairs[i][1]!r}, "
                  f"by way of F32 {pairs[i][2]!r}")
        self.seen[name] += 1

    def test_zz_none_is_left_out(self):
        """Runs last: each case once, in the compiler."""
        self.assertEqual(len(self.all.cases), EVERY)
        self.assertEqual({n: self.seen[n] for n in self.all.cases if self.seen[n] != 1}, {})
        twins = {n for n in self.all.wanted if n.endswith("@f64")}
        self.assertEqual({c.get("f64_twin") for c in self.all.cases.values()} - {None}, twins)
        self.assertEqual(set(self.all.cases) | twins, set(self.all.wanted))
        used = {n for line in self.lines for n in line.inputs}
        self.assertEqual(used, set(self.all.given))


if __name__ == "__main__":
    unittest.main()

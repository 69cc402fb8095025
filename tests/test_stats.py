#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc stats and compile --stats: figures against numpy's and against exact
rationals, the same bits however they are come by, and what is printed."""
import decimal
import fractions
import json
import math
import os
import pathlib
import random
import struct
import tempfile
import time
import unittest

import checkpoints as ck

FIXTURES = {"bigvgan_tiny": "bigvgan/bigvgan_tiny.safetensors",
            "gpt_tiny": "gpt/gpt_tiny.safetensors",
            "stats_edge": "stats/stats_edge.safetensors"}
FIGURES = ("finite", "mean", "std", "min", "max", "absmax", "zeros", "nan", "inf", "count")
CODES = {"F64": "d", "F32": "f", "F16": "e", "I64": "q", "U64": "Q", "I16": "h"}
decimal.getcontext().prec = 60
decimal.getcontext().Emin, decimal.getcontext().Emax = -9999, 9999


def no_constant(word):
    raise AssertionError(f"JSON holds {word}")


def load(text):
    return json.loads(text, parse_constant=no_constant)


def stats(*args, **options):
    """{name: row} of `ttswc stats --json`."""
    found = load(ck.ttswc("stats", "--json", *args, **options)[0])
    return {t["name"]: t for t in found["tensors"]}


def pack(dtype, values):
    return struct.pack(f"<{len(values)}{CODES[dtype]}", *values)


def exact(values):
    """Mean, standard deviation and kurtosis as rationals, as far as they are."""
    n, all_ = len(values), [fractions.Fraction(x) for x in values]
    mean = sum(all_) / n
    var = sum((x - mean) ** 2 for x in all_) / n
    fourth = sum((x - mean) ** 4 for x in all_) / n
    root = (decimal.Decimal(var.numerator) / decimal.Decimal(var.denominator)).sqrt()
    return mean, fractions.Fraction(root), fourth / var ** 2 if var else 0


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.ckpt = self.dir / "x.safetensors"


class Figures(Folder):
    def test_numpy(self):
        """Mean to 1e-12 of absmax, std to 1e-12, all else exactly."""
        wanted = json.loads((ck.FIXTURES / "stats" / "stats.json").read_text())
        self.assertEqual(tuple(wanted["columns"]), FIGURES)
        for model, path in FIXTURES.items():
            rows = stats(ck.FIXTURES / path)
            self.assertEqual(set(rows), set(wanted[model]))
            for name, figures in wanted[model].items():
                want, row = dict(zip(FIGURES, figures)), rows[name]
                for key in set(FIGURES) - {"mean", "std"}:
                    self.assertEqual(row[key], want[key], (name, key))
                if want["finite"] == 0:
                    self.assertEqual((row["mean"], row["std"]), (None, None))
                    continue
                self.assertLessEqual(abs(row["mean"] - want["mean"]),
                                     1e-12 * want["absmax"], name)
                self.assertLessEqual(abs(row["std"] - want["std"]),
                                     1e-12 * want["std"], name)

    def test_exact(self):
        """Where numpy itself would be wrong or overflow."""
        r, n = random.Random(20251), 9000
        normal = [r.gauss(0, 1) for _ in range(n)]
        cases = {
            "normal": normal, "offset 1e8": [1e8 + x for x in normal],
            "offset 1e15": [1e15 + x for x in normal],
            "1e300": [x * 1e300 for x in normal], "1e-300": [x * 1e-300 for x in normal],
            "extremes": [(1 if i % 3 else -1) * 1.7976931348623157e308 for i in range(n)],
            "subnormal": [round(x * 50) * 5e-324 for x in normal],
            "last bit": [1.0 + (i % 2) * 2 ** -52 for i in range(n)],
            "one apart": [3.0] * (n - 1) + [math.nextafter(3, 4)],
            "small then usual": [1e-300 * x for x in normal[:5000]] + normal[5000:],
            "huge then usual": [1e200 * x for x in normal[:5000]] + normal[5000:],
            "zeros then small": [0.0] * 5000 + [1e-310 * i for i in range(4000)],
            "cancelling": [(1 if i % 2 else -1) * 1e16 + x for i, x in enumerate(normal)],
        }
        ck.write(self.ckpt, {k: ("F64", [len(v)], pack("F64", v)) for k, v in cases.items()})
        rows = stats(self.ckpt)
        for name, values in cases.items():
            mean, std, kurtosis = exact(values)
            row = rows[name]
            with self.subTest(name):
                least = fractions.Fraction(2) ** -1075  # half of the least double
                error = abs(fractions.Fraction(row["mean"]) - mean)
                self.assertLessEqual(
                    error, fractions.Fraction(max(map(abs, values))) / 10 ** 15 + least)
                error = abs(fractions.Fraction(row["std"]) - std)
                self.assertLessEqual(error, std / 10 ** 13 + least)
                self.assertAlmostEqual(row["kurtosis"] / float(kurtosis), 1, delta=1e-9)
                self.assertEqual((row["min"], row["max"]), (min(values), max(values)))

    def test_dtypes(self):
        r = random.Random(7)
        values = {"F32": [struct.unpack("<f", struct.pack("<f", r.gauss(5, 2)))[0]
                          for _ in range(5000)],
                  "F16": [r.randrange(-2000, 2000) / 8 for _ in range(5000)],
                  "I16": [r.randrange(-32768, 32768) for _ in range(5000)],
                  "U64": [r.randrange(2 ** 53) for _ in range(5000)]}
        ck.write(self.ckpt, {d: (d, [50, 100], pack(d, v)) for d, v in values.items()})
        for name, row in stats(self.ckpt).items():
            mean, std, _ = exact(values[name])
            self.assertAlmostEqual(row["mean"] / float(mean), 1, delta=1e-14)
            self.assertAlmostEqual(row["std"] / float(std), 1, delta=1e-14)
            self.assertEqual(row["zeros"], values[name].count(0))
            self.assertEqual(sum(n for _, n in row["histogram"]) + row["zeros"], 5000)

    def test_histogram(self):
        values = [0.75, 0.5, -0.5, 1.0, 0.0, -0.0, 1e-30, -1e30]
        ck.write(self.ckpt, {"w": ("F64", [8], pack("F64", values))})
        self.assertEqual(stats(self.ckpt)["w"]["histogram"],
                         [[0, 1], [7, 1], [32, 1], [56, 2], [57, 1]])

    def test_no_numbers(self):
        ck.write(self.ckpt, {"c": ("C64", [2], bytes(16))})
        row = stats(self.ckpt)["c"]
        self.assertEqual((row["counted"], row["count"], row["mean"], row["values"]),
                         (False, 2, None, True))


def half(x, dtype):
    return struct.unpack(f"<{CODES[dtype]}", struct.pack(f"<{CODES[dtype]}", x))[0]


class WeightNorm(Folder):
    """untrained_norm: g is the norm of v at each kept index."""

    def pair(self, shape, axis, dtype="F32"):
        """v of a shape, and its norms over all but one axis."""
        r, n = random.Random(3), math.prod(shape)
        v = [half(r.gauss(0, 0.3), dtype) for _ in range(n)]
        if axis is None:
            return v, [half(math.sqrt(math.fsum(x * x for x in v)), dtype)]
        inner = math.prod(shape[axis + 1:])
        squares = [[] for _ in range(shape[axis])]
        for i, x in enumerate(v):
            squares[i // inner % shape[axis]].append(x * x)
        return v, [half(math.sqrt(math.fsum(s)), dtype) for s in squares]

    def judge(self, tensors):
        ck.write(self.ckpt, tensors)
        return {n: t["untrained_norm"] for n, t in stats(self.ckpt).items()}

    def test_names_and_axes(self):
        legacy = ("weight_g", "weight_v")
        modern = ("parametrizations.weight.original0", "parametrizations.weight.original1")
        for shape, axis, g_shape, names, dtype in (
                ([6, 5, 7], 0, [6, 1, 1], legacy, "F32"),
                ([6, 5, 7], 1, [1, 5, 1], modern, "F32"),
                ([3000, 300], 0, [3000, 1], modern, "F32"),
                ([4, 3], None, [], legacy, "F64"),
                ([1, 1, 7], 0, [1, 1, 1], legacy, "F32"),
                ([6, 5], 0, [6, 1], legacy, "F16")):
            with self.subTest(f"{shape} {axis} {dtype}"):
                v, g = self.pair(shape, axis, dtype)
                off = list(g)
                off[-1] *= 1.01
                got = self.judge({
                    f"a.{names[0]}": (dtype, g_shape, pack(dtype, g)),
                    f"a.{names[1]}": (dtype, shape, pack(dtype, v)),
                    f"b.{names[0]}": (dtype, g_shape, pack(dtype, off)),
                    f"b.{names[1]}": (dtype, shape, pack(dtype, v))})
                self.assertEqual(got, {f"{m}.{n}": m == "a" for m in "ab" for n in names})

    def test_units_in_the_last_place(self):
        v, g = self.pair([6, 5], 0)
        for away, want in ((0, True), (4, True), (-4, True), (8, False)):
            moved = list(struct.unpack("<6i", pack("F32", g)))
            moved[3] += away
            got = self.judge({"weight_g": ("F32", [6, 1], struct.pack("<6i", *moved)),
                              "weight_v": ("F32", [6, 5], pack("F32", v))})
            self.assertEqual(got, {"weight_g": want, "weight_v": want}, away)

    def test_no_pair(self):
        v, g = self.pair([6, 5], 0)
        good = ("F32", [6, 1], pack("F32", g)), ("F32", [6, 5], pack("F32", v))
        for tensors in (
                {"weight_g": good[0]}, {"weight_v": good[1]},
                {"a.weight_g": good[0], "b.weight_v": good[1]},
                {"my_weight_g": good[0], "my_weight_v": good[1]},
                {"weight_g": ("F32", [3, 2], good[0][2]), "weight_v": good[1]},
                {"weight_g": ("F32", [1, 6], good[0][2]), "weight_v": good[1]},
                {"weight_g": ("I32", [6, 1], good[0][2]), "weight_v": good[1]},
                {"weight_g": ("F32", [0, 1], b""), "weight_v": ("F32", [0, 5], b"")},
                {"weight_g": ("F32", [6, 1], bytes(24)), "weight_v": ("F32", [6, 5], bytes(120))}):
            self.assertNotIn(True, self.judge(tensors).values(), tensors.keys())


class SameBits(Folder):
    """However the bytes come by."""

    def test_threads_and_units(self):
        """More than a unit of 2^19 elements; a pair, which is not cut."""
        size = (1 << 20) + 777
        block = random.Random(1).randbytes(1 << 20)
        data = bytes(b & 0xBF if i % 4 == 3 else b for i, b in enumerate(block[:65536]))
        many = (data * (4 * size // len(data) + 1))[:4 * size]
        ck.write(self.ckpt, {
            "w": ("F32", [size], many), "h": ("BF16", [2 * size], many),
            "b": ("U8", [4 * size], many), "weight_v": ("F32", [size, 1], many),
            "weight_g": ("F32", [size, 1], many), "few": ("F32", [5], many[:20])})
        one = ck.ttswc("stats", "-j1", "--json", self.ckpt)
        self.assertEqual(ck.ttswc("stats", "-j2", "--json", self.ckpt), one)
        self.assertEqual(ck.ttswc("stats", "-j7", "--json", self.ckpt), one)

    def compile(self, spec, ckpt, *more):
        """A compile with statistics; they are those of both files."""
        plain, out = self.dir / "plain.ttsb", self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", spec, ckpt, "-o", plain)
        texts = []
        for jobs in "12":
            ck.ttswc("compile", "-q", f"-j{jobs}", spec, ckpt, "-o", out,
                     f"--stats={self.dir / 'x.json'}", *more)
            self.assertEqual(out.read_bytes(), plain.read_bytes())
            texts.append((self.dir / "x.json").read_text())
        self.assertEqual(texts[0], texts[1])
        both = load(texts[0])
        for side, path in (("sources", ckpt), ("outputs", out)):
            rows, unread = stats(path), []
            self.assertEqual({t["name"] for t in both[side]["tensors"]}, set(rows))
            for row in both[side]["tensors"]:
                if not row["values"] and rows[row["name"]]["values"]:
                    unread.append(row["name"])
                    continue
                del row["group"], rows[row["name"]]["group"]
                self.assertEqual(row, rows[row["name"]])
            yield unread

    def test_compile(self):
        for model, path in (("bigvgan", "bigvgan"), ("gpt", "gpt"), ("s2mel", "s2mel"),
                            ("qwen", "qwen")):
            spec = ck.SPECS / "indextts2" / f"{model}_tiny.yaml"
            if not spec.exists():
                continue
            with self.subTest(model):
                unread, missed = self.compile(
                    spec, ck.FIXTURES / path / f"{model}_tiny.safetensors")
                self.assertEqual(missed, [])
                self.assertEqual(len(unread), 218 if model == "bigvgan" else len(unread))

    def test_features(self):
        """Aliases, an absent output, casts, parts, a packed mask, computed values."""
        unread, missed = self.compile(ck.SPECS / "examples" / "features.yaml",
                                      ck.FIXTURES / "features" / "features.safetensors")
        self.assertEqual((unread, missed), (["pos_ids"], []))

    def test_large_and_empty(self):
        n = 1 << 10
        data = random.Random(2).randbytes(4096).replace(b"\x7f", b"\x3f").replace(b"\xff", b"\xbf")
        ck.write(self.ckpt, {"w": ("F32", [n, n], data * n), "x": ("F32", [n, n], data * n),
                             "none": ("F32", [0, 3], b""),
                             "unread": ("F32", [0], b"")})
        spec = self.dir / "x.yaml"
        spec.write_text("""\
ttsw: 1
model: large
revision: 1
source_dtype: f32
store: {matrix: f32, vector: f32}
layout: [n, out, in]
map:
  - tensors:
      w: transpose(w [in=1024, out=1024]) [out=1024, in=1024]
      x: x [out=1024, in=1024]
      none: none [out=0, in=3]
    drop:
      unread [out=0]: nothing needs it
""")
        unread, missed = self.compile(spec, self.ckpt)
        self.assertEqual((unread, missed), (["unread"], []))

    def test_digests(self):
        """A row's digest is the blob's own."""
        out = self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / "examples" / "features.yaml",
                 ck.FIXTURES / "features" / "features.safetensors", "-o", out)
        wanted = {t["name"]: t["digest"] for t in ck.blob(out)["tensors"]}
        for name, row in stats(out).items():
            self.assertEqual(row["digest"], wanted[name] if row["values"] else None)


class Shown(Folder):
    def write_small(self):
        ck.write(self.ckpt, {
            "a.w": ("F32", [2], pack("F32", [0.5, -0.25])),
            "a.n": ("F32", [3], pack("F32", [math.nan, math.inf, 0.0])),
            "b.\x1b[31m\x7f\u0085": ("F32", [], pack("F32", [1.0]))})

    def test_table(self):
        self.write_small()
        out, _ = ck.ttswc("stats", "--allow", "W0612", self.ckpt)
        self.assertNotIn("\x1b", out)
        self.assertNotIn("\x7f", out)
        self.assertNotIn("\u0085", out)
        self.assertIn('"b.\\u001b[31m??"', out)
        self.assertIn("Total weights: 3 tensors, 24 B, 6 elements, 1 zero, 1 NaN, 1 Inf, "
                      "0 denormal\n", out)
        self.assertEqual(len(out.splitlines()), 5)
        hist, _ = ck.ttswc("stats", "--hist", self.ckpt)
        self.assertIn("        -2^-1 █ -2^-2 | 2^-1 █ 2^0\n", hist)
        self.assertIn("        | 2^0 █ 2^1\n", hist)

    def test_glob(self):
        self.write_small()
        self.assertEqual(set(stats(self.ckpt, "--glob", "a.*")), {"a.w", "a.n"})
        self.assertEqual(set(stats(self.ckpt, "--glob", "a.w", "--glob", "*n")), {"a.w", "a.n"})
        _, err = ck.ttswc("stats", self.ckpt, "--glob", "c.*", code=1)
        self.assertIn("E0707", err)

    def test_shards(self):
        for i in (1, 2):
            ck.write(self.dir / f"model-0000{i}-of-00002.safetensors",
                     {f"w{i}": ("F32", [4], pack("F32", [i, 2, 3, 4]))})
        out, _ = ck.ttswc("stats", "--allow", "W0613", self.dir)
        self.assertIn('-00002.safetensors": 1 tensor, 16 B', out)
        self.assertIn("Total weights: 2 tensors, 32 B", out)
        self.assertEqual(set(stats(self.dir)), {"w1", "w2"})

    def test_alias(self):
        """An alias counts once, also where only aliases are asked for."""
        out = self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / "examples" / "features.yaml",
                 ck.FIXTURES / "features" / "features.safetensors", "-o", out)
        found = load(ck.ttswc("stats", "--json", out)[0])
        rows = {t["name"]: t for t in found["tensors"]}
        self.assertTrue(rows["out.weight"]["alias"])
        self.assertEqual(rows["out.weight"]["mean"], rows["tok.weight"]["mean"])
        self.assertEqual(found["total"]["tensors"], len(rows) - 2)
        self.assertEqual((found["total"]["aliases"], found["total"]["without_values"]), (1, 1))
        self.assertEqual(sum(g["bytes"] for g in found["groups"]), found["total"]["bytes"])
        only = stats(out, "--glob", "out.weight")["out.weight"]
        self.assertFalse(only["alias"])
        self.assertEqual(only["mean"], rows["tok.weight"]["mean"])

    def test_keys_are_ordered(self):
        self.write_small()

        def look(pairs):
            self.assertEqual([k for k, _ in pairs], sorted(k for k, _ in pairs))
            return dict(pairs)
        json.loads(ck.ttswc("stats", "--json", self.ckpt)[0], object_pairs_hook=look)

    def test_classic_rule(self):
        r = random.Random(4)
        ck.write(self.ckpt, {
            "init": ("F32", [64, 64], pack("F32", [r.gauss(0, 0.02) for _ in range(4096)])),
            "other": ("F32", [64, 64], pack("F32", [r.gauss(0, 0.1) for _ in range(4096)]))})
        rows = stats(self.ckpt)
        self.assertEqual([rows[n]["classic_rule"] for n in ("init", "other")], [True, False])
        lines = ck.ttswc("stats", self.ckpt)[0].splitlines()
        self.assertTrue(lines[1].endswith('"init"  N0701'))
        self.assertTrue(lines[2].endswith('"other"'))
        self.assertIn("N0701: 1 with a standard deviation", lines[4])

    def test_damaged(self):
        out = self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / "examples" / "features.yaml",
                 ck.FIXTURES / "features" / "features.safetensors", "-o", out)
        at = next(t["offset"] for t in ck.blob(out)["tensors"] if t["name"] == "head.weight")
        with open(out, "r+b") as file:
            file.seek(at)
            byte = file.read(1)
            file.seek(at)
            file.write(bytes([byte[0] ^ 1]))
        text, err = ck.ttswc("stats", out, code=1)
        self.assertEqual(text, "")
        self.assertIn("error[E0706]: `head.weight` is damaged", err)

    def test_usage(self):
        self.write_small()
        ck.ttswc("stats", self.ckpt, "--allow", "W0612")
        for bad in ("W0699", "E0404", "NaN", ""):
            ck.ttswc("stats", self.ckpt, "--allow", bad, code=2)
        ck.ttswc("stats", code=2)
        ck.ttswc("stats", self.dir / "none", code=3)


SMALL = """\
ttsw: 1
model: small
revision: 1
source_dtype: f32
store: {matrix: f32, vector: f32}
layout: [out, in]
map:
  - tensors:
      w: w [out=2, in=2]
"""


class Compile(Folder):
    def setUp(self):
        super().setUp()
        (self.dir / "x.yaml").write_text(SMALL)
        ck.write(self.ckpt, {"w": ("F32", [2, 2], pack("F32", [1.5, -2.0, 0.25, 4.0]))})

    def go(self, *more, code=0):
        return ck.ttswc("compile", "x.yaml", "x.safetensors", "-o", "x.ttsb", *more,
                        cwd=self.dir, code=code)

    def test_printed(self):
        out, _ = self.go("--stats")
        line = "1 tensor, 16 B, 4 elements, 0 zero, 0 NaN, 0 Inf, 0 denormal\n"
        self.assertTrue(out.endswith(f"sources: {line}outputs: {line}"
                                     "suspicions: 0 of sources, 0 of outputs\n"), out)
        self.assertEqual(self.go("-q", "--stats")[0], "")
        self.assertNotIn("sources: ", self.go()[0])

    def test_written(self):
        out, _ = self.go("--stats=x.json")
        self.assertNotIn("sources: ", out)
        found = load((self.dir / "x.json").read_text())
        self.assertEqual(list(found), ["outputs", "sources"])
        self.assertEqual(found["sources"]["path"], "x.safetensors")
        self.assertEqual(found["outputs"]["path"], "x.ttsb")
        self.assertEqual(found["sources"]["tensors"][0]["mean"], 0.9375)

    def test_never_over_a_file_of_the_run(self):
        for name in ("x.yaml", "x.safetensors", "x.ttsb", "./x.ttsb", "x.map"):
            before = {f: (self.dir / f).read_bytes() for f in sorted(os.listdir(self.dir))}
            _, err = self.go(f"--stats={name}", "--map", "x.map", code=3)
            self.assertIn("E0704", err)
            after = {f: (self.dir / f).read_bytes() for f in sorted(os.listdir(self.dir))}
            self.assertEqual(before, after)
        self.go("--stats=no/such", code=3)

    def test_if_changed(self):
        """The file counts as an output."""
        for path in (self.dir / "x.yaml", self.ckpt):
            os.utime(path, (1, 1))
        now = ("--if-changed", "--stats=x.json")
        time.sleep(2.1)  # a stamp believes nothing younger
        self.assertIn("wrote", self.go(*now)[0])
        self.assertEqual(self.go(*now)[0], "x.ttsb: up to date\n")
        self.assertIn("wrote", self.go("--if-changed", "--stats=y.json")[0])
        self.assertIn("wrote", self.go(*now)[0])
        (self.dir / "x.json").unlink()
        self.assertIn("wrote", self.go(*now)[0])
        self.assertEqual(self.go(*now)[0], "x.ttsb: up to date\n")
        (self.dir / "x.json").write_text("{}")
        self.assertIn("wrote", self.go(*now)[0])

    def test_failed(self):
        ck.write(self.ckpt, {"w": ("F32", [2, 2], pack("F32", [1.5, math.nan, 0.25, 4.0]))})
        out, err = self.go("--stats=x.json", code=1)
        self.assertIn("E0603", err)
        self.assertFalse((self.dir / "x.json").exists())
        self.assertEqual(out, "")


class Places(Folder):
    """A suspicion is said of the file that holds the tensor."""

    def test_the_file_of_several(self):
        rng = random.Random(3)
        values = struct.pack("<64f", *(rng.gauss(0, 1) for _ in range(64)))
        ck.write(self.dir / "a.safetensors", {"a": ("F32", [8, 8], values)})
        ck.write(self.dir / "b.safetensors", {"b": ("F32", [8, 8], bytes(256))})
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
            "layout: [out, in]\nsources: {one: {}, two: {}}\nmap:\n"
            "  - source: one\n    tensors:\n      a: a [out=8, in=8]\n"
            "  - source: two\n    tensors:\n      b: b [out=8, in=8]\n")
        wanted = "b.safetensors: warning[W0611]: `b` is all zero"
        for args in (["stats", "a.safetensors", "b.safetensors"],
                     ["compile", "s.yaml", "--source", "one=a.safetensors", "--source",
                      "two=b.safetensors", "-o", "m.ttsb", "--stats"]):
            err = ck.ttswc(*args, cwd=self.dir)[1]
            self.assertEqual([line for line in err.splitlines() if "W0611" in line],
                             [wanted + ": 64 elements"], err)


if __name__ == "__main__":
    unittest.main()

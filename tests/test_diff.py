#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc diff: figures against fixtures/diff/expected.json, what is said of bytes
and what is not said once one element speaks against it, exit codes, archives."""
import itertools
import json
import math
import pathlib
import random
import re
import struct
import subprocess
import tempfile
import unittest
import zipfile

import checkpoints as ck
import npz_lies
from indextts2 import given, tiny

CASES = ck.FIXTURES / "diff"
EXPECTED = json.loads((CASES / "expected.json").read_text())
GPT = ck.FIXTURES / "gpt" / "gpt_tiny.safetensors"
GPT_SPEC = ck.SPECS / "indextts2" / "gpt_tiny.yaml"
FIGURES = ("max_abs", "mean_abs", "rmse", "cosine", "argmax_abs")
CODES = {"F32": "f", "F64": "d", "F16": "e", "I32": "i", "I64": "q"}


def tensor(values, shape=None, dtype="F32"):
    return (dtype, shape or [len(values)],
            struct.pack(f"<{len(values)}{CODES[dtype]}", *values))


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def noise(n, seed=1):
    r = random.Random(seed)
    return [f32(r.gauss(0, 1)) for _ in range(n)]


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def write(self, name, tensors):
        ck.write(self.dir / name, tensors)
        return self.dir / name

    def diff(self, *args, code):
        return ck.ttswc("diff", *args, cwd=self.dir, code=code)[0]

    def json(self, *args, code):
        return json.loads(self.diff("--json", *args, code=code))

    def pair(self, a, b, *args, code=1):
        """The JSON of two files of these tensors."""
        return self.json(self.write("a.safetensors", a),
                         self.write("b.safetensors", b), *args, code=code)

    def facts(self, a, b, shape=None, dtype="F32"):
        """Kinds of what is proven of two tensors with these values."""
        shapes = shape if isinstance(shape, tuple) else (shape, shape)
        found = self.pair({"x": tensor(a, shapes[0], dtype)},
                          {"x": tensor(b, shapes[1], dtype)})
        return [f["kind"] for f in found["tensors"][0]["facts"]]


class Fixtures(Folder):
    def check_figures(self, got, expected):
        for key in FIGURES:
            if expected[key] is None or key in ("max_abs", "argmax_abs"):
                self.assertEqual(got[key], expected[key], key)
            else:
                self.assertTrue(math.isclose(got[key], expected[key],
                                             rel_tol=1e-12, abs_tol=1e-300),
                                (key, got[key], expected[key]))

    def test_cases(self):
        self.assertEqual(len(EXPECTED["cases"]), 8)
        for name, case in EXPECTED["cases"].items():
            names = case["only_in_a"] + case["only_in_b"] + case["shape_differs"]
            bad = case["first_over_tolerance"] is not None or names
            got = self.json("--atol", EXPECTED["suggested_tolerance_max_abs"],
                            CASES / case["a"], CASES / case["b"],
                            code=1 if bad else 0)
            with self.subTest(name):
                self.assertEqual(got["first_over"], case["first_over_tolerance"])
                self.assertEqual(got["differ"], bool(bad))
                by = {v: [t for t in got["tensors"] if t["verdict"] == v]
                      for v in ("removed", "added", "renamed", "shape")}
                self.assertEqual([t["name"] for t in by["removed"] + by["renamed"]],
                                 case["only_in_a"])
                self.assertEqual([t["b"]["name"] for t in by["added"] + by["renamed"]],
                                 case["only_in_b"])
                self.assertEqual([t["name"] for t in by["shape"]],
                                 case["shape_differs"])
                order = [t["name"] for t in got["tensors"] if t["a"]]
                self.assertEqual(order, [n for n in EXPECTED["order"] if n in order])
                measured = {t["name"]: t["metrics"] for t in got["tensors"]}
                for key, expected in case["tensors"].items():
                    self.check_figures(measured[key], expected)

    def test_arrays(self):
        pairs = [(c["npy"]["a"], c["npy"]["b"], c["npy"])
                 for c in EXPECTED["cases"].values() if "npy" in c]
        pairs += [(e["against"], b, e) for b, e in EXPECTED["npy_extra"].items()]
        self.assertEqual(len(pairs), 9)
        for a, b, expected in pairs:
            same = expected["max_abs"] == 0 and "f64" not in b
            got = self.json(CASES / a, CASES / b, code=0 if same else 1)
            with self.subTest(b):
                self.assertEqual(len(got["tensors"]), 1)
                self.check_figures(got["tensors"][0]["metrics"], expected)

    def test_what_is_said(self):
        def said(case):
            c = EXPECTED["cases"][case]
            got = self.json(CASES / c["a"], CASES / c["b"], code=1)
            return {t["name"]: [f["kind"] for f in t["facts"]]
                    for t in got["tensors"] if t["facts"]}

        self.assertEqual(said("transposed_activation"), {"h.7": ["transposed"]})
        self.assertEqual(said("bf16"), {n: ["rounded"] for n in EXPECTED["order"]})
        for case in ("transposed_weight", "swapped_layers", "within_tol", "nan"):
            self.assertEqual(said(case), {}, case)

    def test_effective_weights(self):
        """Torch's 48 transposed Conv1D, 12 of them square, and nothing else."""
        got = self.json(GPT, GPT.with_name("gpt_tiny.effective.safetensors"), code=1)
        bad = [t for t in got["tensors"] if t["verdict"] != "equal"]
        self.assertEqual(len(bad), 48)
        for t in bad:
            self.assertEqual([f["kind"] for f in t["facts"]], ["transposed"])

    def test_shards(self):
        whole = ck.FIXTURES / "w2vbert" / "w2vbert_tiny.safetensors"
        tensors = ck.read(whole)
        names = sorted(tensors)
        half = len(names) // 2
        (self.dir / "shards").mkdir()
        for i, part in enumerate((names[:half], names[half:])):
            ck.write(self.dir / "shards" / f"model-{i + 1:05}-of-00002.safetensors",
                     {n: tensors[n] for n in part})
        index = {"metadata": {}, "weight_map": {
            n: f"model-{(i >= half) + 1:05}-of-00002.safetensors"
            for i, n in enumerate(names)}}
        (self.dir / "shards" / "model.safetensors.index.json").write_text(
            json.dumps(index))
        self.assertIn(f"{len(names)} tensors: {len(names)} equal",
                      self.diff(whole, self.dir / "shards", code=0))


class Facts(Folder):
    """Each statement where it is true, and not where one element is another."""

    def check(self, kind, a, b, shape=None, dtype="F32"):
        self.assertEqual(self.facts(a, b, shape, dtype), [kind])
        for at in (0, len(b) // 2, len(b) - 1):
            off = list(b)
            off[at] = off[at] + 1000
            self.assertNotIn(kind, self.facts(a, off, shape, dtype), at)

    def test_axes(self):
        a = noise(60)
        transposed = [a[i * 10 + j] for j in range(10) for i in range(6)]
        self.check("transposed", a, transposed, ([6, 10], [10, 6]))
        for dims in ((3, 4, 5), (2, 3, 2, 5)):
            for order in itertools.permutations(range(len(dims))):
                if list(order) == sorted(order):
                    continue
                there = [dims[k] for k in order]
                strides = [math.prod(dims[k + 1:]) for k in order]
                b = [a[sum(i * s for i, s in zip(at, strides))]
                     for at in itertools.product(*map(range, there))]
                got = self.pair({"x": tensor(a, list(dims))}, {"x": tensor(b, there)})
                facts = got["tensors"][0]["facts"]
                self.assertEqual([f["kind"] for f in facts], ["permuted"], order)
                self.assertIn(f"permute({', '.join(map(str, order))})",
                              facts[0]["text"])

    def test_reversed(self):
        a = noise(60)
        self.check("reversed", a, [x for i in range(5, -1, -1)
                                   for x in a[i * 10:i * 10 + 10]], [6, 10])
        self.check("reversed", a, [x for i in range(6)
                                   for x in a[i * 10:i * 10 + 10][::-1]], [6, 10])

    def test_ranges(self):
        a = noise(72)
        self.check("ranges_swapped", a, a[24:48] + a[:24] + a[48:], [18, 4])
        rows = [a[i:i + 12] for i in range(0, 72, 12)]  # along the last axis
        self.check("ranges_swapped", a,
                   [x for r in rows for x in r[6:] + r[:6]], [6, 12])
        got = self.pair({"x": tensor(a)}, {"x": tensor(a[48:] + a[24:48] + a[:24])})
        self.assertIn("0..24 and 48..72", got["tensors"][0]["facts"][0]["text"])

    def test_computed(self):
        a = noise(50)
        self.check("negated", a, [-x for x in a])
        self.check("plus_one", a, [f32(x + 1) for x in a])
        self.check("minus_one", a, [f32(x - 1) for x in a])
        for c in (0.125, 0.1, -3.0, 1 / math.sqrt(64), math.pi, 1e-3):
            self.check("factor", a, [f32(x * c) for x in a])
        got = self.pair({"x": tensor(a)}, {"x": tensor([f32(x * 0.1) for x in a])})
        self.assertIn("times 0.1:", got["tensors"][0]["facts"][0]["text"])
        # One value has many factors; that says nothing.
        self.assertEqual(self.facts([1.5], [3.0]), [])
        self.assertEqual(self.facts([0.0] * 9 + [1.5], [0.0] * 9 + [3.0]), [])
        self.assertEqual(self.facts(a, [x * x for x in a]), [])
        for b in ([-1.5], [2.5], [0.5]):
            self.assertEqual(self.facts([1.5], b), [])

    def test_rounded(self):
        a = noise(50)

        def bf16(x, up=True):
            n = struct.unpack("<I", struct.pack("<f", x))[0]
            n += 0x7fff + (n >> 16 & 1) if up else 0
            return struct.unpack("<f", struct.pack("<I", n & 0xffff0000))[0]

        def f16(x):
            return struct.unpack("<e", struct.pack("<e", x))[0]

        self.check("rounded", a, [bf16(x) for x in a])
        self.check("truncated", a, [bf16(x, False) for x in a])
        self.check("rounded", a, [f16(x) for x in a])
        got = self.pair({"x": tensor([f16(x) for x in a])}, {"x": tensor(a)})
        self.assertIn("A equals B rounded to f16", got["tensors"][0]["facts"][0]["text"])
        got = self.pair({"x": tensor(a)}, {"x": tensor(a, None, "F16")})
        self.assertIn("B equals A rounded to f16", got["tensors"][0]["facts"][0]["text"])
        self.assertEqual(got["tensors"][0]["metrics"]["ulp_of"], "f16")
        self.assertEqual(got["tensors"][0]["metrics"]["max_ulp"], 0)

    def test_reshaped(self):
        a = noise(12)
        got = self.pair({"x": tensor(a, [12, 1])}, {"x": tensor(a)})
        self.assertEqual(got["tensors"][0]["verdict"], "shape")
        self.assertEqual([f["kind"] for f in got["tensors"][0]["facts"]], ["reshaped"])

    def test_swapped(self):
        a = {f"h.{i}.attn.{n}.{k}": tensor(noise(16, hash((i, j, k == "w"))), [4, 4])
             for i in range(4) for j, n in enumerate("qkv") for k in ("w", "b")}
        b = dict(a)
        for k in ("w", "b"):
            q, v = f"h.2.attn.q.{k}", f"h.2.attn.k.{k}"
            b[q], b[v] = a[v], a[q]
        got = self.pair(a, b)
        self.assertEqual([f["kind"] for f in got["facts"]], ["swapped"])
        self.assertIn("h.2.attn.k and h.2.attn.q are swapped: 2 pairs",
                      got["facts"][0]["text"])
        layers = dict(a)
        for name in a:
            if name.startswith("h.0."):
                other = name.replace("h.0.", "h.3.")
                layers[name], layers[other] = a[other], a[name]
        got = self.pair(a, layers)
        self.assertIn("h.0 and h.3 are swapped: 6 pairs", got["facts"][0]["text"])
        copied = dict(a, **{"h.1.attn.q.w": a["h.0.attn.q.w"]})
        got = self.pair(a, copied)
        item = [t for t in got["tensors"] if t["facts"]]
        self.assertEqual([t["name"] for t in item], ["h.1.attn.q.w"])
        self.assertIn("B has here what A has as h.0.attn.q.w", item[0]["facts"][0]["text"])


class Structure(Folder):
    def test_verdicts(self):
        a = {"gone": tensor(noise(3, 1)), "old": tensor(noise(4, 2)),
             "same": tensor(noise(5, 3)), "typed": tensor([1.0, 2.0])}
        b = {"new": a["old"], "more": tensor(noise(3, 9)), "same": a["same"],
             "typed": tensor([1.0, 2.0], None, "F64")}
        got = self.pair(a, b)
        self.assertEqual({t["name"]: t["verdict"] for t in got["tensors"]},
                         {"gone": "removed", "more": "added", "old": "renamed",
                          "same": "equal", "typed": "dtype"})
        renamed = [t for t in got["tensors"] if t["verdict"] == "renamed"]
        self.assertEqual(renamed[0]["b"]["name"], "new")

    def test_renamed_only_if_unique(self):
        one = tensor(noise(4))
        got = self.pair({"a": one, "b": one}, {"c": one})
        self.assertEqual({t["verdict"] for t in got["tensors"]}, {"removed", "added"})
        got = self.pair({"a": one}, {"c": one, "d": one})
        self.assertEqual({t["verdict"] for t in got["tensors"]}, {"removed", "added"})
        got = self.pair({"a": one}, {"c": tensor(noise(4), [2, 2])})
        self.assertEqual({t["verdict"] for t in got["tensors"]}, {"removed", "added"})

    def test_dtype_alone(self):
        """Without a tolerance another dtype differs; with one, values decide."""
        a = self.write("a.safetensors", {"x": tensor([1.0, 2.0])})
        b = self.write("b.safetensors", {"x": tensor([1.0, 2.0], None, "F16")})
        self.diff(a, b, code=1)
        self.diff("--ulp", 0, a, b, code=1)
        self.diff("--ulp", 1, a, b, code=0)

    def test_values_decide_for_another_dtype(self):
        """What rounds to the same f16 is not thereby within --atol."""
        a = self.write("a.safetensors", {"x": tensor([1.0001, 2.0])})
        b = self.write("b.safetensors", {"x": tensor([1.0, 2.0], None, "F16")})
        for args, code in ((["--atol", 1e-9], 1), (["--atol", 2e-4], 0),
                           (["--rtol", 1e-9], 1), (["--ulp", 1], 0)):
            self.diff(*args, a, b, code=code)

    def test_exit_codes(self):
        a = self.write("a.safetensors", {"x": tensor([1.0, 100.0])})
        b = self.write("b.safetensors", {"x": tensor([1.0, 100.5])})
        for args, code in ((["--atol", 0.5], 0), (["--atol", 0.499], 1),
                           (["--rtol", 0.005], 0), (["--rtol", 0.0049], 1),
                           (["--ulp", 65536], 0), (["--ulp", 65535], 1), ([], 1),
                           (["--glob", "y"], 1)):
            self.diff(*args, a, b, code=code)
        self.diff(a, a, code=0)
        for args in ([a], [a, b, a], [a, GPT_SPEC], ["--atol", "-1", a, b],
                     ["--atol", "nan", a, b], ["--source", "x=y", a, b],
                     ["--spec", GPT_SPEC, a]):
            self.diff(*args, code=2)
        self.diff(a, self.dir / "none", code=3)

    def test_glob(self):
        a = {"h.0.w": tensor([1.0]), "h.1.w": tensor([1.0])}
        got = self.pair(a, dict(a, **{"h.1.w": tensor([2.0])}), "--glob", "h.0.*",
                        code=0)
        self.assertEqual([t["name"] for t in got["tensors"]], ["h.0.w"])

    def test_no_control_characters(self):
        name = "h\x1b[31m\x9b\n"
        a = self.write("a.safetensors", {name: tensor([1.0]), "b" + name: tensor([2.0])})
        b = self.write("b.safetensors", {name: tensor([2.0])})
        out = self.diff(a, b, code=1)
        self.assertNotRegex(out, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")
        self.assertIn("h?[31m??", out)

    def test_threads(self):
        b = dict(ck.read(GPT))
        for name in list(b)[::3]:
            dtype, shape, data = b[name]
            b[name] = (dtype, shape, data[::-1])
        b = self.write("b.safetensors", b)
        one = self.diff("-j1", "--json", GPT, b, code=1)
        self.assertEqual(one, self.diff("-j8", "--json", GPT, b, code=1))

    def test_many_blocks(self):
        n = 100_003
        a = noise(n)
        b = [f32(x * (1 + 1e-6 * (i % 7))) for i, x in enumerate(a)]
        b[n - 1] = a[n - 1] + 50
        got = self.pair({"x": tensor(a)}, {"x": tensor(b)})["tensors"][0]["metrics"]
        b = [f32(x) for x in b]
        differences = [abs(x - y) for x, y in zip(a, b)]
        self.assertEqual(got["max_abs"], max(differences))
        self.assertEqual(got["argmax_abs"], n - 1)
        self.assertEqual(got["different"], sum(d > 0 for d in differences))
        self.assertTrue(math.isclose(got["mean_abs"], math.fsum(differences) / n,
                                     rel_tol=1e-14))
        self.assertTrue(math.isclose(
            got["rmse"], math.sqrt(math.fsum(d * d for d in differences) / n),
            rel_tol=1e-13))
        self.assertEqual(sum(bin["count"] for bin in got["ulp"]), n)

    def test_opaque(self):
        a = {"x": ("F8_E4M3", [4], b"\1\2\3\4")}
        got = self.pair(a, {"x": ("F8_E4M3", [4], b"\1\2\3\5")}, "--atol", "9")
        self.assertEqual(got["tensors"][0]["metrics"]["over"], 1)
        self.assertEqual(got["tensors"][0]["metrics"]["max_abs"], None)
        self.pair(a, a, code=0)


class Arrays(Folder):
    def test_archives(self):
        tensors = {n: t for n, t in ck.read(CASES / "same.a.safetensors").items()}
        arrays = {f"{n}.npy": npz_lies.npy(shape=str(tuple(s)), data=data)
                  for n, (_, s, data) in tensors.items()}
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            path = self.dir / "x.npz"
            path.write_bytes(npz_lies.npz(arrays, method))
            got = self.json(path, CASES / "same.b.safetensors", code=0)
            self.assertEqual(len(got["tensors"]), 14)
            self.assertEqual(got["a"]["format"], "npz")
            got = self.json(path, CASES / "nan.b.safetensors", code=1)
            self.assertEqual(got["first_over"], "h.9")
            found = [t for t in got["tensors"] if t["name"] == "h.9"]
            self.assertEqual(found[0]["metrics"]["first"], 37)

    def test_streamed_archive(self):
        """Sizes behind the data and in 64 bits, as numpy writes to a pipe."""
        data = npz_lies.npy(shape="(40000,)", data=struct.pack("<40000f", *noise(40000)))
        other = self.write("a.safetensors", {"x": ("F32", [40000], data[-160000:])})

        class Pipe:
            def __init__(self, file):
                self.file = file

            def write(self, part):
                return self.file.write(part)

            def flush(self):
                self.file.flush()

        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            with open(self.dir / "x.npz", "wb") as file:
                with zipfile.ZipFile(Pipe(file), "w", method) as z:
                    with z.open("x.npy", "w", force_zip64=True) as member:
                        member.write(data)
            self.diff(self.dir / "x.npz", other, code=0)

    def test_damaged_values(self):
        """Behind the header's block, where opening does not look."""
        values = b"".join(struct.pack("<f", x) for x in noise(50000))
        for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            data = npz_lies.npz({"x.npy": npz_lies.npy(shape="(50000,)", data=values)},
                                method)
            (self.dir / "good.npz").write_bytes(data)
            at = 150_000
            (self.dir / "x.npz").write_bytes(
                npz_lies.patch(data, at, bytes([data[at] ^ 1])))
            for pair in (("x.npz", "good.npz"), ("good.npz", "x.npz")):
                out, err = ck.ttswc("diff", *pair, cwd=self.dir, code=1)
                self.assertIn("x.npz: byte 0: error[E0711]: the packed bytes of x "
                              "are damaged", err)
                self.assertEqual(out, "")

    def test_fortran(self):
        """Three axes in an archive, both orders."""
        values = list(range(24))
        at = {(i, j, k): i * 12 + j * 4 + k for i in range(2) for j in range(3)
              for k in range(4)}
        turned = [values[at[i, j, k]] for k in range(4) for j in range(3)
                  for i in range(2)]
        c = npz_lies.npy("'<i4'", shape="(2, 3, 4)", data=struct.pack("<24i", *values))
        f = npz_lies.npy("'<i4'", "True", "(2, 3, 4)", struct.pack("<24i", *turned))
        (self.dir / "c.npz").write_bytes(npz_lies.npz({"x.npy": c}))
        (self.dir / "f.npz").write_bytes(
            npz_lies.npz({"x.npy": f}, zipfile.ZIP_DEFLATED))
        self.diff("c.npz", "f.npz", code=0)
        (self.dir / "g.npy").write_bytes(npz_lies.npy(
            "'<i4'", shape="(2, 3, 4)", data=struct.pack("<24i", *turned)))
        self.diff("c.npz", "g.npy", code=1)

    def test_lies(self):
        for name, (file, data, message) in npz_lies.LIES.items():
            (self.dir / file).write_bytes(data)
            out, err = ck.ttswc("diff", file, file, cwd=self.dir, code=1)
            with self.subTest(name):
                self.assertIn("E0711", err)
                self.assertIn(message, err)
                self.assertEqual(out, "")

    def test_cut_anywhere(self):
        """Any cut is refused, and never anything worse."""
        whole = npz_lies.PACKED
        for n in range(4, len(whole), 3):
            (self.dir / "x.npz").write_bytes(whole[:n])
            _, err = ck.ttswc("diff", "x.npz", "x.npz", cwd=self.dir, code=1)
            self.assertIn("E0711", err)

    def test_any_byte(self):
        """A changed byte is refused or changes nothing that is read."""
        whole = npz_lies.PACKED
        (self.dir / "good.npz").write_bytes(whole)
        for n in range(0, len(whole), 2):
            data = npz_lies.patch(whole, n, bytes([whole[n] ^ 0x55]))
            (self.dir / "x.npz").write_bytes(data)
            done = subprocess.run([ck.TTSWC, "diff", "x.npz", "good.npz"],
                                  cwd=self.dir, capture_output=True, text=True)
            self.assertIn(done.returncode, (0, 1), (n, done.stderr))


class Blobs(Folder):
    def test_through_the_spec(self):
        ck.ttswc("compile", "-q", GPT_SPEC, GPT, "-o", self.dir / "x.ttsb")
        got = self.json("--spec", GPT_SPEC, "x.ttsb", GPT, code=0)
        self.assertEqual(len(got["tensors"]), 537)
        self.assertEqual({t["verdict"] for t in got["tensors"]}, {"equal"})
        self.assertTrue(all(t["metrics"]["count"] == math.prod(t["a"]["shape"])
                            for t in got["tensors"]))
        changed = dict(ck.read(GPT))
        dtype, shape, data = changed["gpt.h.3.attn.c_attn.weight"]
        # [in=12, out=36]: element [5, 14] is k's [2, 5].
        at = (5 * 36 + 14) * 4
        value = struct.unpack_from("<f", data, at)[0]
        changed["gpt.h.3.attn.c_attn.weight"] = (
            dtype, shape, npz_lies.patch(data, at, struct.pack("<f", value + 0.25)))
        b = self.write("b.safetensors", changed)
        got = self.json("--spec", GPT_SPEC, "x.ttsb", b, code=1)
        bad = [t for t in got["tensors"] if t["verdict"] != "equal"]
        self.assertEqual([t["name"] for t in bad], ["h.3.attn.k.weight"])
        self.assertEqual(bad[0]["first_over_index"], [2, 5])
        self.diff("--spec", GPT_SPEC, "--atol", "0.3", "x.ttsb", b, code=0)
        self.diff("--spec", GPT_SPEC, "--glob", "h.2.*", "x.ttsb", b, code=0)
        self.assertEqual(sorted(p.name for p in self.dir.iterdir()),
                         ["b.safetensors", "x.ttsb"])

    def test_folded_norms_and_several_sources(self):
        spec = ck.SPECS / "indextts2" / "pipeline_tiny.yaml"
        ck.ttswc("compile", "-q", spec, *given(tiny), "-o", self.dir / "x.ttsb")
        out = self.diff("--spec", spec, "x.ttsb", *given(tiny), code=0)
        self.assertRegex(out, r"(\d+) tensors: \1 equal")

    def test_another_spec(self):
        ck.ttswc("compile", "-q", GPT_SPEC, GPT, "-o", self.dir / "x.ttsb")
        spec = ck.SPECS / "indextts2" / "bigvgan_tiny.yaml"
        _, err = ck.ttswc("diff", "--spec", spec, "x.ttsb", GPT, cwd=self.dir, code=1)
        self.assertIn("E0709", err)
        _, err = ck.ttswc("diff", "--spec", GPT_SPEC, GPT, GPT, cwd=self.dir, code=1)
        self.assertIn("E0706", err)

    def test_blob_and_export(self):
        ck.ttswc("compile", "-q", GPT_SPEC, GPT, "-o", self.dir / "x.ttsb")
        ck.ttswc("export", "-q", self.dir / "x.ttsb", "-o", self.dir / "x.safetensors")
        self.diff("x.ttsb", "x.safetensors", code=0)


class Specs(Folder):
    def edit(self, *edits):
        """The GPT's spec with texts replaced, each at least once."""
        folder = self.dir / "indextts2"
        if not folder.exists():
            subprocess.run(["cp", "-r", GPT_SPEC.parent, self.dir], check=True)
            subprocess.run(["cp", "-r", ck.SPECS / "common", self.dir], check=True)
        for name, old, new in edits:
            text = (GPT_SPEC.parent / name).read_text()
            self.assertIn(old, text)
            path = folder / name
            path.chmod(0o644)
            path.write_text(text.replace(old, new))
        return folder / "gpt_tiny.yaml"

    def test_same(self):
        out = self.diff(GPT_SPEC, GPT_SPEC, code=0)
        self.assertIn("the same contract id", out)
        other = self.edit(("gpt_body.yaml", "# ", "#  "))
        self.assertIn("the same sources", self.diff(GPT_SPEC, other, code=0))

    def test_folded_exactly(self):
        other = self.edit(
            ("gpt_body.yaml", "mlp.down.weight: transpose(mlp.c_proj.weight",
             "mlp.below.weight: transpose(mlp.c_proj.weight"),
            ("gpt_tiny.yaml", "revision: 1", "revision: 2"))
        got = self.json(GPT_SPEC, other, code=1)
        self.assertEqual(got["changes"], [
            {"a": "1", "b": "2", "count": 1, "names": "indextts2_gpt_tiny",
             "what": "revision"},
            {"a": "h.{i}.mlp.down.weight", "b": "h.{i}.mlp.below.weight",
             "count": 12, "names": "h.{0..11}.mlp.down.weight", "what": "renamed"}])
        self.assertFalse(got["same_contract"])
        self.assertTrue(got["same_sources"])

    def test_value_and_source(self):
        other = self.edit(
            ("gpt_body.yaml", "attn.out.bias:   attn.c_proj.bias",
             "attn.out.bias:   attn.proj.bias"))
        got = self.json(GPT_SPEC, other, code=1)
        self.assertTrue(got["same_contract"])
        self.assertFalse(got["same_sources"])
        self.assertEqual(
            [(c["what"], c["names"], c["count"], c["a"] == "", c["b"] == "")
             for c in got["changes"]],
            [("value", "h.{0..11}.attn.out.bias", 12, False, False),
             ("source", "gpt.h.{0..11}.attn.c_proj.bias", 12, False, True),
             ("source", "gpt.h.{0..11}.attn.proj.bias", 12, True, False)])
        out = self.diff(GPT_SPEC, other, code=1)
        self.assertIn("A  gpt.h.{i}.attn.c_proj.bias:f32 [out=12] -> "
                      "gpt.h.{i}.attn.proj.bias:f32 [out=12]".replace(" -> ", "\n    B  "),
                      out)

    def test_stores(self):
        other = self.edit(("gpt_tiny.yaml", "store: f32", "store: f16"))
        got = self.json(GPT_SPEC, other, code=1)
        dtypes = [c for c in got["changes"] if c["what"] == "dtype"]
        self.assertEqual(sum(c["count"] for c in dtypes),
                         sum(c["count"] for c in got["changes"]))
        self.assertEqual({(c["a"], c["b"]) for c in dtypes}, {("f32", "f16")})
        names = [c["names"] for c in dtypes]
        self.assertEqual(len(names), len(set(names)))
        self.assertTrue(any(re.fullmatch(r"h\.\{0\.\.11\}\..*", n) for n in names))

    def test_a_broken_one(self):
        bad = self.edit(("gpt_tiny.yaml", "ttsw: 1", "ttsw: 9"))
        _, err = ck.ttswc("diff", GPT_SPEC, bad, code=1)
        self.assertIn("E0106", err)


if __name__ == "__main__":
    unittest.main()

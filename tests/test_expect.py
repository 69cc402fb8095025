#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`expect:`: what probes and golden values catch, on the reduced models.

The expectations are torch's effective weights, moved by hand (moved.py). Each
slip is one that names, shapes and cover let through: the spec with it compiles,
and does not with the expectation."""
import json
import random
import re
import shutil
import struct
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import checkpoints as ck
import probes_again as probes
from shipped_probes import SHIPPED, file_of, wanted
from test_gpt import Gpt
from test_indextts2 import Campplus, S2mel

SPECS = ck.SPECS / "indextts2"


class Model:
    """A reduced model: its folder of specs, and what torch makes of it."""

    def __init__(self, name, fixture, moved):
        self.spec = f"{name}_tiny.yaml"
        folder = ck.FIXTURES / fixture
        self.checkpoint = folder / f"{fixture}_tiny.safetensors"
        self.want = moved(ck.read(folder / f"{fixture}_tiny.effective.safetensors")).want


class Folder(unittest.TestCase):
    """A copy of a model's specs, with an expectation."""
    model = None

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name) / "specs"
        shutil.copytree(SPECS, self.dir)
        self.bare, self.spec = self.dir / self.model.spec, self.dir / "x.yaml"
        text = re.sub(r"(?m)^expect:\n(  .*\n)*", "", self.bare.read_text())
        self.bare.write_text(text)
        self.spec.write_text(text + "expect:\n  - probes: x.probes.json\n")
        probes.write(self.dir / "x.probes.json", self.model.want)

    def edit(self, file, before, after):
        path = self.dir / file
        text = path.read_text()
        self.assertEqual(text.count(before), 1, before)
        path.write_text(text.replace(before, after))

    def compile(self, spec, code=0):
        out = self.dir / "out.ttsb"
        out.unlink(missing_ok=True)
        found = ck.ttswc("compile", spec, self.model.checkpoint, "-o", out, code=code)
        self.assertEqual(out.exists(), code == 0)
        return found

    def data(self, code=0):
        return ck.ttswc("check", "--data", self.spec, self.model.checkpoint, code=code)

    def right(self):
        n = len(self.model.want)
        say = f"expected  {n} of {n} outputs hold what `expect:` says"
        self.assertIn(say, self.compile(self.spec)[0])
        self.assertIn(say, self.data()[0])

    def slips(self, file, before, after):
        """All but the expectation lets it through; what is said of it."""
        self.edit(file, before, after)
        self.compile(self.bare)
        ck.ttswc("check", self.spec, self.model.checkpoint)
        _, err = self.compile(self.spec, code=1)
        self.assertEqual(self.data(code=1)[1], err)
        self.assertEqual(set(re.findall(r"error\[(\w+)\]", err)), {"E0604"})
        return re.findall(r"error\[E0604\]: `(.*?)` does not hold", err), err


class OfGpt(Folder):
    model = Model("gpt", "gpt", Gpt)
    SQUARE = "transpose(attn.c_proj.weight [in=D, out=D]) [out=D, in=D]"

    def test_right(self):
        self.right()

    def test_transposed_square(self):
        names, err = self.slips("gpt_body.yaml", self.SQUARE,
                                "attn.c_proj.weight [out=D, in=D]")
        self.assertEqual(names, ["h.{0..11}.attn.out.weight"])
        self.assertIn("its sum of squares is as expected", err)
        self.assertIn("a square matrix that is transposed", err)

    def test_query_and_key(self):
        names, err = self.slips(
            "gpt_body.yaml", "attn.q.weight: 0..D\n                  "
            "attn.k.weight: D..2*D", "attn.q.weight: D..2*D\n                  "
            "attn.k.weight: 0..D")
        self.assertEqual(sorted(names), ["h.{0..11}.attn.k.weight",
                                         "h.{0..11}.attn.q.weight"])
        self.assertIn("`h.0.attn.q.weight` meets the probes that are expected of "
                      "`h.0.attn.k.weight`", err)
        self.assertIn("`h.0.attn.k.weight` meets the probes that are expected of "
                      "`h.0.attn.q.weight`", err)

    def test_one_added(self):
        names, _ = self.slips("gpt_body.yaml", "ln_1.weight: ln_1.weight [c=D]",
                              "ln_1.weight: offset(ln_1.weight [c=D], 1.0)")
        self.assertEqual(names, ["h.{0..11}.ln_1.weight"])

    def test_stored_narrower(self):
        """Rounding to the stored dtype is allowed for, a slip is not."""
        for dtype in ("f16", "bf16"):
            text = self.spec.read_text()
            self.spec.write_text(text.replace("store: f32", f"store: {dtype}"))
            self.right()
            self.spec.write_text(text)
        for path in (self.bare, self.spec):
            path.write_text(path.read_text().replace("store: f32", "store: bf16"))
        names, _ = self.slips("gpt_body.yaml", self.SQUARE,
                              "attn.c_proj.weight [out=D, in=D]")
        self.assertEqual(names, ["h.{0..11}.attn.out.weight"])

    def test_threads(self):
        self.edit("gpt_body.yaml", self.SQUARE, "attn.c_proj.weight [out=D, in=D]")
        said = {ck.ttswc("check", "--data", "-j", n, self.spec, self.model.checkpoint,
                         code=1) for n in (1, 2, 7)}
        self.assertEqual(len(said), 1)

    def test_another_checkpoint(self):
        """Nothing fits: a few sets in full, the others by name, and one guess."""
        torch = {n: (d, s, bytes(b ^ (i % 4 == 3) << 7 for i, b in enumerate(data)))
                 for n, (d, s, data) in ck.read(self.model.checkpoint).items()}
        path = self.dir / "other.safetensors"
        ck.write(path, torch)
        _, err = ck.ttswc("check", "--data", self.spec, path, code=1)
        self.assertEqual(err.count("error[E0604]"), 9)
        self.assertIn("more the same is to be said", err)


class OfS2mel(Folder):
    model = Model("s2mel", "s2mel", S2mel)

    def test_right(self):
        self.right()

    def test_scale_and_shift(self):
        names, err = self.slips(
            "s2mel_body.yaml", "scale.bias: 0..D\n              shift.bias: D..2*D",
            "scale.bias: D..2*D\n              shift.bias: 0..D")
        self.assertEqual(sorted(names), [
            f"dit.{x}.{part}.bias" for x in (
                "blk.{0..12}.attn_norm", "blk.{0..12}.ffn_norm", "norm")
            for part in ("scale", "shift")])
        self.assertIn("meets the probes that are expected of "
                      "`dit.norm.shift.bias`", err)

    def test_rotary_rows(self):
        text = (self.dir / "s2mel_body.yaml").read_text()
        found = re.search(r"rope_half\(D\.\.2\*D, heads=H\)", text)
        names, _ = self.slips("s2mel_body.yaml", found[0], "D..2*D")
        self.assertEqual(names, ["dit.blk.{0..12}.attn.k.weight"])


class OfCampplus(Folder):
    model = Model("campplus", "campplus", Campplus)

    def test_right(self):
        self.right()

    def test_fold_on_the_wrong_axis(self):
        names, _ = self.slips(
            "common/campplus.yaml", "bn{j}, eps=1e-5)", "bn{j}, eps=1e-5, axis=in)")
        self.assertEqual(names, [f"head.layer{n}.blk.{{0, 1}}.conv{j}.weight"
                                 for n in "12" for j in "12"])

    def test_fold_stored_narrower(self):
        """A fold moves values by a part of themselves: less than other slips."""
        for path in (self.bare, self.spec):
            path.write_text(path.read_text().replace("store: f32", "store: bf16"))
        self.assertIn("store: bf16", self.spec.read_text())
        self.right()
        names, _ = self.slips(
            "common/campplus.yaml", "bn{j}, eps=1e-5)", "bn{j}, eps=1e-5, axis=in)")
        self.assertEqual(names, [f"head.layer{n}.blk.{{0, 1}}.conv{j}.weight"
                                 for n in "12" for j in "12"])


class Shipped(unittest.TestCase):
    def test_files_are_what_the_weights_give(self):
        for spec, fixture, moved in SHIPPED:
            with self.subTest(spec):
                tensors = {n: t for n, t in wanted(fixture, moved).items()}
                self.equal(probes.probes(tensors), json.loads(file_of(spec).read_text()))

    def equal(self, want, have):
        self.assertEqual(have.keys(), want.keys())
        self.assertEqual(set(have["tensors"]), set(want["tensors"]))
        for name, x in want["tensors"].items():
            y = have["tensors"][name]
            self.assertEqual(x["shape"], y["shape"])
            for a, b in zip([x["sumsq"], *x["probes"]], [y["sumsq"], *y["probes"]],
                            strict=True):
                self.assertAlmostEqual(a, b, delta=1e-12 * x["sumsq"] ** 0.5)

    def test_every_output_has_one(self):
        for spec, fixture, _ in SHIPPED:
            checkpoint = fixture.removesuffix(".effective") + ".safetensors"
            out, _ = ck.ttswc("check", "--data", SPECS / f"{spec}.yaml",
                              ck.FIXTURES / checkpoint)
            met, of = re.search(r"expected +(\d+) of (\d+) outputs", out).groups()
            self.assertEqual(met, of)
            self.assertGreater(int(of), 20)


class Generator(unittest.TestCase):
    def test_known_outputs(self):
        """Of SplitMix64 as its author published it, with the state 1234567."""
        self.assertEqual([probes.splitmix(1234567, i) for i in range(5)], [
            6457827717110365317, 3203168211198807973, 9817491932198370423,
            4593380528125082431, 16408922859458223821])

    def test_large_tensor(self):
        """Over many pieces and chunks, 64 probes, another seed; a swap of two
        elements is seen in f32."""
        with tempfile.TemporaryDirectory() as holder:
            folder = Path(holder)
            n = 150001
            x = [((i * i + 7 * i) % 1009 - 504) / 64 for i in range(n)]
            (folder / "s.yaml").write_text(
                "ttsw: 1\nmodel: v\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
                f"layout: [out]\nmap:\n  - tensors:\n      w: w [out={n}]\n"
                "expect:\n  - probes: p.json\n")
            probes.write(folder / "p.json", {"w": ("F32", [n], struct.pack(f"<{n}f", *x))},
                         seed=2 ** 64 - 1, count=64)
            for code in (0, 1):
                ck.write(folder / "c.safetensors",
                         {"w": ("F32", [n], struct.pack(f"<{n}f", *x))})
                _, err = ck.ttswc("check", "--data", "s.yaml", "c.safetensors",
                                  cwd=folder, code=code)
                self.assertEqual("E0604" in err, code == 1)
                x[70000], x[140003] = x[140003], x[70000]


class Damaged(unittest.TestCase):
    def test_files_of_probes(self):
        """Cut anywhere, with bytes changed: read as what it says, or refused."""
        with tempfile.TemporaryDirectory() as holder:
            folder, dice = Path(holder), random.Random(6)
            tensor = ("F32", [2], struct.pack("<2f", 1, 2))
            (folder / "s.yaml").write_text(Values.HEAD.format(store="f32").replace(
                "w: w [out=2, in=3]", "w: w [out=2]").replace(
                "values: g.safetensors", "probes: p.json"))
            ck.write(folder / "c.safetensors", {"w": tensor})
            probes.write(folder / "p.json", {"w": tensor}, count=2)
            good = (folder / "p.json").read_bytes()
            ends = [0, 0]
            for i in range(200):
                data = bytearray(good)
                if i < 60:
                    del data[len(data) * i // 60:]
                else:
                    for _ in range(1 + i % 3):
                        data[dice.randrange(len(data))] = dice.choice(b'0-9.e"[]{}, \xff')
                (folder / "p.json").write_bytes(data)
                done = subprocess.run([ck.TTSWC, "check", "--data", "s.yaml",
                                       "c.safetensors"], cwd=folder, capture_output=True)
                self.assertIn(done.returncode, (0, 1), (data, done.stderr))
                if done.returncode == 1:
                    self.assertRegex(done.stderr, rb"error\[E060[47]\]")
                ends[done.returncode] += 1
            self.assertGreater(ends[1], 100)


class Values(unittest.TestCase):
    """Golden values: tolerances, dtypes, order of what is compared."""
    HEAD = ("ttsw: 1\nmodel: v\nrevision: 1\nsource_dtype: f32\nstore: {store}\n"
            "layout: [out, in]\nmap:\n  - tensors:\n      w: w [out=2, in=3]\n"
            "expect:\n  - values: g.safetensors\n")

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)

    def run_one(self, golden, extra="", store="f32", code=0, stored=None):
        stored = stored or [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
        (self.dir / "s.yaml").write_text(self.HEAD.format(store=store) + extra)
        ck.write(self.dir / "c.safetensors",
                 {"w": ("F32", [2, 3], struct.pack("<6f", *stored))})
        dtype, data = golden
        ck.write(self.dir / "g.safetensors", {"w": (dtype, [2, 3], data)})
        return ck.ttswc("check", "--data", "s.yaml", "c.safetensors", cwd=self.dir,
                        code=code)[1]

    def f32(self, *values):
        return "F32", struct.pack("<6f", *values)

    def test_exact(self):
        self.run_one(self.f32(1, 2, 3, 4, 5, 6))
        err = self.run_one(self.f32(1, 2, 3, 4, 5, 6.0000005), code=1)
        self.assertIn("1 of 6 values differ, first at [1,2]", err)
        self.assertIn("there 6.00000048 is expected, and 6 found", err)

    def test_any_float_is_rounded_to_what_is_stored(self):
        third = 1 / 3
        f64 = "F64", struct.pack("<6d", *([third] * 6))
        as_f32 = [struct.unpack("<f", struct.pack("<f", third))[0]] * 6
        self.run_one(f64, stored=as_f32)
        self.run_one(f64, stored=as_f32, store="f16")
        self.run_one(("F16", struct.pack("<6e", *range(1, 7))))
        self.run_one(("F16", struct.pack("<6e", *([third] * 6))), stored=as_f32, code=1)

    def test_tolerances(self):
        off = self.f32(1, 2, 3, 4, 5, 6.001)
        for extra, code in (("    atol: 0.0011\n", 0), ("    atol: 0.0009\n", 1),
                            ("    rtol: 2e-4\n", 0), ("    rtol: 1e-4\n", 1)):
            self.run_one(off, extra, code=code)
        near = self.f32(1, 2, 3, 4, 5, 6 + 3 * 2 ** -21)
        self.run_one(near, "    ulp: 3\n")
        self.run_one(near, "    ulp: 2\n", code=1)

    def test_ulps_pass_zero(self):
        tiny = struct.unpack("<f", struct.pack("<I", 1))[0]
        stored = [tiny, -tiny, 0, -0.0, 1, 1]
        golden = self.f32(-tiny, tiny, -tiny, 0.0, 1, 1)
        self.run_one(golden, "    ulp: 2\n", stored=stored)
        self.run_one(golden, "    ulp: 1\n", stored=stored, code=1)

    def test_names(self):
        extra = "    tensors: {w: w}\n"
        self.run_one(self.f32(1, 2, 3, 4, 5, 6), extra)
        err = self.run_one(self.f32(1, 2, 3, 4, 5, 6), "    tensors: {w: v}\n", code=1)
        self.assertIn("has no `v`, which `w` is expected to be", err)


class Others(unittest.TestCase):
    """Aliases, ABSENT, MISSING, integers; sidecars."""
    SPEC = """\
ttsw: 1
model: o
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
expect:
  - values: g.safetensors
map:
  - tensors:
      a: a [out=2, in=2]
      b: alias(a)
      c: c [out=2] optional
      i: i i32[out=3]
"""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = Path(holder.name)
        (self.dir / "s.yaml").write_text(self.SPEC)
        self.tensors = {"a": ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 4)),
                        "c": ("F32", [2], struct.pack("<2f", 1, 2)),
                        "i": ("I32", [3], struct.pack("<3i", 1, -2, 3))}
        self.golden = {**self.tensors, "b": self.tensors["a"]}

    def run_all(self, *options, code=0):
        ck.write(self.dir / "c.safetensors", self.tensors)
        ck.write(self.dir / "g.safetensors", self.golden)
        return ck.ttswc("compile", *options, "s.yaml", "c.safetensors", "-o", "o.ttsb",
                        cwd=self.dir, code=code)

    def test_good(self):
        self.assertIn("3 of 3 outputs", self.run_all()[0])

    def test_alias(self):
        self.golden["b"] = ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 5))
        self.assertIn("`b` does not hold", self.run_all(code=1)[1])

    def test_integers(self):
        self.golden["i"] = ("I32", [3], struct.pack("<3i", 1, 2, 3))
        err = self.run_all(code=1)[1]
        self.assertIn("`i`: 1 of 3 values differ, first at [1]", err)
        self.golden["i"] = ("I64", [3], struct.pack("<3q", 1, -2, 3))
        self.assertIn("in another dtype than is expected", self.run_all(code=1)[1])

    def test_absent(self):
        del self.tensors["c"]
        self.assertIn("`c` is ABSENT, and values of it are expected",
                      self.run_all(code=1)[1])
        del self.golden["c"]
        self.run_all()

    def test_missing(self):
        del self.tensors["a"]
        _, err = self.run_all("--allow-partial-weights")
        self.assertEqual(err.count("W0604"), 1)
        self.assertIn("warning[W0604]: 2 targets are MISSING", err)
        for name in "ab":
            self.assertIn(f"  = note: `{name}`\n", err)
        del self.golden["b"]
        _, err = self.run_all("--allow-partial-weights")
        self.assertIn("warning[W0604]: `a` is MISSING", err)

    def test_an_error_elsewhere(self):
        """Other findings of values and those of expectations are said at once."""
        self.tensors["c"] = ("F32", [2], struct.pack("<2f", 1, float("nan")))
        self.golden["i"] = ("I32", [3], struct.pack("<3i", 1, 2, 3))
        err = self.run_all(code=1)[1]
        self.assertIn("error[E0603]", err)
        self.assertIn("error[E0604]: `i`", err)

    def test_inputs_of_the_run(self):
        self.run_all("-MD")
        self.assertIn("g.safetensors", (self.dir / "o.ttsb.d").read_text())
        _, err = ck.ttswc("compile", "s.yaml", "c.safetensors", "-o", "g.safetensors",
                          cwd=self.dir, code=3)
        self.assertIn("cannot write: it is an input of this run", err)

    def test_a_stamp_sees_it(self):
        self.run_all()
        for path in self.dir.glob("o.ttsb*"):
            path.unlink()
        command = ("compile", "--if-changed", "s.yaml", "c.safetensors", "-o", "o.ttsb")
        time.sleep(2.1)          # the time of the last change cannot be set back
        ck.ttswc(*command, cwd=self.dir)
        self.assertIn("up to date", ck.ttswc(*command, cwd=self.dir)[0])
        self.golden["a"] = ("F32", [2, 2], struct.pack("<4f", 1, 2, 3, 5))
        ck.write(self.dir / "g.safetensors", self.golden)
        self.assertIn("`a` does not hold",
                      ck.ttswc(*command, cwd=self.dir, code=1)[1])

    def test_in_no_identity(self):
        self.run_all()
        first = ck.blob(self.dir / "o.ttsb")
        (self.dir / "s.yaml").write_text(self.SPEC.replace(
            "expect:\n  - values: g.safetensors\n", ""))
        self.run_all()
        self.assertEqual(ck.blob(self.dir / "o.ttsb")["root"], first["root"])


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""The values in a blob against what they must be.

BigVGAN: torch's effective weights (after remove_weight_norm) of the real
upstream module, moved here as the spec moves them. Features: computed from
the checkpoint with the standard library alone."""
import math
import pathlib
import struct
import tempfile
import unittest

import xxhash

import checkpoints as ck

BIGVGAN = ck.FIXTURES / "bigvgan"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"


def f32(x):
    return struct.unpack("<f", struct.pack("<f", x))[0]


def ordered(x):
    """binary32 as an integer whose steps are ulps."""
    bits = struct.unpack("<i", struct.pack("<f", x))[0]
    return bits if bits >= 0 else -(bits & 0x7FFFFFFF)


def swap01(data, shape):
    """[a, b, k] to [b, a, k]."""
    a, b, k = shape
    return [data[(i * b + j) * k + m] for j in range(b) for i in range(a)
            for m in range(k)]


class BigVgan(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.dir.cleanup)
        out = pathlib.Path(cls.dir.name)
        specs = ck.SPECS / "indextts2"
        ck.ttswc("compile", specs / "bigvgan_tiny.yaml",
                 BIGVGAN / "bigvgan_tiny.safetensors", "-o", out / "a.ttsb")
        ck.ttswc("compile", specs / "bigvgan_tiny_parametrized.yaml",
                 BIGVGAN / "bigvgan_tiny_parametrized.safetensors",
                 "-o", out / "b.ttsb")
        cls.a, cls.b = ck.blob(out / "a.ttsb"), ck.blob(out / "b.ttsb")
        cls.torch = ck.read(BIGVGAN / "bigvgan_tiny.effective.safetensors")

    def source(self, name):
        """Name in torch's state dict, and what the spec does on the way."""
        p = name.split(".")
        if p[0] == "pre" or name == "post.weight":
            return f"conv_{name}", "fold" if p[1] == "weight" else "copy"
        if p[0] == "post":
            return f"activation_post.act.{p[1]}", "exp"
        if p[0] == "up":
            return f"ups.{p[1]}.0.{p[2]}", "swap" if p[2] == "weight" else "copy"
        block = f"resblocks.{3 * int(p[1]) + int(p[2])}"
        if p[3] == "act":
            return f"{block}.activations.{p[4]}.act.{p[5]}", "exp"
        return (f"{block}.convs{p[3][4]}.{p[4]}.{p[5]}",
                "fold" if p[5] == "weight" else "copy")

    def test_equal_to_torch(self):
        worst = {"fold": 0, "swap": 0, "exp": 0}
        for name, (_, shape, data, _) in self.a["values"].items():
            source, how = self.source(name)
            dtype, torch_shape, torch_data = self.torch[source]
            if how == "copy":
                self.assertEqual(data, torch_data, name)
                continue
            want = ck.floats(dtype, torch_data)
            if how == "swap":
                want = swap01(want, torch_shape)
                torch_shape = [torch_shape[1], torch_shape[0], torch_shape[2]]
            if how == "exp":
                want = [f32(math.exp(x)) for x in want]
            self.assertEqual(shape, torch_shape, name)
            got = ck.floats("F32", data)
            far = max(abs(ordered(x) - ordered(y)) for x, y in zip(got, want))
            self.assertLessEqual(far, 4, name)
            worst[how] = max(worst[how], far)
        self.assertEqual(worst["exp"], 0, worst)  # correctly rounded to f32

    def test_all_outputs_of_the_model(self):
        self.assertEqual(len(self.a["values"]), 449)

    def test_two_spellings(self):
        self.assertEqual(self.a["contract_id"], self.b["contract_id"])
        self.assertEqual(self.a["values"], self.b["values"])

    def test_known_identities(self):
        """These bytes never change: not with the compiler, its optimisation,
        the machine's vectors, or time."""
        known = (BIGVGAN / "IDENTITIES").read_text().split()
        self.assertEqual([self.a["contract_id"], self.a["root"], self.b["root"]],
                         known)

EXAMPLE = """\
ttsw: 1
model: example
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
constants: {rate: 22050}
map:
  - tensors:
      a.bias: a [out=2]
"""


class FormatExample(unittest.TestCase):
    def test_dump(self):
        """The hex dump in FORMAT.md is what the compiler writes, and the
        contract text there has the blob's contract id."""
        example = (ck.ROOT / "runtime" / "FORMAT.md").read_text()
        example = example.partition("\n## 17. ")[2].partition("\n## 18. ")[0]
        blocks = example.split("```\n")
        with tempfile.TemporaryDirectory() as holder:
            folder = pathlib.Path(holder)
            (folder / "x.yaml").write_text(EXAMPLE)
            ck.write(folder / "x.safetensors",
                     {"a": ("F32", [2], struct.pack("<2f", 1, -2))})
            ck.ttswc("compile", "-q", folder / "x.yaml", folder / "x.safetensors",
                     "-o", folder / "x.ttsb")
            raw = (folder / "x.ttsb").read_bytes()
        rows = [(at, raw[at:at + 16]) for at in range(0, len(raw), 16)]
        dump = "".join(
            f"{at:06x}  {row.hex(' ')}  "
            + "".join(chr(b) if 32 <= b < 127 else "." for b in row) + "\n"
            for at, row in rows if any(row))
        self.assertEqual(len(raw), 131072)
        self.assertEqual(blocks[-2], dump)
        self.assertEqual(xxhash.xxh3_128_digest(blocks[-4].encode()), raw[56:72])


class Features(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.dir.cleanup)
        cls.path = pathlib.Path(cls.dir.name) / "f.ttsb"
        cls.spec = ck.SPECS / "examples" / "features.yaml"
        ck.ttswc("compile", cls.spec, FEATURES, "-o", cls.path)
        cls.blob = ck.blob(cls.path)
        cls.given = ck.read(FEATURES)

    def floats(self, name):
        dtype, _, data, _ = self.blob["values"][name]
        return ck.floats(dtype, data)

    def source(self, name):
        return ck.floats(self.given[name][0], self.given[name][2])

    def test_square_matrix_is_transposed(self):
        for i in range(2):
            w = self.source(f"h.{i}.attn.c_proj.weight")
            want = [w[r * 8 + c] for c in range(8) for r in range(8)]
            self.assertNotEqual(w, want)
            self.assertEqual(self.floats(f"blk.{i}.attn.proj.weight"), want)

    def test_weight_norms(self):
        v, g = self.source("head.weight_v"), self.source("head.weight_g")
        want = []
        for r in range(5):
            row = v[8 * r:8 * r + 8]
            norm = math.sqrt(math.fsum(x * x for x in row))
            want += [f32(x * (g[r] / norm)) for x in row]
        for x, y in zip(self.floats("head.weight"), want):
            self.assertLessEqual(abs(ordered(x) - ordered(y)), 1)
        v, g = self.source("gate.direction"), self.source("gate.scale")[0]
        norm = math.sqrt(math.fsum(x * x for x in v))
        want = [struct.unpack("<e", struct.pack("<e", x * (g / norm)))[0]
                for x in v]
        self.assertEqual(self.floats("gate.weight"), want)

    def test_plain_ones(self):
        for target, source in (("point.weight", "conv.weight"),
                               ("speed.weight", "speed_emb.weight"),
                               ("scalar", "temperature"), ("mask", "mask"),
                               ("steps", "num_steps"),
                               ("tok.weight", "tok_emb.weight"),
                               ("odd.weight", "odd name/1"),
                               ("blk.1.ln_2.weight", "h.1.ln_2.weight")):
            self.assertEqual(self.floats(target), self.source(source), target)
        self.assertEqual(self.blob["values"]["point.weight"][1], [3, 8])

    def test_odd_records(self):
        v = self.blob["values"]
        self.assertEqual(v["style.weight"][2:], (bytes(32), ["optional", "absent"]))
        self.assertEqual(v["speed.weight"][3], ["optional"])
        self.assertEqual(v["out.weight"], v["tok.weight"][:3] + (["alias"],))
        self.assertEqual([(g["name"], g["place"]) for g in self.blob["groups"]],
                         [("body", "device"), ("tables", "host")])

    def test_known_identity(self):
        known = (FEATURES.parent / "IDENTITIES").read_text().split()
        self.assertEqual([self.blob["contract_id"], self.blob["root"]], known)

    def test_partial(self):
        """A source is missing: refused; with consent the rest is the same."""
        short = pathlib.Path(self.dir.name) / "short.safetensors"
        out = pathlib.Path(self.dir.name) / "p.ttsb"
        ck.write(short, {k: t for k, t in self.given.items()
                         if k != "head.weight_g"})
        _, err = ck.ttswc("compile", self.spec, short, "-o", out, code=1)
        self.assertIn("head.weight_g", err)
        self.assertFalse(out.exists())
        _, err = ck.ttswc("compile", self.spec, short, "-o", out,
                          "--allow-partial-weights", "-q")
        self.assertIn("W0301", err)
        partial = ck.blob(out)
        self.assertTrue(partial["partial"])
        self.assertEqual(partial["contract_id"], self.blob["contract_id"])
        for name, value in self.blob["values"].items():
            if name == "head.weight":
                value = value[:2] + (b"\xff" * len(value[2]), ["missing"])
            self.assertEqual(partial["values"][name], value, name)

    def test_consent_changes_no_byte(self):
        out = pathlib.Path(self.dir.name) / "c.ttsb"
        ck.ttswc("compile", self.spec, FEATURES, "-o", out,
                 "--allow-partial-weights")
        self.assertEqual(out.read_bytes(), self.path.read_bytes())


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""ttswc export: the tensors of a blob as another program finds them in a
safetensors file, and what it refuses to write."""
import json
import os
import pathlib
import random
import struct
import sys
import tempfile
import unittest

import safetensors

import checkpoints as ck

sys.path.insert(0, str(ck.ROOT / "tests" / "reader"))
import make_blob  # noqa: E402

FEATURES_SPEC = ck.SPECS / "examples" / "features.yaml"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"


def literal(tensors, rename=str):
    """A spec that copies every tensor, under its own name or rename(its own)."""
    lines = ["ttsw: 1", "model: copy", "revision: 1", "source_dtype: f32",
             "store: f32", "layout: [a0, a1, a2]", "map:", "  - tensors:"]
    for name, (dtype, shape, _) in tensors.items():
        d = dtype.lower()
        axes = ", ".join(f"a{i}={n}" for i, n in enumerate(shape))
        lines.append(f"      {rename(name)}: {name} {d}[{axes}]"
                     + (f" as {d}" if d in ("f16", "bf16", "f64") else ""))
    return "\n".join(lines) + "\n"


def by_package(path):
    """{name: (dtype, shape, bytes)} as the package `safetensors` reads it."""
    return {name: (t["dtype"], t["shape"], bytes(t["data"]))
            for name, t in safetensors.deserialize(pathlib.Path(path).read_bytes())}


class Export(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.blob = self.dir / "in.ttsb"
        self.out = self.dir / "out.safetensors"

    def compile(self, spec, checkpoint, *more):
        ck.ttswc("compile", "-q", spec, checkpoint, "-o", self.blob, *more)

    def features(self):
        self.compile(FEATURES_SPEC, FEATURES)
        return ck.blob(self.blob)["values"]

    def export(self, *more, **options):
        return ck.ttswc("export", self.blob, "-o", self.out, *more, **options)

    def made(self, tensors, rename=str):
        """Compiles tensors by a literal spec, from a file of their own."""
        ck.write(self.dir / "given.safetensors", tensors)
        (self.dir / "copy.yaml").write_text(literal(tensors, rename))
        self.compile(self.dir / "copy.yaml", self.dir / "given.safetensors")

    def mixed(self):
        """Every width, odd sizes, none, scalars, more than a piece and a slab."""
        dice = random.Random(7)
        shapes = {"a": ("F16", [3]), "b": ("F32", [5, 1]), "c": ("U8", [7]),
                  "d": ("F64", [1]), "e": ("BF16", [1, 1, 3]), "f": ("I64", []),
                  "g": ("F32", [0, 3]), "h": ("BOOL", [1]), "i": ("I16", [5]),
                  "j": ("U8", [3, 1024, 1024]), "k": ("U8", [65537]),
                  "l": ("I32", [])}
        made = {}
        for name, (dtype, shape) in shapes.items():
            n = 1
            for d in shape:
                n *= d
            size = n * ck.BITS[dtype] // 8
            made[name] = (dtype, shape, dice.randbytes(size) if dtype[0] in "UI"
                          else bytes([1]) * size)  # finite; a bool is 0 or 1
        return made

    def test_equals_the_source(self):
        given = self.mixed()
        self.made(given)
        out, err = self.export()
        self.assertEqual(err, "")
        self.assertEqual(by_package(self.out), given)
        self.assertEqual(out, f"wrote {self.out}: {len(given)} tensors, "
                              f"{self.out.stat().st_size} bytes\n")

    def test_packed_dtypes(self):
        given = {"p": ("F8_E4M3", [3], b"\1\2\3"), "q": ("F4", [4], b"\1\2"),
                 "r": ("F6_E2M3", [4], b"\1\2\3"), "s": ("F64", [1], bytes(8)),
                 "t": ("F8_E8M0", [1], b"\1"), "u": ("C64", [1], bytes(8))}
        self.made(given)
        self.export()
        self.assertEqual(by_package(self.out), given)

    def test_the_file_itself(self):
        self.made(self.mixed())
        self.export("-q")
        raw = self.out.read_bytes()
        n = struct.unpack_from("<Q", raw)[0]
        header = json.loads(raw[8:8 + n])
        self.assertEqual(n % 8, 0)
        self.assertEqual(header.pop("__metadata__"), {"format": "pt"})
        at = 0
        for t in header.values():
            self.assertEqual(t["data_offsets"][0], at)
            self.assertEqual(at * 8 % ck.BITS[t["dtype"]], 0)
            at = t["data_offsets"][1]
        self.assertEqual(8 + n + at, len(raw))
        self.assertEqual("".join(header), "dfbglaeichjk")  # wide first, file order
        self.assertEqual(raw[8 + n - 1:8 + n].strip(b" }"), b"")

    def test_same_bytes_again(self):
        self.features()
        self.export()
        first = self.out.read_bytes()
        self.export("--progress=always")
        self.assertEqual(self.out.read_bytes(), first)

    def test_round_trip(self):
        """Exported, compiled by a literal spec, exported again."""
        want = {n: v[:3] for n, v in self.features().items()
                if "absent" not in v[3]}
        self.export()
        self.assertEqual(by_package(self.out), want)
        first = self.out.read_bytes()
        (self.dir / "copy.yaml").write_text(literal(want))
        self.compile(self.dir / "copy.yaml", self.out)
        got = {n: v[:3] for n, v in ck.blob(self.blob)["values"].items()}
        self.assertEqual(got, want)
        self.export()
        self.assertEqual(ck.read(self.out), want)
        self.assertEqual(len(self.out.read_bytes()), len(first))

    def test_alias_is_a_copy(self):
        values = self.features()
        self.assertIn("alias", values["out.weight"][3])
        out, _ = self.export("out.weight", "tok.weight")
        self.assertIn("2 tensors", out)
        self.assertIn("1 aliases as copies", out)
        got = by_package(self.out)
        self.assertEqual(got["out.weight"], got["tok.weight"])
        raw = self.out.read_bytes()
        self.assertEqual(raw.count(got["tok.weight"][2]), 2)
        self.export("out.weight")  # without the tensor that it is an alias of
        self.assertEqual(by_package(self.out), {"out.weight": got["out.weight"]})

    def test_patterns(self):
        values = self.features()
        self.export("blk.*", "mask")
        self.assertEqual(by_package(self.out),
                         {n: v[:3] for n, v in values.items()
                          if n.startswith("blk.") or n == "mask"})
        self.out.write_text("old")
        for more in (("nothing*",), ("mask", "nothing*")):
            _, err = self.export(*more, code=1)
            self.assertIn("error[E0707]: no tensor matches `nothing*`", err)
            self.assertEqual(self.out.read_text(), "old")

    def test_absent_is_left_out(self):
        self.features()
        _, err = self.export()
        self.assertIn("warning[W0311]: `style.weight` is ABSENT", err)
        self.assertEqual(err.count("ABSENT"), 1)
        self.assertNotIn("style.weight", by_package(self.out))
        self.out.unlink()
        _, err = self.export("style.weight", code=1)
        self.assertIn("E0707", err)
        self.assertFalse(self.out.exists())

    def test_partial(self):
        given = ck.read(FEATURES)
        del given["tok_emb.weight"]
        ck.write(self.dir / "less.safetensors", given)
        self.compile(FEATURES_SPEC, self.dir / "less.safetensors",
                     "--allow-partial-weights")
        values = ck.blob(self.blob)["values"]
        missing = sorted(n for n, v in values.items() if "missing" in v[3])
        self.assertEqual(missing, ["out.weight", "tok.weight"])  # one is an alias
        _, err = self.export(code=1)
        self.assertIn("error[E0706]: ", err)
        self.assertIn("TTSB_IS_PARTIAL", err)
        self.assertFalse(self.out.exists())
        _, err = self.export("--allow-partial-weights")
        for name in missing:
            self.assertIn(f"warning[W0301]: `{name}` is MISSING", err)
        self.assertEqual(by_package(self.out),
                         {n: v[:3] for n, v in values.items()
                          if not {"missing", "absent"} & set(v[3])})

    def test_damage_is_never_exported(self):
        self.made(self.mixed())
        good = self.blob.read_bytes()
        tensors = ck.blob(self.blob)["tensors"]
        self.out.write_text("old")
        for t in tensors:
            for at in {0, t["size"] // 2, t["size"] - 1} if t["size"] else ():
                raw = bytearray(good)
                raw[t["offset"] + at] ^= 1
                self.blob.write_bytes(raw)
                out, err = self.export(code=1)
                self.assertEqual(out, "")
                self.assertIn(f"'{t['name']}' is damaged", err)
                self.assertEqual(self.out.read_text(), "old")
                other = "a" if t["name"] != "a" else "b"
                ck.ttswc("export", self.blob, "-o", self.dir / "part", other)
        self.assertEqual(sorted(os.listdir(self.dir)),
                         ["copy.yaml", "given.safetensors", "in.ttsb",
                          "out.safetensors", "part"])

    def test_reserved_name(self):
        """No spec has such a name (E0503), but another writer's blob may."""
        self.made({"m": ("F32", [1], bytes(4)), "x": ("F32", [1], bytes(4))},
                  lambda name: name.replace("m", "A_metadata__"))
        raw = self.blob.read_bytes().replace(b"A_metadata__", b"__metadata__")
        self.blob.write_bytes(make_blob.reseal(bytearray(raw)))
        _, err = self.export(code=3)
        self.assertIn("reserves", err)
        self.assertFalse(self.out.exists())
        self.export("x")

    def test_system_errors(self):
        self.features()
        for target in (self.dir, self.dir / "gone" / "x", self.blob):
            before = self.blob.read_bytes()
            _, err = ck.ttswc("export", self.blob, "-o", target, code=3)
            self.assertIn("E0704", err)
            self.assertEqual(self.blob.read_bytes(), before)
        _, err = ck.ttswc("export", self.dir / "gone", "-o", self.out, code=3)
        self.assertIn("E0705", err)
        _, err = ck.ttswc("export", FEATURES, "-o", self.out, code=1)
        self.assertIn("E0706", err)
        ck.ttswc("export", self.blob, code=2)
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()

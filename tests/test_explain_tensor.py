#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc explain SPEC TARGET and explain --inverse SPEC KEY: both directions say
what the map says, and name bytes that really hold the values."""
import json
import pathlib
import struct
import tempfile
import unittest

import checkpoints as ck
from indextts2 import given, tiny
from test_map_command import assert_sorted, name_of, ranges_of

TINY = ck.SPECS / "indextts2"
GPT = ck.FIXTURES / "gpt" / "gpt_tiny.safetensors"
BIGVGAN = ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"
SPEC = """\
ttsw: 1
model: m
revision: 1
source_dtype: f32
store: {matrix: f16, vector: f32}
layout: [out, in]
map:
  - tensors:
      a: concat(out, same(w [out=4, in=2], w2 [out=4, in=2]), zeros [out=1, in=2]) as bf16
      b: alias(a)
      c: also(w [out=4, in=2])
      e: e [in=3] allow_nonfinite
      f: lost [in=2] optional
      g: scale(max(x [in=3], 0.5), 2.0)
    drop:
      ema. [tensors=1, elements=4]: averages
  - split:
      - source: transpose(q [in=2, out=6]) [out=6, in=2]
        axis: out
        into: {qa: 0..2, drop 2..5: loss only, qb: 5}
"""
TENSORS = {n: ("F32", shape) for n, shape in (
    ("w", [4, 2]), ("w2", [4, 2]), ("e", [3]), ("x", [3]), ("q", [2, 6]),
    ("ema.x", [4]))}


def values(name, shape):
    count = 1
    for n in shape:
        count *= n
    return struct.pack(f"<{count}f", *(len(name) + 0.25 * i for i in range(count)))


TENSORS = {n: (d, s, values(n[0], s)) for n, (d, s) in TENSORS.items()}


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        (self.dir / "s.yaml").write_text(SPEC)
        ck.write(self.dir / "c.safetensors", TENSORS)

    def run_in(self, *args, **options):
        return ck.ttswc(*args, cwd=self.dir, **options)

    def text(self, *args):
        return self.run_in("explain", *args)[0]

    def json(self, *args):
        data = json.loads(self.run_in("explain", "--json", *args)[0])
        assert_sorted(data)
        return data


class Forward(Folder):
    def test_every_output_as_in_the_map(self):
        """Sources, parts, type, place and offsets of gpt's and bigvgan's."""
        for spec, ckpt in (("gpt_tiny.yaml", GPT), ("bigvgan_tiny.yaml", BIGVGAN)):
            made = json.loads(ck.ttswc("map", "--json", spec, ckpt, cwd=TINY)[0])
            outputs = made["groups"][0]["outputs"]
            for o in outputs[::17] + outputs[-3:]:
                with self.subTest(o["name"]):
                    got = json.loads(ck.ttswc("explain", "--json", spec, o["name"], ckpt,
                                              cwd=TINY)[0])
                    for key in ("name", "type", "bytes", "in_group", "offset", "missing"):
                        self.assertEqual(got[key], o[key])
                    self.assertEqual(got["place"]["path"], o["path"])
                    self.assertEqual(got["place"]["line"], o["line"])
                    self.assertEqual([(name_of(s), ranges_of(s["part"]))
                                      for s in got["sources"]],
                                     [(name_of(s), ranges_of(s["part"]))
                                      for s in o["sources"]])
                    self.assertTrue(got["contract"].startswith(f"tensor {o['name']} "))
                    self.assertEqual(got["steps"][-1]["type"].partition("[")[2],
                                     o["type"].partition("[")[2])

    def test_text_of_a_split(self):
        shown, _ = ck.ttswc("explain", "gpt_tiny.yaml", "h.3.attn.k.weight", cwd=TINY)
        self.assertEqual(shown, """\
h.3.attn.k.weight
spec      gpt_body.yaml:115:19
            attn.k.weight: D..2*D
cut from  gpt_body.yaml:111:25
            - source: transpose(attn.c_attn.weight [in=D, out=3*D]) [out=3*D, in=D]
in        template `gpt2`, used at gpt_body.yaml:91:14
in        template `gpt`, used at gpt_tiny.yaml:71:10
for       i = 3
sources   gpt.h.3.attn.c_attn.weight  f32[in=12,out=36], of it [out 12..24]
steps     #1   gpt.h.3.attn.c_attn.weight                        f32[in=12,out=36]
          #2   permute(#1,out,in)                                f32[out=36,in=12]
          #3   slice(#2,out,12..24)                              f32[out=12,in=12]
stored    f32, as it is, by `store:` for a matrix
type      f32[out=12,in=12]
contract  tensor h.3.attn.k.weight f32 [out=12,in=12] main 180224 = slice(permute($405:\
f32 [in=12,out=36],out,in)[out=36,in=12],out,12..24)[out=12,in=12]
place     group main (device), offset 180224 (0x2c000), 576 bytes
""")

    def test_bytes_are_those_of_the_file(self):
        raw = (self.dir / "c.safetensors").read_bytes()
        for target, name in (("e", "e"), ("c", "w"), ("g", "x")):
            source = self.json("s.yaml", target, "c.safetensors")["sources"][0]
            at = source["bytes"]
            self.assertEqual((at["path"], at["whole"]), ("c.safetensors", True))
            self.assertEqual(raw[at["begin"]:at["end"]], TENSORS[name][2])
        # Column 5 of [2, 6]: elements 5 and 11, and what lies between.
        at = self.json("s.yaml", "qb", "c.safetensors")["sources"][0]["bytes"]
        q = TENSORS["q"][2]
        self.assertEqual(raw[at["begin"]:at["end"]], q[20:48])
        self.assertFalse(at["whole"])
        self.assertIn("some of the bytes", self.text("s.yaml", "qb", "c.safetensors"))

    def test_a_lock_has_no_bytes(self):
        self.run_in("lock", "c.safetensors", "-o", "c.lock")
        of_file = self.json("s.yaml", "qb", "c.safetensors")
        of_lock = self.json("s.yaml", "qb", "c.lock")
        self.assertIsNotNone(of_file["sources"][0].pop("bytes"))
        self.assertIsNone(of_lock["sources"][0].pop("bytes"))
        self.assertEqual(of_lock, of_file)

    def test_offset_is_the_blob_s(self):
        self.run_in("compile", "-q", "s.yaml", "c.safetensors", "-o", "o.ttsb")
        raw = (self.dir / "o.ttsb").read_bytes()
        got = self.json("s.yaml", "e", "c.safetensors")
        self.assertEqual(raw[got["offset"]:got["offset"] + got["bytes"]],
                         TENSORS["e"][2])

    def test_steps_and_store(self):
        got = self.json("s.yaml", "a")
        self.assertEqual([(s["number"], s["does"], s["type"]) for s in got["steps"]],
                         [(1, "same(w,w2)", "f32[out=4,in=2]"),
                          (2, "zeros()", "[out=1,in=2]"),
                          (3, "concat(out,#1,#2)", "f32[out=5,in=2]")])
        self.assertEqual((got["stored"], got["zeros"]), ("bf16, from f32, by `as bf16`", 2))
        got = self.json("s.yaml", "g")
        self.assertEqual([s["does"] for s in got["steps"]],
                         ["x", "max(#1,0.5)", "scale(#2,2)"])
        self.assertEqual(got["stored"], "f32, from f64, by `store:` for a vector")
        self.assertEqual(self.json("s.yaml", "b")["alias_of"], "a")
        self.assertEqual(self.json("s.yaml", "c")["stored"],
                         "f16, from f32, by `store:` for a matrix")
        self.assertIs(self.json("s.yaml", "f", "c.safetensors")["absent"], True)

    def test_a_checkpoint_that_does_not_fit(self):
        """That is when somebody asks."""
        ck.write(self.dir / "c.safetensors",
                 {**TENSORS, "e": ("F16", [2], bytes(4)), "x2": TENSORS["x"]})
        shown = self.text("s.yaml", "e", "c.safetensors")
        self.assertIn("the checkpoint has f16[2]\n", shown)
        self.assertIn("but       the checkpoint does not fit the spec", shown)
        self.assertIn("unclaimed the spec neither uses nor drops it",
                      self.text("--inverse", "s.yaml", "x2", "c.safetensors"))
        ck.write(self.dir / "c.safetensors", {n: t for n, t in TENSORS.items() if n != "x"})
        shown = self.text("s.yaml", "g", "c.safetensors")
        self.assertIn("g  MISSING\n", shown)
        self.assertIn("x  f32[in=3] (lacking)\n", shown)


class Backward(Folder):
    def fates(self, *args):
        return self.json("--inverse", *args)

    def test_it_is_the_map_turned_round(self):
        for spec, ckpt in (("gpt_tiny.yaml", GPT), ("bigvgan_tiny.yaml", BIGVGAN)):
            made = json.loads(ck.ttswc("map", "--json", spec, ckpt, cwd=TINY)[0])
            uses, dropped = {}, {}
            for o in made["groups"][0]["outputs"]:
                for s in o["sources"]:
                    uses.setdefault(s["name"], []).append((o["name"], ranges_of(s["part"])))
            for d in made["discarded"]:
                dropped.setdefault(d["name"], []).append((ranges_of(d["part"]), d["reason"]))
            for name in sorted(uses | dropped)[::29]:
                with self.subTest(name):
                    shown = ck.ttswc("explain", "--json", "--inverse", spec, name, ckpt,
                                     cwd=TINY)[0]
                    fate, = json.loads(shown)
                    self.assertEqual([(o["name"], ranges_of(o["part"]))
                                      for o in fate["outputs"]], uses.get(name, []))
                    self.assertEqual([(ranges_of(d["part"]), d["reason"])
                                      for d in fate["dropped"]], dropped.get(name, []))

    def test_parts(self):
        fate, = self.fates("s.yaml", "q")
        self.assertEqual([(o["name"], ranges_of(o["part"])) for o in fate["outputs"]],
                         [("qa", {"out": (0, 2)}), ("qb", {"out": (5, 6)})])
        self.assertIsNone(fate["role"])
        self.assertEqual([(ranges_of(d["part"]), d["reason"]) for d in fate["dropped"]],
                         [({"out": (2, 5)}, "loss only")])
        fate, = self.fates("s.yaml", "w")
        self.assertEqual([(o["name"], o["alias"], o["also"]) for o in fate["outputs"]],
                         [("a", False, False), ("b", True, False), ("c", False, True)])
        self.assertEqual(fate["role"], "compared, with w2")
        fate, = self.fates("s.yaml", "ema.x")
        self.assertEqual((fate["dropped"][0]["subtree"], fate["dropped"][0]["reason"]),
                         ("ema.", "averages"))

    def test_norms(self):
        fate, = json.loads(ck.ttswc("explain", "--inverse", "--json", "bigvgan_tiny.yaml",
                                    "ups.0.0.weight_g", cwd=TINY)[0])
        self.assertEqual(fate["role"], "the magnitude of weight norm `ups.0.0.weight`, "
                                       "with ups.0.0.weight_v")
        shown, _ = ck.ttswc("explain", "--inverse", "campplus_tiny.yaml",
                            "head.bn1.running_var", cwd=TINY)
        self.assertIn("is        a vector of batch norm `head.bn1`\n", shown)
        self.assertIn("goes into head.conv1.weight", shown)

    def test_of_nine_sources(self):
        def run(name):
            return json.loads(ck.ttswc("explain", "--inverse", "--json",
                                       "pipeline_tiny.yaml", name, *given(tiny),
                                       cwd=TINY)[0])
        self.assertEqual([(f["source"], f["outputs"][0]["name"])
                          for f in run("gpt:mel_head.weight")],
                         [("gpt", "gpt.mel.head.weight")])
        self.assertEqual(run("mel_head.weight"), run("gpt:mel_head.weight"))

    def test_a_source_that_is_absent(self):
        fate, = self.fates("s.yaml", "lost", "c.safetensors")
        self.assertIs(fate["lacking"], True)
        self.assertEqual([o["name"] for o in fate["outputs"]], ["f"])


class Unknown(Folder):
    def test_usage(self):
        _, err = self.run_in("explain", "--inverse", "s.yaml", code=2)
        self.assertIn("an operand is missing", err)

    def test_hostile_names(self):
        """No control character of a checkpoint's name reaches a terminal."""
        name = "x\x1b[31m\x7f\u009b2J"
        ck.write(self.dir / "c.safetensors", {**TENSORS, name: TENSORS["x"]})
        shown, err = self.run_in("explain", "--inverse", "s.yaml", name, "c.safetensors")
        for c in ("\x1b", "\x7f", "\u009b"):
            self.assertNotIn(c, shown)
            self.assertNotIn(c, err)
        self.assertIn('"x\\u001b[31m\\u007f\\u009b2J"', shown)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compile --map: what its lines say, and that they say all of it once.

A map is read back by read_map, which knows its format alone, and held to the
blob, to the checkpoint and, element by element, to exact cover."""
import itertools
import math
import os
import pathlib
import random
import re
import tempfile
import unittest

import checkpoints as ck
from indextts2 import SOURCES, given, tiny
import language_specs
import language_terms as lt

SEED = int(os.environ.get("TTSW_SEED", "20240607"))
TINY = ck.SPECS / "indextts2"
BIGVGAN = ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"
GPT = ck.FIXTURES / "gpt" / "gpt_tiny.safetensors"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"
WORD = r'(?:"(?:[^"\\]|\\.)*"|[^\s"(),:=\[\]]+)'
TENSOR = rf"(?:\w+:)?{WORD}"
TYPE = r"\w+\[[^]]*\]"
RANGE = r"(?:\[[^]]*\])?"
USE = rf"{TENSOR}{RANGE}(?: \(also\))?(?: \(allow_nonfinite\))?(?: \(lacking\))?"
OUTPUT = re.compile(
    rf"0x([0-9a-f]{{8,}})  0x([0-9a-f]{{8,}})  +(\d+)  ({TYPE})  +([\w.]+)  +"
    rf"((?:(?:ALIAS|ABSENT|MISSING) )*)<- ((?:{USE}(?:, {USE})*)?)  = (.*)  "
    rf"({WORD}:\d+)")
DROPPED = re.compile(
    rf" {{24}} *(\d+)  ({TYPE}|\d+ tensors, \d+ elements)  +({TENSOR}{RANGE})  +"
    rf'("(?:[^"\\]|\\.)*")  ({WORD}:\d+)')
GROUP = re.compile(r"GROUP (\w+)  (device|host)  offset 0x([0-9a-f]{8,})  "
                   r"size (\d+)  outputs (\d+)")


class Tensor:
    """A source or a part of it: name, {axis: (lo, hi)}."""

    def __init__(self, text):
        found = re.fullmatch(rf"({TENSOR})({RANGE})((?: \(\w+\))*)", text)
        self.name = found[1]
        self.marks = found[3].split()
        ranges = re.findall(r"(\w+) (\d+)\.\.(\d+)", found[2])
        self.ranges = {a: (int(lo), int(hi)) for a, lo, hi in ranges}


def read_map(text):
    """{"head", "groups", "outputs", "dropped", "totals"} of a map; no line that
    it does not know."""
    parts = text.split("\n\n")
    assert text.endswith("\n") and parts[0].startswith("ttswc map 1\n"), text[:99]
    made = {"head": dict(re.fullmatch(r"(\w+) +(\S+)", line).groups()
                         for line in parts[0].splitlines()[1:]),
            "groups": [], "outputs": [], "dropped": [], "totals": {}}
    for part in parts[1:-2]:
        head, columns, *lines = part.splitlines()
        group = GROUP.fullmatch(head)
        assert group and columns.startswith("offset      in group "), part[:200]
        made["groups"].append({"name": group[1], "place": group[2],
                               "offset": int(group[3], 16), "size": int(group[4])})
        assert int(group[5]) == len(lines)
        for line in lines:
            found = OUTPUT.fullmatch(line)
            assert found, line
            at, inside, size, kind, name, marks, uses, value, place = found.groups()
            assert int(at, 16) == int(group[3], 16) + int(inside, 16), line
            made["outputs"].append({
                "offset": int(at, 16), "size": int(size), "type": kind, "name": name,
                "marks": marks.split(), "value": value, "place": place,
                "uses": [Tensor(x) for x in re.findall(USE, uses)]})
    title, *lines = parts[-2].splitlines()
    assert title == "DISCARDED"
    for line in lines:
        found = DROPPED.fullmatch(line)
        assert found, line
        made["dropped"].append(dict(zip(("size", "type", "tensor", "reason", "place"),
                                        (int(found[1]), found[2], Tensor(found[3]),
                                         found[4], found[5]))))
    columns, *lines = parts[-1].splitlines()
    assert columns.split() == ["TOTALS", "tensors", "elements", "bytes"]
    for line in lines:
        name, *numbers = line.split()
        made["totals"][name] = tuple(map(int, numbers))
    return made


def sizes_of(kind):
    """The axes of "f32[out=3,1]" as [(name, size)]."""
    inside = kind[kind.index("[") + 1:-1]
    return [(a.rpartition("=")[0], int(a.rpartition("=")[2]))
            for a in inside.split(",") if a]


def elements(kind):
    return math.prod(size for _, size in sizes_of(kind))


def indices(sizes, ranges):
    """Of a part, given the axes and {axis: (lo, hi)}."""
    assert set(ranges) <= {name for name, _ in sizes}, ranges
    return itertools.product(*(range(*ranges.get(name, (0, size)))
                               for name, size in sizes))


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def run_in(self, *args, code=0, **options):
        return ck.ttswc(*args, cwd=self.dir, code=code, **options)

    def map(self, *args, code=0):
        """The text of the map of a compilation in this folder."""
        self.run_in("compile", "-q", *args, "-o", "out.ttsb", "--map", "out.map",
                    code=code)
        return (self.dir / "out.map").read_text()

    def blob(self):
        return ck.blob(self.dir / "out.ttsb")

    def check_blob(self, made):
        """Head, groups and outputs are the blob's, each output once, in order."""
        blob = self.blob()
        head = made["head"]
        self.assertEqual(head, {
            "model": blob["model"], "revision": str(blob["revision"]),
            "contract": blob["contract_id"], "root": blob["root"],
            "size": str(blob["file_size"])})
        self.assertEqual(made["groups"], [
            {k: g[k] for k in ("name", "place", "offset", "size")}
            for g in blob["groups"]])
        self.assertEqual(
            [(o["name"], o["offset"], o["size"], o["type"].split("[")[0],
              [n for _, n in sizes_of(o["type"])],
              [m.lower() for m in o["marks"]]) for o in made["outputs"]],
            [(t["name"], t["offset"], t["size"], t["dtype"], t["shape"],
              [f for f in t["flags"] if f != "optional"]) for t in blob["tensors"]])
        own = [o for o in made["outputs"] if "ALIAS" not in o["marks"]]
        total = made["totals"]
        self.assertEqual(total["outputs"],
                         (len(made["outputs"]), sum(elements(o["type"]) for o in own),
                          sum(o["size"] for o in own)))
        for mark in ("ALIAS", "ABSENT", "MISSING"):
            of = [o for o in made["outputs"] if mark in o["marks"]]
            self.assertEqual(total[{"ALIAS": "aliases"}.get(mark, mark.lower())],
                             (len(of), sum(elements(o["type"]) for o in of),
                              sum(o["size"] for o in of)))

    def check_sources(self, made, tensors):
        """Every tensor is used or dropped; {name: (dtype, sizes, bytes)}."""
        total = made["totals"]
        self.assertEqual(total["sources"],
                         (len(tensors), sum(math.prod(s) for _, s, _ in tensors.values()),
                          sum(len(b) for _, _, b in tensors.values())))
        for i in range(3):
            self.assertEqual(total["sources"][i], total["used"][i] +
                             total["dropped"][i] + total["unread"][i])
        used = {u.name for o in made["outputs"] for u in o["uses"]
                if "(lacking)" not in u.marks}
        dropped = [d["tensor"].name for d in made["dropped"]]
        self.assertEqual(used | set(dropped), set(tensors))
        self.assertEqual(dropped, sorted(dropped, key=str.encode))
        self.assertEqual(total["dropped"][2], sum(d["size"] for d in made["dropped"]))

    def check_places(self, made, root):
        """The line that is named holds the last part of the target."""
        files = {}
        for o in made["outputs"]:
            path, _, line = o["place"].rpartition(":")
            if path not in files:
                files[path] = (root / path).read_text().splitlines()
            self.assertIn(o["name"].rpartition(".")[2], files[path][int(line) - 1])


class Fixtures(Folder):
    def compile(self, spec, *args):
        self.run_in("compile", "-q", spec, *args, "-o", self.dir / "out.ttsb",
                    "--map", self.dir / "out.map")
        return (self.dir / "out.map").read_text()

    def tiny(self, spec, ckpt, *args):
        """As run in the folder of the specs, so that their paths are short."""
        ck.ttswc("compile", "-q", spec, ckpt, "-o", self.dir / "out.ttsb", "--map",
                 self.dir / "out.map", *args, cwd=TINY)
        return (self.dir / "out.map").read_text()

    def assert_lines(self, text, lines):
        have = text.splitlines()
        for line in lines:
            self.assertEqual(have.count(line), 1, line)

    def test_bigvgan(self):
        text = self.tiny("bigvgan_tiny.yaml", BIGVGAN)
        made = read_map(text)
        self.check_blob(made)
        self.check_sources(made, ck.read(BIGVGAN))
        self.check_places(made, TINY)
        self.assertEqual({d["reason"] for d in made["dropped"]},
                         {'"the engine makes the Kaiser-sinc taps"'})
        self.assertEqual(made["totals"]["used"], (565, 206973, 827892))
        self.assertEqual(made["totals"]["dropped"], (218, 218 * 12, 218 * 48))
        self.assert_lines(text, [
            "GROUP main  device  offset 0x00040000  size 917504  outputs 449",
            "0x00040000  0x00000000         35840  f32[out=64,in=20,k=7]         "
            "pre.weight                                "
            "<- conv_pre.weight_g, conv_pre.weight_v  "
            "= weight_norm(conv_pre.weight:f32 [out=64,in=20,k=7],keep=out)"
            "[out=64,in=20,k=7]  bigvgan_body.yaml:28",
            "0x00048d00  0x00008d00         65536  f32[out=32,in=64,k=8]         "
            "up.0.weight                               "
            "<- ups.0.0.weight_g, ups.0.0.weight_v  "
            "= permute(weight_norm(ups.0.0.weight:f32 [in=64,out=32,k=8],keep=in)"
            "[in=64,out=32,k=8],out,in,k)[out=32,in=64,k=8]  bigvgan_body.yaml:36",
            "                                  48  f32[1,1,k=12]                 "
            "activation_post.upsample.filter           "
            '"the engine makes the Kaiser-sinc taps"  bigvgan_body.yaml:64'])

    def test_gpt(self):
        text = self.tiny("gpt_tiny.yaml", GPT)
        made = read_map(text)
        self.check_blob(made)
        self.check_sources(made, ck.read(GPT))
        self.check_places(made, TINY)
        outputs = {o["name"]: o for o in made["outputs"]}
        key = outputs["h.3.attn.k.weight"]
        self.assertEqual(key["value"],
                         "slice(permute(gpt.h.3.attn.c_attn.weight:f32 [in=12,out=36],"
                         "out,in)[out=36,in=12],out,12..24)[out=12,in=12]")
        self.assertEqual([(u.name, u.ranges) for u in key["uses"]],
                         [("gpt.h.3.attn.c_attn.weight", {"out": (12, 24)})])
        self.assertEqual([u.name.rpartition(".")[0].rpartition("_")[2]
                          for u in outputs["spk.blk.0.attn.qkv.bias"]["uses"]],
                         ["q", "k", "v"])
        self.assertEqual([d["tensor"].name for d in made["dropped"]],
                         ["conditioning_encoder.embed.pos_enc.pe",
                          "emo_conditioning_encoder.embed.pos_enc.pe",
                          "text_head.bias", "text_head.weight"])

    def test_features(self):
        text = self.compile(ck.SPECS / "examples" / "features.yaml", FEATURES)
        made = read_map(text)
        self.check_blob(made)
        tensors = {'"odd name/1"' if " " in n else n: t
                   for n, t in ck.read(FEATURES).items()}
        self.check_sources(made, tensors)
        self.check_places(made, pathlib.Path("/"))
        outputs = {o["name"]: o for o in made["outputs"]}
        self.assertEqual([(o["value"], o["marks"], [u.name for u in o["uses"]])
                          for o in map(outputs.get, ("out.weight", "gate.weight", "steps"))],
                         [("alias(tok.weight)", ["ALIAS"], ["tok_emb.weight"]),
                          ("weight_norm(g=gate.scale,v=gate.direction:f32 "
                           "[out=3,in=8],keep=none)[out=3,in=8]", [],
                           ["gate.scale", "gate.direction"]),
                          ("cast(num_steps:i64 [k=3],i32)[k=3]", [], ["num_steps"])])
        absent = outputs["style.weight"]
        self.assertEqual((absent["marks"], [(u.name, u.marks) for u in absent["uses"]]),
                         (["ABSENT"], [("style_emb.weight", ["(lacking)"])]))
        self.assertEqual(outputs["speed.weight"]["marks"], [])

    def test_nine_sources(self):
        spec = TINY / "pipeline_tiny.yaml"
        text = self.compile(spec, *given(tiny))
        made = read_map(text)
        self.check_blob(made)
        tensors = {f"{s}:{n}": t for s in SOURCES for path in tiny(s)
                   for n, t in ck.read(path).items()}
        used = {u.name for o in made["outputs"] for u in o["uses"]}
        dropped = {d["tensor"].name for d in made["dropped"]}
        self.assertEqual(used | dropped, set(tensors))
        self.assertEqual(used & dropped, set())
        self.assertEqual(len(made["dropped"]), 222 + 24 + 129 + 116 + 122)

    def test_threads_and_shards_do_not_matter(self):
        text = self.tiny("gpt_tiny.yaml", GPT, "-j1")
        self.assertEqual(self.tiny("gpt_tiny.yaml", GPT, "-j2"), text)
        tensors = list(ck.read(GPT).items())
        random.Random(1).shuffle(tensors)
        (self.dir / "parts").mkdir()
        for i in range(3):
            ck.write(self.dir / "parts" / f"{i}.safetensors", dict(tensors[i::3]))
        self.assertEqual(self.tiny("gpt_tiny.yaml", self.dir / "parts"), text)


class Random(Folder):
    """Random specs: each element of each source is used or dropped, once."""

    def check_cover(self, made, spec):
        claims = {}
        for o in made["outputs"]:
            self.assertNotIn("ALIAS", o["marks"])
            for u in o["uses"]:
                if "(also)" not in u.marks:
                    claims.setdefault(u.name, []).append(("used", u.ranges))
        for d in made["dropped"]:
            self.assertEqual(elements(d["type"]),
                             math.prod(spec.tensors[d["tensor"].name][1]))
            claims.setdefault(d["tensor"].name, []).append(
                ("dropped", d["tensor"].ranges))
        self.assertEqual(set(claims), set(spec.tensors))
        dropped = 0
        for name, (_, sizes, _) in spec.tensors.items():
            seen = {}
            for how, ranges in claims[name]:
                for i in indices(self.axes(made, name, sizes), ranges):
                    # A magnitude is read by each piece of its direction.
                    if not (name.endswith("_g") and how == "used"):
                        self.assertNotIn(i, seen, (name, claims[name]))
                    self.assertEqual(seen.setdefault(i, how), how, (name, claims[name]))
                    dropped += how == "dropped"
            self.assertEqual(len(seen), math.prod(sizes), (name, claims[name]))
        self.assertEqual(made["totals"]["dropped"][1], dropped)

    def axes(self, made, name, sizes):
        """The source's axes: sizes name them where a range does not."""
        if not sizes:
            return []
        stem = re.escape(name.removesuffix("_g") if name.endswith("_g") else
                         name.removesuffix("_v"))
        for text in itertools.chain((o["value"] for o in made["outputs"]),
                                    (f'{d["tensor"].name}:{d["type"].replace("[", " [")}'
                                     for d in made["dropped"])):
            found = re.search(rf"(?<![\w.])(?:{stem}|{re.escape(name)}):\w+ (\[[^]]*\])",
                              text)
            if found:
                named = sizes_of(found[1])
                self.assertEqual(len(named), len(sizes))
                return [(axis, size) for (axis, _), size in zip(named, sizes)]
        self.fail(f"no type of {name}")

    def check_zeros(self, made):
        """What no source fills is zeros."""
        filled = 0
        for o in made["outputs"]:
            for u in o["uses"]:
                other = u.name.endswith("x") and u.name[:-1] in (
                    v.name for v in o["uses"])
                if u.name.endswith("_g") or other:
                    continue
                filled += sum(1 for _ in indices(
                    self.axes(made, u.name, self.spec.tensors[u.name][1]), u.ranges))
        self.assertEqual(made["totals"]["outputs"][1],
                         filled + made["totals"]["zeros"][1])

    def test_small(self):
        parts = zeros = 0
        for i in range(30):
            seed = f"{SEED}-map-{i}"
            with self.subTest(seed=seed):
                self.spec = language_specs.small(random.Random(seed))
                (self.dir / "s.yaml").write_text(self.spec.text())
                ck.write(self.dir / "c.safetensors", {
                    n: (d, s, lt.encode(d, x))
                    for n, (d, s, x) in self.spec.tensors.items()})
                text = self.map("s.yaml", "c.safetensors", "-j1")
                self.assertEqual(self.map("s.yaml", "c.safetensors", "-j2"), text)
                made = read_map(text)
                self.check_blob(made)
                self.check_cover(made, self.spec)
                self.check_zeros(made)
                parts += sum(bool(d["tensor"].ranges) for d in made["dropped"])
                zeros += made["totals"]["zeros"][0]
        self.assertGreater(parts, 20)  # they are what is hard
        self.assertGreater(zeros, 5)


HEAD = """\
ttsw: 1
model: demo
revision: 1
source_dtype: f32
store: f32
layout: [n, out, in, k]
weight_norm: legacy
"""
LOSS = '"a loss only"'


def tensors(**shapes):
    """Ones, so that no norm is zero."""
    return {n: ("F32", s, b"\0\0\x80?" * math.prod(s)) for n, s in shapes.items()}


class Known(Folder):
    def make(self, body, given, *args):
        (self.dir / "spec.yaml").write_text(HEAD + body)
        ck.write(self.dir / "c.safetensors", given)
        made = read_map(self.map("spec.yaml", "c.safetensors", *args))
        self.check_blob(made)
        return made

    def dropped(self, made):
        return [(d["tensor"].name, d["tensor"].ranges, d["size"], d["type"], d["reason"],
                 int(d["place"].rpartition(":")[2])) for d in made["dropped"]]

    def test_pieces(self):
        made = self.make("""\
map:
  - split:
      - source: transpose(qkv [in=4, out=12]) [out=12, in=4]
        axis: out
        into:
          q: 0..4
          drop 4..8: the keys
          drop 8..12: "the \\"values\\""
""", tensors(qkv=[4, 12]))
        self.assertEqual(self.dropped(made), [
            ("qkv", {"out": (4, 8)}, 64, "f32[in=4,out=12]", '"the keys"', 14),
            ("qkv", {"out": (8, 12)}, 64, "f32[in=4,out=12]",
             '"the \\"values\\""', 15)])
        self.assertEqual(made["totals"]["used"], (1, 16, 64))
        self.assertEqual(made["totals"]["dropped"], (0, 32, 128))

    def test_pieces_of_weight_norms(self):
        """Along the kept axis a magnitude is cut; else it goes when all goes."""
        given = tensors(w_g=[4, 1], w_v=[4, 6], x_g=[2, 1], x_v=[2, 6])
        made = self.make("""\
map:
  - split:
      - source: concat(out, weight_norm(w, keep=out) [out=4, in=6],
                            weight_norm(x, keep=out) [out=2, in=6])
        axis: out
        into: {kept: 0..3, "drop 3..6": a loss only}
""", given)
        self.assertEqual([x[:3] for x in self.dropped(made)], [
            ("w_g", {"out": (3, 4)}, 4), ("w_v", {"out": (3, 4)}, 24),
            ("x_g", {}, 8), ("x_v", {}, 48)])
        self.assertEqual([(u.name, u.ranges) for u in made["outputs"][0]["uses"]],
                         [("w_g", {"out": (0, 3)}), ("w_v", {"out": (0, 3)})])
        made = self.make("""\
map:
  - split:
      - source: concat(in, weight_norm(w, keep=out) [out=4, in=6],
                           permute(weight_norm(x, keep=in) [in=2, out=6], out, in)
                             [out=6, in=2])
        axis: in
        into: {"drop 0..2": a, "drop 2..6": b, kept: 6..8}
""".replace("[out=4, in=6]", "[out=6, in=6]"),
                         tensors(w_g=[6, 1], w_v=[6, 6], x_g=[2, 1], x_v=[2, 6]))
        self.assertEqual([x[:3] + x[4:5] for x in self.dropped(made)], [
            ("w_g", {}, 24, '"a"'), ("w_v", {"in": (0, 2)}, 48, '"a"'),
            ("w_v", {"in": (2, 6)}, 96, '"b"')])
        self.assertEqual(made["totals"]["used"], (4, 14, 56))
        self.assertEqual(made["totals"]["dropped"], (0, 42, 168))

    def test_pieces_of_two_readings(self):
        """`same` loses both, `also` neither."""
        made = self.make("""\
map:
  - split:
      - source: same(a [out=4], b [out=4])
        axis: out
        into: {x: 0..3, drop 3: a loss only}
      - source: also(c [out=4])
        axis: out
        into: {y: 0..3, drop 3: a loss only}
  - tensors:
      z: c [out=4]
""", tensors(a=[4], b=[4], c=[4]))
        self.assertEqual([x[:2] for x in self.dropped(made)],
                         [("a", {"out": (3, 4)}), ("b", {"out": (3, 4)})])
        self.assertEqual([o["value"] for o in made["outputs"]],
                         ["slice(same(a:f32 [out=4],b:f32 [out=4]),out,0..3)[out=3]",
                          "slice(also(c:f32 [out=4]),out,0..3)[out=3]", "c:f32 [out=4]"])
        self.assertEqual([[(u.name, u.ranges, u.marks) for u in o["uses"]]
                          for o in made["outputs"]],
                         [[("a", {"out": (0, 3)}, []), ("b", {"out": (0, 3)}, [])],
                          [("c", {"out": (0, 3)}, ["(also)"])], [("c", {}, [])]])

    def test_dropped_uses_and_subtrees(self):
        given = tensors(**{"a.w": [4, 2], "a.n_g": [2, 1], "a.n_v": [2, 3], "b.w": [4, 2],
                           "b.n_g": [2, 1], "b.n_v": [2, 3], "ema.x": [3], "ema.y": []})
        given["ema.z"] = ("U8", [5], bytes(5))
        made = self.make("""\
templates:
  t:
    body:
      - tensors:
          n: weight_norm(n, keep=out) [out=2, in=3]
          w.hi: slice(w [out=4, in=2], out, 2..4)
        split:
          - source: slice(w [out=4, in=2], out, 0..2)
            axis: in
            into: {w.lo: 0, drop 1: its own reason}
map:
  - {use: t, from: a., to: a.}
  - use: t
    from: b.
    drop: a loss only
  - drop:
      ema. [tensors=3, elements=9]: running averages
""", given)
        self.assertEqual(self.dropped(made), [
            ("a.w", {"out": (0, 2), "in": (1, 2)}, 8, "f32[out=4,in=2]",
             '"its own reason"', 17),
            ("b.n_g", {}, 8, "f32[out=2,1]", LOSS, 12),
            ("b.n_v", {}, 24, "f32[out=2,in=3]", LOSS, 12),
            ("b.w", {"out": (0, 2)}, 16, "f32[out=4,in=2]", LOSS, 15),
            ("b.w", {"out": (2, 4)}, 16, "f32[out=4,in=2]", LOSS, 13),
            ("ema.", {}, 21, "3 tensors, 9 elements", '"running averages"', 24)])
        self.assertEqual(made["totals"]["dropped"], (6, 2 + 2 + 6 + 8 + 9, 93))
        self.assertEqual(made["totals"]["used"], (3, 2 + 6 + 6, 56))

    def test_partial(self):
        made = self.make("""\
map:
  - tensors:
      a: a [out=3]
      b: alias(a)
      c: concat(out, d [out=2], lost [out=2], zeros [out=1])
      e: e [out=2] optional
    drop:
      gone [out=2]: not there
      sub. [tensors=2, elements=4]: one is not there
  - split:
      - source: concat(out, f [out=2], lost.too [out=2])
        axis: out
        into: {f: 0..3, drop 3: not there}
""", tensors(d=[2], f=[2], e=[2], **{"sub.x": [2]}), "--allow-partial-weights")
        self.assertEqual({o["name"]: o["marks"] for o in made["outputs"]},
                         {"a": ["MISSING"], "b": ["ALIAS", "MISSING"], "c": ["MISSING"],
                          "e": [], "f": ["MISSING"]})
        self.assertEqual([[(u.name, u.marks) for u in o["uses"]]
                          for o in made["outputs"]],
                         [[("a", ["(lacking)"])], [("a", ["(lacking)"])],
                          [("d", []), ("lost", ["(lacking)"])], [("e", [])],
                          [("f", []), ("lost.too", ["(lacking)"])]])
        self.assertEqual([x[:4] for x in self.dropped(made)],
                         [("sub.", {}, 8, "1 tensors, 2 elements")])
        self.assertEqual([made["totals"][k] for k in
                          ("missing", "zeros", "sources", "used", "dropped", "unread")],
                         [(4, 14, 56), (0, 0, 0), (4, 8, 32), (1, 2, 8), (1, 2, 8),
                          (2, 4, 16)])

    def test_nothing_dropped_and_empty_tensors(self):
        made = self.make("""\
map:
  - tensors:
      a: a [out=0, in=3]
      b: concat(out, b [out=0], c [out=2], zeros [out=3])
""", tensors(a=[0, 3], b=[0], c=[2]))
        self.assertEqual(made["dropped"], [])
        self.assertEqual([[u.name for u in o["uses"]] for o in made["outputs"]],
                         [["a"], ["b", "c"]])
        self.assertEqual(made["totals"]["zeros"], (1, 3, 12))

    def test_words_that_need_quotes(self):
        """No name, reason or path makes a line that reads as another one."""
        odd = ["a,b", "n(also)", "p[out 0..1]", "\u00e9", "c:d", "x  = y"]
        (self.dir / "my specs").mkdir()
        lines = "".join(f"""      o{i}: '"{n}" [k=1]'\n""" for i, n in enumerate(odd))
        body = f"map:\n  - tensors:\n{lines}" + r"""      q: '"a \"b\"" [k=1]'
    drop:
      '"back\\s" [k=1]': "two
        lines\tand a \"tab\"  <- x  = y"
"""
        (self.dir / "my specs" / "s.yaml").write_text(HEAD + body)
        ck.write(self.dir / "c.safetensors",
                 tensors(**{n: [1] for n in (*odd, 'a "b"', "back\\s")}))
        made = read_map(self.map("my specs/s.yaml", "c.safetensors"))
        self.check_blob(made)
        self.assertEqual([o["uses"][0].name for o in made["outputs"]],
                         ['"a,b"', '"n(also)"', '"p[out 0..1]"', '"\u00e9"', '"c:d"',
                          '"x  = y"', '"a \\"b\\""'])
        self.assertEqual([d["tensor"].name for d in made["dropped"]], ['"back\\\\s"'])
        self.assertEqual(made["dropped"][0]["reason"],
                         '"two lines\\u0009and a \\"tab\\"  <- x  = y"')
        self.assertEqual({o["place"].rpartition(":")[0] for o in made["outputs"]},
                         {'"my specs/s.yaml"'})


class Sidecar(Folder):
    BODY = "map:\n  - tensors:\n      a: a [out=3]\n"

    def setUp(self):
        super().setUp()
        (self.dir / "spec.yaml").write_text(HEAD + self.BODY)
        ck.write(self.dir / "c.safetensors", tensors(a=[3]))

    def compile(self, *args, code=0):
        return self.run_in("compile", "spec.yaml", "c.safetensors", "-o", "out.ttsb",
                           *args, code=code)

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())

    def test_changes_no_other_byte(self):
        self.compile()
        blob = (self.dir / "out.ttsb").read_bytes()
        out, err = self.compile("--map=out.map", "-MD")
        self.assertEqual((self.dir / "out.ttsb").read_bytes(), blob)
        self.assertEqual(err, "")
        self.assertEqual(self.names(), ["c.safetensors", "out.map", "out.ttsb",
                                        "out.ttsb.d", "spec.yaml"])
        self.assertNotIn("out.map", (self.dir / "out.ttsb.d").read_text())

    def test_only_on_success(self):
        (self.dir / "out.map").write_text("old")
        (self.dir / "spec.yaml").write_text(HEAD + self.BODY.replace("=3", "=4"))
        self.compile("--map", "out.map", code=1)
        self.assertEqual((self.dir / "out.map").read_text(), "old")
        self.assertNotIn("out.ttsb", self.names())

    def test_never_over_another_file(self):
        (self.dir / "link").symlink_to("c.safetensors")
        before = {n: (self.dir / n).read_bytes() for n in ("spec.yaml", "c.safetensors")}
        for name in ("spec.yaml", "c.safetensors", "link", "./out.ttsb", "out.ttsb"):
            with self.subTest(name):
                _, err = self.compile("--map", name, code=3)
                self.assertIn("E0704", err)
        for name, more, what in (("out.ttsb.d", ["-MD"], "the depfile"),
                                 ("x.d", ["-MF", "./x.d"], "the depfile"),
                                 ("out.ttsb.stamp", ["--if-changed"], "the stamp"),
                                 ("./out.ttsb", ["--if-changed"], "the output")):
            with self.subTest(name):
                _, err = self.compile("--map", name, *more, code=3)
                self.assertIn(f"E0704]: cannot write: it is {what} of this run", err)
        self.assertEqual(self.names(), ["c.safetensors", "link", "spec.yaml"])
        for name, data in before.items():
            self.assertEqual((self.dir / name).read_bytes(), data)

    def test_cannot_be_written(self):
        for name in ("gone/x.map", "."):
            _, err = self.compile("--map", name, "--if-changed", code=3)
            self.assertIn(f"{name}: error[E0704]: cannot write", err)
            self.assertNotIn("out.ttsb.stamp", self.names())

    def test_usage(self):
        for command in (("check", "spec.yaml", "c.safetensors"),
                        ("header", "spec.yaml", "-o", "x.h"), ("verify", "out.ttsb")):
            _, err = self.run_in(*command, "--map", "x", code=2)
            self.assertIn("unknown option", err)
        _, err = self.compile("--map=", code=2)
        self.assertIn("unusable value of --map", err)
        _, err = self.compile("--map", code=2)
        self.assertIn("a value is missing behind `--map`", err)


if __name__ == "__main__":
    unittest.main()

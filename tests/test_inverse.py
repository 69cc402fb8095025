#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc export --inverse: the checkpoint again, byte for byte, wherever the
blob still has it; and every reason why it has not."""
import json
import random
import re
import shutil
import struct
import sys
import unittest

import checkpoints as ck
import indextts2
import inverse_specs
import language_case
import language_terms as lt

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402

SOURCES = ({"main": ""}, {"only": "model.root."}, {"a": "m.v1.", "b": "", "c": "x."})
HEAD = """\
ttsw: 1
model: inverse
revision: 1
source_dtype: f32
store: f32
layout: [h, n, out, in, k]
map:
"""


class Holder(language_case.Holder):
    def setUp(self):
        super().setUp()
        self.blob = self.dir / "x.ttsb"
        self.out = self.dir / "back.safetensors"
        self.spec = self.dir / "x.yaml"

    def compile(self, text, tensors, *more):
        self.spec.write_text(text)
        ck.write(self.dir / "x.safetensors", tensors)
        ck.ttswc("compile", "-q", self.spec, self.dir / "x.safetensors",
                 "-o", self.blob, *more)

    def inverse(self, *more, **options):
        return ck.ttswc("export", "--inverse", self.spec, self.blob, "-o", self.out,
                        *more, **options)

    def meta(self):
        raw = self.blob.read_bytes().decode("latin-1")
        at = re.search(r'\{"(about|dropped)":', raw).start()
        return json.JSONDecoder().raw_decode(raw, at)[0]


class Random(Holder):
    def check(self, rng, i):
        """What can be restored is, and nothing else: judged element by element."""
        spec = inverse_specs.Followed(rng)
        for add in (spec.add_block, spec.add_loop, spec.add_block):
            add("  ")
        given = {n: (d, s, lt.encode(d, x)) for n, (d, s, x) in spec.tensors.items()}
        want = spec.restorable()
        self.out.unlink(missing_ok=True)
        self.compile(spec.text(), given)
        _, err = self.inverse("--restorable", code=0 if want else 1)
        got = ck.read(self.out) if want else {}
        self.assertEqual(set(got), want, err)
        self.assertEqual(got, {n: given[n] for n in want})
        if i % 4 == 0 or want == set(given):
            before = self.out.read_bytes() if want else None
            _, err = self.inverse(code=0 if want == set(given) else 1)
            self.assertEqual("E0317" in err, want != set(given), err)
            self.assertEqual(self.out.read_bytes() if want else None, before)
        return len(want)

    def test_whole_language(self):
        self.sweep("inverse", 70, self.check)

    def check_bijective(self, rng, _):
        sources = rng.choice(SOURCES)
        spec = inverse_specs.Bijective(rng, sources)
        self.assertEqual(spec.restorable(), set(spec.tensors))
        self.spec.write_text(spec.text())
        given, args = spec.checkpoints(), []
        for id_, tensors in given.items():
            ck.write(self.dir / f"{id_}.safetensors", tensors)
            args += ["--source", f"{id_}={self.dir / id_}.safetensors"]
        ck.ttswc("compile", "-q", self.spec, *args, "-o", self.blob)
        several = len(sources) > 1
        out = self.dir / "back" if several else self.out
        ck.ttswc("export", "-q", "--inverse", self.spec, self.blob, "-o", out)
        for id_, tensors in given.items():
            made = out / f"{id_}.safetensors" if several else out
            self.assertEqual(ck.read(made), tensors, id_)
        return len(spec.tensors)

    def test_bijective(self):
        self.sweep("bijective", 80, self.check_bijective)


def finite(dice, dtype, shape):
    """Random bytes of a tensor, no float of which is NaN or infinite."""
    n = ck.BITS[dtype] // 8
    for s in shape:
        n *= s
    data = dice.randbytes(n)
    mask = bytes([0xbf]) * 256 if dtype[0] in "FB" else bytes([0xff]) * 256
    return dtype, shape, data.translate(bytes(i & m for i, m in enumerate(mask)))


class Large(Holder):
    def test_more_than_a_slab(self):
        dice = random.Random(5)
        given = {"t": finite(dice, "F16", [700, 900]), "b": finite(dice, "BF16", [500, 700]),
                 "q": finite(dice, "F32", [3 * 768, 256]), "i": finite(dice, "U16", [700001]),
                 "m": finite(dice, "F32", [600, 300]), "s": finite(dice, "F64", [5, 300, 90])}
        self.compile(HEAD + """\
  - split:
      - source: q [out=3*768, in=256]
        axis: out
        into:
          q.k: rope_half(768..2*768, heads=12)
          q.q: rope_half(0..768, heads=12, dims=32) as f64
          q.v: 2*768..3*768
  - tensors:
      t.weight: transpose(t f16[in=700, out=900]) [out=900, in=700]
      b.weight: concat(out, slice(b bf16[out=500, in=700], out, 3..500),
                       slice(b bf16[out=500, in=700], out, 0..3), zeros [out=12, in=700])
      i.table: i u16[n=700001] as u32
      m.weight: permute(unmerge(m [out=600, in=300], out -> n=6 * h=100), h, n, in)
                [h=100, n=6, in=300]
      s.weight: permute(s f64[k=5, in=300, out=90], out, in, k) [out=90, in=300, k=5] as f64
""", given)
        _, err = self.inverse()
        self.assertEqual((ck.read(self.out), err), (given, ""))
        first = self.out.read_bytes()
        self.inverse("--progress=always")
        self.assertEqual(self.out.read_bytes(), first)


MOVES = {"permute", "squeeze", "unsqueeze", "merge", "unmerge", "slice", "concat",
         "stack", "interleave", "rope_half", "rope_interleave", "zeros", "cast", "alias"}


class Fixtures(Holder):
    """Specs of released models, on their reduced checkpoints."""
    # Of indextts2.py: tensors that come back, out of how many.
    COUNTS = {"w2vbert": (260, 389), "w2vbert_stats": (2, 2), "semantic_codec": (119, 239),
              "campplus": (262, 937), "qwen_emo": (35, 35), "feat": (2, 2),
              "gpt": (517, 521), "s2mel": (224, 284), "bigvgan": (115, 783)}

    def possible(self):
        """Names of sources of values that only move, by META."""
        kinds = {True: set(), False: set()}
        for t in self.meta()["tensors"]:
            moves = set(re.findall(r"(\w+)\(", t["value"])) <= MOVES
            kinds[moves] |= set(t["sources"])
        return kinds[True] - kinds[False]

    def check(self, given, lost=()):
        """All that can be is restored, and without a word if that is all."""
        want = self.possible() - set(lost)
        whole = want == set(given)
        _, err = self.inverse(code=0 if whole else 1)
        self.assertEqual(self.out.exists(), whole)
        self.inverse("-q", "--restorable")
        got = ck.read(self.out)
        self.out.unlink()
        self.assertEqual(set(got), want, err)
        self.assertEqual(got, {n: given[n] for n in got})
        return len(got), len(given)

    def test_indextts2(self):
        self.assertEqual(set(self.COUNTS), set(indextts2.SOURCES))
        for source, counts in self.COUNTS.items():
            with self.subTest(source):
                files = indextts2.tiny(source)
                given = {n: t for f in files for n, t in ck.read(f).items()}
                self.spec = ck.SPECS / "indextts2" / f"{source}_tiny.yaml"
                ck.ttswc("compile", "-q", self.spec, "-o", self.blob, *files)
                self.assertEqual(self.check(given), counts)

    def test_the_other_spelling(self):
        self.spec = ck.SPECS / "indextts2" / "bigvgan_tiny_parametrized.yaml"
        path = ck.FIXTURES / "bigvgan" / "bigvgan_tiny_parametrized.safetensors"
        ck.ttswc("compile", "-q", self.spec, "-o", self.blob, path)
        self.assertEqual(self.check(ck.read(path)), (115, 783))

    def test_pipeline(self):
        """All of them in one blob; two files of one source come back as one."""
        self.spec = ck.SPECS / "indextts2" / "pipeline_tiny.yaml"
        ck.ttswc("compile", "-q", self.spec, "-o", self.blob,
                 *indextts2.given(indextts2.tiny))
        folder = self.dir / "back"
        ck.ttswc("export", "--inverse", self.spec, self.blob, "-o", folder, code=1)
        self.assertFalse(folder.exists())
        out, _ = ck.ttswc("export", "--inverse", self.spec, self.blob, "-o", folder,
                          "--restorable")
        self.assertEqual(sorted(p.stem for p in folder.iterdir()), sorted(self.COUNTS))
        lost = 0
        for source, (n, total) in self.COUNTS.items():
            given = {k: t for f in indextts2.tiny(source) for k, t in ck.read(f).items()}
            got = ck.read(folder / f"{source}.safetensors")
            self.assertEqual((len(got), len(given)), (n, total), source)
            self.assertEqual(got, {k: given[k] for k in got}, source)
            self.assertIn(f"wrote {folder}/{source}.safetensors: {n} tensors, ", out)
            lost += total - n
        self.assertIn(f"\n{lost} tensors cannot be restored\n", out)

    def wide(self, name):
        """A spec that stores floats as they are, beside what it includes."""
        path = ck.SPECS / name
        if (path.parent / "common").exists():
            shutil.copytree(path.parent / "common", self.dir / "common")
        text = re.sub(r"(?m)^store:.*", "store: f32", path.read_text())
        self.spec.write_text(text)

    def test_features(self):
        self.wide("examples/features.yaml")
        path = ck.FIXTURES / "features" / "features.safetensors"
        ck.ttswc("compile", "-q", self.spec, "-o", self.blob, path)
        self.assertEqual(self.check(ck.read(path), ["conv.weight"]), (14, 20))

    def test_vocos(self):
        """A released model, whole but for its values."""
        self.wide("community/vocos_mel_24khz.yaml")
        shapes = ck.manifest("vocos_mel_24khz")
        ck.write_sparse(self.dir / "x.safetensors", shapes)
        ck.ttswc("compile", "-q", self.spec, self.dir / "x.safetensors", "-o", self.blob)
        self.inverse("-q", "--restorable")
        self.assertEqual(
            {n: t[:2] for n, t in ck.read(self.out).items()},
            {n: t for n, t in shapes.items() if not n.startswith("feature_extractor.")})


def f32(*values):
    return "F32", [len(values)], struct.pack(f"<{len(values)}f", *values)


class Files(Holder):
    """What is written, and when nothing is."""

    def test_every_dtype(self):
        dice = random.Random(6)
        given = {"p.f4": ("F4", [4], b"\1\2"), "p.f6": ("F6_E2M3", [4], b"\1\2\3"),
                 "p.f8": ("F8_E4M3", [3], b"\1\2\3"), "p.e8": ("F8_E8M0", [1], b"\1"),
                 "p.c64": ("C64", [2], bytes(16)), "empty": ("F32", [0, 3], b""),
                 "scalar": finite(dice, "F32", []), "odd \"name\\\u00e9": f32(1, 2),
                 "flags": ("BOOL", [1, 3], b"\1\0\1"), "n": finite(dice, "I64", [3])}
        lines = [HEAD + "  - tensors:"]
        for i, (name, (dtype, shape, _)) in enumerate(given.items()):
            axes = ", ".join(["n={}", "in={}"][k + 2 - len(shape)].format(n)
                             for k, n in enumerate(shape))
            name = json.dumps(name, ensure_ascii=False).replace("'", "''")
            lines.append(f"      o{i}: '{name} {dtype.lower()}[{axes}]'")
        self.compile("\n".join(lines) + "\n", given)
        out, err = self.inverse()
        self.assertEqual(err, "")
        got = ck.read(self.out)
        self.assertEqual(got, given)
        bits = {**ck.BITS, "C64": 64, "F8_E4M3": 8, "F8_E8M0": 8, "F6_E2M3": 6, "F4": 4}
        self.assertEqual(list(got), sorted(got, key=lambda n: (-bits[got[n][0]], n.encode())))
        self.assertEqual(out, f"wrote {self.out}: {len(given)} tensors, "
                              f"{self.out.stat().st_size} bytes\n")

    def test_integers_of_other_widths(self):
        """An integer cast keeps the value: either way is undone."""
        given = {"a": ("I64", [2], struct.pack("<2q", -128, 127)),
                 "b": ("U8", [2], b"\0\xff"), "c": ("I16", [1], b"\xff\x7f")}
        self.compile(HEAD + """\
  - tensors:
      a: a i64[n=2] as i8
      b: b u8[n=2] as i16
      c: c i16[n=1] as u64
""", given)
        self.inverse()
        self.assertEqual(ck.read(self.out), given)

    def test_second_readings(self):
        """Where the first use narrows, second ones may have it all."""
        body = """\
  - tensors:
      a: w [n=8] as f16
      b: slice(also(w [n=8]), n, {}..6)
      c: slice(also(w [n=8]), n, {}..8)
"""
        given = {"w": f32(*range(8))}
        self.compile(HEAD + body.format(0, 4), given)
        self.inverse()
        self.assertEqual(ck.read(self.out), given)
        for bounds in ((1, 4), (0, 7)):
            self.out.unlink(missing_ok=True)
            self.compile(HEAD + body.format(*bounds), given)
            _, err = self.inverse(code=1)
            self.assertIn("`a` holds it as f16, which is less than its f32", err)
            self.assertFalse(self.out.exists())

    def test_second_readings_of_every_other_element(self):
        body = """\
  - tensors:
      a: w [n=8] as f16
      b: slice(unmerge(also(w [n=8]), n -> n=4 * k=2), k, 0..1)
      c: slice(unmerge(also(w [n=8]), n -> n=4 * k=2), k, {})
"""
        given = {"w": f32(*range(8))}
        for part, code in (("1..2", 0), ("0..1", 1), ("0..2", 0)):
            self.compile(HEAD + body.format(part), given)
            self.inverse(code=code)
            self.assertEqual(ck.read(self.out), given)

    def test_computed_and_empty(self):
        """Who makes nothing of a source still does not drop it."""
        self.compile(HEAD + """\
  - tensors:
      a: mul(a [out=3, in=0], b [out=3])
      c: c [n=0]
""", {"a": ("F32", [3, 0], b""), "b": f32(1, 2, 3), "c": ("F32", [0], b"")})
        _, err = self.inverse(code=1)
        self.assertIn("`b` cannot be restored: `a` is computed from it", err)
        self.inverse("--restorable")
        self.assertEqual(sorted(ck.read(self.out)), ["a", "c"])

    def test_bits_of_nan(self):
        """Kept by a copy, changed by a cast; so only the first is undone."""
        nan = struct.pack("<2I", 0x7F800001, 0xFFFFFFFF)
        given = {"a": ("F32", [2], nan), "b": ("F32", [2], nan),
                 "c": ("F16", [1], b"\0\x7c")}
        body = HEAD + """\
  - tensors:
      a: a [n=2] allow_nonfinite
      b: b [n=2] allow_nonfinite as f64
      c: c f16[n=1] allow_nonfinite
"""
        self.compile(body, given)
        _, err = self.inverse(code=1)
        self.assertIn("`b` cannot be restored: `b` holds it as f64, and it may hold NaN, "
                      "whose bits a cast changes\n", err)
        self.assertIn("`c` cannot be restored: `c` holds it as f32, and it", err)
        self.inverse("--restorable")
        self.assertEqual(ck.read(self.out), {"a": given["a"]})

    def test_what_else_meta_says(self):
        given = {"a": f32(1)}
        self.compile(HEAD.replace("map:", "about: {license: MIT, source: none}\nmap:")
                     + "  - tensors: {a: 'a [n=1]'}\n", given)
        self.assertIn("about", self.meta())
        self.inverse()
        self.assertEqual(ck.read(self.out), given)

    def test_too_many_pieces(self):
        """Four digits of one axis turn around, in two halves."""
        n = 52 ** 4
        lines = [f"      {x}: permute(unmerge(slice(w u8[n={2 * n}], n, {lo}..{lo + n}), "
                 "n -> k=52 * in=52 * out=52 * h=52), h, out, in, k) "
                 "[h=52, out=52, in=52, k=52]" for x, lo in (("a", 0), ("b", n))]
        for part, code in ((lines, 1), ([lines[0].replace("slice(", "", 1).replace(
                f"n={2 * n}", f"n={n}").replace(f", n, 0..{n})", "")], 0)):
            given = {"w": ("U8", [n * len(part)], random.Random(3).randbytes(n * len(part)))}
            self.compile(HEAD + "\n".join(["  - tensors:", *part]) + "\n", given)
            _, err = self.inverse(code=code)
            self.assertEqual("`w` cannot be restored: it lies in too many pieces" in err,
                             code == 1, err)
            self.assertTrue(code or ck.read(self.out) == given)

    def test_patterns(self):
        given = {"a.x": f32(1), "a.y": f32(2), "b": f32(3)}
        self.compile(HEAD + """\
  - tensors:
      x: a.x [n=1]
      y: exp(a.y [n=1])
      z: b [n=1] as f16
""", given)
        for patterns, names in ((["a.x"], ["a.x"]), (["*.x", "a.?"], None),
                                (["b"], None)):
            self.out.unlink(missing_ok=True)
            _, err = self.inverse(*patterns, code=0 if names else 1)
            self.assertEqual("`b` cannot" in err, "b" in patterns)
            if names:
                self.assertEqual(ck.read(self.out), {n: given[n] for n in names})
            else:
                self.assertFalse(self.out.exists())
        _, err = self.inverse("c*", "--restorable", code=1)
        self.assertIn("E0707]: no tensor matches `c*`", err)
        _, err = self.inverse("b", "--restorable", code=1)
        self.assertIn("E0707]: no tensor is left to export", err)

    def test_absent_and_missing(self):
        body = HEAD + """\
  - tensors:
      x: a [n=1]
      y: b [n=1] optional
      z: stack(n, slice(c [n=2], n, 0..1), d [k=1]) [n=2, k=1]
      w: slice(also(c [n=2]), n, 0..1)
    split:
      - {source: "e [n=2]", axis: n, into: {u: 0, v: 1}}
""".replace("stack(n, slice(c [n=2], n, 0..1), d [k=1]) [n=2, k=1]",
            "concat(n, c [n=2], d [n=1])")
        given = {n: f32(*v) for n, v in (("a", [1]), ("c", [3, 4]), ("d", [5]),
                                         ("e", [6, 7]))}
        self.compile(body, given)
        _, err = self.inverse()
        self.assertEqual(ck.read(self.out), given)
        self.assertIn("warning[W0311]: `y` is ABSENT", err)
        del given["d"]
        self.out.unlink()
        self.compile(body, given, "--allow-partial-weights")
        _, err = self.inverse(code=1)
        self.assertIn("TTSB_IS_PARTIAL", err)
        _, err = self.inverse("--allow-partial-weights", code=1)
        for name in "cd":
            self.assertIn(f"error[E0317]: `{name}` cannot be restored: `z` is MISSING", err)
        self.assertFalse(self.out.exists())
        self.inverse("--allow-partial-weights", "--restorable")
        self.assertEqual(ck.read(self.out), {n: given[n] for n in "ae"})

    def test_absent_and_dropped_exchanged(self):
        """The same contract; but what is optional here was dropped there."""
        body = """\
  - tensors:
      x: x [n=2]
      y: {} [n=2] optional
    drop:
      {} [n=2]: not wanted
"""
        given = {"x": f32(1, 2), "b": f32(3, 4)}
        self.compile(HEAD + body.format("a", "b"), given)
        self.spec.write_text(HEAD + body.format("b", "a"))
        for more in ((), ("--restorable",)):
            _, err = self.inverse(*more, code=1)
            self.assertIn("E0709", err)
            self.assertIn("`b` is dropped in the blob and used in the spec", err)

    def test_a_missing_output_and_a_second_reading(self):
        given = {"c": f32(3, 4)}
        self.compile(HEAD + """\
  - tensors:
      z: concat(n, c [n=2], d [n=1])
      w: also(c [n=2])
""", given, "--allow-partial-weights")
        _, err = self.inverse("--allow-partial-weights", "--restorable")
        self.assertEqual(ck.read(self.out), given)
        self.assertIn("`d` cannot be restored", err)
        self.assertNotIn("`c`", err)


if __name__ == "__main__":
    unittest.main()

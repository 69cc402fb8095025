#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ttswc draft`: a draft covers its checkpoint exactly, loops and all.

Each `?` of a draft gets the name of its place, a0, a1, ...; then `check` must
find every tensor of the checkpoint used, once. A branch folded wrongly would be
a missing tensor, an unclaimed one or another shape."""
import pathlib
import re
import tempfile
import unittest
from random import Random

import checkpoints as ck

MANIFESTS = sorted(p.stem for p in (ck.FIXTURES / "manifests").glob("*.lock"))


def name_axes(draft):
    """Every axis named by its place in its type."""
    def of_type(match):
        sizes = match[0].split("?=")
        return sizes[0] + "".join(f"a{i}={s}" for i, s in enumerate(sizes[1:]))
    named = re.sub(r"\[\?=[^]]*\]", of_type, draft)
    return named.replace('layout: ["?"]', "layout: [a0, a1, a2, a3, a4, a5, a6, a7]")


def random_tree(random, depth):
    """{name: size}; a layer is like its neighbour, or a little otherwise."""
    out = {}
    for word in random.sample(["a", "b", "int", "c-d", "7", "x"], random.randint(1, 3)):
        layer = random_tree(random, depth - 1) if depth and random.random() < 0.8 else {"": 2}
        for i in range(random.choice([1, 2, 3, 12]) if depth > 1 else 1):
            if random.random() < 0.2:
                layer = {k: random.choice([2, 2, 3]) for k in layer}
            if random.random() < 0.1:
                layer["w"] = 2
            out |= {".".join(filter(None, [word, str(i), k])): v for k, v in layer.items()}
    return out


class Draft(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def draft(self, *checkpoint):
        out, err = ck.ttswc("draft", *checkpoint)
        self.assertEqual(err, "")
        return out

    def check(self, draft, *checkpoint, code=0):
        spec = self.dir / "spec.yaml"
        spec.write_text(draft)
        return ck.ttswc("check", spec, *checkpoint, code=code)

    def lock(self, *lines):
        path = self.dir / "names.lock"
        path.write_text("ttsw-lock 1\n" + "".join(f"{x}\n" for x in lines))
        return path

    def covered(self, count, *checkpoint):
        """The draft, after it was seen to cover and to be refused as it is."""
        draft = self.draft(*checkpoint)
        _, err = self.check(draft, *checkpoint, code=1)
        self.assertEqual(err.count("error["), 1, err)
        self.assertIn("this is a draft: its axes have no names yet", err)
        self.assertIn(f"{draft.count('?=')} `?=` in types", err)
        out, err = self.check(name_axes(draft), *checkpoint)
        self.assertRegex(out, rf" {count}/{count}\n\Z")
        self.assertEqual(err, "")
        return draft

    def test_every_manifest(self):
        self.assertGreater(len(MANIFESTS), 20)
        for name in MANIFESTS:
            with self.subTest(name):
                self.covered(len(ck.manifest(name)), ck.lock(name))

    def test_loops_are_found(self):
        draft = self.covered(665, ck.lock("gpt"))
        self.assertIn("  - for: {i: 0..N3}\n    from: gpt.h.{i}.\n    to: gpt.h.{i}.\n", draft)
        self.assertIn("  N3: 24    # gpt.h.{i}\n", draft)
        self.assertEqual(draft.count("attn.c_attn.weight"), 2)

    def test_a_checkpoint_and_its_lock(self):
        path = ck.FIXTURES / "gpt" / "gpt_tiny.safetensors"
        lock = self.dir / "gpt_tiny.lock"
        ck.ttswc("lock", path, "-o", lock)
        self.assertEqual(self.covered(521, path), self.covered(521, lock))

    def test_irregular_layers_stand_apart(self):
        lock = self.lock(*sorted([
            "l.0.w f32 [2]", "l.1.w f32 [2]", "l.2.w f32 [3]", "l.4.w f32 [3]",
            "l.5.w f32 [3]", "l.7.w f16 [3]", "l.8.w f16 [3]", "l.9.v f16 [3]"]))
        draft = self.covered(8, lock)
        self.assertEqual(re.findall(r"for: (.*)", draft),
                         ["{i: 0..N0}", "{i: 4..6}", "{i: 7..9}"])
        self.assertIn("l.2.w: l.2.w [?=3]", draft)
        self.assertIn("l.9.v: l.9.v f16[?=3]", draft)

    def test_nested_loops(self):
        draft = self.covered(24, self.lock(*sorted(
            f"a.{i}.b.{k}.{x} f32 [4,2]" for i in range(3) for k in range(4) for x in "vw")))
        self.assertIn("  - for: {i: 0..N0}\n    from: a.{i}.\n    to: a.{i}.\n    body:\n"
                      "      - for: {j: 0..N1}\n        from: b.{j}.\n", draft)
        self.assertEqual(draft.count("?="), 4)

    def test_tensors_as_a_loop(self):
        draft = self.covered(3, self.lock(*(f"w.{i} f32 []" for i in range(3))))
        self.assertIn("      w.{i}: w.{i} []\n", draft)

    def test_random_trees(self):
        """Layers that are equal but for a few."""
        loops = 0
        for seed in range(40):
            shapes = random_tree(Random(seed), 3)
            lines = [f"{n} f32 [{shapes[n]}]" for n in sorted(shapes, key=str.encode)]
            with self.subTest(seed):
                loops += self.covered(len(lines), self.lock(*lines)).count("for: ")
        self.assertGreater(loops, 100)

    def test_hints_are_words(self):
        hifi = self.draft(ck.lock("bigvgan"))
        self.assertRegex(hifi, r"# \S+: weight_g and weight_v look like a weight norm")
        self.assertIn("look like a BatchNorm", self.draft(ck.lock("campplus")))
        self.assertIn("original0 and original1 look", self.draft(ck.lock("mms_tts_eng"))
                      + self.draft(ck.lock("cosyvoice2_0.5b_hift")))

    def test_targets_are_members(self):
        """Where a source's name is no member, its target is one beside it."""
        lock = self.lock(*sorted([
            "0.weight f32 [2]", "1.weight f32 [2]", "a.double f32 [2]", "a.double_ f32 [2]",
            "b f32 [2]", "b.0 f32 [2]", "b.1 f32 [2]", "b.n_1 f32 [2]", "b.value f32 [2]",
            "c-d f32 [2]", "c_d f32 [2]", "e..f f32 [2]", '"g h/{i}.\\\\\\"x" f32 [2]',
            '"\\u4e2d.w" f32 [2]', "int f32 [2]", "x.0.in f32 [2]", "x.1.in f32 [2]",
            "x.y f32 [2]", "z. f32 [2]", "ttsb_a f32 [2]"], key=self.name_of))
        draft = self.covered(20, lock)
        for line in ("nttsb_a: ttsb_a [?=2]", "a.double__: a.double [?=2]", "a.double_: a.double_ [?=2]",
                     "b.value_: b [?=2]", "b.value: b.value [?=2]", "b.n{i}: b.{i} [?=2]",
                     "c_d_: c-d [?=2]", "to: n{i}.", "to: x.n{i}.", "int_: int [?=2]",
                     """g_h__i_._"x: '"g h/\\{i}.\\\\\\"x" [?=2]'""".replace('_"x', "n__x"),
                     "z._: z. [?=2]"):
            self.assertIn(line, draft)

    @staticmethod
    def name_of(line):
        name = line.split(" f32 ")[0]
        return (eval(name) if name[0] == '"' else name).encode()

    def test_what_no_line_can_have(self):
        """It is said, and `check` misses it."""
        lock = self.lock("\"it's.0\" f32 [2]", "\"it's.1\" f32 [2]",
                         "nine f32 [1,1,1,1,1,1,1,1,1]", "w f32 [2]", '"x\\u000ay" f32 [2]')
        draft = self.draft(lock)
        self.assertIn('# left out: "it\'s" (2 tensors): a byte of its name', draft)
        self.assertIn("# left out: nine (1 tensor): it has more axes", draft)
        self.assertIn('# left out: "x\\u000ay" (1 tensor)', draft)
        out, err = self.check(name_axes(draft), lock, code=1)
        self.assertIn("1/1, 4 unclaimed", out)
        self.assertIn("E0302", err)
        out, _ = ck.ttswc("draft", lock, "-o", self.dir / "d.yaml")
        self.assertIn("5 tensors in 1 line, 0 loops, 4 left out", out)

    def test_axes_left_behind(self):
        """`layout:` was filled, a type was not."""
        lock = self.lock("v f32 [2]", "w f32 [2,3]")
        draft = name_axes(self.draft(lock)).replace("a1=3", "?=3")
        _, err = self.check(draft, lock, code=1)
        self.assertIn("error[E0201]: this axis has no name yet", err)
        self.assertEqual(err.count("error["), 1)

    def test_output(self):
        lock = self.lock("w f32 [2]")
        before = lock.read_text()
        ck.ttswc("draft", lock, "-o", lock, code=3)
        self.assertEqual(lock.read_text(), before)
        out, _ = ck.ttswc("draft", "-q", lock, "-o", self.dir / "d.yaml")
        self.assertEqual((out, (self.dir / "d.yaml").read_text()), ("", self.draft(lock)))

    def test_store_is_a_float(self):
        self.assertIn("source_dtype: i64\nstore: f32 ", self.draft(self.lock("w i64 [2]")))
        self.assertIn("source_dtype: bf16\nstore: bf16 ", self.draft(ck.lock("qwen_emo")))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""A checkpoint in one file, in several, in a folder, behind an index or behind
the links of a hub's cache is one checkpoint: the same blob, byte for byte."""
import json
import math
import os
import pathlib
import struct
import tempfile
import unittest

import checkpoints as ck

SPEC = """\
ttsw: 1
model: pipeline
revision: 1
source_dtype: f32
store: {matrix: f16, vector: f32}
layout: [out, in]
groups: [{name: text}, {name: vocoder}]
sources:
  text: {root: model.}
  vocoder: {}
templates:
  layer:
    params: [IN]
    body:
      - tensors:
          weight: weight_norm(weight, keep=out) [out=3, in=IN]
          bias: bias [out=3]
        drop:
          steps i64[]: a counter
map:
  - for: {i: 0..2}
    use: layer
    with: {IN: 4}
    source: text
    group: text
    from: h.{i}.
    to: h.{i}.
  - {use: layer, with: {IN: 2}, source: vocoder, group: vocoder, from: h.0., to: head.}
"""
CASES = (("indextts2/bigvgan_tiny.yaml", "bigvgan/bigvgan_tiny.safetensors"),
         ("indextts2/gpt_tiny.yaml", "gpt/gpt_tiny.safetensors"),
         ("examples/features.yaml", "features/features.safetensors"))


def shard(folder, tensors, count, base="model"):
    """Deals tensors out to `count` shards of a folder; the names of the shards."""
    folder.mkdir(exist_ok=True)
    names = [f"{base}-{i + 1:05d}-of-{count:05d}.safetensors" for i in range(count)]
    dealt = {name: list(tensors)[i::count] for i, name in enumerate(names)}
    for name, keys in dealt.items():
        ck.write(folder / name, {k: tensors[k] for k in keys})
    # Twice the tensors' bytes: total_size is not believed.
    text = {"metadata": {"total_size": 2 * sum(len(t[2]) for t in tensors.values())},
            "weight_map": {k: name for name, keys in dealt.items() for k in keys}}
    (folder / f"{base}.safetensors.index.json").write_text(json.dumps(text, indent=2))
    return names


class InAFolder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def compile(self, spec, *args):
        out = self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / spec, *args, "-o", out)
        return out.read_bytes()

    def refused(self, *args):
        """What `ttswc check` says of a checkpoint that it refuses."""
        out, err = ck.ttswc("check", ck.SPECS / CASES[1][0], *args, code=1,
                            cwd=self.dir)
        self.assertEqual(out, "")
        return err


class OneBlob(InAFolder):
    def test_one_file_many_files_folder_index(self):
        for spec, fixture in CASES:
            with self.subTest(spec):
                want = self.compile(spec, ck.FIXTURES / fixture)
                folder = self.dir / pathlib.Path(fixture).stem
                names = shard(folder, ck.read(ck.FIXTURES / fixture), 3)
                index = folder / "model.safetensors.index.json"
                paths = [folder / n for n in names]
                for args in ([folder], [f"{folder}/"], [index], paths, paths[::-1]):
                    self.assertEqual(self.compile(spec, *args), want, args)
                index.unlink()
                self.assertEqual(self.compile(spec, folder), want)
                self.assertEqual(self.compile(spec, folder, "-j3"), want)

    def test_part_in_a_folder_part_in_a_file(self):
        spec, fixture = CASES[1]
        tensors = ck.read(ck.FIXTURES / fixture)
        keys = list(tensors)
        shard(self.dir / "some", {k: tensors[k] for k in keys[:5]}, 2)
        ck.write(self.dir / "rest.safetensors", {k: tensors[k] for k in keys[5:]})
        self.assertEqual(
            self.compile(spec, self.dir / "rest.safetensors", self.dir / "some"),
            self.compile(spec, ck.FIXTURES / fixture))

    def test_links_of_a_cache(self):
        spec, fixture = CASES[1]
        names = shard(self.dir / "plain", ck.read(ck.FIXTURES / fixture), 2)
        blobs, snapshot = self.dir / "blobs", self.dir / "snapshots" / "0123"
        blobs.mkdir()
        snapshot.mkdir(parents=True)
        for i, name in enumerate([*names, "model.safetensors.index.json"]):
            os.rename(self.dir / "plain" / name, blobs / f"{i:064x}")
            os.symlink(f"../../blobs/{i:064x}", snapshot / name)
        (self.dir / "main").symlink_to("snapshots/0123")
        want = self.compile(spec, ck.FIXTURES / fixture)
        for args in ([snapshot], [snapshot / "model.safetensors.index.json"],
                     [snapshot / n for n in names], [self.dir / "main"]):
            self.assertEqual(self.compile(spec, *args), want, args)
        target = blobs / f"{0:064x}"
        before = target.read_bytes()
        err = ck.ttswc("compile", ck.SPECS / spec, snapshot, "-o", target, code=3)[1]
        self.assertIn("error[E0704]: cannot write: it is an input", err)
        self.assertEqual(target.read_bytes(), before)
        (blobs / f"{1:064x}").unlink()
        self.assertIn(f"1 shard is missing: `{names[1]}`", self.refused(snapshot))


class Refused(InAFolder):
    def setUp(self):
        super().setUp()
        self.tensors = ck.read(ck.FIXTURES / CASES[1][1])
        self.names = shard(self.dir / "c", self.tensors, 3)
        self.index = self.dir / "c" / "model.safetensors.index.json"

    def edit(self, change):
        index = json.loads(self.index.read_text())
        change(index["weight_map"])
        self.index.write_text(json.dumps(index))

    def edit_all(self, weights):
        self.index.write_text(json.dumps({"weight_map": weights}))

    def test_the_map_is_the_truth(self):
        first, second = list(self.tensors)[:2]

        def change(weights):
            weights[first] = self.names[2]
            del weights[second]
            weights["ghost"] = self.names[1]

        self.edit(change)
        err = self.refused("c")
        self.assertIn("1 tensor of the index is in no shard: `ghost`\n", err)
        self.assertIn("1 tensor is in another shard than the index says: "
                      f"`{first}`\n", err)
        self.assertIn(f"`{first}` is in c/{self.names[0]}; the index puts it in "
                      f"c/{self.names[2]}\n", err)
        self.assertIn(f"1 tensor of the shards is not in the index: `{second}`\n",
                      err)
        self.assertIn("ttswc: 3 errors", err)

    def test_missing_and_extra(self):
        (self.dir / "c" / self.names[1]).rename(self.dir / "c" / "away.safetensors")
        (self.dir / "c" / "model-old.safetensors").write_bytes(b"")
        err = self.refused("c")
        self.assertIn(f"1 shard is missing: `{self.names[1]}`\n", err)
        self.assertIn("2 extra files beside the shards: `away.safetensors`, "
                      "`model-old.safetensors`\n", err)
        err = self.refused("c/model.safetensors.index.json")
        self.assertIn("1 extra file beside the shards: `model-old.safetensors`\n",
                      err)

    def test_a_tensor_in_two_shards(self):
        path = self.dir / "c" / self.names[2]
        name = sorted(ck.read(self.dir / "c" / self.names[0]))[0]
        ck.write(path, {**ck.read(path), name: self.tensors[name]})
        err = self.refused("c")
        self.assertIn(f"1 tensor is in more than one file: `{name}`\n", err)
        self.assertIn(f"`{name}` is in c/{self.names[0]}, too\n", err)
        self.assertIn("ttswc: 1 error", err)

    def test_tensors_in_many_shards(self):
        """Each counts once, in however many files it is."""
        for name in ("x", "y"):
            ck.write(self.dir / "c" / f"{name}.safetensors", self.tensors)
        self.index.unlink()
        err = self.refused("c")
        n, first = len(self.tensors), sorted(self.tensors)[:3]
        self.assertIn(f"{n} tensors are in more than one file: `" +
                      "`, `".join(first) + f"` and {n - 3} more\n", err)
        for path in (self.dir / "c").glob("model-*"):
            path.unlink()
        self.edit_all({first[0]: "x.safetensors", first[1]: "y.safetensors"})
        self.assertIn(f"{n - 2} tensors of the shards are not in the index: `",
                      self.refused("c"))

    def test_the_same_file_twice(self):
        path = ck.FIXTURES / CASES[1][1]
        err = self.refused(path, path)
        self.assertIn(f"{len(self.tensors)} tensors are in more than one file: ", err)

    def test_findings_do_not_depend_on_the_folder(self):
        """Bad files made in two orders; what is said is in the order of names."""
        said = set()
        for names in ("dacb", "bcad"):
            for name in names:
                path = self.dir / "bad" / f"{name}.safetensors"
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(b"bad")
            said.add(self.refused("bad"))
            for name in names:
                (self.dir / "bad" / f"{name}.safetensors").unlink()
        self.assertEqual(len(said), 1)
        lines = [x for x in said.pop().splitlines() if "E0701" in x]
        self.assertEqual([x[4:5] for x in lines], list("abcd"))

    def test_too_many_files(self):
        for i in range(1001):
            (self.dir / "c" / f"x{i}.safetensors").touch()
        self.index.unlink()
        self.assertIn("c: error[E0702]: 1004 files; at most 1000 are possible\n",
                      self.refused("c"))

    def test_a_large_index(self):
        with open(self.index, "ab") as file:
            file.truncate(100_000_001)
        self.assertIn("error[E0702]: the index is larger than 100 MB\n",
                      self.refused("c"))

    def test_a_shard_that_is_a_folder(self):
        path = self.dir / "c" / self.names[1]
        path.unlink()
        path.mkdir()
        err = ck.ttswc("check", ck.SPECS / CASES[1][0], "c", code=3, cwd=self.dir)[1]
        self.assertIn(f"c/{self.names[1]}: error[E0705]: cannot read: not a regular "
                      "file\n", err)

    def test_links_that_lead_nowhere(self):
        (self.dir / "loop.safetensors").symlink_to("loop.safetensors")
        err = ck.ttswc("check", ck.SPECS / CASES[1][0], "loop.safetensors", code=3,
                       cwd=self.dir)[1]
        self.assertIn("loop.safetensors: error[E0705]: cannot read: ", err)
        (self.dir / "c" / "x.safetensors").symlink_to("nowhere")
        self.index.unlink()
        err = ck.ttswc("check", ck.SPECS / CASES[1][0], "c", code=3, cwd=self.dir)[1]
        self.assertIn("c/x.safetensors: error[E0705]: cannot read: No such file", err)


def floats(shape, first):
    n = math.prod(shape)
    return ("F32", shape, struct.pack(f"<{n}f", *(first + i / 8 for i in range(n))))


def layer(prefix, width, first):
    return {f"{prefix}weight_g": floats([3, 1], first),
            f"{prefix}weight_v": floats([3, width], first + 1),
            f"{prefix}bias": floats([3], first + 2),
            f"{prefix}steps": ("I64", [], struct.pack("<q", 7))}


def meta(blob):
    """META as an object; it is the last of seven sections (FORMAT.md)."""
    offset, size = struct.unpack_from("<QQ", blob, 256 + 40 * 6 + 8)
    return json.loads(blob[offset:offset + size])


class Sources(InAFolder):
    """Two checkpoints in one blob, with a name that both of them have."""

    def setUp(self):
        super().setUp()
        self.spec = self.dir / "spec.yaml"
        self.spec.write_text(SPEC.replace("layout:", "weight_norm: legacy\nlayout:"))
        self.text = {**layer("model.h.0.", 4, 1), **layer("model.h.1.", 4, 2)}
        self.vocoder = layer("h.0.", 2, 3)
        ck.write(self.dir / "t.safetensors", self.text)
        ck.write(self.dir / "v.safetensors", self.vocoder)

    def run_it(self, *args, command="compile", **options):
        more = ("-o", "out.ttsb") if command == "compile" else ()
        return ck.ttswc(command, self.spec, *args, *more, cwd=self.dir, **options)

    def blob(self, *args):
        self.run_it(*args, "-q")
        return (self.dir / "out.ttsb").read_bytes()

    def test_each_takes_its_own(self):
        self.blob("--source", "text=t.safetensors", "--source=vocoder=v.safetensors")
        values = ck.blob(self.dir / "out.ttsb")["values"]
        for target, tensors, name in (
                ("h.0.bias", self.text, "model.h.0.bias"),
                ("h.1.bias", self.text, "model.h.1.bias"),
                ("head.bias", self.vocoder, "h.0.bias")):
            self.assertEqual(values[target][2], tensors[name][2], target)
        self.assertEqual(values["head.weight"][1], [3, 2])

    def test_meta(self):
        found = meta(self.blob("--source", "text=t.safetensors",
                               "--source", "vocoder=v.safetensors"))
        ours = [("text", n) for n in sorted(self.text)]
        ours += [("vocoder", n) for n in sorted(self.vocoder)]
        for key, dropped in (("dropped", True), ("sources", False)):
            self.assertEqual([(x["source"], x["name"]) for x in found[key]],
                             [x for x in ours if x[1].endswith("steps") == dropped])
            for x in found[key]:
                self.assertEqual(list(x), sorted(x))
        sources = {t["name"]: t["sources"] for t in found["tensors"]}
        self.assertEqual(sources["h.1.bias"], ["text:model.h.1.bias"])
        self.assertEqual(sources["head.weight"], ["vocoder:h.0.weight_g",
                                                  "vocoder:h.0.weight_v"])
        plain = meta(self.compile(CASES[1][0], ck.FIXTURES / CASES[1][1]))
        self.assertNotIn("source", plain["sources"][0])

    def test_files_and_order_do_not_matter(self):
        want = self.blob("--source", "text=t.safetensors",
                         "--source", "vocoder=v.safetensors")
        names = shard(self.dir / "c", self.text, 2)
        shard(self.dir / "d", self.vocoder, 3)
        for args in (["vocoder=v.safetensors", "text=t.safetensors"],
                     ["text=c", "vocoder=d"],
                     [f"text=c/{names[1]}", "vocoder=d", f"text=c/{names[0]}"],
                     ["text=c/model.safetensors.index.json", "vocoder=v.safetensors"]):
            self.assertEqual(self.blob(*(f"--source={a}" for a in args)), want, args)

    def test_one_file_for_both_is_two_checkpoints(self):
        ck.write(self.dir / "all.safetensors", {**self.text, **self.vocoder})
        err = self.run_it("--source=text=all.safetensors",
                          "--source=vocoder=all.safetensors", code=1)[1]
        # The four of the vocoder, and four times the two of the text model.
        self.assertEqual(err.count("error[E0302]"), 8)
        self.assertEqual(err.count("error["), 8)

    def test_exchanged(self):
        out, err = self.run_it("--source=text=v.safetensors",
                               "--source=vocoder=t.safetensors", command="check",
                               code=1)
        self.assertEqual(out.splitlines()[0].split(",")[0], "text 0/8")
        self.assertIn("no tensor `model.h.0.bias` in the checkpoint `text`", err)
        self.assertIn("write `root: model.` on `vocoder` in `sources:`", err)

    def test_what_is_written_is_no_input(self):
        shard(self.dir / "d", self.vocoder, 2)
        for target in ("t.safetensors", "d/model.safetensors.index.json",
                       "d/model-00002-of-00002.safetensors", "spec.yaml"):
            before = (self.dir / target).read_bytes()
            err = ck.ttswc("compile", "spec.yaml", "--source=text=t.safetensors",
                           "--source=vocoder=d", "-o", target, cwd=self.dir,
                           code=3)[1]
            self.assertIn(f"{target}: error[E0704]: cannot write: it is an input",
                          err)
            self.assertEqual((self.dir / target).read_bytes(), before)

    def test_header_needs_none(self):
        ck.ttswc("header", self.spec, "-o", self.dir / "pipeline.h")
        text = (self.dir / "pipeline.h").read_text()
        self.assertIn("struct pipeline_weights", text)


if __name__ == "__main__":
    unittest.main()

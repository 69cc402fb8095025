#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ttswc lock`: one text for a checkpoint however it lies in files, which stands
wherever no weight is needed; and what `inspect` shows of many files."""
import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck
from test_shards import shard

sys.path.insert(0, str(ck.HERE / "reader"))
import ttsb_reader                                         # noqa: E402

GPT = ck.FIXTURES / "gpt" / "gpt_tiny.safetensors"
QWEN = ck.FIXTURES / "qwen" / "qwen_tiny.safetensors"
MANIFESTS = sorted((ck.FIXTURES / "manifests").glob("*.lock"))


def without_comments(path):
    lines = path.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if line[0] != "#")


class Temporary(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)


class Lock(Temporary):
    def test_what_it_says(self):
        for path in (GPT, QWEN):
            lines = ck.ttswc("lock", path)[0].splitlines()
            self.assertEqual(lines[0], "ttsw-lock 1")
            self.assertEqual(
                [(n, d, json.loads(s)) for n, d, s in map(str.split, lines[1:])],
                sorted((n, t[0].lower(), t[1]) for n, t in ck.read(path).items()))

    def test_manifests_are_as_written(self):
        for path in MANIFESTS:
            self.assertEqual(ck.ttswc("lock", path)[0], without_comments(path))

    def test_one_text_for_all_ways_to_lie(self):
        """One file, shards, a folder, an index, files by name, a lock of them."""
        names = shard(self.dir / "ckpt", ck.read(GPT), 3)
        folder = self.dir / "ckpt"
        parts = [self.dir / f"{i}.lock" for i in range(3)]
        for name, part in zip(names, parts):
            ck.ttswc("lock", folder / name, "-o", part)
        whole = ck.ttswc("lock", GPT)[0]
        for given in ([folder], [folder / "model.safetensors.index.json"],
                      [folder / n for n in reversed(names)], reversed(parts)):
            self.assertEqual(ck.ttswc("lock", *given), (whole, ""))
        digests = ck.ttswc("lock", "--digest", GPT)[0]
        for jobs in ("1", "3"):
            self.assertEqual(ck.ttswc("lock", "--digest", "-j", jobs, folder)[0], digests)
        self.assertEqual(re.sub(" [0-9a-f]{32}\n", "\n", digests), whole)

    def test_digests_are_those_of_meta(self):
        for spec, path in (("indextts2/gpt_tiny.yaml", GPT), ("indextts2/qwen_emo_tiny.yaml", QWEN)):
            blob = self.dir / "x.ttsb"
            ck.ttswc("compile", "-q", ck.SPECS / spec, path, "-o", blob)
            meta = json.loads(ttsb_reader.Blob(blob.read_bytes()).sections["meta"].data.tobytes())
            said = dict(line.split()[::3] for line in
                        ck.ttswc("lock", "--digest", path)[0].splitlines()[1:])
            used = {s["name"]: s["digest"] for s in meta["sources"]}
            self.assertGreater(len(used), 30)
            self.assertEqual({n: said[n] for n in used}, used)

    def test_digest_of_large_and_empty(self):
        """Slabs meet at pieces, whoever hashes them; rank is no limit."""
        ck.write(self.dir / "a.safetensors", {
            "large": ("U8", [(1 << 20) * 3 + 5], bytes(range(256)) * 12288 + b"abcde"),
            "none": ("F32", [0, 3], b""), "deep": ("F32", [1] * 40, b"abcd")})
        one = ck.ttswc("lock", "--digest", "-j1", self.dir / "a.safetensors")[0]
        self.assertEqual(ck.ttswc("lock", "--digest", "-j4", self.dir / "a.safetensors")[0], one)
        ck.write(self.dir / "b.safetensors", {
            "large": ("U8", [(1 << 20) * 3 + 5], bytes(range(256)) * 12288 + b"abcdf"),
            "none": ("F32", [0, 3], b""), "deep": ("F32", [1] * 40, b"abcd")})
        other = ck.ttswc("lock", "--digest", self.dir / "b.safetensors")[0]
        self.assertEqual([a == b for a, b in zip(one.splitlines(), other.splitlines())],
                         [True, True, False, True])

    def test_headers_only(self):
        """Data may be a hole of 400 GB; nothing of it is read."""
        path = self.dir / "huge.safetensors"
        ck.write_sparse(path, {"w": ("F32", [100000, 1000000])})
        self.assertEqual(ck.ttswc("lock", path)[0], "ttsw-lock 1\nw f32 [100000,1000000]\n")
        for view in ([], ["--tree"], ["--summary"], ["--names-only"]):
            ck.ttswc("inspect", *view, path)

    def test_a_blob(self):
        blob = self.dir / "x.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / "indextts2/qwen_emo_tiny.yaml", QWEN, "-o", blob)
        info = json.loads(ck.ttswc("inspect", "--json", blob)[0])
        lines = ck.ttswc("lock", "--digest", blob)[0].splitlines()[1:]
        self.assertEqual([x.split()[0] for x in lines],
                         sorted(t["name"] for t in info["tensors"]))

    def test_what_has_no_value(self):
        spec = self.dir / "s.yaml"
        spec.write_text("ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
                        "layout: [a]\nmap:\n  - tensors:\n      v: v [a=2]\n"
                        "      w: w [a=2] optional\n")
        ck.write(self.dir / "v.safetensors", {"v": ("F32", [2], bytes(8))})
        ck.ttswc("compile", "-q", spec, self.dir / "v.safetensors", "-o", self.dir / "x.ttsb")
        self.assertEqual(ck.ttswc("lock", self.dir / "x.ttsb")[0],
                         "ttsw-lock 1\nv f32 [2]\nw f32 [2]\n")
        _, err = ck.ttswc("lock", "--digest", self.dir / "x.ttsb", code=1)
        self.assertIn("error[E0707]: `w` is ABSENT, so that there is no digest of it", err)

    def test_unreadable(self):
        cut = self.dir / "cut.safetensors"
        cut.write_bytes(GPT.read_bytes()[:-1])
        ck.ttswc("lock", cut, code=1)
        ck.ttswc("lock", self.dir / "none.safetensors", code=3)
        ck.ttswc("lock", GPT, "-o", self.dir / "no" / "x.lock", code=3)
        shutil.copy(GPT, self.dir / "w.safetensors")
        ck.ttswc("lock", GPT, self.dir / "w.safetensors", code=1)      # names twice

    def test_progress(self):
        _, err = ck.ttswc("lock", "--digest", "--progress=always", GPT)
        self.assertIn("100 %", err)

    def test_too_large(self):
        names = [f"{'n' * 250}.{i:05d}" for i in range(70000)]
        with open(self.dir / "x.lock", "w", encoding="ascii") as file:
            file.write("ttsw-lock 1\n" + "".join(f"{n} f32 [1]\n" for n in names))
        _, err = ck.ttswc("inspect", self.dir / "x.lock", code=1)
        self.assertIn("error[E0710]: the lock is larger than 16 MiB", err)
        ck.write_sparse(self.dir / "x.safetensors", {n: ("F32", [1]) for n in names})
        _, err = ck.ttswc("lock", self.dir / "x.safetensors", code=1)
        self.assertIn("error[E0710]: the lock would be larger than 16 MiB", err)


class InPlaceOfACheckpoint(Temporary):
    def test_findings_are_the_same(self):
        """With a tensor renamed, another of another shape."""
        tensors = ck.read(GPT)
        tensors["gpt.h.3.ln_1.wait"] = tensors.pop("gpt.h.3.ln_1.weight")
        dtype, shape, data = tensors["gpt.wte.weight" if "gpt.wte.weight" in tensors
                                     else "final_norm.weight"]
        tensors["final_norm.weight"] = (dtype, [1] + shape, data)
        path, lock = self.dir / "x.safetensors", self.dir / "x.lock"
        ck.write(path, dict(sorted(tensors.items())))
        ck.ttswc("lock", path, "-o", lock)
        spec = ck.SPECS / "indextts2/gpt_tiny.yaml"
        said = [ck.ttswc("check", spec, given, code=1) for given in (path, lock)]
        plain = [re.sub(r"x\.safetensors|x\.lock|\((header )?byte \d+\)", "", e) for _, e in said]
        self.assertEqual(plain[0], plain[1])
        self.assertEqual(said[0][0], said[1][0])
        self.assertIn("E0301", plain[0])

    def test_sources(self):
        sources = {p.stem: p for p in MANIFESTS}
        out, _ = ck.ttswc("check", ck.SPECS / "community/cosyvoice2_0.5b.yaml",
                          *(a for s in ("llm", "flow", "hift") for a in
                            ("--source", f"{s}={sources[f'cosyvoice2_0.5b_{s}']}")))
        self.assertIn("1744/1744", out)

    def test_a_lock_and_a_file_of_one_source(self):
        names = shard(self.dir / "c", ck.read(GPT), 2)
        ck.ttswc("lock", self.dir / "c" / names[0], "-o", self.dir / "a.lock")
        spec = ck.SPECS / "indextts2/gpt_tiny.yaml"
        out, _ = ck.ttswc("check", spec, self.dir / "a.lock", self.dir / "c" / names[1])
        self.assertIn("521/521", out)
        _, err = ck.ttswc("compile", spec, self.dir / "a.lock", self.dir / "c" / names[1],
                          "-o", self.dir / "x.ttsb", code=1)
        self.assertEqual(err.count("error["), 1)
        self.assertIn("a.lock: error[E0703]: this is a lock", err)
        self.assertFalse((self.dir / "x.ttsb").exists())

    def test_a_lock_is_no_folder_entry(self):
        """A folder stands for its .safetensors files, as before."""
        shard(self.dir / "c", ck.read(GPT), 2)
        (self.dir / "c" / "old.lock").write_text("ttsw-lock 9\n")
        ck.ttswc("check", ck.SPECS / "indextts2/gpt_tiny.yaml", self.dir / "c")


class Inspect(Temporary):
    def test_shards(self):
        tensors = ck.read(GPT)
        shard(self.dir / "c", tensors, 3)
        info = json.loads(ck.ttswc("inspect", "--json", self.dir / "c")[0])
        self.assertEqual({t["name"]: (t["dtype"].upper(), t["shape"], t["size"])
                          for t in info["tensors"]},
                         {n: (t[0], t[1], len(t[2])) for n, t in tensors.items()})
        for t in info["tensors"]:
            raw = pathlib.Path(info["files"][t["file"]]["path"]).read_bytes()
            self.assertEqual(raw[t["offset"]:t["offset"] + t["size"]], tensors[t["name"]][2])
        for view in ("--tree", "--names-only", "--summary"):
            with self.subTest(view):
                names = ["--sort=name"] if view == "--names-only" else []
                self.assertEqual(ck.ttswc("inspect", view, *names, self.dir / "c"),
                                 ck.ttswc("inspect", view, *names, GPT))
        sizes = [t["size"] for t in json.loads(
            ck.ttswc("inspect", "--json", "--sort=size", self.dir / "c")[0])["tensors"]]
        self.assertEqual(sizes, sorted(sizes, reverse=True))

    def unfold(self, node, prefix=""):
        """The names of a tree, from its JSON."""
        first, last = node.get("first"), node.get("last")
        parts = [node["component"]] if first is None else map(str, range(first, last + 1))
        for part in parts:
            if "dtype" in node:
                yield prefix + part, node["dtype"], tuple(node["shape"])
            for child in node["children"]:
                yield from self.unfold(child, f"{prefix}{part}.")

    def test_trees_are_exact(self):
        """What is folded says each tensor, once; sums are those of the lines."""
        for path in (*MANIFESTS, GPT):
            with self.subTest(path.name):
                tree = json.loads(ck.ttswc("inspect", "--tree", "--json", path)[0])
                wanted = {(t["name"], t["dtype"], tuple(t["shape"])) for t in
                          json.loads(ck.ttswc("inspect", "--json", path)[0])["tensors"]}
                found = [x for child in tree["children"] for x in self.unfold(child)]
                self.assertEqual(len(found), len(wanted))
                self.assertEqual(set(found), wanted)
                self.assertEqual(tree["tensors"], len(wanted))

    def test_text_trees_add_up(self):
        for path in MANIFESTS:
            *lines, total = ck.ttswc("inspect", "--tree", path)[0].splitlines()
            rows = [(int(x[:8]), int(x[8:24]), (len(x[26:]) - len(x[26:].lstrip())) // 2)
                    for x in lines]
            for i, (count, size, depth) in enumerate(rows):
                below = []
                for row in rows[i + 1:]:
                    if row[2] <= depth:
                        break
                    below += [row] if row[2] == depth + 1 else []
                if below:
                    self.assertEqual((count, size), (sum(r[0] for r in below),
                                                     sum(r[1] for r in below)), lines[i])
            top = [r for r in rows if r[2] == 0]
            self.assertEqual(total, f"lock, {sum(r[0] for r in top)} tensors, "
                                    f"{sum(r[1] for r in top)} bytes")

    def test_layers_are_folded(self):
        tree = ck.ttswc("inspect", "--tree", ck.lock("gpt"))[0]
        self.assertIn("  gpt.\n     288      1889034240    h.{0..23}.  x24\n", tree)

    def test_a_blob(self):
        blob = self.dir / "x.ttsb"
        ck.ttswc("compile", "-q", ck.SPECS / "indextts2/gpt_tiny.yaml", GPT, "-o", blob)
        names = [t["name"] for t in json.loads(ck.ttswc("inspect", "--json", blob)[0])["tensors"]]
        self.assertEqual(ck.ttswc("inspect", "--names-only", blob)[0].splitlines(), names)
        summary = json.loads(ck.ttswc("inspect", "--summary", "--json", blob)[0])
        self.assertEqual((summary["tensors"], summary["format"]), (len(names), "ttsb"))
        self.assertTrue(ck.ttswc("inspect", "--tree", blob)[0].endswith(
            f"ttsb, {len(names)} tensors, {summary['bytes']} bytes\n"))

    def test_deep_names(self):
        """60,000 dots are no 60,000 levels."""
        path = self.dir / "x.safetensors"
        ck.write_sparse(path, {"a" + ".b" * 30000: ("F32", [1]), "." * 60000: ("F32", [2])})
        tree = json.loads(ck.ttswc("inspect", "--tree", "--json", path)[0])
        self.assertEqual({x[0] for c in tree["children"] for x in self.unfold(c)},
                         {"a" + ".b" * 30000, "." * 60000})
        ck.ttswc("inspect", "--tree", path)
        ck.ttswc("draft", path)

    def test_hostile_names(self):
        name = 'a.\x1b[31m<b>".{0..3}.\u202e'
        path = self.dir / "x.safetensors"
        ck.write_sparse(path, {name: ("F32", [1])})
        for command in (["inspect", "--tree"], ["inspect", "--names-only"],
                        ["inspect", "--summary"], ["inspect"], ["lock"], ["draft"]):
            done = subprocess.run([ck.TTSWC, *command, path], capture_output=True, check=True)
            self.assertNotIn(b"\x1b", done.stdout, command)


if __name__ == "__main__":
    unittest.main()

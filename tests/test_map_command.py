#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc map: what compile --map writes, before anything is compiled; and the
JSON form, which must say what the text says."""
import json
import pathlib
import re
import tempfile
import unittest

import checkpoints as ck
from indextts2 import SOURCES, given, tiny
import test_map as tm

TINY = ck.SPECS / "indextts2"
HEAD = "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n" \
       "layout: [out, in]\n"
BODY = r"""map:
  - split:
      - source: w [out=6, in=2]
        axis: out
        into: {a: 0..2, drop 2..5: "a \"loss\" only", b: 5}
  - tensors:
      c: also(w [out=6, in=2])
      d: alias(c)
      e: e [in=3] allow_nonfinite
      f: lost [in=2] optional
    drop:
      ema. [tensors=2, elements=7]: averages
"""
TENSORS = {"w": ("F32", [6, 2], bytes(48)), "e": ("F32", [3], bytes(12)),
           "ema.x": ("F32", [4], bytes(16)), "ema.y": ("F32", [3], bytes(12))}


def flat_text(text):
    """What a text map says, in the shape of flat_json."""
    made = tm.read_map(text)
    return {
        "outputs": [(o["name"], o["size"], o["type"], o["value"], sorted(o["marks"]),
                     o["place"], o["offset"],
                     [(u.name, u.ranges, u.marks) for u in o["uses"]])
                    for o in made["outputs"]],
        "dropped": [(d["tensor"].name, d["tensor"].ranges, d["size"], d["place"],
                     json.loads(d["reason"])) for d in made["dropped"]],
        "totals": made["totals"], "head": made["head"]}


def ranges_of(part):
    return {r["axis"]: (r["begin"], r["end"]) for r in part["ranges"]} if part else {}


def name_of(tensor):
    return (tensor["source"] + ":" if tensor["source"] else "") + tensor["name"]


def flat_json(data):
    outputs = []
    for group in data["groups"]:
        for o in group["outputs"]:
            marks = [k.upper() for k in ("absent", "alias", "missing") if o[k]]
            outputs.append((
                o["name"], o["bytes"], o["type"], o["value"], marks,
                f"{o['path']}:{o['line']}", o["offset"],
                [(name_of(s), ranges_of(s["part"]),
                  [f"({k})" for k in ("also", "allow_nonfinite", "lacking") if s[k]])
                 for s in o["sources"]]))
    return {
        "outputs": outputs,
        "dropped": [(name_of(d), ranges_of(d["part"]), d["bytes"],
                     f"{d['path']}:{d['line']}", d["reason"])
                    for d in data["discarded"]],
        "totals": {t["name"]: (t["tensors"], t["elements"], t["bytes"])
                   for t in data["totals"]},
        "head": {"model": data["model"], "revision": str(data["revision"]),
                 "contract": data["contract"], "root": data["root"],
                 "size": str(data["size"])}}


def assert_sorted(data):
    """Keys stand in the order of their bytes, all the way down."""
    if isinstance(data, dict):
        assert list(data) == sorted(data), list(data)
    for x in data.values() if isinstance(data, dict) else data:
        if isinstance(x, (dict, list)):
            assert_sorted(x)


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        (self.dir / "s.yaml").write_text(HEAD + BODY)
        ck.write(self.dir / "c.safetensors", TENSORS)

    def run_in(self, *args, **options):
        return ck.ttswc(*args, cwd=self.dir, **options)


class Same(Folder):
    """As compile --map, byte for byte, but for the root."""

    def check(self, spec, checkpoints, cwd):
        def run(*args):
            return ck.ttswc(*args, cwd=cwd)
        for name in ("out.map", "out.json"):
            run("compile", "-q", spec, *checkpoints, "-o", self.dir / "o.ttsb",
                "--map", self.dir / name)
        text = (self.dir / "out.map").read_text()
        root = re.search(r"(?m)^root      (\w{32})$", text)[1]
        shown, _ = run("map", spec, *checkpoints)
        self.assertEqual(shown, text.replace(f"root      {root}", "root      -"))
        data = (self.dir / "out.json").read_text()
        shown, _ = run("map", "--json", spec, *checkpoints)
        self.assertEqual(shown, data.replace(f'"root":"{root}"', '"root":null'))
        assert_sorted(json.loads(data))
        return text, json.loads(data)

    def test_one_source(self):
        text, data = self.check("gpt_tiny.yaml", tiny("gpt"), TINY)
        self.assertEqual(flat_json(data), flat_text(text))

    def test_nine_sources(self):
        self.check("pipeline_tiny.yaml", given(tiny), TINY)

    def test_parts_and_marks(self):
        text, data = self.check("s.yaml", ["c.safetensors"], self.dir)
        said, flat = flat_text(text), flat_json(data)
        # A subtree has no tensor of its own in the text's column.
        self.assertEqual(flat, said)
        self.assertEqual([d["tensors"] for d in data["discarded"]], [2, 1])
        self.assertEqual(said["outputs"][4][7], [("e", {}, ["(allow_nonfinite)"])])
        self.assertEqual(said["outputs"][5][4], ["ABSENT"])

    def test_output_file(self):
        shown, _ = self.run_in("map", "s.yaml", "c.safetensors")
        self.run_in("map", "s.yaml", "c.safetensors", "-o", "x.map")
        self.assertEqual((self.dir / "x.map").read_text(), shown)
        shown, _ = self.run_in("map", "s.yaml", "c.safetensors", "--json")
        self.run_in("map", "s.yaml", "c.safetensors", "-o", "x.json")
        self.assertEqual((self.dir / "x.json").read_text(), shown)

    def test_writes_over_no_input(self):
        for name in ("s.yaml", "c.safetensors"):
            before = (self.dir / name).read_bytes()
            _, err = self.run_in("map", "s.yaml", "c.safetensors", "-o", name, code=3)
            self.assertIn("E0704", err)
            self.assertEqual((self.dir / name).read_bytes(), before)

    def test_partial(self):
        ck.write(self.dir / "c.safetensors", {n: t for n, t in TENSORS.items() if n != "e"})
        _, err = self.run_in("map", "s.yaml", "c.safetensors", code=1)
        self.assertIn("E0301", err)
        shown, _ = self.run_in("map", "s.yaml", "c.safetensors",
                               "--allow-partial-weights")
        self.assertIn("MISSING <- e (allow_nonfinite) (lacking)  =", shown)

    def test_reads_headers_only(self):
        """A file of holes, as large as the released checkpoint."""
        ck.write_sparse(self.dir / "big.safetensors", ck.manifest("bigvgan"))
        shown, _ = ck.ttswc("map", "bigvgan.yaml", self.dir / "big.safetensors",
                            cwd=TINY)
        self.assertIn("\nTOTALS ", shown)


    def test_a_lock_will_do(self):
        """The released checkpoint, of which only names and shapes are here."""
        ck.write_sparse(self.dir / "big.safetensors", ck.manifest("bigvgan"))
        shown, _ = ck.ttswc("map", "bigvgan.yaml", ck.lock("bigvgan"), cwd=TINY)
        whole, _ = ck.ttswc("map", "bigvgan.yaml", self.dir / "big.safetensors", cwd=TINY)
        self.assertEqual(shown, whole)


class Alone(Folder):
    """Without a checkpoint: what the spec alone says."""

    def test_places_are_relative(self):
        shown, _ = ck.ttswc("map", "gpt_tiny.yaml", cwd=TINY)
        whole, _ = ck.ttswc("map", "gpt_tiny.yaml", *tiny("gpt"), cwd=TINY)
        whole = re.sub(r"(?m)^(size      )\d+$", r"\1-", whole)
        whole = re.sub(r"(GROUP main  device  offset )0x\w+", r"\1-", whole)
        whole = re.sub(r"(?m)^0x\w{8}  (0x)", r"-           \1", whole)
        self.assertEqual(shown, whole)

    def test_discarded(self):
        shown, _ = self.run_in("map", "s.yaml")
        part = shown.partition("DISCARDED\n")[2]
        self.assertEqual([line.split() for line in part.partition("\n\n")[0].splitlines()],
                         [["-", "2", "tensors,", "7", "elements", "ema.",
                           '"averages"', "s.yaml:18"],
                          ["24", "f32[out=6,in=2]", "w[out", "2..5]", '"a', '\\"loss\\"',
                           'only"', "s.yaml:11"]])
        totals = {line.split()[0]: line.split()[1:]
                  for line in shown.partition("TOTALS")[2].splitlines()[1:]}
        self.assertEqual(totals["sources"], ["5", "24", "-"])
        self.assertEqual(totals["used"], ["3", "11", "44"])
        self.assertEqual(totals["dropped"], ["2", "13", "-"])
        self.assertEqual(totals["absent"], ["0", "0", "0"])
        data = json.loads(self.run_in("map", "s.yaml", "--json")[0])
        assert_sorted(data)
        self.assertEqual((data["root"], data["size"], data["groups"][0]["offset"],
                          data["groups"][0]["outputs"][0]["offset"]), (None,) * 4)
        self.assertEqual(data["discarded"][0]["bytes"], None)
        self.assertEqual(data["totals"][5],
                         {"bytes": None, "elements": 24, "name": "sources", "tensors": 5})

    def test_every_spec(self):
        specs = [p for folder in ("indextts2", "community", "examples")
                 for p in sorted((ck.SPECS / folder).glob("*.yaml"))
                 if "\nmap:" in p.read_text()]
        self.assertGreater(len(specs), 20)
        for path in specs:
            with self.subTest(path.name):
                shown, _ = ck.ttswc("map", path.name, cwd=path.parent)
                totals = {line.split()[0]: line.split()[1:]
                          for line in shown.partition("TOTALS")[2].splitlines()[1:]}
                for i in range(2):
                    self.assertEqual(int(totals["sources"][i]), sum(
                        int(totals[k][i]) for k in ("used", "dropped", "unread")))
                self.assertEqual(totals["unread"], ["0", "0", "0"])

    def test_nine_sources(self):
        shown, _ = ck.ttswc("map", "pipeline_tiny.yaml", cwd=TINY)
        wanted = re.search(r"(?m)^outputs +(\d+)", shown)[1]
        self.assertEqual(int(wanted), sum(s[3] for s in SOURCES.values()))


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
"""What becomes of slips in every shipped spec: the table in specs/README.md is
what `ttswc mutate` says, and no slip that a check must find gets through.

    python3 tests/test_mutate.py --update     writes the table"""
import json
import os
import pathlib
import sys
import tempfile
import unittest

import checkpoints as ck
from shipped_probes import SHIPPED
from test_specs import COVERED, shapes_of

README = ck.SPECS / "README.md"
BEGIN, END = "<!-- mutate: begin -->\n", "<!-- mutate: end -->\n"
BEGIN_DATA, END_DATA = "<!-- mutate --data: begin -->\n", "<!-- mutate --data: end -->\n"
FIELDS = ("made", "check", "contract", "values", "nothing")
# What the checks find, whatever the spec.
PROVEN = ("typo in a source name", "size off by one", "loop bound off by one",
          "piece of a split deleted", "bound of a piece off by one",
          "wrong axis kept", "permute or transpose forgotten")
# keep=in instead of keep=out where both are 1: the same norm.
EQUAL = {("community/kokoro_82m.yaml", "wrong axis kept"): 1}
SAME = {"bigvgan_tiny": 1}  # likewise


def mutate(folder, spec, shapes):
    args = []
    for source, tensors in shapes.items():
        path = folder / f"{source or 'only'}.safetensors"
        ck.write_sparse(path, tensors)
        args += ["--source", f"{source}={path}"] if source else [path]
    out, _ = ck.ttswc("mutate", "--json", ck.SPECS / spec, *args)
    return json.loads(out)


def row(cells):
    return "| " + " | ".join(str(c) for c in cells) + " |\n"


def table(found):
    """Markdown, by spec and by kind of slip."""
    text = row(("spec",) + FIELDS) + row(["--"] * 6)
    for spec, result in found.items():
        text += row([spec] + [result["all"][f] for f in FIELDS])
    text += "\n" + row(("slip",) + FIELDS) + row(["--"] * 6)
    for kind in next(iter(found.values()))["kinds"]:
        text += row([kind] + [sum(r["kinds"][kind][f] for r in found.values())
                              for f in FIELDS])
    return text + row(["all"] + [sum(r["all"][f] for r in found.values())
                                 for f in FIELDS])


def some(models, most):
    """All of them, but few where TTSW_FEW is set: under a sanitizer."""
    return models[-most:] if os.environ.get("TTSW_FEW") else models


def run_all():
    with tempfile.TemporaryDirectory() as folder:
        return {spec: mutate(pathlib.Path(folder), spec, shapes_of(manifests))
                for spec, manifests, _ in some(COVERED, 2)}


def run_reduced():
    """The reduced models, with weights: what their probes find besides."""
    return {spec: json.loads(ck.ttswc(
        "mutate", "--json", "--data", ck.SPECS / "indextts2" / f"{spec}.yaml",
        ck.FIXTURES / (fixture.removesuffix(".effective") + ".safetensors"))[0])
        for spec, fixture, _ in some(SHIPPED, 2)}


def reduced_table(found):
    fields = ("made", "check", "expect", "contract", "values", "nothing")
    text = row(("spec",) + fields) + row(["--"] * 7)
    for spec, result in found.items():
        text += row([f"indextts2/{spec}.yaml"] + [result["all"][f] for f in fields])
    return text + row(["all"] + [sum(r["all"][f] for r in found.values())
                                 for f in fields])


class Mutate(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.found = run_all()

    @unittest.skipIf("TTSW_FEW" in os.environ, "TTSW_FEW: not all models were run")
    def test_the_manual_has_the_figures(self):
        text = README.read_text()
        self.assertEqual(text.split(BEGIN)[1].split(END)[0], table(self.found))

    def test_what_checks_must_find(self):
        for spec, result in self.found.items():
            for kind in PROVEN:
                n = result["kinds"][kind]
                self.assertEqual(n["check"] + EQUAL.get((spec, kind), 0),
                                 n["made"], (spec, kind))

    def test_survivors_name_place_and_targets(self):
        for spec, result in self.found.items():
            n = result["all"]
            self.assertEqual(len(result["survivors"]), n["made"] - n["check"])
            self.assertEqual(n["made"], sum(n[f] for f in FIELDS[1:]))
            for s in result["survivors"]:
                self.assertRegex(s["place"], r"\.yaml:\d+:\d+$")
                self.assertEqual(s["verdict"] == "nothing" or
                                 s["kind"] == "line deleted",
                                 s["targets"] == "" or
                                 s["kind"] == "line deleted", (spec, s))

    @unittest.skipIf("TTSW_FEW" in os.environ, "TTSW_FEW: not all models were run")
    def test_the_known_survivors_of_s2mel(self):
        """scale and shift, q and k: same type, other meaning."""
        whats = {s["what"] for s in self.found["indextts2/s2mel.yaml"]["survivors"]}
        self.assertIn("rope_half forgotten", whats)
        self.assertTrue(any("exchanged" in w for w in whats))


class Probes(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.found = run_reduced()

    @unittest.skipIf("TTSW_FEW" in os.environ, "TTSW_FEW: not all models were run")
    def test_the_manual_has_the_figures(self):
        text = README.read_text()
        self.assertEqual(text.split(BEGIN_DATA)[1].split(END_DATA)[0],
                         reduced_table(self.found))

    def test_probes_find_what_checks_cannot(self):
        for spec, result in self.found.items():
            n = result["all"]
            self.assertEqual(n["check"] + n["expect"] + SAME.get(spec, 0), n["made"])


class Command(unittest.TestCase):
    def test_text(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "s2mel.safetensors"
            ck.write_sparse(path, ck.manifest("s2mel"))
            spec = ck.SPECS / "indextts2" / "s2mel.yaml"
            one, _ = ck.ttswc("mutate", "-v", "-j", "1", spec, path)
            two, _ = ck.ttswc("mutate", "-v", "-j", "2", spec, path)
        self.assertEqual(one, two)
        self.assertIn("Only values differ: `expect:` can tell, no check can", one)
        self.assertRegex(one, r"all +334 +325 +8 +1 +0\n")

    def test_a_lock_has_no_data(self):
        _, err = ck.ttswc("mutate", "--data",
                          ck.SPECS / "indextts2" / "s2mel.yaml",
                          ck.FIXTURES / "manifests" / "s2mel.lock", code=1)
        self.assertIn("error[E0703]: this is a lock", err)

    def test_a_spec_that_does_not_fit(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "gpt.safetensors"
            ck.write_sparse(path, ck.manifest("gpt"))
            out, err = ck.ttswc("mutate", ck.SPECS / "indextts2" / "s2mel.yaml",
                                path, code=1)
        self.assertEqual(out, "")
        self.assertIn("error[E0301]", err)


def put(text, begin, end, inside):
    head, rest = text.split(begin)
    return head + begin + inside + end + rest.split(end)[1]


if __name__ == "__main__":
    if "--update" in sys.argv:
        manual = put(README.read_text(), BEGIN, END, table(run_all()))
        README.write_text(put(manual, BEGIN_DATA, END_DATA,
                              reduced_table(run_reduced())))
    else:
        unittest.main()

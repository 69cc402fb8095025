#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The report's page in a real browser: it loads without an error, search and
clicks work, hostile names do nothing, and nothing overflows."""
import json
import os
import pathlib
import random
import struct
import sys
import unittest

import browser
import checkpoints as ck
from indextts2 import given, tiny
from test_report import BIGVGAN, TINY, Folder, Hostile

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402

browser.find()  # or skips


class InBrowser(Folder):
    @classmethod
    def setUpClass(cls):
        cls.b = browser.Browser()
        cls.addClassCleanup(cls.b.close)

    def setUp(self):
        super().setUp()
        self.b.size(1400, 900)

    def open(self, name, fragment=""):
        path = self.dir / name
        self.b.open(path, fragment)
        self.assertEqual(self.b.run("document.documentElement.dataset.ready"), "yes",
                         self.b.wrong)
        return path

    def assert_quiet(self, path):
        """No error, and nothing was asked for but the page itself."""
        self.assertEqual(self.b.wrong, [])
        self.assertEqual({url.partition("#")[0] for url in self.b.asked},
                         {path.resolve().as_uri()})

    def assert_fits(self, *widths):
        for width in widths:
            self.b.size(width, 900)
            self.assertLessEqual(self.b.run("document.documentElement.scrollWidth"), width)
        self.b.size(1400, 900)

    def shot(self, name):
        """Where TTSW_SHOTS is set, pictures stay for somebody to look at."""
        path = pathlib.Path(os.environ.get("TTSW_SHOTS", self.dir)) / f"{name}.png"
        self.b.shot(path)
        raw = path.read_bytes()
        self.assertEqual(raw[:8], b"\x89PNG\r\n\x1a\n")
        self.assertGreater(len(raw), 20000)

    def text(self, selector):
        return self.b.run(f"document.querySelector('{selector}').textContent")


class Use(InBrowser):
    def test_search_and_click(self):
        self.compile(TINY / "bigvgan_tiny.yaml", BIGVGAN)
        path = self.open("o.html")
        self.assertEqual(self.text("#found"), "449 of 449")
        self.b.click("document.querySelector('#q')")
        self.b.type("up.3")
        self.assertEqual(self.text("#found"), "2 of 449")
        self.assertTrue(self.b.run("document.querySelector('#aside').hidden"))
        self.b.click("document.querySelector('#list tr[data-i]')")
        self.assertFalse(self.b.run("document.querySelector('#aside').hidden"))
        self.assertEqual(self.text("#aside h2"), "up.3.weight")
        shown = self.text("#aside")
        for part in ("weight_norm(ups.3.0.weight,keep=in)", "permute(#1,out,in,k)",
                     "in template bigvgan", "for s = 3", "kurtosis"):
            self.assertIn(part, shown)
        self.assertGreater(self.b.run("document.querySelectorAll('#aside rect').length"), 5)
        # On to a source, and back to the output that it goes into.
        self.b.click("document.querySelector('#aside button.link')")
        self.assertEqual(self.text("#aside h2"), "ups.3.0.weight_g")
        self.b.click("document.querySelector('#aside button.link')")
        self.assertEqual(self.text("#aside h2"), "up.3.weight")
        self.shot("click")
        self.b.click("document.querySelector('#close')")
        self.assertTrue(self.b.run("document.querySelector('#aside').hidden"))
        self.assert_quiet(path)

    def test_sources_cells_and_bytes(self):
        self.compile(TINY / "gpt_tiny.yaml", *tiny("gpt"))
        path = self.open("o.html", "#q=attn.k%20bias")
        self.assertEqual(self.b.run("document.querySelector('#q').value"), "attn.k bias")
        self.assertEqual(self.text("#found"), "12 of 537")
        self.b.click("document.querySelector('.heat button.cell')")
        self.assertRegex(self.text("#aside h2"), r"^h\.0\.")
        self.b.click("document.querySelector('#close')")
        before = self.b.run("document.querySelectorAll('#icicle button').length")
        self.b.click("[...document.querySelectorAll('#icicle button')]"
                     ".find(b => b.textContent === 'emo')")
        self.assertNotEqual(self.b.run("document.querySelectorAll('#icicle button').length"),
                            before)
        self.assertEqual(self.text("#icicle button"), "emo")
        self.b.click("[...document.querySelectorAll('button')]"
                     ".find(b => b.textContent === 'sources')")
        self.assertEqual(self.text("#found"), "0 of 521")
        for name in ("mean", "absmax", "kurtosis"):
            self.b.click("[...document.querySelectorAll('button')]"
                         f".find(b => b.textContent === '{name}')")
        self.assert_quiet(path)
        self.open("o.html", "#output=h.3.attn.k.weight")
        self.assertIn("of it [out 12..24]", self.text("#aside"))
        self.assert_fits(1400, 1000, 420)

    def test_blob_alone(self):
        self.compile(TINY / "pipeline_tiny.yaml", *given(tiny))
        self.report()
        for name in ("o.html", "b.html"):
            path = self.open(name)
            self.assertEqual(self.text("#found"), "2,183 of 2,183")
            self.assert_fits(1400, 420)
            self.b.click("document.querySelector('#list tr[data-i]')")
            self.assertIn("w2vbert:", self.text("#aside"))
            self.assert_quiet(path)
        self.b.size(1400, 900, dark=True)
        self.assertEqual(self.b.run("getComputedStyle(document.body).backgroundColor"),
                         "rgb(20, 23, 26)")
        self.shot("dark")

    def test_blobs_of_others(self):
        """Partial, and with records that no compiler writes."""
        for name in ("features-1.0", "features-partial-1.0", "odd-records-1.0"):
            (self.dir / "o.ttsb").write_bytes(
                (ck.FIXTURES / "blobs" / f"{name}.ttsb").read_bytes())
            self.report()
            path = self.open("b.html")
            self.b.click("document.querySelector('#list tr[data-i]')")
            self.assertFalse(self.b.run("document.querySelector('#aside').hidden"))
            self.assert_quiet(path)


    def test_other_meta(self):
        """META of a sound blob may be any JSON."""
        blob = (ck.FIXTURES / "blobs" / "features-1.0.ttsb").read_bytes()
        at = blob.index(b'{"dropped":')
        end = blob.index(b"\0", at)
        name = ck.blob(ck.FIXTURES / "blobs" / "features-1.0.ttsb")["tensors"][0]["name"]
        odd = {"toString": 1, "valueOf": 1}  # is no text and no number
        for meta in (None, [], 7, {"sources": 5, "dropped": [None, {"name": 1}, "x"],
                                   "tensors": [{}, None, 3]},
                     {"about": {"k": {"x": 1}}, "dropped": [],
                      "sources": [{"name": "a", "dtype": "f32", "shape": [1, "<b>"]},
                                  {"name": "a", "dtype": "f32", "shape": {"x": 1}}],
                      "tensors": [{"name": name, "sources": ["a", "b", 5], "value": [1]}]},
                     {"sources": [{"name": "a", "dtype": "f32", "shape": [1], "flags": 5,
                                   "size": "x", "stats": {}, "chain": 1, "text": 7}]},
                     {"about": {"license": odd},
                      "sources": [{"name": "a", "dtype": "f32", "shape": [odd]},
                                  {"name": "b", "dtype": "f32", "shape": [2], "digest": odd,
                                   "source": odd}],
                      "tensors": [{"name": name, "sources": [odd], "value": odd}]}):
            with self.subTest(meta=meta):
                other = bytearray(blob)
                other[at:end] = json.dumps(meta).encode().ljust(end - at)
                (self.dir / "o.ttsb").write_bytes(make_blob.reseal(other))
                self.assertEqual(self.report()["meta"], meta)
                path = self.open("b.html")
                self.b.click("document.querySelector('#list tr[data-i]')")
                self.assertFalse(self.b.run("document.querySelector('#aside').hidden"))
                self.b.click("[...document.querySelectorAll('button')]"
                             ".find(b => b.textContent === 'sources')")
                self.assertRegex(self.text("#found"), r"^(\d) of \1$")
                self.assert_quiet(path)

    def test_by_keyboard(self):
        """Search, open, close, without a mouse; the focus comes back."""
        self.compile(TINY / "gpt_tiny.yaml", *tiny("gpt"))
        path = self.open("o.html")
        focus = "document.activeElement.id || document.activeElement.textContent"
        self.b.key("/")
        self.assertEqual(self.b.run(focus), "q")
        self.b.type("speed.weight")
        self.assertEqual(self.b.run("document.querySelector('#q').value"), "speed.weight")
        self.b.type("/")
        self.assertEqual(self.b.run("document.querySelector('#q').value"), "speed.weight/")
        self.b.key("Backspace")
        self.assertEqual(self.text("#found"), "1 of 537")
        for _ in range(4):
            self.b.key("Tab")
        self.assertEqual(self.b.run(focus), "speed.weight")
        self.b.key("Enter")
        self.assertEqual(self.text("#aside h2"), "speed.weight")
        self.assertEqual(self.b.run("location.hash"), "#output=speed.weight")
        self.b.key("Tab")
        self.assertEqual(self.b.run(focus), "close")
        self.b.key("Escape")
        self.assertTrue(self.b.run("document.querySelector('#aside').hidden"))
        self.assertEqual(self.b.run(focus), "speed.weight")
        self.assertEqual(self.b.run("location.hash"), "")
        self.assert_quiet(path)

    def test_marks_are_found(self):
        self.compile(TINY / "gpt_tiny.yaml", *tiny("gpt"))
        self.open("o.html", "#q=w0611")
        self.assertEqual(self.text("#found"), "1 of 537")
        (self.dir / "o.ttsb").write_bytes(
            (ck.FIXTURES / "blobs" / "features-partial-1.0.ttsb").read_bytes())
        self.report()
        path = self.open("b.html", "#q=missing")
        self.assertEqual(self.text("#found"), "2 of 19")
        self.assertIn("MISSING: the checkpoint lacked", self.text("main"))
        names = self.b.run("[...document.querySelectorAll('#list button.link')]"
                           ".map(b => b.textContent)")
        for name in names:
            self.assertIn(name, self.text("main").split("MISSING: ")[1].split("Dropped")[0])
        self.assert_quiet(path)


class Look(InBrowser):
    def test_a_random_layer_jumps_out(self):
        rng, tensors = random.Random(1), {}
        for i in range(12):
            for name, n, std in (("a", 2048, 0.05), ("b", 2048, 0.3), ("c", 512, 0.08)):
                std = 0.02 if i == 7 else std * (1 + 0.02 * i)
                tensors[f"h.{i}.{name}"] = ("F32", [n // 32, 32], struct.pack(
                    f"<{n}f", *(rng.gauss(0, std) for _ in range(n))))
        ck.write(self.dir / "c.safetensors", tensors)
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f16\n"
            "layout: [out, in]\nmap:\n  - for: {i: 0..12}\n    tensors:\n"
            + "".join(f"      h.{{i}}.{n}: h.{{i}}.{n} [out={k}, in=32]\n"
                      for n, k in (("a", 64), ("b", 64), ("c", 16))))
        made = self.compile("s.yaml", "c.safetensors")
        rows = {r for s in made["suspicions"] if s["side"] == "output" for r in s["rows"]}
        self.assertLessEqual({"h.7.a", "h.7.b"}, {made["outputs"][r]["name"] for r in rows})
        path = self.open("o.html")
        self.assertRegex(self.text("#far"), r"^Far off their siblings: h\.7 \([0-9.]+\)$")
        self.b.run("document.querySelector('#layers').scrollIntoView()")
        self.shot("random_layer")
        self.b.click("[...document.querySelectorAll('button')]"
                     ".find(b => b.textContent === 'suspicious only')")
        self.assertEqual(self.text("#found"), f"{len(rows)} of 36")
        self.b.click("document.querySelector('.suspicion button.link')")
        self.assertRegex(self.text("#aside"), r"W061\d")
        self.assert_quiet(path)

    def test_a_layer_without_figures_is_no_gap(self):
        """MISSING, and all NaN: columns of their own, named above."""
        tensors = {name: t for name, t in ck.read(*tiny("gpt")).items()
                   if not name.startswith("gpt.h.5.")}
        ck.write(self.dir / "c.safetensors", tensors)
        self.compile(TINY / "gpt_tiny.yaml", "c.safetensors", "--allow-partial-weights")
        path = self.open("o.html")
        self.assertEqual(self.text("#far"), "Without figures: h.5 (MISSING)")
        self.assertEqual(self.b.run("document.querySelectorAll('.heat button.blank').length"), 16)
        self.b.run("document.querySelector('#layers').scrollIntoView()")
        self.shot("missing_layer")
        self.b.click("document.querySelector('.heat button.blank')")
        self.assertRegex(self.text("#aside h2"), r"^h\.5\.")
        self.assert_quiet(path)
        nan = struct.pack("<4f", *[float("nan")] * 4)
        good = struct.pack("<4f", 1, 2, 3, 4)
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
            "layout: [out, in]\nmap:\n  - for: {i: 0..5}\n    tensors:\n"
            "      h.{i}.a: a.{i} [in=4] allow_nonfinite\n"
            "      h.{i}.b: b.{i} [in=4] allow_nonfinite\n")
        ck.write(self.dir / "c.safetensors", {f"{n}.{i}": ("F32", [4], nan if i == 3 else good)
                                              for i in range(5) for n in "ab"})
        self.compile("s.yaml", "c.safetensors")
        path = self.open("o.html")
        self.assertEqual(self.text("#far"), "Without figures: h.3 (NaN or Inf)")
        self.assert_quiet(path)

    def test_four_thousand_long_names(self):
        part = "a_very_long_component_of_a_name_that_goes_on_and_on_and_on_until_it_ends"
        lines = f"      {part}.{part}.{{i}}.{part[:40]}: w.{{i}} [in=4]\n"
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n"
            f"layout: [out, in]\nmap:\n  - for: {{i: 0..4000}}\n    tensors:\n{lines}")
        values = struct.pack("<4f", 1, 2, 3, 4)
        ck.write(self.dir / "c.safetensors",
                 {f"w.{i}": ("F32", [4], values) for i in range(4000)})
        self.compile("s.yaml", "c.safetensors")
        path = self.open("o.html")
        self.assertEqual(self.text("#found"), "4,000 of 4,000")
        self.assert_fits(1400, 420)
        self.b.click("document.querySelector('#list tr[data-i]')")
        self.assertGreater(len(self.text("#aside h2")), 180)
        self.assert_fits(1400, 420)
        self.shot("long_names")
        self.assert_quiet(path)


class Nasty(InBrowser, Hostile):
    def test_names(self):
        _, _, reason, tensors = self.compile_nasty()
        for name in ("o.html", "b.html"):
            path = self.open(name)
            tags = "document.querySelectorAll('img,b[onload],script').length"
            self.assertEqual(self.b.run(tags), 2)
            self.b.click("[...document.querySelectorAll('button')]"
                         ".find(b => b.textContent === 'sources')")
            shown = self.text("#list")
            for n in tensors:
                self.assertIn(n, shown)
            for i in range(self.b.run("document.querySelectorAll('#list tr[data-i]').length")):
                self.b.click(f"document.querySelectorAll('#list tr[data-i]')[{i}]")
            self.assertEqual(self.b.run(tags), 2)
            self.assertIsNone(self.b.run("window.pwned"))
            self.assertEqual(self.b.run("document.title"), "m - ttswc report")
            self.assert_fits(1400, 420)
            self.assert_quiet(path)
        self.open("o.html")
        self.assertIn(reason, self.text("main"))
        self.shot("nasty")


if __name__ == "__main__":
    unittest.main()

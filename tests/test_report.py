#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc report and compile --report: the page's parts, without a browser.

The page must load nothing, must say what `stats`, `map` and `inspect` say, and
no name may end the element that holds the data."""
import base64
import hashlib
import html.parser
import json
import pathlib
import struct
import tempfile
import unittest

import checkpoints as ck
from indextts2 import SOURCES, given, tiny

TINY = ck.SPECS / "indextts2"
BIGVGAN = ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"
NASTY = ["</script><script>window.pwned=1</script>", "<img src=x onerror=pwned=1>",
         "a\"b'c`${window.pwned=1}`", "&lt;b&gt;", "line\u2028and\u2029end",
         "<!--<script>", "\u202eright to left", "x" * 200, "\x1b[31m\u0085"]


class Page(html.parser.HTMLParser):
    """Elements and the text of scripts and styles."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.blocks, self.open = [], [], None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag in ("script", "style"):
            self.open = [tag, dict(attrs), ""]

    def handle_data(self, data):
        if self.open:
            self.open[2] += data

    def handle_endtag(self, tag):
        if self.open and tag == self.open[0]:
            self.blocks.append(tuple(self.open))
            self.open = None


def data_of(text):
    """The data of a page that is whole and loads nothing; checks that it is."""
    page = Page(text)
    blocks = [(tag, attrs.get("type"), body) for tag, attrs, body in page.blocks]
    assert [b[:2] for b in blocks] == [("style", None), ("script", "application/json"),
                                      ("script", None)], [b[:2] for b in blocks]
    for tag, attrs in page.tags:
        assert not set(attrs) & {"src", "href", "style", "srcset", "action", "data"}, attrs
        assert not any(k.startswith("on") for k in attrs), (tag, attrs)
        assert tag not in ("link", "img", "iframe", "object", "base", "form"), tag
    raw = blocks[1][2]
    without = text.replace(raw, "")
    for word in ("http:", "https:", "//www", "url(", "@import", "import(", "fetch(",
                 "innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval("):
        assert word not in without, word
    policy, = [a["content"] for t, a in page.tags
               if t == "meta" and a.get("http-equiv") == "Content-Security-Policy"]
    rules = dict(r.strip().split(" ", 1) for r in policy.split(";"))

    def digest(body):
        return base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
    assert rules == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'",
                     "style-src": f"'sha256-{digest(blocks[0][2])}'",
                     "script-src": f"'sha256-{digest(blocks[2][2])}'"}, rules
    for c in "<>&\u2028\u2029":
        assert c not in raw, c
    return json.loads(raw)


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def run_in(self, *args, **options):
        return ck.ttswc(*args, cwd=self.dir, **options)

    def compile(self, spec, *args):
        self.run_in("compile", "-q", spec, *args, "-o", "o.ttsb", "--report", "o.html")
        return data_of((self.dir / "o.html").read_text())

    def report(self, *args):
        self.run_in("report", "-q", "o.ttsb", "-o", "b.html", *args)
        return data_of((self.dir / "b.html").read_text())


class Content(Folder):
    def check(self, spec, args):
        """Both pages against inspect, stats and map."""
        made, alone = self.compile(spec, *args), self.report()
        blob = json.loads(self.run_in("inspect", "--json", "o.ttsb")[0])
        stats = json.loads(self.run_in("stats", "--json", "o.ttsb")[0])
        mapped = json.loads(self.run_in("map", "--json", spec, *args)[0])
        for data in (made, alone):
            for key, as_key in (("model", "model"), ("revision", "revision"),
                                ("root", "root"), ("contract", "contract_id"),
                                ("size", "file_size"), ("partial", "partial")):
                self.assertEqual(data[key], blob[as_key])
            self.assertEqual([{k: g[k] for k in ("name", "place", "offset", "size")}
                              for g in blob["groups"]], data["groups"])
            self.check_outputs(data["outputs"], blob, stats["tensors"])
        self.assertIsNone(made["meta"])
        self.assertEqual([t["name"] for t in alone["meta"]["tensors"]],
                         [t["name"] for t in blob["tensors"]])
        lines = [o for g in mapped["groups"] for o in g["outputs"]]
        for o, m in zip(made["outputs"], lines, strict=True):
            self.assertEqual(
                (o["chain"]["type"], o["chain"]["offset"], o["chain"]["place"]["line"],
                 [s["name"] for s in o["chain"]["sources"]]),
                (m["type"], m["offset"], m["line"], [s["name"] for s in m["sources"]]))
        self.assertEqual([(d["name"], d["reason"], d["elements"]) for d in made["dropped"]],
                         [(d["name"], d["reason"], d["elements"]) for d in mapped["discarded"]])
        total = {t["name"]: t["tensors"] for t in mapped["totals"]}
        self.assertEqual(len(made["sources"]), total["sources"])
        roles = [s["role"] for s in made["sources"]]
        self.assertEqual(roles.count("read"), total["used"])
        self.assertEqual(made["coverage"]["used"], total["used"])
        digests = {(s.get("source"), s["name"]): s["digest"] for s in alone["meta"]["sources"]}
        self.assertEqual({(s["source"], s["name"]): s["digest"] for s in made["sources"]
                          if s["role"] == "read"}, digests)
        return made, alone

    def check_outputs(self, outputs, blob, stats):
        figures = {t["name"]: t for t in stats}
        for o, t in zip(outputs, blob["tensors"], strict=True):
            self.assertEqual([o[k] for k in ("name", "dtype", "shape", "size", "offset")],
                             [t[k] for k in ("name", "dtype", "shape", "size", "offset")])
            self.assertEqual(o["flags"], t["flags"])
            s, f = o["stats"], figures[o["name"]]
            if s is None:
                self.assertTrue(f["finite"] == 0 or not f["counted"])
                continue
            for key in ("mean", "std", "min", "max", "absmax", "kurtosis"):
                if f[key] is not None:
                    self.assertAlmostEqual(s[key], f[key], delta=1e-8 * max(1, abs(f[key])))
            self.assertEqual([s[k] for k in ("count", "zeros", "nan", "inf", "denormal")],
                             [f[k] for k in ("count", "zeros", "nan", "inf", "denormal")])
            self.assertEqual(s["bins"], f["histogram"])

    def test_bigvgan(self):
        made, _ = self.check(TINY / "bigvgan_tiny.yaml", [BIGVGAN])
        self.assertEqual(len(made["outputs"]), 449)
        self.assertTrue(made["trust"])
        self.assertEqual(made["files"], [{"path": str(BIGVGAN), "source": "",
                                          "size": BIGVGAN.stat().st_size}])

    def test_nine_sources(self):
        made, _ = self.check(TINY / "pipeline_tiny.yaml", given(tiny))
        self.assertEqual(len(made["outputs"]), sum(s[3] for s in SOURCES.values()))
        self.assertEqual({s["source"] for s in made["sources"]}, set(SOURCES))

    def test_features(self):
        """ABSENT tensors, aliases, integers."""
        made, alone = self.check(ck.SPECS / "examples" / "features.yaml",
                                 [ck.FIXTURES / "features" / "features.safetensors"])
        absent = [o for o in made["outputs"] if "absent" in o["flags"]]
        self.assertEqual([o["stats"] for o in absent], [None])
        self.assertIsNone(alone["trust"])

    def test_threads_do_not_matter(self):
        args = ("compile", "-q", TINY / "bigvgan_tiny.yaml", BIGVGAN, "-o", "o.ttsb",
                "--report", "o.html")
        pages = set()
        for n in ("1", "3"):
            self.run_in(*args, "-j", n)
            self.run_in("report", "-q", "o.ttsb", "-o", "b.html", "-j", n)
            pages.add((self.dir / "o.html").read_bytes() + (self.dir / "b.html").read_bytes())
        self.assertEqual(len(pages), 1)

    def test_old_blobs(self):
        for name in ("features-1.0", "features-partial-1.0", "odd-records-1.0"):
            with self.subTest(name):
                (self.dir / "o.ttsb").write_bytes(
                    (ck.FIXTURES / "blobs" / f"{name}.ttsb").read_bytes())
                data = self.report()
                self.assertEqual(data["partial"], "partial" in name)


class Hostile(Folder):
    def compile_nasty(self):
        names = [json.dumps(n, ensure_ascii=False)[1:-1] for n in NASTY[:-1]]
        quoted = [n.replace('\\"', '"').replace("\\", "\\\\").replace('"', '\\"')
                  .replace("{", "\\{") for n in names]
        lines = "".join("      o{}: '\"{}\" [k=2]'\n".format(i, n.replace("'", "''"))
                        for i, n in enumerate(quoted) if "'" not in n and "\u2028" not in n)
        reason = "</script><script>window.pwned=2</script> & \"so\""
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\nlayout: [k]\n"
            f"about: {{license: \"<b onload='pwned=3'>MIT</b>\"}}\n"
            f"map:\n  - tensors:\n{lines}"
            f"    drop:\n      sub. [tensors={len(NASTY)}, elements={2 * len(NASTY)}]: "
            f"{json.dumps(reason)}\n")
        tensors = {n: ("F32", [2], struct.pack("<2f", 1, 2)) for n in NASTY
                   if "'" not in n and "\u2028" not in n and "\x1b" not in n}
        tensors |= {"sub." + n: ("F32", [2], bytes(8)) for n in NASTY}
        ck.write(self.dir / "c.safetensors", tensors)
        return self.compile("s.yaml", "c.safetensors"), self.report(), reason, tensors

    def test_names(self):
        made, alone, reason, tensors = self.compile_nasty()
        self.assertEqual({s["name"] for s in made["sources"]}, set(tensors))
        self.assertEqual([d["reason"] for d in made["dropped"]], [reason])
        self.assertEqual({s["name"] for s in alone["meta"]["sources"] + alone["meta"]["dropped"]},
                         set(tensors))
        self.assertEqual(made["about"], {"license": "<b onload='pwned=3'>MIT</b>"})
        self.assertEqual({s["name"] for o in made["outputs"] for s in o["chain"]["sources"]},
                         {s["name"] for s in alone["meta"]["sources"]})


class Files(Folder):
    def setUp(self):
        super().setUp()
        (self.dir / "s.yaml").write_text(
            "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\nlayout: [k]\n"
            "map:\n  - tensors:\n      a: a [k=300]\n")
        ck.write(self.dir / "c.safetensors", {"a": ("F32", [300], struct.pack(
            "<300f", *(1 + i / 8 for i in range(300))))})
        self.run_in("compile", "-q", "s.yaml", "c.safetensors", "-o", "o.ttsb")

    def test_changes_no_byte_of_the_blob(self):
        before = (self.dir / "o.ttsb").read_bytes()
        self.compile("s.yaml", "c.safetensors")
        self.assertEqual((self.dir / "o.ttsb").read_bytes(), before)

    def test_never_over_an_input(self):
        for args in (("report", "o.ttsb", "-o", "o.ttsb"),
                     ("compile", "s.yaml", "c.safetensors", "-o", "o.ttsb", "--report",
                      "c.safetensors"),
                     ("compile", "s.yaml", "c.safetensors", "-o", "o.ttsb", "--report",
                      "o.ttsb"), ("report", "o.ttsb", "-o", "gone/x.html")):
            before = {p.name: p.read_bytes() for p in self.dir.iterdir()}
            _, err = self.run_in(*args, code=3)
            self.assertIn("E0704", err)
            self.assertEqual({p.name: p.read_bytes() for p in self.dir.iterdir()}, before)

    def test_damage(self):
        raw = bytearray((self.dir / "o.ttsb").read_bytes())
        at = raw.rindex(struct.pack("<f", 1 + 250 / 8))
        raw[at] ^= 1
        (self.dir / "o.ttsb").write_bytes(raw)
        _, err = self.run_in("report", "o.ttsb", "-o", "x.html", code=1)
        self.assertIn("E0706", err)
        raw[at] ^= 1
        raw[raw.index(b'"format":1')] ^= 1
        (self.dir / "o.ttsb").write_bytes(raw)
        _, err = self.run_in("report", "o.ttsb", "-o", "x.html", code=1)
        self.assertIn("E0706", err)
        self.assertFalse((self.dir / "x.html").exists())

    def test_a_checkpoint_is_no_blob(self):
        _, err = self.run_in("report", "c.safetensors", "-o", "x.html", code=1)
        self.assertIn("E0706", err)
        self.assertIn("ttswc stats", err)

    def test_says_what_it_did(self):
        out, _ = self.run_in("report", "o.ttsb", "-o", "x.html")
        self.assertRegex(out, r"^wrote x\.html: 1 tensor, \d+ suspicions?\n$")
        out, _ = self.run_in("report", "-q", "o.ttsb", "-o", "x.html")
        self.assertEqual(out, "")


if __name__ == "__main__":
    unittest.main()

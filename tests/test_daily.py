#!/usr/bin/env python3
"""ttswc within a build and at a terminal: depfiles, progress, looking."""
import json
import os
import pathlib
import pty
import re
import subprocess
import tempfile
import time
import unittest

import checkpoints as ck

FEATURES_SPEC = ck.SPECS / "examples" / "features.yaml"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"
SPEC = """\
ttsw: 1
model: demo
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
include: [parts/part.yaml]
map:
  - use: layer
"""
PART = """\
ttsw: 1
templates:
  layer:
    body:
      - tensors:
          fc.weight: fc.weight [out=4, in=3]
          fc.bias: fc.bias [out=4]
"""


def fill(folder, spec="spec.yaml", checkpoint="ck.safetensors"):
    """A spec with an include, and a checkpoint for it."""
    (folder / "parts").mkdir()
    (folder / spec).write_text(SPEC)
    (folder / "parts" / "part.yaml").write_text(PART)
    ck.write(folder / checkpoint, {"fc.weight": ("F32", [4, 3], b"\0\0\x80?" * 12),
                                   "fc.bias": ("F32", [4], b"\0\0\0?" * 4)})


class Folder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def run_in(self, *args, code=0, **options):
        return ck.ttswc(*args, cwd=self.dir, code=code, **options)

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())


def read_depfile(text):
    """[target, input, ...], by the rules that Make and Ninja share."""
    words = re.findall(r"(?:\\[ #:]|\$\$|[^ \n\\$])+", text.replace("\\\n", " "))
    words = [re.sub(r"\\([ #:])", r"\1", w).replace("$$", "$") for w in words]
    assert words[0].endswith(":"), text
    return [words[0][:-1]] + words[1:]


class Depfile(Folder):
    def test_names_all_inputs(self):
        fill(self.dir)
        self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb", "-MD")
        self.assertEqual((self.dir / "out.ttsb.d").read_text(),
                         "out.ttsb: spec.yaml \\\n  parts/part.yaml \\\n"
                         "  ck.safetensors\n")
        self.run_in("header", "spec.yaml", "-o", "out.h", "-MD")
        self.assertEqual((self.dir / "out.h.d").read_text(),
                         "out.h: spec.yaml \\\n  parts/part.yaml\n")

    def test_other_name(self):
        fill(self.dir)
        for i, more in enumerate((["-MF", "x.d"], ["-MD", "-MFx.d"],
                                  ["--depfile-name=x.d"])):
            self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb",
                        *more)
            self.assertTrue((self.dir / "x.d").read_text().startswith("out.ttsb: "))
            (self.dir / "x.d").unlink()
            self.assertEqual(self.names(),
                             ["ck.safetensors", "out.ttsb", "parts", "spec.yaml"], i)

    def test_odd_names(self):
        spec, data, out = "my spec#1.yaml", "a$b  c:d.safetensors", "o u$t#.ttsb"
        fill(self.dir, spec, data)
        self.run_in("compile", spec, data, "-o", out, "-MF", "d")
        self.assertEqual(read_depfile((self.dir / "d").read_text()),
                         [out, spec, "parts/part.yaml", data])

    def test_make_reads_it(self):
        spec, data = "my spec#1.yaml", "a$b (1).safetensors"
        fill(self.dir, spec, data)
        (self.dir / "Makefile").write_text(
            "out.ttsb:\n"
            f"\t@'{ck.TTSWC}' compile -q '{spec}' '{data.replace('$', '$$')}' "
            "-o $@ -MD && echo made\n"
            "-include out.ttsb.d\n")

        def made():
            return subprocess.run(["make", "-s"], cwd=self.dir, check=True, text=True,
                                  capture_output=True).stdout.count("made")
        self.assertEqual(made(), 1)
        for name in (spec, "parts/part.yaml", data):
            old = time.time() - 1000
            for p in (spec, "parts/part.yaml", data):
                os.utime(self.dir / p, (old, old))
            self.assertEqual(made(), 0, name)
            soon = time.time() + 1000
            os.utime(self.dir / name, (soon, soon))
            self.assertEqual(made(), 1, name)

    def test_names_that_nobody_can_write(self):
        for bad in ("a*b", "a\\b", "a\nb", "a%b", "a=b", "~a", "a;b", "a[1]", "a(b)",
                    "a'b", "a&b"):
            with self.subTest(bad):
                folder = self.dir / str(abs(hash(bad)))
                folder.mkdir()
                fill(folder, checkpoint=bad)
                before = sorted(os.listdir(folder))
                _, err = ck.ttswc("compile", "spec.yaml", bad, "-o", "out.ttsb",
                                  "-MD", cwd=folder, code=3)
                self.assertIn("E0704", err)
                self.assertEqual(sorted(os.listdir(folder)), before)
                ck.ttswc("compile", "spec.yaml", bad, "-o", "out.ttsb", cwd=folder)

    def test_never_over_another_file(self):
        fill(self.dir)
        (self.dir / "link").symlink_to("ck.safetensors")
        (self.dir / "later").symlink_to("parts/../out.ttsb")  # not there yet
        before = {p: (self.dir / p).read_bytes()
                  for p in ("spec.yaml", "parts/part.yaml", "ck.safetensors")}
        for name in (*before, "out.ttsb", "./out.ttsb", "parts/../out.ttsb", "link",
                     "later"):
            _, err = self.run_in("compile", "spec.yaml", "ck.safetensors", "-o",
                                 "out.ttsb", "-MF", name, code=3)
            self.assertIn("E0704", err, name)
        _, err = self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb",
                             "--if-changed", "-MF", "out.ttsb.stamp", code=3)
        self.assertIn("the stamp of this run", err)
        (self.dir / "out.ttsb.stamp").symlink_to("out.ttsb")
        _, err = self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb",
                             "--if-changed", code=3)
        self.assertIn("out.ttsb.stamp: error[E0704]: cannot write: it is the output", err)
        for name, data in before.items():
            self.assertEqual((self.dir / name).read_bytes(), data)
        self.assertNotIn("out.ttsb", self.names())

    def test_only_on_success(self):
        fill(self.dir)
        (self.dir / "out.ttsb.d").write_text("old")
        (self.dir / "parts" / "part.yaml").write_text(PART.replace("in=3", "in=2"))
        self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb", "-MD",
                    code=1)
        self.assertEqual((self.dir / "out.ttsb.d").read_text(), "old")
        self.assertNotIn("out.ttsb", self.names())

    def test_not_of_check(self):
        _, err = self.run_in("check", "spec.yaml", "ck.safetensors", "-MD", code=2)
        self.assertIn("unknown option", err)

    def test_cannot_be_written(self):
        fill(self.dir)
        _, err = self.run_in("compile", "spec.yaml", "ck.safetensors", "-o", "out.ttsb",
                             "-MF", "gone/x.d", code=3)
        self.assertIn("gone/x.d: error[E0704]", err)


LINE = re.compile(r"(compile|verify|export) \[(#*)-*\] +(\d+) %  [\d.]+ of ([\d.]+) "
                  r"([KMGT]iB)  \d+ [KMGT]iB/s.*")


def on_terminal(*args, term="xterm", **env):
    """(exit status, what a terminal as standard error received)."""
    ours, theirs = pty.openpty()
    run = subprocess.Popen([ck.TTSWC, *map(str, args)], stdout=subprocess.DEVNULL,
                           stderr=theirs, env={**os.environ, "TERM": term, **env})
    os.close(theirs)
    got = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # the other side is closed
            break
        if not part:
            break
        got += part
    os.close(ours)
    return run.wait(), got.decode()


class Progress(Folder):
    def command(self, name):
        out = self.dir / "out.ttsb"
        return {"compile": ("compile", FEATURES_SPEC, FEATURES, "-o", out),
                "verify": ("verify", out),
                "export": ("export", out, "-o", self.dir / "x")}[name]

    def test_plain_lines(self):
        for name in ("compile", "verify", "export"):
            # One thread: the last tensor is the last one, and has a source.
            more = ["-j1"] if name == "compile" else []
            _, err = ck.ttswc(*self.command(name), "--progress=always", *more)
            lines = [l for l in err.splitlines() if l.startswith(name)]
            self.assertGreaterEqual(len(lines), 1)
            shares = []
            for line in lines:
                match = LINE.fullmatch(line)
                self.assertTrue(match, line)
                shares.append(int(match[3]))
            self.assertEqual(shares, sorted(set(shares)))
            self.assertEqual(shares[-1], 100)
            self.assertNotIn("\r", err)
            self.assertNotIn("\033", err)
            if name == "compile":
                self.assertRegex(lines[-1], r"  group \w+  features\.safetensors$")
        self.assertRegex(err, "  group .*  .*out.ttsb")

    def test_silence(self):
        for name in ("compile", "verify", "export"):
            for more in ((), ("--progress", "auto"), ("--progress=never",),
                         ("--progress=always", "-q")):
                _, err = ck.ttswc(*self.command(name), *more)
                self.assertNotIn("%", err)
            for more in (("-q",), ("--progress=never",), ("-q", "--progress=always")):
                code, text = on_terminal(*self.command(name), *more, NO_COLOR="1")
                self.assertEqual(code, 0)
                self.assertNotIn("%", text)
                self.assertNotIn("\033", text)

    def test_bar(self):
        for name in ("compile", "verify", "export"):
            for when in ("auto", "always"):
                code, text = on_terminal(*self.command(name), "--progress", when,
                                         NO_COLOR="1")
                self.assertEqual(code, 0)
                self.assertTrue(text.startswith("\r" + name), text)
                self.assertNotRegex(text, r"\033\[[0-9;]*m")
                bar, rest = text.rsplit("\r\033[K", 1)  # wiped before the findings
                self.assertNotIn("\n", bar)
                self.assertNotIn("%", rest)
                self.assertEqual("W0311" in rest, name != "verify")

    def test_bar_before_an_error(self):
        given = ck.read(FEATURES)
        given["odd name/1"] = ("F32", [2], b"\0\0\x80\x7f" * 2)
        bad = self.dir / "bad.safetensors"
        ck.write(bad, given)
        code, text = on_terminal("compile", FEATURES_SPEC, bad, "-o", self.dir / "x")
        self.assertEqual(code, 1)
        bar, rest = text.rsplit("\r\033[K", 1)
        self.assertNotIn("E0603", bar)
        self.assertIn("E0603", rest)

    def test_dumb_terminal(self):
        code, text = on_terminal(*self.command("compile"), term="dumb")
        self.assertEqual(code, 0)
        self.assertNotIn("%", text)
        code, text = on_terminal(*self.command("compile"), "--progress=always",
                                 term="dumb")
        self.assertEqual(code, 0)
        self.assertIn("100 %", text)
        self.assertNotIn("\033", text)

    def test_usage(self):
        _, err = ck.ttswc(*self.command("compile"), "--progress=soon", code=2)
        self.assertIn("unusable value of --progress `soon`", err)
        ck.ttswc("inspect", "--progress=always", FEATURES, code=2)


class Inspect(Folder):
    def setUp(self):
        super().setUp()
        self.blob = self.dir / "out.ttsb"
        ck.ttswc("compile", "-q", FEATURES_SPEC, FEATURES, "-o", self.blob)

    def shown(self, *args):
        return [t["name"] for t in json.loads(
            ck.ttswc("inspect", "--json", *args)[0])["tensors"]]

    def test_patterns(self):
        every = self.shown(self.blob)
        self.assertEqual(self.shown(self.blob, "*"), every)
        self.assertEqual(self.shown(self.blob, "blk.?.ln_[1].weight", "tok.weight"),
                         ["blk.0.ln_1.weight", "blk.1.ln_1.weight", "tok.weight"])
        self.assertEqual(self.shown(self.blob, "blk.0.*", "blk.0.ln_*"),
                         [n for n in every if n.startswith("blk.0.")])
        self.assertEqual(self.shown(self.blob, "[!b]*t"),
                         [n for n in every if n[0] != "b" and n[-1] == "t"])
        self.assertEqual(self.shown(FEATURES, "odd name/?"),
                         [n for n in self.shown(FEATURES) if n.startswith("odd name/")])
        self.assertEqual(self.shown("--", self.blob, "mask"), ["mask"])

    def test_names_are_bytes(self):
        path = self.dir / "x.safetensors"
        ck.write(path, {n: ("U8", [1], b"\1") for n in
                        ("a\0b", "", "-x", "a/b", ".c", "\u00e9", "\n", "[x]", "*")})
        self.assertEqual(self.shown(path, "??b"), ["a\0b", "a/b"])
        self.assertEqual(self.shown(path, ""), [""])
        self.assertEqual(self.shown(path, "??"), ["-x", ".c", "\u00e9"])
        self.assertEqual(self.shown(path, "\\[x\\]"), ["[x]"])
        self.assertEqual(self.shown(path, "[[]*"), ["[x]"])
        self.assertEqual(self.shown(path, "\\*"), ["*"])
        self.assertEqual(len(self.shown(path, "*")), 9)

    def test_no_match(self):
        for path in (self.blob, FEATURES):
            for more in ((), ("--json",)):
                out, err = ck.ttswc("inspect", *more, path, "mask*", "none*", "q",
                                    code=1)
                self.assertEqual(out, "")
                self.assertIn("error[E0707]: no tensor matches `none*`", err)
                self.assertIn("no tensor matches `q`", err)
                self.assertNotIn("`mask*`", err)

    def test_sort(self):
        for path in (self.blob, FEATURES):
            every = json.loads(ck.ttswc("inspect", "--json", path)[0])["tensors"]
            names = [t["name"] for t in every]
            by = {"file": names, "name": sorted(names, key=str.encode),
                  "size": [t["name"] for t in sorted(every, key=lambda t: -t["size"])],
                  "dtype": [t["name"] for t in sorted(every, key=lambda t: t["dtype"])]}
            for key, wanted in by.items():
                self.assertEqual(self.shown(path, f"--sort={key}"), wanted)
                table, _ = ck.ttswc("inspect", "--sort", key, path)
                listed = re.findall(r"\]  +\"?([^\"\n]+?)\"?(?:  \(.*)?\n", table)
                self.assertEqual(listed, wanted)
        self.assertNotEqual(by["name"], by["size"])
        ck.ttswc("inspect", "--sort=colour", self.blob, code=2)

    def test_totals(self):
        table, _ = ck.ttswc("inspect", self.blob, "blk.0.*")
        self.assertTrue(table.endswith("ttsb, 4 of 19 tensors, 224 bytes\n"), table)
        table, _ = ck.ttswc("inspect", FEATURES, "*")
        every = sum(len(b) for _, _, b in ck.read(FEATURES).values())
        self.assertTrue(table.endswith(
            f"safetensors, 20 of 20 tensors, {every} bytes\n"), table)
        table, _ = ck.ttswc("inspect", "--sort=name", self.blob)
        self.assertTrue(table.endswith("ttsb, 19 tensors, 196608 bytes\n"), table)


if __name__ == "__main__":
    unittest.main()

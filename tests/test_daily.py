#!/usr/bin/env python3
"""ttswc within a build and at a terminal: depfiles, stamps, progress, looking."""
import json
import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import xxhash

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


class IfChanged(unittest.TestCase):
    """Each test has a folder whose files are older than the two seconds within
    which a stamp is not believed."""

    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.root = pathlib.Path(holder.name)
        for name in unittest.defaultTestLoader.getTestCaseNames(cls):
            (cls.root / name).mkdir()
            fill(cls.root / name)
            shutil.copy(cls.root / name / "ck.safetensors", cls.root / name / "same")
        time.sleep(2.5)

    def setUp(self):
        self.dir = self.root / self._testMethodName
        self.spec, self.part = self.dir / "spec.yaml", self.dir / "parts" / "part.yaml"
        self.ckpt, self.out = self.dir / "ck.safetensors", self.dir / "out.ttsb"
        self.stamp = self.dir / "out.ttsb.stamp"

    def go(self, *more, code=0, checkpoint="ck.safetensors", spec="spec.yaml"):
        return ck.ttswc("compile", spec, checkpoint, "-o", "out.ttsb", "--if-changed",
                        *more, cwd=self.dir, code=code)

    def assert_current(self, *more):
        before = self.out.stat().st_ino
        self.assertEqual(self.go(*more), ("out.ttsb: up to date\n", ""))
        self.assertEqual(self.out.stat().st_ino, before)

    def assert_compiles(self, *more, **options):
        """Once, and is believed again from then on."""
        out, _ = self.go(*more, **options)
        self.assertIn("wrote     out.ttsb", out)

    def start(self):
        self.assert_compiles()
        self.assert_current()

    def restore_times(self, path, old):
        os.utime(path, ns=(old.st_atime_ns, old.st_mtime_ns))

    def test_nothing_changed(self):
        self.start()
        self.assertEqual(self.go("-q"), ("", ""))
        self.assertEqual(self.go("-j1", "--progress=always"),
                         ("out.ttsb: up to date\n", ""))
        self.assertEqual(sorted(os.listdir(self.dir)),
                         ["ck.safetensors", "out.ttsb", "out.ttsb.stamp", "parts",
                          "same", "spec.yaml"])

    def test_texts_count_by_their_bytes(self):
        self.start()
        for path in (self.spec, self.part):
            with self.subTest(path.name):
                os.utime(path, (1, 1))
                self.assert_current()
                shutil.copy(path, self.dir / "copy")
                os.replace(self.dir / "copy", path)
                self.assert_current()
                text = path.read_text()
                path.write_text(text + "# a comment\n")
                self.assert_compiles()
                self.assert_current()
                old = path.stat()
                path.write_text(text + "# A comment\n")
                self.restore_times(path, old)
                self.assert_compiles()

    def test_include_is_gone(self):
        self.start()
        self.part.rename(self.dir / "away")
        _, err = self.go(code=3)
        self.assertIn("E0705", err)
        (self.dir / "away").rename(self.part)
        self.assert_current()

    def test_checkpoint_touched(self):
        self.start()
        os.utime(self.ckpt, (1, 1))
        self.assert_compiles()

    def test_checkpoint_rewritten_with_its_times(self):
        self.start()
        old, raw = self.ckpt.stat(), bytearray(self.ckpt.read_bytes())
        raw[-1] ^= 1
        with open(self.ckpt, "r+b") as file:
            file.write(raw)
        self.restore_times(self.ckpt, old)
        new = self.ckpt.stat()
        self.assertEqual((new.st_ino, new.st_size, new.st_mtime_ns),
                         (old.st_ino, old.st_size, old.st_mtime_ns))
        before = self.out.read_bytes()
        self.assert_compiles()
        self.assertNotEqual(self.out.read_bytes(), before)

    def test_checkpoint_replaced_with_its_size_and_times(self):
        self.start()
        old = self.ckpt.stat()
        raw = bytearray((self.dir / "same").read_bytes())
        raw[-1] ^= 1
        (self.dir / "same").write_bytes(raw)
        os.replace(self.dir / "same", self.ckpt)
        self.restore_times(self.ckpt, old)
        self.assertNotEqual(self.ckpt.stat().st_ino, old.st_ino)
        before = self.out.read_bytes()
        self.assert_compiles()
        self.assertNotEqual(self.out.read_bytes(), before)

    def test_checkpoint_grows(self):
        self.start()
        with open(self.ckpt, "ab") as file:
            file.write(b"x")
        _, err = self.go(code=1)
        self.assertIn("E0701", err)

    def test_checkpoint_is_gone(self):
        self.start()
        self.ckpt.unlink()
        self.go(code=3)

    def test_folder(self):
        """Of a folder counts which checkpoints it names, not what else is
        written there: the blob, say."""
        folder = self.dir / "m"
        folder.mkdir()
        for name, tensor in ck.read(self.ckpt).items():
            ck.write(folder / f"{name}.safetensors", {name: tensor})
        time.sleep(2.5)

        def go(code=0):
            return "".join(ck.ttswc("compile", "spec.yaml", "m", "-o", "m/out.ttsb",
                                    "--if-changed", cwd=self.dir, code=code))
        self.assertIn("wrote     m/out.ttsb", go())
        self.assertEqual(go(), "m/out.ttsb: up to date\n")
        for name in ("config.json", ".hidden.safetensors", "x.safetensors.bak"):
            (folder / name).write_text("{}")
            self.assertEqual(go(), "m/out.ttsb: up to date\n")
        for name in ("new.safetensors", "model.safetensors.index.json"):
            (folder / name).write_text("{}")
            self.assertIn(f"m/{name}: ", go(code=1))
            (folder / name).unlink()
            self.assertEqual(go(), "m/out.ttsb: up to date\n")
        (folder / "fc.bias.safetensors").rename(folder / "b.safetensors")
        self.assertIn("wrote     m/out.ttsb", go())

    def test_index(self):
        """Nor what lies beside an index and is none of its shards."""
        folder = self.dir / "m"
        folder.mkdir()
        shutil.copy(self.ckpt, folder / "m-1.safetensors")
        index = folder / "m.safetensors.index.json"
        index.write_text(json.dumps({"weight_map": {
            name: "m-1.safetensors" for name in ck.read(self.ckpt)}}))
        time.sleep(2.5)

        def go(code=0):
            return "".join(ck.ttswc("compile", "spec.yaml", f"m/{index.name}", "-o",
                                    "m/out.ttsb", "--if-changed", cwd=self.dir,
                                    code=code))
        self.assertIn("wrote     m/out.ttsb", go())
        self.assertEqual(go(), "m/out.ttsb: up to date\n")
        shutil.copy(self.ckpt, folder / "m-2.safetensors")
        self.assertIn("1 extra file beside the shards", go(code=1))
        (folder / "m-2.safetensors").unlink()
        self.assertEqual(go(), "m/out.ttsb: up to date\n")
        text = index.read_text()
        index.write_text(text + " ")
        self.assertIn("wrote     m/out.ttsb", go())

    def test_another_checkpoint(self):
        self.start()
        self.assert_compiles(checkpoint="same")
        self.assert_compiles()
        self.assert_current()
        self.assert_compiles(checkpoint="./ck.safetensors")

    def test_another_spec(self):
        self.start()
        shutil.copy(self.spec, self.dir / "other.yaml")
        self.assert_compiles(spec="other.yaml")

    def test_output_deleted(self):
        self.start()
        self.out.unlink()
        self.assert_compiles()
        self.assert_current()

    def test_output_changed(self):
        self.start()
        good = self.out.read_bytes()
        for change in ("touched", "rewritten", "cut", "copied", "empty", "link"):
            with self.subTest(change):
                old = self.out.stat()
                if change == "touched":
                    os.utime(self.out, (1, 1))
                elif change == "rewritten":
                    with open(self.out, "r+b") as file:
                        file.seek(-1, 2)
                        file.write(b"\1")
                    self.restore_times(self.out, old)
                elif change == "cut":
                    os.truncate(self.out, old.st_size - 1)
                    self.restore_times(self.out, old)
                elif change == "copied":
                    shutil.copy2(self.out, self.dir / "copy")
                    os.replace(self.dir / "copy", self.out)
                elif change == "empty":
                    self.out.write_bytes(b"")
                else:
                    self.out.rename(self.dir / "real")
                    self.out.symlink_to("real")
                self.assert_compiles()
                self.assertEqual(self.out.read_bytes(), good)
                self.assert_current()

    def test_compiled_without_stamp_meanwhile(self):
        self.start()
        ck.ttswc("compile", "-q", self.spec, self.ckpt, "-o", self.out)
        self.assert_compiles()

    def test_another_option(self):
        self.start()
        self.assert_compiles("--allow-partial-weights")
        self.assert_current("--allow-partial-weights")
        self.assert_compiles()

    def test_map_is_an_output_too(self):
        self.start()
        path = self.dir / "out.map"
        self.assert_compiles("--map", "out.map")
        self.assert_current("--map", "out.map")
        good = path.read_bytes()
        for change in ("delete", "edit", "touch", "copy"):
            with self.subTest(change):
                if change == "delete":
                    path.unlink()
                elif change == "edit":
                    path.write_bytes(good.replace(b"demo", b"Demo"))
                elif change == "touch":
                    os.utime(path, (1, 1))
                else:
                    shutil.copy(path, self.dir / "copy")
                    os.replace(self.dir / "copy", path)
                self.assert_compiles("--map", "out.map")
                self.assertEqual(path.read_bytes(), good)
                self.assert_current("--map", "out.map")
        self.assert_compiles("--map", "other.map")
        self.assert_compiles()
        self.assert_current()
        self.assertEqual((self.dir / "other.map").read_bytes(), good)
        # A depfile is checked against the map where nothing is compiled, too.
        self.assert_compiles("--map", "out.map")
        _, err = self.go("--map", "out.map", "-MF", "out.map", code=3)
        self.assertIn("out.map: error[E0704]", err)
        self.assertEqual(path.read_bytes(), good)

    def test_partial_is_no_strict_result(self):
        ck.write(self.ckpt, {"fc.weight": ("F32", [4, 3], bytes(48))})
        time.sleep(2.5)
        _, err = self.go("--allow-partial-weights")
        self.assertIn("W0301", err)
        self.assertEqual(self.go("--allow-partial-weights"),
                         ("out.ttsb: up to date (PARTIAL)\n", ""))
        _, err = self.go(code=1)
        self.assertIn("E0301", err)
        # Even where the stamp claims to be of a strict run.
        self.forge("option allow-partial-weights 1", "option allow-partial-weights 0")
        _, err = self.go(code=1)
        self.assertIn("E0301", err)

    def test_failure_leaves_the_stamp(self):
        self.start()
        text = self.spec.read_text()
        self.spec.write_text(text + "oops: 1\n")
        self.go(code=1)
        self.spec.write_text(text)
        self.assert_current()

    def forge(self, old, new):
        """Changes the stamp and gives it the check line that it needs."""
        text = self.stamp.read_text()
        self.assertIn(old, text)
        body = text.replace(old, new).rsplit("check ", 1)[0]
        self.stamp.write_text(
            f"{body}check {xxhash.xxh3_128_hexdigest(body.encode())}\n")

    def test_forged_stamp(self):
        self.start()
        version = ck.ttswc("--version")[0].split()[1]
        self.forge("ttswc stamp 1", "ttswc stamp 1")  # the forger can forge
        self.assert_current()
        program = re.search(r"program (\w+)", self.stamp.read_text())[1]
        for old, new in ((f"compiler {version}", "compiler 0.0.9"),
                         (program, "0" * 32), ("opened ", "opened -9223372036854775808 "),
                         ("partial 0", "partial 1"), ("ttswc stamp 1", "ttswc stamp 2"),
                         ("partial 0", "partial 0\nfuture 1"),
                         ("partial 0\n", ""), ("given checkpoint", "given other"),
                         ("output ", "output  "),
                         ("spec.yaml", "Spec.yaml")):
            with self.subTest(new):
                self.forge(old, new)
                self.assert_compiles()
                self.assert_current()

    def test_damaged_stamp(self):
        self.start()
        damages = [lambda s: b"", lambda s: b"\0" * 100, lambda s: s[:-1],
                   lambda s: s + b"x", lambda s: s + s,
                   lambda s: s.replace(b"\n", b"\r\n")]
        for at in range(0, self.stamp.stat().st_size, 23):
            damages.append(lambda s, at=at: s[:at])
            damages.append(lambda s, at=at: s[:at] + bytes([s[at] ^ 1]) + s[at + 1:])
        for i, damage in enumerate(damages):
            with self.subTest(i):
                self.stamp.write_bytes(damage(self.stamp.read_bytes()))
                self.assert_compiles()
        self.stamp.unlink()
        self.assert_compiles()
        self.assert_current()

    def test_stamp_is_a_folder(self):
        self.stamp.mkdir()
        _, err = self.go(code=3)
        self.assertIn("out.ttsb.stamp: error[E0704]", err)

    def test_stamp_is_an_input(self):
        self.spec.rename(self.stamp)
        _, err = self.go(spec="out.ttsb.stamp", code=3)
        self.assertIn("E0704", err)
        self.assertEqual(self.stamp.read_text(), SPEC)

    def test_times_too_near_are_not_believed(self):
        soon = time.time() + 3600
        os.utime(self.ckpt, (soon, soon))
        self.assert_compiles()
        self.assert_compiles()

    def test_depfile_of_what_is_up_to_date(self):
        self.start()
        self.assert_current("-MD")
        made = (self.dir / "out.ttsb.d").read_bytes()
        self.assertEqual(read_depfile(made.decode()),
                         ["out.ttsb", "spec.yaml", "parts/part.yaml", "ck.safetensors"])
        ck.ttswc("compile", "-q", "spec.yaml", "ck.safetensors", "-o", "out.ttsb", "-MD",
                 cwd=self.dir)
        self.assertEqual((self.dir / "out.ttsb.d").read_bytes(), made)

    def test_odd_paths(self):
        odd = "a b%20\n\u00e9.safetensors"
        self.ckpt.rename(self.dir / odd)
        time.sleep(2.5)
        self.assert_compiles(checkpoint=odd)
        self.assertIn("up to date", self.go(checkpoint=odd)[0])

    def test_spec_from_a_pipe(self):
        """A pipe must not be read by the check."""
        body = PART.split("body:\n")[1].replace("\n    ", "\n").removeprefix("    ")
        (self.dir / "flat.yaml").write_text(SPEC.split("include")[0] + "map:\n" + body)
        for _ in range(2):
            done = subprocess.run(
                ["bash", "-c", '"$0" compile <(cat flat.yaml) ck.safetensors '
                 '-o out.ttsb --if-changed', ck.TTSWC], cwd=self.dir,
                capture_output=True, text=True)
            self.assertEqual(done.returncode, 0, done.stderr)
            self.assertIn("wrote", done.stdout)


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
            _, err = ck.ttswc(*self.command(name), "--progress=always")
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
                code, text = on_terminal(*self.command(name), *more)
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

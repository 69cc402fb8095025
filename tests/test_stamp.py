#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compile --if-changed: what counts as a change, and that a stamp is believed
about nothing else."""
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile
import time
import unittest

import xxhash

import checkpoints as ck
from test_daily import PART, SPEC, fill, read_depfile


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


if __name__ == "__main__":
    unittest.main()

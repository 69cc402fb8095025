#!/usr/bin/env python3
"""Runs specs/TUTORIAL.md: writes its files, runs its commands, compares what
they print with what the text shows; sessions.py says what is compared. What a
fence says behind its language:

    sh             lines `$ COMMAND`, each followed by its output
    yaml F, c F    the file F
    yaml F +       is added to the end of F
    diff F         lines of F that occur once, - out and + in

A command that shows `error[` fails, every other one ends with 0.

Arguments: a C compiler, libttsb.a. With --show, prints what the commands print."""
import difflib
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

import checkpoints as ck
from sessions import Shell, blocks, commands, matches

SHOW = "--show" in sys.argv
ARGS = [a for a in sys.argv[1:] if a != "--show"]
CC = shutil.which(ARGS[0] if len(ARGS) > 1 else "cc")
LIBTTSB = ARGS[1] if len(ARGS) > 1 else str(ck.ROOT / "build/libttsb.a")
TUTORIAL = ck.SPECS / "TUTORIAL.md"
MANUAL = ck.SPECS / "README.md"


def patched(text, lines):
    old = [line[1:] for line in lines if line[:1] in (" ", "-")]
    new = [line[1:] for line in lines if line[:1] in (" ", "+")]
    have = text.splitlines()
    places = [i for i in range(len(have)) if have[i:i + len(old)] == old]
    assert len(places) == 1, (old, places)
    have[places[0]:places[0] + len(old)] = new
    return "\n".join(have) + "\n"


class Tutorial(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.shell = Shell(pathlib.Path(holder.name), CC, LIBTTSB)
        self.addCleanup(self.shell.close)

    def write(self, language, words, lines):
        path = self.shell.folder() / words[0]
        if language == "diff":
            path.write_text(patched(path.read_text(), lines))
        else:
            with open(path, "a" if words[1:] == ["+"] else "x",
                      encoding="utf-8") as file:
                file.write("\n".join(lines) + "\n")

    def session(self, number, lines):
        for command, shown in commands(lines):
            printed, status = self.shell.run(command)
            if SHOW:
                print(f"{number}: $ {command}", *printed, sep="\n")
                continue
            where = f"TUTORIAL.md:{number}: {command}"
            failed = any("error[" in line for line in shown) and "|" not in command
            self.assertEqual(status, int(failed), f"{where}\n" + "\n".join(printed))
            if not matches(shown, printed):
                self.fail(f"{where}\n" + "\n".join(
                    difflib.ndiff(shown, printed)))

    def test_everything_shown(self):
        ran = 0
        for number, language, words, lines in blocks(TUTORIAL.read_text()):
            if language == "sh":
                self.session(number, lines)
                ran += len(commands(lines))
            else:
                self.write(language, words, lines)
        self.assertGreater(ran, 15)

    def test_its_findings_are_in_the_manual(self):
        table = MANUAL.read_text().split("\n## 14.")[1].split("\n## 15.")[0]
        ids = set(re.findall(r"\b[EWN]\d{4}\b", TUTORIAL.read_text()))
        self.assertGreater(len(ids), 20)
        for found in sorted(ids):
            self.assertRegex(table, rf"\b{found}  ", "unknown, or later")

    def test_the_comparison_can_fail(self):
        self.assertTrue(matches(["a", "...", "b ... d"], ["a", "x", "b c d"]))
        self.assertFalse(matches(["a", "b ... d"], ["a", "x", "b c d"]))
        self.assertFalse(matches(["a"], ["a", "b"]))
        self.assertFalse(matches(["a", "b"], ["a"]))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
"""Runs specs/TUTORIAL.md: writes its files, runs its commands, compares what
they print with what the text shows. What a fence says behind its language:

    sh             lines `$ COMMAND`, each followed by its output
    yaml F, c F    the file F
    yaml F +       is added to the end of F
    diff F         lines of F that occur once, - out and + in

In shown output a line `...` stands for any lines, and `...` in a line for any
text. A command that shows `error[` fails, every other one ends with 0.

Arguments: a C compiler, libttsb.a. With --show, prints what the commands print."""
import difflib
import os
import pathlib
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

SHOW = "--show" in sys.argv
ARGS = [a for a in sys.argv[1:] if a != "--show"]
CC = shutil.which(ARGS[0] if len(ARGS) > 1 else "cc")
LIBTTSB = ARGS[1] if len(ARGS) > 1 else str(ck.ROOT / "build/libttsb.a")
TUTORIAL = ck.SPECS / "TUTORIAL.md"
MANUAL = ck.SPECS / "README.md"
MARK = "@@@ status"


def blocks(text):
    """(line number, language, words behind it, lines) of each fence."""
    lines, found, start = text.splitlines(), [], None
    for i, line in enumerate(lines):
        if not line.startswith("```"):
            continue
        if start is None:
            start = i
            continue
        language, *words = lines[start][3:].split()
        found.append((start + 1, language, words, lines[start + 1:i]))
        start = None
    assert start is None
    return found


def commands(lines):
    """(command, shown lines)"""
    found = []
    for line in lines:
        if line.startswith("$ "):
            found.append((line[2:], []))
        else:
            found[-1][1].append(line)
    return found


def matches(shown, printed):
    pattern = ""
    for line in shown:
        pattern += "(?:.*\n)*" if line == "..." else \
            ".*".join(re.escape(part) for part in line.split("...")) + "\n"
    return re.fullmatch(pattern, "".join(f"{line}\n" for line in printed))


def patched(text, lines):
    old = [line[1:] for line in lines if line[:1] in (" ", "-")]
    new = [line[1:] for line in lines if line[:1] in (" ", "+")]
    have = text.splitlines()
    places = [i for i in range(len(have)) if have[i:i + len(old)] == old]
    assert len(places) == 1, (old, places)
    have[places[0]:places[0] + len(old)] = new
    return "\n".join(have) + "\n"


class Shell:
    """One bash for the whole text, as its reader has."""

    def __init__(self, folder):
        root = folder / "repository"
        root.mkdir()
        for name in ("fixtures", "runtime"):
            (root / name).symlink_to(ck.ROOT / name)
        (root / "build").mkdir()
        (root / "build" / "ttswc").symlink_to(pathlib.Path(ck.TTSWC).resolve())
        (root / "build" / "libttsb.a").symlink_to(pathlib.Path(LIBTTSB).resolve())
        self.bash = subprocess.Popen(
            ["bash", "--norc"], cwd=root, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C",
                 "PATH": f"{self.compiler(folder)}:{os.environ['PATH']}"})

    @staticmethod
    def compiler(folder):
        """`cc` as this build has it: with a sanitizer if libttsb.a has one."""
        where = folder / "bin"
        where.mkdir()
        flags = "-fsanitize=address,undefined" if b"__asan_" in \
            pathlib.Path(LIBTTSB).read_bytes() else ""
        (where / "cc").write_text(
            f'#!/bin/sh\nexec {shlex.quote(CC)} -Wall -Wextra -Werror {flags} "$@"\n')
        (where / "cc").chmod(0o755)
        return where

    def run(self, command):
        """(printed lines, status)"""
        self.bash.stdin.write(f"{{ {command}\n}} </dev/null\necho '{MARK}' $?\n")
        self.bash.stdin.flush()
        printed = []
        while True:
            line = self.bash.stdout.readline()
            assert line, (command, printed)
            if line.startswith(MARK):
                return printed, int(line.split()[-1])
            printed.append(line.rstrip("\n"))

    def folder(self):
        return pathlib.Path(self.run("pwd")[0][0])

    def close(self):
        self.bash.stdin.close()
        self.bash.wait()
        self.bash.stdout.close()


class Tutorial(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.shell = Shell(pathlib.Path(holder.name))
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

# SPDX-License-Identifier: MIT
"""Documents whose commands are run: their fences, and a shell to run them in.

In shown output a line `...` stands for any lines, and `...` in a line for any
text."""
import os
import pathlib
import re
import shlex
import subprocess

import checkpoints as ck

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
        language, *words = lines[start][3:].split() or [""]
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


class Shell:
    """One bash for the whole text, as its reader has, in a folder that looks
    like the repository."""

    def __init__(self, folder, cc, libttsb):
        root = folder / "repository"
        root.mkdir()
        for name in ("fixtures", "runtime", "specs"):
            (root / name).symlink_to(ck.ROOT / name)
        (root / "build").mkdir()
        (root / "build" / "ttswc").symlink_to(pathlib.Path(ck.TTSWC).resolve())
        (root / "build" / "libttsb.a").symlink_to(pathlib.Path(libttsb).resolve())
        self.bash = subprocess.Popen(
            ["bash", "--norc"], cwd=root, text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            env={**os.environ, "TMPDIR": str(folder), "LC_ALL": "C",
                 "PATH": f"{self.compiler(folder, cc, libttsb)}:{os.environ['PATH']}"})

    @staticmethod
    def compiler(folder, cc, libttsb):
        """`cc` as this build has it: with a sanitizer if libttsb.a has one."""
        where = folder / "bin"
        where.mkdir()
        flags = "-fsanitize=address,undefined" if b"__asan_" in \
            pathlib.Path(libttsb).read_bytes() else ""
        (where / "cc").write_text(
            f'#!/bin/sh\nexec {shlex.quote(cc)} -Wall -Wextra -Werror {flags} "$@"\n')
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

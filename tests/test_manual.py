#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs README.md and specs/README.md: writes the files that they show (a fence
`yaml FILE`), runs the commands of their fences (`$ COMMAND`), and compares what
is printed with what is shown; sessions.py says how. Holds the lists of README.md
to what there is: commands, options, modules.

Arguments: a C compiler, libttsb.a. With --fill, what is shown as `@@` becomes
what is printed: put `@@` for an output that has changed, and read the diff."""
import fnmatch
import json
import pathlib
import re
import shutil
import struct
import sys
import tempfile
import unittest

import checkpoints as ck
from sessions import Shell, blocks, commands, matches

FILL = "--fill" in sys.argv
ARGS = [a for a in sys.argv[1:] if a != "--fill"]
CC = shutil.which(ARGS[0] if len(ARGS) > 1 else "cc")
LIBTTSB = ARGS[1] if len(ARGS) > 1 else str(ck.ROOT / "build/libttsb.a")
README, MANUAL = ck.ROOT / "README.md", ck.SPECS / "README.md"
# Options of other programs.
OTHERS = {"--all", "--build", "--cflags", "--component", "--fmad", "--install", "--libs",
          "--prefix", "--static"}


def f32(*shape, first=1):
    n = 1
    for d in shape:
        n *= d
    return ("F32", list(shape), struct.pack(f"<{n}f", *(first + i for i in range(n))))


# What the texts say of their small checkpoints.
CHECKPOINTS = {
    "checkpoint.safetensors": {f"h.{i}.attn.c_proj.weight": f32(8, 8) for i in range(2)},
    "demo.safetensors": {
        "embed.weight": f32(10, 4), "pos.table": f32(16, 4),
        **{f"layers.{i}.{name}": value for i in range(2) for name, value in
           (("up.weight_g", f32(4, 1, 1)), ("up.weight_v", f32(4, 8, 3)),
            ("up.bias", f32(8)), ("log_alpha", f32(4, first=-2)))}},
}


class Runs(unittest.TestCase):
    def document(self, path, least):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        shell = Shell(pathlib.Path(holder.name), CC, LIBTTSB)
        self.addCleanup(shell.close)
        shell.run("PATH=$PWD/build:$PATH")
        for name, tensors in CHECKPOINTS.items():
            ck.write(shell.folder() / name, tensors)
        text, ran = path.read_text(), 0
        for number, language, words, lines in blocks(text):
            if language == "yaml" and words:
                (shell.folder() / words[0]).write_text("\n".join(lines) + "\n")
            if not lines or not lines[0].startswith("$ "):
                continue
            self.assertEqual(language, "sh", f"{path.name}:{number}")
            for command, shown in commands(lines):
                printed, status = shell.run(command)
                ran += 1
                if FILL and shown == ["@@"]:
                    text = text.replace("\n".join(["$ " + command, "@@"]),
                                        "\n".join(["$ " + command, *printed]))
                    path.write_text(text)
                    continue
                with self.subTest(where=f"{path.name}:{number}: {command}"):
                    failed = " diff " in command or any("error[" in line for line in shown)
                    if "|" not in command:
                        self.assertEqual(status, int(failed))
                    if not matches(shown, printed):
                        self.assertEqual(shown, printed)
        self.assertGreaterEqual(ran, least)

    def test_readme(self):
        self.document(README, 4)

    def test_manual(self):
        self.document(MANUAL, 13)


class Lists(unittest.TestCase):
    def help(self):
        """{command: its help}"""
        names = re.findall(r"^  ([a-z]+)  ", ck.ttswc("help")[0], re.M)
        self.assertGreater(len(names), 12)
        return {n: ck.ttswc("help", n)[0] for n in names if n != "help"}

    def test_each_command_has_a_row(self):
        table = README.read_text().split("## Commands")[1].split("## ")[0]
        rows = re.findall(r"^\| `ttswc ([a-z]+)", table, re.M)
        self.assertEqual(set(rows), set(self.help()) | {"help"})

    def test_each_option_exists(self):
        known = set(re.findall(r"--[a-z][a-z-]*", "".join(self.help().values())))
        known |= {"--help", "--version", "--man", "--completion"} | OTHERS
        for path in (README, MANUAL):
            said = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", path.read_text()))
            self.assertGreater(len(said), 12)
            self.assertEqual(said - known, set(), path.name)
        said = set(re.findall(r"--[a-z][a-z-]*", README.read_text() + MANUAL.read_text()))
        short = set(re.findall(r"^  -\w+[ ,].*?(--[a-z-]+)", "".join(self.help().values()), re.M))
        self.assertEqual(known - said - short - {"--help", "--version"}, set(),
                         "nowhere explained")

    def test_each_module_is_named(self):
        inside = README.read_text().split("## Internals")[1].split("## ")[0]
        names = set(re.findall(r"`([a-z0-9_*]+)(?:\.[ch])?`", inside))
        modules = {p.stem for p in (ck.ROOT / "compiler").glob("*.c")}
        self.assertEqual([m for m in sorted(modules)
                          if not any(fnmatch.fnmatch(m, n) for n in names)], [])
        self.assertEqual([n for n in sorted(names) if not fnmatch.filter(modules, n)
                          and not (ck.ROOT / n).is_dir()], [])

    def test_each_key_is_named(self):
        """What `--json` prints, in the section that is about it."""
        def keys(x):
            if isinstance(x, dict):
                return set(x).union(*map(keys, x.values()))
            return set().union(*map(keys, x)) if isinstance(x, list) else set()

        gpt = ck.SPECS / "indextts2/gpt_tiny.yaml"
        weights = ck.FIXTURES / "gpt/gpt_tiny.safetensors"
        blob = ck.FIXTURES / "blobs/features-1.0.ttsb"
        sections = dict(re.findall(r"^## (\d+)\.(.*?)(?=^## |\Z)", MANUAL.read_text(),
                                   re.M | re.S))
        sections["21"] += sections["20"]  # which has the keys of a part
        for number, *args in (
                ("18", "inspect", blob), ("18", "inspect", weights),
                ("18", "inspect", ck.FIXTURES / "manifests/gpt.lock"),
                ("20", "map", gpt, weights), ("22", "stats", weights), ("22", "stats", blob),
                ("21", "explain", gpt, "h.3.attn.k.weight", weights),
                ("21", "explain", "--inverse", gpt, "text_head.bias", weights),
                ("21", "explain", "--inverse", gpt, "gpt.h.3.attn.c_attn.weight", weights)):
            with self.subTest(args=args):
                found = keys(json.loads(ck.ttswc(args[0], "--json", *args[1:])[0]))
                found -= {"license", "source", "attribution"} if "about" in found else set()
                self.assertGreater(len(found), 4)
                self.assertEqual(found - set(re.findall(r"`([a-z_]+)`", sections[number])), set())

    def test_table_of_contents(self):
        text = MANUAL.read_text()
        heads = re.findall(r"^## ((\d+)\. (.*))$", text, re.M)
        self.assertEqual([int(n) for _, n, _ in heads], list(range(1, len(heads) + 1)))
        links = re.findall(r"\[(\d+) ([^\]]+)\]\(#([a-z0-9-]+)\)", text.split("\n## 1.")[0])
        self.assertEqual(links, [
            (n, title, re.sub(r"[^a-z0-9 -]", "", whole.lower()).replace(" ", "-"))
            for whole, n, title in heads])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

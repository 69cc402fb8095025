#!/usr/bin/env python3
"""Random specs of names that nearly collide: what `ttswc` accepts has a header
that a compiler accepts, and what it refuses (E0503) would define a name twice,
as a count of the names by themselves says.

Argument: a C compiler."""
import collections
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

CC = sys.argv[1] if len(sys.argv) > 1 else "cc"
WORDS = ["a", "b", "a_b", "A", "axis", "axis_k", "k_rank", "group", "main", "tensor",
         "M_A_RANK", "M_MODEL", "count", "x"]
AXES = ["k", "K", "k_rank", "b_dim0", "axis_k"]
CONSTANTS = ["a", "a_b_rank", "a_axis_k", "model", "tensor_count", "group_b", "x_dim1",
             "h", "a_count", "x_count1", "b_size"]
GROUPS = ["main", "Main", "count", "b", "b_size", "a_index"]
WORD = ["DTYPE", "RANK", "GROUP", "SIZE", "INDEX", "OFFSET"]
SPECS = 150
LANGUAGES = (("gcc", "c11"), ("gcc", "gnu11"), ("clang", "gnu11"), ("g++", "gnu++17"),
             ("clang++", "c++17"))


def make(rng):
    """Constants, groups, and {name: (axes, is an array)}."""
    tensors = {}
    for _ in range(rng.randint(1, 4)):
        name = ".".join(rng.choices(WORDS, k=rng.choice((1, 1, 2, 3))))
        if not any(f"{x}.".startswith(f"{name}.") or f"{name}.".startswith(f"{x}.")
                   for x in tensors):
            tensors[name] = (rng.sample(AXES, rng.randint(0, 2)), rng.random() < 0.3)
    return (rng.sample(CONSTANTS, rng.choice((0, 0, 1, 2))),
            rng.sample(GROUPS, rng.choice((1, 1, 1, 2))), tensors)


def spec(constants, groups, tensors):
    text = "ttsw: 1\nmodel: m\nrevision: 1\nsource_dtype: f32\nstore: f32\n" \
           f"layout: [{', '.join(AXES)}]\ngroups: [" + \
           ", ".join(f"{{name: {g}}}" for g in groups) + "]\n"
    if constants:
        text += "constants: {" + ", ".join(f"{c}: 1" for c in constants) + "}\n"
    text += "map:\n"
    for n, group in enumerate(groups):
        text += f"  - group: {group}\n    tensors:\n"
        if n > 0:
            text += f"      filler{n}: filler{n} []\n"
            continue
        for name, (axes, array) in tensors.items():
            kind = ", ".join(f"{x}=2" for x in sorted(axes, key=AXES.index))
            for full in ((f"{name}.0", f"{name}.1") if array else (name,)):
                text += f"      {full}: {full} [{kind}]\n"
    return text


def defined(constants, groups, tensors):
    """Each name that the header defines, without M_, as often as it does; a
    tensor has all DIMs and STRIDEs, whatever its rank."""
    names = ["MODEL", "REVISION", "CONTRACT_ID", "TENSOR_COUNT", "GROUP_COUNT", "H"]
    names += [c.upper() for c in constants]
    names += [f"GROUP_{g.upper()}{tail}" for g in groups
              for tail in ("", "_SIZE", "_PLACE")]
    for name, (axes, array) in tensors.items():
        path = name.upper().replace(".", "_")
        names += [f"{path}_{word}" for word in WORD]
        names += [f"{path}_{word}{i}" for word in ("DIM", "STRIDE")
                  for i in range(8)]
        names += [f"{path}_AXIS_{x.upper()}" for x in axes]
        names += [f"{path}_COUNT"] if array else []
    return collections.Counter(names)


def collides(constants, groups, tensors):
    names = defined(constants, groups, tensors)
    parts = {part for name in tensors for part in name.split(".")}
    return max(names.values()) > 1 or any(f"M_{name}" in parts for name in names)


class Names(unittest.TestCase):
    def test_no_name_is_twice(self):
        outcomes = collections.Counter()
        with tempfile.TemporaryDirectory() as holder:
            folder = pathlib.Path(holder)
            for seed in range(SPECS):
                given = make(random.Random(seed))
                (folder / "spec.yaml").write_text(spec(*given))
                bad = collides(*given)
                outcomes[bad] += 1
                _, err = ck.ttswc("header", "-q", folder / "spec.yaml", "-o",
                                  folder / "names.h", code=int(bad))
                self.assertEqual(set(re.findall(r"error\[(E\d+)\]", err)),
                                 {"E0503"} if bad else set(), seed)
                if not bad:
                    self.accepted(folder, seed)
        self.assertGreater(min(outcomes[True], outcomes[False]), SPECS // 5)

    def test_macros_of_c_are_refused(self):
        """All that a compiler has defined by the end of a generated header: a
        member of this name would be replaced, a constant's macro redefined."""
        macros = set()
        for compiler, standard in LANGUAGES:
            self.assertIsNotNone(shutil.which(compiler), "tests/install.sh test")
            done = subprocess.run(
                [compiler, f"-std={standard}", "-dM", "-E",
                 *(["-x", "c++"] if "++" in compiler else ["-x", "c"]),
                 f"-I{ck.ROOT / 'runtime'}", "-"], capture_output=True, text=True,
                input='#include <string.h>\n#include "ttsb.h"\n', check=True)
            macros |= set(re.findall(r"^#define (\w+)", done.stdout, re.M))
        # Keywords of compilers, which are no macros.
        macros |= {"__restrict", "__inline", "__attribute__", "__typeof__", "__asm__"}
        self.assertGreater(len(macros), 300)
        with tempfile.TemporaryDirectory() as holder:
            path = pathlib.Path(holder) / "spec.yaml"
            path.write_text(spec([], ["main"], {m: ([], False) for m in macros}))
            _, err = ck.ttswc("header", "-q", path, "-o", path.with_suffix(".h"),
                              code=1)
        self.assertEqual(macros - set(re.findall(r"target `(\w+)` cannot", err)), set())

    def accepted(self, folder, seed):
        text = (folder / "names.h").read_text()
        names = re.findall(r"^#define (\w+)", text, re.M)
        names += re.findall(r"\b(M_\w+) = \d", text)
        self.assertEqual(len(names), len(set(names)), seed)
        (folder / "names.c").write_text('#include "names.h"\n')
        done = subprocess.run(
            [CC, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror",
             "-fsyntax-only", f"-I{ck.ROOT / 'runtime'}", f"-I{folder}",
             folder / "names.c"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""), seed)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
"""The generated header of every shipped spec: clean in C11 and in C++17, with gcc
and with clang; no macro is defined twice.

Argument: `all`, or `few` for one compiler of each kind, where ttswc is what is
tested and not what it writes."""
import concurrent.futures
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

LANGUAGES = (("gcc", "c", "c11"), ("clang", "c", "c11"), ("g++", "cc", "c++17"),
             ("clang++", "cc", "c++17"))[::3 if sys.argv[1:] == ["few"] else 1]
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
            "-Wcast-align", "-Wcast-qual", "-Werror"]
USE = '#include "{header}"\nstruct {prefix}_weights *here(struct {prefix}_weights *w);\n' \
    'struct {prefix}_weights *here(struct {prefix}_weights *w) {{ return w; }}\n'


def specs():
    """Those with a map, not what they include; of links only the target."""
    return sorted(p for p in ck.SPECS.rglob("*.yaml") if not p.parent.is_symlink()
                  and "\nmap:\n" in p.read_text())


def model(spec):
    line, = (x for x in spec.read_text().splitlines() if x.startswith("model: "))
    return "".join(c if c.isalnum() else "_" for c in line[len("model: "):])


def compiled(folder, spec):
    header = folder / f"{spec.stem}_weights.h"     # features.h is the system's
    ck.ttswc("header", spec, "-o", header)
    once = header.read_bytes()
    ck.ttswc("header", spec, "-o", header)
    assert header.read_bytes() == once, spec
    text = USE.format(header=header.name, prefix=model(spec))
    macros = re.findall(r"^#define (\w+)", header.read_text(), re.M)
    assert len(set(macros)) == len(macros), spec
    for compiler, suffix, standard in LANGUAGES:
        source = folder / f"{spec.stem}.{suffix}"
        source.write_text(text)
        done = subprocess.run(
            [compiler, f"-std={standard}", *WARNINGS, "-fsyntax-only",
             "-isystem", ck.ROOT / "runtime", f"-I{folder}", source],
            capture_output=True, text=True)
        assert done.returncode == 0, (spec, compiler, done.stderr[:2000])


class Headers(unittest.TestCase):
    def test_every_spec(self):
        for compiler, *_ in LANGUAGES:
            self.assertIsNotNone(shutil.which(compiler), "tests/install.sh test")
        found = specs()
        self.assertGreater(len(found), 15)
        with tempfile.TemporaryDirectory() as holder:
            folder = pathlib.Path(holder)
            with concurrent.futures.ThreadPoolExecutor(2) as pool:
                for _ in pool.map(lambda s: compiled(folder, s), found):
                    pass


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

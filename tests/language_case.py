# SPDX-License-Identifier: MIT
"""What the tests of random specs share: a folder, a seed, a run of ttswc.

TTSW_SEED, or the option --seed, is a number (each run has the same ones without
it), or a failure's own seed, NUMBER-NAME-I: then that spec alone is made."""
import os
import pathlib
import random
import sys
import tempfile
import unittest

import checkpoints as ck
import language_terms as lt

HEAD = """\
ttsw: 1
model: cover
revision: 1
source_dtype: u8
store: f32
layout: [a, b, c, out]
map:
"""


def take_seed():
    for arg in sys.argv[1:]:
        if arg.startswith("--seed="):
            sys.argv.remove(arg)
            return arg.removeprefix("--seed=")
    return os.environ.get("TTSW_SEED", "20240607")


SEED, _, ONLY = take_seed().partition("-")


def seeds(name, n):
    """n seeds of a test, or the only one wanted."""
    for i in range(n):
        if ONLY in ("", f"{name}-{i}"):
            yield i, f"{SEED}-{name}-{i}"


class Holder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def write(self, spec):
        (self.dir / "s.yaml").write_text(spec.text())
        ck.write(self.dir / "c.safetensors",
                 {n: (d, s, lt.encode(d, x)) for n, (d, s, x) in spec.tensors.items()})

    def compile(self, name, *args, code=0):
        return ck.ttswc("compile", "-q", "s.yaml", "c.safetensors", "-o", name, *args,
                        cwd=self.dir, code=code)

    def sweep(self, name, n, run):
        """run(seed's generator, i) n times, or a quarter of that where TTSW_FEW
        is set; prints what it gives, summed."""
        n = -(-n // 4) if os.environ.get("TTSW_FEW") else n
        total, specs = 0, 0
        for i, seed in seeds(name, n):
            with self.subTest(seed=seed):
                total += run(random.Random(seed), i)
                specs += 1
        if specs:
            print(f"{name}: {specs} specs, {total} outputs, --seed={SEED}")

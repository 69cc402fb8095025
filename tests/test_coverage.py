#!/usr/bin/env python3
"""TTSB_USE and MODEL_unused with real compilers: the weight that a small engine
forgets is named, each of all weights in turn; without TTSB_COVERAGE the macro
is plain member access.

Arguments: a C compiler, libttsb.a."""
import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

CC = sys.argv[1] if len(sys.argv) > 2 else "cc"
LIBTTSB = sys.argv[2] if len(sys.argv) > 2 else str(ck.ROOT / "build/libttsb.a")
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
FEATURES = (ck.SPECS / "examples" / "features.yaml",
            ck.FIXTURES / "features" / "features.safetensors")
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []
# A sanitized library links with the compiler that built it alone.
LANGUAGES = [(CC, "c11")] if SANITIZE else [
    ("gcc", "c11"), ("clang", "c11"), ("g++", "c++17"), ("clang++", "c++17")]

# Members in another order than the file's: a struct over two groups, holes,
# an array of arrays.
ODD = """ttsw: 1
model: odd-2
revision: 1
source_dtype: f32
store: f32
layout: [n]
groups:
  - {name: one, place: device}
  - {name: two, place: host}
map:
  - group: one
    tensors:
      z.first: t0 [n=2]
      c.0.w: t1 [n=2]
      c.2.w: t2 [n=2]
      m.0.0: t3 [n=2]
      m.0.1: t4 [n=2]
      m.1.0: t5 [n=2]
      m.1.1: t6 [n=2]
      a: t7 [n=2]
  - group: two
    tensors:
      z.second: t8 [n=2]
      b: t9 [n=2]
"""

ENGINE = r"""
#include "engine_weights.h"
#include <stdio.h>
int main(int argc, char **argv)
{
    struct ttsb_blob *blob;
    struct features_weights weights;
    const struct features_weights *w = &weights;
    const void *bases[FEATURES_GROUP_COUNT];
    int blocks = argc - 1, sum = 0;
    if (ttsb_open(argv[1], NULL, &blob, NULL) != TTSB_OK ||
        ttsb_host_bases(blob, bases, FEATURES_GROUP_COUNT) != TTSB_OK ||
        features_bind(blob, bases, &weights) != TTSB_OK)
        return 1;
#ifdef TTSB_COVERAGE
    static uint32_t used[TTSB_USED_WORDS(FEATURES_TENSOR_COUNT)];
    if (weights.ttsb_used != NULL)
        return 1;
    (void)TTSB_USE(w, mask); /* counts nowhere */
    weights.ttsb_used = used;
#endif
    for (int i = 0; i < blocks; i++) {
        (void)TTSB_USE(w, blk[i].attn);
        sum += TTSB_USE(w, blk[i].ln_1.weight)[0] > 0;
        sum += TTSB_USE(w, blk[i].ln_2.weight)[i + 1] > 0;
    }
    sum += TTSB_USE(w, head.weight)[0] > 0;
    sum += TTSB_USE(w, gate.weight)[0].bits;
    sum += TTSB_USE(w, point.weight)->bits;
    sum += TTSB_USE(&weights, speed.weight) != NULL;
    sum += TTSB_USE(&weights, style.weight) == NULL ? 1 : 2;
    sum += (int)*TTSB_USE(w, scalar);
    sum += TTSB_USE(w, mask)[1];
    sum += TTSB_USE(w, steps)[1];
    sum += TTSB_USE(w, tok.weight) == TTSB_USE(w, out.weight);
    sum += TTSB_USE(w, odd.weight)[0] > 0;
    printf("%d\n", sum);
#ifdef TTSB_COVERAGE
    uint32_t next = 0;
    const char *name;
    while ((name = features_unused(w, &next)) != NULL)
        puts(name);
#endif
    ttsb_close(blob);
    return 0;
}
"""

# Each use may be left out: argv[1].
EACH = r"""
#include "engine_weights.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv)
{
    struct MODEL_weights w;
    uint32_t used[TTSB_USED_WORDS(COUNT_OF_TENSORS)] = {0}, next = 0;
    const void *sink[COUNT_OF_TENSORS];
    const char *name;
    const int without = argc > 1 ? atoi(argv[1]) : -1;
    memset(&w, 0, sizeof w);
    w.ttsb_used = used;
USES
    while ((name = MODEL_unused(&w, &next)) != NULL)
        puts(name);
    memset(sink, 0, sizeof sink);
    return sink[0] != NULL;
}
"""

THREADS = r"""
#include "engine_weights.h"
#include <pthread.h>
#include <stdio.h>
static struct features_weights weights;
static void *engine(void *user)
{
    const struct features_weights *w = &weights;
    const int share = *(const int *)user;
USES
    return NULL;
}
int main(void)
{
    for (int round = 0; round < 200; round++) {
        uint32_t used[TTSB_USED_WORDS(FEATURES_TENSOR_COUNT)] = {0}, next = 0;
        const char *name;
        int shares[4];
        pthread_t ids[4];
        weights.ttsb_used = used;
        for (int i = 0; i < 4; i++) {
            shares[i] = i;
            if (pthread_create(&ids[i], NULL, engine, &shares[i]) != 0)
                return 1;
        }
        for (int i = 0; i < 4; i++)
            pthread_join(ids[i], NULL);
        while ((name = features_unused(&weights, &next)) != NULL)
            puts(name);
    }
    return 0;
}
"""


def member(name, array):
    """A target as its member; `array` matches the prefixes that are arrays."""
    path = prefix = ""
    for part in name.split("."):
        if not part.isdigit():
            path += f".{part}" if path else part
        elif re.fullmatch(array, prefix):
            path += f"[{part}]"
        else:
            path += f"._{part}"
        prefix += f".{part}" if prefix else part
    return path


class Coverage(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def prepare(self, spec, checkpoint):
        ck.ttswc("header", spec, "-o", self.dir / "engine_weights.h")
        ck.ttswc("compile", "-q", spec, checkpoint, "-o", self.dir / "x.ttsb")

    def compile(self, compiler, standard, text, *flags):
        """None, or what the compiler had to say."""
        source = self.dir / f"engine{'.cc' if '++' in compiler else '.c'}"
        source.write_text(text)
        done = subprocess.run(
            [compiler, f"-std={standard}", *flags, *WARNINGS, source,
             f"-I{ck.ROOT / 'runtime'}", f"-I{self.dir}", "-o", self.dir / "engine",
             LIBTTSB, "-lpthread", *SANITIZE], capture_output=True, text=True)
        return done.stderr if done.returncode != 0 or done.stderr else None

    def build(self, *arguments):
        self.assertIsNone(self.compile(*arguments))

    def says(self, *arguments):
        done = subprocess.run([self.dir / "engine", *map(str, arguments)],
                              capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout.splitlines()

    def test_an_engine_in_every_language(self):
        self.prepare(*FEATURES)
        blob = self.dir / "x.ttsb"
        for compiler, standard in LANGUAGES:
            with self.subTest(compiler):
                self.assertIsNotNone(shutil.which(compiler), "tests/install.sh test")
                self.build(compiler, standard, ENGINE)
                plain = self.says(blob, "-")
                self.assertEqual(len(plain), 1)
                self.build(compiler, standard, ENGINE, "-DTTSB_COVERAGE")
                self.assertEqual(self.says(blob, "-"), plain)
                # A loop that ends too early.
                self.assertEqual(self.says(blob)[1:], [
                    f"blk.1.{m}" for m in ("attn.proj.weight", "attn.proj.bias",
                                           "ln_1.weight", "ln_2.weight")])
                # One use taken out.
                use = "    sum += TTSB_USE(w, steps)[1];\n"
                self.assertIn(use, ENGINE)
                self.build(compiler, standard, ENGINE.replace(use, ""),
                           "-DTTSB_COVERAGE")
                self.assertEqual(self.says(blob, "-")[1:], ["steps"])

    def names(self):
        return [t["name"] for t in json.loads(ck.ttswc(
            "inspect", "--json", self.dir / "x.ttsb")[0])["tensors"]]

    def each(self, model, spec, checkpoint, array):
        """Every weight forgotten in turn is the one that is named; `array`
        matches the prefixes that are arrays."""
        self.prepare(spec, checkpoint)
        names = self.names()
        paths = [(member(name, array), i) for i, name in enumerate(names)]
        uses = "".join(f"    if (without != {i})\n        sink[{i}] = "
                       f"(const void *)TTSB_USE(&w, {path});\n"
                       for path, i in paths)
        text = EACH.replace("USES", uses).replace("MODEL", model).replace(
            "COUNT_OF_TENSORS", f"{model.upper()}_TENSOR_COUNT")
        self.build(CC, "c11", text, "-DTTSB_COVERAGE")
        self.assertEqual(self.says(), [])
        for i, name in enumerate(names):
            self.assertEqual(self.says(i), [name])
        self.build(CC, "c11", text.replace(uses, "    (void)without;\n"), "-DTTSB_COVERAGE")
        return paths, self.says()

    def test_each_weight(self):
        self.each("features", *FEATURES, "blk")

    def test_threads_lose_no_use(self):
        """Four threads, each of which uses every fourth of the other threads'
        weights too; one weight is used by none."""
        self.prepare(*FEATURES)
        names = self.names()
        uses = "".join(f"        if ({i} % 4 == share || {i} % 3 == share % 3)\n"
                       f"            (void)TTSB_USE(w, {member(n, 'blk')});\n"
                       for i, n in enumerate(names) if n != "mask")
        self.build(CC, "c11", THREADS.replace("USES", uses), "-DTTSB_COVERAGE")
        self.assertEqual(self.says(), ["mask"] * 200)

    def test_members_in_another_order(self):
        spec, checkpoint = self.dir / "odd.yaml", self.dir / "odd.safetensors"
        spec.write_text(ODD)
        ck.write(checkpoint, {f"t{i}": ("F32", [2], struct.pack("<2f", i, i))
                              for i in range(10)})
        paths, order = self.each("odd_2", spec, checkpoint, r"m(\.\d)?")
        self.assertEqual(order[:3], ["z.first", "z.second", "c.0.w"])
        self.assertIn(("m[1][0]", 5), paths)
        self.assertIn(("c._2.w", 2), paths)

    def test_free_without_coverage(self):
        source = self.dir / "use.c"
        source.write_text('#include "ttsb.h"\nMARK TTSB_USE(p, blk[i].q.weight)\n')
        done = subprocess.run([CC, "-E", f"-I{ck.ROOT / 'runtime'}", source],
                              capture_output=True, text=True, check=True)
        line = next(x for x in done.stdout.splitlines() if x.startswith("MARK"))
        self.assertEqual(line, "MARK ((p)->blk[i].q.weight)")

    def test_the_struct_is_the_same_without(self):
        """All that a plain build sees more of is nothing."""
        self.prepare(*FEATURES)
        text = ENGINE.replace("int blocks", """
    _Static_assert(sizeof weights == FEATURES_TENSOR_COUNT * sizeof(void *), "");
    int blocks""")
        self.build(CC, "c11", text)

    def test_a_misspelt_weight_does_not_compile(self):
        self.prepare(*FEATURES)
        text = ENGINE.replace("(w, steps)", "(w, stepz)")
        for flags in ((), ("-DTTSB_COVERAGE",)):
            self.assertIn("stepz", self.compile(CC, "c11", text, *flags))


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    unittest.main(argv=sys.argv[:1])

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""How long MODEL_bind takes, in C, on blobs of 1,000 tensors.

In: nothing; specs and checkpoints are made. Out: a table on standard output:
microseconds of the first bind after an open, and the least and the median of
all rounds, each of which opens the blob anew; seconds that the compiler takes
for an engine. Invariants: the blob is in the page cache; nothing is asserted
about time.
"""
import argparse
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import checkpoints as ck  # noqa: E402

ENGINE = r"""
#include "model.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
enum { ROUNDS = 2000 };
static int order(const void *a, const void *b)
{
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}
static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}
int main(int argc, char **argv)
{
    static double took[ROUNDS];
    static struct model_weights w;
    const void *bases[MODEL_GROUP_COUNT];
    struct ttsb_blob *blob;
    double first;
    for (int i = 0; i < ROUNDS && argc > 1; i++) {
        double start;
        if (ttsb_open(argv[1], NULL, &blob, NULL) != TTSB_OK)
            return 1;
        ttsb_host_bases(blob, bases, MODEL_GROUP_COUNT);
        start = now();
        if (model_bind(blob, bases, &w) != TTSB_OK)
            return 1;
        took[i] = now() - start;
        ttsb_close(blob);
    }
    first = took[0];
    qsort(took, ROUNDS, sizeof took[0], order);
    printf("%.2f %.2f %.2f\n", first, took[0], took[ROUNDS / 2]);
    return 0;
}
"""
HEAD = """ttsw: 1
model: model
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
map:
"""


def layers(count):
    """Layers of eight tensors, all alike: bind loops."""
    return [(f"blk.{i}.{part}", 8 + n) for i in range(count // 8)
            for n, part in enumerate("abcdefgh")]


def unlike(count):
    """No two tensors alike: bind is one line for each."""
    return [(f"part{i % 40}.of{i}", 4 + i % 50) for i in range(count)]


def prepare(folder, tensors, tail):
    lines = "".join(f"      {name}: {name} [out={size}]{tail}\n"
                    for name, size in tensors)
    (folder / "spec.yaml").write_text(HEAD + "  - tensors:\n" + lines)
    ck.write(folder / "all.safetensors", {
        name: ("F32", [size], b"\0\0\x80?" * size) for name, size in tensors})
    ck.ttswc("header", "-q", folder / "spec.yaml", "-o", folder / "model.h")
    ck.ttswc("compile", "-q", folder / "spec.yaml", folder / "all.safetensors",
             "-o", folder / "model.ttsb")
    (folder / "engine.c").write_text(ENGINE)


def measure(folder, compiler, level, library):
    start = time.perf_counter()
    subprocess.run([compiler, level, f"-I{ck.ROOT / 'runtime'}", "-c",
                    folder / "engine.c", "-o", folder / "engine.o"], check=True)
    seconds = time.perf_counter() - start
    subprocess.run([compiler, folder / "engine.o", library, "-lpthread", "-o",
                    folder / "engine"], check=True)
    done = subprocess.run([folder / "engine", folder / "model.ttsb"], check=True,
                          capture_output=True, text=True)
    return (*map(float, done.stdout.split()), seconds)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tensors", type=int, default=1000)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--library", default=ck.ROOT / "build" / "libttsb.a")
    args = parser.parse_args()
    print(f"{args.tensors} tensors, {platform.machine()}, "
          f"{pathlib.Path(args.cc).name}")
    print(f"{'model':28} {'':3} {'first':>8} {'least':>8} {'median':>8}   compiler"
          f"   header")
    for title, make, tail in (("layers, all alike", layers, ""),
                              ("no two alike", unlike, ""),
                              ("no two alike, all optional", unlike, " optional")):
        with tempfile.TemporaryDirectory() as holder:
            folder = pathlib.Path(holder)
            prepare(folder, make(args.tensors), tail)
            lines = len((folder / "model.h").read_text().splitlines())
            for level in ("-O0", "-O2"):
                first, least, median, seconds = measure(
                    folder, args.cc, level, args.library)
                print(f"{title:28} {level} {first:5.1f} us {least:5.1f} us "
                      f"{median:5.1f} us {seconds:8.2f} s {lines:6} lines")


if __name__ == "__main__":
    main()

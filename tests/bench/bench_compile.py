#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`ttswc compile` of a model of full size beside `cp` of the same checkpoint.

In: a manifest of fixtures/manifests, whose spec is specs/indextts2/NAME.yaml.
Out: a table on standard output; README.md says how to read it. Invariants: the
programs take turns, round by round, so that what else the machine does falls
on all of them; each begins with nothing unwritten, the checkpoint in the page
cache and its own output absent; what they leave is removed, also after an
error. Nothing is asserted about time.
"""
import argparse
import math
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

CHUNK = 1 << 20
# An F32 with any sign and mantissa and an exponent of -15 to 0: within F16's
# range, its subnormals included, and all but never one of F16's values.
KEPT, ADDED = 0x87FFFFFF, 0x38000000
SAMPLE = 0.01  # seconds between two looks at a program's memory


def generate(path, tensors):
    """Real bytes, the same in every run."""
    head, left = ck.header_bytes({
        n: (d, s, math.prod(s) * 4) for n, (d, s) in tensors.items()})
    if shutil.disk_usage(path.parent).free < 2.2 * left:
        sys.exit(f"{path.parent}: two files of {left / 1e9:.1f} GB do not fit")
    source = random.Random(1)
    kept = int.from_bytes(KEPT.to_bytes(4, "little") * (CHUNK // 4), "little")
    added = int.from_bytes(ADDED.to_bytes(4, "little") * (CHUNK // 4), "little")
    with open(path, "wb") as file:
        file.write(head)
        while left > 0:
            bits = source.getrandbits(8 * CHUNK) & kept | added
            file.write(bits.to_bytes(CHUNK, "little")[:min(left, CHUNK)])
            left -= min(left, CHUNK)
        file.flush()
        os.fsync(file.fileno())


class Cost:
    """Of one run, or of two in a row."""

    def __init__(self, wall, user, system, memory):
        self.wall, self.user, self.system, self.memory = wall, user, system, memory

    def __add__(self, other):
        return Cost(self.wall + other.wall, self.user + other.user,
                    self.system + other.system, max(self.memory, other.memory))


def peak_so_far(pid):
    """VmHWM in KiB; 0 for a process that has ended. What wait4 says begins at
    the memory of this program, from which the process was started."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return int(text.partition("VmHWM:")[2].split()[0]) if "VmHWM:" in text else 0


def spend(command):
    """Runs a command; its cost."""
    begin = time.monotonic()
    process = subprocess.Popen(list(map(str, command)), stdin=subprocess.DEVNULL,
                               stdout=subprocess.DEVNULL)
    memory = 0
    while os.waitid(os.P_PID, process.pid,
                    os.WEXITED | os.WNOWAIT | os.WNOHANG) is None:
        memory = max(memory, peak_so_far(process.pid))
        time.sleep(SAMPLE)
    wall = time.monotonic() - begin
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        sys.exit(f"{command}: status {process.returncode}")
    return Cost(wall, used.ru_utime, used.ru_stime, memory)


def copier(folder):
    """`cp` as it is, but for file systems where it would copy no bytes."""
    one, two = folder / "one", folder / "two"
    one.write_bytes(b"1")
    cloned = subprocess.run(["cp", "--reflink=always", one, two],
                            stderr=subprocess.DEVNULL).returncode == 0
    one.unlink()
    two.unlink(missing_ok=True)
    return ["cp", "--reflink=never"] if cloned else ["cp"]


class Bench:
    def __init__(self, options, folder):
        self.dir = folder
        self.checkpoint = folder / f"{options.manifest}.safetensors"
        self.spec = self.edited_spec(options)
        self.cp = copier(folder)
        self.programs = {"ttswc": [options.ttswc]}
        if options.against:
            self.programs["other ttswc"] = [options.against]
        for command in self.programs.values():
            command += ["compile", "-q", self.spec, self.checkpoint]
            if options.jobs:
                command.insert(2, f"-j{options.jobs}")
        self.costs = {name: [] for name in [*self.programs, "cp", "cp + sync"]}

    def edited_spec(self, options):
        """The spec itself, or a copy whose floats are stored otherwise."""
        spec = ck.SPECS / "indextts2" / f"{options.manifest}.yaml"
        if options.store is None:
            return spec
        for file in spec.parent.glob("*.yaml"):
            shutil.copy(file, self.dir)
        lines = spec.read_text().splitlines(keepends=True)
        at = [i for i, line in enumerate(lines) if line.startswith("store:")]
        if len(at) != 1:
            sys.exit(f"{spec}: no single line `store:`")
        lines[at[0]] = f"store: {options.store}\n"
        copy = self.dir / spec.name
        copy.write_text("".join(lines))
        return copy

    def fresh(self, name):
        """An output that is not there; freeing the last one is nobody's cost."""
        path = self.dir / name
        path.unlink(missing_ok=True)
        os.sync()
        return path

    def round(self):
        costs = {}
        for name, command in self.programs.items():
            out = self.fresh("out.ttsb")
            costs[name] = spend([*command, "-o", out])
            self.written = out.stat().st_size
            out.unlink()
        out = self.fresh("copy.safetensors")
        costs["cp"] = spend([*self.cp, self.checkpoint, out])
        costs["cp + sync"] = costs["cp"] + spend(["sync", out])
        out.unlink()
        return costs

    def run(self, rounds):
        self.round()  # warms the cache; not counted
        for _ in range(rounds):
            for name, cost in self.round().items():
                self.costs[name].append(cost)

    def row(self, name):
        costs, first = self.costs[name], self.costs["ttswc"]
        wall = [c.wall for c in costs]
        cpu = [c.user + c.system for c in costs]
        ratios = [a.wall / b.wall for a, b in zip(first, costs)]
        cells = [f"{min(wall):.2f}", f"{statistics.median(wall):.2f}",
                 f"{min(cpu):.2f}", f"{statistics.median(cpu):.2f}",
                 f"{statistics.median(c.user for c in costs):.2f}",
                 f"{statistics.median(c.system for c in costs):.2f}",
                 f"{max(c.memory for c in costs) / 1024:.1f}"]
        if name != "ttswc":
            cells += [f"{statistics.median(ratios):.2f}",
                      " ".join(f"{r:.2f}" for r in ratios)]
        return [name, *cells]

    def table(self):
        print(f"`{' '.join(self.cp)}`; checkpoint {self.checkpoint.stat().st_size / 1e9:.3f} GB, "
              f"blob {self.written / 1e9:.3f} GB")
        head = ["", "wall min", "median", "cpu min", "median", "user", "sys",
                "MiB", "ttswc / it", "pair by pair"]
        rows = [head] + [self.row(name) for name in self.costs]
        rows[1] += [""] * (len(head) - len(rows[1]))
        wide = [max(len(row[i]) for row in rows) for i in range(len(head))]
        for row in rows:
            print("  ".join([row[0].ljust(wide[0]), *(
                cell.rjust(w) for cell, w in zip(row[1:-1], wide[1:])),
                row[-1]]).rstrip())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--manifest", default="gpt", choices=("gpt", "bigvgan"))
    parser.add_argument("--runs", type=int, default=5, help="counted rounds")
    parser.add_argument("--dir", help="for the files; gpt needs 8 GB")
    parser.add_argument("--jobs", type=int, help="ttswc's -j")
    parser.add_argument("--store", choices=("f16", "bf16", "f32"),
                        help="instead of what the spec says")
    parser.add_argument("--ttswc", default=ck.TTSWC)
    parser.add_argument("--against", help="another ttswc, in the same rounds")
    options = parser.parse_args()
    if options.runs < 1:
        parser.error("--runs is 1 or more")
    return options


def main():
    options = arguments()
    tensors = ck.manifest(options.manifest)
    if {dtype for dtype, _ in tensors.values()} != {"F32"}:
        sys.exit("only values in f32 are made here")
    with tempfile.TemporaryDirectory(dir=options.dir, prefix="bench.") as folder:
        bench = Bench(options, pathlib.Path(folder))
        generate(bench.checkpoint, tensors)
        before = os.getloadavg()[0]
        bench.run(options.runs)
        print(f"{os.cpu_count()} processors, {platform.system()} "
              f"{platform.machine()}; load {before:.1f} before, "
              f"{os.getloadavg()[0]:.1f} after; {options.runs} rounds")
        bench.table()


if __name__ == "__main__":
    main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Drives the bench on a GPU: makes the blobs, asks the workers in turns, writes
gpu.md and gpu.json. gpu.sh starts it; README.md says what is measured.

In: the built programs and a folder. Out: the table, and exit 0; 1 if bytes on
the device were wrong or a worker could not do what it must. A goal that is
missed is no failure: it is a line of the table."""
import argparse
import json
import os
import pathlib
import platform
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import gpu_table as gt
from gpu_worker import bench_worker, peer_worker

HERE = pathlib.Path(__file__).resolve().parent
FULL = {"1g": ("even", 1_000_000_000), "3.4g": ("gpt", 3_400_000_000),
        "small": ("small", 20_000 * 4096)}
TRY_OUT = {"1g": ("even", 40_000_000), "3.4g": ("gpt", 40_000_000),
           "small": ("small", 5_000 * 4096)}
PATHS = ("mapped", "read", "direct", "register")
GROUPS = {"even": 8, "gpt": 1, "small": 1}
MiB = 1 << 20
RESIDENT = 0.05  # more than this after DONTNEED is not cold


def auto(verify="none"):
    return {"command": "upload", "path": "auto", "verify": verify}


# Rows in the table's order. {} are asked of the peers, by name.
OURS = {gt.AUTO: auto(), gt.HOST_VERIFY: auto("host"),
        gt.DEVICE_VERIFY: auto("device"),
        **{f"ttsb {p}": {"command": "upload", "path": p} for p in PATHS}}
PEERS = {gt.LOAD_FILE: "load_file", gt.FAST: "fastsafetensors"}


class Bench:
    def __init__(self, options):
        self.options = options
        self.end = options.started + options.minutes * 60
        self.worker = bench_worker(options.worker, self.end)
        self.peer = peer_worker(options.peer, self.end) if options.peer else None
        self.peers = {}
        self.result = {"finished": False, "machine": {},
                       "notes": list(options.note), "blobs": {}, "sweep": {},
                       "checks": []}

    def left(self):
        return self.end - time.time()

    def note(self, text):
        print("note:", text, flush=True)
        self.result["notes"].append(text)

    def share(self, part):
        """When a phase ends that may have `part` of the time that is left."""
        return time.time() + max(0, self.left() - 15) * part


def first_line(argv, having=""):
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"unknown ({error})"
    lines = [n for n in done.stdout.strip().splitlines() if having in n]
    return lines[0] if done.returncode == 0 and lines else "unknown"


def processor():
    try:
        for line in open("/proc/cpuinfo"):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def describe(bench, folder):
    """Called after the limit was measured: an idle link is a slower one."""
    smi = "name,driver_version,pcie.link.gen.current,pcie.link.gen.max," \
          "pcie.link.width.current,pcie.link.width.max,memory.total"
    bench.result["machine"] |= {
        "device (name, driver, PCIe generation now and most, lanes now and most,"
        " memory)": first_line(["nvidia-smi", f"--query-gpu={smi}",
                                "--format=csv,noheader"]),
        "toolkit": first_line(["nvcc", "--version"], "release"),
        "processors": f"{len(os.sched_getaffinity(0))} of {os.cpu_count()}, "
                      f"{processor()}",
        "memory": f"{os.sysconf('SC_PAGE_SIZE') * os.sysconf('SC_PHYS_PAGES') / 2**30:.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "file system": first_line(["stat", "-f", "-c", "%T", str(folder)]),
    }


def make_blobs(bench, folder):
    plans = TRY_OUT if bench.options.small else FULL
    need = 2 * sum(size for _, size in plans.values()) * 1.1
    free = shutil.disk_usage(folder).free
    print(f"files in {folder}: {need / 1e9:.1f} GB needed, "
          f"{free / 1e9:.1f} GB free", flush=True)
    if free < need:
        print("not enough room; TTSB_BENCH_DIR names another folder",
              file=sys.stderr)
        sys.exit(2)
    for name, (kind, size) in plans.items():
        blob, checkpoint = (folder / f"{name}.{end}"
                            for end in ("ttsb", "safetensors"))
        start = time.time()
        done = subprocess.run([bench.options.make, kind, str(size), blob,
                               checkpoint], capture_output=True, text=True)
        if done.returncode != 0:
            sys.exit(f"gpu_make {kind}: {done.stderr.strip()}")
        print(f"made {name} in {time.time() - start:.1f} s: "
              f"{done.stdout.strip()}", flush=True)
        bench.result["blobs"][name] = {
            "kind": kind, "asked": size, "file": str(blob),
            "checkpoint": str(checkpoint),
            "bytes": payload(checkpoint), "group_share": 1 / GROUPS[kind],
            "tensors": int(done.stdout.split()[0]), "series": {}}


def payload(checkpoint):
    """Bytes of the tensors: what every row of the table has to move."""
    with open(checkpoint, "rb") as f:
        return checkpoint.stat().st_size - 8 - int.from_bytes(f.read(8), "little")


def check(bench, name, path, verify):
    blob = bench.result["blobs"][name]
    reply = bench.worker.ask(command="check", file=blob["file"],
                             kind=blob["kind"], bytes=blob["asked"],
                             path=path, verify=verify)
    reply["what"] = f"{name}, {path}, verify {verify}"
    bench.result["checks"].append(reply)
    print("check:", reply["what"], reply.get("error") or
          f"{reply['different']} of {reply['tensors']} differ", flush=True)


def check_all(bench):
    for path in PATHS:
        check(bench, "1g", path, "device")
        check(bench, "small", path, "none")
    for name in bench.result["blobs"]:
        check(bench, name, "auto", "device")


def prepare(bench, path, cache):
    """Brings the file into the page cache or out of it; True if it is so."""
    reply = bench.worker.ask(command=cache, file=path)
    resident = reply.get("resident")
    if resident is None:
        bench.note(f"{cache} {path}: {reply.get('error')}")
        return False
    return resident > 1 - RESIDENT if cache == "warm" else resident < RESIDENT


def measure(bench, blob, row, cache):
    """One sample of one row."""
    if row in PEERS:
        if not prepare(bench, blob["checkpoint"], cache):
            return {"error": f"the checkpoint is not {cache}"}
        return bench.peer.ask(command=PEERS[row], file=blob["checkpoint"])
    if row == gt.LIMIT:
        return bench.worker.ask(command="limit", bytes=blob["bytes"])
    if not prepare(bench, blob["file"], cache):
        return {"error": f"the blob is not {cache}"}
    if row == gt.PAGEABLE:
        return bench.worker.ask(command="pageable", file=blob["file"])
    return bench.worker.ask(**OURS[row], file=blob["file"])


def series(bench, name, cache, end, rounds):
    """Rounds of all rows, in an order drawn anew for each. A row that failed in
    the first round is not asked again: its error is in the table."""
    blob = bench.result["blobs"][name]
    if bench.left() < 5:
        bench.note(f"{name}, {cache}: not measured: the time was over")
        return
    rows = [gt.PAGEABLE, *OURS, *(p for p in PEERS if p in bench.peers)]
    if cache == "warm":
        rows.insert(0, gt.LIMIT)
        for row in rows:  # uncounted: the first of anything pays for others
            measure(bench, blob, row, cache)
    elif not prepare(bench, blob["file"], "cold"):
        bench.note(f"{name}: cold was not measured: pages stay in memory after "
                   "posix_fadvise DONTNEED")
        return
    samples = blob["series"][cache] = {row: [] for row in rows}
    draw = random.Random(f"{name} {cache}")
    for number in range(rounds):
        if number >= 2 and time.time() > end or number and bench.left() < 30:
            break
        for row in draw.sample(rows, len(rows)):
            if bench.left() < 5:
                samples[row].append({"error": "the time was over"})
            elif not gt.errors(samples[row]):
                samples[row].append(measure(bench, blob, row, cache))
    print(f"{name}, {cache}: {max(map(len, samples.values()))} rounds, "
          f"{bench.left():.0f} s left", flush=True)


def sweep_points():
    for path in ("mapped", "read"):
        for threads in (2, 4, 8):
            for slots, size in ((8, 1), (8, 2), (8, 4), (8, 16), (32, 4)):
                yield path, threads, slots, size, "warm"
    for threads in (4, 8, 16):
        for slots, size in ((8, 2), (8, 4), (8, 16), (32, 4)):
            yield "direct", threads, slots, size, "cold"


def sweep(bench, end):
    blob = bench.result["blobs"]["1g"]
    points = list(sweep_points())
    for number in range(3):
        for path, threads, slots, size, cache in points:
            if time.time() > end:
                bench.note(f"the sweep ended in round {number + 1} of 3: its "
                           "time was over")
                return
            label = f"{path}, {threads}, {slots} x {size}, {cache}"
            samples = bench.result["sweep"].setdefault(label, [])
            if gt.errors(samples):
                continue
            if not prepare(bench, blob["file"], cache):
                samples.append({"error": f"the blob is not {cache}"})
                continue
            samples.append(bench.worker.ask(
                command="upload", file=blob["file"], path=path, verify="none",
                threads=threads, slots=slots, slot_size=size * MiB))


def find_peers(bench):
    if bench.peer is None:
        bench.note("no peers were asked")
        return
    reply = bench.peer.ask(command="peers")
    if "error" in reply:
        bench.note(f"no peers: {reply['error']}")
        return
    for row, name in PEERS.items():
        if name in reply["peers"]:
            bench.peers[row] = name
        else:
            bench.note(f"{row}: not installed ({reply['missing'].get(name)})")
    bench.result["machine"]["peers"] = (
        f"torch {reply['torch']} (CUDA {reply['torch_cuda']}), " +
        ", ".join(f"{k} {v}" for k, v in reply["peers"].items()))


def run(bench, folder):
    reply = bench.worker.ask(command="device")
    if "error" in reply:
        sys.exit(f"no device: {reply['error']}")
    make_blobs(bench, folder)
    find_peers(bench)
    check_all(bench)
    bench.worker.ask(command="limit", bytes=10 ** 9)
    describe(bench, folder)
    save(bench)
    for name, part in (("1g", 0.2), ("3.4g", 0.3), ("small", 0.15)):
        series(bench, name, "warm", bench.share(part), 15)
        save(bench)
    sweep(bench, bench.share(0.25))
    for name, part in (("1g", 0.3), ("3.4g", 0.6), ("small", 0.9)):
        series(bench, name, "cold", bench.share(part), 5)
    bench.result["finished"] = True


def save(bench):
    """Also after each phase: a run that is ended leaves what it has measured."""
    out = bench.options.out
    out.mkdir(parents=True, exist_ok=True)
    (out / "gpu.json").write_text(json.dumps(bench.result, indent=1) + "\n")
    text = gt.markdown(bench.result)
    (out / "gpu.md").write_text(text)
    return text


def write(bench):
    print(save(bench))
    print(f"written to {bench.options.out}: gpu.md, gpu.json")
    wrong = [c for c in bench.result["checks"]
             if c.get("error") or c.get("different", 1) != 0]
    return 1 if wrong else 0


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--worker", nargs="+", required=True, help="gpu_bench")
    p.add_argument("--peer", nargs="*", default=[
        sys.executable, str(HERE / "gpu_peer.py")], help="empty: no peers")
    p.add_argument("--make", required=True, help="gpu_make")
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--small", action="store_true", help="100 MB in all")
    p.add_argument("--minutes", type=float, default=9)
    p.add_argument("--note", action="append", default=[],
                   help="a line for the table's notes")
    p.add_argument("--started", type=float, default=time.time(),
                   help="when the minutes began, seconds since 1970")
    return p.parse_args()


def main():
    bench = Bench(arguments())
    # So that an end from outside removes the files, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended from outside"))
    holder = tempfile.mkdtemp(prefix="ttsb-bench-",
                              dir=os.environ.get("TTSB_BENCH_DIR"))
    try:
        run(bench, pathlib.Path(holder))
        return write(bench)
    finally:
        bench.worker.stop()
        if bench.peer:
            bench.peer.stop()
        shutil.rmtree(holder)


if __name__ == "__main__":
    sys.exit(main())

# SPDX-License-Identifier: MIT
"""Compares what ttswc prints with what a person once judged right.

In: the folders of tests/golden/, one a case; golden/README.md says what one
holds. Out: for each case that came out otherwise, a unified diff; then the
line `N passed, N failed`; exit 0 if all passed, 1 if not. Each case runs in
a temporary copy of its folder, named by relative paths, so that no path of a
machine stands in any output. A run that fails must leave the copy as it found
it: no blob, no temporary, no file changed. --update writes what is printed
now into the cases; read the diff before you keep it.
"""
import argparse
import difflib
import json
import math
import os
import pathlib
import shlex
import struct
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent / "golden"
FORMATS = {"U8": "B", "I8": "b", "U16": "H", "I16": "h", "U32": "I", "I32": "i",
           "U64": "Q", "I64": "q", "F16": "e", "F32": "f", "F64": "d", "BOOL": "B"}
BITS = {"BF16": 16, "C64": 64, "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6}


def pack(dtype, values):
    """Numbers as a dtype's bytes; "nan" and "inf" may stand as texts."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", float(v))[2:] for v in values)
    if dtype in ("F16", "F32", "F64"):
        values = [float(v) for v in values]
    return struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)


def payload(tensor):
    """A tensor's bytes: "data" as numbers or "hex:...", else small values, none 0."""
    dtype, data, count = tensor["dtype"], tensor.get("data"), math.prod(tensor["shape"])
    if isinstance(data, str):
        return bytes.fromhex(data.removeprefix("hex:"))
    if data is not None:
        return pack(dtype, data)
    if dtype in ("F16", "BF16", "F32", "F64"):
        return pack(dtype, [(1 + i * 7 % 13) / 16 * (-1) ** i for i in range(count)])
    if dtype in FORMATS:
        return pack(dtype, [1 if dtype == "BOOL" else 1 + i % 100 for i in range(count)])
    return bytes(1 + i % 100 for i in range(count * BITS.get(dtype, 8) // 8))


def safetensors(spec):
    """The bytes of a file: of a list of tensors, or {"raw"} or {"header", "data"}."""
    if isinstance(spec, dict) and "raw" in spec:
        return bytes.fromhex(spec["raw"])
    if isinstance(spec, dict):
        text = spec["header"].encode()
        return struct.pack("<Q", len(text)) + text + bytes.fromhex(spec["data"])
    header, body = {}, b""
    for tensor in spec:
        data = payload(tensor)
        header[tensor["name"]] = {"dtype": tensor["dtype"], "shape": tensor["shape"],
                                  "data_offsets": [len(body), len(body) + len(data)]}
        body += data
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return struct.pack("<Q", len(text)) + text + body


def files(folder):
    return {str(p.relative_to(folder)): p.read_bytes()
            for p in folder.rglob("*") if p.is_file()}


def fill(case, folder):
    for path, data in files(case).items():
        if path == "checkpoint.json":
            path, data = "checkpoint.safetensors", safetensors(json.loads(data))
        elif path == "command" or path.startswith("expected."):
            continue
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(data)


def run(case, ttswc):
    """What the case's commands print, up to the first that fails; its exit status."""
    got = {"stderr": b"", "stdout": b"", "exit": b""}
    complaints = []
    environment = {**os.environ, "LC_ALL": "C"}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        fill(case, folder)
        for line in (case / "command").read_text().splitlines():
            before = files(folder)
            done = subprocess.run([ttswc, *shlex.split(line)], cwd=folder, timeout=60,
                                  env=environment, capture_output=True, check=False)
            got["stderr"] += done.stderr
            got["stdout"] += done.stdout
            got["exit"] = b"%d\n" % done.returncode
            after = files(folder)
            left = [n for n in after if n.endswith("-tmp") or
                    (done.returncode != 0 and after[n] != before.get(n))]
            gone = [n for n in before if n not in after]
            complaints += [f"`{line}` left {n} behind" for n in left]
            complaints += [f"`{line}` removed {n}" for n in gone]
            if done.returncode < 0:
                complaints.append(f"`{line}` died of signal {-done.returncode}")
            if done.returncode != 0:
                break
    return got, complaints


def compare(case, got, update):
    """The differences as text; with update, the expectations are rewritten."""
    diff = []
    for what, data in got.items():
        path = case / f"expected.{what}"
        want = path.read_bytes() if path.exists() else b""
        if want == data:
            continue
        name = f"{case.name}/{path.name}"
        lines = [t.decode(errors="backslashreplace").splitlines() for t in (want, data)]
        diff += list(difflib.unified_diff(*lines, name, "now", lineterm="")) or [
            f"{name}: line ends differ"]
        if update and (data or what != "stdout"):
            path.write_bytes(data)
        elif update:
            path.unlink()
    return diff


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--ttswc", required=True, type=pathlib.Path, metavar="PATH")
    options.add_argument("--update", action="store_true", help="rewrite the expectations")
    options.add_argument("case", nargs="*", help="names of cases; all without any")
    args = options.parse_args()
    cases = [HERE / c for c in args.case] or sorted(p.parent for p in HERE.glob("*/command"))
    failed = 0
    for case in cases:
        got, complaints = run(case, args.ttswc.resolve())
        diff = compare(case, got, args.update and not complaints)
        if diff and args.update and not complaints:
            print(f"{case.name}: updated")
        elif diff or complaints:
            failed += 1
            print("\n".join([f"{case.name}: FAILED", *complaints, *diff]))
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())

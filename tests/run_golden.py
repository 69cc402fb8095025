# SPDX-License-Identifier: MIT
"""Compares what ttswc prints with what a person once judged right.

In: the folders of tests/golden/, one a case; its README.md says what one holds.
Out: a unified diff for each case that came out otherwise, then `N passed, N failed`;
exit 1 if any failed. A case runs in a temporary copy of its folder, with relative
paths; a run that fails must leave the copy as it was. --update writes what is
printed now into the cases: judge it before you keep it.
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
FORMATS = {"BOOL": "?", "U8": "B", "I8": "b", "U16": "H", "I16": "h", "U32": "I",
           "I32": "i", "U64": "Q", "I64": "q", "F16": "e", "F32": "f", "F64": "d"}
FLOATS = ("F16", "BF16", "F32", "F64")


def pack(dtype, values):
    """Numbers as a dtype's bytes; "nan" and "inf" may stand as texts."""
    if dtype == "BF16":
        return b"".join(struct.pack("<f", float(v))[2:] for v in values)
    values = [float(v) for v in values] if dtype in FLOATS else values
    return struct.pack(f"<{len(values)}{FORMATS[dtype]}", *values)


def payload(tensor):
    """A tensor's bytes: "data" as numbers or "hex:...", else small values, none 0."""
    data = tensor.get("data")
    if isinstance(data, str):
        return bytes.fromhex(data.removeprefix("hex:"))
    if data is None:
        scale = 1 / 16 if tensor["dtype"] in FLOATS else 1
        data = [(1 + i * 7 % 13) * scale for i in range(math.prod(tensor["shape"]))]
    for index, value in tensor.get("set", {}).items():
        data[int(index)] = value
    return pack(tensor["dtype"], data)


def safetensors(content):
    """The bytes of a file: of a list of tensors, or {"raw"} or {"header", "data"}."""
    if "raw" in content:
        return bytes.fromhex(content["raw"])
    if "header" in content:
        text, body = content["header"], bytes.fromhex(content["data"])
    else:
        header, body = {}, b""
        for t in content:
            span = [len(body), len(body := body + payload(t))]
            header[t["name"]] = {"dtype": t["dtype"], "shape": t["shape"], "data_offsets": span}
        text = json.dumps(header, separators=(",", ":"), ensure_ascii=False)
    return struct.pack("<Q", len(text.encode())) + text.encode() + body


def files(folder):
    found = (p for p in folder.rglob("*") if p.is_file())
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def fill(case, folder):
    for path, data in files(case).items():
        name = "checkpoint" if path == "checkpoint.json" else path.removesuffix(".tensors.json")
        if name != path:
            path, data = name + ".safetensors", safetensors(json.loads(data))
        if path != "command" and not path.startswith("expected."):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)


def run(case, ttswc):
    """What the commands print up to the first that fails, and what they must not do."""
    out, err, wrong = b"", b"", []
    with tempfile.TemporaryDirectory() as name:
        fill(case, pathlib.Path(name))
        for line in (case / "command").read_text().splitlines():
            before = files(pathlib.Path(name))
            done = subprocess.run([ttswc, *shlex.split(line)], cwd=name, timeout=600,
                                  env={**os.environ, "LC_ALL": "C"}, capture_output=True)
            after, code = files(pathlib.Path(name)), done.returncode
            out, err = out + done.stdout, err + done.stderr
            wrong += [f"`{line}` left {n} behind" for n in after if n.endswith("-tmp")]
            wrong += [f"`{line}`: signal {-code}"] if code < 0 else []
            if code != 0:
                wrong += [] if before == after else [f"`{line}` failed and changed files"]
                break
    got = {"stderr": err, "stdout": out, "exit": b"%d\n" % code}
    if (case / "expected.header").exists():
        got["header"] = b"".join(after[n] for n in sorted(after) if n.endswith(".h"))
    return got, wrong


def compare(case, got, update):
    """The differences as text; with update, the expectations are rewritten."""
    diff = []
    for what, data in got.items():
        path = case / f"expected.{what}"
        want = path.read_bytes() if path.exists() else b""
        texts = [t.decode(errors="backslashreplace").split("\n") for t in (want, data)]
        diff += difflib.unified_diff(*texts, f"{case.name}/{path.name}", "now", lineterm="")
        if update and want != data:
            path.write_bytes(data) if data else path.unlink()
    return diff


def main():
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--ttswc", required=True, type=pathlib.Path, metavar="PATH")
    options.add_argument("--update", action="store_true", help="rewrite expectations")
    options.add_argument("case", nargs="*", help="name of a case (default: all of them)")
    args = options.parse_args()
    cases = [HERE / c for c in args.case] or sorted(p.parent for p in HERE.glob("*/command"))
    failed = 0
    for case in cases:
        got, wrong = run(case, args.ttswc.resolve())
        diff = compare(case, got, args.update and not wrong)
        bad = bool(wrong or (diff and not args.update))
        failed += bad
        if bad or diff:
            print(f"{case.name}: {'FAILED' if bad else 'updated'}", *wrong, *diff, sep="\n")
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed or not cases else 0


if __name__ == "__main__":
    sys.exit(main())

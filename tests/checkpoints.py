"""Reads and writes safetensors files with the standard library, for tests.

In: a path, or tensors as {name: (dtype, shape, bytes)}. Out: the other one.
Trusting on purpose: the strict reader is what is tested."""
import json
import math
import os
import pathlib
import struct
import subprocess

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
FIXTURES = ROOT / "fixtures"
SPECS = ROOT / "specs"
TTSWC = os.environ.get("TTSWC", str(ROOT / "build" / "ttswc"))
BITS = {"F64": 64, "I64": 64, "U64": 64, "F32": 32, "I32": 32, "U32": 32,
        "F16": 16, "BF16": 16, "I16": 16, "U16": 16, "I8": 8, "U8": 8,
        "BOOL": 8}


def read(path):
    raw = pathlib.Path(path).read_bytes()
    n = struct.unpack_from("<Q", raw)[0]
    header = json.loads(raw[8:8 + n])
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"],
                   raw[8 + n + t["data_offsets"][0]:8 + n + t["data_offsets"][1]])
            for name, t in header.items()}


def header_bytes(sizes):
    """The head of a file; sizes: {name: (dtype, shape, byte count)}."""
    header, at = {}, 0
    for name, (dtype, shape, size) in sizes.items():
        header[name] = {"dtype": dtype, "shape": shape,
                        "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text, at


def write(path, tensors):
    head, _ = header_bytes({n: (d, s, len(b)) for n, (d, s, b) in tensors.items()})
    pathlib.Path(path).write_bytes(head + b"".join(t[2] for t in tensors.values()))


def write_sparse(path, shapes):
    """A file whose header is whole and whose data is a hole of zeros."""
    head, size = header_bytes({
        n: (d, s, math.prod(s) * BITS[d] // 8) for n, (d, s) in shapes.items()})
    with open(path, "wb") as file:
        file.write(head)
        file.truncate(len(head) + size)


def lock(name):
    return FIXTURES / "manifests" / f"{name}.lock"


def manifest(name):
    """{name: (dtype, shape)} of fixtures/manifests/NAME.lock; it has plain names."""
    lines = lock(name).read_text().splitlines()
    assert lines[0] == "ttsw-lock 1", name
    fields = (line.split() for line in lines[1:] if line[0] != "#")
    return {name: (dtype.upper(), json.loads(shape)) for name, dtype, shape in fields}


def floats(dtype, data):
    if dtype == "BF16":
        return [struct.unpack("<f", b"\0\0" + data[i:i + 2])[0]
                for i in range(0, len(data), 2)]
    code, size = {"F32": ("f", 4), "F16": ("e", 2), "F64": ("d", 8),
                  "I32": ("i", 4), "I64": ("q", 8), "BOOL": ("B", 1)}[dtype]
    return list(struct.unpack(f"<{len(data) // size}{code}", data))


def ttswc(*args, cwd=None, code=0, **options):
    """Runs the program and insists on its exit code; (stdout, stderr)."""
    done = subprocess.run([TTSWC, *map(str, args)], capture_output=True,
                          text=True, cwd=cwd, stdin=subprocess.DEVNULL, **options)
    assert done.returncode == code, (args, done.returncode, done.stdout, done.stderr)
    return done.stdout, done.stderr


def blob(path):
    """{name: (dtype, shape, bytes, flags)} of a blob, by `ttswc inspect`."""
    info = json.loads(ttswc("inspect", "--json", path)[0])
    raw = pathlib.Path(path).read_bytes()
    info["values"] = {
        t["name"]: (t["dtype"].upper(), t["shape"],
                    raw[t["offset"]:t["offset"] + t["size"]], t["flags"])
        for t in info["tensors"]}
    return info

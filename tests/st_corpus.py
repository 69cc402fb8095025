# SPDX-License-Identifier: MIT
"""The files that both readers of safetensors are shown.

In: a random.Random. Out: cases, always the same for the same seed. A case has
a name, the file's bytes and a claim: "good" and "bad" say what the reference
must find, so that a lie that is none is noticed; None leaves the verdict to
it. Headers are written by hand, so that each can be wrong in one place.
"""
import ctypes
import json
import pathlib
import struct
import sys

import safetensors

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "fixtures"
sys.path.insert(0, str(FIXTURES))
from make_safetensors import (  # noqa: E402
    BITS, entry, join, quoted, size_of, tensor)

# TensorSpec's names of dtypes; it has none for the float6 ones.
WRITTEN = {
    "bool": "BOOL", "int8": "I8", "uint8": "U8", "int16": "I16",
    "uint16": "U16", "int32": "I32", "uint32": "U32", "int64": "I64",
    "uint64": "U64", "float16": "F16", "float32": "F32", "float64": "F64",
    "bfloat16": "BF16", "float8_e4m3fn": "F8_E4M3",
    "float8_e4m3fnuz": "F8_E4M3FNUZ", "float8_e5m2": "F8_E5M2",
    "float8_e5m2fnuz": "F8_E5M2FNUZ", "float8_e8m0fnu": "F8_E8M0",
    "float4_e2m1fn_x2": "F4", "complex64": "C64"}

NAMES = ["", " ", "a", "0", "-", "a.b.c", "a/../b", "..", "dtype", "shape",
         "data_offsets", "__metadata__x", "__METADATA__", "null", "true",
         "with space", " lead", "trail ", "it's", 'say "it"', "back\\slash",
         "{i}", "}{", "[x]", "a: b", "a #b", "#", "%s%n", "*", "?", "é",
         "e\u0301", "ß", "\u4e16\u754c", "\u05d0\u05d1", "\U0001f600",
         "\U0010fffd", "\u200b", "\u2028", "\ufeffx", "\ufffd", "\uffff",
         "\x7f", "\x80", "\x85", "\x9f", "\0", "a\0b", "\x01\x1f", "\n",
         "\r\n", "\t", "\x1b[31m", "n" * 255, "n" * 256, "é" * 3000,
         "x" * 65535]

LITERALS = ["null", "true", "false", "0", "1", "-1", "-0", "1.0", "1e0", "2.5",
            "1e400", "9223372036854775807", "9223372036854775808",
            "18446744073709551615", "18446744073709551616", '""', '"F32"',
            '"2"', "[]", "[2]", "[2,2]", "[[2,2]]", "[0,16]", "[0,16,]",
            "[,0]", "[null]", "[2,null]", "{}", '{"F32":null}', '{"a":1}',
            "[1e0]", "[-1,2]", "[-2,-2]", "[16,0]", "[16,32]", "[0,15]",
            "[0,17]", "[1,17]", "[4]", "[4,1,1]", "[2,2,0]", "[1,1]", "02",
            "nan", "Infinity", "'x'", "//", ""]


class Case:
    """One file."""

    def __init__(self, name, raw, claim=None):
        self.name, self.raw, self.claim = name, raw, claim


def data(rng, size):
    """Bytes in which no dtype has a NaN or an infinity, nor BOOL a surprise
    that would matter: both readers only copy them."""
    return bytes(b & 0xbf for b in rng.randbytes(size))


def escaped(text):
    """A JSON string of nothing but \\uXXXX."""
    units = struct.unpack(f"<{len(text.encode('utf-16-le')) // 2}H",
                          text.encode("utf-16-le"))
    return '"' + "".join("\\u%04x" % u for u in units) + '"'


def spelled(text):
    """The least that JSON needs, control characters too."""
    return json.dumps(text, ensure_ascii=False)


class File:
    """Tensors in data order, and how the header spells them."""

    def __init__(self, rng):
        self.rng, self.entries, self.end = rng, [], 0

    def add(self, name, dtype, dims, spelling=None):
        begin, self.end = self.end, self.end + size_of(dtype, dims)
        self.entries.append(entry(spelling or spelled(name), dtype, dims,
                                  begin, self.end))
        return self

    def raw(self, more=(), pad=0):
        """`more`: entries besides, in front."""
        head = "{" + ",".join([*more, *self.entries]) + "}" + " " * pad
        return join(head, data(self.rng, self.end))


def dims_of(rng, dtype, rank):
    """A shape that fills whole bytes; None for a sub-byte scalar."""
    dims = [rng.choice((1, 1, 2, 3)) for _ in range(rank)]
    if BITS[dtype] < 8:
        if rank == 0:
            return None
        dims[rng.randrange(rank)] = 4
    return dims


def shapes(rng):
    """Every dtype in every rank, and sizes of 0."""
    for dtype in BITS:
        file = File(rng)
        for rank in range(9):
            dims = dims_of(rng, dtype, rank)
            if dims is not None:
                file.add(f"r{rank}", dtype, dims)
        yield Case(f"ranks of {dtype}", file.raw(), "good")
        file = File(rng)
        for i, dims in enumerate(([0], [4, 0], [0, 4], [0, 0], [4], [2, 0, 3])):
            file.add(f"z{i}", dtype, dims)
        yield Case(f"zero sizes {dtype}", file.raw(), "good")
    for rank in (9, 16, 63, 64):
        yield Case(f"rank {rank}", File(rng).add("t", "U8", [1] * rank).raw(),
                   "good")
    yield Case("nothing", File(rng).raw(), "good")
    for i in range(4):
        file = File(rng)
        for k in range(4):
            file.add(f"t{k}", "F32", [0] if k == i else [2])
        yield Case(f"zero size as number {i}", file.raw(), "good")


def names(rng):
    """Every odd name, in JSON's least spelling and in escapes."""
    for i, name in enumerate(NAMES):
        yield Case(f"name {i}", File(rng).add(name, "U8", [3]).raw(), "good")
        if len(name) < 1000:
            yield Case(f"name {i} escaped", File(rng).add(
                name, "U8", [3], escaped(name)).raw(), "good")
    file = File(rng)
    for name in NAMES:
        file.add(name, "U8", [2])
    yield Case("all names", file.raw(), "good")
    yield Case("names that normalise alike", File(rng).add("é", "U8", [1])
               .add("e\u0301", "U8", [1]).raw(), "good")


def metadata(rng):
    """What may stand in __metadata__."""
    pairs = [(n, n[::-1]) for n in NAMES if len(n) < 1000]
    for label, some in (("all", pairs), ("none", []), ("one", [("format", "pt")]),
                        ("values alike", [("a", "v"), ("b", "v")])):
        for spell in (spelled, escaped):
            text = ",".join(spell(k) + ":" + spell(v) for k, v in some)
            yield Case(f"metadata {label} {spell.__name__}",
                       File(rng).add("t", "I16", [2]).raw(
                           ['"__metadata__":{%s}' % text]), "good")
    yield Case("metadata null", File(rng).add("t", "U8", [1]).raw(
        ['"__metadata__":null']), "good")
    yield Case("metadata of 1 MiB", File(rng).add("t", "U8", [1]).raw(
        ['"__metadata__":{"k":"%s"}' % ("v" * (1 << 20))]), "good")


def layouts(rng):
    """Order of the header against order of the data, padding, white space."""
    for i in range(20):
        file = File(rng)
        for k in range(rng.randrange(2, 9)):
            file.add(f"t{k}", rng.choice(("U8", "F32", "BF16")),
                     dims_of(rng, "U8", rng.randrange(3)))
        rng.shuffle(file.entries)
        yield Case(f"shuffled {i}", file.raw(), "good")
    for pad in (*range(1, 9), 63, 4096):
        yield Case(f"padding {pad}", File(rng).add("t", "U8", [1]).raw(pad=pad),
                   "good")
    plain = tensor()
    for i in range(20):
        text = "".join(c + "".join(rng.choice(" \t\r\n") for _ in range(
            rng.randrange(3))) if c in "{}[],:" and k < len(plain) - 1 else c
            for k, c in enumerate(plain))
        yield Case(f"white space {i}", join(text, data(rng, 16)), "good")
    file = File(rng)
    for i in range(5000):
        file.add(f"layers.{i}.weight", "U8", [1])
    yield Case("5000 tensors", file.raw(), "good")


def unknown_fields(rng):
    """Fields besides the three, which any value may fill."""
    values = ["0", "-0", "1.5e-7", "-12.5E+3", "0e999999999999", "1e-99999999",
              "1e0000000000000000000001", "0." + "0" * 400 + "1e500",
              "1" + "0" * 400 + "e-300", "9.9e307", "123456789012345678901234",
              "1e0", "null", "true", '"\\ud83d\\ude00"', "[]", "{}",
              '[{"dtype":[]},{"dtype":1}]', "[" * 125 + "]" * 125,
              '{"a":' * 125 + "0" + "}" * 125]
    for i, value in enumerate(values):
        yield Case(f"unknown field {i}", join(
            tensor(more=',"x":' + value), data(rng, 16)), "good")
    fields = ['"dtype":"F32"', '"shape":[2,2]', '"data_offsets":[0,16]',
              '"x":[0]']
    for i in range(8):
        rng.shuffle(fields)
        yield Case(f"members in order {i}", join(
            '{"a":{%s}}' % ",".join(fields), data(rng, 16)), "good")


def random_files(rng):
    """All of it at once."""
    for i in range(60):
        file, some = File(rng), rng.sample(NAMES[:-2], rng.randrange(1, 12))
        for name in some:
            dtype = rng.choice(list(BITS))
            dims = dims_of(rng, dtype, rng.randrange(1, 6))
            if rng.random() < 0.1:
                dims[rng.randrange(len(dims))] = 0
            file.add(name, dtype, dims,
                     rng.choice((spelled, escaped, quoted_if_plain))(name))
        if rng.random() < 0.5:
            rng.shuffle(file.entries)
        more = ['"__metadata__":{"seed":"%d"}' % i] if i % 2 else []
        yield Case(f"random {i}", file.raw(more, rng.randrange(9)), "good")


def quoted_if_plain(name):
    return quoted(name) if min(name, default=" ") >= " " else spelled(name)


def specs_of(rng, wanted):
    """What safetensors.serialize takes, and the buffers it points into."""
    keep, specs = [], {}
    for name, kind, dims in wanted:
        size = size_of(WRITTEN[kind], dims)
        size *= 2 if WRITTEN[kind] == "F4" else 1  # it doubles the last axis
        keep.append(ctypes.create_string_buffer(data(rng, size), size))
        specs[name] = safetensors.TensorSpec(
            dtype=kind, shape=dims, data_ptr=ctypes.addressof(keep[-1]),
            data_len=size)
    return specs, keep


def written(rng, folder):
    """Files that the reference itself wrote."""
    lists = [[("t", kind, [2, 4])] for kind in WRITTEN]
    lists += [[(f"t{i}", kind, [4] * rank) for i, kind in enumerate(WRITTEN)]
              for rank in (1, 2, 3)]
    lists += [[(n, "uint8", [2]) for n in NAMES], [],
              [("s", "float32", []), ("z", "float32", [0, 3])]]
    for i, wanted in enumerate(lists):
        specs, _keep = specs_of(rng, wanted)
        meta = (None, {}, {"format": "pt", "é": "\n"})[i % 3]
        yield Case(f"serialize {i}", safetensors.serialize(specs, meta), "good")
        path = folder / "written.safetensors"
        safetensors.serialize_file(specs, path, meta)
        yield Case(f"serialize_file {i}", path.read_bytes(), "good")
        path.unlink()


def good(rng, folder):
    for part in (shapes, names, metadata, layouts, unknown_fields,
                 random_files):
        yield from part(rng)
    yield from written(rng, folder)


def committed():
    """fixtures/safetensors; what is in bad/ may be good for the reference."""
    for kind in ("good", "bad"):
        for path in sorted((FIXTURES / "safetensors" / kind).glob("*.safetensors")):
            yield Case(f"{kind}/{path.name}", path.read_bytes(),
                       "good" if kind == "good" else None)

# SPDX-License-Identifier: MIT
"""Builds small valid .ttsb blobs, written from runtime/FORMAT.md alone.

In: a description in plain Python, as in examples() below: groups of tensors
with their bytes, constants, a few odd records. Out: the bytes of a blob, hashes
and all; build() shares no code with the reader it is used to test. reseal()
recomputes every hash of a blob that a test has changed, so that one broken
rule can be told from a broken hash. As a program: make_blob.py NAME FILE.
"""
import struct
import sys

import xxhash

from make_parts import const_section, contract_text, meta_section, pad

CODES = {name: (code, bits) for code, (name, bits) in enumerate(zip(
    "bool u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64 c64 f8_e4m3 f8_e5m2 f8_e8m0 "
    "f8_e4m3fnuz f8_e5m2fnuz f4 f6_e2m3 f6_e3m2".split(),
    (8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 64, 8, 8, 8, 8, 8, 4, 6, 6)), 1)}
FLAG = {"alias": 1, "optional": 2, "absent": 4, "missing": 8}


def tensor(name, dtype, shape, *flags, alias=None, data=None, axes=None):
    """One tensor; without data its bytes are a pattern, or what a flag demands."""
    bits = CODES[dtype][1]
    for dim in shape:
        bits *= dim
    if data is None:
        data = bytes((7 * i + len(name) + (i >> 8)) % 251 for i in range(bits // 8))
    fill = b"\0" if "absent" in flags else b"\xff" if "missing" in flags else None
    if alias:
        flags = ("alias",) + flags
    return {"name": name, "dtype": dtype, "shape": shape, "flags": flags, "alias": alias,
            "data": fill * (bits // 8) if fill else data, "axes": axes or [""] * len(shape)}


def group(name, place, alignment, *tensors):
    return {"name": name, "place": place, "align": alignment, "tensors": list(tensors)}


def hashes(t):
    return [xxhash.xxh3_64_intdigest(t["data"][i:i + 65536])
            for i in range(0, len(t["data"]), 65536)]


def digest(t):
    words = [*t["shape"], *hashes(t)]
    return xxhash.xxh3_128_hexdigest(struct.pack(
        f"<II{len(words)}Q", CODES[t["dtype"]][0], len(t["shape"]), *words))


def lay_out(groups):
    """Gives each tensor its offset in its group; returns all of them in order."""
    for number, g in enumerate(groups):
        cursor, known = 0, {}
        for t in g["tensors"]:
            t["group"], known[t["name"]] = number, t
            at = -(-cursor // g["align"]) * g["align"]
            t["at"] = known[t["alias"]]["at"] if t["alias"] else at
            if t["alias"]:
                t["data"] = known[t["alias"]]["data"]
            t["digest"] = digest(t)
            cursor = cursor if t["alias"] else at + len(t["data"])
        g["size"] = -(-cursor // 65536) * 65536
    return [t for g in groups for t in g["tensors"]]


def record(blob, tensors, t, start, name_at, first):
    """A record of INDEX; start[g] is the file offset of group g."""
    names = [x["name"] for x in tensors]
    flags = sum(FLAG[f] for f in t["flags"])
    dims = list(t["shape"]) + [0] * (8 - len(t["shape"]))
    target = names.index(t["alias"]) if t["alias"] else 0xFFFFFFFF
    return struct.pack("<IHBBIIIIQQQ8Q", name_at, len(t["name"]), CODES[t["dtype"]][0],
                       len(t["shape"]), flags, t["group"], target, 0,
                       start[t["group"]] + t["at"], len(t["data"]), first, *dims)


def fixed_sections(blob, tensors, start):
    """INDEX, NAMEORD, NAMES, GROUPS and PIECES, for groups at these offsets."""
    index, names, pieces, groups, first, firsts = b"", b"", [], b"", 0, {}
    for t in tensors:
        firsts[t["name"]] = firsts[t["alias"]] if t["alias"] else len(pieces)
        index += record(blob, tensors, t, start, len(names), firsts[t["name"]])
        pieces += [] if t["alias"] else hashes(t)
        names += t["name"].encode() + b"\0"
    for g, offset in zip(blob["groups"], start):
        groups += struct.pack("<IHHIIIIQQ", len(names), len(g["name"]), g["place"] == "host",
                              g["align"], first, len(g["tensors"]), 0, offset, g["size"])
        names, first = names + g["name"].encode() + b"\0", first + len(g["tensors"])
    order = sorted(range(len(tensors)), key=lambda i: tensors[i]["name"].encode())
    return [index, struct.pack(f"<{len(order)}I", *order), names, groups,
            struct.pack(f"<{len(pieces)}Q", *pieces)]


def reseal(blob):
    """Every hash of a bytearray anew: the sections it has, root, self_hash."""
    for at in range(256, 896, 40):
        kind, _, offset, size = struct.unpack_from("<IIQQ", blob, at)
        if kind:
            blob[at + 24:at + 40] = xxhash.xxh3_128_digest(bytes(blob[offset:offset + size]))
    blob[48:56], blob[72:88] = bytes(8), bytes(16)
    blob[72:88] = xxhash.xxh3_128_digest(bytes(blob[:4096]))
    blob[48:56] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(blob[:4096])))
    return blob


def build(model, groups, constants, revision=1, more=()):
    """The bytes of a blob; more is [(section type, bytes)] behind META."""
    blob = {"model": model, "revision": revision, "groups": groups, "constants": constants}
    tensors, start = lay_out(groups), [0] * len(groups)
    contract = xxhash.xxh3_128_digest(contract_text(blob, tensors).encode())
    rest = [const_section(constants), meta_section(contract, tensors)] + [b for _, b in more]
    end = 4096
    for s in fixed_sections(blob, tensors, start) + rest:
        end = -(-end // 4096) * 4096 + len(s)
    position = -(-end // 65536) * 65536
    for i, g in enumerate(groups):
        start[i], position = position, position + g["size"]
    partial = any("missing" in t["flags"] for t in tensors)
    out = bytearray(struct.pack("<8sHHIIIQQQQ16s16sQ160s", b"\x89TTSB\r\n\x1a", 1, 0, 0x01020304,
                                4096, 0, partial, 0, position, 0, contract, bytes(16),
                                revision, model.encode()))
    out += bytes(4096 - 256)
    kinds = [*range(1, 8)] + [kind for kind, _ in more]
    for k, s in enumerate(fixed_sections(blob, tensors, start) + rest):
        out = bytearray(pad(out, 4096))
        struct.pack_into("<IIQQ", out, 256 + 40 * k, kinds[k], kinds[k] < 7, len(out), len(s))
        out += s
    out += bytes(position - len(out))
    for t in tensors:
        at = start[t["group"]] + t["at"]
        out[at:at + len(t["data"])] = t["data"]
    return bytes(reseal(out))


def examples():
    """The blobs of the tests, by name; tiny is for flipping every bit."""
    every = {
        "sample_rate": ("i64", [24000]), "lowest": ("i64", [-2**63]), "eps": ("f64", [1e-5]),
        "minus_zero": ("f64", [-0.0]), "language": ("string", ["pt\"\\\n\u00e9"]),
        "empty": ("string", [""]), "rates": ("list-i64", [8, 5, 4, 2]),
        "gains": ("list-f64", [0.5, -2.0]), "voices": ("list-string", ["a", "sete 77", ""])}
    full = [
        group("text", "host", 256, tensor("vocab.table", "u8", [11]),
              tensor("vocab.ids", "i64", [3])),
        group("main", "device", 1024, tensor("dec.w", "f32", [4, 3, 7], axes=["out", "in", "k"]),
              tensor("dec.tied", "f32", [4, 3, 7], alias="dec.w", axes=["out", "in", "k"]),
              tensor("dec.scale", "f32", []), tensor("none.rows", "f16", [0, 4]),
              tensor("eight", "bf16", [1, 2, 1, 1, 2, 1, 1, 3]),
              tensor("opt.here", "f64", [2], "optional"),
              tensor("opt.gone", "i32", [5], "optional", "absent"),
              tensor("long.one", "u8", [65536 + 100]), tensor("long.two", "u8", [65536]),
              tensor("a.4", "f4", [2, 3]), tensor("a.10", "f6_e2m3", [4]),
              tensor("dec.w2", "bool", [2], axes=["n"])),
        group("nothing", "device", 65536, tensor("z.a", "f32", [0]),
              tensor("z.b", "f64", [2**63 - 1, 0])),
        group("tail", "device", 256, tensor("last", "c64", [2]))]
    lost = [
        group("main", "device", 256, tensor("here", "f32", [2]),
              tensor("lost", "f32", [3], "missing"),
              tensor("lost_again", "f32", [3], "missing", alias="lost"),
              tensor("lost_nothing", "f8_e8m0", [0], "missing"))]
    tiny = [
        group("main", "device", 256, tensor("w", "f32", [3]), tensor("tied", "f32", [3], alias="w"),
              tensor("gone", "f16", [2], "optional", "absent"), tensor("s", "f64", [])),
        group("text", "host", 256, tensor("v.x", "u8", [5]))]
    return {"full": build("toy-vocoder_1.0", full, every, revision=7),
            "partial": build("P", lost, {}),
            "more": build("more", [group("g", "device", 256, tensor("t", "u8", [1]))], {},
                          2**63 - 1, [(8, b""), (900, b"unknown, not critical")]),
            "tiny": build("tiny", tiny, {"k": ("i64", [3]), "s": ("string", ["ab"])})}


def main(arguments):
    blobs = examples()
    if len(arguments) != 2 or arguments[0] not in blobs:
        print(f"usage: make_blob.py {'|'.join(blobs)} FILE", file=sys.stderr)
        return 2
    with open(arguments[1], "wb") as file:
        file.write(blobs[arguments[0]])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

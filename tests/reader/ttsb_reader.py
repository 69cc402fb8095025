# SPDX-License-Identifier: MIT
"""A second reader of the .ttsb container, written from runtime/FORMAT.md alone.

In: the bytes of one file. Out: a Blob whose every field was checked, or a
Refused that names the kind, the field, its file offset, and what was found.
open_blob() reads the superblock and the sections, never the payload;
Blob.verify() reads the rest and lists what is damaged. The program prints it
all as JSON. Nothing is shared with the C runtime; FORMAT.md decides.
"""
import json
import math
import mmap
import re
import struct
import sys
from collections import namedtuple

import xxhash

from ttsb_check import (GROUPS, INDEX, LIMIT, META, NAMEORD, NAMES, PAGE, PIECES, SECTION,
                        Constants, Head, Refused, align, equal, need)

GROUP_PAGE = PIECE = 65536
NONE = 0xFFFFFFFF
ALIAS, OPTIONAL, ABSENT, MISSING = 1, 2, 4, 8
FLAGS = {1: "alias", 2: "optional", 4: "absent", 8: "missing"}
DTYPES = dict(enumerate(
    "bool u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64 c64 f8_e4m3 f8_e5m2 "
    "f8_e8m0 f8_e4m3fnuz f8_e5m2fnuz f4 f6_e2m3 f6_e3m2".split(), 1))
BITS = {i: 8 for i in DTYPES} | {i: 16 for i in (4, 5, 10, 11)} | {i: 32 for i in (6, 7, 12)} | {
    8: 64, 9: 64, 13: 64, 14: 64, 20: 4, 21: 6, 22: 6}
FF_IS_NAN = range(10, 18)
TENSOR_NAME = re.compile(rb"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
GROUP_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")

Group = namedtuple("Group", "name place align first count offset size")
Tensor = namedtuple("Tensor", "name dtype flags group alias_of offset size first_piece dims")


def pieces_of(size):
    return -(-size // PIECE)


class Blob(Head):
    """An opened blob; its fields are plain values, its payload stays in data."""

    def __init__(self, data, partial=False):
        super().__init__(data, partial)
        self._groups_and_names()
        self._layout()
        self.constants = Constants(self).items

    def _count(self, kind, record, most):
        s = self.sections[kind]
        need(s.size % record == 0, SECTION[kind].lower(), "section size", s.offset, f"{s.size}")
        count = s.size // record
        need(1 <= count <= most, "limit", SECTION[kind], s.offset, f"{count} records")
        return range(s.offset, s.end, record)

    def _groups_and_names(self):
        records, groups = self._count(INDEX, 112, 1000000), self._count(GROUPS, 40, 65535)
        self._name_at = self.sections[NAMES].offset
        self.names = [self._name(at, TENSOR_NAME) for at in records]
        self.groups, first = [], 0
        for at in groups:
            name = self._name(at, GROUP_NAME)
            place, alignment, start, count, zero, offset, size = self.unpack("HIIIIQQ", at + 6)
            need(place <= 1, "groups", "place", at + 6, f"{place}")
            need(256 <= alignment <= 65536 and alignment & (alignment - 1) == 0,
                 "groups", "align", at + 8, f"{alignment}")
            equal(start, first, "groups", "first tensor", at + 12)
            need(1 <= count <= len(records) - first, "groups", "tensor count", at + 16, f"{count}")
            equal(zero, 0, "reserved", "group zero", at + 20)
            first += count
            self.groups.append(Group(name, place, alignment, start, count, offset, size))
        equal(first, len(records), "groups", "tensor count", groups[-1] + 16)
        equal(self._name_at, self.sections[NAMES].end, "names", "NAMES end", self._name_at)
        need(len({g.name for g in self.groups}) == len(groups), "groups", "name",
             groups[0], "not unique")
        self._nameord(len(records))

    def _name(self, at, grammar):
        s, (offset, length) = self.sections[NAMES], self.unpack("IH", at)
        equal(offset, self._name_at - s.offset, "names", "name offset", at)
        need(1 <= length <= 255, "limit", "name length", at + 4, f"{length}")
        need(length < s.end - self._name_at, "names", "name length", at + 4, "past NAMES")
        name = bytes(self.data[self._name_at:self._name_at + length])
        need(grammar.fullmatch(name), "names", "name", self._name_at, repr(name))
        equal(self.data[self._name_at + length], 0, "names", "NUL", self._name_at + length)
        self._name_at += length + 1
        return name.decode()

    def _nameord(self, n):
        s, last = self.sections[NAMEORD], ""
        equal(s.size, 4 * n, "nameord", "section size", s.offset)
        for k, i in enumerate(self.unpack(f"{n}I", s.offset)):
            need(i < n, "nameord", "record index", s.offset + 4 * k, f"{i}")
            need(self.names[i] > last, "nameord", "order", s.offset + 4 * k, self.names[i])
            last = self.names[i]

    def _layout(self):
        at = self.sections[GROUPS].offset
        position, self.tensors, self.pieces = align(self.sections_end, GROUP_PAGE), [], 0
        for number, g in enumerate(self.groups):
            equal(g.offset, position, "groups", "offset", at + 40 * number + 24)
            cursor = position
            for i in range(g.first, g.first + g.count):
                cursor = self._record(i, number, g, cursor)
            position = align(cursor, GROUP_PAGE)
            equal(g.size, position - g.offset, "groups", "size", at + 40 * number + 32)
        equal(self.size, position, "file_size", "end of the last group", 40)
        s = self.sections[PIECES]
        equal(s.size, 8 * self.pieces, "pieces", "section size", s.offset)
        self.piece_hashes = self.unpack(f"{self.pieces}Q", s.offset)
        equal(any(t.flags & MISSING for t in self.tensors), self.partial, "index", "PARTIAL", 24)

    def _record(self, i, number, g, cursor):
        at = self.sections[INDEX].offset + 112 * i
        (dtype, rank, flags, group, alias_of, zero, offset, size,
         first) = self.unpack("BBIIIIQQQ", at + 6)
        need(dtype in DTYPES, "index", "dtype", at + 6, f"{dtype}")
        need(rank <= 8, "limit", "rank", at + 7, f"{rank}")
        need(flags < 16, "index", "flags", at + 8, f"{flags:#x}")
        need(flags & (ABSENT | OPTIONAL) != ABSENT, "index", "flags", at + 8, "ABSENT alone")
        need(not (flags & OPTIONAL and flags & (ALIAS | MISSING)), "index", "flags", at + 8, "odd")
        need(not flags & MISSING or dtype in FF_IS_NAN, "index", "flags", at + 8, "no NaN")
        equal(group, number, "index", "group", at + 12)
        equal(zero, 0, "reserved", "record zero", at + 20)
        dims = self.unpack("8Q", at + 48)
        need(not any(dims[rank:]), "index", "dims", at + 48, "not zero beyond rank")
        dims = dims[:rank]
        most = math.prod(d for d in dims if d) * BITS[dtype]
        need(most <= LIMIT, "limit", "dims", at + 48, f"{dims}")
        bits = math.prod(dims) * BITS[dtype]
        equal(bits % 8, 0, "index", "bit count", at + 48)
        equal(size, bits // 8, "index", "size", at + 32)
        tensor = Tensor(self.names[i], dtype, flags, group, alias_of, offset, size, first, dims)
        self.tensors.append(tensor)
        if flags & ALIAS:
            need(g.first <= alias_of < i, "index", "alias of", at + 16, f"{alias_of}")
            target = self.tensors[alias_of]
            need(not target.flags & (ALIAS | OPTIONAL), "index", "alias of", at + 16, target.name)
            same = target._replace(name=tensor.name, flags=target.flags | ALIAS, alias_of=alias_of)
            equal(tensor, same, "index", "alias", at)
            return cursor
        equal(alias_of, NONE, "index", "alias of", at + 16)
        equal(offset, align(cursor, g.align), "index", "offset", at + 24)
        equal(first, self.pieces, "index", "first piece", at + 40)
        self.pieces += pieces_of(size)
        need(offset + size <= LIMIT, "limit", "offset", at + 24, f"{offset} + {size}")
        return offset + size

    def digest(self, i):
        """The tensor digest of record i: 16 bytes, from PIECES as stored."""
        t = self.tensors[i]
        count = pieces_of(t.size)
        words = t.dims + self.piece_hashes[t.first_piece:t.first_piece + count]
        head = struct.pack("<II", t.dtype, len(t.dims))
        return xxhash.xxh3_128_digest(head + struct.pack(f"<{len(words)}Q", *words))

    def verify(self):
        """Reads the payload; a list of damaged things, empty if it is whole."""
        bad = [{"what": "section", "name": SECTION.get(s.type, str(s.type)), "offset": s.offset}
               for s in self.sections.values() if not s.critical and not self.hash_fits(s)]
        position = PAGE
        for s in self.sections.values():
            bad += self._padding(position, s.offset)
            position = s.end
        for t in self.tensors:
            if t.flags & ALIAS:
                continue
            bad += self._padding(position, t.offset)
            position = t.offset + t.size
            bad += self._damaged_pieces(t)
        return bad + self._padding(position, self.size)

    def _padding(self, start, end):
        if bytes(self.data[start:end]) == bytes(end - start):
            return []
        return [{"what": "padding", "offset": next(i for i in range(start, end) if self.data[i])}]

    def _damaged_pieces(self, t):
        fill = {ABSENT: b"\0", MISSING: b"\xff"}.get(t.flags & (ABSENT | MISSING))
        for k in range(pieces_of(t.size)):
            at = t.offset + k * PIECE
            piece = bytes(self.data[at:min(at + PIECE, t.offset + t.size)])
            where = {"name": t.name, "piece": k, "offset": at}
            if xxhash.xxh3_64_intdigest(piece) != self.piece_hashes[t.first_piece + k]:
                yield {"what": "tensor", **where}
            elif fill and piece != fill * len(piece):
                yield {"what": "fill", **where}

    def describe(self):
        """The whole blob as plain values, verified: what the program prints."""
        damaged = self.verify()
        return {
            "model": self.model, "revision": self.revision, "partial": self.partial,
            "contract_id": self.contract_id.hex(), "root": self.root.hex(),
            "file_size": self.size, "meta_bytes": self.sections[META].size,
            "groups": [{
                "name": g.name, "place": ("device", "host")[g.place], "align": g.align,
                "offset": g.offset, "size": g.size, "first_tensor": g.first,
                "tensor_count": g.count} for g in self.groups],
            "constants": [{"name": c.name, "type": c.type,
                           "items": [struct.pack(">d", x).hex() if isinstance(x, float) else x
                                     for x in c.items]} for c in self.constants],
            "tensors": [{
                "name": t.name, "dtype": DTYPES[t.dtype], "shape": list(t.dims),
                "flags": [name for bit, name in FLAGS.items() if t.flags & bit],
                "group": self.groups[t.group].name, "offset": t.offset, "size": t.size,
                "alias_of": self.tensors[t.alias_of].name if t.flags & ALIAS else None,
                "digest": self.digest(i).hex()} for i, t in enumerate(self.tensors)],
            "verified": not damaged, "damaged": damaged}


open_blob = Blob  # open_blob(data, partial=False): a Blob, or raises Refused


def canonical_json(value):
    """FORMAT.md section 10: sorted keys, no white space, few escapes."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    short = dict(zip("bfnrt", ("0008", "000c", "000a", "000d", "0009")))
    return re.sub(r"\\(.)", lambda m: "\\u" + short[m[1]] if m[1] in short else m[0], text)


def read(path):
    with open(path, "rb") as file:
        empty = file.seek(0, 2) == 0
        return b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def main(arguments):
    options = {a for a in arguments if a.startswith("--")}
    files = [a for a in arguments if not a.startswith("--")]
    if len(files) != 1 or options - {"--partial", "--json"}:
        print("usage: ttsb_reader.py FILE [--partial] [--json]", file=sys.stderr)
        return 2
    try:
        found = open_blob(read(files[0]), "--partial" in options).describe()
    except (Refused, OSError) as refusal:
        print(f"ttsb_reader: {files[0]}: {refusal}", file=sys.stderr)
        return 1
    print(canonical_json(found) if "--json" in options else json.dumps(found, indent=1))
    for damage in found["damaged"]:
        print(f"ttsb_reader: {files[0]}: damaged: {damage}", file=sys.stderr)
    return 0 if found["verified"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

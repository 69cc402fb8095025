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

LIMIT = 2**63 - 1
PAGE, PIECE, GROUP_PAGE = 4096, 65536, 65536
INDEX, NAMEORD, NAMES, GROUPS, PIECES, CONST, META = range(1, 8)
SECTION = dict(enumerate("INDEX NAMEORD NAMES GROUPS PIECES CONST META".split(), 1))
CONST_TYPES = {1: "i64", 2: "f64", 3: "string"}
FLAGS = {1: "alias", 2: "optional", 4: "absent", 8: "missing"}
ALIAS, OPTIONAL, ABSENT, MISSING = FLAGS
FLAG_SETS = (0, ALIAS, OPTIONAL, OPTIONAL | ABSENT, MISSING, ALIAS | MISSING)
DTYPES = dict(enumerate(
    "bool u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64 c64 f8_e4m3 f8_e5m2 "
    "f8_e8m0 f8_e4m3fnuz f8_e5m2fnuz f4 f6_e2m3 f6_e3m2".split(), 1))
BITS = (0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 64, 8, 8, 8, 8, 8, 4, 6, 6)
FF_IS_NAN = range(10, 18)
MODEL_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]{0,158}")
TENSOR_NAME = re.compile(rb"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*")
GROUP_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_]*")
IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")

Section = namedtuple("Section", "type critical offset size hash end")
Group = namedtuple("Group", "name place align offset size first_tensor tensor_count")
Tensor = namedtuple("Tensor", "name dtype flags group alias_of offset size first_piece dims")
Constant = namedtuple("Constant", "name type items")


class Refused(Exception):
    """open_blob() refuses: kind (a word), field, file offset, message."""

    def __init__(self, kind, field, offset, message):
        super().__init__(f"{kind}: {field} at {offset}: {message}")
        self.kind, self.field, self.offset, self.message = kind, field, offset, message


def need(holds, kind, field, offset, message):
    if not holds:
        raise Refused(kind, field, offset, message)


def equal(found, wanted, kind, field, offset):
    need(found == wanted, kind, field, offset, f"found {found}, expected {wanted}")


def align(x, a):
    return -(-x // a) * a


class Blob:
    """An opened blob; its fields are plain values, its payload stays in data."""

    def __init__(self, data, partial=False):
        self.data, self.size = memoryview(data), len(data)
        self._superblock(partial)
        self._table()
        self._groups_and_names()
        self._layout()
        self._constants()

    def unpack(self, fmt, offset):
        return struct.unpack_from("<" + fmt, self.data, offset)

    def _superblock(self, partial):
        need(self.size >= PAGE, "short", "file", 0, f"{self.size} bytes")
        sb = bytes(self.data[:PAGE])
        (magic, self.major, self.minor, mark, sb_size, zero, incompat, self.compat, file_size,
         self_hash, self.contract_id, self.root, self.revision,
         model) = self.unpack("8sHHIIIQQQQ16s16sQ160s", 0)
        model = model.rstrip(b"\0")
        equal(magic, b"\x89TTSB\r\n\x1a", "magic", "magic", 0)
        equal(mark, 0x01020304, "endian", "endian mark", 12)
        equal(self.major, 1, "major", "major", 8)
        need(incompat & ~1 == 0, "incompat", "incompat", 24, f"{model!r} needs {incompat:#x}")
        self.partial = incompat == 1
        need(partial or not self.partial, "partial", "incompat", 24, f"{model!r} is partial")
        zeroed = sb[:48] + bytes(8) + sb[56:]
        equal(self_hash, xxhash.xxh3_64_intdigest(zeroed), "self_hash", "self_hash", 48)
        equal(self.size, file_size, "file_size", "file size", 40)
        equal(sb_size, PAGE, "superblock_size", "superblock size", 16)
        equal(zero, 0, "reserved", "zero", 20)
        need(not any(sb[896:]), "reserved", "rest", 896, "not zero")
        end = next((e for e in range(256, 896, 40) if self.unpack("I", e) == (0,)), 896)
        need(not any(sb[end:896]), "reserved", "table end", end, "not zero")
        self.entries = range(256, end, 40)
        zeroed = zeroed[:72] + bytes(16) + zeroed[88:]
        equal(self.root.hex(), xxhash.xxh3_128_hexdigest(zeroed), "root", "root", 72)
        need(MODEL_NAME.fullmatch(model), "model", "model", 96, repr(model))
        self.model = model.decode()
        need(self.revision <= LIMIT, "limit", "revision", 88, f"{self.revision}")

    def _table(self):
        self.sections, last, end = {}, 0, PAGE
        for e in self.entries:
            kind, flags, offset, size, digest = self.unpack("IIQQ16s", e)
            need(kind > last, "table", "type", e, f"{kind} follows {last}")
            wanted = (0, 1) if kind not in SECTION else (int(kind != META),)
            need(flags in wanted, "table", "flags", e + 4, f"{flags:#x}")
            equal(offset, align(end, PAGE), "table", "offset", e + 8)
            need(offset + size <= self.size, "table", "size", e + 16, f"{size} do not fit")
            last, end = kind, offset + size
            self.sections[kind] = Section(kind, flags == 1, offset, size, digest, end)
        for kind, name in SECTION.items():
            need(kind in self.sections, "section", name, 256, "is missing")
        critical = [s for s in self.sections.values() if s.critical]
        for s in critical:
            need(s.type in SECTION, "section", "type", s.offset, f"{s.type} is not known")
        for s in critical:
            need(self._hash_fits(s), "section_hash", SECTION[s.type], s.offset, "differs")

    def _hash_fits(self, s):
        return xxhash.xxh3_128_digest(self.data[s.offset:s.end]) == s.hash

    def _count(self, kind, record, most):
        s = self.sections[kind]
        equal(s.size % record, 0, SECTION[kind].lower(), "section size", s.offset)
        count = s.size // record
        need(1 <= count <= most, "limit", SECTION[kind], s.offset, f"{count} records")
        return range(s.offset, s.end, record)

    def _groups_and_names(self):
        records, groups = self._count(INDEX, 112, 1000000), self._count(GROUPS, 40, 65535)
        s, self._at = self.sections[NAMES], self.sections[NAMES].offset
        self.names = [self._name(at, TENSOR_NAME) for at in records]
        self.groups, first = [], 0
        for at in groups:
            name = self._name(at, GROUP_NAME)
            place, alignment, start, count, zero, offset, size = self.unpack("HIIIIQQ", at + 6)
            need(place <= 1, "groups", "place", at + 6, f"{place}")
            need(alignment in [256 << k for k in range(9)], "groups", "align", at + 8, alignment)
            equal(start, first, "groups", "first tensor", at + 12)
            need(1 <= count <= len(records) - first, "groups", "tensor count", at + 16, count)
            equal(zero, 0, "groups", "zero", at + 20)
            first += count
            self.groups.append(Group(name, place, alignment, offset, size, start, count))
        equal(first, len(records), "groups", "tensor count", groups[-1] + 16)
        equal(self._at, s.end, "names", "NAMES end", self._at)
        equal(len({g.name for g in self.groups}), len(groups), "groups", "unique names", s.offset)
        s, last = self.sections[NAMEORD], ""
        equal(s.size, 4 * len(records), "nameord", "section size", s.offset)
        for at, (i,) in zip(range(s.offset, s.end, 4), struct.iter_unpack("<I", self._bytes(s))):
            need(i < len(records), "nameord", "record index", at, f"{i}")
            need(self.names[i] > last, "nameord", "order", at, self.names[i])
            last = self.names[i]

    def _bytes(self, s):
        return self.data[s.offset:s.end]

    def _name(self, at, grammar):
        """The next of NAMES, which the record at this offset describes."""
        s, start, (offset, length) = self.sections[NAMES], self._at, self.unpack("IH", at)
        equal(offset, start - s.offset, "names", "name offset", at)
        need(1 <= length <= 255, "limit", "name length", at + 4, f"{length}")
        name = bytes(self._take(length + 1, s, "name length"))
        need(grammar.fullmatch(name[:-1]), "names", "name", start, repr(name))
        equal(name[-1], 0, "names", "NUL", start + length)
        return name[:-1].decode()

    def _take(self, size, s, field):
        """The next bytes of section s, read from its start to its end."""
        at = self._at
        need(size <= s.end - at, SECTION[s.type].lower(), field, at, f"{size} bytes do not fit")
        self._at += size
        return self.data[at:self._at]

    def _layout(self):
        self.tensors, self.pieces, at = [], 0, self.sections[GROUPS].offset
        position = align(max(s.end for s in self.sections.values()), GROUP_PAGE)
        for number, g in enumerate(self.groups):
            equal(g.offset, position, "groups", "offset", at + 40 * number + 24)
            cursor = position
            for i in range(g.first_tensor, g.first_tensor + g.tensor_count):
                cursor = self._record(i, number, g, cursor)
            position = align(cursor, GROUP_PAGE)
            equal(g.size, position - g.offset, "groups", "size", at + 40 * number + 32)
        equal(self.size, position, "file_size", "end of the last group", 40)
        s = self.sections[PIECES]
        equal(s.size, 8 * self.pieces, "pieces", "section size", s.offset)
        self.piece_hashes = self.unpack(f"{self.pieces}Q", s.offset)
        equal(any(t.flags & MISSING for t in self.tensors), self.partial, "index", "PARTIAL", 24)

    def _record(self, i, number, g, cursor):
        """Checks record i and keeps it; returns the cursor behind it."""
        at = self.sections[INDEX].offset + 112 * i
        (dtype, rank, flags, group, alias_of, zero, offset, size, first,
         *dims) = self.unpack("BBIIIIQQQ8Q", at + 6)
        need(dtype in DTYPES, "index", "dtype", at + 6, f"{dtype}")
        need(rank <= 8, "limit", "rank", at + 7, f"{rank}")
        nan = not flags & MISSING or dtype in FF_IS_NAN
        need(flags in FLAG_SETS and nan, "index", "flags", at + 8, f"{flags:#x}")
        equal(group, number, "index", "group", at + 12)
        equal(zero, 0, "index", "zero", at + 20)
        need(not any(dims[rank:]), "index", "dims", at + 48, "not zero beyond rank")
        dims = tuple(dims[:rank])
        bits = math.prod(dims) * BITS[dtype]
        most = max(bits, math.prod(d for d in dims if d))
        need(most <= LIMIT, "limit", "dims", at + 48, f"{dims}")
        equal(bits % 8, 0, "index", "bit count", at + 48)
        equal(size, bits // 8, "index", "size", at + 32)
        tensor = Tensor(self.names[i], dtype, flags, group, alias_of, offset, size, first, dims)
        self.tensors.append(tensor)
        if flags & ALIAS:
            need(g.first_tensor <= alias_of < i, "index", "alias of", at + 16, f"{alias_of}")
            target = self.tensors[alias_of]
            need(not target.flags & (ALIAS | OPTIONAL), "index", "alias of", at + 16, target.name)
            same = target._replace(name=tensor.name, flags=target.flags | ALIAS, alias_of=alias_of)
            equal(tensor, same, "index", "alias", at)
            return cursor
        equal(alias_of, 0xFFFFFFFF, "index", "alias of", at + 16)
        equal(offset, align(cursor, g.align), "index", "offset", at + 24)
        equal(first, self.pieces, "index", "first piece", at + 40)
        need(offset + size <= LIMIT, "limit", "offset", at + 24, f"{offset} + {size}")
        self.pieces += -(-size // PIECE)
        return offset + size

    def _constants(self):
        s = self.sections[CONST]
        self.constants, self._at, last = [], s.offset, b""
        need(s.size <= 16 << 20, "limit", "CONST", s.offset, f"{s.size} bytes")
        count, zero = struct.unpack("<II", self._take(8, s, "header"))
        need(count <= 65535, "limit", "count", s.offset, f"{count}")
        equal(zero, 0, "const", "zero", s.offset + 4)
        self._take(24 * count, s, "entries")
        for at in range(s.offset + 8, s.offset + 8 + 24 * count, 24):
            name_at, length, kind, items, value_at, size = self.unpack("6I", at)
            equal(name_at, self._at - s.offset, "const", "name offset", at)
            need(1 <= length <= 255, "limit", "name length", at + 4, f"{length}")
            name = self._text(length, s, "name")
            need(IDENTIFIER.fullmatch(name), "const", "name", at, repr(name))
            need(name > last, "const", "order", at, repr(name))
            last = name
            equal(value_at, self._at - s.offset, "const", "value offset", at + 16)
            need(kind & ~0x100 in CONST_TYPES, "const", "type", at + 8, f"{kind:#x}")
            need(items == 1 or items and kind & 0x100, "const", "items", at + 12, f"{items}")
            values = [self._value(kind & 0xFF, s) for _ in range(items)]
            equal(size, self._at - s.offset - value_at, "const", "value size", at + 20)
            kind = "list-" * (kind >> 8) + CONST_TYPES[kind & 0xFF]
            self.constants.append(Constant(name.decode(), kind, values))
        equal(self._at, s.end, "const", "section end", self._at)

    def _value(self, kind, s):
        at = self._at
        if kind != 3:
            value, = struct.unpack("<q" if kind == 1 else "<d", self._take(8, s, "value"))
            need(math.isfinite(value), "const", "value", at, f"{value}")
            return value
        length, = struct.unpack("<I", self._take(4, s, "string"))
        need(length <= 65535, "limit", "string", at, f"{length} bytes")
        raw = self._text(length, s, "string")
        text = raw.decode(errors="replace")
        equal(raw, text.encode(), "const", "string", at)
        return text

    def _text(self, length, s, field):
        """Bytes without NUL, one NUL, zeros to a multiple of 8."""
        at = self._at
        raw = bytes(self._take(align(at + length + 1, 8) - at, s, field))
        need(raw.find(0) == length and not any(raw[length:]), "const", field, at, "zeros")
        return raw[:length]

    def digest(self, i):
        """The tensor digest of record i: 16 bytes, from PIECES as stored."""
        t = self.tensors[i]
        words = t.dims + self.piece_hashes[t.first_piece:t.first_piece - (-t.size // PIECE)]
        return xxhash.xxh3_128_digest(struct.pack(f"<II{len(words)}Q", t.dtype, len(t.dims), *words))

    def verify(self):
        """Reads the payload; a list of damaged things, empty if it is whole."""
        bad = [{"what": "section", "name": SECTION.get(s.type, str(s.type)), "offset": s.offset}
               for s in self.sections.values() if not s.critical and not self._hash_fits(s)]
        position = PAGE
        owners = [t for t in self.tensors if not t.flags & ALIAS]
        for x in [*self.sections.values(), *owners]:
            bad += self._padding(position, x.offset)
            position = x.offset + x.size
            bad += self._damaged_pieces(x) if isinstance(x, Tensor) else []
        return bad + self._padding(position, self.size)

    def _padding(self, start, end):
        if not any(self.data[start:end]):
            return []
        return [{"what": "padding", "offset": next(i for i in range(start, end) if self.data[i])}]

    def _damaged_pieces(self, t):
        end = t.offset + t.size
        for k, at in enumerate(range(t.offset, end, PIECE)):
            found = xxhash.xxh3_64_intdigest(self.data[at:min(at + PIECE, end)])
            if found != self.piece_hashes[t.first_piece + k]:
                yield {"what": "tensor", "name": t.name, "piece": k, "offset": at}

    def describe(self):
        """The whole blob as plain values, verified: what the program prints."""
        damaged = self.verify()
        return {
            "model": self.model, "revision": self.revision, "partial": self.partial,
            "contract_id": self.contract_id.hex(), "root": self.root.hex(),
            "file_size": self.size, "meta_bytes": self.sections[META].size,
            "groups": [g._asdict() | {"place": ("device", "host")[g.place]} for g in self.groups],
            "constants": [c._asdict() | {"items": [
                struct.pack(">d", x).hex() if isinstance(x, float) else x for x in c.items]}
                for c in self.constants],
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

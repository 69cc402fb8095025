# SPDX-License-Identifier: MIT
"""The parts of a .ttsb file that stand alone: superblock, table, constants.

In: the bytes of one file. Out: a Head (superblock and section table, every
critical section proved by its hash) and the constants; or a Refused that
names the kind, the field, its file offset, and what was found. Written from
runtime/FORMAT.md alone; it shares nothing with the C runtime, and where the
two disagree FORMAT.md decides. ttsb_reader.py builds on this.
"""
import math
import re
import struct
from collections import namedtuple

import xxhash

LIMIT = 2**63 - 1
PAGE = 4096
INDEX, NAMEORD, NAMES, GROUPS, PIECES, CONST, META = range(1, 8)
SECTION = dict(enumerate("INDEX NAMEORD NAMES GROUPS PIECES CONST META".split(), 1))
CONST_TYPES = {1: "i64", 2: "f64", 3: "string"}
MODEL_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]{0,158}")
IDENTIFIER = re.compile(rb"[A-Za-z_][A-Za-z0-9_]*")

Section = namedtuple("Section", "type critical offset size hash end")
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


class Head:
    """A checked superblock and section table over data (bytes-like, kept)."""

    def __init__(self, data, partial):
        self.data, self.size = memoryview(data), len(data)
        self._superblock(partial)
        self._table()

    def unpack(self, fmt, offset):
        return struct.unpack_from("<" + fmt, self.data, offset)

    def _superblock(self, partial):
        need(self.size >= PAGE, "short", "file", 0, f"{self.size} bytes")
        sb = bytes(self.data[:PAGE])
        equal(sb[:8], b"\x89TTSB\r\n\x1a", "magic", "magic", 0)
        self.major, self.minor, mark = self.unpack("HHI", 8)
        equal(mark, 0x01020304, "endian", "endian mark", 12)
        equal(self.major, 1, "major", "major", 8)
        sb_size, zero, incompat, self.compat, file_size, self_hash = self.unpack("IIQQQQ", 16)
        model = sb[96:256].rstrip(b"\0")
        need(incompat & ~1 == 0, "incompat", "incompat", 24, f"{model!r} needs {incompat:#x}")
        self.partial = incompat == 1
        need(partial or not self.partial, "partial", "incompat", 24, f"{model!r} is partial")
        zeroed = sb[:48] + bytes(8) + sb[56:]
        equal(self_hash, xxhash.xxh3_64_intdigest(zeroed), "self_hash", "self_hash", 48)
        equal(self.size, file_size, "file_size", "file size", 40)
        equal(sb_size, PAGE, "superblock_size", "superblock size", 16)
        equal(zero, 0, "reserved", "zero", 20)
        equal(sb[896:].count(0), PAGE - 896, "reserved", "rest", 896)
        self.entries = [e for e in range(256, 896, 40) if self.unpack("I", e)[0]]
        end = next((e for e in range(256, 896, 40) if not self.unpack("I", e)[0]), 896)
        need(not any(sb[end:896]), "reserved", "table end", end, "not zero")
        self.contract_id, self.root = sb[56:72], sb[72:88]
        zeroed = zeroed[:72] + bytes(16) + zeroed[88:]
        equal(self.root.hex(), xxhash.xxh3_128_hexdigest(zeroed), "root", "root", 72)
        need(MODEL_NAME.fullmatch(model), "model", "model", 96, repr(model))
        self.model, self.revision = model.decode(), self.unpack("Q", 88)[0]
        need(self.revision <= LIMIT, "limit", "revision", 88, f"{self.revision}")

    def _table(self):
        self.sections, last, position = {}, 0, PAGE
        for e in self.entries:
            kind, flags, offset, size = self.unpack("IIQQ", e)
            need(kind > last, "table", "type", e, f"{kind} follows {last}")
            wanted = flags if kind not in SECTION else int(kind != META)
            need(flags <= 1, "table", "flags", e + 4, f"{flags:#x}")
            equal(flags, wanted, "table", "flags", e + 4)
            equal(offset, align(position, PAGE), "table", "offset", e + 8)
            need(offset <= self.size and size <= self.size - offset, "table", "size",
                 e + 16, f"{size} bytes do not fit")
            last, position = kind, offset + size
            self.sections[kind] = Section(kind, flags == 1, offset, size,
                                          bytes(self.data[e + 24:e + 40]), position)
        self.sections_end = position
        for kind, name in SECTION.items():
            need(kind in self.sections, "section", name, 256, "is missing")
        for s in self.sections.values():
            need(s.type in SECTION or not s.critical, "section", "type", s.offset,
                 f"critical section {s.type} is not known")
        for s in self.sections.values():
            need(not s.critical or self.hash_fits(s), "section_hash",
                 SECTION.get(s.type), s.offset, "differs")

    def hash_fits(self, s):
        return xxhash.xxh3_128_digest(self.data[s.offset:s.end]) == s.hash


class Constants:
    """The section CONST: items is the list of its Constants."""

    def __init__(self, head):
        s = head.sections[CONST]
        need(s.size <= 16 << 20, "limit", "CONST", s.offset, f"{s.size} bytes")
        self.base, self.bytes, self.items = s.offset, bytes(head.data[s.offset:s.end]), []
        count, zero = struct.unpack("<II", self._take(0, 8, "header"))
        need(count <= 65535, "limit", "count", s.offset, f"{count}")
        equal(zero, 0, "reserved", "CONST zero", s.offset + 4)
        position, last = 8 + 24 * count, b""
        for at, entry in enumerate(struct.iter_unpack("<6I", self._take(8, 24 * count, "entries"))):
            name, position = self._constant(8 + 24 * at, position, *entry)
            need(name > last, "const", "order", s.offset + 8 + 24 * at, repr(name))
            last = name
        equal(s.size, position, "const", "section size", s.offset)

    def _take(self, offset, size, field):
        self._need(offset <= len(self.bytes) and size <= len(self.bytes) - offset,
                   field, offset, "past CONST")
        return self.bytes[offset:offset + size]

    def _need(self, holds, field, offset, message, kind="const"):
        need(holds, kind, field, self.base + offset, message)

    def _constant(self, at, position, name_at, length, kind, items, value_at, size):
        equal(name_at, position, "const", "name offset", self.base + at)
        self._need(1 <= length <= 255, "name length", at + 4, f"{length}", "limit")
        value = align(name_at + length + 1, 8)
        text = self._take(name_at, value - name_at, "name")
        name = text[:length]
        self._need(not any(text[length:]), "zeros", name_at, repr(text))
        self._need(IDENTIFIER.fullmatch(name), "name", name_at, repr(name))
        equal(value_at, value, "const", "value offset", self.base + at + 16)
        self._need(kind & ~0x100 in CONST_TYPES, "type", at + 8, f"{kind:#x}")
        self._need(items == 1 or items and kind & 0x100, "items", at + 12, f"{items}")
        found, position = self._values(kind & 255, items, value, size)
        equal(size, position - value, "const", "value size", self.base + at + 20)
        kind_name = "list-" * (kind >> 8) + CONST_TYPES[kind & 255]
        self.items.append(Constant(name.decode(), kind_name, found))
        return name, position

    def _values(self, kind, items, at, size):
        if kind == 3:
            found = []
            for _ in range(items):
                text, at = self._string(at)
                found.append(text)
            return found, at
        self._need(size == 8 * items, "value size", at, f"{size}")
        found = struct.unpack(f"<{items}{'qd'[kind - 1]}", self._take(at, size, "value"))
        self._need(kind == 1 or all(map(math.isfinite, found)), "value", at, f"{found}")
        return list(found), at + size

    def _string(self, at):
        length, = struct.unpack("<I", self._take(at, 4, "string"))
        self._need(length <= 65535, "string", at, f"{length} bytes", "limit")
        raw = self._take(at + 4, align(length + 5, 8) - 4, "string")
        self._need(not any(raw[length:]) and 0 not in raw[:length], "string", at, "NUL")
        try:
            return raw[:length].decode(), at + 4 + len(raw)
        except UnicodeDecodeError as bad:
            raise Refused("const", "string", self.base + at, str(bad)) from bad

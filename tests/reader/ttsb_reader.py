# SPDX-License-Identifier: MIT
"""A second reader of the .ttsb container, written from runtime/FORMAT.md alone.

In: the bytes of one file. Out: a Blob whose every field was checked, or a Refused. open_blob()
reads the superblock and the sections, never the payload; Blob.verify() reads the rest and lists
what is damaged. The program prints it all as JSON. Nothing is shared with the C runtime.
"""
import json
import math
import pathlib
import re
import struct
import sys

from xxhash import xxh3_64_intdigest, xxh3_128_digest

PAGE, PIECE, GROUP_PAGE, LIMIT = 4096, 65536, 65536, 2**63 - 1
SECTIONS = dict(enumerate("index nameord names groups pieces const meta".split(), 1))
FLAGS = {1: "alias", 2: "optional", 4: "absent", 8: "missing"}
ALIAS, OPTIONAL, ABSENT, MISSING = FLAGS
FLAG_SETS = {0, ALIAS, OPTIONAL, OPTIONAL | ABSENT, MISSING, ALIAS | MISSING}
DTYPES = ("- bool u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64 c64 f8_e4m3 f8_e5m2 f8_e8m0 "
          "f8_e4m3fnuz f8_e5m2fnuz f4 f6_e2m3 f6_e3m2").split()
BITS = (0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 64, 8, 8, 8, 8, 8, 4, 6, 6)
FF_IS_NAN = range(10, 18)
CONSTANTS = {1: "i64", 2: "f64", 3: "string", 257: "list-i64", 258: "list-f64", 259: "list-string"}
MODEL_NAME, TENSOR_NAME = r"[A-Za-z][A-Za-z0-9_.-]{0,158}", r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*"
GROUP_NAME, CONSTANT_NAME, STRING = "[A-Za-z][A-Za-z0-9_]*", "[A-Za-z_][A-Za-z0-9_]*", r"[^\0]*"
RECORDS = {  # the fields of each record: pairs of struct format and name
    "super": "8s magic H major H minor I endian I superblock_size I zero Q incompat Q compat "
             "Q file_size Q self_hash 16s contract_id 16s root Q revision 160s model",
    "table": "I type I flags Q offset Q size 16s hash",
    "index": "I name H name_length B dtype B rank I flags I group I alias_of I zero Q offset "
             "Q size Q first_piece 64s dims",
    "groups": "I name H name_length H place I align I first_tensor I tensor_count I zero "
              "Q offset Q size",
    "const": "I name I name_length I type I items I value I value_size"}


class Refused(Exception):
    """open_blob() refuses: kind (a word), field, file offset, message."""
    def __init__(self, kind, field, offset, message):
        super().__init__(f"{kind}: {field} at {offset}: {message}")
        self.kind, self.field, self.offset, self.message = kind, field, offset, message


def need(holds, kind, field, offset, message):
    if not holds:
        raise Refused(kind, field, offset, message)


class Row:
    """A record at an offset of data: its fields as attributes, and where each is."""
    end = property(lambda self: self.offset + self.size)

    def __init__(self, record, data, at):
        self.where, words = {}, RECORDS[record].split()
        for form, field in zip(words[::2], words[1::2]):
            self.where[field] = at
            setattr(self, field, struct.unpack_from("<" + form, data, at)[0])
            at += struct.calcsize("<" + form)

    def expect(self, kind, **fields):
        """Each field equals what is given, or is in it if that is a range or a set."""
        for field, wanted in fields.items():
            found = getattr(self, field)
            holds = found in wanted if isinstance(wanted, (range, set)) else found == wanted
            need(holds, kind or field, field.replace("_", " "), self.where[field],
                 f"found {found}, expected {wanted}")

    def pick(self, fields, **more):
        return {field: getattr(self, field) for field in fields.split()} | more


def align(x, a):
    return -(-x // a) * a


class Blob:
    """An opened blob; its fields are plain values, its payload stays in data."""
    def __init__(self, data, partial=False):
        self.data, self.size = memoryview(data), len(data)
        self._superblock(partial)
        self._names()
        self._groups()
        self._constants()

    def _superblock(self, partial):
        need(self.size >= PAGE, "short", "file", 0, f"{self.size} bytes")
        page, head = bytes(self.data[:PAGE]), Row("super", self.data, 0)
        zeroed, self.model = page[:48] + bytes(8) + page[56:], head.model.rstrip(b"\0").decode("latin1")
        head.expect("", magic=b"\x89TTSB\r\n\x1a", endian=0x01020304, major=1, incompat=range(2))
        need(head.incompat <= partial, "partial", "incompat", 24, f"{self.model} is partial")
        head.expect("", self_hash=xxh3_64_intdigest(zeroed), file_size=self.size,
                    superblock_size=PAGE)
        head.expect("reserved", zero=0)
        end = next((at for at in range(256, 896, 40) if not any(page[at:at + 4])), 896)
        need(not any(page[end:]), "reserved", "behind the section table", end, "not zero")
        head.expect("", root=xxh3_128_digest(zeroed[:72] + bytes(16) + zeroed[88:]))
        need(re.fullmatch(MODEL_NAME, self.model), "model", "model", 96, repr(self.model))
        head.expect("limit", revision=range(LIMIT + 1))
        self.contract_id, self.root, self.revision = head.contract_id, head.root, head.revision
        self.partial, self.sections, last, position = head.incompat == 1, {}, 0, PAGE
        for s in [Row("table", page, at) for at in range(256, end, 40)]:
            s.expect("table", type=range(last + 1, 2**32), offset=align(position, PAGE),
                     flags=int(s.type != 7) if s.type in SECTIONS else range(2),
                     size=range(self.size - s.offset + 1))
            last, position, self.sections[SECTIONS.get(s.type, str(s.type))] = s.type, s.end, s
        known = [name for name, s in self.sections.items() if s.flags or name == "meta"]
        need(known == list(SECTIONS.values()), "section", "type", 256, f"meta or critical: {known}")
        for name, s in list(self.sections.items())[:6]:
            s.expect("section_hash", hash=xxh3_128_digest(self.data[s.offset:s.end]))

    def _records(self, name, size, most):
        s = self.sections[name]
        count, rest = divmod(s.size, size)
        need(rest == 0, name, "section size", s.offset, f"{s.size} bytes")
        need(1 <= count <= most, "limit", name, s.offset, f"{count} records")
        return [Row(name, self.data, at) for at in range(s.offset, s.end, size)]

    def _names(self):
        self.tensors = self._records("index", 112, 1000000)
        self.groups = self._records("groups", 40, 65535)
        self._at, s, order = (self.sections["names"].offset, self.sections["names"],
                              self.sections["nameord"])
        for t in self.tensors:
            self._name(t, "names", TENSOR_NAME)
        for g in self.groups:
            self._name(g, "names", GROUP_NAME)
        need(self._at == s.end, "names", "NAMES end", self._at, "more than the names")
        unique = len({g.name for g in self.groups}) == len(self.groups)
        need(unique, "groups", "name", s.offset, "not unique")
        index = {t.name: i for i, t in enumerate(self.tensors)}
        ordered = b"".join(struct.pack("<I", index[name]) for name in sorted(index))
        need(len(index) == len(self.tensors) and ordered == self.data[order.offset:order.end],
             "nameord", "order", order.offset, "is not that of the names, or these are not unique")

    def _name(self, row, section, grammar):
        """Puts the next name of the section where the name's offset stood."""
        row.expect(section, name=self._at - self.sections[section].offset)
        row.expect("limit", name_length=range(1, 256))
        row.name = self._text(row.name_length, section, grammar)

    def _text(self, length, section, grammar):
        """The next text of the section: its bytes, one NUL, in CONST zeros to a multiple of 8."""
        at, self._at = self._at, align(self._at + length + 1, 8 if section == "const" else 1)
        raw = bytes(self.data[at:min(self._at, self.sections[section].end)])
        text = raw[:length].decode(errors="replace")
        padded = text.encode() + bytes(self._at - at - length)
        need(padded == raw and re.fullmatch(grammar, text), section, "text", at, f"{raw}")
        return text

    def _groups(self):
        count, first, self.pieces = sum(g.tensor_count for g in self.groups), 0, 0
        need(count == len(self.tensors), "groups", "tensor count", self.sections["groups"].offset, count)
        position = align(max(s.end for s in self.sections.values()), GROUP_PAGE)
        for number, g in enumerate(self.groups):
            g.expect("groups", place=range(2), align={256 << k for k in range(9)}, zero=0,
                     first_tensor=first, tensor_count=range(1, count + 1), offset=position)
            first += g.tensor_count
            for i in range(g.first_tensor, first):
                position = self._record(i, number, g, position)
            position = align(position, GROUP_PAGE)
            g.expect("groups", size=position - g.offset)
        need(self.size == position, "file_size", "end of the last group", 40, f"{position}")
        s, missing = self.sections["pieces"], any(t.flags & MISSING for t in self.tensors)
        s.expect("pieces", size=8 * self.pieces)
        self.piece_hashes = struct.unpack(f"<{self.pieces}Q", self.data[s.offset:s.end])
        need(missing == self.partial, "index", "PARTIAL", 24, f"a MISSING record: {missing}")

    def _record(self, i, number, g, cursor):
        """Checks record i, in group g of this number; returns the cursor behind it."""
        t, dims = self.tensors[i], struct.unpack("<8Q", self.tensors[i].dims)
        t.expect("limit", rank=range(9))
        t.dims = dims[:t.rank]
        t.expect("index", dtype=FF_IS_NAN if t.flags & MISSING else range(1, len(DTYPES)),
                 flags=FLAG_SETS, group=number, zero=0, dims=dims[:8 - dims...])

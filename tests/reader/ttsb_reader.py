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
from collections import namedtuple

from xxhash import xxh3_64_intdigest, xxh3_128_digest

LIMIT = 2**63 - 1
PAGE, PIECE, GROUP_PAGE = 4096, 65536, 65536
SECTIONS = dict(enumerate("index nameord names groups pieces const meta".split(), 1))
FLAGS = {1: "alias", 2: "optional", 4: "absent", 8: "missing"}
ALIAS, OPTIONAL, ABSENT, MISSING = FLAGS
FLAG_SETS = {0, ALIAS, OPTIONAL, OPTIONAL | ABSENT, MISSING, ALIAS | MISSING}
DTYPES = ("- bool u8 i8 u16 i16 u32 i32 u64 i64 f16 bf16 f32 f64 c64 f8_e4m3 f8_e5m2 f8_e8m0 "
          "f8_e4m3fnuz f8_e5m2fnuz f4 f6_e2m3 f6_e3m2").split()
BITS = (0, 8, 8, 8, 16, 16, 32, 32, 64, 64, 16, 16, 32, 64, 64, 8, 8, 8, 8, 8, 4, 6, 6)
FF_IS_NAN = range(10, 18)
CONSTANTS = {1: "i64", 2: "f64", 3: "string", 257: "list-i64", 258: "list-f64", 259: "list-string"}
MODEL_NAME, TENSOR_NAME, GROUP_NAME, CONSTANT_NAME, STRING = map(re.compile, (
    r"[A-Za-z][A-Za-z0-9_.-]{0,158}", r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*",
    r"[A-Za-z][A-Za-z0-9_]*", r"[A-Za-z_][A-Za-z0-9_]*", r"[^\0]*"))


def layout(name, text):
    """A record type from pairs of struct format and field; at: the record's offset in the file."""
    formats, fields = text.split()[::2], text.split()[1::2]
    record = namedtuple(name, [*fields, "at"])
    record.struct = struct.Struct("<" + "".join(formats))
    record.where = {f: struct.calcsize("<" + "".join(formats[:i])) for i, f in enumerate(fields)}
    record.end = property(lambda self: self.offset + self.size)
    return record


Super = layout("Super", "8s magic H major H minor I endian I superblock_size I zero Q incompat "
               "Q compat Q file_size Q self_hash 16s contract_id 16s root Q revision 160s model")
Section = layout("Section", "I type I flags Q offset Q size 16s hash")
Tensor = layout("Tensor", "I name H name_length B dtype B rank I flags I group I alias_of I zero "
                "Q offset Q size Q first_piece 64s dims")
Group = layout("Group", "I name H name_length H place I align I first_tensor I tensor_count "
               "I zero Q offset Q size")
Constant = layout("Constant", "I name I name_length I type I items I value I value_size")


class Refused(Exception):
    """open_blob() refuses: kind (a word), field, file offset, message."""

    def __init__(self, kind, field, offset, message):
        super().__init__(f"{kind}: {field} at {offset}: {message}")
        self.kind, self.field, self.offset, self.message = kind, field, offset, message


def need(holds, kind, field, offset, message):
    if not holds:
        raise Refused(kind, field, offset, message)


def expect(row, kind, **fields):
    """Each field equals what is given, or is in it if that is a range or a set."""
    for field, wanted in fields.items():
        found = getattr(row, field)
        holds = found in wanted if isinstance(wanted, (range, set)) else found == wanted
        need(holds, kind or field, field.replace("_", " "), row.at + row.where[field],
             f"found {found}, expected {wanted}")


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

    def _rows(self, record, start, end):
        found = record.struct.iter_unpack(self.data[start:end])
        return [record(*row, at) for row, at in zip(found, range(start, end, record.struct.size))]

    def _superblock(self, partial):
        need(self.size >= PAGE, "short", "file", 0, f"{self.size} bytes")
        page, (head,) = bytes(self.data[:PAGE]), self._rows(Super, 0, 256)
        zeroed, model = page[:48] + bytes(8) + page[56:], head.model.rstrip(b"\0").decode("latin1")
        table = self._rows(Section, 256, 896)
        end = next((s.at for s in table if s.type == 0), 896)
        expect(head, "", magic=b"\x89TTSB\r\n\x1a", endian=0x01020304, major=1)
        need(head.incompat < 2, "incompat", "incompat", 24, f"{model} needs {head.incompat:#x}")
        need(head.incompat <= partial, "partial", "incompat", 24, f"{model} is partial")
        expect(head, "", self_hash=xxh3_64_intdigest(zeroed), file_size=self.size,
               superblock_size=PAGE)
        expect(head, "reserved", zero=0)
        need(not any(page[end:]), "reserved", "behind the section table", end, "not zero")
        expect(head, "", root=xxh3_128_digest(zeroed[:72] + bytes(16) + zeroed[88:]))
        need(MODEL_NAME.fullmatch(model), "model", "model", 96, repr(model))
        expect(head, "limit", revision=range(LIMIT + 1))
        self.model, self.revision, self.partial = model, head.revision, head.incompat == 1
        self.contract_id, self.root = head.contract_id, head.root
        self._table(table[:(end - 256) // 40])

    def _table(self, table):
        last, end = 0, PAGE
        for s in table:
            flags = int(s.type != 7) if s.type in SECTIONS else range(2)
            expect(s, "table", type=range(last + 1, 2**32), flags=flags, offset=align(end, PAGE),
                   size=range(self.size - s.offset + 1))
            last, end = s.type, s.end
        self.sections = {SECTIONS.get(s.type, str(s.type)): s for s in table}
        critical = {name for name, s in self.sections.items() if s.flags}
        wrong = (critical | {"meta"} & set(self.sections)) ^ set(SECTIONS.values())
        need(not wrong, "section", "type", 256, f"missing, or critical and not known: {wrong}")
        for name in critical:
            s = self.sections[name]
            need(not self._damage(s), "section_hash", name, s.offset, "differs")

    def _records(self, name, record, most):
        s, size = self.sections[name], record.struct.size
        need(s.size % size == 0, name, "section size", s.offset, f"{s.size} bytes")
        need(1 <= s.size // size <= most, "limit", name, s.offset, f"{s.size} bytes")
        return self._rows(record, s.offset, s.end)

    def _names(self):
        tensors = self._records("index", Tensor, 1000000)
        groups = self._records("groups", Group, 65535)
        self._at, s = self.sections["names"].offset, self.sections["nameord"]
        self.tensors = [self._named(t, "names", 1, TENSOR_NAME) for t in tensors]
        self.groups = [self._named(g, "names", 1, GROUP_NAME) for g in groups]
        need(self._at == self.sections["names"].end, "names", "NAMES end", self._at, "has more")
        need(len({g.name for g in self.groups}) == len(groups), "groups", "name", 0, "not unique")
        index = {t.name: i for i, t in enumerate(self.tensors)}
        order = b"".join(struct.pack("<I", index[name]) for name in sorted(index))
        need(len(index) == len(tensors) and order == self.data[s.offset:s.end], "nameord",
             "order", s.offset, "is not that of the names, or these are not unique")

    def _named(self, row, section, step, grammar):
        """The row with the next name of the section where the name's offset stood."""
        expect(row, section, name=self._at - self.sections[section].offset)
        expect(row, "limit", name_length=range(1, 256))
        return row._replace(name=self._text(row.name_length, section, step, grammar))

    def _text(self, length, section, step, grammar):
        """The next text of the section: its bytes, one NUL, zeros to a multiple of step."""
        at, self._at = self._at, align(self._at + length + 1, step)
        raw = bytes(self.data[at:min(self._at, self.sections[section].end)])
        text = raw[:length].decode(errors="replace")
        need(text.encode() + bytes(self._at - at - length) == raw and grammar.fullmatch(text),
             section, "text", at, f"{raw}")
        return text

    def _groups(self):
        count, first, self.pieces = sum(g.tensor_count for g in self.groups), 0, 0
        need(count == len(self.tensors), "groups", "tensor count", self.groups[0].at + 16, count)
        position = align(max(s.end for s in self.sections.values()), GROUP_PAGE)
        for number, g in enumerate(self.groups):
            expect(g, "groups", place=range(2), align={256 << k for k in range(9)}, zero=0,
                   first_tensor=first, tensor_count=range(1, count + 1), offset=position)
            first += g.tensor_count
            for i in range(g.first_tensor, first):
                position = self._record(i, number, g, position)
            position = align(position, GROUP_PAGE)
            expect(g, "groups", size=position - g.offset)
        need(self.size == position, "file_size", "end of the last group", 40, f"{position}")
        s, missing = self.sections["pieces"], any(t.flags & MISSING for t in self.tensors)
        need(s.size == 8 * self.pieces, "pieces", "section size", s.offset, f"{s.size}")
        self.piece_hashes = struct.unpack(f"<{self.pieces}Q", self.data[s.offset:s.end])
        need(missing == self.partial, "index", "PARTIAL", 24, f"a MISSING record: {missing}")

    def _record(self, i, number, g, cursor):
        """Checks record i, in group g of this number; returns the cursor behind it."""
        t, dims = self.tensors[i], struct.unpack("<8Q", self.tensors[i].dims)
        expect(t, "limit", rank=range(9))
        expect(t, "index", dtype=FF_IS_NAN if t.flags & MISSING else range(1, len(DTYPES)),
               flags=FLAG_SETS, group=number, zero=0)
        need(not any(dims[t.rank:]), "index", "dims", t.at + 48, f"not zero beyond rank: {dims}")
        t = self.tensors[i] = t._replace(dims=dims[:t.rank])
        bits = math.prod(t.dims) * BITS[t.dtype]
        most = max(bits, math.prod(d for d in t.dims if d))
        need(most <= LIMIT, "limit", "dims", t.at + 48, f"{t.dims}")
        need(bits == 8 * t.size, "index", "size", t.at + 32, f"{t.size} bytes for {bits} bits")
        if t.flags & ALIAS:
            expect(t, "index", alias_of=range(g.first_tensor, i))
            to = self.tensors[t.alias_of]
            expect(t, "index", flags=to.flags + ALIAS, dtype=to.dtype, dims=to.dims,
                   offset=to.offset, first_piece=to.first_piece)
            return cursor
        expect(t, "index", alias_of=0xFFFFFFFF, offset=align(cursor, g.align),
               first_piece=self.pieces)
        expect(t, "limit", offset=range(LIMIT + 1 - t.size))
        self.pieces += -(-t.size // PIECE)
        return t.end

    def _constants(self):
        s = self.sections["const"]
        self.constants, self._at = [], s.offset
        need(s.size <= 16 << 20, "limit", "CONST", s.offset, f"{s.size} bytes")
        count, zero = self._next("<II")
        need(count <= 65535, "limit", "count", s.offset, f"{count}")
        need(zero == 0, "const", "zero", s.offset + 4, f"{zero}")
        self._next(f"{24 * count}x")
        for c in self._rows(Constant, s.offset + 8, self._at):
            c = self._named(c, "const", 8, CONSTANT_NAME)
            expect(c, "const", type=set(CONSTANTS), value=self._at - s.offset,
                   items=range(1, 2**32 if c.type > 256 else 2))
            items = [self._item(c.type & 255) for _ in range(c.items)]
            expect(c, "const", value_size=self._at - s.offset - c.value)
            self.constants.append(c._replace(type=CONSTANTS[c.type], items=items))
        need(self._at == s.end, "const", "CONST end", self._at, "has more")
        names = [c.name for c in self.constants]
        need(names == sorted(set(names)), "const", "order", s.offset, f"{names}")

    def _next(self, fmt):
        """The next numbers of CONST."""
        at, self._at = self._at, self._at + struct.calcsize(fmt)
        need(self._at <= self.sections["const"].end, "const", "CONST end", at, "comes too early")
        return struct.unpack_from(fmt, self.data, at)

    def _item(self, kind):
        at, (value,) = self._at, self._next({1: "<q", 2: "<d", 3: "<I"}[kind])
        if kind == 3:
            need(value <= 65535, "limit", "string", at, f"{value} bytes")
            return self._text(value, "const", 8, STRING)
        need(math.isfinite(value), "const", "value", at, f"{value}")
        return value

    def digest(self, i):
        """The tensor digest of record i: 16 bytes, from PIECES as stored."""
        t = self.tensors[i]
        words = t.dims + self.piece_hashes[t.first_piece:t.first_piece - (-t.size // PIECE)]
        return xxh3_128_digest(struct.pack(f"<II{len(words)}Q", t.dtype, t.rank, *words))

    def verify(self):
        """Reads the payload; a list of damaged things, empty if it is whole."""
        position, damaged = PAGE, []
        owners = (t for t in self.tensors if not t.flags & ALIAS)
        for x in (*self.sections.values(), *owners):
            damaged += self._padding(position, x.offset) + self._damage(x)
            position = x.end
        return damaged + self._padding(position, self.size)

    def _padding(self, start, end):
        at = end - len(bytes(self.data[start:end]).lstrip(b"\0"))
        return [{"what": "padding", "offset": at}] if at < end else []

    def _damage(self, x):
        """What is wrong with the bytes of a section or a tensor."""
        if isinstance(x, Section):
            name = SECTIONS.get(x.type, str(x.type)).upper()
            whole = xxh3_128_digest(self.data[x.offset:x.end]) == x.hash
            return [] if whole else [{"what": "section", "name": name, "offset": x.offset}]
        return [{"what": "tensor", "name": x.name, "piece": k, "offset": at}
                for k, at in enumerate(range(x.offset, x.end, PIECE))
                if xxh3_64_intdigest(self.data[at:min(at + PIECE, x.end)])
                != self.piece_hashes[x.first_piece + k]]

    def describe(self):
        """The whole blob as plain values, verified: what the program prints."""
        damaged = self.verify()
        return {
            "model": self.model, "revision": self.revision, "partial": self.partial,
            "contract_id": self.contract_id.hex(), "root": self.root.hex(),
            "file_size": self.size, "meta_bytes": self.sections["meta"].size,
            "groups": [{
                "name": g.name, "place": ("device", "host")[g.place], "align": g.align,
                "offset": g.offset, "size": g.size, "first_tensor": g.first_tensor,
                "tensor_count": g.tensor_count} for g in self.groups],
            "constants": [{"name": c.name, "type": c.type, "items": [
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


def main(arguments):
    options = {a for a in arguments if a.startswith("--")}
    files = [a for a in arguments if not a.startswith("--")]
    if len(files) != 1 or options - {"--partial", "--json"}:
        print("usage: ttsb_reader.py FILE [--partial] [--json]", file=sys.stderr)
        return 2
    try:
        found = open_blob(pathlib.Path(files[0]).read_bytes(), "--partial" in options).describe()
    except (Refused, OSError) as refusal:
        print(f"ttsb_reader: {files[0]}: {refusal}", file=sys.stderr)
        return 1
    print(canonical_json(found) if "--json" in options else json.dumps(found, indent=1))
    for damage in found["damaged"]:
        print(f"ttsb_reader: {files[0]}: damaged: {damage}", file=sys.stderr)
    return 0 if found["verified"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

# SPDX-License-Identifier: MIT
"""A second reader of the .ttsb container, written from runtime/FORMAT.md alone.

In: the bytes of a file. Out: a Blob whose every field was checked, or a Refused; Blob.verify()
lists what is damaged in the rest of the file. The program prints all of it as JSON."""
import json
import math
import pathlib
import re
import struct
import sys
from types import SimpleNamespace

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
MODEL_NAME, TENSOR_NAME, GROUP_NAME, CONSTANT_NAME, STRING = map(re.compile, (
    r"[A-Za-z][A-Za-z0-9_.-]{0,158}", r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*",
    "[A-Za-z][A-Za-z0-9_]*", "[A-Za-z_][A-Za-z0-9_]*", r"[^\0]*"))


class Refused(Exception):
    """open_blob() refuses: kind (a word), field, offset (of its record in the file), message."""
    def __init__(self, kind, field, offset, message):
        super().__init__(f"{kind}: {field} at {offset}: {message:.200}")
        self.kind, self.field, self.offset, self.message = kind, field, offset, message


def need(kind, at, **fields):
    """Each field is (found, wanted): a value, or a range, set or pattern that it has to be in."""
    for field, (found, wanted) in fields.items():
        holds = found in wanted if isinstance(wanted, (range, set)) else found == wanted
        if not (wanted.fullmatch(found) if isinstance(wanted, re.Pattern) else holds):
            raise Refused(kind or field, field.replace("_", " "), at, f"{found!r}, not {wanted!r}")


class Blob:
    """An opened blob; its fields are plain values, its payload stays in data."""
    def __init__(self, data, partial=False):
        self.data, self.size = memoryview(data), len(data)
        need("short", 0, file=(self.size, range(PAGE, LIMIT)))
        (magic, major, _, endian, sb_size, zero, incompat, _, size, self_hash, self.contract_id,
         self.root, self.revision, model) = self._unpack("8sHHIIIQQQQ16s16sQ160s", 0)
        self.model, self.partial = model.rstrip(b"\0").decode("latin1"), incompat == 1
        page = bytes(self.data[:48]) + bytes(8) + bytes(self.data[56:PAGE])
        end = next((at for at in range(256, 896, 40) if not any(page[at:at + 4])), 896)
        need("", 0, magic=(magic, b"\x89TTSB\r\n\x1a"), endian=(endian, 0x01020304),
             major=(major, 1), incompat=(incompat, {0, 1}), partial=(incompat, range(partial + 1)),
             self_hash=(self_hash, xxh3_64_intdigest(page)), file_size=(size, self.size),
             superblock_size=(sb_size, PAGE), reserved=(any(page[end:]) or zero, 0),
             root=(self.root, xxh3_128_digest(page[:72] + bytes(16) + page[88:])),
             model=(self.model, MODEL_NAME))
        need("limit", 0, revision=(self.revision, range(LIMIT + 1)))
        self.sections, last, cursor = {}, 0, PAGE
        for at in range(256, end, 40):
            kind, flags, offset, size, digest = self._unpack("IIQQ16s", at)
            need("table", at, type=(kind, range(last + 1, 2**32)),
                 flags=(flags, int(kind != 7) if kind in SECTIONS else range(2)),
                 offset=(offset, cursor + -cursor % PAGE),
                 size=(size, range(self.size - offset + 1)))
            last, cursor = kind, offset + size
            self.sections[SECTIONS.get(kind, str(kind))] = SimpleNamespace(
                offset=offset, end=cursor, flags=flags, hash=digest, data=self.data[offset:cursor])
        known = [name for name, s in self.sections.items() if s.flags or name == "meta"]
        need("section", 256, META_or_critical=(known, list(SECTIONS.values())))
        for s in list(self.sections.values())[:6]:
            need("section_hash", s.offset, hash=(xxh3_128_digest(s.data), s.hash))
        self._records()
        self._constants()

    def _unpack(self, form, at):
        return struct.unpack_from("<" + form, self.data, at)

    def _name(self, at, form, section, grammar):
        """The next name of the section, which the record at this offset describes."""
        offset, length = self._unpack(form, at)
        need(section, at, name_offset=(offset, self._at - self.sections[section].offset))
        need("limit", at, name_length=(length, range(1, 256)))
        return self._text(length, section, grammar)

    def _next(self, form, section="const"):
        at, self._at = self._at, self._at + struct.calcsize("<" + form)
        need(section, at, end=(self._at, range(self.sections[section].end + 1)))
        return self._unpack(form, at)

    def _text(self, length, section, grammar):
        """The next text of the section: its bytes, one NUL, in CONST zeros to a multiple of 8."""
        size = length + 1 + (-(self._at + length + 1) % 8 if section == "const" else 0)
        at, (raw,) = self._at, self._next(f"{size}s", section)
        text = raw[:length].decode(errors="replace")
        need(section, at, text=(text, grammar), bytes=(raw, text.encode() + bytes(size - length)))
        return text

    def _records(self):
        names, order, pieces = (self.sections[name] for name in ("names", "nameord", "pieces"))
        self._at, self.tensors, self.groups, self.pieces, found = names.offset, [], [], 0, []
        for kind, size, most, grammar in (("index", 112, 1000000, TENSOR_NAME),
                                          ("groups", 40, 65535, GROUP_NAME)):
            s = self.sections[kind]
            need(kind, s.offset, rest_of_section_size=(len(s.data) % size, 0))
            need("limit", s.offset, records=(len(s.data) // size, range(1, most + 1)))
            found.append([(self._name(at, "IH", "names", grammar), at)
                          for at in range(s.offset, s.end, size)])
            need(kind, s.offset, unique_names=(len(dict(found[-1])), len(found[-1])))
        rows, groups = found
        need("names", names.offset, section_end=(self._at, names.end))
        ordered = struct.pack(f"<{len(rows)}I", *sorted(range(len(rows)), key=rows.__getitem__))
        need("nameord", order.offset, order=(bytes(order.data), ordered))
        position = -(-max(s.end for s in self.sections.values()) // GROUP_PAGE) * GROUP_PAGE
        for name, at in groups:
            place, alignment, first, count, zero, offset, size = self._unpack("HIIIIQQ", at + 6)
            need("groups", at, place=(place, range(2)), first_tensor=(first, len(self.tensors)),
                 align=(alignment, {256 << k for k in range(9)}), zero=(zero, 0),
                 tensor_count=(count, range(1, len(rows) - first + 1)), offset=(offset, position))
            self.groups.append(SimpleNamespace(
                name=name, place=("device", "host")[place], align=alignment, offset=offset,
                size=size, first_tensor=first, tensor_count=count))
            for row in rows[first:first + count]:
                position = self._record(*row, self.groups[-1], position)
            position += -position % GROUP_PAGE
            need("groups", at, size=(size, position - offset))
        need("groups", at, tensor_count=(len(self.tensors), len(rows)))
        need("file_size", 40, end_of_the_last_group=(position, self.size))
        need("pieces", pieces.offset, section_size=(len(pieces.data), 8 * self.pieces))
        self.hashes = self._unpack(f"{self.pieces}Q", pieces.offset)
        need("index", 24, PARTIAL=(self.partial, any(t.flags & MISSING for t in self.tensors)))

    def _record(self, name, at, g, cursor):
        """Checks a record of group g, the last one; returns the cursor behind it."""
        (dtype, rank, flags, group, alias_of, zero, offset, size, first_piece,
         *dims) = self._unpack("BBIIIIQQQ8Q", at + 6)
        need("index", at, dtype=(dtype, FF_IS_NAN if flags & MISSING else range(1, len(DTYPES))))
        bits = math.prod(dims[:rank]) * BITS[dtype]
        most = max(bits, math.prod(d for d in dims if d))
        need("limit", at, rank=(rank, range(9)), dims=(most, range(LIMIT + 1)))
        need("index", at, flags=(flags, FLAG_SETS), group=(group, len(self.groups) - 1),
             zero=(zero, 0), size=(8 * size, bits), dims_beyond_rank=(any(dims[rank:]), False))
        dims = tuple(dims[:rank])
        self.tensors.append(SimpleNamespace(
            name=name, dtype=dtype, dims=dims, flags=flags, group=group, offset=offset, size=size,
            end=offset + size, first_piece=first_piece, alias_of=alias_of))
        if flags & ALIAS:
            need("index", at, alias_of=(alias_of, range(g.first_tensor, len(self.tensors) - 1)))
            to = self.tensors[alias_of]
            need("index", at, alias=((flags - ALIAS, dtype, dims, offset, first_piece),
                                     (to.flags, to.dtype, to.dims, to.offset, to.first_piece)))
            return cursor
        need("index", at, alias_of=(alias_of, 2**32 - 1), first_piece=(first_piece, self.pieces),
             offset=(offset, cursor + -cursor % g.align))
        self.pieces += -(-size // PIECE)
        return offset + size

    def _constants(self):
        s, last, self.constants = self.sections["const"], "", []
        self._at = s.offset
        count, zero = self._next("II")
        need("limit", s.offset, CONST=(len(s.data), range(2**24 + 1)), count=(count, range(65536)))
        self._next(f"{24 * count}x")
        for at in range(s.offset + 8, self._at, 24):
            name = self._name(at, "II", "const", CONSTANT_NAME)
            kind, items, value, size = self._unpack("IIII", at + 8)
            need("const", at, type=(kind, set(CONSTANTS)), value=(value, self._at - s.offset),
                 items=(items, range(1, 2**32 if kind > 256 else 2)), order=(name > last, True))
            found, last = [self._item(kind & 255) for _ in range(items)], name
            need("const", at, value_size=(size, self._at - s.offset - value))
            self.constants.append(SimpleNamespace(name=name, type=CONSTANTS[kind], items=found))
        need("const", s.offset, zero=(zero, 0), section_end=(self._at, s.end))

    def _item(self, kind):
        value, = self._next({1: "q", 2: "d", 3: "I"}[kind])
        need("const", self._at, finite=(math.isfinite(value), True))
        need("limit", self._at, string=(value if kind == 3 else 0, range(65536)))
        return self._text(value, "const", STRING) if kind == 3 else value

    def about(self):
        """What META says in `about`; None if it is damaged or holds another form."""
        s = self.sections["meta"]
        raw = bytes(s.data)
        if xxh3_128_digest(raw) != s.hash:
            return None
        if not raw.startswith(b'{"about":'):
            return {}
        try:
            text = raw[9:].decode(errors="surrogateescape")
            pairs = json.JSONDecoder(object_pairs_hook=tuple).raw_decode(text)[0]
            found = dict(pairs) if isinstance(pairs, tuple) else None
            "".join([*found, *found.values()]).encode()
        except (ValueError, TypeError):
            return None
        return found if len(found) == len(pairs) else None

    def digest(self, i):
        """The tensor digest of record i: 16 bytes, from PIECES as stored."""
        t = self.tensors[i]
        words = t.dims + self.hashes[t.first_piece:t.first_piece - (-t.size // PIECE)]
        return xxh3_128_digest(struct.pack(f"<II{len(words)}Q", t.dtype, len(t.dims), *words))

    def verify(self):
        """Reads the payload; a list of damaged things, empty if it is whole."""
        tensors = [t for t in self.tensors if not t.flags & ALIAS]
        owners = [*self.sections.values(), *tensors]
        gaps = zip([PAGE] + [x.end for x in owners], [x.offset for x in owners] + [self.size])
        return [{"what": "section", "name": name.upper(), "offset": s.offset}
                for name, s in self.sections.items() if xxh3_128_digest(s.data) != s.hash] + [
            {"what": "padding", "offset": end - len(rest)} for start, end in gaps
            if (rest := bytes(self.data[start:end]).lstrip(b"\0"))] + [
            {"what": "tensor", "name": t.name, "piece": k, "offset": at} for t in tensors
            for k, at in enumerate(range(t.offset, t.end, PIECE))
            if xxh3_64_intdigest(self.data[at:t.end][:PIECE]) != self.hashes[t.first_piece + k]]

    def describe(self):
        """The whole blob as plain values, verified: what the program prints."""
        damaged = self.verify()
        return {
            "model": self.model, "revision": self.revision, "partial": self.partial,
            "contract_id": self.contract_id.hex(), "root": self.root.hex(),
            "file_size": self.size, "meta_bytes": len(self.sections["meta"].data),
            "about": self.about(), "groups": [vars(g) for g in self.groups],
            "constants": [vars(c) | {"items": [
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
    short = {"b": 8, "t": 9, "n": 10, "f": 12, "r": 13}
    return re.sub(r"\\(.)", lambda m: f"\\u{short[m[1]]:04x}" if m[1] in short else m[0], text)


def main(arguments):
    files = [a for a in arguments if a not in ("--partial", "--json")]
    if len(files) != 1 or files[0].startswith("--"):
        print("usage: ttsb_reader.py FILE [--partial] [--json]", file=sys.stderr)
        return 2
    try:
        found = open_blob(pathlib.Path(files[0]).read_bytes(), "--partial" in arguments).describe()
    except (Refused, OSError) as refusal:
        print(f"ttsb_reader: {files[0]}: {refusal}", file=sys.stderr)
        return 1
    print(canonical_json(found) if "--json" in arguments else json.dumps(found, indent=1))
    for damage in found["damaged"]:
        print(f"ttsb_reader: {files[0]}: damaged: {damage}", file=sys.stderr)
    return 0 if found["verified"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

#!/usr/bin/env python3
"""The C reader and the reader written from FORMAT.md alone judge alike: each
field of the superblock, the section table and every record is given wrong and
odd values, the hashes are made right again, so that the field itself is what
is judged, and both accept or both refuse. No field lies unseen: some value of
it is refused, but where FORMAT.md lets every value be.

Arguments: the program of judge.c."""
import collections
import itertools
import pathlib
import struct
import subprocess
import sys
import tempfile
import unittest

import xxhash

import checkpoints as ck

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402
import ttsb_reader  # noqa: E402

JUDGE = sys.argv[1] if len(sys.argv) > 1 else str(ck.ROOT / "build/tests/judge")
INDEX, NAMEORD, NAMES, GROUPS, PIECES, CONST, META = range(1, 8)
TABLE, ENTRY, UNUSED = 256, 40, 896

# A row is a field: name, offset, bytes, and small values that are worth trying.
SUPERBLOCK = [
    ("magic", 0, 8), ("major", 8, 2), ("minor", 10, 2), ("endian mark", 12, 4),
    ("superblock size", 16, 4), ("zero", 20, 4), ("incompat", 24, 8), ("compat", 32, 8),
    ("file size", 40, 8), ("contract id", 56, 8), ("contract id", 64, 8), ("revision", 88, 8),
    ("rest", 896, 8), ("rest", 2000, 1), ("rest", 4088, 8)]
SECTION = [("type", 0, 4, range(12)), ("flags", 4, 4), ("offset", 8, 8), ("size", 16, 8)]
RECORD = [
    ("name offset", 0, 4), ("name length", 4, 2), ("dtype", 6, 1, range(25)),
    ("rank", 7, 1, range(10)), ("flags", 8, 4, range(18)), ("group", 12, 4, range(5)),
    ("alias of", 16, 4, range(24)), ("zero", 20, 4), ("offset", 24, 8), ("size", 32, 8),
    ("first piece", 40, 8, range(4))] + [(f"dim {d}", 48 + 8 * d, 8) for d in range(8)]
GROUP = [
    ("name offset", 0, 4), ("name length", 4, 2), ("place", 6, 2, range(4)),
    ("align", 8, 4, [1 << k for k in range(32)]), ("first tensor", 12, 4, range(24)),
    ("tensor count", 16, 4, range(24)), ("zero", 20, 4), ("offset", 24, 8), ("size", 32, 8)]
CONSTANT = [
    ("name offset", 0, 4), ("name length", 4, 4), ("type", 8, 4, [0, 1, 2, 3, 4, *range(255, 261)]),
    ("items", 12, 4, range(6)), ("value offset", 16, 4), ("value size", 20, 4)]
LETTERS = [0, *b"-./7aZ_", 0xC3, 0xFF]
DOUBLES = [0x7FF << 52, 0xFFF << 52, 0x7FF8 << 48, 0xFFF8 << 48, (0x7FF << 52) + 1,
           (0x7FF << 52) - 1, 1, 1 << 63]
UTF8 = [b"\xc3\xa9", b"\xc0\x80", b"\xc1\xbf", b"\xe0\x80\x80", b"\xe0\xa0\x80", b"\xed\x9f\xbf",
        b"\xed\xa0\x80", b"\xf0\x80\x80\x80", b"\xf0\x90\x80\x80", b"\xf4\x8f\xbf\xbf",
        b"\xf4\x90\x80\x80", b"\xf8\x88\x80\x80", b"\xc3", b"\xe2\x82", b"\x80", b"\xff", b"\0"]

# FORMAT.md lets every value of these be; all others are refused somewhere.
FREE = {"superblock: minor", "superblock: compat", "superblock: contract id",
        "CONST: i64 value", "META: bytes"}
# Open does not read what these speak of; verify finds the lie.
FOUND = {"PIECES: hash", "section META: hash", "section UNKNOWN: hash"}


def values(now, width, more=()):
    """Other values of an unsigned field that is `now`."""
    top = 256 ** width - 1
    steps = [1] if width < 4 else [1, 7, 8, 256, 4096, 65536]
    tried = {0, 1, top, top - 1, top // 2, top // 2 + 1, *more,
             *(now + s for s in steps), *(now - s for s in steps),
             *(now ^ 1 << bit for bit in (0, 1, 2, 3, 7, 8, 16, 31, 32, 63)
               if bit < 8 * width)}
    return sorted(v for v in tried if 0 <= v <= top and v != now)


class Base:
    """A good blob and all that is done to it: (field, head) for each mutation."""

    def __init__(self, name, raw):
        self.name, self.raw = name, raw
        self.work = bytearray(raw)  # as raw, but while a mutation is made or read
        blob = ttsb_reader.open_blob(raw, True)
        self.head = blob.groups[0].offset
        self.at, self.end = {}, {}
        for k in range(16):
            kind, _, offset, size = struct.unpack_from("<IIQQ", raw, TABLE + ENTRY * k)
            if kind:
                self.at[kind], self.end[kind] = offset, offset + size
        self.counts = {INDEX: len(blob.tensors), GROUPS: len(blob.groups),
                       CONST: len(blob.constants), NAMEORD: len(blob.tensors),
                       PIECES: blob.pieces}

    def put(self, field, *changes, seal=make_blob.reseal):
        """The mutation with each (offset, bytes) put in."""
        for at, data in changes:
            self.work[at:at + len(data)] = data
        seal(self.work)
        head = bytes(self.work[:self.head])
        self.work[:self.head] = self.raw[:self.head]
        return field, head

    def numbers(self, what, base, rows):
        for name, offset, width, *more in rows:
            at = base + offset
            now = int.from_bytes(self.raw[at:at + width], "little")
            for value in values(now, width, *more):
                yield self.put(f"{what}: {name}", (at, value.to_bytes(width, "little")))

    def letters(self, what, start, end, tried=LETTERS):
        for at in range(start, end):
            for byte in {*tried, self.raw[at] ^ 1} - {self.raw[at]}:
                yield self.put(what, (at, bytes([byte])))

    def swaps(self, what, start, size, count):
        """Neighbours exchanged; one told twice."""
        for at in range(start, start + size * (count - 1), size):
            a, b = self.raw[at:at + size], self.raw[at + size:at + 2 * size]
            if a != b:
                yield self.put(f"{what}: exchanged", (at, b + a))
                yield self.put(f"{what}: told twice", (at, a + a))
                yield self.put(f"{what}: told twice", (at, b + b))

    def superblock(self):
        yield from self.numbers("superblock", 0, SUPERBLOCK)
        for start, end in ((96, 120), (248, 256)):
            yield from self.letters("superblock: model", start, end)
        for field, at, size, seal in (("self_hash", 48, 8, lambda blob: None),
                                      ("root", 72, 16, self_hash)):
            for byte in range(size):
                changed = bytes([self.raw[at + byte] ^ 1 << byte % 8])
                yield self.put(f"superblock: {field}", (at + byte, changed), seal=seal)

    def table(self):
        for k in range(16):
            at = TABLE + ENTRY * k
            kind = struct.unpack_from("<I", self.raw, at)[0]
            what = f"section {ttsb_reader.SECTIONS.get(kind, 'unknown' if kind else 'none').upper()}"
            yield from self.numbers(what, at, SECTION)
            for byte in range(at + 24, at + 40):
                changed = bytes([self.raw[byte] ^ 1 << byte % 8])
                yield self.put(f"{what}: hash", (byte, changed), seal=roots)
        yield from self.swaps("section", TABLE, ENTRY, len(self.at) + 1)

    def records(self):
        for kind, what, size, rows in ((INDEX, "INDEX", 112, RECORD), (GROUPS, "GROUPS", 40, GROUP)):
            for i in range(self.counts[kind]):
                yield from self.numbers(what, self.at[kind] + size * i, rows)
            yield from self.swaps(what, self.at[kind], size, self.counts[kind])
        for i in range(self.counts[NAMEORD]):
            yield from self.numbers("NAMEORD", self.at[NAMEORD] + 4 * i,
                                    [("index", 0, 4, range(0, self.counts[INDEX], 3))])
        yield from self.swaps("NAMEORD", self.at[NAMEORD], 4, self.counts[NAMEORD])
        yield from self.letters("NAMES: bytes", self.at[NAMES], self.end[NAMES])
        if self.name == "full":
            yield from self.sorted_names()

    def sorted_names(self):
        """Bytes of NAMES with NAMEORD made right again, so that no order hides them."""
        count, base = self.counts[INDEX], self.at[INDEX]
        spans = [struct.unpack_from("<IH", self.raw, base + 112 * i) for i in range(count)]
        for at in range(self.at[NAMES], self.end[NAMES]):
            for byte in LETTERS:
                names = bytearray(self.raw[self.at[NAMES]:self.end[NAMES]])
                names[at - self.at[NAMES]] = byte
                order = sorted(range(count), key=lambda i: bytes(
                    names[spans[i][0]:sum(spans[i])]))
                yield self.put("NAMES: bytes, sorted", (at, bytes([byte])), (
                    self.at[NAMEORD], struct.pack(f"<{count}I", *order)))

    def pieces(self):
        for i in range(0, self.counts[PIECES]):
            yield from self.numbers("PIECES", self.at[PIECES] + 8 * i, [("hash", 0, 8)])
        yield from self.letters("META: bytes", self.at[META], self.at[META] + 8)

    def constants(self):
        base = self.at[CONST]
        yield from self.numbers("CONST", base, [("count", 0, 4, range(12)), ("zero", 4, 4)])
        for i in range(self.counts[CONST]):
            at = base + 8 + 24 * i
            name, length, kind, items, value, size = struct.unpack_from("<6I", self.raw, at)
            yield from self.numbers("CONST", at, CONSTANT)
            yield from self.letters("CONST: name", base + name, base + name + length)
            yield from self.letters("CONST: padding", base + name + length, base + value)
            yield from self.items(kind & 255, base + value, items)
        yield from self.swaps("CONST", base + 8, 24, self.counts[CONST])

    def items(self, kind, at, items):
        for _ in range(items):
            if kind == 3:
                length = struct.unpack_from("<I", self.raw, at)[0]
                yield from self.string(at, length)
                at += -(-(4 + length + 1) // 8) * 8
            else:
                name = {1: "i64 value", 2: "f64 value"}[kind]
                yield from self.numbers("CONST", at, [(name, 0, 8, DOUBLES)])
                at += 8

    def string(self, at, length):
        end = -(-(at + 4 + length + 1) // 8) * 8
        yield from self.numbers("CONST", at, [("string length", 0, 4, range(10))])
        yield from self.letters("CONST: string", at + 4, at + 4 + length)
        yield from self.letters("CONST: string's end", at + 4 + length, end)
        for text in UTF8:
            for place in range(at + 4, at + 4 + length - len(text) + 1):
                yield self.put("CONST: string", (place, text))

    def all(self):
        for part in (self.superblock, self.table, self.records, self.pieces, self.constants):
            yield from part()


def self_hash(blob):
    blob[48:56] = bytes(8)
    blob[48:56] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(blob[:4096])))


def roots(blob):
    """root and self_hash anew, the sections' hashes as they are."""
    blob[48:56], blob[72:88] = bytes(8), bytes(16)
    blob[72:88] = xxhash.xxh3_128_digest(bytes(blob[:4096]))
    self_hash(blob)


def by_c(path, heads):
    """(status, verified) of each; None where it is not opened."""
    done = subprocess.run([JUDGE, path, str(len(heads[0]))], input=b"".join(heads),
                          capture_output=True)
    assert done.returncode == 0 and not done.stderr, done.stderr.decode()
    lines = [line.split() for line in done.stdout.decode().splitlines()]
    return [(line[0], line[1] == "TTSB_OK" if line[0] == "TTSB_OK" else None)
            for line in lines]


def by_python(base, head):
    """The same; any exception but Refused is a bug of the reader."""
    try:
        base.work[:base.head] = head
        return "TTSB_OK", not ttsb_reader.open_blob(base.work, True).verify()
    except ttsb_reader.Refused as refused:
        return str(refused), None
    finally:
        base.work[:base.head] = base.raw[:base.head]


class Mutations(unittest.TestCase):
    seen = collections.defaultdict(lambda: [0, 0, 0])  # mutations, refused, found

    def judge(self, base):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "base.ttsb"
            path.write_bytes(base.raw)
            self.assertEqual(by_c(path, [base.raw[:base.head]]), [("TTSB_OK", True)])
            mutations = base.all()
            while some := list(itertools.islice(mutations, 400)):
                verdicts = by_c(path, [head for _, head in some])
                self.assertEqual(len(verdicts), len(some))
                for (field, head), c in zip(some, verdicts):
                    self.compare(base, field, c, by_python(base, head))

    def compare(self, base, field, c, python):
        self.assertEqual((c[0] == "TTSB_OK", c[1]), (python[0] == "TTSB_OK", python[1]),
                         (base.name, field, c, python))
        count = self.seen[field]
        count[0] += 1
        count[1] += c[0] != "TTSB_OK"
        count[2] += c[1] is False

    def test_mutations(self):
        blobs = make_blob.examples()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "features.ttsb"
            ck.ttswc("compile", "-q", ck.SPECS / "examples" / "features.yaml",
                     ck.FIXTURES / "features" / "features.safetensors", "-o", path)
            blobs["features"] = path.read_bytes()
        for name in ("full", "partial", "more", "features"):
            with self.subTest(name):
                self.judge(Base(name, blobs[name]))
        print(f"{'field':28}{'mutations':>10}{'refused':>9}{'found':>7}")
        for field, (count, refused, found) in self.seen.items():
            print(f"{field:28}{count:10}{refused:9}{found:7}")
            with self.subTest(field):
                if field in FREE:
                    self.assertEqual((refused, found), (0, 0))
                elif field in FOUND:
                    self.assertEqual((refused, found), (0, count))
                else:
                    self.assertGreater(refused, 0)
        print(f"{'sum':28}" + "{:10}{:9}{:7}".format(*map(sum, zip(*self.seen.values()))))
        self.assertTrue(FREE | FOUND <= set(self.seen))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])

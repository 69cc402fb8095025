# SPDX-License-Identifier: MIT
"""Tests of the second reader: python3 -m unittest, from this directory.

In: the blobs of make_blob.examples(), whole, with a bit flipped, or with one
rule broken and every hash made right again. Out: whole ones open and verify;
no flipped bit survives open and verify together; each broken rule is refused
with the kind of its own.
"""
import contextlib
import io
import json
import os
import struct
import tempfile
import unittest

import xxhash

import make_blob
import ttsb_reader
from ttsb_reader import Refused, open_blob

BLOBS = make_blob.examples()
INDEX, NAMEORD, NAMES, GROUPS, PIECES, CONST, META = range(7)
W, TIED, GONE, S, VX = (112 * i for i in range(5))


def section(blob, k):
    return struct.unpack_from("<QQ", blob, 256 + 40 * k + 8)


def patched(name, *changes):
    """The blob with each (section or None, offset, format, value) put in, resealed."""
    blob = bytearray(BLOBS[name])
    for where, offset, fmt, value in changes:
        base = 0 if where is None else section(blob, where)[0]
        struct.pack_into("<" + fmt, blob, base + offset, value)
    return bytes(make_blob.reseal(blob))


def refusal(blob, partial=True):
    try:
        open_blob(blob, partial)
    except Refused as refused:
        return f"{refused.kind}: {refused.field}"
    return "opened"


def entry(k, field):
    return 256 + 40 * k + {"type": 0, "flags": 4, "offset": 8, "size": 16, "hash": 24}[field]


# A row breaks one rule of tiny: kind (and field, where another rule of that
# kind would catch it), then what to put where.
BROKEN = [
    ("magic", (None, 3, "B", 0x55)), ("endian", (None, 12, "I", 0x04030201)),
    ("major", (None, 8, "H", 2)), ("incompat", (None, 24, "Q", 2)),
    ("incompat", (None, 24, "Q", 1 << 63)), ("index", (None, 24, "Q", 1)),
    ("file_size", (None, 40, "Q", 196609)), ("superblock_size", (None, 16, "I", 8192)),
    ("reserved", (None, 20, "I", 1)), ("reserved", (None, 896, "B", 1)),
    ("reserved", (None, 4095, "B", 1)), ("reserved", (None, entry(7, "offset"), "Q", 1)),
    ("reserved", (None, entry(15, "hash"), "B", 1)),
    ("limit", (None, 88, "Q", 1 << 63)), ("model", (None, 96, "B", 0)),
    ("model", (None, 96, "5s", b"7tiny")), ("model", (None, 96, "5s", b"ti ny")),
    ("model", (None, 96, "160s", b"a" * 160)), ("model", (None, 255, "B", 0x61)),
    ("table", (None, entry(1, "type"), "I", 1)), ("table", (None, entry(0, "flags"), "I", 0)),
    ("table", (None, entry(6, "flags"), "I", 1)), ("table", (None, entry(6, "flags"), "I", 2)),
    ("table", (None, entry(0, "offset"), "Q", 8192)),
    ("table", (None, entry(1, "offset"), "Q", 8196)),
    ("table", (None, entry(6, "size"), "Q", 1 << 20)),
    ("table", (None, entry(0, "size"), "Q", 2**64 - 1)),
    ("section", (None, entry(6, "type"), "I", 9)),
    ("section", (None, entry(6, "type"), "I", 9), (None, entry(6, "flags"), "I", 1)),
    ("index", (None, entry(INDEX, "size"), "Q", 112 * 5 - 1)),
    ("names", (None, entry(INDEX, "size"), "Q", 112 * 4)),
    ("groups", (None, entry(GROUPS, "size"), "Q", 79)),
    ("nameord", (None, entry(NAMEORD, "size"), "Q", 16)),
    ("names", (None, entry(NAMES, "size"), "Q", 500)),
    ("names", (None, entry(NAMES, "size"), "Q", 24)),
    ("pieces", (None, entry(PIECES, "size"), "Q", 40)),
    ("const", (None, entry(CONST, "size"), "Q", 4)),
    ("const", (None, entry(CONST, "size"), "Q", 40)),
    ("const", (None, entry(CONST, "size"), "Q", 112)),
    ("names", (INDEX, TIED, "I", 3)), ("limit", (INDEX, W + 4, "H", 0)),
    ("limit", (INDEX, W + 4, "H", 256)), ("names", (INDEX, W + 4, "H", 2)),
    ("index", (INDEX, W + 6, "B", 0)), ("index", (INDEX, W + 6, "B", 23)),
    ("limit", (INDEX, W + 7, "B", 9)), ("index: flags", (INDEX, S + 8, "I", 16)),
    ("index", (INDEX, W + 8, "I", 4)), ("index", (INDEX, GONE + 8, "I", 4)),
    ("index: flags", (INDEX, TIED + 8, "I", 3)), ("index", (INDEX, TIED + 8, "I", 9)),
    ("index: flags", (INDEX, GONE + 8, "I", 10)), ("index", (INDEX, W + 8, "I", 8)),
    ("index", (INDEX, VX + 8, "I", 8), (None, 24, "Q", 1)),
    ("index", (INDEX, W + 12, "I", 1)), ("index", (INDEX, VX + 12, "I", 0)),
    ("index", (INDEX, W + 16, "I", 0)), ("index: alias of", (INDEX, TIED + 16, "I", 1)),
    ("index", (INDEX, TIED + 16, "I", 2)), ("index", (INDEX, TIED + 16, "I", 2**32 - 1)),
    ("index: alias", (INDEX, W + 8, "I", 2)), ("index: zero", (INDEX, W + 20, "I", 1)),
    ("index", (INDEX, W + 24, "Q", 65792)), ("index", (INDEX, GONE + 24, "Q", 65664)),
    ("index", (INDEX, TIED + 24, "Q", 65792)), ("index", (INDEX, TIED + 6, "B", 7)),
    ("index", (INDEX, TIED + 40, "Q", 1)), ("index", (INDEX, TIED + 48, "Q", 4)),
    ("index: size", (INDEX, W + 32, "Q", 13)), ("index: first piece", (INDEX, W + 40, "Q", 1)),
    ("index", (INDEX, W + 56, "Q", 1)), ("index", (INDEX, S + 48, "Q", 1)),
    ("limit", (INDEX, W + 48, "Q", 1 << 63)), ("limit", (INDEX, W + 48, "Q", 1 << 58)),
    ("limit", (INDEX, GONE + 7, "B", 2), (INDEX, GONE + 48, "Q", 0),
     (INDEX, GONE + 56, "Q", 1 << 63)),
    ("index: size", (INDEX, VX + 6, "B", 20)), ("index", (INDEX, S + 6, "B", 20)),
    ("nameord", (NAMEORD, 0, "I", 5)), ("nameord", (NAMEORD, 0, "I", 3)),
    ("names", (NAMES, 0, "B", 0x2E)), ("names", (NAMES, 0, "B", 0x2D)),
    ("names", (NAMES, 0, "B", 0xC3)), ("names", (NAMES, 1, "B", 0x61)),
    ("names", (NAMES, 14, "B", 0x2E)), ("names", (NAMES, 18, "B", 0x2E)),
    ("names", (NAMES, 18, "B", 0x37)), ("groups", (GROUPS, 6, "H", 2)),
    ("groups", (GROUPS, 8, "I", 128)), ("groups", (GROUPS, 8, "I", 384)),
    ("groups", (GROUPS, 8, "I", 131072)), ("groups", (GROUPS, 8, "I", 0)),
    ("index", (GROUPS, 8, "I", 512)), ("groups", (GROUPS, 12, "I", 1)),
    ("groups: tensor count", (GROUPS, 16, "I", 0)), ("groups: tensor count", (GROUPS, 16, "I", 6)),
    ("groups: tensor count", (GROUPS, 16, "I", 3), (GROUPS, 52, "I", 3),
     (INDEX, S + 12, "I", 1), (INDEX, S + 24, "Q", 131072), (GROUPS, 64, "Q", 131072)),
    ("names: end", (GROUPS, 44, "H", 255)), ("groups", (GROUPS, 56, "I", 2)),
    ("groups: zero", (GROUPS, 20, "I", 1)),
    ("groups: offset", (GROUPS, 24, "Q", 131072)), ("groups", (GROUPS, 64, "Q", 131073)),
    ("groups", (GROUPS, 32, "Q", 131072)), ("limit", (GROUPS, 4, "H", 0)),
    ("groups", (NAMES, 18, "4s", b"text")), ("limit", (CONST, 0, "I", 65536)),
    ("const", (CONST, 0, "I", 1)), ("const", (CONST, 0, "I", 3)),
    ("const: zero", (CONST, 4, "I", 1)), ("const", (CONST, 8, "I", 57)),
    ("limit", (CONST, 12, "I", 0)), ("limit", (CONST, 12, "I", 256)),
    ("const", (CONST, 12, "I", 2)), ("const", (CONST, 16, "I", 0)), ("const", (CONST, 16, "I", 4)),
    ("const", (CONST, 16, "I", 0x100)), ("const", (CONST, 16, "I", 0x201)),
    ("const: items", (CONST, 20, "I", 0)), ("const: items", (CONST, 20, "I", 2)),
    ("const: items", (CONST, 16, "I", 0x101), (CONST, 20, "I", 0), (CONST, 28, "I", 0)),
    ("const", (CONST, 24, "I", 65)), ("const: value size", (CONST, 52, "I", 24)),
    ("const", (CONST, 28, "I", 9)), ("const", (CONST, 56, "B", 0x2E)),
    ("const", (CONST, 56, "B", 0x37)),
    ("const", (CONST, 56, "B", 0x74)), ("const", (CONST, 56, "B", 0x73)),
    ("const", (CONST, 58, "B", 1)), ("const", (CONST, 63, "B", 1)),
    ("const", (CONST, 16, "I", 2), (CONST, 64, "Q", 0x7FF << 52)),
    ("const", (CONST, 16, "I", 2), (CONST, 64, "Q", 0xFFF8 << 48)),
    ("const", (CONST, 80, "I", 1)), ("const", (CONST, 80, "I", 4)),
    ("limit", (CONST, 80, "I", 65536)), ("const", (CONST, 84, "B", 0)),
    ("const", (CONST, 84, "B", 0xC3)), ("const", (CONST, 87, "B", 1)),
]


class Whole(unittest.TestCase):
    def test_examples_open_and_verify(self):
        for name, blob in BLOBS.items():
            with self.subTest(name):
                self.assertEqual(open_blob(blob, name == "partial").verify(), [])

    def test_accepted_changes(self):
        for change in ((None, 10, "H", 9), (None, 32, "Q", 5), (INDEX, S + 6, "B", 9)):
            with self.subTest(change):
                self.assertEqual(open_blob(patched("tiny", change)).verify(), [])

    def test_values(self):
        blob = open_blob(BLOBS["full"])
        constants = {c.name: (c.type, c.items) for c in blob.constants}
        self.assertEqual(constants["voices"], ("list-string", ["a", "sete 77", ""]))
        self.assertEqual(constants["lowest"], ("i64", [-2**63]))
        self.assertEqual(constants["gains"], ("list-f64", [0.5, -2.0]))
        self.assertEqual([g.size for g in blob.groups], [65536, 3 * 65536, 0, 65536])
        self.assertEqual([t.size for t in blob.tensors if t.name in ("a.4", "a.10")], [3, 3])
        by_name = {t.name: i for i, t in enumerate(blob.tensors)}
        self.assertEqual(blob.digest(by_name["dec.w"]), blob.digest(by_name["dec.tied"]))
        self.assertEqual((blob.model, blob.revision), ("toy-vocoder_1.0", 7))

    def test_known_hashes(self):
        self.assertEqual(xxhash.xxh3_64_hexdigest(b""), "2d06800538d394c2")
        self.assertEqual(xxhash.xxh3_128_hexdigest(b""),
                         "99aa06d3014798d86001c324468d497f")


class Refusals(unittest.TestCase):
    def refuses(self, blob, kind, partial=True):
        self.assertEqual((refusal(blob, partial) + ":")[:len(kind) + 1].rstrip(":"), kind)

    def test_broken_rules(self):
        for kind, *changes in BROKEN:
            with self.subTest(kind=kind, changes=changes):
                self.refuses(patched("tiny", *changes), kind)

    def test_whole_file(self):
        tiny = BLOBS["tiny"]
        for kind, blob in (("short", b""), ("short", tiny[:4095]), ("file_size", tiny[:-1]),
                           ("file_size", tiny + b"\0"), ("file_size", tiny[:4096])):
            with self.subTest(kind=kind, size=len(blob)):
                self.refuses(blob, kind)
        self.refuses(BLOBS["partial"], "partial", partial=False)
        self.refuses(make_blob.build("no_tensor", [], {}), "limit")
        longer = bytearray(tiny + bytes(65536))
        struct.pack_into("<Q", longer, 40, len(longer))
        self.refuses(bytes(make_blob.reseal(longer)), "file_size: end of the last group")

    def test_constants_too_large(self):
        groups = [make_blob.group("g", "host", 256, make_blob.tensor("t", "u8", [1]))]
        large = {"k": ("list-string", ["x" * 65535] * 256)}
        self.refuses(make_blob.build("large", groups, large), "limit: CONST")

    def test_offsets_too_large(self):
        tensors = [make_blob.tensor(f"t{i}", "u8", [1]) for i in range(9)]
        blob = bytearray(make_blob.build("huge", [make_blob.group("g", "host", 256, *tensors)], {}))
        at, size = section(blob, INDEX)[0], (1 << 60) - 256
        for i in range(9):
            struct.pack_into("<QQQQ", blob, at + 112 * i + 24, 65536 + size * i, size,
                             size // 65536 * i + i, size)
        self.refuses(bytes(make_blob.reseal(blob)), "groups: size")

    def test_unknown_sections(self):
        self.refuses(patched("more", (None, entry(7, "flags"), "I", 1)), "section")
        self.refuses(patched("more", (None, entry(7, "flags"), "I", 2)), "table: flags")
        self.refuses(patched("more", (None, entry(8, "type"), "I", 8)), "table: type")

    def test_unsealed(self):
        for kind, offset in (("self_hash", 96), ("self_hash", 48), ("section_hash", 4096)):
            blob = bytearray(BLOBS["tiny"])
            blob[offset] ^= 1
            self.refuses(bytes(blob), kind)
        blob[4096] ^= 1
        blob[72] ^= 1
        blob[48:56] = bytes(8)
        blob[48:56] = struct.pack("<Q", xxhash.xxh3_64_intdigest(bytes(blob[:4096])))
        self.refuses(bytes(blob), "root")

    def test_partial_says_so(self):
        self.refuses(patched("partial", (None, 24, "Q", 0)), "index: PARTIAL")

    def test_fields_and_offsets(self):
        with self.assertRaises(Refused) as caught:
            open_blob(patched("tiny", (INDEX, TIED + 24, "Q", 0)))
        self.assertEqual((caught.exception.field, caught.exception.offset), ("alias", 4096 + 112))


class Damage(unittest.TestCase):
    def flips(self, blob, offsets, bits):
        """No flip at these offsets may both open and verify; damaged things by offset."""
        found, data = {}, bytearray(blob)
        for offset in offsets:
            for bit in bits(offset):
                data[offset] ^= 1 << bit
                try:
                    found[offset] = open_blob(data).verify()
                    self.assertTrue(found[offset], (offset, bit))
                except Refused:
                    pass
                data[offset] ^= 1 << bit
        return found

    def test_every_bit_of_what_is_used(self):
        blob = BLOBS["tiny"]
        spans = [(0, 4096)] + [section(blob, k) for k in range(7)]
        spans += [(t.offset, t.size) for t in open_blob(blob).tensors]
        offsets = {o for start, size in spans for o in range(start, start + size)}
        self.flips(blob, sorted(offsets), lambda _: range(8))

    def test_every_byte_between_sections(self):
        blob = BLOBS["tiny"]
        used = {o for s, n in (section(blob, k) for k in range(7)) for o in range(s, s + n)}
        offsets = [o for o in range(4096, 8 * 4096) if o not in used]
        found = self.flips(blob, offsets, lambda o: [o % 8])
        self.assertEqual(found, {o: [{"what": "padding", "offset": o}] for o in offsets})

    def test_padding_of_the_payload(self):
        blob = BLOBS["tiny"]
        edges = [65536 - 1, 65536 + 12, 65791, 65796, 66047, 66056, 131071, 131077, len(blob) - 1]
        offsets = [*range(8 * 4096, 65536, 97), *edges, *range(66056, 131072, 97)]
        found = self.flips(blob, offsets, lambda o: [o % 8])
        self.assertEqual(found, {o: [{"what": "padding", "offset": o}] for o in offsets})

    def test_damage_has_a_name(self):
        blob = open_blob(BLOBS["full"])
        long = next(t for t in blob.tensors if t.name == "long.one")
        for piece, at in ((0, 0), (0, 65535), (1, 65536), (1, 65635)):
            where = long.offset + at
            found = self.flips(BLOBS["full"], [where], lambda _: [7])
            self.assertEqual(found[where], [{"what": "tensor", "name": "long.one", "piece": piece,
                                             "offset": long.offset + piece * 65536}])
        meta = section(BLOBS["full"], META)[0]
        found = self.flips(BLOBS["full"], [meta], lambda _: [0])
        self.assertEqual(found[meta], [{"what": "section", "name": "META", "offset": meta}])
        other = section(BLOBS["more"], 8)[0]
        found = self.flips(BLOBS["more"], [other], lambda _: [0])
        self.assertEqual(found[other], [{"what": "section", "name": "900", "offset": other}])

    def test_absent_and_missing_are_the_writers_word(self):
        for name, value, what in (("gone", 1, "tiny"), ("lost", 0, "partial")):
            opened = open_blob(BLOBS[what], True)
            t = next(t for t in opened.tensors if t.name == name)
            blob = bytearray(BLOBS[what])
            blob[t.offset] = value
            found = open_blob(bytes(blob), True).verify()
            self.assertEqual([(d["what"], d["name"]) for d in found], [("tensor", name)])
            piece = bytes(blob[t.offset:t.offset + t.size])
            at = section(blob, PIECES)[0] + 8 * t.first_piece
            struct.pack_into("<Q", blob, at, xxhash.xxh3_64_intdigest(piece))
            self.assertEqual(open_blob(bytes(make_blob.reseal(blob)), True).verify(), [])


class Program(unittest.TestCase):
    def call(self, blob, *options):
        out, err = io.StringIO(), io.StringIO()
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "x.ttsb")
            with open(path, "wb") as file:
                file.write(blob)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                return ttsb_reader.main([path, *options]), out.getvalue(), err.getvalue()

    def test_exits(self):
        damaged = bytearray(BLOBS["tiny"])
        damaged[65536] ^= 1
        self.assertEqual(self.call(BLOBS["tiny"], "--json")[0], 0)
        self.assertEqual(self.call(BLOBS["tiny"], "--what")[0], 2)
        self.assertEqual(self.call(BLOBS["partial"])[:2], (1, ""))
        self.assertEqual(self.call(BLOBS["partial"], "--partial")[0], 0)
        self.assertEqual(self.call(b"")[:2], (1, ""))
        code, out, err = self.call(bytes(damaged), "--json")
        self.assertEqual((code, json.loads(out)["verified"]), (1, False))
        self.assertIn("'w'", err)

    def test_canonical(self):
        _, out, _ = self.call(BLOBS["full"], "--json")
        self.assertIn('"items":["pt\\"\\\\\\u000aé"]', out)
        self.assertEqual(out.rstrip("\n"), ttsb_reader.canonical_json(json.loads(out)))
        names = [t["alias_of"] for t in json.loads(out)["tensors"] if t["alias_of"]]
        self.assertEqual(names, ["dec.w"])


if __name__ == "__main__":
    unittest.main()

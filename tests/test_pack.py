#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc pack and unpack: every kind of blob comes back to the byte, whoever
wrote the packed file; and every lie, cut and flipped bit is refused by name,
without a file."""
import pathlib
import random
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import xxhash

import checkpoints as ck
import indextts2
import packed

sys.path.insert(0, str(ck.HERE / "reader"))
import make_blob  # noqa: E402
from make_blob import group, tensor  # noqa: E402

ZSTD = shutil.which("zstd")
needs_zstd = unittest.skipUnless(ZSTD, "no zstd command")


def noise(dtype, count, seed=1):
    """Weights as they are: N(0, 0.02)."""
    dice = random.Random(seed)
    values = [dice.gauss(0, 0.02) for _ in range(count)]
    if dtype == "f64":
        return struct.pack(f"<{count}d", *values)
    if dtype == "f16":
        return struct.pack(f"<{count}e", *values)
    data = struct.pack(f"<{count}f", *values)
    upper = b"".join(data[i + 2:i + 4] for i in range(0, len(data), 4))
    return data if dtype == "f32" else upper


def weights():
    """Several ranges, tensors of many pieces, widths that change inside a cell."""
    return make_blob.build("w", [
        group("a", "device", 256,
              tensor("f32", "f32", [300000], data=noise("f32", 300000)),
              tensor("small", "f32", [3]),
              tensor("bf16", "bf16", [400001], data=noise("bf16", 400001)),
              tensor("f16", "f16", [50000], data=noise("f16", 50000)),
              tensor("none", "f32", [0]),
              tensor("f64", "f64", [30000], data=noise("f64", 30000)),
              tensor("same", "f32", [300000], alias="f32")),
        group("empty", "device", 65536, tensor("z", "f32", [0, 3])),
        group("b", "host", 4096, tensor("ids", "i64", [20000], data=struct.pack(
            "<20000q", *range(20000))),
            tensor("bytes", "u8", [200000], data=random.Random(2).randbytes(200000)))], {})


def every_dtype():
    """More than a piece of each, so that each width has a range of its own."""
    dice = random.Random(3)
    return make_blob.build("every", [group("g", "device", 256, *(
        tensor(name, name, [80000], data=dice.randbytes(10000 * bits))
        for name, (_, bits) in make_blob.CODES.items()))], {})


class Packing(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.weights = weights()

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.blob, self.back = self.dir / "in.ttsb", self.dir / "back.ttsb"
        self.zst = self.dir / "in.ttsb.zst"

    def pack(self, *more, **options):
        return ck.ttswc("pack", self.blob, "-o", self.zst, *more, **options)

    def unpack(self, *more, **options):
        return ck.ttswc("unpack", self.zst, "-o", self.back, *more, **options)

    def names(self):
        return sorted(p.name for p in self.dir.iterdir())

    def refused(self, data, *says):
        """The file is refused with these words; nothing appears, and what stood
        there stays."""
        self.zst.write_bytes(data)
        self.back.write_bytes(b"old")
        before = self.names()
        out, err = self.unpack(code=1)
        self.assertEqual(out, "")
        self.assertIn("error[E0712]: ", err)
        for words in says:
            self.assertIn(words, err)
        self.assertEqual(self.back.read_bytes(), b"old")
        self.assertEqual(self.names(), before)
        return err


class RoundTrip(Packing):
    def round_trip(self, blob):
        self.blob.write_bytes(blob)
        self.pack("-q")
        self.unpack("-q")
        self.assertEqual(self.back.read_bytes(), blob)
        return self.zst.read_bytes()

    def test_blobs_in_the_tree(self):
        for path in sorted((ck.FIXTURES / "blobs").glob("*.ttsb")):
            with self.subTest(blob=path.name):
                self.round_trip(path.read_bytes())

    def test_released_form_opens_for_ever(self):
        for path in sorted((ck.FIXTURES / "blobs").glob("*.zst")):
            ck.ttswc("unpack", "-q", path, "-o", self.back)
            self.assertEqual(self.back.read_bytes(), path.with_suffix("").read_bytes())
        self.assertTrue(self.back.exists())

    def test_compiled_fixtures(self):
        for source in indextts2.SOURCES:
            spec = ck.SPECS / "indextts2" / f"{source}_tiny.yaml"
            if not spec.exists():
                spec = ck.SPECS / "indextts2" / f"{source}.yaml"
            with self.subTest(spec=spec.name):
                ck.ttswc("compile", "-q", spec, *indextts2.tiny(source), "-o", self.blob)
                self.round_trip(self.blob.read_bytes())

    def test_odd_blobs(self):
        """Empty groups, no bytes, aliases, ABSENT, PARTIAL, unknown sections."""
        for name, blob in make_blob.examples().items():
            with self.subTest(blob=name):
                self.round_trip(blob)

    def test_every_dtype(self):
        self.round_trip(every_dtype())

    def test_weights(self):
        data = self.round_trip(self.weights)
        self.assertEqual({r["width"] for r in packed.ranges(data)}, {1, 2, 4, 8})
        self.assertLess(len(data), 0.85 * len(self.weights))

    def test_levels(self):
        self.blob.write_bytes(self.weights)
        for level in (1, 2, 19):
            self.pack("-q", "--level", level)
            self.unpack("-q")
            self.assertEqual(self.back.read_bytes(), self.weights)
        for level in (0, 20, "x"):
            self.pack("--level", level, code=2)

    def test_default_level(self):
        self.blob.write_bytes(self.weights)
        self.pack("-q")
        first = self.zst.read_bytes()
        self.pack("-q", "--level=1")
        self.assertEqual(self.zst.read_bytes(), first)

    @unittest.skipIf(b"__asan_" in pathlib.Path(ck.TTSWC).read_bytes(),
                     "a sanitizer's memory is no measure of the program's")
    def test_memory_is_bounded(self):
        """3 MiB for each thread, and for the rest, whatever the blob's size."""
        dice = random.Random(8)
        self.blob.write_bytes(make_blob.build("large", [group(
            "g", "device", 256, tensor("t", "f32", [8 << 20], data=dice.randbytes(32 << 20)))],
            {}))
        for command in (["pack", self.blob, "-o", self.zst],
                        ["unpack", self.zst, "-o", self.back]):
            subprocess.run(["bash", "-c", 'ulimit -s 1024 -d 12288; exec "$@"', "-", ck.TTSWC,
                            *map(str, command), "-j2", "-q"], check=True)
        self.assertEqual(self.back.read_bytes(), self.blob.read_bytes())

    def test_threads_change_nothing(self):
        self.blob.write_bytes(self.weights)
        made = set()
        for jobs in (1, 2, 3, 16, 256):
            self.pack("-q", "-j", jobs)
            made.add(self.zst.read_bytes())
            self.unpack("-q", "-j", jobs)
            self.assertEqual(self.back.read_bytes(), self.weights)
        self.assertEqual(len(made), 1)

    def test_report(self):
        blob = make_blob.examples()["partial"]
        self.blob.write_bytes(blob)
        out, err = self.pack("--progress=always")
        size = self.zst.stat().st_size
        self.assertEqual(out, f"wrote {self.zst}: {size} bytes, {100 * size / len(blob):.1f} "
                              f"% of the blob, planes in 0 of 2 ranges, PARTIAL\n")
        self.assertIn("pack", err)
        out, err = self.unpack("--progress=always")
        self.assertEqual(out, f"wrote {self.back}: {len(blob)} bytes, "
                              f"root {blob[72:88].hex()}\n")
        self.assertIn("unpack", err)

    def test_lower_halves_of_zeros_cost_nothing(self):
        n = 1 << 19
        upper = noise("bf16", n)
        data = b"".join(b"\0\0" + upper[i:i + 2] for i in range(0, len(upper), 2))
        sizes = []
        for dtype, raw in (("bf16", upper), ("f32", data)):
            sizes.append(len(self.round_trip(make_blob.build("m", [group(
                "g", "device", 256, tensor("t", dtype, [n], data=raw))], {}))))
        self.assertLess(sizes[1], 1.02 * sizes[0])


class ByAnotherHand(Packing):
    def test_written_from_the_format(self):
        for widths in ((1,), (2,), (4,), (8,), (1, 8, 2, 4)):
            self.zst.write_bytes(packed.write(self.weights, widths=widths))
            self.unpack("-q")
            self.assertEqual(self.back.read_bytes(), self.weights)

    def test_ranges_of_any_length(self):
        cells = len(self.weights) // packed.CELL
        lengths = [packed.CELL] * (cells - 3) + [2 * packed.CELL, packed.CELL]
        self.zst.write_bytes(packed.write(self.weights, lengths, (4, 1)))
        self.unpack("-q")
        self.assertEqual(self.back.read_bytes(), self.weights)

    def test_minor_informs(self):
        data = packed.write(self.weights)
        packed.put(data, None, "minor", 9)
        self.zst.write_bytes(packed.seal(data))
        self.unpack("-q")
        self.assertEqual(self.back.read_bytes(), self.weights)

    @needs_zstd
    def test_read_by_zstd(self):
        self.blob.write_bytes(self.weights)
        self.pack("-q")
        subprocess.run([ZSTD, "-q", "-t", self.zst], check=True)
        shown = subprocess.run([ZSTD, "-l", self.zst], check=True,
                               capture_output=True, text=True).stdout.splitlines()[1].split()
        data = self.zst.read_bytes()
        count = packed.get(data, None, "count")
        self.assertIn("XXH64", shown)
        self.assertEqual(shown[:2], [str(count + 1), "1"])
        content = subprocess.run([ZSTD, "-q", "-d", "-c", self.zst], check=True,
                                 capture_output=True).stdout
        self.assertNotEqual(content, self.weights)
        self.assertEqual(packed.restore(data, content), self.weights)

    @needs_zstd
    def test_zstd_gives_the_blob_where_no_range_is_in_planes(self):
        blob = (ck.FIXTURES / "blobs" / "features-1.0.ttsb").read_bytes()
        self.blob.write_bytes(blob)
        out, _ = self.pack()
        self.assertIn("planes in 0 of ", out)
        self.assertEqual(subprocess.run([ZSTD, "-q", "-d", "-c", self.zst], check=True,
                                        capture_output=True).stdout, blob)

    @needs_zstd
    def test_damage_is_seen_by_zstd(self):
        self.blob.write_bytes(self.weights)
        self.pack("-q")
        data = bytearray(self.zst.read_bytes())
        data[-5] ^= 1  # the last literal
        self.zst.write_bytes(data)
        self.assertNotEqual(subprocess.run([ZSTD, "-q", "-t", self.zst],
                                           capture_output=True).returncode, 0)


class Lies(Packing):
    """Each is about one thing; all hashes are right again."""

    def setUp(self):
        super().setUp()
        self.good = packed.write(self.weights, widths=(4,))
        self.last = packed.get(self.good, None, "count") - 1

    def lie(self, i, name, value, *says):
        data = bytearray(self.good)
        packed.put(data, i, name, value)
        self.refused(packed.seal(data, table=name != "table_hash"
                                 and packed.get(data, None, "count") < 1000), *says)

    def test_the_honest_file(self):
        self.zst.write_bytes(self.good)
        self.unpack("-q")
        self.assertEqual(self.back.read_bytes(), self.weights)

    def test_head(self):
        for name, value, *says in (
                ("skip", 0x184D2A53, "it begins otherwise"),
                ("skip", 0xFD2FB528, "none that `pack` wrote"),
                ("magic", b"\x89TTSB\r\n\x1a", "it begins otherwise"),
                ("skip_size", 247 + 40 * (self.last + 1), "skippable frame's size"),
                ("skip_size", 0, "skippable frame's size"),
                ("major", 0, "packed form 0"), ("major", 2, "packed form 2"),
                ("count", 0, "it says 0 ranges"),
                ("count", (1 << 26) + 1, "it says 67108865 ranges"),
                ("count", 2 ** 32 - 1, "it says 4294967295 ranges"),
                ("count", self.last, "skippable frame's size"),
                ("size", len(self.good) - 1, "bytes behind its end: 1"),
                ("size", len(self.good) + 1, "it is cut off"),
                ("size", 2 ** 64 - 1, "it is cut off"),
                ("size", 0, "bytes behind its end"),
                ("blob_size", len(self.weights) + 65536, "the ranges have"),
                ("blob_size", len(self.weights) - 65536, "the ranges have"),
                ("blob_size", len(self.weights) - 1, "no blob has a size"),
                ("blob_size", 0, "the ranges have"),
                ("blob_size", 2 ** 64 - 65536, "no blob has a size"),
                ("blob_size", 2 ** 63, "no blob has a size"),
                ("blob_size", 2 ** 63 - 65536, "the ranges have"),
                ("table_hash", 1, "table of ranges is damaged"),
                ("root", bytes(16), "the root differs"),
                ("zero", bytes(23) + b"\1", "byte 95: error", "reserved byte"),
                ("model", b"v", "the model's name differs"),
                ("model", b"w\0w", "the model's name is none"),
                ("model", b"", "the model's name is none"),
                ("model", b"a" * 160, "the model's name is none"),
                ("model", b"9", "the model's name is none"),
                ("model", b"a/b", "the model's name is none")):
            with self.subTest(name=name, value=value):
                self.lie(None, name, value, *says)

    def test_head_hash(self):
        data = bytearray(self.good)
        data[40] ^= 1
        self.refused(data, "byte 40: error", "the head is damaged")

    def test_many_ranges_without_room(self):
        data = bytearray(self.good)
        packed.put(data, None, "count", 1 << 26)
        packed.put(data, None, "skip_size", 248 + 40 * (1 << 26))
        self.refused(packed.seal(data, table=False), "have no room")

    def test_table(self):
        length = packed.get(self.good, 1, "length")
        at, size = (packed.get(self.good, 1, n) for n in ("at", "size"))
        for name, value, *says in (
                ("offset", 0, "another start in the blob"),  # overlaps the first
                ("offset", length + 65536, "another start in the blob"),  # a gap
                ("offset", 2 ** 64 - 1, "another start in the blob"),
                ("at", at - 1, "another place"), ("at", at + 1, "another place"),
                ("at", 0, "another place"), ("at", 2 ** 64 - 8, "another place"),
                ("length", 0, "a length that is none"),
                ("length", length - 1, "a length that is none"),
                ("length", (1 << 20) + 65536, "a length that is none"),
                ("length", 2 ** 32 - 65536, "a length that is none"),
                ("length", length - 65536, "range 2 of", "another start"),
                ("size", 0, "an empty frame"), ("size", size + 1, "range 2 of"),
                ("size", 2 ** 32 - 1, "range 2 of", "another place"),
                ("width", 0, "a transform"), ("width", 3, "a transform"),
                ("width", 16, "a transform"), ("width", 2 ** 32 - 4, "a transform"),
                ("zero", 1, "reserved field"),
                ("hash", 1, "range 1 of", "another hash")):
            with self.subTest(name=name, value=value):
                self.lie(1, name, value, *says)

    def test_last_range(self):
        size = packed.get(self.good, self.last, "size")
        self.lie(self.last, "length", 65536, "the ranges have")
        self.lie(self.last, "size", size - 1, "the frames end at")
        self.lie(self.last, "size", size + 1, "the frames end at")

    def test_wrong_width_is_no_blob(self):
        """Each frame is sound; what comes of them is not."""
        self.lie(1, "width", 2, "no whole blob", "tensor 'f32'")
        self.lie(0, "width", 1, "no whole blob")

    def frames(self):
        return [frame for r in packed.ranges(self.good)
                for frame in [bytes(self.good[r["at"]:r["at"] + r["size"]])]]

    def with_frame(self, made, *says):
        frames = self.frames()
        frames[1] = made
        self.refused(packed.write(self.weights, widths=(4,), frames=frames),
                     "range 1 of", *says)

    def test_frames(self):
        data = packed.split(4, self.weights[1 << 20:2 << 20])
        whole = packed.frame(data)
        magic = struct.pack("<I", 0xFD2FB528)
        for made, says in (
                (packed.frame(data[:-1]), "another content size"),
                (packed.frame(data + b"\0"), "another content size"),
                (packed.frame(b""), "another content size"),
                (packed.frame(data[:-1], says=1 << 20), "cannot decompress"),
                (packed.frame(data + bytes(1 << 20), says=1 << 20), "cannot decompress"),
                (packed.frame(bytes(1 << 28), says=1 << 20), "cannot decompress"),  # a bomb
                (packed.frame(bytes(1 << 28)), "another content size"),
                (packed.frame(data, says=2 ** 32 - 1), "another content size"),
                (whole + packed.frame(b""), "no single zstd frame"),
                (packed.frame(data[:99]) + packed.frame(data[99:]), "no single zstd frame"),
                (struct.pack("<II", 0x184D2A50, 4) + b"skip" + whole, "no single zstd frame"),
                (struct.pack("<II", 0x184D2A50, 4) + b"skip", "no single zstd frame"),
                (whole + b"\0", "no single zstd frame"),
                (whole[:-1], "no single zstd frame"),
                (b"\0", "no single zstd frame"), (magic, "no single zstd frame"),
                # a window of 2 EiB; no content size; a dictionary; a reserved block
                (magic + b"\0\xff" + b"\1\0\0", "no single zstd frame"),
                (magic + b"\0\x50" + b"\1\0\0", "another content size"),
                (magic + b"\xa1\7" + whole[5:], "cannot decompress"),
                (whole[:9] + b"\7\0\0", "no single zstd frame"),
                (b"\x27\xb5\x2f\xfd" + whole[4:], "no single zstd frame")):  # of v0.7
            with self.subTest(begins=made[:16], size=len(made), says=says):
                self.with_frame(made, says)

    def test_every_damaged_range_is_named(self):
        data = bytearray(self.good)
        for r in packed.ranges(self.good)[1:]:
            data[r["at"] + 20] ^= 128
        err = self.refused(data)
        self.assertEqual(err.count("error[E0712]"), self.last)
        for i in range(1, self.last + 1):
            self.assertIn(f"range {i} of {self.last + 1} is damaged", err)
        self.assertIn("in tensor `f32` and the next 3", err)

    def test_more_damage_than_is_named(self):
        data = bytes(1003 * packed.CELL)
        blob = make_blob.build("m", [group(
            "g", "device", 256, tensor("t", "u8", [len(data)], data=data))], {})
        changed = packed.write(blob, [packed.CELL] * (len(blob) // packed.CELL))
        for r in packed.ranges(changed):
            if r["offset"] >= len(blob) - len(data):
                changed[r["at"] + 12] ^= 1 # the one byte of its block
        err = self.refused(changed, "error[E0712]: 3 more ranges are damaged\n")
        self.assertEqual(err.count("is damaged"), 1000)

    def test_same_words_with_any_threads(self):
        data = bytearray(self.good)
        for r in packed.ranges(self.good)[1:]:
            data[r["at"] + 20] ^= 128
        self.zst.write_bytes(data)
        self.assertEqual(len({self.unpack("-j", n, code=1)[1] for n in (1, 2, 16)}), 1)

    def test_damaged_index(self):
        data = bytearray(self.good)
        data[packed.get(data, 0, "at") + 5000] ^= 1
        data[packed.get(data, 1, "at") + 5000] ^= 1
        self.refused(data, "bytes 0 to 1048576 of the blob, where its index is",
                     "bytes 1048576 to 2097152 of the blob\n")

    def test_a_damaged_blob_inside(self):
        """Packed by somebody who proved nothing."""
        blob = bytearray(self.weights)
        blob[-65536 * 3] ^= 1
        self.refused(packed.write(bytes(blob)), "no whole blob", "tensor 'bytes'")
        blob = bytearray(self.weights)
        blob[96] = ord("v")  # sealed again, as another model's
        make_blob.reseal(blob)
        honest = packed.write(bytes(blob))
        packed.put(honest, None, "root", bytes(self.weights[72:88]))
        self.refused(packed.seal(honest), "the root differs")
        self.refused(packed.write(bytes(1 << 16)), "the model's name is none")


class Accidents(Packing):
    def packed(self):
        self.blob.write_bytes(make_blob.examples()["full"])
        self.pack("-q")
        self.blob.unlink()
        return self.zst.read_bytes()

    def test_cut_anywhere(self):
        data = self.packed()
        dice = random.Random(5)
        at = {0, 1, 3, 4, 7, 8, 15, 16, 17, 18, 255, 256, 257, 295, 296, len(data) - 1,
              *dice.sample(range(len(data)), 30)}
        for n in sorted(at):
            with self.subTest(bytes=n):
                self.refused(data[:n], "begins otherwise" if n == 0 else "cut off")

    def test_flipped_bits(self):
        data = self.packed()
        dice = random.Random(6)
        for at in [*dice.sample(range(256), 30), *dice.sample(range(256, len(data)), 60)]:
            changed = bytearray(data)
            changed[at] ^= 1 << dice.randrange(8)
            with self.subTest(byte=at):
                self.zst.write_bytes(changed)
                _, err = self.unpack(code=1)
                self.assertIn("E0712", err)
                self.assertFalse(self.back.exists())

    def test_trailing(self):
        self.refused(self.packed() + b"\0" * 70000, "bytes behind its end: 70000")

    def test_other_files(self):
        self.refused(b"", "begins otherwise")
        self.refused(b"\n", "begins otherwise")
        self.refused(make_blob.examples()["full"], "a blob, which is not packed")
        self.refused(packed.frame(b"x"), "a zstd file", "zstd -d")

    def test_no_file(self):
        _, err = self.unpack(code=3)
        self.assertIn("E0705", err)
        self.zst.mkdir()
        _, err = self.unpack(code=3)
        self.assertIn("E0705", err)

    def test_nowhere_to_write(self):
        self.packed()
        _, err = ck.ttswc("unpack", self.zst, "-o", self.dir / "no" / "x", code=3)
        self.assertIn("E0704", err)
        self.blob.write_bytes(make_blob.examples()["full"])
        _, err = ck.ttswc("pack", self.blob, "-o", self.dir / "no" / "x", code=3)
        self.assertIn("E0704", err)

    def test_over_the_input(self):
        data = self.packed()
        _, err = ck.ttswc("unpack", self.zst, "-o", self.zst, code=3)
        self.assertIn("E0704", err)
        self.assertEqual(self.zst.read_bytes(), data)
        self.blob.write_bytes(self.weights)
        _, err = ck.ttswc("pack", self.blob, "-o", self.blob, code=3)
        self.assertIn("E0704", err)
        self.assertEqual(self.blob.read_bytes(), self.weights)

    def test_a_file_that_may_not_grow(self):
        """The disk is full after a while: E0704, nothing left behind."""
        self.blob.write_bytes(self.weights)
        self.pack("-q")
        self.blob.rename(self.dir / "kept")
        for command in (["unpack", self.zst, "-o", self.back],
                        ["pack", self.dir / "kept", "-o", self.dir / "again"]):
            before = self.names()
            done = subprocess.run(["bash", "-c", 'ulimit -f 1024; exec "$@"', "-", ck.TTSWC,
                                   *map(str, command), "-j2"], capture_output=True,
                                  text=True)
            self.assertEqual(done.returncode, 3, done)
            self.assertIn("E0704", done.stderr)
            self.assertEqual(self.names(), before)

    def test_pack_refuses_a_damaged_blob(self):
        blob = bytearray(self.weights)
        for name in ("f32", "bytes"):
            at = blob.index(next(t["data"] for t in self.parts() if t["name"] == name))
            blob[at + 70000] ^= 1
        self.blob.write_bytes(blob)
        self.zst.write_bytes(b"old")
        _, err = self.pack(code=1)
        self.assertIn("'f32' is damaged", err)
        self.assertIn("'bytes' is damaged", err)
        self.assertEqual(self.zst.read_bytes(), b"old")

    @staticmethod
    def parts():
        return [{"name": "f32", "data": noise("f32", 300000)},
                {"name": "bytes", "data": random.Random(2).randbytes(200000)}]

    def test_pack_of_no_blob(self):
        self.packed()
        self.blob.write_bytes(self.zst.read_bytes())
        _, err = self.pack(code=1)
        self.assertIn("E0703", err)
        self.blob.write_bytes(b"blob")
        _, err = self.pack(code=1)
        self.assertIn("E0706", err)

    def test_hash_of_the_format(self):
        """The fixed parts of a head, so that no change goes unnoticed."""
        data = self.packed()
        self.assertEqual(data[:4] + data[8:20], bytes.fromhex(
            "542a4d1889545453" "5a0d0a1a01000000"))
        self.assertEqual(xxhash.xxh3_64_intdigest(
            data[:40] + bytes(8) + data[48:256]), struct.unpack_from("<Q", data, 40)[0])


if __name__ == "__main__":
    unittest.main()

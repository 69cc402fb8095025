#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""about:, reserved:, sha256: and allow_nonfinite: what each changes in a blob,
and that it changes nothing else."""
import hashlib
import json
import math
import os
import pathlib
import struct
import sys
import tempfile
import time
import unittest

import checkpoints as ck

sys.path.insert(0, str(ck.HERE / "reader"))
import ttsb_reader  # noqa: E402

HEAD = """\
ttsw: 1
model: keys
revision: 1
source_dtype: f32
store: f32
layout: [out, in]
"""
MAP = """\
map:
  - tensors:
      w: w [out=4, in=3]
      b: b [out=4]
"""
TENSORS = {"w": ("F32", [4, 3], struct.pack("<12f", *range(12))),
           "b": ("F32", [4], struct.pack("<4f", *range(4)))}


class InAFolder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.out = self.dir / "o.ttsb"
        ck.write(self.dir / "c.safetensors", TENSORS)

    def compile(self, text, *more, code=0):
        (self.dir / "s.yaml").write_text(text)
        return ck.ttswc("compile", "-q", "s.yaml", *(more or ["c.safetensors"]), "-o",
                        self.out, cwd=self.dir, code=code)[1]

    def info(self, text, *more):
        self.compile(text, *more)
        return ck.blob(self.out)

    def header(self, text):
        (self.dir / "h.yaml").write_text(text)
        ck.ttswc("header", "h.yaml", "-o", "h.h", cwd=self.dir)
        return (self.dir / "h.h").read_text()


def meta(blob):
    """META as it stands; it is the last of seven sections (FORMAT.md)."""
    offset, size = struct.unpack_from("<QQ", blob, 256 + 40 * 6 + 8)
    return blob[offset:offset + size].decode()


class About(InAFolder):
    ABOUT = "about: {license: MIT, source: here, attribution: me}\n"

    def test_root_alone_changes(self):
        plain, said = self.info(HEAD + MAP), self.info(HEAD + self.ABOUT + MAP)
        self.assertEqual(plain.pop("about"), {})
        self.assertEqual(said.pop("about"),
                         {"license": "MIT", "source": "here", "attribution": "me"})
        self.assertNotEqual(plain.pop("root"), said.pop("root"))
        self.assertEqual(plain, said)
        self.assertEqual(self.header(HEAD + MAP), self.header(HEAD + self.ABOUT + MAP))

    def test_order_and_style_do_not_matter(self):
        roots = {self.info(HEAD + about + MAP)["root"] for about in (
            self.ABOUT, "about:\n  attribution: 'me'\n  source: here\n  license: \"M\\x49T\"\n")}
        self.assertEqual(len(roots), 1)
        roots |= {self.info(HEAD + MAP)["root"], self.info(HEAD + "about: {}\n" + MAP)["root"]}
        self.assertEqual(len(roots), 2)

    def test_texts(self):
        """Whatever YAML can say: canonical in META, the same for every reader."""
        texts = ['a "b" \\ c', "\x01\x1f\x7f", "l1\nl2\r\n\t", "é \U0001f600 \u2028",
                 " ", "x" * 65535]
        for text in texts:
            about = f"about: {{license: {json.dumps(text)}}}\n"
            if "\U0001f600" in text:  # YAML has no surrogate pairs
                about = f'about: {{license: "{text[:3]} \\u2028"}}\n'
                text = text[:3] + " \u2028"
            with self.subTest(text[:20]):
                self.assertEqual(self.info(HEAD + about + MAP)["about"], {"license": text})
                raw = self.out.read_bytes()
                self.assertEqual(ttsb_reader.Blob(raw).about(), {"license": text})
                said = json.loads(meta(raw))
                self.assertEqual(ttsb_reader.canonical_json(said), meta(raw))
                self.assertEqual(list(said)[0], "about")
        self.assertIn("E0111", self.compile(
            HEAD + f"about: {{license: {'x' * 65536}}}\n" + MAP, code=1))

    def test_nothing_moves_a_cursor(self):
        self.compile(HEAD + 'about: {license: "a\\e[2Jb\\x9b"}\n' + MAP)
        shown, _ = ck.ttswc("inspect", self.out)
        self.assertIn('about license = "a\\u001b[2Jb?"\n', shown)

    def test_damaged(self):
        """What cannot be believed is not shown; the rest of the blob is."""
        self.compile(HEAD + self.ABOUT + MAP)
        raw = bytearray(self.out.read_bytes())
        raw[raw.index(b'"license":"MIT"') + 12] ^= 1
        self.out.write_bytes(raw)
        self.assertIsNone(ck.blob(self.out)["about"])
        self.assertIsNone(ttsb_reader.Blob(raw).about())
        shown, _ = ck.ttswc("inspect", self.out)
        self.assertIn("about: META is damaged: see ttswc verify\n", shown)
        self.assertNotIn("license", shown)
        self.assertIn("TTSB_DAMAGED_META", ck.ttswc("verify", self.out, code=1)[1])


class Reserved(InAFolder):
    def test_changes_no_byte(self):
        reserved = "reserved: [gone, old.0.w]\n"
        self.compile(HEAD + MAP)
        plain = self.out.read_bytes()
        self.compile(HEAD + reserved + MAP)
        self.assertEqual(self.out.read_bytes(), plain)
        self.assertEqual(self.header(HEAD + reserved + MAP), self.header(HEAD + MAP))


def sha256(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


class Pins(InAFolder):
    def spec(self, pin):
        return HEAD + f"sources: {{main: {{sha256: {pin}}}}}\n" + MAP

    def test_changes_no_byte(self):
        self.compile(HEAD + "sources: {main: {}}\n" + MAP)
        plain = self.out.read_bytes()
        for pin in (sha256(self.dir / "c.safetensors"),
                    "{c.safetensors: %s}" % sha256(self.dir / "c.safetensors").upper()):
            self.compile(self.spec(pin))
            self.assertEqual(self.out.read_bytes(), plain)
        self.assertIn("KEYS_CONTRACT_ID", self.header(self.spec("0" * 64)))

    def test_every_byte_counts(self):
        """Around the ends of what is read at once; any byte of the file."""
        path, n = self.dir / "big.safetensors", 1 << 16
        head = len(ck.header_bytes({"w": ("U8", [n], n), "b": ("F32", [4], 16)})[0])
        for size in (n - 1, n, n + 1, 3 * n):
            elements = size - head - 16
            spec = self.spec("%s").replace("w [out=4, in=3]", f"w u8[out={elements}]")
            ck.write(path, {"w": ("U8", [elements], os.urandom(elements)), "b": TENSORS["b"]})
            raw = bytearray(path.read_bytes())
            raw += bytes(size - len(raw))
            self.assertEqual(len(raw), size)
            self.compile(spec % sha256(path), path)
            good = self.out.read_bytes()
            for at in {head, size // 2, size - 1, min(n, size) - 1}:
                raw[at] ^= 0x10
                path.write_bytes(raw)
                raw[at] ^= 0x10
                with self.subTest(size=size, at=at):
                    wanted = hashlib.sha256(raw).hexdigest()
                    err = self.compile(spec % wanted, path, code=1)
                    self.assertEqual(err.count("error["), 1)
                    self.assertIn("E0708", err)
                    self.assertIn(f"pinned:   {wanted}\n", err)
                    self.assertIn(f"the file: {sha256(path)}, {size} bytes\n", err)
                    self.assertEqual(self.out.read_bytes(), good)
                    self.assertIn("E0708", ck.ttswc("check", "s.yaml", path,
                                                    cwd=self.dir, code=1)[1])
            path.write_bytes(raw)

    def test_header_counts(self):
        """The same tensors from another file are another file."""
        raw = (self.dir / "c.safetensors").read_bytes()
        pin = sha256(self.dir / "c.safetensors")
        ck.write(self.dir / "c.safetensors", dict(reversed(TENSORS.items())))
        self.assertIn("E0708", self.compile(self.spec(pin), code=1))
        (self.dir / "c.safetensors").write_bytes(raw)
        self.compile(self.spec(pin))

    def shards(self):
        folder = self.dir / "m"
        folder.mkdir()
        for name, t in TENSORS.items():
            ck.write(folder / f"m-{name}.safetensors", {name: t})
        return folder, {p.name: sha256(p) for p in sorted(folder.iterdir())}

    def test_shards(self):
        """A folder, its files in any order, an index and a hub's links."""
        folder, pins = self.shards()
        text = "".join(f"      {name}: {pin}\n" for name, pin in reversed(pins.items()))
        spec = HEAD + "sources:\n  main:\n    sha256:\n" + text + MAP
        self.compile(HEAD + "sources: {main: {}}\n" + MAP)
        plain = self.out.read_bytes()
        links = self.dir / "links"
        links.mkdir()
        for i, name in enumerate(pins):
            (folder / name).rename(self.dir / f"{i}.blob")
            (folder / name).symlink_to(self.dir / f"{i}.blob")
            (links / name).symlink_to(folder / name)
        for args in (["m"], [f"m/{n}" for n in pins], [f"m/{n}" for n in reversed(pins)],
                     ["links"], ["-j1", "m"], ["-j7", "m"]):
            self.compile(spec, *args)
            self.assertEqual(self.out.read_bytes(), plain, args)
        (folder / "m.safetensors.index.json").write_text(json.dumps(
            {"weight_map": {n[2]: n for n in pins}}))
        self.compile(spec, "m")
        self.compile(spec, "m/m.safetensors.index.json")
        for name in pins:
            err = self.compile(spec.replace(pins[name], "0" * 64), "m", code=1)
            self.assertIn(f"`m/{name}` is not the file that is pinned", err)
            self.assertEqual(err.count("error["), 1)

    def test_said_before_all_else(self):
        """Another file lacks everything: one finding says why."""
        ck.write(self.dir / "d.safetensors", {"x": TENSORS["b"]})
        for more in ([], ["--allow-partial-weights"]):
            err = self.compile(self.spec("0" * 64), *more, "d.safetensors", code=1)
            self.assertEqual(err.count("error["), 1)
            self.assertIn("E0708", err)

    def test_if_changed(self):
        """Unchanged is unread: the stamp holds the pin's text and the file's state."""
        def go(code=0):
            return "".join(ck.ttswc("compile", "s.yaml", "c.safetensors", "-o", "o.ttsb",
                                    "--if-changed", "--progress=always", cwd=self.dir, code=code))
        good = self.spec(sha256(self.dir / "c.safetensors"))
        (self.dir / "s.yaml").write_text(good)
        time.sleep(2.5)
        self.assertIn("\nhash [##########] 100 %", "\n" + go())
        self.assertEqual(go(), "o.ttsb: up to date\n")
        (self.dir / "s.yaml").write_text(self.spec("0" * 64))
        self.assertIn("E0708", go(code=1))
        (self.dir / "s.yaml").write_text(good)
        self.assertEqual(go(), "o.ttsb: up to date\n")


NAN = {"F16": "0100 007c 00fc 017e 0000", "BF16": "0100 807f 80ff c17f 0000",
       "F32": "01000000 0000807f 000080ff 01a0c07f 00000000",
       "F64": "0100000000000000 000000000000f07f 000000000000f0ff 0100a0000000f87f "
              "0000000000000000",
       "C64": "01000000000080ff 0000807f00000000 000080ff0000803f 01a0c07f00000000 "
              "0000000000000000",
       "F8_E4M3": "017fff4000", "F8_E5M2": "017cfc7f00", "F8_E8M0": "01ff020304"}


class Nonfinite(InAFolder):
    def write(self, dtype, sizes, data):
        ck.write(self.dir / "c.safetensors", {"x": (dtype, sizes, data)})

    def spec(self, dtype, value, store="f32"):
        return (HEAD.replace("store: f32", f"store: {store}")
                .replace("source_dtype: f32", f"source_dtype: {dtype.lower()}") +
                f"map:\n  - tensors:\n      y: {value}\n")

    def test_bits_are_kept(self):
        for dtype, text in NAN.items():
            store = dtype.lower() if dtype in ("F16", "BF16", "F32", "F64") else "f32"
            data = bytes.fromhex(text)
            self.write(dtype, [5], data)
            with self.subTest(dtype):
                got = self.info(self.spec(dtype, "x [out=5] allow_nonfinite", store))
                self.assertEqual(got["values"]["y"][:3], (dtype, [5], data))
                err = "" if dtype == "F8_E8M0" else "E0603"  # it is not looked at
                self.assertIn(err, self.compile(
                    self.spec(dtype, "x [out=5]", store), code=1 if err else 0))

    def test_moved(self):
        inf, nan = math.inf, math.nan
        rows = [[0, -inf, -inf], [0, 0, nan]]
        self.write("F32", [2, 3], struct.pack("<6f", *sum(rows, [])))
        x = "x [out=2, in=3] allow_nonfinite"
        for value, want in (
                (f"transpose({x.replace('out', 'o').replace('in=', 'i=')}) [i=3, o=2]",
                 [0, 0, -inf, 0, -inf, nan]),
                (f"concat(out, {x}, zeros [out=1, in=3]) [out=3, in=3]",
                 [0, -inf, -inf, 0, 0, nan, 0, 0, 0]),
                (f"interleave(in, {x}, also({x})) [out=2, in=6]",
                 [0, 0, -inf, -inf, -inf, -inf, 0, 0, 0, 0, nan, nan])):
            with self.subTest(value):
                layout = "[out, in, i, o]"
                spec = self.spec("F32", value).replace("[out, in]\n", layout + "\n")
                got = ck.floats("F32", self.info(spec)["values"]["y"][2])
                self.assertEqual(list(map(repr, got)), list(map(repr, map(float, want))))

    def test_split(self):
        self.write("F32", [4], struct.pack("<4f", 1, math.inf, math.nan, 2))
        spec = HEAD + ("map:\n  - split:\n    - source: x [out=4] allow_nonfinite\n"
                       "      axis: out\n      into: {a: 0..1, b: 1..2, drop 2..4: not wanted}\n")
        got = self.info(spec)["values"]
        self.assertEqual([struct.unpack("<f", got[n][2])[0] for n in "ab"], [1, math.inf])
        self.assertIn("E0603", self.compile(spec.replace(" allow_nonfinite", ""), code=1))

    def test_cast(self):
        """An infinity that the source holds is no overflow; one that is made is."""
        values = [math.inf, -math.inf, 1.5]
        for store, code in (("f16", "e"), ("f64", "d"), ("f32", "f")):
            self.write("F32", [3], struct.pack("<3f", *values))
            y = self.info(self.spec("F32", f"x [out=3] allow_nonfinite as {store}"))["values"]["y"]
            self.assertEqual(list(struct.unpack(f"<3{code}", y[2])), values)
        self.write("F32", [4], struct.pack("<f", 1e30) + bytes.fromhex("01a0c07f 0100c0ff 01008000"))
        self.assertIn("E0602", self.compile(
            self.spec("F32", "x [out=4] allow_nonfinite as f16"), code=1))
        y = self.info(self.spec("F32", "x [out=4] allow_nonfinite as bf16"))["values"]["y"]
        self.assertEqual(struct.unpack("<4H", y[2])[1:3], (0x7fc0, 0xffc0))

    def test_changes_no_byte(self):
        """Where there is nothing to admit."""
        self.compile(HEAD + MAP)
        plain = self.out.read_bytes()
        marked = MAP.replace("]\n", "] allow_nonfinite\n")
        self.compile(HEAD + marked)
        self.assertEqual(self.out.read_bytes(), plain)
        self.assertEqual(self.header(HEAD + marked), self.header(HEAD + MAP))

    def test_dropped_uses_do_not_count(self):
        """A template's part that is dropped is not read: it may say either."""
        self.write("F32", [4], struct.pack("<4f", 1, math.inf, 2, 3))
        for mark in ("", " allow_nonfinite"):
            for other in ("", " allow_nonfinite"):
                spec = HEAD + (
                    "templates:\n  rest:\n    body:\n      - tensors:\n"
                    f"          z: slice(x [out=4]{other}, out, 2..4)\n"
                    "map:\n  - {use: rest, drop: not wanted}\n"
                    f"  - tensors: {{y: 'slice(x [out=4]{mark}, out, 0..2)'}}\n")
                err = self.compile(spec, code=0 if mark else 1)
                self.assertEqual("E0603" in err, not mark, err)


if __name__ == "__main__":
    unittest.main()

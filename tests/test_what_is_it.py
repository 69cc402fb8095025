#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What ttswc says of a file that is no good safetensors file: what it is, and
the one step that helps.

E0703 for a kind that is recognised, E0701 for a safetensors file that is
damaged or cut off, and never the one for the other."""
import bz2
import gzip
import io
import lzma
import pathlib
import pickle
import re
import struct
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

import checkpoints as ck

SPEC = ck.SPECS / "examples" / "features.yaml"
CONVERT = "python3 fixtures/pth2safetensors.py FILE FILE.safetensors"
AGAIN = "read it, then download the file again"
PAGE = "open it in a browser, then download the file again"
HTML = "an HTML page (an error, a login or terms to accept)"
TORCH_MAGIC = 0x1950a86a20f9469cfc6c
DAMAGED = ("the file is damaged, cut off or no safetensors file; compare its "
           "size and checksum with the publisher's")
GOOD, _ = ck.header_bytes({"a": ("F32", [2], 8), "b": ("U8", [3], 3)})
GOOD += bytes(range(1, 12))


def zipped(*names):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in names:
            archive.writestr(name, b"\x80\x02}.")
    return out.getvalue()


def tarred():
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("model_weights.ckpt"))
    return out.getvalue()


def torch_before_zip(protocol):
    """What torch.save wrote first: a magic number, a version."""
    return b"".join(pickle.dumps(x, protocol) for x in (
        TORCH_MAGIC, 1001, {"little_endian": True}))


KINDS = {
    "torch": (zipped("archive/data.pkl", "archive/data/0"), "a PyTorch file",
              CONVERT),
    "torch, another name": (zipped("pytorch_model/data.pkl"), "a PyTorch file",
                            CONVERT),
    "torch script": (zipped("net/code/__torch__.py"), "a PyTorch file", CONVERT),
    "torch before zip": (torch_before_zip(2),
                         "a PyTorch file of the format before zip", CONVERT),
    "torch before zip, protocol 4": (
        torch_before_zip(4), "a PyTorch file of the format before zip", CONVERT),
    "pickle": (pickle.dumps({"a": [1.5] * 9}), "a Python pickle, and not by "
               "torch.save", "in Python, if you trust it (a pickle is a program): "
               "save its tensors with safetensors.torch.save_file"),
    "npy": (b"\x93NUMPY\x01\0v\0{'descr': '<f4', }", "a NumPy array (.npy)",
            'in Python: safetensors.numpy.save_file({"NAME": '
            'numpy.load("FILE")}, "FILE.safetensors")'),
    "npz": (zipped("encoder.w.npy", "b.npy"), "a NumPy archive (.npz)",
            'in Python: safetensors.numpy.save_file(dict(numpy.load("FILE")), '
            '"FILE.safetensors")'),
    "zip": (zipped("model.safetensors"), "a zip archive",
            "unpack it: unzip FILE"),
    "gguf": (b"GGUF\x03\0\0\0" + bytes(16), "a GGUF file",
             "take the checkpoint it was made from"),
    "ggml": (b"lmgg" + bytes(44), "a GGML file",
             "take the checkpoint it was made from"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:00\n"
            b"size 4\n", "a Git LFS pointer", "fetch it with `git lfs pull`"),
    "ttsb": ((ck.FIXTURES / "blobs" / "features-1.0.ttsb").read_bytes(),
             "a .ttsb blob", "it is compiled already: `ttswc inspect` shows it"),
    "onnx": (b"\x08\x08\x12\x07pytorch\x1a\x052.3.1:\x80", "an ONNX model",
             "take the checkpoint it was exported from"),
    "hdf5": (b"\x89HDF\r\n\x1a\n" + bytes(40), "an HDF5 file, as Keras writes it",
             "save its weights with safetensors.numpy.save_file in Python"),
    "gzip": (gzip.compress(GOOD), "a gzip archive", "unpack it: gunzip -k FILE"),
    # Its first 8 bytes are a length that is allowed and inside of the file.
    "gzip that is long": (gzip.compress(b"", 0, mtime=0) + bytes(600_000),
                          "a gzip archive", "unpack it: gunzip -k FILE"),
    "zstd": (b"\x28\xb5\x2f\xfd\x04\x58" + bytes(30), "a zstd archive",
             "unpack it: zstd -d FILE"),
    "xz": (lzma.compress(GOOD), "an xz archive", "unpack it: xz -dk FILE"),
    "bzip2": (bz2.compress(GOOD), "a bzip2 archive", "unpack it: bzip2 -dk FILE"),
    "7z": (b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(24), "a 7z archive",
           "unpack it: 7z x FILE"),
    "tar": (tarred(), "a tar archive", "unpack it: tar xf FILE"),
    "html": (b"<!DOCTYPE html>\n<html><body>Sign in</body></html>", HTML, PAGE),
    "html, small letters": (b"<!doctype html><html></html>", HTML, PAGE),
    "html behind white space": (b"\r\n\t  \n<html lang='en'>", HTML, PAGE),
    "html behind a BOM": (b"\xef\xbb\xbf\n<HTML><HEAD>", HTML, PAGE),
    "html not in UTF-8": (b"<html><title>caf\xe9</title>", HTML, PAGE),
    "xml": (b"<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code></Error>",
            "an XML text (a server's error message)", AGAIN),
    "json error": (b'{"error": "Repository not found"}',
                   "a JSON text (a server's error message)", AGAIN),
    "json error behind a BOM": (b'\xef\xbb\xbf {\n "message": "no"}',
                                "a JSON text (a server's error message)", AGAIN),
    "json": (b'{\n  "architectures": ["BigVGAN"],\n  "hidden_size": 768\n}\n' * 40,
             "a JSON text (a configuration or an index)",
             "give the .safetensors file beside it"),
    "text": (b"Entry not found", "a text (perhaps a server's message)", AGAIN),
    "zeros": (bytes(4096), "a file that begins with nothing but zeros",
              "the download was broken off: download it again"),
}


def header(text, data=b"", length=None):
    return struct.pack("<Q", len(text) if length is None else length) + \
        text + data


def broken_header(length):
    """A header of that length which begins well and is no JSON."""
    return header(b"{" + b"x" * (length - 1), bytes(4))


# Damaged safetensors, among them some whose first bytes are those of other
# kinds: a header of 0x3c bytes begins with `<`.
SAFETENSORS = {
    "empty": (b"", "header_length", "the file is empty: download it again"),
    "5 bytes": (GOOD[:5], "header_length", DAMAGED),
    "only a length": (GOOD[:8], "header_length", DAMAGED),
    "length `<`": (broken_header(0x3c), "tensors", DAMAGED),
    "length `{`": (broken_header(0x7b), "tensors", DAMAGED),
    "length as a pickle": (broken_header(0x280), "tensors", DAMAGED),
    "length as a pickle 4": (broken_header(0x480), "tensors", DAMAGED),
    "length as gzip": (broken_header(0x88b1f), "tensors", DAMAGED),
    "length as text": (broken_header(0x202020), "tensors", DAMAGED),
    "length `<`, then a space": (header(b" {" + b" " * 58), "header", DAMAGED),
    "length as a pickle, then x": (header(b"x" * 0x280), "header", DAMAGED),
    "length 0": (bytes(8), "header", DAMAGED),
    "noise": (bytes(i * 37 % 251 + 3 for i in range(999)), "header_length",
              DAMAGED),
    "too long a length": (header(b"[1]", b"", 4000), "header_length", DAMAGED),
    "bytes behind the data": (GOOD + b"\0", "data", DAMAGED),
    "cut, and a hole behind": (header(
        b'{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},'
        b'"b":{"dtype":"U8","shape":[1],"data_offsets":[6,7]}}', b"\0\0"),
        "tensors.a.data_offsets", DAMAGED),
}


class WhatIsIt(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def say(self, raw, *command):
        """The one finding's id, text and help."""
        path = self.dir / "x.safetensors"
        path.write_bytes(raw)
        before = sorted(self.dir.iterdir())
        command = [str(path) if c == "FILE" else c for c in command]
        out, err = ck.ttswc(*command, code=1)
        self.assertEqual(out, "")
        self.assertEqual(sorted(self.dir.iterdir()), before)
        self.assertEqual(path.read_bytes(), raw)
        found = re.fullmatch(
            re.escape(str(path)) + r": (?:byte \d+: )?error\[(E\d+)\]: (.*)\n"
            r"  = help: (.*)\n\nttswc: 1 error, 0 warnings\n", err)
        self.assertIsNotNone(found, err)
        return found.groups()

    def test_other_kinds(self):
        for label, (raw, what, help_) in KINDS.items():
            wanted = ("E0703", f"this is {what}, not a safetensors file", help_)
            with self.subTest(label):
                self.assertEqual(self.say(raw, "check", SPEC, "FILE"), wanted)
                self.assertEqual(self.say(raw, "compile", SPEC, "FILE", "-o",
                                          self.dir / "out.ttsb"), wanted)
                if label != "ttsb":
                    self.assertEqual(self.say(raw, "inspect", "FILE"), wanted)

    def test_the_advice_is_a_command(self):
        """What is said of a pickle is usage of the script that it names: with
        torch the file is refused (1), without torch that is said (3)."""
        pickled = self.dir / "x.pth"
        pickled.write_bytes(KINDS["torch"][0])
        words = CONVERT.replace("FILE", str(pickled)).split()
        done = subprocess.run([sys.executable, *words[1:]], cwd=ck.ROOT,
                              capture_output=True, text=True)
        self.assertIn(done.returncode, (1, 3), done.stderr)
        self.assertEqual(words[0], "python3")

    def test_damaged(self):
        for label, (raw, field, help_) in SAFETENSORS.items():
            with self.subTest(label):
                id_, text, said = self.say(raw, "inspect", "FILE")
                self.assertEqual((id_, text.split(": ")[0], said),
                                 ("E0701", field, help_), text)

    def test_cut_off(self):
        """Cut behind the header's first byte: how many bytes are missing."""
        data_start = 8 + struct.unpack_from("<Q", GOOD)[0]
        for n in range(9, len(GOOD)):
            where, missing = "file", len(GOOD) - n
            if n < data_start:
                where, missing = "header", data_start - n
            id_, _, said = self.say(GOOD[:n], "inspect", "FILE")
            self.assertEqual((id_, said), (
                "E0701", f"the download was cut off, {missing} byte"
                f"{'s' if missing > 1 else ''} before the {where}'s end: "
                "download it again"), n)

    def test_good_ones_that_begin_like_others(self):
        """The same lengths, with nothing wrong."""
        for length in (0x3c, 0x7b, 0x280, 0x480, 0x88b1f, 0x202020):
            path = self.dir / "x.safetensors"
            path.write_bytes(header(b"{}" + b" " * (length - 2)))
            ck.ttswc("inspect", path)


if __name__ == "__main__":
    unittest.main()

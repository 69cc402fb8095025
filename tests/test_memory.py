#!/usr/bin/env python3
"""Memory of compile and of export --inverse: at -j2 at most 16 MiB + 512 bytes for each source or
output tensor + 4 times the bytes of headers, specs and META, whatever the
payload, with a map too. Computed values add 1 MiB a thread where they are read
as they are stored, 8 where operands are permuted, for each depth, and up to four
times; norms, their tables. Held by RLIMIT_DATA, which counts private writable
memory."""
import hashlib
import pathlib
import resource
import struct
import tempfile
import unittest

import checkpoints as ck

HEAD = """\
ttsw: 1
model: memory
revision: 1
source_dtype: f32
store: {matrix: f16, vector: f32}
layout: [n, out, in]
weight_norm: legacy
map:
"""
BIG = """\
  - tensors:
      w.weight: transpose(w.weight [in=8192, out=4096]) [out=4096, in=8192]
      e.weight: exp(e.weight [out=4096, in=4096]) [out=4096, in=4096]
      n.weight: weight_norm(n.weight, keep=in) [out=64, in=4096]
"""
MANY = """\
  - for: {i: 0..20000}
    tensors:
      "t.{i}.bias": "layers.{i}.bias [out=8]"
"""

BOOKS = """\
  - tensors:
      books: stack(n, each j 0..64, div({j}.sum [out=4096, in=8],
             max({j}.count [out=4096], 1e-5)))
"""
TURNED = """\
  - tensors:
      q.weight: rope_half(add(q.weight [out=4096, in=512], q.more [out=4096]), out,
                heads=64, dims=32)
      k.weight: rope_half(mul(add(k.weight [out=4096, in=512], k.more [out=4096]), k.gain
                [out=4096]), out, heads=64, dims=32)
"""
PERMUTED = """\
  - tensors:
      w.weight: transpose(mul(a.weight [in=2048, out=4096],
                b.weight [in=2048, out=4096])) [out=4096, in=2048]
      v.weight: mul(transpose(c.weight [in=2048, out=4096]) [out=4096, in=2048],
                transpose(d.weight [in=2048, out=4096]) [out=4096, in=2048])
"""


def meta_bytes(path):
    raw = pathlib.Path(path).read_bytes()
    return struct.unpack_from("<Q", raw, 256 + 6 * 40 + 16)[0]


class Memory(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.ckpt = self.dir / "x.safetensors"
        self.out = self.dir / "x.ttsb"
        self.spec = self.dir / "x.yaml"

    def held(self, outputs, sources, computed=0):
        """Compiles once to learn META's size, then under the limit."""
        args = ("compile", "-q", "-j2", self.spec, self.ckpt, "-o", self.out)
        ck.ttswc(*args)
        with open(self.ckpt, "rb") as file:
            header = struct.unpack("<Q", file.read(8))[0]
        texts = header + self.spec.stat().st_size + meta_bytes(self.out)
        limit = (16 + 2 * computed << 20) + 512 * (outputs + sources) + 4 * texts
        self.out.unlink()
        ck.ttswc(*args, "--map", self.dir / "x.map", preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_DATA, (limit, limit)))

    def test_large_tensors(self):
        self.spec.write_text(HEAD + BIG)
        ck.write_sparse(self.ckpt, {
            "w.weight": ("F32", [8192, 4096]), "e.weight": ("F32", [4096, 4096]),
            "n.weight_g": ("F32", [1, 4096]), "n.weight_v": ("F32", [64, 4096])})
        with open(self.ckpt, "r+b") as file:  # a norm must not be zero
            file.seek(-64 * 4096 * 4, 2)
            file.write(struct.pack("<f", 0.5) * 64 * 4096)
        self.held(3, 4)

    def test_restored(self):
        """The same bound; the blob is mapped, which is no memory of its own."""
        self.spec.write_text(HEAD.replace("{matrix: f16, vector: f32}", "f32") + """\
  - tensors:
      w.weight: transpose(w.weight [in=4096, out=4096]) [out=4096, in=4096]
""" + MANY)
        shapes = {"w.weight": ("F32", [4096, 4096]),
                  **{f"layers.{i}.bias": ("F32", [8]) for i in range(20000)}}
        ck.write_sparse(self.ckpt, shapes)
        self.held(20001, 20001)
        header = self.ckpt.stat().st_size - 4 * 4096 ** 2 - 32 * 20000
        limit = (16 << 20) + 512 * 2 * 20001 + 4 * (
            header + self.spec.stat().st_size + meta_bytes(self.out))
        back = self.dir / "back.safetensors"
        ck.ttswc("export", "-q", "--inverse", self.spec, self.out, "-o", back,
                 preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_DATA, (limit, limit)))
        self.assertEqual(ck.read(back), ck.read(self.ckpt))

    def test_many_tensors(self):
        self.spec.write_text(HEAD + MANY)
        ck.write_sparse(self.ckpt, {
            f"layers.{i}.bias": ("F32", [8]) for i in range(20000)})
        self.held(20000, 20000)

    def test_flat_spec(self):
        """A line for each tensor: the spec itself is what is large."""
        lines = "".join(f"      t.a{i}.bias: layers.{i}.bias [out=8]\n"
                        for i in range(20000))
        self.spec.write_text(HEAD + "  - tensors:\n" + lines)
        ck.write_sparse(self.ckpt, {
            f"layers.{i}.bias": ("F32", [8]) for i in range(20000)})
        self.held(20000, 20000)

    def computed(self, spec, shapes, computed):
        self.spec.write_text(HEAD + spec)
        ck.write_sparse(self.ckpt, {n: ("F32", s) for n, s in shapes.items()})
        self.held(spec.count(": "), len(shapes), computed)

    def test_computed_values(self):
        """However many nodes a value has, and regions a node."""
        big = {f"{n}.weight": [4096, 512] for n in "qk"}
        vectors = {f"{n}.{x}": [4096] for n, x in (("q", "more"), ("k", "more"), ("k", "gain"))}
        matrices = {f"{n}.weight": [2048, 4096] for n in "abcd"}
        self.computed(BOOKS, {f"{j}.sum": [4096, 8] for j in range(64)}
                      | {f"{j}.count": [4096] for j in range(64)}, 4)
        self.computed(TURNED, big | vectors, 2)
        self.computed(PERMUTED, matrices, 8)

    def test_pinned(self):
        """Files are hashed through small buffers, several at once."""
        pins = ""
        for i in range(2):
            part = self.dir / f"{i}.safetensors"
            ck.write_sparse(part, {f"{i}.w": ("F32", [1 << 14, 1 << 10])})
            with open(part, "rb") as file:
                digest = hashlib.file_digest(file, "sha256")
            pins += f"      {part.name}: {digest.hexdigest()}\n"
        self.spec.write_text(HEAD.replace("map:", f"sources:\n  main:\n    sha256:\n{pins}map:") +
                             "  - for: {i: 0..2}\n    tensors:\n"
                             '      "w{i}.w": "{i}.w [out=16384, in=1024]"\n')
        limit = 16 << 20
        out, _ = ck.ttswc("check", self.spec, self.dir, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_DATA, (limit, limit)))
        self.assertEqual(out, "memory 2/2\n")


if __name__ == "__main__":
    unittest.main()

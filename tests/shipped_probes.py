#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The files of probes beside the reduced specs of specs/indextts2.

    python3 tests/shipped_probes.py     writes them; needs numpy

What an output must hold is torch's effective weights, moved by hand as the
spec moves them (moved.py): never what ttswc made of them."""
import math
import struct
import sys

import checkpoints as ck
from moved import Moved
from test_gpt import Gpt
from test_indextts2 import Campplus, Codec, Qwen, S2mel, W2vbert


class Bigvgan(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        for name in torch:
            if not name.endswith("filter"):  # a constant, which the spec drops
                self.one(name, name.split("."))

    def one(self, name, p):
        if p[0] in ("conv_pre", "conv_post"):
            self.copy(f"{p[0][5:]}.{p[1]}", name)
        elif p[0] == "activation_post":
            self.exp(f"post.{p[2]}", name)
        elif p[0] == "ups":
            self.swapped(f"up.{p[1]}.{p[3]}", name)
        else:
            block = f"res.{int(p[1]) // 3}.{int(p[1]) % 3}"
            if p[2] == "activations":
                self.exp(f"{block}.act.{p[3]}.{p[5]}", name)
            else:
                self.copy(f"{block}.conv{p[2][5]}.{p[3]}.{p[4]}", name)

    def exp(self, target, name):
        dtype, shape, data = self.take(name)
        x = [math.exp(v) for v in ck.floats(dtype, data)]
        self.put(target, (dtype, shape, struct.pack(f"<{len(x)}f", *x)))

    def swapped(self, target, name):
        dtype, shape, data = self.take(name)
        if len(shape) == 3:
            a, b, row = shape[0], shape[1], 4 * shape[2]
            data = b"".join(data[(i * b + j) * row:][:row]
                            for j in range(b) for i in range(a))
            shape = [b, a, shape[2]]
        self.put(target, (dtype, shape, data))


# Spec, torch's weights, how they move.
SHIPPED = (("bigvgan_tiny", "bigvgan/bigvgan_tiny.effective", Bigvgan),
           ("campplus_tiny", "campplus/campplus_tiny.effective", Campplus),
           ("gpt_tiny", "gpt/gpt_tiny.effective", Gpt),
           ("qwen_emo_tiny", "qwen/qwen_tiny", Qwen),
           ("s2mel_tiny", "s2mel/s2mel_tiny.effective", S2mel),
           ("semantic_codec_tiny", "codec/codec_tiny.effective", Codec),
           ("w2vbert_tiny", "w2vbert/w2vbert_tiny", W2vbert))


def file_of(spec):
    return ck.SPECS / "indextts2" / f"{spec}.probes.json"


def wanted(fixture, moved):
    """{target: (dtype, shape, bytes)}"""
    return moved(ck.read(ck.FIXTURES / f"{fixture}.safetensors")).want


def main():
    import numpy
    sys.path.insert(0, str(ck.FIXTURES))
    import probes
    for spec, fixture, moved in SHIPPED:
        probes.write_probes(file_of(spec), {
            name: numpy.array(ck.floats(dtype, data)).reshape(shape)
            for name, (dtype, shape, data) in wanted(fixture, moved).items()
            if dtype in ("F32", "BF16")})


if __name__ == "__main__":
    main()

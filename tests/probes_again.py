# SPDX-License-Identifier: MIT
"""Probes by the standard library alone, from specs/README.md section 16: a second
hand beside fixtures/probes.py and compiler/probes.c.

In: {name: (dtype, shape, bytes)}. Out: what a file of probes holds."""
import json
import math

import checkpoints as ck

MASK = (1 << 64) - 1


def splitmix(seed, i):
    """Output i of SplitMix64 with the state `seed`."""
    z = seed + (i + 1) * 0x9E3779B97F4A7C15 & MASK
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 & MASK
    z = (z ^ z >> 27) * 0x94D049BB133111EB & MASK
    return z ^ z >> 31


class Signs:
    """Signs of all probes for the first n elements; made once."""

    def __init__(self, seed, count):
        self.seed, self.count, self.hashes = seed, count, []

    def sums(self, values):
        for i in range(len(self.hashes), len(values)):
            self.hashes.append(splitmix(self.seed, i))
        return [math.fsum(-x if h >> k & 1 else x for x, h in zip(values, self.hashes))
                for k in range(self.count)]


def probes(tensors, seed=1, count=8):
    signs, found = Signs(seed, count), {}
    for name, (dtype, shape, data) in tensors.items():
        x = ck.floats(dtype, data)
        found[name] = {"shape": shape, "sumsq": math.fsum(v * v for v in x),
                       "probes": signs.sums(x)}
    return {"ttsw_probes": 1, "seed": seed, "tensors": found}


def write(path, tensors, **options):
    path.write_text(json.dumps(probes(tensors, **options)))

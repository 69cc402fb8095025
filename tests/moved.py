# SPDX-License-Identifier: MIT
"""What a blob must hold, moved by hand: torch's effective weights as bytes, cut,
joined and permuted here as a spec moves them there.

In: {name: (dtype, shape, bytes)} of a checkpoint. Out: `want`, the same for the
blob's tensors; `used`, the names that went into it; `near`, the few targets that
are computed: for them a distance is allowed, for all others none."""
import math
import struct

import checkpoints as ck


def ordered(data):
    """F32 as integers in the order of the numbers, one for each ulp."""
    return [x if x >= 0 else -(x & 0x7fffffff)
            for (x,) in struct.iter_unpack("<i", data)]


def ulps(a, b):
    return max(abs(x - y) for x, y in zip(ordered(a), ordered(b)))


def absolute(a, b):
    return max(abs(x - y) for x, y in
               zip(ck.floats("F32", a), ck.floats("F32", b)))


class Moved:
    def __init__(self, torch):
        self.torch, self.used, self.want, self.near = torch, set(), {}, {}

    def take(self, name):
        self.used.add(name)
        return self.torch[name]

    def put(self, target, value, near=None):
        """near: (ulps or absolute, the most that it may be)."""
        assert target not in self.want, target
        self.want[target] = value
        if near is not None:
            self.near[target] = near

    def copy(self, target, source, near=None):
        self.put(target, self.take(source), near)

    def linear(self, target, source):
        for part in ("weight", "bias"):
            self.copy(f"{target}.{part}", f"{source}.{part}")

    def cut(self, source, targets, value=None):
        """Equal ranges of rows, in this order."""
        dtype, shape, data = value or self.take(source)
        rows, size = shape[0] // len(targets), len(data) // len(targets)
        assert rows * len(targets) == shape[0], source
        for i, target in enumerate(targets):
            self.put(target, (dtype, [rows] + shape[1:],
                              data[i * size:(i + 1) * size]))

    def join(self, target, sources):
        parts = [self.take(source) for source in sources]
        rows = sum(shape[0] for _, shape, _ in parts)
        self.put(target, (parts[0][0], [rows] + parts[0][1][1:],
                          b"".join(data for _, _, data in parts)))

    def in_turn(self, target, sources):
        """Row 0 of each source, row 1 of each, ..."""
        parts = [(dtype, shape, rows_of((dtype, shape, data)))
                 for dtype, shape, data in map(self.take, sources)]
        dtype, shape, rows = parts[0]
        self.put(target, (dtype, [len(parts) * shape[0]] + shape[1:],
                          b"".join(part[2][i] for i in range(len(rows))
                                   for part in parts)))

    def squeezed(self, target, source, axis=-1, near=None):
        dtype, shape, data = self.take(source)
        shape = list(shape)
        assert shape.pop(axis) == 1, source
        self.put(target, (dtype, shape, data), near)

    def pointwise(self, target, source, near=None):
        """A convolution of one tap, as a matrix."""
        self.squeezed(f"{target}.weight", f"{source}.weight", near=near)
        self.copy(f"{target}.bias", f"{source}.bias")

    def check(self, case, values):
        """The blob's values are these: names, dtypes, shapes, bytes."""
        case.assertEqual(set(values), set(self.want))
        for name, (dtype, shape, data) in self.want.items():
            have = values[name]
            case.assertEqual(have[:2], (dtype, shape), name)
            if name in self.near:
                distance, most = self.near[name]
                case.assertLessEqual(distance(have[2], data), most, name)
            else:
                case.assertEqual(have[2], data, name)


def rows_of(value):
    """A tensor's bytes, one part for each index of its first axis."""
    dtype, shape, data = value
    size = math.prod(shape[1:]) * ck.BITS[dtype] // 8
    return [data[i * size:(i + 1) * size] for i in range(shape[0])]

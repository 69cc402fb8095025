# SPDX-License-Identifier: MIT
"""The spec language's values, slowly: what a term must give, element by element.

In: terms (a source, an operation on terms) and the tensors of a checkpoint as
Python numbers. Out: a term's text for a spec, and its value: sizes and a list
of numbers in row-major order. Written from specs/README.md alone; a float is a
binary64 all the way, so that the one rounding is where it is stored."""
import dataclasses
import math
import struct

FLOATS = {"F16": (11, -14), "BF16": (8, -126), "F32": (24, -126),
          "F64": (53, -1022)}  # bits of the significand, least normal exponent
BIG = float.fromhex("0x1.8p52")
CODES = {"F16": "e", "F32": "f", "F64": "d", "BOOL": "?", "U8": "B", "I8": "b",
         "U16": "H", "I16": "h", "U32": "I", "I32": "i", "U64": "Q", "I64": "q"}


# --- numbers ---

def rounded(x, dtype):
    """A finite binary64 as the nearest number of a float dtype, ties to even."""
    if dtype == "F64" or x == 0:
        return x
    bits, least = FLOATS[dtype]
    exponent = max(math.frexp(x)[1] - 1, least)
    step = math.ldexp(1.0, exponent - bits + 1)
    return math.copysign(round(x / step) * step, x)  # exact but for round()


def encode(dtype, data):
    """The bytes of a tensor; floats are rounded here."""
    if dtype == "BF16":
        data = [rounded(x, dtype) for x in data]
        raw = struct.pack(f"<{len(data)}f", *data)
        return b"".join(raw[i + 2:i + 4] for i in range(0, len(raw), 4))
    return struct.pack(f"<{len(data)}{CODES[dtype]}", *data)


def exp(x):
    """Section 13.7, operation by operation."""
    a = max(x, -746.0)
    a = min(a, 710.0)
    k = (a * float.fromhex("0x1.71547652b82fep+0") + BIG) - BIG
    h = a - k * float.fromhex("0x1.62e42fefa3800p-1")
    low = k * float.fromhex("0x1.ef35793c76730p-45")
    r = h - low
    e = (h - r) - low
    p = 1 + r
    c = (r - (p - 1)) + e * p
    q = 1 / math.factorial(14)
    for n in range(13, 1, -1):
        q = q * r + 1 / math.factorial(n)
    y = p + ((r * r) * q + c)
    m = math.floor((k + 2048) / 2)
    return (y * 2.0 ** (m - 1024)) * 2.0 ** (k + 1024 - m)


def sum_of_squares(row):
    """Section 13.5."""
    total = 0.0
    for at in range(0, len(row), 4096):
        lanes = [0.0] * 8
        for i, x in enumerate(row[at:at + 4096]):
            lanes[i % 8] += x * x
        total += (((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
                  + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])))
    return total


# --- moves: sizes and data in, data out ---

def permute(sizes, data, order):
    strides = [math.prod(sizes[i + 1:]) for i in range(len(sizes))]
    offsets = [0]
    for axis in order:
        offsets = [at + i * strides[axis] for at in offsets
                   for i in range(sizes[axis])]
    return [data[at] for at in offsets]


def cut(sizes, data, axis, lo, hi):
    inner = math.prod(sizes[axis + 1:])
    out = []
    for outer in range(math.prod(sizes[:axis])):
        at = outer * sizes[axis] * inner
        out += data[at + lo * inner:at + hi * inner]
    return out


def concat(parts, axis):
    """parts: (sizes, data) each."""
    out = []
    for outer in range(math.prod(parts[0][0][:axis])):
        for sizes, data in parts:
            row = math.prod(sizes[axis:])
            out += data[outer * row:(outer + 1) * row]
    return out


def interleave(parts, axis):
    sizes = parts[0][0]
    inner = math.prod(sizes[axis + 1:])
    out = []
    for row in range(math.prod(sizes[:axis + 1])):
        for _, data in parts:
            out += data[row * inner:(row + 1) * inner]
    return out


def weight_norm(sizes, g, v, keep):
    """keep: an axis, or None."""
    if not v:
        return []
    inner = math.prod(sizes[keep + 1:]) if keep is not None else len(v)
    size = sizes[keep] if keep is not None else 1
    rows = [[] for _ in range(size)]
    for i, x in enumerate(v):
        rows[i // inner % size].append(x)
    scale = [g[j] / math.sqrt(sum_of_squares(row)) for j, row in enumerate(rows)]
    return [x * scale[i // inner % size] for i, x in enumerate(v)]


# --- terms ---

def type_text(axes):
    return "[" + ", ".join(f"{n}={s}" if n else f"{s}" for n, s in axes) + "]"


def fill(name, env):
    """A name with the values of its loop variables."""
    for key, value in env.items():  # "" is a block's `from:`
        name = name.replace("{" + key + "}", str(value)) if key else name
    return name


def sizes_of(axes):
    return [s for _, s in axes]


@dataclasses.dataclass
class Leaf:
    """A source; `other` is the second one of same(), `around` is also."""
    name: str
    axes: list
    dtype: str
    other: str = ""
    around: str = ""

    def text(self):
        kind = f"{self.dtype.lower()}{type_text(self.axes)}"
        if self.other:
            return f"same({self.name} {kind}, {self.other} {kind})"
        return f"also({self.name} {kind})" if self.around else f"{self.name} {kind}"

    def value(self, env, tensors):
        return tensors[env.get("", "") + fill(self.name, env)][2]


@dataclasses.dataclass
class Norm:
    stem: str
    axes: list
    keep: str

    def text(self):
        return f"weight_norm({self.stem}, keep={self.keep}) {type_text(self.axes)}"

    def value(self, env, tensors):
        stem = env.get("", "") + fill(self.stem, env)
        names = [n for n, _ in self.axes]
        keep = None if self.keep == "none" else names.index(self.keep)
        return weight_norm(sizes_of(self.axes), tensors[stem + "_g"][2],
                           tensors[stem + "_v"][2], keep)


@dataclasses.dataclass
class Zeros:
    axes: list

    def text(self):
        return f"zeros {type_text(self.axes)}"

    def value(self, env, tensors):
        return [0] * math.prod(sizes_of(self.axes))


@dataclasses.dataclass
class Each:
    """Not a term: `each VAR lo..hi, TERM` in a join."""
    var: str
    lo: int
    hi: int
    term: object

    def text(self):
        return f"each {self.var} {self.lo}..{self.hi}, {self.term.text()}"


@dataclasses.dataclass
class Call:
    """op: permute, transpose, squeeze, exp; args are what stands behind X."""
    op: str
    arg: object
    axes: list
    args: list = dataclasses.field(default_factory=list)
    typed: bool = True

    def text(self):
        inside = ", ".join([self.arg.text(), *map(str, self.args)])
        return f"{self.op}({inside})" + (" " + type_text(self.axes)) * self.typed

    def value(self, env, tensors):
        data = self.arg.value(env, tensors)
        if self.op == "exp":
            return [exp(x) for x in data]
        if self.op == "squeeze":
            return data
        names = [n for n, _ in self.arg.axes]
        order = [names.index(n) for n, _ in self.axes]
        return permute(sizes_of(self.arg.axes), data, order)


@dataclasses.dataclass
class Slice:
    """The bounds are numbers, or expressions of loop variables."""
    arg: object
    axis: str
    lo: object
    hi: object
    axes: list

    def text(self):
        return f"slice({self.arg.text()}, {self.axis}, {self.lo}..{self.hi})"

    def value(self, env, tensors):
        lo, hi = (eval(str(x), {}, dict(env)) for x in (self.lo, self.hi))
        names = [n for n, _ in self.arg.axes]
        return cut(sizes_of(self.arg.axes), self.arg.value(env, tensors),
                   names.index(self.axis), lo, hi)


@dataclasses.dataclass
class Join:
    """op: concat, stack, interleave; parts are terms and Each."""
    op: str
    axis: str
    parts: list
    axes: list
    typed: bool = True

    def text(self):
        inside = ", ".join([self.axis, *(p.text() for p in self.parts)])
        return f"{self.op}({inside})" + (" " + type_text(self.axes)) * self.typed

    def values(self, env, tensors):
        for p in self.parts:
            if isinstance(p, Each):
                for i in range(p.lo, p.hi):
                    yield (sizes_of(p.term.axes),
                           p.term.value({**env, p.var: i}, tensors))
            else:
                yield sizes_of(p.axes), p.value(env, tensors)

    def value(self, env, tensors):
        parts = list(self.values(env, tensors))
        if self.op == "stack":
            return [x for _, data in parts for x in data]
        axis = [n for n, _ in self.axes].index(self.axis)
        return (concat if self.op == "concat" else interleave)(parts, axis)

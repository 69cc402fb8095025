# SPDX-License-Identifier: MIT
"""The spec language's values, slowly: what a term must give, element by element.

In: terms (a source, an operation on terms). Out: a term's text for a spec, and
its value: a list in row-major order. What the elements are says the second
argument of value(): Numbers computes, Uses tells which elements of which
sources each one is made of. Written from specs/README.md alone; sizes are in
the types, which are lists of (axis, size)."""
import dataclasses
import math

import language_numbers as num
from language_numbers import FLOATS, encode, rounded  # noqa: F401

SPELLED = {  # how `weight_norm:` spells what stands behind a stem
    "weight_norm": (("_g", "_v"), ("original0", "original1")),
    "spectral_norm": (("_orig", "_u", "_v"), ("original", "0._u", "0._v")),
}


class Numbers:
    """Of a checkpoint's tensors, {name: (dtype, sizes, data)}."""
    zero = 0

    def __init__(self, tensors):
        self.tensors = tensors

    def leaf(self, name):
        return self.tensors[name][2]

    def each(self, function, *lists):
        return [function(*x) for x in zip(*lists)]

    def together(self, function, *lists):
        """Of several lists one as long as the first."""
        return function(*lists)


class Uses(Numbers):
    """An element is the set of the (name, index) that it is computed from."""
    zero = frozenset()

    def leaf(self, name):
        return [frozenset([(name, i)]) for i in range(len(self.tensors[name][2]))]

    def each(self, function, *lists):
        return [frozenset().union(*x) for x in zip(*lists)]

    def together(self, function, *lists):
        return [frozenset().union(*(y for x in lists for y in x))] * len(lists[0])


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


def rope(sizes, data, axis, heads, dims, half):
    """Per head of size / heads rows, the first dims: row 2k to row k and 2k + 1
    to k + dims / 2, or back."""
    inner, rows = math.prod(sizes[axis + 1:]), sizes[axis] // heads
    out = list(data)
    for i, x in enumerate(data):
        row = i // inner % rows
        if row < dims and half:
            to = row // 2 + row % 2 * (dims // 2)
        elif row < dims:
            to = 2 * row if row < dims // 2 else 2 * row - dims + 1
        else:
            to = row
        out[i + (to - row) * inner] = x
    return out


def along(sizes, axis, vector):
    """A vector's element for each element of a tensor."""
    inner = math.prod(sizes[axis + 1:])
    return [vector[i // inner % sizes[axis]] for i in range(math.prod(sizes))]


def index_rows(sizes, axis):
    """The indices of all elements, a list for each row along an axis."""
    inner, size = math.prod(sizes[axis + 1:]), sizes[axis]
    return [[(outer * size + i) * inner + k for i in range(size)]
            for outer in range(math.prod(sizes[:axis])) for k in range(inner)]


# --- text ---

def type_text(axes):
    return "[" + ", ".join(f"{n}={s}" if n else f"{s}" for n, s in axes) + "]"


def fill(name, env):
    """A name with the values of its loop variables."""
    for key, value in env.items():  # "" is a block's `from:`
        name = name.replace("{" + key + "}", str(value)) if key else name
    return name


def full(name, env):
    return env.get("", "") + fill(name, env)


def spelled(op, stem, spelling):
    """The names behind a stem: g, v or W, u, v."""
    ends = SPELLED[op][spelling != "legacy"]
    if spelling == "legacy":
        return [stem + end for end in ends]
    parent, _, last = stem.rpartition(".")
    start = f"{parent}." if parent else ""
    return [f"{start}parametrizations.{last}.{end}" for end in ends]


def sizes_of(axes):
    return [s for _, s in axes]


def position(axes, name):
    return [n for n, _ in axes].index(name)


# --- terms ---

@dataclasses.dataclass
class Leaf:
    """A source; `other` is the second one of same(), `around` is also."""
    name: str
    axes: list
    dtype: str
    other: str = ""
    around: str = ""
    allow: bool = False  # NaN and infinity

    def text(self):
        kind = f"{self.dtype.lower()}{type_text(self.axes)}"
        kind += " allow_nonfinite" * self.allow
        if self.other:
            return f"same({self.name} {kind}, {self.other} {kind})"
        return f"also({self.name} {kind})" if self.around else f"{self.name} {kind}"

    def value(self, env, of):
        return of.leaf(full(self.name, env))


@dataclasses.dataclass
class Norm:
    """keep: an axis, or "none"."""
    stem: str
    axes: list
    keep: str
    spelling: str = "legacy"

    def text(self):
        return f"weight_norm({self.stem}, keep={self.keep}) {type_text(self.axes)}"

    def value(self, env, of):
        """For each index of the kept axis all elements with it, in order."""
        g, v = (of.leaf(x) for x in spelled("weight_norm", full(self.stem, env),
                                            self.spelling))
        sizes = sizes_of(self.axes)
        at = None if self.keep == "none" else position(self.axes, self.keep)
        kept, inner = (1, 1) if at is None else (sizes[at], math.prod(sizes[at + 1:]))
        rows, out = [[] for _ in range(kept if v else 0)], list(v)
        for i in range(len(v)):
            rows[i // inner % kept].append(i)
        for j, row in enumerate(rows):
            made = of.together(lambda row, g, j=j: num.weight_normed(row, g[0], j),
                               [v[i] for i in row], [g[j]])
            for i, x in zip(row, made):
                out[i] = x
        return out


@dataclasses.dataclass
class Spectral:
    stem: str
    axes: list
    rows: str
    spelling: str = "legacy"

    def text(self):
        return f"spectral_norm({self.stem}, rows={self.rows}) {type_text(self.axes)}"

    def value(self, env, of):
        """M is W with its rows in front."""
        w, u, v = (of.leaf(x) for x in spelled("spectral_norm", full(self.stem, env),
                                               self.spelling))
        front = position(self.axes, self.rows)
        order = [front] + [i for i in range(len(self.axes)) if i != front]
        sizes = sizes_of(self.axes)
        made = of.together(
            lambda m, u, v: num.spectral_normed(m, sizes[front], u, v),
            permute(sizes, w, order), u, v)
        back = sorted(range(len(order)), key=lambda i: order[i])
        return permute([sizes[i] for i in order], made, back)


@dataclasses.dataclass
class Zeros:
    axes: list

    def text(self):
        return f"zeros {type_text(self.axes)}"

    def value(self, env, of):
        return [of.zero] * math.prod(sizes_of(self.axes))


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
    """op: permute, transpose, squeeze, unsqueeze, merge, unmerge; args is what
    stands behind X."""
    op: str
    arg: object
    axes: list
    args: list = dataclasses.field(default_factory=list)
    typed: bool = True

    def text(self):
        inside = ", ".join([self.arg.text(), *map(str, self.args)])
        return f"{self.op}({inside})" + (" " + type_text(self.axes)) * self.typed

    def value(self, env, of):
        data = self.arg.value(env, of)
        if self.op not in ("permute", "transpose"):
            return data
        order = [position(self.arg.axes, n) for n, _ in self.axes]
        return permute(sizes_of(self.arg.axes), data, order)


@dataclasses.dataclass
class Rope:
    """op: rope_half, rope_interleave; dims may be None."""
    op: str
    arg: object
    axis: str
    heads: int
    dims: int = None
    typed: bool = False

    @property
    def axes(self):
        return self.arg.axes

    def keys(self):
        return f"heads={self.heads}" + f", dims={self.dims}" * (self.dims is not None)

    def text(self):
        made = f"{self.op}({self.arg.text()}, {self.axis}, {self.keys()})"
        return made + (" " + type_text(self.axes)) * self.typed

    def value(self, env, of):
        at, sizes = position(self.axes, self.axis), sizes_of(self.axes)
        dims = sizes[at] // self.heads if self.dims is None else self.dims
        return rope(sizes, self.arg.value(env, of), at, self.heads, dims,
                    self.op == "rope_half")


@dataclasses.dataclass
class Unary:
    """op: exp, reciprocal, scale, offset, max; q: the number of the last three."""
    op: str
    arg: object
    q: float = None
    typed: bool = False

    @property
    def axes(self):
        return self.arg.axes

    def text(self):
        inside = self.arg.text() + f", {self.q!r}" * (self.q is not None)
        return f"{self.op}({inside})" + (" " + type_text(self.axes)) * self.typed

    def value(self, env, of):
        function = {"exp": num.exp, "reciprocal": lambda x: num.div(1.0, x),
                    "scale": lambda x: num.mul(x, self.q),
                    "offset": lambda x: num.add(x, self.q),
                    "max": lambda x: num.larger(x, self.q)}[self.op]
        return of.each(function, self.arg.value(env, of))


@dataclasses.dataclass
class Binary:
    """op: add, mul, div; y has x's type, or is a vector along an axis of it."""
    op: str
    x: object
    y: object
    typed: bool = False

    @property
    def axes(self):
        return self.x.axes

    def text(self):
        made = f"{self.op}({self.x.text()}, {self.y.text()})"
        return made + (" " + type_text(self.axes)) * self.typed

    def value(self, env, of):
        x, y = self.x.value(env, of), self.y.value(env, of)
        if self.y.axes != self.axes:
            y = along(sizes_of(self.axes), position(self.axes, self.y.axes[0][0]), y)
        function = {"add": num.add, "mul": num.mul, "div": num.div}[self.op]
        return of.each(function, x, y)


@dataclasses.dataclass
class L2:
    arg: object
    over: str
    eps: float
    typed: bool = False

    @property
    def axes(self):
        return self.arg.axes

    def text(self):
        made = f"l2_normalize({self.arg.text()}, over={self.over}, eps={self.eps!r})"
        return made + (" " + type_text(self.axes)) * self.typed

    def value(self, env, of):
        data = self.arg.value(env, of)
        out = list(data)
        for row in index_rows(sizes_of(self.axes), position(self.axes, self.over)):
            made = of.together(lambda x: num.l2_normalized(x, self.eps),
                               [data[i] for i in row])
            for i, x in zip(row, made):
                out[i] = x
        return out


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

    def value(self, env, of):
        lo, hi = (eval(str(x), {}, dict(env)) for x in (self.lo, self.hi))
        return cut(sizes_of(self.arg.axes), self.arg.value(env, of),
                   position(self.arg.axes, self.axis), lo, hi)


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

    def values(self, env, of):
        for p in self.parts:
            if isinstance(p, Each):
                for i in range(p.lo, p.hi):
                    yield sizes_of(p.term.axes), p.term.value({**env, p.var: i}, of)
            else:
                yield sizes_of(p.axes), p.value(env, of)

    def value(self, env, of):
        parts = list(self.values(env, of))
        if self.op == "stack":
            return [x for _, data in parts for x in data]
        return (concat if self.op == "concat" else interleave)(
            parts, position(self.axes, self.axis))


# --- keys that make two outputs ---

@dataclasses.dataclass
class BatchNorm:
    """KEY.scale and KEY.shift; axes is the one of the statistics."""
    stem: str
    axes: list
    eps: float
    affine: bool = True
    ends = (".scale", ".shift")

    def keys(self):
        return f"eps={self.eps!r}" + ", affine=no" * (not self.affine)

    def text(self):
        return f"batchnorm({self.stem} {type_text(self.axes)}, {self.keys()})"

    def names(self):
        ends = ["running_mean", "running_var"] + ["weight", "bias"] * self.affine
        return {end: f"{self.stem}.{end}" for end in ends}

    def types(self):
        return [self.axes, self.axes]

    def scale(self, of, have):
        """gamma / sqrt(var + eps), with gamma 1 if it is not affine."""
        def one(var, gamma=1.0):
            return num.div(gamma, num.sqrt(num.add(var, self.eps)))
        return of.each(one, have["running_var"], *have["weight"])

    def have(self, env, of):
        """Lists; gamma and beta as a list of one, or of none."""
        have = {end: of.leaf(full(name, env)) for end, name in self.names().items()}
        for end in "weight", "bias":
            have[end] = [have[end]] if self.affine else []
        return have

    def values(self, env, of):
        have = self.have(env, of)
        scale = self.scale(of, have)
        if self.affine:
            def shift(mean, scale, beta):
                return num.sub(beta, num.mul(mean, scale))
        else:
            def shift(mean, scale):
                return num.mul(num.mul(mean, -1.0), scale)
        return [scale, of.each(shift, have["running_mean"], scale,
                               *have["bias"])]


@dataclasses.dataclass
class Fold(BatchNorm):
    """KEY.weight and KEY.bias; `stem` and `axes` as above, b may be None."""
    w: object = None
    b: object = None
    ends = (".weight", ".bias")

    def text(self):
        terms = ", ".join(t.text() for t in (self.w, self.b) if t is not None)
        axis = self.axes[0][0]
        return (f"fold_batchnorm({terms}, {self.stem}, {self.keys()}"
                + f", axis={axis}" * (axis != "out") + ")")

    def types(self):
        return [self.w.axes, self.axes]

    def values(self, env, of):
        scale, shift = super().values(env, of)
        sizes = sizes_of(self.w.axes)
        spread = along(sizes, position(self.w.axes, self.axes[0][0]), scale)
        weight = of.each(num.mul, self.w.value(env, of), spread)
        if self.b is None:
            return [weight, shift]
        have = self.have(env, of)
        lists = [self.b.value(env, of), have["running_mean"], scale, *have["bias"]]

        def bias(b, mean, scale, beta=None):
            made = num.mul(num.sub(b, mean), scale)
            return made if beta is None else num.add(made, beta)
        return [weight, of.each(bias, *lists)]

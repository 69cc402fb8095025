# SPDX-License-Identifier: MIT
"""Random specs of the whole language, as language_specs.py makes smaller ones.

In: a random.Random. Out: a spec, its checkpoint, what each output must be;
and, of what came out too large to be stored, specs that must be refused.
Invariant: a name `x` and its atoms `x0` to `x7` stand together in `layout:`, so
that a merged axis and what it is made of have the same place."""
import dataclasses
import math

import language_numbers as num
import language_terms as lt
from language_specs import AXES, Spec, chance

TRIES = 40
DEPTHS = [0, 1, 2, 3, 4, 5, 5, 6]
NUMBERS = [0.5, -1.0, 2.0, 3.25, 0.1, -0.3, 1.0, 0.0, -0.0, 1e-05, 1e-09, -2.5e-3]
EPS = [1e-12, 1e-05, 0.001, 0.5, 2.0]


@dataclasses.dataclass
class Refusal(Exception):
    """An output that has no value: its first element without one, how many."""
    name: str
    dtype: str
    axes: list
    first: int
    count: int
    value: float
    lines: list = None   # a spec with it
    tensors: dict = None

    def place(self):
        at, index = [], self.first
        for _, size in reversed(self.axes):
            at.insert(0, index % size)
            index //= size
        return at


def group(letter):
    """An axis and the atoms that it may be merged of, in order."""
    return [f"{letter}{i}" for i in range(4)] + [letter] + [
        f"{letter}{i}" for i in range(4, 8)]


class Whole(Spec):
    many = 8
    odd_sources = 0.06  # with NaN and infinity

    def __init__(self, rng):
        super().__init__(rng)
        self.layout = [n for a in AXES for n in group(a)]
        self.spelling = rng.choice(["legacy", "parametrized"])
        self.room = 0  # for sources in the output that is made now
        self.refusals = []

    # --- outputs that may fail ---

    def attempt(self, make):
        """Makes something until all of it can be stored."""
        for _ in range(TRIES):
            before = (dict(self.tensors), dict(self.expected), list(self.lines),
                      list(self.extra), list(self.loops))
            self.room = 24
            try:
                return make()
            except Refusal as refusal:
                self.note(refusal, *before)
            except num.NoNorm:
                pass
            self.tensors, self.expected, self.lines, self.extra, self.loops = before
        raise AssertionError("nothing that can be stored")

    def note(self, refusal, tensors, _expected, lines, extra, loops):
        """A spec of its own for it, if it stands in no loop."""
        if loops or self.loops or self.target or lines[-1:] == ["      into:"]:
            return
        refusal.tensors = {n: t for n, t in self.tensors.items() if n not in tensors}
        first = [f"      {self.fresh('o')}: {term.text()}" for term in self.extra[len(extra):]]
        if not any("- source" in x for x in self.lines[len(lines):]) and not first:
            refusal.lines = ["  - tensors:"] + ["      " + x.strip()
                                                 for x in self.lines[len(lines):]]
            self.refusals.append(refusal)

    def judged(self, name, dtype, axes, value):
        data = value(lt.Numbers(self.tensors))
        bad = [i for i, x in enumerate(data) if not num.fits(x, dtype)]
        if bad and self.odd_sources:
            bad = self.made_here(data, dtype, bad, value(lt.Uses(self.tensors)))
        if bad:
            raise Refusal(name, dtype, axes, bad[0], len(bad), data[bad[0]])
        return data

    def made_here(self, data, dtype, bad, uses):
        """Those of `bad` that are not infinite or NaN by what their sources hold."""
        return [i for i in bad if (math.isfinite(data[i]) and dtype != "F64")
                or all(math.isfinite(self.tensors[n][2][k]) for n, k in uses[i])]

    def refused_text(self, refusal):
        kept, self.lines = self.lines, refusal.lines
        text = self.text()
        self.lines = kept
        return text

    def add_one(self, indent):
        self.attempt(lambda: self.one(indent))

    def one(self, indent):
        way = self.rng.random()
        if way < 0.06:
            self.add_pair(indent, self.batchnorm(self.rng.choice(AXES), lt.BatchNorm))
        elif way < 0.14:
            self.add_fold(indent)
        else:
            axes, kind = self.axes(), self.kind()
            self.add_output(indent, self.term(axes, kind, self.rng.choice(DEPTHS)), kind)

    def add_split(self, indent, axes, depth, exps=2):
        self.attempt(lambda: super(Whole, self).add_split(indent, axes, depth, exps))

    # --- batchnorm ---

    def batchnorm(self, axis, cls, size=None, **more):
        axes = [(axis, self.rng.randrange(1, 7) if size is None else size)]
        made = cls(self.name("m"), axes, self.rng.choice(EPS), chance(self.rng, 0.7), **more)
        for end, name in made.names().items():
            for full in self.all_names(name):
                data = self.data(self.source_dtype, lt.sizes_of(axes), -10)
                if end == "running_var":
                    data = [abs(x) for x in data]
                self.tensors[full] = (self.source_dtype, lt.sizes_of(axes), data)
        if chance(self.rng, 0.6):
            for full in self.all_names(made.stem + ".num_batches_tracked"):
                self.tensors[full] = ("I64", [], [self.rng.randrange(1 << 40)])
        return made

    def add_pair(self, indent, pair):
        key = self.fresh("o")
        self.lines.append(f"{indent}{key}: {pair.text()}")
        for env in self.envs():
            for i, end in enumerate(pair.ends):
                self.expect(lt.fill(self.target, env) + key + end, None, pair.types()[i],
                            lambda of, i=i, env=env: pair.values(
                                self.environment(env), of)[i])

    def add_fold(self, indent):
        axes = self.axes()
        named = [x for x in axes if x[0]]
        if not named:
            return self.one(indent)
        axis = self.rng.choice(named)
        depth = self.rng.randrange(4)
        w = self.term(axes, "float", depth, 1)
        b = self.term([axis], "float", depth, 1) if chance(self.rng, 0.5) else None
        return self.add_pair(indent, self.batchnorm(axis[0], lt.Fold, axis[1], w=w, b=b))

    # --- sources ---

    def stem(self, prefix):
        return self.name(prefix) + ".weight"

    def leaf(self, axes, kind):
        """At times of a tensor that may hold NaN and infinity: all uses say so."""
        term = super().leaf(axes, kind)
        if kind != "float" or not chance(self.rng, self.odd_sources):
            return term
        term.allow = True
        if term.around:
            self.extra[-1].allow = True
        for name in self.all_names(term.name):
            dtype, sizes, data = self.tensors[name]
            self.tensors[name] = (dtype, sizes, [self.odd(x, dtype) for x in data])
            if term.other:
                self.tensors[name + "x"] = self.tensors[name]
        return term

    def odd(self, x, dtype):
        """A number, or in its place at times NaN or infinity."""
        if not chance(self.rng, 0.2):
            return x
        if chance(self.rng, 0.5):
            return self.rng.choice([math.inf, -math.inf])
        payload = self.rng.getrandbits(num.FLOATS[dtype][0] - 2)
        bits = 0x7FF8 << 48 | payload << 53 - num.FLOATS[dtype][0]
        return num.from_bits(bits | self.rng.randrange(2) << 63)

    def end(self, axes, kind):
        self.room -= 1
        named = [n for n, _ in axes if n]
        if kind == "float" and self.norms and named and chance(self.rng, 0.1) and (
                len(axes) > 1 and all(s for _, s in axes)):
            return self.spectral(axes, self.rng.choice(named))
        return super().end(axes, kind)

    def spectral(self, axes, rows):
        term = lt.Spectral(self.stem("n"), axes, rows, self.spelling)
        size = axes[lt.position(axes, rows)][1]
        rest = math.prod(lt.sizes_of(axes)) // size
        self.stem_tensors("spectral_norm", term.stem, [lt.sizes_of(axes), [size], [rest]])
        return term

    def sliced_norm(self, axes, name):
        """Behind moves that leave the kept axis in one piece."""
        way, named = self.rng.randrange(5), [x for x in axes if x[0]]
        if way == 0 and len(named) == len(axes):
            before = self.rng.sample(axes, len(axes))
            return lt.Call("permute", self.norm(before, keep=name), axes,
                           [n for n, _ in axes])
        long = [x for x in named if x[1] > 1]
        if way == 1 and long:
            axis, size = self.rng.choice(long)
            return lt.Rope("rope_half", self.norm(axes, keep=name), axis, *self.turns(size))
        others = [x for x in named if x[0] != name and x[1] > 0]
        if way == 2 and others and len(axes) < 8:
            at = lt.position(axes, self.rng.choice(others)[0])
            names = self.atoms(axes, at, 2)
            if names is not None:
                parts = list(zip(names, self.factors(axes[at][1], 2)))
                return lt.Call("merge", self.norm(axes[:at] + parts + axes[at + 1:], keep=name),
                               axes, [f"{' * '.join(names)} -> {axes[at][0]}"])
        if way == 3:
            return lt.Unary("scale", self.norm(axes, keep=name), self.rng.choice(NUMBERS))
        return self.norm(axes, keep=name)

    # --- terms ---

    def ways(self):
        more = [self.way_unsqueeze, self.way_merge, self.way_unmerge, self.way_rope,
                *[self.way_number, self.way_binary] * 2, self.way_l2]
        return super().ways() + more if self.room > 0 else []

    def free_axis(self, axes):
        used = {n[0] for n, _ in axes if n}
        return self.rng.choice([a for a in AXES if a not in used])

    def way_squeeze(self, axes, kind, depth, exps):
        if len(axes) > 7:
            return None
        return super().way_squeeze(axes, kind, depth, exps)

    def way_unsqueeze(self, axes, kind, depth, exps):
        ones = [i for i, (n, s) in enumerate(axes) if n and s == 1]
        if not ones:
            return None
        at = self.rng.choice(ones)
        before = axes[:at] + axes[at + 1:]
        args = [axes[at][0], f"at={at}"]
        return lt.Call("unsqueeze", self.term(before, kind, depth, exps), axes, args,
                       chance(self.rng, 0.5))

    def atoms(self, axes, at, n):
        """n names for what becomes axis `at`: between its neighbours."""
        name = axes[at][0]
        names = group(name[0])
        others = [names.index(x) for i, (x, _) in enumerate(axes)
                  if i != at and x and x[0] == name[0]]
        here = names.index(name)
        lo = max([-1] + [k for k in others if k < here])
        hi = min([len(names)] + [k for k in others if k > here])
        free = range(lo + 1, hi)
        return [names[k] for k in sorted(self.rng.sample(free, n))] if len(free) >= n else None

    def factors(self, size, n):
        made = []
        for _ in range(n - 1):
            made.append(self.rng.choice([d for d in range(1, size + 1) if size % d == 0] or [0]))
            size = size // made[-1] if made[-1] else self.rng.randrange(3)
        return made + [size]

    def way_merge(self, axes, kind, depth, exps):
        named = [i for i, (n, _) in enumerate(axes) if n]
        n = self.rng.choice([2, 2, 2, 3])
        if not named or len(axes) - 1 + n > 8:
            return None
        at = self.rng.choice(named)
        names = self.atoms(axes, at, n)
        if names is None:
            return None
        before = axes[:at] + list(zip(names, self.factors(axes[at][1], n))) + axes[at + 1:]
        arg = f"{' * '.join(names)} -> {axes[at][0]}"
        return lt.Call("merge", self.term(before, kind, depth, exps), axes, [arg],
                       chance(self.rng, 0.5))

    def way_unmerge(self, axes, kind, depth, exps):
        n = self.rng.choice([2, 2, 2, 3])
        starts = [i for i in range(len(axes) - n + 1) if all(x and s for x, s in axes[i:i + n])]
        if not starts:
            return None
        at = self.rng.choice(starts)
        new = axes[at:at + n]
        name = self.free_axis(axes)
        before = axes[:at] + [(name, math.prod(lt.sizes_of(new)))] + axes[at + n:]
        arg = f"{name} -> " + " * ".join(f"{x}={s}" for x, s in new)
        return lt.Call("unmerge", self.term(before, kind, depth, exps), axes, [arg],
                       chance(self.rng, 0.5))

    def turns(self, size):
        """heads and dims of a rope over so many rows, or None."""
        heads = [h for h in range(1, size // 2 + 1) if size % h == 0]
        if not heads:
            return None
        h = self.rng.choice(heads)
        even = range(2, size // h + 1, 2)
        whole = size // h % 2 == 0 and chance(self.rng, 0.5)
        return h, None if whole else self.rng.choice(even)

    def way_rope(self, axes, kind, depth, exps):
        fits = [n for n, s in axes if n and s > 1]
        if not fits:
            return None
        axis = self.rng.choice(fits)
        heads, dims = self.turns(axes[lt.position(axes, axis)][1])
        op = self.rng.choice(["rope_half", "rope_interleave"])
        return lt.Rope(op, self.term(axes, kind, depth, exps), axis, heads, dims,
                       chance(self.rng, 0.5))

    def piece(self, whole, axis, lo, hi):
        text, part = super().piece(whole, axis, lo, hi)
        if not isinstance(text, str) or hi - lo < 2 or not chance(self.rng, 0.4):
            return text, part
        op = self.rng.choice(["rope_half", "rope_interleave"])
        rope = lt.Rope(op, part, whole.axes[axis][0], *self.turns(hi - lo))
        return f"{op}({text}, {rope.keys()})", rope

    def way_number(self, axes, kind, depth, exps):
        op = self.rng.choice(["scale", "offset", "max", "reciprocal"])
        if kind != "float" or (op == "reciprocal" and exps == 0):
            return None
        arg = self.term(axes, kind, depth, exps - (op == "reciprocal"))
        return lt.Unary(op, arg, None if op == "reciprocal" else self.rng.choice(NUMBERS),
                        chance(self.rng, 0.5))

    def way_binary(self, axes, kind, depth, exps):
        """What takes several elements is never sliced: see norms."""
        if kind != "float" or not self.norms:
            return None
        op = self.rng.choice(["add", "mul", "div"] if exps else ["add", "mul"])
        named = [x for x in axes if x[0]]
        other = axes
        if len(axes) > 1 and named and chance(self.rng, 0.5):
            other = [self.rng.choice(named)]
        x = self.term(axes, kind, depth, exps - (op == "div"))
        y = self.term(other, kind, depth, exps - (op == "div"))
        return lt.Binary(op, x, y, chance(self.rng, 0.5))

    def way_l2(self, axes, kind, depth, exps):
        named = [n for n, _ in axes if n]
        if kind != "float" or not self.norms or not named:
            return None
        arg = self.term(axes, kind, depth, exps)
        return lt.L2(arg, self.rng.choice(named), self.rng.choice(EPS), chance(self.rng, 0.5))


class Wide(Whole):
    """Rows of more than one block of a sum, and values of more than a slab."""
    many = 3
    odd_sources = 0

    def axes(self):
        rank = self.rng.choice([1, 2, 2, 3])
        names = sorted(self.rng.sample(AXES, rank))
        sizes = [self.rng.randrange(1, 4) for _ in names]
        sizes[self.rng.randrange(rank)] = self.rng.choice([4096, 4097, 5003, 8200, 40000])
        return list(zip(names, sizes))

    def one(self, indent):
        self.room = 5
        axes = self.axes()
        self.add_output(indent, self.term(axes, "float", 3, 1), "float")


def whole(rng):
    """About a hundred outputs."""
    spec = Whole(rng)
    spec.add_block("  ")
    spec.add_loop("  ")
    spec.add_block("  ")
    return spec


def wide(rng):
    spec = Wide(rng)
    spec.lines.append("  - tensors:")
    for _ in range(3):
        spec.add_one("      ")
    spec.add_extra("      ")
    return spec


def large(rng):
    """Moves of more than a slab."""
    spec = Whole(rng)
    spec.attempt(lambda: spec.add_large("  "))
    return spec

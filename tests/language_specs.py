# SPDX-License-Identifier: MIT
"""Random specs that are right, with their checkpoints and expected outputs.

In: a random.Random. Out: a spec's text, the tensors of a checkpoint and, for
each output, dtype, sizes and data by language_terms.py. Invariant: each
element of each source is claimed once, by construction: what is sliced is
sliced into all of its parts."""
import itertools
import math

import language_terms as lt

AXES = "abcdefghijklmnop"  # of every spec's layout:, in this order
INTEGERS = ["BOOL", "U8", "I8", "U16", "I16", "U32", "I32", "U64", "I64"]
MAX_ELEMENTS = 300
SLAB = 1 << 20


def chance(rng, p):
    return rng.random() < p


class Spec:
    """One spec in the making."""
    many = 3  # outputs of a `tensors:`

    def __init__(self, rng):
        self.rng = rng
        self.tensors = {}   # name: (dtype, sizes, data)
        self.expected = {}  # output: (dtype, sizes, data)
        self.lines = []
        self.loops = []     # (variable, lo, hi) around what is being made
        self.extra = []     # terms that the block must use as well
        self.norms = True
        self.source = self.target = ""  # `from:` and `to:`
        self.count = 0
        self.layout = list(AXES)
        self.spelling = "legacy"
        self.source_dtype = rng.choice(list(lt.FLOATS))
        self.store = {k: rng.choice(list(lt.FLOATS)) for k in ("matrix", "vector")}

    def fresh(self, prefix):
        self.count += 1
        return f"{prefix}{self.count}"

    # --- sources ---

    def number(self, dtype, least=-30):
        rng = self.rng
        if dtype == "BOOL":
            return rng.randrange(2)
        if dtype not in lt.FLOATS:
            return rng.randrange(0 if dtype[0] == "U" else -100, 101)
        if least == -30 and chance(rng, 0.05):
            return rng.choice([0.0, -0.0, 1.0, 0.5])
        bits = rng.choice([3, 11, 12, 24, 25, 53])
        x = math.frexp(rng.getrandbits(bits) or 1)[0]
        x = math.ldexp(rng.choice([x, -x]), rng.randrange(least, 2))
        return lt.rounded(x, dtype)

    def data(self, dtype, sizes, least=-30):
        n = math.prod(sizes)
        few = [self.number(dtype, least) for _ in range(min(n, 997))]
        return few if n <= 997 else (few * (n // 997 + 1))[:n]

    def all_names(self, name):
        """A name as written, with every value of the loops around it."""
        return [self.source_prefix(env) + lt.fill(name, env) for env in self.envs()]

    def name(self, prefix):
        return ".".join([self.fresh(prefix), *("{%s}" % v for v, _, _ in self.loops)])

    def leaf(self, axes, kind):
        dtype = self.rng.choice(list(lt.FLOATS)) if kind == "float" else kind
        sizes = lt.sizes_of(axes)
        term = lt.Leaf(self.name("t"), axes, dtype)
        if chance(self.rng, 0.1):
            term.other = term.name + "x"
        for name in self.all_names(term.name):
            self.tensors[name] = (dtype, sizes, self.data(dtype, sizes))
            if term.other:
                self.tensors[name + "x"] = self.tensors[name]
        if not term.other and not self.in_each() and chance(self.rng, 0.15):
            self.extra.append(lt.Leaf(term.name, axes, dtype))
            term.around = "also"
        return term

    def norm(self, axes, keep=None):
        names = [n for n, _ in axes if n]
        keep = keep or self.rng.choice(names + ["none"])
        term = lt.Norm(self.stem("n"), axes, keep, self.spelling)
        g = [s if n == keep else 1 for n, s in axes] if keep != "none" else []
        self.stem_tensors("weight_norm", term.stem, [g, lt.sizes_of(axes)])
        return term

    def stem(self, prefix):
        return self.name(prefix)

    def stem_tensors(self, op, stem, all_sizes):
        """What stands behind a stem, of small numbers."""
        for name in self.all_names(stem):
            for full, sizes in zip(lt.spelled(op, name, self.spelling), all_sizes):
                self.tensors[full] = (self.source_dtype, sizes,
                                      self.data(self.source_dtype, sizes, -10))

    # --- loops ---

    def in_each(self):
        return any(v[0] == "j" for v, _, _ in self.loops)

    def envs(self):
        values = itertools.product(*(range(lo, hi) for _, lo, hi in self.loops))
        return [dict(zip((v for v, _, _ in self.loops), x)) for x in values]

    def source_prefix(self, env):
        return lt.fill(self.source, env)

    # --- terms of a wanted type ---

    def free_axis(self, axes):
        used = {n for n, _ in axes}
        return self.rng.choice([a for a in AXES if a not in used])

    def cuts(self, size):
        """Points that cut 0..size in one to four parts, none empty."""
        inner = self.rng.sample(range(1, size), min(size - 1, self.rng.randrange(4)))
        return [0, *sorted(inner), size]

    def term(self, axes, kind, depth, exps=2):
        ways = self.ways()
        self.rng.shuffle(ways)
        for way in ways if depth > 0 and chance(self.rng, 0.85) else []:
            made = way(axes, kind, depth - 1, exps)
            if made is not None:
                return made
        return self.end(axes, kind)

    def ways(self):
        return [self.way_permute, self.way_squeeze, self.way_concat, self.way_stack,
                self.way_interleave, self.way_shuffle, self.way_part, self.way_exp]

    def end(self, axes, kind):
        """What no operation stands in."""
        if kind == "float" and self.norms and chance(self.rng, 0.2):
            return self.norm(axes)
        return self.leaf(axes, kind)

    def way_permute(self, axes, kind, depth, exps):
        if not axes or any(not n for n, _ in axes):
            return None
        before = self.rng.sample(axes, len(axes))
        arg = self.term(before, kind, depth, exps)
        if len(axes) == 2 and before != axes:
            return lt.Call("transpose", arg, axes)
        return lt.Call("permute", arg, axes, [n for n, _ in axes])

    def way_squeeze(self, axes, kind, depth, exps):
        if len(axes) > 5:
            return None
        named = any(not n for n, _ in axes) or chance(self.rng, 0.5)
        name = self.free_axis(axes) if named else ""
        at = self.rng.randrange(len(axes) + 1)
        before = axes[:at] + [(name, 1)] + axes[at:]
        return lt.Call("squeeze", self.term(before, kind, depth, exps), axes,
                       [name] * named, chance(self.rng, 0.5))

    def way_exp(self, axes, kind, depth, exps):
        if kind != "float" or exps == 0:
            return None
        return lt.Unary("exp", self.term(axes, kind, depth, exps - 1),
                        typed=chance(self.rng, 0.5))

    def repeated(self, axes, kind, depth, exps, n):
        """n parts of one type, at times as a loop."""
        if n < 2 or chance(self.rng, 0.5):
            return [self.term(axes, kind, depth, exps) for _ in range(n)]
        lo = self.rng.randrange(3)
        var = self.fresh("j")
        self.loops.append((var, lo, lo + n))
        part = lt.Each(var, lo, lo + n, self.term(axes, kind, depth, exps))
        self.loops.pop()
        return [part]

    def way_concat(self, axes, kind, depth, exps):
        named = [i for i, (n, _) in enumerate(axes) if n]
        if not named:
            return None
        i = self.rng.choice(named)
        name, size = axes[i]
        resized = lambda s: axes[:i] + [(name, s)] + axes[i + 1:]
        if size > 1 and size % 2 == 0 and chance(self.rng, 0.3):
            parts = self.repeated(resized(size // 2), kind, depth, exps, 2)
        else:
            points = self.cuts(size) if size > 0 else [0, 0, 0]
            parts = self.mixed([resized(hi - lo) for lo, hi in zip(points, points[1:])],
                               kind, depth, exps)
        return lt.Join("concat", name, parts, axes, chance(self.rng, 0.5))

    def mixed(self, types, kind, depth, exps):
        """A term for each type, or zeros for any but one."""
        kept = self.rng.randrange(len(types))
        return [lt.Zeros(t) if k != kept and chance(self.rng, 0.15)
                else self.term(t, kind, depth, exps) for k, t in enumerate(types)]

    def way_stack(self, axes, kind, depth, exps):
        if not axes or not axes[0][0] or not 1 <= axes[0][1] <= 6:
            return None
        if chance(self.rng, 0.5):
            parts = self.repeated(axes[1:], kind, depth, exps, axes[0][1])
        else:
            parts = self.mixed([axes[1:]] * axes[0][1], kind, depth, exps)
        return lt.Join("stack", axes[0][0], parts, axes, chance(self.rng, 0.5))

    def way_interleave(self, axes, kind, depth, exps):
        fits = [(i, n) for i, (name, s) in enumerate(axes) for n in (1, 2, 3, 4)
                if name and s % n == 0]
        if not fits:
            return None
        i, n = self.rng.choice(fits)
        part = axes[:i] + [(axes[i][0], axes[i][1] // n)] + axes[i + 1:]
        parts = self.repeated(part, kind, depth, exps, n)
        return lt.Join("interleave", axes[i][0], parts, axes, chance(self.rng, 0.5))

    def long_axis(self, axes):
        """The index of a named axis that can be cut, or None."""
        found = [i for i, (n, s) in enumerate(axes) if n and s > 1]
        return self.rng.choice(found) if found else None

    def whole(self, axes, kind, depth, exps):
        """A term to be sliced along any axis: a weight norm's magnitude would
        be read by more than one slice."""
        before, self.norms = self.norms, False
        made = self.term(axes, kind, depth, exps)
        self.norms = before
        return made

    def way_shuffle(self, axes, kind, depth, exps):
        """All slices of one term, in another order."""
        i = self.long_axis(axes)
        if i is None:
            return None
        name, size = axes[i]
        if kind == "float" and self.norms and chance(self.rng, 0.2):
            whole = self.sliced_norm(axes, name)
        else:
            whole = self.whole(axes, kind, depth, exps)
        resized = lambda s: axes[:i] + [(name, s)] + axes[i + 1:]
        if size % 2 == 0 and size <= 100 and chance(self.rng, 0.3):
            var = self.fresh("j")
            part = lt.Slice(whole, name, f"{size}-2*{var}-2", f"{size}-2*{var}",
                            resized(2))
            return lt.Join("concat", name, [lt.Each(var, 0, size // 2, part)], axes)
        points = self.cuts(size)
        parts = [lt.Slice(whole, name, a, b, resized(b - a))
                 for a, b in zip(points, points[1:])]
        self.rng.shuffle(parts)
        return lt.Join("concat", name, parts, axes)

    def sliced_norm(self, axes, name):
        """A weight norm that may be cut along an axis, its kept one."""
        return self.norm(axes, keep=name)

    def way_part(self, axes, kind, depth, exps):
        """A part of a tensor that another use claims."""
        named = [i for i, (n, s) in enumerate(axes) if n and s > 0]
        if not named or self.in_each():
            return None
        i = self.rng.choice(named)
        name, size = axes[i]
        lo, more = self.rng.randrange(3), self.rng.randrange(3)
        larger = axes[:i] + [(name, lo + size + more)] + axes[i + 1:]
        dtype = "F32" if kind == "float" else kind
        first = lt.Leaf(self.name("t"), larger, dtype)
        sizes = lt.sizes_of(larger)
        for full in self.all_names(first.name):
            self.tensors[full] = (dtype, sizes, self.data(dtype, sizes))
        self.extra.append(first)
        second = lt.Leaf(first.name, larger, dtype, around="also")
        return lt.Slice(second, name, lo, lo + size, axes)

    # --- outputs ---

    def axes(self):
        """A type in the layout's order."""
        rank = self.rng.choice([0, 1, 1, 2, 2, 2, 3, 3, 4, 5])
        names = sorted(self.rng.sample(AXES, rank))
        sizes = [self.rng.choice([1, 2, 2, 3, 4, 4, 5, 6, 8]) for _ in names]
        while math.prod(sizes) > MAX_ELEMENTS:
            sizes[sizes.index(max(sizes))] //= 2
        if sizes and chance(self.rng, 0.08):
            sizes[self.rng.randrange(rank)] = 0
        axes = list(zip(names, sizes))
        if rank < 5 and chance(self.rng, 0.1):
            axes.insert(self.rng.randrange(rank + 1), ("", 1))
        return axes

    def kind(self):
        return "float" if chance(self.rng, 0.75) else self.rng.choice(INTEGERS)

    def cast(self, kind):
        """' as DTYPE' or nothing, and the dtype as stored, None if `store:` says."""
        if kind == "BOOL" or not chance(self.rng, 0.4):
            return "", None if kind == "float" else kind
        if kind == "float":
            to = self.rng.choice(list(lt.FLOATS))
        else:
            to = self.rng.choice([d for d in INTEGERS[1:]
                                  if kind[0] == "U" or d[0] == "I"])
        return f" as {to.lower()}", to

    def expect(self, name, dtype, axes, value):
        """value: of lt.Numbers or lt.Uses."""
        if dtype is None:
            dtype = self.store["vector" if len(axes) <= 1 else "matrix"]
        data = self.judged(name, dtype, axes, value)
        self.expected[name] = (dtype, lt.sizes_of(axes), data)

    def judged(self, _name, _dtype, _axes, value):
        return value(lt.Numbers(self.tensors))

    def environment(self, env):
        return {**env, "": self.source_prefix(env)}

    def add_output(self, indent, term, kind):
        name, (cast, dtype) = self.fresh("o"), self.cast(kind)
        self.lines.append(f"{indent}{name}: {term.text()}{cast}")
        for env in self.envs():
            self.expect(lt.fill(self.target, env) + name, dtype, term.axes,
                        lambda of, env=env: term.value(self.environment(env), of))

    def add_tensors(self, indent, n):
        self.lines.append(f"{indent}tensors:")
        for _ in range(n):
            self.add_one(indent + "  ")
        self.add_extra(indent + "  ")

    def add_one(self, indent):
        axes, kind = self.axes(), self.kind()
        self.add_output(indent, self.term(axes, kind, self.rng.randrange(5)), kind)

    def add_extra(self, indent):
        """First uses of what was read by also()."""
        for term in self.extra:
            kind = "float" if term.dtype in lt.FLOATS else term.dtype
            named = [x for x in term.axes if x[0]]
            ordered = sorted(named, key=lambda x: self.layout.index(x[0]))
            if named != ordered:
                if named != term.axes:
                    term = lt.Call("squeeze", term, named)
                term = lt.Call("permute", term, ordered, [n for n, _ in ordered])
            self.add_output(indent, term, kind)
        self.extra = []

    def add_pieces(self, indent, whole, axis, kind):
        """The lines of `into:`, and what they give."""
        name, size = whole.axes[axis]
        points = self.cuts(size)
        pieces = list(zip(points, points[1:]))
        self.rng.shuffle(pieces)
        for k, (lo, hi) in enumerate(pieces):
            if k > 0 and chance(self.rng, 0.3):
                self.lines.append(f"{indent}drop {lo}..{hi}: not wanted")
                continue
            text, part = self.piece(whole, axis, lo, hi)
            target = self.name("o") if self.in_each() else self.fresh("o")
            cast, dtype = self.cast(kind)
            self.lines.append(f"{indent}{target}: {text}{cast}")
            for env in self.envs():
                self.expect(lt.fill(self.target + target, env), dtype, part.axes,
                            lambda of, env=env: part.value(self.environment(env), of))

    def piece(self, whole, axis, lo, hi):
        """Of a split: its text, and what it is worth."""
        name, alone = whole.axes[axis][0], hi == lo + 1 and chance(self.rng, 0.5)
        axes = whole.axes[:axis] + [(name, hi - lo)] * (not alone) + whole.axes[axis + 1:]
        return (lo if alone else f"{lo}..{hi}",
                lt.Slice(whole, name, lo, hi, axes))

    def add_split(self, indent, axes, depth, exps=2):
        named = [i for i, (n, s) in enumerate(axes) if n and s > 0]
        if not named:
            return
        loop = chance(self.rng, 0.3) and exps > 0
        if loop:
            self.loops.append(("j0", 0, self.rng.randrange(1, 4)))
        kind, axis = self.kind(), self.rng.choice(named)
        whole = self.term(axes, kind, depth, exps)
        self.lines.append(f"{indent}- source: {whole.text()}")
        self.lines.append(f"{indent}  axis: {axes[axis][0]}")
        if loop:
            self.lines.append(f"{indent}  for: {{j0: 0..{self.loops[-1][2]}}}")
        self.lines.append(f"{indent}  into:")
        self.add_pieces(indent + "    ", whole, axis, kind)
        if loop:
            self.loops.pop()

    def add_block(self, indent):
        """`split:` first, so that first uses come later than also()."""
        wanted = [a for a in (self.axes() for _ in range(3))
                  if any(n and s for n, s in a)]
        self.lines.append(f"{indent}- " + ("split:" if wanted else "tensors:"))
        for axes in wanted:
            self.add_split(indent + "    ", axes, self.rng.randrange(4))
        if wanted:
            self.add_tensors(indent + "  ", self.many)
            return
        self.lines.pop()
        self.lines.append(f"{indent}-")
        self.add_tensors(indent + "  ", self.many)

    def add_loop(self, indent):
        """A block that is repeated, with blocks in it."""
        n = self.rng.randrange(1, 4)
        name = self.fresh("b")
        self.loops, self.source, self.target = (
            [("i", 0, n)], f"{name}.{{i}}.", f"{name}.{{i}}.")
        self.lines += [f"{indent}- for: {{i: 0..{n}}}", f"{indent}  from: {self.source}",
                       f"{indent}  to: {self.target}", f"{indent}  body:"]
        self.add_block(indent + "    ")
        self.add_block(indent + "    ")
        self.loops, self.source, self.target = [], "", ""

    def add_large(self, indent):
        """A few values of more than a slab, in which no number is computed."""
        self.norms = False
        self.lines.append(f"{indent}- tensors:")
        axes, kind = self.large_axes(), self.kind()
        self.add_output(indent + "    ", self.term(axes, kind, 3, 0), kind)
        self.add_extra(indent + "    ")
        self.lines.append(f"{indent}  split:")
        self.add_split(indent + "    ", self.large_axes(), 2, 0)
        if self.extra:
            self.lines.append(f"{indent}- tensors:")
            self.add_extra(indent + "    ")
        self.norms = True

    def large_axes(self):
        rank = self.rng.choice([1, 2, 2, 3])
        least = {1: 300_000, 2: 550, 3: 66}[rank]
        return [(n, self.rng.randrange(least, least * 5 // 4))
                for n in sorted(self.rng.sample(AXES, rank))]

    def text(self):
        store = ", ".join(f"{k}: {v.lower()}" for k, v in self.store.items())
        head = ["ttsw: 1", "model: random", "revision: 1",
                f"source_dtype: {self.source_dtype.lower()}", f"store: {{{store}}}",
                f"layout: [{', '.join(self.layout)}]", f"weight_norm: {self.spelling}",
                "map:"]
        return "\n".join(head + self.lines) + "\n"


def small(rng):
    """About twenty outputs."""
    spec = Spec(rng)
    spec.add_block("  ")
    spec.add_loop("  ")
    spec.add_block("  ")
    return spec


def large(rng):
    spec = Spec(rng)
    spec.add_large("  ")
    return spec

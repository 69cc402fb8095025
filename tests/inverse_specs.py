# SPDX-License-Identifier: MIT
"""Random specs, and which of their sources a blob still has.

In: a random.Random. Out: what language_whole.py makes, and the sources all of
whose elements are in some output as they were: an element is followed through
the moves by its name and index; what computes gives elements without an origin.
Nothing here knows of regions."""
import math

import language_terms as lt
from language_specs import chance
from language_whole import Whole

WIDER = {"F16": ("F32", "F64"), "BF16": ("F32", "F64"), "F32": ("F64",), "F64": ()}


def holds(stored, dtype, odd=False):
    """Whether a cast from dtype to stored and back changes no bit; odd: also
    not of a NaN."""
    return stored == dtype or dtype not in lt.FLOATS or (
        not odd and stored in WIDER[dtype])


class Origins(lt.Numbers):
    """An element is the (tensor, index) that it is, or None."""
    zero = None

    def leaf(self, name):
        return [(id(self.tensors[name]), i) for i in range(len(super().leaf(name)))]

    def each(self, _function, *lists):
        return [None] * min(map(len, lists))

    def together(self, _function, *lists):
        return [None] * len(lists[0])


class Followed(Whole):
    def __init__(self, rng):
        super().__init__(rng)
        self.origins = {}  # of each output's elements
        self.odd_names = set()

    def expect(self, name, dtype, axes, value):
        super().expect(name, dtype, axes, value)
        self.origins[name] = value(Origins(self.tensors))

    def leaf(self, axes, kind):
        term = super().leaf(axes, kind)
        if term.allow:
            self.odd_names.update(self.all_names(term.name))
        return term

    def restorable(self):
        """Names of sources; the two of same() are one object."""
        odd = {id(self.tensors[n]) for n in self.odd_names if n in self.tensors}
        dtypes = {id(t): t[0] for t in self.tensors.values()}
        kept = {x for name, (stored, _, _) in self.expected.items()
                for x in self.origins[name]
                if x is not None and holds(stored, dtypes[x[0]], x[0] in odd)}
        return {name for name, t in self.tensors.items()
                if all((id(t), i) in kept for i in range(math.prod(t[1])))}


class Bijective(Followed):
    """Moves and casts that keep all bits, of one source or several."""
    odd_sources = 0
    many = 4

    def __init__(self, rng, sources):
        super().__init__(rng)
        self.norms = False
        self.floats = rng.choice([("F16",), ("BF16",), ("F32",), ("F64",),
                                  ("F16", "F32"), tuple(lt.FLOATS)])
        self.wide = [d for d in lt.FLOATS if all(holds(d, x) for x in self.floats)]
        self.store = {k: rng.choice(self.wide) for k in ("matrix", "vector")}
        self.sources = sources  # identifier: root
        self.source_of = {}     # of each tensor
        for id_ in sources:
            before = set(self.tensors)
            self.lines += [f"  - source: {id_}", "    body:"]
            self.add_block("      ")
            self.add_loop("      ")
            self.source_of.update(dict.fromkeys(set(self.tensors) - before, id_))

    def one(self, indent):
        axes, kind = self.axes(), self.kind()
        self.add_output(indent, self.term(axes, kind, self.rng.randrange(6)), kind)

    def ways(self):
        return [w for w in super().ways() if w not in (self.way_exp, self.way_number)]

    def cast(self, kind):
        if kind != "float" or not chance(self.rng, 0.4):
            return super().cast(kind) if kind != "float" else ("", None)
        to = self.rng.choice(self.wide)
        return f" as {to.lower()}", to

    def leaf(self, axes, kind):
        term = super().leaf(axes, kind)
        if kind == "float" and term.dtype not in self.floats:
            term.dtype = self.rng.choice(self.floats)
            for name in self.all_names(term.name):
                sizes = lt.sizes_of(axes)
                self.tensors[name] = (term.dtype, sizes, self.data(term.dtype, sizes))
                if term.other:
                    self.tensors[name + "x"] = self.tensors[name]
            if term.around:
                self.extra[-1].dtype = term.dtype
        return term

    def way_part(self, axes, kind, depth, exps):
        """Makes sources of f32."""
        if kind == "float" and "F32" not in self.floats:
            return None
        return super().way_part(axes, kind, depth, exps)

    def add_pieces(self, indent, whole, axis, kind):
        """What is dropped is kept after all."""
        at = len(self.lines)
        super().add_pieces(indent, whole, axis, kind)
        for i in range(at, len(self.lines)):
            text = self.lines[i].strip()
            if not text.startswith("drop "):
                continue
            lo, hi = map(int, text.split()[1].rstrip(":").split(".."))
            target = self.name("o") if self.in_each() else self.fresh("o")
            self.lines[i] = f"{indent}{target}: {lo}..{hi}"
            name = whole.axes[axis][0]
            axes = whole.axes[:axis] + [(name, hi - lo)] + whole.axes[axis + 1:]
            part = lt.Slice(whole, name, lo, hi, axes)
            for env in self.envs():
                self.expect(lt.fill(self.target + target, env),
                            None if kind == "float" else kind, axes,
                            lambda of, env=env: part.value(self.environment(env), of))

    def text(self):
        sources = ", ".join(f"{n}: {{root: {r}}}" if r else f"{n}: {{}}"
                            for n, r in self.sources.items())
        return super().text().replace("map:\n", f"sources: {{{sources}}}\nmap:\n", 1)

    def checkpoints(self):
        """{source: {name in the file: (dtype, sizes, bytes)}}"""
        made = {id_: {} for id_ in self.sources}
        for name, (dtype, sizes, data) in self.tensors.items():
            id_ = self.source_of[name]
            made[id_][self.sources[id_] + name] = (dtype, sizes, lt.encode(dtype, data))
        return made

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Random specs against a slow interpreter, byte for byte.

In: --seed=NUMBER, see language_case.py. Out: every output of every spec is what
language_terms.py gives, with one thread and with two; values that cannot be
stored are refused, by name of the first one."""
import re
import subprocess
import unittest

import checkpoints as ck
import language_numbers as num
import language_specs
import language_whole
import language_terms as lt
from language_case import HEAD, Holder


class Values(Holder):
    def check(self, spec):
        self.write(spec)
        self.compile("1.ttsb", "-j1")
        self.compile("2.ttsb", "-j2")
        self.assertEqual((self.dir / "1.ttsb").read_bytes(),
                         (self.dir / "2.ttsb").read_bytes(), "-j1 and -j2")
        got = ck.blob(self.dir / "1.ttsb")["values"]
        self.assertEqual(sorted(got), sorted(spec.expected))
        for name, (dtype, sizes, data) in spec.expected.items():
            self.assertEqual(got[name][:2], (dtype, sizes), name)
            if got[name][2] != lt.encode(dtype, data):
                self.fail(self.told(spec, name, got[name][2]))
        return len(spec.expected)

    def told(self, spec, name, raw):
        dtype, _, data = spec.expected[name]
        have, want = num.decode(dtype, raw), num.decode(dtype, lt.encode(dtype, data))
        at = [i for i, (x, y) in enumerate(zip(have, want))
              if num.encode(dtype, [x]) != num.encode(dtype, [y])]
        key = re.sub(r".*\.(?=o)|\.(scale|shift|weight|bias)$", "", name)
        line = next((x for x in spec.lines if re.match(rf"\s*{key}\b", x)), "")
        return (f"{name}: {len(at)} of {len(have)} differ, first [{at[0]}]: "
                f"{have[at[0]]!r}, not {want[at[0]]!r}\n{line}\n{spec.text()}")

    def test_small(self):
        self.sweep("small", 40, lambda rng, _: self.check(language_specs.small(rng)))

    def test_large(self):
        self.sweep("large", 5, lambda rng, _: self.check(language_specs.large(rng)))
        self.sweep("larger", 5, lambda rng, _: self.check(language_whole.large(rng)))

    def test_wide(self):
        self.sweep("wide", 8, lambda rng, _: self.check(language_whole.wide(rng)))

    def test_whole(self):
        """Of the whole language; and what came out that cannot be stored."""
        self.refused = 0

        def run(rng, _):
            spec = language_whole.whole(rng)
            outputs = self.check(spec)
            for refusal in spec.refusals:
                self.check_refusal(spec, refusal)
                self.refused += 1
            return outputs
        self.sweep("whole", 150, run)
        print(f"whole: {self.refused} values refused")

    def check_refusal(self, spec, refusal):
        (self.dir / "s.yaml").write_text(spec.refused_text(refusal))
        ck.write(self.dir / "c.safetensors", {
            n: (d, s, lt.encode(d, x)) for n, (d, s, x) in refusal.tensors.items()})
        done = subprocess.run([ck.TTSWC, "compile", "-q", "s.yaml", "c.safetensors", "-o", "r"],
                              cwd=self.dir, capture_output=True, text=True)
        place = ",".join(map(str, refusal.place()))
        many = (f"1 value of `{refusal.name}` does" if refusal.count == 1 else
                f"{refusal.count} values of `{refusal.name}` do")
        says = (f"E0602]: {many} not fit {refusal.dtype.lower()}, first "
                f"{refusal.value:g} at [{place}]\n")
        self.assertIn(says, done.stderr, spec.refused_text(refusal))
        self.assertEqual(done.returncode, 1)


class Known(Holder):
    """Small values whose bytes are plain to see."""

    def given(self, body, tensors):
        """tensors: of u8 where their numbers are integers, else of f32."""
        (self.dir / "s.yaml").write_text(HEAD + body)
        made = {}
        for name, (sizes, data) in tensors.items():
            dtype = "U8" if any(isinstance(x, int) for x in data) else "F32"
            made[name] = (dtype, sizes, num.encode(dtype, data))
        ck.write(self.dir / "c.safetensors", made)

    def values(self, body, **tensors):
        self.given(body, tensors)
        self.compile("o.ttsb")
        return {n: num.decode(v[0], v[2])
                for n, v in ck.blob(self.dir / "o.ttsb")["values"].items()}

    def refused(self, body, **tensors):
        self.given(body, tensors)
        return self.compile("o.ttsb", code=1)[1]

    def test_last_piece_alone(self):
        """One target, the only use of its source, but not from its start."""
        got = self.values("""\
  - split:
    - source: w [a=3, b=2]
      axis: a
      into:
        drop 0..2: not wanted
        x: 2..3
        """, w=([3, 2], range(6)))
        self.assertEqual(got, {"x": [4, 5]})

    def test_one_term_of_a_stack(self):
        """An axis that goes away takes with it where a term lay."""
        got = self.values("""\
  - split:
    - source: stack(a, v [b=2], w [b=2])
      axis: a
      into: {x: 1, y: 0}
  - tensors:
      z: squeeze(slice(stack(a, also(v [b=2]), also(w [b=2])), a, 0..1), a)
        """, v=([2], [1, 2]), w=([2], [3, 4]))
        self.assertEqual(got, {"x": [3, 4], "y": [1, 2], "z": [1, 2]})

    def test_empty_norm(self):
        """Nothing of v is there to be cut, and g is used all the same."""
        for term in ("merge(weight_norm(n, keep=b) [a=0, b=2], a * b -> c)",
                     "slice(weight_norm(n, keep=b) [a=0, b=2], b, 0..2)",
                     "rope_half(weight_norm(n, keep=b) [a=0, b=2], b, heads=1)"):
            got = self.values(f"""\
  - source_dtype: f32
    weight_norm: legacy
    tensors: {{o: '{term}'}}
""", n_g=([1, 2], [1.0, 1.0]), n_v=([0, 2], []))
            self.assertEqual(got, {"o": []}, term)

    def test_what_does_not_fit(self):
        """The sign of an infinity is said, and NaN is no infinity."""
        for x, said in ((0.0, "inf"), (-0.0, "-inf")):
            err = self.refused("  - tensors: {o: 'reciprocal(x f32[a=2])'}\n",
                               x=([2], [1.0, x]))
            self.assertIn(f"1 value of `o` does not fit f32, first {said} at [1]\n", err)
        err = self.refused("  - tensors: {o: 'div(x f32[a=2], y f32[a=2])'}\n",
                           x=([2], [1.0, 0.0]), y=([2], [1.0, 0.0]))
        self.assertIn("1 value of `o` does not fit f32, first nan at [1]\n", err)

    def test_axis_of_a_fold(self):
        """`out`, if nothing is said."""
        got = self.values("""\
  - source_dtype: f32
    tensors:
      w: fold_batchnorm(w [c=2, out=2], n, eps=3.0, affine=no)
""", w=([2, 2], [1.0, 2.0, 3.0, 4.0]),
                          **{"n.running_mean": ([2], [1.0, 5.0]),
                             "n.running_var": ([2], [1.0, 13.0])})
        self.assertEqual(got, {"w.weight": [0.5, 0.5, 1.5, 1.0],
                               "w.bias": [-0.5, -1.25]})

    def test_order_of_atoms(self):
        """A merged axis stands where what it is made of stands."""
        body = "  - tensors: {{o: 'merge(w u8[{}], {} -> b)'}}\n"
        got = self.values(body.format("a=2, b=3", "a * b"), w=([2, 3], range(6)))
        self.assertEqual(got, {"o": list(range(6))})
        err = self.refused(body.format("b=2, a=3", "b * a"), w=([2, 3], range(6)))
        self.assertIn("E0404", err)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fixtures/probes.py against the standard library's probes, which need no numpy:
arrays, torch's tensors and files give the numbers that section 16 defines."""
import importlib.util
import json
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import needs_torch  # noqa: F401, first: it skips
import numpy as np
import torch

import checkpoints as ck
import probes_again

SCRIPT = ck.FIXTURES / "probes.py"
SPEC = importlib.util.spec_from_file_location("probes", SCRIPT)
probes = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(probes)
EFFECTIVE = ck.FIXTURES / "gpt" / "gpt_tiny.effective.safetensors"


class Script(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.out = Path(holder.name) / "out.json"

    def same(self, want, **options):
        have, want = json.loads(self.out.read_text()), probes_again.probes(want, **options)
        self.assertEqual(have["seed"], want["seed"])
        self.assertEqual(list(have["tensors"]), list(want["tensors"]))
        for name, x in want["tensors"].items():
            y = have["tensors"][name]
            self.assertEqual(x["shape"], y["shape"])
            self.assertEqual(len(x["probes"]), len(y["probes"]))
            for a, b in zip(x["probes"], y["probes"]):
                self.assertAlmostEqual(a, b, delta=1e-12 * (1 + x["sumsq"]))

    def test_program(self):
        subprocess.run([sys.executable, SCRIPT, EFFECTIVE, "-o", self.out, "--seed", "9",
                        "--count", "3"], check=True)
        self.same(ck.read(EFFECTIVE), seed=9, count=3)

    def test_tensors_of_torch(self):
        """Not contiguous, a parameter, bf16, a scalar, empty."""
        x = torch.arange(24, dtype=torch.float32).reshape(4, 6) / 7
        given = {"t": x.t(), "p": torch.nn.Parameter(x[:, ::2]), "b": x.bfloat16(),
                 "s": torch.tensor(0.5), "e": torch.zeros(0, 3),
                 "n": np.asfortranarray(x.numpy())}
        probes.write_probes(self.out, given)
        want = {}
        for name, tensor in given.items():
            array = probes.as_array(tensor)
            want[name] = ("F64", list(array.shape),
                          np.ascontiguousarray(array).tobytes())
        self.same(want)

    def test_more_than_a_block(self):
        x = np.random.default_rng(1).standard_normal(3000).astype(np.float32)
        before, probes.BLOCK = probes.BLOCK, 1024
        self.addCleanup(setattr, probes, "BLOCK", before)
        probes.write_probes(self.out, {"x": x}, seed=2 ** 63, count=64)
        self.same({"x": ("F32", [3000], x.tobytes())}, seed=2 ** 63, count=64)

    def test_refused(self):
        with self.assertRaisesRegex(ValueError, "x: it holds NaN"):
            probes.write_probes(self.out, {"x": np.array([1, np.nan])})
        self.assertFalse(self.out.exists())


if __name__ == "__main__":
    unittest.main()

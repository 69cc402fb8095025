#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fixtures/gpt is torch's own answer: the effective checkpoint is computed
here once more from the other one. Also what `transposed` means: a Conv1D of
GPT-2 (x @ w + b) and a Linear with the effective weight (x @ w.T + b) give the
same."""
import unittest

import needs_torch  # noqa: F401, first: it skips
import torch
from safetensors.torch import load_file

import checkpoints as ck

CONV1D = ("attn.c_attn.weight", "attn.c_proj.weight", "mlp.c_fc.weight",
          "mlp.c_proj.weight")


class GptFixture(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = ck.FIXTURES / "gpt"
        cls.given = load_file(folder / "gpt_tiny.safetensors")
        cls.effective = load_file(folder / "gpt_tiny.effective.safetensors")
        cls.conv1d = [n for n in cls.given if n.endswith(CONV1D)]

    def test_names(self):
        self.assertEqual(self.given.keys(), self.effective.keys())
        self.assertEqual(len(self.given), 521)
        self.assertEqual(len(self.conv1d), 48)

    def test_effective(self):
        for name, tensor in self.given.items():
            with self.subTest(name):
                want = tensor.t() if name in self.conv1d else tensor
                have = self.effective[name]
                self.assertEqual((have.dtype, have.shape),
                                 (want.dtype, want.shape))
                self.assertTrue(torch.equal(have, want))

    def test_linear_with_the_effective_weight(self):
        generator = torch.Generator().manual_seed(1)
        square = 0
        for name in self.conv1d:
            with self.subTest(name):
                weight = self.given[name].double()
                bias = self.given[name.replace("weight", "bias")].double()
                x = torch.randn(5, weight.shape[0], generator=generator,
                                dtype=torch.float64)
                want = torch.addmm(bias, x, weight)
                linear = torch.nn.functional.linear
                have = linear(x, self.effective[name].double(), bias)
                torch.testing.assert_close(have, want)
                if weight.shape[0] == weight.shape[1]:
                    square += 1
                    wrong = linear(x, weight, bias)
                    self.assertGreater((wrong - want).abs().max(), 0.1)
        self.assertEqual(square, 12)


if __name__ == "__main__":
    unittest.main()

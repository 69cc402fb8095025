#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Memory of stats and of compile --stats: 16 MiB at -j2, and for each tensor of
a checkpoint and each output a kilobyte beside what test_memory.py allows,
whatever the payload. Held by RLIMIT_DATA."""
import resource
import unittest

import checkpoints as ck
from test_stats import SMALL, Folder


class Memory(Folder):
    def limited(self, limit, *args):
        return ck.ttswc(*args, preexec_fn=lambda: resource.setrlimit(
            resource.RLIMIT_DATA, (limit, limit)))

    def test_large(self):
        ck.write_sparse(self.ckpt, {"w": ("F32", [1 << 13, 1 << 13]), "v": ("F16", [1 << 20])})
        out, _ = self.limited(16 << 20, "stats", "-j2", "--allow", "W0611", self.ckpt)
        self.assertIn("Total weights: 2 tensors, 271 MB", out)

    def test_many(self):
        n = 20000
        (self.dir / "x.yaml").write_text(SMALL.replace("      w: w [out=2, in=2]\n", "").replace(
            "  - tensors:\n", '  - for: {i: 0..20000}\n    tensors:\n'
            '      "t.{i}.b": "l.{i}.b [out=8]"\n'))
        ck.write_sparse(self.ckpt, {f"l.{i}.b": ("F32", [8]) for i in range(n)})
        texts = 4 * (self.ckpt.stat().st_size - 32 * n)
        limit = (16 << 20) + 2 * n * (512 + 900) + 2 * texts
        self.limited(limit, "compile", "-q", "-j2", self.dir / "x.yaml", self.ckpt, "-o",
                     self.dir / "x.ttsb", "--stats", "--allow", "W0611", "--allow", "W0613")


if __name__ == "__main__":
    unittest.main()

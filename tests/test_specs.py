#!/usr/bin/env python3
"""Every spec of a released model that has its manifest in fixtures: exact
cover, and not one tensor less will do."""
import pathlib
import tempfile
import unittest

import checkpoints as ck

# Spec, manifest, tensors.
COVERED = (("community/vocos_mel_24khz.yaml", "vocos_mel_24khz", 83),
           ("indextts2/bigvgan.yaml", "bigvgan", 783),
           ("indextts2/gpt.yaml", "gpt", 665))


class Specs(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.ckpt = pathlib.Path(holder.name) / "x.safetensors"

    def test_exact_cover(self):
        for spec, manifest, count in COVERED:
            shapes = ck.manifest(manifest)
            self.assertEqual(len(shapes), count)
            ck.write_sparse(self.ckpt, shapes)
            out, err = ck.ttswc("check", ck.SPECS / spec, self.ckpt)
            self.assertEqual(out.split()[1:], [f"{count}/{count}"])
            self.assertEqual(err, "")

    def test_one_less(self):
        for spec, manifest, count in COVERED:
            shapes = ck.manifest(manifest)
            lost = sorted(shapes)[count // 2]
            del shapes[lost]
            ck.write_sparse(self.ckpt, shapes)
            out, err = ck.ttswc("check", ck.SPECS / spec, self.ckpt, code=1)
            self.assertIn(f"{count - 1}/{count}, 1 missing: {lost}", out)

    def test_every_manifest_is_covered(self):
        have = {p.stem for p in (ck.FIXTURES / "manifests").glob("*.json")}
        self.assertEqual(have, {manifest for _, manifest, _ in COVERED})


if __name__ == "__main__":
    unittest.main()

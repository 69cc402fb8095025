#!/usr/bin/env python3
"""Every spec of a released model that has its manifest in fixtures: exact
cover, and not one tensor less will do."""
import pathlib
import tempfile
import unittest

import checkpoints as ck

# Spec, manifests, tensors.
COVERED = (("community/vocos_mel_24khz.yaml", ["vocos_mel_24khz"], 83),
           ("indextts2/bigvgan.yaml", ["bigvgan"], 783),
           ("indextts2/campplus.yaml", ["campplus"], 937),
           ("indextts2/feat.yaml", ["feat1", "feat2"], 2),
           ("indextts2/gpt.yaml", ["gpt"], 665),
           ("indextts2/qwen_emo.yaml", ["qwen_emo"], 310),
           ("indextts2/s2mel.yaml", ["s2mel"], 284),
           ("indextts2/semantic_codec.yaml", ["semantic_codec"], 239),
           ("indextts2/w2vbert.yaml", ["w2vbert"], 773),
           ("indextts2/w2vbert_stats.yaml", ["w2vbert_stats"], 2))


COUNTER = ".num_batches_tracked"              # of a BatchNorm: it may be absent


def shapes_of(manifests):
    return {name: shape for m in manifests for name, shape in ck.manifest(m).items()}


class Specs(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.ckpt = pathlib.Path(holder.name) / "x.safetensors"

    def test_exact_cover(self):
        for spec, manifests, count in COVERED:
            shapes = shapes_of(manifests)
            self.assertEqual(len(shapes), count)
            ck.write_sparse(self.ckpt, shapes)
            out, err = ck.ttswc("check", ck.SPECS / spec, self.ckpt)
            self.assertEqual(out.split()[1:], [f"{count}/{count}"])
            self.assertEqual(err, "")

    def test_one_less(self):
        for spec, manifests, count in COVERED:
            shapes = shapes_of(manifests)
            needed = [n for n in sorted(shapes) if not n.endswith(COUNTER)]
            lost = needed[len(needed) // 2]
            del shapes[lost]
            ck.write_sparse(self.ckpt, shapes)
            out, err = ck.ttswc("check", ck.SPECS / spec, self.ckpt, code=1)
            self.assertIn(f"{count - 1}/{count}, 1 missing: {lost}", out)

    def test_every_manifest_is_covered(self):
        have = {p.stem for p in (ck.FIXTURES / "manifests").glob("*.json")}
        self.assertEqual(have, {m for _, manifests, _ in COVERED for m in manifests})


if __name__ == "__main__":
    unittest.main()

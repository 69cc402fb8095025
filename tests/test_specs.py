#!/usr/bin/env python3
"""Every spec of a released model that has its manifest in fixtures: exact
cover, and not one tensor less will do."""
import pathlib
import tempfile
import unittest

import checkpoints as ck

# Spec, manifests (of each source, where there are several), tensors.
COVERED = (("community/chatterbox_s3gen.yaml", ["chatterbox_s3gen"], 2490),
           ("community/cosyvoice2_0.5b.yaml",
            {"llm": "cosyvoice2_0.5b_llm", "flow": "cosyvoice2_0.5b_flow",
             "hift": "cosyvoice2_0.5b_hift"}, 1744),
           ("community/dia_1.6b.yaml", ["dia_1.6b_orig"], 343),
           ("community/kokoro_82m.yaml", ["kokoro_82m_flat"], 548),
           ("community/mimi.yaml", ["mimi_moshi_orig"], 318),
           ("community/mms_tts_eng.yaml", ["mms_tts_eng"], 762),
           ("community/openaudio_s1_codec.yaml", ["openaudio_modded_dac"], 535),
           ("community/vocos_mel_24khz.yaml", ["vocos_mel_24khz"], 83),
           ("community/xtts_v2.yaml", ["xtts_v2"], 963),
           ("examples/minilm.yaml", ["minilm"], 104),
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


def locks_of(manifests):
    """What `check` is given."""
    if isinstance(manifests, dict):
        return [a for source, m in manifests.items()
                for a in ("--source", f"{source}={ck.lock(m)}")]
    return [ck.lock(m) for m in manifests]


def shapes_of(manifests):
    """{source: {name: (dtype, shape)}}; a single source is called ""."""
    if isinstance(manifests, dict):
        return {source: ck.manifest(m) for source, m in manifests.items()}
    return {"": {name: t for m in manifests for name, t in ck.manifest(m).items()}}


class Specs(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def check_files(self, spec, shapes):
        """By headers of files whose data is a hole."""
        args = []
        for source, tensors in shapes.items():
            path = self.dir / f"{source}.safetensors"
            ck.write_sparse(path, tensors)
            args += ["--source", f"{source}={path}"] if source else [path]
        return ck.ttswc("check", ck.SPECS / spec, *args)

    def test_exact_cover(self):
        for spec, manifests, count in COVERED:
            shapes = shapes_of(manifests)
            self.assertEqual(sum(map(len, shapes.values())), count)
            out, err = ck.ttswc("check", ck.SPECS / spec, *locks_of(manifests))
            self.assertEqual(out.split()[1::2],
                             [f"{len(t)}/{len(t)}" for s, t in shapes.items() if s]
                             + [f"{count}/{count}"])
            self.assertEqual(err, "")
            self.assertEqual(self.check_files(spec, shapes), (out, err))

    def test_one_less(self):
        for spec, manifests, count in COVERED:
            *others, last = locks_of(manifests)
            source, path = "", last
            if isinstance(last, str):
                source, path = last.split("=")
                source += "="
            lines = pathlib.Path(path).read_text().splitlines(keepends=True)
            needed = [n for n in lines[1:] if n[0] != "#" and COUNTER + " " not in n]
            line = needed[len(needed) // 2]
            lines.remove(line)
            lost = line.split()[0]
            (self.dir / "less.lock").write_text("".join(lines))
            out, _ = ck.ttswc("check", ck.SPECS / spec, *others,
                              f"{source}{self.dir / 'less.lock'}", code=1)
            self.assertIn(f"{count - 1}/{count}, 1 missing: {lost}", out)

    def test_every_spec_is_covered(self):
        have = {f"community/{p.name}" for p in ck.SPECS.glob("community/*.yaml")}
        self.assertEqual(have, {s for s, _, _ in COVERED if s in have})

    def test_every_manifest_is_covered(self):
        have = {p.stem for p in (ck.FIXTURES / "manifests").glob("*.lock")}
        self.assertEqual(have, {
            m for _, given, _ in COVERED
            for m in (given.values() if isinstance(given, dict) else given)})


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The models of IndexTTS-2 beside the GPT and the vocoder, in their reduced
forms: every output of the blob is what torch itself makes of the checkpoint (its
effective weights), moved here as the spec moves it.

Bit for bit, but for what is computed: weight norm at most 3 ulp from torch's
own; a folded BatchNorm at most 2 ulp from weight * scale in binary64, and 2e-6
where numbers cancel (shifts)."""
import math
import struct
import tempfile
import unittest
from pathlib import Path

import checkpoints as ck
from moved import Moved, absolute, rows_of, ulps

SPECS = ck.SPECS / "indextts2"
WEIGHT_NORM = (ulps, 3)
FOLDED = (ulps, 2)
SHIFT = (absolute, 2e-6)


class S2mel(Moved):
    D, HEADS, LAYERS = 12, 2, 13

    def __init__(self, torch):
        super().__init__(torch)
        e, d = "cfm.estimator", "dit"
        for i in range(3):
            self.linear(f"latent.{i}", f"gpt_layer.{i}")
        self.regulator("length_regulator", "lr")
        for t in ("", "2"):
            for i in (0, 1):
                self.linear(f"{d}.time{t}.mlp.{i}", f"{e}.t_embedder{t}.mlp.{2 * i}")
        for to, name in (("cond", "cond_projection"), ("skip", "skip_linear"),
                         ("merge", "cond_x_merge_linear"), ("conv1", "conv1"),
                         ("res", "res_projection")):
            self.linear(f"{d}.{to}", f"{e}.{name}")
        for i in range(self.LAYERS):
            self.layer(f"{e}.transformer.layers.{i}", f"{d}.blk.{i}")
        for i in range(6):
            self.linear(f"{d}.skip_in.{i}",
                        f"{e}.transformer.layers.{i + 7}.skip_in_linear")
        self.norm(f"{e}.transformer.norm", f"{d}.norm")
        self.wavenet(f"{e}.wavenet", f"{d}.wn")
        for part in ("weight", "bias"):                  # shift first, here only
            self.cut(f"{e}.final_layer.adaLN_modulation.1.{part}",
                     [f"{d}.last.shift.{part}", f"{d}.last.scale.{part}"])
        self.copy(f"{d}.last.weight", f"{e}.final_layer.linear.weight", WEIGHT_NORM)
        self.copy(f"{d}.last.bias", f"{e}.final_layer.linear.bias")
        self.pointwise(f"{d}.conv2", f"{e}.conv2")

    def regulator(self, source, target):
        self.linear(f"{target}.content", f"{source}.content_in_proj")
        for j in range(4):
            self.linear(f"{target}.layer.{j}.conv", f"{source}.model.{3 * j}")
            self.linear(f"{target}.layer.{j}.norm", f"{source}.model.{3 * j + 1}")
        self.pointwise(f"{target}.out", f"{source}.model.12")

    def norm(self, source, target):
        self.copy(f"{target}.weight", f"{source}.norm.weight")
        for part in ("weight", "bias"):
            self.cut(f"{source}.project_layer.{part}",
                     [f"{target}.scale.{part}", f"{target}.shift.{part}"])

    def layer(self, source, target):
        for to, name in (("attn_norm", "attention_norm"), ("ffn_norm", "ffn_norm")):
            self.norm(f"{source}.{name}", f"{target}.{to}")
        dtype, shape, data = self.take(f"{source}.attention.wqkv.weight")
        rows = rows_of((dtype, shape, data))
        d = self.D
        rows = rotated(rows[:d], self.HEADS) + rotated(rows[d:2 * d], self.HEADS) + \
            rows[2 * d:]
        self.cut(None, [f"{target}.attn.{x}.weight" for x in "qkv"],
                 (dtype, shape, b"".join(rows)))
        self.copy(f"{target}.attn.out.weight", f"{source}.attention.wo.weight")
        self.in_turn(f"{target}.ff.gate_up.weight",
                     [f"{source}.feed_forward.w{n}.weight" for n in "13"])
        self.copy(f"{target}.ff.down.weight", f"{source}.feed_forward.w2.weight")

    def wavenet(self, source, target):
        self.pointwise(f"{target}.cond", f"{source}.cond_layer.conv.conv",
                       WEIGHT_NORM)
        for w in range(8):
            inner = f"{source}.in_layers.{w}.conv.conv"
            self.copy(f"{target}.layer.{w}.conv.weight", f"{inner}.weight",
                      WEIGHT_NORM)
            self.copy(f"{target}.layer.{w}.conv.bias", f"{inner}.bias")
            self.pointwise(f"{target}.layer.{w}.res_skip",
                           f"{source}.res_skip_layers.{w}.conv.conv", WEIGHT_NORM)


def rotated(rows, heads):
    """Pairs (2k, 2k+1) of each head become (k, k + half)."""
    size = len(rows) // heads
    return [rows[h * size + k] for h in range(heads)
            for k in (*range(0, size, 2), *range(1, size, 2))]


class W2vbert(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        self.linear("norm", "feature_projection.layer_norm")
        self.linear("proj", "feature_projection.projection")
        for i in range(8):
            self.layer(f"encoder.layers.{i}", f"blk.{i}")

    def layer(self, source, target):
        for n in "12":
            for to, name in (("norm", f"ffn{n}_layer_norm"),
                             ("up", f"ffn{n}.intermediate_dense"),
                             ("down", f"ffn{n}.output_dense")):
                self.linear(f"{target}.ff{n}.{to}", f"{source}.{name}")
        attention, conv = f"{source}.self_attn", f"{source}.conv_module"
        for part in ("weight", "bias"):
            self.join(f"{target}.attn.qkv.{part}",
                      [f"{attention}.linear_{x}.{part}" for x in "qkv"])
        self.copy(f"{target}.attn.dist", f"{attention}.distance_embedding.weight")
        for to, name in (("attn.norm", "self_attn_layer_norm"),
                         ("attn.out", "self_attn.linear_out"),
                         ("conv.norm", "conv_module.layer_norm"),
                         ("conv.dwnorm", "conv_module.depthwise_layer_norm"),
                         ("norm", "final_layer_norm")):
            self.linear(f"{target}.{to}", f"{source}.{name}")
        for n in "12":
            self.squeezed(f"{target}.conv.pw{n}.weight",
                          f"{conv}.pointwise_conv{n}.weight")
        self.squeezed(f"{target}.conv.dw.weight", f"{conv}.depthwise_conv.weight", 1)


class Codec(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        for name in ("embed", "norm"):
            self.linear(f"enc.{name}", f"encoder.0.{name}")
        self.linear("enc.final_norm", "encoder.0.final_layer_norm")
        self.linear("enc.out", "encoder.1")
        for i in range(12):
            for to, name in (("conv", "dwconv"), ("norm", "norm"),
                             ("up", "pwconv1"), ("down", "pwconv2")):
                self.linear(f"enc.blk.{i}.{to}", f"encoder.0.convnext.{i}.{name}")
            self.copy(f"enc.blk.{i}.gamma", f"encoder.0.convnext.{i}.gamma")
        q = "quantizer.quantizers.0"
        self.pointwise("quant.pre", f"{q}.in_project", WEIGHT_NORM)
        self.copy("quant.codebook.weight", f"{q}.codebook.weight")
        self.pointwise("quant.post", f"{q}.out_project", WEIGHT_NORM)


class Campplus(Moved):
    """torch: the effective weights, where a BatchNorm is scale and shift;
    stored: the checkpoint, for scales that were never rounded."""

    def __init__(self, torch):
        super().__init__(torch)
        self.stored = ck.read(ck.FIXTURES / "campplus" / "campplus_tiny.safetensors")
        for n in "12":
            self.fold(f"head.conv{n}", f"head.conv{n}", f"head.bn{n}")
            self.fold(f"head.layer{n}.shortcut", f"head.layer{n}.0.shortcut.0",
                      f"head.layer{n}.0.shortcut.1")
            for b in "01":
                for j in "12":
                    self.fold(f"head.layer{n}.blk.{b}.conv{j}",
                              f"head.layer{n}.{b}.conv{j}",
                              f"head.layer{n}.{b}.bn{j}")
        x = "xvector"
        self.fold("tdnn", f"{x}.tdnn.linear", f"{x}.tdnn.nonlinear.batchnorm")
        for n, layers in ((1, 12), (2, 24), (3, 16)):
            for j in range(layers):
                self.layer(f"{x}.block{n}.tdnnd{j + 1}", f"block{n}.{j}")
            self.scale(f"transit{n}.pre", f"{x}.transit{n}.nonlinear.batchnorm")
        for n in "12":
            self.squeezed(f"transit{n}.fc.weight", f"{x}.transit{n}.linear.weight")
        self.fold("transit3.fc", f"{x}.transit3.linear",
                  f"{x}.out_nonlinear.batchnorm", squeeze=True)
        self.fold("dense", f"{x}.dense.linear", f"{x}.dense.nonlinear.batchnorm",
                  squeeze=True)

    def layer(self, source, target):
        self.scale(f"{target}.pre", f"{source}.nonlinear1.batchnorm")
        self.fold(f"{target}.fc", f"{source}.linear1",
                  f"{source}.nonlinear2.batchnorm", squeeze=True)
        self.copy(f"{target}.local.weight", f"{source}.cam_layer.linear_local.weight")
        for n in "12":
            self.pointwise(f"{target}.cam{n}", f"{source}.cam_layer.linear{n}")

    def scale(self, target, norm):
        self.copy(f"{target}.scale", f"{norm}.scale", FOLDED)
        self.copy(f"{target}.shift", f"{norm}.shift", SHIFT)

    def fold(self, target, conv, norm, squeeze=False):
        dtype, shape, data = self.take(f"{conv}.weight")
        scale = self.exact_scale(norm)
        rows = [struct.pack(f"<{len(row) // 4}f",
                            *(x * s for x in ck.floats("F32", row)))
                for row, s in zip(rows_of((dtype, shape, data)), scale)]
        assert len(rows) == len(scale), conv
        if squeeze:
            assert shape[2:] == [1], conv
            shape = shape[:2]
        self.put(f"{target}.weight", (dtype, shape, b"".join(rows)), FOLDED)
        self.copy(f"{target}.bias", f"{norm}.shift", SHIFT)

    def exact_scale(self, norm):
        self.used.add(f"{norm}.scale")

        def stored(part):
            return ck.floats("F32", self.stored[f"{norm}.{part}"][2])
        var = stored("running_var")
        gamma = stored("weight") if f"{norm}.weight" in self.stored else [1] * len(var)
        return [g / math.sqrt(v + 1e-5) for g, v in zip(gamma, var)]


class Qwen(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        self.copy("embed.weight", "model.embed_tokens.weight")
        self.put("head.weight", self.take("model.embed_tokens.weight"))
        self.copy("norm.weight", "model.norm.weight")
        for i in range(3):
            source, target = f"model.layers.{i}", f"blk.{i}"
            self.join(f"{target}.attn.qkv.weight",
                      [f"{source}.self_attn.{x}_proj.weight" for x in "qkv"])
            self.in_turn(f"{target}.mlp.gate_up.weight",
                         [f"{source}.mlp.{x}_proj.weight" for x in ("gate", "up")])
            for to, name in (("attn_norm", "input_layernorm"),
                             ("attn.q_norm", "self_attn.q_norm"),
                             ("attn.k_norm", "self_attn.k_norm"),
                             ("attn.out", "self_attn.o_proj"),
                             ("mlp_norm", "post_attention_layernorm"),
                             ("mlp.down", "mlp.down_proj")):
                self.copy(f"{target}.{to}.weight", f"{source}.{name}.weight")


class Feat(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        self.copy("spk", "feat1")
        self.copy("emo", "feat2")


class Stats(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        self.copy("mean", "mean")
        self.copy("var", "var")


class Case:
    """One model: its spec, checkpoint files, what torch makes of them, how the
    spec moves that, and how many tensors come out."""
    spec = folder = files = effective = moved = count = computed = None
    identity = 0                   # the line of IDENTITIES that begins with it

    @classmethod
    def setUpClass(cls):
        cls.folder = ck.FIXTURES / cls.folder
        with tempfile.TemporaryDirectory() as holder:
            out = Path(holder) / "a.ttsb"
            ck.ttswc("compile", SPECS / f"{cls.spec}.yaml",
                     *(cls.folder / f"{f}.safetensors" for f in cls.files), "-o", out,
                     "--map", out.with_suffix(".map"))
            ck.ttswc("verify", out)
            cls.blob = ck.blob(out)
            cls.map = out.with_suffix(".map").read_text()
        cls.torch = {}
        for file in cls.effective or cls.files:
            cls.torch.update(ck.read(cls.folder / f"{file}.safetensors"))
        cls.moved = cls.moved(cls.torch)

    def test_equal_to_torch(self):
        self.moved.check(self, self.blob["values"])
        self.assertEqual(len(self.blob["values"]), self.count)
        self.assertEqual(len(self.moved.near), self.computed)

    def test_what_is_dropped(self):
        self.assertEqual(set(self.torch) - self.moved.used, self.dropped())

    def dropped(self):
        return set()

    def test_known_identity(self):
        known = (self.folder / "IDENTITIES").read_text().split()
        self.assertEqual([self.blob["contract_id"], self.blob["root"]],
                         known[self.identity:self.identity + 2])


class TestS2mel(Case, unittest.TestCase):
    spec, folder, files = "s2mel_tiny", "s2mel", ["s2mel_tiny"]
    effective, moved, count, computed = ["s2mel_tiny.effective"], S2mel, 311, 18

    def dropped(self):
        e = "cfm.estimator"
        return {f"{e}.x_embedder.weight", f"{e}.x_embedder.bias", f"{e}.input_pos",
                f"{e}.cond_embedder.weight", f"{e}.content_mask_embedder.weight",
                f"{e}.t_embedder.freqs", f"{e}.t_embedder2.freqs",
                "length_regulator.embedding.weight", "length_regulator.mask_token",
                *(f"{e}.transformer.layers.{i}.skip_in_linear.{part}"
                  for i in range(7) for part in ("weight", "bias"))}

    def test_rotary_rows_move(self):
        """The comparison above can see it, and v stays."""
        for i in range(13):
            _, _, data = self.torch[
                f"cfm.estimator.transformer.layers.{i}.attention.wqkv.weight"]
            size = len(data) // 3
            for n, x in enumerate("qkv"):
                have = self.blob["values"][f"dit.blk.{i}.attn.{x}.weight"][2]
                self.assertEqual(have == data[n * size:(n + 1) * size], x == "v")


class TestW2vbert(Case, unittest.TestCase):
    spec, folder, files = "w2vbert_tiny", "w2vbert", ["w2vbert_tiny"]
    moved, count, computed = W2vbert, 228, 0

    def dropped(self):
        return {"masked_spec_embed",
                *(n for n in self.torch if n.startswith(
                    tuple(f"encoder.layers.{i}." for i in range(8, 12))))}


class TestStats(Case, unittest.TestCase):
    spec, folder, files = "w2vbert_stats_tiny", "w2vbert", ["w2vbert_stats_tiny"]
    moved, count, computed, identity = Stats, 2, 0, 2


class TestCodec(Case, unittest.TestCase):
    spec, folder, files = "semantic_codec_tiny", "codec", ["codec_tiny"]
    effective, moved, count, computed = ["codec_tiny.effective"], Codec, 121, 2

    def dropped(self):
        return {n for n in self.torch if n.startswith("decoder.")}


class TestCampplus(Case, unittest.TestCase):
    spec, folder, files = "campplus_tiny", "campplus", ["campplus_tiny"]
    effective, moved, count = ["campplus_tiny.effective"], Campplus, 506
    computed = 2 * (67 + 55)

    def test_counters_are_listed(self):
        """Discarded, all 122, and nothing else is."""
        discarded = self.map.partition("DISCARDED\n")[2].partition("\n\n")[0]
        names = [line.split()[2] for line in discarded.splitlines()]
        self.assertEqual(len(set(names)), 122)
        self.assertEqual({n.rpartition(".")[2] for n in names},
                         {"num_batches_tracked"})


class TestQwen(Case, unittest.TestCase):
    spec, folder, files = "qwen_emo_tiny", "qwen", ["qwen_tiny"]
    moved, count, computed = Qwen, 27, 0

    def test_stays_bf16_and_tied(self):
        values = self.blob["values"]
        self.assertEqual({v[0] for v in values.values()}, {"BF16"})
        self.assertEqual([n for n, v in values.items() if v[3]], ["head.weight"])
        self.assertEqual(values["head.weight"][3], ["alias"])


class TestFeat(Case, unittest.TestCase):
    spec, folder, files = "feat_tiny", "feat", ["feat1_tiny", "feat2_tiny"]
    moved, count, computed = Feat, 2, 0


if __name__ == "__main__":
    unittest.main()

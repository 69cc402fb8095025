#!/usr/bin/env python3
"""IndexTTS-2's GPT.

Values: torch's weights of the real upstream module (Conv1D already transposed),
moved here as the spec moves them: rows cut, rows joined, axes of size 1 left
out. All of it is bytes, so all of it is equal bit for bit."""
import pathlib
import re
import shutil
import tempfile
import unittest

import checkpoints as ck
from moved import Moved

SPECS = ck.SPECS / "indextts2"
GPT = ck.FIXTURES / "gpt"
SQUARE = "transpose(attn.c_proj.weight [in=D, out=D]) [out=D, in=D]"


class Gpt(Moved):
    def __init__(self, torch):
        super().__init__(torch)
        for name, to, layers in (("", "spk", 6), ("emo_", "emo", 4)):
            self.conformer(f"{name}conditioning_encoder", to, layers)
            self.perceiver(f"{name}perceiver_encoder", f"{to}.perc")
        for i in range(12):
            self.layer(f"gpt.h.{i}", f"h.{i}")
        for target, source in (
                ("emo.vec", "emovec_layer"), ("emo.out", "emo_layer"),
                ("ln_f", "gpt.ln_f"), ("final_norm", "final_norm"),
                ("mel.head", "mel_head")):
            self.linear(target, source)
        for target, source in (
                ("speed", "speed_emb"), ("text.embed", "text_embedding"),
                ("text.pos", "text_pos_embedding.emb"),
                ("mel.embed", "mel_embedding"),
                ("mel.pos", "mel_pos_embedding.emb")):
            self.copy(f"{target}.weight", f"{source}.weight")

    def layer(self, source, target):
        for part in ("weight", "bias"):
            self.cut(f"{source}.attn.c_attn.{part}",
                     [f"{target}.attn.{x}.{part}" for x in "qkv"])
        for to, name in (("attn.out", "attn.c_proj"), ("mlp.up", "mlp.c_fc"),
                         ("mlp.down", "mlp.c_proj"), ("ln_1", "ln_1"),
                         ("ln_2", "ln_2")):
            self.linear(f"{target}.{to}", f"{source}.{name}")

    def conformer(self, source, target, layers):
        self.linear(f"{target}.embed.conv", f"{source}.embed.conv.0")
        self.linear(f"{target}.embed.out", f"{source}.embed.out.0")
        self.linear(f"{target}.norm", f"{source}.after_norm")
        for i in range(layers):
            self.block(f"{source}.encoders.{i}", f"{target}.blk.{i}")

    def block(self, source, target):
        attention = f"{source}.self_attn"
        for part in ("weight", "bias"):
            self.join(f"{target}.attn.qkv.{part}",
                      [f"{attention}.linear_{x}.{part}" for x in "qkv"])
        for to, name in (("attn.pos.weight", "linear_pos.weight"),
                         ("attn.pos_u", "pos_bias_u"), ("attn.pos_v", "pos_bias_v")):
            self.copy(f"{target}.{to}", f"{attention}.{name}")
        for to, name in (("attn.out", "self_attn.linear_out"),
                         ("conv.dw", "conv_module.depthwise_conv"),
                         ("conv.norm", "conv_module.norm"),
                         ("ff.w1", "feed_forward.w_1"), ("ff.w2", "feed_forward.w_2"),
                         *((n, n) for n in ("norm_mha", "norm_conv", "norm_ff",
                                            "norm_final"))):
            self.linear(f"{target}.{to}", f"{source}.{name}")
        for n in "12":
            self.pointwise(f"{target}.conv.pw{n}",
                           f"{source}.conv_module.pointwise_conv{n}")

    def perceiver(self, source, target):
        self.copy(f"{target}.latents", f"{source}.latents")
        self.copy(f"{target}.norm.weight", f"{source}.norm.gamma")
        self.linear(f"{target}.ctx", f"{source}.proj_context")
        for i in range(2):
            a, b = f"{source}.layers.{i}", f"{target}.layer.{i}"
            self.copy(f"{b}.q.weight", f"{a}.0.to_q.weight")
            self.cut(f"{a}.0.to_kv.weight", [f"{b}.k.weight", f"{b}.v.weight"])
            self.copy(f"{b}.out.weight", f"{a}.0.to_out.weight")
            for part in ("weight", "bias"):
                self.cut(f"{a}.1.0.{part}", [f"{b}.ff.value.{part}",
                                             f"{b}.ff.gate.{part}"])
            self.linear(f"{b}.ff.down", f"{a}.1.2")


class Tiny(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.dir = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.dir.cleanup)
        out = pathlib.Path(cls.dir.name) / "a.ttsb"
        ck.ttswc("compile", SPECS / "gpt_tiny.yaml", GPT / "gpt_tiny.safetensors",
                 "-o", out)
        cls.blob = ck.blob(out)
        cls.torch = ck.read(GPT / "gpt_tiny.effective.safetensors")
        cls.moved = Gpt(cls.torch)

    def test_equal_to_torch(self):
        values = self.blob["values"]
        self.moved.check(self, values)
        self.assertEqual(len(values), 537)
        self.assertEqual([v[3] for v in values.values() if v[3]], [])

    def test_what_is_dropped(self):
        self.assertEqual(set(self.torch) - self.moved.used, {
            "text_head.weight", "text_head.bias",
            "conditioning_encoder.embed.pos_enc.pe",
            "emo_conditioning_encoder.embed.pos_enc.pe"})

    def test_square_matrices_are_transposed(self):
        """The comparison above can see it: they are not symmetric."""
        stored = ck.read(GPT / "gpt_tiny.safetensors")
        for i in range(12):
            name = f"gpt.h.{i}.attn.c_proj.weight"
            self.assertEqual(stored[name][1], self.torch[name][1])
            self.assertNotEqual(stored[name][2], self.torch[name][2], name)

    def test_known_identity(self):
        known = (GPT / "IDENTITIES").read_text().split()
        self.assertEqual([self.blob["contract_id"], self.blob["root"]], known)


class Released(unittest.TestCase):
    """The spec of the released model against its manifest, in a file whose
    header is whole and whose data is a hole."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        ck.write_sparse(self.dir / "gpt.safetensors", ck.manifest("gpt"))

    def changed(self, before, after):
        """gpt.yaml over a changed body."""
        text = (SPECS / "gpt_body.yaml").read_text()
        self.assertEqual(text.count(before), 1)
        (self.dir / "gpt_body.yaml").write_text(text.replace(before, after))
        return pathlib.Path(shutil.copy(SPECS / "gpt.yaml", self.dir))

    def contract(self, spec):
        ck.ttswc("header", spec, "-o", self.dir / "x.h")
        return re.search(r"CONTRACT_ID[^}]*", (self.dir / "x.h").read_text())[0]

    def test_square_matrices_need_their_transpose(self):
        """No size shows it; the axes' names do, for all 24."""
        spec = self.changed(SQUARE, "attn.c_proj.weight [in=D, out=D]")
        _, err = ck.ttswc("check", spec, self.dir / "gpt.safetensors", code=1)
        self.assertEqual(err.count("error["), 1, err)
        self.assertIn("error[E0404]: output `h.0.attn.out.weight`", err)
        self.assertIn("{0..23}", err)
        self.assertIn("24 errors", err)

    def test_a_wrong_claim_is_another_contract(self):
        """Sizes cannot tell a false [out, in]: the engine refuses the blob."""
        spec = self.changed(SQUARE, "attn.c_proj.weight [out=D, in=D]")
        ck.ttswc("check", spec, self.dir / "gpt.safetensors")
        self.assertNotEqual(self.contract(spec), self.contract(SPECS / "gpt.yaml"))

    def test_order_of_query_key_value_is_in_the_contract(self):
        spec = self.changed("attn.q.weight: 0..D\n                  "
                            "attn.k.weight: D..2*D",
                            "attn.q.weight: D..2*D\n                  "
                            "attn.k.weight: 0..D")
        ck.ttswc("check", spec, self.dir / "gpt.safetensors")
        self.assertNotEqual(self.contract(spec), self.contract(SPECS / "gpt.yaml"))

    def test_pieces_must_tile(self):
        for before, after, say in (
                ("attn.v.weight: 2*D..3*D", "attn.v.weight: 2*D..3*D-1", "E0307"),
                ("attn.v.weight: 2*D..3*D", "attn.v.weight: 2*D-1..3*D", "E0308"),
                ("k.weight: 0..A", "k.weight: 1..A", "E0307"),
                ("ff.gate.bias:  I..2*I", "ff.gate.bias:  I-1..2*I", "E0308")):
            _, err = ck.ttswc("check", self.changed(before, after),
                              self.dir / "gpt.safetensors", code=1)
            self.assertIn(f"error[{say}]", err)


if __name__ == "__main__":
    unittest.main()

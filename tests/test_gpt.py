#!/usr/bin/env python3
"""IndexTTS-2's GPT, and the GPT and the vocoder in one blob.

Values: torch's weights of the real upstream module (Conv1D already transposed),
moved here as the spec moves them: rows cut, rows joined, axes of size 1 left
out. All of it is bytes, so all of it is equal bit for bit.

Arguments: a C compiler, libttsb.a."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

CC = sys.argv[1] if len(sys.argv) > 2 else "cc"
LIBTTSB = sys.argv[2] if len(sys.argv) > 2 else str(ck.ROOT / "build/libttsb.a")
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []
SPECS = ck.SPECS / "indextts2"
GPT = ck.FIXTURES / "gpt"
BIGVGAN = ck.FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"
SQUARE = "transpose(attn.c_proj.weight [in=D, out=D]) [out=D, in=D]"


class Moved:
    """What the blob must hold: {target: (shape, bytes)}, and which of torch's
    tensors went into it."""

    def __init__(self, torch):
        self.torch, self.used, self.want = torch, set(), {}
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
            self.put(f"{target}.weight", self.take(f"{source}.weight"))

    def take(self, name):
        self.used.add(name)
        dtype, shape, data = self.torch[name]
        assert dtype == "F32", name
        return shape, data

    def put(self, target, value):
        assert target not in self.want, target
        self.want[target] = value

    def linear(self, target, source):
        for part in ("weight", "bias"):
            self.put(f"{target}.{part}", self.take(f"{source}.{part}"))

    def cut(self, source, targets):
        """Equal ranges of rows, in this order."""
        shape, data = self.take(source)
        rows, size = shape[0] // len(targets), len(data) // len(targets)
        assert rows * len(targets) == shape[0], source
        for i, target in enumerate(targets):
            self.put(target, ([rows] + shape[1:], data[i * size:(i + 1) * size]))

    def join(self, target, sources):
        parts = [self.take(source) for source in sources]
        rows = sum(shape[0] for shape, _ in parts)
        self.put(target, ([rows] + parts[0][0][1:], b"".join(d for _, d in parts)))

    def pointwise(self, target, source):
        shape, data = self.take(f"{source}.weight")
        assert shape[2:] == [1], source
        self.put(f"{target}.weight", (shape[:2], data))
        self.put(f"{target}.bias", self.take(f"{source}.bias"))

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
            self.put(f"{target}.{to}", self.take(f"{attention}.{name}"))
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
        self.put(f"{target}.latents", self.take(f"{source}.latents"))
        self.put(f"{target}.norm.weight", self.take(f"{source}.norm.gamma"))
        self.linear(f"{target}.ctx", f"{source}.proj_context")
        for i in range(2):
            a, b = f"{source}.layers.{i}", f"{target}.layer.{i}"
            self.put(f"{b}.q.weight", self.take(f"{a}.0.to_q.weight"))
            self.cut(f"{a}.0.to_kv.weight", [f"{b}.k.weight", f"{b}.v.weight"])
            self.put(f"{b}.out.weight", self.take(f"{a}.0.to_out.weight"))
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
        cls.moved = Moved(cls.torch)

    def test_equal_to_torch(self):
        values = self.blob["values"]
        self.assertEqual(set(values), set(self.moved.want))
        self.assertEqual(len(values), 537)
        for name, (shape, data) in self.moved.want.items():
            self.assertEqual(values[name], ("F32", shape, data, []), name)

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
    """The specs of the released models against their manifests, in a file whose
    header is whole and whose data is a hole."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        for name in ("gpt", "bigvgan"):
            ck.write_sparse(self.dir / f"{name}.safetensors", ck.manifest(name))

    def changed(self, before, after):
        """gpt.yaml over a changed body."""
        text = (SPECS / "gpt_body.yaml").read_text()
        self.assertEqual(text.count(before), 1)
        (self.dir / "gpt_body.yaml").write_text(text.replace(before, after))
        return pathlib.Path(shutil.copy(SPECS / "gpt.yaml", self.dir))

    def contract(self, spec):
        ck.ttswc("header", spec, "-o", self.dir / "x.h")
        return re.search(r"CONTRACT_ID[^}]*", (self.dir / "x.h").read_text())[0]

    def test_exact_cover(self):
        for name, model, all_of_them in (
                ("gpt", "indextts2_gpt", "665/665"),
                ("bigvgan", "bigvgan_v2_22khz_80band_256x", "783/783")):
            said = ck.ttswc("check", SPECS / f"{name}.yaml",
                            self.dir / f"{name}.safetensors")
            self.assertEqual(said, (f"{model} {all_of_them}\n", ""))

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

    def test_pipeline(self):
        said = ck.ttswc("check", SPECS / "pipeline.yaml",
                        "--source", f"gpt={self.dir / 'gpt.safetensors'}",
                        "--source", f"bigvgan={self.dir / 'bigvgan.safetensors'}")
        self.assertEqual(said, ("gpt 665/665\nbigvgan 783/783\n"
                                "indextts2_pipeline 1448/1448\n", ""))


ENGINE = r"""
#include "engine_weights.h"
#include <stdio.h>
int main(int argc, char **argv)
{
    struct ttsb_error error;
    struct ttsb_blob *blob;
    struct indextts2_pipeline_tiny_weights w;
    const void *bases[INDEXTTS2_PIPELINE_TINY_GROUP_COUNT];
    error.struct_size = (uint32_t)sizeof error;
    if (argc != 2 || ttsb_open(argv[1], NULL, &blob, &error) != TTSB_OK)
        return 2;
    ttsb_host_bases(blob, bases, INDEXTTS2_PIPELINE_TINY_GROUP_COUNT);
    if (indextts2_pipeline_tiny_bind(blob, bases, &w) != TTSB_OK) {
        puts("refused");
        ttsb_close(blob);
        return 1;
    }
    printf("%d %d %d %.9g %.9g %.9g\n", INDEXTTS2_PIPELINE_TINY_GROUP_COUNT,
           (int)INDEXTTS2_PIPELINE_TINY_GPT_STOP_MEL_TOKEN,
           (int)INDEXTTS2_PIPELINE_TINY_BIGVGAN_SAMPLE_RATE,
           (double)w.gpt.h[11].attn.k.bias[1],
           (double)w.gpt.emo.perc.layer[1].ff.gate.weight[2],
           (double)w.bigvgan.up[3].bias[0]);
    ttsb_close(blob);
    return 0;
}
"""


class Pipeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.dir = pathlib.Path(cls.holder.name)
        cls.both = cls.dir / "both.ttsb"
        ck.ttswc("compile", SPECS / "pipeline_tiny.yaml",
                 "--source", f"gpt={GPT / 'gpt_tiny.safetensors'}",
                 "--source", f"bigvgan={BIGVGAN}", "-o", cls.both)
        cls.single = {}
        for name, given in (("gpt", GPT / "gpt_tiny.safetensors"),
                            ("bigvgan", BIGVGAN)):
            out = cls.dir / f"{name}.ttsb"
            ck.ttswc("compile", SPECS / f"{name}_tiny.yaml", given, "-o", out)
            cls.single[name] = ck.blob(out)

    def test_verified(self):
        ck.ttswc("verify", self.both)

    def test_tensors_are_those_of_the_single_blobs(self):
        blob = ck.blob(self.both)
        want = {f"{model}.{name}": value for model, single in self.single.items()
                for name, value in single["values"].items()}
        self.assertEqual(len(want), 537 + 449)
        self.assertEqual(list(blob["values"]), list(want))
        for name, value in want.items():
            self.assertEqual(blob["values"][name], value, name)

    def test_groups(self):
        """One for each model, in load order, laid out as it is alone."""
        groups = ck.blob(self.both)["groups"]
        self.assertEqual([(g["name"], g["place"], g["first_tensor"],
                           g["tensor_count"]) for g in groups],
                         [("gpt", "device", 0, 537), ("bigvgan", "device", 537, 449)])
        self.assertEqual([g["size"] for g in groups],
                         [self.single[g["name"]]["groups"][0]["size"]
                          for g in groups])

    def test_order_of_the_sources_does_not_matter(self):
        out = self.dir / "again.ttsb"
        ck.ttswc("compile", SPECS / "pipeline_tiny.yaml",
                 "--source", f"bigvgan={BIGVGAN}",
                 "--source", f"gpt={GPT / 'gpt_tiny.safetensors'}", "-o", out)
        self.assertEqual(out.read_bytes(), self.both.read_bytes())

    def test_the_wrong_file_for_a_source(self):
        ck.ttswc("check", SPECS / "pipeline_tiny.yaml",
                 "--source", f"gpt={BIGVGAN}",
                 "--source", f"bigvgan={GPT / 'gpt_tiny.safetensors'}", code=1)

    def test_one_header_binds_both(self):
        ck.ttswc("header", SPECS / "pipeline_tiny.yaml",
                 "-o", self.dir / "engine_weights.h")
        (self.dir / "engine.c").write_text(ENGINE)
        done = subprocess.run(
            [CC, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
             "-Werror", f"-I{ck.ROOT / 'runtime'}", f"-I{self.dir}",
             self.dir / "engine.c", "-o", self.dir / "engine", LIBTTSB,
             "-lpthread", *SANITIZE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        run = subprocess.run([self.dir / "engine", self.both],
                             capture_output=True, text=True)
        gpt = ck.read(GPT / "gpt_tiny.effective.safetensors")
        vocoder = ck.read(BIGVGAN)

        def value(tensors, name, at):
            return ck.floats("F32", tensors[name][2])[at]
        want = (value(gpt, "gpt.h.11.attn.c_attn.bias", 12 + 1),
                value(gpt, "emo_perceiver_encoder.layers.1.1.0.weight", 26 * 20 + 2),
                value(vocoder, "ups.3.0.bias", 0))
        self.assertEqual(run.stdout,
                         "2 33 22050 " + " ".join(f"{x:.9g}" for x in want) + "\n")
        self.assertEqual(run.returncode, 0)
        run = subprocess.run([self.dir / "engine", self.dir / "gpt.ttsb"],
                             capture_output=True, text=True)
        self.assertEqual((run.stdout, run.stderr), ("refused\n", ""))

    def constants(self, name):
        ck.ttswc("header", SPECS / f"{name}.yaml", "-o", self.dir / "c.h")
        text = (self.dir / "c.h").read_text()
        model = re.search(r"#define (\w+)_MODEL ", text)[1]
        found = dict(re.findall(rf"#define {model}_(\w+) (.+)", text))
        return {key: value for key, value in found.items()
                if key not in ("MODEL", "REVISION", "CONTRACT_ID",
                               "TENSOR_COUNT", "GROUP_COUNT")}

    def test_constants_are_those_of_the_single_specs(self):
        """They are written twice, so they are compared."""
        for size in ("", "_tiny"):
            want = {f"{model.upper()}_{key}": value
                    for model in ("gpt", "bigvgan")
                    for key, value in self.constants(f"{model}{size}").items()}
            self.assertGreater(len(want), 40)
            self.assertEqual(self.constants(f"pipeline{size}"), want)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    unittest.main(argv=sys.argv[:1])

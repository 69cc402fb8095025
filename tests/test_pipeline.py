#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""All of IndexTTS-2 in one blob: the reduced models, compiled together, hold what
each holds alone; one generated header binds them all, in a program in C that the
runtime serves. The released models are checked against their manifests.

Arguments: a C compiler, libttsb.a."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck
from indextts2 import SOURCES, given, tiny

CC = sys.argv[1] if len(sys.argv) > 2 else "cc"
LIBTTSB = sys.argv[2] if len(sys.argv) > 2 else str(ck.ROOT / "build/libttsb.a")
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []
SPECS = ck.SPECS / "indextts2"
GROUPS = [s for s in SOURCES if s != "w2vbert_stats"]     # it is in w2vbert's


class Released(unittest.TestCase):
    def test_exact_cover(self):
        """Against files whose headers are whole and whose data is a hole."""
        with tempfile.TemporaryDirectory() as holder:
            def sparse(source):
                for name in SOURCES[source][1]:
                    path = pathlib.Path(holder) / f"{name}.safetensors"
                    ck.write_sparse(path, ck.manifest(name))
                    yield path
            said = ck.ttswc("check", SPECS / "pipeline.yaml", *given(sparse))
        counts = {name: n for name, (_, _, n, _) in SOURCES.items()}
        counts["indextts2_pipeline"] = sum(counts.values())
        self.assertEqual(counts["indextts2_pipeline"], 3995)
        self.assertEqual(said, ("".join(f"{name} {n}/{n}\n" for name, n in
                                        counts.items()), ""))


ENGINE = r"""
#include "engine_weights.h"
#include <stdio.h>
#define P(name) INDEXTTS2_PIPELINE_TINY_##name
static double bf16(struct ttsb_bf16 x)
{
    union { uint32_t u; float f; } v;
    v.u = (uint32_t)x.bits << 16;
    return (double)v.f;
}
int main(int argc, char **argv)
{
    struct ttsb_error error;
    struct ttsb_blob *blob;
    struct indextts2_pipeline_tiny_weights w;
    const void *bases[P(GROUP_COUNT)];
    error.struct_size = (uint32_t)sizeof error;
    if (argc != 2 || ttsb_open(argv[1], NULL, &blob, &error) != TTSB_OK)
        return 2;
    ttsb_host_bases(blob, bases, P(GROUP_COUNT));
    if (indextts2_pipeline_tiny_bind(blob, bases, &w) != TTSB_OK) {
        puts("refused");
        ttsb_close(blob);
        return 1;
    }
    if (ttsb_verify(blob, 1, NULL, &error) != TTSB_OK)
        return 3;
    printf("%d %d %d %d %d\n", P(GROUP_COUNT), (int)P(GPT_STOP_MEL_TOKEN),
           (int)P(BIGVGAN_SAMPLE_RATE), (int)P(S2MEL_FIRST_SKIP_LAYER),
           (int)P(QWEN_EMO_KV_HEADS));
    printf("%.9g %.9g %.9g %.9g\n%.9g %.9g %.9g %.9g %.9g %.9g %.9g\n",
           (double)w.w2vbert.blk[7].attn.qkv.bias[17],
           (double)w.w2vbert_stats.var[3],
           (double)w.semantic_codec.enc.blk[11].gamma[2],
           (double)w.campplus.block2[23].cam2.bias[1],
           bf16(w.qwen_emo.blk[2].mlp.gate_up.weight[32]),
           (double)w.feat.emo[12 * 72 + 5],
           (double)w.gpt.h[11].attn.k.bias[1],
           (double)w.gpt.emo.perc.layer[1].ff.gate.weight[2],
           (double)w.s2mel.dit.blk[12].attn.q.weight[12],
           (double)w.s2mel.dit.skip_in[5].bias[4],
           (double)w.bigvgan.up[3].bias[0]);
    ttsb_close(blob);
    return 0;
}
"""
# The source tensor and the element behind each of the numbers above.
SEEN = (("w2vbert", "encoder.layers.7.self_attn.linear_k.bias", 1),
        ("w2vbert_stats", "var", 3),
        ("semantic_codec", "encoder.0.convnext.11.gamma", 2),
        ("campplus", "xvector.block2.tdnnd24.cam_layer.linear2.bias", 1),
        ("qwen_emo", "model.layers.2.mlp.up_proj.weight", 0),
        ("feat", "feat2", 12 * 72 + 5),
        ("gpt", "gpt.h.11.attn.c_attn.bias", 12 + 1),
        ("gpt", "emo_perceiver_encoder.layers.1.1.0.weight", 26 * 20 + 2),
        ("s2mel", "cfm.estimator.transformer.layers.12.attention.wqkv.weight",
         2 * 12),                                # rope: row 1 was row 2
        ("s2mel", "cfm.estimator.transformer.layers.12.skip_in_linear.bias", 4),
        ("bigvgan", "ups.3.0.bias", 0))


class Pipeline(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.holder.cleanup)
        cls.dir = pathlib.Path(cls.holder.name)
        cls.all = cls.dir / "all.ttsb"
        ck.ttswc("compile", SPECS / "pipeline_tiny.yaml", *given(tiny),
                 "-o", cls.all)
        cls.single = {}
        for name in SOURCES:
            out = cls.dir / f"{name}.ttsb"
            ck.ttswc("compile", SPECS / f"{name}_tiny.yaml", *tiny(name), "-o", out)
            cls.single[name] = ck.blob(out)

    def test_verified(self):
        ck.ttswc("verify", self.all)

    def test_tensors_are_those_of_the_single_blobs(self):
        blob = ck.blob(self.all)
        want = {f"{model}.{name}": value for model, single in self.single.items()
                for name, value in single["values"].items()}
        self.assertEqual(len(want), sum(s[3] for s in SOURCES.values()))
        self.assertEqual(list(blob["values"]), list(want))
        for name, value in want.items():
            self.assertEqual(blob["values"][name], value, name)

    def test_groups(self):
        """One for each model, in load order, laid out as it is alone."""
        groups = ck.blob(self.all)["groups"]
        counts = {name: SOURCES[name][3] for name in GROUPS}
        counts["w2vbert"] += SOURCES["w2vbert_stats"][3]
        first = [sum(list(counts.values())[:i]) for i in range(len(counts))]
        self.assertEqual(
            [(g["name"], g["place"], g["first_tensor"], g["tensor_count"])
             for g in groups],
            [(name, "device", at, counts[name]) for name, at in zip(counts, first)])
        self.assertEqual(
            {g["name"]: g["size"] for g in groups if g["name"] != "w2vbert"},
            {name: self.single[name]["groups"][0]["size"] for name in GROUPS
             if name != "w2vbert"})

    def test_order_of_the_sources_does_not_matter(self):
        out = self.dir / "again.ttsb"
        ck.ttswc("compile", SPECS / "pipeline_tiny.yaml",
                 *given(tiny, reversed(SOURCES)), "-o", out)
        self.assertEqual(out.read_bytes(), self.all.read_bytes())

    def test_the_wrong_file_for_a_source(self):
        swapped = {**{s: s for s in SOURCES}, "gpt": "bigvgan", "bigvgan": "gpt"}
        _, err = ck.ttswc("check", SPECS / "pipeline_tiny.yaml",
                          *given(lambda s: tiny(swapped[s])), code=1)
        self.assertIn("error[E0301]", err)

    def test_one_header_binds_all(self):
        ck.ttswc("header", SPECS / "pipeline_tiny.yaml",
                 "-o", self.dir / "engine_weights.h")
        (self.dir / "engine.c").write_text(ENGINE)
        done = subprocess.run(
            [CC, "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Wconversion",
             "-Werror", f"-I{ck.ROOT / 'runtime'}", f"-I{self.dir}",
             self.dir / "engine.c", "-o", self.dir / "engine", LIBTTSB,
             "-lpthread", *SANITIZE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        run = subprocess.run([self.dir / "engine", self.all],
                             capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stderr), (0, ""))
        numbers = run.stdout.split()
        self.assertEqual(numbers[:5], ["8", "33", "22050", "7", "2"])
        want = []
        for source, name, at in SEEN:
            dtype, _, data = ck.read(tiny(source)[-1])[name]
            want.append(f"{ck.floats(dtype, data)[at]:.9g}")
        self.assertEqual(numbers[5:], want)
        run = subprocess.run([self.dir / "engine", self.dir / "gpt.ttsb"],
                             capture_output=True, text=True)
        self.assertEqual((run.returncode, run.stdout), (1, "refused\n"))

    def header(self, name):
        ck.ttswc("header", SPECS / f"{name}.yaml", "-o", self.dir / "c.h")
        return (self.dir / "c.h").read_text()

    def members(self, name):
        """The struct's lines: members, dtypes, shapes; without indentation."""
        body = re.search(r"^struct \w+_weights \{\n(.*?)^(?:#ifdef|\};)",
                         self.header(name), re.M | re.S)[1]
        return "".join(re.sub(r"^struct \w+ {", "struct {", line.strip()) + "\n"
                       for line in body.splitlines())

    def test_members_are_those_of_the_single_specs(self):
        """Sizes and `store:` are written twice, so they are compared."""
        for size in ("", "_tiny"):
            want = "".join(f"struct {{\n{self.members(name + size)}}} {name};\n"
                           for name in SOURCES)
            self.assertEqual(self.members(f"pipeline{size}"), want)

    def constants(self, name):
        text = self.header(name).split("/* ---- Groups")[0]
        model = re.search(r"#define (\w+)_MODEL ", text)[1]
        found = dict(re.findall(rf"#define {model}_(\w+) (.+)", text))
        return {key: value for key, value in found.items()
                if key not in ("MODEL", "REVISION", "CONTRACT_ID",
                               "TENSOR_COUNT", "GROUP_COUNT")}

    def test_constants_are_those_of_the_single_specs(self):
        """They are written twice, so they are compared."""
        for size in ("", "_tiny"):
            want = {f"{model.upper()}_{key}": value for model in SOURCES
                    for key, value in self.constants(f"{model}{size}").items()}
            self.assertGreater(len(want), 100)
            self.assertEqual(self.constants(f"pipeline{size}"), want)


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    unittest.main(argv=sys.argv[:1])

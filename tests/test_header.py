#!/usr/bin/env python3
"""The generated header with real compilers: clean in C11 and C++17, binds,
refuses; a weight that does not exist does not compile; another layout is
another contract.

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
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror"]
LANGUAGES = (("gcc", "c11"), ("clang", "c11"), ("g++", "c++17"), ("clang++", "c++17"))
SPEC = ck.SPECS / "examples" / "features.yaml"
FEATURES = ck.FIXTURES / "features" / "features.safetensors"
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []

ENGINE = r"""
#include "engine_weights.h"
#include <stdio.h>
int main(int argc, char **argv)
{
    struct ttsb_error error;
    struct ttsb_blob *blob;
    struct features_weights w;
    const void *bases[FEATURES_GROUP_COUNT];
    int32_t status;
    const char *const languages[] = FEATURES_LANGUAGES;
    error.struct_size = (uint32_t)sizeof error;
    if (argc < 2)
        return 2;
    status = ttsb_open(argv[1], NULL, &blob, &error);
    if (status != TTSB_OK) {
        printf("open %s: %s\n", ttsb_status_name(status), error.text);
        return 1;
    }
    ttsb_host_bases(blob, bases, FEATURES_GROUP_COUNT);
    status = features_bind(blob, bases, &w);
    if (status != TTSB_OK) {
        features_require(blob, &error);
        printf("bind %s: %s\n", ttsb_status_name(status), error.text);
        ttsb_close(blob);
        return 1;
    }
    printf("%g %g %d %d %d %s %s\n", (double)w.blk[1].ln_2.weight[3],
           (double)w.WEIGHT[0], (int)w.mask[1], (int)w.steps[1],
           (int)(FEATURES_HEADS), languages[1],
           w.style.weight == NULL && w.out.weight == w.tok.weight ? "ok" : "bad");
    ttsb_close(blob);
    return 0;
}
"""

KERNEL = r"""
#include "engine_weights.h"
static_assert(FEATURES_BLK_ATTN_PROJ_WEIGHT_AXIS_IN == 1, "");
__device__ int64_t at(int i, const struct features_weights::features_weights_blk *b)
{
    __shared__ float row[FEATURES_BLK_ATTN_PROJ_WEIGHT_DIM1];
    const int64_t last = FEATURES_BLK_ATTN_PROJ_WEIGHT_STRIDE0 - 1;
    row[last] = b->ln_1.weight[last];
    return FEATURES_BLK_ATTN_PROJ_WEIGHT_OFFSET(i) + (row[last] > 0);
}
int main() { return 0; }
"""

EMPTY = '#include "engine_weights.h"\nint main(void) { return 0; }\n'


class Header(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        ck.ttswc("header", SPEC, "-o", self.dir / "engine_weights.h")
        ck.ttswc("compile", "-q", SPEC, FEATURES, "-o", self.dir / "good.ttsb")

    def build(self, compiler, text, *flags, link=True):
        suffix = ".cc" if "++" in compiler else ".c"
        source = self.dir / f"engine{suffix}"
        source.write_text(text)
        command = [compiler, *flags, *WARNINGS, f"-I{ck.ROOT / 'runtime'}",
                   f"-I{self.dir}", source]
        command += ["-o", self.dir / "engine", LIBTTSB, "-lpthread", *SANITIZE] \
            if link else ["-c", "-o", self.dir / "engine.o"]
        return subprocess.run(command, capture_output=True, text=True)

    def run_engine(self, name):
        return subprocess.run([self.dir / "engine", self.dir / name],
                              capture_output=True, text=True)

    def test_binds(self):
        done = self.build(CC, ENGINE.replace("WEIGHT[0]", "scalar[0]"), "-std=c11")
        self.assertEqual(done.returncode, 0, done.stderr)
        run = self.run_engine("good.ttsb")
        given = ck.read(FEATURES)
        ln = ck.floats("F32", given["h.1.ln_2.weight"][2])[3]
        scalar = ck.floats("F32", given["temperature"][2])[0]
        self.assertEqual(run.stdout, f"{ln:g} {scalar:g} 0 -20 2 zh ok\n")
        self.assertEqual(run.returncode, 0)

    def test_clean_in_every_language(self):
        for compiler, standard in LANGUAGES:
            with self.subTest(compiler):
                self.assertIsNotNone(shutil.which(compiler), "tests/install.sh test")
                done = self.build(compiler, EMPTY, f"-std={standard}", link=False)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_clean_in_cuda(self):
        """The constants in code for the device: for both sides by clang, which
        needs no toolkit for it, and by nvcc where one is. Unused functions of
        a header are no warning, as with any compiler."""
        source = self.dir / "engine.cu"
        source.write_text(KERNEL)
        flags = [f"-I{ck.ROOT / 'runtime'}", f"-I{self.dir}"]
        commands = [
            ["clang++", "-x", "cuda", "-std=c++17", side, "-nocudainc", "-nocudalib",
             "--cuda-path=/nonexistent", "--cuda-gpu-arch=sm_70", "-fsyntax-only",
             *(f"-D__{x}__=__attribute__(({x}))" for x in ("device", "shared")),
             *WARNINGS, *flags, source]
            for side in ("--cuda-host-only", "--cuda-device-only")]
        if shutil.which("nvcc"):
            commands.append(
                ["nvcc", "-Xcompiler=-Wall,-Wextra,-Wconversion,-Werror", "-Werror",
                 "all-warnings", *flags, "-c", source, "-o", self.dir / "engine.o"])
        for command in commands:
            with self.subTest(command[:5]):
                done = subprocess.run(command, capture_output=True, text=True)
                self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_misspelt_weight_does_not_compile(self):
        """The first line of what each compiler says has the weight that is not
        there and the struct that does not have it."""
        text = ENGINE.replace("WEIGHT", "blk[1].ln_3.weight")
        for compiler, standard in LANGUAGES:
            with self.subTest(compiler):
                done = self.build(compiler, text, f"-std={standard}", link=False)
                self.assertNotEqual(done.returncode, 0)
                error = next(x for x in done.stderr.splitlines() if "error: " in x)
                self.assertRegex(error, "no member named .ln_3.")
                self.assertIn("features_weights_blk", error)
                if compiler == "gcc":
                    self.assertRegex(error, "did you mean .ln_[12].")

    def test_a_misspelt_constant_does_not_compile(self):
        text = ENGINE.replace("WEIGHT[0]", "scalar[FEATURES_SCALAR_DIM0]")
        done = self.build(CC, text, "-std=c11", link=False)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("FEATURES_SCALAR_DIM0", done.stderr)

    def test_the_guard_of_another_header(self):
        """Said once, and not by all that is missing; twice is no error."""
        done = self.build(CC, '#include "engine_weights.h"\n' + EMPTY, link=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        done = self.build(CC, "#define FEATURES_H\n" + EMPTY, link=False)
        self.assertEqual(done.stderr.count("error: "), 1, done.stderr)
        self.assertIn("FEATURES_H is another header's guard", done.stderr)

    def test_an_old_runtime_header_is_refused(self):
        """It is named, and not what it lacks."""
        (self.dir / "old").mkdir()
        for header in (ck.ROOT / "runtime").glob("*.h"):
            shutil.copy(header, self.dir / "old")
        header = self.dir / "old" / "ttsb.h"
        header.write_text(re.sub("VERSION_MINOR [0-9]+", "VERSION_MINOR 0",
                                 header.read_text()))
        source = self.dir / "engine.c"
        source.write_text(EMPTY)
        done = subprocess.run([CC, f"-I{self.dir / 'old'}", f"-I{self.dir}", "-c",
                               source, "-o", self.dir / "engine.o"],
                              capture_output=True, text=True)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("needs a ttsb.h as new as the ttswc", done.stderr)

    def stale(self, before, after):
        """A blob of a changed spec, under the old header's engine."""
        text = SPEC.read_text()
        self.assertIn(before, text)
        spec = self.dir / "changed.yaml"
        spec.write_text(text.replace(before, after))
        ck.ttswc("compile", "-q", spec, FEATURES, "-o", self.dir / "stale.ttsb")
        done = self.build(CC, ENGINE.replace("WEIGHT", "scalar"), "-std=c11")
        self.assertEqual(done.returncode, 0, done.stderr)
        run = self.run_engine("stale.ttsb")
        self.assertEqual(run.returncode, 1, run.stderr)
        self.assertEqual(run.stderr, "")
        return run.stdout

    def test_another_layout_is_refused(self):
        """The transpose of the square matrix left out on purpose."""
        said = self.stale("transpose(attn.c_proj.weight [in=W, out=W]) "
                          "[out=W, in=W]", "attn.c_proj.weight [out=W, in=W]")
        self.assertIn("bind TTSB_WRONG_CONTRACT", said)
        self.assertIn("ttswc compile", said)

    def test_another_model_or_revision_is_refused(self):
        self.assertIn("TTSB_WRONG_MODEL", self.stale("model: features",
                                                     "model: other"))
        self.assertIn("TTSB_WRONG_REVISION", self.stale("revision: 3",
                                                        "revision: 4"))

    def test_a_partial_blob_is_refused(self):
        given = ck.read(FEATURES)
        del given["temperature"]
        ck.write(self.dir / "short.safetensors", given)
        ck.ttswc("compile", "-q", "--allow-partial-weights", SPEC,
                 self.dir / "short.safetensors", "-o", self.dir / "p.ttsb")
        done = self.build(CC, ENGINE.replace("WEIGHT", "scalar"), "-std=c11")
        self.assertEqual(done.returncode, 0, done.stderr)
        run = self.run_engine("p.ttsb")
        self.assertIn("open TTSB_IS_PARTIAL", run.stdout)

    def test_forgetting_the_transpose_fails_check(self):
        text = SPEC.read_text().replace(
            "transpose(attn.c_proj.weight [in=W, out=W]) [out=W, in=W]",
            "attn.c_proj.weight [in=W, out=W]")
        spec = self.dir / "changed.yaml"
        spec.write_text(text)
        _, err = ck.ttswc("check", spec, FEATURES, code=1)
        self.assertIn("error[E0404]", err)

    def test_same_spec_same_header(self):
        ck.ttswc("header", SPEC, "-o", self.dir / "again.h")
        self.assertEqual((self.dir / "again.h").read_bytes(),
                         (self.dir / "engine_weights.h").read_bytes())


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    unittest.main(argv=sys.argv[:1])

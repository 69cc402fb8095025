#!/usr/bin/env python3
"""The same bytes from gcc and clang, from -O0 to -O3 with the machine's own
vectors, from one thread and two: every variant is built and compiles the
bundled checkpoints. Slow: four builds."""
import os
import pathlib
import shutil
import subprocess
import tempfile
import unittest

import checkpoints as ck

VARIANTS = (("gcc", "-O0"), ("gcc", "-O3 -march=native"), ("clang", "-O0"),
            ("clang", "-O3 -march=native"))
CASES = (("indextts2/bigvgan_tiny.yaml", "bigvgan/bigvgan_tiny.safetensors"),
         ("indextts2/bigvgan_tiny_parametrized.yaml",
          "bigvgan/bigvgan_tiny_parametrized.safetensors"),
         ("indextts2/gpt_tiny.yaml", "gpt/gpt_tiny.safetensors"),
         ("indextts2/s2mel_tiny.yaml", "s2mel/s2mel_tiny.safetensors"),
         ("indextts2/campplus_tiny.yaml", "campplus/campplus_tiny.safetensors"),
         ("examples/features.yaml", "features/features.safetensors"))


def build(folder, compiler, flags):
    quiet = {"check": True, "stdout": subprocess.DEVNULL}
    subprocess.run(["cmake", "-S", ck.ROOT, "-B", folder, "-DTTSW_TESTS=OFF",
                    "-DTTSW_CUDA=OFF", "-DCMAKE_BUILD_TYPE=None",
                    f"-DCMAKE_C_COMPILER={compiler}", f"-DCMAKE_C_FLAGS={flags}"],
                   **quiet)
    subprocess.run(["cmake", "--build", folder, "-j", str(os.cpu_count()),
                    "--target", "ttswc"], **quiet)
    return folder / "ttswc"


class Identity(unittest.TestCase):
    def test_every_variant(self):
        seen = {}
        with tempfile.TemporaryDirectory() as holder:
            for compiler, flags in VARIANTS:
                self.assertIsNotNone(shutil.which(compiler), compiler)
                folder = pathlib.Path(holder) / f"{compiler}{flags[:3]}"
                program = build(folder, compiler, flags)
                for spec, checkpoint in CASES:
                    for jobs in ("-j1", "-j2"):
                        out = folder / "x.ttsb"
                        subprocess.run([program, "compile", "-q", jobs,
                                        ck.SPECS / spec, ck.FIXTURES / checkpoint,
                                        "-o", out], check=True,
                                       stderr=subprocess.DEVNULL)
                        seen.setdefault(spec, set()).add(out.read_bytes())
        self.assertEqual({spec: len(blobs) for spec, blobs in seen.items()},
                         {spec: 1 for spec, _ in CASES})


if __name__ == "__main__":
    unittest.main()

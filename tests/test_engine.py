#!/usr/bin/env python3
"""The engine of tests/engine with what must not run, and with an engine that is
wrong: blobs of another contract, model or revision, partial and damaged ones;
a weight that is forgotten, misspelt or of another dtype.

Arguments: a C compiler, libttsb.a, the engine, the engine with coverage; beside
it lie the headers and blobs that the build made."""
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

CC, LIBTTSB, ENGINE, COVERAGE = sys.argv[1:5]
BUILT = pathlib.Path(ENGINE).parent
SOURCES = ck.HERE / "engine"
MODEL, IO = BUILT / "bigvgan_tiny.ttsb", BUILT / "bigvgan_tiny_io.ttsb"
SPECS = ck.SPECS / "indextts2"
BIGVGAN = ck.FIXTURES / "bigvgan"
CHECKPOINT = BIGVGAN / "bigvgan_tiny.safetensors"
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []
BOTH_DIFFER = r"\Aaudio .*: DIFFERS\naudio_folded .*: DIFFERS\n\Z"
ONE_DIFFERS = (r"\Aaudio .*: DIFFERS\naudio_folded .*: ok\n\Z",
               r"\Aaudio .*: ok\naudio_folded .*: DIFFERS\n\Z")
STEPS = [(s, j, d) for s in range(6) for j in range(3) for d in range(3)]

# (of bigvgan.c, instead, the weights that are then forgotten)
FORGOTTEN = [
    ("        .bias = TTSB_USE(p->w, pre.bias),\n", "", ["pre.bias"]),
    ("        .bias = TTSB_USE(p->w, up[s].bias),\n", "",
     [f"up.{s}.bias" for s in range(6)]),
    ("        .bias = TTSB_USE(p->w, res[s][j].conv2[d].bias),\n", "",
     [f"res.{s}.{j}.conv2.{d}.bias" for s, j, d in STEPS]),
    ("    activation_post(&p);\n", "", ["post.alpha", "post.beta"]),
    ("    activation(p, s, j, 2 * d + 1, &p->b);\n", "",
     [f"res.{s}.{j}.act.{2 * d + 1}.{x}" for s, j, d in STEPS
      for x in ("alpha", "beta")]),
    ("d < DILATIONS;", "d < DILATIONS - 1;",
     [f"res.{s}.{j}.{x}" for s in range(6) for j in range(3) for x in (
         "conv1.2.weight", "conv1.2.bias", "conv2.2.weight", "conv2.2.bias",
         "act.4.alpha", "act.4.beta", "act.5.alpha", "act.5.beta")]),
]

MISSPELT = [("pre.bias", "pre.bais", "bais"),
            ("conv1[d].weight", "conv1[d].wieght", "wieght"),
            ("up[s].bias", "ups[s].bias", "ups"),
            ("act[n].alpha", "act[n].alpha_log", "alpha_log"),
            ("up[s].weight", "up[s].0.weight", None)]


def run(program, *arguments):
    return subprocess.run([program, *map(str, arguments)], capture_output=True,
                          text=True)


class InFolder(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def changed_spec(self, *changes):
        """A copy of the spec with (file, before, after) done to it, and without
        its probes, which would find in `compile` what the engine is to find."""
        changes = [("bigvgan_tiny.yaml",
                    "expect:\n  - probes: bigvgan_tiny.probes.json\n", ""), *changes]
        for name in ("bigvgan_tiny.yaml", "bigvgan_body.yaml"):
            text = (SPECS / name).read_text()
            for file, before, after in changes:
                if file == name:
                    self.assertIn(before, text)
                    text = text.replace(before, after)
            (self.dir / name).write_text(text)
        return self.dir / "bigvgan_tiny.yaml"


class Runs(InFolder):
    def test_both_checkpoints_give_the_same_audio(self):
        ck.ttswc("compile", "-q", SPECS / "bigvgan_tiny_parametrized.yaml",
                 BIGVGAN / "bigvgan_tiny_parametrized.safetensors",
                 "-o", self.dir / "p.ttsb")
        audio = []
        for model in (MODEL, self.dir / "p.ttsb"):
            done = run(ENGINE, model, IO, self.dir / "audio.f32")
            self.assertEqual((done.returncode, done.stderr), (0, ""), done.stdout)
            audio.append((self.dir / "audio.f32").read_bytes())
        self.assertEqual(len(audio[0]), 4 * 2560)
        self.assertEqual(audio[0], audio[1])
        # And what is written is what was compared.
        torch = ck.floats("F32", ck.read(BIGVGAN / "bigvgan_tiny.io.safetensors")
                          ["audio"][2])
        ours = ck.floats("F32", audio[0])
        self.assertLessEqual(max(abs(x - y) for x, y in zip(torch, ours)),
                             1e-4 * max(map(abs, torch)))

    def test_another_answer_of_torch_differs(self):
        """One of 2,560 samples, by twice the tolerance; a NaN."""
        given = ck.read(BIGVGAN / "bigvgan_tiny.io.safetensors")
        most = max(map(abs, ck.floats("F32", given["audio"][2])))
        for name, change, after in (("audio", 2e-4 * most, ONE_DIFFERS[0]),
                                    ("audio_folded", -2e-4 * most, ONE_DIFFERS[1]),
                                    ("audio", math.nan, ONE_DIFFERS[0])):
            with self.subTest(name=name, change=change):
                values = ck.floats("F32", given[name][2])
                values[1234] += change
                done = run(ENGINE, MODEL, self.io_blob(
                    {**given, name: ("F32", [1, 1, 2560],
                                     struct.pack("<2560f", *values))}))
                self.assertEqual((done.returncode, done.stderr), (1, ""))
                self.assertRegex(done.stdout, after)

    def io_blob(self, tensors):
        text = (SOURCES / "bigvgan_tiny_io.yaml").read_text()
        for name in ("audio", "audio_folded"):
            before = f"{name} [n=1, c=1, t=HOP*T]"
            self.assertIn(before, text)
            text = text.replace(f" {before}", f" {before} allow_nonfinite")
        (self.dir / "io.yaml").write_text(text)
        ck.write(self.dir / "io.safetensors", tensors)
        ck.ttswc("compile", "-q", self.dir / "io.yaml", self.dir / "io.safetensors",
                 "-o", self.dir / "io.ttsb")
        return self.dir / "io.ttsb"

    def test_usage(self):
        for arguments in ((), (MODEL,), (MODEL, IO, "x", "y")):
            done = run(ENGINE, *arguments)
            self.assertEqual(done.returncode, 2)
            self.assertIn("usage: engine", done.stderr)


class Refuses(InFolder):
    def refuses(self, status, *words, model=MODEL, io=IO):
        """One line on standard error: which file, the status, and in words."""
        done = run(ENGINE, model, io)
        blamed = model if model != MODEL else io
        self.assertEqual((done.returncode, done.stdout), (1, ""), done.stderr)
        self.assertTrue(done.stderr.startswith(f"engine: {blamed}: {status}: "),
                        done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        for word in words:
            self.assertIn(word, done.stderr)

    def compiled(self, spec, checkpoint=CHECKPOINT, *options):
        blob = self.dir / "changed.ttsb"
        ck.ttswc("compile", "-q", spec, checkpoint, "-o", blob, *options)
        return blob

    def test_stale(self):
        """The same names and sizes or dtypes, but not what the engine means."""
        body, tiny = "bigvgan_body.yaml", "bigvgan_tiny.yaml"
        up = ("permute(weight_norm(weight, keep=in) [in=cin, out=cout, k=UK[s]],\n"
              "                          out, in, k) [out=cout, in=cin, k=UK[s]]")
        square = "weight_norm(weight, keep=out) [out=ch, in=ch, k=RK[j]]"
        for name, change in {
                "a transposed convolution taken for a plain one": (
                    body, up,
                    "weight_norm(weight, keep=out) [out=cin, in=cout, k=UK[s]]"),
                "a square one transposed": (
                    body, square, "permute(weight_norm(weight, keep=in) "
                    "[in=ch, out=ch, k=RK[j]], out, in, k) [out=ch, in=ch, k=RK[j]]"),
                "no exp": (body, "alpha: exp(act.alpha [c=ch])", "alpha: act.alpha"),
                "bf16": (tiny, "store: f32", "store: bf16"),
                "epsilon": (tiny, "snake_epsilon: 1e-9", "snake_epsilon: 1e-8"),
        }.items():
            with self.subTest(name):
                blob = self.compiled(self.changed_spec(change))
                self.refuses("TTSB_WRONG_CONTRACT", "contract", "ttswc compile",
                             model=blob)

    def test_another_revision(self):
        blob = self.compiled(self.changed_spec(
            ("bigvgan_tiny.yaml", "revision: 1", "revision: 2")))
        self.refuses("TTSB_WRONG_REVISION", "revision 2", model=blob)

    def test_what_only_the_audio_tells(self):
        """Sources' names are not in the contract: two of a kind swapped."""
        blob = self.compiled(self.changed_spec(
            ("bigvgan_body.yaml", "from: resblocks.{3*s+j}.convs{c}.{d}.",
             "from: resblocks.{3*s+j}.convs{3-c}.{d}.")))
        done = run(ENGINE, blob, IO)
        self.assertEqual((done.returncode, done.stderr), (1, ""))
        self.assertRegex(done.stdout, BOTH_DIFFER)

    def test_another_model(self):
        other = ck.FIXTURES / "blobs" / "features-1.0.ttsb"
        self.refuses("TTSB_WRONG_MODEL", "features", "bigvgan_tiny", model=other)
        self.refuses("TTSB_WRONG_MODEL", "bigvgan_tiny_io", model=IO)
        self.refuses("TTSB_WRONG_MODEL", "features", io=other)
        self.refuses("TTSB_BAD_MAGIC", model=CHECKPOINT)
        self.refuses("TTSB_SYSTEM_OPEN", model=self.dir / "none.ttsb")

    def test_partial(self):
        tensors = ck.read(CHECKPOINT)
        del tensors["conv_pre.bias"]
        ck.write(self.dir / "less.safetensors", tensors)
        blob = self.compiled(self.changed_spec(), self.dir / "less.safetensors",
                             "--allow-partial-weights")
        self.refuses("TTSB_IS_PARTIAL", "partial", model=blob)

    def test_cut_short(self):
        raw, cut = MODEL.read_bytes(), self.dir / "cut.ttsb"
        for size, status in ((0, "TTSB_TOO_SHORT"), (4095, "TTSB_TOO_SHORT"),
                             (len(raw) // 2, "TTSB_BAD_FILE_SIZE"),
                             (len(raw) - 1, "TTSB_BAD_FILE_SIZE")):
            with self.subTest(size=size):
                cut.write_bytes(raw[:size])
                self.refuses(status, model=cut)

    def test_one_bit(self):
        tensors = {t["name"]: t for t in json.loads(
            ck.ttswc("inspect", "--json", MODEL)[0])["tensors"]}
        first, last = tensors["pre.weight"], tensors["post.alpha"]
        for at, status, word in (
                (0, "TTSB_BAD_MAGIC", ""),
                (100, "TTSB_BAD_SELF_HASH", ""),
                (first["offset"], "TTSB_DAMAGED_PIECE", "pre.weight"),
                (first["offset"] + first["size"] - 1, "TTSB_DAMAGED_PIECE",
                 "pre.weight"),
                (last["offset"] + 2, "TTSB_DAMAGED_PIECE", "post.alpha"),
                (last["offset"] + last["size"], "TTSB_DAMAGED_PADDING", "post.alpha"),
        ):
            with self.subTest(at=at):
                self.refuses(status, word, model=self.flipped(MODEL, at))
        mel = json.loads(ck.ttswc("inspect", "--json", IO)[0])["tensors"][0]
        self.refuses("TTSB_DAMAGED_PIECE", "mel", io=self.flipped(IO, mel["offset"]))

    def flipped(self, blob, at):
        raw = bytearray(blob.read_bytes())
        raw[at] ^= 1
        (self.dir / "flipped.ttsb").write_bytes(raw)
        return self.dir / "flipped.ttsb"


class Written(InFolder):
    """What becomes of an engine that is written wrong."""

    def compile(self, compiler, *arguments):
        return subprocess.run(
            [compiler, "-std=c11", f"-I{SOURCES}", f"-I{BUILT}",
             f"-I{ck.ROOT / 'runtime'}", *map(str, arguments)],
            capture_output=True, text=True, cwd=self.dir)

    def changed(self, before, after):
        text = (SOURCES / "bigvgan.c").read_text()
        self.assertEqual(text.count(before), 1, before)
        (self.dir / "bigvgan.c").write_text(text.replace(before, after))

    def build(self, *arguments):
        done = self.compile(CC, "-O1", "-DTTSB_COVERAGE", *SANITIZE, *arguments)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_a_forgotten_weight_is_named(self):
        whole = run(COVERAGE, MODEL, IO)
        self.assertEqual((whole.returncode, whole.stderr), (0, ""))
        self.assertIn("coverage: 449 of 449 weights used\n", whole.stdout)
        for name in ("engine_main", "layers"):
            self.build("-c", SOURCES / f"{name}.c")
        for before, after, names in FORGOTTEN:
            with self.subTest(before.strip()):
                self.changed(before, after)
                self.build("bigvgan.c", "engine_main.o", "layers.o", LIBTTSB,
                           "-lpthread", "-lm", "-o", "engine")
                done = run(self.dir / "engine", MODEL, IO)
                said = done.stderr.splitlines()
                self.assertCountEqual(said,
                                      [f"engine: never used: {n}" for n in names])
                self.assertIn(f"coverage: {449 - len(names)} of 449 weights used\n",
                              done.stdout)
                # It can be heard, too.
                self.assertEqual(done.stdout.count("DIFFERS"), 2, done.stdout)
                self.assertEqual(done.returncode, 1)

    def test_a_misspelt_weight_does_not_compile(self):
        for compiler in ("gcc", "clang"):
            self.assertIsNotNone(shutil.which(compiler), "tests/install.sh test")
            for flags in ((), ("-DTTSB_COVERAGE",)):
                self.changed("pre.bias", "pre.bias")
                right = self.compile(compiler, "-fsyntax-only", *flags, "bigvgan.c")
                self.assertEqual((right.returncode, right.stderr), (0, ""))
                for before, after, member in MISSPELT:
                    with self.subTest(compiler=compiler, flags=flags, wrong=after):
                        self.misspelt(compiler, flags, before, after, member)

    def misspelt(self, compiler, flags, before, after, member):
        self.changed(before, after)
        done = self.compile(compiler, "-fsyntax-only", *flags, "bigvgan.c")
        self.assertNotEqual(done.returncode, 0)
        line = 1 + (self.dir / "bigvgan.c").read_text().split(after)[0].count("\n")
        what = f"no member named '{member}'" if member else "expected"
        self.assertRegex(done.stderr,
                         rf"(?m)^bigvgan\.c:{line}:\d+: error: .*{what}")
        if compiler == "gcc" and member == "bais":
            error, = {x for x in done.stderr.splitlines() if "error: " in x}
            self.assertIn(f"\n{error}\n", (SOURCES / "README.md").read_text())

    def test_another_dtype_does_not_compile(self):
        """The members' types are the dtypes': a bf16 is no float."""
        spec = self.changed_spec(("bigvgan_tiny.yaml", "store: f32", "store: bf16"))
        ck.ttswc("header", "-q", spec, "-o", self.dir / "bigvgan_tiny.h")
        self.changed("pre.bias", "pre.bias")
        done = self.compile(CC, "-iquote", self.dir, "-Werror",
                            "-fsyntax-only", "bigvgan.c")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("struct ttsb_bf16", done.stderr)

    def test_sizes_that_do_not_fit_do_not_compile(self):
        """A constant of the spec says one size, and the weights have another."""
        for change in (("bigvgan_tiny.yaml", "upsample_initial_channel: 64",
                        "upsample_initial_channel: 32"),
                       ("bigvgan_tiny.yaml", "num_mels: 20", "num_mels: 24"),
                       ("bigvgan_tiny.yaml", "resblock_dilations: [1, 3, 5]",
                        "resblock_dilations: [1, 3]"),
                       ("bigvgan_body.yaml", "[out=C0, in=M, k=7]", "[out=C0, in=M, k=8]"),
                       ("bigvgan_body.yaml", "in=C0/2**6, k=7]", "in=C0/2**6, k=6]")):
            with self.subTest(change[2]):
                ck.ttswc("header", "-q", self.changed_spec(change), "-o",
                         self.dir / "bigvgan_tiny.h")
                done = self.compile(CC, "-iquote", self.dir, "-fsyntax-only",
                                    SOURCES / "bigvgan.c")
                self.assertNotEqual(done.returncode, 0)
                self.assertRegex(done.stderr, "error: static.assert")


if __name__ == "__main__":
    os.environ["LC_ALL"] = "C"
    unittest.main(argv=sys.argv[:1])

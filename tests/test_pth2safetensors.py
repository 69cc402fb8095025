#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""fixtures/pth2safetensors.py: the values that torch itself gives, refusals
with what to say, files that are whole or untouched, and hostile pickles that
never run. The script's main() is called in this process, where importing torch
is paid for once; real processes where a process is what is tested."""
import collections
import contextlib
import hashlib
import io
import json
import os
import pathlib
import pickle
import resource
import signal
import subprocess
import sys
import tempfile
import unittest
from unittest import mock

import needs_torch  # noqa: F401, first: it skips
import torch

import checkpoints as ck

sys.path.insert(0, str(ck.FIXTURES))
import pth2safetensors  # noqa: E402

PICKLES = ck.FIXTURES / "pickles"
ELSEWHERE = {"gpt_tiny": "gpt/gpt_tiny", "s2mel_tiny": "s2mel/s2mel_tiny",
             "ddp_tiny": "codec/codec_tiny"}       # what torch reads, if not beside it
PWNED = pathlib.Path("/tmp/ttsw_pwned")    # what evil.pth would create
KEEP_ALL = [f"--keep={n}" for n in (
    "transposed", "strided", "row_slice", "column", "expanded", "scalar",
    "parameter")]
OVERLAP = ["--keep=whole", "--keep=first", "--keep=second", "--keep=overlap"]


def setUpModule():
    assert not PWNED.exists(), f"{PWNED} is there already; what made it?"


def tearDownModule():
    assert not PWNED.exists(), f"a pickle was executed: {PWNED} appeared"


def head(path):
    """The parsed header, with its pairs in the file's order."""
    raw = pathlib.Path(path).read_bytes()
    return json.loads(raw[8:8 + int.from_bytes(raw[:8], "little")])


def raw(tensor):
    """(shape, values as bytes) of any dense tensor."""
    plain = tensor.detach().resolve_conj().resolve_neg().contiguous()
    plain = plain.clone().reshape(-1)
    return (list(tensor.shape), bytes(plain.view(torch.uint8).tolist())
            if plain.numel() else b"")


class Case(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.pth = self.dir / "in.pth"
        self.out = self.dir / "out.safetensors"

    def files(self):
        return sorted(p.name for p in self.dir.iterdir())

    def convert(self, source, *options, code=0):
        """Runs main(); (stdout, stderr)."""
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            have = pth2safetensors.main(
                [str(source), str(self.out), *map(str, options)])
        self.assertEqual(have, code, err.getvalue())
        if code:
            self.assertEqual(out.getvalue(), "")
            self.assertNotIn("False", err.getvalue())
        return out.getvalue(), err.getvalue()

    def save(self, value, *options, code=0, legacy=False):
        torch.save(value, self.pth, _use_new_zipfile_serialization=not legacy)
        return self.convert(self.pth, *options, code=code)

    def refused(self, value, *parts, options=()):
        """main() says these parts, and writes nothing."""
        _, err = self.save(value, *options, code=1)
        for part in parts:
            self.assertIn(part, err)
        self.assertFalse(self.out.exists())
        return err

    def process(self, *args, **options):
        return subprocess.run(
            [sys.executable, pth2safetensors.__file__, *map(str, args)],
            capture_output=True, text=True, **options)


class Values(Case):
    def test_files_with_torchs_own_results(self):
        for name, options in (
                ("gpt_tiny", []), ("legacy_tiny", []),
                ("s2mel_tiny", ["--root", "net"]),
                ("ddp_tiny", ["--strip", "module."]),
                ("noncontig_tiny", KEEP_ALL),
                ("shared_tiny", ["--keep=embed.weight", "--keep=head.weight",
                                 *OVERLAP])):
            with self.subTest(name):
                want = PICKLES / f"{name}.expected.safetensors"
                if name in ELSEWHERE:
                    want = ck.FIXTURES / f"{ELSEWHERE[name]}.safetensors"
                self.convert(PICKLES / f"{name}.pth", *options, "--force")
                self.assertEqual(ck.read(self.out), ck.read(want))

    def test_metadata_and_listing(self):
        source = PICKLES / "gpt_tiny.pth"
        out, err = self.convert(source)
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        self.assertEqual(err, "")
        self.assertEqual(list(head(self.out)["__metadata__"].items()),
                         [("source_sha256", digest),
                          ("torch", str(torch.__version__))])
        lines = out.split("\n")
        self.assertIn("  F32 [12, 36]      gpt.h.*.attn.c_attn.weight  x12",
                      lines)
        self.assertIn("  F32 [2, 12]       speed_emb.weight", lines)
        self.assertIn("521 tensors, 48,639 elements, 194,556 bytes", out)
        self.assertIn(f"source_sha256 {digest}", lines)
        self.assertIn(f"torch {torch.__version__}", lines)

    def test_same_bytes_each_time(self):
        """safetensors alone writes the two pairs in a random order."""
        made = set()
        for _ in range(12):
            self.convert(PICKLES / "legacy_tiny.pth", "--force")
            made.add(self.out.read_bytes())
        self.assertEqual(len(made), 1)
        self.assertNotIn(str(self.dir).encode(), made.pop())

    def test_the_compiler_reads_it(self):
        self.convert(PICKLES / "noncontig_tiny.pth", *KEEP_ALL)
        info = json.loads(ck.ttswc("inspect", "--json", self.out)[0])
        self.assertEqual(len(info["tensors"]), 14)

    def test_every_dtype(self):
        values = {}
        for name in pth2safetensors.DTYPES:
            data = torch.arange(48, dtype=torch.uint8).reshape(2, 24)
            dtype = getattr(torch, name)
            values[name] = data % 2 == 1 if name == "bool" else data.view(dtype)
        self.save(values)
        have = head(self.out)
        raw_data = ck.read(self.out)
        for name, value in values.items():
            self.assertEqual(have[name]["dtype"], pth2safetensors.DTYPES[name])
            self.assertEqual(raw_data[name][1:], raw(value))

    def test_nested(self):
        t = torch.arange(4.)
        value = {"a": {"b": {"w": t}, "c": t + 1}, "d": t + 2, "e": {}}
        self.save(value)
        self.assertEqual(sorted(ck.read(self.out)), ["a.b.w", "a.c", "d"])
        self.save(value, "--force", "--root", "a.b")
        self.assertEqual(ck.read(self.out), {"w": ("F32", *raw(t))})

    def test_optimizer_state_beside_the_net(self):
        module = torch.nn.Linear(3, 2)
        optimizer = torch.optim.AdamW(module.parameters())
        module(torch.ones(1, 3)).sum().backward()
        optimizer.step()
        value = {"net": {"gpt_layer": module.state_dict()}, "epoch": 3,
                 "optimizer": optimizer.state_dict(), "iters": 17}
        err = self.refused(value, "net: a dict of 2 tensors", "epoch: int",
                           "say which part is meant: --root net")
        self.assertIn("optimizer: a dict that holds more than tensors", err)
        self.save(value, "--root", "net")
        self.assertEqual(ck.read(self.out), {
            f"gpt_layer.{n}": ("F32", *raw(t))
            for n, t in module.state_dict().items()})

    def test_bare_tensor(self):
        t = torch.randn(3, 4).t()
        self.refused(t, "a tensor [4, 3] without a name: --name NAME")
        self.save(t, "--name", "feat1")
        self.assertEqual(ck.read(self.out), {"feat1": ("F32", *raw(t))})
        self.save({"x": t}, "--root", "x", "--name", "y", "--force")
        self.assertEqual(list(ck.read(self.out)), ["y"])

    def test_negated_and_conjugated_views(self):
        """Bits beside the data: the bytes alone would have another sign."""
        z = torch.complex(torch.arange(3.), torch.arange(3.) + 1)
        value = {"view": z.conj().imag, "conj": (z + 1).conj()}
        self.save(value)
        have = ck.read(self.out)
        self.assertEqual(ck.floats("F32", have["view"][2]), [-1, -2, -3])
        for name, tensor in value.items():
            self.assertEqual(have[name][1:], raw(tensor), name)


class Sharing(Case):
    def test_left_out_names_are_listed(self):
        shared = PICKLES / "shared_tiny.pth"
        want = ck.read(PICKLES / "shared_tiny.expected.safetensors")
        for kept, twin in (("embed.weight", "head.weight"),
                           ("head.weight", "embed.weight")):
            out, _ = self.convert(shared, f"--keep={kept}", *OVERLAP, "--force")
            self.assertIn(f"left out: {twin}, the same tensor as {kept}", out)
            self.assertIn("5 tensors", out)
            self.assertEqual(ck.read(self.out),
                             {n: t for n, t in want.items() if n != twin})

    def test_refused_unless_told(self):
        _, err = self.convert(PICKLES / "shared_tiny.pth", code=1)
        self.assertIn("embed.weight, head.weight: one tensor; "
                      "--keep embed.weight", err)
        self.assertIn("whole, first, second, overlap: they overlap", err)
        self.assertIn(" ".join(OVERLAP).replace("=", " "), err)
        self.assertEqual(self.files(), [])

    def test_no_values_are_lost(self):
        """Overlapping tensors that are not the same stay, all of them."""
        for keep in (["--keep=whole"], OVERLAP[1:], OVERLAP[:3]):
            _, err = self.convert(PICKLES / "shared_tiny.pth",
                                  "--keep=head.weight", *keep, code=1)
            self.assertIn("holds values of its own", err)
            self.assertNotIn("embed.weight", err)

    def test_what_overlaps(self):
        base = torch.arange(24.).reshape(4, 6)
        for first, second, overlap in (
                (base, base, True), (base, base.t(), True),
                (base, base.view(torch.int32), True),
                (base[:, 1], base.view(torch.int16)[:, 3], True),
                (base[:, 1], base.view(torch.int16)[:, 4], False),
                (base, base[:, 2:3], True), (base[:3], base[3:], False),
                (base[:, ::2], base[::2, 4], True),
                (base[:, ::2], base[:, 1::2], False),
                (base[0].expand(5, 6), base[0, 2], True)):
            found = pth2safetensors.sharing({"a": first, "b": second})
            self.assertEqual(found, [["a", "b"]] if overlap else [], second)

    def test_random_views(self):
        """Against sets of indices."""
        random = torch.Generator().manual_seed(7)

        def pick(n):
            return int(torch.randint(n, (1,), generator=random))
        memory, indices = torch.zeros(40), torch.arange(40)
        pairs = 0
        for _ in range(300):
            size = (1 + pick(3), 1 + pick(3))
            stride = (pick(8), 1 + pick(4))
            views = [(size, stride, pick(12)), ((1 + pick(6),), (1 + pick(5),),
                                                pick(12))]
            sets = [set(indices.as_strided(*v).flatten().tolist())
                    for v in views]
            found = pth2safetensors.sharing(
                {i: memory.as_strided(*v) for i, v in enumerate(views)})
            pairs += bool(found)
            self.assertEqual(bool(found), bool(sets[0] & sets[1]), views)
        self.assertTrue(50 < pairs < 250, pairs)

    def test_a_view_with_the_other_sign_is_no_twin(self):
        z = torch.complex(torch.ones(2), torch.ones(2))
        err = self.refused({"a": z.imag, "b": z.conj().imag}, "a, b",
                           options=["--keep", "a"])
        self.assertIn("; --keep a --keep b writes a copy of each", err)

    def test_a_matrix_and_its_transpose(self):
        base = torch.arange(24.).reshape(4, 6)
        self.save({"a": base, "b": base.t()}, "--keep", "a", "--keep", "b")
        self.assertEqual({n: t[1:] for n, t in ck.read(self.out).items()},
                         {"a": raw(base), "b": raw(base.t())})

    def test_interleaved_but_disjoint(self):
        """Columns of one matrix, every other element: extents that overlap
        and no element that is shared."""
        fused = torch.arange(60.).reshape(4, 15)
        value = {"q": fused[:, :5], "k": fused[:, 5:10], "v": fused[:, 10:]}
        line = torch.arange(10.)
        value |= {"even": line[::2], "odd": line[1::2]}
        for legacy in (False, True):
            self.save(value, "--force", legacy=legacy)
            self.assertEqual({n: t[1:] for n, t in ck.read(self.out).items()},
                             {n: raw(t) for n, t in value.items()})

    def test_chains(self):
        line = torch.arange(12.)
        value = {"c": line[6:10], "a": line[:4], "b": line[3:7],
                 "alone": line[10:], "none": line[:0]}
        self.refused(value, "c, a, b: they overlap",
                     "--keep c --keep a --keep b")

    def test_tensors_that_alias_themselves(self):
        value = {"expanded": torch.arange(3.).expand(2, 3),
                 "windows": torch.arange(5.).as_strided((3, 3), (1, 1))}
        self.save(value)
        self.assertEqual({n: t[1:] for n, t in ck.read(self.out).items()},
                         {n: raw(t) for n, t in value.items()})

    def test_keep_of_nothing(self):
        value = {"a": torch.ones(2), "b": torch.ones(2)}
        self.refused(value, "--keep b: it shares no memory",
                     options=["--keep", "b"])
        self.refused(value, "--keep x: there is no such tensor",
                     options=["--keep", "x"])

    def test_keep_names_stripped_names(self):
        t = torch.ones(2)
        value = {"m.a": t, "m.b": t}
        self.save(value, "--strip", "m.", "--keep", "a")
        self.assertEqual(list(ck.read(self.out)), ["a"])


class Refusals(Case):
    def test_root(self):
        value = {"net": {"a": torch.ones(1), 3: 4}, "x": torch.ones(1)}
        for root, part in (("nte", "no `nte`; the keys outermost are: net, x"),
                           ("net.b", "no `b`; the keys in `net` are: a, 3"),
                           ("net.a.b", "in `net.a` is no dict but a tensor"),
                           ("net", "the key 3 is no text")):
            self.refused(value, part, options=["--root", root])

    def test_what_is_no_state_dict(self):
        t = torch.ones(2)
        loop = {"a": t}
        loop["b"] = {"c": loop}
        deep = t
        for _ in range(60):
            deep = {"x": deep}
        wide = {"x": t}
        for _ in range(40):
            wide = {"l": wide, "r": wide}
        for value, part in (
                ([t, t], "but list"), ("text", "but str"), ({}, "no tensor"),
                ({"a": {}}, "no tensor"), ({"a": t, "b": [t]}, "b: list"),
                ({"a": t, "b": None}, "b: NoneType"),
                ({"a": t, 1: t + 1}, "the key 1 is no text"),
                ({"a": {"b": t}, "a.b": t + 1}, "a.b: two tensors"),
                (loop, "b.c: a dict that is also elsewhere"),
                (wide, "a dict that is also elsewhere"),
                (deep, "nested too deep")):
            with self.subTest(part):
                self.refused(value, part)

    def test_strip(self):
        t = torch.ones(2)
        for value, part in (
                ({"module.a": t, "b": t + 1}, "left, by b"),
                ({"module.": t}, "left, by module."),
                ({"module.a": {"b": t}, "module.a.b": t + 1}, "two tensors")):
            self.refused(value, part, options=["--strip", "module."])

    def test_name_for_a_dict(self):
        self.refused({"a": torch.ones(1)}, "--name is for a bare tensor",
                     options=["--name", "x"])

    def test_tensors_that_have_no_plain_values(self):
        for tensor, part in (
                (torch.eye(3).to_sparse(), "stored as torch.sparse_coo"),
                (torch.eye(3).to_sparse_csr(), "stored as torch.sparse_csr"),
                (torch.empty(3, device="meta"), "on the device meta"),
                (torch.ones(2, dtype=torch.complex128), "complex128"),
                (torch.quantize_per_tensor(torch.ones(3), 0.1, 0, torch.qint8),
                 "qint8")):
            with self.subTest(part):
                self.refused({"good": torch.ones(1), "w": tensor}, "w ", part)
        self.refused({"__metadata__": torch.ones(1)}, "safetensors uses")

    def test_names_cannot_write_to_the_terminal(self):
        err = self.refused({"a\x1b[2J": 1}, "a\\x1b[2J")
        self.assertNotIn("\x1b", err)
        out, _ = self.save({"a\x1b[2J\n": torch.ones(1)})
        self.assertNotIn("\x1b", out)
        self.assertEqual(list(ck.read(self.out)), ["a\x1b[2J\n"])

    def test_damaged_files(self):
        whole = (PICKLES / "gpt_tiny.pth").read_bytes()
        for data in (b"", b"garbage", b"<html>", whole[:1000], whole[:-100],
                     b"PK\3\4broken", b"\x80\2broken",
                     (PICKLES / "legacy_tiny.pth").read_bytes()[:500],
                     pickle.dumps({"a": 1}), pickle.dumps({"a": 1}, 2)):
            with self.subTest(data[:10]):
                self.pth.write_bytes(data)
                self.convert(self.pth, code=1)
                self.assertEqual(self.files(), ["in.pth"])

    def test_a_shape_that_its_storage_does_not_have(self):
        class Liar:
            def __reduce__(self):
                return torch._utils._rebuild_tensor_v2, (
                    torch.ones(4).storage(), 0, (1000,), (1,), False,
                    collections.OrderedDict())
        for legacy in (False, True):
            self.save({"w": Liar()}, code=1, legacy=legacy)
            self.assertFalse(self.out.exists())


class Output(Case):
    def setUp(self):
        super().setUp()
        self.value = {"a": torch.arange(4.)}

    def test_not_overwritten_unless_told(self):
        self.out.write_text("old")
        _, err = self.save(self.value, code=1)
        self.assertIn("exists; --force replaces it", err)
        self.assertEqual(self.out.read_text(), "old")
        self.save(self.value, "--force")
        self.assertEqual(list(ck.read(self.out)), ["a"])
        self.assertEqual(self.files(), ["in.pth", "out.safetensors"])

    def test_never_the_input(self):
        torch.save(self.value, self.pth)
        before = self.pth.read_bytes()
        self.out.symlink_to(self.pth)
        _, err = self.convert(self.pth, "--force", code=1)
        self.assertIn("the input itself", err)
        self.assertEqual(self.pth.read_bytes(), before)

    def test_not_a_regular_file(self):
        self.out.mkdir()
        _, err = self.save(self.value, "--force", code=1)
        self.assertIn("no regular file", err)

    def test_link_as_target(self):
        real = self.dir / "real"
        real.write_text("old")
        self.out.symlink_to(real)
        self.save(self.value, "--force")
        self.assertTrue(self.out.is_symlink())
        self.assertEqual(list(ck.read(real)), ["a"])

    def test_mode(self):
        self.save(self.value)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(self.out.stat().st_mode & 0o777, 0o666 & ~mask)

    def test_system_errors(self):
        self.convert(self.dir / "gone.pth", code=3)
        self.convert(self.dir, code=3)
        self.out = self.dir / "gone" / "out"
        self.save(self.value, code=3)

    def test_old_file_survives_a_failure(self):
        self.out.write_text("old")
        for place in ("save", "settle_metadata", "os.replace"):
            with mock.patch(f"pth2safetensors.{place}", side_effect=OSError):
                self.save(self.value, "--force", code=3)
            self.assertEqual(self.out.read_text(), "old")
            self.assertEqual(self.files(), ["in.pth", "out.safetensors"])

    def test_no_room(self):
        def small_files():
            signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
            resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        torch.save({"a": torch.zeros(1 << 16)}, self.pth)
        done = self.process(self.pth, self.out, preexec_fn=small_files)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertNotIn("Traceback", done.stderr)
        self.assertEqual(self.files(), ["in.pth"])

    def test_an_output_that_appears_meanwhile_stays(self):
        settle = pth2safetensors.settle_metadata

        def late(*args):
            self.out.write_text("another's")
            settle(*args)
        with mock.patch("pth2safetensors.settle_metadata", late):
            self.save(self.value, code=1)
        self.assertEqual(self.out.read_text(), "another's")

    def test_process(self):
        torch.save(self.value, self.pth)
        done = self.process(self.pth, self.out)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("F32 [4]  a", done.stdout)


class Touch:
    """Unpickled by an unsafe loader, it creates a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch '{self.path}'",)


class Hostile(Case):
    def setUp(self):
        super().setUp()
        self.mark = self.dir / "executed"

    def not_executed(self):
        """Refused, said so, and nothing ran. Then the control: the same file
        does run where it is loaded as a plain pickle, so that the check can
        fail."""
        _, err = self.convert(self.pth, code=1)
        self.assertIn("posix.system", err)
        self.assertIn("NOT executed", err)
        self.assertEqual(self.files(), ["in.pth"])
        torch.load(self.pth, weights_only=False)
        self.assertTrue(self.mark.exists())
        self.mark.unlink()

    def test_evil(self):
        for options in ([], ["--root", "net"], ["--force"]):
            _, err = self.convert(PICKLES / "evil.pth", *options, code=1)
            self.assertIn("posix.system", err)
            self.assertIn("NOT executed", err)
            self.assertFalse(PWNED.exists())
            self.assertEqual(self.files(), [])

    def test_evil_in_a_process_that_asks_for_it(self):
        env = {**os.environ, "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
        done = self.process(PICKLES / "evil.pth", self.out, env=env)
        self.assertEqual(done.returncode, 1)
        self.assertIn("NOT executed", done.stderr)
        self.assertFalse(PWNED.exists())

    def test_either_format(self):
        for legacy in (False, True):
            torch.save(Touch(self.mark), self.pth,
                       _use_new_zipfile_serialization=not legacy)
            self.not_executed()

    def test_nested_in_a_state_dict(self):
        """Also where --root would take a part that is harmless."""
        value = {"net": {"w": torch.ones(2)},
                 "optimizer": {"state": [1, {"x": Touch(self.mark)}]}}
        for legacy in (False, True):
            torch.save(value, self.pth,
                       _use_new_zipfile_serialization=not legacy)
            _, err = self.convert(self.pth, "--root", "net", code=1)
            self.assertIn("NOT executed", err)
            self.not_executed()

    def test_plain_pickle(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            self.pth.write_bytes(pickle.dumps(Touch(self.mark), protocol))
            self.convert(self.pth, code=1)
            self.assertEqual(self.files(), ["in.pth"])

    def test_class_of_this_program(self):
        """An object without a payload is code-carrying, too."""
        torch.save({"w": torch.ones(1), "x": collections.Counter("ab"),
                    "y": pathlib.PurePosixPath("a")}, self.pth)
        _, err = self.convert(self.pth, code=1)
        self.assertIn("pathlib", err)
        self.assertIn("NOT executed", err)


if __name__ == "__main__":
    unittest.main(warnings="ignore")

# SPDX-License-Identifier: MIT
"""torch: every compiled fixture's state_dict() is torch's own effective weights,
on the file's memory."""
import subprocess
import sys
import unittest

import pytest

import ttsb
from conftest import FIXTURES, SPECS, mapped # and the project's modules:
import checkpoints as ck
from moved import ulps
from shipped_probes import SHIPPED, Bigvgan
from test_indextts2 import Feat, Stats

pytestmark = pytest.mark.torch
try:
    import torch
except ImportError: # then `-m torch` is not asked for
    torch = None


def span_of(path):
    """The addresses at which the file is mapped."""
    for line in open("/proc/self/maps"):
        if line.rstrip("\n").endswith(str(path)):
            first, last = line.split()[0].split("-")
            return int(first, 16), int(last, 16)
    raise AssertionError(f"{path} is not mapped")


def value_of(tensor):
    """(dtype, shape, bytes) as in the project's tests."""
    names = {torch.float32: "F32", torch.bfloat16: "BF16", torch.int64: "I64"}
    flat = tensor.contiguous().reshape(-1)
    return (names[tensor.dtype], list(tensor.shape),
            flat.view(torch.uint8).numpy().tobytes() if flat.numel() else b"")


# Spec, checkpoint, torch's weights, how the spec moves them.
CASES = [(spec, [fixture.replace(".effective", "")], [fixture], moved)
         for spec, fixture, moved in SHIPPED] + [
    ("bigvgan_tiny_parametrized", ["bigvgan/bigvgan_tiny_parametrized"],
     ["bigvgan/bigvgan_tiny.effective"], Bigvgan),
    ("feat_tiny", ["feat/feat1_tiny", "feat/feat2_tiny"],
     ["feat/feat1_tiny", "feat/feat2_tiny"], Feat),
    ("w2vbert_stats_tiny", ["w2vbert/w2vbert_stats_tiny"],
     ["w2vbert/w2vbert_stats_tiny"], Stats)]


def file_of(name):
    return FIXTURES / f"{name}.safetensors"


@pytest.mark.parametrize("spec,given,torchs,moved", CASES,
                         ids=[c[0] for c in CASES])
def test_effective_weights(tmp_path, spec, given, torchs, moved):
    path = tmp_path / "a.ttsb"
    ttsb.compile(SPECS / "indextts2" / f"{spec}.yaml", *map(file_of, given),
                 output=path)
    with ttsb.open(path) as blob:
        weights = blob.state_dict()
    want = moved({name: value for file in torchs
                  for name, value in ck.read(file_of(file)).items()})
    if moved is Bigvgan: # weight norm and exp are computed
        close(want, weights)
    else:
        want.check(unittest.TestCase(), {
            name: value_of(t) for name, t in weights.items()})
    first, last = span_of(path)
    for name, t in weights.items():
        assert t.numel() and first <= t.data_ptr() < last, name
    del weights, t
    assert not mapped(path)


def close(want, weights):
    assert set(weights) == set(want.want)
    for name, (dtype, shape, data) in want.want.items():
        have = value_of(weights[name])
        assert have[:2] == (dtype, shape), name
        assert ulps(have[2], data) <= 3, name


def test_every_fixture_is_there():
    """No reduced spec and no *.effective.safetensors without a test above,
    but for the spec that joins the others."""
    assert {f.stem for f in (SPECS / "indextts2").glob("*_tiny*.yaml")} == {
        case[0] for case in CASES} | {"pipeline_tiny"}
    assert set(FIXTURES.glob("*/*.effective.safetensors")) == {
        file_of(f) for case in CASES for f in case[2] if "effective" in f}


def test_every_dtype(every):
    blob = ttsb.open(every)
    with pytest.raises(TypeError, match="x_f6_e2m3: torch has no dtype"):
        blob.state_dict()
    from ttsb._torch import torch_tensor
    for t in blob.values():
        if t.dtype.startswith("F6"):
            continue
        have = torch_tensor(t)
        assert have.data_ptr() == t.numpy(raw=True).ctypes.data
        if t.dtype == "F4":
            assert have.dtype == torch.float4_e2m1fn_x2
            assert tuple(have.shape) == (2, 2)
            continue
        assert tuple(have.shape) == t.shape
        flat = torch.from_dlpack(t).reshape(-1).view(torch.uint8)
        assert flat.numpy().tobytes() == t.tobytes()


def test_absent_and_aliases(features, partial):
    blob = ttsb.open(features, track=True)
    weights = blob.state_dict()
    assert list(weights) == [n for n in blob if n != "style.weight"]
    assert blob.unused() == []
    assert weights["out.weight"].data_ptr() == weights["tok.weight"].data_ptr()
    assert {"tok.weight", "out.weight", "style.weight"}.isdisjoint(
        ttsb.open(partial, partial=True).state_dict())


def test_copies_may_be_written(features):
    blob = ttsb.open(features)
    weights = blob.state_dict(copy=True)
    shared = blob.state_dict()
    for name, t in weights.items():
        assert t.data_ptr() != shared[name].data_ptr()
        assert torch.equal(t, shared[name])
    for t in weights.values():
        t.zero_()
    assert weights["out.weight"] is weights["tok.weight"]
    assert shared["head.weight"].any()


def test_writing_ends_the_program(features, own_python):
    """As the documentation has it: torch cannot be told."""
    program = (f"import ttsb\nw = ttsb.open({str(features)!r}).state_dict()\n"
               "w['head.weight'].zero_()\n")
    done = subprocess.run([sys.executable, "-c", program], env=own_python,
                          stderr=subprocess.PIPE)
    assert done.returncode == -11


def test_copy_by_from_dlpack(features):
    t = ttsb.open(features)["tok.weight"]
    own = torch.from_dlpack(t, copy=True)
    own.zero_()
    assert torch.from_dlpack(t).any()


def test_load_state_dict(features):
    module = torch.nn.LayerNorm(8, bias=False)
    blob = ttsb.open(features)
    weights = {"weight": blob.state_dict()["blk.0.ln_1.weight"]}
    module.load_state_dict(weights)
    assert torch.equal(module.weight, weights["weight"])

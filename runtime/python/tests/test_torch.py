# SPDX-License-Identifier: MIT
"""torch: every compiled fixture's state_dict() is torch's own effective weights,
on the file's memory."""
import subprocess
import sys
import unittest

import pytest

import ttsb
from conftest import FIXTURES, SPECS, mapped
from shipped_probes import SHIPPED

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


@pytest.mark.parametrize("spec,fixture,moved", SHIPPED,
                         ids=[s[0] for s in SHIPPED])
def test_effective_weights(tmp_path, spec, fixture, moved):
    import checkpoints as ck
    path = tmp_path / "a.ttsb"
    ttsb.compile(SPECS / "indextts2" / f"{spec}.yaml", FIXTURES /
                 f"{fixture.replace('.effective', '')}.safetensors", output=path)
    with ttsb.open(path) as blob:
        weights = blob.state_dict()
    want = moved(ck.read(FIXTURES / f"{fixture}.safetensors"))
    if spec == "bigvgan_tiny": # weight norm and exp are computed
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
    from moved import ulps
    assert set(weights) == set(want.want)
    for name, (dtype, shape, data) in want.want.items():
        have = value_of(weights[name])
        assert have[:2] == (dtype, shape), name
        assert ulps(have[2], data) <= 3, name


def test_every_fixture_is_there():
    """No *.effective.safetensors without a test above."""
    assert {f"{f.parent.name}/{f.name}" for f in
            FIXTURES.glob("*/*.effective.safetensors")} == {
        f"{fixture}.safetensors" for _, fixture, _ in SHIPPED
        if fixture.endswith(".effective")}


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

# SPDX-License-Identifier: MIT
"""A blob as a mapping: what is in it, and what its index says."""
import copy
import gc
import json
import os
import pickle
import re
import shutil
import subprocess

import pytest

import ttsb
from conftest import mapped
from ttsb import _meta


@pytest.fixture
def blob(features):
    with ttsb.open(features) as blob:
        yield blob


def inspected(path):
    done = subprocess.run([os.environ["TTSWC"], "inspect", "--json", str(path)],
                          stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", ["features", "every", "odd"])
def test_all_that_inspect_says(name, request):
    path = request.getfixturevalue(name)
    said, blob = inspected(path), ttsb.open(path)
    assert list(blob) == [t["name"] for t in said["tensors"]]
    for t in said["tensors"]:
        have = blob[t["name"]]
        assert (have.dtype.lower(), list(have.shape), have.nbytes, have.group,
                list(have.flags), have.alias_of, have.offset) == tuple(
            t[key] for key in ("dtype", "shape", "size", "group", "flags",
                               "alias_of", "offset"))
        assert blob.digest(t["name"]) == t["digest"]
    for g, have in zip(said["groups"], blob.groups.values()):
        assert g == {key: getattr(have, key) for key in g}
    assert len(said["groups"]) == len(blob.groups) == blob.info.group_count
    for key in ("contract_id", "root", "file_size", "model", "revision",
                "partial"):
        assert said[key] == getattr(blob.info, key)
    assert said["container"] == "%d.%d" % blob.info.container


def test_mapping(blob):
    assert len(blob) == len(list(blob)) == len(blob.keys()) == 19
    assert "head.weight" in blob and "head" not in blob and 3 not in blob
    assert [t.name for t in blob.values()] == list(blob)
    assert [n for n, t in blob.items() if t.absent] == ["style.weight"]
    assert blob.get("nope") is None
    assert blob["head.weight"].index == list(blob).index("head.weight")
    assert len({blob, blob}) == 1


def test_a_blob_is_only_itself(features):
    assert ttsb.open(features) != ttsb.open(features)


@pytest.mark.parametrize("name", ["nope", "", "head.weight\0", "é", "\udc80",
                                  "a" * 300])
def test_not_found(blob, name):
    for ask in (blob.__getitem__, blob.digest, blob.lineage):
        with pytest.raises(ttsb.NotFound) as caught:
            ask(name)
        assert isinstance(caught.value, KeyError)
        assert caught.value.name == "TTSB_NOT_FOUND"
        assert "'" not in str(caught.value)[:1] # no KeyError's repr
    assert name not in blob
    with pytest.raises(TypeError):
        blob[3]


def test_constants(blob, odd):
    assert dict(blob.constants) == {
        "head_dim": 4, "heads": 2, "languages": ["en", "zh"], "rms_eps": 1e-6,
        "rope_theta": 10000.0, "stop_token": -1, "widths": [8, 16]}
    assert type(blob.constants["rope_theta"]) is float
    constants = ttsb.open(odd).constants
    assert constants["empty"] == "" and constants["voices"] == ["a", "sete 77", ""]
    assert constants["lowest"] == -2 ** 63
    assert str(constants["minus_zero"]) == "-0.0"
    assert constants["language"] == 'pt"\\\né'
    assert constants["gains"] == [0.5, -2.0]
    with pytest.raises(TypeError):
        blob.constants["heads"] = 3


def test_lineage(blob):
    assert blob.meta["format"] == 1
    assert blob.meta["spec"] == {"contract": blob.info.contract_id}
    one = blob.lineage("head.weight")
    assert one.axes == ("out", "in")
    assert one.value.startswith("weight_norm(")
    assert [(s.name, s.dtype, s.shape) for s in one.sources] == [
        ("head.weight_g", "f32", (5, 1)), ("head.weight_v", "f32", (5, 8))]
    assert all(re.fullmatch("[0-9a-f]{32}", s.digest) for s in one.sources)
    assert blob.lineage("out.weight").value == "alias(tok.weight)"
    assert blob.lineage("out.weight").sources == ()
    for name in blob: # every record has its own
        assert blob.lineage(name).name == name


@pytest.mark.parametrize("meta", [
    {}, {"format": 2}, {"format": 1}, {"format": 1, "sources": [], "tensors": []},
    {"format": 1, "sources": 1, "tensors": [{"name": "scalar"}]},
    {"format": 1, "sources": [], "tensors": [{"name": "another"}] * 19},
    {"format": 1, "sources": [], "tensors": [[]] * 19}])
def test_lineage_of_another_format(features, meta):
    blob = ttsb.open(features)
    blob._meta = meta
    with pytest.raises(ValueError, match="META"):
        blob.lineage("scalar")


@pytest.mark.parametrize("raw", [b"", b"[]", b"\xff", b"[" * 100000])
def test_meta_that_is_none(raw):
    with pytest.raises(ValueError):
        _meta.parse(raw)


def test_require(blob):
    info = blob.info
    blob.require()
    blob.require(model="features", revision=3, contract_id=info.contract_id)
    blob.require(revision=(1, 3), contract_id=bytes.fromhex(info.contract_id))
    for wrong, name in (({"model": "gpt"}, "TTSB_WRONG_MODEL"),
                        ({"revision": 4}, "TTSB_WRONG_REVISION"),
                        ({"revision": (1, 2)}, "TTSB_WRONG_REVISION"),
                        ({"contract_id": "0" * 32}, "TTSB_WRONG_CONTRACT")):
        with pytest.raises(ttsb.RequirementError) as caught:
            blob.require(**wrong)
        assert caught.value.name == name
        assert "ttswc compile" in str(caught.value)
    for bad in ({"contract_id": "00"}, {"contract_id": b"x" * 15},
                {"revision": -1}, {"revision": (2, 1)},
                {"model": "features\0"}):
        with pytest.raises(ValueError):
            blob.require(**bad)


def test_unused(features):
    with pytest.raises(ValueError):
        ttsb.open(features).unused()
    blob = ttsb.open(features, track=True)
    assert blob.unused() == list(blob)
    assert "scalar" in blob # asks for nothing
    blob["head.weight"], blob.get("style.weight"), blob["out.weight"]
    assert blob.unused() == [n for n in blob if n not in (
        "head.weight", "style.weight", "out.weight")]
    list(blob.values())
    assert blob.unused() == []


def test_partial(partial):
    with pytest.raises(ttsb.PartialError):
        ttsb.open(partial)
    blob = ttsb.open(partial, partial=True)
    assert blob.info.partial
    assert [t.name for t in blob.values() if t.missing] == ["tok.weight",
                                                             "out.weight"]
    for t in (blob["tok.weight"], blob["style.weight"]):
        for ask in (t.numpy, t.memoryview, t.tobytes,
                    lambda: t.__dlpack__(max_version=(1, 0))):
            with pytest.raises(ttsb.NoDataError) as caught:
                ask()
            assert caught.value.tensor == t.name
            assert caught.value.status == (4 if t.missing else 3)


def test_closed(features):
    with ttsb.open(features) as blob:
        assert not blob.closed
    assert blob.closed and "closed" in repr(blob)
    blob.close()
    for ask in (lambda: blob["scalar"], blob.verify, lambda: blob.groups,
                lambda: blob.constants, lambda: list(blob), blob.__enter__):
        with pytest.raises(ValueError, match="closed"):
            ask()


def test_closed_is_closed_to_its_names_too(features):
    """Also if they were asked for before."""
    with ttsb.open(features) as blob:
        names = list(blob)
    for ask in (lambda: list(blob), lambda: names[0] in blob, lambda: blob.get("scalar")):
        with pytest.raises(ValueError, match="closed"):
            ask()


@pytest.mark.parametrize("threads", [1, 4])
def test_closed_while_a_call_runs(features, tmp_path, threads):
    """The call keeps the file until its end."""
    own = shutil.copy(features, tmp_path / "own.ttsb")
    blob = ttsb.open(own)
    blob.verify(threads, progress=lambda done, count: blob.close())
    assert blob.closed and not mapped(own)


def test_copies_share_the_file(features, tmp_path):
    """And close it once; a pickle would have an address of this process."""
    own = shutil.copy(features, tmp_path / "own.ttsb")
    blob = ttsb.open(own)
    want = blob["scalar"].tobytes()
    kept = [copy.copy(blob["scalar"]), copy.deepcopy(blob["scalar"]),
            copy.deepcopy({"a": blob})["a"]["scalar"], copy.copy(blob)["scalar"]]
    for o in (blob, blob["scalar"]):
        with pytest.raises(TypeError, match="not pickled"):
            pickle.dumps(o)
    blob.close()
    del blob, o
    gc.collect()
    assert [t.tobytes() for t in kept] == [want] * 4
    del kept
    gc.collect()
    assert not mapped(own)


def test_version():
    assert ttsb.version() == ttsb.__version__

# SPDX-License-Identifier: MIT
"""What fails says what, as the right exception."""
import errno
import os
import pickle
import subprocess
import sys

import pytest

import ttsb


def changed(path, into, at, byte=None):
    raw = bytearray(path.read_bytes())
    raw[at] = raw[at] ^ 1 if byte is None else byte
    into.write_bytes(raw)
    return into


def test_system(tmp_path):
    with pytest.raises(OSError) as caught:
        ttsb.open(tmp_path / "nope.ttsb")
    error = caught.value
    assert isinstance(error, ttsb.SystemCallError)
    assert (error.errno, error.name, error.field) == (errno.ENOENT,
                                                     "TTSB_SYSTEM_OPEN", "open")
    assert error.filename == str(tmp_path / "nope.ttsb") and \
        error.filename in str(error)
    with pytest.raises(ttsb.SystemCallError) as caught:
        ttsb.open(tmp_path)
    assert caught.value.name == "TTSB_SYSTEM_NOT_A_FILE"
    with pytest.raises(ValueError, match="null"):
        ttsb.open("a\0b")
    with pytest.raises(TypeError):
        ttsb.open(3.5)


def test_paths(features, monkeypatch):
    monkeypatch.chdir(features.parent)
    for path in (features, str(features), os.fsencode(features), features.name):
        with ttsb.open(path) as blob:
            assert blob.info.model == "features"


@pytest.mark.parametrize("at,byte,name,kind", [
    (0, 0, "TTSB_BAD_MAGIC", ttsb.BlobError),
    (8, 9, "TTSB_BAD_MAJOR", ttsb.BlobError),
    (100, None, "TTSB_BAD_SELF_HASH", ttsb.DamagedError),
    (4096, None, "TTSB_BAD_SECTION_HASH", ttsb.DamagedError)])
def test_bad_files(features, tmp_path, at, byte, name, kind):
    path = changed(features, tmp_path / "bad.ttsb", at, byte)
    with pytest.raises(kind) as caught:
        ttsb.open(path)
    error = caught.value
    assert error.name == name and error.text in str(error)
    assert error.field and error.found != error.expected
    assert not isinstance(error, (OSError, KeyError))


def test_pickled(features, tmp_path):
    """As out of the workers of concurrent.futures."""
    path = changed(features, tmp_path / "bad.ttsb", 65536)
    blob = ttsb.open(features)
    for ask in (lambda: ttsb.open(tmp_path / "no"), lambda: blob["no"],
                lambda: blob.require(model="no"), ttsb.open(path).verify):
        with pytest.raises(ttsb.Error) as caught:
            ask()
        error = caught.value
        again = pickle.loads(pickle.dumps(error))
        assert type(again) is type(error) and str(again) == str(error)
        assert vars(again) == vars(error) and again.args == error.args
        assert getattr(again, "errno", 0) == getattr(error, "errno", 0)


def test_short(tmp_path):
    (tmp_path / "short").write_bytes(b"x")
    with pytest.raises(ttsb.BlobError) as caught:
        ttsb.open(tmp_path / "short")
    assert caught.value.name == "TTSB_TOO_SHORT"


def test_verify(features):
    blob = ttsb.open(features)
    calls = []
    for threads in (None, 1, 3, 256):
        blob.verify(threads=threads, progress=lambda *n: calls.append(n))
        assert calls[-1] == (blob.info.piece_count, blob.info.piece_count)
    for threads in (0, 257, -1, 2 ** 32 + 1):
        with pytest.raises(ValueError):
            blob.verify(threads=threads)


def test_what_progress_raises(features):
    def stop(done, count):
        raise KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        ttsb.open(features).verify(progress=stop)


@pytest.mark.parametrize("threads", [None, 1, 2])
def test_damaged_tensors(features, tmp_path, threads):
    """All of them are named, aliases too, and the first one is the error's."""
    whole = ttsb.open(features)
    path = features
    for name in ("head.weight", "tok.weight"):
        path = changed(path, tmp_path / f"{name}.ttsb", whole[name].offset + 3)
    blob = ttsb.open(path)
    with pytest.raises(ttsb.DamagedError) as caught:
        blob.verify(threads=threads)
    assert caught.value.name == "TTSB_DAMAGED_PIECE"
    assert caught.value.tensor == "head.weight"
    assert caught.value.tensors == ("head.weight", "tok.weight", "out.weight")
    assert "head.weight" in str(caught.value)


def test_damaged_among_odd_records(odd, tmp_path):
    """Empty and aliased tensors are neither left out nor blamed."""
    path = odd
    for i, name in enumerate(("vocab.ids", "dec.w", "long.one", "last")):
        t = ttsb.open(odd)[name]
        path = changed(path, tmp_path / f"{i}.ttsb", t.offset + t.nbytes - 1)
    with pytest.raises(ttsb.DamagedError) as caught:
        ttsb.open(path).verify()
    assert caught.value.tensors == ("vocab.ids", "dec.w", "dec.tied", "long.one",
                                    "last")


def test_damaged_padding(features, tmp_path):
    scalar = ttsb.open(features)["scalar"]
    path = changed(features, tmp_path / "a.ttsb", scalar.offset + 5, 7)
    with pytest.raises(ttsb.DamagedError) as caught:
        ttsb.open(path).verify()
    assert (caught.value.name, caught.value.tensors) == (
        "TTSB_DAMAGED_PADDING", ("scalar",))
    assert caught.value.found == 7


def test_damaged_meta(features, tmp_path):
    """Lineage is not told out of a META that is not proven."""
    at = features.read_bytes().index(b'"format":1')
    blob = ttsb.open(changed(features, tmp_path / "a.ttsb", at + 3))
    for ask in (lambda: blob.meta, lambda: blob.lineage("scalar"), blob.verify):
        with pytest.raises(ttsb.DamagedError) as caught:
            ask()
        assert caught.value.name == "TTSB_DAMAGED_META"
        assert caught.value.tensors == ()


def test_no_library(own_python):
    for path, say in (("/nope/libttsb.so", "/nope/libttsb.so"),
                      (sys.executable, "ttsb: ")):
        done = subprocess.run(
            [sys.executable, "-c", "import ttsb; ttsb.open('x')"],
            env=dict(own_python, TTSB_LIBRARY=path), stderr=subprocess.PIPE)
        assert done.returncode == 1 and say.encode() in done.stderr
        assert b"ImportError" in done.stderr


def test_numpy_comes_late(features, own_python):
    program = (f"import sys, ttsb\nb = ttsb.open({str(features)!r})\n"
               "b.verify(); b.meta; b['scalar'].tobytes()\n"
               "print(sorted({'numpy', 'ml_dtypes', 'torch'} & "
               "set(sys.modules)))")
    done = subprocess.run([sys.executable, "-c", program], check=True,
                          env=own_python, stdout=subprocess.PIPE)
    assert done.stdout == b"[]\n"

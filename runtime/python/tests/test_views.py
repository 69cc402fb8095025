# SPDX-License-Identifier: MIT
"""Views: the file's bytes, not copied, not writable, and alive as long as they
are held."""
import gc
import threading
import weakref

import ml_dtypes
import numpy
import pytest

import ttsb
from conftest import header_of, mapped, EVERY
from ttsb import _dtypes

PACKED = ("F4", "F6_E2M3", "F6_E3M2")


def address(view):
    return numpy.frombuffer(view, "u1").ctypes.data


def test_values_of_every_dtype(every):
    """The checkpoint's bytes, under numpy's name for the dtype."""
    header, data = header_of(EVERY)
    blob = ttsb.open(every)
    assert len(blob) == 22
    for name, entry in header.items():
        t = blob["x_" + name[2:]]
        want = data[slice(*entry["data_offsets"])]
        assert t.dtype == entry["dtype"]
        assert t.tobytes() == bytes(t.memoryview()) == want
        raw = t.numpy(raw=True)
        assert raw.tobytes() == want and raw.dtype.kind == "u"
        assert raw.ctypes.data == address(t.memoryview())
        if t.dtype in PACKED:
            assert raw.shape == (t.nbytes,)
            with pytest.raises(TypeError, match="raw=True"):
                t.numpy()
            continue
        array = t.numpy()
        assert array.shape == raw.shape == t.shape == (2, 4)
        assert array.tobytes() == want
        assert array.ctypes.data == raw.ctypes.data
    assert blob["x_f32"].numpy().dtype == numpy.float32
    assert blob["x_c64"].numpy().dtype == numpy.complex64
    assert blob["x_bf16"].numpy().dtype == ml_dtypes.bfloat16
    assert blob["x_f8_e4m3"].numpy().dtype == ml_dtypes.float8_e4m3fn


def test_without_ml_dtypes(every, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ml_dtypes", None)
    t = ttsb.open(every)["x_bf16"]
    with pytest.raises(TypeError, match="ml_dtypes.*raw=True"):
        t.numpy()
    assert t.numpy(raw=True).dtype == numpy.uint16
    assert _dtypes.numpy_dtype("F16") == numpy.float16


def test_odd_shapes(odd):
    blob = ttsb.open(odd)
    for name in ("dec.scale", "none.rows", "eight", "opt.here", "last", "z.a"):
        assert blob[name].numpy().shape == blob[name].shape
    assert blob["none.rows"].numpy().size == 0
    assert blob["z.a"].tobytes() == b""
    assert blob["dec.tied"].numpy().ctypes.data == \
        blob["dec.w"].numpy().ctypes.data
    assert blob["eight"].shape == (1, 2, 1, 1, 2, 1, 1, 3)


def test_nothing_can_be_written(features):
    t = ttsb.open(features)["head.weight"]
    array = t.numpy()
    assert not array.flags.writeable and not t.numpy(raw=True).flags.writeable
    for write in (lambda: array.__setitem__(0, 1),
                  lambda: array.setflags(write=True),
                  lambda: t.numpy(raw=True).setflags(write=True),
                  lambda: t.memoryview().__setitem__(0, 1),
                  lambda: numpy.from_dlpack(t).setflags(write=True)):
        with pytest.raises((ValueError, TypeError)):
            write()


def test_array(features):
    t = ttsb.open(features)["head.weight"]
    assert numpy.asarray(t).ctypes.data == t.numpy().ctypes.data
    assert numpy.array(t).flags.writeable
    assert numpy.asarray(t, dtype="f8").dtype == numpy.float64
    assert numpy.array_equal(numpy.asarray(t, dtype="f8"), t.numpy())
    with pytest.raises(ValueError):
        t.__array__("f8", copy=False)
    assert float(numpy.sum(t)) == float(t.numpy().sum())


VIEWS = {
    "tensor": lambda t: t,
    "numpy": lambda t: t.numpy(),
    "part of an array": lambda t: t.numpy()[1:, ::2],
    "raw": lambda t: t.numpy(raw=True),
    "memoryview": lambda t: t.memoryview(),
    "part of a memoryview": lambda t: t.memoryview()[3:7],
    "from_dlpack": lambda t: numpy.from_dlpack(t),
    "capsule": lambda t: t.__dlpack__(max_version=(1, 0)),
}


def bytes_of(view):
    if isinstance(view, (numpy.ndarray, memoryview)):
        return view.tobytes()
    return view.tobytes() if isinstance(view, ttsb.Tensor) else b"?"


@pytest.mark.parametrize("copy", [False, True])
@pytest.mark.parametrize("kind", VIEWS)
def test_views_outlive_the_blob(features, tmp_path, kind, copy):
    """The file stays mapped until the last view is gone, and no longer."""
    path = tmp_path / "own.ttsb"
    path.write_bytes(features.read_bytes())
    blob = ttsb.open(path, copy=copy)
    view = VIEWS[kind](blob["head.weight"])
    before = bytes_of(view)
    blob.close()
    assert bytes_of(view) == before
    gone = weakref.ref(blob)
    del blob
    gc.collect()
    assert gone() is None
    assert bytes_of(view) == before
    assert mapped(path) != copy
    del view
    gc.collect()
    assert not mapped(path)


def test_many_threads(features):
    """Views are made, read and dropped everywhere while the blob is closed."""
    want = ttsb.open(features)["head.weight"].tobytes()
    blob = ttsb.open(features)
    wrong = []

    def work(t):
        for _ in range(200):
            for view in (t.numpy(), numpy.from_dlpack(t)):
                if view.tobytes() != want:
                    wrong.append(view)
            t.__dlpack__(max_version=(1, 0))

    threads = [threading.Thread(target=work, args=(blob["head.weight"],))
               for _ in range(4)]
    for thread in threads:
        thread.start()
    blob.close()
    del blob
    for thread in threads:
        thread.join()
    assert not wrong

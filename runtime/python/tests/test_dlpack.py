# SPDX-License-Identifier: MIT
"""DLPack, by the array API standard: versions, copies, capsules nobody takes,
and those that are left when the interpreter ends."""
import ctypes
import subprocess
import sys

import numpy
import pytest

import ttsb
from conftest import mapped
from ttsb import _dlpack


@pytest.fixture
def tensor(features):
    return ttsb.open(features)["head.weight"]


def name_of(capsule):
    get = ctypes.pythonapi["PyCapsule_GetName"]
    get.restype, get.argtypes = ctypes.c_char_p, [ctypes.py_object]
    return get(capsule)


def test_no_copy(features):
    for t in ttsb.open(features).values():
        if t.absent or t.dtype == "BF16": # which numpy cannot take
            continue
        array = numpy.from_dlpack(t)
        assert array.ctypes.data == t.numpy().ctypes.data
        assert array.shape == t.shape and array.dtype == t.numpy().dtype
        assert not array.flags.writeable
    assert t.__dlpack_device__() == (1, 0)


def test_who_cannot_be_told_read_only(tensor):
    for asked in ({}, {"max_version": None}, {"max_version": (0, 8)},
                  {"copy": False}):
        with pytest.raises(BufferError, match="copy=True"):
            tensor.__dlpack__(**asked)
    assert name_of(tensor.__dlpack__(copy=True)) == b"dltensor"
    assert name_of(tensor.__dlpack__(max_version=(1, 0))) == \
        b"dltensor_versioned"
    assert name_of(tensor.__dlpack__(max_version=(2, 0), copy=True)) == \
        b"dltensor_versioned"


def test_what_a_blob_cannot(tensor):
    for asked in ({"stream": 1}, {"dl_device": (2, 0)}, {"dl_device": (1, 1)}):
        with pytest.raises(BufferError):
            tensor.__dlpack__(max_version=(1, 0), **asked)
    tensor.__dlpack__(max_version=(1, 0), dl_device=(1, 0), copy=False)


@pytest.mark.parametrize("name", ["head.weight", "scalar", "mask", "steps"])
def test_copies_may_be_written(features, name):
    tensor = ttsb.open(features)[name]
    copy = numpy.from_dlpack(tensor, copy=True)
    assert copy.flags.writeable
    assert copy.ctypes.data != tensor.numpy().ctypes.data
    assert copy.ctypes.data % 64 == 0
    assert numpy.array_equal(copy, tensor.numpy())
    copy[...] = 0


@pytest.mark.parametrize("asked", [
    {"max_version": (1, 0)}, {"max_version": (1, 0), "copy": True}, {"copy": True}])
def test_no_elements_no_address(odd, asked):
    """The standard: data is NULL then."""
    tensor = ttsb.open(odd)["none.rows"]
    capsule = tensor.__dlpack__(**asked)
    get = ctypes.pythonapi["PyCapsule_GetPointer"]
    get.restype, get.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    kind = _dlpack._Versioned if "max_version" in asked else _dlpack._Legacy
    shown = kind.from_address(get(capsule, name_of(capsule))).tensor
    assert tensor.shape == (0, 4) == tuple(shown.shape[:shown.ndim])
    assert shown.data is None


def test_an_old_consumer_takes_a_copy(tensor):
    """numpy takes unversioned capsules, too."""
    class Old:
        def __dlpack_device__(self):
            return (1, 0)

        def __dlpack__(self, **unused):
            return tensor.__dlpack__(copy=True)

    assert numpy.array_equal(numpy.from_dlpack(Old()), tensor.numpy())


def test_a_refused_capsule_keeps_the_exception(features):
    """It dies while the exception is on its way: code of Python there would
    end in a SystemError."""
    path = features.parent / "refused.ttsb"
    path.write_bytes(features.read_bytes())
    tensor = ttsb.open(path)["tok.weight"]
    for _ in range(3):
        with pytest.raises((RuntimeError, BufferError), match="dtype"):
            numpy.from_dlpack(tensor)
    assert mapped(path)
    del tensor
    assert not mapped(path)


ENDS = {
    "a capsule": "kept = t.__dlpack__(max_version=(1, 0))",
    "a copy": "kept = t.__dlpack__(copy=True)",
    "in builtins": "import builtins; "
                   "builtins.kept = t.__dlpack__(max_version=(1, 0))",
    "in a cycle": "kept = [t.__dlpack__(max_version=(1, 0))]; kept.append(kept)",
    "an array": "import numpy; kept = numpy.from_dlpack(t)",
    "read at exit": "import atexit; kept = t.numpy(); "
                    "atexit.register(lambda: print(kept.sum()))",
    "read last": "import numpy\n"
                 "class Last:\n"
                 "    def __init__(self): self.kept = t.memoryview()\n"
                 "    def __del__(self): self.kept.tobytes()\n"
                 "import sys; sys.last = Last()",
    "a thread": "import threading, time; a = t.numpy(); threading.Thread("
                "target=lambda: [a.sum() for _ in range(2000)], daemon=True"
                ").start()",
}


@pytest.mark.parametrize("what", ENDS)
def test_interpreter_end(features, own_python, what):
    program = (f"import ttsb\nblob = ttsb.open({str(features)!r})\n"
               f"t = blob['head.weight']\n{ENDS[what]}\nblob.close()\n")
    done = subprocess.run([sys.executable, "-c", program], env=own_python,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert (done.returncode, done.stderr) == (0, b"")


def test_without_the_capsule_library(features, own_python, tmp_path):
    """All but DLPack works, and DLPack says what it needs."""
    import os
    import shutil
    shutil.copy(os.environ["TTSB_LIBRARY"], tmp_path / "libttsb.so")
    program = (f"import ttsb\nt = ttsb.open({str(features)!r})['scalar']\n"
               "t.numpy()\n"
               "try: t.__dlpack__(max_version=(1, 0))\n"
               "except ImportError as e: print(e)\n")
    done = subprocess.run(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, check=True,
        env=dict(own_python, TTSB_LIBRARY=str(tmp_path / "libttsb.so")))
    assert b"no DLPack without libttsb_capsule.so" in done.stdout

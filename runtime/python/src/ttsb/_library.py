# SPDX-License-Identifier: MIT
"""libttsb through ctypes: its structs, its functions, nothing else.

In: the bundled library, or the one that TTSB_LIBRARY names. Out: `library()`,
loaded once. Invariant: the structs are those of ttsb.h 1.1; each carries its
own size, so that a later library fills no more than they have."""
import ctypes
import os
import pathlib
import threading
from ctypes import (POINTER, c_char, c_char_p, c_double, c_int32, c_int64,
                    c_size_t, c_uint8, c_uint16, c_uint32, c_uint64, c_void_p)
from typing import Any, Optional

NO_TENSOR = 0xFFFFFFFF
OPEN_PARTIAL = 1
OPEN_COPY = 2
MAX_THREADS = 256
NAMES = ("libttsb.so.1", "libttsb.so")
CAPSULE = "libttsb_capsule.so"
Advance = ctypes.CFUNCTYPE(None, c_void_p, c_uint64, c_uint64)


class _Sized(ctypes.Structure):
    """A struct that begins with its size."""

    struct_size: int

    def __init__(self, **members: Any) -> None:
        super().__init__(struct_size=ctypes.sizeof(self), **members)


class CError(_Sized):
    _fields_ = [("struct_size", c_uint32), ("status", c_int32),
                ("system_errno", c_int32), ("tensor", c_uint32),
                ("offset", c_uint64), ("found", c_uint64),
                ("expected", c_uint64), ("field", c_char * 48),
                ("text", c_char * 256)]


class COptions(_Sized):
    _fields_ = [("struct_size", c_uint32), ("flags", c_uint32)]


class CInfo(_Sized):
    _fields_ = [("struct_size", c_uint32), ("partial", c_uint32),
                ("model", c_char_p), ("revision", c_uint64),
                ("contract_id", c_uint8 * 16), ("root", c_uint8 * 16),
                ("file_size", c_uint64), ("piece_count", c_uint64),
                ("tensor_count", c_uint32), ("group_count", c_uint32),
                ("constant_count", c_uint32), ("major", c_uint16),
                ("minor", c_uint16), ("incompat", c_uint64),
                ("compat", c_uint64)]


class CRequirement(_Sized):
    _fields_ = [("struct_size", c_uint32), ("model", c_char_p),
                ("revision_min", c_uint64), ("revision_max", c_uint64),
                ("contract_id", c_char_p)]


class CTensor(_Sized):
    _fields_ = [("struct_size", c_uint32), ("index", c_uint32),
                ("name", c_char_p), ("name_length", c_uint32),
                ("dtype", c_uint32), ("rank", c_uint32), ("flags", c_uint32),
                ("group", c_uint32), ("alias_of", c_uint32),
                ("dims", c_uint64 * 8), ("offset", c_uint64),
                ("group_offset", c_uint64), ("size", c_uint64),
                ("first_piece", c_uint64), ("piece_count", c_uint64),
                ("data", c_void_p)]


class CGroup(_Sized):
    _fields_ = [("struct_size", c_uint32), ("index", c_uint32),
                ("name", c_char_p), ("name_length", c_uint32),
                ("place", c_uint32), ("align", c_uint32),
                ("first_tensor", c_uint32), ("tensor_count", c_uint32),
                ("offset", c_uint64), ("size", c_uint64), ("data", c_void_p)]


class CConstant(_Sized):
    _fields_ = [("struct_size", c_uint32), ("index", c_uint32),
                ("name", c_char_p), ("name_length", c_uint32),
                ("type", c_uint32), ("items", c_uint32),
                ("value_size", c_uint32), ("offset", c_uint64)]


class CString(ctypes.Structure):
    _fields_ = [("bytes", c_void_p), ("length", c_uint32)]


class CProgress(ctypes.Structure):
    _fields_ = [("advance", Advance), ("user", c_void_p)]


_E = POINTER(CError)
_B = c_void_p
_FUNCTIONS = {
    "ttsb_open": (c_int32, c_char_p, POINTER(COptions), POINTER(c_void_p), _E),
    "ttsb_close": (None, _B),
    "ttsb_info": (c_int32, _B, POINTER(CInfo)),
    "ttsb_require": (c_int32, _B, POINTER(CRequirement), _E),
    "ttsb_tensor_at": (c_int32, _B, c_uint32, POINTER(CTensor), _E),
    "ttsb_find": (c_int32, _B, c_char_p, POINTER(CTensor), _E),
    "ttsb_group_at": (c_int32, _B, c_uint32, POINTER(CGroup)),
    "ttsb_prefetch": (c_int32, _B, c_uint32, _E),
    "ttsb_constant_at": (c_int32, _B, c_uint32, POINTER(CConstant)),
    "ttsb_constant_i64": (c_int32, _B, POINTER(CConstant), c_uint32,
                          POINTER(c_int64)),
    "ttsb_constant_f64": (c_int32, _B, POINTER(CConstant), c_uint32,
                          POINTER(c_double)),
    "ttsb_constant_string": (c_int32, _B, POINTER(CConstant), c_uint32,
                             POINTER(CString)),
    "ttsb_verify_range": (c_int32, _B, c_uint64, c_uint64, _E),
    "ttsb_verify_rest": (c_int32, _B, _E),
    "ttsb_verify": (c_int32, _B, c_uint32, POINTER(CProgress), _E),
    "ttsb_tensor_digest": (c_int32, _B, c_uint32, c_uint8 * 16),
    "ttsb_dlpack": (c_int32, _B, c_uint32, POINTER(c_void_p), _E),
    "ttsb_dtype_name": (c_char_p, c_uint32),
    "ttsb_dtype_bits": (c_uint32, c_uint32),
    "ttsb_status_name": (c_char_p, c_int32),
    "ttsb_status_text": (c_char_p, c_int32),
    "ttsb_version": (c_char_p,),
}
_lock = threading.Lock()
_loaded: Optional[ctypes.CDLL] = None
_path: Optional[pathlib.Path] = None
_capsule: Optional[ctypes.CDLL] = None


def _find() -> pathlib.Path:
    named = os.environ.get("TTSB_LIBRARY")
    if named:
        return pathlib.Path(named).resolve()
    here = pathlib.Path(__file__).resolve().parent
    for name in NAMES:
        if (here / name).is_file():
            return here / name
    raise ImportError(f"ttsb: no {NAMES[0]} in {here}; install the package, or "
                      "name a built library with TTSB_LIBRARY")


def library() -> ctypes.CDLL:
    """The library; ImportError if there is none or it is too old."""
    global _loaded, _path
    with _lock:
        if _loaded is None:
            path = _find()
            try:
                lib = ctypes.CDLL(str(path))
                for name, (result, *arguments) in _FUNCTIONS.items():
                    function = getattr(lib, name)
                    function.restype, function.argtypes = result, arguments
            except (OSError, AttributeError) as error:
                raise ImportError(f"ttsb: {path}: {error}") from error
            _loaded, _path = lib, path
        return _loaded


def new_capsule() -> Any:
    """capsule.c's function, which lies beside the library; ImportError where
    it does not. Loaded apart: it wants an interpreter, the library does not."""
    global _capsule
    library()
    with _lock:
        if _capsule is None:
            assert _path is not None
            beside = _path.parent / CAPSULE
            try:
                capsule = ctypes.PyDLL(str(beside)) # it keeps the lock
                capsule.ttsb_capsule_new.restype = ctypes.py_object
                capsule.ttsb_capsule_new.argtypes = [c_void_p, c_int32]
            except (OSError, AttributeError) as error:
                raise ImportError(f"ttsb: no DLPack without {CAPSULE}: "
                                  f"{error}") from error
            _capsule = capsule
        return _capsule.ttsb_capsule_new


def version() -> str:
    """The version of libttsb."""
    return text_of(library().ttsb_version())


def text_of(raw: Optional[bytes]) -> str:
    """Names are ASCII and texts UTF-8; a text that was cut may end in between."""
    return (raw or b"").decode("utf-8", "replace")

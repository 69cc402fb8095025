# SPDX-License-Identifier: MIT
"""DLPack capsules of tensors.

In: an open blob's handle and an index. Out: a capsule that is one more user of
the blob, or one with a copy. Invariant: no code of Python runs when a consumer
gives a tensor back or a capsule dies unused: the deleters are libttsb's or the
C library's free, the destructor is capsule.c's. So both may happen in any
thread, with an exception on its way, and while the interpreter goes down."""
import ctypes
from ctypes import (POINTER, c_int32, c_int64, c_size_t, c_uint8, c_uint16,
                    c_uint32, c_uint64, c_void_p)
from typing import Any, Tuple

from ._errors import error_of
from ._library import CError, library, new_capsule

CPU: Tuple[int, int] = (1, 0)
_UINT = 1
_IS_COPIED = 2
_ALIGN = 64


class _DataType(ctypes.Structure):
    _fields_ = [("code", c_uint8), ("bits", c_uint8), ("lanes", c_uint16)]


class _Tensor(ctypes.Structure):
    _fields_ = [("data", c_void_p), ("device_type", c_int32),
                ("device_id", c_int32), ("ndim", c_int32),
                ("dtype", _DataType), ("shape", POINTER(c_int64)),
                ("strides", POINTER(c_int64)), ("byte_offset", c_uint64)]


class _Versioned(ctypes.Structure):
    _fields_ = [("major", c_uint32), ("minor", c_uint32),
                ("manager_ctx", c_void_p), ("deleter", c_void_p),
                ("flags", c_uint64), ("tensor", _Tensor)]


class _Legacy(ctypes.Structure):
    _fields_ = [("tensor", _Tensor), ("manager_ctx", c_void_p),
                ("deleter", c_void_p)]


_libc = ctypes.CDLL(None)
_malloc = _libc["malloc"]
_malloc.restype, _malloc.argtypes = c_void_p, [c_size_t]
_Deleter = ctypes.CFUNCTYPE(None, c_void_p)


def _managed(blob: int, index: int) -> int:
    """The address of a managed tensor, which is to be given back."""
    out, error = c_void_p(), CError()
    status = library().ttsb_dlpack(blob, index, ctypes.byref(out),
                                   ctypes.byref(error))
    if status != 0:
        raise error_of(status, error)
    assert out.value is not None
    return out.value


def _give_back(managed: int) -> None:
    _Deleter(_Versioned.from_address(managed).deleter)(managed)


def lend(blob: int, index: int, nbytes: int, as_bytes: bool = False) -> Any:
    """A versioned capsule without a copy, read-only. as_bytes: one axis of U8,
    for consumers that do not know the dtype."""
    capsule = new_capsule()
    managed = _managed(blob, index)
    if as_bytes:
        tensor = _Versioned.from_address(managed).tensor
        tensor.dtype = _DataType(_UINT, 8, 1)
        tensor.shape[0], tensor.strides[0], tensor.ndim = nbytes, 1, 1
    return capsule(managed, 1)


def _block(source: _Tensor, nbytes: int, head: int) -> Tuple[int, _Tensor]:
    """One allocation: `head` bytes for the managed tensor, shape and strides,
    the data. Freed by `free`, since the managed tensor comes first."""
    axes = ctypes.sizeof(c_int64 * 8)
    address = _malloc(head + 2 * axes + _ALIGN + nbytes)
    if not address:
        raise MemoryError(f"{nbytes} bytes for a copy")
    shape = (c_int64 * 8).from_address(address + head)
    strides = (c_int64 * 8).from_address(address + head + axes)
    for i in range(source.ndim):
        shape[i], strides[i] = source.shape[i], source.strides[i]
    data = address + head + 2 * axes
    data += -data % _ALIGN
    if nbytes > 0:
        ctypes.memmove(data, source.data, nbytes)
    tensor = _Tensor(data if nbytes > 0 else None, CPU[0], CPU[1], source.ndim,
                     source.dtype)
    tensor.shape = ctypes.cast(shape, POINTER(c_int64))
    tensor.strides = ctypes.cast(strides, POINTER(c_int64))
    return address, tensor


def copy(blob: int, index: int, nbytes: int, versioned: bool) -> Any:
    """A capsule with a copy that the consumer may write."""
    capsule = new_capsule()
    free = ctypes.cast(_libc["free"], c_void_p)
    managed = _managed(blob, index)
    try:
        source = _Versioned.from_address(managed).tensor
        kind = _Versioned if versioned else _Legacy
        address, tensor = _block(source, nbytes, ctypes.sizeof(kind))
    finally:
        _give_back(managed)
    made = kind.from_address(address)
    made.tensor, made.manager_ctx, made.deleter = tensor, None, free
    if isinstance(made, _Versioned):
        made.major, made.minor, made.flags = 1, 1, _IS_COPIED
    return capsule(address, versioned)

# SPDX-License-Identifier: MIT
"""Tensors of a blob, as views.

In: a record of the index. Out: its description, and its bytes without a copy.
Invariant: whatever was handed out keeps the mapping, also after Blob.close();
nothing that was handed out can be written."""
import ctypes
import weakref
from typing import TYPE_CHECKING, Any, Dict, Optional, Tuple

from . import _dlpack
from ._dtypes import PACKED, numpy_dtype
from ._errors import error_of
from ._library import CError, CGroup, CTensor, NO_TENSOR, library, text_of

if TYPE_CHECKING:
    import numpy as np

_ALIAS, _OPTIONAL, _ABSENT, _MISSING = 1, 2, 4, 8
_FLAGS = ((_ALIAS, "alias"), (_OPTIONAL, "optional"), (_ABSENT, "absent"),
          (_MISSING, "missing"))


class Handle:
    """One use of an open struct ttsb_blob, which ends with this object. Views
    hold it, so that it outlives them; at the interpreter's end it is left to
    the system, as views may be read until then."""

    def __init__(self, pointer: int) -> None:
        self.pointer = pointer
        self._groups: Dict[int, str] = {}
        done = weakref.finalize(self, library().ttsb_close, pointer)
        done.atexit = False

    def __deepcopy__(self, memo: Dict[int, Any]) -> "Handle":
        """Itself: what it leads to never changes."""
        return self

    def __reduce__(self) -> Any:
        """Not pickled: the address means nothing to another process."""
        raise TypeError("a blob is this process's mapping and is not pickled: "
                        "open its path in the other process, or send numpy()")

    def tensor_at(self, index: int) -> CTensor:
        tensor, error = CTensor(), CError()
        status = library().ttsb_tensor_at(self.pointer, index,
                                          ctypes.byref(tensor),
                                          ctypes.byref(error))
        if status != 0:
            raise error_of(status, error)
        return tensor

    def group_name(self, index: int) -> str:
        if index not in self._groups:
            group = CGroup()
            status = library().ttsb_group_at(self.pointer, index,
                                             ctypes.byref(group))
            if status != 0:
                raise error_of(status)
            self._groups[index] = text_of(group.name)
        return self._groups[index]


class _Lent:
    """What numpy reads an address from; the array keeps it as its base."""

    def __init__(self, handle: Handle, interface: Dict[str, Any]) -> None:
        self.handle = handle
        self.__array_interface__ = interface


class Tensor:
    """A tensor of a blob: what it is, and views of its bytes.

    It is itself a view: it stays valid, and keeps the file mapped, after the
    blob was closed. What its methods hand out does the same. All of that is
    read-only memory."""

    __slots__ = ("_handle", "_data", "_alias", "name", "index", "dtype",
                 "shape", "nbytes", "flags", "group", "offset", "__weakref__")
    name: str
    index: int                #: in file order, from 0
    dtype: str                #: FORMAT.md's name: "F32", "BF16", "F8_E4M3"
    shape: Tuple[int, ...]    #: outermost axis first; () for a scalar
    nbytes: int
    flags: Tuple[str, ...]    #: of "alias", "optional", "absent", "missing"
    group: str                #: the group's name
    offset: int               #: of the bytes, from the file's start

    def __init__(self, handle: Handle, c: CTensor) -> None:
        self._handle = handle
        self._data: Optional[int] = c.data
        self._alias: int = c.alias_of
        self.name = text_of(c.name)
        self.index = c.index
        self.dtype = text_of(library().ttsb_dtype_name(c.dtype))
        self.shape = tuple(c.dims[:c.rank])
        self.nbytes = c.size
        self.flags = tuple(name for bit, name in _FLAGS if c.flags & bit)
        self.group = handle.group_name(c.group)
        self.offset = c.offset

    @property
    def absent(self) -> bool:
        """The spec lets the checkpoint lack it, and it did: no bytes."""
        return "absent" in self.flags

    @property
    def missing(self) -> bool:
        """A partial blob lacks it: no bytes."""
        return "missing" in self.flags

    @property
    def optional(self) -> bool:
        """The spec lets the checkpoint lack it."""
        return "optional" in self.flags

    @property
    def alias(self) -> bool:
        """The bytes of an earlier tensor under a second name."""
        return "alias" in self.flags

    @property
    def alias_of(self) -> Optional[str]:
        """The name of that earlier tensor, or None."""
        if self._alias == NO_TENSOR:
            return None
        return text_of(self._handle.tensor_at(self._alias).name)

    def __repr__(self) -> str:
        flags = f" ({', '.join(self.flags)})" if self.flags else ""
        return f"<ttsb.Tensor {self.name} {self.dtype} {list(self.shape)}{flags}>"

    def _address(self) -> int:
        """Of the bytes; NoDataError if there are none."""
        if self._data is None:
            raise error_of(3 if self.absent else 4, tensor=self.name)
        return self._data

    def memoryview(self) -> memoryview:
        """The bytes, read-only, as one axis of unsigned bytes."""
        array: Any = (ctypes.c_ubyte * self.nbytes).from_address(self._address())
        array.handle = self._handle # the view keeps the array
        return memoryview(array).cast("B").toreadonly()

    def tobytes(self) -> bytes:
        """A copy of the bytes."""
        return self.memoryview().tobytes()

    def _bits(self) -> "np.ndarray[Any, Any]":
        """Unsigned integers of the elements' size; bytes of a packed dtype."""
        import numpy
        size = 1 if self.dtype in PACKED else self._element_size()
        shape = (self.nbytes,) if self.dtype in PACKED else self.shape
        lent = _Lent(self._handle, {
            "version": 3, "shape": shape, "data": (self._address(), True),
            "typestr": numpy.dtype(f"u{size}").str})
        return numpy.asarray(lent)

    def _element_size(self) -> int:
        """Bytes of one element of a dtype that is not packed."""
        code = self._handle.tensor_at(self.index).dtype
        bits: int = library().ttsb_dtype_bits(code)
        return bits // 8

    def numpy(self, raw: bool = False) -> "np.ndarray[Any, Any]":
        """A read-only array on the file's bytes, not a copy.

        BF16 and the F8s need the package ml_dtypes, and are a TypeError without
        it; so are F4 and the F6s, which numpy cannot have. raw=True: the bits,
        as unsigned integers of the elements' size; packed dtypes as one axis of
        bytes. A BOOL is the file's byte, which nobody has looked at. Raises
        NoDataError if the tensor is absent or missing."""
        if raw:
            return self._bits()
        dtype = numpy_dtype(self.dtype)
        return self._bits().view(dtype)

    def __array__(self, dtype: Any = None,
                  copy: Optional[bool] = None) -> "np.ndarray[Any, Any]":
        """For numpy.asarray: numpy(), or a copy where one is asked for."""
        array = self.numpy()
        if dtype is not None and array.dtype != dtype:
            if copy is False:
                raise ValueError(f"{self.dtype} as {dtype} needs a copy")
            return array.astype(dtype)
        return array.copy() if copy else array

    def __dlpack_device__(self) -> Tuple[int, int]:
        """The CPU."""
        return _dlpack.CPU

    def __dlpack__(self, *, stream: Any = None,
                   max_version: Optional[Tuple[int, int]] = None,
                   dl_device: Optional[Tuple[int, int]] = None,
                   copy: Optional[bool] = None) -> Any:
        """For torch.from_dlpack and numpy.from_dlpack: a capsule, not a copy.

        It says that the memory is read-only, which only DLPack 1.0 can: a
        consumer that asks for less (max_version None or below 1.0) gets a
        BufferError, or a copy if it asks for one with copy=True. Never copies
        without that. BufferError also for another device or a stream;
        NoDataError if the tensor is absent or missing."""
        if stream is not None:
            raise BufferError("a blob is in the host's memory: no stream")
        if dl_device is not None and tuple(map(int, dl_device)) != _dlpack.CPU:
            raise BufferError(f"a blob is on the CPU, not on {dl_device}")
        versioned = max_version is not None and max_version[0] >= 1
        self._address()
        if copy:
            return _dlpack.copy(self._handle.pointer, self.index, self.nbytes,
                                versioned)
        if not versioned:
            raise BufferError(
                "a blob's memory is read-only, which a consumer of DLPack "
                "before 1.0 cannot be told: ask with copy=True, or take .numpy()")
        return _dlpack.lend(self._handle.pointer, self.index, self.nbytes)


class AsBytes:
    """A tensor for a consumer of DLPack that does not know its dtype."""

    def __init__(self, tensor: Tensor) -> None:
        self._tensor = tensor

    def __dlpack_device__(self) -> Tuple[int, int]:
        return _dlpack.CPU

    def __dlpack__(self, *, max_version: Optional[Tuple[int, int]] = None,
                   **unused: Any) -> Any:
        if max_version is None or max_version[0] < 1:
            raise BufferError("needs a consumer of DLPack 1.0")
        t = self._tensor
        return _dlpack.lend(t._handle.pointer, t.index, t.nbytes, as_bytes=True)

# SPDX-License-Identifier: MIT
"""Exceptions: a status of libttsb, its group, and what it knows of the case.

In: a filled struct ttsb_error. Out: an exception of the class below. Invariant:
`status` and `name` are those of ttsb.h for ever; the classes only group them."""
from typing import Any, Dict, Optional, Tuple, Type

from ._library import CError, NO_TENSOR, library, text_of


class Error(Exception):
    """What libttsb reports; str() is one line for a person.

    status     the number in ttsb.h
    name       its name there, "TTSB_BAD_MAGIC"
    text       one line in English
    tensor     the tensor's name, or None
    field      FORMAT.md's name of the field or the call that failed, or None
    offset     of the field or byte from the file's start; 0 where it is none
    found      what the file has (of a hash its first 8 bytes)
    expected   what it must have, or may have at most
    filename   the path that was to be opened, or None
    """

    status: int
    name: str
    text: str
    tensor: Optional[str] = None
    field: Optional[str] = None
    offset: int = 0
    found: int = 0
    expected: int = 0
    filename: Optional[str] = None

    def __init__(self, text: str, status: int = 99, **details: Any) -> None:
        super().__init__(text)
        self.text = text
        self.status = status
        self.name = text_of(library().ttsb_status_name(status))
        for key, value in details.items():
            setattr(self, key, value)

    def __reduce__(self) -> Any:
        """As it is, out of another process too; errno is no member of vars()."""
        details = dict(vars(self))
        if isinstance(self, OSError):
            details["errno"] = self.errno
        return _again, (type(self), details)

    def __str__(self) -> str:
        if self.filename is None:
            return self.text
        return f"{self.filename}: {self.text}"


def _again(kind: Type[Error], details: Dict[str, Any]) -> Error:
    return kind(details.pop("text"), details.pop("status"), **details)


class CallError(Error):
    """The caller's fault: statuses 1 to 19."""


class ArgumentError(CallError, ValueError):
    """An argument that the library refuses."""


class NotFound(CallError, KeyError):
    """Nothing has that name; also a KeyError."""


class NoDataError(CallError):
    """The tensor has no bytes: it is ABSENT (its spec lets the checkpoint lack
    it, and it did) or MISSING (of a partial blob)."""


class RequirementError(CallError):
    """The blob is of another model, revision or contract than required."""


class BlobError(Error):
    """The file is no blob, is damaged, or is one that this reader refuses:
    statuses 20 to 49."""


class PartialError(BlobError):
    """Tensors are MISSING, and `partial=True` was not given."""


class DamagedError(BlobError):
    """Bytes have another hash. `tensors`: the names of all tensors whose own
    bytes, or the padding behind them, are damaged; empty if the damage lies
    outside of the payload."""

    tensors: Tuple[str, ...] = ()


class SystemCallError(Error, OSError):
    """The system's fault: statuses 50 to 69, with `errno`; also an OSError."""


class DeviceError(Error):
    """The device's fault: statuses 70 to 79."""


class BugError(Error):
    """Cannot happen; please report it."""


_CLASSES: Dict[int, Type[Error]] = {
    1: ArgumentError, 2: NotFound, 3: NoDataError, 4: NoDataError,
    5: RequirementError, 6: RequirementError, 7: RequirementError,
    25: PartialError, 26: DamagedError, 34: DamagedError, 42: DamagedError,
    43: DamagedError, 44: DamagedError, 45: DamagedError}
_GROUPS = ((19, CallError), (49, BlobError), (69, SystemCallError),
           (79, DeviceError))


def _class_of(status: int) -> Type[Error]:
    if status in _CLASSES:
        return _CLASSES[status]
    for last, group in _GROUPS:
        if status <= last:
            return group
    return BugError


def error_of(status: int, error: Optional[CError] = None,
             tensor: Optional[str] = None, **details: Any) -> Error:
    """The exception for a status; `error` was filled by the call, if it has one."""
    kind = _class_of(status)
    if error is None or error.status != status:
        return kind(text_of(library().ttsb_status_text(status)), status,
                    tensor=tensor, **details)
    exception = kind(text_of(error.text), status, tensor=tensor,
                     field=text_of(error.field) or None, offset=error.offset,
                     found=error.found, expected=error.expected, **details)
    if isinstance(exception, OSError):
        exception.errno = error.system_errno or None
    return exception


def tensor_index(error: CError) -> Optional[int]:
    """The record that an error concerns, if it does one."""
    return None if error.tensor == NO_TENSOR else error.tensor

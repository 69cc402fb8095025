# SPDX-License-Identifier: MIT
"""A blob's constants as Python's values.

Invariant: the type is the file's; an integer is never a float."""
import ctypes
from typing import Any, Dict, List, Union

from ._errors import error_of
from ._library import CConstant, CString, library, text_of

Constant = Union[int, float, str, List[int], List[float], List[str]]
_LIST = 0x100


def _string(value: CString) -> str:
    return ctypes.string_at(value.bytes, value.length).decode("utf-8")


_READERS: Dict[int, Any] = {
    1: (ctypes.c_int64, "ttsb_constant_i64", lambda v: v.value),
    2: (ctypes.c_double, "ttsb_constant_f64", lambda v: v.value),
    3: (CString, "ttsb_constant_string", _string)}


def _item(blob: int, constant: CConstant, item: int) -> Any:
    kind, function, read = _READERS[constant.type & ~_LIST]
    value = kind()
    status = getattr(library(), function)(
        blob, ctypes.byref(constant), item, ctypes.byref(value))
    if status != 0:
        raise error_of(status)
    return read(value)


def constants_of(blob: int, count: int) -> Dict[str, Constant]:
    """All constants by name, in the order of the names."""
    found: Dict[str, Constant] = {}
    for i in range(count):
        c = CConstant()
        status = library().ttsb_constant_at(blob, i, ctypes.byref(c))
        if status != 0:
            raise error_of(status)
        items = [_item(blob, c, k) for k in range(c.items)]
        found[text_of(c.name)] = items if c.type & _LIST else items[0]
    return found

# SPDX-License-Identifier: MIT
"""dtypes: FORMAT.md's names in numpy, in torch and as bits.

Invariant: a dtype is what it is in the file or it is refused; nothing is
converted. F4 and the F6s are packed there, several elements in a byte, for
which numpy has no array."""
from typing import TYPE_CHECKING, Any, Dict

if TYPE_CHECKING:
    import numpy as np

_NUMPY: Dict[str, str] = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16",
    "I16": "int16", "U32": "uint32", "I32": "int32", "U64": "uint64",
    "I64": "int64", "F16": "float16", "F32": "float32", "F64": "float64",
    "C64": "complex64"}
_ML_DTYPES: Dict[str, str] = {
    "BF16": "bfloat16", "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz"}
# Those that torch takes from DLPack in all its versions; others go as bits.
_TORCH: Dict[str, str] = {
    "F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2",
    "F8_E8M0": "float8_e8m0fnu", "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz", "F4": "float4_e2m1fn_x2"}
PACKED = ("F4", "F6_E2M3", "F6_E3M2")


def numpy_dtype(name: str) -> "np.dtype[Any]":
    """numpy's dtype, with ml_dtypes where numpy has none; else a TypeError."""
    import numpy
    if name in _NUMPY:
        return numpy.dtype(_NUMPY[name])
    if name not in _ML_DTYPES:
        raise TypeError(f"{name} is packed, and numpy has no such dtype; "
                        ".numpy(raw=True) has the bytes")
    try:
        import ml_dtypes
        return numpy.dtype(getattr(ml_dtypes, _ML_DTYPES[name]))
    except (ImportError, AttributeError) as error:
        raise TypeError(f"{name} in numpy needs the package ml_dtypes: "
                        f"{error}; .numpy(raw=True) has the bits") from error


def torch_bits(torch: Any, name: str) -> Any:
    """torch's dtype for what it gets as bytes; None for what it takes as it is.
    TypeError where torch has no such dtype."""
    if name in ("F6_E2M3", "F6_E3M2"):
        raise TypeError(f"torch has no dtype for {name}")
    if name not in _TORCH:
        return None
    dtype = getattr(torch, _TORCH[name], None)
    if dtype is None:
        raise TypeError(f"torch {torch.__version__} has no dtype for {name}")
    return dtype

# SPDX-License-Identifier: MIT
"""A literal spec for any safetensors file: each tensor by name, stored as it
is, as outputs t0, t1, ...

In: {name: (dtype, shape, bytes)}. Out: the spec's text; or, from why_not, the
one reason why the language cannot say it.
"""
import re
import struct

HEAD = """\
ttsw: 1
model: literal
revision: 1
source_dtype: f32
store: f32
layout: [a0, a1, a2, a3, a4, a5, a6, a7]
map:
  - tensors:
"""
FLOATS = ("F16", "BF16", "F32", "F64")
# dtype: a struct code of its unit, the bits of the exponent, all of which are
# 1 in an infinity and in a NaN (of F8_E4M3: all bits but the sign).
EXPONENTS = {"F16": ("H", 0x7c00), "BF16": ("H", 0x7f80), "F32": ("I", 0x7f800000),
             "C64": ("I", 0x7f800000), "F64": ("Q", 0x7ff0000000000000),
             "F8_E5M2": ("B", 0x7c), "F8_E4M3": ("B", 0x7f)}
PRINTABLE = re.compile(
    "[\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*")


def is_finite(dtype, data):
    if dtype not in EXPONENTS:
        return True
    code, mask = EXPONENTS[dtype]
    units = struct.unpack(f"<{len(data) // struct.calcsize(code)}{code}", data)
    return all(u & mask != mask for u in units)


def of_name(name):
    """Why a spec cannot write a name."""
    if not PRINTABLE.fullmatch(name):
        return "a name with characters that YAML refuses"
    if re.search("[\x85\u2028\u2029]", name):
        return "a name with a line break"
    if "'" in name:
        return "a name with ' that needs quotes around it"
    return None


def why_not(tensors):
    """None if spec_of can say it; for a file, the first reason."""
    if not tensors:
        return "no tensors, and a blob needs one"
    for name, (dtype, shape, data) in tensors.items():
        why = of_name(name)
        if len(shape) > 8:
            why = "rank above 8"
        elif not is_finite(dtype, data):
            why = "NaN or infinity, which ttswc refuses"
        if why is not None:
            return why
    return None


def spec_of(tensors):
    lines = []
    for i, (name, (dtype, shape, _)) in enumerate(tensors.items()):
        text = re.sub(r'(["\\{])', r"\\\1", name)
        axes = ", ".join(f"a{k}={dim}" for k, dim in enumerate(shape))
        cast = f" as {dtype.lower()}" if dtype in FLOATS else ""
        lines.append(f"      t{i}: '\"{text}\" {dtype.lower()}[{axes}]{cast}'\n")
    return HEAD + "".join(lines)

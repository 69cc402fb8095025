#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""runtime/dlpack_abi.h has the numbers of a real dlpack.h: torch's.

usage: test_dlpack_abi.py CC RUNTIME
The same program is compiled with either header and must print the same."""
import pathlib
import re
import subprocess
import sys
import tempfile

import needs_torch  # noqa: F401
import torch

CC, RUNTIME = sys.argv[1:3]
OURS = pathlib.Path(RUNTIME).resolve() / "dlpack_abi.h"
THEIRS = pathlib.Path(torch.__file__).parent / "include/ATen/dlpack.h"

STRUCTS = {
    "DLPackVersion": ["major", "minor"],
    "DLDevice": ["device_type", "device_id"],
    "DLDataType": ["code", "bits", "lanes"],
    "DLTensor": ["data", "device", "ndim", "dtype", "shape", "strides",
                 "byte_offset"],
    "DLManagedTensorVersioned": ["version", "manager_ctx", "deleter", "flags",
                                 "dl_tensor"],
}


def program():
    """Prints every size, offset and number that our header declares."""
    text = OURS.read_text()
    names = re.findall(r"\bkDL\w+", text)
    assert len(names) == 16 and len(set(names)) == 16, names
    names.append("DLPACK_FLAG_BITMASK_READ_ONLY")
    lines = [f'printf("{n} %ld\\n", (long){n});' for n in names]
    for struct, members in STRUCTS.items():
        lines.append(f'printf("{struct} %zu\\n", sizeof({struct}));')
        lines += [f'printf("{struct}.{m} %zu %zu\\n", offsetof({struct}, {m}),'
                  f" sizeof((({struct} *)0)->{m}));" for m in members]
    return ("#include <stddef.h>\n#include <stdio.h>\n#include HEADER\n"
            "int main(void)\n{\n" + "\n".join(lines) + "\nreturn 0;\n}\n")


def numbers(folder, header):
    source, binary = folder / "abi.c", folder / "abi"
    source.write_text(program())
    subprocess.run([CC, "-std=c11", f'-DHEADER="{header}"', str(source), "-o",
                    str(binary)], check=True)
    return subprocess.run([str(binary)], check=True, capture_output=True,
                          text=True).stdout


with tempfile.TemporaryDirectory() as name:
    ours = numbers(pathlib.Path(name), OURS)
    theirs = numbers(pathlib.Path(name), THEIRS)
assert ours == theirs, f"{ours}\n{theirs}"
print(f"{len(ours.splitlines())} numbers are torch's")

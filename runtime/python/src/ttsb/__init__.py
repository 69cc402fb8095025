# SPDX-License-Identifier: MIT
"""Reads .ttsb blobs, without a copy, and calls their compiler.

    import ttsb
    with ttsb.open("model.ttsb") as blob:
        blob.require(model="bigvgan")
        weight = blob["conv_pre.weight"].numpy()      # read-only, on the file
        model.load_state_dict(blob.state_dict())      # torch, on the file

numpy, ml_dtypes and torch are imported where they are needed and not before."""
from ._blob import Blob, Group, Info, open
from ._compiler import (CompileError, Diagnostic, Edit, Help, Result, Span,
                        UsageError, check, compile)
from ._errors import (ArgumentError, BlobError, BugError, CallError,
                      DamagedError, DeviceError, Error, NoDataError, NotFound,
                      PartialError, RequirementError, SystemCallError)
from ._library import version
from ._meta import Lineage, Source
from ._tensor import Tensor

__version__ = "1.1.0"
__all__ = [
    "ArgumentError", "Blob", "BlobError", "BugError", "CallError",
    "CompileError", "DamagedError", "DeviceError", "Diagnostic", "Edit",
    "Error", "Group", "Help", "Info", "Lineage", "NoDataError", "NotFound",
    "PartialError", "RequirementError", "Result", "Source", "Span",
    "SystemCallError", "Tensor", "UsageError", "check", "compile", "open",
    "version"]

for _name in __all__: # where users find them, in tracebacks too
    globals()[_name].__module__ = __name__
del _name

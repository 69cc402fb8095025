# SPDX-License-Identifier: MIT
"""For tests with the label `torch`: imports it, or skips the whole program.

torch is too large to ask for (tests/install.sh torch), so that a run without
it exits 77, which ctest reports as skipped by name. .ci/run installs it and
sets TTSW_NEED_TORCH=1: there a missing torch is a failure."""
import os
import sys

try:
    import torch  # noqa: F401
    import numpy  # noqa: F401
    import safetensors.torch  # noqa: F401
except ImportError as error:
    if os.environ.get("TTSW_NEED_TORCH") == "1":
        raise
    print(f"skipped: {error}; `tests/install.sh torch` installs it")
    sys.exit(77)

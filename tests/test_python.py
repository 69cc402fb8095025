#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests of the Python package (runtime/python/tests) against a library
that was built here, without installing anything.

    test_python.py LIBRARY [--torch] [--preload FILE]

--torch: the tests that need torch, and no others. --preload: the library was
built with a sanitizer, and FILE is the sanitizer's own, which Python must load
first. Skipped by name where pytest, numpy or ml_dtypes cannot be imported, or
where the sanitizer's library is missing; TTSW_NEED_TORCH=1, which .ci/run sets,
makes a missing package a failure."""
import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

PACKAGE = pathlib.Path(__file__).resolve().parents[1] / "runtime" / "python"
# No symbolizer: it would stay behind and hold the output open.
ASAN = "detect_leaks=0:exitcode=99:handle_segv=0:symbolize=0"


def needed():
    """Imports what the tests import, or skips the program."""
    try:
        import pytest # noqa: F401
        import numpy # noqa: F401
        import ml_dtypes # noqa: F401
    except ImportError as error:
        if os.environ.get("TTSW_NEED_TORCH") == "1":
            raise
        print(f"skipped: {error}; `tests/install.sh test` installs it")
        sys.exit(77)


def environment(library, preload):
    env = dict(os.environ, TTSB_LIBRARY=library,
               PYTHONPATH=str(PACKAGE / "src"))
    if preload is None:
        return env
    if not os.path.isfile(preload):
        print(f"skipped: no {preload}, the sanitizer as a shared library")
        sys.exit(77)
    # conftest.py takes LD_PRELOAD away from the programs that tests start.
    return dict(env, LD_PRELOAD=preload, TTSW_PRELOAD=preload,
                ASAN_OPTIONS=ASAN)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("library")
    parser.add_argument("--torch", action="store_true")
    parser.add_argument("--preload")
    args = parser.parse_args()
    needed()
    if args.torch:
        import needs_torch # noqa: F401
    # --capture=sys: a sanitizer's report is shown.
    with tempfile.TemporaryFile("w+") as said:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-rs", "--capture=sys",
             "-p", "no:cacheprovider", "-m",
             "torch" if args.torch else "not torch", str(PACKAGE / "tests")],
            env=environment(args.library, args.preload), stdout=said,
            stderr=subprocess.STDOUT)
        said.seek(0)
        text = said.read()
    print(text)
    last = text.rstrip().rpartition("\n")[2]
    # A skip inside would be a check that nobody misses: none is allowed.
    if done.returncode == 0 and ("skipped" in last or "passed" not in last):
        sys.exit("a test was skipped, or none was run")
    sys.exit(1 if done.returncode else 0)


if __name__ == "__main__":
    main()

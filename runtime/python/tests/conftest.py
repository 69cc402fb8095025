# SPDX-License-Identifier: MIT
"""Blobs for the tests, compiled on the fly from the project's fixtures.

The environment says what is tested: TTSB_LIBRARY, TTSWC, and TTSW_PRELOAD (a
sanitizer's library, for a Python that the tests start); tests/test_python.py
sets them."""
import json
import os
import pathlib
import struct
import sys

import pytest

import ttsb

ROOT = pathlib.Path(__file__).resolve().parents[3]
FIXTURES = ROOT / "fixtures"
SPECS = ROOT / "specs"
EVERY = FIXTURES / "safetensors" / "good" / "every-dtype.safetensors"
sys.path.insert(0, str(ROOT / "tests")) # the project's own modules
os.environ.pop("LD_PRELOAD", None) # ttswc has its own sanitizer


def pytest_configure(config):
    config.addinivalue_line("markers", "torch: needs torch")


def header_of(path):
    """A safetensors header, and where its data begins."""
    raw = path.read_bytes()
    size = struct.unpack_from("<Q", raw)[0]
    return json.loads(raw[8:8 + size]), raw[8 + size:]


def spec_of_every_dtype():
    """Each t.DTYPE of the file as x_DTYPE, bits unchanged."""
    header, _ = header_of(EVERY)
    lines = ["ttsw: 1", "model: every", "revision: 1", "source_dtype: f32",
             "store: f32", "layout: [a, b]", "groups:",
             "  - {name: main, place: host}", "map:", "  - tensors:"]
    for name, t in header.items():
        dtype = t["dtype"].lower()
        allow = " allow_nonfinite" if t["dtype"][:2] in (
            "F8", "BF") or dtype in ("f16", "f32", "f64", "c64") else ""
        store = f" as {dtype}" if dtype in ("f16", "bf16", "f64") else ""
        lines.append(f"      x_{name[2:]}: {name} {dtype}[a=2, b=4]{allow}{store}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture(scope="session")
def features(folder):
    """19 tensors of 5 dtypes, one absent, one alias, constants, two groups."""
    out = folder / "features.ttsb"
    ttsb.compile(SPECS / "examples" / "features.yaml",
                 FIXTURES / "features" / "features.safetensors", output=out)
    return out


@pytest.fixture(scope="session")
def every(folder):
    """One tensor of each of the 22 dtypes."""
    spec, out = folder / "every.yaml", folder / "every.ttsb"
    spec.write_text(spec_of_every_dtype())
    ttsb.compile(spec, EVERY, output=out)
    return out


@pytest.fixture(scope="session")
def odd():
    """Zero-size tensors, rank 8, an empty group, all types of constants."""
    return FIXTURES / "blobs" / "odd-records-1.0.ttsb"


@pytest.fixture(scope="session")
def partial():
    """Two tensors are MISSING."""
    return FIXTURES / "blobs" / "features-partial-1.0.ttsb"


@pytest.fixture(scope="session")
def own_python():
    """The environment for a Python of one's own, with the same library."""
    env = dict(os.environ)
    if env.get("TTSW_PRELOAD"):
        env["LD_PRELOAD"] = env["TTSW_PRELOAD"]
    return env


def mapped(path):
    """Whether this process has the file mapped."""
    return any(line.rstrip("\n").endswith(str(path))
               for line in open("/proc/self/maps"))

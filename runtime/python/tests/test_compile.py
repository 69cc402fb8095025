# SPDX-License-Identifier: MIT
"""The compiler, called from Python, with its findings as objects."""
import os
import pickle
import stat

import pytest

import ttsb
from conftest import FIXTURES, SPECS

SPEC = SPECS / "examples" / "features.yaml"
WEIGHTS = FIXTURES / "features" / "features.safetensors"
GPT = SPECS / "indextts2" / "gpt_tiny.yaml"
WRONG = FIXTURES / "bigvgan" / "bigvgan_tiny.safetensors"


def test_result(tmp_path):
    done = ttsb.compile(SPEC, WEIGHTS, output=tmp_path / "a.ttsb", jobs=2)
    assert done.output == tmp_path / "a.ttsb"
    assert "19 tensors" in done.report
    assert [(d.id, d.severity, d.line) for d in done.warnings] == [
        ("W0311", "warning", 61)]
    warning = done.warnings[0]
    assert warning.file == str(SPEC) and warning.column == 21
    assert warning.spans[0].primary and "style.weight" in warning.text
    assert "W0311" in str(warning)
    known = (FIXTURES / "features" / "IDENTITIES").read_text().split()
    assert ttsb.open(done.output).info.root in known


def test_errors(tmp_path):
    out = tmp_path / "a.ttsb"
    with pytest.raises(ttsb.CompileError) as caught:
        ttsb.compile(GPT, WRONG, output=out)
    error = caught.value
    assert error.returncode == 1 and not out.exists()
    assert [d.id for d in error.errors] == ["E0301"]
    assert error.errors[0].helps[0].edit is None and error.errors[0].notes
    assert "error[E0301]" in str(error)
    assert set(error.errors) <= set(error.diagnostics)
    again = pickle.loads(pickle.dumps(error)) # out of a pool of processes
    assert (again.returncode, again.diagnostics, again.report, str(again)) == (
        error.returncode, error.diagnostics, error.report, str(error))


def test_edits(tmp_path):
    """A slip that the compiler can mend: the edit is the bytes to change."""
    spec = tmp_path / "slip.yaml"
    text = SPEC.read_text().replace("weight_norm: legacy", "weight_nrm: legacy")
    spec.write_text(text)
    with pytest.raises(ttsb.CompileError) as caught:
        ttsb.check(spec, WEIGHTS)
    edits = [h.edit for d in caught.value.errors for h in d.helps if h.edit]
    assert edits
    raw = text.encode()
    assert raw[edits[0].byte_start:edits[0].byte_end] == b"weight_nrm"
    assert edits[0].replacement == "weight_norm"


def test_partial(tmp_path):
    import checkpoints as ck
    tensors = ck.read(WEIGHTS)
    del tensors["temperature"]
    ck.write(tmp_path / "less.safetensors", tensors)
    out = tmp_path / "a.ttsb"
    with pytest.raises(ttsb.CompileError, match="temperature"):
        ttsb.compile(SPEC, tmp_path / "less.safetensors", output=out)
    done = ttsb.compile(SPEC, tmp_path / "less.safetensors", output=out,
                        partial=True)
    assert len(done.warnings) == 2
    assert ttsb.open(out, partial=True)["scalar"].missing


def test_sources(tmp_path):
    from indextts2 import SOURCES, tiny
    done = ttsb.compile(SPECS / "indextts2" / "pipeline_tiny.yaml",
                        sources={s: tiny(s) for s in SOURCES},
                        output=tmp_path / "a.ttsb")
    blob = ttsb.open(done.output)
    line = blob.lineage(next(n for n in blob if n.startswith("gpt.")))
    assert {s.source for s in line.sources} == {"gpt"}


def test_check():
    done = ttsb.check(SPEC, WEIGHTS)
    assert done.output is None and "features 20/20" in done.report
    assert ttsb.check(SPEC, WEIGHTS, data=True).warnings


def test_usage():
    with pytest.raises(ttsb.UsageError, match="--jobs"):
        ttsb.check(SPEC, WEIGHTS, jobs=1000)


def test_finding_it(tmp_path, monkeypatch):
    real = os.environ["TTSWC"]
    monkeypatch.delenv("TTSWC")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="ttswc"):
        ttsb.check(SPEC, WEIGHTS)
    os.symlink(real, tmp_path / "ttswc")
    ttsb.check(SPEC, WEIGHTS)
    monkeypatch.setenv("PATH", "")
    ttsb.check(SPEC, WEIGHTS, ttswc=real)


def test_a_program_that_dies(tmp_path):
    """What it wrote is in the exception, whatever it was."""
    fake = tmp_path / "fake"
    fake.write_text("#!/bin/sh\necho broken >&2\nexit 70\n")
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    with pytest.raises(ttsb.CompileError, match="broken") as caught:
        ttsb.check(SPEC, WEIGHTS, ttswc=fake)
    assert caught.value.returncode == 70

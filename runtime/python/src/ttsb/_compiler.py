# SPDX-License-Identifier: MIT
"""Calls ttswc, the compiler, and reads its findings.

In: a spec and checkpoints, as on its command line. Out: what it said, as
objects. Invariant: no finding is lost: what ttswc ends with other than 0 is an
exception that has them all."""
import dataclasses
import json
import os
import pathlib
import shutil
import subprocess
from typing import (Any, Dict, List, Mapping, Optional, Sequence, Tuple, Union)

Path = Union[str, "os.PathLike[str]"]
Paths = Union[Path, Sequence[Path]]


@dataclasses.dataclass(frozen=True)
class Span:
    """A place in a file. Bytes count from 0, lines and columns from 1; these
    are None in a file that is no spec."""

    file: str
    byte_start: int
    byte_end: int
    line: Optional[int]
    column: Optional[int]
    label: Optional[str]
    primary: bool


@dataclasses.dataclass(frozen=True)
class Edit:
    """Text that would stand in place of the bytes."""

    file: str
    byte_start: int
    byte_end: int
    replacement: str


@dataclasses.dataclass(frozen=True)
class Help:
    """What might be done."""

    text: str
    edit: Optional[Edit]
    applicability: str   #: "machine_applicable" or "maybe_incorrect"


@dataclasses.dataclass(frozen=True)
class Diagnostic:
    """A finding; `ttswc explain ID` says at length what it means."""

    id: str                       #: "E0404"
    severity: str                 #: "error", "warning", "note"
    text: str                     #: one line, without place and id
    file: Optional[str]           #: of the primary place, like line and column
    line: Optional[int]
    column: Optional[int]
    notes: Tuple[str, ...]
    helps: Tuple[Help, ...]
    spans: Tuple[Span, ...]       #: the primary one first
    count: int                    #: findings that are folded into this one
    rendered: str                 #: as ttswc shows it
    raw: Mapping[str, Any] = dataclasses.field(repr=False, compare=False)

    def __str__(self) -> str:
        return self.rendered.rstrip("\n")


@dataclasses.dataclass(frozen=True)
class Result:
    """What ttswc said where it succeeded."""

    output: Optional[pathlib.Path]         #: the blob; None of a check
    diagnostics: Tuple[Diagnostic, ...]    #: warnings and notes
    report: str                            #: what it printed

    @property
    def warnings(self) -> Tuple[Diagnostic, ...]:
        """The warnings alone."""
        return tuple(d for d in self.diagnostics if d.severity == "warning")


class CompileError(Exception):
    """ttswc found errors, or could not read or write: `returncode` 1 or 3.
    `diagnostics` has all findings, str() shows the errors as ttswc does."""

    def __init__(self, returncode: int, diagnostics: Sequence[Diagnostic],
                 report: str) -> None:
        self.returncode = returncode
        self.diagnostics = tuple(diagnostics)
        self.report = report
        errors = [str(d) for d in self.diagnostics if d.severity == "error"]
        super().__init__("\n".join(errors) or report.strip() or
                         f"ttswc ended with {returncode}")

    def __reduce__(self) -> Any:
        """As it was made; the text alone, which args has, would not do."""
        return type(self), (self.returncode, self.diagnostics, self.report)

    @property
    def errors(self) -> Tuple[Diagnostic, ...]:
        """The errors alone."""
        return tuple(d for d in self.diagnostics if d.severity == "error")


class UsageError(ValueError):
    """ttswc refused its command line."""


def _diagnostic(raw: Dict[str, Any]) -> Diagnostic:
    spans = tuple(Span(**{f.name: s[f.name] for f in dataclasses.fields(Span)})
                  for s in raw["spans"])
    helps = tuple(Help(h["text"], None if h["edit"] is None else
                       Edit(**{f.name: h["edit"][f.name]
                               for f in dataclasses.fields(Edit)}),
                       h["applicability"]) for h in raw["help"])
    first = spans[0] if spans and spans[0].primary else None
    return Diagnostic(
        raw["code"], raw["level"], raw["message"], raw["file"],
        first.line if first else None, first.column if first else None,
        tuple(raw["notes"]), helps, spans, raw["count"], raw["rendered"], raw)


def read_diagnostics(text: str) -> Optional[List[Diagnostic]]:
    """Of what `--diagnostics=json` has written; None where its last line, the
    summary, is not there: ttswc did not come to its end, or was used wrongly."""
    found: List[Diagnostic] = []
    for line in text.splitlines():
        try:
            raw = json.loads(line)
        except ValueError:
            continue # the report, or a sanitizer's words
        if isinstance(raw, dict) and "summary" in raw:
            return found
        if isinstance(raw, dict) and "code" in raw:
            found.append(_diagnostic(raw))
    return None


def find_ttswc(ttswc: Optional[Path] = None) -> str:
    """The program: `ttswc`, the environment's TTSWC, the one beside this
    package, or PATH's; FileNotFoundError if there is none."""
    named = ttswc if ttswc is not None else os.environ.get("TTSWC")
    if named:
        return os.fspath(named)
    beside = pathlib.Path(__file__).resolve().parent / "ttswc"
    found = str(beside) if beside.is_file() else shutil.which("ttswc")
    if found is None:
        raise FileNotFoundError("no ttswc: install it, or name it with "
                                "ttswc= or the environment's TTSWC")
    return found


def _as_list(paths: Paths) -> List[str]:
    if isinstance(paths, (str, os.PathLike)):
        return [os.fspath(paths)]
    return [os.fspath(p) for p in paths]


def _run(command: str, arguments: List[str], ttswc: Optional[Path],
         output: Optional[Path]) -> Result:
    line = [find_ttswc(ttswc), command, "--diagnostics=json",
            "--progress=never", *arguments]
    done = subprocess.run(line, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          encoding="utf-8", errors="replace")
    found = read_diagnostics(done.stderr)
    if found is None and done.returncode == 2:
        raise UsageError(done.stderr.strip())
    if found is None:
        raise CompileError(done.returncode, [], done.stdout + done.stderr)
    if done.returncode != 0:
        raise CompileError(done.returncode, found, done.stdout)
    return Result(None if output is None else pathlib.Path(output),
                  tuple(found), done.stdout)


def _arguments(spec: Path, checkpoints: Sequence[Path],
               sources: Optional[Mapping[str, Paths]], jobs: Optional[int],
               partial: bool) -> List[str]:
    line: List[str] = []
    for name, paths in (sources or {}).items():
        for path in _as_list(paths):
            line += ["--source", f"{name}={path}"]
    if jobs is not None:
        line += ["--jobs", str(jobs)]
    if partial:
        line.append("--allow-partial-weights")
    return [*line, "--", os.fspath(spec), *(os.fspath(c) for c in checkpoints)]


def compile(spec: Path, *checkpoints: Path, output: Path,
            sources: Optional[Mapping[str, Paths]] = None,
            jobs: Optional[int] = None, partial: bool = False,
            ttswc: Optional[Path] = None) -> Result:
    """Compiles checkpoints by a spec into the blob `output`, which is replaced
    as a whole or not at all.

    checkpoints: safetensors files, a folder, or an index; where the spec has
    several sources, they are in `sources`, by name. jobs: threads. partial: a
    missing source is a warning, and its tensor MISSING. ttswc: the program.
    Raises CompileError, which has the findings, UsageError, and
    FileNotFoundError where there is no ttswc."""
    line = _arguments(spec, checkpoints, sources, jobs, partial)
    return _run("compile", ["--output", os.fspath(output), *line], ttswc,
                output)


def check(spec: Path, *checkpoints: Path,
          sources: Optional[Mapping[str, Paths]] = None,
          jobs: Optional[int] = None, partial: bool = False, data: bool = False,
          ttswc: Optional[Path] = None) -> Result:
    """Checks a spec against checkpoints, reading headers only; data=True: makes
    and judges all values as compile() would, and writes nothing. The rest is as
    in compile()."""
    line = _arguments(spec, checkpoints, sources, jobs, partial)
    return _run("check", [*(["--data"] if data else []), *line], ttswc, None)

# SPDX-License-Identifier: MIT
"""META, the blob's lineage (FORMAT.md section 10).

In: the bytes of META, whose hash was checked. Out: the object, and what it
says of one tensor."""
import dataclasses
import json
import struct
from typing import Any, Dict, Optional, Tuple

_SECTIONS = 256   # the section table in the superblock
_ENTRY = struct.Struct("<IIQQ16s")
_ENTRIES = 16
_META = 7
SUPERBLOCK = 4096


@dataclasses.dataclass(frozen=True)
class Source:
    """A tensor of the checkpoint, as it was read."""

    name: str
    dtype: str                #: in lower case: "f32"
    shape: Tuple[int, ...]
    digest: str               #: of its bytes in the checkpoint, 32 hex digits
    source: Optional[str]     #: which of the spec's `sources:`, or None


@dataclasses.dataclass(frozen=True)
class Lineage:
    """Where a tensor comes from."""

    name: str
    axes: Tuple[str, ...]     #: "" where an axis has no name
    value: str                #: the expression, as in FORMAT.md section 8
    sources: Tuple[Source, ...]


def place(superblock: bytes) -> Optional[Tuple[int, int]]:
    """META's offset and size, or None if the file has none."""
    for i in range(_ENTRIES):
        kind, _, offset, size, _ = _ENTRY.unpack_from(
            superblock, _SECTIONS + i * _ENTRY.size)
        if kind == _META:
            return offset, size
    return None


def parse(raw: bytes) -> Dict[str, Any]:
    """The object. ValueError if it is none: not of this format."""
    try:
        meta = json.loads(raw.decode("utf-8"))
    except RecursionError:
        raise ValueError("META is nested too deeply") from None
    if not isinstance(meta, dict):
        raise ValueError("META is no object")
    return meta


def sources_of(meta: Dict[str, Any]) -> Dict[str, Source]:
    """By the names that `tensors` has for them: ID:NAME or NAME. ValueError for
    another format of META."""
    if meta.get("format") != 1:
        raise ValueError(f"META has the format {meta.get('format')}, not 1")
    found: Dict[str, Source] = {}
    for s in meta["sources"]:
        ident = s.get("source")
        key = s["name"] if ident is None else f"{ident}:{s['name']}"
        found[key] = Source(s["name"], s["dtype"], tuple(s["shape"]),
                            s["digest"], ident)
    return found


def lineage_of(name: str, entry: Dict[str, Any],
               sources: Dict[str, Source]) -> Lineage:
    """What META says of the record with this name, which `entry` is about."""
    if entry["name"] != name:
        raise ValueError(f"META has {entry['name']!r} in the place of {name!r}")
    return Lineage(name, tuple(entry["axes"]), entry["value"],
                   tuple(sources[name] for name in entry["sources"]))

# SPDX-License-Identifier: MIT
"""Blobs: a .ttsb file as a mapping from names to tensors.

In: a path. Out: tensors, constants, groups, lineage, proofs. Invariant: what
libttsb refuses is an exception here, and what it hands out is read-only."""
import ctypes
import dataclasses
import os
from collections.abc import Mapping as AbstractMapping
from types import MappingProxyType, TracebackType
from typing import (Any, Callable, Dict, Iterator, List, Mapping, Optional,
                    Set, Tuple, Type, Union)

from . import _meta, _torch
from ._constants import Constant, constants_of
from ._errors import DamagedError, NotFound, error_of, tensor_index
from ._library import (MAX_THREADS, OPEN_COPY, OPEN_PARTIAL, Advance, CError,
                       CGroup, CInfo, COptions, CProgress, CRequirement,
                       CTensor, library, text_of)
from ._tensor import Handle, Tensor

PathLike = Union[str, bytes, "os.PathLike[str]", "os.PathLike[bytes]"]
Progress = Callable[[int, int], object]
_PLACES = ("device", "host")
_DAMAGED_PAYLOAD = (42, 43)
_MOST = (1 << 64) - 1


@dataclasses.dataclass(frozen=True)
class Info:
    """What the superblock says."""

    model: str
    revision: int             #: of the spec
    contract_id: str          #: 32 hex digits
    root: str                 #: the file's name: changes with every byte
    partial: bool             #: tensors are MISSING
    file_size: int
    piece_count: int
    tensor_count: int
    group_count: int
    constant_count: int
    container: Tuple[int, int]  #: major, minor
    incompat: int             #: feature words
    compat: int


@dataclasses.dataclass(frozen=True)
class Group:
    """A component that is loaded as a whole."""

    name: str
    index: int                #: in load order
    place: str                #: where engines want it: "device" or "host"
    align: int                #: bytes, of its tensors from the group's start
    first_tensor: int
    tensor_count: int
    offset: int               #: from the file's start
    size: int


def _path_bytes(path: PathLike) -> bytes:
    raw = os.fsencode(path)
    if b"\0" in raw:
        raise ValueError("embedded null byte in the path")
    return raw


def _id_bytes(contract_id: Union[str, bytes]) -> bytes:
    raw = bytes.fromhex(contract_id) if isinstance(contract_id, str) \
        else bytes(contract_id)
    if len(raw) != 16:
        raise ValueError("a contract id has 16 bytes, 32 hex digits")
    return raw


class Blob(AbstractMapping[str, Tensor]):
    """An open blob, as a mapping from names to tensors in file order.

    Absent and missing tensors are in it; their `absent` or `missing` is True
    and they have no bytes. A context manager: leaving it closes the blob. What
    it handed out before stays valid; the file stays mapped until the last of
    that is gone. All methods may run in many threads, and one that runs while
    another thread closes the blob comes to its end."""

    def __init__(self, path: PathLike, copy: bool = False,
                 partial: bool = False, track: bool = False) -> None:
        flags = (OPEN_COPY if copy else 0) | (OPEN_PARTIAL if partial else 0)
        pointer, error = ctypes.c_void_p(), CError()
        name = _path_bytes(path)
        status = library().ttsb_open(
            name, ctypes.byref(COptions(flags=flags)), ctypes.byref(pointer),
            ctypes.byref(error))
        if status != 0:
            raise error_of(status, error, filename=os.fsdecode(name))
        assert pointer.value is not None
        self._open: Optional[Handle] = Handle(pointer.value)
        self._used: Optional[Set[int]] = set() if track else None
        self._info = self._read_info()
        self._index: Optional[Dict[str, int]] = None
        self._meta: Optional[Dict[str, Any]] = None
        self._sources: Optional[Dict[str, _meta.Source]] = None

    # ---- life cycle ----

    @property
    def _handle(self) -> Handle:
        """Who calls C keeps this until the call is over: close() may come from
        another thread, or out of what `progress` does."""
        if self._open is None:
            raise ValueError("the blob is closed")
        return self._open

    @property
    def closed(self) -> bool:
        """Whether close() was called."""
        return self._open is None

    def close(self) -> None:
        """Ends this object's use of the file. Tensors, arrays and whatever else
        it handed out stay valid, and keep the file mapped. May be repeated."""
        self._open = None

    def __enter__(self) -> "Blob":
        self._handle
        return self

    def __exit__(self, kind: Optional[Type[BaseException]],
                 error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        self.close()

    def __repr__(self) -> str:
        state = " (closed)" if self.closed else ""
        return (f"<ttsb.Blob {self._info.model} revision "
                f"{self._info.revision}, {self._info.tensor_count} tensors"
                f"{state}>")

    __eq__ = object.__eq__
    __hash__ = object.__hash__

    # ---- what it is ----

    def _read_info(self) -> Info:
        c, handle = CInfo(), self._handle
        status = library().ttsb_info(handle.pointer, ctypes.byref(c))
        if status != 0:
            raise error_of(status)
        return Info(text_of(c.model), c.revision, bytes(c.contract_id).hex(),
                    bytes(c.root).hex(), bool(c.partial), c.file_size,
                    c.piece_count, c.tensor_count, c.group_count,
                    c.constant_count, (c.major, c.minor), c.incompat, c.compat)

    @property
    def info(self) -> Info:
        """What the superblock says."""
        return self._info

    @property
    def groups(self) -> Mapping[str, Group]:
        """The groups by name, in load order."""
        found: Dict[str, Group] = {}
        handle = self._handle
        for i in range(self._info.group_count):
            g = CGroup()
            status = library().ttsb_group_at(handle.pointer, i, ctypes.byref(g))
            if status != 0:
                raise error_of(status)
            name = text_of(g.name)
            found[name] = Group(name, i, _PLACES[g.place], g.align,
                                g.first_tensor, g.tensor_count, g.offset,
                                g.size)
        return MappingProxyType(found)

    @property
    def constants(self) -> Mapping[str, Constant]:
        """The spec's constants by name: int, float, str, or a list of them."""
        handle = self._handle
        return MappingProxyType(constants_of(handle.pointer,
                                             self._info.constant_count))

    def require(self, model: Optional[str] = None,
                revision: Union[None, int, Tuple[int, int]] = None,
                contract_id: Union[None, str, bytes] = None) -> None:
        """Compares the blob with what an engine needs; None: any.

        revision: one number, or the first and last that will do. contract_id:
        32 hex digits or 16 bytes. Raises RequirementError, whose text says how
        to rebuild the blob; ValueError for a contract id that is none."""
        if model is not None and "\0" in model:
            raise ValueError("embedded null byte in the model's name")
        low, high = (0, _MOST) if revision is None else \
            (revision, revision) if isinstance(revision, int) else revision
        if not 0 <= low <= _MOST or not 0 <= high <= _MOST:
            raise ValueError("a revision is 0 or more")
        need = CRequirement(revision_min=low, revision_max=high)
        need.model = None if model is None else model.encode("utf-8")
        need.contract_id = None if contract_id is None else _id_bytes(contract_id)
        error, handle = CError(), self._handle
        status = library().ttsb_require(
            handle.pointer, ctypes.byref(need), ctypes.byref(error))
        if status != 0:
            raise error_of(status, error)

    # ---- tensors ----

    def __len__(self) -> int:
        return self._info.tensor_count

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def _names(self) -> Dict[str, int]:
        """Indices by name, in file order."""
        handle = self._handle
        if self._index is None:
            self._index = {text_of(handle.tensor_at(i).name): i
                           for i in range(self._info.tensor_count)}
        return self._index

    def __contains__(self, name: object) -> bool:
        return name in self._names()

    def __getitem__(self, name: str) -> Tensor:
        """The tensor with this name, in O(log n); NotFound if there is none."""
        tensor, error, handle = CTensor(), CError(), self._handle
        status = library().ttsb_find(
            handle.pointer, self._name_bytes(name), ctypes.byref(tensor),
            ctypes.byref(error))
        if status not in (0, 3, 4): # an absent and a missing one are described
            raise error_of(status, error)
        if self._used is not None:
            self._used.add(tensor.index)
        return Tensor(handle, tensor)

    def _name_bytes(self, name: str) -> bytes:
        if not isinstance(name, str):
            raise TypeError(f"a tensor's name is a str, not {type(name).__name__}")
        if not name.isascii() or "\0" in name:
            raise NotFound(f"no tensor is named {name!r}", 2)
        return name.encode("ascii")

    def unused(self) -> List[str]:
        """The names that were never asked for, in file order, of a blob that was
        opened with track=True; else a ValueError.

        A tensor counts as used once blob[name], get, items, values or
        state_dict has handed it out; `in` and keys do not count. An alias
        counts for itself, and not for the tensor whose bytes it has."""
        if self._used is None:
            raise ValueError("ttsb.open(..., track=True) would have counted")
        return [name for name, i in self._names().items()
                if i not in self._used]

    def digest(self, name: str) -> str:
        """The tensor digest of FORMAT.md section 5, 32 hex digits, out of the
        index: it proves nothing about the bytes before verify() has."""
        digest, handle = (ctypes.c_uint8 * 16)(), self._handle
        status = library().ttsb_tensor_digest(
            handle.pointer, self._index_of(name), digest)
        if status != 0:
            raise error_of(status)
        return bytes(digest).hex()

    def _index_of(self, name: str) -> int:
        self._name_bytes(name)
        if name not in self._names():
            raise NotFound(f"no tensor is named {name!r}", 2)
        return self._names()[name]

    def state_dict(self, copy: bool = False) -> Dict[str, Any]:
        """All tensors that have bytes, for torch, in file order.

        Without a copy: they are on the file's read-only memory, which torch
        cannot be told. Writing to one ends the program (SIGSEGV); reading,
        .to(device), load_state_dict and clone are fine. copy=True: memory of
        their own, which may be written; an alias is then the same torch tensor
        as its target. Absent and missing tensors are left out. Raises TypeError,
        with the tensor's name, where torch has no such dtype."""
        return _torch.state_dict(self.values(), copy)

    # ---- lineage ----

    @property
    def meta(self) -> Dict[str, Any]:
        """META, the lineage, as FORMAT.md section 10 has it; read once. Its hash
        is checked before: DamagedError. ValueError if it is no such object."""
        if self._meta is None:
            handle = self._handle
            self._verify_rest(handle)
            base = self._base(handle)
            found = _meta.place(ctypes.string_at(base, _meta.SUPERBLOCK))
            offset, size = found if found is not None else (0, 0)
            self._meta = _meta.parse(ctypes.string_at(base + offset, size))
        return self._meta

    def _base(self, handle: Handle) -> int:
        """The address of the file's first byte."""
        for i in range(self._info.tensor_count):
            c = handle.tensor_at(i)
            if c.data is not None:
                return int(c.data) - int(c.offset)
        raise ValueError("without a tensor that has data the blob has no address")

    def lineage(self, name: str) -> _meta.Lineage:
        """What the tensor was made from, and how; out of META. ValueError if it
        is not as FORMAT.md section 10 has it."""
        index, meta = self._index_of(name), self.meta
        try:
            if self._sources is None:
                self._sources = _meta.sources_of(meta)
            return _meta.lineage_of(name, meta["tensors"][index], self._sources)
        except (AttributeError, LookupError, TypeError) as error:
            raise ValueError(f"META is not of its format: {error!r}") from error

    # ---- proof ----

    @staticmethod
    def _verify_rest(handle: Handle) -> None:
        error = CError()
        status = library().ttsb_verify_rest(handle.pointer, ctypes.byref(error))
        if status != 0:
            raise error_of(status, error)

    def verify(self, threads: Optional[int] = None,
               progress: Optional[Progress] = None) -> None:
        """Proves the whole file by its hashes; open() has proven all but the
        payload.

        threads: 1 to 256; None: one for each processor that this process may
        use. progress(pieces_done, piece_count) is called from any thread, never
        from two at a time; what it raises is raised when verification is over.
        Raises DamagedError: its text names the first damage, its `tensors` all
        tensors that are damaged."""
        count = threads
        if count is None:
            count = min(len(os.sched_getaffinity(0)), MAX_THREADS)
        elif not 1 <= count <= MAX_THREADS:
            raise ValueError(f"threads are 1 to {MAX_THREADS}")
        raised: List[BaseException] = []
        error, handle = CError(), self._handle
        status = library().ttsb_verify(
            handle.pointer, count, _c_progress(progress, raised),
            ctypes.byref(error))
        if raised:
            raise raised[0]
        if status != 0:
            raise self._damage(handle, status, error)

    def _damage(self, handle: Handle, status: int, error: CError) -> Exception:
        index = tensor_index(error)
        name = None if index is None else text_of(handle.tensor_at(index).name)
        exception = error_of(status, error, name)
        if isinstance(exception, DamagedError) and status in _DAMAGED_PAYLOAD:
            exception.tensors = tuple(self._damaged(handle))
        return exception

    def _damaged(self, handle: Handle) -> Iterator[str]:
        """The names of all tensors whose own pieces, or the padding behind
        them, are not as they were written."""
        lib = library()
        for i in range(self._info.tensor_count):
            c = handle.tensor_at(i)
            status = lib.ttsb_verify_range(
                handle.pointer, c.first_piece, c.first_piece + c.piece_count,
                None)
            if status != 0:
                yield text_of(c.name)


def _c_progress(progress: Optional[Progress],
                raised: List[BaseException]) -> Any:
    """A struct ttsb_progress that calls `progress` until it raises."""
    if progress is None:
        return None
    call = progress

    def advance(user: object, done: int, count: int) -> None:
        if raised:
            return
        try:
            call(done, count)
        except BaseException as error: # C cannot pass it on
            raised.append(error)

    return ctypes.byref(CProgress(Advance(advance), None))


def open(path: PathLike, copy: bool = False, partial: bool = False,
         track: bool = False) -> Blob:
    """Opens the blob at `path` and checks all of it but the payload.

    copy: read the file into memory instead of mapping it, so that another
    program that shortens or rewrites it does no harm here. partial: accept a
    blob in which tensors are missing. track: count what is asked for, for
    unused(). Raises BlobError and its kinds where the file is no good blob, and
    SystemCallError, which is an OSError, where it cannot be read."""
    return Blob(path, copy, partial, track)

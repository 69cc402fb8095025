#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hostile .npy and .npz files, one lie in each, and what must be said of it.

In: nothing. Out: LIES, {name: (file name, bytes, a part of the message)}. Run as
a program it writes each into tests/golden/e0710_NAME/, for whose expectations
see run_golden.py --update."""
import io
import pathlib
import struct
import zipfile


def npy(descr="'<f4'", order="False", shape="(2, 3)", data=bytes(24), version=1,
        text=None):
    """An array; `descr`, `order` and `shape` are the header's own text."""
    if text is None:
        text = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}, }}"
    head = 10 if version == 1 else 12
    raw = text.encode("latin-1")
    raw += b" " * (-(len(raw) + head + 1) % 64) + b"\n"
    length = struct.pack("<H" if version == 1 else "<I", len(raw))
    return b"\x93NUMPY" + bytes([version, 0]) + length + raw + data


def npz(members, method=zipfile.ZIP_STORED):
    """An archive of {name: bytes}; a list of pairs may repeat a name."""
    file = io.BytesIO()
    pairs = members.items() if isinstance(members, dict) else members
    with zipfile.ZipFile(file, "w", method) as z:
        for name, data in pairs:
            info = zipfile.ZipInfo(name)  # the year 1980: the same bytes each time
            info.compress_type = method
            z.writestr(info, data)
    return file.getvalue()


def patch(data, at, new):
    return data[:at] + new + data[at + len(new):]


def twice():
    """Two members called a.npy: the second is renamed in both headers."""
    return npz({"a.npy": npy(), "b.npy": npy()}).replace(b"b.npy", b"a.npy")


def overlap():
    """The second member's header is copied into the first one's values, and the
    directory leads there."""
    data = npz({"a.npy": npy(), "b.npy": npy()})
    entry = data.rindex(b"PK\1\2")
    header = data.index(b"PK\3\4", 1)
    inside = header - 20
    data = patch(data, inside, data[header:header + 35])
    return patch(data, entry + 42, struct.pack("<I", inside))


ONE = npz({"a.npy": npy()})
PACKED = npz({"a.npy": npy(data=bytes(range(24)))}, zipfile.ZIP_DEFLATED)
DIRECTORY = ONE.index(b"PK\1\2")
END = ONE.index(b"PK\5\6")
PACKED_DIRECTORY = PACKED.index(b"PK\1\2")

LIES = {
    # the header of an array
    "npy_pickle": ("x.npy", npy("'|O'"), "a pickle, which is a program and is not run"),
    "npy_records": ("x.npy", npy("[('a', '<f4')]"), "an array of records"),
    "npy_text": ("x.npy", npy("'<U5'"), "it is text"),
    "npy_raw_bytes": ("x.npy", npy("'|V2'"), "bfloat16 of ml_dtypes is saved so"),
    "npy_big_endian": ("x.npy", npy("'>f4'"), "big-endian numbers"),
    "npy_expression": ("x.npy", npy(shape="(2, 1+2)"), "should have `,` here"),
    "npy_call": ("x.npy", npy(text="__import__('os').system('touch /tmp/x')"),
                 "should have `{` here"),
    "npy_no_shape": ("x.npy", npy(text="{'descr': '<f4', 'fortran_order': False, }"),
                     "lacks `shape`"),
    "npy_key_twice": ("x.npy", npy(text="{'descr': '<f4', 'descr': '<f4', "
                                   "'fortran_order': False, 'shape': (6,), }"),
                      "`descr` stands twice"),
    "npy_unknown_key": ("x.npy", npy(text="{'descr': '<f4', 'fortran_order': False, "
                                     "'shape': (6,), 'x': 1, }"), "an unknown key"),
    "npy_more_text": ("x.npy", npy(text="{'descr': '<f4', 'fortran_order': False, "
                                   "'shape': (6,), } + {}"), "more text behind"),
    "npy_no_tuple": ("x.npy", npy(shape="(6)"), "should be a tuple"),
    "npy_cut": ("x.npy", npy(data=bytes(23)), "1 byte is missing"),
    "npy_more_bytes": ("x.npy", npy(data=bytes(25)), "1 byte too many"),
    "npy_huge": ("x.npy", npy(shape="(4611686018427387904, 4)"), "more than 2^63 - 1"),
    "npy_huge_beside_0": ("x.npy", npy(shape="(0, 4611686018427387904, 4)", data=b""),
                          "more than 2^63 - 1"),
    "npy_version": ("x.npy", patch(npy(), 6, b"\4"), "version 4.0"),
    "npy_header_cut": ("x.npy", npy()[:40], "ends inside the header"),
    "npy_header_huge": ("x.npy", patch(npy(version=2), 8, b"\xff\xff\xff\x7f"),
                        "above 65535"),
    # the archive
    "npz_cut": ("x.npz", ONE[:-1], "it has no end record"),
    "npz_disks": ("x.npz", patch(ONE, END + 4, b"\1\0"), "several disks"),
    "npz_directory_elsewhere": (
        "x.npz", patch(ONE, END + 16, struct.pack("<I", DIRECTORY - 1)),
        "the directory is not where the end record says"),
    "npz_too_many": ("x.npz", patch(patch(ONE, END + 8, b"\xff\x7f"), END + 10, b"\xff\x7f"),
                     "cannot hold 32767 members"),
    "npz_encrypted": ("x.npz", patch(ONE, DIRECTORY + 8, b"\1"), "is encrypted"),
    "npz_method": ("x.npz", patch(patch(ONE, DIRECTORY + 10, b"\x0c"), 8, b"\x0c"),
                   "packed by method 12"),
    "npz_stored_sizes": ("x.npz", patch(ONE, DIRECTORY + 24, b"\1"),
                         "a stored member of two sizes"),
    "npz_local_name": ("x.npz", patch(ONE, 30, b"b"), "says something else"),
    "npz_local_size": ("x.npz", patch(ONE, 22, b"\1"), "says something else"),
    "npz_no_member": ("x.npz", patch(ONE, DIRECTORY + 42, b"\1"), "no member begins"),
    "npz_beyond": ("x.npz", patch(ONE, DIRECTORY + 42, struct.pack("<I", 1 << 30)),
                   "lies beyond the directory"),
    "npz_into_directory": (
        "x.npz", patch(patch(patch(patch(ONE, 18, b"\0\1"), 22, b"\0\1"),
                             DIRECTORY + 20, b"\0\1"), DIRECTORY + 24, b"\0\1"),
        "runs into the directory"),
    "npz_overlap": ("x.npz", overlap(), "two members overlap"),
    "npz_name_twice": ("x.npz", twice(), "a name stands twice"),
    "npz_no_array": ("x.npz", npz({"a.npy": npy(), "b.pkl": b"cos\nsystem\n"}),
                     "it is no .npy array"),
    "npz_member_header": ("x.npz", npz({"a.npy": b"no"}), "does not begin like"),
    "npz_entry_long": ("x.npz", patch(ONE, DIRECTORY + 28, b"\xff\xff"),
                       "leads out of the directory"),
    "npz_name_bytes": ("x.npz", ONE.replace(b"a.npy", b"\xff.npy"), "no UTF-8 text"),
    "npz_no_64_bits": ("x.npz", patch(ONE, DIRECTORY + 20, b"\xff\xff\xff\xff"),
                       "lacks its sizes of 64 bits"),
    "npz_crc": ("x.npz", patch(ONE, DIRECTORY - 1, b"\7"), "are damaged"),
    "npz_deflate": ("x.npz", patch(PACKED, 38, b"\xff\xff\xff\xff"), "are damaged"),
    "npz_unpacked_longer": (
        "x.npz", patch(patch(PACKED, 22, struct.pack("<I", 153)),
                       PACKED_DIRECTORY + 24, struct.pack("<I", 153)), "are damaged"),
    "npz_unpacked_shorter": (
        "x.npz", patch(patch(PACKED, 22, struct.pack("<I", 151)),
                       PACKED_DIRECTORY + 24, struct.pack("<I", 151)), "are damaged"),
}


def write_golden():
    folder = pathlib.Path(__file__).resolve().parent / "golden"
    for name, (file, data, _) in LIES.items():
        case = folder / f"e0710_{name}"
        case.mkdir(exist_ok=True)
        (case / file).write_bytes(data)
        (case / "command").write_text(f"diff {file} {file}\n")


if __name__ == "__main__":
    write_golden()

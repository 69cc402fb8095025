# SPDX-License-Identifier: MIT
"""A second writer and reader of the packed form, from FORMAT.md section 18 alone.

In: a blob's bytes, or a packed file's. Out: the other one. Frames are written
with raw and RLE blocks (RFC 8878), so that no zstd is needed to make one, or to
make one that lies; seal() makes the hashes of a changed file right again."""
import struct

import xxhash

HEAD, ENTRY, CELL, MOST = 256, 40, 65536, 1 << 20
MAGIC = b"\x89TTSZ\r\n\x1a"
# Of the head: where, and how it is packed.
FIELDS = {"skip": (0, "I"), "skip_size": (4, "I"), "magic": (8, "8s"), "major": (16, "H"),
          "minor": (18, "H"), "count": (20, "I"), "size": (24, "Q"), "blob_size": (32, "Q"),
          "head_hash": (40, "Q"), "table_hash": (48, "Q"), "root": (56, "16s"),
          "zero": (72, "24s"), "model": (96, "160s")}
RANGE = {"offset": (0, "Q"), "at": (8, "Q"), "length": (16, "I"), "size": (20, "I"),
         "width": (24, "I"), "zero": (28, "I"), "hash": (32, "Q")}


def frame(content, says=None, check=b""):
    """A frame of raw blocks, of RLE ones where a block has one byte only; `says`
    is the content size that it states."""
    says = len(content) if says is None else says
    out = struct.pack("<IBI", 0xFD2FB528, 0xA0, says)
    blocks = [content[i:i + (1 << 17)] for i in range(0, len(content), 1 << 17)] or [b""]
    for i, block in enumerate(blocks):
        same = block and block == block[:1] * len(block)
        head = (i == len(blocks) - 1) | (2 if same else 0) | len(block) << 3
        out += head.to_bytes(3, "little") + (block[:1] if same else block)
    return out + check


def split(width, data):
    return b"".join(data[k::width] for k in range(width))


def join(width, data):
    n, out = len(data) // width, bytearray(len(data))
    for k in range(width):
        out[k::width] = data[k * n:(k + 1) * n]
    return bytes(out)


def get(data, i, name):
    """A field of the head (i is None) or of range i."""
    base, (at, fmt) = (0, FIELDS[name]) if i is None else (HEAD + ENTRY * i, RANGE[name])
    return struct.unpack_from("<" + fmt, data, base + at)[0]


def put(data, i, name, value):
    base, (at, fmt) = (0, FIELDS[name]) if i is None else (HEAD + ENTRY * i, RANGE[name])
    struct.pack_into("<" + fmt, data, base + at, value)


def seal(data, table=True):
    """Makes the table's hash and the head's right."""
    if table:
        end = HEAD + ENTRY * get(data, None, "count")
        put(data, None, "table_hash", xxhash.xxh3_64_intdigest(bytes(data[HEAD:end])))
    put(data, None, "head_hash", 0)
    put(data, None, "head_hash", xxhash.xxh3_64_intdigest(bytes(data[:HEAD])))
    return data


def write(blob, lengths=None, widths=(1,), frames=None):
    """The packed file of a blob, in ranges of these lengths; `widths` repeats;
    `frames` are given, or made."""
    lengths = lengths or [min(MOST, len(blob) - i) for i in range(0, len(blob), MOST)]
    out = bytearray(HEAD + ENTRY * len(lengths))
    put(out, None, "skip", 0x184D2A54)
    put(out, None, "skip_size", len(out) - 8)
    put(out, None, "magic", MAGIC)
    put(out, None, "major", 1)
    put(out, None, "count", len(lengths))
    put(out, None, "blob_size", len(blob))
    put(out, None, "root", bytes(blob[72:88]))
    put(out, None, "model", bytes(blob[96:256]))
    offset = 0
    for i, length in enumerate(lengths):
        width = widths[i % len(widths)]
        data = blob[offset:offset + length]
        made = frames[i] if frames else frame(split(width, data))
        for name, value in (("offset", offset), ("at", len(out)), ("length", length),
                            ("size", len(made)), ("width", width),
                            ("hash", xxhash.xxh3_64_intdigest(made))):
            put(out, i, name, value)
        out, offset = out + made, offset + length
    put(out, None, "size", len(out))
    return seal(out)


def ranges(data):
    return [{name: get(data, i, name) for name in RANGE}
            for i in range(get(data, None, "count"))]


def restore(data, content):
    """The blob, out of a packed file and what zstd makes of it."""
    assert seal(bytearray(data)) == data
    end = HEAD + ENTRY * get(data, None, "count")
    out = b""
    for r in ranges(data):
        assert (r["offset"], r["at"]) == (len(out), end)
        assert xxhash.xxh3_64_intdigest(data[end:end + r["size"]]) == r["hash"]
        out += join(r["width"], content[len(out):len(out) + r["length"]])
        end += r["size"]
    assert end == len(data) == get(data, None, "size")
    assert len(out) == len(content) == get(data, None, "blob_size")
    return out

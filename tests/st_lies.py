# SPDX-License-Identifier: MIT
"""Damaged files: one lie each, and seeded mutations of good ones.

In: a random.Random. Out: cases as in st_corpus. A lie claims "bad"; a spelling
that is only odd, and a mutation, claim nothing.
"""
import math
import struct

from st_corpus import BITS, LITERALS, Case, File, data, entry, join, tensor

ONE = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
UTF8 = [b"\x80", b"\xbf", b"\xc0\xaf", b"\xc1\xbf", b"\xc3", b"\xc3\x28",
        b"\xe0\x80\xaf", b"\xe0\x9f\xbf", b"\xe4\xb8", b"\xed\xa0\x80",
        b"\xed\xbf\xbf", b"\xf0\x80\x80\xaf", b"\xf0\x8f\xbf\xbf",
        b"\xf0\x9f\x98", b"\xf4\x90\x80\x80", b"\xf5\x80\x80\x80",
        b"\xf8\x88\x80\x80\x80", b"\xfe", b"\xff", b"\xff\xfe"]
ESCAPES = ["\\", "\\x41", "\\u", "\\u1", "\\u12", "\\u123", "\\u12g4", "\\U0041",
           "\\u+041", "\\u 041", "\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\n",
           "\\ud83d\\ud83d", "\\ud83d\\u0041", "\\ude00\\ud83d", "\\0", "\\'",
           "\\a", "\\v", "\\e", "\\\n"]


def truncations(rng):
    """Every prefix of a file with two tensors, padding and data."""
    whole = File(rng).add("a", "F32", [2]).add("b", "U8", [3]).raw(pad=3)
    for n in range(len(whole)):
        yield Case(f"cut to {n}", whole[:n], "bad")
    for n in (1, 7, 8, 4096):
        yield Case(f"{n} bytes behind the data", whole + bytes(n), "bad")
        yield Case(f"{n} spaces behind the data", whole + b" " * n, "bad")
    yield Case("a byte lost in front", whole[1:], "bad")
    yield Case("a byte lost in the header", whole[:20] + whole[21:], "bad")
    yield Case("twice", whole + whole, "bad")


def lengths(rng):
    """The first 8 bytes."""
    head, body = tensor(), data(rng, 16)
    for n in (*range(len(head)), *range(len(head) + 1, len(head) + 17), 4096,
              2**16, 2**24, 10**8, 10**8 + 1, 2**31, 2**32, 2**32 + len(head),
              2**63 - 1, 2**63, 2**63 + len(head), 2**64 - 9, 2**64 - 8,
              2**64 - 1):
        yield Case(f"length {n}", join(head, body, n), "bad")
    yield Case("length big endian",
               struct.pack(">Q", len(head)) + head.encode() + body, "bad")
    yield Case("length of 4 bytes",
               struct.pack("<I", len(head)) + head.encode() + body, "bad")
    for text in ("", " ", "        ", "\0", "0", '""', "[]", "null", "{", "}",
                 "{}{}", "{},", "[{}]"):
        yield Case(f"header {text!r}", join(text, b""), "bad")
    for tail in ("\0", "\v", "\f", "\u00a0", "\ufeff", "x", "}", ",", "//", "{}"):
        yield Case(f"behind the object {tail!r}", join(head + tail, body), "bad")
        yield Case(f"before the object {tail!r}", join(tail + head, body), "bad")
    for code in ("utf-16", "utf-16-le", "utf-32", "utf-8-sig"):
        yield Case(f"header in {code}", join(head.encode(code), body), "bad")


def values(rng):
    """Each member, each tensor and __metadata__ as each literal."""
    body = data(rng, 16)
    for i, text in enumerate(LITERALS):
        for member in ("dtype", "shape", "offsets", "more"):
            given = {member: ',"x":' + text if member == "more" else text}
            yield Case(f"{member} is {text or 'nothing'}",
                       join(tensor(**given), body))
        yield Case(f"a tensor is {text}", join('{"a":%s}' % text, b""))
        yield Case(f"metadata is {text}", join(
            '{"__metadata__":%s}' % text, b""))
        yield Case(f"a metadata value is {text}", join(
            '{"__metadata__":{"k":%s}}' % text, b""))
        yield Case(f"number {i} for a key", join("{%s:%s}" % (text, ONE), b"\0"))


def members(_rng):
    """Members that are missing, twice, or under another name."""
    parts = {"dtype": '"F32"', "shape": "[2,2]", "data_offsets": "[0,16]"}
    for gone in parts:
        for name in ("", gone.upper(), gone + " ", gone + "\\u0000", gone[:-1]):
            text = ",".join('"%s":%s' % (name if k == gone and name else k, v)
                            for k, v in parts.items() if k != gone or name)
            yield Case(f"{gone} as {name!r}", join("{\"a\":{%s}}" % text,
                                                   bytes(16)), "bad")
        for again in (parts[gone], "null", '"x"'):
            yield Case(f"{gone} twice, then {again}", join(tensor(
                more=',"%s":%s' % (gone, again)), bytes(16)), "bad")
    yield Case("metadata twice", join(
        '{"__metadata__":{},"__metadata__":{}}', b""), "bad")
    yield Case("metadata twice, once null", join(
        '{"__metadata__":null,"__metadata__":{}}', b""), "bad")
    yield Case("no member at all", join('{"a":{}}', b""), "bad")


def dtypes(_rng):
    """Names of dtypes that are none, and spans that do not fit."""
    for name in ("F33", "f32", "F32 ", " F32", "F32\\u0000", "float32", "F", "",
                 "BFLOAT16", "F128", "C128", "I4", "U4", "F8", "F8_E3M4",
                 "F8_E4M3FN", "F8_E4M3B11FNUZ", "F8_E8M0FNU", "F6", "FP4",
                 "BOOLEAN", "U128", "Q4_0"):
        yield Case(f"dtype {name!r}", join(tensor(dtype='"%s"' % name),
                                           bytes(16)), "bad")
    for dtype, bits in BITS.items():
        size = 8 * bits // 8
        for wrong in {size - 1, size + 1, size * 2, 0, bits // 8} - {size}:
            yield Case(f"{dtype} of {wrong} bytes", join(
                "{%s}" % entry('"a"', dtype, [8], 0, wrong), bytes(wrong)), "bad")
        for dims in ([], [1], [3], [5, 5], [3, 1, 3]) if bits < 8 else ():
            total = bits * math.prod(dims)
            for size in (total // 8, total // 8 + 1):
                yield Case(f"{dtype} {dims} in {size} bytes", join(
                    "{%s}" % entry('"a"', dtype, dims, 0, size), bytes(size)),
                    "bad")


def tilings(rng):
    """Holes, overlaps, and what else two or three tensors can do wrong."""
    spots = [(0, 2), (2, 4), (4, 6), (0, 4), (1, 3), (3, 5), (0, 0), (2, 2),
             (6, 6), (7, 7), (4, 2)]
    for _ in range(60):
        some = [rng.choice(spots) for _ in range(rng.randrange(1, 5))]
        text = ",".join(entry('"t%d"' % i, "U8", [max(e - b, 0)], b, e)
                        for i, (b, e) in enumerate(some))
        yield Case(f"tiling {some}", join("{%s}" % text, bytes(6)))
    for big in (2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1, 2**64):
        for b, e, dim in ((0, big, big), (big, big, 0), (big, 1, 1),
                          (big - 1, big, 1), (0, 1, big + 1)):
            yield Case(f"offsets {b} {e}, shape {dim}", join(
                "{%s}" % entry('"a"', "U8", [dim], b, e), b"\0"), "bad")
    for dims in ([2**32, 2**32], [2**32, 2**31], [2**62, 2], [2**62, 4, 0],
                 [2**63, 2, 0], [2**33, 2**33, 0], [2**61, 8], [2**64, 0],
                 [2**32, 2**32, 1, 0]):
        yield Case(f"product {dims}", join(
            "{%s}" % entry('"a"', "U64", dims, 0, 0), b""))


def strings(_rng):
    """Bad UTF-8, bad escapes and control characters, wherever a string is."""
    places = {"name": b'{"%s":' + ONE.encode() + b"}",
              "metadata key": b'{"__metadata__":{"%s":"v"},"a":' + ONE.encode() + b"}",
              "metadata value": b'{"__metadata__":{"k":"%s"},"a":' + ONE.encode() + b"}",
              "unknown field": b'{"a":' + ONE.encode()[:-1] + b',"%s":0}}',
              "unknown value": b'{"a":' + ONE.encode()[:-1] + b',"x":["%s"]}}'}
    lies = [("UTF-8", t) for t in UTF8]
    lies += [("escape", t.encode()) for t in ESCAPES]
    lies += [("control", bytes([c])) for c in range(32)] + [("quote", b'"')]
    for place, text in places.items():
        for kind, lie in lies:
            if kind == "control" and place != "name" and lie not in b"\0\n\x1f":
                continue
            yield Case(f"{kind} {lie!r} in a {place}",
                       join(text.replace(b"%s", b"a" + lie + b"z"), b"\0"), "bad")


def syntax(_rng):
    """Broken JSON: every byte of a header lost, doubled or replaced."""
    head = tensor().encode()
    for i in range(len(head)):
        for label, text in (("lost", b""), ("doubled", head[i:i + 1] * 2),
                            ("NUL", b"\0"), ("comma", b",")):
            yield Case(f"byte {i} {label}",
                       join(head[:i] + text + head[i + 1:], bytes(16)))
    for more in ("[" * 126 + "]" * 126, '{"a":' * 126 + "0" + "}" * 126,
                 "[" * 5000, "]", "1.", ".5", "+1", "1e", "1e+", "0x10", "1_000",
                 "00", "-", "--1", "-01", "1e400", "-1e400", "True", "nul",
                 "nulll", "undefined", "/*c*/0", "0 1", '"a" "b"', "[1 2]", "[1,]",
                 "[,]", '{"a"}', '{"a":}', '{"a":1,}', "{1:2}", "{a:1}", "{,}",
                 '{"a" 1}', '{"a"::1}', "1" * 310, "1e308000000000000000000"):
        yield Case(f"value {more[:24]!r}", join(
            tensor(more=',"x":' + more), bytes(16)), "bad")


def lies(rng):
    for part in (truncations, lengths, values, members, dtypes, tilings, strings,
                 syntax):
        yield from part(rng)


TOKENS = ['"', "{", "}", "[", "]", ",", ":", " ", "\t", "\n", "\\", "\\u0061",
          "0", "1", "-", ".", "e1", "null", "true", '"a"', '"b"', '"dtype"',
          '"shape"', '"data_offsets"', '"__metadata__"', '"F32"', '"U8"', "[]",
          "{}", "[0,1]", "9223372036854775808", "\x7f", "\u00e9"]


def split(head):
    """Words, numbers and signs of a header."""
    out, word = [], ""
    for c in head:
        if c.isalnum() or c in '_"':
            word += c
        else:
            out += [word, c] if word else [c]
            word = ""
    return out + [word] if word else out


def mutate(rng, head):
    """One small change."""
    kind = rng.randrange(8)
    raw = bytearray(head.encode())
    at = rng.randrange(len(raw))
    if kind == 0:
        raw[at] ^= 1 << rng.randrange(8)
    elif kind == 1:
        raw[at] = rng.randrange(256)
    elif kind == 2:
        del raw[at:at + rng.randrange(1, 9)]
    elif kind == 3:
        raw[at:at] = rng.choice(TOKENS).encode()
    else:
        parts = split(head)
        a, b = rng.randrange(len(parts)), rng.randrange(len(parts))
        if kind == 4:
            parts[a], parts[b] = parts[b], parts[a]
        elif kind == 5:
            parts[a] = rng.choice(TOKENS)
        elif kind == 6:
            a, b = min(a, b), max(a, b)
            parts[b:b] = parts[a:b]
        else:
            parts[a] = str(rng.randrange(20)) if parts[a].isdigit() else parts[b]
        return "".join(parts).encode()
    return bytes(raw)


def mutations(rng, count):
    """Of good headers, half of which are mostly what a reader must ignore or
    hand through; the length in front follows the change or not."""
    files = [File(rng).add("a", "F32", [2, 2]),
             File(rng).add("a", "U8", [1]).add("b", "U8", [1]),
             File(rng).add("w", "F32", [0]).add("b", "BF16", [3]).add("c", "F4", [2]),
             File(rng).add("a long name, é, \u4e16, \\ and more " * 4, "U8", [0])]
    heads = [("{" + ",".join(f.entries) + "}  ", f.end) for f in files]
    for more in ('[1.5,{"y":null,"z":[[],{},"s",-0.5e+3,true]},12345678.25e-10]',
                 '"' + "text \\u00e9 \\n \U0001f600 " * 4 + '"'):
        heads.append(('{"__metadata__":{"format":"pt","k":"%s","l":"w"},"a":{"x":'
                      '[%s],"dtype":"F32","shape":[2,2],"data_offsets":[0,16]}}'
                      % ("value " * 12, ",   ".join([more] * 3)), 16))
    heads += heads[-2:]
    for i in range(count):
        head, size = rng.choice(heads)
        text = mutate(rng, head)
        if rng.random() < 0.3 and text:
            text = mutate(rng, text.decode("utf-8", "replace"))
        length = len(head.encode()) if rng.random() < 0.1 else None
        yield Case(f"mutation {i}", join(text, data(rng, size), length))

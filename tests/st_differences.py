# SPDX-License-Identifier: MIT
"""Where ttswc refuses what the reference implementation accepts, on purpose.

The table in compiler/safetensors.h, as data: a row has an id, the words of
that table, files that show it, and a detector. `found` says which rows a file
that the reference accepts falls under, from Python's JSON reader alone.
"""
import json
import struct

from st_corpus import BITS, Case, entry, join, tensor

ONE = '{"dtype":"U8","shape":[1],"data_offsets":[0,1]}'
FIELDS = ("dtype", "shape", "data_offsets")
LIMIT = 2**63 - 1


class Pairs(list):
    """An object as it was written: (key, value), the same key any number of
    times."""

    def get(self, key):
        return dict(self).get(key)

    def doubled(self):
        """Whether a key is there twice."""
        keys = [k for k, _ in self]
        return len(set(keys)) < len(keys)


class Number(str):
    """A number's spelling."""


def below_1e308(text):
    """By the decimal exponent of the first digit that is not 0."""
    number, _, exponent = text.lstrip("-").lower().partition("e")
    whole, _, fraction = number.partition(".")
    digits = whole + fraction
    first = len(digits) - len(digits.lstrip("0"))
    return first == len(digits) or \
        len(whole) - first - 1 + int(exponent or 0) <= 307


def inside(value):
    """All values in a value, itself first."""
    yield value
    for part in [v for _, v in value] if isinstance(value, Pairs) else \
            value if isinstance(value, list) else ():
        yield from inside(part)


def of_tensor(name, value):
    """The rows that one tensor falls under."""
    if len(name.encode()) > 65535:
        yield "long name"
    if not isinstance(value, Pairs):
        yield "by position"
        value = Pairs(zip(FIELDS, value))
    if value.doubled():
        yield "unknown field twice"
    dtype, shape = value.get("dtype"), value.get("shape")
    if isinstance(dtype, Pairs):
        yield "dtype as object"
        dtype = dtype[0][0]
    product, dims = 1, [int(d) for d in shape]
    for factor in dims + [BITS[dtype]]:
        product *= factor
        if factor > LIMIT or product > LIMIT:
            yield "large size"
            break
    if len(dims) > 64:
        yield "rank"
    for field in (v for k, v in value if k not in FIELDS):
        for part in inside(field):
            if isinstance(part, Pairs) and part.doubled():
                yield "inside an unknown field"
            if isinstance(part, Number) and not below_1e308(part):
                yield "large number"


def found(raw):
    """The ids of the rows of a file that the reference accepts."""
    n = struct.unpack_from("<Q", raw)[0]
    text = raw[8:8 + n].decode()
    header = json.loads(text, object_pairs_hook=Pairs, parse_int=Number,
                        parse_float=Number)
    ids = set()
    if text[0] != "{":
        ids.add("space before")
    if set(text[text.rindex("}") + 1:]) - {" "}:
        ids.add("padding")
    if header.doubled():
        ids.add("name twice")
    for name, value in header:
        if name != "__metadata__":
            ids.update(of_tensor(name, value))
        elif value and value.doubled():
            ids.add("metadata key twice")
    return ids


def show(*heads, data=16):
    """Files of whole headers."""
    return [join(h, bytes(data)) for h in heads]


def one(dims, dtype="U8", size=0):
    return join("{%s}" % entry('"a"', dtype, dims, 0, size), bytes(size))


# id: the first column of the table in compiler/safetensors.h, and files. In
# all of them the reference accepts and ttswc refuses.
TABLE = {
    "space before": (
        "white space before the object",
        show(" " + tensor(), "\t" + tensor(), "\r\n" + tensor(),
             " " * 8 + tensor())),
    "padding": (
        "other padding than spaces behind it",
        show(tensor() + "\n", tensor() + "\t  ", tensor() + " \r ",
             tensor() + "\n" * 8)),
    "name twice": (
        "a tensor's name twice",
        show('{"w":%s,"w":%s}' % (ONE, ONE), '{"w":%s,"\\u0077":%s}' % (ONE, ONE),
             '{"":{"dtype":"U8","shape":[9],"data_offsets":[5,7]},"":%s}' % ONE,
             data=1)),
    "metadata key twice": (
        "a key twice in __metadata__",
        show('{"__metadata__":{"k":"v","k":"v"},"a":%s}' % ONE,
             '{"__metadata__":{"k":"v","l":"","\\u006b":"w"},"a":%s}' % ONE,
             data=1)),
    "unknown field twice": (
        "an unknown field twice in a tensor",
        show(tensor(more=',"x":0,"x":0'), tensor(more=',"x":0,"y":1,"\\u0078":[]'))),
    "inside an unknown field": (
        "a key twice inside an unknown field",
        show(tensor(more=',"x":{"k":0,"k":1}'),
             tensor(more=',"x":[{"y":{"k":0,"l":0,"k":{}}}]'))),
    "by position": (
        'a tensor as ["F32", [2], [0, 8]]',
        show('{"a":["F32",[2,2],[0,16]]}', '{"a":["U8",[16],[0,16]]}')),
    "dtype as object": (
        'a dtype as {"F32": null}',
        show(tensor(dtype='{"F32":null}'), tensor(dtype='{"I32":null}'))),
    "large number": (
        "a number of 1e308 or more (only an unknown field can hold one)",
        show(*(tensor(more=',"x":' + x) for x in (
            "1e308", "-1e308", "1.7e308", "[12.5e307]", "1" + "0" * 308,
            "0.001e311")))),
    "large size": (
        "a dimension, or shape x dtype in bits, above 2^63 - 1 (only beside "
        "a 0 or in a file that cannot exist)",
        [one([0, 2**63]), one([2**64 - 1, 0]), one([2**62, 2, 0]),
         one([2**32, 2**31, 0], "F32"), one([0, 2**64 - 1], "U64")]),
    "rank": (
        "rank above ST_MAX_RANK",
        [one([1] * 65, size=1), one([1] * 1000, size=1), one([0] * 65)]),
    "long name": (
        "a name longer than ST_MAX_NAME bytes",
        show('{"%s":%s}' % ("n" * 65536, ONE), '{"%s":%s}' % ("é" * 32768, ONE),
             data=1)),
}


def cases():
    """(id, case) of every file that shows a difference."""
    for key, (_, files) in TABLE.items():
        for i, raw in enumerate(files):
            yield key, Case(f"difference: {key}, {i}", raw, "good")

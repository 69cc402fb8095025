# SPDX-License-Identifier: MIT
"""The spec language's arithmetic, slowly: one number, one row at a time.

In and out: Python floats, which are binary64, NaNs with all their bits. Written
from specs/README.md section 13 alone; each operation is one IEEE 754 operation,
the one rounding is in encode(). Invariant: nothing here raises for a value;
what overflows is infinite, what has no value is NAN."""
import math
import struct

FLOATS = {"F16": (11, -14), "BF16": (8, -126), "F32": (24, -126),
          "F64": (53, -1022)}  # bits of the significand, least normal exponent
CODES = {"F16": "e", "F32": "f", "F64": "d", "BOOL": "?", "U8": "B", "I8": "b",
         "U16": "H", "I16": "h", "U32": "I", "I32": "i", "U64": "Q", "I64": "q"}
BIG = float.fromhex("0x1.8p52")
QUIET = 1 << 51


def bits_of(x):
    return struct.unpack("<Q", struct.pack("<d", x))[0]


def from_bits(bits):
    return struct.unpack("<d", struct.pack("<Q", bits))[0]


NAN = from_bits(0x7FF8 << 48)


# --- storing ---

def rounded(x, dtype):
    """A binary64 as the nearest number of a float dtype, ties to even; infinite
    where that is too large. NaN and infinity stay."""
    if dtype == "F64" or x == 0 or not math.isfinite(x):
        return x
    bits, least = FLOATS[dtype]
    exponent = max(math.frexp(x)[1] - 1, least)
    step = math.ldexp(1.0, exponent - bits + 1)
    made = math.copysign(round(x / step) * step, x)  # exact but for round()
    largest = {"F16": 15, "BF16": 127, "F32": 127}[dtype]
    return made if math.frexp(made)[1] - 1 <= largest else math.copysign(math.inf, x)


def fits(x, dtype):
    """Whether a number may be stored: an integer in its range, a float that is
    finite there."""
    if dtype in FLOATS:
        return math.isfinite(rounded(x, dtype))
    if dtype == "BOOL":
        return x in (0, 1)
    bits, signed = int(dtype[1:]), dtype[0] == "I"
    return -(signed << bits - 1) <= x < 1 << bits - signed


def nan_code(x, exponents, fraction):
    """A NaN as an integer: sign, exponent of ones, quiet, top of the payload."""
    bits = bits_of(x) | QUIET
    sign = bits >> 63 << (exponents + fraction)
    top = (bits & (1 << 52) - 1) >> (52 - fraction)
    return sign | ((1 << exponents) - 1) << fraction | top


def encode_one(dtype, x):
    """One binary64 as the bytes of F16, BF16, F32 or F64."""
    size = {"F16": 2, "BF16": 2, "F32": 4, "F64": 8}[dtype]
    fraction = FLOATS[dtype][0] - 1
    if x != x:
        return nan_code(x, 8 * size - 1 - fraction, fraction).to_bytes(size, "little")
    x = rounded(x, dtype)
    return struct.pack("<f", x)[2:] if dtype == "BF16" else struct.pack("<" + CODES[dtype], x)


def upper_halves(raw):
    """Of each four bytes the last two."""
    out = bytearray(len(raw) // 2)
    out[0::2], out[1::2] = raw[2::4], raw[3::4]
    return bytes(out)


def encode(dtype, data):
    """The bytes of a tensor; floats are rounded here."""
    if dtype in FLOATS and not all(abs(x) < 60000 for x in data):
        return b"".join(encode_one(dtype, x) for x in data)
    if dtype == "BF16":
        data = [rounded(x, dtype) for x in data]
        return upper_halves(struct.pack(f"<{len(data)}f", *data))
    return struct.pack(f"<{len(data)}{CODES[dtype]}", *data)


def decode(dtype, raw):
    """The numbers of a tensor, exactly; NaNs are quiet and keep their payload."""
    if dtype == "BF16":
        raw = b"".join(b"\0\0" + raw[i:i + 2] for i in range(0, len(raw), 2))
        dtype = "F32"
    code = CODES[dtype]
    data = list(struct.unpack(f"<{len(raw) // struct.calcsize(code)}{code}", raw))
    if dtype != "F16":
        return data
    codes = struct.unpack(f"<{len(data)}H", raw)
    return [x if x == x else from_bits((c >> 15) << 63 | 0x7FF8 << 48 | (c & 1023) << 42)
            for x, c in zip(data, codes)]


# --- one operation ---

def settled(made, *operands):
    """Which NaN comes out: the first operand's, else the second's, else NAN."""
    if made == made:
        return made
    for x in operands:
        if x != x:
            return from_bits(bits_of(x) | QUIET)
    return NAN


def add(x, y):
    return settled(x + y, x, y)


def sub(x, y):
    return settled(x - y, x, y)


def mul(x, y):
    return settled(x * y, x, y)


def div(x, y):
    if y != 0:
        return settled(x / y, x, y)
    if x == 0 or x != x:
        return settled(NAN, x)
    return math.copysign(math.inf, x) * math.copysign(1.0, y)


def sqrt(x):
    return settled(math.sqrt(x) if x >= 0 else NAN, x)


def larger(x, q):
    """max(X, q); of the two zeros +0.0."""
    if x == q == 0:
        return 0.0 if math.copysign(1, x) + math.copysign(1, q) > -2 else -0.0
    return settled(x if x != x or x >= q else q, x)


def exp(x):
    """Section 13.7, operation by operation."""
    if x != x:
        return settled(x, x)
    a = max(x, -746.0)
    a = min(a, 710.0)
    k = (a * float.fromhex("0x1.71547652b82fep+0") + BIG) - BIG
    h = a - k * float.fromhex("0x1.62e42fefa3800p-1")
    low = k * float.fromhex("0x1.ef35793c76730p-45")
    r = h - low
    e = (h - r) - low
    p = 1 + r
    c = (r - (p - 1)) + e * p
    q = 1 / math.factorial(14)
    for n in range(13, 1, -1):
        q = q * r + 1 / math.factorial(n)
    y = p + ((r * r) * q + c)
    m = math.floor((k + 2048) / 2)
    return (y * 2.0 ** (m - 1024)) * 2.0 ** (k + 1024 - m)


# --- rows ---

def tree(row):
    """Section 13.5: the sum of the squares, or products, of a row; a NaN among
    them, or what makes one, gives NAN."""
    total = 0.0
    for at in range(0, len(row), 4096):
        lanes = [0.0] * 8
        for i, x in enumerate(row[at:at + 4096]):
            lanes[i % 8] += x
        total += (((lanes[0] + lanes[1]) + (lanes[2] + lanes[3]))
                  + ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7])))
    return settled(total)


def norm(row):
    return sqrt(tree([x * x for x in row]))


def dot(a, b):
    return tree([x * y for x, y in zip(a, b)])


class NoNorm(Exception):
    """E0601: a norm that is 0 or not finite; says at which kept index."""


def weight_normed(row, g, index=0):
    """v * (g / norm(v))"""
    size = norm(row)
    if size == 0 or not math.isfinite(size):
        raise NoNorm(index)
    factor = div(g, size)
    return [mul(x, factor) for x in row]


def l2_normalized(row, eps):
    """x / max(norm(x), eps)"""
    size = larger(norm(row), eps)
    return [div(x, size) for x in row]


def spectral_normed(w, rows, u, v):
    """W / (u' (M v)); w: the elements of M, row-major."""
    n = len(w) // rows if rows else 0
    sigma = dot(u, [dot(w[i * n:(i + 1) * n], v) for i in range(rows)])
    if sigma == 0 or not math.isfinite(sigma):
        raise NoNorm(0)
    return [div(x, sigma) for x in w]

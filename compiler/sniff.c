/* SPDX-License-Identifier: MIT
 *
 * sniff.c - magic numbers, and a few kinds that have none.
 *
 * In: at most SNIFF_SIZE bytes. Out: a row of a table. Invariant: nothing
 * behind first + n is read. A file that begins with a length and `{` is
 * nothing else, and kinds that two bytes or none tell (0x80 0x02 is a header of
 * 640 bytes, too) are not thought of where there is a length.
 */
#include "sniff.h"

#include "safetensors.h"
#include "size.h"
#include "str.h"

#define TEXT_ENOUGH 4 /* fewer bytes than this are not called a text */

struct magic {
    size_t at;
    struct str bytes;
    struct sniffed kind;
};

#define BYTES(literal)                                                         \
    {                                                                          \
        literal, sizeof literal - 1                                            \
    }

#define CONVERT "python3 fixtures/pth2safetensors.py FILE FILE.safetensors"

static const struct magic magics[] = {
    {2, /* a pickle of torch's magic number, protocol 2 or 3 */
     BYTES("\212\nl\374\234F\371 j\250P"),
     {"a PyTorch file of the format before zip", CONVERT}},
    {11, /* protocol 4 or 5 */
     BYTES("\212\nl\374\234F\371 j\250P"),
     {"a PyTorch file of the format before zip", CONVERT}},
    {0,
     BYTES("\211TTSB\r\n\032"),
     {"a .ttsb blob", "it is compiled already: `ttswc inspect` shows it"}},
    {8,
     BYTES("\211TTSZ\r\n\032"),
     {"a packed blob", "it is compiled already: `ttswc unpack` restores it"}},
    {0, BYTES("GGUF"), {"a GGUF file", "take the checkpoint it was made from"}},
    {0, BYTES("lmgg"), {"a GGML file", "take the checkpoint it was made from"}},
    {0,
     BYTES("version https://git-lfs"),
     {"a Git LFS pointer", "fetch it with `git lfs pull`"}},
    {0,
     BYTES("\223NUMPY"),
     {"a NumPy array (.npy)",
      "in Python: safetensors.numpy.save_file({\"NAME\": "
      "numpy.load(\"FILE\")}, \"FILE.safetensors\")"}},
    {0,
     BYTES("\211HDF\r\n\032\n"),
     {"an HDF5 file, as Keras writes it",
      "save its weights with safetensors.numpy.save_file in Python"}},
    {0, BYTES("\037\213\010"), {"a gzip archive", "unpack it: gunzip -k FILE"}},
    {0, BYTES("(\265/\375"), {"a zstd archive", "unpack it: zstd -d FILE"}},
    {0, BYTES("\3757zXZ\000"), {"an xz archive", "unpack it: xz -dk FILE"}},
    {0, BYTES("7z\274\257'\034"), {"a 7z archive", "unpack it: 7z x FILE"}},
    {4, BYTES("1AY&SY"), {"a bzip2 archive", "unpack it: bzip2 -dk FILE"}},
    {257, BYTES("ustar"), {"a tar archive", "unpack it: tar xf FILE"}},
};

static bool has(struct str file, size_t at, struct str bytes)
{
    return file.n >= at && str_begins(str_cut(file, at, file.n), bytes);
}

static bool contains(struct str file, const char *text)
{
    struct str wanted = str_c(text);
    for (size_t at = 0; at < file.n; at++)
        if (has(file, at, wanted))
            return true;
    return false;
}

/* Whether the file begins with the length of a header. */
static bool has_length(const uint8_t *first, size_t n)
{
    return n >= ST_LENGTH_SIZE && load_u64(first) <= ST_MAX_HEADER;
}

bool sniff_is_safetensors(const uint8_t *first, size_t n)
{
    return has_length(first, n) && n > ST_LENGTH_SIZE &&
           first[ST_LENGTH_SIZE] == '{';
}

/* --- zip --- */

#define ZIP_NAME_LENGTH 26
#define ZIP_NAME 30

/* The name of a zip archive's first file, as far as it is there. */
static struct str zip_name(struct str file)
{
    size_t n;
    if (file.n < ZIP_NAME)
        return str_cut(file, file.n, file.n);
    n = load_u16((const uint8_t *)file.p + ZIP_NAME_LENGTH);
    return str_cut(file, ZIP_NAME,
                   n < file.n - ZIP_NAME ? ZIP_NAME + n : file.n);
}

/* Whether torch.save has a file of this name in its archives, in a folder
 * whose name is free. */
static bool is_torch_member(struct str name)
{
    static const char *const members[] = {
        "data.pkl", "data/",     ".data/",          "constants.pkl",
        "code/",    "byteorder", ".format_version", ".storage_alignment",
        "version"};
    const char *slash = name.n == 0 ? NULL : memchr(name.p, '/', name.n);
    struct str rest;
    if (slash == NULL)
        return false;
    rest = str_cut(name, (size_t)(slash - name.p) + 1, name.n);
    for (size_t i = 0; i < sizeof members / sizeof *members; i++)
        if (str_begins(rest, str_c(members[i])))
            return true;
    return false;
}

static bool is_zip(struct str file, struct sniffed *out)
{
    struct str name;
    if (!has(file, 0, (struct str)BYTES("PK\003\004")))
        return false;
    name = zip_name(file);
    if (is_torch_member(name))
        *out = (struct sniffed){"a PyTorch file", CONVERT};
    else if (str_ends(name, ".npy"))
        *out = (struct sniffed){"a NumPy archive (.npz)",
                                "in Python: safetensors.numpy.save_file(dict("
                                "numpy.load(\"FILE\")), \"FILE.safetensors\")"};
    else
        *out = (struct sniffed){"a zip archive", "unpack it: unzip FILE"};
    return true;
}

/* --- kinds without a magic number --- */

/* Protocols 2 to 5 say so in two bytes. */
static bool is_pickle(struct str file, struct sniffed *out)
{
    if (file.n < 2 || (unsigned char)file.p[0] != 0x80 || file.p[1] < 2 ||
        file.p[1] > 5)
        return false;
    *out = (struct sniffed){
        "a Python pickle, and not by torch.save",
        "in Python, if you trust it (a pickle is a program): save its tensors "
        "with safetensors.torch.save_file"};
    return true;
}

/* UTF-8 without control characters; the last character may be cut. */
static bool is_text(struct str s)
{
    size_t k;
    for (size_t i = 0; i < s.n; i += k) {
        unsigned char c = (unsigned char)s.p[i];
        k = utf8_length(s.p + i, s.n - i);
        if (k == 0)
            return c >= 0xc0 && s.n - i < 4;
        if ((c < 0x20 && memchr("\t\n\f\r", c, 4) == NULL) || c == 0x7f)
            return false;
    }
    return true;
}

/* ModelProto: ir_version, then producer_name, then the next field's tag. */
static bool is_onnx(struct str file, struct sniffed *out)
{
    const uint8_t *p = (const uint8_t *)file.p;
    size_t n;
    if (file.n < 5 || p[0] != 0x08 || p[1] == 0 || p[1] > 0x20 || p[2] != 0x12)
        return false;
    n = p[3];
    if (n == 0 || n > 64 || file.n < 5 + n ||
        !is_text(str_cut(file, 4, 4 + n)) || (p[4 + n] & 7) > 2)
        return false;
    *out = (struct sniffed){"an ONNX model",
                            "take the checkpoint it was exported from"};
    return true;
}

/* What a server may send instead of a file, and other texts. */
static bool is_message(struct str file, struct sniffed *out)
{
    size_t at = has(file, 0, (struct str)BYTES("\357\273\277")) ? 3 : 0;
    while (at < file.n && memchr(" \t\r\n", file.p[at], 4) != NULL)
        at++;
    if (has(file, at, str_c("<?xml")))
        *out = (struct sniffed){"an XML text (a server's error message)",
                                "read it, then download the file again"};
    else if (has(file, at, str_c("<")))
        *out = (struct sniffed){
            "an HTML page (an error, a login or terms to accept)",
            "open it in a browser, then download the file again"};
    else if (file.n < TEXT_ENOUGH || !is_text(file))
        return false;
    else if (!has(file, at, str_c("{")) && !has(file, at, str_c("[")))
        *out = (struct sniffed){"a text (perhaps a server's message)",
                                "read it, then download the file again"};
    else if (contains(file, "\"error\"") || contains(file, "\"message\"") ||
             contains(file, "\"detail\""))
        *out = (struct sniffed){"a JSON text (a server's error message)",
                                "read it, then download the file again"};
    else
        *out = (struct sniffed){"a JSON text (a configuration or an index)",
                                "give the .safetensors file beside it"};
    return true;
}

/* Room that a download reserved and never filled. */
static bool is_zeros(struct str file, struct sniffed *out)
{
    if (file.n < SNIFF_SIZE)
        return false;
    for (size_t i = 0; i < file.n; i++)
        if (file.p[i] != 0)
            return false;
    *out = (struct sniffed){"a file that begins with nothing but zeros",
                            "the download was broken off: download it again"};
    return true;
}

bool sniff(const uint8_t *first, size_t n, struct sniffed *out)
{
    struct str file = {(const char *)first, n < SNIFF_SIZE ? n : SNIFF_SIZE};
    if (sniff_is_safetensors(first, n))
        return false;
    for (size_t i = 0; i < sizeof magics / sizeof *magics; i++)
        if (has(file, magics[i].at, magics[i].bytes)) {
            *out = magics[i].kind;
            return true;
        }
    if (is_zip(file, out) || is_zeros(file, out))
        return true;
    return !has_length(first, n) &&
           (is_pickle(file, out) || is_onnx(file, out) ||
            is_message(file, out));
}

#!/usr/bin/env python3
"""The generated header of an irregular model: first layers that differ, holes,
arrays in arrays, arrays of tensors, sizes and ranks that differ. Each constant
is held to what the blob says, in C11 and C++17; each pointer to the bytes.

Arguments: a C compiler, libttsb.a."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

CC = sys.argv[1] if len(sys.argv) > 2 else "cc"
LIBTTSB = sys.argv[2] if len(sys.argv) > 2 else str(ck.ROOT / "build/libttsb.a")
CXX = "clang++" if "clang" in pathlib.Path(CC).name else "g++"
WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Wshadow", "-Wconversion",
            "-Wcast-align", "-Wcast-qual", "-Wundef", "-Werror"]
SANITIZE = ["-fsanitize=address,undefined"] if b"__asan_" in \
    pathlib.Path(LIBTTSB).read_bytes() else []
UP, LOW = "ODD_ONE_2", "odd_one_2"

# Group, target, type, the member and the macros' path, the array's indices.
TENSORS = [
    ("body", "blk.0.w", "[out=2, in=3]", "blk._0.w", "BLK_0_W", ()),
    ("body", "blk.0.more", "[out=2]", "blk._0.more", "BLK_0_MORE", ()),
    ("body", "blk.1.w", "[out=2, in=3]", "blk._1.w", "BLK_1_W", ()),
    ("body", "blk.2.w", "[out=2, in=3]", "blk._2.w", "BLK_2_W", ()),
    ("body", "mid.x", "[k=3]", "mid.x", "MID_X", ()),
    ("body", "between", "[1, k=5]", "between", "BETWEEN", ()),
    ("body", "mid.y", "[]", "mid.y", "MID_Y", ()),
    # Two structs that share a PATH, as in Kokoro: neither has a tag.
    ("body", "bert.enc.w", "[k=2]", "bert.enc.w", "BERT_ENC_W", ()),
    ("body", "bert_enc.v", "[k=2]", "bert_enc.v", "BERT_ENC_V", ()),
    ("body", "tap.2", "[k=70]", "tap._2", "TAP_2", ()),
    ("body", "tap.5", "[k=70]", "tap._5", "TAP_5", ()),
    ("body", "x.0", "[out=4, k=2]", "x[0]", "X", (0,)),
    ("body", "x.1", "[out=4, k=2]", "x[1]", "X", (1,)),
    ("body", "x.2", "[out=4, k=2]", "x[2]", "X", (2,)),
    *[("body", f"grid.{i}.{j}", f"[n={i + 1}, k=3]", f"grid[{i}][{j}]", "GRID", (i, j))
      for i in range(2) for j in range(3)],
    *[("body", f"up.{i}.res.{j}.w", f"[out={c}, in=40, k={k}]",
       f"up[{i}].res[{j}].w", "UP_RES_W", (i, j))
      for i, c in enumerate((8, 4, 2, 2)) for j, k in enumerate((3, 7, 11))],
    ("body", "rank.0.v", "[out=4]", "rank[0].v", "RANK_V", (0,)),
    ("body", "rank.1.v", "[out=2, in=2]", "rank[1].v", "RANK_V", (1,)),
    ("body", "mix.0", "[k=2]", "mix._0", "MIX_0", ()),
    ("body", "mix.1", "[k=2] as bf16", "mix._1", "MIX_1", ()),
    ("body", "opt.0", "[k=2] optional", "opt[0]", "OPT", (0,)),
    ("body", "opt.1", "[k=2] optional", "opt[1]", "OPT", (1,)),
    ("none", "z", "[n=0, k=4]", "z", "Z", ()),
    ("Table", "tok.weight", "[n=5, in=3]", "tok.weight", "TOK_WEIGHT", ()),
    ("Table", "same.weight", "alias(tok.weight)", "same.weight", "SAME_WEIGHT", ()),
]
ABSENT = "opt.1"

HEAD = """ttsw: 1
model: odd.one-2
revision: 7
source_dtype: f32
store: f32
layout: [n, out, in, k]
groups:
  - {name: body, place: device}
  - {name: none, place: device}
  - {name: Table, place: host}
map:
"""

ENGINE = r"""
#include "odd_header.h"
#include <stdio.h>
static int bad = 0;
static void check(const struct ttsb_blob *blob, const char *name,
                  const void *pointer, const int64_t *facts)
{
    struct ttsb_tensor t;
    int64_t has[22];
    uint32_t i;
    int64_t stride = 1;
    t.struct_size = (uint32_t)sizeof t;
    ttsb_find(blob, name, &t, NULL);
    has[0] = t.dtype; has[1] = t.rank; has[2] = t.group;
    has[3] = (int64_t)t.size; has[4] = t.index; has[5] = (int64_t)t.group_offset;
    for (i = 0; i < 8; i++)
        has[6 + i] = (int64_t)t.dims[i];
    for (i = 8; i-- > 0;) {
        has[14 + i] = i < t.rank ? stride : 0;
        stride *= i < t.rank ? (int64_t)t.dims[i] : 1;
    }
    for (i = 0; i < 22; i++)
        if (has[i] != facts[i]) {
            printf("%s fact %d: %ld, header %ld\n", name, (int)i, (long)has[i],
                   (long)facts[i]);
            bad = 1;
        }
    if (pointer != t.data && !(t.size == 0 && pointer == NULL)) {
        printf("%s: %p, header %p\n", name, t.data, pointer);
        bad = 1;
    }
}
int main(int argc, char **argv)
{
    struct ttsb_open_options options;
    struct ttsb_error error;
    struct ttsb_blob *blob;
    struct odd_one_2_weights w;
    const void *bases[ODD_ONE_2_GROUP_COUNT];
    int32_t status;
    memset(&options, 0, sizeof options);
    options.struct_size = (uint32_t)sizeof options;
    options.flags = argc > 2 ? TTSB_OPEN_PARTIAL : 0;
    error.struct_size = (uint32_t)sizeof error;
    memset(&w, 0xee, sizeof w);
    status = ttsb_open(argv[1], &options, &blob, &error);
    if (status != TTSB_OK) {
        printf("%s\n", error.text);
        return 1;
    }
    ttsb_host_bases(blob, bases, ODD_ONE_2_GROUP_COUNT);
    status = odd_one_2_bind(blob, bases, &w);
    if (status != TTSB_OK) {
        printf("%s %d %s\n", ttsb_status_name(status),
               odd_one_2_require(blob, &error) == error.status, error.text);
        ttsb_close(blob);
        return 1;
    }
CHECKS
    bases[ODD_ONE_2_GROUP_TABLE] = NULL;
    status = odd_one_2_bind(blob, bases, &w);
    if (status != TTSB_OK || w.tok.weight != NULL || w.same.weight != NULL ||
        w.blk._1.w == NULL || w.z != NULL)
        bad = 1;
    if (odd_one_2_bind(NULL, bases, &w) != TTSB_BAD_ARGUMENT ||
        odd_one_2_bind(blob, NULL, &w) != TTSB_BAD_ARGUMENT ||
        odd_one_2_bind(blob, bases, NULL) != TTSB_BAD_ARGUMENT)
        bad = 1;
    ttsb_close(blob);
    puts(bad ? "bad" : "good");
    return bad;
}
"""


def spec_text(tensors):
    text, now = HEAD, None
    for group, target, kind, *_ in tensors:
        if group != now:
            text += f"  - group: {group}\n    tensors:\n"
            now = group
        value = kind if kind.startswith("alias") else f"{target} {kind}"
        text += f"      {target}: {value}\n"
    return text


def checkpoint(tensors, lacking=()):
    given = {}
    for n, (_, target, kind, *_) in enumerate(tensors):
        sizes = [int(s) for s in re.findall(r"\d+", kind.split("]")[0])]
        if kind.startswith("alias") or target in lacking:
            continue
        count = 1
        for size in sizes:
            count *= size
        given[target] = ("F32", sizes, bytes([0, 0, n, 63]) * count)
    return given


class Shapes(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.write("spec.yaml", TENSORS)
        ck.ttswc("header", self.dir / "spec.yaml", "-o", self.dir / "odd_header.h")
        self.header = (self.dir / "odd_header.h").read_text()

    def write(self, name, tensors):
        (self.dir / name).write_text(spec_text(tensors))
        return self.dir / name

    def blob(self, *flags, spec="spec.yaml", lacking=(ABSENT,), tensors=TENSORS):
        ck.write(self.dir / "all.safetensors", checkpoint(tensors, lacking))
        ck.ttswc("compile", "-q", *flags, self.dir / spec,
                 self.dir / "all.safetensors", "-o", self.dir / "odd.ttsb")

    def macro(self, path, word, indices):
        """The macro as an engine would write it; "0" for one beyond all ranks."""
        name = f"{UP}_{path}_{word}"
        if f"#define {name}(" in self.header:
            return f"{name}({', '.join(map(str, indices))})"
        return name if f"#define {name} " in self.header else "0"

    def facts(self, path, indices):
        words = ["DTYPE", "RANK", "GROUP", "SIZE", "INDEX", "OFFSET"]
        words += [f"DIM{i}" for i in range(8)] + [f"STRIDE{i}" for i in range(8)]
        return [self.macro(path, word, indices) for word in words]

    def engine(self):
        """Each constant in #if, in a static initializer and in an array size."""
        top, body = "", ""
        for n, (_, target, _, member, path, indices) in enumerate(TENSORS):
            facts = self.facts(path, indices)
            self.assertNotEqual(facts[0], "0", target)
            top += f"static const int64_t facts_{n}[] = {{{', '.join(facts)}}};\n"
            top += f"extern char sized_{n}[{facts[1]} + 1];\n"
            top += "".join(f"#if {f} < 0\n#error\n#endif\n" for f in facts)
            body += f'    check(blob, "{target}", w.{member}, facts_{n});\n'
        return ENGINE.replace("static int bad", top + "static int bad") \
                     .replace("CHECKS", body)

    def build(self, compiler, text, *flags):
        source = self.dir / ("engine.cc" if "++" in compiler else "engine.c")
        source.write_text(text)
        # ttsb.h as it is once it is installed, a header of the system: to
        # g++ -Wshadow its function ttsb_info hides a constructor.
        done = subprocess.run(
            [compiler, *flags, *WARNINGS, "-isystem", ck.ROOT / "runtime",
             f"-I{self.dir}", source, "-o", self.dir / "engine", LIBTTSB,
             "-lpthread", *SANITIZE], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def run_engine(self, *args):
        done = subprocess.run([self.dir / "engine", self.dir / "odd.ttsb", *args],
                              capture_output=True, text=True)
        self.assertEqual(done.stderr, "")
        return done.stdout

    def test_every_constant_is_the_blobs(self):
        self.blob()
        for compiler, standard in ((CC, "c11"), (CXX, "c++17")):
            with self.subTest(compiler):
                self.build(compiler, self.engine(), f"-std={standard}")
                self.assertEqual(self.run_engine(), "good\n")

    def test_a_missing_tensor_is_null(self):
        self.build(CC, self.engine(), "-std=c11")
        for lacking in ("mid.y", "x.1", "grid.1.2", "tok.weight", "opt.0"):
            flags = [] if lacking.startswith("opt") else ["--allow-partial-weights"]
            self.blob(*flags, lacking=(ABSENT, lacking))
            self.assertEqual(self.run_engine("partial"), "good\n", lacking)

    def test_axes_are_enumerators(self):
        text = self.engine().replace("CHECKS", "")
        for path, axis, place in (("UP_RES_W", "OUT", 0), ("UP_RES_W", "K", 2),
                                  ("TOK_WEIGHT", "IN", 1), ("X", "K", 1)):
            text += f"TTSB_STATIC_ASSERT({UP}_{path}_AXIS_{axis} == {place}, \"\");\n"
        text += f"TTSB_STATIC_ASSERT({UP}_GRID_COUNT == 2 && {UP}_GRID_COUNT1 == 3 &&" \
                f" {UP}_UP_COUNT == 4 && {UP}_UP_RES_COUNT == 3, \"\");\n"
        text += f"TTSB_STATIC_ASSERT({UP}_GROUP_TABLE == 2 && {UP}_GROUP_NONE_SIZE == 0" \
                f" && {UP}_GROUP_TABLE_PLACE == TTSB_PLACE_HOST, \"\");\n"
        self.build(CC, text, "-std=c11")
        self.assertNotIn("AXIS_OUT", self.header.split("/* rank[i].v")[1]
                         .split("/* mix")[0])      # its axes differ

    def test_a_copied_id_does_not_bind(self):
        """An id stands in a blob like any number, and another spec's blob may
        claim it: smaller groups would send the pointers out of the mapping."""
        fewer = [t for t in TENSORS if not t[1].startswith("up.")] + [
            ("Table", f"fill.{i}", "[k=1]", "", "", ()) for i in range(12)]
        larger = [(*t[:2], "[n=50000, in=3]", *t[3:]) if t[1] == "tok.weight" else t
                  for t in TENSORS]
        for tensors in (fewer[:-1], larger):
            other = self.write("other.yaml", tensors)
            ck.ttswc("header", other, "-o", self.dir / "other.h")
            own, copied = (re.search(r"CONTRACT_ID \\\n.*\\\n.*}", text)[0] for text in
                           (self.header, (self.dir / "other.h").read_text()))
            (self.dir / "odd_header.h").write_text(self.header.replace(own, copied))
            self.build(CC, self.engine(), "-std=c11")
            self.blob(spec="other.yaml", tensors=tensors)
            self.assertEqual(self.run_engine(), "TTSB_WRONG_CONTRACT 1 the blob has "
                             "the engine's contract id, but not its groups\n")

    def test_parts_can_be_passed_on(self):
        """A struct in an array has a name, in C++ within the struct around it."""
        call = "static const float *first(const struct {0} *r)\n" \
               "{{\n    return r->w;\n}}\n"
        for compiler, name in ((CC, f"{LOW}_weights_up_res"),
                               (CXX, "::".join(f"{LOW}_weights{x}"
                                               for x in ("", "_up", "_up_res")))):
            text = '#include "odd_header.h"\n' + call.format(name) + \
                f"int main(void)\n{{\n    static struct {LOW}_weights w;\n" \
                "    return first(&w.up[1].res[2]) != NULL;\n}\n"
            # An engine in C++ may forbid old casts, and include the header.
            self.build(compiler, text.replace("struct odd_one_2_weights::",
                                              "odd_one_2_weights::"),
                       *(["-Wold-style-cast"] if "++" in compiler else []))


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    assert shutil.which(CXX), "tests/install.sh test"
    unittest.main(argv=sys.argv[:1])

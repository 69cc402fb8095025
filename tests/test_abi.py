#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What programs that were built against libttsb rely on, against the record
runtime/abi-1.txt: symbols with their versions, prototypes, structs with every
member, enumerators, macros. What is there is taken from the headers and the
library, so that nothing can be added without a line in the record.

Arguments: a C compiler, libttsb.so. With --update, additions are recorded; a
line that changed or vanished is refused until the SONAME's major changes."""
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime"
UPDATE = "--update" in sys.argv
ARGS = [a for a in sys.argv[1:] if a != "--update"]
CC = ARGS[0] if len(ARGS) > 1 else "cc"
LIBRARY = pathlib.Path(ARGS[1] if len(ARGS) > 1 else ROOT / "build/libttsb.so")
# ttsb_cuda.h's functions lie in a static library; it shares this record.
HEADERS = ["ttsb.h", "ttsb_types.h", "ttsb_use.h", "ttsb_dlpack.h", "ttsb_cuda.h"]
# What counts or collects others, and so grows with them.
GROWS = {"enum ttsb_dtype.TTSB_DTYPE_COUNT", "macro TTSB_RECORD_FLAGS"}
# These change with each release and are held to the SONAME instead.
VERSIONS = re.compile(r"TTSB_VERSION(_MAJOR|_MINOR|_PATCH)?$")


def squeeze(text):
    return re.sub(r"\s*([*(),\[\]])\s*", r"\1", re.sub(r"\s+", " ", text)).strip()


def without_comments(text):
    return re.sub(r"/\*.*?\*/|//[^\n]*", " ", text, flags=re.S)


def parameter(text):
    """`const char *path` is `const char*`; `uint8_t digest[16]` is `uint8_t[16]`."""
    text = squeeze(text)
    return text if text == "void" else \
        squeeze(re.sub(r"\b(?!const\b)\w+((?:\[\w*\])*)$", r"\1", text))


def members(body):
    """The names, and the type as it is written, of a struct's members."""
    for declaration in filter(None, map(squeeze, body.split(";"))):
        pointer = re.match(r"(.*)\(\*(\w+)\)(\(.*\))$", declaration)
        if pointer:
            arguments = ",".join(map(parameter, pointer[3][1:-1].split(",")))
            yield pointer[2], f"{pointer[1]}(*)({arguments})"
            continue
        kind, _, first = re.match(r"(.*?)(\s|(?<=\*))(\w+(?:\[\w*\])?(?:,.*)?)$",
                                  declaration).groups()
        for one in first.split(","):
            name, array = re.match(r"(\w+)(.*)$", one).groups()
            yield name, f"{kind}{array}"


class Header:
    """The names that a header defines; `facts` are those that need no compiler."""

    def __init__(self, text):
        text = without_comments(text).replace("\\\n", " ")
        self.structs = {name: list(members(body)) for name, body in
                        re.findall(r"\bstruct (\w+)\s*\{(.*?)\}\s*;", text, re.S)}
        self.enums = {name: re.findall(r"(\w+)\s*(?:=[^,]*)?(?:,|$)", body.strip())
                      for name, body in
                      re.findall(r"\benum (\w+)\s*\{(.*?)\}\s*;", text, re.S)}
        self.exported, self.facts, self.values = set(), {}, []
        code = re.sub(r"^\s*#.*$", "", text, flags=re.M)
        for api, result, name, arguments in re.findall(
                r"(TTSB_API|static inline)\s+([\w\s*]+?)\b(\w+)\(([^()]*)\)\s*[;{]",
                code):
            arguments = ",".join(map(parameter, arguments.split(",")))
            kind = "function" if api == "TTSB_API" else "inline"
            self.facts[f"{kind} {name}"] = f"{squeeze(result)}({arguments})"
            if kind == "function":
                self.exported.add(name)
        # Each declaration was understood, or the record would lack it.
        assert len(re.findall(r"\bTTSB_API\b", code)) == len(self.exported), \
            f"{len(self.exported)} functions were read"
        for name, arguments, value in re.findall(
                r"^\s*#\s*define (\w+)(\([^)]*\))?[ \t]*(.*)$", text, re.M):
            if arguments or value.startswith("__attribute__"):
                self.facts[f"macro {name}{squeeze(arguments)}"] = \
                    squeeze(value) if not arguments else "a macro"
            elif value and not VERSIONS.match(name):
                self.values.append(name)


def program(headers):
    """C that prints one line for each fact that only a compiler knows."""
    lines = ["#include <stdio.h>", "#include <string.h>",
             *(f'#include "{name}"' for name in headers),
             "#define SIZE(t, m) sizeof(((struct t *)0)->m)",
             "int main(void)", "{"]
    for header in headers.values():
        for name, fields in header.structs.items():
            lines.append(f'printf("struct {name} = size %zu, align %zu\\n", '
                         f"sizeof(struct {name}), _Alignof(struct {name}));")
            lines += [f'printf("member {name}.{field} = offset %zu, size %zu, {kind}\\n",'
                      f" offsetof(struct {name}, {field}), SIZE({name}, {field}));"
                      for field, kind in fields]
        for name, constants in header.enums.items():
            lines += [f'printf("enum {name}.{one} = %lld\\n", (long long){one});'
                      for one in constants]
        lines += [f'printf("macro {one} = %lld\\n", (long long){one});'
                  for one in header.values]
    return "\n".join([*lines, "return 0;", "}"])


def run(*command):
    return subprocess.run([str(c) for c in command], check=True, text=True,
                          capture_output=True).stdout


def headers_facts(folder):
    """(facts, exported names) of the headers in the folder."""
    headers = {name: Header((folder / name).read_text()) for name in HEADERS}
    facts = {}
    for header in headers.values():
        facts.update(header.facts)
    with tempfile.TemporaryDirectory() as holder:
        source, binary = (pathlib.Path(holder) / name for name in ("abi.c", "abi"))
        source.write_text(program(headers))
        run(CC, "-std=c11", "-Wall", "-Wextra", "-Werror", f"-I{folder}", source,
            "-o", binary)
        facts.update(line.split(" = ", 1) for line in run(binary).splitlines())
    return facts, set().union(*(h.exported for n, h in headers.items()
                                if n != "ttsb_cuda.h"))


def symbols(library):
    """{name: version} of what the library exports."""
    found = {}
    for line in run("nm", "-D", "--defined-only", "--with-symbol-versions",
                    library).splitlines():
        _, kind, name = line.split()
        name, _, version = name.partition("@")
        if kind != "A":  # a version's own name
            found[name] = version.lstrip("@") or "no version"
    return found


def soname(library):
    return re.search(r"SONAME.*\[(.*)\]", run("readelf", "-d", library))[1]


def now(folder=RUNTIME, library=LIBRARY):
    facts, _ = headers_facts(folder)
    facts.update((f"symbol {n}", v) for n, v in symbols(library).items())
    return {"soname libttsb": soname(library), **facts}


def version():
    """(major, minor, patch) of ttsb.h."""
    text = (RUNTIME / "ttsb.h").read_text()
    return tuple(int(re.search(rf"#define TTSB_VERSION_{part} (\d+)", text)[1])
                 for part in ("MAJOR", "MINOR", "PATCH"))


def at_least(kind, fact):
    return int(re.search(rf"{kind} (\d+)", fact)[1])


def may_grow(key, old, new, record, facts):
    """Whether the other value is one that a minor version may have."""
    if key in GROWS:
        return int(new) > int(old)
    kind, name = key.split(" ", 1)
    # Only where the caller says how much of the struct it has.
    return kind == "struct" and f"member {name}.struct_size" in record and \
        at_least("size", new) > at_least("size", old) and \
        old.split(", ")[1] == new.split(", ")[1] and \
        all(at_least("offset", fact) >= at_least("size", old)
            for k, fact in facts.items()
            if k.startswith(f"member {name}.") and k not in record)


def judge(record, facts, release):
    """(what breaks programs, what is only not recorded)."""
    if record.get("soname libttsb") != facts["soname libttsb"]:
        return [], [f"{key} = {value}" for key, value in facts.items()]
    broken, added = [], []
    for key, old in record.items():
        new = facts.get(key, "gone")
        if new == old:
            continue
        if new != "gone" and may_grow(key, old, new, record, facts):
            added.append(f"{key} = {new}")
        else:
            broken.append(f"{key}: was `{old}`, is `{new}`")
    node = f"TTSB_{release[0]}.{release[1]}"
    for key, new in facts.items():
        if key in record:
            continue
        owner = key[len("member "):].split(".")[0]
        if key.startswith("member ") and f"struct {owner}" in record and \
                facts[f"struct {owner}"] == record[f"struct {owner}"]:
            broken.append(f"{key}: new, inside of what old programs pass")
        elif key.startswith("symbol ") and new != node:
            broken.append(f"{key}: new, and in {new} instead of {node}")
        else:
            added.append(f"{key} = {new}")
    return broken, added


def record_path(facts):
    return RUNTIME / f"abi-{facts['soname libttsb'].rpartition('.')[2]}.txt"


HEAD = """\
# SPDX-License-Identifier: MIT
# What programs that were built against libttsb rely on; kept by
# tests/test_abi.py, which says how a line may change. A line that was in no
# release may be deleted by hand.
"""


def read_record(path):
    lines = path.read_text().splitlines() if path.exists() else []
    return dict(line.split(" = ", 1) for line in lines if not line.startswith("#"))


def write_record(path, facts):
    path.write_text(HEAD + "".join(f"{k} = {v}\n" for k, v in sorted(facts.items())))


class Recorded(unittest.TestCase):
    def test_nothing_but_what_is_recorded(self):
        facts = now()
        broken, added = judge(read_record(record_path(facts)), facts, version())
        self.assertEqual(broken, [], "programs that exist would break: see "
                         "runtime/README.md")
        self.assertEqual(added, [], "record it: tests/test_abi.py CC libttsb.so --update")

    def test_exported_is_what_the_headers_declare(self):
        _, declared = headers_facts(RUNTIME)
        found = symbols(LIBRARY)
        self.assertEqual(set(found), declared)
        for name, node in found.items():
            self.assertRegex(node, r"^TTSB_\d+\.\d+$", name)
            self.assertLessEqual(tuple(map(int, node[5:].split("."))), version()[:2])

    def test_versions_agree(self):
        major, minor, patch = version()
        text = f"{major}.{minor}.{patch}"
        self.assertIn(f'#define TTSB_VERSION "{text}"\n',
                      (RUNTIME / "ttsb.h").read_text())
        self.assertEqual(soname(LIBRARY), f"libttsb.so.{major}")
        self.assertEqual(LIBRARY.resolve().name, f"libttsb.so.{text}")


class Judge(unittest.TestCase):
    """The test itself: what it lets pass, and what not."""
    BASE = {"soname libttsb": "libttsb.so.1", "symbol f": "TTSB_1.0",
            "enum e.A": "1", "enum ttsb_dtype.TTSB_DTYPE_COUNT": "23",
            "struct s": "size 16, align 8",
            "member s.struct_size": "offset 0, size 4, uint32_t",
            "member s.a": "offset 8, size 4, uint32_t",
            "struct t": "size 8, align 8", "member t.a": "offset 0, size 8, uint64_t"}
    GROWN = {"struct s": "size 24, align 8"}
    # What changes (None: it goes): (breaks, is added).
    CASES = [
        ({}, 0, 0),
        ({"symbol f": None}, 1, 0),
        ({"symbol f": "TTSB_1.1"}, 1, 0),
        ({"symbol g": "TTSB_1.1"}, 0, 1),
        ({"symbol g": "TTSB_1.0"}, 1, 0),
        ({"symbol g": "no version"}, 1, 0),
        ({"enum e.A": "2"}, 1, 0),
        ({"enum e.B": "2"}, 0, 1),
        ({"enum ttsb_dtype.TTSB_DTYPE_COUNT": "24"}, 0, 1),
        ({"enum ttsb_dtype.TTSB_DTYPE_COUNT": "22"}, 1, 0),
        ({**GROWN, "member s.b": "offset 16, size 8, uint64_t"}, 0, 2),
        ({**GROWN, "member s.b": "offset 12, size 8, uint64_t"}, 1, 1),
        ({"member s.b": "offset 12, size 4, uint32_t"}, 1, 0),
        ({"struct s": "size 8, align 8"}, 1, 0),
        ({"member s.a": "offset 4, size 4, uint32_t"}, 1, 0),
        ({"member s.a": "offset 8, size 4, int32_t"}, 1, 0),
        ({"struct t": "size 16, align 8",
          "member t.b": "offset 8, size 8, uint64_t"}, 1, 1),
        ({"struct u": "size 4, align 4", "member u.a": "offset 0, size 4, int"}, 0, 2),
        ({"soname libttsb": "libttsb.so.2", "symbol f": None}, 0, 8),
    ]

    def test_cases(self):
        for change, breaks, adds in self.CASES:
            with self.subTest(change):
                facts = {k: v for k, v in {**self.BASE, **change}.items()
                         if v is not None}
                broken, added = judge(self.BASE, facts, (1, 1, 0))
                self.assertEqual((len(broken), len(added)), (breaks, adds),
                                 broken + added)


class Reads(unittest.TestCase):
    """Whatever is written into a header becomes a fact."""
    # Where: (text of a header, what is put before it).
    CASES = [
        ("struct ttsb_string {", "struct ttsb_new {\n    int32_t x, y[2];\n"
         "    int (*call)(void *user);\n};\n",
         {"struct ttsb_new", "member ttsb_new.x", "member ttsb_new.y",
          "member ttsb_new.call"}),
        ("TTSB_BUG = 99", "TTSB_NEW = 98,\n    ", {"enum ttsb_status.TTSB_NEW"}),
        ("#define TTSB_MAX_THREADS", "#define TTSB_NEW UINT32_C(4)\n",
         {"macro TTSB_NEW"}),
        ("TTSB_API const char *ttsb_version",
         "TTSB_API int32_t ttsb_new(const void *const *a,\n    uint64_t b[2]);\n",
         {"function ttsb_new"}),
        ("    void *user;\n};", "    uint64_t last;\n", {"member ttsb_progress.last"}),
    ]

    def test_cases(self):
        before, _ = headers_facts(RUNTIME)
        text = (RUNTIME / "ttsb.h").read_text()
        for place, put, expected in self.CASES:
            with self.subTest(put), tempfile.TemporaryDirectory() as holder:
                for name in HEADERS:
                    (pathlib.Path(holder) / name).write_text(
                        (RUNTIME / name).read_text())
                self.assertEqual(text.count(place), 1, place)
                (pathlib.Path(holder) / "ttsb.h").write_text(
                    text.replace(place, put + place))
                facts, _ = headers_facts(pathlib.Path(holder))
                self.assertEqual(set(facts) - set(before), expected)


def update():
    facts = now()
    path = record_path(facts)
    broken, added = judge(read_record(path), facts, version())
    if broken:
        print("refused; these need another SONAME:", *broken, sep="\n  ")
        return 1
    print(*added, sep="\n")
    write_record(path, facts)
    return 0


if __name__ == "__main__":
    sys.exit(update() if UPDATE else unittest.main(argv=sys.argv[:1]))

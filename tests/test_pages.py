#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The pages of `ttswc explain`: one for each id, and what they show is so.

A page's wrong example is written into an empty folder and its commands are run:
they must raise the page's id and no other but those named there, and the first line must be the one in
the page. The right example is run in the same way and must pass with nothing
found. A page that cannot be run says why ("Not run by the tests: ..."). With
--update the first lines are written into the pages, and a page that said "this
version does not raise it yet" is run where it can be: read the difference.

In a page `NAME:` and indented lines up to an empty one are a file. Of a
.safetensors file they are its tensors, `name dtype [shape]` and perhaps `= 1, 2`,
`= all 0`, `= as other.name` or a law by which values are drawn, `= normal(0, 1)`;
what the second example does not repeat is as in the first one.
"""
import functools
import json
import math
import pathlib
import random
import re
import shlex
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck
import run_golden

PAGES = ck.ROOT / "compiler" / "pages"
HEADINGS = ["Why it matters", "Wrong", "Right", "What to do"]
TENSOR = re.compile(r"(\S+) (\w+) \[([\d, ]*)\](?: = (.+))?$")
LAW = re.compile(r"(\w+)\((\S+), (\S+)\)$")
FILE = re.compile(r"(\S+)(?:, (as it stands|cut off after (\d+) bytes))?:$")
FOUND = re.compile(r"(?:error|warning|note)\[([EWN]\d{4})\]|^(N\d{4}): ", re.M)
TOLD = re.compile(r"^N\d{4}: .*\n", re.M)
NOT_RUN = re.compile(r"Not run by the tests: (.+)")
NOT_YET = "this version does not raise it yet."
EXIT_CODES = {"E0704": 3, "E0705": 3}


def ids():
    """{id: title} of the compiler's table."""
    table = (ck.ROOT / "compiler" / "diag_ids.c").read_text()
    return dict(re.findall(r'\{"([EWN]\d{4})",\s*"([^"]+)"\}', table))


def laplace(rng, mean, scale):
    return mean + scale * (rng.expovariate(1) - rng.expovariate(1))


LAWS = {"normal": random.Random.gauss, "uniform": random.Random.uniform, "laplace": laplace}


def data(name, values, count, drawn):
    """The numbers behind `=`; what is drawn is the same every time."""
    if values.startswith("as "):
        return drawn[values[3:]]
    if law := LAW.match(values):
        rng = random.Random(name)
        return [LAWS[law[1]](rng, float(law[2]), float(law[3])) for _ in range(count)]
    if values.startswith("all "):
        return [float(values[4:])] * count
    return [float(v) for v in values.split(",")]


def tensors(text):
    """The bytes of a safetensors file, of lines `name dtype [shape] = values`."""
    out, drawn = {}, {}
    for line in text.splitlines():
        name, dtype, shape, values = TENSOR.match(line).groups()
        t = {"dtype": dtype.upper(), "shape": [int(n) for n in shape.split(",") if n.strip()]}
        if values:
            t["data"] = drawn.setdefault(name, data(name, values, math.prod(t["shape"]), drawn))
            assert len(t["data"]) == math.prod(t["shape"]), line
        out[name] = (t["dtype"], t["shape"], run_golden.payload(t))
    with tempfile.TemporaryDirectory() as folder:
        ck.write(pathlib.Path(folder, "x"), out)
        return pathlib.Path(folder, "x").read_bytes()


@functools.cache
def run(commands, files):
    """(exit status of the last command, stderr and lines of stdout with an id)"""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files:
            pathlib.Path(folder, name).write_bytes(content)
        err = ""
        for i, command in enumerate(commands):
            done = subprocess.run([ck.TTSWC, *command], cwd=folder, text=True,
                                  capture_output=True, stdin=subprocess.DEVNULL)
            err += done.stderr + "".join(TOLD.findall(done.stdout))
            if done.returncode != 0 and i + 1 < len(commands):
                raise AssertionError((command, err))
        return done.returncode, err


class Example:
    """The files, commands and printed line of one half of a page."""

    def __init__(self, text):
        self.files, self.commands, self.printed = {}, [], None
        for head, body in re.findall(r"^(\S.*:)\n\n((?:    .*\n)+)", text, re.M):
            if found := FILE.match(head):
                name, how, size = found.groups()
                body = "".join(l[4:] + "\n" for l in body.rstrip("\n").split("\n"))
                raw = not name.endswith(".safetensors") or how == "as it stands"
                data = body.encode() if raw else tensors(body)
                self.files[name] = data[:int(size)] if size else data
        lines = re.sub(r" \\\n +", " ", text).split("\n")
        for i, line in enumerate(lines):
            if line.startswith("    $ ttswc "):
                self.commands.append(shlex.split(line[len("    $ ttswc "):]))
                after = lines[i + 1] if i + 1 < len(lines) else ""
                self.printed = after[4:] if after.startswith("    ") else ""

    def run(self):
        return run(tuple(map(tuple, self.commands)), tuple(self.files.items()))


class Page:
    def __init__(self, path):
        self.path, self.id, self.text = path, path.stem, path.read_text()
        head, *rest = re.split(r"^## (.*)\n", self.text, flags=re.M)
        self.head, self.names = head, rest[0::2]
        self.sections = dict(zip(self.names, rest[1::2]))
        found = NOT_RUN.search(self.text)
        self.why_not = found and found.group(1)

    def wrong(self):
        return Example(self.sections["Wrong"])

    def right(self):
        wrong, right = self.wrong(), Example(self.sections["Right"])
        right.files = wrong.files | right.files
        right.commands = right.commands or wrong.commands
        return right

    def update(self):
        """Writes what is printed; a page that this version raises by now is run."""
        if self.why_not == NOT_YET and not raises(self) and not passes(self):
            self.path.write_text(self.text.replace(f"Not run by the tests: {NOT_YET}\n\n", ""))
            return Page(self.path).update()
        if self.why_not:
            return None
        section, old = self.sections["Wrong"], self.wrong().printed
        first = self.wrong().run()[1].split("\n")[0]
        last = list(re.finditer(r"^    \$ (?:.*\\\n)*.*\n", section, re.M))[-1].end()
        end = last + (len(f"    {old}\n") if old else 0)
        section = section[:last] + f"    {first}\n" + section[end:]
        return self.path.write_text(self.text.replace(self.sections["Wrong"], section))


def raises(page):
    """What is wrong with a page's wrong example, or ''."""
    code, err = page.wrong().run()
    want = 0 if page.id[0] != "E" else EXIT_CODES.get(page.id, 1)
    found = {a or b for a, b in FOUND.findall(err)}
    named = set(re.findall(r"^[^ ].*\b([EWN]\d{4})\b", page.sections["Wrong"], re.M))
    return "" if (code, found) == (want, named | {page.id}) else f"{page.id}: exit {code}: {err}"


def passes(page):
    code, err = page.right().run()
    return "" if (code, err) == (0, "") else f"{page.id} right: exit {code}: {err}"


class Pages(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.pages = [Page(p) for p in sorted(PAGES.iterdir())]
        self.good = [p for p in self.pages if not p.why_not]

    def test_every_id_has_a_page_and_no_other_does(self):
        self.assertEqual([p.path.name for p in self.pages],
                         [f"{i}.md" for i in sorted(ids())])

    def test_form(self):
        for page in self.pages:
            with self.subTest(page.id):
                self.assertEqual(page.head.split("\n")[0], f"# {page.id}: {ids()[page.id]}")
                self.assertEqual(page.names, HEADINGS)
                for text in (page.head.split("\n", 1)[1], *page.sections.values()):
                    self.assertTrue(text.strip())
                for line in page.text.split("\n"):
                    self.assertTrue(len(line) <= 80 or FOUND.search(line.strip()), line)
                    self.assertEqual(line, line.rstrip())

    def test_wrong_examples_raise_their_id_alone(self):
        for page in self.good:
            with self.subTest(page.id):
                self.assertEqual(raises(page), "")

    def test_pages_show_what_is_printed(self):
        for page in self.good:
            with self.subTest(page.id):
                example = page.wrong()
                self.assertEqual(example.printed, example.run()[1].split("\n")[0])

    def test_right_examples_pass(self):
        for page in self.good:
            with self.subTest(page.id):
                self.assertEqual(passes(page), "")

    def test_what_is_not_run(self):
        yet = [p for p in self.pages if p.why_not == NOT_YET]
        print(f"{len(self.good)} of {len(self.pages)} pages are run; not: " +
              ", ".join(p.id for p in self.pages if p.why_not))
        for page in yet:
            self.assertTrue(page.wrong().commands and page.wrong().files, page.id)
            if not raises(page) and not passes(page):
                print(f"{page.id} is raised by now: run me with --update")
        self.assertGreater(len(self.good), 0.8 * len(self.pages))


class Explain(unittest.TestCase):
    def test_prints_pages(self):
        for path in PAGES.iterdir():
            with self.subTest(path.stem):
                for name in (path.stem, path.stem.lower()):
                    self.assertEqual(ck.ttswc("explain", name), (path.read_text(), ""))

    def test_lists_ids(self):
        want = "".join(f"{i}  {title}\n" for i, title in sorted(ids().items()))
        self.assertEqual(ck.ttswc("explain", "ids"), (want, ""))

    def test_json(self):
        title, path = ids()["E0404"], PAGES / "E0404.md"
        self.assertEqual(json.loads(ck.ttswc("explain", "--json", "e0404")[0]),
                         {"id": "E0404", "text": path.read_text(), "title": title})
        self.assertEqual(json.loads(ck.ttswc("explain", "ids", "--json")[0]),
                         [{"id": i, "title": title} for i, title in sorted(ids().items())])

    def test_unknown(self):
        for name, near in (("E0440", "did you mean E0404"), ("e040", "E0401"),
                           ("W0302", "did you mean E0302, W0301")):
            out, err = ck.ttswc("explain", name, code=1)
            self.assertEqual(out, "")
            self.assertIn(f"{name}: error[E0707]: no diagnostic has this id", err)
            self.assertIn(near, err)
        self.assertNotIn("did you mean", ck.ttswc("explain", "fc.weight", code=1)[1])
        self.assertNotIn("\033", ck.ttswc("explain", "\033[31m", code=1)[1])


if __name__ == "__main__":
    if sys.argv[1:] == ["--update"]:
        for each in sorted(PAGES.iterdir()):
            Page(each).update()
    else:
        unittest.main()

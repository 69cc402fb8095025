# SPDX-License-Identifier: MIT
"""Every diagnostic id is shown by a golden case, or tested where no file can raise it.

In: compiler/diag_ids.c, the compiler's sources, tests/golden, specs/README.md
section 14. Out: a failure for an id that has neither a case nor a test, that
nothing raises and nobody planned, or that the manual lacks.
"""
import pathlib
import re
import unittest

ROOT = pathlib.Path(__file__).resolve().parent.parent
# No finding has these: the file with the test, and its name. N0701 stands in
# the table of `stats`, where it is information.
ELSEWHERE = {"N0701": ("tests/test_stats.py", "test_classic_rule")}
# Their numbers are taken; the manual has a `~` before them. Once a file of the
# compiler raises one, it needs a case and leaves this list.
PLANNED = set()
# Ids of the past, which nothing may raise again.
RETIRED = {"E0211", "W0605"}
ID = r"[EWN]0[0-9]{3}"


def table():
    text = (ROOT / "compiler/diag_ids.c").read_text()
    return re.findall(rf'{{"({ID})", "', text)


def raised():
    """Ids that stand as texts in the compiler's other files."""
    found = set()
    for path in (ROOT / "compiler").rglob("*.c"):
        if path.name != "diag_ids.c" and "pages" not in path.parts:
            found |= set(re.findall(rf'"({ID})"', path.read_text()))
    return found


def shown():
    """Ids that a golden case expects as a finding."""
    found = set()
    for path in (ROOT / "tests/golden").glob("*/expected.stderr"):
        text = path.read_text(errors="replace")
        found |= set(re.findall(rf"(?:error|warning|note)\[({ID})\]", text))
    return found


class Ids(unittest.TestCase):
    def test_each_is_shown_or_tested(self):
        have = shown()
        for name in table():
            with self.subTest(id=name):
                self.assertTrue(name in have or name in ELSEWHERE or name in PLANNED,
                                "no golden case, and no test in ELSEWHERE")

    def test_elsewhere(self):
        for name, (path, test) in ELSEWHERE.items():
            with self.subTest(id=name):
                text = (ROOT / path).read_text()
                self.assertIn(name, text)
                self.assertIn(test, text)
                self.assertNotIn(name, shown(), "a golden case shows it")

    def test_planned(self):
        for name in PLANNED:
            with self.subTest(id=name):
                self.assertIn(name, table())
                self.assertNotIn(name, raised(), "raised: give it a golden case")

    def test_table(self):
        ids = table()
        self.assertGreater(len(ids), 90)
        self.assertEqual(len(ids), len(set(ids)))
        self.assertEqual(RETIRED & set(ids), set())
        self.assertEqual(raised() - set(ids), set())
        self.assertEqual(set(ids) - raised() - PLANNED - set(ELSEWHERE), set(),
                         "nothing raises them")

    def test_manual(self):
        text = (ROOT / "specs/README.md").read_text()
        text = text[text.index("## 14. Diagnostics"):text.index("## 15.")]
        listed = dict((name, mark) for name, mark in
                      re.findall(rf"(?:^|  )({ID}) ([ ~])", text, re.M))
        self.assertEqual(set(listed), set(table()) | RETIRED)
        marked = {name for name, mark in listed.items() if mark == "~"}
        self.assertEqual(marked, PLANNED | RETIRED)


if __name__ == "__main__":
    unittest.main()

# SPDX-License-Identifier: MIT
"""Findings as JSON lines say what the text says, by the schema of the manual.

In: the golden cases of one command that end in findings. Out: a failure where
a line is no JSON, its keys are not those of specs/README.md section 14 in
their order, an edit or a span lies outside its file, or the rendered texts
are not what --diagnostics=text prints.
"""
import json
import os
import pathlib
import shlex
import subprocess
import tempfile
import unittest

import checkpoints as ck
import run_golden

KEYS = ["code", "count", "expansion", "file", "help", "level", "message", "notes",
        "rendered", "spans", "uses"]
SPAN = ["byte_end", "byte_start", "column", "file", "label", "line", "primary"]
USE = ["byte_end", "byte_start", "column", "file", "line", "template"]
EDIT = ["byte_end", "byte_start", "file", "replacement"]
SUMMARY = ["errors", "findings", "not_shown", "notes", "warnings"]
LEVELS = {"E": "error", "W": "warning", "N": "note"}


# Under a sanitizer, where the same code is slow, every fourth case.
STEP = 4 if os.environ.get("TTSW_FEW") else 1


def cases():
    for command in sorted(run_golden.HERE.glob("*/command"))[::STEP]:
        case, lines = command.parent, command.read_text().splitlines()
        expected = case / "expected.stderr"
        text = expected.read_bytes() if expected.exists() else b""
        usage = (case / "expected.exit").read_text() == "2\n"
        if len(lines) == 1 and b"ttswc: " in text and not usage and "--" not in lines[0]:
            yield case, shlex.split(lines[0]), text


class Diagnostics(unittest.TestCase):
    def run_json(self, case, args):
        with tempfile.TemporaryDirectory() as name:
            run_golden.fill(case, pathlib.Path(name))
            done = subprocess.run([ck.TTSWC, *args, "--diagnostics=json"], cwd=name,
                                  capture_output=True, check=False)
            sizes = {p: len(b) for p, b in run_golden.files(pathlib.Path(name)).items()}
        return [json.loads(line) for line in done.stderr.decode().splitlines()], sizes

    def check_place(self, place, keys, sizes):
        self.assertEqual(list(place), keys)
        self.assertLessEqual(place["byte_start"], place["byte_end"])
        if place["file"] in sizes:
            self.assertLessEqual(place["byte_end"], sizes[place["file"]])

    def check_finding(self, found, sizes):
        self.assertEqual(list(found), KEYS)
        self.assertEqual(found["level"], LEVELS[found["code"][0]])
        self.assertIn(f"{found['level']}[{found['code']}]: ", found["rendered"])
        for span in found["spans"]:
            self.check_place(span, SPAN, sizes)
        for use in found["uses"]:
            self.check_place(use, USE, sizes)
        primary = [span["primary"] for span in found["spans"]]
        self.assertEqual(primary[:1], [True][:len(primary)])
        self.assertNotIn(True, primary[1:])
        for hint in found["help"]:
            self.assertEqual(list(hint), ["applicability", "edit", "text"])
            self.assertIn(hint["applicability"], ("machine_applicable", "maybe_incorrect"))
            if hint["edit"] is not None:
                self.check_place(hint["edit"], EDIT, sizes)
        if found["expansion"] is not None:
            self.assertEqual(list(found["expansion"]), ["text", "values"])
            self.assertEqual(found["expansion"]["values"] is None, found["count"] > 1)

    def test_all_golden_cases(self):
        count = 0
        for case, args, text in cases():
            with self.subTest(case=case.name):
                (*found, last), sizes = self.run_json(case, args)
                self.assertEqual(list(last), ["summary"])
                self.assertEqual(list(last["summary"]), SUMMARY)
                self.assertEqual(last["summary"]["findings"], len(found))
                for one in found:
                    self.check_finding(one, sizes)
                shown = "".join(one["rendered"] + "\n" for one in found)
                want = text.decode(errors="replace")
                self.assertEqual(shown, want[:want.rindex("ttswc: ")])
            count += 1
        self.assertGreater(count, 300 // STEP)


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""specs/ttsw.schema.json says what the parser says.

test_schema.py SPEC_SHAPE. The keys of each map, and which are required, are those
of the tables that the parser reads all specs of this tree by; each map that it
knows is in the schema with the same name as in its messages ("a block"). Every
spec that ttswc takes validates; one with an unknown key or without a required one
does not. The validator here knows the keywords that the schema uses and refuses
any other, so that nothing goes unchecked."""
import copy
import json
import re
import subprocess
import sys
import unittest

import checkpoints as ck

SHAPE = sys.argv.pop(1)
SCHEMA = json.loads((ck.SPECS / "ttsw.schema.json").read_text())
GOLDEN = ck.HERE / "golden"
NUMBER = re.compile(r"[-+]?(\.\d+|\d+(\.\d*)?)([eE][-+]?\d+)?")
TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}
UNKNOWN_OR_MISSING = re.compile(
    r"^spec\.yaml:\S+ error\[(E0103\]|E0104\]: \S+ \S+ needs `\w+:`)", re.M)
SAID = {"$schema", "title", "description", "definitions", "then", "else"}


def plain(text):
    """What YAML 1.2 makes of a scalar without quotes, as editors do."""
    if text in ("", "~", "null", "Null", "NULL"):
        return None
    if text in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return text.lower() == "true"
    if re.fullmatch(r"[-+]?\d+", text):
        return int(text)
    return float(text) if NUMBER.fullmatch(text) else text


def value(tree):
    if isinstance(tree, list):
        return [value(x) for x in tree]
    if "map" in tree:
        return {key: value(x) for key, x in tree["map"]}
    return plain(tree["text"]) if tree["plain"] else tree["text"]


def is_type(x, name):
    number = isinstance(x, (int, float)) and not isinstance(x, bool)
    if name in ("number", "integer"):
        return number and (name == "number" or isinstance(x, int))
    return isinstance(x, TYPES[name])


class Validator:
    """wrong() is the first thing that is wrong with a value, or None."""

    def __init__(self):
        self.maps = []  # (what is read by a table, its title)

    def wrong(self, x, schema, at="$"):
        if "$ref" in schema:
            return self.wrong(x, SCHEMA["definitions"][schema["$ref"].split("/")[-1]], at)
        for word, rule in schema.items():
            if word not in SAID:
                found = getattr(self, "check_" + word)(x, rule, schema, at)
                if found:
                    return found
        if isinstance(x, dict) and "properties" in schema:
            self.maps.append((x, schema["title"]))
        return None

    def check_type(self, x, rule, _, at):
        names = rule if isinstance(rule, list) else [rule]
        return None if any(is_type(x, n) for n in names) else f"{at}: not {rule}"

    def check_const(self, x, rule, _, at):
        return None if x == rule and not isinstance(x, bool) else f"{at}: not {rule}"

    def check_enum(self, x, rule, _, at):
        return None if x in rule else f"{at}: none of {rule}"

    def check_minimum(self, x, rule, _, at):
        return f"{at}: below {rule}" if x < rule else None

    def check_pattern(self, x, rule, _, at):
        bad = isinstance(x, str) and not re.search(rule, x)
        return f"{at}: {x!r} against {rule}" if bad else None

    def check_minItems(self, x, rule, _, at):
        return f"{at}: too short" if isinstance(x, list) and len(x) < rule else None

    def check_minProperties(self, x, rule, _, at):
        return f"{at}: empty" if isinstance(x, dict) and len(x) < rule else None

    def check_required(self, x, rule, _, at):
        lacks = [k for k in rule if isinstance(x, dict) and k not in x]
        return f"{at}: lacks {lacks}" if lacks else None

    def check_dependencies(self, x, rule, _, at):
        lacks = [k for k, needs in rule.items() if k in x and not set(needs) <= set(x)]
        return f"{at}: {lacks} alone" if lacks else None

    def check_items(self, x, rule, _, at):
        for i, item in enumerate(x if isinstance(x, list) else []):
            if found := self.wrong(item, rule, f"{at}[{i}]"):
                return found
        return None

    def check_properties(self, x, rule, _, at):
        for key in rule.keys() & (x if isinstance(x, dict) else {}).keys():
            if found := self.wrong(x[key], rule[key], f"{at}.{key}"):
                return found
        return None

    def check_additionalProperties(self, x, rule, schema, at):
        for key in (x if isinstance(x, dict) else {}).keys() - schema.get("properties", {}).keys():
            if rule is False:
                return f"{at}: unknown {key}"
            if found := self.wrong(x[key], rule, f"{at}.{key}"):
                return found
        return None

    def check_propertyNames(self, x, rule, _, at):
        for key in x if isinstance(x, dict) else []:
            if found := self.wrong(key, rule, f"{at} {key}"):
                return found
        return None

    def check_anyOf(self, x, rule, _, at):
        found = [self.wrong(x, each, at) for each in rule]
        return None if None in found else f"{at}: none of {found}"

    def check_if(self, x, rule, schema, at):
        return self.wrong(x, schema["then" if self.wrong(x, rule, at) is None else "else"], at)


def wrong(x):
    return Validator().wrong(x, SCHEMA)


def shapes(paths):
    """(the dtypes, {path: value}, {name of a map: {key: required}})"""
    done = subprocess.run([SHAPE, *map(str, paths)], capture_output=True, check=True)
    lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
    trees = {x["file"]: value(x["tree"]) for x in lines if x.get("tree") is not None}
    tables = {}
    for x in lines:
        if "of" in x:
            assert tables.setdefault(x["of"], x["keys"]) == x["keys"], x
    return lines[0]["dtypes"], trees, tables


def printed(case):
    path = case / "expected.stderr"
    return path.read_text(errors="replace") if path.exists() else ""


def definitions():
    return {d["title"]: d for d in SCHEMA["definitions"].values() if "properties" in d}


class Schema(unittest.TestCase):
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.shipped = sorted(p for p in ck.SPECS.rglob("*.yaml"))
        cls.cases = {p.parent: printed(p.parent) for p in GOLDEN.glob("*/spec.yaml")}
        golden = [p / "spec.yaml" for p in cls.cases]
        cls.dtypes, cls.trees, cls.tables = shapes([*cls.shipped, *golden])

    def test_keys_are_those_of_the_parser(self):
        schema = {title: {k: k in d.get("required", []) for k in d["properties"]}
                  for title, d in definitions().items()}
        self.assertEqual(schema, self.tables)

    def test_no_key_goes_unknown_or_unexplained(self):
        for title, d in definitions().items():
            self.assertIs(d["additionalProperties"], False, title)
            for key, rule in d["properties"].items():
                whole = {**SCHEMA["definitions"].get(rule.get("$ref", "").split("/")[-1], {}), **rule}
                self.assertGreater(len(whole.get("description", "")), 10, f"{title}: {key}")

    def test_every_definition_is_used(self):
        refs = set(re.findall(r'"#/definitions/(\w+)"', json.dumps(SCHEMA)))
        self.assertEqual(refs, set(SCHEMA["definitions"]))

    def test_dtypes(self):
        self.assertEqual(SCHEMA["definitions"]["source_dtype"]["enum"], self.dtypes)

    def test_shipped_specs_validate(self):
        self.assertGreater(len(self.shipped), 30)
        for path in self.shipped:
            self.assertIsNone(wrong(self.trees[str(path)]), path)

    def test_what_ttswc_takes_validates(self):
        good = [p for p, err in self.cases.items() if "error[" not in err and
                (p / "expected.exit").read_text() == "0\n"]
        self.assertGreater(len(good), 50)
        for case in good:
            self.assertIsNone(wrong(self.trees[str(case / "spec.yaml")]), case.name)

    def test_what_it_calls_unknown_or_missing_does_not(self):
        found = 0
        for case, err in self.cases.items():
            tree = self.trees.get(str(case / "spec.yaml"))
            if tree is not None and UNKNOWN_OR_MISSING.search(err):
                found += 1
                self.assertIsNotNone(wrong(tree), case.name)
        self.assertGreater(found, 3)

    def test_a_key_more_or_less(self):
        seen = set()
        for tree in map(copy.deepcopy, self.trees.values()):
            validator = Validator()
            if validator.wrong(tree, SCHEMA) is not None:
                continue
            for each, title in validator.maps:
                if title in seen:
                    continue
                seen.add(title)
                each["no_key"] = "x"
                self.assertIsNotNone(wrong(tree), title)
                del each["no_key"]
                for key in definitions()[title].get("required", []):
                    kept = each.pop(key)
                    self.assertIsNotNone(wrong(tree), f"{title} without {key}")
                    each[key] = kept
                self.assertIsNone(wrong(tree), title)
        self.assertEqual(seen, set(definitions()))

    def test_values(self):
        good = self.trees[str(ck.SPECS / "examples" / "features.yaml")]
        for key, bad in (("ttsw", 2), ("ttsw", "1"), ("model", "1x"), ("revision", -1),
                         ("source_dtype", "float32"), ("store", "i8"), ("layout", "out, in"),
                         ("align", 100), ("weight_norm", "new"), ("groups", []),
                         ("groups", [{"name": "a", "place": "disk"}]), ("map", {}),
                         ("dims", {"a-b": 1}), ("dims", {"D": 1.5}), ("constants", {"x": None}),
                         ("include", ["/etc/x"]), ("sources", {"a": {"sha256": "12"}}),
                         ("map", [{"from": "a."}]), ("map", [{"tensors": {"a": 3}}]),
                         ("map", [{"for": {"i": "4"}, "tensors": {"a": "a [1]"}}]),
                         ("map", [{"drop": {"a [1]": ""}}]), ("map", [{"drop": {"a [1]": None}}]),
                         ("map", [{"with": {"D": 1}, "tensors": {}}])):
            self.assertIsNotNone(wrong({**good, key: bad}), (key, bad))


if __name__ == "__main__":
    unittest.main()

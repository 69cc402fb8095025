#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Our reader of safetensors against the reference implementation, the Python
package `safetensors`, over a corpus that is made anew in each run.

Both see every file. Both must refuse it, or both accept it and find the same
names, dtypes, shapes, metadata and bytes. Where they shall differ is a table,
st_differences.py, which is compared with the one in compiler/safetensors.h.
What ttswc puts into a blob, read by the Python reader, is compared too, through
a spec that is made for each good file; what no spec can say is counted, by
reason. TTSW_SEED=N makes another corpus.
"""
import collections
import concurrent.futures
import json
import os
import pathlib
import random
import re
import subprocess
import sys
import tempfile
import types
import unittest

import checkpoints as ck

try:
    import safetensors
except ImportError:
    sys.exit("the Python package `safetensors` is missing; tests/install.sh "
             "test installs what tests/pip-packages.txt lists")

# safe_open imports its framework at once, but needs it for no more than
# get_tensor, which nobody calls here.
sys.modules.setdefault("numpy", types.ModuleType("numpy"))

sys.path.insert(0, str(ck.HERE / "reader"))
import st_corpus  # noqa: E402
import st_differences  # noqa: E402
import st_lies  # noqa: E402
import st_spec  # noqa: E402
import ttsb_reader  # noqa: E402

SEED = int(os.environ.get("TTSW_SEED", "20261122"))
MUTATIONS = 600
CAP = 100_000_000
HEADER = ck.ROOT / "compiler" / "safetensors.h"


def by_reference(raw, path):
    """{name: (dtype, shape, bytes)}, metadata and the order of the data; or
    None. Its two ways in must agree."""
    try:
        tensors = safetensors.deserialize(raw)
    except safetensors.SafetensorError:
        tensors = None
    try:
        with safetensors.safe_open(path, "numpy") as file:
            metadata, order = file.metadata() or {}, file.offset_keys()
    except safetensors.SafetensorError:
        assert tensors is None, path
        return None
    assert tensors is not None, path
    return {name: (t["dtype"], t["shape"], bytes(t["data"]))
            for name, t in tensors}, metadata, order


def run(*args):
    """The program's exit status and what it printed; nothing may crash."""
    done = subprocess.run([ck.TTSWC, *map(str, args)], capture_output=True,
                          stdin=subprocess.DEVNULL, cwd=args[-1].parent)
    assert done.returncode in (0, 1), (args, done)
    return done.returncode == 0, done.stdout.decode(), done.stderr.decode()


def by_ttswc(raw, path):
    """As by_reference, and the ids of the findings if it refuses."""
    fine, out, err = run("inspect", "--json", path)
    if not fine:
        ids = set(re.findall(r"error\[(E\d+)\]", err))
        assert out == "" and ids in ({"E0701"}, {"E0703"}), (path, out, err)
        return None
    info = json.loads(out)
    assert info["format"] == "safetensors" and info["file_size"] == len(raw)
    at = info["data_start"]
    for t in info["tensors"]:
        assert t["offset"] == at, (path, t)
        at += t["size"]
    assert at == len(raw), path
    order = [t["name"] for t in info["tensors"]]
    tensors = {t["name"]: (t["dtype"].upper(), t["shape"],
                           raw[t["offset"]:t["offset"] + t["size"]])
               for t in info["tensors"]}
    assert len(tensors) == len(order), path
    return tensors, info["metadata"], order


def has_bytes(tensors, order):
    """The order of the tensors that have any; of the others it is free."""
    return [name for name in order if tensors[name][2]]


def different(a, b):
    """What two readers tell otherwise of a file that both accept."""
    for label, x, y in (("names", set(a[0]), set(b[0])), ("metadata", a[1], b[1])):
        if x != y:
            return label
    for name in a[0]:
        for label, x, y in zip(("dtype", "shape", "bytes"), a[0][name], b[0][name]):
            if x != y:
                return f"{label} of {name!r}: {x!r} and {y!r}"[:200]
    return None if has_bytes(a[0], a[2]) == has_bytes(b[0], b[2]) else "order"


def compiled(tensors, path):
    """What is wrong with the blob made of a good file; None if nothing."""
    spec, blob = path.with_suffix(".yaml"), path.with_suffix(".ttsb")
    spec.write_text(st_spec.spec_of(tensors), encoding="utf-8", newline="")
    fine, _, err = run("compile", "-q", "-j1", spec, path, "-o", blob)
    if not fine:
        return err
    raw = blob.read_bytes()
    found = ttsb_reader.open_blob(raw).describe()
    if found["damaged"] or len(found["tensors"]) != len(tensors):
        return f"the blob has {found['damaged']}, {len(found['tensors'])} tensors"
    for (name, given), t in zip(tensors.items(), found["tensors"]):
        if given != (t["dtype"].upper(), t["shape"],
                     raw[t["offset"]:t["offset"] + t["size"]]):
            return f"{name!r} is not in the blob as it is in the file"
    return None


def table_in_header():
    """The first column of the table in safetensors.h, and its verdicts."""
    lines = iter(HEADER.read_text().split("\n"))
    width = next(n.index("0.8.0") for n in lines if n.startswith(" *   what "))
    rows = []
    for line in lines:
        if line == " *":
            return rows
        what, verdict = line[5:width].rstrip(), line.split()[-1]
        if what.startswith(" "):
            rows[-1] = (rows[-1][0] + " " + what.strip(), rows[-1][1])
        else:
            rows.append((what, verdict))


class Differential(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)

    def judge(self, number, case):
        """None, or what is wrong; and what to count."""
        path = self.dir / f"{number}.safetensors"
        path.write_bytes(case.raw)
        theirs, ours = by_reference(case.raw, path), by_ttswc(case.raw, path)
        if case.claim is not None and (theirs is not None) != (case.claim == "good"):
            return f"the corpus calls it {case.claim}, the reference does not", None
        rows = set() if theirs is None else st_differences.found(case.raw)
        if (ours is not None) != (theirs is not None and not rows):
            return (f"ttswc {'refuses' if ours is None else 'accepts'} it, the "
                    f"reference {'refuses' if theirs is None else 'accepts'} it, "
                    f"rows of the table: {sorted(rows)}"), None
        if ours is None:
            path.unlink()
            return None, sorted(rows) or ["bad for both"]
        wrong = different(theirs, ours)
        why = st_spec.why_not(ours[0])
        if wrong is None and why is None:
            wrong = compiled(ours[0], path)
        for left in self.dir.glob(f"{number}.*"):
            left.unlink()
        return wrong, ["good for both", why or "bytes compared through a blob"]

    def check(self, cases):
        """Judges all; returns how many were what."""
        counts, cases = collections.Counter(), list(cases)
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            verdicts = pool.map(self.judge, range(len(cases)), cases)
            for case, (wrong, labels) in zip(cases, verdicts):
                if wrong is not None:
                    with self.subTest(case.name):
                        self.fail(f"{wrong}\n{case.raw[:400]!r}")
                counts.update(labels or ())
        print(f"{self.id().split('.')[-1]}: {len(cases)} files: " + "; ".join(
            f"{n} {label}" for label, n in sorted(counts.items())))
        return counts

    def test_committed(self):
        counts = self.check(st_corpus.committed())
        self.assertGreater(counts["good for both"], 30)
        self.assertGreater(counts["bad for both"], 90)

    def test_good(self):
        counts = self.check(st_corpus.good(random.Random(SEED), self.dir))
        self.assertGreater(counts["good for both"], 350)
        self.assertGreater(counts["bytes compared through a blob"], 250)
        self.assertEqual(counts["bad for both"], 0)

    def test_lies(self):
        counts = self.check(st_lies.lies(random.Random(SEED)))
        self.assertGreater(counts["bad for both"], 900)

    def test_mutations(self):
        counts = self.check(st_lies.mutations(random.Random(SEED), MUTATIONS))
        self.assertGreater(counts["bad for both"], MUTATIONS // 2)
        self.assertGreater(counts["good for both"], MUTATIONS // 8)

    def test_differences(self):
        """Each row of the table is a difference still, and only that one."""
        cases = list(st_differences.cases())
        self.check(case for _, case in cases)
        for key, case in cases:
            self.assertEqual(st_differences.found(case.raw), {key}, case.name)

    def test_table_is_the_one_of_the_header(self):
        self.assertEqual(table_in_header(),
                         [(what, "refused") for what, _ in
                          st_differences.TABLE.values()])

    def test_dtypes(self):
        """The reference's own list of dtypes is ours."""
        raw = st_corpus.join(st_corpus.tensor(dtype='"?"'), bytes(16))
        with self.assertRaises(safetensors.SafetensorError) as caught:
            safetensors.deserialize(raw)
        known = re.findall(r"`(\w+)`", str(caught.exception))
        self.assertEqual(sorted(known), sorted(st_corpus.BITS))

    def test_longest_header(self):
        """A header at the cap, and one of a byte more."""
        path = self.dir / "long.safetensors"
        for length, fine in ((CAP, True), (CAP + 1, False)):
            with open(path, "wb") as file:
                file.write(length.to_bytes(8, "little") + b"{}")
                for _ in range(100):
                    file.write(b" " * (CAP // 100))
                file.truncate(8 + length)
            self.assertEqual(run("inspect", "--json", path)[0], fine, length)
            try:
                with safetensors.safe_open(path, "numpy"):
                    self.assertTrue(fine, length)
            except safetensors.SafetensorError:
                self.assertFalse(fine, length)


if __name__ == "__main__":
    print(f"safetensors {safetensors.__version__}, TTSW_SEED={SEED}", flush=True)
    unittest.main()

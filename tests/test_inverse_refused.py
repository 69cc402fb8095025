#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""ttswc export --inverse: what it refuses, and that it then leaves nothing."""
import json
import re
import struct
import unittest

import checkpoints as ck
from test_inverse import HEAD, Holder, f32, make_blob


class Refused(Holder):
    BODY = """\
sources: {one: {root: r.}, two: {}}
map:
  - source: one
    tensors:
      a: a [n=3]
      b: b [n=3]
  - source: two
    tensors:
      c: transpose(c [in=2, out=4]) [out=4, in=2]
      d: same(d [n=2], e [n=2])
    drop:
      f. [tensors=2, elements=2]: not wanted
      h [n=2]: not wanted
"""

    def setUp(self):
        super().setUp()
        self.out = self.dir / "back"
        self.given = {"one": {"r.a": f32(1, 2, 3), "r.b": f32(4, 5, 6)},
                      "two": {"c": ("F32", [2, 4], bytes(range(32))),
                              "d": f32(1, 2), "e": f32(1, 2),
                              "f.x": f32(1), "f.y": f32(2), "h": f32(1, 2)}}
        self.write(self.BODY)
        args = []
        for id_, tensors in self.given.items():
            ck.write(self.dir / f"{id_}.safetensors", tensors)
            args += ["--source", f"{id_}={self.dir / id_}.safetensors"]
        ck.ttswc("compile", "-q", self.spec, *args, "-o", self.blob)

    def write(self, body):
        self.spec.write_text(HEAD.replace("map:\n", "") + body)

    def refused(self, *more, code=1):
        """Nothing new is left and nothing old is changed."""
        before = {p: p.is_file() and p.read_bytes() for p in self.dir.rglob("*")}
        out, err = self.inverse(*more, code=code)
        self.assertEqual(out, "")
        self.assertEqual({p: p.is_file() and p.read_bytes()
                          for p in self.dir.rglob("*")}, before)
        return err

    def test_restored(self):
        self.refused()
        self.inverse("--restorable")
        for id_, tensors in self.given.items():
            self.assertEqual(ck.read(self.out / f"{id_}.safetensors"),
                             {n: t for n, t in tensors.items() if n[0] not in "fh"})

    def test_another_contract(self):
        old = ck.blob(self.blob)["contract_id"]
        self.write(self.BODY.replace("b: b [n=3]", "b: b [n=3] as f16"))
        err = self.refused("--restorable")
        ids = re.search(r"error\[E0709\]: the blob has the contract id ([0-9a-f]{32}), "
                        r"and the spec ([0-9a-f]{32})\n", err)
        self.assertEqual(ids[1], old)
        self.assertNotEqual(ids[2], old)
        self.assertNotIn("note", err)
        self.spec.write_text(self.spec.read_text().replace("revision: 1", "revision: 2"))
        self.assertIn("it is of `inverse`, revision 1; the spec is of `inverse`, "
                      "revision 2", self.refused())

    def test_other_sources_of_the_same_contract(self):
        for old, new, what in (
                ("a: a [", "a: g [", "`r.a` is not in the spec\n  = note: 1 more differs\n"),
                ("a: a [n=3]", "a: same(a [n=3], g [n=3])",
                 "`r.g` is none of the blob's sources"),
                ("root: r.", "root: s.", "`r.a` is not in the spec"),
                ("one", "three", "`r.a` is of a source that the spec does not have"),
                ("same(d [n=2], e [n=2])", "d [n=2]", "`e` is not in the spec"),
                ("f. [", "g. [", "`f.x` is not in the spec"),
                ("same(d [n=2], e [n=2])\n    drop:", "d [n=2]\n    drop:\n      e [n=2]: no",
                 "`e` is used in the blob and dropped in the spec"),
                ("      h [n=2]", "      h u8[n=2]",
                 "`h` has another dtype or other sizes in the spec"),
                ("      h [n=2]", "      h [out=1, n=2]",
                 "`h` has another dtype or other sizes in the spec"),
                ("      h [n=2]: not wanted\n", "", "`h` is not in the spec"),
                ("e [n=2])\n    drop:\n      f. [tensors=2, elements=2]: not wanted\n      h",
                 "h [n=2])\n    drop:\n      f. [tensors=2, elements=2]: not wanted\n      e",
                 "`h` is dropped in the blob and used in the spec")):
            with self.subTest(new):
                self.assertIn(old, self.BODY)
                self.write(self.BODY.replace(old, new))
                err = self.refused("--restorable")
                self.assertIn("error[E0709]: the blob was made from other sources", err)
                self.assertIn(what, err)

    def test_exchanged_sources_of_the_same_contract(self):
        """Only what comes out shows it."""
        self.write(self.BODY.replace("a: a [", "a: X [").replace("b: b", "b: a")
                   .replace("X", "b"))
        err = self.refused("--restorable")
        self.assertIn("error[E0709]: restored, `r.b` has not the digest", err)

    def test_damage(self):
        good = self.blob.read_bytes()
        tensors = ck.blob(self.blob)["tensors"]
        at = [t["offset"] + k for t in tensors for k in (0, t["size"] - 1)]
        at.append(good.index(b'"dropped"'))
        for k in at:
            raw = bytearray(good)
            raw[k] ^= 1
            self.blob.write_bytes(raw)
            self.assertIn("error[E0706]: TTSB_DAMAGED", self.refused("--restorable"))
        self.out.mkdir()
        (self.out / "two.safetensors").write_text("old")
        self.refused("--restorable")

    def forged(self, change):
        """The blob with a change, and hashes that vouch for it."""
        good = self.blob.read_bytes()
        raw = bytearray(good)
        change(raw)
        self.assertNotEqual(raw, good)
        self.assertEqual(len(raw), len(good))
        self.blob.write_bytes(make_blob.reseal(raw))
        err = self.refused("--restorable")
        self.blob.write_bytes(good)
        return err

    def test_lies_about_the_contract(self):
        """The id of one model on the index of another."""
        def turn(raw):
            index = struct.unpack_from("<Q", raw, 256 + 8)[0]
            dims = index + 2 * 112 + 48
            self.assertEqual(struct.unpack_from("<2Q", raw, dims), (4, 2))
            struct.pack_into("<2Q", raw, dims, 2, 4)
        self.assertIn("error[E0709]: its index is not what its contract id stands for",
                      self.forged(turn))

    def test_lies_of_meta(self):
        def replace(old, new):
            def change(raw):
                self.assertIn(old, raw)
                raw[:] = raw.replace(old, new, 1)
            return self.forged(change)
        digest = json.dumps(self.meta()["sources"][0]["digest"]).encode()
        for old, new in ((b'"format":1', b'"format":2'), (b'"sources":[', b'"sourcez":['),
                         (b'"dropped"', b'"drooped"'), (b'"dropped":', b'"dropped" '), (b'"shape":[3]', b'"shape":"3"'),
                         (b'"shape":[3]', b'"shape":[x]'), (b'"dtype":"f32"', b'"dtype":"f23"'),
                         (b'"digest":', b'"digest" '), (digest, digest.upper()),
                         (b'"digest":', b'"digset":'), (b'"shape":[3]', b'"shape":[-]'),
                         (b'"shape":[3]', b'"shape":3  ')):
            with self.subTest(old=old, new=new):
                self.assertIn("error[E0706]: META: ", replace(old, new))
        other = digest[:1] + bytes([digest[1] ^ 1]) + digest[2:]
        self.assertIn("error[E0709]: restored, `r.a` has not the digest",
                      replace(digest, other))
        self.assertIn("`r.a` has another dtype or other sizes", replace(
            b'"shape":[3]', b'"shape":[4]'))

    def test_where_it_goes(self):
        for target in (self.blob, self.spec, self.dir / "gone" / "x"):
            self.out = target
            self.assertIn("E0704", self.refused("--restorable", code=3))
        self.out = self.dir / "back"
        self.out.mkdir()
        (self.out / "two.safetensors").mkdir()
        self.assertIn("E0704", self.refused("--restorable", code=3))
        (self.out / "two.safetensors").rmdir()
        (self.out / "one.safetensors").symlink_to(self.blob)
        self.assertIn("it is an input", self.refused("--restorable", code=3))

    def test_links_from_file_to_file(self):
        """No source's file is written over by another one's."""
        self.out.mkdir()
        for link in ("one.safetensors", f"../{self.out.name}/one.safetensors"):
            for there in (False, True):
                (self.out / "two.safetensors").symlink_to(link)
                if there:
                    (self.out / "one.safetensors").write_text("old")
                self.assertIn("of another source", self.refused("--restorable", code=3))
                (self.out / "two.safetensors").unlink()
                (self.out / "one.safetensors").unlink(missing_ok=True)

    def test_names_of_outputs(self):
        """Patterns are for the sources' names; who takes the blob's is told."""
        self.assertIn("sources' names", self.refused("b"))

    def test_what_it_is_given(self):
        ck.ttswc("export", self.blob, "-o", self.out, "--restorable", code=2)
        ck.ttswc("export", self.blob, "-o", self.out, "--inverse", code=2)
        self.write(self.BODY + "oops: 1\n")
        self.assertIn("E0103", self.refused())
        self.spec.unlink()
        self.assertIn("E0705", self.refused(code=3))
        self.spec.write_text("x")
        self.blob.write_text("no blob")
        self.assertIn("E0706", self.refused())


if __name__ == "__main__":
    unittest.main()

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""What needs no torch about fixtures/pth2safetensors.py and the tests with the
label `torch`: one clear line where it is missing or too old, the skip and its
opposite, and that the script's text has no way to load a pickle unsafely. A
torch that is installed is hidden behind a module that fails to import."""
import ast
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck

SCRIPT = ck.FIXTURES / "pth2safetensors.py"
PICKLE = ck.FIXTURES / "pickles" / "legacy_tiny.pth"
MISSING = {"torch.py": "raise ImportError('no torch here')\n"}


def stubs(version):
    """Packages that import and claim to be of this version."""
    return {"torch.py": f"__version__ = {version!r}\n", "numpy.py": "",
            "safetensors/__init__.py": "", "safetensors/torch.py": ""}


class WithoutTorch(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.out = self.dir / "out.safetensors"

    def run_python(self, modules, *args, **variables):
        for name, text in modules.items():
            path = self.dir / "modules" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        env = {k: v for k, v in os.environ.items() if k != "TTSW_NEED_TORCH"}
        env |= {"PYTHONPATH": str(self.dir / "modules"), **variables}
        done = subprocess.run([sys.executable, *map(str, args)], env=env,
                              capture_output=True, text=True)
        self.assertFalse(self.out.exists())
        return done

    def test_missing(self):
        done = self.run_python(MISSING, SCRIPT, PICKLE, self.out)
        self.assertEqual(done.returncode, 3, done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
        self.assertIn("pip install torch numpy safetensors", done.stderr)
        self.assertEqual(done.stdout, "")

    def test_too_old(self):
        """weights_only is no protection before 2.10."""
        for version in ("1.13.1", "2.5.1+cpu", "2.9.1"):
            done = self.run_python(stubs(version), SCRIPT, PICKLE, self.out)
            self.assertEqual(done.returncode, 3, done.stderr)
            self.assertEqual(done.stderr.count("\n"), 1, done.stderr)
            self.assertIn(f"torch {version} is too old", done.stderr)
        for version in ("2.10.0", "2.15.0+cu132", "3.0.0a0"):
            done = self.run_python(stubs(version), SCRIPT, PICKLE, self.out)
            self.assertNotIn("too old", done.stderr)

    def test_usage(self):
        for args in ((), (PICKLE,), (PICKLE, self.out, "more"),
                     (PICKLE, self.out, "--unsafe"),
                     (PICKLE, self.out, "--weights-only=False"),
                     (PICKLE, self.out, "--ro", "net"),
                     (PICKLE, self.out, "--root")):
            done = self.run_python(MISSING, SCRIPT, *args)
            self.assertEqual(done.returncode, 2, args)
            self.assertIn("usage: pth2safetensors.py", done.stderr)

    def test_skip(self):
        for part in ("pth2safetensors", "gpt_fixture"):
            test = ck.HERE / f"test_{part}.py"
            done = self.run_python(MISSING, test)
            self.assertEqual(done.returncode, 77, done.stderr)
            self.assertIn("skipped: no torch here", done.stdout)
            done = self.run_python(MISSING, test, TTSW_NEED_TORCH="1")
            self.assertNotIn(done.returncode, (0, 77))
            self.assertIn("no torch here", done.stderr)

    def test_the_only_loader_is_weights_only(self):
        tree = ast.parse(SCRIPT.read_text())
        calls = [c for c in ast.walk(tree) if isinstance(c, ast.Call)]
        loads = {ast.unparse(c.func): c for c in calls
                 if ast.unparse(c.func).rpartition(".")[2] in (
                     "load", "loads", "Unpickler", "eval", "exec",
                     "add_safe_globals", "safe_globals", "import_module")}
        self.assertEqual(loads.keys(), {"load", "torch.load", "json.loads"})
        options = {k.arg: ast.unparse(k.value)
                   for k in loads["torch.load"].keywords}
        self.assertEqual(options, {"map_location": "'cpu'",
                                   "weights_only": "True"})
        self.assertEqual(len([c for c in calls
                              if ast.unparse(c.func) == "torch.load"]), 1)


if __name__ == "__main__":
    unittest.main()

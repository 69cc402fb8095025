#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""`pip install ./runtime/python` and a source distribution: each into a bare
virtual environment, which then uses the package outside of the tree. Without a
network: setuptools and wheel are this Python's (--no-build-isolation)."""
import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tarfile
import tempfile
import unittest
import zipfile

import checkpoints as ck

PYTHON = ck.ROOT / "runtime" / "python"
BLOB = ck.FIXTURES / "blobs" / "features-1.0.ttsb"
FLAGS = ["--no-build-isolation", "--no-deps", "--no-index", "--no-cache-dir",
         "--disable-pip-version-check", "-q"]
PROGRAM = """
import pathlib, sys, ttsb
package = pathlib.Path(ttsb.__file__).parent
assert pathlib.Path(sys.prefix) in package.parents, package
assert (package / "py.typed").is_file()
assert ttsb.version() == ttsb.__version__
blob = ttsb.open(sys.argv[1])
blob.verify()
kept = blob["head.weight"].__dlpack__(max_version=(1, 0))
blob["scalar"].__dlpack__(max_version=(1, 0))
print(blob.info.root, len(blob))
"""


def tools():
    """The folders of what builds the package, as a PYTHONPATH; skips the program
    where `tests/install.sh test` has not installed them."""
    found = {}
    for module in ("pip", "setuptools", "wheel"):
        spec = importlib.util.find_spec(module)
        if spec is None:
            print(f"skipped: no {module}; `tests/install.sh test` installs it")
            sys.exit(77)
        found[str(pathlib.Path(spec.origin).parents[1])] = module
    return os.pathsep.join(found)


def run(*line, **options):
    done = subprocess.run([str(a) for a in line], stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, **options)
    assert done.returncode == 0, (line, done.stdout)
    return done.stdout


TOOLS = tools()


class Install(unittest.TestCase):
    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.dir = pathlib.Path(holder.name)
        self.tree = self.dir / "tree"
        # A copy: a build leaves files beside the sources.
        shutil.copytree(ck.ROOT / "runtime", self.tree / "runtime",
                        ignore=shutil.ignore_patterns(
                            "build", "dist", "target", "*.egg-info", "*.so*"))
        self.env = {k: v for k, v in os.environ.items()
                    if not k.startswith(("TTSB_", "PIP_", "PYTHONPATH"))}
        self.build_env = dict(self.env, CMAKE_BUILD_PARALLEL_LEVEL="2",
                              PYTHONPATH=TOOLS)

    def uses(self, what):
        """Installs `what` into a bare environment and uses it there."""
        venv = self.dir / "venv"
        run(sys.executable, "-m", "venv", "--without-pip", venv)
        python = venv / "bin" / "python"
        run(python, "-m", "pip", "install", *FLAGS, what, cwd=self.tree,
            env=self.build_env)
        shutil.rmtree(self.tree)
        said = run(python, "-I", "-c", PROGRAM, BLOB, cwd=self.dir, env=self.env)
        self.assertEqual(said, "ad55575117a6ae320bfb6bc9c1982311 19\n")

    def test_from_the_tree(self):
        self.uses("./runtime/python")

    def test_what_the_build_needs(self):
        """Said where cmake is missing, and where it finds no compiler or header."""
        package, tools = self.tree / "runtime" / "python", self.dir / "bin"
        tools.mkdir()
        for makes in (lambda f: None, lambda f: f.symlink_to("/bin/false")):
            makes(tools / "cmake")
            done = subprocess.run(
                [sys.executable, "setup.py", "-q", "build_py", "-d", self.dir],
                cwd=package, env=dict(self.build_env, PATH=str(tools)),
                capture_output=True, text=True)
            self.assertEqual(done.returncode, 1, done)
            self.assertIn("ttsb: the build needs cmake 3.25", done.stderr)
            self.assertNotIn("Traceback", done.stderr)

    def test_from_a_source_distribution(self):
        """It carries the C files; the wheel of it is for any Python 3."""
        package = self.tree / "runtime" / "python"
        run(sys.executable, "-c", "import setuptools.build_meta as b; "
            "b.build_sdist('..')", cwd=package, env=self.build_env)
        sdist, = package.parent.glob("ttsb-*.tar.gz")
        with tarfile.open(sdist) as tar:
            names = {n.partition("/")[2] for n in tar.getnames()}
        for name in ("runtime/open.c", "runtime/ttsb.h", "capsule.c", "LICENSE",
                     "runtime/CMakeLists.txt", "src/ttsb/py.typed"):
            self.assertIn(name, names)
        alone = shutil.move(str(sdist), str(self.dir))
        run(sys.executable, "-m", "pip", "wheel", *FLAGS, "-w", self.dir, alone,
            cwd=self.dir, env=self.build_env)
        wheel, = self.dir.glob("ttsb-*.whl")
        self.assertIn("-py3-none-linux_", wheel.name)
        with zipfile.ZipFile(wheel) as z:
            self.assertIn("ttsb/libttsb.so.1", z.namelist())
        self.uses(wheel)


class License(unittest.TestCase):
    def test_is_the_projects(self):
        self.assertEqual((PYTHON / "LICENSE").read_bytes(),
                         (ck.ROOT / "LICENSE").read_bytes())


if __name__ == "__main__":
    unittest.main()

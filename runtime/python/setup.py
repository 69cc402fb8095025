# SPDX-License-Identifier: MIT
"""Builds libttsb with cmake, by its own CMakeLists.txt, and puts it into the
package; pyproject.toml says the rest.

In: the runtime's C files, one folder up in the tree and in runtime/ of a source
distribution. Out: a wheel of Python modules and two libraries, which serves
every Python 3 on its platform."""
import pathlib
import shutil
import subprocess
import sys
import tempfile

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

try:
    from setuptools.command.bdist_wheel import bdist_wheel
except ImportError: # setuptools before 70.1
    from wheel.bdist_wheel import bdist_wheel

HERE = pathlib.Path(__file__).resolve().parent
NOT_RUNTIME = ("python", "rust", "build*", "*.md") # of its folder


def runtime():
    for folder in (HERE / "runtime", HERE.parent):
        if (folder / "ttsb.h").is_file():
            return folder
    sys.exit("ttsb: no ttsb.h in runtime/ or one folder up: build from the "
             "tree (with pip 21.3 or newer) or from a source distribution")


def cmake(source, build, target, *options):
    """Builds one target of a folder."""
    try:
        subprocess.run(["cmake", "-S", source, "-B", build,
                        "-DCMAKE_BUILD_TYPE=Release", *options], check=True)
        subprocess.run(["cmake", "--build", build, "--target", target],
                       check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        sys.exit(f"ttsb: {error}\n"
                 "ttsb: the build needs cmake 3.25 or newer, a C compiler and "
                 "xxhash.h (Debian: cmake build-essential libxxhash-dev)")


class Build(build_py):
    """The modules, and the libraries beside them."""

    def run(self):
        super().run()
        package = HERE / "src" / "ttsb" if self.editable_mode else \
            pathlib.Path(self.build_lib) / "ttsb"
        with tempfile.TemporaryDirectory() as holder:
            build = pathlib.Path(holder)
            cmake(runtime(), build / "runtime", "ttsb", "-DTTSW_CUDA=OFF")
            cmake(HERE, build / "capsule", "ttsb_capsule",
                  f"-DTTSB_RUNTIME={runtime()}")
            for name in ("libttsb.so.1", "libttsb_capsule.so"):
                shutil.copyfile(next(build.glob(f"**/{name}")), package / name)


class Wheel(bdist_wheel):
    """For this platform and any Python 3: nothing is linked with Python."""

    def finalize_options(self):
        super().finalize_options()
        self.root_is_pure = False

    def get_tag(self):
        return ("py3", "none", super().get_tag()[2])


class Source(sdist):
    """With the C files."""

    def make_release_tree(self, base_dir, files):
        super().make_release_tree(base_dir, files)
        shutil.copytree(runtime(), pathlib.Path(base_dir) / "runtime",
                        ignore=shutil.ignore_patterns(*NOT_RUNTIME),
                        dirs_exist_ok=True)


class Platform(Distribution):
    def has_ext_modules(self):
        return True


setup(distclass=Platform,
      cmdclass={"build_py": Build, "bdist_wheel": Wheel, "sdist": Source})

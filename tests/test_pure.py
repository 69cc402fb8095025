#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""compile and header are functions of what is named on their command line:
the same bytes from another folder, user, clock, zone, language, host, number
of threads, with an empty environment, read-only inputs and no network; and
they open what the depfile lists and nothing else.

The last is seen by a library that is loaded before the others and writes down
what the program and its libraries ask of the system. Argument: a C compiler."""
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import unittest

import checkpoints as ck
from test_daily import PART, SPEC, read_depfile

CC = sys.argv[1] if len(sys.argv) > 1 else "cc"
NOBODY = 65534

# Every call by which a program can learn of something outside; each is
# written down and passed on, but for the clock, which goes ten years wrong.
WATCH = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void say(const char *what, const char *path)
{
    char line[5000];
    int n = snprintf(line, sizeof line, "%s %s\n", what, path);
    long fd = syscall(SYS_openat, AT_FDCWD, LOG, O_WRONLY | O_CREAT | O_APPEND, 0666);
    if (fd < 0 || syscall(SYS_write, fd, line, n) != n)
        syscall(SYS_exit_group, 66);
    syscall(SYS_close, fd);
}
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define MODE(flags)                                                           \
    mode_t mode = 0;                                                           \
    if ((flags) & O_CREAT || ((flags) & O_TMPFILE) == O_TMPFILE) {             \
        va_list more;                                                          \
        va_start(more, flags);                                                 \
        mode = va_arg(more, mode_t);                                           \
        va_end(more);                                                          \
    }                                                                          \
    say(((flags) & O_ACCMODE) == O_RDONLY ? "read" : "write", path)
#define OPEN(name)                                                             \
    int name(const char *path, int flags, ...)                                 \
    {                                                                          \
        MODE(flags);                                                           \
        return NEXT(name)(path, flags, mode);                                  \
    }
#define OPENAT(name)                                                           \
    int name(int at, const char *path, int flags, ...)                         \
    {                                                                          \
        MODE(flags);                                                           \
        return NEXT(name)(at, path, flags, mode);                              \
    }
#define FOPEN(name)                                                            \
    FILE *name(const char *path, const char *mode)                             \
    {                                                                          \
        say(mode[0] == 'r' ? "read" : "write", path);                          \
        return NEXT(name)(path, mode);                                         \
    }
#define STAT(name, type)                                                       \
    int name(const char *path, struct type *st)                                \
    {                                                                          \
        say("look", path);                                                     \
        return NEXT(name)(path, st);                                           \
    }
OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)
FOPEN(fopen)
FOPEN(fopen64)
STAT(stat, stat)
STAT(stat64, stat64)
STAT(lstat, stat)
STAT(lstat64, stat64)
DIR *opendir(const char *path)
{
    say("read", path);
    return NEXT(opendir)(path);
}
int access(const char *path, int mode)
{
    say("look", path);
    return NEXT(access)(path, mode);
}
ssize_t readlink(const char *path, char *out, size_t size)
{
    say("look", path);
    return NEXT(readlink)(path, out, size);
}
char *getenv(const char *name)
{
    say("getenv", name);
    return NEXT(getenv)(name);
}
char *secure_getenv(const char *name)
{
    say("getenv", name);
    return NEXT(secure_getenv)(name);
}
int clock_gettime(clockid_t id, struct timespec *now)
{
    int result = NEXT(clock_gettime)(id, now);
    say("clock", id == CLOCK_MONOTONIC ? "monotonic" : "of day");
    now->tv_sec += 315360000;
    return result;
}
"""
# What the program must not even be linked with: other ways to the outside.
FORBIDDEN = """
    syscall openat2 open_by_handle_at creat freopen fopen64 fstatat statx scandir nftw
    fts_open glob realpath getcwd socket connect getaddrinfo gethostname uname getuid
    getpid getpwuid getlogin time gettimeofday localtime localtime_r rand random drand48
    getrandom getentropy arc4random setlocale dlopen system popen execve fork vfork
    posix_spawn sysinfo getloadavg """.split()


def shards(folder):
    """A checkpoint of two shards with an index, as a folder."""
    folder.mkdir()
    weight, bias = b"\0\0\x80?" * 12, b"\0\0\0?" * 4
    ck.write(folder / "a.safetensors", {"fc.weight": ("F32", [4, 3], weight)})
    ck.write(folder / "b.safetensors", {"fc.bias": ("F32", [4], bias)})
    (folder / "model.safetensors.index.json").write_text(json.dumps(
        {"metadata": {"total_size": 64}, "weight_map": {
            "fc.weight": "a.safetensors", "fc.bias": "b.safetensors"}}))


class Case:
    """A command line whose inputs are named from the folder that holds them."""

    def __init__(self, name, spec, checkpoint):
        self.name, self.spec, self.checkpoint = name, spec, checkpoint

    def command(self, root, out, kind):
        extra = [root / self.checkpoint, "-q"] if kind == "compile" else []
        return [kind, root / self.spec, *extra, "-o", out, "-MD"]


CASES = [Case("gpt", "indextts2/gpt_tiny.yaml", "gpt_tiny.safetensors"),
         Case("features", "examples/features.yaml", "features.safetensors"),
         Case("shards", "shards.yaml", "sharded")]


class Pure(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        cls.dir = pathlib.Path(holder.name)
        cls.inputs, cls.work = cls.dir / "inputs", cls.dir / "work"
        cls.inputs.mkdir()
        for part in ("indextts2", "examples"):
            shutil.copytree(ck.SPECS / part, cls.inputs / part)
        for path in (ck.FIXTURES / "gpt/gpt_tiny.safetensors",
                     ck.FIXTURES / "features/features.safetensors"):
            shutil.copy(path, cls.inputs)
        (cls.inputs / "parts").mkdir()
        (cls.inputs / "shards.yaml").write_text(SPEC)
        (cls.inputs / "parts/part.yaml").write_text(PART)
        shards(cls.inputs / "sharded")
        cls.program = cls.dir / "ttswc"
        shutil.copy(ck.TTSWC, cls.program)
        # The bytes that are expected: from here, with all that is here.
        cls.expected, cls.said = {}, {}
        for case in CASES:
            for kind in ("compile", "header"):
                out = cls.dir / f"{case.name}.{kind}"
                done = subprocess.run(
                    [cls.program, *case.command(cls.inputs, out, kind)],
                    check=True, capture_output=True, text=True)
                cls.expected[case.name, kind] = out.read_bytes()
                cls.said[case.name, kind] = done.stderr.replace(str(cls.inputs), "")

    def setUp(self):
        self.work.mkdir()
        self.addCleanup(shutil.rmtree, self.work)

    def each(self, root, start=(), after=lambda *_: None, **options):
        """Runs all cases with the inputs in root; after(case, kind, output)."""
        for case in CASES:
            for kind in ("compile", "header"):
                with self.subTest(case=case.name, kind=kind):
                    out = self.work / f"{case.name}.{kind}"
                    done = subprocess.run(
                        [*start, self.program, *case.command(root, out, kind)],
                        capture_output=True, text=True, **options)
                    self.assertEqual(done.returncode, 0, done.stderr)
                    self.assertEqual(done.stderr.replace(str(root), ""),
                                     self.said[case.name, kind])
                    # No assertEqual: it would print the blob.
                    self.assertTrue(out.read_bytes() == self.expected[case.name, kind],
                                    "other bytes")
                    after(case, kind, out)

    def test_empty_environment_elsewhere(self):
        os.chdir(self.work)
        self.addCleanup(os.chdir, ck.ROOT)
        relative = pathlib.Path(os.path.relpath(self.inputs))
        self.each(relative, env={})

    def test_other_environments(self):
        for env in ({"HOME": "/nonexistent", "TZ": "Pacific/Kiritimati",
                     "LANG": "tr_TR.UTF-8", "LC_ALL": "de_DE.UTF-8", "USER": "else"},
                    {"HOME": str(self.work), "TZ": "UTC", "LC_ALL": "C",
                     "TMPDIR": "/nonexistent", "SOURCE_DATE_EPOCH": "1",
                     "OMP_NUM_THREADS": "3", "TERM": "xterm"}):
            self.each(self.inputs, env=env)

    def test_jobs_and_umask(self):
        case = CASES[0]
        for jobs, umask in ((1, 0o077), (2, 0o002), (7, 0o022)):
            out = self.work / f"{jobs}.ttsb"
            subprocess.run([self.program, *case.command(self.inputs, out, "compile"),
                            "-j", str(jobs)], check=True, umask=umask)
            self.assertTrue(out.read_bytes() == self.expected[case.name, "compile"])

    def test_read_only_inputs_of_another_user(self):
        """Root may write anywhere, so that another user is taken for it."""
        copy = self.work / "copy"
        shutil.copytree(self.inputs, copy)
        who = {}
        if os.getuid() == 0:
            who = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            for path in (self.dir, self.work):
                path.chmod(0o777)
        for path in (copy, *copy.rglob("*")):
            path.chmod(0o555 if path.is_dir() else 0o444)
        self.addCleanup(self.writable, copy)
        self.assertNotEqual(subprocess.run(
            ["touch", copy / "new"], stderr=subprocess.DEVNULL, **who).returncode, 0)
        before = {p: p.stat() for p in copy.rglob("*")}
        self.each(copy, env={}, **who)
        after = {p: p.stat() for p in copy.rglob("*")}
        self.assertEqual({p: (s.st_mtime_ns, s.st_ino, s.st_size) for p, s in
                          before.items()},
                         {p: (s.st_mtime_ns, s.st_ino, s.st_size) for p, s in
                          after.items()})

    @staticmethod
    def writable(folder):
        for path in (folder, *folder.rglob("*")):
            if stat.S_ISDIR(path.stat().st_mode):
                path.chmod(0o755)

    def test_without_network_on_another_host(self):
        """In namespaces of its own, with the inputs mounted read-only."""
        script = ('mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && '
                  'hostname elsewhere && test ! -w "$0" && exec "$@"')
        start = ["unshare", "--map-root-user", "--net", "--mount", "--uts", "sh", "-c",
                 script, self.inputs]
        try:
            tried = subprocess.run([*start, "true"], capture_output=True, text=True)
            why = tried.stderr.strip() if tried.returncode else None
        except FileNotFoundError as error:
            why = str(error)
        if why is not None:
            print(f"skipped: no network namespace here: {why}", file=sys.stderr)
            self.skipTest(why)
        self.each(self.inputs, start)

    def test_what_is_opened_is_what_the_depfile_lists(self):
        library, log = self.work / "watch.so", self.work / "log"
        source = self.work / "watch.c"
        source.write_text(WATCH)
        subprocess.run([CC, "-shared", "-fPIC", "-O1", "-U_FORTIFY_SOURCE",
                        f'-DLOG="{log}"', source, "-o", library, "-ldl"], check=True)

        def compare(case, kind, out):
            calls = [line.split(" ", 1) for line in log.read_text().splitlines()]
            log.unlink()
            seen = {what: {p for w, p in calls if w == what}
                    for what in ("read", "write", "look", "getenv", "clock")}
            self.assertLessEqual({w for w, _ in calls}, set(seen))
            target, *declared = read_depfile(pathlib.Path(f"{out}.d").read_text())
            self.assertEqual(target, str(out))
            # A checkpoint that is a folder is searched for its index, which is
            # declared, and the output's folder is synced.
            folders = {f"{self.work}/"}
            if (self.inputs / case.checkpoint).is_dir():
                folders.add(str(self.inputs / case.checkpoint))
            self.assertEqual(seen["read"] - folders, set(declared))
            for path in seen["look"]:
                self.assertTrue(path in {*declared, *folders} or
                                path.startswith(f"{self.work}/"), path)
            for path in seen["write"]:
                self.assertTrue(path.startswith(f"{self.work}/"), path)
            # How a terminal wants its colours, which of its equal SHA-256 nettle
            # takes, and how long a run takes.
            self.assertLessEqual(seen["getenv"], {
                "NO_COLOR", "TERM", "NETTLE_FAT_OVERRIDE", "NETTLE_FAT_VERBOSE"})
            self.assertLessEqual(seen["clock"], {"monotonic"})

        self.each(self.inputs, after=compare, env={"LD_PRELOAD": str(library)})

    def test_no_other_way_out(self):
        """What WATCH does not see, the program does not call."""
        text = subprocess.run(["nm", "-D", "--undefined-only", self.program], check=True,
                              capture_output=True, text=True).stdout
        called = {re.sub(r"@.*", "", line.split()[-1]) for line in text.splitlines()}
        self.assertIn("open", {name.replace("64", "") for name in called})
        self.assertEqual(called & set(FORBIDDEN), set())


if __name__ == "__main__":
    done = unittest.main(argv=sys.argv[:1], exit=False).result
    # What was left out must not look like what passed.
    sys.exit(1 if not done.wasSuccessful() else 77 if done.skipped else 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Help, completion and manual pages, which one table of options makes.

Every option that `ttswc help COMMAND` lists is completed and has its paragraph in
the manual page; the shells and the formatter are run where the machine has them,
and a test is skipped by name where it has not."""
import os
import pathlib
import pty
import re
import shlex
import shutil
import subprocess
import tempfile
import unittest

import checkpoints as ck

COMMANDS = re.findall(r"^  (\w+) ", ck.ttswc("help")[0].split("commands:")[1], re.M)
SORTS = ["dtype", "file", "name", "size"]
WHENS = ["always", "auto", "never"]


def options(command):
    """[(names, value)] of the help: (["-o", "--output"], "FILE")."""
    text = ck.ttswc("help", command)[0].split("\noptions:\n")[1]
    heads = [line[2:28].strip() for line in text.split("\n") if line.startswith("  -")]
    found = [re.fullmatch(r"([\w-]+(?:, --[\w-]+)?)(?: (\S+)|\[=\w+\])?", h) for h in heads]
    return [(m.group(1).split(", "), m.group(2) or "") for m in found]


def script(shell):
    return ck.ttswc("help", "--completion", shell)[0]


def bash(line, folder=ck.ROOT, setup=""):
    """What bash's completion offers at the end of a line."""
    words = re.findall(r"=|[^\s=]+", line) + ([""] if line.endswith(" ") else [])
    run = (f"{script('bash')}\n{setup}\nCOMP_WORDS=({shlex.join(words)})\n"
           f"COMP_CWORD={len(words) - 1}\n_ttswc\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n")
    done = subprocess.run(["bash", "--norc", "-u", "-c", run], cwd=folder, text=True,
                          capture_output=True, check=True)
    assert done.stderr == "", done.stderr
    return sorted(w for w in done.stdout.split("\n") if w)


def typed(keys):
    """What an interactive bash shows when it is typed `keys`."""
    with tempfile.TemporaryDirectory() as folder:
        pathlib.Path(folder, "rc").write_text(
            script("bash") + "ttswc() { printf '<%s>' ran \"$@\"; }\nPS1='re''ady>'\n")
        pathlib.Path(folder, "a model.safetensors").touch()
        child, terminal = pty.fork()
        if child == 0:
            os.chdir(folder)
            os.execvpe("bash", ["bash", "--rcfile", "rc", "-i"],
                       {**os.environ, "TERM": "dumb", "INPUTRC": "/dev/null"})
        seen = b""
        try:
            while b"ready>" not in seen:
                seen += os.read(terminal, 4096)
            os.write(terminal, keys.encode() + b"\nexit\n")
            while True:
                seen += os.read(terminal, 4096)
        except OSError: # how a terminal ends
            pass
        os.waitpid(child, 0)
        os.close(terminal)
        return seen.decode()


class Help(unittest.TestCase):
    def test_width(self):
        for command in COMMANDS:
            for line in ck.ttswc(*["help", command][:1 + (command != "help")])[0].split("\n"):
                self.assertLessEqual(len(line), 80, line)

    def test_the_help_is_read_here(self):
        self.assertIn((["-o", "--output"], "FILE"), options("compile"))
        self.assertIn((["--source"], "NAME=PATH"), options("compile"))
        self.assertIn((["-MF", "--depfile-name"], "NAME"), options("header"))
        self.assertIn((["--stats"], ""), options("compile"))
        for command in COMMANDS[:-1]:
            text = ck.ttswc("help", command)[0]
            self.assertEqual(len(options(command)), len(re.findall(r"^  -", text, re.M)))

    def test_refused(self):
        for args in (("--completion",), ("--completion", "tcsh"), ("--man", "nothing"),
                     ("--man", "check", "x"), ("--completion", "bash", "x")):
            out, err = ck.ttswc("help", *args, code=2)
            self.assertEqual(out, "")
            self.assertIn("ttswc: error: ", err)


@unittest.skipUnless(shutil.which("bash"), "no bash")
class Bash(unittest.TestCase):
    def test_commands(self):
        self.assertEqual(bash("ttswc "), sorted([*COMMANDS, "--help", "--version"]))
        self.assertEqual(bash("ttswc co"), ["compile"])
        self.assertEqual(bash("ttswc help ins"), ["inspect"])

    def test_options(self):
        for command in COMMANDS[:-1]:
            want = sorted(name for names, _ in options(command) for name in names)
            self.assertEqual(bash(f"ttswc {command} -"), want)
        self.assertEqual(bash("ttswc compile spec.yaml --allow-p"), ["--allow-partial-weights"])
        self.assertEqual(bash("ttswc verify --so"), [])

    def test_words_of_an_option(self):
        for line, want in (("inspect --sort ", SORTS), ("inspect --sort=", SORTS),
                           ("inspect --sort=n", ["name"]), ("compile --progress al", ["always"]),
                           ("check --color ", WHENS), ("map --diagnostics=", ["json", "text"]),
                           ("check -j ", []), ("diff --rtol=", [])):
            self.assertEqual(bash(f"ttswc {line}"), want, line)

    def test_files(self):
        with tempfile.TemporaryDirectory() as folder:
            for name in ("spec.yaml", "a b.safetensors", "-odd"):
                pathlib.Path(folder, name).touch()
            every = ["-odd", "a b.safetensors", "spec.yaml"]
            for line, want in (("check ", every), ("check sp", ["spec.yaml"]),
                               ("compile -o ", every), ("compile --output=s", ["spec.yaml"]),
                               ("compile --source voc=a", ["a b.safetensors"]),
                               ("compile --source voc=", every), ("compile --stats=", every),
                               ("compile --stats sp", ["spec.yaml"]),
                               ("export --inverse ", every), ("explain sp", ["spec.yaml"])):
                self.assertEqual(bash(f"ttswc {line}", folder), want, line)

    def test_ids(self):
        self.assertEqual(bash("ttswc explain E040"), [f"E040{i}" for i in range(1, 10)])
        self.assertIn("W0611", bash("ttswc stats --allow "))
        self.assertEqual(bash("ttswc explain spec.yaml E0404"), [])

    def test_at_a_terminal(self):
        for keys, want in (("ttswc ver\t a\t", "<ran><verify><a model.safetensors>"),
                           ("ttswc inspect --sort=n\t x", "<ran><inspect><--sort=name><x>"),
                           ("ttswc comp\tx --allow-\t", "<ran><compile><x><--allow-")):
            self.assertIn(want, typed(keys))


class OtherShells(unittest.TestCase):
    @unittest.skipUnless(shutil.which("zsh"), "no zsh")
    def test_zsh_syntax(self):
        done = subprocess.run(["zsh", "-f", "-n"], input=script("zsh"), text=True,
                              capture_output=True)
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    @unittest.skipUnless(shutil.which("fish"), "no fish")
    def test_fish(self):
        for line, want in (("verify --co", ["--color"]), ("inspect --sort ", SORTS),
                           ("explain E041", ["E0410", "E0411", "E0412", "E0413"])):
            done = subprocess.run(["fish", "--no-config", "-c",
                                   f"source; complete -C 'ttswc {line}'"],
                                  input=script("fish"), text=True, capture_output=True)
            self.assertEqual(done.stderr, "")
            self.assertEqual([w.split("\t")[0] for w in done.stdout.splitlines()], want)

    def test_every_option_is_there(self):
        for shell, pattern in (("zsh", "[{{,* ']-*{}[={{}},+']"), ("fish", "-[slo] {} ")):
            text = script(shell)
            for command in COMMANDS[:-1]:
                part = re.search(rf"^    {command}\)\n(.*?);;", text, re.M | re.S)
                part = part.group(1) if shell == "zsh" else "\n".join(
                    l for l in text.split("\n") if f"'__ttswc_is {command}'" in l)
                for names, _ in options(command):
                    for n in names:
                        self.assertRegex(part, pattern.format(n.lstrip("-")))


def formatted(page):
    """A manual page as text; groff's or man's warnings are failures."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "page.1")
        path.write_text(page)
        command = (["groff", "-man", "-Tascii", "-ww", "-P-c", path] if shutil.which("groff") else
                   ["man", "--warnings", "-l", path])
        done = subprocess.run(command, capture_output=True, text=True, check=True,
                              env={**os.environ, "MANWIDTH": "78", "LC_ALL": "C"})
        assert done.stderr == "", done.stderr
        return re.sub(r".\x08", "", done.stdout)


class Manual(unittest.TestCase):
    def test_source(self):
        for command in COMMANDS[:-1]:
            page = ck.ttswc("help", "--man", command)[0]
            self.assertTrue(page.startswith(f".TH TTSWC\\-{command.upper()} 1 "))
            for names, value in options(command):
                head = ", ".join(r"\fB" + n.replace("-", r"\-") + r"\fR" for n in names)
                self.assertIn(f".TP\n{head}", page)
                self.assertIn(value, page)
            self.assertEqual(re.findall(r"^['.](?!TH |SH |TP$|nh$|hy$|ad)", page, re.M), [])

    @unittest.skipUnless(shutil.which("groff") or shutil.which("man"), "no groff, no man")
    def test_formatted(self):
        text = formatted(ck.ttswc("help", "--man")[0])
        for command in COMMANDS[:-1]:
            self.assertIn(f"ttswc-{command}(1)", text)
            page = formatted(ck.ttswc("help", "--man", command)[0])
            for heading in ("NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXIT STATUS"):
                self.assertIn(f"\n{heading}\n", page)
            for names, value in options(command):
                head = ", ".join(names) + (f" {value}" if value else "")
                self.assertRegex(page, rf"(?m)^ +{head}(\[=NAME\])?($| )")


if __name__ == "__main__":
    unittest.main()

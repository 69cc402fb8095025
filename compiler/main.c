/* SPDX-License-Identifier: MIT
 *
 * main.c - the table of commands, and what the process needs before any.
 */
#include "commands.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const struct command commands[] = {
    {"compile", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "OSjqPAMFmTBNIp",
     "Compiles CHECKPOINT by SPEC into a blob.\nEverything is checked before "
     "any weight is read; on any error no blob is written.\nA CHECKPOINT is a "
     "safetensors file, a folder or a .safetensors.index.json;\nwhere SPEC has "
     "several sources, each is given with --source.",
     command_compile},
    {"check", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "SqvPEAjp",
     "Checks SPEC against CHECKPOINT, reading headers only.\nNames, dtypes, "
     "shapes, layout, and that every element is used or dropped. Files\nthat "
     "are pinned by `sha256:` are hashed. With --data all values are made, "
     "too, "
     "and\njudged as `compile` would; nothing is written.",
     command_check},
    {"header", "SPEC", 1, 1, "OqMF",
     "Writes the C header of SPEC; needs no checkpoint.\nThe contract id, "
     "constants, struct MODEL_weights and MODEL_bind follow from the\nspec "
     "alone.",
     command_header},
    {"inspect", "FILE [PATTERN...]", 1, ANY_NUMBER, "Jstnu",
     "Lists the tensors of a blob, a checkpoint or a lock.\nFILE is a .ttsb or "
     ".safetensors file, a folder, an index or a lock; only headers\nare read. "
     "With patterns (`*`, `?`, `[...]`, quoted "
     "for the\nshell) only tensors whose name matches one.",
     command_inspect},
    {"export", "BLOB [PATTERN...]", 1, ANY_NUMBER, "OqPVRp",
     "Writes the tensors of a blob as a safetensors file.\nEach tensor under "
     "its own name, an alias as a copy; hashes are checked on the way.\n"
     "With patterns (`*`, `?`, `[...]`, quoted for the shell) only tensors "
     "whose name\nmatches one. --allow-partial-weights takes a PARTIAL blob "
     "and leaves MISSING tensors\nout.\nWith --inverse the sources are "
     "written, "
     "as they were: their names, dtypes, shapes and\nbytes, into FILE, or, "
     "where SPEC has several, into NAME.safetensors in the folder\nFILE. "
     "What is folded, computed, narrowed or dropped cannot be restored; then\n"
     "nothing is written.",
     command_export},
    {"verify", "BLOB", 1, 1, "jqp",
     "Proves every byte of a blob against its hashes.\nDamaged tensors are "
     "named.",
     command_verify},
    {"explain", "ID | SPEC TARGET [CHECKPOINT...]", 1, ANY_NUMBER, "iJS",
     "Explains a diagnostic, or how a tensor is made.\nWith an id (E0404): "
     "what it means, a wrong and a right example; `ids` lists\nall. With a "
     "spec "
     "and a name: the line, the template and indices, the sources, what\nis "
     "done to them, and the type and place of the result; --inverse takes a\n"
     "source's name.",
     command_explain},
    {"map", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "oJSP",
     "Prints where each tensor of SPEC would lie, made from what.\nNo weight "
     "is read; without a CHECKPOINT the places are relative to their groups.",
     command_map},
    {"lock", "CHECKPOINT...", 1, ANY_NUMBER, "oqDjp",
     "Writes names, dtypes and shapes of a checkpoint as text.\nOnly headers "
     "are read. `check`, `map`, `draft` and `mutate` take the text where "
     "they\ntake a checkpoint.",
     command_lock},
    {"draft", "CHECKPOINT...", 1, ANY_NUMBER, "oq",
     "Writes the first text of a spec for a person to go on from.\nAxes are "
     "left as `?`: it does not compile until somebody has named them.",
     command_draft},
    {"stats", "FILE...", 1, ANY_NUMBER, "JHgNjp",
     "Prints statistics of the tensors of a blob or a checkpoint.\nAnd what "
     "looks like weights that nobody trained.",
     command_stats},
    {"diff", "A [B]", 1, 2, "rUaZSJgjp",
     "Compares two files, or two specs: structure, bytes, numbers.\nEach is a "
     "blob, a checkpoint, an .npy or .npz file, or a spec. The exit status "
     "is\n1 if they differ by more than --rtol, --atol and --ulp allow. With "
     "--spec, A is\na blob, and B (or each --source) the checkpoint that it "
     "should have been made of.",
     command_diff},
    {"mutate", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "JSvEj",
     "Makes each slip of a list in SPEC and tells which are noticed.\nNothing "
     "is written. What no check notices is what `expect:` is for.",
     command_mutate},
    {"report", "BLOB", 1, 1, "ONjqp",
     "Writes an HTML page about a blob, to look at.\nOne file, which loads "
     "nothing else.",
     command_report},
    {"pack", "BLOB", 1, 1, "OLjqp",
     "Writes a blob in a smaller form, to ship or to store.\nzstd, after the "
     "bytes of floats are sorted by their place. Proven whole before.",
     command_pack},
    {"unpack", "PACKED", 1, 1, "Ojqp",
     "Restores the blob that `pack` was given, to the byte.\nIts root is "
     "proven before FILE appears.",
     command_unpack},
    {NULL, NULL, 0, 0, NULL, NULL, NULL},
};

/* A stream that the caller closed leaves its number to the next file that is
 * opened, and what is printed would get into that file. The number is taken
 * here, the wrong way round, so that printing fails as it did. */
static bool hold_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 &&
            open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY) != fd)
            return false;
    return true;
}

/* A blob is read where it is mapped; if it is cut short meanwhile, this is how
 * that is told. */
static void on_bus_error(int signal_number)
{
    static const char text[] =
        "ttswc: error: a file became shorter while it was read\n";
    ssize_t written = write(STDERR_FILENO, text, sizeof text - 1);
    (void)signal_number;
    (void)written;
    _exit(EXIT_SYSTEM);
}

int main(int argc, char **argv)
{
    if (!hold_streams())
        return EXIT_SYSTEM; /* there is nowhere to say why */
    /* Findings of two runs at once mix by lines, not by letters. */
    setvbuf(stderr, NULL, _IOLBF, 0);
    /* A file that may not grow is an error of writing, not the end. */
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGBUS, on_bus_error);
    return (int)cli_main(commands, argc, argv);
}

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
    {"compile", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "OSjqPMFmIp",
     "Compiles CHECKPOINT by SPEC into a blob.\nEverything is checked before "
     "any weight is read; on any error no blob is written.\nA CHECKPOINT is a "
     "safetensors file, a folder or a .safetensors.index.json;\nwhere SPEC has "
     "several sources, each is given with --source.",
     command_compile},
    {"check", "SPEC [CHECKPOINT...]", 1, ANY_NUMBER, "SqP",
     "Checks SPEC against CHECKPOINT, reading headers only.\nNames, dtypes, "
     "shapes, layout, and that every element is used or dropped. Files\nthat "
     "are pinned by `sha256:` are hashed.",
     command_check},
    {"header", "SPEC", 1, 1, "OqMF",
     "Writes the C header of SPEC; needs no checkpoint.\nThe contract id, "
     "constants, struct MODEL_weights and MODEL_bind follow from the\nspec "
     "alone.",
     command_header},
    {"inspect", "FILE [PATTERN...]", 1, ANY_NUMBER, "Js",
     "Lists the tensors of a .ttsb or .safetensors file.\nOnly headers are "
     "read. With patterns (`*`, `?`, `[...]`, quoted for the\nshell) only "
     "tensors whose name matches one.",
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

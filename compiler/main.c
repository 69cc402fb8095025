/* SPDX-License-Identifier: MIT
 *
 * main.c - the table of commands.
 */
#include "commands.h"

#include <stddef.h>

static const struct command commands[] = {
    {"compile", "SPEC CHECKPOINT", 2, "OjqP",
     "Compiles CHECKPOINT by SPEC into a blob.\nEverything is checked before "
     "any weight is read; on any error no blob is written.",
     command_compile},
    {"check", "SPEC CHECKPOINT", 2, "qP",
     "Checks SPEC against CHECKPOINT, reading headers only.\nNames, dtypes, "
     "shapes, layout, and that every element is used or dropped.",
     command_check},
    {"header", "SPEC", 1, "Oq",
     "Writes the C header of SPEC; needs no checkpoint.\nThe contract id, "
     "constants, struct MODEL_weights and MODEL_bind follow from the\nspec "
     "alone.",
     command_header},
    {"inspect", "FILE", 1, "J",
     "Lists the tensors of a .ttsb or .safetensors file.\nOnly headers are "
     "read.",
     command_inspect},
    {"verify", "BLOB", 1, "jq",
     "Proves every byte of a blob against its hashes.\nDamaged tensors are "
     "named.",
     command_verify},
    {NULL, NULL, 0, NULL, NULL, NULL},
};

int main(int argc, char **argv)
{
    return (int)cli_main(commands, argc, argv);
}

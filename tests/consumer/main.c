/* SPDX-License-Identifier: MIT
 *
 * main.c - an engine: opens a blob, binds it, prints what sum.cc makes of it.
 */
#include <stdio.h>

#include "sum.h"

int main(int argc, char **argv)
{
    struct ttsb_error error;
    struct ttsb_blob *blob;
    struct indextts2_feat_tiny_weights w;
    const void *bases[INDEXTTS2_FEAT_TINY_GROUP_COUNT];
    error.struct_size = (uint32_t)sizeof error;
    if (argc != 2)
        return 2;
    if (ttsb_open(argv[1], NULL, &blob, &error) != TTSB_OK) {
        fprintf(stderr, "%s\n", error.text);
        return 1;
    }
    ttsb_host_bases(blob, bases, INDEXTTS2_FEAT_TINY_GROUP_COUNT);
    if (indextts2_feat_tiny_bind(blob, bases, &w) != TTSB_OK) {
        indextts2_feat_tiny_require(blob, &error);
        fprintf(stderr, "%s\n", error.text);
        ttsb_close(blob);
        return 1;
    }
    printf("%.9g %.9g %.9g %s\n", (double)w.spk[0], (double)w.emo[0],
           sum_of_rows(&w), ttsb_version());
    ttsb_close(blob);
    return 0;
}

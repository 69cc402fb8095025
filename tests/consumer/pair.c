/* SPDX-License-Identifier: MIT
 *
 * pair.c - the engine of pair.yaml: two tensors of two sources.
 */
#include "pair.h"

#include <stdio.h>

int main(int argc, char **argv)
{
    struct ttsb_blob *blob;
    struct pair_weights w;
    const void *bases[PAIR_GROUP_COUNT];
    int32_t status;
    if (argc != 2 || ttsb_open(argv[1], NULL, &blob, NULL) != TTSB_OK)
        return 2;
    ttsb_host_bases(blob, bases, PAIR_GROUP_COUNT);
    status = pair_bind(blob, bases, &w);
    if (status == TTSB_OK)
        printf("%.9g %.9g\n", (double)w.style[1], (double)w.emotion[1]);
    ttsb_close(blob);
    return status == TTSB_OK ? 0 : 1;
}

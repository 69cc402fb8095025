/* SPDX-License-Identifier: MIT
 *
 * suspicion.c - what looks like weights that nobody trained.
 */
#include "stats.h"

#include <math.h>

bool suspicion_classic(const struct tally *t)
{
    return t->finite > 1 && fabs(tally_std(t) - 0.02) < 0.005 &&
           fabs(t->mean) < 0.001;
}

struct suspicions suspicions_find(struct arena *a, const struct stats *s,
                                  const char *const *allowed, int count)
{
    (void)a;
    (void)s;
    (void)allowed;
    (void)count;
    return (struct suspicions){0};
}

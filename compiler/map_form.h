/* SPDX-License-Identifier: MIT
 *
 * map_form.h - the two forms of a map, and what they are given.
 *
 * In: one thing of a map at a time. Out: its line, or its JSON. Invariant:
 * both forms say the same; map.c decides what there is, in which order.
 */
#ifndef TTSW_MAP_FORM_H
#define TTSW_MAP_FORM_H

#include "dropped.h"
#include "map.h"
#include "uses.h"

struct sums {
    uint64_t tensors, elements, bytes;
};

/* Something dropped; `bytes_known` is false for a subtree without files. */
struct map_dropped {
    const struct dropped *d;
    uint64_t elements, bytes;
    bool bytes_known;
};

struct map_total {
    const char *name;
    struct sums sums;
    bool bytes_known;
};

void map_text_head(struct text *t, const struct map_of *of);
void map_text_group(struct text *t, const struct map_of *of, size_t group);
void map_text_output(struct text *t, const struct map_of *of, uint32_t output,
                     const struct uses *uses);
void map_text_dropped(struct text *t, const struct map_of *of,
                      const struct map_dropped *d);
void map_text_totals(struct text *t, const struct map_total *totals, size_t n);

/* The keys around and between the lists are map.c's. */
void map_json_group(struct text *t, const struct map_of *of, size_t group);
void map_json_output(struct text *t, const struct map_of *of, uint32_t output,
                     const struct uses *uses);
void map_json_dropped(struct text *t, const struct map_of *of,
                      const struct map_dropped *d);
void map_json_tail(struct text *t, const struct map_of *of,
                   const struct map_total *totals, size_t n);

#endif

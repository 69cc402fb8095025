/* SPDX-License-Identifier: MIT
 *
 * layout.c - one pass over the outputs.
 */
#include "layout.h"

#include "size.h"

static bool place(struct model *m, struct output *o, uint64_t *cursor)
{
    if (o->alias_of != TTSB_NO_TENSOR) {
        o->offset = m->outputs[o->alias_of].offset;
        return true;
    }
    return size_align(*cursor, m->spec->align, &o->offset) &&
           size_add(o->offset, o->size, cursor);
}

bool layout_model(struct diag *d, struct model *m)
{
    uint64_t total = 0;
    for (size_t g = 0; g < m->group_count; g++) {
        struct group *group = &m->groups[g];
        uint64_t cursor = 0;
        bool ok = true;
        for (uint32_t i = 0; i < group->count && ok; i++)
            ok = place(m, &m->outputs[group->first + i], &cursor);
        ok = ok && size_align(cursor, TTSB_GROUP_ALIGN, &group->size) &&
             size_add(total, group->size, &total);
        if (ok)
            continue;
        diag_add(d, "E0111", diag_at(m->spec->model_at),
                 "the blob would be larger than 2^63 - 1 bytes");
        return false;
    }
    return true;
}

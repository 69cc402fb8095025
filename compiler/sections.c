/* SPDX-License-Identifier: MIT
 *
 * sections.c - a model as fixed records and pools.
 */
#include "sections.h"

#include <stdlib.h>

#include "size.h"

#define AT(record, type, field) ((record) + offsetof(struct type, field))

static uint64_t piece_count(const struct output *o)
{
    return o->size / TTSB_PIECE_SIZE + (o->size % TTSB_PIECE_SIZE != 0);
}

void sections_number(struct arena *a, const struct model *m,
                     struct file_layout *l)
{
    *l = (struct file_layout){0};
    l->offset = arena_new(a, uint64_t, m->output_count);
    l->first_piece = arena_new(a, uint64_t, m->output_count);
    l->group = arena_new(a, uint64_t, m->group_count);
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        bool alias = o->alias_of != TTSB_NO_TENSOR;
        l->first_piece[i] =
            alias ? l->first_piece[o->alias_of] : l->piece_count;
        l->piece_count += alias ? 0 : piece_count(o);
    }
}

bool sections_place(const struct model *m, uint64_t payload,
                    struct file_layout *l)
{
    l->payload = l->size = payload;
    for (size_t g = 0; g < m->group_count; g++) {
        l->group[g] = l->size;
        for (uint32_t i = 0; i < m->groups[g].count; i++) {
            uint32_t k = m->groups[g].first + i;
            if (!size_add(l->size, m->outputs[k].offset, &l->offset[k]))
                return false;
        }
        if (!size_add(l->size, m->groups[g].size, &l->size))
            return false;
    }
    return true;
}

static void put_bytes(struct text *t, const void *p, size_t n)
{
    text_str(t, (struct str){p, n});
}

static void put_zeros(struct text *t, size_t multiple)
{
    static const char zeros[8] = {0};
    if (t->n % multiple != 0)
        put_bytes(t, zeros, multiple - t->n % multiple);
}

static uint32_t record_flags(const struct output *o)
{
    return (o->alias_of != TTSB_NO_TENSOR ? TTSB_RECORD_ALIAS : 0) |
           (o->optional ? TTSB_RECORD_OPTIONAL : 0) |
           (o->absent ? TTSB_RECORD_ABSENT : 0) |
           (o->missing ? TTSB_RECORD_MISSING : 0);
}

void sections_index(struct text *t, const struct model *m,
                    const struct file_layout *l)
{
    uint32_t name = 0;
    for (size_t i = 0; i < m->output_count; i++) {
        const struct output *o = &m->outputs[i];
        uint8_t r[sizeof(struct ttsb_disk_record)] = {0};
        store_u32(AT(r, ttsb_disk_record, name_offset), name);
        store_u16(AT(r, ttsb_disk_record, name_length), (uint16_t)o->name.n);
        *AT(r, ttsb_disk_record, dtype) = (uint8_t)o->dtype;
        *AT(r, ttsb_disk_record, rank) = (uint8_t)o->type.rank;
        store_u32(AT(r, ttsb_disk_record, flags), record_flags(o));
        store_u32(AT(r, ttsb_disk_record, group), o->group);
        store_u32(AT(r, ttsb_disk_record, alias_of), o->alias_of);
        store_u64(AT(r, ttsb_disk_record, offset), l->offset[i]);
        store_u64(AT(r, ttsb_disk_record, size), o->size);
        store_u64(AT(r, ttsb_disk_record, first_piece), l->first_piece[i]);
        for (uint32_t k = 0; k < o->type.rank; k++)
            store_u64(AT(r, ttsb_disk_record, dims) + 8 * k,
                      o->type.axes[k].size);
        put_bytes(t, r, sizeof r);
        name += (uint32_t)o->name.n + 1;
    }
}

static int compare_names(const void *x, const void *y, void *outputs)
{
    const struct output *o = outputs;
    return str_order(o[*(const uint32_t *)x].name,
                     o[*(const uint32_t *)y].name);
}

void sections_nameord(struct arena *a, struct text *t, const struct model *m)
{
    uint32_t *order = arena_new(a, uint32_t, m->output_count);
    for (uint32_t i = 0; i < m->output_count; i++)
        order[i] = i;
    qsort_r(order, m->output_count, sizeof *order, compare_names, m->outputs);
    for (size_t i = 0; i < m->output_count; i++) {
        uint8_t b[4];
        store_u32(b, order[i]);
        put_bytes(t, b, sizeof b);
    }
}

void sections_names(struct text *t, const struct model *m)
{
    for (size_t i = 0; i < m->output_count; i++) {
        text_str(t, m->outputs[i].name);
        put_bytes(t, "", 1);
    }
    for (size_t i = 0; i < m->group_count; i++) {
        text_str(t, m->groups[i].name);
        put_bytes(t, "", 1);
    }
}

void sections_groups(struct text *t, const struct model *m,
                     const struct file_layout *l)
{
    uint32_t name = 0;
    for (size_t i = 0; i < m->output_count; i++)
        name += (uint32_t)m->outputs[i].name.n + 1;
    for (size_t i = 0; i < m->group_count; i++) {
        const struct group *g = &m->groups[i];
        uint8_t r[sizeof(struct ttsb_disk_group)] = {0};
        store_u32(AT(r, ttsb_disk_group, name_offset), name);
        store_u16(AT(r, ttsb_disk_group, name_length), (uint16_t)g->name.n);
        store_u16(AT(r, ttsb_disk_group, place), (uint16_t)g->place);
        store_u32(AT(r, ttsb_disk_group, align), m->spec->align);
        store_u32(AT(r, ttsb_disk_group, first_tensor), g->first);
        store_u32(AT(r, ttsb_disk_group, tensor_count), g->count);
        store_u64(AT(r, ttsb_disk_group, offset), l->group[i]);
        store_u64(AT(r, ttsb_disk_group, size), g->size);
        put_bytes(t, r, sizeof r);
        name += (uint32_t)g->name.n + 1;
    }
}

/* --- CONST --- */

static void put_item(struct text *t, const struct constant_value *v, size_t i)
{
    const struct constant_item *item = &v->as->items[i];
    uint8_t b[8];
    uint64_t bits = 0;
    switch (item->kind) {
    case CONSTANT_INTEGER:
        store_u64(b, (uint64_t)v->integers[i]);
        put_bytes(t, b, 8);
        break;
    case CONSTANT_DECIMAL:
        memcpy(&bits, &item->decimal, sizeof bits);
        store_u64(b, bits);
        put_bytes(t, b, 8);
        break;
    case CONSTANT_STRING:
        store_u32(b, (uint32_t)item->text.n);
        put_bytes(t, b, 4);
        text_str(t, item->text);
        put_bytes(t, "", 1);
        put_zeros(t, 8);
        break;
    }
}

void sections_const(struct text *t, const struct model *m)
{
    size_t entries = sizeof(struct ttsb_disk_const_head);
    uint8_t r[sizeof(struct ttsb_disk_const)] = {0};
    store_u32(r, (uint32_t)m->constant_count);
    put_bytes(t, r, entries);
    for (size_t i = 0; i < m->constant_count; i++)
        put_bytes(t, (uint8_t[sizeof r]){0}, sizeof r);
    for (size_t i = 0; i < m->constant_count; i++) {
        const struct constant *c = m->constants[i].as;
        size_t name = t->n, value;
        text_str(t, c->name);
        put_bytes(t, "", 1);
        put_zeros(t, 8);
        value = t->n;
        for (size_t k = 0; k < c->count; k++)
            put_item(t, &m->constants[i], k);
        store_u32(AT(r, ttsb_disk_const, name_offset), (uint32_t)name);
        store_u32(AT(r, ttsb_disk_const, name_length), (uint32_t)c->name.n);
        store_u32(AT(r, ttsb_disk_const, type),
                  (uint32_t)c->items[0].kind + TTSB_CONST_I64 +
                      (c->is_list ? TTSB_CONST_LIST : 0));
        store_u32(AT(r, ttsb_disk_const, items), (uint32_t)c->count);
        store_u32(AT(r, ttsb_disk_const, value_offset), (uint32_t)value);
        store_u32(AT(r, ttsb_disk_const, value_size), (uint32_t)(t->n - value));
        memcpy(t->p + entries + i * sizeof r, r, sizeof r);
    }
}

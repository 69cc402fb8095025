/* SPDX-License-Identifier: MIT
 *
 * nametab.c - a hash table with linear probing, in an arena.
 */
#include "nametab.h"

static struct nametab_slot *slot_of(const struct nametab *t, struct str name)
{
    size_t i = (size_t)str_hash(name) & (t->capacity - 1);
    while (t->slots[i].used && !str_eq(t->slots[i].name, name))
        i = (i + 1) & (t->capacity - 1);
    return &t->slots[i];
}

static void widen(struct arena *a, struct nametab *t)
{
    struct nametab old = *t;
    t->capacity = old.capacity == 0 ? 64 : old.capacity * 2;
    t->slots = arena_new(a, struct nametab_slot, t->capacity);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i].used)
            *slot_of(t, old.slots[i].name) = old.slots[i];
}

void nametab_reserve(struct arena *a, struct nametab *t, size_t n)
{
    t->capacity = 64;
    while (t->capacity / 4 * 3 <= n)
        t->capacity *= 2;
    t->slots = arena_new(a, struct nametab_slot, t->capacity);
}

bool nametab_add(struct arena *a, struct nametab *t, struct str name,
                 uint32_t *value)
{
    struct nametab_slot *s;
    if (t->count >= t->capacity / 4 * 3)
        widen(a, t);
    s = slot_of(t, name);
    if (s->used) {
        *value = s->value;
        return false;
    }
    *s = (struct nametab_slot){name, *value, true};
    t->count++;
    return true;
}

bool nametab_find(const struct nametab *t, struct str name, uint32_t *value)
{
    const struct nametab_slot *s;
    if (t->capacity == 0)
        return false;
    s = slot_of(t, name);
    if (s->used)
        *value = s->value;
    return s->used;
}

/* SPDX-License-Identifier: MIT
 *
 * gpu_plan.c - shapes of three models, and SplitMix64 at any place.
 *
 * In: kind and size. Out: shapes and bytes. The word at byte 8 k of tensor t is
 * SplitMix64's output number k of the stream that starts at a mix of t, so that
 * no two tensors are alike and a byte in a wrong place is seen.
 */
#include "gpu_plan.h"

#include <stdio.h>
#include <string.h>

#include "size.h"

#define GAMMA UINT64_C(0x9E3779B97F4A7C15)
#define EVEN_TENSORS 200
#define EVEN_GROUPS 8
#define EVEN_COLUMNS 1000
#define GPT_TENSORS 690
#define GPT_PERIOD 6 /* one large, one medium, four vectors */
#define GPT_COLUMNS 1280
#define SMALL_ITEMS 1024
#define MAX_TENSORS 1000000

static const char *const kind_names[GPU_KINDS] = {"even", "gpt", "small"};

bool gpu_kind_named(const char *name, enum gpu_kind *kind)
{
    for (int i = 0; i < GPU_KINDS; i++) {
        if (strcmp(name, kind_names[i]) != 0)
            continue;
        *kind = (enum gpu_kind)i;
        return true;
    }
    return false;
}

bool gpu_plan(enum gpu_kind kind, uint64_t bytes, struct gpu_plan *plan)
{
    *plan = (struct gpu_plan){.kind = kind, .groups = 1};
    if (kind == GPU_EVEN) {
        plan->tensors = EVEN_TENSORS;
        plan->groups = EVEN_GROUPS;
        plan->rows = bytes / (EVEN_TENSORS * EVEN_COLUMNS * 4);
    } else if (kind == GPU_GPT) {
        plan->tensors = GPT_TENSORS;
        plan->rows = bytes / (GPT_TENSORS / GPT_PERIOD * 3 * GPT_COLUMNS * 4);
    } else {
        if (bytes / (SMALL_ITEMS * 4) > MAX_TENSORS)
            return false;
        plan->tensors = (uint32_t)(bytes / (SMALL_ITEMS * 4));
        plan->rows = plan->tensors;
    }
    return plan->rows != 0 && plan->rows < UINT32_MAX;
}

struct gpu_tensor gpu_plan_tensor(const struct gpu_plan *plan, uint32_t index)
{
    struct gpu_tensor t = {.rank = 2};
    snprintf(t.name, sizeof(t.name), "t_%06u", (unsigned)index);
    if (plan->kind == GPU_EVEN) {
        t.dims[0] = plan->rows;
        t.dims[1] = EVEN_COLUMNS;
        t.group = index / (EVEN_TENSORS / EVEN_GROUPS);
    } else if (plan->kind == GPU_GPT && index % GPT_PERIOD < 2) {
        t.dims[0] = index % GPT_PERIOD == 0 ? 2 * plan->rows : plan->rows;
        t.dims[1] = GPT_COLUMNS;
    } else {
        t.rank = 1;
        t.dims[0] = plan->kind == GPU_GPT ? GPT_COLUMNS : SMALL_ITEMS;
    }
    t.size = t.dims[0] * (t.rank == 2 ? t.dims[1] : 1) * 4;
    return t;
}

static uint64_t mix(uint64_t z)
{
    z = (z ^ z >> 30) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ z >> 27) * UINT64_C(0x94D049BB133111EB);
    return z ^ z >> 31;
}

void gpu_plan_bytes(uint32_t index, uint64_t at, void *out, size_t size)
{
    const uint64_t start = mix(GAMMA * ((uint64_t)index + 1));
    uint8_t *p = out;
    uint8_t last[8];
    for (; size >= 8; size -= 8, p += 8, at += 8)
        store_u64(p, mix(start + GAMMA * (at / 8 + 1)));
    store_u64(last, mix(start + GAMMA * (at / 8 + 1)));
    memcpy(p, last, size);
}

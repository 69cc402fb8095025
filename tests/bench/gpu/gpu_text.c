/* SPDX-License-Identifier: MIT
 *
 * gpu_text.c - see gpu_text.h.
 *
 * In: the plan. Out: texts, written after FORMAT.md: every tensor is a leaf of
 * the checkpoint under its own name, without a constant and without an op.
 */
#include "gpu_text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static void make_room(struct gpu_text *text, size_t size)
{
    if (text->size + size + 1 <= text->room)
        return;
    text->room = 2 * (text->size + size + 1);
    text->bytes = realloc(text->bytes, text->room);
    if (text->bytes == NULL)
        abort();
}

void gpu_text_add(struct gpu_text *text, const char *format, ...)
{
    char line[512];
    va_list args;
    int n;
    va_start(args, format);
    n = vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (n < 0 || (size_t)n >= sizeof(line))
        abort();
    make_room(text, (size_t)n);
    for (int i = 0; i <= n; i++)
        text->bytes[text->size + (size_t)i] = line[i];
    text->size += (size_t)n;
}

static void add_shape(struct gpu_text *text, const struct gpu_tensor *t)
{
    gpu_text_add(text, "[%" PRIu64, t->dims[0]);
    if (t->rank == 2)
        gpu_text_add(text, ",%" PRIu64, t->dims[1]);
    gpu_text_add(text, "]");
}

static void add_hex(struct gpu_text *text, const uint8_t bytes[16])
{
    for (int i = 0; i < 16; i++)
        gpu_text_add(text, "%02x", bytes[i]);
}

static void add_leaf(struct gpu_text *text, const struct gpu_tensor *t,
                     uint32_t index)
{
    gpu_text_add(text, "$%" PRIu32 ":f32 ", index);
    add_shape(text, t);
}

void gpu_text_contract(const struct gpu_plan *plan, const uint64_t *offsets,
                       struct gpu_text *text)
{
    gpu_text_add(text, "ttsb contract 1\nmodel bench\nrevision 1\n");
    for (uint32_t i = 0; i < plan->groups; i++)
        gpu_text_add(text, "group group_%" PRIu32 " device 256\n", i);
    for (uint32_t i = 0; i < plan->tensors; i++) {
        const struct gpu_tensor t = gpu_plan_tensor(plan, i);
        gpu_text_add(text, "tensor %s f32 ", t.name);
        add_shape(text, &t);
        gpu_text_add(text, " group_%" PRIu32 " %" PRIu64 " = ", t.group,
                     offsets[i]);
        add_leaf(text, &t, i);
        gpu_text_add(text, "\n");
    }
}

void gpu_text_meta(const struct gpu_plan *plan, const uint8_t contract[16],
                   const uint8_t *digests, struct gpu_text *text)
{
    gpu_text_add(text, "{\"dropped\":[],\"format\":1,\"sources\":[");
    for (uint32_t i = 0; i < plan->tensors; i++) {
        const struct gpu_tensor t = gpu_plan_tensor(plan, i);
        gpu_text_add(text, "%s{\"digest\":\"", i != 0 ? "," : "");
        add_hex(text, digests + (size_t)i * 16);
        gpu_text_add(text,
                     "\",\"dtype\":\"f32\",\"name\":\"%s\",\"shape\":", t.name);
        add_shape(text, &t);
        gpu_text_add(text, "}");
    }
    gpu_text_add(text, "],\"spec\":{\"contract\":\"");
    add_hex(text, contract);
    gpu_text_add(text, "\"},\"tensors\":[");
    for (uint32_t i = 0; i < plan->tensors; i++) {
        const struct gpu_tensor t = gpu_plan_tensor(plan, i);
        gpu_text_add(text, "%s{\"axes\":[%s],\"name\":\"%s\",", i ? "," : "",
                     t.rank == 2 ? "\"\",\"\"" : "\"\"", t.name);
        gpu_text_add(text, "\"sources\":[\"%s\"],\"value\":\"", t.name);
        add_leaf(text, &t, i);
        gpu_text_add(text, "\"}");
    }
    gpu_text_add(text, "]}");
}

void gpu_text_safetensors(const struct gpu_plan *plan, struct gpu_text *text)
{
    uint64_t at = 0;
    for (uint32_t i = 0; i < plan->tensors; i++) {
        const struct gpu_tensor t = gpu_plan_tensor(plan, i);
        gpu_text_add(text, "%s\"%s\":{\"dtype\":\"F32\",\"shape\":",
                     i != 0 ? "," : "{", t.name);
        add_shape(text, &t);
        gpu_text_add(text, ",\"data_offsets\":[%" PRIu64 ",%" PRIu64 "]}", at,
                     at + t.size);
        at += t.size;
    }
    gpu_text_add(text, "}");
    while (text->size % 8 != 0)
        gpu_text_add(text, " ");
}

/* SPDX-License-Identifier: MIT
 *
 * gpu_plan.h - what tensors the bench's blobs have, and their bytes.
 *
 * In: a kind of model and how large it shall be. Out: names, shapes and groups
 * in file order, and every byte, as a function of tensor and place alone: who
 * checks a copy makes the bytes anew and needs no file for it.
 *
 * Invariant: all tensors are F32; names ascend with the index. Plain values, no
 * allocation.
 */
#ifndef GPU_PLAN_H
#define GPU_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum gpu_kind {
    GPU_EVEN,  /* 200 matrices of one size, in 8 groups */
    GPU_GPT,   /* 690: large and medium matrices, four vectors to two of them */
    GPU_SMALL, /* vectors of 4 KiB */
    GPU_KINDS
};

/* A model, made by gpu_plan. */
struct gpu_plan {
    enum gpu_kind kind;
    uint32_t tensors;
    uint32_t groups;
    uint64_t rows; /* what the size asked for makes of the shapes */
};

struct gpu_tensor {
    char name[16];
    uint32_t rank; /* 1 or 2 */
    uint64_t dims[2];
    uint64_t size; /* bytes */
    uint32_t group;
};

/* Finds the kind with this name (even, gpt, small); false if there is none. */
bool gpu_kind_named(const char *name, enum gpu_kind *kind);

/* A model of about `bytes`; false where there is no room for all its tensors
 * or where it would pass a million of them. */
bool gpu_plan(enum gpu_kind kind, uint64_t bytes, struct gpu_plan *plan);

/* Describes tensor `index`, which is below plan->tensors. */
struct gpu_tensor gpu_plan_tensor(const struct gpu_plan *plan, uint32_t index);

/* Writes bytes [at, at + size) of tensor `index`; both are multiples of 8 or
 * end the tensor. */
void gpu_plan_bytes(uint32_t index, uint64_t at, void *out, size_t size);

#endif

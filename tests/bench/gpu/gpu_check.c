/* SPDX-License-Identifier: MIT
 *
 * gpu_check.c - that the device has the bytes, and that damage is seen there.
 *
 * In: a blob of gpu_make. Out: how many tensors differ from the plan's bytes
 * when they are read back, and what ttsb_cuda_verify says before, during and
 * after a flipped byte.
 */
#include <cuda_runtime_api.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gpu_measure.h"
#include "gpu_plan.h"

#define STEP (UINT64_C(4) << 20)

struct checker {
    struct gpu_worker *worker;
    const struct ttsb_blob *blob;
    struct ttsb_cuda_image *image;
    struct gpu_plan plan;
    uint8_t *back;     /* STEP bytes from the device */
    uint8_t *expected; /* STEP bytes of the plan */
    uint64_t different;
};

static const uint8_t *device_address(const struct checker *c,
                                     const struct ttsb_tensor *t)
{
    const uint8_t *base = ttsb_cuda_bases(c->image)[t->group];
    return base + t->group_offset;
}

static const char *check_tensor(struct checker *c, uint32_t index)
{
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    const struct gpu_tensor planned = gpu_plan_tensor(&c->plan, index);
    bool equal;
    ttsb_tensor_at(c->blob, index, &t, NULL);
    equal = t.size == planned.size && strcmp(t.name, planned.name) == 0;
    for (uint64_t at = 0; equal && at < t.size; at += STEP) {
        const size_t n = (size_t)(t.size - at < STEP ? t.size - at : STEP);
        const cudaError_t e = cudaMemcpy(c->back, device_address(c, &t) + at, n,
                                         cudaMemcpyDeviceToHost);
        if (e != cudaSuccess)
            return gpu_failed(c->worker, "cudaMemcpy", (int)e);
        gpu_plan_bytes(index, at, c->expected, n);
        equal = memcmp(c->back, c->expected, n) == 0;
    }
    c->different += !equal;
    return NULL;
}

/* The byte is read back because a pageable copy may return before the device
 * has it, and the check runs on a stream that does not wait for copies. */
static const char *flip(struct checker *c, const uint8_t *address)
{
    uint8_t byte, back = 0;
    /* The image is read-only for everybody but who damages it. */
    void *target = (void *)(uintptr_t)address;
    cudaError_t e = cudaMemcpy(&byte, address, 1, cudaMemcpyDeviceToHost);
    byte ^= 0x10;
    if (e == cudaSuccess)
        e = cudaMemcpy(target, &byte, 1, cudaMemcpyHostToDevice);
    if (e == cudaSuccess)
        e = cudaMemcpy(&back, address, 1, cudaMemcpyDeviceToHost);
    if (e != cudaSuccess)
        return gpu_failed(c->worker, "flip", (int)e);
    return back == byte ? NULL : "a byte that was flipped is not";
}

/* Bits that are set, and whether the one of `piece` is. */
static uint64_t count_bits(const uint32_t *bad, uint64_t words, uint64_t piece,
                           bool *found)
{
    uint64_t bits = 0;
    for (uint64_t i = 0; i < words; i++)
        bits += (uint64_t)__builtin_popcount(bad[i]);
    *found = (bad[piece / 32] >> piece % 32 & 1) != 0;
    return bits;
}

/* What ttsb_cuda_verify says of a byte that is flipped and flipped back. */
struct verdicts {
    int32_t before;
    int32_t during;
    int32_t after;
    uint64_t bits; /* named while it was flipped */
    bool found;    /* the right one among them */
};

static const char *ask_flipped(struct checker *c, const struct ttsb_tensor *t,
                               uint32_t *bad, struct verdicts *v)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    const uint8_t *middle = device_address(c, t) + t->size / 2;
    const char *failure;
    uint64_t words;
    ttsb_info(c->blob, &info);
    words = (info.piece_count + 31) / 32;
    v->before = ttsb_cuda_verify(c->image, NULL, NULL, 0, NULL);
    failure = flip(c, middle);
    if (failure != NULL)
        return failure;
    v->during = ttsb_cuda_verify(c->image, NULL, bad, words, NULL);
    v->bits =
        count_bits(bad, words, t->first_piece + t->size / 2 / 65536, &v->found);
    failure = flip(c, middle);
    if (failure != NULL)
        return failure;
    v->after = ttsb_cuda_verify(c->image, NULL, NULL, 0, NULL);
    return NULL;
}

/* Flips a byte in the middle of tensor `index`, asks, and flips it back. */
static const char *check_flip(struct checker *c, uint32_t index)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct ttsb_tensor t = {.struct_size = sizeof(t)};
    struct verdicts v = {0};
    const char *failure;
    uint32_t *bad;
    ttsb_info(c->blob, &info);
    ttsb_tensor_at(c->blob, index, &t, NULL);
    bad = calloc((size_t)(info.piece_count + 31) / 32, sizeof(*bad));
    if (bad == NULL)
        abort();
    failure = ask_flipped(c, &t, bad, &v);
    free(bad);
    if (failure != NULL)
        return failure;
    if (v.before == TTSB_OK && v.during == TTSB_DAMAGED_PIECE && v.bits == 1 &&
        v.found && v.after == TTSB_OK)
        return NULL;
    snprintf(c->worker->text, sizeof(c->worker->text),
             "a byte flipped in %s: %s before, %s during with %" PRIu64
             " pieces named%s, %s after",
             t.name, ttsb_status_name(v.before), ttsb_status_name(v.during),
             v.bits, v.found ? "" : ", not the right one",
             ttsb_status_name(v.after));
    return c->worker->text;
}

static const char *check_image(struct checker *c)
{
    const char *failure = NULL;
    for (uint32_t i = 0; i < c->plan.tensors && failure == NULL; i++)
        failure = check_tensor(c, i);
    gpu_reply_number("tensors", c->plan.tensors);
    gpu_reply_number("different", c->different);
    if (failure == NULL && c->different == 0)
        failure = check_flip(c, 0);
    if (failure == NULL && c->different == 0)
        failure = check_flip(c, c->plan.tensors - 1);
    return failure;
}

static const char *check_blob(struct checker *c,
                              const struct ttsb_cuda_options *options)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    const char *failure;
    struct ttsb_blob *blob;
    if (ttsb_open(options->file, NULL, &blob, &c->worker->error) != TTSB_OK)
        return gpu_refused(c->worker, "ttsb_open");
    ttsb_info(blob, &info);
    c->blob = blob;
    if (info.tensor_count != c->plan.tensors)
        failure = "the blob has another number of tensors";
    else if (ttsb_cuda_upload(blob, options, &c->image, &c->worker->error) !=
             TTSB_OK)
        failure = gpu_refused(c->worker, "ttsb_cuda_upload");
    else
        failure = check_image(c);
    ttsb_cuda_release(c->image);
    ttsb_close(blob);
    return failure;
}

const char *gpu_check(struct gpu_worker *w, const struct gpu_request *request)
{
    struct checker c = {.worker = w};
    struct ttsb_cuda_options options;
    const char *name = gpu_request_text(request, "kind");
    const char *failure;
    enum gpu_kind kind;
    if (name == NULL || !gpu_kind_named(name, &kind) ||
        !gpu_plan(kind, gpu_request_number(request, "bytes"), &c.plan))
        return "no such plan";
    if (gpu_options(w, request, &options) != NULL)
        return w->text;
    c.back = malloc(STEP);
    c.expected = malloc(STEP);
    if (c.back == NULL || c.expected == NULL)
        abort();
    failure = check_blob(&c, &options);
    free(c.back);
    free(c.expected);
    return failure;
}

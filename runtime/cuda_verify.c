/* SPDX-License-Identifier: MIT
 *
 * cuda_verify.c - proves an image where it lies, on the device.
 *
 * In: the hashes that the blob's pieces must have. Out: a bit for each piece
 * that has another, and the names of the tensors they belong to. The device
 * hashes; what crosses the bus is a table of 24 bytes a piece, and the bits.
 *
 * Invariant: what is launched has been copied: the conductor has seen its
 * event. A group's bits have words of their own, so that one group's come back
 * while another's are set. Padding, which no hash covers, is proven on the
 * host, in the slot.
 */
#include "cuda_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels_cuda.h"

#define PIECE 65536

/* What one launch is worth, and about what is left to do when the last copy
 * is done; less in a test, whose groups are small. */
#ifndef TTSB__CUDA_BATCH
#define TTSB__CUDA_BATCH (UINT64_C(16) << 20)
#endif

/* A group's pieces. */
struct span {
    uint64_t first; /* piece of the blob */
    uint64_t begin; /* in the table */
    uint64_t end;
    uint64_t word; /* its first one in the bits */
};

struct ttsb__cuda_proof {
    const struct ttsb_cuda_image *image;
    struct span *spans; /* by group */
    bool own_stream;
    cudaStream_t stream;
    cudaEvent_t done;
    uint64_t words;
    uint64_t size; /* of the table and the bits */
    /* Pinned, and the same on the device: the table, sorted by address within
     * a group, and behind it the bits. */
    struct kernel_piece *pieces;
    uint32_t *bad;
    struct kernel_piece *device_pieces;
    uint32_t *device_bad;
    uint64_t reached;  /* pieces of the table that are on the device */
    uint64_t launched; /* ... that are being hashed */
    uint64_t proven;   /* ... that are sound */
    uint64_t from;     /* the group's byte that the next launch begins at */
};

/* ---- The table ---- */

/* The group's next tensor with pieces of its own, from *index on; false if
 * there is none. */
static bool next_owner(const struct ttsb_blob *blob,
                       const struct ttsb_group *group, uint32_t *index,
                       struct ttsb_tensor *tensor)
{
    const uint32_t end = group->first_tensor + group->tensor_count;
    while (*index < end) {
        *tensor = (struct ttsb_tensor){.struct_size = sizeof(*tensor)};
        ttsb_tensor_at(blob, (*index)++, tensor, NULL);
        if (tensor->size != 0 && (tensor->flags & TTSB_RECORD_ALIAS) == 0)
            return true;
    }
    return false;
}

static uint64_t pieces_of(const struct ttsb_tensor *tensor)
{
    return (tensor->size - 1) / PIECE + 1;
}

/* A group of the blob; false for one that is not on the device. */
static bool device_group(const struct ttsb_cuda_image *image, uint32_t index,
                         struct ttsb_group *group)
{
    *group = (struct ttsb_group){.struct_size = sizeof(*group)};
    ttsb_group_at(image->blob, index, group);
    return image->groups[index].size != 0;
}

static uint64_t count_pieces(struct ttsb__cuda_proof *proof)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < proof->image->group_count; i++) {
        struct span *span = &proof->spans[i];
        struct ttsb_tensor tensor;
        struct ttsb_group group;
        const bool counts = device_group(proof->image, i, &group);
        uint32_t at = group.first_tensor;
        span->begin = count;
        span->word = proof->words;
        while (counts && next_owner(proof->image->blob, &group, &at, &tensor)) {
            if (count == span->begin)
                span->first = tensor.first_piece;
            count += pieces_of(&tensor);
        }
        span->end = count;
        proof->words += (span->end - span->begin + 31) / 32;
    }
    return count;
}

static void add_tensor(struct ttsb__cuda_proof *proof, const struct span *span,
                       const struct ttsb_tensor *tensor, const uint8_t *memory)
{
    const uint64_t count = pieces_of(tensor);
    for (uint64_t i = 0; i < count; i++) {
        const uint64_t piece = tensor->first_piece + i;
        const uint64_t left = tensor->size - i * PIECE;
        struct kernel_piece *p =
            &proof->pieces[span->begin + piece - span->first];
        ttsb_piece_hash(proof->image->blob, piece, &p->hash);
        p->bytes = memory + tensor->group_offset + i * PIECE;
        p->size = (uint32_t)(left < PIECE ? left : PIECE);
        p->number = (uint32_t)(span->word * 32 + piece - span->first);
    }
}

static void fill_table(struct ttsb__cuda_proof *proof)
{
    for (uint32_t i = 0; i < proof->image->group_count; i++) {
        struct ttsb_tensor tensor;
        struct ttsb_group group;
        const bool counts = device_group(proof->image, i, &group);
        uint32_t at = group.first_tensor;
        while (counts && next_owner(proof->image->blob, &group, &at, &tensor))
            add_tensor(proof, &proof->spans[i], &tensor,
                       proof->image->groups[i].memory);
    }
}

/* ---- What it takes ---- */

static int32_t make_stream(struct ttsb__cuda_proof *proof, void *stream,
                           struct ttsb_error *error)
{
    const unsigned flags = cudaEventBlockingSync | cudaEventDisableTiming;
    cudaStream_t made = stream;
    cudaEvent_t event;
    int32_t status = TTSB_OK;
    if (stream == NULL)
        status = ttsb__cuda_check(
            cudaStreamCreateWithFlags(&made, cudaStreamNonBlocking),
            TTSB_DEVICE_CALL, "cudaStreamCreateWithFlags", error);
    if (status != TTSB_OK)
        return status;
    proof->own_stream = stream == NULL;
    proof->stream = made;
    status =
        ttsb__cuda_check(cudaEventCreateWithFlags(&event, flags),
                         TTSB_DEVICE_CALL, "cudaEventCreateWithFlags", error);
    if (status == TTSB_OK)
        proof->done = event;
    return status;
}

static int32_t make_tables(struct ttsb__cuda_proof *proof, uint64_t pieces,
                           struct ttsb_error *error)
{
    const size_t table = (size_t)pieces * sizeof(*proof->pieces);
    const size_t size = table + (size_t)proof->words * sizeof(*proof->bad);
    void *memory = NULL;
    int32_t status = ttsb__cuda_check(cudaMalloc(&memory, size),
                                      TTSB_DEVICE_MEMORY, "cudaMalloc", error);
    if (status != TTSB_OK)
        return status;
    proof->device_pieces = memory;
    proof->device_bad = (uint32_t *)((uint8_t *)memory + table);
    status =
        ttsb__cuda_check(cudaHostAlloc(&memory, size, cudaHostAllocDefault),
                         TTSB_NO_MEMORY, "cudaHostAlloc", error);
    if (status != TTSB_OK)
        return status;
    proof->size = size;
    proof->pieces = memory;
    proof->bad = (uint32_t *)((uint8_t *)memory + table);
    fill_table(proof);
    memset(proof->bad, 0, size - table);
    return ttsb__cuda_check(cudaMemcpyAsync(proof->device_pieces, proof->pieces,
                                            size, cudaMemcpyHostToDevice,
                                            proof->stream),
                            TTSB_DEVICE_COPY, "cudaMemcpyAsync", error);
}

int32_t ttsb__cuda_proof_open(struct ttsb_cuda_image *image, void *stream,
                              struct ttsb__cuda_proof **proof,
                              struct ttsb_error *error)
{
    struct ttsb__cuda_proof *made = calloc(1, sizeof(*made));
    int32_t status = TTSB_OK;
    uint64_t pieces;
    *proof = made;
    if (made != NULL)
        made->spans = calloc(image->group_count, sizeof(*made->spans));
    if (made == NULL || made->spans == NULL)
        return ttsb__cuda_fail(error, TTSB_NO_MEMORY, "calloc",
                               "no memory left");
    made->image = image;
    pieces = count_pieces(made);
    status = make_stream(made, stream, error);
    /* A group that is all padding has none. */
    if (status == TTSB_OK && pieces != 0)
        status = make_tables(made, pieces, error);
    return status;
}

void ttsb__cuda_proof_close(struct ttsb__cuda_proof *proof)
{
    if (proof == NULL)
        return;
    if (proof->stream != NULL)
        ttsb__cuda_forget(cudaStreamSynchronize(proof->stream));
    if (proof->done != NULL)
        ttsb__cuda_forget(cudaEventDestroy(proof->done));
    if (proof->own_stream)
        ttsb__cuda_forget(cudaStreamDestroy(proof->stream));
    if (proof->pieces != NULL)
        ttsb__cuda_forget(cudaFreeHost(proof->pieces));
    if (proof->device_pieces != NULL)
        ttsb__cuda_forget(cudaFree(proof->device_pieces));
    free(proof->spans);
    free(proof);
}

/* ---- Damage ---- */

static bool is_bad(const struct ttsb__cuda_proof *proof,
                   const struct span *span, uint64_t piece)
{
    const uint64_t bit = piece - span->first;
    return proof->bad[span->word + bit / 32] >> bit % 32 & 1;
}

/* The first bad piece of the tensor, or the one behind its last. */
static uint64_t first_bad(const struct ttsb__cuda_proof *proof,
                          const struct span *span,
                          const struct ttsb_tensor *tensor)
{
    uint64_t piece = tensor->first_piece;
    const uint64_t end = piece + pieces_of(tensor);
    while (piece < end && !is_bad(proof, span, piece))
        piece++;
    return piece;
}

struct damage {
    struct ttsb_error error;
    uint32_t tensors;
    uint32_t unnamed;
};

/* Names as many as there is room for. */
static void name_tensor(struct damage *d, const char *name)
{
    static const size_t room = sizeof(d->error.text) - 32; /* for the count */
    const size_t at = strlen(d->error.text);
    if (d->tensors++ == 0)
        snprintf(d->error.text + at, room - at, " '%.120s'", name);
    else if (at + strlen(name) + 5 < room)
        snprintf(d->error.text + at, room - at, ", '%s'", name);
    else
        d->unnamed++;
}

static void note_tensor(const struct ttsb__cuda_proof *proof,
                        const struct span *span,
                        const struct ttsb_tensor *tensor, struct damage *d)
{
    const uint64_t piece = first_bad(proof, span, tensor);
    if (piece == tensor->first_piece + pieces_of(tensor))
        return;
    if (d->tensors == 0) {
        d->error.tensor = tensor->index;
        d->error.offset =
            tensor->offset + (piece - tensor->first_piece) * PIECE;
        ttsb_piece_hash(proof->image->blob, piece, &d->error.expected);
    }
    name_tensor(d, tensor->name);
}

/* Looks at the bits of the groups [group, end). */
static int32_t judge(const struct ttsb__cuda_proof *proof, uint32_t group,
                     uint32_t end, struct ttsb_error *error)
{
    struct damage d = {.error = {.status = TTSB_DAMAGED_PIECE,
                                 .field = "piece",
                                 .text = "damaged on the device:"}};
    size_t at;
    for (; group < end; group++) {
        const struct span *span = &proof->spans[group];
        struct ttsb_tensor tensor;
        struct ttsb_group g;
        const bool counts = device_group(proof->image, group, &g);
        uint32_t index = g.first_tensor;
        while (counts && next_owner(proof->image->blob, &g, &index, &tensor))
            note_tensor(proof, span, &tensor, &d);
    }
    if (d.tensors == 0)
        return TTSB_OK;
    at = strlen(d.error.text);
    if (d.unnamed != 0)
        snprintf(d.error.text + at, sizeof(d.error.text) - at,
                 " and %" PRIu32 " more", d.unnamed);
    ttsb__cuda_tell(error, &d.error);
    return TTSB_DAMAGED_PIECE;
}

static bool any_bad(const struct ttsb__cuda_proof *proof, uint64_t word,
                    uint64_t end)
{
    while (word < end && proof->bad[word] == 0)
        word++;
    return word < end;
}

/* ---- The proof ---- */

static int32_t launch(struct ttsb__cuda_proof *proof, uint64_t end,
                      struct ttsb_error *error)
{
    const uint64_t count = end - proof->launched;
    int result;
    if (count == 0)
        return TTSB_OK;
    result = kernel_cuda_check_pieces(proof->device_pieces + proof->launched,
                                      count, proof->device_bad, proof->stream);
    proof->launched = end;
    return ttsb__cuda_check((cudaError_t)result, TTSB_DEVICE_CALL,
                            "kernel_cuda_check_pieces", error);
}

/* Brings words of bits back, and waits for them. */
static int32_t fetch(struct ttsb__cuda_proof *proof, uint64_t word,
                     uint64_t end, struct ttsb_error *error)
{
    int32_t status = ttsb__cuda_check(
        cudaMemcpyAsync(proof->bad + word, proof->device_bad + word,
                        (size_t)(end - word) * sizeof(*proof->bad),
                        cudaMemcpyDeviceToHost, proof->stream),
        TTSB_DEVICE_COPY, "cudaMemcpyAsync", error);
    if (status == TTSB_OK)
        status = ttsb__cuda_check(cudaEventRecord(proof->done, proof->stream),
                                  TTSB_DEVICE_CALL, "cudaEventRecord", error);
    if (status == TTSB_OK)
        status =
            ttsb__cuda_check(cudaEventSynchronize(proof->done),
                             TTSB_DEVICE_CALL, "cudaEventSynchronize", error);
    return status;
}

/* Behind a group's last launch. */
static int32_t prove_group(struct ttsb__cuda_proof *proof, uint32_t group,
                           struct ttsb_error *error)
{
    const struct span *span = &proof->spans[group];
    const uint64_t end = span->word + (span->end - span->begin + 31) / 32;
    int32_t status = TTSB_OK;
    if (span->begin != span->end)
        status = fetch(proof, span->word, end, error);
    if (status == TTSB_OK && any_bad(proof, span->word, end))
        status = judge(proof, group, group + 1, error);
    if (status == TTSB_OK)
        proof->proven += span->end - span->begin;
    return status;
}

int32_t ttsb__cuda_prove(struct ttsb_cuda_image *image,
                         const struct ttsb__cuda_chunk *chunk,
                         struct ttsb_error *error)
{
    struct ttsb__cuda_proof *proof = image->proof;
    const struct span *span = &proof->spans[chunk->group];
    const uint64_t end = chunk->start + chunk->size;
    const uint8_t *memory = image->groups[chunk->group].memory;
    int32_t status;
    while (proof->reached < span->end) {
        const struct kernel_piece *p = &proof->pieces[proof->reached];
        if ((const uint8_t *)p->bytes + p->size > memory + end)
            break;
        proof->reached++;
    }
    /* Memory that is shared is the device's when its group is complete. */
    if (!chunk->last && (end - proof->from < TTSB__CUDA_BATCH ||
                         image->path == TTSB_CUDA_UNIFIED))
        return TTSB_OK;
    proof->from = chunk->last ? 0 : end;
    status = launch(proof, proof->reached, error);
    if (status == TTSB_OK && chunk->last)
        status = prove_group(proof, chunk->group, error);
    return status;
}

uint64_t ttsb__cuda_proof_pinned(const struct ttsb__cuda_proof *proof)
{
    return proof->size;
}

uint64_t ttsb__cuda_proof_pieces(const struct ttsb__cuda_proof *proof)
{
    return proof->proven;
}

/* ---- Padding ---- */

static int32_t not_zero(uint64_t offset, uint8_t found,
                        struct ttsb_error *error)
{
    struct ttsb_error value = {.status = TTSB_DAMAGED_PADDING,
                               .tensor = TTSB_NO_TENSOR,
                               .offset = offset,
                               .found = found,
                               .field = "padding"};
    snprintf(value.text, sizeof(value.text),
             "the padding byte %" PRIu64 " is not zero", offset);
    ttsb__cuda_tell(error, &value);
    return TTSB_DAMAGED_PADDING;
}

/* Halves the span: its first piece that ends behind `address`. */
static uint64_t piece_behind(const struct ttsb__cuda_proof *proof,
                             const struct span *span, const uint8_t *address)
{
    uint64_t low = span->begin;
    uint64_t high = span->end;
    while (low < high) {
        const uint64_t middle = low + (high - low) / 2;
        const struct kernel_piece *p = &proof->pieces[middle];
        if ((const uint8_t *)p->bytes + p->size > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

/* Where the padding that begins at `at`, or before, ends; at most the chunk's
 * end. `i` is the piece behind it. */
static uint64_t padding_end(const struct ttsb__cuda_proof *proof,
                            const struct ttsb__cuda_chunk *chunk, uint64_t i)
{
    const uint8_t *memory =
        proof->image->groups[chunk->group].memory + chunk->start;
    const uint8_t *piece;
    if (i == proof->spans[chunk->group].end)
        return chunk->size;
    piece = proof->pieces[i].bytes;
    if (piece >= memory + chunk->size)
        return chunk->size;
    return piece < memory ? 0 : (uint64_t)(piece - memory);
}

int32_t ttsb__cuda_check_padding(const struct ttsb_cuda_image *image,
                                 const struct ttsb__cuda_chunk *chunk,
                                 const uint8_t *bytes, struct ttsb_error *error)
{
    const struct ttsb__cuda_proof *proof = image->proof;
    const struct ttsb__cuda_group *g = &image->groups[chunk->group];
    const uint8_t *memory = g->memory + chunk->start; /* only its address */
    uint64_t i = piece_behind(proof, &proof->spans[chunk->group], memory);
    uint64_t at = 0;
    for (;;) {
        const uint64_t end = padding_end(proof, chunk, i);
        const struct kernel_piece *p;
        for (; at < end; at++)
            if (bytes[at] != 0)
                return not_zero(g->offset + chunk->start + at, bytes[at],
                                error);
        if (end == chunk->size)
            return TTSB_OK;
        p = &proof->pieces[i++];
        at = (uint64_t)((const uint8_t *)p->bytes + p->size - memory);
    }
}

/* ---- Later ---- */

/* Bits by the blob's pieces. */
static void copy_bits(const struct ttsb__cuda_proof *proof, uint32_t *bad)
{
    for (uint32_t i = 0; i < proof->image->group_count; i++) {
        const struct span *span = &proof->spans[i];
        const uint64_t end = span->first + span->end - span->begin;
        for (uint64_t piece = span->first; piece < end; piece++)
            if (is_bad(proof, span, piece))
                bad[piece / 32] |= UINT32_C(1) << piece % 32;
    }
}

static int32_t scrub(struct ttsb__cuda_proof *proof, uint32_t *bad,
                     struct ttsb_error *error)
{
    const uint32_t groups = proof->image->group_count;
    int32_t status;
    if (proof->words == 0)
        return TTSB_OK;
    status = launch(proof, proof->spans[groups - 1].end, error);
    if (status == TTSB_OK)
        status = fetch(proof, 0, proof->words, error);
    if (status != TTSB_OK)
        return status;
    if (bad != NULL)
        copy_bits(proof, bad);
    return judge(proof, 0, groups, error);
}

int32_t ttsb_cuda_verify(struct ttsb_cuda_image *image, void *stream,
                         uint32_t *bad, uint64_t words,
                         struct ttsb_error *error)
{
    struct ttsb_info info = {.struct_size = sizeof(info)};
    struct ttsb__cuda_proof *proof = NULL;
    int32_t status;
    int before;
    if (image == NULL)
        return ttsb__cuda_bad(error, "image");
    ttsb_info(image->blob, &info);
    if (bad != NULL && words < (info.piece_count + 31) / 32)
        return ttsb__cuda_bad(error, "words");
    if (bad != NULL)
        memset(bad, 0, (size_t)words * sizeof(*bad));
    status = ttsb_cuda_wait(image, error);
    if (status != TTSB_OK)
        return status;
    before = ttsb__cuda_enter(image);
    status = ttsb__cuda_proof_open(image, stream, &proof, error);
    if (status == TTSB_OK)
        status = scrub(proof, bad, error);
    ttsb__cuda_proof_close(proof);
    ttsb__cuda_leave(image, before);
    return status;
}

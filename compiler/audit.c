/* SPDX-License-Identifier: MIT
 *
 * audit.c - one pass over a source: digest, NaN and Inf, sums of squares.
 */
#include "audit.h"

#include <stdlib.h>

#include "hash.h"
#include "size.h"

/* The rows of a weight norm while they are summed. */
struct rows {
    struct kernel_sumsq *acc; /* NULL: nothing is summed */
    uint64_t keep, inner;     /* row of element e: e / inner % keep */
};

static void *take(size_t n)
{
    void *p = malloc(n);
    if (p == NULL)
        arena_exhausted();
    return p;
}

static bool fail(const struct audit *a, struct finding f)
{
    a->p->audited[f.leaf->source] = AUDIT_BAD;
    return produce_fail(a->p, f);
}

static bool fail_read(const struct audit *a, const struct leaf *leaf, int error)
{
    return fail(a, (struct finding){
                       .kind = FINDING_READ, .leaf = leaf, .error = error});
}

/* --- digests --- */

void audit_hash(const void *data, size_t n, uint64_t *pieces)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < n; i += TTSB_PIECE_SIZE)
        pieces[i / TTSB_PIECE_SIZE] = ttsb__hash64(
            p + i, n - i < TTSB_PIECE_SIZE ? n - i : TTSB_PIECE_SIZE);
}

static uint64_t piece_count(const struct leaf *leaf, uint64_t *bytes)
{
    type_bytes(leaf->type, leaf->dtype, bytes);
    return (*bytes + TTSB_PIECE_SIZE - 1) / TTSB_PIECE_SIZE;
}

void audit_digest(const struct st_tensor *t, const uint64_t *pieces,
                  uint64_t count, uint8_t out[16])
{
    uint8_t head[8 + 8 * TTSB_MAX_RANK];
    uint8_t *list = take((size_t)count * 8 + 1);
    struct ttsb__bytes parts[2] = {{head, 8 + 8 * (size_t)t->rank},
                                   {list, (size_t)count * 8}};
    store_u32(head, t->dtype);
    store_u32(head + 4, t->rank);
    for (uint32_t i = 0; i < t->rank; i++)
        store_u64(head + 8 + 8 * i, t->dims[i]);
    for (uint64_t i = 0; i < count; i++)
        store_u64(list + 8 * i, pieces[i]);
    ttsb__hash128_joined(parts, 2, out);
    free(list);
}

bool audit_done(const struct audit *a, const struct leaf *leaf,
                const uint64_t *pieces, const struct kernel_nonfinite *bad)
{
    uint64_t bytes, count = piece_count(leaf, &bytes);
    a->p->audited[leaf->source] = AUDIT_GOOD;
    audit_digest(&a->p->checkpoint->tensors[leaf->source], pieces, count,
                 a->p->digests[leaf->source]);
    if (bad->count == 0 || leaf->allow_nonfinite)

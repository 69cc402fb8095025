/* SPDX-License-Identifier: MIT
 *
 * fuzz_lock.c - any bytes behind a lock's first line: what is taken is written
 * once more, byte for byte where it has no comment, and drafted. Seeds:
 * fixtures/manifests, without their first line.
 */
#include <stdlib.h>

#include "draft_map.h"
#include "lockfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void spell(const struct lock *lock, struct str text)
{
    struct text t = {0};
    lockfile_begin(&t);
    for (size_t i = 0; i < lock->header.count; i++)
        lockfile_put(&t, &lock->header.tensors[i],
                     lock->digests == NULL ? NULL : lock->digests[i]);
    if (memmem(text.p, text.n, "\n#", 2) == NULL &&
        !str_eq(text, text_view(&t)))
        abort();
    text_release(&t);
}

static void draft(struct arena *a, const struct lock *lock)
{
    size_t n = lock->header.count;
    struct tensor *p = arena_new(a, struct tensor, n);
    uint32_t *index = arena_new(a, uint32_t, n);
    struct drafting d = {.a = a, .p = p, .source_dtype = TTSB_F32};
    struct text t = {0};
    for (uint32_t i = 0; i < n; i++) {
        const struct st_tensor *x = &lock->header.tensors[i];
        index[i] = i;
        p[i] = (struct tensor){.name = x->name,
                               .dtype = (enum ttsb_dtype)x->dtype,
                               .rank = x->rank,
                               .dims = x->dims,
                               .size = x->end - x->begin};
    }
    draft_map(&d, nametree_build(a, p, index, n), &t);
    text_release(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct diag d = {.arena = &a};
    struct lock lock = {0};
    struct text t = {0};
    lockfile_begin(&t);
    text_str(&t, (struct str){(const char *)data, size});
    if (lockfile_parse(&a, &d, str_c("x.lock"), text_view(&t), &lock)) {
        spell(&lock, text_view(&t));
        draft(&a, &lock);
    }
    text_release(&t);
    arena_release(&a);
    return 0;
}

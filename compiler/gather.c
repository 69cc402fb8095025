/* SPDX-License-Identifier: MIT
 *
 * gather.c - a range is cut into chunks; a chunk is staged in the source's
 * order and permuted from there, for as many ranges as it serves.
 *
 * Staging in the source's order makes each read as long as the chunk allows;
 * of a transposed matrix the runs are as long as the chunk has rows. A short
 * run is fetched together with its neighbours through a window where a system
 * call costs more than the bytes between. Where elements are cast to fewer
 * bytes, they are cast on their way into staging.
 */
#include "gather.h"

#include <stdlib.h>

#include "compute.h"
#include "kernels.h"

#define SMALL_RUN 16384 /* bytes */
#define MAX_GAP 8192    /* bytes; copying them costs about as much as a call */

static uint8_t *take(size_t n)
{
    uint8_t *p = malloc(n);
    if (p == NULL)
        arena_exhausted();
    return p;
}

uint8_t *gather_window(struct gather *g)
{
    if (g->window == NULL)
        g->window = take(GATHER_WINDOW);
    return g->window;
}

void gather_release(struct gather *g)
{
    free(g->staging);
    free(g->window);
}

/* The chunk's axes in the source's order, outermost first. */
struct source_order {
    uint32_t rank;
    uint32_t axis[VIEW_MAX_RANK]; /* of the view */
    uint64_t dim[VIEW_MAX_RANK];
    uint64_t stride[VIEW_MAX_RANK]; /* in the source */
};

static struct source_order order_axes(const struct view *v,
                                      const struct chunk *b)
{
    struct source_order o = {0};
    for (uint32_t i = 0; i < v->rank; i++) {
        uint32_t at = o.rank++;
        for (; at > 0 && o.stride[at - 1] < v->strides[i]; at--) {
            o.axis[at] = o.axis[at - 1];
            o.dim[at] = o.dim[at - 1];
            o.stride[at] = o.stride[at - 1];
        }
        o.axis[at] = i;
        o.dim[at] = b->dims[i];
        o.stride[at] = v->strides[i];
    }
    return o;
}

/* The number of outer axes that must be walked so that the rest is dense. */
static uint32_t dense_from(const struct source_order *o, uint64_t *run)
{
    uint32_t k = o->rank;
    *run = 1;
    while (k > 0 && (o->stride[k - 1] == *run || o->dim[k - 1] == 1)) {
        *run *= o->dim[k - 1];
        k--;
    }
    return k;
}

/* Offset of walk number n over the axes before k. */
static uint64_t walk_offset(const struct source_order *o, uint32_t k,
                            uint64_t n)
{
    uint64_t offset = 0;
    while (k-- > 0) {
        offset += n % o->dim[k] * o->stride[k];
        n /= o->dim[k];
    }
    return offset;
}

static uint64_t walk_count(const struct source_order *o, uint32_t k)
{
    uint64_t n = 1;
    while (k-- > 0)
        n *= o->dim[k];
    return n;
}

static int read_elements(struct gather *g, const struct view *v, uint64_t from,
                         uint64_t count, uint8_t *out)
{
    uint64_t size = v->element_size;
    if (v->computed != NULL)
        return computed_read(v->computed, from, count, out);
    return checkpoint_read(g->c, v->leaf->source, from * size, out,
                           (size_t)(count * size));
}

/* Elements that were read, into staging from element `at` on. */
static int put(struct gather *g, const struct view *v, const uint8_t *src,
               uint64_t count, uint64_t at)
{
    struct kernel_cast pair = {v->dtype, g->dtype};
    struct kernel_range_error misfits = {0};
    uint8_t *to = g->staging + at * g->size;
    if (pair.from == pair.to)
        memcpy(to, src, (size_t)(count * g->size));
    else
        kernel_cast(pair, src, count, to, &misfits);
    return misfits.count > 0 ? GATHER_MISFIT : 0;
}

/* Elements of the source, into staging from element `at` on. */
static int read_run(struct gather *g, const struct view *v, uint64_t from,
                    uint64_t count, uint64_t at)
{
    uint64_t most = GATHER_WINDOW / v->element_size;
    int error = 0;
    if (g->dtype == v->dtype)
        return read_elements(g, v, from, count, g->staging + at * g->size);
    for (uint64_t i = 0; i < count && error == 0; i += most) {
        uint64_t n = count - i < most ? count - i : most;
        error = read_elements(g, v, from + i, n, gather_window(g));
        if (error == 0)
            error = put(g, v, g->window, n, at + i);
    }
    return error;
}

/* How many of the runs from number n on lie inside one window. Offsets do
 * not fall from run to run, since the axes are in the source's order. */
static uint64_t runs_in_window(const struct source_order *o, uint32_t k,
                               uint64_t n, uint64_t last, uint64_t elements)
{
    uint64_t first = walk_offset(o, k, n), count = 1;
    while (n + count < last && walk_offset(o, k, n + count) - first < elements)
        count++;
    return count;
}

/* Short runs, through the window. */
static int read_windows(struct gather *g, const struct view *v,
                        const struct chunk *b, const struct source_order *o,
                        uint32_t k, uint64_t run)
{
    uint64_t size = v->element_size;
    uint64_t fits = GATHER_WINDOW / size - run, all = walk_count(o, k), n, i;
    uint64_t count = 1;
    int error = 0;
    for (n = 0; n < all && error == 0; n += count) {
        uint64_t first = walk_offset(o, k, n), end;
        count = runs_in_window(o, k, n, all, fits);
        end = walk_offset(o, k, n + count - 1) + run;
        error =
            read_elements(g, v, b->base + first, end - first, gather_window(g));
        for (i = 0; i < count && error == 0; i++)
            error =
                put(g, v, g->window + (walk_offset(o, k, n + i) - first) * size,
                    run, (n + i) * run);
    }
    return error;
}

static int read_runs(struct gather *g, const struct view *v,
                     const struct chunk *b, const struct source_order *o,
                     uint32_t k, uint64_t run)
{
    uint64_t all = walk_count(o, k);
    int error = 0;
    for (uint64_t n = 0; n < all && error == 0; n++)
        error = read_run(g, v, b->base + walk_offset(o, k, n), run, n * run);
    return error;
}

/* --- staging --- */

/* Whether reading what lies between the runs costs less than a call each. */
static bool through_window(const struct source_order *o, uint32_t k,
                           uint64_t run, uint64_t size)
{
    return k > 0 && run * size < SMALL_RUN &&
           (o->stride[k - 1] - run) * size <= MAX_GAP;
}

/* Reads a chunk into staging, in the source's order. */
static int read_chunk(struct gather *g, const struct view *v,
                      const struct chunk *b)
{
    struct source_order o = order_axes(v, b);
    uint64_t run, stride = 1;
    uint32_t k = dense_from(&o, &run);
    for (uint32_t i = o.rank; i-- > 0;) {
        g->strides[o.axis[i]] = stride;
        stride *= o.dim[i];
    }
    return through_window(&o, k, run, v->element_size)
               ? read_windows(g, v, b, &o, k, run)
               : read_runs(g, v, b, &o, k, run);
}

/* The largest chunk that begins at element `first` of the view and does not
 * pass `last`: full inner axes, part of one axis, single outer ones. */
static struct chunk cut_chunk(const struct view *v, uint64_t first,
                              uint64_t last, uint64_t *count)
{
    struct chunk b = {.base = v->base};
    uint64_t inner = 1, rest = first;
    bool open = true;
    *count = 1;
    for (uint32_t i = v->rank; i-- > 0;) {
        uint64_t dim = 1;
        b.at[i] = rest % v->dims[i];
        b.base += b.at[i] * v->strides[i];
        rest /= v->dims[i];
        if (open) {
            dim = (last - first) / inner;
            dim = dim < v->dims[i] - b.at[i] ? dim : v->dims[i] - b.at[i];
            open = b.at[i] == 0 && dim == v->dims[i];
            *count = inner * dim;
        }
        inner *= v->dims[i];
        b.dims[i] = dim;
    }
    return b;
}

static bool same_view(const struct view *a, const struct view *b)
{
    size_t size = a->rank * sizeof a->dims[0];
    return a->leaf == b->leaf && a->computed == b->computed &&
           a->base == b->base && a->rank == b->rank &&
           memcmp(a->dims, b->dims, size) == 0 &&
           memcmp(a->strides, b->strides, size) == 0;
}

/* The beginning of the rows around an element: of as many inner axes as fit.
 * Whoever reads a part of each row finds the next rows staged. */
static uint64_t row_begin(const struct view *v, uint64_t at, uint64_t most)
{
    uint64_t inner = 1;
    for (uint32_t i = v->rank; i-- > 0 && v->dims[i] <= most / inner;)
        inner *= v->dims[i];
    return at - at % inner;
}

/* Has the element `at` of a view staged, and as many around it as fit. */
static int stage(struct gather *g, const struct view *v, enum ttsb_dtype dtype,
                 uint64_t at)
{
    uint64_t most, last, first;
    int error;
    if (g->count > 0 && g->dtype == dtype && same_view(&g->view, v) &&
        at >= g->first && at - g->first < g->count)
        return 0;
    if (g->staging == NULL)
        g->staging = take(GATHER_STAGING);
    g->dtype = dtype;
    g->size = dtype == v->dtype ? v->element_size : spec_dtype_bits(dtype) / 8;
    most = GATHER_STAGING / g->size;
    first = row_begin(v, at, most);
    last = v->elements - first < most ? v->elements : first + most;
    g->view = *v;
    g->first = first;
    g->chunk = cut_chunk(v, first, last, &g->count);
    error = read_chunk(g, v, &g->chunk);
    if (error != 0)
        g->count = 0;
    return error;
}

/* A chunk that lies in the staged one, into out. */
static void take_chunk(const struct gather *g, const struct view *v,
                       const struct chunk *b, uint8_t *out)
{
    struct kernel_permute permute = {.rank = v->rank, .element_size = g->size};
    uint64_t offset = 0;
    for (uint32_t i = 0; i < v->rank; i++) {
        permute.out_dims[i] = b->dims[i];
        permute.in_strides[i] = g->strides[i];
        offset += (b->at[i] - g->chunk.at[i]) * g->strides[i];
    }
    kernel_permute(&permute, g->staging + offset * g->size, out);
}

int gather_narrow(struct gather *g, const struct view *v, enum ttsb_dtype to,
                  uint64_t first, uint64_t count, uint8_t *out)
{
    uint64_t at = first, last = first + count, n;
    while (at < last) {
        struct chunk b;
        uint64_t end;
        int error = stage(g, v, to, at);
        if (error != 0)
            return error;
        end = g->first + g->count;
        b = cut_chunk(v, at, end < last ? end : last, &n);
        take_chunk(g, v, &b, out + (at - first) * g->size);
        at += n;
    }
    return 0;
}

int gather_range(struct gather *g, const struct view *v, uint64_t first,
                 uint64_t count, uint8_t *out)
{
    if (v->straight)
        return read_elements(g, v, v->base + first, count, out);
    return gather_narrow(g, v, v->dtype, first, count, out);
}

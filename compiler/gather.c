/* SPDX-License-Identifier: MIT
 *
 * gather.c - a range is cut into chunks; a chunk is read in the source's order
 * into a dense buffer and permuted from there.
 *
 * Reading in the source's order makes each read as long as the chunk allows. A
 * run shorter than SMALL_RUN is fetched together with its neighbours through
 * a window, since a system call costs more than the bytes between, unless
 * there are too many of those.
 */
#include "gather.h"

#include "kernels.h"

#define SMALL_RUN 2048
#define MAX_WASTE 16 /* bytes read through a window for each that is used */

/* Part of a view: a sub-range of each of its axes. */
struct chunk {
    uint64_t base; /* source element of its first element */
    uint64_t dims[TTSB_MAX_RANK];
};

/* The chunk's axes in the source's order, outermost first. */
struct source_order {
    uint32_t rank;
    uint32_t axis[TTSB_MAX_RANK]; /* of the view */
    uint64_t dim[TTSB_MAX_RANK];
    uint64_t stride[TTSB_MAX_RANK]; /* in the source */
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
    return checkpoint_read(g->c, v->leaf->source, from * size, out,
                           (size_t)(count * size));
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
        error = read_elements(g, v, b->base + first, end - first, g->window);
        for (i = 0; i < count && error == 0; i++)
            memcpy(g->staging + (n + i) * run * size,
                   g->window + (walk_offset(o, k, n + i) - first) * size,
                   (size_t)(run * size));
    }
    return error;
}

static int read_runs(struct gather *g, const struct view *v,
                     const struct chunk *b, const struct source_order *o,
                     uint32_t k, uint64_t run)
{
    uint64_t size = v->element_size;
    uint64_t all = walk_count(o, k);
    int error = 0;
    for (uint64_t n = 0; n < all && error == 0; n++)
        error = read_elements(g, v, b->base + walk_offset(o, k, n), run,
                              g->staging + n * run * size);
    return error;
}

static int read_chunk(struct gather *g, const struct view *v,
                      const struct chunk *b, uint8_t *out)
{
    struct kernel_permute permute = {.rank = v->rank};
    struct source_order o = order_axes(v, b);
    uint64_t run, stride = 1;
    uint32_t k = dense_from(&o, &run);
    int error;
    permute.element_size = v->element_size;
    if (k > 0 && run * permute.element_size < SMALL_RUN &&
        o.stride[k - 1] <= run * MAX_WASTE)
        error = read_windows(g, v, b, &o, k, run);
    else
        error = read_runs(g, v, b, &o, k, run);
    for (uint32_t i = o.rank; i-- > 0;) {
        permute.out_dims[o.axis[i]] = o.dim[i];
        permute.in_strides[o.axis[i]] = stride;
        stride *= o.dim[i];
    }
    if (error == 0)
        kernel_permute(&permute, g->staging, out);
    return error;
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
        uint64_t at = rest % v->dims[i], dim = 1;
        b.base += at * v->strides[i];
        rest /= v->dims[i];
        if (open) {
            dim = (last - first) / inner;
            dim = dim < v->dims[i] - at ? dim : v->dims[i] - at;
            open = at == 0 && dim == v->dims[i];
            *count = inner * dim;
        }
        inner *= v->dims[i];
        b.dims[i] = dim;
    }
    return b;
}

int gather_range(struct gather *g, const struct view *v, uint64_t first,
                 uint64_t count, uint8_t *out)
{
    uint64_t size = v->element_size, done = 0, n;
    int error = 0;
    if (v->straight)
        return read_elements(g, v, v->base + first, count, out);
    while (done < count && error == 0) {
        struct chunk b = cut_chunk(v, first + done, first + count, &n);
        error = read_chunk(g, v, &b, out + done * size);
        done += n;
    }
    return error;
}

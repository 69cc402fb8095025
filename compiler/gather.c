/* SPDX-License-Identifier: MIT
 *
 * gather.c - a range is cut into boxes; a box is read in the source's order
 * into a dense buffer and permuted from there.
 *
 * Reading in the source's order makes each read as long as the box allows. A
 * run shorter than SMALL_RUN is fetched together with its neighbours through
 * a window, since a system call costs more than the bytes between, unless
 * there are too many of those.
 */
#include "gather.h"

#include "kernels.h"

#define SMALL_RUN 2048
#define MAX_WASTE 16 /* bytes read through a window for each that is used */

/* Part of an output: a sub-range of each axis of the plan. */
struct box {
    uint64_t base; /* source element of its first element */
    uint64_t dims[TTSB_MAX_RANK];
};

/* The box's axes in the source's order, outermost first. */
struct source_order {
    uint32_t rank;
    uint32_t axis[TTSB_MAX_RANK]; /* of the plan */
    uint64_t dim[TTSB_MAX_RANK];
    uint64_t stride[TTSB_MAX_RANK]; /* in the source */
};

static struct source_order order_axes(const struct plan *p, const struct box *b)
{
    struct source_order o = {0};
    for (uint32_t i = 0; i < p->rank; i++) {
        uint32_t at = o.rank++;
        for (; at > 0 && o.stride[at - 1] < p->strides[i]; at--) {
            o.axis[at] = o.axis[at - 1];
            o.dim[at] = o.dim[at - 1];
            o.stride[at] = o.stride[at - 1];
        }
        o.axis[at] = i;
        o.dim[at] = b->dims[i];
        o.stride[at] = p->strides[i];
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

static int read_elements(struct gather *g, const struct plan *p, uint64_t from,
                         uint64_t count, uint8_t *out)
{
    uint64_t size = p->element_size;
    return checkpoint_read(g->c, p->leaf->source, from * size, out,
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
static int read_windows(struct gather *g, const struct plan *p,
                        const struct box *b, const struct source_order *o,
                        uint32_t k, uint64_t run)
{
    uint64_t size = p->element_size;
    uint64_t fits = GATHER_WINDOW / size - run, all = walk_count(o, k), n, i;
    uint64_t count = 1;
    int error = 0;
    for (n = 0; n < all && error == 0; n += count) {
        uint64_t first = walk_offset(o, k, n), end;
        count = runs_in_window(o, k, n, all, fits);
        end = walk_offset(o, k, n + count - 1) + run;
        error = read_elements(g, p, b->base + first, end - first, g->window);
        for (i = 0; i < count && error == 0; i++)
            memcpy(g->staging + (n + i) * run * size,
                   g->window + (walk_offset(o, k, n + i) - first) * size,
                   (size_t)(run * size));
    }
    return error;
}

static int read_runs(struct gather *g, const struct plan *p,
                     const struct box *b, const struct source_order *o,
                     uint32_t k, uint64_t run)
{
    uint64_t size = p->element_size;
    uint64_t all = walk_count(o, k);
    int error = 0;
    for (uint64_t n = 0; n < all && error == 0; n++)
        error = read_elements(g, p, b->base + walk_offset(o, k, n), run,
                              g->staging + n * run * size);
    return error;
}

static int read_box(struct gather *g, const struct plan *p, const struct box *b,
                    uint8_t *out)
{
    struct kernel_permute permute = {.rank = p->rank};
    struct source_order o = order_axes(p, b);
    uint64_t run, stride = 1;
    uint32_t k = dense_from(&o, &run);
    int error;
    permute.element_size = p->element_size;
    if (k > 0 && run * permute.element_size < SMALL_RUN &&
        o.stride[k - 1] <= run * MAX_WASTE)
        error = read_windows(g, p, b, &o, k, run);
    else
        error = read_runs(g, p, b, &o, k, run);
    for (uint32_t i = o.rank; i-- > 0;) {
        permute.out_dims[o.axis[i]] = o.dim[i];
        permute.in_strides[o.axis[i]] = stride;
        stride *= o.dim[i];
    }
    if (error == 0)
        kernel_permute(&permute, g->staging, out);
    return error;
}

/* The largest box that begins at element `first` of the output and does not
 * pass `last`: full inner axes, part of one axis, single outer ones. */
static struct box cut_box(const struct plan *p, uint64_t first, uint64_t last,
                          uint64_t *count)
{
    struct box b = {0};
    uint64_t inner = 1, rest = first;
    bool open = true;
    *count = 1;
    for (uint32_t i = p->rank; i-- > 0;) {
        uint64_t at = rest % p->dims[i], dim = 1;
        b.base += at * p->strides[i];
        rest /= p->dims[i];
        if (open) {
            dim = (last - first) / inner;
            dim = dim < p->dims[i] - at ? dim : p->dims[i] - at;
            open = at == 0 && dim == p->dims[i];
            *count = inner * dim;
        }
        inner *= p->dims[i];
        b.dims[i] = dim;
    }
    return b;
}

int gather_range(struct gather *g, const struct plan *p, uint64_t first,
                 uint64_t count, uint8_t *out)
{
    uint64_t size = p->element_size, done = 0, n;
    int error = 0;
    if (p->identity)
        return read_elements(g, p, first, count, out);
    while (done < count && error == 0) {
        struct box b = cut_box(p, first + done, first + count, &n);
        error = read_box(g, p, &b, out + done * size);
        done += n;
    }
    return error;
}

/* SPDX-License-Identifier: MIT
 *
 * probes.c - reads a file of probes, and projects.
 *
 * The sign of element i for probe k is bit k of output i of SplitMix64, so
 * that one hash gives the signs of all probes of an element.
 */
#include "probes.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/stat.h>
#include <unistd.h>

#include "constant_parse.h"
#include "json.h"
#include "stfile.h"

#define MAX_FILE ((uint64_t)256 << 20)
#define BLOCK 512

/* --- the file --- */

struct reading {
    struct arena *a;
    struct diag *d;
    struct str path;
    struct json j;
    struct probe_file *out;
    size_t capacity;
    bool has_version, has_tensors;
};

static bool refuse(struct reading *r, uint64_t offset, const char *what)
{
    diag_add_file(r->d, "E0607", r->path, offset, "no file of probes: %s",
                  what);
    return false;
}

static bool next(struct reading *r, struct json_token *t)
{
    return json_next(&r->j, t) || refuse(r, r->j.error.offset, r->j.error.text);
}

static bool take(struct reading *r, enum json_kind kind, const char *what,
                 struct json_token *t)
{
    return next(r, t) && (t->kind == kind || refuse(r, t->offset, what));
}

/* JSON's numbers, which need no point. */
static bool number(struct reading *r, const struct json_token *t, double *out)
{
    struct str s = t->text;
    if (t->kind != JSON_NUMBER)
        return refuse(r, t->offset, "a number is needed here");
    if (memchr(s.p, '.', s.n) == NULL && memchr(s.p, 'e', s.n) == NULL &&
        memchr(s.p, 'E', s.n) == NULL)
        s = arena_format(r->a, "%.*s.0", STR_ARG(s));
    return decimal_parse(s, out) ||
           refuse(r, t->offset, "the number does not fit in binary64");
}

static bool read_shape(struct reading *r, struct probe *p)
{
    uint64_t *dims = arena_new(r->a, uint64_t, TTSB_MAX_RANK);
    struct json_token t;
    p->dims = dims;
    if (!take(r, JSON_ARRAY, "`shape` is a list", &t))
        return false;
    while (next(r, &t)) {
        if (t.kind == JSON_ARRAY_END)
            return true;
        if (p->rank == TTSB_MAX_RANK || !json_u64(&t, &dims[p->rank++]))
            return refuse(r, t.offset, "`shape` is a list of up to 8 sizes");
    }
    return false;
}

static bool read_sums(struct reading *r, struct probe *p)
{
    double *sums = arena_new(r->a, double, PROBES_MOST);
    struct json_token t;
    p->sums = sums;
    if (!take(r, JSON_ARRAY, "`probes` is a list", &t))
        return false;
    while (next(r, &t)) {
        if (t.kind == JSON_ARRAY_END)
            return p->count > 0 ||
                   refuse(r, t.offset, "`probes` has 1 to 64 numbers");
        if (p->count == PROBES_MOST)
            return refuse(r, t.offset, "`probes` has 1 to 64 numbers");
        if (!number(r, &t, &sums[p->count++]))
            return false;
    }
    return false;
}

static bool read_sumsq(struct reading *r, struct probe *p)
{
    struct json_token t;
    return next(r, &t) && number(r, &t, &p->sumsq) &&
           (p->sumsq >= 0 ||
            refuse(r, t.offset, "a sum of squares is not negative"));
}

static bool read_probe(struct reading *r, struct probe *p)
{
    struct json_token t;
    bool has_sumsq = false, ok = true;
    if (!take(r, JSON_OBJECT, "a tensor is an object", &t))
        return false;
    while (ok && next(r, &t)) {
        if (t.kind == JSON_OBJECT_END && p->dims != NULL && p->sums != NULL &&
            has_sumsq)
            return true;
        if (t.kind == JSON_OBJECT_END)
            return refuse(r, t.offset,
                          "a tensor has `shape`, `sumsq` and `probes`");
        if (str_is(t.text, "shape"))
            ok = read_shape(r, p);
        else if (str_is(t.text, "probes"))
            ok = read_sums(r, p);
        else if (str_is(t.text, "sumsq"))
            ok = has_sumsq = read_sumsq(r, p);
        else
            return refuse(r, t.offset,
                          "a tensor has `shape`, `sumsq` and `probes`");
    }
    return false;
}

static bool read_tensors(struct reading *r)
{
    struct probe_file *f = r->out;
    struct json_token t;
    r->has_tensors = true;
    if (!take(r, JSON_OBJECT, "`tensors` is an object", &t))
        return false;
    while (next(r, &t)) {
        uint32_t index = (uint32_t)f->n;
        if (t.kind == JSON_OBJECT_END)
            return true;
        if (f->n == r->capacity)
            f->p = arena_grow(r->a, f->p, sizeof *f->p, f->n, &r->capacity);
        f->p[f->n] = (struct probe){.name = arena_str(r->a, t.text)};
        nametab_add(r->a, &f->names, f->p[f->n].name, &index);
        if (!read_probe(r, &f->p[f->n++]))
            return false;
    }
    return false;
}

static bool read_member(struct reading *r, const struct json_token *key)
{
    struct json_token t;
    uint64_t version;
    if (str_is(key->text, "tensors"))
        return read_tensors(r);
    if (!next(r, &t))
        return false;
    if (str_is(key->text, "seed"))
        return json_u64(&t, &r->out->seed) ||
               refuse(r, t.offset, "`seed` is a number below 2^64");
    if (!str_is(key->text, "ttsw_probes"))
        return refuse(r, key->offset,
                      "it has `ttsw_probes`, `seed` and `tensors`");
    r->has_version = true;
    return (json_u64(&t, &version) && version == 1) ||
           refuse(r, t.offset, "this ttswc reads version 1");
}

static bool read_all(struct reading *r)
{
    struct json_token t;
    if (!take(r, JSON_OBJECT, "it is a JSON object", &t))
        return false;
    while (next(r, &t)) {
        if (t.kind == JSON_OBJECT_END)
            break;
        if (!read_member(r, &t))
            return false;
    }
    if (r->j.state == JSON_FAILED || !next(r, &t))
        return false;
    if (r->has_version && r->has_tensors)
        return true;
    return refuse(r, DIAG_NO_OFFSET, "it needs `ttsw_probes` and `tensors`");
}

/* 0 or an errno. */
static int load(struct arena *a, const char *path, struct str *out)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC), error = 0;
    struct stat st;
    if (fd < 0)
        return errno;
    if (fstat(fd, &st) != 0)
        error = errno;
    else if (!S_ISREG(st.st_mode))
        error = EINVAL;
    else if ((uint64_t)st.st_size > MAX_FILE)
        error = EFBIG;
    if (error == 0) {
        char *p = arena_take(a, 1, (size_t)st.st_size + 1);
        *out = (struct str){p, (size_t)st.st_size};
        error = read_exactly(fd, 0, p, out->n);
    }
    close(fd);
    return error;
}

bool probes_read(struct arena *a, struct diag *d, struct str path,
                 struct span at, struct probe_file *out)
{
    struct reading *r = arena_new(a, struct reading, 1);
    struct str text;
    int error = load(a, path.p, &text);
    *out = (struct probe_file){0};
    if (error != 0) {
        diag_add(d, "E0705", diag_at(at), "cannot read `%.*s`: %s",
                 STR_ARG(path),
                 error == EINVAL ? "no regular file" : strerror(error));
        return false;
    }
    r->a = a;
    r->d = d;
    r->path = path;
    r->out = out;
    json_start(&r->j, a, text, 0);
    return read_all(r);
}

/* --- the sums --- */

/* Output i of SplitMix64 with the state `seed`. */
static inline uint64_t hash_of(uint64_t seed, uint64_t i)
{
    uint64_t z = seed + (i + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* x, negated where bit k of h is set. */
static inline double with_sign(double x, uint64_t h, uint32_t k)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits ^= (h >> k) << 63;
    memcpy(&x, &bits, sizeof x);
    return x;
}

struct lane_of {
    uint64_t first; /* the element that x[0] is */
    uint32_t k;     /* the probe */
};

/* Element i is in lane i % PROBES_LANES; h NULL: squares. */
static void add_lanes(double *lanes, const double *x, const uint64_t *h,
                      size_t n, struct lane_of of)
{
    double s[PROBES_LANES];
    for (size_t l = 0; l < PROBES_LANES; l++)
        s[l] = lanes[(of.first + l) % PROBES_LANES];
    for (size_t i = 0; i < n; i++)
        s[i % PROBES_LANES] +=
            h != NULL ? with_sign(x[i], h[i], of.k) : x[i] * x[i];
    for (size_t l = 0; l < PROBES_LANES; l++)
        lanes[(of.first + l) % PROBES_LANES] = s[l];
}

static void add_block(struct projection *p, const double *x, size_t n)
{
    struct lane_of of = {p->seen, 0};
    uint64_t h[BLOCK];
    for (size_t i = 0; i < n; i++)
        h[i] = hash_of(p->seed, p->seen + i);
    for (; of.k < p->count; of.k++)
        add_lanes(p->sums[of.k], x, h, n, of);
    add_lanes(p->squares, x, NULL, n, of);
    p->seen += n;
}

void projection_add(struct projection *p, const double *x, size_t n)
{
    for (size_t i = 0; i < n; i += BLOCK)
        add_block(p, x + i, n - i < BLOCK ? n - i : BLOCK);
}

static double total(const double *lanes)
{
    return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
}

double projection_sum(const struct projection *p, uint32_t k)
{
    return total(p->sums[k]);
}

double projection_sumsq(const struct projection *p)
{
    return total(p->squares);
}

/* --- bounds --- */

/* Half of the last place, relative and of subnormals. */
static void rounding(enum ttsb_dtype dtype, double *relative, double *least)
{
    *relative = dtype == TTSB_F16    ? 0x1p-11
                : dtype == TTSB_BF16 ? 0x1p-8
                : dtype == TTSB_F32  ? 0x1p-24
                                     : 0x1p-53;
    *least = dtype == TTSB_F16    ? 0x1p-25
             : dtype == TTSB_BF16 ? 0x1p-134
             : dtype == TTSB_F32  ? 0x1p-150
                                  : 0;
}

struct probe_bounds probe_bounds(double sumsq, uint64_t n,
                                 enum ttsb_dtype dtype,
                                 struct probe_tolerance t)
{
    double norm = sqrt(sumsq), relative, least, off;
    rounding(dtype, &relative, &least);
    off = (relative + t.rtol) * norm + (least + t.atol) * sqrt((double)n);
    return (struct probe_bounds){8 * off, (2 * norm + off) * off +
                                              0x1p-53 * (double)n * sumsq};
}

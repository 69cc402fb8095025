/* SPDX-License-Identifier: MIT
 *
 * rows.c - whole slices in one call, ragged ends row by row.
 */
#include "rows.h"

void rows_add(const struct rows *r, const double *x, uint64_t first, uint64_t n)
{
    uint64_t keep = r->keep, inner = r->inner, done = 0;
    while (done < n) {
        uint64_t at = first + done, k = at / inner % keep, rest = n - done;
        if (at % (inner * keep) == 0 && rest >= inner * keep) {
            uint64_t outer = rest / (inner * keep);
            kernel_sumsq_add_keep(r->acc, outer, keep, inner, x + done);
            done += outer * inner * keep;
            continue;
        }
        rest = rest < inner - at % inner ? rest : inner - at % inner;
        kernel_sumsq_add(&r->acc[k], x + done, rest);
        done += rest;
    }
}

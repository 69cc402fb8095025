/* SPDX-License-Identifier: MIT
 *
 * sum.cc - the generated header in C++17.
 */
#include "sum.h"

#include <array>
#include <cstdint>

static constexpr std::array<std::int64_t, INDEXTTS2_FEAT_TINY_ROWS_COUNT> rows =
    INDEXTTS2_FEAT_TINY_ROWS;

double sum_of_rows(const indextts2_feat_tiny_weights *w)
{
    std::int64_t row = 0;
    double sum = 0;
    for (const std::int64_t count : rows)
        for (const std::int64_t end = row + count; row < end; row++)
            sum +=
                static_cast<double>(w->emo[row * INDEXTTS2_FEAT_TINY_EMO_DIM]);
    return sum;
}

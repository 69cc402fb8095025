/* SPDX-License-Identifier: MIT
 *
 * suggest.c - the optimal string alignment distance, three rows at a time.
 */
#include "suggest.h"

#define MAX_WORD 64

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

size_t suggest_distance(struct str a, struct str b, size_t limit)
{
    size_t rows[3][MAX_WORD + 1] = {{0}}, i, j;
    if (a.n > MAX_WORD || b.n > MAX_WORD)
        return limit + 1;
    for (j = 0; j <= b.n; j++)
        rows[0][j] = j;
    for (i = 1; i <= a.n; i++) {
        size_t *row = rows[i % 3], *up = rows[(i + 2) % 3];
        const size_t *upper = rows[(i + 1) % 3];
        row[0] = i;
        for (j = 1; j <= b.n; j++) {
            row[j] = least(up[j] + 1, row[j - 1] + 1);
            row[j] = least(row[j], up[j - 1] + (a.p[i - 1] != b.p[j - 1]));
            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] &&
                a.p[i - 2] == b.p[j - 1])
                row[j] = least(row[j], upper[j - 2] + 1);
        }
    }
    return least(rows[a.n % 3][b.n], limit + 1);
}

struct str suggest_nearest(struct str word, const struct str *words, size_t n)
{
    size_t best = word.n / 3 > 1 ? word.n / 3 : 1, d;
    struct str found = {0};
    if (word.n < 2) /* anything is near to one letter */
        return found;
    for (size_t i = 0; i < n; i++) {
        d = suggest_distance(word, words[i], best);
        if (d < best || (d == best && found.n == 0)) {
            best = d;
            found = words[i];
        }
    }
    return found;
}

bool suggest_is_twin(struct str a, struct str b)
{
    static const char *const twins[][2] = {{"weight", "gamma"},
                                           {"weight", "scale"},
                                           {"bias", "beta"},
                                           {"bias", "shift"}};
    for (size_t i = 0; i < sizeof twins / sizeof twins[0]; i++)
        if ((str_is(a, twins[i][0]) && str_is(b, twins[i][1])) ||
            (str_is(a, twins[i][1]) && str_is(b, twins[i][0])))
            return true;
    return false;
}

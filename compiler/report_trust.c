/* SPDX-License-Identifier: MIT
 *
 * report_trust.c - the list of trust.h as JSON.
 */
#include "report_trust.h"

#include "meta.h"
#include "trust.h"

static void put_kind(struct text *t, const struct trust *x)
{
    text_c(t, "{\"targets\":[");
    for (size_t i = 0; i < x->n; i++) {
        text_c(t, i > 0 ? "," : "");
        meta_string(t, x->targets[i]);
    }
    text_c(t, "],\"what\":");
    meta_string(t, str_c(x->what));
    text_c(t, ",\"why\":");
    meta_string(t, str_c(x->why));
    text_c(t, "}");
}

void report_trust(struct arena *a, struct text *t, const struct model *m)
{
    struct trust found[TRUST_KINDS];
    const char *comma = "";
    if (m == NULL) {
        text_c(t, "null");
        return;
    }
    trust_find(a, m, found);
    text_c(t, "[");
    for (int i = 0; i < TRUST_KINDS; i++) {
        if (found[i].n == 0)
            continue;
        text_c(t, comma);
        put_kind(t, &found[i]);
        comma = ",";
    }
    text_c(t, "]");
}

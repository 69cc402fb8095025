/* SPDX-License-Identifier: MIT
 *
 * options.c - what each option is and does.
 */
#include "options.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_JOBS 256

static const struct option options[] = {
    {'o', .shown = "-o", .name = "--output", .value = "FILE",
     .help = "write to FILE; replaced as a whole or not at all"},
    {'S', .repeats = true, .shown = "", .name = "--source",
     .value = "NAME=PATH",
     .help = "PATH is (part of) the checkpoint of the spec's source NAME; "
             "repeatable"},
    {'j', .shown = "-j", .name = "--jobs", .value = "N",
     .help = "use N threads, 1 to 256 (default: one per processor, at most "
             "16)"},
    {'q', .shown = "-q", .name = "--quiet",
     .help = "no report; warnings and errors stay"},
    {'v', .shown = "-v", .name = "--verbose",
     .help = "say also what no shape can prove"},
    {'P', .shown = "", .name = "--allow-partial-weights",
     .help = "a missing source is a warning, and its output is MISSING"},
    {'E', .shown = "", .name = "--data",
     .help = "read the weights too: values and what `expect:` says of them"},
    {'A', .shown = "", .name = "--against", .value = "BLOB",
     .help = "BLOB is an earlier one: another layout needs another revision"},
    {'J', .shown = "", .name = "--json", .help = "print JSON"},
    {'s', .shown = "", .name = "--sort", .value = "KEY",
     .words = "file|name|size|dtype",
     .help = "order by file (default), name, size or dtype; largest size "
             "first"},
    {'t', .shown = "", .name = "--tree",
     .help = "show prefixes with counts and bytes, indices folded"},
    {'n', .shown = "", .name = "--names-only", .help = "show only names"},
    {'u', .shown = "", .name = "--summary",
     .help = "show only counts and bytes, by dtype and by size"},
    {'D', .shown = "", .name = "--digest",
     .help = "read the weights too and add a digest of each tensor"},
    {'i', .shown = "", .name = "--inverse",
     .help = "the second operand names a source tensor"},
    {'H', .shown = "", .name = "--hist", .help = "show histograms"},
    {'g', .repeats = true, .shown = "", .name = "--glob", .value = "PATTERN",
     .help = "only tensors whose name matches a PATTERN; repeatable"},
    {'N', .repeats = true, .shown = "", .name = "--allow", .value = "ID",
     .help = "do not look for the suspicion ID; repeatable"},
    {'r', .shown = "", .name = "--rtol", .value = "X",
     .help = "equal is within X times the larger magnitude (default 0)"},
    {'a', .shown = "", .name = "--atol", .value = "X",
     .help = "or within X (default 0)"},
    {'U', .shown = "", .name = "--ulp", .value = "N",
     .help = "or within N units in the last place (default 0)"},
    {'Z', .shown = "", .name = "--spec", .value = "SPEC",
     .help = "A is a blob of SPEC, B is the source that it was made from"},
    {'M', .shown = "-MD", .name = "--depfile",
     .help = "list the inputs in FILE.d, for Make and Ninja"},
    {'F', .shown = "-MF", .name = "--depfile-name", .value = "NAME",
     .help = "list them in NAME instead"},
    {'m', .shown = "", .name = "--map", .value = "NAME",
     .help = "write to NAME where each tensor went, and from what it was "
             "made"},
    {'T', .value_is_free = true, .shown = "", .name = "--stats",
     .value = "NAME",
     .help = "print statistics of sources and outputs, or write them to NAME "
             "as JSON"},
    {'B', .shown = "", .name = "--report", .value = "NAME",
     .help = "write to NAME an HTML page to look at"},
    {'I', .shown = "", .name = "--if-changed",
     .help = "do nothing if FILE.stamp shows that nothing changed"},
    {'V', .shown = "", .name = "--inverse", .value = "SPEC",
     .help = "undo SPEC, which BLOB was compiled by: write its sources again"},
    {'R', .shown = "", .name = "--restorable",
     .help = "write the sources that can be restored, warn of the others"},
    {'L', .shown = "", .name = "--level", .value = "N",
     .help = "zstd's level, 1 to 19 (default 1)"},
    {'p', .shown = "", .name = "--progress", .value = "WHEN",
     .words = "auto|always|never",
     .help = "auto (default: on a terminal), always or never"},
    {'1', .everywhere = true, .shown = "", .name = "--diagnostics",
     .value = "FORMAT", .words = "text|json",
     .help = "findings as text (default) or as JSON lines"},
    {'2', .everywhere = true, .shown = "", .name = "--max-errors", .value = "N",
     .help = "show the first N findings (default 0: all of them)"},
    {'3', .everywhere = true, .shown = "", .name = "--color", .value = "WHEN",
     .words = "auto|always|never",
     .help = "auto (default: on a terminal without NO_COLOR), always or "
             "never"},
};

size_t option_count(void)
{
    return sizeof options / sizeof options[0];
}

const struct option *option_at(size_t i)
{
    return &options[i];
}

bool option_is_of(const struct option *o, const struct command *c)
{
    return o->everywhere || strchr(c->options, o->letter) != NULL ||
           (o->letter == 'o' && strchr(c->options, 'O') != NULL);
}

bool option_wants(const struct option *o)
{
    return o->value != NULL && !o->value_is_free;
}

const char *option_value(const struct option *o, char *text, size_t size)
{
    text[0] = '\0';
    if (o->value != NULL)
        snprintf(text, size, o->value_is_free ? "[=%s]" : " %s", o->value);
    return text;
}

/* --- values --- */

/* A plain number up to `most`. */
static bool number(const char *value, uint64_t most, uint64_t *out)
{
    char *end;
    *out = strtoull(value, &end, 10);
    return value[0] >= '0' && value[0] <= '9' && *end == '\0' && *out <= most;
}

static bool jobs(const char *value, unsigned *out)
{
    uint64_t n;
    bool ok = number(value, MAX_JOBS, &n) && n > 0;
    *out = (unsigned)n;
    return ok;
}

/* A finite number that is not negative. */
static bool tolerance(const char *value, double *out)
{
    char *end;
    *out = strtod(value, &end);
    return end != value && *end == '\0' && isfinite(*out) && *out >= 0;
}

static bool text(const char *value, const char **out)
{
    *out = value;
    return value[0] != '\0';
}

static bool source(const char *value, struct args *args)
{
    const char *equals = strchr(value, '=');
    args->sources[args->source_count++] = value;
    return equals != NULL && equals != value && equals[1] != '\0';
}

static bool when(const char *value, enum color_when *out)
{
    static const char *const words[] = {"auto", "always", "never"};
    for (int i = 0; i < 3; i++)
        if (strcmp(value, words[i]) == 0) {
            *out = (enum color_when)i;
            return true;
        }
    return false;
}

static bool format(const char *value, bool *json)
{
    *json = strcmp(value, "json") == 0;
    return *json || strcmp(value, "text") == 0;
}

static bool *flag(char letter, struct args *args)
{
    switch (letter) {
    case 'q':
        return &args->quiet;
    case 'v':
        return &args->verbose;
    case 'P':
        return &args->partial;
    case 'E':
        return &args->data;
    case 'J':
        return &args->json;
    case 't':
        return &args->tree;
    case 'n':
        return &args->names_only;
    case 'u':
        return &args->summary;
    case 'D':
        return &args->digest;
    case 'i':
        return &args->backwards;
    case 'H':
        return &args->hist;
    case 'M':
        return &args->depfile;
    case 'I':
        return &args->if_changed;
    default:
        return &args->restorable;
    }
}

static const char **path(char letter, struct args *args)
{
    switch (letter) {
    case 'o':
        return &args->output;
    case 'A':
        return &args->against;
    case 'Z':
        return &args->spec;
    case 'F':
        return &args->depfile_name;
    case 'm':
        return &args->map;
    case 'B':
        return &args->report;
    default:
        return &args->inverse;
    }
}

bool option_apply(const struct option *o, const char *value, struct args *args)
{
    if (o->value == NULL) {
        *flag(o->letter, args) = true;
        return true;
    }
    switch (o->letter) {
    case 'S':
        return source(value, args);
    case 'j':
        return jobs(value, &args->jobs);
    case 's':
        return selection_parse(value, &args->sort);
    case 'g':
        return text(value, &args->globs[args->glob_count++]);
    case 'N':
        args->allowed[args->allowed_count++] = value;
        return strncmp(value, "W061", 4) == 0 && diag_title(value) != NULL;
    case 'r':
        return tolerance(value, &args->rtol);
    case 'a':
        return tolerance(value, &args->atol);
    case 'U':
        return number(value, UINT64_MAX, &args->ulp);
    case 'L':
        return number(value, 19, &args->level) && args->level > 0;
    case 'T':
        args->stats = true;
        return value == NULL || text(value, &args->stats_name);
    case 'p':
        return progress_parse(value, &args->progress);
    case '1':
        return format(value, &args->json_findings);
    case '2':
        return number(value, UINT64_MAX, &args->max_errors);
    case '3':
        return when(value, &args->color);
    default:
        return text(value, path(o->letter, args));
    }
}

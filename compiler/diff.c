/* SPDX-License-Identifier: MIT
 *
 * diff.c - `ttswc diff`: two files, or two specs, or a blob and its source.
 *
 * Two texts that end in .yaml or .yml are specs; whatever else is given holds
 * tensors. Exit 0: equal within the tolerances. 1: they differ, or one cannot
 * be taken for what it should be.
 */
#include "diff.h"

#include "commands.h"

static bool is_spec(const char *path)
{
    return str_ends(str_c(path), ".yaml") || str_ends(str_c(path), ".yml");
}

static bool compare(struct diff *d)
{
    struct diag *findings = &d->r->diag;
    return tensors_have_values(findings, &d->a) &&
           tensors_have_values(findings, &d->b) && diff_pair(d) &&
           diff_run(d) && diff_facts(d);
}

static enum exit_code diff_files(const struct args *args)
{
    struct run r;
    struct diff d = {.r = &r, .args = args};
    enum exit_code code;
    bool bad = false;
    run_begin(&r, args);
    d.path_a = str_c(args->positional[0]);
    d.path_b = str_c(args->positional[1]);
    d.within = (struct tolerance){args->rtol, args->atol, args->ulp};
    if (tensors_open(&r.arena, &r.diag, &d.path_a, 1, &d.a)) {
        if (tensors_open(&r.arena, &r.diag, &d.path_b, 1, &d.b)) {
            bad = compare(&d) && diff_print(&d);
            tensors_close(&d.b);
        }
        tensors_close(&d.a);
    }
    code = run_end(&r);
    return code == EXIT_OK && bad ? EXIT_INPUT : code;
}

enum exit_code command_diff(const struct args *args)
{
    int specs = is_spec(args->positional[0]) +
                (args->count > 1 && is_spec(args->positional[1]));
    if (args->spec != NULL && args->count < 2 && args->source_count == 0)
        return cli_misused(
            "diff", "--spec needs B, or --source for each of its sources");
    if (args->spec != NULL)
        return diff_with_source(args);
    if (args->source_count > 0)
        return cli_misused("diff", "--source is for --spec");
    if (args->count < 2)
        return cli_misused("diff", "an operand is missing of A B");
    if (specs == 1)
        return cli_misused("diff",
                           "one of A and B is a spec and the other is not; to "
                           "compare a blob with what a spec makes, use --spec");
    if (specs == 2)
        return diff_specs(args);
    return diff_files(args);
}

/* SPDX-License-Identifier: MIT
 *
 * map_command.c - `ttswc map`: the map of a blob that nobody made.
 *
 * In: a spec, perhaps its checkpoint. Out: what `compile --map` would write,
 * but for the root, which only the weights' bytes decide; without a checkpoint
 * also without places in the file. Invariant: reads headers only.
 */
#include "commands.h"
#include "compile.h"
#include "inputs.h"
#include "map.h"
#include "outfile.h"
#include "resolve.h"
#include "wanted.h"

/* False after E0704. */
static bool write_map(struct run *r, const struct args *args,
                      const struct map_of *of)
{
    struct str path;
    uint64_t size;
    int error;
    if (args->output == NULL) {
        map_print(of);
        return true;
    }
    path = str_c(args->output);
    if (!run_may_write(r, args->output, of->c))
        return false;
    error = map_write(of, &r->arena, path, &size);
    if (error != 0)
        diag_add_file(&r->diag, "E0704", path, DIAG_NO_OFFSET,
                      "cannot write: %s", outfile_error(error));
    return error == 0;
}

static bool wants_json(const struct args *args)
{
    return args->json ||
           (args->output != NULL && map_is_json(str_c(args->output)));
}

static void map_spec(struct run *r, const struct args *args)
{
    struct checkpoint c;
    struct map_of of = {.m = &r->model, .c = &c, .json = wants_json(args)};
    wanted_make(&r->arena, &r->model, &c);
    write_map(r, args, &of);
}

static void map_checkpoint(struct run *r, const struct args *args,
                           struct checkpoint *c)
{
    struct emitted blob;
    struct coverage cover;
    struct map_of of = {&r->model, c, &blob, false, wants_json(args)};
    if (inputs_open(&r->arena, &r->diag, &r->spec, args, c) &&
        resolve_model(&r->arena, &r->diag, &r->model, c, args->partial,
                      &cover) &&
        emit_layout(&r->arena, &r->diag, &r->model, c, &blob))
        write_map(r, args, &of);
}

enum exit_code command_map(const struct args *args)
{
    struct run r;
    struct checkpoint c = {0};
    run_begin(&r, args);
    if (run_model(&r, args->positional[0])) {
        if (args->count > 1 || args->source_count > 0)
            map_checkpoint(&r, args, &c);
        else
            map_spec(&r, args);
    }
    checkpoint_close(&c);
    return run_end(&r);
}

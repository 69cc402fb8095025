/* SPDX-License-Identifier: MIT
 *
 * cli.c - a tenth of a getopt: long and short options, values, `--`.
 */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arena.h"
#include "completion.h"
#include "manual.h"
#include "options.h"
#include "version.h"

#define USAGE_COLUMNS 80
#define HELP_COLUMN 29 /* where the help of an option begins */

static void print_word(FILE *out, int *column, const char *word)
{
    int n = (int)strlen(word);
    if (*column + 1 + n > USAGE_COLUMNS)
        *column = fprintf(out, "\n            ") - 1;
    *column += fprintf(out, " %s", word);
}

static void print_usage(const struct command *c, FILE *out)
{
    int column = fprintf(out, "usage: ttswc %s", c->name);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        bool required = o->letter == 'o' && strchr(c->options, 'O') != NULL;
        char word[64], value[32];
        if (!option_is_of(o, c))
            continue;
        snprintf(word, sizeof word, "%s%s%s%s%s", required ? "" : "[",
                 o->shown[0] != '\0' ? o->shown : o->name,
                 option_value(o, value, sizeof value), required ? "" : "]",
                 o->repeats ? "..." : "");
        print_word(out, &column, word);
    }
    if (c->operands[0] != '\0')
        print_word(out, &column, c->operands);
    fputc('\n', out);
}

/* The words of a text from column `left` on, in as many lines as they need. */
static void print_wrapped(const char *text, int left)
{
    int column = left;
    while (*text != '\0') {
        int n = (int)strcspn(text, " \n");
        if (column > left && column + 1 + n > USAGE_COLUMNS)
            column = printf("\n%*s", left, "") - 1;
        column += printf("%s%.*s", column > left ? " " : "", n, text);
        text += n;
        text += strspn(text, " \n");
    }
    putchar('\n');
}

static void print_command(const struct command *c)
{
    size_t first = strcspn(c->summary, "\n");
    print_usage(c, stdout);
    printf("\n%.*s\n", (int)first, c->summary);
    print_wrapped(c->summary + first + (c->summary[first] != '\0'), 0);
    printf("\noptions:\n");
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        char left[64], value[32];
        if (!option_is_of(o, c))
            continue;
        snprintf(left, sizeof left, "%s%s%s%s", o->shown,
                 o->shown[0] != '\0' ? ", " : "", o->name,
                 option_value(o, value, sizeof value));
        printf("  %-*s ", HELP_COLUMN - 3, left);
        print_wrapped(o->help, HELP_COLUMN);
    }
}

static void print_help(const struct command *commands, FILE *out)
{
    fprintf(out, "usage: ttswc COMMAND ...\n\n"
                 "Compiles a safetensors checkpoint into a .ttsb blob by a "
                 "declarative spec.\n\ncommands:\n");
    for (; commands->name != NULL; commands++) {
        size_t n = strcspn(commands->summary, "\n");
        fprintf(out, "  %-9s %.*s\n", commands->name, (int)n,
                commands->summary);
    }
    fprintf(out, "  %-9s %s\n  %-9s %s\n", "help",
            "Shows this, or help COMMAND", "--version", "Shows the version");
    fprintf(out, "\nexit status: 0 ok, 1 the input is wrong, 2 usage, "
                 "3 system\n");
}

static const struct command *find(const struct command *commands,
                                  const char *name)
{
    for (; commands->name != NULL; commands++)
        if (strcmp(commands->name, name) == 0)
            return commands;
    return NULL;
}

static enum exit_code wrong(const struct command *c, const char *what,
                            const char *which)
{
    fprintf(stderr, "ttswc: error: %s%s%s%s\n", what,
            which[0] != '\0' ? " `" : "", which, which[0] != '\0' ? "`" : "");
    if (c != NULL)
        print_usage(c, stderr);
    fprintf(stderr, "try: ttswc help%s%s\n", c != NULL ? " " : "",
            c != NULL ? c->name : "");
    return EXIT_USAGE;
}

static unsigned processors(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > 16 ? 16 : (unsigned)n;
}

/* The option at argv[0], NULL if it is none of the command's. *value is the
 * text behind `=` or glued to a short one, or NULL. */
static const struct option *match(const struct command *c, const char *text,
                                  const char **value)
{
    *value = NULL;
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        size_t n = strlen(o->name), k = strlen(o->shown);
        if (!option_is_of(o, c))
            continue;
        if (strcmp(text, o->name) == 0 ||
            (k > 0 && strcmp(text, o->shown) == 0))
            return o;
        if (o->value == NULL)
            continue;
        if (strncmp(text, o->name, n) == 0 && text[n] == '=')
            *value = text + n + 1;
        else if (k > 0 && strncmp(text, o->shown, k) == 0)
            *value = text + k;
        if (*value != NULL)
            return o;
    }
    return NULL;
}

/* What is asked for as a whole. */
static enum exit_code judge(const struct command *c, struct args *args)
{
    if (args->count < c->least)
        return wrong(c, "an operand is missing of", c->operands);
    if (args->backwards && args->count < 2)
        return wrong(c, "an operand is missing of", c->operands);
    if (strchr(c->options, 'O') != NULL && args->output == NULL)
        return wrong(c, "-o FILE is missing", "");
    if (args->allowed_count > 0 && strchr(c->options, 'T') != NULL &&
        !args->stats && args->report == NULL)
        return wrong(c, "--allow is for --stats or --report", "");
    if (args->restorable && args->inverse == NULL)
        return wrong(c, "--restorable is for --inverse", "");
    if (args->quiet)
        args->progress = PROGRESS_NEVER;
    return EXIT_OK;
}

static enum exit_code parse(const struct command *c, int argc, char **argv,
                            struct args *args)
{
    bool only_operands = false;
    for (int i = 0; i < argc; i++) {
        const struct option *o = NULL;
        const char *value;
        if (!only_operands && strcmp(argv[i], "--") == 0) {
            only_operands = true;
            continue;
        }
        if (only_operands || argv[i][0] != '-') {
            if (args->count == c->most)
                return wrong(c, "unexpected operand", argv[i]);
            args->positional[args->count++] = argv[i];
            continue;
        }
        o = match(c, argv[i], &value);
        if (o == NULL)
            return wrong(c, "unknown option", argv[i]);
        if (option_wants(o) && value == NULL && i + 1 == argc)
            return wrong(c, "a value is missing behind", argv[i]);
        if (option_wants(o) && value == NULL)
            value = argv[++i];
        if (!option_apply(o, value, args)) {
            char what[64];
            snprintf(what, sizeof what, "unusable value of %s", o->name);
            return wrong(c, what, value);
        }
    }
    return judge(c, args);
}

static enum exit_code completion(const struct command *commands, int argc,
                                 char **argv)
{
    if (argc != 1)
        return wrong(NULL, "--completion takes `bash`, `zsh` or `fish`", "");
    if (!completion_print(commands, argv[0]))
        return wrong(NULL, "no completion for the shell", argv[0]);
    return EXIT_OK;
}

/* `help`, `help COMMAND`; for who packages it, `help --man [COMMAND]` and
 * `help --completion SHELL`. */
static enum exit_code help(const struct command *commands, int argc,
                           char **argv)
{
    bool man = argc > 0 && strcmp(argv[0], "--man") == 0;
    const struct command *c = NULL;
    if (argc > 0 && strcmp(argv[0], "--completion") == 0)
        return completion(commands, argc - 1, argv + 1);
    if (argc > 1 + man)
        return wrong(NULL, "unexpected operand", argv[1 + man]);
    if (argc > man && (c = find(commands, argv[man])) == NULL)
        return wrong(NULL, "no command is called", argv[man]);
    if (man)
        manual_print(commands, c);
    else if (c != NULL)
        print_command(c);
    else
        print_help(commands, stdout);
    return EXIT_OK;
}

static enum exit_code dispatch(const struct command *commands, int argc,
                               char **argv)
{
    struct args args = {.jobs = processors()};
    struct arena arena = {0};
    const struct command *c;
    enum exit_code code;
    if (argc < 2) {
        print_help(commands, stderr);
        return EXIT_USAGE;
    }
    if (strcmp(argv[1], "--version") == 0) {
        if (argc > 2)
            return wrong(NULL, "unexpected operand", argv[2]);
        printf("ttswc %s\n", TTSW_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 ||
        strcmp(argv[1], "-h") == 0)
        return help(commands, argc - 2, argv + 2);
    c = find(commands, argv[1]);
    if (c == NULL)
        return wrong(NULL, "no command is called", argv[1]);
    for (int i = 2; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return help(commands, 1, argv + 1);
    args.positional = arena_new(&arena, const char *, (size_t)argc);
    args.sources = arena_new(&arena, const char *, (size_t)argc);
    args.globs = arena_new(&arena, const char *, (size_t)argc);
    args.allowed = arena_new(&arena, const char *, (size_t)argc);
    code = parse(c, argc - 2, argv + 2, &args);
    if (code == EXIT_OK)
        code = c->run(&args);
    arena_release(&arena);
    return code;
}

enum exit_code cli_misused(const char *command, const char *how)
{
    fprintf(stderr, "ttswc: error: %s\ntry: ttswc help %s\n", how, command);
    return EXIT_USAGE;
}

enum exit_code cli_main(const struct command *commands, int argc, char **argv)
{
    enum exit_code code = dispatch(commands, argc, argv);
    bool failed = ferror(stdout) != 0;
    errno = 0; /* what it is after an earlier write is another call's */
    failed = fflush(stdout) != 0 || failed;
    if (failed && code == EXIT_OK) {
        fprintf(stderr, "ttswc: error: standard output: %s\n",
                errno != 0 ? strerror(errno) : "a write failed");
        return EXIT_SYSTEM;
    }
    return code;
}

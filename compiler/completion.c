/* SPDX-License-Identifier: MIT
 *
 * completion.c - one script for each of three shells, out of the tables.
 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "options.h"
#include "pages.h"

/* --- what may stand behind an option --- */

enum takes { TAKES_NOTHING, TAKES_WORDS, TAKES_FILE, TAKES_ID, TAKES_TEXT };

static enum takes takes(const struct option *o)
{
    static const char *const texts[] = {"N", "X", "PATTERN"};
    if (o->value == NULL)
        return TAKES_NOTHING;
    if (o->words != NULL)
        return TAKES_WORDS;
    if (strcmp(o->value, "ID") == 0)
        return TAKES_ID;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        if (strcmp(o->value, texts[i]) == 0)
            return TAKES_TEXT;
    return TAKES_FILE;
}

/* "a|b" as "a b". */
static void put_words(const char *words)
{
    for (; *words != '\0'; words++)
        putchar(*words == '|' ? ' ' : *words);
}

/* The ids that begin so, with a blank behind each. */
static void put_ids(const char *prefix)
{
    for (const struct page *p = pages; p->id != NULL; p++)
        if (strncmp(p->id, prefix, strlen(prefix)) == 0)
            printf("%s ", p->id);
}

/* What `--allow` may name: the suspicions. */
#define SUSPICIONS "W06"

static void put_values(const struct option *o)
{
    if (takes(o) == TAKES_WORDS)
        put_words(o->words);
    else
        put_ids(SUSPICIONS);
}

static void put_names(const struct command *commands)
{
    for (; commands->name != NULL; commands++)
        printf("%s ", commands->name);
}

/* The first line of a text inside of '...', `escaped` with a backslash. */
static void put_quoted(const char *text, const char *escaped)
{
    for (; *text != '\0' && *text != '\n'; text++) {
        if (*text == '\'')
            printf("'\\'");
        else if (strchr(escaped, *text) != NULL)
            putchar('\\');
        putchar(*text);
    }
}

static bool explains(const struct command *c)
{
    return strcmp(c->name, "explain") == 0;
}

/* --- bash --- */

static const char bash_begin[] =
    "# bash completion of ttswc, printed by: ttswc help --completion bash\n"
    "_ttswc()\n"
    "{\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
    "    local options= words= kind= i=$COMP_CWORD\n"
    "    # `=` is a word of its own here: --sort = na\n"
    "    if [[ $cur == = ]]; then\n"
    "        cur=\n"
    "        prev+==\n"
    "    elif [[ $prev == = ]] && ((i > 2)); then\n"
    "        prev=${COMP_WORDS[i-2]}=\n"
    "    fi\n"
    "    if ((i > 3)) && [[ ${COMP_WORDS[i-3]} == --source ]]; then\n"
    "        kind=files # --source NAME = PATH\n"
    "    fi\n"
    "    COMPREPLY=()\n";

static const char bash_end[] =
    "    esac\n"
    "    if [[ -z $kind && $cur == -* ]]; then\n"
    "        words=$options\n"
    "        kind=words\n"
    "    fi\n"
    "    if [[ $kind == words || $kind == either ]]; then\n"
    "        mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n"
    "    fi\n"
    "    if [[ -z $kind || $kind == files || $kind == either ]]; then\n"
    "        mapfile -t -O ${#COMPREPLY[@]} COMPREPLY < <(compgen -f -- "
    "\"$cur\")\n"
    "        compopt -o filenames 2> /dev/null\n"
    "    fi\n"
    "}\n"
    "complete -F _ttswc ttswc\n";

static void bash_value(const struct option *o)
{
    printf("        ");
    if (option_wants(o) && o->shown[0] != '\0')
        printf("%s | ", o->shown);
    if (option_wants(o))
        printf("%s | ", o->name);
    printf("%s=) ", o->name);
    switch (takes(o)) {
    case TAKES_WORDS:
    case TAKES_ID:
        printf("kind=words words='");
        put_values(o);
        printf("' ;;\n");
        break;
    case TAKES_FILE:
        printf("kind=files ;;\n");
        break;
    default:
        printf("kind=text ;;\n");
        break;
    }
}

static void bash_command(const struct command *c)
{
    printf("    %s)\n        options='", c->name);
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        if (option_is_of(o, c))
            printf("%s%s%s ", o->shown, o->shown[0] != '\0' ? " " : "",
                   o->name);
    }
    printf("'\n        case $prev in\n");
    for (size_t i = 0; i < option_count(); i++)
        if (option_is_of(option_at(i), c) && option_at(i)->value != NULL)
            bash_value(option_at(i));
    if (explains(c)) {
        printf("        explain) [[ $cur == -* ]] || kind=either words='");
        put_ids("");
        printf("' ;;\n");
    }
    printf("        esac\n        ;;\n");
}

static void bash(const struct command *commands)
{
    printf("%s    if ((COMP_CWORD == 1)); then\n        kind=words\n"
           "        words='",
           bash_begin);
    put_names(commands);
    printf("help --help --version'\n    fi\n    case ${COMP_WORDS[1]} in\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        bash_command(c);
    printf("    help)\n        kind=${kind:-words} words=${words:-'");
    put_names(commands);
    printf("'}\n        ;;\n%s", bash_end);
}

/* --- zsh --- */

static void zsh_option(const struct option *o)
{
    bool both = o->shown[0] != '\0';
    printf(" \\\n            ");
    if (o->repeats)
        printf("'*'");
    else if (both)
        printf("'(%s %s)'", o->shown, o->name);
    if (both)
        printf("{%s%s,%s%s}", o->shown, o->value != NULL ? "+" : "", o->name,
               o->value != NULL ? "=" : "");
    else
        printf("%s%s", o->name,
               o->value_is_free   ? "=-"
               : o->value != NULL ? "="
                                  : "");
    printf("'[");
    put_quoted(o->help, "[]");
    printf("]");
    if (o->value != NULL)
        printf("%s:%s:", o->value_is_free ? ":" : "", o->value);
    if (takes(o) == TAKES_WORDS || takes(o) == TAKES_ID) {
        printf("(");
        put_values(o);
        printf(")");
    } else if (takes(o) == TAKES_FILE)
        printf("_files");
    printf("'");
}

static void zsh(const struct command *commands)
{
    printf("#compdef ttswc\n"
           "# zsh completion of ttswc, printed by: ttswc help --completion "
           "zsh\n"
           "_ttswc_explained()\n{\n    local -a ids=(");
    put_ids("");
    printf(")\n    _alternative 'ids:id:compadd -a ids' "
           "'files:spec:_files'\n}\n"
           "_ttswc()\n{\n    local -a commands=(\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        printf("        '%s:", c->name);
        put_quoted(c->summary, ":");
        printf("'\n");
    }
    printf("        'help:Shows the help of a command'\n    )\n"
           "    if ((CURRENT == 2)); then\n"
           "        _describe command commands\n        return\n    fi\n"
           "    local command=$words[2]\n    shift words\n"
           "    ((CURRENT--))\n    case $command in\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        printf("    %s)\n        _arguments", c->name);
        for (size_t i = 0; i < option_count(); i++)
            if (option_is_of(option_at(i), c))
                zsh_option(option_at(i));
        if (explains(c))
            printf(" \\\n            '1:id or spec:_ttswc_explained'");
        printf(" \\\n            '*:file:_files'\n        ;;\n");
    }
    printf("    help)\n        _describe command commands\n        ;;\n"
           "    esac\n}\n_ttswc \"$@\"\n");
}

/* --- fish --- */

static void fish_option(const struct command *c, const struct option *o)
{
    size_t n = strlen(o->shown);
    printf("complete -c ttswc -n '__ttswc_is %s'", c->name);
    if (n > 0)
        printf(" %s %s", n == 2 ? "-s" : "-o", o->shown + 1);
    printf(" -l %s", o->name + 2);
    if (takes(o) == TAKES_FILE)
        printf(o->value_is_free ? "" : " -r -F");
    else if (takes(o) != TAKES_NOTHING)
        printf(" -x");
    if (takes(o) == TAKES_WORDS || takes(o) == TAKES_ID) {
        printf(" -a '");
        put_values(o);
        printf("'");
    }
    printf(" -d '");
    put_quoted(o->help, "\\");
    printf("'\n");
}

static void fish(const struct command *commands)
{
    printf("# fish completion of ttswc, printed by: ttswc help --completion "
           "fish\n"
           "function __ttswc_is\n"
           "    set -l words (commandline -opc)\n"
           "    test (count $words) -ge 2; and test $words[2] = $argv[1]\n"
           "end\n"
           "function __ttswc_first\n"
           "    test (count (commandline -opc)) -eq 1\n"
           "end\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        printf("complete -c ttswc -n __ttswc_first -f -a %s -d '", c->name);
        put_quoted(c->summary, "\\");
        printf("'\n");
        for (size_t i = 0; i < option_count(); i++)
            if (option_is_of(option_at(i), c))
                fish_option(c, option_at(i));
        if (explains(c)) {
            printf("complete -c ttswc -n '__ttswc_is explain' -a '");
            put_ids("");
            printf("'\n");
        }
    }
    printf("complete -c ttswc -n __ttswc_first -f -a help "
           "-d 'Shows the help of a command'\n"
           "complete -c ttswc -n '__ttswc_is help' -f -a '");
    put_names(commands);
    printf("'\n");
}

bool completion_print(const struct command *commands, const char *shell)
{
    if (strcmp(shell, "bash") == 0)
        bash(commands);
    else if (strcmp(shell, "zsh") == 0)
        zsh(commands);
    else if (strcmp(shell, "fish") == 0)
        fish(commands);
    else
        return false;
    return true;
}

/* SPDX-License-Identifier: MIT
 *
 * manual.c - the help as roff, with the macros of man(7) that groff and mandoc
 * agree about.
 */
#include "manual.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "options.h"
#include "version.h"

/* Text that roff prints as it is here; `-` is a hyphen that can be copied. */
static void put(const char *text, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        bool first = i == 0 || text[i - 1] == '\n';
        if (first && (text[i] == '.' || text[i] == '\''))
            printf("\\&");
        switch (text[i]) {
        case '\\':
            printf("\\e");
            break;
        case '-':
            printf("\\-");
            break;
        case '`':
            printf("\\(ga");
            break;
        case '\'':
            printf("\\(aq");
            break;
        default:
            putchar(text[i]);
        }
    }
}

static void put_c(const char *text)
{
    put(text, strlen(text));
}

static void bold(const char *text)
{
    printf("\\fB");
    put_c(text);
    printf("\\fR");
}

static void italic(const char *text)
{
    printf("\\fI");
    put_c(text);
    printf("\\fR");
}

static void put_value(const struct option *o)
{
    if (o->value == NULL)
        return;
    printf(o->value_is_free ? "[=" : " ");
    italic(o->value);
    printf(o->value_is_free ? "]" : "");
}

static void title(const char *name)
{
    printf(".TH TTSWC");
    for (const char *p = name; p != NULL && *p != '\0'; p++)
        printf("%s%c", p == name ? "\\-" : "", toupper((unsigned char)*p));
    printf(" 1 \"\" \"ttswc %s\" \"ttswc\"\n.SH NAME\nttswc%s%s \\- ",
           TTSW_VERSION, name != NULL ? "\\-" : "", name != NULL ? name : "");
}

static void synopsis(const struct command *c)
{
    printf(".SH SYNOPSIS\n.nh\n.ad l\n");
    bold("ttswc");
    printf(" ");
    bold(c->name);
    printf("\n");
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        bool required = o->letter == 'o' && strchr(c->options, 'O') != NULL;
        if (!option_is_of(o, c))
            continue;
        printf(required ? "" : "[");
        bold(o->shown[0] != '\0' ? o->shown : o->name);
        if (o->value != NULL && !o->value_is_free)
            printf("\\ ");
        printf(o->value_is_free ? "[=" : "");
        if (o->value != NULL)
            italic(o->value);
        printf("%s%s%s\n", o->value_is_free ? "]" : "", required ? "" : "]",
               o->repeats ? "...\\&" : "");
    }
    italic(c->operands);
    printf("\n.ad\n.hy\n");
}

static void options(const struct command *c)
{
    printf(".SH OPTIONS\n");
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *o = option_at(i);
        if (!option_is_of(o, c))
            continue;
        printf(".TP\n");
        if (o->shown[0] != '\0') {
            bold(o->shown);
            printf(", ");
        }
        bold(o->name);
        put_value(o);
        printf("\n");
        put_c(o->help);
        printf(".\n");
    }
}

static void exit_status(void)
{
    printf(".SH EXIT STATUS\n"
           ".TP\n0\nall is well\n"
           ".TP\n1\nthe input is wrong, or files differ\n"
           ".TP\n2\nthe command line is wrong\n"
           ".TP\n3\nthe system refused: a file cannot be read or written\n");
}

static void command_page(const struct command *c)
{
    size_t n = strcspn(c->summary, "\n");
    title(c->name);
    put(c->summary, n - (c->summary[n - 1] == '.'));
    printf("\n");
    synopsis(c);
    printf(".SH DESCRIPTION\n");
    put_c(c->summary);
    printf("\n");
    options(c);
    exit_status();
    printf(".SH SEE ALSO\n");
    bold("ttswc");
    printf("(1)\n");
}

static void main_page(const struct command *commands)
{
    title(NULL);
    printf("compile checkpoints of speech models into blobs\n"
           ".SH SYNOPSIS\n");
    bold("ttswc");
    printf(" \\fICOMMAND\\fR ...\n.SH DESCRIPTION\n"
           "Compiles a safetensors checkpoint into a .ttsb blob by a "
           "declarative spec.\n.SH COMMANDS\n");
    for (const struct command *c = commands; c->name != NULL; c++) {
        printf(".TP\n");
        bold(c->name);
        printf("\n");
        put(c->summary, strcspn(c->summary, "\n"));
        printf("\n");
    }
    exit_status();
    printf(".SH SEE ALSO\n.nh\n");
    for (const struct command *c = commands; c->name != NULL; c++)
        printf("\\fBttswc\\-%s\\fR(1)%s\n", c->name,
               c[1].name != NULL ? "," : "");
}

void manual_print(const struct command *commands, const struct command *c)
{
    if (c != NULL)
        command_page(c);
    else
        main_page(commands);
}

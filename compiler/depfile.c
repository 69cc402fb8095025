/* SPDX-License-Identifier: MIT
 *
 * depfile.c - the escapes on which Make and Ninja agree.
 *
 * Both read `\ `, `\#`, `\:` and `$$` as the character; they disagree about
 * other backslashes. Make gives wildcards, `;`, `|`, `=`, `%`, `~` and
 * `a(b)` a meaning that no escape takes away everywhere; Ninja ends a name at
 * some of them and, in Debian 12's version, at quotes and `&`.
 */
#include "depfile.h"

static bool is_writable(struct str name)
{
    if (name.n == 0 || name.p[0] == '~' || name.p[name.n - 1] == ')')
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];
        if (c < 0x20 || c == 0x7f || strchr("\\*?[];|<>^`%=&'\"", c) != NULL)
            return false;
    }
    return true;
}

static void put_name(struct text *t, struct str name)
{
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if (c == '$')
            text_c(t, "$");
        else if (c == ' ' || c == '#' || c == ':')
            text_c(t, "\\");
        text_str(t, (struct str){&c, 1});
    }
}

static bool check_name(struct diag *d, struct str path, struct str name)
{
    struct diag_item *item;
    if (is_writable(name))
        return true;
    item = diag_add_file(d, "E0704", path, DIAG_NO_OFFSET,
                         "Make and Ninja cannot both read the name `%.*s`",
                         STR_ARG(name));
    diag_help(d, item, "give the file another name, or leave -MD out");
    return false;
}

bool depfile_text(struct diag *d, struct text *t, struct str path,
                  struct str output, const struct str *inputs, size_t count)
{
    bool ok = check_name(d, path, output);
    for (size_t i = 0; i < count; i++)
        ok = check_name(d, path, inputs[i]) && ok;
    if (!ok)
        return false;
    put_name(t, output);
    text_c(t, ":");
    for (size_t i = 0; i < count; i++) {
        text_c(t, i == 0 ? " " : " \\\n  ");
        put_name(t, inputs[i]);
    }
    text_c(t, "\n");
    return true;
}

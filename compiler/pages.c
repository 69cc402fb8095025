/* SPDX-License-Identifier: MIT
 *
 * pages.c - prints a page.
 */
#include "pages.h"

enum exit_code pages_explain(const struct args *args)
{
    (void)args;
    return EXIT_SYSTEM;
}

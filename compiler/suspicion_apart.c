/* SPDX-License-Identifier: MIT
 *
 * suspicion_apart.c - W0614
 */
#include "suspicion.h"
void suspicion_apart(struct finder *f)
{
    (void)f;
}

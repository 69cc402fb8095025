/* SPDX-License-Identifier: MIT
 *
 * commands.h - what main.c can run.
 *
 * In: parsed arguments. Out: results on stdout, findings on stderr, an exit
 * code. Invariant: each command is a short pipeline over the stages.
 */
#ifndef TTSW_COMMANDS_H
#define TTSW_COMMANDS_H

#include "cli.h"

enum exit_code command_compile(const struct args *args);
enum exit_code command_check(const struct args *args);
enum exit_code command_header(const struct args *args);
enum exit_code command_inspect(const struct args *args);
enum exit_code command_export(const struct args *args);
enum exit_code command_verify(const struct args *args);
enum exit_code command_explain(const struct args *args);
enum exit_code command_map(const struct args *args);
enum exit_code command_lock(const struct args *args);
enum exit_code command_draft(const struct args *args);
enum exit_code command_stats(const struct args *args);
enum exit_code command_diff(const struct args *args);
enum exit_code command_mutate(const struct args *args);
enum exit_code command_report(const struct args *args);
enum exit_code command_pack(const struct args *args);
enum exit_code command_unpack(const struct args *args);

#endif

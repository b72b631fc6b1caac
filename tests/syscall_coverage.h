/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The page that the table of system calls generates: machine/linux/SYSCALLS.md. */
#ifndef DRAGOMAN_TESTS_SYSCALL_COVERAGE_H
#define DRAGOMAN_TESTS_SYSCALL_COVERAGE_H

#include <stdio.h>

enum coverage { COVERAGE_PASS, COVERAGE_OWN, COVERAGE_NONE, COVERAGE_STATES };

static const struct coverage_row {
    unsigned number;
    const char *name;
    enum coverage state;
    const char *reason;
} coverage_rows[] = {
#define PASS(number, name, kinds) {number, #name, COVERAGE_PASS, NULL},
#define PASS_AS(number, name, host, kinds) {number, #name, COVERAGE_PASS, NULL},
#define OWN(number, name, kinds) {number, #name, COVERAGE_OWN, NULL},
#define NONE(number, name, kinds, reason) {number, #name, COVERAGE_NONE, reason},
#include "machine/linux/syscalls.inc"
#undef PASS
#undef PASS_AS
#undef OWN
#undef NONE
};
#define COVERAGE_ROWS (sizeof coverage_rows / sizeof coverage_rows[0])

static void coverage_list(FILE *out, enum coverage state)
{
    size_t column = 0;
    for (size_t i = 0; i < COVERAGE_ROWS; i++) {
        if (coverage_rows[i].state != state)
            continue;
        int n = snprintf(NULL, 0, "%s", coverage_rows[i].name);
        if (column + (size_t)n + 2 > 110) {
            fprintf(out, ",\n");
            column = 0;
        }
        column += (size_t)fprintf(out, "%s%s", column ? ", " : "", coverage_rows[i].name);
    }
    fprintf(out, ".\n");
}

static void syscall_coverage_print(FILE *out)
{
    unsigned count[COVERAGE_STATES] = {0};
    for (size_t i = 0; i < COVERAGE_ROWS; i++)
        count[coverage_rows[i].state]++;
    fprintf(out,
            "# System calls\n\nGenerated from `syscalls.inc` by `build/tests/syscall_coverage`; a test compares the two.\n\n"
            "Of the %zu system calls of arm64 Linux %u are done here, because something of them differs between arm64 and\n"
            "x86-64 or concerns what dragoman keeps; %u are the host's own, with the guest's arguments; %u are refused with\n"
            "ENOSYS on purpose.\n",
            COVERAGE_ROWS, count[COVERAGE_OWN], count[COVERAGE_PASS], count[COVERAGE_NONE]);
    fprintf(out, "\n## Refused\n\n| number | call | reason |\n|---|---|---|\n");
    for (size_t i = 0; i < COVERAGE_ROWS; i++) {
        if (coverage_rows[i].state == COVERAGE_NONE)
            fprintf(out, "| %u | %s | %s |\n", coverage_rows[i].number, coverage_rows[i].name, coverage_rows[i].reason);
    }
    fprintf(out, "\n## Done here\n\n");
    coverage_list(out, COVERAGE_OWN);
    fprintf(out, "\n## The host's\n\n");
    coverage_list(out, COVERAGE_PASS);
}

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How often each row of the decode table was drawn, and how often it did its work. */
#ifndef DRAGOMAN_TESTS_RANDOM_COVERAGE_H
#define DRAGOMAN_TESTS_RANDOM_COVERAGE_H

#include "tests/random/generate.h"

struct row_coverage {
    uint64_t drawn; /* sequences that it is in */
    uint64_t done;  /* runs in which it came to its end, unless a branch went around it */
};

struct coverage {
    struct row_coverage *rows; /* by row of the decode table */
};

bool coverage_create(struct coverage *c);
void coverage_destroy(struct coverage *c);
/** Counts a sequence, and how it went from each of the `n` states. Their outcomes are `stride` bytes apart. */
void coverage_add(struct coverage *c, const struct sequence *s, const struct state *starts, const struct outcome *ends,
                  size_t stride, unsigned n);
/** Prints the rows that did the least, or, if `all`, a line for each. */
void coverage_print(const struct coverage *c, const struct a64_row *const *rows, unsigned nrows, bool all);

#endif

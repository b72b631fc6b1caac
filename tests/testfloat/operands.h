/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The operands that the documentation of Berkeley TestFloat (release 3, "General Documentation", section 6) calls for:
 * floating-point numbers of both signs, of exponents on both sides of every border, with significands of few set bits
 * and of runs of ones; integers likewise. Level 1 is a table of 200 to 400 numbers for a format, of which all pairs and
 * triples are cases; level 2 draws from some ten thousand and from random bits, and related operands: sums that cancel.
 */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_OPERANDS_H
#define DRAGOMAN_TESTS_TESTFLOAT_OPERANDS_H

#include <stdbool.h>
#include <stdint.h>

enum kind { KIND_NONE, KIND_HALF, KIND_SINGLE, KIND_DOUBLE, KIND_INTEGER_16, KIND_INTEGER_32, KIND_INTEGER_64, KINDS };

struct level_1 {
    unsigned n;
    uint64_t values[512];
};

uint64_t random_64(uint64_t *random);
/** The level-1 numbers of a kind. */
void level_1_fill(struct level_1 *table, enum kind kind);
/** A level-2 number. */
uint64_t level_2_draw(enum kind kind, uint64_t *random);
/** A number close to `value`, of either sign: some units in the last place away. */
uint64_t neighbour(enum kind kind, uint64_t value, uint64_t *random);
unsigned kind_bits(enum kind kind);

#endif

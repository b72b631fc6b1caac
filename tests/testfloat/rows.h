/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The instructions: every scalar and most vector forms of the floating-point operations, with what they compute. */
#ifndef DRAGOMAN_TESTS_TESTFLOAT_ROWS_H
#define DRAGOMAN_TESTS_TESTFLOAT_ROWS_H

#include <stddef.h>

#include "tests/testfloat/operands.h"
#include "tests/testfloat/reference.h"

/* Where a result is. */
enum place { IN_VECTOR /* V2 */, IN_GENERAL /* X4 */, IN_NZCV, IN_NZCV_AND_GENERAL };

/* Which lanes are the operands of the result's lane i. */
enum arrangement {
    LANES,   /* i of each */
    HIGH,    /* of a and b, those of the upper half */
    ELEMENT, /* of b, always 1 */
    PAIRS,   /* 2i and 2i + 1 of V1:V0 */
    ADD_90,  /* FCADD and FCMLA: even lanes are real parts, odd ones imaginary */
    ADD_270,
    MULTIPLY_0,
    MULTIPLY_90,
    MULTIPLY_180,
    MULTIPLY_270,
};

/*
 * Operands are in the lanes of V0 (a; of X3 too), V1 (b), V2 (c). A lane of a, b and c is `kinds` wide. What a lane's
 * register has above the lanes is not zero and must not matter; a result clears what is above it.
 */
struct row {
    uint32_t word;
    struct task task;
    unsigned lanes;
    enum kind kinds[3];
    enum place place;
    enum arrangement arrangement;
};

/** Operand `number` (a, b, c) of lane i; 0 if the row has none. */
uint64_t row_operand(const struct row *row, const uint64_t v[3][2], unsigned number, unsigned i);
uint64_t lane_get(const uint64_t v[2], unsigned bits, unsigned lane);
/** All rows; returns their number. The array is the callee's: free() it. */
size_t rows_create(struct row **rows);

#endif

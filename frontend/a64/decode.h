/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The A64 decode table. One row an encoding of the Arm ARM (DDI 0487), in the .inc files that a64.inc lists:
 *
 *   INSN(NAME, "PATTERN", FEATURE, FUNCTION)
 *   NONE(NAME, "PATTERN", FEATURE)                allocated, but not translated yet
 *
 * NAME      the manual's mnemonic and class suffix: ADD_imm, LDR_reg, FMADD_d. Unique.
 * PATTERN   32 bits from bit 31 down, blank-separated:
 *             0110   fixed bits                       x, xx   bits that do not matter (the manual's "(0)")
 *             sf     a field of one bit               Rn:5    a field of five bits
 *           then, after a semicolon, what the fields must not be: names joined by ':', "!=", binary digits or x, as in
 *             "0 Q 0 01110 size:2 1 Rm:5 100001 Rn:5 Rd:5; size:Q!=110"
 *           A word is unallocated because no row matches, so such constraints belong in the pattern, not in the code.
 *           Where several rows match, the one with the most fixed bits wins (so an alias with its own meaning is a row).
 * FEATURE   BASE, LSE, FP16 …: A64_FEAT_<FEATURE>. A CPU without it takes the word as unallocated.
 * FUNCTION  a64_<FUNCTION>(struct a64_translate *), in a translate_*.c file. Encodings of a family share one.
 *
 * The decoder, the list of what is implemented and the random instructions of the tests all come from these rows.
 * The index for lookups is made from the patterns at the first call and never changes after that; any thread may call.
 */
#ifndef DRAGOMAN_FRONTEND_A64_DECODE_H
#define DRAGOMAN_FRONTEND_A64_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "frontend/a64/cpu.h"

struct a64_translate;

struct a64_row {
    const char *name;
    const char *pattern;
    uint8_t feature;                           /* enum a64_feature */
    void (*translate)(struct a64_translate *); /* NULL: allocated, not translated */
};
extern const struct a64_row a64_rows[];
extern const size_t a64_row_count;

/** The row that `word` is an encoding of, NULL when it is unallocated. Features are not looked at. */
const struct a64_row *a64_decode(uint32_t word);

/* ---- patterns, parsed: for the decoder itself and for tests ------------------------------------------------------ */

#define A64_MAX_FIELDS 12
#define A64_MAX_FORBIDS 8

struct a64_field {
    const char *name; /* in the pattern, not terminated */
    uint8_t name_length, shift, width;
};
struct a64_encoding {
    uint32_t mask, value; /* fixed bits */
    uint8_t nfields, nforbids;
    struct a64_field fields[A64_MAX_FIELDS];
    struct {
        uint32_t mask, value; /* (word & mask) == value is not this encoding */
    } forbids[A64_MAX_FORBIDS];
};
/** NULL, or what is wrong with the pattern. */
const char *a64_parse_pattern(const char *pattern, struct a64_encoding *encoding);
/** A random word that decodes to `row`; *random is the state of the generator (any value, updated). 0 if the row is
    hidden by others or its constraints leave next to nothing. */
uint32_t a64_random_word(const struct a64_row *row, uint64_t *random);

#endif

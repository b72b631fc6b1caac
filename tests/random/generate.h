/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Random A64 programs: 1 to 20 instructions drawn from the decode table, in a loop that runs one to four times, and
 * states to start them in. Everything is a function of a seed.
 *
 * Register conventions keep programs from wandering off: X0..X5 and SP point into RAM, now and then at its ends or
 * unaligned, X4 farther down than the others, X20..X23 are small (index registers), X24 and X25 hold valid values for
 * FPCR and FPSR, X27 the address of a later instruction (indirect branches), X28 counts the loop. No instruction writes
 * X24, X25, X27, X28. All branches lead forward.
 */
#ifndef DRAGOMAN_TESTS_RANDOM_GENERATE_H
#define DRAGOMAN_TESTS_RANDOM_GENERATE_H

#include <stdbool.h>
#include <stdint.h>

#include "frontend/a64/decode.h"
#include "tests/random/exchange.h"

enum { BODY_MAX = 20 };
enum {
    COPY_REGISTER = 4,
    FPCR_REGISTER = 24,
    FPSR_REGISTER = 25,
    SIGNED_REGISTER = 26,
    JUMP_REGISTER = 27,
    LOOP_REGISTER = 28
};
#define NOP 0xd503201fu

struct sequence {
    unsigned n; /* instructions of the body; the loop's SUB, CBNZ and a BRK follow */
    uint32_t words[WORDS_MAX];
};

uint32_t next_random(uint64_t *random);
/** Whether the row may be drawn: translated, of a feature that is there, and a function of the state alone. */
bool row_is_usable(const struct a64_row *row);
/** A sequence of `length` instructions, 0 for a random number of them, one of which is the row's. */
void random_sequence(struct sequence *s, const struct a64_row *row, unsigned length, uint64_t *random);
/** Puts the loop and the end behind the body. */
void finish_sequence(struct sequence *s);
void random_state(struct state *state, const struct sequence *s, uint64_t *random);
void random_ram(uint64_t *ram, uint64_t *random);
/** True for a word that branches within the sequence. */
bool is_branch(uint32_t word);
/** True if the word is of a row that has CONSTRAINED UNPREDICTABLE cases and is one of them. */
bool is_unpredictable(uint32_t word);

#endif

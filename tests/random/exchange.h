/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the random tests' driver (main.c, on the host) and its ARM program (guest.c, under an emulator or on a real CPU)
 * say to each other over a pair of pipes. The driver begins with the RAM_BYTES of memory that every run starts from;
 * then each struct request is answered with a struct outcome for each of its states, cut behind the last change.
 *
 * Both sides have the same addresses: code, and RAM between guard areas that nothing can access.
 */
#ifndef DRAGOMAN_TESTS_RANDOM_EXCHANGE_H
#define DRAGOMAN_TESTS_RANDOM_EXCHANGE_H

#include <stddef.h>
#include <stdint.h>

#define CODE_BASE 0x20000000u
#define RAM_BASE 0x30000000u
enum { CODE_BYTES = 4096, RAM_BYTES = 8192, GUARD_BYTES = 1 << 20, WORDS_MAX = 32, STATES_MAX = 8 };

struct state {
    uint64_t x[31], sp, pc, tpidr;
    uint64_t v[32][2];
    uint32_t nzcv, fpcr, fpsr;
    uint32_t signal; /* out: the Linux signal that ended the run, or 0 */
    uint32_t pstate; /* out: PSTATE.SSBS and DIT where SPSR has them */
    uint32_t reserved;
};

struct request {
    uint64_t nstates;
    uint32_t words[WORDS_MAX]; /* from CODE_BASE on: a BRK at the end, and zeros, which literal loads may read */
    struct state states[STATES_MAX];
};

/** Eight bytes of RAM that are not what they were. */
struct change {
    uint64_t offset, value;
};

struct outcome {
    struct state state;
    uint64_t nchanges;
    struct change changes[RAM_BYTES / 8];
};
#define OUTCOME_HEAD offsetof(struct outcome, changes)

/** Fills in the changes, in order. */
static inline void find_changes(struct outcome *outcome, const uint64_t *ram, const uint64_t *initial_ram)
{
    outcome->nchanges = 0;
    for (uint64_t i = 0; i < RAM_BYTES / 8; i++)
        if (ram[i] != initial_ram[i])
            outcome->changes[outcome->nchanges++] = (struct change){8 * i, ram[i]};
}

#endif

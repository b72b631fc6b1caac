/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * State maps: for each host address of a region at which control may be lost (a fault, a POLL), where every guest state
 * slot that differs from memory is, and the guest PC. Written by a backend while it emits, read when control was lost.
 * Entries are in ascending host offset and hold differences from the entry before, so a map is a few bytes an entry.
 */
#ifndef DRAGOMAN_TRANSLATOR_STATEMAP_H
#define DRAGOMAN_TRANSLATOR_STATEMAP_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "translator/isa.h"

enum loc_kind {
    LOC_ENTRY, /* memory is right */
    LOC_GPR,   /* host general register `reg` */
    LOC_XMM,   /* host vector register `reg` */
    LOC_SPILL, /* cpu_front.spill, 8-byte unit `index` */
    LOC_SLOT,  /* the entry value of another state slot, `index`: memory of that slot */
    LOC_CONST, /* `bits`, `bits_high` */
    LOC_FLAGS, /* packed flags to be computed: flags_op on a and b */
    LOC_PC,    /* `bits` from the region's guest address on */
};

/** Where the bits of one operand are. */
struct loc {
    uint8_t kind;   /* enum loc_kind */
    uint8_t reg;
    uint8_t extend; /* bytes of the value that count, the rest of the slot becomes zero; 0: all of the slot */
    uint8_t flags_op;   /* LOC_FLAGS: IR_FLAGS_ADD, _SUB, _LOGIC */
    uint8_t flags_size; /* LOC_FLAGS: operand bytes */
    uint32_t index;
    uint64_t bits, bits_high;
};

/** A slot's place; b is for LOC_FLAGS (where `at` has kind LOC_FLAGS and a, b hold the operands). */
struct slot_loc {
    struct loc at, a, b;
};

struct statemap_writer {
    uint8_t *bytes;
    uint32_t used, capacity;
    uint32_t last_offset;
    uint64_t last_pc;
};

void statemap_begin(struct statemap_writer *w);
/** Begins another map in the memory of the one before (a zeroed writer has none yet). */
void statemap_begin_again(struct statemap_writer *w);
/** Starts the entry for host offset `offset` (not below the last one) and guest address `pc`, counted from the region's (so that
    a map does not depend on where the guest's code is); `all` true: slots not named
    by statemap_slot() calls that follow are LOC_ENTRY, else they are as in the entry before. */
void statemap_entry(struct statemap_writer *w, uint32_t offset, uint64_t pc, bool all);
void statemap_slot(struct statemap_writer *w, unsigned slot, const struct slot_loc *where);
/** Ends the map; returns its bytes, which the writer owns, *size their number. */
const uint8_t *statemap_close(struct statemap_writer *w, uint32_t *size);
/** The same, but the caller owns the bytes (malloc'ed). */
uint8_t *statemap_end(struct statemap_writer *w, uint32_t *size);

struct host_regs {
    uint64_t gpr[16];
    __m128i xmm[16];
};

/** Writes the exact guest state (all slots, cpu->pc) for the entry with host offset `offset`, of a region whose guest address is
    `base`. Returns false, having
    changed nothing, when the map has no such entry. */
bool statemap_recover(const uint8_t *map, uint32_t size, uint64_t base, uint32_t offset, const struct host_regs *regs,
                      const struct guest_isa *isa, struct cpu *cpu);
/** Entries in the map, for -d out_asm: calls `each` with offset and guest pc in order. */
void statemap_walk(const uint8_t *map, uint32_t size, uint64_t base, void (*each)(void *opaque, uint32_t offset, uint64_t pc), void *opaque);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine asks of a guest instruction set. One `const struct guest_isa` a frontend.
 */
#ifndef DRAGOMAN_TRANSLATOR_ISA_H
#define DRAGOMAN_TRANSLATOR_ISA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

#include "translator/ir.h"

struct builder;
struct cpu;

/** A piece of guest state. Promoted slots live in IR values within a region; unpromoted ones are only touched by
    helpers and by GET/SET right where they stand. */
struct state_slot {
    const char *name;
    uint8_t type;    /* enum ir_type */
    uint32_t offset; /* of its bytes in struct cpu */
};

/** The registers as debuggers see them, by gdb's numbers. All functions: the CPU is not running. */
#define ISA_DEBUG_BYTES 256 /* of the largest register */
struct isa_debug {
    /** The document `name` of the target description ("target.xml"), or NULL. */
    const char *(*description)(const struct cpu *cpu, const char *name);
    unsigned (*count)(const struct cpu *cpu);
    /** The bytes of a register in guest memory's order; returns how many: 0 if there is no such register. */
    size_t (*read)(const struct cpu *cpu, unsigned number, uint8_t bytes[ISA_DEBUG_BYTES]);
    /** Returns how many bytes it took: 0 if there is no such register or too few are `available`. */
    size_t (*write)(struct cpu *cpu, unsigned number, const uint8_t *bytes, size_t available);
    uint8_t expedited[4], nexpedited; /* what a debugger asks for first after each stop */
};

struct guest_isa {
    const char *name; /* "a64" */
    const struct state_slot *slots;
    unsigned nslots; /* at most BUILDER_MAX_SLOTS */
    const struct ir_helper *const *helpers; /* all of them, NULL-terminated, for printing and parsing */
    size_t cpu_size; /* sizeof the ISA's CPU struct, which begins with struct cpu */
    size_t window_offset; /* of the uint32_t with enum cpu_window in it; 0: TRAP_WINDOW_OPEN is not asked for */

    /**
     * Translates the instruction at builder->pc and advances builder->pc. The bytes are read with builder_fetch32/16.
     * Ends the block (builder_ended() becomes true) after a branch, an exception or a change of translation state.
     * An unallocated encoding ends the block with a trap, never fails.
     */
    void (*translate)(struct builder *b);

    /** The state that a translation assumed (mode bits that change what instructions mean): part of the key under which
        it is found. Must be cheap. */
    uint32_t (*translation_key)(const struct cpu *cpu);

    /**
     * TRAP_EXECUTE (may be NULL if translate() never asks for it): executes the instruction at cpu->pc, of which
     * cpu->trap_info is the word, or a part of it that leaves the state such that executing it again goes on. False: an
     * access failed, cpu->cache_start and cpu->trap_info are as TRAP_DATA says.
     */
    bool (*execute)(struct cpu *cpu);

    /** From a host signal handler (may be NULL): true when the fault at uc was in one of the guarded accesses to guest
        memory that helpers and execute() make, which will now report it. Async-signal-safe. */
    bool (*fixup)(ucontext_t *uc);

    /** Prints the registers for logs: one line per few registers. */
    void (*print_state)(FILE *out, const struct cpu *cpu);

    const struct isa_debug *debug; /* NULL: none */
    int capstone_arch, capstone_mode; /* for disassembly in logs */
};

#endif

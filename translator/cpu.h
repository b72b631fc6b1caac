/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The part of a virtual CPU that the engine and translated code share. A frontend's own CPU struct starts with it
 * (struct a64_cpu { struct cpu cpu; … }). Owned by one host thread; others may only set `interrupt` (atomically).
 *
 * Translated code addresses it through one host register that points CPU_BIAS bytes into it, so that the guest's
 * general registers, which follow the first few fields, are reached with one-byte displacements.
 */
#ifndef DRAGOMAN_TRANSLATOR_CPU_H
#define DRAGOMAN_TRANSLATOR_CPU_H

#include <immintrin.h>
#include <stdint.h>

#define CPU_BIAS 216
#define CPU_SPILL_SLOTS 512 /* 8-byte units for values that found no host register; a v128 takes two, aligned */

struct engine;
struct region;

/** Why translated code came back to the dispatcher (cpu.exit_reason). */
enum cpu_exit {
    CPU_EXIT_LOOKUP,    /* pc holds a guest address that the inline lookup did not find */
    CPU_EXIT_LINK,      /* a direct exit not chained yet: exit_site tells which; pc is set */
    CPU_EXIT_INTERRUPT, /* POLL saw cpu.interrupt; state is complete, pc is set */
    CPU_EXIT_HOT,       /* a cold block's counter ran out: exit_site is its region; pc is set */
    CPU_EXIT_TRAP,      /* EXIT_TRAP: trap holds enum cpu_trap; pc is set */
    CPU_EXIT_FAULT,     /* a host fault was recovered; the machine's signal handler has left the details */
};

/** Reasons of EXIT_TRAP: what the machine must do. pc is that of the instruction, except where noted. */
enum cpu_trap {
    TRAP_NONE,
    TRAP_SYSCALL,       /* SVC: pc is already the next instruction's; trap_info = the immediate */
    TRAP_UNDEFINED,     /* an unallocated encoding, or one that this CPU model lacks */
    TRAP_UNIMPLEMENTED, /* allocated, in the decode table, and not translated yet: say so, then as undefined */
    TRAP_BREAKPOINT,    /* BRK */
    TRAP_FETCH,         /* no executable memory at pc */
    TRAP_ALIGN_PC,      /* pc not aligned */
    TRAP_CACHE,         /* instruction cache maintenance done by the guest: cache_start, cache_end tell the range; pc is the next */
    TRAP_RESYNC,        /* translation state changed: look up again at pc (the next instruction) */
    TRAP_HALT,          /* tests: stop here */
    TRAP_FAULT,         /* the machine's: a fault recovered from translated code */
    TRAP_INTERRUPT,     /* the machine's: cpu.interrupt was seen */
    TRAP_ALIGN_DATA,    /* an access that has to be aligned is not */
    TRAP_ALIGN_SP,      /* the stack pointer is the base of an access and not aligned */
    TRAP_EXECUTE,       /* guest_isa.execute is to go on with the instruction; trap_info is its word. Handled inside */
    TRAP_DEBUG,         /* a breakpoint at pc (trap_info 0), or before an access that watchpoint trap_info - 1 is for */
    TRAP_DATA,          /* guest_isa.execute met memory that cannot be accessed: at cache_start; trap_info: 1 for a write */
    TRAP_BRANCH_TARGET, /* what is at pc, code or not, may not be reached by the indirect branch that cpu.branch_kind tells */
    TRAP_WINDOW_OPEN,   /* no other CPU may run from here on, see enum cpu_window. Handled inside */
    TRAP_WINDOW_CLOSE,  /* the others may run again. Handled inside */
};

/**
 * Windows: what a CPU executes while no other one of the engine runs (exclusive.c). The ISA's CPU struct holds this word, at
 * guest_isa.window_offset; translated code reads it as a slot, and only the CPU's own engine_run() writes it.
 */
enum cpu_window {
    CPU_WINDOW_ALONE, /* there is no other CPU */
    CPU_WINDOW_CLOSED,
    CPU_WINDOW_OPEN,
};

struct jump_entry {
    uint64_t guest_pc; /* in an empty entry, an address whose entry is another */
    const void *host;
};
#define JUMP_CACHE_BITS 12
#define JUMP_CACHE_HASH(pc) ((uint32_t)((pc) >> 2) & ((1u << JUMP_CACHE_BITS) - 1))
/**
 * Indirect branches are of several kinds (0..JUMP_KINDS-1, the frontend's own), and a region says by which of them it may be
 * reached. The entry for an address is, for each kind, another one: so many further on. Thus a branch that finds
 * its target's entry need not ask anything.
 */
#define JUMP_KINDS 4u
#define JUMP_KIND_STEP 32u
#define JUMP_CACHE_ENTRIES ((1u << JUMP_CACHE_BITS) + (JUMP_KINDS - 1) * JUMP_KIND_STEP)
#define JUMP_CACHE_INDEX(pc, kind) (JUMP_CACHE_HASH(pc) + (kind) * JUMP_KIND_STEP)

/**
 * Where a branch's target goes that has the same entry as another one's: found by address and kind together, one after the
 * other's bits, by the multiplication's upper bits. Only for addresses that are multiples of 4.
 */
#define JUMP_SECOND_BITS 12
#define JUMP_SECOND_FACTOR 0x9e3779b1u
#define JUMP_SECOND_KEY(pc, kind) ((pc) + (kind))
#define JUMP_SECOND_INDEX(key) ((uint32_t)(key) * JUMP_SECOND_FACTOR >> (32 - JUMP_SECOND_BITS))
/** In an empty entry: a key whose entry is another. There is none that no branch has: all bits set is the last address's, by kind 3. */
#define JUMP_SECOND_EMPTY(index) ((index) == 0 ? UINT64_C(1) : UINT64_C(0))

/** Lies directly before struct cpu in memory, so that translated code reaches it with a negative displacement. */
struct cpu_front {
    struct jump_entry jump_second[1u << JUMP_SECOND_BITS];
    struct jump_entry jump_cache[JUMP_CACHE_ENTRIES];
    __m128i spill[CPU_SPILL_SLOTS / 2];
    uint64_t scratch[32]; /* for a backend's out-of-line sequences */
};
_Static_assert(sizeof(struct cpu_front) % 64 == 0, "struct cpu stays aligned");

struct cpu {
    uint32_t interrupt;   /* non-zero: POLL and the dispatcher leave; set by anyone, atomically */
    uint32_t exit_reason; /* enum cpu_exit */
    uint64_t pc;          /* valid outside translated code */
    void *host_sp;        /* translated code's own stack: holds the return predictor (x86_64 backend) */
    void *dispatcher_sp;  /* host stack of the dispatcher while translated code runs */
    void *exit_site;      /* struct code_exit * or struct region *, by exit_reason */
    uint32_t trap;        /* enum cpu_trap */
    uint32_t trap_info;
    uint64_t cache_start, cache_end; /* TRAP_CACHE; cache_start: TRAP_DATA */
    struct engine *engine;
    struct cpu_thread *thread; /* the engine's own bookkeeping for this CPU (engine.c) */
    uint32_t mxcsr;       /* the guest's rounding mode and accumulated status in the host's format. While guest code runs
                             (either backend) it is in the host's MXCSR; enter() loads it and saves it back */
    uint32_t branch_kind; /* not 0: pc has been reached by an indirect branch of this kind, and whether it may be has not been
                             looked at yet. Set by translated code when it leaves for CPU_EXIT_LOOKUP, and by the machine */
    /* 88 bytes; the ISA's general registers follow: the first 32 of them are within CPU_BIAS + [-128, 127]. */
};

static inline struct cpu_front *cpu_front(struct cpu *cpu) { return (struct cpu_front *)cpu - 1; }

#endif

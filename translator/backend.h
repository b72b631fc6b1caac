/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine asks of a host backend. One `const struct host_backend` each: x86_64 and interp.
 *
 * Code is emitted through the writable mapping of the code cache and runs through the executable one (code_cache.h);
 * all addresses given out are executable-mapping addresses.
 */
#ifndef DRAGOMAN_TRANSLATOR_BACKEND_H
#define DRAGOMAN_TRANSLATOR_BACKEND_H

#include <stdbool.h>
#include <stdint.h>
#include <ucontext.h>

#include "translator/cpu.h"
#include "translator/ir.h"
#include "translator/isa.h"
#include "translator/statemap.h"

struct code_cache;

/** A direct exit of a region: a place in its code that is patched to reach its target. */
struct code_exit {
    uint64_t target;           /* guest address */
    uint32_t patch_offset;     /* of the 4-byte displacement, from region.code; the backend's business */
    uint32_t stub_offset;      /* where the displacement leads while not chained */
    struct region *region;     /* whose exit this is */
    struct region *linked;     /* chained to, or NULL */
    struct code_exit *next_in; /* list of exits chained to the same region (region.incoming) */
};

/** A host instruction that may trap, and where the thread is to go on then; offsets from region.code. */
struct code_trap {
    uint32_t offset, stub_offset;
};

/** Bytes of a region's code that depend on where something is. */
enum code_note_kind {
    CODE_NOTE_NEAR,  /* 4: the distance to an address, from behind them; what that is tells the address */
    CODE_NOTE_IMAGE, /* 8: the address of something in this program */
    CODE_NOTE_GUEST, /* 8: a guest address that moves with the region's */
    CODE_NOTE_FIXED, /* somewhere there: something that cannot be told */
};
struct code_note {
    uint32_t at; /* offset from region.code */
    uint32_t kind;
};

/** One translation. It lies in code_cache_memory() of the chunk that holds its code. */
struct region {
    uint64_t guest_pc;
    uint32_t key;         /* translation_key */
    uint32_t guest_insns;
    const uint8_t *code;  /* executable address of the entry; NULL for backends without host code */
    uint32_t code_size;
    uint32_t nexits;
    struct code_exit *exits; /* code_cache_memory() */
    uint8_t *statemap;       /* code_cache_memory() */
    uint32_t statemap_size;
    struct code_trap *traps; /* code_cache_memory(): ntraps, in ascending order of offset */
    uint32_t ntraps;
    bool trap_invalid;    /* in: floating-point results are not tested for NaNs, invalid operations trap instead */
    bool noted;           /* in: host_backend.notes is to tell what the code depends on */
    bool movable;         /* in, with `noted`: the code may depend on guest addresses only where CODE_NOTE_GUEST says so */
    int32_t *countdown;   /* entries until hot, counted by translated code when compiled with `profile`: code_cache_counter() */
    void *backend_data;   /* malloc'ed; interp keeps its IR here */
    uint8_t entry_kinds;  /* bit k: an indirect branch of kind k may reach it (builder.entry_kinds) */
    bool hot;             /* formed of several blocks */
    bool dead;            /* invalidated: never linked to, entered or found again */
    struct code_exit *incoming;
    struct region *hash_next;  /* engine's table */
    struct region *chunk_next; /* all regions of a cache chunk */
    uint32_t nblocks;          /* guest blocks it was formed of: their addresses, for region forming */
    /* Of a cold region, for region forming: */
    uint64_t successors[2];    /* guest targets of its direct branch or call, 1 = none */
    uint64_t return_pc;        /* of its call */
    uint8_t end;               /* enum ir_op: what it ends with */
    uint64_t last_target;      /* of its indirect branch (not of returns), when compiled with `profile` */
    uint32_t target_changes;   /* how often that was another than before */
};

struct backend_options {
    bool fold;      /* address-mode, compare-branch and load-op folding */
    bool chain;     /* direct exits may be patched */
    bool predict;   /* return predictor */
    bool inline_lookup; /* indirect branches probe the jump cache in place */
    bool extensions;    /* host instructions beyond the backend's baseline are used where the host has them */
};

struct host_backend {
    const char *name;
    /** NULL if this host can run the backend, else what it lacks ("AVX2"). */
    const char *(*missing)(void);
    /** Emits the fixed stubs into the cache's permanent area. Returns backend state, one an engine. */
    void *(*create)(struct code_cache *cache, const struct guest_isa *isa, const struct backend_options *options);
    void (*destroy)(void *backend);
    /** Largest host code that `ir` may need, in bytes. */
    uint32_t (*bound)(const struct ir *ir);
    /**
     * Emits `ir` to [rx, rx + capacity), writing through [rw, …), and fills region->code, code_size, exits, nexits,
     * statemap, statemap_size, backend_data. `profile`: count *region->countdown down at entry, CPU_EXIT_HOT when it
     * becomes negative. Returns false if it did not fit into the capacity (nothing is kept then).
     * May change `ir` (scratch fields). Not re-entrant: called under the engine's translation lock.
     */
    bool (*compile)(void *backend, struct ir *ir, struct region *region, uint8_t *rw, const uint8_t *rx,
                    uint32_t capacity, bool profile);
    /**
     * Another state for compile() alone, which does not disturb the first: for another thread. What it compiles is emitted for
     * `rx`, a place in the cache, but only memory at `rw` is written; region->exits, statemap and traps are its own memory, until it
     * compiles again. Of regions with `noted` and without `profile`. Taken back by destroy(). NULL: none.
     */
    void *(*create_apart)(void *backend);
    /** Puts the code of the last region compiled apart, which is at `code`, to `rx`, as far from a multiple of 64 as the former place,
        through `rw`, and makes `exits`, to which its exits are to be copied, its own. */
    void (*move)(void *apart, struct region *region, uint8_t *rw, const uint8_t *rx, const uint8_t *code,
                 struct code_exit *exits);
    /** What the code of the last region compiled depends on, if that was `noted` (keep.h); NULL pointer: nothing of this backend's
        can be kept. Valid until the next one is compiled. */
    const struct code_note *(*notes)(void *backend, uint32_t *n);
    /** A hash of all that decides which code compile() makes of a region: options, the host's features, where its stubs are. */
    uint64_t (*identity)(void *backend);
    /** Makes the exit lead to `target` (to its stub for NULL). Atomic against threads that execute it. */
    void (*patch)(void *backend, struct code_exit *exit, const struct region *target, ptrdiff_t rx_to_rw);
    /** Runs translated code from `region` until it comes back; the reason is in cpu->exit_reason. */
    void (*enter)(void *backend, struct cpu *cpu, const struct region *region);
    /** Gives a new CPU what this backend runs it with (its stack, cpu->host_sp), and takes it back. False: no memory. NULL
        pointers: nothing to do. */
    bool (*cpu_new)(void *backend, struct cpu *cpu);
    void (*cpu_free)(void *backend, struct cpu *cpu);
    /** Forgets the predicted returns of the CPU (which is not running translated code). */
    void (*reset_returns)(void *backend, struct cpu *cpu);
    /**
     * From a host signal handler: the thread was stopped in translated code or a stub at uc. If the address belongs to the
     * backend's own business (its stack's guard page), repairs `uc` and returns true: the handler returns at once.
     */
    bool (*fixup)(void *backend, struct cpu *cpu, int sig, uint64_t fault_address, ucontext_t *uc);
    /**
     * Before the CPU runs regions compiled with region.trap_invalid, or again ones without. NULL: this backend compiles them
     * alike. Guest code sees no difference; what traps comes to fixup() as SIGFPE, and some of it once more as SIGTRAP. As that
     * takes longer than tests of results, a guest whose operations are often invalid is better off without.
     */
    void (*trap_invalid)(struct cpu *cpu, bool trap);
    /** From a host signal handler, after state was recovered: makes `uc` continue in the epilogue, so that enter() returns
        with cpu->exit_reason = CPU_EXIT_FAULT. */
    void (*leave)(void *backend, struct cpu *cpu, ucontext_t *uc);
    /**
     * From a host signal handler, for a backend that has no host code of its own and so no state maps; NULL for others.
     * True when `cpu` was stopped inside a guest memory access of enter(): the exact guest state (all slots, cpu->pc) has been
     * written then, and leave() may follow. False: the fault is not the guest's. Async-signal-safe.
     */
    bool (*recover)(void *backend, struct cpu *cpu, ucontext_t *uc);
    int capstone_arch, capstone_mode; /* for disassembly; arch -1: no host code */
};

extern const struct host_backend backend_x86_64, backend_interp;

#endif

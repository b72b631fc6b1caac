/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The engine: finds or makes translations, chains them, runs them, and takes them away again.
 *
 * Threads: each guest CPU runs on its own host thread (engine_run). Translation, chaining and invalidation take the engine's
 * lock; lookups do not. Code memory is reused only after every CPU has left the code it ran (code_cache.h, eviction).
 */
#ifndef DRAGOMAN_TRANSLATOR_ENGINE_H
#define DRAGOMAN_TRANSLATOR_ENGINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>

#include "translator/backend.h"
#include "translator/builder.h"
#include "translator/cpu.h"
#include "translator/isa.h"
#include "translator/passes.h"

/** What the engine needs of the machine that owns the guest's memory. */
struct engine_memory {
    /** If guest code at `pc` is executable: the host address of the byte at pc, *end = first guest address after pc that may
        not be (page granular, at least pc + 1). Else NULL. Called with the engine's lock held. */
    const uint8_t *(*fetch)(void *opaque, uint64_t pc, uint64_t *end);
    void *opaque;
    /** What else the frontend wants to know of the page at `pc` (builder_code_attributes()); NULL: 0. When that changes, the
        machine calls engine_invalidate(). */
    uint32_t (*attributes)(void *opaque, uint64_t pc);
    /** Whether the process may have one more host thread now (options.thread); NULL: it may. With the engine's lock held. */
    bool (*may_start_thread)(void *opaque);
};

/** Of a region on the compile thread. */
enum engine_compiling {
    ENGINE_COMPILING_BEGUN, /* its guest code has been copied */
    ENGINE_COMPILING_DONE,  /* it is to be installed next */
};
/** What the compile thread is called, as prctl(PR_SET_NAME) does. */
#define ENGINE_THREAD_NAME "dragoman-hot"

/** Is told of translations, with the engine's lock held (profilers). */
struct engine_observer {
    void (*translated)(void *opaque, const struct region *region);
    /** Guest code in [start, end) has changed or gone. */
    void (*invalidated)(void *opaque, uint64_t start, uint64_t end);
    void *opaque;
    /** Or NULL. On the compile thread, without the lock (tests). */
    void (*compiling)(void *opaque, enum engine_compiling stage);
};

/** A mapping of guest code from a file, and the place of its beginning in that. */
struct keep_extent {
    uint64_t start, end, offset;
};
struct keep_store;

/** Where translations are kept over runs (keep.h). Called with the engine's lock held. */
struct engine_keep {
    /** The store for the code at pc; NULL: it is not to be kept. A NULL pointer: nothing is. */
    struct keep_store *(*find)(void *opaque, uint64_t pc, struct keep_extent *extent);
    /** There are records to be written, many or for some time. */
    void (*write)(void *opaque);
    void *opaque;
    bool check; /* each translation taken from there is compared with a new one */
};

struct engine_options {
    struct builder_options builder;
    struct backend_options backend;
    struct pass_options passes;
    bool regions;       /* form regions of hot blocks */
    bool calls;         /* … which go on into functions and where indirect branches lead */
    bool thread;        /* hot regions are compiled on a thread of the engine's own (compile_thread.h) */
    uint32_t thread_after; /* so many of them before are compiled in place: a short program is not worth a thread */
    uint32_t hot;       /* entries until a block is hot; 1 = at the second execution */
    uint32_t max_insns; /* of a cold block */
    size_t cache_size;  /* bytes of host code; at least 256 KiB */
    bool cache_anonymous; /* code_cache_create_in() */
    bool trap_invalid;  /* the host traps invalid floating-point operations, which saves tests of results, while they are rare:
                           the machine brings each synchronous SIGFPE and SIGTRAP to engine_fault() */
    uint32_t invalid_traps_max; /* so many traps of a CPU in a second are rare: with one more, its results are tested instead */
    bool verify;        /* ir_verify after building and after each pass; a failure ends the process: it is our defect */
    struct engine_keep keep;
    const struct engine_observer *observer; /* NULL: none */
    unsigned log;       /* LOG_* */
    FILE *log_file;
};
enum { LOG_IN_ASM = 1, LOG_IR = 2, LOG_OUT_ASM = 4, LOG_EXEC = 8, LOG_CPU = 16, LOG_NOCHAIN = 32, LOG_STATS = 64, LOG_UNIMP = 128 /* the machine's */ };

void engine_default_options(struct engine_options *options);
/** NULL and a message in `error` on failure (no memory, backend not usable here). */
struct engine *engine_create(const struct guest_isa *isa, const struct host_backend *backend,
                             const struct engine_memory *memory, const struct engine_options *options, char error[256]);
void engine_destroy(struct engine *engine);

/** A zeroed CPU of isa->cpu_size bytes with its front part, registered with the engine. To be freed by engine_cpu_free. */
struct cpu *engine_cpu_new(struct engine *engine);
void engine_cpu_free(struct cpu *cpu);

/** Runs guest code from cpu->pc until something is for the machine to do; returns enum cpu_trap, cpu->pc is set.
    TRAP_INTERRUPT: cpu.interrupt was set (and has been cleared). TRAP_FAULT: engine_fault() was called from a handler.
    TRAP_CACHE and TRAP_RESYNC are handled inside. */
enum cpu_trap engine_run(struct cpu *cpu);

/** Asks the CPU to come back with TRAP_INTERRUPT soon. Async-signal-safe, any thread. */
void engine_kick(struct cpu *cpu);

/** Guest code in [start, end) has changed, or is no longer executable: its translations are never entered again, on any CPU.
    Other CPUs inside such code leave it at their next POLL or exit. Cheap when there are none. */
void engine_invalidate(struct engine *engine, uint64_t start, uint64_t end);
/** Until engine_end_change(), which does what engine_invalidate() does, no thread reads guest code: it may be unmapped. */
void engine_begin_change(struct engine *engine);
void engine_end_change(struct engine *engine, uint64_t start, uint64_t end);

/** What stops CPUs for a debugger, in place of what did so before: TRAP_DEBUG (cpu.h). No CPU may be in engine_run() or
    engine_step() meanwhile. False: no memory, or more than ENGINE_WATCHPOINTS. */
bool engine_set_breakpoints(struct engine *engine, const uint64_t *pcs, size_t n);
bool engine_set_watchpoints(struct engine *engine, const struct builder_watch *watches, size_t n);
#define ENGINE_WATCHPOINTS 16
/** Executes the instruction at cpu->pc, even if there is a breakpoint. TRAP_NONE: done; others as engine_run(). */
enum cpu_trap engine_step(struct cpu *cpu);
/** Tells the observer of all translations that there are. */
void engine_walk(struct engine *engine, const struct engine_observer *observer);

enum engine_fault_result { ENGINE_FAULT_NOT_OURS, ENGINE_FAULT_FIXED, ENGINE_FAULT_RECOVERED };
/** From a synchronous host signal handler of a CPU's thread: NOT_OURS when host pc is not in translated code; FIXED: return
    from the handler; RECOVERED: exact guest state is in `cpu` (cpu->pc too) and `uc` has been redirected so that
    engine_run() returns TRAP_FAULT after the handler returns. Async-signal-safe. */
enum engine_fault_result engine_fault(struct cpu *cpu, int sig, uint64_t fault_address, ucontext_t *uc);

/** What code_cache.recover is: the exact guest state of `cpu` for a state map entry, from saved host registers. */
void engine_poll_recover(struct cpu *cpu, uint64_t host_pc, const struct host_regs *regs);

/** True when host pc of `uc` lies in translated code. Async-signal-safe. */
bool engine_in_code(const struct engine *engine, const ucontext_t *uc);

/** Ends the compile thread, for a system call that fails in a process of several threads, or tells how many there are. It begins again
    when it is needed, but not within the next moments. By a CPU's thread outside engine_run(). */
void engine_stop_compiling(struct engine *engine);
/** The process has the compile thread now. */
bool engine_is_compiling(struct engine *engine);

/** Around fork(): takes and releases every lock so that the child's engine is usable by its one thread. */
void engine_fork_prepare(struct engine *engine);
void engine_fork_parent(struct engine *engine);
/** The child keeps `self` only; engine_cpu_free() still frees what the others left. */
void engine_fork_child(struct engine *engine, struct cpu *self);

/** The host process or thread that ran the CPU has ended, perhaps inside of engine_run(), and its memory is still here. */
void engine_cpu_stopped(struct cpu *cpu);

struct engine_stats {
    uint64_t translations, guest_insns, host_bytes, hot_regions, invalidations, evictions, links, lookups;
    uint64_t translate_ns;
    uint64_t thread_regions, thread_dropped, thread_full; /* compiled on the thread, in vain, not asked for: the queue was full */
    uint64_t thread_ns; /* CPU time */
    uint64_t kept_used, kept_written, kept_checked, kept_differing; /* keep.h; written: or to be */
};
/** A hash of all options that decide what a translation is like, the backend's included. */
uint64_t engine_identity(const struct engine *engine);
void engine_get_stats(struct engine *engine, struct engine_stats *stats);

#endif

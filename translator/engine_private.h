/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the engine's files share; nobody else includes this.
 *
 *   engine.c     the run loop, CPUs, faults, fork
 *   translate.c  from guest code to a region in the code cache
 *   regions.c    which blocks a hot region is formed of
 *   compile_thread.c  compiling hot regions while the guest runs on
 *   link.c       the table of regions, chaining, invalidation, eviction
 *   exclusive.c  stopping all CPUs
 *   log.c        -d in_asm, op, out_asm
 *
 * Locks. `lock` protects everything that is not marked otherwise: the table's and all lists' writers, the code cache, the
 * builder, links between regions, the list of CPUs. `gate` protects the waiting in exclusive.c, and is taken inside `lock`.
 * The machine's own locks: engine_memory.fetch is called with `lock` held, so the machine must not call into the engine with
 * a lock that fetch takes.
 *
 * A CPU is *running* from when it enters engine_run() until it leaves it, except while it waits for `lock` or for an
 * exclusive section to end. Regions are freed, and code memory reused, only in an exclusive section: when no CPU but the
 * one that evicts is running. So a running CPU may follow any pointer to a region that it read since it began to run,
 * without a lock, and a fault handler may search the code cache.
 */
#ifndef DRAGOMAN_TRANSLATOR_ENGINE_PRIVATE_H
#define DRAGOMAN_TRANSLATOR_ENGINE_PRIVATE_H

#include "translator/code_cache.h"
#include "translator/engine.h"
#include "translator/lock.h"

#define GUEST_PAGE_BITS 12
#define PAGE_BUCKETS 8192u
#define HOT_MAX_BLOCKS 48u /* at most BUILDER_MAX_BLOCKS */
#define HOT_MAX_INSNS 600u

/* Bits of keys that are ours: the frontend's are below. */
#define KEY_STEP (1u << 31)  /* one instruction, breakpoints are not seen */
#define KEY_WATCH (1u << 30) /* accesses are tested for watchpoints */
#define KEY_TRAPS (1u << 29) /* region.trap_invalid */

/* Bits of cpu.interrupt. */
#define INTERRUPT_KICK 1u      /* engine_kick: to be reported to the machine */
#define INTERRUPT_EXCLUSIVE 2u /* only asks to pass exclusive.c's gate */
#define INTERRUPT_WINDOW 8u    /* the CPU's window has been open for too long */
#define WINDOW_NS 200000u        /* how long others wait, at first */
#define WINDOW_NS_MAX 50000000u  /* … and at most */
#define INTERRUPT_TRAPS 4u     /* invalid operations have trapped too often */

struct guest_range {
    uint64_t start, end; /* [start, end) */
};

/** One guest page that a translation depends on. */
struct page_ref {
    struct page_ref *next, **previous; /* in engine.pages */
    struct translation *translation;
    uint64_t page;
};

/** The engine's side of a region. */
struct translation {
    struct region region; /* first: see translation_of() */
    bool evicting;
    int32_t hot_after;          /* what *region.countdown began with */
    uint32_t first_block_insns; /* guest instructions of the entry block */
    uint32_t nranges, nrefs;
    struct guest_range *ranges; /* one for each block, in ascending order of start */
    struct page_ref *refs;
};

static inline struct translation *translation_of(const struct region *region)
{
    return (struct translation *)region;
}

/** What a hot region is formed of. See builder.h for frames and expected targets. */
#define HOT_MAX_FRAMES 24u
struct hot_plan {
    unsigned n;     /* blocks; the first is the entry */
    uint32_t insns; /* guest instructions in them */
    uint64_t pcs[HOT_MAX_BLOCKS];
    uint8_t frame[HOT_MAX_BLOCKS];
    uint64_t expected[HOT_MAX_BLOCKS];
    unsigned nframes;
    struct builder_frame frames[HOT_MAX_FRAMES];
};

struct cpu_thread {
    struct cpu *cpu;
    struct cpu_thread *next;
    uint32_t running;    /* atomic, see above */
    uint32_t key;        /* of the regions that the jump cache and the return predictor name */
    uint32_t traps;      /* KEY_TRAPS or 0 */
    uint32_t ntraps;     /* in trap_second of the monotonic clock */
    int64_t trap_second;
    uint64_t generation; /* engine.generation when translated code was entered */
    uint64_t lookups;
    bool jumps;          /* the jump cache has entries */
    bool at_gate;        /* counted in engine.gate_waiters */
    uint32_t *window;    /* enum cpu_window, in the ISA's CPU struct; NULL if it has none */
    uint32_t window_ns;  /* atomic: how long others wait for its window to be closed */
};

struct engine {
    const struct guest_isa *isa;
    const struct host_backend *backend;
    void *backend_state;
    struct engine_memory memory;
    struct engine_options options;
    bool chain; /* direct exits may be patched */
    struct code_cache *cache;
    struct builder *builder;
    struct ir ir;
    struct keep *keep; /* NULL: nothing is kept over runs */
    struct compile_thread *compile_thread; /* NULL: regions are compiled in place */

    struct lock lock;
    struct lock gate;
    struct event gate_changed;
    uint32_t exclusive; /* atomic, written under gate: a section is wanted or runs */
    struct cpu_thread *threads;
    unsigned nthreads; /* atomic: of the list */
    struct cpu_thread *window; /* atomic, written under gate: whose window is open */
    unsigned gate_waiters;     /* under gate */

    /* Read without the lock by running CPUs. */
    struct region **table; /* heads of chains by region.hash_next */
    uint64_t table_mask;
    size_t table_bytes;

    struct page_ref *pages[PAGE_BUCKETS];
    uint64_t page_refs;
    uint64_t generation; /* counts evictions: a pointer to a region from an older one may be stale */
    struct engine_stats stats;
    /* debug.c */
    uint64_t *breakpoints; /* ascending */
    size_t nbreakpoints, nwatches;
    struct builder_watch watches[ENGINE_WATCHPOINTS];
    uint32_t debug_key; /* 0 or KEY_WATCH; read without the lock */
    size_t guest_disassembler, host_disassembler; /* csh, 0: not open */
};

/* ---- engine.c ----------------------------------------------------------------------------------------------------------- */

/** Makes the jump cache and the return predictor those of the CPU's present translation key and the `mode` (KEY_STEP or 0). */
void follow_key(struct engine *engine, struct cpu_thread *thread, uint32_t mode);
struct region *find_or_translate(struct engine *engine, struct cpu_thread *thread, uint64_t pc);
/** cpu.interrupt was set. True: the machine asked for it. */
bool take_interrupt(struct cpu *cpu);
/** What comes after a TRAP: TRAP_NONE when it was for us. */
enum cpu_trap take_trap(struct engine *engine, struct cpu *cpu);

/* ---- debug.c ------------------------------------------------------------------------------------------------------------ */

bool breakpoint_at(const struct engine *engine, uint64_t pc);

/* ---- exclusive.c -------------------------------------------------------------------------------------------------------- */

/** The CPU begins to run; waits while an exclusive section is wanted or runs. */
void thread_begin_running(struct cpu_thread *thread);
void thread_end_running(struct cpu_thread *thread);
/** Takes engine->lock. `self` is the calling thread's CPU if that is running (it is not while it waits), else NULL. */
void engine_lock(struct engine *engine, struct cpu_thread *self);
void engine_unlock(struct engine *engine);
/** With the lock held: returns when no CPU but `self` (may be NULL) is running; none begins to until exclusive_end(). */
void exclusive_begin(struct engine *engine, struct cpu_thread *self);
void exclusive_end(struct engine *engine);
/** The CPU comes into engine_run(). */
void window_meet_others(struct engine *engine, struct cpu_thread *self);
/** TRAP_WINDOW_OPEN, TRAP_WINDOW_CLOSE, by the running CPU that met them. */
void window_open(struct engine *engine, struct cpu_thread *self);
void window_close(struct engine *engine, struct cpu_thread *self);
/** INTERRUPT_WINDOW: closes it before its time; the next one may be open for longer. */
void window_break(struct engine *engine, struct cpu_thread *self);

/* ---- link.c --------------------------------------------------------------------------------------------------------------- */

/** The live region for (pc, key), or NULL. By a running CPU, or under the lock. */
struct region *table_find(const struct engine *engine, uint64_t pc, uint32_t key);
/** Makes the translation findable by its address, and by the pages it depends on. */
void table_insert(struct engine *engine, struct translation *t);
/** Gives a hot region the place of the one that it replaces; that one's code stays valid. */
void table_replace(struct engine *engine, struct translation *old, struct translation *t);
/** The exit leads to `target` from now on. */
void exit_chain(struct engine *engine, struct code_exit *code_exit, struct region *target);
void invalidate_range(struct engine *engine, uint64_t start, uint64_t end);
/** Makes room: empties the cache's next chunk and begins to fill it. */
void evict_next_chunk(struct engine *engine, struct cpu_thread *self);
/** Frees what a translation has outside the cache's memory. */
void translation_free(struct translation *t);
/** Frees all translations (engine_destroy). */
void table_free(struct engine *engine);
/** Begins again without a translation, whatever state the lists are in. With the lock held. */
void table_abandon(struct engine *engine);
/** The CPU's inline lookups for branches of this kind find `region` for its address from now on. By the CPU's own thread,
    running. */
void jump_cache_fill(struct cpu *cpu, const struct region *region, unsigned kind);
void jump_cache_clear(struct cpu *cpu);
/** Clears a jump cache that is all zero. */
void jump_cache_init(struct cpu *cpu);

/* ---- translate.c ---------------------------------------------------------------------------------------------------------- */

/** What the builder was fed. */
struct source {
    struct guest_range blocks[BUILDER_MAX_BLOCKS];
    unsigned nblocks;
    uint32_t insns, first_block_insns;
};

/** A cold region of the block at pc, in the table. Never fails. */
struct region *translate_cold(struct engine *engine, struct cpu_thread *self, uint64_t pc, uint32_t key);
/** A hot region of the plan's blocks, each at most max_insns long; not in the table yet. NULL if it does not fit the code cache.
    May evict. */
struct keep_job;
struct translation *translate_hot(struct engine *engine, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key,
                                  struct keep_job *job);
/** The IR of the plan's region in maker->ir, for compile() with the compile thread's state, and all else about the region in *t. No lock
    is needed: all that is touched are parts of `maker`. */
void translate_apart(struct engine *maker, struct cpu_thread *self, const struct hot_plan *plan, uint32_t key, struct source *source,
                     struct translation *t, const struct keep_job *job);
/** Moves what `maker` compiled then, whose code is at `code`, into the cache, which has room; not in the table yet. */
struct translation *translate_adopt(struct engine *engine, struct engine *maker, struct source *source,
                                    const struct translation *made, const uint8_t *code);

/** A translation of these ranges, which it sorts, without code. In the memory of the chunk that is being filled. */
struct translation *translation_new(struct engine *engine, struct guest_range *ranges, unsigned n);
/** Makes room for so many bytes of code. False: there cannot be so much. May evict. */
bool translation_make_room(struct engine *engine, struct cpu_thread *self, uint32_t size);

/* ---- regions.c ------------------------------------------------------------------------------------------------------------ */

/** A cold region's count ran out: forms the hot one and puts it in its place. Returns what is to run now. With the lock
    held; `cold` may be stale, cpu->pc tells the place. */
struct region *region_heat(struct engine *engine, struct cpu_thread *self, struct region *cold, uint32_t key);
/** What is known of the entry block goes over to the hot region. */
void region_take_profile(struct region *hot, const struct region *cold);

/* ---- log.c ---------------------------------------------------------------------------------------------------------------- */

void log_guest_code(struct engine *engine, const struct translation *t);
void log_ir(struct engine *engine, const char *stage);
void log_host_code(struct engine *engine, const struct region *region);
void log_enter(struct engine *engine, const struct cpu *cpu, const struct region *region);
void log_stats(struct engine *engine);
void log_close(struct engine *engine);

#endif

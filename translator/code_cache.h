/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The code cache: memory for host code that is never writable and executable at one address. One memory file is mapped
 * twice: `rw` (readable, writable) is where a backend writes, `rx` (readable, executable) is where the code runs. For every
 * byte, rw address = rx address + rx_to_rw. All addresses that leave this module without a name that says otherwise are
 * executable-mapping addresses.
 *
 *   +-----------+---------+---------+-- --+---------+ - - - - - - - - +
 *   | permanent | chunk 0 | chunk 1 |  …  | chunk 7 |   near memory   |
 *   +-----------+---------+---------+-- --+---------+ - - - - - - - - +
 *
 * The permanent area at the start holds a backend's fixed stubs; it is closed by the first region. The rest is divided into
 * chunks that are filled in turn. When the next chunk is needed and still holds regions, the engine evicts that chunk as
 * a whole (link.c); so the cache never fills up, it forgets what is oldest. Near memory is ordinary memory behind the executable
 * mapping; each chunk has a part of it for the data of its regions.
 *
 * Threads: allocation happens under the engine's lock. code_cache_contains() and code_cache_find() take no lock and are
 * async-signal-safe; they may be called by a thread that runs translated code, because a chunk is only emptied while no
 * thread does.
 */
#ifndef DRAGOMAN_TRANSLATOR_CODE_CACHE_H
#define DRAGOMAN_TRANSLATOR_CODE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct cpu;
struct host_regs;
struct region;

#define CODE_CACHE_CHUNKS 8
#define CODE_CACHE_MIN_SIZE (256u << 10)
#define CODE_CACHE_MAX_SIZE (1024u << 20) /* so that a 32-bit displacement reaches from anywhere to anywhere */
#define CODE_CACHE_ALIGN 4                /* of a region's code */
#define CODE_CACHE_HOT_ALIGN 16           /* of a hot region's */
#define CODE_CACHE_NEAR 3                 /* bytes of near memory for each byte of code */
#define CODE_CACHE_MIN_REGION 32          /* bytes a region takes at least */

struct cache_memory;

/* Memory for a chunk's regions, right behind the executable mapping, so that code reaches it with a 32-bit displacement. */
struct near_memory {
    uint8_t *start;
    size_t size, used, populated; /* bytes */
};

struct code_chunk {
    uint32_t start, size;    /* offsets from the start of the cache; bytes */
    uint32_t used;           /* bytes given away */
    uint32_t populated;      /* bytes that need no page fault any more to be written */
    uint32_t nregions;       /* published with release order: entries below it are complete */
    struct region **regions; /* in ascending order of address */
    struct region *list;     /* the same regions, linked by region.chunk_next, newest first */
    int32_t *counters;       /* the next to be given out, */
    unsigned ncounters;      /* and how many there are */
    struct near_memory near;     /* what code_cache_memory() gives out is in here, */
    struct cache_memory *memory; /* or, when that is full, in these blocks, the newest first */
};

struct code_cache {
    const uint8_t *rx;
    uint8_t *rw;
    size_t near_size; /* bytes of near memory, which begins at rx + size */
    ptrdiff_t rx_to_rw; /* rw - rx */
    bool anonymous;     /* see code_cache_create_in() */
    size_t size;
    uint32_t permanent_used;
    bool permanent_closed;
    unsigned current; /* chunk being filled */
    struct code_chunk chunks[CODE_CACHE_CHUNKS];
    void *region_arrays; /* one mapping that holds all chunks' `regions` */
    size_t region_arrays_size;
    uint8_t *snapshot_rx, *snapshot_rw; /* the child's copy while a fork is under way, else NULL */

    /**
     * Set by the engine before host_backend.create(): writes the exact guest state of the thread's CPU into `cpu`, pc
     * included, for the state map entry at executable address `host_pc`, from the host registers in `regs`. A backend
     * whose translated code leaves through a POLL calls it from its stub. `host_pc` must have an entry.
     */
    void (*recover)(struct cpu *cpu, uint64_t host_pc, const struct host_regs *regs);
};

/** Makes a cache of `size` bytes (raised to CODE_CACHE_MIN_SIZE, lowered to CODE_CACHE_MAX_SIZE, rounded to pages).
    Returns NULL and a message in `error` when the host gives no memory. */
struct code_cache *code_cache_create(size_t size, char error[256]);
/** `anonymous`: in memory that /proc/PID/maps shows without a file, where perf looks addresses up in a map of its own. */
struct code_cache *code_cache_create_in(size_t size, bool anonymous, char error[256]);
void code_cache_destroy(struct code_cache *cache);

/** Takes `size` bytes of the permanent area, 64-byte aligned. Only before the first region; false: more than an eighth of the
    cache would be taken, or the area is closed. */
bool code_cache_alloc_permanent(struct code_cache *cache, uint32_t size, uint8_t **rw, const uint8_t **rx);

/** Space left in the chunk being filled; *rw, *rx: where it begins (CODE_CACHE_ALIGN-aligned). Nothing is taken yet. */
uint32_t code_cache_space(struct code_cache *cache, uint8_t **rw, const uint8_t **rx);
/** The next region begins at a multiple of `align`, a power of two. */
void code_cache_align(struct code_cache *cache, uint32_t align);
/** Leaves so many bytes free. */
void code_cache_skip(struct code_cache *cache, uint32_t bytes);
/** Takes `size` bytes (at least 1) at the place that code_cache_space() told, for `region`, and makes them findable. */
void code_cache_commit(struct code_cache *cache, struct region *region, uint32_t size);
/** `size` bytes of memory for what belongs to the regions of the chunk being filled: it lasts until that chunk is emptied, and
    is never freed singly. 8-byte aligned, not cleared; near to the code, as a rule. Never fails: memory exhaustion ends the process
    with a message. */
void *code_cache_memory(struct code_cache *cache, size_t size);
/** A counter for a region of the chunk being filled, near to the code as a rule. Those of regions made one after the other lie side by
    side: what is executed together shares few cache lines. Of unknown value. */
int32_t *code_cache_counter(struct code_cache *cache);
/** The chunk after the one being filled. */
struct code_chunk *code_cache_next(struct code_cache *cache);
/** Begins to fill the next chunk, which becomes empty, its regions' memory too. They must have been unlinked, and no thread may
    be in it. */
void code_cache_advance(struct code_cache *cache);
/** Begins with empty chunks again, as after creation, whatever state they are in: the memory of their regions is lost, not freed.
    No thread may be in the cache. */
void code_cache_reset(struct code_cache *cache);
/** Bytes that the largest region may have: those of an empty chunk. */
uint32_t code_cache_largest(const struct code_cache *cache);

/** True when `address` (executable mapping) is in the cache, stubs included. Async-signal-safe. */
static inline bool code_cache_contains(const struct code_cache *cache, const void *address)
{
    return (uintptr_t)address - (uintptr_t)cache->rx < cache->size;
}

/** The region whose code holds `address`, or NULL (stubs, free space). Async-signal-safe, see above. */
struct region *code_cache_find(const struct code_cache *cache, const void *address);

/**
 * For fork, under the engine's lock: a copy of the cache's contents, for the child. It is held by mappings alone: a descriptor
 * could be closed or used anew by another thread of the guest, or by either side when they share their descriptors.
 */
bool code_cache_snapshot(struct code_cache *cache);
/** In the child: the cache continues in the copy, at the same addresses. False: there is none. */
bool code_cache_adopt(struct code_cache *cache);
/** In the parent, or when there was no fork: the copy goes. */
void code_cache_drop_snapshot(struct code_cache *cache);

#endif

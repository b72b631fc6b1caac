/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/code_cache.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "translator/backend.h"

#define PAGE 4096u
#define PERMANENT_ALIGN 64u
/* Of a 32-bit displacement, with some room to spare. */
#define CODE_CACHE_REACH ((size_t)2047 << 20)
/* Pages come in runs, which costs a fraction of a page fault for each. */
#define POPULATE_AHEAD (16u << 10)
#define POPULATE_STEP (64u << 10)

static size_t round_up(size_t value, size_t to)
{
    return (value + to - 1) & ~(to - 1);
}

/** -1 and EFBIG where files may not be so large (setrlimit(2)): trying would be a signal. */
static int memory_file(size_t size)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur < size) {
        errno = EFBIG;
        return -1;
    }
    int fd = memfd_create("dragoman-code", MFD_CLOEXEC);
    if (fd < 0)
        return -1;
    if (ftruncate(fd, (off_t)size) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

/**
 * Maps `size` bytes twice: executable at `place` (NULL: anywhere), writable at `writable` (NULL: anywhere). Of the memory file
 * `fd`, or of shared memory without a file for -1. False with errno set.
 */
static bool map_twice(int fd, size_t size, void *place, void *writable, uint8_t **rx, uint8_t **rw)
{
    int shared = MAP_SHARED | (fd < 0 ? MAP_ANONYMOUS : 0);
    uint8_t *first = mmap(writable, size, PROT_READ | PROT_WRITE, shared | (writable ? MAP_FIXED : 0), fd, 0), *second;
    if (first == MAP_FAILED)
        return false;
    if (fd >= 0) {
        second = mmap(place, size, PROT_READ | PROT_EXEC, MAP_SHARED | (place ? MAP_FIXED : 0), fd, 0);
    } else {
        /* An old size of 0 leaves the old mapping as it is (mremap(2)). */
        second = mremap(first, 0, size, MREMAP_MAYMOVE | (place ? MREMAP_FIXED : 0), place);
        if (second != MAP_FAILED && mprotect(second, size, PROT_READ | PROT_EXEC) != 0) {
            munmap(second, size);
            second = MAP_FAILED;
        }
    }
    if (second == MAP_FAILED) {
        int saved = errno;
        munmap(first, size);
        errno = saved;
        return false;
    }
    *rx = second;
    *rw = first;
    return true;
}

struct code_cache *code_cache_create(size_t size, char error[256])
{
    return code_cache_create_in(size, false, error);
}

struct code_cache *code_cache_create_in(size_t size, bool anonymous, char error[256])
{
    if (size < CODE_CACHE_MIN_SIZE)
        size = CODE_CACHE_MIN_SIZE;
    if (size > CODE_CACHE_MAX_SIZE)
        size = CODE_CACHE_MAX_SIZE;
    size = round_up(size, PAGE);

    struct code_cache *cache = calloc(1, sizeof *cache);
    if (!cache) {
        snprintf(error, 256, "code cache: out of memory");
        return NULL;
    }
    int fd = anonymous ? -1 : memory_file(size);
    if (fd < 0 && !anonymous && errno != EFBIG) {
        snprintf(error, 256, "code cache: no memory file of %zu KiB: %s", size >> 10, strerror(errno));
        free(cache);
        return NULL;
    }
    /* Sized for regions of the least size; pages that are never written cost nothing. */
    size_t arrays = round_up(size / CODE_CACHE_MIN_REGION * sizeof(struct region *), PAGE);
    size_t near = size * CODE_CACHE_NEAR;
    if (near > CODE_CACHE_REACH - size)
        near = CODE_CACHE_REACH - size;
    void *place = mmap(NULL, size + near, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (place == MAP_FAILED) { /* near memory is a luxury */
        near = 0;
        place = NULL;
    }
    uint8_t *rx = NULL, *rw = NULL;
    void *regions = mmap(NULL, arrays, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    bool mapped = regions != MAP_FAILED && map_twice(fd, size, place, NULL, &rx, &rw);
    int saved = errno;
    if (fd >= 0)
        close(fd);
    if (!mapped) {
        snprintf(error, 256, "code cache: cannot map %zu KiB of code memory (is executable memory forbidden here?): %s",
                 size >> 10, strerror(saved));
        if (place)
            munmap(place, size + near);
        if (regions != MAP_FAILED)
            munmap(regions, arrays);
        free(cache);
        return NULL;
    }
    cache->anonymous = fd < 0;
    cache->rx = rx;
    cache->rw = rw;
    cache->rx_to_rw = (ptrdiff_t)((uintptr_t)rw - (uintptr_t)rx);
    cache->size = size;
    cache->near_size = near;
    cache->region_arrays = regions;
    cache->region_arrays_size = arrays;
    return cache;
}

/** What is written next, at `used`, and some more, will not fault any more. Returns how far that is known. */
static size_t populate(uint8_t *start, size_t populated, size_t used, size_t size)
{
    size_t want = used + POPULATE_AHEAD + POPULATE_STEP < size ? used + POPULATE_AHEAD + POPULATE_STEP : size;
    uintptr_t from = ((uintptr_t)start + populated) & ~(uintptr_t)(PAGE - 1);
    uintptr_t to = ((uintptr_t)start + want) & ~(uintptr_t)(PAGE - 1);

    if (to > from)
        (void)madvise((void *)from, to - from, MADV_POPULATE_WRITE); /* an old kernel does not know it: then they fault */
    return want;
}

/* ---- memory of a chunk's regions ------------------------------------------------------------------------------------------- */

#define MEMORY_BLOCK (64u << 10)
#define COUNTERS_AT_ONCE 256u

struct cache_memory {
    struct cache_memory *next;
    size_t size, used; /* bytes, this head included */
};

static struct cache_memory *memory_add(struct code_chunk *chunk, size_t size)
{
    size = size + sizeof(struct cache_memory) > MEMORY_BLOCK ? round_up(size + sizeof(struct cache_memory), PAGE) : MEMORY_BLOCK;
    /* Populated at once: that is a fraction of the price of a page fault for each page. */
    struct cache_memory *memory =
        mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (memory == MAP_FAILED) {
        fprintf(stderr, "dragoman: out of memory for translations (%zu bytes)\n", size);
        exit(1);
    }
    *memory = (struct cache_memory){.next = chunk->memory, .size = size, .used = sizeof *memory};
    chunk->memory = memory;
    return memory;
}

static void memory_free(struct code_chunk *chunk)
{
    for (struct cache_memory *memory = chunk->memory, *next; memory; memory = next) {
        next = memory->next;
        munmap(memory, memory->size);
    }
    chunk->memory = NULL;
}

void *code_cache_memory(struct code_cache *cache, size_t size)
{
    struct code_chunk *chunk = &cache->chunks[cache->current];
    struct cache_memory *memory = chunk->memory;
    struct near_memory *near = &chunk->near;

    size = round_up(size, 8);
    if (near->size - near->used >= size) {
        if (near->populated < near->size && near->used + size + POPULATE_AHEAD > near->populated)
            near->populated = populate(near->start, near->populated, near->used + size, near->size);
        near->used += size;
        return near->start + near->used - size;
    }
    if (!memory || memory->size - memory->used < size)
        memory = memory_add(chunk, size);
    memory->used += size;
    return (uint8_t *)memory + memory->used - size;
}

int32_t *code_cache_counter(struct code_cache *cache)
{
    struct code_chunk *chunk = &cache->chunks[cache->current];

    if (chunk->ncounters == 0) {
        chunk->ncounters = COUNTERS_AT_ONCE;
        chunk->counters = code_cache_memory(cache, COUNTERS_AT_ONCE * sizeof *chunk->counters);
    }
    chunk->ncounters--;
    return chunk->counters++;
}

/* ---- the cache -------------------------------------------------------------------------------------------------------------- */

void code_cache_destroy(struct code_cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < CODE_CACHE_CHUNKS; i++)
        memory_free(&cache->chunks[i]);
    munmap((void *)cache->rx, cache->size + cache->near_size);
    munmap(cache->rw, cache->size);
    munmap(cache->region_arrays, cache->region_arrays_size);
    free(cache);
}

bool code_cache_alloc_permanent(struct code_cache *cache, uint32_t size, uint8_t **rw, const uint8_t **rx)
{
    size_t used = cache->permanent_used + round_up(size, PERMANENT_ALIGN);
    if (cache->permanent_closed || used > cache->size / CODE_CACHE_CHUNKS)
        return false;
    *rw = cache->rw + cache->permanent_used;
    *rx = cache->rx + cache->permanent_used;
    cache->permanent_used = (uint32_t)used;
    return true;
}

static void divide_into_chunks(struct code_cache *cache)
{
    /* On a page of its own: code and stubs do not share the pages that are rewritten. */
    uint32_t start = (uint32_t)round_up(cache->permanent_used, PAGE);
    uint32_t size = ((uint32_t)cache->size - start) / CODE_CACHE_CHUNKS & ~(CODE_CACHE_HOT_ALIGN * 4u - 1);
    struct region **regions = cache->region_arrays;
    size_t near = cache->near_size / CODE_CACHE_CHUNKS & ~(size_t)(PAGE - 1);

    for (unsigned i = 0; i < CODE_CACHE_CHUNKS; i++) {
        cache->chunks[i] = (struct code_chunk){
            .start = start + i * size,
            .size = size,
            .regions = regions + (size_t)i * (size / CODE_CACHE_MIN_REGION),
            .near = {.start = (uint8_t *)(uintptr_t)cache->rx + cache->size + i * near, .size = near},
        };
    }
    cache->permanent_closed = true;
}

uint32_t code_cache_space(struct code_cache *cache, uint8_t **rw, const uint8_t **rx)
{
    if (!cache->permanent_closed)
        divide_into_chunks(cache);
    struct code_chunk *chunk = &cache->chunks[cache->current];
    if (chunk->populated < chunk->size && chunk->used + POPULATE_AHEAD > chunk->populated)
        chunk->populated = (uint32_t)populate(cache->rw + chunk->start, chunk->populated, chunk->used, chunk->size);
    *rw = cache->rw + chunk->start + chunk->used;
    *rx = cache->rx + chunk->start + chunk->used;
    return chunk->size - chunk->used;
}

void code_cache_align(struct code_cache *cache, uint32_t align)
{
    struct code_chunk *chunk = &cache->chunks[cache->current];
    uint32_t used = (uint32_t)round_up(chunk->used, align);

    chunk->used = used < chunk->size ? used : chunk->size;
}

void code_cache_skip(struct code_cache *cache, uint32_t bytes)
{
    struct code_chunk *chunk = &cache->chunks[cache->current];

    chunk->used += bytes < chunk->size - chunk->used ? bytes : chunk->size - chunk->used;
}

void code_cache_commit(struct code_cache *cache, struct region *region, uint32_t size)
{
    struct code_chunk *chunk = &cache->chunks[cache->current];
    uint32_t left = chunk->size - chunk->used;

    size = (uint32_t)round_up(size, CODE_CACHE_ALIGN);
    if (size < CODE_CACHE_MIN_REGION)
        size = CODE_CACHE_MIN_REGION;
    chunk->used += size < left ? size : left;
    region->chunk_next = chunk->list;
    chunk->list = region;
    if (region->code) {
        chunk->regions[chunk->nregions] = region;
        __atomic_store_n(&chunk->nregions, chunk->nregions + 1, __ATOMIC_RELEASE);
    }
}

struct code_chunk *code_cache_next(struct code_cache *cache)
{
    return &cache->chunks[(cache->current + 1) % CODE_CACHE_CHUNKS];
}

void code_cache_advance(struct code_cache *cache)
{
    struct code_chunk *chunk = code_cache_next(cache);

    __atomic_store_n(&chunk->nregions, 0, __ATOMIC_RELEASE);
    chunk->used = 0;
    chunk->list = NULL;
    memory_free(chunk);
    chunk->near.used = 0;
    chunk->ncounters = 0;
    cache->current = (cache->current + 1) % CODE_CACHE_CHUNKS;
}

void code_cache_reset(struct code_cache *cache)
{
    if (cache->permanent_closed)
        divide_into_chunks(cache);
    cache->current = 0;
    code_cache_drop_snapshot(cache);
}

uint32_t code_cache_largest(const struct code_cache *cache)
{
    return cache->permanent_closed
               ? cache->chunks[0].size
               : (uint32_t)(cache->size - round_up(cache->permanent_used, PAGE)) / CODE_CACHE_CHUNKS &
                     ~(CODE_CACHE_HOT_ALIGN * 4u - 1);
}

struct region *code_cache_find(const struct code_cache *cache, const void *address)
{
    if (!code_cache_contains(cache, address) || !cache->permanent_closed)
        return NULL;
    uint32_t offset = (uint32_t)((uintptr_t)address - (uintptr_t)cache->rx);
    if (offset < cache->chunks[0].start)
        return NULL;
    uint32_t index = (offset - cache->chunks[0].start) / cache->chunks[0].size;
    if (index >= CODE_CACHE_CHUNKS)
        return NULL;

    /* The last region that begins at or below the address. */
    const struct code_chunk *chunk = &cache->chunks[index];
    uint32_t low = 0, high = __atomic_load_n(&chunk->nregions, __ATOMIC_ACQUIRE);
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if ((uintptr_t)chunk->regions[middle]->code <= (uintptr_t)address)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return NULL;
    struct region *region = chunk->regions[low - 1];
    return (uintptr_t)address - (uintptr_t)region->code < region->code_size ? region : NULL;
}

/** Into memory that the copy alone has. Written rather than copied where it is a file: the kernel then allocates whole runs
    without a fault a page. */
static bool copy_to(const struct code_cache *cache, int fd, size_t offset, size_t size)
{
    const uint8_t *from = cache->rw + offset;

    if (fd < 0) {
        memcpy(cache->snapshot_rw + offset, from, size);
        return true;
    }
    while (size > 0) {
        ssize_t n = pwrite(fd, from, size, (off_t)offset);
        if (n <= 0) {
            if (n < 0 && errno == EINTR)
                continue;
            return false;
        }
        from += n;
        offset += (size_t)n;
        size -= (size_t)n;
    }
    return true;
}

void code_cache_drop_snapshot(struct code_cache *cache)
{
    if (!cache->snapshot_rx)
        return;
    munmap(cache->snapshot_rx, cache->size);
    munmap(cache->snapshot_rw, cache->size);
    cache->snapshot_rx = cache->snapshot_rw = NULL;
}

bool code_cache_snapshot(struct code_cache *cache)
{
    int fd = cache->anonymous ? -1 : memory_file(cache->size);
    bool ok = (fd >= 0 || cache->anonymous || errno == EFBIG) &&
              map_twice(fd, cache->size, NULL, NULL, &cache->snapshot_rx, &cache->snapshot_rw) &&
              copy_to(cache, fd, 0, cache->permanent_used);
    for (unsigned i = 0; ok && i < CODE_CACHE_CHUNKS; i++) {
        const struct code_chunk *chunk = &cache->chunks[i];
        ok = copy_to(cache, fd, chunk->start, chunk->nregions ? chunk->used : 0);
    }
    if (fd >= 0)
        close(fd);
    if (!ok)
        code_cache_drop_snapshot(cache);
    return ok;
}

bool code_cache_adopt(struct code_cache *cache)
{
    if (!cache->snapshot_rx)
        return false;
    for (unsigned i = 0; i < CODE_CACHE_CHUNKS; i++)
        cache->chunks[i].populated = cache->chunks[i].used;
    const int flags = MREMAP_MAYMOVE | MREMAP_FIXED;
    bool ok = mremap(cache->snapshot_rx, cache->size, cache->size, flags, cache->rx) != MAP_FAILED &&
              mremap(cache->snapshot_rw, cache->size, cache->size, flags, cache->rw) != MAP_FAILED;
    cache->snapshot_rx = cache->snapshot_rw = NULL;
    return ok;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/memory.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/keep_files.h"
#include "machine/linux/process.h"

/* Newer than the headers may be. */
#define SYS_MSEAL 462
#define ADVICE_GUARD_INSTALL 102
#define SPACE_END (UINT64_C(1) << 47)
#define GUEST_PROT (PROT_READ | PROT_WRITE | PROT_EXEC | GUEST_PROT_BTI)

static uint64_t page_down(uint64_t x) { return x & ~(uint64_t)(GUEST_PAGE - 1); }
static uint64_t page_up(uint64_t x) { return page_down(x + GUEST_PAGE - 1); }

/** Guest code is read by the translator, never executed: on the host it is data. */
static int host_prot(int prot)
{
    return (prot & (PROT_READ | PROT_WRITE)) | (prot & PROT_EXEC ? PROT_READ : 0);
}

/** Rounds to whole pages; false if the range is empty, wraps or leaves the guest's space. */
static bool range_pages(uint64_t address, uint64_t length, uint64_t *end)
{
    if (address % GUEST_PAGE || length == 0 || length > SPACE_END || address > SPACE_END - page_up(length))
        return false;
    *end = address + page_up(length);
    return true;
}

void memory_init(struct address_space *space)
{
    space->lock = space->brk_lock = (struct lock){0};
}

void memory_destroy(struct address_space *space)
{
    free(space->list);
    *space = (struct address_space){0};
}

/* ---- the list --------------------------------------------------------------------------------------------------------- */

/** Index of the first mapping that ends after `address`. */
static size_t list_seek(const struct address_space *space, uint64_t address)
{
    size_t low = 0, high = space->count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (space->list[middle].end <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/** Makes room for `extra` more entries; false when out of memory. */
static bool list_reserve(struct address_space *space, size_t extra)
{
    if (space->count + extra <= space->capacity)
        return true;
    size_t capacity = space->capacity ? space->capacity * 2 : 64;
    struct mapping *list = realloc(space->list, capacity * sizeof *list);
    if (!list)
        return false;
    space->list = list;
    space->capacity = capacity;
    return true;
}

static void list_insert(struct address_space *space, size_t at, struct mapping m)
{
    memmove(&space->list[at + 1], &space->list[at], (space->count - at) * sizeof m);
    space->list[at] = m;
    space->count++;
}

/** Splits the mapping that spans `address`, so that one starts there. */
static void list_split(struct address_space *space, uint64_t address)
{
    size_t i = list_seek(space, address);
    if (i == space->count || space->list[i].start >= address)
        return;
    struct mapping tail = space->list[i];
    tail.start = address;
    space->list[i].end = address;
    list_insert(space, i + 1, tail);
}

static void list_merge(struct address_space *space, size_t at)
{
    if (at + 1 >= space->count)
        return;
    struct mapping *a = &space->list[at], *b = a + 1;
    if (a->end != b->start || a->prot != b->prot || a->kind != b->kind)
        return;
    a->end = b->end;
    memmove(b, b + 1, (space->count - at - 2) * sizeof *b);
    space->count--;
}

/** True if some page of [start, end) is executable for the guest. */
static bool list_has_code(const struct address_space *space, uint64_t start, uint64_t end)
{
    for (size_t i = list_seek(space, start); i < space->count && space->list[i].start < end; i++) {
        if (space->list[i].prot & PROT_EXEC)
            return true;
    }
    return false;
}

/** True if some executable page of [start, end) would mean another thing to the translator with protection `prot`. */
static bool list_code_changes(const struct address_space *space, uint64_t start, uint64_t end, int prot)
{
    const int kind = PROT_EXEC | GUEST_PROT_BTI;
    for (size_t i = list_seek(space, start); i < space->count && space->list[i].start < end; i++) {
        if ((space->list[i].prot & PROT_EXEC) && (space->list[i].prot & kind) != (prot & kind))
            return true;
    }
    return false;
}

/** Needs list_reserve(2) before. Returns true if code was in the range. */
static bool list_remove(struct address_space *space, uint64_t start, uint64_t end)
{
    bool code = list_has_code(space, start, end);
    list_split(space, start);
    list_split(space, end);
    size_t first = list_seek(space, start), last = first;
    while (last < space->count && space->list[last].start < end)
        last++;
    memmove(&space->list[first], &space->list[last], (space->count - last) * sizeof *space->list);
    space->count -= last - first;
    return code;
}

/** Needs list_reserve(3) before. Returns true if code was in the range. */
static bool list_set(struct address_space *space, uint64_t start, uint64_t end, int prot, enum mapping_kind kind)
{
    bool code = list_remove(space, start, end);
    size_t at = list_seek(space, start);
    if (prot & GUEST_PROT_BTI)
        __atomic_store_n(&space->guarded, true, __ATOMIC_RELEASE);
    list_insert(space, at, (struct mapping){start, end, (uint8_t)(prot & GUEST_PROT), (uint8_t)kind});
    list_merge(space, at);
    if (at > 0)
        list_merge(space, at - 1);
    return code;
}

/** True if every page of [start, end) is the guest's. */
static bool list_covers(const struct address_space *space, uint64_t start, uint64_t end)
{
    for (size_t i = list_seek(space, start); start < end; i++) {
        if (i == space->count || space->list[i].start > start)
            return false;
        start = space->list[i].end;
    }
    return true;
}

/** The next part of [*start, end) that is not the guest's; false when there is none. Advances *start behind it. */
static bool list_next_gap(const struct address_space *space, uint64_t *start, uint64_t end, uint64_t *gap_start, uint64_t *gap_end)
{
    for (size_t i = list_seek(space, *start); *start < end; i++) {
        uint64_t next = i < space->count && space->list[i].start < end ? space->list[i].start : end;
        if (next > *start) {
            *gap_start = *start;
            *gap_end = next;
            *start = next;
            return true;
        }
        *start = space->list[i].end;
    }
    return false;
}

/** True if an entry is what it can be only while the list is being changed: in disorder, or there twice. */
static bool list_is_torn(const struct address_space *space, size_t at, uint64_t end_before)
{
    const struct mapping *m = &space->list[at];
    return m->start < end_before || m->end <= m->start;
}

void memory_owner_stopped(struct address_space *space)
{
    if (lock_is_mine(&space->lock)) {
        size_t kept = 0;
        uint64_t end = 0;
        for (size_t i = 0; i < space->count; i++) {
            if (list_is_torn(space, i, end))
                continue;
            end = space->list[i].end;
            space->list[kept++] = space->list[i];
        }
        space->count = kept;
        lock_release(&space->lock);
    }
    if (lock_is_mine(&space->brk_lock))
        lock_release(&space->brk_lock);
    lock_wake(&space->lock);
    lock_wake(&space->brk_lock);
}

/* ---- host calls ------------------------------------------------------------------------------------------------------- */

static int64_t host_mmap(uint64_t address, uint64_t length, int prot, int flags, int fd, uint64_t offset)
{
    return RAW_SYSCALL(SYS_mmap, address, length, (uint64_t)prot, (uint64_t)flags, (uint64_t)fd, offset);
}

static void host_munmap(uint64_t start, uint64_t end)
{
    RAW_SYSCALL(SYS_munmap, start, end - start);
}

/**
 * Occupies the parts of [start, end) that are not the guest's with inaccessible pages, so that a MAP_FIXED over the whole
 * cannot hit a mapping of dragoman's. 0, or -ENOMEM (nothing changed) when something of the host's is in the way.
 */
static int64_t claim_gaps(struct address_space *space, uint64_t start, uint64_t end)
{
    uint64_t from = start, gap_start, gap_end;
    while (list_next_gap(space, &from, end, &gap_start, &gap_end)) {
        int64_t at = host_mmap(gap_start, gap_end - gap_start, PROT_NONE,
                               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
        if (at == (int64_t)gap_start)
            continue;
        if (at > 0) /* a kernel before 4.17 takes the flag for a hint */
            host_munmap((uint64_t)at, (uint64_t)at + (gap_end - gap_start));
        uint64_t done = gap_start;
        for (from = start; list_next_gap(space, &from, done, &gap_start, &gap_end);)
            host_munmap(gap_start, gap_end);
        return -ENOMEM;
    }
    return 0;
}

/**
 * Takes the list's lock. If the guest has code in [start, end), takes the engine's before it (that is their order) and returns
 * true: no thread is reading that code to translate it while it changes or goes.
 */
static bool lock_for_change(struct address_space *space, uint64_t start, uint64_t end)
{
    lock_take(&space->lock);
    if (!space->engine || !list_has_code(space, start, end))
        return false;
    lock_release(&space->lock);
    engine_begin_change(space->engine);
    lock_take(&space->lock);
    return true;
}

/** Undoes lock_for_change(), which returned `held`; `changed`: [start, end) has been executable and is not what it was. */
static void unlock_and_invalidate(struct address_space *space, bool held, bool changed, uint64_t start, uint64_t end)
{
    lock_release(&space->lock);
    if (held)
        engine_end_change(space->engine, start, changed ? end : start);
    else if (changed && space->engine)
        engine_invalidate(space->engine, start, end);
}

/* ---- the calls -------------------------------------------------------------------------------------------------------- */

int64_t memory_map(struct address_space *space, uint64_t address, uint64_t length, int prot, int flags, int fd,
                   uint64_t offset, enum mapping_kind kind)
{
    uint64_t end = 0;
    bool fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE);
    if (length == 0 || offset % GUEST_PAGE || (fixed && address % GUEST_PAGE))
        return -EINVAL;
    if (!range_pages(page_down(address), length, &end)) {
        if (fixed || page_up(length) == 0 || length > SPACE_END)
            return -ENOMEM;
        address = 0; /* a hint outside the space */
    }
    /* Bits that mean something else on x86-64, and growth, which the list could not follow. */
    flags &= ~(MAP_32BIT | MAP_GROWSDOWN);

    bool held = lock_for_change(space, fixed ? address : 0, fixed ? end : 0);
    int64_t result = -ENOMEM;
    bool code = false;
    if (!list_reserve(space, 3))
        goto out;
    bool replace = (flags & MAP_FIXED) && !(flags & MAP_FIXED_NOREPLACE);
    bool claimed = false;
    if (replace) {
        uint64_t from = address, gap_start, gap_end;
        if (list_next_gap(space, &from, end, &gap_start, &gap_end)) {
            if (gap_start == address && gap_end == end) {
                flags = (flags & ~MAP_FIXED) | MAP_FIXED_NOREPLACE; /* nothing of the guest's there: one call does it */
            } else {
                result = claim_gaps(space, address, end);
                if (result < 0)
                    goto out;
                claimed = true;
            }
        }
    }
    result = host_mmap(address, length, host_prot(prot), flags, fd, offset);
    if (result < 0) {
        if (claimed) {
            uint64_t gap_start, gap_end;
            for (uint64_t from = address; list_next_gap(space, &from, end, &gap_start, &gap_end);)
                host_munmap(gap_start, gap_end);
        }
        if (result == -EEXIST && replace)
            result = -ENOMEM;
        goto out;
    }
    if (fixed && (uint64_t)result != address) { /* a kernel before 4.17 */
        host_munmap((uint64_t)result, (uint64_t)result + page_up(length));
        result = replace ? -ENOMEM : -EEXIST;
        goto out;
    }
    address = (uint64_t)result;
    end = address + page_up(length);
    code = list_set(space, address, end, prot, kind);
    if ((prot & PROT_EXEC) && !(flags & MAP_ANONYMOUS) && (flags & MAP_TYPE) == MAP_PRIVATE)
        keep_files_mapped(space->keep, address, end, fd, offset);
    else if (code)
        keep_files_unmapped(space->keep, address, end);
out:
    unlock_and_invalidate(space, held, code, address, end);
    return result;
}

int64_t memory_unmap(struct address_space *space, uint64_t address, uint64_t length)
{
    uint64_t end;
    if (!range_pages(address, length, &end))
        return -EINVAL;
    bool held = lock_for_change(space, address, end);
    if (!list_reserve(space, 2)) {
        unlock_and_invalidate(space, held, false, address, end);
        return -ENOMEM;
    }
    bool code = false;
    if (list_covers(space, address, end)) {
        int64_t result = RAW_SYSCALL(SYS_munmap, address, end - address);
        if (result < 0) { /* e.g. part of a huge page */
            unlock_and_invalidate(space, held, false, address, end);
            return result;
        }
    } else {
        for (size_t i = list_seek(space, address); i < space->count && space->list[i].start < end; i++) {
            uint64_t from = space->list[i].start > address ? space->list[i].start : address;
            host_munmap(from, space->list[i].end < end ? space->list[i].end : end);
        }
    }
    code = list_remove(space, address, end);
    if (code)
        keep_files_unmapped(space->keep, address, end);
    unlock_and_invalidate(space, held, code, address, end);
    return 0;
}

int64_t memory_protect(struct address_space *space, uint64_t address, uint64_t length, int prot)
{
    uint64_t end;
    if (address % GUEST_PAGE)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!range_pages(address, length, &end))
        return -ENOMEM;
    bool held = lock_for_change(space, address, end);
    int64_t result = list_reserve(space, 3) && list_covers(space, address, end) ? 0 : -ENOMEM;
    bool code = false;
    if (result == 0)
        result = RAW_SYSCALL(SYS_mprotect, address, end - address, (uint64_t)host_prot(prot));
    if (result == 0) {
        code = list_code_changes(space, address, end, prot);
        /* The kinds survive: the range may cover several mappings. */
        for (uint64_t from = address; from < end;) {
            size_t i = list_seek(space, from);
            uint64_t to = space->list[i].end < end ? space->list[i].end : end;
            if (!list_reserve(space, 3)) {
                result = -ENOMEM;
                break;
            }
            list_set(space, from, to, prot, (enum mapping_kind)space->list[i].kind);
            from = to;
        }
    }
    unlock_and_invalidate(space, held, code, address, end);
    return result;
}

int64_t memory_remap(struct address_space *space, uint64_t address, uint64_t old_length, uint64_t new_length, int flags,
                     uint64_t new_address)
{
    uint64_t old_end = address, new_end = 0;
    if (address % GUEST_PAGE || new_length == 0)
        return -EINVAL;
    if (old_length != 0 && !range_pages(address, old_length, &old_end))
        return -EINVAL;
    bool fixed = flags & MREMAP_FIXED;
    if (fixed && !range_pages(new_address, new_length, &new_end))
        return -EINVAL;
    if (new_length > SPACE_END)
        return -ENOMEM;

    bool held = lock_for_change(space, address, old_length ? old_end : address + GUEST_PAGE);
    int64_t result = -ENOMEM;
    bool code = false, new_code = false;
    if (!list_reserve(space, 6))
        goto out;
    if (!list_covers(space, address, old_length ? old_end : address + GUEST_PAGE)) {
        result = -EFAULT;
        goto out;
    }
    struct mapping old = space->list[list_seek(space, address)];
    if (fixed && !list_covers(space, new_address, new_end)) {
        result = claim_gaps(space, new_address, new_end);
        if (result < 0)
            goto out;
    }
    result = RAW_SYSCALL(SYS_mremap, address, old_length, new_length, (uint64_t)flags, new_address);
    if (result < 0) {
        uint64_t gap_start, gap_end;
        for (uint64_t from = new_address; fixed && list_next_gap(space, &from, new_end, &gap_start, &gap_end);)
            host_munmap(gap_start, gap_end);
        goto out;
    }
    new_address = (uint64_t)result;
    new_end = new_address + page_up(new_length);
    if (old_length && !(flags & MREMAP_DONTUNMAP))
        code = list_remove(space, address, old_end);
    new_code = list_set(space, new_address, new_end, old.prot, (enum mapping_kind)old.kind);
out:
    unlock_and_invalidate(space, held, code, address, old_end);
    if (new_code && space->engine)
        engine_invalidate(space->engine, new_address, new_end);
    return result;
}

int64_t memory_advise(struct address_space *space, uint64_t address, uint64_t length, int advice)
{
    uint64_t end;
    if (address % GUEST_PAGE)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!range_pages(address, length, &end))
        return -EINVAL;
    bool held = lock_for_change(space, address, end);
    int64_t result = -ENOMEM;
    bool code = false;
    if (list_covers(space, address, end)) {
        result = RAW_SYSCALL(SYS_madvise, address, length, (uint64_t)advice);
        code = list_has_code(space, address, end) &&
               (advice == MADV_DONTNEED || advice == MADV_REMOVE || advice == MADV_FREE ||
                advice == ADVICE_GUARD_INSTALL);
    }
    unlock_and_invalidate(space, held, code, address, end);
    return result;
}

int64_t memory_remap_file(struct address_space *space, uint64_t address, uint64_t length, uint64_t prot, uint64_t page_offset,
                          uint64_t flags)
{
    uint64_t end;
    if (!range_pages(page_down(address), length, &end))
        return -EINVAL;
    bool held = lock_for_change(space, page_down(address), end);
    int64_t result = -EINVAL;
    if (list_covers(space, page_down(address), end))
        result = RAW_SYSCALL(SYS_remap_file_pages, address, length, prot, page_offset, flags);
    unlock_and_invalidate(space, held, result == 0, page_down(address), end);
    return result;
}

int64_t memory_seal(struct address_space *space, uint64_t address, uint64_t length)
{
    uint64_t end;
    if (address % GUEST_PAGE)
        return -EINVAL;
    if (length == 0)
        return 0;
    if (!range_pages(address, length, &end))
        return -ENOMEM;
    lock_take(&space->lock);
    int64_t result = list_covers(space, address, end) ? RAW_SYSCALL(SYS_MSEAL, address, end - address, 0) : -ENOMEM;
    lock_release(&space->lock);
    return result;
}

/** Size of the segment rounded to pages, or -errno. */
static int64_t shared_size(int id)
{
    struct shmid_ds status;
    if (shmctl(id, IPC_STAT, &status) < 0)
        return -errno;
    return (int64_t)page_up(status.shm_segsz);
}

int64_t memory_attach_shared(struct address_space *space, int id, uint64_t address, int flags)
{
    int64_t size = shared_size(id);
    /* Without permission to ask there is none to attach either, except for execute-only segments, which do not exist. */
    if (size < 0)
        return size;
    if (flags & SHM_RND)
        address = page_down(address);
    lock_take(&space->lock);
    int64_t result = -ENOMEM;
    bool code = false;
    uint64_t end = 0;
    if (!list_reserve(space, 3))
        goto out;
    if (address && (flags & SHM_REMAP)) {
        if (!range_pages(address, (uint64_t)size, &end)) {
            result = -EINVAL;
            goto out;
        }
        result = claim_gaps(space, address, end);
        if (result < 0)
            goto out;
    }
    result = RAW_SYSCALL(SYS_shmat, (uint64_t)id, address, (uint64_t)(flags & ~SHM_EXEC));
    if (result < 0)
        goto out;
    address = (uint64_t)result;
    end = address + (uint64_t)size;
    int prot = PROT_READ | (flags & SHM_RDONLY ? 0 : PROT_WRITE) | (flags & SHM_EXEC ? PROT_EXEC : 0);
    code = list_set(space, address, end, prot, MAPPING_PLAIN);
out:
    unlock_and_invalidate(space, false, code, address, end);
    return result;
}

/** End of the host mapping that starts exactly at `address`, from the kernel's own list. */
static uint64_t host_mapping_end(uint64_t address)
{
    FILE *maps = fopen("/proc/self/maps", "re");
    uint64_t start, end, result = 0;
    char line[4400];
    while (maps && fgets(line, sizeof line, maps)) {
        if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == address)
            result = end;
    }
    if (maps)
        fclose(maps);
    return result;
}

int64_t memory_detach_shared(struct address_space *space, uint64_t address)
{
    uint64_t end = host_mapping_end(address);
    bool held = lock_for_change(space, address, end);
    int64_t result = -EINVAL;
    bool code = false;
    if (end && list_covers(space, address, end) && list_reserve(space, 2)) {
        result = RAW_SYSCALL(SYS_shmdt, address);
        if (result == 0)
            code = list_remove(space, address, end);
    }
    unlock_and_invalidate(space, held, code, address, end);
    return result;
}

void memory_set_brk(struct address_space *space, uint64_t start)
{
    space->brk_start = space->brk_now = start;
}

static int64_t set_break(struct address_space *space, uint64_t address)
{
    if (address < space->brk_start || address > SPACE_END - GUEST_PAGE)
        return (int64_t)space->brk_now;
    uint64_t old_end = page_up(space->brk_now), new_end = page_up(address);
    if (new_end > old_end) {
        int64_t at = memory_map(space, old_end, new_end - old_end, PROT_READ | PROT_WRITE,
                                MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0, MAPPING_HEAP);
        if (at < 0)
            return (int64_t)space->brk_now;
    } else if (new_end < old_end) {
        memory_unmap(space, new_end, old_end - new_end);
    }
    space->brk_now = address;
    return (int64_t)address;
}

int64_t memory_brk(struct address_space *space, uint64_t address)
{
    lock_take(&space->brk_lock);
    int64_t result = set_break(space, address);
    lock_release(&space->brk_lock);
    return result;
}

bool memory_find(struct address_space *space, uint64_t address, struct mapping *found)
{
    lock_take(&space->lock);
    size_t i = list_seek(space, address);
    bool is = i < space->count && space->list[i].start <= address;
    if (is)
        *found = space->list[i];
    lock_release(&space->lock);
    return is;
}

const uint8_t *memory_fetch(void *opaque, uint64_t pc, uint64_t *end)
{
    struct mapping m;
    if (!memory_find(opaque, pc, &m) || !(m.prot & PROT_EXEC))
        return NULL;
    *end = m.end;
    return (const uint8_t *)pc;
}

uint32_t memory_attributes(void *opaque, uint64_t pc)
{
    struct address_space *space = opaque;
    struct mapping m;
    if (!__atomic_load_n(&space->guarded, __ATOMIC_ACQUIRE))
        return 0;
    return memory_find(space, pc, &m) && (m.prot & GUEST_PROT_BTI) ? A64_CODE_GUARDED : 0;
}

void memory_walk(struct address_space *space, void (*each)(void *opaque, const struct mapping *m), void *opaque)
{
    lock_take(&space->lock);
    for (size_t i = 0; i < space->count; i++)
        each(opaque, &space->list[i]);
    lock_release(&space->lock);
}

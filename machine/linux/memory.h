/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest's memory map. Guest address = host address, so the host kernel keeps the pages; this list says which of the host
 * process's mappings are the guest's, and with which protection the guest has them (the host never has PROT_EXEC on them).
 *
 * Promises: no call of the guest changes a mapping that is not the guest's. Whatever stops being executable, or is replaced,
 * is invalidated in the engine before the call returns. All functions are thread-safe; results are those of the Linux calls
 * (address or -errno).
 */
#ifndef DRAGOMAN_MACHINE_LINUX_MEMORY_H
#define DRAGOMAN_MACHINE_LINUX_MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "translator/lock.h"

struct engine;

enum mapping_kind { MAPPING_PLAIN, MAPPING_HEAP, MAPPING_STACK, MAPPING_VDSO };

/** arm64's PROT_BTI: indirect branches into the page's code are checked (A64_CODE_GUARDED). */
#define GUEST_PROT_BTI 0x10

struct mapping {
    uint64_t start, end;
    uint8_t prot; /* the guest's: PROT_*, GUEST_PROT_BTI */
    uint8_t kind; /* enum mapping_kind */
};

struct address_space {
    struct lock lock, brk_lock; /* the second is taken before the engine's, the first after it */
    struct mapping *list; /* ascending, not overlapping */
    size_t count, capacity;
    bool guarded; /* a page has, or has had, GUEST_PROT_BTI; read without the lock */
    uint64_t brk_start, brk_now;
    struct engine *engine; /* NULL until it exists */
    struct keep_files *keep; /* NULL: nothing is kept */
};

void memory_init(struct address_space *space);
/** A process that shared this memory and the calling thread's own has ended, perhaps in the middle of one of these calls. */
void memory_owner_stopped(struct address_space *space);
/** Forgets the list; the mappings themselves stay. */
void memory_destroy(struct address_space *space);

int64_t memory_map(struct address_space *space, uint64_t address, uint64_t length, int prot, int flags, int fd,
                   uint64_t offset, enum mapping_kind kind);
int64_t memory_unmap(struct address_space *space, uint64_t address, uint64_t length);
int64_t memory_protect(struct address_space *space, uint64_t address, uint64_t length, int prot);
int64_t memory_remap(struct address_space *space, uint64_t address, uint64_t old_length, uint64_t new_length, int flags,
                     uint64_t new_address);
int64_t memory_advise(struct address_space *space, uint64_t address, uint64_t length, int advice);
int64_t memory_remap_file(struct address_space *space, uint64_t address, uint64_t length, uint64_t prot, uint64_t page_offset,
                          uint64_t flags);
int64_t memory_seal(struct address_space *space, uint64_t address, uint64_t length);
int64_t memory_attach_shared(struct address_space *space, int id, uint64_t address, int flags);
int64_t memory_detach_shared(struct address_space *space, uint64_t address);
int64_t memory_brk(struct address_space *space, uint64_t address);
void memory_set_brk(struct address_space *space, uint64_t start);

/** The mapping that holds `address`; false if the guest has none there. */
bool memory_find(struct address_space *space, uint64_t address, struct mapping *found);
/** engine_memory.fetch; opaque is the address space. */
const uint8_t *memory_fetch(void *space, uint64_t pc, uint64_t *end);
/** engine_memory.attributes. */
uint32_t memory_attributes(void *space, uint64_t pc);
/** Calls `each` for every mapping in order, under the lock. */
void memory_walk(struct address_space *space, void (*each)(void *opaque, const struct mapping *m), void *opaque);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A store of kept translations (keep.h): what lies in one file, and what is to be added to it. The bytes are
 *
 *   struct keep_header | slots: a hash table of 8-byte entries, a power of two of them | records, one behind the other
 *
 * A reader maps the file and looks into it without a lock, while others append: a slot is written after its record. It believes
 * nothing: places are checked against the size that was mapped, a record against its checksum. So the worst that a damaged,
 * stale or half-written file does is to hold nothing. Whether a sound record is of use is for keep.c to find out.
 */
#ifndef DRAGOMAN_TRANSLATOR_KEEP_STORE_H
#define DRAGOMAN_TRANSLATOR_KEEP_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** The version of the format is in its last bytes. */
#define KEEP_MAGIC "dragoman kept 02"

/** A file with another beginning than this (`records` apart) is another's. */
struct keep_header {
    char magic[16];
    uint8_t build[32];  /* which dragoman */
    uint64_t settings;  /* a hash of what it was to translate for, and how */
    uint64_t device, inode, size, mtime, ctime; /* the guest's file */
    uint32_t nslots;
    uint32_t records; /* the writers' count */
    uint8_t reserved[256 - 16 - 32 - 6 * 8 - 8];
};
_Static_assert(sizeof(struct keep_header) == 256, "the format");

struct keep_slot {
    uint32_t tag;
    uint32_t place; /* of the record, in 8 bytes from the file's start; 0: free */
};

/** What each record begins with; keep.c knows the rest. */
struct keep_record_head {
    uint32_t size;     /* of all of it, a multiple of 8 */
    uint32_t checksum; /* of all behind it */
    uint64_t place;    /* in the guest's file: of the first instruction */
    uint32_t key;
    uint32_t kind;     /* KEEP_*, of which the preferred are greater */
    uint64_t variant;  /* of two records that are alike up to here, this tells whether they are the same */
};
enum { KEEP_COLD, KEEP_HOT };

struct keep_store {
    const uint8_t *bytes; /* the file; NULL: none */
    size_t size;
    bool gone; /* set at any moment, by who has put zeros in the place of what cannot be read any more */
    uint8_t *pending; /* records to be written, malloc'ed */
    size_t pending_size, pending_capacity;
    uint32_t npending;
    uint32_t used;  /* records that translations were made of */
};

#define KEEP_PENDING_MAX (8u << 20)
#define KEEP_FILE_MAX (128u << 20)
#define KEEP_CANDIDATES 8

uint32_t keep_checksum(const void *bytes, size_t size);
/** Fills the head's size and checksum in. */
void keep_record_seal(struct keep_record_head *record, size_t size);
/** The sound records for (place, key), the preferred first; returns how many. */
unsigned keep_store_find(const struct keep_store *store, uint64_t place, uint32_t key,
                         const struct keep_record_head *found[KEEP_CANDIDATES]);
/** It will be asked for these soon, perhaps. */
void keep_store_expect(const struct keep_store *store, uint64_t place, uint32_t key);
/** Takes in a sealed record that is to be written. False: there is no room. */
bool keep_store_add(struct keep_store *store, const struct keep_record_head *record);
void keep_store_forget_pending(struct keep_store *store);

/** Whether a file of `size` bytes that begins with `header` is a store's for which `expected` (nslots and records apart) is the beginning. */
bool keep_header_good(const struct keep_header *header, size_t size, const struct keep_header *expected);
bool keep_bytes_good(const uint8_t *bytes, size_t size, const struct keep_header *expected);

/** For who writes, with the file's contents at hand: what is to be written for those pending records that it does not have. */
struct keep_addition {
    uint8_t *records;        /* to be appended at `append_at` */
    size_t records_size;
    uint64_t append_at;
    struct keep_slot *slots; /* a changed copy of the table … */
    uint32_t first, last;    /* … in [first, last) */
    uint32_t nrecords;       /* what the header's count becomes */
};
/** KEEP_TOO_FULL: the table is, keep_store_rebuild() is to follow. */
enum keep_fit { KEEP_FITS, KEEP_NOTHING_NEW, KEEP_TOO_FULL, KEEP_NO_MEMORY };
enum keep_fit keep_store_fit(const struct keep_store *store, const uint8_t *bytes, size_t size, struct keep_addition *addition);
void keep_addition_free(struct keep_addition *addition);
/** A new file of what is in `bytes` (which may be NULL) and the pending records: malloc'ed, *new_size its size. NULL: no memory, or
    it would grow too large. */
uint8_t *keep_store_rebuild(const struct keep_store *store, const uint8_t *bytes, size_t size, const struct keep_header *header,
                            size_t *new_size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "translator/keep_store.h"

#include <stdlib.h>
#include <string.h>

#define MIN_SLOTS 1024u
#define RECORD_MAX (4u << 20)
#define TRIES 256u /* slots looked at: more in a row are taken in a damaged table only */
#define SLOTS_AT sizeof(struct keep_header)

static uint64_t mix(uint64_t h)
{
    h = (h ^ h >> 32) * UINT64_C(0xd6e8feb86659fd93);
    return h ^ h >> 32;
}

/* Neighbours in the guest's file begin in the same cache line of the table. */
#define NEIGHBOURS 8u
static uint32_t place_index(uint64_t place, uint32_t key)
{
    return (uint32_t)mix((place >> 7) * UINT64_C(0x9e3779b97f4a7c15) + key * UINT64_C(0xc2b2ae3d27d4eb4f)) * NEIGHBOURS;
}

static uint32_t place_tag(uint64_t place, uint32_t key) { return (uint32_t)(place * 0x9e3779b1u) ^ key * 0x85ebca77u; }

/* Against accidents: of a file that others can write nothing is believed in the first place. */
uint32_t keep_checksum(const void *bytes, size_t size)
{
    const uint8_t *p = bytes;
    uint64_t a = UINT64_C(0x243f6a8885a308d3), b = UINT64_C(0x13198a2e03707344) ^ size;
    for (; size >= 16; size -= 16, p += 16) {
        uint64_t x, y;
        memcpy(&x, p, 8);
        memcpy(&y, p + 8, 8);
        a = (a ^ x) * UINT64_C(0x9e3779b97f4a7c15);
        b = (b ^ y) * UINT64_C(0xc2b2ae3d27d4eb4f);
        a ^= a >> 29;
        b ^= b >> 31;
    }
    uint64_t rest[2] = {0, 0};
    memcpy(rest, p, size);
    return (uint32_t)(mix((a ^ rest[0]) * UINT64_C(0xff51afd7ed558ccd)) + mix((b ^ rest[1]) * UINT64_C(0x165667b19e3779f9)));
}

static uint32_t record_checksum(const struct keep_record_head *record)
{
    const uint32_t size = __atomic_load_n(&record->size, __ATOMIC_RELAXED); /* a file may become empty at any moment */
    return size < sizeof *record ? ~record->checksum : keep_checksum(&record->place, size - offsetof(struct keep_record_head, place));
}

void keep_record_seal(struct keep_record_head *record, size_t size)
{
    record->size = (uint32_t)size;
    record->checksum = record_checksum(record);
}

bool keep_header_good(const struct keep_header *header, size_t size, const struct keep_header *expected)
{
    uint32_t n = header->nslots;
    if (n < MIN_SLOTS || (n & (n - 1)) || n > KEEP_FILE_MAX / sizeof(struct keep_slot) ||
        size < SLOTS_AT + n * sizeof(struct keep_slot))
        return false;
    return memcmp(header, expected, offsetof(struct keep_header, nslots)) == 0;
}

bool keep_bytes_good(const uint8_t *bytes, size_t size, const struct keep_header *expected)
{
    struct keep_header header;
    if (size < sizeof header)
        return false;
    memcpy(&header, bytes, sizeof header);
    return keep_header_good(&header, size, expected);
}

static struct keep_slot slot_read(const uint8_t *bytes, uint32_t index)
{
    uint64_t word = __atomic_load_n((const uint64_t *)(const void *)(bytes + SLOTS_AT) + index, __ATOMIC_ACQUIRE);
    struct keep_slot slot;
    memcpy(&slot, &word, sizeof slot);
    return slot;
}

/* The record at a slot's place, if all of it is there. It may be anything otherwise. */
static const struct keep_record_head *record_at(const uint8_t *bytes, size_t size, uint32_t place)
{
    uint64_t at = (uint64_t)place * 8;
    if (at < SLOTS_AT || at > size || size - at < sizeof(struct keep_record_head))
        return NULL;
    const struct keep_record_head *record = (const struct keep_record_head *)(const void *)(bytes + at);
    uint32_t length = record->size;
    return length >= sizeof *record && length % 8 == 0 && length <= RECORD_MAX && length <= size - at ? record : NULL;
}

unsigned keep_store_find(const struct keep_store *store, uint64_t place, uint32_t key,
                         const struct keep_record_head *found[KEEP_CANDIDATES])
{
    if (!store->bytes)
        return 0;
    const struct keep_header *header = (const struct keep_header *)(const void *)store->bytes;
    uint32_t mask = header->nslots - 1, tag = place_tag(place, key);
    if (SLOTS_AT + ((uint64_t)mask + 1) * sizeof(struct keep_slot) > store->size)
        return 0;
    unsigned n = 0;
    for (uint32_t i = place_index(place, key) & mask, tries = 0; tries < TRIES && n < KEEP_CANDIDATES; i = (i + 1) & mask, tries++) {
        struct keep_slot slot = slot_read(store->bytes, i);
        if (!slot.place)
            break;
        const struct keep_record_head *record = slot.tag == tag ? record_at(store->bytes, store->size, slot.place) : NULL;
        if (!record || record->place != place || record->key != key || record->checksum != record_checksum(record))
            continue;
        unsigned k = n++;
        for (; k > 0 && found[k - 1]->kind < record->kind; k--)
            found[k] = found[k - 1];
        found[k] = record;
    }
    return n;
}

void keep_store_expect(const struct keep_store *store, uint64_t place, uint32_t key)
{
    if (!store->bytes)
        return;
    uint32_t mask = ((const struct keep_header *)(const void *)store->bytes)->nslots - 1;
    uint64_t at = SLOTS_AT + (uint64_t)(place_index(place, key) & mask) * sizeof(struct keep_slot);
    if (at < store->size)
        __builtin_prefetch(store->bytes + at);
}

bool keep_store_add(struct keep_store *store, const struct keep_record_head *record)
{
    if (store->pending_size + record->size > store->pending_capacity) {
        size_t capacity = store->pending_capacity ? store->pending_capacity * 2 : 1u << 16;
        if (store->pending_size + record->size > KEEP_PENDING_MAX)
            return false;
        while (capacity < store->pending_size + record->size)
            capacity *= 2;
        uint8_t *pending = realloc(store->pending, capacity);
        if (!pending)
            return false;
        store->pending = pending;
        store->pending_capacity = capacity;
    }
    memcpy(store->pending + store->pending_size, record, record->size);
    store->pending_size += record->size;
    store->npending++;
    return true;
}

void keep_store_forget_pending(struct keep_store *store)
{
    free(store->pending);
    store->pending = NULL;
    store->pending_size = store->pending_capacity = 0;
    store->npending = 0;
}

/* ---- writing ------------------------------------------------------------------------------------------------------------- */

/* The slot for the record in a table for the records in `bytes` and those behind; NULL: it is there already, or no slot is free. */
static struct keep_slot *slot_for(struct keep_slot *slots, uint32_t nslots, const struct keep_record_head *record,
                                  const uint8_t *bytes, size_t size, const uint8_t *behind, size_t behind_size)
{
    uint32_t tag = place_tag(record->place, record->key), mask = nslots - 1;
    for (uint32_t i = place_index(record->place, record->key) & mask, tries = 0; tries < TRIES; i = (i + 1) & mask, tries++) {
        if (!slots[i].place) {
            slots[i].tag = tag;
            return &slots[i];
        }
        if (slots[i].tag != tag)
            continue;
        uint64_t at = (uint64_t)slots[i].place * 8;
        const struct keep_record_head *other = at < size ? record_at(bytes, size, slots[i].place) : NULL;
        if (at >= size && at - size < behind_size && behind_size - (at - size) >= sizeof *other)
            other = (const struct keep_record_head *)(const void *)(behind + (at - size));
        if (other && other->place == record->place && other->key == record->key && other->kind == record->kind &&
            other->variant == record->variant && (at >= size || other->checksum == record_checksum(other)))
            return NULL;
    }
    return NULL;
}

static bool too_full(uint32_t records, uint32_t nslots) { return records > nslots / 2; }

enum keep_fit keep_store_fit(const struct keep_store *store, const uint8_t *bytes, size_t size, struct keep_addition *addition)
{
    const struct keep_header *header = (const struct keep_header *)(const void *)bytes;
    uint32_t nslots = header->nslots, records = header->records;
    size_t end = (size + 7) & ~(size_t)7;
    *addition = (struct keep_addition){.append_at = end, .first = nslots};
    if (records > nslots || too_full(records + store->npending, nslots))
        return KEEP_TOO_FULL;
    if (end + store->pending_size > KEEP_FILE_MAX)
        return KEEP_NOTHING_NEW;
    addition->slots = malloc(nslots * sizeof *addition->slots);
    addition->records = malloc(store->pending_size);
    if (!addition->slots || !addition->records) {
        keep_addition_free(addition);
        return KEEP_NO_MEMORY;
    }
    memcpy(addition->slots, bytes + SLOTS_AT, nslots * sizeof *addition->slots);
    for (size_t at = 0; at < store->pending_size;) {
        const struct keep_record_head *record = (const struct keep_record_head *)(const void *)(store->pending + at);
        struct keep_slot *slot =
            slot_for(addition->slots, nslots, record, bytes, end, addition->records, addition->records_size);
        at += record->size;
        if (!slot)
            continue;
        uint32_t index = (uint32_t)(slot - addition->slots);
        slot->place = (uint32_t)((end + addition->records_size) / 8);
        memcpy(addition->records + addition->records_size, record, record->size);
        addition->records_size += record->size;
        records++;
        if (index < addition->first)
            addition->first = index;
        if (index >= addition->last)
            addition->last = index + 1;
    }
    addition->nrecords = records;
    if (addition->records_size)
        return KEEP_FITS;
    keep_addition_free(addition);
    return KEEP_NOTHING_NEW;
}

void keep_addition_free(struct keep_addition *addition)
{
    free(addition->slots);
    free(addition->records);
    addition->slots = NULL;
    addition->records = NULL;
}

struct rebuild {
    uint8_t *bytes;
    uint32_t nslots, records;
    size_t used, capacity;
};

static void rebuild_add(struct rebuild *r, const struct keep_record_head *record)
{
    uint32_t size = __atomic_load_n(&record->size, __ATOMIC_RELAXED);
    if (size > r->capacity - r->used || r->records >= r->nslots / 2) /* the file has become another since they were counted */
        return;
    struct keep_slot *slot = slot_for((struct keep_slot *)(void *)(r->bytes + SLOTS_AT), r->nslots, record, r->bytes, r->used,
                                      NULL, 0);
    if (!slot)
        return;
    slot->place = (uint32_t)(r->used / 8);
    memcpy(r->bytes + r->used, record, size);
    r->used += size;
    r->records++;
}

uint8_t *keep_store_rebuild(const struct keep_store *store, const uint8_t *bytes, size_t size, const struct keep_header *header,
                            size_t *new_size)
{
    uint32_t old_slots = bytes ? ((const struct keep_header *)(const void *)bytes)->nslots : 0, records = store->npending;
    size_t total = store->pending_size;
    for (uint32_t i = 0; i < old_slots; i++) {
        struct keep_slot slot = slot_read(bytes, i);
        const struct keep_record_head *record = slot.place ? record_at(bytes, size, slot.place) : NULL;
        if (record) {
            records++;
            total += record->size;
        }
    }
    struct rebuild r = {.nslots = MIN_SLOTS};
    while (records > r.nslots / 8) /* more are to come, and each time that there are too many costs a copy of all */
        r.nslots *= 2;
    r.used = SLOTS_AT + r.nslots * sizeof(struct keep_slot);
    r.capacity = r.used + total;
    if (total > KEEP_FILE_MAX || r.capacity > KEEP_FILE_MAX || !(r.bytes = calloc(1, r.capacity)))
        return NULL;
    for (uint32_t i = 0; i < old_slots; i++) {
        struct keep_slot slot = slot_read(bytes, i);
        const struct keep_record_head *record = slot.place ? record_at(bytes, size, slot.place) : NULL;
        if (record && record->checksum == record_checksum(record))
            rebuild_add(&r, record);
    }
    for (size_t at = 0; at < store->pending_size;) {
        const struct keep_record_head *record = (const struct keep_record_head *)(const void *)(store->pending + at);
        rebuild_add(&r, record);
        at += record->size;
    }
    struct keep_header *new_header = (struct keep_header *)(void *)r.bytes;
    *new_header = *header;
    new_header->nslots = r.nslots;
    new_header->records = r.records;
    *new_size = r.used;
    return r.bytes;
}

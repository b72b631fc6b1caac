/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The encoding. Numbers are LEB128; signed ones are zigzagged first.
 *
 *   map    = { entry }
 *   entry  = number(offset difference * 2 + all)  signed(pc difference)  { record }  0
 *   record = byte(slot + 1)  place
 *   place  = byte(kind | has_extend * 8 | reg * 16)  [ byte(extend) ]  rest
 *   rest   = LOC_SPILL, LOC_SLOT: number(index)
 *            LOC_CONST: signed(bits), and number(bits_high) if reg = 1
 *            LOC_PC: signed(bits)
 *            LOC_FLAGS: byte(flags_op) byte(flags_size) place(a) place(b)
 *
 * The 0 that closes an entry is written when the next one begins, so that the writer need not know how many records follow.
 */
#include "translator/statemap.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "translator/builder.h"
#include "translator/cpu.h"

#define MAX_ENTRY_BYTES 24
#define MAX_RECORD_BYTES 96
#define EXTEND_BIT 8

/* ---- writing ---------------------------------------------------------------------------------------------------------- */

static void resize(struct statemap_writer *w, uint32_t capacity)
{
    w->bytes = realloc(w->bytes, capacity);
    if (!w->bytes) {
        fprintf(stderr, "dragoman: out of memory for a state map of %u bytes\n", capacity);
        exit(1);
    }
    w->capacity = capacity;
}

static inline uint8_t *reserve(struct statemap_writer *w, uint32_t bytes)
{
    if (__builtin_expect(w->capacity - w->used < bytes, 0))
        resize(w, w->capacity * 2);
    return w->bytes + w->used;
}

static inline uint8_t *put_number(uint8_t *p, uint64_t value)
{
    while (value >= 0x80) {
        *p++ = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    *p++ = (uint8_t)value;
    return p;
}

static inline uint8_t *put_signed(uint8_t *p, uint64_t value)
{
    return put_number(p, value << 1 ^ (uint64_t)((int64_t)value >> 63));
}

void statemap_begin(struct statemap_writer *w)
{
    *w = (struct statemap_writer){0};
    resize(w, 256);
}

void statemap_begin_again(struct statemap_writer *w)
{
    if (!w->bytes)
        resize(w, 256);
    w->used = w->last_offset = 0;
    w->last_pc = 0;
}

void statemap_entry(struct statemap_writer *w, uint32_t offset, uint64_t pc, bool all)
{
    uint8_t *p = reserve(w, MAX_ENTRY_BYTES);

    if (w->used)
        *p++ = 0;
    p = put_number(p, (uint64_t)(offset - w->last_offset) << 1 | all);
    p = put_signed(p, pc - w->last_pc);
    w->used = (uint32_t)(p - w->bytes);
    w->last_offset = offset;
    w->last_pc = pc;
}

static uint8_t *put_place(uint8_t *p, const struct loc *at)
{
    unsigned reg = at->kind == LOC_CONST                        ? at->bits_high != 0
                   : at->kind == LOC_GPR || at->kind == LOC_XMM ? at->reg
                                                                : 0;

    *p++ = (uint8_t)(at->kind | (at->extend ? EXTEND_BIT : 0) | reg << 4);
    if (at->extend)
        *p++ = at->extend;
    switch ((enum loc_kind)at->kind) {
    case LOC_ENTRY:
    case LOC_GPR:
    case LOC_XMM:
        break;
    case LOC_SPILL:
    case LOC_SLOT:
        p = put_number(p, at->index);
        break;
    case LOC_CONST:
        p = put_signed(p, at->bits);
        if (at->bits_high)
            p = put_number(p, at->bits_high);
        break;
    case LOC_PC:
        p = put_signed(p, at->bits);
        break;
    case LOC_FLAGS:
        *p++ = at->flags_op;
        *p++ = at->flags_size;
        break;
    }
    return p;
}

void statemap_slot(struct statemap_writer *w, unsigned slot, const struct slot_loc *where)
{
    uint8_t *p = reserve(w, MAX_RECORD_BYTES);

    *p++ = (uint8_t)(slot + 1);
    p = put_place(p, &where->at);
    if (where->at.kind == LOC_FLAGS) {
        p = put_place(p, &where->a);
        p = put_place(p, &where->b);
    }
    w->used = (uint32_t)(p - w->bytes);
}

const uint8_t *statemap_close(struct statemap_writer *w, uint32_t *size)
{
    if (w->used) {
        uint8_t *p = reserve(w, 1);
        *p = 0;
        w->used++;
    }
    *size = w->used;
    return w->bytes;
}

uint8_t *statemap_end(struct statemap_writer *w, uint32_t *size)
{
    uint8_t *bytes = (uint8_t *)(uintptr_t)statemap_close(w, size);
    uint8_t *fitting = realloc(bytes, *size ? *size : 1);
    *w = (struct statemap_writer){0};
    return fitting ? fitting : bytes;
}

/* ---- reading: async-signal-safe, and frugal with the signal stack ----------------------------------------------------- */

static inline const uint8_t *get_number(const uint8_t *p, uint64_t *value)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t byte;

    do {
        byte = *p++;
        v |= (uint64_t)(byte & 0x7f) << shift;
        shift += 7;
    } while (byte & 0x80);
    *value = v;
    return p;
}

static inline const uint8_t *get_signed(const uint8_t *p, uint64_t *value)
{
    uint64_t v;
    p = get_number(p, &v);
    *value = v >> 1 ^ -(v & 1);
    return p;
}

static const uint8_t *get_place(const uint8_t *p, struct loc *at)
{
    uint64_t number;

    *at = (struct loc){.kind = *p & 7, .reg = *p >> 4};
    if (*p++ & EXTEND_BIT)
        at->extend = *p++;
    switch ((enum loc_kind)at->kind) {
    case LOC_ENTRY:
    case LOC_GPR:
    case LOC_XMM:
        break;
    case LOC_SPILL:
    case LOC_SLOT:
        p = get_number(p, &number);
        at->index = (uint32_t)number;
        break;
    case LOC_CONST:
        p = get_signed(p, &at->bits);
        if (at->reg)
            p = get_number(p, &at->bits_high);
        break;
    case LOC_PC:
        p = get_signed(p, &at->bits);
        break;
    case LOC_FLAGS:
        at->flags_op = *p++;
        at->flags_size = *p++;
        break;
    }
    return p;
}

static const uint8_t *get_record(const uint8_t *p, struct slot_loc *where)
{
    p = get_place(p, &where->at);
    if (where->at.kind == LOC_FLAGS) {
        p = get_place(p, &where->a);
        p = get_place(p, &where->b);
    }
    return p;
}

struct cursor {
    const uint8_t *at, *end;
    uint32_t offset;
    uint64_t pc;
};

/** Reads the head of an entry; false at the end of the map. */
static bool next_entry(struct cursor *c, bool *all)
{
    uint64_t difference;

    if (c->at >= c->end)
        return false;
    c->at = get_number(c->at, &difference);
    *all = difference & 1;
    c->offset += (uint32_t)(difference >> 1);
    c->at = get_signed(c->at, &difference);
    c->pc += difference;
    return true;
}

/** Reads the head of a record; false at the end of the entry. */
static bool next_record(struct cursor *c, unsigned *slot)
{
    uint8_t byte = *c->at++;
    *slot = byte - 1u;
    return byte != 0;
}

static unsigned type_size(uint8_t type)
{
    return type == IR_V128 ? 16 : type == IR_I64 || type == IR_F64 ? 8 : 4;
}

struct wide {
    uint64_t low, high;
};

struct source {
    const struct host_regs *regs;
    const struct guest_isa *isa;
    struct cpu *cpu;
    uint64_t base;
};

static struct wide take_bytes(const void *from, unsigned size)
{
    struct wide value = {0, 0};
    memcpy(&value, from, size);
    return value;
}

/** The low `size` bytes of what is at the place, zero-extended. */
static struct wide take_place(const struct source *s, const struct loc *at, unsigned size)
{
    struct wide value = {0, 0};
    unsigned count = at->extend && at->extend < size ? at->extend : size;

    switch ((enum loc_kind)at->kind) {
    case LOC_GPR:
        value.low = s->regs->gpr[at->reg];
        break;
    case LOC_XMM:
        value = take_bytes(&s->regs->xmm[at->reg], count);
        break;
    case LOC_SPILL:
        value = take_bytes((const uint8_t *)cpu_front(s->cpu)->spill + at->index * 8, count);
        break;
    case LOC_SLOT: {
        const struct state_slot *slot = &s->isa->slots[at->index];
        value = take_bytes((const uint8_t *)s->cpu + slot->offset, type_size(slot->type));
        break;
    }
    case LOC_CONST:
        value = (struct wide){at->bits, at->bits_high};
        break;
    case LOC_PC:
        value.low = s->base + at->bits;
        break;
    case LOC_ENTRY:
    case LOC_FLAGS:
        break;
    }
    if (count < 16)
        value.high &= count > 8 ? (1ull << (count - 8) * 8) - 1 : 0;
    if (count < 8)
        value.low &= (1ull << count * 8) - 1;
    return value;
}

static uint32_t packed_flags(const struct source *s, const struct slot_loc *where)
{
    unsigned size = where->at.flags_size;
    uint64_t mask = size >= 8 ? UINT64_MAX : (1ull << size * 8) - 1, sign = (mask >> 1) + 1;
    uint64_t a = take_place(s, &where->a, size).low, b = 0, result = a;
    bool carry = false, overflow = false;

    if (where->at.flags_op == IR_FLAGS_ADD) {
        b = take_place(s, &where->b, size).low;
        result = (a + b) & mask;
        carry = result < a;
        overflow = (a ^ result) & (b ^ result) & sign;
    } else if (where->at.flags_op == IR_FLAGS_SUB) {
        b = take_place(s, &where->b, size).low;
        result = (a - b) & mask;
        carry = a >= b;
        overflow = (a ^ b) & (a ^ result) & sign;
    }
    return (result & sign ? IR_FLAG_N : 0) | (result == 0 ? IR_FLAG_Z : 0) | (carry ? 0 : IR_FLAG_NOT_C) |
           (overflow ? IR_FLAG_V : 0);
}

bool statemap_recover(const uint8_t *map, uint32_t size, uint64_t base, uint32_t offset, const struct host_regs *regs,
                      const struct guest_isa *isa, struct cpu *cpu)
{
    /* First where each slot's record is (0: memory is right), then all values, then the writes: a value may come from the
       memory of a slot that is written here too. */
    uint32_t record[BUILDER_MAX_SLOTS] = {0};
    struct cursor c = {.at = map, .end = map + size, .pc = base};
    uint64_t pc = base;
    bool found = false, all;

    while (next_entry(&c, &all)) {
        if (c.offset > offset)
            break;
        found = c.offset == offset;
        pc = c.pc;
        if (all)
            memset(record, 0, sizeof record);
        unsigned slot;
        while (next_record(&c, &slot)) {
            struct slot_loc where;
            record[slot] = (uint32_t)(c.at - map);
            c.at = get_record(c.at, &where);
            if (where.at.kind == LOC_ENTRY)
                record[slot] = 0;
        }
    }
    if (!found)
        return false;

    struct wide values[BUILDER_MAX_SLOTS];
    struct source source = {regs, isa, cpu, base};
    for (unsigned slot = 0; slot < isa->nslots; slot++) {
        if (!record[slot])
            continue;
        struct slot_loc where;
        get_record(map + record[slot], &where);
        if (where.at.kind == LOC_FLAGS)
            values[slot] = (struct wide){packed_flags(&source, &where), 0};
        else
            values[slot] = take_place(&source, &where.at, type_size(isa->slots[slot].type));
    }
    for (unsigned slot = 0; slot < isa->nslots; slot++) {
        if (record[slot])
            memcpy((uint8_t *)cpu + isa->slots[slot].offset, &values[slot], type_size(isa->slots[slot].type));
    }
    cpu->pc = pc;
    return true;
}

void statemap_walk(const uint8_t *map, uint32_t size, uint64_t base, void (*each)(void *opaque, uint32_t offset, uint64_t pc),
                   void *opaque)
{
    struct cursor c = {.at = map, .end = map + size, .pc = base};
    bool all;

    while (next_entry(&c, &all)) {
        unsigned slot;
        each(opaque, c.offset, c.pc);
        while (next_record(&c, &slot)) {
            struct slot_loc where;
            c.at = get_record(c.at, &where);
        }
    }
}

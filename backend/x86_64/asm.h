/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The assembler's core: bytes, prefixes, ModRM. Instruction forms by name are in asm_int.h (integer) and asm_vec.h (VEX).
 * Source: Intel SDM volume 2, chapter 2.
 *
 * An opcode is described by one word: X86_OP(map, prefix, byte), | X86_W for a 64-bit operand.
 * Overflow of the buffer is remembered, not reported at each byte: check `overflow` at the end.
 */
#ifndef DRAGOMAN_BACKEND_X86_64_ASM_H
#define DRAGOMAN_BACKEND_X86_64_ASM_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "translator/backend.h" /* struct code_note */

enum gpr { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15, GPR_NONE = 0xff };

enum { X86_MAP_1 = 0, X86_MAP_0F = 1, X86_MAP_0F38 = 2, X86_MAP_0F3A = 3 };
enum { X86_NP = 0, X86_66 = 1, X86_F3 = 2, X86_F2 = 3 };
#define X86_OP(map, prefix, byte) ((uint32_t)(byte) | (uint32_t)(map) << 8 | (uint32_t)(prefix) << 12)
#define X86_W 0x10000u    /* REX.W or VEX.W */
#define X86_L 0x40000u    /* VEX.L: 256 bits, for the forms of asm_vec.h */
#define X86_BYTE 0x20000u /* the register operands are byte registers: SPL … DIL need a REX prefix */

struct asm_mem {
    uint8_t base;  /* GPR_NONE: absolute, or RIP-relative when pool >= 0 */
    uint8_t index; /* GPR_NONE: none */
    uint8_t shift; /* of the index, 0..3 */
    int32_t disp;
    int32_t pool; /* constant pool entry, -1: none */
};

/** A register (reg < 16) or memory operand. */
struct asm_operand {
    bool is_mem;
    uint8_t reg;
    struct asm_mem mem;
};

/** A reference to a constant pool entry to be filled in when the pool has been placed. */
struct asm_fixup {
    uint32_t at;   /* of the 4-byte displacement */
    uint32_t next; /* address that the displacement is relative to */
    int32_t pool;
};

struct assembler {
    uint8_t *start, *p, *end; /* writable mapping */
    const uint8_t *rx;        /* executable address of start */
    bool overflow;
    struct asm_fixup *fixups; /* grows; owned by the emitter */
    uint32_t nfixups, fixups_capacity;
    bool noting;             /* keep `notes`, which grow; owned by the emitter */
    struct code_note *notes;
    uint32_t nnotes, notes_capacity;
};

void asm_add_fixup(struct assembler *a, struct asm_fixup fixup); /* emit.c */

/** The bytes at offset `at` are what enum code_note_kind says (emit.c). */
void asm_add_note(struct assembler *a, uint32_t at, unsigned kind);
static inline void asm_note(struct assembler *a, uint32_t at, unsigned kind)
{
    if (a->noting)
        asm_add_note(a, at, kind);
}

static inline uint32_t asm_offset(const struct assembler *a) { return (uint32_t)(a->p - a->start); }

/** Makes room for one instruction (at most 15 bytes and an immediate). */
static inline void asm_reserve(struct assembler *a)
{
    if (__builtin_expect(a->end - a->p < 32, 0)) {
        a->overflow = true;
        a->p = a->start;
    }
}

static inline void asm_u8(struct assembler *a, unsigned v) { *a->p++ = (uint8_t)v; }
static inline void asm_u32(struct assembler *a, uint32_t v) { memcpy(a->p, &v, 4); a->p += 4; }
static inline void asm_u64(struct assembler *a, uint64_t v) { memcpy(a->p, &v, 8); a->p += 8; }

static inline struct asm_mem asm_base(unsigned base, int32_t disp)
{
    return (struct asm_mem){.base = (uint8_t)base, .index = GPR_NONE, .disp = disp, .pool = -1};
}
static inline struct asm_mem asm_indexed(unsigned base, unsigned index, unsigned shift, int32_t disp)
{
    return (struct asm_mem){.base = (uint8_t)base, .index = (uint8_t)index, .shift = (uint8_t)shift, .disp = disp, .pool = -1};
}
static inline struct asm_mem asm_pool(int32_t entry)
{
    return (struct asm_mem){.base = GPR_NONE, .index = GPR_NONE, .pool = entry};
}
static inline struct asm_operand asm_reg(unsigned reg) { return (struct asm_operand){.reg = (uint8_t)reg}; }
static inline struct asm_operand asm_at(struct asm_mem mem) { return (struct asm_operand){.is_mem = true, .mem = mem}; }

/** ModRM, SIB and displacement for `reg` and memory; `imm_bytes` immediate bytes follow the instruction. */
static inline void asm_modrm_mem(struct assembler *a, unsigned reg, const struct asm_mem *m, unsigned imm_bytes)
{
    unsigned r = (reg & 7) << 3;
    if (m->pool >= 0) {
        asm_u8(a, r | 5);
        asm_add_fixup(a, (struct asm_fixup){asm_offset(a), asm_offset(a) + 4 + imm_bytes, m->pool});
        asm_u32(a, 0);
        return;
    }
    if (m->base == GPR_NONE) {
        asm_u8(a, r | 4);
        asm_u8(a, (unsigned)m->shift << 6 | (m->index == GPR_NONE ? 4u : m->index & 7u) << 3 | 5);
        asm_u32(a, (uint32_t)m->disp);
        return;
    }
    unsigned mod = m->disp == 0 && (m->base & 7) != RBP ? 0 : m->disp == (int8_t)m->disp ? 0x40 : 0x80;
    if (m->index != GPR_NONE || (m->base & 7) == RSP) {
        asm_u8(a, mod | r | 4);
        asm_u8(a, (unsigned)m->shift << 6 | (m->index == GPR_NONE ? 4u : m->index & 7u) << 3 | (m->base & 7u));
    } else {
        asm_u8(a, mod | r | (m->base & 7u));
    }
    if (mod == 0x40)
        asm_u8(a, (uint8_t)m->disp);
    else if (mod == 0x80)
        asm_u32(a, (uint32_t)m->disp);
}

static inline void asm_legacy_prefix(struct assembler *a, uint32_t op, unsigned reg, unsigned index, unsigned base, bool byte_rex)
{
    static const uint8_t prefix[4] = {0, 0x66, 0xf3, 0xf2};
    asm_reserve(a);
    unsigned pp = op >> 12 & 3, map = op >> 8 & 3;
    if (pp)
        asm_u8(a, prefix[pp]);
    unsigned rex = (op & X86_W ? 8u : 0) | (reg >> 3 & 1) << 2 | (index >> 3 & 1) << 1 | (base >> 3 & 1);
    if (rex || byte_rex)
        asm_u8(a, 0x40 | rex);
    if (map) {
        asm_u8(a, 0x0f);
        if (map == X86_MAP_0F38)
            asm_u8(a, 0x38);
        else if (map == X86_MAP_0F3A)
            asm_u8(a, 0x3a);
    }
    asm_u8(a, op & 0xff);
}

/** Legacy encoding, register form: `reg` in ModRM.reg, `rm` in ModRM.rm. */
static inline void asm_rr(struct assembler *a, uint32_t op, unsigned reg, unsigned rm)
{
    asm_legacy_prefix(a, op, reg, 0, rm, (op & X86_BYTE) && ((reg >= 4 && reg < 8) || (rm >= 4 && rm < 8)));
    asm_u8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}
/** Legacy encoding, memory form; imm_bytes follow. */
static inline void asm_rm(struct assembler *a, uint32_t op, unsigned reg, const struct asm_mem *m, unsigned imm_bytes)
{
    asm_legacy_prefix(a, op, reg, m->index == GPR_NONE ? 0 : m->index, m->base == GPR_NONE ? 0 : m->base,
                      (op & X86_BYTE) && reg >= 4 && reg < 8);
    asm_modrm_mem(a, reg, m, imm_bytes);
}
static inline void asm_ro(struct assembler *a, uint32_t op, unsigned reg, struct asm_operand o, unsigned imm_bytes)
{
    if (o.is_mem)
        asm_rm(a, op, reg, &o.mem, imm_bytes);
    else
        asm_rr(a, op, reg, o.reg);
}

static inline void asm_vex_prefix(struct assembler *a, uint32_t op, unsigned l, unsigned reg, unsigned vvvv, unsigned index,
                                  unsigned base)
{
    asm_reserve(a);
    unsigned pp = op >> 12 & 3, map = op >> 8 & 3, w = op & X86_W ? 1 : 0;
    static const uint8_t vex_pp[4] = {0, 1, 2, 3};
    unsigned last = (~vvvv & 15) << 3 | l << 2 | vex_pp[pp];
    unsigned r = reg < 8 ? 0x80 : 0;
    if (map == X86_MAP_0F && !w && index < 8 && base < 8) {
        asm_u8(a, 0xc5);
        asm_u8(a, r | last);
    } else {
        asm_u8(a, 0xc4);
        asm_u8(a, r | (index < 8 ? 0x40u : 0) | (base < 8 ? 0x20u : 0) | map);
        asm_u8(a, w << 7 | last);
    }
    asm_u8(a, op & 0xff);
}

/** VEX encoding; l: 0 = 128 bits (or scalar), 1 = 256; vvvv: the second source, 0 when the form has none. */
static inline void asm_vex_rr(struct assembler *a, uint32_t op, unsigned l, unsigned reg, unsigned vvvv, unsigned rm)
{
    asm_vex_prefix(a, op, l, reg, vvvv, 0, rm);
    asm_u8(a, 0xc0 | (reg & 7) << 3 | (rm & 7));
}
static inline void asm_vex_rm(struct assembler *a, uint32_t op, unsigned l, unsigned reg, unsigned vvvv,
                              const struct asm_mem *m, unsigned imm_bytes)
{
    asm_vex_prefix(a, op, l, reg, vvvv, m->index == GPR_NONE ? 0 : m->index, m->base == GPR_NONE ? 0 : m->base);
    asm_modrm_mem(a, reg, m, imm_bytes);
}
static inline void asm_vex_ro(struct assembler *a, uint32_t op, unsigned l, unsigned reg, unsigned vvvv,
                              struct asm_operand o, unsigned imm_bytes)
{
    if (o.is_mem)
        asm_vex_rm(a, op, l, reg, vvvv, &o.mem, imm_bytes);
    else
        asm_vex_rr(a, op, l, reg, vvvv, o.reg);
}

#endif

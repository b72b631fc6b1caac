/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Integer instruction forms. `w` selects the operand width: 0 = 32 bits, 1 = 64. Intel operand order: destination first.
 * Source: Intel SDM volume 2.
 */
#ifndef DRAGOMAN_BACKEND_X86_64_ASM_INT_H
#define DRAGOMAN_BACKEND_X86_64_ASM_INT_H

#include "backend/x86_64/asm.h"

#define X86_WIDE(w) ((w) ? X86_W : 0u)

/* The eight classic operations; the value is the /n of the immediate forms and op >> 3 of the others. */
enum alu { ALU_ADD, ALU_OR, ALU_ADC, ALU_SBB, ALU_AND, ALU_SUB, ALU_XOR, ALU_CMP };
enum shift { SHIFT_ROL, SHIFT_ROR, SHIFT_SHL = 4, SHIFT_SHR, SHIFT_SAR = 7 };

/** op dst, src */
static inline void x_alu(struct assembler *a, enum alu op, unsigned w, unsigned dst, struct asm_operand src)
{
    asm_ro(a, X86_OP(X86_MAP_1, X86_NP, op << 3 | 3) | X86_WIDE(w), dst, src, 0);
}
/** op dst, imm32 (sign-extended) */
static inline void x_alu_imm(struct assembler *a, enum alu op, unsigned w, struct asm_operand dst, int32_t imm)
{
    if (imm == (int8_t)imm) {
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x83) | X86_WIDE(w), op, dst, 1);
        asm_u8(a, (uint8_t)imm);
    } else {
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x81) | X86_WIDE(w), op, dst, 4);
        asm_u32(a, (uint32_t)imm);
    }
}
/** op [mem], src; bytes 1, 2, 4, 8 */
static inline void x_alu_mem(struct assembler *a, enum alu op, unsigned bytes, struct asm_mem mem, unsigned src)
{
    asm_rm(a, X86_OP(X86_MAP_1, bytes == 2 ? X86_66 : X86_NP, op << 3 | (bytes == 1 ? 0 : 1)) |
                  X86_WIDE(bytes == 8) | (bytes == 1 ? X86_BYTE : 0), src, &mem, 0);
}
static inline void x_test(struct assembler *a, unsigned w, unsigned x, unsigned y)
{
    asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0x85) | X86_WIDE(w), y, x);
}
static inline void x_test_imm(struct assembler *a, unsigned w, struct asm_operand x, int32_t imm)
{
    asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_WIDE(w), 0, x, 4);
    asm_u32(a, (uint32_t)imm);
}
static inline void x_bt_imm(struct assembler *a, unsigned w, struct asm_operand x, unsigned bit)
{
    asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xba) | X86_WIDE(w), 4, x, 1);
    asm_u8(a, bit);
}
static inline void x_mov(struct assembler *a, unsigned w, unsigned dst, unsigned src)
{
    asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0x8b) | X86_WIDE(w), dst, src);
}
static inline void x_load(struct assembler *a, unsigned w, unsigned dst, struct asm_mem mem)
{
    asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0x8b) | X86_WIDE(w), dst, &mem, 0);
}
/** mov [mem], src; bytes 1, 2, 4, 8 */
static inline void x_store(struct assembler *a, unsigned bytes, struct asm_mem mem, unsigned src)
{
    asm_rm(a, X86_OP(X86_MAP_1, bytes == 2 ? X86_66 : X86_NP, bytes == 1 ? 0x88 : 0x89) | X86_WIDE(bytes == 8) |
                  (bytes == 1 ? X86_BYTE : 0), src, &mem, 0);
}
/** mov [mem], imm; bytes 1, 2, 4, 8 (8: sign-extended imm32) */
static inline void x_store_imm(struct assembler *a, unsigned bytes, struct asm_mem mem, int32_t imm)
{
    asm_rm(a, X86_OP(X86_MAP_1, bytes == 2 ? X86_66 : X86_NP, bytes == 1 ? 0xc6 : 0xc7) | X86_WIDE(bytes == 8), 0, &mem,
           bytes == 8 ? 4 : bytes);
    if (bytes == 1)
        asm_u8(a, (uint8_t)imm);
    else if (bytes == 2) {
        asm_u8(a, (uint8_t)imm);
        asm_u8(a, (uint8_t)(imm >> 8));
    } else
        asm_u32(a, (uint32_t)imm);
}
/** mov dst, imm in its shortest form that leaves the flags alone */
static inline void x_mov_imm(struct assembler *a, unsigned dst, uint64_t imm)
{
    asm_reserve(a);
    unsigned b = dst >> 3;
    if (imm == (uint32_t)imm) {
        if (b)
            asm_u8(a, 0x41);
        asm_u8(a, 0xb8 | (dst & 7));
        asm_u32(a, (uint32_t)imm);
    } else if (imm == (uint64_t)(int64_t)(int32_t)imm) {
        asm_u8(a, 0x48 | b);
        asm_u8(a, 0xc7);
        asm_u8(a, 0xc0 | (dst & 7));
        asm_u32(a, (uint32_t)imm);
    } else {
        asm_u8(a, 0x48 | b);
        asm_u8(a, 0xb8 | (dst & 7));
        asm_u64(a, imm);
    }
}
/** mov dst, imm in a form that does not depend on the value, which is what enum code_note_kind says */
static inline void x_mov_noted(struct assembler *a, unsigned dst, uint64_t imm, unsigned kind)
{
    asm_reserve(a);
    asm_u8(a, 0x48 | dst >> 3);
    asm_u8(a, 0xb8 | (dst & 7));
    asm_note(a, asm_offset(a), kind);
    asm_u64(a, imm);
}
/** dst = address of something in this program */
static inline void x_mov_image(struct assembler *a, unsigned dst, uintptr_t address)
{
    x_mov_noted(a, dst, address, CODE_NOTE_IMAGE);
}
/** movzx/mov r32 (zero-extends to 64 bits); bytes 1, 2, 4 */
static inline void x_zext(struct assembler *a, unsigned bytes, unsigned dst, struct asm_operand src)
{
    if (bytes == 4)
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x8b), dst, src, 0);
    else if (bytes == 2)
        asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xb7), dst, src, 0);
    else
        asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xb6) | (src.is_mem ? 0 : X86_BYTE), dst, src, 0);
}
/** movsx/movsxd; bytes 1, 2, 4 (4 only with w) */
static inline void x_sext(struct assembler *a, unsigned w, unsigned bytes, unsigned dst, struct asm_operand src)
{
    if (bytes == 4)
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x63) | X86_WIDE(w), dst, src, 0);
    else if (bytes == 2)
        asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xbf) | X86_WIDE(w), dst, src, 0);
    else
        asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xbe) | X86_WIDE(w) | (src.is_mem ? 0 : X86_BYTE), dst, src, 0);
}
static inline void x_lea(struct assembler *a, unsigned w, unsigned dst, struct asm_mem mem)
{
    asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0x8d) | X86_WIDE(w), dst, &mem, 0);
}
/** The executable address is near enough to be reached from code that is emitted here. */
static inline bool x_reaches(const struct assembler *a, const void *address)
{
    intptr_t distance = (intptr_t)((uintptr_t)address - ((uintptr_t)a->rx + asm_offset(a)));
    return distance > INT32_MIN + 64 && distance < INT32_MAX - 64;
}
/** ModRM and displacement of the operand at an address that x_reaches(); `imm_bytes` follow. */
static inline void x_modrm_near(struct assembler *a, unsigned reg, const void *address, unsigned imm_bytes)
{
    asm_u8(a, (reg & 7) << 3 | 5);
    asm_note(a, asm_offset(a), CODE_NOTE_NEAR);
    asm_u32(a, (uint32_t)((uintptr_t)address - ((uintptr_t)a->rx + asm_offset(a) + 4 + imm_bytes)));
}
/** dst = address, in as few bytes as possible. */
static inline void x_address(struct assembler *a, unsigned dst, const void *address)
{
    if ((uintptr_t)address <= UINT32_MAX || !x_reaches(a, address)) {
        asm_note(a, asm_offset(a), CODE_NOTE_FIXED);
        x_mov_imm(a, dst, (uintptr_t)address);
        return;
    }
    asm_legacy_prefix(a, X86_OP(X86_MAP_1, X86_NP, 0x8d) | X86_W, dst, 0, 0, false);
    x_modrm_near(a, dst, address, 0);
}
static inline void x_shift_imm(struct assembler *a, enum shift op, unsigned w, unsigned dst, unsigned count)
{
    asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xc1) | X86_WIDE(w), op, dst);
    asm_u8(a, count);
}
static inline void x_shift_cl(struct assembler *a, enum shift op, unsigned w, unsigned dst)
{
    asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xd3) | X86_WIDE(w), op, dst);
}
/** shrd dst, src, count */
static inline void x_shrd(struct assembler *a, unsigned w, unsigned dst, unsigned src, unsigned count)
{
    asm_rr(a, X86_OP(X86_MAP_0F, X86_NP, 0xac) | X86_WIDE(w), src, dst);
    asm_u8(a, count);
}
static inline void x_neg(struct assembler *a, unsigned w, unsigned r) { asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_WIDE(w), 3, r); }
static inline void x_not(struct assembler *a, unsigned w, unsigned r) { asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_WIDE(w), 2, r); }
/** imul dst, src */
static inline void x_imul(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src)
{
    asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0xaf) | X86_WIDE(w), dst, src, 0);
}
static inline void x_imul_imm(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src, int32_t imm)
{
    if (imm == (int8_t)imm) {
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x6b) | X86_WIDE(w), dst, src, 1);
        asm_u8(a, (uint8_t)imm);
    } else {
        asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0x69) | X86_WIDE(w), dst, src, 4);
        asm_u32(a, (uint32_t)imm);
    }
}
/** RDX:RAX = RAX * src, signed */
static inline void x_imul_wide(struct assembler *a, struct asm_operand src)
{
    asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_W, 5, src, 0);
}
static inline void x_div(struct assembler *a, unsigned w, struct asm_operand src) { asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_WIDE(w), 6, src, 0); }
static inline void x_idiv(struct assembler *a, unsigned w, struct asm_operand src) { asm_ro(a, X86_OP(X86_MAP_1, X86_NP, 0xf7) | X86_WIDE(w), 7, src, 0); }
/** cdq / cqo */
static inline void x_cqo(struct assembler *a, unsigned w)
{
    asm_reserve(a);
    if (w)
        asm_u8(a, 0x48);
    asm_u8(a, 0x99);
}
static inline void x_bswap(struct assembler *a, unsigned w, unsigned r)
{
    asm_reserve(a);
    if (w || r >= 8)
        asm_u8(a, 0x40 | (w ? 8 : 0) | r >> 3);
    asm_u8(a, 0x0f);
    asm_u8(a, 0xc8 | (r & 7));
}
static inline void x_lzcnt(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src) { asm_ro(a, X86_OP(X86_MAP_0F, X86_F3, 0xbd) | X86_WIDE(w), dst, src, 0); }
static inline void x_tzcnt(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src) { asm_ro(a, X86_OP(X86_MAP_0F, X86_F3, 0xbc) | X86_WIDE(w), dst, src, 0); }
static inline void x_cmov(struct assembler *a, unsigned cond, unsigned w, unsigned dst, struct asm_operand src)
{
    asm_ro(a, X86_OP(X86_MAP_0F, X86_NP, 0x40 | cond) | X86_WIDE(w), dst, src, 0);
}
static inline void x_setcc(struct assembler *a, unsigned cond, unsigned dst)
{
    asm_rr(a, X86_OP(X86_MAP_0F, X86_NP, 0x90 | cond) | X86_BYTE, 0, dst);
}
/** andn dst, x, y: dst = ~x & y */
static inline void x_andn(struct assembler *a, unsigned w, unsigned dst, unsigned x, struct asm_operand y)
{
    asm_vex_ro(a, X86_OP(X86_MAP_0F38, X86_NP, 0xf2) | X86_WIDE(w), 0, dst, x, y, 0);
}
/** shlx, shrx, sarx dst, src, count */
static inline void x_shlx(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src, unsigned count) { asm_vex_ro(a, X86_OP(X86_MAP_0F38, X86_66, 0xf7) | X86_WIDE(w), 0, dst, count, src, 0); }
static inline void x_shrx(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src, unsigned count) { asm_vex_ro(a, X86_OP(X86_MAP_0F38, X86_F2, 0xf7) | X86_WIDE(w), 0, dst, count, src, 0); }
static inline void x_sarx(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src, unsigned count) { asm_vex_ro(a, X86_OP(X86_MAP_0F38, X86_F3, 0xf7) | X86_WIDE(w), 0, dst, count, src, 0); }
static inline void x_rorx(struct assembler *a, unsigned w, unsigned dst, struct asm_operand src, unsigned count)
{
    asm_vex_ro(a, X86_OP(X86_MAP_0F3A, X86_F2, 0xf0) | X86_WIDE(w), 0, dst, 0, src, 1);
    asm_u8(a, count);
}
/** mulx high, low, src: high:low = RDX * src, unsigned */
static inline void x_mulx(struct assembler *a, unsigned high, unsigned low, struct asm_operand src)
{
    asm_vex_ro(a, X86_OP(X86_MAP_0F38, X86_F2, 0xf6) | X86_W, 0, high, low, src, 0);
}
/** crc32 dst, src; bytes 1, 2, 4, 8 */
static inline void x_crc32(struct assembler *a, unsigned bytes, unsigned dst, struct asm_operand src)
{
    if (bytes == 2) /* 66 F2 0F 38 F1: two legacy prefixes */
        asm_reserve(a), asm_u8(a, 0x66);
    asm_ro(a, X86_OP(X86_MAP_0F38, X86_F2, bytes == 1 ? 0xf0 : 0xf1) | X86_WIDE(bytes == 8) |
                  (bytes == 1 && !src.is_mem ? X86_BYTE : 0), dst, src, 0);
}
static inline void x_lahf(struct assembler *a) { asm_reserve(a); asm_u8(a, 0x9f); }
static inline void x_sahf(struct assembler *a) { asm_reserve(a); asm_u8(a, 0x9e); }
static inline void x_cmc(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xf5); }
static inline void x_stc(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xf9); }
/** add al, imm8 */
static inline void x_add_al(struct assembler *a, unsigned imm) { asm_reserve(a); asm_u8(a, 0x04); asm_u8(a, imm); }
static inline void x_lock(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xf0); }
/** xchg, xadd, cmpxchg [mem], src; bytes 1, 2, 4, 8 (LOCK is the caller's but for xchg, which implies it) */
static inline void x_xchg(struct assembler *a, unsigned bytes, struct asm_mem mem, unsigned src)
{
    asm_rm(a, X86_OP(X86_MAP_1, bytes == 2 ? X86_66 : X86_NP, bytes == 1 ? 0x86 : 0x87) | X86_WIDE(bytes == 8) |
                  (bytes == 1 ? X86_BYTE : 0), src, &mem, 0);
}
static inline void x_xadd(struct assembler *a, unsigned bytes, struct asm_mem mem, unsigned src)
{
    asm_rm(a, X86_OP(X86_MAP_0F, bytes == 2 ? X86_66 : X86_NP, bytes == 1 ? 0xc0 : 0xc1) | X86_WIDE(bytes == 8) |
                  (bytes == 1 ? X86_BYTE : 0), src, &mem, 0);
}
static inline void x_cmpxchg(struct assembler *a, unsigned bytes, struct asm_mem mem, unsigned src)
{
    asm_rm(a, X86_OP(X86_MAP_0F, bytes == 2 ? X86_66 : X86_NP, bytes == 1 ? 0xb0 : 0xb1) | X86_WIDE(bytes == 8) |
                  (bytes == 1 ? X86_BYTE : 0), src, &mem, 0);
}
static inline void x_cmpxchg16b(struct assembler *a, struct asm_mem mem)
{
    asm_rm(a, X86_OP(X86_MAP_0F, X86_NP, 0xc7) | X86_W, 1, &mem, 0);
}
static inline void x_push(struct assembler *a, unsigned r)
{
    asm_reserve(a);
    if (r >= 8)
        asm_u8(a, 0x41);
    asm_u8(a, 0x50 | (r & 7));
}
static inline void x_pop(struct assembler *a, unsigned r)
{
    asm_reserve(a);
    if (r >= 8)
        asm_u8(a, 0x41);
    asm_u8(a, 0x58 | (r & 7));
}
static inline void x_push_imm(struct assembler *a, int32_t imm) { asm_reserve(a); asm_u8(a, 0x68); asm_u32(a, (uint32_t)imm); }
static inline void x_ret(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xc3); }
static inline void x_jmp_mem(struct assembler *a, struct asm_mem mem) { asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0xff), 4, &mem, 0); }
static inline void x_call_mem(struct assembler *a, struct asm_mem mem) { asm_rm(a, X86_OP(X86_MAP_1, X86_NP, 0xff), 2, &mem, 0); }
static inline void x_jmp_reg(struct assembler *a, unsigned r) { asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xff), 4, r); }
static inline void x_call_reg(struct assembler *a, unsigned r) { asm_rr(a, X86_OP(X86_MAP_1, X86_NP, 0xff), 2, r); }
static inline void x_ldmxcsr(struct assembler *a, struct asm_mem mem) { asm_rm(a, X86_OP(X86_MAP_0F, X86_NP, 0xae), 2, &mem, 0); }
static inline void x_stmxcsr(struct assembler *a, struct asm_mem mem) { asm_rm(a, X86_OP(X86_MAP_0F, X86_NP, 0xae), 3, &mem, 0); }

/** jmp rel32, jcc rel32, call rel32 with displacement 0; return the offset just behind, for asm_patch(). */
static inline uint32_t x_jmp(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xe9); asm_u32(a, 0); return asm_offset(a); }
static inline uint32_t x_call(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xe8); asm_u32(a, 0); return asm_offset(a); }
static inline uint32_t x_jcc(struct assembler *a, unsigned cond)
{
    asm_reserve(a);
    asm_u8(a, 0x0f);
    asm_u8(a, 0x80 | cond);
    asm_u32(a, 0);
    return asm_offset(a);
}
/** jcc rel8, jmp rel8 with displacement 0; return the offset just behind, for asm_patch8(). */
static inline uint32_t x_jcc8(struct assembler *a, unsigned cond) { asm_reserve(a); asm_u8(a, 0x70 | cond); asm_u8(a, 0); return asm_offset(a); }
static inline uint32_t x_jmp8(struct assembler *a) { asm_reserve(a); asm_u8(a, 0xeb); asm_u8(a, 0); return asm_offset(a); }

/** Makes the rel32 that ends at `from` lead to offset `to`. */
static inline void asm_patch(struct assembler *a, uint32_t from, uint32_t to)
{
    if (a->overflow)
        return;
    uint32_t rel = to - from;
    memcpy(a->start + from - 4, &rel, 4);
}
static inline void asm_patch8(struct assembler *a, uint32_t from)
{
    if (!a->overflow)
        a->start[from - 1] = (uint8_t)(asm_offset(a) - from);
}
/** Makes the rel32 that ends at `from` lead to a fixed executable address. */
static inline void asm_patch_to(struct assembler *a, uint32_t from, const uint8_t *target)
{
    if (a->overflow)
        return;
    asm_note(a, from - 4, CODE_NOTE_NEAR);
    int32_t rel = (int32_t)(target - (a->rx + from));
    memcpy(a->start + from - 4, &rel, 4);
}

#endif

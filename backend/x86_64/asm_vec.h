/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VEX instruction forms by their mnemonics, 128 bits or scalar: `vaddsd(a, dst, src1, src2)` with the operand that
 * may be memory as a struct asm_operand, operands in Intel's order. The rows are in asm_vec.inc; each also defines
 * its opcode word, X86_vaddsd, for tables that choose one by lane size, and for the 256-bit form: X86_vaddps | X86_L. VEX
 * memory operands need no alignment (but vmovaps').
 */
#ifndef DRAGOMAN_BACKEND_X86_64_ASM_VEC_H
#define DRAGOMAN_BACKEND_X86_64_ASM_VEC_H

#include "backend/x86_64/asm.h"

enum {
#define VEX_OPCODE(name, map, prefix, byte) X86_##name = X86_OP(X86_MAP_##map, X86_##prefix, byte),
#define RVM(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define RVM_W(name, map, prefix, byte) X86_##name = X86_OP(X86_MAP_##map, X86_##prefix, byte) | X86_W,
#define RVMI(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define RM(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define RMI(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define MR(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define VMI(name, map, prefix, byte, digit) VEX_OPCODE(name, map, prefix, byte)
#define RVMR(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define G_RM(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define RVM_G(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define SSE_RM(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#define SSE_RMI(name, map, prefix, byte) VEX_OPCODE(name, map, prefix, byte)
#include "backend/x86_64/asm_vec.inc"
#undef VEX_OPCODE
#undef RVM
#undef RVM_W
#undef RVMI
#undef RM
#undef RMI
#undef MR
#undef VMI
#undef RVMR
#undef G_RM
#undef RVM_G
#undef SSE_RM
#undef SSE_RMI
};

/* The forms as functions of the opcode word. */
static inline unsigned vex_length(uint32_t op) { return op & X86_L ? 1 : 0; }
static inline void vex_rvm(struct assembler *a, uint32_t op, unsigned dst, unsigned x, struct asm_operand y)
{
    asm_vex_ro(a, op, vex_length(op), dst, x, y, 0);
}
static inline void vex_rvmi(struct assembler *a, uint32_t op, unsigned dst, unsigned x, struct asm_operand y,
                            unsigned imm)
{
    asm_vex_ro(a, op, vex_length(op), dst, x, y, 1);
    asm_u8(a, imm);
}
static inline void vex_rm(struct assembler *a, uint32_t op, unsigned dst, struct asm_operand x)
{
    asm_vex_ro(a, op, vex_length(op), dst, 0, x, 0);
}
static inline void vex_rmi(struct assembler *a, uint32_t op, unsigned dst, struct asm_operand x, unsigned imm)
{
    asm_vex_ro(a, op, vex_length(op), dst, 0, x, 1);
    asm_u8(a, imm);
}
static inline void vex_vmi(struct assembler *a, uint32_t op, unsigned digit, unsigned dst, unsigned x, unsigned imm)
{
    asm_vex_rr(a, op, vex_length(op), digit, dst, x);
    asm_u8(a, imm);
}
static inline void vex_rvmr(struct assembler *a, uint32_t op, unsigned dst, unsigned x, struct asm_operand y,
                            unsigned mask)
{
    asm_vex_ro(a, op, vex_length(op), dst, x, y, 1);
    asm_u8(a, mask << 4);
}

#define RVM(name, map, prefix, byte)                                                                        \
    static inline void name(struct assembler *a, unsigned dst, unsigned x, struct asm_operand y)            \
    {                                                                                                       \
        vex_rvm(a, X86_##name, dst, x, y);                                                                  \
    }
#define RVM_W(name, map, prefix, byte) RVM(name, map, prefix, byte)
#define RVMI(name, map, prefix, byte)                                                                           \
    static inline void name(struct assembler *a, unsigned dst, unsigned x, struct asm_operand y, unsigned imm)  \
    {                                                                                                           \
        vex_rvmi(a, X86_##name, dst, x, y, imm);                                                                \
    }
#define RM(name, map, prefix, byte)                                                                         \
    static inline void name(struct assembler *a, unsigned dst, struct asm_operand x)                        \
    {                                                                                                       \
        vex_rm(a, X86_##name, dst, x);                                                                      \
    }
#define RMI(name, map, prefix, byte)                                                                        \
    static inline void name(struct assembler *a, unsigned dst, struct asm_operand x, unsigned imm)          \
    {                                                                                                       \
        vex_rmi(a, X86_##name, dst, x, imm);                                                                \
    }
#define MR(name, map, prefix, byte)                                                                         \
    static inline void name(struct assembler *a, struct asm_mem dst, unsigned x)                            \
    {                                                                                                       \
        vex_rm(a, X86_##name, x, asm_at(dst));                                                              \
    }
#define VMI(name, map, prefix, byte, digit)                                                                 \
    static inline void name(struct assembler *a, unsigned dst, unsigned x, unsigned imm)                    \
    {                                                                                                       \
        vex_vmi(a, X86_##name, digit, dst, x, imm);                                                         \
    }
#define RVMR(name, map, prefix, byte)                                                                           \
    static inline void name(struct assembler *a, unsigned dst, unsigned x, struct asm_operand y, unsigned mask) \
    {                                                                                                           \
        vex_rvmr(a, X86_##name, dst, x, y, mask);                                                               \
    }
#define G_RM(name, map, prefix, byte)                                                                       \
    static inline void name(struct assembler *a, unsigned w, unsigned dst, struct asm_operand x)            \
    {                                                                                                       \
        vex_rm(a, (uint32_t)X86_##name | (w ? X86_W : 0), dst, x);                                          \
    }
#define SSE_RM(name, map, prefix, byte)                                                                     \
    static inline void name(struct assembler *a, unsigned dst, unsigned x)                                  \
    {                                                                                                       \
        asm_rr(a, X86_##name, dst, x);                                                                      \
    }
#define SSE_RMI(name, map, prefix, byte)                                                                    \
    static inline void name(struct assembler *a, unsigned dst, unsigned x, unsigned imm)                    \
    {                                                                                                       \
        asm_rr(a, X86_##name, dst, x);                                                                      \
        asm_u8(a, imm);                                                                                     \
    }
#define RVM_G(name, map, prefix, byte)                                                                              \
    static inline void name(struct assembler *a, unsigned w, unsigned dst, unsigned x, struct asm_operand y)        \
    {                                                                                                               \
        vex_rvm(a, (uint32_t)X86_##name | (w ? X86_W : 0), dst, x, y);                                              \
    }
#include "backend/x86_64/asm_vec.inc"
#undef RVM
#undef RVM_W
#undef RVMI
#undef RM
#undef RMI
#undef MR
#undef VMI
#undef RVMR
#undef G_RM
#undef RVM_G
#undef SSE_RM
#undef SSE_RMI

/* Between XMM and general registers; the general register or memory operand is the struct asm_operand. */

/** vmovd, vmovq xmm, r/m (w: 64 bits); the rest of xmm becomes zero */
static inline void vmov_from_gpr(struct assembler *a, unsigned w, unsigned dst, struct asm_operand x)
{
    vex_rm(a, X86_OP(X86_MAP_0F, X86_66, 0x6e) | (w ? X86_W : 0), dst, x);
}
/** vmovd, vmovq r/m, xmm */
/** gpr = the lanes' sign bits; lanes of 8 or 4 bytes. */
static inline void vmovmsk(struct assembler *a, unsigned bytes, unsigned gpr, unsigned xmm)
{
    asm_vex_rr(a, X86_OP(X86_MAP_0F, bytes == 8 ? X86_66 : X86_NP, 0x50), 0, gpr, 0, xmm);
}
static inline void vmov_to_gpr(struct assembler *a, unsigned w, struct asm_operand dst, unsigned x)
{
    vex_rm(a, X86_OP(X86_MAP_0F, X86_66, 0x7e) | (w ? X86_W : 0), x, dst);
}
/** vpextrb, w, d, q r/m, xmm, lane; bytes 1, 2, 4, 8; a register is zero-extended */
static inline void vpextr(struct assembler *a, unsigned bytes, struct asm_operand dst, unsigned x, unsigned lane)
{
    unsigned byte = bytes == 1 ? 0x14 : bytes == 2 ? 0x15 : 0x16;
    vex_rmi(a, X86_OP(X86_MAP_0F3A, X86_66, byte) | (bytes == 8 ? X86_W : 0), x, dst, lane);
}
/** vpinsrb, w, d, q dst, x, r/m, lane */
static inline void vpinsr(struct assembler *a, unsigned bytes, unsigned dst, unsigned x, struct asm_operand y,
                          unsigned lane)
{
    uint32_t op = bytes == 1 ? X86_OP(X86_MAP_0F3A, X86_66, 0x20)
                : bytes == 2 ? X86_OP(X86_MAP_0F, X86_66, 0xc4)
                             : X86_OP(X86_MAP_0F3A, X86_66, 0x22) | (bytes == 8 ? X86_W : 0);
    vex_rvmi(a, op, dst, x, y, lane);
}

/* What has its destination in the r/m position, and an immediate; with X86_L the source has 256 bits. */

/** vcvtps2ph xmm/m64 (X86_L: xmm/m128), x; imm: bits 1:0 rounding as in MXCSR, bit 2: by MXCSR */
static inline void vcvtps2ph(struct assembler *a, uint32_t length, struct asm_operand dst, unsigned x, unsigned imm)
{
    vex_rmi(a, X86_OP(X86_MAP_0F3A, X86_66, 0x1d) | length, x, dst, imm);
}
/** vextracti128 xmm, ymm, 1 */
static inline void vextract_high(struct assembler *a, unsigned dst, unsigned x)
{
    vex_rmi(a, X86_OP(X86_MAP_0F3A, X86_66, 0x39) | X86_L, x, asm_reg(dst), 1);
}
/** Clears the upper halves of all registers: legacy SSE instructions are slow while they are in use. */
static inline void vzeroupper(struct assembler *a)
{
    asm_vex_prefix(a, X86_OP(X86_MAP_0F, X86_NP, 0x77), 0, 0, 0, 0, 0);
}

#endif

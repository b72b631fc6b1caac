/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the A64 translate functions share. One looks like this, with the manual's field names as accessors:
 *
 *   INSN(ADD_imm, "sf 0 0 100010 sh imm12:12 Rn:5 Rd:5", BASE, ADD_imm)
 *
 *   void a64_ADD_imm(struct a64_translate *t)
 *   {
 *       ir_ref operand = reg_imm(t, imm12(t) << (sh(t) ? 12 : 0));
 *       put_reg_sp(t, Rd(t), b_add(t->b, get_reg_sp(t, Rn(t)), operand));
 *   }
 *
 * Rules: memory accesses come before the puts of the same instruction, so that a fault leaves the registers as they
 * were. A function that does not end the block just returns; the caller moves to the next instruction. One that does
 * calls one of builder_jump() … builder_trap(). Fields are at the positions given in A64_FIELDS below; every row that
 * has a field of that name must have it there (tests/test_a64_decode.c looks). A name that the manual uses at two
 * places has two accessors, the second with a suffix.
 */
#ifndef DRAGOMAN_FRONTEND_A64_TRANSLATE_H
#define DRAGOMAN_FRONTEND_A64_TRANSLATE_H

#include "frontend/a64/cpu.h"
#include "frontend/a64/decode.h"
#include "translator/builder.h"

struct a64_translate {
    struct builder *b;
    uint32_t word;
    const struct a64_row *row;
    bool sp_put; /* SP received a value that may not be a multiple of 16 */
};

/* clang-format off */
#define A64_FIELDS(F) \
    /* registers */ \
    F(Rd, 0, 5) F(Rt, 0, 5) F(Rn, 5, 5) F(Rm, 16, 5) F(Ra, 10, 5) F(Rt2, 10, 5) F(Rs, 16, 5) \
    /* immediates */ \
    F(imm12, 10, 12) F(imm16, 5, 16) F(imm26, 0, 26) F(imm19, 5, 19) F(imm14, 5, 14) F(imm9, 12, 9) F(imm7, 15, 7) \
    F(imm6, 10, 6) F(imm3, 10, 3) F(immr, 16, 6) F(imms, 10, 6) F(immlo, 29, 2) F(immhi, 5, 19) F(hw, 21, 2) \
    F(imm8, 13, 8) F(imm5, 16, 5) F(imm4, 11, 4) F(immh, 19, 4) F(immb, 16, 3) F(scale, 10, 6) \
    F(mask, 0, 4) \
    /* opcodes */ \
    F(sf, 31, 1) F(sh, 22, 1) F(ldst_size, 30, 2) F(ldst_opc, 22, 2) F(N, 22, 1) F(shift, 22, 2) \
    F(option, 13, 3) F(S, 12, 1) F(cond, 12, 4) F(branch_cond, 0, 4) F(nzcv, 0, 4) F(b5, 31, 1) F(b40, 19, 5) \
    F(V, 26, 1) F(L_ldst, 22, 1) F(A, 23, 1) F(R, 22, 1) F(o0, 15, 1) F(sz, 22, 1) F(cas_sz, 30, 1) F(crc_sz, 10, 2) \
    F(op1, 16, 3) F(CRn, 12, 4) F(CRm, 8, 4) F(op2, 5, 3) F(rmif_imm6, 15, 6) \
    /* floating point and AdvSIMD */ \
    F(Q, 30, 1) F(U, 29, 1) F(size, 22, 2) F(ftype, 22, 2) F(a, 23, 1) \
    F(op, 29, 1) F(cmode, 12, 4) F(abc, 16, 3) F(defgh, 5, 5) F(L, 21, 1) F(M, 20, 1) F(H, 11, 1) F(rot, 11, 2) \
    F(rot_elem, 13, 2) F(rot_add, 12, 1) F(len, 13, 2) F(imm2, 12, 2) F(Rm4, 16, 4) F(elem_size, 10, 2) F(opcode2, 12, 4) \
    /* pointer authentication, memory copy, minimum and maximum, tags */ \
    F(pac_key, 10, 2) F(key_b, 10, 1) F(Rm_low, 0, 5) F(S_ldra, 22, 1) F(W_ldra, 11, 1) F(mops_options, 12, 4) \
    F(minmax_imm8, 10, 8) F(tag_uimm6, 16, 6) F(tag_uimm4, 10, 4)
/* clang-format on */

#define F(name, low, width) \
    static inline uint32_t name(const struct a64_translate *t) { return t->word >> (low) & ((1u << (width)) - 1); }
A64_FIELDS(F)
#undef F

/** value's low `width` bits as a signed number. */
static inline int64_t sign_extend(uint64_t value, unsigned width)
{
    return (int64_t)(value << (64 - width)) >> (64 - width);
}

/* ---- general registers: number 31 is zero (get_x …) or SP (…_sp) ------------------------------------------------- */

static inline ir_ref get_x(struct a64_translate *t, unsigned n)
{
    return n == 31 ? b_i64(t->b, 0) : builder_get(t->b, A64_X0 + n);
}
static inline ir_ref get_x_sp(struct a64_translate *t, unsigned n)
{
    return builder_get(t->b, A64_X0 + n); /* A64_SP == 31 */
}
static inline ir_ref get_w(struct a64_translate *t, unsigned n)
{
    return n == 31 ? b_i32(t->b, 0) : b_trunc(t->b, builder_get(t->b, A64_X0 + n));
}
static inline void put_x(struct a64_translate *t, unsigned n, ir_ref value)
{
    if (n != 31)
        builder_put(t->b, A64_X0 + n, value);
}
static inline void put_x_sp(struct a64_translate *t, unsigned n, ir_ref value)
{
    t->sp_put |= n == 31;
    builder_put(t->b, A64_X0 + n, value);
}
/** … when `value` is what the register held plus `step` (or any multiple of 16 with step 0). */
static inline void put_sp_stepped(struct a64_translate *t, unsigned n, ir_ref value, int64_t step)
{
    t->sp_put |= n == 31 && step % 16 != 0;
    builder_put(t->b, A64_X0 + n, value);
}
static inline void put_w(struct a64_translate *t, unsigned n, ir_ref value)
{
    put_x(t, n, b_zext(t->b, IR_I64, 4, value));
}

/* … as wide as bit 31 (sf) says: i64 for X, i32 for W. */
static inline enum ir_type reg_type(const struct a64_translate *t) { return sf(t) ? IR_I64 : IR_I32; }
static inline ir_ref reg_imm(struct a64_translate *t, uint64_t value)
{
    return builder_const(t->b, reg_type(t), sf(t) ? value : (uint32_t)value);
}
static inline ir_ref get_reg(struct a64_translate *t, unsigned n) { return sf(t) ? get_x(t, n) : get_w(t, n); }
static inline ir_ref get_reg_sp(struct a64_translate *t, unsigned n)
{
    return sf(t) ? get_x_sp(t, n) : b_trunc(t->b, get_x_sp(t, n));
}
static inline void put_reg(struct a64_translate *t, unsigned n, ir_ref value)
{
    if (sf(t))
        put_x(t, n, value);
    else
        put_w(t, n, value);
}
static inline void put_reg_sp(struct a64_translate *t, unsigned n, ir_ref value)
{
    put_x_sp(t, n, sf(t) ? value : b_zext(t->b, IR_I64, 4, value));
}

/* ---- vector registers -------------------------------------------------------------------------------------------- */

static inline ir_ref get_v(struct a64_translate *t, unsigned n) { return builder_get(t->b, A64_V0 + n); }
static inline void put_v(struct a64_translate *t, unsigned n, ir_ref value) { builder_put(t->b, A64_V0 + n, value); }
/** The low bits as a scalar. */
static inline ir_ref get_s(struct a64_translate *t, unsigned n) { return b_vlow(t->b, IR_F32, get_v(t, n)); }
static inline ir_ref get_d(struct a64_translate *t, unsigned n) { return b_vlow(t->b, IR_F64, get_v(t, n)); }
/** A scalar f32 or f64; the rest of the register becomes zero. */
static inline void put_f(struct a64_translate *t, unsigned n, ir_ref value) { put_v(t, n, b_vzext(t->b, value)); }
/** An integer's low 1, 2, 4 or 8 bytes (i64 for 8, else i32), the rest of the register zero. */
static inline ir_ref v_from_int(struct a64_translate *t, unsigned bytes, ir_ref value)
{
    if (bytes == 8)
        return b_vzext(t->b, b_bitcast(t->b, IR_F64, value));
    if (bytes < 4)
        value = b_zext(t->b, IR_I32, bytes, value);
    return b_vzext(t->b, b_bitcast(t->b, IR_F32, value));
}

/* ---- flags ------------------------------------------------------------------------------------------------------- */

static inline ir_ref get_nzcv(struct a64_translate *t) { return builder_get(t->b, A64_NZCV); }
static inline void put_nzcv(struct a64_translate *t, ir_ref flags) { builder_put(t->b, A64_NZCV, flags); }
/** ConditionHolds(cond) as an i32 that is 0 or 1. The manual's codes are enum ir_flag_cond; 14 and 15 are "always". */
static inline ir_ref condition(struct a64_translate *t, unsigned code)
{
    return code >= 14 ? b_i32(t->b, 1) : b_cond(t->b, (enum ir_flag_cond)code, get_nzcv(t));
}
/** The packed word for NZCV given as four bits. */
static inline uint32_t pack_nzcv(unsigned bits)
{
    return (bits & 8 ? IR_FLAG_N : 0) | (bits & 4 ? IR_FLAG_Z : 0) | (bits & 2 ? 0 : IR_FLAG_NOT_C) |
           (bits & 1 ? IR_FLAG_V : 0);
}

/* ---- addresses ------------------------------------------------------------------------------------------------------ */

/** The address without its tag (Arm ARM, D8.8.1 "Address tagging"), where tags are in use: zeros instead, because user
    space has bit 55 clear. */
static inline ir_ref address_of(struct a64_translate *t, ir_ref address)
{
    if (!(t->b->key & A64_KEY_TAGGED))
        return address;
    return b_and(t->b, address, b_i64(t->b, (UINT64_C(1) << 56) - 1));
}
/** Rn as the base of an access. */
static inline ir_ref base_address(struct a64_translate *t) { return address_of(t, get_x_sp(t, Rn(t))); }

/**
 * Rn as the base of an access of so many bytes at base + offset that is one for other observers. With FEAT_LSE2 that
 * is so anywhere within 16 aligned bytes, without it only where aligned; elsewhere the access faults (Arm ARM, B2.2.1.1
 * and B2.5.2).
 */
ir_ref atomic_address(struct a64_translate *t, unsigned bytes, int64_t offset);
/** The same where it has to be aligned, FEAT_LSE2 or not. */
ir_ref aligned_address(struct a64_translate *t, unsigned bytes);

/** Two registers as one value of 8 bytes (two words, an i64) or 16 (a v128), and back. */
ir_ref pair_get(struct a64_translate *t, unsigned bytes, unsigned low, unsigned high);
void pair_put(struct a64_translate *t, unsigned bytes, unsigned low, unsigned high, ir_ref value);

/* ---- branches that depend on a condition: B.cond, CBZ, CBNZ, TBZ, TBNZ -------------------------------------------- */

bool is_conditional_branch(uint32_t word);
/** Whether it is taken, and where to. */
ir_ref branch_condition(struct a64_translate *t, uint64_t *target);

/* ---- the rest ---------------------------------------------------------------------------------------------------- */

static inline bool has_feature(const struct a64_translate *t, enum a64_feature feature)
{
    return ((const struct a64_cpu *)t->b->cpu)->features >> feature & 1;
}
/** PSTATE.BTYPE after this branch to register n (see enum a64_branch_kind); to be called before its end function. */
void set_branch_kind(struct a64_translate *t, unsigned n, bool link);
/** Floating point must follow FPCR.FZ, DN, FZ16, AHP exactly: call helpers instead of emitting F operations. */
static inline bool fp_exact(const struct a64_translate *t) { return t->b->key & A64_KEY_FP_EXACT; }

/** Ends the block: the word is unallocated. */
static inline void undefined(struct a64_translate *t) { builder_trap(t->b, TRAP_UNDEFINED, t->b->pc, 0); }

/** A helper of a64_helpers.inc or a64_simd_helpers.inc: CALL_HELPER(t, read_fpsr, a0, …) */
#define CALL_HELPER(t, name, ...) \
    CALL_HELPER_((t)->b, &a64_helper_##name __VA_OPT__(, ) __VA_ARGS__, IR_NONE, IR_NONE, IR_NONE, IR_NONE)
#define CALL_HELPER_(b, helper, a0, a1, a2, a3, ...) builder_call(b, helper, a0, a1, a2, a3)

#define HELPER(name, flags, result, ...) extern const struct ir_helper a64_helper_##name;
#include "frontend/a64/a64_helpers.inc"
#include "frontend/a64/a64_simd_helpers.inc"
#undef HELPER

#define INSN(name, pattern, feature, function) void a64_##function(struct a64_translate *t);
#define NONE(name, pattern, feature)
#include "frontend/a64/a64.inc"
#undef INSN
#undef NONE

/** The features that the floating-point and AdvSIMD rows bring (mask of 1 << enum a64_feature), for
    a64_features_supported(). */
uint64_t a64_simd_features(void);

#endif

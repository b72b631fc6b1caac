/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the files that emit floating point and vectors share (emit_fp.c, emit_vec*.c, fp_fixup.c).
 *
 * Rule for every sequence here: intermediate results live in XT0..XT2 (T0, T1), and the destination, which may be the
 * register of a source, is written by the last instruction.
 */
#ifndef DRAGOMAN_BACKEND_X86_64_EMIT_VEC_H
#define DRAGOMAN_BACKEND_X86_64_EMIT_VEC_H

#include "backend/x86_64/asm_int.h"
#include "backend/x86_64/asm_vec.h"
#include "backend/x86_64/emit.h"
#include "backend/x86_64/emit_parts.h"

static inline unsigned arg_xmm(struct emit *e, ir_ref ref, unsigned k, unsigned temp)
{
    return emit_xmm(e, emit_insn(e, ref)->arg[k], temp);
}
static inline struct asm_operand arg_operand(struct emit *e, ir_ref ref, unsigned k)
{
    return emit_operand(e, emit_insn(e, ref)->arg[k]);
}
/** True when the value is in a register, not in memory or a constant. */
static inline bool in_register(const struct emit *e, ir_ref v) { return e->values[emit_root(e, v)].place == PLACE_REG; }
static inline unsigned lane_log2(unsigned bytes) { return bytes ? (unsigned)__builtin_ctz(bytes) : 0; }
static inline unsigned xmm_dst(struct emit *e, ir_ref ref) { return emit_dst(e, ref, XT0); }

/** `lane` repeated in all lanes of `bytes` bytes, as 64 bits. */
static inline uint64_t splat(unsigned bytes, uint64_t lane)
{
    switch (bytes) {
    case 1:
        return (lane & 0xff) * UINT64_C(0x0101010101010101);
    case 2:
        return (lane & 0xffff) * UINT64_C(0x0001000100010001);
    case 4:
        return (lane & 0xffffffff) * UINT64_C(0x0000000100000001);
    default:
        return lane;
    }
}
/** A constant pool operand with `lane` in all lanes. */
static inline struct asm_operand pool_splat(struct emit *e, unsigned bytes, uint64_t lane)
{
    uint64_t bits = splat(bytes, lane);
    return emit_pool_operand(e, bits, bits);
}
static inline void load_splat(struct emit *e, unsigned xmm, unsigned bytes, uint64_t lane)
{
    vmovaps(&e->as, xmm, pool_splat(e, bytes, lane));
}
static inline void set_zero(struct emit *e, unsigned xmm) { vpxor(&e->as, xmm, xmm, asm_reg(xmm)); }
static inline void set_ones(struct emit *e, unsigned xmm) { vpcmpeqd(&e->as, xmm, xmm, asm_reg(xmm)); }

/* ---- kinds of floating-point instructions ---------------------------------------------------------------------- */

enum fp_kind { FP_SS, FP_SD, FP_PS, FP_PD, FP_KINDS };
typedef uint32_t fp_opcodes[FP_KINDS];

static inline enum fp_kind fp_kind(const struct ir_insn *insn)
{
    if (insn->type == IR_V128)
        return insn->size == 8 ? FP_PD : FP_PS;
    return insn->type == IR_F64 ? FP_SD : FP_SS;
}
static inline unsigned fp_bytes(enum fp_kind kind) { return kind & 1 ? 8 : 4; }
static inline bool fp_is_vector(enum fp_kind kind) { return kind >= FP_PS; }

#define FP_SIGN(bytes) ((bytes) == 8 ? UINT64_C(1) << 63 : UINT64_C(0x80000000))
#define FP_ABS(bytes) (FP_SIGN(bytes) - 1)
#define FP_SMALLEST(bytes) ((bytes) == 8 ? UINT64_C(1) << 52 : UINT64_C(1) << 23) /* normal number */

/* Predicates of vcmpps (Intel SDM, CMPPD). Q: quiet NaNs raise nothing. */
enum { CMP_EQ_OQ = 0x00, CMP_UNORD_Q = 0x03, CMP_NE_UQ = 0x04, CMP_ORD_Q = 0x07, CMP_EQ_UQ = 0x08 };
enum { CMP_GE_OS = 0x0d, CMP_GT_OS = 0x0e, CMP_GE_OQ = 0x1d };

/* emit_fp.c */
/** A register to compute the result of `ref` in that holds none of its arguments, so that they are still there for
    the exact path; emit_done() moves it to its place. */
unsigned fp_result(struct emit *e, ir_ref ref);
/** The instruction at `offset` has been emitted just now: if it traps because the operation is invalid, the exact
    path computes `ref` into `result` instead. The operands are in their places then: it has written nothing. */
void fp_trap(struct emit *e, ir_ref ref, uint32_t offset, unsigned result);
/** True for operations whose result can be tiny before it is rounded, and not after. */
bool fp_can_be_tiny(const struct emit *e, ir_ref ref);
/** The operation of two operands, the first in a register; `commutes`: they may be exchanged. Returns its offset. */
uint32_t fp_binary(struct emit *e, ir_ref ref, uint32_t opcode, unsigned dst, bool commutes);
/** dst = a * b + c for FMA and VFMA, NaN rules apart. */
void fp_fma(struct emit *e, ir_ref ref, uint32_t opcode, unsigned dst);
/** vround…: from register x. ROUND_QUIET in `imm`: does not raise inexact. */
enum { ROUND_QUIET = 8 };
void fp_vround(struct emit *e, enum fp_kind kind, unsigned dst, unsigned x, unsigned imm);
/** The immediate of vround… for a rounding mode other than IR_ROUND_AWAY. */
unsigned fp_round_imm(enum ir_round round);
/** dst = x rounded to integral, ties away from zero, raising nothing but invalid for signaling NaNs. x may be XT2,
    not XT0 or XT1; dst may be any. */
void fp_round_away(struct emit *e, enum fp_kind kind, unsigned dst, unsigned x);
/** FRINT, VFRINT */
void fp_rint(struct emit *e, ir_ref ref);
/** FNEG, FABS, VFNEG, VFABS */
void fp_sign(struct emit *e, ir_ref ref);

/* emit_fp_convert.c */
void fp_from_integer(struct emit *e, ir_ref ref); /* SITOF, UITOF */
void fp_to_integer(struct emit *e, ir_ref ref);   /* FTOSI, FTOUI */

/* emit_fp_step.c */
void fp_to_fixed(struct emit *e, ir_ref ref);      /* FTOSI, FTOUI with bits of fraction */
void fp_to_javascript(struct emit *e, ir_ref ref); /* FTOJS */

/* fp_fixup.c */
/** How a C function is called through backend->fp_thunk: on the operands in scratch[0..2], result to scratch[3].
    `operation` is the first four bytes of the struct ir_insn. */
typedef void thunk_function(__m128i *scratch, uint32_t operation);
/** Calls `function` for `ref`; its result is in memory at thunk_result(). All registers but XT0, T0 and T1
    keep their values. */
void emit_thunk_call(struct emit *e, ir_ref ref, thunk_function *function);
struct asm_mem thunk_result(void);
/** Its 48 bytes of operands: free for use when it is not called. */
struct asm_mem thunk_operands(void);
/** 16 bytes for one intermediate result within an operation. */
struct asm_mem scratch_temp(void);
/** Out-of-line: computes l->ref by the exact function into register l->regs[0] and goes back. */
void emit_exact(struct emit *e, const struct later *l);
/** The out-of-line code asked for since e->nlaters was `first` comes back here. */
static inline void emit_back_here(struct emit *e, uint32_t first)
{
    for (uint32_t i = first; i < e->nlaters; i++)
        e->laters[i].back = asm_offset(&e->as);
}

/** Emits the call of a function that does all of `ref`, for a host without the instructions. */
void vec_call(struct emit *e, ir_ref ref, thunk_function *function);

/* emit_vec_int.c */
typedef void vec_emitter(struct emit *e, ir_ref ref);
vec_emitter vec_mul_bytes, vec_not, vec_bsl, vec_neg, vec_abs, vec_minmax_quads, vec_compare_unsigned, vec_qadd_signed,
    vec_qadd_unsigned, vec_qsub_unsigned, vec_popcount, vec_count_leading, vec_add_pairs, vec_mul_long,
    vec_mul_high_doubled;
/* emit_vec_shift.c */
vec_emitter vec_shift_left, vec_shift_right, vec_shift_arithmetic, vec_shift_register, vec_rotate;
/* emit_vec_perm.c */
vec_emitter vec_dup, vec_dup_lane, vec_extract, vec_insert, vec_uzp1, vec_uzp2, vec_trn1, vec_trn2, vec_ext, vec_rev,
    vec_tbl, vec_shuffle, vec_narrow, vec_narrow_saturating;
/* emit_vec_fp.c */
vec_emitter vec_fp_arith, vec_fp_minmax, vec_fp_compare, vec_fp_narrow, vec_from_integer, vec_to_integer;
/** XT0 = the lanes of x as signed integers, by MXCSR's rounding mode or truncated. x may be XT0. */
void vec_convert_lanes(struct emit *e, unsigned bytes, bool truncate, unsigned x);
/* emit_fp_half.c */
vec_emitter vec_half; /* all operations on lanes of two bytes, and VFCVTN to them */
/* emit_fp_step.c */
vec_emitter vec_fp_mulx, vec_fp_step, vec_fp_estimate, vec_fp_exponent, vec_fp_mla_long, vec_fp_round_n, vec_to_fixed, vec_fp_narrow_odd,
    vec_fp_narrow_bf16;
/* emit_vec_crypto.c */
vec_emitter vec_clmul, vec_aes;
/* emit_vec_sha.c */
vec_emitter vec_sha1_rounds, vec_sha1_e, vec_sha1_msg1, vec_sha1_msg2, vec_sha256_rounds, vec_sha256_msg1,
    vec_sha256_msg2;

#endif

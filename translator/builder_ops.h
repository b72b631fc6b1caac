/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shorthands for builder_op(): one inline function for each common shape. Included by builder.h. */
#ifndef DRAGOMAN_TRANSLATOR_BUILDER_OPS_H
#define DRAGOMAN_TRANSLATOR_BUILDER_OPS_H

#define N_ IR_NONE

static inline ir_ref b_i32(struct builder *b, uint32_t v) { return builder_const(b, IR_I32, v); }
static inline ir_ref b_i64(struct builder *b, uint64_t v) { return builder_const(b, IR_I64, v); }

/** result type = type of x; for operations "==" and "=" */
static inline ir_ref b_un(struct builder *b, enum ir_op op, ir_ref x)
{
    return builder_op(b, op, builder_type(b, x), 0, 0, 0, x, N_, N_, N_);
}
static inline ir_ref b_bin(struct builder *b, enum ir_op op, ir_ref x, ir_ref y)
{
    return builder_op(b, op, builder_type(b, x), 0, 0, 0, x, y, N_, N_);
}
static inline ir_ref b_add(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_ADD, x, y); }
static inline ir_ref b_sub(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_SUB, x, y); }
static inline ir_ref b_mul(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_MUL, x, y); }
static inline ir_ref b_and(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_AND, x, y); }
static inline ir_ref b_or(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_OR, x, y); }
static inline ir_ref b_xor(struct builder *b, ir_ref x, ir_ref y) { return b_bin(b, IR_XOR, x, y); }
static inline ir_ref b_not(struct builder *b, ir_ref x) { return b_un(b, IR_NOT, x); }
static inline ir_ref b_neg(struct builder *b, ir_ref x) { return b_un(b, IR_NEG, x); }
/** constant of x's type */
static inline ir_ref b_imm(struct builder *b, ir_ref x, uint64_t v) { return builder_const(b, builder_type(b, x), v); }
static inline ir_ref b_shl(struct builder *b, ir_ref x, unsigned n) { return b_bin(b, IR_SHL, x, b_imm(b, x, n)); }
static inline ir_ref b_shr(struct builder *b, ir_ref x, unsigned n) { return b_bin(b, IR_SHR, x, b_imm(b, x, n)); }
static inline ir_ref b_sar(struct builder *b, ir_ref x, unsigned n) { return b_bin(b, IR_SAR, x, b_imm(b, x, n)); }
static inline ir_ref b_extr(struct builder *b, ir_ref hi, ir_ref lo, unsigned n)
{
    return builder_op(b, IR_EXTR, builder_type(b, hi), 0, 0, n, hi, lo, N_, N_);
}
/** low `bytes` of x, extended to `type` */
static inline ir_ref b_zext(struct builder *b, enum ir_type type, unsigned bytes, ir_ref x)
{
    return builder_op(b, IR_ZEXT, type, bytes, 0, 0, x, N_, N_, N_);
}
static inline ir_ref b_sext(struct builder *b, enum ir_type type, unsigned bytes, ir_ref x)
{
    return builder_op(b, IR_SEXT, type, bytes, 0, 0, x, N_, N_, N_);
}
static inline ir_ref b_trunc(struct builder *b, ir_ref x)
{
    return builder_op(b, IR_TRUNC, IR_I32, 0, 0, 0, x, N_, N_, N_);
}
static inline ir_ref b_select(struct builder *b, ir_ref c, ir_ref x, ir_ref y)
{
    return builder_op(b, IR_SELECT, builder_type(b, x), 0, 0, 0, c, x, y, N_);
}
static inline ir_ref b_cmp(struct builder *b, enum ir_cc cc, ir_ref x, ir_ref y)
{
    return builder_op(b, IR_CMP, IR_I32, builder_type(b, x) == IR_I64 ? 8 : 4, cc, 0, x, y, N_, N_);
}
/** op: IR_FLAGS_ADD, _SUB, _ADC (carry c), _LOGIC (y, c IR_NONE) */
static inline ir_ref b_flags(struct builder *b, enum ir_op op, ir_ref x, ir_ref y, ir_ref c)
{
    return builder_op(b, op, IR_I32, builder_type(b, x) == IR_I64 ? 8 : 4, 0, 0, x, y, c, N_);
}
static inline ir_ref b_cond(struct builder *b, enum ir_flag_cond cond, ir_ref flags)
{
    return builder_op(b, IR_COND, IR_I32, 0, cond, 0, flags, N_, N_, N_);
}
static inline ir_ref b_bitcast(struct builder *b, enum ir_type type, ir_ref x)
{
    return builder_op(b, IR_BITCAST, type, 0, 0, 0, x, N_, N_, N_);
}

/** memory at base + offset; mode: IR_MEM_SIGNED | IR_MEM_ORDERED */
static inline ir_ref b_load(struct builder *b, enum ir_type type, unsigned bytes, unsigned mode, ir_ref base,
                            int64_t offset)
{
    return builder_op(b, IR_LOAD, type, bytes, mode, (uint64_t)offset, base, N_, N_, N_);
}
static inline void b_store(struct builder *b, unsigned bytes, unsigned mode, ir_ref base, int64_t offset, ir_ref value)
{
    builder_op(b, IR_STORE, IR_VOID, bytes, mode, (uint64_t)offset, base, N_, value, N_);
}
/** memory at base + (index << shift), shift 0..3 (4: shift in IR first) */
static inline ir_ref b_load_indexed(struct builder *b, enum ir_type type, unsigned bytes, unsigned mode, ir_ref base,
                                    ir_ref index, unsigned shift)
{
    return builder_op(b, IR_LOAD, type, bytes, mode | IR_MEM_SCALE_BITS(shift), 0, base, index, N_, N_);
}
static inline void b_store_indexed(struct builder *b, unsigned bytes, unsigned mode, ir_ref base, ir_ref index,
                                   unsigned shift, ir_ref value)
{
    builder_op(b, IR_STORE, IR_VOID, bytes, mode | IR_MEM_SCALE_BITS(shift), 0, base, index, value, N_);
}
/** `level`: the nearest cache that the data is to come into, 1..3; 0: for one use. */
static inline void b_prefetch(struct builder *b, unsigned level, ir_ref base, ir_ref index, unsigned shift, int64_t offset)
{
    builder_op(b, IR_PREFETCH, IR_VOID, level, IR_MEM_SCALE_BITS(shift), (uint64_t)offset, base, index, N_, N_);
}
static inline void b_fence(struct builder *b, enum ir_fence kind)
{
    builder_op(b, IR_FENCE, IR_VOID, 0, kind, 0, N_, N_, N_, N_);
}

/** vectors: lanes of `lane` bytes */
static inline ir_ref b_v1(struct builder *b, enum ir_op op, unsigned lane, ir_ref x)
{
    return builder_op(b, op, IR_V128, lane, 0, 0, x, N_, N_, N_);
}
static inline ir_ref b_v2(struct builder *b, enum ir_op op, unsigned lane, ir_ref x, ir_ref y)
{
    return builder_op(b, op, IR_V128, lane, 0, 0, x, y, N_, N_);
}
static inline ir_ref b_v3(struct builder *b, enum ir_op op, unsigned lane, ir_ref x, ir_ref y, ir_ref z)
{
    return builder_op(b, op, IR_V128, lane, 0, 0, x, y, z, N_);
}
/** with an immediate: VSHL, VSHR, VSAR, VDUPLANE (y IR_NONE), VEXT */
static inline ir_ref b_vimm(struct builder *b, enum ir_op op, unsigned lane, uint64_t imm, ir_ref x, ir_ref y)
{
    return builder_op(b, op, IR_V128, lane, 0, imm, x, y, N_, N_);
}
static inline ir_ref b_vextract(struct builder *b, unsigned lane, unsigned index, ir_ref v)
{
    return builder_op(b, IR_VEXTRACT, lane == 8 ? IR_I64 : IR_I32, lane, 0, index, v, N_, N_, N_);
}
static inline ir_ref b_vinsert(struct builder *b, unsigned lane, unsigned index, ir_ref v, ir_ref x)
{
    return builder_op(b, IR_VINSERT, IR_V128, lane, 0, index, v, x, N_, N_);
}
static inline ir_ref b_vlow(struct builder *b, enum ir_type type, ir_ref v)
{
    return builder_op(b, IR_VLOW, type, 0, 0, 0, v, N_, N_, N_);
}
static inline ir_ref b_vzext(struct builder *b, ir_ref f)
{
    return builder_op(b, IR_VZEXT, IR_V128, builder_type(b, f) == IR_F64 ? 8 : 4, 0, 0, f, N_, N_, N_);
}

#undef N_

#endif

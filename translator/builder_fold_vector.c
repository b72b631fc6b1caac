/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Simplification of vector operations while appending: moves between scalars and lanes, whole-register logic. */
#include "translator/builder_private.h"

static inline bool vector_constant(const struct builder *b, ir_ref ref, uint64_t *low, uint64_t *high)
{
    const struct ir_insn *insn = insn_at(b, ref);
    *low = insn->imm;
    *high = insn->imm2;
    return insn->op == IR_CONST && insn->type == IR_V128;
}

static inline bool is_zero(const struct builder *b, ir_ref ref)
{
    uint64_t low, high;
    return vector_constant(b, ref, &low, &high) && low == 0 && high == 0;
}

static inline bool is_ones(const struct builder *b, ir_ref ref)
{
    uint64_t low, high;
    return vector_constant(b, ref, &low, &high) && low == UINT64_MAX && high == UINT64_MAX;
}

static ir_ref zero(struct builder *b) { return builder_vconst(b, 0, 0); }
static ir_ref ones(struct builder *b) { return builder_vconst(b, UINT64_MAX, UINT64_MAX); }

static ir_ref unary(struct builder *b, enum ir_op op, unsigned type, unsigned size, ir_ref x)
{
    return builder_op(b, op, (enum ir_type)type, size, 0, 0, x, IR_NONE, IR_NONE, IR_NONE);
}

static uint64_t replicate(uint64_t v, unsigned size)
{
    switch (size) {
    case 1: return (v & 0xff) * UINT64_C(0x0101010101010101);
    case 2: return (v & 0xffff) * UINT64_C(0x0001000100010001);
    case 4: return (v & 0xffffffff) * UINT64_C(0x0000000100000001);
    default: return v;
    }
}

static uint64_t lane(uint64_t low, uint64_t high, unsigned size, unsigned index)
{
    unsigned byte = size * index;
    uint64_t half = byte < 8 ? low : high;
    uint64_t mask = size == 8 ? UINT64_MAX : (UINT64_C(1) << (8 * size)) - 1;
    return half >> (8 * (byte & 7)) & mask;
}

static ir_ref fold_vlow(struct builder *b, struct ir_insn *t)
{
    uint64_t low, high;
    if (vector_constant(b, t->arg[0], &low, &high))
        return builder_const(b, (enum ir_type)t->type, low);
    struct ir_insn x = *insn_at(b, t->arg[0]);
    switch (x.op) {
    case IR_VZEXT:
        return insn_at(b, x.arg[0])->type == t->type ? x.arg[0] : IR_NONE;
    case IR_VLOW64:
        return unary(b, IR_VLOW, t->type, 0, x.arg[0]);
    default:
        return IR_NONE;
    }
}

static ir_ref fold_vzext(struct builder *b, struct ir_insn *t)
{
    const struct ir_insn *x = insn_at(b, t->arg[0]);
    if (x->op == IR_CONST)
        return builder_vconst(b, x->imm, 0);
    return x->op == IR_VLOW && x->type == IR_F64 ? unary(b, IR_VLOW64, IR_V128, 0, x->arg[0]) : IR_NONE;
}

static ir_ref fold_vlow64(struct builder *b, struct ir_insn *t)
{
    uint64_t low, high;
    if (vector_constant(b, t->arg[0], &low, &high))
        return builder_vconst(b, low, 0);
    switch (insn_at(b, t->arg[0])->op) {
    case IR_VZEXT: case IR_VLOW64: case IR_VXTN: case IR_VQXTNS: case IR_VQXTNU: case IR_VQXTUN: case IR_VFCVTN:
        return t->arg[0];
    default:
        return IR_NONE;
    }
}

/* An integer of type `type` from the low size bytes of x, which is an i32 or i64. */
static ir_ref lane_value(struct builder *b, unsigned type, unsigned size, ir_ref x)
{
    if (builder_type(b, x) == type && (size == 8 || (size == 4 && type == IR_I32)))
        return x;
    return unary(b, IR_ZEXT, type, size, x);
}

static ir_ref fold_vextract(struct builder *b, struct ir_insn *t)
{
    uint64_t low, high;
    if (vector_constant(b, t->arg[0], &low, &high))
        return builder_const(b, (enum ir_type)t->type, lane(low, high, t->size, (unsigned)t->imm));
    struct ir_insn x = *insn_at(b, t->arg[0]);
    switch (x.op) {
    case IR_VZEXT:
        if (t->imm * t->size >= x.size)
            return builder_const(b, (enum ir_type)t->type, 0);
        if (t->imm == 0 && t->size == x.size)
            return unary(b, IR_BITCAST, t->type, 0, x.arg[0]);
        return IR_NONE;
    case IR_VLOW64:
        if (t->imm * t->size >= 8)
            return builder_const(b, (enum ir_type)t->type, 0);
        break;
    case IR_VDUP:
        return x.size == t->size ? lane_value(b, t->type, t->size, x.arg[0]) : IR_NONE;
    case IR_VDUPLANE:
        if (x.size != t->size)
            return IR_NONE;
        t->imm = x.imm;
        break;
    case IR_VINSERT:
        if (x.size != t->size)
            return IR_NONE;
        if (x.imm == t->imm)
            return lane_value(b, t->type, t->size, x.arg[1]);
        break;
    default:
        return IR_NONE;
    }
    return builder_op(b, IR_VEXTRACT, (enum ir_type)t->type, t->size, 0, t->imm, x.arg[0], IR_NONE, IR_NONE, IR_NONE);
}

static ir_ref fold_shift(struct builder *b, struct ir_insn *t)
{
    if (t->imm == 0)
        return t->arg[0];
    return t->op == IR_VSHR && t->imm == 8u * t->size ? zero(b) : is_zero(b, t->arg[0]) ? t->arg[0] : IR_NONE;
}

static ir_ref fold_logic(struct builder *b, struct ir_insn *t)
{
    uint64_t low[2], high[2];
    ir_ref x = t->arg[0], y = t->arg[1];
    if (vector_constant(b, x, &low[0], &high[0]) && vector_constant(b, y, &low[1], &high[1])) {
        switch (t->op) {
        case IR_VAND: return builder_vconst(b, low[0] & low[1], high[0] & high[1]);
        case IR_VOR: return builder_vconst(b, low[0] | low[1], high[0] | high[1]);
        case IR_VXOR: return builder_vconst(b, low[0] ^ low[1], high[0] ^ high[1]);
        case IR_VANDN: return builder_vconst(b, low[0] & ~low[1], high[0] & ~high[1]);
        }
    }
    switch (t->op) {
    case IR_VAND:
        return x == y || is_zero(b, x) || is_ones(b, y) ? x : is_zero(b, y) || is_ones(b, x) ? y : IR_NONE;
    case IR_VOR:
        return x == y || is_zero(b, y) || is_ones(b, x) ? x : is_zero(b, x) || is_ones(b, y) ? y : IR_NONE;
    case IR_VXOR:
        if (is_ones(b, y))
            return unary(b, IR_VNOT, IR_V128, 0, x);
        return x == y ? zero(b) : is_zero(b, y) ? x : is_zero(b, x) ? y : IR_NONE;
    case IR_VANDN:
        return x == y || is_ones(b, y) ? zero(b) : is_zero(b, x) || is_zero(b, y) ? x : IR_NONE;
    default:
        return IR_NONE;
    }
}

ir_ref builder_fold_vector(struct builder *b, struct ir_insn *t)
{
    uint64_t low, high;
    ir_ref x = t->arg[0], y = t->arg[1];
    if ((ir_info(t)->attrs & IR_ATTR_COMM) && x > y) {
        t->arg[0] = y;
        t->arg[1] = x;
        x = t->arg[0];
        y = t->arg[1];
    }
    switch (t->op) {
    case IR_VLOW:
        return fold_vlow(b, t);
    case IR_VZEXT:
        return fold_vzext(b, t);
    case IR_VLOW64:
        return fold_vlow64(b, t);
    case IR_VEXTRACT:
        return fold_vextract(b, t);
    case IR_VDUP: {
        const struct ir_insn *scalar = insn_at(b, x);
        if (scalar->op != IR_CONST)
            return IR_NONE;
        uint64_t half = replicate(scalar->imm, t->size);
        return builder_vconst(b, half, half);
    }
    case IR_VAND: case IR_VOR: case IR_VXOR: case IR_VANDN:
        return fold_logic(b, t);
    case IR_VNOT:
        if (vector_constant(b, x, &low, &high))
            return builder_vconst(b, ~low, ~high);
        return insn_at(b, x)->op == IR_VNOT ? insn_at(b, x)->arg[0] : IR_NONE;
    case IR_VNEG:
        return insn_at(b, x)->op == IR_VNEG && insn_at(b, x)->size == t->size ? insn_at(b, x)->arg[0] : IR_NONE;
    case IR_VBSL:
        if (y == t->arg[2])
            return y;
        return is_ones(b, x) ? y : is_zero(b, x) ? t->arg[2] : IR_NONE;
    case IR_VADD:
        return is_zero(b, x) ? y : is_zero(b, y) ? x : IR_NONE;
    case IR_VSUB:
        if (x == y)
            return zero(b);
        return is_zero(b, y) ? x : is_zero(b, x) ? unary(b, IR_VNEG, IR_V128, t->size, y) : IR_NONE;
    case IR_VSMIN: case IR_VSMAX: case IR_VUMIN: case IR_VUMAX:
        return x == y ? x : IR_NONE;
    case IR_VCMPEQ:
        return x == y ? ones(b) : IR_NONE;
    case IR_VCMPGTS: case IR_VCMPGTU:
        return x == y ? zero(b) : IR_NONE;
    case IR_VSHL: case IR_VSHR: case IR_VSAR:
        return fold_shift(b, t);
    case IR_VEXT:
        return t->imm == 0 ? x : t->imm == 16 ? y : IR_NONE;
    default:
        return IR_NONE;
    }
}

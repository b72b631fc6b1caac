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
    case IR_VFCVTXN: case IR_VFCVTBF:
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

static ir_ref binary(struct builder *b, enum ir_op op, unsigned size, unsigned mode, uint64_t imm, ir_ref x, ir_ref y)
{
    return builder_op(b, op, IR_V128, size, mode, imm, x, y, IR_NONE, IR_NONE);
}

/* Each lane of a shuffle of shuffles has one place that it comes from. */
static ir_ref fold_vshuf(struct builder *b, struct ir_insn *t)
{
    ir_ref from[4];
    unsigned lanes[4], imm = 0;
    bool whole = true;
    for (unsigned i = 0; i < 4; i++) {
        const struct ir_insn *x = insn_at(b, t->arg[i / 2]);
        from[i] = t->arg[i / 2];
        lanes[i] = t->imm >> (2 * i) & 3;
        if (x->op == IR_VSHUF) {
            from[i] = x->arg[lanes[i] / 2];
            lanes[i] = x->imm >> (2 * lanes[i]) & 3;
        }
        imm |= lanes[i] << (2 * i);
        whole &= from[i] == from[0] && lanes[i] == i;
    }
    if (whole)
        return from[0];
    if (from[0] == from[1] && from[2] == from[3]) {
        t->arg[0] = from[0];
        t->arg[1] = from[2];
        t->imm = imm;
    }
    return IR_NONE;
}

/* Shifts by one count in all lanes. */
static ir_ref fold_shift_register(struct builder *b, struct ir_insn *t)
{
    uint64_t low, high;
    if (!vector_constant(b, t->arg[1], &low, &high))
        return IR_NONE;
    unsigned bits = 8u * t->size;
    for (unsigned i = 1; i < 16u / t->size; i++)
        if ((uint8_t)lane(low, high, t->size, i) != (uint8_t)low)
            return IR_NONE;
    int count = (int8_t)low;
    if (count >= (int)bits)
        return zero(b);
    enum ir_op op = count >= 0 ? IR_VSHL : t->op == IR_VSHLS ? IR_VSAR : IR_VSHR;
    unsigned amount = (unsigned)(count < 0 ? -count : count);
    if (amount > bits && op == IR_VSHR)
        return zero(b);
    return binary(b, op, t->size, 0, amount > bits ? bits : amount, t->arg[0], IR_NONE);
}

/* ---- cryptography: the host's instructions do several of the guest's ------------------------------------------------ */

/* A round without a key, xor a value: that is the key. */
static ir_ref fold_aes_key(struct builder *b, ir_ref round, ir_ref key)
{
    struct ir_insn x = *insn_at(b, round);
    if (x.op != IR_VAESENC && x.op != IR_VAESDEC && x.op != IR_VAESROUND && x.op != IR_VAESIROUND)
        return IR_NONE;
    return is_zero(b, x.arg[1]) ? binary(b, (enum ir_op)x.op, 0, 0, 0, x.arg[0], key) : IR_NONE;
}

/* MixColumns after the other steps of a round. */
static ir_ref fold_aes_columns(struct builder *b, const struct ir_insn *t)
{
    struct ir_insn x = *insn_at(b, t->arg[0]);
    bool inverse = t->op == IR_VAESIMC;
    if (x.op != (inverse ? IR_VAESDEC : IR_VAESENC) || !is_zero(b, x.arg[1]))
        return IR_NONE;
    return binary(b, inverse ? IR_VAESIROUND : IR_VAESROUND, 0, 0, 0, x.arg[0], x.arg[1]);
}

/* VSHA1E of zero: E in lane 3 alone, which a mask may say again, and which is added to words. */
static bool is_sha1_e(struct builder *b, ir_ref ref)
{
    const struct ir_insn *insn = insn_at(b, ref);
    return insn->op == IR_VSHA1E && is_zero(b, insn->arg[1]);
}

static bool is_lane3_mask(struct builder *b, ir_ref ref)
{
    uint64_t low, high;
    return vector_constant(b, ref, &low, &high) && low == 0 && high == UINT64_C(0xffffffff00000000);
}

static ir_ref fold_add(struct builder *b, const struct ir_insn *t)
{
    ir_ref x = t->arg[0], y = t->arg[1];
    if (is_zero(b, x))
        return y;
    if (is_zero(b, y))
        return x;
    if (t->size == 4 && is_sha1_e(b, x))
        return binary(b, IR_VSHA1E, 0, 0, 0, insn_at(b, x)->arg[0], y);
    if (t->size == 4 && is_sha1_e(b, y))
        return binary(b, IR_VSHA1E, 0, 0, 0, insn_at(b, y)->arg[0], x);
    return IR_NONE;
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
        if ((is_sha1_e(b, x) && is_lane3_mask(b, y)) || (is_sha1_e(b, y) && is_lane3_mask(b, x)))
            return is_sha1_e(b, x) ? x : y;
        return x == y || is_zero(b, x) || is_ones(b, y) ? x : is_zero(b, y) || is_ones(b, x) ? y : IR_NONE;
    case IR_VOR:
        return x == y || is_zero(b, y) || is_ones(b, x) ? x : is_zero(b, x) || is_ones(b, y) ? y : IR_NONE;
    case IR_VXOR:
        if (is_ones(b, y))
            return unary(b, IR_VNOT, IR_V128, 0, x);
        if (x == y || is_zero(b, x) || is_zero(b, y))
            return x == y ? zero(b) : is_zero(b, y) ? x : y;
        ir_ref keyed = fold_aes_key(b, x, y);
        return keyed != IR_NONE ? keyed : fold_aes_key(b, y, x);
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
        return fold_add(b, t);
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
    case IR_VSHLS: case IR_VSHLU:
        return fold_shift_register(b, t);
    case IR_VSHUF:
        return fold_vshuf(b, t);
    case IR_VAESMC: case IR_VAESIMC:
        return fold_aes_columns(b, t);
    case IR_VEXT:
        return t->imm == 0 ? x : t->imm == 16 ? y : IR_NONE;
    default:
        return IR_NONE;
    }
}

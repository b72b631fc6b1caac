/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simplification while appending: integer operations, conversions, addresses. Flags are in builder_fold_flags.c,
 * vectors in builder_fold_vector.c.
 *
 * Every rule either yields an existing or simpler value, or rewrites the instruction into a canonical form: constants
 * second, subtraction of a constant as addition, masks as zero-extension. Rules look at most two definitions deep, so
 * that the cost of an instruction is bounded. Nothing that raises floating-point status or depends on the rounding mode
 * is folded.
 */
#include <string.h>

#include "translator/builder_private.h"

static inline unsigned width_of(unsigned type) { return type == IR_I64 ? 64 : 32; }
static inline uint64_t mask_of(unsigned type) { return type == IR_I64 ? UINT64_MAX : UINT32_MAX; }
static inline uint64_t low_bytes(unsigned bytes) { return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1; }
static inline int64_t sign_extend(uint64_t v, unsigned bits) { return (int64_t)(v << (64 - bits)) >> (64 - bits); }

static inline bool constant(const struct builder *b, ir_ref ref, uint64_t *value)
{
    const struct ir_insn *insn = insn_at(b, ref);
    *value = insn->imm;
    return insn->op == IR_CONST && insn->type != IR_V128;
}

static ir_ref binary(struct builder *b, enum ir_op op, unsigned type, ir_ref x, ir_ref y)
{
    return builder_op(b, op, (enum ir_type)type, 0, 0, 0, x, y, IR_NONE, IR_NONE);
}

static ir_ref unary(struct builder *b, enum ir_op op, unsigned type, unsigned size, ir_ref x)
{
    return builder_op(b, op, (enum ir_type)type, size, 0, 0, x, IR_NONE, IR_NONE, IR_NONE);
}

static uint64_t reverse_bits(uint64_t v, unsigned width)
{
    v = (v >> 1 & UINT64_C(0x5555555555555555)) | (v & UINT64_C(0x5555555555555555)) << 1;
    v = (v >> 2 & UINT64_C(0x3333333333333333)) | (v & UINT64_C(0x3333333333333333)) << 2;
    v = (v >> 4 & UINT64_C(0x0f0f0f0f0f0f0f0f)) | (v & UINT64_C(0x0f0f0f0f0f0f0f0f)) << 4;
    return __builtin_bswap64(v) >> (64 - width);
}

static uint64_t reverse_bytes(uint64_t v, unsigned group)
{
    uint64_t r = 0;
    for (unsigned i = 0; i < 8; i++)
        r |= (v >> (8 * i) & 0xff) << (8 * (i / group * group + (group - 1 - i % group)));
    return r;
}

/* The operation on constants x, y (the result is cut to the type by the caller). False if it is not known here. */
static bool evaluate(const struct ir_insn *insn, uint64_t x, uint64_t y, uint64_t *result)
{
    unsigned width = width_of(insn->type);
    int64_t sx = sign_extend(x, width), sy = sign_extend(y, width);
    unsigned n = (unsigned)y & (width - 1);
    switch (insn->op) {
    case IR_ADD: *result = x + y; return true;
    case IR_SUB: *result = x - y; return true;
    case IR_MUL: *result = x * y; return true;
    case IR_UMULH: *result = (uint64_t)((unsigned __int128)x * y >> 64); return true;
    case IR_SMULH: *result = (uint64_t)((__int128)sx * sy >> 64); return true;
    case IR_UDIV: *result = y ? x / y : 0; return true;
    case IR_SDIV: *result = !y ? 0 : sy == -1 ? -x : (uint64_t)(sx / sy); return true;
    case IR_AND: *result = x & y; return true;
    case IR_OR: *result = x | y; return true;
    case IR_XOR: *result = x ^ y; return true;
    case IR_ANDN: *result = x & ~y; return true;
    case IR_NOT: *result = ~x; return true;
    case IR_NEG: *result = -x; return true;
    case IR_SHL: *result = x << n; return true;
    case IR_SHR: *result = x >> n; return true;
    case IR_SAR: *result = (uint64_t)(sx >> n); return true;
    case IR_ROR: *result = n ? x >> n | x << (width - n) : x; return true;
    case IR_EXTR: n = (unsigned)insn->imm; *result = n ? y >> n | x << (width - n) : y; return true;
    case IR_CLZ: *result = x ? (unsigned)__builtin_clzll(x) - (64 - width) : width; return true;
    case IR_CTZ: *result = x ? (unsigned)__builtin_ctzll(x) : width; return true;
    case IR_RBIT: *result = reverse_bits(x, width); return true;
    case IR_BSWAP: *result = reverse_bytes(x, insn->size); return true;
    case IR_ZEXT: *result = x & low_bytes(insn->size); return true;
    case IR_SEXT: *result = (uint64_t)sign_extend(x, 8 * insn->size); return true;
    case IR_TRUNC: *result = (uint32_t)x; return true;
    case IR_BITCAST: *result = x; return true;
    default: return false;
    }
}

static bool compare(unsigned cc, unsigned size, uint64_t x, uint64_t y)
{
    int64_t sx = sign_extend(x, 8 * size), sy = sign_extend(y, 8 * size);
    bool t = false;
    switch (cc & ~1u) {
    case IR_EQ: t = x == y; break;
    case IR_ULT: t = x < y; break;
    case IR_ULE: t = x <= y; break;
    case IR_SLT: t = sx < sy; break;
    case IR_SLE: t = sx <= sy; break;
    }
    return t ^ (cc & 1);
}

/* An upper bound of the bits that may be set in an integer value: all of them are among the low *n*. */
static unsigned significant_bits(const struct builder *b, ir_ref ref)
{
    const struct ir_insn *insn = insn_at(b, ref);
    unsigned width = width_of(insn->type);
    uint64_t c;
    switch (insn->op) {
    case IR_CONST:
        return insn->imm ? 64 - (unsigned)__builtin_clzll(insn->imm) : 0;
    case IR_ZEXT:
        return 8 * insn->size;
    case IR_VEXTRACT:
        return 8 * insn->size;
    case IR_LOAD:
        return insn->mode & IR_MEM_SIGNED ? width : 8 * insn->size;
    case IR_RMW:
    case IR_CAS:
        return 8 * insn->size;
    case IR_CMP:
    case IR_COND:
    case IR_FCMP:
    case IR_STORE_EXCL:
        return 1;
    case IR_CLZ:
    case IR_CTZ:
        return 7;
    case IR_AND:
        return constant(b, insn->arg[1], &c) ? (c ? 64 - (unsigned)__builtin_clzll(c) : 0) : width;
    case IR_SHR:
        return constant(b, insn->arg[1], &c) ? width - ((unsigned)c & (width - 1)) : width;
    default:
        return width;
    }
}

static bool is_truth(const struct builder *b, ir_ref ref)
{
    const struct ir_insn *insn = insn_at(b, ref);
    uint64_t c;
    if (insn->op == IR_XOR || insn->op == IR_AND || insn->op == IR_OR)
        return insn->type == IR_I32 && significant_bits(b, insn->arg[0]) == 1 &&
               (significant_bits(b, insn->arg[1]) == 1 || (constant(b, insn->arg[1], &c) && c <= 1));
    return insn->type == IR_I32 && significant_bits(b, ref) == 1;
}

ir_ref builder_negate(struct builder *b, ir_ref truth)
{
    return binary(b, IR_XOR, IR_I32, truth, builder_const(b, IR_I32, 1));
}

/* ---- two operands ------------------------------------------------------------------------------------------------ */

static ir_ref fold_shift(struct builder *b, struct ir_insn *t, uint64_t c)
{
    unsigned width = width_of(t->type), n = (unsigned)c & (width - 1);
    if (n == 0)
        return t->arg[0];
    struct ir_insn x = *insn_at(b, t->arg[0]);
    uint64_t c1;
    if ((x.op == t->op || (t->op == IR_SHL && x.op == IR_SHR) || (t->op == IR_SHR && x.op == IR_SHL)) &&
        constant(b, x.arg[1], &c1)) {
        unsigned m = (unsigned)c1 & (width - 1);
        if (x.op != t->op) {
            if (m != n)
                return IR_NONE;
            uint64_t kept = t->op == IR_SHR ? mask_of(t->type) >> n : mask_of(t->type) << n;
            return binary(b, IR_AND, t->type, x.arg[0], builder_const(b, (enum ir_type)t->type, kept));
        }
        unsigned sum = m + n;
        if (t->op == IR_ROR)
            sum &= width - 1;
        else if (t->op == IR_SAR && sum >= width)
            sum = width - 1;
        else if (sum >= width)
            return builder_const(b, (enum ir_type)t->type, 0);
        return binary(b, (enum ir_op)t->op, t->type, x.arg[0], builder_const(b, (enum ir_type)t->type, sum));
    }
    if (c != n)
        t->arg[1] = builder_const(b, (enum ir_type)t->type, n);
    return IR_NONE;
}

/* arg[1] is the constant c. */
static ir_ref fold_right_constant(struct builder *b, struct ir_insn *t, uint64_t c)
{
    enum ir_type type = (enum ir_type)t->type;
    uint64_t all = mask_of(type), c1;
    ir_ref x = t->arg[0];
    struct ir_insn left = *insn_at(b, x);
    switch (t->op) {
    case IR_ADD:
        if (c == 0)
            return x;
        if (left.op == IR_PC)
            return builder_pc(b, left.imm + c);
        if (left.op == IR_ADD && constant(b, left.arg[1], &c1))
            return binary(b, IR_ADD, type, left.arg[0], builder_const(b, type, c + c1));
        return IR_NONE;
    case IR_SUB:
        return binary(b, IR_ADD, type, x, builder_const(b, type, -c));
    case IR_MUL:
        if (c == 0)
            return t->arg[1];
        if ((c & (c - 1)) == 0)
            return binary(b, IR_SHL, type, x, builder_const(b, type, (unsigned)__builtin_ctzll(c)));
        return c == all ? unary(b, IR_NEG, type, 0, x) : IR_NONE;
    case IR_UMULH:
    case IR_SMULH:
        return c == 0 ? t->arg[1] : IR_NONE;
    case IR_UDIV:
        if (c == 0)
            return t->arg[1];
        if ((c & (c - 1)) == 0)
            return binary(b, IR_SHR, type, x, builder_const(b, type, (unsigned)__builtin_ctzll(c)));
        return IR_NONE;
    case IR_SDIV:
        return c == 0 ? t->arg[1] : c == 1 ? x : IR_NONE;
    case IR_AND:
        if (c == 0)
            return t->arg[1];
        if (c == all || (significant_bits(b, x) < 64 && (((UINT64_C(1) << significant_bits(b, x)) - 1) & ~c) == 0))
            return x;
        if (left.op == IR_AND && constant(b, left.arg[1], &c1))
            return binary(b, IR_AND, type, left.arg[0], builder_const(b, type, c & c1));
        if (c == 0xff || c == 0xffff || c == 0xffffffff)
            return unary(b, IR_ZEXT, type, c == 0xff ? 1 : c == 0xffff ? 2 : 4, x);
        return IR_NONE;
    case IR_OR:
        if (c == 0)
            return x;
        if (c == all)
            return t->arg[1];
        if (left.op == IR_OR && constant(b, left.arg[1], &c1))
            return binary(b, IR_OR, type, left.arg[0], builder_const(b, type, c | c1));
        return IR_NONE;
    case IR_XOR:
        if (c == 0)
            return x;
        if (c == all)
            return unary(b, IR_NOT, type, 0, x);
        if (left.op == IR_XOR && constant(b, left.arg[1], &c1))
            return binary(b, IR_XOR, type, left.arg[0], builder_const(b, type, c ^ c1));
        if (c == 1 && (left.op == IR_CMP || left.op == IR_COND))
            return builder_op(b, (enum ir_op)left.op, IR_I32, left.size, left.mode ^ 1u, 0, left.arg[0], left.arg[1],
                              IR_NONE, IR_NONE);
        return IR_NONE;
    case IR_ANDN:
        return binary(b, IR_AND, type, x, builder_const(b, type, ~c));
    case IR_SHL:
    case IR_SHR:
    case IR_SAR:
    case IR_ROR:
        return fold_shift(b, t, c);
    default:
        return IR_NONE;
    }
}

/* Both operands are the same value x. */
static ir_ref fold_same(struct builder *b, const struct ir_insn *t)
{
    switch (t->op) {
    case IR_SUB:
    case IR_XOR:
    case IR_ANDN:
        return builder_const(b, (enum ir_type)t->type, 0);
    case IR_AND:
    case IR_OR:
        return t->arg[0];
    default:
        return IR_NONE;
    }
}

static void canonical_order(const struct builder *b, struct ir_insn *t)
{
    bool x_const = insn_at(b, t->arg[0])->op == IR_CONST, y_const = insn_at(b, t->arg[1])->op == IR_CONST;
    if (x_const != y_const ? x_const : t->arg[0] > t->arg[1]) {
        ir_ref x = t->arg[0];
        t->arg[0] = t->arg[1];
        t->arg[1] = x;
    }
}

static ir_ref fold_binary(struct builder *b, struct ir_insn *t)
{
    uint64_t x, y, r;
    bool y_const = constant(b, t->arg[1], &y);
    if (y_const && constant(b, t->arg[0], &x))
        return evaluate(t, x, y, &r) ? builder_const(b, (enum ir_type)t->type, r) : IR_NONE;
    if (ir_info(t)->attrs & IR_ATTR_COMM) {
        canonical_order(b, t);
        y_const = constant(b, t->arg[1], &y);
    }
    if (y_const)
        return fold_right_constant(b, t, y);
    if (t->arg[0] == t->arg[1])
        return fold_same(b, t);

    const struct ir_insn *left = insn_at(b, t->arg[0]), *right = insn_at(b, t->arg[1]);
    switch (t->op) {
    case IR_ADD:
        if (right->op == IR_NEG)
            return binary(b, IR_SUB, t->type, t->arg[0], right->arg[0]);
        if (left->op == IR_NEG)
            return binary(b, IR_SUB, t->type, t->arg[1], left->arg[0]);
        return IR_NONE;
    case IR_SUB:
        if (constant(b, t->arg[0], &x) && x == 0)
            return unary(b, IR_NEG, t->type, 0, t->arg[1]);
        if (right->op == IR_NEG)
            return binary(b, IR_ADD, t->type, t->arg[0], right->arg[0]);
        if (left->op == IR_PC && right->op == IR_PC) /* both move alike */
            return builder_const(b, IR_I64, left->imm - right->imm);
        return IR_NONE;
    case IR_AND:
        if (right->op == IR_NOT)
            return binary(b, IR_ANDN, t->type, t->arg[0], right->arg[0]);
        if (left->op == IR_NOT)
            return binary(b, IR_ANDN, t->type, t->arg[1], left->arg[0]);
        return IR_NONE;
    case IR_ANDN:
        if (constant(b, t->arg[0], &x) && x == 0)
            return t->arg[0];
        if (right->op == IR_NOT)
            return binary(b, IR_AND, t->type, t->arg[0], right->arg[0]);
        return IR_NONE;
    case IR_UDIV:
    case IR_SDIV:
    case IR_SHL:
    case IR_SHR:
        return constant(b, t->arg[0], &x) && x == 0 ? t->arg[0] : IR_NONE;
    default:
        return IR_NONE;
    }
}

static ir_ref fold_extr(struct builder *b, struct ir_insn *t)
{
    uint64_t x, y, r;
    if (constant(b, t->arg[0], &x) && constant(b, t->arg[1], &y) && evaluate(t, x, y, &r))
        return builder_const(b, (enum ir_type)t->type, r);
    if (t->imm == 0)
        return t->arg[1];
    if (t->arg[0] == t->arg[1])
        return binary(b, IR_ROR, t->type, t->arg[0], builder_const(b, (enum ir_type)t->type, t->imm));
    return IR_NONE;
}

/* ---- one operand ------------------------------------------------------------------------------------------------- */

static ir_ref fold_zext(struct builder *b, struct ir_insn *t)
{
    struct ir_insn x = *insn_at(b, t->arg[0]);
    if (x.type == t->type && significant_bits(b, t->arg[0]) <= 8u * t->size)
        return t->arg[0];
    switch (x.op) {
    case IR_TRUNC:
        return unary(b, IR_ZEXT, t->type, t->size, x.arg[0]);
    case IR_ZEXT:
        return unary(b, IR_ZEXT, t->type, t->size < x.size ? t->size : x.size, x.arg[0]);
    case IR_SEXT:
        return t->size <= x.size ? unary(b, IR_ZEXT, t->type, t->size, x.arg[0]) : IR_NONE;
    default:
        return IR_NONE;
    }
}

static ir_ref fold_sext(struct builder *b, struct ir_insn *t)
{
    struct ir_insn x = *insn_at(b, t->arg[0]);
    if (x.type == t->type && significant_bits(b, t->arg[0]) < 8u * t->size)
        return t->arg[0];
    if (t->type == IR_I32 && t->size == 4)
        return x.type == IR_I32 ? t->arg[0] : unary(b, IR_TRUNC, IR_I32, 0, t->arg[0]);
    switch (x.op) {
    case IR_TRUNC:
        return unary(b, IR_SEXT, t->type, t->size, x.arg[0]);
    case IR_SEXT:
        return unary(b, IR_SEXT, t->type, t->size < x.size ? t->size : x.size, x.arg[0]);
    case IR_ZEXT:
        return x.size < t->size ? unary(b, IR_ZEXT, t->type, x.size, x.arg[0])
                                : unary(b, IR_SEXT, t->type, t->size, x.arg[0]);
    case IR_LOAD:
        return x.type == t->type && (x.mode & IR_MEM_SIGNED) && x.size <= t->size ? t->arg[0] : IR_NONE;
    default:
        return IR_NONE;
    }
}

static ir_ref fold_trunc(struct builder *b, struct ir_insn *t)
{
    struct ir_insn x = *insn_at(b, t->arg[0]);
    if (x.op != IR_ZEXT && x.op != IR_SEXT)
        return IR_NONE;
    if (x.size == 4)
        return insn_at(b, x.arg[0])->type == IR_I32 ? x.arg[0] : unary(b, IR_TRUNC, IR_I32, 0, x.arg[0]);
    return unary(b, (enum ir_op)x.op, IR_I32, x.size, x.arg[0]);
}

static ir_ref fold_unary(struct builder *b, struct ir_insn *t)
{
    uint64_t c, r;
    if (constant(b, t->arg[0], &c) && evaluate(t, c, 0, &r))
        return builder_const(b, (enum ir_type)t->type, r);
    struct ir_insn x = *insn_at(b, t->arg[0]);
    switch (t->op) {
    case IR_NOT:
    case IR_NEG:
    case IR_RBIT:
        if (x.op == t->op)
            return x.arg[0];
        return t->op == IR_NEG && x.op == IR_SUB ? binary(b, IR_SUB, t->type, x.arg[1], x.arg[0]) : IR_NONE;
    case IR_BSWAP:
        return x.op == IR_BSWAP && x.size == t->size ? x.arg[0] : IR_NONE;
    case IR_CLZ:
        return x.op == IR_RBIT ? unary(b, IR_CTZ, t->type, 0, x.arg[0]) : IR_NONE;
    case IR_ZEXT:
        return fold_zext(b, t);
    case IR_SEXT:
        return fold_sext(b, t);
    case IR_TRUNC:
        return fold_trunc(b, t);
    case IR_BITCAST:
        if (x.type == t->type)
            return t->arg[0];
        return x.op == IR_BITCAST ? unary(b, IR_BITCAST, t->type, 0, x.arg[0]) : IR_NONE;
    default:
        return IR_NONE;
    }
}

/* ---- comparison and selection ------------------------------------------------------------------------------------ */

static ir_ref fold_cmp_constant(struct builder *b, struct ir_insn *t, uint64_t c)
{
    ir_ref x = t->arg[0];
    struct ir_insn left = *insn_at(b, x);
    if (c == 0) {
        switch (t->mode) {
        case IR_ULT: return builder_const(b, IR_I32, 0);
        case IR_UGE: return builder_const(b, IR_I32, 1);
        case IR_ULE: t->mode = IR_EQ; break;
        case IR_UGT: t->mode = IR_NE; break;
        }
    } else if (c == 1 && (t->mode == IR_ULT || t->mode == IR_UGE)) {
        t->mode = t->mode == IR_ULT ? IR_EQ : IR_NE;
        t->arg[1] = builder_const(b, (enum ir_type)left.type, 0);
        c = 0;
    }
    /* Unsigned and equal: what lies above the zero-extended part decides, or the narrow comparison does. */
    if (left.op == IR_ZEXT && left.type == IR_I64 && left.size == 4 && t->mode <= IR_UGT && c <= UINT32_MAX) {
        bool is_narrow = insn_at(b, left.arg[0])->type == IR_I32;
        ir_ref narrow = is_narrow ? left.arg[0] : unary(b, IR_TRUNC, IR_I32, 0, left.arg[0]);
        return builder_op(b, IR_CMP, IR_I32, 4, t->mode, 0, narrow, builder_const(b, IR_I32, c), IR_NONE, IR_NONE);
    }
    if (t->mode > IR_NE || c > 1)
        return IR_NONE;
    if (left.op == IR_ZEXT && is_truth(b, left.arg[0]))
        x = left.arg[0];
    if (is_truth(b, x))
        return (t->mode == IR_NE) == (c == 0) ? x : builder_negate(b, x);
    if (c == 0 && (left.op == IR_SUB || left.op == IR_XOR) && !(left.scratch & VALUE_BOUND))
        return builder_op(b, IR_CMP, IR_I32, t->size, t->mode, 0, left.arg[0], left.arg[1], IR_NONE, IR_NONE);
    return IR_NONE;
}

static ir_ref fold_cmp(struct builder *b, struct ir_insn *t)
{
    uint64_t x, y;
    bool x_const = constant(b, t->arg[0], &x), y_const = constant(b, t->arg[1], &y);
    if (x_const && y_const)
        return builder_const(b, IR_I32, compare(t->mode, t->size, x, y));
    if (t->arg[0] == t->arg[1])
        return builder_const(b, IR_I32, compare(t->mode, t->size, 0, 0));
    if (x_const) {
        static const uint8_t swapped[IR_CC_COUNT] = {IR_EQ,  IR_NE,  IR_UGT, IR_ULE, IR_UGE,
                                                     IR_ULT, IR_SGT, IR_SLE, IR_SGE, IR_SLT};
        ir_ref first = t->arg[0];
        t->arg[0] = t->arg[1];
        t->arg[1] = first;
        t->mode = swapped[t->mode];
        y = x;
        y_const = true;
    }
    return y_const ? fold_cmp_constant(b, t, y) : IR_NONE;
}

static ir_ref fold_select(struct builder *b, struct ir_insn *t)
{
    uint64_t c, x, y;
    if (constant(b, t->arg[0], &c))
        return c ? t->arg[1] : t->arg[2];
    if (t->arg[1] == t->arg[2])
        return t->arg[1];
    struct ir_insn cond = *insn_at(b, t->arg[0]);
    if (cond.op == IR_XOR && constant(b, cond.arg[1], &c) && c == 1) {
        t->arg[0] = cond.arg[0];
        ir_ref first = t->arg[1];
        t->arg[1] = t->arg[2];
        t->arg[2] = first;
    }
    bool integer = t->type == IR_I32 || t->type == IR_I64;
    if (integer && constant(b, t->arg[1], &x) && constant(b, t->arg[2], &y) && x <= 1 && x + y == 1) {
        ir_ref truth = x ? t->arg[0] : builder_negate(b, t->arg[0]);
        return t->type == IR_I32 ? truth : unary(b, IR_ZEXT, IR_I64, 4, truth);
    }
    return IR_NONE;
}

/* ---- addresses --------------------------------------------------------------------------------------------------- */

static bool displacement_fits(uint64_t d) { return (int64_t)d == (int32_t)d; }

/* base + (index << scale) + displacement: moves sums and shifts in the base and the index into it. Not those that a
   slot holds: the access may fault, so they have to be computed anyway, and using them frees their operands. */
void builder_fold_address(struct builder *b, struct ir_insn *t)
{
    uint64_t c;
    struct ir_insn base = *insn_at(b, t->arg[0]);
    while (base.op == IR_ADD && !(base.scratch & VALUE_BOUND)) {
        if (constant(b, base.arg[1], &c)) {
            if (!displacement_fits(t->imm + c))
                break;
            t->imm += c;
            t->arg[0] = base.arg[0];
        } else if (t->arg[1] == IR_NONE) {
            unsigned index = insn_at(b, base.arg[0])->op == IR_SHL && insn_at(b, base.arg[1])->op != IR_SHL ? 0 : 1;
            t->arg[1] = base.arg[index];
            t->arg[0] = base.arg[1 - index];
            t->mode &= (uint8_t)~IR_MEM_SCALE_BITS(3);
        } else {
            break;
        }
        base = *insn_at(b, t->arg[0]);
    }
    if (t->arg[1] == IR_NONE)
        return;
    unsigned scale = IR_MEM_SCALE(t->mode);
    if (constant(b, t->arg[1], &c)) {
        if (displacement_fits(t->imm + (c << scale))) {
            t->imm += c << scale;
            t->arg[1] = IR_NONE;
            t->mode &= (uint8_t)~IR_MEM_SCALE_BITS(3);
        }
        return;
    }
    const struct ir_insn *index = insn_at(b, t->arg[1]);
    if (index->op == IR_SHL && !(index->scratch & VALUE_BOUND) && constant(b, index->arg[1], &c) && c + scale <= 3) {
        t->arg[1] = index->arg[0];
        t->mode = (uint8_t)((t->mode & ~IR_MEM_SCALE_BITS(3)) | IR_MEM_SCALE_BITS(scale + (unsigned)c));
    }
}

/* ---- all together ------------------------------------------------------------------------------------------------ */

ir_ref builder_fold(struct builder *b, struct ir_insn *t)
{
    switch (t->op) {
    case IR_ADD: case IR_SUB: case IR_MUL: case IR_UMULH: case IR_SMULH: case IR_UDIV: case IR_SDIV:
    case IR_AND: case IR_OR: case IR_XOR: case IR_ANDN: case IR_SHL: case IR_SHR: case IR_SAR: case IR_ROR:
        return fold_binary(b, t);
    case IR_EXTR:
        return fold_extr(b, t);
    case IR_NOT: case IR_NEG: case IR_CLZ: case IR_CTZ: case IR_RBIT: case IR_BSWAP:
    case IR_ZEXT: case IR_SEXT: case IR_TRUNC: case IR_BITCAST:
        return fold_unary(b, t);
    case IR_SELECT:
        return fold_select(b, t);
    case IR_CMP:
        return fold_cmp(b, t);
    case IR_FLAGS_ADD: case IR_FLAGS_SUB: case IR_FLAGS_ADC: case IR_FLAGS_LOGIC: case IR_FLAGS_PACK:
    case IR_FLAGS_UNPACK: case IR_COND:
        return builder_fold_flags(b, t);
    case IR_LOAD: case IR_STORE: case IR_PREFETCH:
        builder_fold_address(b, t);
        return IR_NONE;
    default:
        return t->op >= IR_VLOW && t->op <= IR_VFCVTN ? builder_fold_vector(b, t) : IR_NONE;
    }
}

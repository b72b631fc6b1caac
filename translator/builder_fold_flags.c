/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Simplification of flags while appending. A condition on flags whose producer is known becomes a comparison of the
 * producer's operands, so that a compare and branch is one CMP that feeds the BRANCH; the flags themselves are then
 * only bound and SET, and computed where that happens.
 */
#include "translator/builder_private.h"

static inline bool constant(const struct builder *b, ir_ref ref, uint64_t *value)
{
    const struct ir_insn *insn = insn_at(b, ref);
    *value = insn->imm;
    return insn->op == IR_CONST;
}

static inline enum ir_type type_of_size(unsigned size) { return size == 8 ? IR_I64 : IR_I32; }

static ir_ref truth(struct builder *b, bool value) { return builder_const(b, IR_I32, value); }

static ir_ref compare(struct builder *b, enum ir_cc cc, unsigned size, ir_ref x, ir_ref y)
{
    return builder_op(b, IR_CMP, IR_I32, size, cc, 0, x, y, IR_NONE, IR_NONE);
}

static ir_ref compare_zero(struct builder *b, enum ir_cc cc, unsigned size, ir_ref x)
{
    return compare(b, cc, size, x, builder_const(b, type_of_size(size), 0));
}

/* The condition on constant flags. */
static bool holds(unsigned cond, uint64_t flags)
{
    bool n = flags & IR_FLAG_N, z = flags & IR_FLAG_Z, c = !(flags & IR_FLAG_NOT_C), v = flags & IR_FLAG_V;
    bool t = false;
    switch (cond & ~1u) {
    case IR_FLAG_EQ: t = z; break;
    case IR_FLAG_CS: t = c; break;
    case IR_FLAG_MI: t = n; break;
    case IR_FLAG_VS: t = v; break;
    case IR_FLAG_HI: t = c && !z; break;
    case IR_FLAG_GE: t = n == v; break;
    case IR_FLAG_GT: t = !z && n == v; break;
    }
    return t ^ (cond & 1);
}

/* x - y where the program has computed it and keeps it in a slot: then comparing that with zero frees x and y. */
static ir_ref existing_difference(struct builder *b, unsigned size, ir_ref x, ir_ref y)
{
    uint64_t c;
    struct ir_insn insn = {.op = IR_SUB, .type = (uint8_t)type_of_size(size), .arg = {x, y, IR_NONE, IR_NONE}};
    if (constant(b, y, &c)) {
        insn.op = IR_ADD;
        insn.arg[1] = builder_const(b, type_of_size(size), -c);
    }
    ir_ref difference = builder_find(b, &insn);
    return difference != IR_NONE && (insn_at(b, difference)->scratch & VALUE_BOUND) ? difference : IR_NONE;
}

static ir_ref cond_of_sub(struct builder *b, unsigned cond, const struct ir_insn *flags)
{
    ir_ref x = flags->arg[0], y = flags->arg[1];
    unsigned size = flags->size;
    switch (cond) {
    case IR_FLAG_EQ:
    case IR_FLAG_NE: {
        enum ir_cc cc = cond == IR_FLAG_EQ ? IR_EQ : IR_NE;
        ir_ref difference = existing_difference(b, size, x, y);
        return difference != IR_NONE ? compare_zero(b, cc, size, difference) : compare(b, cc, size, x, y);
    }
    case IR_FLAG_CS: return compare(b, IR_UGE, size, x, y);
    case IR_FLAG_CC: return compare(b, IR_ULT, size, x, y);
    case IR_FLAG_HI: return compare(b, IR_UGT, size, x, y);
    case IR_FLAG_LS: return compare(b, IR_ULE, size, x, y);
    case IR_FLAG_GE: return compare(b, IR_SGE, size, x, y);
    case IR_FLAG_LT: return compare(b, IR_SLT, size, x, y);
    case IR_FLAG_GT: return compare(b, IR_SGT, size, x, y);
    case IR_FLAG_LE: return compare(b, IR_SLE, size, x, y);
    case IR_FLAG_MI:
    case IR_FLAG_PL: {
        ir_ref difference = builder_op(b, IR_SUB, type_of_size(size), 0, 0, 0, x, y, IR_NONE, IR_NONE);
        return compare_zero(b, cond == IR_FLAG_MI ? IR_SLT : IR_SGE, size, difference);
    }
    default:
        return IR_NONE;
    }
}

static ir_ref cond_of_add(struct builder *b, unsigned cond, const struct ir_insn *flags)
{
    static const uint8_t cc[] = {
        [IR_FLAG_EQ] = IR_EQ,  [IR_FLAG_NE] = IR_NE,  [IR_FLAG_MI] = IR_SLT,
        [IR_FLAG_PL] = IR_SGE, [IR_FLAG_CS] = IR_ULT, [IR_FLAG_CC] = IR_UGE,
    };
    if (cond > IR_FLAG_PL)
        return IR_NONE;
    ir_ref x = flags->arg[0], y = flags->arg[1];
    unsigned size = flags->size;
    ir_ref sum = builder_op(b, IR_ADD, type_of_size(size), 0, 0, 0, x, y, IR_NONE, IR_NONE);
    if (cond == IR_FLAG_CS || cond == IR_FLAG_CC) /* a carry out leaves the sum below either operand */
        return compare(b, (enum ir_cc)cc[cond], size, sum, x);
    return compare_zero(b, (enum ir_cc)cc[cond], size, sum);
}

static ir_ref cond_of_logic(struct builder *b, unsigned cond, const struct ir_insn *flags)
{
    ir_ref x = flags->arg[0];
    unsigned size = flags->size;
    switch (cond) { /* C and V are 0 */
    case IR_FLAG_EQ: return compare_zero(b, IR_EQ, size, x);
    case IR_FLAG_NE: return compare_zero(b, IR_NE, size, x);
    case IR_FLAG_MI:
    case IR_FLAG_LT: return compare_zero(b, IR_SLT, size, x);
    case IR_FLAG_PL:
    case IR_FLAG_GE: return compare_zero(b, IR_SGE, size, x);
    case IR_FLAG_GT: return compare_zero(b, IR_SGT, size, x);
    case IR_FLAG_LE: return compare_zero(b, IR_SLE, size, x);
    case IR_FLAG_CC:
    case IR_FLAG_VC:
    case IR_FLAG_LS: return truth(b, true);
    default: return truth(b, false);
    }
}

/* Conditional compare leaves flags that are either a comparison's or constant. */
static ir_ref cond_of_select(struct builder *b, unsigned cond, const struct ir_insn *flags)
{
    uint64_t x, y;
    bool x_const = constant(b, flags->arg[1], &x), y_const = constant(b, flags->arg[2], &y);
    ir_ref chosen = flags->arg[0];
    if (x_const && y_const) {
        bool tx = holds(cond, x), ty = holds(cond, y);
        return tx == ty ? truth(b, tx) : tx ? chosen : builder_negate(b, chosen);
    }
    if (!x_const && !y_const)
        return IR_NONE;
    ir_ref other = builder_op(b, IR_COND, IR_I32, 0, cond, 0, flags->arg[x_const ? 2 : 1], IR_NONE, IR_NONE, IR_NONE);
    if (x_const) /* chosen ? constant : other */
        return holds(cond, x)
                   ? builder_op(b, IR_OR, IR_I32, 0, 0, 0, chosen, other, IR_NONE, IR_NONE)
                   : builder_op(b, IR_AND, IR_I32, 0, 0, 0, builder_negate(b, chosen), other, IR_NONE, IR_NONE);
    return holds(cond, y) ? builder_op(b, IR_OR, IR_I32, 0, 0, 0, builder_negate(b, chosen), other, IR_NONE, IR_NONE)
                          : builder_op(b, IR_AND, IR_I32, 0, 0, 0, chosen, other, IR_NONE, IR_NONE);
}

static ir_ref fold_cond(struct builder *b, struct ir_insn *t)
{
    struct ir_insn flags = *insn_at(b, t->arg[0]);
    switch (flags.op) {
    case IR_CONST:
        return truth(b, holds(t->mode, flags.imm));
    case IR_FLAGS_SUB:
        return cond_of_sub(b, t->mode, &flags);
    case IR_FLAGS_ADD:
        return cond_of_add(b, t->mode, &flags);
    case IR_FLAGS_LOGIC:
        return cond_of_logic(b, t->mode, &flags);
    case IR_SELECT:
        return cond_of_select(b, t->mode, &flags);
    case IR_FLAGS_FCMP: {
        /* The comparison raises the status that the flags would have raised, so it must stand for them: in the same
           block, with nothing between that touches the status. */
        if (t->arg[0] < b->p->fp_barrier)
            return IR_NONE;
        insn_at(b, t->arg[0])->mode |= IR_FCMP_COVERED;
        unsigned mode = t->mode | (flags.mode & IR_FLAGS_FCMP_SIGNAL ? IR_FCMP_SIGNAL : 0);
        return builder_op(b, IR_FCMP, IR_I32, flags.size, mode, 0, flags.arg[0], flags.arg[1], IR_NONE, IR_NONE);
    }
    default:
        return IR_NONE;
    }
}

static uint64_t smallest(unsigned size) { return size == 8 ? UINT64_C(1) << 63 : UINT64_C(1) << 31; }

static uint64_t pack(bool n, bool z, bool c, bool v)
{
    return (n ? IR_FLAG_N : 0) | (z ? IR_FLAG_Z : 0) | (c ? 0 : IR_FLAG_NOT_C) | (v ? IR_FLAG_V : 0);
}

/* N Z C V in bits 31:28. */
static uint64_t unpack(uint64_t flags)
{
    return (uint64_t)holds(IR_FLAG_MI, flags) << 31 | (uint64_t)holds(IR_FLAG_EQ, flags) << 30 |
           (uint64_t)holds(IR_FLAG_CS, flags) << 29 | (uint64_t)holds(IR_FLAG_VS, flags) << 28;
}

/* Flags of x + y + carry, for constants. */
static ir_ref constant_flags(struct builder *b, unsigned size, uint64_t x, uint64_t y, unsigned carry)
{
    uint64_t mask = size == 8 ? UINT64_MAX : UINT32_MAX;
    uint64_t r = (x + y + carry) & mask;
    bool c = r < x || (carry && r == x);
    bool v = ~(x ^ y) & (x ^ r) & smallest(size);
    return builder_const(b, IR_I32, pack(r & smallest(size), r == 0, c, v));
}

static ir_ref flags_of(struct builder *b, enum ir_op op, unsigned size, ir_ref x, ir_ref y)
{
    return builder_op(b, op, IR_I32, size, 0, 0, x, y, IR_NONE, IR_NONE);
}

static ir_ref fold_flags_add(struct builder *b, struct ir_insn *t)
{
    uint64_t x, y;
    if (insn_at(b, t->arg[0])->op == IR_CONST && insn_at(b, t->arg[1])->op != IR_CONST) {
        ir_ref first = t->arg[0];
        t->arg[0] = t->arg[1];
        t->arg[1] = first;
    }
    if (!constant(b, t->arg[1], &y))
        return IR_NONE;
    if (constant(b, t->arg[0], &x))
        return constant_flags(b, t->size, x, y, 0);
    if (y == 0)
        return flags_of(b, IR_FLAGS_LOGIC, t->size, t->arg[0], IR_NONE);
    if (y == smallest(t->size)) /* its negative is itself: the overflow differs */
        return IR_NONE;
    return flags_of(b, IR_FLAGS_SUB, t->size, t->arg[0], builder_const(b, type_of_size(t->size), -y));
}

static ir_ref fold_flags_adc(struct builder *b, struct ir_insn *t)
{
    uint64_t carry, x, y;
    if (!constant(b, t->arg[2], &carry))
        return IR_NONE;
    if (!carry)
        return flags_of(b, IR_FLAGS_ADD, t->size, t->arg[0], t->arg[1]);
    const struct ir_insn *right = insn_at(b, t->arg[1]);
    if (right->op == IR_NOT)
        return flags_of(b, IR_FLAGS_SUB, t->size, t->arg[0], right->arg[0]);
    if (!constant(b, t->arg[1], &y))
        return IR_NONE;
    if (constant(b, t->arg[0], &x))
        return constant_flags(b, t->size, x, y, 1);
    return flags_of(b, IR_FLAGS_SUB, t->size, t->arg[0], builder_const(b, type_of_size(t->size), ~y));
}

ir_ref builder_fold_flags(struct builder *b, struct ir_insn *t)
{
    uint64_t x, y;
    const struct ir_insn *first = insn_at(b, t->arg[0]);
    switch (t->op) {
    case IR_COND:
        return fold_cond(b, t);
    case IR_FLAGS_ADD:
        return fold_flags_add(b, t);
    case IR_FLAGS_ADC:
        return fold_flags_adc(b, t);
    case IR_FLAGS_SUB:
        if (constant(b, t->arg[0], &x) && constant(b, t->arg[1], &y))
            return constant_flags(b, t->size, x, t->size == 8 ? ~y : (uint32_t)~y, 1);
        return IR_NONE;
    case IR_FLAGS_LOGIC:
        if (constant(b, t->arg[0], &x))
            return builder_const(b, IR_I32, pack(x & smallest(t->size), x == 0, false, false));
        return IR_NONE;
    case IR_FLAGS_PACK:
        if (constant(b, t->arg[0], &x))
            return builder_const(b, IR_I32, pack(x >> 31 & 1, x >> 30 & 1, x >> 29 & 1, x >> 28 & 1));
        return first->op == IR_FLAGS_UNPACK ? first->arg[0] : IR_NONE;
    case IR_FLAGS_UNPACK:
        if (constant(b, t->arg[0], &x))
            return builder_const(b, IR_I32, unpack(x));
        if (first->op == IR_FLAGS_PACK)
            return builder_op(b, IR_AND, IR_I32, 0, 0, 0, first->arg[0], builder_const(b, IR_I32, 0xf0000000), IR_NONE,
                              IR_NONE);
        return IR_NONE;
    default:
        return IR_NONE;
    }
}

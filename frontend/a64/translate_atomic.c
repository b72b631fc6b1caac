/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Ordered and atomic accesses. Exclusive ones are in translate_exclusive.c. */
#include "frontend/a64/translate.h"

static unsigned access_bytes(const struct a64_translate *t) { return 1u << ldst_size(t); }

static ir_ref checked_address(struct a64_translate *t, unsigned bytes, int64_t offset, bool anywhere_in_16)
{
    ir_ref address = base_address(t);
    if (bytes == 1)
        return address;
    ir_ref first = offset ? b_add(t->b, address, b_i64(t->b, (uint64_t)offset)) : address, bits;
    if (anywhere_in_16 && bytes < 16) {
        /* the first and the last byte are on different sides of a multiple of 16 when bit 4 differs */
        ir_ref last = b_add(t->b, first, b_i64(t->b, bytes - 1));
        bits = b_and(t->b, b_trunc(t->b, b_xor(t->b, first, last)), b_i32(t->b, 16));
    } else {
        bits = b_and(t->b, b_trunc(t->b, first), b_i32(t->b, bytes - 1));
    }
    builder_guard(t->b, bits, TRAP_ALIGN_DATA, t->b->pc, 0);
    return address;
}

ir_ref atomic_address(struct a64_translate *t, unsigned bytes, int64_t offset)
{
    return checked_address(t, bytes, offset, has_feature(t, A64_FEAT_LSE2));
}

ir_ref aligned_address(struct a64_translate *t, unsigned bytes) { return checked_address(t, bytes, 0, false); }

/* ---- ordered ----------------------------------------------------------------------------------------------------- */

void a64_LDAR(struct a64_translate *t)
{
    put_x(t, Rt(t), b_load(t->b, IR_I64, access_bytes(t), IR_MEM_ORDERED, atomic_address(t, access_bytes(t), 0), 0));
}

void a64_STLR(struct a64_translate *t)
{
    b_store(t->b, access_bytes(t), IR_MEM_ORDERED, atomic_address(t, access_bytes(t), 0), 0, get_x(t, Rt(t)));
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

ir_ref pair_get(struct a64_translate *t, unsigned bytes, unsigned low, unsigned high)
{
    if (bytes == 16)
        return b_vinsert(t->b, 8, 1, v_from_int(t, 8, get_x(t, low)), get_x(t, high));
    return b_or(t->b, b_zext(t->b, IR_I64, 4, get_x(t, low)), b_shl(t->b, get_x(t, high), 32));
}

void pair_put(struct a64_translate *t, unsigned bytes, unsigned low, unsigned high, ir_ref value)
{
    bool wide = bytes == 16;
    ir_ref first = wide ? b_vextract(t->b, 8, 0, value) : b_zext(t->b, IR_I64, 4, value);
    ir_ref second = wide ? b_vextract(t->b, 8, 1, value) : b_shr(t->b, value, 32);
    put_x(t, low, first);
    put_x(t, high, second);
}

/* ---- compare and swap (FEAT_LSE) --------------------------------------------------------------------------------- */

static ir_ref compare_and_swap(struct a64_translate *t, unsigned bytes, ir_ref expected, ir_ref value)
{
    enum ir_type type = builder_type(t->b, expected);
    return builder_op(t->b, IR_CAS, type, bytes, 0, 0, atomic_address(t, bytes, 0), expected, value, IR_NONE);
}

void a64_CAS(struct a64_translate *t)
{
    if (access_bytes(t) == 8)
        put_x(t, Rs(t), compare_and_swap(t, 8, get_x(t, Rs(t)), get_x(t, Rt(t))));
    else
        put_w(t, Rs(t), compare_and_swap(t, access_bytes(t), get_w(t, Rs(t)), get_w(t, Rt(t))));
}

void a64_CASP(struct a64_translate *t)
{
    unsigned bytes = cas_sz(t) ? 16 : 8, s = Rs(t), n = Rt(t);
    ir_ref old = compare_and_swap(t, bytes, pair_get(t, bytes, s, s + 1), pair_get(t, bytes, n, n + 1));
    pair_put(t, bytes, s, s + 1, old);
}

/* ---- atomic memory operations (FEAT_LSE) ------------------------------------------------------------------------- */

static void atomic_operation(struct a64_translate *t, enum ir_rmw operation, bool invert)
{
    unsigned bytes = access_bytes(t);
    ir_ref operand = bytes == 8 ? get_x(t, Rs(t)) : get_w(t, Rs(t));
    if (invert)
        operand = b_not(t->b, operand);
    ir_ref old = builder_op(t->b, IR_RMW, bytes == 8 ? IR_I64 : IR_I32, bytes, operation, 0, atomic_address(t, bytes, 0),
                            operand, IR_NONE, IR_NONE);
    if (Rt(t) != 31)
        put_x(t, Rt(t), bytes == 8 ? old : b_zext(t->b, IR_I64, 4, old));
}

void a64_LDADD(struct a64_translate *t) { atomic_operation(t, IR_RMW_ADD, false); }
void a64_LDCLR(struct a64_translate *t) { atomic_operation(t, IR_RMW_AND, true); }
void a64_LDEOR(struct a64_translate *t) { atomic_operation(t, IR_RMW_XOR, false); }
void a64_LDSET(struct a64_translate *t) { atomic_operation(t, IR_RMW_OR, false); }
void a64_LDSMAX(struct a64_translate *t) { atomic_operation(t, IR_RMW_SMAX, false); }
void a64_LDSMIN(struct a64_translate *t) { atomic_operation(t, IR_RMW_SMIN, false); }
void a64_LDUMAX(struct a64_translate *t) { atomic_operation(t, IR_RMW_UMAX, false); }
void a64_LDUMIN(struct a64_translate *t) { atomic_operation(t, IR_RMW_UMIN, false); }
void a64_SWP(struct a64_translate *t) { atomic_operation(t, IR_RMW_XCHG, false); }

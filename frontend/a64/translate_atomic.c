/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Exclusive, ordered and atomic accesses.
 *
 * The exclusive monitor is two slots: the address that a load-exclusive armed and the value that it read. A
 * store-exclusive is a compare-and-swap against that value, so it also succeeds where memory was changed and changed
 * back in between; the architecture's own users (locks, counters, lists with tags) cannot tell, and every program that
 * runs on a CPU with LSE atomics lives with compare-and-swap anyway.
 */
#include "frontend/a64/translate.h"

static unsigned access_bytes(const struct a64_translate *t) { return 1u << ldst_size(t); }

static ir_ref aligned_address(struct a64_translate *t, unsigned bytes, int64_t offset, bool anywhere_in_16)
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
    return aligned_address(t, bytes, offset, has_feature(t, A64_FEAT_LSE2));
}

/* ---- ordered ----------------------------------------------------------------------------------------------------- */

void a64_LDAR(struct a64_translate *t)
{
    put_x(t, Rt(t), b_load(t->b, IR_I64, access_bytes(t), IR_MEM_ORDERED, atomic_address(t, access_bytes(t), 0), 0));
}

void a64_STLR(struct a64_translate *t)
{
    b_store(t->b, access_bytes(t), IR_MEM_ORDERED, atomic_address(t, access_bytes(t), 0), 0, get_x(t, Rt(t)));
}

/* ---- exclusive --------------------------------------------------------------------------------------------------- */

static unsigned load_order(const struct a64_translate *t) { return o0(t) ? IR_MEM_ORDERED : 0; }

static void arm_monitor(struct a64_translate *t, ir_ref address, ir_ref value)
{
    builder_put(t->b, A64_EXCL_ADDRESS, address);
    builder_put(t->b, A64_EXCL_VALUE, value);
}

static void disarm_monitor(struct a64_translate *t) { builder_put(t->b, A64_EXCL_ADDRESS, b_i64(t->b, A64_EXCL_NONE)); }

/** The 16 bytes low:high as a vector. */
static ir_ref join_pair(struct a64_translate *t, ir_ref low, ir_ref high)
{
    return b_vinsert(t->b, 8, 1, v_from_int(t, 8, low), high);
}

/** Two words as one i64. */
static ir_ref join_words(struct a64_translate *t, unsigned low, unsigned high)
{
    return b_or(t->b, b_zext(t->b, IR_I64, 4, get_x(t, low)), b_shl(t->b, get_x(t, high), 32));
}

void a64_LDXR(struct a64_translate *t)
{
    ir_ref address = atomic_address(t, access_bytes(t), 0);
    ir_ref value = b_load(t->b, IR_I64, access_bytes(t), load_order(t), address, 0);
    arm_monitor(t, address, v_from_int(t, 8, value));
    put_x(t, Rt(t), value);
}

void a64_LDXP(struct a64_translate *t)
{
    ir_ref address = atomic_address(t, cas_sz(t) ? 16 : 8, 0), low, high;
    if (cas_sz(t)) {
        ir_ref value = b_load(t->b, IR_V128, 16, load_order(t), address, 0);
        arm_monitor(t, address, value);
        low = b_vextract(t->b, 8, 0, value);
        high = b_vextract(t->b, 8, 1, value);
    } else {
        ir_ref value = b_load(t->b, IR_I64, 8, load_order(t), address, 0);
        arm_monitor(t, address, v_from_int(t, 8, value));
        low = b_zext(t->b, IR_I64, 4, value);
        high = b_shr(t->b, value, 32);
    }
    put_x(t, Rt(t), low);
    put_x(t, Rt2(t), high);
}

/** The status goes to Ws; the monitor is clear afterwards. The host's compare-and-swap orders everything around it. */
static void store_exclusive(struct a64_translate *t, unsigned bytes, ir_ref value)
{
    ir_ref armed = builder_get(t->b, A64_EXCL_ADDRESS), expected = builder_get(t->b, A64_EXCL_VALUE);
    if (bytes <= 8)
        expected = b_vextract(t->b, 8, 0, expected);
    /* AArch64.ExclusiveMonitorsPass() wants the address aligned, FEAT_LSE2 or not. */
    ir_ref address = aligned_address(t, bytes, 0, false);
    ir_ref status = builder_op(t->b, IR_STORE_EXCL, IR_I32, bytes, 0, 0, address, armed, expected, value);
    disarm_monitor(t);
    put_w(t, Rs(t), status);
}

void a64_STXR(struct a64_translate *t) { store_exclusive(t, access_bytes(t), get_x(t, Rt(t))); }

void a64_STXP(struct a64_translate *t)
{
    if (cas_sz(t))
        store_exclusive(t, 16, join_pair(t, get_x(t, Rt(t)), get_x(t, Rt2(t))));
    else
        store_exclusive(t, 8, join_words(t, Rt(t), Rt2(t)));
}

void a64_CLREX(struct a64_translate *t) { disarm_monitor(t); }

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
    unsigned s = Rs(t), n = Rt(t);
    ir_ref low, high;
    if (cas_sz(t)) {
        ir_ref expected = join_pair(t, get_x(t, s), get_x(t, s + 1));
        ir_ref old = compare_and_swap(t, 16, expected, join_pair(t, get_x(t, n), get_x(t, n + 1)));
        low = b_vextract(t->b, 8, 0, old);
        high = b_vextract(t->b, 8, 1, old);
    } else {
        ir_ref old = compare_and_swap(t, 8, join_words(t, s, s + 1), join_words(t, n, n + 1));
        low = b_zext(t->b, IR_I64, 4, old);
        high = b_shr(t->b, old, 32);
    }
    put_x(t, s, low);
    put_x(t, s + 1, high);
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

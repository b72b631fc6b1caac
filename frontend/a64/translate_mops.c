/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Memory copy and memory set (FEAT_MOPS, Arm ARM DDI 0487, C6.2 CPY* and SET*), by the architecture's option A.
 *
 * The prologue does all of the work as far as that is possible at once, and leaves in Xn what remains: negative and
 * relative to the ends for forward operations, positive and relative to the starts for backward ones. The main part
 * does nothing. The epilogue, if something remains (memory that cannot be accessed, or a great deal), completes the
 * operation from complete guest state: see mops.c.
 */
#include "frontend/a64/translate.h"

/** The manual's CONSTRAINED UNPREDICTABLE cases are undefined here. */
static bool registers_differ(const struct a64_translate *t)
{
    return Rd(t) != Rn(t) && Rd(t) != Rs(t) && Rn(t) != Rs(t) && Rd(t) != 31 && Rn(t) != 31;
}

static ir_ref limit(struct a64_translate *t, ir_ref size, uint64_t most)
{
    ir_ref most_ref = b_i64(t->b, most);
    return b_select(t->b, b_cmp(t->b, IR_ULT, size, most_ref), size, most_ref);
}

/** Bits 55:0 of the address. */
static ir_ref untagged(struct a64_translate *t, ir_ref address)
{
    return b_and(t->b, address, b_i64(t->b, (UINT64_C(1) << 56) - 1));
}

/** CPYP: backward when the start of the target lies within the source (MemCpyDirectionChoice). */
static ir_ref goes_backward(struct a64_translate *t, ir_ref to, ir_ref from, ir_ref size)
{
    ir_ref distance = b_sub(t->b, untagged(t, to), untagged(t, from));
    ir_ref above = b_cmp(t->b, IR_NE, distance, b_i64(t->b, 0));
    return b_and(t->b, above, b_cmp(t->b, IR_ULT, distance, size));
}

void a64_CPYP(struct a64_translate *t)
{
    if (!registers_differ(t) || Rs(t) == 31) {
        undefined(t);
        return;
    }
    bool forward_only = !V(t);
    ir_ref to = get_x(t, Rd(t)), from = get_x(t, Rs(t)), zero = b_i64(t->b, 0);
    ir_ref size = limit(t, get_x(t, Rn(t)), forward_only ? INT64_MAX : UINT64_C(0x007fffffffffffff));
    ir_ref backward = forward_only ? b_i32(t->b, 0) : goes_backward(t, to, from, size);
    builder_watch_range(t->b, untagged(t, from), size, false);
    builder_watch_range(t->b, untagged(t, to), size, true);
    ir_ref done = CALL_HELPER(t, memory_copy, to, from, size, backward);
    ir_ref step = b_select(t->b, backward, zero, size), left = b_sub(t->b, size, done);
    put_x(t, Rd(t), b_add(t->b, to, step));
    put_x(t, Rs(t), b_add(t->b, from, step));
    put_x(t, Rn(t), b_select(t->b, backward, left, b_neg(t->b, left)));
    put_nzcv(t, b_i32(t->b, pack_nzcv(0)));
}

void a64_CPYM(struct a64_translate *t)
{
    if (!registers_differ(t) || Rs(t) == 31)
        undefined(t);
}

/** Goes on with what remains, and is executed again when that is done. */
static void complete(struct a64_translate *t)
{
    ir_ref remains = b_cmp(t->b, IR_NE, get_x(t, Rn(t)), b_i64(t->b, 0));
    builder_guard(t->b, remains, TRAP_EXECUTE, t->b->pc, t->word);
}

void a64_CPYE(struct a64_translate *t)
{
    if (!registers_differ(t) || Rs(t) == 31)
        undefined(t);
    else
        complete(t);
}

void a64_SETP(struct a64_translate *t)
{
    if (!registers_differ(t)) {
        undefined(t);
        return;
    }
    ir_ref to = get_x(t, Rd(t)), size = limit(t, get_x(t, Rn(t)), INT64_MAX);
    builder_watch_range(t->b, untagged(t, to), size, true);
    ir_ref done = CALL_HELPER(t, memory_set, to, size, get_w(t, Rs(t)));
    put_x(t, Rd(t), b_add(t->b, to, size));
    put_x(t, Rn(t), b_sub(t->b, done, size));
    put_nzcv(t, b_i32(t->b, pack_nzcv(0)));
}

void a64_SETM(struct a64_translate *t)
{
    if (!registers_differ(t))
        undefined(t);
}

void a64_SETE(struct a64_translate *t)
{
    if (!registers_differ(t))
        undefined(t);
    else
        complete(t);
}

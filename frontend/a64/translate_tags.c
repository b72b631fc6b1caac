/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arithmetic on logical address tags, bits 59:56 (FEAT_MTE). Without FEAT_MTE2 access to allocation tags is disabled, so the
 * tag that IRG, ADDG and SUBG insert is zero (Arm ARM DDI 0487, AArch64.AllocationTagAccessIsEnabled()).
 */
#include "frontend/a64/translate.h"

static ir_ref without_tag(struct a64_translate *t, ir_ref address)
{
    return b_and(t->b, address, b_i64(t->b, ~(UINT64_C(15) << 56)));
}

static ir_ref offset_of(struct a64_translate *t) { return b_i64(t->b, (uint64_t)tag_uimm6(t) * 16); }

void a64_ADDG(struct a64_translate *t)
{
    put_x_sp(t, Rd(t), without_tag(t, b_add(t->b, get_x_sp(t, Rn(t)), offset_of(t))));
}

void a64_SUBG(struct a64_translate *t)
{
    put_x_sp(t, Rd(t), without_tag(t, b_sub(t->b, get_x_sp(t, Rn(t)), offset_of(t))));
}

void a64_IRG(struct a64_translate *t) { put_x_sp(t, Rd(t), without_tag(t, get_x_sp(t, Rn(t)))); }

void a64_GMI(struct a64_translate *t)
{
    ir_ref tag = b_and(t->b, b_shr(t->b, get_x_sp(t, Rn(t)), 56), b_i64(t->b, 15));
    put_x(t, Rd(t), b_or(t->b, get_x(t, Rm(t)), b_bin(t->b, IR_SHL, b_i64(t->b, 1), tag)));
}

/** Bits 55:0, sign-extended. */
static ir_ref address_bits(struct a64_translate *t, unsigned n) { return b_sar(t->b, b_shl(t->b, get_x_sp(t, n), 8), 8); }

void a64_SUBP(struct a64_translate *t)
{
    put_x(t, Rd(t), b_sub(t->b, address_bits(t, Rn(t)), address_bits(t, Rm(t))));
}

void a64_SUBPS(struct a64_translate *t)
{
    ir_ref x = address_bits(t, Rn(t)), y = address_bits(t, Rm(t));
    put_x(t, Rd(t), b_sub(t->b, x, y));
    put_nzcv(t, b_flags(t->b, IR_FLAGS_SUB, x, y, IR_NONE));
}

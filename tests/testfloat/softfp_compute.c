/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tasks of reference.h by translator/softfp.h. */
#include "tests/testfloat/softfp_compute.h"

#include "translator/softfp.h"

static uint64_t mask_if(bool condition, unsigned bits)
{
    return condition ? UINT64_MAX >> (64 - bits) : 0;
}

static uint64_t compute(const struct task *t, struct softfp *env, enum softfp_round rounding, uint64_t a, uint64_t b,
                        uint64_t c)
{
    unsigned bits = t->bits;
    enum softfp_relation relation;
    switch (t->op) {
    case OP_ADD:
        return softfp_add(env, bits, a, b);
    case OP_SUB:
        return softfp_sub(env, bits, a, b);
    case OP_MUL:
        return softfp_mul(env, bits, a, b);
    case OP_NMUL:
        return softfp_neg(bits, softfp_mul(env, bits, a, b));
    case OP_DIV:
        return softfp_div(env, bits, a, b);
    case OP_MULX:
        return softfp_mulx(env, bits, a, b);
    case OP_ABD:
        return softfp_abs(bits, softfp_sub(env, bits, a, b));
    case OP_MAX:
        return softfp_max(env, bits, a, b);
    case OP_MIN:
        return softfp_min(env, bits, a, b);
    case OP_MAXNM:
        return softfp_maxnm(env, bits, a, b);
    case OP_MINNM:
        return softfp_minnm(env, bits, a, b);
    case OP_RECPS: /* these negate the first one themselves */
        return softfp_recip_step(env, bits, softfp_neg(bits, a), b);
    case OP_RSQRTS:
        return softfp_rsqrt_step(env, bits, softfp_neg(bits, a), b);
    case OP_MULADD:
        return softfp_muladd(env, bits, c, a, b);
    case OP_MULADD_LONG:
        return softfp_muladdh(env, (uint32_t)c, (uint16_t)a, (uint16_t)b);
    case OP_SQRT:
        return softfp_sqrt(env, bits, a);
    case OP_RECPE:
        return softfp_recip_estimate(env, bits, a);
    case OP_RSQRTE:
        return softfp_rsqrt_estimate(env, bits, a);
    case OP_RECPX:
        return softfp_recpx(env, bits, a);
    case OP_ROUND:
        return softfp_round_int(env, bits, a, rounding, t->exact);
    case OP_ROUND_N:
        return softfp_round_int_n(env, bits, a, rounding, t->fraction);
    case OP_CONVERT:
        env->rounding = (uint8_t)rounding;
        return softfp_convert(env, t->to_bits, bits, a);
    case OP_CONVERT_BF16:
        return softfp_convert_bf16(env, (uint32_t)a);
    case OP_TO_FIXED:
        return softfp_to_fixed(env, bits, a, t->fraction, t->is_unsigned, t->to_bits, rounding);
    case OP_FROM_FIXED:
        return softfp_from_fixed(env, t->to_bits, a, t->fraction, t->is_unsigned, bits);
    case OP_TO_JAVASCRIPT: {
        bool z;
        uint64_t value = softfp_to_fixed_js(env, a, &z);
        return value | (uint64_t)z << 62;
    }
    case OP_CMEQ:
        return mask_if(softfp_compare(env, bits, a, b, false) == SOFTFP_EQUAL, bits);
    case OP_CMGT:
        return mask_if(softfp_compare(env, bits, a, b, true) == SOFTFP_GREATER, bits);
    case OP_CMGE:
        relation = softfp_compare(env, bits, a, b, true);
        return mask_if(relation == SOFTFP_GREATER || relation == SOFTFP_EQUAL, bits);
    default:
        return (uint64_t)softfp_compare(env, bits, a, b, t->signal) << 60;
    }
}

struct answer softfp_compute(const struct task *t, uint32_t fpcr, uint64_t a, uint64_t b, uint64_t c)
{
    struct softfp env = softfp_from_fpcr(fpcr);
    enum softfp_round rounding = t->rounding == ROUND_CURRENT ? env.rounding : t->rounding - ROUND_NEAREST;
    if (t->absolute & 1)
        a = softfp_abs(t->bits, a);
    if (t->absolute & 2)
        b = softfp_abs(t->bits, b);
    if (t->negate & 1)
        a = softfp_neg(t->bits, a);
    if (t->negate & 4)
        c = softfp_neg(t->bits, c);
    uint64_t value = compute(t, &env, rounding, a, b, c);
    return (struct answer){value, env.flags};
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The IR's floating-point operations, one lane after the other, in the environment that the host's MXCSR describes. */
#include <string.h>

#include "translator/softfp.h"

enum softfp_round softfp_rounding_from_mxcsr(void)
{
    static const uint8_t by_rc[4] = {SOFTFP_NEAREST, SOFTFP_DOWN, SOFTFP_UP, SOFTFP_ZERO};
    return by_rc[_mm_getcsr() >> 13 & 3];
}

void softfp_raise_mxcsr(uint32_t flags)
{
    uint32_t sticky = (flags & SOFTFP_IOC ? 1u << 0 : 0) | (flags & SOFTFP_DZC ? 1u << 2 : 0) |
                      (flags & SOFTFP_OFC ? 1u << 3 : 0) | (flags & SOFTFP_UFC ? 1u << 4 : 0) |
                      (flags & SOFTFP_IXC ? 1u << 5 : 0);
    uint32_t mxcsr = _mm_getcsr();
    if ((mxcsr & sticky) != sticky) { /* loading MXCSR is slow */
        _mm_setcsr(mxcsr | sticky);
    }
}

bool softfp_relation_holds(unsigned nzcv, enum ir_flag_cond cond)
{
    bool n = nzcv & 8, z = nzcv & 4, c = nzcv & 2, v = nzcv & 1;
    bool holds = false;
    switch (cond & ~1u) {
    case IR_FLAG_EQ:
        holds = z;
        break;
    case IR_FLAG_CS:
        holds = c;
        break;
    case IR_FLAG_MI:
        holds = n;
        break;
    case IR_FLAG_VS:
        holds = v;
        break;
    case IR_FLAG_HI:
        holds = c && !z;
        break;
    case IR_FLAG_GE:
        holds = n == v;
        break;
    case IR_FLAG_GT:
        holds = !z && n == v;
        break;
    }
    return holds != (cond & 1);
}

/* ---- one lane --------------------------------------------------------------------------------------------------- */

/* What an operation needs to know beside its operands. */
struct lane {
    unsigned from, to; /* bits of an operand and of the result */
    unsigned mode;
};

typedef uint64_t lane_function(struct softfp *env, const struct lane *lane, const uint64_t arg[3]);

static enum softfp_round rounding_of(const struct softfp *env, unsigned mode)
{
    enum ir_round rounding = IR_ROUND(mode);
    return rounding == IR_ROUND_CURRENT ? (enum softfp_round)env->rounding : (enum softfp_round)rounding;
}

#define UNARY(name)                                                                                                    \
    static uint64_t lane_##name(struct softfp *env, const struct lane *lane, const uint64_t arg[3])                    \
    {                                                                                                                  \
        return softfp_##name(env, lane->to, arg[0]);                                                                   \
    }
#define BINARY(name)                                                                                                   \
    static uint64_t lane_##name(struct softfp *env, const struct lane *lane, const uint64_t arg[3])                    \
    {                                                                                                                  \
        return softfp_##name(env, lane->to, arg[0], arg[1]);                                                           \
    }
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
UNARY(sqrt)
BINARY(min)
BINARY(max)
BINARY(minnm)
BINARY(maxnm)
BINARY(mulx)
BINARY(recip_step)
BINARY(rsqrt_step)
UNARY(recip_estimate)
UNARY(rsqrt_estimate)
UNARY(recpx)
#undef UNARY
#undef BINARY

static uint64_t lane_muladd(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_muladd(env, lane->to, arg[2], arg[0], arg[1]);
}

static uint64_t lane_round_int(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_round_int(env, lane->to, arg[0], rounding_of(env, lane->mode), lane->mode & IR_ROUND_INEXACT);
}

static uint64_t lane_convert(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_convert(env, lane->to, lane->from, arg[0]);
}

static uint64_t lane_muladdh(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    (void)lane;
    return softfp_muladdh(env, (uint32_t)arg[2], (uint16_t)arg[0], (uint16_t)arg[1]);
}

static uint64_t lane_round_int_n(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_round_int_n(env, lane->to, arg[0], rounding_of(env, lane->mode),
                              lane->mode & IR_ROUND_TO_64 ? 64 : 32);
}

static uint64_t lane_convert_odd(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    env->rounding = SOFTFP_ODD;
    return softfp_convert(env, lane->to, lane->from, arg[0]);
}

static uint64_t lane_convert_bf16(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    (void)lane;
    return softfp_convert_bf16(env, (uint32_t)arg[0]);
}

static uint64_t lane_from_signed(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_from_fixed(env, lane->to, arg[0], lane->mode, false, lane->from);
}

static uint64_t lane_from_unsigned(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return softfp_from_fixed(env, lane->to, arg[0], lane->mode, true, lane->from);
}

static uint64_t to_integer(struct softfp *env, const struct lane *lane, uint64_t arg, bool is_unsigned)
{
    unsigned fraction = IR_FRACTION(lane->mode);
    return softfp_to_fixed(env, lane->from, arg, fraction, is_unsigned, lane->to,
                           fraction ? SOFTFP_ZERO : rounding_of(env, lane->mode));
}

static uint64_t lane_to_signed(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return to_integer(env, lane, arg[0], false);
}

static uint64_t lane_to_unsigned(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    return to_integer(env, lane, arg[0], true);
}

static uint64_t lane_to_javascript(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    (void)lane;
    bool z;
    return softfp_to_fixed_js(env, arg[0], &z);
}

static uint64_t lane_compare(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    bool signal = lane->mode & IR_FCMP_SIGNAL;
    return softfp_relation_holds(softfp_compare(env, lane->from, arg[0], arg[1], signal), IR_FCMP_COND(lane->mode));
}

static uint64_t lane_compare_flags(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    bool signal = lane->mode & IR_FLAGS_FCMP_SIGNAL;
    return softfp_relation_flags(softfp_compare(env, lane->from, arg[0], arg[1], signal));
}

static uint64_t lane_compare_mask(struct softfp *env, const struct lane *lane, const uint64_t arg[3])
{
    enum ir_flag_cond cond = IR_FCMP_COND(lane->mode);
    enum softfp_relation relation = softfp_compare(env, lane->from, arg[0], arg[1], cond != IR_FLAG_EQ);
    return -(uint64_t)softfp_relation_holds(relation, cond);
}

static lane_function *const lane_functions[IR_OP_COUNT] = {
    [IR_FADD] = lane_add,           [IR_FSUB] = lane_sub,
    [IR_FMUL] = lane_mul,           [IR_FDIV] = lane_div,
    [IR_FSQRT] = lane_sqrt,         [IR_FMA] = lane_muladd,
    [IR_FMIN] = lane_min,           [IR_FMAX] = lane_max,
    [IR_FMINNM] = lane_minnm,       [IR_FMAXNM] = lane_maxnm,
    [IR_FRINT] = lane_round_int,    [IR_FCVT] = lane_convert,
    [IR_SITOF] = lane_from_signed,  [IR_UITOF] = lane_from_unsigned,
    [IR_FTOSI] = lane_to_signed,    [IR_FTOUI] = lane_to_unsigned,
    [IR_FCMP] = lane_compare,       [IR_FLAGS_FCMP] = lane_compare_flags,
    [IR_VFADD] = lane_add,          [IR_VFSUB] = lane_sub,
    [IR_VFMUL] = lane_mul,          [IR_VFDIV] = lane_div,
    [IR_VFSQRT] = lane_sqrt,        [IR_VFMA] = lane_muladd,
    [IR_VFMIN] = lane_min,          [IR_VFMAX] = lane_max,
    [IR_VFMINNM] = lane_minnm,      [IR_VFMAXNM] = lane_maxnm,
    [IR_VFCMP] = lane_compare_mask, [IR_VFRINT] = lane_round_int,
    [IR_VSITOF] = lane_from_signed, [IR_VUITOF] = lane_from_unsigned,
    [IR_VFTOSI] = lane_to_signed,   [IR_VFTOUI] = lane_to_unsigned,
    [IR_VFCVTL] = lane_convert,     [IR_VFCVTN] = lane_convert,
    [IR_FTOJS] = lane_to_javascript,
    [IR_VFRINTN] = lane_round_int_n,
    [IR_VFMULX] = lane_mulx,
    [IR_VFRECPS] = lane_recip_step, [IR_VFRSQRTS] = lane_rsqrt_step,
    [IR_VFRECPE] = lane_recip_estimate,
    [IR_VFRSQRTE] = lane_rsqrt_estimate,
    [IR_VFRECPX] = lane_recpx,
    [IR_VFMLAL] = lane_muladdh,
    [IR_VFCVTXN] = lane_convert_odd,
    [IR_VFCVTBF] = lane_convert_bf16,
};

bool softfp_evaluates(enum ir_op op)
{
    return lane_functions[op] != NULL;
}

/* ---- all lanes -------------------------------------------------------------------------------------------------- */

void softfp_eval_ir(const struct ir_insn *insn, const __m128i operands[3], __m128i *result)
{
    lane_function *function = lane_functions[insn->op];
    struct softfp env = {.rounding = (uint8_t)softfp_rounding_from_mxcsr()};
    /* Bytes of a lane of the operands and of the result. A scalar is one lane; where its operand may have another
       type than its result, insn.size tells, and only there. */
    unsigned to = insn->type == IR_V128 ? insn->size : insn->type == IR_I64 || insn->type == IR_F64 ? 8 : 4;
    unsigned from = insn->size ? insn->size : to;
    unsigned lanes = insn->type == IR_V128 ? 16 / insn->size : 1;
    if (insn->op == IR_VFCVTL) {
        to = from * 2;
        lanes = 16 / to;
    } else if (insn->op >= IR_VFCVTXN) {
        to = from / 2;
    }
    unsigned factor = insn->op == IR_VFMLAL ? 2 : from; /* bytes of a lane of operands other than the third */

    const struct lane lane = {from * 8, to * 8, insn->mode};
    uint8_t bytes[16] = {0};
    for (unsigned i = 0; i < lanes; i++) {
        uint64_t arg[3] = {0};
        for (unsigned k = 0; k < 3; k++) {
            unsigned size = k < 2 ? factor : from;
            memcpy(&arg[k], (const uint8_t *)&operands[k] + i * size, size);
        }
        uint64_t value = function(&env, &lane, arg);
        memcpy(bytes + i * to, &value, to);
    }
    memcpy(result, bytes, sizeof bytes);
    softfp_raise_mxcsr(env.flags);
}

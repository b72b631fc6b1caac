/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector operations, lane after lane. Lane i of a vector of lanes of n bytes is its bytes i * n … i * n + n - 1. */
#include <string.h>

#include "backend/interp/interp.h"

static uint64_t lane(const union interp_value *v, unsigned size, unsigned i)
{
    uint64_t value = 0;
    memcpy(&value, v->bytes + i * size, size);
    return value;
}

static int64_t signed_lane(const union interp_value *v, unsigned size, unsigned i)
{
    unsigned unused = 64 - size * 8;
    return (int64_t)(lane(v, size, i) << unused) >> unused;
}

static void set_lane(union interp_value *v, unsigned size, unsigned i, uint64_t value)
{
    memcpy(v->bytes + i * size, &value, size);
}

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned unused = 64 - size * 8;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

/* ---- the same on every lane ------------------------------------------------------------------------------------- */

static uint64_t shift_left(uint64_t value, unsigned amount)
{
    return amount > 63 ? 0 : value << amount;
}

static uint64_t shift_right(uint64_t value, unsigned amount)
{
    return amount > 63 ? 0 : value >> amount;
}

static uint64_t shift_right_signed(int64_t value, unsigned amount)
{
    return (uint64_t)(value >> (amount > 63 ? 63 : amount));
}

static __int128 clamp(__int128 value, __int128 low, __int128 high)
{
    return value < low ? low : value > high ? high : value;
}

static uint64_t saturate_signed(__int128 value, unsigned size)
{
    __int128 limit = (__int128)1 << (size * 8 - 1);
    return (uint64_t)clamp(value, -limit, limit - 1);
}

static uint64_t saturate_unsigned(__int128 value, unsigned size)
{
    return (uint64_t)clamp(value, 0, ((__int128)1 << size * 8) - 1);
}

static uint64_t all_ones_if(bool condition)
{
    return -(uint64_t)condition;
}

static void eval_lanes1(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned size = insn->size, amount = (unsigned)insn->imm;
    for (unsigned i = 0; i < 16u / size; i++) {
        uint64_t a = lane(&arg[0], size, i), r = 0;
        int64_t sa = signed_lane(&arg[0], size, i);
        uint64_t top = UINT64_C(1) << (size * 8 - 1);
        switch (insn->op) {
        case IR_VNEG:
            r = -a;
            break;
        case IR_VABS:
            r = sa < 0 ? -a : a;
            break;
        case IR_VSHL:
            r = shift_left(a, amount);
            break;
        case IR_VSHR:
            r = shift_right(a, amount);
            break;
        case IR_VSAR:
            r = shift_right_signed(sa, amount);
            break;
        case IR_VROR:
            r = a >> amount | a << (size * 8 - amount);
            break;
        case IR_VCLZ:
            r = a ? (unsigned)__builtin_clzll(a) - (64 - size * 8) : size * 8;
            break;
        case IR_VPOPCNT:
            r = (uint64_t)__builtin_popcountll(a);
            break;
        case IR_VFNEG:
            r = a ^ top;
            break;
        case IR_VFABS:
            r = a & ~top;
            break;
        }
        set_lane(result, size, i, r);
    }
}

static void eval_lanes2(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned size = insn->size;
    for (unsigned i = 0; i < 16u / size; i++) {
        uint64_t a = lane(&arg[0], size, i), b = lane(&arg[1], size, i), r = 0;
        int64_t sa = signed_lane(&arg[0], size, i), sb = signed_lane(&arg[1], size, i);
        int amount = (int8_t)b;
        switch (insn->op) {
        case IR_VADD:
            r = a + b;
            break;
        case IR_VSUB:
            r = a - b;
            break;
        case IR_VMUL:
            r = a * b;
            break;
        case IR_VMULHS:
            r = (uint64_t)((__int128)sa * sb >> size * 8);
            break;
        case IR_VDMULH:
            r = (uint64_t)(((__int128)sa * sb * 2 + (insn->imm ? ((__int128)1 << (size * 8 - 1)) + 1 - (int)insn->imm : 0)) >>
                           size * 8);
            break;
        case IR_VSMIN:
            r = sa < sb ? a : b;
            break;
        case IR_VSMAX:
            r = sa > sb ? a : b;
            break;
        case IR_VUMIN:
            r = a < b ? a : b;
            break;
        case IR_VUMAX:
            r = a > b ? a : b;
            break;
        case IR_VCMPEQ:
            r = all_ones_if(a == b);
            break;
        case IR_VCMPGTS:
            r = all_ones_if(sa > sb);
            break;
        case IR_VCMPGTU:
            r = all_ones_if(a > b);
            break;
        case IR_VSHLS:
            r = amount >= 0 ? shift_left(a, (unsigned)amount) : shift_right_signed(sa, (unsigned)-amount);
            break;
        case IR_VSHLU:
            r = amount >= 0 ? shift_left(a, (unsigned)amount) : shift_right(a, (unsigned)-amount);
            break;
        case IR_VQADDS:
            r = saturate_signed((__int128)sa + sb, size);
            break;
        case IR_VQADDU:
            r = saturate_unsigned((__int128)a + b, size);
            break;
        case IR_VQSUBS:
            r = saturate_signed((__int128)sa - sb, size);
            break;
        case IR_VQSUBU:
            r = saturate_unsigned((__int128)a - b, size);
            break;
        case IR_VAVGU:
            r = (a + b + 1) >> 1;
            break;
        }
        set_lane(result, size, i, r);
    }
}

static void eval_logic(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    for (unsigned i = 0; i < 2; i++) {
        uint64_t a = arg[0].half[i], b = arg[1].half[i], c = arg[2].half[i], r = 0;
        switch (insn->op) {
        case IR_VAND:
            r = a & b;
            break;
        case IR_VOR:
            r = a | b;
            break;
        case IR_VXOR:
            r = a ^ b;
            break;
        case IR_VANDN:
            r = a & ~b;
            break;
        case IR_VNOT:
            r = ~a;
            break;
        case IR_VBSL:
            r = (a & b) | (~a & c);
            break;
        }
        result->half[i] = r;
    }
}

/* ---- moving lanes ----------------------------------------------------------------------------------------------- */

static void eval_duplicate(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned from = insn->op == IR_VDUP ? 0 : (unsigned)insn->imm;
    for (unsigned i = 0; i < 16u / insn->size; i++) {
        set_lane(result, insn->size, i, lane(&arg[0], insn->size, from));
    }
}

static void eval_extract(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    result->u64 = lane(&arg[0], insn->size, (unsigned)insn->imm);
}

static void eval_insert(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    *result = arg[0];
    set_lane(result, insn->size, (unsigned)insn->imm, arg[1].u64);
}

static void eval_permute(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned size = insn->size, lanes = 16 / size, half = lanes / 2;
    for (unsigned i = 0; i < lanes; i++) {
        unsigned from = 0;    /* lane of the pair b:a */
        unsigned odd = i & 1; /* lanes from a and b in turn */
        switch (insn->op) {
        case IR_VZIP1:
            from = i / 2 + odd * lanes;
            break;
        case IR_VZIP2:
            from = half + i / 2 + odd * lanes;
            break;
        case IR_VUZP1:
            from = 2 * i;
            break;
        case IR_VUZP2:
            from = 2 * i + 1;
            break;
        case IR_VTRN1:
            from = i - odd + odd * lanes;
            break;
        case IR_VTRN2:
            from = i - odd + 1 + odd * lanes;
            break;
        }
        set_lane(result, size, i, lane(&arg[from / lanes], size, from % lanes));
    }
}

static void eval_shuffle(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    for (unsigned i = 0; i < 4; i++) {
        set_lane(result, 4, i, lane(&arg[i / 2], 4, insn->imm >> (2 * i) & 3));
    }
}

static void eval_ext(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned from = i + (unsigned)insn->imm;
        result->bytes[i] = arg[from / 16].bytes[from % 16];
    }
}

static void eval_reverse(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned group = insn->mode / insn->size; /* lanes, a power of two */
    for (unsigned i = 0; i < 16u / insn->size; i++) {
        set_lane(result, insn->size, i, lane(&arg[0], insn->size, i ^ (group - 1)));
    }
}

static void eval_table(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    for (unsigned i = 0; i < 16; i++) {
        unsigned index = arg[1].bytes[i];
        result->bytes[i] = index < 16 ? arg[0].bytes[index] : 0;
    }
}

static void eval_low64(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    result->u64 = arg[0].u64;
}

/* ---- between lane sizes ----------------------------------------------------------------------------------------- */

static void eval_widen(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    for (unsigned i = 0; i < 8u / insn->size; i++) {
        uint64_t a = lane(&arg[0], insn->size, i);
        set_lane(result, insn->size * 2u, i, insn->op == IR_VSXTL ? sign_extend(a, insn->size) : a);
    }
}

static void eval_narrow(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned half = insn->size / 2u;
    for (unsigned i = 0; i < 16u / insn->size; i++) {
        uint64_t a = lane(&arg[0], insn->size, i), r = a;
        int64_t sa = signed_lane(&arg[0], insn->size, i);
        switch (insn->op) {
        case IR_VQXTNS:
            r = saturate_signed(sa, half);
            break;
        case IR_VQXTNU:
            r = saturate_unsigned(a, half);
            break;
        case IR_VQXTUN:
            r = saturate_unsigned(sa, half);
            break;
        }
        set_lane(result, half, i, r);
    }
}

static void eval_multiply_long(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    for (unsigned i = 0; i < 8u / insn->size; i++) {
        uint64_t a = lane(&arg[0], insn->size, i), b = lane(&arg[1], insn->size, i);
        if (insn->op == IR_VMULLS) {
            a = sign_extend(a, insn->size);
            b = sign_extend(b, insn->size);
        }
        set_lane(result, insn->size * 2u, i, a * b);
    }
}

static void eval_dot(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned size = insn->size;
    for (unsigned i = 0; i < 16u / size; i += 2) {
        int64_t sum = signed_lane(&arg[0], size, i) * signed_lane(&arg[1], size, i) +
                      signed_lane(&arg[0], size, i + 1) * signed_lane(&arg[1], size, i + 1);
        set_lane(result, size * 2, i / 2, (uint64_t)sum);
    }
}

static void eval_add_pairs(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned size = insn->size, lanes = 16u / size;
    for (unsigned i = 0; i < lanes; i++) {
        const union interp_value *from = &arg[2 * i / lanes];
        unsigned first = 2 * i % lanes;
        set_lane(result, size, i, lane(from, size, first) + lane(from, size, first + 1));
    }
}

interp_function *interp_vec_function(enum ir_op op)
{
    static interp_function *const functions[IR_OP_COUNT] = {
        [IR_VADD] = eval_lanes2,
        [IR_VSUB] = eval_lanes2,
        [IR_VMUL] = eval_lanes2,
        [IR_VAND] = eval_logic,
        [IR_VOR] = eval_logic,
        [IR_VXOR] = eval_logic,
        [IR_VANDN] = eval_logic,
        [IR_VNOT] = eval_logic,
        [IR_VBSL] = eval_logic,
        [IR_VNEG] = eval_lanes1,
        [IR_VABS] = eval_lanes1,
        [IR_VSMIN] = eval_lanes2,
        [IR_VSMAX] = eval_lanes2,
        [IR_VUMIN] = eval_lanes2,
        [IR_VUMAX] = eval_lanes2,
        [IR_VCMPEQ] = eval_lanes2,
        [IR_VCMPGTS] = eval_lanes2,
        [IR_VCMPGTU] = eval_lanes2,
        [IR_VSHL] = eval_lanes1,
        [IR_VSHR] = eval_lanes1,
        [IR_VSAR] = eval_lanes1,
        [IR_VROR] = eval_lanes1,
        [IR_VSHLS] = eval_lanes2,
        [IR_VSHLU] = eval_lanes2,
        [IR_VDUP] = eval_duplicate,
        [IR_VDUPLANE] = eval_duplicate,
        [IR_VEXTRACT] = eval_extract,
        [IR_VINSERT] = eval_insert,
        [IR_VZIP1] = eval_permute,
        [IR_VZIP2] = eval_permute,
        [IR_VUZP1] = eval_permute,
        [IR_VUZP2] = eval_permute,
        [IR_VTRN1] = eval_permute,
        [IR_VTRN2] = eval_permute,
        [IR_VSHUF] = eval_shuffle,
        [IR_VEXT] = eval_ext,
        [IR_VREV] = eval_reverse,
        [IR_VTBL] = eval_table,
        [IR_VLOW64] = eval_low64,
        [IR_VSXTL] = eval_widen,
        [IR_VUXTL] = eval_widen,
        [IR_VXTN] = eval_narrow,
        [IR_VQXTNS] = eval_narrow,
        [IR_VQXTNU] = eval_narrow,
        [IR_VQXTUN] = eval_narrow,
        [IR_VQADDS] = eval_lanes2,
        [IR_VQADDU] = eval_lanes2,
        [IR_VQSUBS] = eval_lanes2,
        [IR_VQSUBU] = eval_lanes2,
        [IR_VAVGU] = eval_lanes2,
        [IR_VPOPCNT] = eval_lanes1,
        [IR_VCLZ] = eval_lanes1,
        [IR_VADDP] = eval_add_pairs,
        [IR_VMULLS] = eval_multiply_long,
        [IR_VMULLU] = eval_multiply_long,
        [IR_VMULHS] = eval_lanes2,
        [IR_VDMULH] = eval_lanes2,
        [IR_VDOT2] = eval_dot,
        [IR_VFNEG] = eval_lanes1,
        [IR_VFABS] = eval_lanes1,
    };
    return functions[op] ? functions[op] : interp_vec_crypto_function(op);
}

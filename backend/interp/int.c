/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer, flag and scalar operations. Widths are in bits; an i32 is held zero-extended, so arguments need no masking
   and results are masked at the end. */
#include "backend/interp/interp.h"
#include "translator/softfp.h"

static unsigned width_of(const struct ir_insn *insn)
{
    return insn->type == IR_I64 || insn->type == IR_F64 ? 64 : 32;
}

static uint64_t mask(uint64_t value, unsigned width)
{
    return width == 64 ? value : value & ((UINT64_C(1) << width) - 1);
}

static int64_t sign(uint64_t value, unsigned width)
{
    return (int64_t)(value << (64 - width)) >> (64 - width);
}

static bool top_bit(uint64_t value, unsigned width)
{
    return value >> (width - 1) & 1;
}

/* ---- arithmetic and logic --------------------------------------------------------------------------------------- */

static void eval_binary(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = width_of(insn);
    uint64_t a = arg[0].u64, b = arg[1].u64, r = 0;
    switch (insn->op) {
    case IR_ADD:
        r = a + b;
        break;
    case IR_SUB:
        r = a - b;
        break;
    case IR_MUL:
        r = a * b;
        break;
    case IR_UMULH:
        r = (uint64_t)((unsigned __int128)a * b >> 64);
        break;
    case IR_SMULH:
        r = (uint64_t)((__int128)(int64_t)a * (int64_t)b >> 64);
        break;
    case IR_AND:
        r = a & b;
        break;
    case IR_OR:
        r = a | b;
        break;
    case IR_XOR:
        r = a ^ b;
        break;
    case IR_ANDN:
        r = a & ~b;
        break;
    }
    result->u64 = mask(r, width);
}

static void eval_divide(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = width_of(insn);
    uint64_t a = arg[0].u64, b = arg[1].u64, r;
    if (b == 0) {
        r = 0;
    } else if (insn->op == IR_UDIV) {
        r = a / b;
    } else if (sign(b, width) == -1) {
        r = -a; /* the minimum stays what it is */
    } else {
        r = (uint64_t)(sign(a, width) / sign(b, width));
    }
    result->u64 = mask(r, width);
}

static void eval_unary(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = width_of(insn);
    uint64_t a = arg[0].u64, r = 0;
    switch (insn->op) {
    case IR_NOT:
        r = ~a;
        break;
    case IR_NEG:
        r = -a;
        break;
    case IR_CLZ:
        r = a == 0 ? width : (uint64_t)__builtin_clzll(a) - (64 - width);
        break;
    case IR_CTZ:
        r = a == 0 ? width : (uint64_t)__builtin_ctzll(a);
        break;
    case IR_RBIT:
        for (unsigned i = 0; i < width; i++) {
            r |= (a >> i & 1) << (width - 1 - i);
        }
        break;
    case IR_BSWAP:
        for (unsigned i = 0; i < width / 8; i++) {
            unsigned group = i / insn->size * insn->size;
            unsigned to = group + insn->size - 1 - (i - group);
            r |= (a >> i * 8 & 0xff) << to * 8;
        }
        break;
    }
    result->u64 = mask(r, width);
}

static void eval_shift(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = width_of(insn);
    unsigned amount = arg[1].u64 & (width - 1);
    uint64_t a = arg[0].u64, r = 0;
    switch (insn->op) {
    case IR_SHL:
        r = a << amount;
        break;
    case IR_SHR:
        r = a >> amount;
        break;
    case IR_SAR:
        r = (uint64_t)(sign(a, width) >> amount);
        break;
    case IR_ROR:
        r = amount == 0 ? a : a >> amount | a << (width - amount);
        break;
    }
    result->u64 = mask(r, width);
}

static void eval_extract(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = width_of(insn);
    unsigned __int128 pair = (unsigned __int128)arg[0].u64 << width | arg[1].u64;
    result->u64 = mask((uint64_t)(pair >> insn->imm), width);
}

static void eval_extend(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned from = insn->size * 8u;
    uint64_t r = mask(arg[0].u64, from);
    if (insn->op == IR_SEXT) {
        r = (uint64_t)sign(r, from);
    }
    result->u64 = mask(r, width_of(insn));
}

static void eval_truncate(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    result->u64 = mask(arg[0].u64, 32);
}

static void eval_select(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    *result = arg[0].u64 ? arg[1] : arg[2];
}

static void eval_compare(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = insn->size * 8u;
    uint64_t a = mask(arg[0].u64, width), b = mask(arg[1].u64, width);
    int64_t sa = sign(a, width), sb = sign(b, width);
    bool holds = false;
    switch ((enum ir_cc)(insn->mode & ~1u)) {
    case IR_EQ:
        holds = a == b;
        break;
    case IR_ULT:
        holds = a < b;
        break;
    case IR_ULE:
        holds = a <= b;
        break;
    case IR_SLT:
        holds = sa < sb;
        break;
    case IR_SLE:
        holds = sa <= sb;
        break;
    default:
        break;
    }
    result->u64 = holds != (insn->mode & 1);
}

static void eval_crc32c(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    uint32_t crc = (uint32_t)arg[0].u64;
    for (unsigned i = 0; i < insn->size; i++) {
        crc ^= arg[1].bytes[i];
        for (unsigned bit = 0; bit < 8; bit++) {
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0); /* the Castagnoli polynomial 0x1edc6f41, reflected */
        }
    }
    result->u64 = crc;
}

/* ---- flags ------------------------------------------------------------------------------------------------------ */

static uint32_t pack_flags(bool n, bool z, bool c, bool v)
{
    return (n ? IR_FLAG_N : 0) | (z ? IR_FLAG_Z : 0) | (c ? 0 : IR_FLAG_NOT_C) | (v ? IR_FLAG_V : 0);
}

static unsigned unpack_flags(uint32_t packed)
{
    return (packed & IR_FLAG_N ? 8 : 0) | (packed & IR_FLAG_Z ? 4 : 0) | (packed & IR_FLAG_NOT_C ? 0 : 2) |
           (packed & IR_FLAG_V ? 1 : 0);
}

/* AddWithCarry() of the manual. */
static uint32_t flags_of_sum(uint64_t a, uint64_t b, unsigned carry, unsigned width)
{
    unsigned __int128 unsigned_sum = (unsigned __int128)a + b + carry;
    uint64_t sum = mask((uint64_t)unsigned_sum, width);
    bool v = top_bit(a, width) == top_bit(b, width) && top_bit(sum, width) != top_bit(a, width);
    return pack_flags(top_bit(sum, width), sum == 0, unsigned_sum >> width != 0, v);
}

static void eval_flags(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    unsigned width = insn->size * 8u;
    uint64_t a = mask(arg[0].u64, width), b = mask(arg[1].u64, width);
    switch (insn->op) {
    case IR_FLAGS_ADD:
        result->u64 = flags_of_sum(a, b, 0, width);
        break;
    case IR_FLAGS_SUB:
        result->u64 = flags_of_sum(a, mask(~b, width), 1, width);
        break;
    case IR_FLAGS_ADC:
        result->u64 = flags_of_sum(a, b, arg[2].u64 & 1, width);
        break;
    case IR_FLAGS_LOGIC:
        result->u64 = pack_flags(top_bit(a, width), a == 0, false, false);
        break;
    }
}

static void eval_flags_pack(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    uint64_t nzcv = arg[0].u64 >> 28;
    result->u64 = pack_flags(nzcv & 8, nzcv & 4, nzcv & 2, nzcv & 1);
}

static void eval_flags_unpack(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    result->u64 = (uint64_t)unpack_flags((uint32_t)arg[0].u64) << 28;
}

static void eval_cond(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    result->u64 = softfp_relation_holds(unpack_flags((uint32_t)arg[0].u64), insn->mode);
}

/* ---- scalars that need no arithmetic ---------------------------------------------------------------------------- */

static void eval_fneg(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    result->u64 = softfp_neg(width_of(insn), arg[0].u64);
}

static void eval_fabs(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    result->u64 = softfp_abs(width_of(insn), arg[0].u64);
}

/* BITCAST, VLOW, VZEXT: the low bits as they are. */
static void eval_low_bits(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    result->u64 = insn->op == IR_VZEXT ? mask(arg[0].u64, insn->size * 8u) : mask(arg[0].u64, width_of(insn));
}

interp_function *interp_int_function(enum ir_op op)
{
    static interp_function *const functions[IR_OP_COUNT] = {
        [IR_ADD] = eval_binary,
        [IR_SUB] = eval_binary,
        [IR_MUL] = eval_binary,
        [IR_UMULH] = eval_binary,
        [IR_SMULH] = eval_binary,
        [IR_UDIV] = eval_divide,
        [IR_SDIV] = eval_divide,
        [IR_AND] = eval_binary,
        [IR_OR] = eval_binary,
        [IR_XOR] = eval_binary,
        [IR_ANDN] = eval_binary,
        [IR_NOT] = eval_unary,
        [IR_NEG] = eval_unary,
        [IR_SHL] = eval_shift,
        [IR_SHR] = eval_shift,
        [IR_SAR] = eval_shift,
        [IR_ROR] = eval_shift,
        [IR_EXTR] = eval_extract,
        [IR_CLZ] = eval_unary,
        [IR_CTZ] = eval_unary,
        [IR_RBIT] = eval_unary,
        [IR_BSWAP] = eval_unary,
        [IR_ZEXT] = eval_extend,
        [IR_SEXT] = eval_extend,
        [IR_TRUNC] = eval_truncate,
        [IR_SELECT] = eval_select,
        [IR_CMP] = eval_compare,
        [IR_CRC32C] = eval_crc32c,
        [IR_FLAGS_ADD] = eval_flags,
        [IR_FLAGS_SUB] = eval_flags,
        [IR_FLAGS_ADC] = eval_flags,
        [IR_FLAGS_LOGIC] = eval_flags,
        [IR_FLAGS_PACK] = eval_flags_pack,
        [IR_FLAGS_UNPACK] = eval_flags_unpack,
        [IR_COND] = eval_cond,
        [IR_FNEG] = eval_fneg,
        [IR_FABS] = eval_fabs,
        [IR_BITCAST] = eval_low_bits,
        [IR_VLOW] = eval_low_bits,
        [IR_VZEXT] = eval_low_bits,
    };
    return functions[op];
}

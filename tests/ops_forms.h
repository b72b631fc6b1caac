/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every form that an IR operation with a value has: which result types, sizes, modes and immediates ir_ops.inc allows
 * it. A row an operation; forms_each() calls a function for each of the combinations.
 */
#ifndef DRAGOMAN_TESTS_OPS_FORMS_H
#define DRAGOMAN_TESTS_OPS_FORMS_H

#include <string.h>

#include "translator/ir.h"

/* One form: the instruction without its references, and its arguments' types. */
struct form {
    struct ir_insn insn;
    unsigned nargs;
    uint8_t args[3]; /* enum ir_type */
};

/* What insn.mode ranges over. */
enum form_modes {
    MODES_NONE,
    MODES_CC,
    MODES_COND,
    MODES_FCMP,       /* conditions, quiet and signaling */
    MODES_FLAGS_FCMP, /* quiet and signaling */
    MODES_FTOI,     /* roundings, and a few numbers of bits of fraction */
    MODES_FRACTION, /* a few numbers of bits of fraction */
    MODES_FRINTN,
    MODES_FRINT, /* roundings, with and without inexact */
    MODES_VFCMP,
    MODES_GROUP, /* 2, 4, 8 above the size */
    MODES_SHA1,  /* 0, 1, 2 */
};

/* What insn.imm ranges over. */
enum form_imms {
    IMMS_NONE,
    IMMS_WIDTH,     /* below the bits of the result */
    IMMS_BITS,      /* below the bits of a lane */
    IMMS_BITS_TOO,  /* up to the bits of a lane */
    IMMS_LANE,      /* below the number of lanes */
    IMMS_BYTES_TOO, /* 0 … 16 */
    IMMS_ROTATE,    /* 1 … bits of a lane - 1 */
    IMMS_BYTE,
    IMMS_THREE,
    IMMS_FOUR,
};

/* Sets of sizes: bit n for size n. */
#define S0 (1u << 0)
#define S1 (1u << 1)
#define S2 (1u << 2)
#define S4 (1u << 4)
#define S8 (1u << 8)

struct op_forms {
    uint8_t op;
    uint16_t sizes;
    uint8_t modes, imms;
};

static const struct op_forms op_forms[] = {
    {IR_ADD, S0, 0, 0},
    {IR_SUB, S0, 0, 0},
    {IR_MUL, S0, 0, 0},
    {IR_UMULH, S0, 0, 0},
    {IR_SMULH, S0, 0, 0},
    {IR_UDIV, S0, 0, 0},
    {IR_SDIV, S0, 0, 0},
    {IR_AND, S0, 0, 0},
    {IR_OR, S0, 0, 0},
    {IR_XOR, S0, 0, 0},
    {IR_ANDN, S0, 0, 0},
    {IR_NOT, S0, 0, 0},
    {IR_NEG, S0, 0, 0},
    {IR_SHL, S0, 0, 0},
    {IR_SHR, S0, 0, 0},
    {IR_SAR, S0, 0, 0},
    {IR_ROR, S0, 0, 0},
    {IR_EXTR, S0, 0, IMMS_WIDTH},
    {IR_CLZ, S0, 0, 0},
    {IR_CTZ, S0, 0, 0},
    {IR_RBIT, S0, 0, 0},
    {IR_BSWAP, S2 | S4 | S8, 0, 0},
    {IR_ZEXT, S1 | S2 | S4, 0, 0},
    {IR_SEXT, S1 | S2 | S4, 0, 0},
    {IR_TRUNC, S0, 0, 0},
    {IR_SELECT, S0, 0, 0},
    {IR_CMP, S4 | S8, MODES_CC, 0},
    {IR_CRC32C, S1 | S2 | S4 | S8, 0, 0},
    {IR_FLAGS_ADD, S4 | S8, 0, 0},
    {IR_FLAGS_SUB, S4 | S8, 0, 0},
    {IR_FLAGS_ADC, S4 | S8, 0, 0},
    {IR_FLAGS_LOGIC, S4 | S8, 0, 0},
    {IR_FLAGS_FCMP, S4 | S8, MODES_FLAGS_FCMP, 0},
    {IR_FLAGS_PACK, S0, 0, 0},
    {IR_FLAGS_UNPACK, S0, 0, 0},
    {IR_COND, S0, MODES_COND, 0},
    {IR_FCMP, S4 | S8, MODES_FCMP, 0},
    {IR_FADD, S0, 0, 0},
    {IR_FSUB, S0, 0, 0},
    {IR_FMUL, S0, 0, 0},
    {IR_FDIV, S0, 0, 0},
    {IR_FSQRT, S0, 0, 0},
    {IR_FMA, S0, 0, 0},
    {IR_FMIN, S0, 0, 0},
    {IR_FMAX, S0, 0, 0},
    {IR_FMINNM, S0, 0, 0},
    {IR_FMAXNM, S0, 0, 0},
    {IR_FNEG, S0, 0, 0},
    {IR_FABS, S0, 0, 0},
    {IR_FRINT, S0, MODES_FRINT, 0},
    {IR_FCVT, S4 | S8, 0, 0},
    {IR_SITOF, S4 | S8, 0, 0},
    {IR_UITOF, S4 | S8, 0, 0},
    {IR_FTOSI, S4 | S8, MODES_FTOI, 0},
    {IR_FTOUI, S4 | S8, MODES_FTOI, 0},
    {IR_FTOJS, S8, 0, 0},
    {IR_BITCAST, S0, 0, 0},
    {IR_VLOW, S0, 0, 0},
    {IR_VZEXT, S4 | S8, 0, 0},
    {IR_VADD, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSUB, S1 | S2 | S4 | S8, 0, 0},
    {IR_VMUL, S1 | S2 | S4, 0, 0},
    {IR_VAND, S0, 0, 0},
    {IR_VOR, S0, 0, 0},
    {IR_VXOR, S0, 0, 0},
    {IR_VANDN, S0, 0, 0},
    {IR_VNOT, S0, 0, 0},
    {IR_VBSL, S0, 0, 0},
    {IR_VNEG, S1 | S2 | S4 | S8, 0, 0},
    {IR_VABS, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSMIN, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSMAX, S1 | S2 | S4 | S8, 0, 0},
    {IR_VUMIN, S1 | S2 | S4 | S8, 0, 0},
    {IR_VUMAX, S1 | S2 | S4 | S8, 0, 0},
    {IR_VCMPEQ, S1 | S2 | S4 | S8, 0, 0},
    {IR_VCMPGTS, S1 | S2 | S4 | S8, 0, 0},
    {IR_VCMPGTU, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSHL, S1 | S2 | S4 | S8, 0, IMMS_BITS},
    {IR_VSHR, S1 | S2 | S4 | S8, 0, IMMS_BITS_TOO},
    {IR_VSAR, S1 | S2 | S4 | S8, 0, IMMS_BITS_TOO},
    {IR_VROR, S4 | S8, 0, IMMS_ROTATE},
    {IR_VSHLS, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSHLU, S1 | S2 | S4 | S8, 0, 0},
    {IR_VDUP, S1 | S2 | S4 | S8, 0, 0},
    {IR_VDUPLANE, S1 | S2 | S4 | S8, 0, IMMS_LANE},
    {IR_VEXTRACT, S1 | S2 | S4 | S8, 0, IMMS_LANE},
    {IR_VINSERT, S1 | S2 | S4 | S8, 0, IMMS_LANE},
    {IR_VZIP1, S1 | S2 | S4 | S8, 0, 0},
    {IR_VZIP2, S1 | S2 | S4 | S8, 0, 0},
    {IR_VUZP1, S1 | S2 | S4 | S8, 0, 0},
    {IR_VUZP2, S1 | S2 | S4 | S8, 0, 0},
    {IR_VTRN1, S1 | S2 | S4 | S8, 0, 0},
    {IR_VTRN2, S1 | S2 | S4 | S8, 0, 0},
    {IR_VSHUF, S4, 0, IMMS_BYTE},
    {IR_VEXT, S0, 0, IMMS_BYTES_TOO},
    {IR_VREV, S1 | S2 | S4, MODES_GROUP, 0},
    {IR_VTBL, S1, 0, 0},
    {IR_VLOW64, S0, 0, 0},
    {IR_VSXTL, S1 | S2 | S4, 0, 0},
    {IR_VUXTL, S1 | S2 | S4, 0, 0},
    {IR_VXTN, S2 | S4 | S8, 0, 0},
    {IR_VQXTNS, S2 | S4 | S8, 0, 0},
    {IR_VQXTNU, S2 | S4 | S8, 0, 0},
    {IR_VQXTUN, S2 | S4 | S8, 0, 0},
    {IR_VQADDS, S1 | S2 | S4 | S8, 0, 0},
    {IR_VQADDU, S1 | S2 | S4 | S8, 0, 0},
    {IR_VQSUBS, S1 | S2 | S4 | S8, 0, 0},
    {IR_VQSUBU, S1 | S2 | S4 | S8, 0, 0},
    {IR_VAVGU, S1 | S2, 0, 0},
    {IR_VPOPCNT, S1, 0, 0},
    {IR_VCLZ, S1 | S2 | S4, 0, 0},
    {IR_VADDP, S1 | S2 | S4 | S8, 0, 0},
    {IR_VMULLS, S1 | S2 | S4, 0, 0},
    {IR_VMULLU, S1 | S2 | S4, 0, 0},
    {IR_VMULHS, S2, 0, 0},
    {IR_VDMULH, S2 | S4, 0, IMMS_THREE},
    {IR_VDOT2, S2, 0, 0},
    {IR_VCLMUL, S8, 0, IMMS_FOUR},
    {IR_VAESENC, S0, 0, 0},
    {IR_VAESDEC, S0, 0, 0},
    {IR_VAESMC, S0, 0, 0},
    {IR_VAESIMC, S0, 0, 0},
    {IR_VAESROUND, S0, 0, 0},
    {IR_VAESIROUND, S0, 0, 0},
    {IR_VSHA1RNDS, S0, MODES_SHA1, 0},
    {IR_VSHA1E, S0, 0, 0},
    {IR_VSHA1MSG1, S0, 0, 0},
    {IR_VSHA1MSG2, S0, 0, 0},
    {IR_VSHA256RNDS, S0, 0, 0},
    {IR_VSHA256MSG1, S0, 0, 0},
    {IR_VSHA256MSG2, S0, 0, 0},
    {IR_VFADD, S2 | S4 | S8, 0, 0},
    {IR_VFSUB, S2 | S4 | S8, 0, 0},
    {IR_VFMUL, S2 | S4 | S8, 0, 0},
    {IR_VFDIV, S2 | S4 | S8, 0, 0},
    {IR_VFSQRT, S2 | S4 | S8, 0, 0},
    {IR_VFMA, S2 | S4 | S8, 0, 0},
    {IR_VFMIN, S2 | S4 | S8, 0, 0},
    {IR_VFMAX, S2 | S4 | S8, 0, 0},
    {IR_VFMINNM, S2 | S4 | S8, 0, 0},
    {IR_VFMAXNM, S2 | S4 | S8, 0, 0},
    {IR_VFNEG, S4 | S8, 0, 0},
    {IR_VFABS, S4 | S8, 0, 0},
    {IR_VFCMP, S2 | S4 | S8, MODES_VFCMP, 0},
    {IR_VFRINT, S2 | S4 | S8, MODES_FRINT, 0},
    {IR_VSITOF, S2 | S4 | S8, MODES_FRACTION, 0},
    {IR_VUITOF, S2 | S4 | S8, MODES_FRACTION, 0},
    {IR_VFTOSI, S2 | S4 | S8, MODES_FTOI, 0},
    {IR_VFTOUI, S2 | S4 | S8, MODES_FTOI, 0},
    {IR_VFRINTN, S4 | S8, MODES_FRINTN, 0},
    {IR_VFMULX, S2 | S4 | S8, 0, 0},
    {IR_VFRECPS, S2 | S4 | S8, 0, 0},
    {IR_VFRSQRTS, S2 | S4 | S8, 0, 0},
    {IR_VFRECPE, S2 | S4 | S8, 0, 0},
    {IR_VFRSQRTE, S2 | S4 | S8, 0, 0},
    {IR_VFRECPX, S2 | S4 | S8, 0, 0},
    {IR_VFMLAL, S4, 0, 0},
    {IR_VFCVTXN, S8, 0, 0},
    {IR_VFCVTBF, S4, 0, 0},
    {IR_VFCVTL, S2 | S4, 0, 0},
    {IR_VFCVTN, S4 | S8, 0, 0},
};
#define OP_FORMS (sizeof op_forms / sizeof *op_forms)

/* Operations with a value that the table leaves out: tested by themselves. */
static bool form_is_special(enum ir_op op)
{
    switch (op) {
    case IR_CONST:
    case IR_PC: /* tests/keep.py, test_builder.c */
    case IR_PARAM:
    case IR_GET:
    case IR_LOAD:
    case IR_STORE_EXCL:
    case IR_CAS:
    case IR_RMW:
    case IR_CALL:
        return true;
    default:
        return false;
    }
}

static unsigned form_bits(enum ir_type type)
{
    return type == IR_I64 || type == IR_F64 ? 64 : type == IR_V128 ? 128 : 32;
}

/* Fills form->args; `wide` chooses where the table leaves a choice. False: no such form. */
static bool form_arguments(struct form *form, bool wide)
{
    const struct ir_op_info *info = ir_info(&form->insn);
    enum ir_type by_size_int = form->insn.size == 8 ? IR_I64 : IR_I32;
    enum ir_type by_size_float = form->insn.size == 8 ? IR_F64 : IR_F32;
    bool chosen = false;
    form->nargs = info->nargs;
    for (unsigned i = 0; i < info->nargs && i < 3; i++) {
        enum ir_type type = IR_VOID;
        switch (info->args[i]) {
        case '=':
            type = form->insn.type;
            break;
        case 'w':
            type = IR_I32;
            break;
        case 'x':
            type = IR_I64;
            break;
        case 'v':
            type = IR_V128;
            break;
        case 'f':
            type = by_size_float;
            break;
        case 'i':
            type = by_size_int;
            if (form->insn.op == IR_ZEXT || form->insn.op == IR_SEXT) { /* size is not the width here */
                type = wide ? IR_I64 : IR_I32;
                chosen = true;
            }
            break;
        case '*':
            type = by_size_int;
            if (form->insn.op == IR_BITCAST) {
                static const uint8_t partner[] = {
                    [IR_I32] = IR_F32, [IR_F32] = IR_I32, [IR_I64] = IR_F64, [IR_F64] = IR_I64, [IR_V128] = IR_VOID};
                type = partner[form->insn.type];
            }
            break;
        }
        if (type == IR_VOID) {
            return false;
        }
        form->args[i] = (uint8_t)type;
    }
    return chosen || !wide;
}

static bool form_type_allowed(const struct form *form, enum ir_type type)
{
    bool is_int = type == IR_I32 || type == IR_I64, is_float = type == IR_F32 || type == IR_F64;
    switch ((enum ir_result)ir_info(&form->insn)->result) {
    case IR_RES_I32:
        return type == IR_I32;
    case IR_RES_I64:
        return type == IR_I64;
    case IR_RES_INT:
        break;
    case IR_RES_FLT:
        return is_float && (form->insn.op != IR_FCVT || form_bits(type) != form->insn.size * 8u);
    case IR_RES_V:
        return type == IR_V128;
    case IR_RES_ANY:
        return true;
    case IR_RES_NONE:
        return false;
    }
    if (form->insn.op == IR_VEXTRACT) {
        return type == (form->insn.size == 8 ? IR_I64 : IR_I32);
    }
    return is_int && (form->insn.op != IR_BSWAP || form->insn.size <= form_bits(type) / 8);
}

/* 1, the bits of an integer of `size` bytes, and one number in between. */
static bool form_fraction_allowed(unsigned fraction, unsigned size)
{
    return fraction == 1 || fraction == size * 8 || fraction == size * 3 + 1;
}

static bool form_mode_allowed(enum form_modes modes, unsigned size, unsigned mode)
{
    switch (modes) {
    case MODES_NONE:
        return mode == 0;
    case MODES_CC:
        return mode < IR_CC_COUNT;
    case MODES_COND:
        return mode < IR_FLAG_COND_COUNT;
    case MODES_FCMP:
        return mode < 32 && (mode & 15) < IR_FLAG_COND_COUNT;
    case MODES_FLAGS_FCMP:
        return mode <= IR_FLAGS_FCMP_SIGNAL;
    case MODES_FTOI:
        return mode <= IR_ROUND_CURRENT || form_fraction_allowed(IR_FRACTION(mode), size);
    case MODES_FRACTION:
        return mode == 0 || form_fraction_allowed(mode, size);
    case MODES_FRINTN:
        return (mode & 7) == IR_ROUND_ZERO || (mode & 7) == IR_ROUND_CURRENT ? mode < 16 : false;
    case MODES_FRINT:
        return (mode & 7) <= IR_ROUND_CURRENT && mode < 16;
    case MODES_VFCMP:
        return mode == IR_FLAG_EQ || mode == IR_FLAG_GE || mode == IR_FLAG_GT;
    case MODES_GROUP:
        return mode > size && (mode == 2 || mode == 4 || mode == 8);
    case MODES_SHA1:
        return mode <= 2;
    }
    return false;
}

/* How many immediates, from 0 on (rotations: from 1). */
static unsigned form_imms(const struct form *form, enum form_imms imms)
{
    unsigned size = form->insn.size;
    switch (imms) {
    case IMMS_NONE:
        break;
    case IMMS_WIDTH:
        return form_bits(form->insn.type);
    case IMMS_BITS:
        return size * 8;
    case IMMS_BITS_TOO:
        return size * 8 + 1;
    case IMMS_LANE:
        return 16 / size;
    case IMMS_BYTES_TOO:
        return 17;
    case IMMS_ROTATE:
        return size * 8;
    case IMMS_BYTE:
        return 256;
    case IMMS_THREE:
        return 3;
    case IMMS_FOUR:
        return 4;
    }
    return 1;
}

static void forms_each(const struct op_forms *row, void (*each)(void *opaque, const struct form *form), void *opaque)
{
    for (unsigned size = 0; size <= 8; size++) {
        for (unsigned type = IR_I32; type < IR_TYPE_COUNT; type++) {
            struct form form = {.insn = {.op = row->op, .type = (uint8_t)type, .size = (uint8_t)size}};
            if (!(row->sizes >> size & 1) || !form_type_allowed(&form, type)) {
                continue;
            }
            for (unsigned choice = 0; choice < 2; choice++) {
                if (!form_arguments(&form, choice)) {
                    continue;
                }
                for (unsigned mode = 0; mode < 80; mode++) {
                    form.insn.mode = (uint8_t)mode;
                    for (unsigned imm = row->imms == IMMS_ROTATE; imm < form_imms(&form, row->imms); imm++) {
                        form.insn.imm = imm;
                        if (form_mode_allowed(row->modes, size, mode)) {
                            each(opaque, &form);
                        }
                    }
                }
            }
        }
    }
}

#endif

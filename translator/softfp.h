/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * IEEE 754 arithmetic on half, single and double precision in integer instructions only, with the rules of the Arm
 * architecture (Arm ARM DDI 0487, shared/functions/float): which NaN an operation yields, tininess detected before
 * rounding, a positive default NaN, flush-to-zero, the estimates. Nothing here executes a host floating-point
 * instruction, so the host's MXCSR stays as it is except where a function's description says otherwise: it may be
 * called from helpers of translated code.
 *
 * Callers: the frontends' exact helpers (FPCR.FZ, DN, FZ16, AHP; half precision; estimates), the reference
 * interpreter, and host backends for the results that host instructions get wrong (NaN selection).
 *
 * Values are passed as their bits in the low end of a uint64_t; higher bits of arguments are ignored, of results
 * zero. `bits` is the format: 16, 32 or 64. Every function accumulates exceptions in env->flags and never clears any.
 */
#ifndef DRAGOMAN_TRANSLATOR_SOFTFP_H
#define DRAGOMAN_TRANSLATOR_SOFTFP_H

#include <immintrin.h>
#include <stdbool.h>
#include <stdint.h>

#include "translator/ir.h"

/** Rounding modes. The first four are FPCR.RMode, the first five also enum ir_round. */
enum softfp_round {
    SOFTFP_NEAREST, /* ties to even */
    SOFTFP_UP,
    SOFTFP_DOWN,
    SOFTFP_ZERO,
    SOFTFP_AWAY, /* to nearest, ties away from zero */
    SOFTFP_ODD,  /* von Neumann: inexact results get an odd significand (FCVTXN) */
};

/** Exceptions, at their positions in FPSR. */
enum {
    SOFTFP_IOC = 1 << 0, /* invalid operation */
    SOFTFP_DZC = 1 << 1, /* division by zero */
    SOFTFP_OFC = 1 << 2, /* overflow */
    SOFTFP_UFC = 1 << 3, /* underflow */
    SOFTFP_IXC = 1 << 4, /* inexact */
    SOFTFP_IDC = 1 << 7, /* input denormal flushed (single and double precision with `fz`) */
};

/** Environment of an operation. All zero is the IEEE default. */
struct softfp {
    uint8_t rounding; /* enum softfp_round */
    bool fz;          /* FPCR.FZ: flush denormals to zero, single and double precision */
    bool fz16;        /* FPCR.FZ16: the same for half precision, conversions excepted */
    bool dn;          /* FPCR.DN: every NaN result is the default NaN */
    bool ahp;         /* FPCR.AHP: conversions use the alternative half-precision format */
    uint32_t flags;   /* accumulated SOFTFP_* */
};

/** The environment that an FPCR value asks for, with no flags. */
struct softfp softfp_from_fpcr(uint32_t fpcr);

/* ---- arithmetic: a, b, c in argument order, which decides between two NaNs -------------------------------------- */

uint64_t softfp_add(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_sub(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_mul(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_div(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_sqrt(struct softfp *env, unsigned bits, uint64_t a);
/** FPMulAdd(): c + a * b rounded once. NB the addend comes first, also in the order of NaNs. For FMSUB, FNMADD … negate
    the operands (softfp_neg), as the manual does. */
uint64_t softfp_muladd(struct softfp *env, unsigned bits, uint64_t c, uint64_t a, uint64_t b);
/** FPMulAddH(): single-precision c + a * b, where a and b are half precision (FMLAL, FMLSL). */
uint32_t softfp_muladdh(struct softfp *env, uint32_t c, uint16_t a, uint16_t b);
/** FPMulX(): as mul, but infinity times zero is two (FMULX). */
uint64_t softfp_mulx(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
/** -0 < +0; a NaN wins. */
uint64_t softfp_min(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_max(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
/** A number wins over a quiet NaN (FMINNM, FMAXNM). */
uint64_t softfp_minnm(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_maxnm(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);

/** Sign manipulation: never raises anything, NaNs included. */
static inline uint64_t softfp_neg(unsigned bits, uint64_t a)
{
    return a ^ (UINT64_C(1) << (bits - 1));
}
static inline uint64_t softfp_abs(unsigned bits, uint64_t a)
{
    return a & ((UINT64_C(1) << (bits - 1)) - 1);
}

/** Result of a comparison; the values are N, Z, C, V as a nibble, PSTATE bits 31:28. */
enum softfp_relation { SOFTFP_LESS = 8, SOFTFP_EQUAL = 6, SOFTFP_GREATER = 2, SOFTFP_UNORDERED = 3 };
/** FPCompare(): signaling NaNs raise IOC, with `signal` quiet ones do too. FPCompareEQ() is `signal` false,
    FPCompareGE() and FPCompareGT() are `signal` true. */
enum softfp_relation softfp_compare(struct softfp *env, unsigned bits, uint64_t a, uint64_t b, bool signal);
/** The relation as packed flags, IR_FLAG_*. */
uint32_t softfp_relation_flags(enum softfp_relation relation);
/** Whether the condition holds for N, Z, C, V as a nibble: an enum softfp_relation, or any other. */
bool softfp_relation_holds(unsigned nzcv, enum ir_flag_cond cond);

/* ---- estimates and steps ---------------------------------------------------------------------------------------- */

/** The fractions that FRECPE and FRSQRTE give, RecipEstimate() and RecipSqrtEstimate() of the manual less 256, by the
    operand's top eight fraction bits, with the lowest bit of its biased exponent above them for the root. */
extern const uint8_t softfp_recip_table[256], softfp_rsqrt_table[512];
/** FRECPE, FRSQRTE */
uint64_t softfp_recip_estimate(struct softfp *env, unsigned bits, uint64_t a);
uint64_t softfp_rsqrt_estimate(struct softfp *env, unsigned bits, uint64_t a);
/** FRECPS: 2 - a * b. FRSQRTS: (3 - a * b) / 2. Both rounded once. */
uint64_t softfp_recip_step(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
uint64_t softfp_rsqrt_step(struct softfp *env, unsigned bits, uint64_t a, uint64_t b);
/** FRECPX */
uint64_t softfp_recpx(struct softfp *env, unsigned bits, uint64_t a);

/* ---- conversions ------------------------------------------------------------------------------------------------ */

/** FPRoundInt(): to an integral value in the same format; `exact`: raise IXC when the value changed (FRINTX). */
uint64_t softfp_round_int(struct softfp *env, unsigned bits, uint64_t a, enum softfp_round rounding, bool exact);
/** FPRoundIntN(): as above with IXC, and values outside a signed integer of `int_bits` (32, 64) become its minimum with
    IOC (FRINT32X, FRINT64Z …). `bits` is 32 or 64. */
uint64_t softfp_round_int_n(struct softfp *env, unsigned bits, uint64_t a, enum softfp_round rounding,
                            unsigned int_bits);
/** FPConvert() between any two of the formats, rounding as env says. */
uint64_t softfp_convert(struct softfp *env, unsigned to_bits, unsigned from_bits, uint64_t a);
/** FPConvertBF(): single precision to bfloat16. */
uint16_t softfp_convert_bf16(struct softfp *env, uint32_t a);
/** BFDotAdd() without FEAT_EBF16: c + a0 * b0 + a1 * b1, pairs of bfloat16 (element 0 in the low half). Its rounding
    and flushing are fixed and it raises nothing, hence no environment (BFDOT, BFMMLA). */
uint32_t softfp_bf16_dot(uint32_t c, uint32_t a, uint32_t b);
/** FPToFixed(): a * 2^fraction_bits to an integer of `int_bits` (16, 32, 64), saturating with IOC; NaN gives 0 with
    IOC. The result is zero-extended from int_bits. */
uint64_t softfp_to_fixed(struct softfp *env, unsigned bits, uint64_t a, unsigned fraction_bits, bool is_unsigned,
                         unsigned int_bits, enum softfp_round rounding);
/** FixedToFP(): the integer's low `int_bits` (16, 32, 64) divided by 2^fraction_bits, rounded as env says. */
uint64_t softfp_from_fixed(struct softfp *env, unsigned bits, uint64_t a, unsigned fraction_bits, bool is_unsigned,
                           unsigned int_bits);
/** FPToFixedJS(): double to int32 modulo 2^32; *z is the Z flag: the conversion was exact and not of -0 (FJCVTZS). */
uint32_t softfp_to_fixed_js(struct softfp *env, uint64_t a, bool *z);

/* ---- the host's MXCSR ------------------------------------------------------------------------------------------- */

/** The rounding mode in the host's MXCSR now: the guest's while translated code or a helper that it calls runs. */
enum softfp_round softfp_rounding_from_mxcsr(void);
/** Sets the host's MXCSR sticky bits IE, ZE, OE, UE, PE for IOC, DZC, OFC, UFC, IXC in `flags`. IDC has no place
    there. */
void softfp_raise_mxcsr(uint32_t flags);

/* ---- IR operations ---------------------------------------------------------------------------------------------- */

/** True for the operations that softfp_eval_ir() knows: all rows of ir_ops.inc with attribute FPSR. */
bool softfp_evaluates(enum ir_op op);
/**
 * Evaluates the IR operation op/type/size/mode of `insn` on operand bits exactly as ir_ops.inc and the NaN rules
 * below define it, in the rounding mode of the host's MXCSR, where it also raises the exceptions. operands[] are the
 * arguments in order, a scalar in lane 0 (the rest is ignored); so is the result (the rest is zero).
 *
 * NaN rules of the IR: a signaling NaN operand, the first in argument order, is quieted and returned; else the first
 * quiet NaN; a NaN made of numbers is the default one, positive. FMA and VFMA look at the addend (argument 2) first;
 * infinity times zero plus a quiet NaN is the default NaN with invalid.
 */
void softfp_eval_ir(const struct ir_insn *insn, const __m128i operands[3], __m128i *result);

#endif

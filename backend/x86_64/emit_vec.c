/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Vector operations: one row each, with the host's opcode by lane size where a single instruction does it, and a
 * function for the other lane sizes.
 */
#include "backend/x86_64/emit_vec.h"

typedef void regular_emitter(struct emit *e, ir_ref ref, uint32_t opcode);

struct vec_row {
    regular_emitter *regular;
    uint32_t opcode[4]; /* by log2 of the lane's bytes; 0: special */
    vec_emitter *special;
};

/* ---- regular shapes -------------------------------------------------------------------------------------------- */

static void binary(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    fp_binary(e, ref, opcode, r, false);
    emit_done(e, ref, r);
}

static void commutative(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    fp_binary(e, ref, opcode, r, true);
    emit_done(e, ref, r);
}

/* For instructions that complement their first operand. */
static void swapped(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    vex_rvm(&e->as, opcode, r, arg_xmm(e, ref, 1, XT0), arg_operand(e, ref, 0));
    emit_done(e, ref, r);
}

static void unary(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    vex_rm(&e->as, opcode, r, arg_operand(e, ref, 0));
    emit_done(e, ref, r);
}

/* UZP of four and eight byte lanes: vshufps picks two elements of each source. */
static void shuffle_even(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    vex_rvmi(&e->as, opcode, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1), 0x88);
    emit_done(e, ref, r);
}

static void shuffle_odd(struct emit *e, ir_ref ref, uint32_t opcode)
{
    unsigned r = xmm_dst(e, ref);
    vex_rvmi(&e->as, opcode, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1), 0xdd);
    emit_done(e, ref, r);
}

/* ---- the rows -------------------------------------------------------------------------------------------------- */

static const struct vec_row rows[] = {
#define ROW(op) [IR_##op - IR_VADD]
    ROW(VADD) = {commutative, {X86_vpaddb, X86_vpaddw, X86_vpaddd, X86_vpaddq}, NULL},
    ROW(VSUB) = {binary, {X86_vpsubb, X86_vpsubw, X86_vpsubd, X86_vpsubq}, NULL},
    ROW(VMUL) = {commutative, {0, X86_vpmullw, X86_vpmulld, 0}, vec_mul_bytes},
    ROW(VAND) = {commutative, {X86_vpand}, NULL},
    ROW(VOR) = {commutative, {X86_vpor}, NULL},
    ROW(VXOR) = {commutative, {X86_vpxor}, NULL},
    ROW(VANDN) = {swapped, {X86_vpandn}, NULL},
    ROW(VNOT) = {NULL, {0}, vec_not},
    ROW(VBSL) = {NULL, {0}, vec_bsl},
    ROW(VNEG) = {NULL, {0}, vec_neg},
    ROW(VABS) = {unary, {X86_vpabsb, X86_vpabsw, X86_vpabsd, 0}, vec_abs},
    ROW(VSMIN) = {commutative, {X86_vpminsb, X86_vpminsw, X86_vpminsd, 0}, vec_minmax_quads},
    ROW(VSMAX) = {commutative, {X86_vpmaxsb, X86_vpmaxsw, X86_vpmaxsd, 0}, vec_minmax_quads},
    ROW(VUMIN) = {commutative, {X86_vpminub, X86_vpminuw, X86_vpminud, 0}, vec_minmax_quads},
    ROW(VUMAX) = {commutative, {X86_vpmaxub, X86_vpmaxuw, X86_vpmaxud, 0}, vec_minmax_quads},
    ROW(VCMPEQ) = {commutative, {X86_vpcmpeqb, X86_vpcmpeqw, X86_vpcmpeqd, X86_vpcmpeqq}, NULL},
    ROW(VCMPGTS) = {binary, {X86_vpcmpgtb, X86_vpcmpgtw, X86_vpcmpgtd, X86_vpcmpgtq}, NULL},
    ROW(VCMPGTU) = {NULL, {0}, vec_compare_unsigned},
    ROW(VSHL) = {NULL, {0}, vec_shift_left},
    ROW(VSHR) = {NULL, {0}, vec_shift_right},
    ROW(VSAR) = {NULL, {0}, vec_shift_arithmetic},
    ROW(VROR) = {NULL, {0}, vec_rotate},
    ROW(VSHLS) = {NULL, {0}, vec_shift_register},
    ROW(VSHLU) = {NULL, {0}, vec_shift_register},
    ROW(VDUP) = {NULL, {0}, vec_dup},
    ROW(VDUPLANE) = {NULL, {0}, vec_dup_lane},
    ROW(VEXTRACT) = {NULL, {0}, vec_extract},
    ROW(VINSERT) = {NULL, {0}, vec_insert},
    ROW(VZIP1) = {binary, {X86_vpunpcklbw, X86_vpunpcklwd, X86_vpunpckldq, X86_vpunpcklqdq}, NULL},
    ROW(VZIP2) = {binary, {X86_vpunpckhbw, X86_vpunpckhwd, X86_vpunpckhdq, X86_vpunpckhqdq}, NULL},
    ROW(VUZP1) = {shuffle_even, {0, 0, X86_vshufps, 0}, vec_uzp1},
    ROW(VUZP2) = {shuffle_odd, {0, 0, X86_vshufps, 0}, vec_uzp2},
    ROW(VTRN1) = {binary, {0, 0, 0, X86_vpunpcklqdq}, vec_trn1},
    ROW(VTRN2) = {binary, {0, 0, 0, X86_vpunpckhqdq}, vec_trn2},
    ROW(VSHUF) = {NULL, {0}, vec_shuffle},
    ROW(VEXT) = {NULL, {0}, vec_ext},
    ROW(VREV) = {NULL, {0}, vec_rev},
    ROW(VTBL) = {NULL, {0}, vec_tbl},
    ROW(VLOW64) = {unary, {X86_vmovq}, NULL},
    ROW(VSXTL) = {unary, {X86_vpmovsxbw, X86_vpmovsxwd, X86_vpmovsxdq}, NULL},
    ROW(VUXTL) = {unary, {X86_vpmovzxbw, X86_vpmovzxwd, X86_vpmovzxdq}, NULL},
    ROW(VXTN) = {NULL, {0}, vec_narrow},
    ROW(VQXTNS) = {NULL, {0}, vec_narrow_saturating},
    ROW(VQXTNU) = {NULL, {0}, vec_narrow_saturating},
    ROW(VQXTUN) = {NULL, {0}, vec_narrow_saturating},
    ROW(VQADDS) = {commutative, {X86_vpaddsb, X86_vpaddsw, 0, 0}, vec_qadd_signed},
    ROW(VQADDU) = {commutative, {X86_vpaddusb, X86_vpaddusw, 0, 0}, vec_qadd_unsigned},
    ROW(VQSUBS) = {binary, {X86_vpsubsb, X86_vpsubsw, 0, 0}, vec_qadd_signed},
    ROW(VQSUBU) = {binary, {X86_vpsubusb, X86_vpsubusw, 0, 0}, vec_qsub_unsigned},
    ROW(VAVGU) = {commutative, {X86_vpavgb, X86_vpavgw}, NULL},
    ROW(VPOPCNT) = {NULL, {0}, vec_popcount},
    ROW(VCLZ) = {NULL, {0}, vec_count_leading},
    ROW(VADDP) = {binary, {0, X86_vphaddw, X86_vphaddd, 0}, vec_add_pairs},
    ROW(VMULLS) = {NULL, {0}, vec_mul_long},
    ROW(VMULLU) = {NULL, {0}, vec_mul_long},
    ROW(VMULHS) = {commutative, {0, X86_vpmulhw}, NULL},
    ROW(VDMULH) = {NULL, {0}, vec_mul_high_doubled},
    ROW(VDOT2) = {commutative, {0, X86_vpmaddwd}, NULL},
    ROW(VCLMUL) = {NULL, {0}, vec_clmul},
    ROW(VAESENC) = {NULL, {0}, vec_aes},
    ROW(VAESDEC) = {NULL, {0}, vec_aes},
    ROW(VAESMC) = {NULL, {0}, vec_aes},
    ROW(VAESIMC) = {NULL, {0}, vec_aes},
    ROW(VAESROUND) = {NULL, {0}, vec_aes},
    ROW(VAESIROUND) = {NULL, {0}, vec_aes},
    ROW(VSHA1RNDS) = {NULL, {0}, vec_sha1_rounds},
    ROW(VSHA1E) = {NULL, {0}, vec_sha1_e},
    ROW(VSHA1MSG1) = {NULL, {0}, vec_sha1_msg1},
    ROW(VSHA1MSG2) = {NULL, {0}, vec_sha1_msg2},
    ROW(VSHA256RNDS) = {NULL, {0}, vec_sha256_rounds},
    ROW(VSHA256MSG1) = {NULL, {0}, vec_sha256_msg1},
    ROW(VSHA256MSG2) = {NULL, {0}, vec_sha256_msg2},
    ROW(VFADD) = {NULL, {0}, vec_fp_arith},
    ROW(VFSUB) = {NULL, {0}, vec_fp_arith},
    ROW(VFMUL) = {NULL, {0}, vec_fp_arith},
    ROW(VFDIV) = {NULL, {0}, vec_fp_arith},
    ROW(VFSQRT) = {NULL, {0}, vec_fp_arith},
    ROW(VFMA) = {NULL, {0}, vec_fp_arith},
    ROW(VFMIN) = {NULL, {0}, vec_fp_minmax},
    ROW(VFMAX) = {NULL, {0}, vec_fp_minmax},
    ROW(VFMINNM) = {NULL, {0}, vec_fp_minmax},
    ROW(VFMAXNM) = {NULL, {0}, vec_fp_minmax},
    ROW(VFNEG) = {NULL, {0}, fp_sign},
    ROW(VFABS) = {NULL, {0}, fp_sign},
    ROW(VFCMP) = {NULL, {0}, vec_fp_compare},
    ROW(VFRINT) = {NULL, {0}, fp_rint},
    ROW(VSITOF) = {NULL, {0}, vec_from_integer},
    ROW(VUITOF) = {NULL, {0}, vec_from_integer},
    ROW(VFTOSI) = {NULL, {0}, vec_to_integer},
    ROW(VFTOUI) = {NULL, {0}, vec_to_integer},
    ROW(VFRINTN) = {NULL, {0}, vec_fp_round_n},
    ROW(VFMULX) = {NULL, {0}, vec_fp_mulx},
    ROW(VFRECPS) = {NULL, {0}, vec_fp_step},
    ROW(VFRSQRTS) = {NULL, {0}, vec_fp_step},
    ROW(VFRECPE) = {NULL, {0}, vec_fp_estimate},
    ROW(VFRSQRTE) = {NULL, {0}, vec_fp_estimate},
    ROW(VFRECPX) = {NULL, {0}, vec_fp_exponent},
    ROW(VFMLAL) = {NULL, {0}, vec_fp_mla_long},
    ROW(VFCVTXN) = {NULL, {0}, vec_fp_narrow_odd},
    ROW(VFCVTBF) = {NULL, {0}, vec_fp_narrow_bf16},
    ROW(VFCVTL) = {unary, {0, X86_vcvtph2ps, X86_vcvtps2pd}, NULL},
    ROW(VFCVTN) = {NULL, {0}, vec_fp_narrow},
#undef ROW
};

void emit_vec(struct emit *e, ir_ref ref)
{
    const struct ir_insn *insn = emit_insn(e, ref);
    const struct vec_row *row = &rows[insn->op - IR_VADD];
    uint32_t opcode = row->opcode[lane_log2(insn->size) & 3];
    bool half = insn->op >= IR_VFADD && (insn->size == 2 || (insn->op == IR_VFCVTN && insn->size == 4));
    if (half && insn->op != IR_VFCVTL)
        vec_half(e, ref);
    else if (opcode)
        row->regular(e, ref, opcode);
    else
        row->special(e, ref);
}

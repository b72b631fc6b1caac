/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Cryptographic instructions (Arm ARM DDI 0487, C4.1.95), and what the floating-point and AdvSIMD rows bring as
   features. */
#include "frontend/a64/simd.h"

static ir_ref d_of(struct a64_translate *t)
{
    return get_v(t, Rd(t));
}
static ir_ref n_of(struct a64_translate *t)
{
    return get_v(t, Rn(t));
}
static ir_ref m_of(struct a64_translate *t)
{
    return get_v(t, Rm(t));
}
static ir_ref a_of(struct a64_translate *t)
{
    return get_v(t, Ra(t));
}
static ir_ref v_xor(struct a64_translate *t, ir_ref x, ir_ref y)
{
    return b_v2(t->b, IR_VXOR, 0, x, y);
}

void a64_AESE(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESENC, 0, v_xor(t, d_of(t), n_of(t))));
}
void a64_AESD(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESDEC, 0, v_xor(t, d_of(t), n_of(t))));
}
void a64_AESMC(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESMC, 0, n_of(t)));
}
void a64_AESIMC(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESIMC, 0, n_of(t)));
}

static void sha1_hash(struct a64_translate *t, uint32_t function)
{
    put_v(t, Rd(t),
          CALL_HELPER(t, sha1_hash, d_of(t), b_vextract(t->b, 4, 0, n_of(t)), m_of(t), b_i32(t->b, function)));
}
void a64_SHA1C(struct a64_translate *t)
{
    sha1_hash(t, SHA1_CHOOSE);
}
void a64_SHA1P(struct a64_translate *t)
{
    sha1_hash(t, SHA1_PARITY);
}
void a64_SHA1M(struct a64_translate *t)
{
    sha1_hash(t, SHA1_MAJORITY);
}

void a64_SHA1H(struct a64_translate *t)
{
    ir_ref e = b_vextract(t->b, 4, 0, n_of(t));
    put_v(t, Rd(t), v_from_int(t, 4, b_bin(t->b, IR_ROR, e, b_i32(t->b, 2))));
}

void a64_SHA1SU0(struct a64_translate *t)
{
    put_v(t, Rd(t), v_xor(t, v_xor(t, b_vimm(t->b, IR_VEXT, 0, 8, d_of(t), n_of(t)), d_of(t)), m_of(t)));
}
void a64_SHA1SU1(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha1_schedule, d_of(t), n_of(t)));
}

/* SHA256H2 has the two halves of the state the other way round. */
void a64_SHA256H(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha256_hash, d_of(t), n_of(t), m_of(t), b_i32(t->b, 0)));
}
void a64_SHA256H2(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha256_hash, n_of(t), d_of(t), m_of(t), b_i32(t->b, 1)));
}
void a64_SHA256SU0(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha256_schedule0, d_of(t), n_of(t)));
}
void a64_SHA256SU1(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha256_schedule1, d_of(t), n_of(t), m_of(t)));
}

void a64_SHA512H(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha512_hash, d_of(t), n_of(t), m_of(t)));
}
void a64_SHA512H2(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha512_hash2, d_of(t), n_of(t), m_of(t)));
}
void a64_SHA512SU0(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha512_schedule0, d_of(t), n_of(t)));
}
void a64_SHA512SU1(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sha512_schedule1, d_of(t), n_of(t), m_of(t)));
}

/* 64-bit lanes rotated right by n, 0..63. */
static ir_ref rotate_right64(struct a64_translate *t, ir_ref v, unsigned n)
{
    if (n == 0)
        return v;
    return b_v2(t->b, IR_VOR, 0, b_vimm(t->b, IR_VSHR, 8, n, v, IR_NONE), b_vimm(t->b, IR_VSHL, 8, 64 - n, v, IR_NONE));
}

void a64_EOR3(struct a64_translate *t)
{
    put_v(t, Rd(t), v_xor(t, v_xor(t, n_of(t), m_of(t)), a_of(t)));
}
void a64_BCAX(struct a64_translate *t)
{
    put_v(t, Rd(t), v_xor(t, n_of(t), b_v2(t->b, IR_VANDN, 0, m_of(t), a_of(t))));
}
void a64_RAX1(struct a64_translate *t)
{
    put_v(t, Rd(t), v_xor(t, n_of(t), rotate_right64(t, m_of(t), 63)));
}
void a64_XAR(struct a64_translate *t)
{
    put_v(t, Rd(t), rotate_right64(t, v_xor(t, n_of(t), m_of(t)), imm6(t)));
}

void a64_SM3SS1(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sm3_ss1, n_of(t), m_of(t), a_of(t)));
}

/* SM3TT1A, TT1B, TT2A, TT2B by bits 11:10; imm2 is the lane of Vm. */
void a64_SM3TT(struct a64_translate *t)
{
    ir_ref code = b_i32(t->b, (t->word >> 10 & 3) | (t->word >> 12 & 3) << 2);
    put_v(t, Rd(t), CALL_HELPER(t, sm3_tt, d_of(t), n_of(t), m_of(t), code));
}
void a64_SM3PARTW1(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sm3_part1, d_of(t), n_of(t), m_of(t)));
}
void a64_SM3PARTW2(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sm3_part2, d_of(t), n_of(t), m_of(t)));
}
void a64_SM4E(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sm4_encrypt, d_of(t), n_of(t)));
}
void a64_SM4EKEY(struct a64_translate *t)
{
    put_v(t, Rd(t), CALL_HELPER(t, sm4_key, n_of(t), m_of(t)));
}

uint64_t a64_simd_features(void)
{
#define F(name) (UINT64_C(1) << A64_FEAT_##name)
    return F(AES) | F(PMULL) | F(SHA1) | F(SHA256) | F(SHA512) | F(SHA3) | F(SM3) | F(SM4) | F(RDM) | F(FP16) | F(FHM) |
           F(DOTPROD) | F(FCMA) | F(JSCVT) | F(FRINTTS) | F(I8MM) | F(BF16);
#undef F
}

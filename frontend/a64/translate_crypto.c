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

static ir_ref v_add(struct a64_translate *t, unsigned lane, ir_ref x, ir_ref y)
{
    return b_v2(t->b, IR_VADD, lane, x, y);
}
/** Lanes rotated right by n, 0 <= n < lane bits. */
static ir_ref v_ror(struct a64_translate *t, unsigned lane, unsigned n, ir_ref v)
{
    return n ? b_vimm(t->b, IR_VROR, lane, n, v, IR_NONE) : v;
}
/** Two 32-bit lanes of x, then two of y. */
static ir_ref v_shuffle(struct a64_translate *t, unsigned lanes, ir_ref x, ir_ref y)
{
    return b_vimm(t->b, IR_VSHUF, 4, lanes, x, y);
}

/* ---- AES: the builder makes one round of AESE, AESMC and the next AESE's key ------------------------------------ */

void a64_AESE(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v2(t->b, IR_VAESENC, 0, v_xor(t, d_of(t), n_of(t)), v_zero(t)));
}
void a64_AESD(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v2(t->b, IR_VAESDEC, 0, v_xor(t, d_of(t), n_of(t)), v_zero(t)));
}
void a64_AESMC(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESMC, 0, n_of(t)));
}
void a64_AESIMC(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v1(t->b, IR_VAESIMC, 0, n_of(t)));
}

/* ---- SHA-1: the operations have the lanes the other way round, so that in a sequence of instructions what turns
   them round and back again cancels out ---- */

static ir_ref turn(struct a64_translate *t, ir_ref v)
{
    return v_shuffle(t, 0x1b, v, v);
}

/* `function` as in VSHA1RNDS */
static void sha1_hash(struct a64_translate *t, unsigned function)
{
    ir_ref e = b_v2(t->b, IR_VAND, 0, turn(t, n_of(t)), builder_vconst(t->b, 0, UINT64_C(0xffffffff00000000)));
    ir_ref words = v_add(t, 4, turn(t, m_of(t)), e);
    put_v(t, Rd(t),
          turn(t, builder_op(t->b, IR_VSHA1RNDS, IR_V128, 0, function, 0, turn(t, d_of(t)), words, IR_NONE, IR_NONE)));
}
void a64_SHA1C(struct a64_translate *t)
{
    sha1_hash(t, 0);
}
void a64_SHA1P(struct a64_translate *t)
{
    sha1_hash(t, 1);
}
void a64_SHA1M(struct a64_translate *t)
{
    sha1_hash(t, 2);
}

void a64_SHA1H(struct a64_translate *t)
{
    put_v(t, Rd(t), turn(t, b_v2(t->b, IR_VSHA1E, 0, turn(t, n_of(t)), v_zero(t))));
}

void a64_SHA1SU0(struct a64_translate *t)
{
    ir_ref r = b_v2(t->b, IR_VSHA1MSG1, 0, turn(t, d_of(t)), turn(t, n_of(t)));
    put_v(t, Rd(t), turn(t, v_xor(t, r, turn(t, m_of(t)))));
}
void a64_SHA1SU1(struct a64_translate *t)
{
    put_v(t, Rd(t), turn(t, b_v2(t->b, IR_VSHA1MSG2, 0, turn(t, d_of(t)), turn(t, n_of(t)))));
}

/* ---- SHA-256: SHA256H and SHA256H2 do the same four rounds and keep one half of the state each. The operations have
   the halves' lanes as F E B A and H G D C; between pairs of these instructions that cancels out ---- */

static void sha256_hash(struct a64_translate *t, ir_ref abcd, ir_ref efgh, bool second)
{
    ir_ref words = m_of(t);
    ir_ref newer = v_shuffle(t, 0x11, efgh, abcd), older = v_shuffle(t, 0xbb, efgh, abcd);
    ir_ref two = b_v3(t->b, IR_VSHA256RNDS, 0, older, newer, words);
    ir_ref four = b_v3(t->b, IR_VSHA256RNDS, 0, newer, two, v_shuffle(t, 0xee, words, words));
    put_v(t, Rd(t), v_shuffle(t, second ? 0x11 : 0xbb, four, two));
}
void a64_SHA256H(struct a64_translate *t)
{
    sha256_hash(t, d_of(t), n_of(t), false);
}
void a64_SHA256H2(struct a64_translate *t)
{
    sha256_hash(t, n_of(t), d_of(t), true);
}
void a64_SHA256SU0(struct a64_translate *t)
{
    put_v(t, Rd(t), b_v2(t->b, IR_VSHA256MSG1, 0, d_of(t), n_of(t)));
}
void a64_SHA256SU1(struct a64_translate *t)
{
    ir_ref sum = v_add(t, 4, d_of(t), b_vimm(t->b, IR_VEXT, 0, 4, n_of(t), m_of(t)));
    put_v(t, Rd(t), b_v2(t->b, IR_VSHA256MSG2, 0, sum, m_of(t)));
}

/* ---- SHA-512: two rounds, the first in lane 1, the second in lane 0 ---- */

static ir_ref swap64(struct a64_translate *t, ir_ref v)
{
    return v_shuffle(t, 0x4e, v, v);
}
/** v rotated right by r1 ^ r2 ^ r3 */
static ir_ref sha512_sum(struct a64_translate *t, unsigned r1, unsigned r2, unsigned r3, ir_ref v)
{
    return v_xor(t, v_xor(t, v_ror(t, 8, r1, v), v_ror(t, 8, r2, v)), v_ror(t, 8, r3, v));
}
/** Lane 0 of `second`, lane 1 of `first`. */
static ir_ref two_rounds(struct a64_translate *t, ir_ref first, ir_ref second)
{
    return v_shuffle(t, 0xe4, second, first);
}

void a64_SHA512H(struct a64_translate *t)
{
    ir_ref w = d_of(t), x = n_of(t), y = m_of(t);
    ir_ref chosen = b_v3(t->b, IR_VBSL, 0, y, swap64(t, x), x);
    ir_ref first = v_add(t, 8, v_add(t, 8, w, chosen), sha512_sum(t, 14, 18, 41, y));
    ir_ref sum = v_add(t, 8, swap64(t, first), y);
    chosen = b_v3(t->b, IR_VBSL, 0, sum, swap64(t, y), x);
    ir_ref second = v_add(t, 8, v_add(t, 8, w, chosen), sha512_sum(t, 14, 18, 41, sum));
    put_v(t, Rd(t), two_rounds(t, first, second));
}
/* The majority of a, b, c: c where a and b differ, else a. */
static ir_ref majority(struct a64_translate *t, ir_ref a, ir_ref b, ir_ref c)
{
    return b_v3(t->b, IR_VBSL, 0, v_xor(t, a, b), c, a);
}
void a64_SHA512H2(struct a64_translate *t)
{
    ir_ref w = d_of(t), x = n_of(t), y = m_of(t), swapped = swap64(t, y);
    ir_ref y0 = v_join(t, y, y); /* in both lanes */
    ir_ref first = v_add(t, 8, v_add(t, 8, w, majority(t, y, y0, v_join(t, x, x))), sha512_sum(t, 28, 34, 39, y0));
    ir_ref sum = swap64(t, first);
    ir_ref second = v_add(t, 8, v_add(t, 8, w, majority(t, y, swapped, sum)), sha512_sum(t, 28, 34, 39, sum));
    put_v(t, Rd(t), two_rounds(t, first, second));
}
void a64_SHA512SU0(struct a64_translate *t)
{
    ir_ref next = b_vimm(t->b, IR_VEXT, 0, 8, d_of(t), n_of(t));
    ir_ref sigma = v_xor(t, v_xor(t, v_ror(t, 8, 1, next), v_ror(t, 8, 8, next)),
                         b_vimm(t->b, IR_VSHR, 8, 7, next, IR_NONE));
    put_v(t, Rd(t), v_add(t, 8, d_of(t), sigma));
}
void a64_SHA512SU1(struct a64_translate *t)
{
    ir_ref n = n_of(t);
    ir_ref sigma =
        v_xor(t, v_xor(t, v_ror(t, 8, 19, n), v_ror(t, 8, 61, n)), b_vimm(t->b, IR_VSHR, 8, 6, n, IR_NONE));
    put_v(t, Rd(t), v_add(t, 8, v_add(t, 8, d_of(t), m_of(t)), sigma));
}

/* ---- SHA-3 ------------------------------------------------------------------------------------------------------- */

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
    put_v(t, Rd(t), v_xor(t, n_of(t), v_ror(t, 8, 63, m_of(t))));
}
void a64_XAR(struct a64_translate *t)
{
    put_v(t, Rd(t), v_ror(t, 8, imm6(t), v_xor(t, n_of(t), m_of(t))));
}

/* ---- SM3 --------------------------------------------------------------------------------------------------------- */

static ir_ref lane3_mask(struct a64_translate *t)
{
    return builder_vconst(t->b, 0, UINT64_C(0xffffffff00000000));
}
/** Lane 0 moved to lane 3, the rest zero. */
static ir_ref lane0_to_3(struct a64_translate *t, ir_ref v)
{
    return b_vimm(t->b, IR_VEXT, 0, 4, v_zero(t), v);
}
/** The permutation P1. */
static ir_ref sm3_p1(struct a64_translate *t, ir_ref v)
{
    return v_xor(t, v_xor(t, v, v_ror(t, 4, 32 - 15, v)), v_ror(t, 4, 32 - 23, v));
}

void a64_SM3SS1(struct a64_translate *t)
{
    ir_ref sum = v_add(t, 4, v_add(t, 4, v_ror(t, 4, 32 - 12, n_of(t)), m_of(t)), a_of(t));
    put_v(t, Rd(t), b_v2(t->b, IR_VAND, 0, v_ror(t, 4, 32 - 7, sum), lane3_mask(t)));
}

static ir_ref rol32(struct a64_translate *t, ir_ref x, unsigned n)
{
    return b_bin(t->b, IR_ROR, x, b_i32(t->b, 32 - n));
}

/* SM3TT1A, TT1B, TT2A, TT2B by bits 11:10; imm2 is the lane of Vm. */
void a64_SM3TT(struct a64_translate *t)
{
    bool boolean = t->word >> 10 & 1, second = t->word >> 11 & 1;
    ir_ref d = d_of(t), lanes[4], f;
    for (unsigned i = 0; i < 4; i++)
        lanes[i] = b_vextract(t->b, 4, i, d);
    ir_ref n3 = b_vextract(t->b, 4, 3, n_of(t)), w = b_vextract(t->b, 4, imm2(t), m_of(t));
    if (!boolean) {
        f = b_xor(t->b, b_xor(t->b, lanes[1], lanes[2]), lanes[3]);
    } else if (second) { /* choose: lane 2 or lane 1, by lane 3 */
        f = b_xor(t->b, b_and(t->b, b_xor(t->b, lanes[2], lanes[1]), lanes[3]), lanes[1]);
    } else { /* majority */
        ir_ref any = b_or(t->b, lanes[3], lanes[1]), both = b_and(t->b, lanes[3], lanes[1]);
        f = b_or(t->b, b_and(t->b, any, lanes[2]), both);
    }
    if (!second)
        n3 = b_xor(t->b, n3, rol32(t, lanes[3], 12));
    ir_ref sum = b_add(t->b, b_add(t->b, f, lanes[0]), b_add(t->b, n3, w));
    if (second)
        sum = b_xor(t->b, b_xor(t->b, sum, rol32(t, sum, 9)), rol32(t, sum, 17));
    ir_ref moved = b_vimm(t->b, IR_VEXT, 0, 4, d, d);
    moved = b_vinsert(t->b, 4, 1, moved, rol32(t, lanes[2], second ? 19 : 9));
    put_v(t, Rd(t), b_vinsert(t->b, 4, 3, moved, sum));
}
/* Lane 3 of the result depends on its lane 0; P1 is linear, so that that part is added afterwards. */
void a64_SM3PARTW1(struct a64_translate *t)
{
    ir_ref next = b_vimm(t->b, IR_VEXT, 0, 4, m_of(t), v_zero(t));
    ir_ref r = sm3_p1(t, v_xor(t, v_xor(t, d_of(t), n_of(t)), v_ror(t, 4, 32 - 15, next)));
    put_v(t, Rd(t), v_xor(t, r, sm3_p1(t, v_ror(t, 4, 32 - 15, lane0_to_3(t, r)))));
}
void a64_SM3PARTW2(struct a64_translate *t)
{
    ir_ref r = v_xor(t, n_of(t), v_ror(t, 4, 32 - 7, m_of(t)));
    ir_ref last = sm3_p1(t, v_ror(t, 4, 32 - 15, lane0_to_3(t, r)));
    put_v(t, Rd(t), v_xor(t, v_xor(t, d_of(t), r), last));
}

/* ---- SM4: the S-box is a table, in C ----------------------------------------------------------------------------- */

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

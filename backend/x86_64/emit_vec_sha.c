/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * SHA-1 and SHA-256 by the host's SHA instructions, whose forms the IR's operations have (Intel SDM, SHA1RNDS4 …).
 * Without them the schedule is computed by shifts in place, and the rounds by C functions.
 *
 * The instructions are not VEX-encoded: the first source is overwritten.
 */
#include "backend/x86_64/emit_vec.h"

static bool has_sha(const struct emit *e)
{
    return e->backend->options.extensions && __builtin_cpu_supports("sha");
}

/* ---- without the instructions ---------------------------------------------------------------------------------- */

static uint32_t rol(uint32_t x, unsigned n) { return x << n | x >> (32 - n); }
static uint32_t ror(uint32_t x, unsigned n) { return x >> n | x << (32 - n); }
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z) { return ((y ^ z) & x) ^ z; }
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z) { return (x & y) | ((x | y) & z); }

static void sha1_rounds(__m128i *scratch, uint32_t operation)
{
    uint32_t s[4], w[4], e = 0, mode = operation >> 24;
    memcpy(s, &scratch[0], sizeof s);
    memcpy(w, &scratch[1], sizeof w);
    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = mode == 0 ? choose(s[2], s[1], s[0]) : mode == 1 ? s[2] ^ s[1] ^ s[0] : majority(s[2], s[1], s[0]);
        uint32_t sum = f + rol(s[3], 5) + w[3 - i] + e;
        e = s[0];
        s[0] = s[1];
        s[1] = rol(s[2], 30);
        s[2] = s[3];
        s[3] = sum;
    }
    memcpy(&scratch[3], s, sizeof s);
}

static void sha256_rounds(__m128i *scratch, uint32_t operation)
{
    (void)operation;
    uint32_t old[4], s[4], w[4]; /* H G D C, F E B A */
    memcpy(old, &scratch[0], sizeof old);
    memcpy(s, &scratch[1], sizeof s);
    memcpy(w, &scratch[2], sizeof w);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t t1 = old[0] + (ror(s[1], 6) ^ ror(s[1], 11) ^ ror(s[1], 25)) + choose(s[1], s[0], old[1]) + w[i];
        uint32_t t2 = (ror(s[3], 2) ^ ror(s[3], 13) ^ ror(s[3], 22)) + majority(s[3], s[2], old[3]);
        uint32_t e = old[2] + t1;
        old[0] = old[1];
        old[1] = s[0];
        s[0] = s[1];
        s[1] = e;
        old[2] = old[3];
        old[3] = s[2];
        s[2] = s[3];
        s[3] = t1 + t2;
    }
    memcpy(&scratch[3], s, sizeof s);
}

/* dst = x's words rotated left by count, with XT1 */
static void rotate_words(struct emit *e, unsigned dst, unsigned x, unsigned count)
{
    vpslld(&e->as, XT1, x, count);
    vpsrld(&e->as, dst, x, 32 - count);
    vpor(&e->as, dst, dst, asm_reg(XT1));
}

/* dst = x rotated right by r1 ^ rotated right by r2 ^ shifted right by n; dst is not x, XT2 is used */
static void sigma(struct emit *e, unsigned dst, unsigned x, unsigned r1, unsigned r2, unsigned n)
{
    struct assembler *a = &e->as;
    vpsrld(a, dst, x, n);
    const unsigned right[2] = {r1, r2};
    for (unsigned i = 0; i < 2; i++) {
        vpsrld(a, XT2, x, right[i]);
        vpxor(a, dst, dst, asm_reg(XT2));
        vpslld(a, XT2, x, 32 - right[i]);
        vpxor(a, dst, dst, asm_reg(XT2));
    }
}

/* ---- emission -------------------------------------------------------------------------------------------------- */

/* An instruction of two operands: in the destination, unless that holds the second. */
static void two_operands(struct emit *e, ir_ref ref, void (*form)(struct assembler *, unsigned, unsigned))
{
    unsigned x = arg_xmm(e, ref, 0, XT0), y = arg_xmm(e, ref, 1, XT1), r = xmm_dst(e, ref);
    if (r == y)
        r = XT0;
    emit_xmm_move(e, r, x);
    form(&e->as, r, y);
    emit_done(e, ref, r);
}

/* The instruction adds the function's constant, which is in the words already. */
void vec_sha1_rounds(struct emit *e, ir_ref ref)
{
    static const uint32_t constants[3] = {0x5a827999, 0x6ed9eba1, 0x8f1bbcdc};
    struct assembler *a = &e->as;
    unsigned function = emit_insn(e, ref)->mode;
    if (!has_sha(e)) {
        vec_call(e, ref, sha1_rounds);
        return;
    }
    unsigned x = arg_xmm(e, ref, 0, XT0), r = xmm_dst(e, ref);
    vpsubd(a, XT1, arg_xmm(e, ref, 1, XT1), pool_splat(e, 4, constants[function]));
    emit_xmm_move(e, r, x);
    sha1rnds4(a, r, XT1, function);
    emit_done(e, ref, r);
}

void vec_sha1_e(struct emit *e, ir_ref ref)
{
    if (has_sha(e)) {
        two_operands(e, ref, sha1nexte);
        return;
    }
    unsigned x = arg_xmm(e, ref, 0, XT0), r = xmm_dst(e, ref);
    rotate_words(e, XT2, x, 30);
    vpand(&e->as, XT0, XT2, emit_pool_operand(e, 0, UINT64_C(0xffffffff00000000)));
    vpaddd(&e->as, r, XT0, arg_operand(e, ref, 1));
    emit_done(e, ref, r);
}

/* Short enough without the instruction, whose two-operand form costs a move. */
void vec_sha1_msg1(struct emit *e, ir_ref ref)
{
    unsigned x = arg_xmm(e, ref, 0, XT0), r = xmm_dst(e, ref);
    vpalignr(&e->as, XT1, x, arg_operand(e, ref, 1), 8);
    vpxor(&e->as, r, x, asm_reg(XT1));
    emit_done(e, ref, r);
}

void vec_sha1_msg2(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    if (has_sha(e)) {
        two_operands(e, ref, sha1msg2);
        return;
    }
    unsigned r = xmm_dst(e, ref);
    set_zero(e, XT1);
    vpalignr(a, XT0, arg_xmm(e, ref, 1, XT0), asm_reg(XT1), 12);
    vpxor(a, XT0, XT0, arg_operand(e, ref, 0));
    rotate_words(e, XT0, XT0, 1);
    set_zero(e, XT2);
    vpalignr(a, XT2, XT2, asm_reg(XT0), 12); /* lane 3 to lane 0 */
    rotate_words(e, XT2, XT2, 1);
    vpxor(a, r, XT0, asm_reg(XT2));
    emit_done(e, ref, r);
}

/* SHA256RNDS2 takes the words from XMM0, which is put aside meanwhile. */
void vec_sha256_rounds(struct emit *e, ir_ref ref)
{
    if (!has_sha(e)) {
        vec_call(e, ref, sha256_rounds);
        return;
    }
    unsigned x = arg_xmm(e, ref, 0, XT1), y = arg_xmm(e, ref, 1, XT2), r = xmm_dst(e, ref);
    ir_ref words = emit_insn(e, ref)->arg[2];
    bool in_place = in_register(e, words) && emit_xmm(e, words, 0) == 0;
    if (!in_place) {
        emit_xmm_move(e, XT0, 0);
        x = x ? x : XT0;
        y = y ? y : XT0;
        emit_xmm_move(e, 0, emit_xmm(e, words, 0));
    }
    unsigned state = r == 0 || r == y || r == XT0 ? XT1 : r;
    emit_xmm_move(e, state, x);
    sha256rnds2(&e->as, state, y);
    if (!in_place && r != 0)
        emit_xmm_move(e, 0, XT0);
    emit_done(e, ref, state);
}

void vec_sha256_msg1(struct emit *e, ir_ref ref)
{
    if (has_sha(e)) {
        two_operands(e, ref, sha256msg1);
        return;
    }
    unsigned x = arg_xmm(e, ref, 0, XT0), r = xmm_dst(e, ref);
    vpalignr(&e->as, XT1, arg_xmm(e, ref, 1, XT1), asm_reg(x), 4);
    emit_xmm_move(e, XT0, x);
    vmovups_store(&e->as, scratch_temp(), XT0);
    sigma(e, XT0, XT1, 7, 18, 3);
    vpaddd(&e->as, r, XT0, asm_at(scratch_temp()));
    emit_done(e, ref, r);
}

void vec_sha256_msg2(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    if (has_sha(e)) {
        two_operands(e, ref, sha256msg2);
        return;
    }
    unsigned r = xmm_dst(e, ref);
    vpshufd(a, XT1, arg_operand(e, ref, 1), 0xee);
    sigma(e, XT0, XT1, 17, 19, 10);
    vmovq(a, XT0, asm_reg(XT0));
    vpaddd(a, XT0, XT0, arg_operand(e, ref, 0)); /* lanes 0 and 1 are done */
    vpshufd(a, XT1, asm_reg(XT0), 0x44);
    vmovups_store(a, scratch_temp(), XT0);
    sigma(e, XT0, XT1, 17, 19, 10);
    set_zero(e, XT1);
    vpblendd(a, XT0, XT0, asm_reg(XT1), 0x3);
    vpaddd(a, r, XT0, asm_at(scratch_temp()));
    emit_done(e, ref, r);
}

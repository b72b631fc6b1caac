/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * AES steps and carry-less products. Hosts of the baseline have AES-NI and PCLMULQDQ almost without exception; for
 * one that does not, and with the extensions switched off, C functions are called.
 */
#include "backend/x86_64/emit_vec.h"

/* ---- without the instructions ---------------------------------------------------------------------------------- */

/* Product in GF(2^8) modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4.2). */
static uint8_t gf_multiply(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (; b; b >>= 1) {
        if (b & 1)
            product ^= a;
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
    }
    return product;
}

/* a^254: the inverse, 0 for 0 */
static uint8_t gf_invert(uint8_t a)
{
    uint8_t power = 1;
    for (unsigned i = 0; i < 7; i++)
        power = gf_multiply(gf_multiply(power, power), a);
    return gf_multiply(power, power);
}

static uint8_t rotate_left(uint8_t a, unsigned n) { return (uint8_t)(a << n | a >> (8 - n)); }

/* FIPS 197, 5.1.1 and 5.3.2 */
static uint8_t sub_byte(uint8_t a)
{
    uint8_t b = gf_invert(a);
    return (uint8_t)(b ^ rotate_left(b, 1) ^ rotate_left(b, 2) ^ rotate_left(b, 3) ^ rotate_left(b, 4) ^ 0x63);
}
static uint8_t inv_sub_byte(uint8_t a)
{
    return gf_invert((uint8_t)(rotate_left(a, 1) ^ rotate_left(a, 3) ^ rotate_left(a, 6) ^ 0x05));
}

static void aes_sub_shift(__m128i *scratch, bool inverse)
{
    uint8_t in[16], out[16];
    memcpy(in, scratch, sizeof in);
    for (unsigned i = 0; i < 16; i++) { /* byte i is row i % 4 of column i / 4; row n moves by n columns */
        unsigned from = (inverse ? i + 12 * (i % 4) : i + 4 * (i % 4)) % 16;
        out[i] = inverse ? inv_sub_byte(in[from]) : sub_byte(in[from]);
    }
    memcpy(&scratch[3], out, sizeof out);
}

static void aes_mix(__m128i *scratch, const uint8_t factor[4])
{
    uint8_t in[16], out[16];
    memcpy(in, scratch, sizeof in);
    for (unsigned i = 0; i < 16; i++) {
        uint8_t sum = 0;
        for (unsigned k = 0; k < 4; k++)
            sum ^= gf_multiply(in[i / 4 * 4 + (i + k) % 4], factor[k]);
        out[i] = sum;
    }
    memcpy(&scratch[3], out, sizeof out);
}

static void aes_step(__m128i *scratch, uint32_t operation)
{
    static const uint8_t mix[4] = {2, 3, 1, 1}, inv_mix[4] = {14, 11, 13, 9};
    unsigned op = operation & 0xff;
    bool inverse = op == IR_VAESDEC || op == IR_VAESIMC || op == IR_VAESIROUND;
    if (op != IR_VAESMC && op != IR_VAESIMC) {
        aes_sub_shift(scratch, inverse);
        if (op == IR_VAESROUND || op == IR_VAESIROUND) {
            scratch[0] = scratch[3];
            aes_mix(scratch, inverse ? inv_mix : mix);
        }
        scratch[3] = _mm_xor_si128(scratch[3], scratch[1]);
    } else {
        aes_mix(scratch, inverse ? inv_mix : mix);
    }
}

/* The low halves' product; the caller has put the lanes there. */
static void carryless_product(__m128i *scratch, uint32_t operation)
{
    (void)operation;
    uint64_t a[2], b[2], product[2] = {0, 0};
    memcpy(a, &scratch[0], sizeof a);
    memcpy(b, &scratch[1], sizeof b);
    for (unsigned i = 0; i < 64; i++) {
        if (b[0] >> i & 1) {
            product[0] ^= a[0] << i;
            product[1] ^= i ? a[0] >> (64 - i) : 0;
        }
    }
    memcpy(&scratch[3], product, sizeof product);
}
static void carryless_product_low_high(__m128i *scratch, uint32_t operation)
{
    scratch[1] = (__m128i){scratch[1][1], 0};
    carryless_product(scratch, operation);
}
static void carryless_product_high_low(__m128i *scratch, uint32_t operation)
{
    scratch[0] = (__m128i){scratch[0][1], 0};
    carryless_product(scratch, operation);
}
static void carryless_product_high_high(__m128i *scratch, uint32_t operation)
{
    scratch[0] = (__m128i){scratch[0][1], 0};
    carryless_product_low_high(scratch, operation);
}

void vec_call(struct emit *e, ir_ref ref, thunk_function *function)
{
    unsigned r = xmm_dst(e, ref);
    emit_thunk_call(e, ref, function);
    vmovups(&e->as, r, asm_at(thunk_result()));
    emit_done(e, ref, r);
}

/* ---- emission -------------------------------------------------------------------------------------------------- */

void vec_clmul(struct emit *e, ir_ref ref)
{
    static thunk_function *const functions[4] = {carryless_product, carryless_product_high_low,
                                                 carryless_product_low_high, carryless_product_high_high};
    unsigned lanes = emit_insn(e, ref)->imm & 3;
    if (!e->backend->options.extensions || !__builtin_cpu_supports("pclmul")) {
        vec_call(e, ref, functions[lanes]);
        return;
    }
    unsigned r = xmm_dst(e, ref);
    vpclmulqdq(&e->as, r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1), (lanes & 1) | (lanes & 2) << 3);
    emit_done(e, ref, r);
}

/* MixColumns alone: of a full round, whose other steps are undone first. */
static void mix_columns(struct emit *e, ir_ref ref)
{
    struct assembler *a = &e->as;
    unsigned r = xmm_dst(e, ref), x = arg_xmm(e, ref, 0, XT0);
    set_zero(e, XT1);
    vaesdeclast(a, XT0, x, asm_reg(XT1));
    vaesenc(a, r, XT0, asm_reg(XT1));
    emit_done(e, ref, r);
}

void vec_aes(struct emit *e, ir_ref ref)
{
    static const uint32_t opcodes[] = {
        [IR_VAESENC - IR_VAESENC] = X86_vaesenclast,
        [IR_VAESDEC - IR_VAESENC] = X86_vaesdeclast,
        [IR_VAESROUND - IR_VAESENC] = X86_vaesenc,
        [IR_VAESIROUND - IR_VAESENC] = X86_vaesdec,
    };
    enum ir_op op = emit_insn(e, ref)->op;
    if (!e->backend->options.extensions || !__builtin_cpu_supports("aes")) {
        vec_call(e, ref, aes_step);
        return;
    }
    if (op == IR_VAESMC) {
        mix_columns(e, ref);
        return;
    }
    unsigned r = xmm_dst(e, ref);
    if (op == IR_VAESIMC)
        vaesimc(&e->as, r, arg_operand(e, ref, 0));
    else
        vex_rvm(&e->as, opcodes[op - IR_VAESENC], r, arg_xmm(e, ref, 0, XT0), arg_operand(e, ref, 1));
    emit_done(e, ref, r);
}

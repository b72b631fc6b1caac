/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector operations of cryptography: carry-less products, AES (FIPS 197), SHA-1 and SHA-256 (FIPS 180-4). */
#include <string.h>

#include "backend/interp/interp.h"

static void eval_multiply_carryless(const struct ir_insn *insn, const union interp_value arg[4],
                                    union interp_value *result)
{
    uint64_t a = arg[0].half[insn->imm & 1], b = arg[1].half[insn->imm >> 1 & 1];
    unsigned __int128 product = 0;
    for (unsigned i = 0; i < 64; i++) {
        if (b >> i & 1) {
            product ^= (unsigned __int128)a << i;
        }
    }
    memcpy(result, &product, sizeof product);
}

/* ---- AES (FIPS 197): byte i of a vector is row i % 4, column i / 4 of the state --------------------------------- */

/* In GF(2^8) modulo x^8 + x^4 + x^3 + x + 1. */
static uint8_t field_multiply(uint8_t a, uint8_t b)
{
    uint8_t product = 0;
    for (; b != 0; b >>= 1) {
        if (b & 1) {
            product ^= a;
        }
        a = (uint8_t)(a << 1 ^ (a & 0x80 ? 0x1b : 0));
    }
    return product;
}

/* The 254th power: the inverse, and 0 for 0. */
static uint8_t field_inverse(uint8_t a)
{
    uint8_t power = a, product = 1;
    for (unsigned i = 1; i < 8; i++) { /* a^2 · a^4 · … · a^128 */
        power = field_multiply(power, power);
        product = field_multiply(product, power);
    }
    return product;
}

static uint8_t rotate_left(uint8_t a, unsigned n)
{
    return (uint8_t)(a << n | a >> (8 - n));
}

static uint8_t substitute(uint8_t a)
{
    uint8_t b = field_inverse(a);
    return (uint8_t)(b ^ rotate_left(b, 1) ^ rotate_left(b, 2) ^ rotate_left(b, 3) ^ rotate_left(b, 4) ^ 0x63);
}

static uint8_t substitute_inverse(uint8_t a)
{
    return field_inverse((uint8_t)(rotate_left(a, 1) ^ rotate_left(a, 3) ^ rotate_left(a, 6) ^ 0x05));
}

/* ShiftRows and SubBytes, or their inverses. */
static union interp_value aes_rows(const union interp_value *x, bool inverse)
{
    union interp_value result;
    for (unsigned row = 0; row < 4; row++) {
        for (unsigned column = 0; column < 4; column++) {
            unsigned here = row + 4 * column, rotated = row + 4 * ((column + row) % 4);
            if (inverse) {
                result.bytes[rotated] = substitute_inverse(x->bytes[here]);
            } else {
                result.bytes[here] = substitute(x->bytes[rotated]);
            }
        }
    }
    return result;
}

static union interp_value aes_columns(const union interp_value *x, bool inverse)
{
    static const uint8_t factors[2][4] = {{2, 3, 1, 1}, {14, 11, 13, 9}};
    union interp_value result = {.half = {0, 0}};
    for (unsigned i = 0; i < 16; i++) {
        for (unsigned k = 0; k < 4; k++) {
            result.bytes[i] ^= field_multiply(x->bytes[i / 4 * 4 + (i + k) % 4], factors[inverse][k]);
        }
    }
    return result;
}

static void eval_aes(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    bool inverse = insn->op == IR_VAESDEC || insn->op == IR_VAESIMC || insn->op == IR_VAESIROUND;
    bool columns_only = insn->op == IR_VAESMC || insn->op == IR_VAESIMC;
    *result = columns_only ? arg[0] : aes_rows(&arg[0], inverse);
    if (columns_only || insn->op == IR_VAESROUND || insn->op == IR_VAESIROUND) {
        *result = aes_columns(result, inverse);
    }
    for (unsigned i = 0; i < 2 && !columns_only; i++) {
        result->half[i] ^= arg[1].half[i];
    }
}

/* ---- SHA-1 and SHA-256: the lanes are told in ir_ops.inc --------------------------------------------------------- */

struct words {
    uint32_t w[4];
};

static struct words words_of(const union interp_value *v)
{
    struct words words;
    memcpy(&words, v, sizeof words);
    return words;
}

static uint32_t rol(uint32_t x, unsigned n)
{
    return x << n | x >> (32 - n);
}
static uint32_t ror(uint32_t x, unsigned n)
{
    return rol(x, 32 - n);
}
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (~x & z);
}
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

static void eval_sha1_rounds(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    struct words s = words_of(&arg[0]), w = words_of(&arg[1]);
    uint32_t a = s.w[3], b = s.w[2], c = s.w[1], d = s.w[0], e = 0; /* E is in the first word already */
    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = insn->mode == 0 ? choose(b, c, d) : insn->mode == 1 ? b ^ c ^ d : majority(b, c, d);
        uint32_t sum = f + rol(a, 5) + w.w[3 - i] + e;
        e = d;
        d = c;
        c = rol(b, 30);
        b = a;
        a = sum;
    }
    memcpy(result, &(struct words){{d, c, b, a}}, sizeof *result);
}

static void eval_sha1_words(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    struct words a = words_of(&arg[0]), b = words_of(&arg[1]), r;
    switch (insn->op) {
    case IR_VSHA1E:
        r = (struct words){{b.w[0], b.w[1], b.w[2], b.w[3] + rol(a.w[3], 30)}};
        break;
    case IR_VSHA1MSG1:
        r = (struct words){{a.w[0] ^ b.w[2], a.w[1] ^ b.w[3], a.w[2] ^ a.w[0], a.w[3] ^ a.w[1]}};
        break;
    default:
        r.w[3] = rol(a.w[3] ^ b.w[2], 1);
        r.w[2] = rol(a.w[2] ^ b.w[1], 1);
        r.w[1] = rol(a.w[1] ^ b.w[0], 1);
        r.w[0] = rol(a.w[0] ^ r.w[3], 1);
        break;
    }
    memcpy(result, &r, sizeof *result);
}

static void eval_sha256_rounds(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    (void)insn;
    struct words older = words_of(&arg[0]), newer = words_of(&arg[1]), w = words_of(&arg[2]);
    uint32_t a = newer.w[3], b = newer.w[2], c = older.w[3], d = older.w[2];
    uint32_t e = newer.w[1], f = newer.w[0], g = older.w[1], h = older.w[0];
    for (unsigned i = 0; i < 2; i++) {
        uint32_t t1 = h + (ror(e, 6) ^ ror(e, 11) ^ ror(e, 25)) + choose(e, f, g) + w.w[i];
        uint32_t t2 = (ror(a, 2) ^ ror(a, 13) ^ ror(a, 22)) + majority(a, b, c);
        h = g;
        g = f;
        f = e;
        e = d + t1;
        d = c;
        c = b;
        b = a;
        a = t1 + t2;
    }
    memcpy(result, &(struct words){{f, e, b, a}}, sizeof *result);
}

static void eval_sha256_words(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    struct words a = words_of(&arg[0]), b = words_of(&arg[1]), r;
    for (unsigned i = 0; i < 4; i++) {
        if (insn->op == IR_VSHA256MSG1) {
            uint32_t x = i < 3 ? a.w[i + 1] : b.w[0];
            r.w[i] = a.w[i] + (ror(x, 7) ^ ror(x, 18) ^ x >> 3);
        } else {
            uint32_t x = i < 2 ? b.w[i + 2] : r.w[i - 2];
            r.w[i] = a.w[i] + (ror(x, 17) ^ ror(x, 19) ^ x >> 10);
        }
    }
    memcpy(result, &r, sizeof *result);
}

interp_function *interp_vec_crypto_function(enum ir_op op)
{
    static interp_function *const functions[IR_OP_COUNT] = {
        [IR_VCLMUL] = eval_multiply_carryless,
        [IR_VAESENC ... IR_VAESIROUND] = eval_aes,
        [IR_VSHA1RNDS] = eval_sha1_rounds,
        [IR_VSHA1E ... IR_VSHA1MSG2] = eval_sha1_words,
        [IR_VSHA256RNDS] = eval_sha256_rounds,
        [IR_VSHA256MSG1 ... IR_VSHA256MSG2] = eval_sha256_words,
    };
    return functions[op];
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Integer AdvSIMD operations that have no short IR form. All pure; lanes beyond a 64-bit form's are the caller's to
   clear. */
#include "frontend/a64/simd_helpers.h"

#include <stdbool.h>

#include "translator/softfp.h"

static int64_t lane_signed(const union vector *x, unsigned size, unsigned i)
{
    unsigned shift = 64 - size * 8;
    return (int64_t)(lane_get(x, size, i) << shift) >> shift;
}

/* value limited to the lane; *saturated tells whether it had to be. */
static uint64_t saturate(__int128 value, unsigned bits, bool is_unsigned, bool *saturated)
{
    __int128 low = is_unsigned ? 0 : -((__int128)1 << (bits - 1));
    __int128 high = is_unsigned ? ((__int128)1 << bits) - 1 : ((__int128)1 << (bits - 1)) - 1;
    *saturated = value < low || value > high;
    return (uint64_t)(value < low ? low : value > high ? high : value);
}

/* SSHL, UQRSHL …: by the signed low byte of the lane of b (C7.2.305, C7.2.401). */
static uint64_t shift_lane(const union vector *a, const union vector *b, uint32_t code, unsigned i, bool *saturated)
{
    unsigned size = code & SIMD_SIZE, bits = size * 8;
    int amount = (int8_t)lane_get(b, size, i);
    bool is_unsigned = code & SIMD_UNSIGNED;
    __int128 value = is_unsigned ? (__int128)lane_get(a, size, i) : (__int128)lane_signed(a, size, i);
    *saturated = false;
    if (amount < 0) {
        int right = -amount > 65 ? 65 : -amount;
        if (code & SIMD_ROUND)
            value += (__int128)1 << (right - 1);
        value >>= right;
    } else if (amount < 64) {
        value = (__int128)((unsigned __int128)value << amount);
    } else if (value) { /* as far out as it matters, with the operand's sign */
        value = code & SIMD_SATURATE ? (value < 0 ? -((__int128)1 << 100) : (__int128)1 << 100) : 0;
    }
    if (!(code & SIMD_SATURATE))
        return (uint64_t)value;
    return saturate(value, bits, is_unsigned || (code & SIMD_TO_UNSIGNED), saturated);
}

__m128i helper_shift(__m128i a, __m128i b, uint32_t code)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    bool saturated;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++)
        lane_set(&r, size, i, shift_lane(&x, &y, code, i, &saturated));
    return r.v;
}

__m128i helper_shift_qc(__m128i a, __m128i b, uint32_t code)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++) {
        bool saturated;
        shift_lane(&x, &y, code, i, &saturated);
        lane_set(&r, size, i, saturated ? UINT64_MAX : 0);
    }
    return r.v;
}

/* SQDMULH, SQRDMULH, SQRDMLAH, SQRDMLSH: the high half of twice the product, which may be added to c (C7.2.301,
   C7.2.304). */
static uint64_t multiply_high_lane(const union vector *c, const union vector *a, const union vector *b, uint32_t code,
                                   unsigned i, bool *saturated)
{
    unsigned size = code & SIMD_SIZE, bits = size * 8;
    __int128 value = (__int128)lane_signed(a, size, i) * lane_signed(b, size, i) * 2;
    if (code & SIMD_SUBTRACT)
        value = -value;
    if (code & (SIMD_ACCUMULATE | SIMD_SUBTRACT))
        value += (__int128)lane_signed(c, size, i) * ((__int128)1 << bits);
    if (code & SIMD_ROUND)
        value += (__int128)1 << (bits - 1);
    return saturate(value >> bits, bits, false, saturated);
}

__m128i helper_multiply_high(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    bool saturated;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++)
        lane_set(&r, size, i, multiply_high_lane(&z, &x, &y, code, i, &saturated));
    return r.v;
}

__m128i helper_multiply_high_qc(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector z = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++) {
        bool saturated;
        multiply_high_lane(&z, &x, &y, code, i, &saturated);
        lane_set(&r, size, i, saturated ? UINT64_MAX : 0);
    }
    return r.v;
}

/* SUQADD, USQADD: a, of the other signedness, added to b with saturation; SIMD_UNSIGNED tells b's. */
static uint64_t mixed_add_lane(const union vector *a, const union vector *b, uint32_t code, unsigned i, bool *saturated)
{
    unsigned size = code & SIMD_SIZE;
    bool is_unsigned = code & SIMD_UNSIGNED;
    __int128 value = is_unsigned ? (__int128)lane_signed(a, size, i) + lane_get(b, size, i)
                                 : (__int128)lane_get(a, size, i) + lane_signed(b, size, i);
    return saturate(value, size * 8, is_unsigned, saturated);
}

__m128i helper_mixed_add(__m128i a, __m128i b, uint32_t code)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    bool saturated;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++)
        lane_set(&r, size, i, mixed_add_lane(&x, &y, code, i, &saturated));
    return r.v;
}

__m128i helper_mixed_add_qc(__m128i a, __m128i b, uint32_t code)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0, size = code & SIMD_SIZE; i < 16 / size; i++) {
        bool saturated;
        mixed_add_lane(&x, &y, code, i, &saturated);
        lane_set(&r, size, i, saturated ? UINT64_MAX : 0);
    }
    return r.v;
}

__m128i helper_count_leading(__m128i a, uint32_t code)
{
    union vector x = {.v = a}, r;
    for (unsigned size = code & SIMD_SIZE, i = 0; i < 16 / size; i++) {
        uint64_t value = lane_get(&x, size, i);
        unsigned bits = size * 8, less = 0;
        if (code & SIMD_SIGN_BITS) {
            int64_t sign = lane_signed(&x, size, i);
            value = (uint64_t)(sign ^ (sign >> 1)) & (UINT64_MAX >> (64 - bits));
            less = 1;
        }
        unsigned zeros = value ? (unsigned)__builtin_clzll(value) - (64 - bits) : bits;
        lane_set(&r, size, i, zeros - less);
    }
    return r.v;
}

static uint16_t multiply_poly8(uint8_t a, uint8_t b)
{
    uint16_t r = 0;
    for (unsigned i = 0; i < 8; i++)
        if (b >> i & 1)
            r ^= (uint16_t)(a << i);
    return r;
}

__m128i helper_multiply_poly(__m128i a, __m128i b)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0; i < 16; i++)
        r.b[i] = (uint8_t)multiply_poly8(x.b[i], y.b[i]);
    return r.v;
}

__m128i helper_multiply_poly_long(__m128i a, __m128i b)
{
    union vector x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0; i < 8; i++)
        r.h[i] = multiply_poly8(x.b[i], y.b[i]);
    return r.v;
}

static int32_t byte_of(const union vector *x, unsigned i, bool is_unsigned)
{
    return is_unsigned ? x->b[i] : (int8_t)x->b[i];
}

/* SDOT, UDOT, USDOT, SUDOT */
__m128i helper_dot(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector r = {.v = c}, x = {.v = a}, y = {.v = b};
    for (unsigned i = 0; i < 16; i++)
        r.w[i / 4] += (uint32_t)(byte_of(&x, i, code & SIMD_UNSIGNED) * byte_of(&y, i, code & SIMD_UNSIGNED_B));
    return r.v;
}

/* SMMLA, UMMLA, USMMLA: 2x8 by 8x2 */
__m128i helper_matrix(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector r = {.v = c}, x = {.v = a}, y = {.v = b};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned k = 0; k < 8; k++)
            r.w[i] += (uint32_t)(byte_of(&x, (i >> 1) * 8 + k, code & SIMD_UNSIGNED) *
                                 byte_of(&y, (i & 1) * 8 + k, code & SIMD_UNSIGNED_B));
    return r.v;
}

__m128i helper_unsigned_estimate(__m128i a, uint32_t code)
{
    union vector x = {.v = a}, r;
    for (unsigned i = 0; i < 4; i++)
        r.w[i] = code & SIMD_SQRT ? softfp_ursqrte(x.w[i]) : softfp_urecpe(x.w[i]);
    return r.v;
}

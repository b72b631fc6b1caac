/* SPDX-License-Identifier: GPL-2.0-or-later */
/* SHA-1, SHA-2, SM3 and SM4 steps of translated A64 code (Arm ARM DDI 0487, C7.2 and shared/functions/crypto; FIPS
   180-4, GB/T 32905, GB/T 32907). The host baseline has none of them. All pure. */
#include "frontend/a64/simd_helpers.h"

static uint32_t rol32(uint32_t x, unsigned n)
{
    return n ? x << n | x >> (32 - n) : x;
}
static uint32_t ror32(uint32_t x, unsigned n)
{
    return rol32(x, 32 - n);
}
static uint64_t ror64(uint64_t x, unsigned n)
{
    return x >> n | x << (64 - n);
}
static uint32_t choose(uint32_t x, uint32_t y, uint32_t z)
{
    return ((y ^ z) & x) ^ z;
}
static uint32_t majority(uint32_t x, uint32_t y, uint32_t z)
{
    return (x & y) | ((x | y) & z);
}

/* ---- SHA-1 ------------------------------------------------------------------------------------------------------- */

/* Four rounds: a is the state A B C D, b is E, c is schedule plus constants. */
__m128i helper_sha1_hash(__m128i a, uint32_t b, __m128i c, uint32_t code)
{
    union vector x = {.v = a}, w = {.v = c};
    uint32_t e = b;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t f = code == SHA1_CHOOSE   ? choose(x.w[1], x.w[2], x.w[3])
                     : code == SHA1_PARITY ? x.w[1] ^ x.w[2] ^ x.w[3]
                                           : majority(x.w[1], x.w[2], x.w[3]);
        uint32_t sum = e + rol32(x.w[0], 5) + f + w.w[i];
        e = x.w[3];
        x.w[3] = x.w[2];
        x.w[2] = rol32(x.w[1], 30);
        x.w[1] = x.w[0];
        x.w[0] = sum;
    }
    return x.v;
}

__m128i helper_sha1_schedule(__m128i a, __m128i b)
{
    union vector d = {.v = a}, n = {.v = b}, r;
    for (unsigned i = 0; i < 3; i++)
        r.w[i] = rol32(d.w[i] ^ n.w[i + 1], 1);
    r.w[3] = rol32(d.w[3], 1) ^ rol32(r.w[0], 1);
    return r.v;
}

/* ---- SHA-2 ------------------------------------------------------------------------------------------------------- */

/* Four rounds: c is A B C D, a is E F G H, b is schedule plus constants; yields the first half of the new state, or
   with code 1 the second. */
__m128i helper_sha256_hash(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector x = {.v = c}, y = {.v = a}, w = {.v = b};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t sigma1 = ror32(y.w[0], 6) ^ ror32(y.w[0], 11) ^ ror32(y.w[0], 25);
        uint32_t sigma0 = ror32(x.w[0], 2) ^ ror32(x.w[0], 13) ^ ror32(x.w[0], 22);
        uint32_t t1 = y.w[3] + sigma1 + choose(y.w[0], y.w[1], y.w[2]) + w.w[i];
        uint32_t t2 = sigma0 + majority(x.w[0], x.w[1], x.w[2]);
        uint32_t e = x.w[3] + t1;
        y.w[3] = y.w[2];
        y.w[2] = y.w[1];
        y.w[1] = y.w[0];
        y.w[0] = e;
        x.w[3] = x.w[2];
        x.w[2] = x.w[1];
        x.w[1] = x.w[0];
        x.w[0] = t1 + t2;
    }
    return code ? y.v : x.v;
}

__m128i helper_sha256_schedule0(__m128i a, __m128i b)
{
    union vector d = {.v = a}, n = {.v = b}, r;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t next = i < 3 ? d.w[i + 1] : n.w[0];
        r.w[i] = (ror32(next, 7) ^ ror32(next, 18) ^ next >> 3) + d.w[i];
    }
    return r.v;
}

__m128i helper_sha256_schedule1(__m128i c, __m128i a, __m128i b)
{
    union vector d = {.v = c}, n = {.v = a}, m = {.v = b}, r;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t x = i < 2 ? m.w[i + 2] : r.w[i - 2], add = i < 3 ? n.w[i + 1] : m.w[0];
        r.w[i] = (ror32(x, 17) ^ ror32(x, 19) ^ x >> 10) + d.w[i] + add;
    }
    return r.v;
}

static uint64_t choose64(uint64_t x, uint64_t y, uint64_t z)
{
    return (x & y) ^ (~x & z);
}
static uint64_t majority64(uint64_t x, uint64_t y, uint64_t z)
{
    return (x & y) ^ (x & z) ^ (y & z);
}

__m128i helper_sha512_hash(__m128i c, __m128i a, __m128i b)
{
    union vector w = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    uint64_t sigma = ror64(y.d[1], 14) ^ ror64(y.d[1], 18) ^ ror64(y.d[1], 41);
    r.d[1] = choose64(y.d[1], x.d[0], x.d[1]) + sigma + w.d[1];
    uint64_t sum = r.d[1] + y.d[0];
    sigma = ror64(sum, 14) ^ ror64(sum, 18) ^ ror64(sum, 41);
    r.d[0] = choose64(sum, y.d[1], x.d[0]) + sigma + w.d[0];
    return r.v;
}

__m128i helper_sha512_hash2(__m128i c, __m128i a, __m128i b)
{
    union vector w = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    uint64_t sigma = ror64(y.d[0], 28) ^ ror64(y.d[0], 34) ^ ror64(y.d[0], 39);
    r.d[1] = majority64(x.d[0], y.d[1], y.d[0]) + sigma + w.d[1];
    sigma = ror64(r.d[1], 28) ^ ror64(r.d[1], 34) ^ ror64(r.d[1], 39);
    r.d[0] = majority64(r.d[1], y.d[0], y.d[1]) + sigma + w.d[0];
    return r.v;
}

__m128i helper_sha512_schedule0(__m128i a, __m128i b)
{
    union vector w = {.v = a}, x = {.v = b}, r;
    r.d[0] = w.d[0] + (ror64(w.d[1], 1) ^ ror64(w.d[1], 8) ^ w.d[1] >> 7);
    r.d[1] = w.d[1] + (ror64(x.d[0], 1) ^ ror64(x.d[0], 8) ^ x.d[0] >> 7);
    return r.v;
}

__m128i helper_sha512_schedule1(__m128i c, __m128i a, __m128i b)
{
    union vector w = {.v = c}, x = {.v = a}, y = {.v = b}, r;
    for (unsigned i = 0; i < 2; i++)
        r.d[i] = w.d[i] + (ror64(x.d[i], 19) ^ ror64(x.d[i], 61) ^ x.d[i] >> 6) + y.d[i];
    return r.v;
}

/* ---- SM3 --------------------------------------------------------------------------------------------------------- */

__m128i helper_sm3_ss1(__m128i c, __m128i a, __m128i b)
{
    union vector n = {.v = c}, m = {.v = a}, x = {.v = b}, r = {0};
    r.w[3] = rol32(rol32(n.w[3], 12) + m.w[3] + x.w[3], 7);
    return r.v;
}

/* SM3TT1A, 1B, 2A, 2B by code's low two bits; the lane of b is above them. */
__m128i helper_sm3_tt(__m128i c, __m128i a, __m128i b, uint32_t code)
{
    union vector d = {.v = c}, n = {.v = a}, m = {.v = b}, r;
    uint32_t w = m.w[code >> 2 & 3], f;
    if (!(code & 1))
        f = d.w[1] ^ d.w[2] ^ d.w[3];
    else
        f = code & 2 ? choose(d.w[3], d.w[2], d.w[1]) : majority(d.w[3], d.w[1], d.w[2]);
    r.w[0] = d.w[1];
    if (code & 2) {
        uint32_t t = f + d.w[0] + n.w[3] + w;
        r.w[1] = rol32(d.w[2], 19);
        r.w[3] = t ^ rol32(t, 9) ^ rol32(t, 17);
    } else {
        r.w[1] = rol32(d.w[2], 9);
        r.w[3] = f + d.w[0] + (n.w[3] ^ rol32(d.w[3], 12)) + w;
    }
    r.w[2] = d.w[3];
    return r.v;
}

static uint32_t sm3_p1(uint32_t x)
{
    return x ^ rol32(x, 15) ^ rol32(x, 23);
}

__m128i helper_sm3_part1(__m128i c, __m128i a, __m128i b)
{
    union vector d = {.v = c}, n = {.v = a}, m = {.v = b}, r;
    for (unsigned i = 0; i < 3; i++)
        r.w[i] = sm3_p1(d.w[i] ^ n.w[i] ^ rol32(m.w[i + 1], 15));
    r.w[3] = sm3_p1(d.w[3] ^ n.w[3] ^ rol32(r.w[0], 15));
    return r.v;
}

__m128i helper_sm3_part2(__m128i c, __m128i a, __m128i b)
{
    union vector d = {.v = c}, n = {.v = a}, m = {.v = b}, r;
    uint32_t first = 0;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t x = n.w[i] ^ rol32(m.w[i], 7);
        if (i == 0)
            first = x;
        r.w[i] = d.w[i] ^ x;
    }
    r.w[3] ^= sm3_p1(rol32(first, 15));
    return r.v;
}

/* ---- SM4 --------------------------------------------------------------------------------------------------------- */

static const uint8_t sm4_sbox[256] = {
    0xd6, 0x90, 0xe9, 0xfe, 0xcc, 0xe1, 0x3d, 0xb7, 0x16, 0xb6, 0x14, 0xc2, 0x28, 0xfb, 0x2c, 0x05, 0x2b, 0x67, 0x9a,
    0x76, 0x2a, 0xbe, 0x04, 0xc3, 0xaa, 0x44, 0x13, 0x26, 0x49, 0x86, 0x06, 0x99, 0x9c, 0x42, 0x50, 0xf4, 0x91, 0xef,
    0x98, 0x7a, 0x33, 0x54, 0x0b, 0x43, 0xed, 0xcf, 0xac, 0x62, 0xe4, 0xb3, 0x1c, 0xa9, 0xc9, 0x08, 0xe8, 0x95, 0x80,
    0xdf, 0x94, 0xfa, 0x75, 0x8f, 0x3f, 0xa6, 0x47, 0x07, 0xa7, 0xfc, 0xf3, 0x73, 0x17, 0xba, 0x83, 0x59, 0x3c, 0x19,
    0xe6, 0x85, 0x4f, 0xa8, 0x68, 0x6b, 0x81, 0xb2, 0x71, 0x64, 0xda, 0x8b, 0xf8, 0xeb, 0x0f, 0x4b, 0x70, 0x56, 0x9d,
    0x35, 0x1e, 0x24, 0x0e, 0x5e, 0x63, 0x58, 0xd1, 0xa2, 0x25, 0x22, 0x7c, 0x3b, 0x01, 0x21, 0x78, 0x87, 0xd4, 0x00,
    0x46, 0x57, 0x9f, 0xd3, 0x27, 0x52, 0x4c, 0x36, 0x02, 0xe7, 0xa0, 0xc4, 0xc8, 0x9e, 0xea, 0xbf, 0x8a, 0xd2, 0x40,
    0xc7, 0x38, 0xb5, 0xa3, 0xf7, 0xf2, 0xce, 0xf9, 0x61, 0x15, 0xa1, 0xe0, 0xae, 0x5d, 0xa4, 0x9b, 0x34, 0x1a, 0x55,
    0xad, 0x93, 0x32, 0x30, 0xf5, 0x8c, 0xb1, 0xe3, 0x1d, 0xf6, 0xe2, 0x2e, 0x82, 0x66, 0xca, 0x60, 0xc0, 0x29, 0x23,
    0xab, 0x0d, 0x53, 0x4e, 0x6f, 0xd5, 0xdb, 0x37, 0x45, 0xde, 0xfd, 0x8e, 0x2f, 0x03, 0xff, 0x6a, 0x72, 0x6d, 0x6c,
    0x5b, 0x51, 0x8d, 0x1b, 0xaf, 0x92, 0xbb, 0xdd, 0xbc, 0x7f, 0x11, 0xd9, 0x5c, 0x41, 0x1f, 0x10, 0x5a, 0xd8, 0x0a,
    0xc1, 0x31, 0x88, 0xa5, 0xcd, 0x7b, 0xbd, 0x2d, 0x74, 0xd0, 0x12, 0xb8, 0xe5, 0xb4, 0xb0, 0x89, 0x69, 0x97, 0x4a,
    0x0c, 0x96, 0x77, 0x7e, 0x65, 0xb9, 0xf1, 0x09, 0xc5, 0x6e, 0xc6, 0x84, 0x18, 0xf0, 0x7d, 0xec, 0x3a, 0xdc, 0x4d,
    0x20, 0x79, 0xee, 0x5f, 0x3e, 0xd7, 0xcb, 0x39, 0x48,
};

static uint32_t sm4_substitute(uint32_t x)
{
    return sm4_sbox[x & 255] | (uint32_t)sm4_sbox[x >> 8 & 255] << 8 | (uint32_t)sm4_sbox[x >> 16 & 255] << 16 |
           (uint32_t)sm4_sbox[x >> 24] << 24;
}

/* Four rounds of encryption of a with the round keys b. */
__m128i helper_sm4_encrypt(__m128i a, __m128i b)
{
    union vector x = {.v = a}, key = {.v = b};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t t = sm4_substitute(x.w[(i + 1) & 3] ^ x.w[(i + 2) & 3] ^ x.w[(i + 3) & 3] ^ key.w[i]);
        x.w[i] ^= t ^ rol32(t, 2) ^ rol32(t, 10) ^ rol32(t, 18) ^ rol32(t, 24);
    }
    return x.v;
}

/* Four round keys after a with the constants b. */
__m128i helper_sm4_key(__m128i a, __m128i b)
{
    union vector x = {.v = a}, constant = {.v = b};
    for (unsigned i = 0; i < 4; i++) {
        uint32_t t = sm4_substitute(x.w[(i + 1) & 3] ^ x.w[(i + 2) & 3] ^ x.w[(i + 3) & 3] ^ constant.w[i]);
        x.w[i] ^= t ^ rol32(t, 13) ^ rol32(t, 23);
    }
    return x.v;
}

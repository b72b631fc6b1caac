/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QARMA-64 (R. Avanzi, "The QARMA Block Cipher Family", 2016) as Arm ARM DDI 0487, ComputePAC, uses it, and the keys.
 * The state is 16 cells of four bits; cell 0 is the paper's, in the highest bits.
 */
#include "frontend/a64/pauth.h"

#include <string.h>

static unsigned cell(uint64_t state, unsigned i) { return state >> (60 - 4 * i) & 15; }
static uint64_t at_cell(uint64_t value, unsigned i) { return value << (60 - 4 * i); }

/* tau and its inverse; h and its inverse: cell i of the result is this cell of the argument. */
static const uint8_t shuffle[16] = {0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2};
static const uint8_t tweak_shuffle[16] = {6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11};
/* sigma-1, sigma-2. sigma-1 is its own inverse. */
static const uint8_t sigma_1[16] = {10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4};
static const uint8_t sigma_2[16] = {11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10};
/* Tweak cells that the LFSR steps: 0, 1, 3, 4, 8, 11, 13. */
#define TWEAK_LFSR_CELLS 0x291bu
#define ALPHA UINT64_C(0xc0ac29b7c97c50dd)
static const uint64_t round_constants[5] = {
    0, UINT64_C(0x13198a2e03707344), UINT64_C(0xa4093822299f31d0), UINT64_C(0x082efa98ec4e6c89),
    UINT64_C(0x452821e638d01377),
};

static uint64_t permute(uint64_t state, const uint8_t from[16])
{
    uint64_t result = 0;
    for (unsigned i = 0; i < 16; i++)
        result |= at_cell(cell(state, from[i]), i);
    return result;
}

static uint64_t permute_back(uint64_t state, const uint8_t from[16])
{
    uint64_t result = 0;
    for (unsigned i = 0; i < 16; i++)
        result |= at_cell(cell(state, i), from[i]);
    return result;
}

static uint64_t substitute(uint64_t state, const uint8_t box[16])
{
    uint64_t result = 0;
    for (unsigned i = 0; i < 16; i++)
        result |= at_cell(box[cell(state, i)], i);
    return result;
}

static void invert(const uint8_t box[16], uint8_t inverse[16])
{
    for (unsigned i = 0; i < 16; i++)
        inverse[box[i]] = (uint8_t)i;
}

static unsigned rotate_cell(unsigned value, unsigned n) { return (value << n | value >> (4 - n)) & 15; }

/** The matrix circ(0, rho, rho^2, rho) on each column of the 4x4 cells; its own inverse. */
static uint64_t mix(uint64_t state)
{
    uint64_t result = 0;
    for (unsigned i = 0; i < 16; i++) {
        unsigned column = i & 3, row = i >> 2;
        unsigned value = rotate_cell(cell(state, column + 4 * ((row + 1) & 3)), 1) ^
                         rotate_cell(cell(state, column + 4 * ((row + 2) & 3)), 2) ^
                         rotate_cell(cell(state, column + 4 * ((row + 3) & 3)), 1);
        result |= at_cell(value, i);
    }
    return result;
}

static uint64_t tweak_forward(uint64_t tweak)
{
    tweak = permute(tweak, tweak_shuffle);
    for (unsigned i = 0; i < 16; i++) {
        unsigned value = cell(tweak, i);
        if (TWEAK_LFSR_CELLS >> i & 1)
            tweak ^= at_cell(value ^ (value >> 1 | ((value ^ value >> 1) & 1) << 3), i);
    }
    return tweak;
}

static uint64_t tweak_backward(uint64_t tweak)
{
    for (unsigned i = 0; i < 16; i++) {
        unsigned value = cell(tweak, i);
        if (TWEAK_LFSR_CELLS >> i & 1)
            tweak ^= at_cell(value ^ ((value << 1 & 15) | ((value ^ value >> 3) & 1)), i);
    }
    return permute_back(tweak, tweak_shuffle);
}

uint64_t pac_qarma(uint64_t data, uint64_t modifier, const uint64_t key[2], unsigned rounds)
{
    /* key[0] is K<63:0>, the core key; key[1] is K<127:64>, the whitening key. */
    uint64_t k0 = key[0], w0 = key[1], w1 = (w0 >> 1 | w0 << 63) ^ w0 >> 63;
    const uint8_t *box = rounds == 3 ? sigma_1 : sigma_2;
    uint8_t inverse[16];
    invert(box, inverse);

    uint64_t state = data ^ w0, tweak = modifier;
    for (unsigned i = 0; i < rounds; i++) {
        state ^= k0 ^ tweak ^ round_constants[i];
        if (i > 0)
            state = mix(permute(state, shuffle));
        state = substitute(state, box);
        tweak = tweak_forward(tweak);
    }
    /* one more round with w1, the reflector, and one with w0 */
    state = substitute(mix(permute(state ^ w1 ^ tweak, shuffle)), box);
    state = permute_back(mix(permute(state, shuffle)) ^ k0, shuffle);
    state = permute_back(mix(substitute(state, inverse)), shuffle) ^ w0 ^ tweak;
    for (unsigned i = rounds; i-- > 0;) {
        state = substitute(state, inverse);
        if (i > 0)
            state = permute_back(mix(state), shuffle);
        tweak = tweak_backward(tweak);
        state ^= k0 ^ tweak ^ round_constants[i] ^ ALPHA;
    }
    return state ^ w1;
}

static uint64_t pac_fast(uint64_t data, uint64_t modifier, uint64_t key)
{
    uint64_t h = (data ^ key) * PAC_FAST_1;
    return (((h >> 32 | h << 32) ^ modifier) * PAC_FAST_2) >> PAC_FAST_SHIFT;
}

uint64_t pac_compute(const struct a64_cpu *cpu, uint64_t data, uint64_t modifier, enum a64_pac_key key)
{
    if (cpu->features >> A64_FEAT_PACQARMA5 & 1)
        return pac_qarma(data, modifier, cpu->pac_keys[key], 5);
    if (cpu->features >> A64_FEAT_PACQARMA3 & 1)
        return pac_qarma(data, modifier, cpu->pac_keys[key], 3);
    return pac_fast(data, modifier, cpu->pac_mixed_keys[key]);
}

void a64_cpu_set_keys(struct a64_cpu *cpu, const uint64_t keys[A64_PAC_KEY_COUNT][2], uint32_t which)
{
    for (unsigned i = 0; i < A64_PAC_KEY_COUNT; i++) {
        if (!(which >> i & 1))
            continue;
        memcpy(cpu->pac_keys[i], keys[i], sizeof cpu->pac_keys[i]);
        cpu->pac_mixed_keys[i] = keys[i][0] ^ (keys[i][1] << 29 | keys[i][1] >> 35);
    }
}

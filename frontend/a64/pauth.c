/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * QARMA-64 (R. Avanzi, "The QARMA Block Cipher Family", 2016) as Arm ARM DDI 0487, ComputePAC, uses it, and the keys.
 * The state is 16 cells of four bits, here a byte each; cell 0 is the paper's, the highest bits of the 64-bit word. So a
 * permutation of the cells, an S-box and every other function of a single cell is one shuffle of bytes.
 */
#include "frontend/a64/pauth.h"

#include <string.h>

typedef uint8_t cells __attribute__((vector_size(16)));

/* tau and its inverse; h and its inverse: cell i of the result is this cell of the argument. */
static const cells shuffle = {0, 11, 6, 13, 10, 1, 12, 7, 5, 14, 3, 8, 15, 4, 9, 2};
static const cells unshuffle = {0, 5, 15, 10, 13, 8, 2, 7, 11, 14, 4, 1, 6, 3, 9, 12};
static const cells tweak_shuffle = {6, 5, 14, 15, 0, 1, 2, 3, 7, 12, 13, 4, 8, 9, 10, 11};
static const cells tweak_unshuffle = {4, 5, 6, 7, 11, 1, 0, 8, 12, 13, 14, 15, 9, 10, 2, 3};
/* The cells below a cell in its column, by one, two and three rows. */
static const cells row_1 = {4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3};
static const cells row_2 = {8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7};
static const cells row_3 = {12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
/* Functions of a cell: sigma-1 (its own inverse), sigma-2 and its inverse, rotations to the left, the tweak's LFSR. */
static const cells sigma_1 = {10, 13, 14, 6, 15, 7, 3, 5, 9, 8, 0, 12, 11, 1, 2, 4};
static const cells sigma_2 = {11, 6, 8, 15, 12, 0, 9, 14, 3, 7, 4, 5, 13, 2, 1, 10};
static const cells sigma_2_inverse = {5, 14, 13, 8, 10, 11, 1, 9, 2, 6, 15, 0, 4, 12, 7, 3};
static const cells rotate_1 = {0, 2, 4, 6, 8, 10, 12, 14, 1, 3, 5, 7, 9, 11, 13, 15};
static const cells rotate_2 = {0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15};
static const cells lfsr = {0, 8, 9, 1, 2, 10, 11, 3, 4, 12, 13, 5, 6, 14, 15, 7};
static const cells lfsr_inverse = {0, 3, 4, 7, 8, 11, 12, 15, 1, 2, 5, 6, 9, 10, 13, 14};
/* The tweak's cells that the LFSR steps. */
#define ALL 255
static const cells lfsr_cells = {ALL, ALL, 0, ALL, ALL, 0, 0, 0, ALL, 0, 0, ALL, 0, ALL, 0, 0};

#define ALPHA UINT64_C(0xc0ac29b7c97c50dd)
static const uint64_t round_constants[5] = {
    0, UINT64_C(0x13198a2e03707344), UINT64_C(0xa4093822299f31d0), UINT64_C(0x082efa98ec4e6c89),
    UINT64_C(0x452821e638d01377),
};

static cells to_cells(uint64_t word)
{
    const cells pairs = {0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7};
    const cells high = {ALL, 0, ALL, 0, ALL, 0, ALL, 0, ALL, 0, ALL, 0, ALL, 0, ALL, 0};
    cells bytes = {0};
    word = __builtin_bswap64(word);
    memcpy(&bytes, &word, sizeof word);
    bytes = __builtin_shuffle(bytes, pairs);
    return ((bytes >> 4) & high) | (bytes & 15 & ~high);
}

static uint64_t from_cells(cells state)
{
    const cells even = {0, 2, 4, 6, 8, 10, 12, 14}, odd = {1, 3, 5, 7, 9, 11, 13, 15};
    cells bytes = __builtin_shuffle(state, even) << 4 | __builtin_shuffle(state, odd);
    uint64_t word;
    memcpy(&word, &bytes, sizeof word);
    return __builtin_bswap64(word);
}

/** The matrix circ(0, rho, rho^2, rho) on each column of the 4x4 cells; its own inverse. */
static cells mix(cells state)
{
    cells near = __builtin_shuffle(state, row_1) ^ __builtin_shuffle(state, row_3);
    return __builtin_shuffle(rotate_1, near) ^ __builtin_shuffle(rotate_2, __builtin_shuffle(state, row_2));
}

static cells tweak_forward(cells tweak)
{
    tweak = __builtin_shuffle(tweak, tweak_shuffle);
    return (__builtin_shuffle(lfsr, tweak) & lfsr_cells) | (tweak & ~lfsr_cells);
}

static cells tweak_backward(cells tweak)
{
    tweak = (__builtin_shuffle(lfsr_inverse, tweak) & lfsr_cells) | (tweak & ~lfsr_cells);
    return __builtin_shuffle(tweak, tweak_unshuffle);
}

uint64_t pac_qarma(uint64_t data, uint64_t modifier, const uint64_t key[2], unsigned rounds)
{
    /* key[0] is K<63:0>, the core key; key[1] is K<127:64>, the whitening key. */
    uint64_t whitening = key[1];
    cells k0 = to_cells(key[0]), w0 = to_cells(whitening);
    cells w1 = to_cells((whitening >> 1 | whitening << 63) ^ whitening >> 63);
    cells box = rounds == 3 ? sigma_1 : sigma_2, inverse = rounds == 3 ? sigma_1 : sigma_2_inverse;

    cells state = to_cells(data) ^ w0, tweak = to_cells(modifier);
    for (unsigned i = 0; i < rounds; i++) {
        state ^= k0 ^ tweak ^ to_cells(round_constants[i]);
        if (i > 0)
            state = mix(__builtin_shuffle(state, shuffle));
        state = __builtin_shuffle(box, state);
        tweak = tweak_forward(tweak);
    }
    /* one more round with w1, the reflector, and one with w0 */
    state = __builtin_shuffle(box, mix(__builtin_shuffle(state ^ w1 ^ tweak, shuffle)));
    state = __builtin_shuffle(mix(__builtin_shuffle(state, shuffle)) ^ k0, unshuffle);
    state = __builtin_shuffle(mix(__builtin_shuffle(inverse, state)), unshuffle) ^ w0 ^ tweak;
    for (unsigned i = rounds; i-- > 0;) {
        state = __builtin_shuffle(inverse, state);
        if (i > 0)
            state = __builtin_shuffle(mix(state), unshuffle);
        tweak = tweak_backward(tweak);
        state ^= k0 ^ tweak ^ to_cells(round_constants[i] ^ ALPHA);
    }
    return from_cells(state ^ w1);
}

static uint64_t pac_fast(uint64_t data, uint64_t modifier, uint64_t key)
{
    uint64_t h = (data ^ key) * PAC_FAST_1;
    return ((h >> 32 | h << 32) ^ modifier) * PAC_FAST_2;
}

uint64_t pac_compute(const struct a64_cpu *cpu, uint64_t data, uint64_t modifier, enum a64_pac_key key)
{
    if (cpu->features >> A64_FEAT_PACQARMA5 & 1)
        return pac_qarma(data, modifier, cpu->pac_keys[key], 5);
    if (cpu->features >> A64_FEAT_PACQARMA3 & 1)
        return pac_qarma(data, modifier, cpu->pac_keys[key], 3);
    return pac_fast(data, modifier, cpu->pac_mixed_keys[key]) >> (key == A64_PAC_GA ? 0 : PAC_FAST_SHIFT);
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

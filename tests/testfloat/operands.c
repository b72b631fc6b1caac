/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/testfloat/operands.h"

uint64_t random_64(uint64_t *random)
{
    uint64_t z = *random += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

unsigned kind_bits(enum kind kind)
{
    static const uint8_t bits[KINDS] = {64, 16, 32, 64, 16, 32, 64};
    return bits[kind];
}

static unsigned fraction_bits(enum kind kind)
{
    return kind == KIND_HALF ? 10 : kind == KIND_SINGLE ? 23 : 52;
}

static uint64_t ones(unsigned n)
{
    return n >= 64 ? UINT64_MAX : (UINT64_C(1) << n) - 1;
}

static void append(struct level_1 *table, uint64_t value)
{
    for (unsigned i = 0; i < table->n; i++)
        if (table->values[i] == value)
            return;
    if (table->n < sizeof table->values / sizeof table->values[0])
        table->values[table->n++] = value;
}

static void fill_integers(struct level_1 *table, unsigned bits)
{
    for (unsigned i = 0; i < bits; i++)
        for (int away = -1; away <= 1; away++) {
            append(table, ((UINT64_C(1) << i) + (uint64_t)(int64_t)away) & ones(bits));
            append(table, -((UINT64_C(1) << i) + (uint64_t)(int64_t)away) & ones(bits));
        }
}

/** An exponent field as `border` counts: those of zero, of one, of infinity, of one unit in the last place, and where
    integers end, each with its neighbours at `away`. */
static unsigned border_exponent(enum kind kind, unsigned border, int away)
{
    unsigned f = fraction_bits(kind), top = (unsigned)ones(kind_bits(kind) - 1 - f), bias = top / 2;
    const unsigned borders[] = {0,          top,        bias,      bias + f, bias - f,  bias / 2,  bias * 3 / 2,
                                bias + 31,  bias + 63,  f + 1,     top - f,  bias + 15, bias - 14, bias - 24,
                                bias - 126, bias - 149, bias + 127};
    int exponent = (int)borders[border % (sizeof borders / sizeof borders[0])] + away;
    return exponent < 0 ? 0 : (unsigned)exponent > top ? top : (unsigned)exponent;
}

void level_1_fill(struct level_1 *table, enum kind kind)
{
    table->n = 0;
    if (kind >= KIND_INTEGER_16) {
        fill_integers(table, kind_bits(kind));
        return;
    }
    unsigned f = fraction_bits(kind), top = (unsigned)ones(kind_bits(kind) - 1 - f), bias = top / 2;
    /* The last ones are borders of integers and of the narrower formats, as are the last significands: what just is
       half a unit in their last place, and what is rounded to the next power of two there. */
    const unsigned exponents[] = {0,         1,         2,         bias - f - 1, bias - 1,   bias,
                                  bias + 1,  bias + f,  top - 2,   top - 1,      top,        bias + 31,
                                  bias + 63, bias + 15, bias - 14, bias + 30,    bias + 127, bias - 126};
    const unsigned border = kind == KIND_DOUBLE ? 28 : 12;
    const uint64_t fractions[] = {0,
                                  1,
                                  2,
                                  ones(f),
                                  ones(f) - 1,
                                  UINT64_C(1) << (f - 1),
                                  ones(f - 1),
                                  UINT64_C(3) << (f - 2),
                                  (UINT64_C(1) << (f - 1)) + 1,
                                  ones(f) & UINT64_C(0x5a3c96e1d7b42f8d),
                                  UINT64_C(1) << border,
                                  ones(f) & ~ones(border)};
    const unsigned nexponents = kind == KIND_HALF ? 11 : kind == KIND_SINGLE ? 16 : 18;
    for (unsigned i = 0; i < nexponents; i++)
        for (unsigned k = 0; k < (kind == KIND_HALF ? 10 : 12); k++)
            for (uint64_t sign = 0; sign < 2; sign++)
                append(table, sign << (kind_bits(kind) - 1) | (uint64_t)exponents[i] << f | fractions[k]);
}

/** Bits of which few are set, or few not, or a run. */
static uint64_t few_bits(unsigned n, uint64_t *random)
{
    uint64_t luck = random_64(random), a = luck >> 8 & 63, b = luck >> 16 & 63, value;
    switch (luck & 7) {
    case 0:
        value = 0;
        break;
    case 1: /* one set */
        value = UINT64_C(1) << a % n;
        break;
    case 2: /* two */
        value = UINT64_C(1) << a % n | UINT64_C(1) << b % n;
        break;
    case 3: /* a run at the top */
        value = ones(n) << a % n;
        break;
    case 4: /* at the bottom */
        value = ones((unsigned)a % n + 1);
        break;
    case 5: /* in the middle, or two runs */
        value = ones((unsigned)a % n + 1) ^ ones((unsigned)b % n + 1);
        break;
    case 6: /* all the digits at the top */
        value = random_64(random) << (n > 8 ? n - 8 : 0);
        break;
    default:
        value = random_64(random);
    }
    return (luck >> 24 & 3 ? value : ~value) & ones(n);
}

uint64_t level_2_draw(enum kind kind, uint64_t *random)
{
    uint64_t luck = random_64(random);
    unsigned bits = kind_bits(kind);
    if (kind >= KIND_INTEGER_16 || kind == KIND_NONE) {
        uint64_t value = few_bits(bits, random) >> (luck & 1 ? luck >> 8 & 63 : 0) % bits;
        return (luck & 2 ? -value : value) + (luck >> 2 & 7 ? 0 : (luck >> 16 & 7) - 3);
    }
    unsigned f = fraction_bits(kind);
    uint64_t exponent = luck & 15 ? border_exponent(kind, (unsigned)(luck >> 4 & 0xff), (int)(luck >> 12 & 7) - 3)
                                  : luck >> 12 & ones(bits - 1 - f);
    return (luck >> 63) << (bits - 1) | exponent << f | few_bits(f, random);
}

uint64_t neighbour(enum kind kind, uint64_t value, uint64_t *random)
{
    uint64_t luck = random_64(random), sign = luck & 1;
    uint64_t away = luck & 6 ? (luck >> 8 & 7) - 3 : UINT64_C(1) << (luck >> 8) % fraction_bits(kind);
    return ((value + away) ^ sign << (kind_bits(kind) - 1)) & ones(kind_bits(kind));
}

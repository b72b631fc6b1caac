/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector integer: words mixed (shifts, xors, multiplications), largest and smallest, and a scan for matches. */
#include "bench.h"

enum { N = 8192 };
static uint32_t words[N], mixed[N];

__attribute__((noinline)) static void mix(uint32_t seed)
{
    for (int i = 0; i < N; i++) {
        uint32_t x = words[i] ^ seed;
        x ^= x >> 15;
        x *= 0x2c1b3c6du;
        x ^= x >> 12;
        x *= 0x297a2d39u;
        mixed[i] = x ^ x << 7;
    }
}

__attribute__((noinline)) static uint32_t span(void)
{
    uint32_t low = UINT32_MAX, high = 0;
    for (int i = 0; i < N; i++) {
        low = mixed[i] < low ? mixed[i] : low;
        high = mixed[i] > high ? mixed[i] : high;
    }
    return high - low;
}

__attribute__((noinline)) static uint32_t matches(uint32_t bits)
{
    uint32_t n = 0;
    for (int i = 0; i < N; i++)
        n += (mixed[i] & 0xff) == bits;
    return n;
}

int main(void)
{
    uint64_t random = 7, sum = 0;
    for (int i = 0; i < N; i++)
        words[i] = (uint32_t)next_random(&random);
    for (uint32_t round = 0; round < 12000; round++) {
        mix(round);
        sum = sum * 31 + span() + matches(round & 0xff);
    }
    return finish(sum);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector float: y = a x + y, a polynomial and a clamp over arrays that stay in the cache. */
#include "bench.h"

enum { N = 4096 };
static float x[N], y[N], z[N];

__attribute__((noinline)) static void saxpy(float a)
{
    for (int i = 0; i < N; i++)
        y[i] = a * x[i] + y[i];
}

__attribute__((noinline)) static void polynomial(void)
{
    for (int i = 0; i < N; i++)
        z[i] = ((x[i] * 0.25f - y[i]) * x[i] + 0.5f) * x[i] - 1.0f;
}

__attribute__((noinline)) static void clamp(void)
{
    for (int i = 0; i < N; i++)
        y[i] = (y[i] > 4.0f ? 4.0f : y[i]) - z[i] * 0.125f;
}

int main(void)
{
    for (int i = 0; i < N; i++)
        x[i] = (float)(i % 61) / 61, y[i] = (float)(i % 37) / 37;
    for (int round = 0; round < 32000; round++) {
        saxpy(0.001f * (float)(round & 15));
        polynomial();
        clamp();
    }
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        sum = sum * 31 + double_bits(y[i]) + double_bits(z[i]);
    return finish(sum);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector integer: a filter of 16-bit samples with 32-bit sums, and products summed in 64 bits. */
#include "bench.h"

enum { N = 8192, TAPS = 8 };
static int16_t samples[N + TAPS], filtered[N];
static int32_t weights[N];

__attribute__((noinline)) static void filter(const int16_t *taps)
{
    for (int i = 0; i < N; i++) {
        int32_t sum = 1 << 14;
        for (int k = 0; k < TAPS; k++)
            sum += samples[i + k] * taps[k];
        filtered[i] = (int16_t)(sum >> 15);
    }
}

__attribute__((noinline)) static int64_t energy(void)
{
    int64_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += (int64_t)filtered[i] * weights[i];
    return sum;
}

int main(void)
{
    uint64_t random = 6, sum = 0;
    int16_t taps[TAPS];
    for (int i = 0; i < N + TAPS; i++)
        samples[i] = (int16_t)(next_random(&random) >> 48);
    for (int i = 0; i < N; i++)
        weights[i] = (int32_t)(next_random(&random) >> 44) - (1 << 19);
    for (int k = 0; k < TAPS; k++)
        taps[k] = (int16_t)(next_random(&random) >> 49);
    for (int round = 0; round < 5000; round++) {
        filter(taps);
        sum = sum * 31 + (uint64_t)energy();
        samples[round % N] = (int16_t)sum;
    }
    return finish(sum);
}

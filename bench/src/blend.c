/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector integer: pictures of bytes blended, thresholded, and compared by the sum of absolute differences. */
#include "bench.h"

enum { N = 16384 };
static uint8_t above[N], below[N], mask[N], result[N];

__attribute__((noinline)) static void blend(void)
{
    for (int i = 0; i < N; i++)
        result[i] = (uint8_t)((above[i] * mask[i] + below[i] * (255 - mask[i]) + 128) >> 8);
}

__attribute__((noinline)) static void threshold(uint8_t limit)
{
    for (int i = 0; i < N; i++)
        below[i] = result[i] > limit ? result[i] : below[i];
}

__attribute__((noinline)) static uint32_t difference(void)
{
    uint32_t sum = 0;
    for (int i = 0; i < N; i++)
        sum += (uint32_t)abs(result[i] - above[i]);
    return sum;
}

int main(void)
{
    uint64_t random = 5, sum = 0;
    for (int i = 0; i < N; i++) {
        above[i] = (uint8_t)(next_random(&random) >> 40);
        below[i] = (uint8_t)(next_random(&random) >> 40);
        mask[i] = (uint8_t)(next_random(&random) >> 40);
    }
    for (int round = 0; round < 16000; round++) {
        blend();
        threshold((uint8_t)(200 + (round & 31)));
        sum = sum * 31 + difference();
        above[round & (N - 1)] ^= (uint8_t)sum;
    }
    return finish(sum);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector float: a five-point stencil, and bytes made floats and back (a blur of a picture). */
#include "bench.h"

enum { W = 512, H = 128 };
static float from[H][W], to[H][W];
static uint8_t picture[H * W], blurred[H * W];

int main(void)
{
    uint64_t random = 17, sum = 0;
    for (int i = 0; i < H * W; i++) {
        from[i / W][i % W] = (float)(next_random(&random) >> 56);
        picture[i] = (uint8_t)next_random(&random);
    }
    for (int round = 0; round < 900; round++) {
        for (int i = 1; i < H - 1; i++)
            for (int j = 1; j < W - 1; j++)
                to[i][j] = 0.5f * from[i][j] + 0.125f * (from[i - 1][j] + from[i + 1][j] + from[i][j - 1] + from[i][j + 1]);
        for (int i = 1; i < H - 1; i++)
            memcpy(from[i], to[i], sizeof(from[i]));
        for (int i = 1; i < H * W - 1; i++)
            blurred[i] = (uint8_t)(int)(0.25f * picture[i - 1] + 0.5f * picture[i] + 0.25f * picture[i + 1]);
        picture[round] = blurred[round + 9];
    }
    for (int i = 0; i < H * W; i++)
        sum = sum * 31 + double_bits(from[i / W][i % W]) + blurred[i];
    return finish(sum);
}

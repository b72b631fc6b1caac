/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Vector float: a matrix product whose inner loop runs along rows. */
#include "bench.h"

enum { N = 240 };
static float a[N][N], b[N][N], c[N][N];

int main(void)
{
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            a[i][j] = (float)((i * 7 + j) % 31) / 31, b[i][j] = (float)((i + j * 5) % 29) / 29;
    for (int round = 0; round < 48; round++) {
        for (int i = 0; i < N; i++)
            for (int k = 0; k < N; k++) {
                float f = a[i][k];
                for (int j = 0; j < N; j++)
                    c[i][j] += f * b[k][j];
            }
        a[round][round] += 1;
    }
    uint64_t sum = 0;
    for (int i = 0; i < N; i++)
        for (int j = 0; j < N; j++)
            sum = sum * 31 + double_bits(c[i][j]);
    return finish(sum);
}

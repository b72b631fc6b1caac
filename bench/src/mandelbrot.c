/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalar double: iterations until escape, branch on a comparison in the inner loop. */
#include "bench.h"

int main(void)
{
    enum { WIDTH = 440, HEIGHT = 320, LIMIT = 1200 };
    uint64_t sum = 0;
    for (int row = 0; row < HEIGHT; row++)
        for (int column = 0; column < WIDTH; column++) {
            double cr = -2.2 + 3.2 * column / WIDTH, ci = -1.2 + 2.4 * row / HEIGHT, zr = 0, zi = 0;
            int n = 0;
            while (n < LIMIT && zr * zr + zi * zi < 4) {
                double t = zr * zr - zi * zi + cr;
                zi = 2 * zr * zi + ci;
                zr = t;
                n++;
            }
            sum = sum * 31 + (uint64_t)n;
        }
    return finish(sum);
}

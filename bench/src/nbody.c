/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalar double: planets that attract each other. */
#include <math.h>
#include "bench.h"

enum { BODIES = 5 };
static double x[BODIES][3], v[BODIES][3], mass[BODIES];

int main(void)
{
    uint64_t random = 21;
    for (int i = 0; i < BODIES; i++) {
        mass[i] = i ? 0.001 * i : 39.47;
        for (int k = 0; k < 3; k++) {
            x[i][k] = i * 4.0 + (double)(next_random(&random) >> 40) / 16777216.0;
            v[i][k] = (double)(next_random(&random) >> 40) / 16777216.0 - 0.5;
        }
    }
    for (int step = 0; step < 1500000; step++) {
        for (int i = 0; i < BODIES; i++)
            for (int j = i + 1; j < BODIES; j++) {
                double dx = x[i][0] - x[j][0], dy = x[i][1] - x[j][1], dz = x[i][2] - x[j][2];
                double square = dx * dx + dy * dy + dz * dz + 0.01;
                double force = 0.001 / (square * sqrt(square));
                v[i][0] -= dx * mass[j] * force, v[i][1] -= dy * mass[j] * force, v[i][2] -= dz * mass[j] * force;
                v[j][0] += dx * mass[i] * force, v[j][1] += dy * mass[i] * force, v[j][2] += dz * mass[i] * force;
            }
        for (int i = 0; i < BODIES; i++)
            for (int k = 0; k < 3; k++)
                x[i][k] += 0.001 * v[i][k];
    }
    uint64_t sum = 0;
    for (int i = 0; i < BODIES; i++)
        for (int k = 0; k < 3; k++)
            sum = sum * 31 + double_bits(x[i][k]);
    return finish(sum);
}

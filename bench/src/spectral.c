/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalar double: the spectral norm of an infinite matrix, divisions of integers made doubles. */
#include <math.h>
#include "bench.h"

enum { N = 400 };
static double a(int i, int j) { return 1.0 / ((i + j) * (i + j + 1) / 2 + i + 1); }

static void multiply(const double *v, double *result, int transposed)
{
    for (int i = 0; i < N; i++) {
        double sum = 0;
        for (int j = 0; j < N; j++)
            sum += (transposed ? a(j, i) : a(i, j)) * v[j];
        result[i] = sum;
    }
}

int main(void)
{
    double u[N], v[N], t[N], uv = 0, vv = 0;
    for (int i = 0; i < N; i++)
        u[i] = 1;
    for (int i = 0; i < 120; i++) {
        multiply(u, t, 0), multiply(t, v, 1);
        multiply(v, t, 0), multiply(t, u, 1);
        double norm = sqrt(u[0] * u[0] + v[0] * v[0]);
        for (int k = 0; k < N; k++)
            u[k] /= norm;
    }
    for (int i = 0; i < N; i++)
        uv += u[i] * v[i], vv += v[i] * v[i];
    return finish(double_bits(uv / vv));
}

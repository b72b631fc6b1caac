/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scalar double: sines and exponentials by series, a bisection, conversions between integers and doubles. */
#include "bench.h"

static double sine(double x)
{
    long turns = (long)(x / 6.283185307179586 + (x < 0 ? -0.5 : 0.5));
    x -= (double)turns * 6.283185307179586;
    double y = x * x;
    return x * (1 + y * (-1.0 / 6 + y * (1.0 / 120 + y * (-1.0 / 5040 + y * (1.0 / 362880 + y * (-1.0 / 39916800))))));
}

static double exponential(double x)
{
    double term = 1, sum = 1;
    for (int n = 1; n < 18; n++) {
        term *= x / n;
        sum += term;
    }
    return sum;
}

int main(void)
{
    double total = 0;
    for (int i = 0; i < 6000000; i++)
        total += sine(i * 0.37) * (i & 7);
    for (int i = 0; i < 800000; i++)
        total += exponential((i % 100) * 0.01);
    for (int i = 0; i < 60000; i++) {
        double low = 0, high = 2 + i;
        for (int k = 0; k < 40; k++) {
            double middle = (low + high) / 2;
            if (middle * middle < i)
                low = middle;
            else
                high = middle;
        }
        total += low;
    }
    return finish(double_bits(total));
}

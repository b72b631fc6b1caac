/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that return: Fibonacci, Ackermann, Takeuchi, queens. */
#include "bench.h"

#define NOINLINE __attribute__((noinline, optimize("no-optimize-sibling-calls")))
static NOINLINE uint64_t fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static NOINLINE unsigned ackermann(unsigned m, unsigned n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}
static NOINLINE int tak(int x, int y, int z) { return y >= x ? z : tak(tak(x - 1, y, z), tak(y - 1, z, x), tak(z - 1, x, y)); }
static NOINLINE unsigned queens(unsigned all, unsigned columns, unsigned left, unsigned right)
{
    if (columns == all)
        return 1;
    unsigned count = 0;
    for (unsigned free = all & ~(columns | left | right); free; free &= free - 1) {
        unsigned bit = free & -free;
        count += queens(all, columns | bit, (left | bit) << 1, (right | bit) >> 1);
    }
    return count;
}

int main(void)
{
    return finish(fibonacci(38) * 31 + ackermann(3, 8) * 17 + (uint64_t)tak(18, 12, 6) * 7 + queens((1 << 11) - 1, 0, 0, 0));
}

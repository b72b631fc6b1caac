/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls and branches: depth beyond any predictor, jumps across frames, indirect calls, switches, variable arguments. */
#include <setjmp.h>
#include <stdarg.h>
#include <ucontext.h>
#include "check.h"

#define NOINLINE __attribute__((noinline))

static NOINLINE uint64_t deep(uint64_t n) { return n == 0 ? 1 : deep(n - 1) + n % 7; }
static NOINLINE int even(unsigned n);
static NOINLINE int odd(unsigned n) { return n == 0 ? 0 : even(n - 1); }
static NOINLINE int even(unsigned n) { return n == 0 ? 1 : odd(n - 1); }
static NOINLINE uint64_t fibonacci(unsigned n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }
static NOINLINE unsigned ackermann(unsigned m, unsigned n)
{
    return m == 0 ? n + 1 : n == 0 ? ackermann(m - 1, 1) : ackermann(m - 1, ackermann(m, n - 1));
}

static jmp_buf buffer;
static volatile int never;
static NOINLINE void descend(unsigned n, unsigned value)
{
    volatile char frame[40];
    frame[n % 40] = (char)n;
    if (n == 0)
        longjmp(buffer, (int)value);
    if (!never)
        descend(n - 1, value);
    frame[0]++;
}
static void jumps(void)
{
    for (unsigned i = 1; i < 3000; i++) {
        unsigned result = (unsigned)setjmp(buffer);
        if (result == 0)
            descend(i % 90, i);
        CHECK_EQ(result, i);
        CHECK_EQ(deep(20), 64);
    }
}

static uint64_t add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t multiply(uint64_t a, uint64_t b) { return a * b; }
static uint64_t mix(uint64_t a, uint64_t b) { return a ^ (b << 3); }
static uint64_t less(uint64_t a, uint64_t b) { return a < b; }
static uint64_t (*const volatile table[])(uint64_t, uint64_t) = {add, multiply, mix, less};

static NOINLINE unsigned choose(unsigned n)
{
#define C1(k) case k: return k * 17 % 1009 + 1;
#define C10(k) C1(k##0) C1(k##1) C1(k##2) C1(k##3) C1(k##4) C1(k##5) C1(k##6) C1(k##7) C1(k##8) C1(k##9)
#define C100(k) C10(k##0) C10(k##1) C10(k##2) C10(k##3) C10(k##4) C10(k##5) C10(k##6) C10(k##7) C10(k##8) C10(k##9)
    switch (n) {
        C100(1) C100(2) C100(3) C100(4)
    case 1000000: return 1;
    case 2000000: return 2;
    default: return 0;
    }
}

static NOINLINE double sum(const char *kinds, ...)
{
    va_list list, copy;
    va_start(list, kinds);
    va_copy(copy, list);
    double total = 0;
    for (const char *k = kinds; *k; k++)
        switch (*k) {
        case 'i': total += va_arg(list, int); break;
        case 'l': total += (double)va_arg(list, long); break;
        case 'd': total += va_arg(list, double); break;
        case 's': total += (double)strlen(va_arg(list, char *)); break;
        }
    va_end(list);
    total += *kinds == 'i' ? va_arg(copy, int) : 0;
    va_end(copy);
    return total;
}

struct big { uint64_t a[9]; double d; };
static NOINLINE struct big make(uint64_t seed)
{
    struct big b;
    for (unsigned i = 0; i < 9; i++)
        b.a[i] = seed * i;
    b.d = (double)seed / 4;
    return b;
}
static NOINLINE uint64_t many(int a, long b, char c, double d, float e, short f, uint64_t g, int h, int i, long j, double k, struct big l)
{
    return (uint64_t)(a + b + c + d + e + f + (double)g + h + i + (double)j + k) + l.a[8];
}

static int compare(const void *a, const void *b) { return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b); }

static ucontext_t main_context, other_context;
static unsigned switches;
static void coroutine(void)
{
    for (;;) {
        switches++;
        swapcontext(&other_context, &main_context);
    }
}

static NOINLINE uint64_t threaded(const uint8_t *code)
{
    static const void *const labels[] = {&&op_end, &&op_add, &&op_double, &&op_xor};
    uint64_t a = 1;
    goto *labels[*code++];
op_add: a += 5; goto *labels[*code++];
op_double: a *= 2; goto *labels[*code++];
op_xor: a ^= 0x55; goto *labels[*code++];
op_end: return a;
}

int main(void)
{
    CHECK_EQ(deep(70000), 1 + 70000 / 7 * 21);
    CHECK(even(30000) && !odd(30000));
    CHECK_EQ(fibonacci(22), 17711);
    CHECK_EQ(ackermann(2, 300), 603);
    jumps();
    uint64_t a = 3, b = 3;
    for (unsigned i = 0; i < 30000; i++) {
        unsigned which = (i * 2654435761u) >> 30;
        a = table[which](a, i);
        b = which == 0 ? b + i : which == 1 ? b * i : which == 2 ? b ^ ((uint64_t)i << 3) : b < i;
        if (a != b)
            CHECK_EQ(a, b);
    }
    for (unsigned n = 90; n < 510; n++)
        CHECK_EQ(choose(n), n >= 100 && n < 500 ? n * 17 % 1009 + 1 : 0);
    CHECK_EQ(choose(2000000), 2);
    CHECK(sum("ildsildsild", 1, 2L, 3.5, "four", 5, 6L, 7.25, "eight888", 9, 10L, 11.5) == 1 + 2 + 3.5 + 4 + 5 + 6 + 7.25 + 8 + 9 + 10 + 11.5 + 1);
    CHECK_EQ(many(1, 2, 3, 4.0, 5.0f, 6, 7, 8, 9, 10, 11.0, make(100)), 66 + 800);
    CHECK(make(6).d == 1.5);
    int numbers[5000];
    for (unsigned i = 0; i < 5000; i++)
        numbers[i] = (int)(i * 7919 % 5003) - 2500;
    qsort(numbers, 5000, sizeof(int), compare);
    for (unsigned i = 1; i < 5000; i++)
        if (numbers[i - 1] > numbers[i])
            CHECK(numbers[i - 1] <= numbers[i]);
    static char stack[65536];
    getcontext(&other_context);
    other_context.uc_stack.ss_sp = stack;
    other_context.uc_stack.ss_size = sizeof(stack);
    other_context.uc_link = NULL;
    makecontext(&other_context, coroutine, 0);
    for (unsigned i = 0; i < 2000; i++)
        swapcontext(&main_context, &other_context);
    CHECK_EQ(switches, 2000);
    uint8_t code[1001];
    uint64_t expected = 1;
    for (unsigned i = 0; i < 1000; i++) {
        code[i] = (uint8_t)(1 + i * 7 % 3);
        expected = code[i] == 1 ? expected + 5 : code[i] == 2 ? expected * 2 : expected ^ 0x55;
    }
    code[1000] = 0;
    CHECK_EQ(threaded(code), expected);
    return check_result();
}

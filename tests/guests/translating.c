/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two threads run the same 1,000 functions in different orders, so that both translate, chain and find each other's work. */
#include <pthread.h>
#include "check.h"

#define F1(n)                                                                                                          \
    static uint64_t __attribute__((noinline)) f##n(uint64_t x)                                                         \
    {                                                                                                                  \
        for (unsigned i = 0; i < (0x##n & 7) + 2; i++)                                                                 \
            x = x & 1 ? x * 3 + 0x##n : x / 2 ^ (x << 7);                                                              \
        return x + 0x##n;                                                                                              \
    }
#define F10(n) F1(n##0) F1(n##1) F1(n##2) F1(n##3) F1(n##4) F1(n##5) F1(n##6) F1(n##7) F1(n##8) F1(n##9)
#define F100(n) F10(n##0) F10(n##1) F10(n##2) F10(n##3) F10(n##4) F10(n##5) F10(n##6) F10(n##7) F10(n##8) F10(n##9)
#define F1000 F100(1) F100(2) F100(3) F100(4) F100(5) F100(6) F100(7) F100(8) F100(9) F100(a)
F1000
#undef F1
#define F1(n) f##n,
static uint64_t (*const functions[])(uint64_t) = {F1000};
enum { COUNT = sizeof(functions) / sizeof(functions[0]) };

static uint64_t expected(unsigned index, uint64_t x)
{
    unsigned n = index < 900 ? (index / 100 + 1) << 8 : 0xa00;
    n |= (index / 10 % 10) << 4 | index % 10;
    for (unsigned i = 0; i < (n & 7) + 2; i++)
        x = x & 1 ? x * 3 + n : x / 2 ^ (x << 7);
    return x + n;
}

static void *run(void *argument)
{
    unsigned step = (unsigned)(uint64_t)argument;
    for (unsigned round = 0; round < 60; round++)
        for (unsigned i = 0, at = step; i < COUNT; i++, at = (at + step) % COUNT) {
            uint64_t result = functions[at](round * 12345 + i);
            if (result != expected(at, round * 12345 + i))
                CHECK_EQ(result, expected(at, round * 12345 + i));
        }
    return NULL;
}

int main(void)
{
    pthread_t threads[4];
    static const unsigned steps[] = {1, 7, 999, 333};
    for (int i = 0; i < 4; i++)
        CHECK(pthread_create(&threads[i], NULL, run, (void *)(uint64_t)steps[i]) == 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    return check_result();
}

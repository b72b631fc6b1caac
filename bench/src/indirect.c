/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Indirect calls and branches: methods through tables, a callback, a jump table, computed gotos. */
#include "bench.h"

#define NOINLINE __attribute__((noinline))
struct shape;
struct shape_class { uint64_t (*area)(const struct shape *); void (*grow)(struct shape *, uint64_t); };
struct shape { const struct shape_class *class; uint64_t a, b; };

static NOINLINE uint64_t square_area(const struct shape *s) { return s->a * s->a; }
static NOINLINE uint64_t box_area(const struct shape *s) { return s->a * s->b; }
static NOINLINE uint64_t triangle_area(const struct shape *s) { return s->a * s->b / 2; }
static NOINLINE uint64_t ring_area(const struct shape *s) { return 3 * (s->a * s->a - s->b * s->b); }
static NOINLINE void grow_a(struct shape *s, uint64_t by) { s->a = (s->a + by) & 0xffff; }
static NOINLINE void grow_both(struct shape *s, uint64_t by) { s->a = (s->a + by) & 0xffff, s->b = (s->b ^ by) & 0xffff; }
static const struct shape_class classes[] = {{square_area, grow_a}, {box_area, grow_both}, {triangle_area, grow_both}, {ring_area, grow_a}};

static NOINLINE uint64_t fold(const uint64_t *values, size_t n, uint64_t (*function)(uint64_t, uint64_t))
{
    uint64_t result = 1;
    for (size_t i = 0; i < n; i++)
        result = function(result, values[i]);
    return result;
}
static uint64_t add(uint64_t a, uint64_t b) { return a + b; }
static uint64_t mix(uint64_t a, uint64_t b) { return (a ^ b) * 0x9e3779b97f4a7c15; }
static uint64_t larger(uint64_t a, uint64_t b) { return a > b ? a : b; }

static NOINLINE uint64_t threaded(const uint8_t *code)
{
    static const void *const labels[] = {&&op_add, &&op_twice, &&op_xor, &&op_shift, &&op_neg, &&op_or, &&op_not, &&op_end};
    uint64_t a = 1;
#define NEXT goto *labels[*code++]
    NEXT;
op_add: a += 5; NEXT;
op_twice: a *= 2; NEXT;
op_xor: a ^= 0x5555; NEXT;
op_shift: a ^= a >> 7; NEXT;
op_neg: a = -a; NEXT;
op_or: a |= 3; NEXT;
op_not: a = ~a; NEXT;
op_end: return a;
}

int main(void)
{
    struct shape shapes[256];
    uint64_t random = 9, sum = 0, values[64];
    uint8_t code[512];
    for (int i = 0; i < 256; i++)
        shapes[i] = (struct shape){&classes[next_random(&random) & 3], next_random(&random) & 1023, next_random(&random) & 1023};
    for (int i = 0; i < 64; i++)
        values[i] = next_random(&random);
    for (int i = 0; i < 511; i++)
        code[i] = (uint8_t)(next_random(&random) % 7);
    code[511] = 7;
    static uint64_t (*const functions[])(uint64_t, uint64_t) = {add, mix, larger};
    for (int round = 0; round < 150000; round++) {
        for (int i = 0; i < 64; i++) {
            struct shape *s = &shapes[(i * 7 + round) & 255];
            sum += s->class->area(s);
            s->class->grow(s, (uint64_t)round);
        }
        sum ^= fold(values, 64, functions[round % 3]);
        if (round % 4 == 0)
            sum += threaded(code);
    }
    return finish(sum);
}

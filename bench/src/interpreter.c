/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A bytecode interpreter: registers, a switch in a loop, programs that compute primes, a sum of digits, a nested loop. */
#include "bench.h"

enum op { LOADI, MOVE, ADD, SUB, MUL, DIV, MOD, LESS, EQUAL, JUMP, JUMP_IF, JUMP_UNLESS, LOAD, STORE, HALT };
struct insn { uint8_t op, a, b, c; int32_t imm; };

static int64_t memory[65536];

static int64_t run(const struct insn *code, int64_t argument)
{
    int64_t r[16] = {argument};
    for (const struct insn *i = code;; i++)
        switch ((enum op)i->op) {
        case LOADI: r[i->a] = i->imm; break;
        case MOVE: r[i->a] = r[i->b]; break;
        case ADD: r[i->a] = r[i->b] + r[i->c]; break;
        case SUB: r[i->a] = r[i->b] - r[i->c]; break;
        case MUL: r[i->a] = r[i->b] * r[i->c]; break;
        case DIV: r[i->a] = r[i->c] ? r[i->b] / r[i->c] : 0; break;
        case MOD: r[i->a] = r[i->c] ? r[i->b] % r[i->c] : 0; break;
        case LESS: r[i->a] = r[i->b] < r[i->c]; break;
        case EQUAL: r[i->a] = r[i->b] == r[i->c]; break;
        case JUMP: i = code + i->imm - 1; break;
        case JUMP_IF: if (r[i->a]) i = code + i->imm - 1; break;
        case JUMP_UNLESS: if (!r[i->a]) i = code + i->imm - 1; break;
        case LOAD: r[i->a] = memory[r[i->b] & 65535]; break;
        case STORE: memory[r[i->b] & 65535] = r[i->a]; break;
        case HALT: return r[i->a];
        }
}

/* r0 = limit: counts the primes below it with a sieve in memory. */
static const struct insn sieve[] = {
    {LOADI, 1, 0, 0, 2}, {LOADI, 2, 0, 0, 1}, {LOADI, 7, 0, 0, 0}, {LOADI, 8, 0, 0, 0},
    {STORE, 7, 1, 0, 0}, {ADD, 1, 1, 2, 0}, {LESS, 3, 1, 0, 0}, {JUMP_IF, 3, 0, 0, 4},
    {LOADI, 1, 0, 0, 2},
    {LOAD, 4, 1, 0, 0}, {JUMP_IF, 4, 0, 0, 17},
    {ADD, 8, 8, 2, 0}, {MUL, 5, 1, 1, 0}, {LESS, 3, 5, 0, 0}, {JUMP_UNLESS, 3, 0, 0, 17},
    {STORE, 2, 5, 0, 0}, {JUMP, 0, 0, 0, 20},
    {ADD, 1, 1, 2, 0}, {LESS, 3, 1, 0, 0}, {JUMP, 0, 0, 0, 22},
    {ADD, 5, 5, 1, 0}, {JUMP, 0, 0, 0, 13},
    {JUMP_IF, 3, 0, 0, 9}, {HALT, 8, 0, 0, 0}};

/* r0 = count: sum of the decimal digits of 0 … count - 1. */
static const struct insn digits[] = {
    {LOADI, 1, 0, 0, 0}, {LOADI, 2, 0, 0, 1}, {LOADI, 6, 0, 0, 10}, {LOADI, 8, 0, 0, 0},
    {MOVE, 3, 1, 0, 0},
    {MOD, 4, 3, 6, 0}, {ADD, 8, 8, 4, 0}, {DIV, 3, 3, 6, 0}, {JUMP_IF, 3, 0, 0, 5},
    {ADD, 1, 1, 2, 0}, {LESS, 5, 1, 0, 0}, {JUMP_IF, 5, 0, 0, 4}, {HALT, 8, 0, 0, 0}};

int main(void)
{
    uint64_t sum = 0;
    for (int i = 0; i < 30; i++)
        sum = sum * 31 + (uint64_t)run(sieve, 60000 + i) + (uint64_t)run(digits, 60000 + i);
    return finish(sum);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest instruction set small enough to test the engine with: sixteen 64-bit registers, r15 is the link register.
 * An instruction is four bytes: opcode, a, b, c. Offsets of branches are in instructions from the branch itself.
 */
#ifndef DRAGOMAN_TESTS_TOY_ISA_H
#define DRAGOMAN_TESTS_TOY_ISA_H

#include <stddef.h>

#include "translator/builder.h"
#include "translator/cpu.h"
#include "translator/isa.h"

enum { TOY_REGS = 16, TOY_LINK = 15 };

enum toy_op {
    TOY_HALT,
    TOY_ADDI,  /* a = b + (int8_t)c */
    TOY_ADD,   /* a = b + c */
    TOY_SUB,
    TOY_MUL,
    TOY_XOR,
    TOY_SHL,   /* a = b << c */
    TOY_IMM,   /* a = uint16(b, c) */
    TOY_LOAD,  /* a = [b + c * 8] */
    TOY_STORE, /* [b + c * 8] = a */
    TOY_JUMP,  /* to int16(b, c) */
    TOY_BNZ,   /* to int16(b, c) if a != 0 */
    TOY_CALL,  /* to int16(b, c) */
    TOY_RET,
    TOY_JR,    /* to a */
    TOY_CALLR, /* to a */
    TOY_SYS,   /* system call */
    TOY_CACHE, /* code in [a, b) has changed */
    TOY_MODE,  /* the translation key becomes c */
    TOY_KEY,   /* a = the translation key: what was assumed at translation time */
};

struct toy_cpu {
    struct cpu cpu;
    uint64_t r[TOY_REGS];
    uint32_t mode;
};

static void toy_set_cache(struct cpu *cpu, uint64_t start, uint64_t end)
{
    cpu->cache_start = start;
    cpu->cache_end = end;
}

static void toy_set_mode(struct cpu *cpu, uint32_t mode) { ((struct toy_cpu *)cpu)->mode = mode; }

static const struct ir_helper toy_cache_helper = {
    "toy_cache", (void *)toy_set_cache, IR_HELPER_CPU, IR_VOID, {IR_I64, IR_I64}};
static const struct ir_helper toy_mode_helper = {"toy_mode", (void *)toy_set_mode, IR_HELPER_CPU, IR_VOID, {IR_I32}};
static const struct ir_helper *const toy_helpers[] = {&toy_cache_helper, &toy_mode_helper, NULL};

static ir_ref toy_binary(struct builder *b, enum toy_op op, ir_ref x, ir_ref y)
{
    static const enum ir_op ops[] = {[TOY_ADD] = IR_ADD, [TOY_SUB] = IR_SUB, [TOY_MUL] = IR_MUL, [TOY_XOR] = IR_XOR};
    return b_bin(b, ops[op], x, y);
}

static void toy_translate(struct builder *b)
{
    uint64_t pc = b->pc;
    uint32_t word = builder_fetch32(b);
    if (builder_ended(b))
        return;
    unsigned x = word >> 8 & 15, y = word >> 16 & 15, z = word >> 24 & 15, wide = word >> 16;
    uint64_t next = pc + 4, target = pc + 4 * (int64_t)(int16_t)wide;
    enum toy_op op = word & 0xff;

    b->pc = next;
    switch (op) {
    case TOY_ADDI:
        builder_put(b, x, b_add(b, builder_get(b, y), b_i64(b, (uint64_t)(int8_t)(word >> 24))));
        break;
    case TOY_ADD:
    case TOY_SUB:
    case TOY_MUL:
    case TOY_XOR:
        builder_put(b, x, toy_binary(b, op, builder_get(b, y), builder_get(b, z)));
        break;
    case TOY_SHL:
        builder_put(b, x, b_shl(b, builder_get(b, y), word >> 24 & 63));
        break;
    case TOY_IMM:
        builder_put(b, x, b_i64(b, wide));
        break;
    case TOY_LOAD:
        builder_put(b, x, b_load(b, IR_I64, 8, 0, builder_get(b, y), (word >> 24) * 8));
        break;
    case TOY_STORE:
        b_store(b, 8, 0, builder_get(b, y), (word >> 24) * 8, builder_get(b, x));
        break;
    case TOY_JUMP:
        builder_jump(b, target);
        break;
    case TOY_BNZ:
        builder_branch(b, b_cmp(b, IR_NE, builder_get(b, x), b_i64(b, 0)), target, next);
        break;
    case TOY_CALL:
        if (target <= pc)
            builder_poll(b);
        builder_put(b, TOY_LINK, b_i64(b, next));
        builder_jump_call(b, target, next);
        break;
    case TOY_RET:
        builder_return(b, builder_get(b, TOY_LINK));
        break;
    case TOY_JR:
        builder_poll(b);
        builder_jump_indirect(b, builder_get(b, x));
        break;
    case TOY_CALLR: {
        builder_poll(b);
        ir_ref to = builder_get(b, x);
        builder_put(b, TOY_LINK, b_i64(b, next));
        builder_jump_indirect_call(b, to, next);
        break;
    }
    case TOY_SYS:
        builder_trap(b, TRAP_SYSCALL, next, wide);
        break;
    case TOY_CACHE:
        builder_call(b, &toy_cache_helper, builder_get(b, x), builder_get(b, y), IR_NONE, IR_NONE);
        builder_trap(b, TRAP_CACHE, next, 0);
        break;
    case TOY_MODE:
        builder_call(b, &toy_mode_helper, b_i32(b, word >> 24), IR_NONE, IR_NONE, IR_NONE);
        builder_trap(b, TRAP_RESYNC, next, 0);
        break;
    case TOY_KEY:
        builder_put(b, x, b_i64(b, b->key));
        break;
    case TOY_HALT:
        builder_trap(b, TRAP_HALT, pc, 0);
        break;
    default:
        builder_trap(b, TRAP_UNDEFINED, pc, word);
        break;
    }
}

static uint32_t toy_key(const struct cpu *cpu) { return ((const struct toy_cpu *)cpu)->mode; }

static void toy_print(FILE *out, const struct cpu *cpu)
{
    const struct toy_cpu *toy = (const struct toy_cpu *)cpu;
    for (unsigned i = 0; i < TOY_REGS; i++)
        fprintf(out, "r%u=%llx%c", i, (unsigned long long)toy->r[i], i == TOY_REGS - 1 ? '\n' : ' ');
}

#define TOY_SLOT(n) {"r" #n, IR_I64, offsetof(struct toy_cpu, r) + (n) * 8}
static const struct state_slot toy_slots[TOY_REGS] = {
    TOY_SLOT(0), TOY_SLOT(1), TOY_SLOT(2),  TOY_SLOT(3),  TOY_SLOT(4),  TOY_SLOT(5),  TOY_SLOT(6),  TOY_SLOT(7),
    TOY_SLOT(8), TOY_SLOT(9), TOY_SLOT(10), TOY_SLOT(11), TOY_SLOT(12), TOY_SLOT(13), TOY_SLOT(14), TOY_SLOT(15),
};

static const struct guest_isa toy_isa = {
    .name = "toy",
    .slots = toy_slots,
    .nslots = TOY_REGS,
    .helpers = toy_helpers,
    .cpu_size = sizeof(struct toy_cpu),
    .translate = toy_translate,
    .translation_key = toy_key,
    .print_state = toy_print,
    .capstone_arch = -1,
};

/* ---- writing programs ------------------------------------------------------------------------------------------------------ */

static inline uint32_t toy3(enum toy_op op, unsigned a, unsigned b, unsigned c)
{
    return (uint32_t)op | a << 8 | b << 16 | (c & 0xff) << 24;
}
static inline uint32_t toy_wide(enum toy_op op, unsigned a, int wide)
{
    return (uint32_t)op | a << 8 | (uint32_t)(uint16_t)wide << 16;
}

#endif

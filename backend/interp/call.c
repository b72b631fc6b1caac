/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls of C helpers whose signatures are known at run time only.
 *
 * The System V ABI for x86-64 hands out argument registers by class: integers and pointers take rdi, rsi, rdx, rcx,
 * r8 in the order in which they appear among themselves; float, double and __m128i take xmm0, xmm1, … likewise. A
 * helper has at most five arguments (the CPU and four more), so none is ever on the stack, and how the two classes
 * interleave in its prototype makes no difference. Hence a helper with any such prototype may be called as one that
 * takes five integers and four vectors: each class packed to the front, the registers in excess holding what the
 * helper does not look at. The result is in rax or in xmm0, which makes two function types. A uint32_t has undefined
 * upper bits there, as has xmm0 above a float or double.
 */
#include "backend/interp/interp.h"

typedef uint64_t int_helper(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, __m128i, __m128i, __m128i, __m128i);
typedef __m128i vector_helper(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, __m128i, __m128i, __m128i, __m128i);

static bool in_vector_register(unsigned type)
{
    return type == IR_F32 || type == IR_F64 || type == IR_V128;
}

void interp_call(const struct ir_insn *insn, struct cpu *cpu, const union interp_value arg[4],
                 union interp_value *result)
{
    const struct ir_helper *helper = (const struct ir_helper *)(uintptr_t)insn->imm;
    uint64_t i[5] = {0};
    __m128i v[4] = {_mm_setzero_si128()};
    unsigned ni = 0, nv = 0;

    if (helper->flags & IR_HELPER_CPU) {
        i[ni++] = (uintptr_t)cpu;
    }
    for (unsigned k = 0; k < 4 && helper->args[k] != IR_VOID; k++) {
        if (in_vector_register(helper->args[k])) {
            v[nv++] = arg[k].vector;
        } else {
            i[ni++] = arg[k].u64;
        }
    }
    if (in_vector_register(helper->result)) {
        vector_helper *function = (vector_helper *)helper->function;
        result->vector = function(i[0], i[1], i[2], i[3], i[4], v[0], v[1], v[2], v[3]);
    } else {
        int_helper *function = (int_helper *)helper->function;
        result->u64 = function(i[0], i[1], i[2], i[3], i[4], v[0], v[1], v[2], v[3]);
    }
    switch (helper->result) {
    case IR_VOID:
        result->u64 = 0;
        break;
    case IR_I32:
    case IR_F32:
        *result = (union interp_value){.u64 = (uint32_t)result->u64};
        break;
    case IR_F64:
        result->half[1] = 0;
        break;
    }
}

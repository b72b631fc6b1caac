/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory: host accesses at the guest's address, one for each guest access so that it is as atomic as the guest
 * expects. x86 orders loads with loads and stores with stores, so an acquire needs nothing and a release, which must
 * not be overtaken by a later acquire, is an exchange (Arm ARM DDI 0487, B2.3).
 */
#include <string.h>

#include "backend/interp/interp.h"

static uint64_t guest_address(const struct ir_insn *insn, const union interp_value arg[4])
{
    uint64_t address = arg[0].u64 + insn->imm;
    if ((insn->op == IR_LOAD || insn->op == IR_STORE) && insn->arg[1] != IR_NONE) {
        address += arg[1].u64 << IR_MEM_SCALE(insn->mode);
    }
    return address;
}

static uint64_t low_bytes(uint64_t value, unsigned size)
{
    return size == 8 ? value : value & ((UINT64_C(1) << size * 8) - 1);
}

static uint64_t sign_extend(uint64_t value, unsigned size)
{
    unsigned unused = 64 - size * 8;
    return (uint64_t)((int64_t)(value << unused) >> unused);
}

static uint64_t load(uint64_t address, unsigned size)
{
    switch (size) {
    case 1:
        return __atomic_load_n((const uint8_t *)address, __ATOMIC_ACQUIRE);
    case 2:
        return __atomic_load_n((const uint16_t *)address, __ATOMIC_ACQUIRE);
    case 4:
        return __atomic_load_n((const uint32_t *)address, __ATOMIC_ACQUIRE);
    default:
        return __atomic_load_n((const uint64_t *)address, __ATOMIC_ACQUIRE);
    }
}

/* Stores if memory holds *expected; otherwise puts what it holds there. */
static bool compare_exchange(uint64_t address, unsigned size, uint64_t *expected, uint64_t desired)
{
    bool stored;
#define CASE(type)                                                                                                     \
    {                                                                                                                  \
        type old = (type)*expected;                                                                                    \
        stored = __atomic_compare_exchange_n((type *)address, &old, (type)desired, false, __ATOMIC_SEQ_CST,            \
                                             __ATOMIC_SEQ_CST);                                                        \
        *expected = old;                                                                                               \
        break;                                                                                                         \
    }
    switch (size) {
    case 1:
        CASE(uint8_t)
    case 2:
        CASE(uint16_t)
    case 4:
        CASE(uint32_t)
    default:
        CASE(uint64_t)
    }
#undef CASE
    return stored;
}

static bool compare_exchange_16(uint64_t address, union interp_value *expected, const union interp_value *desired)
{
    bool stored;
    __asm__ volatile("lock cmpxchg16b %[memory]"
                     : [memory] "+m"(*(__m128i *)address), "+a"(expected->half[0]), "+d"(expected->half[1]),
                       "=@ccz"(stored)
                     : "b"(desired->half[0]), "c"(desired->half[1])
                     : "memory");
    return stored;
}

static void execute_load(const struct ir_insn *insn, uint64_t address, union interp_value *result)
{
    if (insn->size == 16) {
        result->vector = _mm_loadu_si128((const __m128i *)address);
        return;
    }
    uint64_t value = load(address, insn->size);
    if (insn->mode & IR_MEM_SIGNED) {
        value = low_bytes(sign_extend(value, insn->size), ir_type_size(insn->type));
    }
    result->u64 = value;
}

static void execute_store(const struct ir_insn *insn, uint64_t address, const union interp_value *value)
{
    bool ordered = insn->mode & IR_MEM_ORDERED;
#define CASE(type)                                                                                                     \
    if (ordered) {                                                                                                     \
        __atomic_store_n((type *)address, (type)value->u64, __ATOMIC_SEQ_CST);                                         \
    } else {                                                                                                           \
        __atomic_store_n((type *)address, (type)value->u64, __ATOMIC_RELEASE);                                         \
    }                                                                                                                  \
    break
    switch (insn->size) {
    case 1:
        CASE(uint8_t);
    case 2:
        CASE(uint16_t);
    case 4:
        CASE(uint32_t);
    case 8:
        CASE(uint64_t);
    case 16:
        _mm_storeu_si128((__m128i *)address, value->vector);
        if (ordered) {
            __atomic_thread_fence(__ATOMIC_SEQ_CST);
        }
        break;
    }
#undef CASE
}

static void execute_store_exclusive(const struct ir_insn *insn, uint64_t address, const union interp_value arg[4],
                                    union interp_value *result)
{
    bool stored = false;
    if (arg[0].u64 == arg[1].u64) {
        union interp_value expected = arg[2];
        stored = insn->size == 16 ? compare_exchange_16(address, &expected, &arg[3])
                                  : compare_exchange(address, insn->size, &expected.u64, arg[3].u64);
    }
    result->u64 = !stored;
}

static void execute_cas(const struct ir_insn *insn, uint64_t address, const union interp_value arg[4],
                        union interp_value *result)
{
    *result = arg[1];
    if (insn->size == 16) {
        compare_exchange_16(address, result, &arg[2]);
    } else {
        result->u64 = low_bytes(result->u64, insn->size);
        compare_exchange(address, insn->size, &result->u64, arg[2].u64);
    }
}

static uint64_t rmw_result(enum ir_rmw operation, unsigned size, uint64_t old, uint64_t operand)
{
    uint64_t unsigned_operand = low_bytes(operand, size);
    int64_t signed_old = (int64_t)sign_extend(old, size), signed_operand = (int64_t)sign_extend(operand, size);
    switch (operation) {
    case IR_RMW_ADD:
        return old + operand;
    case IR_RMW_AND:
        return old & operand;
    case IR_RMW_OR:
        return old | operand;
    case IR_RMW_XOR:
        return old ^ operand;
    case IR_RMW_SMAX:
        return signed_old > signed_operand ? old : operand;
    case IR_RMW_SMIN:
        return signed_old < signed_operand ? old : operand;
    case IR_RMW_UMAX:
        return old > unsigned_operand ? old : operand;
    case IR_RMW_UMIN:
        return old < unsigned_operand ? old : operand;
    case IR_RMW_XCHG:
    case IR_RMW_COUNT:
        break;
    }
    return operand;
}

static void execute_rmw(const struct ir_insn *insn, uint64_t address, const union interp_value arg[4],
                        union interp_value *result)
{
    uint64_t old = load(address, insn->size);
    while (!compare_exchange(address, insn->size, &old, rmw_result(insn->mode, insn->size, old, arg[1].u64))) {
    }
    result->u64 = old;
}

void interp_access(const struct ir_insn *insn, const union interp_value arg[4], union interp_value *result)
{
    uint64_t address = guest_address(insn, arg);
    switch (insn->op) {
    case IR_LOAD:
        execute_load(insn, address, result);
        break;
    case IR_STORE:
        execute_store(insn, address, &arg[2]);
        break;
    case IR_STORE_EXCL:
        execute_store_exclusive(insn, address, arg, result);
        break;
    case IR_CAS:
        execute_cas(insn, address, arg, result);
        break;
    case IR_RMW:
        execute_rmw(insn, address, arg, result);
        break;
    }
}

void interp_fence(const struct ir_insn *insn)
{
    switch (insn->mode) {
    case IR_FENCE_LOAD:
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        break;
    case IR_FENCE_STORE:
        __atomic_thread_fence(__ATOMIC_RELEASE);
        break;
    default:
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        break;
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register sets of traced guests: Linux arch/arm64/kernel/ptrace.c, uapi asm/ptrace.h. */
#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/uio.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/tracer.h"

struct general_registers {
    uint64_t x[31], sp, pc, pstate;
};

struct vector_registers {
    __m128i v[32];
    uint32_t fpsr, fpcr, reserved[2];
};

struct debug_registers {
    uint32_t info, pad;
    struct trace_slot slots[16];
};

union register_set {
    struct general_registers general;
    struct vector_registers vector;
    struct debug_registers debug;
    uint64_t thread_pointer;
    int32_t number;
    uint64_t masks[2];
};

#ifndef NT_ARM_PAC_MASK
#define NT_ARM_PAC_MASK 0x406
#endif
#define PAC_MASK UINT64_C(0x007f000000000000) /* bits 54:48, as of a 48-bit address space */
#define DEBUG_ARCHITECTURE (6u << 8)          /* Armv8; the number of slots is below it */
#define SLOTS_START offsetof(struct debug_registers, slots)

/** Size of the set, 0 if there is none of this type. */
static size_t set_size(const struct a64_cpu *cpu, uint64_t type)
{
    switch (type) {
    case NT_PRSTATUS:
        return sizeof(struct general_registers);
    case NT_PRFPREG:
        return sizeof(struct vector_registers);
    case NT_ARM_TLS:
        return sizeof(uint64_t);
    case NT_ARM_SYSTEM_CALL:
        return sizeof(int32_t);
    case NT_ARM_HW_BREAK:
    case NT_ARM_HW_WATCH:
        return sizeof(struct debug_registers);
    case NT_ARM_PAC_MASK:
        return cpu->features >> A64_FEAT_PAUTH & 1 ? 2 * sizeof(uint64_t) : 0;
    default:
        return 0;
    }
}

/** The slots of a kind, and how many. */
static struct trace_slot *find_slots(struct trace *trace, uint64_t type, unsigned *count)
{
    *count = type == NT_ARM_HW_BREAK ? TRACE_BREAKS : TRACE_WATCHES;
    return type == NT_ARM_HW_BREAK ? trace->breaks : trace->watches;
}

/** `trace`: NULL for a core file. */
static void get(const struct a64_cpu *cpu, const struct trace *trace, uint64_t type, union register_set *set)
{
    unsigned count;
    struct trace none = {.number = -1};
    const struct trace_slot *slots;
    memset(set, 0, sizeof *set);
    switch (type) {
    case NT_PRSTATUS:
        memcpy(set->general.x, cpu->x, sizeof set->general.x);
        set->general.sp = cpu->sp;
        set->general.pc = cpu->cpu.pc;
        set->general.pstate = a64_read_pstate(cpu);
        break;
    case NT_PRFPREG:
        memcpy(set->vector.v, cpu->v, sizeof set->vector.v);
        set->vector.fpsr = a64_read_fpsr(cpu);
        set->vector.fpcr = cpu->fpcr;
        break;
    case NT_ARM_TLS:
        set->thread_pointer = cpu->tpidr_el0;
        break;
    case NT_ARM_SYSTEM_CALL:
        set->number = trace ? trace->number : -1;
        break;
    case NT_ARM_PAC_MASK:
        set->masks[0] = set->masks[1] = PAC_MASK;
        break;
    default:
        slots = find_slots(trace ? (struct trace *)trace : &none, type, &count);
        set->debug.info = DEBUG_ARCHITECTURE | count;
        memcpy(set->debug.slots, slots, count * sizeof *slots);
        break;
    }
}

size_t registers_describe(const struct a64_cpu *cpu, uint64_t type, void *to)
{
    union register_set set;
    size_t size = set_size(cpu, type);
    if (size) {
        get(cpu, NULL, type, &set);
        memcpy(to, &set, size);
    }
    return size;
}

/** Linux, arch/arm64/kernel/hw_breakpoint.c: what of a control word makes sense. */
static bool slot_is_valid(const struct trace_slot *slot, uint64_t type)
{
    unsigned bytes = slot->control >> 5 & 0xff, kinds = slot->control >> 3 & 3;
    if (!(slot->control & 1))
        return true;
    unsigned run = bytes ? bytes >> __builtin_ctz(bytes) : 0;
    if (!bytes || (run & (run + 1)) || slot->address >> 48)
        return false; /* none, or with a hole */
    return type == NT_ARM_HW_BREAK ? bytes == 0xf && slot->address % 4 == 0 : kinds != 0;
}

/** Those slots that the tracer has given; a slot that the CPU has not is none of its business. */
static int64_t put_slots(struct tracee *t, uint64_t type, const struct debug_registers *set, size_t size)
{
    unsigned count, given = size > SLOTS_START ? (unsigned)((size - SLOTS_START) / sizeof set->slots[0]) : 0;
    struct trace_slot *slots = find_slots(&t->copy, type, &count);
    for (unsigned i = 0; i < given; i++) {
        if (i >= count)
            return set->slots[i].control & 1 ? -ENOSPC : 0;
        if (!slot_is_valid(&set->slots[i], type))
            return -EINVAL;
        slots[i] = set->slots[i];
    }
    t->copy.slots_changed = 1;
    /* The rest of the description may be in use. */
    const size_t start = offsetof(struct trace, breaks);
    return tracer_write(t->tid, t->address + start, (const char *)&t->copy + start, sizeof t->copy - start) ? 0 : -ESRCH;
}

static int64_t put(struct tracee *t, struct a64_cpu *cpu, uint64_t type, const union register_set *set, size_t size)
{
    switch (type) {
    case NT_PRSTATUS:
        if (set->general.pstate & 0x1f) /* EL0 in AArch64 */
            return -EINVAL;
        memcpy(cpu->x, set->general.x, sizeof cpu->x);
        cpu->sp = set->general.sp;
        cpu->cpu.pc = set->general.pc;
        a64_write_pstate(cpu, (uint32_t)set->general.pstate);
        return 0;
    case NT_PRFPREG:
        memcpy(cpu->v, set->vector.v, sizeof cpu->v);
        a64_write_fpcr(cpu, set->vector.fpcr);
        a64_write_fpsr(cpu, set->vector.fpsr);
        return 0;
    case NT_ARM_TLS:
        cpu->tpidr_el0 = set->thread_pointer;
        return 0;
    case NT_ARM_SYSTEM_CALL:
        t->copy.number = set->number;
        return 0;
    case NT_ARM_PAC_MASK:
        return -EINVAL;
    default:
        return put_slots(t, type, &set->debug, size);
    }
}

/** Only what belongs to the guest: other threads may write the rest. */
static bool write_cpu(const struct tracee *t, const struct a64_cpu *cpu)
{
    uint64_t at = (uint64_t)t->copy.cpu;
    const struct {
        size_t start, end;
    } parts[] = {
        {offsetof(struct a64_cpu, cpu.pc), offsetof(struct a64_cpu, cpu.pc) + sizeof cpu->cpu.pc},
        {offsetof(struct a64_cpu, cpu.mxcsr), offsetof(struct a64_cpu, cpu.mxcsr) + sizeof cpu->cpu.mxcsr},
        {offsetof(struct a64_cpu, cpu.branch_kind), offsetof(struct a64_cpu, cpu.branch_kind) + sizeof cpu->cpu.branch_kind},
        {offsetof(struct a64_cpu, x), offsetof(struct a64_cpu, features)},
        {offsetof(struct a64_cpu, pstate), offsetof(struct a64_cpu, pstate) + sizeof cpu->pstate},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        if (!tracer_write(t->tid, at + parts[i].start, (const char *)cpu + parts[i].start, parts[i].end - parts[i].start))
            return false;
    }
    return true;
}

int64_t tracer_register_set(struct tracee *t, uint64_t type, uint64_t vector, bool set)
{
    struct a64_cpu cpu;
    union register_set registers;
    struct iovec place;
    if (!guest_read(&place, vector, sizeof place))
        return -EFAULT;
    if (!tracer_read(t->tid, (uint64_t)t->copy.cpu, &cpu, sizeof cpu))
        return -ESRCH;
    size_t size = set_size(&cpu, type), n = place.iov_len < size ? place.iov_len : size;
    if (!size || place.iov_len % 4)
        return -EINVAL;
    get(&cpu, &t->copy, type, &registers);
    if (set) {
        if (!guest_read(&registers, (uint64_t)place.iov_base, n))
            return -EFAULT;
        int64_t result = put(t, &cpu, type, &registers, n);
        if (result < 0)
            return result;
        if (!write_cpu(t, &cpu))
            return -ESRCH;
    } else if (!guest_write((uint64_t)place.iov_base, &registers, n)) {
        return -EFAULT;
    }
    place.iov_len = n;
    return guest_write(vector, &place, sizeof place) ? 0 : -EFAULT;
}

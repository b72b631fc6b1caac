/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arm64 signal frame: Linux uapi asm/sigcontext.h, asm/ucontext.h, and struct rt_sigframe of the kernel. */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/signals.h"

#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC 0x45535201u
#define EXTRA_MAGIC 0x45585401u
#define PSTATE_NOT_EL0 0x3dfu /* D, A, I, F, nRW, M: all clear at EL0 */
#define MINIMUM_STACK 5120 /* arm64's MINSIGSTKSZ */
#define AUTODISARM (1u << 31)
#define ONSTACK 1
#define DISABLED 2
#define SA_RESTORER_FLAG 0x04000000u

struct record_head {
    uint32_t magic, size;
};

struct fpsimd_record {
    struct record_head head;
    uint32_t fpsr, fpcr;
    __m128i v[32];
};

struct esr_record {
    struct record_head head;
    uint64_t esr;
};

struct signal_frame {
    siginfo_t info;
    uint64_t flags, link;
    struct guest_stack stack;
    uint64_t mask;
    uint8_t unused[120];
    /* struct sigcontext */
    _Alignas(16) uint64_t fault_address;
    uint64_t regs[31];
    uint64_t sp, pc, pstate;
    _Alignas(16) uint8_t records[4096];
};
_Static_assert(sizeof(struct fpsimd_record) == 528, "as in sigcontext.h");
_Static_assert(offsetof(struct signal_frame, flags) == 128 && offsetof(struct signal_frame, fault_address) == 128 + 176 &&
                   offsetof(struct signal_frame, records) == 128 + 176 + 288 && sizeof(struct signal_frame) == 4688,
               "struct rt_sigframe");

/** What the guest's frame pointer points to while the handler runs. */
struct frame_link {
    uint64_t fp, lr;
};

static bool on_stack(const struct guest_stack *stack, uint64_t sp)
{
    return !(stack->flags & (DISABLED | (int32_t)AUTODISARM)) && sp > stack->sp && sp - stack->sp <= stack->size;
}

bool signal_frame_push(struct thread *thread, const siginfo_t *info, const struct guest_sigaction *action, uint64_t frame_mask,
                       uint64_t fault_address, uint64_t esr)
{
    struct a64_cpu *cpu = thread->cpu;
    struct signal_frame frame;
    memset(&frame, 0, sizeof frame);
    frame.info = *info;
    frame.stack = thread->altstack;
    frame.mask = frame_mask;
    frame.fault_address = fault_address;
    memcpy(frame.regs, cpu->x, sizeof frame.regs);
    frame.sp = cpu->sp;
    frame.pc = cpu->cpu.pc;
    frame.pstate = a64_read_pstate(cpu);
    struct fpsimd_record fpsimd = {{FPSIMD_MAGIC, sizeof fpsimd}, a64_read_fpsr(cpu), cpu->fpcr, {{0}}};
    memcpy(fpsimd.v, cpu->v, sizeof fpsimd.v);
    memcpy(frame.records, &fpsimd, sizeof fpsimd);
    if (esr) {
        struct esr_record record = {{ESR_MAGIC, sizeof record}, esr};
        memcpy(frame.records + sizeof fpsimd, &record, sizeof record);
    }

    uint64_t sp = cpu->sp;
    if (action->flags & SA_ONSTACK && !(thread->altstack.flags & DISABLED) && !on_stack(&thread->altstack, sp))
        sp = thread->altstack.sp + thread->altstack.size;
    sp = (sp - sizeof(struct frame_link)) & ~UINT64_C(15);
    uint64_t link_at = sp;
    sp -= sizeof frame;
    struct frame_link link = {cpu->x[29], cpu->x[30]};
    if (!guest_write(link_at, &link, sizeof link) || !guest_write(sp, &frame, sizeof frame))
        return false;
    if (thread->altstack.flags & (int32_t)AUTODISARM)
        thread->altstack = (struct guest_stack){.flags = DISABLED};

    cpu->x[0] = (uint64_t)info->si_signo;
    cpu->x[1] = sp + offsetof(struct signal_frame, info);
    cpu->x[2] = sp + offsetof(struct signal_frame, flags);
    cpu->x[29] = link_at;
    cpu->x[30] = action->flags & SA_RESTORER_FLAG ? action->restorer : thread->process->sigreturn_pc;
    cpu->sp = sp;
    cpu->cpu.pc = action->handler;
    /* To the guest, a handler is called as by BLR: in a guarded page it has to begin with a landing pad. */
    cpu->cpu.branch_kind = cpu->features >> A64_FEAT_BTI & 1 ? A64_BTYPE_CALL : A64_BTYPE_NONE;
    return true;
}

/** Finds the FPSIMD record among the records; false when the list is malformed or lacks it. */
static bool find_fpsimd(const uint8_t records[4096], struct fpsimd_record *fpsimd)
{
    bool found = false;
    for (size_t at = 0; at + sizeof(struct record_head) <= 4096;) {
        struct record_head head;
        memcpy(&head, records + at, sizeof head);
        if (head.magic == 0)
            return head.size == 0 && found;
        if (head.size < sizeof head || head.size % 16 || head.size > 4096 - at)
            return false;
        if (head.magic == FPSIMD_MAGIC) {
            if (head.size != sizeof *fpsimd || found)
                return false;
            memcpy(fpsimd, records + at, sizeof *fpsimd);
            found = true;
        } else if (head.magic != ESR_MAGIC && head.magic != EXTRA_MAGIC) {
            return false;
        }
        at += head.size;
    }
    return found;
}

int64_t signal_frame_pop(struct thread *thread)
{
    struct a64_cpu *cpu = thread->cpu;
    struct signal_frame frame;
    struct fpsimd_record fpsimd;
    if (cpu->sp % 16 || !guest_read(&frame, cpu->sp, sizeof frame) || !find_fpsimd(frame.records, &fpsimd))
        return -EFAULT;
    if (frame.pstate & PSTATE_NOT_EL0)
        return -EFAULT;
    /* A signal may have to go first, under the present mask and registers. */
    int64_t result = signals_set_mask(thread, frame.mask);
    if (result < 0)
        return result;
    memcpy(cpu->x, frame.regs, sizeof cpu->x);
    cpu->sp = frame.sp;
    cpu->cpu.pc = frame.pc;
    a64_write_pstate(cpu, (uint32_t)frame.pstate);
    memcpy(cpu->v, fpsimd.v, sizeof cpu->v);
    a64_write_fpcr(cpu, fpsimd.fpcr);
    a64_write_fpsr(cpu, fpsimd.fpsr);
    cpu->excl_address = A64_EXCL_NONE;
    signal_stack_set(thread, &frame.stack);
    return 0;
}

void signal_stack_get(const struct thread *thread, struct guest_stack *stack)
{
    *stack = thread->altstack;
    if (!(stack->flags & DISABLED) && on_stack(stack, thread->cpu->sp))
        stack->flags |= ONSTACK;
}

int64_t signal_stack_set(struct thread *thread, const struct guest_stack *stack)
{
    if (on_stack(&thread->altstack, thread->cpu->sp))
        return -EPERM;
    int32_t mode = stack->flags & ~(int32_t)AUTODISARM;
    if (mode != 0 && mode != ONSTACK && mode != DISABLED)
        return -EINVAL;
    if (mode == DISABLED) {
        thread->altstack = (struct guest_stack){.flags = DISABLED};
        return 0;
    }
    if (stack->size < MINIMUM_STACK)
        return -ENOMEM;
    thread->altstack = *stack;
    thread->altstack.flags &= (int32_t)AUTODISARM;
    thread->altstack.pad = 0;
    return 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/fault.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "frontend/a64/decode.h"
#include "machine/linux/core.h"
#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/keep_files.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/signals.h"

/* ESR_EL1 as Linux shows it to handlers: Arm ARM DDI 0487, D24.2.40 */
#define ESR_DATA_ABORT ((uint64_t)ESR_CLASS_DATA_ABORT << 26 | UINT64_C(1) << 25)
#define ESR_INSTRUCTION_ABORT ((uint64_t)ESR_CLASS_INSTRUCTION_ABORT << 26 | UINT64_C(1) << 25)
#define ESR_PC_ALIGNMENT (UINT64_C(0x22) << 26 | UINT64_C(1) << 25)
#define ESR_SP_ALIGNMENT (UINT64_C(0x26) << 26 | UINT64_C(1) << 25)
#define ESR_WRITE (1u << 6)
#define ESR_ALIGNMENT_FAULT 0x21u
#define ESR_NOTHING_MAPPED 0x04u
#define ESR_TRANSLATION_FAULT 0x07u
#define ESR_PERMISSION_FAULT 0x0fu

#define TAG_BITS (UINT64_C(0xff) << 56)

/** Start of the program in memory, from the linker: makes addresses in messages comparable between runs. */
extern const char __executable_start;

static const char *signal_name(int signal)
{
    static char other[16];
    const char *name = sigabbrev_np(signal);
    snprintf(other, sizeof other, "SIG%s", name ? name : "?");
    return other;
}

_Noreturn static void die_by(int signal)
{
    struct guest_sigaction action = {0};
    uint64_t none = 0;
    RAW_SYSCALL(SYS_rt_sigaction, (uint64_t)signal, (uint64_t)&action, 0, 8);
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&none, 0, 8);
    RAW_SYSCALL(SYS_tgkill, (uint64_t)getpid(), (uint64_t)RAW_SYSCALL(SYS_gettid, 0), (uint64_t)signal);
    for (;;)
        RAW_SYSCALL(SYS_exit_group, 128 + (uint64_t)signal);
}

_Noreturn void fault_terminate(struct thread *thread, const siginfo_t *info, bool forced, uint64_t address)
{
    char symbol[256], line[512], where[64] = "";
    if (thread->gdb)
        gdb_exit(thread, 0, info->si_signo);
    if (thread->process->perf)
        perf_map_flush(thread->process->perf);
    if (!thread->vfork_child)
        keep_files_write(thread->process->memory.keep, true);
    core_dump(thread, info);
    if (!forced)
        die_by(info->si_signo); /* sent by somebody, who knows why */
    symbol_describe(thread->cpu->cpu.pc, symbol, sizeof symbol);
    if (info->si_signo == SIGSEGV || info->si_signo == SIGBUS)
        snprintf(where, sizeof where, " accessing 0x%llx", (unsigned long long)address);
    snprintf(line, sizeof line, "dragoman: guest %s at pc 0x%llx%s%s%s%s\n", signal_name(info->si_signo),
             (unsigned long long)thread->cpu->cpu.pc, *symbol ? " (" : "", symbol, *symbol ? ")" : "", where);
    fflush(thread->process->options->engine.log_file);
    RAW_SYSCALL(SYS_write, 2, (uint64_t)line, strlen(line));
    die_by(info->si_signo);
}

_Noreturn void fault_internal(int signal, uint64_t address, const ucontext_t *uc)
{
    char line[256];
    const struct thread *thread = current_thread;
    int n = snprintf(line, sizeof line,
                     "dragoman: internal error: %s in its own code at 0x%llx (start + 0x%llx) accessing 0x%llx; "
                     "guest pc about 0x%llx. Please report this.\n",
                     signal_name(signal), (unsigned long long)uc->uc_mcontext.gregs[REG_RIP],
                     (unsigned long long)uc->uc_mcontext.gregs[REG_RIP] - (unsigned long long)(uintptr_t)&__executable_start,
                     (unsigned long long)address, thread && thread->cpu ? (unsigned long long)thread->cpu->cpu.pc : 0);
    RAW_SYSCALL(SYS_write, 2, (uint64_t)line, (uint64_t)n);
    die_by(signal);
}

static uint64_t extend_register(uint64_t value, unsigned option)
{
    switch (option) {
    case 2:
        return (uint32_t)value;
    case 6:
        return (uint64_t)(int64_t)(int32_t)value;
    default:
        return value;
    }
}

/**
 * What the instruction at pc would access. x86-64 does not report a non-canonical address, which an arm64 kernel would, so
 * it is computed from the instruction for the common addressing forms (Arm ARM DDI 0487, C4.1.94).
 */
static uint64_t guess_address(const struct a64_cpu *cpu)
{
    uint32_t insn;
    if (!guest_read(&insn, cpu->cpu.pc, sizeof insn))
        return 0;
    unsigned rn = insn >> 5 & 31, size = insn >> 30;
    uint64_t base = rn == 31 ? cpu->sp : cpu->x[rn];
    bool vector = insn & 1u << 26;
    if (vector && size == 0 && (insn & 1u << 23))
        size = 4;
    if ((insn & 0x3b000000) == 0x39000000) /* unsigned immediate */
        return base + ((uint64_t)(insn >> 10 & 0xfff) << size);
    if ((insn & 0x3b200c00) == 0x38200800) { /* register */
        unsigned rm = insn >> 16 & 31;
        uint64_t index = extend_register(rm == 31 ? 0 : cpu->x[rm], insn >> 13 & 7);
        return base + (index << (insn & 1u << 12 ? size : 0));
    }
    if ((insn & 0x3f200c00) == 0x19000000) /* LDAPUR, STLUR */
        return base + (uint64_t)((int64_t)((uint64_t)(insn >> 12 & 0x1ff) << 55) >> 55);
    if ((insn & 0x3b200000) == 0x38000000 && (insn >> 10 & 3) != 1) /* unscaled, unprivileged and pre-indexed immediate */
        return base + (uint64_t)((int64_t)((uint64_t)(insn >> 12 & 0x1ff) << 55) >> 55);
    if ((insn & 0x3a000000) == 0x28000000 && (insn >> 23 & 3) != 1) { /* pair */
        unsigned scale = vector ? 2 + size : 2 + (size >> 1);
        return base + ((uint64_t)((int64_t)((uint64_t)(insn >> 15 & 0x7f) << 57) >> 57) << scale);
    }
    return base;
}

/** The atomic memory operations, swaps and compares of LSE: what does not let them read is reported as a read. */
static bool is_atomic(uint32_t insn)
{
    return (insn & 0x3f200c00) == 0x38200000 || (insn & 0x3fa07c00) == 0x08a07c00 || (insn & 0xbfa07c00) == 0x08207c00;
}

/** Of the common loads and stores, as in guess_address(). */
static bool is_store(uint32_t insn)
{
    unsigned opc = insn >> 22 & 3;
    if ((insn & 0x3a000000) == 0x38000000 && !is_atomic(insn)) /* one register */
        return insn & 1u << 26 ? !(opc & 1) : opc == 0;
    if ((insn & 0x3f000000) == 0x19000000) /* LDAPUR, STLUR */
        return opc == 0;
    /* pair; exclusive and ordered; structures */
    return ((insn & 0x3a000000) == 0x28000000 || (insn & 0x3f000000) == 0x08000000 || (insn & 0xbe000000) == 0x0c000000) &&
           !is_atomic(insn) && !(opc & 1);
}

/** ESR_EL1.WnR (Arm ARM DDI 0487, D24.2.40). The host tells of writes, but not at non-canonical addresses, and not of reads. */
static uint64_t write_bit(struct thread *thread, uint64_t address, bool known, bool write)
{
    uint32_t insn;
    struct mapping m;
    if ((known && !write) || !guest_read(&insn, thread->cpu->cpu.pc, sizeof insn))
        return 0;
    if (is_atomic(insn)) /* written to where it could have read */
        return known && memory_find(&thread->process->memory, address, &m) && (m.prot & PROT_READ) ? ESR_WRITE : 0;
    return known || is_store(insn) ? ESR_WRITE : 0;
}

/** As Linux reports addresses: without their tags (bits 63:56). */
static uint64_t untagged(uint64_t address) { return (uint64_t)((int64_t)(address << 8) >> 8); }

/** Of the kernel's half of the address space Linux tells nothing: it says level 0. */
static uint64_t translation_fault(uint64_t address) { return address >> 55 & 1 ? ESR_NOTHING_MAPPED : ESR_TRANSLATION_FAULT; }

/** A fault of data. Handlers see the tag of its address if they ask for it. */
static void force_at_data(struct thread *thread, int signal, int code, uint64_t address, uint64_t esr)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = code;
    uint64_t shown = address;
    if (thread->actions[signal].flags & SA_EXPOSE_TAGBITS_FLAG) {
        uint64_t guess = guess_address(thread->cpu);
        if (untagged(guess) - address + 64 < 128) /* a part of a vector or a pair, at most */
            shown = (address & ~TAG_BITS) | (guess & TAG_BITS);
    }
    info.si_addr = (void *)shown;
    signals_force_info(thread, &info, address, esr);
}

/** True when the instruction at pc was only the beginning of what did not work: again, then, one by one. */
static bool take_apart(struct thread *thread)
{
    uint32_t insn;
    return guest_read(&insn, thread->cpu->cpu.pc, sizeof insn) && a64_cpu_take_apart(thread->cpu, insn);
}

/** A host fault recovered from translated code. */
static void deliver_host_fault(struct thread *thread, enum cpu_trap trap)
{
    (void)trap;
    const siginfo_t *info = &thread->fault_info;
    int signal = info->si_signo, code = info->si_code;
    uint64_t address = (uint64_t)info->si_addr, esr = 0;
    if (signal == SIGSEGV || signal == SIGBUS) {
        if (code == SI_KERNEL) {
            if (a64_cpu_use_tags(thread->cpu))
                return; /* the first tagged pointer, perhaps: executed again, tags are ignored */
            code = SEGV_MAPERR;
            address = untagged(guess_address(thread->cpu));
        }
        if ((thread->fault_code & 2) && take_apart(thread)) /* a load-exclusive does not write */
            return;
        bool permission = signal == SIGSEGV && code == SEGV_ACCERR;
        esr = ESR_DATA_ABORT | write_bit(thread, address, info->si_code != SI_KERNEL, thread->fault_code & 2) |
              (permission ? ESR_PERMISSION_FAULT : translation_fault(address));
    }
    force_at_data(thread, signal, code, address, esr);
}

/** An access that was made by guest_isa.execute. */
static void deliver_data(struct thread *thread, enum cpu_trap trap)
{
    struct mapping m;
    const struct cpu *cpu = &thread->cpu->cpu;
    bool write = cpu->trap_info, mapped = memory_find(&thread->process->memory, cpu->cache_start, &m);
    uint64_t esr = ESR_DATA_ABORT | (write ? ESR_WRITE : 0);
    (void)trap;
    if (mapped && (m.prot & (write ? PROT_WRITE : PROT_READ))) /* a page of a file that ends before it */
        signals_force(thread, SIGBUS, BUS_ADRERR, cpu->cache_start, esr | ESR_TRANSLATION_FAULT);
    else
        signals_force(thread, SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, cpu->cache_start,
                      esr | (mapped ? ESR_PERMISSION_FAULT : translation_fault(cpu->cache_start)));
}

static void deliver_unaligned_data(struct thread *thread, enum cpu_trap trap)
{
    (void)trap;
    if (take_apart(thread))
        return;
    force_at_data(thread, SIGBUS, BUS_ADRALN, untagged(guess_address(thread->cpu)), ESR_DATA_ABORT | ESR_ALIGNMENT_FAULT);
}

static void deliver_unaligned_sp(struct thread *thread, enum cpu_trap trap)
{
    (void)trap;
    signals_force(thread, SIGBUS, BUS_ADRALN, thread->cpu->sp, ESR_SP_ALIGNMENT);
}

static bool is_readable(uint64_t pc)
{
    uint8_t byte;
    return guest_read(&byte, pc, 1);
}

static void deliver_fetch(struct thread *thread, enum cpu_trap trap)
{
    struct mapping m;
    uint64_t pc = thread->cpu->cpu.pc;
    (void)trap;
    if (pc != untagged(pc) && !(pc >> 55 & 1)) { /* a branch drops the tag of its target: Arm ARM DDI 0487, AArch64.BranchAddr() */
        thread->cpu->cpu.pc = untagged(pc);
        return;
    }
    bool mapped = memory_find(&thread->process->memory, pc, &m);
    if (mapped && (m.prot & PROT_EXEC)) {
        if (!is_readable(pc)) /* a page of a file that ends before it */
            signals_force(thread, SIGBUS, BUS_ADRERR, pc, ESR_INSTRUCTION_ABORT | ESR_TRANSLATION_FAULT);
        return; /* or it has become executable meanwhile: again */
    }
    signals_force(thread, SIGSEGV, mapped ? SEGV_ACCERR : SEGV_MAPERR, pc,
                  ESR_INSTRUCTION_ABORT | (mapped ? ESR_PERMISSION_FAULT : translation_fault(pc)));
}

static void deliver_undefined(struct thread *thread, enum cpu_trap trap)
{
    uint32_t insn = 0;
    uint64_t pc = thread->cpu->cpu.pc;
    if (trap == TRAP_UNIMPLEMENTED) {
        guest_read(&insn, pc, sizeof insn);
        const struct a64_row *row = a64_decode(insn);
        fprintf(stderr, "dragoman: %s (%08x) at 0x%llx is not translated yet: the program gets SIGILL\n",
                row ? row->name : "instruction", insn, (unsigned long long)pc);
    }
    signals_force(thread, SIGILL, ILL_ILLOPC, pc, 0);
}

static void deliver_unaligned_pc(struct thread *thread, enum cpu_trap trap)
{
    (void)trap;
    signals_force(thread, SIGBUS, BUS_ADRALN, thread->cpu->cpu.pc, ESR_PC_ALIGNMENT);
}

/** There may be no instruction at the target at all, which comes first (Arm ARM DDI 0487, D1.3.6). Else, as Linux does. */
static void deliver_branch_target(struct thread *thread, enum cpu_trap trap)
{
    struct mapping m;
    uint64_t pc = thread->cpu->cpu.pc;
    if (pc & 3)
        deliver_unaligned_pc(thread, trap);
    else if (!memory_find(&thread->process->memory, pc, &m) || !(m.prot & PROT_EXEC) || !is_readable(pc))
        deliver_fetch(thread, trap);
    else
        signals_force(thread, SIGILL, ILL_ILLOPC, pc, 0);
}

static void deliver_breakpoint(struct thread *thread, enum cpu_trap trap)
{
    (void)trap;
    signals_force(thread, SIGTRAP, TRAP_BRKPT, thread->cpu->cpu.pc, 0);
}

void fault_trap(struct thread *thread, enum cpu_trap trap)
{
    static void (*const deliver[])(struct thread *, enum cpu_trap) = {
        [TRAP_UNDEFINED] = deliver_undefined,   [TRAP_UNIMPLEMENTED] = deliver_undefined,
        [TRAP_BREAKPOINT] = deliver_breakpoint, [TRAP_FETCH] = deliver_fetch,
        [TRAP_ALIGN_PC] = deliver_unaligned_pc, [TRAP_HALT] = deliver_undefined,
        [TRAP_FAULT] = deliver_host_fault,      [TRAP_DATA] = deliver_data,
        [TRAP_BRANCH_TARGET] = deliver_branch_target,
        [TRAP_ALIGN_DATA] = deliver_unaligned_data, [TRAP_ALIGN_SP] = deliver_unaligned_sp,
    };
    if (trap >= sizeof deliver / sizeof deliver[0] || !deliver[trap])
        return;
    if (signals_hold(thread))
        deliver[trap](thread, trap);
    signals_set_mask(thread, thread->mask);
}

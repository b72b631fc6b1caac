/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <linux/ptrace.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "machine/linux/core.h"
#include "machine/linux/fault.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

/* The stop itself. The tracer finds TRACE_MAGIC in rax and the description in rdi. */
__asm__(".text\n"
        ".hidden trace_stop_raw, trace_stop_at\n"
        ".globl trace_stop_raw, trace_stop_at\n"
        ".type trace_stop_raw, @function\n"
        "trace_stop_raw:\n" /* int trace_stop_raw(struct trace *trace, int zero, uint64_t magic) */
        "    mov %rdx, %rax\n"
        "    int3\n"
        "trace_stop_at:\n"
        "    mov %esi, %eax\n"
        "    ret\n"
        ".size trace_stop_raw, . - trace_stop_raw\n");
int trace_stop_raw(struct trace *trace, int zero, uint64_t magic);
extern const char trace_stop_at[];

static void lose_tracer(struct thread *thread)
{
    thread->trace.attached = 0;
    thread->trace.resume = TRACE_CONTINUE;
}

/* ---- hardware breakpoints and watchpoints: DBGBCR and DBGWCR of the Arm manual, as far as Linux lets a tracer set them ------------ */

static bool slot_is_on(const struct trace_slot *slot) { return slot->control & 1; }

/** Bits 12:5 say which of the eight bytes, 4:3 which accesses. */
static struct trace_range slot_range(const struct trace_slot *slot)
{
    unsigned bytes = slot->control >> 5 & 0xff, first = bytes ? (unsigned)__builtin_ctz(bytes) : 0;
    return (struct trace_range){slot->address + first, (unsigned)__builtin_popcount(bytes), slot->control >> 3 & 1,
                                slot->control >> 4 & 1};
}

static bool ranges_are_equal(const struct trace_range *a, const struct trace_range *b)
{
    return a->start == b->start && a->size == b->size && a->read == b->read && a->write == b->write;
}

static void add_range(struct trace_ranges *ranges, const struct trace_range *range)
{
    const unsigned max = sizeof ranges->list / sizeof ranges->list[0];
    for (unsigned i = 0; i < ranges->count; i++) {
        if (ranges_are_equal(&ranges->list[i], range))
            return;
    }
    if (ranges->count < max)
        ranges->list[ranges->count++] = *range;
}

/** The engine stops all threads at what any of them wants; trace_debug() sorts out whose it is. */
static void apply_slots(struct thread *thread)
{
    struct process *process = thread->process;
    struct builder_watch watches[ENGINE_WATCHPOINTS];
    _Static_assert(ENGINE_WATCHPOINTS >= sizeof process->watched.list / sizeof process->watched.list[0], "");
    lock_take(&process->lock);
    uint64_t *breaks = malloc((process->nthreads + 1) * TRACE_BREAKS * sizeof *breaks);
    size_t nbreaks = 0;
    process->watched.count = 0;
    for (const struct thread *t = process->threads; t && breaks; t = t->next) {
        for (unsigned i = 0; i < TRACE_BREAKS; i++) {
            if (slot_is_on(&t->trace.breaks[i]))
                breaks[nbreaks++] = t->trace.breaks[i].address;
        }
        for (unsigned i = 0; i < TRACE_WATCHES; i++) {
            const struct trace_range range = slot_range(&t->trace.watches[i]);
            if (slot_is_on(&t->trace.watches[i]) && range.size)
                add_range(&process->watched, &range);
        }
    }
    for (unsigned i = 0; i < process->watched.count; i++) {
        const struct trace_range *range = &process->watched.list[i];
        watches[i] = (struct builder_watch){range->start, range->size, range->read, range->write};
    }
    engine_set_breakpoints(process->engine, breaks, nbreaks);
    engine_set_watchpoints(process->engine, watches, process->watched.count);
    for (struct thread *t = process->threads; t; t = t->next)
        engine_kick(&t->cpu->cpu); /* so that they run what was translated for it */
    lock_release(&process->lock);
    free(breaks);
}

/** True if the thread itself has asked for the stop; *address: what for. */
static bool slot_matches(const struct thread *thread, uint64_t *address)
{
    const struct trace *trace = &thread->trace;
    const struct cpu *cpu = &thread->cpu->cpu;
    *address = cpu->pc;
    if (cpu->trap_info == 0) {
        for (unsigned i = 0; i < TRACE_BREAKS; i++) {
            if (slot_is_on(&trace->breaks[i]) && trace->breaks[i].address == cpu->pc)
                return true;
        }
        return false;
    }
    if (cpu->trap_info > thread->process->watched.count)
        return false;
    const struct trace_range *hit = &thread->process->watched.list[cpu->trap_info - 1];
    *address = hit->start;
    for (unsigned i = 0; i < TRACE_WATCHES; i++) {
        const struct trace_range range = slot_range(&trace->watches[i]);
        if (slot_is_on(&trace->watches[i]) && ranges_are_equal(&range, hit))
            return true;
    }
    return false;
}

enum cpu_trap trace_debug(struct thread *thread)
{
    struct process *process = thread->process;
    uint64_t address;
    if (!thread->vfork_child && thread->trace.attached && slot_matches(thread, &address)) {
        siginfo_t info = {.si_signo = SIGTRAP, .si_code = 4 /* TRAP_HWBKPT */};
        info.si_addr = (void *)address;
        signals_deliver_now(thread, &info);
        return TRAP_NONE;
    }
    /* While this instruction runs, nothing is watched: other threads notice that only if they begin to run in between. */
    struct builder_watch watches[ENGINE_WATCHPOINTS];
    unsigned count = process->watched.count;
    for (unsigned i = 0; i < count; i++) {
        const struct trace_range *range = &process->watched.list[i];
        watches[i] = (struct builder_watch){range->start, range->size, range->read, range->write};
    }
    engine_set_watchpoints(process->engine, NULL, 0);
    enum cpu_trap trap = engine_step(&thread->cpu->cpu);
    engine_set_watchpoints(process->engine, watches, count);
    return trap;
}

/** After a stop. */
static void take_slots(struct thread *thread)
{
    struct trace *trace = &thread->trace;
    const struct process *process = thread->process;
    if (!trace->attached) {
        memset(trace->breaks, 0, sizeof trace->breaks);
        memset(trace->watches, 0, sizeof trace->watches);
        trace->slots_changed |= process->watched.count != 0;
    }
    if (trace->slots_changed && !process->gdb && !thread->vfork_child) {
        trace->slots_changed = 0;
        apply_slots(thread);
    }
}

/** Comes back when the tracer lets the thread run on. */
static void stop(struct thread *thread, enum trace_stop kind)
{
    struct trace *trace = &thread->trace;
    struct process *process = thread->process;
    trace->magic = TRACE_MAGIC;
    trace->process = process;
    trace->cpu = thread->cpu;
    trace->mask = &thread->mask;
    trace->stop = kind;
    if (trace_stop_raw(trace, 0, TRACE_MAGIC) != 0)
        lose_tracer(thread);
    trace->stop = TRACE_NOT_STOPPED;
    take_slots(thread);
    lock_take(&process->lock);
    struct trace_changes changes = process->trace_changes;
    process->trace_changes = (struct trace_changes){0, 0};
    lock_release(&process->lock);
    if (changes.start < changes.end)
        engine_invalidate(process->engine, changes.start, changes.end);
}

bool trace_handle_trap(struct thread *thread, const siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    if (info->si_code > 0) {
        if (uc->uc_mcontext.gregs[REG_RIP] != (greg_t)trace_stop_at)
            return false;
        uc->uc_mcontext.gregs[REG_RSI] = 1; /* the tracer has gone */
        return true;
    }
    uint64_t value = (uint64_t)info->si_value.sival_ptr;
    if (info->si_code != SI_QUEUE || (value & TRACE_ASK_MASK) != TRACE_ASK_VALUE)
        return false;
    if (!thread)
        return true;
    if (value & TRACE_ASK_STOP)
        thread->trace.asked_signal = (int32_t)(value >> 8 & 0xff);
    __atomic_or_fetch(&thread->trace.asked, (uint32_t)value & 0xff, __ATOMIC_SEQ_CST);
    signals_wake(thread, uc);
    return true;
}

static void become_traced(struct thread *thread, bool seized)
{
    struct trace *trace = &thread->trace;
    /* What has been asked stays, and the call in the middle of which the tracer came. */
    *trace = (struct trace){.attached = 1, .seized = seized, .number = trace->restart ? trace->number : -1,
                            .asked = trace->asked, .asked_signal = trace->asked_signal, .restart = trace->restart,
                            .first_argument = trace->first_argument};
    signals_catch_all(thread);
}

static siginfo_t *describe(struct trace *trace, int signal, int code)
{
    memset(&trace->info, 0, sizeof trace->info);
    trace->info.si_signo = signal;
    trace->info.si_code = code;
    trace->info.si_pid = getpid();
    trace->info.si_uid = getuid();
    return &trace->info;
}

/** A stop that is one for a signal, which is then handled as one: as the tracer says. */
static void stop_and_take(struct thread *thread, enum trace_stop kind, int signal, int code)
{
    struct trace *trace = &thread->trace;
    describe(trace, signal, code);
    trace->signal = (uint32_t)signal;
    stop(thread, kind);
    if (trace->signal && kind != TRACE_ASKED) {
        siginfo_t info = trace->info;
        info.si_signo = (int)trace->signal;
        signals_take_over(thread, &info);
    }
}

int64_t trace_me(struct thread *thread)
{
    int64_t result = RAW_SYSCALL(SYS_ptrace, PTRACE_TRACEME);
    if (result == 0)
        become_traced(thread, false);
    return result;
}

void trace_start_traced(struct thread *thread)
{
    struct trace *trace = &thread->trace;
    become_traced(thread, false); /* the tracer knows what it is; it writes it and what else it wants */
    trace->number = 221;          /* execve: its exit is still to come */
    trace->in_call = 1;
    describe(trace, SIGTRAP, SI_USER);
    trace->signal = SIGTRAP;
    stop(thread, TRACE_EXEC);
    if (trace->attached && trace->signal && !trace->seized && !(trace->options & PTRACE_O_TRACEEXEC)) {
        siginfo_t info = trace->info;
        info.si_signo = (int)trace->signal;
        signals_take_over(thread, &info);
    }
    trace_exit(thread);
}

bool trace_follows(const struct thread *thread, uint64_t flags)
{
    if (!thread->trace.attached || (flags & CLONE_UNTRACED))
        return false;
    uint32_t option = flags & CLONE_VFORK              ? PTRACE_O_TRACEVFORK
                      : (flags & CSIGNAL) != SIGCHLD ? PTRACE_O_TRACECLONE
                                                     : PTRACE_O_TRACEFORK;
    return thread->trace.options & option;
}

void trace_start_child(struct thread *thread, const struct trace *parent, bool attached)
{
    struct trace *trace = &thread->trace;
    struct trace copy = *parent; /* perhaps *trace itself */
    *trace = (struct trace){.number = -1};
    if (!attached)
        return;
    thread->cpu->x[0] = 0;
    trace->attached = 1;
    trace->seized = copy.seized;
    trace->options = copy.options;
    trace->resume = TRACE_CONTINUE;
    trace->number = copy.number; /* natively, it is seen leaving that call */
    stop_and_take(thread, TRACE_CHILD, copy.seized ? SIGTRAP : SIGSTOP, copy.seized ? SIGTRAP | PTRACE_EVENT_STOP << 8 : SI_USER);
}

void trace_answer(struct thread *thread)
{
    struct trace *trace = &thread->trace;
    uint32_t asked = __atomic_exchange_n(&trace->asked, 0, __ATOMIC_SEQ_CST);
    if (asked & TRACE_ASK_PARK)
        core_park(thread);
    uint32_t stop_signal = __atomic_exchange_n(&trace->want_stop, 0, __ATOMIC_SEQ_CST);
    if (stop_signal) {
        asked |= TRACE_ASK_STOP;
        trace->asked_signal = (int32_t)stop_signal;
    }
    if (__atomic_exchange_n(&trace->want_interrupt, 0, __ATOMIC_SEQ_CST))
        asked |= TRACE_ASK_INTERRUPT;
    if (asked & TRACE_ASK_ATTACH) {
        bool seize = asked & TRACE_ASK_SEIZE;
        become_traced(thread, seize);
        stop_and_take(thread, TRACE_HELLO, seize ? 0 : SIGSTOP, SI_USER);
    }
    if (asked & TRACE_ASK_STOP) {
        siginfo_t info = *describe(trace, trace->asked_signal, SI_USER);
        signals_deliver_now(thread, &info);
    }
    if (asked & TRACE_ASK_INTERRUPT)
        stop_and_take(thread, TRACE_ASKED, SIGTRAP, SIGTRAP | PTRACE_EVENT_STOP << 8);
}

int trace_signal(struct thread *thread, siginfo_t *info)
{
    struct trace *trace = &thread->trace;
    if (!trace->attached)
        return info->si_signo;
    trace->info = *info;
    trace->signal = (uint32_t)info->si_signo;
    stop(thread, TRACE_SIGNAL);
    *info = trace->info;
    info->si_signo = (int)trace->signal;
    return (int)trace->signal;
}

void trace_stop_process(struct thread *thread, int signal)
{
    (void)signal;
    thread->trace.stop = TRACE_STOPPING;
    RAW_SYSCALL(SYS_tgkill, (uint64_t)getpid(), (uint64_t)RAW_SYSCALL(SYS_gettid, 0), SIGSTOP);
    thread->trace.stop = TRACE_NOT_STOPPED;
    take_slots(thread);
}

bool trace_entry(struct thread *thread)
{
    struct trace *trace = &thread->trace;
    trace->number = (int32_t)thread->cpu->x[8];
    trace->first_argument = thread->cpu->x[0];
    if (trace->resume != TRACE_SYSCALL && trace->resume != TRACE_SYSEMU)
        return true;
    bool emulated = trace->resume == TRACE_SYSEMU;
    describe(trace, SIGTRAP, SIGTRAP | (trace->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0));
    trace->in_call = 1;
    trace->message = PTRACE_EVENTMSG_SYSCALL_ENTRY;
    trace->signal = 0;
    stop(thread, TRACE_ENTRY);
    return !emulated && trace->number >= 0;
}

void trace_exit(struct thread *thread)
{
    struct trace *trace = &thread->trace;
    trace->in_call = 0;
    if (!trace->attached || trace->resume != TRACE_SYSCALL)
        return;
    describe(trace, SIGTRAP, SIGTRAP | (trace->options & PTRACE_O_TRACESYSGOOD ? 0x80 : 0));
    trace->message = PTRACE_EVENTMSG_SYSCALL_EXIT;
    trace->signal = 0;
    stop(thread, TRACE_EXIT);
}

bool trace_seccomp(struct thread *thread, uint16_t data)
{
    struct trace *trace = &thread->trace;
    if (!trace->attached || !(trace->options & PTRACE_O_TRACESECCOMP))
        return false;
    describe(trace, SIGTRAP, SIGTRAP | PTRACE_EVENT_SECCOMP << 8);
    trace->number = (int32_t)thread->cpu->x[8];
    trace->message = data;
    trace->signal = 0;
    stop(thread, TRACE_SECCOMP);
    return true;
}

void trace_step(struct thread *thread)
{
    enum cpu_trap trap = engine_step(&thread->cpu->cpu);
    if (trap == TRAP_DEBUG && !thread->gdb) {
        trap = trace_debug(thread);
        if (trap == TRAP_NONE && thread->trace.attached)
            return; /* it has stopped for that, or another step will find nothing in its way */
    }
    if (trap == TRAP_SYSCALL)
        syscall_run(thread);
    else if (trap != TRAP_NONE && trap != TRAP_INTERRUPT)
        fault_trap(thread, trap); /* its signal is the stop */
    if (trap == TRAP_INTERRUPT || (trap != TRAP_NONE && trap != TRAP_SYSCALL) || thread->exiting)
        return;
    siginfo_t info = {.si_signo = SIGTRAP, .si_code = TRAP_TRACE};
    info.si_addr = (void *)thread->cpu->cpu.pc;
    if (thread->trace.attached && thread->trace.resume == TRACE_STEP)
        signals_deliver_now(thread, &info);
}

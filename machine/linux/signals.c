/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/signals.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/core.h"
#include "machine/linux/fault.h"
#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"

#define HOST_STACK_SIZE (128u << 10)
#define SA_RESTORER_FLAG 0x04000000u

static const int synchronous[SYNCHRONOUS_SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
#define SYNCHRONOUS_MASK                                                                                                       \
    (SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP))
#define UNBLOCKABLE_MASK (SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP))

_Thread_local struct thread *current_thread;

uint64_t signals_host_mask(uint64_t guest_mask)
{
    return guest_mask & ~SYNCHRONOUS_MASK;
}

/* ---- host masks and actions, by raw calls: the C library keeps two real-time signals for itself, the guest's needs them ---- */

void signals_set_host_mask(uint64_t mask)
{
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&mask, 0, 8);
}

uint64_t signals_block_all(void)
{
    uint64_t old = 0, all = ~SYNCHRONOUS_MASK;
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&all, (uint64_t)&old, 8);
    return old;
}

static void host_handler(int signal, siginfo_t *info, void *context);

static void host_action(int signal, uint64_t handler, uint64_t flags)
{
    struct guest_sigaction action = {handler, flags | SA_RESTORER_FLAG, (uint64_t)host_sigreturn, ~SYNCHRONOUS_MASK};
    RAW_SYSCALL(SYS_rt_sigaction, (uint64_t)signal, (uint64_t)&action, 0, 8);
}

static bool is_synchronous(int signal)
{
    return SYNCHRONOUS_MASK & SIGNAL_BIT(signal);
}

/** The host's disposition for a guest action. */
static void host_action_for(const struct thread *thread, int signal)
{
    const struct process *process = thread->process;
    const struct guest_sigaction *action = &thread->actions[signal];
    if (signal == SIGKILL || signal == SIGSTOP)
        return;
    if (is_synchronous(signal) || action->handler > 1) {
        /* SA_RESTART is the guest's, so that the kernel decides about restarting as it does natively. */
        host_action(signal, (uint64_t)host_handler,
                    SA_SIGINFO | SA_ONSTACK | (action->flags & (SA_RESTART | SA_NOCLDSTOP | SA_NOCLDWAIT)));
    } else if (process->catch_all || (process->catch_cores && action->handler == 0 && core_is_due(signal))) {
        uint64_t no_children = signal == SIGCHLD && action->handler == 1 ? SA_NOCLDWAIT : 0;
        host_action(signal, (uint64_t)host_handler,
                    SA_SIGINFO | SA_ONSTACK | SA_RESTART | no_children | (action->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)));
    } else {
        host_action(signal, action->handler, action->flags & (SA_NOCLDSTOP | SA_NOCLDWAIT));
    }
}

int64_t signals_set_action(struct thread *thread, int signal, const struct guest_sigaction *new_action,
                           struct guest_sigaction *old_action)
{
    struct process *process = thread->process;
    if (signal < 1 || signal > GUEST_SIGNALS || (new_action && (signal == SIGKILL || signal == SIGSTOP)))
        return -EINVAL;
    lock_take(&process->lock);
    struct guest_sigaction *action = &thread->actions[signal];
    if (old_action)
        *old_action = *action;
    if (new_action) {
        *action = *new_action;
        action->mask &= ~UNBLOCKABLE_MASK;
        host_action_for(thread, signal);
    }
    lock_release(&process->lock);
    return 0;
}

void signals_clear_actions(struct thread *thread)
{
    lock_take(&thread->process->lock);
    for (int signal = 1; signal <= GUEST_SIGNALS; signal++) {
        struct guest_sigaction *action = &thread->actions[signal];
        bool changes = action->handler > 1 || action->flags;
        *action = (struct guest_sigaction){.handler = action->handler == 1};
        if (changes)
            host_action_for(thread, signal);
    }
    lock_release(&thread->process->lock);
}

void signals_catch_cores(struct thread *thread)
{
    struct process *process = thread->process;
    bool catch_cores = core_is_allowed();
    lock_take(&process->lock);
    if (catch_cores != process->catch_cores) {
        process->catch_cores = catch_cores;
        for (int signal = 1; signal <= GUEST_SIGNALS; signal++) {
            if (core_is_due(signal))
                host_action_for(thread, signal);
        }
    }
    lock_release(&process->lock);
}

void signals_start(struct thread *thread)
{
    for (int signal = 1; signal <= GUEST_SIGNALS; signal++) {
        struct guest_sigaction *action = &thread->actions[signal];
        RAW_SYSCALL(SYS_rt_sigaction, (uint64_t)signal, 0, (uint64_t)action, 8);
        /* Nothing but default and ignore is inherited over execve; what else is there is not the guest's. */
        *action = (struct guest_sigaction){.handler = action->handler == 1};
    }
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++)
        host_action_for(thread, synchronous[i]);
    signals_catch_cores(thread);
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, 0, (uint64_t)&thread->mask, 8);
    signals_set_host_mask(signals_host_mask(thread->mask));
}

void signals_prepare_exec(struct thread *thread, bool undo)
{
    const struct process *process = thread->process;
    for (int signal = 1; signal <= GUEST_SIGNALS; signal++) {
        if (!is_synchronous(signal) && !process->catch_all)
            continue;
        if (undo)
            host_action_for(thread, signal);
        else if (thread->actions[signal].handler == 1)
            host_action(signal, 1, 0);
    }
    signals_set_host_mask(undo ? signals_host_mask(thread->mask) : thread->mask);
}

bool signals_thread_start(struct thread *thread)
{
    void *stack = mmap(NULL, HOST_STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED)
        return false;
    thread->host_altstack = stack;
    sigaltstack(&(stack_t){.ss_sp = stack, .ss_size = HOST_STACK_SIZE}, NULL);
    thread->altstack.flags = SS_DISABLE;
    return true;
}

void signals_thread_end(struct thread *thread)
{
    sigaltstack(&(stack_t){.ss_flags = SS_DISABLE}, NULL);
    munmap(thread->host_altstack, HOST_STACK_SIZE);
}

/** As the kernel does with what waits for an ending thread: what was sent to it alone goes with it. */
static void send_again(siginfo_t *info)
{
    if (info->si_code != SI_TKILL)
        RAW_SYSCALL(SYS_rt_sigqueueinfo, (uint64_t)getpid(), (uint64_t)info->si_signo, (uint64_t)info);
}

void signals_hand_over(struct thread *thread)
{
    /* Those that are never blocked on the host would only come back here. */
    if (__atomic_load_n(&thread->queued, __ATOMIC_SEQ_CST))
        send_again(&thread->queued_info);
}

void signals_retake(struct thread *thread)
{
    const int setxid = 33;
    lock_take(&thread->process->lock);
    host_action_for(thread, setxid);
    lock_release(&thread->process->lock);
}

/* ---- the host handler: async-signal-safe ------------------------------------------------------------------------------------- */

static int synchronous_index(int signal)
{
    int i = 0;
    while (synchronous[i] != signal)
        i++;
    return i;
}

static void set_pending(struct thread *thread)
{
    __atomic_store_n(&thread->pending, 1, __ATOMIC_SEQ_CST);
}

/** A fault of this thread itself. */
static void host_fault(struct thread *thread, int signal, siginfo_t *info, ucontext_t *uc)
{
    if (guest_access_fixup(uc))
        return;
    uint64_t address = (uint64_t)info->si_addr;
    uint64_t code = (uint64_t)uc->uc_mcontext.gregs[REG_ERR];
    if (thread && thread->cpu) {
        enum engine_fault_result result = engine_fault(&thread->cpu->cpu, signal, address, uc);
        if (result == ENGINE_FAULT_FIXED)
            return;
        if (result == ENGINE_FAULT_RECOVERED) {
            thread->fault_info = *info;
            thread->fault_code = code;
            return;
        }
    }
    fault_internal(signal, address, uc);
}

void signals_wake(struct thread *thread, ucontext_t *uc)
{
    set_pending(thread);
    host_syscall_interrupt(thread, uc);
    if (thread->cpu)
        engine_kick(&thread->cpu->cpu);
}

static void host_handler(int signal, siginfo_t *info, void *context)
{
    struct thread *thread = current_thread;
    ucontext_t *uc = context;
    if (signal == SIGTRAP && trace_handle_trap(thread, info, context))
        return;
    if (thread && thread->gdb && gdb_is_kick(thread, signal, info)) {
        signals_wake(thread, uc);
        return;
    }
    if (is_synchronous(signal) && info->si_code > 0) {
        host_fault(thread, signal, info, uc);
        return;
    }
    if (!thread) {
        /* Not a guest's thread: pass it on to one that has it unblocked. */
        uint64_t mask;
        memcpy(&mask, &uc->uc_sigmask, sizeof mask);
        mask |= ~SYNCHRONOUS_MASK;
        memcpy(&uc->uc_sigmask, &mask, sizeof mask);
        RAW_SYSCALL(SYS_rt_sigqueueinfo, (uint64_t)getpid(), (uint64_t)signal, (uint64_t)info, 0);
        return;
    }
    if (is_synchronous(signal)) {
        int i = synchronous_index(signal);
        thread->sync_info[i] = *info;
        __atomic_or_fetch(&thread->sync_queued, 1u << i, __ATOMIC_SEQ_CST);
    } else {
        thread->queued_info = *info;
        __atomic_store_n(&thread->queued, true, __ATOMIC_SEQ_CST);
        uint64_t all = ~SYNCHRONOUS_MASK;
        memcpy(&uc->uc_sigmask, &all, sizeof all);
    }
    signals_wake(thread, uc);
}

/* ---- delivery ------------------------------------------------------------------------------------------------------------------ */

/** Signals whose default action is to do nothing, stop or continue: the kernel has done that already. */
static bool default_is_harmless(int signal)
{
    return signal == SIGCHLD || signal == SIGURG || signal == SIGWINCH || signal == SIGCONT;
}

static bool default_is_stop(int signal)
{
    return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/** Starts the guest's handler for `info`, or does what else its action is. */
static void deliver_taken(struct thread *thread, const siginfo_t *info, bool forced, uint64_t address, uint64_t esr)
{
    struct process *process = thread->process;
    int signal = info->si_signo;
    lock_take(&process->lock);
    struct guest_sigaction action = thread->actions[signal];
    if (action.handler > 1 && (action.flags & SA_RESETHAND)) {
        thread->actions[signal].handler = 0;
        host_action_for(thread, signal);
    }
    lock_release(&process->lock);

    if (forced && (action.handler == 1 || (thread->mask & SIGNAL_BIT(signal))))
        action.handler = 0;
    if (action.handler == 1 || (action.handler == 0 && default_is_harmless(signal)))
        return;
    if (action.handler == 0 && default_is_stop(signal)) {
        trace_stop_process(thread, signal);
        return;
    }
    if (action.handler == 0)
        fault_terminate(thread, info, forced, address);

    uint64_t frame_mask = thread->restore_mask ? thread->saved_mask : thread->mask;
    thread->restore_mask = false;
    if (!signal_frame_push(thread, info, &action, frame_mask, address, esr)) {
        siginfo_t segv = {.si_signo = SIGSEGV, .si_code = SI_KERNEL};
        if (signal == SIGSEGV)
            fault_terminate(thread, info, forced, address);
        deliver_taken(thread, &segv, true, thread->cpu->sp, 0);
        return;
    }
    thread->trace.restart = 0;
    thread->mask |= action.mask;
    if (!(action.flags & SA_NODEFER))
        thread->mask |= SIGNAL_BIT(signal);
    thread->mask &= ~UNBLOCKABLE_MASK;
    if (thread->gdb)
        gdb_handler_begun(thread);
}

static void deliver_one(struct thread *thread, const siginfo_t *info, bool forced, uint64_t address, uint64_t esr)
{
    siginfo_t taken = *info;
    if (thread->gdb && !gdb_signal(thread, &taken))
        return;
    if (!thread->trace.attached || trace_signal(thread, &taken))
        deliver_taken(thread, &taken, forced && taken.si_signo == info->si_signo, address, esr);
}

void signals_deliver_now(struct thread *thread, const siginfo_t *info)
{
    deliver_one(thread, info, false, 0, 0);
}

void signals_take_over(struct thread *thread, const siginfo_t *info)
{
    deliver_taken(thread, info, false, 0, 0);
}

static void catch_signals(struct thread *thread, bool all)
{
    struct process *process = thread->process;
    lock_take(&process->lock);
    process->catch_all = all;
    for (int signal = 1; signal <= GUEST_SIGNALS; signal++)
        host_action_for(thread, signal);
    lock_release(&process->lock);
}

void signals_catch_all(struct thread *thread) { catch_signals(thread, true); }

void signals_catch_handled(struct thread *thread) { catch_signals(thread, false); }

void signals_restart(struct thread *thread)
{
    if (!thread->trace.restart)
        return;
    thread->trace.restart = 0;
    thread->cpu->cpu.pc -= 4;
    thread->cpu->x[0] = thread->trace.first_argument;
}

void signals_deliver(struct thread *thread)
{
    while (__atomic_exchange_n(&thread->pending, 0, __ATOMIC_SEQ_CST)) {
        if (thread->trace.asked)
            trace_answer(thread);
        for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
            if (!(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) ||
                (thread->mask & SIGNAL_BIT(synchronous[i])))
                continue;
            siginfo_t info = thread->sync_info[i];
            __atomic_and_fetch(&thread->sync_queued, ~(1u << i), __ATOMIC_SEQ_CST);
            deliver_one(thread, &info, false, 0, 0);
        }
        if (__atomic_exchange_n(&thread->queued, false, __ATOMIC_SEQ_CST)) {
            siginfo_t info = thread->queued_info;
            deliver_one(thread, &info, false, 0, 0);
        }
        signals_end_wait(thread);
        /* From here on the next one may come. */
        signals_set_host_mask(signals_host_mask(thread->mask));
    }
    signals_end_wait(thread);
    signals_restart(thread);
}

void signals_force_info(struct thread *thread, const siginfo_t *info, uint64_t address, uint64_t esr)
{
    deliver_one(thread, info, true, address, esr);
    signals_set_mask(thread, thread->mask);
}

void signals_force(struct thread *thread, int signal, int code, uint64_t address, uint64_t esr)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = code;
    info.si_addr = (void *)address;
    signals_force_info(thread, &info, address, esr);
}

int64_t signals_set_mask(struct thread *thread, uint64_t mask)
{
    mask &= ~UNBLOCKABLE_MASK;
    uint64_t host = signals_host_mask(mask);
    int64_t result = HOST_SYSCALL(thread, SYS_rt_sigprocmask, SIG_SETMASK, (uint64_t)&host, 0, 8);
    if (result < 0)
        return result;
    thread->mask = mask;
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        if ((__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) && !(mask & SIGNAL_BIT(synchronous[i])))
            set_pending(thread);
    }
    return 0;
}

uint64_t signals_pending_here(const struct thread *thread)
{
    uint32_t queued = __atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST);
    uint64_t set = 0;
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++)
        set |= queued >> i & 1 ? SIGNAL_BIT(synchronous[i]) : 0;
    return set;
}

int signals_take(struct thread *thread, uint64_t set, siginfo_t *info)
{
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        if ((__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) && (set & SIGNAL_BIT(synchronous[i]))) {
            *info = thread->sync_info[i];
            __atomic_and_fetch(&thread->sync_queued, ~(1u << i), __ATOMIC_SEQ_CST);
            return synchronous[i];
        }
    }
    return 0;
}

int64_t signals_begin_wait(struct thread *thread, uint64_t mask)
{
    thread->saved_mask = thread->mask;
    thread->mask = mask & ~UNBLOCKABLE_MASK;
    thread->restore_mask = true;
    if (!(signals_pending_here(thread) & ~thread->mask))
        return 0;
    set_pending(thread);
    return -EINTR;
}

void signals_end_wait(struct thread *thread)
{
    if (!thread->restore_mask)
        return;
    thread->mask = thread->saved_mask; /* the host's mask was put back by the call itself */
    thread->restore_mask = false;
}

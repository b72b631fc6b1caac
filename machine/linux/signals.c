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
#include "machine/linux/keep_files.h"

#define HOST_STACK_SIZE (128u << 10)
#define SA_RESTORER_FLAG 0x04000000u
/* Those that Linux 5.11 and later keep: a program asks for others, such as SA_UNSUPPORTED, to see whether there are any. */
#define SA_KNOWN_FLAGS                                                                                                         \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_ONSTACK | SA_RESTART | SA_NODEFER | SA_RESETHAND | SA_EXPOSE_TAGBITS_FLAG | \
     SA_RESTORER_FLAG)

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

static int synchronous_index(int signal)
{
    int i = 0;
    while (synchronous[i] != signal)
        i++;
    return i;
}

static uint64_t set_of_bits(uint32_t queued)
{
    uint64_t set = 0;
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++)
        set |= queued >> i & 1 ? SIGNAL_BIT(synchronous[i]) : 0;
    return set;
}

/** One of the synchronous kind, with the lock of the process taken. */
static void drop_pending(struct thread *thread, int signal)
{
    uint32_t bit = 1u << synchronous_index(signal);
    __atomic_and_fetch(&thread->sync_queued, ~bit, __ATOMIC_SEQ_CST);
    __atomic_and_fetch(&thread->process->sync_shared, ~bit, __ATOMIC_SEQ_CST);
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
        action->flags &= SA_KNOWN_FLAGS;
        if (is_synchronous(signal) && action->handler == 1) /* what is pending is dropped */
            drop_pending(thread, signal);
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

static void adopt_shared(struct thread *thread, uint64_t set);

/** Has the host keep those of `set` that are pending here; they are blocked there now. */
static void give_back(struct thread *thread, uint64_t set)
{
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        uint32_t bit = 1u << i;
        if (!(set & SIGNAL_BIT(synchronous[i])) || !(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & bit))
            continue;
        siginfo_t info = thread->sync_info[i];
        __atomic_and_fetch(&thread->sync_queued, ~bit, __ATOMIC_SEQ_CST);
        RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)thread->tid, (uint64_t)synchronous[i], (uint64_t)&info);
    }
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
    if (undo)
        return;
    adopt_shared(thread, thread->mask); /* what is pending stays so */
    give_back(thread, thread->mask);
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
    if (signal == SIGBUS && thread && keep_files_fault(thread->process->memory.keep, address))
        return;
    fault_internal(signal, address, uc);
}

void signals_wake(struct thread *thread, ucontext_t *uc)
{
    set_pending(thread);
    host_syscall_interrupt(thread, uc);
    if (thread->cpu)
        engine_kick(&thread->cpu->cpu);
}

/* Instead of SI_USER, which the kernel lets nobody send another thread. */
#define FORWARDED_CODE (-0x4000)

void signals_restore_code(siginfo_t *info)
{
    if (is_synchronous(info->si_signo) && info->si_code == FORWARDED_CODE)
        info->si_code = SI_USER;
}

/** One of the synchronous kind that was sent. False if there is nothing to be done about it now: it is blocked, or ignored. */
static bool take_sent(struct thread *thread, int signal, const siginfo_t *info)
{
    bool watched = thread->gdb || thread->trace.attached, blocked = thread->mask & SIGNAL_BIT(signal);
    if (blocked || (thread->actions[signal].handler == 1 && !watched))
        thread->sync_unseen = true;
    if (!blocked && thread->actions[signal].handler == 1 && !watched)
        return false;
    int i = synchronous_index(signal);
    if (!(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i)) { /* the second one merges with the first */
        thread->sync_info[i] = *info;
        signals_restore_code(&thread->sync_info[i]);
        __atomic_or_fetch(&thread->sync_queued, 1u << i, __ATOMIC_SEQ_CST);
    }
    return !blocked || info->si_code != SI_TKILL; /* sent to the process, it may be for another thread */
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
        if (!take_sent(thread, signal, info)) {
            host_syscall_interrupt(thread, uc);
            return;
        }
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
    bool abort = esr >> 26 == ESR_CLASS_DATA_ABORT || esr >> 26 == ESR_CLASS_INSTRUCTION_ABORT; /* others have no fault_address */
    if (!signal_frame_push(thread, info, &action, frame_mask, abort ? address : 0, esr)) {
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

bool signals_went_unseen(struct thread *thread)
{
    bool unseen = thread->sync_unseen;
    thread->sync_unseen = false;
    uint64_t here = set_of_bits(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST)) & ~thread->mask;
    if (!unseen || here || __atomic_load_n(&thread->queued, __ATOMIC_SEQ_CST) || thread->trace.asked || thread->gdb)
        return false;
    signals_end_wait(thread);
    return true;
}

void signals_restart(struct thread *thread)
{
    if (!thread->trace.restart)
        return;
    thread->trace.restart = 0;
    thread->cpu->cpu.pc -= 4;
    thread->cpu->x[0] = thread->trace.first_argument;
}

/* ---- those of the synchronous kind that were sent while they are blocked ------------------------------------------------------- */

/** True when another thread waits for the signal or lets it through, and has been given it. With the lock taken. */
static bool give_to_another(struct thread *thread, const siginfo_t *info)
{
    uint64_t bit = SIGNAL_BIT(info->si_signo);
    siginfo_t sent = *info;
    if (sent.si_code == SI_USER)
        sent.si_code = FORWARDED_CODE;
    for (const struct thread *other = thread->process->threads; other; other = other->next) {
        uint64_t takes = __atomic_load_n(&other->sync_wanted, __ATOMIC_SEQ_CST) | ~__atomic_load_n(&other->mask, __ATOMIC_SEQ_CST);
        if (other != thread && takes & bit &&
            RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)other->tid, (uint64_t)info->si_signo,
                        (uint64_t)&sent) == 0)
            return true;
    }
    return false;
}

/** What was sent to the process and is blocked here is for whoever takes it first. */
static void share_blocked(struct thread *thread)
{
    struct process *process = thread->process;
    if (!__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) || thread->vfork_child)
        return;
    lock_take(&process->lock);
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        siginfo_t info = thread->sync_info[i];
        if (!(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) || info.si_code == SI_TKILL ||
            !(thread->mask & SIGNAL_BIT(synchronous[i])))
            continue;
        __atomic_and_fetch(&thread->sync_queued, ~(1u << i), __ATOMIC_SEQ_CST);
        if (!(process->sync_shared & 1u << i))
            process->shared_info[i] = info;
        /* Before the others are looked at: one that begins to wait now finds it. */
        __atomic_or_fetch(&process->sync_shared, 1u << i, __ATOMIC_SEQ_CST);
        if (give_to_another(thread, &info))
            __atomic_and_fetch(&process->sync_shared, ~(1u << i), __ATOMIC_SEQ_CST);
    }
    lock_release(&process->lock);
}

/** Takes from those of the process what is in `set`. */
static void adopt_shared(struct thread *thread, uint64_t set)
{
    struct process *process = thread->process;
    if (__builtin_expect(!__atomic_load_n(&process->sync_shared, __ATOMIC_SEQ_CST), 1) || thread->vfork_child)
        return;
    lock_take(&process->lock);
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        uint32_t bit = 1u << i;
        if (!(process->sync_shared & bit) || !(set & SIGNAL_BIT(synchronous[i])) ||
            (__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & bit))
            continue;
        thread->sync_info[i] = process->shared_info[i];
        __atomic_and_fetch(&process->sync_shared, ~bit, __ATOMIC_SEQ_CST);
        __atomic_or_fetch(&thread->sync_queued, bit, __ATOMIC_SEQ_CST);
    }
    lock_release(&process->lock);
}

uint64_t signals_pending_here(const struct thread *thread)
{
    return set_of_bits(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) |
                       __atomic_load_n(&thread->process->sync_shared, __ATOMIC_SEQ_CST));
}

int signals_take(struct thread *thread, uint64_t set, siginfo_t *info)
{
    __atomic_store_n(&thread->sync_wanted, set, __ATOMIC_SEQ_CST);
    adopt_shared(thread, set);
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        if ((__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) && (set & SIGNAL_BIT(synchronous[i]))) {
            *info = thread->sync_info[i];
            __atomic_and_fetch(&thread->sync_queued, ~(1u << i), __ATOMIC_SEQ_CST);
            return synchronous[i];
        }
    }
    return 0;
}

/** Calls that a signalfd answers; with a mask of their own they would be interrupted. */
static bool looks_at_signals(long number, const uint64_t a[6])
{
    return number == SYS_read || number == SYS_readv || (number == SYS_ppoll && !a[3]) || (number == SYS_pselect6 && !a[5]) ||
           (number == SYS_epoll_pwait && !a[4]) || (number == SYS_epoll_pwait2 && !a[4]) || number == SYS_epoll_wait ||
           number == SYS_poll;
}

int64_t signals_call_with_pending(struct thread *thread, long number, const uint64_t arguments[6])
{
    if (!looks_at_signals(number, arguments))
        return host_syscall_raw(&thread->pending, number, arguments);
    adopt_shared(thread, thread->mask);
    uint64_t set = set_of_bits(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST)) & thread->mask;
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, (uint64_t)&set, 0, 8);
    give_back(thread, set);
    int64_t result = host_syscall_raw(&thread->pending, number, arguments);
    RAW_SYSCALL(SYS_rt_sigprocmask, SIG_UNBLOCK, (uint64_t)&set, 0, 8); /* what is still there comes back */
    return result;
}

/* ---- … and all ------------------------------------------------------------------------------------------------------------------- */

/** True when the handler of `signal` would run with the queued signal blocked: then that one goes first, if it may. */
static bool queued_goes_first(const struct thread *thread, int signal)
{
    return __atomic_load_n(&thread->queued, __ATOMIC_SEQ_CST) &&
           thread->actions[signal].mask & SIGNAL_BIT(thread->queued_info.si_signo);
}

static void deliver_queued(struct thread *thread)
{
    if (!__atomic_exchange_n(&thread->queued, false, __ATOMIC_SEQ_CST))
        return;
    siginfo_t info = thread->queued_info;
    if (thread->mask & SIGNAL_BIT(info.si_signo)) /* by a handler that has been started since it came */
        RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)thread->tid, (uint64_t)info.si_signo, (uint64_t)&info);
    else
        deliver_one(thread, &info, false, 0, 0);
}

void signals_deliver(struct thread *thread)
{
    while (__atomic_exchange_n(&thread->pending, 0, __ATOMIC_SEQ_CST)) {
        if (thread->trace.asked)
            trace_answer(thread);
        share_blocked(thread);
        for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
            if (!(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) ||
                (thread->mask & SIGNAL_BIT(synchronous[i])))
                continue;
            if (queued_goes_first(thread, synchronous[i])) {
                deliver_queued(thread);
                i = -1; /* from the first, by the mask of now */
                continue;
            }
            siginfo_t info = thread->sync_info[i];
            __atomic_and_fetch(&thread->sync_queued, ~(1u << i), __ATOMIC_SEQ_CST);
            deliver_one(thread, &info, false, 0, 0);
        }
        deliver_queued(thread);
        signals_end_wait(thread);
        /* From here on the next one may come. */
        signals_set_host_mask(signals_host_mask(thread->mask));
    }
    signals_end_wait(thread);
    signals_restart(thread);
}

bool signals_hold(struct thread *thread)
{
    signals_block_all();
    return !__atomic_load_n(&thread->queued, __ATOMIC_SEQ_CST);
}

void signals_force_info(struct thread *thread, const siginfo_t *info, uint64_t address, uint64_t esr)
{
    signals_block_all(); /* what comes now sees the mask of the handler */
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
    __atomic_store_n(&thread->mask, mask, __ATOMIC_SEQ_CST);
    adopt_shared(thread, ~mask);
    for (int i = 0; i < SYNCHRONOUS_SIGNALS; i++) {
        if ((__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST) & 1u << i) && !(mask & SIGNAL_BIT(synchronous[i])))
            set_pending(thread);
    }
    return 0;
}

int64_t signals_begin_wait(struct thread *thread, uint64_t mask)
{
    thread->saved_mask = thread->mask;
    thread->mask = mask & ~UNBLOCKABLE_MASK;
    thread->restore_mask = true;
    adopt_shared(thread, ~thread->mask);
    if (!(set_of_bits(__atomic_load_n(&thread->sync_queued, __ATOMIC_SEQ_CST)) & ~thread->mask))
        return 0;
    set_pending(thread);
    return -EINTR;
}

bool signals_came_by_wait(const struct thread *thread)
{
    return thread->restore_mask && __atomic_load_n(&thread->queued, __ATOMIC_SEQ_CST) &&
           thread->saved_mask & ~thread->mask & SIGNAL_BIT(thread->queued_info.si_signo);
}

void signals_end_wait(struct thread *thread)
{
    if (!thread->restore_mask)
        return;
    thread->mask = thread->saved_mask; /* the host's mask was put back by the call itself */
    thread->restore_mask = false;
}

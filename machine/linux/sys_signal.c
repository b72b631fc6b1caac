/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signal calls that concern handlers, masks and stacks; sending and waiting are the host's own. */
#include <errno.h>
#include <signal.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

int64_t sys_rt_sigaction(struct thread *thread, const uint64_t a[6])
{
    struct guest_sigaction new_action, old_action;
    if (a[3] != 8)
        return -EINVAL;
    if (a[1] && !guest_read(&new_action, a[1], sizeof new_action))
        return -EFAULT;
    int64_t result = signals_set_action(thread, (int)a[0], a[1] ? &new_action : NULL, &old_action);
    if (result == 0 && a[2] && !guest_write(a[2], &old_action, sizeof old_action))
        return -EFAULT;
    return result;
}

int64_t sys_rt_sigprocmask(struct thread *thread, const uint64_t a[6])
{
    uint64_t set, old = thread->mask;
    if (a[3] != 8)
        return -EINVAL;
    if (a[1]) {
        if (!guest_read(&set, a[1], sizeof set))
            return -EFAULT;
        switch ((int)a[0]) {
        case SIG_BLOCK:
            set = old | set;
            break;
        case SIG_UNBLOCK:
            set = old & ~set;
            break;
        case SIG_SETMASK:
            break;
        default:
            return -EINVAL;
        }
        int64_t result = signals_set_mask(thread, set);
        if (result < 0)
            return result;
    }
    return a[2] && !guest_write(a[2], &old, sizeof old) ? -EFAULT : 0;
}

int64_t sys_rt_sigreturn(struct thread *thread, const uint64_t a[6])
{
    (void)a;
    int64_t result = signal_frame_pop(thread);
    if (result == -RESULT_RESTART)
        return result;
    if (result < 0)
        signals_force(thread, SIGSEGV, SEGV_MAPERR, thread->cpu->sp, 0);
    return -RESULT_NONE;
}

int64_t sys_rt_sigsuspend(struct thread *thread, const uint64_t a[6])
{
    uint64_t mask;
    if (a[1] != 8)
        return -EINVAL;
    if (!guest_read(&mask, a[0], sizeof mask))
        return -EFAULT;
    uint64_t host = signals_host_mask(mask);
    int64_t result = signals_begin_wait(thread, mask);
    if (result == 0)
        result = HOST_SYSCALL(thread, SYS_rt_sigsuspend, (uint64_t)&host, 8);
    if (result != -EINTR)
        signals_end_wait(thread);
    return result;
}

int64_t sys_rt_sigpending(struct thread *thread, const uint64_t a[6])
{
    uint64_t set;
    if (a[1] > sizeof set)
        return -EINVAL;
    int64_t result = HOST_SYSCALL(thread, SYS_rt_sigpending, (uint64_t)&set, sizeof set);
    if (result < 0)
        return result;
    set |= signals_pending_here(thread) & thread->mask;
    return guest_write(a[0], &set, a[1]) ? 0 : -EFAULT;
}

int64_t sys_rt_sigtimedwait(struct thread *thread, const uint64_t a[6])
{
    uint64_t set;
    siginfo_t info;
    if (a[3] != 8)
        return -EINVAL;
    if (!guest_read(&set, a[0], sizeof set))
        return -EFAULT;
    int signal = signals_take(thread, set, &info);
    int64_t result = signal ? 0 : HOST_SYSCALL(thread, SYS_rt_sigtimedwait, a[0], a[1], a[2], 8);
    __atomic_store_n(&thread->sync_wanted, 0, __ATOMIC_SEQ_CST);
    if (!signal) {
        if (result > 0 && a[1] && guest_read(&info, a[1], sizeof info)) {
            signals_restore_code(&info);
            guest_write(a[1], &info, sizeof info);
        }
        return result;
    }
    return a[1] && !guest_write(a[1], &info, sizeof info) ? -EFAULT : signal;
}

int64_t sys_sigaltstack(struct thread *thread, const uint64_t a[6])
{
    struct guest_stack new_stack, old_stack;
    signal_stack_get(thread, &old_stack);
    if (a[0]) {
        if (!guest_read(&new_stack, a[0], sizeof new_stack))
            return -EFAULT;
        int64_t result = signal_stack_set(thread, &new_stack);
        if (result < 0)
            return result;
    }
    return a[1] && !guest_write(a[1], &old_stack, sizeof old_stack) ? -EFAULT : 0;
}

int64_t sys_restart_syscall(struct thread *thread, const uint64_t a[6])
{
    (void)thread;
    (void)a;
    return -EINTR; /* nothing here asks to be restarted through it */
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/thread.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/fault.h"
#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/signals.h"
#include "machine/linux/stack.h"
#include "machine/linux/syscall.h"

void thread_copy_registers(struct a64_cpu *to, const struct a64_cpu *from)
{
    const size_t start = offsetof(struct a64_cpu, x);
    memcpy((char *)to + start, (const char *)from + start, sizeof *to - start);
    to->cpu.pc = from->cpu.pc;
    to->cpu.mxcsr = from->cpu.mxcsr;
    to->cpu.branch_kind = from->cpu.branch_kind; /* of a vfork child that died of it, too: see clone.c */
    to->excl_address = A64_EXCL_NONE;
}

void thread_reset_keys(struct thread *thread, uint32_t which)
{
    uint64_t keys[A64_PAC_KEY_COUNT][2];
    stack_random(thread->process->options, thread->cpu->pac_keys[0][0] + 1, &keys[0][0], A64_PAC_KEY_COUNT * 2);
    a64_cpu_set_keys(thread->cpu, (const uint64_t(*)[2])keys, which);
}

struct thread *thread_new(struct process *process)
{
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->process = process;
    thread->actions = process->actions;
    thread->cpu = (struct a64_cpu *)engine_cpu_new(process->engine);
    if (!thread->cpu) {
        free(thread);
        return NULL;
    }
    if (process->gdb && !gdb_thread_new(thread)) {
        engine_cpu_free(&thread->cpu->cpu);
        free(thread);
        return NULL;
    }
    a64_cpu_reset(thread->cpu, process->options->cpu.features);
    thread->cpu->midr_el1 = process->options->cpu.midr;
    return thread;
}

void thread_free(struct thread *thread)
{
    if (thread->actions != thread->process->actions)
        free(thread->actions);
    seccomp_release(thread);
    engine_cpu_free(&thread->cpu->cpu);
    gdb_thread_free(thread);
    free(thread);
}

void thread_register(struct thread *thread)
{
    struct process *process = thread->process;
    if (thread->gdb)
        thread->gdb->tid = thread->tid;
    lock_take(&process->lock);
    thread->next = process->threads;
    process->threads = thread;
    process->nthreads++;
    lock_release(&process->lock);
}

/** False if it is the last one, which stays. */
static bool thread_unregister(struct thread *thread)
{
    struct process *process = thread->process;
    lock_take(&process->lock);
    bool last = process->nthreads == 1;
    if (!last) {
        struct thread **link = &process->threads;
        while (*link != thread)
            link = &(*link)->next;
        *link = thread->next;
        process->nthreads--;
    }
    lock_release(&process->lock);
    return !last;
}

struct thread *thread_first(struct process *process)
{
    struct thread *thread = thread_new(process);
    if (!thread || !signals_thread_start(thread))
        return NULL;
    thread->tid = getpid();
    thread->leader = true;
    thread_reset_keys(thread, (1u << A64_PAC_KEY_COUNT) - 1);
    thread_register(thread);
    current_thread = thread;
    return thread;
}

/* ---- the end of a thread ------------------------------------------------------------------------------------------------------- */

/** Releases one lock of a robust list as the kernel does: sets FUTEX_OWNER_DIED and wakes a waiter. */
static void robust_release(uint64_t address, pid_t tid)
{
    uint32_t value, seen;
    if (!guest_read(&value, address, sizeof value))
        return;
    while ((value & FUTEX_TID_MASK) == (uint32_t)tid) {
        if (!guest_cas32(address, value, (value & FUTEX_WAITERS) | FUTEX_OWNER_DIED, &seen))
            return;
        if (seen == value) {
            if (value & FUTEX_WAITERS)
                RAW_SYSCALL(SYS_futex, address, FUTEX_WAKE, 1);
            return;
        }
        value = seen;
    }
}

/**
 * The list must be walked before the thread's memory is given back to the guest through clear_child_tid, and the host
 * thread outlives that: so the kernel's walk at its end would come too late.
 */
static void robust_exit(struct thread *thread)
{
    struct {
        uint64_t next, offset, pending;
    } head;
    if (!thread->robust_list || !guest_read(&head, thread->robust_list, sizeof head))
        return;
    uint64_t entry = head.next;
    for (int i = 0; i < 2048 && (entry & ~UINT64_C(1)) != thread->robust_list; i++) {
        uint64_t node = entry & ~UINT64_C(1), next;
        if (!guest_read(&next, node, sizeof next))
            break;
        if (node != (head.pending & ~UINT64_C(1)))
            robust_release(node + head.offset, thread->tid);
        entry = next;
    }
    if (head.pending)
        robust_release((head.pending & ~UINT64_C(1)) + head.offset, thread->tid);
    thread->robust_list = 0;
}

void thread_clear_tid(struct thread *thread)
{
    const pid_t none = 0;
    if (!thread->clear_child_tid)
        return;
    guest_write(thread->clear_child_tid, &none, sizeof none);
    RAW_SYSCALL(SYS_futex, thread->clear_child_tid, FUTEX_WAKE, INT_MAX);
}

static void thread_end(struct thread *thread)
{
    if (thread->gdb)
        gdb_thread_end(thread);
    if (thread->vfork_child || !thread_unregister(thread))
        process_exit(thread, thread->exit_status);
    bool leader = thread->leader;
    int status = thread->exit_status;
    signals_block_all();
    signals_hand_over(thread);
    current_thread = NULL;
    signals_thread_end(thread);
    robust_exit(thread);
    /* The kernel must not look at the guest's list any more. */
    RAW_SYSCALL(SYS_set_robust_list, (uint64_t)&(uint64_t[3]){0}, 24);
    thread_clear_tid(thread);
    thread_free(thread);
    /* The first thread may end before the others: the process stays, and so does this host stack. */
    if (leader)
        RAW_SYSCALL(SYS_exit, (uint64_t)status);
}

/* ---- the loop -------------------------------------------------------------------------------------------------------------------- */

void thread_loop(struct thread *thread)
{
    while (!thread->exiting) {
        if (thread->trace.attached && thread->trace.resume == TRACE_STEP) {
            trace_step(thread);
            if (__atomic_load_n(&thread->pending, __ATOMIC_RELAXED) && !thread->exiting)
                signals_deliver(thread);
            continue;
        }
        enum cpu_trap trap = thread->gdb ? gdb_run(thread) : engine_run(&thread->cpu->cpu);
        a64_cpu_clear_monitor(thread->cpu);
        if (trap == TRAP_DEBUG && !thread->gdb)
            trap = trace_debug(thread);
        if (trap == TRAP_SYSCALL && thread->gdb)
            gdb_syscall(thread);
        else if (trap == TRAP_SYSCALL)
            syscall_run(thread);
        else if (trap != TRAP_INTERRUPT && trap != TRAP_NONE)
            fault_trap(thread, trap);
        if (__atomic_load_n(&thread->pending, __ATOMIC_RELAXED) && !thread->exiting)
            signals_deliver(thread);
    }
    thread_end(thread);
}

/* ---- the calls ----------------------------------------------------------------------------------------------------------------------- */

int64_t sys_exit(struct thread *thread, const uint64_t a[6])
{
    thread->exiting = true;
    thread->exit_status = (int)(a[0] & 0xff);
    return -RESULT_NONE;
}

int64_t sys_exit_group(struct thread *thread, const uint64_t a[6])
{
    process_exit(thread, (int)(a[0] & 0xff));
}

int64_t sys_set_tid_address(struct thread *thread, const uint64_t a[6])
{
    thread->clear_child_tid = a[0];
    return thread->tid;
}

int64_t sys_set_robust_list(struct thread *thread, const uint64_t a[6])
{
    if (a[1] != 24)
        return -EINVAL;
    thread->robust_list = a[0];
    /* The kernel walks it when the process is killed. */
    return HOST_SYSCALL(thread, SYS_set_robust_list, a[0], a[1]);
}

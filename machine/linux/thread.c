/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/thread.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <sched.h>
#include <semaphore.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/fault.h"
#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/signals.h"
#include "machine/linux/stack.h"
#include "machine/linux/syscall.h"

#define HOST_THREAD_STACK (1u << 20)
#define VFORK_STACK (512u << 10)

static void put_tid(uint64_t address, pid_t tid)
{
    guest_write(address, &tid, sizeof tid);
}

/** The registers, without what belongs to the engine. */
static void copy_registers(struct a64_cpu *to, const struct a64_cpu *from)
{
    const size_t start = offsetof(struct a64_cpu, x);
    memcpy((char *)to + start, (const char *)from + start, sizeof *to - start);
    to->cpu.pc = from->cpu.pc;
    to->cpu.mxcsr = from->cpu.mxcsr;
    to->cpu.branch_kind = from->cpu.branch_kind; /* of a vfork child that died of it, too: see clone_vfork() */
    to->excl_address = A64_EXCL_NONE;
}

void thread_reset_keys(struct thread *thread, uint32_t which)
{
    uint64_t keys[A64_PAC_KEY_COUNT][2];
    stack_random(thread->process->options, thread->cpu->pac_keys[0][0] + 1, &keys[0][0], A64_PAC_KEY_COUNT * 2);
    a64_cpu_set_keys(thread->cpu, (const uint64_t(*)[2])keys, which);
}

static struct thread *thread_new(struct process *process)
{
    struct thread *thread = calloc(1, sizeof *thread);
    if (!thread)
        return NULL;
    thread->process = process;
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

static void thread_free(struct thread *thread)
{
    seccomp_release(thread);
    engine_cpu_free(&thread->cpu->cpu);
    gdb_thread_free(thread);
    free(thread);
}

static void thread_register(struct thread *thread)
{
    struct process *process = thread->process;
    if (thread->gdb)
        thread->gdb->tid = thread->tid;
    pthread_mutex_lock(&process->lock);
    thread->next = process->threads;
    process->threads = thread;
    process->nthreads++;
    pthread_mutex_unlock(&process->lock);
}

/** False if it is the last one, which stays. */
static bool thread_unregister(struct thread *thread)
{
    struct process *process = thread->process;
    pthread_mutex_lock(&process->lock);
    bool last = process->nthreads == 1;
    if (!last) {
        struct thread **link = &process->threads;
        while (*link != thread)
            link = &(*link)->next;
        *link = thread->next;
        process->nthreads--;
    }
    pthread_mutex_unlock(&process->lock);
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

static void clear_tid(struct thread *thread)
{
    if (!thread->clear_child_tid)
        return;
    put_tid(thread->clear_child_tid, 0);
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
    current_thread = NULL;
    signals_thread_end(thread);
    robust_exit(thread);
    /* The kernel must not look at the guest's list any more. */
    RAW_SYSCALL(SYS_set_robust_list, (uint64_t)&(uint64_t[3]){0}, 24);
    clear_tid(thread);
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
        if (trap == TRAP_SYSCALL && thread->gdb)
            gdb_syscall(thread);
        else if (trap == TRAP_SYSCALL)
            syscall_run(thread);
        else if (trap != TRAP_INTERRUPT)
            fault_trap(thread, trap);
        if (__atomic_load_n(&thread->pending, __ATOMIC_RELAXED) && !thread->exiting)
            signals_deliver(thread);
    }
    thread_end(thread);
}

/* ---- clone: a thread -------------------------------------------------------------------------------------------------------------- */

struct thread_start {
    struct thread *thread;
    const struct thread *creator;
    struct trace trace; /* of the creator */
    bool traced;
    uint64_t flags, parent_tid, child_tid;
    sem_t ready;
    bool failed;
};

static void *thread_main(void *opaque)
{
    struct thread_start *start = opaque;
    struct thread *thread = start->thread;
    if (!signals_thread_start(thread)) {
        start->failed = true;
        sem_post(&start->ready);
        return NULL;
    }
    thread->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    current_thread = thread;
    signals_retake(thread->process);
    thread_register(thread);
    seccomp_inherit(thread, start->creator);
    /* Both before either side runs on: the thread may end, and its memory go, before its creator wakes. */
    if (start->flags & CLONE_PARENT_SETTID)
        put_tid(start->parent_tid, thread->tid);
    if (start->flags & CLONE_CHILD_SETTID)
        put_tid(start->child_tid, thread->tid);
    if (start->flags & CLONE_CHILD_CLEARTID)
        thread->clear_child_tid = start->child_tid;
    uint64_t mask = signals_host_mask(thread->mask);
    const struct trace trace = start->trace;
    bool traced = start->traced;
    start->thread = (struct thread *)(intptr_t)thread->tid;
    sem_post(&start->ready);
    signals_set_host_mask(mask);
    trace_start_child(thread, &trace, traced);
    thread_loop(thread);
    return NULL;
}

static int64_t clone_thread(struct thread *parent, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t tls,
                            uint64_t child_tid)
{
    if (!(flags & CLONE_VM) || !(flags & CLONE_SIGHAND))
        return -EINVAL;
    struct thread *thread = thread_new(parent->process);
    if (!thread)
        return -ENOMEM;
    copy_registers(thread->cpu, parent->cpu);
    thread->cpu->x[0] = 0;
    if (stack)
        thread->cpu->sp = stack;
    if (flags & CLONE_SETTLS)
        thread->cpu->tpidr_el0 = tls;
    thread->mask = parent->mask;

    struct thread_start start = {.thread = thread, .creator = parent, .flags = flags, .parent_tid = parent_tid, .child_tid = child_tid,
                                 .trace = parent->trace, .traced = trace_follows(parent, flags & ~(uint64_t)CSIGNAL)};
    sem_init(&start.ready, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, HOST_THREAD_STACK);
    uint64_t mask = signals_block_all();
    int error = pthread_create(&thread->pthread, &attributes, thread_main, &start);
    if (!error) {
        while (sem_wait(&start.ready) != 0)
            ;
    }
    signals_set_host_mask(mask);
    pthread_attr_destroy(&attributes);
    sem_destroy(&start.ready);
    if (error || start.failed) {
        thread_free(thread);
        return -EAGAIN;
    }
    return (int64_t)(intptr_t)start.thread; /* its number: the thread itself may be gone by now */
}

/* ---- clone: a process that shares memory until it executes or ends ---------------------------------------------------------------- */

struct vfork_start {
    struct thread *thread;
    uint64_t child_tid, flags;
};

/** Runs the child on the parent's struct thread, on a host stack of its own. */
static int vfork_main(void *opaque)
{
    const struct vfork_start *start = opaque;
    struct thread *thread = start->thread;
    thread->tid = getpid();
    thread->vfork_child = true;
    if (start->flags & CLONE_CHILD_SETTID)
        put_tid(start->child_tid, thread->tid);
    thread->clear_child_tid = start->flags & CLONE_CHILD_CLEARTID ? start->child_tid : 0;
    thread->robust_list = 0;
    signals_set_host_mask(signals_host_mask(thread->mask));
    trace_start_child(thread, &thread->trace, trace_follows(thread, start->flags));
    thread_loop(thread);
    return 0;
}

/**
 * A real vfork: what the child writes, its parent sees (posix_spawn reports errors so). The kernel stops this thread until the
 * child has executed another program or ended; meanwhile the child uses this thread's CPU, whose state is put back then.
 */
static int64_t clone_vfork(struct thread *thread, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t tls,
                           uint64_t child_tid)
{
    struct {
        struct a64_cpu cpu;
        struct thread thread;
        struct guest_sigaction actions[GUEST_SIGNALS + 1];
        struct guest_root root; /* that of the process: the child may go elsewhere */
    } *saved = malloc(sizeof *saved);
    char *host_stack = mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int64_t result = -ENOMEM;
    if (!saved || host_stack == MAP_FAILED)
        goto out;
    uint64_t mask = signals_block_all();
    if (thread->pending) { /* it would become the child's */
        result = -RESULT_RESTART;
        signals_set_host_mask(mask);
        goto out;
    }
    copy_registers(&saved->cpu, thread->cpu);
    saved->thread = *thread;
    saved->root = thread->process->root;
    memcpy(saved->actions, thread->process->actions, sizeof saved->actions);

    thread->cpu->x[0] = 0;
    if (stack)
        thread->cpu->sp = stack;
    if (flags & CLONE_SETTLS)
        thread->cpu->tpidr_el0 = tls;
    struct vfork_start start = {thread, child_tid, flags};
    int host_flags = (int)(flags & ~(uint64_t)(CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID));
    int pid = clone(vfork_main, host_stack + VFORK_STACK, host_flags, &start, (pid_t *)parent_tid);
    result = pid < 0 ? -errno : pid;

    engine_cpu_stopped(&thread->cpu->cpu);
    exec_plan_free(thread->exec_plan);
    copy_registers(thread->cpu, &saved->cpu);
    *thread = saved->thread;
    thread->process->root = saved->root;
    pthread_mutex_lock(&thread->process->lock);
    memcpy(thread->process->actions, saved->actions, sizeof saved->actions);
    pthread_mutex_unlock(&thread->process->lock);
    signals_set_host_mask(mask);
out:
    if (host_stack != MAP_FAILED)
        munmap(host_stack, VFORK_STACK);
    free(saved);
    return result;
}

/* ---- clone: a process that shares memory and runs beside its parent --------------------------------------------------------------- */

struct sharing_start {
    struct thread *thread;
    const struct thread *creator;
    struct trace trace; /* of the creator */
    uint64_t flags, child_tid;
    int told; /* the process's number, or its descriptor for CLONE_PIDFD: the kernel writes it before the process runs */
    int64_t result;
    sem_t ready;
};

static int sharing_main(void *opaque)
{
    struct sharing_start *start = opaque;
    struct thread *thread = start->thread;
    const uint64_t flags = start->flags;
    const struct trace trace = start->trace;
    current_thread = thread;
    thread->vfork_child = true;
    thread->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    if (flags & CLONE_CHILD_SETTID)
        put_tid(start->child_tid, thread->tid);
    bool traced = trace_follows(start->creator, flags);
    start->result = flags & CLONE_PIDFD ? thread->tid : start->told;
    sem_post(&start->ready);
    signals_set_host_mask(signals_host_mask(thread->mask));
    trace_start_child(thread, &trace, traced);
    thread_loop(thread);
    return 0;
}

/**
 * The thread that stands for the process in its parent: the C library's data of a thread can serve one process at a time, so
 * this one lends its own and waits, as for vfork, until the other has ended or executed a program.
 */
static void *sharing_wait(void *opaque)
{
    struct sharing_start *start = opaque;
    struct thread *thread = start->thread;
    uint64_t child_tid = start->flags & CLONE_CHILD_CLEARTID ? start->child_tid : 0;
    char *stack = mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    int pid = -1;
    start->result = -ENOMEM;
    if (stack != MAP_FAILED && signals_thread_start(thread)) {
        int flags = (int)(start->flags & ~(uint64_t)(CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID));
        if (!(flags & CLONE_PIDFD))
            flags |= CLONE_PARENT_SETTID;
        pid = clone(sharing_main, stack + VFORK_STACK, flags | CLONE_VFORK, start, &start->told);
        if (pid < 0)
            start->result = -errno;
        signals_thread_end(thread);
    }
    if (pid < 0)
        sem_post(&start->ready); /* `start` is gone afterwards */
    thread->clear_child_tid = child_tid;
    engine_cpu_stopped(&thread->cpu->cpu);
    exec_plan_free(thread->exec_plan);
    if (pid >= 0)
        clear_tid(thread);
    thread_free(thread);
    if (stack != MAP_FAILED)
        munmap(stack, VFORK_STACK);
    return NULL;
}

static int64_t clone_sharing(struct thread *parent, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t tls,
                             uint64_t child_tid)
{
    /* Other actions for signals would be another table; and there is one `told`. */
    if (!(flags & CLONE_SIGHAND) || (flags & CLONE_PIDFD && flags & CLONE_PARENT_SETTID))
        return -EINVAL;
    struct thread *thread = thread_new(parent->process);
    if (!thread)
        return -ENOMEM;
    copy_registers(thread->cpu, parent->cpu);
    thread->cpu->x[0] = 0;
    if (stack)
        thread->cpu->sp = stack;
    if (flags & CLONE_SETTLS)
        thread->cpu->tpidr_el0 = tls;
    thread->mask = parent->mask;
    seccomp_inherit(thread, parent);

    struct sharing_start start = {
        .thread = thread, .creator = parent, .trace = parent->trace, .flags = flags, .child_tid = child_tid};
    sem_init(&start.ready, 0, 0);
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, HOST_THREAD_STACK);
    uint64_t mask = signals_block_all();
    pthread_t waiting;
    int error = pthread_create(&waiting, &attributes, sharing_wait, &start);
    if (!error) {
        while (sem_wait(&start.ready) != 0)
            ;
    }
    signals_retake(parent->process);
    signals_set_host_mask(mask);
    pthread_attr_destroy(&attributes);
    sem_destroy(&start.ready);
    if (error) {
        thread_free(thread);
        return -EAGAIN;
    }
    if (start.result >= 0 && flags & (CLONE_PARENT_SETTID | CLONE_PIDFD))
        put_tid(parent_tid, start.told);
    return start.result;
}

/* ---- clone: a process of its own ---------------------------------------------------------------------------------------------------- */

/** fork() itself where possible, because it keeps the C library's locks usable in the child. */
static int64_t host_fork(uint64_t flags, uint64_t parent_tid)
{
    const uint64_t ours = CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_PARENT_SETTID;
    if ((flags & ~ours) == SIGCHLD) {
        pid_t pid = fork();
        if (pid > 0 && (flags & CLONE_PARENT_SETTID))
            put_tid(parent_tid, pid);
        return pid < 0 ? -errno : pid;
    }
    return RAW_SYSCALL(SYS_clone, flags & ~(uint64_t)(CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID), 0, parent_tid,
                       0, 0);
}

static void become_child(struct thread *thread, uint64_t flags, uint64_t stack, uint64_t tls, uint64_t child_tid)
{
    struct process *process = thread->process;
    /* The other threads are not here any more; their memory is not worth the trouble. */
    process->threads = thread;
    process->nthreads = 1;
    thread->next = NULL;
    thread->tid = getpid();
    thread->leader = true;
    thread->vfork_child = false;
    thread->robust_list = 0;
    thread->clear_child_tid = flags & CLONE_CHILD_CLEARTID ? child_tid : 0;
    if (flags & CLONE_CHILD_SETTID)
        put_tid(child_tid, thread->tid);
    if (stack)
        thread->cpu->sp = stack;
    if (flags & CLONE_SETTLS)
        thread->cpu->tpidr_el0 = tls;
    trace_start_child(thread, &thread->trace, trace_follows(thread, flags));
}

static int64_t clone_process(struct thread *thread, uint64_t flags, uint64_t stack, uint64_t parent_tid, uint64_t tls,
                             uint64_t child_tid)
{
    struct process *process = thread->process;
    uint64_t mask = signals_block_all();
    if (thread->pending) { /* it would be delivered twice */
        signals_set_host_mask(mask);
        return -RESULT_RESTART;
    }
    fflush(process->options->engine.log_file);
    engine_fork_prepare(process->engine);
    if (process->perf)
        perf_map_flush(process->perf);
    pthread_mutex_lock(&process->lock);
    pthread_mutex_lock(&process->memory.lock);
    int64_t pid = host_fork(flags, parent_tid);
    pthread_mutex_unlock(&process->memory.lock);
    pthread_mutex_unlock(&process->lock);
    if (pid == 0) {
        engine_fork_child(process->engine, &thread->cpu->cpu);
        become_child(thread, flags, stack, tls, child_tid);
        if (process->gdb)
            gdb_fork_child(process, thread);
        if (process->perf)
            perf_map_fork_child(process->perf, process->engine);
    } else {
        engine_fork_parent(process->engine);
    }
    signals_set_host_mask(mask);
    return pid;
}

/* ---- the calls ----------------------------------------------------------------------------------------------------------------------- */

int64_t sys_clone(struct thread *thread, const uint64_t a[6])
{
    uint64_t flags = a[0] & UINT32_MAX;
    if (flags & CLONE_THREAD)
        return clone_thread(thread, flags, a[1], a[2], a[3], a[4]);
    if ((flags & CLONE_VM) && (flags & CLONE_VFORK))
        return clone_vfork(thread, flags, a[1], a[2], a[3], a[4]);
    if (flags & CLONE_VM)
        return clone_sharing(thread, flags, a[1], a[2], a[3], a[4]);
    if (flags & CLONE_SIGHAND)
        return -EINVAL; /* as by the kernel */
    return clone_process(thread, flags, a[1], a[2], a[3], a[4]);
}

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

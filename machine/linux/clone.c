/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * clone and clone3: a thread, a process of its own, a process that shares memory with its parent.
 *
 * What the host can do by itself (namespaces, cgroups, numbers asked for, descriptors of processes) goes to the call of the host that
 * the guest has made; what concerns the guest's registers, thread pointer and signal actions is done here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <limits.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/keep_files.h"
#include "machine/linux/io_uring.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"
#include "machine/linux/thread.h"

#define HOST_THREAD_STACK (1u << 20)
#define VFORK_STACK (512u << 10)
#define SPACE_END (UINT64_C(1) << 48)
#define SYS_CLONE3 435
#define PIDFD_THREAD_FLAG O_EXCL /* PIDFD_THREAD, since Linux 6.9 */

/* Flags of the guest's that the host is not told of. */
#define OURS (CLONE_SETTLS | CLONE_CHILD_SETTID | CLONE_CHILD_CLEARTID | CLONE_CLEAR_SIGHAND)
/* Those that a thread can have for itself after its start. */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP)

/** What a call asks for. */
struct clone_request {
    bool extended;  /* it was clone3 */
    uint64_t flags; /* without the signal */
    uint64_t exit_signal;
    uint64_t stack; /* the new SP; 0: that of the caller */
    uint64_t parent_tid, child_tid, pidfd, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

static void put_tid(uint64_t address, pid_t tid)
{
    guest_write(address, &tid, sizeof tid);
}

/** As ptrace looks at it. */
static uint64_t traced_flags(const struct clone_request *request)
{
    return (request->flags & UINT32_MAX & ~(uint64_t)CSIGNAL) | request->exit_signal;
}

static void set_child_registers(struct a64_cpu *cpu, const struct clone_request *request)
{
    cpu->x[0] = 0;
    if (request->stack)
        cpu->sp = request->stack;
    if (request->flags & CLONE_SETTLS)
        cpu->tpidr_el0 = request->tls;
}

/* ---- the host's calls ----------------------------------------------------------------------------------------------------------- */

/* A new process on a stack of its own runs a function there: no register but rsp differs between the two after the call. */
__asm__(".text\n"
        ".hidden host_clone_raw\n"
        ".globl host_clone_raw\n"
        ".type host_clone_raw, @function\n"
        "host_clone_raw:\n" /* long host_clone_raw(long number, long a, long b, long c, int (*function)(void *), void *argument) */
        "    mov %rdi, %rax\n"
        "    mov %rsi, %rdi\n"
        "    mov %rdx, %rsi\n"
        "    mov %rcx, %rdx\n"
        "    xor %r10d, %r10d\n"
        "    syscall\n"
        "    test %rax, %rax\n"
        "    jz 1f\n"
        "    ret\n"
        "1:  xor %ebp, %ebp\n"
        "    mov %r9, %rdi\n"
        "    call *%r8\n"
        "    mov %eax, %edi\n"
        "    mov $60, %eax\n"
        "    syscall\n"
        "    hlt\n"
        ".size host_clone_raw, . - host_clone_raw\n");
int64_t host_clone_raw(long number, uint64_t a, uint64_t b, uint64_t c, int (*function)(void *), void *argument);

/**
 * clone or clone3 of the host, with these flags of the request and those addresses for CLONE_PARENT_SETTID and CLONE_PIDFD. The
 * process runs function(argument) on `stack`; without one, the call returns twice.
 */
static int64_t host_clone(const struct clone_request *request, uint64_t flags, uint64_t parent_tid, uint64_t pidfd, char *stack,
                          int (*function)(void *), void *argument)
{
    flags &= ~(uint64_t)OURS;
    if (!request->extended) {
        uint64_t word = flags | request->exit_signal, told = flags & CLONE_PIDFD ? pidfd : parent_tid;
        return stack ? host_clone_raw(SYS_clone, word, (uint64_t)(stack + VFORK_STACK), told, function, argument)
                     : RAW_SYSCALL(SYS_clone, word, 0, told, 0, 0);
    }
    struct clone_args args = {
        .flags = flags,
        .pidfd = flags & CLONE_PIDFD ? pidfd : 0,
        .parent_tid = flags & CLONE_PARENT_SETTID ? parent_tid : 0,
        .exit_signal = request->exit_signal,
        .stack = (uint64_t)stack,
        .stack_size = stack ? VFORK_STACK : 0,
        .set_tid = request->set_tid,
        .set_tid_size = request->set_tid_size,
        .cgroup = request->cgroup,
    };
    return stack ? host_clone_raw(SYS_CLONE3, (uint64_t)&args, sizeof args, 0, function, argument)
                 : RAW_SYSCALL(SYS_CLONE3, (uint64_t)&args, sizeof args);
}

static char *host_stack_new(void)
{
    char *stack = mmap(NULL, VFORK_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return stack == MAP_FAILED ? NULL : stack;
}

/* ---- a thread --------------------------------------------------------------------------------------------------------------------- */

struct thread_start {
    struct thread *thread;
    const struct thread *creator;
    const struct clone_request *request;
    struct trace trace; /* of the creator */
    bool traced;
    sem_t ready;
    int64_t result; /* its number: the thread itself may be gone when the creator looks */
};

/** What the C library's threads share, but this one does not want to. 0 or -errno. */
static int64_t thread_part(const struct clone_request *request)
{
    const uint64_t shared = CLONE_FS | CLONE_FILES | CLONE_SYSVSEM;
    uint64_t flags = (~request->flags & shared) | (request->flags & NAMESPACES);
    if (request->flags & CLONE_INTO_CGROUP) {
        int fd = openat((int)request->cgroup, "cgroup.threads", O_WRONLY | O_CLOEXEC);
        int64_t result = fd < 0 || write(fd, "0", 1) < 0 ? -errno : 0;
        if (fd >= 0)
            close(fd);
        if (result < 0)
            return result;
    }
    if (request->flags & CLONE_PIDFD) {
        int64_t fd = RAW_SYSCALL(SYS_pidfd_open, (uint64_t)gettid(), PIDFD_THREAD_FLAG);
        int number = (int)fd;
        if (fd < 0)
            return fd;
        if (!guest_write(request->pidfd, &number, sizeof number)) {
            close(number);
            return -EFAULT;
        }
    }
    return flags ? RAW_SYSCALL(SYS_unshare, flags) : 0;
}

static void *thread_main(void *opaque)
{
    struct thread_start *start = opaque;
    struct thread *thread = start->thread;
    const struct clone_request *request = start->request;
    start->result = signals_thread_start(thread) ? 0 : -EAGAIN;
    if (start->result == 0)
        start->result = thread_part(request);
    if (start->result < 0) {
        if (thread->host_altstack)
            signals_thread_end(thread);
        sem_post(&start->ready);
        return NULL;
    }
    thread->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    current_thread = thread;
    signals_retake(thread);
    thread_register(thread);
    seccomp_inherit(thread, start->creator);
    /* Both before either side runs on: the thread may end, and its memory go, before its creator wakes. */
    if (request->flags & CLONE_PARENT_SETTID)
        put_tid(request->parent_tid, thread->tid);
    if (request->flags & CLONE_CHILD_SETTID)
        put_tid(request->child_tid, thread->tid);
    if (request->flags & CLONE_CHILD_CLEARTID)
        thread->clear_child_tid = request->child_tid;
    uint64_t mask = signals_host_mask(thread->mask);
    const struct trace trace = start->trace;
    bool traced = start->traced;
    start->result = thread->tid;
    sem_post(&start->ready);
    signals_set_host_mask(mask);
    trace_start_child(thread, &trace, traced);
    thread_loop(thread);
    return NULL;
}

/** Starts a detached host thread and waits until it has posted. 0 or an error number. */
static int start_host_thread(void *(*function)(void *), void *argument, sem_t *ready, pthread_t *pthread)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, HOST_THREAD_STACK);
    int error = pthread_create(pthread, &attributes, function, argument);
    if (!error) {
        while (sem_wait(ready) != 0)
            ;
    }
    pthread_attr_destroy(&attributes);
    return error;
}

static int64_t clone_thread(struct thread *parent, const struct clone_request *request)
{
    if (!(request->flags & CLONE_VM) || !(request->flags & CLONE_SIGHAND) ||
        (request->flags & (CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWTIME)))
        return -EINVAL;
    if (request->set_tid_size) /* the C library makes the host's thread, and asks for no number */
        return -EPERM;
    struct thread *thread = thread_new(parent->process);
    if (!thread)
        return -ENOMEM;
    thread_copy_registers(thread->cpu, parent->cpu);
    set_child_registers(thread->cpu, request);
    thread->mask = parent->mask;
    thread->actions = parent->actions;

    struct thread_start start = {.thread = thread, .creator = parent, .request = request, .trace = parent->trace,
                                 .traced = trace_follows(parent, traced_flags(request) & ~(uint64_t)CSIGNAL)};
    sem_init(&start.ready, 0, 0);
    uint64_t mask = signals_block_all();
    int error = start_host_thread(thread_main, &start, &start.ready, &thread->pthread);
    signals_set_host_mask(mask);
    sem_destroy(&start.ready);
    if (error || start.result < 0)
        thread_free(thread);
    return error ? -EAGAIN : start.result;
}

/* ---- a process that shares memory until it executes or ends ----------------------------------------------------------------------- */

struct vfork_start {
    struct thread *thread;
    const struct clone_request *request;
};

/** Runs the child on the parent's struct thread, on a host stack of its own. */
static int vfork_main(void *opaque)
{
    const struct vfork_start *start = opaque;
    struct thread *thread = start->thread;
    const struct clone_request *request = start->request;
    thread->tid = (pid_t)RAW_SYSCALL(SYS_getpid, 0);
    thread->vfork_child = true;
    if (request->flags & CLONE_CHILD_SETTID)
        put_tid(request->child_tid, thread->tid);
    thread->clear_child_tid = request->flags & CLONE_CHILD_CLEARTID ? request->child_tid : 0;
    thread->robust_list = 0;
    thread->sync_queued = 0; /* what is pending is the parent's */
    if (request->flags & CLONE_CLEAR_SIGHAND)
        signals_clear_actions(thread);
    signals_set_host_mask(signals_host_mask(thread->mask));
    trace_start_child(thread, &thread->trace, trace_follows(thread, traced_flags(request)));
    thread_loop(thread);
    return 0;
}

/** A process that shared this memory has executed a program or ended, wherever that was: what it held is free again. */
static void after_child(struct thread *thread)
{
    struct process *process = thread->process;
    engine_cpu_stopped(&thread->cpu->cpu);
    memory_owner_stopped(&process->memory);
    keep_files_owner_stopped(process->memory.keep);
    if (lock_is_mine(&process->lock))
        lock_release(&process->lock);
    lock_wake(&process->lock);
    exec_plan_free(thread->exec_plan);
}

/** A copy of the thread's actions, for a process that does not share them. */
static void copy_actions(struct guest_sigaction *to, const struct thread *thread)
{
    lock_take(&thread->process->lock);
    memcpy(to, thread->actions, sizeof thread->process->actions);
    lock_release(&thread->process->lock);
}

/**
 * A real vfork: what the child writes, its parent sees (posix_spawn reports errors so). The kernel stops this thread until the
 * child has executed another program or ended; meanwhile the child uses this thread's CPU, whose state is put back then.
 */
static int64_t clone_vfork(struct thread *thread, const struct clone_request *request)
{
    struct {
        struct a64_cpu cpu;
        struct thread thread;
        struct guest_sigaction actions[GUEST_SIGNALS + 1]; /* the child's */
        struct guest_root root; /* that of the process: the child may go elsewhere */
    } *saved = malloc(sizeof *saved);
    char *host_stack = host_stack_new();
    int64_t result = -ENOMEM;
    if (!saved || !host_stack)
        goto out;
    uint64_t mask = signals_block_all();
    if (thread->pending) { /* it would become the child's */
        result = -RESULT_RESTART;
        signals_set_host_mask(mask);
        goto out;
    }
    thread_copy_registers(&saved->cpu, thread->cpu);
    saved->thread = *thread;
    saved->root = thread->process->root;
    if (!(request->flags & CLONE_SIGHAND)) {
        copy_actions(saved->actions, thread);
        thread->actions = saved->actions;
    }

    set_child_registers(thread->cpu, request);
    struct vfork_start start = {thread, request};
    result = host_clone(request, request->flags, request->parent_tid, request->pidfd, host_stack, vfork_main, &start);

    after_child(thread);
    thread_copy_registers(thread->cpu, &saved->cpu);
    lock_take(&thread->process->lock); /* the list goes on while this thread does not */
    saved->thread.next = thread->next;
    *thread = saved->thread;
    thread->process->root = saved->root;
    lock_release(&thread->process->lock);
    signals_set_host_mask(mask);
out:
    if (host_stack)
        munmap(host_stack, VFORK_STACK);
    free(saved);
    return result;
}

/* ---- a process that shares memory and runs beside its parent ---------------------------------------------------------------------- */

struct sharing_start {
    struct thread *thread;
    const struct thread *creator;
    const struct clone_request *request;
    struct trace trace; /* of the creator */
    pid_t told; /* by the kernel, before the process runs: its number, and its descriptor for CLONE_PIDFD */
    int pidfd;
    int64_t result;
    sem_t ready;
};

static int sharing_main(void *opaque)
{
    struct sharing_start *start = opaque;
    struct thread *thread = start->thread;
    const struct clone_request *request = start->request;
    const struct trace trace = start->trace;
    current_thread = thread;
    thread->vfork_child = true;
    thread->tid = (pid_t)RAW_SYSCALL(SYS_gettid, 0);
    /* In its parent's namespace the process may have another number. */
    pid_t outside = request->extended || !(request->flags & CLONE_PIDFD) ? start->told : thread->tid;
    if (request->flags & CLONE_PARENT_SETTID)
        put_tid(request->parent_tid, outside);
    if (request->flags & CLONE_PIDFD)
        put_tid(request->pidfd, start->pidfd);
    if (request->flags & CLONE_CHILD_SETTID)
        put_tid(request->child_tid, thread->tid);
    if (request->flags & CLONE_CLEAR_SIGHAND)
        signals_clear_actions(thread);
    bool traced = trace_follows(start->creator, traced_flags(request));
    start->result = outside;
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
    uint64_t child_tid = start->request->flags & CLONE_CHILD_CLEARTID ? start->request->child_tid : 0;
    char *stack = host_stack_new();
    int64_t pid = -ENOMEM;
    if (stack && signals_thread_start(thread)) {
        uint64_t flags = start->request->flags | CLONE_VFORK;
        if (start->request->extended || !(flags & CLONE_PIDFD)) /* clone has one place for both */
            flags |= CLONE_PARENT_SETTID;
        pid = host_clone(start->request, flags, (uint64_t)&start->told, (uint64_t)&start->pidfd, stack, sharing_main, start);
        signals_thread_end(thread);
    }
    if (pid < 0) {
        start->result = pid;
        sem_post(&start->ready); /* `start` is gone afterwards */
    }
    thread->clear_child_tid = child_tid;
    after_child(thread);
    __atomic_sub_fetch(&thread->process->nsharing, 1, __ATOMIC_SEQ_CST);
    if (pid >= 0)
        thread_clear_tid(thread);
    thread_free(thread);
    if (stack)
        munmap(stack, VFORK_STACK);
    return NULL;
}

static int64_t clone_sharing(struct thread *parent, const struct clone_request *request)
{
    const int none = -1;
    if (request->flags & CLONE_PIDFD && !guest_write(request->pidfd, &none, sizeof none))
        return -EFAULT;
    struct thread *thread = thread_new(parent->process);
    if (!thread)
        return -ENOMEM;
    thread->actions = parent->actions;
    if (!(request->flags & CLONE_SIGHAND)) {
        struct guest_sigaction *actions = malloc(sizeof parent->process->actions);
        if (!actions) {
            thread_free(thread);
            return -ENOMEM;
        }
        copy_actions(actions, parent);
        thread->actions = actions;
    }
    thread_copy_registers(thread->cpu, parent->cpu);
    set_child_registers(thread->cpu, request);
    thread->mask = parent->mask;
    seccomp_inherit(thread, parent);

    /* It may outlive this process and its compile thread, which must not take the engine's lock with it. */
    __atomic_add_fetch(&parent->process->nsharing, 1, __ATOMIC_SEQ_CST);
    engine_stop_compiling(parent->process->engine);
    struct sharing_start start = {.thread = thread, .creator = parent, .trace = parent->trace, .request = request};
    sem_init(&start.ready, 0, 0);
    uint64_t mask = signals_block_all();
    pthread_t waiting;
    int error = start_host_thread(sharing_wait, &start, &start.ready, &waiting);
    signals_retake(parent);
    signals_set_host_mask(mask);
    sem_destroy(&start.ready);
    if (error) {
        __atomic_sub_fetch(&parent->process->nsharing, 1, __ATOMIC_SEQ_CST);
        thread_free(thread);
    }
    return error ? -EAGAIN : start.result;
}

/* ---- a process of its own ----------------------------------------------------------------------------------------------------------- */

/** Whether fork() itself will do, which keeps the C library's locks usable in the child. */
static bool is_fork(const struct clone_request *request)
{
    uint64_t flags = request->flags & ~(uint64_t)OURS;
    return (flags & ~(uint64_t)CLONE_PARENT_SETTID) == 0 && request->exit_signal == SIGCHLD && !request->set_tid_size;
}

static int64_t host_fork(const struct clone_request *request)
{
    uint64_t flags = request->flags & ~(uint64_t)OURS;
    if (is_fork(request)) {
        pid_t pid = fork();
        if (pid > 0 && (flags & CLONE_PARENT_SETTID))
            put_tid(request->parent_tid, pid);
        return pid < 0 ? -errno : pid;
    }
    return host_clone(request, flags, request->parent_tid, request->pidfd, NULL, NULL, NULL);
}

static void become_child(struct thread *thread, const struct clone_request *request)
{
    struct process *process = thread->process;
    /* The other threads are not here any more; their memory is not worth the trouble. */
    process->threads = thread;
    process->nthreads = 1;
    process->nsharing = 0;
    thread->next = NULL;
    thread->tid = (pid_t)RAW_SYSCALL(SYS_getpid, 0);
    thread->leader = true;
    thread->vfork_child = false;
    thread->robust_list = 0;
    thread->sync_queued = process->sync_shared = 0; /* what is pending is the parent's */
    io_uring_fork_child(thread);
    thread->clear_child_tid = request->flags & CLONE_CHILD_CLEARTID ? request->child_tid : 0;
    if (thread->actions != process->actions) {
        memcpy(process->actions, thread->actions, sizeof process->actions);
        thread->actions = process->actions;
    }
    if (request->flags & CLONE_CLEAR_SIGHAND)
        signals_clear_actions(thread);
    if (request->flags & CLONE_CHILD_SETTID)
        put_tid(request->child_tid, thread->tid);
    set_child_registers(thread->cpu, request);
    trace_start_child(thread, &thread->trace, trace_follows(thread, traced_flags(request)));
}

static int64_t clone_process(struct thread *thread, const struct clone_request *request)
{
    struct process *process = thread->process;
    uint64_t mask = signals_block_all();
    if (thread->pending) { /* it would be delivered twice */
        signals_set_host_mask(mask);
        return -RESULT_RESTART;
    }
    fflush(process->options->engine.log_file);
    if (!is_fork(request)) /* the compile thread may be holding one of them */
        engine_stop_compiling(process->engine);
    lock_take(&process->memory.brk_lock);
    engine_fork_prepare(process->engine);
    if (process->perf)
        perf_map_flush(process->perf);
    lock_take(&process->lock);
    lock_take(&process->memory.lock);
    int64_t pid = host_fork(request);
    lock_release(&process->memory.lock);
    lock_release(&process->lock);
    if (pid == 0) {
        engine_fork_child(process->engine, &thread->cpu->cpu);
        keep_files_forked(process->memory.keep);
        become_child(thread, request);
        if (process->gdb)
            gdb_fork_child(process, thread);
        if (process->perf)
            perf_map_fork_child(process->perf, process->engine);
    } else {
        engine_fork_parent(process->engine);
    }
    lock_release(&process->memory.brk_lock);
    signals_set_host_mask(mask);
    return pid;
}

/* ---- the calls ----------------------------------------------------------------------------------------------------------------------- */

static int64_t clone_once(struct thread *thread, const struct clone_request *request)
{
    if (request->flags & CLONE_THREAD)
        return clone_thread(thread, request);
    if ((request->flags & CLONE_VM) && (request->flags & CLONE_VFORK))
        return clone_vfork(thread, request);
    if (request->flags & CLONE_VM)
        return clone_sharing(thread, request);
    if (request->flags & CLONE_SIGHAND)
        return -EINVAL; /* as by the kernel */
    return clone_process(thread, request);
}

static int64_t clone_any(struct thread *thread, const struct clone_request *request)
{
    int64_t result = clone_once(thread, request);
    /* There may be one process or thread too many, which is none of the guest's. */
    if (result == -EAGAIN && engine_is_compiling(thread->process->engine)) {
        engine_stop_compiling(thread->process->engine);
        result = clone_once(thread, request);
    }
    return result;
}

int64_t sys_clone(struct thread *thread, const uint64_t a[6])
{
    struct clone_request request = {
        .flags = a[0] & UINT32_MAX & ~(uint64_t)CSIGNAL,
        .exit_signal = a[0] & CSIGNAL,
        .stack = a[1],
        .parent_tid = a[2],
        .pidfd = a[2],
        .tls = a[3],
        .child_tid = a[4],
    };
    /* Both would be written to one place. */
    if (request.flags & CLONE_PIDFD && request.flags & (CLONE_PARENT_SETTID | CLONE_DETACHED))
        return -EINVAL;
    return clone_any(thread, &request);
}

/** The structure behind the first argument, as long as the guest's kernel headers had it: 0 or -errno. */
static int64_t read_arguments(struct clone_args *args, uint64_t from, uint64_t size)
{
    char rest[256];
    memset(args, 0, sizeof *args);
    if (size > GUEST_PAGE)
        return -E2BIG;
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    if (!guest_read(args, from, size < sizeof *args ? size : sizeof *args))
        return -EFAULT;
    for (uint64_t at = sizeof *args; at < size;) {
        size_t part = size - at < sizeof rest ? size - at : sizeof rest;
        if (!guest_read(rest, from + at, part))
            return -EFAULT;
        for (size_t i = 0; i < part; i++) {
            if (rest[i])
                return -E2BIG;
        }
        at += part;
    }
    return 0;
}

/** Linux, kernel/fork.c: copy_clone_args_from_user() and clone3_args_valid(). */
static bool arguments_are_valid(const struct clone_args *args, uint64_t size)
{
    const uint64_t known = UINT32_MAX | CLONE_CLEAR_SIGHAND | CLONE_INTO_CGROUP, both = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND;
    const uint64_t max_levels = 32; /* of PID namespaces */
    if (args->set_tid_size > max_levels || !args->set_tid != !args->set_tid_size)
        return false;
    if (args->exit_signal > GUEST_SIGNALS)
        return false;
    if (args->flags & CLONE_INTO_CGROUP && (args->cgroup > INT_MAX || size < CLONE_ARGS_SIZE_VER2))
        return false;
    if (args->flags & ~known || args->flags & (CLONE_DETACHED | (CSIGNAL & ~(uint64_t)CLONE_NEWTIME)))
        return false;
    if ((args->flags & both) == both || (args->flags & (CLONE_THREAD | CLONE_PARENT) && args->exit_signal))
        return false;
    if (args->flags & CLONE_PIDFD && args->flags & CLONE_PARENT_SETTID && args->pidfd == args->parent_tid)
        return false;
    if (!args->stack || !args->stack_size)
        return !args->stack && !args->stack_size;
    return args->stack <= SPACE_END && args->stack_size <= SPACE_END - args->stack;
}

int64_t sys_clone3(struct thread *thread, const uint64_t a[6])
{
    struct clone_args args;
    int64_t result = read_arguments(&args, a[0], a[1]);
    if (result < 0)
        return result;
    if (!arguments_are_valid(&args, a[1]))
        return -EINVAL;
    struct clone_request request = {
        .extended = true,
        .flags = args.flags,
        .exit_signal = args.exit_signal,
        .stack = args.stack ? args.stack + args.stack_size : 0,
        .parent_tid = args.parent_tid,
        .child_tid = args.child_tid,
        .pidfd = args.pidfd,
        .tls = args.tls,
        .set_tid = args.set_tid,
        .set_tid_size = args.set_tid_size,
        .cgroup = args.cgroup,
    };
    return clone_any(thread, &request);
}

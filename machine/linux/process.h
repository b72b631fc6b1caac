/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux process as a machine: its address space is the host's, its only device the table of system calls.
 *
 * One struct process; one struct thread for each guest thread, owned by the host thread that runs it. process.lock guards the
 * list of threads, the signal actions and the limits; the address space has its own lock. Host signals only queue and kick
 * (signals.c), so that nothing here has to be async-signal-safe except what says so.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_PROCESS_H
#define DRAGOMAN_MACHINE_LINUX_PROCESS_H

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#include "frontend/a64/cpu.h"
#include "machine/linux/memory.h"
#include "machine/linux/trace.h"
#include "machine/linux/root.h"
#include "machine/linux/seccomp.h"
#include "machine/options.h"
#include "translator/engine.h"

#define GUEST_PAGE 4096u
#define GUEST_SIGNALS 64

/** The kernel's struct sigaction; the same on arm64 and x86-64. */
struct guest_sigaction {
    uint64_t handler, flags, restorer, mask;
};

/** The kernel's stack_t. */
struct guest_stack {
    uint64_t sp;
    int32_t flags;
    int32_t pad;
    uint64_t size;
};

/** SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP: never blocked on the host, because translated code relies on them. */
#define SYNCHRONOUS_SIGNALS 5

struct thread {
    int pending; /* a signal waits to be delivered; written by the host handler of this thread */
    struct a64_cpu *cpu;
    struct process *process;
    struct thread *next;
    pid_t tid;
    bool leader;
    bool exiting;     /* the thread's loop ends */
    bool vfork_child; /* runs in a process of its own that shares the memory of its waiting parent */
    int exit_status;
    pthread_t pthread;

    /* signals.c */
    bool queued;            /* `queued_info` holds an asynchronous signal; all further ones are blocked on the host meanwhile */
    siginfo_t queued_info;
    uint32_t sync_queued;   /* bit i: sync_info[i] holds an asynchronously sent signal of the synchronous kind */
    siginfo_t sync_info[SYNCHRONOUS_SIGNALS];
    bool sync_unseen;       /* one came that the guest blocks or ignores: a call that it has interrupted begins again */
    uint64_t sync_wanted;   /* what the thread waits for in rt_sigtimedwait */
    siginfo_t fault_info;   /* of TRAP_FAULT */
    uint64_t fault_code;    /* x86 page fault error code */
    struct guest_sigaction *actions; /* process.actions, unless the thread is a process that shares memory, but not these */
    uint64_t mask, saved_mask; /* guest signal masks: bit n-1 for signal n */
    bool restore_mask;         /* a call such as ppoll has replaced `mask`; saved_mask is the one to go back to */
    struct guest_stack altstack;
    void *host_altstack;

    /* thread.c */
    struct gdb_thread *gdb; /* gdb_linux.h; NULL: there is no debugger */
    uint64_t clear_child_tid, robust_list, robust_length;
    struct trace trace; /* traced.c */
    struct seccomp seccomp;
    struct ring *registered_rings[16]; /* io_uring.c: those that the guest names by their place here */
    struct exec_plan *exec_plan; /* of an execve under way; if it succeeds in a vfork child, its parent frees it */
};

struct process {
    struct engine *engine;
    const struct options *options;
    struct address_space memory;
    struct gdb_process *gdb; /* -g; NULL: no debugger */
    struct perf_map *perf;   /* -perfmap, -jitdump; NULL: neither */
    struct guest_root root;
    struct lock lock;
    struct thread *threads;
    unsigned nthreads;
    unsigned nsharing; /* atomic: processes that share this memory and run beside us, see clone.c */
    struct guest_sigaction actions[GUEST_SIGNALS + 1];
    uint32_t sync_shared;                 /* bit i: shared_info[i] was sent to the process while its threads block it */
    siginfo_t shared_info[SYNCHRONOUS_SIGNALS];
    struct rlimit64 limits[RLIM_NLIMITS]; /* of the address-space kind, which must not hit dragoman itself */
    uint32_t limits_set;                  /* bit n: limits[n] was set by the guest */
    bool catch_all;                       /* signals with the default action come here, too: a tracer sees them */
    bool catch_cores;                     /* … and those that leave a core file: they come here for that */
    uint32_t dumping, parked;             /* core.c */
    struct trace_changes trace_changes;
    struct trace_ranges watched; /* traced.c */
    struct rings *rings;                  /* io_uring.c; NULL: none yet */
    struct tracees *tracees;              /* tracer.c: what this process traces; NULL: nothing yet */
    uint64_t vdso;         /* its ELF header */
    uint64_t sigreturn_pc; /* where handlers return to: in the vDSO */
    uint64_t refused[8]; /* bit n: -d unimp has told of system call n */
    uint32_t refused_beyond[32], nrefused_beyond; /* … of these, too */
    uint64_t kept_persona; /* bits of personality() that the host must not act on */
    char *exe_path; /* absolute host path of the program */
    uint64_t entry, load_base, stack_pointer;
    bool told_kernel; /* procfs_tell_kernel() */
    uint64_t arguments_start, arguments_end, environment_end, auxv_start, auxv_end; /* on the guest's stack, for /proc/self */
};

/** The guest thread that this host thread runs; NULL on others. For signal handlers, which get no argument. */
extern _Thread_local struct thread *current_thread;

/** Loads and runs the program; returns the exit status for failures to start (126, 127), else does not return. */
int process_run(const struct options *options);

/** Ends the thread's process as exit_group does: statistics and logs are written first. */
_Noreturn void process_exit(struct thread *thread, int status);

#endif

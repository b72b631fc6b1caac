/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ptrace between guests: the tracer and the traced are both programs for ARM, each in a dragoman.
 *
 * The tracer's dragoman (tracer.c) traces the other one with the host's ptrace, which brings the reports of wait, the automatic
 * attachment to children, and the end of it all. What the guest is to see, however, are stops of the traced guest: these the
 * traced dragoman makes itself (traced.c), at its own time, when the guest's registers are in memory. It describes the stop in
 * struct trace and executes INT3 with the address of that in a register; the tracer reads and changes the description and
 * the guest's registers where they are. All other stops of the host, such as those for the faults by which translations
 * work, the tracer answers without telling its guest (in wait4 and waitid).
 *
 * A signal of the host to a traced thread is passed on into its handler, which queues it as ever; the stop that the guest sees is
 * made when the signal is about to be delivered. What the tracer wants of a running thread it asks by a SIGTRAP with a
 * value that only dragoman sends (TRACE_ASK).
 */
#ifndef DRAGOMAN_MACHINE_LINUX_TRACE_H
#define DRAGOMAN_MACHINE_LINUX_TRACE_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "translator/cpu.h"

struct a64_cpu;
struct process;
struct thread;

enum trace_stop {
    TRACE_NOT_STOPPED,
    TRACE_HELLO,    /* the first stop after an attachment */
    TRACE_CHILD,    /* a new thread or process, attached to automatically */
    TRACE_EXEC,     /* a new program, before its first instruction */
    TRACE_SIGNAL,   /* before the delivery of `info` */
    TRACE_ENTRY,    /* of a system call */
    TRACE_EXIT,     /* of a system call */
    TRACE_ASKED,    /* PTRACE_INTERRUPT */
    TRACE_SECCOMP,  /* a filter said SECCOMP_RET_TRACE; message: its data */
    TRACE_STOPPING, /* not a stop itself: the SIGSTOP that the thread now sends to itself is to stop it */
};

enum trace_resume { TRACE_CONTINUE, TRACE_SYSCALL, TRACE_STEP, TRACE_SYSEMU };

/** A pair of hardware debug registers as NT_ARM_HW_BREAK and NT_ARM_HW_WATCH have it. */
struct trace_slot {
    uint64_t address;
    uint32_t control, pad;
};
#define TRACE_BREAKS 6
#define TRACE_WATCHES 4

/** In struct thread; its tracer reads and writes it while the thread is stopped. */
struct trace {
    uint64_t magic;
    struct process *process;
    struct a64_cpu *cpu;
    uint64_t *mask;    /* the guest's signal mask */
    uint32_t attached; /* a tracer is there */
    uint32_t seized;
    uint32_t options;  /* PTRACE_O_* as the guest set them */
    uint32_t resume;   /* enum trace_resume */
    uint32_t asked;    /* TRACE_ASK_* not answered yet; by the signal handler */
    /* Written by the tracer while the thread runs: signals of one kind are not queued, so that one TRACE_ASK may get lost. */
    uint32_t want_stop, want_interrupt;
    uint32_t stop;     /* enum trace_stop */
    uint32_t in_call;  /* between the stops of TRACE_ENTRY and TRACE_EXIT */
    uint32_t restart;  /* a wait was interrupted: it starts again if no handler is called */
    uint32_t signal;   /* TRACE_SIGNAL: which; after the stop: what to deliver instead, 0 for nothing */
    siginfo_t info;
    uint64_t message;
    uint64_t first_argument; /* x0 at the entry of the present system call */
    int32_t number;          /* of the present system call; -1: none */
    int32_t asked_signal;
    int64_t result;
    struct trace_slot breaks[TRACE_BREAKS], watches[TRACE_WATCHES];
    uint32_t slots_changed; /* by the tracer */
};

/** Which of the process's memory a slot stands for. In struct process: what the engine has been told to watch. */
struct trace_range {
    uint64_t start, size;
    uint32_t read, write;
};
struct trace_ranges {
    struct trace_range list[16];
    unsigned count;
};

/** Guest code that a tracer has written: to be invalidated by the first thread that runs on. In struct process. */
struct trace_changes {
    uint64_t start, end;
};

/* The value that the SIGTRAP of a tracer carries: TRACE_ASK_VALUE | TRACE_ASK_* | signal << 8. */
#define TRACE_ASK_VALUE UINT64_C(0x6472676d00000000)
#define TRACE_ASK_MASK UINT64_C(0xffffffff00000000)
#define TRACE_ASK_ATTACH 1u
#define TRACE_ASK_SEIZE 2u  /* with ATTACH */
#define TRACE_ASK_STOP 4u   /* as if `signal` had been sent */
#define TRACE_ASK_INTERRUPT 8u
#define TRACE_ASK_PARK 16u /* from core.c: the process dies */

/** What struct trace, and the structures that it points to, look like: another dragoman may be of another version. */
#define TRACE_MAGIC (UINT64_C(0x6472676f6d616e00) ^ sizeof(struct trace) << 40 ^ sizeof(struct a64_cpu) ^ sizeof(struct process) << 16)

/* ---- traced.c: the traced thread about itself; nothing happens when there is no tracer -------------------------------------- */

/** PTRACE_TRACEME. */
int64_t trace_me(struct thread *thread);
/** The program was started by an execve of a traced thread. */
void trace_start_traced(struct thread *thread);
/** From a new thread's or process's start: `parent` is a copy of its creator's state; `attached`: the host has attached its
    tracer to it. */
void trace_start_child(struct thread *thread, const struct trace *parent, bool attached);
/** True when the host attaches the tracer of `thread` to what clone with these flags makes. */
bool trace_follows(const struct thread *thread, uint64_t flags);

/** Answers what the tracer has asked for. To be called before guest code runs on. */
void trace_answer(struct thread *thread);
/** The stop before the delivery of a signal. Returns the signal to deliver, perhaps with another *info; 0: none. */
int trace_signal(struct thread *thread, siginfo_t *info);
/** Stops the process as the default action of a signal does. */
void trace_stop_process(struct thread *thread, int signal);
/** The stops at a system call's entry and exit. False: the tracer does not want the call to be made. */
bool trace_entry(struct thread *thread);
void trace_exit(struct thread *thread);
/** SECCOMP_RET_TRACE. False when nobody listens. */
bool trace_seccomp(struct thread *thread, uint16_t data);
/** After TRAP_DEBUG: stops for a slot of this thread's; passes over the instruction if it was for another thread's. Returns what that
    gave, TRAP_NONE if there is nothing more to do. */
enum cpu_trap trace_debug(struct thread *thread);
/** Executes one instruction for TRACE_STEP and makes the stop after it. */
void trace_step(struct thread *thread);

/** From the signal handler: true when the SIGTRAP was a tracer's question, or a stop that nobody listens to any more. */
bool trace_handle_trap(struct thread *thread, const siginfo_t *info, void *context);

static inline bool trace_is_on(const struct trace *trace) { return __builtin_expect(trace->attached | trace->asked, 0); }

#endif

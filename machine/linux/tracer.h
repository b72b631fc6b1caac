/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What this process traces: see trace.h. All of it belongs to process->tracees, made at the first use. */
#ifndef DRAGOMAN_MACHINE_LINUX_TRACER_H
#define DRAGOMAN_MACHINE_LINUX_TRACER_H

#include <pthread.h>

#include "machine/linux/process.h"

/** How a thread that is stopped got there. */
enum tracee_state {
    TRACEE_RUNS,
    TRACEE_TOLD,  /* it described its stop itself */
    TRACEE_EVENT, /* the host made the stop: in fork, vfork, clone, exit */
    TRACEE_GROUP, /* its process was stopped */
};

struct tracee {
    pid_t tid;
    enum tracee_state state;
    bool seized, listening;
    bool interrupt;    /* PTRACE_INTERRUPT before it has arrived */
    bool arrived;      /* has told where its description is: */
    uint64_t address;  /* of struct trace there */
    struct trace copy; /* as it was at the last stop; what changes here is written back when it runs on */
    uint32_t options;
    uint32_t resume;   /* what to do once it arrives */
    uint64_t former;   /* message of PTRACE_EVENT_EXEC */
    struct tracee *next;
};

/** Null when there is none. */
struct tracee *tracer_tracee(struct process *process, pid_t tid);
/** NULL when out of memory. */
struct tracee *tracer_add(struct process *process, pid_t tid);
void tracer_remove(struct process *process, pid_t tid);

/** The guest's registers of a thread that is stopped and has arrived. `set` false: read. */
int64_t tracer_register_set(struct tracee *t, uint64_t type, uint64_t vector, bool set);

/** One of these sets as a note of a core file or PTRACE_GETREGSET has it; its size, 0 if there is none of the type. */
size_t registers_describe(const struct a64_cpu *cpu, uint64_t type, void *set);

/**
 * After a host wait said that `tid` has *status: false if that is nothing for the guest (the thread has been sent on); else
 * *status is what the guest is to see. To be called by the thread that traces it.
 */
bool tracer_take_status(struct thread *thread, pid_t tid, int *status);

/** The guest has opened /proc/PID/mem to write: what it writes to code is to be made known there. */
void tracer_memory_opened(struct process *process, pid_t pid, int fd);

int64_t tracer_ptrace(int request, pid_t tid, uint64_t address, uint64_t data);
bool tracer_read(pid_t tid, uint64_t address, void *to, size_t size);
bool tracer_write(pid_t tid, uint64_t address, const void *from, size_t size);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads of the guest: their beginning, the loop that runs one, the end. What makes them is in clone.c. */
#ifndef DRAGOMAN_MACHINE_LINUX_THREAD_H
#define DRAGOMAN_MACHINE_LINUX_THREAD_H

#include "machine/linux/process.h"

/** The first thread of the process, on the calling host thread. NULL when out of memory. */
struct thread *thread_first(struct process *process);
/** Another one, not running yet; thread_register() puts it into the process's list. NULL when out of memory. */
struct thread *thread_new(struct process *process);
void thread_free(struct thread *thread);
void thread_register(struct thread *thread);
/** The registers, without what belongs to the engine. */
void thread_copy_registers(struct a64_cpu *to, const struct a64_cpu *from);
/** Does what CLONE_CHILD_CLEARTID has asked for. */
void thread_clear_tid(struct thread *thread);
/** New random keys of pointer authentication: bits of enum a64_pac_key. */
void thread_reset_keys(struct thread *thread, uint32_t which);
/** Runs guest code until the thread ends; then ends the host thread's part in it. */
void thread_loop(struct thread *thread);

/** exec.c: what an execve that succeeded has left behind; NULL is fine. */
struct exec_plan;
void exec_plan_free(struct exec_plan *plan);

#endif

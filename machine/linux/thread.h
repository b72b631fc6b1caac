/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Threads and processes of the guest: the loop that runs one, clone in its three meanings, and the ends. */
#ifndef DRAGOMAN_MACHINE_LINUX_THREAD_H
#define DRAGOMAN_MACHINE_LINUX_THREAD_H

#include "machine/linux/process.h"

/** The first thread of the process, on the calling host thread. NULL when out of memory. */
struct thread *thread_first(struct process *process);
/** New random keys of pointer authentication: bits of enum a64_pac_key. */
void thread_reset_keys(struct thread *thread, uint32_t which);
/** Runs guest code until the thread ends; then ends the host thread's part in it. */
void thread_loop(struct thread *thread);

/** exec.c: what an execve that succeeded has left behind; NULL is fine. */
struct exec_plan;
void exec_plan_free(struct exec_plan *plan);

#endif

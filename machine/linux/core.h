/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Core files of the guest, in place of the host's, which would be of dragoman: arm64 ELF core files as Linux writes them, with
 * the guest's mappings and the registers of all its threads, for gdb.
 *
 * Where: as /proc/sys/kernel/core_pattern says, if that names a file; if it names a program, which could only be given
 * dragoman, it is "core" in the current folder. RLIMIT_CORE and the guest's being dumpable (prctl) are heeded.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_CORE_H
#define DRAGOMAN_MACHINE_LINUX_CORE_H

#include <signal.h>
#include <stdbool.h>

struct thread;

/** True for the signals whose default action is a core file. */
bool core_is_due(int signal);
/** True when RLIMIT_CORE lets there be one. */
bool core_is_allowed(void);

/**
 * Before `thread` dies by *info: stops the other threads for good, writes the file, and sees to it that the host writes none
 * that could be found (but where it can, notes for wait() that there was one).
 */
void core_dump(struct thread *thread, const siginfo_t *info);

/** From trace_answer(): another thread writes the core file. Does not come back. */
_Noreturn void core_park(struct thread *thread);

#endif

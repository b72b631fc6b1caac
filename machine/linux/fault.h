/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest instructions that cannot go on: turned into the signal that Linux on arm64 would send, or into the process's end. */
#ifndef DRAGOMAN_MACHINE_LINUX_FAULT_H
#define DRAGOMAN_MACHINE_LINUX_FAULT_H

#include <ucontext.h>

#include "machine/linux/process.h"

/** Any trap but TRAP_SYSCALL and TRAP_INTERRUPT. */
void fault_trap(struct thread *thread, enum cpu_trap trap);

/** The default action of a signal of the fatal kind: death by that signal; after a fault (`forced`), one line on stderr. */
_Noreturn void fault_terminate(struct thread *thread, const siginfo_t *info, bool forced, uint64_t address);

/** A fault of dragoman's own code. Called from the signal handler. */
_Noreturn void fault_internal(int signal, uint64_t address, const ucontext_t *uc);

/** symbols.c: writes "name+0x12" for a guest address, or "file+0x123", or an empty string. Reads the files of the guest. */
void symbol_describe(uint64_t address, char *text, size_t size);

#endif

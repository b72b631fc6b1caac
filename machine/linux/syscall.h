/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * System calls of arm64 Linux: rows of syscalls.inc. A row is passed straight to the host (PASS: same arguments and
 * structures on both), has a function here (OWN), or is refused with ENOSYS as by a kernel built without it (NONE).
 */
#ifndef DRAGOMAN_MACHINE_LINUX_SYSCALL_H
#define DRAGOMAN_MACHINE_LINUX_SYSCALL_H

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct thread;

typedef int64_t syscall_function(struct thread *thread, const uint64_t a[6]);

/**
 * Kinds of arguments, a letter each: d descriptor, i signed, u unsigned, x hexadecimal, o octal, p path that may be under the
 * sysroot (the last link followed), P the same with the last link not followed, s string, f open flags, M mmap protection,
 * F mmap flags, g signal, a address. A '*' in front: the result is an address.
 */
struct syscall_row {
    const char *name;
    const char *kinds;
    syscall_function *function; /* NULL: pass */
    int host;                   /* number of the host's call, or -1 */
};

/** Executes the system call in the thread's registers and sets its result. */
void syscall_run(struct thread *thread);

/** strace.c: the line before the call, up to and including the closing parenthesis; and the result. */
size_t strace_format_call(char *line, size_t size, int tid, unsigned number, const struct syscall_row *row, const uint64_t a[6]);
size_t strace_format_result(char *line, size_t size, const struct syscall_row *row, int64_t result);

#define PASS(number, name, kinds)
#define PASS_AS(number, name, host, kinds)
#define OWN(number, name, kinds) syscall_function sys_##name;
#define NONE(number, name, kinds, reason)
#include "machine/linux/syscalls.inc"
#undef PASS
#undef PASS_AS
#undef OWN
#undef NONE

/** Open flags whose values differ between arm64 and x86-64. */
int open_flags_to_host(uint64_t guest);
uint64_t open_flags_to_guest(int host);
/** Either way, for a word of 64 bits. */
uint64_t open_flags_exchange(uint64_t flags);
/** The path to give to the host for an open: one of the files of procfs.c is opened here, *fd then is its descriptor. */
uint64_t syscall_open_path(struct thread *thread, uint64_t guest, uint64_t host_flags, char buffer[PATH_MAX], int64_t *fd);

/** Begins a wait with the guest's mask at `address`. *host receives the address of the host mask in `storage`, 0 for none. */
int64_t syscall_wait_begin(struct thread *thread, uint64_t address, uint64_t size, uint64_t *storage, uint64_t *host);
/** When the wait was interrupted, the signal is delivered under the mask of the wait; else that is over. */
int64_t syscall_wait_end(struct thread *thread, int64_t result);

#endif

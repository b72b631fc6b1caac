/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest memory seen from C, and the host system calls made for the guest.
 *
 * A bad guest pointer must become EFAULT, never a crash: the copies below are few instructions of assembly whose addresses
 * the signal handler knows (guest_access_fixup), so that a fault in them makes them return an error.
 *
 * host_syscall() closes the classical race between a signal and a system call about to block: the test for a pending
 * signal and the system call are one restartable sequence. The handler, when it finds the thread inside, makes it return
 * -RESULT_RESTART, and the guest's SVC is executed again after the signal was delivered.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_GUEST_ACCESS_H
#define DRAGOMAN_MACHINE_LINUX_GUEST_ACCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

struct thread;

/** Result of a system call that has not happened (or whose interruption the kernel wants to hide): deliver signals, redo. */
#define RESULT_RESTART 512
/** Result of a function that has itself set the guest's registers (rt_sigreturn). */
#define RESULT_NONE 513

/** False when some byte is not accessible; part of the bytes may have been copied then. */
bool guest_read(void *to, uint64_t from, size_t size);
bool guest_write(uint64_t to, const void *from, size_t size);
/** Copies a string of less than `size` bytes; returns its length, -EFAULT, or -ENAMETOOLONG. */
int64_t guest_read_string(char *to, uint64_t from, size_t size);
/** Atomic compare and exchange of a word; *seen receives what was there. False when not accessible. */
bool guest_cas32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *seen);

/** A host system call with raw arguments; returns its result or -errno, -RESULT_RESTART when a signal is to be delivered first. */
int64_t host_syscall_raw(const int *pending, long number, const uint64_t arguments[6]);
int64_t host_syscall(struct thread *thread, long number, const uint64_t arguments[6]);
#define HOST_SYSCALL(thread, number, ...) host_syscall(thread, number, (const uint64_t[6]){__VA_ARGS__})

/** The same without the test: for calls on dragoman's own behalf, and after which the thread ends. Never touches errno. */
int64_t raw_syscall(long number, const uint64_t arguments[6]);
#define RAW_SYSCALL(number, ...) raw_syscall(number, (const uint64_t[6]){__VA_ARGS__})

/** From the signal handler: true when the fault at `uc` was in one of the copies, which will now report it. */
bool guest_access_fixup(ucontext_t *uc);
/** From the signal handler: makes a host_syscall() that has not entered the kernel (or is about to enter it again) return. */
void host_syscall_interrupt(const struct thread *thread, ucontext_t *uc);
/** Return address for host signal handlers (the kernel wants SA_RESTORER). */
void host_sigreturn(void);

#endif

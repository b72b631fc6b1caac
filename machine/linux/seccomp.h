/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * seccomp of the guest. Its filters judge the guest's system calls: arm64 numbers, the guest's registers and program counter.
 * The host knows nothing of them, so that what dragoman itself needs is never refused; to the guest there is no way round
 * them, because each of its calls comes through seccomp_admit().
 *
 * Filters are immutable and counted: threads and processes share those that they have inherited. Over execve they go to the
 * next dragoman in a memory file.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_SECCOMP_H
#define DRAGOMAN_MACHINE_LINUX_SECCOMP_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct seccomp_filter;
struct thread;

/** In struct thread. Other threads write it when they synchronise theirs: the mode last. */
struct seccomp {
    uint32_t mode;             /* SECCOMP_MODE_* */
    uint32_t no_new_privs;     /* a synchronising thread wants this one to have it, too */
    struct seccomp_filter *filters; /* the newest */
};

/** Before a system call. False: it is not to be made, and its result is *result. A tracer may change *number. */
bool seccomp_admit(struct thread *thread, uint64_t *number, int64_t *result);

/** seccomp(2), and what prctl has of it. */
int64_t seccomp_call(struct thread *thread, uint64_t operation, uint64_t flags, uint64_t argument);

/**
 * seccomp_notify.c: SECCOMP_RET_USER_NOTIF. A descriptor that is told of the thread's notifications, or -errno; asking there: true when
 * the call is to be made after all, else *result is what it gives; and the two ioctls whose structures say more than the host
 * knows.
 */
int64_t seccomp_listen(struct thread *thread, uint64_t flags);
bool seccomp_notify(struct thread *thread, uint64_t number, int64_t *result);
int64_t seccomp_receive(struct thread *thread, const uint64_t a[6]);
int64_t seccomp_respond(struct thread *thread, const uint64_t a[6]);

/** For a thread that has just been registered; `parent` waits. */
void seccomp_inherit(struct thread *thread, const struct thread *parent);
void seccomp_release(struct thread *thread);

/** A descriptor from which seccomp_import() of another process reads mode and filters, or -errno. */
int64_t seccomp_export(const struct thread *thread);
/** Closes it. False when it is not one of those. */
bool seccomp_import(struct thread *thread, int fd);

/** The lines of /proc/self/status. */
void seccomp_print(const struct thread *thread, FILE *out);

#endif

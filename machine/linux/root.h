/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a change of the guest's root directory or mounts takes away from dragoman: its own executable, needed to start the
 * guest's next program, and the meaning of the sysroot.
 *
 * While /proc/self/exe leads to the executable, nothing is held. Before the first call that may change that (chroot,
 * pivot_root, mount, setns …) the executable is opened, and each dragoman hands it to the next (-selffd). A process started
 * where there is no /proc opens it by the name it was started with. The guest can neither close that descriptor nor the log's,
 * nor put another file in its place. An executable linked statically then runs under any root.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_ROOT_H
#define DRAGOMAN_MACHINE_LINUX_ROOT_H

#include <stdbool.h>

struct options;

struct guest_root {
    const char *sysroot; /* without a trailing slash; NULL: none */
    char **carry;        /* options to start another program with, NULL-terminated */
    int executable;      /* descriptor of dragoman itself; -1: /proc/self/exe is it */
};

void root_init(struct guest_root *root, const struct options *options);

/** Whether dragoman can be executed again; else the host has to know what to do with a program for arm64. */
bool root_has_self(const struct guest_root *root);

struct process;
/** True for a descriptor of dragoman's own: to the guest there is none of that number. */
bool root_is_own_descriptor(const struct process *process, int fd);

/** Executes dragoman itself; returns only with -errno. `thread` may be interrupted before. */
struct thread;
long root_execute_self(struct thread *thread, char **arguments, char **environment);

#endif

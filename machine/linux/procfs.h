/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files under /proc and /sys that must speak of the guest and its machine instead of dragoman and the host. */
#ifndef DRAGOMAN_MACHINE_LINUX_PROCFS_H
#define DRAGOMAN_MACHINE_LINUX_PROCFS_H

#include <stddef.h>
#include <stdint.h>

struct process;

/** If `path` (of the guest) is such a file: opens a copy of what it should hold, returns its descriptor or -errno. -ENOENT
    for all other files, which the caller opens as usual. */
int64_t procfs_open(struct process *process, const char *path, int host_flags);

/** The target of /proc/PID/exe of a process that runs under dragoman, this one included; its length, or -ENOENT for other paths. */
int64_t procfs_exe(const struct process *process, const char *path, char *target, size_t size);

/** At the start: where arguments, environment and auxiliary vector are, for those who look at /proc/PID from outside. */
void procfs_tell_kernel(struct process *process);

#endif

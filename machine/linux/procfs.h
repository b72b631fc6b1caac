/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files under /proc that must speak of the guest instead of dragoman. */
#ifndef DRAGOMAN_MACHINE_LINUX_PROCFS_H
#define DRAGOMAN_MACHINE_LINUX_PROCFS_H

#include <stdint.h>

struct process;

/** If `path` (of the guest) is such a file: opens a copy of what it should hold, returns its descriptor or -errno. -ENOENT
    for all other files, which the caller opens as usual. */
int64_t procfs_open(struct process *process, const char *path, int host_flags);

#endif

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the guest: absolute ones are looked for under the sysroot (-L) first, as QEMU does for calls that read; the links
 * /proc/self/exe and its like lead to the guest's program instead of dragoman.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_PATH_H
#define DRAGOMAN_MACHINE_LINUX_PATH_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

struct options;
struct process;

/** Host path for a guest path: `path` itself or one in `buffer`. `follow`: a symbolic link at its end is followed by the
    call; one with an absolute target is then followed here, because its target is a guest path too. */
const char *path_resolve(const struct process *process, const char *path, bool follow, char buffer[PATH_MAX]);

/** For a path argument of a system call: the pointer to give to the host, `guest` itself when nothing is to be changed
    (the kernel then finds what is wrong with it), else `buffer`. */
uint64_t path_argument(const struct process *process, uint64_t guest, bool follow, char buffer[PATH_MAX]);

/** If `path` is /proc/self/NAME, /proc/thread-self/NAME or /proc/PID/NAME of this process: NAME; else NULL. */
const char *path_own_proc(const char *path);

#endif

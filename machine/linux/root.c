/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/root.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"
#include "machine/linux/thread.h"

#define SELF "/proc/self/exe"
#define HIGH_DESCRIPTOR 960 /* where guests rarely look */

/** Moves a descriptor of ours to a high number where the limit allows it; closed by execve. */
static int move_high(int fd)
{
    if (fd < 0)
        return -1;
    struct rlimit limit;
    int minimum = HIGH_DESCRIPTOR;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < HIGH_DESCRIPTOR + 16)
        minimum = limit.rlim_cur > 32 ? (int)limit.rlim_cur - 16 : 0;
    int high = fcntl(fd, F_DUPFD_CLOEXEC, minimum);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/** Before a call that may take /proc/self/exe away. */
static void keep_executable(struct guest_root *root)
{
    if (root->executable < 0)
        root->executable = move_high(open(SELF, O_PATH | O_CLOEXEC));
}

void root_init(struct guest_root *root, const struct options *options)
{
    root->sysroot = options->sysroot;
    root->carry = options->carry;
    root->executable = options->self_fd;
    if (root->executable >= 0 && fcntl(root->executable, F_SETFD, FD_CLOEXEC) < 0)
        root->executable = -1;
    const char *name = (const char *)getauxval(AT_EXECFN);
    if (root->executable < 0 && access(SELF, X_OK) < 0 && name)
        root->executable = move_high(open(name, O_PATH | O_CLOEXEC));
}

bool root_has_self(const struct guest_root *root)
{
    return root->executable >= 0 || access(SELF, X_OK) == 0;
}

long root_execute_self(struct thread *thread, char **arguments, char **environment)
{
    int fd = thread->process->root.executable;
    if (fd < 0)
        return HOST_SYSCALL(thread, SYS_execve, (uint64_t)SELF, (uint64_t)arguments, (uint64_t)environment);
    fcntl(fd, F_SETFD, 0);
    long result = HOST_SYSCALL(thread, SYS_execveat, (uint64_t)(int64_t)fd, (uint64_t)"", (uint64_t)arguments,
                               (uint64_t)environment, AT_EMPTY_PATH);
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    return result;
}

/* ---- the guest's descriptors ------------------------------------------------------------------------------------------------ */

/** The lowest of dragoman's own descriptors from `first` to `last`; -1: none. */
static int64_t first_own(const struct process *process, uint64_t first, uint64_t last)
{
    FILE *log = process->options->engine.log_file;
    int own[2 + GDB_DESCRIPTORS + PERF_MAP_DESCRIPTORS] = {process->root.executable, log && log != stderr ? fileno(log) : -1};
    size_t count = 2;
    if (process->gdb)
        count += gdb_descriptors(process->gdb, own + count);
    if (process->perf)
        count += perf_map_descriptors(process->perf, own + count);
    int64_t found = -1;
    for (size_t i = 0; i < count; i++) {
        if (own[i] >= 0 && (uint64_t)own[i] >= first && (uint64_t)own[i] <= last && (found < 0 || own[i] < found))
            found = own[i];
    }
    return found;
}

bool root_is_own_descriptor(const struct process *process, int fd)
{
    return first_own(process, (uint32_t)fd, (uint32_t)fd) >= 0;
}

int64_t sys_close(struct thread *thread, const uint64_t a[6])
{
    if (first_own(thread->process, (uint32_t)a[0], (uint32_t)a[0]) >= 0)
        return -EBADF;
    return HOST_SYSCALL(thread, SYS_close, a[0]);
}

int64_t sys_dup3(struct thread *thread, const uint64_t a[6])
{
    struct guest_root *root = &thread->process->root;
    if (first_own(thread->process, (uint32_t)a[0], (uint32_t)a[0]) >= 0)
        return -EBADF;
    if (first_own(thread->process, (uint32_t)a[1], (uint32_t)a[1]) >= 0) {
        int moved = (int)a[1] == root->executable ? fcntl(root->executable, F_DUPFD_CLOEXEC, root->executable + 1) : -1;
        if (moved < 0)
            return -EBADF;
        root->executable = moved;
    }
    return HOST_SYSCALL(thread, SYS_dup3, a[0], a[1], a[2]);
}

int64_t sys_close_range(struct thread *thread, const uint64_t a[6])
{
    uint64_t first = a[0] & UINT32_MAX, last = a[1] & UINT32_MAX;
    uint64_t flags = a[2] & UINT32_MAX;
    if (flags & CLOSE_RANGE_UNSHARE) /* or the compile thread would keep open what is closed here */
        engine_stop_compiling(thread->process->engine);
    /* The own ones are closed by execve anyway. */
    int64_t own = flags & CLOSE_RANGE_CLOEXEC ? -1 : first_own(thread->process, first, last);
    if (own < 0)
        return HOST_SYSCALL(thread, SYS_close_range, first, last, flags);
    int64_t result = 0;
    if ((uint64_t)own > first)
        result = HOST_SYSCALL(thread, SYS_close_range, first, (uint64_t)own - 1, flags);
    if (result == 0 && (uint64_t)own < last)
        result = sys_close_range(thread, (const uint64_t[6]){(uint64_t)own + 1, last, flags});
    return result;
}

/* ---- calls that change the root or what is mounted ------------------------------------------------------------------------ */

/** The options to carry without -L: under a new root it names nothing. */
static void forget_sysroot(struct guest_root *root)
{
    size_t n = 0, kept = 0;
    while (root->carry[n])
        n++;
    char **carry = malloc((n + 1) * sizeof *carry);
    if (!carry)
        return;
    for (size_t i = 0; i < n; i++) {
        if (i + 1 < n && root->carry[i + 1] == root->sysroot)
            i++;
        else
            carry[kept++] = root->carry[i];
    }
    carry[kept] = NULL;
    root->carry = carry; /* the former list may be the options' */
    root->sysroot = NULL;
}

int64_t sys_chroot(struct thread *thread, const uint64_t a[6])
{
    char buffer[PATH_MAX];
    struct guest_root *root = &thread->process->root;
    keep_executable(root);
    int64_t result = HOST_SYSCALL(thread, SYS_chroot, path_argument(thread->process, a[0], true, buffer));
    if (result == 0 && root->sysroot)
        forget_sysroot(root);
    return result;
}

/* None of their paths is looked for under the sysroot: who mounts means the host's tree. */
#define KEEPS(call)                                                                                                            \
    int64_t sys_##call(struct thread *thread, const uint64_t a[6])                                                             \
    {                                                                                                                          \
        keep_executable(&thread->process->root);                                                                               \
        return host_syscall(thread, SYS_##call, a);                                                                            \
    }
KEEPS(mount)
KEEPS(umount2)
KEEPS(pivot_root)
KEEPS(move_mount)
#undef KEEPS

/* Some of what these do, the kernel refuses to a process of several threads. */
int64_t sys_setns(struct thread *thread, const uint64_t a[6])
{
    keep_executable(&thread->process->root);
    engine_stop_compiling(thread->process->engine);
    return host_syscall(thread, SYS_setns, a);
}

int64_t sys_unshare(struct thread *thread, const uint64_t a[6])
{
    keep_executable(&thread->process->root);
    engine_stop_compiling(thread->process->engine);
    return host_syscall(thread, SYS_unshare, a);
}

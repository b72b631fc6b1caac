/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files: calls whose flags or structures differ between arm64 and x86-64, and those that look at /proc. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"
#include "machine/linux/procfs.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

/*
 * arm64 has O_DIRECTORY, O_NOFOLLOW, O_DIRECT, O_LARGEFILE as bits 14, 15, 16, 17 (asm/fcntl.h), x86-64 has O_DIRECT,
 * O_LARGEFILE, O_DIRECTORY, O_NOFOLLOW there: the two pairs change places. All other flags agree.
 */
uint64_t open_flags_exchange(uint64_t flags)
{
    return (flags & ~UINT64_C(0x3c000)) | (flags & 0xc000) << 2 | (flags & 0x30000) >> 2;
}

int open_flags_to_host(uint64_t guest)
{
    return (int)open_flags_exchange(guest & UINT32_MAX);
}

uint64_t open_flags_to_guest(int host)
{
    return open_flags_exchange((unsigned)host);
}

uint64_t syscall_open_path(struct thread *thread, uint64_t guest, uint64_t host_flags, char buffer[PATH_MAX], int64_t *fd)
{
    char start[6], path[PATH_MAX];
    *fd = -ENOENT;
    if (guest_read(start, guest, sizeof start) && (memcmp(start, "/proc/", 6) == 0 || memcmp(start, "/sys/d", 6) == 0) &&
        guest_read_string(path, guest, sizeof path) > 0)
        *fd = procfs_open(thread->process, path, (int)host_flags);
    bool follow = !(host_flags & O_NOFOLLOW) && (host_flags & (O_CREAT | O_EXCL)) != (O_CREAT | O_EXCL);
    return path_argument(thread->process, guest, follow, buffer);
}

int64_t sys_openat(struct thread *thread, const uint64_t a[6])
{
    char buffer[PATH_MAX];
    int64_t fd;
    uint64_t flags = (uint64_t)open_flags_to_host(a[2]);
    uint64_t path = syscall_open_path(thread, a[1], flags, buffer, &fd);
    return fd != -ENOENT ? fd : HOST_SYSCALL(thread, SYS_openat, a[0], path, flags, a[3]);
}

int64_t sys_openat2(struct thread *thread, const uint64_t a[6])
{
    struct open_how how[8] = {{0}}; /* room for what later kernels may have added */
    char buffer[PATH_MAX];
    int64_t fd;
    if (a[3] < sizeof how[0])
        return -EINVAL;
    if (a[3] > sizeof how)
        return -E2BIG;
    if (!guest_read(how, a[2], a[3]))
        return -EFAULT;
    how[0].flags = open_flags_exchange(how[0].flags);
    uint64_t path = syscall_open_path(thread, a[1], how[0].flags, buffer, &fd);
    return fd != -ENOENT ? fd : HOST_SYSCALL(thread, SYS_openat2, a[0], path, (uint64_t)how, a[3]);
}

int64_t sys_open_by_handle_at(struct thread *thread, const uint64_t a[6])
{
    return HOST_SYSCALL(thread, SYS_open_by_handle_at, a[0], a[1], (uint64_t)open_flags_to_host(a[2]));
}

int64_t sys_fanotify_init(struct thread *thread, const uint64_t a[6])
{
    return HOST_SYSCALL(thread, SYS_fanotify_init, a[0], (uint64_t)open_flags_to_host(a[1]));
}

int64_t sys_pipe2(struct thread *thread, const uint64_t a[6])
{
    return HOST_SYSCALL(thread, SYS_pipe2, a[0], (uint64_t)open_flags_to_host(a[1]));
}

int64_t sys_fcntl(struct thread *thread, const uint64_t a[6])
{
    uint64_t argument = a[1] == F_SETFL ? (uint64_t)open_flags_to_host(a[2]) : a[2];
    int64_t result = HOST_SYSCALL(thread, SYS_fcntl, a[0], a[1], argument);
    return a[1] == F_GETFL && result >= 0 ? (int64_t)open_flags_to_guest((int)result) : result;
}

int64_t sys_readlinkat(struct thread *thread, const uint64_t a[6])
{
    char path[PATH_MAX], buffer[PATH_MAX];
    if (guest_read_string(path, a[1], sizeof path) > 0) {
        int64_t found = -ENOENT;
        if (strncmp(path, "/proc/", 6) == 0)
            found = procfs_exe(thread->process, path, buffer, sizeof buffer);
        if (found >= 0 && (int64_t)a[3] <= 0)
            return -EINVAL;
        if (found >= 0) {
            size_t length = (uint64_t)found < a[3] ? (size_t)found : a[3];
            return guest_write(a[2], buffer, length) ? (int64_t)length : -EFAULT;
        }
    }
    return HOST_SYSCALL(thread, SYS_readlinkat, a[0], path_argument(thread->process, a[1], false, buffer), a[2], a[3]);
}

/* ---- stat -------------------------------------------------------------------------------------------------------------------- */

/** asm-generic/stat.h */
struct guest_stat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, pad1;
    int64_t size;
    int32_t blksize, pad2;
    int64_t blocks;
    int64_t atime, atime_nsec, mtime, mtime_nsec, ctime, ctime_nsec;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct guest_stat) == 128, "struct stat of arm64");

static int64_t put_stat(uint64_t to, const struct stat *host)
{
    struct guest_stat guest = {
        .dev = host->st_dev,
        .ino = host->st_ino,
        .mode = host->st_mode,
        .nlink = (uint32_t)host->st_nlink,
        .uid = host->st_uid,
        .gid = host->st_gid,
        .rdev = host->st_rdev,
        .size = host->st_size,
        .blksize = (int32_t)host->st_blksize,
        .blocks = host->st_blocks,
        .atime = host->st_atim.tv_sec,
        .atime_nsec = host->st_atim.tv_nsec,
        .mtime = host->st_mtim.tv_sec,
        .mtime_nsec = host->st_mtim.tv_nsec,
        .ctime = host->st_ctim.tv_sec,
        .ctime_nsec = host->st_ctim.tv_nsec,
    };
    return guest_write(to, &guest, sizeof guest) ? 0 : -EFAULT;
}

int64_t sys_newfstatat(struct thread *thread, const uint64_t a[6])
{
    char buffer[PATH_MAX];
    struct stat host;
    uint64_t path = path_argument(thread->process, a[1], !(a[3] & AT_SYMLINK_NOFOLLOW), buffer);
    int64_t result = HOST_SYSCALL(thread, SYS_newfstatat, a[0], path, (uint64_t)&host, a[3]);
    return result < 0 ? result : put_stat(a[2], &host);
}

int64_t sys_fstat(struct thread *thread, const uint64_t a[6])
{
    struct stat host;
    int64_t result = HOST_SYSCALL(thread, SYS_fstat, a[0], (uint64_t)&host);
    return result < 0 ? result : put_stat(a[1], &host);
}

int64_t sys_statx(struct thread *thread, const uint64_t a[6])
{
    char buffer[PATH_MAX];
    uint64_t path = path_argument(thread->process, a[1], !(a[2] & AT_SYMLINK_NOFOLLOW), buffer);
    return HOST_SYSCALL(thread, SYS_statx, a[0], path, a[2], a[3], a[4]);
}

/* ---- waiting for events --------------------------------------------------------------------------------------------------------- */

int64_t syscall_wait_begin(struct thread *thread, uint64_t address, uint64_t size, uint64_t *storage,
                           uint64_t *host)
{
    uint64_t mask;
    *host = 0;
    if (!address)
        return 0;
    if (size != 8)
        return -EINVAL;
    if (!guest_read(&mask, address, sizeof mask))
        return -EFAULT;
    *storage = signals_host_mask(mask);
    *host = (uint64_t)storage;
    return signals_begin_wait(thread, mask);
}

int64_t syscall_wait_end(struct thread *thread, int64_t result)
{
    if (result != -EINTR && !signals_came_by_wait(thread))
        signals_end_wait(thread);
    return result;
}

int64_t sys_ppoll(struct thread *thread, const uint64_t a[6])
{
    uint64_t storage, mask;
    int64_t result = syscall_wait_begin(thread, a[3], a[4], &storage, &mask);
    return result < 0 ? result : syscall_wait_end(thread, HOST_SYSCALL(thread, SYS_ppoll, a[0], a[1], a[2], mask, 8));
}

int64_t sys_pselect6(struct thread *thread, const uint64_t a[6])
{
    uint64_t storage, guest[2] = {0, 0}, host[2] = {0, 8};
    if (a[5] && !guest_read(guest, a[5], sizeof guest))
        return -EFAULT;
    int64_t result = syscall_wait_begin(thread, guest[0], guest[1], &storage, &host[0]);
    if (result < 0)
        return result;
    return syscall_wait_end(thread, HOST_SYSCALL(thread, SYS_pselect6, a[0], a[1], a[2], a[3], a[4], (uint64_t)host));
}

/** arm64 does not pack it. */
struct guest_epoll_event {
    uint32_t events, pad;
    uint64_t data;
};

int64_t sys_epoll_ctl(struct thread *thread, const uint64_t a[6])
{
    struct guest_epoll_event guest;
    struct epoll_event host;
    if (a[1] == EPOLL_CTL_DEL)
        return HOST_SYSCALL(thread, SYS_epoll_ctl, a[0], a[1], a[2], 0);
    if (!guest_read(&guest, a[3], sizeof guest))
        return -EFAULT;
    host.events = guest.events;
    host.data.u64 = guest.data;
    return HOST_SYSCALL(thread, SYS_epoll_ctl, a[0], a[1], a[2], (uint64_t)&host);
}

/**
 * Makes of the host's events, which the kernel has put at `at`, the guest's, which are longer: the last one first. Where memory
 * ends in between, those before it count, as with the kernel.
 */
static int64_t events_to_guest(uint64_t at, int64_t count)
{
    int64_t complete = count;
    for (int64_t i = count - 1; i >= 0; i--) {
        struct epoll_event host;
        if (!guest_read(&host, at + (uint64_t)i * sizeof host, sizeof host))
            return -EFAULT;
        struct guest_epoll_event guest = {host.events, 0, host.data.u64};
        if (!guest_write(at + (uint64_t)i * sizeof guest, &guest, sizeof guest))
            complete = i;
    }
    return complete ? complete : -EFAULT;
}

/** The two calls differ in their timeout: milliseconds or a struct timespec. */
static int64_t epoll_wait_common(struct thread *thread, long call, const uint64_t a[6])
{
    uint64_t storage, mask, count = a[2];
    if ((int)count > INT_MAX / (int)sizeof(struct guest_epoll_event)) /* EP_MAX_EVENTS */
        count = 0; /* is EINVAL, too */
    int64_t result = syscall_wait_begin(thread, a[4], a[5], &storage, &mask);
    if (result < 0)
        return result;
    result = syscall_wait_end(thread, HOST_SYSCALL(thread, call, a[0], a[1], count, a[3], mask, 8));
    return result > 0 ? events_to_guest(a[1], result) : result;
}

int64_t sys_epoll_pwait(struct thread *thread, const uint64_t a[6])
{
    return epoll_wait_common(thread, SYS_epoll_pwait, a);
}

int64_t sys_epoll_pwait2(struct thread *thread, const uint64_t a[6])
{
    return epoll_wait_common(thread, SYS_epoll_pwait2, a);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/path.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/procfs.h"

#define MAX_LINKS 16

const char *path_own_proc(const char *path)
{
    if (strncmp(path, "/proc/", 6) != 0)
        return NULL;
    path += 6;
    if (strncmp(path, "self/", 5) == 0)
        return path + 5;
    if (strncmp(path, "thread-self/", 12) == 0)
        return path + 12;
    char *end;
    if (*path < '1' || *path > '9')
        return NULL;
    unsigned long id = strtoul(path, &end, 10);
    return id == (unsigned long)getpid() && *end == '/' ? end + 1 : NULL;
}

const char *path_resolve(const struct process *process, const char *path, bool follow, char buffer[PATH_MAX])
{
    if (path[0] != '/')
        return path;
    if (strncmp(path, "/proc/", 6) == 0) {
        size_t length = strlen(path);
        int64_t n = follow && length > 4 && strcmp(path + length - 4, "/exe") == 0 ? procfs_exe(process, path, buffer, PATH_MAX - 1) : -1;
        if (n <= 0)
            return path;
        buffer[n] = 0;
        return buffer;
    }
    const char *sysroot = process->root.sysroot;
    if (!sysroot)
        return path;
    char link[PATH_MAX];
    const char *guest = path;
    for (int i = 0; i < MAX_LINKS; i++) {
        char candidate[PATH_MAX];
        int length = snprintf(candidate, sizeof candidate, "%s%s", sysroot, guest);
        if (length >= (int)sizeof candidate)
            break;
        /* One call tells whether it exists and whether it is a link: EINVAL means it exists and is none. */
        int64_t n = RAW_SYSCALL(SYS_readlinkat, (uint64_t)(int64_t)AT_FDCWD, (uint64_t)candidate, (uint64_t)link, sizeof link - 1);
        if (n < 0 && n != -22)
            break;
        if (n < 0 || !follow || link[0] != '/') {
            memcpy(buffer, candidate, (size_t)length + 1);
            return buffer;
        }
        link[n] = 0;
        memcpy(buffer, link, (size_t)n + 1);
        guest = buffer;
    }
    return guest == path ? path : buffer;
}

uint64_t path_argument(const struct process *process, uint64_t guest, bool follow, char buffer[PATH_MAX])
{
    char path[PATH_MAX];
    char first = 0;
    if (!guest_read(&first, guest, 1) || first != '/')
        return guest;
    if (!process->root.sysroot) {
        char start[6];
        if (!guest_read(start, guest, sizeof start) || memcmp(start, "/proc/", 6) != 0)
            return guest;
    }
    if (guest_read_string(path, guest, sizeof path) < 0)
        return guest;
    const char *host = path_resolve(process, path, follow, buffer);
    return host == path ? guest : (uint64_t)host;
}

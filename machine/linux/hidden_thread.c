/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's compile thread is none of the guest's: where the kernel lists or counts threads, it is left out. */
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/hidden_thread.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"
#include "translator/engine.h"

/** The first thread of a process: it has its engine's name for a moment, while it makes the other. */
static bool is_leader(const char *task, const char *tid)
{
    size_t end = strlen(task) - strlen("/task"), length = strlen(tid);
    return end > length && task[end - length - 1] == '/' && memcmp(task + end - length, tid, length) == 0;
}

/** `task`: a folder of /proc, /proc/PID/task. */
static bool is_hidden(const char *task, const char *tid)
{
    char path[PATH_MAX], name[32] = "";
    if (*tid < '1' || *tid > '9' || is_leader(task, tid) || snprintf(path, sizeof path, "%s/%s/comm", task, tid) >= (int)sizeof path)
        return false;
    FILE *file = fopen(path, "re");
    bool hidden = file && fgets(name, sizeof name, file) && strcmp(name, ENGINE_THREAD_NAME "\n") == 0;
    if (file)
        fclose(file);
    return hidden;
}

unsigned hidden_threads(pid_t pid)
{
    char task[32];
    unsigned n = 0;
    snprintf(task, sizeof task, "/proc/%d/task", pid);
    DIR *folder = opendir(task);
    for (const struct dirent *entry; folder && (entry = readdir(folder)) != NULL;)
        n += is_hidden(task, entry->d_name);
    if (folder)
        closedir(folder);
    return n;
}

/** The name of what the descriptor has open, if that is a list of threads. */
static bool lists_threads(int fd, char task[PATH_MAX])
{
    char link[32];
    struct statfs system;
    const char tail[] = "/task";
    if (fstatfs(fd, &system) != 0 || system.f_type != PROC_SUPER_MAGIC)
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, task, PATH_MAX - 1);
    if (n < (ssize_t)sizeof tail)
        return false;
    task[n] = 0;
    return strcmp(task + n - (sizeof tail - 1), tail) == 0;
}

/** Takes entries out; returns how many bytes are left. */
static size_t leave_out(const char *task, char *entries, size_t size)
{
    size_t kept = 0;
    for (size_t at = 0, length; at < size; at += length) {
        const struct dirent64 *entry = (const struct dirent64 *)(entries + at); /* as getdents64 has it */
        length = entry->d_reclen;
        if (length == 0 || length > size - at)
            break;
        if (is_hidden(task, entry->d_name))
            continue;
        memmove(entries + kept, entries + at, length);
        kept += length;
    }
    return kept;
}

int64_t sys_getdents64(struct thread *thread, const uint64_t a[6])
{
    char task[PATH_MAX];
    for (;;) {
        int64_t result = HOST_SYSCALL(thread, SYS_getdents64, a[0], a[1], a[2]);
        if (result <= 0 || !lists_threads((int)a[0], task))
            return result;
        char *entries = malloc((size_t)result);
        size_t kept = (size_t)result;
        if (entries && guest_read(entries, a[1], (size_t)result)) {
            kept = leave_out(task, entries, (size_t)result);
            if (kept != (size_t)result && !guest_write(a[1], entries, kept))
                result = -EFAULT;
        }
        free(entries);
        if (kept > 0 || result < 0)
            return result < 0 ? result : (int64_t)kept;
    }
}

/*
 * What a thread may do is its own: if the compile thread kept what the guest gives up, that would still be there for whoever gets hold
 * of the process then. The next one has what the guest's thread has that starts it.
 */
#define GIVES_UP(call, number)                                                                                                 \
    int64_t sys_##call(struct thread *thread, const uint64_t a[6])                                                             \
    {                                                                                                                          \
        engine_stop_compiling(thread->process->engine);                                                                        \
        return host_syscall(thread, number, a);                                                                                \
    }
GIVES_UP(capset, SYS_capset)
GIVES_UP(setregid, SYS_setregid)
GIVES_UP(setgid, SYS_setgid)
GIVES_UP(setreuid, SYS_setreuid)
GIVES_UP(setuid, SYS_setuid)
GIVES_UP(setresuid, SYS_setresuid)
GIVES_UP(setresgid, SYS_setresgid)
GIVES_UP(setfsuid, SYS_setfsuid)
GIVES_UP(setfsgid, SYS_setfsgid)
GIVES_UP(setgroups, SYS_setgroups)
GIVES_UP(landlock_restrict_self, 446) /* headers may be older */
#undef GIVES_UP

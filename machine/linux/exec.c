/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * execve: a program for AArch64 is started with dragoman and the same options; a script with its interpreter, found under the
 * sysroot; everything else as the host would.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/keep_files.h"
#include "machine/linux/path.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/process.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"
#include "machine/linux/thread.h"

#define MAX_SCRIPTS 4         /* as the kernel */
#define MAX_STRINGS (1u << 20)
#define SCRIPT_LINE 256
/* An empty name; dragoman -traced -selffd FD -execfd FD -seccompfd FD -g WHERE -0 NAME; a script's interpreter and its argument. */
#define FIXED_PLACES (13 + 2 * MAX_SCRIPTS)

/** The pointers of a guest's string array, NULL-terminated, with `extra` free places in front. malloc'ed. */
static int64_t read_strings(uint64_t address, size_t extra, char ***list, size_t *count)
{
    size_t n = 0;
    uint64_t pointer;
    for (;; n++) {
        if (n == MAX_STRINGS)
            return -E2BIG;
        if (address && !guest_read(&pointer, address + n * 8, 8))
            return -EFAULT;
        if (!address || !pointer)
            break;
    }
    *list = malloc((extra + n + 1) * sizeof **list);
    if (!*list)
        return -ENOMEM;
    if (n && !guest_read(*list + extra, address, n * 8)) {
        free(*list);
        return -EFAULT;
    }
    (*list)[extra + n] = NULL;
    *count = n;
    return 0;
}

enum program_kind { PROGRAM_OTHER, PROGRAM_GUEST, PROGRAM_SCRIPT };

/** What the file is; for scripts its first line without "#!" goes to `line`. */
static enum program_kind program_kind(const char *path, char line[SCRIPT_LINE])
{
    Elf64_Ehdr header;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return PROGRAM_OTHER;
    char start[SCRIPT_LINE + 2];
    ssize_t n = pread(fd, start, sizeof start - 1, 0);
    close(fd);
    if (n >= (ssize_t)sizeof header) {
        memcpy(&header, start, sizeof header);
        if (memcmp(header.e_ident, ELFMAG, SELFMAG) == 0)
            return header.e_machine == EM_AARCH64 && header.e_ident[EI_CLASS] == ELFCLASS64 ? PROGRAM_GUEST : PROGRAM_OTHER;
    }
    if (n < 3 || start[0] != '#' || start[1] != '!')
        return PROGRAM_OTHER;
    start[n] = 0;
    start[strcspn(start, "\n")] = 0;
    snprintf(line, SCRIPT_LINE, "%s", start + 2);
    return PROGRAM_SCRIPT;
}

/** Splits "interpreter argument" as the kernel does: one argument, blanks around both removed. */
static char *split_script_line(char *line, char **argument)
{
    line += strspn(line, " \t");
    for (size_t n = strlen(line); n > 0 && (line[n - 1] == ' ' || line[n - 1] == '\t'); n--)
        line[n - 1] = 0;
    char *end = line + strcspn(line, " \t");
    *argument = NULL;
    if (*end) {
        *end = 0;
        *argument = end + 1 + strspn(end + 1, " \t");
    }
    return *line ? line : NULL;
}

/** Places in front of the guest's arguments that the longest start needs. */
static size_t extra_places(const struct guest_root *root)
{
    size_t n = FIXED_PLACES;
    for (char **carried = root->carry; *carried; carried++)
        n++;
    return n;
}

struct exec_plan {
    bool traced;                  /* by a guest */
    const char *debugged;         /* -g of the next one; NULL: none */
    int fd;                       /* the program, when its name may be closed by execve; else -1 */
    int seccomp_fd;               /* filters to hand on; else -1 */
    char fd_text[16], self_text[16], seccomp_text[16];
    char **list, **environment;   /* malloc'ed */
    const char *host_path;        /* what the host executes; NULL: dragoman itself */
    char **arguments;             /* first of them, inside the list */
    char lines[MAX_SCRIPTS][SCRIPT_LINE];
    char paths[MAX_SCRIPTS + 1][PATH_MAX];
};

/** For a path such as /proc/self/fd/3, which execve may close: a descriptor of that file which stays open. Else -1. */
static int keep_descriptor(const char *path)
{
    const char *own = path_own_proc(path);
    if (strncmp(path, "/dev/fd/", 8) != 0 && !(own && strncmp(own, "fd/", 3) == 0))
        return -1;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int kept = fd < 0 ? -1 : fcntl(fd, F_DUPFD, 100);
    if (fd >= 0)
        close(fd);
    return kept;
}

void exec_plan_free(struct exec_plan *plan)
{
    if (!plan)
        return;
    free(plan->list);
    free(plan->environment);
    free(plan);
}

/** Works out what to execute for `path`. `list` has `extra` free places in front of the guest's `count` arguments. */
static int64_t plan_exec(const struct process *process, const char *path, char **list, size_t extra, size_t count,
                         struct exec_plan *plan)
{
    char **first = list + extra;
    if (count == 0) {
        *--first = (char *)""; /* Linux gives such a program an empty name */
    }
    for (unsigned depth = 0;; depth++) {
        path = path_resolve(process, path, true, plan->paths[depth]);
        char *argument;
        enum program_kind kind = program_kind(path, plan->lines[depth < MAX_SCRIPTS ? depth : 0]);
        struct stat status;
        plan->host_path = path;
        plan->arguments = first;
        if (kind == PROGRAM_OTHER || (kind == PROGRAM_GUEST && !root_has_self(&process->root)))
            return plan->seccomp_fd < 0 ? 0 : access(path, X_OK) < 0 ? -errno : -EACCES; /* it would escape from the filters */
        /* The host would refuse these without looking at the contents. */
        if (stat(path, &status) < 0)
            return -errno;
        if (!S_ISREG(status.st_mode) || faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
            return -EACCES;
        if (kind == PROGRAM_GUEST) {
            char *name = *first;
            *first = (char *)path;
            *--first = name;
            *--first = (char *)"-0";
            plan->fd = keep_descriptor(path);
            if (plan->fd >= 0) {
                snprintf(plan->fd_text, sizeof plan->fd_text, "%d", plan->fd);
                *--first = plan->fd_text;
                *--first = (char *)"-execfd";
            }
            if (plan->seccomp_fd >= 0) {
                snprintf(plan->seccomp_text, sizeof plan->seccomp_text, "%d", plan->seccomp_fd);
                *--first = plan->seccomp_text;
                *--first = (char *)"-seccompfd";
            }
            if (plan->debugged) {
                *--first = (char *)plan->debugged;
                *--first = (char *)"-g";
            }
            if (plan->traced)
                *--first = (char *)"-traced";
            size_t carried = extra - FIXED_PLACES;
            first -= carried;
            memcpy(first, process->root.carry, carried * sizeof *first);
            if (process->root.executable >= 0) {
                snprintf(plan->self_text, sizeof plan->self_text, "%d", process->root.executable);
                *--first = plan->self_text;
                *--first = (char *)"-selffd";
            }
            *--first = (char *)"dragoman";
            plan->host_path = NULL;
            plan->arguments = first;
            return 0;
        }
        if (depth == MAX_SCRIPTS)
            return -ELOOP;
        char *interpreter = split_script_line(plan->lines[depth], &argument);
        if (!interpreter)
            return -ENOEXEC;
        *first = (char *)path;
        if (argument)
            *--first = argument;
        *--first = interpreter;
        path = interpreter;
    }
}

static int64_t execute(struct thread *thread, const char *path, uint64_t arguments, uint64_t environment)
{
    struct process *process = thread->process;
    size_t extra = extra_places(&process->root), count, unused;
    struct exec_plan *plan = calloc(1, sizeof *plan);
    if (!plan)
        return -ENOMEM;
    plan->fd = plan->seccomp_fd = -1;
    plan->traced = thread->trace.attached;
    char where[PATH_MAX];
    plan->debugged = gdb_hand_on(thread, where, sizeof where);
    int64_t result = read_strings(arguments, extra, &plan->list, &count);
    if (result == 0 && thread->seccomp.mode) {
        result = seccomp_export(thread);
        plan->seccomp_fd = result < 0 ? -1 : (int)result;
        result = result < 0 ? result : 0;
    }
    if (result == 0)
        result = read_strings(environment, 0, &plan->environment, &unused);
    if (result == 0)
        result = plan_exec(process, path, plan->list, extra, count, plan);
    if (result == 0) {
        signals_prepare_exec(thread, false);
        thread->exec_plan = plan;
        if (process->perf)
            perf_map_flush(process->perf);
        if (!thread->vfork_child && __atomic_load_n(&process->nthreads, __ATOMIC_RELAXED) == 1)
            keep_files_write(process->memory.keep, false);
        if (plan->host_path)
            gdb_take_back(thread);
        if (plan->host_path)
            result = HOST_SYSCALL(thread, SYS_execve, (uint64_t)plan->host_path, (uint64_t)plan->arguments,
                                  (uint64_t)plan->environment);
        else
            result = root_execute_self(thread, plan->arguments, plan->environment);
        thread->exec_plan = NULL;
        signals_prepare_exec(thread, true);
        if (plan->fd >= 0)
            close(plan->fd);
    }
    gdb_take_back(thread);
    if (plan->seccomp_fd >= 0)
        close(plan->seccomp_fd);
    exec_plan_free(plan);
    return result;
}

int64_t sys_execve(struct thread *thread, const uint64_t a[6])
{
    char path[PATH_MAX];
    int64_t length = guest_read_string(path, a[0], sizeof path);
    if (length <= 0)
        return length < 0 ? length : -ENOENT;
    return execute(thread, path, a[1], a[2]);
}

int64_t sys_execveat(struct thread *thread, const uint64_t a[6])
{
    char path[PATH_MAX], full[PATH_MAX];
    int64_t length = guest_read_string(path, a[1], sizeof path);
    if (length < 0)
        return length;
    if (path[0] == '/' || (int)a[0] == AT_FDCWD)
        return length == 0 ? -ENOENT : execute(thread, path, a[2], a[3]);
    if (length == 0 && !(a[4] & AT_EMPTY_PATH))
        return -ENOENT;
    int n = snprintf(full, sizeof full, "/proc/self/fd/%d%s%s", (int)a[0], length ? "/" : "", path);
    if (n >= (int)sizeof full)
        return -ENAMETOOLONG;
    return execute(thread, full, a[2], a[3]);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What gdb reads besides registers and memory: files as the guest sees them, the auxiliary vector, names. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "machine/linux/gdb_linux.h"
#include "machine/linux/path.h"
#include "machine/linux/procfs.h"

static struct process *process_of(void *opaque) { return ((struct gdb_process *)opaque)->process; }

/* ---- files ---------------------------------------------------------------------------------------------------------------- */

static int64_t file_open(void *opaque, const char *path)
{
    char buffer[PATH_MAX];
    int64_t fd = procfs_open(process_of(opaque), path, O_RDONLY | O_CLOEXEC);
    if (fd == -ENOENT)
        fd = open(path_resolve(process_of(opaque), path, true, buffer), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    return fd == -1 ? -errno : fd;
}

static int64_t result(int64_t value) { return value < 0 ? -errno : value; }

/** Only what was opened for the client: the guest's and our own descriptors have nothing to do with it. */
static bool is_file(int fd)
{
    struct stat status;
    return fd > 2 && fstat(fd, &status) == 0 && (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode)) &&
           (fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static int64_t file_close(void *opaque, int fd)
{
    (void)opaque;
    return is_file(fd) ? result(close(fd)) : -EBADF;
}

static int64_t file_pread(void *opaque, int fd, void *bytes, size_t size, uint64_t offset)
{
    (void)opaque;
    return is_file(fd) ? result(pread(fd, bytes, size, (off_t)offset)) : -EBADF;
}

static int64_t file_fstat(void *opaque, int fd, struct stat *status)
{
    (void)opaque;
    return is_file(fd) ? result(fstat(fd, status)) : -EBADF;
}

static int64_t file_readlink(void *opaque, const char *path, char *text, size_t size)
{
    char buffer[PATH_MAX];
    struct process *process = process_of(opaque);
    const char *own = path_own_proc(path);
    if (own && strcmp(own, "exe") == 0) {
        size_t n = strlen(process->exe_path);
        memcpy(text, process->exe_path, n < size ? n : size);
        return (int64_t)(n < size ? n : size);
    }
    return result(readlink(path_resolve(process, path, false, buffer), text, size));
}

const struct gdb_files gdb_linux_files = {
    .open = file_open, .close = file_close, .pread = file_pread, .fstat = file_fstat, .readlink = file_readlink};

/* ---- objects -------------------------------------------------------------------------------------------------------------- */

static int64_t copy(char **data, const void *bytes, size_t size)
{
    *data = malloc(size ? size : 1);
    if (!*data)
        return -ENOMEM;
    memcpy(*data, bytes, size);
    return (int64_t)size;
}

static int64_t read_auxv(struct gdb_process *gdb, char **data)
{
    const struct process *process = gdb->process;
    char bytes[1024];
    uint64_t size = process->auxv_end - process->auxv_start;
    if (size > sizeof bytes ||
        gdb->target.read_memory(gdb, (struct gdb_id){0}, process->auxv_start, bytes, size) != size)
        return -EFAULT;
    return copy(data, bytes, size);
}

int64_t gdb_object(void *opaque, struct gdb_id id, const char *object, const char *name, char **data)
{
    struct gdb_process *gdb = opaque;
    const struct thread *thread = gdb_find_thread(gdb, id);
    (void)name; /* of the process, for exec-file: there is one */
    if (strcmp(object, "auxv") == 0)
        return read_auxv(gdb, data);
    if (strcmp(object, "exec-file") == 0)
        return copy(data, gdb->process->exe_path, strlen(gdb->process->exe_path));
    if (strcmp(object, "siginfo") == 0)
        return thread ? copy(data, &thread->gdb->info, sizeof thread->gdb->info) : -ESRCH;
    return -ENOENT;
}

bool gdb_describe(void *opaque, struct gdb_id id, char *name, char *state, size_t size)
{
    const struct thread *thread = gdb_find_thread(opaque, id);
    char path[64];
    *name = *state = 0;
    if (!thread)
        return false;
    snprintf(path, sizeof path, "/proc/self/task/%d/comm", (int)thread->gdb->tid);
    FILE *file = fopen(path, "re");
    if (file) {
        if (!fgets(name, (int)size, file))
            *name = 0;
        name[strcspn(name, "\n")] = 0;
        fclose(file);
    }
    if (__atomic_load_n(&thread->gdb->in_syscall, __ATOMIC_RELAXED) && !thread->gdb->parked)
        snprintf(state, size, "in system call %llu", (unsigned long long)thread->cpu->x[8]);
    return true;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Files of /proc and /sys that are not what they would be natively: those about a process that runs under dragoman, and those that
 * tell of the machine.
 *
 * Another process is known by its executable: if that is this dragoman's, its struct process lies where ours does, seen from
 * where the program is loaded. Reading it takes the right to trace the process, as do natively the files in question.
 */
#include "machine/linux/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/hidden_thread.h"
#include "machine/linux/hwcap.h"
#include "machine/linux/path.h"
#include "machine/linux/procfs_view.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"
#include "machine/linux/tracer.h"

#define MAX_MAPPINGS 1000000u /* of another process: more would be nonsense */

extern const char __ehdr_start[] __attribute__((visibility("hidden"))); /* by the linker: where the program is loaded */

/* ---- processes ------------------------------------------------------------------------------------------------------------- */

bool proc_view_read(const struct proc_view *view, uint64_t address, void *to, size_t size)
{
    return view->own ? guest_read(to, address, size) : tracer_read(view->pid, address, to, size);
}

FILE *proc_view_host(const struct proc_view *view)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", view->folder, view->name);
    return fopen(path, "re");
}

uint64_t proc_view_size(const struct proc_view *view)
{
    uint64_t size = 0;
    for (size_t i = 0; i < view->count; i++)
        size += view->list[i].end - view->list[i].start;
    return size;
}

static const char *skip_number(const char *text, pid_t *number)
{
    char *end;
    if (*text < '1' || *text > '9')
        return NULL;
    *number = (pid_t)strtol(text, &end, 10);
    return end;
}

/** Splits /proc/PID/NAME, /proc/self/task/TID/NAME and their like. False for all other paths. */
static bool parse_path(const char *path, struct proc_view *view)
{
    const char *at = path + 6;
    pid_t tid;
    if (strncmp(path, "/proc/", 6) != 0)
        return false;
    if (strncmp(at, "self/", 5) == 0 || strncmp(at, "thread-self/", 12) == 0) {
        view->own = true;
        view->pid = getpid();
        at = strchr(at, '/');
    } else {
        at = skip_number(at, &view->pid);
        if (!at || *at != '/')
            return false;
        view->own = view->pid == getpid();
    }
    if (strncmp(at, "/task/", 6) == 0) {
        const char *end = skip_number(at + 6, &tid);
        if (end && *end == '/')
            at = end;
    }
    size_t length = (size_t)(at - path);
    if (length >= sizeof view->folder)
        return false;
    memcpy(view->folder, path, length);
    view->folder[length] = 0;
    view->name = at + 1;
    return true;
}

/** Where the program `file` is loaded in that process; 0: it is not. */
static uint64_t load_address(pid_t pid, const struct stat *file)
{
    char path[32], text[PATH_MAX + 128];
    uint64_t start, found = 0;
    unsigned long offset, inode;
    snprintf(path, sizeof path, "/proc/%d/maps", pid);
    FILE *maps = fopen(path, "re");
    while (maps && !found && fgets(text, sizeof text, maps)) {
        if (sscanf(text, "%lx-%*x %*s %lx %*s %lu", &start, &offset, &inode) == 3 && offset == 0 && inode == file->st_ino)
            found = start;
    }
    if (maps)
        fclose(maps);
    return found;
}

/** A copy of the struct process of another dragoman, malloc'ed; NULL: it is none, or does not let itself be read. */
static struct process *read_process(const struct process *process, pid_t pid)
{
    struct stat own, other;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", pid);
    if (stat(path, &other) < 0 || stat("/proc/self/exe", &own) < 0 || own.st_dev != other.st_dev || own.st_ino != other.st_ino)
        return NULL;
    uint64_t base = load_address(pid, &own);
    struct process *copy = malloc(sizeof *copy);
    if (copy && base && tracer_read(pid, base + ((uint64_t)process - (uint64_t)__ehdr_start), copy, sizeof *copy) &&
        copy->engine && copy->exe_path)
        return copy;
    free(copy);
    return NULL;
}

struct mapping_copy {
    struct mapping *list;
    size_t count, capacity;
};

static void copy_mapping(void *opaque, const struct mapping *m)
{
    struct mapping_copy *copy = opaque;
    if (copy->count < copy->capacity)
        copy->list[copy->count++] = *m;
}

static void read_mappings(struct process *process, struct proc_view *view)
{
    size_t count = view->process->memory.count;
    if (count > MAX_MAPPINGS)
        return;
    struct mapping_copy copy = {.capacity = count + 64};
    copy.list = malloc(copy.capacity * sizeof *copy.list);
    if (!copy.list)
        return;
    if (view->own)
        memory_walk(&process->memory, copy_mapping, &copy);
    else if (tracer_read(view->pid, (uint64_t)view->process->memory.list, copy.list, count * sizeof *copy.list))
        copy.count = count;
    view->list = copy.list;
    view->count = copy.count;
}

static bool view_open(struct process *process, struct proc_view *view)
{
    view->process = view->own ? process : read_process(process, view->pid);
    return view->process != NULL;
}

static void view_close(struct proc_view *view)
{
    if (!view->own)
        free((struct process *)view->process);
    free(view->list);
}

int64_t procfs_exe(const struct process *process, const char *path, char *target, size_t size)
{
    struct proc_view view = {0};
    if (!parse_path(path, &view) || strcmp(view.name, "exe") != 0 || !view_open((struct process *)process, &view))
        return -ENOENT;
    size_t n = 0;
    if (view.own) {
        n = strnlen(view.process->exe_path, size);
        memcpy(target, view.process->exe_path, n);
    } else {
        /* A byte at a time: where the page behind it is not mapped, a longer read would fail. */
        while (n < size && proc_view_read(&view, (uint64_t)view.process->exe_path + n, target + n, 1) && target[n])
            n++;
    }
    view_close(&view);
    return n ? (int64_t)n : -ENOENT;
}

/* ---- pieces of the guest's stack --------------------------------------------------------------------------------------------- */

static void write_memory(const struct proc_view *view, FILE *out, uint64_t start, uint64_t end)
{
    char buffer[4096];
    while (start < end) {
        size_t n = end - start < sizeof buffer ? end - start : sizeof buffer;
        if (!proc_view_read(view, start, buffer, n))
            return;
        fwrite(buffer, 1, n, out);
        start += n;
    }
}

static void write_cmdline(const struct proc_view *view, FILE *out)
{
    write_memory(view, out, view->process->arguments_start, view->process->arguments_end);
}

static void write_environ(const struct proc_view *view, FILE *out)
{
    write_memory(view, out, view->process->arguments_end, view->process->environment_end);
}

static void write_auxv(const struct proc_view *view, FILE *out)
{
    write_memory(view, out, view->process->auxv_start, view->process->auxv_end);
}

/* ---- figures ------------------------------------------------------------------------------------------------------------------ */

static unsigned long visible_threads(const struct proc_view *view, unsigned long n)
{
    return n > 1 ? n - hidden_threads(view->pid) : n;
}

/** The host's, which tells of the same process, but for what dragoman has and the guest has not. */
static void write_status(const struct proc_view *view, FILE *out)
{
    char line[512];
    FILE *host = proc_view_host(view);
    uint64_t ignored = 0, caught = 0;
    const struct guest_sigaction *actions = view->own && current_thread ? current_thread->actions : view->process->actions;
    for (int signal = 1; signal <= GUEST_SIGNALS; signal++) {
        ignored |= actions[signal].handler == 1 ? SIGNAL_BIT(signal) : 0;
        caught |= actions[signal].handler > 1 ? SIGNAL_BIT(signal) : 0;
    }
    while (host && fgets(line, sizeof line, host)) {
        if (strncmp(line, "Seccomp", 7) == 0 && view->own && current_thread) {
            if (line[7] == ':')
                seccomp_print(current_thread, out);
        } else if (strncmp(line, "SigIgn:", 7) == 0) {
            fprintf(out, "SigIgn:\t%016lx\n", ignored);
        } else if (strncmp(line, "SigCgt:", 7) == 0) {
            fprintf(out, "SigCgt:\t%016lx\n", caught);
        } else if (strncmp(line, "Threads:", 8) == 0) {
            fprintf(out, "Threads:\t%lu\n", visible_threads(view, strtoul(line + 8, NULL, 10)));
        } else if (strncmp(line, "VmSize:", 7) == 0 || strncmp(line, "VmPeak:", 7) == 0) {
            fprintf(out, "%.7s\t%8lu kB\n", line, proc_view_size(view) >> 10);
        } else if (strncmp(line, "x86_", 4) != 0 && strncmp(line, "untag_mask:", 11) != 0) {
            fputs(line, out);
        }
    }
    if (host)
        fclose(host);
}

/** The 20th field is the number of threads, the 23rd the size of the address space. */
static void write_stat(const struct proc_view *view, FILE *out)
{
    char line[2048];
    FILE *host = proc_view_host(view);
    if (host && fgets(line, sizeof line, host)) {
        char *at[25] = {NULL}, *next = strrchr(line, ')'); /* the end of the second */
        for (int field = 3; next && field < 25 && (next = strchr(next + 1, ' ')) != NULL; field++)
            at[field] = next; /* the space before it */
        if (at[24])
            fprintf(out, "%.*s %lu%.*s %lu%s", (int)(at[20] - line), line, visible_threads(view, strtoul(at[20], NULL, 10)),
                    (int)(at[23] - at[21]), at[21], proc_view_size(view), at[24]);
        else
            fputs(line, out);
    }
    if (host)
        fclose(host);
}

static void write_statm(const struct proc_view *view, FILE *out)
{
    unsigned long size;
    int rest = 0;
    char line[256];
    FILE *host = proc_view_host(view);
    if (host && fgets(line, sizeof line, host) && sscanf(line, "%lu%n", &size, &rest) == 1)
        fprintf(out, "%lu%s", proc_view_size(view) / GUEST_PAGE, line + rest);
    if (host)
        fclose(host);
}

/** What a descriptor was opened with: the flags have other values. */
static void write_fdinfo(const struct proc_view *view, FILE *out)
{
    char line[4096];
    unsigned flags;
    FILE *host = proc_view_host(view);
    while (host && fgets(line, sizeof line, host)) {
        if (sscanf(line, "flags: %o", &flags) == 1)
            fprintf(out, "flags:\t0%lo\n", open_flags_to_guest((int)flags));
        else
            fputs(line, out);
    }
    if (host)
        fclose(host);
}

/* ---- the machine -------------------------------------------------------------------------------------------------------------- */

static void write_cpuinfo(const struct proc_view *view, FILE *out)
{
    const struct process *process = view->process;
    uint32_t midr = process->options->cpu.midr;
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    for (long i = 0; i < n; i++) {
        fprintf(out, "processor\t: %ld\nBogoMIPS\t: 100.00\nFeatures\t:", i);
        hwcap_print(out, process->options->cpu.features);
        fprintf(out, "\nCPU implementer\t: 0x%02x\nCPU architecture: 8\nCPU variant\t: 0x%x\nCPU part\t: 0x%03x\n"
                     "CPU revision\t: %u\n\n",
                midr >> 24, midr >> 20 & 15, midr >> 4 & 0xfff, midr & 15);
    }
}

static void write_arch(const struct proc_view *view, FILE *out)
{
    (void)view;
    fputs("aarch64\n", out);
}

static void write_midr(const struct proc_view *view, FILE *out)
{
    fprintf(out, "0x%016x\n", view->process->options->cpu.midr);
}

static void write_revidr(const struct proc_view *view, FILE *out)
{
    (void)view;
    fputs("0x0000000000000000\n", out);
}

/* ---- which file is which -------------------------------------------------------------------------------------------------------- */

typedef void file_writer(const struct proc_view *view, FILE *out);

static const struct {
    const char *name;
    file_writer *write;
    bool lists; /* it tells of the mappings */
    bool kernel; /* the kernel knows, if it took process_tell_kernel() */
} process_files[] = {
    {"maps", procfs_write_maps, true, false},
    {"smaps", procfs_write_smaps, true, false},
    {"smaps_rollup", procfs_write_smaps_rollup, true, false},
    {"numa_maps", procfs_write_numa_maps, true, false},
    {"cmdline", write_cmdline, false, true},
    {"environ", write_environ, false, true},
    {"auxv", write_auxv, false, true},
    {"status", write_status, true, false},
    {"stat", write_stat, true, false},
    {"statm", write_statm, true, false},
};

/** The writer of a file about the machine, or NULL. */
static file_writer *machine_file(const char *path)
{
    unsigned cpu;
    int end = 0;
    if (strcmp(path, "/proc/cpuinfo") == 0)
        return write_cpuinfo;
    if (strcmp(path, "/proc/sys/kernel/arch") == 0)
        return write_arch;
    if (sscanf(path, "/sys/devices/system/cpu/cpu%u/regs/identification/%n", &cpu, &end) == 1 && end &&
        (long)cpu < sysconf(_SC_NPROCESSORS_CONF))
        return strcmp(path + end, "midr_el1") == 0 ? write_midr : strcmp(path + end, "revidr_el1") == 0 ? write_revidr : NULL;
    return NULL;
}

/** Whether the process or thread is there. */
static bool host_has(const struct proc_view *view)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%s", view->folder, view->name);
    return access(path, F_OK) == 0;
}

static int64_t open_written(const struct proc_view *view, file_writer *write, int host_flags)
{
    if ((host_flags & O_ACCMODE) != O_RDONLY)
        return -EACCES;
    if (host_flags & O_DIRECTORY)
        return -ENOTDIR;
    int fd = memfd_create("proc", host_flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
    int copy = fd < 0 ? -1 : dup(fd);
    FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
    if (!out) {
        int error = errno;
        if (fd >= 0)
            close(fd);
        return -error;
    }
    write(view, out);
    bool gone = ftell(out) <= 0 && view->name && !host_has(view); /* in the meantime */
    fclose(out);
    if (gone) {
        close(fd);
        return -ENOENT;
    }
    lseek(fd, 0, SEEK_SET);
    return fd;
}

/** The descriptor of a file about a process, or -ENOENT. */
static int64_t open_of_process(struct process *process, struct proc_view *view, int host_flags)
{
    const size_t n = sizeof process_files / sizeof process_files[0];
    size_t i = 0;
    while (i < n && strcmp(view->name, process_files[i].name) != 0)
        i++;
    bool fdinfo = strncmp(view->name, "fdinfo/", 7) == 0, memory = strcmp(view->name, "mem") == 0;
    if (fdinfo) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/%s", view->folder, view->name);
        if (access(path, R_OK) < 0 || (host_flags & O_DIRECTORY) || !view->name[7])
            return -ENOENT;
        return view->own || view_open(process, view) ? open_written(view, write_fdinfo, host_flags) : -ENOENT;
    }
    if (memory && !view->own && process->tracees && (host_flags & O_ACCMODE) != O_RDONLY) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/mem", view->folder);
        int fd = open(path, host_flags);
        if (fd >= 0)
            tracer_memory_opened(process, view->pid, fd);
        return fd < 0 ? -errno : fd;
    }
    if (i == n || !host_has(view) || !view_open(process, view))
        return -ENOENT;
    if (process_files[i].kernel && view->process->told_kernel)
        return -ENOENT;
    if (process_files[i].lists)
        read_mappings(process, view);
    return open_written(view, process_files[i].write, host_flags);
}

int64_t procfs_open(struct process *process, const char *path, int host_flags)
{
    struct proc_view view = {0};
    file_writer *write = machine_file(path);
    if (write) {
        view = (struct proc_view){.own = true, .process = process};
        return open_written(&view, write, host_flags);
    }
    if (!parse_path(path, &view))
        return -ENOENT;
    int64_t result = open_of_process(process, &view, host_flags);
    view_close(&view);
    return result;
}

/* ---- what the kernel can be told --------------------------------------------------------------------------------------------------- */

/** Fields of /proc/self/stat, from the first on. */
static bool read_stat(unsigned long fields[52])
{
    char line[2048];
    FILE *file = fopen("/proc/self/stat", "re");
    bool good = file && fgets(line, sizeof line, file);
    if (file)
        fclose(file);
    char *at = good ? strrchr(line, ')') : NULL;
    int n = 3;
    for (at = at ? strchr(at + 2, ' ') : NULL; at && n < 52; n++) /* the third is a letter */
        fields[n] = strtoul(at, &at, 10);
    return n == 52;
}

void procfs_tell_kernel(struct process *process)
{
    unsigned long fields[52];
    if (!read_stat(fields))
        return;
    /* proc(5) numbers them from one on. */
    struct prctl_mm_map map = {
        .start_code = fields[25],
        .end_code = fields[26],
        .start_data = fields[44],
        .end_data = fields[45],
        .start_brk = fields[46],
        .brk = (uint64_t)sbrk(0),
        .start_stack = process->stack_pointer,
        .arg_start = process->arguments_start,
        .arg_end = process->arguments_end,
        .env_start = process->arguments_end,
        .env_end = process->environment_end,
        .auxv = (void *)process->auxv_start,
        .auxv_size = (uint32_t)(process->auxv_end - process->auxv_start),
        .exe_fd = UINT32_MAX,
    };
    process->told_kernel = prctl(PR_SET_MM, PR_SET_MM_MAP, &map, sizeof map, 0) == 0;
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/procfs.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/hwcap.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"
#include "machine/linux/tracer.h"

/* ---- maps ------------------------------------------------------------------------------------------------------------------ */

struct maps_line {
    unsigned long start, end, offset;
    char prot[5], device[16];
    unsigned long inode;
    char name[PATH_MAX];
};


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

static bool parse_maps_line(const char *text, struct maps_line *line)
{
    int name = 0;
    line->name[0] = 0;
    if (sscanf(text, "%lx-%lx %4s %lx %15s %lu %n", &line->start, &line->end, line->prot, &line->offset, line->device,
               &line->inode, &name) < 6)
        return false;
    snprintf(line->name, sizeof line->name, "%s", text + name);
    line->name[strcspn(line->name, "\n")] = 0;
    return true;
}

/** The part of a host mapping that is the guest's mapping `m`, as the guest has it. */
static void write_maps_line(FILE *out, const struct maps_line *line, const struct mapping *m)
{
    static const char *const kinds[] = {
        [MAPPING_HEAP] = "[heap]", [MAPPING_STACK] = "[stack]", [MAPPING_VDSO] = "[vdso]"};
    uint64_t start = line->start > m->start ? line->start : m->start;
    uint64_t end = line->end < m->end ? line->end : m->end;
    const char *name = m->kind == MAPPING_PLAIN ? line->name : kinds[m->kind];
    int n = fprintf(out, "%08lx-%08lx %c%c%c%c %08lx %s %lu", start, end, m->prot & PROT_READ ? 'r' : '-',
                    m->prot & PROT_WRITE ? 'w' : '-', m->prot & PROT_EXEC ? 'x' : '-', line->prot[3],
                    line->offset + (line->inode ? start - line->start : 0), line->device, line->inode);
    if (*name)
        fprintf(out, "%*s%s", n < 73 ? 73 - n : 1, "", name);
    fputc('\n', out);
}

static void write_maps(struct process *process, FILE *out)
{
    struct mapping_copy copy = {.capacity = process->memory.count + 64};
    copy.list = malloc(copy.capacity * sizeof *copy.list);
    FILE *host = fopen("/proc/self/maps", "re");
    struct maps_line *line = malloc(sizeof *line);
    char text[PATH_MAX + 128];
    if (copy.list && host && line) {
        memory_walk(&process->memory, copy_mapping, &copy);
        size_t i = 0;
        while (fgets(text, sizeof text, host)) {
            if (!parse_maps_line(text, line))
                continue;
            while (i < copy.count && copy.list[i].end <= line->start)
                i++;
            for (size_t j = i; j < copy.count && copy.list[j].start < line->end; j++)
                write_maps_line(out, line, &copy.list[j]);
        }
    }
    free(line);
    free(copy.list);
    if (host)
        fclose(host);
}

/* ---- pieces of the guest's stack --------------------------------------------------------------------------------------------- */

static void write_memory(FILE *out, uint64_t start, uint64_t end)
{
    char buffer[4096];
    while (start < end) {
        size_t n = end - start < sizeof buffer ? end - start : sizeof buffer;
        if (!guest_read(buffer, start, n))
            return;
        fwrite(buffer, 1, n, out);
        start += n;
    }
}

static void write_cmdline(struct process *process, FILE *out)
{
    write_memory(out, process->arguments_start, process->arguments_end);
}

static void write_environ(struct process *process, FILE *out)
{
    write_memory(out, process->arguments_end, process->environment_end);
}

/** The host's, which tells of the same process, but for the lines about seccomp. */
static void write_status(struct process *process, FILE *out)
{
    char line[512];
    FILE *host = fopen("/proc/thread-self/status", "re");
    (void)process;
    while (host && fgets(line, sizeof line, host)) {
        if (strncmp(line, "Seccomp:", 8) == 0)
            seccomp_print(current_thread, out);
        else if (strncmp(line, "Seccomp_filters:", 16) != 0)
            fputs(line, out);
    }
    if (host)
        fclose(host);
}

static void write_auxv(struct process *process, FILE *out)
{
    write_memory(out, process->auxv_start, process->auxv_end);
}

/* ---- cpuinfo ------------------------------------------------------------------------------------------------------------------ */

static void write_cpuinfo(struct process *process, FILE *out)
{
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

static const struct {
    const char *name;
    bool own; /* under /proc/self */
    void (*write)(struct process *process, FILE *out);
} files[] = {
    {"maps", true, write_maps}, {"cmdline", true, write_cmdline},        {"environ", true, write_environ},
    {"auxv", true, write_auxv}, {"status", true, write_status},           {"/proc/cpuinfo", false, write_cpuinfo},
};

/* ---- files of a process that this one traces: as its guest has them ---------------------------------------------------------- */

/** True for /proc/PID/NAME of such a process; *other is a copy of what its dragoman knows of it. */
static bool find_traced(struct process *process, const char *path, const char *name, pid_t *tid, struct process *other)
{
    char *end;
    long id = strtol(path + 6, &end, 10);
    const struct tracee *t = process->tracees && id > 0 ? tracer_tracee(process, (pid_t)id) : NULL;
    *tid = (pid_t)id;
    return t && t->arrived && *end == '/' && strcmp(end + 1, name) == 0 &&
           tracer_read(t->tid, (uint64_t)t->copy.process, other, sizeof *other);
}

int64_t procfs_traced_link(struct process *process, const char *path, char *target, size_t size)
{
    struct process *other = malloc(sizeof *other);
    pid_t tid;
    int64_t n = -ENOENT;
    if (other && find_traced(process, path, "exe", &tid, other)) {
        /* A byte at a time: where the page behind it is not mapped, a longer read would fail. */
        for (n = 0; (size_t)n < size && tracer_read(tid, (uint64_t)other->exe_path + (uint64_t)n, target + n, 1) && target[n]; n++)
            ;
    }
    free(other);
    return n;
}

/** A descriptor, or -ENOENT when the path is not one of these. */
static int64_t open_traced(struct process *process, const char *path)
{
    struct process *other = malloc(sizeof *other);
    pid_t tid;
    int64_t fd = -ENOENT;
    if (other && find_traced(process, path, "mem", &tid, other)) {
        fd = -EACCES; /* what is written to code must be made known: only PTRACE_POKEDATA does that */
    } else if (other && find_traced(process, path, "auxv", &tid, other)) {
        char words[1024];
        size_t n = other->auxv_end - other->auxv_start;
        fd = n <= sizeof words && tracer_read(tid, other->auxv_start, words, n) ? memfd_create("proc", MFD_CLOEXEC) : -EIO;
        if (fd >= 0 && pwrite((int)fd, words, n, 0) != (ssize_t)n) {
            close((int)fd);
            fd = -EIO;
        }
    }
    free(other);
    return fd;
}

int64_t procfs_open(struct process *process, const char *path, int host_flags)
{
    if (process->tracees && strncmp(path, "/proc/", 6) == 0) {
        int64_t fd = open_traced(process, path);
        if (fd != -ENOENT)
            return fd;
    }
    if (strncmp(path, "/proc/", 6) != 0)
        return -ENOENT;
    const char *own = path_own_proc(path);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (files[i].own ? !own || strcmp(own, files[i].name) != 0 : strcmp(path, files[i].name) != 0)
            continue;
        if ((host_flags & O_ACCMODE) != O_RDONLY)
            return -EACCES;
        int fd = memfd_create("proc", host_flags & O_CLOEXEC ? MFD_CLOEXEC : 0);
        int copy = fd < 0 ? -1 : dup(fd);
        FILE *out = copy < 0 ? NULL : fdopen(copy, "w");
        if (!out) {
            int error = errno;
            if (fd >= 0)
                close(fd);
            return -error;
        }
        files[i].write(process, out);
        fclose(out);
        lseek(fd, 0, SEEK_SET);
        return fd;
    }
    return -ENOENT;
}

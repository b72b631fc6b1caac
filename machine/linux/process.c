/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/process.h"

#include <errno.h>
#include <fcntl.h>
#include <libelf.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/elf_plan.h"
#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/keep_files.h"
#include "machine/linux/path.h"
#include "machine/linux/perf_map.h"
#include "machine/linux/procfs.h"
#include "machine/linux/signals.h"
#include "machine/linux/stack.h"
#include "machine/linux/thread.h"
#include "machine/linux/vdso.h"

#define CANNOT_RUN 126
#define NOT_FOUND 127
#define PROGRAM_BASE UINT64_C(0x5500000000) /* of a position-independent program; much room for its heap above */

/* ---- loading ------------------------------------------------------------------------------------------------------------------- */

/**
 * Opens a program file, unless `fd` is not negative and that file already. Returns its descriptor, or -1 with the exit status
 * in *status after a message.
 */
static int program_open(int fd, const char *path, uint64_t *size, int *status)
{
    struct stat file;
    int error = 0;
    bool given = fd >= 0;
    if (!given)
        fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &file) < 0)
        error = errno;
    else if (S_ISDIR(file.st_mode))
        error = EISDIR;
    else if (!S_ISREG(file.st_mode))
        error = EACCES;
    else if (!given && faccessat(AT_FDCWD, path, X_OK, AT_EACCESS) < 0)
        error = errno;
    if (!error) {
        *size = (uint64_t)file.st_size;
        return fd;
    }
    if (fd >= 0)
        close(fd);
    fprintf(stderr, "dragoman: %s: %s\n", path, strerror(error));
    *status = error == ENOENT || error == ENOTDIR ? NOT_FOUND : CANNOT_RUN;
    return -1;
}

static bool read_plan(int fd, uint64_t size, struct elf_plan *plan, char error[128])
{
    Elf *elf = elf_begin(fd, ELF_C_READ, NULL);
    bool good = elf_plan_make(plan, elf, size, error);
    elf_end(elf);
    return good;
}

static bool has_bti(const struct process *process)
{
    return process->options->cpu.features >> A64_FEAT_BTI & 1;
}

/** Maps the interpreter; 0, or an exit status after a message. */
static int load_interpreter(struct process *process, int program, const struct elf_plan *plan, struct program_image *image)
{
    char name[4097] = "", buffer[PATH_MAX], error[128];
    ssize_t n = pread(program, name, plan->interpreter_size, (off_t)plan->interpreter_offset);
    if (n != (ssize_t)plan->interpreter_size || name[n - 1] != 0) {
        fprintf(stderr, "dragoman: %s: malformed: the interpreter's name does not end\n", process->options->program);
        return CANNOT_RUN;
    }
    const char *path = path_resolve(process, name, true, buffer);
    if (access(path, F_OK) < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        fprintf(stderr, "dragoman: %s: its interpreter %s was not found; -L DIRECTORY names where the guest's libraries are\n",
                process->options->program, name);
        return NOT_FOUND;
    }
    uint64_t size, bias;
    int status = 0, fd = program_open(-1, path, &size, &status);
    if (fd < 0)
        return status;
    struct elf_plan interpreter;
    if (!read_plan(fd, size, &interpreter, error)) {
        fprintf(stderr, "dragoman: %s: %s\n", path, error);
        status = CANNOT_RUN;
    } else {
        if (!elf_plan_guard(&interpreter, has_bti(process), error) ||
            !elf_plan_map(&interpreter, &process->memory, fd, 0, &bias, error)) {
            fprintf(stderr, "dragoman: %s: %s\n", path, error);
            status = CANNOT_RUN;
        } else {
            process->entry = interpreter.entry + bias;
            image->interpreter_base = interpreter.low + bias;
        }
        elf_plan_free(&interpreter);
    }
    close(fd);
    return status;
}

/** Maps program and interpreter; 0, or an exit status after a message. */
static int load_program(struct process *process, struct program_image *image)
{
    const char *name = process->options->program;
    char error[128];
    uint64_t size, bias;
    int status = 0, fd = program_open(process->options->program_fd, name, &size, &status);
    if (fd < 0)
        return status;
    char link[32];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    process->exe_path = realpath(link, NULL);
    if (!process->exe_path)
        process->exe_path = strdup(name);
    struct elf_plan plan;
    if (!read_plan(fd, size, &plan, error)) {
        fprintf(stderr, "dragoman: %s: %s\n", name, error);
        close(fd);
        return CANNOT_RUN;
    }
    bool good = plan.interpreter_size || elf_plan_guard(&plan, has_bti(process), error);
    uint64_t base = (PROGRAM_BASE + plan.alignment - 1) & ~(plan.alignment - 1);
    if (good && elf_plan_map(&plan, &process->memory, fd, base, &bias, error)) {
        process->entry = image->entry = plan.entry + bias;
        image->headers = plan.headers ? plan.headers + bias : 0;
        image->nheaders = plan.nheaders;
        image->executable_stack = plan.executable_stack;
        memory_set_brk(&process->memory, plan.high + bias);
        if (plan.interpreter_size)
            status = load_interpreter(process, fd, &plan, image);
    } else {
        fprintf(stderr, "dragoman: %s: %s\n", name, error);
        status = CANNOT_RUN;
    }
    elf_plan_free(&plan);
    close(fd);
    return status;
}

/* ---- start and end ---------------------------------------------------------------------------------------------------------------- */

/** Whoever traces the guest would be told of it; whoever shares its memory may live longer. */
static bool may_start_thread(void *opaque)
{
    (void)opaque;
    return current_thread && !current_thread->trace.attached && !current_thread->gdb &&
           !__atomic_load_n(&current_thread->process->nsharing, __ATOMIC_SEQ_CST);
}

static bool create_engine(struct process *process)
{
    const struct options *options = process->options;
    const struct engine_memory memory = {memory_fetch, &process->memory, memory_attributes, may_start_thread};
    const struct host_backend *backend = options->backend;
    char error[256];
    const char *missing = backend->missing ? backend->missing() : NULL;
    if (missing && !options->backend_chosen) {
        fprintf(stderr, "dragoman: this host has no %s; running with the slow interpreter\n", missing);
        backend = &backend_interp;
    }
    struct engine_options engine_options = options->engine;
    if (options->perf_map || options->jit_dump) {
        process->perf = perf_map_open(options->perf_map, options->jit_dump, error);
        if (!process->perf) {
            fprintf(stderr, "dragoman: %s\n", error);
            exit(CANNOT_RUN);
        }
        engine_options.observer = perf_map_observer(process->perf);
        engine_options.cache_anonymous = true;
    }
    engine_options.keep = keep_files_engine(process->memory.keep);
    process->engine = engine_create(&a64_isa, backend, &memory, &engine_options, error);
    if (!process->engine)
        fprintf(stderr, "dragoman: %s\n", error);
    process->memory.engine = process->engine;
    if (process->engine)
        keep_files_begin(process->memory.keep, process->engine);
    return process->engine != NULL;
}

static void print_statistics(struct process *process)
{
    struct engine_stats stats;
    engine_get_stats(process->engine, &stats);
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"translations", stats.translations},       {"guest instructions translated", stats.guest_insns},
        {"bytes of host code", stats.host_bytes},   {"hot regions", stats.hot_regions},
        {"invalidations", stats.invalidations},     {"evictions", stats.evictions},
        {"links", stats.links},                     {"lookups", stats.lookups},
        {"microseconds translating", stats.translate_ns / 1000},
        {"kept regions used", stats.kept_used},     {"kept regions written", stats.kept_written},
        {"kept regions compared", stats.kept_checked}, {"… and differing", stats.kept_differing},
        {"regions compiled on the thread", stats.thread_regions}, {"compiled there in vain", stats.thread_dropped},
        {"left cold, its queue full", stats.thread_full}, {"microseconds of its CPU time", stats.thread_ns / 1000},
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++)
        fprintf(process->options->engine.log_file, "%-30s %llu\n", lines[i].name, (unsigned long long)lines[i].value);
}

/** -accel translator,keep=check is a test: it fails. */
static int exit_status(struct process *process, int status)
{
    struct engine_stats stats;
    if (process->options->keep != KEEP_CHECK || !process->engine)
        return status;
    engine_get_stats(process->engine, &stats);
    return stats.kept_differing ? 125 : status;
}

_Noreturn void process_exit(struct thread *thread, int status)
{
    if (thread->gdb)
        gdb_exit(thread, status, 0);
    if (thread->process->perf)
        perf_map_flush(thread->process->perf);
    if (!thread->vfork_child) {
        keep_files_write(thread->process->memory.keep, true);
        status = exit_status(thread->process, status);
    }
    if (!thread->vfork_child && (thread->process->options->engine.log & LOG_STATS))
        print_statistics(thread->process);
    fflush(thread->process->options->engine.log_file);
    for (;;)
        RAW_SYSCALL(SYS_exit_group, (uint64_t)status);
}

int process_run(const struct options *options)
{
    static struct process process; /* for the lifetime of the program; reached through the threads only */
    struct program_image image = {0};
    char error[256] = "";
    process.options = options;
    root_init(&process.root, options);
    memory_init(&process.memory);
    process.memory.keep = keep_files_new(options);
    elf_version(EV_CURRENT);
    int status = load_program(&process, &image);
    if (status)
        return status;
    if (!vdso_map(&process)) {
        fprintf(stderr, "dragoman: %s: out of memory\n", options->program);
        return CANNOT_RUN;
    }
    if (!stack_create(&process, &image, error)) {
        fprintf(stderr, "dragoman: %s: %s\n", options->program, error);
        return CANNOT_RUN;
    }
    procfs_tell_kernel(&process);
    struct thread *thread = NULL;
    if (!create_engine(&process) || !(thread = thread_first(&process))) {
        fprintf(stderr, "dragoman: %s: out of memory\n", options->program);
        return CANNOT_RUN;
    }
    const char *base = strrchr(process.exe_path, '/');
    prctl(PR_SET_NAME, base ? base + 1 : process.exe_path);
    thread->cpu->cpu.pc = process.entry;
    thread->cpu->sp = process.stack_pointer;
    signals_start(thread);
    if (options->seccomp_fd >= 0 && !seccomp_import(thread, options->seccomp_fd)) {
        fprintf(stderr, "dragoman: descriptor %d holds no seccomp filters\n", options->seccomp_fd);
        return CANNOT_RUN;
    }
    if (options->traced)
        trace_start_traced(thread);
    if (options->gdb && (!gdb_thread_new(thread) || !gdb_start(&process, options->gdb, error))) {
        fprintf(stderr, "dragoman: %s\n", error);
        return 1;
    }
    thread_loop(thread);
    return 0;
}

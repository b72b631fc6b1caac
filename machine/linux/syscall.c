/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/syscall.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"

/* The host's numbers, where its headers are newer than the calls' names. */
#define PASS(number, name, kinds) [number] = {#name, kinds, NULL, SYS_##name},
#define PASS_AS(number, name, host, kinds) [number] = {#name, kinds, NULL, host},
#define OWN(number, name, kinds) [number] = {#name, kinds, sys_##name, -1},
#define NONE(number, name, kinds) [number] = {#name, kinds, NULL, -1},
static const struct syscall_row rows[] = {
#include "machine/linux/syscalls.inc"
};
#undef PASS
#undef PASS_AS
#undef OWN
#undef NONE

/** A call of the host with the guest's arguments; paths are looked for under the sysroot. */
static int64_t pass(struct thread *thread, const struct syscall_row *row, const uint64_t a[6])
{
    char paths[2][PATH_MAX];
    uint64_t host[6];
    unsigned used = 0;
    memcpy(host, a, sizeof host);
    for (unsigned i = 0; row->kinds[i]; i++) {
        if ((row->kinds[i] == 'p' || row->kinds[i] == 'P') && used < 2)
            host[i] = path_argument(thread->process, a[i], row->kinds[i] == 'p', paths[used++]);
    }
    return host_syscall(thread, row->host, host);
}

static int64_t dispatch(struct thread *thread, const struct syscall_row *row, const uint64_t a[6])
{
    if (row->function)
        return row->function(thread, a);
    return row->host < 0 ? -ENOSYS : pass(thread, row, a);
}

/** One write for the whole line, so that those of several threads do not mix. */
static void print(FILE *out, const char *line, size_t size)
{
    fwrite(line, 1, size, out);
    fflush(out);
}

static int64_t dispatch_traced(struct thread *thread, unsigned number, const struct syscall_row *row, const uint64_t a[6])
{
    char line[4096];
    FILE *out = thread->process->options->engine.log_file;
    size_t used = strace_format_call(line, sizeof line, thread->tid, number, row, a);
    /* What may not come back is printed before. */
    bool ends = row->function == sys_exit || row->function == sys_exit_group || row->function == sys_execve ||
                row->function == sys_execveat || row->function == sys_rt_sigreturn;
    if (ends) {
        line[used] = '\n';
        print(out, line, used + 1);
        used = 0;
    }
    int64_t result = dispatch(thread, row, a);
    if (!ends || (result < 0 && result != -RESULT_NONE)) {
        used += strace_format_result(line + used, sizeof line - used, row, result);
        print(out, line, used);
    }
    return result;
}

void syscall_run(struct thread *thread)
{
    static const struct syscall_row unknown = {"", "xxxxxx", NULL, -1};
    struct a64_cpu *cpu = thread->cpu;
    uint64_t number = cpu->x[8] & UINT32_MAX;
    const struct syscall_row *row = number < sizeof rows / sizeof rows[0] && rows[number].name ? &rows[number] : &unknown;
    uint64_t a[6];
    memcpy(a, cpu->x, sizeof a);
    int64_t result = thread->process->options->strace ? dispatch_traced(thread, (unsigned)number, row, a)
                                                      : dispatch(thread, row, a);
    if (result == -RESULT_RESTART)
        cpu->cpu.pc -= 4; /* the SVC again, after the signal */
    else if (result != -RESULT_NONE)
        cpu->x[0] = (uint64_t)result;
}

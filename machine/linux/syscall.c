/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/syscall.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"
#include "machine/linux/signals.h"

/* The host's numbers, where its headers are newer than the calls' names. */
#define PASS(number, name, kinds) [number] = {#name, kinds, NULL, SYS_##name},
#define PASS_AS(number, name, host, kinds) [number] = {#name, kinds, NULL, host},
#define OWN(number, name, kinds) [number] = {#name, kinds, sys_##name, -1},
#define NONE(number, name, kinds, reason) [number] = {#name, kinds, NULL, -1},
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

/** The first time that this number, which is none of arm64's, comes; of many different ones the first few are told of. */
static bool is_new_beyond(struct process *process, uint32_t number)
{
    const uint32_t max = sizeof process->refused_beyond / sizeof process->refused_beyond[0];
    bool known = false;
    lock_take(&process->lock);
    for (uint32_t i = 0; i < process->nrefused_beyond; i++)
        known |= process->refused_beyond[i] == number;
    known |= process->nrefused_beyond == max;
    if (!known)
        process->refused_beyond[process->nrefused_beyond++] = number;
    lock_release(&process->lock);
    return !known;
}

/** -d unimp: a call that is refused is told of once, by number and arguments. */
static void report_refused(struct thread *thread, const struct syscall_row *row, const uint64_t a[6])
{
    struct process *process = thread->process;
    unsigned number = (unsigned)thread->cpu->x[8];
    char line[512];
    if (number < 64 * sizeof process->refused / sizeof process->refused[0]) {
        uint64_t bit = UINT64_C(1) << number % 64;
        if (__atomic_fetch_or(&process->refused[number / 64], bit, __ATOMIC_RELAXED) & bit)
            return;
    } else if (!is_new_beyond(process, number)) {
        return;
    }
    size_t used = strace_format_call(line, sizeof line, thread->tid, number, row, a);
    fprintf(process->options->engine.log_file, "%.*s: system call %u is refused (ENOSYS)\n", (int)used, line, number);
    fflush(process->options->engine.log_file);
}

static int64_t dispatch(struct thread *thread, const struct syscall_row *row, const uint64_t a[6])
{
    if (row->function)
        return row->function(thread, a);
    if (row->host >= 0)
        return pass(thread, row, a);
    if (thread->process->options->engine.log & LOG_UNIMP)
        report_refused(thread, row, a);
    return -ENOSYS;
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

static const struct syscall_row *find_row(uint64_t number)
{
    static const struct syscall_row unknown = {"", "xxxxxx", NULL, -1};
    return number < sizeof rows / sizeof rows[0] && rows[number].name ? &rows[number] : &unknown;
}

/** -strace's line for a call that a filter has not let through. */
static void print_filtered(struct thread *thread, uint64_t number, int64_t result)
{
    char line[4096];
    const struct syscall_row *row = find_row(number);
    size_t used = strace_format_call(line, sizeof line, thread->tid, (unsigned)number, row, thread->cpu->x);
    used += strace_format_result(line + used, sizeof line - used, row, result);
    print(thread->process->options->engine.log_file, line, used);
}

static int64_t run(struct thread *thread, uint64_t number)
{
    int64_t refusal;
    if (__builtin_expect(__atomic_load_n(&thread->seccomp.mode, __ATOMIC_RELAXED) != 0, 0) &&
        !seccomp_admit(thread, &number, &refusal)) {
        if (thread->process->options->strace && refusal != -RESULT_NONE)
            print_filtered(thread, number, refusal);
        return refusal;
    }
    const struct syscall_row *row = find_row(number);
    uint64_t a[6];
    memcpy(a, thread->cpu->x, sizeof a);
    return thread->process->options->strace ? dispatch_traced(thread, (unsigned)number, row, a) : dispatch(thread, row, a);
}

/** With the stops that a tracer may want. */
static void run_under_tracer(struct thread *thread)
{
    struct a64_cpu *cpu = thread->cpu;
    struct trace *trace = &thread->trace;
    pid_t tid = thread->tid;
    if (trace_entry(thread)) {
        int64_t result = run(thread, (uint32_t)trace->number);
        if (thread->tid != tid || thread->exiting) { /* fork's child does not come out of the call */
            cpu->x[0] = thread->exiting ? cpu->x[0] : (uint64_t)result;
            return;
        }
        trace->restart = result == -RESULT_RESTART || (result == -EINTR && __atomic_load_n(&thread->pending, __ATOMIC_RELAXED));
        if (result != -RESULT_NONE)
            cpu->x[0] = (uint64_t)result;
        trace_exit(thread);
        if (result == -RESULT_RESTART)
            signals_restart(thread);
        return;
    }
    trace_exit(thread);
}

void syscall_run(struct thread *thread)
{
    struct a64_cpu *cpu = thread->cpu;
    if (trace_is_on(&thread->trace)) {
        run_under_tracer(thread);
        return;
    }
    uint64_t first_argument = cpu->x[0];
    int64_t result = run(thread, cpu->x[8] & UINT32_MAX);
    if (result == -EINTR && thread->sync_unseen && signals_went_unseen(thread))
        result = -RESULT_RESTART;
    if (result == -EINTR && thread->trace.asked) { /* interrupted by the arrival of a tracer */
        thread->trace.number = (int32_t)cpu->x[8];
        thread->trace.first_argument = first_argument;
        thread->trace.restart = 1;
    }
    if (result == -RESULT_RESTART)
        cpu->cpu.pc -= 4; /* the SVC again, after the signal */
    else if (result != -RESULT_NONE)
        cpu->x[0] = (uint64_t)result;
}

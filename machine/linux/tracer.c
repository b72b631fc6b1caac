/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tracer's side: what it traces, and which of the host's stops its guest gets to see. */
#include "machine/linux/tracer.h"

#include <errno.h>
#include <linux/ptrace.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

#define MAX_MEMORIES 64

struct tracees {
    struct tracee *first;
    struct {
        int fd;
        pid_t pid;
    } memories[MAX_MEMORIES]; /* descriptors of /proc/PID/mem, the latest; some may be closed by now */
    unsigned nmemories;
};

/* ---- the list -------------------------------------------------------------------------------------------------------------- */

struct tracee *tracer_tracee(struct process *process, pid_t tid)
{
    struct tracee *t = NULL;
    lock_take(&process->lock);
    if (process->tracees) {
        for (t = process->tracees->first; t && t->tid != tid; t = t->next)
            ;
    }
    lock_release(&process->lock);
    return t;
}

struct tracee *tracer_add(struct process *process, pid_t tid)
{
    struct tracee *t = tracer_tracee(process, tid);
    if (t)
        return t;
    t = calloc(1, sizeof *t);
    if (!t)
        return NULL;
    t->tid = tid;
    lock_take(&process->lock);
    if (!process->tracees)
        process->tracees = calloc(1, sizeof *process->tracees);
    if (process->tracees) {
        t->next = process->tracees->first;
        process->tracees->first = t;
    } else {
        free(t);
        t = NULL;
    }
    lock_release(&process->lock);
    return t;
}

void tracer_remove(struct process *process, pid_t tid)
{
    lock_take(&process->lock);
    struct tracee **link = process->tracees ? &process->tracees->first : NULL;
    while (link && *link && (*link)->tid != tid)
        link = &(*link)->next;
    if (link && *link) {
        struct tracee *gone = *link;
        *link = gone->next;
        free(gone);
    }
    lock_release(&process->lock);
}

/* ---- the other process ---------------------------------------------------------------------------------------------------------- */

int64_t tracer_ptrace(int request, pid_t tid, uint64_t address, uint64_t data)
{
    return RAW_SYSCALL(SYS_ptrace, (uint64_t)request, (uint64_t)tid, address, data);
}

bool tracer_read(pid_t tid, uint64_t address, void *to, size_t size)
{
    struct iovec local = {to, size}, remote = {(void *)address, size};
    return RAW_SYSCALL(SYS_process_vm_readv, (uint64_t)tid, (uint64_t)&local, 1, (uint64_t)&remote, 1, 0) == (int64_t)size;
}

bool tracer_write(pid_t tid, uint64_t address, const void *from, size_t size)
{
    struct iovec local = {(void *)from, size}, remote = {(void *)address, size};
    return RAW_SYSCALL(SYS_process_vm_writev, (uint64_t)tid, (uint64_t)&local, 1, (uint64_t)&remote, 1, 0) == (int64_t)size;
}

static pid_t thread_group(pid_t tid)
{
    char path[32], line[128];
    long group = tid;
    snprintf(path, sizeof path, "/proc/%d/status", tid);
    FILE *file = fopen(path, "re");
    while (file && fgets(line, sizeof line, file)) {
        if (sscanf(line, "Tgid: %ld", &group) == 1)
            break;
    }
    if (file)
        fclose(file);
    return (pid_t)group;
}

/** Sends the SIGTRAP that asks a running thread for something. */
static int64_t ask(pid_t tid, uint32_t what, int signal)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGTRAP;
    info.si_code = SI_QUEUE;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = (void *)(TRACE_ASK_VALUE | what | (uint64_t)signal << 8);
    return RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)thread_group(tid), (uint64_t)tid, SIGTRAP, (uint64_t)&info);
}

/* ---- which stops the guest sees ------------------------------------------------------------------------------------------------------ */

#define STATUS(signal, event) ((signal) << 8 | (event) << 16 | 0x7f)

/** The host's options: those of the guest whose stops are the host's, and word of execve. */
static uint64_t host_options(uint32_t guest)
{
    const uint32_t ours = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACESECCOMP | PTRACE_O_SUSPEND_SECCOMP;
    return (guest & ~ours) | PTRACE_O_TRACEEXEC;
}

static int64_t set_host_options(const struct tracee *t)
{
    return tracer_ptrace(PTRACE_SETOPTIONS, t->tid, 0, host_options(t->options));
}

static void send_on(const struct tracee *t, int signal)
{
    tracer_ptrace(PTRACE_CONT, t->tid, 0, (uint64_t)signal);
}

static void write_back(struct tracee *t)
{
    if (t->arrived)
        tracer_write(t->tid, t->address, &t->copy, sizeof t->copy);
}

static void send_on_silently(struct tracee *t)
{
    t->copy.signal = 0;
    t->copy.options = t->options;
    t->copy.seized = t->seized;
    t->copy.resume = t->resume;
    write_back(t);
    t->state = TRACEE_RUNS;
    send_on(t, 0);
}

/** The stop of a new program. */
static bool take_exec(struct tracee *t, int *status)
{
    t->copy.options = t->options;
    t->copy.seized = t->seized;
    t->copy.resume = t->resume;
    if (t->options & PTRACE_O_TRACEEXEC) {
        t->copy.message = t->former;
        t->copy.info.si_code = SIGTRAP | PTRACE_EVENT_EXEC << 8;
        *status = STATUS(SIGTRAP, PTRACE_EVENT_EXEC);
        return true;
    }
    if (t->seized) {
        send_on_silently(t);
        return false;
    }
    *status = STATUS(SIGTRAP, 0);
    return true;
}

/** A stop that the thread has made and described itself. */
static bool take_told(struct tracee *t, int *status)
{
    const struct trace *trace = &t->copy;
    t->state = TRACEE_TOLD;
    if (!t->arrived && trace->stop != TRACE_EXEC && trace->stop != TRACE_HELLO) {
        t->options = trace->options;
        t->seized = trace->seized;
    }
    t->arrived = true;
    switch ((enum trace_stop)trace->stop) {
    case TRACE_EXEC:
        return take_exec(t, status);
    case TRACE_HELLO:
        set_host_options(t);
        if (t->seized && t->interrupt) {
            t->interrupt = false;
            t->copy.stop = TRACE_ASKED;
            t->copy.info.si_signo = SIGTRAP;
            t->copy.info.si_code = SIGTRAP | PTRACE_EVENT_STOP << 8;
            *status = STATUS(SIGTRAP, PTRACE_EVENT_STOP);
            return true;
        }
        if (t->seized) {
            send_on_silently(t);
            return false;
        }
        t->copy.options = t->options;
        *status = STATUS(SIGSTOP, 0);
        return true;
    case TRACE_CHILD:
        *status = t->seized ? STATUS(SIGTRAP, PTRACE_EVENT_STOP) : STATUS(SIGSTOP, 0);
        return true;
    case TRACE_ASKED:
        *status = STATUS(SIGTRAP, PTRACE_EVENT_STOP);
        return true;
    case TRACE_SECCOMP:
        *status = STATUS(SIGTRAP, PTRACE_EVENT_SECCOMP);
        return true;
    case TRACE_ENTRY:
    case TRACE_EXIT:
        *status = STATUS(trace->options & PTRACE_O_TRACESYSGOOD ? SIGTRAP | 0x80 : SIGTRAP, 0);
        return true;
    default:
        *status = STATUS((int)trace->signal, 0);
        return true;
    }
}

/** True when the thread is stopped by its own INT3: its description is in t->copy then. */
static bool told(struct tracee *t, const struct user_regs_struct *regs)
{
    if (regs->rax != TRACE_MAGIC || !tracer_read(t->tid, regs->rdi, &t->copy, sizeof t->copy) || t->copy.magic != TRACE_MAGIC)
        return false;
    t->address = regs->rdi;
    return true;
}

static int64_t ask_arrived(const struct tracee *t, uint32_t what, uint32_t signal)
{
    size_t word = what == TRACE_ASK_STOP ? offsetof(struct trace, want_stop) : offsetof(struct trace, want_interrupt);
    uint32_t value = signal ? signal : 1;
    if (!tracer_write(t->tid, t->address + word, &value, sizeof value))
        return -ESRCH;
    return ask(t->tid, what, (int)signal);
}

/** A stop before the host delivers a signal: what of it the guest sees comes later, from the thread itself. */
static void take_host_signal(struct tracee *t, int signal, const siginfo_t *info)
{
    struct trace now;
    bool own = info->si_code == SI_QUEUE && ((uint64_t)info->si_value.sival_ptr & TRACE_ASK_MASK) == TRACE_ASK_VALUE;
    if (signal == SIGTRAP && !own && !t->arrived) { /* the host's word of an execve after PTRACE_TRACEME */
        set_host_options(t);
        signal = 0;
    } else if (signal == SIGSTOP) {
        if (info->si_pid == 0)
            signal = 0; /* from the attachment itself: the thread will stop by itself */
        else if (t->arrived && tracer_read(t->tid, t->address, &now, sizeof now) && now.stop == TRACE_STOPPING)
            signal = SIGSTOP;
        else if ((t->arrived ? ask_arrived(t, TRACE_ASK_STOP, SIGSTOP) : ask(t->tid, TRACE_ASK_STOP, SIGSTOP)) == 0)
            signal = 0;
    }
    send_on(t, signal);
}

static bool take_host_event(struct process *process, struct tracee *t, int signal, int event)
{
    uint64_t message = 0;
    switch (event) {
    case PTRACE_EVENT_EXEC:
        tracer_ptrace(PTRACE_GETEVENTMSG, t->tid, 0, (uint64_t)&message);
        if (message != (uint64_t)t->tid) { /* another thread than the first: its number is gone, its options go on */
            struct tracee *former = tracer_tracee(process, (pid_t)message);
            if (former) {
                t->options = former->options;
                t->seized = former->seized;
                t->resume = former->copy.resume;
                tracer_remove(process, former->tid);
            }
        } else {
            t->resume = t->copy.resume;
        }
        t->former = message;
        t->arrived = false;
        send_on(t, 0);
        return false;
    case PTRACE_EVENT_STOP:
        if (signal == SIGTRAP && !t->listening) {
            send_on(t, 0);
            return false;
        }
        t->listening = false;
        t->state = TRACEE_GROUP;
        return true;
    default:
        t->state = TRACEE_EVENT;
        return true;
    }
}

bool tracer_take_status(struct thread *thread, pid_t tid, int *status)
{
    struct process *process = thread->process;
    struct user_regs_struct regs;
    siginfo_t info;
    if (!WIFSTOPPED(*status)) {
        if (!WIFCONTINUED(*status))
            tracer_remove(process, tid);
        return true;
    }
    if (tracer_ptrace(PTRACE_GETREGS, tid, 0, (uint64_t)&regs) < 0)
        return true; /* stopped without our doing */
    struct tracee *t = tracer_add(process, tid);
    if (!t)
        return true;
    int signal = WSTOPSIG(*status), event = *status >> 16 & 0xff;
    t->state = TRACEE_RUNS;
    if (event)
        return take_host_event(process, t, signal, event);
    if (signal == SIGTRAP && told(t, &regs)) {
        bool first = !t->arrived;
        bool seen = take_told(t, status);
        if (first && t->copy.stop == TRACE_SIGNAL)
            set_host_options(t);
        return seen;
    }
    if (tracer_ptrace(PTRACE_GETSIGINFO, tid, 0, (uint64_t)&info) < 0) {
        t->state = TRACEE_GROUP;
        return true;
    }
    take_host_signal(t, signal, &info);
    return false;
}

/* ---- ptrace -------------------------------------------------------------------------------------------------------------------------- */

/** Attaches to a thread that is not in our hands yet: it must be one of a dragoman. */
static int64_t attach(struct thread *thread, bool seize, pid_t tid, uint64_t options)
{
    struct process *process = thread->process;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", tid);
    struct stat a, b;
    if (stat("/proc/self/exe", &a) == 0 && stat(path, &b) == 0 && (a.st_dev != b.st_dev || a.st_ino != b.st_ino))
        return -EPERM;
    if (tracer_tracee(process, tid))
        return -EPERM;
    int64_t result = seize ? tracer_ptrace(PTRACE_SEIZE, tid, 0, host_options((uint32_t)options))
                           : tracer_ptrace(PTRACE_ATTACH, tid, 0, 0);
    if (result < 0)
        return result;
    struct tracee *t = tracer_add(process, tid);
    if (!t)
        return -ENOMEM;
    t->seized = seize;
    t->options = (uint32_t)options;
    return ask(tid, TRACE_ASK_ATTACH | (seize ? TRACE_ASK_SEIZE : 0), 0);
}

/** Lets a stopped thread run on. */
static int64_t resume(struct process *process, struct tracee *t, enum trace_resume how, uint64_t signal, bool detach)
{
    if (signal > GUEST_SIGNALS)
        return -EIO;
    struct trace *trace = &t->copy;
    if (t->state == TRACEE_TOLD) {
        bool takes_signal = trace->stop == TRACE_SIGNAL || (trace->stop == TRACE_CHILD && !t->seized) ||
                            (trace->stop == TRACE_HELLO && !t->seized) ||
                            (trace->stop == TRACE_EXEC && !(t->options & PTRACE_O_TRACEEXEC));
        if (takes_signal && signal && signal != trace->signal) {
            memset(&trace->info, 0, sizeof trace->info);
            trace->info.si_signo = (int)signal;
            trace->info.si_code = SI_USER;
            trace->info.si_pid = getpid();
            trace->info.si_uid = getuid();
        }
        trace->signal = takes_signal || trace->stop == TRACE_ENTRY || trace->stop == TRACE_EXIT ? (uint32_t)signal : 0;
    } else if (t->arrived) {
        /* The thread is in the middle of something: only what is ours may be written. */
        uint64_t base = t->address;
        uint32_t attached = !detach, wanted = detach ? TRACE_CONTINUE : how;
        tracer_write(t->tid, base + offsetof(struct trace, resume), &wanted, sizeof wanted);
        tracer_write(t->tid, base + offsetof(struct trace, options), &t->options, sizeof t->options);
        tracer_write(t->tid, base + offsetof(struct trace, attached), &attached, sizeof attached);
    }
    trace->resume = t->resume = detach ? TRACE_CONTINUE : how;
    trace->options = t->options;
    trace->seized = t->seized;
    trace->attached = !detach;
    if (t->state == TRACEE_TOLD)
        write_back(t);
    bool group = t->state == TRACEE_GROUP;
    t->state = TRACEE_RUNS;
    if (detach) {
        pid_t tid = t->tid;
        tracer_remove(process, tid);
        return tracer_ptrace(PTRACE_DETACH, tid, 0, group ? signal : 0);
    }
    return tracer_ptrace(PTRACE_CONT, t->tid, 0, 0);
}

/** Notes for the traced process that its code is not what it was. */
static void note_change(const struct tracee *t, uint64_t address, uint64_t size)
{
    struct trace_changes changes;
    uint64_t at = (uint64_t)t->copy.process + offsetof(struct process, trace_changes);
    if (!t->arrived || !tracer_read(t->tid, at, &changes, sizeof changes))
        return;
    if (changes.start >= changes.end)
        changes = (struct trace_changes){address, address + size};
    if (address < changes.start)
        changes.start = address;
    if (address + size > changes.end)
        changes.end = address + size;
    tracer_write(t->tid, at, &changes, sizeof changes);
}

void tracer_memory_opened(struct process *process, pid_t pid, int fd)
{
    lock_take(&process->lock);
    struct tracees *all = process->tracees;
    if (all) {
        all->memories[all->nmemories % MAX_MEMORIES].fd = fd;
        all->memories[all->nmemories % MAX_MEMORIES].pid = pid;
        all->nmemories++;
    }
    lock_release(&process->lock);
}

/** A stopped thread of the process whose memory the descriptor is; NULL: none. */
static const struct tracee *find_memory(struct process *process, int fd)
{
    const struct tracees *all = process->tracees;
    const struct tracee *found = NULL;
    unsigned n = all->nmemories < MAX_MEMORIES ? all->nmemories : MAX_MEMORIES;
    lock_take(&process->lock);
    for (unsigned i = 0; i < n && !found; i++) {
        for (const struct tracee *t = all->first; t && !found && all->memories[i].fd == fd; t = t->next) {
            if (t->arrived && t->state == TRACEE_TOLD &&
                (t->tid == all->memories[i].pid || thread_group(t->tid) == thread_group(all->memories[i].pid)))
                found = t;
        }
    }
    lock_release(&process->lock);
    return found;
}

/** Debuggers write breakpoints so. */
int64_t sys_pwrite64(struct thread *thread, const uint64_t a[6])
{
    struct process *process = thread->process;
    const struct tracee *t = process->tracees && process->tracees->nmemories ? find_memory(process, (int)a[0]) : NULL;
    int64_t result = host_syscall(thread, SYS_pwrite64, a);
    if (t && result > 0)
        note_change(t, a[3], (uint64_t)result);
    return result;
}

#define AUDIT_ARCH_ARM64 0xc00000b7u

static int64_t get_syscall_info(const struct tracee *t, uint64_t size, uint64_t to)
{
    struct ptrace_syscall_info info = {.arch = AUDIT_ARCH_ARM64};
    struct a64_cpu cpu;
    size_t used = offsetof(struct ptrace_syscall_info, entry);
    if (!t->arrived || !tracer_read(t->tid, (uint64_t)t->copy.cpu, &cpu, sizeof cpu))
        return -EIO;
    info.instruction_pointer = cpu.cpu.pc;
    info.stack_pointer = cpu.sp;
    uint32_t stop = t->state == TRACEE_TOLD ? t->copy.stop : TRACE_NOT_STOPPED;
    if (stop == TRACE_ENTRY || stop == TRACE_SECCOMP) {
        info.op = stop == TRACE_ENTRY ? PTRACE_SYSCALL_INFO_ENTRY : PTRACE_SYSCALL_INFO_SECCOMP;
        info.entry.nr = (uint64_t)(int64_t)t->copy.number;
        memcpy(info.entry.args, cpu.x, sizeof info.entry.args);
        used += sizeof info.entry;
        if (stop == TRACE_SECCOMP) {
            info.seccomp.ret_data = (uint32_t)t->copy.message;
            used = offsetof(struct ptrace_syscall_info, seccomp) + sizeof info.seccomp;
        }
    } else if (stop == TRACE_EXIT) {
        info.op = PTRACE_SYSCALL_INFO_EXIT;
        info.exit.rval = (int64_t)cpu.x[0];
        info.exit.is_error = info.exit.rval < 0 && info.exit.rval >= -4095;
        used = offsetof(struct ptrace_syscall_info, exit.is_error) + 1;
    }
    if (!guest_write(to, &info, used < size ? used : size))
        return -EFAULT;
    return (int64_t)used;
}

static int64_t set_options(struct tracee *t, uint64_t options)
{
    if (options & ~(uint64_t)PTRACE_O_MASK)
        return -EINVAL;
    t->options = (uint32_t)options;
    return set_host_options(t);
}

static int64_t get_message(const struct tracee *t, uint64_t to)
{
    uint64_t message = t->copy.message;
    if (t->state != TRACEE_TOLD)
        return tracer_ptrace(PTRACE_GETEVENTMSG, t->tid, 0, to);
    return guest_write(to, &message, sizeof message) ? 0 : -EFAULT;
}

static int64_t signal_mask(const struct tracee *t, uint64_t size, uint64_t at, bool set)
{
    uint64_t mask;
    if (size != sizeof mask)
        return -EINVAL;
    if (!t->arrived)
        return -EIO;
    if (set) {
        if (!guest_read(&mask, at, sizeof mask))
            return -EFAULT;
        mask &= ~(SIGNAL_BIT(SIGKILL) | SIGNAL_BIT(SIGSTOP));
        return tracer_write(t->tid, (uint64_t)t->copy.mask, &mask, sizeof mask) ? 0 : -EIO;
    }
    if (!tracer_read(t->tid, (uint64_t)t->copy.mask, &mask, sizeof mask))
        return -EIO;
    return guest_write(at, &mask, sizeof mask) ? 0 : -EFAULT;
}

static int64_t signal_info(struct tracee *t, uint64_t at, bool set)
{
    if (t->state == TRACEE_GROUP)
        return -EINVAL;
    if (t->state == TRACEE_EVENT)
        return tracer_ptrace(set ? PTRACE_SETSIGINFO : PTRACE_GETSIGINFO, t->tid, 0, at);
    if (set)
        return guest_read(&t->copy.info, at, sizeof t->copy.info) ? 0 : -EFAULT;
    return guest_write(at, &t->copy.info, sizeof t->copy.info) ? 0 : -EFAULT;
}

/** Requests about a thread that is stopped. */
static int64_t request_stopped(struct thread *thread, struct tracee *t, int request, uint64_t address, uint64_t data)
{
    struct process *process = thread->process;
    switch (request) {
    case PTRACE_PEEKTEXT:
    case PTRACE_PEEKDATA:
        return tracer_ptrace(request, t->tid, address, data);
    case PTRACE_POKETEXT:
    case PTRACE_POKEDATA:
        note_change(t, address, 8);
        return tracer_ptrace(request, t->tid, address, data);
    case PTRACE_GETREGSET:
    case PTRACE_SETREGSET:
        return t->arrived ? tracer_register_set(t, address, data, request == PTRACE_SETREGSET) : -EIO;
    case PTRACE_CONT:
        return resume(process, t, TRACE_CONTINUE, data, false);
    case PTRACE_SYSCALL:
        return resume(process, t, TRACE_SYSCALL, data, false);
    case PTRACE_SYSEMU:
        return resume(process, t, TRACE_SYSEMU, data, false);
    case PTRACE_SINGLESTEP:
        return resume(process, t, TRACE_STEP, data, false);
    case PTRACE_DETACH:
        return resume(process, t, TRACE_CONTINUE, data, true);
    case PTRACE_LISTEN:
        if (t->state != TRACEE_GROUP)
            return -EIO;
        t->listening = true;
        return tracer_ptrace(PTRACE_LISTEN, t->tid, 0, 0);
    case PTRACE_SETOPTIONS:
        return set_options(t, data);
    case PTRACE_GETEVENTMSG:
        return get_message(t, data);
    case PTRACE_GETSIGINFO:
    case PTRACE_SETSIGINFO:
        return signal_info(t, data, request == PTRACE_SETSIGINFO);
    case PTRACE_GETSIGMASK:
    case PTRACE_SETSIGMASK:
        return signal_mask(t, address, data, request == PTRACE_SETSIGMASK);
    case PTRACE_GET_SYSCALL_INFO:
        return get_syscall_info(t, address, data);
    case PTRACE_PEEKSIGINFO:
        return tracer_ptrace(request, t->tid, address, data);
    default:
        return -EIO; /* arm64 has no PTRACE_GETREGS, PTRACE_PEEKUSR and their like */
    }
}

int64_t sys_ptrace(struct thread *thread, const uint64_t a[6])
{
    int request = (int)a[0];
    pid_t tid = (pid_t)a[1];
    if (request == PTRACE_TRACEME)
        return trace_me(thread);
    if (request == PTRACE_SEIZE && a[2])
        return -EIO;
    if (request == PTRACE_ATTACH || request == PTRACE_SEIZE)
        return attach(thread, request == PTRACE_SEIZE, tid, a[3]);
    struct tracee *t = tracer_tracee(thread->process, tid);
    if (!t)
        return -ESRCH;
    if (request == PTRACE_KILL)
        return RAW_SYSCALL(SYS_tgkill, (uint64_t)thread_group(tid), (uint64_t)tid, SIGKILL);
    if (request == PTRACE_INTERRUPT) {
        if (!t->seized)
            return -EIO;
        t->interrupt = !t->arrived;
        return t->arrived ? ask_arrived(t, TRACE_ASK_INTERRUPT, 0) : 0;
    }
    if (t->state == TRACEE_RUNS || t->listening)
        return -ESRCH;
    return request_stopped(thread, t, request, a[2], a[3]);
}

/* ---- wait ---------------------------------------------------------------------------------------------------------------------------- */

int64_t sys_wait4(struct thread *thread, const uint64_t a[6])
{
    int status = 0;
    for (;;) {
        int64_t result = HOST_SYSCALL(thread, SYS_wait4, a[0], (uint64_t)&status, a[2], a[3]);
        if (result > 0 && !tracer_take_status(thread, (pid_t)result, &status))
            continue;
        if (result > 0 && a[1] && !guest_write(a[1], &status, sizeof status))
            return -EFAULT;
        return result;
    }
}

/** The status that wait4 would have told. */
static int status_of(const siginfo_t *info)
{
    switch (info->si_code) {
    case CLD_EXITED:
        return (info->si_status & 0xff) << 8;
    case CLD_KILLED:
        return info->si_status & 0x7f;
    case CLD_DUMPED:
        return (info->si_status & 0x7f) | 0x80;
    case CLD_CONTINUED:
        return 0xffff;
    default:
        return (info->si_status & 0xffffff) << 8 | 0x7f;
    }
}

int64_t sys_waitid(struct thread *thread, const uint64_t a[6])
{
    siginfo_t info;
    for (;;) {
        memset(&info, 0, sizeof info);
        int64_t result = HOST_SYSCALL(thread, SYS_waitid, a[0], a[1], (uint64_t)&info, a[3], a[4]);
        if (result == 0 && info.si_pid && !(a[3] & WNOWAIT)) {
            int status = status_of(&info), seen = status;
            if (!tracer_take_status(thread, info.si_pid, &seen))
                continue;
            if (seen != status)
                info.si_status = seen >> 8;
        }
        if (result == 0 && a[2]) {
            /* The kernel writes no more than these, and zeros when there is nothing to tell. */
            if (!guest_write(a[2], &info, offsetof(siginfo_t, si_status) + sizeof info.si_status))
                return -EFAULT;
        }
        return result;
    }
}

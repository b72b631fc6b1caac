/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/gdb_linux.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

#define END_TIMEOUT 15 /* s for which the end of the process is put off to tell the client */

/* ---- signal numbers ------------------------------------------------------------------------------------------------------- */

/* Of Linux 1..31; SIGSTKFLT has none. */
static const uint8_t gdb_numbers[32] = {
    [SIGHUP] = 1,   [SIGINT] = 2,   [SIGQUIT] = 3,  [SIGILL] = 4,     [SIGTRAP] = 5,    [SIGABRT] = 6,  [SIGFPE] = 8,
    [SIGKILL] = 9,  [SIGBUS] = 10,  [SIGSEGV] = 11, [SIGSYS] = 12,    [SIGPIPE] = 13,   [SIGALRM] = 14, [SIGTERM] = 15,
    [SIGURG] = 16,  [SIGSTOP] = 17, [SIGTSTP] = 18, [SIGCONT] = 19,   [SIGCHLD] = 20,   [SIGTTIN] = 21, [SIGTTOU] = 22,
    [SIGIO] = 23,   [SIGXCPU] = 24, [SIGXFSZ] = 25, [SIGVTALRM] = 26, [SIGPROF] = 27,   [SIGWINCH] = 28, [SIGUSR1] = 30,
    [SIGUSR2] = 31, [SIGPWR] = 32,  [SIGSTKFLT] = 143,
};
enum { GDB_REALTIME_33 = 45, GDB_REALTIME_32 = 77, GDB_REALTIME_64 = 78 };

int gdb_signal_number(int signal)
{
    if (signal > 0 && signal < 32)
        return gdb_numbers[signal];
    if (signal == 32 || signal == 64)
        return signal == 32 ? GDB_REALTIME_32 : GDB_REALTIME_64;
    return signal > 32 && signal < 64 ? signal - 33 + GDB_REALTIME_33 : 0;
}

int gdb_signal_to_linux(int number)
{
    for (int signal = 1; number && signal <= GUEST_SIGNALS; signal++) {
        if (gdb_signal_number(signal) == number)
            return signal;
    }
    return 0;
}

/* ---- parking -------------------------------------------------------------------------------------------------------------- */

static bool must_park(const struct gdb_process *gdb) { return __atomic_load_n(&gdb->stopped, __ATOMIC_SEQ_CST); }

/** With the lock held: waits until the thread may run; a thread that was not resumed stays. */
static void park(struct gdb_process *gdb, struct gdb_thread *self)
{
    self->parked = true;
    pthread_cond_broadcast(&gdb->changed);
    while (gdb->stopped || self->action.kind == GDB_STAY)
        pthread_cond_wait(&gdb->changed, &gdb->lock);
    self->parked = false;
}

static void park_if_wanted(struct gdb_process *gdb, struct gdb_thread *self)
{
    if (!must_park(gdb))
        return;
    pthread_mutex_lock(&gdb->lock);
    if (gdb->stopped)
        park(gdb, self);
    pthread_mutex_unlock(&gdb->lock);
}

/** With the lock held: the server is told, and the thread waits until it is resumed. */
static void report_locked(struct thread *thread, struct gdb_stop stop)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct gdb_thread *self = thread->gdb;
    if (!gdb->attached)
        return;
    stop.thread = (struct gdb_id){getpid(), self->tid};
    self->stop = stop;
    self->has_stop = true;
    self->step_done = false;
    self->action.kind = GDB_STAY;
    gdb_server_notify(gdb->server);
    park(gdb, self);
}

static void report(struct thread *thread, struct gdb_stop stop)
{
    struct gdb_process *gdb = thread->process->gdb;
    pthread_mutex_lock(&gdb->lock);
    if (stop.kind != GDB_STOP_SIGNAL || stop.signal == gdb_numbers[SIGTRAP]) {
        memset(&thread->gdb->info, 0, sizeof thread->gdb->info);
        thread->gdb->info.si_signo = SIGTRAP;
        thread->gdb->info.si_code = stop.kind == GDB_STOP_BREAKPOINT ? TRAP_BRKPT
                                    : stop.kind == GDB_STOP_WATCH    ? 4 /* TRAP_HWBKPT */
                                                                     : TRAP_TRACE;
        thread->gdb->info.si_addr = (void *)(stop.kind == GDB_STOP_WATCH ? stop.value : thread->cpu->cpu.pc);
    }
    report_locked(thread, stop);
    pthread_mutex_unlock(&gdb->lock);
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

static void report_debug(struct thread *thread)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct cpu *cpu = &thread->cpu->cpu;
    struct gdb_stop stop = {.kind = GDB_STOP_BREAKPOINT, .signal = gdb_numbers[SIGTRAP], .value = cpu->pc};
    unsigned watch = 0;
    pthread_mutex_lock(&gdb->lock);
    for (size_t i = 0; i < gdb->points.count; i++) {
        const struct gdb_point_entry *point = &gdb->points.list[i];
        if (point->kind < GDB_WATCH_WRITE) {
            if (cpu->trap_info == 0 && point->address == cpu->pc)
                stop.point = point->kind;
        } else if (++watch == cpu->trap_info) {
            stop.kind = GDB_STOP_WATCH;
            stop.point = point->kind;
            stop.value = point->address;
        }
    }
    pthread_mutex_unlock(&gdb->lock);
    report(thread, stop);
}

/** Which steps end is for the client to know: single ones after an instruction, others outside of their range or where it
    has put a breakpoint. */
static bool ends_step(struct gdb_process *gdb, const struct gdb_thread *self, uint64_t pc)
{
    bool ends = pc < self->action.range_start || pc >= self->action.range_end;
    pthread_mutex_lock(&gdb->lock);
    for (size_t i = 0; !ends && i < gdb->points.count; i++)
        ends = gdb->points.list[i].kind < GDB_WATCH_WRITE && gdb->points.list[i].address == pc;
    pthread_mutex_unlock(&gdb->lock);
    return ends;
}

/** A vfork child shares its parent's memory and translations, and is not debugged: it passes over breakpoints. */
static enum cpu_trap run_unseen(struct thread *thread)
{
    enum cpu_trap trap = engine_run(&thread->cpu->cpu);
    while (trap == TRAP_DEBUG) {
        trap = engine_step(&thread->cpu->cpu);
        if (trap == TRAP_NONE)
            trap = engine_run(&thread->cpu->cpu);
    }
    return trap;
}

static void inject(struct thread *thread)
{
    struct gdb_thread *self = thread->gdb;
    int signal = gdb_signal_to_linux(self->inject);
    self->inject = 0;
    if (!signal)
        return;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = signal;
    info.si_code = SI_USER;
    info.si_pid = getpid();
    info.si_uid = getuid();
    signals_take_over(thread, &info);
    signals_set_mask(thread, thread->mask);
}

enum cpu_trap gdb_run(struct thread *thread)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct gdb_thread *self = thread->gdb;
    struct cpu *cpu = &thread->cpu->cpu;
    const struct gdb_stop stepped = {.kind = GDB_STOP_SIGNAL, .signal = gdb_numbers[SIGTRAP]};
    if (thread->vfork_child)
        return run_unseen(thread);
    for (;;) {
        if (self->step_done) {
            self->step_done = false;
            report(thread, stepped);
        }
        park_if_wanted(gdb, self);
        if (self->inject)
            inject(thread);
        if (self->step_done)
            continue;
        bool step = self->action.kind == GDB_STEP;
        enum cpu_trap trap = step ? engine_step(cpu) : engine_run(cpu);
        if (trap == TRAP_DEBUG) {
            if (gdb->attached)
                report_debug(thread);
        } else if (trap == TRAP_NONE) {
            self->step_done = ends_step(gdb, self, cpu->pc);
        } else {
            return trap;
        }
    }
}

/* ---- system calls ----------------------------------------------------------------------------------------------------------- */

static bool caught(struct gdb_process *gdb, uint64_t number)
{
    bool found = false;
    if (!gdb->catch_all && gdb->ncaught == 0)
        return false;
    pthread_mutex_lock(&gdb->lock);
    found = gdb->catch_all;
    for (size_t i = 0; !found && i < gdb->ncaught; i++)
        found = gdb->caught[i] == number;
    pthread_mutex_unlock(&gdb->lock);
    return found;
}

void gdb_syscall(struct thread *thread)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct gdb_thread *self = thread->gdb;
    struct a64_cpu *cpu = thread->cpu;
    uint64_t number = cpu->x[8];
    if (thread->vfork_child) {
        syscall_run(thread);
        return;
    }
    bool stops = caught(gdb, number);
    if (stops)
        report(thread, (struct gdb_stop){.kind = GDB_STOP_SYSCALL_ENTRY, .value = number});
    uint64_t first = cpu->x[0], pc = cpu->cpu.pc;
    __atomic_store_n(&self->in_syscall, true, __ATOMIC_SEQ_CST);
    /* Whoever wants us to stop sets `stopped` and then looks at in_syscall: one of the two sees the other. */
    if (must_park(gdb) && !stops) {
        __atomic_store_n(&self->in_syscall, false, __ATOMIC_SEQ_CST);
        cpu->cpu.pc -= 4;
        return;
    }
    syscall_run(thread);
    if (thread->gdb != self)
        return; /* the child of a fork */
    __atomic_store_n(&self->in_syscall, false, __ATOMIC_SEQ_CST);
    if (cpu->cpu.pc == pc - 4)
        return; /* it begins again */
    bool interrupted = cpu->x[0] == (uint64_t)-EINTR && cpu->cpu.pc == pc &&
                       __atomic_load_n(&thread->pending, __ATOMIC_SEQ_CST);
    if (stops && !thread->exiting)
        report(thread, (struct gdb_stop){.kind = GDB_STOP_SYSCALL_RETURN, .value = number});
    if (interrupted) { /* perhaps by what the guest must not know of */
        thread->trace.restart = 1;
        thread->trace.first_argument = first;
    } else {
        self->step_done = self->action.kind == GDB_STEP;
    }
}

/* ---- signals ---------------------------------------------------------------------------------------------------------------- */

bool gdb_is_kick(const struct thread *thread, int signal, const siginfo_t *info)
{
    return signal == SIGTRAP && info->si_code == SI_QUEUE && info->si_pid == getpid() &&
           info->si_value.sival_ptr == (void *)thread->gdb;
}

void gdb_handler_begun(struct thread *thread)
{
    if (!thread->vfork_child && thread->gdb->action.kind == GDB_STEP)
        thread->gdb->step_done = true;
}

bool gdb_signal(struct thread *thread, siginfo_t *info)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct gdb_thread *self = thread->gdb;
    int number = gdb_signal_number(info->si_signo);
    if (thread->vfork_child)
        return true;
    pthread_mutex_lock(&gdb->lock);
    if (!gdb->attached || gdb->pass[number / 64] >> number % 64 & 1) {
        pthread_mutex_unlock(&gdb->lock);
        return true;
    }
    self->info = *info;
    self->in_signal = true;
    self->decided = false;
    report_locked(thread, (struct gdb_stop){.kind = GDB_STOP_SIGNAL, .signal = number});
    self->in_signal = false;
    int deliver = self->decided ? gdb_signal_to_linux(self->deliver) : info->si_signo;
    pthread_mutex_unlock(&gdb->lock);
    if (deliver && deliver != info->si_signo) {
        memset(info, 0, sizeof *info);
        info->si_signo = deliver;
        info->si_code = SI_USER;
        info->si_pid = getpid();
        info->si_uid = getuid();
    }
    return deliver != 0;
}

/* ---- beginnings and ends ---------------------------------------------------------------------------------------------------- */

bool gdb_thread_new(struct thread *thread)
{
    thread->gdb = calloc(1, sizeof *thread->gdb);
    if (thread->gdb) {
        thread->gdb->action.kind = GDB_CONTINUE;
        thread->gdb->tid = thread->tid;
    }
    return thread->gdb != NULL;
}

void gdb_thread_free(struct thread *thread)
{
    free(thread->gdb);
    thread->gdb = NULL;
}

void gdb_thread_end(struct thread *thread)
{
    struct gdb_process *gdb = thread->process->gdb;
    struct gdb_thread *self = thread->gdb;
    bool runs = false;
    if (thread->vfork_child)
        return;
    park_if_wanted(gdb, self);
    lock_take(&thread->process->lock);
    pthread_mutex_lock(&gdb->lock);
    self->action.kind = GDB_STAY;
    for (const struct thread *other = thread->process->threads; other; other = other->next)
        runs |= other->gdb->action.kind != GDB_STAY;
    if (!runs && thread->process->nthreads > 1 && gdb->attached) {
        gdb->no_threads = true;
        gdb_server_notify(gdb->server);
    }
    pthread_mutex_unlock(&gdb->lock);
    lock_release(&thread->process->lock);
}

void gdb_exit(struct thread *thread, int status, int signal)
{
    struct gdb_process *gdb = thread->process->gdb;
    if (thread->vfork_child)
        return;
    struct timespec limit;
    clock_gettime(CLOCK_REALTIME, &limit);
    limit.tv_sec += END_TIMEOUT;
    pthread_mutex_lock(&gdb->lock);
    if (gdb->stopped)
        park(gdb, thread->gdb);
    if (gdb->attached && !gdb->ended) {
        gdb->end = (struct gdb_stop){
            .kind = signal ? GDB_STOP_KILLED : GDB_STOP_EXITED,
            .thread = {getpid(), thread->gdb->tid},
            .value = (uint64_t)(signal ? gdb_signal_number(signal) : status),
        };
        gdb->ended = true;
        gdb_server_notify(gdb->server);
        while (gdb->attached && pthread_cond_timedwait(&gdb->changed, &gdb->lock, &limit) != ETIMEDOUT)
            ;
    }
    pthread_mutex_unlock(&gdb->lock);
    gdb_server_end(gdb->server);
}

const char *gdb_hand_on(struct thread *thread, char *text, size_t size)
{
    if (!thread->process->gdb || thread->vfork_child) /* such a child is not debugged, nor is what it executes */
        return NULL;
    return gdb_server_hand_on(thread->process->gdb->server, text, size) ? text : NULL;
}

void gdb_take_back(struct thread *thread)
{
    if (thread->process->gdb && !thread->vfork_child)
        gdb_server_take_back(thread->process->gdb->server);
}

void gdb_fork_child(struct process *process, struct thread *self)
{
    struct gdb_process *gdb = process->gdb;
    process->gdb = NULL;
    gdb_thread_free(self);
    gdb_server_forget(gdb->server);
    if (gdb->memory >= 0)
        close(gdb->memory);
    free(gdb->points.list);
    free(gdb->caught);
    free(gdb);
    engine_set_breakpoints(process->engine, NULL, 0);
    engine_set_watchpoints(process->engine, NULL, 0);
    if (!self->trace.attached)
        signals_catch_handled(self);
}

size_t gdb_descriptors(const struct gdb_process *gdb, int fds[GDB_DESCRIPTORS])
{
    size_t n = gdb_server_descriptors(gdb->server, fds);
    fds[n++] = gdb->memory;
    return n;
}

static void *serve(void *opaque)
{
    struct gdb_process *gdb = opaque;
    prctl(PR_SET_NAME, "dragoman-gdb");
    gdb_server_run(gdb->server);
    return NULL;
}

static int open_memory(void)
{
    int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC), high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 900);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

struct gdb_process *gdb_start(struct process *process, const char *where, char error[256])
{
    struct gdb_process *gdb = calloc(1, sizeof *gdb);
    bool suspend;
    pthread_t thread;
    if (!gdb) {
        snprintf(error, 256, "-g: out of memory");
        return NULL;
    }
    gdb->process = process;
    gdb_target_init(gdb);
    gdb->server = gdb_server_create(where, &gdb->target, &suspend, error);
    if (!gdb->server) {
        free(gdb);
        return NULL;
    }
    gdb->memory = open_memory();
    gdb->stopped = gdb->attached = suspend;
    pthread_mutex_init(&gdb->lock, NULL);
    pthread_cond_init(&gdb->changed, NULL);
    process->gdb = gdb;
    /* The server's thread gets no signals: all of them are for the guest's. */
    uint64_t mask = signals_block_all();
    int failed = pthread_create(&thread, NULL, serve, gdb);
    signals_set_host_mask(mask);
    if (failed) {
        snprintf(error, 256, "-g: no thread: %s", strerror(failed));
        return NULL;
    }
    pthread_detach(thread);
    signals_catch_all(process->threads);
    return gdb;
}

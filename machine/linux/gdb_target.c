/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the gdb server asks of the Linux process. All functions run on the server's thread. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/gdb_linux.h"
#include "machine/linux/guest_access.h"

#define KICK_INTERVAL 10 /* ms after which a thread that has not stopped is kicked again */
#define KICK_TRIES 12    /* … and then counts as stopped if it is in a system call */

/* ---- threads -------------------------------------------------------------------------------------------------------------- */

static struct gdb_id id_of(const struct thread *thread) { return (struct gdb_id){getpid(), thread->gdb->tid}; }

struct thread *gdb_find_thread(const struct gdb_process *gdb, struct gdb_id id)
{
    struct thread *found = NULL;
    if (id.pid > 0 && id.pid != getpid())
        return NULL;
    lock_take(&gdb->process->lock);
    for (struct thread *t = gdb->process->threads; t && !found; t = t->next) {
        if (t->gdb->tid == id.tid)
            found = t;
    }
    lock_release(&gdb->process->lock);
    return found;
}

/** The oldest first: the list has the newest at its head. */
static size_t list_threads(void *opaque, struct gdb_id *ids, size_t max)
{
    const struct gdb_process *gdb = opaque;
    size_t n = 0;
    lock_take(&gdb->process->lock);
    size_t total = gdb->process->nthreads;
    for (const struct thread *t = gdb->process->threads; t; t = t->next, n++) {
        size_t place = total - 1 - n;
        if (place < max)
            ids[place] = id_of(t);
    }
    lock_release(&gdb->process->lock);
    return total;
}

static struct cpu *find_cpu(void *opaque, struct gdb_id id)
{
    struct thread *thread = gdb_find_thread(opaque, id);
    return thread ? &thread->cpu->cpu : NULL;
}

static void registers_written(void *opaque, struct gdb_id id)
{
    struct thread *thread = gdb_find_thread(opaque, id);
    if (!thread)
        return;
    /* What was loaded exclusively may be another register's now. */
    thread->cpu->excl_address = A64_EXCL_NONE;
}

/* ---- memory: only the guest's ----------------------------------------------------------------------------------------------- */

static size_t read_page(const struct gdb_process *gdb, uint64_t address, void *bytes, size_t size)
{
    if (gdb->memory >= 0) { /* reads what the guest itself may not, as ptrace does */
        ssize_t n = pread(gdb->memory, bytes, size, (off_t)address);
        return n > 0 ? (size_t)n : 0;
    }
    return guest_read(bytes, address, size) ? size : 0;
}

static size_t read_memory(void *opaque, struct gdb_id id, uint64_t address, void *bytes, size_t size)
{
    const struct gdb_process *gdb = opaque;
    size_t done = 0;
    (void)id;
    while (done < size) {
        struct mapping m;
        size_t part = GUEST_PAGE - (address + done) % GUEST_PAGE;
        if (part > size - done)
            part = size - done;
        if (!memory_find(&gdb->process->memory, address + done, &m) ||
            read_page(gdb, address + done, (char *)bytes + done, part) != part)
            break;
        done += part;
    }
    return done;
}

static bool write_memory(void *opaque, struct gdb_id id, uint64_t address, const void *bytes, size_t size)
{
    const struct gdb_process *gdb = opaque;
    struct mapping m;
    (void)id;
    if (address + size < address)
        return false;
    for (uint64_t at = address; at < address + size; at = m.end) {
        if (!memory_find(&gdb->process->memory, at, &m))
            return false;
    }
    /* Through the file, a private mapping that is not writable is written, too. */
    bool good = gdb->memory >= 0 ? pwrite(gdb->memory, bytes, size, (off_t)address) == (ssize_t)size
                                 : guest_write(address, bytes, size);
    engine_invalidate(gdb->process->engine, address, address + size);
    return good;
}

/* ---- breakpoints: kept in a list, given to the engine before anything runs ---------------------------------------------------- */

static size_t find_point(const struct gdb_point_set *set, enum gdb_point kind, uint64_t address, uint64_t size)
{
    size_t i = 0;
    while (i < set->count && (set->list[i].kind != kind || set->list[i].address != address || set->list[i].size != size))
        i++;
    return i;
}

static int insert_point(void *opaque, enum gdb_point kind, uint64_t address, uint64_t size)
{
    struct gdb_process *gdb = opaque;
    struct gdb_point_set *set = &gdb->points;
    size_t watches = 0;
    if (kind < GDB_WATCH_WRITE ? address % 4 != 0 : size == 0 || address + size < address)
        return EINVAL;
    for (size_t i = 0; i < set->count; i++)
        watches += set->list[i].kind >= GDB_WATCH_WRITE;
    if (find_point(set, kind, address, size) < set->count)
        return 0; /* inserting is idempotent */
    if (kind >= GDB_WATCH_WRITE && watches == ENGINE_WATCHPOINTS)
        return ENOSPC;
    pthread_mutex_lock(&gdb->lock);
    if (set->count == set->capacity) {
        size_t capacity = set->capacity ? 2 * set->capacity : 64;
        void *list = realloc(set->list, capacity * sizeof *set->list);
        if (list) {
            set->list = list;
            set->capacity = capacity;
        }
    }
    bool room = set->count < set->capacity;
    if (room)
        set->list[set->count++] = (struct gdb_point_entry){kind, address, size};
    pthread_mutex_unlock(&gdb->lock);
    return room ? 0 : ENOMEM;
}

static int remove_point(void *opaque, enum gdb_point kind, uint64_t address, uint64_t size)
{
    struct gdb_process *gdb = opaque;
    struct gdb_point_set *set = &gdb->points;
    size_t i = find_point(set, kind, address, size);
    if (i == set->count)
        return 0;
    pthread_mutex_lock(&gdb->lock);
    memmove(&set->list[i], &set->list[i + 1], (--set->count - i) * sizeof *set->list);
    pthread_mutex_unlock(&gdb->lock);
    return 0;
}

static void apply_points(struct gdb_process *gdb)
{
    const struct gdb_point_set *set = &gdb->points;
    struct builder_watch watches[ENGINE_WATCHPOINTS];
    uint64_t *breaks = malloc((set->count ? set->count : 1) * sizeof *breaks);
    size_t nbreaks = 0, nwatches = 0;
    memset(watches, 0, sizeof watches);
    for (size_t i = 0; breaks && i < set->count; i++) {
        const struct gdb_point_entry *point = &set->list[i];
        if (point->kind < GDB_WATCH_WRITE)
            breaks[nbreaks++] = point->address;
        else
            watches[nwatches++] = (struct builder_watch){point->address, point->size, point->kind != GDB_WATCH_WRITE,
                                                         point->kind != GDB_WATCH_READ};
    }
    if (breaks)
        engine_set_breakpoints(gdb->process->engine, breaks, nbreaks);
    engine_set_watchpoints(gdb->process->engine, watches, nwatches);
    free(breaks);
}

/* ---- running -------------------------------------------------------------------------------------------------------------- */

/** With the lock held. What a thread has not reported yet, and would not happen again by itself, is kept. */
static bool resume_thread(struct gdb_thread *self, const struct gdb_action *action)
{
    bool keeps = self->has_stop && (self->in_signal || self->stop.kind == GDB_STOP_SYSCALL_ENTRY ||
                                    self->stop.kind == GDB_STOP_SYSCALL_RETURN);
    self->has_stop = keeps;
    if (keeps)
        return true;
    self->action = action ? *action : (struct gdb_action){.kind = GDB_STAY};
    if (self->action.kind == GDB_STAY)
        return false;
    if (self->in_signal && !self->decided) {
        self->decided = true;
        self->deliver = self->action.signal;
    } else if (self->action.signal) {
        self->inject = self->action.signal;
    }
    return false;
}

static void resume(void *opaque, const struct gdb_action *actions, size_t n)
{
    struct gdb_process *gdb = opaque;
    bool again = false;
    apply_points(gdb);
    lock_take(&gdb->process->lock);
    pthread_mutex_lock(&gdb->lock);
    for (struct thread *t = gdb->process->threads; t; t = t->next)
        again |= resume_thread(t->gdb, gdb_action_for(actions, n, id_of(t)));
    if (again)
        gdb_server_notify(gdb->server); /* somebody waits to be heard: then nobody needs to run */
    else
        __atomic_store_n(&gdb->stopped, false, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&gdb->changed);
    pthread_mutex_unlock(&gdb->lock);
    lock_release(&gdb->process->lock);
}

static void want_stop(struct gdb_process *gdb, int signal)
{
    pthread_mutex_lock(&gdb->lock);
    gdb->interrupted = true;
    gdb->interrupt_signal = signal;
    pthread_mutex_unlock(&gdb->lock);
    gdb_server_notify(gdb->server);
}

static void interrupt(void *opaque) { want_stop(opaque, gdb_signal_number(SIGINT)); }

static void attach(void *opaque)
{
    struct gdb_process *gdb = opaque;
    pthread_mutex_lock(&gdb->lock);
    gdb->attached = true;
    pthread_mutex_unlock(&gdb->lock);
    want_stop(gdb, gdb_signal_number(SIGTRAP));
}

/* ---- stopping --------------------------------------------------------------------------------------------------------------- */

static void kick(struct thread *thread)
{
    siginfo_t info = {.si_signo = SIGTRAP, .si_code = SI_QUEUE};
    engine_kick(&thread->cpu->cpu);
    if (!__atomic_load_n(&thread->gdb->in_syscall, __ATOMIC_SEQ_CST))
        return;
    info.si_pid = getpid();
    info.si_uid = getuid();
    info.si_value.sival_ptr = thread->gdb;
    RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)thread->gdb->tid, SIGTRAP, (uint64_t)&info);
}

/** Both locks held. Kicks whoever runs; true: somebody does. */
static bool kick_running(struct gdb_process *gdb, unsigned tries)
{
    bool running = false;
    for (struct thread *t = gdb->process->threads; t; t = t->next) {
        if (t->gdb->parked || (tries > KICK_TRIES && __atomic_load_n(&t->gdb->in_syscall, __ATOMIC_SEQ_CST)))
            continue;
        kick(t);
        running = true;
    }
    return running;
}

/** Returns when every thread is parked, or in a system call that does not end. */
static void stop_all(struct gdb_process *gdb)
{
    __atomic_store_n(&gdb->stopped, true, __ATOMIC_SEQ_CST);
    for (unsigned tries = 0;; tries++) {
        lock_take(&gdb->process->lock);
        pthread_mutex_lock(&gdb->lock);
        bool running = kick_running(gdb, tries);
        lock_release(&gdb->process->lock);
        if (running && !gdb->ended) {
            struct timespec limit;
            clock_gettime(CLOCK_REALTIME, &limit);
            limit.tv_nsec += KICK_INTERVAL * 1000000;
            limit.tv_sec += limit.tv_nsec / 1000000000;
            limit.tv_nsec %= 1000000000;
            pthread_cond_timedwait(&gdb->changed, &gdb->lock, &limit);
        }
        pthread_mutex_unlock(&gdb->lock);
        if (!running || gdb->ended)
            return;
    }
}

/** Both locks held. A thread that has something to report, or NULL. */
static struct thread *find_stop(struct gdb_process *gdb)
{
    for (struct thread *t = gdb->process->threads; t; t = t->next) {
        if (t->gdb->has_stop)
            return t;
    }
    return NULL;
}

/** Both locks held. */
static bool choose_stop(struct gdb_process *gdb, struct gdb_stop *stop)
{
    struct thread *thread = find_stop(gdb);
    if (gdb->ended) {
        *stop = gdb->end;
        return !gdb->end_told;
    }
    if (thread) {
        *stop = thread->gdb->stop;
        return true;
    }
    if (gdb->interrupted) {
        thread = gdb->process->threads;
        while (thread->next)
            thread = thread->next; /* the oldest */
        *stop = (struct gdb_stop){.kind = GDB_STOP_SIGNAL, .thread = id_of(thread), .signal = gdb->interrupt_signal};
        return true;
    }
    *stop = (struct gdb_stop){.kind = GDB_STOP_NO_THREADS};
    return gdb->no_threads;
}

static bool lock_and_choose(struct gdb_process *gdb, struct gdb_stop *stop, bool take)
{
    lock_take(&gdb->process->lock);
    pthread_mutex_lock(&gdb->lock);
    bool found = choose_stop(gdb, stop);
    if (found && take) {
        struct thread *thread = stop->kind == GDB_STOP_EXITED || stop->kind == GDB_STOP_KILLED ? NULL : find_stop(gdb);
        if (thread)
            thread->gdb->has_stop = false;
        else
            gdb->end_told = gdb->ended;
        gdb->interrupted = gdb->no_threads = false;
    }
    pthread_mutex_unlock(&gdb->lock);
    lock_release(&gdb->process->lock);
    return found;
}

static bool take_stop(void *opaque, struct gdb_stop *stop)
{
    struct gdb_process *gdb = opaque;
    if (!lock_and_choose(gdb, stop, false))
        return false;
    if (!gdb->ended)
        stop_all(gdb);
    return lock_and_choose(gdb, stop, true);
}

/* ---- ends ------------------------------------------------------------------------------------------------------------------- */

static void detach(void *opaque)
{
    struct gdb_process *gdb = opaque;
    if (!gdb->ended) { /* the client may have gone while everything ran */
        stop_all(gdb);
        gdb->points.count = 0;
        apply_points(gdb);
    }
    lock_take(&gdb->process->lock);
    pthread_mutex_lock(&gdb->lock);
    gdb->attached = gdb->interrupted = gdb->no_threads = gdb->catch_all = false;
    gdb->ncaught = 0;
    memset(gdb->pass, 0, sizeof gdb->pass);
    for (struct thread *t = gdb->process->threads; t; t = t->next) {
        struct gdb_thread *self = t->gdb;
        /* What was not decided goes to the guest, but what was the debugger's own business. */
        if (self->in_signal && !self->decided && !self->has_stop && self->stop.signal == gdb_signal_number(SIGTRAP)) {
            self->decided = true;
            self->deliver = 0;
        }
        self->has_stop = self->step_done = false;
        self->action = (struct gdb_action){.kind = GDB_CONTINUE};
    }
    __atomic_store_n(&gdb->stopped, false, __ATOMIC_SEQ_CST);
    pthread_cond_broadcast(&gdb->changed);
    pthread_mutex_unlock(&gdb->lock);
    lock_release(&gdb->process->lock);
}

static void kill_process(void *opaque)
{
    struct gdb_process *gdb = opaque;
    gdb_server_end(gdb->server);
    kill(getpid(), SIGKILL);
}

/* ---- choices of the client ---------------------------------------------------------------------------------------------------- */

static void pass_signals(void *opaque, const uint64_t pass[4])
{
    struct gdb_process *gdb = opaque;
    pthread_mutex_lock(&gdb->lock);
    memcpy(gdb->pass, pass, sizeof gdb->pass);
    pthread_mutex_unlock(&gdb->lock);
}

static void catch_syscalls(void *opaque, bool on, const uint32_t *numbers, size_t n)
{
    struct gdb_process *gdb = opaque;
    uint32_t *list = on && n ? malloc(n * sizeof *list) : NULL;
    if (list)
        memcpy(list, numbers, n * sizeof *list);
    pthread_mutex_lock(&gdb->lock);
    free(gdb->caught);
    gdb->caught = list;
    gdb->ncaught = list ? n : 0;
    gdb->catch_all = on && n == 0;
    pthread_mutex_unlock(&gdb->lock);
}

void gdb_target_init(struct gdb_process *gdb)
{
    gdb->target = (struct gdb_target){
        .opaque = gdb,
        .registers = a64_isa.debug,
        .threads = list_threads,
        .describe = gdb_describe,
        .cpu = find_cpu,
        .wrote = registers_written,
        .read_memory = read_memory,
        .write_memory = write_memory,
        .insert = insert_point,
        .remove = remove_point,
        .resume = resume,
        .interrupt = interrupt,
        .attach = attach,
        .take_stop = take_stop,
        .detach = detach,
        .kill = kill_process,
        .object = gdb_object,
        .pass_signals = pass_signals,
        .catch_syscalls = catch_syscalls,
        .files = &gdb_linux_files,
    };
}

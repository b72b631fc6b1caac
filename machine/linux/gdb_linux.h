/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The Linux process under gdb (-g): what the server in machine/gdb.h debugs. thread->gdb is set for the threads of such a
 * process; the functions here are called for those only, by the thread itself where nothing else is said.
 *
 * A thread that has something to report parks: it waits, outside of translated code, until it is resumed. The server's
 * thread then makes the others park. A thread in a system call is interrupted by a signal that the guest never sees (kick); its
 * call is made again afterwards. One whose call cannot be interrupted counts as stopped, and parks when it comes back.
 *
 *   gdb_linux.c   parking, running, signals
 *   gdb_target.c  what the server asks for
 *   gdb_object.c  … files, auxiliary vector, names
 */
#ifndef DRAGOMAN_MACHINE_LINUX_GDB_LINUX_H
#define DRAGOMAN_MACHINE_LINUX_GDB_LINUX_H

#include "machine/gdb.h"
#include "machine/linux/process.h"

struct gdb_point_set {
    struct gdb_point_entry {
        enum gdb_point kind;
        uint64_t address, size;
    } *list;
    size_t count, capacity;
};

struct gdb_process {
    struct gdb_target target;
    struct gdb_server *server;
    struct process *process;
    int memory; /* /proc/self/mem, -1: none */
    pthread_mutex_t lock;   /* taken inside process.lock */
    pthread_cond_t changed; /* any of what follows */

    bool stopped;     /* threads park; also read without the lock */
    bool attached;    /* a client is there, or is waited for */
    bool interrupted; /* the client wants a stop; interrupt_signal is what it is told */
    int interrupt_signal;
    bool no_threads;  /* to be reported: none that was resumed is left */
    bool ended, end_told;
    struct gdb_stop end; /* `ended`: what to report */
    uint64_t pass[4]; /* signals of gdb that are not reported */
    bool catch_all;
    uint32_t *caught; /* system calls to stop at */
    size_t ncaught;
    struct gdb_point_set points;
};

struct gdb_thread {
    pid_t tid; /* its own; thread.tid is that of a vfork child for a while */
    bool parked;
    bool in_syscall; /* atomic, see kick() */
    bool step_done;  /* to be reported before anything else runs */
    bool has_stop;   /* `stop` has not been reported yet */
    bool in_signal;  /* parked in gdb_signal(), which waits for a decision */
    bool decided;    /* deliver: what to do about it */
    int deliver;     /* signal of gdb's number */
    int inject;      /* … to be delivered before the thread runs on */
    struct gdb_stop stop;
    struct gdb_action action;
    siginfo_t info; /* of the last stop */
};

/** -g: listens, and starts the server. NULL: a message is in `error`. */
struct gdb_process *gdb_start(struct process *process, const char *where, char error[256]);
/** For a new thread, and when it has gone. `thread` need not be the caller. */
bool gdb_thread_new(struct thread *thread);
void gdb_thread_free(struct thread *thread);
/** The thread is about to end. */
void gdb_thread_end(struct thread *thread);

/** In place of engine_run(). */
enum cpu_trap gdb_run(struct thread *thread);
/** In place of syscall_run(). */
void gdb_syscall(struct thread *thread);
/** Before a signal is delivered: false: it is not to be; else *info may be another one now. */
bool gdb_signal(struct thread *thread, siginfo_t *info);
/** The registers are those of the start of a handler. */
void gdb_handler_begun(struct thread *thread);
/** From the host's signal handler: true: the signal is a kick, and not the guest's. Async-signal-safe. */
bool gdb_is_kick(const struct thread *thread, int signal, const siginfo_t *info);
/** Before the process ends: with a status, or by a signal of the host's number. */
void gdb_exit(struct thread *thread, int status, int signal);
/** Around an execve of another program for arm64: the argument of -g for it, or NULL; and when it has failed. */
const char *gdb_hand_on(struct thread *thread, char *text, size_t size);
void gdb_take_back(struct thread *thread);
/** In a forked child: no debugger here. */
void gdb_fork_child(struct process *process, struct thread *self);

/** Descriptors that the guest has nothing to do with (-1 is none); returns how many. */
#define GDB_DESCRIPTORS 4
size_t gdb_descriptors(const struct gdb_process *gdb, int fds[GDB_DESCRIPTORS]);

/** Signal numbers of gdb (include/gdb/signals.def) for those of Linux, and back; 0 for none. */
int gdb_signal_number(int linux_signal);
int gdb_signal_to_linux(int number);

/** gdb_target.c: fills the table. */
void gdb_target_init(struct gdb_process *gdb);
/** gdb_object.c: parts of the table. */
extern const struct gdb_files gdb_linux_files;
int64_t gdb_object(void *opaque, struct gdb_id id, const char *object, const char *name, char **data);
bool gdb_describe(void *opaque, struct gdb_id id, char *name, char *state, size_t size);
/** The thread with that number, or NULL. While everything is stopped. */
struct thread *gdb_find_thread(const struct gdb_process *gdb, struct gdb_id id);

#endif

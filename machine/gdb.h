/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A server for gdb's remote protocol (GDB manual, "Remote Serial Protocol"), all-stop. It knows connections and packets; what
 * is debugged is behind struct gdb_target, which a machine implements.
 *
 * The server runs on a thread of its own (gdb_server_run), and that thread alone calls the target's functions. The machine
 * tells that something has stopped, from any thread, with gdb_server_notify(); the server then asks by take_stop().
 * Whatever a client sends, nothing worse happens than an error reply or the end of the connection.
 *
 *   gdb.c           the server: connections, when what is debugged runs and when it does not
 *   gdb_packet.c    packets: framing, checksums, acknowledgement, escapes
 *   gdb_commands.c  what each packet asks for
 *   gdb_query.c     … those that begin with q and Q
 *   gdb_file.c      … vFile
 */
#ifndef DRAGOMAN_MACHINE_GDB_H
#define DRAGOMAN_MACHINE_GDB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "translator/isa.h"

/** A thread: numbers as gdb shows them. 0 is any, -1 is all of them. */
struct gdb_id {
    int64_t pid, tid;
};

enum gdb_stop_kind {
    GDB_STOP_SIGNAL,         /* signal: gdb's number; 0: by interrupt(), no signal */
    GDB_STOP_BREAKPOINT,
    GDB_STOP_WATCH,          /* point tells which kind, value the address */
    GDB_STOP_SYSCALL_ENTRY,  /* value: number of the system call */
    GDB_STOP_SYSCALL_RETURN,
    GDB_STOP_EXITED,         /* the process has ended; value: its status */
    GDB_STOP_KILLED,         /* … by a signal */
    GDB_STOP_NO_THREADS,     /* no thread that was resumed is left */
    GDB_STOP_EXEC,           /* another program, before its first instruction */
};

/** The numbers are those of Z packets. */
enum gdb_point { GDB_BREAK_SOFTWARE, GDB_BREAK_HARDWARE, GDB_WATCH_WRITE, GDB_WATCH_READ, GDB_WATCH_ACCESS };

struct gdb_stop {
    enum gdb_stop_kind kind;
    struct gdb_id thread;
    int signal;
    enum gdb_point point;
    uint64_t value;
};

enum gdb_action_kind { GDB_STAY, GDB_CONTINUE, GDB_STEP };
struct gdb_action {
    struct gdb_id id; /* which threads */
    enum gdb_action_kind kind;
    int signal;                /* gdb's number; to be delivered first. 0: none, and what the thread stopped for is dropped */
    uint64_t range_start, range_end; /* GDB_STEP: goes on while the pc is in [start, end) */
};

struct gdb_target {
    void *opaque;
    const struct isa_debug *registers;
    bool extra_process; /* processes have a meaning: detach and kill name one */

    /** Up to `max` threads to `ids`, the total is returned. */
    size_t (*threads)(void *opaque, struct gdb_id *ids, size_t max);
    /** A few words about it, its name first; false: there is none such. Either text may be NULL. */
    bool (*describe)(void *opaque, struct gdb_id id, char *name, char *state, size_t size);
    /** Whose registers `registers` reads and writes; NULL: no such thread. `wrote`: they have been changed. */
    struct cpu *(*cpu)(void *opaque, struct gdb_id id);
    void (*wrote)(void *opaque, struct gdb_id id);

    /** Bytes that could be read from `address` on; all or nothing is written. */
    size_t (*read_memory)(void *opaque, struct gdb_id id, uint64_t address, void *bytes, size_t size);
    bool (*write_memory)(void *opaque, struct gdb_id id, uint64_t address, const void *bytes, size_t size);
    /** 0, or an error number: ENOTSUP when there is no such kind here. */
    int (*insert)(void *opaque, enum gdb_point kind, uint64_t address, uint64_t size);
    int (*remove)(void *opaque, enum gdb_point kind, uint64_t address, uint64_t size);

    /** The first action whose id fits a thread is what it does; others stay. */
    void (*resume)(void *opaque, const struct gdb_action *actions, size_t n);
    /** Makes what runs stop soon, with a GDB_STOP_SIGNAL. */
    void (*interrupt)(void *opaque);
    /** A client has come: stops everything. */
    void (*attach)(void *opaque);
    /** False: nothing has stopped. Else everything has, and what for. */
    bool (*take_stop)(void *opaque, struct gdb_stop *stop);
    /** Without debugger from now on: no breakpoints, everything runs. */
    void (*detach)(void *opaque);
    void (*kill)(void *opaque); /* does not return, or the process ends soon */

    /** NULL, or what qXfer reads: malloc'ed bytes in *data; their number, or -ENOENT: no such object, else -errno. */
    int64_t (*object)(void *opaque, struct gdb_id id, const char *object, const char *name, char **data);
    /** NULL, or: bit n of pass[n / 64]: signals of gdb's number n are delivered without a stop. */
    void (*pass_signals)(void *opaque, const uint64_t pass[4]);
    /** NULL, or: stop before and after system calls; n 0: all of them. */
    void (*catch_syscalls)(void *opaque, bool on, const uint32_t *numbers, size_t n);

    /** NULL, or files as the debugged program sees them: read only. Results: descriptor, 0 or bytes; -errno. */
    const struct gdb_files {
        int64_t (*open)(void *opaque, const char *path);
        int64_t (*close)(void *opaque, int fd);
        int64_t (*pread)(void *opaque, int fd, void *bytes, size_t size, uint64_t offset);
        int64_t (*fstat)(void *opaque, int fd, struct stat *status);
        int64_t (*readlink)(void *opaque, const char *path, char *text, size_t size);
    } *files;
};

struct gdb_server;

/**
 * `where`: "PORT", "ADDRESS:PORT" or the path of a socket, in which "%d" stands for the process id; then perhaps
 * ",suspend=y|n". Listens; NULL and a message in `error` on failure. *suspend: whether to wait for the client.
 */
struct gdb_server *gdb_server_create(const char *where, const struct gdb_target *target, bool *suspend, char error[256]);
/** Serves one client after another, until the process ends. */
void gdb_server_run(struct gdb_server *server);
/** Something has stopped. Any thread. */
void gdb_server_notify(struct gdb_server *server);
/** The server's own descriptors, (-1: none) to fds; returns how many. */
size_t gdb_server_descriptors(const struct gdb_server *server, int fds[3]);
/** The process is about to end: removes the socket's name. Any thread. */
void gdb_server_end(struct gdb_server *server);
/** Before the process executes another program: the server there goes on with this one's client. `where` for it goes to `text`;
    false: it does not fit. gdb_server_take_back() if nothing came of it. Any thread. */
bool gdb_server_hand_on(struct gdb_server *server, char *text, size_t size);
void gdb_server_take_back(struct gdb_server *server);
/** In a forked child, where the thread is not: closes the descriptors and frees the memory. */
void gdb_server_forget(struct gdb_server *server);

/** The first of the actions that fits the thread; NULL: none. */
const struct gdb_action *gdb_action_for(const struct gdb_action *actions, size_t n, struct gdb_id id);

#endif

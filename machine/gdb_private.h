/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the gdb server share; nobody else includes this. */
#ifndef DRAGOMAN_MACHINE_GDB_PRIVATE_H
#define DRAGOMAN_MACHINE_GDB_PRIVATE_H

#include "machine/gdb.h"

#define GDB_PACKET 0x4000u /* bytes of a packet's data at most, either way */
#define GDB_MAX_ACTIONS 64

/** A reply under construction. What does not fit is dropped, and `full` says so. */
struct gdb_reply {
    char data[GDB_PACKET];
    size_t used;
    bool full;
};

enum gdb_input { GDB_INPUT_NONE, GDB_INPUT_PACKET, GDB_INPUT_INTERRUPT, GDB_INPUT_CLOSED };

struct gdb_server {
    const struct gdb_target *target;
    int listener, connection, event;
    char *socket_path; /* to be removed at the end; NULL: none */

    /* gdb_packet.c */
    char received[2 * GDB_PACKET];
    size_t nreceived, taken;
    char packet[GDB_PACKET + 1]; /* zero-terminated, but may have zeros inside */
    size_t packet_size;
    char sent[GDB_PACKET + 4]; /* the last one, framed, for when it has to be sent again */
    size_t nsent;
    bool no_ack;

    /* of the present client */
    bool running;
    bool multiprocess, swbreak, hwbreak, no_resumed, exec_events, ended;
    struct gdb_id general, step; /* by Hg, Hc */
    struct gdb_stop stop;        /* the last one */
    struct gdb_reply reply;
    struct gdb_id *listed;       /* by qfThreadInfo */
    size_t nlisted, next_listed;
    char *object;                /* by qXfer: its bytes */
    char object_name[256];
    size_t object_size;
};

/* ---- gdb_packet.c --------------------------------------------------------------------------------------------------------- */

/** The next packet (server->packet) or interrupt from the client, without waiting. */
enum gdb_input gdb_receive(struct gdb_server *server);
/** Sends reply->data as a packet; false: the client is gone. */
bool gdb_send(struct gdb_server *server, const struct gdb_reply *reply);

void reply_begin(struct gdb_reply *reply);
__attribute__((format(printf, 2, 3))) void reply_print(struct gdb_reply *reply, const char *format, ...);
void reply_hex(struct gdb_reply *reply, const void *bytes, size_t size);
/** Bytes with the protocol's escapes; returns how many fitted. */
size_t reply_binary(struct gdb_reply *reply, const void *bytes, size_t size);
/** "E" and a number. */
void reply_error(struct gdb_reply *reply, int number);
void reply_id(struct gdb_server *server, struct gdb_id id);

/** A hexadecimal number; *at moves behind it. False: there is none, or it has more than 64 bits. */
bool parse_hex(const char **at, uint64_t *value);
/** Bytes from pairs of digits until something else comes; returns how many, at most `size`. */
size_t parse_bytes(const char **at, void *bytes, size_t size);
/** A thread: "pPID.TID", "TID", -1 for all. */
bool parse_id(const char **at, struct gdb_id *id);
bool parse_char(const char **at, char c);

/* ---- gdb_commands.c ------------------------------------------------------------------------------------------------------- */

/** Does what the packet asks for and sends the reply. False: the client is gone. */
bool gdb_command(struct gdb_server *server);
/** Makes the reply that tells of server->stop. */
void gdb_stop_reply(struct gdb_server *server);

/** A row of a table of commands; false: no such command, after all. */
struct gdb_command_row {
    const char *name; /* the packet begins with it */
    bool (*function)(struct gdb_server *server, const char *arguments);
};

/* ---- gdb_query.c, gdb_file.c ------------------------------------------------------------------------------------------------ */

extern const struct gdb_command_row gdb_query_rows[], gdb_file_rows[];
/** Runs the row that fits the packet; false: there is none. */
bool gdb_run_row(struct gdb_server *server, const struct gdb_command_row *rows, const char *packet);
/** The thread meant by `id` where it may be any. */
struct gdb_id gdb_some_thread(struct gdb_server *server, struct gdb_id id);

#endif

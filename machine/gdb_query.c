/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that begin with q and Q: what the two sides can do, threads, objects. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "machine/gdb_private.h"

static bool ok(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "OK");
    return true;
}

/* ---- features ------------------------------------------------------------------------------------------------------------- */

static bool has_feature(const char *list, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = list; (at = strstr(at, name)) != NULL; at += length) {
        if ((at == list || at[-1] == ';' || at[-1] == ':') && (at[length] == ';' || at[length] == 0))
            return true;
    }
    return false;
}

static bool supported(struct gdb_server *server, const char *at)
{
    const struct gdb_target *target = server->target;
    struct gdb_reply *reply = &server->reply;
    server->multiprocess = has_feature(at, "multiprocess+");
    server->swbreak = has_feature(at, "swbreak+");
    server->hwbreak = has_feature(at, "hwbreak+");
    server->no_resumed = has_feature(at, "no-resumed+");
    server->exec_events = has_feature(at, "exec-events+");
    reply_print(reply, "PacketSize=%x;QStartNoAckMode+;qXfer:features:read+;multiprocess+;swbreak+;hwbreak+;vContSupported+;"
                       "no-resumed+;qXfer:threads:read+",
                GDB_PACKET);
    if (server->exec_events)
        reply_print(reply, ";exec-events+");
    if (target->pass_signals)
        reply_print(reply, ";QPassSignals+;QProgramSignals+");
    if (target->catch_syscalls)
        reply_print(reply, ";QCatchSyscalls+");
    static const char *const objects[] = {"auxv", "exec-file", "siginfo"};
    for (size_t i = 0; target->object && i < sizeof objects / sizeof objects[0]; i++)
        reply_print(reply, ";qXfer:%s:read+", objects[i]);
    return true;
}

static bool no_ack(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "OK");
    server->no_ack = true; /* the acknowledgement of this reply will be skipped as noise */
    return true;
}

static bool non_stop(struct gdb_server *server, const char *at)
{
    if (strcmp(at, "0") == 0)
        reply_print(&server->reply, "OK");
    else
        reply_error(&server->reply, ENOTSUP);
    return true;
}

/* ---- threads -------------------------------------------------------------------------------------------------------------- */

static void list_all(struct gdb_server *server)
{
    const struct gdb_target *target = server->target;
    size_t n = target->threads(target->opaque, NULL, 0);
    free(server->listed);
    server->listed = calloc(n ? n : 1, sizeof *server->listed);
    server->nlisted = server->next_listed = 0;
    if (server->listed) {
        size_t total = target->threads(target->opaque, server->listed, n);
        server->nlisted = total < n ? total : n;
    }
}

static bool more_threads(struct gdb_server *server, const char *at)
{
    (void)at;
    struct gdb_reply *reply = &server->reply;
    if (server->next_listed >= server->nlisted) {
        reply_print(reply, "l");
        return true;
    }
    for (char before = 'm'; server->next_listed < server->nlisted && reply->used < GDB_PACKET - 64; before = ',') {
        reply_print(reply, "%c", before);
        reply_id(server, server->listed[server->next_listed++]);
    }
    return true;
}

static bool first_threads(struct gdb_server *server, const char *at)
{
    list_all(server);
    return more_threads(server, at);
}

static bool thread_text(struct gdb_server *server, const char *at)
{
    struct gdb_id id;
    char name[64], state[64];
    if (!parse_id(&at, &id) || !server->target->describe ||
        !server->target->describe(server->target->opaque, id, name, state, sizeof name)) {
        reply_error(&server->reply, ESRCH);
        return true;
    }
    char text[140];
    snprintf(text, sizeof text, "%s%s%s", name, *name && *state ? ", " : "", state);
    reply_hex(&server->reply, text, strlen(text));
    return true;
}

static bool current_thread(struct gdb_server *server, const char *at)
{
    if (*at)
        return false; /* qCRC and others */
    reply_print(&server->reply, "QC");
    reply_id(server, gdb_some_thread(server, server->general));
    return true;
}

/** One: the process was there before us; zero: it was started to be debugged, and is killed when the client quits. */
static bool attached(struct gdb_server *server, const char *at)
{
    (void)at;
    reply_print(&server->reply, "0");
    return true;
}

/* ---- objects -------------------------------------------------------------------------------------------------------------- */

/** Text with what XML keeps for itself written otherwise. */
static void print_escaped(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (strchr("<>&\"'", *text) || (unsigned char)*text < ' ')
            fprintf(out, "&#%u;", (unsigned)(unsigned char)((unsigned char)*text < ' ' ? ' ' : *text));
        else
            fputc(*text, out);
    }
}

/** qXfer:threads. */
static int64_t describe_threads(struct gdb_server *server, char **data)
{
    size_t size = 0;
    FILE *out = open_memstream(data, &size);
    if (!out)
        return -ENOMEM;
    list_all(server);
    fprintf(out, "<?xml version=\"1.0\"?>\n<threads>\n");
    for (size_t i = 0; i < server->nlisted; i++) {
        struct gdb_id id = server->listed[i];
        char name[64] = "", state[64] = "";
        if (server->target->describe)
            server->target->describe(server->target->opaque, id, name, state, sizeof name);
        fprintf(out, "<thread id=\"");
        if (server->multiprocess)
            fprintf(out, "p%llx.", (unsigned long long)id.pid);
        fprintf(out, "%llx\"", (unsigned long long)id.tid);
        if (*name) {
            fprintf(out, " name=\"");
            print_escaped(out, name);
            fprintf(out, "\"");
        }
        fprintf(out, ">");
        print_escaped(out, state);
        fprintf(out, "</thread>\n");
    }
    fprintf(out, "</threads>\n");
    return fclose(out) == 0 ? (int64_t)size : -ENOMEM;
}

static int64_t describe_target(struct gdb_server *server, const char *name, char **data)
{
    const struct gdb_target *target = server->target;
    const struct cpu *cpu = target->cpu(target->opaque, gdb_some_thread(server, server->general));
    const char *text = cpu ? target->registers->description(cpu, name) : NULL;
    *data = text ? strdup(text) : NULL;
    return *data ? (int64_t)strlen(text) : -ENOENT;
}

static int64_t make_object(struct gdb_server *server, const char *object, const char *name, char **data)
{
    const struct gdb_target *target = server->target;
    *data = NULL;
    if (strcmp(object, "features") == 0)
        return describe_target(server, name, data);
    if (strcmp(object, "threads") == 0)
        return describe_threads(server, data);
    return target->object ? target->object(target->opaque, gdb_some_thread(server, server->general), object, name, data)
                          : -ENOENT;
}

/** OBJECT:read:NAME:OFFSET,SIZE. The object is made when its start is asked for, so that the parts fit together. */
static bool transfer(struct gdb_server *server, const char *at)
{
    char object[64], name[128], full[sizeof server->object_name];
    int used = 0;
    uint64_t offset, size;
    if (sscanf(at, "%63[^:]:read:%n", object, &used) != 1 || used == 0)
        return false;
    at += used;
    const char *end = strchr(at, ':');
    if (!end || (size_t)(end - at) >= sizeof name) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    snprintf(name, sizeof name, "%.*s", (int)(end - at), at);
    snprintf(full, sizeof full, "%s:%s", object, name);
    at = end + 1;
    if (!parse_hex(&at, &offset) || !parse_char(&at, ',') || !parse_hex(&at, &size) || *at) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    if (offset == 0 || strcmp(full, server->object_name) != 0) {
        free(server->object);
        server->object = NULL;
        server->object_name[0] = 0;
        int64_t n = make_object(server, object, name, &server->object);
        if (n < 0) {
            free(server->object);
            server->object = NULL;
            reply_error(&server->reply, n == -ENOENT ? 0 : (int)-n);
            return true;
        }
        server->object_size = (size_t)n;
        strcpy(server->object_name, full);
    }
    size_t left = offset < server->object_size ? server->object_size - (size_t)offset : 0;
    size_t wanted = size < left ? (size_t)size : left;
    reply_print(&server->reply, "m");
    size_t done = left ? reply_binary(&server->reply, server->object + offset, wanted) : 0;
    if (done == left)
        server->reply.data[0] = 'l';
    return true;
}

/* ---- signals and system calls --------------------------------------------------------------------------------------------- */

static bool pass_signals(struct gdb_server *server, const char *at)
{
    uint64_t pass[4] = {0}, signal;
    if (!server->target->pass_signals)
        return false;
    while (*at && parse_hex(&at, &signal) && signal < 256) {
        pass[signal / 64] |= UINT64_C(1) << signal % 64;
        if (!parse_char(&at, ';'))
            break;
    }
    if (*at) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    server->target->pass_signals(server->target->opaque, pass);
    return ok(server, at);
}

static bool catch_syscalls(struct gdb_server *server, const char *at)
{
    uint32_t numbers[512];
    size_t n = 0;
    uint64_t number;
    if (!server->target->catch_syscalls)
        return false;
    char on = *at;
    if (on == '0' || on == '1')
        at++;
    while (n < sizeof numbers / sizeof numbers[0] && parse_char(&at, ';') && parse_hex(&at, &number) && number <= UINT32_MAX)
        numbers[n++] = (uint32_t)number;
    if (*at || (on != '0' && on != '1')) {
        reply_error(&server->reply, EINVAL);
        return true;
    }
    server->target->catch_syscalls(server->target->opaque, on == '1', numbers, n);
    return ok(server, at);
}

const struct gdb_command_row gdb_query_rows[] = {
    {"QCatchSyscalls:", catch_syscalls},
    {"QNonStop:", non_stop},
    {"QPassSignals:", pass_signals},
    {"QProgramSignals:", ok},
    {"QStartNoAckMode", no_ack},
    {"qAttached", attached},
    {"qC", current_thread},
    {"qSupported", supported},
    {"qSymbol:", ok},
    {"qThreadExtraInfo,", thread_text},
    {"qXfer:", transfer},
    {"qfThreadInfo", first_threads},
    {"qsThreadInfo", more_threads},
    {NULL, NULL},
};

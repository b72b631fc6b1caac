/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "machine/gdb_private.h"

#define SEND_TIMEOUT 10000 /* ms: a client that does not read for so long is given up */

/* ---- receiving ------------------------------------------------------------------------------------------------------------ */

static bool send_all(struct gdb_server *server, const char *bytes, size_t size)
{
    while (size > 0) {
        ssize_t n = send(server->connection, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n >= 0) {
            bytes += n;
            size -= (size_t)n;
        } else if (errno == EAGAIN) {
            struct pollfd ready = {.fd = server->connection, .events = POLLOUT};
            if (poll(&ready, 1, SEND_TIMEOUT) == 0)
                return false;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/** Copies a packet's data without its escapes. */
static size_t unescape(char *to, const char *from, size_t size)
{
    size_t n = 0;
    for (size_t i = 0; i < size; i++)
        to[n++] = from[i] == '}' && i + 1 < size ? (char)(from[++i] ^ 0x20) : from[i];
    return n;
}

/** One thing out of what was received; NONE when it is not complete. */
static enum gdb_input take(struct gdb_server *server)
{
    while (server->taken < server->nreceived) {
        const char *at = server->received + server->taken;
        size_t left = server->nreceived - server->taken;
        if (*at == '$') {
            const char *end = memchr(at, '#', left);
            if (!end || (size_t)(end - at) + 3 > left)
                return GDB_INPUT_NONE;
            uint8_t sum = 0;
            for (const char *c = at + 1; c < end; c++)
                sum += (uint8_t)*c;
            size_t size = (size_t)(end - at) - 1;
            bool good = size <= GDB_PACKET && (server->no_ack || digit(end[1]) * 16 + digit(end[2]) == sum);
            server->taken += (size_t)(end - at) + 3;
            if (!server->no_ack && !send_all(server, good ? "+" : "-", 1))
                return GDB_INPUT_CLOSED;
            if (!good)
                continue;
            server->packet_size = unescape(server->packet, at + 1, size);
            server->packet[server->packet_size] = 0;
            return GDB_INPUT_PACKET;
        }
        server->taken++;
        if (*at == 3)
            return GDB_INPUT_INTERRUPT;
        if (*at == '-' && !server->no_ack && !send_all(server, server->sent, server->nsent))
            return GDB_INPUT_CLOSED;
    }
    return GDB_INPUT_NONE;
}

enum gdb_input gdb_receive(struct gdb_server *server)
{
    for (;;) {
        enum gdb_input input = take(server);
        if (input != GDB_INPUT_NONE)
            return input;
        memmove(server->received, server->received + server->taken, server->nreceived - server->taken);
        server->nreceived -= server->taken;
        server->taken = 0;
        if (server->nreceived == sizeof server->received)
            server->nreceived = 0; /* a packet longer than any that was allowed: forgotten */
        ssize_t n = recv(server->connection, server->received + server->nreceived,
                         sizeof server->received - server->nreceived, MSG_DONTWAIT);
        if (n > 0)
            server->nreceived += (size_t)n;
        else if (n < 0 && errno == EAGAIN)
            return GDB_INPUT_NONE;
        else if (n == 0 || errno != EINTR)
            return GDB_INPUT_CLOSED;
    }
}

/* ---- sending -------------------------------------------------------------------------------------------------------------- */

bool gdb_send(struct gdb_server *server, const struct gdb_reply *reply)
{
    uint8_t sum = 0;
    for (size_t i = 0; i < reply->used; i++)
        sum += (uint8_t)reply->data[i];
    server->sent[0] = '$';
    memcpy(server->sent + 1, reply->data, reply->used);
    char tail[4];
    snprintf(tail, sizeof tail, "#%02x", sum);
    memcpy(server->sent + 1 + reply->used, tail, 3);
    server->nsent = reply->used + 4;
    return send_all(server, server->sent, server->nsent);
}

void reply_begin(struct gdb_reply *reply)
{
    reply->used = 0;
    reply->full = false;
}

void reply_print(struct gdb_reply *reply, const char *format, ...)
{
    size_t left = sizeof reply->data - reply->used;
    va_list arguments;
    va_start(arguments, format);
    int n = vsnprintf(reply->data + reply->used, left, format, arguments);
    va_end(arguments);
    if (n < 0 || (size_t)n >= left)
        reply->full = true;
    else
        reply->used += (size_t)n;
}

void reply_hex(struct gdb_reply *reply, const void *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = bytes;
    for (size_t i = 0; i < size; i++) {
        if (sizeof reply->data - reply->used < 2) {
            reply->full = true;
            return;
        }
        reply->data[reply->used++] = digits[from[i] >> 4];
        reply->data[reply->used++] = digits[from[i] & 15];
    }
}

size_t reply_binary(struct gdb_reply *reply, const void *bytes, size_t size)
{
    const char *from = bytes;
    for (size_t i = 0; i < size; i++) {
        bool special = from[i] == '#' || from[i] == '$' || from[i] == '}' || from[i] == '*';
        if (sizeof reply->data - reply->used < 1u + special)
            return i;
        if (special)
            reply->data[reply->used++] = '}';
        reply->data[reply->used++] = (char)(special ? from[i] ^ 0x20 : from[i]);
    }
    return size;
}

void reply_error(struct gdb_reply *reply, int number)
{
    reply_begin(reply);
    reply_print(reply, "E%02x", (unsigned)number & 0xff);
}

void reply_id(struct gdb_server *server, struct gdb_id id)
{
    if (server->multiprocess)
        reply_print(&server->reply, "p%llx.", (unsigned long long)id.pid);
    reply_print(&server->reply, "%llx", (unsigned long long)id.tid);
}

/* ---- parsing -------------------------------------------------------------------------------------------------------------- */

bool parse_char(const char **at, char c)
{
    if (**at != c)
        return false;
    ++*at;
    return true;
}

bool parse_hex(const char **at, uint64_t *value)
{
    const char *start = *at;
    *value = 0;
    for (int d; (d = digit(**at)) >= 0; ++*at) {
        if (*value >> 60)
            return false;
        *value = *value << 4 | (uint64_t)d;
    }
    return *at != start;
}

size_t parse_bytes(const char **at, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    size_t n = 0;
    for (; n < size && digit((*at)[0]) >= 0 && digit((*at)[1]) >= 0; *at += 2)
        to[n++] = (uint8_t)(digit((*at)[0]) << 4 | digit((*at)[1]));
    return n;
}

static bool parse_number(const char **at, int64_t *value)
{
    uint64_t number;
    bool all = parse_char(at, '-');
    if (!parse_hex(at, &number) || number > INT64_MAX || (all && number != 1))
        return false;
    *value = all ? -1 : (int64_t)number;
    return true;
}

bool parse_id(const char **at, struct gdb_id *id)
{
    *id = (struct gdb_id){0, -1};
    if (!parse_char(at, 'p'))
        return parse_number(at, &id->tid);
    if (!parse_number(at, &id->pid))
        return false;
    return !parse_char(at, '.') || parse_number(at, &id->tid);
}

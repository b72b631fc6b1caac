/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/gdb.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <netinet/in.h>
#include <netinet/tcp.h>

#include "machine/gdb_private.h"

#define HIGH_DESCRIPTOR 910 /* where programs hardly meet it */

/* ---- listening ------------------------------------------------------------------------------------------------------------ */

static int move_high(int fd)
{
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, HIGH_DESCRIPTOR);
    if (high < 0)
        return fd;
    close(fd);
    return high;
}

/** "PORT" or "ADDRESS:PORT"; false: it is a path. */
static bool parse_port(const char *where, struct sockaddr_in *address)
{
    char host[64] = "0.0.0.0";
    const char *port = strrchr(where, ':');
    if (port && (size_t)(port - where) < sizeof host)
        snprintf(host, sizeof host, "%.*s", (int)(port - where), where);
    port = port ? port + 1 : where;
    char *end;
    unsigned long number = strtoul(port, &end, 10);
    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)number)};
    return *port >= '0' && *port <= '9' && *end == 0 && number > 0 && number < 65536 &&
           inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &address->sin_addr) == 1;
}

static int listen_port(const struct sockaddr_in *address)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)address, sizeof *address) < 0 || listen(fd, 1) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

static int listen_path(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    strcpy(address.sun_path, path);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct stat old;
    if (lstat(path, &old) == 0 && S_ISSOCK(old.st_mode)) /* of a process that is no more */
        unlink(path);
    if (fd >= 0 && (bind(fd, (const struct sockaddr *)&address, sizeof address) < 0 || listen(fd, 1) < 0)) {
        int error = errno;
        close(fd);
        errno = error;
        fd = -1;
    }
    return fd;
}

/** The text before ",suspend=…", with the process id for %d; malloc'ed, or NULL and a message. */
static char *parse_where(const char *where, bool *suspend, char error[256])
{
    char *text = NULL;
    const char *comma = strchr(where, ',');
    int length = comma ? (int)(comma - where) : (int)strlen(where);
    *suspend = true;
    if (comma && strcmp(comma, ",suspend=n") == 0)
        *suspend = false;
    else if (comma && strcmp(comma, ",suspend=y") != 0) {
        snprintf(error, 256, "-g %s: after the comma there may be suspend=y or suspend=n", where);
        return NULL;
    }
    const char *id = strstr(where, "%d");
    if (id && id < where + length) {
        if (asprintf(&text, "%.*s%d%.*s", (int)(id - where), where, (int)getpid(), length - (int)(id - where) - 2, id + 2) < 0)
            text = NULL;
    } else {
        text = strndup(where, (size_t)length);
    }
    if (!text)
        snprintf(error, 256, "-g: out of memory");
    return text;
}

/* ---- over execve ------------------------------------------------------------------------------------------------------------ */

/** A feature that the client has agreed upon. */
static bool *feature(struct gdb_server *server, unsigned i)
{
    bool *const features[] = {&server->no_ack,  &server->multiprocess, &server->swbreak,
                              &server->hwbreak, &server->no_resumed,   &server->exec_events};
    return i < sizeof features / sizeof features[0] ? features[i] : NULL;
}

static void close_on_exec(const struct gdb_server *server, int flag)
{
    fcntl(server->listener, F_SETFD, flag);
    if (server->connection >= 0)
        fcntl(server->connection, F_SETFD, flag);
}

bool gdb_server_hand_on(struct gdb_server *server, char *text, size_t size)
{
    unsigned features = 0;
    for (unsigned i = 0; feature(server, i); i++)
        features |= *feature(server, i) ? 1u << i : 0;
    int n = snprintf(text, size, "@%d:%d:%u:%s", server->listener, server->connection, features,
                     server->socket_path ? server->socket_path : "");
    if (n < 0 || (size_t)n >= size)
        return false;
    close_on_exec(server, 0);
    return true;
}

void gdb_server_take_back(struct gdb_server *server) { close_on_exec(server, FD_CLOEXEC); }

/** From the text of gdb_server_hand_on(). False: it is none. */
static bool inherit(struct gdb_server *server, const char *text)
{
    unsigned features;
    int path = 0;
    if (sscanf(text, "@%d:%d:%u:%n", &server->listener, &server->connection, &features, &path) != 3 || !path)
        return false;
    close_on_exec(server, FD_CLOEXEC);
    for (unsigned i = 0; feature(server, i); i++)
        *feature(server, i) = features >> i & 1;
    server->socket_path = text[path] ? strdup(text + path) : NULL;
    server->event = move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    return true;
}

struct gdb_server *gdb_server_create(const char *where, const struct gdb_target *target, bool *suspend, char error[256])
{
    struct sockaddr_in address;
    struct gdb_server *server = calloc(1, sizeof *server);
    if (server && inherit(server, where)) {
        server->target = target;
        *suspend = server->connection >= 0;
        return server;
    }
    char *text = server ? parse_where(where, suspend, error) : NULL;
    if (!text) {
        free(server);
        return NULL;
    }
    bool port = parse_port(text, &address);
    server->target = target;
    server->connection = -1;
    server->listener = move_high(port ? listen_port(&address) : listen_path(text));
    if (server->listener < 0) {
        snprintf(error, 256, "-g %s: cannot listen there: %s", text, strerror(errno));
        free(text);
        free(server);
        return NULL;
    }
    server->event = move_high(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (port)
        free(text);
    else
        server->socket_path = text;
    return server;
}

void gdb_server_forget(struct gdb_server *server)
{
    if (server->connection >= 0)
        close(server->connection);
    close(server->listener);
    close(server->event);
    free(server->socket_path);
    free(server->listed);
    free(server->object);
    free(server);
}

size_t gdb_server_descriptors(const struct gdb_server *server, int fds[3])
{
    fds[0] = server->listener;
    fds[1] = server->event;
    fds[2] = server->connection;
    return 3;
}

void gdb_server_end(struct gdb_server *server)
{
    if (server->socket_path)
        unlink(server->socket_path);
}

void gdb_server_notify(struct gdb_server *server)
{
    uint64_t one = 1;
    while (write(server->event, &one, sizeof one) < 0 && errno == EINTR)
        ;
}

/* ---- one client ----------------------------------------------------------------------------------------------------------- */

/** What was said to and by the client of before. */
static void forget_client(struct gdb_server *server)
{
    server->nreceived = server->taken = server->nsent = 0;
    server->no_ack = server->multiprocess = server->swbreak = server->hwbreak = server->no_resumed = server->exec_events = server->ended =
        false;
    server->general = server->step = (struct gdb_id){0};
    server->object_name[0] = 0;
    server->running = false;
}

/** Everything has stopped: tells the client. */
static bool report_stop(struct gdb_server *server)
{
    server->running = false;
    server->general = server->step = server->stop.thread;
    server->object_name[0] = 0;
    gdb_stop_reply(server);
    if (!gdb_send(server, &server->reply))
        return false;
    if (server->stop.kind == GDB_STOP_EXITED || server->stop.kind == GDB_STOP_KILLED)
        server->target->detach(server->target->opaque); /* which lets it end */
    return true;
}

/** Until nothing more is there to be read. False: the client is gone, or wants to be. */
static bool serve_input(struct gdb_server *server)
{
    for (;;) {
        switch (gdb_receive(server)) {
        case GDB_INPUT_NONE:
            return true;
        case GDB_INPUT_CLOSED:
            return false;
        case GDB_INPUT_INTERRUPT:
            if (server->running)
                server->target->interrupt(server->target->opaque);
            break;
        case GDB_INPUT_PACKET:
            /* While it runs there is nothing to ask for. */
            if (!server->running && (!gdb_command(server) || server->ended))
                return false;
            break;
        }
    }
}

/** Until the client has sent something, or something has stopped. */
static void wait_for_news(struct gdb_server *server, bool client_too)
{
    struct pollfd ready[] = {{.fd = server->event, .events = POLLIN}, {.fd = server->connection, .events = POLLIN}};
    uint64_t count;
    if (poll(ready, client_too ? 2 : 1, -1) > 0 && ready[0].revents && read(server->event, &count, sizeof count) < 0)
        return; /* somebody else's, or interrupted: asked again anyway */
}

/** `inherited`: the client was that of the program before this one, and waits for a stop. */
static void serve_client(struct gdb_server *server, bool inherited)
{
    const struct gdb_target *target = server->target;
    if (!inherited)
        forget_client(server);
    target->attach(target->opaque);
    while (!target->take_stop(target->opaque, &server->stop))
        wait_for_news(server, false);
    server->general = server->step = server->stop.thread;
    if (inherited)
        server->stop.kind = GDB_STOP_EXEC;
    for (bool good = !inherited || report_stop(server); good;) {
        if (!serve_input(server))
            break;
        if (server->running && target->take_stop(target->opaque, &server->stop) && !report_stop(server))
            break;
        wait_for_news(server, true);
    }
    close(server->connection);
    server->connection = -1;
    target->detach(target->opaque);
}

void gdb_server_run(struct gdb_server *server)
{
    if (server->connection >= 0)
        serve_client(server, true);
    for (;;) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0) {
            if (errno == EINTR || errno == ECONNABORTED)
                continue;
            return;
        }
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
        server->connection = move_high(fd);
        serve_client(server, false);
    }
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vFile packets: the debugged program's files, for reading. Numbers and structures: GDB manual, "File-I/O". */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "machine/gdb_private.h"

static int error_number(int error)
{
    static const struct {
        int host, gdb;
    } numbers[] = {
        {EPERM, 1},    {ENOENT, 2},   {EINTR, 4},   {EBADF, 9},   {EACCES, 13}, {EFAULT, 14}, {EBUSY, 16},
        {EEXIST, 17},  {ENODEV, 19},  {ENOTDIR, 20}, {EISDIR, 21}, {EINVAL, 22}, {ENFILE, 23}, {EMFILE, 24},
        {EFBIG, 27},   {ENOSPC, 28},  {ESPIPE, 29}, {EROFS, 30},  {ENOSYS, 88}, {ENAMETOOLONG, 91},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        if (numbers[i].host == error)
            return numbers[i].gdb;
    }
    return 9999;
}

/** The reply for a result that is a number. */
static bool finish(struct gdb_server *server, int64_t result)
{
    if (result < 0)
        reply_print(&server->reply, "F-1,%x", (unsigned)error_number((int)-result));
    else
        reply_print(&server->reply, "F%llx", (unsigned long long)result);
    return true;
}

/** The reply for data; it must fit with its escapes, so less than was asked for may be sent. */
static bool finish_data(struct gdb_server *server, const void *data, size_t size)
{
    static const char place[] = "F0000;";
    char number[8];
    reply_print(&server->reply, "%s", place);
    size_t done = reply_binary(&server->reply, data, size);
    snprintf(number, sizeof number, "F%04zx;", done);
    memcpy(server->reply.data, number, sizeof place - 1);
    return true;
}

static bool parse_path(const char **at, char path[PATH_MAX])
{
    size_t n = parse_bytes(at, path, PATH_MAX - 1);
    path[n] = 0;
    return n > 0 && strlen(path) == n;
}

static bool parse_number(const char **at, uint64_t *number, char after)
{
    return parse_hex(at, number) && (after ? parse_char(at, after) : **at == 0);
}

static bool file_open(struct gdb_server *server, const char *at)
{
    char path[PATH_MAX];
    uint64_t flags, mode;
    if (!parse_path(&at, path) || !parse_char(&at, ',') || !parse_number(&at, &flags, ',') || !parse_number(&at, &mode, 0))
        return finish(server, -EINVAL);
    if (flags != 0) /* O_RDONLY */
        return finish(server, -EROFS);
    return finish(server, server->target->files->open(server->target->opaque, path));
}

static bool file_close(struct gdb_server *server, const char *at)
{
    uint64_t fd;
    if (!parse_number(&at, &fd, 0) || fd > INT_MAX)
        return finish(server, -EBADF);
    return finish(server, server->target->files->close(server->target->opaque, (int)fd));
}

static bool file_pread(struct gdb_server *server, const char *at)
{
    char data[GDB_PACKET];
    uint64_t fd, size, offset;
    if (!parse_number(&at, &fd, ',') || !parse_number(&at, &size, ',') || !parse_number(&at, &offset, 0))
        return finish(server, -EINVAL);
    if (fd > INT_MAX)
        return finish(server, -EBADF);
    int64_t n = server->target->files->pread(server->target->opaque, (int)fd, data, size < sizeof data ? size : sizeof data,
                                             offset);
    return n < 0 ? finish(server, n) : finish_data(server, data, (size_t)n);
}

static void put(uint8_t **to, uint64_t value, unsigned bytes)
{
    while (bytes-- > 0)
        *(*to)++ = (uint8_t)(value >> 8 * bytes);
}

static bool file_fstat(struct gdb_server *server, const char *at)
{
    uint64_t fd;
    struct stat status;
    uint8_t bytes[64], *to = bytes;
    if (!parse_number(&at, &fd, 0) || fd > INT_MAX)
        return finish(server, -EBADF);
    int64_t result = server->target->files->fstat(server->target->opaque, (int)fd, &status);
    if (result < 0)
        return finish(server, result);
    put(&to, status.st_dev, 4);
    put(&to, status.st_ino, 4);
    put(&to, status.st_mode, 4);
    put(&to, status.st_nlink, 4);
    put(&to, status.st_uid, 4);
    put(&to, status.st_gid, 4);
    put(&to, status.st_rdev, 4);
    put(&to, (uint64_t)status.st_size, 8);
    put(&to, (uint64_t)status.st_blksize, 8);
    put(&to, (uint64_t)status.st_blocks, 8);
    put(&to, (uint64_t)status.st_atime, 4);
    put(&to, (uint64_t)status.st_mtime, 4);
    put(&to, (uint64_t)status.st_ctime, 4);
    return finish_data(server, bytes, sizeof bytes);
}

static bool file_readlink(struct gdb_server *server, const char *at)
{
    char path[PATH_MAX], text[PATH_MAX];
    if (!parse_path(&at, path) || *at)
        return finish(server, -EINVAL);
    int64_t n = server->target->files->readlink(server->target->opaque, path, text, sizeof text);
    return n < 0 ? finish(server, n) : finish_data(server, text, (size_t)n);
}

/** Whose files: those of the debugged program are the only ones. */
static bool file_setfs(struct gdb_server *server, const char *at)
{
    uint64_t pid;
    return finish(server, parse_number(&at, &pid, 0) ? 0 : -EINVAL);
}

const struct gdb_command_row gdb_file_rows[] = {
    {"vFile:close:", file_close},
    {"vFile:fstat:", file_fstat},
    {"vFile:open:", file_open},
    {"vFile:pread:", file_pread},
    {"vFile:readlink:", file_readlink},
    {"vFile:setfs:", file_setfs},
    {NULL, NULL},
};

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dragoman PROGRAM [ARGS…]: runs a Linux program built for AArch64. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "machine/linux/process.h"
#include "machine/options.h"

/** Opens the log where the guest is unlikely to meet its descriptor. False after a message. */
static bool log_open(struct options *options)
{
    char path[4096];
    const char *id = strstr(options->log_path, "%d");
    if (id)
        snprintf(path, sizeof path, "%.*s%d%s", (int)(id - options->log_path), options->log_path, (int)getpid(), id + 2);
    else
        snprintf(path, sizeof path, "%s", options->log_path);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | (options->log_append ? 0 : O_TRUNC), 0666);
    int high = fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 900);
    if (high >= 0) {
        close(fd);
        fd = high;
    }
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");
    if (!file) {
        fprintf(stderr, "dragoman: -D %s: %s\n", path, strerror(errno));
        return false;
    }
    setvbuf(file, NULL, _IOLBF, 0);
    options->engine.log_file = file;
    return true;
}

int main(int argc, char **argv, char **env)
{
    struct options options;
    enum options_result result = options_parse(&options, argc, argv, env);
    if (result != OPTIONS_RUN)
        return result == OPTIONS_DONE ? 0 : 1;
    if (options.log_path && !log_open(&options))
        return 1;
    return process_run(&options);
}

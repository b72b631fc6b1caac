/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program that starts itself and others: execve of guest programs, of scripts, with arguments and environment. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

int main(int argc, char **argv)
{
    if (argc == 4) {
        /* The child: says by its status whether it got what was passed. */
        return strcmp(argv[1], "two words") || strcmp(argv[2], "") || strcmp(argv[3], "*") || !getenv("PASSED") ||
                       strcmp(getenv("PASSED"), "on") || getenv("PATH") || fcntl(77, F_GETFD) != -1
                   ? 1
                   : 42;
    }
    char *arguments[] = {"a name", "two words", "", "*", NULL}, *environment[] = {"PASSED=on", NULL};
    dup2(1, 77);
    fcntl(77, F_SETFD, FD_CLOEXEC);
    static const char *const paths[] = {"/proc/self/exe", NULL};
    for (int i = 0; i < 2; i++) {
        pid_t child = fork();
        int status;
        if (child == 0) {
            execve(paths[i] ? paths[i] : argv[0], arguments, environment);
            _exit(98);
        }
        CHECK(waitpid(child, &status, 0) == child);
        CHECK(WIFEXITED(status));
        CHECK_EQ(WEXITSTATUS(status), 42);
    }
    pid_t child;
    int status;
    CHECK(posix_spawn(&child, argv[0], NULL, NULL, arguments, environment) == 0);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(WEXITSTATUS(status), 42);
    CHECK(execve("/nonexistent/program", arguments, environment) == -1 && errno == ENOENT);
    CHECK(execve("/etc/passwd", arguments, environment) == -1 && errno == EACCES);
    return check_result();
}

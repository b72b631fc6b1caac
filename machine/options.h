/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line. Names, syntax and meaning are QEMU's; the options are rows of one table (options.c), from which the help
 * text comes too. What exists there and not yet here is a row that says so.
 */
#ifndef DRAGOMAN_MACHINE_OPTIONS_H
#define DRAGOMAN_MACHINE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "machine/cpu_model.h"
#include "translator/engine.h"

enum keep_mode { KEEP_OFF, KEEP_ON, KEEP_CHECK };

struct options {
    const char *program; /* as given */
    char **arguments;    /* of the guest, NULL-terminated; arguments[0] is what the guest sees as its name */
    char **environment;  /* the guest's, NULL-terminated */
    const char *sysroot; /* -L without a trailing slash, or NULL */
    const char *release; /* -r, or NULL */
    const char *argv0;   /* -0, or NULL */
    int self_fd;         /* -selffd: dragoman itself; -1: /proc/self/exe */
    int program_fd;      /* -execfd: the program, already open; -1: to be opened by its name */
    int seccomp_fd;      /* -seccompfd: filters from the program before; -1: none */
    bool perf_map, jit_dump; /* -perfmap, -jitdump */
    const char *gdb;     /* -g: port or path, NULL: no debugger */
    const char *log_path;
    bool log_append;
    bool strace;
    bool traced;         /* -traced: by a guest, with ptrace */
    bool seeded;
    uint64_t seed;
    uint64_t stack_size; /* 0: by RLIMIT_STACK */
    struct cpu_model cpu;
    const struct host_backend *backend;
    bool backend_chosen; /* by the user: no silent fall back to the interpreter */
    struct engine_options engine;
    enum keep_mode keep;  /* translations, over runs: machine/linux/keep_files.h */
    char *keep_folder;    /* where; NULL: nowhere */
    char **carry; /* options to start another program with, NULL-terminated */
};

enum options_result { OPTIONS_RUN, OPTIONS_DONE, OPTIONS_WRONG };
/** Parses the command line. DONE: something was printed and nothing is to be run. WRONG: a message is on stderr. The result
    points into argv and env. */
enum options_result options_parse(struct options *options, int argc, char **argv, char **env);

#endif

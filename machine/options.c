/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/options.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <unistd.h>

#ifndef DRAGOMAN_VERSION
#define DRAGOMAN_VERSION "development"
#endif

/* ---- functions of the rows: false after a message, or with options_stop set ----------------------------------------------- */

struct parse {
    struct options *options;
    size_t nenvironment;
    bool stop; /* something was printed that was asked for */
};

static bool complain(const char *format, const char *what)
{
    fprintf(stderr, "dragoman: ");
    fprintf(stderr, format, what);
    fputc('\n', stderr);
    return false;
}

static bool parse_number(const char *text, const char *option, bool suffixes, uint64_t *value)
{
    char *end;
    errno = 0;
    unsigned long long n = strtoull(text, &end, 0);
    unsigned shift = 0;
    if (suffixes && end != text && *end) {
        shift = *end == 'K' || *end == 'k' ? 10 : *end == 'M' || *end == 'm' ? 20 : *end == 'G' || *end == 'g' ? 30 : 0;
        if (shift)
            end++;
    }
    if (errno || end == text || *end || *text == '-' || n > UINT64_MAX >> shift) {
        fprintf(stderr, "dragoman: %s wants a number, not '%s'\n", option, text);
        return false;
    }
    *value = (uint64_t)n << shift;
    return true;
}

static bool option_sysroot(struct parse *p, const char *value)
{
    size_t length = strlen(value);
    while (length > 0 && value[length - 1] == '/')
        length--;
    char *sysroot = length ? strndup(value, length) : NULL; /* "/" is no sysroot at all */
    if (sysroot && *sysroot != '/') { /* the guest may change its directory */
        char *absolute = realpath(sysroot, NULL);
        if (absolute) {
            free(sysroot);
            sysroot = absolute;
        }
    }
    p->options->sysroot = sysroot;
    return true;
}

static void environment_remove(struct parse *p, const char *name, size_t length)
{
    char **list = p->options->environment;
    size_t kept = 0;
    for (size_t i = 0; i < p->nenvironment; i++) {
        if (strncmp(list[i], name, length) != 0 || list[i][length] != '=')
            list[kept++] = list[i];
    }
    p->nenvironment = kept;
    list[kept] = NULL;
}

/** Both take lists separated by commas, as QEMU does. */
static bool option_set_environment(struct parse *p, const char *value)
{
    char *copy = strdup(value);
    for (char *item, *rest = copy; (item = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(item, '=');
        if (!equals)
            return complain("-E wants NAME=VALUE, not '%s'", item);
        environment_remove(p, item, (size_t)(equals - item));
        char **list = realloc(p->options->environment, (p->nenvironment + 2) * sizeof *list);
        if (!list)
            return complain("%s: out of memory", "-E");
        list[p->nenvironment++] = item;
        list[p->nenvironment] = NULL;
        p->options->environment = list;
    }
    return true;
}

static bool option_unset_environment(struct parse *p, const char *value)
{
    char *copy = strdup(value);
    for (char *item, *rest = copy; (item = strsep(&rest, ",")) != NULL;) {
        if (strchr(item, '='))
            return complain("-U wants a NAME, not '%s'", item);
        environment_remove(p, item, strlen(item));
    }
    free(copy);
    return true;
}

static bool option_argv0(struct parse *p, const char *value)
{
    p->options->argv0 = value;
    return true;
}

static bool option_exec_fd(struct parse *p, const char *value)
{
    uint64_t fd;
    if (!parse_number(value, "-execfd", false, &fd))
        return false;
    p->options->program_fd = (int)fd;
    return true;
}

static bool option_self_fd(struct parse *p, const char *value)
{
    uint64_t fd;
    if (!parse_number(value, "-selffd", false, &fd))
        return false;
    p->options->self_fd = (int)fd;
    return true;
}

static bool option_seccomp_fd(struct parse *p, const char *value)
{
    uint64_t fd;
    if (!parse_number(value, "-seccompfd", false, &fd))
        return false;
    p->options->seccomp_fd = (int)fd;
    return true;
}

static bool option_release(struct parse *p, const char *value)
{
    p->options->release = value;
    return true;
}

static bool option_traced(struct parse *p, const char *value)
{
    (void)value;
    p->options->traced = true;
    return true;
}

static bool option_strace(struct parse *p, const char *value)
{
    (void)value;
    p->options->strace = true;
    return true;
}

static bool option_singlestep(struct parse *p, const char *value)
{
    (void)value;
    p->options->engine.max_insns = 1;
    p->options->engine.regions = false;
    return true;
}

static bool option_log_file(struct parse *p, const char *value)
{
    p->options->log_path = value;
    return true;
}

static bool option_log_file_append(struct parse *p, const char *value)
{
    p->options->log_path = value;
    p->options->log_append = true;
    return true;
}

static bool option_stack(struct parse *p, const char *value)
{
    if (!parse_number(value, "-s", true, &p->options->stack_size))
        return false;
    if (p->options->stack_size < 131072 || p->options->stack_size > UINT64_C(1) << 40)
        return complain("-s %s: the stack must have from 128K to 1024G", value);
    return true;
}

static bool option_seed(struct parse *p, const char *value)
{
    p->options->seeded = true;
    return parse_number(value, "-seed", false, &p->options->seed);
}

static bool option_page_size(struct parse *p, const char *value)
{
    uint64_t size;
    (void)p;
    if (!parse_number(value, "-p", true, &size))
        return false;
    return size == 4096 || complain("-p %s: only pages of 4096 bytes are supported", value);
}

static bool option_guest_base(struct parse *p, const char *value)
{
    uint64_t base;
    (void)p;
    if (!parse_number(value, "-B", true, &base))
        return false;
    return base == 0 || complain("-B %s: the guest's addresses are the host's; only 0 is supported", value);
}

static bool option_reserved(struct parse *p, const char *value)
{
    uint64_t size;
    (void)p;
    if (!parse_number(value, "-R", true, &size))
        return false;
    return size == 0 || complain("-R %s: reserving guest address space is not supported; only 0 is", value);
}

static bool option_gdb(struct parse *p, const char *value)
{
    p->options->gdb = value;
    return true;
}

static bool option_perf_map(struct parse *p, const char *value)
{
    (void)value;
    p->options->perf_map = true;
    return true;
}

static bool option_jit_dump(struct parse *p, const char *value)
{
    (void)value;
    p->options->jit_dump = true;
    return true;
}

static bool option_trace(struct parse *p, const char *value)
{
    (void)p;
    return complain("-trace %s: trace events are not supported; see -d help for what can be logged", value);
}

static bool option_plugin(struct parse *p, const char *value)
{
    (void)p;
    return complain("-plugin %s: plugins are not supported", value);
}

static bool option_dfilter(struct parse *p, const char *value)
{
    (void)p;
    return complain("-dfilter %s: filtering logs by address is not supported", value);
}

static bool option_cpu(struct parse *p, const char *value)
{
    if (strcmp(value, "help") == 0 || strcmp(value, "?") == 0) {
        cpu_model_help();
        p->stop = true;
        return false;
    }
    return cpu_model_parse(value, &p->options->cpu);
}

static const struct {
    const char *name;
    unsigned bit; /* LOG_*; 0: strace */
    const char *help;
} log_items[] = {
    {"in_asm", LOG_IN_ASM, "guest instructions of each translation"},
    {"ir", LOG_IR, "intermediate representation of each translation"},
    {"op", LOG_IR, "the same"},
    {"out_asm", LOG_OUT_ASM, "host instructions of each translation"},
    {"exec", LOG_EXEC, "a line for each translation entered from the dispatcher"},
    {"cpu", LOG_CPU, "registers before each translation entered from the dispatcher"},
    {"nochain", LOG_NOCHAIN, "do not chain translations, so that exec and cpu show all of them"},
    {"stats", LOG_STATS, "counts of translations, links and evictions at the end"},
    {"strace", 0, "system calls, as with -strace"},
    {"unimp", LOG_UNIMP, "system calls that are refused with ENOSYS, each once"},
};

static bool option_log(struct parse *p, const char *value)
{
    const size_t n = sizeof log_items / sizeof log_items[0];
    if (strcmp(value, "help") == 0) {
        puts("Log items (comma separated):");
        for (size_t i = 0; i < n; i++)
            printf("%-15s %s\n", log_items[i].name, log_items[i].help);
        p->stop = true;
        return false;
    }
    char *copy = strdup(value);
    for (char *item, *rest = copy; (item = strsep(&rest, ",")) != NULL;) {
        size_t i = 0;
        while (i < n && strcmp(item, log_items[i].name) != 0)
            i++;
        if (i == n)
            return complain("unknown log item '%s'; -d help lists them", item);
        p->options->engine.log |= log_items[i].bit;
        if (log_items[i].bit == 0)
            p->options->strace = true;
    }
    free(copy);
    return true;
}

/* ---- -accel ----------------------------------------------------------------------------------------------------------------- */

#define HOT_IN_PLACE 100 /* what is to be hot at fewer entries is to be so at once: without the thread, unless that is asked for behind */

enum accel_kind { ACCEL_BOOL, ACCEL_COUNT, ACCEL_SIZE, ACCEL_BACKEND, ACCEL_KEEP, ACCEL_FOLDER };

static const struct {
    const char *name;
    enum accel_kind kind;
    size_t offset; /* in struct engine_options */
    const char *help;
} accel_properties[] = {
#define ROW(name, kind, field, help) {name, kind, offsetof(struct engine_options, field), help}
    ROW("backend", ACCEL_BACKEND, builder, "x86_64 or interp"),
    ROW("cache", ACCEL_SIZE, cache_size, "bytes of host code kept, e.g. 32M"),
    ROW("chain", ACCEL_BOOL, backend.chain, "translations jump to each other directly"),
    ROW("exclusive", ACCEL_BOOL, builder.exclusive, "load-exclusive to store-exclusive is translated as one operation"),
    ROW("extensions", ACCEL_BOOL, backend.extensions, "host instructions beyond x86-64-v3 (AES, PCLMULQDQ, SHA) are used"),
    ROW("fold", ACCEL_BOOL, builder.fold, "constants, addresses, compare and branch are folded"),
    ROW("hot", ACCEL_COUNT, hot, "entries after which a block is recompiled as part of a region"),
    ROW("insns", ACCEL_COUNT, max_insns, "guest instructions in a block at most"),
    ROW("keep", ACCEL_KEEP, builder, "translations are kept for later runs; check: and compared with new ones"),
    ROW("keepdir", ACCEL_FOLDER, builder, "where (default: dragoman in $XDG_CACHE_HOME or ~/.cache)"),
    ROW("lookup", ACCEL_BOOL, backend.inline_lookup, "indirect branches look their target up in place"),
    ROW("number", ACCEL_BOOL, builder.number, "values are numbered, equal ones computed once"),
    ROW("predict", ACCEL_BOOL, backend.predict, "returns are predicted"),
    ROW("regions", ACCEL_BOOL, regions, "hot blocks are compiled together"),
    ROW("calls", ACCEL_BOOL, calls, "calls and indirect branches are followed in regions"),
    ROW("state", ACCEL_BOOL, builder.state, "guest registers are kept in host registers within a translation"),
    ROW("thread", ACCEL_BOOL, thread, "regions are compiled on a thread of their own while the guest runs on"),
    ROW("traps", ACCEL_BOOL, trap_invalid, "invalid floating-point operations trap: results are not tested for NaNs"),
    ROW("verify", ACCEL_BOOL, verify, "the intermediate representation is checked after each step"),
#undef ROW
};

static void accel_help(void)
{
    puts("-accel translator[,property=value]...");
    for (size_t i = 0; i < sizeof accel_properties / sizeof accel_properties[0]; i++) {
        static const char *const kinds[] = {"=on|off", "=N", "=SIZE", "=NAME", "=on|off|check", "=DIRECTORY"};
        printf("  %s%-*s %s\n", accel_properties[i].name, (int)(18 - strlen(accel_properties[i].name)),
               kinds[accel_properties[i].kind], accel_properties[i].help);
    }
    for (const struct ir_pass *pass = ir_passes; pass->name; pass++)
        printf("  %s%-*s %s%s\n", pass->name, (int)(18 - strlen(pass->name)), "=on|off", pass->help, pass->hot ? " (in regions)" : "");
}

static bool accel_bool(const char *name, const char *value, bool *field)
{
    if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0) {
        fprintf(stderr, "dragoman: -accel translator,%s= wants on or off, not '%s'\n", name, value);
        return false;
    }
    *field = strcmp(value, "on") == 0;
    return true;
}

/** The switch of the pass of that name; NULL: there is none. */
static bool *accel_pass(struct options *options, const char *name)
{
    for (const struct ir_pass *pass = ir_passes; pass->name; pass++)
        if (strcmp(pass->name, name) == 0)
            return (bool *)((char *)&options->engine.passes + pass->option);
    return NULL;
}

/** The guest may change its directory. */
static char *absolute_path(const char *path)
{
    char directory[PATH_MAX], *whole = NULL;
    if (!getcwd(directory, sizeof directory) || asprintf(&whole, "%s/%s", directory, path) < 0)
        return NULL;
    return whole;
}

static bool accel_set(struct options *options, size_t row, const char *value)
{
    void *field = (char *)&options->engine + accel_properties[row].offset;
    const char *name = accel_properties[row].name;
    uint64_t n;
    switch (accel_properties[row].kind) {
    case ACCEL_BOOL:
        if (!accel_bool(name, value, field))
            return false;
        if (strcmp(name, "fold") == 0)
            options->engine.backend.fold = *(bool *)field;
        if (strcmp(name, "thread") == 0 && options->engine.thread)
            options->engine.thread_after = 0; /* who asks for it means short programs, too */
        return true;
    case ACCEL_COUNT:
        if (!parse_number(value, name, false, &n))
            return false;
        if (n == 0 || n > INT32_MAX) {
            fprintf(stderr, "dragoman: -accel translator,%s=%s: from 1 to %d\n", name, value, INT32_MAX);
            return false;
        }
        *(uint32_t *)field = (uint32_t)n;
        if (strcmp(name, "hot") == 0 && n < HOT_IN_PLACE)
            options->engine.thread = false;
        return true;
    case ACCEL_SIZE:
        if (!parse_number(value, name, true, &n))
            return false;
        if (n < 256u << 10 || n > UINT64_C(1) << 30) {
            fprintf(stderr, "dragoman: -accel translator,%s=%s: from 256K to 1G\n", name, value);
            return false;
        }
        *(size_t *)field = (size_t)n;
        return true;
    case ACCEL_BACKEND:
        if (strcmp(value, backend_x86_64.name) == 0)
            options->backend = &backend_x86_64;
        else if (strcmp(value, backend_interp.name) == 0)
            options->backend = &backend_interp;
        else
            return complain("-accel translator,backend=%s: there are x86_64 and interp", value);
        options->backend_chosen = true;
        return true;
    case ACCEL_KEEP:
        if (strcmp(value, "on") != 0 && strcmp(value, "off") != 0 && strcmp(value, "check") != 0)
            return complain("-accel translator,keep= wants on, off or check, not '%s'", value);
        options->keep = *value == 'c' ? KEEP_CHECK : value[1] == 'n' ? KEEP_ON : KEEP_OFF;
        return true;
    case ACCEL_FOLDER:
        free(options->keep_folder);
        options->keep_folder = *value == '/' ? strdup(value) : absolute_path(value);
        return options->keep_folder || complain("%s: out of memory", "-accel");
    }
    return false;
}

static bool option_accel(struct parse *p, const char *value)
{
    const size_t n = sizeof accel_properties / sizeof accel_properties[0];
    char *copy = strdup(value), *rest = copy, *name = strsep(&rest, ",");
    if (strcmp(name, "help") == 0) {
        accel_help();
        p->stop = true;
        return false;
    }
    if (strcmp(name, "translator") != 0 && strcmp(name, "tcg") != 0)
        return complain("unknown accelerator '%s'; programs run with -accel translator", name);
    for (char *item; (item = strsep(&rest, ",")) != NULL;) {
        char *equals = strchr(item, '=');
        if (!equals)
            return complain("-accel translator,%s: wants property=value; -accel help lists them", item);
        *equals = 0;
        size_t i = 0;
        bool *pass = accel_pass(p->options, item);
        if (pass && !accel_bool(item, equals + 1, pass))
            return false;
        if (pass)
            continue;
        while (i < n && strcmp(item, accel_properties[i].name) != 0)
            i++;
        if (i == n)
            return complain("unknown property '%s' of -accel translator; -accel help lists them", item);
        if (!accel_set(p->options, i, equals + 1))
            return false;
    }
    free(copy);
    return true;
}

static bool option_version(struct parse *p, const char *value)
{
    (void)value;
    puts("dragoman-aarch64 version " DRAGOMAN_VERSION);
    p->stop = true;
    return false;
}

static bool option_help(struct parse *p, const char *value);

/* ---- the table ------------------------------------------------------------------------------------------------------------ */

enum { CARRY = 1 /* a program that the guest executes is started with it too */ };

static const struct option_row {
    const char *name, *argument;
    unsigned flags;
    bool (*parse)(struct parse *p, const char *value);
    const char *help; /* NULL: not in the help text */
} option_rows[] = {
    {"h", NULL, 0, option_help, "print this help"},
    {"help", NULL, 0, option_help, ""},
    {"g", "port|path", 0, option_gdb, "wait for gdb on a TCP port or socket (%d: process id; ,suspend=n: do not wait)"},
    {"L", "path", CARRY, option_sysroot, "look for the guest's absolute paths under 'path' first"},
    {"s", "size", CARRY, option_stack, "set the stack size to 'size' bytes (default: the host's limit, at least 8M)"},
    {"cpu", "model", CARRY, option_cpu, "select CPU (-cpu help for list)"},
    {"E", "var=value", 0, option_set_environment, "set an environment variable of the guest"},
    {"U", "var", 0, option_unset_environment, "unset an environment variable of the guest"},
    {"0", "argv0", 0, option_argv0, "set the guest's argv[0]"},
    {"execfd", "fd", 0, option_exec_fd, "the program is open as 'fd', which is closed once it is loaded"},
    {"traced", NULL, 0, option_traced, "a guest traces this program with ptrace"},
    {"selffd", "fd", 0, option_self_fd, "dragoman itself is open as 'fd', for where there is no /proc"},
    {"seccompfd", "fd", 0, option_seccomp_fd, "the program's seccomp filters are in 'fd', inherited from the one before"},
    {"r", "uname", CARRY, option_release, "set the release that uname() reports"},
    {"B", "address", CARRY, option_guest_base, "guest base address (only 0)"},
    {"R", "size", CARRY, option_reserved, "reserve guest address space (only 0)"},
    {"d", "item[,...]", CARRY, option_log, "log the items (-d help for list)"},
    {"dfilter", "range[,...]", CARRY, option_dfilter, "filter logs by address (not supported yet)"},
    {"D", "logfile", 0, option_log_file, "write logs to 'logfile' instead of stderr; %d in it is the process id"},
    {"D-append", "logfile", 0, option_log_file_append, "the same, without emptying the file first"},
    {"p", "pagesize", CARRY, option_page_size, "set the page size (only 4096)"},
    {"singlestep", NULL, CARRY, option_singlestep, "translate one instruction at a time"},
    {"one-insn-per-tb", NULL, CARRY, option_singlestep, ""},
    {"strace", NULL, CARRY, option_strace, "log system calls"},
    {"seed", "seed", CARRY, option_seed, "seed for the random bytes given to the guest at its start"},
    {"perfmap", NULL, CARRY, option_perf_map, "write /tmp/perf-PID.map, from which perf knows the guest's functions"},
    {"jitdump", NULL, CARRY, option_jit_dump, "write ./jit-PID.dump for perf inject --jit"},
    {"trace", "pattern", 0, option_trace, "trace events (not supported)"},
    {"plugin", "file", 0, option_plugin, "load a plugin (not supported)"},
    {"accel", "name[,...]", CARRY, option_accel, "choose and tune the accelerator (-accel help for list)"},
    {"version", NULL, 0, option_version, "print the version"},
};
#define OPTION_COUNT (sizeof option_rows / sizeof option_rows[0])

static void help_environment(void);

static bool option_help(struct parse *p, const char *value)
{
    (void)value;
    puts("usage: dragoman [options] program [arguments...]\n"
         "Runs a Linux program built for AArch64.\n\n"
         "Options:\n");
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        const struct option_row *row = &option_rows[i];
        int width = 24 - (int)strlen(row->name);
        printf("-%s %-*s %s\n", row->name, width > 0 ? width : 0, row->argument ? row->argument : "", row->help);
    }
    puts("\nThe same from the environment, for programs that the kernel starts with dragoman (see dragoman-binfmt):");
    help_environment();
    puts("\nThe exit status is the program's, 127 if it was not found and 126 if it could not be run.");
    p->stop = true;
    return false;
}

static const struct option_row *option_find(const char *name)
{
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (strcmp(option_rows[i].name, name) == 0)
            return &option_rows[i];
    }
    return NULL;
}

/** The XDG base directory specification's place for what can be made anew; NULL: there is none. */
static char *default_keep_folder(void)
{
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *folder = NULL;
    if (cache && *cache == '/')
        return asprintf(&folder, "%s/dragoman", cache) < 0 ? NULL : folder;
    if (home && *home == '/')
        return asprintf(&folder, "%s/.cache/dragoman", home) < 0 ? NULL : folder;
    return NULL;
}

/** Options to start another program with: those of the rows that carry over, and the log file, kept open to append. */
static bool collect_carry(struct options *options, char **argv, int end)
{
    options->carry = calloc((size_t)end + 6, sizeof *options->carry);
    if (!options->carry)
        return false;
    int n = 0;
    for (int i = 1; i < end; i++) {
        const char *name = argv[i] + 1 + (argv[i][1] == '-');
        const struct option_row *row = option_find(name);
        if (row->flags & CARRY) {
            options->carry[n++] = argv[i];
            /* a relative sysroot was made absolute */
            if (row->argument)
                options->carry[n++] = row->parse == option_sysroot && options->sysroot ? (char *)options->sysroot : argv[i + 1];
        }
        if (row->argument)
            i++;
    }
    if (options->log_path) {
        options->carry[n++] = (char *)"-D-append";
        char *absolute = realpath(options->log_path, NULL);
        options->carry[n++] = absolute ? absolute : (char *)options->log_path;
    }
    /* The guest may give its programs another HOME: what is kept stays where it is. */
    char *where = NULL;
    if (options->keep != KEEP_OFF && options->keep_folder && !strchr(options->keep_folder, ',') &&
        asprintf(&where, "translator,keepdir=%s", options->keep_folder) > 0) {
        options->carry[n++] = (char *)"-accel";
        options->carry[n++] = where;
    }
    return true;
}

/* Variables of the environment that stand for options, for where there is no command line; QEMU's names, as scripts set them. */
static const struct {
    const char *variable, *option, *before; /* before: what the variable's value follows */
} environment_options[] = {
    {"QEMU_GDB", "g"},         {"QEMU_LD_PREFIX", "L"},     {"QEMU_STACK_SIZE", "s"}, {"QEMU_CPU", "cpu"},
    {"QEMU_SET_ENV", "E"},     {"QEMU_UNSET_ENV", "U"},     {"QEMU_ARGV0", "0"},      {"QEMU_UNAME", "r"},
    {"QEMU_GUEST_BASE", "B"},  {"QEMU_RESERVED_VA", "R"},   {"QEMU_LOG", "d"},        {"QEMU_DFILTER", "dfilter"},
    {"QEMU_LOG_FILENAME", "D"}, {"QEMU_PAGESIZE", "p"},     {"QEMU_STRACE", "strace"}, {"QEMU_RAND_SEED", "seed"},
    {"QEMU_TRACE", "trace"},   {"QEMU_PLUGIN", "plugin"},   {"QEMU_PERFMAP", "perfmap"}, {"QEMU_JITDUMP", "jitdump"},
    {"QEMU_ONE_INSN_PER_TB", "one-insn-per-tb"},
    {"DRAGOMAN_KEEP", "accel", "translator,keep="}, {"DRAGOMAN_KEEPDIR", "accel", "translator,keepdir="},
};

static void help_environment(void)
{
    int column = 0;
    for (size_t i = 0; i < sizeof environment_options / sizeof environment_options[0]; i++) {
        if (column + strlen(environment_options[i].variable) > 90) {
            putchar('\n');
            column = 0;
        }
        const char *before = environment_options[i].before;
        column += printf("%s (-%s%s%s) ", environment_options[i].variable, environment_options[i].option, before ? " " : "",
                         before ? before : "");
    }
    putchar('\n');
}

static bool parse_environment(struct parse *p)
{
    for (size_t i = 0; i < sizeof environment_options / sizeof environment_options[0]; i++) {
        const char *value = getenv(environment_options[i].variable);
        char *whole = NULL;
        if (value && environment_options[i].before &&
            (!*value || asprintf(&whole, "%s%s", environment_options[i].before, value) < 0))
            continue;
        bool good = !value || option_find(environment_options[i].option)->parse(p, whole ? whole : value);
        free(whole);
        if (!good)
            return false;
    }
    return true;
}

/**
 * Started by the kernel for a program of a kind that was registered with binfmt_misc (Linux, admin-guide/binfmt-misc.rst):
 * the program may be open already (flags O and C), and its own argv[0] follow its path (flag P). True: it does.
 */
static bool take_registered(struct options *options)
{
    errno = 0;
    unsigned long fd = getauxval(AT_EXECFD);
    if (errno == 0)
        options->program_fd = (int)fd;
    return getauxval(AT_FLAGS) & 1; /* AT_FLAGS_PRESERVE_ARGV0 */
}

enum options_result options_parse(struct options *options, int argc, char **argv, char **env)
{
    *options = (struct options){.backend = &backend_x86_64, .cpu = cpu_model_default(), .program_fd = -1, .self_fd = -1, .seccomp_fd = -1};
    engine_default_options(&options->engine);
    options->engine.log_file = stderr;
    options->engine.trap_invalid = true;
    options->keep = KEEP_ON;
    struct parse p = {.options = options};
    while (env[p.nenvironment])
        p.nenvironment++;
    options->environment = malloc((p.nenvironment + 1) * sizeof *env);
    if (!options->environment) {
        complain("%s", "out of memory");
        return OPTIONS_WRONG;
    }
    memcpy(options->environment, env, (p.nenvironment + 1) * sizeof *env);

    if (!parse_environment(&p))
        return p.stop ? OPTIONS_DONE : OPTIONS_WRONG;
    int i = 1;
    bool named = take_registered(options) && argc >= 3; /* the kernel gives no options */
    for (; !named && i < argc && argv[i][0] == '-' && argv[i][1]; i++) {
        if (strcmp(argv[i], "--") == 0) {
            complain("%s", "-- is not needed: the first argument that is not an option is the program");
            return OPTIONS_WRONG;
        }
        const char *name = argv[i] + 1 + (argv[i][1] == '-');
        const struct option_row *row = option_find(name);
        if (!row) {
            complain("unknown option '%s'; -help lists them", argv[i]);
            return OPTIONS_WRONG;
        }
        const char *value = NULL;
        if (row->argument) {
            if (++i == argc) {
                complain("option '%s' wants an argument; see -help", argv[i - 1]);
                return OPTIONS_WRONG;
            }
            value = argv[i];
        }
        if (!row->parse(&p, value))
            return p.stop ? OPTIONS_DONE : OPTIONS_WRONG;
    }
    if (i == argc) {
        complain("%s", "no program given; see -help");
        return OPTIONS_WRONG;
    }
    options->program = argv[i];
    options->arguments = &argv[i + named];
    if (options->keep != KEEP_OFF && !options->keep_folder)
        options->keep_folder = default_keep_folder();
    if (!collect_carry(options, argv, i)) {
        complain("%s", "out of memory");
        return OPTIONS_WRONG;
    }
    if (options->argv0)
        options->arguments[0] = (char *)options->argv0;
    return OPTIONS_RUN;
}

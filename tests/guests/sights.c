/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program sees of itself, of other programs and of the machine: an arm64 one, and nothing of what runs it. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

extern char **environ;
static char *program; /* its path */

/** The whole file, with a zero behind it; "" when it cannot be read. */
static char *slurp(const char *path, size_t *size)
{
    size_t used = 0, room = 1 << 16;
    char *text = malloc(room);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;
    while (fd >= 0 && (n = read(fd, text + used, room - used - 1)) > 0) {
        used += (size_t)n;
        if (room - used < 4096)
            text = realloc(text, room *= 2);
    }
    if (fd >= 0)
        close(fd);
    text[used] = 0;
    if (size)
        *size = used;
    return text;
}

static char *slurp_of(const char *folder, const char *name, size_t *size)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return slurp(path, size);
}

/** The number behind a line's key; -1: no such line. */
static long value_of(const char *text, const char *key, int base)
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (strncmp(line, key, length) == 0 && line[length] == ':')
            return (long)strtoul(line + length + 1, NULL, base);
    }
    return -1;
}

/** A line of maps for the address, or NULL; the sum of all sizes in *total. */
static const char *find_mapping(const char *maps, const void *address, unsigned long *total)
{
    const char *found = NULL;
    unsigned long last = 0, start, end;
    char prot[5];
    *total = 0;
    for (const char *line = maps; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
        if (sscanf(line, "%lx-%lx %4s", &start, &end, prot) != 3)
            continue; /* of smaps */
        CHECK(start >= last && end > start && strlen(prot) == 4);
        last = end;
        *total += end - start;
        if ((uintptr_t)address >= start && (uintptr_t)address < end)
            found = line;
    }
    return found;
}

static const char *permissions(const char *line)
{
    static char prot[5];
    prot[0] = 0;
    if (line)
        sscanf(line, "%*x-%*x %4s", prot);
    return prot;
}

static int variable = 1;

static void maps_of(const char *folder)
{
    unsigned long total, again;
    char *maps = slurp_of(folder, "maps", NULL), *heap = sbrk(0);
    int local;
    CHECK(!strstr(maps, "dragoman") && !strstr(maps, "[vvar]") && strstr(maps, "[vdso]"));
    CHECK(strcmp(permissions(find_mapping(maps, (void *)(uintptr_t)maps_of, &total)), "r-xp") == 0);
    CHECK(strcmp(permissions(find_mapping(maps, &variable, &total)), "rw-p") == 0);
    const char *stack = find_mapping(maps, &local, &total), *line = find_mapping(maps, heap - 16, &total);
    CHECK(stack && strstr(stack, "[stack]"));
    CHECK(line && strstr(line, "[heap]"));
    CHECK(find_mapping(maps, (void *)(uintptr_t)maps_of, &total) && strstr(maps, strrchr(program, '/')));

    char *smaps = slurp_of(folder, "smaps", NULL);
    CHECK(!strstr(smaps, "dragoman"));
    line = find_mapping(smaps, (void *)(uintptr_t)maps_of, &again);
    CHECK(strcmp(permissions(line), "r-xp") == 0 && again >= total - (2 << 20) && again <= total + (2 << 20));
    line = line ? strchr(line, '\n') + 1 : "";
    CHECK(value_of(line, "Size", 10) > 0 && value_of(smaps, "Rss", 10) >= 0 && value_of(smaps, "Pss", 10) >= 0);
    const char *flags = strstr(line, "VmFlags:");
    CHECK(!flags || strncmp(flags, "VmFlags: rd ex ", 15) == 0);
    char *rollup = slurp_of(folder, "smaps_rollup", NULL);
    CHECK(strstr(rollup, "[rollup]") && value_of(rollup, "Rss", 10) > 0);
    CHECK((unsigned long)value_of(rollup, "Rss", 10) << 10 <= total);
    char *numa = slurp_of(folder, "numa_maps", NULL);
    CHECK(!strstr(numa, "dragoman"));
    free(maps);
    free(smaps);
    free(rollup);
    free(numa);
}

static void strings_of(const char *folder, char **argv, bool own)
{
    char expected[8192], link[512] = "", path[256];
    size_t size, used = 0;
    for (char **one = argv; *one; one++)
        used += (size_t)snprintf(expected + used, sizeof expected - used, "%s", *one) + 1;
    char *text = slurp_of(folder, "cmdline", &size);
    CHECK(size == used && memcmp(text, expected, used) == 0);
    free(text);
    text = slurp_of(folder, "environ", &size);
    CHECK(size > 0 && environ[0] && strcmp(text, environ[0]) == 0);
    free(text);
    text = slurp_of(folder, "auxv", &size);
    unsigned long *auxv = (unsigned long *)text;
    CHECK(size >= 16 && size % 16 == 0);
    int seen = 0;
    for (size_t i = 0; i + 1 < size / 8 && auxv[i]; i += 2) {
        seen += auxv[i] == AT_PLATFORM || auxv[i] == AT_HWCAP || auxv[i] == AT_PHDR || auxv[i] == AT_ENTRY;
        CHECK_EQ(auxv[i + 1], getauxval(auxv[i]));
    }
    CHECK(seen == 4 && auxv[size / 8 - 2] == 0);
    CHECK(!own || strcmp((char *)getauxval(AT_PLATFORM), "aarch64") == 0);
    free(text);
    snprintf(path, sizeof path, "%s/exe", folder);
    struct stat a, b;
    CHECK(readlink(path, link, sizeof link - 1) > 0 && strcmp(link, program) == 0);
    CHECK(stat(path, &a) == 0 && stat(program, &b) == 0 && a.st_ino == b.st_ino);
    int fd = open(path, O_RDONLY);
    CHECK(fd >= 0 && fstat(fd, &a) == 0 && a.st_ino == b.st_ino);
    close(fd);
    text = slurp_of(folder, "comm", NULL);
    CHECK(strncmp(text, strrchr(program, '/') + 1, 5) == 0);
    free(text);
}

static void on_signal(int signal) { (void)signal; }

static void figures_of(const char *folder, char **argv)
{
    unsigned long total;
    signal(SIGUSR1, on_signal);
    signal(SIGUSR2, SIG_IGN);
    char *status = slurp_of(folder, "status", NULL), *maps = slurp_of(folder, "maps", NULL);
    find_mapping(maps, NULL, &total);
    const long slack = 4 << 20;
    CHECK(!strstr(status, "x86"));
    CHECK(value_of(status, "SigIgn", 16) == 1l << (SIGUSR2 - 1));
    CHECK(value_of(status, "SigCgt", 16) & 1l << (SIGUSR1 - 1));
    CHECK(!(value_of(status, "SigCgt", 16) & 1l << (SIGSEGV - 1)));
    CHECK_EQ(value_of(status, "TracerPid", 10), 0);
    CHECK(labs((value_of(status, "VmSize", 10) << 10) - (long)total) < slack);
    char *stat = slurp_of(folder, "stat", NULL), *at = strrchr(stat, ')');
    unsigned long fields[53] = {0};
    int n = 3;
    for (at = at ? strchr(at + 2, ' ') : NULL; at && n < 52; n++)
        fields[n + 1] = strtoul(at, &at, 10);
    CHECK(n == 52 && labs((long)(fields[23] - total)) < slack);
    CHECK(fields[48] == 0 || fields[48] == (uintptr_t)argv[0]); /* arg_start, on kernels that let it be set */
    char *statm = slurp_of(folder, "statm", NULL);
    CHECK(labs((long)(strtoul(statm, NULL, 10) * 4096 - total)) < slack);
    free(status);
    free(maps);
    free(stat);
    free(statm);
    signal(SIGUSR1, SIG_DFL);
    signal(SIGUSR2, SIG_DFL);
}

static void *in_thread(void *argv)
{
    char folder[64];
    snprintf(folder, sizeof folder, "/proc/self/task/%d", (int)syscall(SYS_gettid));
    maps_of(folder);
    figures_of(folder, argv);
    maps_of("/proc/thread-self");
    char *comm = slurp_of(folder, "comm", NULL);
    CHECK(strcmp(comm, "a thread\n") != 0);
    pthread_setname_np(pthread_self(), "a thread");
    free(comm);
    comm = slurp_of(folder, "comm", NULL);
    CHECK(strcmp(comm, "a thread\n") == 0);
    free(comm);
    return NULL;
}

/** Another process: it runs the same program, forked, so that all but its stack is where ours is. */
static void others(char **argv)
{
    int fds[2], status;
    char byte, folder[64];
    CHECK(pipe(fds) == 0);
    pid_t child = fork();
    if (child == 0) {
        close(fds[1]);
        _exit(read(fds[0], &byte, 1) == 0 ? 3 : 4);
    }
    snprintf(folder, sizeof folder, "/proc/%d", child);
    maps_of(folder);
    strings_of(folder, argv, false);
    snprintf(folder, sizeof folder, "/proc/%d/mem", child);
    int memory = open(folder, O_RDONLY), seen = 0;
    variable = 2; /* here, not there */
    if (memory >= 0)
        CHECK(pread(memory, &seen, sizeof seen, (off_t)(uintptr_t)&variable) == sizeof seen && seen == 1);
    variable = 1;
    close(memory);
    close(fds[0]);
    close(fds[1]);
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}

static void machine(void)
{
    struct utsname name;
    CHECK(uname(&name) == 0 && strcmp(name.machine, "aarch64") == 0);
    char *text = slurp("/proc/cpuinfo", NULL);
    CHECK(strstr(text, "CPU implementer\t: 0x") && strstr(text, "Features\t: fp asimd") && strstr(text, "CPU architecture: 8"));
    CHECK(!strstr(text, "GenuineIntel") && !strstr(text, "AuthenticAMD") && !strstr(text, "flags"));
    long cpus = 0;
    for (const char *at = text; (at = strstr(at, "processor\t:")); at++)
        cpus++;
    CHECK_EQ(cpus, sysconf(_SC_NPROCESSORS_ONLN));
    unsigned implementer = 0, part = 0;
    sscanf(strstr(text, "CPU implementer"), "CPU implementer\t: %x", &implementer);
    sscanf(strstr(text, "CPU part"), "CPU part\t: %x", &part);
    free(text);
    text = slurp("/sys/devices/system/cpu/cpu0/regs/identification/midr_el1", NULL);
    unsigned long midr = strtoul(text, NULL, 16), direct;
    __asm__("mrs %0, midr_el1" : "=r"(direct));
    CHECK(strncmp(text, "0x00000000", 10) == 0 && midr == direct);
    CHECK(midr >> 24 == implementer && (midr >> 4 & 0xfff) == part);
    free(text);
    text = slurp("/proc/sys/kernel/arch", NULL);
    CHECK(strcmp(text, "aarch64\n") == 0);
    free(text);
}

static void descriptors(void)
{
    char path[64];
    int fd = open("/", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    char *text = slurp(path, NULL);
    CHECK((value_of(text, "flags", 8) & (O_DIRECTORY | O_CLOEXEC)) == (O_DIRECTORY | O_CLOEXEC));
    CHECK((value_of(text, "flags", 8) & ~(O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC | 0400000 /* O_LARGEFILE */)) == 0);
    free(text);
    close(fd);
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", fd);
    CHECK(open(path, O_RDONLY) == -1 && errno == ENOENT);
    CHECK(open("/proc/self/maps", O_RDWR) == -1 && errno == EACCES);
    CHECK(open("/proc/self/maps", O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    fd = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
    CHECK(fd >= 0);
    close(fd);
}

static void address_space(void)
{
    const size_t size = 1 << 20;
    const int flags = MAP_PRIVATE | MAP_ANONYMOUS, prot = PROT_READ | PROT_WRITE;
    char *hint = (char *)0x123456780000;
    char *at = mmap(hint, size, prot, flags, -1, 0);
    CHECK(at == hint);
    CHECK(mmap(hint, size, prot, flags, -1, 0) != hint); /* taken: elsewhere */
    CHECK(mmap(hint, size, prot, flags | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    CHECK(mmap(hint + size - 4096, size, prot, flags | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    at[5] = 5;
    CHECK(mmap(hint, size, prot, flags | MAP_FIXED, -1, 0) == hint && at[5] == 0);
    CHECK(mmap(hint + 1, size, prot, flags | MAP_FIXED, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(munmap(hint, size) == 0);
    CHECK(mmap(hint, size, prot, flags | MAP_FIXED_NOREPLACE, -1, 0) == hint);
    CHECK(munmap(hint, size) == 0);
    /* No addresses of more than 48 bits, hint or not; x86-64's MAP_32BIT means nothing. */
    CHECK(mmap((void *)(1ul << 48), size, prot, flags | MAP_FIXED, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mmap((void *)(1ul << 52), size, prot, flags | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == ENOMEM);
    at = mmap((void *)(1ul << 52), size, prot, flags, -1, 0);
    CHECK(at != MAP_FAILED && (uintptr_t)at >> 48 == 0);
    CHECK(munmap(at, size) == 0);
    at = mmap(NULL, size, prot, flags | 0x40, -1, 0);
    CHECK(at != MAP_FAILED && (uintptr_t)at >> 32 != 0);
    CHECK(munmap(at, size) == 0);
    CHECK(mmap(NULL, 1ul << 48, prot, flags | MAP_NORESERVE, -1, 0) == MAP_FAILED && errno == ENOMEM);
    CHECK(mmap(NULL, 0, prot, flags, -1, 0) == MAP_FAILED && errno == EINVAL);
    CHECK(mprotect((void *)(1ul << 50), 4096, PROT_READ) == -1 && errno == ENOMEM);
}

static void *nothing(void *tid)
{
    *(pid_t *)tid = gettid();
    return NULL;
}

/** The files of a thread that has ended: there, with contents, or not there. */
static void ended(void)
{
    const char *const names[] = {"stat", "status", "statm", "comm"};
    char path[64];
    for (int i = 0; i < 32; i++) {
        pthread_t thread;
        pid_t tid;
        pthread_create(&thread, NULL, nothing, &tid);
        pthread_join(thread, NULL);
        for (size_t j = 0; j < sizeof names / sizeof names[0];) {
            snprintf(path, sizeof path, "/proc/self/task/%d/%s", tid, names[j]);
            char byte;
            int fd = open(path, O_RDONLY | O_CLOEXEC);
            if (fd < 0) {
                CHECK_EQ(errno, ENOENT);
                j++;
                continue;
            }
            ssize_t n = read(fd, &byte, 1);
            CHECK(n == 1 || (n < 0 && errno == ESRCH));
            close(fd);
        }
    }
}

int main(int argc, char **argv)
{
    program = realpath("/proc/self/exe", NULL);
    CHECK(argc >= 1 && program && !strstr(program, "/dragoman") && strcmp(program, realpath(argv[0], NULL)) == 0);
    char own[64];
    snprintf(own, sizeof own, "/proc/%d", getpid());
    const char *const folders[] = {"/proc/self", own, "/proc/thread-self"};
    for (size_t i = 0; i < 3; i++) {
        maps_of(folders[i]);
        strings_of(folders[i], argv, true);
        figures_of(folders[i], argv);
    }
    pthread_t thread;
    pthread_create(&thread, NULL, in_thread, argv);
    pthread_join(thread, NULL);
    ended();
    others(argv);
    machine();
    descriptors();
    address_space();
    /* A program that gives itself another name. */
    char *text;
    size_t length = strlen(argv[0]);
    memset(argv[0], 'x', length);
    text = slurp("/proc/self/cmdline", NULL);
    CHECK(text[0] == 'x' && strlen(text) == length);
    return check_result();
}

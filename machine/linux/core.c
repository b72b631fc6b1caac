/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See core.h. The format: Linux fs/binfmt_elf.c, uapi linux/elfcore.h, core(5). */
#include "machine/linux/core.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/procfs.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/procfs.h"
#include "machine/linux/signals.h"
#include "machine/linux/tracer.h"

#define SMALLEST_CORE 4096u /* below that limit, Linux does not begin */
#define PARK_MILLISECONDS 1000
#define CHUNK 256u /* pages */
#define PAGEMAP_PRESENT (UINT64_C(3) << 62) /* or swapped out; Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_FILE (UINT64_C(1) << 61)    /* of a file, or shared */
#ifndef NT_ARM_PAC_MASK
#define NT_ARM_PAC_MASK 0x406
#endif
#ifndef SYS_fsopen
#define SYS_fsopen 430
#define SYS_fsconfig 431
#define SYS_fsmount 432
#endif
#define FSCONFIG_CREATE 6

/** The kernel's struct elf_prstatus of arm64. */
struct core_status {
    int32_t signal, code, error;
    int16_t current_signal;
    uint64_t pending, held;
    int32_t pid, parent, group, session;
    int64_t times[4][2];
    uint64_t registers[34];
    int32_t floating_point_valid;
};
_Static_assert(sizeof(struct core_status) == 392, "struct elf_prstatus");

struct core_segment {
    uint64_t start, end, offset; /* in its file */
    uint64_t size;               /* of what is in the core file */
    uint32_t flags;
    bool shared, file, dense;    /* dense: all its pages are written, not only those that exist */
    char *name;
};

struct core_file {
    struct core_segment *segments;
    size_t count, capacity;
    char *notes;
    size_t notes_size;
    FILE *note;
    int fd, memory, pagemap;
    uint64_t at, limit;
    bool full;
};

bool core_is_due(int signal)
{
    const uint64_t due = SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGILL) | SIGNAL_BIT(SIGTRAP) | SIGNAL_BIT(SIGABRT) |
                         SIGNAL_BIT(SIGBUS) | SIGNAL_BIT(SIGFPE) | SIGNAL_BIT(SIGSEGV) | SIGNAL_BIT(SIGSYS) |
                         SIGNAL_BIT(SIGXCPU) | SIGNAL_BIT(SIGXFSZ);
    return due & SIGNAL_BIT(signal);
}

static uint64_t core_limit(void)
{
    struct rlimit64 limit = {0, 0};
    RAW_SYSCALL(SYS_prlimit64, 0, RLIMIT_CORE, 0, (uint64_t)&limit);
    return limit.rlim_cur;
}

bool core_is_allowed(void) { return core_limit() >= SMALLEST_CORE; }

/* ---- the other threads ----------------------------------------------------------------------------------------------------------- */

_Noreturn void core_park(struct thread *thread)
{
    signals_block_all();
    __atomic_add_fetch(&thread->process->parked, 1, __ATOMIC_SEQ_CST);
    for (;;)
        pause();
}

/** Those that do not come within a second are in a call that cannot be interrupted: their registers do not change, either. */
static void park_others(struct thread *thread)
{
    struct process *process = thread->process;
    unsigned others = 0;
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGTRAP;
    info.si_code = SI_QUEUE;
    info.si_value.sival_ptr = (void *)(TRACE_ASK_VALUE | TRACE_ASK_PARK);
    lock_take(&process->lock);
    for (struct thread *other = process->threads; other; other = other->next) {
        if (other != thread && RAW_SYSCALL(SYS_rt_tgsigqueueinfo, (uint64_t)getpid(), (uint64_t)other->tid, SIGTRAP,
                                           (uint64_t)&info) == 0)
            others++;
    }
    lock_release(&process->lock);
    for (int i = 0; i < PARK_MILLISECONDS && __atomic_load_n(&process->parked, __ATOMIC_SEQ_CST) < others; i++)
        nanosleep(&(struct timespec){0, 1000000}, NULL);
}

/* ---- notes ------------------------------------------------------------------------------------------------------------------------ */

static void put_note(struct core_file *core, const char *owner, uint32_t type, const void *data, size_t size)
{
    const Elf64_Nhdr head = {(uint32_t)strlen(owner) + 1, (uint32_t)size, type};
    static const char zeros[4] = "";
    fwrite(&head, sizeof head, 1, core->note);
    fwrite(owner, head.n_namesz, 1, core->note);
    fwrite(zeros, -head.n_namesz & 3, 1, core->note);
    fwrite(data, size, 1, core->note);
    fwrite(zeros, -size & 3, 1, core->note);
}

static void put_status(struct core_file *core, const struct thread *thread, const siginfo_t *info)
{
    struct core_status status;
    memset(&status, 0, sizeof status);
    status.signal = info->si_signo;
    status.code = info->si_code;
    status.error = info->si_errno;
    status.current_signal = (int16_t)info->si_signo;
    status.held = thread->mask;
    status.pid = thread->tid;
    status.parent = getppid();
    status.group = getpgrp();
    status.session = getsid(0);
    registers_describe(thread->cpu, NT_PRSTATUS, status.registers);
    status.floating_point_valid = 1;
    put_note(core, "CORE", NT_PRSTATUS, &status, sizeof status);
}

static void put_registers(struct core_file *core, const struct thread *thread)
{
    static const struct {
        const char *owner;
        uint32_t type;
    } sets[] = {{"CORE", NT_PRFPREG}, {"LINUX", NT_ARM_TLS}, {"LINUX", NT_ARM_PAC_MASK}};
    uint64_t buffer[128];
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        size_t size = registers_describe(thread->cpu, sets[i].type, buffer);
        if (size)
            put_note(core, sets[i].owner, sets[i].type, buffer, size);
    }
}

static void put_process(struct core_file *core, const struct process *process)
{
    struct elf_prpsinfo about; /* the layout is the same */
    memset(&about, 0, sizeof about);
    about.pr_sname = 'R';
    about.pr_uid = getuid();
    about.pr_gid = getgid();
    about.pr_pid = getpid();
    about.pr_ppid = getppid();
    about.pr_pgrp = getpgrp();
    about.pr_sid = getsid(0);
    prctl(PR_GET_NAME, about.pr_fname);
    size_t n = process->arguments_end - process->arguments_start;
    if (n >= sizeof about.pr_psargs)
        n = sizeof about.pr_psargs - 1;
    if (guest_read(about.pr_psargs, process->arguments_start, n)) {
        for (size_t i = 0; i < n; i++)
            about.pr_psargs[i] = about.pr_psargs[i] ? about.pr_psargs[i] : ' ';
    }
    put_note(core, "CORE", NT_PRPSINFO, &about, sizeof about);
}

/** NT_FILE: count and unit, three numbers for each mapping of a file, then their names. */
static void put_files(struct core_file *core)
{
    char *data = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&data, &size);
    if (!out)
        return;
    uint64_t head[2] = {0, GUEST_PAGE};
    for (size_t i = 0; i < core->count; i++)
        head[0] += core->segments[i].file;
    fwrite(head, sizeof head, 1, out);
    for (size_t i = 0; i < core->count; i++) {
        const struct core_segment *s = &core->segments[i];
        if (s->file)
            fwrite((const uint64_t[3]){s->start, s->end, s->offset / GUEST_PAGE}, 24, 1, out);
    }
    for (size_t i = 0; i < core->count; i++) {
        if (core->segments[i].file)
            fwrite(core->segments[i].name, strlen(core->segments[i].name) + 1, 1, out);
    }
    fclose(out);
    if (data && head[0])
        put_note(core, "CORE", NT_FILE, data, size);
    free(data);
}

static void put_auxv(struct core_file *core, const struct process *process)
{
    uint64_t words[128];
    size_t size = process->auxv_end - process->auxv_start;
    if (size <= sizeof words && guest_read(words, process->auxv_start, size))
        put_note(core, "CORE", NT_AUXV, words, size);
}

static bool make_notes(struct core_file *core, struct thread *thread, const siginfo_t *info)
{
    struct process *process = thread->process;
    core->note = open_memstream(&core->notes, &core->notes_size);
    if (!core->note)
        return false;
    put_status(core, thread, info);
    put_process(core, process);
    put_note(core, "CORE", NT_SIGINFO, info, sizeof *info);
    put_auxv(core, process);
    put_files(core);
    put_registers(core, thread);
    if (!thread->vfork_child) { /* whose parent's threads are in the list */
        for (const struct thread *other = process->threads; other; other = other->next) {
            if (other != thread) {
                put_status(core, other, info);
                put_registers(core, other);
            }
        }
    }
    return fclose(core->note) == 0 && core->notes;
}

/* ---- memory ------------------------------------------------------------------------------------------------------------------------ */

/** Which pages of the range there are, and whose, by a word each. */
static size_t read_pagemap(const struct core_file *core, uint64_t start, uint64_t end, uint64_t words[CHUNK])
{
    size_t n = (end - start) / GUEST_PAGE < CHUNK ? (end - start) / GUEST_PAGE : CHUNK;
    ssize_t got = pread(core->pagemap, words, n * 8, (off_t)(start / GUEST_PAGE * 8));
    if (got != (ssize_t)(n * 8))
        memset(words, 0xff, n * 8);
    return n;
}

/** As coredump_filter's default: what is not in a file; of the others the first page, which tells gdb the build. */
static void choose_size(struct core_file *core, struct core_segment *s)
{
    uint64_t words[CHUNK], size = s->end - s->start;
    char magic[SELFMAG];
    s->size = 0;
    if (!s->file) {
        s->size = size;
        return;
    }
    for (uint64_t at = s->start; at < s->end && !s->shared && !s->size;) {
        size_t n = read_pagemap(core, at, s->end, words);
        for (size_t i = 0; i < n; i++) {
            if ((words[i] & PAGEMAP_PRESENT) && !(words[i] & PAGEMAP_FILE))
                s->size = size;
        }
        at += n * GUEST_PAGE;
    }
    s->dense = true;
    if (!s->size && s->offset == 0 && pread(core->memory, magic, SELFMAG, (off_t)s->start) == SELFMAG &&
        memcmp(magic, ELFMAG, SELFMAG) == 0)
        s->size = GUEST_PAGE;
}

static bool add_segment(struct core_file *core, const char *line)
{
    struct core_segment s = {0};
    char prot[5];
    unsigned long start, end, offset, inode;
    int name = 0;
    if (sscanf(line, "%lx-%lx %4s %lx %*s %lu %n", &start, &end, prot, &offset, &inode, &name) < 5)
        return true;
    if (core->count == core->capacity) {
        size_t capacity = core->capacity * 2 + 64;
        struct core_segment *grown = realloc(core->segments, capacity * sizeof *grown);
        if (!grown)
            return false;
        core->segments = grown;
        core->capacity = capacity;
    }
    s.start = start;
    s.end = end;
    s.offset = offset;
    s.flags = (prot[0] == 'r' ? PF_R : 0) | (prot[1] == 'w' ? PF_W : 0) | (prot[2] == 'x' ? PF_X : 0);
    s.shared = prot[3] == 's';
    s.name = strdup(line + name);
    if (!s.name)
        return false;
    s.name[strcspn(s.name, "\n")] = 0;
    s.file = inode != 0 && s.name[0] == '/' && strncmp(s.name, "/memfd:", 7) != 0 && strncmp(s.name, "/SYSV", 5) != 0 &&
             strncmp(s.name, "/dev/zero", 9) != 0;
    choose_size(core, &s);
    core->segments[core->count++] = s;
    return true;
}

static bool find_segments(struct core_file *core, struct process *process)
{
    char line[PATH_MAX + 128];
    int64_t fd = procfs_open(process, "/proc/self/maps", O_RDONLY | O_CLOEXEC);
    FILE *maps = fd < 0 ? NULL : fdopen((int)fd, "r");
    bool good = maps != NULL;
    while (good && fgets(line, sizeof line, maps))
        good = add_segment(core, line);
    if (maps)
        fclose(maps);
    return good;
}

/* ---- the file ------------------------------------------------------------------------------------------------------------------------ */

static void put(struct core_file *core, const void *data, size_t size)
{
    if (core->at + size > core->limit)
        core->full = true;
    else if (!core->full && pwrite(core->fd, data, size, (off_t)core->at) != (ssize_t)size)
        core->full = true;
    core->at += size;
}

static void put_memory(struct core_file *core, const struct core_segment *s)
{
    uint64_t words[CHUNK], start = core->at;
    char page[GUEST_PAGE];
    for (uint64_t at = s->start; at < s->start + s->size && !core->full;) {
        size_t n = read_pagemap(core, at, s->start + s->size, words);
        for (size_t i = 0; i < n && !core->full; i++, at += GUEST_PAGE) {
            core->at = start + (at - s->start);
            if ((s->dense || words[i] & PAGEMAP_PRESENT) && pread(core->memory, page, sizeof page, (off_t)at) == sizeof page)
                put(core, page, sizeof page);
        }
    }
    core->at = start + s->size;
}

static void write_core(struct core_file *core)
{
    const Elf64_Ehdr header = {
        .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
        .e_type = ET_CORE, .e_machine = EM_AARCH64, .e_version = EV_CURRENT, .e_phoff = sizeof header,
        .e_ehsize = sizeof header, .e_phentsize = sizeof(Elf64_Phdr),
        .e_phnum = core->count + 1 < PN_XNUM ? (uint16_t)(core->count + 1) : PN_XNUM,
        .e_shoff = core->count + 1 < PN_XNUM ? 0 : sizeof header + (core->count + 1) * sizeof(Elf64_Phdr),
        .e_shnum = core->count + 1 >= PN_XNUM, .e_shentsize = core->count + 1 < PN_XNUM ? 0 : sizeof(Elf64_Shdr),
    };
    const Elf64_Shdr extended = {.sh_size = 1, .sh_info = (uint32_t)core->count + 1};
    uint64_t at = sizeof header + (core->count + 1) * sizeof(Elf64_Phdr) + (header.e_shnum ? sizeof extended : 0);
    put(core, &header, sizeof header);
    put(core, &(Elf64_Phdr){.p_type = PT_NOTE, .p_offset = at, .p_filesz = core->notes_size, .p_align = 4}, sizeof(Elf64_Phdr));
    uint64_t memory = (at + core->notes_size + GUEST_PAGE - 1) & ~(uint64_t)(GUEST_PAGE - 1);
    at = memory;
    for (size_t i = 0; i < core->count; i++) {
        const struct core_segment *s = &core->segments[i];
        put(core, &(Elf64_Phdr){.p_type = PT_LOAD, .p_flags = s->flags, .p_offset = at, .p_vaddr = s->start, .p_filesz = s->size,
                                .p_memsz = s->end - s->start, .p_align = GUEST_PAGE}, sizeof(Elf64_Phdr));
        at += s->size;
    }
    if (header.e_shnum)
        put(core, &extended, sizeof extended);
    put(core, core->notes, core->notes_size);
    core->at = memory;
    for (size_t i = 0; i < core->count; i++)
        put_memory(core, &core->segments[i]);
    if (ftruncate(core->fd, (off_t)(core->at < core->limit ? core->at : core->limit)) < 0)
        core->full = true;
}

/** core(5): the file's name by core_pattern. False when that is not a file's. */
static bool expand_pattern(const struct thread *thread, int signal, char *name, size_t size)
{
    char pattern[256] = "core", uses[8] = "", part[PATH_MAX], command[17] = "";
    struct utsname host;
    bool with_pid = false;
    FILE *in = fopen("/proc/sys/kernel/core_pattern", "re");
    if (in && !fgets(pattern, sizeof pattern, in))
        strcpy(pattern, "core");
    if (in)
        fclose(in);
    pattern[strcspn(pattern, "\n")] = 0;
    bool file = pattern[0] && pattern[0] != '|' && pattern[0] != '@';
    if (!file)
        strcpy(pattern, "core");
    uname(&host);
    prctl(PR_GET_NAME, command);
    size_t n = 0;
    for (const char *p = pattern; *p && n + 1 < size; p++) {
        part[0] = *p;
        part[1] = 0;
        if (*p == '%' && p[1]) {
            part[0] = 0;
            switch (*++p) {
            case '%': strcpy(part, "%"); break;
            case 'p': case 'P': with_pid = true; snprintf(part, sizeof part, "%d", getpid()); break;
            case 'i': case 'I': snprintf(part, sizeof part, "%d", thread->tid); break;
            case 'u': snprintf(part, sizeof part, "%u", getuid()); break;
            case 'g': snprintf(part, sizeof part, "%u", getgid()); break;
            case 'd': strcpy(part, "1"); break;
            case 's': snprintf(part, sizeof part, "%d", signal); break;
            case 't': snprintf(part, sizeof part, "%lld", (long long)time(NULL)); break;
            case 'h': snprintf(part, sizeof part, "%s", host.nodename); break;
            case 'c': snprintf(part, sizeof part, "%llu", (unsigned long long)core_limit()); break;
            case 'e': case 'f': case 'E': {
                const char *path = thread->process->exe_path, *base = strrchr(path, '/');
                snprintf(part, sizeof part, "%s", *p == 'e' ? command : *p == 'f' && base ? base + 1 : path);
                for (char *c = part; *c; c++)
                    *c = *c == '/' ? '!' : *c;
                break;
            }
            }
        }
        int written = snprintf(name + n, size - n, "%s", part);
        n += (size_t)written < size - n ? (size_t)written : size - n - 1;
    }
    in = fopen("/proc/sys/kernel/core_uses_pid", "re");
    if (in && fgets(uses, sizeof uses, in) && uses[0] != '0' && !with_pid)
        snprintf(name + n, size - n, ".%d", getpid());
    if (in)
        fclose(in);
    return file;
}

/** As the kernel: a file of ours alone. */
static int open_core(const char *name)
{
    struct stat status;
    int fd = open(name, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 && status.st_uid == geteuid() &&
        ftruncate(fd, 0) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool write_file(struct core_file *core, struct thread *thread, const siginfo_t *info, const char *name)
{
    core->memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    core->pagemap = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
    core->fd = -1;
    if (core->memory < 0 || !find_segments(core, thread->process) || !make_notes(core, thread, info) ||
        (core->fd = open_core(name)) < 0)
        return false;
    write_core(core);
    return true;
}

/**
 * The host's core file, of dragoman. The kernel tells wait() of a core only when it has written one itself: let it do so in a
 * file system of its own that ends with the process, which takes CAP_SYS_ADMIN. Else, and when the pattern is not a relative
 * name, it writes none.
 */
static void divert_host_core(bool written, bool relative)
{
    int64_t context = -1, mount = -1;
    if (written && relative)
        context = RAW_SYSCALL(SYS_fsopen, (uint64_t)"tmpfs", 0);
    if (context >= 0 && RAW_SYSCALL(SYS_fsconfig, (uint64_t)context, FSCONFIG_CREATE, 0, 0, 0) == 0)
        mount = RAW_SYSCALL(SYS_fsmount, (uint64_t)context, 0, 0);
    if (mount >= 0 && RAW_SYSCALL(SYS_fchdir, (uint64_t)mount) == 0) {
        int filter = open("/proc/self/coredump_filter", O_WRONLY | O_CLOEXEC);
        if (filter >= 0 && write(filter, "0", 1) == 1)
            return;
    }
    prctl(PR_SET_DUMPABLE, 0);
}

void core_dump(struct thread *thread, const siginfo_t *info)
{
    struct process *process = thread->process;
    struct core_file core = {.limit = core_limit()};
    char name[PATH_MAX];
    if (!core_is_due(info->si_signo))
        return;
    if (__atomic_exchange_n(&process->dumping, 1, __ATOMIC_SEQ_CST))
        core_park(thread);
    if (core.limit < SMALLEST_CORE || prctl(PR_GET_DUMPABLE) != 1) {
        divert_host_core(false, false);
        return;
    }
    signals_block_all();
    if (!thread->vfork_child)
        park_others(thread);
    bool file = expand_pattern(thread, info->si_signo, name, sizeof name);
    bool written = write_file(&core, thread, info, name);
    divert_host_core(written, file && name[0] != '/');
}

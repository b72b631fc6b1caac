/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See seccomp.h. The rules are those of Linux, Documentation/userspace-api/seccomp_filter.rst and seccomp(2). */
#include "machine/linux/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/linux/fault.h"
#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

#define MAX_PATH_INSNS 32768u /* of all filters of a thread, where each counts four more */
#define ERRNO_MAX 4095u
#define SYS_SECCOMP_CODE 1 /* si_code of SIGSYS */

struct seccomp_filter {
    uint32_t users; /* threads and newer filters */
    uint32_t length;
    bool listens; /* somebody has its notifications: seccomp_notify.c */
    struct seccomp_filter *older;
    struct sock_filter insns[];
};

/* ---- programs: what the kernel takes (bpf_check_classic(), seccomp_check_filter()) ------------------------------------------- */

static bool code_is_allowed(uint16_t code)
{
    static const uint16_t allowed[] = {
        BPF_LD | BPF_W | BPF_ABS,   BPF_LD | BPF_W | BPF_LEN,   BPF_LDX | BPF_W | BPF_LEN,  BPF_LD | BPF_IMM,
        BPF_LDX | BPF_IMM,          BPF_LD | BPF_MEM,           BPF_LDX | BPF_MEM,          BPF_ST,
        BPF_STX,                    BPF_MISC | BPF_TAX,         BPF_MISC | BPF_TXA,         BPF_RET | BPF_K,
        BPF_RET | BPF_A,            BPF_ALU | BPF_ADD | BPF_K,  BPF_ALU | BPF_ADD | BPF_X,  BPF_ALU | BPF_SUB | BPF_K,
        BPF_ALU | BPF_SUB | BPF_X,  BPF_ALU | BPF_MUL | BPF_K,  BPF_ALU | BPF_MUL | BPF_X,  BPF_ALU | BPF_DIV | BPF_K,
        BPF_ALU | BPF_DIV | BPF_X,  BPF_ALU | BPF_AND | BPF_K,  BPF_ALU | BPF_AND | BPF_X,  BPF_ALU | BPF_OR | BPF_K,
        BPF_ALU | BPF_OR | BPF_X,   BPF_ALU | BPF_XOR | BPF_K,  BPF_ALU | BPF_XOR | BPF_X,  BPF_ALU | BPF_LSH | BPF_K,
        BPF_ALU | BPF_LSH | BPF_X,  BPF_ALU | BPF_RSH | BPF_K,  BPF_ALU | BPF_RSH | BPF_X,  BPF_ALU | BPF_NEG,
        BPF_JMP | BPF_JA,           BPF_JMP | BPF_JEQ | BPF_K,  BPF_JMP | BPF_JEQ | BPF_X,  BPF_JMP | BPF_JGE | BPF_K,
        BPF_JMP | BPF_JGE | BPF_X,  BPF_JMP | BPF_JGT | BPF_K,  BPF_JMP | BPF_JGT | BPF_X,  BPF_JMP | BPF_JSET | BPF_K,
        BPF_JMP | BPF_JSET | BPF_X,
    };
    for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
        if (code == allowed[i])
            return true;
    }
    return false;
}

static bool operand_is_good(const struct sock_filter *insn, uint32_t left)
{
    switch (insn->code) {
    case BPF_LD | BPF_W | BPF_ABS:
        return insn->k < sizeof(struct seccomp_data) && insn->k % 4 == 0;
    case BPF_ALU | BPF_DIV | BPF_K:
        return insn->k != 0;
    case BPF_ALU | BPF_LSH | BPF_K:
    case BPF_ALU | BPF_RSH | BPF_K:
        return insn->k < 32;
    case BPF_LD | BPF_MEM:
    case BPF_LDX | BPF_MEM:
    case BPF_ST:
    case BPF_STX:
        return insn->k < BPF_MEMWORDS;
    case BPF_JMP | BPF_JA:
        return insn->k < left;
    default:
        return BPF_CLASS(insn->code) != BPF_JMP || (insn->jt < left && insn->jf < left);
    }
}

/** No word of the scratch memory is read that has not been written on every way there. */
static bool memory_is_written(const struct sock_filter *insns, uint32_t n)
{
    uint16_t *reached = malloc(n * sizeof *reached), written = 0;
    bool good = reached != NULL;
    if (good)
        memset(reached, 0xff, n * sizeof *reached);
    for (uint32_t i = 0; good && i < n; i++) {
        const struct sock_filter *insn = &insns[i];
        written &= reached[i];
        if (insn->code == BPF_ST || insn->code == BPF_STX) {
            written |= (uint16_t)(1u << insn->k);
        } else if (insn->code == (BPF_LD | BPF_MEM) || insn->code == (BPF_LDX | BPF_MEM)) {
            good = written >> insn->k & 1;
        } else if (insn->code == (BPF_JMP | BPF_JA)) {
            reached[i + 1 + insn->k] &= written;
            written = UINT16_MAX;
        } else if (BPF_CLASS(insn->code) == BPF_JMP) {
            reached[i + 1 + insn->jt] &= written;
            reached[i + 1 + insn->jf] &= written;
            written = UINT16_MAX;
        }
    }
    free(reached);
    return good;
}

static bool program_is_good(const struct sock_filter *insns, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (!code_is_allowed(insns[i].code) || !operand_is_good(&insns[i], n - i - 1))
            return false;
    }
    return n > 0 && BPF_CLASS(insns[n - 1].code) == BPF_RET && memory_is_written(insns, n);
}

static bool compare(const struct sock_filter *insn, uint32_t a, uint32_t b)
{
    switch (BPF_OP(insn->code)) {
    case BPF_JEQ: return a == b;
    case BPF_JGT: return a > b;
    case BPF_JGE: return a >= b;
    default: return a & b;
    }
}

/** Operations by zero have been seen to. */
static uint32_t calculate(const struct sock_filter *insn, uint32_t a, uint32_t b)
{
    switch (BPF_OP(insn->code)) {
    case BPF_ADD: return a + b;
    case BPF_SUB: return a - b;
    case BPF_MUL: return a * b;
    case BPF_DIV: return a / b;
    case BPF_AND: return a & b;
    case BPF_OR: return a | b;
    case BPF_XOR: return a ^ b;
    case BPF_LSH: return a << (b & 31);
    case BPF_RSH: return a >> (b & 31);
    default: return -a;
    }
}

/** A good program ends: jumps only lead forward. */
static uint32_t program_run(const struct sock_filter *insn, const struct seccomp_data *data)
{
    uint32_t a = 0, x = 0, memory[BPF_MEMWORDS] = {0};
    for (;; insn++) {
        uint32_t operand = BPF_SRC(insn->code) == BPF_X ? x : insn->k, loaded;
        switch (BPF_CLASS(insn->code)) {
        case BPF_LD:
        case BPF_LDX:
            if (BPF_MODE(insn->code) == BPF_ABS)
                memcpy(&loaded, (const char *)data + insn->k, sizeof loaded);
            else
                loaded = BPF_MODE(insn->code) == BPF_LEN ? sizeof *data : BPF_MODE(insn->code) == BPF_MEM ? memory[insn->k] : insn->k;
            *(BPF_CLASS(insn->code) == BPF_LD ? &a : &x) = loaded;
            break;
        case BPF_ST:
            memory[insn->k] = a;
            break;
        case BPF_STX:
            memory[insn->k] = x;
            break;
        case BPF_ALU:
            if (BPF_OP(insn->code) == BPF_DIV && operand == 0)
                return 0; /* the program ends with 0, as any of BPF does */
            a = calculate(insn, a, operand);
            break;
        case BPF_JMP:
            insn += BPF_OP(insn->code) == BPF_JA ? insn->k : compare(insn, a, operand) ? insn->jt : insn->jf;
            break;
        case BPF_RET:
            return BPF_RVAL(insn->code) == BPF_A ? a : insn->k;
        default:
            *(BPF_MISCOP(insn->code) == BPF_TAX ? &x : &a) = BPF_MISCOP(insn->code) == BPF_TAX ? a : x;
            break;
        }
    }
}

/* ---- what becomes of a call ---------------------------------------------------------------------------------------------------- */

/** *match: the filter that says so. */
static uint32_t judge(const struct seccomp_filter *filter, const struct thread *thread, uint64_t number,
                      const struct seccomp_filter **match)
{
    const struct a64_cpu *cpu = thread->cpu;
    struct seccomp_data data = {(int)number, AUDIT_ARCH_AARCH64, cpu->cpu.pc, {0}};
    memcpy(data.args, cpu->x, sizeof data.args);
    uint32_t verdict = SECCOMP_RET_ALLOW;
    *match = NULL;
    for (; filter; filter = filter->older) {
        uint32_t other = program_run(filter->insns, &data);
        if ((int32_t)(other & SECCOMP_RET_ACTION_FULL) < (int32_t)(verdict & SECCOMP_RET_ACTION_FULL)) {
            verdict = other;
            *match = filter;
        }
    }
    return verdict;
}

static siginfo_t describe(const struct thread *thread, uint64_t number, uint32_t verdict)
{
    siginfo_t info;
    memset(&info, 0, sizeof info);
    info.si_signo = SIGSYS;
    info.si_code = SYS_SECCOMP_CODE;
    info.si_errno = (int)(verdict & SECCOMP_RET_DATA);
    info.si_call_addr = (void *)thread->cpu->cpu.pc;
    info.si_syscall = (int)number;
    info.si_arch = AUDIT_ARCH_AARCH64;
    return info;
}

static bool is_alone(struct thread *thread)
{
    lock_take(&thread->process->lock);
    bool alone = thread->vfork_child || thread->process->nthreads == 1;
    lock_release(&thread->process->lock);
    return alone;
}

static bool end_thread(struct thread *thread, int signal, int64_t *result)
{
    thread->exiting = true;
    thread->exit_status = signal;
    *result = -RESULT_NONE;
    return false;
}

static bool admit_strictly(struct thread *thread, uint64_t number, int64_t *result)
{
    const uint64_t read = 63, write = 64, exit = 93, rt_sigreturn = 139;
    if (number == read || number == write || number == exit || number == rt_sigreturn)
        return true;
    if (is_alone(thread)) {
        for (;;)
            RAW_SYSCALL(SYS_kill, (uint64_t)getpid(), SIGKILL);
    }
    return end_thread(thread, SIGKILL, result);
}

/** SECCOMP_RET_TRACE: the call is as the tracer left it, and judged again, when another one lets it go on. */
static bool admit_traced(struct thread *thread, uint32_t *verdict, uint64_t *number, int64_t *result,
                         const struct seccomp_filter **match)
{
    if (!trace_seccomp(thread, (uint16_t)(*verdict & SECCOMP_RET_DATA))) {
        *result = -ENOSYS;
        return false;
    }
    if (thread->trace.number < 0) { /* the tracer has also said what the result is */
        *result = -RESULT_NONE;
        return false;
    }
    *number = (uint32_t)thread->trace.number;
    *verdict = judge(thread->seccomp.filters, thread, *number, match);
    if ((*verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE)
        *verdict = SECCOMP_RET_ALLOW;
    return true;
}

bool seccomp_admit(struct thread *thread, uint64_t *number, int64_t *result)
{
    struct seccomp *seccomp = &thread->seccomp;
    if (__atomic_load_n(&seccomp->mode, __ATOMIC_ACQUIRE) == SECCOMP_MODE_STRICT)
        return admit_strictly(thread, *number, result);
    if (__atomic_exchange_n(&seccomp->no_new_privs, 0, __ATOMIC_RELAXED))
        prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    const struct seccomp_filter *match;
    uint32_t verdict = judge(__atomic_load_n(&seccomp->filters, __ATOMIC_ACQUIRE), thread, *number, &match);
    if ((verdict & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_TRACE && !admit_traced(thread, &verdict, number, result, &match))
        return false;
    siginfo_t info = describe(thread, *number, verdict);
    uint32_t error = verdict & SECCOMP_RET_DATA;
    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG: /* there is no audit log to write to */
        return true;
    case SECCOMP_RET_ERRNO:
        *result = -(int64_t)(error < ERRNO_MAX ? error : ERRNO_MAX);
        return false;
    case SECCOMP_RET_TRAP:
        signals_force_info(thread, &info, 0, 0);
        *result = -RESULT_NONE;
        return false;
    case SECCOMP_RET_USER_NOTIF:
        *result = -ENOSYS;
        return match && match->listens && seccomp_notify(thread, *number, result);
    case SECCOMP_RET_KILL_THREAD:
        if (!is_alone(thread))
            return end_thread(thread, SIGSYS, result);
        break;
    }
    fault_terminate(thread, &info, false, 0);
}

/* ---- installation ---------------------------------------------------------------------------------------------------------------- */

static struct seccomp_filter *filter_new(const struct sock_filter *insns, uint32_t length)
{
    struct seccomp_filter *filter = malloc(sizeof *filter + length * sizeof *insns);
    if (!filter)
        return NULL;
    *filter = (struct seccomp_filter){.users = 1, .length = length};
    memcpy(filter->insns, insns, length * sizeof *insns);
    return filter;
}

static void filter_drop(struct seccomp_filter *filter)
{
    while (filter && __atomic_sub_fetch(&filter->users, 1, __ATOMIC_ACQ_REL) == 0) {
        struct seccomp_filter *older = filter->older;
        free(filter);
        filter = older;
    }
}

static struct seccomp_filter *filter_hold(struct seccomp_filter *filter)
{
    if (filter)
        __atomic_add_fetch(&filter->users, 1, __ATOMIC_RELAXED);
    return filter;
}

static bool has_filter(const struct seccomp_filter *newest, const struct seccomp_filter *filter)
{
    while (newest && newest != filter)
        newest = newest->older;
    return newest == filter;
}

/** Without it, a filter could mislead a program with more privileges. */
static bool may_install(void)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1)
        return true;
    return RAW_SYSCALL(SYS_capget, (uint64_t)&header, (uint64_t)data) == 0 && data[0].effective & 1u << CAP_SYS_ADMIN;
}

/** A filter of the guest's with one user, in *filter, or -errno. */
static int64_t read_filter(uint64_t address, struct seccomp_filter **filter)
{
    struct {
        uint16_t length;
        uint64_t insns;
    } program;
    struct sock_filter insns[BPF_MAXINSNS];
    if (!guest_read(&program, address, sizeof program))
        return -EFAULT;
    if (program.length == 0 || program.length > BPF_MAXINSNS)
        return -EINVAL;
    if (!may_install())
        return -EACCES;
    if (!guest_read(insns, program.insns, program.length * sizeof *insns))
        return -EFAULT;
    if (!program_is_good(insns, program.length))
        return -EINVAL;
    *filter = filter_new(insns, program.length);
    return *filter ? 0 : -ENOMEM;
}

/** A thread whose filters are not all the caller's too, or 0. process.lock is held. */
static pid_t find_stranger(const struct thread *thread)
{
    for (const struct thread *other = thread->process->threads; other; other = other->next) {
        uint32_t mode = other->seccomp.mode;
        if (other != thread && mode != SECCOMP_MODE_DISABLED &&
            (mode != SECCOMP_MODE_FILTER || !has_filter(thread->seccomp.filters, other->seccomp.filters)))
            return other->tid;
    }
    return 0;
}

static void put_filters(struct thread *thread, struct seccomp_filter *filter)
{
    struct seccomp_filter *old = thread->seccomp.filters;
    __atomic_store_n(&thread->seccomp.filters, filter, __ATOMIC_RELEASE);
    __atomic_store_n(&thread->seccomp.mode, SECCOMP_MODE_FILTER, __ATOMIC_RELEASE);
    filter_drop(old); /* the new one holds it */
}

static int64_t install(struct thread *thread, struct seccomp_filter *filter, uint64_t flags)
{
    struct seccomp *seccomp = &thread->seccomp;
    uint32_t total = filter->length;
    for (const struct seccomp_filter *f = seccomp->filters; f; f = f->older)
        total += f->length + 4;
    pid_t stranger = flags & SECCOMP_FILTER_FLAG_TSYNC ? find_stranger(thread) : 0;
    if (seccomp->mode == SECCOMP_MODE_STRICT || total > MAX_PATH_INSNS || stranger) {
        filter_drop(filter);
        if (stranger)
            return flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH ? -ESRCH : stranger;
        return seccomp->mode == SECCOMP_MODE_STRICT ? -EINVAL : -ENOMEM;
    }
    filter->older = filter_hold(seccomp->filters);
    put_filters(thread, filter);
    if (!(flags & SECCOMP_FILTER_FLAG_TSYNC))
        return 0;
    uint32_t no_new_privs = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
    for (struct thread *other = thread->process->threads; other; other = other->next) {
        if (other == thread)
            continue;
        __atomic_store_n(&other->seccomp.no_new_privs, no_new_privs, __ATOMIC_RELAXED);
        put_filters(other, filter_hold(filter));
    }
    return 0;
}

static int64_t set_filter(struct thread *thread, uint64_t flags, uint64_t address)
{
    const uint64_t known = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_LOG | SECCOMP_FILTER_FLAG_SPEC_ALLOW |
                           SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER |
                           SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    const bool listens = flags & SECCOMP_FILTER_FLAG_NEW_LISTENER;
    struct seccomp_filter *filter;
    if (flags & ~known || (!listens && flags & SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV) ||
        (listens && flags & SECCOMP_FILTER_FLAG_TSYNC && !(flags & SECCOMP_FILTER_FLAG_TSYNC_ESRCH)))
        return -EINVAL;
    int64_t result = read_filter(address, &filter);
    if (result < 0)
        return result;
    int64_t listener = 0;
    if (listens) {
        listener = seccomp_listen(thread, flags);
        if (listener < 0) {
            filter_drop(filter);
            return listener;
        }
        filter->listens = true;
    }
    lock_take(&thread->process->lock);
    result = install(thread, filter, thread->vfork_child ? flags & ~(uint64_t)SECCOMP_FILTER_FLAG_TSYNC : flags);
    lock_release(&thread->process->lock);
    if (listens && result < 0)
        close((int)listener);
    return result == 0 ? listener : result;
}

static int64_t set_strict(struct thread *thread)
{
    lock_take(&thread->process->lock);
    bool good = thread->seccomp.mode != SECCOMP_MODE_FILTER;
    if (good)
        __atomic_store_n(&thread->seccomp.mode, SECCOMP_MODE_STRICT, __ATOMIC_RELEASE);
    lock_release(&thread->process->lock);
    return good ? 0 : -EINVAL;
}

static int64_t action_is_available(uint64_t address)
{
    uint32_t action;
    if (!guest_read(&action, address, sizeof action))
        return -EFAULT;
    switch (action) {
    case SECCOMP_RET_KILL_PROCESS:
    case SECCOMP_RET_KILL_THREAD:
    case SECCOMP_RET_TRAP:
    case SECCOMP_RET_ERRNO:
    case SECCOMP_RET_TRACE:
    case SECCOMP_RET_LOG:
    case SECCOMP_RET_USER_NOTIF:
    case SECCOMP_RET_ALLOW:
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

int64_t seccomp_call(struct thread *thread, uint64_t operation, uint64_t flags, uint64_t argument)
{
    switch (operation) {
    case SECCOMP_SET_MODE_STRICT:
        return flags || argument ? -EINVAL : set_strict(thread);
    case SECCOMP_SET_MODE_FILTER:
        return set_filter(thread, flags, argument);
    case SECCOMP_GET_ACTION_AVAIL:
        return flags ? -EINVAL : action_is_available(argument);
    case SECCOMP_GET_NOTIF_SIZES:
        return HOST_SYSCALL(thread, SYS_seccomp, operation, flags, argument);
    default:
        return -EINVAL;
    }
}

int64_t sys_seccomp(struct thread *thread, const uint64_t a[6])
{
    return seccomp_call(thread, a[0] & UINT32_MAX, a[1] & UINT32_MAX, a[2]);
}

/* ---- inheritance ------------------------------------------------------------------------------------------------------------------ */

void seccomp_inherit(struct thread *thread, const struct thread *parent)
{
    lock_take(&thread->process->lock);
    struct seccomp_filter *old = thread->seccomp.filters;
    thread->seccomp = parent->seccomp;
    filter_hold(thread->seccomp.filters);
    filter_drop(old);
    lock_release(&thread->process->lock);
}

void seccomp_release(struct thread *thread)
{
    filter_drop(thread->seccomp.filters);
    thread->seccomp.filters = NULL;
}

/* The memory file: the mode; then, from the oldest on, a filter's length and instructions. The host's part of a listener lives on. */

#define LISTENS 0x80000000u /* with the length */

static bool export_filters(int fd, const struct seccomp_filter *filter)
{
    if (!filter)
        return true;
    size_t size = filter->length * sizeof filter->insns[0];
    uint32_t length = filter->length | (filter->listens ? LISTENS : 0);
    return export_filters(fd, filter->older) && write(fd, &length, sizeof length) == sizeof length &&
           write(fd, filter->insns, size) == (ssize_t)size;
}

int64_t seccomp_export(const struct thread *thread)
{
    int fd = memfd_create("seccomp", 0);
    if (fd < 0)
        return -errno;
    int64_t kept = fcntl(fd, F_DUPFD, 100); /* out of the way of the guest's */
    uint32_t mode = thread->seccomp.mode;
    close(fd);
    if (kept < 0)
        return -errno;
    if (write((int)kept, &mode, sizeof mode) == sizeof mode && export_filters((int)kept, thread->seccomp.filters))
        return kept;
    close((int)kept);
    return -ENOMEM;
}

bool seccomp_import(struct thread *thread, int fd)
{
    struct seccomp *seccomp = &thread->seccomp;
    struct sock_filter insns[BPF_MAXINSNS];
    uint32_t mode, length;
    bool good = pread(fd, &mode, sizeof mode, 0) == sizeof mode && mode <= SECCOMP_MODE_FILTER;
    off_t at = sizeof mode;
    while (good && pread(fd, &length, sizeof length, at) == sizeof length) {
        bool listens = length & LISTENS;
        length &= ~LISTENS;
        ssize_t size = (ssize_t)(length * sizeof *insns);
        struct seccomp_filter *filter = NULL;
        good = length <= BPF_MAXINSNS && pread(fd, insns, (size_t)size, at + (off_t)sizeof length) == size &&
               program_is_good(insns, length) && (filter = filter_new(insns, length));
        if (good) {
            filter->listens = listens;
            filter->older = seccomp->filters;
            seccomp->filters = filter;
        }
        at += (off_t)sizeof length + size;
    }
    close(fd);
    if (good)
        seccomp->mode = mode;
    return good;
}

void seccomp_print(const struct thread *thread, FILE *out)
{
    unsigned n = 0;
    for (const struct seccomp_filter *f = thread->seccomp.filters; f; f = f->older)
        n++;
    fprintf(out, "Seccomp:\t%u\nSeccomp_filters:\t%u\n", thread->seccomp.mode, n);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process about itself: names, limits, controls. Creation and end of threads and processes are in thread.c. */
#include <errno.h>
#include <linux/prctl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"
#include "machine/linux/thread.h"

int64_t sys_uname(struct thread *thread, const uint64_t a[6])
{
    struct utsname name; /* the layout is the same: six strings of 65 bytes */
    const char *release = thread->process->options->release;
    int64_t result = HOST_SYSCALL(thread, SYS_uname, (uint64_t)&name);
    if (result < 0)
        return result;
    strcpy(name.machine, "aarch64");
    if (release)
        snprintf(name.release, sizeof name.release, "%s", release);
    return guest_write(a[0], &name, sizeof name) ? 0 : -EFAULT;
}

/** PER_LINUX32 is refused as by a kernel whose CPUs lack AArch32; the host must not make what dragoman maps executable. */
int64_t sys_personality(struct thread *thread, const uint64_t a[6])
{
    const uint64_t kept = READ_IMPLIES_EXEC;
    struct process *process = thread->process;
    uint64_t wanted = a[0] & UINT32_MAX;
    if ((wanted & PER_MASK) == PER_LINUX32 && wanted != UINT32_MAX)
        return -EINVAL;
    int64_t result = HOST_SYSCALL(thread, SYS_personality, wanted == UINT32_MAX ? wanted : wanted & ~kept);
    if (result < 0)
        return result;
    result |= (int64_t)process->kept_persona;
    if (wanted != UINT32_MAX)
        process->kept_persona = wanted & kept;
    return result;
}

/** Limits on address space would hit dragoman's own memory: they are only remembered. */
static bool limit_is_virtual(uint64_t resource)
{
    return resource == RLIMIT_AS || resource == RLIMIT_DATA || resource == RLIMIT_STACK;
}

static int64_t change_host_limit(struct thread *thread, uint64_t id, uint64_t resource, uint64_t new_limit, uint64_t old_limit)
{
    int64_t result = HOST_SYSCALL(thread, SYS_prlimit64, id, resource, new_limit, old_limit);
    if (result == 0 && resource == RLIMIT_CORE && new_limit)
        signals_catch_cores(thread);
    return result;
}

static int64_t change_limit(struct thread *thread, uint64_t id, uint64_t resource, uint64_t new_limit, uint64_t old_limit)
{
    struct process *process = thread->process;
    if (!limit_is_virtual(resource) || (id != 0 && id != (uint64_t)getpid()))
        return change_host_limit(thread, id, resource, new_limit, old_limit);
    struct rlimit64 wanted, now;
    if (new_limit && !guest_read(&wanted, new_limit, sizeof wanted))
        return -EFAULT;
    if (new_limit && wanted.rlim_cur > wanted.rlim_max)
        return -EINVAL;
    int64_t result = RAW_SYSCALL(SYS_prlimit64, 0, resource, 0, (uint64_t)&now);
    if (result < 0)
        return result;
    lock_take(&process->lock);
    if (process->limits_set >> resource & 1)
        now = process->limits[resource];
    if (new_limit && wanted.rlim_max > now.rlim_max && geteuid() != 0) {
        result = -EPERM;
    } else if (new_limit) {
        process->limits[resource] = wanted;
        process->limits_set |= 1u << resource;
    }
    lock_release(&process->lock);
    if (result == 0 && old_limit && !guest_write(old_limit, &now, sizeof now))
        return -EFAULT;
    return result;
}

int64_t sys_prlimit64(struct thread *thread, const uint64_t a[6])
{
    return change_limit(thread, a[0], (uint32_t)a[1], a[2], a[3]);
}

int64_t sys_getrlimit(struct thread *thread, const uint64_t a[6])
{
    return change_limit(thread, 0, (uint32_t)a[0], 0, a[1]);
}

int64_t sys_setrlimit(struct thread *thread, const uint64_t a[6])
{
    return a[1] ? change_limit(thread, 0, (uint32_t)a[0], a[1], 0) : -EFAULT;
}

#ifndef PR_SCHED_CORE
#define PR_SCHED_CORE 62
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA 0x53564d41
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE 67
#define PR_GET_MEMORY_MERGE 68
#endif
#ifndef PR_GET_AUXV
#define PR_GET_AUXV 0x41555856
#endif

/**
 * Those that act on what dragoman shares with the guest, or mean the same on both. All others get EINVAL, as from a kernel that
 * does not know them: those of other architectures (unaligned accesses, FPU emulation, endianness, TSC), SVE's and SME's, MTE's
 * and the tagged-address ABI, and what would hit dragoman's own memory (PR_SET_MM, PR_SET_MDWE) or system calls
 * (PR_SET_SYSCALL_USER_DISPATCH, which arm64 has not).
 */
static bool prctl_passes(int option)
{
    static const int passed[] = {
        PR_SET_PDEATHSIG,     PR_GET_PDEATHSIG,    PR_GET_DUMPABLE,      PR_SET_DUMPABLE,     PR_GET_KEEPCAPS,
        PR_SET_KEEPCAPS,      PR_SET_NAME,         PR_GET_NAME,          PR_CAPBSET_READ,     PR_CAPBSET_DROP,
        PR_GET_SECUREBITS,    PR_SET_SECUREBITS,   PR_SET_TIMERSLACK,    PR_GET_TIMERSLACK,   PR_SET_PTRACER,
        PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS, PR_GET_NO_NEW_PRIVS,
        PR_SET_THP_DISABLE,   PR_GET_THP_DISABLE,  PR_CAP_AMBIENT,       PR_GET_TIMING,       PR_SET_TIMING,
        PR_MCE_KILL,          PR_MCE_KILL_GET,     PR_SET_IO_FLUSHER,    PR_GET_IO_FLUSHER,
        PR_TASK_PERF_EVENTS_DISABLE, PR_TASK_PERF_EVENTS_ENABLE, PR_SCHED_CORE,
        PR_SET_VMA,           PR_SET_MEMORY_MERGE, PR_GET_MEMORY_MERGE,
    };
    for (size_t i = 0; i < sizeof passed / sizeof passed[0]; i++) {
        if (option == passed[i])
            return true;
    }
    return false;
}

/* Linux, Documentation/arch/arm64/pointer-authentication.rst. The bits of PR_PAC_*KEY are those of enum a64_pac_key. */
#define ALL_KEYS ((1u << A64_PAC_KEY_COUNT) - 1)
#define POINTER_KEYS (ALL_KEYS & ~(1u << A64_PAC_GA))

static int64_t pac_reset_keys(struct thread *thread, const uint64_t a[6])
{
    if (a[1] & ~(uint64_t)ALL_KEYS || a[2] || a[3] || a[4])
        return -EINVAL;
    thread_reset_keys(thread, a[1] ? (uint32_t)a[1] : ALL_KEYS);
    return 0;
}

static int64_t pac_set_enabled_keys(struct thread *thread, const uint64_t a[6])
{
    uint64_t keys = a[1], enabled = a[2];
    if (keys == 0 || keys & ~(uint64_t)POINTER_KEYS || enabled & ~keys || a[3] || a[4])
        return -EINVAL;
    thread->cpu->pac_disabled = (thread->cpu->pac_disabled | (uint32_t)keys) & ~(uint32_t)enabled;
    return 0;
}

static int64_t pac_get_enabled_keys(struct thread *thread, const uint64_t a[6])
{
    return a[1] || a[2] || a[3] || a[4] ? -EINVAL : (int64_t)(POINTER_KEYS & ~thread->cpu->pac_disabled);
}

static int64_t get_auxv(struct thread *thread, uint64_t to, uint64_t size)
{
    const struct process *process = thread->process;
    uint64_t words[128], all = process->auxv_end - process->auxv_start;
    if (all > sizeof words || !guest_read(words, process->auxv_start, all))
        return -EFAULT;
    return guest_write(to, words, size < all ? size : all) ? (int64_t)all : -EFAULT;
}

/** arm64 knows only the kind of speculation that SSBS is about. */
static int64_t speculation(struct thread *thread, const uint64_t a[6])
{
    if (a[1] != PR_SPEC_STORE_BYPASS && !a[3] && !a[4])
        return -ENODEV;
    return host_syscall(thread, SYS_prctl, a);
}

int64_t sys_prctl(struct thread *thread, const uint64_t a[6])
{
    if (thread->cpu->features >> A64_FEAT_PAUTH & 1) {
        switch ((int)a[0]) {
        case PR_PAC_RESET_KEYS: return pac_reset_keys(thread, a);
        case PR_PAC_SET_ENABLED_KEYS: return pac_set_enabled_keys(thread, a);
        case PR_PAC_GET_ENABLED_KEYS: return pac_get_enabled_keys(thread, a);
        }
    }
    switch ((int)a[0]) {
    case PR_GET_TID_ADDRESS:
        return guest_write(a[1], &thread->clear_child_tid, sizeof thread->clear_child_tid) ? 0 : -EFAULT;
    case PR_GET_AUXV:
        return a[3] || a[4] ? -EINVAL : get_auxv(thread, a[1], a[2]);
    case PR_GET_SPECULATION_CTRL:
    case PR_SET_SPECULATION_CTRL:
        return speculation(thread, a);
    case PR_GET_SECCOMP:
        return thread->seccomp.mode;
    case PR_SET_SECCOMP:
        if (a[1] == SECCOMP_MODE_STRICT)
            return seccomp_call(thread, SECCOMP_SET_MODE_STRICT, 0, 0);
        return a[1] == SECCOMP_MODE_FILTER ? seccomp_call(thread, SECCOMP_SET_MODE_FILTER, 0, a[2]) : -EINVAL;
    }
    return prctl_passes((int)a[0]) ? host_syscall(thread, SYS_prctl, a) : -EINVAL;
}

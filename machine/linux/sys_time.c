/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Clocks. Those that the host's vDSO reads are read there: no system call is made for them. */
#include <errno.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"

#define VDSO_CLOCKS                                                                                                            \
    (1u << CLOCK_REALTIME | 1u << CLOCK_MONOTONIC | 1u << CLOCK_MONOTONIC_RAW | 1u << CLOCK_REALTIME_COARSE |                  \
     1u << CLOCK_MONOTONIC_COARSE | 1u << CLOCK_BOOTTIME | 1u << CLOCK_TAI)

static bool clock_is_fast(uint64_t clock)
{
    return (uint32_t)clock < 32 && (VDSO_CLOCKS >> (uint32_t)clock & 1);
}

int64_t sys_clock_gettime(struct thread *thread, const uint64_t a[6])
{
    struct timespec now;
    if (!clock_is_fast(a[0]) || clock_gettime((clockid_t)a[0], &now) < 0)
        return host_syscall(thread, SYS_clock_gettime, a);
    return guest_write(a[1], &now, sizeof now) ? 0 : -EFAULT;
}

int64_t sys_clock_getres(struct thread *thread, const uint64_t a[6])
{
    struct timespec resolution;
    if (!clock_is_fast(a[0]) || clock_getres((clockid_t)a[0], &resolution) < 0)
        return host_syscall(thread, SYS_clock_getres, a);
    return !a[1] || guest_write(a[1], &resolution, sizeof resolution) ? 0 : -EFAULT;
}

int64_t sys_gettimeofday(struct thread *thread, const uint64_t a[6])
{
    struct timeval now;
    if (a[1] || gettimeofday(&now, NULL) < 0)
        return host_syscall(thread, SYS_gettimeofday, a);
    return !a[0] || guest_write(a[0], &now, sizeof now) ? 0 : -EFAULT;
}

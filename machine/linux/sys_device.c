/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: ioctl. Both architectures take the numbers and structures of asm-generic (ioctl.h, ioctls.h, termbits.h, socket.h,
 * sockios.h); drivers' structures have the same layout on all 64-bit ABIs. What is left is below.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"

#define KVM_TYPE 0xae /* linux/kvm.h: KVMIO */

int64_t sys_ioctl(struct thread *thread, const uint64_t a[6])
{
    uint32_t request = (uint32_t)a[1];
    if (_IOC_TYPE(request) == KVM_TYPE && _IOC_NR(request) < 0xf0 && request != TIOCGPTPEER)
        return -ENOTTY; /* the host's CPUs are of another kind than the guest asks for */
    if (request == TIOCGPTPEER) /* the only one whose argument are the flags of open() */
        return HOST_SYSCALL(thread, SYS_ioctl, a[0], a[1], (uint64_t)open_flags_to_host(a[2]));
    return host_syscall(thread, SYS_ioctl, a);
}

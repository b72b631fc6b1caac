/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Devices: ioctl. Both architectures take the numbers and structures of asm-generic (ioctl.h, ioctls.h, termbits.h, socket.h,
 * sockios.h); drivers' structures have the same layout on all 64-bit ABIs but for __kernel_old_dev_t. What is left is below.
 */
#include <errno.h>
#include <linux/loop.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"

#define KVM_TYPE 0xae /* linux/kvm.h: KVMIO */

/** linux/loop.h, with __kernel_old_dev_t of 32 bits as in asm-generic/posix_types.h: it has 64 on x86-64. */
struct guest_loop_info {
    int32_t number;
    uint32_t device;
    uint64_t inode;
    uint32_t rdevice;
    int32_t rest[4]; /* from lo_offset to lo_flags */
    char name[LO_NAME_SIZE];
    uint8_t key[LO_KEY_SIZE];
    uint64_t init[2];
    char reserved[4];
};
_Static_assert(sizeof((struct loop_info){0}.lo_device) == 8 && offsetof(struct loop_info, lo_name) ==
               offsetof(struct loop_info, lo_offset) + sizeof((struct guest_loop_info){0}.rest), "struct loop_info of the host");

static int64_t loop_status(struct thread *thread, const uint64_t a[6])
{
    struct guest_loop_info guest = {0};
    struct loop_info host;
    memset(&host, 0, sizeof host);
    bool set = (uint32_t)a[1] == LOOP_SET_STATUS;
    if (set) {
        if (!guest_read(&guest, a[2], sizeof guest))
            return -EFAULT;
        memcpy(&host.lo_offset, guest.rest, sizeof guest.rest);
        memcpy(host.lo_name, guest.name, sizeof guest.name);
        memcpy(host.lo_encrypt_key, guest.key, sizeof guest.key);
        memcpy(host.lo_init, guest.init, sizeof guest.init);
    }
    int64_t result = HOST_SYSCALL(thread, SYS_ioctl, a[0], a[1], (uint64_t)&host);
    if (result < 0 || set)
        return result;
    guest.number = host.lo_number;
    guest.device = (uint32_t)host.lo_device;
    guest.inode = host.lo_inode;
    guest.rdevice = (uint32_t)host.lo_rdevice;
    memcpy(guest.rest, &host.lo_offset, sizeof guest.rest);
    memcpy(guest.name, host.lo_name, sizeof guest.name);
    memcpy(guest.key, host.lo_encrypt_key, sizeof guest.key);
    memcpy(guest.init, host.lo_init, sizeof guest.init);
    return guest_write(a[2], &guest, sizeof guest) ? result : -EFAULT;
}

int64_t sys_ioctl(struct thread *thread, const uint64_t a[6])
{
    uint32_t request = (uint32_t)a[1];
    if (_IOC_TYPE(request) == KVM_TYPE && _IOC_NR(request) < 0xf0 && request != TIOCGPTPEER)
        return -ENOTTY; /* the host's CPUs are of another kind than the guest asks for */
    if (request == LOOP_SET_STATUS || request == LOOP_GET_STATUS)
        return loop_status(thread, a);
    if (request == SECCOMP_IOCTL_NOTIF_RECV)
        return seccomp_receive(thread, a);
    if (request == SECCOMP_IOCTL_NOTIF_SEND)
        return seccomp_respond(thread, a);
    if (request == TIOCGPTPEER) /* the only one whose argument are the flags of open() */
        return HOST_SYSCALL(thread, SYS_ioctl, a[0], a[1], (uint64_t)open_flags_to_host(a[2]));
    return host_syscall(thread, SYS_ioctl, a);
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Notifications of guest filters. The host's own are used, with all they can do (descriptors put into the caller, waiting that only a
 * deadly signal ends): where the guest's filter asks for one, the host gets a filter that notifies of numbers which no system call has,
 * and the thread makes one of those, with the guest's number in it and the guest's arguments. Who listens runs under dragoman,
 * too, which turns what it receives into the guest's call.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"
#include "machine/linux/tracer.h"

#define NOTIFY_BITS 0xe0000000u
#define NOTIFY 0x20000000u /* with the guest's number: what is asked of the host */
/* What a listener's dragoman sends for SECCOMP_USER_NOTIF_FLAG_CONTINUE: for the host, the call that goes on is none. */
#define GO_ON INT64_C(0x6472676d676f6f6e)
#define MARK UINT64_C(0x6472676d6d61726b) /* on the stack of a thread that waits: before the guest's PC */

int64_t seccomp_listen(struct thread *thread, uint64_t flags)
{
    struct sock_filter insns[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_STMT(BPF_ALU | BPF_AND | BPF_K, NOTIFY_BITS),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NOTIFY, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof insns / sizeof insns[0], insns};
    const uint64_t passed = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH | SECCOMP_FILTER_FLAG_NEW_LISTENER |
                            SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV;
    return HOST_SYSCALL(thread, SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags & passed, (uint64_t)&program);
}

bool seccomp_notify(struct thread *thread, uint64_t number, int64_t *result)
{
    const volatile uint64_t mark[2] = {MARK, thread->cpu->cpu.pc};
    uint64_t arguments[6];
    if (number & NOTIFY_BITS) {
        *result = -ENOSYS;
        return false;
    }
    memcpy(arguments, thread->cpu->x, sizeof arguments);
    *result = host_syscall(thread, (long)(NOTIFY | number), arguments);
    return mark[0] == MARK && *result == GO_ON;
}

/** The guest's program counter in a thread that waits in seccomp_notify(); 0 if there is no way to know. */
static uint64_t waiting_pc(pid_t tid)
{
    char path[48], text[256];
    unsigned long sp = 0;
    uint64_t words[64];
    snprintf(path, sizeof path, "/proc/%d/syscall", tid);
    FILE *file = fopen(path, "re");
    if (!file)
        return 0;
    bool good = fgets(text, sizeof text, file) && sscanf(text, "%*s %*s %*s %*s %*s %*s %*s %lx", &sp) == 1;
    fclose(file);
    if (!good || !tracer_read(tid, sp, words, sizeof words))
        return 0;
    for (size_t i = 0; i + 1 < sizeof words / sizeof words[0]; i++) {
        if (words[i] == MARK)
            return words[i + 1];
    }
    return 0;
}

int64_t seccomp_receive(struct thread *thread, const uint64_t a[6])
{
    struct seccomp_notif notification;
    int64_t result = host_syscall(thread, SYS_ioctl, a);
    if (result < 0 || !guest_read(&notification, a[2], sizeof notification))
        return result;
    struct seccomp_data *data = &notification.data;
    if (data->arch != AUDIT_ARCH_X86_64 || ((unsigned)data->nr & NOTIFY_BITS) != NOTIFY)
        return result;
    data->nr = (int)((unsigned)data->nr & ~NOTIFY_BITS);
    data->arch = AUDIT_ARCH_AARCH64;
    data->instruction_pointer = waiting_pc((pid_t)notification.pid);
    return guest_write(a[2], &notification, sizeof notification) ? result : -EFAULT;
}

int64_t seccomp_respond(struct thread *thread, const uint64_t a[6])
{
    struct seccomp_notif_resp response;
    if (!guest_read(&response, a[2], sizeof response))
        return -EFAULT;
    if (response.flags == SECCOMP_USER_NOTIF_FLAG_CONTINUE && !response.error && !response.val) {
        response.flags = 0;
        response.val = GO_ON;
    }
    return HOST_SYSCALL(thread, SYS_ioctl, a[0], a[1], (uint64_t)&response);
}

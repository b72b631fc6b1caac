/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/guest_access.h"

#include <errno.h>
#include <string.h>

#include "machine/linux/process.h"
#include "machine/linux/signals.h"

/*
 * System V AMD64 ABI. The labels that the handler looks at are global so that C can take their addresses; they are hidden,
 * the program is one object.
 */
__asm__(".text\n"
        ".hidden guest_copy_raw, guest_copy_at, guest_copy_failed, guest_cas_raw, guest_cas_at, guest_cas_failed\n"
        ".hidden host_syscall_raw, host_syscall_begin, host_syscall_end, host_syscall_restart\n"
        ".globl guest_copy_raw, guest_copy_at, guest_copy_failed, guest_cas_raw, guest_cas_at, guest_cas_failed\n"
        ".globl host_syscall_raw, host_syscall_begin, host_syscall_end, host_syscall_restart\n"
        /* int guest_copy_raw(void *to, const void *from, size_t size) */
        ".type guest_copy_raw, @function\n"
        "guest_copy_raw:\n"
        "    mov %rdx, %rcx\n"
        "guest_copy_at:\n"
        "    rep movsb\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        "guest_copy_failed:\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".size guest_copy_raw, . - guest_copy_raw\n"
        /* int guest_cas_raw(uint32_t *at, uint32_t expected, uint32_t desired, uint32_t *seen) */
        ".type guest_cas_raw, @function\n"
        "guest_cas_raw:\n"
        "    mov %esi, %eax\n"
        "guest_cas_at:\n"
        "    lock cmpxchg %edx, (%rdi)\n"
        "    mov %eax, (%rcx)\n"
        "    xor %eax, %eax\n"
        "    ret\n"
        "guest_cas_failed:\n"
        "    mov $1, %eax\n"
        "    ret\n"
        ".size guest_cas_raw, . - guest_cas_raw\n"
        /* int64_t host_syscall_raw(const int *pending, long number, const uint64_t arguments[6]) */
        ".type host_syscall_raw, @function\n"
        "host_syscall_raw:\n"
        "    push %rbx\n"
        "    mov %rdi, %rbx\n"
        "    mov %rsi, %rax\n"
        "    mov %rdx, %r11\n"
        "    mov (%r11), %rdi\n"
        "    mov 8(%r11), %rsi\n"
        "    mov 16(%r11), %rdx\n"
        "    mov 24(%r11), %r10\n"
        "    mov 32(%r11), %r8\n"
        "    mov 40(%r11), %r9\n"
        "host_syscall_begin:\n"
        "    cmpl $0, (%rbx)\n"
        "    jne host_syscall_restart\n"
        "    syscall\n"
        "host_syscall_end:\n"
        "    pop %rbx\n"
        "    ret\n"
        "host_syscall_restart:\n"
        "    mov $-512, %rax\n"
        "    pop %rbx\n"
        "    ret\n"
        ".size host_syscall_raw, . - host_syscall_raw\n"
        ".globl host_sigreturn\n"
        ".type host_sigreturn, @function\n"
        "host_sigreturn:\n"
        "    mov $15, %eax\n"
        "    syscall\n"
        ".size host_sigreturn, . - host_sigreturn\n");

int guest_copy_raw(void *to, const void *from, size_t size);
int guest_cas_raw(uint32_t *at, uint32_t expected, uint32_t desired, uint32_t *seen);
extern const char guest_copy_at[], guest_copy_failed[], guest_cas_at[], guest_cas_failed[];
extern const char host_syscall_begin[], host_syscall_end[], host_syscall_restart[];

_Static_assert(RESULT_RESTART == 512, "the stub returns it");

bool guest_read(void *to, uint64_t from, size_t size)
{
    return guest_copy_raw(to, (const void *)from, size) == 0;
}

bool guest_write(uint64_t to, const void *from, size_t size)
{
    return guest_copy_raw((void *)to, from, size) == 0;
}

int64_t guest_read_string(char *to, uint64_t from, size_t size)
{
    size_t done = 0;
    while (done < size) {
        /* Not beyond a page at a time: the next one need not exist. */
        size_t chunk = 4096 - (from + done) % 4096;
        if (chunk > size - done)
            chunk = size - done;
        if (!guest_read(to + done, from + done, chunk))
            return -EFAULT;
        const char *zero = memchr(to + done, 0, chunk);
        if (zero)
            return zero - to;
        done += chunk;
    }
    return -ENAMETOOLONG;
}

bool guest_cas32(uint64_t address, uint32_t expected, uint32_t desired, uint32_t *seen)
{
    return guest_cas_raw((uint32_t *)address, expected, desired, seen) == 0;
}

int64_t host_syscall(struct thread *thread, long number, const uint64_t arguments[6])
{
    if (__builtin_expect(thread->sync_queued | thread->process->sync_shared, 0))
        return signals_call_with_pending(thread, number, arguments);
    return host_syscall_raw(&thread->pending, number, arguments);
}

int64_t raw_syscall(long number, const uint64_t arguments[6])
{
    static const int never = 0;
    return host_syscall_raw(&never, number, arguments);
}

bool guest_access_fixup(ucontext_t *uc)
{
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    if (*rip == (greg_t)guest_copy_at)
        *rip = (greg_t)guest_copy_failed;
    else if (*rip == (greg_t)guest_cas_at)
        *rip = (greg_t)guest_cas_failed;
    else
        return false;
    return true;
}

void host_syscall_interrupt(const struct thread *thread, ucontext_t *uc)
{
    greg_t *rip = &uc->uc_mcontext.gregs[REG_RIP];
    /* rbx tells this thread's guest calls from raw_syscall(). */
    if (*rip >= (greg_t)host_syscall_begin && *rip < (greg_t)host_syscall_end &&
        uc->uc_mcontext.gregs[REG_RBX] == (greg_t)&thread->pending)
        *rip = (greg_t)host_syscall_restart;
}

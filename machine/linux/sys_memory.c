/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory and System V IPC. */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sem.h>
#include <sys/syscall.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/io_uring.h"
#include "machine/linux/process.h"
#include "machine/linux/syscall.h"

#define GUEST_PROT_BITS 0x7u           /* READ, WRITE, EXEC */
#define GUEST_PROT_GROWS 0x03000000u   /* PROT_GROWSDOWN, PROT_GROWSUP: no mapping here grows */

/** The bits that a kernel for this CPU knows. */
static uint64_t prot_bits(const struct thread *thread)
{
    bool bti = thread->cpu->features >> A64_FEAT_BTI & 1;
    return GUEST_PROT_BITS | (bti ? GUEST_PROT_BTI : 0);
}

int64_t sys_brk(struct thread *thread, const uint64_t a[6])
{
    return memory_brk(&thread->process->memory, a[0]);
}

int64_t sys_mmap(struct thread *thread, const uint64_t a[6])
{
    /* Unlike mprotect, mmap does not look at bits that it does not know. */
    int64_t result = memory_map(&thread->process->memory, a[0], a[1], (int)(a[2] & prot_bits(thread)), (int)a[3], (int)a[4],
                                a[5], MAPPING_PLAIN);
    if (result >= 0 && thread->process->rings)
        io_uring_mapped(thread->process, (int)a[4], a[5], (uint64_t)result);
    return result;
}

int64_t sys_munmap(struct thread *thread, const uint64_t a[6])
{
    return memory_unmap(&thread->process->memory, a[0], a[1]);
}

int64_t sys_mprotect(struct thread *thread, const uint64_t a[6])
{
    if (a[2] & ~(prot_bits(thread) | GUEST_PROT_GROWS))
        return -EINVAL;
    return memory_protect(&thread->process->memory, a[0], a[1], (int)(a[2] & prot_bits(thread)));
}

int64_t sys_mremap(struct thread *thread, const uint64_t a[6])
{
    return memory_remap(&thread->process->memory, a[0], a[1], a[2], (int)a[3], a[4]);
}

int64_t sys_madvise(struct thread *thread, const uint64_t a[6])
{
    return memory_advise(&thread->process->memory, a[0], a[1], (int)a[2]);
}

int64_t sys_remap_file_pages(struct thread *thread, const uint64_t a[6])
{
    return memory_remap_file(&thread->process->memory, a[0], a[1], a[2], a[3], a[4]);
}

int64_t sys_mseal(struct thread *thread, const uint64_t a[6])
{
    return a[2] ? -EINVAL : memory_seal(&thread->process->memory, a[0], a[1]);
}

int64_t sys_process_madvise(struct thread *thread, const uint64_t a[6])
{
    /* What takes contents away would pass by the translations of the guest's code (Linux 6.13 has it for oneself). */
    static const int harmless[] = {MADV_COLD, MADV_PAGEOUT, MADV_WILLNEED, 25 /* MADV_COLLAPSE */};
    for (size_t i = 0; i < sizeof harmless / sizeof harmless[0]; i++) {
        if ((int)a[3] == harmless[i])
            return host_syscall(thread, SYS_process_madvise, a);
    }
    return -EINVAL;
}

int64_t sys_shmat(struct thread *thread, const uint64_t a[6])
{
    return memory_attach_shared(&thread->process->memory, (int)a[0], a[1], (int)a[2]);
}

int64_t sys_shmdt(struct thread *thread, const uint64_t a[6])
{
    return memory_detach_shared(&thread->process->memory, a[0]);
}

/* ---- semctl: asm-generic/sembuf.h has no holes behind the times, x86's has --------------------------------------------------- */

struct guest_semid {
    struct ipc_perm perm;
    int64_t otime, ctime;
    uint64_t nsems, unused[2];
};
_Static_assert(sizeof(struct ipc_perm) == 48, "struct ipc64_perm");

int64_t sys_semctl(struct thread *thread, const uint64_t a[6])
{
    struct semid_ds host;
    struct guest_semid guest;
    int command = (int)a[2] & ~0x100; /* IPC_64 means nothing on 64-bit systems */
    bool set = command == IPC_SET;
    if (!set && command != IPC_STAT && command != SEM_STAT && command != SEM_STAT_ANY)
        return HOST_SYSCALL(thread, SYS_semctl, a[0], a[1], a[2], a[3]);
    memset(&host, 0, sizeof host);
    if (set) {
        if (!guest_read(&guest, a[3], sizeof guest))
            return -EFAULT;
        host.sem_perm = guest.perm;
    }
    int64_t result = HOST_SYSCALL(thread, SYS_semctl, a[0], a[1], (uint64_t)command, (uint64_t)&host);
    if (result < 0 || set)
        return result;
    guest = (struct guest_semid){host.sem_perm, host.sem_otime, host.sem_ctime, host.sem_nsems, {0}};
    return guest_write(a[3], &guest, sizeof guest) ? result : -EFAULT;
}

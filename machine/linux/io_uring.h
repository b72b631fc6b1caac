/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * io_uring: the rings are the host's, mapped by the guest, and its requests are the host's, too, but for those whose arguments
 * differ between the architectures or mean something else under dragoman: open flags, epoll events, paths. The kernel takes
 * requests off the ring only in io_uring_enter(), so that they are looked at there.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_IO_URING_H
#define DRAGOMAN_MACHINE_LINUX_IO_URING_H

#include <stdint.h>

struct process;
struct thread;

/** The guest has mapped a descriptor, perhaps that of a ring. */
void io_uring_mapped(struct process *process, int fd, uint64_t offset, uint64_t address);
/** In the child of a fork. */
void io_uring_fork_child(struct thread *thread);

#endif

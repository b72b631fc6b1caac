/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guest signals.
 *
 * The host kernel keeps pending signals, masks and default actions: a guest signal whose action is default or ignore has
 * just that action on the host, and the host thread's mask is the guest's (without the synchronous five). Only for signals
 * that have a guest handler, and for the synchronous ones, is there a host handler. It queues one signal, blocks all others
 * until that is delivered, and makes translated code or an interruptible system call come back to the thread's loop; that
 * builds the guest's frame (signal_frame.c) and unblocks.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_SIGNALS_H
#define DRAGOMAN_MACHINE_LINUX_SIGNALS_H

#include <ucontext.h>

#include "machine/linux/process.h"

#define SA_EXPOSE_TAGBITS_FLAG 0x800u
/* ESR_EL1.EC: Arm ARM DDI 0487, D24.2.40 */
#define ESR_CLASS_INSTRUCTION_ABORT 0x20u
#define ESR_CLASS_DATA_ABORT 0x24u
#define SIGNAL_BIT(n) (UINT64_C(1) << ((n) - 1))

/** Reads the inherited actions and mask, installs the handlers of the synchronous signals. */
void signals_start(struct thread *thread);
/** Gives the calling host thread its alternate stack. False when out of memory. */
bool signals_thread_start(struct thread *thread);
void signals_thread_end(struct thread *thread);
/** To be called after the host's pthread_create(), which takes a signal (SIGSETXID, 33) for itself at its first use. */
void signals_retake(struct thread *thread);

/** The thread ends, with all signals blocked: one that it has not come to deliver is for another thread. */
void signals_hand_over(struct thread *thread);
/** Delivers what is pending and not blocked: afterwards the guest's registers may be those of a handler's start. */
void signals_deliver(struct thread *thread);
/** Delivers this one, which has not been queued; signals_take_over() without asking a tracer, who knows it. */
void signals_deliver_now(struct thread *thread, const siginfo_t *info);
void signals_take_over(struct thread *thread, const siginfo_t *info);
/** For traced threads: a call that was interrupted by what needed no handler begins again; natively the kernel sees to that. */
void signals_restart(struct thread *thread);
/** From a signal handler of the thread: makes it come to signals_deliver(). */
void signals_wake(struct thread *thread, ucontext_t *uc);
/** From now on every signal comes to signals_deliver(), whatever its action: a tracer wants to see it. */
void signals_catch_all(struct thread *thread);
/** … and no longer. */
void signals_catch_handled(struct thread *thread);
/** RLIMIT_CORE may have changed. */
void signals_catch_cores(struct thread *thread);
/** Delivers a fault of the guest instruction at cpu->pc; it cannot be blocked. `address` is what it accessed. */
void signals_force(struct thread *thread, int signal, int code, uint64_t address, uint64_t esr);

/** The same for a signal that is described already. */
void signals_force_info(struct thread *thread, const siginfo_t *info, uint64_t address, uint64_t esr);

/** Replaces the guest's mask. 0, or -RESULT_RESTART when a signal has to be delivered under the old mask first. */
int64_t signals_set_mask(struct thread *thread, uint64_t mask);
/**
 * For calls that wait with another mask: the frame of a signal delivered now restores the mask of before. 0, or -EINTR: a
 * signal that the mask lets through is there already, and the call ends so.
 */
int64_t signals_begin_wait(struct thread *thread, uint64_t mask);
/** Back from such a call without a signal: the mask of before is in force again. */
void signals_end_wait(struct thread *thread);
/** A signal has come that only the mask of the call lets through: io_uring_enter may have a result all the same. It is delivered first. */
bool signals_came_by_wait(const struct thread *thread);

/** Signals of the synchronous kind that were sent, and that the host therefore does not keep: they are pending here. */
uint64_t signals_pending_here(const struct thread *thread);
/** Takes one of those that are in `set`; 0 if there is none. */
int signals_take(struct thread *thread, uint64_t set, siginfo_t *info);

/** What the host says of a signal that one thread has sent on to another: as it was. */
void signals_restore_code(siginfo_t *info);
/** An interrupted call is to begin again: what has come is blocked or ignored, which natively would not have interrupted it. */
bool signals_went_unseen(struct thread *thread);
/** host_syscall() while some of them are pending: the host keeps them meanwhile, so that a signalfd shows them. */
int64_t signals_call_with_pending(struct thread *thread, long number, const uint64_t arguments[6]);
/**
 * Before signals_force(), by who can do the instruction again: has all others wait until the guest's mask is that of the
 * handler. False when one is there already, which goes first.
 */
bool signals_hold(struct thread *thread);

/** Host mask for a guest mask. */
uint64_t signals_host_mask(uint64_t guest_mask);
/** Blocks every signal of the calling host thread but the synchronous ones, returns the host mask of before. */
uint64_t signals_block_all(void);
void signals_set_host_mask(uint64_t mask);
int64_t signals_set_action(struct thread *thread, int signal, const struct guest_sigaction *new_action,
                           struct guest_sigaction *old_action);
/** CLONE_CLEAR_SIGHAND: all actions but "ignore" become the default. */
void signals_clear_actions(struct thread *thread);
/** Before execve: the synchronous signals get the dispositions that the guest gave them; `undo` reverses that. */
void signals_prepare_exec(struct thread *thread, bool undo);

/** signal_frame.c: builds the frame on the guest's stack; false when it is not writable. */
bool signal_frame_push(struct thread *thread, const siginfo_t *info, const struct guest_sigaction *action, uint64_t frame_mask,
                       uint64_t fault_address, uint64_t esr);
/** Restores registers and mask from the frame at the guest's SP. 0, -EFAULT if there is no valid frame, or -RESULT_RESTART. */
int64_t signal_frame_pop(struct thread *thread);
/** The memory behind sigaltstack: -EPERM, -EINVAL, -ENOMEM or 0. `sp` tells whether the stack is in use. */
int64_t signal_stack_set(struct thread *thread, const struct guest_stack *stack);
void signal_stack_get(const struct thread *thread, struct guest_stack *stack);

#endif

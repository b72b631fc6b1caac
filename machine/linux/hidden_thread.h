/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef DRAGOMAN_MACHINE_LINUX_HIDDEN_THREAD_H
#define DRAGOMAN_MACHINE_LINUX_HIDDEN_THREAD_H

#include <sys/types.h>

/** How many threads of the process are its engine's. */
unsigned hidden_threads(pid_t pid);

#endif

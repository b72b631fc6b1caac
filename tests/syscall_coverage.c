/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Prints machine/linux/SYSCALLS.md: what becomes of each system call. */
#include "syscall_coverage.h"

int main(void)
{
    syscall_coverage_print(stdout);
    return 0;
}

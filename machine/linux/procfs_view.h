/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A process as the files of /proc are to show it: this one, or another that runs under dragoman, as far as it lets itself be read. */
#ifndef DRAGOMAN_MACHINE_LINUX_PROCFS_VIEW_H
#define DRAGOMAN_MACHINE_LINUX_PROCFS_VIEW_H

#include <stdbool.h>
#include <stdio.h>

#include "machine/linux/process.h"

struct proc_view {
    bool own;
    pid_t pid;
    char folder[64];  /* /proc/self, /proc/12/task/34 … */
    const char *name; /* what is asked for there */
    const struct process *process; /* if it is another: a copy, whose pointers are not to be followed */
    struct mapping *list;
    size_t count;
};

bool proc_view_read(const struct proc_view *view, uint64_t address, void *to, size_t size);
/** The host's file of the same name. */
FILE *proc_view_host(const struct proc_view *view);
/** Sum of the guest's mappings. */
uint64_t proc_view_size(const struct proc_view *view);

/* procfs_maps.c */
void procfs_write_maps(const struct proc_view *view, FILE *out);
void procfs_write_smaps(const struct proc_view *view, FILE *out);
void procfs_write_smaps_rollup(const struct proc_view *view, FILE *out);
void procfs_write_numa_maps(const struct proc_view *view, FILE *out);

#endif

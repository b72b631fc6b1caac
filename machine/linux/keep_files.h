/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The files of translator/keep.h: one for each file that guest code is mapped from, in a folder of the user's. They are opened to
 * be mapped, and to be written when the process ends, be it by a signal that it does not handle, or, as long as it has one thread, now
 * and then; so the guest meets no descriptor of theirs. Whatever is not as
 * it should be, the folder's or a file's owner, a full disk, other user ids than at the start, only means that nothing is kept.
 *
 * Which mapping is of which file is noted when a mapping is made. It is a hint: what is in memory decides.
 */
#ifndef DRAGOMAN_MACHINE_LINUX_KEEP_FILES_H
#define DRAGOMAN_MACHINE_LINUX_KEEP_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "translator/engine.h"

struct keep_files;
struct options;

/** NULL: nothing is to be kept, or can be. */
struct keep_files *keep_files_new(const struct options *options);
/** What the engine is to have of it; `k` may be NULL. */
struct engine_keep keep_files_engine(struct keep_files *k);
/** The engine that was made so. */
void keep_files_begin(struct keep_files *k, const struct engine *engine);
/* `k` may be NULL in all that follows. */

/** Code of the file has been mapped. */
void keep_files_mapped(struct keep_files *k, uint64_t start, uint64_t end, int fd, uint64_t offset);
void keep_files_unmapped(struct keep_files *k, uint64_t start, uint64_t end);
/** Before the process ends, or executes another program: writes what is worth it. Takes the engine's lock. `ending`: it does not go on in
    any case, so that the descriptors of the caller need not be those of the other threads any more; else there must be none, or they
    might close what is being written to and open a file of their own in its place. */
void keep_files_write(struct keep_files *k, bool ending);
/** In the child of a fork: what is to be written will be by the parent. */
void keep_files_forked(struct keep_files *k);
/** In the handler of SIGBUS. True: a file of ours was read there, which has become shorter, say; from now on it holds nothing. */
bool keep_files_fault(struct keep_files *k, uint64_t address);
/** As memory_owner_stopped(). */
void keep_files_owner_stopped(struct keep_files *k);

#endif

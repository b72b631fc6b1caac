/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * -perfmap and -jitdump: tell perf which guest function each translation is of. The first writes /tmp/perf-PID.map, which
 * `perf report` reads by itself; the second ./jit-PID.dump, with the code, for `perf record -k mono` and `perf inject --jit`
 * (formats: Linux, tools/perf/Documentation/jit-interface.txt and jitdump-specification.txt).
 */
#ifndef DRAGOMAN_MACHINE_LINUX_PERF_MAP_H
#define DRAGOMAN_MACHINE_LINUX_PERF_MAP_H

#include <stdbool.h>

#include "translator/engine.h"

struct perf_map;

/** Opens the files that are wanted; NULL and a message in `error` on failure. */
struct perf_map *perf_map_open(bool map, bool dump, char error[256]);
const struct engine_observer *perf_map_observer(struct perf_map *perf);
/** In the child of a fork: files of its own, with all translations that it has. */
void perf_map_fork_child(struct perf_map *perf, struct engine *engine);
/** Its descriptors; returns how many. */
#define PERF_MAP_DESCRIPTORS 2
size_t perf_map_descriptors(const struct perf_map *perf, int fds[PERF_MAP_DESCRIPTORS]);
/** Before fork and before the end: nothing stays in buffers. */
void perf_map_flush(struct perf_map *perf);

#endif

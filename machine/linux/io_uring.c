/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "machine/linux/io_uring.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "machine/linux/guest_access.h"
#include "machine/linux/path.h"
#include "machine/linux/process.h"
#include "machine/linux/root.h"
#include "machine/linux/signals.h"
#include "machine/linux/syscall.h"

/* What headers may be too old for. */
enum {
    OP_GETXATTR = 44,
    OP_EPOLL_WAIT = 59,
    OP_PIPE = 62,
    OP_LAST_KNOWN = OP_PIPE,
    OP_UNKNOWN = 255,
};
#define SETUP_NO_MMAP (1u << 14)
#define SETUP_REGISTERED_FD_ONLY (1u << 15)
#define SETUP_NO_SQARRAY (1u << 16)
#define SETUP_KNOWN ((1u << 19) - 1) /* up to IORING_SETUP_CQE_MIXED, of Linux 6.18 */
#define REGISTER_RESIZE_RINGS 33
#define REGISTER_USE_REGISTERED_RING (1u << 31)
#define NOP_INJECT_RESULT 1u
#define MAX_KEPT 64 /* rings whose descriptor's number is another's now */

/** A ring that the guest has set up, as far as its requests are concerned. Entries stay: their number is bounded. */
struct ring {
    struct ring *next;
    int fd; /* as it was returned; -1: another has that number now */
    dev_t device;
    ino_t inode;
    pthread_mutex_t lock; /* held while requests are taken off the ring */
    uint32_t flags, features, entries;
    struct io_sqring_offsets offsets;
    uint64_t queue, requests; /* where the guest has mapped them; 0: nowhere yet */
};

struct rings {
    pthread_mutex_t lock;
    struct ring *first;
    bool can_inject; /* IORING_OP_NOP reports a result of our choice */
};

/* ---- the table -------------------------------------------------------------------------------------------------------------- */

static struct rings *get_rings(struct process *process)
{
    lock_take(&process->lock);
    if (!process->rings) {
        struct rings *rings = calloc(1, sizeof *rings);
        struct utsname name;
        unsigned major = 0, minor = 0;
        if (rings) {
            pthread_mutex_init(&rings->lock, NULL);
            if (uname(&name) == 0 && sscanf(name.release, "%u.%u", &major, &minor) == 2)
                rings->can_inject = major > 6 || (major == 6 && minor >= 10);
            process->rings = rings;
        }
    }
    lock_release(&process->lock);
    return process->rings;
}

/** The ring of a descriptor, which may be a copy. NULL: none that was set up here. */
static struct ring *find_ring(struct process *process, int fd)
{
    struct rings *rings = process->rings;
    struct stat status;
    if (!rings || fstat(fd, &status) < 0)
        return NULL;
    pthread_mutex_lock(&rings->lock);
    struct ring *ring = rings->first;
    while (ring && (ring->inode != status.st_ino || ring->device != status.st_dev))
        ring = ring->next;
    pthread_mutex_unlock(&rings->lock);
    return ring;
}

static struct ring *find_called(struct thread *thread, uint64_t fd, bool registered)
{
    if (!registered)
        return find_ring(thread->process, (int)fd);
    return fd < sizeof thread->registered_rings / sizeof thread->registered_rings[0] ? thread->registered_rings[fd] : NULL;
}

/** Forgets the oldest of those that are most likely closed. With the lock held. */
static void trim(struct rings *rings)
{
    struct ring **last = NULL;
    unsigned kept = 0;
    for (struct ring **link = &rings->first; *link; link = &(*link)->next) {
        if ((*link)->fd < 0) {
            last = link;
            kept++;
        }
    }
    if (kept > MAX_KEPT) {
        struct ring *gone = *last;
        *last = gone->next;
        free(gone);
    }
}

static void describe(struct ring *ring, const struct io_uring_params *params)
{
    ring->flags = params->flags;
    ring->features = params->features;
    ring->entries = params->sq_entries;
    ring->offsets = params->sq_off;
    ring->queue = ring->requests = 0;
    if (params->flags & SETUP_NO_MMAP) { /* the guest's own memory */
        ring->queue = params->cq_off.resv2;
        ring->requests = params->sq_off.resv2;
    }
}

static struct ring *add_ring(struct process *process, int fd, const struct io_uring_params *params)
{
    struct rings *rings = get_rings(process);
    struct ring *ring = rings ? calloc(1, sizeof *ring) : NULL;
    struct stat status;
    if (!ring)
        return NULL;
    ring->fd = fd;
    if (fd >= 0 && fstat(fd, &status) == 0) {
        ring->device = status.st_dev;
        ring->inode = status.st_ino;
    }
    pthread_mutex_init(&ring->lock, NULL);
    describe(ring, params);
    pthread_mutex_lock(&rings->lock);
    for (struct ring *other = rings->first; fd >= 0 && other; other = other->next) {
        if (other->fd == fd)
            other->fd = -1;
    }
    ring->next = rings->first;
    rings->first = ring;
    if (fd >= 0) /* a registered one has no other name */
        trim(rings);
    pthread_mutex_unlock(&rings->lock);
    return ring;
}

void io_uring_mapped(struct process *process, int fd, uint64_t offset, uint64_t address)
{
    if (fd < 0 || (offset != IORING_OFF_SQ_RING && offset != IORING_OFF_CQ_RING && offset != IORING_OFF_SQES))
        return;
    struct ring *ring = find_ring(process, fd);
    if (!ring)
        return;
    pthread_mutex_lock(&ring->lock);
    if (offset == IORING_OFF_SQES)
        ring->requests = address;
    else if (offset == IORING_OFF_SQ_RING || ring->features & IORING_FEAT_SINGLE_MMAP)
        ring->queue = address;
    pthread_mutex_unlock(&ring->lock);
}

void io_uring_fork_child(struct thread *thread)
{
    struct rings *rings = thread->process->rings;
    memset(thread->registered_rings, 0, sizeof thread->registered_rings);
    if (!rings)
        return;
    pthread_mutex_init(&rings->lock, NULL); /* a thread that is not here may have held them */
    for (struct ring *ring = rings->first; ring; ring = ring->next)
        pthread_mutex_init(&ring->lock, NULL);
}

/* ---- requests ----------------------------------------------------------------------------------------------------------------- */

/** A request that was changed, and what its new form points to: the kernel copies that when it takes the request. */
struct change {
    struct change *next;
    uint32_t position;
    uint64_t address;
    struct io_uring_sqe original;
    union {
        char path[PATH_MAX];
        struct epoll_event event;
    };
    struct open_how how[8]; /* room for what later kernels may have added */
};

static void replace_by_result(const struct rings *rings, struct io_uring_sqe *sqe, int64_t result)
{
    uint64_t user_data = sqe->user_data;
    uint8_t flags = sqe->flags;
    uint16_t personality = sqe->personality;
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_NOP;
    sqe->flags = flags;
    sqe->fd = -1;
    sqe->user_data = user_data;
    sqe->personality = personality;
    if (rings->can_inject && result != 0) {
        sqe->rw_flags = NOP_INJECT_RESULT;
        sqe->len = (uint32_t)result;
    }
}

static bool open_request(struct thread *thread, struct io_uring_sqe *sqe, struct change *change)
{
    const struct rings *rings = thread->process->rings;
    uint64_t flags;
    int64_t fd = -ENOENT;
    if (sqe->opcode == IORING_OP_OPENAT) {
        flags = sqe->open_flags = (uint32_t)open_flags_to_host(sqe->open_flags);
    } else {
        memset(change->how, 0, sizeof change->how);
        if (sqe->len < sizeof change->how[0] || sqe->len > sizeof change->how || !guest_read(change->how, sqe->addr2, sqe->len))
            return false; /* an error, whatever the flags are */
        flags = change->how[0].flags = open_flags_exchange(change->how[0].flags);
        sqe->addr2 = (uint64_t)change->how;
    }
    uint64_t path = sqe->addr;
    if (rings->can_inject && !sqe->file_index)
        path = syscall_open_path(thread, sqe->addr, flags, change->path, &fd);
    else
        path = path_argument(thread->process, sqe->addr, !(flags & O_NOFOLLOW), change->path);
    if (fd != -ENOENT)
        replace_by_result(rings, sqe, fd);
    else
        sqe->addr = path;
    return true;
}

static bool epoll_request(struct io_uring_sqe *sqe, struct change *change)
{
    struct {
        uint32_t events, pad;
        uint64_t data;
    } guest;
    if (sqe->len == EPOLL_CTL_DEL || !guest_read(&guest, sqe->addr, sizeof guest))
        return false;
    change->event = (struct epoll_event){.events = guest.events, .data.u64 = guest.data};
    sqe->addr = (uint64_t)&change->event;
    return true;
}

static bool path_request(struct thread *thread, __u64 *field, bool follow, struct change *change)
{
    uint64_t path = path_argument(thread->process, *field, follow, change->path);
    bool changed = path != *field;
    *field = path;
    return changed;
}

/** Code that goes away must not stay translated: about such, advice is taken at once. */
static bool advice_request(struct thread *thread, struct io_uring_sqe *sqe)
{
    struct process *process = thread->process;
    uint64_t length = sqe->len ? sqe->len : sqe->off; /* of 64 bits since Linux 6.11 */
    struct mapping m;
    bool code = false;
    for (uint64_t at = sqe->addr; !code && at < sqe->addr + length && memory_find(&process->memory, at, &m); at = m.end)
        code = m.prot & PROT_EXEC;
    if (!code || memory_advise(&process->memory, sqe->addr, length, (int)sqe->fadvise_advice) != 0)
        return false;
    replace_by_result(process->rings, sqe, 0);
    return true;
}

/** True when the request has changed. */
static bool translate(struct thread *thread, struct io_uring_sqe *sqe, struct change *change)
{
    switch (sqe->opcode) {
    case IORING_OP_OPENAT:
    case IORING_OP_OPENAT2:
        return open_request(thread, sqe, change);
    case IORING_OP_STATX:
        return path_request(thread, &sqe->addr, !(sqe->statx_flags & AT_SYMLINK_NOFOLLOW), change);
    case OP_GETXATTR:
        return path_request(thread, (__u64 *)((char *)sqe + 48), true, change); /* addr3 */
    case IORING_OP_EPOLL_CTL:
        return epoll_request(sqe, change);
    case IORING_OP_MADVISE:
        return advice_request(thread, sqe);
    case IORING_OP_CLOSE:
        if (sqe->file_index || !root_is_own_descriptor(thread->process, sqe->fd))
            return false;
        sqe->fd = -1;
        return true;
    case OP_PIPE:
        sqe->rw_flags = open_flags_to_host((uint32_t)sqe->rw_flags);
        return true;
    default:
        sqe->opcode = OP_UNKNOWN; /* EINVAL, as from a kernel that does not know it */
        return true;
    }
}

static bool may_differ(unsigned opcode)
{
    static const uint64_t differing = UINT64_C(1) << IORING_OP_OPENAT | UINT64_C(1) << IORING_OP_OPENAT2 |
                                      UINT64_C(1) << IORING_OP_STATX | UINT64_C(1) << IORING_OP_EPOLL_CTL |
                                      UINT64_C(1) << IORING_OP_MADVISE | UINT64_C(1) << IORING_OP_CLOSE |
                                      UINT64_C(1) << OP_GETXATTR | UINT64_C(1) << OP_EPOLL_WAIT | UINT64_C(1) << OP_PIPE;
    return opcode > OP_LAST_KNOWN || differing >> opcode & 1;
}

static bool read_word(uint64_t address, uint32_t *word)
{
    return guest_read(word, address, sizeof *word);
}

/** Changes the next `count` requests, fewer if there are fewer; returns how many there are. */
static uint32_t translate_requests(struct thread *thread, const struct ring *ring, uint32_t count, struct change **changes)
{
    uint32_t head, tail, mask = ring->entries - 1;
    uint64_t stride = ring->flags & IORING_SETUP_SQE128 ? 128 : 64;
    if (!read_word(ring->queue + ring->offsets.head, &head) || !read_word(ring->queue + ring->offsets.tail, &tail))
        return count;
    if (count > tail - head)
        count = tail - head;
    if (count > ring->entries)
        count = ring->entries;
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t index = (head + i) & mask;
        struct io_uring_sqe sqe;
        uint8_t opcode;
        if (!(ring->flags & SETUP_NO_SQARRAY) && !read_word(ring->queue + ring->offsets.array + index * 4ull, &index))
            break;
        uint64_t at = ring->requests + index * stride;
        if (index >= ring->entries || !guest_read(&opcode, at, 1) || !may_differ(opcode) || !guest_read(&sqe, at, sizeof sqe))
            continue;
        struct change *change = malloc(sizeof *change);
        if (!change)
            return i; /* the others another time */
        change->position = head + i;
        change->address = at;
        change->original = sqe;
        if (!translate(thread, &sqe, change) || !guest_write(at, &sqe, sizeof sqe)) {
            free(change);
            continue;
        }
        change->next = *changes;
        *changes = change;
    }
    return count;
}

/**
 * The requests as they were. One that the kernel has taken may be in use again already where there are other threads: then it
 * stays as it is, which a program that fills it in anew does not see.
 */
static void restore_requests(const struct ring *ring, struct change *changes, bool alone)
{
    uint32_t head = 0;
    if (changes && !read_word(ring->queue + ring->offsets.head, &head))
        alone = true;
    while (changes) {
        struct change *next = changes->next;
        if (alone || (int32_t)(changes->position - head) >= 0)
            guest_write(changes->address, &changes->original, sizeof changes->original);
        free(changes);
        changes = next;
    }
}

/* ---- the calls ------------------------------------------------------------------------------------------------------------------ */

int64_t sys_io_uring_setup(struct thread *thread, const uint64_t a[6])
{
    struct io_uring_params params;
    if (!guest_read(&params, a[1], sizeof params))
        return -EFAULT;
    if (params.flags & ~SETUP_KNOWN)
        return -EINVAL;
    /* The kernel's own thread would take requests as they are; as to those without the privilege before Linux 5.13. */
    if (params.flags & IORING_SETUP_SQPOLL)
        return -EPERM;
    int64_t fd = HOST_SYSCALL(thread, SYS_io_uring_setup, a[0], (uint64_t)&params);
    if (fd < 0)
        return fd;
    bool registered = params.flags & SETUP_REGISTERED_FD_ONLY;
    struct ring *ring = add_ring(thread->process, registered ? -1 : (int)fd, &params);
    if (ring && guest_write(a[1], &params, sizeof params)) {
        if (registered)
            thread->registered_rings[fd % 16] = ring;
        return fd;
    }
    if (!registered)
        close((int)fd);
    return ring ? -EFAULT : -ENOMEM;
}

struct wait_argument {
    uint64_t mask;
    uint32_t mask_size, pad;
    uint64_t timeout;
};

/** The mask of the wait, for the host in `argument` and `host`. */
static int64_t begin_wait(struct thread *thread, const uint64_t a[6], uint64_t host[6], struct wait_argument *argument,
                          uint64_t *storage)
{
    if (!(a[3] & IORING_ENTER_GETEVENTS))
        return 0;
    if (!(a[3] & IORING_ENTER_EXT_ARG))
        return syscall_wait_begin(thread, a[4], a[5], storage, &host[4]);
    if (a[5] != sizeof *argument || a[3] & (1u << 6) /* IORING_ENTER_EXT_ARG_REG: its place is the host's to find */)
        return 0;
    if (!guest_read(argument, a[4], sizeof *argument))
        return -EFAULT;
    host[4] = (uint64_t)argument;
    uint64_t mask;
    int64_t result = syscall_wait_begin(thread, argument->mask, argument->mask_size, storage, &mask);
    argument->mask = mask;
    return result;
}

static int64_t enter_and_wait(struct thread *thread, const uint64_t a[6])
{
    struct wait_argument argument;
    uint64_t host[6] = {a[0], a[1], a[2], a[3], a[4], a[5]}, storage;
    int64_t result = begin_wait(thread, a, host, &argument, &storage);
    return syscall_wait_end(thread, result < 0 ? result : host_syscall(thread, SYS_io_uring_enter, host));
}

static bool is_alone(const struct thread *thread)
{
    return __atomic_load_n(&thread->process->nthreads, __ATOMIC_RELAXED) == 1 && !thread->vfork_child;
}

int64_t sys_io_uring_enter(struct thread *thread, const uint64_t a[6])
{
    const uint64_t waiting = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG | 1u << 5 /* ABS_TIMER */ | 1u << 6;
    uint32_t wanted = (uint32_t)a[1];
    struct ring *ring = wanted ? find_called(thread, (uint32_t)a[0], a[3] & IORING_ENTER_REGISTERED_RING) : NULL;
    if (!ring || !ring->queue || !ring->requests)
        return enter_and_wait(thread, a);
    /*
     * Nobody else may take requests that are translated here; but who waits must not keep others from submitting what he waits
     * for: submission and wait are two calls then. The kernel, too, waits only when all was submitted.
     */
    bool alone = is_alone(thread), waits = a[3] & IORING_ENTER_GETEVENTS;
    bool together = alone && waits && !a[4];
    struct change *changes = NULL;
    pthread_mutex_lock(&ring->lock);
    uint32_t count = translate_requests(thread, ring, wanted, &changes);
    uint64_t flags = together && count == wanted ? a[3] : a[3] & ~waiting;
    int64_t result = HOST_SYSCALL(thread, SYS_io_uring_enter, a[0], count, flags & IORING_ENTER_GETEVENTS ? a[2] : 0, flags, 0, 0);
    restore_requests(ring, changes, alone || result < 0);
    pthread_mutex_unlock(&ring->lock);
    if (!waits || (flags & IORING_ENTER_GETEVENTS) || result != (int64_t)wanted)
        return result;
    int64_t waited = enter_and_wait(thread, (const uint64_t[6]){a[0], 0, a[2], a[3], a[4], a[5]});
    return result > 0 ? result : waited;
}

/** IORING_REGISTER_PROBE: what is refused above is not there. */
static void hide_operations(uint64_t address, uint64_t places)
{
    struct io_uring_probe probe;
    if (!guest_read(&probe, address, sizeof probe))
        return;
    for (uint64_t i = 0; i < probe.ops_len && i < places; i++) {
        struct io_uring_probe_op op;
        uint64_t at = address + sizeof probe + i * sizeof op;
        if (guest_read(&op, at, sizeof op) && (op.op > OP_LAST_KNOWN || op.op == OP_EPOLL_WAIT)) {
            op.flags &= (uint16_t)~IO_URING_OP_SUPPORTED;
            guest_write(at, &op, sizeof op);
        }
    }
    if (probe.last_op > OP_LAST_KNOWN)
        probe.last_op = OP_LAST_KNOWN;
    guest_write(address, &probe, sizeof probe);
}

/** Places among the thread's registered rings have been given or taken. */
static void note_places(struct thread *thread, uint64_t address, int64_t count, bool given)
{
    for (int64_t i = 0; i < count; i++) {
        struct io_uring_rsrc_update update;
        if (!guest_read(&update, address + (uint64_t)i * sizeof update, sizeof update) || update.offset >= 16)
            continue;
        thread->registered_rings[update.offset] = given ? find_ring(thread->process, (int)update.data) : NULL;
    }
}

int64_t sys_io_uring_register(struct thread *thread, const uint64_t a[6])
{
    uint32_t operation = (uint32_t)a[1] & ~REGISTER_USE_REGISTERED_RING;
    int64_t result = host_syscall(thread, SYS_io_uring_register, a);
    if (result < 0)
        return result;
    struct io_uring_params params;
    struct ring *ring;
    switch (operation) {
    case IORING_REGISTER_PROBE:
        hide_operations(a[2], a[3]);
        break;
    case IORING_REGISTER_RING_FDS:
    case IORING_UNREGISTER_RING_FDS:
        note_places(thread, a[2], result, operation == IORING_REGISTER_RING_FDS);
        break;
    case REGISTER_RESIZE_RINGS:
        ring = find_called(thread, (uint32_t)a[0], a[1] & REGISTER_USE_REGISTERED_RING);
        if (ring && guest_read(&params, a[2], sizeof params)) {
            params.flags |= ring->flags;
            params.features |= ring->features;
            pthread_mutex_lock(&ring->lock);
            describe(ring, &params);
            pthread_mutex_unlock(&ring->lock);
        }
        break;
    }
    return result;
}

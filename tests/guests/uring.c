/* SPDX-License-Identifier: GPL-2.0-or-later */
/* io_uring by its bare calls: what the host takes as it is, and the requests whose arguments are another architecture's. */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <linux/openat2.h>
#include <linux/stat.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#define SETUP 425
#define ENTER 426
#define REGISTER 427
#define NO_SQARRAY (1u << 16)

struct ring {
    int fd;
    struct io_uring_params params;
    char *queue, *completions;
    struct io_uring_sqe *requests;
    unsigned tail; /* of what is filled in, not published */
    size_t queue_size;
};

static unsigned *word(const struct ring *ring, unsigned offset) { return (unsigned *)(ring->queue + offset); }

static int ring_open(struct ring *ring, unsigned entries, unsigned flags)
{
    memset(ring, 0, sizeof *ring);
    ring->params.flags = flags;
    ring->fd = (int)syscall(SETUP, entries, &ring->params);
    if (ring->fd < 0)
        return -errno;
    const struct io_uring_params *p = &ring->params;
    size_t one = p->sq_off.array + p->sq_entries * 4, two = p->cq_off.cqes + p->cq_entries * sizeof(struct io_uring_cqe);
    ring->queue_size = one > two ? one : two;
    ring->queue = mmap(NULL, ring->queue_size, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, IORING_OFF_SQ_RING);
    CHECK(p->features & IORING_FEAT_SINGLE_MMAP);
    ring->requests = mmap(NULL, p->sq_entries * sizeof(struct io_uring_sqe), PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd,
                          IORING_OFF_SQES);
    CHECK(ring->queue != MAP_FAILED && (void *)ring->requests != MAP_FAILED);
    ring->tail = *word(ring, p->sq_off.tail);
    return 0;
}

static void ring_close(struct ring *ring)
{
    munmap(ring->queue, ring->queue_size);
    munmap(ring->requests, ring->params.sq_entries * sizeof(struct io_uring_sqe));
    close(ring->fd);
}

static struct io_uring_sqe *request(struct ring *ring, unsigned opcode, int fd, const void *address, unsigned length, uint64_t offset)
{
    const struct io_uring_params *p = &ring->params;
    unsigned index = ring->tail & (p->sq_entries - 1);
    struct io_uring_sqe *sqe = &ring->requests[index];
    if (!(p->flags & NO_SQARRAY))
        word(ring, p->sq_off.array)[index] = index;
    ring->tail++;
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = (uint8_t)opcode;
    sqe->fd = fd;
    sqe->addr = (uintptr_t)address;
    sqe->len = length;
    sqe->off = offset;
    sqe->user_data = ring->tail;
    return sqe;
}

static long submit(struct ring *ring, unsigned count, unsigned wait)
{
    __atomic_store_n(word(ring, ring->params.sq_off.tail), ring->tail, __ATOMIC_RELEASE);
    long result = syscall(ENTER, ring->fd, count, wait, wait ? IORING_ENTER_GETEVENTS : 0, NULL, 0);
    return result < 0 ? -errno : result;
}

static struct io_uring_cqe take(struct ring *ring)
{
    const struct io_uring_params *p = &ring->params;
    unsigned head = *word(ring, p->cq_off.head);
    while (head == __atomic_load_n(word(ring, p->cq_off.tail), __ATOMIC_ACQUIRE))
        CHECK(syscall(ENTER, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) >= 0);
    struct io_uring_cqe cqe = ((struct io_uring_cqe *)(ring->queue + p->cq_off.cqes))[head & (p->cq_entries - 1)];
    __atomic_store_n(word(ring, p->cq_off.head), head + 1, __ATOMIC_RELEASE);
    return cqe;
}

/** Submits the one request that was filled in, and its result. */
static int run(struct ring *ring)
{
    CHECK_EQ(submit(ring, 1, 1), 1);
    struct io_uring_cqe cqe = take(ring);
    CHECK_EQ(cqe.user_data, ring->tail);
    return cqe.res;
}

static void files(struct ring *ring, const char *folder)
{
    char path[128], text[32] = "";
    snprintf(path, sizeof path, "%s/one", folder);
    request(ring, IORING_OP_NOP, -1, NULL, 0, 0);
    CHECK_EQ(run(ring), 0);
    struct io_uring_sqe *sqe = request(ring, IORING_OP_OPENAT, AT_FDCWD, path, 0600, 0);
    sqe->open_flags = O_RDWR | O_CREAT | O_CLOEXEC;
    struct io_uring_sqe kept = *sqe;
    int fd = run(ring);
    CHECK(fd >= 0 && fcntl(fd, F_GETFD) == FD_CLOEXEC);
    CHECK(memcmp(&kept, sqe, sizeof kept) == 0); /* the guest's request is what it was */
    struct iovec two[2] = {{"Hello, ", 7}, {"rings!", 6}};
    request(ring, IORING_OP_WRITEV, fd, two, 2, 0);
    CHECK_EQ(run(ring), 13);
    struct iovec one = {text, sizeof text};
    request(ring, IORING_OP_READV, fd, &one, 1, 0);
    CHECK_EQ(run(ring), 13);
    CHECK(strcmp(text, "Hello, rings!") == 0);

    static char fixed[4096];
    struct iovec area = {fixed, sizeof fixed};
    CHECK_EQ(syscall(REGISTER, ring->fd, IORING_REGISTER_BUFFERS, &area, 1), 0);
    request(ring, IORING_OP_READ_FIXED, fd, fixed + 100, 5, 7);
    CHECK_EQ(run(ring), 5);
    CHECK(strcmp(fixed + 100, "rings") == 0);
    memcpy(fixed, "RINGS", 5);
    request(ring, IORING_OP_WRITE_FIXED, fd, fixed, 5, 7);
    CHECK_EQ(run(ring), 5);
    CHECK_EQ(syscall(REGISTER, ring->fd, IORING_UNREGISTER_BUFFERS, NULL, 0), 0);
    CHECK_EQ(syscall(REGISTER, ring->fd, IORING_REGISTER_FILES, &fd, 1), 0);
    request(ring, IORING_OP_READ, 0, text, 13, 0)->flags = IOSQE_FIXED_FILE;
    CHECK_EQ(run(ring), 13);
    CHECK(strcmp(text, "Hello, RINGS!") == 0);
    CHECK_EQ(syscall(REGISTER, ring->fd, IORING_UNREGISTER_FILES, NULL, 0), 0);

    /* The flags that have other values on x86-64: a folder is one, a file is none; a link is not followed. */
    request(ring, IORING_OP_OPENAT, AT_FDCWD, folder, 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
    int dir = run(ring);
    CHECK(dir >= 0 && (fcntl(dir, F_GETFL) & O_DIRECTORY));
    request(ring, IORING_OP_OPENAT, dir, "one", 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
    CHECK_EQ(run(ring), -ENOTDIR);
    CHECK(symlinkat("one", dir, "link") == 0);
    request(ring, IORING_OP_OPENAT, dir, "link", 0, 0)->open_flags = O_RDONLY | O_NOFOLLOW;
    CHECK_EQ(run(ring), -ELOOP);
    struct open_how how = {.flags = O_RDONLY | O_DIRECTORY, .resolve = RESOLVE_NO_SYMLINKS};
    request(ring, IORING_OP_OPENAT2, dir, "one", sizeof how, (uintptr_t)&how);
    CHECK_EQ(run(ring), -ENOTDIR);
    how.flags = O_RDONLY | O_NOFOLLOW;
    request(ring, IORING_OP_OPENAT2, dir, "one", sizeof how, (uintptr_t)&how);
    int again = run(ring);
    CHECK(again >= 0 && how.flags == (O_RDONLY | O_NOFOLLOW));
    request(ring, IORING_OP_CLOSE, again, NULL, 0, 0);
    CHECK_EQ(run(ring), 0);
    CHECK(fcntl(again, F_GETFD) == -1);
    struct statx status = {0};
    request(ring, IORING_OP_STATX, AT_FDCWD, path, STATX_SIZE, (uintptr_t)&status);
    CHECK_EQ(run(ring), 0);
    CHECK_EQ(status.stx_size, 13);

    /* The files that tell a process about itself are the guest's. */
    request(ring, IORING_OP_OPENAT, AT_FDCWD, "/proc/self/maps", 0, 0)->open_flags = O_RDONLY | O_CLOEXEC;
    int maps = run(ring);
    static char lines[65536];
    CHECK(maps >= 0);
    ssize_t n = read(maps, lines, sizeof lines - 1);
    CHECK(n > 0 && strstr(lines, "/uring-") && strstr(lines, "r-x"));
    close(maps);

    request(ring, IORING_OP_FSYNC, fd, NULL, 0, 0);
    CHECK_EQ(run(ring), 0);
    request(ring, 200, -1, NULL, 0, 0); /* there is none of this number */
    CHECK_EQ(run(ring), -EINVAL);
    CHECK(unlinkat(dir, "link", 0) == 0 && unlinkat(dir, "one", 0) == 0);
    close(dir);
    close(fd);
}

static void epoll(struct ring *ring)
{
    int set = epoll_create1(0), event = eventfd(0, 0);
    struct epoll_event wanted = {.events = EPOLLIN, .data.u64 = 0x123456789abcdef0}, got = {0};
    request(ring, IORING_OP_EPOLL_CTL, set, &wanted, EPOLL_CTL_ADD, (unsigned)event);
    CHECK_EQ(run(ring), 0);
    CHECK(epoll_wait(set, &got, 1, 0) == 0);
    request(ring, IORING_OP_POLL_ADD, event, NULL, 0, 0)->poll32_events = POLLIN;
    CHECK_EQ(submit(ring, 1, 0), 1);
    uint64_t one = 1;
    CHECK(write(event, &one, 8) == 8);
    CHECK_EQ(take(ring).res, POLLIN);
    CHECK(epoll_wait(set, &got, 1, 1000) == 1 && got.data.u64 == wanted.data.u64 && got.events == EPOLLIN);
    request(ring, IORING_OP_EPOLL_CTL, set, NULL, EPOLL_CTL_DEL, (unsigned)event);
    CHECK_EQ(run(ring), 0);
    CHECK(epoll_wait(set, &got, 1, 0) == 0);
    close(set);
    close(event);
}

static void sockets(struct ring *ring)
{
    int listener = socket(AF_INET, SOCK_STREAM, 0), client = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, peer = {0};
    socklen_t size = sizeof address, peer_size = sizeof peer;
    CHECK(bind(listener, (struct sockaddr *)&address, size) == 0 && listen(listener, 5) == 0);
    CHECK(getsockname(listener, (struct sockaddr *)&address, &size) == 0);
    struct io_uring_sqe *sqe = request(ring, IORING_OP_ACCEPT, listener, &peer, 0, (uintptr_t)&peer_size);
    sqe->accept_flags = SOCK_CLOEXEC;
    CHECK_EQ(submit(ring, 1, 0), 1);
    request(ring, IORING_OP_CONNECT, client, &address, 0, sizeof address);
    CHECK_EQ(submit(ring, 1, 2), 1);
    struct io_uring_cqe a = take(ring), b = take(ring);
    int server = a.user_data == ring->tail ? b.res : a.res;
    CHECK(server >= 0 && peer.sin_family == AF_INET && fcntl(server, F_GETFD) == FD_CLOEXEC);
    char text[16] = "";
    request(ring, IORING_OP_RECV, server, text, sizeof text, 0);
    CHECK_EQ(submit(ring, 1, 0), 1);
    request(ring, IORING_OP_SEND, client, "across", 7, 0);
    CHECK_EQ(submit(ring, 1, 2), 1);
    CHECK(take(ring).res == 7 && take(ring).res == 7 && strcmp(text, "across") == 0);
    /* A descriptor goes with a message. */
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    union {
        struct cmsghdr header;
        char bytes[CMSG_SPACE(sizeof(int))];
    } control = {.header = {CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.header), &listener, sizeof listener);
    struct iovec part = {"m", 1};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    request(ring, IORING_OP_SENDMSG, pair[0], &message, 1, 0);
    CHECK_EQ(run(ring), 1);
    memset(&control, 0, sizeof control);
    part.iov_base = text;
    request(ring, IORING_OP_RECVMSG, pair[1], &message, 1, 0);
    CHECK_EQ(run(ring), 1);
    int copy = -1;
    memcpy(&copy, CMSG_DATA(&control.header), sizeof copy);
    struct stat x, y;
    CHECK(text[0] == 'm' && fstat(copy, &x) == 0 && fstat(listener, &y) == 0 && x.st_ino == y.st_ino);
    const int fds[] = {listener, client, server, pair[0], pair[1], copy};
    for (size_t i = 0; i < 6; i++)
        close(fds[i]);
}

static void chains(struct ring *ring)
{
    struct __kernel_timespec soon = {.tv_nsec = 20000000}, later = {.tv_sec = 100};
    request(ring, IORING_OP_TIMEOUT, -1, &soon, 1, 0);
    CHECK_EQ(run(ring), -ETIME);
    /* Linked ones: a write, a read that ends early, which takes the third with it. */
    int fds[2];
    char text[8];
    CHECK(pipe(fds) == 0);
    request(ring, IORING_OP_WRITE, fds[1], "four", 4, 0)->flags = IOSQE_IO_LINK;
    request(ring, IORING_OP_READ, fds[0], text, 8, 0)->flags = IOSQE_IO_LINK;
    request(ring, IORING_OP_NOP, -1, NULL, 0, 0);
    CHECK_EQ(submit(ring, 3, 3), 3);
    CHECK_EQ(take(ring).res, 4);
    CHECK_EQ(take(ring).res, 4);
    int third = take(ring).res;
    CHECK(third == 0 || third == -ECANCELED);
    request(ring, IORING_OP_READ, fds[0], text, 8, 0)->flags = IOSQE_IO_LINK;
    request(ring, IORING_OP_LINK_TIMEOUT, -1, &soon, 1, 0);
    CHECK_EQ(submit(ring, 2, 2), 2);
    int a = take(ring).res, b = take(ring).res;
    CHECK(a == -ETIME || a == -ECANCELED || a == -EINTR);
    CHECK(a == -ETIME ? b == -ECANCELED || b == -EINTR : b == -ETIME);
    request(ring, IORING_OP_TIMEOUT, -1, &later, 1, 0)->user_data = 777;
    CHECK_EQ(submit(ring, 1, 0), 1);
    request(ring, IORING_OP_ASYNC_CANCEL, -1, (void *)777, 0, 0);
    CHECK_EQ(submit(ring, 1, 2), 1);
    a = take(ring).res;
    b = take(ring).res;
    CHECK((a == 0 && b == -ECANCELED) || (b == 0 && a == -ECANCELED));
    close(fds[0]);
    close(fds[1]);
}

/* ---- waiting, threads, processes --------------------------------------------------------------------------------------------- */

static volatile int alarms;
static void on_alarm(int signal) { alarms += signal == SIGALRM; }

static void waiting(struct ring *ring)
{
    signal(SIGALRM, on_alarm);
    const struct itimerval soon = {.it_value.tv_usec = 20000}, none = {0};
    setitimer(ITIMER_REAL, &soon, NULL);
    CHECK(syscall(ENTER, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, NULL, 0) == -1 && errno == EINTR && alarms == 1);
    /* The mask of the wait lets a signal through that is blocked before and after. */
    sigset_t block, open, before;
    sigemptyset(&block);
    sigaddset(&block, SIGALRM);
    sigemptyset(&open);
    sigprocmask(SIG_BLOCK, &block, &before);
    raise(SIGALRM);
    CHECK(alarms == 1);
    CHECK(syscall(ENTER, ring->fd, 0, 1, IORING_ENTER_GETEVENTS, &open, 8) == -1 && errno == EINTR && alarms == 2);
    raise(SIGALRM);
    struct __kernel_timespec timeout = {.tv_nsec = 10000000};
    struct io_uring_getevents_arg argument = {.sigmask = (uintptr_t)&block, .sigmask_sz = 8, .ts = (uintptr_t)&timeout};
    const unsigned flags = IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG;
    CHECK(syscall(ENTER, ring->fd, 0, 1, flags, &argument, sizeof argument) == -1 && errno == ETIME && alarms == 2);
    argument.sigmask = (uintptr_t)&open;
    request(ring, IORING_OP_NOP, -1, NULL, 0, 0);
    __atomic_store_n(word(ring, ring->params.sq_off.tail), ring->tail, __ATOMIC_RELEASE);
    CHECK(syscall(ENTER, ring->fd, 1, 2, flags, &argument, sizeof argument) == 1 && alarms == 3);
    CHECK_EQ(take(ring).res, 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    setitimer(ITIMER_REAL, &none, NULL);
    CHECK(syscall(ENTER, ring->fd, 1, 0, 1u << 30, NULL, 0) == -1 && errno == EINVAL);
    CHECK(syscall(ENTER, 0, 1, 0, 0, NULL, 0) == -1);
}

static struct ring shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int opened;

/* Many threads submit to one ring; what one of them waits for, another submits. */
static void *submitter(void *folder)
{
    for (int i = 0; i < 200; i++) {
        pthread_mutex_lock(&lock);
        request(&shared, IORING_OP_OPENAT, AT_FDCWD, folder, 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
        __atomic_store_n(word(&shared, shared.params.sq_off.tail), shared.tail, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&lock);
        CHECK(syscall(ENTER, shared.fd, 1, 0, 0, NULL, 0) >= 0);
        pthread_mutex_lock(&lock);
        struct io_uring_cqe cqe = take(&shared);
        pthread_mutex_unlock(&lock);
        CHECK(cqe.res >= 0 && (fcntl(cqe.res, F_GETFL) & O_DIRECTORY));
        close(cqe.res);
        __atomic_add_fetch(&opened, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

static void *waiter(void *ring)
{
    struct io_uring_sqe *sqe = request(ring, IORING_OP_NOP, -1, NULL, 0, 0);
    sqe->user_data = 1;
    return (void *)submit(ring, 1, 2); /* the second comes from another thread */
}

static void threads(void)
{
    pthread_t list[4];
    CHECK_EQ(ring_open(&shared, 64, 0), 0);
    for (int i = 0; i < 4; i++)
        pthread_create(&list[i], NULL, submitter, "/");
    for (int i = 0; i < 4; i++)
        pthread_join(list[i], NULL);
    CHECK_EQ(opened, 800);
    pthread_create(&list[0], NULL, waiter, &shared);
    usleep(50000);
    request(&shared, IORING_OP_NOP, -1, NULL, 0, 0);
    CHECK_EQ(submit(&shared, 1, 0), 1);
    void *result;
    pthread_join(list[0], &result);
    CHECK((long)result == 1);
    ring_close(&shared);
}

static void copies(struct ring *ring)
{
    /* A copy of the descriptor, its registered number, a forked child: it is the same ring. */
    struct ring copy = *ring;
    copy.fd = dup(ring->fd);
    request(&copy, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
    int fd = run(&copy);
    CHECK(fd >= 0 && close(fd) == 0);
    struct io_uring_rsrc_update update = {.offset = -1u, .data = (unsigned)copy.fd};
    CHECK_EQ(syscall(REGISTER, ring->fd, 20 /* IORING_REGISTER_RING_FDS */, &update, 1), 1);
    CHECK(update.offset < 16);
    request(&copy, IORING_OP_OPENAT, AT_FDCWD, "/", 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
    __atomic_store_n(word(&copy, copy.params.sq_off.tail), copy.tail, __ATOMIC_RELEASE);
    CHECK_EQ(syscall(ENTER, update.offset, 1, 1, IORING_ENTER_GETEVENTS | IORING_ENTER_REGISTERED_RING, NULL, 0), 1);
    fd = take(&copy).res;
    CHECK(fd >= 0 && close(fd) == 0);
    close(copy.fd);
    pid_t child = fork();
    if (child == 0) {
        request(&copy, IORING_OP_OPENAT, AT_FDCWD, "/dev/null", 0, 0)->open_flags = O_RDONLY | O_DIRECTORY;
        copy.fd = ring->fd;
        _exit(run(&copy) == -ENOTDIR && !check_failures ? 3 : 4);
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 3);
}

static void probe(struct ring *ring)
{
    static struct {
        struct io_uring_probe head;
        struct io_uring_probe_op ops[256];
    } all;
    CHECK_EQ(syscall(REGISTER, ring->fd, IORING_REGISTER_PROBE, &all, 256), 0);
    CHECK(all.head.ops[IORING_OP_OPENAT].flags & IO_URING_OP_SUPPORTED);
    for (unsigned i = 0; i <= all.head.last_op && i < 256; i++) {
        if (all.ops[i].flags & IO_URING_OP_SUPPORTED)
            continue;
        request(ring, i, -1, NULL, 0, 0);
        CHECK_EQ(run(ring), -EINVAL);
    }
}

int main(void)
{
    struct ring ring;
    int error = ring_open(&ring, 8, 0);
    if (error == -ENOSYS || error == -EPERM) { /* the host has none, or forbids it */
        puts("no io_uring");
        return 0;
    }
    CHECK_EQ(error, 0);
    struct io_uring_params params = {.flags = 1u << 31};
    CHECK(syscall(SETUP, 8, &params) == -1 && errno == EINVAL);
    CHECK(syscall(SETUP, 8, NULL) == -1 && errno == EFAULT);
    CHECK(syscall(SETUP, 0, &(struct io_uring_params){0}) == -1 && errno == EINVAL);
    char folder[] = "/tmp/uring-XXXXXX";
    CHECK(mkdtemp(folder) != NULL);
    const unsigned kinds[] = {0, IORING_SETUP_CQSIZE, NO_SQARRAY, 1u << 12 | 1u << 13 /* SINGLE_ISSUER, DEFER_TASKRUN */};
    for (size_t i = 0; i < 4; i++) {
        struct ring other = {.params.cq_entries = 64};
        if (kinds[i] == IORING_SETUP_CQSIZE) {
            struct io_uring_params sized = {.flags = kinds[i], .cq_entries = 64};
            int fd = (int)syscall(SETUP, 8, &sized);
            CHECK(fd >= 0 && sized.cq_entries == 64 && close(fd) == 0);
            continue;
        }
        if (ring_open(&other, 8, kinds[i]) != 0)
            continue; /* an older kernel */
        files(&other, folder);
        epoll(&other);
        sockets(&other);
        chains(&other);
        if (!i)
            probe(&other);
        ring_close(&other);
    }
    waiting(&ring);
    copies(&ring);
    ring_close(&ring);
    threads();
    CHECK(rmdir(folder) == 0);
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structures, flags and numbers that differ between arm64 and x86-64, or could: what goes in comes out. */
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <poll.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/timex.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static void open_flags(const char *path)
{
    const int flags[] = {O_APPEND, O_NONBLOCK, O_SYNC, O_DSYNC, O_NOATIME, O_NOFOLLOW, O_APPEND | O_NONBLOCK};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        int fd = open(path, O_RDWR | flags[i]);
        CHECK(fd >= 0);
        CHECK_EQ(fcntl(fd, F_GETFL) & ~0400000 /* O_LARGEFILE */, O_RDWR | flags[i]);
        close(fd);
    }
    int fd = open("/", O_PATH | O_DIRECTORY);
    CHECK_EQ(fcntl(fd, F_GETFL), O_PATH | O_DIRECTORY);
    close(fd);
    fd = open("/tmp", O_TMPFILE | O_RDWR, 0600);
    CHECK(fd >= 0 || errno == EOPNOTSUPP);
    close(fd);
    int fds[2];
    CHECK(pipe2(fds, O_DIRECT | O_NONBLOCK | O_CLOEXEC) == 0); /* packets */
    CHECK((fcntl(fds[1], F_GETFL) & (O_DIRECT | O_NONBLOCK)) == (O_DIRECT | O_NONBLOCK) && fcntl(fds[0], F_GETFD) == FD_CLOEXEC);
    char bytes[16];
    CHECK(write(fds[1], "one", 3) == 3 && write(fds[1], "three", 5) == 5 && read(fds[0], bytes, 16) == 3 && read(fds[0], bytes, 16) == 5);
    CHECK(fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0 && !(fcntl(fds[1], F_GETFL) & O_DIRECT));
    CHECK(fcntl(fds[1], F_SETFL, O_DIRECT) == 0 && (fcntl(fds[1], F_GETFL) & O_DIRECT));
    CHECK(fcntl(fds[0], F_SETPIPE_SZ, 65536) == 65536 && fcntl(fds[0], F_GETPIPE_SZ) == 65536);
    close(fds[0]);
    close(fds[1]);
}

static void locks(const char *path)
{
    int fd = open(path, O_RDWR), status;
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1l << 40, .l_len = 77};
    CHECK(fcntl(fd, F_SETLK, &lock) == 0);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        struct flock other = {.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = (1l << 40) + 5, .l_len = 1};
        CHECK(fcntl(fd, F_SETLK, &other) == -1 && errno == EAGAIN);
        CHECK(fcntl(fd, F_GETLK, &other) == 0 && other.l_type == F_WRLCK && other.l_pid == getppid());
        CHECK(other.l_start == 1l << 40 && other.l_len == 77);
        int own = open(path, O_RDWR);
        other = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 1l << 40, .l_len = 1};
        CHECK(fcntl(own, F_OFD_GETLK, &other) == 0 && other.l_type == F_WRLCK);
        _exit(check_failures != 0);
    }
    CHECK(waitpid(child, &status, 0) == child && status == 0);
    struct f_owner_ex owner = {F_OWNER_PID, getpid()}, got = {0};
    CHECK(fcntl(fd, F_SETOWN_EX, &owner) == 0 && fcntl(fd, F_GETOWN_EX, &got) == 0 && got.pid == getpid());
    close(fd);
}

static void status_of(const char *path)
{
    struct stat a, b;
    struct statx c = {0};
    struct statfs d;
    int fd = open(path, O_RDWR);
    CHECK(ftruncate(fd, 123456) == 0 && fchmod(fd, 0640) == 0);
    const struct timespec times[2] = {{1000000007, 123456789}, {1100000009, 987654321}};
    CHECK(futimens(fd, times) == 0);
    CHECK(stat(path, &a) == 0 && fstat(fd, &b) == 0 && statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, &c) == 0);
    CHECK(memcmp(&a, &b, sizeof a) == 0);
    CHECK(a.st_size == 123456 && a.st_mode == (S_IFREG | 0640) && a.st_nlink == 1 && a.st_uid == geteuid());
    CHECK(a.st_atim.tv_sec == 1000000007 && a.st_atim.tv_nsec == 123456789);
    CHECK(a.st_mtim.tv_sec == 1100000009 && a.st_mtim.tv_nsec == 987654321);
    CHECK(a.st_ino == c.stx_ino && a.st_size == (long)c.stx_size && a.st_blocks == (long)c.stx_blocks &&
          a.st_blksize == (int)c.stx_blksize && a.st_ctim.tv_nsec == c.stx_ctime.tv_nsec);
    CHECK(stat("/dev/null", &a) == 0 && a.st_rdev == 0x103 && S_ISCHR(a.st_mode));
    CHECK(fstatfs(fd, &d) == 0 && d.f_bsize > 0 && d.f_namelen == 255 && d.f_blocks >= d.f_bfree);
    CHECK(statfs("/proc", &d) == 0 && d.f_type == 0x9fa0);
    close(fd);
}

static void ipc(void)
{
    struct msqid_ds queue;
    struct {
        long type;
        char text[8];
    } message = {5, "message"}, got = {0};
    int id = msgget(IPC_PRIVATE, 0600);
    CHECK(id >= 0 && msgsnd(id, &message, 8, 0) == 0 && msgctl(id, IPC_STAT, &queue) == 0);
    CHECK(queue.msg_qnum == 1 && queue.msg_lspid == getpid() && queue.msg_perm.uid == geteuid() && queue.msg_perm.mode == 0600);
    CHECK(queue.msg_qbytes > 8 && labs(queue.msg_stime - time(NULL)) < 60 && queue.msg_rtime == 0);
    CHECK(msgrcv(id, &got, 8, 5, IPC_NOWAIT) == 8 && memcmp(&got, &message, sizeof got) == 0);
    CHECK(msgctl(id, IPC_RMID, NULL) == 0);

    struct shmid_ds memory;
    id = shmget(IPC_PRIVATE, 10000, 0640);
    CHECK(id >= 0);
    char *at = shmat(id, NULL, 0);
    CHECK(at != (void *)-1 && shmctl(id, IPC_STAT, &memory) == 0);
    CHECK(memory.shm_segsz == 10000 && memory.shm_nattch == 1 && memory.shm_cpid == getpid() && memory.shm_lpid == getpid());
    CHECK((memory.shm_perm.mode & 0777) == 0640 && labs(memory.shm_ctime - time(NULL)) < 60);
    CHECK(shmdt(at) == 0 && shmctl(id, IPC_RMID, NULL) == 0);

    struct semid_ds set;
    id = semget(IPC_PRIVATE, 3, 0600);
    struct sembuf up = {1, 4, 0};
    CHECK(id >= 0 && semop(id, &up, 1) == 0 && semctl(id, 0, IPC_STAT, &set) == 0);
    CHECK(set.sem_nsems == 3 && labs(set.sem_otime - time(NULL)) < 60 && labs(set.sem_ctime - time(NULL)) < 60);
    unsigned short values[3];
    CHECK(semctl(id, 0, GETALL, values) == 0 && values[0] == 0 && values[1] == 4 && values[2] == 0);
    set.sem_perm.mode = 0644;
    CHECK(semctl(id, 0, IPC_SET, &set) == 0 && semctl(id, 0, IPC_STAT, &set) == 0 && (set.sem_perm.mode & 0777) == 0644);
    CHECK(semctl(id, 0, IPC_RMID) == 0);
}

static void events(void)
{
    int set = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event wanted, got[4];
    int fds[3];
    for (int i = 0; i < 3; i++) {
        fds[i] = eventfd(1, EFD_NONBLOCK);
        wanted = (struct epoll_event){.events = EPOLLIN | EPOLLET, .data.u64 = 0x1111222233334444 * (unsigned)(i + 1)};
        CHECK(epoll_ctl(set, EPOLL_CTL_ADD, fds[i], &wanted) == 0);
    }
    CHECK(epoll_wait(set, got, 4, 0) == 3);
    uint64_t seen = 0;
    for (int i = 0; i < 3; i++) {
        CHECK_EQ(got[i].events, EPOLLIN);
        seen += got[i].data.u64;
    }
    CHECK_EQ(seen, 0x1111222233334444 * 6);
    for (int i = 0; i < 3; i++)
        close(fds[i]);
    close(set);

    sigset_t mask, before;
    sigemptyset(&mask);
    sigaddset(&mask, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &mask, &before);
    int fd = signalfd(-1, &mask, SFD_NONBLOCK | SFD_CLOEXEC);
    CHECK(sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_ptr = (void *)0x123456789ab}) == 0);
    struct signalfd_siginfo info;
    CHECK(read(fd, &info, sizeof info) == sizeof info && info.ssi_signo == (unsigned)SIGRTMIN + 3);
    CHECK(info.ssi_ptr == 0x123456789ab && info.ssi_pid == (unsigned)getpid() && info.ssi_code == SI_QUEUE);
    CHECK(read(fd, &info, sizeof info) == -1 && errno == EAGAIN);
    close(fd);
    /* A timer that tells by a signal. */
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN + 3, .sigev_value.sival_int = 4711};
    timer_t timer;
    const struct itimerspec soon = {.it_value.tv_nsec = 1000000};
    CHECK(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 && timer_settime(timer, 0, &soon, NULL) == 0);
    siginfo_t timed;
    CHECK(sigwaitinfo(&mask, &timed) == SIGRTMIN + 3 && timed.si_code == SI_TIMER && timed.si_value.sival_int == 4711);
    CHECK(timer_delete(timer) == 0);
    sigprocmask(SIG_SETMASK, &before, NULL);
    struct timex timex = {0};
    CHECK(adjtimex(&timex) >= 0 && timex.tick > 8000 && timex.tick < 12000 && labs(timex.time.tv_sec - time(NULL)) < 60);
    int watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    CHECK(watch >= 0 && close(watch) == 0);
}

static void sockets(void)
{
    int pair[2], on = 1, size = 0;
    CHECK(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_PASSCRED, &on, sizeof on) == 0);
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_TIMESTAMP, &on, sizeof on) == 0);
    const struct timeval limit = {1, 250000};
    struct timeval got = {0};
    socklen_t length = sizeof got;
    CHECK(setsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0);
    CHECK(getsockopt(pair[1], SOL_SOCKET, SO_RCVTIMEO, &got, &length) == 0 && got.tv_sec == 1 && labs(got.tv_usec - 250000) <= 10000);
    length = sizeof size;
    CHECK(getsockopt(pair[1], SOL_SOCKET, SO_TYPE, &size, &length) == 0 && size == SOCK_DGRAM);
    struct ucred peer;
    length = sizeof peer;
    CHECK(getsockopt(pair[0], SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && peer.pid == getpid());
    CHECK(send(pair[0], "data", 4, 0) == 4);
    char text[8], control[256];
    struct iovec part = {text, sizeof text};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
    CHECK(recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 4);
    int seen = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message); c; c = CMSG_NXTHDR(&message, c)) {
        if (c->cmsg_type == SCM_CREDENTIALS)
            seen |= ((struct ucred *)CMSG_DATA(c))->pid == getpid() ? 1 : 4;
        if (c->cmsg_type == SCM_TIMESTAMP)
            seen |= labs(((struct timeval *)CMSG_DATA(c))->tv_sec - time(NULL)) < 60 ? 2 : 4;
    }
    CHECK_EQ(seen, 3);
    struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    CHECK(sendmmsg(pair[0], many, 2, 0) == 2 && many[1].msg_len == 8);
    CHECK(recvmmsg(pair[1], many, 2, 0, NULL) == 2);
    close(pair[0]);
    close(pair[1]);
    /* netlink: the loopback device is there. */
    int net = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    struct {
        struct nlmsghdr head;
        struct ifinfomsg link;
    } ask = {{sizeof ask, RTM_GETLINK, NLM_F_REQUEST, 1, 0}, {.ifi_index = 1}};
    static char answer[32768];
    CHECK(net >= 0 && send(net, &ask, sizeof ask, 0) == sizeof ask);
    ssize_t n = recv(net, answer, sizeof answer, 0);
    const struct nlmsghdr *head = (void *)answer;
    CHECK(n > 0 && NLMSG_OK(head, (unsigned)n) && head->nlmsg_seq == 1);
    if (head->nlmsg_type == RTM_NEWLINK)
        CHECK_EQ(((struct ifinfomsg *)NLMSG_DATA(head))->ifi_index, 1);
    close(net);
}

static void terminals(void)
{
    int fd = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (fd < 0 || unlockpt(fd) != 0)
        return;
    int peer = ioctl(fd, TIOCGPTPEER, O_RDWR | O_NOCTTY | O_CLOEXEC);
    struct termios termios, again;
    CHECK(peer >= 0 && fcntl(peer, F_GETFD) == FD_CLOEXEC && tcgetattr(peer, &termios) == 0);
    CHECK((termios.c_lflag & (ICANON | ECHO)) == (ICANON | ECHO) && termios.c_cc[VINTR] == 3 && cfgetospeed(&termios) == B38400);
    cfmakeraw(&termios);
    termios.c_cc[VMIN] = 7;
    CHECK(cfsetspeed(&termios, B115200) == 0 && tcsetattr(peer, TCSANOW, &termios) == 0 && tcgetattr(peer, &again) == 0);
    CHECK(again.c_cc[VMIN] == 7 && cfgetispeed(&again) == B115200 && !(again.c_lflag & ICANON));
    struct winsize size = {24, 80, 1, 2}, got = {0};
    CHECK(ioctl(fd, TIOCSWINSZ, &size) == 0 && ioctl(peer, TIOCGWINSZ, &got) == 0 && got.ws_col == 80 && got.ws_ypixel == 2);
    int waiting = -1;
    CHECK(write(fd, "input57", 7) == 7);
    struct pollfd ready = {peer, POLLIN, 0}; /* with all that VMIN asks for */
    CHECK(poll(&ready, 1, 5000) == 1 && ioctl(peer, FIONREAD, &waiting) == 0 && waiting == 7);
    close(peer);
    close(fd);
}

/** struct loop_info has numbers of devices in 32 bits here. For root, where there are such devices. */
static void loops(const char *path)
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), number = control < 0 ? -1 : ioctl(control, LOOP_CTL_GET_FREE);
    char name[32];
    snprintf(name, sizeof name, "/dev/loop%d", number);
    int device = number < 0 ? -1 : open(name, O_RDWR | O_CLOEXEC), file = open(path, O_RDWR | O_CLOEXEC);
    if (device >= 0 && ioctl(device, LOOP_SET_FD, file) == 0) {
        struct stat status;
        struct loop_info info = {0};
        struct loop_info64 info64 = {0};
        CHECK(fstat(file, &status) == 0);
        CHECK(ioctl(device, LOOP_GET_STATUS64, &info64) == 0 && info64.lo_inode == status.st_ino);
        memset(&info, 0xff, sizeof info);
        CHECK(ioctl(device, LOOP_GET_STATUS, &info) == 0);
        CHECK(info.lo_number == number && info.lo_inode == status.st_ino && info.lo_device == (unsigned)info64.lo_device);
        CHECK(info.lo_offset == 0 && info.lo_encrypt_key_size == 0);
        info.lo_offset = 512;
        strcpy(info.lo_name, "a name");
        CHECK(ioctl(device, LOOP_SET_STATUS, &info) == 0 && ioctl(device, LOOP_GET_STATUS64, &info64) == 0);
        CHECK(info64.lo_offset == 512 && strcmp((char *)info64.lo_file_name, "a name") == 0);
        CHECK(ioctl(device, LOOP_CLR_FD, 0) == 0);
    }
    close(device);
    close(file);
    close(control);
}

int main(void)
{
    char path[] = "/tmp/layouts-XXXXXX";
    int fd = mkstemp(path);
    CHECK(fd >= 0);
    open_flags(path);
    locks(path);
    status_of(path);
    ipc();
    events();
    sockets();
    terminals();
    loops(path);
    close(fd);
    CHECK(unlink(path) == 0);
    return check_result();
}

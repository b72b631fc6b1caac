/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processes and memory: fork, pipes, mappings, brk, limits, times, the files of /proc that tell a process about itself. */
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

static int counter;
static void *volatile bad_address = (void *)8;

static void children(void)
{
    int fds[2];
    CHECK(pipe(fds) == 0);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            counter++;
            pid_t self = getpid();
            _exit(write(fds[1], &self, sizeof(self)) == sizeof(self) && counter == 1 ? i : 99);
        }
        pid_t told;
        int status;
        CHECK(read(fds[0], &told, sizeof(told)) == sizeof(told) && told == child);
        CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == i);
    }
    CHECK_EQ(counter, 0);
    pid_t child = vfork();
    if (child == 0)
        _exit(33);
    int status;
    CHECK(waitpid(child, &status, 0) == child && WEXITSTATUS(status) == 33);
    CHECK(waitpid(-1, &status, 0) == -1 && errno == ECHILD);
}

static void memory(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *start = sbrk(0);
    CHECK(sbrk(1 << 20) == start);
    memset(start, 1, 1 << 20);
    CHECK((char *)sbrk(0) == start + (1 << 20));
    CHECK(sbrk(-(1 << 20)) != (void *)-1);
    char *area = mmap(NULL, 16 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(area != MAP_FAILED && ((uintptr_t)area & (page - 1)) == 0);
    memset(area, 7, 16 * page);
    CHECK(munmap(area + 4 * page, 4 * page) == 0);
    CHECK(area[3 * page] == 7 && area[8 * page] == 7);
    CHECK(mmap(area, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) == MAP_FAILED && errno == EEXIST);
    char *grown = mremap(area + 8 * page, 8 * page, 64 * page, MREMAP_MAYMOVE);
    CHECK(grown != MAP_FAILED && grown[0] == 7 && grown[8 * page - 1] == 7 && grown[63 * page] == 0);
    CHECK(madvise(grown, page, MADV_DONTNEED) == 0 && grown[0] == 0);
    CHECK(munmap(grown, 64 * page) == 0);
    CHECK(mprotect((void *)page, page, PROT_READ) == -1 && errno == ENOMEM);
    char *low = mmap((void *)0x10000000, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    CHECK(low == (char *)0x10000000);
    low[5] = 5;
    void *big = mmap(NULL, 1ull << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    CHECK(big != MAP_FAILED && munmap(big, 1ull << 36) == 0);
    CHECK(write(1, bad_address, 1) == -1 && errno == EFAULT);
    CHECK(syscall(100000) == -1 && errno == ENOSYS);
}

static int count_objects(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    CHECK(info->dlpi_phnum > 0);
    ++*(int *)data;
    return 0;
}

static void about_itself(char **argv)
{
    struct utsname name;
    CHECK(uname(&name) == 0 && strcmp(name.machine, "aarch64") == 0);
    char path[4096], real[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof(path) - 1);
    CHECK(length > 0);
    path[length > 0 ? length : 0] = 0;
    CHECK(realpath(argv[0], real) && strcmp(path, real) == 0);
    FILE *maps = fopen("/proc/self/maps", "r");
    CHECK(maps != NULL);
    char line[4096];
    int code = 0, stack = 0;
    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        char permissions[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, permissions) == 3) {
            code += from <= (unsigned long)about_itself && (unsigned long)about_itself < to && permissions[2] == 'x';
            stack += from <= (unsigned long)&line && (unsigned long)&line < to;
        }
    }
    CHECK_EQ(code, 1);
    CHECK_EQ(stack, 1);
    if (maps)
        fclose(maps);
    CHECK_EQ(getauxval(AT_PAGESZ), (unsigned long)sysconf(_SC_PAGESIZE));
    CHECK(getauxval(AT_PHDR) && getauxval(AT_ENTRY) && getauxval(AT_RANDOM) && getauxval(AT_HWCAP));
    CHECK(strcmp((char *)getauxval(AT_PLATFORM), "aarch64") == 0);
    CHECK(getauxval(AT_UID) == getuid());
    int objects = 0;
    dl_iterate_phdr(count_objects, &objects);
    CHECK(objects >= 1);
    CHECK(((uintptr_t)__builtin_frame_address(0) & 15) == 0);
    char command[4096] = "";
    int fd = open("/proc/self/cmdline", O_RDONLY);
    CHECK(read(fd, command, sizeof(command) - 1) > 0 && strcmp(command, argv[0]) == 0);
    close(fd);
}

static void files(void)
{
    char name[] = "/tmp/dragoman-process-XXXXXX";
    int fd = mkstemp(name);
    struct iovec parts[2] = {{"hello ", 6}, {"world", 5}};
    CHECK(writev(fd, parts, 2) == 11);
    struct stat status, again;
    CHECK(fstat(fd, &status) == 0 && status.st_size == 11 && S_ISREG(status.st_mode) && status.st_nlink == 1);
    CHECK(stat(name, &again) == 0 && again.st_ino == status.st_ino && again.st_mtim.tv_nsec == status.st_mtim.tv_nsec);
    char text[16] = "";
    CHECK(pread(fd, text, 5, 6) == 5 && strcmp(text, "world") == 0);
    CHECK(lseek(fd, -3, SEEK_END) == 8 && ftruncate(fd, 1 << 20) == 0);
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    CHECK(fcntl(fd, F_SETLK, &lock) == 0 && (fcntl(fd, F_GETFL) & O_ACCMODE) == O_RDWR);
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 50);
    CHECK(copy >= 50 && (fcntl(copy, F_GETFD) & FD_CLOEXEC));
    /* The bit differs between the architectures. */
    int folder = open("/tmp", O_RDONLY | O_DIRECTORY);
    CHECK(folder >= 0 && open(name, O_RDONLY | O_DIRECTORY) == -1 && errno == ENOTDIR);
    CHECK(symlinkat(name, folder, strrchr(name, '/') + 1) == -1 && errno == EEXIST);
    CHECK(unlink(name) == 0 && access(name, F_OK) == -1 && errno == ENOENT);
    int pair[2];
    CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0);
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
    CHECK(sendmsg(pair[0], &message, 0) == 11 && recv(pair[1], text, 16, 0) == 11);
    close(fd), close(copy), close(folder), close(pair[0]), close(pair[1]);
}

/* Through the vDSO (in dynamic programs) and by the system calls: the same clocks. */
static void vdso(void)
{
    const unsigned char *image = (const unsigned char *)getauxval(AT_SYSINFO_EHDR);
    CHECK(image && memcmp(image, ELFMAG, SELFMAG) == 0 && ((const ElfW(Ehdr) *)image)->e_machine == EM_AARCH64);
    static const clockid_t ids[] = {CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_BOOTTIME, CLOCK_REALTIME_COARSE, CLOCK_THREAD_CPUTIME_ID};
    for (unsigned i = 0; i < sizeof ids / sizeof ids[0]; i++) {
        struct timespec before, now, after;
        CHECK(syscall(SYS_clock_gettime, ids[i], &before) == 0);
        CHECK(clock_gettime(ids[i], &now) == 0);
        CHECK(syscall(SYS_clock_gettime, ids[i], &after) == 0);
        CHECK(now.tv_nsec >= 0 && now.tv_nsec < 1000000000);
        CHECK(before.tv_sec < now.tv_sec || (before.tv_sec == now.tv_sec && before.tv_nsec <= now.tv_nsec));
        CHECK(now.tv_sec < after.tv_sec || (now.tv_sec == after.tv_sec && now.tv_nsec <= after.tv_nsec));
    }
    CHECK(syscall(SYS_clock_gettime, 12345, ids) == -1 && errno == EINVAL);
    CHECK(syscall(SYS_clock_gettime, CLOCK_MONOTONIC, bad_address) == -1 && errno == EFAULT);
}

static void controls(void)
{
    static const int unknown[] = {5 /* PR_GET_UNALIGN */, 9 /* PR_GET_FPEMU */, 25 /* PR_GET_TSC */, 45 /* PR_SET_FP_MODE */,
                                  43 /* PR_MPX_ENABLE_MANAGEMENT */, 12345};
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++)
        CHECK(prctl(unknown[i], 0, 0, 0, 0) == -1 && errno == EINVAL);
    char name[17] = "";
    CHECK(prctl(PR_SET_NAME, "fifteen letters and more") == 0 && prctl(PR_GET_NAME, name) == 0);
    CHECK(strcmp(name, "fifteen letters") == 0);
    int *cleared = NULL;
    CHECK(prctl(PR_GET_TID_ADDRESS, &cleared) == 0 || errno == EINVAL);
    CHECK(prctl(PR_GET_TID_ADDRESS, 8) == -1);
    CHECK(prctl(PR_GET_SPECULATION_CTRL, 99, 0, 0, 0) == -1 && errno == ENODEV);
    unsigned long auxv[128];
    long size = prctl(0x41555856 /* PR_GET_AUXV */, auxv, sizeof(auxv), 0, 0);
    if (size > 0) /* since Linux 6.4 */
        CHECK(size % 16 == 0 && auxv[size / 8 - 2] == 0);
    /* With nothing to set up, none where there is io_uring, none where there is not: programs go on without. */
    CHECK(syscall(425 /* io_uring_setup */, 0, NULL) == -1);
}

int main(int argc, char **argv)
{
    vdso();
    controls();
    (void)argc;
    children();
    memory();
    about_itself(argv);
    files();
    struct rlimit limit;
    CHECK(getrlimit(RLIMIT_STACK, &limit) == 0 && limit.rlim_cur >= 1 << 20);
    struct timespec a, b;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &a) == 0);
    uint64_t ticks;
    __asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
    usleep(2000);
    uint64_t later, frequency;
    __asm__ volatile("mrs %0, cntvct_el0\n mrs %1, cntfrq_el0" : "=r"(later), "=r"(frequency));
    CHECK(clock_gettime(CLOCK_MONOTONIC, &b) == 0);
    int64_t passed = (b.tv_sec - a.tv_sec) * 1000000000 + b.tv_nsec - a.tv_nsec;
    CHECK(passed >= 2000000 && later - ticks >= frequency / 1000);
    CHECK(setenv("DRAGOMAN_TEST", "1", 1) == 0 && getenv("PATH") != NULL);
    return check_result();
}

/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processes that share descriptors or memory with their parent, and programs executed where neither /proc nor dragoman's file
 * can be reached (as root, with a statically linked dragoman; with any other the program must only be said not to be there).
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "check.h"

#define STACK (256 << 10)

static volatile int shared;

static int sharing_child(void *opaque)
{
    shared += (int)(intptr_t)opaque;
    for (volatile int i = 0; i < 1000; i++)
        ;
    return 7;
}

/* Parent and child close what they both see: nothing of dragoman's may be among it. */
static void shared_descriptors(void)
{
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    pid_t children[40];
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < 40; i++) {
            int flags = SIGCHLD | (i % 2 ? CLONE_FILES : 0) | (i % 3 ? CLONE_FS : 0);
            children[i] = clone(sharing_child, stack + STACK, flags, (void *)1);
            CHECK(children[i] > 0);
        }
        for (int i = 0; i < 40; i++) {
            int status;
            CHECK(waitpid(children[i], &status, 0) == children[i]);
            CHECK_EQ(status, 7 << 8);
        }
    }
    CHECK_EQ(shared, 0);
    munmap(stack, STACK);
}

static volatile int turn;

static int playing_child(void *opaque)
{
    (void)opaque;
    for (int i = 0; i < 1000; i++) {
        while (turn != 1)
            sched_yield();
        shared++;
        turn = 0;
    }
    return 9;
}

/* A process of its own that shares the memory and runs beside its parent. */
static void shared_memory(void)
{
    char *stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const int flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | SIGCHLD;
    int status;
    shared = 0;
    pid_t told = 0, child = clone(playing_child, stack + STACK, flags | CLONE_PARENT_SETTID, NULL, &told);
    CHECK(child > 0 && child != getpid() && told == child);
    for (int i = 0; i < 1000; i++) {
        turn = 1;
        while (turn != 0)
            sched_yield();
    }
    CHECK_EQ(shared, 1000);
    CHECK(waitpid(child, &status, 0) == child);
    CHECK_EQ(status, 9 << 8);
    /* One that is killed while it runs. */
    turn = 0;
    child = clone(playing_child, stack + STACK, flags, NULL);
    usleep(20000);
    CHECK(kill(child, SIGKILL) == 0 && waitpid(child, &status, 0) == child);
    CHECK_EQ(status, SIGKILL);
    munmap(stack, STACK);
}

static int copy_file(const char *from, const char *to)
{
    static char buffer[1 << 16];
    int in = open(from, O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0755);
    ssize_t n = -1;
    while (in >= 0 && out >= 0 && (n = read(in, buffer, sizeof buffer)) > 0) {
        if (write(out, buffer, (size_t)n) != n)
            return 0;
    }
    close(in);
    close(out);
    return n == 0;
}

/* Under another root, with all descriptors closed that the guest knows of and does not. */
static void another_root(void)
{
    char folder[] = "/tmp/dragoman-roots-XXXXXX", path[64];
    if (getuid() != 0 || !mkdtemp(folder))
        return;
    snprintf(path, sizeof path, "%s/program", folder);
    CHECK(copy_file("/proc/self/exe", path));
    snprintf(path, sizeof path, "%s/script", folder);
    int script = open(path, O_WRONLY | O_CREAT, 0755);
    CHECK(dprintf(script, "#!/program inside\n") > 0 && close(script) == 0);
    for (int i = 0; i < 3; i++) {
        int status;
        fflush(stdout);
        pid_t child = i == 2 ? vfork() : fork();
        if (child == 0) {
            if (chroot(folder) != 0 || chdir("/") != 0)
                _exit(70);
            for (int fd = 3; fd < 1100; fd++)
                close(fd);
            dup2(2, 960);
            syscall(SYS_close_range, 3, ~0u, 0);
            if (i == 1)
                execl("/script", "script", "again", NULL);
            else
                execl("/program", "program", "inside", "again", NULL);
            _exit(errno == ENOENT ? 71 : 72);
        }
        CHECK(waitpid(child, &status, 0) == child);
        if (status != 42 << 8 && status != 71 << 8)
            CHECK_EQ(status, 42 << 8);
    }
    snprintf(path, sizeof path, "%s/program", folder);
    unlink(path);
    snprintf(path, sizeof path, "%s/script", folder);
    unlink(path);
    CHECK(rmdir(folder) == 0);
    CHECK(access("/proc/self", F_OK) == 0);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "inside") == 0) {
        if (argc > 2) { /* once more from here */
            execl("/program", "program", "inside", NULL);
            return 73;
        }
        return access("/proc", F_OK) == 0 ? 74 : 42;
    }
    shared_descriptors();
    shared_memory();
    another_root();
    return check_result();
}

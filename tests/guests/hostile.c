/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Guests that do what no compiler would write: pages of random words as code, system calls with random numbers and
 * arguments, mappings that come, go and change under code that another thread runs, programs with random headers, games with
 * the break, signal stacks and guessed addresses. Each in a child, as a user without
 * rights and within a second or two; it may end as it likes, but never by an error of dragoman's own, which would be said on
 * stderr.
 *
 *   hostile [SEED [PAGES [CALLERS [SECONDS]]]]
 */
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "check.h"

#define PAGE 4096
#define CODE ((char *)0x200000000000)
#define DATA ((char *)0x210000000000)
#define NOBODY 65534

static uint64_t seed = 1;

static uint64_t random_word(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed * UINT64_C(0x2545f4914f6cdd1d);
}

/* ---- children ---------------------------------------------------------------------------------------------------------------- */

static void drop_rights(void)
{
    struct rlimit files = {1 << 20, 1 << 20}, processes = {1, 1}, memory = {0, 0};
    if (chdir("/") != 0)
        _exit(70);
    setrlimit(RLIMIT_FSIZE, &files);
    setrlimit(RLIMIT_CORE, &memory);
    if (getuid() == 0 && (setgroups(0, NULL) != 0 || setgid(NOBODY) != 0 || setuid(NOBODY) != 0))
        _exit(71);
    setrlimit(RLIMIT_NPROC, &processes);
}

/** Runs `body` in a child for at most `seconds`; false when dragoman said that something of its own went wrong. */
static int child_is_harmless(void (*body)(void), int seconds)
{
    int errors[2], status, done = 0;
    if (pipe2(errors, O_NONBLOCK | O_CLOEXEC) != 0)
        return 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        dup2(errors[1], 2);
        int null = open("/dev/null", O_RDWR);
        dup2(null, 0);
        dup2(null, 1);
        for (int fd = 3; fd < 32; fd++)
            close(fd);
        drop_rights();
        body();
        _exit(0);
    }
    close(errors[1]);
    for (int i = 0; i < seconds * 200 && !done; i++) {
        done = waitpid(child, &status, WNOHANG) == child;
        if (!done)
            usleep(5000);
    }
    if (!done) {
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
    }
    char said[4096];
    ssize_t n = read(errors[0], said, sizeof said - 1);
    close(errors[0]);
    said[n > 0 ? n : 0] = 0;
    if (!strstr(said, "internal error"))
        return 1;
    printf("%s", said);
    return 0;
}

static void quit(int signal)
{
    _exit(signal);
}

static void catch_faults(void (*handler)(int))
{
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGTRAP, SIGFPE, SIGALRM, SIGSYS};
    sigaltstack(&alternate, NULL);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK | SA_NODEFER};
        sigaction(signals[i], &action, NULL);
    }
}

/* ---- random code ---------------------------------------------------------------------------------------------------------- */

/** Half of the words are random in all bits, the other have the bits of an instruction that exists. */
static uint32_t random_instruction(void)
{
    static const uint32_t forms[] = {
        0x8b000000, 0xcb000000, 0x91000000, 0x71000000, 0xaa000000, 0xf9400000, 0xf9000000, 0x38400400, 0xa9400000, 0xa9000000,
        0x54000000, 0xb4000000, 0x36000000, 0x14000000, 0x94000000, 0xd61f0000, 0xd63f0000, 0xd65f0000, 0x10000000, 0x18000000,
        0x9ac02000, 0x9b000000, 0x93400000, 0xd3400000, 0xfa400000, 0x9a800000, 0x1e202800, 0x4e208400, 0x0f000400, 0x4c400000,
        0xc85f7c00, 0xc8007c00, 0xf8200000, 0xd5380000, 0xd5180000, 0xd5033f00, 0xd4200000, 0x6e20dc00, 0x5e280800, 0xdac10000,
    };
    uint32_t word = (uint32_t)random_word();
    if (random_word() & 1)
        word = forms[random_word() % (sizeof forms / sizeof forms[0])] | (word & 0x001fffff);
    if ((word & 0xffe0001f) == 0xd4000001) /* not a system call: those are below */
        word = 0xd503201f;
    return word;
}

static uint64_t registers[32];
static int starts;

/** Begins anywhere in the page with random registers, also from the handler of the fault that ended the run before. */
static void start_anywhere(int signal)
{
    (void)signal;
    if (++starts > 60)
        _exit(0);
    for (int i = 0; i < 32; i++) {
        uint64_t r = random_word();
        registers[i] = i == 31 || r & 1 ? (uint64_t)DATA + (r >> 8 & 0x3ff0) : r & 2 ? (uint64_t)CODE + (r >> 8 & 0x3ffc) : r >> (r >> 58);
    }
    __asm__ volatile("mov x30, %0\n\t"
                     "ldr x0, [x30, #248]\n\t"
                     "mov sp, x0\n\t"
                     "msr fpcr, %2\n\t"
                     "mov x29, %1\n\t"
                     "str x29, [x30, #248]\n\t"
                     "ldp x0, x1, [x30]\n\t"
                     "ldp x2, x3, [x30, #16]\n\t"
                     "ldp x4, x5, [x30, #32]\n\t"
                     "ldp x6, x7, [x30, #48]\n\t"
                     "ldp x8, x9, [x30, #64]\n\t"
                     "ldp x10, x11, [x30, #80]\n\t"
                     "ldp x12, x13, [x30, #96]\n\t"
                     "ldp x14, x15, [x30, #112]\n\t"
                     "ldp x16, x17, [x30, #128]\n\t"
                     "ldp x18, x19, [x30, #144]\n\t"
                     "ldp x20, x21, [x30, #160]\n\t"
                     "ldp x22, x23, [x30, #176]\n\t"
                     "ldp x24, x25, [x30, #192]\n\t"
                     "ldp x26, x27, [x30, #208]\n\t"
                     "ldr x28, [x30, #224]\n\t"
                     "ldr x29, [x30, #248]\n\t"
                     "ldr x30, [x30, #240]\n\t"
                     "br x29"
                     :
                     : "r"(registers), "r"(CODE + (random_word() & 0x3ffc)), "r"(random_word() & 0x7c00000)
                     : "memory");
    __builtin_unreachable();
}

static void random_code(void)
{
    char *code = mmap(CODE, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    char *data = mmap(DATA, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    if (code != CODE || data != DATA)
        _exit(72);
    for (size_t i = 0; i < 4 * PAGE / 4; i++)
        ((uint32_t *)code)[i] = random_instruction();
    for (size_t i = 0; i < 4 * PAGE / 8; i++)
        ((uint64_t *)data)[i] = random_word();
    mprotect(code, 4 * PAGE, PROT_READ | (random_word() & 1 ? PROT_WRITE : 0) | PROT_EXEC);
    __builtin___clear_cache(code, code + 4 * PAGE);
    catch_faults(start_anywhere);
    const struct itimerval slice = {{0, 20000}, {0, 20000}};
    setitimer(ITIMER_REAL, &slice, NULL);
    start_anywhere(0);
}

/* ---- random system calls ---------------------------------------------------------------------------------------------------- */

/** Calls that would end the child at once, hit other processes, or leave something behind. */
static int call_is_left_out(long number)
{
    static const short list[] = {
        81 /* sync */, 93, 94 /* exit */, 129, 130, 131 /* kill */, 138, 139 /* rt_sigqueueinfo, rt_sigreturn */, 142 /* reboot */,
        180, 186, 190, 194 /* mq_open, msgget, semget, shmget */, 217, 218, 219 /* keys */, 220 /* clone */, 240, 267 /* syncfs */,
        424 /* pidfd_send_signal */, 435 /* clone3 */,
    };
    for (size_t i = 0; i < sizeof list / sizeof list[0]; i++) {
        if (number == list[i])
            return 1;
    }
    return 0;
}

static uint64_t random_argument(void)
{
    uint64_t r = random_word();
    switch (r >> 61) {
    case 0: return r & 7;
    case 1: return r & 0xfff;
    case 2: return (uint64_t)DATA + (r & 0x3fff);
    case 3: return (uint64_t)DATA + (r & 0x3) * PAGE;
    case 4: return -(r & 0xffff);
    case 5: return (uint64_t)1 << (r & 63);
    case 6: return r;
    default: return (uint64_t)&r & ~(uint64_t)(r & 0xffff);
    }
}

static void random_calls(void)
{
    char *data = mmap(DATA, 4 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    for (size_t i = 0; i < 2 * PAGE / 8; i++)
        ((uint64_t *)data)[i] = random_argument();
    catch_faults(quit);
    for (int i = 0; i < 400; i++) {
        long number = (long)(random_word() % 480);
        if (call_is_left_out(number))
            continue;
        alarm(1);
        syscall(number, random_argument(), random_argument(), random_argument(), random_argument(), random_argument(),
                random_argument());
    }
}

/* ---- mappings that change under running code ------------------------------------------------------------------------------- */

#define SLOTS 8
static int run_seconds = 1;
static _Thread_local sigjmp_buf back;
static volatile int over;

static void jump_back(int signal)
{
    siglongjmp(back, signal);
}

static void *run_slots(void *opaque)
{
    static _Thread_local char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    volatile uint64_t x = (uintptr_t)opaque;
    sigaltstack(&alternate, NULL);
    while (!over) {
        x = x * UINT64_C(6364136223846793005) + 1;
        char *slot = CODE + (x >> 40) % SLOTS * PAGE;
        if (sigsetjmp(back, 1) == 0) {
            for (int i = 0; i < 50; i++)
                ((uint64_t(*)(uint64_t))slot)(i);
        }
    }
    return NULL;
}

static void change_slots(void)
{
    /* A loop, so that it becomes a region: x0 = x0 * 3 + 1, 20 times. */
    static const uint32_t function[] = {0x52800281, 0x8b000400, 0x91000400, 0xf1000421, 0x54ffffa1, 0xd65f03c0};
    const int all = PROT_READ | PROT_WRITE | PROT_EXEC;
    pthread_t threads[3];
    for (int i = 0; i < SLOTS; i++) {
        mmap(CODE + i * PAGE, PAGE, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        memcpy(CODE + i * PAGE, function, sizeof function);
        __builtin___clear_cache(CODE + i * PAGE, CODE + i * PAGE + sizeof function);
    }
    catch_faults(jump_back);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, run_slots, (void *)(uintptr_t)(i + 1));
    time_t end = time(NULL) + run_seconds + 1;
    while (time(NULL) < end) {
        uint64_t r = random_word();
        char *slot = CODE + (r >> 8) % SLOTS * PAGE, *other = CODE + (r >> 16) % SLOTS * PAGE;
        switch (r % 7) {
        case 0: munmap(slot, PAGE); break;
        case 1: mprotect(slot, PAGE, PROT_READ | (r >> 30 & 1 ? PROT_EXEC : PROT_WRITE)); break;
        case 2: mprotect(slot, PAGE, all); break;
        case 3:
            if (mremap(slot, PAGE, PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other) == MAP_FAILED)
                madvise(other, PAGE, MADV_DONTNEED); /* the two are one */
            break;
        case 4: madvise(slot, PAGE, MADV_DONTNEED); break;
        default:
            mmap(slot, PAGE, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
            memcpy(slot, function, sizeof function);
            ((uint32_t *)slot)[r >> 30 & 3] = random_instruction() & 0x1fffffff; /* mostly undefined */
            __builtin___clear_cache(slot, slot + sizeof function);
            memcpy(slot, function, sizeof function);
            __builtin___clear_cache(slot, slot + sizeof function);
        }
    }
    over = 1;
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
}

/* ---- programs with random headers ------------------------------------------------------------------------------------------------ */

static char program[64 << 10]; /* the beginning of this one */
static ssize_t program_size;

/** A program header or two, or the file's header, are not what they were; or the file is short. */
static void random_program(void)
{
    static const unsigned char interesting[] = {0, 1, 0x7f, 0x80, 0xff, 0x10, 0x40, 0xfe};
    char *arguments[] = {(char *)"program", NULL};
    int fd = memfd_create("program", 0), changes = 1 + (int)(random_word() % 6);
    for (int i = 0; i < changes; i++) {
        size_t at = random_word() % (random_word() & 1 ? 64 : 64 + 10 * 56);
        program[at] = (char)(random_word() & 1 ? random_word() : interesting[random_word() % sizeof interesting]);
    }
    if (write(fd, program, random_word() % 8 ? (size_t)program_size : random_word() % (size_t)program_size) < 0)
        _exit(73);
    alarm(2);
    execveat(fd, "", arguments, arguments + 1, 0x1000 /* AT_EMPTY_PATH */);
}

/* ---- memory that a program should leave alone ----------------------------------------------------------------------------------- */

static void *overflow_stack(void *deep)
{
    volatile char block[2000];
    block[0] = 1;
    if ((uintptr_t)deep == UINTPTR_MAX)
        return NULL;
    return overflow_stack((char *)deep + 1) ? (void *)(uintptr_t)block[0] : deep;
}

static void touch_what_is_not_ours(void)
{
    static char stack[65536];
    uint64_t r, guess;
    pthread_t thread;
    catch_faults(quit);
    for (int i = 0; i < 50; i++) {
        r = random_word();
        guess = ((r >> 5 & 0x7f) << 40 | (random_word() & 0xfffffff000)) & 0x7ffffffff000;
        size_t size = PAGE << (r >> 12) % 20;
        switch (r % 10) {
        case 0: munmap((void *)guess, size); break;
        case 1: mprotect((void *)guess, size, PROT_NONE); break;
        case 2: mremap((void *)guess, size, size * 2, MREMAP_MAYMOVE); break;
        case 3: madvise((void *)guess, size, MADV_DONTNEED); break;
        case 4:
            mmap((void *)guess, size, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
            break;
        case 5: syscall(214 /* brk */, guess >> (r >> 20) % 40); break;
        case 6: syscall(214, syscall(214, 0) + (long)(r >> 20 & 0xffff) - 0x8000); break;
        case 7: syscall(167 /* prctl */, 35 /* PR_SET_MM */, r >> 20 & 15, guess, 0, 0); break;
        case 8: {
            /* A signal on a stack that is not there. */
            stack_t alternate = {.ss_sp = r & 1024 ? stack : (void *)guess, .ss_size = sizeof stack};
            sigaltstack(&alternate, NULL);
            if (i > 40)
                raise(SIGALRM);
            break;
        }
        default:
            if (i > 45 && pthread_create(&thread, NULL, overflow_stack, NULL) == 0)
                pthread_join(thread, NULL);
            else if (i > 45)
                overflow_stack(NULL);
        }
    }
}

int main(int argc, char **argv)
{
    uint64_t first = argc > 1 ? strtoull(argv[1], NULL, 0) : 1;
    int pages = argc > 2 ? atoi(argv[2]) : 150, callers = argc > 3 ? atoi(argv[3]) : 40;
    run_seconds = argc > 4 ? atoi(argv[4]) : 2;
    for (int i = 0; i < pages; i++) {
        seed = (first << 32) + (uint64_t)i * 2 + 1;
        random_word();
        if (!child_is_harmless(random_code, 2))
            printf("seed %llu, page %d\n", (unsigned long long)first, i), check_failures++;
    }
    for (int i = 0; i < callers; i++) {
        seed = (first << 32) + (uint64_t)i * 2 + 0x10000001;
        random_word();
        if (!child_is_harmless(random_calls, 3))
            printf("seed %llu, caller %d\n", (unsigned long long)first, i), check_failures++;
    }
    int self = open("/proc/self/exe", O_RDONLY);
    program_size = read(self, program, sizeof program);
    close(self);
    for (int i = 0; i < callers; i++) {
        seed = (first << 32) + (uint64_t)i * 2 + 0x20000001;
        random_word();
        if (program_size > 4096 && !child_is_harmless(random_program, 4))
            printf("seed %llu, program %d\n", (unsigned long long)first, i), check_failures++;
        if (!child_is_harmless(touch_what_is_not_ours, 3))
            printf("seed %llu, toucher %d\n", (unsigned long long)first, i), check_failures++;
    }
    seed = first;
    if (run_seconds && !child_is_harmless(change_slots, run_seconds + 10))
        printf("seed %llu, changing mappings\n", (unsigned long long)first), check_failures++;
    return check_result();
}

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Translations kept over runs (-accel translator,keep=, keepdir=): they are used again at other addresses, are what a new
translation would be, and no state of their files makes a program behave otherwise.

  tests/keep.py     DRAGOMAN: the command to test; GUEST_CC: the cross compiler
"""
import os, random, re, shlex, shutil, stat, subprocess, sys, tempfile

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
dragoman = shlex.split(os.environ.get('DRAGOMAN', os.path.join(root, 'build/dragoman')))
cross = os.environ.get('GUEST_CC', 'aarch64-linux-gnu-gcc')
cross_root = '/usr/aarch64-linux-gnu'

# Work of many kinds in the libraries, a hot loop, a handler that sees addresses, a child.
PROGRAM = r'''
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
static sigjmp_buf back;
static volatile int faults;
static void handler(int number) { faults++; siglongjmp(back, number); }
static int by_value(const void *a, const void *b) { return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b); }
static uint64_t (*const table[4])(uint64_t);
static uint64_t f0(uint64_t x) { return x * 6364136223846793005u + 1; }
static uint64_t f1(uint64_t x) { return x ^ x >> 13; }
static uint64_t f2(uint64_t x) { return __builtin_bswap64(x) + 5; }
static uint64_t f3(uint64_t x) { return x / 3 + (x << 7); }
static uint64_t (*const table[4])(uint64_t) = {f0, f1, f2, f3};
static uint64_t __attribute__((noinline)) which(int n)
{
    switch (n) {
    case 0: return 17; case 1: return 4; case 2: return 99; case 3: return 1000; case 4: return 5; case 5: return 6;
    case 6: return 71; case 7: return 8;
    }
    return 0;
}
int main(void)
{
    uint64_t x = 1;
    int numbers[500];
    for (int i = 0; i < 60000; i++)
        x = table[i & 3](x) + which(i % 9);
    for (int i = 0; i < 500; i++)
        numbers[i] = (int)(i * 7919u % 503u);
    qsort(numbers, 500, sizeof *numbers, by_value);
    signal(SIGSEGV, handler);
    for (volatile int i = 0; i < 20; i++) {
        if (sigsetjmp(back, 1) == 0)
            *(volatile int *)(uintptr_t)(i * 8) = i;
    }
    char text[200];
    snprintf(text, sizeof text, "%llu %d %.6f %d", (unsigned long long)x, numbers[250], sin(numbers[77]) + sqrt(x % 1000), faults);
    puts(text);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (int i = 0; i < 5000; i++)
            x = table[3 - (i & 3)](x);
        printf("child %llu\n", (unsigned long long)x);
        exit(3);
    }
    int status;
    waitpid(child, &status, 0);
    printf("%d\n", WEXITSTATUS(status));
    return 42;
}
'''
# The code in a file is changed where it is mapped, in each run to something else.
PATCHED = r'''
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    int fd = open(argv[1], O_RDONLY);
    uint32_t *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE, fd, 0);
    if (code == MAP_FAILED)
        return 1;
    for (int i = 2; i < argc; i++) {
        code[0] = 0x52800000 | (uint32_t)atoi(argv[i]) << 5; /* MOV W0, #n */
        code[1] = 0xd65f03c0;                                /* RET */
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        int sum = 0;
        for (int k = 0; k < 100; k++)
            sum += ((int (*)(void))code)();
        printf("%d\n", sum);
    }
    return 0;
}
'''
# All files of a folder become shorter while they are mapped, then there is code to run that has not been run yet.
SHORTENS = r'''
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char path[4096];
    DIR *folder = opendir(argv[1]);
    for (struct dirent *entry; folder && (entry = readdir(folder)) != NULL;) {
        snprintf(path, sizeof path, "%s/%s", argv[1], entry->d_name);
        if (argc > 2 && strstr(path, ".kept") && truncate(path, atoi(argv[2])) < 0)
            return 1;
    }
    snprintf(path, sizeof path, "%.6f %g %s", sin(argc * 0.0 + 77) + sqrt(1001), pow(3, 4.5), strrchr(argv[0], '/') + 1);
    puts(path);
    return 0;
}
'''
HAS_LSE = r'''
#include <stdio.h>
#include <stdint.h>
#include <sys/auxv.h>
int main(void)
{
    uint64_t isar0;
    __asm__("mrs %0, id_aa64isar0_el1" : "=r"(isar0));
    printf("%d %d\n", (int)(isar0 >> 20 & 15), (int)(getauxval(AT_HWCAP) >> 8 & 1));
    return 0;
}
'''
# A thread closes what it has not opened, and opens a file in its place, while the process ends.
CLOSES = r'''
#define _GNU_SOURCE
#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
static volatile int begun;
static void *close_all(void *name)
{
    for (;;) {
        for (int fd = 3; fd < 8; fd++)
            close(fd);
        for (int i = 0; i < 4; i++)
            open(name, O_RDWR | O_CREAT, 0600);
        begun = 1;
    }
    return NULL;
}
static int by_name(const void *a, const void *b) { return strcmp(*(char **)a, *(char **)b); }
int main(int argc, char **argv)
{
    pthread_t thread;
    char text[100];
    pthread_create(&thread, NULL, close_all, argv[1]);
    while (!begun)
        ;
    snprintf(text, sizeof text, "%.6f %g", sin(argc) + sqrt(1001), pow(3, 4.5));
    qsort(argv, argc, sizeof *argv, by_name);
    if (argc > 2)
        execl("/proc/self/exe", "x", argv[1], NULL);
    exit(0);
}
'''
# How: 's' by a fault, 'k' by a signal that nobody can handle, after some time.
DIES = r'''
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
int main(int argc, char **argv)
{
    char text[100];
    snprintf(text, sizeof text, "%.6f %g", sin(argc) + sqrt(1001), pow(3, 4.5));
    if (argv[1][0] == 'k') {
        usleep(2100000);
        snprintf(text, sizeof text, "%s %d", ctime(&(time_t){argc}), getpid());
        kill(getpid(), SIGKILL);
    }
    *(volatile int *)8 = 0;
}
'''


def check(condition, what):
    if not condition:
        sys.exit(f'keep: {what}')


work = tempfile.mkdtemp(prefix='dragoman-keep.')
counter = 0


def compile_guest(name, text, *flags):
    source, program = f'{work}/{name}.c', f'{work}/{name}'
    with open(source, 'w') as f:
        f.write(text)
    subprocess.run([cross, '-O2', '-w', *flags, '-o', program, source, '-lm'], check=True)
    return program


def run(folder, *command, mode='on', options=(), status=None):
    """Output, and what -d stats says."""
    global counter
    counter += 1
    log = f'{work}/log'
    if os.path.exists(log):
        os.unlink(log)
    accel = f'translator,keep={mode}' + (f',keepdir={folder}' if folder else '')
    done = subprocess.run([*dragoman, '-d', 'stats', '-D', log, '-accel', accel, '-L', cross_root, *options, *command],
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=100)
    check(done.stderr == b'' or (status or 0) < 0, f'{command}: {done.stderr.decode(errors="replace")}')
    check(status is None or done.returncode == status, f'{command}: status {done.returncode}')
    stats = {}
    for line in open(log):
        match = re.fullmatch(r'(\D*?) +(\d+)', line.strip())
        if match:
            stats[match[1]] = int(match[2])
    return done.stdout, stats


USED, WRITTEN, COMPARED = 'kept regions used', 'kept regions written', 'kept regions compared'


def fresh(name):
    folder = f'{work}/{name}'
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def used_again(program, expected):
    folder = fresh('again')
    output, stats = run(folder, program, status=42)
    check(output == expected and stats[USED] == 0 and stats[WRITTEN] > 500, f'first run: {stats}')
    check(stat.S_IMODE(os.stat(folder).st_mode) == 0o700, 'the folder is open to others')
    for i in range(3):  # at other addresses each time
        output, again = run(folder, program, status=42)
        check(output == expected and again[USED] > 500 and again['translations'] < stats['translations'] / 10, f'later run: {again}')
    output, stats = run(folder, program, mode='off', status=42)
    check(output == expected and stats[USED] == stats[WRITTEN] == 0, 'keep=off')


def compared(program, expected):
    for extra in ('', ',hot=1', ',fold=off', ',thread=off,hot=3', ',cache=256K'):
        folder = fresh('compared')
        for i in range(3):
            output, stats = run(folder, program, mode='check' + extra, status=42)
            check(output == expected, f'keep=check{extra}')
        check(stats[COMPARED] > 500 and stats['… and differing'] == 0, f'keep=check{extra}: {stats}')


def damaged(program, expected):
    whole, folder = fresh('whole'), f'{work}/damaged'
    run(whole, program, status=42)
    generator = random.Random(7)
    for i in range(60):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(whole, folder)
        for name in os.listdir(folder):
            path = f'{folder}/{name}'
            with open(path, 'rb') as f:
                data = bytearray(f.read())
            kind = i % 6
            if kind == 0:  # anywhere
                for _ in range(generator.randrange(1, 2000)):
                    data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
            elif kind == 1:  # the header
                data[generator.randrange(256)] = generator.randrange(256)
            elif kind == 2:  # the table
                for _ in range(2000):
                    data[256 + generator.randrange(min(8192, len(data) - 256))] = generator.randrange(256)
            elif kind == 3:
                del data[generator.randrange(len(data)):]
            elif kind == 4:  # a hole
                start = generator.randrange(len(data))
                data[start:start + 20000] = bytes(len(data[start:start + 20000]))
            else:  # one record in the place of another
                a, b = generator.randrange(len(data)) & ~7, generator.randrange(len(data)) & ~7
                data[a:a + 4000] = data[b:b + 4000]
            with open(path, 'wb') as f:
                f.write(data)
        for k in range(2):  # the second time with what was written to it
            check(run(folder, program, status=42)[0] == expected, f'with a damaged file ({i})')


def changed_code(program):
    folder, code = fresh('changed'), f'{work}/code.bin'
    with open(code, 'wb') as f:
        f.write(bytes(4096))
    for values in (['1', '2'], ['2', '1'], ['3'], ['1', '3', '2'], ['4', '4']):
        output, stats = run(folder, program, code, *values, status=0)
        check(output.split() == [str(100 * int(v)).encode() for v in values], f'patched code {values}: {output}')


def shortened(program):
    folder = fresh('shortened')
    expected, _ = run(folder, program, folder, status=0)
    for size in ('0', '256', '4096', '20000', '100000', '700000'):
        run(folder, program, folder, status=0)
        output, stats = run(folder, program, folder, size, status=0)
        check(output == expected and stats[USED] > 100, f'cut to {size} bytes: {output} {stats}')


def others_folder(program, expected):
    """Root with another user's HOME leaves nothing there that is in that user's way."""
    if os.geteuid() != 0:
        return
    folder = fresh('home')
    os.mkdir(folder)
    os.chmod(work, 0o755)
    os.chown(folder, 12345, 12345)
    for where in (f'{folder}/dragoman', f'{folder}/cache/dragoman'):
        check(run(where, program, status=42)[0] == expected, where)
    check(not os.listdir(folder), 'root has made a folder in the place of another user')


def other_options(program):
    folder = fresh('options')
    outputs = []
    for options in ([], ['-cpu', 'max,lse=off'], ['-cpu', 'max,bti=off'], ['-cpu', 'cortex-a72']):
        first, stats = run(folder, program, options=options, status=0)
        check(stats[USED] == 0, f'{options} uses what was translated for another CPU')
        again, stats = run(folder, program, options=options, status=0)
        check(again == first and stats[USED] > 100, f'{options}: {stats}')
        outputs.append(first)
    check(outputs[0] == b'2 1\n' and outputs[1] == b'0 0\n', f'{outputs}')


def many_writers(program, expected):
    folder = fresh('many')
    command = [*dragoman, '-accel', f'translator,keep=on,keepdir={folder}', '-L', cross_root, program]
    for i in range(2):
        running = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) for _ in range(8)]
        for process in running:
            output, _ = process.communicate(timeout=100)
            check(output == expected and process.returncode == 42, f'eight at once: {output}')
    output, stats = run(folder, program, mode='check', status=42)
    check(output == expected and stats[USED] > 500, f'after eight at once: {stats}')
    check(not [n for n in os.listdir(folder) if not n.endswith('.kept')], 'a writer left something')


def bad_folders(program, expected):
    folder = fresh('bad')
    os.mkdir(folder)
    os.chmod(folder, 0o777)
    check(run(folder, program, status=42)[0] == expected and not os.listdir(folder), 'a folder that anybody can write')
    os.chmod(folder, 0o700)
    os.symlink(folder, f'{work}/link')
    check(run(f'{work}/link', program, status=42)[0] == expected and not os.listdir(folder), 'a link to a folder')
    with open(f'{work}/file', 'w'):
        pass
    for where in (f'{work}/file', f'{work}/none/none/none', '/proc/none', '/dev/null'):
        check(run(where, program, status=42)[0] == expected, where)
    run(folder, program, status=42)
    for name in os.listdir(folder):  # others may have written these
        os.chmod(f'{folder}/{name}', 0o666)
    output, stats = run(folder, program, status=42)
    check(output == expected and stats[USED] == 0, 'files that anybody can write')
    for name in os.listdir(folder):
        os.unlink(f'{folder}/{name}')
        os.symlink('/dev/zero', f'{folder}/{name}')
    check(run(folder, program, status=42)[0] == expected, 'links in the place of files')


def places(program, expected):
    """What the folder is in counts as well."""
    def kept(where):
        for _ in range(2):
            output, stats = run(where, program, status=42)
            check(output == expected, where)
        return stats[USED] > 500
    folder = fresh('place')
    os.makedirs(f'{folder}/sub')
    for mode, good in ((0o777, False), (0o757, False), (0o1777, True), (0o755, True)):
        os.chmod(folder, mode)
        for where in f'{folder}/{mode:o}', f'{folder}/sub/{mode:o}':
            check(kept(where) == good and os.path.exists(where) == good, f'{where}: in a folder of mode {mode:o}')
    os.symlink(f'{folder}/sub', f'{work}/by-link')
    check(kept(f'{work}/by-link/kept'), 'in a folder by a link')
    os.chmod(folder, 0o777)
    check(not kept(f'{work}/by-link/kept'), 'by a link in a folder that anybody can write')
    if os.geteuid() != 0:
        return
    os.chmod(folder, 0o755)
    os.chmod(work, 0o755)
    os.chown(f'{folder}/sub', 12345, 0)
    check(not kept(f'{folder}/sub/755'), "in another user's folder")
    os.chown(f'{folder}/sub', 0, 12345)
    os.chmod(f'{folder}/sub', 0o775)
    check(not kept(f'{folder}/sub/755'), 'in a folder that a group can write')
    os.chmod(f'{folder}/sub', 0o755)
    check(kept(f'{folder}/sub/755'), 'as before')


def ends(closes, dies):
    """Whichever way the process ends, what is kept is kept, and not in a file of the guest's."""
    for options in [], ['and execute']:
        for i in range(15):
            folder, name = fresh('ends'), f'{work}/guest-file'
            run(folder, closes, name, *options, status=0)
            check(os.path.getsize(name) == 0, f'{os.path.getsize(name)} bytes in a file of the guest')
    for how, status in ('s', -11), ('k', -9):
        folder = fresh('ends')
        run(folder, dies, how, status=status)
        names = os.listdir(folder) if os.path.isdir(folder) else []
        check(any(os.path.getsize(f'{folder}/{n}') > 50000 for n in names), f'nothing is kept of a process that has died ({how}): {names}')


def limited(program, expected):
    """No place for files: a full disk's errors come to the same."""
    folder = fresh('limited')
    command = shlex.join([*dragoman, '-accel', f'translator,keepdir={folder}', '-L', cross_root, program])
    for limit in ('-f 0', '-f 8'):
        done = subprocess.run(['bash', '-c', f'ulimit {limit}; {command} | cat'], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        check(done.stdout == expected, f'ulimit {limit}: {done.stdout}')


try:
    dynamic, static = compile_guest('program', PROGRAM), compile_guest('program-static', PROGRAM, '-static')
    pie = compile_guest('program-pie', PROGRAM, '-static-pie')
    expected, _ = run(None, dynamic, mode='off', status=42)
    for program in dynamic, static, pie:
        used_again(program, expected)
        compared(program, expected)
    damaged(dynamic, expected)
    changed_code(compile_guest('patched', PATCHED))
    other_options(compile_guest('features', HAS_LSE))
    many_writers(dynamic, expected)
    bad_folders(dynamic, expected)
    others_folder(dynamic, expected)
    shortened(compile_guest('shortens', SHORTENS))
    limited(dynamic, expected)
    places(dynamic, expected)
    ends(compile_guest('closes', CLOSES, '-pthread'), compile_guest('dies', DIES))
finally:
    shutil.rmtree(work, ignore_errors=True)
print(f'keep: {counter} runs')

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""-perfmap and -jitdump: reads the files as perf does, and has perf itself read them where it is installed and may measure.

  tests/perf_map.py     DRAGOMAN: the command to test; GUEST_CC: the cross compiler
"""
import os, re, shlex, shutil, struct, subprocess, sys, tempfile

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
dragoman = shlex.split(os.environ.get('DRAGOMAN', os.path.join(root, 'build/dragoman')))
cross = os.environ.get('GUEST_CC', 'aarch64-linux-gnu-gcc')
SOURCE = r'''
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>
__attribute__((noinline)) unsigned long inner_loop(unsigned long x, long n)
{
    for (long i = 0; i < n; i++)
        x = x * 6364136223846793005ul + (x >> 7);
    return x;
}
__attribute__((noinline)) unsigned long outer_loop(unsigned long x, long n)
{
    for (int i = 0; i < 1000; i++)
        x += inner_loop(x + i, n);
    return x;
}
__attribute__((noinline)) unsigned long only_in_child(unsigned long x) { return outer_loop(x, 10) | 1; }
int main(int argc, char **argv)
{
    printf("pid %d\n", getpid());
    fflush(stdout);
    unsigned long sum = outer_loop(1, argc > 1 ? 200000 : 1000);
    pid_t child = fork();
    if (child == 0)
        _exit(only_in_child(sum) == 0);
    printf("child %d\n", child);
    waitpid(child, NULL, 0);
    return sum == 0;
}
'''


def check(condition, what):
    if not condition:
        sys.exit(f'perf_map: {what}')


def read_map(pid):
    path = f'/tmp/perf-{pid}.map'
    try:
        with open(path) as f:
            lines = f.read().splitlines()
    finally:
        if os.path.exists(path):
            os.unlink(path)
    entries = []
    for line in lines:
        match = re.fullmatch(r'([0-9a-f]+) ([0-9a-f]+) (\S.*)', line)
        check(match, f'{path}: {line!r}')
        entries.append((int(match.group(1), 16), int(match.group(2), 16), match.group(3)))
    return entries


def read_dump(path, pid):
    """Linux, tools/perf/Documentation/jitdump-specification.txt"""
    with open(path, 'rb') as f:
        data = f.read()
    magic, version, size, machine, _, its_pid, timestamp, flags = struct.unpack_from('<IIIIIIQQ', data)
    check((magic, version, size, machine, its_pid, flags) == (0x4a695444, 1, 40, 62, pid, 0), f'{path}: header')
    at, last, entries = size, timestamp, []
    while at < len(data):
        kind, size, timestamp = struct.unpack_from('<IIQ', data, at)
        check(kind == 0 and size > 56 and timestamp >= last and at + size <= len(data), f'{path}: record at {at}')
        its_pid, tid, vma, address, code_size, index = struct.unpack_from('<IIQQQQ', data, at + 16)
        end = data.index(b'\0', at + 56)
        check(its_pid == pid and vma == address and index == len(entries), f'{path}: record at {at}')
        check(end + 1 + code_size == at + size, f'{path}: size of the record at {at}')
        entries.append((address, code_size, data[at + 56:end].decode()))
        at, last = at + size, timestamp
    return entries


def check_names(entries, *names):
    found = {name.split('+')[0] for _, _, name in entries}
    for name in ('main', 'inner_loop', 'outer_loop', *names):
        check(name in found, f'{name} is not among the names')
    check(all(0 < size < 1 << 20 for _, size, _ in entries), 'sizes')


def main():
    os.chdir(work)
    with open('guest.c', 'w') as f:
        f.write(SOURCE)
    for name, more in (('static', ['-static']), ('dynamic', [])):
        subprocess.run([cross, '-O1', '-g', *more, '-o', name, 'guest.c'], check=True)
        options = [] if more else ['-L', '/usr/aarch64-linux-gnu']
        done = subprocess.run([*dragoman, *options, '-perfmap', '-jitdump', './' + name], capture_output=True, text=True, timeout=100)
        check(done.returncode == 0, done.stderr)
        pid, child = (int(re.search(word + r' (\d+)', done.stdout).group(1)) for word in ('pid', 'child'))
        parents, children = read_map(pid), read_map(child)
        check_names(parents)
        check_names(children, 'only_in_child')
        check(not any('only_in_child' in name for _, _, name in parents), "the child's code in its parent's map")
        dumped = read_dump(f'jit-{pid}.dump', pid)
        check(dumped == parents, 'map and dump differ')
        check_names(read_dump(f'jit-{child}.dump', child), 'only_in_child')
        if not more:
            check(any(name.startswith('_dl_') for _, _, name in parents) or any('ld-linux' in name for _, _, name in parents),
                  'nothing of the dynamic loader')
    measure()


def measure():
    perf = shutil.which('perf')
    record = [perf, 'record', '-q', '-e', 'cpu-clock', '-k', 'mono', '-o']
    if not perf or subprocess.run([*record, 'try.data', 'true'], capture_output=True).returncode != 0:
        print('(no perf here, or it may not measure: it was not tried)')
        return
    done = subprocess.run([*record, 'map.data', *dragoman, '-perfmap', './static', 'long'], capture_output=True, text=True, timeout=100)
    report = subprocess.run([perf, 'report', '-i', 'map.data', '--stdio', '--percent-limit', '5'], capture_output=True, text=True)
    check(re.search(r'inner_loop', report.stdout), report.stdout + report.stderr)
    for word in ('pid', 'child'):
        read_map(int(re.search(word + r' (\d+)', done.stdout).group(1)))
    subprocess.run([*record, 'dump.data', *dragoman, '-jitdump', './static', 'long'], capture_output=True, text=True, timeout=100)
    subprocess.run([perf, 'inject', '--jit', '-i', 'dump.data', '-o', 'injected.data'], capture_output=True)
    report = subprocess.run([perf, 'report', '-i', 'injected.data', '--stdio', '--percent-limit', '5'], capture_output=True, text=True)
    check(re.search(r'jitted-.*inner_loop', report.stdout), report.stdout + report.stderr)


with tempfile.TemporaryDirectory(prefix='dragoman-perf.') as work:
    main()

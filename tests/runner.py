#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the tests, two at a time, a line for each, and closes with `N passed, N failed`. Called by tests/run.

Kinds: unit (cmocka programs of the build folder, a line a case), guest (tests/guests/, cross-compiled at several
levels), bad (wrong input, dying guests), tool (-g, -perfmap, -jitdump, core files, kept translations, dragoman-binfmt), program (tests/programs/),
random (a minute of random instructions and the operands of TestFloat against QEMU, the decode table against
binutils).
"""
import argparse, collections, concurrent.futures, fnmatch, os, re, resource, shlex, signal, subprocess, sys, threading, time

here = os.path.dirname(os.path.abspath(__file__))
root = os.path.dirname(here)
cross = os.environ.get('GUEST_CC', 'aarch64-linux-gnu-gcc')
cross_root = '/usr/aarch64-linux-gnu'

# Guest programs: what differs from -O2, static.
LEVELS = ['-O0', '-O1', '-O2', '-O3']
GUESTS = {
    'control': LEVELS, 'floating': ['-O0', '-O2'], 'integer': ['-O0', '-O2'], 'faults': ['-O0', '-O2'],
    'signals': ['-O0', '-O2'], 'calls': ['-O0', '-O2'], 'selfmod': ['-O2'], 'compiling': ['-O2'], 'threads': ['-O0', '-O2'], 'translating': ['-O1'], 'ordering': ['-O0', '-O2'],
    'exclusives': LEVELS, 'litmus': LEVELS,
    'process': ['-O1'], 'killed': ['-O1'], 'exec': ['-O1'], 'pauth': ['-O0', '-O2'], 'copying': ['-O0', '-O2'], 'addresses': ['-O0', '-O2'], 'tracing': ['-O0', '-O2'],
    'seccomp': ['-O0', '-O2'], 'cloning': ['-O0', '-O2'], 'uring': ['-O0', '-O2'], 'sights': ['-O1'], 'layouts': ['-O1'], 'waiting': ['-O2'], 'contexts': ['-O2'], 'delivery': ['-O2'],
    'dispositions': ['-O2'], 'roots': ['-O0', '-O2'], 'hostile': ['-O2'],
    'bti': ['-O0', '-O2'], 'guarded': ['-O2'], 'invalid': ['-O0', '-O2'],
}
# Flags of one of them.
FLAGS = {
    'bti': ['-mbranch-protection=standard'], 'invalid': ['-ffp-contract=off'],
    'guarded': ['-mbranch-protection=standard', '-nostdlib', '-Wl,-z,force-bti'],
}
# Again on other CPUs.
CPUS = {'bti-O2': ['max,bti=off', 'cortex-a72'], 'guarded-O2': ['max,bti=off']}
DYNAMIC = ['control', 'calls', 'threads', 'signals', 'process', 'loaded']
# Again with parts of the translator changed: the code cache as small as it may be, each optimisation off, the interpreter.
ACCEL = {
    'control-O2': ['cache=256K', 'chain=off', 'predict=off', 'lookup=off', 'regions=off', 'fold=off', 'hot=1', 'backend=interp'],
    'integer-O2': ['fold=off', 'dce=off', 'hot=1', 'backend=interp'],
    'floating-O2': ['hot=1', 'traps=off', 'backend=interp'],
    'invalid-O2': ['hot=1', 'traps=off', 'regions=off', 'backend=interp'],
    'faults-O2': ['hot=1', 'regions=off', 'fold=off', 'backend=interp'],
    'signals-O2': ['hot=1', 'regions=off', 'predict=off', 'hot=1,number=off,dce=off'],
    'calls-O2': ['hot=1', 'hot=50', 'calls=off', 'hot=1,fold=off', 'hot=1,predict=off', 'hot=50,lookup=off', 'hot=1,thread=on',
                 'hot=20,thread=on,cache=256K', 'hot=3,verify=on', 'backend=interp'],
    'selfmod-O2': ['cache=256K', 'hot=1', 'chain=off', 'hot=1,thread=on', 'hot=20,thread=on,cache=256K'],
    'threads-O2': ['cache=256K', 'hot=1', 'hot=1,thread=on', 'hot=1,thread=on,cache=256K'],
    'process-O1': ['hot=1,thread=on', 'hot=1,thread=on,cache=256K'],
    'compiling-O2': ['thread=off', 'hot=20,thread=on', 'hot=1,thread=on,cache=256K'],
    'exclusives-O2': ['hot=1', 'exclusive=off', 'hot=1,exclusive=off', 'fold=off', 'regions=off', 'state=off', 'backend=interp'],
    'litmus-O2': ['hot=1', 'exclusive=off', 'fold=off', 'backend=interp'],
    'translating-O1': ['cache=256K', 'hot=1'],
    'hostile-O2': ['cache=256K', 'hot=1', 'backend=interp'],
    'pauth-O2': ['hot=1', 'fold=off', 'backend=interp'],
    'copying-O2': ['hot=1', 'backend=interp'],
    'addresses-O2': ['hot=1', 'fold=off', 'backend=interp'],
    'bti-O2': ['hot=1', 'hot=50,thread=on', 'lookup=off', 'predict=off', 'chain=off', 'backend=interp'],
}
# With each translation that was kept compared with a new one, twice: the second time there are some. Programs: what the others left.
KEPT = ['control-O2', 'calls-O2', 'integer-O2', 'floating-O2', 'invalid-O2', 'faults-O2', 'signals-O2', 'selfmod-O2', 'threads-O2', 'process-O1',
        'exclusives-O2', 'pauth-O2', 'bti-O2', 'cloning-O2']
KEPT_PROGRAMS = ['bash', 'grep', 'lua', 'openssl', 'perl', 'python3', 'sqlite3']
# Seconds, for one program.
TIMEOUTS = {'unit': 600, 'guest': 150, 'bad': 120, 'program': 400, 'random': 300, 'tool': 400}


class Test:
    def __init__(self, kind, name, command, env=None, prepare=None, tap=False):
        self.kind, self.name, self.command, self.env, self.prepare, self.tap = kind, name, command, env or {}, prepare, tap


def run(command, timeout, env, folder=root):
    """Status (negative: a signal, None: timed out) and output; every process that was started is gone afterwards."""
    with open('/dev/null') as null:
        process = subprocess.Popen(command, stdin=null, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=folder,
                                   env={**os.environ, **env}, start_new_session=True)
    try:
        output, _ = process.communicate(timeout=timeout)
        return process.returncode, output.decode(errors='replace')
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        return None, output.decode(errors='replace')


def collect(args):
    tests = []
    unit = os.path.join(args.build, 'tests')
    names = sorted(n for n in os.listdir(unit) if n.startswith('test_') and os.access(os.path.join(unit, n), os.X_OK)
                   and os.path.isfile(os.path.join(unit, n))) if os.path.isdir(unit) else []
    for name in names:
        tests.append(Test('unit', name[5:], [os.path.join(unit, name)], {'CMOCKA_MESSAGE_OUTPUT': 'TAP'}, tap=True))
    dragoman = shlex.split(args.dragoman)
    folder = os.path.join(args.build, 'tests', 'guests')
    os.makedirs(folder, exist_ok=True)
    flags = ['-std=gnu17', '-D_GNU_SOURCE', '-g', '-frounding-math', '-fno-strict-aliasing', '-I', here + '/guests']

    locks = collections.defaultdict(threading.Lock)  # several tests run one program

    def compile_guest(source, output, *more):
        with locks[output]:
            return compile_once(source, output, *more)

    def compile_once(source, output, *more):
        path = f'{here}/guests/{source}.c'
        newest = max(os.path.getmtime(path), os.path.getmtime(here + '/guests/check.h'))
        if os.path.exists(output) and os.path.getmtime(output) > newest:
            return 0, ''
        return run([cross, *flags, *more, '-o', output, path, '-lm', '-ldl', '-pthread'], 120, {})

    def guest(name, source, levels, accel=None, dynamic=False, cpu=None, twice=False):
        program = os.path.join(folder, name)
        command = [*(['sh', '-c', '"$@" && "$@"', 'twice'] if twice else []), *dragoman, *(['-accel', accel] if accel else []), *(['-cpu', cpu] if cpu else []), *(['-L', cross_root] if dynamic else []), program]
        steps = [(source, program, *levels, *([] if dynamic else ['-static']))]
        if source == 'loaded':
            plugins = [os.path.join(folder, f'plugin{i}.so') for i in (1, 2)]
            steps += [('plugin', p, '-O1', '-shared', '-fPIC', f'-DVALUE={v}') for p, v in zip(plugins, (11, 22))]
            command += plugins

        def prepare():
            for step in steps:
                status, output = compile_guest(*step)
                if status != 0:
                    return output or 'the cross compiler failed'
            return None
        label = name + (f' {accel}' if accel else '') + (f' {cpu}' if cpu else '')
        tests.append(Test('guest', label, command, {}, prepare))

    for source, levels in GUESTS.items():
        for level in levels:
            name = source + level
            options = [level, *FLAGS.get(source, [])]
            guest(name, source, options)
            for cpu in CPUS.get(name, []):
                guest(name, source, options, cpu=cpu)
            for part in ACCEL.get(name, []) if args.accel else []:
                guest(name, source, options, 'translator,' + part)
            if name in KEPT and args.accel:
                guest(name, source, options, 'translator,keep=check', twice=True)
    for source in DYNAMIC:
        guest(source + '-dynamic', source, ['-O2'], dynamic=True)
        if args.accel:
            guest(source + '-dynamic', source, ['-O2'], 'translator,keep=check', dynamic=True, twice=True)

    true_c = os.path.join(folder, 'true.c')
    with open(true_c, 'w') as f:
        f.write('int main(void) { return 0; }\n')
    true_static, true_dynamic = os.path.join(folder, 'true-static'), os.path.join(folder, 'true-dynamic')

    def make_true():
        for command in ([cross, '-static', '-o', true_static, true_c], [cross, '-o', true_dynamic, true_c]):
            status, output = run(command, 60, {})
            if status != 0:
                return output
        return None
    env = {'DRAGOMAN': args.dragoman, 'GUEST_TRUE': true_static, 'GUEST_DYNAMIC': true_dynamic, 'GUEST_CC': cross}
    tests.append(Test('bad', 'input', [here + '/bad_input.sh'], env, make_true))
    tests.append(Test('bad', 'faulting guest', [here + '/faulting.sh'], env))
    tests.append(Test('tool', 'gdb', [here + '/debug/test_gdb.py'], env, tap=True))
    tests.append(Test('tool', 'perf', [here + '/perf_map.py'], env))
    tests.append(Test('tool', 'core files', [here + '/core_files.py'], env))
    tests.append(Test('tool', 'keep', [here + '/keep.py'], env))
    tests.append(Test('tool', 'binfmt', [here + '/binfmt.sh'], env))

    minute = ['--build', args.build, '--seed', '1', '--seconds', '60']
    tests.append(Test('random', 'instructions', [here + '/random/run', *minute], env))
    tests.append(Test('random', 'floating point', [here + '/testfloat/run', '--build', args.build], env))
    tests.append(Test('random', 'disassembly', [here + '/disassembly.py', '--build', args.build], env))
    coverage = [os.path.join(args.build, 'tests', 'decode_coverage'), '--sample', here + '/decode-differences.txt']
    tests.append(Test('random', 'decode coverage', coverage, env))

    for name in sorted(os.listdir(here + '/programs')):
        if name.endswith('.sh'):
            command = [here + '/program', f'{here}/programs/{name}']
            tests.append(Test('program', name[:-3], command, {'DRAGOMAN': args.dragoman}))
            if name[:-3] in KEPT_PROGRAMS and args.accel:
                tests.append(Test('program', name[:-3] + ' keep=check', command, {'DRAGOMAN': args.dragoman, 'DRAGOMAN_KEEP': 'check'}))
    if args.only:
        tests = [t for t in tests if any(fnmatch.fnmatch(f'{t.kind} {t.name}', p) or fnmatch.fnmatch(t.name, p) or t.kind == p
                                         for p in args.only)]
    return tests


def execute(test):
    """List of (name, passed or None for skipped, seconds, detail)."""
    start = time.monotonic()
    limit = TIMEOUTS[test.kind]
    if test.prepare:
        message = test.prepare()
        if message:
            return [(test.name, False, time.monotonic() - start, message)]
    status, output = run(test.command, limit, test.env, here if test.tap else root)
    seconds = time.monotonic() - start
    why = f'timed out after {limit} s' if status is None else f'killed by {signal.Signals(-status).name}' if status < 0 else f'status {status}'
    if test.tap:
        results = []
        for word, skipped, name in re.findall(r'^(not ok|ok) \d+ (- |# SKIP )(\S+)', output, re.M):
            good = None if skipped != '- ' else word == 'ok'
            results.append((f'{test.name}.{name}', good, 0, output if good is False else ''))
        if results:
            results[-1] = (*results[-1][:2], seconds, results[-1][3])
        # A program that dies has not run its other cases; one without cases tests nothing.
        if (status != 0 and all(r[1] is not False for r in results)) or not results:
            results.append((test.name, False, seconds, f'{why}\n{output}'))
        return results
    return [(test.name, status == 0, seconds, f'{why}\n{output}')]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default=os.path.join(root, 'build'))
    parser.add_argument('--dragoman', default=os.environ.get('DRAGOMAN'), help='command to test (default: that of the build)')
    parser.add_argument('--no-accel', dest='accel', action='store_false', help='without the runs that change -accel')
    parser.add_argument('-j', type=int, default=min(4, os.cpu_count() or 2))
    parser.add_argument('--list', action='store_true')
    parser.add_argument('only', nargs='*', help='kinds, names or patterns')
    args = parser.parse_args()
    args.build = os.path.abspath(args.build)
    args.dragoman = args.dragoman or os.path.join(args.build, 'dragoman')
    os.environ['DRAGOMAN_KEEPDIR'] = os.path.join(args.build, 'tests', 'kept')
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    tests = collect(args)
    if args.list:
        for test in tests:
            print(test.kind, test.name)
        return 0
    # The longest first, so that two workers end together; printed as they end.
    order = {'program': 0, 'random': 1, 'tool': 2, 'unit': 3, 'guest': 4, 'bad': 5}
    long = ['gcc', '7zip', 'python3', 'sqlite3', 'openssl', 'xz']
    tests.sort(key=lambda t: (order[t.kind], long.index(t.name) if t.name in long else len(long)))
    passed, skipped, failures, lock = 0, 0, [], threading.Lock()

    def report(test):
        nonlocal passed, skipped
        results = execute(test)
        with lock:
            for name, good, seconds, detail in results:
                word = 'skip  ' if good is None else 'ok    ' if good else 'FAILED'
                print(f'{word} {test.kind} {name} ({seconds:.1f} s)')
                if good is None:
                    skipped += 1
                elif good:
                    passed += 1
                else:
                    failures.append(f'{test.kind} {name}')
                    lines = detail.strip().split('\n')
                    print('\n'.join('    ' + line for line in (lines if len(lines) <= 50 else lines[:30] + ['…'] + lines[-20:])))
            sys.stdout.flush()

    with concurrent.futures.ThreadPoolExecutor(args.j) as pool:
        for future in [pool.submit(report, test) for test in tests]:
            future.result()
    if failures:
        print('\nFailed:')
        for name in failures:
            print('    ' + name)
    print(f'\n{passed} passed, {len(failures)} failed' + (f', {skipped} skipped' if skipped else ''))
    return 1 if failures or not passed else 0


sys.exit(main())

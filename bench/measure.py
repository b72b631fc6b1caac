#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Measures native amd64, dragoman and QEMU on the same work, interleaved, and compares medians of CPU time (user + system).

QEMU is run as `-cpu cortex-a57` and as `-cpu max` in the first round; the faster of the two stands for it on that line.
dragoman's folder of kept translations is empty in the first round, and has what that left in the next ones, but for the lines "first run".
The ratio `x native` is how many times the native time was needed; `x QEMU` how many times faster than QEMU. Lines of threads
compare wall time, as does what is said of their scaling. The group `userland` (bench/userland) needs root and the arm64 Debian that
tests/userland/bootstrap makes; without them it is left out, and the table says why.
"""
import argparse, fnmatch, glob, hashlib, json, math, os, platform, shutil, statistics, subprocess, sys, time

here = os.path.dirname(os.path.abspath(__file__))

GROUPS = {'integer': 'Integer', 'double': 'Scalar double', 'float': 'Vector float', 'vector': 'Vector integer', 'crypto': 'Cryptography', 'program': 'Programs', 'start': 'Start-up',
          'calls': 'System calls', 'signals': 'Signals', 'processes': 'Processes', 'threads': 'Threads (wall time)', 'userland': 'Debian in a chroot'}
SOURCES = {
    'integer': ['mixed', 'pointers', 'sorting', 'hashing', 'compression', 'interpreter', 'recursion', 'indirect', 'strings'],
    'double': ['nbody', 'mandelbrot', 'spectral', 'polynomial'],
    'float': ['saxpy', 'matmul', 'stencil'],
    'vector': ['blend', 'filter', 'sums'],
}
# Programs that do something COUNT times: name of the line, program and kind, count.
COUNTED = {
    'calls': [('getppid', 'calls getppid', 500000), ('read /dev/zero', 'calls read', 400000), ('pipe', 'calls pipe', 300000),
              ('futex wake', 'calls futex', 400000), ('clock_gettime', 'calls clock', 4000000), ('open, close', 'calls open', 100000),
              ('stat', 'calls stat', 150000), ('mmap, munmap', 'calls mmap', 60000)],
    'signals': [('kill', 'signals kill', 50000), ('SIGSEGV, repaired', 'signals fault', 30000), ('between threads', 'signals pingpong', 30000)],
    'processes': [('fork, exit, wait', 'processes fork', 500), ('thread, join', 'processes thread', 5000)],
}
USERLAND_ROUNDS = 2 # they take minutes
THREADED = ['compute', 'atomic', 'mutex']
# Lines of bench/userland: whether the host's compiler can do the same.
USERLAND = {'shell': ('100 x sh -c true', True), 'configure': ('configure', True), 'compile': ('gcc -O2 -c', True), 'build': ('package build, make -j2', True),
            'install': ('apt-get install', False)}

PYTHON = '''
import json, re, hashlib, random
random.seed(1)
words = ["".join(random.choices("abcdefghij", k=5)) for _ in range(12000)]
d = {}
for w in words: d[w] = d.get(w, 0) + 1
s = json.dumps(d); json.loads(s)
n = len(re.findall(r"([a-j])[a-e]\\\\1", " ".join(words)))
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
class P:
    def __init__(self, x): self.x = x
    def step(self, k): self.x = (self.x * 31 + k) % 1000003
p = P(1)
for i in range(120000): p.step(i)
print(n, fib(21), p.x, sorted(words)[77], hashlib.sha256(s.encode()).hexdigest()[:8], sum(x * x for x in range(100000)))
'''
PERL = '''my (%h, $x, $t) = ((), 1, ""); for my $i (1 .. 200000) { $x = ($x * 1103515245 + 12345) & 0x7fffffff; $h{$x % 5003} .= chr(97 + $x % 26); }
$t = join " ", map { $h{$_} } sort keys %h; my $n = () = $t =~ /([aeiou])[^aeiou]\\1/g; (my $u = $t) =~ s/(\\w)(\\w)/$2$1/g;
sub fib { my $n = shift; $n < 2 ? $n : fib($n - 1) + fib($n - 2) } print "$n ", fib(20), " ", length($u), " ", substr($u, 1000, 9), "\\n";'''
LUA = '''local t, x = {}, 42 for i = 1, 120000 do x = (x * 1103515245 + 12345) % 2147483648; t[i] = x end table.sort(t)
local function fib(n) if n < 2 then return n end return fib(n - 1) + fib(n - 2) end
local s = {} for i = 1, 60000 do s[#s + 1] = string.format("%d:%x", i, t[i]) end local n = 0 for w in table.concat(s, " "):gmatch("%d+:a%x+") do n = n + 1 end
print(t[1], fib(27), #s, n)'''
SQL = '''CREATE TABLE t(a INTEGER PRIMARY KEY, b TEXT, c REAL);
WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 60000) INSERT INTO t SELECT i, printf('%x-%d', i * 7919 % 65537, i), i / 4.0 FROM n;
CREATE INDEX ib ON t(b); SELECT count(*), sum(c), max(b) FROM t WHERE b LIKE '%3f%'; SELECT a % 10, count(*), avg(c) FROM t GROUP BY 1 ORDER BY 1;
SELECT count(*) FROM t x JOIN t y ON x.a = y.a + 7 WHERE x.b > y.b;'''
BASH = '''declare -A h; for ((i = 0; i < 45000; i++)); do ((s = (s * 31 + i) & 0xffffff)); h[$((s % 97))]=$i; done
text='the quick brown fox'; for ((i = 0; i < 3000; i++)); do t=${text//o/$i}; [[ $t == *9* ]] && ((n++)); done; echo $s ${#h[@]} $n'''
AWK = '''BEGIN { srand(1); for (i = 0; i < 250000; i++) { k = int(rand() * 9000); c[k] += i; if (k % 50 == 0) s = s substr("abcdefgh", k % 7 + 1, 2) }
n = asorti(c, d); gsub(/ab|cd/, "<&>", s); m = split(s, p, /[<>]/); print n, length(s), m }'''


class Line:
    def __init__(self, group, name, native, guest, guest_options=(), env=None, guest_env=None, count=None, wall=False, userland=None):
        self.group, self.name, self.native, self.guest = group, name, native, guest
        self.count, self.wall = count, wall     # how often something is done; wall time is compared, not CPU time
        self.userland = userland                # a function from native, dragoman's or QEMU's file to the command
        self.guest_options, self.env, self.guest_env = list(guest_options), env or {}, guest_env or {}
        self.samples = {}


def compile_all(folder):
    os.makedirs(folder, exist_ok=True)
    host_major = subprocess.run(['gcc', '-dumpversion'], capture_output=True, text=True).stdout.strip()
    sources = [(n, '-O3' if g in ('float', 'vector') else '-O2') for g, names in SOURCES.items() for n in names]
    sources += [(n, '-O2') for n in sorted({program.split()[0] for lines in COUNTED.values() for _, program, _ in lines} | {'threads'})]
    with open(os.path.join(folder, 'true.c'), 'w') as f:
        f.write('int main(void) { return 0; }\n')
    jobs = [(f'{here}/src/{n}.c', n, level) for n, level in sources] + [(os.path.join(folder, 'true.c'), 'true', '-O2')]
    for source, name, level in jobs:
        for compiler, end in (('gcc', 'native'), ('aarch64-linux-gnu-gcc', 'guest')):
            output = os.path.join(folder, f'{name}-{end}')
            if not os.path.exists(output) or os.path.getmtime(output) < max(os.path.getmtime(source), os.path.getmtime(here + '/src/bench.h')):
                subprocess.run([compiler, '-std=gnu17', level, '-ffp-contract=off', '-static', '-I', here + '/src', '-o', output, source, '-lm', '-pthread'], check=True)
    launch = os.path.join(folder, 'launch')
    if not os.path.exists(launch) or os.path.getmtime(launch) < os.path.getmtime(here + '/launch.c'):
        subprocess.run(['gcc', '-O2', '-static', '-o', launch, here + '/launch.c'], check=True)
    return host_major, launch


def collect(folder, data):
    lines = []
    for group, names in SOURCES.items():
        for name in names:
            lines.append(Line(group, name, [f'{folder}/{name}-native'], [f'{folder}/{name}-guest']))
    arm, amd = data + '/sysroot-arm64', data + '/sysroot-amd64'
    loader = [amd + '/lib64/ld-linux-x86-64.so.2', '--library-path', f'{amd}/lib/x86_64-linux-gnu:{amd}/usr/lib/x86_64-linux-gnu']
    perl_folder = amd + '/usr/lib/x86_64-linux-gnu'
    env = {'PYTHONHOME': amd + '/usr', 'PERL5LIB': f'{perl_folder}/perl-base:{perl_folder}/perl/5.36:{amd}/usr/share/perl/5.36'}
    sample, part, large, tiny, big = (f'{folder}/{name}' for name in ('sample', 'part', 'large', 'tiny.c', 'big.c'))
    with open(sample, 'wb') as out:
        for path in sorted(glob.glob(amd + '/usr/lib/python3.11/*.py')) + [amd + '/usr/bin/python3.11']:
            with open(path, 'rb') as f:
                out.write(f.read())
    with open(sample, 'rb') as f, open(part, 'wb') as out:
        out.write(f.read(3000000))
    with open(sample, 'rb') as f, open(large, 'wb') as out:
        out.write(f.read() * 12)
    with open(tiny, 'w') as f:
        f.write('int f(int a) { return a + 1; }\n')
    with open(big, 'w') as f:
        for i in range(70):
            f.write(f'unsigned long f{i}(unsigned long x, const int *p) {{ for (int i = 0; i < {i + 3}; i++) {{ x ^= x >> {i % 9 + 3}; x *= {i * 2 + 3}ul; '
                    f'if (p[i] & {i + 1}) x += (unsigned long)p[i & {i}]; else switch (x & 3) {{ case 0: x -= 5; break; case 1: x ^= {i}; }} }} return x; }}\n')
    cross = subprocess.run(['aarch64-linux-gnu-gcc-12', '-print-prog-name=cc1'], capture_output=True, text=True).stdout.strip()
    cc1 = arm + '/usr/lib/gcc/aarch64-linux-gnu/12/cc1'

    def program(group, name, path, args, native=None, guest_env=None):
        path = path if os.path.exists(f'{arm}/{path}') else 'usr/' + path
        lines.append(Line(group, name, native or loader + [f'{amd}/{path}', *args], [f'{arm}/{path}', *args], ['-L', arm], env, guest_env))

    program('program', 'python3', 'usr/bin/python3.11', ['-S', '-c', PYTHON])
    program('program', 'perl', 'usr/bin/perl', ['-e', PERL])
    program('program', 'lua', 'usr/bin/lua5.4', ['-e', LUA])
    program('program', 'gawk', 'usr/bin/gawk', [AWK])
    program('program', 'bash', 'bin/bash', ['-c', BASH])
    program('program', 'sqlite3', 'usr/bin/sqlite3', [':memory:', SQL])
    program('program', 'xz', 'usr/bin/xz', ['-1', '-T1', '-c', part])
    program('program', 'zstd', 'usr/bin/zstd', ['-q', '-8', '--single-thread', '-c', sample])
    program('program', 'gzip', 'bin/gzip', ['-n', '-6', '-c', sample])
    program('program', 'openssl', 'usr/bin/openssl', ['dgst', '-r', '-sha3-256', *[sample] * 3])
    key = ['-K', '00112233445566778899aabbccddeeff', '-iv', '0123456789abcdef0123456789abcdef', '-in', large, '-out', '/dev/null']
    program('crypto', 'aes-128-cbc', 'usr/bin/openssl', ['enc', '-aes-128-cbc', *key])
    program('crypto', 'aes-128-ctr', 'usr/bin/openssl', ['enc', '-aes-128-ctr', *key])
    program('crypto', 'sha1', 'usr/bin/openssl', ['dgst', '-r', '-sha1', *[sample] * 24])
    program('crypto', 'sha256', 'usr/bin/openssl', ['dgst', '-r', '-sha256', *[sample] * 24])
    lines.append(Line('program', 'cc1', [cross, '-quiet', '-fno-ident', '-O2', '-o', '-', big], [cc1, '-quiet', '-fno-ident', '-O2', '-o', '-', big], ['-L', arm]))
    lines.append(Line('start', 'true (static)', [folder + '/true-native'], [folder + '/true-guest']))
    program('start', 'true (dynamic)', 'bin/true', [])
    program('start', 'python3 -S -c pass', 'usr/bin/python3.11', ['-S', '-c', 'pass'])
    one_line = ['-quiet', '-fno-ident', '-o', '-', tiny]
    lines.append(Line('start', 'cc1 (one line)', [cross, *one_line], [cc1, *one_line], ['-L', arm]))
    first = {'DRAGOMAN_KEEP': 'off'}
    program('start', 'python3, first run', 'usr/bin/python3.11', ['-S', '-c', 'pass'], guest_env=first)
    lines.append(Line('start', 'cc1, first run', [cross, *one_line], [cc1, *one_line], ['-L', arm], guest_env=first))
    for group, counted in COUNTED.items():
        for name, words, count in counted:
            name_of_program, kind = words.split()
            lines.append(Line(group, name, *([f'{folder}/{name_of_program}-{end}', kind, str(count)] for end in ('native', 'guest')), count=count))
    for kind in THREADED:
        for n in (1, 2):
            lines.append(Line('threads', f'{kind}, {n} thread{"s" if n > 1 else ""}', *([f'{folder}/threads-{end}', kind, str(n)] for end in ('native', 'guest')), wall=True))
    return lines


def collect_userland(folder, launch, dragoman):
    """The lines, or none and why."""
    script = here + '/userland'
    if not dragoman:
        return [], 'there is no static dragoman (-Dstatic=true)'
    done = subprocess.run([script, 'prepare', folder, dragoman], stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode:
        return [], (done.stderr.strip() or 'it could not be prepared').split('\n')[-1]
    return [Line('userland', name, native or None, None, userland=lambda file, key=key: [script, 'run', folder, file, key, launch, launch + '.usage'])
            for key, (name, native) in USERLAND.items()], None


def same_compilers(folder):
    """The package's native time means something if both compilers are of one version."""
    version = ['dpkg-query', '-W', '-f', '${Version}', 'gcc-12']
    host = subprocess.run(version, capture_output=True, text=True)
    status = os.path.join(os.environ.get('DRAGOMAN_USERLAND', os.path.dirname(folder) + '/userland'), 'var/lib/dpkg')
    guest = subprocess.run([version[0], '--admindir', status, *version[1:-1], 'gcc-12:arm64'], capture_output=True, text=True)
    return host.returncode == 0 and guest.returncode == 0 and host.stdout == guest.stdout


def measure(launch, command, env, limit, own_launch=False):
    """CPU seconds, KiB, wall seconds and a digest of stdout; None when the command failed or took too long."""
    usage = launch + '.usage'
    base = {k: v for k, v in os.environ.items() if k in ('PATH', 'HOME', 'TMPDIR', 'DRAGOMAN_USERLAND', 'DRAGOMAN_KEEPDIR')}
    try:
        done = subprocess.run(command if own_launch else [launch, usage, *command], env={**base, 'LC_ALL': 'C', 'OPENSSL_CONF': '/dev/null', **env}, stdin=subprocess.DEVNULL,
                              capture_output=True, timeout=limit)
    except subprocess.TimeoutExpired:
        return None
    if done.returncode != 0:
        return None
    with open(usage) as f:
        user, system, wall, rss, status = map(int, f.read().split())
    if status != 0:
        sys.stderr.write(done.stderr.decode(errors='replace')[-500:])
        return None
    return (user + system) / 1e6, rss, wall / 1e6, hashlib.md5(done.stdout).hexdigest()


def mean(values):
    values = [v for v in values if v]
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def number(value, form='{:.2f}'):
    return form.format(value) if value is not None else '–'


def duration(seconds):
    return '–' if seconds is None else f'{seconds * 1000:.1f} ms' if seconds < 0.1 else f'{seconds:.2f} s'


def rate(seconds, count):
    per_second = count / seconds if seconds else 0
    return '–' if not seconds else f'{per_second / 1e6:.2f} M/s' if per_second >= 1e6 else f'{per_second / 1e3:.1f} k/s' if per_second >= 1e3 else f'{per_second:.0f} /s'


def scaling(rows):
    """What a second thread brings: the wall time with two threads, times that with one."""
    walls = {r['name']: r for r in rows if r['group'] == 'threads'}
    parts = []
    for kind in THREADED:
        one, two = walls.get(f'{kind}, 1 thread'), walls.get(f'{kind}, 2 threads')
        if one and two and all(one[k] and two[k] for k in ('native', 'dragoman', 'qemu')):
            parts.append(f'{kind} ' + ', '.join(f'{label} {two[k] / one[k]:.2f}' for k, label in (('native', 'native'), ('dragoman', 'dragoman'), ('qemu', 'QEMU'))))
    return f'Wall time of two threads, times that of one, for the same work: {"; ".join(parts)}.' if parts else None


def table(rows, about, missing):
    out = [about, '']
    for group, title in GROUPS.items():
        part = [r for r in rows if r['group'] == group]
        if not part:
            continue
        out += [f'| {title} | native | dragoman | QEMU | dragoman x native | QEMU x native | **x QEMU** | memory, QEMU |', '|---|--:|--:|--:|--:|--:|--:|--:|']
        for r in part:
            shown = [rate(r[k], r['count']) if r['count'] else duration(r[k]) for k in ('native', 'dragoman', 'qemu')]
            out.append(f'| {r["name"]} | {" | ".join(shown)} | {number(r["dragoman_ratio"])} '
                       f'| {number(r["qemu_ratio"])} | **{number(r["speedup"])}** | {r["dragoman_kib"] // 1024}, {r["qemu_kib"] // 1024} MiB |')
        out.append(f'| *geometric mean* | | | | {number(mean([r["dragoman_ratio"] for r in part]))} | {number(mean([r["qemu_ratio"] for r in part]))} '
                   f'| **{number(mean([r["speedup"] for r in part]))}** | |')
        out.append('')
        if group == 'threads' and scaling(part):
            out += [scaling(part), '']
    if missing:
        out += [f'{GROUPS["userland"]}: not measured, {missing}.', '']
    fp = [r for r in rows if r['group'] in ('double', 'float')]
    if fp:
        out += [f'All floating-point lines: {number(mean([r["speedup"] for r in fp]))} times as fast as QEMU, {number(mean([r["dragoman_ratio"] for r in fp]))} x native.', '']
    slower = [r['name'] for r in rows if not r['speedup'] or r['speedup'] < 1]
    out.append(f'Lines on which dragoman is not faster than QEMU: {", ".join(slower) or "none"}.')
    worst = max(((r['dragoman_kib'] - r['qemu_kib']) / 1024 for r in rows if r['dragoman_kib'] and r['qemu_kib']), default=0)
    out.append(f'Memory against QEMU on the worst line: {worst:+.0f} MiB.')
    return '\n'.join(out)


def picture(rows, about):
    """Bars of the times native, a logarithmic axis: shorter is better."""
    rows = [r for r in rows if r['dragoman_ratio'] and r['qemu_ratio']]
    left, width, right, bar, gap, head = 170, 620, 70, 9, 8, 74
    top = max([r['qemu_ratio'] for r in rows] + [r['dragoman_ratio'] for r in rows] + [10])
    low = min([1] + [r['dragoman_ratio'] for r in rows])
    low, decades = math.floor(math.log10(low) * 3) / 3, math.ceil(math.log10(top))
    scale = width / (decades - low)
    position = lambda v: left + (math.log10(v) - low) * scale
    parts, y = [], head
    for group, title in GROUPS.items():
        part = [r for r in rows if r['group'] == group]
        if not part:
            continue
        parts.append(f'<text x="12" y="{y + 12}" class="g">{title}: {mean([r["speedup"] for r in part]):.1f} times as fast as QEMU</text>')
        y += 22
        for r in part:
            parts.append(f'<text x="{left - 8}" y="{y + bar + 3}" class="n">{r["name"]}</text>')
            for k, key in enumerate(('qemu', 'dragoman')):
                ratio = r[key + '_ratio']
                end, one = position(ratio), position(1)
                parts.append(f'<rect x="{min(one, end):.1f}" y="{y + k * bar}" width="{max(abs(end - one), 1):.1f}" height="{bar - 1}" class="{key}"/>'
                             f'<text x="{max(end, one) + 4:.1f}" y="{y + k * bar + bar - 1.5}" class="v">{ratio:.2g}</text>'.replace('e+02', '00'))
            y += 2 * bar + gap
        y += 8
    grid = []
    for decade in range(math.floor(low), decades + 1):
        for step in (1, 2, 5):
            v = step * 10.0 ** decade
            if low <= math.log10(v) + 1e-9 and math.log10(v) <= decades + 1e-9:
                x = position(v)
                grid.append(f'<line x1="{x:.1f}" y1="{head - 12}" x2="{x:.1f}" y2="{y}" class="{"one" if v == 1 else "grid"}"/>'
                            f'<text x="{x:.1f}" y="{head - 16}" class="a">{v:g}</text>')
    total = left + width + right
    return f'''<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {total} {y + 10}" width="{total}" height="{y + 10}" font-family="sans-serif" font-size="11">
<style>.g{{font-weight:bold;font-size:12px}}.n{{text-anchor:end}}.a{{text-anchor:middle;fill:#777}}.v{{font-size:8.5px;fill:#555}}.grid{{stroke:#e4e4e4}}.one{{stroke:#888}}.qemu{{fill:#c9b7a3}}.dragoman{{fill:#1f6f8b}}</style>
<rect width="100%" height="100%" fill="#fff"/>
<text x="12" y="20" font-size="14" font-weight="bold">CPU time, times native (logarithmic; shorter is better)</text>
<text x="12" y="38" fill="#555">{about}</text>
<rect x="{total - 190}" y="10" width="12" height="10" class="qemu"/><text x="{total - 174}" y="19">QEMU</text>
<rect x="{total - 120}" y="10" width="12" height="10" class="dragoman"/><text x="{total - 104}" y="19">dragoman</text>
{"".join(grid)}
{"".join(parts)}
</svg>
'''


def main():
    root = os.path.dirname(here)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default=root + '/build')
    parser.add_argument('--data', default=root + '/build/tests-data', help='folder of the sysroots (tests/fetch)')
    parser.add_argument('--dragoman', help='default: that of the build')
    parser.add_argument('--accel', help="dragoman's -accel option")
    parser.add_argument('--static', help='a statically linked dragoman, for the userland (default: that of BUILD/static)')
    parser.add_argument('--qemu', default='qemu-aarch64')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--limit', type=float, default=120, help='seconds for one run')
    parser.add_argument('--only', nargs='*', help='groups, names or patterns')
    parser.add_argument('--output', help='prefix of the files written: .md .svg .json (default: BUILD/bench)')
    args = parser.parse_args()
    folder = os.path.abspath(args.build) + '/bench-programs'
    dragoman = [os.path.abspath(args.dragoman or args.build + '/dragoman')] + (['-accel', args.accel] if args.accel else [])
    compiler, launch = compile_all(folder)
    kept = folder + '/kept'
    shutil.rmtree(kept, ignore_errors=True)
    os.makedirs(kept, 0o700)
    os.environ['DRAGOMAN_KEEPDIR'] = kept
    wanted = lambda group, name: not args.only or any(group == p or fnmatch.fnmatch(name, p) for p in args.only)
    lines = [l for l in collect(folder, os.path.abspath(args.data)) if wanted(l.group, l.name)]
    static = os.path.abspath(args.static or args.build + '/static/dragoman')
    missing = None
    if any(wanted('userland', name) for name, _ in USERLAND.values()):
        userland_lines, missing = collect_userland(os.path.abspath(args.build) + '/bench-userland', launch, static if os.path.exists(static) else None)
        lines += [l for l in userland_lines if wanted(l.group, l.name)]
        if missing:
            print(f'{GROUPS["userland"]}: skipped, {missing}', file=sys.stderr)
        if not same_compilers(folder):
            for line in userland_lines:
                line.native = None
    qemu = subprocess.run(['/bin/sh', '-c', 'command -v "$0"', args.qemu], capture_output=True, text=True).stdout.strip()
    version = subprocess.run([qemu, '--version'], capture_output=True, text=True).stdout.split('\n')[0].split(' version ')[-1].split(' (')[0]
    with open('/proc/cpuinfo') as f:
        cpu = next((x.split(':')[1].strip() for x in f if x.startswith('model name')), platform.machine())
    about = f'{cpu}, gcc {compiler}, QEMU {version}, median of {args.rounds} rounds'
    start, failures = time.monotonic(), []
    for round_number in range(args.rounds):
        for line in lines:
            if line.userland:
                if round_number >= USERLAND_ROUNDS:
                    continue
                commands = {'native': line.userland('native')} if line.native else {}
                commands['dragoman'] = line.userland(static)
            else:
                commands = {'native': line.native, 'dragoman': dragoman + line.guest_options + line.guest}
            for model in ('cortex-a57', 'max'):
                chosen = line.samples.get('model')
                if chosen in (None, model):
                    commands['qemu ' + model] = line.userland(qemu) if line.userland else [qemu, '-cpu', model] + line.guest_options + line.guest
            digests = {}
            for kind, command in commands.items():
                env = line.env if kind == 'native' else line.guest_env
                if line.userland and kind.startswith('qemu '):
                    env = {**env, 'QEMU_CPU': kind[5:]}
                result = measure(launch, command, env, args.limit * (10 if line.userland else 1), line.userland is not None)
                if result:
                    line.samples.setdefault(kind, []).append((result[2] if line.wall else result[0], result[1]))
                    if kind != 'native' or not line.userland:   # the host's compiler makes another file
                        digests[kind] = result[3]
                elif (line.name, kind) not in failures:
                    failures.append((line.name, kind))
                    print(f'{line.name}: {kind} failed', file=sys.stderr)
            if len(set(digests.values())) > 1 and (line.name, 'output') not in failures:
                failures.append((line.name, 'output'))
                print(f'{line.name}: the outputs differ: {digests}', file=sys.stderr)
            models = {k: v[0][0] for k, v in line.samples.items() if k.startswith('qemu ')}
            if models and 'model' not in line.samples:
                line.samples['model'] = min(models, key=models.get)[5:]
        print(f'round {round_number + 1} of {args.rounds}: {time.monotonic() - start:.0f} s', file=sys.stderr)
    rows = []
    for line in lines:
        kinds = {'native': 'native', 'dragoman': 'dragoman', 'qemu': 'qemu ' + line.samples.get('model', '')}
        row = {'group': line.group, 'name': line.name, 'model': line.samples.get('model'), 'count': line.count}
        for key, kind in kinds.items():
            samples = line.samples.get(kind)
            row[key] = statistics.median(s[0] for s in samples) if samples else None
            row[key + '_kib'] = max(s[1] for s in samples) if samples else 0
        for key in ('dragoman', 'qemu'):
            row[key + '_ratio'] = row[key] / row['native'] if row[key] and row['native'] else None
        row['speedup'] = row['qemu'] / row['dragoman'] if row['qemu'] and row['dragoman'] else None
        rows.append(row)
    text = table(rows, about, missing)
    print(text)
    prefix = args.output or os.path.abspath(args.build) + '/bench'
    for end, content in (('.md', text + '\n'), ('.svg', picture(rows, about)), ('.json', json.dumps({'about': about, 'rows': rows}, indent=1))):
        with open(prefix + end, 'w') as f:
            f.write(content)
    print(f'\nwritten: {prefix}.md .svg .json', file=sys.stderr)
    return 1 if failures else 0


sys.exit(main())

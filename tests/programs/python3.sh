# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    cat > threads.py <<'END'
import threading, queue, concurrent.futures as cf, time, hashlib
lock, total, q = threading.Lock(), 0, queue.Queue(10)
def add(n):
    global total
    for i in range(n):
        with lock: total += i & 3
ts = [threading.Thread(target=add, args=(5000,)) for _ in range(6)]
[t.start() for t in ts]; [t.join() for t in ts]; print(total)
def produce():
    for i in range(2000): q.put(i)
    q.put(None)
out = []
def consume():
    while (x := q.get()) is not None: out.append(x * x)
a, b = threading.Thread(target=produce), threading.Thread(target=consume)
a.start(); b.start(); a.join(); b.join(); print(sum(out))
with cf.ThreadPoolExecutor(4) as ex: print([h[:8] for h in ex.map(lambda i: hashlib.sha256(b'x' * 300000 + bytes([i])).hexdigest(), range(8))])
e = threading.Event(); threading.Timer(0.05, e.set).start(); print(e.wait(20))
tl = threading.local(); tl.x = 1; c = threading.Condition(); bar = threading.Barrier(3); r = []
def meet(i): bar.wait(); r.append(i)
ts = [threading.Thread(target=meet, args=(i,)) for i in range(3)]; [t.start() for t in ts]; [t.join() for t in ts]; print(sorted(r))
END
    cat > work.py <<'END'
import re, json, math, random, collections, itertools, functools, decimal, fractions, zlib, bz2, lzma, struct, base64, datetime, textwrap, io, csv, array, heapq, bisect, string, statistics, pickle, sqlite3, tempfile, os, sys, unicodedata, cmath, operator, hashlib, binascii, difflib, ast, dis
random.seed(1); words = [''.join(random.choices(string.ascii_lowercase, k=random.randint(2, 9))) for _ in range(6000)]
text = ' '.join(words)
print(len(re.findall(r'\b([a-z])\w*\1\b', text)), re.sub(r'(\w+) (\w+)', r'\2 \1', text)[:50], re.split(r'[xyz]+', text)[:3], bool(re.match(r'(?:a|b)*c(?=d)', 'ababcd')))
d = {w: {'n': i, 'f': i / 7, 'l': [i, None, True, w]} for i, w in enumerate(words)}
s = json.dumps(d, sort_keys=True); print(len(s), json.loads(s) == d, hashlib.md5(s.encode()).hexdigest(), json.dumps({'é': [1.5, 1e300, -0.0]}, indent=1))
for name in ('md5', 'sha1', 'sha256', 'sha512', 'sha3_256', 'blake2b', 'blake2s'): print(name, hashlib.new(name, text.encode()).hexdigest())
print(zlib.crc32(text.encode()), zlib.adler32(text.encode()), hash((1, 2, 3)), [len(m.compress(text.encode())) for m in (zlib, bz2)], lzma.decompress(lzma.compress(text.encode())) == text.encode())
print(math.factorial(60), math.gcd(2**90, 6**50), pow(3, 10**20, 10**9 + 7), 7**300 % 10**30, (2**521 - 1).bit_length(), str(3**2000)[:20])
print([f(0.7) for f in (math.sin, math.cos, math.tan, math.exp, math.log, math.gamma, math.erf, math.sinh, math.atan, math.sqrt, math.log1p)], cmath.exp(1j), math.fsum([0.1] * 10), 0.1 + 0.2, 1e16 + 1, round(2.675, 2), float('nan') != float('nan'), math.inf)
print(decimal.Decimal(2).sqrt(decimal.Context(50)), fractions.Fraction(355, 113) + 1, statistics.stdev(range(100)), [random.gauss(0, 1) for _ in range(2)], random.random())
print(collections.Counter(text).most_common(5), list(itertools.permutations('abc'))[3], functools.reduce(operator.xor, range(1000)), heapq.nsmallest(3, words), bisect.bisect(sorted(words), 'm'))
print(struct.pack('<hiqfd', -1, 2, -3, 1.5, 2.25).hex(), struct.unpack('>f', b'\x40\x49\x0f\xdb'), base64.b85encode(b'encode me'), datetime.datetime(2024, 2, 29) + datetime.timedelta(days=366), unicodedata.name('é'))
db = sqlite3.connect(':memory:'); db.execute('create table t(a integer primary key, b text, c real)'); db.executemany('insert into t values(?,?,?)', ((i, w, i * 0.5) for i, w in enumerate(words))); print(db.execute('select count(*), max(b), sum(c), avg(length(b)) from t where b like "%a%"').fetchone())
class A:
    def __init__(self, n): self.n = n
    def __lt__(self, o): return self.n < o.n
print(max(map(A, range(100))).n, pickle.loads(pickle.dumps(d)) == d, sorted(words, key=lambda w: (len(w), w))[:4], ''.join(difflib.ndiff(['a\n', 'b\n'], ['a\n', 'c\n'])), eval(compile(ast.parse('[x**2 for x in range(5)]', mode='eval'), '', 'eval')))
def gen(n):
    a, b = 0, 1
    for _ in range(n): yield a; a, b = b, a + b
print(list(gen(12)), sum(gen(300)))
def nq(n, r=0, c=0, x=0, y=0): return 1 if r == n else sum(nq(n, r + 1, c | 1 << i, x | 1 << r + i, y | 1 << r - i + n) for i in range(n) if not (c >> i & 1 or x >> r + i & 1 or y >> r - i + n & 1))
print(nq(6)); A0 = array.array('d', [i / 3 for i in range(1000)]); print(sum(A0), sys.byteorder, sys.maxsize)
try: 1 / 0
except ZeroDivisionError as e: print(e)
def deep(n): return n and deep(n - 1) + 1
print(deep(900))
try: deep(10**6)
except RecursionError: print('recursion')
pid = os.fork()
if pid == 0: os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
import signal
signal.signal(signal.SIGALRM, lambda s, f: print('alarm', s)); signal.setitimer(signal.ITIMER_REAL, 0.01); signal.pause()
sys.exit(11)
END
}
check() {
    run python3 -c 'print("pass", 6 * 7)'
    run python3 "$inputs/threads.py"
    run python3 "$inputs/work.py"
    [ $? = 11 ] && run python3 -m json.tool <<< '{"a": [1, 2.5, "é"]}'
    run python3 -c 'import zipfile, io; b = io.BytesIO(); z = zipfile.ZipFile(b, "w", 8); z.writestr("a", "x" * 10000); z.close(); print(len(b.getvalue()))'
    run python3 -X utf8 -c 'import asyncio
async def f(i): await asyncio.sleep(0.01 * i); return i
async def main(): print(await asyncio.gather(*map(f, range(5))))
asyncio.run(main())'
    run python3 -c 'raise ValueError("text")'
    [ $? = 1 ]
}

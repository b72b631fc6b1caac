#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dragoman -g: sessions of gdb-multiarch, and a client of our own that does what gdb would not. Prints TAP.

  tests/debug/test_gdb.py [PATTERN…]     DRAGOMAN: the command to test; GUEST_CC: the cross compiler; FOLDER: for programs
"""
import fnmatch, os, random, re, shlex, signal, socket, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
dragoman = shlex.split(os.environ.get('DRAGOMAN', os.path.join(here, '../../build/dragoman')))
cross = os.environ.get('GUEST_CC', 'aarch64-linux-gnu-gcc')
work = tempfile.TemporaryDirectory(prefix='dragoman-gdb.')
program = os.path.join(work.name, 'debugged')
source = os.path.join(here, 'debugged.c')
DEADLINE = 60


def lines_by_name():
    with open(source) as f:
        return {m.group(1): n for n, line in enumerate(f, 1) if (m := re.search(r'HERE: ([\w-]+)', line))}


class Failure(Exception):
    pass


def check(condition, what):
    if not condition:
        raise Failure(what)


class Server:
    """A dragoman that waits for a client."""

    def __init__(self, *arguments, options=(), suspend=True, where=None, program=program):
        self.path = os.path.join(work.name, f'socket{time.monotonic_ns()}')
        self.where = where or self.path + ('' if suspend else ',suspend=n')
        self.output = tempfile.TemporaryFile(dir=work.name)
        self.process = subprocess.Popen([*dragoman, *options, '-g', self.where, program, *arguments], stdin=subprocess.DEVNULL,
                                        stdout=self.output, stderr=self.output, start_new_session=True)
        for _ in range(200):
            if where or os.path.exists(self.path):
                break
            time.sleep(0.02)

    def text(self):
        self.output.seek(0)
        return self.output.read().decode(errors='replace')

    def wait_for(self, text):
        end = time.monotonic() + 20
        while text not in self.text():
            check(time.monotonic() < end, f'the program never printed {text!r}: {self.text()!r}')
            time.sleep(0.02)

    def finish(self, status=None):
        try:
            got = self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            raise Failure('dragoman does not end') from None
        finally:
            self.stop()
        check(status is None or got == status, f'status {got}, not {status}: {self.text()}')
        return got

    def stop(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def gdb(server, script, interrupt_after=None, remote=None, program=program):
    """The output of gdb with the script's lines, LINE(name) replaced. `interrupt_after`: what the program has printed
    when gdb is to get a SIGINT."""
    lines = lines_by_name()
    script = re.sub(r'LINE\(([\w-]+)\)', lambda m: f'debugged.c:{lines[m.group(1)]}', script)
    path = os.path.join(work.name, 'script.gdb')
    with open(path, 'w') as f:
        f.write(f'set pagination off\nset confirm off\nset width 0\ntarget remote {remote or server.path}\n{script}\n')
    process = subprocess.Popen(['gdb-multiarch', '-nx', '-batch', '-x', path, *([program] if program else [])], stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True, text=True)
    if interrupt_after:
        server.wait_for(interrupt_after)
        time.sleep(0.3)
        process.send_signal(signal.SIGINT)
    try:
        output, _ = process.communicate(timeout=DEADLINE)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        output, _ = process.communicate()
        raise Failure(f'gdb hangs:\n{output}') from None
    return output


def expect(output, *patterns):
    """The patterns, in this order."""
    at = 0
    for pattern in patterns:
        found = re.compile(pattern.replace('.*', '.*?'), re.S | re.M).search(output, at)
        check(found, f'no /{pattern}/ (after those before it) in:\n{output}')
        at = found.end()


class Client:
    """Speaks the protocol itself."""

    def __init__(self, server, ack=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(server.path)
        self.buffer = b''
        self.ack = True
        if not ack:
            check(self.ask('QStartNoAckMode') == 'OK', 'no QStartNoAckMode')
            self.ack = False

    def send(self, data):
        if isinstance(data, str):
            data = data.encode()
        escaped = b''.join(b'}' + bytes([c ^ 0x20]) if c in b'#$}*' else bytes([c]) for c in data)
        self.socket.sendall(b'$' + escaped + b'#%02x' % (sum(escaped) & 255))

    def receive(self):
        while True:
            match = re.search(rb'\$([^#]*)#(..)', self.buffer, re.S)
            if match:
                break
            data = self.socket.recv(65536)
            check(data, 'the connection was closed')
            self.buffer += data
        check(sum(match.group(1)) & 255 == int(match.group(2), 16), 'bad checksum')
        self.buffer = self.buffer[match.end():]
        if self.ack:
            try:
                self.socket.sendall(b'+')
            except BrokenPipeError:
                pass  # it was its last word
        return re.sub(rb'}(.)', lambda m: bytes([m.group(1)[0] ^ 0x20]), match.group(1), flags=re.S).decode('latin1')

    def ask(self, data):
        self.send(data)
        return self.receive()

    def register(self, number):
        return int.from_bytes(bytes.fromhex(self.ask(f'p{number:x}')), 'little')

    def pc(self):
        return self.register(32)

    def close(self):
        self.socket.close()


def symbols():
    text = subprocess.run(['aarch64-linux-gnu-nm', program], capture_output=True, text=True, check=True).stdout
    return {f[2]: int(f[0], 16) for line in text.splitlines() if len(f := line.split()) == 3}


# ---- sessions of gdb -------------------------------------------------------------------------------------------------


def test_breakpoints():
    with Server('simple') as server:
        out = gdb(server, '''break main
continue
info registers pc sp x0 cpsr
tbreak LINE(deepest)
continue
bt
print n
finish
up 3
print n
tbreak scale
continue
print a
print $v0.d.f[0]
print $d1.f
set var place.x = 77
print place
finish
continue''')
        expect(out, r'Breakpoint 1, main \(argc=2', r'^pc +0x', r'^sp +0x', r'^x0 +0x2 ', r'^cpsr +0x', r'factorial \(n=1\)',
               r'#0 .*factorial \(n=1\).*#4 .*factorial \(n=5\).*#5 .*simple \(\).*#6 .*main', r'^\$1 = 1$', r'Value returned is \$2 = 1',
               r'scale \(a=1.5, b=4\)', r'^\$\d = 1.5$', r'^\$\d = 1.5$', r'^\$\d = 4$', r'x = 77, y = 4, weight = 1.5',
               r'Value returned is \$\d = 6.5', r'exited with code 07')
        server.finish(7)


def test_steps():
    with Server('simple') as server:
        out = gdb(server, '''tbreak LINE(simple)
continue
step
bt 1
finish
next
next
next
print $pc
stepi
nexti
until LINE(simple-end)
next
next
continue''')
        expect(out, r'HERE: simple ', r'factorial \(n=5\)', r'Value returned is \$1 = 120', r'HERE: weight', r'printf',
               r'exited with code 07')
        server.finish(7)


def test_hardware_breakpoint_and_call():
    with Server('simple') as server:
        out = gdb(server, '''hbreak LINE(weight)
continue
print factorial(6)
print scale(2.0, 3.0)
print result
set var result = 120
jump LINE(simple-end)''')
        expect(out, r'HERE: weight', r'= 720', r'= 6.5', r'= 120', r'exited with code 07')
        server.finish(7)


def test_watchpoints():
    with Server('watching') as server:
        out = gdb(server, '''tbreak watching
continue
watch watched
continue
continue
delete
rwatch watched
continue
delete
awatch wide[2]
continue
delete
watch watched
continue
delete
awatch wide[1]
continue
delete
continue''')
        expect(out, r'Hardware watchpoint \d: watched', r'Old value = 0\s+New value = 2', r'Old value = 2\s+New value = 6',
               r'Hardware read watchpoint.*Value = 6.*HERE: read', r'access .*watchpoint \d: wide\[2\].*New value = 1229782938247303441',
               r'Old value = 6\s+New value = 11', r'access .*watchpoint \d: wide\[1\].*New value = 2459565876494606882',
               r'exited normally')
        server.finish(0)


def test_watch_condition_and_local():
    with Server('watching') as server:
        out = gdb(server, '''watch unwatched if unwatched == 3
continue
print turns
info watchpoints
continue''')
        expect(out, r'Old value = 1\s+New value = 3', r'^\$1 = 2$', r'exited normally')
        server.finish(0)


def test_threads():
    with Server('threads') as server:
        out = gdb(server, '''tbreak LINE(worker)
continue
info threads
thread apply all bt 2
break LINE(worker) if number == 2
continue
print number
delete
set scheduler-locking on
stepi
stepi
stepi
thread apply all print $pc
set scheduler-locking off
continue''')
        expect(out, r'"worker-\d" hit Temporary breakpoint', r'Thread \d+\.\d+ "worker-\d"', r'^Thread 5 ', r'worker \(argument',
               r'hit Breakpoint 2', r'\$1 = 2', r'\(void \(\*\)\(\)\) 0x', r'exited normally')
        server.finish(0)
        check('counter 4000' in server.text(), server.text())


def test_signals():
    with Server('signals') as server:
        out = gdb(server, '''handle SIGUSR1 stop print pass
continue
print $_siginfo.si_signo
tbreak handler
continue
print signal
bt
stepi
up
finish
handle SIGUSR2 nostop noprint pass
continue''')
        expect(out, r'received signal SIGUSR1', r'\$1 = 10', r'HERE: handler', r'\$2 = 10', r'signal handler called.*signals \(\)',
               r'exited normally')
        server.finish(0)
        check('handled 10\nhandled 12' in server.text(), server.text())


def test_signal_changes():
    with Server('signals') as server:
        out = gdb(server, '''continue
signal SIGUSR2
signal 0''')
        expect(out, r'received signal SIGUSR1', r'received signal SIGUSR2', r'exited normally')
        server.finish(0)
        check('handled 12\nhandled 12' in server.text(), server.text())


def test_step_into_handler():
    with Server('signals') as server:
        out = gdb(server, '''handle SIGUSR1 stop print pass
continue
stepi
info symbol $pc
delete
handle SIGUSR2 nostop
continue''')
        expect(out, r'received signal SIGUSR1', r'handler in section .text', r'exited normally')
        server.finish(0)


def test_crash():
    with Server('crash') as server:
        out = gdb(server, '''continue
bt
print $_siginfo._sifields._sigfault.si_addr
x/i $pc
continue''')
        expect(out, r'received signal SIGSEGV', r'crash_here \(p=0x1234\)', r'#1 .* main \(', r'\(void \*\) 0x1234', r'=> .*str',
               r'terminated with signal SIGSEGV')
        server.finish(-signal.SIGSEGV)


def test_repaired_crash():
    with Server('crash') as server:
        out = gdb(server, '''continue
set var $x0 = &watched
signal 0''')
        expect(out, r'received signal SIGSEGV', r'exited with code 01')
        server.finish(1)


def test_interrupt_running():
    with Server('spin') as server:
        out = gdb(server, '''continue
print forever
bt
set var forever = 0
continue''', interrupt_after='spinning')
        expect(out, r'received signal SIGINT', r'\$1 = 1', r'#0 .*spin \(\)', r'exited normally')
        server.finish(0)
        check('spun' in server.text(), server.text())


def test_interrupt_blocked():
    with Server('blocked') as server:
        out = gdb(server, '''continue
print factorial(4)
kill''', interrupt_after='blocking')
        expect(out, r'received signal SIGINT', r'\$1 = 24')
    with Server('blocked') as server:
        # The sleep is made again, and nobody hears of the interruption.
        client = Client(server, ack=False)
        client.send('vCont;c')
        server.wait_for('blocking')
        for _ in range(3):
            time.sleep(0.1)
            client.socket.sendall(b'\x03')
            stop = client.receive()
            check(stop.startswith('T02'), stop)
            client.send('vCont;c')
        time.sleep(1)
        client.socket.sendall(b'\x03')
        client.receive()
        check('usleep' not in server.text(), server.text())
        client.send('k')
        server.finish(-signal.SIGKILL)


def test_forks():
    with Server('forks') as server:
        out = gdb(server, '''break factorial
break LINE(forks-end)
continue
continue''')
        # The children pass over the breakpoint, which they do not know of.
        expect(out, r'HERE: forks-end', r'exited normally')
        server.finish(0)
        check('child 36\nchild 46' in server.text(), server.text())


def test_executes():
    with Server('executes') as server:
        out = gdb(server, '''break LINE(executes)
continue
break LINE(deepest)
break LINE(simple-end)
disable 2
continue
print result
info auxv
watch place.weight
continue''')
        expect(out, r'HERE: executes', r'is executing new program: .*debugged', r'HERE: simple-end', r'= 120', r'AT_ENTRY',
               r'exited with code 07')
        server.finish(7)
    with Server('executes') as server:
        out = gdb(server, '''catch exec
continue
print $pc
print place.weight
stepi
break factorial
continue
print n
delete
continue''')
        expect(out, r'Catchpoint 1 \(exec', r'\$2 = 1\.5', r'factorial \(n=5\)', r'\$3 = 5', r'exited with code 07')
        server.finish(7)
    with Server('executes') as server:
        # A client that knows nothing of such events sees a plain stop; after it has gone, the next one finds the program.
        client = Client(server, ack=False)
        client.ask('qSupported:swbreak+')
        check(client.ask('c').startswith('T05thread:'), 'no stop')
        client.ask('D')
        server.finish(7)


def test_exclusives():
    with Server('exclusives') as server:
        out = gdb(server, 'tbreak exclusive\ncontinue\n' + 'stepi\n' * 6 + 'print *p\nfinish\ncontinue')
        expect(out, r'exclusive \(p=', r'\$1 = 42', r'exited normally')
        server.finish(0)
    with Server('exclusives') as server:
        # One instruction at a time, into the sequence too, which gdb itself would run through.
        client = Client(server, ack=False)
        client.ask('qSupported:swbreak+')
        start = symbols()['exclusive']
        client.ask(f'Z0,{start:x},4')
        check(client.ask('c').startswith('T05'), 'no breakpoint')
        check(client.pc() == start, 'stopped elsewhere')
        client.ask(f'z0,{start:x},4')
        seen = [client.pc()]
        for _ in range(40):
            client.ask('s')
            seen.append(client.pc())
        check(all(b - a == 4 for a, b in zip(seen[:10], seen[1:10])), [hex(pc) for pc in seen])
        client.send('c')
        check(client.receive() == 'W00', 'no end')
        server.finish(0)
        check('value 42' in server.text(), server.text())


def test_catch_syscall():
    with Server('simple') as server:
        out = gdb(server, '''catch syscall write
continue
print $x8
print (char)*(char *)$x1
continue
delete
continue''')
        expect(out, r'call to syscall write', r'= 64$', r"'f'", r'returned from syscall write', r'exited with code 07')
        server.finish(7)


def test_detach():
    with Server('simple') as server:
        expect(gdb(server, 'break factorial\ncontinue\ndetach'), r'hit Breakpoint|Breakpoint 1, factorial', r'detached')
        server.finish(7)


def test_kill():
    with Server('simple') as server:
        gdb(server, 'break main\ncontinue\nkill')
        server.finish(-signal.SIGKILL)


def test_maps_and_files():
    with Server('simple') as server:
        out = gdb(server, '''break main
continue
info auxv
info proc mappings
info inferiors
remote get /proc/self/cmdline ''' + work.name + '''/cmdline
continue''')
        expect(out, r'AT_ENTRY', r'aarch64|AT_PLATFORM', re.escape(os.path.basename(program)), r'process \d+', r'exited with code 07')
        check('dragoman' not in re.search(r'AT_ENTRY.*exited', out, re.S).group(0).replace(work.name, ''), out)
        with open(work.name + '/cmdline', 'rb') as f:
            check(f.read() == program.encode() + b'\0simple\0', 'wrong /proc/self/cmdline')
        server.finish(7)


def test_no_suspend_and_port():
    with Server('spin', suspend=False) as server:
        server.wait_for('spinning')
        expect(gdb(server, 'bt\nset var forever = 0\ndetach'), r'spin \(\)', r'detached')
        server.finish(0)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    with Server('simple', where=str(port)) as server:
        time.sleep(0.3)
        expect(gdb(server, 'continue', remote=f'localhost:{port}'), r'exited with code 07')
        server.finish(7)


def test_socket_name():
    pattern = os.path.join(work.name, 'by-%d')
    with Server('simple', where=pattern) as server:
        path = pattern.replace('%d', str(server.process.pid))
        for _ in range(100):
            if os.path.exists(path):
                break
            time.sleep(0.02)
        expect(gdb(server, 'continue', remote=path), r'exited with code 07')
        server.finish(7)
        check(not os.path.exists(path), 'the socket is still there')


def test_shared_libraries():
    program_too = program + '-dynamic'
    subprocess.run([cross, '-std=gnu17', '-D_GNU_SOURCE', '-g', '-O0', '-pthread', '-o', program_too, source], check=True)
    with Server('simple', options=['-L', '/usr/aarch64-linux-gnu'], program=program_too) as server:
        # gdb has neither the program nor the libraries: it reads them through the connection.
        out = gdb(server, 'break printf\ncontinue\nbt\ninfo sharedlibrary\nfinish\ndelete\ncontinue', program='')
        expect(out, r'Reading symbols from target:', r'#0 .*printf .*#1 .*simple \(\) at', r'target:/lib/libc.so.6',
               r'exited with code 07')
        server.finish(7)


def test_interpreter():
    with Server('simple', options=['-accel', 'translator,backend=interp']) as server:
        out = gdb(server, 'break factorial if n == 2\ncontinue\nbt 2\nwatch place.weight\ncontinue\ncontinue')
        expect(out, r'factorial \(n=2\)', r'New value = 6.5', r'exited with code 07')
        server.finish(7)


# ---- the protocol itself ---------------------------------------------------------------------------------------------


def test_reconnect():
    with Server('spin') as server:
        client = Client(server)
        client.send('c')
        server.wait_for('spinning')
        client.close()  # without a word: it runs on
        client = Client(server)
        stop = client.ask('?')
        check(stop.startswith('T05'), stop)
        address = symbols()['forever']
        check(client.ask(f'M{address:x},4:00000000') == 'OK', 'cannot write')
        check(client.ask('D') == 'OK', 'cannot detach')
        server.finish(0)


def test_registers_and_memory():
    with Server('simple') as server:
        client = Client(server, ack=False)
        check('qXfer:features:read+' in client.ask('qSupported:multiprocess+;swbreak+'), 'features')
        everything = client.ask('g')
        check(len(everything) > 2 * (31 * 8 + 8 + 8 + 4 + 32 * 16), 'short g')
        check(client.ask('G' + everything) == 'OK' and client.ask('g') == everything, 'G')
        check(client.ask('P5=efcdab8967452301') == 'OK' and client.register(5) == 0x0123456789abcdef, 'P')
        check(client.ask('P22=' + '00112233445566778899aabbccddeeff') == 'OK', 'P of v0')
        check(client.ask('p22') == '00112233445566778899aabbccddeeff', 'p of v0')
        check(client.ask('P21=000000f0') == 'OK' and client.register(33) == 0xf0000000, 'cpsr')
        address = symbols()['wide']
        data = bytes(range(32))
        check(client.ask(f'X{address:x},20:'.encode() + data) == 'OK', 'X')
        check(bytes.fromhex(client.ask(f'm{address:x},20')) == data, 'm')
        text = symbols()['factorial']
        word = client.ask(f'm{text:x},4')
        check(client.ask(f'M{text:x},4:000020d4') == 'OK' and client.ask(f'm{text:x},4') == '000020d4', 'code')
        # What was written is executed: a BRK.
        stop = client.ask('c')
        check(stop.startswith('T05') and client.pc() == text, stop)
        check(client.ask(f'M{text:x},4:{word}') == 'OK', 'code back')
        stop = client.ask('vCont;c')
        check(stop.startswith('W07'), stop)
        server.finish(7)


def test_wrong_input():
    with Server('simple') as server:
        client = Client(server, ack=False)
        for packet in ('m0,10', 'mffffffffffffffff,10', 'm7fffffffffff,ffffffffffffffff', 'm', 'm,', 'mxyz,1', 'M0,4:00000000',
                       'M0,4:00', f"M{symbols()['wide']:x},ffffffff:00", 'M', 'X0,10:', 'p', 'pffff', 'pffffffffffffffffff', 'P',
                       'P1', 'P1=', 'P1=00', 'Pffff=00', 'G00', 'Gxyz', 'Z0', 'Z0,', 'Z0,1,4', 'Z2,ffffffffffffffff,8', 'Z2,10,0',
                       'z0,', 'Hg', 'Hgzz', 'Hg123456', 'Hgp1.1', 'T', 'Tzz', 'T99999', 'vCont', 'vCont;', 'vCont;q', 'vCont;C',
                       'vCont;Czz', 'vCont;t', 'vCont;c:zz', 'vCont;s:p-2.1', 'vCont;r10', 'vFile:open:zz', 'vFile:open:2f,999,0',
                       'vFile:pread:7,10,0', 'vFile:pread:ffffffff,ffffffffffff,0', 'vFile:close:1', 'vFile:fstat:0', 'vFile:readlink:',
                       'vFile:readlink:2f6e6f', 'qXfer:features:read:no.xml:0,10', 'qXfer:features:read:target.xml:z,10',
                       'qXfer:features:read:target.xml', 'qXfer:auxv:read::ffffffffffffffff,10', 'qXfer:nothing:read::0,10',
                       'qXfer:' + 'x' * 300 + ':read::0,10', 'qThreadExtraInfo,zz', 'QPassSignals:zz', 'QCatchSyscalls:2',
                       'QCatchSyscalls:1;zz', 'QNonStop:1', 'Czz', 'Szz'):
            reply = client.ask(packet)
            check(re.match(r'E..$|F-1|$|l$|m?l?$', reply), f'{packet!r}: {reply!r}')
        for packet in ('', 'qNothing', 'vNothing', 'Y', 'j', '!x', 'Z9,0,0'):
            check(client.ask(packet) in ('', 'OK') or True, packet)
        check(client.ask('vCont;c') == 'W07', 'end')
        server.finish(7)


def test_framing():
    with Server('simple') as server:
        client = Client(server)
        client.socket.sendall(b'$?#00')  # a wrong checksum
        check(client.socket.recv(1) == b'-', 'a wrong checksum is taken')
        client.socket.sendall(b'garbage$?#3f')
        check(client.receive().startswith('T05'), 'noise')
        client.socket.sendall(b'-')  # once more
        check(client.receive().startswith('T05'), 'not sent again')
        client.socket.sendall(b'$' + b'm' * 200000 + b'#00')
        client.socket.sendall(b'$?#3f')
        check(client.receive().startswith('T05'), 'after a packet that is too long')
        check(client.ask('D') == 'OK', 'detach')
        server.finish(7)


def test_random_bytes():
    # Without signals to be delivered and without changes to the program, which would end it.
    seed = int(os.environ.get('SEED', '1'))
    generator = random.Random(seed)
    letters = 'gGmMpPXZzHTcsqQvDk?0123456789abcdef,:;=#$}*+-\x03'
    words = ['vCont;', 'vFile:', 'open:', 'pread:', 'qXfer:', 'features:', 'read:', 'target.xml:', 'p1.', 'm', 'ffffffffffffffff', '0,',
             'QPassSignals:', 'qfThreadInfo', 'qsThreadInfo', 'Z0,', 'z2,', 'QCatchSyscalls:1;']
    for round in range(12):
        with Server('spin') as server:
            client = Client(server)
            client.socket.settimeout(0.5)
            for _ in range(60):
                if generator.random() < 0.5:
                    data = bytes(generator.randrange(256) for _ in range(generator.randrange(300)))
                    if b'$k' in data or b'$D' in data:
                        continue
                    data += b'\x03'
                else:
                    body = ''.join(generator.choice(words) if generator.random() < 0.4 else generator.choice(letters)
                                   for _ in range(generator.randrange(40)))
                    body = re.sub(r'[#$}]', '', body)
                    if body[:1] in 'kD' or body.startswith('vKill') or body[:1] in 'MXGP' or \
                       (body[0] in 'cs' and len(body) > 1):  # not to another address either
                        continue
                    data = b'$' + body.encode() + b'#%02x' % (sum(body.encode()) & 255) + b'\x03'
                try:
                    client.socket.sendall(data)
                    client.socket.setblocking(False)
                    try:
                        client.socket.recv(100000)
                    except BlockingIOError:
                        pass
                    client.socket.settimeout(5)
                except OSError:
                    break  # it may close
            client.close()
            check(server.process.poll() is None, f'seed {seed}, round {round}: dragoman has ended: {server.text()}')
            check('internal error' not in server.text(), f'seed {seed}, round {round}: {server.text()}')
            # And it serves the next one as ever.
            client = Client(server)
            check(client.ask('?')[:3] == 'T05', 'no stop')
            client.send('k')
            check(server.finish() == -signal.SIGKILL, 'killed')


def test_stopped_threads_do_not_run():
    with Server('threads') as server:
        client = Client(server, ack=False)
        client.ask('qSupported:multiprocess+')
        table = symbols()
        client.ask(f"Z0,{table['worker']:x},4")
        stop = client.ask('vCont;c')
        check(stop.startswith('T05'), stop)
        before = client.ask(f"m{table['counter']:x},4")
        thread = re.search(r'thread:([^;]+);', stop).group(1)
        time.sleep(0.2)
        check(client.ask(f"m{table['counter']:x},4") == before, 'it runs on')
        # Only this thread runs now.
        client.ask(f"z0,{table['worker']:x},4")
        others = [t for t in client.ask('qfThreadInfo')[1:].split(',') if t != thread]

        def pcs():
            result = []
            for other in others:
                client.ask('Hg' + other)
                result.append(client.pc())
            return result
        stay = pcs()
        for _ in range(50):
            stop = client.ask(f'vCont;s:{thread}')
            check(stop.startswith('T05') and f'thread:{thread};' in stop, stop)
        check(pcs() == stay, 'others have moved')
        client.send('vCont;c')
        check(client.receive().startswith('W00'), 'end')
        server.finish(0)


def test_stops_under_load():
    generator = random.Random(int(os.environ.get('SEED', '1')))
    table = symbols()
    with Server('busy') as server:
        client = Client(server, ack=False)
        client.ask('qSupported:multiprocess+;no-resumed+')
        client.ask('QPassSignals:1e;14')  # SIGUSR1, SIGCHLD

        def resume(packet):
            # What runs may wait for what does not.
            client.send(packet)
            client.socket.settimeout(0.3)
            try:
                return client.receive()
            except TimeoutError:
                client.socket.sendall(b'\x03')
            finally:
                client.socket.settimeout(20)
            return client.receive()
        client.send('vCont;c')
        for _ in range(60):
            time.sleep(generator.random() * 0.02)
            client.socket.sendall(b'\x03')
            stop = client.receive()
            check(stop[0] == 'T', stop)
            threads, part = [], client.ask('qfThreadInfo')
            while part != 'l':
                threads += part[1:].split(',')
                part = client.ask('qsThreadInfo')
            for _ in range(generator.randrange(4)):
                stop = resume(f'vCont;s:{generator.choice(threads)}' + generator.choice(['', ';c']))
                check(stop[0] in 'TN', stop)
            point = f"{generator.randrange(2)},{table['factorial']:x},4" if generator.random() < 0.5 else \
                    f"{generator.randrange(2, 5)},{table['done'] + 8 * generator.randrange(5):x},8"
            client.ask('Z' + point)
            stop = resume('vCont;c')
            check(stop[0] == 'T', stop)
            client.ask('z' + point)
            client.send('vCont;c')
        client.socket.sendall(b'\x03')
        client.receive()
        client.ask(f"M{table['finish']:x},4:01000000")
        client.send('vCont;c')
        while (stop := client.receive())[0] == 'T':
            client.send('vCont;c')
        check(stop.startswith('W00'), stop + server.text())
        server.finish(0)
        check('wrong 0, all 1' in server.text(), server.text())


def main():
    flags = ['-std=gnu17', '-D_GNU_SOURCE', '-g', '-O0', '-static', '-pthread']
    subprocess.run([cross, *flags, '-o', program, source], check=True)
    tests = [(n[5:], f) for n, f in globals().items() if n.startswith('test_')]
    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or any(fnmatch.fnmatch(t[0], p) for p in wanted)]
    print(f'1..{len(tests)}')
    failures = 0
    for number, (name, function) in enumerate(tests, 1):
        try:
            function()
            print(f'ok {number} - {name}', flush=True)
        except (Failure, OSError, ValueError) as error:
            failures += 1
            print('\n'.join('# ' + line for line in str(error).split('\n')))
            print(f'not ok {number} - {name}', flush=True)
    return 1 if failures else 0


sys.exit(main())

// The engine's own compiler, regular expressions, big numbers, workers that share memory, child processes, WebAssembly, HTTP over loopback.
const assert = require('assert'), crypto = require('crypto'), child = require('child_process'), http = require('http');
const { Worker, isMainThread, parentPort, workerData } = require('worker_threads');

function fibonacci(n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

// Four workers count in shared memory, wait for the main thread and wake it.
function share(then) {
    const counts = new Int32Array(new SharedArrayBuffer(16));
    let left = 4;
    for (let i = 0; i < 4; i++)
        new Worker(__filename, { workerData: counts }).on('exit', status => {
            assert.equal(status, 0);
            if (--left === 0) {
                assert.equal(counts[0], 400000);
                then();
            }
        });
    const ready = () => {
        if (Atomics.load(counts, 1) < 4)
            return setTimeout(ready, 1);
        Atomics.store(counts, 2, 1);
        Atomics.notify(counts, 2);
    };
    ready();
}

// Children that talk over a channel, that are killed, and one that is fed by a pipe.
function parent(then) {
    const echo = child.fork(__filename, ['echo']);
    let n = 0;
    echo.on('message', message => {
        assert.equal(message.n, n);
        if (++n < 200)
            echo.send({ n });
        else
            echo.kill('SIGTERM');
    }).on('exit', (status, signal) => {
        assert.equal(signal, 'SIGTERM');
        const sort = child.spawn('sort', ['-n']);
        let sorted = '';
        sort.stdout.on('data', data => sorted += data).on('end', () => {
            assert.equal(sorted.length, 288890);
            then();
        });
        for (let i = 50000; i > 0; i--)
            sort.stdin.write(i % 50000 + '\n');
        sort.stdin.end();
    });
    echo.send({ n });
}

if (process.argv[2] === 'echo') {
    process.on('message', message => process.send(message));
} else if (!isMainThread && workerData) {
    for (let i = 0; i < 100000; i++)
        Atomics.add(workerData, 0, 1);
    Atomics.add(workerData, 1, 1);
    Atomics.wait(workerData, 2, 0);
} else if (!isMainThread) {
    let sum = 0;
    for (let i = 0; i < 5e6; i++)
        sum = (sum * 31 + i) | 0;
    parentPort.postMessage(sum);
} else {
    const hash = crypto.createHash('sha256');
    for (let i = 0; i < 20000; i++)
        hash.update('x' + i);
    assert.equal(hash.digest('hex'), 'b1a94b97a6e7b5ca9299de059a2b54b583c984f7527554c51823103e8fc26aae');
    assert.equal(fibonacci(30), 832040);
    const list = [];
    for (let i = 0; i < 200000; i++)
        list.push({ k: (i * 7919) % 100003, s: 'n' + i });
    list.sort((x, y) => x.k - y.k);
    assert.equal(list[1000].s, 'n58292');
    assert.equal(/(\w+)\s(\w+)/.exec('hello world')[2], 'world');
    assert.equal(0.1 + 0.2, 0.30000000000000004);
    assert.equal(String(2n ** 200n), '1606938044258990275541962092341162602522202993782792835301376');
    assert.equal(Math.sin(1e6), -0.34999350217129294);
    const words = [0, 97, 115, 109, 1, 0, 0, 0, 1, 7, 1, 96, 2, 127, 127, 1, 127, 3, 2, 1, 0, 7, 7, 1, 3, 97, 100, 100, 0, 0, 10, 9, 1, 7, 0,
        32, 0, 32, 1, 106, 11];
    assert.equal(new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(words))).exports.add(40, 2), 42);
    new Worker(__filename).on('message', sum => {
        assert.equal(sum, 2000872864);
        assert.equal(child.execSync('uname -m').toString(), 'aarch64\n');
        let n = 0;
        const server = http.createServer((request, response) => response.end('ok' + request.url)).listen(0, () => {
            const next = () => {
                if (n++ === 200) {
                    server.close();
                    return share(() => parent(() => console.log('ok')));
                }
                http.get({ port: server.address().port, path: '/' + n }, response => {
                    response.on('data', data => assert.equal(String(data), 'ok/' + n));
                    response.on('end', next);
                });
            };
            next();
        });
    });
}

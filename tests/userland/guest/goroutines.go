// Goroutines, channels, asynchronous preemption, a child process, a fault that is recovered.
package main

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

func spin(n int) (s uint64) {
	for i := 0; i < n; i++ {
		s = s*6364136223846793005 + 1442695040888963407
	}
	return
}

func expect(good bool, what string) {
	if !good {
		fmt.Println("not so:", what)
		os.Exit(1)
	}
}

func main() {
	var wait sync.WaitGroup
	hashes := make(chan uint64, 16)
	for g := 0; g < 200; g++ {
		wait.Add(1)
		go func(g int) {
			defer wait.Done()
			b := make([]byte, 0)
			for i := 0; i < 200; i++ {
				h := sha256.Sum256(append(b, byte(i), byte(g)))
				b = append(b[:0:0], h[:]...)
				if i%50 == 0 {
					runtime.Gosched()
				}
			}
			hashes <- uint64(b[0])
		}(g)
	}
	go func() { wait.Wait(); close(hashes) }()
	var sum uint64
	for h := range hashes {
		sum += h
	}
	expect(sum == 23728, "sum of hashes")
	// One processor, and a loop without calls: the ticker gets its turns by signals only.
	runtime.GOMAXPROCS(1)
	done := make(chan uint64)
	go func() { done <- spin(300000000) }()
	ticker := time.NewTicker(5 * time.Millisecond)
	ticks := 0
	for running := true; running; {
		select {
		case r := <-done:
			expect(r == 8886740553042177792, "result of the loop")
			running = false
		case <-ticker.C:
			ticks++
		}
	}
	expect(ticks > 3, "preemption")
	// Two processors, three loops without calls or end: only signals stop them for the garbage collector.
	runtime.GOMAXPROCS(2)
	var stop uint32
	for g := 0; g < 3; g++ {
		go func() {
			var n, odd uint64
			for ; atomic.LoadUint32(&stop) == 0; n++ {
				odd += n & 1
			}
			done <- n/2 - odd
		}()
	}
	var kept [][]byte
	for i := 0; i < 4; i++ {
		for j := 0; j < 100; j++ {
			kept = append(kept, bytes.Repeat([]byte{byte(i)}, 5000+j))
		}
		if len(kept) > 200 {
			kept = kept[100:]
		}
		runtime.GC()
	}
	atomic.StoreUint32(&stop, 1)
	for g := 0; g < 3; g++ {
		expect(<-done == 0, "sums of a loop during collections")
	}
	for i, b := range kept {
		expect(len(b) == 5000+i%100 && b[0] == byte(2+i/100) && b[len(b)-1] == b[0], "what was kept")
	}
	out, err := exec.Command("uname", "-m").Output()
	expect(err == nil && string(out) == "aarch64\n", "uname -m")
	func() {
		defer func() { expect(recover() != nil, "recovered") }()
		var p *int
		fmt.Println(*p)
	}()
}

// Compiled code, a pool of threads, faults that the machine turns into exceptions, garbage collection.
import java.util.*;
import java.util.concurrent.*;
import java.util.stream.*;

public class Threads {
    static int fibonacci(int n) { return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2); }

    static int deep(int n) { return deep(n + 1) + 1; }

    static void expect(boolean good) {
        if (!good)
            throw new AssertionError();
    }

    public static void main(String[] arguments) throws Exception {
        expect(System.getProperty("os.arch").equals("aarch64") && fibonacci(32) == 2178309);
        ExecutorService pool = Executors.newFixedThreadPool(8);
        List<Future<Long>> results = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            final int k = i;
            results.add(pool.submit(() -> LongStream.range(0, 200000).map(x -> x * k ^ (x >> 3)).sum()));
        }
        long sum = 0;
        for (Future<Long> result : results)
            sum += result.get();
        pool.shutdown();
        expect(sum == 9923092298240L);
        int caught = 0;
        try { Object none = arguments.length == 0 ? null : arguments; none.hashCode(); } catch (NullPointerException x) { caught++; }
        try { deep(0); } catch (StackOverflowError x) { caught++; }
        try { caught += 1 / arguments.length; } catch (ArithmeticException x) { caught++; }
        expect(caught == 3);
        Map<String, Integer> map = new TreeMap<>();
        for (int i = 0; i < 300000; i++)
            map.merge("k" + (i * 31 % 1009), i, Integer::sum);
        expect(map.hashCode() == 1821326434);
        for (int i = 0; i < 60; i++) {
            byte[][] garbage = new byte[100][];
            for (int j = 0; j < 100; j++)
                garbage[j] = new byte[20000];
        }
        System.gc();
    }
}

# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    cat > script.awk <<'END'
function fib(n) { return n < 2 ? n : fib(n - 1) + fib(n - 2) }
BEGIN {
    srand(42)
    for (i = 0; i < 40000; i++) { k = int(rand() * 5000); count[k]++; text = text (k % 10) }
    n = asorti(count, keys, "@val_num_desc"); print n, keys[1] != "", length(text)
    for (i = 2; i <= 400; i++) { for (j = 2; j * j <= i; j++) if (i % j == 0) break; if (j * j > i) primes = primes " " i }
    print primes
    print fib(17)
    for (x = 0; x < 3; x += 0.37) printf "%.15g %.15g %.15g %.15g %.15g\n", sin(x), cos(x), exp(x), log(x + 1), atan2(x, 2)
    print 2 ** 0.5, 2 ^ 100, 1e308 * 10, -log(0), int(-3.7), 7 % 3, -7 % 3
    print gensub(/([0-9])([a-z])/, "\\2\\1", "g", "1a2b3c"), toupper("upper"), substr("substring", 4, 3), index("abc", "c")
    print and(0xff, 0x3c), or(1, 6), xor(5, 3), lshift(1, 20), strtonum("0x1F")
    print strftime("%Y-%m-%d", 86400 * 365, 1), match("foobar", /o+/, m), m[0], RSTART, RLENGTH
    printf "%5d|%-8s|%08.3f|%e|%g|%c|%x|%o\n", 42, "left", 3.14159, 12345.678, 1e-5, 65, 255, 8
    while (("echo a b; echo c d" | getline line) > 0) print line
    print "sorted 3", "sorted 1" | "sort"; close("sort")
}
{ words += NF; for (i = 1; i <= NF; i++) freq[length($i)]++ }
END { print NR, words; for (l = 1; l < 20; l++) if (l in freq) printf "%d:%d ", l, freq[l]; print ""; exit 4 }
END
}
check() {
    run gawk -f "$inputs/script.awk" "$inputs/script.awk" "$inputs/script.awk"
    [ $? = 4 ] && run gawk -F: -v OFS=, '{ $2 = "x"; print }' <<< 'a:b:c' && run gawk -M 'BEGIN { print 2 ^ 200; print 10 ^ 30 + 1 }'
}

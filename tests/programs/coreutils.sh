# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    run gawk 'BEGIN { srand(7); for (i = 0; i < 60000; i++) printf "%d %08x %s\n", rand() * 1e9, rand() * 2 ^ 32, substr("abcdefghijklmnopqrstuvwxyz", 1 + int(rand() * 20), 6) }' > lines
}
check() {
    run sort "$inputs/lines" | run md5sum
    run sort -n -r -k1 "$inputs/lines" | run head -n 5
    run sort -k3,3 -k1,1n --parallel=2 "$inputs/lines" | run sha1sum
    run sort -R --random-source="$inputs/lines" "$inputs/lines" | run sha1sum
    for sum in md5sum sha1sum sha224sum sha256sum sha384sum sha512sum b2sum cksum sum; do run "$sum" < "$inputs/lines"; done
    run factor 18446744073709551557 1000000007000000049 340282366920938463463374607431768211455 360360
    run seq -f %.3f 1 0.125 40 | run tail -n 2
    run numfmt --to=iec 123456789 2048
    run cut -d' ' -f2 "$inputs/lines" | run tr a-f A-F | run uniq | run wc
    run tac "$inputs/lines" | run nl | run head -n 2
    run base64 -w 60 "$inputs/lines" | run base64 -d | run cmp - "$inputs/lines"
    run base32 < "$inputs/lines" | run md5sum
    run od -t fDx2 -N 64 "$inputs/lines"
    run split -n l/4 "$inputs/lines" part. && run cat part.a? | run md5sum
    run join <(run head -n 100 "$inputs/lines" | run sort) <(run head -n 50 "$inputs/lines" | run sort) | run wc
    run comm -3 <(run seq 1 9) <(run seq 3 12)
    run paste -d+ <(run seq 5) <(run seq 6 10)
    run expr substr abcdef 2 3
    run expr 12345678901234567890 '*' 98765432109876543210
    run printf '%s %d %.10g %x\n' text 42 3.14159 255
    run date -u -d '2024-02-29 12:34:56 + 1 year' '+%c %s %j'
    run mkdir -p a/b && run touch -d @86400 a/b/c && run ls -lR --time-style=+%s a | run cut -c1-10
    run stat -c '%Y %s %A' a/b/c
    run cp -r a d && run mv d e && run rm -r a && run ls -R
    run dd if="$inputs/lines" bs=1000 skip=3 count=20 status=none | run md5sum
    run shuf -n 4 --random-source="$inputs/lines" "$inputs/lines"
    run ptx -w 60 <<< 'one permuted index of a line' | run head -n 3
    run fmt -w 30 <<< 'a paragraph that will be filled to thirty columns or so'
    run tsort <<< 'a b b c c d'
    run timeout 0.2 "$BASH" -c 'sleep 5' 2> /dev/null
    run env -i A=1 B=2 2> /dev/null
    run ls /nonexistent 2> /dev/null
    run test 5 -gt 3
}

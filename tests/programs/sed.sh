# SPDX-License-Identifier: GPL-2.0-or-later
prepare() { run seq 1 30000 > numbers; }
check() {
    run sed -n '1~1000p;$=' "$inputs/numbers"
    run sed -E 's/([0-9])([0-9])$/\2\1/;s/^/</;s/$/>/' "$inputs/numbers" | run md5sum
    run sed '/5$/!d;s/5/five/g;y/1234/abcd/' "$inputs/numbers" | run tail -n 3
    run sed -n 'H;${x;s/\n/,/g;p}' <(run head -n 40 "$inputs/numbers")
    run sed ':a;s/\B[0-9]\{3\}\>/,&/;ta' <<< 123456789012
    run sed '1!G;h;$!d' <(run head -n 12 "$inputs/numbers")
    run sed -s -e '2q7' "$inputs/numbers"
    run cp "$inputs/numbers" n && run sed -i.bak 's/.*/[&]/;3,$d' n && run cat n && run wc -l n.bak
    run sed 's/\(a\|b\)\{2,\}c\?/<&>/Ig' <<< 'xABabcy aac bb'
    run sed 's/[/oops' <<< x
    [ $? = 1 ]
}

# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    run gawk 'BEGIN { srand(3); for (i = 0; i < 50000; i++) { l = ""; n = 3 + int(rand() * 8); for (j = 0; j < n; j++) l = l substr("the of and to in is you that it he was for on are as with his they", 1 + int(rand() * 60), 6) " "; print l i } }' > text
}
check() {
    run grep -c the "$inputs/text"
    run grep -cE '(and|you)+ .*[0-9]{3}$' "$inputs/text"
    run grep -ciE 'THAT.*(was|for)' "$inputs/text"
    run grep -n -m 3 -B1 -A1 'with his' "$inputs/text"
    run grep -oE '[a-z]+ 4999[0-9]' "$inputs/text"
    run grep -cP '(\w)\1.*(?=42)' "$inputs/text"
    run grep -vc e "$inputs/text"
    run grep -F -c -e 'is you' -e 'it he' "$inputs/text"
    run grep -E -c '^(.)(.).*\2\1 ' "$inputs/text"
    run grep -w -l to "$inputs/text" | run wc -l
    run grep -r --include=text -c on "$inputs" | run wc -l
    run grep -b -a -o 'they [0-9]*5$' "$inputs/text" | run tail -n 2
    run grep -q nothere "$inputs/text"
    [ $? = 1 ]
}

# SPDX-License-Identifier: GPL-2.0-or-later
# cc1 and as compile a C file of 10,000 lines. The native side is Debian's cross compiler of the same version: the assembler
# text and the object file must be the same to the byte.
prepare() {
    run gawk 'BEGIN {
        print "typedef unsigned long u64; typedef struct { int a; u64 b; double d; char c[24]; } rec; extern int printf(const char *, ...);"
        for (i = 0; i < 400; i++) {
            printf "static const int table%d[] = { %d, %d, %d, %d };\n", i, i, i * 3, i * 7 % 11, i * 13 % 17
            printf "u64 mix%d(u64 x, u64 y)\n{\n    u64 s = x * %dul + (y << %d);\n    for (int i = 0; i < %d; i++) {\n        s ^= s >> %d;\n        s *= 0x9e3779b97f4a7c15ul;\n        if (s & %d)\n            s += table%d[s & 3];\n    }\n    return s;\n}\n", i, i + 3, i % 31, i % 9 + 2, i % 13 + 7, 2 ^ (i % 12), i
            printf "double poly%d(const rec *r, int n)\n{\n    double s = %d.5;\n    while (n-- > 0)\n        s = s * r[n].d + r[n].a / %d;\n    return s;\n}\n", i, i, i % 7 + 1
            printf "int pick%d(int k)\n{\n    switch (k %% 5) {\n    case 0:\n        return k + %d;\n    case 1:\n        return (int)mix%d(k, %d);\n    default:\n        return k * %d;\n    }\n}\n", i, i, i, i, i
            if (i > 0) printf "static inline int chain%d(rec *r)\n{\n    r->b += mix%d(r->b, r->a);\n    r->a = pick%d(r->a) - pick%d(r->a + 1);\n    return r->a;\n}\nint use%d(rec *r) { return chain%d(r) + chain%d(r + 1); }\n", i, i, i - 1, i, i, i, i
        }
        while (lines++ < 200) printf "int filler%d = %d;\n", lines, lines
    }' > file.c
    [ "$(wc -l < file.c)" -ge 10000 ] || { wc -l file.c >&2; return 1; }
}
check() {
    local cc1=usr/lib/gcc/aarch64-linux-gnu/12/cc1 as=usr/bin/aarch64-linux-gnu-as
    if [ "$arm" = native ]; then
        run() { local p=$1; shift; "$(aarch64-linux-gnu-gcc-12 -print-prog-name="$p")" "$@"; }
        cc1=cc1 as=as
    fi
    cp "$inputs/file.c" .
    run $cc1 -quiet -fno-ident -fno-stack-protector -O1 -Wall -o file.s file.c && md5sum file.s && run $as -o file.o file.s && md5sum file.o
    run $cc1 -E -quiet -P file.c | md5sum
    echo 'int f(void) { return undeclared; }' > bad.c
    run $cc1 -quiet bad.c -o /dev/null 2>&1 | grep -c error
}

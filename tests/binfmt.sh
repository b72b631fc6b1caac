#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# dragoman-binfmt: what it writes, what it says when it cannot, and, where the kernel has binfmt_misc for each user namespace (6.7),
# that programs are started by it. The system's own registrations are never touched.
#   tests/binfmt.sh      DRAGOMAN: the command to test; GUEST_CC: the cross compiler
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
dragoman=$(readlink -f ${DRAGOMAN:-$root/build/dragoman})
binfmt="$root/machine/dragoman-binfmt --interpreter $dragoman"
work=$(mktemp -d "${TMPDIR:-/tmp}/dragoman-binfmt.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# expect STATUS PATTERN COMMAND…: the status, and that the output matches.
expect() {
    local status=$1 pattern=$2 got
    shift 2
    "$@" > out 2>&1 < /dev/null
    got=$?
    if [ "$got" != "$status" ] || ! grep -qE -- "$pattern" out; then
        echo "$*: status $got, not $status, or nothing that says /$pattern/:"
        head -5 out
        failures=$((failures + 1))
    fi
}

new_root() { # a folder that looks like binfmt_misc; what the kernel would do is left out
    rm -rf misc etc
    mkdir misc etc
    echo "${1:-enabled}" > misc/status
    : > misc/register
    : > misc/dragoman-aarch64
}

line=':dragoman-aarch64:M:0:\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:'
new_root
expect 0 'are started with' $binfmt --root misc --etc etc --flags POC install
[ "$(cat misc/register)" = "$line$dragoman:POC" ] || { echo "wrong registration: $(cat misc/register)"; failures=$((failures + 1)); }
[ "$(cat misc/dragoman-aarch64)" = -1 ] || { echo "the one before was not taken back"; failures=$((failures + 1)); }
[ ! -e etc/binfmt.d ] || { echo "a persistent file though none was asked for"; failures=$((failures + 1)); }
expect 0 'each boot' $binfmt --root misc --etc etc --flags none --persistent install
[ "$(cat etc/binfmt.d/dragoman-aarch64.conf)" = "$line$dragoman:" ] || { echo "wrong persistent file"; failures=$((failures + 1)); }
expect 0 'no longer registered' $binfmt --root misc --etc etc remove
[ "$(cat misc/dragoman-aarch64)" = -1 ] && [ ! -e etc/binfmt.d/dragoman-aarch64.conf ] || { echo "not removed"; failures=$((failures + 1)); }

# What status makes of an entry of the kernel's.
entry() { # enabled | disabled, interpreter, mask's first byte
    printf '%s\ninterpreter %s\nflags: P\noffset 0\nmagic 7f454c460201010000000000000000000200b700\nmask %sffffffffffff00fffffffffffffffffeffffff\n' "$1" "$2" "$3"
}
entry enabled "$dragoman" ff > misc/dragoman-aarch64
expect 0 'registered: .*dragoman, flags P' $binfmt --root misc --etc etc status
entry disabled "$dragoman" ff > misc/dragoman-aarch64
expect 1 'disabled' $binfmt --root misc --etc etc status
entry enabled "$dragoman" fe > misc/dragoman-aarch64
expect 1 'other files' $binfmt --root misc --etc etc status
entry enabled /missing/dragoman ff > misc/dragoman-aarch64
expect 1 'is not there' $binfmt --root misc --etc etc status
rm misc/dragoman-aarch64
expect 1 'not registered' $binfmt --root misc --etc etc status

# Somebody else's.
new_root
entry enabled /usr/libexec/qemu-binfmt/aarch64-binfmt-P ff > misc/qemu-aarch64
expect 1 'echo 0 > misc/qemu-aarch64' $binfmt --root misc --etc etc install
[ ! -s misc/register ] || { echo "registered in spite of another"; failures=$((failures + 1)); }
expect 0 'are started with' $binfmt --root misc --etc etc --force install
expect 1 'also enabled.*qemu-aarch64' $binfmt --root misc --etc etc status

# What may be missing.
expect 1 'disabled' sh -c "mkdir off && echo disabled > off/status && $binfmt --root off install"
expect 1 'not there.*modprobe' $binfmt --root nothing install
mkdir empty
expect 1 'not mounted' $binfmt --root empty status
expect 1 'no executable' $root/machine/dragoman-binfmt --interpreter ./nothing --root misc install
expect 1 'colon' sh -c "mkdir -p a:b && cp /bin/true a:b/dragoman && $root/machine/dragoman-binfmt --interpreter a:b/dragoman --root misc install"
expect 1 'letters' $binfmt --root misc --flags X install
expect 1 'usage' $binfmt
expect 1 'several' $binfmt install remove
expect 1 'unknown' $binfmt --nonsense install
new_root
if [ "$(id -u)" = 0 ]; then
    # Read-only, as in a container.
    expect 1 'read-only.*host' unshare -m sh -c "mount --bind misc misc && mount -o remount,bind,ro misc && $binfmt --root misc --flags P install"
fi

# For real, in a namespace of our own.
cat > show.c <<'END'
#include <stdio.h>
int main(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        printf("[%s]", argv[i]);
    puts("");
    return 9;
}
END
${GUEST_CC:-aarch64-linux-gnu-gcc} -O1 -static -o show show.c || exit 1
mkdir own
if unshare -Urm mount -t binfmt_misc binfmt_misc own 2> /dev/null; then
    cat > inside.sh <<END
mount -t binfmt_misc binfmt_misc own || exit 77
$binfmt --root own --flags "\$1" install || exit 78
$binfmt --root own status || exit 79
./show a 'b c'; echo "status \$?"
(exec -a another ./show); echo "status \$?"
cp show ./-dash; PATH=. -dash x; echo "status \$?"
$binfmt --root own remove || exit 80
./show 2> /dev/null; echo "status \$?"
END
    for flags in P POC F none; do
        expect 0 'registered: ' unshare -Urm bash inside.sh $flags
        expect 0 '^\[\./show\]\[a\]\[b c\]$' unshare -Urm bash inside.sh $flags
        expect 0 '^status 9$' unshare -Urm bash inside.sh $flags
        expect 0 '^status 126$' unshare -Urm bash inside.sh $flags
    done
    expect 0 '^\[another\]$' unshare -Urm bash inside.sh P
    expect 0 '^\[-dash\]\[x\]$' unshare -Urm bash inside.sh P
else
    echo "(no binfmt_misc for user namespaces here: registrations were not tried)"
fi
[ "$failures" = 0 ]

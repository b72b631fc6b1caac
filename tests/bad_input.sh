#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What a user gets for a wrong program: one clear line on stderr and the shell's exit code.
#   tests/bad_input.sh      DRAGOMAN: the command to test; GUEST_TRUE: an arm64 program that does nothing
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
dragoman=${DRAGOMAN:-$root/build/dragoman}
good=${GUEST_TRUE:?}
work=$(mktemp -d "${TMPDIR:-/tmp}/dragoman-bad.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
failures=0

# expect STATUS PATTERN ARGS…: the status, and exactly one line on stderr that matches.
expect() {
    local status=$1 pattern=$2 got
    shift 2
    timeout 20 $dragoman "$@" > out 2> err < /dev/null
    got=$?
    if [ "$got" != "$status" ] || [ "$(wc -l < err)" != 1 ] || ! grep -qiE "$pattern" err || [ -s out ]; then
        echo "dragoman $*: status $got, not $status, or not one line on stderr that says /$pattern/:"
        head -5 err out
        failures=$((failures + 1))
    fi
}

# Bytes written over the good program: patch NAME OFFSET HEX.
patch_program() {
    cp "$good" "$1"
    chmod +x "$1"
    printf "$(sed 's/../\\x&/g' <<< "$3")" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}

expect 127 'no such file' ./missing
expect 127 'no such file' /missing/folder/program
echo 'echo text' > text; chmod +x text
expect 126 'not an elf|elf' ./text
: > empty; chmod +x empty
expect 126 'elf|empty|short|truncated' ./empty
mkdir folder
expect 126 'directory|permission' ./folder
cp "$good" locked; chmod 600 locked
expect 126 'permission' ./locked
cp /bin/true amd64
expect 126 'x86.?64|machine|architecture' ./amd64
head -c 40 "$good" > short; chmod +x short
expect 126 'truncated|short|elf' ./short
head -c 200 "$good" > headers; chmod +x headers
expect 126 'truncated|short|beyond|end|elf|header' ./headers
size=$(stat -c %s "$good")
head -c $((size / 2)) "$good" > half; chmod +x half
timeout 20 $dragoman ./half > out 2> err; [ $? -ge 126 ] || { echo "half a program ran"; failures=$((failures + 1)); }
patch_program class 4 01
expect 126 '32|class' ./class
patch_program order 5 02
expect 126 'endian|order' ./order
patch_program kind 16 0100
expect 126 'executable|type|object' ./kind
patch_program core 16 0400
expect 126 'executable|type|core' ./core
patch_program machine 18 2800
expect 126 'arm|machine|architecture' ./machine
patch_program phoff 32 ffffffffffffff7f
expect 126 'header|truncated|beyond|elf' ./phoff
patch_program phentsize 54 0100
expect 126 'header|size|elf' ./phentsize
patch_program phnum 56 ffff
expect 126 'header|truncated|beyond|end|elf' ./phnum
patch_program nophdr 56 0000
expect 126 'header|segment|load|nothing' ./nophdr
# The interpreter of the dynamic program does not exist where no sysroot was given.
if [ -n "${GUEST_DYNAMIC:-}" ]; then
    cp "$GUEST_DYNAMIC" dynamic
    expect 127 'ld-linux-aarch64' -L "$work/folder" ./dynamic
fi
expect 1 'option|usage|nonsense' -nonsense ./missing
# -d unimp tells once of a call that is refused, by number and arguments; -strace of each.
cat > calls.c <<'END'
#define _GNU_SOURCE
#include <unistd.h>
int main(void)
{
    for (int i = 0; i < 3; i++) {
        syscall(777, 0x1234, 5, i);
        syscall(293, 16, 32, 0, 0);
    }
    return 0;
}
END
if "${GUEST_CC:-aarch64-linux-gnu-gcc}" -static -o calls calls.c; then
    timeout 20 $dragoman -d unimp ./calls 2> err
    [ "$(grep -c '777.*0x1234.*system call 777 is refused' err)" = 1 ] && [ "$(grep -c 'rseq(.*system call 293 is refused' err)" = 1 ] &&
        [ "$(grep -c 'system call 777' err)" = 1 ] || { echo "-d unimp:"; cat err; failures=$((failures + 1)); }
    timeout 20 $dragoman -strace ./calls 2> err
    [ "$(grep -cE '777\(0x1234,5,.*errno=38' err)" = 3 ] || { echo "-strace of an unknown call:"; cat err; failures=$((failures + 1)); }
    timeout 20 $dragoman ./calls 2> err
    [ ! -s err ] || { echo "told of an unknown call without being asked"; failures=$((failures + 1)); }
fi
timeout 20 $dragoman > out 2> err; [ $? = 1 ] && [ -s err ] || { echo "no program: no usage"; failures=$((failures + 1)); }

[ "$failures" = 0 ]

#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
# A guest that dies by a fault ends with the same signal as natively, and dragoman tells where.
#   tests/faulting.sh      DRAGOMAN: the command to test; GUEST_CC: the cross compiler
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
dragoman=${DRAGOMAN:-$root/build/dragoman}
work=$(mktemp -d "${TMPDIR:-/tmp}/dragoman-faulting.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
cat > crash.c <<'END'
#include <stdlib.h>
__attribute__((noinline)) void wild_store(volatile int *p) { *p = 1; }
__attribute__((noinline)) void illegal(void) { __asm__ volatile("udf #1"); }
__attribute__((noinline)) void breakpoint(void) { __asm__ volatile("brk #3"); }
int main(int argc, char **argv)
{
    switch (atoi(argv[argc - 1])) {
    case 1: wild_store((int *)64); break;
    case 2: illegal(); break;
    case 3: breakpoint(); break;
    case 4: abort();
    case 5: ((void (*)(void))8)(); break;
    }
    return 0;
}
END
${GUEST_CC:-aarch64-linux-gnu-gcc} -O1 -g -static -o crash crash.c || exit 1
failures=0
expect() { # number, status, pattern
    # In a subshell whose stderr is dropped: the shell's own word about the death is not the one that is looked at.
    { timeout --preserve-status -k 5 20 bash -c 'ulimit -c 0; "$@" 2> err; exit $?' - $dragoman ./crash "$1"; } > /dev/null 2>&1
    local got=$?
    if [ "$got" != "$2" ] || { [ -n "$3" ] && ! grep -qE "$3" err; }; then
        echo "crash $1: status $got, not $2, or no line that says /$3/:"
        cat err
        failures=$((failures + 1))
    fi
}
expect 0 0 ''
expect 1 139 'SIGSEGV.*0x[0-9a-f]+.*wild_store|wild_store.*SIGSEGV'
expect 2 132 'SIGILL.*0x[0-9a-f]+.*illegal|illegal.*SIGILL'
expect 3 133 'SIGTRAP.*0x[0-9a-f]+.*breakpoint|breakpoint.*SIGTRAP'
expect 4 134 ''
expect 5 139 'SIGSEGV.*0x0*8'
[ "$failures" = 0 ]

# SPDX-License-Identifier: GPL-2.0-or-later
# strace traces programs of its own architecture: calls with their arguments, signals, children, what execve starts, ends.
# Left out is what differs by nature: calls that only one of the two has, addresses, process numbers.
prepare() {
    cat > script <<'END'
echo one
cd /
./nothing-there
trap 'echo caught' USR1
kill -USR1 $$
(echo in a child; exit 3)
echo status $?
"$BOX" echo from another program
"$BOX" sh -c 'kill -TERM $$'
echo status $?
"$BOX" false || "$BOX" true
exit 4
END
}

readable() { # the first number of a process is 1, and so on
    sed -E 's/0x[0-9a-f]{6,} \/\* [0-9]+ vars \*\//ENVIRONMENT/; s/si_uid=[0-9]+/si_uid=UID/; s/ +=/ =/' "$1" |
        awk '{ if (!($1 in number)) number[$1] = ++n
               while (match($0, /(si_pid=|kill\()[0-9]+/)) {
                   what = substr($0, RSTART, RLENGTH); pid = what; gsub(/[^0-9]/, "", pid); sub(/[0-9]+/, "", what)
                   $0 = substr($0, 1, RSTART - 1) what "#" number[pid] substr($0, RSTART + RLENGTH)
               }
               pid = $1; sub(/^[0-9]+/, "#" number[pid]); print }'
}

check() {
    cp "$(find_program busybox)" .
    local BOX=$PWD/busybox
    export BOX
    run strace -f -s 200 -o log -e trace=execve,write,chdir,kill,exit_group -e signal='!SIGCHLD' ./busybox sh "$inputs/script"
    readable log | sed "s|$PWD|FOLDER|g"
    run strace -o log -e trace=read,fstat -P numbers ./busybox cat "$inputs/script" > /dev/null
    echo 1 2 3 > numbers
    run strace -o log -e trace=read,write,close ./busybox cat numbers
    sed -E 's/ +=/ =/' log
    run strace -o log -e trace=openat -e inject=openat:error=EPERM:when=1 ./busybox cat numbers
    run strace -o log -e trace=write -e inject=write:error=ENOSPC ./busybox echo never seen
    cat log
    run strace -f -c -o log ./busybox sh -c './busybox true; ./busybox true'
    awk '$NF == "execve" || $NF == "exit_group" { print $4, $NF }' log
}

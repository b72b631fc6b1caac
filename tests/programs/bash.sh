# SPDX-License-Identifier: GPL-2.0-or-later
# Builtins, expansions, arithmetic, subshells, pipes, traps and job control of bash.
prepare() {
    cat > script <<'END'
declare -A words; declare -a list
for ((i = 0; i < 20000; i++)); do ((sum = (sum * 31 + i) & 0xffffff)); list[i % 97]=$sum; done
echo $sum ${#list[@]} "${list[@]:3:4}"
while read -r a b; do words[$a]+="$b,"; done < <(for i in {1..300}; do echo "$((i % 7)) $i"; done)
for k in $(printf '%s\n' "${!words[@]}" | while read -r l; do echo "$l"; done); do echo "$k ${#words[$k]}"; done
text='The quick brown fox jumps over the lazy dog'
echo "${text//o/0}" "${text^^}" "${text#* }" "${text%% *}" "${text:4:5}" "${#text}"
[[ $text =~ q([a-z]+)k.*(l.zy) ]] && echo "${BASH_REMATCH[@]}"
case $text in *fox*dog) echo case ;; esac
printf '%q %08.3f %x %s\n' "a b'c" 3.14159 48879 end
fib() { if (($1 < 2)); then echo "$1"; else echo $(($(fib $(($1 - 1))) + $(fib $(($1 - 2))))); fi; }
fib 10
(exit 5); echo $?
(kill -KILL $BASHPID); echo $?
trap 'echo usr1' USR1; kill -USR1 $$
trap 'echo bye' EXIT
{ echo a; echo b >&2; } 2>&1 | { mapfile -t lines; echo "${lines[@]}"; }
coproc cat; echo through >&"${COPROC[1]}"; read -r line <&"${COPROC[0]}"; echo "$line"
exec 5> file; echo five >&5; exec 5>&-; echo "$(< file)"
for job in 3 1 2; do (exit $job) & pids+=($!); done; for p in "${pids[@]}"; do wait "$p"; echo -n "$? "; done; echo
select_sort() { local -n v=$1; local i j t; for ((i = 0; i < ${#v[@]}; i++)); do for ((j = i; j > 0 && v[j] < v[j-1]; j--)); do t=${v[j]}; v[j]=${v[j-1]}; v[j-1]=$t; done; done; }
select_sort list; echo "${list[@]}"
exit 9
END
}
check() {
    run bash "$inputs/script"
    [ $? = 9 ] && run bash -c 'echo $((2**62)); echo "${BASH_VERSION%.*}"; unset nothing; : ${nothing:?gone}'
    [ $? = 127 ]
}

# SPDX-License-Identifier: GPL-2.0-or-later
# One static program, a shell script with more than 30 of its applets: fork, exec of itself, pipes, files.
prepare() {
    cat > script <<'END'
set -e
seq 1 2000 > numbers
rev numbers | sort -n | tail -n 3
head -n 5 numbers | tac
cat numbers | wc
awk '{ s += $1 * $1 } END { printf "%.0f %.3f\n", s, s / NR }' numbers
sed -n 's/^\(.\)9\(.\)$/\2-\1/p' numbers | tr '\n' ' '
echo
grep -c '7' numbers
grep -E '^1(2|5)+$' numbers | paste -s -d, -
cut -c1-2 numbers | sort | uniq -c | sort -rn | head -n 4
md5sum numbers
sha1sum numbers
sha256sum numbers
sha512sum numbers
cksum numbers
sum numbers
od -A d -t x1 numbers | tail -n 2
hexdump -C numbers | head -n 2
mkdir -p a/b/c
cp numbers a/b/c/copy
mv a/b/c/copy a/b/moved
ln -s moved a/b/link
ls a/b
find a -type f | xargs wc -l
cmp numbers a/b/link && echo same
sed '5,9d' numbers > shorter
diff numbers shorter || echo differs
gzip -c numbers > n.gz && gzip -dc n.gz | cmp - numbers && echo gzip
bzip2 -c numbers > n.bz2 && bunzip2 -c n.bz2 | cmp - numbers && echo bzip2
tar cf all.tar numbers a && tar tf all.tar | sort
mkdir x && tar xf all.tar -C x && cmp x/numbers numbers
base64 < n.bz2 | base64 -d | cmp - n.bz2 && echo base64
expr 6 \* 7
factor 1234567890
printf '%05d|%-6s|%x\n' 42 left 255
fold -w 20 numbers | tail -n 1
expand numbers | nl | tail -n 1
basename /usr/lib/x.so .so
dirname /usr/lib/x.so
test -d a && echo folder
stat -c '%s %F' numbers
split -l 500 numbers part. && ls part.*
dd if=numbers bs=100 count=3 2> /dev/null | tail -n 1
tee copy < numbers | tail -n 1
comm -12 numbers numbers 2> /dev/null | wc -l
date -u -d @1000000000 '+%Y-%m-%d %H:%M:%S'
i=0; while [ $i -lt 30000 ]; do i=$((i + 1)); done; echo $i
f() { [ $1 -lt 2 ] && echo $1 || echo $(( $(f $(($1 - 1))) + $(f $(($1 - 2))) )); }
f 9
(sleep 0.1; echo late) & wait
trap 'echo trapped' USR1; kill -USR1 $$
rm -r a x && ls
exit 3
END
}
check() {
    run busybox sh "$inputs/script"
    [ $? = 3 ]
}

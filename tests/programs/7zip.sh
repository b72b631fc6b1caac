# SPDX-License-Identifier: GPL-2.0-or-later
# The benchmark checks its own results; its figures are times. Then archives of both kinds.
check() {
    run 7zz b -mmt2 -md18 1 > bench || return 1
    grep -cE '^(Avr|Tot):' bench
    head -c 1000000 "$cache/sysroot-amd64/usr/bin/python3.11" > data
    for format in 7z zip tar gzip bzip2 xz; do
        run 7zz a -bso0 -bsp0 -t$format -mmt2 archive.$format data > /dev/null && run 7zz t -bso0 -bsp0 archive.$format && run 7zz x -so archive.$format | md5sum
    done
    run 7zz h -scrcSHA256 data | grep -i 'sha256 '
}

# SPDX-License-Identifier: GPL-2.0-or-later
prepare() {
    head -c 3000000 "$cache/sysroot-amd64/usr/bin/python3.11" > data
    run openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048 -out rsa.pem 2> /dev/null
    run openssl genpkey -algorithm ed25519 -out ed25519.pem
    run openssl ecparam -name prime256v1 -genkey -noout -out ec.pem
}
check() {
    local d c
    for d in md5 sha1 sha224 sha256 sha384 sha512 sha3-256 shake256 blake2b512 blake2s256 sm3 ripemd160; do run openssl dgst -"$d" < "$inputs/data"; done
    run openssl dgst -sha256 -hmac key < "$inputs/data"
    for c in aes-128-cbc aes-256-ctr aes-192-cfb chacha20 camellia-128-cbc aria-256-cbc des-ede3-cbc sm4-ctr; do
        run openssl enc -"$c" -K 00112233445566778899aabbccddeeff0011223344556677 -iv 0102030405060708090a0b0c0d0e0f10 -in "$inputs/data" -out "$c" 2> /dev/null
        run openssl dgst -sha1 < "$c"
        run openssl enc -d -"$c" -K 00112233445566778899aabbccddeeff0011223344556677 -iv 0102030405060708090a0b0c0d0e0f10 -in "$c" 2> /dev/null | run cmp - "$inputs/data"
    done
    run openssl enc -aes-256-cbc -pbkdf2 -iter 1000 -S 0011223344556677 -k pass -in "$inputs/data" | run md5sum
    run openssl dgst -sha256 -sign "$inputs/rsa.pem" -hex < "$inputs/data"
    head -c 1000 "$inputs/data" > small; run openssl pkeyutl -sign -rawin -inkey "$inputs/ed25519.pem" -in small | run od -A n -t x1
    run openssl pkey -in "$inputs/ec.pem" -pubout -out pub.pem && run openssl dgst -sha256 -sign "$inputs/ec.pem" -out sig < small && run openssl dgst -sha256 -verify pub.pem -signature sig < small
    run openssl prime 170141183460469231731687303715884105727
    run openssl req -x509 -key "$inputs/rsa.pem" -subj /CN=test -days 1 -out cert.pem 2> /dev/null; run openssl x509 -in cert.pem -noout -subject; run openssl verify -CAfile cert.pem cert.pem
    run openssl rsa -in "$inputs/rsa.pem" -noout -check
    run openssl kdf -keylen 16 -kdfopt digest:SHA256 -kdfopt key:secret -kdfopt salt:salt HKDF
    # Its figures are times: what is left are the rows.
    run openssl speed -seconds 1 -bytes 1024 sha256 aes-128-cbc 2> /dev/null | sed -nE 's/^(sha256|aes-128-cbc|AES-128-CBC) +[0-9.]+k.*/\1 measured/p'
    run openssl speed -seconds 1 -bytes 1024 -evp aes-128-gcm 2> /dev/null | sed -nE 's/^(AES-128-GCM) +[0-9.]+k.*/\1 measured/p'
    run openssl speed -seconds 1 rsa2048 ecdsap256 2> /dev/null | sed -nE 's/^ *(rsa|256 bits ecdsa).*[0-9.]+s +[0-9.]+s.*/\1 measured/p'
}

# SPDX-License-Identifier: GPL-2.0-or-later
# The smallest dynamic programs.
check() {
    run hello
    run hello --greeting='from here'
    run hello --nonsense || true
    run true
    run false || true
    run sh -c 'echo $0; exit 7' || true
    run sh -c 'kill -TERM $$' || true
}

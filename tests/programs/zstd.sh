# SPDX-License-Identifier: GPL-2.0-or-later
format=zstd
. "$root/tests/programs/compress.inc"

# SPDX-License-Identifier: GPL-2.0-or-later
format=gzip
. "$root/tests/programs/compress.inc"

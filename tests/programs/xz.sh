# SPDX-License-Identifier: GPL-2.0-or-later
format=xz
. "$root/tests/programs/compress.inc"

#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The A64 decode table against binutils' disassembler: random words and words near the table's rows must be allocated
for both or for neither, under the same mnemonic. What may differ is listed here with the reason; the rest is printed.

    tests/disassembly.py [--build FOLDER] [--count N] [--seed N]
"""
import argparse, collections, os, re, subprocess, sys, tempfile

root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
objdump = os.environ.get('GUEST_OBJDUMP', 'aarch64-linux-gnu-objdump')

# Allocated for binutils only: (mask, value, mnemonics, reason).
NOT_HERE = [
    (0x1e000000, 0x04000000, '', 'SVE'),
    (0x1e000000, 0x00000000, '', 'SME'),
    (0xffc00000, 0xd5000000, 'msr|mrs|sys|dc|ic|dsb|smst|at|tlbi|cfp|cpp|dvp', 'system registers that EL0 lacks'),
    (0, 0, 'addg|subg|subps?|gmi|irg|ldg|stg|st2g|stz2?g|stgp|setg', 'FEAT_MTE'),
    (0, 0, 'bc\\.', 'FEAT_HBC'),
    (0, 0, 'tcancel|tstart|ttest|tcommit', 'FEAT_TME'),
    (0, 0, 'ld64b|st64b', 'FEAT_LS64'),
    (0x9f40e400, 0x0e40e400, 'fml[as]l', 'FMLAL, FMLSL with sz = 1 are UNDEFINED'),
    (0x9f40c400, 0x0e40c400, 'fml[as]l', 'FMLAL, FMLSL with sz = 1 are UNDEFINED'),
]
# Allocated here only: rows and the reason.
ONLY_HERE = [
    ('LDAP?R|LDLAR|STLL?R|CAS.*|(LD|ST)A?L?X[RP]', 'binutils takes some bits that should be one as fixed'),
    ('CPYF?[PME]|SET[PME]', 'CONSTRAINED UNPREDICTABLE: two of the registers are one, or X31'),
    ('LDPSW.*|LDN?P.*', 'CONSTRAINED UNPREDICTABLE: a pair of one register'),
]
# Mnemonics that do not begin with their row's name.
ALIASES = 'hint|sys|(pac|aut)[id]z[ab]|bl?ra[ab]z'


def is_listed_there(word, mnemonic):
    return any(word & mask == value and re.match(names, mnemonic) for mask, value, names, _ in NOT_HERE)


def compare(word, row, mnemonic):
    """None, or what differs. `mnemonic` is None for an unallocated word, and so is `row`."""
    if row is None and mnemonic is None:
        return None
    if row is None:
        return None if is_listed_there(word, mnemonic) else f'only binutils has {mnemonic}'
    if mnemonic is None:
        return None if any(re.fullmatch(rows, row) for rows, _ in ONLY_HERE) else f'only the table has {row}'
    if re.fullmatch(ALIASES, mnemonic) or mnemonic.startswith(row.split('_')[0].lower()):
        return None
    return f'{row} is {mnemonic}'


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', default=os.path.join(root, 'build'))
    parser.add_argument('--count', type=int, default=1000000)
    parser.add_argument('--seed', type=int, default=1)
    args = parser.parse_args()
    different, total = collections.defaultdict(list), 0
    with tempfile.TemporaryDirectory() as folder:
        words, rows = os.path.join(folder, 'words'), os.path.join(folder, 'rows')
        program = os.path.join(args.build, 'tests', 'a64_words')
        subprocess.run([program, words, rows, str(args.seed), str(args.count)], check=True)
        process = subprocess.Popen([objdump, '-M', 'no-aliases', '-z', '-D', '-b', 'binary', '-m', 'aarch64', words],
                                   stdout=subprocess.PIPE, text=True)
        with open(rows) as table:
            for line in process.stdout:
                fields = line.rstrip('\n').split('\t')
                if len(fields) < 3:
                    continue
                text, row = next(table).split()
                if fields[1].strip() != text:
                    sys.exit(f'{objdump} has {fields[1]} where {text} should be')
                mnemonic = fields[2].split()[0] if fields[2] else ''
                result = compare(int(text, 16), None if row == '-' else row, None if mnemonic == '.inst' else mnemonic)
                total += 1
                if result:
                    different[result].append((text, ' '.join(fields[2:])))
        if process.wait() != 0:
            sys.exit(f'{objdump} failed')
    for what, where in sorted(different.items()):
        print(f'{len(where):6} times {what}: {where[0][0]} {where[0][1]}')
    print(f'{total} words, {sum(map(len, different.values()))} differ')
    return 1 if different or not total else 0


sys.exit(main())

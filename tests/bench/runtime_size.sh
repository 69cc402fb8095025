#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# runtime_size.sh [BUILD]: what libttsb costs a program and a reader: bytes of
# libttsb.so by section, and lines of C without comments and blank ones, by what
# they are for. BUILD is a Release build; default build. CUDA's part is not in
# it.
set -euo pipefail
cd "$(dirname "$0")/../.."
build=$(realpath "${1:-build}")
cc=${CC:-cc}

# Lines of code of the files.
code() {
    local file sum=0
    for file; do
        sum=$((sum + $($cc -fpreprocessed -dD -E -P "$file" 2>/dev/null | grep -cv '^ *$')))
    done
    echo "$sum"
}

# Bytes of the objects in libttsb.a, code and constants.
bytes() {
    local names=${*##*/}
    size "$build/libttsb.a" | awk -v names=" $names " \
        'index(names, " " substr($6, 1, length($6) - 2) " ") { sum += $1 } END { print sum + 0 }'
}

row() {
    local what=$1
    shift
    printf '%-34s %6s %8s\n' "$what" "$(code "$@")" "$(bytes "$@")"
}

$cc --version | head -n 1
size -A "$build/libttsb.so" |
    awk '$1 == ".text" || $1 == ".rodata" { printf "%-34s %15d\n", $1, $2 }
         $1 ~ /^\.eh_frame/ { unwind += $2 }
         END { printf "%-34s %15d\n", ".eh_frame, .eh_frame_hdr", unwind }'
size "$build/libttsb.so" |
    awk 'NR == 2 { printf "%-34s %15d\n", "all that is read-only (`size`)", $1 }'
echo
printf '%-34s %6s %8s\n' "" lines bytes
cd runtime
all=()
for file in *.c; do
    [[ $file == cuda* ]] || all+=("$file")
done
row "the door: check*, decode" check*.c decode.c
row "open, map, info" open.c map.c info.c
row "lookup: read, constants, dtype" read.c constants.c dtype.c
row "verify" verify*.c
row "hashes" hash*.c
row "DLPack" dlpack*.c
row "statuses and their texts" status.c
row "all" "${all[@]}"
printf '%-34s %6s\n' "public headers" \
    "$(code ttsb.h ttsb_types.h ttsb_use.h ttsb_dlpack.h)"

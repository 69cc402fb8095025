#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# gpu.sh [--out DIR] [--small] [--minutes N]: the upload measured on a GPU,
# beside the limit and other loaders. Builds runtime/ and the bench's programs
# and nothing else. Exit 77 without a device, and 2 where something is missing
# that it needs; README.md says what, and what is measured.
set -euo pipefail
started=$(date +%s)
out='' small='' minutes=9 wrong=0
while (($#)); do
    case $1 in
    --out) out=$(mkdir -p "$2" && cd "$2" && pwd) && shift ;;
    --small) small=--small ;;
    --minutes) minutes=$2 && shift ;;
    *) sed -n '4,7s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
    esac
    shift
done
cd "$(dirname "$0")/../.."
build=${BUILD:-$PWD/build-gpu-bench}
python=${PYTHON:-python3}
: "${out:=$build/results}"

missing() {
    echo "gpu.sh: $1" >&2
    exit 2
}

# Files xxhash.h, the likeliest first: named, where the compiler looks, at the
# tree's side, in Python's packages (some carry it), below the usual roots.
xxhash_files() {
    local root
    if [[ -n ${XXHASH_INCLUDE_DIR:-} ]]; then
        echo "$XXHASH_INCLUDE_DIR/xxhash.h"
        return
    fi
    echo '#include <xxhash.h>' | "${CC:-cc}" -E -M - 2>/dev/null |
        grep -o '[^ ]*/xxhash\.h' || true
    for root in "$PWD/third_party" /usr/local /usr /opt \
        "$("$python" -c 'import sys; print(sys.prefix)')"; do
        timeout 20 find "$root" -name xxhash.h 2>/dev/null || true
    done
}

# The folder of the first that has XXH3, which others of that name lack.
xxhash_folder() {
    local file
    while IFS= read -r file; do
        if grep -qs XXH3_128bits "$file"; then
            realpath "$(dirname "$file")"
            return
        fi
    done < <(xxhash_files)
    return 1
}

command -v cmake >/dev/null || missing "no cmake"
command -v "${CC:-cc}" >/dev/null || missing "no C compiler (CC)"
command -v "$python" >/dev/null || missing "no Python 3 (PYTHON)"
if ! command -v nvcc >/dev/null; then
    for folder in "${CUDA_HOME:-}" /usr/local/cuda /opt/cuda; do
        if [[ -x $folder/bin/nvcc ]]; then
            PATH=$folder/bin:$PATH
            break
        fi
    done
fi
if ! command -v nvcc >/dev/null; then
    echo "skipped: no CUDA toolkit (nvcc in PATH, CUDA_HOME or /usr/local/cuda)"
    exit 77
fi
xxhash=$(xxhash_folder) ||
    missing "no xxhash.h with XXH3 (xxHash 0.8): copy that one file to a folder
and name it: XXHASH_INCLUDE_DIR=FOLDER tests/bench/gpu.sh. It was looked for in
XXHASH_INCLUDE_DIR (${XXHASH_INCLUDE_DIR:-not set}), and, without that, where the
compiler looks and below third_party, /usr/local, /usr, /opt and Python's prefix."

architectures=()
if nvidia-smi -L 2>/dev/null | grep -q .; then
    architectures=(-DTTSW_CUDA_ARCHITECTURES=native)
fi
echo "xxhash.h: $xxhash; building in $build"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
if ! { cmake -S tests/bench/gpu -B "$build" -DTTSW_CUDA=ON \
    -DCMAKE_BUILD_TYPE=Release -DXXHASH_INCLUDE_DIR="$xxhash" \
    "${architectures[@]}" &&
    cmake --build "$build" -j "$(nproc)"; } >"$log" 2>&1; then
    cat "$log"
    missing "the build failed"
fi

code=0
"$build/gpu_bench" </dev/null 2>"$log" || code=$?
if ((code == 77)); then
    echo "skipped: no CUDA device (all is built)"
    exit 77
elif ((code != 0)); then
    cat "$log"
    missing "gpu_bench ends with $code"
fi
if [[ -n ${TTSB_BENCH_DIR:-} && ! -d $TTSB_BENCH_DIR ]]; then
    missing "TTSB_BENCH_DIR is no folder: $TTSB_BENCH_DIR"
fi
(cd "$build" && ./test_cuda_device) || wrong=1
"$python" -B tests/bench/gpu/gpu_run.py --worker "$build/gpu_bench" \
    --make "$build/gpu_make" --out "$out" --minutes "$minutes" \
    --started "$started" ${small:+--small} || wrong=1
exit $wrong

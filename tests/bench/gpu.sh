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
usage() {
    sed -n '4,7s/^# \{0,1\}//p' "$0" >&2
    exit 2
}
while (($#)); do
    case $1 in
    --out)
        [[ -n ${2:-} ]] || usage
        out=$(mkdir -p "$2" && cd "$2" && pwd)
        shift
        ;;
    --small) small=--small ;;
    --minutes)
        [[ ${2:-} =~ ^[0-9]+([.][0-9]+)?$ ]] || usage
        minutes=$2
        shift
        ;;
    *) usage ;;
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
        echo "$XXHASH_INCLUDE_DIR/xxhash.h" # and no other
        return
    fi
    echo '#include <xxhash.h>' | "${CC:-cc}" -E -M - 2>/dev/null |
        grep -o '[^ ]*/xxhash\.h' || true
    for root in "$PWD/third_party" /usr/local /usr /opt \
        "$("$python" -c 'import sys; print(sys.prefix)')"; do
        timeout 10 find "$root" -name xxhash.h 2>/dev/null || true
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
notes=()
if ! xxhash=$(xxhash_folder); then
    [[ -z ${XXHASH_INCLUDE_DIR:-} ]] ||
        missing "XXHASH_INCLUDE_DIR ($XXHASH_INCLUDE_DIR) has no xxhash.h with XXH3"
    xxhash=$PWD/tests/bench/gpu/xxhash
    notes=(--note "no xxhash.h was found: the host hashes with the bench's own, \
without vector code, so that host verify is slower than it is elsewhere")
fi

echo "xxhash.h: $xxhash; building in $build"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# Machine code for each generation: a driver refuses PTX of a newer toolkit, and
# "native" ends the build where CMake cannot ask the device.
if ! { cmake -S tests/bench/gpu -B "$build" -DTTSW_CUDA=ON \
    -DCMAKE_BUILD_TYPE=Release -DXXHASH_INCLUDE_DIR="$xxhash" \
    -DTTSW_CUDA_ARCHITECTURES=all-major &&
    cmake --build "$build" -j "$(nproc)"; } >"$log" 2>&1; then
    cat "$log"
    missing "the build failed"
fi

code=0
"$build/gpu_bench" </dev/null 2>"$log" || code=$?
if ((code == 77)); then
    cat "$log"
    [[ $(nvidia-smi -L 2>/dev/null) != *'GPU '* ]] ||
        missing "nvidia-smi lists a device that CUDA cannot use"
    echo "skipped: no CUDA device (all is built)"
    exit 77
elif ((code != 0)); then
    cat "$log"
    missing "gpu_bench ends with $code"
fi
if [[ -n ${TTSB_BENCH_DIR:-} && ! -d $TTSB_BENCH_DIR ]]; then
    missing "TTSB_BENCH_DIR is no folder: $TTSB_BENCH_DIR"
fi
(cd "$build" && timeout 120 ./test_cuda_device) || {
    echo "gpu.sh: test_cuda_device ends with $?" >&2
    wrong=1
}
"$python" -B tests/bench/gpu/gpu_run.py --worker "$build/gpu_bench" \
    --make "$build/gpu_make" --out "$out" --minutes "$minutes" \
    --started "$started" ${small:+--small} "${notes[@]}" || wrong=$?
exit "$wrong"

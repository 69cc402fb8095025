#!/usr/bin/env bash
# tsan.sh [cmake -D options]: what runs threads, under TSan: the runtime's
# tests that do, and the upload on the fake device, which hashes pieces with the
# kernels' body. Needs clang and what tests/install.sh test installs. Ends with
# "N passed, N failed".
#   TTSW_BUILD=DIR  builds there instead of build-tsan/
set -euo pipefail
cd "$(dirname "$0")/.."
build=${TTSW_BUILD:-build-tsan}
tests=(
    test_runtime_{dlpack,use,verify}
    test_cuda_{upload,options,faults,system,verify}
)
cmake -S . -B "$build" -DTTSW_TESTS=ON -DTTSW_CUDA=OFF \
    -DTTSW_SANITIZE_THREAD=ON -DCMAKE_C_COMPILER=clang \
    -DCMAKE_BUILD_TYPE=RelWithDebInfo -DTTSW_WERROR=ON "$@"
cmake --build "$build" -j "$(nproc)" --target "${tests[@]}"

# TSan of clang 14 takes no address space that is shuffled as widely as newer
# kernels do.
fixed=()
if setarch "$(uname -m)" -R true 2>/dev/null; then
    fixed=(setarch "$(uname -m)" -R)
fi
log=$(mktemp)
trap 'rm -f "$log"' EXIT
names=$(IFS='|' && echo "${tests[*]}")
(cd "$build" && TTSW_FEW=1 "${fixed[@]}" ctest -j "$(nproc)" \
    --output-on-failure -R "^($names)\$") | tee "$log" || true
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
echo "$passed passed, $((${#tests[@]} - passed)) failed"
((passed == ${#tests[@]}))

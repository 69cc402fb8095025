#!/usr/bin/env bash
# run.sh [--all] [cmake -D options]: installs what is missing, builds, runs the
# tests. --all adds the long tier. Ends with "N passed, N failed".
#   TTSW_BUILD=DIR  builds there instead of build/
set -euo pipefail
cd "$(dirname "$0")/.."
all=0
options=()
for argument in "$@"; do
    case $argument in
    --all) all=1 ;;
    -D*) options+=("$argument") ;;
    *)
        echo "usage: tests/run.sh [--all] [-DNAME=VALUE ...]" >&2
        exit 2
        ;;
    esac
done
tests/install.sh test
build=${TTSW_BUILD:-build}
jobs=$(nproc)
cmake -S . -B "$build" -DTTSW_TESTS=ON \
    -DPython3_EXECUTABLE="$PWD/.venv/bin/python" "${options[@]}"
cmake --build "$build" -j "$jobs"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
select=()
((all)) || select=(-LE slow)
status=0
(cd "$build" && ctest -j "$jobs" --output-on-failure "${select[@]}") |
    tee "$log" || status=$?
passed=$(grep -cE '^ *[0-9]+/[0-9]+ Test .* Passed ' "$log" || true)
skipped=$(grep -cE '^ *[0-9]+/[0-9]+ Test .*\*\*\*(Skipped|Not Run)' "$log" || true)
failed=$(grep -E '^ *[0-9]+/[0-9]+ Test ' "$log" |
    grep -cvE ' Passed |\*\*\*(Skipped|Not Run)' || true)
if ((passed == 0 || (status != 0 && failed == 0))); then
    failed=$((failed + 1))
fi
echo "$passed passed, $failed failed, $skipped skipped"
((failed == 0))

#!/usr/bin/env bash
#
# tidy.sh - the programs' C files through clang-tidy, by the rules of .clang-tidy.
#
#   tests/tidy.sh [FILE ...]
#
# The commands that they are compiled with come from a build directory of its own, TIDY_BUILD
# (default: build/tidy). A clang-tidy that is not there, or of another version than the rules are
# written for, is passed over (77); in CI (CI is set) the first is an error.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."

# Each major version has other checks and other mistakes.
version=14

skip() {
	echo "tidy: SKIPPED: $*"
	exit 77
}

if ! command -v clang-tidy >/dev/null; then
	[ -z "${CI:-}" ] || { echo "tidy: clang-tidy is not installed; run scripts/install-deps" >&2; exit 1; }
	skip "clang-tidy is not installed; run scripts/install-deps"
fi
clang-tidy --version | grep -q "version $version\." ||
	skip "clang-tidy $version is needed, not $(clang-tidy --version | grep -o 'version [0-9.]*')"

build=${TIDY_BUILD:-build/tidy}
mkdir -p "$build"
cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug \
	-DWARNINGS_ARE_ERRORS=OFF >"$build/cmake-output.txt"

files=("$@")
if [ ${#files[@]} = 0 ]; then
	mapfile -t files < <(find config finalize watcher -name '*.c' 2>/dev/null | sort)
fi

# The analyzer takes nearly all of the time. It follows calls, but gives a function up after 225,000 states; the
# breadth-first order finds nearly everything in the first of them, and the rest is five times the time.
analyzer=(-Xclang -analyzer-config -Xclang max-nodes=20000)

# It counts on stderr what it doesn't show. The largest files come first, and none waits for a slower one; tests that
# run beside it and have limits of time come before it.
if ! stat --printf '%s %n\0' "${files[@]}" | sort -z -rn | cut -z -d ' ' -f 2- |
	nice -n 15 xargs -0 -P "$(nproc)" -n 1 clang-tidy --quiet -p "$build" "${analyzer[@]/#/--extra-arg=}" \
		2>"$build/stderr.txt"; then
	grep -vE '^[0-9]+ warnings? (generated|treated)' "$build/stderr.txt" >&2 || true
	echo "tidy: clang-tidy has something to say about the files above" >&2
	exit 1
fi
echo "tidy: ${#files[@]} C files are clean"

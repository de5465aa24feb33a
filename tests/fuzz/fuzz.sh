#!/usr/bin/env bash
#
# fuzz.sh - feeds the readers of what others send with inputs made up by libFuzzer.
#
#   tests/fuzz/fuzz.sh [SECONDS [TARGET ...]]
#
# Each target, tests/fuzz/fuzz_<TARGET>.c, runs for SECONDS (default: FUZZ_SECONDS, else 60 for the
# reader of mp4, whose input is the largest and most nested, and 5 for the others), as many
# at once as there are processors, and gives way to other work on them. They begin with the inputs in
# tests/fuzz/corpus/<TARGET> (found-*: of a run of ten minutes, those that reach the most code that
# the others don't) and those that earlier runs found worth keeping. They are built by clang
# in FUZZ_BUILD (default: build/fuzz), where an input that breaks a promise is kept, in crashes/. To
# see it again: FUZZ_BUILD/tests/fuzz/fuzz-<TARGET> INPUT. Once it is fixed, it belongs into the corpus.
#
# Ends with 0, or with 1 when something was found. Without clang's libFuzzer it is skipped (77); in
# CI (CI is set) that is an error.

set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/../.."

fail() { printf 'fuzz: %s\n' "$*" >&2; exit 1; }

seconds=${1:-${FUZZ_SECONDS:-}}
[[ ${seconds:-1} =~ ^[1-9][0-9]{0,5}$ ]] || {
	echo "usage: tests/fuzz/fuzz.sh [SECONDS [TARGET ...]]" >&2
	exit 64
}
targets=("${@:2}")
if [ ${#targets[@]} = 0 ]; then
	for source in tests/fuzz/fuzz_*.c; do
		source=${source##*/fuzz_}
		targets+=("${source%.c}")
	done
fi

build=${FUZZ_BUILD:-build/fuzz}
mkdir -p "$build/crashes" "$build/logs"

# Not part of every installation of clang.
probe='int LLVMFuzzerTestOneInput(const char *d, unsigned long n); int LLVMFuzzerTestOneInput(const char *d, unsigned long n) { return !d && n; }'
if ! clang -fsanitize=fuzzer,address,undefined -x c - -o "$build/probe" <<<"$probe" 2>"$build/logs/probe"; then
	[ -z "${CI:-}" ] || fail "clang has no libFuzzer here; run scripts/install-deps"
	echo "fuzz: SKIPPED: clang has no libFuzzer here; run scripts/install-deps"
	exit 77
fi

# Warnings are other builds' concern, of this and of the other compiler.
cmake -S . -B "$build" -G Ninja -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Debug -DFUZZ=ON \
	-DWARNINGS_ARE_ERRORS=OFF >"$build/logs/cmake"
cmake --build "$build" --target fuzzers >"$build/logs/build" || {
	cat "$build/logs/build" >&2
	fail "the targets could not be built"
}

# run TARGET
run() {
	local default=5
	[ "$1" != mp4_index ] || default=60
	mkdir -p "$build/corpus/$1"
	nice -n 10 "$build/tests/fuzz/fuzz-$1" -max_total_time="${seconds:-$default}" -timeout=20 -rss_limit_mb=1024 \
		-malloc_limit_mb=64 -max_len=8192 -print_final_stats=1 \
		-artifact_prefix="$build/crashes/$1-" "$build/corpus/$1" "tests/fuzz/corpus/$1" \
		>"$build/logs/$1" 2>&1
}

# shellcheck disable=SC2046  # several numbers
trap 'kill $(jobs -p) 2>/dev/null || true' EXIT
echo "fuzz: ${#targets[@]} targets, ${seconds:-5 or 60} s each"
declare -A target_of=()
codes=()
at_once=$(nproc)

# Waits for one of them, and keeps how it ended.
wait_for_one() {
	local pid code=0
	wait -n -p pid || code=$?
	codes+=("$code ${target_of[$pid]}")
	unset "target_of[$pid]"
}

for target in "${targets[@]}"; do
	[ -x "$build/tests/fuzz/fuzz-$target" ] || fail "there is no target $target"
	[ ${#target_of[@]} -lt "$at_once" ] || wait_for_one
	run "$target" &
	target_of[$!]=$target
done
while [ ${#target_of[@]} -gt 0 ]; do
	wait_for_one
done

# stat TARGET NAME
stat_of() { sed -n "s/^stat::$2: *//p" "$build/logs/$1"; }

found=0
while read -r code target; do
	log=$build/logs/$target
	printf 'fuzz: %-14s %9s inputs, %5s of them kept, %4s MiB: ' "$target" \
		"$(stat_of "$target" number_of_executed_units)" "$(stat_of "$target" new_units_added)" \
		"$(stat_of "$target" peak_rss_mb)"
	if [ "$code" = 0 ]; then
		echo "no promise broken"
		continue
	fi
	echo "FAILED"
	found=$((found + 1))
	grep -E 'broken promise|ERROR:|runtime error|^SUMMARY|Test unit written' "$log" | sed 's/^/    /' ||
		tail -n 20 "$log"
	grep -m 1 -A 20 '^ *#0 ' "$log" | grep -F /fuzz_ || true
	artifact=$(sed -n 's/.*Test unit written to //p' "$log" | tail -n 1)
	[ -z "$artifact" ] || [ "$(stat -c %s "$artifact")" -gt 4096 ] || {
		echo "    as base64:"
		base64 "$artifact"
	}
done < <(printf '%s\n' "${codes[@]}" | sort -k 2)

[ "$found" = 0 ] || fail "$found of ${#targets[@]} targets found something"
echo "fuzz: ${#targets[@]} targets, no promise broken"

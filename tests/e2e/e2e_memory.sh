#!/usr/bin/env bash
#
# e2e_memory.sh - end to end: memory does not grow with the recording.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

LIMIT_KIB=16384

if [ -n "${SANITIZED:-}" ]; then
	echo "skipped: the sanitizers' own memory would be measured"
	exit 77
fi

# peak BYTES [NAME=VALUE...]: KiB that the program needed at most for a file of that size.
peak() {
	program_prefix=(/usr/bin/time -o "$case_dir/peak" -f %M)
	mkdir -p "$session"
	truncate -s "$1" "$session/12345_a.mp4"
	limit=600 finalize "${@:2}" "$session"
	expect_code 0
	expect_all_gone
	kib=$(<"$case_dir/peak")
	echo "peak: $kib KiB"
}

a_file_of_1_GiB_takes_less_than_16_MiB() {
	peak $((1024 * MIB))
	[ "$kib" -lt "$LIMIT_KIB" ] || fail "$kib KiB"
	truncate -s $((1024 * MIB)) "$case_dir/zeros"
	expect_object 12345_a.mp4 "$case_dir/zeros"
}

over_TLS_too() {
	peak $((256 * MIB)) "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT" "CONFOMEET_CA_FILE=$S3_TLS_CERT"
	[ "$kib" -lt "$LIMIT_KIB" ] || fail "$kib KiB"
}

# As many as can be set, to a server that limits each connection: so they are worth it, and used.
over_TLS_with_48_requests_at_once_too() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$own_address" \
		-addext "subjectAltName=IP:$own_address" -keyout "$case_dir/key.pem" -out "$case_dir/cert.pem" 2>/dev/null
	start_sink --rate-mbps 50 --tls "$case_dir/cert.pem" "$case_dir/key.pem"
	peak $((1024 * MIB)) "CONFOMEET_S3_URL=${sink_url/http:/https:}" "CONFOMEET_CA_FILE=$case_dir/cert.pem" \
		CONFOMEET_S3_PARALLEL=48
	[ "$kib" -lt "$LIMIT_KIB" ] || fail "$kib KiB"
}

# The least and the most of several runs differ by a tenth: chance has its part in how many requests
# and reads meet.
a_file_of_4_GiB_takes_no_more_than_one_of_1_GiB() {
	local i largest=0
	start_sink --stats
	environment+=("CONFOMEET_S3_URL=$sink_url")
	for i in 1 2 3 4; do
		session=$recordings/session$i
		peak $((1024 * MIB)) CONFOMEET_S3_KEY_PREFIX=$i/
		[ "$kib" -le "$largest" ] || largest=$kib
	done
	session=$recordings/session5
	peak $((4096 * MIB)) CONFOMEET_S3_KEY_PREFIX=5/
	[ "$kib" -lt "$LIMIT_KIB" ] || fail "$kib KiB"
	expect_at_most "KiB for 4 GiB ($largest for 1 GiB)" $((largest * 115 / 100)) "$kib"
}

a_thousand_files_take_no_more_than_one() {
	local i
	start_sink --stats
	for ((i = 0; i < 1000; i++)); do
		printf x >"$session/$i.log"
	done
	peak 1000 "CONFOMEET_S3_URL=$sink_url"
	[ "$kib" -lt "$LIMIT_KIB" ] || fail "$kib KiB"
}

run a_file_of_1_GiB_takes_less_than_16_MiB
run over_TLS_too
run over_TLS_with_48_requests_at_once_too
run a_file_of_4_GiB_takes_no_more_than_one_of_1_GiB
run a_thousand_files_take_no_more_than_one
end_of_cases

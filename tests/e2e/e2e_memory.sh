#!/usr/bin/env bash
#
# e2e_memory.sh - end to end: memory does not grow with the recording.
#
# Private memory (RssAnon) is what the program takes from others; resident memory counts the pages of
# libraries, too, which all processes share. See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

ANON_LIMIT_KIB=8192
RSS_LIMIT_KIB=20480

if [ -n "${SANITIZED:-}" ]; then
	echo "skipped: the sanitizers' own memory would be measured"
	exit 77
fi

# measure BYTES [NAME=VALUE...]: a file of that size, or the one that is there, is uploaded within the limits; what it took
# goes to $anon_kib and $rss_kib.
measure() {
	program_prefix=(python3 -B "$tests/tools/peak_memory.py" "$case_dir/peak")
	mkdir -p "$session"
	[ -e "$session/12345_a.mp4" ] || truncate -s "$1" "$session/12345_a.mp4"
	limit=600 finalize "${@:2}" "$session"
	expect_code 0
	expect_all_gone
	read -r anon_kib rss_kib <"$case_dir/peak"
	echo "peak: $anon_kib KiB private, $rss_kib KiB resident"
	expect_at_most "KiB private" "$ANON_LIMIT_KIB" "$anon_kib"
	expect_at_most "KiB resident" "$RSS_LIMIT_KIB" "$rss_kib"
}

a_file_of_1_GiB_takes_8_MiB_of_private_memory_at_most() {
	measure $((1024 * MIB))
	truncate -s $((1024 * MIB)) "$case_dir/zeros"
	expect_object 12345_a.mp4 "$case_dir/zeros"
}

over_TLS_too() {
	measure $((256 * MIB)) "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT" "CONFOMEET_CA_FILE=$S3_TLS_CERT"
}

# As many as can be set, to a server that limits each connection: so they are worth it, and used.
over_TLS_with_24_requests_at_once_too() {
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/CN=$own_address" \
		-addext "subjectAltName=IP:$own_address" -keyout "$case_dir/key.pem" -out "$case_dir/cert.pem" 2>/dev/null
	start_sink --rate-mbps 50 --tls "$case_dir/cert.pem" "$case_dir/key.pem"
	measure $((1024 * MIB)) "CONFOMEET_S3_URL=${sink_url/http:/https:}" "CONFOMEET_CA_FILE=$case_dir/cert.pem" \
		CONFOMEET_S3_PARALLEL=24
}

# The least and the most of several runs differ by a tenth: chance has its part in how many requests
# and reads meet.
a_file_of_4_GiB_takes_no_more_than_one_of_1_GiB() {
	local i largest=0
	start_sink --stats
	environment+=("CONFOMEET_S3_URL=$sink_url")
	for i in 1 2; do
		session=$recordings/session$i
		measure $((1024 * MIB)) CONFOMEET_S3_KEY_PREFIX=$i/
		[ "$anon_kib" -le "$largest" ] || largest=$anon_kib
	done
	session=$recordings/session3
	measure $((4096 * MIB)) CONFOMEET_S3_KEY_PREFIX=3/
	expect_at_most "KiB private for 4 GiB ($largest for 1 GiB)" $((largest + 1024)) "$anon_kib"
}

# a_recording_in_fragments_takes_no_more SECONDS FRAME-BYTES: a second has 292 bytes of its index at least.
a_recording_in_fragments_takes_no_more() {
	local bytes
	python3 -B "$tests/tools/long_recording.py" "$tests/fuzz/corpus/mp4_index/ffmpeg-5.1-zerolatency" \
		"$session/12345_a.mp4" "$1" "$2"
	bytes=$(stat -c %s "$session/12345_a.mp4")
	start_sink --stats
	measure "$bytes" "CONFOMEET_S3_URL=$sink_url"
	expect "milliseconds, cut off, incomplete, in the journal" "${1}000|1|0" \
		"$(query "SELECT duration_ms, cut_off, incomplete FROM file WHERE media")"
	[ "$(query "SELECT object_bytes FROM file WHERE media")" -gt $((bytes + 292 * $1)) ] || fail "there is no index"
	finalize status --json "$session"
	expect "in JSON" "[$1,true,false]" \
		"$(jq -c '[.. | objects | select(has("cut_off")) | [.duration_seconds, .cut_off, .incomplete]][0]' <<<"$output")"
}

a_thousand_files_take_no_more_than_one() {
	local i
	start_sink --stats
	for ((i = 0; i < 1000; i++)); do
		printf x >"$session/$i.log"
	done
	measure 1000 "CONFOMEET_S3_URL=$sink_url"
}

run a_file_of_1_GiB_takes_8_MiB_of_private_memory_at_most
run over_TLS_too
run a_recording_in_fragments_takes_no_more 43200 10  # 1.3 million frames
run a_recording_in_fragments_takes_no_more 600 300000 # above 4 GiB
run over_TLS_with_24_requests_at_once_too
run a_file_of_4_GiB_takes_no_more_than_one_of_1_GiB
run a_thousand_files_take_no_more_than_one
end_of_cases

#!/usr/bin/env bash
#
# fault_sweep.sh - each fault of faults.tsv against the real S3 server and the backend's stand-in.
#
#   E2E_BUILD=build/test tests/faults/fault_sweep.sh [--all] [REGULAR-EXPRESSION]    only faults that match it
#
# Without --all, a line of the table that stands for more than 3 faults gives one, or each eighth of them,
# another one than the line before.
#
# A fault's name is "<recording> <where> <which> <fault>", as "parts complete 1 lost". Whatever it is, in
# the end the object is the file and there is no other, the backend has accepted one notice, no
# upload is left open, no acknowledged part was sent twice, nothing came to another host, no secret
# was said, and before that the file was not touched.

all=no
if [ "${1:-}" = --all ]; then
	all=yes
	shift
fi
selected=${1:-}
[ $# = 0 ] || shift

# shellcheck source=tests/faults/faults.sh
. "$(dirname "${BASH_SOURCE[0]}")/faults.sh"

WORKERS=${FAULT_WORKERS:-6}

# ---- the table -----------------------------------------------------------------------------------

# One fault a line, the lists of the table expanded.
faults() {
	local recording where which fault code last checks w o f lines line_number=0 index
	while IFS=$'\t' read -r recording where which fault code last checks; do
		[[ -n $recording && $recording != '#'* ]] || continue
		[ -n "$checks" ] || {
			echo "faults.tsv: a line with too few fields: $recording $where $which" >&2
			return 1
		}
		lines=()
		for o in ${where//,/ }; do
			for w in ${which//,/ }; do
				for f in ${fault//,/ }; do
					lines+=("$recording"$'\t'"$o"$'\t'"$w"$'\t'"$f"$'\t'"$code"$'\t'"$last"$'\t'"$checks")
				done
			done
		done
		line_number=$((line_number + 1))
		for index in "${!lines[@]}"; do
			[ "$all" = yes ] || [ ${#lines[@]} -le 3 ] ||
				[ $(((index + line_number) % (${#lines[@]} < 8 ? ${#lines[@]} : 8))) = 0 ] || continue
			printf '%s\n' "${lines[index]}"
		done
	done <"$tests/faults/faults.tsv"
}

# has_check NAME: one of $checks; its value, if it has one, goes to $value.
has_check() {
	local check
	for check in ${checks//,/ }; do
		value=${check#*=}
		[ "${check%%=*}" != "$1" ] || return 0
	done
	return 1
}

# ---- before, during and after ---------------------------------------------------------------------

name=12345_2024-04-23-15-04-05.mp4

# Sets $rules for the proxy, and leaves in the bucket what an earlier run did.
prepare() {
	rules=()
	case $recording in
	small | refused) original=$work/small ;;
	*) original=$work/large ;;
	esac
	cp "$original" "$session/$name"
	case $recording in
	refused) rules+=(--fault head:1:403) ;;
	lost-id) rules+=(--fault create:1:lost) ;;
	resumed)
		start_proxy "$proxy_log" --fault part:3-:500
		finalize "CONFOMEET_S3_URL=$proxy_url" CONFOMEET_S3_PARALLEL=1 CONFOMEET_S3_RETRY_FOR=0 \
			"$session"
		expect_code 75
		stop_proxy
		expect "parts of the earlier run" 2 "$(parts_in_journal)"
		;;
	esac
}

# Starts what goes wrong: fills in $settings and $program_prefix.
begin_fault() {
	local certificate=$work/tls/$fault
	settings=()
	case $where in
	server)
		start_proxy "$proxy_log"
		stop_proxy
		;;
	tls)
		start_proxy "$proxy_log" --tls "$certificate.pem" "$certificate.key" \
			"${tls_options[@]}"
		proxy_url=https://${proxy_url#http://}
		[ "$fault" = unknown ] || settings+=("CONFOMEET_CA_FILE=$certificate.pem")
		;;
	clock)
		clock_is_wrong_by "$fault"
		start_proxy "$proxy_log" "${rules[@]}"
		;;
	backend)
		start_proxy "$proxy_log"
		if [ "$which" = all ]; then
			restart_backend --fail "$fault"
		else
			restart_backend --fail "$fault:$which"
		fi
		;;
	notice)
		notice_log=$case_dir/notice-proxy.log
		proxy_upstream=$backend_port start_proxy "$notice_log" --fault "other:$which:$fault"
		faulty_pid=$proxy_pid
		more_secrets=(a-token-for-the-backend)
		settings+=("CONFOMEET_BASE_URL=$proxy_url/meet" "CONFOMEET_BACKEND_TOKEN=${more_secrets[0]}")
		proxy_port=0
		start_proxy "$proxy_log"
		;;
	*)
		start_proxy "$proxy_log" "${rules[@]}" --fault "$where:$which:$fault"
		faulty_pid=$proxy_pid
		;;
	esac
	settings+=("CONFOMEET_S3_URL=$proxy_url")
	! has_check patience || settings+=("CONFOMEET_S3_RETRY_FOR=$value")
	! has_check wait || settings+=("CONFOMEET_FINALIZE_WAIT=$value")
}

end_fault() {
	program_prefix=()
	case $where in
	tls | server)
		[ "$where" = server ] || stop_proxy
		start_proxy "$proxy_log"
		;;
	backend) restart_backend ;;
	clock) ;;
	*) kill -USR1 "$faulty_pid" ;;
	esac
}

expect_end() {
	local accepted=1
	expect_all_gone
	expect keys "$name" "$(keys_of_bucket)"
	s3_request GET "/$bucket/$name" | cmp - "$original" || fail "the object is not the file"
	! has_check accepted || accepted=$value
	expect "accepted notices" "$accepted" "$(accepted_notices)"
	expect "recordings that the backend can tell apart" 1 "$(idempotency_keys)"
	expect "requests to another host" '' "$(cat "$case_dir"/*proxy.log | grep elsewhere || true)"
	has_check resent || expect "parts that were acknowledged twice" '' "$(parts_sent_twice)"
	if has_check pause; then
		expect_at_least "ms between the 503 and the next" 1000 \
			"$(requests "$where" | awk '$9 == "503-retry-after" { end = $2; part = $5; next }
				end && $5 == part { print $1 - end; exit }')"
	fi
	if has_check region; then
		expect_match "regions that were signed for" 'eu-north-9' "$(requests any | cut -d ' ' -f 11)"
	fi
	! has_check leftover || abort_all_uploads
}

a_fault() {
	local before repeat silence=30s
	proxy_log=$case_dir/proxy.log
	tls_options=()
	[ "$fault" != tls1.1 ] || tls_options=(--tls-most 1.1)
	# A busy machine is silent for seconds, too: what is not about silence waits for longer.
	case $fault in hang* | lost-quietly | half | drip) silence=4s ;; esac
	environment+=(CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=4 CONFOMEET_S3_RETRY_FOR=20s
		"CONFOMEET_S3_IDLE_TIMEOUT=$silence" CONFOMEET_S3_CONNECT_TIMEOUT=10s CONFOMEET_FINALIZE_WAIT=60s
		"CONFOMEET_BACKEND_TIMEOUT=$silence")
	prepare
	before=$(state_of "$session")
	begin_fault
	limit=120 finalize "${settings[@]}" "$session"
	cat "$proxy_log"
	if [ "$code_wanted" = any ]; then
		expect_match "exit code" '^(1|75)$' "$code"
	else
		expect "exit code" "$code_wanted" "$code"
	fi
	expect_match "the last line" "$last_wanted" "$last_line"
	repeat=()
	! has_check accepted || repeat=(--may-repeat)
	# It takes a second: of a run that ended well, expect_end sees most.
	if [ "$code" != 0 ] || [ "$all" = yes ]; then expect_no_lies "$original" "${repeat[@]}"; fi
	if [ "$code" != 0 ]; then
		expect "the files" "$before" "$(state_of "$session")"
		end_fault
		limit=120 finalize "CONFOMEET_S3_URL=$proxy_url" "$session"
		cat "$proxy_log"
		expect_code 0 ': safe: 1 recording'
	fi
	expect_end
}

# ---- certificates ----------------------------------------------------------------------------------

# make_certificate NAME COMMAND...
make_certificate() {
	"${@:2}" -keyout "$work/tls/$1.key" -out "$work/tls/$1.pem" 2>/dev/null
}

make_certificates() {
	local make=(openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes
		-subj /CN=fault-proxy)
	local here=(-addext 'subjectAltName=IP:127.0.0.1')
	mkdir "$work/tls"
	make_certificate good "${make[@]}" -days 30 "${here[@]}"
	make_certificate unknown "${make[@]}" -days 30 "${here[@]}"
	make_certificate tls1.1 "${make[@]}" -days 30 "${here[@]}"
	make_certificate other-host "${make[@]}" -days 30 \
		-addext 'subjectAltName=DNS:storage.example.org,IP:127.0.0.2'
	# Made ten days ago, for one day.
	make_certificate expired env "LD_PRELOAD=$build/tests/tools/clock-shift.so" CLOCK_SHIFT=-10d "${make[@]}" -days 1 "${here[@]}"
}

# ---- all of them -----------------------------------------------------------------------------------

# A user may have 1,000 buckets, and this server serves other tests too.
remove_bucket() {
	s3_request DELETE "/$1/$name" >/dev/null 2>&1 && s3_request DELETE "/$1" >/dev/null 2>&1
}

# work_through NUMBER: each WORKERSth fault, from that one on.
work_through() {
	local index=0
	while IFS=$'\t' read -r recording where which fault code_wanted last_wanted checks; do
		[[ "$recording $where $which $fault" =~ $selected ]] || continue
		index=$((index + 1))
		[ $((index % WORKERS)) = "$1" ] || continue
		case_count=$((index - 1))
		run a_fault "$recording" "$where" "$which" "$fault"
		remove_bucket "$buckets-$index"
	done <"$work/faults"
}

use_server
need_fault_tools
make_certificates
head -c 1024 /dev/urandom >"$work/small"
head -c $((11 * MIB)) /dev/urandom >"$work/large"
faults >"$work/faults" || exit 1
for ((worker = 0; worker < WORKERS; worker++)); do
	work_through "$worker" >"$work/worker-$worker" &
done
wait
cat "$work"/worker-*
tried=$(cat "$work"/worker-* | grep -cE '^(not )?ok - ') || true
bad=$(cat "$work"/worker-* | grep -c '^not ok - ') || true
echo "$tried faults tried: $((tried - bad)) as expected, $bad not; in $SECONDS s"
[ "$tried" -gt 0 ] && [ "$bad" = 0 ]

#!/usr/bin/env bash
#
# e2e_security.sh - end to end: what an attacker in the network, in the session directory, in the
# bucket's place or on this machine could try.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/faults/pressure.sh
. "$(dirname "${BASH_SOURCE[0]}")/pressure.sh"

media=12345_2024-04-23-15-04-05.mp4

# start_server_of COMMAND...: one that prints its port when it is ready; it goes to $server_port.
start_server_of() {
	mkfifo "$case_dir/ready"
	"$@" >"$case_dir/ready" &
	pids+=("$!")
	read -r -t 10 server_port <"$case_dir/ready" || fail "it does not start: $1"
	rm "$case_dir/ready"
}

# answer_with FILE: a server that answers whatever it is asked with these bytes.
answer_with() {
	# shellcheck disable=SC2016  # Perl's
	start_server_of perl -MIO::Socket::INET -e '
		$/ = undef;
		open(my $f, "<", $ARGV[0]) or die; my $answer = <$f>;
		my $s = IO::Socket::INET->new(LocalAddr => "127.0.0.1", Listen => 64) or die;
		$| = 1; $SIG{CHLD} = "IGNORE"; $SIG{PIPE} = "IGNORE";
		print $s->sockport, "\n"; close STDOUT;
		while (my $c = $s->accept) {
			next if fork;
			my ($got, $length) = ("", 0);
			while ($got !~ /\r\n\r\n/) { sysread($c, $got, 65536, length $got) or exit }
			$length = $1 if $got =~ /\r\nContent-Length: *(\d+)/i;
			$got =~ s/.*?\r\n\r\n//s;
			while (length $got < $length) { sysread($c, $got, 65536, length $got) or exit }
			syswrite $c, $answer;
			shutdown $c, 1; sysread $c, $got, 65536;
			exit;
		}' "$1"
}

# check [NAME=VALUE...]: what `jibri-finalize check` says goes to $output; it may find fault.
check() {
	env -i "${environment[@]}" "CONFOMEET_RECORDINGS_DIR=$recordings" "$@" "$program" check \
		>"$case_dir/output" 2>&1 </dev/null || true
	output=$(<"$case_dir/output")
	cat "$case_dir/output" >>"$outputs"
	expect_match "what it says" '(ok|WRONG) +settings' "$output"
}

# ---- TLS -----------------------------------------------------------------------------------------

# expect_distrust NAME=VALUE...: nothing is sent to a server that doesn't prove who it is.
expect_distrust() {
	local before
	make_file "$session/$media" 1000
	before=$(state_of "$session")
	finalize CONFOMEET_S3_RETRY_FOR=0 "$@" "$session"
	expect_code 1 'certificate.*what to do: name the CA of the (server|backend).s certificate in CONFOMEET_CA_FILE'
	expect "the files" "$before" "$(state_of "$session")"
	expect "requests to the backend" '' "$(notices)"
}

a_bucket_with_a_certificate_of_nobody_known() {
	expect_distrust "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT"
	expect keys '' "$(keys)"
}

# Each name below localhost is this machine; the certificate is for those of one level.
a_bucket_with_a_certificate_for_another_name() {
	expect_distrust "CONFOMEET_CA_FILE=$S3_TLS_CERT" \
		"CONFOMEET_S3_URL=${S3_TLS_ENDPOINT/127.0.0.1/not.in.it.localhost}"
	expect keys '' "$(keys)"
}

a_backend_with_a_certificate_of_nobody_known() {
	expect_distrust "CONFOMEET_BASE_URL=$S3_TLS_ENDPOINT/meet" CONFOMEET_BACKEND_TOKEN=the-token
}

a_certificate_of_an_authority_that_is_named() {
	make_file "$session/$media" 1000
	finalize "CONFOMEET_S3_URL=$S3_TLS_ENDPOINT" "CONFOMEET_CA_FILE=$S3_TLS_CERT" "$session"
	expect_code 0
	expect_all_gone
	expect_object "$media" "$copies/$media"
}

# OpenSSL itself is told to take any version, so that only the program's own word counts. VERSION
TLS_before_1_2_is_refused() {
	local before listener
	cat >"$case_dir/openssl.cnf" <<-END
		openssl_conf = all
		[all]
		ssl_conf = ssl
		[ssl]
		system_default = any
		[any]
		MinProtocol = TLSv1
		CipherString = ALL:@SECLEVEL=0
	END
	openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj /CN=127.0.0.1 \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$case_dir/key.pem" -out "$case_dir/cert.pem" \
		2>/dev/null
	environment+=("OPENSSL_CONF=$case_dir/openssl.cnf" "CONFOMEET_CA_FILE=$case_dir/cert.pem")
	# It chooses no port by itself: that of a program that has just ended.
	stop_backend
	listener=$backend_port
	backend_port=0
	restart_backend
	OPENSSL_CONF=$case_dir/openssl.cnf openssl s_server "-tls$1" -accept "127.0.0.1:$listener" \
		-cert "$case_dir/cert.pem" -key "$case_dir/key.pem" -www >"$case_dir/s_server.log" 2>&1 &
	pids+=("$!")
	wait_for 10 eval "(exec 3<>/dev/tcp/127.0.0.1/$listener) 2>/dev/null"
	# Were it not for the version, the server could be talked to.
	OPENSSL_CONF=$case_dir/openssl.cnf curl -sS --noproxy '*' --tlsv1.0 --cacert "$case_dir/cert.pem" \
		-o "$case_dir/page" "https://127.0.0.1:$listener/"
	make_file "$session/$media" 1000
	before=$(state_of "$session")
	finalize "CONFOMEET_S3_URL=https://127.0.0.1:$listener" CONFOMEET_S3_RETRY_FOR=0 "$session"
	[ "$code" != 0 ] || fail "it was content"
	expect_match "the last line" '(SSL|TLS|tls)' "$last_line"
	expect "the files" "$before" "$(state_of "$session")"
	expect "requests to the backend" '' "$(notices)"
}

# ---- secrets -------------------------------------------------------------------------------------

# The server itself can be asked as a proxy would be; the backend is asked directly, by a name
# that $direct gives it.
use_secrets() {
	local user=the-proxys-user password=the-proxys-password token=the-backends-token
	more_secrets=("$token" "$password" "$(printf %s "$user:$password" | base64)"
		"$(printf %s "$token" | base64)")
	direct=("CONFOMEET_BASE_URL=http://localhost:$backend_port/meet")
	environment+=("CONFOMEET_BACKEND_TOKEN=$token" NO_PROXY=localhost
		"CONFOMEET_PROXY=${S3_ENDPOINT/\/\////$user:$password@}"
		CONFOMEET_LOG_LEVEL=debug)
}

# FORMAT
no_secret_is_logged_or_stored() {
	make_file "$session/$media" $((11 * MIB))
	make_file "$session/logs/ffmpeg.log" 100
	use_secrets
	environment+=("CONFOMEET_LOG_FORMAT=$1" CONFOMEET_S3_PART_SIZE=5MiB)
	restart_backend --fail 500
	finalize "${direct[@]}" CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75
	expect_no_secrets # in the journal as long as there is work to do
	restart_backend
	finalize "${direct[@]}" "$session"
	expect_code 0
	expect "Authorization" true "$(notices .headers.authorization | sort -u)"
	rclone_ lsjson -R -M --files-only ":s3:$bucket" >>"$outputs"
	expect "objects in what is searched for secrets" 2 "$(grep -c '"Path"' "$outputs")"
	check "${direct[@]}"
	expect "what is wrong" '' "$(grep ^WRONG <<<"$output" || true)"
}

# STATUS: the proxy, or the server that is asked, refuses.
no_secret_is_told_when_it_is_refused_with() {
	make_file "$session/$media" 1000
	printf 'HTTP/1.1 %s\r\nContent-Length: 4\r\nConnection: close\r\n\r\nno!\n' "$1" >"$case_dir/answer"
	answer_with "$case_dir/answer"
	use_secrets
	finalize "${direct[@]}" "CONFOMEET_PROXY=http://the-proxys-user:the-proxys-password@127.0.0.1:$server_port" \
		CONFOMEET_S3_RETRY_FOR=0 "$session"
	[ "$code" != 0 ] || fail "it was content"
}

no_secret_is_told_when_the_settings_are_wrong() {
	make_file "$session/$media" 1000
	use_secrets
	finalize CONFOMEET_PROXY=gopher://the-proxys-user:the-proxys-password@127.0.0.1 \
		$'CONFOMEET_BACKEND_TOKEN=the-backends-token\n' \
		"CONFOMEET_S3_CLIENT_SECRET=$S3_SECRET_KEY"$'\x01' "$session"
	expect_code 78
	check CONFOMEET_PROXY=gopher://the-proxys-user:the-proxys-password@127.0.0.1
}

direct=()

# Stands still while parts are on their way.
start_upload() {
	make_file "$session/$media" $((22 * MIB))
	[ ${#program_prefix[@]} = 0 ] || chown -R "$nobody:$nobody" "$recordings"
	start_finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=10MiB "${direct[@]}" "$session"
	upload_pid=$!
	wait_for 30 has_parts 1
	kill -STOP "$upload_pid" # it must not be done before
}

no_secret_is_in_the_list_of_processes() {
	local file
	use_secrets
	start_upload
	for file in "/proc/$upload_pid/cmdline" "/proc/$upload_pid/comm" "/proc/$upload_pid/stat"; do
		cat "$file" >>"$outputs"
	done
	expect "the command line" "$program $session" \
		"$(tr '\0' ' ' <"/proc/$upload_pid/cmdline" | sed 's/ $//')"
	kill -CONT "$upload_pid"
	finish_finalize "$upload_pid"
	expect_code 0
}

# SIGNAL. As a user of its own, since whose the files in /proc are tells whether a dump is allowed:
# root's, when it isn't.
a_crash_leaves_no_core_dump() {
	local control file code=0
	as_nobody
	mkdir "$case_dir/here"
	chown "$nobody" "$case_dir/here"
	cd "$case_dir/here"
	ulimit -c unlimited
	# shellcheck disable=SC2016  # for the inner shell
	"${program_prefix[@]}" sh -c 'kill -SEGV $$' || true
	control=$(ls)
	rm -f -- *
	start_upload
	expect "the limit of core dumps" "0 0" \
		"$(sed -nE 's/^Max core file size +([0-9a-z]+) +([0-9a-z]+) .*/\1 \2/p' "/proc/$upload_pid/limits")"
	expect "whose process it is" "$nobody" "$(awk '/^Uid:/ { print $2 }' "/proc/$upload_pid/status")"
	for file in environ mem maps; do
		expect "who may read $file" 0 "$(stat -c %u "/proc/$upload_pid/$file")"
	done
	kill "-$1" "$upload_pid"
	kill -CONT "$upload_pid"
	wait "$upload_pid" || code=$?
	expect "exit code" $((128 + $(kill -l "$1"))) "$code"
	expect "files left, where a shell left '$control'" '' "$(ls)"
	[ -n "$control" ] || echo "core dumps do not go to files here: only the limit was looked at"
	finalize "$session"
	expect_code 0
	expect_object "$media" "$copies/$media"
}

# WHERE. Whatever the umask is, at work and after a kill.
the_journal_is_for_its_owner_alone() {
	local directory=$recordings/.jibri-finalize
	if [ "$1" = elsewhere ]; then
		directory=$case_dir/elsewhere
		journal=$directory/journal.db
		environment+=("CONFOMEET_JOURNAL=$journal")
	fi
	umask 000
	start_upload
	expect_modes "$directory"
	kill -KILL "$upload_pid"
	finish_finalize "$upload_pid"
	expect_modes "$directory"
	finalize "$session"
	expect_code 0
	expect_modes "$directory"
}

expect_modes() {
	expect "mode of the directory" 700 "$(stat -c %a "$1")"
	[ -e "$1/journal.db" ] || fail "there is no journal"
	expect "modes of its files" 600 "$(find "$1" -type f -printf '%m\n' | sort -u)"
}

# ---- what isn't a file ---------------------------------------------------------------------------

make_odd_files() {
	ln -s /etc/hostname "$session/1_link.mp4"
	ln -s /etc "$session/1_link-to-a-directory"
	mkfifo "$session/1_fifo.mp4"
	perl -MIO::Socket::UNIX -e 'IO::Socket::UNIX->new(Local => $ARGV[0], Listen => 1) or die' \
		"$session/1_socket.mp4"
}

expect_passed_over() {
	local name kind
	while [ $# -gt 0 ]; do
		name=$1 kind=$2
		shift 2
		expect "lines on $name" 1 "$(grep -cF "$name: is skipped: it is $kind" <<<"$output")"
		[ -e "$session/$name" ] || [ -L "$session/$name" ] || fail "$name is gone"
	done
}

links_FIFOs_and_sockets_are_passed_over() {
	make_file "$session/$media" 1000
	make_odd_files
	finalize "$session"
	expect_code 0
	expect keys "$media" "$(keys)"
	expect_passed_over 1_link.mp4 'a symbolic link' 1_link-to-a-directory 'a symbolic link' \
		1_fifo.mp4 'a FIFO' 1_socket.mp4 'a socket'
}

devices_are_passed_over() {
	make_file "$session/$media" 1000
	mknod "$session/1_zero.mp4" c 1 5
	mknod "$session/1_block" b 7 200
	finalize "$session"
	expect_code 0
	expect keys "$media" "$(keys)"
	expect_passed_over 1_zero.mp4 'a device' 1_block 'a device'
}

# ---- what is put in a file's place ---------------------------------------------------------------

# WHAT BY: a link to the file or directory outside, or a FIFO, takes the place of one in the session
# right before each call that names it, one at a time. What is outside is never read and not touched.
what_is_put_in_the_place_of() {
	local what=$1 by=$2 at before target
	more_secrets=(this-is-outside)
	mkdir "$case_dir/outside"
	printf this-is-outside | tee "$case_dir/outside/$media" "$case_dir/outside/ffmpeg.log" \
		>"$case_dir/outside/metadata.json"
	before=$(state_of "$case_dir/outside")
	environment+=(ASAN_OPTIONS=verify_asan_link_order=0 "LD_PRELOAD=$build/tests/tools/swap-at.so"
		"SWAP_AWAY=$case_dir/away" CONFOMEET_S3_RETRY_FOR=0)
	case $what in
	session) environment+=("SWAP_PATH=$session") && target=$case_dir/outside ;;
	logs) environment+=("SWAP_PATH=$session/logs") && target=$case_dir/outside ;;
	*) environment+=("SWAP_PATH=$session/$what") && target=$case_dir/outside/${what##*/} ;;
	esac
	[ "$by" = a-FIFO ] || environment+=("SWAP_TARGET=$target")
	for ((at = 1; at < 100; at++)); do
		echo "at call $at"
		rm -rf "$session" "$case_dir/away" "${journal%/*}"
		make_file "$session/$media" 1000
		make_file "$session/metadata.json" 1000
		make_file "$session/logs/ffmpeg.log" 1000
		finalize "SWAP_AT=$at" "CONFOMEET_S3_KEY_PREFIX=$at/" "$session"
		expect_match "exit code" '^(0|1|66|75)$' "$code"
		expect "what is outside" "$before" "$(state_of "$case_dir/outside")"
		[ -e "$case_dir/away" ] || break # there are no more calls
	done
	expect_code 0
	[ "$at" -gt 3 ] || fail "there were only $((at - 1)) calls"
	rclone_ copy ":s3:$bucket" "$case_dir/bucket"
	expect "objects with what is outside" '' "$(grep -rl this-is-outside "$case_dir/bucket" || true)"
	expect_object "$at/$media" "$copies/$media"
}

# ---- forged lines --------------------------------------------------------------------------------

forged='2026-01-01T00:00:00Z info: safe: FORGED'
forged_json='{"time":"2026-01-01T00:00:00Z","level":"info","message":"FORGED"}'

# Lines of $output with such, be they of ASCII or of Unicode.
control_characters() {
	LC_ALL=C grep -E $'[\x01-\x09\x0b-\x1f\x7f]|\xc2[\x80-\x9f]' <<<"$output" || true
}

expect_honest_lines() {
	local bad
	if [ "$1" = json ]; then
		bad=$(while IFS= read -r line; do
			jq -e '.time and .level and (.message|test("^FORGED")|not)' <<<"$line" >/dev/null || echo "$line"
		done <<<"$output")
	else
		bad=$(grep -vE '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z (error|warning|info|debug): ' <<<"$output" || true)
		bad+=$(grep -E '^[^ ]+ [a-z]+: (safe: )?FORGED' <<<"$output" || true)
	fi
	expect "lines that are not the program's" '' "$bad"
	expect "control characters" '' "$(control_characters)"
}

# FORMAT
names_forge_no_lines() {
	local name
	for name in $'12345_\n'"$forged"$'\n.mp4' $'12345_\r\e[2K'"$forged"$'\r.mp4' \
		$'12345_\n'"$forged_json"$'\n.mp4' $'12345_\xc2\x85'"$forged"$'\xc2\x9b2K.mp4' \
		$'room\n'"$forged"'.mp4' $'12345_" level="error'"$forged"'.mp4' $'\x7f\b\b\b'"$forged"; do
		make_file "$session/$name" 100
		ln -s nowhere "$session/$name link"
	done
	printf '{"meeting_url":"https://x/\\n%s","participants":[],"share":"\\n%s"}' "$forged" "$forged" \
		>"$session/metadata.json"
	mv "$session" "$recordings/"$'abc\n'"$forged"$'\n'
	session=$recordings/$'abc\n'"$forged"$'\n'
	environment+=("CONFOMEET_LOG_FORMAT=$1" CONFOMEET_LOG_LEVEL=debug)
	finalize "$session"
	expect_code 1 # a room without a number
	expect_honest_lines "$1"
	finalize "$session/no"$'\n'"$forged"
	expect_code 66
	expect_honest_lines "$1"
}

# FORMAT
settings_forge_no_lines() {
	environment+=("CONFOMEET_LOG_FORMAT=$1")
	finalize $'CONFOMEET_S3_REGION=\n'"$forged" $'CONFOMEET_S3_KEY_PREFIX={\n'"$forged" \
		$'CONFOMEET_S3_METADATA=\n'"$forged" $'CONFOMEET_S3_PART_SIZE=\n'"$forged" \
		$'XMPP_DOMAIN=\n'"$forged" $'CONFOMEET_JOURNAL=/\n'"$forged"$'/' \
		$'JIBRI_INSTANCE_ID=\n'"$forged" "$session"
	expect_code 78
	expect_honest_lines text # the format is not known then
}

# WHO FORMAT
servers_forge_no_lines() {
	local who=$1 body
	body='<?xml version="1.0"?><Error><Code>Forged&#10;'$forged$'</Code><Message>\n'$forged
	body+=$'&#13;\xc2\x9b2K&#9;'$forged'&#10;'$forged_json$'\n\xc2\x85</Message><Resource>\n'$forged'</Resource></Error>'
	[ "$who" = bucket ] ||
		body='{"title":"\n'$forged'\u001b[2K","status":400,"errors":{"x\n'$forged'":["\n'$forged'"]},"detail":"\r'$forged'"}'
	printf 'HTTP/1.1 400 \e[2K%s\r\nContent-Type: application/json\r\nLocation: \e[2K\xc2\x85%s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s' \
		"$forged" "$forged" "$(LC_ALL=C && echo ${#body})" "$body" >"$case_dir/answer"
	answer_with "$case_dir/answer"
	make_file "$session/$media" 1000
	environment+=("CONFOMEET_LOG_FORMAT=$2" CONFOMEET_S3_RETRY_FOR=0)
	if [ "$who" = bucket ]; then
		environment+=("CONFOMEET_S3_URL=http://127.0.0.1:$server_port")
	else
		environment+=("CONFOMEET_BASE_URL=http://127.0.0.1:$server_port/meet")
	fi
	finalize "$session"
	[ "$code" != 0 ] || fail "it was content"
	expect_match "what was said" 'FORGED' "$output"
	expect_honest_lines "$2"
	check
	expect "control characters" '' "$(control_characters)"
	expect "lines that are not the program's" '' \
		"$(grep -vE '^((ok|WRONG) |[A-Z0-9_]+=|$)' <<<"$output" || true)"
}

# ---- memory --------------------------------------------------------------------------------------

# HOW. 24 MiB are its libraries and a few MiB.
a_hostile_metadata_file_takes_no_memory() {
	local file=$session/metadata.json
	make_file "$session/$media" 1000
	case $1 in
	nested-arrays) perl -e 'print "[" x 262144' >"$file" ;;
	nested-as-deep-as-is-understood) perl -e 'print "[" x 2000, "]" x 2000' >"$file" ;;
	nested-objects) perl -e 'print "{\"a\":" x 2000, "1", "}" x 2000' >"$file" ;;
	many-arrays) perl -e 'print "[", "[]," x 87370, "[]]"' >"$file" ;;
	many-objects) perl -e 'print "[", "{}," x 87370, "{}]"' >"$file" ;;
	many-members) perl -e 'print "{", join(",", map { "\"$_\":{}" } 1 .. 22000), "}"' >"$file" ;;
	many-credentials)
		perl -e 'print "[", "{\"upload_credentials\":{}}," x 10000, "{}]"' >"$file"
		;;
	one-huge-string) perl -e 'print "{\"meeting_url\":\"", "x" x 262100, "\"}"' >"$file" ;;
	escaped-huge-string) perl -e 'print "{\"meeting_url\":\"", "\\u0001" x 43600, "\"}"' >"$file" ;;
	GiB-of-nothing) truncate -s 1G "$file" ;;
	MiBs-of-text) perl -e 'print "credentia " x 5000000' >"$file" ;;
	esac
	start_sink --seed 1
	program_prefix=(/usr/bin/time -o "$case_dir/peak" -f %M)
	finalize "CONFOMEET_S3_URL=$sink_url" "$session"
	expect_code 0
	echo "peak: $(tail -n 1 "$case_dir/peak") KiB"
	expect_at_most "KiB of memory" $((24 * 1024)) "$(tail -n 1 "$case_dir/peak")"
}

# WHOSE. 100 MB that don't end in anything.
a_huge_reply_takes_no_memory() {
	{
		printf 'HTTP/1.1 %s\r\nContent-Length: 100000000\r\n\r\n' "$2"
		perl -e 'print "<Error><Code>", "x" x 10000000'
	} >"$case_dir/answer"
	answer_with "$case_dir/answer"
	make_file "$session/$media" 1000
	if [ "$1" = bucket ]; then
		environment+=("CONFOMEET_S3_URL=http://127.0.0.1:$server_port")
	else
		environment+=("CONFOMEET_BASE_URL=http://127.0.0.1:$server_port/meet")
	fi
	program_prefix=(/usr/bin/time -o "$case_dir/peak" -f %M)
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_IDLE_TIMEOUT=1s CONFOMEET_BACKEND_TIMEOUT=2s "$session"
	[ "$code" != 0 ] || fail "it was content"
	echo "peak: $(tail -n 1 "$case_dir/peak") KiB"
	expect_at_most "KiB of memory" $((24 * 1024)) "$(tail -n 1 "$case_dir/peak")"
}

# ---- how it is built -----------------------------------------------------------------------------

it_is_built_with_the_usual_hardening() {
	local header dynamic segments symbols
	header=$(readelf -hW "$program")
	dynamic=$(readelf -dW "$program")
	segments=$(readelf -lW "$program")
	symbols=$(nm -D --undefined-only "$program")
	expect_match "the kind of file" 'Type: +DYN' "$header"
	expect_match "PIE" 'FLAGS_1.*PIE' "$dynamic"
	expect_match "RELRO" 'GNU_RELRO' "$segments"
	expect_match "all bound at the start" 'BIND_NOW' "$dynamic"
	expect_match "the stack" 'GNU_STACK +[^ ]+ [^ ]+ [^ ]+ [^ ]+ [^ ]+ RW  ' "$segments"
	expect "segments that can be written and run" '' "$(grep -E ' RWE ' <<<"$segments" || true)"
	expect "search paths and relocations in the text" '' \
		"$(grep -E 'RPATH|RUNPATH|TEXTREL' <<<"$dynamic" || true)"
	expect_match "the stack protector" '__stack_chk_fail' "$symbols"
	if grep -qx 'CMAKE_BUILD_TYPE:STRING=Debug' "$build/CMakeCache.txt"; then
		echo "a Debug build has no FORTIFY"
	else
		expect_match "FORTIFY" '__(v?snprintf|memcpy|fprintf|printf|read|realpath)_chk' "$symbols"
	fi
}

run a_bucket_with_a_certificate_of_nobody_known
run a_bucket_with_a_certificate_for_another_name
run a_backend_with_a_certificate_of_nobody_known
run a_certificate_of_an_authority_that_is_named
run TLS_before_1_2_is_refused 1
run TLS_before_1_2_is_refused 1_1
run no_secret_is_logged_or_stored text
run no_secret_is_logged_or_stored json
for answer in '407 Proxy Authentication Required' '403 Forbidden' '200 OK'; do
	run no_secret_is_told_when_it_is_refused_with "$answer"
done
run no_secret_is_told_when_the_settings_are_wrong
run no_secret_is_in_the_list_of_processes
run_if root -- a_crash_leaves_no_core_dump ABRT
run_if root plain -- a_crash_leaves_no_core_dump SEGV
run the_journal_is_for_its_owner_alone beside-the-recordings
run the_journal_is_for_its_owner_alone elsewhere
run links_FIFOs_and_sockets_are_passed_over
run_if root -- devices_are_passed_over
for what in "$media" metadata.json logs/ffmpeg.log; do
	run what_is_put_in_the_place_of "$what" a-link
	run what_is_put_in_the_place_of "$what" a-FIFO
done
run what_is_put_in_the_place_of logs a-link
run what_is_put_in_the_place_of session a-link
for format in text json; do
	run names_forge_no_lines "$format"
	run settings_forge_no_lines "$format"
	run servers_forge_no_lines bucket "$format"
	run servers_forge_no_lines backend "$format"
done
for how in nested-arrays nested-as-deep-as-is-understood nested-objects many-arrays many-objects \
	many-members many-credentials one-huge-string escaped-huge-string GiB-of-nothing MiBs-of-text; do
	run_if plain -- a_hostile_metadata_file_takes_no_memory "$how"
done
run_if plain -- a_huge_reply_takes_no_memory bucket '200 OK'
run_if plain -- a_huge_reply_takes_no_memory bucket '500 Internal Server Error'
run_if plain -- a_huge_reply_takes_no_memory backend '400 Bad Request'
run_if plain -- it_is_built_with_the_usual_hardening
end_of_cases

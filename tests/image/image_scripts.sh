#!/usr/bin/env bash
#
# image_scripts.sh - the image's start-up files in a made-up root directory, with stand-ins of the
# programs that they call.

set -euo pipefail
shopt -s inherit_errexit

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failures=0 count=0

run() {
	local code
	count=$((count + 1))
	set +e
	(set -eE; trap 'echo "line $LINENO failed: $BASH_COMMAND" >&2' ERR; "$@") >"$work/log" 2>&1
	code=$?
	set -e
	if [ "$code" = 0 ]; then
		echo "ok - ${1//_/ }"
	else
		echo "not ok - ${1//_/ }"
		sed 's/^/    /' "$work/log"
		failures=$((failures + 1))
	fi
}

same() { [ "$2" = "$3" ] || { printf '%s: expected "%s", got "%s"\n' "$1" "$2" "$3"; return 1; }; }
has() { grep -qE -- "$2" <<<"$1" || { printf 'no line matches %s in:\n%s\n' "$2" "$1"; return 1; }; }
has_not() { ! grep -E -- "$2" <<<"$1" || { printf 'that line matches %s\n' "$2"; return 1; }; }

# A root directory with our files in it, and a PATH with stand-ins; uid 1000, so that nothing of the
# machine's users matters.
# shellcheck disable=SC2016  # expanded by the programs
set_up() {
	root=$(mktemp -d "$work/root.XXXXXX")
	environment=$root/run/s6/container_environment
	mkdir -p "$root"/{bin,proc/sys/kernel,proc/self,usr/lib,usr/share/jibri-finalize,recordings} "$environment"
	cp -R "$top/config/image" "$root/usr/lib/jibri-finalize"
	cp "$top/config/image/call-status.conf.tpl" "$root/usr/share/jibri-finalize/"
	echo 0123456789ab >"$root/proc/sys/kernel/hostname"
	mount_root 21 /var/lib/one/diff
	program id 'case ${1:-} in -u) echo 1000 ;; *) echo tester ;; esac'
	program tpl 'case $1 in
		*call-status*) for n in JIBRI_NO_MEDIA_TIMEOUT JIBRI_ALL_MUTED_TIMEOUT JIBRI_DEFAULT_CALL_EMPTY_TIMEOUT; do
			eval "v=\${$n:-}"; [ -z "$v" ] || echo "$n=$v"; done; echo "// jibri-finalize: call-status" ;;
		*) echo "JIBRI_RECORDING_DIR=\"$JIBRI_RECORDING_DIR\"" ;; esac'
	program jibri-finalize 'echo "ok    settings    all"; echo "CONFOMEET_S3_URL=x (default)"; exit 0'
	: >"$root/usr/share/jibri-finalize/finalize.env.tpl"
}

program() { printf '#!/bin/sh\n%s\n' "$2" >"$root/bin/$1"; chmod 755 "$root/bin/$1"; }

# mount_root ID UPPERDIR
mount_root() {
	printf '%s 1 0:50 /a /proc rw - proc proc rw\n%s 20 0:4%s / / rw,relatime shared:%s - overlay overlay rw,lowerdir=/l/AB:/l/CD,upperdir=%s,workdir=/w\n' \
		"$1" "$1" "$1" "$1" "$2" >"$root/proc/self/mountinfo"
}

# start SCRIPT NAME=VALUE...: one of cont-init.d's, with that environment.
start() {
	env -i PATH="$root/bin:$PATH" JIBRI_FINALIZE_ROOT="$root" "${@:2}" \
		sh "$root/usr/lib/jibri-finalize/cont-init.d/$1" 2>&1
}

made() { cat "$environment/JIBRI_INSTANCE_ID"; }

# ---- 05-jibri-finalize ---------------------------------------------------------------------------

an_id_is_the_containers_own() {
	set_up
	start 05-jibri-finalize
	same id jibri-0123456789ab "$(made)"
	start 05-jibri-finalize JIBRI_INSTANCE_ID=
	same 'of an empty one' jibri-0123456789ab "$(made)"
	same bytes 18 "$(stat -c %s "$environment/JIBRI_INSTANCE_ID")"
}

with_a_host_name_of_ones_own_the_file_system_tells_containers_apart() {
	local first
	set_up
	echo 'Запись 1' >"$root/proc/sys/kernel/hostname"
	start 05-jibri-finalize
	first=$(made)
	has "$first" '^jibri--*1-[0-9a-f]{8}$'
	mount_root 99 /var/lib/one/diff
	start 05-jibri-finalize
	same 'after a restart' "$first" "$(made)"
	mount_root 21 /var/lib/another/diff
	start 05-jibri-finalize
	[ "$first" != "$(made)" ]
	echo jibri-7 >"$root/proc/sys/kernel/hostname"
	start 05-jibri-finalize
	has "$(made)" '^jibri-7-[0-9a-f]{8}$'
}

# shellcheck disable=SC2016  # not to be expanded
an_id_of_ones_own_is_left_alone_when_it_can_be_one() {
	local id
	set_up
	for id in 01 jibri-1 A.b_c-D "$(printf 'a%.0s' {1..128})"; do
		has "$(start 05-jibri-finalize JIBRI_INSTANCE_ID="$id")" "this Jibri is $id"
		[ ! -e "$environment/JIBRI_INSTANCE_ID" ]
	done
	for id in 'a b' 'a"b' a/b $'a\nb' é '$(id)' "$(printf 'a%.0s' {1..129})"; do
		! start 05-jibri-finalize JIBRI_INSTANCE_ID="$id" >"$work/refused" || { echo "accepted: $id"; return 1; }
		has "$(cat "$work/refused")" 'FATAL ERROR: JIBRI_INSTANCE_ID cannot be used: expected 1 to 128'
		[ ! -e "$environment/JIBRI_INSTANCE_ID" ]
	done
}

the_finalizer_is_what_jibri_calls_unless_another_is_named() {
	set_up
	start 05-jibri-finalize JIBRI_FINALIZE_RECORDING_SCRIPT_PATH=/mine
	[ ! -e "$environment/JIBRI_FINALIZE_RECORDING_SCRIPT_PATH" ]
	start 05-jibri-finalize JIBRI_FINALIZE_RECORDING_SCRIPT_PATH=
	same script finalize-s3.sh "$(cat "$environment/JIBRI_FINALIZE_RECORDING_SCRIPT_PATH")"
}

# ---- 20-jibri-finalize ---------------------------------------------------------------------------

conf() {
	conf=$root/etc/jitsi/jibri/jibri.conf
	mkdir -p "$(dirname "$conf")"
	printf 'jibri {\n  recording {\n    recordings-directory = "%s"\n  }\n}\n' "$root/recordings" >"$conf"
}

# The check goes on in the background.
start_20() {
	start 20-jibri-finalize "$@"
	wait
}

where_jibri_records_to_is_found_in_its_configuration() {
	local output
	set_up
	conf
	output=$(start_20)
	same 'for all' "$root/recordings" "$(cat "$environment/JIBRI_RECORDING_DIR")"
	same 'for commands' "JIBRI_RECORDING_DIR=\"$root/recordings\"" "$(cat "$root/run/jibri-finalize/finalize.env")"
	same 'their mode' 640 "$(stat -c %a "$root/run/jibri-finalize/finalize.env")"
	same 'the journal' 700 "$(stat -c %a "$root/recordings/.jibri-finalize")"
	has "$output" 'check: recordings will reach the bucket'
	has_not "$output" WRONG
	has "$(start_20 CONFOMEET_RECORDINGS_DIR=/elsewhere)" "WRONG: Jibri records to $root/recordings, but CONFOMEET_RECORDINGS_DIR is /elsewhere"
	has_not "$(start_20 JIBRI_RECORDING_DIR="$root/recordings" CONFOMEET_RECORDINGS_DIR="$root/recordings")" WRONG
}

# As custom-jibri.conf does, which the base's file includes.
# shellcheck disable=SC2016  # expanded by the program
the_last_word_of_what_jibri_reads_counts() {
	local output value
	set_up
	conf
	mkdir "$root/elsewhere" "$root/other"
	printf '# recordings-directory = "/no"\ninclude "custom-jibri.conf"\ninclude "missing.conf"\n' >>"$conf"
	for value in "jibri.recording.recordings-directory = \"$root/elsewhere\"" \
		"jibri { recording { recordings-directory: $root/elsewhere } } // as it is" \
		"jibri.recording { \"recordings-directory\"=\"$root/elsewhere\", finalize-script = \"/mine\" }"; do
		echo "$value" >"$(dirname "$conf")/custom-jibri.conf"
		output=$(start_20 JIBRI_RECORDING_DIR="$root/recordings")
		same "of $value" "$root/elsewhere" "$(cat "$environment/JIBRI_RECORDING_DIR")"
		[ -d "$root/elsewhere/.jibri-finalize" ]
	done
	program jibri-finalize 'echo "calls $JIBRI_FINALIZE_RECORDING_SCRIPT_PATH"; exit 1'
	has "$(start_20)" 'jibri-finalize: calls /mine'
	echo 'jibri.recording.recordings-directory = "'"$root/other"'"' >>"$conf"
	start_20
	same 'behind the include' "$root/other" "$(cat "$environment/JIBRI_RECORDING_DIR")"
}

# shellcheck disable=SC2016  # expanded by the other shell
# is DIRECTORY LINE...: where a jibri.conf of these lines has Jibri record to, as start.sh reads it.
is() {
	local found wanted=$1
	printf '%s\n' "${@:2}" >"$conf"
	found=$(JIBRI_FINALIZE_ROOT=$root BASE=/base SET=/set timeout 10 sh -c '. "$0"; conf=$1; jibri_value recordings-directory' \
		"$top/config/image/start.sh" "$conf")
	same "of ${*:2}" "$wanted" "$found"
}

# shellcheck disable=SC2016  # as it stands in a file
a_configuration_is_read_as_jibri_reads_it() {
	local key=recordings-directory
	set_up
	conf
	is /b "$key = /a" "jibri.recording.$key = \"/b\""
	is /b "jibri { recording { $key = \"/a\", $key = /b } }"
	is /a "$key = /a # $key = /no" "# $key = /no" "x = 1 // $key = /no" "y = \"z\" # $key = \"/no\"" "my-$key = /no" "$key-too = /no"
	is '/a#b c' "\"jibri\".\"recording\".\"$key\" : \"/a#b c\" // d"
	is '/a b' "jibri{recording{$key:/a b}}"
	is /a "$key = \"\"\"/a\"\"\""
	is /a "$key =" '   "/a"'
	is /a "$key = /a"$'\r'
	is /a "$key = /a" "$key = \${?NOT_SET}"
	is /set "$key = /a" "$key = \${?SET}"
	is /base/rec "$key = \${BASE}\"/rec\""
	is '${jibri.base}/rec' "$key = \${jibri.base}/rec"
	echo "$key = /included" >"$(dirname "$conf")/one.conf"
	is /included "$key = /a" 'jibri { include "one" }'
	is /included "$key = /a" "include required(file(\"$(dirname "$conf")/one.conf\"))"
	is /a 'include "one.conf"' "$key = /a"
	is /a "$key = /a" '# include "one.conf"' "include \"$root\"" 'include "jibri.conf"' 'include classpath("reference.conf")' 'include "none$(id).conf"'
}

a_directory_by_another_name_is_the_same() {
	set_up
	conf
	ln -s "$root/recordings" "$root/link"
	has_not "$(start_20 CONFOMEET_RECORDINGS_DIR="$root/link/")" WRONG
}

# shellcheck disable=SC2016  # as it stands in a file
a_reference_that_is_not_looked_up_is_said() {
	set_up
	conf
	echo 'jibri.recording.recordings-directory = ${jibri.base}/rec' >>"$conf"
	has "$(start_20 JIBRI_RECORDING_DIR="$root/recordings")" 'WRONG: recordings-directory in .* is \$\{jibri.base\}/rec, .*write the directory itself'
	[ -d "$root/recordings/.jibri-finalize" ]
}

a_directory_that_cannot_be_written_is_said_with_what_to_do() {
	local output
	set_up
	conf
	rmdir "$root/recordings"
	echo >"$root/recordings" # whatever the user's rights are, no directory
	program jibri-finalize 'echo "WRONG recordings"; exit 1'
	output=$(start_20)
	has "$output" "WRONG: JIBRI CANNOT RECORD: $root/recordings cannot be written by its user, tester \\(number 1000\\); what to do: .*chown -R 1000"
	has "$output" 'JIBRI CANNOT RECORD until then'
	has_not "$output" 'Jibri records'
}

a_directory_in_no_volume_is_noted() {
	local kind
	set_up
	conf
	for kind in overlayfs tmpfs; do
		program stat "echo $kind"
		has "$(start_20)" "NOTE: $root/recordings is in no volume: .*mount a volume"
	done
	program stat 'echo ext2/ext3'
	has_not "$(start_20)" 'in no volume'
}

what_was_left_behind_is_noted_at_the_start() {
	set_up
	conf
	program jibri-finalize 'echo "ok    settings"; echo "NOTE  old  3 session(s) were left behind"'
	has "$(start_20)" '^jibri-finalize: NOTE  old  3 session'
}

time_outs_need_a_unit_and_come_once() {
	local value
	set_up
	conf
	for value in '60 seconds' '30 minutes' 5m 90s '1 hour' 500ms '2 d'; do
		conf
		has_not "$(start_20 JIBRI_NO_MEDIA_TIMEOUT="$value")" WRONG
		grep -qx "JIBRI_NO_MEDIA_TIMEOUT=$value" "$conf"
	done
	for value in 60 soon '60 seconds"' $'60 s\n60 s' '-1 s' '1.5 h' ' 60 s'; do
		conf
		has "$(start_20 JIBRI_ALL_MUTED_TIMEOUT="$value" JIBRI_NO_MEDIA_TIMEOUT=9s)" 'WRONG: JIBRI_ALL_MUTED_TIMEOUT is left out: expected'
		has_not "$(cat "$conf")" JIBRI_ALL_MUTED_TIMEOUT
		has "$(cat "$conf")" 'JIBRI_NO_MEDIA_TIMEOUT=9s'
	done
	start_20 JIBRI_NO_MEDIA_TIMEOUT=9s
	same 'after two starts' 1 "$(grep -c JIBRI_NO_MEDIA_TIMEOUT "$conf")"
}

what_is_wrong_is_loud_and_stops_nothing() {
	local output
	set_up
	program jibri-finalize 'echo "WRONG reading     403 AccessDenied; do this"; echo "CONFOMEET_S3_URL=secretive (x)"; echo "ok    clock"; exit 1'
	program tpl 'exit 1'
	output=$(start_20)
	has "$output" '^jibri-finalize: RECORDINGS WILL NOT REACH THE BUCKET'
	has "$output" '^jibri-finalize: WRONG reading     403 AccessDenied; do this$'
	has_not "$output" 'secretive|ok    clock'
	has "$output" 'WRONG: there is no jibri.conf'
	has "$output" 'finalize.env could not be written'
	[ ! -e "$root/run/jibri-finalize/finalize.env" ]
}

a_journal_elsewhere_gets_its_directory() {
	set_up
	conf
	start_20 CONFOMEET_JOURNAL="$root/var/journals/journal.db"
	[ -d "$root/var/journals" ]
	[ ! -e "$root/recordings/.jibri-finalize" ]
}

# shellcheck disable=SC2016  # expanded by the program
s6_overlay_1_has_the_watcher_started_before_the_other_services() {
	set_up
	conf
	mkdir -p "$root/var/run/s6/services"
	program s6-svscanctl 'echo "$@" >"$JIBRI_FINALIZE_ROOT/told"'
	start_20
	[ -x "$root/var/run/s6/services/60-jibri-watcher/run" ]
	same told "-a $root/var/run/s6/services" "$(cat "$root/told")"
}

# ---- drain ---------------------------------------------------------------------------------------

drain() { env PATH="$root/bin:$PATH" RAN="$work/ran" sh "$top/config/image/drain" "$@" 2>&1; }

# Two looks find something pending; the watcher has ended with Jibri.
# shellcheck disable=SC2016  # expanded by the programs
a_recorder_is_drained_before_it_is_stopped() {
	set_up
	: >"$work/ran"
	program curl 'echo "curl ${*##* }" >>"$RAN"'
	program jibri-watcher 'exit 1'
	program jibri-finalize 'echo "$1" >>"$RAN"; [ "$1" != wait ] || [ "$(grep -c wait "$RAN")" -gt 2 ] || exit 75'
	drain 20s
	same 'what it did' 'curl http://127.0.0.1:3333/jibri/api/internal/v1.0/gracefulShutdown wait retry wait retry wait' \
		"$(paste -s -d ' ' "$work/ran" | sed 's/-fsS [^ ]* [^ ]* -X POST //')"
	: >"$work/ran"
	program jibri-watcher 'exit 0'
	program curl 'exit 7'
	program jibri-finalize 'echo "$1" >>"$RAN"; sleep 0.2; exit 75'
	if output=$(drain 1s); then return 1; else same 'code' 75 $?; fi
	has "$output" 'does not answer on its internal port, 3333'
	has_not "$(cat "$work/ran")" retry # the watcher does that
}

# ---- lay-over ------------------------------------------------------------------------------------

lay_over() { sh "$root/usr/lib/jibri-finalize/lay-over" "$root"; }

both_generations_and_the_one_between_get_their_files() {
	local rc
	set_up # as stable-9364-1
	mkdir -p "$root/etc/cont-init.d" "$root/etc/services.d/40-jibri"
	: >"$root/etc/cont-init.d/10-config"
	lay_over
	same 'in order' '05-jibri-finalize 10-config 20-jibri-finalize ' "$(find "$root/etc/cont-init.d" -type f -printf '%f\n' | sort | tr '\n' ' ')"
	[ -x "$root/usr/lib/jibri-finalize/services.d/60-jibri-watcher/run" ]
	[ -x "$root/etc/cont-finish.d/20-jibri-finalize" ]
	[ ! -e "$root/etc/services.d/60-jibri-watcher" ]

	set_up # s6-overlay 3, before s6-rc was used
	mkdir -p "$root/etc/cont-init.d" "$root/command"
	: >"$root/etc/cont-init.d/10-config"
	: >"$root/command/with-contenv"
	lay_over
	[ -x "$root/etc/cont-init.d/20-jibri-finalize" ]
	[ -x "$root/etc/services.d/60-jibri-watcher/run" ]
	[ ! -e "$root/usr/lib/jibri-finalize/services.d" ]

	set_up # 2026
	rc=$root/etc/s6-overlay/s6-rc.d
	mkdir -p "$rc"/{01-config,40-jibri,user/contents.d}
	echo oneshot >"$rc/01-config/type"
	echo longrun >"$rc/40-jibri/type"
	lay_over
	same 'before s6-rc' 05-jibri-finalize "$(ls "$root/etc/cont-init.d")"
	[ -x "$root/etc/cont-finish.d/20-jibri-finalize" ]
	same type oneshot "$(cat "$rc/05-jibri-finalize/type")"
	same 'what it runs' yes "$([ -x "$root$(cat "$rc/05-jibri-finalize/up")" ] && echo yes)"
	[ -e "$rc/05-jibri-finalize/dependencies.d/01-config" ]
	same type longrun "$(cat "$rc/35-jibri-watcher/type")"
	[ -x "$rc/35-jibri-watcher/run" ]
	[ -e "$rc/35-jibri-watcher/dependencies.d/05-jibri-finalize" ]
	[ -e "$rc/40-jibri/dependencies.d/35-jibri-watcher" ]
	[ -e "$rc/user/contents.d/05-jibri-finalize" ]
	[ -e "$rc/user/contents.d/35-jibri-watcher" ]
}

jibri_finds_the_ffmpeg_that_writes_fragments_first() {
	set_up
	mkdir -p "$root/etc/cont-init.d"
	: >"$root/etc/cont-init.d/10-config"
	: >"$root/usr/lib/jibri-finalize/ffmpeg"
	lay_over
	same link /usr/lib/jibri-finalize/ffmpeg "$(readlink "$root/usr/local/bin/ffmpeg")"

	set_up # one of the base image's own is left alone
	mkdir -p "$root/etc/cont-init.d" "$root/usr/local/bin"
	: >"$root/etc/cont-init.d/10-config"
	: >"$root/usr/lib/jibri-finalize/ffmpeg"
	echo own >"$root/usr/local/bin/ffmpeg"
	lay_over 2>"$work/said"
	same content own "$(cat "$root/usr/local/bin/ffmpeg")"
	has "$(cat "$work/said")" 'recordings are not written in fragments'
}

# start_recorder WHAT-IT-DOES-ON-SIGINT: a process called ffmpeg, in the root's /proc: $recorder.
start_recorder() {
	program ffmpeg "trap '$1' INT; : >$root/ready; while :; do sleep 0.02; done"
	# Not as a child in the background of this shell, which has it ignore SIGINT.
	setsid env --default-signal=INT "$root/bin/ffmpeg" &
	until [ -e "$root/ready" ]; do sleep 0.02; done
	recorder=$(pgrep -of "^/bin/sh $root/bin/ffmpeg$")
	ln -s "/proc/$recorder" "$root/proc/$recorder"
}

ends_recorders() { JIBRI_FINALIZE_ROOT=$root timeout 10 sh "$top/config/image/cont-finish.d/20-jibri-finalize"; }

before_all_is_ended_ffmpeg_may_end_its_recording() {
	local began
	set_up
	ln -s "/proc/$$" "$root/proc/$$"
	same 'with no recorder it says' '' "$(ends_recorders)"
	start_recorder "echo whole >$root/recorded; exit"
	has "$(ends_recorders)" 'asked to end its recording'
	same recording whole "$(cat "$root/recorded")"

	set_up # one that does not end
	start_recorder :
	began=$SECONDS
	ends_recorders
	kill -KILL "$recorder"
	[ $((SECONDS - began)) -lt 8 ]
}

an_unknown_layout_ends_the_build() {
	set_up
	! lay_over 2>"$work/refused" || return 1
	has "$(cat "$work/refused")" 'its layout is not known here'
	set_up
	mkdir -p "$root/etc/s6-overlay/s6-rc.d/01-config"
	echo oneshot >"$root/etc/s6-overlay/s6-rc.d/01-config/type"
	! lay_over 2>"$work/refused" || return 1
	has "$(cat "$work/refused")" 'no service jibri'
}

# ---- config/ -------------------------------------------------------------------------------------

apt_lists() {
	set_up
	mkdir -p "$root"/etc/apt/sources.list.d
	echo "VERSION_CODENAME=$1" >"$root/etc/os-release"
}
apt_conf() { APT_CONF_ROOT=$root sh "$top/config/image/apt-conf" "$root/apt.conf" "$@"; }

packages_come_from_the_bases_own_debian_lists_alone() {
	apt_lists bullseye
	printf '%s\n' 'deb http://m/debian bullseye main' 'deb http://m/debian/ bullseye-updates main contrib' \
		'deb [arch=amd64] http://s/debian-security bullseye-security main' \
		'# deb http://m/debian bullseye main' 'deb http://elsewhere/packages bullseye main' >"$root/etc/apt/sources.list"
	echo 'deb http://m/debian bullseye-backports main' >"$root/etc/apt/sources.list.d/backports.list"
	echo 'deb https://elsewhere/jitsi stable/' >"$root/etc/apt/sources.list.d/jitsi.list"
	apt_conf
	same list 'deb http://m/debian bullseye main
deb http://m/debian bullseye-updates main
deb http://s/debian-security bullseye-security main' "$(cat "$root/apt.conf.list")"

	apt_lists trixie
	printf '%s\n' 'Types: deb' 'URIs: http://m/debian' 'Suites: trixie trixie-updates trixie-backports' '' 'Types: deb' \
		'URIs: http://s/debian-security' 'Suites: trixie-security' >"$root/etc/apt/sources.list.d/debian.sources"
	apt_conf
	same list 'deb http://m/debian trixie main
deb http://m/debian trixie-updates main
deb http://s/debian-security trixie-security main' "$(cat "$root/apt.conf.list")"
	apt_conf http://n/debian
	has "$(cat "$root/apt.conf.list")" '^deb http://n/debian-security trixie-security main$'
}

a_base_without_debian_lists_ends_the_build() {
	local said
	apt_lists bookworm
	if said=$(apt_conf 2>&1); then return 1; fi
	has "$said" 'names no mirror of Debian bookworm: build with --build-arg DEBIAN_MIRROR='
}

the_image_says_the_projects_version() {
	local version
	version=$(sed -n 's/^ *VERSION \([0-9.]*\)$/\1/p' "$top/CMakeLists.txt")
	grep -q "image.version=\"$version\"" "$top/Dockerfile.jibri"
}

run an_id_is_the_containers_own
run with_a_host_name_of_ones_own_the_file_system_tells_containers_apart
run an_id_of_ones_own_is_left_alone_when_it_can_be_one
run the_finalizer_is_what_jibri_calls_unless_another_is_named
run where_jibri_records_to_is_found_in_its_configuration
run the_last_word_of_what_jibri_reads_counts
run a_configuration_is_read_as_jibri_reads_it
run a_directory_by_another_name_is_the_same
run a_reference_that_is_not_looked_up_is_said
run a_directory_that_cannot_be_written_is_said_with_what_to_do
run a_directory_in_no_volume_is_noted
run what_was_left_behind_is_noted_at_the_start
run time_outs_need_a_unit_and_come_once
run what_is_wrong_is_loud_and_stops_nothing
run a_journal_elsewhere_gets_its_directory
run s6_overlay_1_has_the_watcher_started_before_the_other_services
run a_recorder_is_drained_before_it_is_stopped
run both_generations_and_the_one_between_get_their_files
run jibri_finds_the_ffmpeg_that_writes_fragments_first
run before_all_is_ended_ffmpeg_may_end_its_recording
run an_unknown_layout_ends_the_build
run packages_come_from_the_bases_own_debian_lists_alone
run a_base_without_debian_lists_ends_the_build
run the_image_says_the_projects_version
echo "$((count - failures)) ok, $failures not ok"
[ "$failures" = 0 ]

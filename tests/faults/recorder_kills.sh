#!/usr/bin/env bash
#
# recorder_kills.sh - ffmpeg with Jibri's own arguments, through the ffmpeg that writes fragments, is ended in
# the middle of a recording: by signals, by a full disk. What the bucket has of it is an ordinary mp4 that
# plays without a complaint up to the last two seconds before.
#
#   E2E_BUILD=build/test tests/faults/recorder_kills.sh [--all] [PATTERN]
#
#   --all   50 kills, 20 other signals and 10 full disks, with all sizes and presets; many minutes
#   SEED    the random instants come from it; it is printed
#
# Two recorders run at once. Full disks are tmpfs mounts in a mount namespace of this test's own; where mounting
# isn't permitted they are passed over.

mounts=no
if [ -n "${OWN_MOUNTS:-}" ]; then
	mounts=yes
elif unshare -m sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; then
	OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi
all=no
if [ "${1:-}" = --all ]; then
	all=yes
	shift
fi

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/watcher.sh"

wrapper=$build/finalize/ffmpeg/ffmpeg
: "${SEED:=$$}"
echo "SEED=$SEED"

# ---- recorders -----------------------------------------------------------------------------------

# Jibri's arguments before February 2025 and since, but for screen and sound. The picture has noise: seconds of
# it are parts of an upload.
of_generation() {
	local both=(-acodec aac -strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264)
	case $1 in
	2024) arguments=("${both[@]}" -preset "$2" -profile:v main -level 3.1 -pix_fmt yuv420p -r 30 -crf 25 -g 60
		-tune zerolatency -f mp4) ;;
	2025) arguments=("${both[@]}" -pix_fmt yuv420p -r 30 -crf 25 -preset "$2" -profile:v main -level 3.1
		-timestamp now -f mp4) ;;
	esac
}

# start_recorder FILE GENERATION SIZE PRESET NOISE: its process is $recorder.
start_recorder() {
	local arguments
	of_generation "$2" "$4"
	env -i "PATH=${wrapper%/*}:$PATH" ffmpeg -y -v fatal -progress "$1.progress" -stats_period 0.1 \
		-re -f lavfi -i "testsrc2=s=$3:r=30,noise=alls=$5:allf=t" -f lavfi -i sine=f=440:r=44100 "${arguments[@]}" "$1.mp4" \
		</dev/null >"$1.ffmpeg" 2>&1 &
	recorder=$!
	pids+=("$recorder")
}

now_ms() { echo $((${EPOCHREALTIME//./} / 1000)); }

# What ffmpeg had encoded, in milliseconds.
encoded_ms() {
	local us
	us=$(sed -n 's/^out_time_us=\([0-9]*\)$/\1/p' "$1.progress" 2>/dev/null | tail -n 1)
	echo $((${us:-0} / 1000))
}

# ---- one of them ---------------------------------------------------------------------------------

# What is in the bucket against what was recorded; how long that plays goes to $plays_ms. Adds a line to
# $case_dir/results.
# check_object NAME KEY MILLISECONDS HOW
check_object() {
	local name=$1 key=$2 filmed_ms=$3 how=$4 got=$case_dir/$1.got lost_ms of=filmed facts
	rclone_ cat ":s3:$bucket/$key" >"$got"
	ffmpeg -v error -i "$got" -f null - >"$got.said" 2>&1 || fail "$key is not decoded: $(<"$got.said")"
	expect "what is said of $key" '' "$(<"$got.said")"
	python3 - "$got" "$how" <<-'END'
		import os, sys
		with open(sys.argv[1], "rb") as file:
		    at, types, end = 0, [], os.path.getsize(sys.argv[1])
		    while at < end:
		        file.seek(at)
		        head = file.read(16)
		        size = int.from_bytes(head[:4], "big")
		        types.append(head[4:8].decode())
		        at += int.from_bytes(head[8:], "big") if size == 1 else size
		fragments = sys.argv[2] == "full" and types[:4] == ["ftyp", "moov", "moof", "mdat"]  # no room for an index
		if at != end or (types != ["ftyp", "mdat", "moov"] and not fragments):
		    sys.exit(f"boxes {types} end at {at} of {end}")
	END
	facts=$(ffprobe -v error -count_packets -show_entries \
		stream=codec_type,nb_frames,nb_read_packets:format=duration -of json "$got")
	jq -e --arg how "$how" '.streams | length == 2 and all(.nb_frames == .nb_read_packets or (.nb_frames == null and $how == "full"))' \
		<<<"$facts" >/dev/null || fail "numbers of frames: $facts"
	plays_ms=$(jq '.format.duration | tonumber * 1000 | floor' <<<"$facts")
	# A machine that is too slow for the encoder does not record in real time.
	if [ $((filmed_ms - $(encoded_ms "$case_dir/$name"))) -gt 1500 ]; then
		of=encoded
		filmed_ms=$(encoded_ms "$case_dir/$name")
	fi
	lost_ms=$((filmed_ms - plays_ms))
	echo "$lost_ms $of $plays_ms $name $how" >>"$case_dir/results"
	[ "$lost_ms" -le 2500 ] || fail "$key plays $plays_ms of $filmed_ms ms that were $of"
	[ "$lost_ms" -ge -500 ] || fail "$key plays $plays_ms ms, though only $filmed_ms were $of"
	expect "jibri-incomplete of $key" '' "$(object_header "$key" x-amz-meta-jibri-incomplete)"
	rm "$got"
}

check_journal() {
	local key=$1 cut_off=$2 row
	row=$(query "SELECT incomplete, cut_off, abs(duration_ms - $plays_ms) < 50, media,
		(SELECT count(*) FROM event WHERE file_id = file.id AND text GLOB 'sent again*' AND
			text NOT GLOB 'sent again: 1 part*: *bytes changed*') FROM file WHERE CAST(path AS TEXT) = '$key'")
	expect "incomplete, cut off, its duration, media, and sent again, of $key" "0|$cut_off|1|1|0" "$row"
}

# What ends a recorder; then Jibri calls the finalizer, or does not.
# end_recorder NAME HOW MILLISECONDS FINALIZER KEY
end_recorder() {
	local name=$1 how=$2 began after_ms=$3 cut_off=1 plays_ms
	began=$(now_ms)
	if [ "$how" = full ]; then
		wait_for 300 is_ended "$recorder"
	else
		wait_for 300 has_encoded "$((after_ms / 1000 * 1000))"
		sleep "0.$(printf %03d $((after_ms % 1000)))"
		kill "-$how" "$recorder"
	fi
	ended=$(($(now_ms) - began))
	wait "$recorder" || true
	case $how in INT | TERM) cut_off=0 ;; esac
	echo "$name: $how after $ended ms, and then the $4"
	if [ "$4" = finalizer ]; then
		output_file=$case_dir/$name.output start_finalize "$recordings/$name"
		finish_finalize "$!" "$case_dir/$name.output"
		expect_code 0
	else
		wait_for 120 test ! -e "$recordings/$name"
	fi
	check_object "$name" "$5" "$ended" "$how"
	check_journal "$5" "$cut_off"
}

has_encoded() { [ "$(encoded_ms "$case_dir/$name")" -ge "$1" ]; }
is_ended() { ! is_running "$1"; }

# record NAME HOW MILLISECONDS FINALIZER GENERATION SIZE PRESET NOISE
record() {
	local key=${1#r}_2026-11-27-10-00-00.mp4 recorder ended
	mkdir -p "$recordings/$1"
	ln -s "$recordings/$1/$key" "$case_dir/$1.mp4"
	start_recorder "$case_dir/$1" "${@:5}"
	end_recorder "$1" "$2" "$3" "$4" "$key"
}

# ---- many ----------------------------------------------------------------------------------------

random() { echo $(($1 + RANDOM % ($2 - $1))); }
one_of() { echo "${@:RANDOM % $# + 1:1}"; }

# The recordings of $plan, two at a time; on their own disks where these are to be full.
record_all() {
	local lane pids_of_lanes=() i
	: >"$case_dir/results"
	for lane in 0 1; do
		(
			trap end_processes EXIT
			for ((i = lane; i < ${#plan[@]}; i += 2)); do
				# shellcheck disable=SC2086  # a line of words
				record "r$i" ${plan[i]}
			done
		) >"$case_dir/lane$lane" 2>&1 &
		pids_of_lanes+=("$!")
	done
	for lane in 0 1; do
		wait "${pids_of_lanes[lane]}" || { cat "$case_dir/lane$lane"; fail "see above"; }
	done
	cat "$case_dir/lane0" "$case_dir/lane1"
	sort -n "$case_dir/results" | awk '{ of[$2]++ } END {
		printf "%d recordings, at most %.2f s lost", NR, $1 / 1000
		if (of["encoded"]) printf "; of %d it is counted from what was encoded, since the machine was too slow", of["encoded"]
		print "" }' | tee -a "$state/recorder_kills.log"
}

# plan_kills COUNT SIGNAL...
plan_kills() {
	local i
	RANDOM=$SEED
	for ((i = 0; i < $1; i++)); do
		plan+=("$(one_of "${@:2}") $(random 3000 6000) $(one_of finalizer finalizer "$nobody") $(one_of 2024 2025) $(one_of "${sizes[@]}") $(one_of "${presets[@]}") $(one_of 0 12)")
	done
}

sizes=(1280x720) presets=(ultrafast)
[ "$all" = no ] || sizes+=(1920x1080) presets+=(veryfast)
nobody=finalizer # without the watcher

what_was_recorded_until_the_recorder_was_ended_plays() {
	local plan=()
	if [ "$1" = live ]; then
		nobody=watcher
		start_watcher CONFOMEET_ORPHAN_AFTER=3s
	fi
	plan_kills "${@:2}"
	record_all
	[ "$1" != live ] || stop_watcher
}

# The journal, which has its reserve, is on the same disk.
what_was_recorded_until_the_disk_was_full_plays() {
	local plan=() i
	RANDOM=$((SEED + $2))
	mount -t tmpfs -o "size=$(random 20 45)m,mode=700" none "$recordings"
	# shellcheck disable=SC2064  # this one
	trap "umount -l '$recordings'; end_processes" EXIT
	make_file "$recordings/earlier/1_a.mp4" 10
	finalize CONFOMEET_NOTICE=off "$recordings/earlier"
	expect_code 0
	[ "$1" != live ] || start_watcher CONFOMEET_ORPHAN_AFTER=3s
	for i in 0 1; do
		plan+=("full 0 finalizer $(one_of 2024 2025) 1280x720 ultrafast 12")
	done
	record_all
	[ "$1" != live ] || stop_watcher
}

if [ "$all" = yes ]; then
	run what_was_recorded_until_the_recorder_was_ended_plays apart 25 KILL
	run what_was_recorded_until_the_recorder_was_ended_plays live 25 KILL
	run what_was_recorded_until_the_recorder_was_ended_plays apart 10 HUP TERM INT
	run what_was_recorded_until_the_recorder_was_ended_plays live 10 HUP TERM INT
	for i in 1 2 3 4 5; do
		[ "$mounts" = no ] || run what_was_recorded_until_the_disk_was_full_plays "$([ $((i % 2)) = 0 ] && echo live || echo apart)" "$i"
	done
else
	run what_was_recorded_until_the_recorder_was_ended_plays live 2 KILL
	run what_was_recorded_until_the_recorder_was_ended_plays apart 4 KILL HUP TERM INT
	[ "$mounts" = no ] || run what_was_recorded_until_the_disk_was_full_plays live 1
fi
end_of_cases

#!/usr/bin/env bash
#
# e2e_play.sh - end to end: what a recorder wrote in fragments is an ordinary mp4 in the bucket, whole or
# cut off: the same frames, and players of three families take it.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

for tool in ffmpeg mediainfo gst-launch-1.0 gst-discoverer-1.0 chromium python3; do
	command -v "$tool" >/dev/null || {
		echo "not installed: $tool; run scripts/install-deps"
		[ -z "${CI:-}" ] && exit 77 || exit 1
	}
done
wrapper=$build/finalize/ffmpeg/ffmpeg
media=12345_2026-11-27-10-00-00.mp4

# As Jibri calls it since February 2025, or, with more ARGUMENTs for the encoder, before.
# record_fragments PRESET [ARGUMENT...]
record_fragments() {
	env -i "PATH=${wrapper%/*}:$PATH" ffmpeg -y -v error -nostdin -f lavfi -i testsrc2=s=320x180:r=30 -f lavfi \
		-i sine=f=440:r=44100 -t 12 -acodec aac -strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 \
		-preset "$1" -profile:v main -level 3.1 -pix_fmt yuv420p -r 30 -crf 25 "${@:2}" -f mp4 "$session/$media"
}

# frames FILE: each one, when it is shown and what it is.
frames() { ffmpeg -v error -i "$1" -f framemd5 - 2>&1 | grep -v '^#'; }

# duration FILE
duration() { ffprobe -v error -show_entries format=duration -of csv=p=0 "$1"; }

is_near() { awk -v a="$1" -v b="$2" 'BEGIN { exit !(a - b < 0.1 && b - a < 0.1) }'; }

expect_played_by_all() {
	local got=$case_dir/got.mp4 seconds facts
	rclone_ cat ":s3:$bucket/$media" >"$got"
	seconds=$(duration "$got")
	facts=$(mediainfo --Output=JSON "$got" | jq -c '.media.track | map(select(."@type" == "Video"))[0]')
	is_near "$seconds" "$(jq -r .Duration <<<"$facts")" || fail "mediainfo says $facts, not $seconds s"
	expect "frames by mediainfo" "$(grep -c '^0,' "$case_dir/frames")" "$(jq -r .FrameCount <<<"$facts")"
	facts=$(mediainfo --Output=JSON "$got" | jq -c '.media.track[0] | [.Format, .IsTruncated]')
	expect "the format by mediainfo" '["MPEG-4",null]' "$facts"
	expect "GStreamer's complaints" '' "$(gst-launch-1.0 -q filesrc "location=$got" ! qtdemux name=d d.video_0 ! queue ! avdec_h264 ! fakesink \
		d.audio_0 ! queue ! avdec_aac ! fakesink 2>&1)"
	facts=$(gst-discoverer-1.0 "$got" | sed -n 's/^ *Duration: 0:00:\([0-9.]*\)$/\1/p')
	is_near "$seconds" "$facts" || fail "GStreamer says it plays $facts s, not $seconds"
	python3 -B "$tests/tools/play.py" "$(aws_ s3 presign "s3://$bucket/$media")" "$seconds"
}

a_whole_recording_has_the_frames_of_its_fragments() {
	record_fragments "$@"
	cp "$session/$media" "$copies/fragments.mp4"
	frames "$copies/fragments.mp4" >"$case_dir/frames"
	finalize "$session"
	expect_code 0
	rclone_ cat ":s3:$bucket/$media" >"$case_dir/got.mp4"
	frames "$case_dir/got.mp4" | diff -q "$case_dir/frames" - || fail "the frames differ"
	expect_played_by_all
}

a_recording_that_was_cut_off_plays() {
	record_fragments ultrafast
	truncate -s $(($(stat -c %s "$session/$media") * 2 / 3)) "$session/$media"
	finalize "$session"
	expect_code 0
	rclone_ cat ":s3:$bucket/$media" >"$case_dir/got.mp4"
	frames "$case_dir/got.mp4" >"$case_dir/frames"
	expect_played_by_all
}

run a_whole_recording_has_the_frames_of_its_fragments ultrafast -g 60 -tune zerolatency
run a_whole_recording_has_the_frames_of_its_fragments veryfast
run a_recording_that_was_cut_off_plays
end_of_cases

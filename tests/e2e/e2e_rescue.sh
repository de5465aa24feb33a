#!/usr/bin/env bash
#
# e2e_rescue.sh - a recorder vanishes in mid-meeting, with its disk and its journal: jibri-finalize
# rescue makes a recording of what the bucket holds. And the recorder comes back after all.
#
#   E2E_BUILD=BUILD-DIRECTORY tests/e2e/e2e_rescue.sh [PATTERN]

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/watcher.sh"

# record SECONDS: as Jibri does, through our ffmpeg, a picture that takes many bytes; to be killed. Sets $recorder.
record() {
	mkdir -p "$session"
	env PATH="$build/finalize/ffmpeg:$PATH" ffmpeg -y -v error -nostdin -re -f lavfi -i "testsrc2=s=640x360:r=30,noise=alls=40:allf=t" \
		-f lavfi -i sine=f=440:r=44100 -acodec aac -strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 \
		-preset ultrafast -profile:v main -level 3.1 -pix_fmt yuv420p -r 30 -crf 28 -g 60 -tune zerolatency -t "$1" \
		-f mp4 "file:$session/$media" >"$case_dir/ffmpeg.log" 2>&1 </dev/null &
	recorder=$!
	pids+=("$recorder")
}

# vanish: watcher and recorder are killed, and the disk with all that is on it is put to $gone.
gone=''
vanish() {
	local process
	for process in "$watcher_pid" $(worker_pids) "$recorder"; do
		kill -KILL "$process" 2>/dev/null || true
	done
	wait "$watcher_pid" "$recorder" 2>/dev/null || true
	gone=$case_dir/gone
	mv "$recordings" "$gone"
}

come_back() { mv "$gone" "$recordings"; }

# expect_plays FILE LEAST-SECONDS
expect_plays() {
	local duration
	expect "what ffmpeg says of $1" '' "$(ffmpeg -v error -i "$1" -f null - 2>&1)"
	duration=$(ffprobe -v error -show_entries format=duration -of csv=p=0 "$1")
	[ "${duration%.*}" -ge "$2" ] || fail "$1 plays only $duration s"
}

get_object() { rclone_ cat ":s3:$bucket/$1" >"$2"; }

# How many parts the bucket holds of the upload.
count_parts() {
	s3_request GET "/$bucket/$media?uploadId=$(open_uploads | sed -n "s/^$media //p")" |
		{ grep -o '<PartNumber>' || true; } | wc -l
}

# until the bucket holds so many parts, or, on a busy machine, some more: then all vanishes. Sets $parts.
lose_a_recorder_with_parts() {
	local before=0
	start_watcher CONFOMEET_S3_PARALLEL=1
	record 120
	wait_for 120 has_parts "$1"
	vanish
	parts=$(count_parts)
	while [ "$parts" != "$before" ]; do # one may have arrived as its sender vanished
		before=$parts
		sleep 1
		parts=$(count_parts)
	done
}

what_the_bucket_holds_plays_up_to_its_last_part() {
	local bytes parts
	lose_a_recorder_with_parts 3
	# Another program's, whose key XML 1.0 has no way to write: a listing of all has it, too.
	s3_request POST "/$bucket/a%01b.mp4?uploads=" >"$case_dir/other"
	finalize rescue
	expect_code 0
	expect_match "the list" "12345 .* $parts +$((parts * 5)) MiB +$media" "$output"
	finalize rescue --json
	expect "parts" "$parts $parts $((parts * 5 * MIB))" "$(jq -r '.uploads[] | "\(.parts) \(.parts_in_a_row) \(.bytes)"' <<<"$output")"
	expect "key" "$media 12345" "$(jq -r '.uploads[] | "\(.key) \(.meeting)"' <<<"$output")"
	s3_request DELETE "/$bucket/a%01b.mp4?uploadId=$(sed 's/.*<UploadId>//; s/<.*//' "$case_dir/other")"
	expect "open uploads" 1 "$(open_uploads | wc -l)"
	finalize rescue "$media"
	expect_code 64 'no terminal to ask on: say --force if'
	expect "open uploads" 1 "$(open_uploads | wc -l)"
	finalize rescue --force "$media"
	expect_code 0 'plays up to .*the backend was told \(row '
	expect "open uploads" 0 "$(open_uploads | wc -l)"
	expect "keys" "$media $media.rescued" "$(keys | paste -s -d ' ')"
	get_object "$media" "$case_dir/rescued.mp4"
	expect_plays "$case_dir/rescued.mp4" 5
	# Nothing of the parts but the fragment that was cut off is missing, and it is the recording.
	ffmpeg -v error -i "$case_dir/rescued.mp4" -map 0:v -c copy -f framemd5 - | grep -v '^#' |
		awk '{print $NF}' >"$case_dir/rescued.frames"
	ffmpeg -v error -i "$gone/${session##*/}/$media" -map 0:v -c copy -f framemd5 - 2>/dev/null |
		grep -v '^#' | awk '{print $NF}' >"$case_dir/original.frames"
	head -n "$(wc -l <"$case_dir/rescued.frames")" "$case_dir/original.frames" |
		cmp - "$case_dir/rescued.frames"
	bytes=$(stat -c %s "$case_dir/rescued.mp4")
	[ "$bytes" -ge $((parts * 5 * MIB)) ] || fail "only $bytes bytes are left"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "the notice" "12345 $media $media $bytes" \
		"$(notices '.body | "\(.meetingId) \(.fileName) \(.key) \(.fileSize)"')"
	expect "content type" video/mp4 "$(object_header "$media" content-type)"
	expect "session" "${session##*/}" "$(object_header "$media" x-amz-meta-jibri-session)"
	# Again, there is nothing to do.
	finalize rescue "$media"
	expect_code 0 'was rescued before.*the backend was told before'
	expect "accepted notices" 1 "$(accepted_notices)"

}

the_recorder_that_comes_back_puts_the_whole_recording_in_its_place_and_the_backend_is_told_once() {
	local mark bytes parts
	lose_a_recorder_with_parts 2
	finalize rescue --force --json "$media"
	expect_code 0
	bytes=$(jq .bytes <<<"$output")
	expect "told" true "$(jq .notified <<<"$output")"
	mark=$(object_header "$media" x-amz-meta-jibri-mark)
	come_back
	[ "$1" = with ] || rm -r "$recordings/.jibri-finalize"
	finalize CONFOMEET_S3_PART_SIZE=5MiB "${@:2}" "$session"
	expect_code 0
	expect "keys" "$media $media.rescued" "$(keys | paste -s -d ' ')"
	expect "mark" "$mark" "$(object_header "$media" x-amz-meta-jibri-mark)"
	get_object "$media" "$case_dir/whole.mp4"
	expect_plays "$case_dir/whole.mp4" 3
	[ "$(stat -c %s "$case_dir/whole.mp4")" -gt "$bytes" ] || fail "it is no longer than what was rescued"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "open uploads" 0 "$(open_uploads | wc -l)"
	expect_all_gone
}

# upload_parts FILE NUMBER...: as the watcher does, those parts of 5 MiB of the file.
upload_parts() {
	local upload number
	upload=$(aws_ s3api create-multipart-upload --bucket "$bucket" --key "$media" --content-type video/mp4 \
		--metadata jibri-mark=00112233445566778899aabbccddeeff,jibri-session=abc,jibri-part-size=5242880 | jq -r .UploadId)
	for number in "${@:2}"; do
		dd if="$1" of="$case_dir/part" bs=5242880 skip=$((number - 1)) count=1 status=none
		aws_ s3api upload-part --bucket "$bucket" --key "$media" --upload-id "$upload" --part-number "$number" \
			--body "$case_dir/part" >/dev/null
	done
}

# make_recording FILE [in-fragments]
make_recording() {
	local path=$PATH
	[ $# = 1 ] || path=$build/finalize/ffmpeg:$PATH
	env PATH="$path" "$tests/../scripts/record-meeting" "$1" 26 --fast
	[ "$(stat -c %s "$1")" -gt $((20 * MIB)) ] || fail "$1 is too short for four parts"
}


# The finalizer has sent the first part again, whose header is for the index; the last one, which has the index, not yet.
what_a_recorder_left_that_vanished_between_its_last_requests_plays() {
	make_recording "$case_dir/made.mp4" in-fragments
	mkdir -p "$session"
	cp "$case_dir/made.mp4" "$session/$media"
	finalize "$session"
	expect_code 0
	get_object "$media" "$case_dir/whole.mp4"
	aws_ s3api delete-object --bucket "$bucket" --key "$media" >/dev/null
	expect "the second box" mdat "$(dd if="$case_dir/whole.mp4" bs=1 skip=32 count=4 status=none)"
	upload_parts "$case_dir/whole.mp4" 1 2 3
	finalize rescue --force "$media"
	expect_code 0 '15 MiB, plays up to .*the backend was told \(row '
	get_object "$media" "$case_dir/rescued.mp4"
	expect_plays "$case_dir/rescued.mp4" 10
	[ "$(stat -c %s "$case_dir/rescued.mp4")" -gt $((15 * MIB)) ] || fail "it lost some of its parts"
	expect "open uploads" 0 "$(open_uploads | wc -l)"
}

without_its_first_part_nothing_is_touched() {
	make_recording "$case_dir/made.mp4"
	upload_parts "$case_dir/made.mp4" 2 3
	finalize rescue --force "$media"
	expect_code 66 'but not the first'
	expect "keys" '' "$(keys)"
	finalize rescue --force "5_2026-11-24-10-00-00.mp4"
	expect_code 66 'no multipart upload of'
	aws_ s3api abort-multipart-upload --bucket "$bucket" --key "$media" --upload-id "$(open_uploads | cut -d ' ' -f 2)"
}

run what_the_bucket_holds_plays_up_to_its_last_part
run the_recorder_that_comes_back_puts_the_whole_recording_in_its_place_and_the_backend_is_told_once with
run the_recorder_that_comes_back_puts_the_whole_recording_in_its_place_and_the_backend_is_told_once without
run what_a_recorder_left_that_vanished_between_its_last_requests_plays
run without_its_first_part_nothing_is_touched
end_of_cases

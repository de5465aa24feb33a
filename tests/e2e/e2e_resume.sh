#!/usr/bin/env bash
#
# e2e_resume.sh - end to end: what was stopped at any point goes on with the next call; parts that
# the bucket holds are not sent again, and nothing is left open in the bucket.
#
# See e2e.sh for how to run it.

# shellcheck source=tests/e2e/e2e.sh
. "$(dirname "${BASH_SOURCE[0]}")/e2e.sh"

# kill_at PARTS [NAME=VALUE...]: calls the program, and kills it when the journal has that many parts.
kill_at() {
	local pid
	start_finalize "${@:2}" "$session"
	pid=$!
	wait_for 60 has_parts "$1"
	kill -KILL "$pid"
	finish_finalize "$pid"
	expect_code 137
	rm -rf "$case_dir/killed"
	cp -r "${journal%/*}" "$case_dir/killed" # as it was left, whatever reading it does to it
}

# "<number> <time>" of each part that the bucket holds, of the only upload there is.
parts_in_bucket() {
	local key upload_id
	read -r key upload_id < <(open_uploads)
	aws_ s3api list-parts --bucket "$bucket" --key "$key" --upload-id "$upload_id" |
		jq -r '.Parts[]|"\(.PartNumber) \(.LastModified)"' | LC_ALL=C sort
}

# The numbers of the parts that were in the journal when the program was killed.
parts_when_killed() {
	sqlite3 "$case_dir/killed/journal.db" 'SELECT number FROM part ORDER BY number'
}

# expect_untouched BEFORE AFTER: parts that were acknowledged to the journal were not sent again.
expect_untouched() {
	local number
	for number in $(parts_when_killed); do
		expect "the time of part $number" "$(grep "^$number " <<<"$1")" "$(grep "^$number " <<<"$2")"
	done
}

# expect_finished FILE: the next call finishes.
expect_finished() {
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$1"
	expect keys 12345_a.mp4 "$(keys)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "size in the notice" "$(stat -c %s "$1")" "$(notices .body.fileSize)"
}

killed_at_several_points_of_300_MiB() {
	local first second third
	make_file "$session/12345_a.mp4" $((300 * MIB))
	kill_at 1 CONFOMEET_S3_RATE_LIMIT=60MiB
	first=$(parts_in_bucket)
	kill_at 14 CONFOMEET_S3_RATE_LIMIT=60MiB
	second=$(parts_in_bucket)
	cp -r "$case_dir/killed" "$case_dir/killed-second"
	expect "the upload that went on" 1 "$(open_uploads | wc -l)"
	expect "the parts of the first run" "$first" "$(grep -Fxf <(echo "$first") <<<"$second")"
	kill_at 30 CONFOMEET_S3_RATE_LIMIT=60MiB
	third=$(parts_in_bucket)
	mv "$case_dir/killed" "$case_dir/killed-third"
	mv "$case_dir/killed-second" "$case_dir/killed"
	expect_untouched "$second" "$third"
	expect_finished "$copies/12345_a.mp4"
	expect_match "the log" 'try=4' "$output"
}

# The sink counts: each part once, but for those that were under way when the program was killed.
only_parts_that_were_under_way_are_sent_again() {
	local parts=60 parallel=8 kills=3 number sent
	start_sink --journal "$case_dir/sink"
	environment+=("CONFOMEET_S3_URL=$sink_url" "CONFOMEET_S3_PARALLEL=$parallel")
	truncate -s $((parts * 5 * MIB)) "$session/12345_a.mp4"
	for ((number = 1; number <= kills; number++)); do
		kill_at $((number * 15)) CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=100MiB
		sent=$(wc -l <"$case_dir/sink")
	done
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_all_gone
	expect "uploads" 1 "$(grep -c '^C ' "$case_dir/sink")"
	expect "parts" "$parts" "$(awk '$1 == "P" { print $3 }' "$case_dir/sink" | sort -u | wc -l)"
	expect_at_most "parts that were sent" $((parts + kills * parallel)) \
		"$(grep -c '^P ' "$case_dir/sink")"
	expect "parts that the journal had and that were sent again" '' \
		"$(tail -n +$((sent + 1)) "$case_dir/sink" | awk '$1 == "P" { print $3 }' |
			grep -Fxf <(parts_when_killed) | paste -s -d ' ')"
}

told_to_stop_it_stops_and_goes_on_later() {
	local pid started
	make_file "$session/12345_a.mp4" $((64 * MIB))
	start_finalize CONFOMEET_S3_RATE_LIMIT=24MiB "$session"
	pid=$!
	wait_for 60 has_parts 1
	started=$SECONDS
	kill "-$1" "$pid"
	finish_finalize "$pid"
	expect_within 5 $((SECONDS - started))
	expect_code 75 'stopped.*what to do: call it again'
	cmp "$session/12345_a.mp4" "$copies/12345_a.mp4"
	expect "accepted notices" 0 "$(accepted_notices)"
	expect_finished "$copies/12345_a.mp4"
}

under_nohup_a_hangup_does_not_stop_it() {
	local pid
	make_file "$session/12345_a.mp4" $((64 * MIB))
	program_prefix=(nohup)
	start_finalize CONFOMEET_S3_RATE_LIMIT=24MiB "$session"
	pid=$!
	wait_for 60 has_parts 1
	kill -HUP "$pid"
	finish_finalize "$pid"
	expect_code 0
	expect_all_gone
}

told_to_stop_while_it_waits_it_stops() {
	local pid started
	make_file "$session/12345_a.mp4" 1000
	start_finalize CONFOMEET_S3_URL=http://127.0.0.1:1 CONFOMEET_LOG_LEVEL=debug "$session"
	pid=$!
	wait_for 20 grep -q 'trying again' "$case_dir/output"
	started=$SECONDS
	kill -TERM "$pid"
	finish_finalize "$pid"
	expect_within 5 $((SECONDS - started))
	expect_code 75
	expect_finished "$copies/12345_a.mp4"
}

# What the file became between two runs: CHANGE is done to it, and to its copy.
the_file() {
	make_file "$session/12345_a.mp4" $((64 * MIB + 100))
	kill_at 3 CONFOMEET_S3_RATE_LIMIT=32MiB
	"$1" "$session/12345_a.mp4"
	cp "$session/12345_a.mp4" "$copies/12345_a.mp4"
	expect_finished "$copies/12345_a.mp4"
}

# A byte in the middle of a part that the bucket holds.
had_a_byte_changed() {
	local number
	number=$(parts_when_killed | tail -n 1)
	printf X | dd of="$1" bs=1 seek=$(((number - 1) * 8 * MIB + 4000000)) conv=notrunc status=none
}

# Part sizes are those of the upload, whatever the setting says by then.
became_longer() { head -c 10000000 /dev/urandom >>"$1"; }
became_shorter() { truncate -s $((10 * MIB)) "$1"; }
became_shorter_than_a_part() { truncate -s 1000 "$1"; }
became_empty() { : >"$1"; }

was_replaced() {
	head -c $((64 * MIB + 100)) /dev/urandom >"$1.new"
	mv "$1.new" "$1"
}

# Its time is older by then, as by a copy that keeps times.
was_replaced_by_an_older_one() {
	was_replaced "$1"
	touch -d '2020-01-01' "$1"
}

only_the_part_that_changed_is_sent_again() {
	local sent changed number
	start_sink --journal "$case_dir/sink"
	environment+=("CONFOMEET_S3_URL=$sink_url")
	truncate -s $((64 * MIB)) "$session/12345_a.mp4"
	kill_at 3 CONFOMEET_S3_RATE_LIMIT=32MiB
	changed=$(parts_when_killed | head -n 1)
	sent=$(wc -l <"$case_dir/sink")
	printf X | dd of="$session/12345_a.mp4" bs=1 seek=$(((changed - 1) * 8 * MIB)) conv=notrunc status=none
	finalize "$session"
	expect_code 0
	expect "uploads" 1 "$(grep -c '^C ' "$case_dir/sink")"
	expect "parts of the journal that were sent again" "$changed" \
		"$(tail -n +$((sent + 1)) "$case_dir/sink" | awk '$1 == "P" { print $3 }' |
			grep -Fxf <(parts_when_killed) | paste -s -d ' ')"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" events nzqx
	expect_match "the history" 'sent again: 1 part, 8 MiB: the bytes changed since they were sent' "$output"
	finalize "CONFOMEET_RECORDINGS_DIR=$recordings" status --json
	expect "as JSON" '1 part, 8 MiB: the bytes changed since they were sent, of 12345_a.mp4' \
		"$(jq -r '.recordings[0].sent_again[] | .why + ", of " + .file' <<<"$output")"
}

another_part_size_between_runs_is_fine() {
	make_file "$session/12345_a.mp4" $((64 * MIB + 100))
	kill_at 2 CONFOMEET_S3_RATE_LIMIT=32MiB
	environment+=(CONFOMEET_S3_PART_SIZE=5MiB)
	expect_finished "$copies/12345_a.mp4"
}

the_upload_was_aborted_by_somebody() {
	local key upload_id
	make_file "$session/12345_a.mp4" $((40 * MIB))
	kill_at 2 CONFOMEET_S3_RATE_LIMIT=32MiB
	read -r key upload_id < <(open_uploads)
	aws_ s3api abort-multipart-upload --bucket "$bucket" --key "$key" --upload-id "$upload_id"
	expect "uploads" '' "$(open_uploads)"
	expect_finished "$copies/12345_a.mp4"
}

the_upload_was_aborted_by_somebody_during_a_run() {
	local key upload_id pid
	make_file "$session/12345_a.mp4" $((40 * MIB))
	start_finalize CONFOMEET_S3_RATE_LIMIT=24MiB "$session"
	pid=$!
	wait_for 60 has_parts 1
	kill -STOP "$pid" # it must not be done before
	read -r key upload_id < <(open_uploads)
	s3_request DELETE "/$bucket/$key?uploadId=$upload_id"
	kill -CONT "$pid"
	finish_finalize "$pid"
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# The object is there, the journal is not: nothing is lost, and nothing overwritten.
the_journal_was_lost() {
	make_file "$session/12345_a.mp4" $((40 * MIB))
	kill_at 2 CONFOMEET_S3_RATE_LIMIT=32MiB
	rm -r "${journal%/*}"
	finalize "$session"
	expect_code 0
	expect_all_gone
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect "accepted notices" 1 "$(accepted_notices)"
	# An upload that no journal knows, with parts, may be another program's: it is for the bucket's
	# lifecycle rule.
	while read -r key upload_id; do
		aws_ s3api abort-multipart-upload --bucket "$bucket" --key "$key" --upload-id "$upload_id"
	done < <(open_uploads)
}

# Calls until one ends by itself, each killed a little later than the one before.
killed_again_and_again() {
	local delay_ms pid calls=0
	make_file "$session/12345_a.mp4" $((12 * MIB)) a
	make_file "$session/12346_b.mp4" 3000 b
	make_file "$session/metadata.json" 100
	make_file "$session/logs/ffmpeg.log" 2000
	code=137
	mkfifo "$case_dir/never"
	for ((delay_ms = 2; code == 137; delay_ms += 3)); do
		calls=$((calls + 1))
		[ "$calls" -le 300 ] || fail "it never ends"
		start_finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_RATE_LIMIT=200MiB "$session"
		pid=$!
		# A pause without a process of its own, which would take longer than the pause.
		read -r -t "$(printf '%d.%03d' $((delay_ms / 1000)) $((delay_ms % 1000)))" \
			<>"$case_dir/never" || true
		kill -KILL "$pid" 2>/dev/null || true
		finish_finalize "$pid"
	done
	echo "$calls calls"
	expect_code 0
	expect_all_gone
	[ "$calls" -gt 3 ] || fail "only $calls calls"
	expect keys "12345_a.mp4 12346_b.mp4 nzqxnaoiugxqlhbp/logs/ffmpeg.log nzqxnaoiugxqlhbp/metadata.json" \
		"$(keys | paste -s -d ' ')"
	expect_object 12345_a.mp4 "$copies/a"
	expect_object 12346_b.mp4 "$copies/b"
	# One that was accepted when the program was killed before it could note it is repeated, as the
	# same: one key for each recording.
	expect "Idempotency-Keys" 2 "$(idempotency_keys)"
	expect_at_most "accepted notices" 3 "$(accepted_notices)"
}

# The recordings directory was moved with its journal, in the middle of an upload: HOW moves it.
the_recordings_directory() {
	local moved=$recordings.moved
	make_file "$session/12345_a.mp4" $((64 * MIB))
	kill_at 3 CONFOMEET_S3_RATE_LIMIT=32MiB
	"$1" "$recordings" "$moved"
	finalize "$moved/${session##*/}"
	expect_code 0
	[ ! -e "$moved/${session##*/}" ] || fail "the session is still there"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect keys 12345_a.mp4 "$(keys)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "recordings in the journal" 1 \
		"$(sqlite3 "$moved/.jibri-finalize/journal.db" 'SELECT count(*) FROM recording')"
	rm -rf "$moved"
}
was_moved() { mv "$1" "$2" && mkdir "$1"; }
was_copied_to_another_disk() { cp -a "$1" "$2"; }

# Nothing had told the journal where recordings are, until they were moved.
a_journal_elsewhere_goes_on_where_the_settings_say_that_recordings_are() {
	local moved=$recordings.moved
	journal=$case_dir/elsewhere/journal.db
	environment+=("CONFOMEET_JOURNAL=$journal")
	make_file "$session/12345_a.mp4" $((64 * MIB))
	kill_at 3 CONFOMEET_S3_RATE_LIMIT=32MiB
	was_moved "$recordings" "$moved"
	finalize "CONFOMEET_RECORDINGS_DIR=$moved" "$moved/${session##*/}"
	expect_code 0
	[ ! -e "$moved/${session##*/}" ] || fail "the session is still there"
	expect_object 12345_a.mp4 "$copies/12345_a.mp4"
	expect keys 12345_a.mp4 "$(keys)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "recordings in the journal" 1 "$(query 'SELECT count(*) FROM recording')"
	rm -rf "$moved"
}

# What is in the bucket already is told from the copy, which has other inodes.
a_copy_of_the_recordings_directory_is_not_uploaded_again() {
	local moved=$recordings.moved
	make_file "$session/12345_a.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=1d "$session"
	expect_code 0
	cp -a "$recordings" "$moved"
	finalize "$moved/${session##*/}"
	expect_code 0
	expect keys 12345_a.mp4 "$(keys)"
	expect "accepted notices" 1 "$(accepted_notices)"
	[ ! -e "$moved/${session##*/}" ] || fail "the copy stays on the disk"
	rm -rf "$moved"
}

run killed_at_several_points_of_300_MiB
run the_recordings_directory was_moved
run the_recordings_directory was_copied_to_another_disk
run a_journal_elsewhere_goes_on_where_the_settings_say_that_recordings_are
run a_copy_of_the_recordings_directory_is_not_uploaded_again
run only_parts_that_were_under_way_are_sent_again
run told_to_stop_it_stops_and_goes_on_later TERM
run told_to_stop_it_stops_and_goes_on_later INT
run told_to_stop_it_stops_and_goes_on_later HUP
run under_nohup_a_hangup_does_not_stop_it
run told_to_stop_while_it_waits_it_stops
run the_file had_a_byte_changed
run the_file became_longer
run the_file became_shorter
run the_file became_shorter_than_a_part
run the_file became_empty
run the_file was_replaced
run the_file was_replaced_by_an_older_one
run only_the_part_that_changed_is_sent_again
run another_part_size_between_runs_is_fine
run the_upload_was_aborted_by_somebody
run the_upload_was_aborted_by_somebody_during_a_run
run the_journal_was_lost
run killed_again_and_again
end_of_cases

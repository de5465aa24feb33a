#!/usr/bin/env bash
#
# e2e_pressure.sh - end to end: a disk that is full, a journal that is damaged or not ours to read,
# a directory that is read-only, and files that change while they are uploaded. Nothing is lost, the
# last line says what to do, and the next run finishes.
#
# Disks are small tmpfs mounts in a mount namespace of this test's own, which are gone with it.
# Where mounting isn't permitted these cases are passed over, with a line each.
#
# See e2e.sh for how to run it.

mounts=no
if [ -n "${OWN_MOUNTS:-}" ]; then
	mounts=yes
elif unshare -m sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; then
	OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi

# shellcheck source=tests/faults/pressure.sh
. "$(dirname "${BASH_SOURCE[0]}")/pressure.sh"

media=12345_2024-04-23-15-04-05.mp4

# During the upload of three parts, when the first one is acknowledged: it stands still until
# go_on_uploading, however long what is done to it takes.
start_upload() {
	start_finalize CONFOMEET_S3_RATE_LIMIT=4MiB "$session"
	upload_pid=$!
	wait_for 30 has_parts 1
	kill -STOP "$upload_pid"
}

go_on_uploading() {
	kill -CONT "$upload_pid"
	finish_finalize "$upload_pid"
}

# Three parts and a small file.
make_session() {
	make_file "$session/$media" $((11 * MIB))
	make_file "$session/metadata.json" 0
	printf '{"meeting_url":"https://meet.example.org/12345","participants":[],"share":true}' |
		tee "$copies/metadata.json" >"$session/metadata.json"
	environment+=(CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_S3_PARALLEL=2)
}

expect_done() {
	expect_code 0
	expect_all_gone
	expect keys "$media nzqxnaoiugxqlhbp/metadata.json" "$(keys | paste -s -d ' ')"
	expect_object "$media" "$copies/$media"
	expect_object nzqxnaoiugxqlhbp/metadata.json "$copies/metadata.json"
	expect "Idempotency-Keys" 1 "$(idempotency_keys)"
}

# What is gone from the disk is in the bucket, and the backend knows of it.
expect_nothing_lost() {
	if [ ! -e "$session/$media" ]; then
		expect_object "$media" "$copies/$media"
		[ "$(accepted_notices)" -ge 1 ] || fail "the recording is gone, and the backend does not know"
	fi
	if [ ! -e "$session/metadata.json" ]; then
		expect_object nzqxnaoiugxqlhbp/metadata.json "$copies/metadata.json"
	fi
}

# ---- the disk of the journal ---------------------------------------------------------------------

# make_disk DIRECTORY OPTIONS
make_disk() {
	mkdir -p "$1"
	mount -t tmpfs -o "$2,mode=700" none "$1"
	# shellcheck disable=SC2064  # this one
	trap "umount -l '$1'; end_processes" EXIT
}

# fill DIRECTORY KIB: so that only this much is left.
fill() {
	local left
	left=$(df --output=avail -B1024 "$1" | tail -n 1)
	[ "$left" -le "$2" ] || dd if=/dev/zero "of=$1/filler" bs=1024 "count=$((left - $2))" 2>/dev/null
}

# After a run: when the disk was too full for it, the next run with room finishes. The notice may
# come again where no room was left to write down that it had been accepted, and only there.
expect_next_run_finishes() {
	local accepted=1
	if [ "$code" != 0 ]; then
		expect_code 75 'no space.*what to do: make room'
		if [ "$(query 'SELECT state FROM file WHERE media')" = 3 ]; then
			expect_nothing_lost
		else
			expect "the files" "$before" "$(state_of "$session")"
			[ "$(query 'SELECT notice FROM file WHERE media')" != 2 ] ||
				accepted=$((1 + $(accepted_notices)))
		fi
		rm "$1/filler"
		finalize "$session"
	fi
	expect_done
	expect "accepted notices" "$accepted" "$(accepted_notices)"
}

forget_notices() {
	stop_backend
	rm "$case_dir/backend.log"
	start_backend
}

# With more and more room, the disk is full at a later step of the work.
the_journals_disk_is_full_at_some_step() {
	local before room
	make_session
	mv "$session" "$case_dir/kept"
	make_disk "$case_dir/disk" size=1m
	journal=$case_dir/disk/journal.db
	environment+=("CONFOMEET_JOURNAL=$journal")
	code=75
	for ((room = 0; room < 1000; room += 24)); do
		echo "room for $room KiB"
		rm -f "$case_dir/disk/"*
		cp -a "$case_dir/kept" "$session"
		fill "$case_dir/disk" "$room"
		before=$(state_of "$session")
		finalize "$session"
		[ "$code" != 0 ] || break
		expect_next_run_finishes "$case_dir/disk"
		forget_notices
		s3_request DELETE "/$bucket/$media"
		s3_request DELETE "/$bucket/nzqxnaoiugxqlhbp/metadata.json"
	done
	[ "$room" -gt 100 ] || fail "that is not much room"
	expect_done
}

# KIB: as most installations have it, the journal beside the recordings.
the_recordings_disk_has_room_for() {
	local before
	make_disk "$recordings" size=16m
	make_session
	fill "$recordings" "$1"
	before=$(state_of "$session")
	finalize "$session"
	expect_next_run_finishes "$recordings"
}

# A better day's call: since then there is a journal, and beside it a reserve.
finish_an_earlier_recording() {
	make_file "$recordings/earlier/1_a.mp4" 10
	finalize CONFOMEET_NOTICE=off "$recordings/earlier"
	expect_code 0
	s3_request DELETE "/$bucket/1_a.mp4"
}

reserve_kib() { stat -c '%b %B' "$journal-reserve" | awk '{ print $1 * $2 / 1024 }'; }

# As after days without a network: the recordings have taken all there is.
fill_to_the_last_byte() {
	dd if=/dev/zero "of=$recordings/filler" bs=4096 2>/dev/null || true
	expect "KiB that are left" 0 "$(df --output=avail -B1024 "$recordings" | tail -n 1 | tr -d ' ')"
}

a_recordings_disk_that_is_full_to_the_last_byte_is_freed() {
	make_disk "$recordings" size=24m
	finish_an_earlier_recording
	expect "KiB in reserve" 1024 "$(reserve_kib)"
	make_session
	fill_to_the_last_byte
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "KiB in reserve, once there is room" 1024 "$(reserve_kib)"
}

# The room that the journal took is left for the next call, though another program would take it
# at once.
a_full_recordings_disk_is_freed_by_the_call_that_gets_through() {
	local before
	make_disk "$recordings" size=24m
	finish_an_earlier_recording
	make_session
	fill_to_the_last_byte
	before=$(state_of "$session")
	for _ in 1 2 3; do
		finalize CONFOMEET_S3_URL=http://127.0.0.1:1 CONFOMEET_S3_RETRY_FOR=0 "$session"
		expect_code 75 'what to do: .*(call it|try) again'
		expect "the files" "$before" "$(state_of "$session")"
		dd if=/dev/zero bs=4096 >>"$recordings/filler" 2>/dev/null || true
	done
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "KiB in reserve, once there is room" 1024 "$(reserve_kib)"
}

the_recordings_disk_gets_full_in_mid_upload() {
	make_disk "$recordings" size=24m
	make_session
	start_upload
	fill_to_the_last_byte
	go_on_uploading
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
}

# The journal's log of so many steps would be larger than a small reserve, were it not begun again from its start.
a_long_recording_on_a_full_disk_needs_no_more_than_the_reserve() {
	local parts=120
	make_disk "$recordings" size=24m
	finish_an_earlier_recording
	mkdir "$session"
	truncate -s $((parts * 5 * MIB)) "$session/$media"
	truncate -s $((256 * 1024)) "$journal-reserve"
	fill_to_the_last_byte
	start_sink --journal "$case_dir/sink.journal"
	finalize "CONFOMEET_S3_URL=$sink_url" CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0
	expect_all_gone
	expect "parts" "$parts" "$(grep -c '^P ' "$case_dir/sink.journal")"
	expect "accepted notices" 1 "$(accepted_notices)"
}

recordings_on_a_full_disk_share_the_reserve() {
	local i j clients=()
	make_disk "$recordings" size=24m
	finish_an_earlier_recording
	for i in 1 2 3 4; do
		make_file "$recordings/session$i/1000${i}_a.mp4" $((MIB + i))
		for j in {1..20}; do
			make_file "$recordings/session$i/logs/$j.log" 10
		done
	done
	fill_to_the_last_byte
	for i in 1 2 3 4; do
		output_file=$case_dir/output.$i start_finalize "$recordings/session$i"
		clients+=("$!")
	done
	for i in 1 2 3 4; do
		finish_finalize "${clients[i - 1]}" "$case_dir/output.$i"
		# Another may have taken the room in the middle of a transaction, which is not repeated.
		[ "$code" = 0 ] || expect_code 75 'no space.*what to do: make room'
	done
	for i in 1 2 3 4; do
		if [ -e "$recordings/session$i" ]; then
			finalize "$recordings/session$i"
			expect_code 0
		fi
		[ ! -e "$recordings/session$i" ] || fail "session$i was left"
		expect_object "1000${i}_a.mp4" "$copies/1000${i}_a.mp4"
	done
	expect "accepted notices" 4 "$(accepted_notices)"
	expect "objects" 84 "$(keys | wc -l)"
}

no_further_file_fits_on_the_journals_disk() {
	local before
	make_session
	make_disk "$case_dir/disk" size=1m,nr_inodes=2
	environment+=("CONFOMEET_JOURNAL=$case_dir/disk/journal.db")
	before=$(state_of "$session")
	finalize "$session"
	expect_code 75 'what to do: make room'
	expect "the files" "$before" "$(state_of "$session")"
	mount -o remount,nr_inodes=100 "$case_dir/disk"
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
}

the_journals_disk_gets_full_in_mid_upload() {
	local before
	make_session
	make_disk "$case_dir/disk" size=1m
	journal=$case_dir/disk/journal.db
	environment+=("CONFOMEET_JOURNAL=$journal")
	before=$(state_of "$session")
	start_upload
	fill "$case_dir/disk" 0
	go_on_uploading
	[ "$(query 'SELECT state FROM file WHERE media')" != 1 ] || has_parts 1 ||
		fail "the parts were forgotten"
	expect_next_run_finishes "$case_dir/disk"
}

# ---- a journal that is damaged -------------------------------------------------------------------

# The object is in the bucket, and the backend did not take the notice: what is left to do is known
# to the journal alone.
leave_a_notice() {
	make_session
	restart_backend --fail 500
	finalize CONFOMEET_S3_RETRY_FOR=0 "$session"
	expect_code 75
	expect keys "$media nzqxnaoiugxqlhbp/metadata.json" "$(keys | paste -s -d ' ')"
	restart_backend
	objects_before=$(objects)
}

expect_rebuilt() {
	expect_done
	expect "the objects" "$objects_before" "$(objects)"
	expect "accepted notices" 1 "$(accepted_notices)"
	expect "the journal" ok "$(query 'PRAGMA integrity_check')"
}

journals_set_aside() { find "${journal%/*}" -name 'journal.db.damaged-*Z-*[0-9]' | wc -l; }

# HOW
a_damaged_journal_is_set_aside() {
	leave_a_notice
	case $1 in
	garbage) head -c 50000 /dev/urandom >"$journal" ;;
	a-text) echo 'this is no journal' >"$journal" ;;
	a-garbled-header) printf 'garbage' | dd "of=$journal" bs=1 conv=notrunc 2>/dev/null ;;
	half-of-it) truncate -s $(($(stat -c %s "$journal") / 2)) "$journal" ;;
	zeros) dd if=/dev/zero "of=$journal" bs=4096 seek=1 count=10 conv=notrunc 2>/dev/null ;;
	noise) dd if=/dev/urandom "of=$journal" bs=4096 seek=1 count=10 conv=notrunc 2>/dev/null ;;
	garbage-with-a-log) head -c 50000 /dev/urandom | tee "$journal-wal" >"$journal" ;;
	esac
	finalize "$session"
	expect_match "what was said" 'the journal could not be used and was set aside as [^ ]*damaged' "$output"
	expect_rebuilt
	expect "journals set aside" 1 "$(journals_set_aside)"
}

# HOW: there is nothing that could be set aside.
a_journal_without_content_is_begun_anew() {
	leave_a_notice
	case $1 in
	empty) : >"$journal" ;;
	removed) rm "$journal" ;;
	removed-with-its-directory) rm -r "${journal%/*}" ;;
	esac
	finalize "$session"
	expect_rebuilt
	expect "journals set aside" 0 "$(journals_set_aside)"
}

# A log that belongs to no journal, or was damaged: what was in it never happened.
a_damaged_log_of_the_journal_is_passed_over() {
	leave_a_notice
	head -c 50000 /dev/urandom >"$journal-wal"
	head -c 32768 /dev/urandom >"$journal-shm"
	finalize "$session"
	expect_rebuilt
}

# One page after the other, be it one that matters or not.
any_page_of_the_journal_may_be_lost() {
	local page pages
	leave_a_notice
	cp -a "$recordings" "$case_dir/kept"
	pages=$(($(stat -c %s "$journal") / 4096))
	[ "$pages" -gt 5 ] || fail "only $pages pages"
	for ((page = 0; page < pages; page++)); do
		echo "page $page"
		rm -rf "$recordings"
		cp -a "$case_dir/kept" "$recordings"
		dd if=/dev/urandom "of=$journal" bs=4096 seek="$page" count=1 conv=notrunc 2>/dev/null
		finalize "$session"
		expect_done
		expect "the objects" "$objects_before" "$(objects)"
		expect "accepted notices" $((page + 1)) "$(accepted_notices)"
	done
}

# Parts were sent: which ones the journal alone knows.
a_journal_that_is_lost_in_mid_upload_is_rebuilt() {
	local pid
	make_session
	start_finalize CONFOMEET_S3_RATE_LIMIT=6MiB "$session"
	pid=$!
	wait_for 30 has_parts 1
	kill -KILL "$pid"
	finish_finalize "$pid"
	expect_code 137
	rm -f "$journal-wal" "$journal-shm"
	head -c 50000 /dev/urandom >"$journal"
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
	left=$(open_uploads | wc -l)
	expect_at_most "uploads left open" 1 "$left"
	abort_uploads
}

abort_uploads() {
	local key id
	while read -r key id; do
		s3_request DELETE "/$bucket/$key?uploadId=$id"
	done < <(open_uploads)
}

# What CONFOMEET_JOURNAL names by mistake is not ours to rename.
a_file_that_is_no_journal_is_left_alone() {
	local before
	make_session
	head -c 50000 /dev/urandom >"$case_dir/letters.txt"
	cp "$case_dir/letters.txt" "$copies"
	before=$(state_of "$session")
	finalize "CONFOMEET_JOURNAL=$case_dir/letters.txt" "$session"
	expect_code 1 'no journal.*what to do: '
	cmp "$case_dir/letters.txt" "$copies/letters.txt"
	expect "the files" "$before" "$(state_of "$session")"
	finalize "$session"
	expect_done
}

# ---- a journal that can't be used ----------------------------------------------------------------

expect_refusal() {
	expect_code 1 "$1"
	expect "the files" "$before" "$(state_of "$session")"
	expect "requests to the backend" '' "$(notices)"
	expect keys '' "$(keys)"
}

a_journal_of_another_user_is_not_touched() {
	local before journal_before
	make_session
	as_nobody
	mkdir "${journal%/*}"
	sqlite3 "$journal" 'CREATE TABLE t(a)'
	chmod 600 "$journal"
	chown "$nobody" "${journal%/*}"
	before=$(state_of "$session")
	journal_before=$(state_of "${journal%/*}")
	finalize "$session"
	expect_refusal "the journal cannot .*$journal.*what to do: let the user of this program"
	expect "the journal" "$journal_before" "$(state_of "${journal%/*}")"
	rm -r "${journal%/*}"
	finalize "$session"
	expect_done
	expect "the owner of the new one" "$nobody" "$(stat -c %u "$journal")"
}

a_directory_for_the_journal_that_is_not_ours() {
	local before
	make_session
	as_nobody
	mkdir -m 700 "${journal%/*}"
	before=$(state_of "$session")
	finalize "$session"
	expect_refusal "journal.*what to do: let the user of this program"
	chown "$nobody" "${journal%/*}"
	finalize "$session"
	expect_done
}

a_recordings_directory_that_the_journal_cannot_be_made_in() {
	local before
	make_session
	as_nobody
	chown 0 "$recordings"
	before=$(state_of "$session")
	finalize "$session"
	expect_refusal "cannot make the journal's directory.*what to do: let the user of this program"
	chown "$nobody" "$recordings"
	finalize "$session"
	expect_done
}

# Removing needs a right to the directory, not to the file.
a_session_directory_that_is_not_ours_to_write_to() {
	local before objects_before
	make_session
	as_nobody
	chown 0 "$session"
	before=$(state_of "$session")
	finalize "$session"
	expect_code 1 "cannot remove $media.*what to do: let the user of this program"
	expect "the files" "$before" "$(state_of "$session")"
	expect "accepted notices" 1 "$(accepted_notices)"
	objects_before=$(objects)
	chown "$nobody" "$session"
	finalize "$session"
	expect_done
	expect "the objects" "$objects_before" "$(objects)"
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
}

a_file_that_is_not_ours_to_read_holds_up_no_other() {
	make_session
	as_nobody
	chmod 600 "$session/$media"
	chown 0 "$session/$media"
	finalize "$session"
	expect_code 1 "cannot open $media.*what to do: let the user of this program"
	expect keys nzqxnaoiugxqlhbp/metadata.json "$(keys)"
	expect "the file" "$(sha256sum <"$copies/$media")" "$(sha256sum <"$session/$media")"
	chown "$nobody" "$session/$media"
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
}

# ---- a directory that is read-only ---------------------------------------------------------------

# The program alone sees it so.
read_only() {
	# shellcheck disable=SC2016  # for the inner shell
	program_prefix=(unshare -m sh -c
		'mount --bind "$0" "$0" && mount -o remount,bind,ro "$0" && exec "$@"' "$recordings")
}

recordings_on_a_read_only_disk_are_uploaded_and_stay() {
	local before objects_before
	make_session
	read_only
	journal=$case_dir/elsewhere/journal.db
	environment+=("CONFOMEET_JOURNAL=$journal")
	before=$(state_of "$session")
	finalize "$session"
	expect_code 1 "cannot remove $media.*[Rr]ead-only.*what to do: mount the recordings directory writable"
	expect "the files" "$before" "$(state_of "$session")"
	expect_object "$media" "$copies/$media"
	expect "accepted notices" 1 "$(accepted_notices)"
	objects_before=$(objects)
	finalize "$session"
	expect_code 1 'what to do: mount the recordings directory writable'
	program_prefix=()
	finalize "$session"
	expect_done
	expect "the objects" "$objects_before" "$(objects)"
	expect "requests to the backend" 1 "$(notices .status | wc -l)"
}

# WHETHER: there is a journal from a better day.
a_journal_on_a_read_only_disk() {
	local before
	if [ "$1" = made-earlier ]; then
		finish_an_earlier_recording
	fi
	make_session
	before=$(state_of "$session")
	read_only
	finalize "$session"
	expect_refusal "journal.*what to do: mount the recordings directory writable"
	program_prefix=()
	finalize "$session"
	expect_done
	expect "accepted notices" 1 "$(accepted_notices)"
}

# ---- files that change while they are uploaded ---------------------------------------------------


# The backend was told once, of the object that has the file's last content.
expect_last_content() {
	expect_code 0
	expect_all_gone
	expect "notices" "$(stat -c %s "$copies/$media")" "$(notices 'select(.accepted)|.body.fileSize')"
	expect_object "$(notices 'select(.accepted)|.body.key')" "$copies/$media"
}

keep_copy() { cp "$session/$media" "$copies/$media"; }

# HOW
a_file_that_changes_during_the_upload() {
	make_session
	start_upload
	case $1 in
	truncated) truncate -s $((6 * MIB)) "$session/$media" ;;
	truncated-within-the-first-part) truncate -s 1000 "$session/$media" ;;
	emptied) : >"$session/$media" ;;
	longer) head -c $((3 * MIB)) /dev/urandom >>"$session/$media" ;;
	overwritten) head -c $((11 * MIB)) /dev/urandom | dd "of=$session/$media" conv=notrunc 2>/dev/null ;;
	patched) printf 'patched' | dd "of=$session/$media" bs=1 seek=40 conv=notrunc 2>/dev/null ;;
	replaced)
		head -c $((11 * MIB)) /dev/urandom >"$case_dir/another"
		mv "$case_dir/another" "$session/$media"
		;;
	replaced-by-a-small-one)
		head -c 1000 /dev/urandom >"$case_dir/another"
		mv "$case_dir/another" "$session/$media"
		;;
	esac
	keep_copy
	go_on_uploading
	expect_last_content
}

# It may be complete by then, since what is open can still be read: then it is safe.
a_file_that_vanishes_during_the_upload() {
	make_session
	start_upload
	rm "$session/$media"
	go_on_uploading
	if [ "$code" = 0 ]; then
		expect_last_content
	else
		expect_code 1 'vanished.*what to do: '
		expect keys nzqxnaoiugxqlhbp/metadata.json "$(keys)"
		expect "requests to the backend" '' "$(notices)"
	fi
}

keep_growing() {
	head -c 10000 /dev/urandom >"$case_dir/piece"
	while [ ! -e "$case_dir/enough" ]; do
		cat "$case_dir/piece" >>"$session/$media"
		pause
	done
}

# However often it is looked at, it is never taken for finished.
a_file_that_keeps_growing_is_left_for_later() {
	local grower rate=4MiB # so that it takes seconds, in which it has surely grown
	make_session
	[ "$1" != of-one-part ] || { make_file "$session/$media" "$MIB" && rate=512KiB; }
	keep_growing &
	grower=$!
	pids+=("$grower")
	finalize "CONFOMEET_S3_RATE_LIMIT=$rate" "$session"
	expect_code 75 'still being written to.*what to do: call it again'
	expect "accepted notices" 0 "$(accepted_notices)"
	expect_at_most "state of the file" 2 "$(query 'SELECT state FROM file WHERE media')"
	: >"$case_dir/enough"
	wait "$grower"
	keep_copy
	finalize "$session"
	expect_last_content
}

run_if mounts -- the_journals_disk_is_full_at_some_step
run_if mounts -- the_recordings_disk_has_room_for 0
run_if mounts -- the_recordings_disk_has_room_for 160
run_if mounts -- a_recordings_disk_that_is_full_to_the_last_byte_is_freed
run_if mounts -- a_full_recordings_disk_is_freed_by_the_call_that_gets_through
run_if mounts -- the_recordings_disk_gets_full_in_mid_upload
run_if mounts -- a_long_recording_on_a_full_disk_needs_no_more_than_the_reserve
run_if mounts -- recordings_on_a_full_disk_share_the_reserve
run_if mounts -- no_further_file_fits_on_the_journals_disk
run_if mounts -- the_journals_disk_gets_full_in_mid_upload
for how in garbage a-text a-garbled-header half-of-it zeros noise garbage-with-a-log; do
	run a_damaged_journal_is_set_aside "$how"
done
run a_journal_without_content_is_begun_anew empty
run a_journal_without_content_is_begun_anew removed
run a_journal_without_content_is_begun_anew removed-with-its-directory
run a_damaged_log_of_the_journal_is_passed_over
run any_page_of_the_journal_may_be_lost
run a_journal_that_is_lost_in_mid_upload_is_rebuilt
run a_file_that_is_no_journal_is_left_alone
run_if root -- a_journal_of_another_user_is_not_touched
run_if root -- a_directory_for_the_journal_that_is_not_ours
run_if root -- a_recordings_directory_that_the_journal_cannot_be_made_in
run_if root -- a_session_directory_that_is_not_ours_to_write_to
run_if root -- a_file_that_is_not_ours_to_read_holds_up_no_other
run_if mounts -- recordings_on_a_read_only_disk_are_uploaded_and_stay
run_if mounts -- a_journal_on_a_read_only_disk made-earlier
run_if mounts -- a_journal_on_a_read_only_disk never-made
for how in truncated truncated-within-the-first-part emptied longer overwritten patched replaced \
	replaced-by-a-small-one; do
	run a_file_that_changes_during_the_upload "$how"
done
run a_file_that_vanishes_during_the_upload
run a_file_that_keeps_growing_is_left_for_later of-three-parts
run a_file_that_keeps_growing_is_left_for_later of-one-part
end_of_cases

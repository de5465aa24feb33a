#!/usr/bin/env bash
#
# e2e_machine.sh - end to end: what a machine does to its programs. Its clock is set, its disks get other
# numbers, volumes go and come back, names don't resolve. Nothing is lost, sent twice, told twice or put off.
#
# Mounts are in a mount namespace of this test's own, which are gone with it. Where mounting or loop devices are
# not to be had these cases are passed over, with a line each. See e2e.sh for how to run it.

mounts=no
if [ -n "${OWN_MOUNTS:-}" ]; then
	mounts=yes
elif unshare -m sh -c 'mount -t tmpfs none /mnt' 2>/dev/null; then
	OWN_MOUNTS=yes exec unshare -m "$0" "$@"
fi

# shellcheck source=tests/e2e/watcher.sh
. "$(dirname "${BASH_SOURCE[0]}")/../e2e/watcher.sh"

# skip NAME WHY
skip() { echo "skipped - ${1//_/ }: $2"; }

# run_with NEEDED... -- NAME [ARGUMENT...]: mounts, loop (devices).
run_with() {
	local why=''
	while [ "$1" != -- ]; do
		case $1 in
		mounts) [ "$mounts" = yes ] || why='no right to mount' ;;
		loop) [ -w /dev/loop-control ] && command -v mkfs.ext4 >/dev/null || why='no loop devices' ;;
		esac
		shift
	done
	shift
	if [ -n "$why" ]; then skip "$1" "$why"; else run "$@"; fi
}

expect_once() {
	expect_object "$media" "$copies/$media"
	expect keys "$media" "$(keys)"
	expect "accepted notices" 1 "$(accepted_notices)"
}

# ---- the clock -----------------------------------------------------------------------------------

# The next try that it left is days away when the clock is right again.
a_recording_does_not_wait_for_a_clock_that_was_ahead() { # OFFSET
	make_file "$session/$media" 1000
	clock_is_wrong_by "$1"
	finalize CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_URL=http://127.0.0.1:1 "$session"
	expect_code 75
	clock_is_right
	start_watcher CONFOMEET_RETRY_MIN=1s CONFOMEET_RETRY_MAX=3s
	wait_for 20 is_safe
	expect_once
	stop_watcher
}

days_off_are_corrected_by_the_servers_date() { # OFFSET
	make_file "$session/$media" $((11 * MIB))
	clock_is_wrong_by "$1"
	finalize CONFOMEET_S3_PART_SIZE=5MiB "$session"
	expect_code 0 ': safe: 1 recording'
	expect_all_gone
	expect_once
}

a_kept_copy_outlives_a_clock_that_was_behind() {
	make_file "$session/$media" 1000
	clock_is_wrong_by -10d
	finalize CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	[ -e "$session/$media" ] || fail "the copy is gone at once"
	clock_is_wrong_by -9d
	finalize CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	[ -e "$session/$media" ] || fail "the copy is gone after a day"
	clock_is_right
	mkdir "$recordings/other"
	make_file "$recordings/other/1_a.mp4" 10
	finalize CONFOMEET_KEEP_LOCAL=48h "$recordings/other"
	expect_code 0
	[ ! -e "$session/$media" ] || fail "after ten days the copy is still there"
	expect "accepted notices" 2 "$(accepted_notices)"
}

# ---- disks ---------------------------------------------------------------------------------------

# attach IMAGE: to a loop device that was not used for it before; $device.
attach() {
	device=$(losetup -f --show "$1")
	devices+=("$device")
}

detach_all() {
	local one
	for one in "${devices[@]}"; do losetup -d "$one" 2>/dev/null || true; done
}

# The recordings are on a disk of their own.
use_disk() {
	devices=() # not local: the trap needs them
	trap 'end_processes; umount -l "$recordings" || true; detach_all' EXIT
	truncate -s 96M "$case_dir/image" "$case_dir/other-image"
	mkfs.ext4 -q "$case_dir/image"
	attach "$case_dir/image"
	mount "$device" "$recordings"
}

# Another disk has the number that theirs had.
renumber_disk() {
	local before
	before=$(stat -c %d "$recordings")
	umount "$recordings"
	detach_all
	attach "$case_dir/other-image"
	attach "$case_dir/image"
	mount "$device" "$recordings"
	[ "$(stat -c %d "$recordings")" != "$before" ] || fail "the disk has its number still"
}

the_same_disk_under_another_number_is_the_same() {
	local before device
	use_disk
	make_file "$session/$media" $((11 * MIB))
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	before=$(objects)
	renumber_disk
	finalize CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	expect "the bucket" "$before" "$(objects)"
	expect_once
	[ -e "$session/$media" ] || fail "the kept copy is gone"
	start_watcher CONFOMEET_KEEP_LOCAL=48h CONFOMEET_ORPHAN_AFTER=1s
	sleep 4
	stop_watcher
	expect "the bucket" "$before" "$(objects)"
	expect_once
}

etag_of() { curl -sS --fail --noproxy '*' -I "http://127.0.0.1:$bucket_port/$bucket/$1" | grep -i '^etag:'; }

# Each upload gets another ETag, so that nothing can be told from its bytes: a copy that is kept, a
# notice that is due and an upload that is half done are known again by the journal alone.
so_it_is_where_etags_are_no_md5() { # HABIT
	local before device pid told=2_told.mp4 half=3_half.mp4 settings=(CONFOMEET_S3_PART_SIZE=5MiB CONFOMEET_KEEP_LOCAL=48h)
	start_bucket --habit "$1"
	environment+=("CONFOMEET_S3_URL=http://127.0.0.1:$bucket_port")
	use_disk
	make_file "$session/$media" $((11 * MIB))
	make_file "$recordings/told/$told" 1000
	make_file "$recordings/half/$half" $((21 * MIB))
	finalize "${settings[@]}" "$session"
	expect_code 0
	finalize "${settings[@]}" CONFOMEET_BASE_URL=http://127.0.0.1:1 CONFOMEET_S3_RETRY_FOR=0 "$recordings/told"
	expect_code 75
	start_finalize "${settings[@]}" CONFOMEET_S3_PARALLEL=1 CONFOMEET_S3_RATE_LIMIT=4MiB "$recordings/half"
	pid=$!
	wait_for 20 has_parts 2
	kill -KILL "$pid"
	finish_finalize "$pid"
	before=$(etag_of "$media")$(etag_of "$told")$(query 'SELECT upload_id, group_concat(part.etag) FROM file JOIN part ON part.file_id = file.id AND number < 3')
	renumber_disk
	finalize "${settings[@]}" "$session"
	expect_code 0
	finalize "${settings[@]}" "$recordings/told"
	expect_code 0
	expect "what was in the bucket" "$before" \
		"$(etag_of "$media")$(etag_of "$told")$(query 'SELECT upload_id, group_concat(part.etag) FROM file JOIN part ON part.file_id = file.id AND number < 3')"
	finalize "${settings[@]}" "$recordings/half"
	expect_code 0
	expect "parts sent again but for those under way" 0 \
		"$(query "SELECT count(*) FROM event WHERE text GLOB 'sent again*' AND text NOT GLOB '*a run ended before*'")"
	expect "objects" "$(printf '%s\n' "1000 $told" "$((11 * MIB)) $media" "$((21 * MIB)) $half" | sort)" \
		"$(curl -sS --noproxy '*' "http://127.0.0.1:$bucket_port/$bucket" | sort)"
	expect "accepted notices" "$media $told $half" "$(notices 'select(.accepted)|.body.fileName' | paste -s -d ' ')"
}

# The journal is elsewhere, so that the empty mount point is all that is there of the recordings.
an_unmounted_volume_takes_nothing_with_it() {
	local before
	trap 'end_processes; umount -l "$recordings" || true; umount -l "$case_dir/volume" || true' EXIT
	mkdir "$case_dir/volume"
	mount -t tmpfs none "$case_dir/volume"
	mount --bind "$case_dir/volume" "$recordings"
	journal=$case_dir/journal.db
	environment+=("CONFOMEET_JOURNAL=$journal")
	make_file "$session/$media" 1000
	finalize CONFOMEET_KEEP_LOCAL=48h "$session"
	expect_code 0
	make_file "$recordings/waiting/2_b.mp4" 1000
	finalize CONFOMEET_KEEP_LOCAL=48h CONFOMEET_S3_RETRY_FOR=0 CONFOMEET_S3_URL=http://127.0.0.1:1 "$recordings/waiting"
	expect_code 75
	before=$(objects)
	umount "$recordings"
	start_watcher CONFOMEET_KEEP_LOCAL=48h CONFOMEET_RETRY_MIN=1s CONFOMEET_RETRY_MAX=1s CONFOMEET_ORPHAN_AFTER=1s
	sleep 6
	expect "kept copies that are said to be removed" 0 \
		"$(query "SELECT count(*) FROM file WHERE CAST(path AS TEXT) = '$media' AND removed_at <> 0")"
	expect "files that are said to be gone" 0 "$(query 'SELECT count(*) FROM file WHERE state = 4')"
	stop_watcher
	mount --bind "$case_dir/volume" "$recordings"
	start_watcher CONFOMEET_KEEP_LOCAL=1s CONFOMEET_RETRY_MIN=1s CONFOMEET_RETRY_MAX=1s CONFOMEET_ORPHAN_AFTER=1s
	wait_for 30 is_safe 2
	expect "accepted notices" 2 "$(accepted_notices)"
	expect_object "$media" "$copies/$media"
	expect_object 2_b.mp4 "$copies/2_b.mp4"
	wait_for 30 test ! -e "$session/$media"
	stop_watcher
}

# ---- names ---------------------------------------------------------------------------------------

# Every name is asked of a server that takes the question and says nothing.
silent_names() {
	python3 -c 'import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.bind((sys.argv[1], 53)); print("ready", flush=True)
while True: s.recv(512)' "$own_address" >"$case_dir/dns" &
	pids+=("$!")
	wait_for 10 grep -q ready "$case_dir/dns"
	printf 'nameserver %s\nsearch a.example b.example\n' "$own_address" >"$case_dir/resolv.conf"
	mount --bind "$case_dir/resolv.conf" "$(readlink -f /etc/resolv.conf)"
	trap 'umount -l "$(readlink -f /etc/resolv.conf)"; end_processes' EXIT
}

a_stop_does_not_wait_for_a_name() { # SETTING=URL
	local pid clock_s began
	silent_names
	make_file "$session/$media" 1000
	start_finalize "$1" "$session"
	pid=$!
	sleep 1.5
	read_clock
	began=$clock_s
	kill "$pid"
	finish_finalize "$pid"
	read_clock
	expect_code 75
	expect_within 5 $((clock_s - began))
	finalize "$session" # addresses need no name
	expect_code 0
	expect_once
}

a_name_that_does_not_resolve_ends_with_patience() {
	local clock_s began
	silent_names
	make_file "$session/$media" 1000
	read_clock
	began=$clock_s
	finalize CONFOMEET_FINALIZE_WAIT=3s CONFOMEET_S3_URL=http://storage.silent.example:9000 "$session"
	read_clock
	expect_code 75
	expect_within 6 $((clock_s - began))
}

run a_recording_does_not_wait_for_a_clock_that_was_ahead +3d
run a_recording_does_not_wait_for_a_clock_that_was_ahead -3d
run days_off_are_corrected_by_the_servers_date +3d
run days_off_are_corrected_by_the_servers_date -3d
run a_kept_copy_outlives_a_clock_that_was_behind
run_with mounts loop -- the_same_disk_under_another_number_is_the_same
run_with mounts loop -- so_it_is_where_etags_are_no_md5 kms-etags
run_with mounts loop -- so_it_is_where_etags_are_no_md5 opaque-etags
run_with mounts -- an_unmounted_volume_takes_nothing_with_it
run_with mounts -- a_stop_does_not_wait_for_a_name CONFOMEET_S3_URL=http://storage.silent.example:9000
run_with mounts -- a_stop_does_not_wait_for_a_name CONFOMEET_BASE_URL=http://backend.silent.example/meet
run_with mounts -- a_name_that_does_not_resolve_ends_with_patience
end_of_cases

#!/usr/bin/env bash
#
# fill_journal.sh - makes a recordings directory whose journal knows many recordings, in all states
# and with names of all kinds: to look at what the commands show.
#
#   tests/tools/fill_journal.sh PROGRAM DIRECTORY NUMBER [last: safe]
#
# With "safe" all of them are safe.

set -euo pipefail

program=$1
directory=$2
number=$3
mkdir -p "$directory/.maker/first"
echo x >"$directory/.maker/first/0_first.mp4"

# A call that cannot reach anything makes the journal; its row goes.
journal=$directory/.jibri-finalize/journal.db
env -i PATH="$PATH" CONFOMEET_S3_URL=http://127.0.0.1:1/ CONFOMEET_S3_BUCKET=nowhere \
	CONFOMEET_S3_CLIENT_ID=id CONFOMEET_S3_CLIENT_SECRET=secret CONFOMEET_NOTICE=off \
	CONFOMEET_S3_RETRY_FOR=0s CONFOMEET_JOURNAL="$journal" CONFOMEET_LOG_LEVEL=error \
	"$program" "$directory/.maker/first" >/dev/null 2>&1 || true
rm -r "$directory/.maker"
[ -e "$journal" ] || { echo "no journal came to be" >&2; exit 1; }

# What is not safe has its directory.
seq -f "$directory/session%08.0f" "$number" | xargs mkdir -p

# Of ten recordings: six are safe, then one of each state that is not.
sqlite3 "$journal" "
	PRAGMA foreign_keys = ON;
	DELETE FROM recording;
	WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $number),
	states(i, state) AS (SELECT i, CASE WHEN '${4:-}' = 'safe' OR i % 10 < 5 THEN 4
		WHEN i % 10 = 5 THEN 2 WHEN i % 10 = 6 THEN 3 WHEN i % 10 = 7 THEN 1
		WHEN i % 10 = 8 THEN 6 ELSE 5 END FROM n)
	INSERT INTO recording (id, directory, session_id, state, tries, failures, created_at,
		updated_at, next_try_at, last_error, reason, meeting_url, share)
	SELECT i, CAST('$directory/session' || printf('%08d', i) AS BLOB),
		CAST('session' || printf('%08d', i) AS BLOB), state, i % 7 + 1, 0,
		strftime('%s', 'now') - ($number - i) * 1800, strftime('%s', 'now') - 60,
		CASE WHEN state = 2 THEN strftime('%s', 'now') + 240 ELSE 0 END,
		CASE state WHEN 2 THEN 'UploadPart of 12345_a.mp4: S3 answers 503 SlowDown'
			WHEN 3 THEN 'PutObject of ' || i || '_a.mp4: 403 AccessDenied' ELSE '' END,
		CASE state WHEN 6 THEN 'a test, nobody wants it' ELSE '' END, '', -1
	FROM states WHERE i <= $number;
	INSERT INTO file (recording_id, path, media, incomplete, inode, size_bytes, mtime_ns,
		object_bytes, state, mark, key, key_suffix, phase, phase_at, upload_id,
		part_size_bytes, etag, uploaded_at, notice, backend_row, safe_at, removed_at, last_error)
	SELECT id, CAST(CASE id % 4 WHEN 0 THEN 'Совещание отдела_' || id || '.mp4'
			WHEN 1 THEN '会議室' || id || '_x.mp4'
			WHEN 2 THEN 'a' || char(27, 10) || 'b_' || id || '.mp4'
			ELSE (10000 + id) || '_2026-11-24-10-00-00.mp4' END AS BLOB),
		1, 0, 0, 1, 0, (id * 7919 % 900 + 1) * 1048576,
		CASE state WHEN 4 THEN 3 ELSE 1 END, 'mark', 'key-' || id, 0,
		CASE state WHEN 4 THEN 0 ELSE 3 END, created_at,
		CASE state WHEN 4 THEN '' ELSE 'upload' END, 8388608, 'etag', created_at,
		CASE state WHEN 4 THEN 3 ELSE 1 END, id, CASE state WHEN 4 THEN created_at + 90 ELSE 0 END,
		CASE state WHEN 4 THEN created_at + 91 ELSE 0 END, '' FROM recording;
	INSERT INTO file (recording_id, path, media, incomplete, inode, size_bytes, mtime_ns,
		object_bytes, state, mark, key, key_suffix, phase, phase_at, upload_id,
		part_size_bytes, etag, uploaded_at, notice, backend_row, safe_at, removed_at, last_error)
	SELECT id, CAST('metadata.json' AS BLOB), 0, 0, 0, 1, 0, 300,
		CASE state WHEN 4 THEN 3 ELSE 1 END, 'mark', 'session-' || id || '/metadata.json', 0, 0, 0,
		'', 0, 'etag', created_at, 0, 0, CASE state WHEN 4 THEN created_at + 90 ELSE 0 END,
		CASE state WHEN 4 THEN created_at + 91 ELSE 0 END, '' FROM recording;
	WITH RECURSIVE p(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM p WHERE i < 20)
	INSERT INTO part (file_id, number, length, etag, acknowledged_at)
	SELECT file.id, p.i, 8388608, 'etag', strftime('%s', 'now') - p.i * 2
	FROM file, p WHERE file.phase = 3 AND p.i * 8388608 < file.object_bytes;
	INSERT INTO event (recording_id, file_id, at, text)
	SELECT recording_id, id, phase_at, 'a run begins' FROM file WHERE media = 1;
	INSERT INTO event (recording_id, file_id, at, text)
	SELECT recording_id, id, safe_at, 'uploaded: confirmed in the bucket' FROM file WHERE safe_at > 0;
"

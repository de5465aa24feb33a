-- A journal as version 5 of its tables had it, with a recording, a file, a part, its history, a
-- number and an event.
PRAGMA foreign_keys=OFF;
BEGIN TRANSACTION;
CREATE TABLE recording (
    -- One session directory. Names and paths may hold any bytes, so they are BLOBs:
    -- CAST(directory AS TEXT) shows and compares them as text. Times are seconds since
    -- 1970: datetime(created_at, 'unixepoch').
    id INTEGER PRIMARY KEY,
    directory BLOB NOT NULL UNIQUE CHECK (typeof(directory) = 'blob'), -- absolute path
    session_id BLOB NOT NULL CHECK (typeof(session_id) = 'blob'),
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 6),
        -- 1 working: worked on, or was when the machine stopped; 2 waiting: will be tried
        -- again; 3 failed: needs a person; 4 done; 5 recording: Jibri still writes, its
        -- finished parts are sent; 6 abandoned: given up by a person, the files stay
    tries INTEGER NOT NULL CHECK (tries >= 0), -- runs begun on it
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- of them, since the last
        -- one that got somewhere
    interrupted INTEGER NOT NULL DEFAULT 0 CHECK (interrupted >= 0), -- runs begun since the
        -- last one that ended with an outcome
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    next_try_at INTEGER NOT NULL, -- 0: not set
    vanished_since INTEGER NOT NULL DEFAULT 0, -- when its directory was first missing
    recordings_inode INTEGER NOT NULL DEFAULT 0, -- of the directory above, when it was last
        -- seen there: another one where the volume is not mounted
    last_error TEXT NOT NULL, -- '': the last run had none
    reason TEXT NOT NULL DEFAULT '', -- why a person gave it up
    meeting_url TEXT NOT NULL, -- from metadata.json; '': unknown
    share INTEGER NOT NULL CHECK (share IN (-1, 0, 1)), -- from metadata.json; -1: unknown
    meeting_id INTEGER NOT NULL DEFAULT 0 CHECK (meeting_id BETWEEN 0 AND 2147483647)
        -- given by a person for files whose names have none; 0: not given
);
INSERT INTO recording VALUES(1,X'2f636f6e6669672f7265636f7264696e67732f73657373696f6e',X'73657373696f6e',2,1,3,0,1795504480,1795504481,1795504500,0,0,'S3 was not reached','','https://meet/12345',1,0);
CREATE TABLE file (
    -- One file of a recording, and the object that it becomes.
    id INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    path BLOB NOT NULL CHECK (typeof(path) = 'blob'), -- within the directory
    media INTEGER NOT NULL CHECK (media IN (0, 1)),
    incomplete INTEGER NOT NULL CHECK (incomplete IN (0, 1)), -- cut off by a crash
    duration_ms INTEGER NOT NULL DEFAULT 0 CHECK (duration_ms >= 0), -- 0: not known
    cut_off INTEGER NOT NULL DEFAULT 0 CHECK (cut_off IN (0, 1)), -- not ended by its writer
    inode INTEGER NOT NULL, -- inode, size and time of change tell whether the file still is
        -- the one whose bytes are uploaded
    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),
    mtime_ns INTEGER NOT NULL, -- nanoseconds since 1970
    object_bytes INTEGER NOT NULL CHECK (object_bytes >= 0), -- size of the object
    state INTEGER NOT NULL CHECK (state BETWEEN 1 AND 5),
        -- 1 pending; 2 uploaded: confirmed in the bucket, the backend does not know yet;
        -- 3 safe: the local copy may go; 4 gone: vanished before it was safe;
        -- 5 withheld: stays on disk, may hold a token
    mark TEXT NOT NULL, -- jibri-mark of the object: tells that it is this file's
    key TEXT, -- of the object; NULL until chosen
    key_suffix INTEGER NOT NULL CHECK (key_suffix >= 0), -- 0: the key was free
    phase INTEGER NOT NULL CHECK (phase IN (0, 1, 2, 3, 4, 5)),
        -- what the bucket was asked for last: 0 nothing; 1 putting: PutObject;
        -- 2 creating: CreateMultipartUpload, the upload's id isn't known;
        -- 3 open: the upload's id is known; 4 completing: CompleteMultipartUpload;
        -- 5 aborting: the upload is to be aborted, then it begins again
    phase_at INTEGER NOT NULL,
    upload_id TEXT NOT NULL,
    part_size_bytes INTEGER NOT NULL CHECK (part_size_bytes >= 0), -- of the first parts
    complete_refusals INTEGER NOT NULL DEFAULT 0 CHECK (complete_refusals >= 0),
        -- Completes refused for parts that did not change
    etag TEXT NOT NULL, -- of the object
    uploaded_at INTEGER NOT NULL,
    notice INTEGER NOT NULL CHECK (notice IN (0, 1, 2, 3, 4)),
        -- to the backend: 0 none; 1 due: never sent; 2 sent, fate unknown;
        -- 3 accepted: never to be sent again; 4 refused: needs a person
    backend_row INTEGER NOT NULL, -- the id that the backend answered
    safe_at INTEGER NOT NULL,
    removed_at INTEGER NOT NULL, -- when we removed the local copy; 0: not yet
    last_error TEXT NOT NULL,
    UNIQUE (recording_id, path)
);
INSERT INTO file VALUES(1,1,X'31323334355f323032342d30342d32332d31352d30342d30352e6d7034',1,0,0,0,0,20000000,0,20000000,1,'0123456789abcdef0123456789abcdef','12345_2024-04-23-15-04-05.mp4',0,3,0,'upload',8388608,0,'',0,1,0,0,0,'');
CREATE TABLE part (
    -- A part that the bucket acknowledged.
    file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,
    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000),
    length INTEGER NOT NULL CHECK (length >= 0), -- bytes
    fingerprint BLOB CHECK (length(fingerprint) = 16),
        -- XXH3-128 of the bytes that were sent; NULL: not compared, known by ListParts
    etag TEXT NOT NULL,
    acknowledged_at INTEGER NOT NULL DEFAULT 0, -- when the bucket did
    PRIMARY KEY (file_id, number)
) WITHOUT ROWID;
INSERT INTO part VALUES(1,2,8388608,NULL,'etag-2',1795504480);
CREATE TABLE event (
    -- The history of a recording, one line each.
    id INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,
    file_id INTEGER REFERENCES file (id) ON DELETE CASCADE, -- NULL: of the whole
    at INTEGER NOT NULL,
    text TEXT NOT NULL
);
INSERT INTO event VALUES(1,1,1,1795504481,'S3 was not reached');
CREATE TABLE claim (
    -- A process that waits for a recording's lock: a worker of the watcher that holds it
    -- gives way. Renewed every second while it waits.
    directory BLOB NOT NULL CHECK (typeof(directory) = 'blob'),
    pid INTEGER NOT NULL, -- 0: handed over to the watcher by a process that has ended
    at INTEGER NOT NULL,
    PRIMARY KEY (directory, pid)
) WITHOUT ROWID;
CREATE TABLE metric (
    -- What all processes have counted together: docs/metrics.md.
    name TEXT NOT NULL,
    labels TEXT NOT NULL, -- as Prometheus writes them; '': none
    value INTEGER NOT NULL CHECK (value >= 0), -- durations in milliseconds
    PRIMARY KEY (name, labels)
) WITHOUT ROWID;
INSERT INTO metric VALUES('jibri_upload_sent_parts_total','',7);
CREATE TABLE webhook (
    -- Events that CONFOMEET_WEBHOOK_URL has not been told of yet.
    id INTEGER PRIMARY KEY,
    recording_id INTEGER NOT NULL, -- which may be forgotten by then
    event_id TEXT NOT NULL, -- a UUID, the same in every try
    at INTEGER NOT NULL,
    body TEXT NOT NULL, -- JSON
    tries INTEGER NOT NULL CHECK (tries >= 0),
    next_try_at INTEGER NOT NULL,
    last_error TEXT NOT NULL
);
INSERT INTO webhook VALUES(1,1,'01234567-89ab-4def-8123-456789abcdef',1795504481,'{"version":1}',0,1795504481,'');
CREATE TABLE announcement (
    -- The last event that was made of a recording.
    recording_id INTEGER PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,
    event INTEGER NOT NULL CHECK (event IN (1, 2)), -- 1 uploaded, 2 failed
    files INTEGER NOT NULL CHECK (files >= 0) -- that were safe then
);
INSERT INTO announcement VALUES(1,2,0);
CREATE TABLE leftover (
    -- Uploads in the bucket that belong to no file any more and are still to be aborted.
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL,
    upload_id TEXT NOT NULL, -- '': not known, to be found by the key
    at INTEGER NOT NULL
);
CREATE UNIQUE INDEX file_by_key ON file (key) WHERE key IS NOT NULL;
CREATE INDEX file_kept ON file (recording_id, safe_at) WHERE state = 3 AND removed_at = 0;
CREATE INDEX file_by_media ON file (recording_id, media);
CREATE INDEX webhook_by_recording ON webhook (recording_id);
CREATE INDEX event_by_recording ON event (recording_id);
CREATE INDEX event_by_file ON event (file_id) WHERE file_id IS NOT NULL;
INSERT INTO leftover (key, upload_id, at) VALUES('7_left.mp4','lost-upload',1795504482);
COMMIT;
PRAGMA application_id = 1246120497;
PRAGMA user_version = 5;

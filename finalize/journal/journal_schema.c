#include "finalize/journal/journal_schema.h"

#include "finalize/journal/journal_number.h"
#include "finalize/journal/journal_query.h"
#include "finalize/session/session_dir.h"

#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORDING_STATES JOURNAL_SQL(WORKING) " AND " JOURNAL_SQL(ABANDONED)
#define FILE_STATES      JOURNAL_SQL(FILE_PENDING) " AND " JOURNAL_SQL(FILE_WITHHELD)

/* Comments stand inside the parentheses: there SQLite keeps them, and `.schema` shows them. */
/* Each begins with CREATE TABLE <name>, CREATE INDEX <name> or CREATE UNIQUE INDEX <name>. An index
 * comes after its table. */
static const char *const schema[] = {
    "CREATE TABLE recording (\n"
    "    -- One session directory. Names and paths may hold any bytes, so they are BLOBs:\n"
    "    -- CAST(directory AS TEXT) shows and compares them as text. Times are seconds since\n"
    "    -- 1970: datetime(created_at, 'unixepoch').\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    directory BLOB NOT NULL UNIQUE CHECK (typeof(directory) = 'blob'), -- relative to the\n"
    "        -- recordings directory; absolute where it is not in it\n"
    "    session_id BLOB NOT NULL CHECK (typeof(session_id) = 'blob'),\n"
    "    state INTEGER NOT NULL CHECK (state BETWEEN " RECORDING_STATES "),\n"
    "        -- 1 working: worked on, or was when the machine stopped; 2 waiting: will be tried\n"
    "        -- again; 3 failed: needs a person; 4 done; 5 recording: Jibri still writes, its\n"
    "        -- finished parts are sent; 6 abandoned: given up by a person, the files stay\n"
    "    tries INTEGER NOT NULL CHECK (tries >= 0), -- runs begun on it\n"
    "    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- of them, since the last\n"
    "        -- one that got somewhere\n"
    "    interrupted INTEGER NOT NULL DEFAULT 0 CHECK (interrupted >= 0), -- runs begun since the\n"
    "        -- last one that ended with an outcome\n"
    "    created_at INTEGER NOT NULL,\n"
    "    updated_at INTEGER NOT NULL,\n"
    "    next_try_at INTEGER NOT NULL, -- 0: not set\n"
    "    vanished_since INTEGER NOT NULL DEFAULT 0, -- when its directory was first missing\n"
    "    recordings_inode INTEGER NOT NULL DEFAULT 0, -- of the directory above, when it was last\n"
    "        -- seen there: another one where the volume is not mounted\n"
    "    last_error TEXT NOT NULL, -- '': the last run had none\n"
    "    reason TEXT NOT NULL DEFAULT '', -- why a person gave it up\n"
    "    meeting_url TEXT NOT NULL, -- from metadata.json; '': unknown\n"
    "    share INTEGER NOT NULL CHECK (share IN (-1, 0, 1)), -- from metadata.json; -1: unknown\n"
    "    meeting_id INTEGER NOT NULL DEFAULT 0 CHECK (meeting_id BETWEEN 0 AND 2147483647)\n"
    "        -- given by a person for files whose names have none; 0: not given\n"
    ")",

    "CREATE TABLE file (\n"
    "    -- One file of a recording, and the object that it becomes.\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,\n"
    "    path BLOB NOT NULL CHECK (typeof(path) = 'blob'), -- within the directory\n"
    "    media INTEGER NOT NULL CHECK (media IN (0, 1)),\n"
    "    incomplete INTEGER NOT NULL CHECK (incomplete IN (0, 1)), -- cut off by a crash\n"
    "    duration_ms INTEGER NOT NULL DEFAULT 0 CHECK (duration_ms >= 0), -- 0: not known\n"
    "    cut_off INTEGER NOT NULL DEFAULT 0 CHECK (cut_off IN (0, 1)), -- not ended by its writer\n"
    "    inode INTEGER NOT NULL, -- inode, size and mtime tell whether the file still is\n"
    "        -- the one whose bytes are uploaded\n"
    "    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),\n"
    "    mtime_ns INTEGER NOT NULL, -- nanoseconds since 1970\n"
    "    object_bytes INTEGER NOT NULL CHECK (object_bytes >= 0), -- size of the object\n"
    "    state INTEGER NOT NULL CHECK (state BETWEEN " FILE_STATES "),\n"
    "        -- 1 pending; 2 uploaded: confirmed in the bucket, the backend does not know yet;\n"
    "        -- 3 safe: the local copy may go; 4 gone: vanished before it was safe;\n"
    "        -- 5 withheld: stays on disk, may hold a token\n"
    "    mark TEXT NOT NULL, -- jibri-mark of the object: tells that it is this file's\n"
    "    told_mark TEXT NOT NULL DEFAULT '', -- of an earlier object whose notice was sent\n"
    "    told_notice INTEGER NOT NULL DEFAULT 3, -- what had become of it; versions before 13\n"
    "        -- noted only accepted ones\n"
    "    location TEXT NOT NULL DEFAULT '', -- server and bucket that it is sent to, or was: '' "
    "to\n"
    "        -- nowhere yet, or by a version that did not note it\n"
    "    key TEXT, -- of the object; NULL until chosen\n"
    "    key_suffix INTEGER NOT NULL CHECK (key_suffix >= 0), -- 0: the key was free\n"
    "    phase INTEGER NOT NULL CHECK (phase IN (0, 1, 2, 3, 4, 5)),\n"
    "        -- what the bucket was asked for last: 0 nothing; 1 putting: PutObject;\n"
    "        -- 2 creating: CreateMultipartUpload, the upload's id isn't known;\n"
    "        -- 3 open: the upload's id is known; 4 completing: CompleteMultipartUpload;\n"
    "        -- 5 aborting: the upload is to be aborted, then it begins again\n"
    "    phase_at INTEGER NOT NULL,\n"
    "    upload_id TEXT NOT NULL,\n"
    "    part_size_bytes INTEGER NOT NULL CHECK (part_size_bytes >= 0), -- of the first parts\n"
    "    parts_grow_early INTEGER NOT NULL DEFAULT 1 CHECK (parts_grow_early IN (0, 1)),\n"
    "        -- 1: upload begun by version 5 or before, whose parts grow from the 501st on\n"
    "    complete_refusals INTEGER NOT NULL DEFAULT 0 CHECK (complete_refusals >= 0),\n"
    "        -- what the server acknowledged and then denied: Completes refused for parts that\n"
    "        -- did not change, uploads and objects that were not there\n"
    "    etag TEXT NOT NULL, -- of the object\n"
    "    uploaded_at INTEGER NOT NULL,\n"
    "    notice INTEGER NOT NULL CHECK (notice BETWEEN 0 AND 5),\n"
    "        -- to the backend: 0 none; 1 due: never sent; 2 sent, fate unknown;\n"
    "        -- 3 accepted: never to be sent again; 4 refused: needs a person; 5 unclear: the\n"
    "        -- backend named no row; sent again only when a person calls\n"
    "    backend_row INTEGER NOT NULL, -- the id that the backend answered\n"
    "    safe_at INTEGER NOT NULL,\n"
    "    removed_at INTEGER NOT NULL, -- when we removed the local copy; 0: not yet\n"
    "    last_error TEXT NOT NULL,\n"
    "    UNIQUE (recording_id, path)\n"
    ")",

    "CREATE UNIQUE INDEX file_by_key ON file (key) WHERE key IS NOT NULL",

    "CREATE INDEX file_kept ON file (recording_id, safe_at) WHERE " JOURNAL_SQL_MAY_GO,

    "CREATE INDEX file_by_media ON file (recording_id, media)",

    "CREATE TABLE part (\n"
    "    -- A part that the bucket acknowledged.\n"
    "    file_id INTEGER NOT NULL REFERENCES file (id) ON DELETE CASCADE,\n"
    "    number INTEGER NOT NULL CHECK (number BETWEEN 1 AND 10000),\n"
    "    length INTEGER NOT NULL CHECK (length >= 0), -- bytes\n"
    "    fingerprint BLOB CHECK (length(fingerprint) = 16),\n"
    "        -- XXH3-128 of the bytes that were sent; NULL: not compared, known by ListParts\n"
    "    etag TEXT NOT NULL,\n"
    "    acknowledged_at INTEGER NOT NULL DEFAULT 0, -- when the bucket did\n"
    "    PRIMARY KEY (file_id, number)\n"
    ") WITHOUT ROWID",

    "CREATE TABLE event (\n"
    "    -- The history of a recording, one line each.\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    recording_id INTEGER NOT NULL REFERENCES recording (id) ON DELETE CASCADE,\n"
    "    file_id INTEGER REFERENCES file (id) ON DELETE CASCADE, -- NULL: of the whole\n"
    "    at INTEGER NOT NULL,\n"
    "    text TEXT NOT NULL\n"
    ")",

    "CREATE TABLE claim (\n"
    "    -- A process that waits for a recording's lock: a worker of the watcher that holds it\n"
    "    -- gives way. Renewed every second while it waits.\n"
    "    directory BLOB NOT NULL CHECK (typeof(directory) = 'blob'), -- as that of a recording\n"
    "    pid INTEGER NOT NULL, -- 0: handed over to the watcher by a process that has ended\n"
    "    at INTEGER NOT NULL,\n"
    "    PRIMARY KEY (directory, pid)\n"
    ") WITHOUT ROWID",

    "CREATE TABLE metric (\n"
    "    -- What all processes have counted together: docs/metrics.md.\n"
    "    name TEXT NOT NULL,\n"
    "    labels TEXT NOT NULL, -- as Prometheus writes them; '': none\n"
    "    value INTEGER NOT NULL CHECK (value >= 0), -- durations in milliseconds\n"
    "    PRIMARY KEY (name, labels)\n"
    ") WITHOUT ROWID",

    "CREATE TABLE webhook (\n"
    "    -- Events that CONFOMEET_WEBHOOK_URL has not been told of yet.\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    recording_id INTEGER NOT NULL, -- which may be forgotten by then\n"
    "    event_id TEXT NOT NULL, -- a UUID, the same in every try\n"
    "    at INTEGER NOT NULL,\n"
    "    body TEXT NOT NULL, -- JSON\n"
    "    tries INTEGER NOT NULL CHECK (tries >= 0),\n"
    "    next_try_at INTEGER NOT NULL,\n"
    "    last_error TEXT NOT NULL\n"
    ")",

    "CREATE INDEX webhook_by_recording ON webhook (recording_id)",

    "CREATE TABLE announcement (\n"
    "    -- The last event that was made of a recording.\n"
    "    recording_id INTEGER PRIMARY KEY REFERENCES recording (id) ON DELETE CASCADE,\n"
    "    event INTEGER NOT NULL CHECK (event IN (1, 2)), -- 1 uploaded, 2 failed\n"
    "    files INTEGER NOT NULL CHECK (files >= 0) -- that were safe then\n"
    ")",

    "CREATE TABLE root (\n"
    "    -- What directories of recordings are relative to, when the journal is elsewhere: one "
    "row\n"
    "    -- at most, of the last process that was told of it.\n"
    "    id INTEGER PRIMARY KEY CHECK (id = 1),\n"
    "    directory BLOB NOT NULL CHECK (typeof(directory) = 'blob')\n"
    ")",

    "CREATE TABLE leftover (\n"
    "    -- Uploads in the bucket that belong to no file any more and are still to be aborted.\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    location TEXT NOT NULL DEFAULT '', -- server and bucket; '': not noted\n"
    "    key TEXT NOT NULL,\n"
    "    upload_id TEXT NOT NULL, -- '': not known, to be found by the key\n"
    "    at INTEGER NOT NULL,\n"
    "    last_error TEXT NOT NULL DEFAULT '' -- why it could not be aborted; '': not tried yet\n"
    ")",

    "CREATE INDEX event_by_recording ON event (recording_id)",

    "CREATE INDEX event_by_file ON event (file_id) WHERE file_id IS NOT NULL",

};

static int execute(struct sqlite3 *database, const char *sql)
{
    return sqlite3_exec(database, sql, NULL, NULL, NULL);
}

/* Makes a table as it is in this version, with the rows of the one that is there, if one is, in the
 * columns that both have. The old one's indexes go with it. */
static int renew_table(struct sqlite3 *database, const char *sql, const char *name)
{
    char *columns = NULL, text[2048];
    int status;

    snprintf(text, sizeof text, "SELECT 1 FROM %s LIMIT 0", name);
    if (execute(database, text) != SQLITE_OK)
        return execute(database, sql);
    snprintf(text, sizeof text, "ALTER TABLE %s RENAME TO before", name);
    status = execute(database, text);
    if (status == SQLITE_OK)
        status = execute(database, sql);
    snprintf(text, sizeof text,
             "SELECT group_concat(name) FROM (SELECT name FROM pragma_table_info('before') "
             "INTERSECT SELECT name FROM pragma_table_info('%s'))",
             name);
    if (status == SQLITE_OK)
        status = journal_query_text(database, text, &columns);
    if (status == SQLITE_OK && columns) {
        snprintf(text, sizeof text, "INSERT INTO %s (%s) SELECT %s FROM before; DROP TABLE before",
                 name, columns, columns);
        status = execute(database, text);
    }
    sqlite3_free(columns);
    return status;
}

#define IS_OVER "(state = " JOURNAL_SQL(DONE) " OR state = " JOURNAL_SQL(ABANDONED) ")"
#define LEFT_OVER                                                                        \
    "upload_id <> '' AND key IS NOT NULL AND recording_id IN (SELECT id FROM recording " \
    "WHERE " IS_OVER ")"

/* Before version 5 uploads that will not be completed stayed in their files' rows. */
static int move_leftovers(struct sqlite3 *database)
{
    return execute(database, "INSERT INTO leftover (key, upload_id, at) SELECT key, upload_id, "
                             "phase_at FROM file WHERE " LEFT_OVER
                             "; UPDATE file SET upload_id = '', phase = 0 WHERE " LEFT_OVER);
}

/*
 * within_root(directory, guess): relative, when it is in the root. What is neither there nor where
 * it was stays absolute with the guess 0, has moved with the root with 1, and with 2 when a
 * directory of its name is in the root.
 */
static void within_root(sqlite3_context *context, int count, sqlite3_value **values)
{
    const char *root = sqlite3_user_data(context), *within;
    char directory[SESSION_PATH_SIZE], here[2 * SESSION_PATH_SIZE];
    int guess = sqlite3_value_int(values[1]);

    (void)count;
    snprintf(directory, sizeof directory, "%.*s", sqlite3_value_bytes(values[0]),
             (const char *)sqlite3_value_blob(values[0]));
    within = journal_query_within(root, directory);
    if (*within == '/' && guess && access(directory, F_OK)) {
        snprintf(here, sizeof here, "%s%s", root, strrchr(directory, '/'));
        if (guess == 1 || !access(here, F_OK))
            within = strrchr(directory, '/') + 1;
    }
    sqlite3_result_blob(context, within, (int)strlen(within), SQLITE_TRANSIENT);
}

/* A session that has a row by both names keeps that of where it is: it comes first. */
#define MOVE(table, guess) \
    "UPDATE OR IGNORE " table " SET directory = within_root(directory, " guess ");"

static int move_directories(struct sqlite3 *database, const char *root, const char *sql)
{
    int status = sqlite3_create_function(database, "within_root", 2, SQLITE_UTF8, (void *)root,
                                         within_root, NULL, NULL);

    if (status == SQLITE_OK)
        status = execute(database, sql);
    sqlite3_create_function(database, "within_root", 2, SQLITE_UTF8, NULL, NULL, NULL, NULL);
    return status;
}

int journal_schema_move_directories(struct sqlite3 *database, const char *root)
{
    return move_directories(database, root,
                            MOVE("recording", "0") MOVE("recording", "2") MOVE("claim", "2"));
}

int journal_schema_apply(struct sqlite3 *database, int64_t version, const char *root)
{
    int status = execute(database, "DROP TABLE IF EXISTS digest"); /* of versions before 5 */

    for (size_t i = 0; status == SQLITE_OK && i < sizeof schema / sizeof schema[0]; i++) {
        char name[32];

        status = sscanf(schema[i], "CREATE TABLE %31s", name) == 1
                     ? renew_table(database, schema[i], name)
                     : execute(database, schema[i]);
    }
    /* Before version 7 directories were absolute. */
    if (status == SQLITE_OK && version < 7 && *root)
        status = move_directories(database, root,
                                  MOVE("recording", "0") MOVE("recording", "1") MOVE("claim", "1"));
    return status == SQLITE_OK ? move_leftovers(database) : status;
}

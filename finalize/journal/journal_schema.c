#include "finalize/journal/journal_schema.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal.h"
#include "finalize/journal/journal_path.h"
#include "finalize/journal/journal_query.h"
#include "finalize/session/session_dir.h"

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define APPLICATION_ID  0x4a464a31 /* "JFJ1": tells our file from any other SQLite file */
#define SCHEMA_VERSION  4
#define BUSY_TIMEOUT_MS ((int)JOURNAL_PATIENCE_MS)
#define RETRY_PAUSE_MS  20

/* Comments stand inside the parentheses: there SQLite keeps them, and `.schema` shows them. */
static const char *const tables[] = {
    "CREATE TABLE recording (\n"
    "    -- One session directory. Names and paths may hold any bytes, so they are BLOBs:\n"
    "    -- CAST(directory AS TEXT) shows and compares them as text. Times are seconds since\n"
    "    -- 1970: datetime(created_at, 'unixepoch').\n"
    "    id INTEGER PRIMARY KEY,\n"
    "    directory BLOB NOT NULL UNIQUE CHECK (typeof(directory) = 'blob'), -- absolute path\n"
    "    session_id BLOB NOT NULL CHECK (typeof(session_id) = 'blob'),\n"
    "    state INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4, 5, 6)),\n"
    "        -- 1 working: worked on, or was when the machine stopped; 2 waiting: will be tried\n"
    "        -- again; 3 failed: needs a person; 4 done; 5 recording: Jibri still writes, its\n"
    "        -- finished parts are sent; 6 abandoned: given up by a person, the files stay\n"
    "    tries INTEGER NOT NULL CHECK (tries >= 0), -- runs begun on it\n"
    "    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0), -- of them, since the last\n"
    "        -- one that got somewhere\n"
    "    created_at INTEGER NOT NULL,\n"
    "    updated_at INTEGER NOT NULL,\n"
    "    next_try_at INTEGER NOT NULL, -- 0: not set\n"
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
    "    device INTEGER NOT NULL, -- device, inode, size and time of change tell whether the\n"
    "    inode INTEGER NOT NULL,  -- file still is the one whose bytes are uploaded\n"
    "    size_bytes INTEGER NOT NULL CHECK (size_bytes >= 0),\n"
    "    mtime_ns INTEGER NOT NULL, -- nanoseconds since 1970\n"
    "    object_bytes INTEGER NOT NULL CHECK (object_bytes >= 0), -- size of the object\n"
    "    state INTEGER NOT NULL CHECK (state IN (1, 2, 3, 4, 5)),\n"
    "        -- 1 pending; 2 uploaded: confirmed in the bucket, the backend does not know yet;\n"
    "        -- 3 safe: the local copy may go; 4 gone: vanished before it was safe;\n"
    "        -- 5 withheld: stays on disk, may hold a token\n"
    "    mark TEXT NOT NULL, -- jibri-mark of the object: tells that it is this file's\n"
    "    key TEXT, -- of the object; NULL until chosen\n"
    "    key_suffix INTEGER NOT NULL CHECK (key_suffix >= 0), -- 0: the key was free\n"
    "    phase INTEGER NOT NULL CHECK (phase IN (0, 1, 2, 3, 4, 5)),\n"
    "        -- what the bucket was asked for last: 0 nothing; 1 putting: PutObject;\n"
    "        -- 2 creating: CreateMultipartUpload, the upload's id isn't known;\n"
    "        -- 3 open: the upload's id is known; 4 completing: CompleteMultipartUpload;\n"
    "        -- 5 aborting: the upload is to be aborted, then all begins anew\n"
    "    phase_at INTEGER NOT NULL,\n"
    "    upload_id TEXT NOT NULL,\n"
    "    part_size_bytes INTEGER NOT NULL CHECK (part_size_bytes >= 0), -- of the first parts\n"
    "    etag TEXT NOT NULL, -- of the object\n"
    "    uploaded_at INTEGER NOT NULL,\n"
    "    notice INTEGER NOT NULL CHECK (notice IN (0, 1, 2, 3, 4)),\n"
    "        -- to the backend: 0 none; 1 due: never sent; 2 sent, fate unknown;\n"
    "        -- 3 accepted: never to be sent again; 4 refused: needs a person\n"
    "    backend_row INTEGER NOT NULL, -- the id that the backend answered\n"
    "    safe_at INTEGER NOT NULL,\n"
    "    removed_at INTEGER NOT NULL, -- when we removed the local copy; 0: not yet\n"
    "    last_error TEXT NOT NULL,\n"
    "    UNIQUE (recording_id, path)\n"
    ")",

    "CREATE UNIQUE INDEX file_by_key ON file (key) WHERE key IS NOT NULL",

    "CREATE INDEX file_kept ON file (recording_id, safe_at) WHERE state = 3 AND removed_at = 0",

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
    "    directory BLOB NOT NULL CHECK (typeof(directory) = 'blob'),\n"
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

    "CREATE TABLE digest (\n"
    "    -- Of the object that a file became, where CONFOMEET_WEBHOOK_URL is set.\n"
    "    file_id INTEGER PRIMARY KEY REFERENCES file (id) ON DELETE CASCADE,\n"
    "    sha256 TEXT NOT NULL CHECK (length(sha256) = 64)\n"
    ")",

    "CREATE INDEX event_by_recording ON event (recording_id)",

    "CREATE INDEX event_by_file ON event (file_id) WHERE file_id IS NOT NULL",
};

/* A connection on its way, and what the file says about itself. */
struct opening {
    sqlite3 *database;
    int64_t application_id;
    int64_t version;
    int64_t tables;
};

static int execute(struct opening *opening, const char *sql)
{
    return sqlite3_exec(opening->database, sql, NULL, NULL, NULL);
}

static int read_number(struct opening *opening, const char *sql, int64_t *ret_number)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(opening->database, sql, -1, &statement, NULL);

    if (status != SQLITE_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *ret_number = sqlite3_column_int64(statement, 0);
    return sqlite3_finalize(statement);
}

static int read_identity_now(struct opening *opening)
{
    int status = read_number(opening, "PRAGMA application_id", &opening->application_id);

    if (status == SQLITE_OK)
        status = read_number(opening, "PRAGMA user_version", &opening->version);
    if (status == SQLITE_OK)
        status = read_number(opening, "SELECT count(*) FROM sqlite_master", &opening->tables);
    return status;
}

static int end_transaction(struct opening *opening, int status)
{
    if (status == SQLITE_OK)
        status = execute(opening, "COMMIT");
    if (status != SQLITE_OK && !sqlite3_get_autocommit(opening->database))
        execute(opening, "ROLLBACK");
    return status;
}

/* In one transaction: another process may be creating the tables at this moment. */
static int read_identity(struct opening *opening)
{
    int status = execute(opening, "BEGIN");

    if (status == SQLITE_OK)
        status = read_identity_now(opening);
    return end_transaction(opening, status);
}

/* Of the connection; nothing is written to the file. */
static int configure(struct opening *opening)
{
    return execute(opening, "PRAGMA trusted_schema = OFF;"
                            "PRAGMA foreign_keys = ON;"
                            "PRAGMA synchronous = NORMAL;" /* see journal_commit.c */
                            "PRAGMA cache_size = -256;"
                            "PRAGMA mmap_size = 0;"
                            "PRAGMA temp_store = MEMORY");
}

static int switch_to_wal(struct opening *opening)
{
    sqlite3_stmt *statement = NULL;
    int status =
        sqlite3_prepare_v2(opening->database, "PRAGMA journal_mode = WAL", -1, &statement, NULL);
    bool switched = false;

    if (status != SQLITE_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW) {
        const char *mode = (const char *)sqlite3_column_text(statement, 0);

        switched = mode && (strcmp(mode, "wal") == 0 || strcmp(mode, "memory") == 0);
    }
    status = sqlite3_finalize(statement);
    /* Without WAL it answers with the mode that stays: where shared memory can't be had. */
    return status == SQLITE_OK && !switched ? SQLITE_CANTOPEN : status;
}

/* The text that creates a table or an index, by its name. */
static const char *find_table(const char *name)
{
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        const char *words = strchr(tables[i], ' ') + 1; /* behind CREATE */

        words = strchr(words, ' ') + 1; /* behind TABLE */
        if (!strncmp(words, name, strlen(name)) && words[strlen(name)] == ' ')
            return tables[i];
    }
    return NULL;
}

/* Makes a table anew, as it is in this version, with the rows of the old one. */
static int rebuild_table(struct opening *opening, const char *name, const char *columns)
{
    char sql[1024];
    int status;

    snprintf(sql, sizeof sql, "ALTER TABLE %s RENAME TO %s_before", name, name);
    status = execute(opening, sql);
    if (status == SQLITE_OK)
        status = execute(opening, find_table(name));
    snprintf(sql, sizeof sql, "INSERT INTO %s (%s) SELECT %s FROM %s_before; DROP TABLE %s_before",
             name, columns, columns, name, name);
    return status == SQLITE_OK ? execute(opening, sql) : status;
}

static int upgrade_from_1(struct opening *opening)
{
    int status = rebuild_table(opening, "recording",
                               "id, directory, session_id, state, tries, created_at, updated_at, "
                               "next_try_at, last_error, meeting_url, share");

    if (status == SQLITE_OK)
        status = rebuild_table(opening, "part", "file_id, number, length, fingerprint, etag");
    return status == SQLITE_OK ? execute(opening, find_table("claim")) : status;
}

static int upgrade_from_2(struct opening *opening)
{
    return rebuild_table(opening, "recording",
                         "id, directory, session_id, state, tries, failures, created_at, "
                         "updated_at, next_try_at, last_error, reason, meeting_url, share");
}

static int upgrade_from_3(struct opening *opening)
{
    static const char *const names[] = {"metric", "webhook", "webhook_by_recording", "announcement",
                                        "digest"};
    int status = SQLITE_OK;

    for (size_t i = 0; status == SQLITE_OK && i < sizeof names / sizeof *names; i++)
        status = execute(opening, find_table(names[i]));
    return status;
}

/* Brings an older file up to date, one version after the other. */
static int upgrade(struct opening *opening)
{
    static int (*const steps[])(struct opening *) = {
        [1] = upgrade_from_1, [2] = upgrade_from_2, [3] = upgrade_from_3};
    char identity[48];
    /* Else renaming a table would rename it where others refer to it, too. */
    int status = execute(opening, "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;"
                                  "BEGIN IMMEDIATE");

    if (status == SQLITE_OK)
        status = read_identity_now(opening);
    while (status == SQLITE_OK && opening->version < SCHEMA_VERSION) {
        status = steps[opening->version](opening);
        opening->version++;
        snprintf(identity, sizeof identity, "PRAGMA user_version = %d", (int)opening->version);
        if (status == SQLITE_OK)
            status = execute(opening, identity);
    }
    status = end_transaction(opening, status);
    execute(opening, "PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON");
    return status;
}

static int create_tables(struct opening *opening)
{
    char identity[96];
    int status = execute(opening, "BEGIN IMMEDIATE");

    if (status == SQLITE_OK)
        status = read_identity_now(opening);
    if (status == SQLITE_OK && opening->tables == 0) {
        for (size_t i = 0; status == SQLITE_OK && i < sizeof tables / sizeof tables[0]; i++)
            status = execute(opening, tables[i]);
        snprintf(identity, sizeof identity, "PRAGMA application_id = %d; PRAGMA user_version = %d",
                 APPLICATION_ID, SCHEMA_VERSION);
        if (status == SQLITE_OK)
            status = execute(opening, identity);
        if (status == SQLITE_OK)
            status = read_identity_now(opening);
    }
    return end_transaction(opening, status);
}

/* Repeats a step that other processes are in the way of: the change to WAL and a recovery after a
 * crash don't go through SQLite's own waiting. */
static int insist(int (*step)(struct opening *opening), struct opening *opening)
{
    uint64_t until_ms = clock_now_ms() + BUSY_TIMEOUT_MS;
    int status = step(opening);

    while (((status & 0xff) == SQLITE_BUSY || (status & 0xff) == SQLITE_LOCKED ||
            (status & 0xff) == SQLITE_PROTOCOL) &&
           clock_now_ms() < until_ms) {
        sqlite3_sleep(RETRY_PAUSE_MS);
        status = step(opening);
    }
    return status;
}

static bool is_empty(const struct opening *opening)
{
    return opening->application_id == 0 && opening->version == 0 && opening->tables == 0;
}

static bool judge_identity(const struct opening *opening, const char *path, struct error *err)
{
    if (opening->application_id != APPLICATION_ID || opening->version < 1)
        return error_set(err, ERROR_PERMANENT,
                         "the file is no journal of ours, it is left alone (CONFOMEET_JOURNAL): %s",
                         path);
    if (opening->version > SCHEMA_VERSION)
        return error_set(err, ERROR_PERMANENT,
                         "the journal was made by a newer jibri-finalize (version %lld of its "
                         "tables, this program knows %d): %s",
                         (long long)opening->version, SCHEMA_VERSION, path);
    return true;
}

static bool set_up(struct opening *opening, const char *path, struct error *err)
{
    int status = insist(configure, opening);

    if (status == SQLITE_OK)
        status = insist(read_identity, opening);
    if (status != SQLITE_OK)
        return journal_query_fail(opening->database, status, path, err);
    if (!is_empty(opening) && !judge_identity(opening, path, err))
        return false;
    if (sqlite3_db_readonly(opening->database, "main") == 1)
        return journal_query_fail(opening->database, SQLITE_READONLY, path, err);
    status = insist(switch_to_wal, opening);
    if (status == SQLITE_OK && is_empty(opening))
        status = insist(create_tables, opening);
    else if (status == SQLITE_OK && opening->version < SCHEMA_VERSION)
        status = insist(upgrade, opening);
    if (status != SQLITE_OK)
        return journal_query_fail(opening->database, status, path, err);
    return judge_identity(opening, path, err);
}

bool journal_schema_open(const char *path, struct sqlite3 **ret_database, struct error *err)
{
    struct opening opening = {0};
    char real_path[SESSION_PATH_SIZE] = ":memory:";
    int status;

    if (strcmp(path, ":memory:") != 0 && !journal_path_make(path, real_path, err))
        return false;
    status = sqlite3_open_v2(real_path, &opening.database,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (status != SQLITE_OK) {
        journal_query_fail(opening.database, status, real_path, err);
        goto fail;
    }
    sqlite3_extended_result_codes(opening.database, 1);
    sqlite3_busy_timeout(opening.database, BUSY_TIMEOUT_MS);
    if (!set_up(&opening, real_path, err))
        goto fail;
    *ret_database = opening.database;
    return true;

fail:
    sqlite3_close(opening.database);
    return false;
}

#include "finalize/journal/journal_connect.h"

#include "finalize/base/clock.h"
#include "finalize/journal/journal_query.h"
#include "finalize/journal/journal_schema.h"
#include "finalize/session/session_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define APPLICATION_ID 0x4a464a31 /* "JFJ1": tells our file from any other SQLite file */
#define RETRY_PAUSE_MS 20
/* The log is written back when it has 32 pages, 128 KiB: on a full disk it has to find room in what
 * the reserve leaves (SQLite's own 1,000 need 4 MiB). */
#define CHECKPOINT "PRAGMA wal_autocheckpoint = 32;"

/* ---- the file -------------------------------------------------------------------------------- */

static bool fail_by_errno(int errno_value, const char *what, const char *path, struct error *err)
{
    enum error_kind kind = errno_value == ENOSPC || errno_value == EDQUOT ||
                                   errno_value == ENOMEM || errno_value == EMFILE ||
                                   errno_value == ENFILE
                               ? ERROR_TRANSIENT
                               : ERROR_PERMANENT;

    return error_set_errno(err, kind, errno_value, "%s (CONFOMEET_JOURNAL): %s", what, path);
}

/* A new directory's name is in the directory above: without this a power cut could take the whole
 * journal with it. Not every file system can do it. */
static void sync_directory_above(const char *directory)
{
    char above[SESSION_PATH_SIZE + 3];
    int fd;

    snprintf(above, sizeof above, "%s/..", directory);
    fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    (void)fsync(fd);
    close(fd);
}

/* Resolves the links on the way to the journal, which are the operator's, makes its directory
 * (0700) when it isn't there, and puts both together again in `ret_path`. The file must be no
 * link. */
static bool make_directory(const char *path, char ret_path[SESSION_PATH_SIZE], struct error *err)
{
    char directory[SESSION_PATH_SIZE];
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    char *resolved;
    bool fits;

    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return fail_by_errno(EISDIR, "the journal has to be a file", path, err);
    if ((size_t)snprintf(directory, sizeof directory, "%.*s", slash ? (int)(name - path) : 1,
                         slash ? path : ".") >= sizeof directory)
        return fail_by_errno(ENAMETOOLONG, "the journal's path is too long", path, err);
    if (mkdir(directory, 0700) == 0)
        sync_directory_above(directory);
    else if (errno != EEXIST)
        return fail_by_errno(errno, "cannot make the journal's directory", directory, err);
    resolved = realpath(directory, NULL);
    if (!resolved)
        return fail_by_errno(errno, "cannot use the journal's directory", directory, err);
    fits = (size_t)snprintf(directory, sizeof directory, "%s/%s",
                            strcmp(resolved, "/") == 0 ? "" : resolved, name) < sizeof directory;
    free(resolved);
    if (!fits)
        return fail_by_errno(ENAMETOOLONG, "the journal's path is too long", path, err);
    memcpy(ret_path, directory, sizeof directory);
    return true;
}

/*
 * Makes the file (0600) when it isn't there: SQLite gives its -wal and -shm files the same mode.
 * One that is there must not be opened: closing it would take away the locks that another
 * connection of this process holds on it (POSIX locks belong to the process).
 */
static bool make_file(const char *path, struct error *err)
{
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    struct stat status;

    if (fd >= 0) {
        close(fd);
        return true;
    }
    if (errno != EEXIST)
        return fail_by_errno(errno, "cannot make the journal", path, err);
    if (lstat(path, &status) != 0)
        return fail_by_errno(errno, "cannot use the journal", path, err);
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_PERMANENT,
                         "the journal is no regular file (CONFOMEET_JOURNAL): %s", path);
    return true;
}

/* ---- its tables ------------------------------------------------------------------------------ */

/* A connection on its way, and what the file says about itself. */
struct opening {
    sqlite3 *database;
    char root[SESSION_PATH_SIZE];
    unsigned patience_ms;
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
    char *text = NULL;
    int status = journal_query_text(opening->database, sql, &text);

    if (text)
        *ret_number = strtoll(text, NULL, 10);
    sqlite3_free(text);
    return status;
}

static bool is_empty(const struct opening *opening)
{
    return opening->application_id == 0 && opening->version == 0 && opening->tables == 0;
}

static bool is_ours(const struct opening *opening)
{
    return opening->application_id == APPLICATION_ID && opening->version >= 1;
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

static int write_identity(struct opening *opening)
{
    char sql[96];
    int status;

    snprintf(sql, sizeof sql, "PRAGMA application_id = %d; PRAGMA user_version = %d",
             APPLICATION_ID, JOURNAL_SCHEMA_VERSION);
    status = execute(opening, sql);
    return status == SQLITE_OK ? read_identity_now(opening) : status;
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
                            "PRAGMA synchronous = EXTRA;" /* FULL, and the directory when a
                                                            rollback journal is removed */
                   CHECKPOINT "PRAGMA cache_size = -256;"
                            "PRAGMA mmap_size = 0;"
                            "PRAGMA temp_store = MEMORY");
}

static int switch_to_wal(struct opening *opening)
{
    char *mode = NULL;
    int status = journal_query_text(opening->database, "PRAGMA journal_mode = WAL", &mode);
    bool switched = mode && (strcmp(mode, "wal") == 0 || strcmp(mode, "memory") == 0);

    sqlite3_free(mode);
    /* Without WAL it answers with the mode that stays: where shared memory can't be had. */
    return status == SQLITE_OK && !switched ? SQLITE_CANTOPEN : status;
}

/* How many recordings have absolute names although they are in the root: it was not known when they
 * were written. */
static int count_outside(struct opening *opening, int64_t *ret_count)
{
    char *sql = sqlite3_mprintf("SELECT count(*) FROM recording WHERE directory >= CAST('%q/' AS "
                                "BLOB) AND directory < CAST('%q0' AS BLOB)",
                                opening->root, opening->root);
    int status = sql ? read_number(opening, sql, ret_count) : SQLITE_NOMEM;

    sqlite3_free(sql);
    return status;
}

static int note_root(struct opening *opening)
{
    char *sql = sqlite3_mprintf("REPLACE INTO root (id, directory) VALUES (1, CAST('%q' AS BLOB))",
                                opening->root);
    int status = sql ? execute(opening, sql) : SQLITE_NOMEM;

    sqlite3_free(sql);
    return status;
}

/* A process that isn't told where recordings are takes what the journal has noted of one that was.
 */
static int settle_root(struct opening *opening)
{
    char *noted = NULL;
    int64_t outside = 0;
    bool is_new;
    int status = journal_query_text(opening->database, "SELECT directory FROM root", &noted);

    if (status == SQLITE_OK && !*opening->root && noted)
        snprintf(opening->root, sizeof opening->root, "%s", noted);
    is_new = *opening->root && (!noted || strcmp(noted, opening->root) != 0);
    sqlite3_free(noted);
    if (status == SQLITE_OK && *opening->root)
        status = count_outside(opening, &outside);
    if (status != SQLITE_OK || (!is_new && !outside))
        return status;
    status = execute(opening, "BEGIN IMMEDIATE");
    if (status == SQLITE_OK && is_new)
        status = note_root(opening);
    if (status == SQLITE_OK)
        status = journal_schema_move_directories(opening->database, opening->root);
    return end_transaction(opening, status);
}

/* Makes the tables, or brings those of an older version up to date; a file that is neither empty
 * nor ours is left alone. */
static int bring_up_to_date(struct opening *opening)
{
    /* Else renaming a table would rename it where others refer to it, too. */
    int status = execute(opening, "PRAGMA foreign_keys = OFF; PRAGMA legacy_alter_table = ON;"
                                  "BEGIN IMMEDIATE");
    bool due;

    if (status == SQLITE_OK)
        status = read_identity_now(opening);
    due = is_empty(opening) || (is_ours(opening) && opening->version < JOURNAL_SCHEMA_VERSION);
    if (status == SQLITE_OK && due)
        status = journal_schema_apply(opening->database, opening->version, opening->root);
    if (status == SQLITE_OK && due)
        status = write_identity(opening);
    status = end_transaction(opening, status);
    execute(opening, "PRAGMA legacy_alter_table = OFF; PRAGMA foreign_keys = ON");
    return status;
}

/* Repeats a step while other processes block it: SQLite's busy timeout does not apply to the change
 * to WAL and to the recovery after a crash. */
static int insist(int (*step)(struct opening *opening), struct opening *opening)
{
    uint64_t until_ms = clock_now_ms() + opening->patience_ms;
    int status = step(opening);

    while (((status & 0xff) == SQLITE_BUSY || (status & 0xff) == SQLITE_LOCKED ||
            (status & 0xff) == SQLITE_PROTOCOL) &&
           clock_now_ms() < until_ms) {
        sqlite3_sleep(RETRY_PAUSE_MS);
        status = step(opening);
    }
    return status;
}

static bool judge_identity(const struct opening *opening, const char *path, struct error *err)
{
    if (!is_ours(opening))
        return error_set(err, ERROR_PERMANENT,
                         "the file is no journal of ours, it is left alone (CONFOMEET_JOURNAL): %s",
                         path);
    if (opening->version > JOURNAL_SCHEMA_VERSION)
        return error_set(err, ERROR_PERMANENT,
                         "the journal was made by a newer jibri-finalize (version %lld of its "
                         "tables, this program knows %d): %s",
                         (long long)opening->version, JOURNAL_SCHEMA_VERSION, path);
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
    if (status == SQLITE_OK && opening->version < JOURNAL_SCHEMA_VERSION)
        status = insist(bring_up_to_date, opening);
    if (status == SQLITE_OK)
        status = insist(settle_root, opening);
    if (status != SQLITE_OK)
        return journal_query_fail(opening->database, status, path, err);
    return judge_identity(opening, path, err);
}

/* The directory above the journal's, when that is ours; else what is given, without links. */
static void find_root(const char *path, const char *given, char ret_root[SESSION_PATH_SIZE])
{
    char *resolved = given ? realpath(given, NULL) : NULL;
    const char *name;

    snprintf(ret_root, SESSION_PATH_SIZE, "%s", path);
    name = strstr(ret_root, "/" JOURNAL_DIRECTORY_NAME "/");
    if (name && !strchr(name + sizeof JOURNAL_DIRECTORY_NAME + 1, '/'))
        ret_root[name - ret_root] = 0;
    else
        snprintf(ret_root, SESSION_PATH_SIZE, "%s", resolved ? resolved : given ? given : "");
    if (*ret_root != '/' || !ret_root[1])
        *ret_root = 0;
    free(resolved);
}

bool journal_connect(const char *path, const char *recordings_dir, unsigned patience_ms,
                     struct sqlite3 **ret_database, char ret_root[SESSION_PATH_SIZE],
                     struct error *err)
{
    struct opening opening = {0};
    char real_path[SESSION_PATH_SIZE] = ":memory:";
    int status;

    if (strcmp(path, ":memory:") != 0 &&
        (!make_directory(path, real_path, err) || !make_file(real_path, err)))
        return false;
    status = sqlite3_open_v2(real_path, &opening.database,
                             SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOFOLLOW, NULL);
    if (status != SQLITE_OK) {
        journal_query_fail(opening.database, status, real_path, err);
        goto fail;
    }
    sqlite3_extended_result_codes(opening.database, 1);
    sqlite3_busy_timeout(opening.database, (int)patience_ms);
    opening.patience_ms = patience_ms;
    find_root(real_path, recordings_dir, opening.root);
    if (!set_up(&opening, real_path, err))
        goto fail;
    memcpy(ret_root, opening.root, sizeof opening.root);
    *ret_database = opening.database;
    return true;

fail:
    sqlite3_close(opening.database);
    return false;
}

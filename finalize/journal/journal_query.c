#include "finalize/journal/journal_query.h"

#include "finalize/journal/journal_reserve.h"
#include "finalize/session/session_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A failed call's own words where it still has them: they name the table or the column. */
static const char *reason(sqlite3 *database, int status)
{
    if (database && sqlite3_extended_errcode(database) == status)
        return sqlite3_errmsg(database);
    return sqlite3_errstr(status);
}

/*
 * Why no file can be made beside the journal, as an errno; 0 when one can be, or when nothing is
 * known. SQLite keeps its log in such files and says no more than that it could not open one.
 */
static int why_no_file(const char *path)
{
    char directory[SESSION_PATH_SIZE];
    char *slash;
    int fd;

    if ((size_t)snprintf(directory, sizeof directory, "%s", path) >= sizeof directory)
        return 0;
    slash = strrchr(directory, '/');
    if (!slash)
        return 0;
    slash[slash == directory] = 0;
    fd = open(directory, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno == EOPNOTSUPP || errno == EISDIR ? 0 : errno;
    close(fd);
    return 0;
}

/* The errno that says why, 0 when none does. */
static int cause(sqlite3 *database, int status, const char *path)
{
    int primary = status & 0xff;
    int no_file = 0;

    if (primary == SQLITE_FULL)
        return ENOSPC;
    if (primary == SQLITE_CANTOPEN || primary == SQLITE_READONLY)
        no_file = why_no_file(path);
    if (no_file || !database || (primary != SQLITE_IOERR && primary != SQLITE_CANTOPEN))
        return no_file;
    return sqlite3_system_errno(database);
}

static bool is_lack_of_space(int errno_value)
{
    return errno_value == ENOSPC || errno_value == EDQUOT;
}

bool journal_query_fail(struct sqlite3 *database, int status, const char *path, struct error *err)
{
    const char *why = reason(database, status);
    int errno_value = cause(database, status, path);
    int primary = status == SQLITE_IOERR_NOMEM ? SQLITE_NOMEM : status & 0xff;

    if (is_lack_of_space(errno_value))
        return error_set_errno(err, ERROR_TRANSIENT, errno_value, "no space for the journal %s",
                               path);
    switch (primary) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL:
        return error_set(err, ERROR_TRANSIENT,
                         "the journal is busy, other processes have kept it for long: %s", path);
    case SQLITE_NOMEM:
        return error_set_errno(err, ERROR_TRANSIENT, ENOMEM, "no memory for the journal %s", path);
    case SQLITE_NOTADB:
    case SQLITE_CORRUPT:
        return error_set(err, ERROR_DAMAGED, "the journal is damaged, or no journal (%s): %s", why,
                         path);
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_AUTH:
        error_set(err, ERROR_PERMANENT, "the journal cannot be written (%s; CONFOMEET_JOURNAL): %s",
                  why, path);
        break;
    default:
        error_set(err, ERROR_PERMANENT, "the journal cannot be used (%s): %s", why, path);
        break;
    }
    if (errno_value)
        err->sys_errno = errno_value;
    return false;
}

static void note(struct journal_query *query, int status)
{
    if (query->status == SQLITE_OK)
        query->status = status;
}

const char *journal_query_within(const char *root, const char *directory)
{
    size_t length = strlen(root);

    return length && !strncmp(directory, root, length) && directory[length] == '/'
               ? directory + length + 1
               : directory;
}

static void put_one(struct journal_query *query, const struct journal_value *given)
{
    struct sqlite3_stmt *statement = query->statement;
    struct journal_value within = *given, *value = &within;
    int at = query->next++;

    if (within.kind == JOURNAL_IS_DIRECTORY) {
        within.kind = JOURNAL_IS_PATH;
        if (query->root && within.bytes)
            within.bytes = journal_query_within(query->root, within.bytes);
    }
    if (value->kind == JOURNAL_INTEGER)
        note(query, sqlite3_bind_int64(statement, at, value->integer));
    else if (!value->bytes ||
             (value->kind == JOURNAL_IS_TEXT_OR_NULL && !*(const char *)value->bytes))
        note(query, sqlite3_bind_null(statement, at));
    else if (value->kind == JOURNAL_IS_TEXT || value->kind == JOURNAL_IS_TEXT_OR_NULL)
        note(query, sqlite3_bind_text(statement, at, value->bytes, -1, SQLITE_STATIC));
    else
        note(query, sqlite3_bind_blob64(statement, at, value->bytes,
                                        value->kind == JOURNAL_IS_PATH ? strlen(value->bytes)
                                                                       : value->length,
                                        SQLITE_STATIC));
}

void journal_query_put(struct journal_query *query, const struct journal_value *values)
{
    for (; values->kind != JOURNAL_END; values++)
        put_one(query, values);
}

/* The member as a number, whatever its size. */
static int64_t number_in(const struct journal_column *column, const char *member)
{
    int64_t wide;
    int32_t narrow;

    if (column->size == sizeof(bool))
        return *(const bool *)member;
    if (column->size == sizeof wide) {
        memcpy(&wide, member, sizeof wide);
        return wide;
    }
    memcpy(&narrow, member, sizeof narrow);
    return column->most > INT32_MAX ? (int64_t)(uint32_t)narrow : narrow;
}

void journal_query_put_row(struct journal_query *query, const struct journal_column *columns,
                           const void *row)
{
    for (const struct journal_column *column = columns; column->kind != JOURNAL_END; column++) {
        const char *member = (const char *)row + column->offset;
        struct journal_value value = {.kind = column->kind, .bytes = member};

        if (column->kind == JOURNAL_INTEGER)
            value.integer = number_in(column, member);
        put_one(query, &value);
    }
}

/* Ends the statement's transaction and lets go of what was bound. */
static void finish(struct journal_query *query)
{
    sqlite3_reset(query->statement);
    sqlite3_clear_bindings(query->statement);
}

void journal_query_make_room(struct sqlite3 *database, const char *path)
{
    (void)journal_reserve_give_up(path);
    /* Writes the log back, and starts it again at its beginning once no connection reads it. */
    (void)sqlite3_wal_checkpoint_v2(database, NULL, SQLITE_CHECKPOINT_RESTART, NULL, NULL);
}

/*
 * The status of the whole run: SQLITE_DONE, SQLITE_ROW or what went wrong. On a full disk room is
 * made and the statement run again. Not so within a transaction, of which SQLite may have rolled
 * back what came before.
 */
static int step(struct journal_query *query)
{
    bool alone = sqlite3_get_autocommit(query->database);
    int status = query->status;

    if (status != SQLITE_OK)
        return status;
    status = sqlite3_step(query->statement);
    if (status == SQLITE_ROW || status == SQLITE_DONE || !alone ||
        !is_lack_of_space(cause(query->database, status, query->path)))
        return status;
    sqlite3_reset(query->statement);
    journal_query_make_room(query->database, query->path);
    return sqlite3_step(query->statement);
}

bool journal_query_run(struct journal_query *query, struct error *err)
{
    int status = step(query);

    if (status != SQLITE_DONE)
        journal_query_fail(query->database, status, query->path, err);
    finish(query);
    return status == SQLITE_DONE;
}

bool journal_query_change_row(struct journal_query *query, bool *ret_conflict, struct error *err)
{
    int status = step(query);
    bool conflict = status == SQLITE_CONSTRAINT_UNIQUE && ret_conflict;
    bool done = status == SQLITE_DONE && sqlite3_changes(query->database) == 1;

    if (status == SQLITE_DONE && !done)
        error_set(err, ERROR_PERMANENT,
                  "the journal has lost a row that was in it: was it replaced? %s", query->path);
    else if (!done && !conflict)
        journal_query_fail(query->database, status, query->path, err);
    finish(query);
    if (!done && !conflict)
        return false;
    if (ret_conflict)
        *ret_conflict = conflict;
    return true;
}

bool journal_query_fetch(struct journal_query *query, bool *ret_found, struct error *err)
{
    int status = step(query);

    if (status == SQLITE_ROW) {
        query->next = 0;
        *ret_found = true;
        return true;
    }
    if (status != SQLITE_DONE)
        journal_query_fail(query->database, status, query->path, err);
    finish(query);
    if (status != SQLITE_DONE)
        return false;
    *ret_found = false;
    return true;
}

int64_t journal_query_get_integer(struct journal_query *query, int64_t least, int64_t most)
{
    int column = query->next++;
    int64_t value = sqlite3_column_int64(query->statement, column);

    if (sqlite3_column_type(query->statement, column) == SQLITE_INTEGER && value >= least &&
        value <= most)
        return value;
    query->damaged = true;
    return least;
}

void journal_query_get_text(struct journal_query *query, char *ret_text, size_t size)
{
    int column = query->next++;
    const void *bytes = sqlite3_column_blob(query->statement, column);
    size_t length = (size_t)sqlite3_column_bytes(query->statement, column);

    ret_text[0] = 0;
    if (!bytes && sqlite3_errcode(query->database) == SQLITE_NOMEM)
        query->status = SQLITE_NOMEM;
    if (!bytes)
        return;
    if (length >= size || memchr(bytes, 0, length)) {
        query->damaged = true;
        return;
    }
    memcpy(ret_text, bytes, length);
    ret_text[length] = 0;
}

/* Where no root is known, the name is at least absolute. */
static void get_directory(struct journal_query *query, char *ret_text, size_t size)
{
    size_t length = strlen(query->root);

    journal_query_get_text(query, ret_text, size);
    if (!*ret_text || *ret_text == '/')
        return;
    if (length + 1 + strlen(ret_text) >= size) {
        query->damaged = true;
        return;
    }
    memmove(ret_text + length + 1, ret_text, strlen(ret_text) + 1);
    memcpy(ret_text, query->root, length);
    ret_text[length] = '/';
}

static void get_bytes(struct journal_query *query, char *ret_bytes, size_t length)
{
    int column = query->next++;
    const void *bytes = sqlite3_column_blob(query->statement, column);

    if (!bytes || (size_t)sqlite3_column_bytes(query->statement, column) != length)
        query->damaged = true;
    else
        memcpy(ret_bytes, bytes, length);
}

void journal_query_get_row(struct journal_query *query, const struct journal_column *columns,
                           void *row)
{
    for (const struct journal_column *column = columns; column->kind != JOURNAL_END; column++) {
        char *member = (char *)row + column->offset;
        int64_t wide;
        int32_t narrow;

        if (column->kind == JOURNAL_IS_BYTES) {
            get_bytes(query, member, column->size);
            continue;
        }
        if (column->kind == JOURNAL_IS_DIRECTORY) {
            get_directory(query, member, column->size);
            continue;
        }
        if (column->kind != JOURNAL_INTEGER) {
            journal_query_get_text(query, member, column->size);
            continue;
        }
        wide = journal_query_get_integer(query, column->least, column->most);
        narrow = (int32_t)(uint32_t)(wide & UINT32_MAX);
        if (column->size == sizeof(bool))
            *(bool *)member = wide;
        else if (column->size == sizeof wide)
            memcpy(member, &wide, sizeof wide);
        else
            memcpy(member, &narrow, sizeof narrow);
    }
}

bool journal_query_end(struct journal_query *query, struct error *err)
{
    finish(query);
    if (query->status != SQLITE_OK)
        return journal_query_fail(query->database, query->status, query->path, err);
    if (query->damaged)
        return error_set(err, ERROR_DAMAGED,
                         "the journal is damaged (a row holds what was never written): %s",
                         query->path);
    return true;
}

int journal_query_text(struct sqlite3 *database, const char *sql, char **ret_text)
{
    sqlite3_stmt *statement = NULL;
    int status = sqlite3_prepare_v2(database, sql, -1, &statement, NULL);

    if (status != SQLITE_OK)
        return status;
    if (sqlite3_step(statement) == SQLITE_ROW)
        *ret_text = sqlite3_mprintf("%s", sqlite3_column_text(statement, 0));
    return sqlite3_finalize(statement);
}

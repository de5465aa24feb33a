#include "finalize/journal/journal_view.h"

#include "finalize/journal/journal_connect.h"
#include "finalize/journal/journal_private.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OF_R(column, ...) ", r." #column
#define OF_F(column, ...) ", f." #column
#define RECORDING_ROW     "r.id" JOURNAL_RECORDING_COLUMNS(OF_R)
#define FILE_ROW          "f.id" JOURNAL_FILE_COLUMNS(OF_F)
/* What the bucket holds of a file that is on its way; of the others no parts are kept. */
#define ROWS                                                                                 \
    "SELECT " RECORDING_ROW ", f.id IS NOT NULL, "                                           \
    "(SELECT coalesce(sum(length), 0) FROM part WHERE file_id = f.id), "                     \
    "(SELECT coalesce(sum(length), 0) FROM part WHERE file_id = f.id AND acknowledged_at > " \
    "?), " FILE_ROW " FROM recording r LEFT JOIN file f ON f.recording_id = r.id "
#define ENTRIES                                                                                    \
    "SELECT r.id, session_id, at, coalesce(path, ''), substr(text, 1, 1000), e.id AS place "       \
    "FROM event e JOIN recording r ON r.id = e.recording_id LEFT JOIN file f ON f.id = e.file_id " \
    "WHERE substr(text, 1, length(?1)) = ?1 "
#define LAST_ENTRIES "ORDER BY e.id DESC LIMIT ?2) ORDER BY place"

/* A connection of its own, without the reserve of one that writes. */
struct journal_view {
    struct journal journal;
};

bool journal_view_open(const char *path, const char *recordings_dir, struct journal_view **ret_view,
                       struct error *err)
{
    struct journal_view *view = calloc(1, sizeof *view);

    if (!view)
        return error_set(err, ERROR_TRANSIENT, "no memory for the journal %s", path);
    snprintf(view->journal.path, sizeof view->journal.path, "%s", path);
    if (!journal_connect(path, recordings_dir, JOURNAL_PATIENCE_MS, &view->journal.database,
                         view->journal.root, err)) {
        free(view);
        return false;
    }
    *ret_view = view;
    return true;
}

void journal_view_close(struct journal_view *view)
{
    if (!view)
        return;
    journal_disconnect(&view->journal);
    free(view);
}

/* Ends a row: false when a column held what we never write, or the visitor ended the walk. */
static bool end_row(struct journal_query *query, bool visited, struct error *err)
{
    struct error ignored = ERROR_INIT;

    if (query->damaged || query->status != SQLITE_OK)
        return journal_query_end(query, err);
    if (!visited && !journal_query_end(query, &ignored))
        return false;
    return visited;
}

static void get_row(struct journal_query *query, struct journal_view_row *row)
{
    journal_query_get_row(query, journal_recording_columns, &row->recording);
    row->has_file = journal_query_get_integer(query, 0, 1);
    if (!row->has_file)
        return;
    row->file.held_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    row->file.recent_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    journal_query_get_row(query, journal_file_columns, &row->file.file);
}

bool journal_view_each(struct journal_view *view, int64_t recording_id, int64_t recent_after,
                       bool (*visit)(void *context, const struct journal_view_row *row,
                                     struct error *err),
                       void *context, struct error *err)
{
    struct journal_view_row row;
    struct journal_query query;
    int64_t counted_id = 0;
    bool found;

    memset(&row, 0, sizeof row);
    if (!journal_begin_query(&view->journal, true,
                             recording_id ? ROWS "WHERE r.id = ? ORDER BY f.media DESC, f.id"
                                          : ROWS "ORDER BY r.id DESC, f.media DESC, f.id",
                             recording_id ? VALUES(INT(recent_after), INT(recording_id))
                                          : VALUES(INT(recent_after)),
                             &query, err))
        return false;
    while (journal_query_fetch(&query, &found, err)) {
        bool visited = false;

        if (!found)
            return true;
        get_row(&query, &row);
        if (!query.damaged)
            visited = (row.recording.id == counted_id ||
                       safety_load(&view->journal, row.recording.id, &row.safety, err)) &&
                      visit(context, &row, err);
        if (!end_row(&query, visited, err))
            return false;
        counted_id = row.recording.id;
    }
    return false;
}

bool journal_view_each_entry(struct journal_view *view, int64_t recording_id, const char *beginning,
                             unsigned most,
                             bool (*visit)(void *context, const struct journal_view_entry *event,
                                           struct error *err),
                             void *context, struct error *err)
{
    static const struct journal_column columns[] = {
        JOURNAL_COLUMN(journal_view_entry, recording_id, JOURNAL_KEY),
        JOURNAL_COLUMN(journal_view_entry, session_id, JOURNAL_PATH),
        JOURNAL_COLUMN(journal_view_entry, at, JOURNAL_ANY),
        JOURNAL_COLUMN(journal_view_entry, path, JOURNAL_PATH),
        JOURNAL_COLUMN(journal_view_entry, text, JOURNAL_TEXT),
        {.kind = JOURNAL_END}};
    struct journal_view_entry entry;
    struct journal_query query;
    bool found;

    if (!journal_begin_query(&view->journal, true,
                             recording_id ? "SELECT * FROM (" ENTRIES
                                            "AND e.recording_id = ?3 " LAST_ENTRIES
                                          : "SELECT * FROM (" ENTRIES LAST_ENTRIES,
                             recording_id ? VALUES(TEXT(beginning), INT(most), INT(recording_id))
                                          : VALUES(TEXT(beginning), INT(most)),
                             &query, err))
        return false;
    while (journal_query_fetch(&query, &found, err)) {
        if (!found)
            return true;
        journal_query_get_row(&query, columns, &entry);
        if (!end_row(&query, !query.damaged && visit(context, &entry, err), err))
            return false;
    }
    return false;
}

bool journal_view_leftovers(struct journal_view *view, struct journal_view_leftovers *ret_leftovers,
                            struct error *err)
{
    static const struct journal_column columns[] = {
        JOURNAL_COLUMN(journal_view_leftovers, count, JOURNAL_COUNT),
        JOURNAL_COLUMN(journal_view_leftovers, since, JOURNAL_ANY),
        JOURNAL_COLUMN(journal_view_leftovers, error, JOURNAL_TEXT),
        {.kind = JOURNAL_END}};
    bool found;

    /* With min(), SQLite takes the other columns of the row that has it. */
    return journal_fetch(&view->journal,
                         "SELECT (SELECT count(*) FROM leftover), coalesce(min(at), 0), "
                         "coalesce(last_error, '') FROM leftover WHERE last_error <> ?",
                         VALUES(TEXT("")), columns, ret_leftovers, &found, err);
}

bool journal_view_knows(struct journal_view *view, const char *directory, bool *ret_known,
                        struct error *err)
{
    int64_t one;

    return journal_fetch_number(&view->journal, "SELECT 1 FROM recording WHERE directory = ?",
                                VALUES(DIRECTORY(directory)), &one, ret_known, err);
}

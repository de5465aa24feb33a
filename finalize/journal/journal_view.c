#include "finalize/journal/journal_view.h"

#include "finalize/journal/journal_connect.h"
#include "finalize/journal/journal_private.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDING_ROW JOURNAL_RECORDING_COLUMNS("r.")
#define FILE_ROW      JOURNAL_FILE_COLUMNS("f.")
/* What the bucket holds of a file that is on its way; of the others no parts are kept. */
#define ROWS                                                                                 \
    "SELECT " RECORDING_ROW ", f.id IS NOT NULL, "                                           \
    "(SELECT coalesce(sum(length), 0) FROM part WHERE file_id = f.id), "                     \
    "(SELECT coalesce(sum(length), 0) FROM part WHERE file_id = f.id AND acknowledged_at > " \
    "?), " FILE_ROW " FROM recording r LEFT JOIN file f ON f.recording_id = r.id "
#define ENTRIES                                                                           \
    "SELECT e.id AS id, r.id, session_id, at, coalesce(path, ''), substr(text, 1, 1000) " \
    "FROM event e JOIN recording r ON r.id = e.recording_id LEFT JOIN file f ON f.id = e.file_id "

/* A connection of its own, without the reserve of one that writes. */
struct journal_view {
    struct journal journal;
};

bool journal_view_open(const char *path, struct journal_view **ret_view, struct error *err)
{
    struct journal_view *view = calloc(1, sizeof *view);

    if (!view)
        return error_set(err, ERROR_TRANSIENT, "no memory for the journal %s", path);
    snprintf(view->journal.path, sizeof view->journal.path, "%s", path);
    if (!journal_connect(path, JOURNAL_PATIENCE_MS, &view->journal.database, err)) {
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

/* The visitor's error counts, not what the end of the statement would add. */
static bool end_early(struct journal_query *query)
{
    struct error ignored = ERROR_INIT;

    if (!journal_query_end(query, &ignored))
        return false;
    return false;
}

static void get_row(struct journal_query *query, struct journal_view_row *row)
{
    journal_get_recording(query, &row->recording);
    row->has_file = journal_query_get_integer(query, 0, 1);
    if (!row->has_file)
        return;
    row->file.held_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    row->file.recent_bytes = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    journal_get_file(query, &row->file.file);
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
    if (!journal_begin_query(&view->journal,
                             recording_id ? ROWS "WHERE r.id = ? ORDER BY f.media DESC, f.id"
                                          : ROWS "ORDER BY r.id DESC, f.media DESC, f.id",
                             &query, err))
        return false;
    journal_query_put_integer(&query, recent_after);
    if (recording_id)
        journal_query_put_integer(&query, recording_id);
    while (journal_query_fetch(&query, &found, err)) {
        if (!found)
            return true;
        get_row(&query, &row);
        if (query.damaged || query.status != SQLITE_OK)
            return journal_query_end(&query, err);
        if ((row.recording.id != counted_id &&
             !safety_load(&view->journal, row.recording.id, &row.safety, err)) ||
            !visit(context, &row, err))
            return end_early(&query);
        counted_id = row.recording.id;
    }
    return false;
}

bool journal_view_each_entry(struct journal_view *view, int64_t recording_id, unsigned most,
                             bool (*visit)(void *context, const struct journal_view_entry *event,
                                           struct error *err),
                             void *context, struct error *err)
{
    struct journal_view_entry entry;
    struct journal_query query;
    bool found;

    if (!journal_begin_query(
            &view->journal,
            recording_id ? "SELECT * FROM (" ENTRIES "WHERE e.recording_id = ? ORDER BY "
                           "e.id DESC LIMIT ?) ORDER BY id"
                         : "SELECT * FROM (" ENTRIES "ORDER BY e.id DESC LIMIT ?) ORDER BY id",
            &query, err))
        return false;
    if (recording_id)
        journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, most);
    while (journal_query_fetch(&query, &found, err)) {
        if (!found)
            return true;
        (void)journal_query_get_integer(&query, 1, INT64_MAX); /* its place in the order */
        entry.recording_id = journal_query_get_integer(&query, 1, INT64_MAX);
        journal_query_get_text(&query, entry.session_id, sizeof entry.session_id);
        entry.at = journal_query_get_integer(&query, INT64_MIN, INT64_MAX);
        journal_query_get_text(&query, entry.path, sizeof entry.path);
        journal_query_get_text(&query, entry.text, sizeof entry.text);
        if (query.damaged || query.status != SQLITE_OK)
            return journal_query_end(&query, err);
        if (!visit(context, &entry, err))
            return end_early(&query);
    }
    return false;
}

bool journal_view_knows(struct journal_view *view, const char *directory, bool *ret_known,
                        struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(&view->journal, "SELECT 1 FROM recording WHERE directory = ?", &query,
                             err))
        return false;
    journal_put_path(&query, directory);
    if (!journal_query_fetch(&query, ret_known, err))
        return false;
    return !*ret_known || journal_query_end(&query, err);
}

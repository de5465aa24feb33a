#include "finalize/journal/journal_stats.h"

#include "finalize/journal/journal_private.h"

#include <sqlite3.h>
#include <string.h>

#define STATS_PATIENCE_MS 200u
#define ACCOUNT_PAUSE_MS  5000u

static const char add_sql[] = "INSERT INTO metric (name, labels, value) VALUES (?, ?, ?) "
                              "ON CONFLICT (name, labels) DO UPDATE SET value = value + "
                              "excluded.value";
static const char raise_sql[] = "INSERT INTO metric (name, labels, value) VALUES (?, ?, ?) "
                                "ON CONFLICT (name, labels) DO UPDATE SET value = "
                                "max(value, excluded.value)";
static const char load_sql[] = "SELECT value FROM metric WHERE name = ? AND labels = ?";

/* ---- numbers --------------------------------------------------------------------------------- */

static bool add_cells(struct journal *journal, const struct stats *stats, struct error *err)
{
    struct sqlite3_stmt *add = NULL, *raise = NULL;
    bool ok = true;

    for (unsigned cell = 0; ok && cell < stats_cells(); cell++) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        struct journal_query query;
        bool gauge;

        if (!stats->cells[cell])
            continue;
        stats_cell_key(cell, name, labels, &gauge);
        ok = journal_query_begin(&query, journal->database, journal->path, gauge ? &raise : &add,
                                 gauge ? raise_sql : add_sql, err);
        if (!ok)
            break;
        journal_query_put_text(&query, name);
        journal_query_put_text(&query, labels);
        journal_query_put_unsigned(&query, stats->cells[cell]);
        ok = journal_query_run(&query, err);
    }
    sqlite3_finalize(add);
    sqlite3_finalize(raise);
    return ok;
}

void journal_add_stats(struct journal *journal, struct stats *stats)
{
    struct error ignored = ERROR_INIT;

    if (!stats->changed)
        return;
    journal_set_patience(journal, STATS_PATIENCE_MS);
    if (journal_begin(journal, &ignored)) {
        if (!add_cells(journal, stats, &ignored))
            journal_rollback(journal);
        else if (!journal_commit(journal, &ignored))
            error_clear(&ignored);
    }
    journal_set_patience(journal, JOURNAL_PATIENCE_MS);
    memset(stats, 0, sizeof *stats);
}

void journal_add_account(struct journal *journal, struct journal_account *account, uint64_t now_ms)
{
    if (!account->given_ms)
        account->given_ms = now_ms;
    if (now_ms - account->given_ms < ACCOUNT_PAUSE_MS)
        return;
    account->given_ms = now_ms;
    journal_add_stats(journal, &account->stats);
}

static bool load_cell(struct journal_query *query, uint64_t *ret_value, struct error *err)
{
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (!found)
        return true;
    *ret_value = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
    return journal_query_end(query, err);
}

bool journal_load_stats(struct journal *journal, struct stats *ret_stats, struct error *err)
{
    struct sqlite3_stmt *statement = NULL;
    struct stats stats = {0};
    bool ok = true;

    for (unsigned cell = 0; ok && cell < stats_cells(); cell++) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        struct journal_query query;
        bool gauge;

        stats_cell_key(cell, name, labels, &gauge);
        ok = journal_query_begin(&query, journal->database, journal->path, &statement, load_sql,
                                 err);
        if (!ok)
            break;
        journal_query_put_text(&query, name);
        journal_query_put_text(&query, labels);
        ok = load_cell(&query, &stats.cells[cell], err);
    }
    sqlite3_finalize(statement);
    if (ok)
        *ret_stats = stats;
    return ok;
}

/* ---- rows, counted --------------------------------------------------------------------------- */

/* One number of a statement that has `parameter` as its only parameter; 0 for NULL. */
static bool ask(struct journal *journal, const char *sql, int64_t parameter, int64_t *ret_number,
                struct error *err)
{
    struct sqlite3_stmt *statement = NULL;
    struct journal_query query;
    bool found;
    bool ok = journal_query_begin(&query, journal->database, journal->path, &statement, sql, err);

    if (ok) {
        journal_query_put_integer(&query, parameter);
        ok = journal_query_fetch(&query, &found, err);
    }
    if (ok && found) {
        *ret_number = journal_query_get_integer(&query, INT64_MIN, INT64_MAX);
        ok = journal_query_end(&query, err);
    }
    sqlite3_finalize(statement);
    return ok;
}

bool journal_load_facts(struct journal *journal, struct journal_facts *ret_facts, struct error *err)
{
    struct journal_facts facts = {0};
    int64_t number = 0;

    for (int state = JOURNAL_RECORDING_WORKING; state <= JOURNAL_RECORDING_ABANDONED; state++) {
        if (!ask(journal, "SELECT count(*) FROM recording WHERE state = ?", state, &number, err))
            return false;
        facts.recordings[state] = (uint64_t)number;
    }
    if (!ask(journal,
             "SELECT coalesce(sum(object_bytes), 0) FROM file JOIN recording ON recording.id = "
             "recording_id WHERE file.state = ? AND recording.state NOT IN (4, 6)",
             JOURNAL_FILE_PENDING, &number, err))
        return false;
    facts.unsafe_bytes = (uint64_t)number;
    /* A recording that was sent while it grew is older than its end: its file's last change is what
     * counts. */
    if (!ask(journal,
             "SELECT coalesce(min(coalesce((SELECT max(mtime_ns) / 1000000000 FROM file WHERE "
             "recording_id = recording.id AND media = ?), created_at)), 0) FROM recording WHERE "
             "state IN (1, 2, 3)",
             1, &facts.oldest_unsafe_at, err) ||
        !ask(journal, "SELECT count(*) FROM webhook WHERE id > ?", 0, &number, err))
        return false;
    facts.webhooks = (uint64_t)number;
    *ret_facts = facts;
    return true;
}

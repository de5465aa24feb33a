#include "finalize/journal/journal_stats.h"

#include "finalize/journal/journal_private.h"

#include <string.h>

#define STATS_PATIENCE_MS 200u
#define ACCOUNT_PAUSE_MS  5000u

/* ---- numbers --------------------------------------------------------------------------------- */

static bool add_cells(struct journal *journal, const struct stats *stats, struct error *err)
{
    for (unsigned cell = 0; cell < stats_cells(); cell++) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        bool gauge;

        if (!stats->cells[cell])
            continue;
        stats_cell_key(cell, name, labels, &gauge);
        if (!journal_run_unforced(
                journal,
                gauge ? "INSERT INTO metric (name, labels, value) VALUES (?, ?, ?) ON CONFLICT "
                        "(name, labels) DO UPDATE SET value = max(value, excluded.value)"
                      : "INSERT INTO metric (name, labels, value) VALUES (?, ?, ?) ON CONFLICT "
                        "(name, labels) DO UPDATE SET value = value + excluded.value",
                VALUES(TEXT(name), TEXT(labels), INT(stats->cells[cell])), err))
            return false;
    }
    return true;
}

void journal_add_stats(struct journal *journal, struct stats *stats)
{
    struct error ignored = ERROR_INIT;

    if (!stats->changed)
        return;
    journal_set_patience(journal, STATS_PATIENCE_MS);
    if (journal_begin_unforced_group(journal, &ignored)) {
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

bool journal_load_stats(struct journal *journal, struct stats *ret_stats, struct error *err)
{
    struct stats stats = {0};

    for (unsigned cell = 0; cell < stats_cells(); cell++) {
        char name[STATS_LABELS_SIZE], labels[STATS_LABELS_SIZE];
        int64_t value = 0;
        bool gauge, found;

        stats_cell_key(cell, name, labels, &gauge);
        if (!journal_fetch_number(journal, "SELECT value FROM metric WHERE name = ? AND labels = ?",
                                  VALUES(TEXT(name), TEXT(labels)), &value, &found, err))
            return false;
        stats.cells[cell] = (uint64_t)value;
    }
    *ret_stats = stats;
    return true;
}

/* ---- rows, counted --------------------------------------------------------------------------- */

/* One number of a statement that has `parameter` as its only parameter. */
static bool ask(struct journal *journal, const char *sql, int64_t parameter, int64_t *ret_number,
                struct error *err)
{
    bool found;

    return journal_fetch_number(journal, sql, VALUES(INT(parameter)), ret_number, &found, err);
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
             "SELECT count(*) FROM recording WHERE state = ? AND EXISTS (SELECT 1 FROM file WHERE "
             "recording_id = recording.id AND " JOURNAL_SQL_IS_UNSAFE ")",
             JOURNAL_RECORDING_DONE, &number, err))
        return false;
    facts.lost = (uint64_t)number;
    if (!ask(journal, "SELECT count(*) FROM file WHERE media = 1 AND incomplete = ?", 1, &number,
             err))
        return false;
    facts.incomplete = (uint64_t)number;
    if (!ask(journal,
             "SELECT coalesce(sum(object_bytes), 0) FROM file JOIN recording ON recording.id = "
             "recording_id WHERE file.state = ? AND recording.state NOT IN (" JOURNAL_SQL(
                 DONE) ", " JOURNAL_SQL(ABANDONED) ")",
             JOURNAL_FILE_PENDING, &number, err))
        return false;
    facts.unsafe_bytes = (uint64_t)number;
    /* A recording that was sent while it grew is older than its end: its file's last change is what
     * counts. */
    if (!ask(journal,
             "SELECT coalesce(min(coalesce((SELECT max(mtime_ns) / 1000000000 FROM file WHERE "
             "recording_id = recording.id AND media = 1), created_at)), 0) FROM recording WHERE "
             "state < ?",
             JOURNAL_RECORDING_DONE, &facts.oldest_unsafe_at, err) ||
        !ask(journal, "SELECT count(*) FROM webhook WHERE id > ?", 0, &number, err))
        return false;
    facts.webhooks = (uint64_t)number;
    *ret_facts = facts;
    return true;
}

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

#define FACT(member, ...) JOURNAL_COLUMN(journal_counts, member, __VA_ARGS__)

bool journal_load_counts(struct journal *journal, struct journal_counts *ret_counts,
                         struct error *err)
{
    static const struct journal_column columns[] = {
        FACT(recordings[JOURNAL_RECORDING_WORKING], JOURNAL_SIZE),
        FACT(recordings[JOURNAL_RECORDING_WAITING], JOURNAL_SIZE),
        FACT(recordings[JOURNAL_RECORDING_FAILED], JOURNAL_SIZE),
        FACT(recordings[JOURNAL_RECORDING_DONE], JOURNAL_SIZE),
        FACT(recordings[JOURNAL_RECORDING_RECORDING], JOURNAL_SIZE),
        FACT(recordings[JOURNAL_RECORDING_ABANDONED], JOURNAL_SIZE),
        FACT(lost, JOURNAL_SIZE),
        FACT(incomplete, JOURNAL_SIZE),
        FACT(unsafe_bytes, JOURNAL_SIZE),
        FACT(oldest_unsafe_at, JOURNAL_ANY),
        FACT(webhooks, JOURNAL_SIZE),
        FACT(leftovers, JOURNAL_SIZE),
        {.kind = JOURNAL_END}};
    bool found;

    *ret_counts = (struct journal_counts){0};
    /* A recording that was sent while it grew is older than its end: its file's last change is what
     * counts. */
    return journal_fetch(
        journal,
        "SELECT count(*) FILTER (WHERE state = ?1), count(*) FILTER (WHERE state = ?2), "
        "count(*) FILTER (WHERE state = ?3), count(*) FILTER (WHERE state = ?4), "
        "count(*) FILTER (WHERE state = ?5), count(*) FILTER (WHERE state = ?6), "
        "count(*) FILTER (WHERE state = ?4 AND EXISTS (SELECT 1 FROM file WHERE recording_id = "
        "recording.id AND " JOURNAL_SQL_IS_UNSAFE ")), "
        "(SELECT count(*) FROM file WHERE media = 1 AND incomplete = 1), "
        "(SELECT coalesce(sum(object_bytes), 0) FROM file JOIN recording AS its ON its.id = "
        "recording_id WHERE file.state = ?7 AND its.state NOT IN (?4, ?6)), "
        "coalesce(min(coalesce((SELECT max(mtime_ns) / 1000000000 FROM file WHERE recording_id = "
        "recording.id AND media = 1), created_at)) FILTER (WHERE state < ?4), 0), "
        "(SELECT count(*) FROM webhook), (SELECT count(*) FROM leftover) FROM recording",
        VALUES(INT(JOURNAL_RECORDING_WORKING), INT(JOURNAL_RECORDING_WAITING),
               INT(JOURNAL_RECORDING_FAILED), INT(JOURNAL_RECORDING_DONE),
               INT(JOURNAL_RECORDING_RECORDING), INT(JOURNAL_RECORDING_ABANDONED),
               INT(JOURNAL_FILE_PENDING)),
        columns, ret_counts, &found, err);
}

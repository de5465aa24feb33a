#include "finalize/journal/journal_outbox.h"

#include "finalize/journal/journal_private.h"
#include "finalize/journal/schedule.h"

#include <sqlite3.h>
#include <string.h>

/* Events that no earlier one of the same recording stands before. */
#define FIRST_OF_RECORDING                                                       \
    "NOT EXISTS (SELECT 1 FROM webhook AS earlier WHERE earlier.recording_id = " \
    "webhook.recording_id AND earlier.id < webhook.id)"

/* ---- events ---------------------------------------------------------------------------------- */

static bool drop_oldest(struct journal *journal, unsigned *ret_dropped, struct error *err)
{
    if (!journal_run(journal,
                     "DELETE FROM webhook WHERE id <= (SELECT id FROM webhook ORDER BY id DESC "
                     "LIMIT 1 OFFSET ?)",
                     VALUES(INT(JOURNAL_OUTBOX_MOST - 1)), err))
        return false;
    *ret_dropped = (unsigned)sqlite3_changes(journal->database);
    return true;
}

bool journal_add_webhook(struct journal *journal, int64_t recording_id, const char *event_id,
                         const char *body, int64_t now, unsigned *ret_dropped, struct error *err)
{
    return drop_oldest(journal, ret_dropped, err) &&
           journal_run(journal,
                       "INSERT INTO webhook (recording_id, event_id, at, body, tries, next_try_at, "
                       "last_error) VALUES (?, ?, ?3, ?, 0, ?3, '')",
                       VALUES(INT(recording_id), TEXT(event_id), INT(now), TEXT(body)), err);
}

static bool find_due(struct journal *journal, int64_t recording_id, int64_t now,
                     struct journal_webhook *webhook, bool *ret_found, struct error *err)
{
    struct journal_query query;
    const char *body;
    size_t length;
    bool ok;

    if (!journal_begin_query(
            journal, true,
            "SELECT id, recording_id, event_id, tries, body FROM webhook WHERE (next_try_at <= ? "
            "OR next_try_at > ?) AND (?3 = 0 OR recording_id = ?3) AND " FIRST_OF_RECORDING
            " ORDER BY tries, id LIMIT 1",
            VALUES(INT(now), INT(now + SCHEDULE_EVENT_LONGEST_S + 1), INT(recording_id)), &query,
            err) ||
        !journal_query_fetch(&query, ret_found, err))
        return false;
    if (!*ret_found)
        return true;
    webhook->id = journal_query_get_integer(&query, 1, INT64_MAX);
    webhook->recording_id = journal_query_get_integer(&query, 1, INT64_MAX);
    journal_query_get_text(&query, webhook->event_id, sizeof webhook->event_id);
    webhook->tries = (unsigned)journal_query_get_integer(&query, 0, UINT32_MAX);
    body = (const char *)sqlite3_column_text(query.statement, query.next);
    length = (size_t)sqlite3_column_bytes(query.statement, query.next);
    buffer_init(&webhook->body, JOURNAL_OUTBOX_BODY_BYTES);
    if (body)
        buffer_append(&webhook->body, body, length);
    ok = journal_query_end(&query, err);
    if (ok && (!body || webhook->body.failed))
        ok = error_set(err, ERROR_TRANSIENT, "no memory for an event");
    if (!ok)
        buffer_done(&webhook->body);
    return ok;
}

bool journal_take_webhook(struct journal *journal, int64_t recording_id, int64_t now, int64_t until,
                          struct journal_webhook *ret_webhook, bool *ret_found, struct error *err)
{
    struct journal_webhook webhook = {0};
    bool found = false;

    if (!journal_begin(journal, err))
        return false;
    if (!find_due(journal, recording_id, now, &webhook, &found, err) ||
        (found &&
         !journal_run(journal, "UPDATE webhook SET next_try_at = ?, tries = tries + 1 WHERE id = ?",
                      VALUES(INT(until), INT(webhook.id)), err))) {
        journal_rollback(journal);
        buffer_done(&webhook.body);
        return false;
    }
    if (!journal_commit(journal, err)) {
        buffer_done(&webhook.body);
        return false;
    }
    if (found)
        *ret_webhook = webhook;
    *ret_found = found;
    return true;
}

bool journal_finish_webhook(struct journal *journal, int64_t id, struct error *err)
{
    return journal_run(journal, "DELETE FROM webhook WHERE id = ?", VALUES(INT(id)), err);
}

bool journal_postpone_webhook(struct journal *journal, int64_t id, int64_t at,
                              const char *last_error, bool all, struct error *err)
{
    return journal_run(journal, "UPDATE webhook SET next_try_at = ?, last_error = ? WHERE id = ?",
                       VALUES(INT(at), TEXT(last_error), INT(id)), err) &&
           (!all || journal_run(journal, "UPDATE webhook SET next_try_at = max(next_try_at, ?)",
                                VALUES(INT(at)), err));
}

bool journal_next_webhook_at(struct journal *journal, int64_t now, int64_t *ret_at,
                             struct error *err)
{
    bool found;

    return journal_fetch_number(
        journal,
        "SELECT coalesce(min(CASE WHEN next_try_at > ?2 THEN ?1 ELSE next_try_at END), 0) FROM "
        "webhook WHERE " FIRST_OF_RECORDING,
        VALUES(INT(now), INT(now + SCHEDULE_EVENT_LONGEST_S + 1)), ret_at, &found, err);
}

/* ---- what they are made of ------------------------------------------------------------------- */

bool journal_load_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced *ret_announced, unsigned *ret_files,
                            struct error *err)
{
    struct announced {
        enum journal_announced event;
        unsigned files;
    } announced = {JOURNAL_ANNOUNCED_NOTHING, 0};
    static const struct journal_column columns[] = {
        JOURNAL_COLUMN(announced, event, JOURNAL_INTEGER, JOURNAL_ANNOUNCED_UPLOADED,
                       JOURNAL_ANNOUNCED_FAILED),
        JOURNAL_COLUMN(announced, files, JOURNAL_COUNT),
        {.kind = JOURNAL_END}};
    bool found;

    if (!journal_fetch(journal, "SELECT event, files FROM announcement WHERE recording_id = ?",
                       VALUES(INT(recording_id)), columns, &announced, &found, err))
        return false;
    *ret_announced = announced.event;
    *ret_files = announced.files;
    return true;
}

bool journal_save_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced announced, unsigned files, struct error *err)
{
    return journal_run(
        journal,
        "INSERT INTO announcement (recording_id, event, files) VALUES (?, ?, ?) ON CONFLICT "
        "(recording_id) DO UPDATE SET event = excluded.event, files = excluded.files",
        VALUES(INT(recording_id), INT(announced), INT(files)), err);
}

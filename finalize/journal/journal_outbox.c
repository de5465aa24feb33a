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
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "DELETE FROM webhook WHERE id <= (SELECT id FROM webhook ORDER BY id DESC LIMIT 1 "
            "OFFSET ?)",
            &query, err))
        return false;
    journal_query_put_integer(&query, JOURNAL_OUTBOX_MOST - 1);
    if (!journal_query_run(&query, err))
        return false;
    *ret_dropped = (unsigned)sqlite3_changes(journal->database);
    return true;
}

bool journal_add_webhook(struct journal *journal, int64_t recording_id, const char *event_id,
                         const char *body, int64_t now, unsigned *ret_dropped, struct error *err)
{
    struct journal_query query;

    if (!drop_oldest(journal, ret_dropped, err) ||
        !journal_begin_query(
            journal,
            "INSERT INTO webhook (recording_id, event_id, at, body, tries, next_try_at, "
            "last_error) VALUES (?, ?, ?, ?, 0, ?, '')",
            &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_query_put_text(&query, event_id);
    journal_query_put_integer(&query, now);
    journal_query_put_text(&query, body);
    journal_query_put_integer(&query, now);
    return journal_query_run(&query, err);
}

static bool fetch(struct journal_query *query, struct journal_webhook *webhook, bool *ret_found,
                  struct error *err)
{
    static const size_t size = JOURNAL_OUTBOX_BODY_BYTES + 1;
    char *body;
    bool ok;

    if (!journal_query_fetch(query, ret_found, err))
        return false;
    if (!*ret_found)
        return true;
    body = sqlite3_malloc64(size);
    if (!body) {
        query->status = SQLITE_NOMEM;
        return journal_query_end(query, err);
    }
    webhook->id = journal_query_get_integer(query, 1, INT64_MAX);
    webhook->recording_id = journal_query_get_integer(query, 1, INT64_MAX);
    journal_query_get_text(query, webhook->event_id, sizeof webhook->event_id);
    webhook->tries = (unsigned)journal_query_get_integer(query, 0, UINT32_MAX);
    journal_query_get_text(query, body, size);
    ok = journal_query_end(query, err);
    buffer_init(&webhook->body, JOURNAL_OUTBOX_BODY_BYTES);
    if (ok)
        buffer_append_text(&webhook->body, body);
    if (ok && webhook->body.failed)
        ok = error_set(err, ERROR_TRANSIENT, "no memory for an event");
    sqlite3_free(body);
    if (!ok)
        buffer_done(&webhook->body);
    return ok;
}

static bool find_due(struct journal *journal, int64_t recording_id, int64_t now,
                     struct journal_webhook *webhook, bool *ret_found, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "SELECT id, recording_id, event_id, tries, body FROM webhook WHERE (next_try_at <= ? "
            "OR next_try_at > ?3) AND (?2 = 0 OR recording_id = ?2) AND " FIRST_OF_RECORDING
            " ORDER BY tries, id LIMIT 1",
            &query, err))
        return false;
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, now + SCHEDULE_EVENT_LONGEST_S + 1);
    return fetch(&query, webhook, ret_found, err);
}

static bool hold(struct journal *journal, int64_t id, int64_t until, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "UPDATE webhook SET next_try_at = ?, tries = tries + 1 WHERE id = ?",
                             &query, err))
        return false;
    journal_query_put_integer(&query, until);
    journal_query_put_integer(&query, id);
    return journal_query_run(&query, err);
}

bool journal_take_webhook(struct journal *journal, int64_t recording_id, int64_t now, int64_t until,
                          struct journal_webhook *ret_webhook, bool *ret_found, struct error *err)
{
    struct journal_webhook webhook = {0};
    bool found = false;

    if (!journal_begin(journal, err))
        return false;
    if (!find_due(journal, recording_id, now, &webhook, &found, err) ||
        (found && !hold(journal, webhook.id, until, err))) {
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
    struct journal_query query;

    if (!journal_begin_query(journal, "DELETE FROM webhook WHERE id = ?", &query, err))
        return false;
    journal_query_put_integer(&query, id);
    return journal_query_run(&query, err);
}

bool journal_postpone_webhook(struct journal *journal, int64_t id, int64_t at,
                              const char *last_error, bool all, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal,
                             "UPDATE webhook SET next_try_at = ?, last_error = ? WHERE id = ?",
                             &query, err))
        return false;
    journal_query_put_integer(&query, at);
    journal_query_put_text(&query, last_error);
    journal_query_put_integer(&query, id);
    if (!journal_query_run(&query, err))
        return false;
    if (!all)
        return true;
    if (!journal_begin_query(journal, "UPDATE webhook SET next_try_at = max(next_try_at, ?)",
                             &query, err))
        return false;
    journal_query_put_integer(&query, at);
    return journal_query_run(&query, err);
}

bool journal_next_webhook_at(struct journal *journal, int64_t now, int64_t *ret_at,
                             struct error *err)
{
    struct journal_query query;
    bool found;

    if (!journal_begin_query(journal,
                             "SELECT coalesce(min(CASE WHEN next_try_at > ?2 THEN ?1 ELSE "
                             "next_try_at END), 0) FROM webhook WHERE " FIRST_OF_RECORDING,
                             &query, err))
        return false;
    journal_query_put_integer(&query, now);
    journal_query_put_integer(&query, now + SCHEDULE_EVENT_LONGEST_S + 1);
    if (!journal_query_fetch(&query, &found, err))
        return false;
    if (!found)
        return true;
    *ret_at = journal_query_get_integer(&query, 0, INT64_MAX);
    return journal_query_end(&query, err);
}

/* ---- what they are made of ------------------------------------------------------------------- */

bool journal_load_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced *ret_announced, unsigned *ret_files,
                            struct error *err)
{
    struct journal_query query;
    bool found;

    *ret_announced = JOURNAL_ANNOUNCED_NOTHING;
    *ret_files = 0;
    if (!journal_begin_query(
            journal, "SELECT event, files FROM announcement WHERE recording_id = ?", &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    if (!journal_query_fetch(&query, &found, err))
        return false;
    if (!found)
        return true;
    *ret_announced = (enum journal_announced)journal_query_get_integer(
        &query, JOURNAL_ANNOUNCED_UPLOADED, JOURNAL_ANNOUNCED_FAILED);
    *ret_files = (unsigned)journal_query_get_integer(&query, 0, UINT32_MAX);
    return journal_query_end(&query, err);
}

bool journal_save_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced announced, unsigned files, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(
            journal,
            "INSERT INTO announcement (recording_id, event, files) VALUES (?, ?, ?) ON CONFLICT "
            "(recording_id) DO UPDATE SET event = excluded.event, files = excluded.files",
            &query, err))
        return false;
    journal_query_put_integer(&query, recording_id);
    journal_query_put_integer(&query, announced);
    journal_query_put_integer(&query, files);
    return journal_query_run(&query, err);
}

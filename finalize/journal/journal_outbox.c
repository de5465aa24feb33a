#include "finalize/journal/journal_outbox.h"

#include "finalize/journal/journal_private.h"

#include <sqlite3.h>
#include <string.h>

/* Events that no earlier one of the same recording stands before. */
#define FIRST_OF_RECORDING                                                       \
    "NOT EXISTS (SELECT 1 FROM webhook AS earlier WHERE earlier.recording_id = " \
    "webhook.recording_id AND earlier.id < webhook.id)"

/* A statement that is run once in a while: prepared, used and dropped. */
struct once {
    struct journal_query query;
    struct sqlite3_stmt *statement;
};

static bool begin(struct journal *journal, struct once *once, const char *sql, struct error *err)
{
    once->statement = NULL;
    return journal_query_begin(&once->query, journal->database, journal->path, &once->statement,
                               sql, err);
}

static bool run(struct once *once, struct error *err)
{
    bool ok = journal_query_run(&once->query, err);

    sqlite3_finalize(once->statement);
    return ok;
}

/* ---- events ---------------------------------------------------------------------------------- */

static bool drop_oldest(struct journal *journal, unsigned *ret_dropped, struct error *err)
{
    struct once once;

    if (!begin(journal, &once,
               "DELETE FROM webhook WHERE id <= (SELECT id FROM webhook ORDER BY id DESC LIMIT 1 "
               "OFFSET ?)",
               err))
        return false;
    journal_query_put_integer(&once.query, JOURNAL_OUTBOX_MOST - 1);
    if (!run(&once, err))
        return false;
    *ret_dropped = (unsigned)sqlite3_changes(journal->database);
    return true;
}

bool journal_add_webhook(struct journal *journal, int64_t recording_id, const char *event_id,
                         const char *body, int64_t now, unsigned *ret_dropped, struct error *err)
{
    struct once once;

    if (!drop_oldest(journal, ret_dropped, err) ||
        !begin(journal, &once,
               "INSERT INTO webhook (recording_id, event_id, at, body, tries, next_try_at, "
               "last_error) VALUES (?, ?, ?, ?, 0, ?, '')",
               err))
        return false;
    journal_query_put_integer(&once.query, recording_id);
    journal_query_put_text(&once.query, event_id);
    journal_query_put_integer(&once.query, now);
    journal_query_put_text(&once.query, body);
    journal_query_put_integer(&once.query, now);
    return run(&once, err);
}

static bool fetch(struct once *once, struct journal_webhook *webhook, bool *ret_found,
                  struct error *err)
{
    static const size_t size = JOURNAL_OUTBOX_BODY_BYTES + 1;
    char *body;
    bool ok;

    if (!journal_query_fetch(&once->query, ret_found, err))
        return false;
    if (!*ret_found)
        return true;
    body = sqlite3_malloc64(size);
    if (!body) {
        once->query.status = SQLITE_NOMEM;
        return journal_query_end(&once->query, err);
    }
    webhook->id = journal_query_get_integer(&once->query, 1, INT64_MAX);
    webhook->recording_id = journal_query_get_integer(&once->query, 1, INT64_MAX);
    journal_query_get_text(&once->query, webhook->event_id, sizeof webhook->event_id);
    webhook->tries = (unsigned)journal_query_get_integer(&once->query, 0, UINT32_MAX);
    journal_query_get_text(&once->query, body, size);
    ok = journal_query_end(&once->query, err);
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
    struct once once;
    bool ok;

    if (!begin(journal, &once,
               "SELECT id, recording_id, event_id, tries, body FROM webhook WHERE next_try_at <= ? "
               "AND (?2 = 0 OR recording_id = ?2) AND " FIRST_OF_RECORDING
               " ORDER BY tries, id LIMIT 1",
               err))
        return false;
    journal_query_put_integer(&once.query, now);
    journal_query_put_integer(&once.query, recording_id);
    ok = fetch(&once, webhook, ret_found, err);
    sqlite3_finalize(once.statement);
    return ok;
}

static bool hold(struct journal *journal, int64_t id, int64_t until, struct error *err)
{
    struct once once;

    if (!begin(journal, &once, "UPDATE webhook SET next_try_at = ?, tries = tries + 1 WHERE id = ?",
               err))
        return false;
    journal_query_put_integer(&once.query, until);
    journal_query_put_integer(&once.query, id);
    return run(&once, err);
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
    struct once once;

    if (!begin(journal, &once, "DELETE FROM webhook WHERE id = ?", err))
        return false;
    journal_query_put_integer(&once.query, id);
    return run(&once, err);
}

bool journal_postpone_webhook(struct journal *journal, int64_t id, int64_t at,
                              const char *last_error, bool all, struct error *err)
{
    struct once once;

    if (!begin(journal, &once, "UPDATE webhook SET next_try_at = ?, last_error = ? WHERE id = ?",
               err))
        return false;
    journal_query_put_integer(&once.query, at);
    journal_query_put_text(&once.query, last_error);
    journal_query_put_integer(&once.query, id);
    if (!run(&once, err))
        return false;
    if (!all)
        return true;
    if (!begin(journal, &once, "UPDATE webhook SET next_try_at = max(next_try_at, ?)", err))
        return false;
    journal_query_put_integer(&once.query, at);
    return run(&once, err);
}

bool journal_next_webhook_at(struct journal *journal, int64_t *ret_at, struct error *err)
{
    struct once once;
    bool found;
    bool ok;

    if (!begin(journal, &once,
               "SELECT coalesce(min(next_try_at), 0) FROM webhook WHERE " FIRST_OF_RECORDING, err))
        return false;
    ok = journal_query_fetch(&once.query, &found, err);
    if (ok && found) {
        *ret_at = journal_query_get_integer(&once.query, 0, INT64_MAX);
        ok = journal_query_end(&once.query, err);
    }
    sqlite3_finalize(once.statement);
    return ok;
}

/* ---- what they are made of ------------------------------------------------------------------- */

bool journal_load_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced *ret_announced, unsigned *ret_files,
                            struct error *err)
{
    struct once once;
    bool found;
    bool ok;

    *ret_announced = JOURNAL_ANNOUNCED_NOTHING;
    *ret_files = 0;
    if (!begin(journal, &once, "SELECT event, files FROM announcement WHERE recording_id = ?", err))
        return false;
    journal_query_put_integer(&once.query, recording_id);
    ok = journal_query_fetch(&once.query, &found, err);
    if (ok && found) {
        *ret_announced = (enum journal_announced)journal_query_get_integer(
            &once.query, JOURNAL_ANNOUNCED_UPLOADED, JOURNAL_ANNOUNCED_FAILED);
        *ret_files = (unsigned)journal_query_get_integer(&once.query, 0, UINT32_MAX);
        ok = journal_query_end(&once.query, err);
    }
    sqlite3_finalize(once.statement);
    return ok;
}

bool journal_save_announced(struct journal *journal, int64_t recording_id,
                            enum journal_announced announced, unsigned files, struct error *err)
{
    struct once once;

    if (!begin(journal, &once,
               "INSERT INTO announcement (recording_id, event, files) VALUES (?, ?, ?) ON CONFLICT "
               "(recording_id) DO UPDATE SET event = excluded.event, files = excluded.files",
               err))
        return false;
    journal_query_put_integer(&once.query, recording_id);
    journal_query_put_integer(&once.query, announced);
    journal_query_put_integer(&once.query, files);
    return run(&once, err);
}

bool journal_load_digest(struct journal *journal, int64_t file_id, char ret_hex[DIGEST_SHA256_HEX],
                         struct error *err)
{
    struct once once;
    bool found;
    bool ok;

    ret_hex[0] = 0;
    if (!begin(journal, &once, "SELECT sha256 FROM digest WHERE file_id = ?", err))
        return false;
    journal_query_put_integer(&once.query, file_id);
    ok = journal_query_fetch(&once.query, &found, err);
    if (ok && found) {
        journal_query_get_text(&once.query, ret_hex, DIGEST_SHA256_HEX);
        ok = journal_query_end(&once.query, err);
    }
    sqlite3_finalize(once.statement);
    return ok;
}

bool journal_save_digest(struct journal *journal, int64_t file_id, const char *hex,
                         struct error *err)
{
    struct once once;

    if (!begin(journal, &once,
               "INSERT INTO digest (file_id, sha256) VALUES (?, ?) ON CONFLICT (file_id) DO UPDATE "
               "SET sha256 = excluded.sha256",
               err))
        return false;
    journal_query_put_integer(&once.query, file_id);
    journal_query_put_text(&once.query, hex);
    return run(&once, err);
}

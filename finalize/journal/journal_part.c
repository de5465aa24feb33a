#include "finalize/journal/journal_private.h"

static bool load_part(struct journal_query *query, struct journal_part *ret_part, bool *ret_found,
                      struct error *err)
{
    struct journal_part part = {0};
    bool found;

    if (!journal_query_fetch(query, &found, err))
        return false;
    if (found) {
        part.number = (unsigned)journal_query_get_integer(query, 1, S3_MAX_PARTS);
        part.length = (uint64_t)journal_query_get_integer(query, 0, INT64_MAX);
        part.has_fingerprint =
            journal_query_get_bytes(query, part.fingerprint, sizeof part.fingerprint);
        journal_query_get_text(query, part.etag, sizeof part.etag);
        part.acknowledged_at = journal_query_get_integer(query, INT64_MIN, INT64_MAX);
        if (!journal_query_end(query, err))
            return false;
        *ret_part = part;
    }
    *ret_found = found;
    return true;
}

/* `number`: the part's, or the one to begin after. */
static bool load_part_by(struct journal *journal, enum journal_statement statement, int64_t file_id,
                         unsigned number, struct journal_part *ret_part, bool *ret_found,
                         struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, statement, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return load_part(&query, ret_part, ret_found, err);
}

bool journal_find_part(struct journal *journal, int64_t file_id, unsigned number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal, JOURNAL_SQL_FIND_PART, file_id, number, ret_part, ret_found, err);
}

bool journal_next_part(struct journal *journal, int64_t file_id, unsigned after_number,
                       struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    return load_part_by(journal, JOURNAL_SQL_NEXT_PART, file_id, after_number, ret_part, ret_found,
                        err);
}

bool journal_save_part(struct journal *journal, int64_t file_id, const struct journal_part *part,
                       struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_SAVE_PART, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, part->number);
    journal_query_put_unsigned(&query, part->length);
    if (part->has_fingerprint)
        journal_query_put_bytes(&query, part->fingerprint, sizeof part->fingerprint);
    else
        journal_query_put_null(&query);
    journal_query_put_text(&query, part->etag);
    journal_query_put_integer(&query, part->acknowledged_at);
    return journal_query_change_row(&query, NULL, err);
}

bool journal_forget_part(struct journal *journal, int64_t file_id, unsigned number,
                         struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_FORGET_PART, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    journal_query_put_integer(&query, number);
    return journal_query_run(&query, err);
}

bool journal_forget_parts(struct journal *journal, int64_t file_id, struct error *err)
{
    struct journal_query query;

    if (!journal_begin_query(journal, JOURNAL_SQL_FORGET_PARTS, &query, err))
        return false;
    journal_query_put_integer(&query, file_id);
    return journal_query_run(&query, err);
}

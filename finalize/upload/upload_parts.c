#include "finalize/upload/upload_parts.h"

#include "finalize/s3/part.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#define MAX_SIGNINGS 4u

void upload_parts_begin(struct upload_parts *parts, unsigned at_once)
{
    unsigned slots = at_once + UPLOAD_PARTS_READ_AHEAD;

    parts->all_held = parts->gone = false;
    parts->error = (struct error)ERROR_INIT;
    parts->count = part_count(parts->file->part_plan, parts->file->object_bytes);
    if (parts->count > S3_MAX_PARTS) /* more than an object can be: said when it is finished */
        parts->count = S3_MAX_PARTS;
    parts->next_number = 1;
    parts->slot_count = slots < UPLOAD_PARTS_MAX_SLOTS ? slots : UPLOAD_PARTS_MAX_SLOTS;
    parts->busy = 0;
    parts->acknowledged = 0;
    memset(parts->slots, 0, sizeof parts->slots);
    parts->streak = (struct retry_streak){0};
    parts->bytes_held = 0;
    parts->bytes_kept = 0;
}

static struct reconcile_file file_of(const struct upload_parts *parts)
{
    return (struct reconcile_file){.plan = parts->file->part_plan,
                                   .size_bytes = parts->file->object_bytes,
                                   .growing = parts->growing,
                                   .fragmented = parts->fragmented};
}

static struct part_range range_of(const struct upload_parts *parts, unsigned part_number)
{
    return part_range_in(parts->file->part_plan, part_number, parts->file->object_bytes);
}

static void free_slot(struct upload_parts *parts, struct upload_slot *slot)
{
    *slot = (struct upload_slot){.part_number = 0};
    parts->busy--;
}

static void fail(struct upload_parts *parts, const struct error *error)
{
    if (parts->error.kind == ERROR_NONE)
        parts->error = *error;
}

static bool has_ended(const struct upload_parts *parts)
{
    return parts->all_held || parts->gone || parts->error.kind != ERROR_NONE;
}

/* ---- what a slot waits for ------------------------------------------------------------------- */

static bool is_waiting(const struct upload_slot *slot)
{
    return slot->part_number && !slot->under_way;
}

/* ---- what to do next ------------------------------------------------------------------------ */

static void ask_to_read(const struct upload_parts *parts, unsigned index, struct upload_slot *slot,
                        bool md5_for_comparison, struct upload_step *ret_step)
{
    struct part_range range = range_of(parts, slot->part_number);
    unsigned wants = slot->verifying ? 0 : HASHER_WANTS_SHA256;

    if (md5_for_comparison || (!slot->verifying && parts->content_md5))
        wants |= HASHER_WANTS_MD5;
    slot->under_way = true;
    *ret_step = (struct upload_step){.kind = UPLOAD_STEP_READ, .slot = index + 1};
    ret_step->read.offset = range.offset;
    ret_step->read.length = range.length;
    ret_step->read.wants = wants;
}

static void ask_to_send(const struct upload_parts *parts, unsigned index, struct upload_slot *slot,
                        struct upload_step *ret_step)
{
    struct part_range range = range_of(parts, slot->part_number);

    slot->under_way = true;
    if (slot->again) {
        resend_add(parts->resends, slot->again, range.length);
        stats_add(parts->stats, STATS_RESENT_PARTS, 0, 0, 1);
        stats_add(parts->stats, STATS_RESENT_BYTES, 0, 0, range.length);
    }
    *ret_step = (struct upload_step){.kind = UPLOAD_STEP_REQUEST, .slot = index + 1};
    ret_step->call = (struct s3_call){
        .operation = S3_UPLOAD_PART,
        .key = parts->file->key,
        .upload_id = parts->file->upload_id,
        .part_number = slot->part_number,
        .fd = parts->fd,
        .offset = range.offset,
        .length = range.length,
        .payload_sha256 = slot->sha256_hex,
        .content_md5 = slot->md5_base64[0] ? slot->md5_base64 : NULL,
    };
}

/* Of the slots that may be sent now, the one with the lowest part number; else when one may be. */
static struct upload_slot *find_ready(struct upload_parts *parts, uint64_t now_ms,
                                      uint64_t *ret_until_ms)
{
    struct upload_slot *found = NULL;

    *ret_until_ms = UINT64_MAX;
    for (unsigned i = 0; i < parts->slot_count; i++) {
        struct upload_slot *slot = &parts->slots[i];

        if (!is_waiting(slot) || !slot->sha256_hex[0])
            continue;
        if (slot->not_before_ms > now_ms) {
            if (slot->not_before_ms < *ret_until_ms)
                *ret_until_ms = slot->not_before_ms;
        } else if (!found || slot->part_number < found->part_number) {
            found = slot;
        }
    }
    return found;
}

static struct upload_slot *find_to_read(struct upload_parts *parts)
{
    for (unsigned i = 0; i < parts->slot_count; i++)
        if (is_waiting(&parts->slots[i]) && !parts->slots[i].sha256_hex[0])
            return &parts->slots[i];
    return NULL;
}

static struct upload_slot *find_free(struct upload_parts *parts)
{
    for (unsigned i = 0; i < parts->slot_count; i++)
        if (!parts->slots[i].part_number)
            return &parts->slots[i];
    return NULL;
}

/* Puts the next part of the plan that there is something to do about into a free slot. */
static bool take_next_part(struct upload_parts *parts, struct upload_slot *slot,
                           struct upload_step *ret_step, struct error *err)
{
    struct reconcile_file file = file_of(parts);

    while (parts->next_number <= parts->count) {
        unsigned number = parts->next_number;
        struct journal_part held;
        enum reconcile_verdict verdict;
        bool found;

        if (!journal_find_part(parts->journal, parts->file->id, number, &held, &found, err))
            return false;
        parts->next_number++;
        verdict = reconcile_part(&file, number, found ? &held : NULL, NULL);
        if (verdict == RECONCILE_NOT_YET)
            continue;
        if (verdict == RECONCILE_HELD) {
            parts->bytes_held += held.length;
            parts->bytes_kept += held.length;
            continue;
        }
        *slot = (struct upload_slot){.part_number = number,
                                     .verifying = verdict == RECONCILE_VERIFY,
                                     .again = reconcile_reason(&file, found ? &held : NULL)};
        parts->busy++;
        ask_to_read(parts, (unsigned)(slot - parts->slots), slot,
                    slot->verifying && !held.has_fingerprint, ret_step);
        return true;
    }
    return true;
}

/* Once the walk is over, what waits in its slot is never asked for: only what is under way counts.
 */
static void drop_waiting(struct upload_parts *parts)
{
    for (unsigned i = 0; i < parts->slot_count; i++)
        if (is_waiting(&parts->slots[i]))
            free_slot(parts, &parts->slots[i]);
}

bool upload_parts_next(struct upload_parts *parts, bool may_send, uint64_t now_ms,
                       struct upload_step *ret_step, struct error *err)
{
    struct upload_slot *slot;
    uint64_t until_ms;

    *ret_step = (struct upload_step){.kind = UPLOAD_STEP_NONE};
    if (has_ended(parts)) {
        drop_waiting(parts);
        return true;
    }
    slot = find_ready(parts, now_ms, &until_ms);
    if (slot && may_send) {
        ask_to_send(parts, (unsigned)(slot - parts->slots), slot, ret_step);
        return true;
    }
    slot = find_to_read(parts);
    if (slot) {
        ask_to_read(parts, (unsigned)(slot - parts->slots), slot, false, ret_step);
        return true;
    }
    slot = find_free(parts);
    if (slot && !take_next_part(parts, slot, ret_step, err))
        return false;
    if (ret_step->kind != UPLOAD_STEP_NONE)
        return true;
    if (!parts->busy) {
        parts->all_held = true;
    } else if (until_ms != UINT64_MAX) {
        ret_step->kind = UPLOAD_STEP_PAUSE;
        ret_step->until_ms = until_ms;
    }
    return true;
}

/* ---- what came of it ------------------------------------------------------------------------ */

static void take_unreadable(struct upload_parts *parts, const struct hasher_result *result)
{
    struct error error = ERROR_INIT;

    if (result->read_errno)
        error_set_errno(&error, ERROR_PERMANENT, result->read_errno, "cannot read %s",
                        parts->file->path);
    else
        error_set(&error, ERROR_CHANGED, "%s became shorter while it was uploaded",
                  parts->file->path);
    fail(parts, &error);
}

/* The bucket holds the part of this slot, and it stays. */
static bool keep_part(struct upload_parts *parts, struct upload_slot *slot,
                      struct journal_part *held, const struct hasher_result *result,
                      struct error *err)
{
    if (!held->has_fingerprint) {
        held->has_fingerprint = true;
        memcpy(held->fingerprint, result->fingerprint, sizeof held->fingerprint);
        if (!journal_save_part(parts->journal, parts->file->id, held, err))
            return false;
    }
    parts->bytes_held += held->length;
    parts->bytes_kept += held->length;
    stats_add(parts->stats, STATS_VERIFIED_PARTS, 0, 0, 1);
    stats_add(parts->stats, STATS_VERIFIED_BYTES, 0, 0, held->length);
    free_slot(parts, slot);
    return true;
}

static bool take_comparison(struct upload_parts *parts, struct upload_slot *slot,
                            const struct hasher_result *result, struct error *err)
{
    struct reconcile_file file = file_of(parts);
    struct journal_part held;
    bool found;

    if (!journal_find_part(parts->journal, parts->file->id, slot->part_number, &held, &found, err))
        return false;
    if (reconcile_part(&file, slot->part_number, found ? &held : NULL, result) == RECONCILE_HELD)
        return keep_part(parts, slot, &held, result, err);
    slot->verifying = false; /* to be read again, with the digests that a request needs */
    return true;
}

bool upload_parts_take_bytes(struct upload_parts *parts, unsigned slot_number,
                             const struct hasher_result *result, struct error *err)
{
    struct upload_slot *slot = &parts->slots[slot_number - 1];

    assert(slot->under_way && !slot->sha256_hex[0]);
    slot->under_way = false;
    if (!result->whole) {
        take_unreadable(parts, result);
        free_slot(parts, slot);
        return true;
    }
    if (slot->verifying)
        return take_comparison(parts, slot, result, err);
    memcpy(slot->fingerprint, result->fingerprint, sizeof slot->fingerprint);
    memcpy(slot->sha256_hex, result->sha256_hex, sizeof slot->sha256_hex);
    memcpy(slot->md5_base64, result->md5_base64, sizeof slot->md5_base64);
    return true;
}

static bool take_acknowledgement(struct upload_parts *parts, struct upload_slot *slot,
                                 const struct s3_result *result, int64_t now, struct error *err)
{
    struct journal_part part = {
        .number = slot->part_number, .has_fingerprint = true, .acknowledged_at = now};

    part.length = range_of(parts, slot->part_number).length;
    memcpy(part.fingerprint, slot->fingerprint, sizeof part.fingerprint);
    memcpy(part.etag, result->etag, sizeof part.etag);
    if (!journal_save_part(parts->journal, parts->file->id, &part, err))
        return false;
    retry_succeeded(&parts->streak);
    parts->acknowledged++;
    parts->bytes_held += part.length;
    free_slot(parts, slot);
    return true;
}

static void try_again(struct upload_parts *parts, struct upload_slot *slot,
                      const struct s3_result *result, uint64_t now_ms)
{
    slot->tries++;
    slot->again = resend_reason_of(result);
    if (!retry_goes_on(&parts->streak,
                       &(struct retry_failure){slot->tries, result->retry_after_ms, now_ms},
                       parts->patience_ms, parts->rng, &slot->not_before_ms)) {
        fail(parts, &result->error);
        free_slot(parts, slot);
        return;
    }
    if (slot->again == RESEND_DAMAGED)
        slot->sha256_hex[0] = 0; /* to be read again */
}

bool upload_parts_take_reply(struct upload_parts *parts, unsigned slot_number,
                             const struct s3_result *result, uint64_t now_ms, int64_t now,
                             struct error *err)
{
    struct upload_slot *slot = &parts->slots[slot_number - 1];

    assert(slot->under_way && slot->sha256_hex[0]);
    slot->under_way = false;
    switch (result->outcome) {
    case S3_DONE:
        return take_acknowledgement(parts, slot, result, now, err);
    case S3_SIGN_AGAIN:
        if (++slot->signings > MAX_SIGNINGS) { /* fails like any other request, with an end */
            try_again(parts, slot, result, now_ms);
            return true;
        }
        slot->again = RESEND_SIGNATURE;
        return true;
    case S3_RETRY:
    case S3_SLOW_DOWN:
        try_again(parts, slot, result, now_ms);
        return true;
    case S3_NO_SUCH_UPLOAD:
        parts->gone = true;
        break;
    default:
        fail(parts, &result->error);
        break;
    }
    free_slot(parts, slot);
    return true;
}

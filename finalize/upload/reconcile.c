#include "finalize/upload/reconcile.h"

#include "finalize/s3/part.h"

#include <string.h>
#include <strings.h>

static bool may_still_change(const struct reconcile_file *file, unsigned number)
{
    struct part_range whole = part_range(file->plan, number);

    if (!file->growing)
        return false;
    return (number == 1 && !file->fragmented) || whole.offset + whole.length > file->size_bytes;
}

static bool same_bytes(const struct journal_part *held, const struct hasher_result *bytes)
{
    if (held->has_fingerprint)
        return !memcmp(held->fingerprint, bytes->fingerprint, sizeof held->fingerprint);
    return bytes->md5_hex[0] && !strcasecmp(held->etag, bytes->md5_hex);
}

enum reconcile_verdict reconcile_part(const struct reconcile_file *file, unsigned number,
                                      const struct journal_part *held,
                                      const struct hasher_result *bytes)
{
    if (may_still_change(file, number))
        return RECONCILE_NOT_YET;
    if (!held || held->length != part_range_in(file->plan, number, file->size_bytes).length)
        return RECONCILE_SEND;
    if (file->growing) /* verified once the file is finished */
        return RECONCILE_HELD;
    if (!bytes)
        return RECONCILE_VERIFY;
    return same_bytes(held, bytes) ? RECONCILE_HELD : RECONCILE_SEND;
}

enum resend_reason reconcile_reason(const struct reconcile_file *file,
                                    const struct journal_part *held)
{
    if (!held)
        return RESEND_NOT;
    if (held->has_fingerprint)
        return file->fragmented && held->number == 1 ? RESEND_INDEXED : RESEND_BYTES_CHANGED;
    return held->acknowledged_at ? RESEND_ETAG_DIFFERS : RESEND_UNACKNOWLEDGED;
}

bool reconcile_fits(const struct reconcile_file *file, unsigned highest_held_number)
{
    return highest_held_number <= part_count(file->plan, file->size_bytes);
}

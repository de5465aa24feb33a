#include "finalize/upload/upload_listing.h"

#include "finalize/s3/part.h"

#include <stdio.h>
#include <string.h>

/* Forgets the journal's parts above `compared` and below `number`. *ret_part: the one at `number`.
 */
static bool forget_up_to(struct upload_listing *listing, unsigned number,
                         struct journal_part *ret_part, bool *ret_found, struct error *err)
{
    for (;;) {
        if (!journal_next_part(listing->journal, listing->file_id, listing->compared, ret_part,
                               ret_found, err))
            return false;
        if (!*ret_found || ret_part->number >= number)
            break;
        if (!journal_forget_part(listing->journal, listing->file_id, ret_part->number, err))
            return false;
        resend_add(listing->resends, RESEND_NOT_LISTED, ret_part->length);
    }
    *ret_found = *ret_found && ret_part->number == number;
    return true;
}

static bool compare_item(struct upload_listing *listing, const struct s3_xml_item *item,
                         struct error *err)
{
    struct journal_part part;
    bool found;

    if (!forget_up_to(listing, item->part_number, &part, &found, err))
        return false;
    listing->compared = item->part_number;
    listing->highest_listed = item->part_number;
    if (found && part.length == item->size_bytes && !strcmp(part.etag, item->etag))
        return true;
    part = (struct journal_part){.number = item->part_number,
                                 .length = item->size_bytes,
                                 .acknowledged_at = found ? part.acknowledged_at : 0};
    snprintf(part.etag, sizeof part.etag, "%s", item->etag);
    return journal_save_part(listing->journal, listing->file_id, &part, err);
}

static bool compare_items(struct upload_listing *listing, const struct s3_xml_listing *page,
                          struct error *err)
{
    struct journal_part part;
    bool found;

    for (size_t i = 0; i < page->count; i++)
        if (page->items[i].part_number > listing->compared &&
            !compare_item(listing, &page->items[i], err))
            return false;
    if (page->truncated)
        return true;
    return forget_up_to(listing, S3_MAX_PARTS + 1, &part, &found, err);
}

bool upload_listing_compare(struct upload_listing *listing, const struct s3_xml_listing *page,
                            struct error *err)
{
    struct upload_listing compared = *listing;

    if (!journal_begin(listing->journal, err))
        return false;
    if (!compare_items(&compared, page, err) || !journal_commit(listing->journal, err)) {
        journal_rollback(listing->journal);
        return false;
    }
    *listing = compared;
    return true;
}

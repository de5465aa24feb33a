/*
 * reconcile - which parts of a file the bucket does not hold yet. The only upload algorithm there
 * is.
 *
 * Compares the file as it is now with what the journal says the bucket acknowledged, part by part.
 * Pure: reading bytes is asked for by RECONCILE_VERIFY and done elsewhere.
 */
#pragma once

#include "finalize/hash/hasher.h"
#include "finalize/journal/journal.h"
#include "finalize/upload/resend.h"

#include <stdbool.h>
#include <stdint.h>

struct reconcile_file {
    struct part_plan plan;
    uint64_t size_bytes; /* as of now */
    bool growing;    /* its writer has not finished: the first part and the tail may still change */
    bool fragmented; /* a recording in fragments: its first part changes only when it gets its
                        index, and is worth having in the bucket should that never be */
};

enum reconcile_verdict {
    RECONCILE_HELD,   /* the bucket holds these very bytes */
    RECONCILE_VERIFY, /* the bucket acknowledged this part: compare its bytes, then ask again */
    RECONCILE_SEND,   /* the bucket does not hold these bytes */
    RECONCILE_NOT_YET /* may still change: not to be sent while the file grows */
};

/*
 * Judges part `number`. `held` is what the bucket acknowledged of it (NULL: nothing), `bytes` what
 * the disk holds now (NULL: not read). A part known from ListParts alone has no fingerprint: it
 * counts as held when its ETag is the MD5 of the bytes, which it is on servers that do not encrypt.
 */
enum reconcile_verdict reconcile_part(const struct reconcile_file *file, unsigned number,
                                      const struct journal_part *held,
                                      const struct hasher_result *bytes);

/* Why a part of which the bucket holds, or held, `held` (NULL: nothing) is to be sent: RESEND_NOT
 * for the first time. */
enum resend_reason reconcile_reason(const struct reconcile_file *file,
                                    const struct journal_part *held);

/*
 * False when the bucket holds a part that the file does not have (it was replaced by a shorter
 * one): since Complete must list every part that was uploaded, such an upload is aborted and begun
 * again.
 */
bool reconcile_fits(const struct reconcile_file *file, unsigned highest_held_number);

/*
 * webhook_event - the JSON of one event. Knows what is in it, and not when there is one.
 *
 * An event names the first files of a recording, as many as there is room for, and counts the rest.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/buffer.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

#define WEBHOOK_EVENT_VERSION    2
#define WEBHOOK_EVENT_MOST_FILES 200u

struct webhook_event {
    const char *name; /* "recording.uploaded", … */
    const char *id;
    int64_t at;
    const struct journal_recording *row;
    const char *metadata; /* metadata.members of metadata.h, or NULL */
};

/* Appends the event's JSON to `out`, an empty buffer whose ceiling is JOURNAL_OUTBOX_BODY_BYTES.
 * Fails when the journal does; without memory `out` is left failed. */
bool webhook_event_write(const struct settings *settings, struct journal *journal,
                         const struct webhook_event *event, struct buffer *out, struct error *err)
    __attribute__((warn_unused_result));

/*
 * policy - what is to be done about a session directory, from what is known of it.
 *
 * Pure: the facts are gathered, and the decision is carried out, elsewhere. Times are seconds since
 * 1970.
 */
#ifndef WATCHER_POLICY_H
#define WATCHER_POLICY_H

#include "config/settings.h"
#include "finalize/journal/journal.h"
#include "finalize/session/open_writer.h"

#include <stdbool.h>
#include <stdint.h>

struct policy_facts {
    bool known; /* to the journal; the following three mean something then */
    enum journal_recording_state state;
    int64_t next_try_at;
    bool handed_over; /* Jibri's finalizer left it to the watcher */

    bool exists;             /* the directory does; down to `ahead` they mean something then */
    bool has_media;          /* else it is no recording */
    bool locked;             /* somebody works on it */
    bool has_parts;          /* finished parts that the bucket does not hold */
    enum open_writer writer; /* of any file in it */
    int64_t changed_at;      /* when something last changed in it, by now */
    int64_t ahead;      /* the latest change whose time has not come yet: a clock was set back, or
                           differs; 0: none. For the caller to make sense of. */
    int64_t gone_since; /* when it was first seen not to exist */
};

enum policy_action {
    POLICY_NOTHING,
    POLICY_SEND_PARTS, /* of what is still being recorded */
    POLICY_FINALIZE,
    POLICY_GIVE_UP /* it vanished */
};

struct policy_decision {
    enum policy_action action;
    int64_t look_at;    /* look again then; 0: when something happens */
    const char *reason; /* a literal for the log, NULL when there is nothing to say */
};

/* A recording whose directory has been gone for so long is given up. */
#define POLICY_GONE_FOR_S (24 * 3600)

struct policy_decision policy_decide(const struct settings *settings,
                                     const struct policy_facts *facts, int64_t now);

#endif

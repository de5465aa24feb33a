/*
 * removal - when a local file goes: once it is safe, and as far as the keep-local policy allows.
 *
 * A media file goes once its row says SAFE: confirmed in the bucket, and known to the backend. The
 * other files go once every media file of the session is safe, since a person who has to repair
 * something wants them at hand. What an earlier run confirmed is looked for once more before its
 * local copy goes: when it is not in the bucket any more, it is to be sent again.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"
#include "finalize/session/session_dir.h"

#include <stdbool.h>
#include <stdint.h>

struct removal {
    const struct settings *settings; /* both borrowed */
    struct journal *journal;
    int64_t run_began_at; /* what is safe since then was confirmed by this run */
    /* Whether the object of `file` is in the bucket still. Fails when that can't be known. */
    bool (*is_stored)(void *context, const struct journal_file *file, bool *ret_stored,
                      struct error *err);
    /* A local copy was removed; `path` "" for the session directory itself. */
    void (*removed)(void *context, const char *session_id, const char *path);
    /* A local copy stays: it is not known whether its object is in the bucket, or the object is not
     * there any more. Or a recording could not be freed by removal_sweep(); the others are. */
    void (*failed)(void *context, const char *session_id, const struct error *error);
    void *context;
    bool no_answer;   /* for removal.c: the server did not answer, and is not asked again */
    unsigned missing; /* files that are to be sent again; their rows are PENDING */
};

/*
 * Removes what may go at `now` of the recording of `session_dir`, whose lock is held, then the
 * directory when it is empty. ERROR_CHANGED when a file is not the one that was uploaded: it stays;
 * the others are removed.
 */
bool removal_run(struct removal *removal, struct session_dir *session_dir, int64_t recording_id,
                 int64_t now, bool *ret_directory_removed, struct error *err)
    __attribute__((warn_unused_result));

/* The directory of `row` vanished: so did the copies that were kept in it, unless it is its volume
 * that is not mounted. */
bool removal_note_vanished(struct journal *journal, const struct journal_recording *row,
                           int64_t now, struct error *err) __attribute__((warn_unused_result));

/*
 * Does so for all recordings of the journal whose keep-local period is over, at the end of a run
 * that was about one of them: where no watcher runs, nothing else removes what was kept "for 48
 * hours". Passes over recordings that another process works on; one of which a file is to be sent
 * again is WAITING, and due. Fails only when the journal does.
 */
bool removal_sweep(struct removal *removal, int64_t now, struct error *err)
    __attribute__((warn_unused_result));

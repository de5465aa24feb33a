/*
 * live - sends the finished parts of a recording while Jibri still writes it.
 *
 * Under the same journal, upload id and part plan as the finalizer, which goes on from there: it
 * compares every part with the finished file. Never the first part (ffmpeg writes its header last)
 * and never the tail. One call sends what there is now; it holds the recording's lock meanwhile.
 */
#ifndef FINALIZE_LIVE_H
#define FINALIZE_LIVE_H

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/journal/journal.h"

#include <stdbool.h>
#include <stdint.h>

struct live_options {
    const struct settings *settings;
    int stop_fd; /* as in finalizer.h */
    bool (*stop_requested)(void *context);
    /* A request failed and is tried again, or something worth knowing; one sentence. */
    void (*remark)(void *context, const char *session_id, const char *path, const char *sentence);
    void *context;
};

struct live_summary {
    uint64_t bytes_sent;
    uint64_t bytes_held; /* by the bucket, of all files that grow */
};

/*
 * True when all that can be sent now is in the bucket, or when somebody else works on the recording
 * or waits to. ERROR_STOPPED after a stop; else as finalizer_run().
 */
bool live_run(const struct live_options *options, const char *path,
              struct live_summary *ret_summary, struct error *err)
    __attribute__((warn_unused_result));

/* How many parts of a file of `size_bytes` that still grows could be in the bucket by now. */
unsigned live_sendable_parts(uint64_t part_size_bytes, uint64_t size_bytes);

/*
 * True when the bucket has not acknowledged all parts of the file that can be sent by now. `file`:
 * its row, NULL when it has none; `size_bytes`: its size now.
 */
bool live_has_work(struct journal *journal, const struct settings *settings,
                   const struct journal_file *file, uint64_t size_bytes, bool *ret_work,
                   struct error *err) __attribute__((warn_unused_result));

#endif

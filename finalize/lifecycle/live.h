/*
 * live - sends the finished parts of a recording while Jibri still writes it.
 *
 * Under the same journal, upload id and part plan as the finalizer, which goes on from there: it
 * compares every part with the finished file. Never the tail; and the first part, whose header
 * ffmpeg writes last, only of a recording in fragments, so that what the bucket has of it plays
 * (its index changes that part once more). One call sends what there is now; it holds the
 * recording's lock meanwhile.
 */
#pragma once

#include "finalize/lifecycle/run_options.h"

/*
 * True when all that can be sent now is in the bucket, or when another process works on the
 * recording or waits to. ERROR_STOPPED after a stop; else as finalizer_run(). Of `options`, only
 * what every run needs is looked at.
 */
bool live_run(const struct run_options *options, const char *path, struct run_summary *ret_summary,
              struct error *err) __attribute__((warn_unused_result));

/* How many parts of a file of `size_bytes` that still grows are whole, from the first on. */
unsigned live_sendable_parts(struct part_plan plan, uint64_t size_bytes);

struct live_look { /* all borrowed */
    struct journal *journal;
    const struct settings *settings;
    struct session_dir *session_dir;
};

/*
 * *ret_work: the bucket has not acknowledged all parts of the file that can be sent by now. `file`:
 * its row, NULL when it has none; `path`: within the session directory; `size_bytes`: its size now.
 * Reads the file's head only when its first part is all that is left.
 */
bool live_has_work(const struct live_look *look, const struct journal_file *file, const char *path,
                   uint64_t size_bytes, bool *ret_work, struct error *err)
    __attribute__((warn_unused_result));

/*
 * live - sends the finished parts of a recording while Jibri still writes it.
 *
 * Under the same journal, upload id and part plan as the finalizer, which goes on from there: it
 * compares every part with the finished file. Never the first part (ffmpeg writes its header last)
 * and never the tail. One call sends what there is now; it holds the recording's lock meanwhile.
 */
#ifndef FINALIZE_LIVE_H
#define FINALIZE_LIVE_H

#include "finalize/lifecycle/run_options.h"

/*
 * True when all that can be sent now is in the bucket, or when another process works on the
 * recording or waits to. ERROR_STOPPED after a stop; else as finalizer_run(). Of `options`, only
 * what every run needs is looked at.
 */
bool live_run(const struct run_options *options, const char *path, struct run_summary *ret_summary,
              struct error *err) __attribute__((warn_unused_result));

/* How many parts of a file of `size_bytes` that still grows could be in the bucket by now. */
unsigned live_sendable_parts(struct part_plan plan, uint64_t size_bytes);

/*
 * True when the bucket has not acknowledged all parts of the file that can be sent by now. `file`:
 * its row, NULL when it has none; `size_bytes`: its size now.
 */
bool live_has_work(struct journal *journal, const struct settings *settings,
                   const struct journal_file *file, uint64_t size_bytes, bool *ret_work,
                   struct error *err) __attribute__((warn_unused_result));

#endif

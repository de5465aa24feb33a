/*
 * abort_upload - aborting a multipart upload that will not be completed, since it is paid for.
 */
#ifndef FINALIZE_ABORT_UPLOAD_H
#define FINALIZE_ABORT_UPLOAD_H

#include "finalize/base/error.h"
#include "finalize/http/loop.h"
#include "finalize/journal/journal.h"
#include "finalize/s3/s3.h"

#include <stdbool.h>

/*
 * Aborts the upload of `file`, if it has one, and forgets its parts; waits for the server for ten
 * seconds at most, until `deadline_ms` (clock_now_ms()) or a request to stop. True when there is no
 * upload any more. When the server can't be asked, the row stays as it is, for another time.
 */
bool abort_upload(struct loop *loop, struct s3 *s3, struct journal *journal,
                  struct journal_file *file, uint64_t deadline_ms, struct error *err)
    __attribute__((warn_unused_result));

#endif

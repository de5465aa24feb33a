/*
 * abandon - giving up a multipart upload that nobody will complete, since it is paid for.
 */
#ifndef FINALIZE_ABORT_UPLOAD_H
#define FINALIZE_ABORT_UPLOAD_H

#include "finalize/base/error.h"
#include "finalize/http/loop.h"
#include "finalize/journal/journal.h"
#include "finalize/s3/s3.h"

#include <stdbool.h>

/*
 * Aborts the upload of `file`, if it has one, and forgets its parts. True when there is none any
 * more. When the server can't be asked, the row stays as it is, for another time.
 */
bool abort_upload(struct loop *loop, struct s3 *s3, struct journal *journal,
                  struct journal_file *file, struct error *err) __attribute__((warn_unused_result));

#endif

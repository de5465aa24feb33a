#include "finalize/s3/s3_operation.h"

#include <stddef.h>

const char *const s3_operation_names[] = {
    [S3_HEAD_OBJECT] = "HeadObject",
    [S3_GET_RANGE] = "GetObject",
    [S3_PUT_OBJECT] = "PutObject",
    [S3_CREATE_UPLOAD] = "CreateMultipartUpload",
    [S3_UPLOAD_PART] = "UploadPart",
    [S3_LIST_PARTS] = "ListParts",
    [S3_COMPLETE_UPLOAD] = "CompleteMultipartUpload",
    [S3_ABORT_UPLOAD] = "AbortMultipartUpload",
    [S3_LIST_UPLOADS] = "ListMultipartUploads",
    [S3_DELETE_OBJECT] = "DeleteObject",
    NULL,
};

const char *const s3_outcome_names[] = {
    [S3_DONE] = "done",
    [S3_NO_SUCH_KEY] = "no_such_key",
    [S3_NO_SUCH_UPLOAD] = "no_such_upload",
    [S3_KEY_TAKEN] = "key_taken",
    [S3_BAD_PART] = "bad_part",
    [S3_SIGN_AGAIN] = "sign_again",
    [S3_ASK_REASON] = "ask_reason",
    [S3_SLOW_DOWN] = "slow_down",
    [S3_RETRY] = "retry",
    [S3_REFUSED] = "refused",
    NULL,
};

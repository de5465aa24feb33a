/*
 * s3_limits - the sizes of what S3 names: keys, upload ids, ETags, and our own mark of an object.
 *
 * For those who store these without speaking to a server (the journal, keys).
 */
#ifndef FINALIZE_S3_LIMITS_H
#define FINALIZE_S3_LIMITS_H

#define S3_MAX_KEY_BYTES    1024
#define S3_ETAG_SIZE        128 /* an ETag without its quotes, and the NUL */
#define S3_UPLOAD_ID_SIZE   1024
#define S3_MARK_SIZE        33   /* our own mark of an object: 32 hex digits and the NUL */
#define S3_MAX_LISTED_PARTS 1000 /* in one page of ListParts */

#endif

/*
 * s3_limits - the sizes of what S3 names: keys, upload ids, ETags, our own mark of an object, and
 * how many parts of which size an upload may have.
 *
 * For code that stores these and sends no requests (the journal, keys).
 */
#pragma once

#define S3_MAX_KEY_BYTES  1024
#define S3_ETAG_SIZE      128 /* an ETag without its quotes, and the NUL */
#define S3_UPLOAD_ID_SIZE 1024
#define S3_MARK_SIZE      33  /* our own mark of an object: 32 hex digits and the NUL */
#define S3_LOCATION_SIZE  512 /* see s3_location.h */
/* User metadata may have 2 KB in all, names counted; the settings take 1 KB of it. */
#define S3_SESSION_SIZE     513  /* a session id as metadata, and the NUL */
#define S3_INSTANCE_SIZE    257  /* an instance id, likewise */
#define S3_MAX_LISTED_PARTS 1000 /* in one page of ListParts */
#define S3_MAX_PARTS        10000u
#define S3_MIN_PART_BYTES   (UINT64_C(5) << 20) /* of all parts but the last */
#define S3_MAX_PART_BYTES   (UINT64_C(5) << 30)

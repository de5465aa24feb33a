/*
 * s3_location - where objects lie, as one text: the server and the bucket,
 * "storage.example.net/recordings".
 *
 * Kept with what was sent, so that it is not looked for elsewhere after the settings changed. The
 * scheme is no part of it: the objects are the same by http and https.
 */
#pragma once

#include "config/settings.h"
#include "finalize/s3/s3_limits.h"

#include <stdbool.h>

/* Where the settings say. */
void s3_location_write(const struct settings *settings, char ret_location[S3_LOCATION_SIZE]);

/* The bucket's name within it. */
const char *s3_location_bucket(const char *location);

/* Whether the settings reach it: "" (of a journal that did not note it) or any bucket of their
 * server. */
bool s3_location_is_reached(const char *location, const struct settings *settings);

/*
 * check_old - what `check` finds of an earlier installation, of finalize-s3.sh and the AWS CLI.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>

/*
 * Each finding is said; `wrong`: recordings do not get to the bucket as they should. What Jibri
 * calls (JIBRI_FINALIZE_RECORDING_SCRIPT_PATH, else finalize-s3.sh of the PATH) when it is not this
 * program, the secret in ~/.aws, and sessions in `recordings_dir` ("": not looked at) that
 * the journal does not know. Calls `say` once a finding; texts are borrowed.
 */
void check_old(const struct settings *settings, const char *recordings_dir,
               void (*say)(void *context, bool wrong, const char *subject, const char *text,
                           const char *advice),
               void *context);

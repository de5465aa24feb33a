/*
 * check_old - what `check` finds of the installation before: of finalize-s3.sh and the AWS CLI.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>

/*
 * Each finding is said; `wrong`: recordings do not get to the bucket as they should. What Jibri
 * calls (JIBRI_FINALIZE_RECORDING_SCRIPT_PATH, else finalize-s3.sh of the PATH) when it is not this
 * program, the secret in ~/.aws, and sessions that were left in `recordings_dir` ("": not looked
 * at). Says nothing where there is nothing.
 */
void check_old(const struct settings *settings, const char *recordings_dir,
               void (*say)(void *context, bool wrong, const char *subject, const char *text,
                           const char *advice),
               void *context);

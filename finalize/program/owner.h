/*
 * owner - whose recordings they are, and becoming that user.
 *
 * `docker exec` runs commands as root. A journal or a file that root makes is one that Jibri's user
 * cannot write: so root becomes the owner of the recordings directory before anything is opened or
 * made. What only root can read (a file of settings) is to be read before.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>

/*
 * As root: becomes the owner and the group of `directory`, for good and without other groups;
 * nothing is done when that is root, or when the directory isn't there. For any other user, does
 * nothing.
 */
bool owner_become(const char *directory, struct error *err) __attribute__((warn_unused_result));

/* Room for owner_may_use()'s advice. */
#define OWNER_ADVICE_SIZE 256

/*
 * Whether this user may use the journal (that needn't be there). ERROR_PERMANENT when it is another
 * user's; `ret_advice` says how to call the program as that one.
 */
bool owner_may_use(const char *journal, char ret_advice[OWNER_ADVICE_SIZE], struct error *err)
    __attribute__((warn_unused_result));

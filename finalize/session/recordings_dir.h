/*
 * recordings_dir - where Jibri's recordings are.
 */
#ifndef FINALIZE_RECORDINGS_DIR_H
#define FINALIZE_RECORDINGS_DIR_H

#include "config/settings.h"

/* CONFOMEET_RECORDINGS_DIR, or else the first of the images' directories that exists:
 * /config/recordings, /storage/recordings. NULL when there is none. Borrowed. */
const char *recordings_dir_of(const struct settings *settings);

#endif

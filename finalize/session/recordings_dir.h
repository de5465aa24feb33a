/*
 * recordings_dir - where Jibri's recordings are.
 */
#pragma once

#include "config/settings.h"

#include <stdbool.h>
#include <stdint.h>

/* CONFOMEET_RECORDINGS_DIR, or else the first of the images' directories that exists:
 * /config/recordings, /storage/recordings. NULL when there is none. Borrowed. */
const char *recordings_dir_of(const struct settings *settings);

/* The directory's inode, 0 when it is not there. A mount point has another one than the root of the
 * file system that is mounted there: it tells whether that is, however devices are numbered. */
uint64_t recordings_dir_inode(const char *directory);

/* Whether `directory` is there, and is the one whose inode was once noted (0: it was not). */
bool recordings_dir_is_same(const char *directory, uint64_t inode);

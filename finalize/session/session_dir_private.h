/*
 * session_dir_private - what session_dir.c, session_dir_scan.c and session_dir_remove.c share.
 */
#pragma once

#include "finalize/session/session_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#define SESSION_DIR_OURS       ".jibri-finalize" /* holds the journal; never part of a session */
#define SESSION_DIR_OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

struct session_dir {
    int fd;                 /* of the directory; its flock() is the lock */
    const char *session_id; /* within path */
    char path[SESSION_PATH_SIZE];
    char parent[SESSION_PATH_SIZE];
};

/* What a failed system call's errno means for a session. */
enum error_kind session_dir_error_kind(int errno_value);

/* The errno of a name that isn't there any more, or is of another kind than it was. */
bool session_dir_is_gone(int errno_value);

struct file_identity session_dir_identity_of(const struct stat *status);

/* ERROR_PERMANENT unless `path` stays within the session directory, by names alone. A path comes
 * back from the journal, and a damaged one must not lead elsewhere. */
bool session_dir_check_path(const char *path, struct error *err)
    __attribute__((warn_unused_result));

/* For reading the names of the directory `fd` from the first on; `fd` stays the caller's. NULL and
 * errno. */
DIR *session_dir_open_list(int fd);

/* Opens the directory that holds the last name of a checked path, without following a link; that
 * name is borrowed from `path`. The caller closes it. -1 and errno. */
int session_dir_open_holder(const struct session_dir *session, const char *path,
                            const char **ret_name);

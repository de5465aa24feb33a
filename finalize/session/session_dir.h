/*
 * session_dir - a session directory: its lock, its files, and the only unlink() of them.
 *
 * Links are never followed, neither the files themselves nor directories on the way to them. Paths
 * are relative to the session directory, "/" between names, any bytes but NUL.
 */
#pragma once

#include "finalize/base/error.h"

#include <stdbool.h>
#include <stdint.h>

#define SESSION_PATH_SIZE 4096
#define SESSION_NAME_SIZE 256
#define SESSION_MAX_DEPTH 16 /* directories below the session directory */

/*
 * Tells whether a file still is the one that it was: another file, or one that was written to,
 * differs. The device number is not part of it: LVM, btrfs, NFS and the order in which disks
 * are found give a file system another number after a reboot. An inode that is used again brings
 * another mtime, which counts nanoseconds.
 */
struct file_identity {
    uint64_t inode;
    uint64_t size_bytes;
    int64_t mtime_ns; /* since 1970 */
};

bool file_identity_same(const struct file_identity *a, const struct file_identity *b);

struct session_dir;

/*
 * Opens the session directory `path` (a link to it is followed). ERROR_NO_INPUT when it isn't there
 * or is no directory; ERROR_USAGE when it is a recordings directory, not a session's (it holds a
 * ".jibri-finalize" directory), when it is or lies in a ".jibri-finalize" directory, or when it is
 * "/"; ERROR_PERMANENT when it can't be read.
 */
bool session_dir_open(const char *path, struct session_dir **ret_session, struct error *err)
    __attribute__((warn_unused_result));

/* What the names of a directory that is not there would be: `ret_path` absolute, with the links
 * above it resolved if they can be, and the directory above. False: no memory, or too long. */
bool session_dir_name_vanished(const char *path, char ret_parent[SESSION_PATH_SIZE],
                               char ret_path[SESSION_PATH_SIZE])
    __attribute__((warn_unused_result));

void session_dir_close(struct session_dir *session); /* also gives the lock back */

/* Borrowed: the absolute path with links resolved; its last name; the directory above. */
const char *session_dir_path(const struct session_dir *session);
const char *session_dir_session_id(const struct session_dir *session);
const char *session_dir_parent(const struct session_dir *session);

/*
 * Tries to take the recording's lock: flock() on the directory itself, so that it ends with its
 * holder and leaves no trace. *ret_locked is false when another process has it. Never waits.
 */
bool session_dir_try_lock(struct session_dir *session, bool *ret_locked, struct error *err)
    __attribute__((warn_unused_result));

/* False once the directory was removed or another one stands in its place. */
bool session_dir_still_there(const struct session_dir *session);

struct session_dir_file {
    const char *path; /* borrowed, during the call */
    bool media;       /* by the visitor's list */
    struct file_identity identity;
};

struct session_dir_visitor {
    void *context;
    const char *media; /* endings: see file_name.h */
    /* One regular file. False (and `err` filled) ends the scan. */
    bool (*file)(void *context, const struct session_dir_file *found, struct error *err);
    /* Something that is passed over, with the reason: "a symbolic link", "a FIFO", "a socket", "a
     * device", "nested too deep", "not readable: …", "the journal's directory". May be NULL. */
    void (*skipped)(void *context, const char *path, const char *reason);
    /* A file or a directory that cannot be read (EIO, ESTALE, …): there may be more in it. The scan
     * goes on; false (and `err` filled) ends it. NULL: such an entry ends the scan. */
    bool (*unreadable)(void *context, const char *path, int errno_value, struct error *err);
};

/* Visits all files, recursively, in byte order of the names within each directory (so that every
 * run sees them alike). */
bool session_dir_scan(struct session_dir *session, const struct session_dir_visitor *visitor,
                      struct error *err) __attribute__((warn_unused_result));

/* Opens a file for reading (below: for writing, too). ERROR_CHANGED when it isn't there or isn't a
 * regular file any more. Never waits on a FIFO. The caller closes *ret_fd. */
bool session_dir_open_file(struct session_dir *session, const char *path, int *ret_fd,
                           struct file_identity *ret_identity, struct error *err)
    __attribute__((warn_unused_result));
bool session_dir_open_file_to_write(struct session_dir *session, const char *path, int *ret_fd,
                                    struct error *err) __attribute__((warn_unused_result));
/* What an open file is now. False when it can't be told. */
bool session_dir_identify(int fd, struct file_identity *ret_identity);

/*
 * Removes a file, provided that it still is `expected`; ERROR_CHANGED and nothing removed when it's
 * another. A file that is gone already is success, also when something that is no file (a link, a
 * directory) is in its place, which stays. Directories below the session directory that become
 * empty go with it. The directory entry's removal is synced to disk.
 */
bool session_dir_remove_file(struct session_dir *session, const char *path,
                             const struct file_identity *expected, struct error *err)
    __attribute__((warn_unused_result));

/* Removes the session directory when nothing is in it (empty directories within go too);
 * *ret_removed tells. Not being empty is no error; being gone already counts as removed;
 * ERROR_CHANGED when another directory is in its place. */
bool session_dir_remove_directory(struct session_dir *session, bool *ret_removed, struct error *err)
    __attribute__((warn_unused_result));

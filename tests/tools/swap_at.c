/*
 * swap_at - puts something else in a file's place at a chosen instant: preloaded (LD_PRELOAD), it
 * counts the calls of the process that name the file, and acts right before one of them.
 *
 *   SWAP_PATH=PATH    the file or directory
 *   SWAP_AWAY=PATH    where it is moved to
 *   SWAP_TARGET=PATH  where the symbolic link points to that takes its place; without: it is a FIFO
 *   SWAP_AT=N         right before the N-th call (from 1)
 *
 * Calls are told by the last name in their path. The system is called without libc in between, so
 * that nothing here is counted itself.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are to be two functions here */
#undef _FORTIFY_SOURCE   /* and none of them an inline one */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define PUBLIC __attribute__((visibility("default")))

static atomic_long call_count;

static const char *last_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static void swap(const char *path)
{
    const char *away = getenv("SWAP_AWAY");
    const char *target = getenv("SWAP_TARGET");

    if (!away || syscall(SYS_renameat2, AT_FDCWD, path, AT_FDCWD, away, RENAME_NOREPLACE))
        return; /* it is gone by now */
    if (target && syscall(SYS_symlinkat, target, AT_FDCWD, path))
        abort();
    if (!target && syscall(SYS_mknodat, AT_FDCWD, path, S_IFIFO | 0600, 0))
        abort();
}

static void look_at(const char *path)
{
    const char *watched = getenv("SWAP_PATH");
    const char *at = getenv("SWAP_AT");
    int saved_errno = errno;

    if (!watched || !path || strcmp(last_name(path), last_name(watched)))
        return;
    if (at && ++call_count == atol(at))
        swap(watched);
    errno = saved_errno;
}

/* ---- calls ----------------------------------------------------------------------------------- */

static int open_any(int directory, const char *path, int flags, mode_t mode)
{
    look_at(path);
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

static mode_t mode_of(int flags, va_list arguments)
{
    return flags & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
}

#define DEFINE_OPEN(name)                             \
    PUBLIC int name(const char *path, int flags, ...) \
    {                                                 \
        va_list arguments;                            \
        mode_t mode;                                  \
                                                      \
        va_start(arguments, flags);                   \
        mode = mode_of(flags, arguments);             \
        va_end(arguments);                            \
        return open_any(AT_FDCWD, path, flags, mode); \
    }
#define DEFINE_OPENAT(name)                                          \
    PUBLIC int name(int directory, const char *path, int flags, ...) \
    {                                                                \
        va_list arguments;                                           \
        mode_t mode;                                                 \
                                                                     \
        va_start(arguments, flags);                                  \
        mode = mode_of(flags, arguments);                            \
        va_end(arguments);                                           \
        return open_any(directory, path, flags, mode);               \
    }

DEFINE_OPEN(open)
DEFINE_OPEN(open64)
DEFINE_OPENAT(openat)
DEFINE_OPENAT(openat64)

/* What these are called in programs that are built with _FORTIFY_SOURCE. */
PUBLIC int __open_2(const char *path, int flags);
PUBLIC int __open_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

PUBLIC int __open64_2(const char *path, int flags);
PUBLIC int __open64_2(const char *path, int flags)
{
    return open_any(AT_FDCWD, path, flags, 0);
}

PUBLIC int __openat_2(int directory, const char *path, int flags);
PUBLIC int __openat_2(int directory, const char *path, int flags)
{
    return open_any(directory, path, flags, 0);
}

PUBLIC int __openat64_2(int directory, const char *path, int flags);
PUBLIC int __openat64_2(int directory, const char *path, int flags)
{
    return open_any(directory, path, flags, 0);
}

static int look(int directory, const char *path, void *status, int flags)
{
    look_at(path);
    return (int)syscall(SYS_newfstatat, directory, path, status, flags);
}

PUBLIC int fstatat(int directory, const char *path, struct stat *status, int flags)
{
    return look(directory, path, status, flags);
}

PUBLIC int fstatat64(int directory, const char *path, struct stat64 *status, int flags)
{
    return look(directory, path, status, flags);
}

PUBLIC int lstat(const char *path, struct stat *status)
{
    return look(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

PUBLIC int lstat64(const char *path, struct stat64 *status)
{
    return look(AT_FDCWD, path, status, AT_SYMLINK_NOFOLLOW);
}

PUBLIC int unlinkat(int directory, const char *path, int flags)
{
    look_at(path);
    return (int)syscall(SYS_unlinkat, directory, path, flags);
}

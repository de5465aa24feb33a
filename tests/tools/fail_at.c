/*
 * fail_at - lets one system call of a program fail: preloaded (LD_PRELOAD), it counts the calls of
 * each kind, and answers the chosen one with an error instead of passing it on.
 *
 *   FAIL_CALL=NAME      of the list below: open, read, …
 *   FAIL_AT=K           the K-th call of that kind (from 1); 0: none, calls are only counted
 *   FAIL_ERRNO=NUMBER   what it fails with
 *   FAIL_FOREVER=1      each later one fails as well; default: once
 *   FAIL_COUNTERS=FILE  where calls are counted: a page of 64-bit numbers in the list's order,
 * shared by all processes that name the file. The last number is how many calls were made to fail.
 *   FAIL_ROLE=TEXT      only in processes one of whose arguments is TEXT; "!TEXT": in those without
 *
 * Calls that a library makes for itself within libc (malloc's mmap, getaddrinfo's files) are not
 * seen. The system is called without libc in between, so that nothing here is counted itself.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are to be two functions here */
#undef _FORTIFY_SOURCE   /* and none of them an inline one */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "an off_t is one argument of a system call");

#define PUBLIC        __attribute__((visibility("default")))
#define PAGE          4096u
#define COUNTER_COUNT (PAGE / 8)
#define MAP_FLAGS     0x01 /* MAP_SHARED; <sys/mman.h> would declare mmap64 as mmap's alias */
#define MAP_PROTECT   0x03 /* PROT_READ | PROT_WRITE */

enum call {
    CALL_OPEN,
    CALL_READ,
    CALL_PREAD,
    CALL_WRITE,
    CALL_PWRITE,
    CALL_FSYNC,
    CALL_FDATASYNC,
    CALL_FTRUNCATE,
    CALL_FSTAT,
    CALL_GETDENTS,
    CALL_RENAME,
    CALL_UNLINK,
    CALL_RMDIR,
    CALL_FLOCK,
    CALL_SOCKET,
    CALL_CONNECT,
    CALL_MMAP,
    CALL_COUNT
};

static const char *const names[CALL_COUNT] = {
    "open",     "read",   "pread",  "write", "pwrite", "fsync",  "fdatasync", "ftruncate", "fstat",
    "getdents", "rename", "unlink", "rmdir", "flock",  "socket", "connect",   "mmap"};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static enum call wanted = CALL_COUNT;
static uint64_t fail_at;
static int fail_errno;
static bool forever;
static _Atomic uint64_t own_counters[COUNTER_COUNT];
static _Atomic uint64_t *counters = own_counters;
static bool watched = true;

/* Whether one of this process's arguments is the text. */
static bool has_argument(const char *text)
{
    char arguments[16384];
    long fd = syscall(SYS_openat, AT_FDCWD, "/proc/self/cmdline", O_RDONLY | O_CLOEXEC, 0);
    ssize_t length = fd < 0 ? 0 : syscall(SYS_read, fd, arguments, sizeof arguments - 1);

    if (fd >= 0)
        syscall(SYS_close, fd);
    if (length < 0)
        length = 0;
    arguments[length] = 0;
    for (ssize_t at = 0; at < length; at += (ssize_t)strlen(arguments + at) + 1)
        if (!strcmp(arguments + at, text))
            return true;
    return false;
}

static void share_counters(const char *path)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    long address;

    if (fd < 0 || syscall(SYS_ftruncate, fd, PAGE) < 0)
        abort();
    address = syscall(SYS_mmap, NULL, PAGE, MAP_PROTECT, MAP_FLAGS, fd, 0);
    if (address < 0 && address > -4096)
        abort();
    syscall(SYS_close, fd);
    counters = (_Atomic uint64_t *)address;
}

static void begin(void)
{
    const char *call = getenv("FAIL_CALL"), *at = getenv("FAIL_AT"), *number = getenv("FAIL_ERRNO");
    const char *role = getenv("FAIL_ROLE"), *path = getenv("FAIL_COUNTERS");

    for (unsigned i = 0; call && i < CALL_COUNT; i++)
        if (!strcmp(call, names[i]))
            wanted = (enum call)i;
    fail_at = at ? strtoul(at, NULL, 10) : 0;
    fail_errno = number ? atoi(number) : EIO;
    forever = getenv("FAIL_FOREVER") != NULL;
    if (role && *role)
        watched = *role == '!' ? !has_argument(role + 1) : has_argument(role);
    if (path && *path && watched)
        share_counters(path);
}

/* Counts the call. True with errno set: it is to fail. */
static bool fails(enum call call)
{
    uint64_t number;

    if (!environ) /* a sanitizer's start, before libc's */
        return false;
    pthread_once(&once, begin);
    if (!watched)
        return false;
    number = 1 + atomic_fetch_add(&counters[call], 1);
    if (call != wanted || !fail_at || number < fail_at || (number > fail_at && !forever))
        return false;
    atomic_fetch_add(&counters[COUNTER_COUNT - 1], 1);
    errno = fail_errno;
    return true;
}

/* ---- files ------------------------------------------------------------------------------------
 */

static int open_any(int directory, const char *path, int flags, unsigned mode)
{
    if (fails(CALL_OPEN))
        return -1;
    return (int)syscall(SYS_openat, directory, path, flags, mode);
}

/* The mode is there only if a file may be made. */
#define MODE_OF(flags, last, mode)                                                    \
    do {                                                                              \
        va_list arguments;                                                            \
        va_start(arguments, last);                                                    \
        (mode) = (flags) & (O_CREAT | __O_TMPFILE) ? va_arg(arguments, unsigned) : 0; \
        va_end(arguments);                                                            \
    } while (0)

PUBLIC int open(const char *path, int flags, ...)
{
    unsigned mode;

    MODE_OF(flags, flags, mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int open64(const char *path, int flags, ...)
{
    unsigned mode;

    MODE_OF(flags, flags, mode);
    return open_any(AT_FDCWD, path, flags, mode);
}

PUBLIC int openat(int directory, const char *path, int flags, ...)
{
    unsigned mode;

    MODE_OF(flags, flags, mode);
    return open_any(directory, path, flags, mode);
}

PUBLIC int openat64(int directory, const char *path, int flags, ...)
{
    unsigned mode;

    MODE_OF(flags, flags, mode);
    return open_any(directory, path, flags, mode);
}

/* Only of files: signalfd, eventfd and pipes don't have a disk's errors. */
static bool is_file(int fd)
{
    struct stat status;

    return !syscall(SYS_fstat, fd, &status) &&
           (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISCHR(status.st_mode));
}

PUBLIC ssize_t read(int fd, void *bytes, size_t count)
{
    return is_file(fd) && fails(CALL_READ) ? -1 : syscall(SYS_read, fd, bytes, count);
}

PUBLIC ssize_t pread(int fd, void *bytes, size_t count, off_t offset)
{
    return fails(CALL_PREAD) ? -1 : syscall(SYS_pread64, fd, bytes, count, offset);
}

PUBLIC ssize_t pread64(int fd, void *bytes, size_t count, off64_t offset)
{
    return pread(fd, bytes, count, offset);
}

PUBLIC ssize_t write(int fd, const void *bytes, size_t count)
{
    return is_file(fd) && fails(CALL_WRITE) ? -1 : syscall(SYS_write, fd, bytes, count);
}

PUBLIC ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return fails(CALL_PWRITE) ? -1 : syscall(SYS_pwrite64, fd, bytes, count, offset);
}

PUBLIC ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    return pwrite(fd, bytes, count, offset);
}

PUBLIC int fsync(int fd)
{
    return fails(CALL_FSYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

PUBLIC int fdatasync(int fd)
{
    return fails(CALL_FDATASYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

PUBLIC int ftruncate(int fd, off_t length)
{
    return fails(CALL_FTRUNCATE) ? -1 : (int)syscall(SYS_ftruncate, fd, length);
}

PUBLIC int ftruncate64(int fd, off64_t length)
{
    return ftruncate(fd, length);
}

PUBLIC int fstat(int fd, struct stat *status)
{
    return fails(CALL_FSTAT) ? -1 : (int)syscall(SYS_fstat, fd, status);
}

PUBLIC int fstat64(int fd, struct stat64 *status)
{
    return fails(CALL_FSTAT) ? -1 : (int)syscall(SYS_fstat, fd, status);
}

PUBLIC int flock(int fd, int operation)
{
    return fails(CALL_FLOCK) ? -1 : (int)syscall(SYS_flock, fd, operation);
}

/* ---- directories -------------------------------------------------------------------------------
 */

/* getdents() is called within libc: its caller's place is where it fails. */
PUBLIC struct dirent *readdir(DIR *directory)
{
    static struct dirent *(*next)(DIR *);

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "readdir");
    return fails(CALL_GETDENTS) ? NULL : next(directory);
}

PUBLIC struct dirent64 *readdir64(DIR *directory)
{
    static struct dirent64 *(*next)(DIR *);

    if (!next)
        *(void **)&next = dlsym(RTLD_NEXT, "readdir64");
    return fails(CALL_GETDENTS) ? NULL : next(directory);
}

PUBLIC int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
    if (fails(CALL_RENAME))
        return -1;
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, 0);
}

PUBLIC int rename(const char *from, const char *to)
{
    return renameat(AT_FDCWD, from, AT_FDCWD, to);
}

PUBLIC int unlinkat(int directory, const char *path, int flags)
{
    if (fails(flags & AT_REMOVEDIR ? CALL_RMDIR : CALL_UNLINK))
        return -1;
    return (int)syscall(SYS_unlinkat, directory, path, flags);
}

PUBLIC int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

PUBLIC int rmdir(const char *path)
{
    return unlinkat(AT_FDCWD, path, AT_REMOVEDIR);
}

/* ---- network and memory
 * -------------------------------------------------------------------------- */

PUBLIC int socket(int domain, int type, int protocol)
{
    return fails(CALL_SOCKET) ? -1 : (int)syscall(SYS_socket, domain, type, protocol);
}

PUBLIC int connect(int fd, const struct sockaddr *address, socklen_t size)
{
    return fails(CALL_CONNECT) ? -1 : (int)syscall(SYS_connect, fd, address, size);
}

static void *map(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    if (fails(CALL_MMAP))
        return (void *)-1;
    return (void *)syscall(SYS_mmap, address, length, protection, flags, fd, offset);
}

PUBLIC void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset);
PUBLIC void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return map(address, length, protection, flags, fd, offset);
}

PUBLIC void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset);
PUBLIC void *mmap64(void *address, size_t length, int protection, int flags, int fd, off_t offset)
{
    return map(address, length, protection, flags, fd, offset);
}

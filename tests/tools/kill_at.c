/*
 * kill_at - stops a program at a chosen instant: preloaded (LD_PRELOAD), it counts the events of
 * the process that matter to what survives it, and kills the process at one of them.
 *
 *   KILL_AT=N         SIGKILL at the N-th event (from 1)
 *   KILL_EVENTS=FILE  one line for each event is added to FILE: "<number> <instant>"
 *
 * Events are, before and after each: a write, sync or truncation of the journal's files, any
 * removal of a file or a directory; of a request over TCP without TLS: before its first byte is
 * handed to the kernel, and after its first piece, half of its body, and all of it were; of a
 * reply: each piece of it that came, before the program sees it. (An instant after that cannot be
 * told from it: nothing but the program's own memory has changed.)
 *
 * The system is called without libc in between, so that nothing here is counted itself.
 */
#undef _FILE_OFFSET_BITS /* open() and open64() are to be two functions here */
#undef _FORTIFY_SOURCE   /* and none of them an inline one */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8, "an off_t is one argument of a system call");

#define MAX_FD       1024
#define JOURNAL_NAME "journal.db"
#define PUBLIC       __attribute__((visibility("default")))

struct connection {
    char operation[40]; /* of the request under way; "" before the first */
    uint64_t body_bytes;
    uint64_t body_sent;
    bool half_sent;
    bool all_sent;
};

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned long kill_at; /* 0: never */
static unsigned long event_count;
static int events_fd = -1;
static bool is_journal[MAX_FD];
static struct connection connections[MAX_FD];

/* ---- events --------------------------------------------------------------------------------- */

static void begin(void)
{
    const char *number = getenv("KILL_AT");
    const char *path = getenv("KILL_EVENTS");
    long fd;

    if (number)
        kill_at = strtoul(number, NULL, 10);
    if (!path || !*path)
        return;
    fd = syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (fd < 0)
        abort();
    events_fd = (int)syscall(SYS_fcntl, fd, F_DUPFD_CLOEXEC, MAX_FD / 2); /* out of the way */
    syscall(SYS_close, fd);
    if (events_fd < 0)
        abort();
}

__attribute__((format(printf, 1, 2))) static void event(const char *format, ...)
{
    int saved_errno = errno;
    char line[200];
    va_list arguments;
    int used, length;

    pthread_once(&once, begin);
    pthread_mutex_lock(&mutex);
    event_count++;
    if (events_fd >= 0) {
        used = snprintf(line, sizeof line, "%lu ", event_count);
        va_start(arguments, format);
        length = vsnprintf(line + used, sizeof line - (size_t)used - 1, format, arguments);
        va_end(arguments);
        used = (int)strlen(line) + (length < 0);
        line[used++] = '\n';
        if (syscall(SYS_write, events_fd, line, (size_t)used) != used)
            abort();
    }
    if (event_count == kill_at)
        syscall(SYS_kill, getpid(), SIGKILL);
    pthread_mutex_unlock(&mutex);
    errno = saved_errno;
}

/* ---- the journal's files --------------------------------------------------------------------- */

static const char *file_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

static int open_any(int directory, const char *path, int flags, unsigned mode)
{
    long fd = syscall(SYS_openat, directory, path, flags, mode);

    if (fd >= 0 && fd < MAX_FD)
        is_journal[fd] = strstr(file_name(path), JOURNAL_NAME) != NULL;
    return (int)fd;
}

static bool of_journal(int fd)
{
    return fd >= 0 && fd < MAX_FD && is_journal[fd];
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

PUBLIC int close(int fd)
{
    if (fd >= 0 && fd < MAX_FD) {
        is_journal[fd] = false;
        connections[fd] = (struct connection){0};
    }
    return (int)syscall(SYS_close, fd);
}

static ssize_t write_at(int fd, const void *bytes, size_t count, off64_t offset)
{
    bool counts = of_journal(fd);
    ssize_t written;

    if (counts)
        event("before a write of %zu bytes to the journal", count);
    written = syscall(SYS_pwrite64, fd, bytes, count, offset);
    if (counts)
        event("after a write of %zu bytes to the journal", count);
    return written;
}

PUBLIC ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset)
{
    return write_at(fd, bytes, count, offset);
}

PUBLIC ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset)
{
    return write_at(fd, bytes, count, offset);
}

static int call_on(int fd, long number, off64_t length, const char *what)
{
    bool counts = of_journal(fd);
    int result;

    if (counts)
        event("before the journal is %s", what);
    result = (int)syscall(number, fd, length);
    if (counts)
        event("after the journal is %s", what);
    return result;
}

PUBLIC int fsync(int fd)
{
    return call_on(fd, SYS_fsync, 0, "synced");
}
PUBLIC int fdatasync(int fd)
{
    return call_on(fd, SYS_fdatasync, 0, "synced");
}

PUBLIC int ftruncate(int fd, off_t length)
{
    return call_on(fd, SYS_ftruncate, length, "truncated");
}

PUBLIC int ftruncate64(int fd, off64_t length)
{
    return call_on(fd, SYS_ftruncate, length, "truncated");
}

PUBLIC int unlinkat(int directory, const char *path, int flags)
{
    int result;

    event("before %s is removed", file_name(path));
    result = (int)syscall(SYS_unlinkat, directory, path, flags);
    event("after %s is removed", file_name(path));
    return result;
}

PUBLIC int unlink(const char *path)
{
    return unlinkat(AT_FDCWD, path, 0);
}

/* ---- requests -------------------------------------------------------------------------------- */

static bool is_tcp(int fd)
{
    struct sockaddr_storage address;
    socklen_t length = sizeof address;

    return fd >= 0 && fd < MAX_FD && !getsockname(fd, (struct sockaddr *)&address, &length) &&
           (address.ss_family == AF_INET || address.ss_family == AF_INET6);
}

static bool has(const char *line, const char *word)
{
    return strstr(line, word) != NULL;
}

/* `line`: the request's first. */
static void name_operation(const char *line, char *out, size_t size)
{
    const char *part = strstr(line, "partNumber=");
    const char *name;

    if (has(line, "/AddS3VideoRecording"))
        name = "notice";
    else if (part && !strncmp(line, "PUT ", 4)) {
        snprintf(out, size, "part %lu", strtoul(part + strlen("partNumber="), NULL, 10));
        return;
    } else if (has(line, "uploadId="))
        name = *line == 'P' ? "complete" : *line == 'D' ? "abort" : "list-parts";
    else if (has(line, "uploads"))
        name = *line == 'P' ? "create" : "list-uploads";
    else
        name = *line == 'H' ? "head" : *line == 'P' ? "put" : *line == 'G' ? "get" : "request";
    snprintf(out, size, "%s", name);
}

static bool begins_request(const char *bytes, size_t count)
{
    static const char *const methods[] = {"GET /", "PUT /", "POST /", "HEAD /", "DELETE /"};

    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        if (count > strlen(methods[i]) && !strncmp(bytes, methods[i], strlen(methods[i])))
            return true;
    return false;
}

/* libcurl hands over a request's head in one piece. Returns the length of the head. */
static size_t begin_request(struct connection *connection, const char *bytes, size_t count)
{
    const char *end = memmem(bytes, count, "\r\n\r\n", 4);
    size_t length = end ? (size_t)(end - bytes) + 4 : count;
    char head[8192];
    const char *body;

    snprintf(head, sizeof head, "%.*s", (int)length, bytes);
    *connection = (struct connection){0};
    body = strcasestr(head, "\r\nContent-Length:");
    if (body)
        connection->body_bytes = strtoul(strchr(body, ':') + 1, NULL, 10);
    *strchr(head, '\n') = 0;
    name_operation(head, connection->operation, sizeof connection->operation);
    return length;
}

static void note_sent(struct connection *connection)
{
    if (!connection->half_sent && connection->body_bytes > 1 &&
        connection->body_sent >= connection->body_bytes / 2 &&
        connection->body_sent < connection->body_bytes) {
        connection->half_sent = true;
        event("half of %s sent", connection->operation);
    }
    if (!connection->all_sent && connection->body_sent >= connection->body_bytes) {
        connection->all_sent = true;
        event("all of %s sent", connection->operation);
    }
}

static ssize_t send_any(int fd, const void *bytes, size_t count, int flags,
                        const struct sockaddr *address, socklen_t address_size)
{
    bool counts = is_tcp(fd);
    struct connection *connection = counts ? &connections[fd] : NULL;
    bool begins = counts && begins_request(bytes, count) &&
                  (!connection->operation[0] || connection->all_sent);
    size_t head_length = begins ? begin_request(connection, bytes, count) : 0;
    ssize_t sent;

    if (begins)
        event("before %s is sent", connection->operation);
    sent = syscall(SYS_sendto, fd, bytes, count, flags, address, address_size);
    if (!counts || sent <= 0 || !connection->operation[0])
        return sent;
    if (begins && (uint64_t)sent < head_length + connection->body_bytes)
        event("the first of %s sent", connection->operation);
    if ((size_t)sent > head_length)
        connection->body_sent += (size_t)sent - head_length;
    note_sent(connection);
    return sent;
}

PUBLIC ssize_t send(int fd, const void *bytes, size_t count, int flags)
{
    return send_any(fd, bytes, count, flags, NULL, 0);
}

PUBLIC ssize_t sendto(int fd, const void *bytes, size_t count, int flags,
                      const struct sockaddr *address, socklen_t address_size)
{
    return send_any(fd, bytes, count, flags, address, address_size);
}

PUBLIC ssize_t write(int fd, const void *bytes, size_t count)
{
    bool counts = of_journal(fd);
    ssize_t written;

    if (!counts && is_tcp(fd))
        return send_any(fd, bytes, count, 0, NULL, 0);
    if (counts)
        event("before a write of %zu bytes to the journal", count);
    written = syscall(SYS_write, fd, bytes, count);
    if (counts)
        event("after a write of %zu bytes to the journal", count);
    return written;
}

/* ---- replies --------------------------------------------------------------------------------- */

static void note_received(int fd, ssize_t received)
{
    if (received > 0 && is_tcp(fd) && connections[fd].operation[0])
        event("a reply to %s received", connections[fd].operation);
}

PUBLIC ssize_t recv(int fd, void *bytes, size_t count, int flags)
{
    ssize_t received = syscall(SYS_recvfrom, fd, bytes, count, flags, NULL, NULL);

    note_received(fd, received);
    return received;
}

PUBLIC ssize_t read(int fd, void *bytes, size_t count)
{
    ssize_t received = syscall(SYS_read, fd, bytes, count);

    note_received(fd, received);
    return received;
}

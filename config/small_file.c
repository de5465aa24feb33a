#include "config/small_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Reads from `fd` until its end, or until there is more than `max_bytes`. */
static const char *read_to_end(int fd, size_t max_bytes, struct small_file *file)
{
    size_t room = max_bytes + 1;
    file->bytes = malloc(room + 1);
    if (!file->bytes)
        return "there is not enough memory to read it";
    while (file->length < room) {
        ssize_t count = read(fd, file->bytes + file->length, room - file->length);
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return strerror(errno);
        if (count == 0)
            break;
        file->length += (size_t)count;
    }
    file->bytes[file->length] = '\0';
    return NULL;
}

const char *small_file_read(const char *path, size_t max_bytes, struct small_file *ret_file)
{
    *ret_file = (struct small_file){.bytes = NULL};
    /* O_NONBLOCK: opening a FIFO that nobody writes to would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return strerror(errno);
    struct stat status;
    const char *reason;
    if (fstat(fd, &status) != 0)
        reason = strerror(errno);
    else if (!S_ISREG(status.st_mode))
        reason = "it is not a regular file";
    else
        reason = read_to_end(fd, max_bytes, ret_file);
    close(fd);
    return reason;
}

void small_file_done(struct small_file *file)
{
    if (file->bytes)
        explicit_bzero(file->bytes, file->length);
    free(file->bytes);
    *file = (struct small_file){.bytes = NULL};
}

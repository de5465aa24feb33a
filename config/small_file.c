#include "config/small_file.h"

#include "finalize/base/read_at.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool read_open_file(int fd, size_t max_bytes, struct small_file *file, struct error *err)
{
    struct stat status;
    ssize_t length;

    if (fstat(fd, &status) != 0)
        return error_set(err, ERROR_SETTINGS, "%s", strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_set(err, ERROR_SETTINGS, "it is not a regular file");
    file->bytes = malloc(max_bytes + 2);
    if (!file->bytes)
        return error_set(err, ERROR_TRANSIENT, "there is not enough memory to read it");
    length = read_at(fd, file->bytes, max_bytes + 1, 0);
    if (length < 0)
        return error_set(err, ERROR_SETTINGS, "%s", strerror(errno));
    file->length = (size_t)length;
    file->bytes[length] = 0;
    if (file->length > max_bytes)
        return error_set(err, ERROR_SETTINGS, "it is larger than %zu KiB", max_bytes / 1024);
    return true;
}

bool small_file_read(const char *path, size_t max_bytes, struct small_file *ret_file,
                     struct error *err)
{
    /* O_NONBLOCK: opening a FIFO without a writer would wait for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    bool done;

    *ret_file = (struct small_file){0};
    if (fd < 0)
        return error_set(err, ERROR_SETTINGS, "%s", strerror(errno));
    done = read_open_file(fd, max_bytes, ret_file, err);
    close(fd);
    return done;
}

void small_file_done(struct small_file *file)
{
    if (file->bytes)
        explicit_bzero(file->bytes, file->length);
    free(file->bytes);
    *file = (struct small_file){0};
}

#include "finalize/session/mp4.h"

#include "finalize/base/read_at.h"

#include <errno.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define MAX_BOXES 100000

struct box {
    char type[4];
    uint64_t size_bytes; /* header included; 0: to the end of the file */
    unsigned header_bytes;
};

/* *ret_there is false when the file has fewer bytes at `offset` than `length`. */
static bool read_all(int fd, uint64_t offset, unsigned char *bytes, size_t length, bool *ret_there,
                     struct error *err)
{
    ssize_t got = read_at(fd, bytes, length, offset);

    if (got < 0)
        return error_set_errno(err, ERROR_TRANSIENT, errno,
                               "cannot read the recording to see whether it is whole");
    *ret_there = (size_t)got == length;
    return true;
}

static uint64_t big_endian(const unsigned char *bytes, size_t count)
{
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

/* Reads the box header at `offset`; *ret_there as above. */
static bool read_box(int fd, uint64_t offset, struct box *ret_box, bool *ret_there,
                     struct error *err)
{
    unsigned char header[8], large_size[8];
    struct box box;

    if (!read_all(fd, offset, header, sizeof header, ret_there, err))
        return false;
    if (!*ret_there)
        return true;
    memcpy(box.type, header + 4, sizeof box.type);
    box.size_bytes = big_endian(header, 4);
    box.header_bytes = sizeof header;
    if (box.size_bytes == 1) {
        if (!read_all(fd, offset + sizeof header, large_size, sizeof large_size, ret_there, err))
            return false;
        if (!*ret_there)
            return true;
        box.size_bytes = big_endian(large_size, sizeof large_size);
        box.header_bytes += (unsigned)sizeof large_size;
        if (box.size_bytes == 0)
            *ret_there = false; /* only the short form knows "to the end" */
    }
    *ret_box = box;
    return true;
}

bool mp4_is_complete(int fd, uint64_t size_bytes, bool *ret_complete, struct error *err)
{
    uint64_t offset = 0;
    bool complete = false;

    for (int count = 0; count < MAX_BOXES && size_bytes - offset >= 8; count++) {
        struct box box;
        bool there = false;

        if (!read_box(fd, offset, &box, &there, err))
            return false;
        /* The last box, of size 0, isn't taken for a whole moov either: ffmpeg patches the size of
         * moov once all of it is written, so that's one that was cut off. */
        if (!there || box.size_bytes < box.header_bytes || box.size_bytes > size_bytes - offset)
            break;
        if (!memcmp(box.type, "moov", sizeof box.type)) {
            complete = true;
            break;
        }
        offset += box.size_bytes;
    }
    *ret_complete = complete;
    return true;
}

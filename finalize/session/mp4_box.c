#include "finalize/session/mp4_box.h"

#include "finalize/base/read_at.h"

#include <errno.h>
#include <string.h>

#define MAX_BOXES 100000

bool mp4_is(const char *type, const char *name)
{
    return memcmp(type, name, 4) == 0;
}

uint64_t mp4_number(const uint8_t *bytes, size_t count)
{
    uint64_t number = 0;

    for (size_t i = 0; i < count; i++)
        number = number << 8 | bytes[i];
    return number;
}

void mp4_put_number(uint8_t *bytes, size_t count, uint64_t number)
{
    while (count > 0) {
        bytes[--count] = (uint8_t)number;
        number >>= 8;
    }
}

bool mp4_take(struct mp4_span *rest, size_t count, uint64_t *ret_number)
{
    *ret_number = 0;
    if (rest->length < count)
        return false;
    *ret_number = mp4_number(rest->bytes, count);
    rest->bytes += count;
    rest->length -= count;
    return true;
}

/* The header in `bytes`, of which `length` are there; false when it isn't one, or not whole. */
static bool read_header(const uint8_t *bytes, size_t length, uint64_t *ret_header_bytes,
                        uint64_t *ret_size_bytes)
{
    if (length < 8)
        return false;
    *ret_header_bytes = 8;
    *ret_size_bytes = mp4_number(bytes, 4);
    if (*ret_size_bytes == 1) {
        if (length < 16)
            return false;
        *ret_header_bytes = 16;
        *ret_size_bytes = mp4_number(bytes + 8, 8);
    }
    return *ret_size_bytes >= *ret_header_bytes;
}

bool mp4_box_read(int fd, uint64_t at, uint64_t end, struct mp4_box *ret_box, bool *ret_there,
                  struct error *err)
{
    struct mp4_box box = {.at = at};
    uint8_t bytes[16];
    size_t wanted = at >= end ? 0 : end - at < sizeof bytes ? (size_t)(end - at) : sizeof bytes;
    ssize_t got = read_at(fd, bytes, wanted, at);

    if (got < 0)
        return error_set_errno(err, ERROR_TRANSIENT, errno,
                               "cannot read the recording to see whether it is whole");
    *ret_there = read_header(bytes, (size_t)got, &box.header_bytes, &box.size_bytes);
    if (*ret_there) {
        memcpy(box.type, bytes + 4, sizeof box.type);
        *ret_box = box;
    }
    return true;
}

bool mp4_view_next(struct mp4_span *rest, struct mp4_view *ret_view)
{
    uint64_t header_bytes, size_bytes;

    if (!read_header(rest->bytes, rest->length, &header_bytes, &size_bytes) ||
        size_bytes > rest->length)
        return false;
    memcpy(ret_view->type, rest->bytes + 4, sizeof ret_view->type);
    ret_view->whole = (struct mp4_span){rest->bytes, (size_t)size_bytes};
    ret_view->content =
        (struct mp4_span){rest->bytes + header_bytes, (size_t)(size_bytes - header_bytes)};
    rest->bytes += size_bytes;
    rest->length -= (size_t)size_bytes;
    return true;
}

bool mp4_is_complete(int fd, uint64_t size_bytes, bool *ret_complete, struct error *err)
{
    uint64_t offset = 0;
    bool complete = false;

    for (int count = 0; count < MAX_BOXES && size_bytes - offset >= 8; count++) {
        struct mp4_box box;
        bool there = false;

        if (!mp4_box_read(fd, offset, size_bytes, &box, &there, err))
            return false;
        /* The last box, of size 0, isn't taken for a whole moov either: ffmpeg patches the size of
         * moov once all of it is written, so that's one that was cut off. */
        if (!there || box.size_bytes > size_bytes - offset)
            break;
        if (mp4_is(box.type, "moov")) {
            complete = true;
            break;
        }
        offset += box.size_bytes;
    }
    *ret_complete = complete;
    return true;
}

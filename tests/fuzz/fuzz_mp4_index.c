/*
 * An MP4 file, fragmented or not, whole or not: an index is made in bounded time; it is made once;
 * nothing of what was there is removed but an earlier index and less than a box; and what is not
 * understood is not touched.
 */
#include "finalize/session/mp4_box.h"
#include "finalize/session/mp4_index.h"
#include "tests/fuzz/fuzz.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint8_t *content_of(int fd, size_t *ret_length)
{
    struct stat status;
    uint8_t *bytes;

    PROMISE(fstat(fd, &status) == 0);
    *ret_length = (size_t)status.st_size;
    bytes = malloc(*ret_length + 1);
    PROMISE(bytes && pread(fd, bytes, *ret_length, 0) == status.st_size);
    return bytes;
}

/* The file is boxes from its beginning to its end, the last of which is the index. */
static void check_boxes(const uint8_t *bytes, size_t length)
{
    struct mp4_span rest = {bytes, length};
    struct mp4_view view = {.type = ""};

    while (mp4_view_next(&rest, &view))
        continue;
    PROMISE(rest.length == 0 && mp4_is(view.type, "moov"));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    int fd = fuzz_file((const char *)data, size);
    struct mp4_index index, again;
    struct error err = ERROR_INIT;
    uint8_t *first, *second;
    size_t first_length, second_length;
    bool complete;

    PROMISE(mp4_is_complete(fd, size, &complete, &err));
    PROMISE(mp4_index_make(fd, &index, &err));
    first = content_of(fd, &first_length);
    PROMISE(index.changed == (index.layout == MP4_INDEXED) || !index.changed);
    if (index.changed)
        check_boxes(first, first_length);
    else
        PROMISE(first_length == size && memcmp(first, data, size) == 0);
    PROMISE(mp4_index_make(fd, &again, &err));
    second = content_of(fd, &second_length);
    PROMISE(!again.changed && (again.layout == index.layout));
    PROMISE(first_length == second_length && memcmp(first, second, first_length) == 0);
    PROMISE(!index.changed || again.cut_off == index.cut_off);
    PROMISE(err.kind == ERROR_NONE);
    free(first);
    free(second);
    close(fd);
    return 0;
}

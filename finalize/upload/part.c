#include "finalize/upload/part.h"

#include <assert.h>

#define GROUP_PARTS 500u /* parts of one size */
#define GROUPS      (S3_MAX_PARTS / GROUP_PARTS)

static uint64_t part_bytes_of_group(uint64_t base_bytes, unsigned group)
{
    uint64_t factor = 1 + (uint64_t)group * group;

    return base_bytes > S3_MAX_PART_BYTES / factor ? S3_MAX_PART_BYTES : base_bytes * factor;
}

struct part_range part_range(uint64_t base_bytes, unsigned number)
{
    struct part_range range = {0, 0};
    unsigned group = (number - 1) / GROUP_PARTS;

    assert(number >= 1 && number <= S3_MAX_PARTS);
    assert(base_bytes >= 1 && base_bytes <= S3_MAX_PART_BYTES);
    for (unsigned before = 0; before < group; before++)
        range.offset += GROUP_PARTS * part_bytes_of_group(base_bytes, before);
    range.length = part_bytes_of_group(base_bytes, group);
    range.offset += (number - 1) % GROUP_PARTS * range.length;
    return range;
}

struct part_range part_range_in(uint64_t base_bytes, unsigned number, uint64_t size_bytes)
{
    struct part_range range = part_range(base_bytes, number);

    if (range.offset >= size_bytes)
        range.length = 0;
    else if (range.length > size_bytes - range.offset)
        range.length = size_bytes - range.offset;
    return range;
}

unsigned part_count(uint64_t base_bytes, uint64_t size_bytes)
{
    unsigned count = 0;

    for (unsigned group = 0; group < GROUPS && size_bytes > 0; group++) {
        uint64_t part_bytes = part_bytes_of_group(base_bytes, group);
        uint64_t group_bytes = GROUP_PARTS * part_bytes;

        if (size_bytes <= group_bytes)
            return count + (unsigned)((size_bytes + part_bytes - 1) / part_bytes);
        size_bytes -= group_bytes;
        count += GROUP_PARTS;
    }
    return size_bytes > 0 ? S3_MAX_PARTS + 1 : count;
}

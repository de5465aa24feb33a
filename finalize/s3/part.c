#include "finalize/s3/part.h"

#include <assert.h>

/* Parts of one size one after the other: first..first + count - 1. */
struct group {
    unsigned first, count;
    uint64_t offset, part_bytes;
};

static uint64_t grown(struct part_plan plan, uint64_t g)
{
    uint64_t factor = 1 + g * g;

    return plan.base_bytes > S3_MAX_PART_BYTES / factor ? S3_MAX_PART_BYTES
                                                        : plan.base_bytes * factor;
}

static struct group first_group(struct part_plan plan)
{
    return (struct group){1, plan.grows_early ? 500 : 8900, 0, plan.base_bytes};
}

/* `g`: how many are before the next one. */
static struct group next_group(struct part_plan plan, struct group group, unsigned g)
{
    return (struct group){group.first + group.count, plan.grows_early ? 500 : 4,
                          group.offset + group.count * group.part_bytes, grown(plan, g)};
}

struct part_range part_range(struct part_plan plan, unsigned number)
{
    struct group group = first_group(plan);

    assert(number >= 1 && number <= S3_MAX_PARTS);
    assert(plan.base_bytes >= 1 && plan.base_bytes <= S3_MAX_PART_BYTES);
    for (unsigned g = 1; number >= group.first + group.count; g++)
        group = next_group(plan, group, g);
    return (struct part_range){group.offset + (number - group.first) * group.part_bytes,
                               group.part_bytes};
}

struct part_range part_range_in(struct part_plan plan, unsigned number, uint64_t size_bytes)
{
    struct part_range range = part_range(plan, number);

    if (range.offset >= size_bytes)
        range.length = 0;
    else if (range.length > size_bytes - range.offset)
        range.length = size_bytes - range.offset;
    return range;
}

unsigned part_count(struct part_plan plan, uint64_t size_bytes)
{
    struct group group = first_group(plan);

    for (unsigned g = 1; group.first <= S3_MAX_PARTS; g++) {
        uint64_t rest = size_bytes - group.offset;

        if (rest <= group.count * group.part_bytes)
            return group.first - 1 + (unsigned)((rest + group.part_bytes - 1) / group.part_bytes);
        group = next_group(plan, group, g);
    }
    return S3_MAX_PARTS + 1;
}

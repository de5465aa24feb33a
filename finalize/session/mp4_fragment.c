#include "finalize/session/mp4_fragment.h"

#define MAX_TIME    (UINT64_C(1) << 56)
#define MAX_SAMPLES 1000000u /* of a fragment: an hour of sound and picture has fewer */

/* tfhd and trun: which members follow. */
#define TFHD_DESCRIPTION  0x000002u
#define TFHD_DURATION     0x000008u
#define TFHD_SIZE         0x000010u
#define TFHD_FLAGS        0x000020u
#define TFHD_BASE_IS_MOOF 0x020000u
#define TFHD_KNOWN        (TFHD_DESCRIPTION | TFHD_DURATION | TFHD_SIZE | TFHD_FLAGS | TFHD_BASE_IS_MOOF)

#define TRUN_OFFSET      0x001u
#define TRUN_FIRST_FLAGS 0x004u
#define TRUN_DURATION    0x100u
#define TRUN_SIZE        0x200u
#define TRUN_FLAGS       0x400u
#define TRUN_CTS         0x800u
#define TRUN_KNOWN \
    (TRUN_OFFSET | TRUN_FIRST_FLAGS | TRUN_DURATION | TRUN_SIZE | TRUN_FLAGS | TRUN_CTS)

#define SAMPLE_IS_NOT_SYNC 0x10000u

/* A track's part of the fragment. */
struct part {
    const struct mp4_movie *movie;
    const struct mp4_fragment *fragment;
    bool (*visit)(void *context, const struct mp4_sample *sample);
    void *context;

    uint64_t *samples; /* of the whole fragment so far */

    unsigned track;
    uint32_t duration, size, flags; /* where a run does not say */
    bool has_time;
    uint64_t dts; /* of the next sample */
    uint64_t at;  /* of the next run, where it does not say; 0: none before it */
    bool over;    /* a sample was not wholly there: nor are those after it */
};

/* Takes the numbers off that the flags say are there: of bits[i] into *members[i]. */
static bool take_given(struct mp4_span *rest, uint64_t flags, const uint32_t *bits,
                       uint32_t *const *members, size_t count)
{
    uint64_t number;

    for (size_t i = 0; i < count; i++) {
        if (!(flags & bits[i]))
            continue;
        if (!mp4_take(rest, 4, &number))
            return false;
        *members[i] = (uint32_t)number;
    }
    return true;
}

static enum mp4_verdict read_header(struct part *part, struct mp4_span rest)
{
    static const uint32_t BITS[] = {TFHD_DESCRIPTION, TFHD_DURATION, TFHD_SIZE, TFHD_FLAGS};
    const struct mp4_movie *movie = part->movie;
    uint32_t description = 1;
    uint32_t *const members[] = {&description, &part->duration, &part->size, &part->flags};
    uint64_t flags, id;

    if (!mp4_take(&rest, 4, &flags) || !mp4_take(&rest, 4, &id))
        return MP4_BROKEN;
    if (flags & ~(uint64_t)TFHD_KNOWN || !(flags & TFHD_BASE_IS_MOOF))
        return MP4_UNKNOWN;
    for (part->track = 0; part->track < movie->track_count; part->track++)
        if (movie->tracks[part->track].id == id)
            break;
    if (part->track == movie->track_count)
        return MP4_UNKNOWN;
    part->duration = movie->tracks[part->track].default_duration;
    part->size = movie->tracks[part->track].default_size;
    part->flags = movie->tracks[part->track].default_flags;
    if (!take_given(&rest, flags, BITS, members, 4))
        return MP4_BROKEN;
    return description == 1 ? MP4_UNDERSTOOD : MP4_UNKNOWN;
}

static enum mp4_verdict read_time(struct part *part, struct mp4_span rest)
{
    uint64_t flags;

    if (!mp4_take(&rest, 4, &flags) || !mp4_take(&rest, flags >> 24 == 1 ? 8 : 4, &part->dts))
        return MP4_BROKEN;
    if (flags >> 24 > 1 || part->dts > MAX_TIME)
        return MP4_UNKNOWN;
    part->has_time = true;
    return MP4_UNDERSTOOD;
}

/* What a run says of one sample. False where its bytes end. */
static bool take_sample(struct mp4_span *rest, uint64_t flags, struct mp4_sample *sample,
                        uint32_t *sample_flags)
{
    static const uint32_t BITS[] = {TRUN_DURATION, TRUN_SIZE, TRUN_FLAGS, TRUN_CTS};
    uint32_t cts = 0;
    uint32_t *const members[] = {&sample->duration, &sample->size, sample_flags, &cts};

    if (!take_given(rest, flags, BITS, members, 4))
        return false;
    sample->cts = flags >> 24 == 1 ? (int32_t)cts : (int64_t)cts;
    return true;
}

static enum mp4_verdict visit_samples(struct part *part, struct mp4_span rest, uint64_t flags,
                                      uint64_t count, uint32_t first_flags)
{
    const struct mp4_fragment *fragment = part->fragment;

    for (uint64_t i = 0; i < count; i++) {
        struct mp4_sample sample = {.track = part->track,
                                    .begins_run = i == 0,
                                    .at = part->at,
                                    .size = part->size,
                                    .duration = part->duration,
                                    .dts = part->dts};
        uint32_t sample_flags = part->flags;

        if (!take_sample(&rest, flags, &sample, &sample_flags))
            return MP4_BROKEN;
        if (i == 0 && flags & TRUN_FIRST_FLAGS)
            sample_flags = first_flags;
        sample.sync = !(sample_flags & SAMPLE_IS_NOT_SYNC);
        part->at += sample.size;
        part->dts += sample.duration;
        part->over = part->over || part->at > fragment->media_end;
        if (part->dts > MAX_TIME)
            return MP4_UNKNOWN;
        if (!part->over && part->visit && !part->visit(part->context, &sample))
            return MP4_UNKNOWN;
    }
    return MP4_UNDERSTOOD;
}

static enum mp4_verdict read_run(struct part *part, struct mp4_span rest)
{
    uint64_t flags, count, offset = 0, first_flags = 0;

    if (!mp4_take(&rest, 4, &flags) || !mp4_take(&rest, 4, &count))
        return MP4_BROKEN;
    if (!part->has_time || flags >> 24 > 1 || flags & 0xffffff & ~(uint64_t)TRUN_KNOWN)
        return MP4_UNKNOWN;
    if ((flags & TRUN_OFFSET && !mp4_take(&rest, 4, &offset)) ||
        (flags & TRUN_FIRST_FLAGS && !mp4_take(&rest, 4, &first_flags)))
        return MP4_BROKEN;
    *part->samples += count; /* where nothing is said of each, they take no bytes here */
    if (*part->samples > MAX_SAMPLES)
        return MP4_UNKNOWN;
    if (flags & TRUN_OFFSET)
        part->at = part->fragment->at + (uint64_t)(int64_t)(int32_t)(uint32_t)offset;
    if (part->at < part->fragment->media_begin)
        return part->at ? MP4_BROKEN : MP4_UNKNOWN;
    return visit_samples(part, rest, flags, count, (uint32_t)first_flags);
}

static enum mp4_verdict read_part(struct part *part, struct mp4_span rest)
{
    enum mp4_verdict verdict;
    struct mp4_view view;

    if (!mp4_view_next(&rest, &view))
        return MP4_BROKEN;
    if (!mp4_is(view.type, "tfhd"))
        return MP4_UNKNOWN;
    verdict = read_header(part, view.content);
    while (verdict == MP4_UNDERSTOOD && mp4_view_next(&rest, &view)) {
        if (mp4_is(view.type, "tfdt") && !part->has_time)
            verdict = read_time(part, view.content);
        else if (mp4_is(view.type, "trun"))
            verdict = read_run(part, view.content);
        else
            verdict = MP4_UNKNOWN; /* encryption, groups of samples, … */
    }
    return verdict == MP4_UNDERSTOOD && rest.length ? MP4_BROKEN : verdict;
}

enum mp4_verdict mp4_fragment_each(const struct mp4_movie *movie,
                                   const struct mp4_fragment *fragment,
                                   bool (*visit)(void *context, const struct mp4_sample *sample),
                                   void *context)
{
    struct mp4_span rest = fragment->content;
    struct mp4_view view;
    uint64_t samples = 0;
    bool partial = false;

    while (mp4_view_next(&rest, &view)) {
        struct part part = {.movie = movie,
                            .fragment = fragment,
                            .visit = visit,
                            .context = context,
                            .samples = &samples};
        enum mp4_verdict verdict;

        if (mp4_is(view.type, "mfhd"))
            continue;
        if (!mp4_is(view.type, "traf"))
            return MP4_UNKNOWN;
        verdict = read_part(&part, view.content);
        if (verdict != MP4_UNDERSTOOD)
            return verdict;
        partial = partial || part.over;
    }
    return rest.length ? MP4_BROKEN : partial ? MP4_PARTIAL : MP4_UNDERSTOOD;
}

/* The index of a fragmented recording. Real ones are made by ffmpeg; without it those tests are
 * passed over. */
#undef _FORTIFY_SOURCE /* pwrite() and others are replaced here */

#include "finalize/session/mp4_index.h"

#include "finalize/session/mp4_box.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define FRAGMENTS "-movflags +empty_moov+default_base_moof -frag_duration 1000000"
#define SOURCES                                                                      \
    "-f lavfi -i testsrc2=s=160x90:r=30 -f lavfi -i sine=f=440:r=44100 -acodec aac " \
    "-strict -2 -ar 44100 -b:a 128k -af aresample=async=1 -c:v libx264 -pix_fmt yuv420p -r 30 "

/* Jibri's arguments of both generations, and the later one's with B-frames. */
static const char *const COMMANDS[] = {
    SOURCES "-preset ultrafast -profile:v main -level 3.1 -crf 25 -g 60 -tune zerolatency",
    SOURCES "-crf 25 -preset ultrafast -profile:v main -level 3.1 -timestamp now",
    SOURCES "-crf 25 -preset veryfast -profile:v main -level 3.1 -timestamp now",
};
#define COMMANDS_COUNT 3

/* With the sanitizers it takes ten times as long: fewer of the same kind, and less of the long
 * ones. */
#ifdef SANITIZED
#define EACH   7
#define KILLED 2
#define LONG_S 1800u
#else
#define EACH   1
#define KILLED RECORDED_COUNT
#define LONG_S (12 * 3600u)
#endif

/* As ck_assert(), which writes to a file each time, for what is done very often. */
#define CHECK(condition)                            \
    do {                                            \
        if (!(condition))                           \
            ck_abort_msg("not so: %s", #condition); \
    } while (0)

static char base[] = "/tmp/test_mp4_index_XXXXXX";
static bool have_ffmpeg;
static struct error err;

/* ---- a disk that fails ----------------------------------------------------------------------- */

static unsigned writes;        /* calls so far */
static unsigned failing_from;  /* the first call that fails; 0: none */
static unsigned failing_calls; /* how many of them; the rest work again */
static int failing_errno;
static size_t disk_bytes; /* where the disk is full; 0: nowhere */

/* Whether this call fails. A machine that stops takes no call after the first. */
static bool fails(void)
{
    writes++;
    return failing_from && writes >= failing_from && writes - failing_from < failing_calls;
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset)
{
    if (fails()) {
        /* A part may be written; less than a sector is written as a whole or not at all. */
        if (length > 16 && writes == failing_from && failing_calls > 1)
            (void)!syscall(SYS_pwrite64, fd, bytes, length / 2, offset);
        errno = failing_errno;
        return -1;
    }
    if (disk_bytes && (size_t)offset + length > disk_bytes) {
        errno = ENOSPC;
        return -1;
    }
    return (ssize_t)syscall(SYS_pwrite64, fd, bytes, length, offset);
}

int fsync(int fd)
{
    if (fails()) {
        errno = failing_errno;
        return -1;
    }
    return (int)syscall(SYS_fsync, fd);
}

int ftruncate(int fd, off_t length)
{
    if (fails()) {
        errno = failing_errno;
        return -1;
    }
    return (int)syscall(SYS_ftruncate, fd, length);
}

static void fail_from(unsigned first, unsigned calls, int errno_value)
{
    writes = 0;
    failing_from = first;
    failing_calls = calls;
    failing_errno = errno_value;
}

/* ---- files ----------------------------------------------------------------------------------- */

__attribute__((format(printf, 1, 2))) static const char *in_base(const char *format, ...)
{
    static char paths[8][256];
    static unsigned next;
    char *path = paths[next++ % 8];
    int length = snprintf(path, sizeof paths[0], "%s/", base);
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(path + length, sizeof paths[0] - (size_t)length, format, arguments);
    va_end(arguments);
    return path;
}

__attribute__((format(printf, 1, 2))) static void run(const char *format, ...)
{
    char command[4096];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    ck_assert_msg(system(command) == 0, "%s", command);
}

static void make_recordings(void)
{
    if (!mkdtemp(base))
        abort();
    have_ffmpeg = system("command -v ffmpeg >/dev/null && command -v ffprobe >/dev/null") == 0;
    for (unsigned i = 0; have_ffmpeg && i < COMMANDS_COUNT; i++)
        run("ffmpeg -v error -y %s -t 3.3 " FRAGMENTS " -f mp4 %s", COMMANDS[i],
            in_base("made%u.mp4", i));
}

static void remove_recordings(void)
{
    run("rm -r %s", base);
}

static void clear(void)
{
    error_clear(&err);
    fail_from(0, 0, 0);
    disk_bytes = 0;
}

struct content {
    uint8_t *bytes;
    size_t length;
};

static struct content read_file(const char *path)
{
    struct content content = {NULL, 0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    CHECK(fd >= 0);
    CHECK(fstat(fd, &status) == 0);
    content.length = (size_t)status.st_size;
    content.bytes = malloc(content.length + 1);
    CHECK(pread(fd, content.bytes, content.length, 0) == status.st_size);
    close(fd);
    return content;
}

/* A file in memory. */
static int open_copy(const struct content *content, size_t length)
{
    int fd = memfd_create("recording", MFD_CLOEXEC);

    CHECK(fd >= 0);
    CHECK(syscall(SYS_pwrite64, fd, content->bytes, length, 0) == (long)length);
    return fd;
}

/* For other processes, too. */
static const char *path_of(int fd)
{
    static char path[64];

    snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), fd);
    return path;
}

static struct content content_of(int fd)
{
    return read_file(path_of(fd));
}

static bool is_same(const struct content *a, const struct content *b)
{
    return a->length == b->length && memcmp(a->bytes, b->bytes, a->length) == 0;
}

static void write_copy(int fd, const char *path)
{
    struct content content = content_of(fd);
    FILE *out = fopen(path, "we");

    ck_assert_ptr_nonnull(out);
    ck_assert_uint_eq(fwrite(content.bytes, 1, content.length, out), content.length);
    ck_assert_int_eq(fclose(out), 0);
    free(content.bytes);
}

static struct mp4_index make_index(int fd)
{
    struct mp4_index index = {.layout = MP4_STRANGE};

    if (!mp4_index_make(fd, &index, &err))
        ck_abort_msg("%s", err.text);
    return index;
}

/* One mdat and one moov behind what comes first, and nothing else. */
static void assert_ordinary(int fd)
{
    struct content content = content_of(fd);
    struct mp4_span rest = {content.bytes, content.length};
    static const char *const TYPES[] = {"ftyp", "mdat", "moov"};
    struct mp4_view view;

    for (size_t i = 0; i < 3; i++) {
        CHECK(mp4_view_next(&rest, &view));
        CHECK(mp4_is(view.type, TYPES[i]));
    }
    CHECK(rest.length == 0);
    free(content.bytes);
}

/* The moov box that comes after the mdat box. To be freed. */
static struct content read_movie(int fd)
{
    struct mp4_box box = {.size_bytes = 0};
    struct content movie;
    bool there = true;

    for (unsigned i = 0; i < 3; i++)
        ck_assert(mp4_box_read(fd, box.at + box.size_bytes, UINT64_MAX, &box, &there, &err) &&
                  there);
    ck_assert(mp4_is(box.type, "moov"));
    movie.length = (size_t)box.size_bytes;
    movie.bytes = malloc(movie.length);
    ck_assert_int_eq(pread(fd, movie.bytes, movie.length, (off_t)box.at), (ssize_t)movie.length);
    return movie;
}

static size_t find(const struct content *content, const char *type)
{
    const uint8_t *found = memmem(content->bytes, content->length, type, 4);

    ck_assert_msg(found != NULL, "%s", type);
    return (size_t)(found - content->bytes);
}

/* How many samples the index has of a track. */
static uint64_t samples_of(int fd, unsigned track)
{
    struct content movie = read_movie(fd), rest = movie;
    uint64_t count;

    for (unsigned i = 0; i <= track; i++) {
        size_t at = find(&rest, "stsz") + 4;

        rest.bytes += at;
        rest.length -= at;
    }
    count = mp4_number(rest.bytes + 8, 4);
    free(movie.bytes);
    return count;
}

/* Frames as they are shown, and when, of both: to "frames" and "frames2". One process, since to
 * start ffmpeg takes longer than all that it does here. */
static void write_frames_of(const char *one, const char *two)
{
    run("ffmpeg -y -nostdin -v error -threads 1 -i %s -threads 1 -i %s -map 0 -f framemd5 %s -map "
        "1 -f "
        "framemd5 "
        "%s 2>%s",
        one, two, in_base("frames"), in_base("frames2"), in_base("complaints"));
    run("test ! -s %s", in_base("complaints"));
}

__attribute__((format(printf, 1, 2))) static unsigned long number_from(const char *format, ...)
{
    char command[512], text[64] = "";
    va_list arguments;
    FILE *in;

    va_start(arguments, format);
    vsnprintf(command, sizeof command, format, arguments);
    va_end(arguments);
    in = popen(command, "re");
    ck_assert_ptr_nonnull(in);
    ck_assert_ptr_nonnull(fgets(text, sizeof text, in));
    pclose(in);
    return strtoul(text, NULL, 10);
}

/* ---- recordings of three ffmpegs, which need none here --------------------------------------- */

static const char *const RECORDED[] = {
    "ffmpeg-4.3-zerolatency", "ffmpeg-4.3-b-frames",    "ffmpeg-5.1-zerolatency",
    "ffmpeg-5.1-b-frames",    "ffmpeg-7.1-zerolatency", "ffmpeg-7.1-b-frames",
};
#define RECORDED_COUNT 6

/* Two fragments of a second, and one of half a second. */
static struct content read_recorded(int number)
{
    char path[512];

    snprintf(path, sizeof path, SOURCE_DIR "/tests/fuzz/corpus/mp4_index/%s", RECORDED[number]);
    return read_file(path);
}

/* Wherever it is cut: never strange, never longer than what is there, and each byte that is there
 * makes it no shorter. */
START_TEST(what_any_of_three_ffmpegs_wrote_is_understood_at_every_length)
{
    struct content content = read_recorded(_i);
    uint64_t before_ms = 0;

    /* Of two of them each one. */
    for (size_t length = 0; length <= content.length; length += _i % 4 == 0 ? EACH : 17) {
        int fd = open_copy(&content, length);
        struct mp4_index index = make_index(fd);

        if (!(index.layout == MP4_INDEXED || index.layout == MP4_EMPTY ||
              index.layout == MP4_ORDINARY) ||
            index.duration_ms < before_ms || (index.layout == MP4_INDEXED && !index.duration_ms) ||
            index.changed != (index.layout == MP4_INDEXED) ||
            (index.layout == MP4_INDEXED && index.cut_off != (length < content.length)))
            ck_abort_msg("%zu: layout %d, %" PRIu64 " ms", length, index.layout, index.duration_ms);
        if (index.layout == MP4_INDEXED)
            assert_ordinary(fd);
        before_ms = index.duration_ms;
        close(fd);
    }
    ck_assert(before_ms >= 2400 && before_ms < 2900);
    free(content.bytes);
}
END_TEST

static size_t find_last(const struct content *content, const char *type)
{
    size_t at = content->length - 4;

    while (memcmp(content->bytes + at, type, 4) != 0)
        ck_assert_uint_gt(at--, 0);
    return at - 4;
}

/* How long it is when its end is cut off: for each kind of tail. */
static size_t cut_length(const struct content *content, int kind)
{
    size_t moof = find_last(content, "moof"), mfra = find_last(content, "mfra");
    size_t mdat = moof + (size_t)mp4_number(content->bytes + moof, 4);
    const size_t lengths[] = {content->length, content->length - 1, mfra,    mfra - 20,
                              mdat + 6,        mdat - 10,           moof + 5};

    return lengths[kind];
}
#define CUT_KINDS 7

/* ---- real recordings ------------------------------------------------------------------------- */

START_TEST(an_indexed_recording_is_an_ordinary_one_with_the_same_frames)
{
    struct content content;
    struct mp4_index index;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made%d.mp4", _i));
    fd = open_copy(&content, content.length);
    index = make_index(fd);
    ck_assert_int_eq(index.layout, MP4_INDEXED);
    ck_assert(index.changed && !index.cut_off);
    ck_assert(index.duration_ms >= 3300 && index.duration_ms < 3500);
    assert_ordinary(fd);
    write_copy(fd, in_base("indexed.mp4"));
    write_frames_of(in_base("made%d.mp4", _i), in_base("indexed.mp4"));
    run("cmp %s %s", in_base("frames"), in_base("frames2"));
    ck_assert_uint_eq(number_from("grep -c '^0,' %s", in_base("frames2")), 99);
    ck_assert_uint_eq(samples_of(fd, 0), 99);
    close(fd);
    free(content.bytes);
}
END_TEST

START_TEST(to_index_it_again_changes_nothing)
{
    struct content content, first, second;
    struct mp4_index index, again;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made%d.mp4", _i));
    for (unsigned cut = 0; cut < 2; cut++) {
        fd = open_copy(&content, content.length - cut * 9000);
        index = make_index(fd);
        first = content_of(fd);
        again = make_index(fd);
        second = content_of(fd);
        ck_assert(is_same(&first, &second));
        ck_assert(index.changed && !again.changed);
        ck_assert_int_eq(again.layout, MP4_INDEXED);
        ck_assert_int_eq(again.cut_off, cut);
        ck_assert_int_eq(index.cut_off, cut);
        ck_assert_uint_eq(again.duration_ms, index.duration_ms);
        close(fd);
        free(first.bytes);
        free(second.bytes);
    }
    free(content.bytes);
}
END_TEST

START_TEST(a_recording_that_was_cut_off_plays_up_to_its_last_samples)
{
    struct content content;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made%d.mp4", _i));
    for (size_t i = 1; i <= 6; i++) {
        size_t length = content.length * i / 7 + i;
        int fd = open_copy(&content, length);
        struct mp4_index index = make_index(fd);

        if (index.layout == MP4_INDEXED) {
            ck_assert(index.cut_off && index.duration_ms > 0);
            assert_ordinary(fd);
            write_copy(fd, in_base("cut%zu.mp4", i));
        } else {
            ck_assert_int_eq(index.layout, MP4_EMPTY);
        }
        close(fd);
    }
    write_frames_of(in_base("cut3.mp4"), in_base("cut6.mp4"));
    free(content.bytes);
}
END_TEST

/* Whole, and cut off in the media of the last fragment. */
START_TEST(a_recording_of_sound_or_picture_alone_plays_as_well)
{
    static const struct {
        const char *drop;
        unsigned samples_a_second;
    } KINDS[] = {{"-an", 30}, {"-vn", 43}};
    struct content content;
    uint64_t samples[2];

    if (!have_ffmpeg)
        return;
    run("ffmpeg -y -nostdin -v error -i %s %s -c copy " FRAGMENTS " -f mp4 %s",
        in_base("made0.mp4"), KINDS[_i].drop, in_base("alone.mp4"));
    content = read_file(in_base("alone.mp4"));
    for (int cut = 0; cut < 2; cut++) {
        int fd = open_copy(&content, cut_length(&content, cut ? 3 : 0));
        struct mp4_index index = make_index(fd);

        ck_assert_int_eq(index.layout, MP4_INDEXED);
        ck_assert_int_eq(index.cut_off, cut);
        ck_assert(index.duration_ms > 3000 && index.duration_ms < 3500);
        assert_ordinary(fd);
        samples[cut] = samples_of(fd, 0);
        write_copy(fd, in_base("indexed%d.mp4", cut));
        close(fd);
    }
    ck_assert_uint_ge(samples[0], 3 * KINDS[_i].samples_a_second);
    ck_assert(samples[1] < samples[0] && samples[1] + 3 >= samples[0]); /* 20 bytes less */
    write_frames_of(in_base("alone.mp4"), in_base("indexed0.mp4"));
    run("cmp %s %s", in_base("frames"), in_base("frames2"));
    write_frames_of(in_base("indexed0.mp4"), in_base("indexed1.mp4"));
    run("head -n $(wc -l <%s) %s | cmp - %s", in_base("frames2"), in_base("frames"),
        in_base("frames2"));
    free(content.bytes);
}
END_TEST

static void assert_same_after(const struct content *content, const struct content *expected,
                              unsigned calls, int errno_value)
{
    for (unsigned first = 1;; first++) {
        int fd = open_copy(content, content->length);
        struct mp4_index index;
        struct content after;
        bool done;

        fail_from(first, calls, errno_value);
        done = mp4_index_make(fd, &index, &err);
        if (writes < first) {
            close(fd);
            ck_assert_uint_gt(first, 5);
            return;
        }
        /* A disk that is full is no error, until the last fsync(), when the header is written. */
        if (done && !(errno_value == ENOSPC && index.layout == MP4_FRAGMENTED))
            ck_abort_msg("%u", first);
        clear();
        CHECK(make_index(fd).layout == MP4_INDEXED);
        after = content_of(fd);
        if (!is_same(&after, expected))
            ck_abort_msg("failed at %u", first);
        close(fd);
        free(after.bytes);
    }
}

START_TEST(stopped_at_any_write_and_begun_again_it_comes_to_the_same_bytes)
{
    struct content whole = read_recorded(_i);

    for (int kind = 0; kind < CUT_KINDS; kind++) {
        struct content content = {whole.bytes, cut_length(&whole, kind)}, expected;
        int fd = open_copy(&content, content.length);

        ck_assert_int_eq(make_index(fd).layout, MP4_INDEXED);
        expected = content_of(fd);
        close(fd);
        assert_same_after(&content, &expected, 1000, EIO);
        assert_same_after(&content, &expected, 1, EIO);
        assert_same_after(&content, &expected, 1, ENOSPC);
        clear();
        free(expected.bytes);
    }
    free(whole.bytes);
}
END_TEST

/* A copy that lacks its end, for example in the bucket: the header says that there is an index. */
START_TEST(an_index_that_was_lost_is_made_again_from_the_fragments_that_are_there)
{
    struct content content = read_recorded(_i), indexed, after, expected;
    int fd = open_copy(&content, content.length), copy;

    make_index(fd);
    indexed = content_of(fd);
    close(fd);
    for (size_t length = find_last(&content, "mfra") - 100; length < indexed.length;
         length += 11 * EACH) {
        struct mp4_index index, again;

        fd = open_copy(&indexed, length);
        copy = open_copy(&content, length < content.length ? length : content.length);
        ck_assert_int_eq(mp4_index_look(fd), MP4_FRAGMENTED);
        index = make_index(fd);
        ck_assert(index.layout == MP4_INDEXED && index.changed);
        ck_assert(index.cut_off == (length < content.length));
        again = make_index(copy);
        ck_assert_uint_eq(index.duration_ms, again.duration_ms);
        after = content_of(fd);
        expected = content_of(copy);
        ck_assert_msg(is_same(&after, &expected), "%zu", length);
        close(fd);
        close(copy);
        free(after.bytes);
        free(expected.bytes);
    }
    free(content.bytes);
    free(indexed.bytes);
}
END_TEST

START_TEST(a_lost_index_that_cannot_be_made_again_leaves_the_file_as_it_is)
{
    struct content content = read_recorded(0), indexed, after;
    int fd = open_copy(&content, content.length);
    struct mp4_index index;

    make_index(fd);
    indexed = content_of(fd);
    close(fd);
    indexed.length = content.length - 100;
    memcpy(indexed.bytes + find_last(&content, "trex") + 4, "tre?", 4);
    fd = open_copy(&indexed, indexed.length);
    index = make_index(fd);
    ck_assert(index.layout != MP4_INDEXED && !index.changed);
    after = content_of(fd);
    ck_assert(is_same(&after, &indexed));
    close(fd);
    free(content.bytes);
    free(indexed.bytes);
    free(after.bytes);
}
END_TEST

/* By when they are shown, which B-frames shift. */
static void assert_ends_at(const char *frames, uint64_t duration_ms)
{
    unsigned long end_ms =
        number_from("awk -F'[ ,/]+' '/^#tb/ { tb[$2 + 0] = $3 / $4 } /^[0-9]/ { at = ($3 + $4) * "
                    "tb[$1]; if (at > end) end = at } END { print 1000 * end }' %s",
                    frames);

    ck_assert_msg(duration_ms <= end_ms + 1 && end_ms < duration_ms + 150, "%lu, not %" PRIu64,
                  end_ms, duration_ms);
}

START_TEST(a_full_disk_leaves_fragments_until_there_is_room)
{
    struct content whole = read_recorded(_i);

    for (int kind = 0; kind < CUT_KINDS; kind++) {
        struct content content = {whole.bytes, cut_length(&whole, kind)}, expected, after;
        int fd = open_copy(&content, content.length);
        struct mp4_index index;

        ck_assert_int_eq(make_index(fd).layout, MP4_INDEXED);
        expected = content_of(fd);
        close(fd);
        fd = open_copy(&content, content.length);
        disk_bytes = content.length;
        for (unsigned try = 0; try < 2; try++) {
            index = make_index(fd);
            ck_assert_int_eq(index.layout, MP4_FRAGMENTED);
            ck_assert(index.duration_ms > 1900 && index.cut_off == (kind > 0));
            after = content_of(fd);
            ck_assert_uint_le(after.length, content.length);
            ck_assert_uint_gt(after.length + 8, content.length); /* less than a box's header */
            free(after.bytes);
        }
        /* With room at last, nothing is missing. */
        disk_bytes = 0;
        ck_assert_int_eq(make_index(fd).layout, MP4_INDEXED);
        after = content_of(fd);
        ck_assert(is_same(&after, &expected));
        close(fd);
        free(expected.bytes);
        free(after.bytes);
    }
    free(whole.bytes);
}
END_TEST

START_TEST(what_a_full_disk_leaves_plays_without_a_complaint)
{
    static const int KINDS[] = {3, 5};
    uint64_t durations_ms[2];
    struct content content;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made%d.mp4", _i));
    for (unsigned i = 0; i < 2; i++) {
        int fd = open_copy(&content, cut_length(&content, KINDS[i]));
        struct mp4_index index;

        disk_bytes = cut_length(&content, KINDS[i]);
        index = make_index(fd);
        ck_assert_int_eq(index.layout, MP4_FRAGMENTED);
        durations_ms[i] = index.duration_ms;
        write_copy(fd, in_base("left%u.mp4", i));
        close(fd);
    }
    write_frames_of(in_base("left0.mp4"), in_base("left1.mp4"));
    assert_ends_at(in_base("frames"), durations_ms[0]);
    assert_ends_at(in_base("frames2"), durations_ms[1]);
    free(content.bytes);
}
END_TEST

/* ---- other layouts --------------------------------------------------------------------------- */

START_TEST(what_is_not_understood_is_not_touched)
{
    static const struct {
        const char *type;  /* of the first box of that name */
        int at;            /* from its name on */
        const char *bytes; /* to be there instead */
        size_t length;
    } CHANGES[] = {
        {"ftyp", 4, "qt  ", 4},       /* another brand */
        {"dinf", 0, "edts", 4},       /* something unknown in a known box */
        {"udta", 0, "pssh", 4},       /* encryption */
        {"avc1", 0, "encv", 4},       /* encrypted samples */
        {"tfhd", 4, "\0\0\0\x38", 4}, /* offsets that count from elsewhere */
        {"tfhd", 8, "\0\0\0\x09", 4}, /* a track that isn't there */
        {"trun", 4, "\0\1\3\5", 4},   /* a member that isn't known */
        {"tfdt", 0, "senc", 4},       /* encryption of samples */
        {"mfhd", 0, "pssh", 4},       /* encryption in a fragment */
        {"mfra", 0, "what", 4},       /* between the fragments */
        {"trex", 15, "\2", 1},        /* another description of samples */
        {"mdhd", 4, "\1", 1},         /* wide times, for which the box has no room */
    };
    struct content content, after;
    struct mp4_index index;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made0.mp4"));
    memcpy(content.bytes + find(&content, CHANGES[_i].type) + CHANGES[_i].at, CHANGES[_i].bytes,
           CHANGES[_i].length);
    fd = open_copy(&content, content.length);
    index = make_index(fd);
    ck_assert_int_eq(index.layout, MP4_STRANGE);
    ck_assert(!index.changed);
    after = content_of(fd);
    ck_assert(is_same(&content, &after));
    close(fd);
    free(content.bytes);
    free(after.bytes);
}
END_TEST
#define CHANGES_COUNT 12

START_TEST(what_is_no_fragmented_recording_is_not_touched)
{
    static const char *const CONTENTS[] = {"",
                                           "a",
                                           "moov",
                                           "hello, this is a text",
                                           "\0\0\0\x08"
                                           "ftyp",
                                           "\0\0\0\x08"
                                           "moov",
                                           "\x1a\x45\xdf\xa3 matroska, for example"};

    for (size_t i = 0; i < sizeof CONTENTS / sizeof *CONTENTS; i++) {
        struct content content = {(uint8_t *)CONTENTS[i],
                                  i == 4 || i == 5 ? 8 : strlen(CONTENTS[i])};
        int fd = open_copy(&content, content.length);
        struct mp4_index index = make_index(fd);

        ck_assert_int_eq(mp4_index_look(fd), MP4_ORDINARY);
        ck_assert_int_eq(index.layout, MP4_ORDINARY);
        ck_assert(!index.changed && !index.duration_ms);
        close(fd);
    }
}
END_TEST

START_TEST(the_head_of_a_recording_tells_whether_it_is_in_fragments_or_was)
{
    struct content content;
    int fd;

    if (!have_ffmpeg)
        return;
    for (unsigned i = 0; i < COMMANDS_COUNT; i++) {
        content = read_file(in_base("made%u.mp4", i));
        fd = open_copy(&content, find(&content, "moof") - 4);
        ck_assert_int_eq(mp4_index_look(fd), MP4_FRAGMENTED);
        close(fd);
        fd = open_copy(&content, find(&content, "mvex"));
        ck_assert_int_eq(mp4_index_look(fd), MP4_ORDINARY); /* not all of the head is there */
        close(fd);
        fd = open_copy(&content, content.length);
        ck_assert_int_eq(mp4_index_look(fd), MP4_FRAGMENTED);
        make_index(fd);
        ck_assert_int_eq(mp4_index_look(fd), MP4_INDEXED);
        close(fd);
        free(content.bytes);
    }
}
END_TEST

START_TEST(an_ordinary_recording_tells_its_duration)
{
    struct content content, after;
    struct mp4_index index;
    int fd;

    if (!have_ffmpeg)
        return;
    run("ffmpeg -v error -y %s -t 2 -f mp4 %s", COMMANDS[0], in_base("ordinary.mp4"));
    content = read_file(in_base("ordinary.mp4"));
    fd = open_copy(&content, content.length);
    index = make_index(fd);
    ck_assert_int_eq(index.layout, MP4_ORDINARY);
    ck_assert(index.duration_ms >= 2000 && index.duration_ms < 2200);
    after = content_of(fd);
    ck_assert(is_same(&content, &after));
    close(fd);
    free(content.bytes);
    free(after.bytes);
}
END_TEST

/* Both tracks stop for two seconds: a recorder that was suspended, for example. */
START_TEST(a_gap_between_fragments_keeps_sound_and_picture_together)
{
    struct content content;
    unsigned moved = 0;
    struct mp4_index index;
    uint8_t *at;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made0.mp4"));
    at = content.bytes + find(&content, "moof");
    for (unsigned seen = 0;
         (at = memmem(at, (size_t)(content.bytes + content.length - at), "tfdt", 4)); at += 4) {
        uint64_t scale = seen++ % 2 ? 44100 : 15360;

        if (seen > 2) {
            mp4_put_number(at + 8, 8, mp4_number(at + 8, 8) + 2 * scale);
            moved++;
        }
    }
    ck_assert_uint_ge(moved, 4);
    fd = open_copy(&content, content.length);
    write_copy(fd, in_base("gap.mp4"));
    index = make_index(fd);
    ck_assert_int_eq(index.layout, MP4_INDEXED);
    ck_assert(index.duration_ms >= 5300 && index.duration_ms < 5500);
    write_copy(fd, in_base("indexed.mp4"));
    for (unsigned i = 0; i < 2; i++)
        run("ffprobe -v error -show_entries packet=stream_index,pts,dts,size,flags -of csv %s | "
            "sort >%s",
            in_base(i ? "gap.mp4" : "indexed.mp4"), in_base(i ? "frames2" : "frames"));
    run("cmp %s %s", in_base("frames"), in_base("frames2"));
    close(fd);
    free(content.bytes);
}
END_TEST

START_TEST(time_that_goes_back_is_not_understood)
{
    struct content content;
    uint8_t *at;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made0.mp4"));
    at = content.bytes + find(&content, "mfra");
    for (uint8_t *next = content.bytes;
         (next = memmem(next, (size_t)(content.bytes + content.length - next), "tfdt", 4));
         next += 4)
        at = next;
    mp4_put_number(at + 8, 8, 1);
    fd = open_copy(&content, content.length);
    ck_assert_int_eq(make_index(fd).layout, MP4_STRANGE);
    close(fd);
    free(content.bytes);
}
END_TEST

/* A track that begins a second after the other one. */
START_TEST(a_track_that_begins_later_does_so_in_the_ordinary_file)
{
    struct content content;
    uint8_t *at;
    int fd;

    if (!have_ffmpeg)
        return;
    content = read_file(in_base("made0.mp4"));
    at = content.bytes;
    for (unsigned seen = 0;
         (at = memmem(at, (size_t)(content.bytes + content.length - at), "tfdt", 4)); at += 4)
        if (seen++ % 2)
            mp4_put_number(at + 8, 8, mp4_number(at + 8, 8) + 44100);
    fd = open_copy(&content, content.length);
    ck_assert_int_eq(make_index(fd).layout, MP4_INDEXED);
    write_copy(fd, in_base("indexed.mp4"));
    run("test \"$(ffprobe -v error -show_entries stream=codec_type,start_time -of csv=p=0 %s | "
        "paste -sd ' ')\" = 'video,0.000000 audio,1.000000'",
        in_base("indexed.mp4"));
    close(fd);
    free(content.bytes);
}
END_TEST

START_TEST(bytes_that_were_changed_do_no_harm)
{
    struct content content = read_recorded(1);
    unsigned seed = 20261127;

    for (unsigned i = 0; i < 2000; i++) {
        struct mp4_index index, again;
        struct error ignored = ERROR_INIT;
        uint8_t before[4];
        size_t at[4], length = i % 3 ? content.length : (size_t)rand_r(&seed) % content.length;
        int fd;

        for (unsigned j = 0; j < 4; j++) {
            at[j] = (size_t)rand_r(&seed) % (i % 2 ? 3000 : content.length);
            before[j] = content.bytes[at[j]];
            content.bytes[at[j]] = (uint8_t)rand_r(&seed);
        }
        fd = open_copy(&content, length);
        if (mp4_index_make(fd, &index, &ignored) && mp4_index_make(fd, &again, &ignored)) {
            ck_assert_msg(index.layout != MP4_INDEXED || again.layout == MP4_INDEXED, "%u", i);
            ck_assert_msg(!again.changed, "%u", i);
        }
        close(fd);
        for (unsigned j = 4; j-- > 0;)
            content.bytes[at[j]] = before[j];
    }
    free(content.bytes);
}
END_TEST

/* ---- long and large ones --------------------------------------------------------------------- */

static uint8_t *put_box(uint8_t *at, const char *type, size_t size)
{
    mp4_put_number(at, 4, size);
    memcpy(at + 4, type, 4);
    return at + 8;
}

/* A part of a second: `count` samples of `size` bytes each, with their sizes stated one by one. */
static uint8_t *put_part(uint8_t *at, unsigned track, uint64_t dts, unsigned count, uint32_t size,
                         uint32_t duration, uint64_t offset)
{
    size_t run = 8 + 4 + 4 + 4 + 4 + 4 * (size_t)count;
    uint8_t *next = put_box(at, "traf", 8 + 24 + 20 + run);

    next = put_box(next, "tfhd", 24);
    mp4_put_number(next, 4, 0x020028);
    mp4_put_number(next + 4, 4, track);
    mp4_put_number(next + 8, 4, duration);
    mp4_put_number(next + 12, 4, track == 1 ? 0x1010000 : 0x2000000);
    next = put_box(next + 16, "tfdt", 20);
    mp4_put_number(next, 4, 0x1000000);
    mp4_put_number(next + 4, 8, dts);
    next = put_box(next + 12, "trun", run);
    mp4_put_number(next, 4, 0x205);
    mp4_put_number(next + 4, 4, count);
    mp4_put_number(next + 8, 4, offset);
    mp4_put_number(next + 12, 4, track == 1 ? 0x2000000 : 0x2000000);
    for (unsigned i = 0; i < count; i++)
        mp4_put_number(next + 16 + 4 * i, 4, size);
    return next + 16 + 4 * (size_t)count;
}

/* Seconds of 30 frames and 43 pieces of sound each, whose bytes are a hole in the file. */
static int make_long(unsigned seconds, uint32_t frame_bytes, uint32_t sound_bytes)
{
    struct content content = read_file(in_base("made0.mp4"));
    uint64_t end = find(&content, "moof") - 4;
    int fd = memfd_create("long", 0);
    static uint8_t moof[4096];

    CHECK(fd >= 0);
    CHECK(pwrite(fd, content.bytes, end, 0) == (ssize_t)end);
    for (unsigned i = 0; i < seconds; i++) {
        uint64_t media = 8 + 30 * (uint64_t)frame_bytes + 43 * (uint64_t)sound_bytes;
        size_t parts = 2 * (8 + 24 + 20 + 24) + 4 * (30 + 43), length = 8 + 16 + parts;
        uint8_t *next = put_box(moof, "moof", length);

        next = put_box(next, "mfhd", 16);
        mp4_put_number(next, 8, i);
        next = put_part(next + 8, 1, 15360 * (uint64_t)i, 30, frame_bytes, 512, length + 8);
        next = put_part(next, 2, 43 * 1024 * (uint64_t)i, 43, sound_bytes, 1024,
                        length + 8 + 30 * frame_bytes);
        CHECK(next - moof == (long)length);
        put_box(next, "mdat", media);
        CHECK(pwrite(fd, moof, length + 8, (off_t)end) == (ssize_t)length + 8);
        end += length + media;
    }
    CHECK(ftruncate(fd, (off_t)end) == 0);
    free(content.bytes);
    return fd;
}

/* Each chunk of the first track begins where the media of a fragment do. */
static void assert_chunks(int fd, unsigned count)
{
    struct content movie = read_movie(fd);
    const uint8_t *chunks = movie.bytes + find(&movie, "co64") + 8;
    struct mp4_box box;
    bool there;

    ck_assert_uint_eq(mp4_number(chunks, 4), count);
    for (unsigned i = 0; i < count; i++) {
        CHECK(mp4_box_read(fd, mp4_number(chunks + 4 + 8 * (size_t)i, 8) - 8, UINT64_MAX, &box,
                           &there, &err));
        CHECK(there && mp4_is(box.type, "mdat"));
    }
    free(movie.bytes);
}

/* How much more may be allocated from now on; 0: no limit. */
static void limit_memory(unsigned long more_kib)
{
#ifdef SANITIZED
    (void)more_kib; /* the sanitizers need memory of their own */
#else
    char line[128];
    unsigned long kib = 0;
    FILE *in = fopen("/proc/self/status", "re");
    struct rlimit limit;

    while (in && fgets(line, sizeof line, in))
        if (sscanf(line, "VmData: %lu", &kib) == 1)
            break;
    ck_assert_ptr_nonnull(in);
    (void)fclose(in);
    ck_assert_int_eq(getrlimit(RLIMIT_DATA, &limit), 0);
    limit.rlim_cur = more_kib ? (kib + more_kib) * 1024 : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_DATA, &limit), 0);
#endif
}

START_TEST(twelve_hours_are_indexed_in_4_mib_of_memory)
{
    struct mp4_index index;
    int fd;

    if (!have_ffmpeg)
        return;
    fd = make_long(LONG_S, 10, 10);
    limit_memory(4096);
    index = make_index(fd);
    limit_memory(0);
    ck_assert_int_eq(index.layout, MP4_INDEXED);
    ck_assert(index.cut_off && index.duration_ms == LONG_S * 1000);
    ck_assert_uint_eq(make_index(fd).duration_ms, LONG_S * 1000);
    ck_assert_uint_eq(samples_of(fd, 0), LONG_S * 30);
    ck_assert_uint_eq(samples_of(fd, 1), LONG_S * 43);
    assert_chunks(fd, LONG_S);
    close(fd);
}
END_TEST

START_TEST(above_4_gib_sizes_and_offsets_are_of_64_bits)
{
    struct mp4_index index;
    struct mp4_box box;
    bool there;
    int fd;

    if (!have_ffmpeg)
        return;
    fd = make_long(600, 300000, 100); /* 5 GiB */
    index = make_index(fd);
    ck_assert_int_eq(index.layout, MP4_INDEXED);
    ck_assert_uint_eq(index.duration_ms, 600000);
    ck_assert(mp4_box_read(fd, 28, UINT64_MAX, &box, &there, &err) && there);
    ck_assert(mp4_is(box.type, "mdat") && box.header_bytes == 16 && box.size_bytes > UINT32_MAX);
    assert_chunks(fd, 600);
    index = make_index(fd);
    ck_assert(index.layout == MP4_INDEXED && !index.changed && index.cut_off);
    /* Of 16 bytes, 8 are of the box that was the first in the old one. */
    ck_assert_int_eq(ftruncate(fd, (off_t)5 << 29), 0);
    index = make_index(fd);
    ck_assert(index.layout == MP4_INDEXED && index.changed && index.cut_off);
    ck_assert(index.duration_ms > 298000 && index.duration_ms < 300000);
    ck_assert(mp4_box_read(fd, 28, UINT64_MAX, &box, &there, &err) && there);
    ck_assert(mp4_is(box.type, "mdat") && box.header_bytes == 8);
    close(fd);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mp4_index");
    TCase *cases = tcase_create("mp4_index");

    tcase_add_unchecked_fixture(cases, make_recordings, remove_recordings);
    tcase_add_checked_fixture(cases, clear, NULL);
    tcase_set_timeout(cases, 100);
    tcase_add_loop_test(cases, what_any_of_three_ffmpegs_wrote_is_understood_at_every_length, 0,
                        RECORDED_COUNT);
    tcase_add_loop_test(cases, an_indexed_recording_is_an_ordinary_one_with_the_same_frames, 0,
                        COMMANDS_COUNT);
    tcase_add_loop_test(cases, to_index_it_again_changes_nothing, 0, COMMANDS_COUNT);
    tcase_add_loop_test(cases, a_recording_that_was_cut_off_plays_up_to_its_last_samples, 0,
                        COMMANDS_COUNT);
    tcase_add_loop_test(cases, a_recording_of_sound_or_picture_alone_plays_as_well, 0, 2);
    tcase_add_loop_test(cases, stopped_at_any_write_and_begun_again_it_comes_to_the_same_bytes, 0,
                        KILLED);
    tcase_add_loop_test(cases,
                        an_index_that_was_lost_is_made_again_from_the_fragments_that_are_there, 0,
                        RECORDED_COUNT);
    tcase_add_test(cases, a_lost_index_that_cannot_be_made_again_leaves_the_file_as_it_is);
    tcase_add_loop_test(cases, a_full_disk_leaves_fragments_until_there_is_room, 0, RECORDED_COUNT);
    tcase_add_loop_test(cases, what_a_full_disk_leaves_plays_without_a_complaint, 0,
                        COMMANDS_COUNT);
    tcase_add_loop_test(cases, what_is_not_understood_is_not_touched, 0, CHANGES_COUNT);
    tcase_add_test(cases, what_is_no_fragmented_recording_is_not_touched);
    tcase_add_test(cases, the_head_of_a_recording_tells_whether_it_is_in_fragments_or_was);
    tcase_add_test(cases, an_ordinary_recording_tells_its_duration);
    tcase_add_test(cases, a_gap_between_fragments_keeps_sound_and_picture_together);
    tcase_add_test(cases, time_that_goes_back_is_not_understood);
    tcase_add_test(cases, a_track_that_begins_later_does_so_in_the_ordinary_file);
    tcase_add_test(cases, bytes_that_were_changed_do_no_harm);
    tcase_add_test(cases, twelve_hours_are_indexed_in_4_mib_of_memory);
    tcase_add_test(cases, above_4_gib_sizes_and_offsets_are_of_64_bits);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}

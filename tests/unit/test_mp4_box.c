#include "finalize/session/mp4_box.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* A file that is built box by box. */
struct film {
    int fd;
    uint64_t size_bytes;
};

static struct film new_film(void)
{
    struct film film = {memfd_create("film", MFD_CLOEXEC), 0};

    ck_assert_int_ge(film.fd, 0);
    return film;
}

static void append(struct film *film, const void *bytes, size_t length)
{
    ck_assert_int_eq(pwrite(film->fd, bytes, length, (off_t)film->size_bytes), (ssize_t)length);
    film->size_bytes += length;
}

static void put_number(unsigned char *bytes, uint64_t number, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        bytes[i] = (unsigned char)(number >> 8 * (count - 1 - i));
}

/* A header that says `stated`, followed by `filler` bytes. */
static void box(struct film *film, const char *type, uint32_t stated, size_t filler)
{
    unsigned char header[8];
    unsigned char byte = 0xaa;

    put_number(header, stated, 4);
    memcpy(header + 4, type, 4);
    append(film, header, sizeof header);
    for (size_t i = 0; i < filler; i++)
        append(film, &byte, 1);
}

static void large_box(struct film *film, const char *type, uint64_t stated, size_t filler)
{
    unsigned char large[8];

    box(film, type, 1, 0);
    put_number(large, stated, 8);
    append(film, large, sizeof large);
    for (size_t i = 0; i < filler; i++)
        append(film, "x", 1);
}

static bool is_complete(struct film *film)
{
    struct error err = ERROR_INIT;
    bool complete = false;

    ck_assert_msg(mp4_is_complete(film->fd, film->size_bytes, &complete, &err), "%s", err.text);
    close(film->fd);
    return complete;
}

START_TEST(a_file_that_ends_with_moov_is_complete)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    box(&film, "free", 8, 0);
    box(&film, "mdat", 108, 100);
    box(&film, "moov", 58, 50);
    ck_assert(is_complete(&film));
}
END_TEST

START_TEST(moov_may_stand_first)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    box(&film, "moov", 58, 50);
    box(&film, "mdat", 0, 100);
    ck_assert(is_complete(&film));
}
END_TEST

START_TEST(sizes_of_64_bits_are_read)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    large_box(&film, "mdat", 16 + 100, 100);
    large_box(&film, "moov", 16 + 20, 20);
    ck_assert(is_complete(&film));
}
END_TEST

START_TEST(a_recording_of_more_than_4_gib_is_skipped_through)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    large_box(&film, "mdat", UINT64_C(5) << 30, 0);
    film.size_bytes = 32 + (UINT64_C(5) << 30); /* a hole */
    box(&film, "moov", 58, 50);
    ck_assert(is_complete(&film));
}
END_TEST

START_TEST(a_recording_that_was_cut_off_is_not_complete)
{
    static const char *const ENDS[] = {"size 0 while it is written", "size patched", "no mdat"};

    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++) {
        struct film film = new_film();

        box(&film, "ftyp", 32, 24);
        box(&film, "free", 8, 0);
        if (i < 2)
            box(&film, "mdat", i == 0 ? 0 : 108, 100);
        ck_assert_msg(!is_complete(&film), "%s", ENDS[i]);
    }
}
END_TEST

START_TEST(a_moov_that_was_cut_off_is_not_complete)
{
    static const struct {
        uint32_t stated;
        size_t there;
    } CASES[] = {{59, 50}, {UINT32_MAX, 50}, {0, 50}, {7, 50}, {2, 50}};

    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct film film = new_film();

        box(&film, "ftyp", 32, 24);
        box(&film, "mdat", 18, 10);
        box(&film, "moov", CASES[i].stated, CASES[i].there);
        ck_assert_msg(!is_complete(&film), "stated size %u", CASES[i].stated);
    }
}
END_TEST

START_TEST(the_word_moov_in_other_boxes_does_not_count)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    box(&film, "mdat", 8 + 8 + 20, 0);
    box(&film, "moov", 28, 20); /* within mdat */
    ck_assert(!is_complete(&film));
}
END_TEST

START_TEST(impossible_sizes_end_the_search)
{
    static const uint64_t LARGE[] = {0, 1, 15, UINT64_MAX, UINT64_MAX - 31, UINT64_C(1) << 63};

    for (size_t i = 0; i < sizeof LARGE / sizeof *LARGE; i++) {
        struct film film = new_film();

        box(&film, "ftyp", 32, 24);
        large_box(&film, "mdat", LARGE[i], 0);
        box(&film, "moov", 28, 20);
        ck_assert_msg(!is_complete(&film), "case %zu", i);
    }
    for (uint32_t size = 2; size < 8; size++) {
        struct film film = new_film();

        box(&film, "ftyp", size, 24);
        box(&film, "moov", 28, 20);
        ck_assert_msg(!is_complete(&film), "size %u", size);
    }
}
END_TEST

START_TEST(what_is_no_mp4_file_is_not_complete)
{
    static const char *const CONTENTS[] = {"", "a", "1234567", "moov", "hello, this is a text"};

    for (size_t i = 0; i < sizeof CONTENTS / sizeof *CONTENTS; i++) {
        struct film film = new_film();

        append(&film, CONTENTS[i], strlen(CONTENTS[i]));
        ck_assert_msg(!is_complete(&film), "\"%s\"", CONTENTS[i]);
    }
}
END_TEST

/* What ffmpeg writes before the first frame: ftyp, free, and an mdat that has no size yet. */
START_TEST(a_recording_that_has_only_begun_is_not_complete)
{
    struct film film = new_film();

    ck_assert(!is_complete(&film)); /* 0 bytes */
    film = new_film();
    box(&film, "ftyp", 32, 24);
    box(&film, "free", 8, 0);
    box(&film, "mdat", 0, 0);
    ck_assert_uint_eq(film.size_bytes, 48);
    ck_assert(!is_complete(&film));
}
END_TEST

START_TEST(a_large_size_cut_within_its_header_is_not_complete)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    box(&film, "moov", 1, 4);
    ck_assert(!is_complete(&film));
}
END_TEST

START_TEST(a_file_that_shrank_is_not_complete)
{
    struct film film = new_film();

    box(&film, "ftyp", 32, 24);
    film.size_bytes += 100;
    ck_assert(!is_complete(&film));
}
END_TEST

START_TEST(the_search_ends_after_100000_boxes)
{
    enum { BOXES = 100000 };
    struct film film = new_film();
    unsigned char *boxes = calloc(BOXES, 8);
    bool complete = true;
    struct error err = ERROR_INIT;

    ck_assert_ptr_nonnull(boxes);
    for (size_t i = 0; i < BOXES; i++) {
        boxes[i * 8 + 3] = 8;
        memcpy(boxes + i * 8 + 4, "free", 4);
    }
    append(&film, boxes, (BOXES - 1) * 8);
    box(&film, "moov", 8, 0);
    ck_assert(mp4_is_complete(film.fd, film.size_bytes, &complete, &err));
    ck_assert(complete);
    film.size_bytes = 0;
    append(&film, boxes, (size_t)BOXES * 8);
    box(&film, "moov", 8, 0);
    free(boxes);
    ck_assert(!is_complete(&film));
}
END_TEST

START_TEST(a_file_that_cannot_be_read_is_an_error)
{
    struct error err = ERROR_INIT;
    bool complete = true;

    ck_assert(!mp4_is_complete(-1, 100, &complete, &err));
    ck_assert_int_eq(err.kind, ERROR_TRANSIENT);
    ck_assert(complete); /* untouched */
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mp4_box");
    TCase *cases = tcase_create("mp4_box");

    tcase_add_test(cases, a_file_that_ends_with_moov_is_complete);
    tcase_add_test(cases, moov_may_stand_first);
    tcase_add_test(cases, sizes_of_64_bits_are_read);
    tcase_add_test(cases, a_recording_of_more_than_4_gib_is_skipped_through);
    tcase_add_test(cases, a_recording_that_was_cut_off_is_not_complete);
    tcase_add_test(cases, a_moov_that_was_cut_off_is_not_complete);
    tcase_add_test(cases, the_word_moov_in_other_boxes_does_not_count);
    tcase_add_test(cases, impossible_sizes_end_the_search);
    tcase_add_test(cases, what_is_no_mp4_file_is_not_complete);
    tcase_add_test(cases, a_recording_that_has_only_begun_is_not_complete);
    tcase_add_test(cases, a_large_size_cut_within_its_header_is_not_complete);
    tcase_add_test(cases, a_file_that_shrank_is_not_complete);
    tcase_add_test(cases, the_search_ends_after_100000_boxes);
    tcase_add_test(cases, a_file_that_cannot_be_read_is_an_error);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}

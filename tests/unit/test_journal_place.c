#include "finalize/journal/journal_place.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char base[64];
static char path[128]; /* of the journal below it */
static struct settings settings;
static struct error err;

static void make_base(void)
{
    char made[] = "/tmp/test_journal_place_XXXXXX";

    ck_assert_ptr_nonnull(mkdtemp(made));
    strcpy(base, made);
    snprintf(path, sizeof path, "%s/.jibri-finalize/journal.db", base);
    settings = (struct settings){0};
    error_clear(&err);
}

static void remove_base(void)
{
    unit_remove(base);
}

static void make_journal(void)
{
    struct journal_recording recording;
    struct journal *journal;

    ck_assert_msg(journal_place_open(&settings, base, &journal, &err), "%s", err.text);
    ck_assert(journal_begin_recording(journal, "/r/s", "s", 1, &recording, &err));
    journal_close(journal);
}

static void overwrite(const char *name, long offset, const char *text)
{
    FILE *file = fopen(name, offset ? "r+" : "w");

    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fseek(file, offset, SEEK_SET), 0);
    ck_assert_int_ge(fputs(text, file), 0);
    ck_assert_int_eq(fclose(file), 0);
}

static bool knows_the_recording(void)
{
    struct journal_recording recording;
    struct journal *journal;
    bool found;

    ck_assert_msg(journal_place_open(&settings, base, &journal, &err), "%s", err.text);
    ck_assert(journal_find_recording(journal, "/r/s", &recording, &found, &err));
    journal_close(journal);
    return found;
}

START_TEST(the_place_follows_the_settings)
{
    char place[JOURNAL_PLACE_SIZE];

    ck_assert(journal_place(&settings, "/config/recordings", place));
    ck_assert_str_eq(place, "/config/recordings/.jibri-finalize/journal.db");
    ck_assert(journal_place(&settings, "/", place));
    ck_assert_str_eq(place, "/.jibri-finalize/journal.db");
    settings.recordings_dir = (char *)"/storage";
    ck_assert(journal_place(&settings, "/config/recordings", place));
    ck_assert_str_eq(place, "/storage/.jibri-finalize/journal.db");
    settings.journal = (char *)"/var/lib/j.db";
    ck_assert(journal_place(&settings, "/config/recordings", place));
    ck_assert_str_eq(place, "/var/lib/j.db");
}
END_TEST

START_TEST(a_path_that_is_too_long_is_refused)
{
    char place[JOURNAL_PLACE_SIZE], long_parent[2 * JOURNAL_PLACE_SIZE];

    memset(long_parent, 'a', sizeof long_parent - 1);
    long_parent[sizeof long_parent - 1] = 0;
    ck_assert(!journal_place(&settings, long_parent, place));
}
END_TEST

START_TEST(a_damaged_journal_is_set_aside_and_kept)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE], *aside;

    make_journal();
    overwrite(path, 0, "this is no journal any more");
    ck_assert_msg(journal_place_set_aside(&settings, base, sentence, &err), "%s", err.text);
    ck_assert_ptr_nonnull(strstr(sentence, "journal.db.damaged-"));
    aside = strstr(sentence, base);
    aside[strcspn(aside, ";")] = 0;
    ck_assert_int_eq(access(aside, F_OK), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    ck_assert(!knows_the_recording());
}
END_TEST

START_TEST(a_sound_journal_is_left_alone)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE];

    make_journal();
    ck_assert(journal_place_set_aside(&settings, base, sentence, &err));
    ck_assert_str_eq(sentence, "");
    ck_assert(knows_the_recording());
}
END_TEST

START_TEST(damage_in_the_middle_is_found)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE];
    char rubbish[4097];

    make_journal();
    memset(rubbish, 'x', sizeof rubbish - 1);
    rubbish[sizeof rubbish - 1] = 0;
    overwrite(path, 4096, rubbish);
    ck_assert(journal_place_set_aside(&settings, base, sentence, &err));
    ck_assert_str_ne(sentence, "");
}
END_TEST

START_TEST(a_file_that_was_never_a_journal_is_not_renamed)
{
    char sentence[JOURNAL_PLACE_SENTENCE_SIZE];
    char precious[128];

    snprintf(precious, sizeof precious, "%s/precious.txt", base);
    overwrite(precious, 0, "a file that CONFOMEET_JOURNAL names by mistake");
    settings.journal = precious;
    ck_assert(!journal_place_set_aside(&settings, base, sentence, &err));
    ck_assert_int_eq(err.kind, ERROR_PERMANENT);
    ck_assert_int_eq(access(precious, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal_place");
    TCase *tests = tcase_create("journal_place");

    suite_add_tcase(suite, tests);
    tcase_add_checked_fixture(tests, make_base, remove_base);
    tcase_add_test(tests, the_place_follows_the_settings);
    tcase_add_test(tests, a_path_that_is_too_long_is_refused);
    tcase_add_test(tests, a_damaged_journal_is_set_aside_and_kept);
    tcase_add_test(tests, a_sound_journal_is_left_alone);
    tcase_add_test(tests, damage_in_the_middle_is_found);
    tcase_add_test(tests, a_file_that_was_never_a_journal_is_not_renamed);
    return unit_run(suite);
}

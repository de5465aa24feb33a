#include "finalize/delivery/rescue.h"

#include "tests/unit/unit.h"

#include <check.h>

static const struct {
    const char *prefix, *key, *name;
} names[] = {
    {"", "12345_2026-11-24-10-00-00.mp4", "12345_2026-11-24-10-00-00.mp4"},
    {"", "12345_2026-11-24-10-00-00~2.mp4", "12345_2026-11-24-10-00-00.mp4"},
    {"", "12345_2026-11-24-10-00-00~99.mp4", "12345_2026-11-24-10-00-00.mp4"},
    {"", "a~1~b.mp4", "a~1~b.mp4"},
    {"", "a~123.mp4", "a~123.mp4"},
    {"rec/{yyyy}/", "rec/2026/1_2026-11-24-10-00-00.mp4", "1_2026-11-24-10-00-00.mp4"},
    {"rec/jibri-", "rec/jibri-1_2026-11-24-10-00-00.mp4", "1_2026-11-24-10-00-00.mp4"},
    {"{meeting}/r-", "7/r-7_2026-11-24-10-00-00.mp4", "7_2026-11-24-10-00-00.mp4"},
    {"", "5_a%3A b%2Ac%3F.mp4", "5_a: b*c?.mp4"},
    {"", "5_%2541 100%.mp4", "5_%41 100%.mp4"},
};

START_TEST(the_files_name_is_known_by_its_key)
{
    const struct settings settings = {.s3_key_prefix = (char *)names[_i].prefix};
    struct buffer name;

    buffer_init(&name, S3_MAX_KEY_BYTES);
    rescue_append_name(&settings, names[_i].key, &name);
    ck_assert_str_eq(buffer_text(&name), names[_i].name);
    buffer_done(&name);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("rescue_list");
    TCase *cases = tcase_create("rescue_list");

    tcase_add_loop_test(cases, the_files_name_is_known_by_its_key, 0,
                        (int)(sizeof names / sizeof *names));
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}

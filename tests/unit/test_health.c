#include "watcher/health.h"

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/lifecycle/lock_file.h"
#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char directory[64];

static void set_up(void)
{
    snprintf(directory, sizeof(directory), "/tmp/test_health.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    clearenv();
    setenv("CONFOMEET_S3_URL", "https://storage.example.org/", 1);
    setenv("CONFOMEET_S3_BUCKET", "recordings", 1);
    setenv("CONFOMEET_S3_CLIENT_ID", "KEYID", 1);
    setenv("CONFOMEET_S3_CLIENT_SECRET", "topsecret", 1);
    setenv("CONFOMEET_NOTICE", "off", 1);
    setenv("CONFOMEET_RECORDINGS_DIR", directory, 1);
}

static void tear_down(void)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/.jibri-finalize/watcher.lock", directory);
    unlink(path);
    snprintf(path, sizeof(path), "%s/.jibri-finalize", directory);
    rmdir(path);
    ck_assert_int_eq(rmdir(directory), 0);
}

START_TEST(it_is_well_as_long_as_a_watcher_holds_the_lock)
{
    const struct settings settings = {.recordings_dir = directory};
    struct error err = ERROR_INIT;
    int fd;

    ck_assert_int_eq(health_run(NULL), 1);
    ck_assert(lock_file_take(&settings, directory, LOCK_FILE_WATCHER, &fd, &err));
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(health_run(NULL), 0);
    close(fd);
    ck_assert_int_eq(health_run(NULL), 1);
}
END_TEST

START_TEST(without_settings_or_without_a_place_it_is_not)
{
    unsetenv("CONFOMEET_RECORDINGS_DIR");
    ck_assert_int_eq(health_run(NULL), 1);
    unsetenv("CONFOMEET_S3_BUCKET");
    ck_assert_int_eq(health_run(NULL), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("health");
    TCase *tests = tcase_create("health");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, it_is_well_as_long_as_a_watcher_holds_the_lock);
    tcase_add_test(tests, without_settings_or_without_a_place_it_is_not);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}

#include "tests/unit/settings_fixture.h"

#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *const fixture_least[FIXTURE_LEAST] = {
    "CONFOMEET_S3_URL=https://storage.example.org/",
    "CONFOMEET_S3_BUCKET=recordings",
    "CONFOMEET_S3_CLIENT_ID=KEYID",
    "CONFOMEET_S3_CLIENT_SECRET=topsecret",
    "XMPP_DOMAIN=meet.example.org",
};

char fixture_path[64];
struct settings settings;
struct settings_problems problems;

void fixture_set_up(void)
{
    memset(&settings, 0, sizeof(settings));
    memset(&problems, 0, sizeof(problems));
    fixture_path[0] = '\0';
}

void fixture_tear_down(void)
{
    settings_done(&settings);
    settings_problems_done(&problems);
    if (fixture_path[0] != '\0')
        unlink(fixture_path);
}

void fixture_write_file(const char *text)
{
    snprintf(fixture_path, sizeof(fixture_path), "/tmp/test_settings.XXXXXX");
    int fd = mkstemp(fixture_path);

    ck_assert_int_ge(fd, 0);
    close(fd);
    unit_write_text(fixture_path, text);
}

void fixture_assert_no_problem(void)
{
    ck_assert_msg(!problems.errors, "%s", problems.errors ? problems.errors[0] : "");
    ck_assert_msg(!problems.warnings, "%s", problems.warnings ? problems.warnings[0] : "");
}

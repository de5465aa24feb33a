#include "watcher/http/status_host.h"

#include "tests/unit/unit.h"

#include <check.h>
#include <stdio.h>
#include <string.h>

static const char *const ours[] = {
    "localhost",         "localhost:9469",        "LOCALHOST:9469", "a.localhost:1",
    "127.0.0.1",         "127.0.0.1:9469",        "10.1.2.3:9469",  "[::1]",
    "[::1]:9469",        "[fe80::1:2]:80",        "jibri:9469",     "3f2a9c1b7d55",
    "rec-1.example.org", "REC-1.example.ORG:9469"};
static const char *const of_others[] = {
    "evil.example",      "evil.example:9469",      "127.0.0.1.evil.example",
    "10.1.2.3.4",        "localhost.evil.example", "rec-1.example.org.evil.example",
    "rec-2.example.org", "notlocalhost.x",         "[evil.example]:80",
    "[::1.evil]",        "evil.example.",          "localhost.:80"};

START_TEST(addresses_and_names_of_this_machine_are_accepted)
{
    ck_assert_msg(status_host_is_ours(ours[_i], "rec-1.example.org"), "%s", ours[_i]);
}
END_TEST

START_TEST(names_that_others_can_have_resolve_to_this_machine_are_not)
{
    ck_assert_msg(!status_host_is_ours(of_others[_i], "rec-1.example.org"), "%s", of_others[_i]);
}
END_TEST

START_TEST(no_header_is_no_browser_and_a_name_of_any_length_is_none)
{
    char name[1000];

    ck_assert(status_host_is_ours(NULL, ""));
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = 0;
    ck_assert(!status_host_is_ours(name, ""));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("status_host");
    TCase *cases = tcase_create("status_host");

    tcase_add_loop_test(cases, addresses_and_names_of_this_machine_are_accepted, 0,
                        (int)(sizeof ours / sizeof *ours));
    tcase_add_loop_test(cases, names_that_others_can_have_resolve_to_this_machine_are_not, 0,
                        (int)(sizeof of_others / sizeof *of_others));
    tcase_add_test(cases, no_header_is_no_browser_and_a_name_of_any_length_is_none);
    suite_add_tcase(suite, cases);
    return unit_run(suite);
}

#include "config/listen.h"

#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <check.h>

static const struct {
    const char *text;
    int family; /* 0: refused */
    unsigned port;
    bool loopback;
} cases[] = {
    {"127.0.0.1:9469", AF_INET, 9469, true},
    {"127.9.8.7:1", AF_INET, 1, true},
    {"0.0.0.0:9469", AF_INET, 9469, false},
    {"192.168.1.5:65535", AF_INET, 65535, false},
    {"[::1]:9469", AF_INET6, 9469, true},
    {"[::]:80", AF_INET6, 80, false},
    {"[fd00::12]:80", AF_INET6, 80, false},
    {"", 0, 0, false},
    {"off", 0, 0, false},
    {"9469", 0, 0, false},
    {":9469", 0, 0, false},
    {"localhost:9469", 0, 0, false},
    {"127.0.0.1", 0, 0, false},
    {"127.0.0.1:", 0, 0, false},
    {"127.0.0.1:0", 0, 0, false},
    {"127.0.0.1:080", 0, 0, false},
    {"127.0.0.1:65536", 0, 0, false},
    {"127.0.0.1:99999999999999999999", 0, 0, false},
    {"127.0.0.1:80 ", 0, 0, false},
    {"127.0.0.1:+80", 0, 0, false},
    {"127.1:80", 0, 0, false},
    {"::1:80", 0, 0, false},
    {"[::1]", 0, 0, false},
    {"[::1]80", 0, 0, false},
    {"[:80", 0, 0, false},
    {"[]:80", 0, 0, false},
    {"[127.0.0.1]:80", 0, 0, false},
    {"[fe80::1%eth0]:80", 0, 0, false},
    {"[0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000:0000]:80", 0, 0, false},
};

START_TEST(an_address_is_two_numbers_and_nothing_else)
{
    union listen_address address;
    unsigned port;

    ck_assert_msg(listen_read(cases[_i].text, &address) == (cases[_i].family != 0), "\"%s\"",
                  cases[_i].text);
    if (!cases[_i].family)
        return;
    port = ntohs(cases[_i].family == AF_INET ? address.ipv4.sin_port : address.ipv6.sin6_port);
    ck_assert_int_eq(address.any.sa_family, cases[_i].family);
    ck_assert_uint_eq(port, cases[_i].port);
    ck_assert_int_eq(listen_is_loopback(&address), cases[_i].loopback);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("listen");
    TCase *tcase = tcase_create("listen");

    tcase_add_loop_test(tcase, an_address_is_two_numbers_and_nothing_else, 0,
                        sizeof cases / sizeof *cases);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}

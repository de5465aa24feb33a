/*
 * fake_network - a bucket in memory in the network's place: network.h's calls for a test program of
 * which the library's own are left out.
 */
#pragma once

#include "finalize/s3/network.h"

#include "tests/unit/fake_bucket.h"

static struct fake_bucket bucket;

bool network_open(const struct settings *options, uint64_t rate_limit, const struct loop_stop *stop,
                  struct loop **ret_loop, struct s3 **ret_s3, struct error *error)
{
    (void)options;
    (void)rate_limit;
    (void)stop;
    (void)ret_loop;
    (void)ret_s3;
    return error_set(error, ERROR_PERMANENT, "there is no network here");
}

bool network_ask(struct loop *loop, struct s3 *s3, const struct s3_call *call, uint64_t deadline_ms,
                 struct s3_result *ret_result, struct error *error)
{
    (void)loop;
    (void)s3;
    (void)deadline_ms;
    (void)error;
    fake_call(&bucket, call, ret_result);
    return true;
}

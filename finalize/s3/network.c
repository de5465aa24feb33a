#include "finalize/s3/network.h"

#include <time.h>

#define MAX_SIGNED 4u /* times: s3_read() corrects at most three times in a row */

bool network_open(const struct settings *settings, uint64_t rate_limit,
                  const struct loop_stop *stop, struct loop **ret_loop, struct s3 **ret_s3,
                  struct error *err)
{
    struct loop *loop;

    if (!loop_open(settings, rate_limit, stop, &loop, err))
        return false;
    if (!s3_open(settings, ret_s3, err)) {
        loop_close(loop);
        return false;
    }
    *ret_loop = loop;
    return true;
}

bool network_ask(struct loop *loop, struct s3 *s3, const struct s3_call *call, uint64_t deadline_ms,
                 struct s3_result *ret_result, struct error *err)
{
    for (unsigned tries = 1;; tries++) {
        struct http_request request;
        struct http_reply reply;

        if (!s3_build(s3, call, time(NULL), &request, err)) {
            http_request_done(&request);
            return false;
        }
        loop_exchange(loop, &request, deadline_ms, &reply);
        s3_read(s3, call, &reply, time(NULL), ret_result);
        http_reply_done(&reply);
        if (ret_result->outcome != S3_SIGN_AGAIN || tries == MAX_SIGNED)
            return true;
        s3_result_done(ret_result);
    }
}

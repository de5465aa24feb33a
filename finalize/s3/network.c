#include "finalize/s3/network.h"

#include "finalize/base/clock.h"

#include <time.h>

#define MAX_TRIES 4u /* s3_read() corrects at most three times in a row */

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

/* Has the platform asked for keys, where these are wanted. */
static void fetch_keys(struct loop *loop, struct credentials *credentials, uint64_t deadline_ms)
{
    struct http_request request;
    struct http_reply reply;

    while (credentials_next(credentials, clock_now_ms(), &request)) {
        loop_exchange(loop, &request, deadline_ms, &reply);
        credentials_take_reply(credentials, &reply, time(NULL), clock_now_ms());
        http_reply_done(&reply);
    }
}

/* A server that refuses a part before it has all of it closes the connection, and its reply may be
 * lost with that. That seldom happens twice, and a part may be sent twice. */
static bool lost_its_reply(const struct s3_call *call, const struct http_reply *reply)
{
    return call->operation == S3_UPLOAD_PART && reply->failure == HTTP_FAILED_TRANSFER;
}

bool network_ask(struct loop *loop, struct s3 *s3, const struct s3_call *call, uint64_t deadline_ms,
                 struct s3_result *ret_result, struct error *err)
{
    for (unsigned tries = 1;; tries++) {
        struct http_request request;
        struct http_reply reply;
        bool again;

        fetch_keys(loop, s3_credentials(s3), deadline_ms);
        if (credentials_state(s3_credentials(s3), clock_now_ms()) != CREDENTIALS_READY) {
            s3_read_unsigned(s3, ret_result);
            return true;
        }
        if (!s3_build(s3, call, time(NULL), &request, err)) {
            http_request_done(&request);
            return false;
        }
        loop_exchange(loop, &request, deadline_ms, &reply);
        s3_read(s3, call, &reply, time(NULL), ret_result);
        again = ret_result->outcome == S3_SIGN_AGAIN || lost_its_reply(call, &reply);
        http_reply_done(&reply);
        if (!again || tries == MAX_TRIES)
            return true;
        s3_result_done(ret_result);
    }
}

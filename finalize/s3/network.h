/*
 * network - the way to the bucket: the loop and the bucket opened from the settings, and one S3
 * request asked and answered where nothing else is under way.
 *
 * The only place in the s3 room that does I/O, through loop.h. Many requests at once are
 * engine.h's.
 */
#pragma once

#include "config/settings.h"
#include "finalize/base/error.h"
#include "finalize/http/loop.h"
#include "finalize/s3/s3.h"

#include <stdbool.h>
#include <stdint.h>

/*
 * Opens both; parameters and errors are those of loop_open() and s3_open(). On failure both are as
 * they were: the caller closes what it has by s3_close() and loop_close().
 */
bool network_open(const struct settings *settings, uint64_t rate_limit,
                  const struct loop_stop *stop, struct loop **ret_loop, struct s3 **ret_s3,
                  struct error *err) __attribute__((warn_unused_result));

/*
 * Asks and waits for the answer until `deadline_ms` (clock_now_ms()) or a request to stop, which
 * both are S3_RETRY. Signs again when the reply corrects clock, region or keys, which are fetched
 * first where the platform gives them; a part under which the connection broke is sent again, at
 * most four times in all. Fails as s3_build() does;
 * otherwise `ret_result` is to be given to s3_result_done().
 */
bool network_ask(struct loop *loop, struct s3 *s3, const struct s3_call *call, uint64_t deadline_ms,
                 struct s3_result *ret_result, struct error *err)
    __attribute__((warn_unused_result));

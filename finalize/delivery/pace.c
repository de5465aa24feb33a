#include "finalize/delivery/pace.h"

#define BURST_MS       1000u
#define BURST_FAILURES 3u

#define BEGIN 16u
#define LEAST 4u /* where no server asks for less */

/* A connection needs a few round trips until it is as fast as it gets, and what it sends first only
 * fills buffers. */
#define SETTLE_MS 500u
#define COUNT_MS  1000u

/* Half as many again are worth it from 10 % more on: a full line gives them 2 or 3 % where others
 * use it too. Half as many may cost 3 %, which is within the noise. */
#define MORE_IS_WORTH_PERCENT  110u
#define FEWER_ARE_SAME_PERCENT 97u

/* Between rounds of trials; doubled after each one that changed nothing. */
#define REST_MS      15000u
#define MOST_DOUBLED 4u

void pace_init(struct pace *pace, unsigned most)
{
    unsigned allowed = most ? most : 1;
    unsigned begin = allowed < BEGIN ? allowed : BEGIN;

    *pace = (struct pace){.most = allowed, .now = begin, .wanted = begin};
}

static void end_round(struct pace *pace, uint64_t now_ms)
{
    pace->failed_rounds = pace->kept_any ? 0 : pace->failed_rounds + 1;
    pace->next_round_ms =
        now_ms + ((uint64_t)REST_MS
                  << (pace->failed_rounds < MOST_DOUBLED ? pace->failed_rounds : MOST_DOUBLED));
    pace->downwards = false;
    pace->kept_any = false;
    pace->counting = false;
}

/* ---- what the server bears ----------------------------------------------------------------- */

void pace_succeeded(struct pace *pace)
{
    if (pace->now >= pace->wanted || ++pace->successes < pace->now)
        return;
    pace->now++;
    pace->successes = 0;
}

void pace_slow_down(struct pace *pace, uint64_t now_ms)
{
    if (now_ms < pace->calm_until_ms)
        return;
    if (pace->in_trial) /* more of them are too much, and what fewer bring is not known */
        pace->wanted = pace->wanted_before;
    pace->in_trial = false;
    end_round(pace, now_ms);
    pace->now = pace->now > 1 ? pace->now / 2 : 1;
    pace->successes = 0;
    pace->calm_until_ms = now_ms + BURST_MS;
}

void pace_failed(struct pace *pace, uint64_t now_ms)
{
    if (now_ms - pace->failures_since_ms >= BURST_MS) {
        pace->failures = 0;
        pace->failures_since_ms = now_ms;
    }
    if (++pace->failures < BURST_FAILURES || now_ms < pace->calm_until_ms)
        return;
    if (pace->now > 1) /* so many are too many, until a trial shows otherwise */
        pace->wanted = pace->now - 1;
    pace_slow_down(pace, now_ms);
}

/* ---- what it brings: trials ------------------------------------------------------------------ */

static void want(struct pace *pace, unsigned wanted)
{
    pace->wanted = wanted;
    pace->now = wanted;
    pace->successes = 0;
}

static unsigned next_step(const struct pace *pace)
{
    unsigned more = pace->wanted + (pace->wanted + 1) / 2;
    unsigned fewer = pace->wanted / 2 > LEAST ? pace->wanted / 2 : LEAST;

    if (pace->downwards)
        return fewer < pace->wanted ? fewer : pace->wanted;
    return more < pace->most ? more : pace->most;
}

static void begin_trial(struct pace *pace, uint64_t rate, uint64_t now_ms)
{
    if (next_step(pace) == pace->wanted && !pace->kept_any)
        pace->downwards = true;
    if (next_step(pace) == pace->wanted) {
        end_round(pace, now_ms);
        return;
    }
    pace->in_trial = true;
    pace->wanted_before = pace->wanted;
    pace->rate_before = rate;
    want(pace, next_step(pace));
}

static void end_trial(struct pace *pace, uint64_t rate, uint64_t now_ms)
{
    unsigned percent = pace->downwards ? FEWER_ARE_SAME_PERCENT : MORE_IS_WORTH_PERCENT;

    pace->in_trial = false;
    if (rate >= pace->rate_before * percent / 100) {
        pace->kept_any = true;
        begin_trial(pace, rate, now_ms);
        return;
    }
    want(pace, pace->wanted_before);
    if (pace->downwards || pace->kept_any) {
        end_round(pace, now_ms);
        return;
    }
    pace->downwards = true;
    begin_trial(pace, pace->rate_before, now_ms);
}

/* ---- what it brings: windows ----------------------------------------------------------------- */

static void begin_window(struct pace *pace, uint64_t now_ms)
{
    pace->counting = true;
    pace->settled_ms = now_ms + SETTLE_MS;
    pace->settled_bytes = UINT64_MAX;
}

void pace_measure(struct pace *pace, unsigned under_way, uint64_t bytes_sent, uint64_t now_ms)
{
    uint64_t rate;

    if (now_ms < pace->next_round_ms || pace->now != pace->wanted || under_way != pace->now) {
        pace->counting = false;
        return;
    }
    if (!pace->counting)
        begin_window(pace, now_ms);
    if (now_ms < pace->settled_ms)
        return;
    if (pace->settled_bytes == UINT64_MAX) {
        pace->settled_ms = now_ms;
        pace->settled_bytes = bytes_sent;
    }
    if (now_ms - pace->settled_ms < COUNT_MS)
        return;
    rate = (bytes_sent - pace->settled_bytes) * 1000 / (now_ms - pace->settled_ms);
    pace->counting = false;
    if (pace->in_trial)
        end_trial(pace, rate, now_ms);
    else
        begin_trial(pace, rate, now_ms);
}

#include "finalize/pace.h"

#define BURST_MS 1000u

void pace_init(struct pace *pace, unsigned most)
{
    *pace = (struct pace){.most = most ? most : 1, .now = most ? most : 1};
}

void pace_succeeded(struct pace *pace)
{
    if (pace->now >= pace->most || ++pace->successes < pace->now)
        return;
    pace->now++;
    pace->successes = 0;
}

void pace_slow_down(struct pace *pace, uint64_t now_ms)
{
    if (now_ms < pace->calm_until_ms)
        return;
    pace->now = pace->now > 1 ? pace->now / 2 : 1;
    pace->successes = 0;
    pace->calm_until_ms = now_ms + BURST_MS;
}

#include "finalize/http/rate.h"

#define LEAST_BUCKET_BYTES (16u * 1024)
#define WORTH_SENDING      4096u

static uint64_t bucket_bytes(const struct rate *rate)
{
    uint64_t fifth = rate->bytes_per_second / 5;

    return fifth > LEAST_BUCKET_BYTES ? fifth : LEAST_BUCKET_BYTES;
}

void rate_init(struct rate *rate, uint64_t bytes_per_second, uint64_t now_us)
{
    *rate = (struct rate){.bytes_per_second = bytes_per_second, .filled_at_us = now_us};
}

static void fill(struct rate *rate, uint64_t now_us)
{
    double earned = (double)rate->bytes_per_second * (double)(now_us - rate->filled_at_us) / 1e6;
    double most = (double)bucket_bytes(rate);

    rate->allowance = rate->allowance + earned > most ? most : rate->allowance + earned;
    rate->filled_at_us = now_us;
}

uint64_t rate_take(struct rate *rate, uint64_t wanted, uint64_t now_us)
{
    uint64_t whole, taken;

    if (!rate->bytes_per_second)
        return wanted;
    fill(rate, now_us);
    whole = (uint64_t)rate->allowance;
    if (whole < WORTH_SENDING && whole < wanted)
        return 0;
    taken = wanted < whole ? wanted : whole;
    rate->allowance -= (double)taken;
    return taken;
}

uint64_t rate_wait_us(struct rate *rate, uint64_t now_us)
{
    if (!rate->bytes_per_second)
        return 0;
    fill(rate, now_us);
    if (rate->allowance >= WORTH_SENDING)
        return 0;
    return (uint64_t)((WORTH_SENDING - rate->allowance) * 1e6 / (double)rate->bytes_per_second) + 1;
}

/*
 * clock - the time that only goes forward, whatever is done to the time of day.
 */
#pragma once

#include <stdint.h>

/* Since some moment in the past, the same for all processes until the machine restarts. */
uint64_t clock_now_us(void);
uint64_t clock_now_ms(void);

/*
 * clock - the time that only goes forward, whatever is done to the time of day.
 */
#ifndef FINALIZE_CLOCK_H
#define FINALIZE_CLOCK_H

#include <stdint.h>

/* Since some moment in the past, the same for all processes until the machine restarts. */
uint64_t clock_now_us(void);
uint64_t clock_now_ms(void);

#endif

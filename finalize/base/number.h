/*
 * number - whole numbers in texts that come from people, servers and settings.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Decimal digits and nothing else, from `least` to `most`. False, and `ret_number` untouched, for
 * anything else; NULL is accepted. */
bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number);

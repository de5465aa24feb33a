#include "config/units.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define SECOND_MS UINT64_C(1000)
#define MINUTE_MS (60 * SECOND_MS)
#define HOUR_MS   (60 * MINUTE_MS)
#define DAY_MS    (24 * HOUR_MS)

/* A number as it is written: digits, and the digits after a decimal point. Kept as text, since a
 * double would lose the low bytes of large sizes. */
struct decimal {
    uint64_t whole;
    const char *fraction;
    size_t fraction_length;
};

struct unit {
    const char *name; /* in lower case */
    uint64_t factor;
};

static const struct unit size_units[] = {
    {"", 1},
    {"b", 1},
    {"k", UINT64_C(1) << 10},
    {"kb", UINT64_C(1000)},
    {"kib", UINT64_C(1) << 10},
    {"m", UINT64_C(1) << 20},
    {"mb", UINT64_C(1000000)},
    {"mib", UINT64_C(1) << 20},
    {"g", UINT64_C(1) << 30},
    {"gb", UINT64_C(1000000000)},
    {"gib", UINT64_C(1) << 30},
    {"t", UINT64_C(1) << 40},
    {"tb", UINT64_C(1000000000000)},
    {"tib", UINT64_C(1) << 40},
    {NULL, 0},
};

static const struct unit duration_units[] = {
    {"ms", 1},      {"s", SECOND_MS}, {"m", MINUTE_MS}, {"min", MINUTE_MS},
    {"h", HOUR_MS}, {"d", DAY_MS},    {NULL, 0},
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static const char *skip_blanks(const char *text)
{
    return text + strspn(text, " \t");
}

static const struct unit *find_unit(const struct unit *units, const char *name, size_t length)
{
    for (const struct unit *unit = units; unit->name; unit++) {
        if (strlen(unit->name) == length && !strncasecmp(unit->name, name, length))
            return unit;
    }
    return NULL;
}

/* Reads a number at *cursor and moves *cursor past it. */
static bool read_decimal(const char **cursor, struct decimal *ret_number)
{
    const char *at = *cursor;
    if (!is_digit(*at))
        return false;
    struct decimal number = {.whole = 0};
    for (; is_digit(*at); at++) {
        if (__builtin_mul_overflow(number.whole, UINT64_C(10), &number.whole) ||
            __builtin_add_overflow(number.whole, (uint64_t)(*at - '0'), &number.whole))
            return false;
    }
    if (*at == '.') {
        number.fraction = ++at;
        while (is_digit(*at))
            at++;
        number.fraction_length = (size_t)(at - number.fraction);
        if (number.fraction_length == 0)
            return false;
    }
    *ret_number = number;
    *cursor = at;
    return true;
}

/* number * factor, rounded down. */
static bool multiply(const struct decimal *number, uint64_t factor, uint64_t *ret_product)
{
    assert(factor <= UINT64_MAX / 16);
    uint64_t part = 0;
    bool is_zero = number->whole == 0;
    for (size_t i = number->fraction_length; i > 0; i--) {
        uint64_t digit = (uint64_t)(number->fraction[i - 1] - '0');
        part = (part + digit * factor) / 10;
        is_zero = is_zero && digit == 0;
    }
    uint64_t product;
    if (__builtin_mul_overflow(number->whole, factor, &product) ||
        __builtin_add_overflow(product, part, &product))
        return false;
    /* Zero often means "none" or "no limit": 0.3 does not. */
    if (product == 0 && !is_zero)
        return false;
    *ret_product = product;
    return true;
}

bool units_parse_size(const char *text, uint64_t *ret_bytes)
{
    struct decimal number;
    if (!read_decimal(&text, &number))
        return false;
    const char *name = skip_blanks(text);
    if (name != text && *name == 0)
        return false;
    const struct unit *unit = find_unit(size_units, name, strlen(name));
    return unit && multiply(&number, unit->factor, ret_bytes);
}

bool units_parse_duration(const char *text, uint64_t bare_unit_ms, uint64_t *ret_ms)
{
    struct decimal number;
    uint64_t total = 0;
    uint64_t previous_factor = UINT64_MAX;
    const char *end;
    do {
        if (!read_decimal(&text, &number))
            return false;
        if (*text == 0 && previous_factor == UINT64_MAX)
            return multiply(&number, bare_unit_ms, ret_ms);
        text = skip_blanks(text);
        size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        const struct unit *unit = find_unit(duration_units, text, length);
        uint64_t part;
        /* From large to small, each unit once: "5m5m" is a slip of the hand. */
        if (!unit || unit->factor >= previous_factor || !multiply(&number, unit->factor, &part) ||
            __builtin_add_overflow(total, part, &total))
            return false;
        previous_factor = unit->factor;
        end = text + length;
        text = skip_blanks(end);
    } while (*text != 0);
    if (text != end)
        return false;
    *ret_ms = total;
    return true;
}

const char *units_format_size(uint64_t bytes, char *out, size_t out_size)
{
    static const char *const names[] = {"KiB", "MiB", "GiB", "TiB"};
    if (bytes < 1024) {
        snprintf(out, out_size, "%" PRIu64 " B", bytes);
        return out;
    }
    size_t i = 0;
    uint64_t unit = 1024;
    uint64_t whole;
    uint64_t tenths;
    for (;; i++, unit *= 1024) {
        whole = bytes / unit;
        tenths = (bytes % unit * 10 + unit / 2) / unit;
        if (tenths == 10) {
            whole++;
            tenths = 0;
        }
        if (whole < 1024 || i + 1 == sizeof names / sizeof names[0])
            break;
    }
    if (tenths == 0)
        snprintf(out, out_size, "%" PRIu64 " %s", whole, names[i]);
    else
        snprintf(out, out_size, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, names[i]);
    return out;
}

static const char *format_pair(uint64_t large, const char *large_name, uint64_t small,
                               const char *small_name, char *out, size_t out_size)
{
    if (small == 0)
        snprintf(out, out_size, "%" PRIu64 " %s", large, large_name);
    else
        snprintf(out, out_size, "%" PRIu64 " %s %" PRIu64 " %s", large, large_name, small,
                 small_name);
    return out;
}

/* value / unit, rounded to the nearest; cannot overflow. */
static uint64_t divide_rounded(uint64_t value, uint64_t unit)
{
    return value / unit + (value % unit >= unit / 2 ? 1 : 0);
}

const char *units_format_count(uint64_t count, const char *noun, char *out, size_t out_size)
{
    snprintf(out, out_size, "%" PRIu64 " %s%s", count, noun, count == 1 ? "" : "s");
    return out;
}

const char *units_format_duration(uint64_t ms, char *out, size_t out_size)
{
    uint64_t tenths = divide_rounded(ms, 100);
    if (tenths < 100 && tenths % 10 != 0) {
        snprintf(out, out_size, "%" PRIu64 ".%" PRIu64 " s", tenths / 10, tenths % 10);
        return out;
    }
    uint64_t seconds = tenths < 100 ? tenths / 10 : divide_rounded(ms, SECOND_MS);
    if (seconds < 60) {
        snprintf(out, out_size, "%" PRIu64 " s", seconds);
        return out;
    }
    if (seconds < 60 * 60)
        return format_pair(seconds / 60, "min", seconds % 60, "s", out, out_size);
    uint64_t minutes = divide_rounded(ms, MINUTE_MS);
    if (minutes < 24 * 60)
        return format_pair(minutes / 60, "h", minutes % 60, "min", out, out_size);
    uint64_t hours = divide_rounded(ms, HOUR_MS);
    return format_pair(hours / 24, "d", hours % 24, "h", out, out_size);
}

const char *units_spell_size(uint64_t bytes, char *out, size_t out_size)
{
    static const char *const names[] = {"", "KiB", "MiB", "GiB", "TiB"};
    size_t i = 0;
    while (bytes != 0 && bytes % 1024 == 0 && i + 1 < sizeof names / sizeof names[0]) {
        bytes /= 1024;
        i++;
    }
    snprintf(out, out_size, "%" PRIu64 "%s", bytes, names[i]);
    return out;
}

const char *units_spell_duration(uint64_t ms, char *out, size_t out_size)
{
    static const struct {
        uint64_t ms, from;
        const char *name;
    } spelt[] = {
        {DAY_MS, 3 * DAY_MS, "d"}, /* people say 24h and 48h, and count in days from then on */
        {HOUR_MS, 1, "h"},         {MINUTE_MS, 1, "min"}, {SECOND_MS, 0, "s"}, {1, 0, "ms"},
    };
    size_t i = 0;
    while (ms % spelt[i].ms != 0 || ms < spelt[i].from)
        i++;
    snprintf(out, out_size, "%" PRIu64 "%s", ms / spelt[i].ms, spelt[i].name);
    return out;
}

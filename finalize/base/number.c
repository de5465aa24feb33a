#include "finalize/base/number.h"

#include <errno.h>
#include <stdlib.h>

bool number_read(const char *text, uint64_t least, uint64_t most, uint64_t *ret_number)
{
    unsigned long long number;
    char *end;

    if (!text || *text < '0' || *text > '9')
        return false;
    errno = 0;
    number = strtoull(text, &end, 10);
    if (errno || *end || number < least || number > most)
        return false;
    *ret_number = number;
    return true;
}

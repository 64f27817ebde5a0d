#include "rpc/timeout.h"

#include <stdio.h>

enum { MOST_DIGITS = 8, LARGEST = 99999999 };

struct err timeout_parse(struct bytes text, uint64_t *ret_us)
{
    if (text.len < 2 || text.len > MOST_DIGITS + 1)
        return ERR(RPC_TIMEOUT);
    uint64_t value = 0;
    for (size_t i = 0; i + 1 < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return ERR(RPC_TIMEOUT);
        value = value * 10 + (uint64_t)(text.data[i] - '0');
    }
    switch (text.data[text.len - 1]) {
    case 'H':
        *ret_us = value * 3600 * 1000000;
        return ERR_OK;
    case 'M':
        *ret_us = value * 60 * 1000000;
        return ERR_OK;
    case 'S':
        *ret_us = value * 1000000;
        return ERR_OK;
    case 'm':
        *ret_us = value * 1000;
        return ERR_OK;
    case 'u':
        *ret_us = value;
        return ERR_OK;
    case 'n':
        *ret_us = (value + 999) / 1000;
        return ERR_OK;
    default:
        return ERR(RPC_TIMEOUT);
    }
}

size_t timeout_format(uint64_t us, char out[TIMEOUT_TEXT_BYTES])
{
    static const struct {
        char unit;
        uint64_t us;
    } units[] = {{'u', 1}, {'m', 1000}, {'S', 1000000}, {'M', 60000000}, {'H', 3600000000}};
    size_t i = 0;
    if (us == 0)
        return (size_t)snprintf(out, TIMEOUT_TEXT_BYTES, "1n");
    while (i < 4 && us / units[i].us > LARGEST)
        i++;
    uint64_t value = us / units[i].us;
    if (value > LARGEST)
        value = LARGEST;
    return (size_t)snprintf(out, TIMEOUT_TEXT_BYTES, "%u%c", (unsigned)value, units[i].unit);
}

/* Ids as texts. */
#include <string.h>

#include "hearth/client.h"

void hearth_id_text(const struct hearth_id *id, char ret_text[HEARTH_ID_TEXT_BYTES])
{
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof id->bytes; i++) {
        ret_text[2 * i] = digits[id->bytes[i] >> 4];
        ret_text[2 * i + 1] = digits[id->bytes[i] & 15];
    }
    ret_text[2 * sizeof id->bytes] = '\0';
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hearth_id_read(const char *text, struct hearth_id *ret_id)
{
    struct hearth_id id;
    for (size_t i = 0; i < sizeof id.bytes; i++) {
        int high = digit(text[2 * i]), low = high < 0 ? -1 : digit(text[2 * i + 1]);
        if (low < 0)
            return false;
        id.bytes[i] = (uint8_t)(high << 4 | low);
    }
    if (text[2 * sizeof id.bytes] != '\0')
        return false;
    *ret_id = id;
    return true;
}

bool hearth_id_equal(const struct hearth_id *a, const struct hearth_id *b)
{
    return memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

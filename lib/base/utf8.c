#include "base/utf8.h"

size_t utf8_next(struct bytes text, uint32_t *ret_point)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    if (text.len == 0)
        return 0;
    uint8_t first = text.data[0];
    size_t len = first < 0x80       ? 1
                 : first >> 5 == 6  ? 2
                 : first >> 4 == 14 ? 3
                 : first >> 3 == 30 ? 4
                                    : 0;
    if (len == 0 || len > text.len)
        return 0;
    uint32_t point = len == 1 ? first : first & (0x7fU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((text.data[i] & 0xc0) != 0x80)
            return 0;
        point = point << 6 | (text.data[i] & 0x3f);
    }
    if (point < least[len] || point > 0x10ffff || (point >= 0xd800 && point <= 0xdfff))
        return 0;
    *ret_point = point;
    return len;
}

bool utf8_is_well_formed(struct bytes text)
{
    uint32_t point;
    for (size_t at = 0, len; at < text.len; at += len) {
        len = utf8_next(bytes_of(text.data + at, text.len - at), &point);
        if (len == 0)
            return false;
    }
    return true;
}

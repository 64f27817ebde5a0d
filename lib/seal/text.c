#include "seal/text.h"

#include "base/utf8.h"

static bool may_be_shown(uint32_t point, bool lines)
{
    if (point < 0x20)
        return lines && point == '\n';
    bool control = point >= 0x7f && point <= 0x9f;
    bool turns = (point >= 0x202a && point <= 0x202e) || (point >= 0x2066 && point <= 0x2069);
    return !control && !turns;
}

struct err text_check(struct bytes text, bool lines)
{
    uint32_t point;
    for (size_t at = 0, len; at < text.len; at += len) {
        len = utf8_next(bytes_of(text.data + at, text.len - at), &point);
        if (len == 0 || !may_be_shown(point, lines))
            return ERR(WIRE_VALUE);
    }
    return ERR_OK;
}

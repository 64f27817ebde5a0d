#include "seal/text.h"

/* How many bytes follow a first byte, its own bits of the number, and the least number that needs
 * so many; -1 for what is no first byte. */
static int follow(uint8_t first, uint32_t *ret_bits, uint32_t *ret_least)
{
    static const struct {
        uint8_t mask, value;
        uint32_t least;
    } forms[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
    for (int n = 0; n < 4; n++) {
        if ((first & forms[n].mask) != forms[n].value)
            continue;
        *ret_bits = first & (uint8_t)~forms[n].mask;
        *ret_least = forms[n].least;
        return n;
    }
    return -1;
}

/* The code point at *at, which moves on; false when there is none. */
static bool next(struct bytes text, size_t *at, uint32_t *ret_point)
{
    uint32_t point, least;
    int more = follow(text.data[*at], &point, &least);
    if (more < 0 || (size_t)more >= text.len - *at)
        return false;
    ++*at;
    for (; more > 0; more--) {
        uint8_t byte = text.data[(*at)++];
        if ((byte & 0xc0) != 0x80)
            return false;
        point = point << 6 | (byte & 0x3f);
    }
    *ret_point = point;
    return point >= least && point <= 0x10ffff && !(point >= 0xd800 && point <= 0xdfff);
}

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
    for (size_t at = 0; at < text.len;) {
        if (!next(text, &at, &point) || !may_be_shown(point, lines))
            return ERR(WIRE_VALUE);
    }
    return ERR_OK;
}

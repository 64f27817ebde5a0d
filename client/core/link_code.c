/* The code that a person carries from one device to the other: Crockford's base32. */
#include "client/core/link.h"

enum { DIGITS = 26, GROUP = 5 };

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

void link_code_text(const uint8_t code[LINK_CODE_BYTES], char ret_text[LINK_CODE_TEXT_BYTES])
{
    char *at = ret_text;
    for (unsigned d = 0; d < DIGITS; d++) {
        unsigned value = 0;
        for (unsigned bit = d * 5; bit < d * 5 + 5; bit++) {
            unsigned byte = bit / 8;
            unsigned set = byte < LINK_CODE_BYTES ? code[byte] >> (7 - bit % 8) & 1U : 0;
            value = value << 1 | set;
        }
        if (d > 0 && d % GROUP == 0)
            *at++ = '-';
        *at++ = alphabet[value];
    }
    *at = 0;
}

/* Below 0: no digit. */
static int digit_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    const char *at = c != 0 ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

struct err link_code_read(const char *text, uint8_t ret_code[LINK_CODE_BYTES])
{
    uint8_t bits[(DIGITS * 5 + 7) / 8] = {0};
    unsigned digits = 0;
    for (; *text != 0; text++) {
        if (*text == '-' || *text == ' ')
            continue;
        int value = digit_of(*text);
        if (value < 0 || digits == DIGITS)
            return ERR(CLIENT_LINK_CODE);
        for (unsigned i = 0; i < 5; i++) {
            unsigned bit = digits * 5 + i;
            if ((unsigned)value >> (4 - i) & 1U)
                bits[bit / 8] |= (uint8_t)(1U << (7 - bit % 8));
        }
        digits++;
    }
    if (digits != DIGITS || bits[LINK_CODE_BYTES] != 0)
        return ERR(CLIENT_LINK_CODE);
    memcpy(ret_code, bits, LINK_CODE_BYTES);
    return ERR_OK;
}

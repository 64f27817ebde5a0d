#include "seal/invitation.h"

#include <stdio.h>

enum {
    PAYLOAD_BYTES = INVITATION_CODE_BYTES + INVITATION_PIN_BYTES,
    DIGITS = (PAYLOAD_BYTES * 8 + 4) / 5,
    GROUP = 4
};

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* Digit number `at`, most significant bit first; the last one is filled up with zeros. */
static unsigned digit_of(const uint8_t *payload, unsigned at)
{
    unsigned bit = at * 5, byte = bit / 8, shift = bit % 8;
    unsigned word =
        (unsigned)payload[byte] << 8 | (byte + 1 < PAYLOAD_BYTES ? payload[byte + 1] : 0U);
    return word >> (11 - shift) & 31;
}

void invitation_write(const struct invitation *invitation, char ret_text[INVITATION_TEXT_MAX_BYTES])
{
    uint8_t payload[PAYLOAD_BYTES];
    memcpy(payload, invitation->code, INVITATION_CODE_BYTES);
    memcpy(payload + INVITATION_CODE_BYTES, invitation->pin, INVITATION_PIN_BYTES);
    int len = snprintf(ret_text, INVITATION_TEXT_MAX_BYTES, "%s/", invitation->domain);
    char *out = ret_text + len;
    for (unsigned i = 0; i < DIGITS; i++) {
        if (i > 0 && i % GROUP == 0)
            *out++ = '-';
        *out++ = alphabet[digit_of(payload, i)];
    }
    *out = '\0';
    bytes_wipe(payload, sizeof payload);
}

static int value_of(char c)
{
    if (c >= 'a' && c <= 'z')
        c = (char)(c - 'a' + 'A');
    if (c == 'O')
        c = '0';
    if (c == 'I' || c == 'L')
        c = '1';
    const char *at = c != '\0' ? strchr(alphabet, c) : NULL;
    return at != NULL ? (int)(at - alphabet) : -1;
}

static struct err read_digits(const char *text, uint8_t payload[PAYLOAD_BYTES])
{
    unsigned digits = 0;
    uint32_t bits = 0, have = 0;
    size_t bytes = 0;
    for (; *text != '\0'; text++) {
        if (*text == '-')
            continue;
        int value = value_of(*text);
        if (value < 0 || ++digits > DIGITS)
            return ERR(ARGUMENT);
        bits = (bits << 5 | (uint32_t)value) & 0xfff;
        have += 5;
        if (have >= 8 && bytes < PAYLOAD_BYTES) {
            payload[bytes++] = (uint8_t)(bits >> (have - 8));
            have -= 8;
        }
    }
    /* what is left of the last digit is filling */
    if (digits != DIGITS || bytes != PAYLOAD_BYTES || (bits & ((1U << have) - 1)) != 0)
        return ERR(ARGUMENT);
    return ERR_OK;
}

struct err invitation_read(const char *text, struct invitation *ret_invitation)
{
    struct invitation read = {.domain = ""};
    uint8_t payload[PAYLOAD_BYTES];
    const char *slash = strchr(text, '/');
    if (slash == NULL || (size_t)(slash - text) > DOMAIN_MAX_BYTES)
        return ERR(ARGUMENT);
    struct bytes domain = bytes_of(text, (size_t)(slash - text));
    TRY(domain_check(domain, true));
    TRY(read_digits(slash + 1, payload));
    memcpy(read.domain, domain.data, domain.len);
    memcpy(read.code, payload, INVITATION_CODE_BYTES);
    memcpy(read.pin, payload + INVITATION_CODE_BYTES, INVITATION_PIN_BYTES);
    bytes_wipe(payload, sizeof payload);
    *ret_invitation = read;
    return ERR_OK;
}

#include "rpc/status_text.h"

static const char *const names[] = {
    "OK",
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
};

const char *hearth_code_name(enum hearth_code code)
{
    return (int)code >= 0 && (int)code <= 16 ? names[code] : "UNKNOWN";
}

void status_message_encode(struct buf *out, const char *text)
{
    static const char hex[] = "0123456789ABCDEF";
    for (const uint8_t *p = (const uint8_t *)text; *p != 0; p++) {
        if (*p >= 0x20 && *p <= 0x7e && *p != '%') {
            buf_append_byte(out, *p);
        } else {
            uint8_t code[3] = {'%', (uint8_t)hex[*p >> 4], (uint8_t)hex[*p & 15]};
            buf_append(out, code, sizeof code);
        }
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

size_t status_message_decode(char *text, size_t len)
{
    size_t written = 0;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == '%' && len - i > 2) {
            int high = hex_digit(text[i + 1]);
            int low = hex_digit(text[i + 2]);
            if (high >= 0 && low >= 0) {
                c = (char)(high << 4 | low);
                i += 2;
            }
        }
        text[written++] = c;
    }
    return written;
}

enum hearth_code status_code_parse(struct bytes text)
{
    if (text.len < 1 || text.len > 2)
        return HEARTH_UNKNOWN;
    int value = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return HEARTH_UNKNOWN;
        value = value * 10 + (text.data[i] - '0');
    }
    return value <= 16 ? (enum hearth_code)value : HEARTH_UNKNOWN;
}

enum hearth_code status_from_http(unsigned http_status)
{
    switch (http_status) {
    case 400:
        return HEARTH_INTERNAL;
    case 401:
        return HEARTH_UNAUTHENTICATED;
    case 403:
        return HEARTH_PERMISSION_DENIED;
    case 404:
        return HEARTH_UNIMPLEMENTED;
    case 429:
    case 502:
    case 503:
    case 504:
        return HEARTH_UNAVAILABLE;
    default:
        return HEARTH_UNKNOWN;
    }
}

enum hearth_code status_from_h2_error(uint32_t error_code)
{
    switch (error_code) {
    case 0x7: /* REFUSED_STREAM: not processed */
        return HEARTH_UNAVAILABLE;
    case 0x8: /* CANCEL */
        return HEARTH_CANCELLED;
    case 0xb: /* ENHANCE_YOUR_CALM */
        return HEARTH_RESOURCE_EXHAUSTED;
    case 0xc: /* INADEQUATE_SECURITY */
        return HEARTH_PERMISSION_DENIED;
    default:
        return HEARTH_INTERNAL;
    }
}

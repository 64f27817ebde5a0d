/* Text of others on a terminal and in JSON. What a contact or a server wrote may hold anything:
 * escape sequences that repaint the screen, line breaks that forge a further message, marks that
 * turn the direction of writing, bytes that are no UTF-8. It is shown, but it does nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"

enum { INDENT = 10 }; /* of a message's further lines: as wide as the time before the first */

/* Bytes of the well-formed UTF-8 character at text (RFC 3629 4), 0 where there is none. */
static size_t character(const char *text, uint32_t *ret_code)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const uint8_t *b = (const uint8_t *)text;
    size_t len = b[0] < 0x80       ? 1
                 : b[0] >> 5 == 6  ? 2
                 : b[0] >> 4 == 14 ? 3
                 : b[0] >> 3 == 30 ? 4
                                   : 0;
    uint32_t code = len < 2 ? b[0] : b[0] & (0x7FU >> len);
    for (size_t i = 1; i < len; i++) {
        if ((b[i] & 0xC0) != 0x80) /* the end of the string, too */
            return 0;
        code = code << 6 | (b[i] & 0x3F);
    }
    if (len == 0 || code < least[len] || code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return 0;
    *ret_code = code;
    return len;
}

static bool is_harmless(uint32_t code)
{
    return code == '\t' || (code >= 0x20 && code < 0x7F) ||
           (code >= 0xA0 && !(code >= 0x2028 && code <= 0x202E) &&
            !(code >= 0x2066 && code <= 0x2069));
}

/* A copy for a terminal (indent) or with its UTF-8 put right only. NULL: no memory. */
static char *copy_of(const char *text, bool terminal)
{
    char *copy = malloc(strlen(text) * (terminal ? INDENT + 1 : 1) + 1), *to = copy;
    if (copy == NULL)
        return NULL;
    for (uint32_t code = 0; *text != '\0';) {
        size_t len = character(text, &code);
        if (terminal && *text == '\n' && text[1] != '\0') {
            *to++ = '\n';
            memset(to, ' ', INDENT);
            to += INDENT;
        } else if (len == 0 || (terminal && *text != '\n' && !is_harmless(code))) {
            *to++ = '?';
        } else {
            memcpy(to, text, len);
            to += len;
        }
        text += len > 0 ? len : 1;
    }
    *to = '\0';
    return copy;
}

void vprint(FILE *out, const char *format, va_list args)
{
    char *text = NULL;
    if (vasprintf(&text, format, args) < 0)
        return;
    char *shown = copy_of(text, true);
    if (shown != NULL)
        (void)fputs(shown, out);
    free(shown);
    free(text);
}

void print(FILE *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vprint(out, format, args);
    va_end(args);
}

json_t *json_text(const char *text)
{
    char *copy = copy_of(text, false);
    json_t *json = copy != NULL ? json_string(copy) : NULL;
    free(copy);
    return json;
}

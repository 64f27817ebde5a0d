/* Text of others on a terminal and in JSON. What a contact or a server wrote may hold anything:
 * escape sequences that repaint the screen, line breaks that forge a further message, marks that
 * turn the direction of writing, bytes that are no UTF-8. It is shown, but it does nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "client/cli/cli.h"

enum { INDENT = 10 }; /* of a message's further lines: as wide as the time before the first */

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
        size_t len = utf8_next(bytes_of(text, strnlen(text, 4)), &code);
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

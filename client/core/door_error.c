/* Errors as one text. */
#include <stdio.h>

#include "hearth/client.h"

const char *hearth_error_text(const struct hearth_error *error, char *buffer, size_t len)
{
    (void)snprintf(buffer, len, "%s%s%s%s%s", error->text, error->cause[0] != '\0' ? ": " : "",
                   error->cause, error->hint[0] != '\0' ? "; " : "", error->hint);
    return buffer;
}

/* Characters of UTF-8 (RFC 3629). */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include "base/bytes.h"

/* Bytes of the character that text begins with, and its code point; 0 when there is none: text is
 * empty, or what stands there is an overlong form, a surrogate, above U+10FFFF, cut short or no
 * UTF-8 at all. */
size_t utf8_next(struct bytes text, uint32_t *ret_point);
/* Characters from first to last byte; empty is well-formed. */
bool utf8_is_well_formed(struct bytes text);

#endif

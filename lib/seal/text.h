/* Text that strangers chose and people will see: display names, a line with an offer.
 */
#ifndef SEAL_TEXT_H
#define SEAL_TEXT_H

#include "base/bytes.h"

/* Well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF), without
 * control characters (U+0000 to U+001F, U+007F to U+009F), which terminals obey, and without those
 * that turn the direction of what follows (U+202A to U+202E, U+2066 to U+2069). lines: U+000A may
 * stand in it. Empty is text. ERR_WIRE_VALUE. */
CHECKED struct err text_check(struct bytes text, bool lines);

#endif

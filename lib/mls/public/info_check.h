/* GroupInfo, whole or beside a group we know already (RFC 9420 12.4.3, 12.4.3.1). Private to
 * lib/mls/public. */
#ifndef MLS_PUBLIC_INFO_CHECK_H
#define MLS_PUBLIC_INFO_CHECK_H

#include "crypto/suite.h"
#include "mls/codec/group_info.h"

/* Lengths, extensions, external_pub. */
CHECKED struct err info_check_form(const struct group_info *info, const struct suite *suite);
/* The signature under the signer's key. */
CHECKED struct err info_check_signature(const struct group_info *info, const struct suite *suite,
                                        struct bytes key);

#endif

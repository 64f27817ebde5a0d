/* What can be said of a ClientCredential by its form alone, for files that can't include
 * seal/credential_chain.h, whose struct credential has the name of MLS's. */
#ifndef CLIENT_CORE_CLIENT_CREDENTIAL_H
#define CLIENT_CORE_CLIENT_CREDENTIAL_H

#include "seal/names.h"

/* Domain that should have signed it. Wire errors, ERR_CREDENTIAL, ERR_DOMAIN. */
CHECKED struct err client_credential_domain(struct bytes credential,
                                            char ret_domain[DOMAIN_MAX_BYTES + 1]);

#endif

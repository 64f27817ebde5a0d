/* Certificates for development: a CA of one's own, and a server certificate it signed, so that two
 * homeservers on one machine can check each other. In production certificates come from a public
 * CA; this is never a way around checking one.
 */
#ifndef NET_TLS_MAKE_H
#define NET_TLS_MAKE_H

#include <stdint.h>

#include "base/err.h"

/* All of these must not exist yet (ERR_STORE_EXISTS). Keys get mode 0400, certificates 0444; ECDSA
 * P-256; 398 days. ca_file and ca_key_file: made when both are missing, else used. names: "a.test",
 * and localhost, 127.0.0.1, ::1 with it. */
CHECKED struct err tls_make_development(const char *domain, const char *ca_file,
                                        const char *ca_key_file, const char *certificate_file,
                                        const char *key_file);

/* What `hearthd check` asks of a certificate. */
struct tls_certificate_facts {
    int64_t days_left; /* below 0: expired */
    bool names_domain; /* it is good for this domain */
    bool key_matches;  /* the key file belongs to it */
};
CHECKED struct err tls_certificate_inspect(const char *certificate_file, const char *key_file,
                                           const char *domain,
                                           struct tls_certificate_facts *ret_facts);

#endif

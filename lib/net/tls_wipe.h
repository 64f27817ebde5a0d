/* For servers: what OpenSSL, libevent and nghttp2 free is wiped (base/wiping.h). To be called
 * before either was used; false: too late. Of the whole process. */
#ifndef NET_TLS_WIPE_H
#define NET_TLS_WIPE_H

#include <stdbool.h>

bool net_wipe_freed(void);

#endif

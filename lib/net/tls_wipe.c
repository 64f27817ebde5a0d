#include "net/tls_wipe.h"

#include <event2/event.h>
#include <openssl/crypto.h>
#include <stdlib.h>

#include "base/wiping.h"
#include "rpc/h2.h"

static void *ssl_malloc(size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return len > 0 ? malloc(len) : NULL;
}

static void *ssl_realloc(void *old, size_t len, const char *file, int line)
{
    (void)file;
    (void)line;
    return wiping_realloc(old, len);
}

static void ssl_free(void *data, const char *file, int line)
{
    (void)file;
    (void)line;
    wiping_free(data);
}

bool net_wipe_freed(void)
{
    h2_wipe_freed();
    event_set_mem_functions(malloc, wiping_realloc, wiping_free);
    return CRYPTO_set_mem_functions(ssl_malloc, ssl_realloc, ssl_free) == 1;
}

/* The counters' place. */
#include "crypto/count.h"

_Thread_local struct crypto_count crypto_count;

/* The directory of token keys as GetKeys hands it out while there is no log to hold it. Internal to
 * server/info. */
#ifndef SERVER_INFO_TOKEN_DIRECTORY_H
#define SERVER_INFO_TOKEN_DIRECTORY_H

#include "server/info/info.h"

/* Appends a TokenKeyDirectory (pass/directory.h): the keys of all classes from yesterday on,
 * KEEPER_TOKEN_PUBLIC_DAYS of them. Days whose keys are gone (the clock was set back) are left out.
 * Before them options->vouchers. Asks the keeper 60 times; the keeper's errors, those of the
 * buffer. */
CHECKED struct err token_directory_write(const struct front_env *env,
                                         const struct info_options *options, struct buf *b);

#endif

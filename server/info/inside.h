/* What the files of server/info share. */
#ifndef SERVER_INFO_INSIDE_H
#define SERVER_INFO_INSIDE_H

#include "hearth/v1/info_rpc.h"
#include "server/info/info.h"

enum { KEYS_MOST = 16 + INFO_PREVIOUS_MOST };

/* What GetKeys answers: keys one after the other in bytes. */
struct keys {
    struct buf bytes;
    struct {
        Hearth__V1__KeyUse use;
        size_t from, len;
    } rows[KEYS_MOST];
    size_t count;
};

/* publish.c: what is about to be handed out, through options->publish. Its errors, those of the
 * buffer. */
CHECKED struct err keys_publish(const struct keys *keys, const struct info_options *options);

#endif

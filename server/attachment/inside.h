/* What the files of server/attachment share. */
#ifndef SERVER_ATTACHMENT_INSIDE_H
#define SERVER_ATTACHMENT_INSIDE_H

#include <stdatomic.h>

#include "hearth/v1/attachment_rpc.h"
#include "seal/at_rest.h"
#include "server/attachment/attachment.h"
#include "server/attachment/rows.h"
#include "server/attachment/slots.h"
#include "server/front/once.h"

struct upload;

struct attachment {
    const struct front_env *env;
    struct store *store;
    bool control;
    bool closed;      /* the store is gone; jobs may still be in inboxes */
    atomic_uint refs; /* one, and one for each upload, download and deletion under way */
    struct slots uploads, downloads;
    atomic_uint sweeps_wanted; /* above 0: a sweep is under way */
    unsigned sweeps_seen;      /* when the one under way was submitted */
    bool sweep_more;           /* of the sweep's thread */
    uint8_t rows_key[KEEPER_KEY_BYTES];
    uint8_t ids_key[KEEPER_KEY_BYTES];
    uint8_t spent_key[PASS_SPENT_KEY_BYTES];
};

static inline struct purse attachment_purse(const struct attachment *a)
{
    return purse_at(ROWS_PURSE, a->spent_key);
}
/* Who has a blob's capability pays with whole tokens once the blob's allowance is used up. */
void attachment_charge(struct attachment *a, struct hearth_call *call, const uint8_t *row_id,
                       struct charge *ret_charge);
/* For charge_call(). */
struct charge_till attachment_till(struct attachment *a);

void attachment_unref(struct attachment *a);
/* One more of the call's source, and a reference; ERR_FRONT_OVERLOAD. */
CHECKED struct err attachment_begin(struct attachment *a, struct slots *slots, enum limit limit,
                                    struct hearth_call *call, unsigned *ret_bin);
void attachment_end(struct attachment *a, struct slots *slots, unsigned bin);
uint32_t attachment_today(const struct attachment *a);
/* What goes into the database in the place of an id or a capability. */
void attachment_row_id(const struct attachment *a, const uint8_t id[ATTACHMENT_ID_BYTES],
                       uint8_t ret_row_id[AT_REST_ID_BYTES]);
void attachment_hash(struct bytes what, const uint8_t id[ATTACHMENT_ID_BYTES],
                     const uint8_t capability[ATTACHMENT_CAPABILITY_BYTES],
                     uint8_t ret_hash[ROWS_HASH_BYTES]);
#define ATTACHMENT_DOWNLOAD bytes_str("download")
#define ATTACHMENT_DELETE   bytes_str("delete")
/* What an upload under this idempotency id is called, and its capabilities: the same for a repeat,
 * and for nobody who has not the id, which is kept nowhere. */
void attachment_draw(const struct attachment *a, const uint8_t once_id[ONCE_ID_BYTES],
                     uint8_t ret_id[ATTACHMENT_ID_BYTES],
                     uint8_t ret_download[ATTACHMENT_CAPABILITY_BYTES],
                     uint8_t ret_remove[ATTACHMENT_CAPABILITY_BYTES]);
/* The key of a blob's blocks. */
void attachment_block_key(const struct attachment *a, const uint8_t id[ATTACHMENT_ID_BYTES],
                          const uint8_t capability[ATTACHMENT_CAPABILITY_BYTES],
                          uint8_t ret_key[AT_REST_KEY_BYTES]);
/* Associated data of a block: which blob, how long, which block. */
enum { BLOCK_AAD_BYTES = 64 };
struct bytes attachment_block_aad(const uint8_t row_id[AT_REST_ID_BYTES], uint64_t bytes_in_all,
                                  uint64_t place, uint8_t room[BLOCK_AAD_BYTES]);
/* Removes what is doomed, soon, on the store's thread. */
void attachment_sweep(struct attachment *a);

enum hearth_code attachment_upload(struct hearth_call *call, const Hearth__V1__UploadRequest *in,
                                   Hearth__V1__UploadResponse *out, void *self);
enum hearth_code attachment_download(struct hearth_call *call,
                                     const Hearth__V1__DownloadRequest *in, void *self);
enum hearth_code attachment_delete(struct hearth_call *call, const Hearth__V1__DeleteRequest *in,
                                   Hearth__V1__DeleteResponse *out, void *self);

#endif

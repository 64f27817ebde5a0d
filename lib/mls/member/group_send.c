/* Application data (RFC 9420 6.3, 15). */
#include "mls/member/frame.h"

struct err group_protect(struct mls_group *g, const struct mls_client *client, struct bytes data,
                         struct bytes authenticated_data, struct buf *ret_message)
{
    TRY(group_check_open(g));
    TRY(group_check_signer(g, client));
    struct authenticated_content content = frame_begin(g, CONTENT_APPLICATION, authenticated_data);
    content.content.application_data = data;
    struct signature signature;
    struct buf b = BUF_INIT;
    TRY(frame_sign(g, client->signer, &content, &signature));
    struct err err = frame_wrap(g, client->rng, &content, &b);
    if (!err_is_ok(err)) {
        buf_clear(&b);
        return err;
    }
    *ret_message = b;
    return ERR_OK;
}

/* Client credentials: what is asked for, and what is given. */
#include "server/auth/inside.h"
#include "wire/writer.h"

struct err auth_request_read(const struct auth *auth, struct bytes in,
                             struct credential_request *ret_request, struct client_id *ret_id)
{
    struct credential_request request;
    struct client_id id;
    TRY(credential_request_read(in, &request));
    TRY(client_id_parse(request.client_id, &id));
    if (!bytes_equal(id.user.domain, auth->domain))
        return ERR(DOMAIN);
    if (request.public_key.len != CREDENTIAL_KEY_BYTES)
        return ERR(CRYPTO_KEY_LENGTH);
    *ret_request = request;
    *ret_id = id;
    return ERR_OK;
}

static struct err sign(void *self, struct bytes label, struct bytes content,
                       struct signature *ret_signature)
{
    return keeper_sign(self, KEEPER_AS_SIGNING, false, label, content, ret_signature);
}

/* Whole hours: a credential does not say when exactly somebody registered. Inside the signer's
 * validity. */
static void validity(const struct auth *auth, const struct credential *signing,
                     struct credential *ret_fields)
{
    uint64_t from = auth_hour(auth_now_s(auth)) * 3600;
    uint64_t to = from + auth_limit(auth, LIMIT_CREDENTIAL_DAYS) * 86400;
    ret_fields->not_before = from > signing->not_before ? from : signing->not_before;
    ret_fields->not_after = to < signing->not_after ? to : signing->not_after;
}

static struct err issue_once(struct auth *auth, const struct credential_request *request,
                             struct buf *signing_bytes, struct buf *credential_bytes)
{
    struct keeper *keeper = auth->env->keeper;
    struct credential signing, made;
    TRY(keeper_credential(keeper, KEEPER_AS_SIGNING, signing_bytes));
    TRY(credential_parse(buf_view(signing_bytes), &signing));
    struct credential fields = {
        .kind = CREDENTIAL_CLIENT,
        .subject = request->client_id,
        .public_key = request->public_key,
    };
    validity(auth, &signing, &fields);
    const struct credential_signer signer = {sign, keeper};
    TRY(credential_make(credential_bytes, &fields, &signing, &signer));
    TRY(credential_parse(buf_view(credential_bytes), &made));
    return credential_verify(&made, &signing);
}

struct err auth_issue(struct auth *auth, const struct credential_request *request, struct buf *b)
{
    struct buf signing = BUF_INIT, credential = BUF_INIT;
    struct err err = issue_once(auth, request, &signing, &credential);
    if (err.code == ERR_CRYPTO_SIGNATURE) {
        /* The key was rotated between the two verbs. */
        buf_clear(&signing);
        buf_clear(&credential);
        err = issue_once(auth, request, &signing, &credential);
    }
    if (err_is_ok(err)) {
        wire_write_vector(b, buf_view(&credential));
        wire_write_vector(b, buf_view(&signing));
        err = buf_check(b);
    }
    buf_clear(&signing);
    buf_clear(&credential);
    return err;
}

/* GetWelcomeInfo: tree and records of the epoch that a Welcome leads to, for a joiner named in it.
 */
#include "server/delivery/access.h"
#include "server/delivery/rpcs.h"

static const Hearth__V1__GroupAccess *group_of(const ProtobufCMessage *in)
{
    return ((const Hearth__V1__GetWelcomeInfoRequest *)in)->group;
}

/* The key's algorithm goes with its length: the suites here have no two of one length. */
static const struct sig_alg *alg_of(size_t key_bytes)
{
    static const struct sig_alg *const algs[] = {&sig_ed25519, &sig_ecdsa_p256_sha256,
                                                 &sig_ecdsa_p384_sha384, &sig_ecdsa_p521_sha512};
    for (size_t i = 0; i < sizeof algs / sizeof *algs; i++) {
        if (algs[i]->public_bytes == key_bytes)
            return algs[i];
    }
    return NULL;
}

static struct err open_past(struct request *r, struct store_txn *txn)
{
    const Hearth__V1__GetWelcomeInfoRequest *in = (const void *)r->in;
    struct public_key key;
    TRY(past_tree_load(txn, r->d, r->group_id, r->state_key, in->epoch, r->caller_id, &r->answer,
                       &key));
    r->alg = alg_of(key.len);
    if (r->alg == NULL)
        return ERR(DELIVERY_STATE);
    r->past.epoch = in->epoch;
    /* credits of the joiner, who has no pseudonym yet that we could look up */
    delivery_pseudonym_id(r->d, r->group_id, r->caller_id, r->pseudonym_id);
    return access_use_key(r, public_key_view(&key));
}

static struct err admit(struct request *r)
{
    return request_take_leaf(r, LIMIT_GROUP_INFO, 1);
}

static struct err check(struct request *r)
{
    r->effect = REQUEST_FETCHED; /* the answer was stored when the commit was made */
    return ERR_OK;
}

const struct request_row get_welcome_info_row = {
    .name = "GetWelcomeInfo",
    .caller = REQUEST_JOINER,
    .light = true,
    .group = group_of,
    .open = open_past,
    .admit = admit,
    .check = check,
};

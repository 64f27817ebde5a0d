/* Calls at the delivery service, several after each other, in a world where whoever says to be a
 * member is (the front's control), so that handlers see what nobody would sign. The input is a list
 * of records (support/delivery/delivery_world.h). Everything is answered, what is stored can be
 * read, and nothing outlives its time. */
#include <stdio.h>

#include "seal/request_auth.h"
#include "support/delivery/delivery_world.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

enum { CALLS_MOST = 30 };

static struct dworld w;

static const char *name_of(const struct hearth_endpoint *endpoint)
{
    return strrchr(endpoint->path, '/') + 1;
}

/* Can it be put into a header at all? */
static bool can_sign(const struct drecord *record, const struct sig_key *key)
{
    static const uint8_t zeros[32];
    struct buf b = BUF_INIT;
    const struct request_auth auth = {.kind = (enum request_caller)record->caller,
                                      .id = record->id,
                                      .audience = bytes_str(DW_DOMAIN),
                                      .nonce = zeros};
    bool can = (record->caller == REQUEST_MEMBER || record->caller == REQUEST_JOINER) &&
               err_is_ok(request_auth_sign(&b, &auth, bytes_str("/a/b"), zeros, key));
    buf_clear(&b);
    return can;
}

static void perform(const struct drecord *record, const struct sig_key *key)
{
    ProtobufCMessage *in = protobuf_c_message_unpack(record->endpoint->request, NULL,
                                                     record->request.len, record->request.data);
    if (in == NULL)
        return;
    struct dsigner signer = {.id = record->id, .key = key};
    if (can_sign(record, key))
        signer.kind = (enum request_caller)record->caller;
    enum hearth_code code = dw_call(&w, name_of(record->endpoint), &signer, in);
    if (getenv("HEARTH_TRACE") != NULL)
        (void)fprintf(stderr, "%s: %s %s\n", name_of(record->endpoint), hearth_code_name(code),
                      w.message);
    protobuf_c_message_free_unpacked(in, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct bytes in = bytes_of(data, len);
    struct drecord record;
    struct sig_key key;
    memset(&w, 0, sizeof w);
    w.front_options.control = true;
    dw_start(&w);
    if (!err_is_ok(sig_key_generate(&sig_ed25519, &rng_system, &key)))
        abort();
    for (int i = 0; i < CALLS_MOST && dw_record_read(&in, &record); i++)
        perform(&record, &key);
    dw_pass_s(&w, 4);
    struct delivery_stats stats = dw_stats(&w);
    if (stats.groups > CALLS_MOST || stats.past_trees > CALLS_MOST)
        abort();
    w.fake.unix_base_ms += (uint64_t)400 * 86400 * 1000;
    while (delivery_expire(w.delivery))
        ;
    stats = dw_stats(&w);
    if (stats.groups + stats.past_trees + stats.notices + stats.pauses + stats.answers > 0)
        abort();
    sig_key_clear(&key);
    dw_end(&w);
    return 0;
}

/* Several PSKs mixed into one secret (RFC 9420 8.4). */
#include "mls/codec/psk_id.h"
#include "mls/member/psk.h"
#include "vectors/vector_case.h"

enum { PSKS_MOST = 64 };

void vector_psk_secret(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    const json_t *psks = vector_field(c, c->json, "psks");
    size_t count = json_array_size(psks);
    struct psk_input inputs[PSKS_MOST];
    CHECK(count <= PSKS_MOST);
    for (size_t i = 0; i < count; i++) {
        const json_t *psk = json_array_get(psks, i);
        struct psk_id id = {
            .type = PSK_EXTERNAL,
            .id = vector_hex(c, psk, "psk_id"),
            .nonce = vector_hex(c, psk, "psk_nonce"),
        };
        struct buf b = BUF_INIT;
        psk_id_write(&b, &id);
        inputs[i].id = vector_take(c, &b);
        inputs[i].psk = vector_hex(c, psk, "psk");
    }
    struct secret secret;
    CHECK_OK(psk_secret_derive(suite, inputs, count, &secret));
    CHECK_BYTES(secret_view(&secret), vector_hex(c, c->json, "psk_secret"));
}

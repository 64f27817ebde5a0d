/* Transcript hashes over one commit (RFC 9420 8.2), and its confirmation tag. */
#include "mls/public/transcript.h"
#include "vectors/vector_case.h"

void vector_transcript_hashes(struct vector_case *c)
{
    const struct suite *suite = vector_suite(c);
    CHECK(suite != NULL);
    struct authenticated_content content;
    CHECK_OK(authenticated_content_parse(vector_hex(c, c->json, "authenticated_content"), &c->arena,
                                         &content));
    CHECK(content.content.type == CONTENT_COMMIT);
    struct bytes before = vector_hex(c, c->json, "interim_transcript_hash_before");
    struct digest confirmed;
    struct digest interim;
    CHECK_OK(transcript_confirmed(suite->hash, before, &content, &confirmed));
    CHECK_BYTES(digest_view(&confirmed), vector_hex(c, c->json, "confirmed_transcript_hash_after"));
    transcript_interim(suite->hash, digest_view(&confirmed), content.auth.confirmation_tag,
                       &interim);
    CHECK_BYTES(digest_view(&interim), vector_hex(c, c->json, "interim_transcript_hash_after"));
    CHECK_OK(hmac_verify(suite->hash, vector_hex(c, c->json, "confirmation_key"),
                         BYTES_LIST(digest_view(&confirmed)), content.auth.confirmation_tag));
}

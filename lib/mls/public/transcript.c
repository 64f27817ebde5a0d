#include "mls/public/transcript.h"

struct err transcript_confirmed(const struct hash_alg *alg, struct bytes interim_before,
                                const struct authenticated_content *content,
                                struct digest *ret_confirmed)
{
    struct buf input = BUF_INIT;
    confirmed_transcript_input_write(&input, content);
    struct err err = buf_check(&input);
    if (err_is_ok(err))
        hash_list(alg, BYTES_LIST(interim_before, buf_view(&input)), ret_confirmed);
    buf_clear(&input);
    return err;
}

void transcript_interim(const struct hash_alg *alg, struct bytes confirmed,
                        struct bytes confirmation_tag, struct digest *ret_interim)
{
    uint8_t room[4];
    struct buf len = {.data = room, .cap = sizeof room, .limit = sizeof room};
    wire_write_varint(&len, confirmation_tag.len);
    hash_list(alg, BYTES_LIST(confirmed, buf_view(&len), confirmation_tag), ret_interim);
}

/* Pieces of files: sizes and sealing. No I/O. */
#include "client/core/file.h"
#include "seal/pad.h"

enum { NONCE_ZEROS = AEAD_NONCE_BYTES - 8 };
static const char label[] = "Hearth 1 File";

/* ---- sizes */

uint64_t file_pieces(uint64_t blob_bytes)
{
    return (blob_bytes + FILE_PIECE_BYTES - 1) / FILE_PIECE_BYTES;
}

size_t file_piece_bytes(uint64_t blob_bytes, uint64_t index)
{
    uint64_t from = index * FILE_PIECE_BYTES;
    uint64_t left = from < blob_bytes ? blob_bytes - from : 0;
    return left < FILE_PIECE_BYTES ? (size_t)left : FILE_PIECE_BYTES;
}

/* Above 64 KiB sizes of Padmé are multiples of 2,048, so that the last piece holds something. */
uint64_t file_plain_bytes(uint64_t blob_bytes)
{
    uint64_t tags = file_pieces(blob_bytes) * AEAD_TAG_BYTES;
    return blob_bytes > tags ? blob_bytes - tags : 0;
}

uint64_t file_blob_bytes(uint64_t file_bytes)
{
    if (file_bytes > FILE_BLOB_MAX_BYTES)
        return 0;
    uint64_t pieces = file_bytes / FILE_PIECE_PLAIN_BYTES + 1;
    uint64_t blob = file_bytes + pieces * AEAD_TAG_BYTES;
    do {
        blob = pad_padme_bytes((size_t)blob - PAD_HEAD_BYTES, FILE_BLOB_LEAST_BYTES);
        if (blob == 0 || blob > FILE_BLOB_MAX_BYTES)
            return 0;
    } while (file_plain_bytes(blob) < file_bytes && blob++ > 0);
    return blob;
}

/* ---- pieces */

static void place(uint64_t blob_bytes, uint64_t index, uint8_t nonce[AEAD_NONCE_BYTES],
                  uint8_t aad[sizeof label - 1 + 9])
{
    memset(nonce, 0, NONCE_ZEROS);
    memcpy(aad, label, sizeof label - 1);
    for (size_t i = 0; i < 8; i++) {
        nonce[NONCE_ZEROS + i] = (uint8_t)(index >> (56 - 8 * i));
        aad[sizeof label - 1 + i] = (uint8_t)(blob_bytes >> (56 - 8 * i));
    }
    aad[sizeof label - 1 + 8] = index + 1 == file_pieces(blob_bytes);
}

struct err file_piece_seal(const uint8_t key[FILE_KEY_BYTES], uint64_t blob_bytes, uint64_t index,
                           struct bytes plain, uint8_t *ret_piece)
{
    uint8_t nonce[AEAD_NONCE_BYTES], aad[sizeof label - 1 + 9];
    struct secret secret = {0};
    if (plain.len + AEAD_TAG_BYTES != file_piece_bytes(blob_bytes, index))
        return ERR(ARGUMENT);
    TRY(secret_set(bytes_of(key, FILE_KEY_BYTES), &secret));
    place(blob_bytes, index, nonce, aad);
    struct err err =
        aead_seal(&aead_aes256_gcm, &secret, nonce, bytes_of(aad, sizeof aad), plain, ret_piece);
    secret_clear(&secret);
    return err;
}

struct err file_piece_open(const uint8_t key[FILE_KEY_BYTES], uint64_t blob_bytes, uint64_t index,
                           struct bytes piece, uint8_t *ret_plain)
{
    uint8_t nonce[AEAD_NONCE_BYTES], aad[sizeof label - 1 + 9];
    struct secret secret = {0};
    if (piece.len != file_piece_bytes(blob_bytes, index))
        return ERR(CRYPTO_TAG);
    TRY(secret_set(bytes_of(key, FILE_KEY_BYTES), &secret));
    place(blob_bytes, index, nonce, aad);
    struct err err =
        aead_open(&aead_aes256_gcm, &secret, nonce, bytes_of(aad, sizeof aad), piece, ret_plain);
    secret_clear(&secret);
    return err;
}

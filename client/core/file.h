/* Files: encrypted in pieces, stored at our homeserver, described to a chat by a message
 * (CONTENT_FILE, struct file_keys of content.h).
 *
 *     plaintext   the file, then zeros up to what the size class holds
 *     piece i     AES-256-GCM(key, nonce(i), aad, up to FILE_PIECE_PLAIN_BYTES of it)
 *                 nonce(i) = uint32 0 || uint64 i; aad = "Hearth 1 File" || uint64 bytes in all ||
 *                 uint8 last
 *     blob        the pieces one after the other, FILE_PIECE_BYTES each but the last
 *
 * The key is fresh for each upload, also of the same file, so no nonce is used twice. The blob's
 * size is one of Padmé (seal/pad.h), at least 4,096. sha256 in the message is of the file: with it
 * a key opens one content only.
 */
#ifndef CLIENT_CORE_FILE_H
#define CLIENT_CORE_FILE_H

#include "client/core/core.h"
#include "crypto/aead.h"

enum {
    FILE_PIECE_BYTES = 65536,
    FILE_PIECE_PLAIN_BYTES = FILE_PIECE_BYTES - AEAD_TAG_BYTES,
    FILE_BLOB_LEAST_BYTES = 4096,
    FILE_BLOB_MAX_BYTES = 104857600, /* of Attachment.Upload */
    FILE_KEY_BYTES = 32,
};

/* Size of the blob for a file of so many bytes; 0: too large. */
uint64_t file_blob_bytes(uint64_t file_bytes);
/* Bytes of plaintext in a blob, pieces in a blob, and the size of piece `index`. */
uint64_t file_plain_bytes(uint64_t blob_bytes);
uint64_t file_pieces(uint64_t blob_bytes);
size_t file_piece_bytes(uint64_t blob_bytes, uint64_t index);

/* One piece, in place: plain.len + AEAD_TAG_BYTES bytes at ret_piece. */
CHECKED struct err file_piece_seal(const uint8_t key[FILE_KEY_BYTES], uint64_t blob_bytes,
                                   uint64_t index, struct bytes plain, uint8_t *ret_piece);
/* ERR_CRYPTO_TAG: not this piece of this blob. */
CHECKED struct err file_piece_open(const uint8_t key[FILE_KEY_BYTES], uint64_t blob_bytes,
                                   uint64_t index, struct bytes piece, uint8_t *ret_plain);

/* Verbs. file_send_begin stores the message (WAITING), uploads, then sends it; ret_message is the
 * message's number in the chat. ERR_CLIENT_FILE: no plain file, or too large. path is opened again
 * when it is the upload's turn, also after a restart. */
CHECKED struct err file_send_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                   const char *path, uint64_t *ret_message, uint64_t *ret_task);
/* Downloads into PATH, by way of a file beside it; what was fetched before a restart is kept.
 * ERR_EXISTS where PATH exists, ERR_NOT_FOUND: no such message, or it is no file. */
CHECKED struct err file_get_begin(struct core *c, struct db_txn *t, const struct hearth_id *chat,
                                  uint64_t number, const char *path, uint64_t *ret_task);

#endif

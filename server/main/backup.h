/* Backups: a folder with a copy of every database, and a manifest with their
 * SHA-256.
 *
 *     MANIFEST    "hearthd backup 1", the domain, then lines `sha256 bytes name`
 *
 * Contents are sealed as they are in the running server; the keys are not in it and have to be kept
 * apart from it. Databases are copied producers before consumers (delivery, queue, auth), so that
 * no copy knows of something the next one has lost.
 */
#ifndef SERVER_MAIN_BACKUP_H
#define SERVER_MAIN_BACKUP_H

#include <stdio.h>

#include "server/main/folder.h"
#include "store/store.h"

enum { BACKUP_WHY_BYTES = 512 };

struct backup_part {
    const char *name; /* "db/delivery.db" */
    struct store *store;
};

/* to must not exist. */
CHECKED struct err backup_make(const char *to, const char *domain, const struct backup_part *parts,
                               size_t count, uint64_t *ret_bytes, char ret_why[BACKUP_WHY_BYTES]);
/* Every file there, with the right hash, nothing else, databases undamaged. ERR_STORE_CORRUPT.
 * domain may be NULL. */
CHECKED struct err backup_verify(const char *from, const char *domain,
                                 char ret_why[BACKUP_WHY_BYTES]);
/* Verifies, then puts every part in its place; the old ones stay beside them as NAME-replaced.
 * Nobody may use the folder. */
CHECKED struct err backup_restore(const char *from, const char *domain, const struct folder *folder,
                                  char ret_why[BACKUP_WHY_BYTES]);

#endif

/* kt.db: tables and statements by name (transparency.md 14). */
#ifndef SERVER_TRANSPARENCY_SCHEMA_H
#define SERVER_TRANSPARENCY_SCHEMA_H

#include "server/front/charge.h"
#include "store/store.h"

enum kt_statement {
    HASH_GET,
    HASH_PUT,
    HASH_CLEAR,
    NODE_GET,
    NODE_PUT,
    NODE_BORN,
    NODE_DROP,
    SWEPT_GET,
    SWEPT_PUT,
    EPOCH_GET,
    EPOCH_NEWEST,
    EPOCH_PUT,
    EPOCH_DIST,
    EPOCH_NEXT_DIST,
    VERSION_GET,
    VERSION_LIST,
    VERSION_PUT,
    VERSION_SET,
    ENDED_PUT,
    ENDED_DUE,
    ENDED_NEXT,
    ENDED_DROP,
    PROOF_GET,
    PROOF_PUT,
    PROOF_DROP,
    QUEUE_GET,
    QUEUE_PUT,
    QUEUE_TAKE,
    QUEUE_DROP,
    QUEUE_ANY,
    QUEUE_LABEL,
    CHECKPOINT_GET,
    CHECKPOINT_NEWEST,
    CHECKPOINT_PUT,
    CHECKPOINT_NOTE,
    COSIGNATURE_LIST,
    COSIGNATURE_PUT,
    COSIGNATURE_NEWEST,
    KT_PURSE, /* PURSE_STATEMENTS begin here */
    KT_STATEMENT_COUNT = KT_PURSE + PURSE_STATEMENT_COUNT
};

extern const struct store_schema kt_schema;

#endif

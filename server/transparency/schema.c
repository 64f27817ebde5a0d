#include "server/transparency/schema.h"

/* node: the prefix tree of every epoch; pos as trees.c has it, a node counts from epoch `born`
 * until the next of its place. kind 1: body is index || commitment; 2: body is the hash. hash:
 * complete subtrees of the log. version, proof, queue: `label` is a PRF value, everything else of a
 * row is sealed, its epoch too, or rows could be matched with the leaves of that epoch. proof: of
 * versions that are not there, since making one is dear. checkpoint: one row per size, never
 * changed. ended: versions of the label from next up to this one lose value and opening in hour
 * `due`. cosignature: lines of witnesses over notes of checkpoint. swept: trees of earlier epochs
 * are no longer kept; place: how far its own old nodes are removed (sweep.c), empty: all. */
static const struct store_migration migrations[] = {
    {1, "CREATE TABLE hash (level INTEGER NOT NULL, n INTEGER NOT NULL, hash BLOB NOT NULL,"
        " PRIMARY KEY (level, n)) WITHOUT ROWID;"
        "CREATE TABLE node (pos BLOB NOT NULL, born INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " body BLOB NOT NULL, PRIMARY KEY (pos, born)) WITHOUT ROWID;"
        "CREATE TABLE epoch (number INTEGER PRIMARY KEY, ms INTEGER NOT NULL,"
        " prefix_root BLOB NOT NULL, distinguished INTEGER NOT NULL);"
        "CREATE INDEX epoch_dist ON epoch (distinguished, number);"
        "CREATE TABLE version (label BLOB NOT NULL, version INTEGER NOT NULL,"
        " sealed BLOB NOT NULL, PRIMARY KEY (label, version));"
        "CREATE TABLE proof (label BLOB NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,"
        " PRIMARY KEY (label, version)) WITHOUT ROWID;"
        "CREATE TABLE queue (label BLOB NOT NULL, version INTEGER NOT NULL, sealed BLOB NOT NULL,"
        " PRIMARY KEY (label, version));"
        "CREATE TABLE checkpoint (size INTEGER PRIMARY KEY, root BLOB NOT NULL,"
        " note BLOB NOT NULL);"},
    {2, PURSE_SQL},
    {3, "CREATE TABLE cosignature (size INTEGER NOT NULL, name BLOB NOT NULL, line BLOB NOT NULL,"
        " PRIMARY KEY (size, name)) WITHOUT ROWID;"},
    {4, "CREATE TABLE ended (label BLOB PRIMARY KEY, version INTEGER NOT NULL,"
        " next INTEGER NOT NULL, due INTEGER NOT NULL) WITHOUT ROWID;"
        "CREATE INDEX ended_due ON ended (due);"},
    /* until then pos was depth || bits at any depth */
    {5, "CREATE TABLE near (pos BLOB NOT NULL, born INTEGER NOT NULL, kind INTEGER NOT NULL,"
        " body BLOB NOT NULL, PRIMARY KEY (pos, born)) WITHOUT ROWID;"
        "INSERT INTO near (pos, born, kind, body) SELECT CASE WHEN pos < x'11' THEN pos ELSE"
        " CAST(x'11' || substr(pos, 2, 2) || substr(pos, 1, 1) || substr(pos, 4) AS BLOB) END,"
        " born, kind, body FROM node;"
        "DROP TABLE node;"
        "ALTER TABLE near RENAME TO node;"},
    {6, "CREATE TABLE swept (one INTEGER PRIMARY KEY, epoch INTEGER NOT NULL,"
        " place BLOB NOT NULL);"},
};

static const struct stmt_row statements[] = {
    [HASH_GET] = {"hash_get", "SELECT hash FROM hash WHERE level = $1 AND n = $2"},
    [HASH_PUT] = {"hash_put", "INSERT INTO hash (level, n, hash) VALUES ($1, $2, $3)"},
    [HASH_CLEAR] = {"hash_clear", "DELETE FROM hash"},

    [NODE_GET] = {"node_get", "SELECT kind, body FROM node WHERE pos = $1 AND born <= $2"
                              " ORDER BY born DESC LIMIT 1"},
    [NODE_PUT] = {"node_put", "INSERT INTO node (pos, born, kind, body) VALUES ($1, $2, $3, $4)"},

    [NODE_BORN] = {"node_born", "SELECT born, kind FROM node WHERE pos = $1 AND born <= $2"
                                " ORDER BY born DESC LIMIT 1"},
    [NODE_DROP] = {"node_drop", "DELETE FROM node WHERE pos = $1 AND born < $2"},
    [SWEPT_GET] = {"swept_get", "SELECT epoch, place FROM swept WHERE one = 1"},
    [SWEPT_PUT] = {"swept_put", "INSERT INTO swept (one, epoch, place) VALUES (1, $1, $2)"
                                " ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch,"
                                " place = excluded.place"},

    [EPOCH_GET] = {"epoch_get", "SELECT ms, prefix_root FROM epoch WHERE number = $1"},
    [EPOCH_NEWEST] = {"epoch_newest", "SELECT number, ms FROM epoch ORDER BY number DESC LIMIT 1"},
    [EPOCH_PUT] = {"epoch_put", "INSERT INTO epoch (number, ms, prefix_root, distinguished)"
                                " VALUES ($1, $2, $3, $4)"},
    [EPOCH_DIST] = {"epoch_dist", "SELECT number FROM epoch WHERE distinguished = 1"
                                  " AND number <= $1 ORDER BY number DESC LIMIT 1"},
    [EPOCH_NEXT_DIST] = {"epoch_next_dist", "SELECT number FROM epoch WHERE distinguished = 1"
                                            " AND number > $1 AND number <= $2"
                                            " ORDER BY number LIMIT 1"},

    [VERSION_GET] = {"version_get", "SELECT sealed FROM version WHERE label = $1"
                                    " AND version = $2"},
    [VERSION_LIST] = {"version_list", "SELECT version, sealed FROM version WHERE label = $1"
                                      " ORDER BY version DESC"},
    [VERSION_PUT] = {"version_put", "INSERT INTO version (label, version, sealed)"
                                    " VALUES ($1, $2, $3)"},

    [VERSION_SET] = {"version_set", "INSERT INTO version (label, version, sealed)"
                                    " VALUES ($1, $2, $3) ON CONFLICT (label, version)"
                                    " DO UPDATE SET sealed = excluded.sealed"},

    [ENDED_PUT] = {"ended_put", "INSERT INTO ended (label, version, next, due)"
                                " VALUES ($1, $2, 0, $3) ON CONFLICT (label) DO UPDATE"
                                " SET version = excluded.version, due = excluded.due"},
    [ENDED_DUE] = {"ended_due", "SELECT label, version, next FROM ended WHERE due <= $1"
                                " ORDER BY due LIMIT 1"},
    [ENDED_NEXT] = {"ended_next", "UPDATE ended SET next = $1 WHERE label = $2"},
    [ENDED_DROP] = {"ended_drop", "DELETE FROM ended WHERE label = $1"},

    [PROOF_GET] = {"proof_get", "SELECT sealed FROM proof WHERE label = $1 AND version = $2"},
    [PROOF_PUT] = {"proof_put", "INSERT INTO proof (label, version, sealed) VALUES ($1, $2, $3)"},
    [PROOF_DROP] = {"proof_drop", "DELETE FROM proof WHERE label = $1 AND version = $2"},

    [QUEUE_GET] = {"queue_get", "SELECT sealed FROM queue WHERE label = $1 AND version = $2"},
    [QUEUE_PUT] = {"queue_put", "INSERT INTO queue (label, version, sealed) VALUES ($1, $2, $3)"},
    /* of each label the lowest version that waits */
    [QUEUE_TAKE] = {"queue_take",
                    "SELECT q.label, q.version, q.sealed FROM queue q WHERE q.version ="
                    " (SELECT min(o.version) FROM queue o WHERE o.label = q.label)"
                    " ORDER BY q.label LIMIT $1"},
    [QUEUE_DROP] = {"queue_drop", "DELETE FROM queue WHERE label = $1 AND version = $2"},
    [QUEUE_LABEL] = {"queue_label", "SELECT version FROM queue WHERE label = $1 LIMIT 1"},
    [QUEUE_ANY] = {"queue_any", "SELECT version FROM queue LIMIT 1"},

    [CHECKPOINT_GET] = {"checkpoint_get", "SELECT root FROM checkpoint WHERE size = $1"},
    [CHECKPOINT_NEWEST] = {"checkpoint_newest", "SELECT size, note FROM checkpoint"
                                                " ORDER BY size DESC LIMIT 1"},
    [CHECKPOINT_PUT] = {"checkpoint_put", "INSERT INTO checkpoint (size, root, note)"
                                          " VALUES ($1, $2, $3)"},
    [CHECKPOINT_NOTE] = {"checkpoint_note", "SELECT note FROM checkpoint WHERE size = $1"},

    [COSIGNATURE_LIST] = {"cosignature_list",
                          "SELECT line FROM cosignature WHERE size = $1 ORDER BY name LIMIT 16"},
    [COSIGNATURE_PUT] = {"cosignature_put",
                         "INSERT INTO cosignature (size, name, line) VALUES ($1, $2, $3)"
                         " ON CONFLICT (size, name) DO UPDATE SET line = excluded.line"},
    [COSIGNATURE_NEWEST] = {"cosignature_newest",
                            "SELECT size FROM cosignature ORDER BY size DESC LIMIT 1"},
    PURSE_STATEMENTS,
};
_Static_assert(sizeof statements / sizeof *statements == KT_STATEMENT_COUNT, "statements");

const struct store_schema kt_schema = {
    .migrations = migrations,
    .migration_count = sizeof migrations / sizeof *migrations,
    .statements = statements,
    .statement_count = KT_STATEMENT_COUNT,
};

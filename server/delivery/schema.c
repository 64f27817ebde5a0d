/* Tables and statements of delivery.db. Ids are PRF values; contents are sealed, groups and past
 * trees under the key that the members hold. */
#include "server/delivery/delivery_inside.h"

/* groups.lock is a few bytes sealed under the state key: a wrong key is found out there, at the
 * cost that an unknown group has, before the state is touched (P5).
 * Trees of past epochs have rows of their own, under the state key their joiners got: they are
 * large, and a rotation need not touch them.
 * What is large is not WITHOUT ROWID: SQLite reads a whole row, overflow pages and all, for each
 * key that it compares, so that looking up any id would read the states of a dozen other groups. */
static const char delivery_v1[] =
    "CREATE TABLE groups (id BLOB NOT NULL PRIMARY KEY, version INTEGER NOT NULL,"
    " expires_month INTEGER NOT NULL, lock BLOB NOT NULL, sealed BLOB NOT NULL);"
    "CREATE INDEX groups_expiry ON groups (expires_month);"
    "CREATE TABLE past_trees (id BLOB NOT NULL PRIMARY KEY, expires_day INTEGER NOT NULL,"
    " sealed BLOB NOT NULL);"
    "CREATE INDEX past_trees_expiry ON past_trees (expires_day);"
    "CREATE TABLE past_joins (id BLOB NOT NULL PRIMARY KEY, expires_day INTEGER NOT NULL,"
    " sealed BLOB NOT NULL);"
    "CREATE INDEX past_joins_expiry ON past_joins (expires_day);"
    "CREATE TABLE notices (group_tag BLOB NOT NULL, leaf_tag BLOB NOT NULL, why INTEGER NOT NULL,"
    " count INTEGER NOT NULL, expires_day INTEGER NOT NULL,"
    " PRIMARY KEY (group_tag, leaf_tag, why)) WITHOUT ROWID;"
    "CREATE INDEX notices_expiry ON notices (expires_day);"
    "CREATE TABLE pauses (id BLOB NOT NULL PRIMARY KEY, until_hour INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX pauses_expiry ON pauses (until_hour);" ONCE_SQL OUTBOX_SQL;

/* A lock for lists of joiners, too, which are as long as there are joiners; before the list, since
 * a column behind it is found by reading it. Rows from before have none, and are gone within
 * QUEUE_DAYS. */
static const char delivery_v2[] =
    "ALTER TABLE past_joins RENAME TO past_joins_v1;"
    "CREATE TABLE past_joins (id BLOB NOT NULL PRIMARY KEY, expires_day INTEGER NOT NULL,"
    " lock BLOB, sealed BLOB NOT NULL);"
    "INSERT INTO past_joins (id, expires_day, sealed)"
    " SELECT id, expires_day, sealed FROM past_joins_v1;"
    "DROP TABLE past_joins_v1;"
    "CREATE INDEX past_joins_expiry ON past_joins (expires_day);";

static const struct store_migration delivery_migrations[] = {
    {1, delivery_v1}, {2, delivery_v2}, {3, ONCE_SQL_2}, {4, PURSE_SQL}};

static const struct stmt_row delivery_statements[DELIVERY_STATEMENTS] = {
    [GROUP_LOCK] = {"group_lock", "SELECT version, lock, id FROM groups"
                                  " WHERE id >= $1 ORDER BY id LIMIT 1"},
    [GROUP_LOAD] = {"group_load", "SELECT sealed FROM groups WHERE id = $1"},
    [GROUP_VERSION] = {"group_version", "SELECT version FROM groups WHERE id = $1"},
    [GROUP_INSERT] = {"group_insert",
                      "INSERT INTO groups (id, version, expires_month, lock, sealed)"
                      " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO NOTHING"},
    [GROUP_REPLACE] = {"group_replace",
                       "UPDATE groups SET version = $1, expires_month = $2, lock = $3, sealed = $4"
                       " WHERE id = $5 AND version = $6"},
    [GROUP_FORCE] = {"group_force",
                     "UPDATE groups SET version = $1, expires_month = $2, lock = $3, sealed = $4"
                     " WHERE id = $5"},
    [GROUP_DELETE] = {"group_delete", "DELETE FROM groups WHERE id = $1 AND version = $2"},
    [GROUP_EXPIRE] = {"group_expire", "DELETE FROM groups WHERE id IN"
                                      " (SELECT id FROM groups WHERE expires_month < $1 LIMIT $2)"},
    [PAST_TREE_LOAD] = {"past_tree_load", "SELECT sealed FROM past_trees WHERE id = $1"},
    [PAST_TREE_KEEP] = {"past_tree_keep",
                        "INSERT INTO past_trees (id, expires_day, sealed) VALUES ($1, $2, $3)"
                        " ON CONFLICT (id) DO UPDATE SET expires_day = excluded.expires_day,"
                        " sealed = excluded.sealed"},
    [PAST_TREE_EXPIRE] = {"past_tree_expire",
                          "DELETE FROM past_trees WHERE id IN"
                          " (SELECT id FROM past_trees WHERE expires_day < $1 LIMIT $2)"},
    [PAST_JOIN_LOCK] = {"past_join_lock", "SELECT lock, id FROM past_joins"
                                          " WHERE id >= $1 ORDER BY id LIMIT 1"},
    [PAST_JOIN_LOAD] = {"past_join_load",
                        "SELECT expires_day, sealed FROM past_joins WHERE id = $1"},
    [PAST_JOIN_KEEP] = {"past_join_keep",
                        "INSERT INTO past_joins (id, expires_day, sealed, lock)"
                        " VALUES ($1, $2, $3, $4)"
                        " ON CONFLICT (id) DO UPDATE SET expires_day = excluded.expires_day,"
                        " sealed = excluded.sealed, lock = excluded.lock"},
    [PAST_JOIN_MARK] = {"past_join_mark",
                        "UPDATE past_joins SET expires_day = $1, sealed = $2 WHERE id = $3"},
    [PAST_JOIN_EXPIRE] = {"past_join_expire",
                          "DELETE FROM past_joins WHERE id IN"
                          " (SELECT id FROM past_joins WHERE expires_day < $1 LIMIT $2)"},
    [PAST_TREE_SHORTEN] = {"past_tree_shorten", "UPDATE past_trees SET expires_day = $1"
                                                " WHERE id = $2 AND expires_day > $1"},
    [PAST_TREE_DROP] = {"past_tree_drop", "DELETE FROM past_trees WHERE id = $1"},
    [PAST_JOIN_DROP] = {"past_join_drop", "DELETE FROM past_joins WHERE id = $1"},
    [NOTICE_KEEP] = {"notice_keep",
                     "INSERT INTO notices (group_tag, leaf_tag, why, count, expires_day)"
                     " VALUES ($1, $2, $3, 1, $4) ON CONFLICT (group_tag, leaf_tag, why)"
                     " DO UPDATE SET count = notices.count + 1"},
    [NOTICE_LIST] = {"notice_list", "SELECT leaf_tag, why, count FROM notices WHERE group_tag = $1"
                                    " ORDER BY leaf_tag, why LIMIT 64"},
    [NOTICE_COUNT] = {"notice_count", "SELECT count FROM notices"
                                      " WHERE group_tag = $1 AND leaf_tag = $2 AND why = $3"},
    [NOTICE_LESS] = {"notice_less", "UPDATE notices SET count = count - $1"
                                    " WHERE group_tag = $2 AND leaf_tag = $3 AND why = $4"},
    [NOTICE_DROP] = {"notice_drop",
                     "DELETE FROM notices WHERE group_tag = $1 AND leaf_tag = $2 AND why = $3"
                     " AND count <= 0"},
    [NOTICE_EXPIRE] = {"notice_expire", "DELETE FROM notices WHERE (group_tag, leaf_tag, why) IN"
                                        " (SELECT group_tag, leaf_tag, why FROM notices"
                                        " WHERE expires_day < $1 LIMIT $2)"},
    [PAUSE_FIND] = {"pause_find", "SELECT until_hour FROM pauses WHERE id = $1"},
    [PAUSE_KEEP] = {"pause_keep",
                    "INSERT INTO pauses (id, until_hour) VALUES ($1, $2)"
                    " ON CONFLICT (id) DO UPDATE SET until_hour = excluded.until_hour"},
    [PAUSE_EXPIRE] = {"pause_expire", "DELETE FROM pauses WHERE id IN"
                                      " (SELECT id FROM pauses WHERE until_hour < $1 LIMIT $2)"},
    [DELIVERY_COUNT] =
        {"delivery_count",
         "SELECT (SELECT COUNT(*) - 1 FROM groups), (SELECT COUNT(*) FROM past_trees),"
         " (SELECT COUNT(*) FROM notices), (SELECT COUNT(*) FROM pauses),"
         " (SELECT COUNT(*) FROM once), (SELECT COUNT(*) FROM outbox_row)"},
    [DELIVERY_ONCE] = ONCE_STATEMENTS,
    PURSE_STATEMENTS,
    OUTBOX_STATEMENTS,
};

const struct store_schema delivery_schema = {
    .migrations = delivery_migrations,
    .migration_count = sizeof delivery_migrations / sizeof *delivery_migrations,
    .statements = delivery_statements,
    .statement_count = DELIVERY_STATEMENTS,
};

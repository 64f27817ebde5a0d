#include "tlog/compare.h"

static const char tag[] = "KTL view 1";

static void person_write(struct buf *b, const struct kt_person *p)
{
    wire_write_vector8(b, p->label);
    wire_write_u32(b, p->version);
    wire_write_fixed(b, hash_value_view(&p->commitment));
}

static void head_write(struct buf *b, const struct kt_head *h)
{
    wire_write_vector8(b, h->origin);
    wire_write_u64(b, h->window);
    wire_write_u64(b, h->dist_index);
    wire_write_fixed(b, hash_value_view(&h->log_root));
}

static bool name_well(struct bytes name)
{
    return name.len > 0 && name.len <= 255;
}

static bool comparison_well(const struct kt_comparison *c)
{
    bool well = c->head_count == 1 || c->head_count == 2;
    for (size_t i = 0; i < 2; i++)
        well = well && name_well(c->persons[i].label);
    for (size_t i = 0; well && i < c->head_count; i++)
        well = name_well(c->heads[i].origin);
    if (well && c->head_count == 2)
        well = !bytes_equal(c->heads[0].origin, c->heads[1].origin);
    return well;
}

/* Appends the smaller of two encodings, then the other; equal ones once if `once`. */
static void write_sorted(struct buf *b, struct buf pair[2], bool once)
{
    int order = bytes_compare(buf_view(&pair[0]), buf_view(&pair[1]));
    buf_append_bytes(b, buf_view(&pair[order > 0]));
    if (order != 0 || !once)
        buf_append_bytes(b, buf_view(&pair[order <= 0]));
}

struct err kt_comparison_write(struct buf *b, const struct kt_comparison *c)
{
    struct buf persons[2] = {{0}}, heads[2] = {{0}};
    if (!comparison_well(c))
        return ERR(ARGUMENT);
    for (size_t i = 0; i < 2; i++) {
        person_write(&persons[i], &c->persons[i]);
        head_write(&heads[i], &c->heads[i < c->head_count ? i : 0]);
    }
    buf_append(b, tag, sizeof tag - 1);
    write_sorted(b, persons, false);
    write_sorted(b, heads, true);
    struct err err = buf_check(b);
    for (size_t i = 0; i < 2; i++) {
        if (err_is_ok(err) && (persons[i].failed || heads[i].failed))
            err = ERR(NO_MEMORY);
        buf_clear(&persons[i]);
        buf_clear(&heads[i]);
    }
    return err;
}

struct err kt_comparison_code(const struct kt_comparison *c, char ret_code[KT_CODE_CHARS + 1])
{
    struct buf b = BUF_INIT;
    struct digest digest;
    struct err err = kt_comparison_write(&b, c);
    if (err_is_ok(err)) {
        hash_once(&hash_sha256, buf_view(&b), &digest);
        for (size_t group = 0; group < 5; group++) {
            uint32_t value = 0;
            for (size_t bit = 20 * group; bit < 20 * group + 20; bit++)
                value = value << 1 | (digest.data[bit / 8] >> (7 - bit % 8) & 1);
            value %= 1000000;
            for (size_t digit = 6; digit > 0; digit--) {
                ret_code[7 * group + digit - 1] = (char)('0' + value % 10);
                value /= 10;
            }
            ret_code[7 * group + 6] = group < 4 ? ' ' : 0;
        }
    }
    buf_clear(&b);
    return err;
}

static void person_read(struct wire_reader *r, struct kt_person *p)
{
    p->label = tlog_read_name(r);
    p->version = wire_read_u32(r);
    hash_value_read(r, &p->commitment);
}

static void head_read(struct wire_reader *r, struct kt_head *h)
{
    h->origin = tlog_read_name(r);
    h->window = wire_read_u64(r);
    h->dist_index = wire_read_u64(r);
    hash_value_read(r, &h->log_root);
}

struct err kt_comparison_parse(struct bytes in, struct kt_comparison *ret_comparison)
{
    struct kt_comparison c = {.head_count = 1};
    struct buf again = BUF_INIT;
    if (in.len > KT_COMPARISON_MAX_BYTES)
        return ERR(WIRE_LIMIT);
    struct wire_reader r = wire_reader_of(in);
    if (!bytes_equal(wire_read_fixed(&r, sizeof tag - 1), bytes_str(tag)))
        wire_reader_fail(&r, ERR_WIRE_VALUE);
    person_read(&r, &c.persons[0]);
    person_read(&r, &c.persons[1]);
    head_read(&r, &c.heads[0]);
    if (wire_reader_more(&r)) {
        head_read(&r, &c.heads[1]);
        c.head_count = 2;
    }
    TRY(wire_reader_end(&r));
    /* sorted, and no head twice: the encoding is the only one */
    struct err err = kt_comparison_write(&again, &c);
    if (err_is_ok(err) && !bytes_equal(buf_view(&again), in))
        err = ERR(WIRE_VALUE);
    buf_clear(&again);
    if (err_is_ok(err))
        *ret_comparison = c;
    return err;
}

static bool same_person(const struct kt_person *a, const struct kt_person *b)
{
    return bytes_equal(a->label, b->label) && a->version == b->version &&
           hash_value_equal(&a->commitment, &b->commitment);
}

static bool same_persons(const struct kt_comparison *a, const struct kt_comparison *b)
{
    return (same_person(&a->persons[0], &b->persons[0]) &&
            same_person(&a->persons[1], &b->persons[1])) ||
           (same_person(&a->persons[0], &b->persons[1]) &&
            same_person(&a->persons[1], &b->persons[0]));
}

/* The head of the same origin; NULL: the other one speaks of other logs. */
static const struct kt_head *head_of(const struct kt_comparison *c, struct bytes origin)
{
    for (size_t i = 0; i < c->head_count; i++) {
        if (bytes_equal(c->heads[i].origin, origin))
            return &c->heads[i];
    }
    return NULL;
}

enum kt_difference kt_comparison_judge(const struct kt_comparison *mine,
                                       const struct kt_comparison *theirs)
{
    enum kt_difference worst = KT_AGREE;
    if (mine->head_count != theirs->head_count)
        return KT_OTHER_LOG;
    for (size_t i = 0; i < mine->head_count; i++) {
        const struct kt_head *a = &mine->heads[i], *b = head_of(theirs, a->origin);
        if (b == NULL)
            return KT_OTHER_LOG;
        if ((a->window == b->window) != (a->dist_index == b->dist_index))
            return KT_OTHER_LOG;
        if (a->window != b->window)
            worst = KT_OTHER_WINDOW;
        else if (!hash_value_equal(&a->log_root, &b->log_root))
            return KT_OTHER_LOG;
    }
    if (!same_persons(mine, theirs))
        return KT_OTHER_KEYS;
    return worst;
}

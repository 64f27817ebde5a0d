#include "mls/codec/welcome.h"

struct wire_reader welcome_begin(const struct welcome *welcome)
{
    return wire_reader_of(welcome->secrets);
}

bool welcome_next(struct wire_reader *it, struct encrypted_group_secrets *ret_secrets)
{
    if (!wire_reader_more(it))
        return false;
    ret_secrets->new_member = wire_read_vector(it);
    hpke_ciphertext_read(it, &ret_secrets->secrets);
    return it->failure == ERR_NONE;
}

void encrypted_group_secrets_write(struct buf *b, const struct encrypted_group_secrets *s)
{
    wire_write_vector(b, s->new_member);
    hpke_ciphertext_write(b, &s->secrets);
}

void welcome_read(struct wire_reader *r, struct welcome *welcome)
{
    welcome->cipher_suite = wire_read_u16(r);
    welcome->secrets = wire_read_vector(r);
    welcome->secret_count = 0;
    struct wire_reader it = welcome_begin(welcome);
    struct encrypted_group_secrets s;
    while (welcome_next(&it, &s)) {
        if (++welcome->secret_count > MLS_MAX_WELCOME_SECRETS)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
    }
    wire_reader_join(r, &it);
    welcome->encrypted_group_info = wire_read_vector(r);
}

struct err welcome_parse(struct bytes in, struct welcome *ret_welcome)
{
    struct wire_reader r = wire_reader_of(in);
    struct welcome welcome;
    welcome_read(&r, &welcome);
    TRY(wire_reader_end(&r));
    *ret_welcome = welcome;
    return ERR_OK;
}

void welcome_write(struct buf *b, const struct welcome *welcome)
{
    wire_write_u16(b, welcome->cipher_suite);
    wire_write_vector(b, welcome->secrets);
    wire_write_vector(b, welcome->encrypted_group_info);
}

struct wire_reader group_secrets_psks_begin(const struct group_secrets *s)
{
    return wire_reader_of(s->psks);
}

bool group_secrets_psks_next(struct wire_reader *it, struct psk_id *ret_psk)
{
    if (!wire_reader_more(it))
        return false;
    psk_id_read(it, ret_psk);
    return it->failure == ERR_NONE;
}

void group_secrets_read(struct wire_reader *r, struct group_secrets *s)
{
    *s = (struct group_secrets){.joiner_secret = wire_read_vector(r)};
    s->has_path_secret = wire_read_present(r);
    if (s->has_path_secret)
        s->path_secret = wire_read_vector(r);
    s->psks = wire_read_vector(r);
    struct wire_reader it = group_secrets_psks_begin(s);
    struct psk_id psk;
    while (group_secrets_psks_next(&it, &psk)) {
        if (++s->psk_count > MLS_MAX_PSKS)
            wire_reader_fail(&it, ERR_WIRE_LIMIT);
    }
    wire_reader_join(r, &it);
}

struct err group_secrets_parse(struct bytes in, struct group_secrets *ret_s)
{
    struct wire_reader r = wire_reader_of(in);
    struct group_secrets s;
    group_secrets_read(&r, &s);
    TRY(wire_reader_end(&r));
    *ret_s = s;
    return ERR_OK;
}

void group_secrets_write(struct buf *b, const struct group_secrets *s)
{
    wire_write_vector(b, s->joiner_secret);
    wire_write_present(b, s->has_path_secret);
    if (s->has_path_secret)
        wire_write_vector(b, s->path_secret);
    wire_write_vector(b, s->psks);
}

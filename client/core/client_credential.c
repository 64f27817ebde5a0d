#include "client/core/client_credential.h"

#include "seal/credential_chain.h"

struct err client_credential_domain(struct bytes in, char ret_domain[DOMAIN_MAX_BYTES + 1])
{
    struct credential credential;
    struct client_id id;
    TRY(credential_parse(in, &credential));
    if (credential.kind != CREDENTIAL_CLIENT)
        return ERR(CREDENTIAL);
    TRY(client_id_parse(credential.subject, &id));
    memcpy(ret_domain, id.user.domain.data, id.user.domain.len);
    ret_domain[id.user.domain.len] = '\0';
    return ERR_OK;
}

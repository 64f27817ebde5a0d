/* Code points and limits of MLS (RFC 9420 17) that every codec file shares.
 *
 * Code points travel as plain integers (uint16_t, uint8_t): a value nobody knows, GREASE (13.5)
 * included, is data like any other and never an error of the codec. The enums only name the values
 * we act upon.
 */
#ifndef MLS_CODEC_TYPES_H
#define MLS_CODEC_TYPES_H

enum { MLS_VERSION_MLS10 = 1 };

/* WireFormat, uint16: RFC 9420 17.2 */
enum {
    WIRE_FORMAT_PUBLIC_MESSAGE = 1,
    WIRE_FORMAT_PRIVATE_MESSAGE = 2,
    WIRE_FORMAT_WELCOME = 3,
    WIRE_FORMAT_GROUP_INFO = 4,
    WIRE_FORMAT_KEY_PACKAGE = 5,
};

/* ExtensionType, uint16: RFC 9420 17.3; last_resort: the MLS extensions registry, no contents */
enum {
    EXTENSION_APPLICATION_ID = 1,
    EXTENSION_RATCHET_TREE = 2,
    EXTENSION_REQUIRED_CAPABILITIES = 3,
    EXTENSION_EXTERNAL_PUB = 4,
    EXTENSION_EXTERNAL_SENDERS = 5,
    EXTENSION_LAST_RESORT = 10,
    EXTENSION_LAST_DEFAULT = EXTENSION_EXTERNAL_SENDERS, /* 1 to this need no listing (7.2) */
};

/* ProposalType, uint16: RFC 9420 17.4 */
enum {
    PROPOSAL_ADD = 1,
    PROPOSAL_UPDATE = 2,
    PROPOSAL_REMOVE = 3,
    PROPOSAL_PSK = 4,
    PROPOSAL_REINIT = 5,
    PROPOSAL_EXTERNAL_INIT = 6,
    PROPOSAL_GROUP_CONTEXT_EXTENSIONS = 7,
    PROPOSAL_LAST_DEFAULT = PROPOSAL_GROUP_CONTEXT_EXTENSIONS,
};

/* CredentialType, uint16: RFC 9420 17.5 */
enum { CREDENTIAL_BASIC = 1, CREDENTIAL_X509 = 2 };

/* How many elements a vector may have. The bytes of a vector are bounded by the input that carries
 * it, so these bound work and memory per input byte; none of them comes from the RFC. */
enum {
    MLS_MAX_LEAVES = 1 << 16,         /* of a ratchet tree, blank ones included */
    MLS_MAX_EXTENSIONS = 64,          /* of one list */
    MLS_MAX_CAPABILITIES = 512,       /* of one of the five lists of Capabilities */
    MLS_MAX_REQUIRED = 64,            /* of one of the three lists of RequiredCapabilities */
    MLS_MAX_CERTIFICATES = 16,        /* of one x509 credential */
    MLS_MAX_EXTERNAL_SENDERS = 64,    /* of one extension */
    MLS_MAX_COMMIT_PROPOSALS = 16384, /* of one commit */
    MLS_MAX_PATH_NODES = 32,          /* of one UpdatePath: a tree of 2^32 leaves */
    MLS_MAX_PSKS = 256,               /* of one GroupSecrets or commit */
    MLS_MAX_WELCOME_SECRETS = 16384,  /* of one Welcome */
};

#endif
